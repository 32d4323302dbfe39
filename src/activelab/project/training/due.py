"""What the server and the process that trains both have to know; without the weight of the classifiers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from activelab.project.labelling.class_history import changed_since
from activelab.project.labelling.decisions import truth_changes
from activelab.project.labelling.rounds import Round
from activelab.project.store.schema import answer

MIN_LABELLED = 5
"""Labelled examples without which nothing is trained."""


@dataclass(frozen=True)
class News:
    """What a round does not know yet.

    Attributes
    ----------
    labels : int
    truths : int
        Decisions and known answers that have come, changed or gone; none before the first trained round.
    last_truth : float
        When the last of these did, in seconds since 1970.
    classes : bool
        Whether classes were merged, split or retired, so that what it says is of others.
    """

    labels: int
    truths: int
    last_truth: float
    classes: bool = False

    @property
    def number(self) -> int:
        """Labels and truths: a decision tells at least as much as a label."""
        return self.labels + self.truths

    def __str__(self) -> str:
        parts = [f"{self.labels:,} new labels"] if self.labels or not self.truths else []
        if self.truths:
            parts.append(f"{self.truths:,} new known answers")
        return " and ".join(parts)


def news_for(connection: Connection, current: Round) -> News:
    """What a round does not know yet."""
    labels = connection.execute(
        select(func.count())
        .select_from(answer)
        .where(answer.c.event_id > current.last_event, answer.c.kind == "label")
    ).scalar_one()
    number, when = truth_changes(connection)
    known = current.summary.truth_changes or 0
    trained = current.summary.trained
    other = bool(trained and changed_since(connection, current.id))
    return News(labels, number - known if trained else 0, when, other)


def enough(connection: Connection) -> str | None:
    """Why there are too few labels to train; None if there are enough."""
    labelled = select(answer.c.example_id).where(answer.c.kind == "label")
    few = labelled.distinct().limit(MIN_LABELLED).subquery()
    number = connection.execute(select(func.count()).select_from(few)).scalar_one()
    if number < MIN_LABELLED:
        return f"training needs at least {MIN_LABELLED} labelled examples; there are {number}."
    kinds = select(answer.c.class_code).where(answer.c.kind == "label").distinct().limit(2)
    if len(connection.execute(kinds).all()) < 2:
        return "training needs labels of at least two classes; all labels so far are of one."
    return None
