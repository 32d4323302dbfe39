"""Annotators: how much they do, how fast, and how far they agree."""

from __future__ import annotations

import threading
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, func, select

from activelab._errors import InputError
from activelab.agreement import Agreement
from activelab.labels import Labels
from activelab.multilabel import LabelSets
from activelab.multilabel.parts import pair_counts
from activelab.project._project import Project
from activelab.project.insight.results import AnnotatorRow, Coefficient, PairAgreement
from activelab.project.insight.values import number, scored
from activelab.project.insight.words import accuracy_words
from activelab.project.labelling.decisions import load_truths
from activelab.project.labelling.naming import load_naming
from activelab.project.store.schema import WHOLE, annotator, answer, decision, event, example
from activelab.project.training.several import equal_as_asked

RECENT = 500
"""Labels of a person whose time is looked at."""

_kept: WeakKeyDictionary[Project, dict[bool, tuple[Any, Labels]]] = WeakKeyDictionary()
_reading = threading.Lock()


def annotator_table(project: Project) -> list[AnnotatorRow]:
    """One row for each account that has answered something or may answer, most labels first."""
    last_event = project.database.read(_last_event)
    agreement = _agreement(project, last_event)
    people = project.database.read(lambda c: _people(c, agreement))
    return sorted(people, key=lambda one: (-one.labels, one.name))


def _last_event(connection: Connection) -> int | None:
    """What the current round knows, if it was trained."""
    current = scored(connection)
    return None if current is None else current.round.last_event


def _people(connection: Connection, agreement: dict[str, tuple[int, int]]) -> list[AnnotatorRow]:
    kinds = {
        (row.annotator_id, row.kind): row.number
        for row in connection.execute(
            select(answer.c.annotator_id, answer.c.kind, func.count().label("number")).group_by(
                answer.c.annotator_id, answer.c.kind
            )
        )
    }
    gold = _against_gold(connection)
    current = scored(connection)
    accuracies = {} if current is None else current.round.summary.annotators
    people = []
    for row in connection.execute(select(annotator).order_by(annotator.c.id)):
        known, asked = gold.get(row.id, (0, 0))
        equal, shared = agreement.get(row.name, (0, 0))
        seconds = _seconds(connection, row.id) if (row.id, "label") in kinds else []
        people.append(
            AnnotatorRow(
                id=row.id,
                name=row.name,
                role=row.role,
                disabled=bool(row.disabled),
                labels=kinds.get((row.id, "label"), 0),
                collected=row.num_labels,
                skips=kinds.get((row.id, "skip"), 0),
                unsure=kinds.get((row.id, "unsure"), 0),
                median_seconds=number(np.median(seconds)) if seconds else None,
                agreement=number(equal / shared) if shared else None,
                agreement_n=shared,
                accuracy=accuracies.get(row.name),
                accuracy_words=accuracy_words(accuracies.get(row.name)),
                gold_accuracy=number(known / asked) if asked else None,
                gold_n=asked,
            )
        )
    return people


def _against_gold(connection: Connection) -> dict[int, tuple[int, int]]:
    """Of each annotator: labels of examples whose answer is known that are right, and how many there are."""
    truth = func.coalesce(decision.c.class_code, example.c.gold)  # a decision may correct a known answer
    rows = connection.execute(
        select(answer.c.annotator_id, answer.c.class_code, answer.c.asked, truth.label("truth"), func.count())
        .join(example, example.c.id == answer.c.example_id)
        .outerjoin(decision, decision.c.example_id == example.c.id)
        .where(example.c.gold.is_not(None), answer.c.kind == "label")
        .group_by(answer.c.annotator_id, answer.c.class_code, answer.c.asked, truth)
    ).all()
    members = load_naming(connection).members
    found: dict[int, tuple[int, int]] = {}
    for who, code, asked, known, times in rows:
        same = code == known if asked == WHOLE else members[code, asked] == members[known, asked]
        right, of = found.get(who, (0, 0))
        found[who] = right + times * bool(same), of + times
    return found


def _seconds(connection: Connection, annotator_id: int) -> list[float]:
    recent = (
        select(answer.c.event_id)
        .where(answer.c.annotator_id == annotator_id, answer.c.kind == "label")
        .order_by(answer.c.event_id.desc())
        .limit(RECENT)
        .subquery()
    )
    query = select(event.c.seconds).join(recent, recent.c.event_id == event.c.id)
    return [*connection.execute(query.where(event.c.seconds.is_not(None))).scalars()]


