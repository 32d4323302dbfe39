"""The rows of a table one after the other, for files larger than memory; a bad row does not end it."""

from __future__ import annotations

import csv
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from activelab._columns import check_distinct
from activelab._errors import InputError
from activelab.tables._errors import naming
from activelab.tables._formats import Format, check_content
from activelab.tables._formulas import from_harmless
from activelab.tables._lines import records, undecodable_line
from activelab.tables._read import column_names

_BLOCK = 5_000
_LARGEST_CELL = 1 << 24


class Row(NamedTuple):
    """A row of a table.

    Attributes
    ----------
    line : int
        The line of the file it begins in, counted from 1; of Parquet the row, counted from 1.
    values : dict
        By column; of a CSV file text, as it was before `harmless`. Empty if the row cannot be read.
    problem : str
        Why it cannot be read; empty if it can.
    """

    line: int
    values: dict[str, Any]
    problem: str = ""


def row_columns(path: str | os.PathLike[str], format_: Format | None = None) -> list[str]:
    """Names of the columns, without reading the whole file; of JSON lines the keys of the first lines.

    Raises
    ------
    InputError
        If the file cannot be read as what its ending says.
    """
    with naming(path):
        if (format_ or check_content(path)).kind != "jsonl":
            return column_names(path, format_)
        found: dict[str, None] = {}
        for row, _ in zip(read_rows(path, format_), range(_BLOCK), strict=False):
            found.update(dict.fromkeys(row.values))
        return list(found)


def read_rows(
    path: str | os.PathLike[str], format_: Format | None = None, columns: Sequence[str] | None = None
) -> Iterator[Row]:
    """The rows of a CSV, Parquet or JSON lines file, in the order of the file.

    Parameters
    ----------
    path : path
    format_ : Format, optional
        As `sniff` finds it. By default what the ending of the name says.
    columns : sequence of str, optional
        Those that are wanted, which is faster; others may come with them.

    Raises
    ------
    InputError
        If the file cannot be read as what its ending says; the message names it.
    """
    with naming(path):
        found = format_ or check_content(path)
        try:
            yield from {"csv": _csv_rows, "parquet": _parquet_rows, "jsonl": _json_rows}[found.kind](
                path, found, columns
            )
        except UnicodeDecodeError:
            line = undecodable_line(path, found)
            raise InputError(f"is not UTF-8 text (line {line}). Save it in the encoding UTF-8.") from None
        except (EOFError, zlib.error, csv.Error) as error:
            raise InputError(f"cannot be read: {error}.") from None
        except (pa.ArrowException, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise
            raise InputError(f"cannot be read: {' '.join(str(error).split())}") from None


def _csv_rows(path: str | os.PathLike[str], format_: Format, columns: Sequence[str] | None) -> Iterator[Row]:
    names = column_names(path, format_)
    check_distinct(names)
    wanted = [(at, name) for at, name in enumerate(names) if columns is None or name in columns]
    # Texts are longer than what the reader takes at first.
    csv.field_size_limit(_LARGEST_CELL)
    for line, record in records(path, format_):
        if len(record) == len(names):
            yield Row(line, {name: from_harmless(record[at]) for at, name in wanted})
        else:
            yield Row(line, {}, f"it has {len(record)} columns, the header {len(names)}")


def _json_rows(path: str | os.PathLike[str], format_: Format, _: Sequence[str] | None) -> Iterator[Row]:
    for line, (text,) in records(path, format_):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Row(line, {}, f"it is not JSON: {getattr(error, 'msg', error)}")
            continue
        if isinstance(values, dict):
            yield Row(line, values)
        else:
            yield Row(line, {}, "it is not a JSON object")


def _parquet_rows(
    path: str | os.PathLike[str], format_: Format, columns: Sequence[str] | None
) -> Iterator[Row]:
    number = 0
    check_distinct(column_names(path, format_))
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BLOCK, columns=columns):
            batch.validate(full=True)
            for values in batch.to_pylist():
                number += 1
                yield Row(number, values)
