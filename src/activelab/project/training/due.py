"""What the server and the process that trains both have to know; without the weight of the classifiers."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from activelab.project.store.schema import answer

MIN_LABELLED = 5
"""Labelled examples without which nothing is trained."""


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
