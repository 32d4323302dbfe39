"""Labels of any file as the table the core takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from activelab._errors import InputError
from activelab.formats._convert import read_records
from activelab.formats._detect import detect_format
from activelab.formats._record import NOTHING, Record, is_later
from activelab.tables import integers_if_canonical, read_ids


def read_label_table(
    path: str | os.PathLike[str],
    format_: str | None = None,
    *,
    question: str | None = None,
    classes: Sequence[str] = (),
    columns: Mapping[str, str | None] = NOTHING,
) -> tuple[Any, list[str]]:
    """The labels of a file: a table with columns example, annotator, label; and what to know about it.

    A long table is read as it is, by `activelab.tables.read_ids`. Of any other format the latest label of
    an annotator on an example counts; an entry that is wrong is an error.

    Parameters
    ----------
    path, format_, question, classes, columns
        As in `read_records`.

    Raises
    ------
    InputError
        If the file or an entry of it is bad, or it holds no label; the message names the file.
    """
    named = {role: columns.get(role) for role in ("example", "annotator", "label")}
    format_ = format_ or (None if any(named.values()) else special_format(path))
    if format_ in (None, "long"):
        return read_ids(path, named), []
    notes: list[str] = []
    records = read_records(path, format_, question=question, classes=classes, columns=columns, notes=notes)
    latest, left_out = latest_labels(_refusing(path, records))
    if not latest:
        raise InputError("it holds no label.", file=path)
    if left_out:
        notes.append(f"{path}: {left_out:,} answers are no labels (skipped, rejected or unfinished).")
    texts = zip(*((e, a, label) for (e, a), (label, *_) in latest.items()), strict=True)
    arrays = [integers_if_canonical(pa.chunked_array([pa.array(one, pa.string())])) for one in texts]
    return pa.Table.from_arrays(arrays, names=["example", "annotator", "label"]), notes


def latest_labels(
    records: Iterable[Record],
) -> tuple[dict[tuple[str, str], tuple[str, float | None, int]], int]:
    """By example and annotator the latest label, its time and line; and how many answers are no labels."""
    latest: dict[tuple[str, str], tuple[str, float | None, int]] = {}
    left_out = 0
    for one in records:
        if one.left_out:
            left_out += 1
        elif one.annotator:
            before = latest.get((one.example, one.annotator))
            if before is None or not is_later(before[1], one.time):
                latest[one.example, one.annotator] = one.label, one.time, one.line
    return latest, left_out


def _refusing(path: str | os.PathLike[str], records: Iterable[Record]) -> Iterator[Record]:
    for one in records:
        if one.problem:
            raise InputError(
                f"entry {one.line:,}: {one.problem}. Correct it, or leave it out with: "
                f"activelab convert {path} labels.csv",
                file=path,
            )
        yield one


def special_format(path: str | os.PathLike[str]) -> str | None:
    """The format of a file of another tool; None for a long table, or a file its reader will refuse."""
    try:
        found = detect_format(Path(path))
    except (InputError, OSError):
        return None
    return None if found == "long" else found
