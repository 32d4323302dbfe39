"""Tables from files."""

from __future__ import annotations

import csv
import gzip
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from activelab._columns import check_distinct, find_column
from activelab._errors import InputError
from activelab.tables._errors import naming
from activelab.tables._formats import Format, check_content, open_bytes, open_text
from activelab.tables._ids import as_ids, texts_as_ids, values_as_ids
from activelab.tables._json import read_json_lines
from activelab.tables._lines import records, undecodable_line

Path = str | os.PathLike[str]

# Pandas writes an index without a name as such a column.
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
_NO_ROWS = "the table is empty: there is no row of data."


def column_names(path: Path, format_: Format | None = None) -> list[str]:
    """Names of the columns of a table.

    Raises
    ------
    InputError
        If the file cannot be read as what its ending says; the message names it.
    """
    with naming(path):
        return _names(path, format_ or check_content(path))


def read_ids(
    path: Path, roles: Mapping[str, str | None], format_: Format | None = None, missing: Sequence[str] = ()
) -> pa.Table:
    """Columns of ids and labels.

    Parameters
    ----------
    path : path
        A table: CSV, Parquet or JSON lines by ending.
    roles : mapping of str to str or None
        For each of "example", "annotator", "label" that is wanted, the column the user named, if any.
    format_ : Format, optional
        As `sniff` finds it. By default what the ending of the name says.
    missing : sequence of str
        Words that stand for a missing label.

    Returns
    -------
    pyarrow.Table
        One column a role, under the role's name, in file order; int64, bool or text. Ids of a CSV file are
        integers if all of a column are, else text; other formats say themselves. An empty cell is null.

    Raises
    ------
    InputError
        If the file is missing, empty, not what its ending says, or lacks a column; the message names it.
    """
    with naming(path):
        format_ = format_ or check_content(path)
        if format_.kind == "jsonl":
            return _ids_of_json_lines(path, format_, roles, missing)
        found = _roles(_names(path, format_), roles)
        table = _columns(path, format_, {name: pa.string() for name in found.values()}, None)
        columns = {}
        for role, name in found.items():
            words = missing if role == "label" else ()
            if format_.kind == "csv":
                columns[role] = texts_as_ids(table[name], name, words)
            else:
                columns[role] = _without(as_ids(table[name], name), words)
        return pa.table(columns)


def _roles(names: Sequence[str], roles: Mapping[str, str | None]) -> dict[str, str]:
    check_distinct(names)
    found = {role: find_column(names, role, chosen) for role, chosen in roles.items()}
    _check_distinct(found)
    return found


def _ids_of_json_lines(
    path: Path, format_: Format, roles: Mapping[str, str | None], missing: Sequence[str]
) -> pa.Table:
    """Columns of ids as the lines say; Arrow makes floats of numbers above 2^63, and dates of texts."""
    from activelab.tables._rows import read_rows, row_columns

    found = _roles(row_columns(path, format_), roles)
    cells: dict[str, list[Any]] = {role: [] for role in found}
    for row in read_rows(path, format_):
        if row.problem:
            raise InputError(f"line {row.line} {row.problem.removeprefix('it ')}.")
        for role, name in found.items():
            cells[role].append(row.values.get(name))
    if not cells[next(iter(cells))]:
        raise InputError(_NO_ROWS)
    columns = {role: values_as_ids(values, found[role]) for role, values in cells.items()}
    if "label" in columns:
        columns["label"] = _without(columns["label"], missing)
    return pa.table(columns)


def _without(column: Any, missing: Sequence[str]) -> Any:
    """A column in which some words are null."""
    if not missing:
        return column
    named = pc.is_in(column.cast(pa.string()), value_set=pa.array(missing, pa.string()))
    return pc.if_else(named, None, column)


def read_pred_probs(path: Path, example: str | None = None) -> pa.Table:
    """Predicted probabilities: a column ``example`` and a column of float64 for each class.

    Parameters
    ----------
    path : path
        A table: CSV, Parquet or JSON lines by ending.
    example : str, optional
        The column of example ids, where the file has it; else it is recognised.

    Returns
    -------
    pyarrow.Table
        ``example`` first, then the classes in file order; an empty cell is NaN.

    Raises
    ------
    InputError
        As `read_ids`, or if a value is not a number.
    """
    with naming(path):
        format_ = check_content(path)
        whole = read_json_lines(path, format_) if format_.kind == "jsonl" else None
        names = _names(path, format_) if whole is None else whole.column_names
        id_column, classes = split_columns(names, example if example in names else None)
        for name in classes:
            find_column(names, "class", name)
            if not name.strip():
                raise InputError("a column has no name; name it as its class, or leave it out.")
        types = {id_column: pa.string(), **dict.fromkeys(classes, pa.float64())}
        table = _columns(path, format_, types, whole)
        if format_.kind == "csv":
            columns = [texts_as_ids(table[id_column], id_column)]
        else:
            columns = [as_ids(table[id_column], id_column)]
        columns += [_numbers(table[name], name) for name in classes]
        return pa.Table.from_arrays(columns, names=["example", *(name.strip() for name in classes)])


