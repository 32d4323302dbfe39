"""``activelab suggest``: what to label next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activelab._errors import InputError
from activelab.cli._inputs import Request, class_names, read_inputs
from activelab.cli._large import SEPARATOR, bar, is_large, print_plan, require_scale, summary_of
from activelab.cli._options import (
    Address,
    AnnotatorColumn,
    Classes,
    EngineOption,
    ExampleColumn,
    Examples,
    Explain,
    From,
    Json,
    Keep,
    KeepOption,
    LabelColumn,
    ManyLabelsFiles,
    ManyPredProbsFiles,
    Memory,
    Output,
    Question,
    Seed,
    UnmatchedOption,
    WorkDir,
    Workers,
)
from activelab.cli._output import deliver, working

if TYPE_CHECKING:
    from activelab._typing import Ids, Models
    from activelab.acquisition import Assessment
    from activelab.assignment import AssignmentRule
    from activelab.labels import Labels
    from activelab.selection import Batch


def _methods() -> list[str]:
    from activelab.acquisition import methods

    return methods()


def suggest(
    labels: ManyLabelsFiles,
    pred_probs: ManyPredProbsFiles,
    batch_size: Annotated[int, typer.Option("--batch-size", "-n", help="Number of examples.")] = 100,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="recommended, activelab (the paper's), random, good_random, relabel_random, entropy, "
            "uncertainty, active_label_cleaning or disagreement.",
            autocompletion=_methods,
        ),
    ] = "activelab",
    batching: Annotated[
        str,
        typer.Option(help="top: the lowest scores; diverse: some between each two classes; stochastic."),
    ] = "top",
    assignment: Annotated[
        str | None,
        typer.Option(
            help="Also say who should label each: thompson (by accuracy and price), round_robin or random.",
            show_default=False,
        ),
    ] = None,
    max_share: Annotated[float, typer.Option(help="Share of the batch one annotator gets at most.")] = 1.0,
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
    classes: Classes = None,
    examples: Examples = None,
    example_column: ExampleColumn = None,
    annotator_column: AnnotatorColumn = None,
    label_column: LabelColumn = None,
    keep: KeepOption = Keep.error,
    from_: From = None,
    question: Question = None,
    seed: Seed = 0,
    as_json: Json = False,
    output: Output = None,
    unmatched: UnmatchedOption = None,
    engine: EngineOption = None,
    address: Address = None,
    workers: Workers = None,
    memory: Memory = None,
    work_dir: WorkDir = None,
    explain: Explain = False,
) -> None:
    """What to label next: new examples, and labelled ones that deserve another opinion, best first.

    Examples that only PROBS or --examples name are the unlabelled part of the pool.

    \b
    Examples:
      activelab suggest labels.csv --pred-probs probs.csv -o batch.csv
      activelab suggest labels.csv -p model_a.parquet -p model_b.parquet --batch-size 500 -o batch.csv
      activelab suggest labels.csv -p probs.npy --examples ids.txt --classes cat,dog,fox
      activelab suggest labels.csv -p probs.npz:resnet --method entropy --json -o batch.jsonl
      activelab suggest 'labels/*.parquet' -p s3://bucket/probs/ --memory 4GB -n 100000 -o batch.parquet

    Several files, patterns, folders, URLs and the options of large pools read Parquet in parts that fit
    the memory, on one machine or a cluster; the batch is the same.

    The table has the columns example, score, kind (new or relabel), num_labels, consensus_label, quality
    and predicted_label, and with --assignment annotator.
    """
    from activelab.acquisition import get_method
    from activelab.assignment import get_rule
    from activelab.selection import assess_and_suggest
    from activelab.tables import check_output

    models = [one.split(SEPARATOR) for one in pred_probs]
    large = {
        "unmatched": unmatched,
        "engine": engine,
        "address": address,
        "workers": workers,
        "memory": memory,
        "work_dir": work_dir,
    }
    chosen = get_method(method)
    rule = None if assignment is None else get_rule(assignment)
    if prices is not None and assignment != "thompson":
        raise InputError("--prices go with --assignment thompson.")
    if is_large(labels, models, [*large.values(), explain]) and (
        rule is not None or skip_settled or batching != "top"
    ):
        raise InputError("--assignment, --skip-settled and --batching are for pools that fit the memory.")
    if is_large(labels, models, [*large.values(), explain]):
        columns = {
            "example_column": example_column,
            "annotator_column": annotator_column,
            "label_column": label_column,
            "classes": None if classes is None else class_names(classes),
        }
        given = {name: value for name, value in large.items() if value is not None}
        if examples is not None:
            raise InputError("--examples is for arrays; a pool in several files lists its examples itself.")
        if explain:
            asked = {name: given[name] for name in ("workers", "memory") if name in given}
            print_plan(require_scale().plan(labels, models, **columns, **asked), as_json)
            return
        if output is not None:
            check_output(output, tuple(labels + [name for names in models for name in names]))
        with bar() as shown:
            found = require_scale().suggest(
                labels,
                models,
                batch_size,
                chosen,
                **columns,
                **given,
                keep=keep.value,
                seed=seed,
                progress=shown.advance,
                planned=shown.planned,
            )
        summary = {"method": method, **summary_of(found)}
        deliver(_table(found.batch.to_dict()), summary, output=output, as_json=as_json)
        return
    request = Request(
        Path(labels[0]),
        [Path(names[0]) for names in models],
        classes,
        examples,
        example_column,
        annotator_column,
        label_column,
        keep,
        from_,
        question,
    )
    if output is not None:
        check_output(output, request.files)
    with working("Reading the files"):
        pool, arrays = read_inputs(request)
    with working("Scoring the pool"):
        pool, assessment, batch = assess_and_suggest(
            pool, arrays, batch_size, chosen, seed=seed, batching=batching, skip_settled=skip_settled
        )
    relabel = int((batch.kind == "relabel").sum())
    summary = {
        "method": method,
        "batch_size": len(batch),
        "new": len(batch) - relabel,
        "relabel": relabel,
        "pool": pool.n_examples,
        "labelled": int(pool.labelled.sum()),
        "n_labels": pool.n_labels,
        "annotators": pool.n_annotators,
        "classes": pool.n_classes,
        "n_models": len(arrays),
        "temperature": assessment.temperature,
        "model_weight": assessment.model_weight,
        "notes": [*request.notes, *assessment.notes],
    }
    found_columns = batch.to_dict()
    if rule is not None:
        found_columns["annotator"] = _who(pool, arrays, batch, assessment, rule, prices, max_share, seed)
    deliver(_table(found_columns), summary, output=output, as_json=as_json)


def _table(columns: dict[str, Any]) -> Any:
    """A batch as a table; a column without a consensus has the type of the predictions."""
    from activelab.tables import to_arrow

    table = to_arrow(columns)
    return to_arrow(columns, {"consensus_label": table["predicted_label"].type})


def _who(
    labels: Labels,
    models: Models,
    batch: Batch,
    assessment: Assessment,
    rule: AssignmentRule,
    prices: Path | None,
    max_share: float,
    seed: int,
) -> Ids:
    """Who should label each example of the batch; None where everybody has."""
    import numpy as np

    from activelab.assignment import Thompson, assign

    if prices is not None:
        rule = Thompson(_prices(prices, labels))
    position = {one: row for row, one in enumerate(labels.examples.tolist())}
    rows = np.array([position[one] for one in batch], dtype=np.int64)
    chosen = assign(
        labels, rows, rule, pred_probs=models, ability=assessment.ability, max_share=max_share, seed=seed
    )
    names = np.full(len(rows), None, dtype=object)
    names[chosen >= 0] = labels.annotators[chosen[chosen >= 0]]
    return names


def _prices(path: Path, labels: Labels) -> list[float]:
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
    return [given[str(one)] for one in labels.annotators.tolist()]
