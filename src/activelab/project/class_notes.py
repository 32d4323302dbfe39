"""What the pages show of a class beside its name: a key, a colour, a group, a description and an example."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from activelab._errors import InputError

RESERVED_KEYS = {
    "s": "skips an example",
    "u": "takes the last answer back",
    "g": "opens the guidelines",
    "c": "says that you cannot tell",
    "f": "flags an example",
    "n": "writes a note",
}
"""Letters that do something on the pages, so that no class can have them."""

_FORM = "refund | key=r | colour=#cc3333 | group=Money | Wants money back. | e.g. “I want a refund”"
_COLOUR = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_NAMED = {"key": "key", "colour": "colour", "color": "colour", "group": "group"}


@dataclass(frozen=True)
class ClassNote:
    """What is known of a class beside its name; what is not known is empty.

    Attributes
    ----------
    key : str
        A letter in lower case, or a digit.
    colour : str
        As ``#rrggbb``.
    group : str
    description : str
    example : str
    """

    key: str = ""
    colour: str = ""
    group: str = ""
    description: str = ""
    example: str = ""

    @property
    def ink(self) -> str:
        """Black or white, whichever is easier to read on the colour; empty without one.

        The contrast of luminances a and b is (a + 0.05) / (b + 0.05). That with black times that with white
        is 21 for any colour, so that the better of the two is at least √21 ≈ 4.58, above the 4.5 of level AA.

        References
        ----------
        WCAG 2.2, relative luminance and success criterion 1.4.3.
        """
        if not self.colour:
            return ""
        parts = [int(self.colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
        light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        return "#000000" if (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) else "#ffffff"


def parse_notes(lines: Iterable[str]) -> dict[str, ClassNote]:
    """Notes by class, from one line a class: its name, and what is known of it after bars.

    Parameters
    ----------
    lines : iterable of str
        Such as ``refund | key=r | colour=#cc3333 | group=Money | Wants money back. | e.g. “a refund”``. Each
        part may be left out; what begins with ``e.g.`` is an example, other words are the description.

    Raises
    ------
    InputError
        If a part is unknown or given twice, a key is taken, or a class has two lines; the message says where.

    Examples
    --------
    >>> parse_notes(["refund | key=r | Wants money back."])["refund"]
    ClassNote(key='r', colour='', group='', description='Wants money back.', example='')
    """
    notes: dict[str, ClassNote] = {}
    keys: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        where = f"class_notes, line {number}"
        name, *parts = (part.strip() for part in line.split("|"))
        if not name:
            raise InputError(f"{where} begins with no class; write it as: {_FORM}.")
        if name in notes:
            raise InputError(f"{where}: {name!r} has a line already; keep one of them.")
        note = _note(f"{where}, {name!r}", parts)
        if note.key in keys:
            raise InputError(
                f"{where}: {keys[note.key]!r} has the key {note.key!r} already; give {name!r} another."
            )
        if note.key:
            keys[note.key] = name
        notes[name] = note
    return notes


def _note(where: str, parts: Iterable[str]) -> ClassNote:
    found: dict[str, str] = {}
    for part in parts:
        named = re.fullmatch(r"(\w+)\s*=\s*(.*)", part)
        if named:
            if named[1].lower() not in _NAMED:
                near = difflib.get_close_matches(named[1].lower(), list(_NAMED), n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise InputError(
                    f"{where}: unknown part {named[1]!r}.{hint} There are key=, colour=, group=, a "
                    "description, and an example after e.g."
                )
            what, value = _NAMED[named[1].lower()], named[2]
        elif part.startswith("e.g."):
            what, value = "example", part.removeprefix("e.g.").strip()
        else:
            what, value = "description", part
        if not value:
            raise InputError(f"{where}: the {what} is empty; write one, or take the bar away.")
        if what in found:
            raise InputError(
                f"{where}: a second {what}, {value!r}; a class has one, and | stands between its parts."
            )
        found[what] = _CHECKS.get(what, lambda _, value: value)(where, value)
    return ClassNote(**found)


def _key(where: str, value: str) -> str:
    if len(value) != 1 or not value.isalnum():
        raise InputError(f"{where}: a key is one letter or digit, got {value!r}.")
    if reason := RESERVED_KEYS.get(value.lower()):
        raise InputError(f"{where}: the key {value!r} {reason} on the page; take another.")
    return value.lower()


def _colour(where: str, value: str) -> str:
    if not _COLOUR.fullmatch(value):
        raise InputError(f"{where}: a colour is written as #rrggbb, such as #cc3333, got {value!r}.")
    digits = value[1:].lower()
    return "#" + (digits if len(digits) == 6 else "".join(2 * digit for digit in digits))


_CHECKS = {"key": _key, "colour": _colour}


def check_notes(lines: Iterable[str], classes: Sequence[str]) -> None:
    """Refuse notes on what is no class.

    Raises
    ------
    InputError
        If a line is about none of the classes; the message names the nearest.
    """
    known = set(classes)
    for number, name in enumerate(parse_notes(lines), 1):
        if name not in known:
            near = difflib.get_close_matches(name, classes, n=1, cutoff=0.4)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InputError(f"class_notes, line {number}: {name!r} is none of the classes.{hint}")


def rename_notes(lines: Iterable[str], names: Mapping[str, str | None]) -> tuple[str, ...]:
    """The lines when classes have other names.

    Parameters
    ----------
    lines : iterable of str
    names : mapping of str to str or None
        The new name of each class that has one; None where a class goes. If two become one, the first line
        that is there stays: the class's own, if it has one.

    Examples
    --------
    >>> rename_notes(["refund | key=r", "spam | Unwanted."], {"refund": "money back", "spam": None})
    ('money back | key=r',)
    """
    kept: dict[str, tuple[bool, str]] = {}
    for line in lines:
        name, bar, rest = line.partition("|")
        old = name.strip()
        new = names.get(old, old)
        if new is None or (new in kept and (kept[new][0] or old != new)):
            continue
        kept[new] = (old == new, f"{new} |{rest}" if bar else new)
    return tuple(line for _, line in kept.values())
