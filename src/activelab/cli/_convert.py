"""``activelab convert``: labels from the file of one tool into that of another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activelab.cli._inputs import class_names, missing_words
from activelab.cli._options import AnnotatorColumn, ExampleColumn, Fold, Json, LabelColumn, Missing, Question
from activelab.cli._output import working

if TYPE_CHECKING:
    from activelab.formats import Conversion

_NAMED = 5


def _formats() -> list[str]:
    from activelab.formats import FORMATS

    return list(FORMATS)


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="File of labels.", readable=False, show_default=False)
    ],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="File to write.", readable=False, show_default=False)
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="Format of OUT.", autocompletion=_formats)
    ] = "long",
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="Format of IN.",
            autocompletion=_formats,
            show_default="recognised by content",
        ),
    ] = None,
    question: Question = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST|FILE",
            help="The classes in order: a wide matrix then holds their numbers, 0 to K-1.",
            show_default=False,
        ),
    ] = None,
    example_column: ExampleColumn = None,
    annotator_column: AnnotatorColumn = None,
    label_column: LabelColumn = None,
    missing: Missing = None,
    fold: Fold = False,
    rejected: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="List the rows that are wrong there.", readable=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the labels of a file in the format of another tool, and account for every row.

    Formats: long (crowd-kit), wide (cleanlab), label-studio, label-studio-min, label-studio-csv, prodigy,
    argilla, mturk, toloka, ground-truth, ground-truth-manifest, doccano, potato.

    \b
    Examples:
      activelab convert export.json labels.csv
      activelab convert Batch_123.csv tasks.json --to label-studio --question sentiment
      activelab convert labels.csv matrix.csv --to wide --classes bug,question,praise
      activelab convert answers.zip labels.parquet --from doccano --rejected bad_rows.csv

    Of several labels of one annotator on an example the latest is kept. In CSV, texts that a spreadsheet
    would run as formulas begin with an apostrophe, which is taken off again at reading.
    """
    from activelab.formats import convert_file, summary_of
    from activelab.tables import check_output

    if rejected is not None:
        check_output(rejected, (str(source), str(target)))
    with working("Converting"):
        done = convert_file(
            source,
            target,
            to,
            from_=from_,
            question=question,
            classes=() if classes is None else class_names(classes),
            columns={"example": example_column, "annotator": annotator_column, "label": label_column},
            missing=missing_words(missing),
            fold=fold,
        )
    if rejected is not None:
        _list(rejected, done)
    if as_json:
        typer.echo(json.dumps(summary_of(done) | {"output": str(target)}, ensure_ascii=False))
        return
    dropped = sum(done.dropped.values())
    typer.echo(
        f"{source} ({done.source}): {done.read:,} read, {dropped:,} dropped, {done.kept:,} kept in {target} "
        f"({done.target})."
    )
    for why, number in done.dropped.most_common():
        typer.echo(f"dropped {number:,}: {why}")
    for line, why in done.rejected[:_NAMED]:
        typer.echo(f"rejected: entry {line:,}: {why}", err=True)
    if len(done.rejected) > _NAMED and rejected is None:
        typer.echo(f"and {len(done.rejected) - _NAMED:,} more; --rejected FILE lists them.", err=True)
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)


def _list(path: Path, done: Conversion) -> None:
    import pyarrow as pa

    from activelab.tables import format_of, without_formulas, write_table

    lines, reasons = zip(*done.rejected, strict=True) if done.rejected else ((), ())
    table = pa.table({"entry": pa.array(lines, pa.int64()), "reason": pa.array(reasons, pa.string())})
    write_table(path, without_formulas(table) if format_of(path).kind == "csv" else table)
