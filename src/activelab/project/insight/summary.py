"""Where a project stands, and its rounds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from activelab.project._project import Project
from activelab.project.insight.results import (
    CurvePoint,
    Overview,
    RoundNow,
    RoundRow,
    Training,
)
from activelab.project.insight.values import number
from activelab.project.labelling import rounds
from activelab.project.labelling.class_history import ClassChange, load_changes
from activelab.project.labelling.companions import load_ties
from activelab.project.labelling.queue import ABSTENTION, labels_spent
from activelab.project.labelling.rounds import Round
from activelab.project.settings import load_settings, load_value
from activelab.project.store.schema import answer, decision, example, lease, queue
from activelab.project.training.due import news_for
from activelab.project.training.trainer import due_now


def overview(project: Project) -> Overview:
    """Where the project stands now."""
    return project.database.read(_overview)


def _overview(connection: Connection) -> Overview:
    settings, now = load_settings(connection), time.time()

    def one(query: Any) -> int:
        return int(connection.execute(query).scalar_one() or 0)

    def count(*conditions: Any) -> int:
        return one(select(func.count()).where(*conditions))

    of_label = answer.c.kind == "label"
    spent = round(labels_spent(connection, settings), 2)
    left = None if settings.budget is None else round(max(settings.budget - spent, 0), 2)
    ties = load_ties(connection)
    waiting, served = _round_now(connection, settings.train_every or settings.batch_size)
    return Overview(
        title=settings.title,
        kind=settings.kind,
        question=settings.question,
        classes=list(settings.classes),
        method=settings.method,
        budget=settings.budget,
        spent=spent,
        left=left,
        labels=count(of_label),
        examples=int(load_value(connection, "num_examples", 0)),
        labelled=one(select(func.count(answer.c.example_id.distinct())).where(of_label)),
        gold=count(example.c.gold.is_not(None)),
        decided=count(decision.c.example_id.is_not(None)),
        abstentions=count(answer.c.kind == ABSTENTION),
        skips=count(answer.c.kind == "skip"),
        annotators=one(select(func.count(answer.c.annotator_id.distinct())).where(of_label)),
        about=ties.about,
        questions=[*ties.companions],
        open_leases=count(lease.c.state == "open", lease.c.expires > now),
        queue_length=waiting,
        round=served,
        training=_training(connection, now),
    )


def _round_now(connection: Connection, wanted: int) -> tuple[int, RoundNow | None]:
    """How many examples wait in the round that is served, and what it is; one has begun after ``wanted``."""
    current = rounds.current_round(connection)
    if current < 0:
        return 0, None
    row = rounds.get_round(connection, current)
    news = news_for(connection, row)
    served = RoundNow(
        number=current,
        trained=row.summary.trained,
        finished=row.finished,
        new_labels=news.labels,
        new_truths=news.truths,
        train_every=wanted,
        share=number(min(news.number / wanted, 1)),
    )
    return waiting(connection, current), served


def waiting(connection: Connection, number: int) -> int:
    """How many examples of a round wait to be labelled: free in the queue, or not in it yet."""
    order = rounds.load_array(connection, number, "order")
    free = select(func.count()).where(queue.c.round_id == number, queue.c.remaining > 0)
    return (
        int(connection.execute(free).scalar_one()) + len(order) - rounds.get_round(connection, number).filled
    )


def _training(connection: Connection, now: float) -> Training:
    settings, all_rounds = load_settings(connection), rounds.list_rounds(connection)
    last = all_rounds[-1] if all_rounds else None
    running = last is not None and last.state == "running" and rounds.is_alive(last, now)
    failed = last is not None and last.state == "failed"
    return Training(
        state="running" if running else "failed" if failed else "idle",
        since=last.started if last is not None and running else None,
        due=due_now(connection, settings, now),
        automatic=settings.automatic,
        error=last.summary.error if last is not None and failed else None,
    )


# ------------------------------------------------------------------ rounds


def rounds_table(project: Project) -> list[RoundRow]:
    """All rounds, oldest first, with what they measured where they were trained."""
    known, changes = project.database.read(lambda c: (rounds.list_rounds(c), load_changes(c)))
    return [_row(one, changes) for one in known]


def _row(one: Round, changes: Sequence[ClassChange]) -> RoundRow:
    said = one.summary
    since = [change.words for change in changes if change.renumbers and change.round_id >= one.id]
    notes = [f"Measured in the classes before: {'; '.join(since)}."] if since and said.metrics else []
    measured = {} if said.metrics is None else said.metrics.model_dump(exclude={"seconds"})
    relabels = measured.get("relabel_share")
    return RoundRow(
        **measured,
        round=one.id,
        finished=one.finished,
        seconds=None if one.finished is None else number(one.finished - one.started),
        new_share=None if relabels is None else number(1 - relabels),
        state=one.state,
        started=one.started,
        last_event=one.last_event,
        method=said.method,
        models=said.models,
        temperature=said.temperature,
        model_weight=said.model_weight,
        annotator_accuracy=said.annotator_accuracy,
        notes=[*said.notes, *notes],
        error=said.error,
    )


def learning_curve(project: Project) -> list[CurvePoint]:
    """What each trained round measured, oldest first.

    Notes
    -----
    The prediction of an example comes from models fitted without it, and the majority vote knows no model, so
    neither can flatter the other. Annotators err, however, and what is hard to decide is labelled first, so
    ``cv_accuracy`` is as a rule lower than the accuracy against the truth over the whole pool. It rises when
    the models get better, and also when more labels an example make the votes more reliable.
    ``expected_accuracy`` is an expectation, between ``expected_low`` and ``expected_high``; audits check it.
    """
    return [
        CurvePoint.model_validate(row.model_dump(include={*CurvePoint.model_fields}))
        for row in rounds_table(project)
        if row.state == "ready" and row.num_labels is not None
    ]
