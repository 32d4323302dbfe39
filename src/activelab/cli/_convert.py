"""``activelab convert``: labels from the file of one tool into that of another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activelab.cli._inputs import class_names, listed_words
from activelab.cli._options import (
    AnnotatorColumn,
    ExampleColumn,
    Fold,
    Json,
    LabelColumn,
    Missing,
    Question,
    Several,
)
from activelab.cli._output import say, tell, working
from activelab.cli._streams import source, target

if TYPE_CHECKING:
    from activelab.formats import Conversion

_NAMED = 5


def format_names() -> list[str]:
    from activelab.formats import FORMATS

    return list(FORMATS)


def convert(
    given: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="File of labels; - is standard input.", readable=False, show_default=False
        ),
    ],
    wanted: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="File to write; - is standard output.", readable=False, show_default=False
        ),
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="Format of OUT.", autocompletion=format_names)
    ] = "long",
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="Format of IN.",
            autocompletion=format_names,
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
    several: Several = False,
    fold: Fold = False,
    tag: Annotated[
        str | None,
        typer.Option(
            metavar="TAG",
            help="With --to label-studio, the tag that labels are answers to: choices, rating or taxonomy.",
            show_default="choices",
        ),
    ] = None,
    rejected: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="List the rows that are wrong there.", readable=False),
    ] = None,
    as_json: Json = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="ENDING",
            help="Ending that a file like OUT would have, for standard output: csv, jsonl, zip, …",
            show_default="the first of --to",
        ),
    ] = None,
) -> None:
    """Write the labels of a file in the format of another tool, and account for every row.

    Formats: long (crowd-kit), wide (cleanlab), label-studio, label-studio-min, label-studio-csv, prodigy,
    argilla, mturk, toloka, ground-truth, ground-truth-manifest, doccano, potato.

    \b
    Examples:
      activelab convert export.json labels.csv
      activelab convert Batch_123.csv tasks.json --to label-studio --question sentiment
      activelab convert labels.csv matrix.csv --to wide --classes bug,question,praise
      activelab convert export.json records.jsonl --to argilla --several
      activelab convert stars.csv tasks.json --to label-studio --tag rating
      activelab convert answers.zip labels.parquet --from doccano --rejected bad_rows.csv

    Of several labels of one annotator on an example the latest is kept. In CSV, texts that a spreadsheet
    would run as formulas begin with an apostrophe, which is taken off again at reading.
    """
    from activelab.formats import convert_file, get_format, summary_of

    given, formats = source(given), [ending[1:] for ending in get_format(to).endings]
    out = target(wanted, format_, formats=formats)
    assert out is not None
    rejected = target(rejected, inputs=(str(given), str(out)))
    with working("Converting"):
        done = convert_file(
            given,
            out,
            to,
            from_=from_,
            question=question,
            classes=() if classes is None else class_names(classes),
            columns={"example": example_column, "annotator": annotator_column, "label": label_column},
            missing=listed_words(missing),
            several=several,
            fold=fold,
            tag=tag,
        )
    if rejected is not None:
        _list(rejected, done)
    dropped = sum(done.dropped.values())
    words = [
        f"{given} ({done.source}): {done.read:,} read, {dropped:,} dropped, {done.kept:,} kept in {out} "
        f"({done.target}).",
        *(f"dropped {number:,}: {why}" for why, number in done.dropped.most_common()),
    ]
    say("\n".join(words), summary_of(done) | {"output": str(out)}, as_json)
    if as_json:
        return
    for line, why in done.rejected[:_NAMED]:
        typer.echo(f"rejected: entry {line:,}: {why}", err=True)
    if len(done.rejected) > _NAMED and rejected is None:
        typer.echo(f"and {len(done.rejected) - _NAMED:,} more; --rejected FILE lists them.", err=True)
    tell(done.notes)


def _list(path: Path, done: Conversion) -> None:
    import pyarrow as pa

    from activelab.tables import format_of, without_formulas, write_table

    lines, reasons = zip(*done.rejected, strict=True) if done.rejected else ((), ())
    table = pa.table({"entry": pa.array(lines, pa.int64()), "reason": pa.array(reasons, pa.string())})
    write_table(path, without_formulas(table) if format_of(path).kind == "csv" else table)
