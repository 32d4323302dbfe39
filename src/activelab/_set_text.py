"""A set of classes as one text, such as "a|b", as files and stores hold it."""

from __future__ import annotations

from collections.abc import Iterable

SEPARATOR = "|"
"""Between the classes; alone it is the empty set."""


def set_text(names: Iterable[str]) -> str:
    """The text of a set of classes.

    Examples
    --------
    >>> set_text(["a", "b"]), set_text([])
    ('a|b', '|')
    """
    return SEPARATOR.join(names) or SEPARATOR


def names_in(text: str) -> list[str]:
    """The classes that a text names, without blanks around them.

    Examples
    --------
    >>> names_in("a| b"), names_in("|")
    (['a', 'b'], [])
    """
    return [name for part in text.split(SEPARATOR) if (name := part.strip())]
