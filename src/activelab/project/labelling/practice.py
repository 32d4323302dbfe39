"""Examples with known answers that newcomers practise on, told after each what is right.

What they say of them are no labels: neither budget nor consensus counts them, since whoever is told the
answers is not yet who will label. All functions work inside a transaction of the caller.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from activelab._errors import InputError
from activelab.project.labelling.decisions import decided_among
from activelab.project.labelling.queue import ConflictError, must_practise
from activelab.project.settings import Settings
from activelab.project.store.accounts import find_account, let_go
from activelab.project.store.audit import write_audit
from activelab.project.store.schema import annotator, decision, example, practice

AGAIN = 10
"""Examples of those who are sent to practise where newcomers do not."""


@dataclass(frozen=True)
class Practice:
    """How far somebody is with the examples to practise on.

    Attributes
    ----------
    due : bool
        Whether they have to, before they label.
    attempt, of, done, right, needed : int
        The attempt, its examples, how many are answered and right, and how many have to be.
    example_id : int or None
        The next example; None when all are answered.
    passed : bool or None
        None before all are answered.
    again : bool
        Whether they were sent to practise once more.
    """

    due: bool
    attempt: int
    of: int
    done: int
    right: int
    needed: int
    example_id: int | None
    passed: bool | None
    again: bool = False


@dataclass(frozen=True)
class Feedback:
    """What is told after an answer.

    Attributes
    ----------
    correct : bool
    label : int
        Code of the right answer.
    note : str or None
        Why it is right: the note of the decision on the example, if there is one.
    """

    correct: bool
    label: int
    note: str | None


def needed(settings: Settings, of: int) -> int:
    """How many of some examples have to be right."""
    return math.ceil(settings.pass_mark * of - 1e-9)


def practice_of(connection: Connection, settings: Settings, annotator_id: int) -> Practice:
    """Where somebody stands, in an attempt that is begun if there is none."""
    own = select(annotator.c.retrain).where(annotator.c.id == annotator_id).with_for_update()
    again = connection.execute(own).scalar() is not None
    due = must_practise(connection, settings, annotator_id)
    rows = _rows(connection, annotator_id)
    if not rows and due:
        _begin(connection, settings, annotator_id, 1)
        rows = _rows(connection, annotator_id)
    return replace(_state(settings, rows, due), again=again and due)


def begin_again(connection: Connection, settings: Settings, annotator_id: int) -> Practice:
    """Another attempt for somebody who has not passed.

    Raises
    ------
    ConflictError
        If they have passed, or are in the middle of one.
    """
    now = practice_of(connection, settings, annotator_id)
    if not now.due or now.passed is not False:
        raise ConflictError("there is nothing to repeat now.")
    _begin(connection, settings, annotator_id, now.attempt + 1)
    return _state(settings, _rows(connection, annotator_id), True)


def answer_practice(
    connection: Connection, settings: Settings, annotator_id: int, example_id: int, label: int, now: float
) -> Feedback:
    """Store what somebody says of the next example, and say what is right.

    Sent again it is told again, and stored once.

    Raises
    ------
    ConflictError
        If another example is next.
    """
    before = practice_of(connection, settings, annotator_id)
    truth = select(func.coalesce(decision.c.class_code, example.c.gold))
    truth = truth.select_from(example.outerjoin(decision, decision.c.example_id == example.c.id))
    right = connection.execute(truth.where(example.c.id == example_id)).scalar()
    row = (practice.c.annotator_id == annotator_id) & (practice.c.attempt == before.attempt)
    row &= practice.c.example_id == example_id
    answered = connection.execute(select(practice.c.class_code).where(row)).scalar()
    if right is None or (answered is None and before.example_id != example_id):
        raise ConflictError("this example is not the next; load the page again.")
    if answered is None:
        connection.execute(
            update(practice).where(row).values(class_code=label, correct=label == right, time=now)
        )
        if practice_of(connection, settings, annotator_id).passed:
            _admit(connection, annotator_id, now)
    told = decided_among(connection, [example_id]).get(example_id)
    said = label if answered is None else answered
    return Feedback(said == right, right, None if told is None else told.reason)


def send_to_practise(
    connection: Connection, settings: Settings, by: int | None, annotator_id: int, now: float
) -> int:
    """Have somebody practise again before they get new examples; on how many.

    What they hold goes back to the others; what they have answered already is stored when it comes.

    Raises
    ------
    ConflictError
        If they have to practise already.
    InputError
        If there is no such account, it is of somebody who does not practise, or no answer is known.
    """
    account = find_account(connection, identity=annotator_id)
    if account is None:
        raise InputError(f"there is no annotator {annotator_id}.")
    if account.role != "annotator" or account.disabled or not account.has_password:
        raise InputError(f"{account.name} does not practise: annotators do who can log in.")
    if must_practise(connection, settings, annotator_id):
        raise ConflictError(f"{account.name} has to practise already.")
    last = select(func.coalesce(func.max(practice.c.attempt), 0)).where(
        practice.c.annotator_id == annotator_id
    )
    of = _begin(connection, settings, annotator_id, connection.execute(last).scalar_one() + 1)
    if not of:
        raise InputError(
            "there is nothing to practise on: no example has a known answer. Give some of them one, on the "
            "page Browse (choose examples, then: known answer), or import known answers on the page Data."
        )
    connection.execute(update(annotator).where(annotator.c.id == annotator_id).values(retrain=now))
    let_go(connection, annotator_id)
    write_audit(connection, by, "sent to practise", {"name": account.name})
    return of


def admit(connection: Connection, by: int | None, annotator_id: int, now: float) -> None:
    """Let somebody label who has not passed.

    Raises
    ------
    InputError
        If there is no such account.
    """
    name = connection.execute(select(annotator.c.name).where(annotator.c.id == annotator_id)).scalar()
    if name is None:
        raise InputError(f"there is no annotator {annotator_id}.")
    _admit(connection, annotator_id, now)
    write_audit(connection, by, "let in", {"name": name})


def _admit(connection: Connection, annotator_id: int, now: float) -> None:
    connection.execute(update(annotator).where(annotator.c.id == annotator_id).values(admitted=now))


def attempts(connection: Connection) -> dict[int, tuple[int, int, int, int]]:
    """Of each who practised: attempts, and of the last how many are right, answered, and asked.

    Attempts before somebody was sent to practise again are not counted.
    """
    columns = practice.c.annotator_id, practice.c.attempt
    query = (
        select(
            *columns,
            func.count(),
            func.count(practice.c.class_code),
            func.count().filter(practice.c.correct),
            func.max(practice.c.time) < annotator.c.retrain,
        )
        .join(annotator, annotator.c.id == practice.c.annotator_id)
        .group_by(*columns, annotator.c.retrain)
        .order_by(*columns)
    )
    found: dict[int, tuple[int, int, int, int]] = {}
    for who, _, of, done, right, before in connection.execute(query):
        found[who] = (0 if before else found.get(who, (0,))[0] + 1, right, done, of)
    return found


def _rows(connection: Connection, annotator_id: int) -> list[Any]:
    """The examples of the last attempt, in their order."""
    last = select(func.max(practice.c.attempt)).where(practice.c.annotator_id == annotator_id)
    query = select(practice).where(
        practice.c.annotator_id == annotator_id, practice.c.attempt == last.scalar_subquery()
    )
    return [*connection.execute(query.order_by(practice.c.position))]


def _state(settings: Settings, rows: list[Any], due: bool) -> Practice:
    done = [row for row in rows if row.class_code is not None]
    right, least = sum(bool(row.correct) for row in done), needed(settings, len(rows))
    following = next((row.example_id for row in rows if row.class_code is None), None)
    passed = right >= least if rows and following is None else None
    attempt = rows[0].attempt if rows else 0
    return Practice(due, attempt, len(rows), len(done), right, least, following, passed)


def _begin(connection: Connection, settings: Settings, annotator_id: int, attempt: int) -> int:
    """Draw the examples of an attempt: first those they have not seen, in an order of their own; how many."""
    seen = Counter(
        connection.execute(
            select(practice.c.example_id).where(practice.c.annotator_id == annotator_id)
        ).scalars()
    )
    free = connection.execute(select(example.c.id).where(example.c.gold.is_not(None))).scalars()

    def key(code: int) -> tuple[int, bytes]:
        return seen[code], hashlib.blake2b(f"{annotator_id}/{attempt}/{code}".encode()).digest()

    chosen = sorted(free, key=key)[: settings.training_examples or AGAIN]
    rows = [
        {"annotator_id": annotator_id, "attempt": attempt, "position": place, "example_id": code}
        for place, code in enumerate(chosen)
    ]
    if rows:
        connection.execute(insert(practice), rows)
    return len(rows)
