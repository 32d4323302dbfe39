"""What the codes of labels stand for: a class, or, where several classes may be right, a set of them.

A set is stored once and has a code like a class, so that answers, queues, decisions and counts need not know
what a label is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, insert, select

from activelab._errors import InputError, first
from activelab._set_text import names_in, set_text
from activelab._typing import Bools
from activelab.project.labelling.class_history import (
    ClassChange,
    Members,
    class_version,
    load_changes,
    names_now,
    version_of,
)
from activelab.project.labelling.queue import check_version
from activelab.project.labelling.rounds import hold_round
from activelab.project.settings import Settings, load_settings
from activelab.project.store.database import Database
from activelab.project.store.schema import WHOLE, label_set

Named = str | list[str]
"""A label in words: a class, or a list of classes."""


@dataclass(frozen=True)
class Naming:
    """The labels of a project by their codes.

    Attributes
    ----------
    classes : tuple of str
    sets : tuple of tuple of int, or None
        The sets there are, where several classes may be right.
    version : int
        Of the classes, as of `class_history`.
    """

    classes: tuple[str, ...]
    sets: tuple[Members, ...] | None = None
    version: int = 0

    def __len__(self) -> int:
        return len(self.classes if self.sets is None else self.sets)

    def name(self, code: int | None) -> Named | None:
        """The label of a code; None for none."""
        if code is None or code < 0:
            return None
        return self.classes[code] if self.sets is None else [self.classes[one] for one in self.sets[code]]

    def class_name(self, code: int) -> str | None:
        """The class that is asked about; None where the whole example is."""
        return None if code == WHOLE else self.classes[code]

    def text(self, code: int) -> str:
        """The label of a code as one text."""
        return text_of(self.name(code)) or ""

    @property
    def texts(self) -> tuple[str, ...]:
        """All labels as texts, by their codes."""
        return self.classes if self.sets is None else tuple(map(self.text, range(len(self))))

    @property
    def members(self) -> Bools:
        """Which classes are in each set, shape (n_sets, n_classes)."""
        sets = self.sets or ()
        table = np.zeros((len(sets), len(self.classes)), dtype=bool)
        for code, one in enumerate(sets):
            table[code, list(one)] = True
        return table


def text_of(label: Named | None) -> str | None:
    """A label as one text, such as "a|b"; "|" is the empty set."""
    return set_text(label) if isinstance(label, list) else label


def load_naming(connection: Connection, settings: Settings | None = None) -> Naming:
    """What the codes stand for now."""
    settings = load_settings(connection) if settings is None else settings
    version = class_version(connection)
    if not settings.several:
        return Naming(settings.classes, None, version)
    stored = connection.execute(select(label_set.c.classes).order_by(label_set.c.code)).scalars()
    return Naming(settings.classes, tuple(tuple(json.loads(one)) for one in stored), version)


class EventNaming:
    """What the codes of events stand for: classes and sets as they were when an event came."""

    def __init__(self, connection: Connection) -> None:
        self._changes: list[ClassChange] = load_changes(connection)
        self._namings = [Naming(one.before, one.sets, turn) for turn, one in enumerate(self._changes)]
        self._namings.append(load_naming(connection))

    def at(self, event_id: int) -> Naming:
        """What the codes of an event stand for."""
        return self._namings[version_of(self._changes, event_id)]

    def spans(self) -> list[tuple[Naming, int | None]]:
        """All that codes have stood for, each with the last event it is of; None for now."""
        ends = [*(one.last_event for one in self._changes), None]
        return [*zip(self._namings, ends, strict=True)]


def members_of(label: Named, classes: Sequence[str]) -> Members:
    """The codes of the classes of a set, given as a list or as one text.

    Raises
    ------
    InputError
        If one is no class of the project.
    """
    names = names_in(label) if isinstance(label, str) else label
    strange = [name for name in names if name not in classes]
    if strange:
        raise InputError(f"{strange[0]!r} is none of the classes {', '.join(classes)}.")
    return tuple(sorted({classes.index(name) for name in names}))


def set_codes(connection: Connection, wanted: Iterable[Members], version: int) -> dict[Members, int]:
    """The codes of sets; those not seen before are stored. Keeps others out until the transaction ends.

    Raises
    ------
    ClassesChangedError
        If the classes are of another version than the codes of the sets.
    """
    hold_round(connection)
    check_version(connection, version)
    stored = connection.execute(select(label_set.c.classes, label_set.c.code)).all()
    known = {tuple(json.loads(row.classes)): row.code for row in stored}
    new = [one for one in dict.fromkeys(wanted) if one not in known]
    rows = [{"code": len(known) + turn, "classes": json.dumps(one)} for turn, one in enumerate(new)]
    if rows:
        connection.execute(insert(label_set), rows)
    return known | {one: len(known) + turn for turn, one in enumerate(new)}


@dataclass(frozen=True)
class Coded:
    """Codes of labels and classes, and the version of the classes they are of."""

    labels: dict[str, int]
    classes: dict[str | None, int]
    version: int


def codes_of_labels(database: Database, labels: Iterable[str], asked: Iterable[str | None] = ()) -> Coded:
    """The codes of labels, given as texts, and of what is asked: of classes, and `WHOLE` for None.

    Classes may have a former name. Sets that nobody has given before are stored.

    Raises
    ------
    InputError
        If a class is not the project's, the message names the first ten; or single classes are asked about
        where one is right.
    """

    def load(connection: Connection) -> tuple[Settings, int, dict[str, str]]:
        settings, version = load_settings(connection), class_version(connection)
        renamed, gone = names_now(connection, [*used, *abouts], settings.classes)
        if gone:
            raise InputError(next(iter(gone.values())))
        return settings, version, renamed

    wanted, abouts = dict.fromkeys(labels), [name for name in dict.fromkeys(asked) if name is not None]
    several = database.read(load_settings).several
    used = [name for label in wanted for name in (names_in(label) if several else [label])]
    settings, version, renamed = database.read(load)
    if abouts and not several:
        raise InputError("single classes are asked about where several may be right; here one is.")
    known = class_codes(settings.classes, [renamed.get(name, name) for name in [*used, *abouts]])
    known |= {name: known[now] for name, now in renamed.items()}
    classes: dict[str | None, int] = {None: WHOLE, **{name: known[name] for name in abouts}}
    if not several:
        return Coded({label: known[label] for label in wanted}, classes, version)
    sets = {label: tuple(sorted({known[name] for name in names_in(label)})) for label in wanted}
    codes = database.write(lambda c: set_codes(c, sets.values(), version)) if sets else {}
    return Coded({label: codes[members] for label, members in sets.items()}, classes, version)


def class_codes(classes: tuple[str, ...], used: Iterable[str]) -> dict[str, int]:
    """Codes of the classes of a project.

    Raises
    ------
    InputError
        If one that is used is none of them; the message names the first ten.
    """
    codes = {name: code for code, name in enumerate(classes)}
    strange = [label for label in dict.fromkeys(used) if label not in codes]
    if strange:
        raise InputError(
            f"classes that are not the project's: {first(strange)}. It has {', '.join(codes) or 'none'}; "
            "classes can be added with the settings."
        )
    return codes
