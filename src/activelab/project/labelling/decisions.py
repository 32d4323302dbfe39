"""What is known of examples whatever annotators say: decisions of adjudicators, then known answers.

All functions work inside a transaction of the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from activelab._errors import InputError
from activelab._typing import Bools, Ints
from activelab.project.labelling.naming import load_naming
from activelab.project.labelling.queue import ConflictError, Recorded, known_request
from activelab.project.labelling.rounds import hold_round, settle_again
from activelab.project.settings import load_settings, load_value, store_value
from activelab.project.store.audit import write_audit
from activelab.project.store.schema import WHOLE, annotator, decision, event, example, unclear

SOURCE = "adjudication"
"""The source of the events; audits have their own."""

_CHANGES = "truth_changes"


@dataclass(frozen=True, eq=False)
class Truths:
    """The labels that are known.

    Attributes
    ----------
    label : ndarray of int32, shape (n_examples,)
        Class codes, -1 where nothing is known: the decision of an adjudicator, else the known answer.
    decided : ndarray of bool, shape (n_examples,)
        Where it is a decision.
    """

    label: Ints
    decided: Bools

    @property
    def known(self) -> Bools:
        """Where something is known."""
        known: Bools = self.label >= 0
        return known


def load_truths(connection: Connection) -> Truths:
    """What is known of each example of the pool."""
    size = int(load_value(connection, "num_examples", 0))
    label, decided = np.full(size, -1, dtype=np.int32), np.zeros(size, dtype=bool)
    gold = select(example.c.id, example.c.gold).where(example.c.gold.is_not(None), example.c.id < size)
    for code, right in connection.execute(gold):
        label[code] = right
    for code, right in connection.execute(select(decision.c.example_id, decision.c.class_code)):
        label[code], decided[code] = right, True
    return Truths(label, decided)


def any_label(connection: Connection) -> bool:
    """Whether anybody has ever said what class an example is of, or that is known."""
    said = select(event.c.id).where(event.c.class_code.is_not(None)).limit(1)
    known = select(example.c.id).where(example.c.gold.is_not(None)).limit(1)
    return connection.execute(said).first() is not None or connection.execute(known).first() is not None


def truths_changed(connection: Connection, number: int, now: float) -> None:
    """Count that decisions or known answers have come, changed or gone, which no round knows yet."""
    if number:
        store_value(connection, _CHANGES, [truth_changes(connection)[0] + number, now])


def truth_changes(connection: Connection) -> tuple[int, float]:
    """How many decisions and known answers have come, changed or gone so far, and when the last did."""
    number, when = load_value(connection, _CHANGES, [0, 0.0])
    return int(number), float(when)


def decided_among(connection: Connection, codes: Iterable[int]) -> dict[int, Any]:
    """The decisions on some examples: rows with class_code, name (of the adjudicator), time and reason."""
    query = (
        select(decision, annotator.c.name, event.c.time, event.c.reason)
        .join(annotator, annotator.c.id == decision.c.annotator_id)
        .join(event, event.c.id == decision.c.event_id)
        .where(decision.c.example_id.in_([*codes]))
    )
    return {row.example_id: row for row in connection.execute(query)}


def decide(
    connection: Connection,
    annotator_id: int,
    example_id: int,
    class_code: int,
    now: float,
    *,
    seconds: float | None = None,
    source: str = SOURCE,
    request: str | None = None,
    note: str | None = None,
) -> Recorded:
    """Store the label of an example as decided, in place of an earlier decision; nobody is asked again.

    Raises
    ------
    ConflictError
        If the request was one for something else.
    InputError
        If there is no such example.
    """
    hold_round(connection)
    repeated = known_request(connection, request, annotator_id, (example_id, WHOLE), ("decision",))
    if repeated is not None:
        return repeated
    _check_there(connection, example_id)
    before = _standing(connection, example_id)
    if before is not None:
        _remove(connection, before, annotator_id, now)
    said = {"annotator_id": annotator_id, "example_id": example_id, "class_code": class_code}
    identity = connection.execute(
        insert(event)
        .values(
            **said, kind="decision", time=now, seconds=seconds, source=source, request=request, reason=note
        )
        .returning(event.c.id)
    ).scalar_one()
    connection.execute(insert(decision).values(**said, event_id=identity))
    clear(connection, [example_id])
    settle_again(connection, load_settings(connection), [example_id])
    truths_changed(connection, 1, now)
    _audit(connection, annotator_id, "decided", example_id, class_code)
    return Recorded(identity)


def mark_unclear(
    connection: Connection, annotator_id: int, example_id: int, now: float, note: str | None = None
) -> None:
    """Say that the guidelines do not decide an example, in place of what was said before.

    Raises
    ------
    InputError
        If there is no such example.
    """
    _check_there(connection, example_id)
    clear(connection, [example_id])
    connection.execute(
        insert(unclear).values(example_id=example_id, annotator_id=annotator_id, time=now, note=note)
    )


def clear(connection: Connection, codes: Iterable[int]) -> int:
    """Take back that the guidelines do not decide some examples; of how many."""
    return connection.execute(delete(unclear).where(unclear.c.example_id.in_([*codes]))).rowcount


def undo_decision(
    connection: Connection, annotator_id: int, example_id: int, now: float, *, request: str | None = None
) -> Recorded:
    """Take back the decision on an example, whoever made it; the consensus counts again.

    Raises
    ------
    ConflictError
        If nothing is decided, or the request was one for something else.
    """
    hold_round(connection)
    repeated = known_request(connection, request, annotator_id, (example_id, WHOLE), ("undo",))
    if repeated is not None:
        return repeated
    before = _standing(connection, example_id)
    if before is None:
        raise ConflictError("there is nothing to undo: nobody has decided this example.")
    identity = _remove(connection, before, annotator_id, now, request)
    settle_again(connection, load_settings(connection), [example_id])
    truths_changed(connection, 1, now)
    _audit(connection, annotator_id, "decision undone", example_id, before.class_code)
    return Recorded(identity)


def _check_there(connection: Connection, example_id: int) -> None:
    if not 0 <= example_id < int(load_value(connection, "num_examples", 0)):
        raise InputError(f"there is no example {example_id:,}.")


def _standing(connection: Connection, example_id: int) -> Any:
    query = select(decision).where(decision.c.example_id == example_id)
    return connection.execute(query).one_or_none()


def _remove(
    connection: Connection, before: Any, annotator_id: int, now: float, request: str | None = None
) -> int:
    """Append that a decision no longer stands, and forget it where decisions are derived."""
    undone = insert(event).values(
        annotator_id=annotator_id,
        example_id=before.example_id,
        kind="undo",
        time=now,
        source=SOURCE,
        undoes=before.event_id,
        request=request,
    )
    connection.execute(delete(decision).where(decision.c.example_id == before.example_id))
    return int(connection.execute(undone.returning(event.c.id)).scalar_one())


def _audit(connection: Connection, by: int, action: str, example_id: int, class_code: int) -> None:
    name = connection.execute(select(example.c.name).where(example.c.id == example_id)).scalar_one()
    label = load_naming(connection).name(class_code)
    write_audit(connection, by, action, {"example": name, "label": label})