def _agreement(project: Project, last_event: int | None) -> dict[str, tuple[int, int]]:
    """Of each annotator: labels equal to the one that counts, of how many, where others say what it is."""
    from activelab.consensus import majority_vote

    labels = _labels(project, last_event)
    current = project.database.read(scored) if last_event is not None else None
    if current is None or current.round.last_event != last_event:
        consensus = majority_vote(labels, seed=project.settings.seed).label
    else:
        consensus = np.full(labels.n_examples, -1)
        consensus[: len(current.consensus)] = current.consensus[: labels.n_examples]
    truths = project.database.read(load_truths)
    known = truths.known[: labels.n_examples]
    consensus = np.where(known, truths.label[: labels.n_examples], consensus)
    given: Labels | LabelSets = labels
    if project.settings.several:
        given = sets = project.label_sets(last_event)
        same = equal_as_asked(sets, consensus, project.naming())
        others = pair_counts(sets)[sets.example] > 1
        by_others = (others | ~sets.asked).all(axis=1)
    else:
        same = labels.label == consensus[labels.example]
        by_others = (labels.counts > 1)[labels.example]
    of = given.example
    shared = (by_others & (consensus[of] >= 0)) | known[of]
    size = given.n_annotators
    number_shared = np.bincount(given.annotator[shared], minlength=size)
    equal = np.bincount(given.annotator[shared & same], minlength=size)
    pairs = zip(equal.tolist(), number_shared.tolist(), strict=True)
    return dict(zip(given.annotators.tolist(), pairs, strict=True))


def pair_agreement(project: Project, limit: int = 40) -> PairAgreement:
    """How far each two annotators agree, on how many examples, and how far all do.

    Pairs that share nothing, and values that are not defined, are None.

    Parameters
    ----------
    project : Project
    limit : int
        The people with the most labels, in that order.
    """
    from activelab.agreement import cohen_kappa_matrix

    labels = _labels(project, None)
    counts = np.bincount(labels.annotator, minlength=labels.n_annotators)
    active = np.lexsort((np.arange(len(counts)), -counts))[: int((counts > 0).sum())]
    chosen = labels.select(annotators=labels.annotators[active[:limit]])
    question = project.refresh().question
    pairs = cohen_kappa_matrix(chosen, weights="quadratic" if question == "ordinal" else None)

    def matrix(name: Literal["shared", "agreement", "kappa"]) -> list[list[float | None]]:
        return [[number(value) for value in row] for row in pairs.to_matrix(name).tolist()]

    return PairAgreement(
        annotators=chosen.annotators.tolist(),
        left_out=max(len(active) - limit, 0),
        shared=[[None if value is None else int(value) for value in row] for row in matrix("shared")],
        agreement=matrix("agreement"),
        kappa=matrix("kappa"),
        overall=[
            Coefficient(
                name=one.name,
                value=number(one.value),
                low=number(one.low),
                high=number(one.high),
                n_items=one.n_items,
                n_labels=one.n_labels,
                note=one.note,
            )
            for one in _coefficients(project, labels)
        ],
    )


def _coefficients(project: Project, labels: Labels) -> list[Agreement]:
    """Agreement of everybody, by the kind of question; none where it cannot be computed."""
    from activelab.kinds import KINDS

    settings = project.settings
    if not settings.several:
        return KINDS.get(settings.question).agreement(labels, n_bootstrap=200)
    try:
        return KINDS.get(settings.question).agreement(project.label_sets(), n_bootstrap=200)
    except InputError:  # so many different sets that not every two can be compared
        return []


def _labels(project: Project, up_to: int | None) -> Labels:
    """The labels, or those a round knew; read again only if there are others."""
    newest = select(func.coalesce(func.max(event.c.id), 0))
    last = project.database.read(lambda c: c.execute(newest).scalar_one()) if up_to is None else up_to
    removed = select(func.max(annotator.c.removed))  # which gives people another name
    renamed = project.database.read(lambda c: c.execute(removed).scalar())
    key = last, project.num_examples, project.refresh().classes, renamed
    with _reading:
        kept, live = _kept.setdefault(project, {}), up_to is None
        if live not in kept or kept[live][0] != key:
            kept[live] = key, project.labels(up_to)
        return kept[live][1]
