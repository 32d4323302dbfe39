"""Audits: labels drawn for a trusted person to check, and the checks, which are decisions.

Whoever checks must not see what annotators and models say: agreeing is easier than judging. All functions
work inside a transaction of the caller.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, insert, select, update

from activelab._errors import InputError
from activelab._typing import Floats, Ints
from activelab.project.labelling.decisions import decide
from activelab.project.labelling.queue import ConflictError, Recorded, check_version, known_request
from activelab.project.labelling.rounds import hold_round
from activelab.project.store.audit import write_audit
from activelab.project.store.schema import WHOLE, annotator, audit_check, decision, event, quality_audit

SOURCE = "audit"
"""The source of the events."""

_LABELS = np.dtype([("label", "<i4"), ("quality", "<f4"), ("stratum", "i1")])


@dataclass(frozen=True, eq=False)
class Drawn:
    """The labels of an audit as they were when it was drawn.

    Attributes
    ----------
    label : ndarray of int32, shape (n_examples,)
        Class codes of the labels that counted, -1 where there was none.
    quality : ndarray of float32, shape (n_examples,)
    stratum : ndarray of int8, shape (n_examples,)
        -1 for labels that are not audited: decided or known.
    """

    label: Ints
    quality: Floats
    stratum: Ints


@dataclass(frozen=True)
class Audited:
    """An audit.

    Attributes
    ----------
    id, seed, drawn, last_event : int
    time : float
    by : str or None
        Who drew it; None for the command line.
    round_id : int or None
    """

    id: int
    seed: int
    drawn: int
    last_event: int
    time: float
    by: str | None
    round_id: int | None


@dataclass(frozen=True)
class Check:
    """A label that is to be checked.

    Attributes
    ----------
    position, example_id : int
    class_code : int or None
        What whoever checked it decided, None before and after an undo.
    by : str or None
    """

    position: int
    example_id: int
    class_code: int | None
    by: str | None


def store_audit(
    connection: Connection,
    drawn: Drawn,
    examples: Ints,
    now: float,
    *,
    by: int | None,
    seed: int,
    round_id: int | None,
    last_event: int,
    version: int,
) -> int:
    """Store what is drawn, as codes of a version of the classes; the number of the audit.

    Raises
    ------
    ConflictError
        If the classes have changed meanwhile.
    """
    hold_round(connection)
    check_version(connection, version)
    number = 1 + int(connection.execute(select(func.coalesce(func.max(quality_audit.c.id), 0))).scalar_one())
    connection.execute(
        insert(quality_audit).values(
            id=number,
            time=now,
            annotator_id=by,
            seed=seed,
            round_id=round_id,
            last_event=last_event,
            drawn=len(examples),
            labels=packed(drawn),
        )
    )
    rows = [
        {"audit_id": number, "position": place, "example_id": code}
        for place, code in enumerate(examples.tolist())
    ]
    connection.execute(insert(audit_check), rows)
    write_audit(connection, by, "audit drawn", {"audit": number, "labels": len(rows), "seed": seed})
    return number


def check(
    connection: Connection,
    annotator_id: int,
    audit_id: int,
    example_id: int,
    class_code: int,
    now: float,
    *,
    seconds: float | None = None,
    request: str | None = None,
) -> Recorded:
    """Store what is right for an example, as a decision; it counts in every audit that asks for it.

    Raises
    ------
    ConflictError
        If it is checked already, or the request was one for something else.
    InputError
        If the audit does not ask for it.
    """
    hold_round(connection)
    repeated = known_request(connection, request, annotator_id, (example_id, WHOLE), ("decision",))
    if repeated is not None:
        return repeated
    asked = [one for one in list_checks(connection, audit_id) if one.example_id == example_id]
    if not asked:
        raise InputError(f"audit {audit_id} does not ask for example {example_id}.")
    if asked[0].class_code is not None:
        raise ConflictError(f"{asked[0].by} has checked this example already.")
    stored = decide(
        connection,
        annotator_id,
        example_id,
        class_code,
        now,
        seconds=seconds,
        source=SOURCE,
        request=request,
    )
    of_example = audit_check.c.example_id == example_id
    connection.execute(update(audit_check).where(of_example).values(event_id=stored.event_id))
    return stored


def list_audits(connection: Connection) -> list[Audited]:
    """All audits, the latest first."""
    columns = ("id", "seed", "drawn", "last_event", "time", "round_id")
    query = (
        select(*(quality_audit.c[name] for name in columns), annotator.c.name.label("by"))
        .outerjoin(annotator, annotator.c.id == quality_audit.c.annotator_id)
        .order_by(quality_audit.c.id.desc())
    )
    return [Audited(**row._mapping) for row in connection.execute(query)]


def list_checks(connection: Connection, audit_id: int) -> list[Check]:
    """What an audit asks for, in its order.

    A check whose decision was undone is open again; a later decision on the example corrects it.
    """
    query = (
        select(audit_check, decision.c.class_code, annotator.c.name)
        .outerjoin(
            decision,
            (decision.c.example_id == audit_check.c.example_id) & audit_check.c.event_id.is_not(None),
        )
        .outerjoin(annotator, annotator.c.id == decision.c.annotator_id)
        .where(audit_check.c.audit_id == audit_id)
        .order_by(audit_check.c.position)
    )
    return [
        Check(row.position, row.example_id, row.class_code, row.name) for row in connection.execute(query)
    ]


def load_drawn(connection: Connection, audit_id: int) -> Drawn:
    """The labels of an audit as they were."""
    data = connection.execute(select(quality_audit.c.labels).where(quality_audit.c.id == audit_id))
    return read_drawn(data.scalar_one())


def packed(drawn: Drawn) -> bytes:
    """The labels of an audit as they are stored."""
    table = np.empty(len(drawn.label), dtype=_LABELS)
    table["label"], table["quality"], table["stratum"] = drawn.label, drawn.quality, drawn.stratum
    file = io.BytesIO()
    np.save(file, table, allow_pickle=False)
    return file.getvalue()


def read_drawn(data: bytes) -> Drawn:
    """The labels that `store_audit` stored.

    Raises
    ------
    ValueError
        If they are damaged.
    """
    table = np.load(io.BytesIO(data), allow_pickle=False)
    if table.dtype != _LABELS or table.ndim != 1:
        raise ValueError("no labels of an audit")
    return Drawn(table["label"], table["quality"], table["stratum"])


def checked_events(connection: Connection) -> Sequence[Any]:
    """Checks with the event they name, for whoever looks for damage."""
    query = select(audit_check.c.audit_id, audit_check.c.position, event.c.kind).outerjoin(
        event, event.c.id == audit_check.c.event_id
    )
    return connection.execute(query.where(audit_check.c.event_id.is_not(None))).all()
