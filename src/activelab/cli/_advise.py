"""``activelab advise``: what the labels collected so far say about how to go on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from activelab.cli._inputs import read_inputs, read_sets, with_features
from activelab.cli._kind import ClassPrice, KindOption, LossOption, Scale, kind_in, kind_of
from activelab.cli._options import (
    Features,
    Json,
    LabelsFile,
    OptionalPredProbsFiles,
    Output,
    Seed,
    TableFormat,
)
from activelab.cli._output import deliver, progress_bar, working
from activelab.cli._reading import Reading, reads_files
from activelab.cli._streams import source, target


@reads_files
def advise(
    labels: LabelsFile,
    pred_probs: OptionalPredProbsFiles = None,
    features: Features = None,
    model: Annotated[
        str, typer.Option(help="Classifier for --features, as in simulate.")
    ] = "logistic-regression",
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            "-s",
            help="Strategies to replay, as in simulate --method.",
            show_default="recommended, recommended+assignment=thompson, activelab, good_random; of ratings "
            "and sets expected_loss and others",
        ),
    ] = None,
    next_labels: Annotated[int, typer.Option("--next", min=1, help="Labels the forecast is for.")] = 1000,
    label_price: Annotated[float | None, typer.Option(help="Price of a label.", show_default=False)] = None,
    error_cost: Annotated[
        float | None, typer.Option(help="What a wrong label in the data costs.", show_default=False)
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Replays of each strategy.")] = 3,
    kind: KindOption = None,
    scale: Scale = None,
    loss: LossOption = None,
    class_price: ClassPrice = None,
    reading: Reading = Reading(),  # noqa: B008
    seed: Seed = 0,
    as_json: Json = False,
    output: Output = None,
    format_: TableFormat = None,
) -> None:
    """Which strategy and how many labels an example your labels speak for, and what the next ones buy.

    The labels there are get revealed again as each strategy would have asked for them, and measured by the
    consensus of all of them. Give the features, the predictions of a model, or both.

    \b
    Examples:
      activelab advise labels.csv --features features.csv
      activelab advise labels.csv --pred-probs probs.csv --next 500
      activelab advise labels.csv -p probs.csv --label-price 0.05 --error-cost 2 --json
      activelab advise topics.csv --features features.csv --kind multilabel --class-price 0.3

    Accuracy is quadratic weighted kappa with --kind ordinal, and the mean F1 of the classes with --kind
    multilabel. What the next labels buy is not told of ratings.

    The table has the columns strategy, labels, accuracy, area (mean accuracy over the rounds) and error (of
    the difference to the best, standard), best strategy first.
    """
    import numpy as np

    from activelab._errors import InputError
    from activelab.advice import advise as advice_of
    from activelab.simulation import make_model
    from activelab.strategies import split_strategies
    from activelab.tables import to_arrow

    if features is None and not pred_probs:
        raise InputError("give --features, --pred-probs, or both.")
    answers, reading = kind_of(kind, scale, reading)
    request = reading.request(labels, pred_probs)
    answers, shown = kind_in(request.labels, answers, kind, scale, reading)
    request.notes.extend(shown)
    if class_price is not None and answers.name != "multilabel":
        raise InputError("--class-price goes with --kind multilabel.")
    features = None if features is None else source(features)
    output = target(output, format_, (*request.files, *(() if features is None else (str(features),))))
    classifier = make_model(model)
    pool: Any
    models: Any
    with working("Reading the files"):
        if answers.name == "multilabel":
            pool, models, _ = read_sets(request)
        else:
            pool, models = read_inputs(request)
        pool, X = with_features(pool, features, reading.example_column, bool(models))
    checked = answers.check(pool)
    with progress_bar() as show:
        advice = advice_of(
            pool,
            (np.stack(models) if answers.name == "multilabel" else models) if models else None,
            kind=answers,
            loss=loss,
            class_price=class_price,
            X=X,
            model=classifier,
            strategies=split_strategies(";".join(strategy)) if strategy else None,
            next_labels=next_labels,
            label_price=label_price,
            error_cost=error_cost,
            trials=trials,
            seed=seed,
            progress=show,
        )
    rows = [asdict(one) for one in advice.strategies]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    best, next_buy = advice.strategies[0], asdict(advice.forecast) if advice.forecast else {}
    summary: dict[str, Any] = {
        "best_strategy": best.strategy,
        "best_labels_per_example": advice.labels_per_example,
        "labels_per_example": [asdict(one) for one in advice.depths],
        "budget": advice.budget,
        **{f"next_{name}": value for name, value in next_buy.items()},
        "measure": advice.measure,
        "trials": trials,
        "notes": (*request.notes, *checked, *advice.notes),
    }
    if as_json:
        summary["strategies"] = rows
    deliver(to_arrow(columns), summary, output=output, as_json=as_json, absent="not estimable")
