"""The one label, or the set of them, in whatever a tool wraps it in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from activelab._errors import InputError, first
from activelab._set_text import SEPARATOR, names_in, set_text
from activelab.formats._record import shortened
from activelab.tables import id_text, is_missing

SEVERAL = "several labels; only one an example can be used, unless they are read as sets"
NONE = "no label was chosen"
ANSWERS = ("choices", "label", "labels", "rating", "number", "taxonomy", "selected")
"""Names under which an answer is kept."""
PATH = "/"
"""Between the steps of a path in a tree of classes."""
RATINGS = "the answers are ratings, points of a scale: the kind ordinal counts near misses for less."


def cell_of(label: str) -> str:
    """A label as `answer_of` reads it from a cell."""
    return json.dumps([label], ensure_ascii=False) if label.lstrip()[:1] in ("{", "[") else label


def set_of(labels: Iterable[Any]) -> tuple[Any, str]:
    """Labels as one text, in the order of the alphabet, and why that cannot be."""
    names = []
    for one in labels:
        name = id_text(one)
        if name is None:
            return None, f"{shortened(one)} is no label"
        if SEPARATOR in name:
            return (
                None,
                f"{SEPARATOR!r} stands between the labels of a set: {shortened(name)}",
            )
        names.append(name)
    return set_text(sorted(set(names))), ""


def members(label: str, several: bool = True) -> list[str]:
    """The labels of a set, or the one label."""
    return names_in(label) if several else [label]


def answer_of(
    value: Any, question: str | None = None, *, cell: bool = False, several: bool = False
) -> tuple[Any, str]:
    """The label a value holds, and why there is none.

    A value may be the label itself, a list of one, ``{"choices": [label]}``, ``{"label": label}``, one true
    among false buttons, a path in a tree of classes (a list in a list), or any of them under the name of the
    question; with ``cell`` also the same as a JSON text. With ``several`` it may hold any number of labels,
    which become one text (`set_of`).
    """
    if cell and isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value, ""
    if several:
        try:
            found = _several(value, question)
        except RecursionError:
            return None, f"{shortened(value)} is no label"
        return found if isinstance(found, tuple) else set_of(found)
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


def _several(value: Any, question: str | None) -> list[Any] | tuple[None, str]:
    """Every label a value holds; or why it cannot be read."""
    if isinstance(value, dict):
        if value and all(isinstance(one, bool) for one in value.values()):
            return [name for name, one in value.items() if one]
        if "rank" in value:
            return None, "it is a ranking"
        inner, why = _inside(value, question)
        return (None, why) if why and value else _several(inner, question)
    if not isinstance(value, list):
        # A text that is a set already stays one.
        single = isinstance(value, str) and SEPARATOR in value
        return [] if is_missing(value) else members(value) if single else [value]
    labels: list[Any] = []
    for one in value:
        if isinstance(one, list) and one and all(isinstance(step, str) for step in one):
            labels.append(PATH.join(one))
            continue
        found = _several(one, question) if isinstance(one, list | dict) else [one]
        if isinstance(found, tuple):
            return found
        labels += found
    return labels


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
