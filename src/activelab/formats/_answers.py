"""The one label in whatever a tool wraps it in."""

from __future__ import annotations

import json
from typing import Any

from activelab._errors import InputError, first
from activelab.formats._record import shortened
from activelab.tables import id_text, is_missing

SEVERAL = "several labels; only one an example can be used"
NONE = "no label was chosen"
ANSWERS = ("choices", "label", "labels", "rating", "number", "taxonomy", "selected")
"""Names under which an answer is kept."""
PATH = "/"
"""Between the steps of a path in a tree of classes."""


def cell_of(label: str) -> str:
    """A label as `answer_of` reads it from a cell."""
    return json.dumps([label], ensure_ascii=False) if label.lstrip()[:1] in ("{", "[") else label


def answer_of(value: Any, question: str | None = None, *, cell: bool = False) -> tuple[Any, str]:
    """The label a value holds, and why there is none.

    A value may be the label itself, a list of one, ``{"choices": [label]}``, ``{"label": label}``, one true
    among false buttons, a path in a tree of classes (a list in a list), or any of them under the name of the
    question; with ``cell`` also the same as a JSON text.
    """
    if cell and isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value, ""
    for _ in range(20):
        if isinstance(value, list):
            if len(value) != 1:
                return None, SEVERAL if value else NONE
            value = value[0]
            if isinstance(value, list) and value and all(isinstance(step, str) for step in value):
                value = PATH.join(value)
        elif isinstance(value, dict):
            value, why = _inside(value, question)
            if why:
                return None, why
        else:
            break
    if is_missing(value):
        return None, NONE
    if isinstance(value, bool):
        return str(value).lower(), ""
    return (value, "") if id_text(value) is not None else (None, f"{shortened(value)} is no label")


def _inside(value: dict[str, Any], question: str | None) -> tuple[Any, str]:
    if question is not None and question in value:
        return value[question], ""
    for key in ANSWERS:
        if key in value:
            return value[key], ""
    if value and all(isinstance(one, bool) for one in value.values()):
        chosen = [name for name, one in value.items() if one]
        return (chosen[0], "") if len(chosen) == 1 else (None, SEVERAL if chosen else NONE)
    if len(value) == 1:
        return next(iter(value.values())), ""
    return None, f"it holds several answers: {', '.join(map(str, value))}" if value else NONE


def one_question(found: list[str], chosen: str | None, what: str) -> str:
    """The question that is meant.

    Raises
    ------
    InputError
        If the chosen one is not there, or there are several and none was chosen.
    """
    if chosen is not None:
        if chosen not in found:
            raise InputError(f"no {what} {chosen!r}; the file has: {first(found, 20) or 'none'}.")
        return chosen
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(f"the file has no {what}.")
    raise InputError(f"the file has several of {what}: {first(found, 20)}.", advice="question")
