"""Helpers of the insight functions: plain values, and what the current round stores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from activelab._typing import Floats, Ints
from activelab.project.insight.results import Decision, Vote
from activelab.project.labelling import rounds
from activelab.project.labelling.decisions import decided_among
from activelab.project.labelling.naming import Naming
from activelab.project.store.schema import annotator, answer, event


def number(value: Any) -> float | None:
    """A number with six digits behind the point; None for NaN and infinity."""
    value = float(value)
    return round(value, 6) if math.isfinite(value) else None


@dataclass(frozen=True, eq=False)
class Scored:
    """The round that is served, and what it says of each example.

    Attributes
    ----------
    round : Round
    scores, quality : ndarray of float32
        NaN for examples added since.
    consensus, predicted : ndarray of int32
        Class codes, -1 where there is none.
    target : ndarray of int32
        Consensus the scores rest on, if the method has its own.
    expected_error : ndarray of float32 or None
        Of a scale: expected distance of the consensus from the truth.
    exact : ndarray of float32 or None
        Of sets of classes: probability that the consensus is right in every class.
    """

    round: rounds.Round
    scores: Floats
    quality: Floats
    consensus: Ints
    predicted: Ints
    target: Ints
    expected_error: Floats | None
    exact: Floats | None


def scored(connection: Connection) -> Scored | None:
    """The current round, if it was trained."""
    current = rounds.current_round(connection)
    if current < 0:
        return None
    arrays = {
        name: rounds.load_array(connection, current, name)
        for name in ("scores", "quality", "consensus", "predicted")
    }
    if any(values is None for values in arrays.values()):
        return None
    # Rounds of earlier versions have one consensus for both.
    target = rounds.load_array(connection, current, "target")
    return Scored(
        rounds.get_round(connection, current),
        **arrays,
        target=arrays["consensus"] if target is None else target,
        expected_error=rounds.load_array(connection, current, "expected_error"),
        exact=rounds.load_array(connection, current, "exact"),
    )


def decision_on(connection: Connection, naming: Naming, example_id: int) -> Decision | None:
    """The decision on an example, if there is one."""
    row = decided_among(connection, [example_id]).get(example_id)
    if row is None:
        return None
    return Decision(
        label=naming.name(row.class_code) or [], annotator=row.name, time=row.time, note=row.reason
    )


def votes(connection: Connection, naming: Naming, ids: list[int]) -> dict[int, list[Vote]]:
    """All answers to some examples, oldest first."""
    given: dict[int, list[Vote]] = {code: [] for code in ids}
    current = rounds.current_round(connection)
    known = {} if current < 0 else rounds.get_round(connection, current).summary.annotators
    query = (
        select(
            answer.c.example_id, answer.c.event_id, annotator.c.name, answer.c.kind, answer.c.class_code,
            answer.c.asked, answer.c.bulk, answer.c.flagged, event.c.reason, event.c.seconds,
            event.c.time, event.c.source,
        )
        .join(annotator, annotator.c.id == answer.c.annotator_id)
        .join(event, event.c.id == answer.c.event_id)
        .where(answer.c.example_id.in_(ids))
        .order_by(answer.c.event_id)
    )  # fmt: skip
    for row in connection.execute(query):
        given[row.example_id].append(
            Vote(
                event=row.event_id,
                annotator=row.name,
                kind=row.kind,
                label=naming.name(row.class_code),
                asked=naming.class_name(row.asked),
                reason=row.reason,
                bulk=row.bulk,
                flagged=row.flagged,
                seconds=None if row.seconds is None else number(row.seconds),
                time=row.time,
                source=row.source,
                accuracy=known[row.name].accuracy if row.name in known else None,
            )
        )
    return given
