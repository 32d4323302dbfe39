"""Texts that a spreadsheet would run as formulas, made harmless and back."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# What spreadsheets skip: blanks, and characters nobody sees.
_BLANK = "[ \u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]*"
# With what a cell begins that one of them runs as a formula; full-width signs count as plain ones.
_SIGN = r"[=+\-@|%＝＋－＠｜％\t\r\n]"
# After apostrophes it would be taken for one that was made harmless.
_FORMULA = f"^'*{_BLANK}{_SIGN}"
# Numbers, and the sign that stands alone for the empty set of classes.
_PLAIN = r"^([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\|)$"
# Where semicolons separate, as in much of Europe, what follows one is a cell of its own, quoted or not.
_INNER, _INNER_DONE = f"(;{_BLANK})('*{_SIGN})", f"(;{_BLANK})'('*{_SIGN})"

_risky = re.compile(_FORMULA).match
_plain = re.compile(_PLAIN).match
_MADE_HARMLESS = f"^'+{_BLANK}{_SIGN}"
_made_harmless = re.compile(_MADE_HARMLESS).match


def without_formulas(table: pa.Table) -> pa.Table:
    """A table whose texts no spreadsheet runs as formulas; numbers stay numbers."""
    for at, name in enumerate(table.column_names):
        column = table[name]
        if pa.types.is_string(column.type):
            risky = pc.and_(
                pc.match_substring_regex(column, _FORMULA),
                pc.invert(pc.match_substring_regex(column, _PLAIN)),
            )
            column = pc.if_else(risky, pc.binary_join_element_wise("'", column, ""), column)
            column = pc.replace_substring_regex(column, _INNER, r"\1'\2")
            table = table.set_column(at, name, column)
    return table


def harmless(text: str) -> str:
    """A text with an apostrophe before it if a spreadsheet would run it; `from_harmless` takes it off.

    Examples
    --------
    >>> from activelab.tables import from_harmless, harmless
    >>> harmless("=1+1"), harmless("-5"), from_harmless(harmless("=1+1"))
    ("'=1+1", '-5', '=1+1')
    """
    text = f"'{text}" if _risky(text) and not _plain(text) else text
    return re.sub(_INNER, r"\1'\2", text)


def from_harmless(text: str) -> str:
    """See `harmless`."""
    if ";" in text:  # few are, and looking for it is much faster
        text = re.sub(_INNER_DONE, r"\1\2", text)
    return text[1:] if text.startswith("'") and _made_harmless(text) else text


def made_harmless(column: Any) -> bool:
    """Whether `from_harmless` may change a text of a column."""
    return any(
        pc.any(pc.match_substring_regex(column, mark)).as_py() for mark in (_MADE_HARMLESS, _INNER_DONE)
    )
