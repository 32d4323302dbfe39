"""JSON lines to a table."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.json

from activelab._errors import InputError
from activelab.tables._formats import Format
from activelab.tables._lines import records, undecodable_line

Path = str | os.PathLike[str]


def read_json_lines(path: Path, format_: Format, text: Sequence[str] = ()) -> pa.Table:
    """The whole table; the columns in ``text`` are read as text.

    Raises
    ------
    InputError
        If a line is no JSON object.
    """
    schema = pa.schema([(name, pa.string()) for name in text]) if text else None
    try:
        with pa.input_stream(os.fspath(path), compression="gzip" if format_.gzipped else None) as stream:
            table = pa.json.read_json(stream, parse_options=pa.json.ParseOptions(explicit_schema=schema))
        table.validate(full=True)
    except pa.ArrowInvalid:
        # Arrow wants one type a column and does not say which line is wrong.
        return _read_line_by_line(path)
    except OSError as error:
        if error.errno is not None:
            raise
        raise InputError(f"cannot be read as JSON lines: {error}") from None
    return table


def _read_line_by_line(path: Path) -> pa.Table:
    columns: dict[str, list[Any]] = {}
    count = 0
    try:
        for line, (text,) in records(path):
            try:
                record = json.loads(text)
            except ValueError as error:
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
        where = undecodable_line(path)
        raise InputError(f"line {where} is not UTF-8 text. Save the file in the encoding UTF-8.") from None
    padded = {name: values + [None] * (count - len(values)) for name, values in columns.items()}
    return pa.table({name: _array(values) for name, values in padded.items()})


def _array(values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if v is None else v if isinstance(v, str) else json.dumps(v) for v in values])
