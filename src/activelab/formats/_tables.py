"""Long tables, one row a label, and wide ones, one column an annotator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, count
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from activelab._errors import InputError
from activelab.formats._answers import set_of
from activelab.formats._record import Record, Source, record, seconds_of, unlabelled
from activelab.formats._rows import columns, is_text_table, rows, write_csv, write_lines
from activelab.formats._spool import Spool, is_canonical
from activelab.tables import (
    candidates,
    check_distinct,
    find_column,
    from_harmless,
    id_text,
    is_index,
    is_missing,
    whole_numbers,
    without_point,
)

ROLES = ("example", "annotator", "label")
_BLOCK = 50_000


def long_columns(
    names: Sequence[str], chosen: Mapping[str, str | None], note: Callable[[str], None]
) -> dict[str, str]:
    """Which columns of a long table are the example, the annotator and the label.

    A column without a name, or with one that pandas gives to an index, is none of them, unless nothing else
    can be the example.

    Raises
    ------
    InputError
        If one cannot be told.
    """
    rest = [name for name in names if not is_index(name)]
    indices = [name for name in names if is_index(name)]
    found = {}
    for role in ROLES:
        by_name = chosen.get(role)
        index = role == "example" and by_name is None and indices and not candidates(rest, role)
        if index and len(indices) == 1 and all(candidates(rest, other) for other in ROLES[1:]):
            found[role] = indices[0]
        else:
            found[role] = find_column(names if by_name is not None or index else rest, role, by_name)
    for role, other in (("example", "annotator"), ("example", "label"), ("annotator", "label")):
        if found[role] == found[other]:
            raise InputError(f"column {found[role]!r} cannot be both the {role} and the {other}.")
    if indices and not any(chosen.get(role) for role in ROLES):
        used = ", ".join(repr(found[role]) for role in ROLES)
        note(
            f"read as one row a label, by the columns {used}; if it is a matrix with a column an annotator, "
            "give --from wide."
        )
    return found


def read_long(source: Source) -> Iterator[Record]:
    """One row a label; further columns are the fields of the example."""
    names = columns(source.path)
    found = long_columns(names, source.columns, source.note)
    named = found["example"], found["annotator"], found["label"]
    rest = [name for name in names if name not in named and not is_index(name)]
    numbers = _number_columns(source, named) if is_text_table(source.path) else set()
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        example, annotator, label = (
            without_point(values[name]) if name in numbers else values.get(name) for name in named
        )
        content = {name: values.get(name) for name in rest}
        if source.several and isinstance(label, list):
            label, problem = set_of(label)
            if problem:
                yield Record(line, problem=problem)
                continue
        if is_missing(annotator) and is_missing(label):
            yield unlabelled(line, example, content, named[0])
            continue
        time = seconds_of(values["time"]) if "time" in values else None
        if time is not None:
            del content["time"]  # it is the label's
        yield record(line, example, annotator, label, content, time, names=named)


def _number_columns(source: Source, names: Sequence[str]) -> set[str]:
    """Columns of whole numbers of which some are written with a point; see `whole_numbers`."""
    open_ = dict.fromkeys(names, False)
    for _, values, problem in rows(source.path):
        for name in [] if problem else list(open_):
            text = values[name]
            if is_missing(text) or text in source.missing:
                continue
            if without_point(text) != text:
                open_[name] = True
            elif not is_canonical(text):
                del open_[name]
        if not open_:
            break
    return {name for name, pointed in open_.items() if pointed}


def write_long(file: IO[bytes], pool: Spool, ending: str, _: Sequence[str]) -> None:
    """The columns task, worker, label; examples without labels are not in it."""
    names = ("task", "worker", "label")
    votes = ((item.example, vote.annotator, vote.label) for item in pool.items() for vote in item.votes)
    if ending in (".csv", ".tsv"):
        write_csv(file, names, votes, "\t" if ending == ".tsv" else ",")
        return
    casts = [pool.number_or_text(kind) for kind in ROLES]
    typed = ([cast(one) for cast, one in zip(casts, vote, strict=True)] for vote in votes)
    if ending != ".parquet":
        write_lines(file, (dict(zip(names, vote, strict=True)) for vote in typed))
        return
    kinds = [pa.int64() if cast is int else pa.string() for cast in casts]
    write_parquet(file, pa.schema(list(zip(names, kinds, strict=True))), typed)


def write_parquet(file: IO[bytes], schema: Any, lines: Iterator[Sequence[Any]]) -> None:
    """Rows as Parquet, a block at a time."""
    with pq.ParquetWriter(file, schema) as writer:
        block: list[Sequence[Any]] = []

        def flush() -> None:
            cells = zip(*block, strict=True) if block else [()] * len(schema)
            arrays = [pa.array(column, kind) for column, kind in zip(cells, schema.types, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            block.clear()

        for line in lines:
            block.append(line)
            if len(block) == _BLOCK:
                flush()
        flush()


# ---------------------------------------------------------------------- wide


def looks_wide(names: Sequence[str]) -> bool:
    """Whether a header is that of a wide matrix: an index, and beside it not the columns of a long table.

    These are a column of labels, with one of annotators or of examples.
    """
    rest = [name for name in names if not is_index(name)]
    others = candidates(rest, "annotator") or candidates(rest, "example")
    return 1 < len(names) > len(rest) and not (candidates(rest, "label") and others)


def read_wide(source: Source) -> Iterator[Record]:
    """One row an example, one column an annotator; the first is the example if it is named like one."""
    names = columns(source.path)
    check_distinct(names)
    index = source.columns.get("example")
    if index is None:
        index = _index_column(names)
    elif index not in names:
        find_column(names, "example", index)
    annotators = [name for name in names if name != index]
    if not annotators:
        raise InputError("a wide matrix has one column an annotator; there is none.")
    if index is None:
        source.note("The matrix has no column of examples: they are numbered from 0.")
    text_table = is_text_table(source.path)
    written = {name: from_harmless(name) if text_table else name for name in annotators}
    numbers, examples = _number_cells(source, annotators, index) if text_table else (False, False)
    for number, (line, values, problem) in enumerate(rows(source.path)):
        if problem:
            yield Record(line, problem=problem)
            continue
        example = number if index is None else values.get(index)
        if examples and not is_missing(example):
            example = without_point(str(example))
        found = [(name, values.get(name)) for name in annotators if not is_missing(values.get(name))]
        if not found:
            yield unlabelled(line, example, {}, index or "row")
        for name, value in found:
            label, why = _named(without_point(str(value)) if numbers else value, source.classes)
            if why:
                yield Record(line, problem=f"column {name!r} {why}")
            else:
                yield record(line, example, written[name], label, names=(index or "row", "column", name))


def _number_cells(source: Source, annotators: Sequence[str], index: str | None) -> tuple[bool, bool]:
    """Whether the labels, and the examples, are whole numbers of which some are written with a point."""
    known = {*source.missing, *source.classes}
    labels = {
        str(text)
        for row in rows(source.path)
        for name in annotators
        if not is_missing(text := row.values.get(name)) and text not in known
    }
    names = (row.values[index] for row in rows(source.path) if index is not None and not row.problem)
    return whole_numbers(labels), whole_numbers(name for name in names if not is_missing(name))


def _index_column(names: Sequence[str]) -> str | None:
    for name in names:
        if is_index(name):
            return name
    try:
        return find_column(names, "example")
    except InputError:
        return None


def _named(value: Any, classes: Sequence[str]) -> tuple[Any, str]:
    """A class by its number, if names of classes were given and it is not one of them."""
    text = id_text(value)
    if not classes or text in classes or text is None:
        return value, ""
    if not is_canonical(text) or int(text) < 0 or int(text) >= len(classes):
        return value, f"holds {text!r}, which is neither a class nor the number of one"
    return classes[int(text)], ""


def write_wide(file: IO[bytes], pool: Spool, ending: str, classes: Sequence[str]) -> None:
    """One row an example, one column an annotator; the numbers of the classes if these were given."""
    annotators = pool.annotators
    codes = {name: str(code) for code, name in enumerate(classes)}
    strange = [name for name in pool.classes if classes and name not in codes]
    if strange:
        raise InputError(f"label {strange[0]!r} is none of the classes {', '.join(classes)}.")

    def lines() -> Iterator[list[Any]]:
        for item in pool.items():
            given = {vote.annotator: codes.get(vote.label, vote.label) for vote in item.votes}
            yield [item.example, *(given.get(name) for name in annotators)]

    # An index as pandas writes one: by it a wide matrix is told from a table that lacks a column.
    free = (name for name in chain(("index",), map("__index_level_{}__".format, count())))
    index = "" if ending in (".csv", ".tsv") else next(name for name in free if name not in annotators)
    header = [index, *annotators]
    if ending in (".csv", ".tsv"):
        write_csv(file, header, lines(), "\t" if ending == ".tsv" else ",")
        return
    kind = int if classes else pool.number_or_text("label")
    name_of = pool.number_or_text("example")
    typed = (
        [name_of(line[0]), *(None if cell is None else kind(cell) for cell in line[1:])] for line in lines()
    )
    if ending == ".parquet":
        types = [name_of, *[kind] * len(annotators)]
        fields = [(n, pa.int64() if t is int else pa.string()) for n, t in zip(header, types, strict=True)]
        write_parquet(file, pa.schema(fields), typed)
    else:
        write_lines(file, (dict(zip(header, line, strict=True)) for line in typed))
