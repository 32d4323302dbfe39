"""How results look in a notebook: a headline, a few facts, the first rows of a table, and notes.

Nothing is fetched and no script runs. Colours are those of the page, so that it is dark where the page is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

ROWS = 10

_STYLE = """<style>
.activelab {font-size: 0.95em; margin: 0.4em 0; overflow-x: auto}
.activelab p {margin: 0.2em 0}
.activelab.activelab table {border-collapse: collapse; margin: 0.4em 0}
.activelab.activelab table :is(th, td) {padding: 0.15em 0.7em; text-align: left; max-width: 22em;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; border: 0}
.activelab table thead th {border-bottom: 1px solid rgba(128, 128, 128, 0.6); font-weight: 600}
.activelab table tbody td {border-bottom: 1px solid rgba(128, 128, 128, 0.2)}
.activelab.activelab table .number {text-align: right; font-variant-numeric: tabular-nums}
.activelab .quiet {opacity: 0.7}
</style>"""


@dataclass(frozen=True)
class Heat:
    """A number whose cell is shaded: blue above 0, red below, by how far towards 1 or -1 it is."""

    value: float


def page(
    title: str,
    *tables: str,
    facts: Mapping[str, Any] | None = None,
    notes: Iterable[str] = (),
) -> str:
    """A result as HTML, complete in itself.

    Parameters
    ----------
    title : str
    *tables : str
        HTML of `table`.
    facts : mapping of str to value, optional
        What is worth knowing of the whole; None is left out.
    notes : iterable of str
    """
    known = {name: value for name, value in (facts or {}).items() if value is not None}
    line = " · ".join(f"{escape(name)} <b>{escape(_words(value))}</b>" for name, value in known.items())
    parts = [f"<p><b>{escape(title)}</b></p>", f"<p>{line}</p>" if line else "", *tables]
    parts += [f'<p class="note">Note: {escape(one)}</p>' for one in notes]
    return f'<div class="activelab">{_STYLE}{"".join(parts)}</div>'


def table(columns: Mapping[str, Any], *, size: int | None = None, caption: str = "") -> str:
    """The first rows of a table, and how many more there are.

    Parameters
    ----------
    columns : mapping of str to sequence
        Values by the name of their column, all of one length; `Heat` shades a number.
    size : int, optional
        Rows of the whole table, where only the first are passed.
    caption : str
    """
    shown = {name: _items(values[:ROWS]) for name, values in columns.items()}
    whole = size if size is not None else max((len(values) for values in columns.values()), default=0)
    numeric = {name for name, values in shown.items() if all(_is_number(one) for one in values)}
    kind = {name: ' class="number"' if name in numeric else "" for name in shown}
    head = "".join(f"<th{kind[name]}>{escape(name.replace('_', ' '))}</th>" for name in shown)
    body = "".join(
        f"<tr>{''.join(_cell(value, kind[name]) for name, value in zip(shown, row, strict=True))}</tr>"
        for row in zip(*shown.values(), strict=True)
    )
    rest = whole - max((len(values) for values in shown.values()), default=0)
    more = f'<p class="quiet">… {rest:,} more rows</p>' if rest > 0 else ""
    above = f"<p>{escape(caption)}</p>" if caption else ""
    return f"{above}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _items(values: Sequence[Any]) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, Heat | float) or (type(value) is int)


def _cell(value: Any, kind: str) -> str:
    shade = ""
    if isinstance(value, Heat):
        value = value.value
        if not math.isnan(value):
            colour = "31, 119, 180" if value >= 0 else "214, 39, 40"
            shade = f' style="background: rgba({colour}, {min(abs(value), 1) * 0.6:.2f})"'
    text = _words(value)
    return f'<td{kind}{shade} title="{escape(text)}">{escape(text)}</td>'


def _words(value: Any) -> str:
    """A value as people read it; what cannot be estimated is a dash."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, np.ndarray | list | tuple):
        return ", ".join(_words(one) for one in _items(value))  # type: ignore[arg-type]
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) >= 0.001 or value == 0 else f"{value:.2g}"
    return f"{value:,}" if type(value) is int and abs(value) >= 100_000 else str(value)
