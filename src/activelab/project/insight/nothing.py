"""Why there is nothing to label for somebody, and when there may be."""

from __future__ import annotations

import time

import numpy as np
from sqlalchemy import Connection, exists, func, or_, select

from activelab.project._project import Project
from activelab.project.insight.results import Nothing
from activelab.project.labelling import rounds
from activelab.project.labelling.queue import labels_spent, must_practise
from activelab.project.labelling.rounds import Round
from activelab.project.labelling.shares import left_of_share
from activelab.project.settings import load_settings, load_value
from activelab.project.store.schema import WHOLE, answer, lease, queue
from activelab.project.training.trainer import due_now

_PAST = 5
"""Trainings whose median says how long the next takes."""


def why_nothing(project: Project, annotator_id: int) -> Nothing:
    """Why an annotator who holds nothing gets no example.

    Parameters
    ----------
    project : Project
    annotator_id : int

    Returns
    -------
    Nothing
        The first reason that holds, in the order of its field.
    """
    now = time.time()
    return project.database.read(lambda c: _why(c, annotator_id, now))


def _why(connection: Connection, annotator_id: int, now: float) -> Nothing:
    settings = load_settings(connection)
    number = rounds.current_round(connection)

    def because(reason: str, seconds: float | None = None) -> Nothing:
        return Nothing(reason=reason, seconds=seconds, automatic=settings.automatic)  # type: ignore[arg-type]

    if must_practise(connection, settings, annotator_id):
        return because("practice")
    least = settings.least_price - 1e-9
    if settings.budget is not None and settings.budget - labels_spent(connection, settings) < least:
        return because("budget")
    if not load_value(connection, "num_examples", 0):
        return because("empty")
    all_rounds = rounds.list_rounds(connection)
    last = all_rounds[-1] if all_rounds else None
    if last is not None and last.state == "running" and rounds.is_alive(last, now):
        return because("training", _left(all_rounds, now - last.started))
    if left_of_share(connection, settings, annotator_id, number) == 0:
        return because("share")
    held = select(func.min(lease.c.expires), func.count()).where(
        lease.c.state == "open", lease.c.expires > now, lease.c.annotator_id != annotator_id
    )
    answered = exists().where(
        answer.c.annotator_id == annotator_id,
        answer.c.example_id == lease.c.example_id,
        or_(answer.c.asked == WHOLE, answer.c.asked == lease.c.asked, answer.c.kind == "skip"),
    )
    first, new = connection.execute(held.where(~answered)).one()
    if new:
        return because("held", first - now)
    free = select(queue.c.example_id).where(queue.c.round_id == number, queue.c.remaining > 0).limit(1)
    if connection.execute(free).first() is not None or connection.execute(held).one()[1]:
        return because("seen")
    if due_now(connection, settings, now) is not None:
        return because("training", _left(all_rounds, 0.0))
    return because("done")


def _left(all_rounds: list[Round], since: float) -> float | None:
    """Seconds until a training that began some time ago is over, by how long the last ones took."""
    past = [
        one.finished - one.started
        for one in all_rounds
        if one.finished is not None and one.state == "ready" and one.summary.metrics is not None
    ]
    return max(float(np.median(past[-_PAST:])) - since, 1.0) if past else None
