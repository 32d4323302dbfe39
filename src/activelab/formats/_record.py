"""What every reader yields and every writer is given."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from activelab.tables import id_text, is_missing, plain_cell

LARGEST_CELL = 1 << 24
"""Characters a field of an example may have."""

EMPTY = "the label is empty"

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Record(NamedTuple):
    """One label of a file, or an example without one.

    Attributes
    ----------
    line : int
        Line of the file, or number of the entry of a JSON array, counted from 1.
    example, annotator, label : str
        Of an example without a label, ``annotator`` and ``label`` are empty.
    content : mapping
        The fields of the example, as plain values.
    time : float or None
        When the label was given, in seconds since 1970.
    left_out : str
        Why this is no label though nothing is wrong with it, as when somebody skipped.
    problem : str
        Why it cannot be used.
    """

    line: int
    example: str = ""
    annotator: str = ""
    label: str = ""
    content: Mapping[str, Any] = NOTHING
    time: float | None = None
    left_out: str = ""
    problem: str = ""


class Vote(NamedTuple):
    """Who said what, and when."""

    annotator: str
    label: str
    time: float | None


class Item(NamedTuple):
    """An example with all its labels, one an annotator."""

    example: str
    content: Mapping[str, Any]
    votes: Sequence[Vote]


@dataclass
class Source:
    """A file to read, and what the user said about it.

    Attributes
    ----------
    path : Path
    question : str or None
        Which of several questions of a file is meant.
    classes : sequence of str
        Names of classes that a file knows by number.
    columns : mapping of str to str
        Columns the user named, by role.
    notes : list of str
        What a reader wants the user to know.
    missing : collection of str
        Words that stand for a missing label.
    several : bool
        Whether an answer may hold several labels: it is then read as a set, a|b.
    """

    path: Path
    question: str | None = None
    classes: Sequence[str] = ()
    columns: Mapping[str, str | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    missing: Collection[str] = ()
    several: bool = False

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)


def record(
    line: int,
    example: Any,
    annotator: Any,
    label: Any,
    content: Mapping[str, Any] = NOTHING,
    time: float | None = None,
    *,
    names: tuple[str, str, str] = ("example", "annotator", "label"),
) -> Record:
    """A label with its parts checked; ``names`` are what the file calls them."""
    parts = [id_text(one) for one in (example, annotator, label)]
    for what, name, value, part in zip(
        ("example", "annotator", "label"), names, (example, annotator, label), parts, strict=True
    ):
        if part is None and what == "label" and is_missing(value):
            return set_aside(line, example, content, EMPTY, names[0])
        if part is None:
            return Record(line, problem=f"{name!r} holds no {what}: {shortened(value)}")
    fields, problem = plain_content(content)
    if problem:
        return Record(line, problem=problem)
    return Record(line, str(parts[0]), str(parts[1]), str(parts[2]), fields, time)


def unlabelled(line: int, example: Any, content: Mapping[str, Any], name: str = "example") -> Record:
    """An example without a label, checked."""
    identity = id_text(example)
    if identity is None:
        return Record(line, problem=f"{name!r} holds no example: {shortened(example)}")
    fields, problem = plain_content(content)
    return Record(line, problem=problem) if problem else Record(line, identity, content=fields)


def set_aside(line: int, example: Any, content: Mapping[str, Any], why: str, name: str = "example") -> Record:
    """An answer that is no label; its example is one nevertheless, that others may label."""
    one = unlabelled(line, example, content, name)
    return one if one.problem else one._replace(left_out=why)


def plain_content(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The fields of an example as plain values, or why they cannot be."""
    if not content:
        return NOTHING, ""
    try:
        fields = {str(key): plain_cell(value) for key, value in content.items()}
    except RecursionError:
        return NOTHING, "its values are nested too deeply"
    for name, value in fields.items():
        if isinstance(value, str) and len(value) > LARGEST_CELL:
            return NOTHING, f"{name!r} is longer than {LARGEST_CELL:,} characters"
    return {name: value for name, value in fields.items() if value is not None}, ""


def shortened(value: Any, width: int = 60) -> str:
    """A value for a message."""
    try:
        text = repr(value)
    except RecursionError:
        return "a value that is nested too deeply"
    return text if len(text) <= width else f"{text[:width]}…"


def seconds_of(text: Any) -> float | None:
    """A point in time in ISO 8601, or as seconds since 1970; None if it is neither."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text) if 0 <= text < 1e11 else None
    try:
        moment = datetime.fromisoformat(str(text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def is_later(one: float | None, other: float | None) -> bool:
    """Whether the first of two labels was given later; without both times the order of the file decides."""
    return one is not None and other is not None and one > other


def moment_of(seconds: float) -> str:
    """Seconds since 1970 in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
