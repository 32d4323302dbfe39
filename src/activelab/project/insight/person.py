"""How each person of a team works: pace, confusions, and what about them deserves a look, with the reason."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median

import numpy as np
from sqlalchemy import Connection, func, select

from activelab._errors import InputError
from activelab.project._project import Project
from activelab.project.insight.final import final_labels
from activelab.project.insight.people import annotator_table
from activelab.project.insight.results import (
    AnnotatorRow,
    Confusion,
    MessageRow,
    PersonDetail,
    PersonRow,
    PracticeResult,
)
from activelab.project.labelling.messages import sent_to
from activelab.project.labelling.practice import attempts, needed
from activelab.project.labelling.queue import must_practise
from activelab.project.settings import Settings
from activelab.project.store.schema import WHOLE, annotator, answer, event

DAYS = 14
"""Days whose labels are counted, today included."""

ENOUGH = 20
"""Answers below which nothing is said of somebody."""

_DAY = 86_400
_FAST, _SLOW = 0.25, 2.0  # of the others' median time; seconds
_APART = 0.05
_ONE_CLASS, _USUAL = 0.95, 0.75
_PASSES = 0.5


def people_table(project: Project, now: float | None = None) -> list[PersonRow]:
    """One row for each account, with days, last activity and reasons to look; most labels first.

    A reason is given where it cannot be chance: intervals of 95 % do not meet, and of few answers nothing is
    said.
    """
    now = time.time() if now is None else now
    rows = annotator_table(project)
    days, last, said, practised = project.database.read(
        lambda c: (labels_by_day(c, now), _last(c), _said(c), _practised(c, project.settings))
    )
    usual = _usual(project)
    columns = annotator.c.id, annotator.c.password.is_not(None) & ~annotator.c.disabled, annotator.c.removed
    query = select(*columns)
    states = {one[0]: one for one in project.database.read(lambda c: c.execute(query).all())}
    rows = [row for row in rows if row.id in states]
    return [
        PersonRow(
            **dict(row),
            can_log_in=bool(states[row.id][1]),
            removed=states[row.id][2] is not None,
            practice=practised.get(row.id),
            last_active=last.get(row.id),
            days=days.get(row.id, [0] * DAYS),
            flags=_flags(row, [one for one in rows if one.id != row.id], said.get(row.id, Counter()), usual),
        )
        for row in rows
    ]


def person(project: Project, annotator_id: int) -> PersonDetail:
    """What somebody says where another label counts, by class.

    Raises
    ------
    InputError
        If there is no such account.
    """
    row = next((one for one in people_table(project) if one.id == annotator_id), None)
    if row is None:
        raise InputError(f"there is no annotator {annotator_id}.")
    written = project.database.read(lambda c: sent_to(c, annotator_id))
    return PersonDetail(
        **dict(row),
        confusion=_confusion(project, annotator_id),
        messages=[MessageRow(**one) for one in written],
    )


def _confusion(project: Project, annotator_id: int) -> Confusion | None:
    if project.refresh().several:
        return None
    final = final_labels(project)
    classes = final.naming.classes
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    given = select(answer.c.example_id, answer.c.class_code).where(
        answer.c.annotator_id == annotator_id, answer.c.kind == "label"
    )
    for code, label in project.database.read(lambda c: c.execute(given).all()):
        # Where theirs is the only label there is nothing to be compared with.
        if code < len(final.label) and final.source[code] != "single" and final.label[code] >= 0:
            counts[final.label[code], label] += 1
    return Confusion(classes=list(classes), counts=counts.tolist())


def labels_by_day(connection: Connection, now: float) -> dict[int, list[int]]:
    """Labels that were given on each of the last days, the latest last; undone and imported ones are none."""
    start = (math.floor(now / _DAY) - DAYS + 1) * _DAY
    query = (
        select(answer.c.annotator_id, event.c.time)
        .join(event, event.c.id == answer.c.event_id)
        .where(answer.c.kind == "label", event.c.time >= start, event.c.source != "import")
    )
    found: dict[int, list[int]] = {}
    for who, when in connection.execute(query):
        day = int((when - start) // _DAY)
        if day < DAYS:
            found.setdefault(who, [0] * DAYS)[day] += 1
    return found


def _practised(connection: Connection, settings: Settings) -> dict[int, PracticeResult]:
    columns = annotator.c.id, annotator.c.admitted, annotator.c.retrain
    times = {who: (admitted, sent) for who, admitted, sent in connection.execute(select(*columns))}
    found = {}
    for who, (turn, right, done, of) in attempts(connection).items():
        admitted, sent = times[who]
        passed = done == of and right >= needed(settings, of)
        said = f"{right} of {of} right" if done == of else f"{done} of {of} answered, {right} right"
        tries = "" if turn < 2 else ", tried twice" if turn == 2 else f", tried {turn} times"
        held = must_practise(connection, settings, who)
        stands = "practising: " if held else "passed, " if passed else "let in, " if admitted else ""
        found[who] = PracticeResult(
            attempts=turn,
            right=right,
            done=done,
            of=of,
            held=held,
            words=stands + said + tries,
            sent=sent,
            passed=None if held else admitted,
        )
    return found


def _last(connection: Connection) -> dict[int, float]:
    query = select(event.c.annotator_id, func.max(event.c.time)).where(event.c.source != "import")
    return {row[0]: row[1] for row in connection.execute(query.group_by(event.c.annotator_id))}


def _said(connection: Connection) -> dict[int, Counter[int]]:
    """How often somebody gave each label of an example as a whole, by its code."""
    columns = answer.c.annotator_id, answer.c.class_code
    of_whole = answer.c.kind == "label", answer.c.asked == WHOLE
    query = select(*columns, func.count()).where(*of_whole).group_by(*columns)
    found: dict[int, Counter[int]] = {}
    for who, code, number in connection.execute(query):
        found.setdefault(who, Counter())[code] = number
    return found


def _usual(project: Project) -> tuple[tuple[str, ...], list[float]]:
    """Labels in words, and how frequent each is among those that count."""
    final = final_labels(project)
    labels = final.label[final.label >= 0]
    shares = np.bincount(labels, minlength=len(final.naming)) / max(len(labels), 1)
    return final.naming.texts, shares.tolist()


def _flags(
    row: AnnotatorRow,
    others: Sequence[AnnotatorRow],
    said: Counter[int],
    usual: tuple[tuple[str, ...], list[float]],
) -> list[str]:
    """Why somebody deserves a look, in words."""
    found = []
    times = [one.median_seconds for one in others if one.median_seconds and one.labels >= ENOUGH]
    own = row.median_seconds
    if own is not None and row.labels >= ENOUGH and times and own < min(_FAST * median(times), _SLOW):
        found.append(f"answers in {own:.1f} s, others in {median(times):.1f} s")
    one = row.accuracy
    known = [other.accuracy for other in others if other.accuracy is not None and not other.accuracy.too_few]
    right = [other.accuracy for other in known if other.accuracy is not None]
    if one is not None and not one.too_few and one.accuracy is not None and one.high is not None and right:
        if one.high < median(right) - _APART:
            words = f"{100 * one.accuracy:.0f} of 100 labels are right"
            found.append(f"{words} (at most {100 * one.high:.0f}), of others {100 * median(right):.0f}")
    elif row.agreement is not None and row.agreement_n >= ENOUGH:
        agrees = [other.agreement for other in others if other.agreement is not None and other.agreement_n]
        slack = 2 * math.sqrt(row.agreement * (1 - row.agreement) / row.agreement_n)
        if agrees and row.agreement + slack < median(agrees) - _APART:
            found.append(
                f"agrees with {100 * row.agreement:.0f} of 100 labels, others with {100 * median(agrees):.0f}"
            )
    if said.total() >= ENOUGH:
        code, number = said.most_common(1)[0]
        names, shares = usual
        if number >= _ONE_CLASS * said.total() and (shares[code] if code < len(shares) else 0.0) < _USUAL:
            found.append(f"says {names[code]!r} to {100 * number / said.total():.0f} of 100")
    passed = row.skips + row.unsure
    if passed >= ENOUGH and passed > _PASSES * (passed + row.labels):
        found.append(f"passes {100 * passed / (passed + row.labels):.0f} of 100 examples")
    return found
