"""``activelab suggest``: what to label next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab._errors import InputError
from activelab.cli._inputs import Request, read_inputs, with_features
from activelab.cli._kind import Ask, ClassPrice, KindOption, LossOption, Scale, kind_in, kind_of
from activelab.cli._large import Large, bar, check_readable_in_parts, files_of, require_scale, summary_of
from activelab.cli._multilabel import questions, questions_in_parts
from activelab.cli._options import (
    Features,
    Json,
    ManyLabelsFiles,
    OptionalManyPredProbsFiles,
    Output,
    Seed,
    TableFormat,
)
from activelab.cli._output import deliver, working
from activelab.cli._reading import Reading, reads_files
from activelab.cli._streams import source, target

if TYPE_CHECKING:
    from activelab._typing import Ids
    from activelab.kinds import Kind
    from activelab.labels import Labels
    from activelab.planning import Plan
    from activelab.strategies import Strategy


def _methods() -> list[str]:
    from activelab.strategies import strategies

    return strategies()


@reads_files
def suggest(
    labels: ManyLabelsFiles,
    pred_probs: OptionalManyPredProbsFiles = None,
    features: Features = None,
    model: Annotated[
        str, typer.Option(help="Classifier for --features, as in simulate.")
    ] = "logistic-regression",
    batch_size: Annotated[int, typer.Option("--batch-size", "-n", help="Number of examples.")] = 100,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            "-m",
            show_default="recommended with --features, else activelab; expected_loss with --kind ordinal",
            help="recommended (without --features the same as frugal), activelab (the paper's), frugal, "
            "random, good_random, relabel_random, entropy, uncertainty, active_label_cleaning, "
            "disagreement, expected_loss, or module:attribute of one of your own.",
            autocompletion=_methods,
        ),
    ] = None,
    batching: Annotated[
        str | None,
        typer.Option(
            help="top: the lowest scores (the default); diverse: some between each two classes; stochastic.",
            show_default=False,
        ),
    ] = None,
    assignment: Annotated[
        str | None,
        typer.Option(
            help="Also say who should label each: thompson (by accuracy and price), round_robin or random.",
            show_default=False,
        ),
    ] = None,
    max_share: Annotated[
        float | None,
        typer.Option(help="Share of the batch one annotator gets at most; all of it.", show_default=False),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Price of a label of each annotator, for thompson: a table with columns annotator, price.",
            show_default=False,
            readable=False,
        ),
    ] = None,
    skip_settled: Annotated[
        bool,
        typer.Option(
            "--skip-settled", help="Leave out examples that are settled, or that nobody can settle."
        ),
    ] = False,
    kind: KindOption = None,
    scale: Scale = None,
    loss: LossOption = None,
    ask: Ask = "either",
    class_price: ClassPrice = None,
    reading: Reading = Reading(),  # noqa: B008
    seed: Seed = 0,
    as_json: Json = False,
    output: Output = None,
    format_: TableFormat = None,
    large: Large = Large(),  # noqa: B008
) -> None:
    """What to label next: new examples, and labelled ones that deserve another opinion, best first.

    Give the predictions of a model of your own, or features, on which classifiers are trained. Examples that
    only PROBS, FEATURES or --examples name are the unlabelled part of the pool.

    \b
    Examples:
      activelab suggest labels.csv --pred-probs probs.csv -o batch.csv
      activelab suggest labels.csv -p model_a.parquet -p model_b.parquet --batch-size 500 -o batch.csv
      activelab suggest labels.csv -p probs.npy --examples ids.txt --classes cat,dog,fox
      activelab suggest labels.csv --features features.csv -o batch.csv
      activelab suggest ratings.csv -p probs.csv --scale 1,2,3,4,5 -o batch.csv
      activelab suggest topics.csv -p probs.csv --kind multilabel --class-price 0.3 -o questions.csv
      activelab suggest topics.csv --features features.csv --kind multilabel --loss f1 -o questions.csv
      activelab suggest labels.csv -p probs.npz:resnet --method entropy --json -o batch.jsonl
      activelab suggest 'labels/*.parquet' -p s3://bucket/probs/ --memory 4GB -n 100000 -o batch.parquet

    Several files, patterns, folders, URLs and the options of large pools read Parquet in parts that fit
    the memory, on one machine or a cluster; the batch is the same.

    The table has the columns example, score, kind (new or relabel), num_labels, consensus_label, quality
    and predicted_label, and with --assignment annotator. Of sets: example, class (empty where the whole set
    is asked for), worth, price, probability (that the class applies) and num_labels.
    """
    from activelab.strategies import Strategy

    answers, reading = kind_of(kind, scale, reading)
    labels, shown = [source(one) for one in labels], list[str]()
    if len(labels) == 1:
        answers, shown = kind_in(Path(labels[0]), answers, kind, scale, reading)
    if answers.name != "multilabel":
        if ask != "either" or class_price is not None:
            raise InputError("--ask and --class-price go with --kind multilabel.")
        if (features is None) == (not pred_probs):
            raise InputError("give either --pred-probs or --features.")
    if loss is not None and answers.name == "single":
        raise InputError("--loss goes with --kind ordinal and --kind multilabel.")
    models = files_of(pred_probs)
    features = None if features is None else source(features)
    prices = None if prices is None else source(prices)
    method = method or (answers.strategy if features is None else answers.with_features)
    strategy = Strategy.of(
        method,
        decides=answers.decides,
        batching=batching,
        assignment=assignment,
        max_share=max_share,
        skip_settled=skip_settled or None,
        loss=answers.loss(loss) if loss else None,
        ask=None if ask == "either" else ask,
    )
    if answers.name == "multilabel":
        if max_share is not None or prices is not None or (features is not None and pred_probs):
            raise InputError(
                "--kind multilabel takes --pred-probs or --features, --model, --batch-size, --method, "
                "--loss, --ask, --class-price and options that say how files are read."
            )
        strategy.check_sets()
        if large.asked(labels, models):
            if not models:
                raise InputError("a pool in several files needs --pred-probs, which list its examples.")
            if features is not None or loss or method != answers.strategy:
                raise InputError("--features, --method and --loss of sets are for pools that fit memory.")
            check_readable_in_parts(reading)
            if large.explain:
                large.print_plan(labels, models, reading, as_json, several=True)
                return
            output = target(output, format_, [*labels, *(name for names in models for name in names)])
            how = large.how(reading, seed)
            table, summary = questions_in_parts(labels, models, batch_size, ask, class_price, **how)
        else:
            request = reading.request(Path(labels[0]), [Path(names[0]) for names in models])
            request.notes.extend(shown)
            trained = None if features is None else (features, model)
            output = target(output, format_, (*request.files, *([] if features is None else [str(features)])))
            table, summary = questions(request, batch_size, strategy, class_price, seed, trained)
        deliver(table, summary, output=output, as_json=as_json)
        return
    if prices is not None and strategy.assignment != "thompson":
        raise InputError("--prices go with --assignment thompson.")
    others = [str(one) for one in (features, prices, reading.examples) if one is not None]
    output = target(output, format_, [*labels, *(name for names in models for name in names), *others])
    if large.asked(labels, models):
        if strategy.batching != "top" or prices is not None:
            raise InputError("--batching and --prices are for pools that fit the memory.")
        if features is not None:
            raise InputError(
                "--features are for pools that fit the memory. Train a classifier on them, and give its "
                "out-of-sample probabilities with --pred-probs."
            )
        check_readable_in_parts(reading)
        if large.explain:
            large.print_plan(labels, models, reading, as_json, method=strategy)
            return
        how = large.how(reading, seed)
        batch, summary = _in_parts(labels, models, batch_size, strategy, answers, **how)
    else:
        request = reading.request(Path(labels[0]), [Path(names[0]) for names in models])
        classifier = (features, model) if features is not None else None
        batch, summary = _in_memory(request, answers, strategy, batch_size, prices, seed, classifier)
    deliver(_table(batch), {"method": method, **summary}, output=output, as_json=as_json)


def _in_parts(
    labels: list[str],
    models: list[list[str]],
    batch_size: int,
    strategy: Strategy,
    kind: Kind,
    **how: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Columns and summary of the batch of a pool that is read in parts."""
    from activelab.labels import Labels

    with bar() as shown:
        found = require_scale().suggest(
            labels, models, batch_size, strategy, progress=shown.advance, planned=shown.planned, **how
        )
    checked: tuple[str, ...] = ()
    if kind.name == "ordinal":
        points = Labels([], [], [], examples=0, annotators=0, classes=found.classes)
        checked = kind.check(points)
    columns = found.batch.to_dict()
    if found.annotator is not None:
        columns["annotator"] = found.annotator
    summary = {**summary_of(found), "notes": (*checked, *found.notes, *_without_helpers(strategy))}
    if found.n_settled is not None:
        summary |= {"settled": found.n_settled, "ambiguous": found.n_ambiguous}
    return columns, summary


