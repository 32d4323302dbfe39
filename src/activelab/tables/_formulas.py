"""Texts that a spreadsheet would run as formulas, made harmless and back."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# A spreadsheet runs a cell that begins with one of these as a formula; after apostrophes it would be taken
# for one that was made harmless.
_FORMULA = r"^'*[=+\-@\t\r]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"

_risky = re.compile(_FORMULA).match
_number = re.compile(_NUMBER).match
_MADE_HARMLESS = r"^'+[=+\-@\t\r]"
_made_harmless = re.compile(_MADE_HARMLESS).match


def without_formulas(table: pa.Table) -> pa.Table:
    """A table whose texts no spreadsheet runs as formulas; numbers stay numbers."""
    for at, name in enumerate(table.column_names):
        column = table[name]
        if pa.types.is_string(column.type):
            risky = pc.and_(
                pc.match_substring_regex(column, _FORMULA),
                pc.invert(pc.match_substring_regex(column, _NUMBER)),
            )
            table = table.set_column(
                at, name, pc.if_else(risky, pc.binary_join_element_wise("'", column, ""), column)
            )
    return table


def harmless(text: str) -> str:
    """A text with an apostrophe before it if a spreadsheet would run it; `from_harmless` takes it off.

    Examples
    --------
    >>> from activelab.tables import from_harmless, harmless
    >>> harmless("=1+1"), harmless("-5"), from_harmless(harmless("=1+1"))
    ("'=1+1", '-5', '=1+1')
    """
    return f"'{text}" if _risky(text) and not _number(text) else text


def from_harmless(text: str) -> str:
    """See `harmless`."""
    return text[1:] if _made_harmless(text) else text


def without_apostrophes(column: Any) -> Any:
    """A column of text with `from_harmless` of every value."""
    made = pc.match_substring_regex(column, _MADE_HARMLESS)
    if not pc.any(made).as_py():
        return column
    return pc.if_else(made, pc.utf8_slice_codeunits(column, 1), column)
