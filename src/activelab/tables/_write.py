"""Tables to files: whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from activelab._errors import InputError
from activelab._typing import Ids
from activelab._whole import whole_file
from activelab.tables._errors import naming
from activelab.tables._formats import Format, format_of

_ROWS_A_BLOCK = 1 << 16


def to_arrow(columns: Mapping[str, Ids], types: Mapping[str, Any] | None = None) -> pa.Table:
    """A table of numpy columns, in which NaN and None are null; a mixture of ids, or large ones, are text.

    Parameters
    ----------
    columns : mapping of str to ndarray
    types : mapping of str to pyarrow.DataType, optional
        Types of columns that may hold nothing but nulls.
    """
    wanted = types or {}
    return pa.table({name: _array(values, wanted.get(name)) for name, values in columns.items()})


def _array(values: Ids, kind: Any) -> Any:
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        array = pa.array([None if v is None else str(v) for v in values.tolist()])
    if pa.types.is_null(array.type):
        return array.cast(kind or pa.string())
    return array


def check_output(path: str | os.PathLike[str], inputs: tuple[str, ...] = ()) -> None:
    """Raise unless a table can be written there, before any work is done for it.

    Raises
    ------
    InputError
        If the ending is unknown, the folder does not exist, or the path is a folder or an input.
    OSError
        If the folder is not writable.
    """
    with naming(path):
        format_of(path)
    check_target(path, inputs)


def check_target(path: str | os.PathLike[str], inputs: tuple[str, ...] = ()) -> None:
    """`check_output` for a file that need not be a table."""
    with naming(path):
        target = os.path.realpath(path)
        folder = os.path.dirname(target)
        if os.path.isdir(target):
            raise InputError("is a folder, not a file.")
        if not os.path.isdir(folder):
            raise InputError(f"the folder {folder} does not exist; create it first.")
        if any(target == os.path.realpath(name) for name in inputs):
            raise InputError("is also an input; write to another file.")
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "the folder is not writable", folder)


def write_table(path: str | os.PathLike[str], table: pa.Table) -> None:
    """Write a table as its ending says: CSV, Parquet or JSON lines.

    The file appears whole or not at all: it is written beside its place and moved there.

    Raises
    ------
    InputError
        If `check_output` refuses the path.
    OSError
        If writing fails; what was there before is left.
    """
    check_output(path)
    with whole_file(path) as file:
        _write(file, format_of(path), table)


def _write(file: IO[bytes] | gzip.GzipFile, format_: Format, table: pa.Table) -> None:
    if format_.gzipped:
        # Without name and time the same table gives the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            _write(packed, Format(format_.kind, format_.delimiter), table)
    elif format_.kind == "parquet":
        pq.write_table(table, file)
    else:
        blocks = csv_blocks(table, format_.delimiter) if format_.kind == "csv" else _json_blocks(table)
        file.writelines(blocks)


def csv_blocks(table: pa.Table, delimiter: str = ",") -> Iterator[bytes]:
    """A table as CSV, header first, in blocks of rows."""
    header = io.StringIO()
    csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(table.column_names)
    yield header.getvalue().encode()
    for start in range(0, table.num_rows, _ROWS_A_BLOCK):
        yield _csv_block(table.slice(start, _ROWS_A_BLOCK), delimiter)


def _csv_block(block: pa.Table, delimiter: str) -> bytes:
    block = _lists_as_text(block)
    with suppress(pa.ArrowInvalid):  # a value that needs quotes
        return _quoted(block, delimiter, "none")
    return _quoted(block, delimiter, "needed")


def _quoted(block: pa.Table, delimiter: str, quoting: Literal["none", "needed"]) -> bytes:
    buffer = io.BytesIO()
    options = pa.csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style=quoting)
    pa.csv.write_csv(block, buffer, options)
    return buffer.getvalue()


def _lists_as_text(table: pa.Table) -> pa.Table:
    """Lists as JSON; CSV has no other place for them."""
    columns = [
        pa.array([None if one is None else json.dumps(one) for one in column.to_pylist()], pa.string())
        if pa.types.is_nested(column.type)
        else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _json_blocks(table: pa.Table) -> Iterator[bytes]:
    for start in range(0, table.num_rows, _ROWS_A_BLOCK):
        rows = _without_nan(table.slice(start, _ROWS_A_BLOCK)).to_pylist()
        yield "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode()


def _without_nan(table: pa.Table) -> pa.Table:
    """JSON has no NaN and no infinity."""
    columns = [
        pc.if_else(pc.is_finite(column), column, None) if pa.types.is_floating(column.type) else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)