def _in_memory(
    request: Request,
    kind: Kind,
    strategy: Strategy,
    batch_size: int,
    prices: Path | None,
    seed: int,
    classifier: tuple[Path, str] | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Columns and summary of the batch of a pool that fits the memory.

    ``classifier`` are the features of the examples, and the name of what is trained on them.
    """
    from dataclasses import replace

    with working("Reading the files"):
        pool, models = read_inputs(request)
        if classifier is not None:
            pool, X = with_features(pool, classifier[0], request.example_column, False)
    checked = kind.check(pool)
    if prices is not None:
        strategy = replace(strategy, prices=_prices(prices, pool))
    if classifier is None:
        with working("Scoring the pool"):
            plan, notes = _scored(pool, models, strategy, batch_size, seed)
    else:
        with working("Training"):
            plan, notes = _trained(pool, X, classifier[1], strategy, batch_size, seed)
    columns = plan.batch.to_dict()
    if plan.annotator is not None:
        columns["annotator"] = _who(plan)
    relabel = int((columns["kind"] == "relabel").sum())
    summary = {
        "batch_size": len(plan.positions),
        "new": len(plan.positions) - relabel,
        "relabel": relabel,
        "pool": pool.n_examples,
        "labelled": int(pool.labelled.sum()),
        "n_labels": pool.n_labels,
        "annotators": pool.n_annotators,
        "classes": pool.n_classes,
        "n_models": len(plan.models),
        "temperature": plan.assessment.temperature,
        "model_weight": plan.assessment.model_weight,
        "notes": [*request.notes, *checked, *notes],
    }
    if plan.states is not None:
        summary |= {"settled": plan.n_settled, "ambiguous": plan.n_ambiguous}
    return columns, summary


def _scored(
    pool: Labels, models: Any, strategy: Strategy, batch_size: int, seed: int
) -> tuple[Plan, Sequence[str]]:
    """The round of given predictions, and its notes."""
    from activelab.planning import plan_round

    plan = plan_round(pool, models, strategy, batch_size, seed=seed, batch_only=True)
    return plan, (*plan.notes, *_without_helpers(strategy))


def _without_helpers(strategy: Strategy) -> tuple[str, ...]:
    alone = "helpers need --features; predictions alone are scored as by frugal."
    return (alone,) if strategy.helpers else ()


def _trained(
    pool: Labels, X: Any, model: str, strategy: Strategy, batch_size: int, seed: int
) -> tuple[Plan, Sequence[str]]:
    """The round of classifiers trained on features, and its notes."""
    from activelab.learner import ActiveLearner
    from activelab.simulation import make_model

    learner = ActiveLearner(make_model(model), strategy, seed=seed)
    learner.ask(X, pool, batch_size)
    return learner.round_.plan, learner.round_.notes


def _table(columns: dict[str, Any]) -> Any:
    """A batch as a table; a column without a consensus has the type of the predictions."""
    from activelab.tables import to_arrow

    table = to_arrow(columns)
    return to_arrow(columns, {"consensus_label": table["predicted_label"].type})


def _who(plan: Plan) -> Ids:
    """Who should label each example of the batch; None where everybody has."""
    import numpy as np

    codes = plan.annotator
    assert codes is not None
    names: Ids = np.full(len(codes), None, dtype=object)
    names[codes >= 0] = plan.labels.annotators[codes[codes >= 0]]
    return names


def _prices(path: Path, labels: Labels) -> dict[str, float]:
    """The price of every annotator of the labels."""
    from activelab.tables import naming, read_ids

    table = read_ids(path, {"annotator": None, "price": None})
    with naming(path):
        names, values = table["annotator"].to_pylist(), table["price"].to_pylist()
        try:
            given = {str(name): float(value) for name, value in zip(names, values, strict=True)}
        except (TypeError, ValueError):
            raise InputError("the column price must hold numbers.") from None
        absent = [one for one in labels.annotators.tolist() if str(one) not in given]
        if absent:
            raise InputError(f"has no price of {len(absent):,} annotators, first {absent[0]!r}.")
    return given
