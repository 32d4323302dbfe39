"""The options that say what kind of answers the labels are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activelab._errors import InputError
from activelab.cli._reading import Reading

if TYPE_CHECKING:
    from activelab.kinds import Kind


def _kinds() -> list[str]:
    from activelab.kinds import KINDS

    return KINDS.names()


KindOption = Annotated[
    str | None,
    typer.Option(
        "--kind",
        help="Kind of answers: single, one of several classes; ordinal, a point of a scale, on which near "
        "misses cost less; multilabel, several classes at once, with a | between them.",
        show_default="single",
        autocompletion=_kinds,
    ),
]
Scale = Annotated[
    str | None,
    typer.Option(
        metavar="LIST|FILE",
        help="Every point of the scale in its order, used or not, as in --classes; implies --kind ordinal.",
        show_default=False,
    ),
]
LossOption = Annotated[
    str | None,
    typer.Option(
        "--loss",
        help="What a wrong label costs. With --kind ordinal: absolute, its distance from the truth; "
        "quadratic, the square; zero_one, the same whatever the distance. With --kind multilabel: hamming, "
        "the same for each wrong class; f1, what is lost of each class's F1.",
        show_default="absolute; hamming",
    ),
]


Ask = Annotated[
    str,
    typer.Option(
        help="With --kind multilabel, whether to ask for whole sets (examples), about one class of an "
        "example (classes), or what buys more for its price (either).",
    ),
]
ClassPrice = Annotated[
    float | None,
    typer.Option(
        help="Price of a question about one class, where a whole set costs 1.",
        show_default="1 / number of classes",
    ),
]


def kind_of(name: str | None, scale: str | None, reading: Reading) -> tuple[Kind, Reading]:
    """The kind that is asked for, and how files are read with the points of its scale as classes.

    Raises
    ------
    InputError
        If there is no such kind, or options contradict one another.
    """
    from activelab.kinds import KINDS

    kind = KINDS.get(name or ("single" if scale is None else "ordinal"))
    if scale is None:
        return kind, reading
    if kind.name != "ordinal":
        raise InputError(f"--scale goes with --kind ordinal, not {kind.name}.")
    if reading.classes is not None:
        raise InputError("--scale lists the classes: leave out --classes.")
    return kind, replace(reading, classes=scale)


def kind_in(
    path: Path, kind: Kind, name: str | None, scale: str | None, reading: Reading
) -> tuple[Kind, list[str]]:
    """The kind that the labels of a file show, where none is asked for, and a note that says so."""
    from activelab.formats import shows_sets
    from activelab.kinds import KINDS

    if name is not None or scale is not None or not path.is_file():
        return kind, []
    columns = {
        "example": reading.example_column,
        "annotator": reading.annotator_column,
        "label": reading.label_column,
    }
    try:
        note = shows_sets(path, reading.from_, columns)
    except InputError:
        return kind, []  # it is told when the file is read
    return (kind, []) if note is None else (KINDS.get("multilabel"), [note])
