"""Several questions about the same examples, asked together.

Each is a project of its own, with its own consensus, annotators, model and choice of what to ask. Who labels
sees an example once and answers all that is asked about it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from activelab._errors import InputError
from activelab.project._project import Project, create_project, open_project
from activelab.project.labelling.companions import tie
from activelab.project.labelling.queue import Lease
from activelab.project.settings import Settings
from activelab.project.store import accounts
from activelab.project.store.database import database_url
from activelab.project.store.schema import answer, lease
from activelab.project.store.upgrades import discard

SHARED = ("kind", "image_root", "text_format", "terms", "autoplay")
"""Settings that say how examples are shown: a question takes them from the project it is asked beside."""

_LAST = select(func.max(lease.c.id))
_LATEST = (
    select(answer.c.example_id)
    .where(answer.c.annotator_id == bindparam("who"))
    .order_by(answer.c.event_id.desc())
    .limit(1)
)
_BEGUN = select(answer.c.example_id).where(
    answer.c.example_id.in_(bindparam("examples", expanding=True)), answer.c.annotator_id == bindparam("who")
)


@dataclass(frozen=True)
class Asked:
    """A question somebody is asked.

    Attributes
    ----------
    name : str
        Of its project.
    project : Project
    annotator_id : int
        Who they are in it.
    """

    name: str
    project: Project
    annotator_id: int


def add_question(
    lead: Project, changes: Mapping[str, Any], place: str | os.PathLike[str], *, name: str
) -> Project:
    """Make a project that asks another question about the examples of a project.

    Whoever can log in there is in the new one in the same role, once both are served as a workspace.

    Parameters
    ----------
    lead : Project
        A file NAME.db, or a schema of PostgreSQL.
    changes : mapping
        Settings. How examples are shown is taken from the lead.
    place : str or path
        Where it is made: beside the lead, under ``name``.
    name : str

    Returns
    -------
    Project

    Raises
    ------
    InputError
        If the place is not beside the lead, the lead is no project that has examples of its own, or as
        `create_project`.
    StorageError
        If the database cannot be made.
    """
    beside = database_url(lead.database.beside(name))
    if beside != database_url(place):
        wanted = beside.database if lead.database.is_sqlite else beside.render_as_string(hide_password=True)
        raise InputError(f"{os.fspath(place)} is not beside {lead.database.name}; make it as {wanted}.")
    if (about := lead.ties.about) is not None:
        raise InputError(f"{lead.database.short_name!r} asks about the examples of {about!r}; name that one.")
    own = lead.settings.model_dump()
    shown = {one: own[one] for one in SHARED}
    settings = Settings(kind=shown.pop("kind")).changed({**shown, **changes})
    project = create_project(place, settings)
    people = lead.database.read(accounts.list_accounts)

    def enter(connection: Connection) -> None:
        for one in people:
            if one.has_password and not one.disabled:
                accounts.enter(connection, one.name, one.role, time.time())

    try:
        project.database.write(enter)
        tie(lead.database, project.database)
    except BaseException:
        discard(project.database)
        raise
    for one in (lead, project):
        one.refresh(0)
    return project


@contextmanager
def open_questions(project: Project) -> Iterator[list[tuple[str, Project]]]:
    """A project and those that ask about its examples, by name; of a companion, those of its lead.

    Raises
    ------
    InputError
        If one cannot be opened.
    """
    with ExitStack() as stack:
        lead = project
        if project.ties.about is not None:
            lead = stack.enter_context(open_project(project.database.beside(project.ties.about)))
        found = [(lead.database.short_name, lead)]
        for name in lead.ties.companions:
            place = lead.database.beside(name)
            if "://" in place or Path(place).is_file():
                one = stack.enter_context(open_project(place))
                if one.ties.about == found[0][0]:
                    found.append((name, one))
        yield found


def lease_together(
    asked: Sequence[Asked],
    count: int | None,
    *,
    have: Mapping[str, Sequence[int]] | None = None,
    hold: bool = True,
) -> list[tuple[Asked, Lease]]:
    """The next examples of somebody with all that is asked of them about each.

    Examples come from the queue of one of the questions, by lot, so that each gets its turn; the others are
    asked about them, too, where their round still wants a label and this person has not answered.

    Parameters
    ----------
    asked : sequence of Asked
        The questions of one person, the lead first.
    count : int or None
        Examples; None for as many as they may hold ahead.
    have : mapping of str to sequence of int, optional
        By question, leases to leave out, the one that is looked at first; see `Project.lease`.
    hold : bool
        As of `Project.lease`.

    Returns
    -------
    list of (Asked, Lease)
        Those of an example stand together, in the order of the questions.

    Raises
    ------
    InputError
        If they are disabled in one of the projects.
    ConflictError
        If they have to practise first in one.
    """
    there = {} if have is None else have
    found: dict[tuple[str, int], Lease] = {}  # by question and lease
    hands: dict[str, set[int]] = {one.name: set() for one in asked}  # examples

    def take(one: Asked, leases: Sequence[Lease]) -> None:
        hands[one.name] |= {held.example_id for held in leases}
        found.update({(one.name, held.id): held for held in leases})

    def complete(begun: Sequence[int] = ()) -> None:
        for one in asked:
            in_hand = list(dict.fromkeys([*begun, *(code for hand in hands.values() for code in hand)]))
            if more := [code for code in in_hand if code not in hands[one.name]]:
                take(one, one.project.lease_about(one.annotator_id, more, hold=hold))

    for one in asked:
        take(one, one.project.leases_of(one.annotator_id))
    draws = hold or not found
    # What is left of the example they are at is theirs, though it was only shown to them.
    complete([code for one in asked if (code := _latest(one)) is not None])
    for one in _by_lot(asked) if draws else ():
        known = there.get(one.name, ())
        own = len(hands[one.name])
        if count is None:
            take(one, one.project.lease(one.annotator_id, None, have=known, hold=hold))
            hands[one.name] = {held.example_id for held in one.project.leases_of(one.annotator_id)}
        else:
            new = count - len(set().union(*hands.values()))
            if new > 0:
                take(one, one.project.lease(one.annotator_id, own + new, have=known, hold=hold))
        complete()
    begun = set[int]()  # what is left of those comes first
    for one in asked:
        about = {"examples": [held.example_id for held in found.values()], "who": one.annotator_id}
        begun |= {*one.project.database.read(lambda c, about=about: c.execute(_BEGUN, about).scalars().all())}  # type: ignore[misc]
    nearest: dict[int, int] = {}  # to the head of one of the questions
    for one in asked:
        mine = [held.example_id for (name, _), held in found.items() if name == one.name]
        for place, code in enumerate(dict.fromkeys(mine)):
            nearest[code] = min(place, nearest.get(code, place))
    codes = sorted(nearest, key=lambda code: (code not in begun, nearest[code]))
    return [
        (one, held)
        for code in codes
        for one in asked
        for (name, _), held in found.items()
        if held.example_id == code and name == one.name and held.id not in there.get(name, ())
    ]


def _latest(one: Asked) -> int | None:
    """The example of somebody's latest answer; None if there is none."""
    return one.project.database.read(lambda c: c.execute(_LATEST, {"who": one.annotator_id}).scalar())


def _by_lot(asked: Sequence[Asked]) -> list[Asked]:
    """The questions from one of them on, at random, but the same as long as no example is leased."""
    last = [one.project.database.read(lambda c: c.execute(_LAST).scalar()) for one in asked]
    seed = asked[0].project.settings.seed, asked[0].annotator_id, last
    first = int.from_bytes(hashlib.blake2b(repr(seed).encode(), digest_size=8).digest()) % len(asked)
    return [*asked[first:], *asked[:first]]
