"""Where a project stands, its rounds, and whether more labelling pays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, func, select

from activelab.project._project import Project
from activelab.project.insight.results import (
    CurvePoint,
    ErrorForecast,
    Forecast,
    MetricForecast,
    Overview,
    RoundNow,
    RoundRow,
    Training,
)
from activelab.project.insight.values import number
from activelab.project.labelling import rounds
from activelab.project.labelling.rounds import Round
from activelab.project.settings import Settings, load_settings, load_value
from activelab.project.store.schema import annotator, answer, decision, example, lease, queue
from activelab.project.training.due import news_for
from activelab.project.training.trainer import due_now

METRICS = {
    "expected_accuracy": "expected accuracy of the consensus labels",
    "cv_accuracy": "cross-validated accuracy against the majority of the annotators' labels",
}
WORTH = 0.002
"""A gain of less than this is called none."""

Verdict = Literal["pays", "levels off", "unclear"]
VERDICTS: dict[Verdict, str] = {
    "pays": "More labelling pays.",
    "levels off": "More labelling gains little now.",
    "unclear": "It is not clear whether more labelling pays.",
}
"""The verdict of a forecast in words, as page and report show it."""

_SUBJECTS = {"expected_accuracy": "consensus labels", "cv_accuracy": "model"}
_ROUNDS, _LEAST = 8, 4  # rounds a forecast rests on, at most and at least


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
    spent = one(select(func.sum(annotator.c.num_labels)))
    left = None if settings.budget is None else max(settings.budget - spent, 0)
    waiting, served = _round_now(connection, settings.train_every or settings.batch_size)
    return Overview(
        title=settings.title,
        kind=settings.kind,
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
        annotators=one(select(func.count(answer.c.annotator_id.distinct())).where(of_label)),
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
    order = rounds.load_array(connection, current, "order")
    free = select(func.count()).where(queue.c.round_id == current, queue.c.remaining > 0)
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
    return connection.execute(free).scalar_one() + len(order) - row.filled, served


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
    return [_row(one) for one in project.database.read(rounds.list_rounds)]


def _row(one: Round) -> RoundRow:
    said = one.summary
    measured = {} if said.metrics is None else said.metrics.model_dump(exclude={"seconds"})
    return RoundRow(
        **measured,
        round=one.id,
        state=one.state,
        started=one.started,
        finished=one.finished,
        seconds=None if one.finished is None else number(one.finished - one.started),
        last_event=one.last_event,
        method=said.method,
        models=said.models,
        temperature=said.temperature,
        model_weight=said.model_weight,
        annotator_accuracy=said.annotator_accuracy,
        notes=said.notes,
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
    ``expected_accuracy`` is what the consensus method believes of itself; gold examples check it.
    """
    return [
        CurvePoint(
            round=row.round,
            num_labels=row.num_labels,
            num_labelled=row.num_labelled,
            cv_accuracy=row.cv_accuracy,
            expected_accuracy=row.expected_accuracy,
            expected_errors=row.expected_errors,
            errors_removed=row.errors_removed,
            relabel_share=row.relabel_share,
            new_share=None if row.relabel_share is None else number(1 - row.relabel_share),
            finished=row.finished,
        )
        for row in rounds_table(project)
        if row.state == "ready" and row.num_labels is not None
    ]


# ------------------------------------------------------------------ whether to go on


def gain_forecast(project: Project) -> Forecast | None:
    """Whether more labelling still pays: what the next batch can be expected to gain.

    A straight line through the last rounds, in the logarithm of the number of labels, is continued by one
    batch; the interval is that of its slope. More labelling pays if a gain of one of the metrics is all but
    certain, and levels off if both are all but surely small. With prices they decide: what the errors that
    the next batch removes would cost, against its own price.

    Returns
    -------
    Forecast or None
        None with fewer than four rounds of different numbers of labels.
    """
    # Of rounds with the same labels the last counts.
    curve = [*{point.num_labels: point for point in learning_curve(project)}.values()][-_ROUNDS:]
    curve = sorted(curve, key=lambda point: point.num_labels)
    settings = project.refresh()
    after = settings.train_every or settings.batch_size
    measured: dict[str, Sequence[float | None]] = {
        "expected_accuracy": [point.expected_accuracy for point in curve],
        "cv_accuracy": [point.cv_accuracy for point in curve],
    }
    labels = [point.num_labels for point in curve]
    continued = {name: _continued(labels, values, after) for name, values in measured.items()}
    metrics = {name: metric for name, metric in continued.items() if metric is not None}
    if not metrics:
        return None
    errors = _errors(curve[-1], settings, after)
    verdict = _verdict([*metrics.values()], errors.paid)
    return Forecast(
        next_labels=after,
        verdict=verdict,
        sentence=VERDICTS[verdict],
        expectation=_expectation(metrics, after),
        based_on=(
            f"the last {len(curve)} rounds, from {labels[0]:,} to {labels[-1]:,} labels: a line in the "
            f"logarithm of the number of labels, continued by {after:,}. Both measures "
            "are the project's own estimates, not measured on known answers."
        ),
        errors=errors,
        metrics=metrics,
        rounds=len(curve),
    )


def _verdict(metrics: list[MetricForecast], paid: bool | None) -> Verdict:
    if paid is not None:
        return "pays" if paid else "levels off"
    if any((one.low or 0) > 0 and (one.gain or 0) >= WORTH for one in metrics):
        return "pays"
    small = [one.high is not None and one.high < WORTH for one in metrics]
    return "levels off" if all(small) else "unclear"


def _expectation(metrics: dict[str, MetricForecast], after: int) -> str:
    gains = "; ".join(
        f"{_SUBJECTS[name]} {_points(one.gain)} ({_points(one.low)} to {_points(one.high)})"
        for name, one in metrics.items()
    )
    return f"The next {after:,} labels may bring, in points of accuracy: {gains}."


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.1f}".replace("-", "−")


def _errors(point: CurvePoint, settings: Settings, after: int) -> ErrorForecast:
    """What the last round expects the next batch to remove, against its price."""
    removed, paid = point.errors_removed, None
    if removed is not None and settings.label_price is not None and settings.error_cost is not None:
        paid = removed * settings.error_cost > after * settings.label_price
    return ErrorForecast(now=point.expected_errors, removed=removed, paid=paid)


def _continued(counts: list[int], values: Sequence[float | None], after: int) -> MetricForecast | None:
    known = [(count, value) for count, value in zip(counts, values, strict=True) if value is not None]
    if len(known) < _LEAST:
        return None
    from scipy.stats import linregress, t

    labels, measured = np.array(known, dtype=np.float64).T
    line = linregress(np.log(labels), measured)
    step = float(np.log1p(after / labels[-1]))
    margin = float(t.ppf(0.9, len(known) - 2)) * float(line.stderr)
    return MetricForecast(
        now=number(measured[-1]),
        gain=number(line.slope * step),
        low=number((line.slope - margin) * step),
        high=number((line.slope + margin) * step),
        last_gains=[number(gain) for gain in np.diff(measured)],
    )
