"""JSON lines to a table."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from activelab._errors import InputError
from activelab.tables._formats import Format, open_bytes
from activelab.tables._lines import records, undecodable_line

Path = str | os.PathLike[str]

DEEPEST = 500
"""Levels of nesting; what goes far beyond would overflow the stack of a parser."""


def read_json_lines(path: Path, format_: Format, text: Sequence[str] = ()) -> pa.Table:
    """The whole table; the columns in ``text`` are read as text.

    Raises
    ------
    InputError
        If a line is no JSON object.
    """
    schema = pa.schema([(name, pa.string()) for name in text]) if text else None
    try:
        if _is_deep(path, format_):
            return _read_line_by_line(path, format_)
        with open_bytes(path, format_) as stream:
            table = pa.json.read_json(stream, parse_options=pa.json.ParseOptions(explicit_schema=schema))
        table.validate(full=True)
        inexact = _has_inexact_integers(table)
        [str(name) for name in table.column_names]
    except (pa.ArrowException, UnicodeDecodeError):
        # Arrow wants one type a column and does not say which line is wrong.
        return _read_line_by_line(path, format_)
    except (OSError, EOFError, zlib.error) as error:
        if getattr(error, "errno", None) is not None:
            raise
        raise InputError(f"cannot be read as JSON lines: {error}.") from None
    return _read_line_by_line(path, format_) if inexact else table


def _is_deep(path: Path, format_: Format) -> bool:
    """Whether a line opens so many brackets that Arrow's parser could overflow the stack."""
    with open_bytes(path, format_) as file:
        return any(line.count(b"[") + line.count(b"{") > DEEPEST for line in file)


def _has_inexact_integers(table: pa.Table) -> bool:
    """Whether Arrow may have made a float of an integer that no float holds."""
    floats = [column for column in table.columns if pa.types.is_floating(column.type)]
    return any(pc.any(pc.greater_equal(pc.abs(column), 2.0**53)).as_py() for column in floats)


def _read_line_by_line(path: Path, format_: Format) -> pa.Table:
    columns: dict[str, list[Any]] = {}
    count = 0
    try:
        for line, (text,) in records(path, format_):
            try:
                record = json.loads(text)
            except (ValueError, RecursionError) as error:
                what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                raise InputError(f"line {line} is not JSON: {what}.") from None
            if not isinstance(record, dict):
                raise InputError(f"line {line} is not a JSON object; JSON lines hold one object a line.")
            for name, value in record.items():
                column = columns.setdefault(name, [])
                column += [None] * (count - len(column))
                column.append(value)
            count += 1
    except UnicodeDecodeError:
        where = undecodable_line(path, format_)
        raise InputError(f"line {where} is not UTF-8 text. Save the file in the encoding UTF-8.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"cannot be read as JSON lines: {error}.") from None
    padded = {name: values + [None] * (count - len(values)) for name, values in columns.items()}
    try:
        return pa.table({name: _array(values) for name, values in padded.items()})
    except UnicodeEncodeError:
        raise InputError("a text holds half a character (a lone surrogate); UTF-8 has none.") from None


def _array(values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if v is None else v if isinstance(v, str) else json.dumps(v) for v in values])
