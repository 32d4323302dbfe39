"""Single examples: what is served next and why, and what needs somebody's decision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, func, select

from activelab._errors import InputError
from activelab._kernels import temper
from activelab._typing import Ints
from activelab.consensus.parts import likelihood
from activelab.project._project import Project
from activelab.project.insight.final import FinalLabels, final_labels
from activelab.project.insight.headlines import label_quality
from activelab.project.insight.results import (
    Case,
    DecisionRow,
    Estimates,
    Like,
    QualityHistogram,
    QueueRow,
    ScorePart,
    UnclearRow,
    Vote,
    Why,
)
from activelab.project.insight.values import Scored, number, scored, votes
from activelab.project.labelling import rounds
from activelab.project.labelling.decisions import load_truths
from activelab.project.labelling.naming import load_naming
from activelab.project.labelling.rounds import KNOWN
from activelab.project.settings import Settings, load_settings
from activelab.project.store.schema import (
    WHOLE,
    annotator,
    answer,
    decision,
    event,
    example,
    queue,
    unclear,
)
from activelab.project.training.predictions import pred_probs_of

_Reason = Literal["skipped or unsure", "disagreement", "overruled by the model"]

UNANSWERABLE = 2
"""Skips and "unsure" after which somebody should decide about an example."""


_SURE, _ALIKE = 0.9, 3

_LEAST_SURE = ("recommended", "taught", "frugal", "expected_loss")
"""Methods whose score is what the consensus makes of models and annotators together."""


def quality_histogram(project: Project, bins: int = 20) -> QualityHistogram:
    """How many examples have a label of which quality: in the current round, or 1 if decided or known.

    The mean is None without a trained round.
    """
    current, quality = project.database.read(lambda c: (scored(c), label_quality(c)))
    counts, edges = np.histogram(quality, bins=bins, range=(0, 1))
    return QualityHistogram(
        round=None if current is None else current.round.id,
        edges=[round(edge, 6) for edge in edges.tolist()],
        counts=counts.tolist(),
        mean=number(quality.mean()) if len(quality) else None,
    )


def queue_head(project: Project, n: int = 20) -> list[QueueRow]:
    """What is served next, in order."""

    def load(connection: Connection) -> tuple[list[Any], dict[rounds.Question, int], Scored | None]:
        number_now = rounds.current_round(connection)
        query = (
            select(
                queue.c.position, queue.c.remaining, queue.c.asked,
                example.c.id, example.c.name, example.c.num_labels,
            )
            .join(example, example.c.id == queue.c.example_id)
            .where(queue.c.round_id == number_now, queue.c.remaining > 0)
            .order_by(queue.c.position)
            .limit(n)
        )  # fmt: skip
        rows = connection.execute(query).all()
        single = {row.id for row in rows if row.asked != WHOLE}
        return [*rows], rounds.count_answers(connection, single), scored(connection)

    rows, counts, current = project.database.read(load)
    given = [
        row.num_labels if row.asked == WHOLE else rounds.answers_to(counts, row.id, row.asked) for row in rows
    ]
    final = final_labels(project, [row.id for row in rows])
    return [
        QueueRow(
            position=row.position,
            id=row.id,
            example=row.name,
            asked=final.naming.class_name(row.asked),
            kind="relabel" if number_of else "new",
            num_labels=number_of,
            remaining=row.remaining,
            **dict(estimates_of(final, current, row.id)),
        )
        for row, number_of in zip(rows, given, strict=True)
    ]


def estimates_of(final: FinalLabels, current: Scored | None, code: int) -> Estimates:
    """What is known of an example, and what the round says; it knows nothing of those added since."""
    facts = Estimates.model_validate(final.facts(code))
    if current is None or code >= len(current.scores):
        return facts
    predicted = final.naming.name(int(current.predicted[code]))
    return facts.model_copy(update={"score": number(current.scores[code]), "predicted": predicted})


def why_served(project: Project, example_id: int) -> Why:
    """Why an example is where it is in the order, and its score taken apart.

    Raises
    ------
    InputError
        If there is no such example.
    """

    if not 0 <= example_id < project.num_examples:
        raise InputError(f"there is no example {example_id}.")
    final = final_labels(project, [example_id])

    def load(connection: Connection) -> Why:
        settings, current = load_settings(connection), scored(connection)
        row = connection.execute(
            select(example.c.name, example.c.gold, example.c.num_labels).where(example.c.id == example_id)
        ).one()
        number_now = rounds.current_round(connection)
        order = rounds.load_array(connection, number_now, "order")
        place = np.flatnonzero(order == example_id)
        known = final.source[example_id] in ("adjudicated", "gold")
        given = votes(connection, final.naming, [example_id])[example_id]
        summary = rounds.get_round(connection, number_now).summary
        voters = [vote.annotator for vote in given if vote.kind == "label"]
        return Why(
            id=example_id,
            example=row.name,
            round=number_now,
            method=summary.method,
            kind=(
                "decided"
                if final.source[example_id] == "adjudicated"
                else "gold"
                if row.gold is not None
                else "relabel"
                if row.num_labels
                else "new"
            ),
            num_labels=row.num_labels,
            # What is known since the round began is in its order, but nobody is asked about it.
            position=int(place[0]) if len(place) and not known else None,
            of=len(order),
            **dict(estimates_of(final, current, example_id)),
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
    """The terms of the ActiveLab score: Σ weight · says / Σ weight is the score.

    Of a method that asks where the consensus is least sure, what each model says by itself, without weights.
    """
    models = [] if current is None or settings.several else pred_probs_of(connection, current.round.id, code)
    if current is None or not models:
        return []
    method = (current.round.summary.method or "").partition("+")[0]
    if method in _LEAST_SURE:
        target = int(current.target[code])
        target = target if target >= 0 else int(current.predicted[code])
        names = _named(current.round.summary.models, len(models))
        return [
            ScorePart(who=who, weight=None, says=float(probs[target]))
            for who, probs in zip(names, models, strict=True)
        ]
    if method != "activelab":
        return []
    if any(vote.event > current.round.last_event for vote in given):
        return []
    summary, size, consensus = current.round.summary, len(models[0]), int(current.target[code])
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


def adjudication_list(project: Project, n: int = 50, among: Ints | None = None) -> list[Case]:
    """Examples somebody should decide: many skips first, then conflicts of the lowest quality.

    A conflict is one of two or more annotators with each other, or of the model with all of them. Examples
    that are decided, whose right answer is known, or that the guidelines do not decide, are left out; one
    label alone needs a second opinion, not a judge.

    Parameters
    ----------
    project : Project
    n : int
    among : array of int, optional
        Numbers of the examples that are looked at, as of `search`; by default all.
    """

    def load(connection: Connection) -> tuple[dict[int, _Reason], dict[int, list[Vote]], Scored | None]:
        current, known = scored(connection), load_truths(connection).known
        open_ = ~known
        open_[[*connection.execute(select(unclear.c.example_id)).scalars()]] = False
        if among is not None:
            open_ &= np.isin(np.arange(len(open_)), among)
        unanswerable = [code for code in _unanswerable(connection) if open_[code]]
        chosen: dict[int, _Reason] = dict.fromkeys(unanswerable[:n], "skipped or unsure")
        if current is not None:
            conflicts = {code: why for code, why in _conflicts(connection, current).items() if open_[code]}
            codes = sorted(conflicts, key=lambda code: float(current.quality[code]))
            for code in codes[: n + len(chosen)]:
                if len(chosen) < n:
                    chosen.setdefault(code, conflicts[code])
        return chosen, votes(connection, load_naming(connection), list(chosen)), current

    chosen, given, current = project.database.read(load)
    rows = {one.id: one for one in project.examples(list(chosen))}
    final = final_labels(project, list(chosen))
    # Answers that came since the round was trained may have made an example surer.
    low = [code for code, why in chosen.items() if why != "skipped or unsure"]
    rank = dict(zip(low, final.quality[low].tolist(), strict=True))
    like = _alike(project, final, list(chosen))
    return [
        Case(
            id=code,
            example=rows[code].name,
            content=rows[code].content,
            why=why,
            num_labels=rows[code].num_labels,
            votes=given[code],
            like=like.get(code, []),
            **dict(estimates_of(final, current, code)),
        )
        for code, why in sorted(chosen.items(), key=lambda one: rank.get(one[0], -1.0))
    ]


def decision_list(project: Project, n: int = 50) -> list[DecisionRow]:
    """The decisions that stand, the latest first."""
    query = (
        select(decision, example.c.name, annotator.c.name.label("who"), event.c.time, event.c.reason)
        .join(example, example.c.id == decision.c.example_id)
        .join(annotator, annotator.c.id == decision.c.annotator_id)
        .join(event, event.c.id == decision.c.event_id)
        .order_by(decision.c.event_id.desc())
        .limit(n)
    )
    rows = project.database.read(lambda c: c.execute(query).all())
    final = final_labels(project, [row.example_id for row in rows])
    return [
        DecisionRow(
            id=row.example_id,
            example=row.name,
            label=final.naming.name(row.class_code) or [],
            annotator=row.who,
            time=row.time,
            note=row.reason,
            consensus=final.naming.name(int(final.consensus[row.example_id])),
        )
        for row in rows
    ]


def unclear_list(project: Project) -> list[UnclearRow]:
    """The examples that the guidelines do not decide, the latest first."""
    query = (
        select(unclear, example.c.name, annotator.c.name.label("who"))
        .join(example, example.c.id == unclear.c.example_id)
        .join(annotator, annotator.c.id == unclear.c.annotator_id)
        .order_by(unclear.c.time.desc())
    )
    return [
        UnclearRow(id=row.example_id, example=row.name, annotator=row.who, time=row.time, note=row.note)
        for row in project.database.read(lambda c: c.execute(query).all())
    ]


def _conflicts(connection: Connection, current: Scored) -> dict[int, _Reason]:
    """Examples of two or more labels that differ, or that the consensus contradicts."""
    question = answer.c.example_id, answer.c.asked
    query = (
        select(*question, func.count(answer.c.class_code.distinct()), func.min(answer.c.class_code))
        .where(answer.c.kind == "label", answer.c.example_id < len(current.quality))
        .group_by(*question)
        .having(func.count() > 1)
    )
    members = load_naming(connection).members
    found: dict[int, _Reason] = {}
    for code, asked, different, label in connection.execute(query):
        if not np.isfinite(current.quality[code]):
            continue
        consensus = current.consensus[code]
        if different > 1:
            found[code] = "disagreement"
        elif consensus != label and (asked == WHOLE or members[consensus, asked] != members[label, asked]):
            found.setdefault(code, "overruled by the model")
    return found


def _alike(project: Project, final: FinalLabels, codes: list[int]) -> dict[int, list[Like]]:
    """The sure examples that lie nearest to some on the map; none if there is no map."""
    from activelab.project.training.embedding_map import load_map

    points = load_map(project) if codes else None
    if points is None:
        return {}
    size = min(len(points), len(final.label))
    sure = np.flatnonzero(np.nan_to_num(final.quality[:size]) >= _SURE)
    nearest = {
        code: sure[np.argsort(((points[sure] - points[code]) ** 2).sum(axis=1), kind="stable")]
        for code in codes
        if code < size
    }
    like = {
        code: [one for one in found[: _ALIKE + 1].tolist() if one != code][:_ALIKE]
        for code, found in nearest.items()
    }
    rows = {
        one.id: one.name for one in project.examples(sorted({one for some in like.values() for one in some}))
    }
    return {
        code: [
            Like(
                id=one,
                example=rows[one],
                label=final.naming.name(int(final.label[one])) or [],
                quality=float(final.quality[one]),
            )
            for one in some
        ]
        for code, some in like.items()
    }


def _unanswerable(connection: Connection) -> list[int]:
    """Examples that several people skipped or were unsure about, and whose label is not known."""
    number_of = func.count(answer.c.annotator_id.distinct())
    query = (
        select(answer.c.example_id)
        .where(answer.c.kind != "label", answer.c.example_id.not_in(KNOWN))
        .group_by(answer.c.example_id)
        .having(number_of >= UNANSWERABLE)
        .order_by(number_of.desc(), answer.c.example_id)
    )
    return [*connection.execute(query).scalars()]
