"""Ids, names and classes: what a cell of any file says, and columns of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from activelab._errors import InputError
from activelab.tables._formulas import from_harmless, made_harmless

_CANONICAL = r"^(0|-?[1-9][0-9]{0,17})$"
_WHOLE = re.compile(r"(?P<number>0|-?[1-9][0-9]{0,17}|-0(?=\.))(?P<point>\.0+)?").fullmatch
_LARGEST_EXACT_FLOAT = 2.0**53

LONGEST_ID = 500
"""Characters an id may have in a project."""


def id_text(value: Any, longest: int | None = None) -> str | None:
    """An id, a name or a class as text; None if the value is none.

    A text is kept as it is: joiners, marks of direction, blanks of any kind, line breaks. A number that is
    whole is written without a point.

    Parameters
    ----------
    value : object
        A cell of a table, or a value of JSON.
    longest : int, optional
        The most characters it may have.

    Returns
    -------
    str or None
        None for what is missing (None, NaN, a text of blanks), what is no text, number or date, and for
        texts that UTF-8 or a database cannot hold (half characters, zero bytes).

    Examples
    --------
    >>> from activelab.tables import id_text
    >>> id_text(7.0), id_text(" a "), id_text(True), id_text([1]), id_text(" ")
    ('7', ' a ', 'true', None, None)
    """
    text = _plain(value)
    if not text or text.isspace() or "\0" in text or (longest is not None and len(text) > longest):
        return None
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return None
    return text


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal):
        if value != value:
            return ""
        exact = abs(float(value)) < _LARGEST_EXACT_FLOAT and value == int(value)
        return str(int(value)) if exact else str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, int | date | time | UUID) else ""


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: None, NaN, or nothing but blanks."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, float | Decimal) and value != value)


def whole_numbers(texts: Iterable[str]) -> bool:
    """Whether texts are whole numbers of which some are written with a point, as pandas does ("1.0").

    Only a column as a whole tells: beside "1.5", "1.0" is a text like any other.

    Examples
    --------
    >>> from activelab.tables import whole_numbers
    >>> whole_numbers(["1.0", "2"]), whole_numbers(["1", "2"]), whole_numbers(["1.0", "1.5"])
    (True, False, False)
    """
    pointed = False
    for text in texts:
        match = _WHOLE(text)
        if match is None:
            return False
        pointed = pointed or match["point"] is not None
    return pointed


def without_point(text: str) -> str:
    """A whole number as it is usually written: "1.0" is "1"; any other text as it is."""
    match = _WHOLE(text)
    return text if match is None or match["point"] is None else str(int(match["number"]))


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


def is_canonical_integer(text: str) -> bool:
    """Whether a text is an integer written the one usual way (see `integers_if_canonical`)."""
    return re.fullmatch(_CANONICAL, text) is not None


def as_ids(column: Any, name: str) -> Any:
    """A column of any type as int64, bool or text, floats only where some hold a fraction; null is missing.

    Raises
    ------
    InputError
        If the values are lists or records, or a text holds a zero byte.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_nested(kind):
        raise InputError(f"column {name!r} holds {kind}; ids and labels are integers or text.")
    if pa.types.is_int64(kind) or pa.types.is_boolean(kind):
        return column
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind):
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:  # above 2^63
            return column.cast(pa.string())
    if pa.types.is_floating(kind):
        exact = column.cast(pa.float64())
        exact = pc.if_else(pc.is_nan(exact), None, exact)
        whole = pc.and_(pc.less(pc.abs(exact), _LARGEST_EXACT_FLOAT), pc.equal(exact, pc.floor(exact)))
        return exact if pc.all(whole).as_py() is False else exact.cast(pa.int64())
    return _mapped(column, lambda value: _text(value, name))


def as_names(column: Any) -> Any:
    """A column of ids as int64 or text, as every reader of records writes them: `id_text` of each."""
    return column if pa.types.is_int64(column.type) else _mapped(column, id_text)


def texts_as_ids(column: Any, name: str, missing: Sequence[str] = ()) -> Any:
    """A column of separated text as int64 if all of it are whole numbers, else as text.

    What is empty, or one of ``missing``, is null; texts are as they were before `harmless`.
    """
    if made_harmless(column):
        column = _mapped(column, from_harmless)
    if not column.null_count and not missing:
        numbers = integers_if_canonical(column)
        if pa.types.is_int64(numbers.type):
            return numbers
    column = _mapped(column, lambda value: _text(value, name))
    distinct = [text for text in column.unique().to_pylist() if text is not None and text not in missing]
    pointed = whole_numbers(distinct)
    if pointed or missing:
        column = _mapped(column, lambda text: _unless_missing(text, pointed, missing))
    canonical = column.null_count < len(column) and pc.all(pc.match_substring_regex(column, _CANONICAL))
    return column.cast(pa.int64()) if canonical and canonical.as_py() else column


def _unless_missing(text: Any, pointed: bool, missing: Sequence[str]) -> Any:
    if text is None or text in missing:
        return None
    text = without_point(text) if pointed else text
    return None if text in missing else text


def values_as_ids(values: Sequence[Any], name: str) -> Any:
    """Values of JSON as a column: int64 if all are whole numbers of 64 bits, else text."""
    texts = [_text(value, name) for value in values]
    column = pa.chunked_array([pa.array(texts, pa.string())])
    if all(value is None or isinstance(value, int | float) for value in values):
        return texts_as_ids(column, name)
    return column


def _text(value: Any, name: str) -> str | None:
    text = id_text(value)
    if text is None and not is_missing(value):
        raise InputError(f"column {name!r} holds {value!r:.60}; ids and labels are integers or text.")
    return text


def _mapped(column: Any, function: Any) -> Any:
    """A column of text with a function of each value, which is called once for each distinct one."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):  # too large for one piece
        return pa.chunked_array([_mapped(chunk, function) for chunk in whole.chunks], pa.string())
    try:
        coded = whole.dictionary_encode()
    except pa.ArrowNotImplementedError:
        return pa.chunked_array([pa.array(map(function, whole.to_pylist()), pa.string())])
    texts = pa.array([function(value) for value in coded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([texts.take(coded.indices)])


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


def renamed(column: Any, names: Mapping[str, str]) -> Any:
    """A column of ids in which some are called otherwise.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from activelab.tables import renamed
    >>> renamed(pa.array(["Yes", "yes", "no"]), {"Yes": "yes"}).to_pylist()
    ['yes', 'yes', 'no']
    """
    return _mapped(as_text(column), lambda text: names.get(text, text)) if names else column
