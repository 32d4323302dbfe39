"""What the classes of a project were, and what became of each: a row for every change, never altered.

Events keep the codes and names they were given under. Answers, decisions and whatever else is derived from
them have those of now, so that reading costs nothing; the number of the last change is the version of the
classes.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, func, select

from activelab._errors import InputError
from activelab.project.store.schema import annotator, class_change

Members = tuple[int, ...]
"""Codes of the classes of a set, ascending."""

VERSION = select(func.coalesce(func.max(class_change.c.id), 0))
"""The version of the classes; 0 as long as none was renamed, merged, split or retired."""


@dataclass(frozen=True)
class ClassChange:
    """A change of the classes.

    Attributes
    ----------
    id : int
        The version of the classes from then on.
    time : float
        Seconds since 1970.
    by : str or None
        Who made it; None for the command line.
    action : {"rename", "merge", "split", "retire"}
    why : str or None
    last_event : int
        The codes of events up to here are of the classes before.
    round_id : int
        The round that was served, -1 before the first.
    before, after : tuple of str
        The classes.
    became : tuple of tuple of int
        Of each class before, its codes after: one; several if it was split; none if it is gone.
    sets : tuple of tuple of int, or None
        The sets of classes there were, where several may be right.
    counts : dict
        What it did, as of `reclassing.Effect`.
    """

    id: int
    time: float
    by: str | None
    action: str
    why: str | None
    last_event: int
    round_id: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    became: tuple[tuple[int, ...], ...]
    sets: tuple[Members, ...] | None
    counts: dict[str, int]

    @property
    def renumbers(self) -> bool:
        """Whether codes mean something else since."""
        return self.action != "rename"

    @property
    def sets_aside(self) -> bool:
        """Whether a class is gone whose answers follow to no other."""
        return any(len(codes) != 1 for codes in self.became)

    @property
    def became_names(self) -> dict[str, list[str]]:
        """What each class became that changed."""
        names = {
            name: [self.after[code] for code in codes]
            for name, codes in zip(self.before, self.became, strict=True)
        }
        return {name: now for name, now in names.items() if now != [name]}

    @property
    def words(self) -> str:
        """What was done, in words."""
        changed = self.became_names
        old = " and ".join(repr(name) for name in changed)
        into = " and ".join(repr(name) for name in next(iter(changed.values())))
        if self.action == "retire":
            return f"{old} is retired" + (f", its answers count as {into}" if into else "")
        verb = {"rename": "is now called", "split": "is split into"}.get(
            self.action, "count" + ("s" if len(changed) == 1 else "") + " as"
        )
        return f"{old} {verb} {into}"

    def class_after(self, code: int) -> int | None:
        """What a class became; None if that is not known, or nothing."""
        return self.became[code][0] if len(self.became[code]) == 1 else None

    def set_after(self, members: Members) -> Members | None:
        """What a set became. A class that is gone leaves the others; a split one leaves nothing known."""
        if any(len(self.became[code]) > 1 for code in members):
            return None
        return tuple(sorted({code for one in members for code in self.became[one]}))

    @cached_property
    def sets_after(self) -> tuple[Members, ...]:
        """The sets of after, by their codes."""
        found = (self.set_after(one) for one in self.sets or ())
        return tuple(dict.fromkeys(one for one in found if one is not None))

    @cached_property
    def labels_after(self) -> tuple[int | None, ...]:
        """What the code of each label became; None if that is not known."""
        if self.sets is None:
            return tuple(self.class_after(code) for code in range(len(self.before)))
        codes = {members: code for code, members in enumerate(self.sets_after)}
        return tuple(codes.get(one) if one is not None else None for one in map(self.set_after, self.sets))

    def singles_after(self, rows: Iterable[Single]) -> list[Single]:
        """What answers of one person about single classes of one example became.

        Somebody who was asked about each part of a merged class, and said no to all, says no to the whole;
        one yes is enough for yes. A no to some of the parts says nothing of the whole.
        """
        of_class: dict[int, list[Single]] = {}
        for row in rows:
            if (now := self.class_after(row.asked)) is not None:
                of_class.setdefault(now, []).append(row)
        found = []
        for now, group in of_class.items():
            parts = [code for code in range(len(self.before)) if self.became[code] == (now,)]
            labels = [row for row in group if row.kind == "label"]
            others = [row for row in group if row.kind != "label"]
            yes = any(row.yes for row in labels)
            last = max(row.event_id for row in group)
            if yes or len(labels) == len(parts):
                found.append(Single(now, last, "label", yes))
            elif others:
                found.append(Single(now, last, others[-1].kind))
        return found


@dataclass(frozen=True)
class Single:
    """An answer about one class of an example: `yes` of a label."""

    asked: int
    event_id: int
    kind: str
    yes: bool = False


def load_changes(connection: Connection) -> list[ClassChange]:
    """All changes, oldest first."""
    query = (
        select(class_change, annotator.c.name.label("by"))
        .outerjoin(annotator, annotator.c.id == class_change.c.annotator_id)
        .order_by(class_change.c.id)
    )
    return [_change(row) for row in connection.execute(query)]


def _change(row: Any) -> ClassChange:
    detail = json.loads(row.detail)
    sets = detail["sets"]
    return ClassChange(
        row.id, row.time, row.by, row.action, row.why, row.last_event, row.round_id,
        tuple(detail["before"]), tuple(detail["after"]), tuple(map(tuple, detail["became"])),
        None if sets is None else tuple(map(tuple, sets)), detail["counts"],
    )  # fmt: skip


def detail_of(change: ClassChange) -> str:
    """What is stored of a change beside its columns."""
    values = {name: getattr(change, name) for name in ("before", "after", "became", "sets", "counts")}
    return json.dumps(values, ensure_ascii=False)


def class_version(connection: Connection) -> int:
    """The version of the classes now."""
    return int(connection.execute(VERSION).scalar_one())


def changed_since(connection: Connection, round_id: int) -> bool:
    """Whether codes mean something else than when a round was served."""
    query = select(class_change.c.id).where(class_change.c.round_id >= round_id)
    return connection.execute(query.where(class_change.c.action != "rename").limit(1)).first() is not None


def version_of(changes: Sequence[ClassChange], event_id: int) -> int:
    """How many of the changes came before an event."""
    return bisect_left(changes, event_id, key=lambda change: change.last_event)


def name_now(name: str, classes: Sequence[str], changes: Sequence[ClassChange]) -> str:
    """What a class that was called so is called now; a name that never was one stays as it is.

    Raises
    ------
    InputError
        If the class was split or is gone.
    """
    at = None if name in classes else next(
        (at for at in reversed(range(len(changes))) if name in changes[at].before), None
    )  # fmt: skip
    if at is None:
        return name
    code = changes[at].before.index(name)
    for change in changes[at:]:
        into = change.became[code]
        if len(into) != 1:
            parts = ", ".join(repr(change.after[one]) for one in into)
            raise InputError(
                f"the class {name!r} was split into {parts}: choose one of these."
                if into
                else f"the class {name!r} is retired: choose another."
            )
        code = into[0]
    return classes[code]


def names_now(
    connection: Connection, names: Iterable[str], classes: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """What classes are called now of which some were called otherwise, and why others are none any more."""
    strange = [name for name in dict.fromkeys(names) if name not in classes]
    changes = load_changes(connection) if strange else []
    renamed, gone = dict[str, str](), dict[str, str]()
    for name in strange if changes else ():
        try:
            now = name_now(name, classes, changes)
        except InputError as error:
            gone[name] = str(error)
        else:
            if now != name:
                renamed[name] = now
    return renamed, gone
