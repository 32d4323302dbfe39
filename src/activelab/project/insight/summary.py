"""What a project knows about itself, as plain values: for the dashboard, the report and the status.

Everything is ready for JSON; what cannot be estimated is None.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from activelab.project._project import Project
from activelab.project.insight.examples import adjudication_list, quality_histogram, queue_head, why_served
from activelab.project.insight.people import annotator_table, pair_agreement
from activelab.project.insight.values import number
from activelab.project.labelling import rounds
from activelab.project.settings import Settings, load_settings, load_value
from activelab.project.store.schema import annotator, answer, assignment, example, queue
from activelab.project.training.trainer import due_now

__all__ = [
    "adjudication_list",
    "annotator_table",
    "gain_forecast",
    "learning_curve",
    "overview",
    "pair_agreement",
    "quality_histogram",
    "queue_head",
    "rounds_table",
    "why_served",
]

METRICS = {
    "expected_accuracy": "expected accuracy of the consensus labels",
    "cv_accuracy": "cross-validated accuracy against the majority of the annotators' labels",
}
WORTH = 0.002
"""A gain of less than this is called none."""

_ERRORS = ("expected_errors", "errors_removed")
_ROUNDS, _LEAST = 8, 4  # rounds a forecast rests on, at most and at least


def overview(project: Project) -> dict[str, Any]:
    """Where the project stands now.

    Returns
    -------
    dict
        ``title``, ``kind``, ``classes``, ``method``; ``budget``, ``spent`` and ``left`` (None without one);
        ``labels`` (imported ones too), ``examples``, ``labelled``, ``gold``, ``annotators`` (people with a
        label), ``open_leases``, ``queue_length`` (examples of the round still to be served); ``round`` with
        ``number``, ``trained``, ``finished``, ``new_labels``, ``train_every`` and ``share`` done of it;
        ``training`` with ``state`` (running, failed, idle), ``since``, ``due`` (why a round is due),
        ``automatic`` and ``error`` of the last failure.
    """
    return project.database.read(_overview)


def _overview(connection: Connection) -> dict[str, Any]:
    settings, now = load_settings(connection), time.time()

    def one(query: Any) -> int:
        return int(connection.execute(query).scalar_one() or 0)

    def count(*conditions: Any) -> int:
        return one(select(func.count()).where(*conditions))

    of_label = answer.c.kind == "label"
    spent = one(select(func.sum(annotator.c.num_labels)))
    return {
        "title": settings.title,
        "kind": settings.kind,
        "classes": list(settings.classes),
        "method": settings.method,
        "budget": settings.budget,
        "spent": spent,
        "left": None if settings.budget is None else max(settings.budget - spent, 0),
        "labels": count(of_label),
        "examples": int(load_value(connection, "num_examples", 0)),
        "labelled": one(select(func.count(answer.c.example_id.distinct())).where(of_label)),
        "gold": count(example.c.gold.is_not(None)),
        "annotators": one(select(func.count(answer.c.annotator_id.distinct())).where(of_label)),
        "open_leases": count(assignment.c.state == "open", assignment.c.expires > now),
        **_round_now(connection, settings.train_every or settings.batch_size),
        "training": _training(connection, now),
    }


def _round_now(connection: Connection, wanted: int) -> dict[str, Any]:
    current = rounds.current_round(connection)
    if current < 0:
        return {"queue_length": 0, "round": None}
    row = rounds.get_round(connection, current)
    order = rounds.load_array(connection, current, "order")
    free = select(func.count()).where(queue.c.round_id == current, queue.c.remaining > 0)
    since = select(func.count()).where(answer.c.event_id > row.last_event, answer.c.kind == "label")
    new = connection.execute(since).scalar_one()
    return {
        "queue_length": connection.execute(free).scalar_one() + len(order) - row.filled,
        "round": {
            "number": current,
            "trained": "metrics" in row.summary,
            "finished": row.finished,
            "new_labels": new,
            "train_every": wanted,
            "share": number(min(new / wanted, 1)),
        },
    }


def _training(connection: Connection, now: float) -> dict[str, Any]:
    settings, all_rounds = load_settings(connection), rounds.list_rounds(connection)
    last = all_rounds[-1] if all_rounds else None
    running = last is not None and last.state == "running" and rounds.is_alive(last, now)
    failed = last is not None and last.state == "failed"
    return {
        "state": "running" if running else "failed" if failed else "idle",
        "since": last.started if last is not None and running else None,
        "due": due_now(connection, settings, now),
        "automatic": settings.automatic,
        "error": last.summary.get("error") if last is not None and failed else None,
    }


# ------------------------------------------------------------------ rounds


def rounds_table(project: Project) -> list[dict[str, Any]]:
    """All rounds, oldest first.

    Returns
    -------
    list of dict
        ``round``, ``state``, ``started``, ``finished``, ``seconds``, ``last_event``; ``method``, ``models``,
        ``temperature``, ``model_weight``, ``annotator_accuracy``, ``notes``, ``error`` and the metrics
        ``num_labels``, ``num_labelled``, ``num_examples``, ``cv_accuracy``, ``expected_accuracy``,
        ``expected_errors``, ``errors_removed``, ``relabel_share``, where a round has them.
    """
    table = []
    for one in project.database.read(rounds.list_rounds):
        metrics = one.summary.get("metrics", {})
        names = ("num_labels", "num_labelled", "num_examples", *METRICS, *_ERRORS, "relabel_share")
        table.append(
            {
                "round": one.id,
                "state": one.state,
                "started": one.started,
                "finished": one.finished,
                "seconds": None if one.finished is None else number(one.finished - one.started),
                "last_event": one.last_event,
                "method": one.summary.get("method"),
                "models": one.summary.get("models", []),
                "temperature": one.summary.get("temperature", []),
                "model_weight": one.summary.get("model_weight", []),
                "annotator_accuracy": one.summary.get("annotator_accuracy"),
                "notes": one.summary.get("notes", []),
                "error": one.summary.get("error"),
                **{name: metrics.get(name) for name in names},
            }
        )
    return table


def learning_curve(project: Project) -> list[dict[str, Any]]:
    """What each trained round measured, oldest first.

    Returns
    -------
    list of dict
        ``round``, ``num_labels``, ``num_labelled``; ``cv_accuracy``, the share of the labelled examples whose
        out-of-sample prediction is the majority of the labels people gave; ``expected_accuracy``, the mean
        quality of the consensus labels; ``expected_errors``, the examples whose label is expected to be
        wrong, and ``errors_removed`` by the next batch; ``relabel_share`` and ``new_share`` of the batch that
        followed; ``finished``.

    Notes
    -----
    The prediction of an example comes from models fitted without it, and the majority vote knows no model, so
    neither can flatter the other. Annotators err, however, and what is hard to decide is labelled first, so
    ``cv_accuracy`` is as a rule lower than the accuracy against the truth over the whole pool. It rises when
    the models get better, and also when more labels an example make the votes more reliable.
    ``expected_accuracy`` is what the consensus method believes of itself; gold examples check it.
    """
    names = ("round", "num_labels", "num_labelled", *METRICS, *_ERRORS, "relabel_share", "finished")
    curve = []
    for row in rounds_table(project):
        if row["state"] == "ready" and row["num_labels"] is not None:
            share = row["relabel_share"]
            curve.append({name: row[name] for name in names})
            curve[-1]["new_share"] = None if share is None else number(1 - share)
    return curve


def gain_forecast(project: Project) -> dict[str, Any] | None:
    """Whether more labelling still pays: what the next batch can be expected to gain.

    A straight line through the last rounds, in the logarithm of the number of labels, is continued by one
    batch; the interval is that of its slope.

    Returns
    -------
    dict or None
        None with fewer than four rounds of different numbers of labels. ``next_labels``; ``verdict``: "pays"
        if a gain of one of the metrics is all but certain, "levels off" if both are all but surely
        small, else "unclear"; ``metrics`` with ``now``, ``gain``, ``low``, ``high`` (80 % interval) and
        ``last_gains`` each; ``rounds`` and ``based_on``, in words; ``errors``: examples whose label is
        expected to be wrong ``now``, how many the next batch removes, ``removed``, and ``paid``, whether that
        is worth its price, None without prices. With prices it decides the verdict.
    """
    # Of rounds with the same labels the last counts.
    curve = [*{row["num_labels"]: row for row in learning_curve(project)}.values()][-_ROUNDS:]
    curve = sorted(curve, key=lambda row: int(row["num_labels"]))
    settings = project.refresh()
    after = settings.train_every or settings.batch_size
    found = {name: _continued(curve, name, after) for name in METRICS}
    metrics = {name: one for name, one in found.items() if one is not None}
    if not metrics:
        return None
    verdict = "unclear"
    if any(one["low"] > 0 and one["gain"] >= WORTH for one in metrics.values()):
        verdict = "pays"
    elif all(one["high"] < WORTH for one in metrics.values()):
        verdict = "levels off"
    errors = _errors(curve[-1], settings, after)
    if errors["paid"] is not None:
        verdict = "pays" if errors["paid"] else "levels off"
    return {
        "next_labels": after,
        "verdict": verdict,
        "errors": errors,
        "metrics": metrics,
        "rounds": len(curve),
        "based_on": (
            f"the last {len(curve)} rounds, from {curve[0]['num_labels']:,} to "
            f"{curve[-1]['num_labels']:,} labels: a line in the "
            f"logarithm of the number of labels, continued by {after:,}. Both measures "
            "are the project's own estimates, not measured on known answers."
        ),
    }


def _errors(row: dict[str, Any], settings: Settings, after: int) -> dict[str, Any]:
    """What the last round expects the next batch to remove, against its price."""
    removed, paid = row["errors_removed"], None
    if removed is not None and settings.label_price is not None and settings.error_cost is not None:
        paid = removed * settings.error_cost > after * settings.label_price
    return {"now": row["expected_errors"], "removed": removed, "paid": paid}


def _continued(curve: list[dict[str, Any]], name: str, after: int) -> dict[str, Any] | None:
    known = [(row["num_labels"], row[name]) for row in curve if row[name] is not None]
    if len(known) < _LEAST:
        return None
    from scipy.stats import linregress, t

    labels, values = np.array(known, dtype=np.float64).T
    line = linregress(np.log(labels), values)
    step = float(np.log1p(after / labels[-1]))
    margin = float(t.ppf(0.9, len(known) - 2)) * float(line.stderr)
    return {
        "now": number(values[-1]),
        "gain": number(line.slope * step),
        "low": number((line.slope - margin) * step),
        "high": number((line.slope + margin) * step),
        "last_gains": [number(gain) for gain in np.diff(values)],
    }
