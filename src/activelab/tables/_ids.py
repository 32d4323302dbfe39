"""Columns of ids and labels: integers where they are integers, text otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from activelab._errors import InputError

_CANONICAL = r"^(0|-?[1-9][0-9]{0,17})$"
_LARGEST_EXACT_FLOAT = 2.0**53

LONGEST_ID = 500
"""Characters an id may have where it becomes a name."""


def integers_if_canonical(column: Any) -> Any:
    """A text column as int64 if every value is an integer written the one usual way, else as it is.

    "7" is, "007" and "7.0" are not; integers of more than 18 digits stay text.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from activelab.tables import integers_if_canonical
    >>> integers_if_canonical(pa.array(["1", "20"])).type, integers_if_canonical(pa.array(["01"])).type
    (DataType(int64), DataType(string))
    """
    if column.null_count or not pc.all(pc.match_substring_regex(column, _CANONICAL)).as_py():
        return column
    return column.cast(pa.int64())


def as_ids(column: Any, name: str) -> Any:
    """A column of any type as int64, bool or text; floats only where some hold a fraction.

    Raises
    ------
    InputError
        If the values are lists or records.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_nested(kind):
        raise InputError(f"column {name!r} holds {kind}; ids and labels are integers or text.")
    if pa.types.is_null(kind) or pa.types.is_boolean(kind) or pa.types.is_int64(kind):
        return column
    try:
        if pa.types.is_integer(kind):
            return column.cast(pa.int64())
        if pa.types.is_floating(kind):
            exact = column.cast(pa.float64())
            small = pc.all(pc.less(pc.abs(exact), _LARGEST_EXACT_FLOAT)).as_py()
            return exact.cast(pa.int64()) if small else exact
    except pa.ArrowInvalid:
        return exact if pa.types.is_floating(kind) else column.cast(pa.string())
    return as_text(column, name)


def as_text(column: Any, name: str = "") -> Any:
    """A column as text."""
    if pa.types.is_floating(column.type):
        return column
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(
            f"column {name!r} holds {column.type}; ids and labels are integers or text."
        ) from None


def unify(columns: Sequence[Any]) -> list[Any]:
    """Columns that are compared with each other: all of one type, text if they differ.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from activelab.tables import unify
    >>> [str(column.type) for column in unify([pa.array([1, 2]), pa.array(["1", "b"])])]
    ['string', 'string']
    """
    if len({str(column.type) for column in columns}) <= 1:
        return list(columns)
    return [as_text(column) for column in columns]


def id_text(value: Any) -> str | None:
    """An id, a name or a class as text; None if the value is none: no text or number, empty, or too long.

    Examples
    --------
    >>> from activelab.tables import id_text
    >>> id_text(7.0), id_text(" a "), id_text([1])
    ('7', 'a', None)
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    return text if text and text.isprintable() and len(text) <= LONGEST_ID and text != "nan" else None