def split_columns(names: list[str], example: str | None) -> tuple[str, list[str]]:
    """The column of examples, and those of the classes."""
    index = [name for name in names if _PANDAS_INDEX.fullmatch(name)]
    rest = [name for name in names if name not in index]
    try:
        id_column = find_column(rest if example is None else names, "example", example)
    except InputError:
        if len(index) != 1 or any(name == "example" for name in rest):
            raise
        id_column = index[0]
    return id_column, [name for name in rest if name != id_column]


def _check_distinct(found: Mapping[str, str]) -> None:
    for role, name in found.items():
        for other, same in found.items():
            if role < other and name == same:
                raise InputError(f"column {name!r} cannot be both the {role} and the {other}.")


def _names(path: Path, format_: Format) -> list[str]:
    if format_.kind == "parquet":
        with _refused("Parquet"):
            try:
                return [str(name) for name in pq.ParquetFile(path).schema_arrow.names]
            except UnicodeDecodeError:
                raise InputError("the name of a column is not UTF-8 text.") from None
    if format_.kind == "jsonl":
        return [str(name) for name in read_json_lines(path, format_).column_names]
    try:
        with open_text(path, format_) as text:
            return next((row for row in csv.reader(text, delimiter=format_.delimiter) if row), [])
    except UnicodeDecodeError:
        raise _not_utf8(path, format_) from None
    except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error) as error:
        raise InputError(f"cannot be read as CSV: {error}.") from None


def _columns(path: Path, format_: Format, types: Mapping[str, Any], whole: pa.Table | None) -> pa.Table:
    """The named columns; those of a CSV file in the given types."""
    if format_.kind == "csv":
        table = _read_csv(path, format_, types)
    elif whole is None:
        with _refused("Parquet"):
            table = pq.ParquetFile(path).read(columns=list(types))
            table.validate(full=True)
    else:
        table = whole.select(list(types))
        table = _timestamps_as_text(path, format_, table)
    if not table.num_rows:
        raise InputError(_NO_ROWS)
    return table


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """What Arrow says of a damaged file; an error of the system has a number and is let through."""
    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        if getattr(error, "errno", None) is not None:
            raise
        raise InputError(f"cannot be read as {name}: {' '.join(str(error).split())}") from None


def _timestamps_as_text(path: Path, format_: Format, table: pa.Table) -> pa.Table:
    """Arrow takes text that looks like a point in time for one; an id stays as it was written."""
    guessed = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    if not guessed:
        return table
    return read_json_lines(path, format_, text=guessed).select(table.column_names)


def _read_csv(path: Path, format_: Format, types: Mapping[str, Any]) -> pa.Table:
    convert = pa.csv.ConvertOptions(include_columns=list(types), column_types=dict(types))
    parse = pa.csv.ParseOptions(delimiter=format_.delimiter, newlines_in_values=True)
    try:
        with _refused("CSV"), open_bytes(path, format_) as stream:
            return pa.csv.read_csv(stream, parse_options=parse, convert_options=convert)
    except InputError as error:
        if not error.problem.startswith("cannot be read as CSV"):
            raise
        raise _csv_error(path, format_, types, error) from None


def _csv_error(path: Path, format_: Format, types: Mapping[str, Any], error: InputError) -> InputError:
    """What is wrong with a CSV file that Arrow refuses, and in which line; else Arrow's own words."""
    if "UTF8" in str(error):
        return _not_utf8(path, format_)
    names = _names(path, format_)
    numeric = [at for at, name in enumerate(names) if pa.types.is_floating(types.get(name, pa.null()))]
    with suppress(csv.Error, EOFError, OSError, ValueError, zlib.error):
        for line, record in records(path, format_):
            if len(record) != len(names):
                return InputError(f"line {line} has {len(record)} columns, the header {len(names)}.")
            for at in numeric:
                if not _is_number(record[at]):
                    return _no_number(names[at], record[at], f" in line {line}")
    return error


def _is_number(text: str) -> bool:
    try:
        float(text or "nan")
    except ValueError:
        return False
    return True


def _numbers(column: Any, name: str) -> Any:
    try:
        return column.cast(pa.float64()).fill_null(float("nan"))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _no_number(name, column[0].as_py(), "") from None


def _no_number(name: str, value: object, where: str) -> InputError:
    return InputError(
        f"column {name!r} holds {value!r}{where}, which is not a number. A table of probabilities has the "
        "example and one column a class; leave other columns out."
    )


def _not_utf8(path: Path, format_: Format) -> InputError:
    line = undecodable_line(path, format_)
    where = "" if line is None else f" (line {line})"
    return InputError(f"is not UTF-8 text{where}. Save it in the encoding UTF-8.")
