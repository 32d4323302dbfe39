"""When labelling ends at the pace of these days, what it costs, and how the classes stand."""

from __future__ import annotations

import math
import time

import numpy as np
from sqlalchemy import Connection, select

from activelab._typing import Ints
from activelab.project._project import Project
from activelab.project.insight.browse import skip_reasons
from activelab.project.insight.final import FinalLabels, final_labels
from activelab.project.insight.person import DAYS, labels_by_day
from activelab.project.insight.results import ClassRow, Confusion, Plan
from activelab.project.insight.values import number, scored
from activelab.project.settings import Settings, load_settings
from activelab.project.store.schema import annotator

WEEK = 7
"""Days of which the pace is the mean, from the first on which anybody labelled."""

_DAY = 86_400


def plan(project: Project, now: float | None = None) -> Plan:
    """Pace, end, money and classes of a project.

    The pace is the mean number of labels a day over the last seven days, without those before the first
    label among them; the end is when the budget is spent at this pace. Money is known where prices of
    annotators, or of a label, are set.
    """
    now = time.time() if now is None else now
    final = final_labels(project)

    def load(connection: Connection) -> Plan:
        settings = load_settings(connection)
        days = np.sum([[0] * DAYS, *labels_by_day(connection, now).values()], axis=0).tolist()
        columns = annotator.c.name, annotator.c.num_labels, annotator.c.num_single
        rows = [row for row in connection.execute(select(*columns)) if row.num_labels]
        collected = {row.name: settings.cost_of(row.num_labels, row.num_single) for row in rows}
        spent = sum(collected.values())
        left = None if settings.budget is None else round(max(settings.budget - spent, 0), 2)
        pace = _pace(days)
        # An answer about one class is less than a label.
        cost = spent / sum(row.num_labels for row in rows) if rows else 1.0
        paid = _paid(settings, collected)
        current = scored(connection)
        return Plan(
            days=days,
            pace=pace,
            left=left,
            ends=now + _DAY * left / (pace * cost) if left and pace else None,
            paid=paid,
            to_pay=paid / spent * left if paid is not None and spent and left is not None else None,
            classes=_classes(final),
            confusion=None if current is None else _confusion(final, current.predicted),
            reasons=skip_reasons(connection),
        )

    return project.database.read(load)


def _pace(days: list[int]) -> float | None:
    recent = days[-WEEK:]
    first = next((day for day, count in enumerate(recent) if count), None)
    return None if first is None else number(sum(recent) / (len(recent) - first))


def _paid(settings: Settings, collected: dict[str, float]) -> float | None:
    """What the labels collected here have cost; None where the price of one is not known."""
    prices = settings.price_of()
    each = [(prices.get(name, settings.label_price), count) for name, count in collected.items()]
    if not prices and settings.label_price is None:
        return None
    known = [price * count for price, count in each if price is not None]
    return math.fsum(known) if len(known) == len(each) else None


def _classes(final: FinalLabels) -> list[ClassRow]:
    """How many examples have each class, and how sure that is."""
    there = final.label >= 0
    rows = []
    for code, name in enumerate(final.naming.classes):
        if final.naming.sets is None:
            of = final.label == code
        else:
            of = there & np.append(final.naming.members[:, code], False)[final.label]
        sure = final.quality[of & ~np.isnan(final.quality)]
        whole = final.naming.sets is None and len(sure)
        rows.append(
            ClassRow(
                name=name,
                examples=int(of.sum()),
                share=number(of.sum() / there.sum()) if there.any() else None,
                quality=number(sure.mean()) if whole else None,
            )
        )
    return rows


def _confusion(final: FinalLabels, predicted: Ints) -> Confusion | None:
    """What the model predicts (columns) where a label counts (rows)."""
    if final.naming.sets is not None:
        return None
    classes = final.naming.classes
    size = min(len(predicted), len(final.label))
    both = (final.label[:size] >= 0) & (predicted[:size] >= 0)
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (final.label[:size][both], predicted[:size][both]), 1)
    return Confusion(classes=list(classes), counts=counts.tolist())
