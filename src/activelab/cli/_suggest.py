"""``activelab suggest``: what to label next."""

from __future__ import annotations

from typing import Annotated

import typer

from activelab.cli._inputs import Request, read_inputs
from activelab.cli._options import (
    AnnotatorColumn,
    Classes,
    ExampleColumn,
    Examples,
    From,
    Json,
    Keep,
    KeepOption,
    LabelColumn,
    LabelsFile,
    Output,
    PredProbsFiles,
    Question,
    Seed,
)
from activelab.cli._output import deliver, working


def _methods() -> list[str]:
    from activelab.acquisition import methods

    return methods()


def suggest(
    labels: LabelsFile,
    pred_probs: PredProbsFiles,
    batch_size: Annotated[int, typer.Option("--batch-size", "-n", help="Number of examples.")] = 100,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="activelab, random, good_random, relabel_random, entropy, uncertainty, "
            "active_label_cleaning or disagreement.",
            autocompletion=_methods,
        ),
    ] = "activelab",
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
) -> None:
    """What to label next: new examples, and labelled ones that deserve another opinion, best first.

    Examples that only PROBS or --examples name are the unlabelled part of the pool.

    \b
    Examples:
      activelab suggest labels.csv --pred-probs probs.csv -o batch.csv
      activelab suggest labels.csv -p model_a.parquet -p model_b.parquet --batch-size 500 -o batch.csv
      activelab suggest labels.csv -p probs.npy --examples ids.txt --classes cat,dog,fox
      activelab suggest labels.csv -p probs.npz:resnet --method entropy --json -o batch.jsonl

    The table has the columns example, score, kind (new or relabel), num_labels, consensus_label, quality
    and predicted_label.
    """
    from activelab.acquisition import get_method
    from activelab.selection import assess_and_suggest
    from activelab.tables import check_output, to_arrow

    request = Request(
        labels,
        pred_probs,
        classes,
        examples,
        example_column,
        annotator_column,
        label_column,
        keep,
        from_,
        question,
    )
    chosen = get_method(method)
    if output is not None:
        check_output(output, request.files)
    with working("Reading the files"):
        pool, models = read_inputs(request)
    with working("Scoring the pool"):
        pool, assessment, batch = assess_and_suggest(pool, models, batch_size, chosen, seed=seed)
    columns = batch.to_dict()
    table = to_arrow(columns)
    table = to_arrow(columns, {"consensus_label": table["predicted_label"].type})
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
        "n_models": len(models),
        "temperature": assessment.temperature,
        "model_weight": assessment.model_weight,
        "notes": [*request.notes, *assessment.notes],
    }
    deliver(table, summary, output=output, as_json=as_json)
