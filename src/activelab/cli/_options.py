"""Arguments and options that several commands share.

Paths are not checked here (``readable=False``): what reads them words the error.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

LabelsFile = Annotated[
    Path,
    typer.Argument(
        metavar="LABELS",
        help="Table with one row a label: example, annotator, label. CSV, TSV, Parquet or JSON lines by "
        "ending (.csv .tsv .parquet .jsonl, text also .gz). Files of other tools are recognised; - is "
        "standard input.",
        show_default=False,
        readable=False,
    ),
]

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FORMAT",
        help="Format of LABELS, if it is not recognised; see `activelab convert --help`.",
        show_default=False,
    ),
]
Question = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which question is meant, where a file of another tool holds several.",
        show_default=False,
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORD",
        help="A label that stands for none, such as NA or -1; a,b for several. Empty cells always are.",
        show_default=False,
    ),
]
Several = Annotated[
    bool,
    typer.Option(
        "--several",
        help="Answers may hold several labels: read them as sets, a|b, and those without any as |.",
    ),
]
Abstain = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORD",
        help='A label that stands for "I cannot tell", such as unsure; a,b for several. It is no class: that '
        "people could not tell says that an example is hard.",
        show_default=False,
    ),
]
Confidence = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Column that says how sure each label was, on any scale: sure labels count for more, as far as "
        "they are right more often.",
        show_default=False,
    ),
]
Fold = Annotated[
    bool,
    typer.Option("--fold", help="Merge classes that differ only in blanks, case or Unicode's normal form."),
]

_PRED_PROBS = (
    "Predicted class probabilities, out-of-sample: a table with the example and a column for each class, "
    "or .npy, .npz or PROBS.npz:KEY of shape (n, K) with rows in the order of --examples. Repeat for an "
    "ensemble."
)
ManyLabelsFiles = Annotated[
    list[str],
    typer.Argument(
        metavar="LABELS...",
        help="Table with one row a label: example, annotator, label. CSV, TSV, Parquet or JSON lines by "
        "ending (.csv .tsv .parquet .jsonl, text also .gz); or Parquet files, patterns, folders, URLs.",
        show_default=False,
    ),
]
OptionalPredProbsFiles = Annotated[
    list[Path] | None,
    typer.Option("--pred-probs", "-p", metavar="PROBS", help=_PRED_PROBS, show_default=False, readable=False),
]
OptionalManyPredProbsFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--pred-probs",
        "-p",
        metavar="PROBS",
        help=f"{_PRED_PROBS} Or Parquet files, a pattern, a folder or a URL, also with one column of lists.",
        show_default=False,
    ),
]
Features = Annotated[
    Path | None,
    typer.Option(
        "--features",
        "-x",
        metavar="FEATURES",
        help="Features of the examples: a table with the example and a column of numbers for each, or .npy "
        "with rows in the order of --examples. Classifiers are then trained on the labels.",
        show_default=False,
        readable=False,
    ),
]
Classes = Annotated[
    str | None,
    typer.Option(
        metavar="LIST|FILE",
        help="Every class, used or not, in the order of the columns of arrays: a,b,c or a text file with "
        "one class a line (@FILE if in doubt).",
        show_default=False,
    ),
]
Examples = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Ids of the whole pool in the order of the rows of arrays: a text file with one id a line, or "
        "a table with a column of examples.",
        show_default=False,
        readable=False,
    ),
]
ExampleColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the examples.", show_default="recognised")
]
AnnotatorColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the annotators.", show_default="recognised")
]
LabelColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the labels.", show_default="recognised")
]


class Keep(StrEnum):
    """What to do when an annotator labelled an example more than once."""

    error = "error"
    first = "first"
    last = "last"


KeepOption = Annotated[
    Keep, typer.Option("--keep", help="Which label counts if an annotator labelled an example repeatedly.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of random draws and of ties.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the table there, by ending; - is standard output. Without it: a summary on a terminal, "
        "CSV in a pipe.",
        show_default=False,
        readable=False,
    ),
]
TableFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Format on standard output: csv, tsv, jsonl or parquet.",
        show_default="csv",
    ),
]


class Unmatched(StrEnum):
    """What to do with labels of examples without probabilities."""

    error = "error"
    drop = "drop"


class Engine(StrEnum):
    """Where the tasks of a large pool run."""

    processes = "processes"
    dask = "dask"
    ray = "ray"


UnmatchedOption = Annotated[
    Unmatched | None,
    typer.Option(
        "--unmatched", help="Large pools: labelled examples without probabilities.", show_default="error"
    ),
]
EngineOption = Annotated[
    Engine | None,
    typer.Option("--engine", help="Large pools: where tasks run.", show_default="processes"),
]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Large pools: a running cluster.", show_default="a local one"),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Large pools: tasks at a time.", show_default="one a core")
]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Large pools: budget of all processes here.", show_default="2GB"),
]
WorkDir = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|URL",
        help="Large pools: keep partitions and results there, so that a stopped run goes on and a new round "
        "computes what changed.",
        show_default="temporary",
    ),
]
Explain = Annotated[bool, typer.Option("--explain", help="Large pools: print the plan, and stop.")]
