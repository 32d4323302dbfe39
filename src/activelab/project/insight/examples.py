"""Single examples: what is served next and why, and what needs somebody's decision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from sqlalchemy import Connection, func, select

from activelab._errors import InputError
from activelab._kernels import temper
from activelab.consensus.parts import likelihood
from activelab.project._project import Project
from activelab.project.insight.results import (
    Case,
    Estimates,
    QualityHistogram,
    QueueRow,
    ScorePart,
    Vote,
    Why,
)
from activelab.project.insight.values import Scored, class_name, number, scored, votes
from activelab.project.labelling import rounds
from activelab.project.settings import Settings, load_settings, load_value
from activelab.project.store.schema import answer, event, example, queue
from activelab.project.training.predictions import pred_probs_of

_Reason = Literal["skipped or unsure", "low quality"]

UNANSWERABLE = 2
"""Skips and "unsure" after which somebody should decide about an example."""


def quality_histogram(project: Project, bins: int = 20) -> QualityHistogram:
    """How many labelled examples have a consensus of which quality, in the current round.

    The mean is None without a trained round.
    """
    current = project.database.read(scored)
    quality = np.zeros(0) if current is None else current.quality[np.isfinite(current.quality)]
    counts, edges = np.histogram(quality, bins=bins, range=(0, 1))
    return QualityHistogram(
        round=None if current is None else current.round.id,
        edges=[round(edge, 6) for edge in edges.tolist()],
        counts=counts.tolist(),
        mean=number(quality.mean()) if len(quality) else None,
    )


def queue_head(project: Project, n: int = 20) -> list[QueueRow]:
    """What is served next, in order."""

    def load(connection: Connection) -> list[QueueRow]:
        settings, current = load_settings(connection), scored(connection)
        number_now = rounds.current_round(connection)
        query = (
            select(queue.c.position, queue.c.remaining, example.c.id, example.c.name, example.c.num_labels)
            .join(example, example.c.id == queue.c.example_id)
            .where(queue.c.round_id == number_now, queue.c.remaining > 0)
            .order_by(queue.c.position)
            .limit(n)
        )
        return [
            QueueRow(
                position=row.position,
                id=row.id,
                example=row.name,
                kind="relabel" if row.num_labels else "new",
                num_labels=row.num_labels,
                remaining=row.remaining,
                **dict(_estimates(settings, current, row.id)),
            )
            for row in connection.execute(query)
        ]

    return project.database.read(load)


def _estimates(settings: Settings, current: Scored | None, code: int) -> Estimates:
    """What the round says of an example; examples added since it was trained have none."""
    if current is None or code >= len(current.scores):
        return Estimates()
    return Estimates(
        score=number(current.scores[code]),
        quality=number(current.quality[code]),
        consensus=class_name(settings.classes, int(current.consensus[code])),
        predicted=class_name(settings.classes, int(current.predicted[code])),
    )


def why_served(project: Project, example_id: int) -> Why:
    """Why an example is where it is in the order, and its score taken apart.

    Raises
    ------
    InputError
        If there is no such example.
    """

    def load(connection: Connection) -> Why:
        settings, current = load_settings(connection), scored(connection)
        row = connection.execute(
            select(example.c.name, example.c.gold, example.c.num_labels).where(example.c.id == example_id)
        ).one_or_none()
        if row is None or example_id >= int(load_value(connection, "num_examples", 0)):
            raise InputError(f"there is no example {example_id}.")
        number_now = rounds.current_round(connection)
        order = rounds.load_array(connection, number_now, "order")
        place = np.flatnonzero(order == example_id)
        given = votes(connection, settings.classes, [example_id])[example_id]
        summary = rounds.get_round(connection, number_now).summary
        voters = [vote.annotator for vote in given if vote.kind == "label"]
        return Why(
            id=example_id,
            example=row.name,
            round=number_now,
            method=summary.method,
            kind="gold" if row.gold is not None else "relabel" if row.num_labels else "new",
            num_labels=row.num_labels,
            position=int(place[0]) if len(place) else None,
            of=len(order),
            **dict(_estimates(settings, current, example_id)),
            annotator_accuracy=summary.annotator_accuracy,
            temperature=summary.temperature,
            model_weight=summary.model_weight,
            annotator_weight={name: summary.annotator_weight.get(name) for name in voters},
            votes=given,
            parts=_parts(connection, settings, current, example_id, given),
        )

    return project.database.read(load)


def _parts(
    connection: Connection,
    settings: Settings,
    current: Scored | None,
    code: int,
    given: list[Vote],
) -> list[ScorePart]:
    """The terms of the ActiveLab score: Σ weight · says / Σ weight is the score."""
    models = [] if current is None else pred_probs_of(connection, current.round.id, code)
    if current is None or current.round.summary.method != "activelab" or not models:
        return []
    if any(vote.event > current.round.last_event for vote in given):
        return []
    summary, size, consensus = current.round.summary, len(models[0]), int(current.consensus[code])
    target = consensus if consensus >= 0 else int(current.predicted[code])
    temperatures, model_weights = _numbers(summary.temperature), _numbers(summary.model_weight)
    parts = [
        (name, weight, float(temper(probs[None], 1 / temperature)[0, target]))
        for name, probs, temperature, weight in zip(
            _named(summary.models, len(models)), models, temperatures, model_weights, strict=True
        )
    ]
    trust, weights = summary.annotator_accuracy, summary.annotator_weight
    by_models = sum(weight * says for _, weight, says in parts) / sum(weight for _, weight, _ in parts)
    for vote in given:
        if vote.kind == "label":
            # Without an estimate of P the models speak for the labels [A, appendix H].
            agrees = vote.label == settings.classes[target]
            says = by_models if trust is None else likelihood(trust, size)[0 if agrees else 1]
            parts += [(vote.annotator, weight, says) for weight in _numbers([weights[vote.annotator]])]
    mean_weight = float(np.mean(_numbers([*weights.values()]))) if weights else 1.0
    parts.append(("one more annotator", mean_weight, 1 / size))
    return [ScorePart(who=who, weight=number(weight), says=number(says)) for who, weight, says in parts]


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def _named(models: list[str], size: int) -> list[str]:
    """Names of the models; numbers where one name stands for several."""
    return models if len(models) == size else [f"model {place}" for place in range(1, size + 1)]


def adjudication_list(project: Project, n: int = 50) -> list[Case]:
    """Examples somebody should decide: many skips first, then the lowest consensus quality.

    Examples an adjudicator has decided are left out.
    """

    def load(connection: Connection) -> tuple[dict[int, _Reason], dict[int, list[Vote]], Scored | None]:
        settings, current = load_settings(connection), scored(connection)
        chosen: dict[int, _Reason] = dict.fromkeys(_unanswerable(connection, n), "skipped or unsure")
        if current is not None:
            lowest = np.argsort(
                np.where(np.isfinite(current.quality), current.quality, np.inf), kind="stable"
            )
            labelled = int(np.isfinite(current.quality).sum())
            start = 0
            while len(chosen) < n and start < labelled:
                some = lowest[start : min(start + max(2 * n, 100), labelled)].tolist()
                decided = _decided(connection, some)
                for code in some:
                    if len(chosen) < n and code not in decided:
                        chosen.setdefault(code, "low quality")
                start += len(some)
        return chosen, votes(connection, settings.classes, list(chosen)), current

    chosen, given, current = project.database.read(load)
    rows = {one.id: one for one in project.examples(list(chosen))}
    settings = project.refresh()
    return [
        Case(
            id=code,
            example=rows[code].name,
            content=rows[code].content,
            why=why,
            num_labels=rows[code].num_labels,
            votes=given[code],
            **dict(_estimates(settings, current, code)),
        )
        for code, why in chosen.items()
    ]


def _unanswerable(connection: Connection, n: int) -> list[int]:
    """Examples that several people skipped or were unsure about, and nobody has decided."""
    number_of = func.count()
    query = (
        select(answer.c.example_id)
        .where(answer.c.kind != "label")
        .group_by(answer.c.example_id)
        .having(number_of >= UNANSWERABLE)
        .order_by(number_of.desc(), answer.c.example_id)
        .limit(2 * n)
    )
    codes = [*connection.execute(query).scalars()]
    decided = _decided(connection, codes)
    return [code for code in codes if code not in decided][:n]


def _decided(connection: Connection, codes: list[int]) -> set[int]:
    query = (
        select(answer.c.example_id)
        .join(event, event.c.id == answer.c.event_id)
        .where(answer.c.example_id.in_(codes), event.c.source == "adjudication")
    )
    return {*connection.execute(query).scalars()}
