"""Labels of any file as the table the core takes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from activelab._errors import InputError, first
from activelab._set_text import SEPARATOR, names_in
from activelab.formats._convert import NO_LABEL, read_records
from activelab.formats._detect import detect_format
from activelab.formats._record import EMPTY, NOTHING, Record, is_later, shortened
from activelab.formats._rows import columns as names_of
from activelab.formats._rows import is_array, rows
from activelab.formats._spelling import class_notes, folding
from activelab.formats._tables import ROLES, long_columns
from activelab.tables import (
    as_names,
    as_text,
    find_column,
    integers_if_canonical,
    naming,
    read_ids,
    renamed,
    row_columns,
    sniff,
)

_LOOKED_AT = 1000  # rows that show what labels are

BESIDE = "beside "
"""Before the name of a further column of `read_label_table`."""


def read_label_table(
    path: str | os.PathLike[str],
    format_: str | None = None,
    *,
    question: str | None = None,
    classes: Sequence[str] = (),
    columns: Mapping[str, str | None] = NOTHING,
    missing: Sequence[str] = (),
    several: bool = False,
    fold: bool = False,
    beside: Sequence[str] = (),
) -> tuple[Any, list[str]]:
    """The labels of a file: a table with columns example, annotator, label; and what to know about it.

    A long table is read column by column, which is faster, to the same labels. Of any other format the
    latest label of an annotator on an example counts; an entry that is wrong is an error.

    Parameters
    ----------
    path, format_, question, classes, columns, missing, several
        As in `read_records`.
    fold : bool
        Merge classes that differ only in blanks, case or Unicode's normal form into the most frequent one.
    beside : sequence of str
        Further columns of a table with one row a label, which follow as text under `BESIDE` and their names.

    Returns
    -------
    table : pyarrow.Table
        If it is not row by row that of the file, a fourth column ``row`` or ``line`` says where a label is
        from: a row of data counted from 0, or a line (or entry) counted from 1.
    notes : list of str

    Raises
    ------
    InputError
        If the file or an entry of it is bad, or it holds no label; the message names the file.
    """
    notes: list[str] = []
    with naming(path):
        format_ = format_ or detect_format(path, columns)
        by_column = format_ == "long" and not is_array(Path(path))
        if by_column and several:
            by_column = not any(isinstance(one, list) for one in _first_labels(Path(path), columns))
        if by_column:
            table, left_out = _by_column(path, columns, missing, beside, notes)
        elif beside:
            raise InputError(f"a column {beside[0]!r} is read from tables with one row a label alone.")
    if not by_column:
        records = read_records(
            path,
            format_,
            question=question,
            classes=classes,
            columns=columns,
            missing=missing,
            several=several,
            notes=notes,
        )
        latest, left_out = latest_labels(_refusing(path, records))
        table = _as_table(latest)
    reasons = "; ".join(f"{why} ({n:,})" for why, n in left_out.most_common(3))
    if not table.num_rows:
        raise InputError(f"it holds no label{f': {reasons}' if reasons else ''}.", file=path)
    if left_out:
        notes.append(f"{path}: {left_out.total():,} answers are no labels: {reasons}.")
    counts = _counts(table["label"])
    if fold:
        at = table.column_names.index("label")
        table = table.set_column(at, "label", renamed(table["label"], folding(counts)))
        counts = _counts(table["label"])
    return table, [*notes, *(f"{path}: {note}" for note in class_notes(counts, classes))]


def shows_sets(
    path: str | os.PathLike[str],
    format_: str | None = None,
    columns: Mapping[str, str | None] = NOTHING,
) -> str | None:
    """Why the labels of a long table are sets of classes, in words; None where they do not show it.

    They are where one is a list, and where texts are joined by a bar as those of sets are: each class that is
    joined also stands alone, and the bar alone is a label, which nothing but the empty set is written as.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    with naming(path):
        if (format_ or detect_format(path, columns)) != "long":
            return None
        labels = _first_labels(Path(path), columns)
    lists = [one for one in labels if isinstance(one, list)]
    if lists:
        return (
            f"labels are lists, such as {shortened(max(lists, key=len))}: they are read as sets of classes."
        )
    texts = {one for one in labels if isinstance(one, str)}
    joined = sorted(one for one in texts if names_in(one) and SEPARATOR in one)
    if joined and SEPARATOR in texts and all(part in texts for one in joined for part in names_in(one)):
        such = f"labels such as {joined[0]!r}"
        return f"{such} are read as sets of classes; --kind single takes each for one class."
    return None


def _first_labels(path: Path, columns: Mapping[str, str | None]) -> list[Any]:
    """The labels of the first rows of a long table, as they stand there."""
    names = long_columns(names_of(path), columns, lambda text: None)
    return [values.get(names["label"]) for _, values, _ in islice(rows(path), _LOOKED_AT)]


def _by_column(
    path: str | os.PathLike[str],
    columns: Mapping[str, str | None],
    missing: Sequence[str],
    beside: Sequence[str],
    notes: list[str],
) -> tuple[Any, Counter[str]]:
    """A long table, and how many of its rows have no label, by reason."""
    format_ = sniff(path)
    names = row_columns(path, format_)
    found = long_columns(names, columns, lambda text: notes.append(f"{path}: {text}"))
    for role, name in found.items():
        if name in beside:
            raise InputError(f"column {name!r} is the {role}; it cannot be read as another, too.")
    further = {BESIDE + name: find_column(names, name, name) for name in beside}
    table = read_ids(path, {**found, **further}, format_, missing)
    table = pa.table(
        {role: as_names(table[role]) for role in ROLES} | {name: as_text(table[name]) for name in further}
    )
    nobody, nothing = pc.is_null(table["annotator"]), pc.is_null(table["label"])
    left_out = Counter[str]()
    if not pc.any(nothing).as_py():
        return table, left_out
    unnamed = pc.and_(pc.is_null(table["example"]), nothing)
    if pc.any(unnamed).as_py():
        row = pc.index(unnamed, True).as_py()
        raise InputError("the example is empty.", row=row, column="example")
    neither = pc.sum(pc.and_(nobody, nothing)).as_py()
    left_out[NO_LABEL] = neither
    left_out[EMPTY if not missing else f"{EMPTY}, or one of {first(missing)}"] = (
        pc.sum(nothing).as_py() - neither
    )
    table = table.append_column("row", pa.array(range(table.num_rows), pa.int64()))
    return table.filter(pc.invert(nothing)), +left_out


def _as_table(latest: Mapping[tuple[str, str], tuple[str, float | None, int]]) -> Any:
    cells = [(e, a, label, line) for (e, a), (label, _, line) in latest.items()]
    columns = zip(*cells, strict=True) if cells else ((), (), (), ())
    names = (*ROLES, "line")
    arrays = [pa.chunked_array([pa.array(one)]) for one in columns]
    arrays = [integers_if_canonical(one) if pa.types.is_string(one.type) else one for one in arrays]
    return pa.Table.from_arrays(arrays, names=names)


def _counts(column: Any) -> dict[str, int]:
    found = column.value_counts()
    return {str(one["values"]): one["counts"] for one in found.to_pylist()}


def latest_labels(
    records: Iterable[Record],
) -> tuple[dict[tuple[str, str], tuple[str, float | None, int]], Counter[str]]:
    """By example and annotator the latest label, its time and line; and answers that are none, by reason."""
    latest: dict[tuple[str, str], tuple[str, float | None, int]] = {}
    left_out = Counter[str]()
    for one in records:
        if one.left_out:
            left_out[one.left_out] += 1
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
