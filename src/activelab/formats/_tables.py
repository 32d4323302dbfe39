"""Long tables, one row a label, and wide ones, one column an annotator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from activelab._errors import InputError
from activelab.formats._record import Record, Source, record, seconds_of, unlabelled
from activelab.formats._rows import columns, rows, write_csv, write_lines
from activelab.formats._spool import Spool
from activelab.tables import find_column, id_text

ROLES = ("example", "annotator", "label")
_BLOCK = 50_000
_INDEX = re.compile(r"|index|Unnamed: 0|__index_level_\d+__", re.IGNORECASE)
_WHOLE = re.compile(r"-?\d+\.0")
_MISSING = {"", "nan", "NaN", "NA", "<NA>", "null", "None", "none"}


def read_long(source: Source) -> Iterator[Record]:
    """One row a label; further columns are the fields of the example."""
    names = columns(source.path)
    found = {role: find_column(names, role, source.columns.get(role)) for role in ROLES}
    named = found["example"], found["annotator"], found["label"]
    rest = [name for name in names if name not in named]
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        example, annotator, label = (values.get(name) for name in named)
        content = {name: values.get(name) for name in rest}
        if annotator in (None, "") and label in (None, ""):
            yield unlabelled(line, example, content, named[0])
            continue
        time = seconds_of(values["time"]) if "time" in values else None
        yield record(line, example, annotator, _label(label), content, time, names=named)


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
    """Whether a header is that of a wide matrix: an index, and no column of annotators or labels."""
    return len(names) > 1 and bool(_INDEX.fullmatch(names[0].strip()))


def read_wide(source: Source) -> Iterator[Record]:
    """One row an example, one column an annotator; the first is the example if it is named like one."""
    names = columns(source.path)
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
    for number, (line, values, problem) in enumerate(rows(source.path)):
        if problem:
            yield Record(line, problem=problem)
            continue
        example = number if index is None else values.get(index)
        found = [(name, values.get(name)) for name in annotators if not _is_missing(values.get(name))]
        if not found:
            yield unlabelled(line, example, {}, index or "row")
        for name, value in found:
            label, why = _named(_label(value), source.classes)
            if why:
                yield Record(line, problem=f"column {name!r} {why}")
            else:
                yield record(line, example, name, label, names=(index or "row", "column", name))


def _index_column(names: Sequence[str]) -> str | None:
    for name in names:
        if _INDEX.fullmatch(name.strip()):
            return name
    try:
        return find_column(names, "example")
    except InputError:
        return None


def _is_missing(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and value.strip() in _MISSING)


def _label(value: Any) -> Any:
    """What pandas has made of a whole number in a column with gaps is a whole number again."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return value.strip()[:-2]
    return str(value).lower() if isinstance(value, bool) else value


def _named(value: Any, classes: Sequence[str]) -> tuple[Any, str]:
    """A class by its number, if names of classes were given and it is not one of them."""
    text = id_text(value)
    if not classes or text in classes or text is None:
        return value, ""
    if not text.isdecimal() or int(text) >= len(classes):
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
    header = ["" if ending in (".csv", ".tsv") else "index", *annotators]
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
