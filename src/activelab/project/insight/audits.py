"""How many labels are right, measured by audits."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, func, select

from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ints
from activelab.project._project import Project
from activelab.project.insight.final import final_labels
from activelab.project.insight.known_answers import estimate_by_known_answers
from activelab.project.insight.results import CONFIDENCE, AuditEstimate, AuditResult, ClassShare
from activelab.project.insight.values import scored
from activelab.project.labelling import audits
from activelab.project.labelling.class_history import class_version, load_changes
from activelab.project.labelling.decisions import load_truths
from activelab.project.labelling.naming import Naming, load_naming
from activelab.project.settings import Settings, load_settings
from activelab.project.store.schema import event
from activelab.project.training.consensus import scale_of

if TYPE_CHECKING:
    from activelab.audit import Audit, Checker, ClassShares, SafeLabels

# What computes an audit is imported where it is computed: most of what imports this shows something else.


def draw_audit(project: Project, number: int = 100, *, by: int | None = None, seed: int | None = None) -> int:
    """Draw labels that somebody should check, and store which; the number of the audit.

    Labels that are decided or known count as right and are not drawn.

    Parameters
    ----------
    project : Project
    number : int
        Checks; fewer if there are fewer labels.
    by : int, optional
        The account of who asks for it.
    seed : int, optional
        Random if not given.

    Raises
    ------
    InputError
        If the number is below 2, or there is nothing to check.
    """
    from activelab.audit import draw_from

    newest = select(func.coalesce(func.max(event.c.id), 0))
    last_event, current = project.database.read(lambda c: (c.execute(newest).scalar_one(), scored(c)))
    final = final_labels(project)
    settled = np.isin(final.source, ("adjudicated", "gold"))
    seed = secrets.randbelow(2**31) if seed is None else seed
    # A check finds a label right or wrong as a whole.
    stated = final.quality if final.exact is None else final.exact
    audit = draw_from(
        final.label,
        np.where(np.isfinite(stated), stated, 0.5),
        number,
        keys=np.arange(len(final.label)),
        settled=settled,
        known_right=np.ones(int(settled.sum()), dtype=bool),
        n_classes=len(final.naming),
        seed=seed,
    )
    drawn = audits.Drawn(audit.label, audit.quality, audit.stratum)
    return project.database.write(
        lambda c: audits.store_audit(
            c,
            drawn,
            audit.examples,
            time.time(),
            by=by,
            seed=seed,
            round_id=None if current is None else current.round.id,
            last_event=last_event,
            version=final.naming.version,
        )
    )


def audit_list(
    project: Project, *, epsilon: float = 0.05, delta: float = 0.05, checker: Checker | None = None
) -> list[AuditResult]:
    """All audits that are not `outdated`, the latest first, as `audit_result` tells them."""
    known = project.database.read(lambda c: [one for one in audits.list_audits(c) if not outdated(c, one)])
    return [audit_result(project, one.id, epsilon=epsilon, delta=delta, checker=checker) for one in known]


def audit_result(
    project: Project,
    audit_id: int,
    *,
    epsilon: float = 0.05,
    delta: float = 0.05,
    checker: Checker | None = None,
    confidence: float = CONFIDENCE,
) -> AuditResult:
    """What the checks of an audit say of all the labels there were when it was drawn.

    Parameters
    ----------
    project : Project
    audit_id : int
    epsilon, delta : float in (0, 1)
        For the labels that are safe to ship.
    checker : Checker, optional
        How often those who check err; by default never.
    confidence : float in (0, 1)
        Of the intervals.

    Raises
    ------
    InputError
        If there is no such audit, or a number is out of range.
    """
    from activelab.audit import audit_report

    state = _checked(project, audit_id)
    estimate: AuditEstimate | None = None
    classes: list[ClassShare] = []
    if state.done.any():
        report = audit_report(state.audit, state.right, checker=checker, confidence=confidence)
        estimate = _estimate(state, report.share, report.low, report.high, confidence)
        classes = _shares(state, project.naming(), confidence)
    safe = _safe(state, epsilon, delta, checker)
    count = len(safe.examples) + int(state.settled.sum())
    audited = state.audit.stratum >= 0
    return AuditResult(
        id=audit_id,
        time=state.of.time,
        by=state.of.by,
        seed=state.of.seed,
        drawn=state.of.drawn,
        checked=int(state.done.sum()),
        wrong=int((state.done & (state.right == 0)).sum()),
        labels=state.labelled,
        known=int(state.settled.sum()),
        estimate=estimate,
        stated=float((state.audit.quality[audited].sum() + state.settled.sum()) / state.labelled),
        classes=classes,
        epsilon=epsilon,
        delta=delta,
        checker_error=0.0 if checker is None else checker.error,
        safe=count,
        sentence=audit_words(estimate, state.of.drawn, 0.0 if checker is None else checker.error),
    )


def _shares(state: _Checked, naming: Naming, confidence: float) -> list[ClassShare]:
    """How common each class is: labels that were known are counted, the others estimated."""
    from activelab.audit import class_shares

    audit, truth = state.audit, state.truth
    judged, total = int(audit.size.sum()), state.labelled

    def of(code: int, in_class: Bools, found: ClassShares, place: int) -> ClassShare:
        known = int(in_class[audit.label[state.settled]].sum())
        estimates = (found.share[place], found.low[place], found.high[place])
        share, low, high = ((known + judged * float(one)) / total for one in estimates)
        return ClassShare(label=naming.classes[code], share=share, low=low, high=high)

    if naming.sets is None:
        found = class_shares(audit, truth, confidence=confidence)
        codes = np.arange(len(naming))
        return [of(code, codes == code, found, code) for code in range(audit.n_classes)]
    shares = []
    for code, in_class in enumerate(naming.members.T):
        # Whether it is among several is a question of its own, with the answers no and yes.
        yes_no = replace(audit, label=np.where(audit.label < 0, -1, in_class[audit.label]), n_classes=2)
        found = class_shares(yes_no, np.where(truth < 0, -1, in_class[truth]), confidence=confidence)
        shares.append(of(code, in_class, found, 1))
    return shares


def audit_words(estimate: AuditEstimate | None, drawn: int, checker_error: float = 0.0) -> str:
    """What an audit found, in a sentence."""
    if estimate is None:
        return f"None of {drawn:,} labels is checked yet."
    share, low, high = (f"{100 * value:.1f}" for value in (estimate.share, estimate.low, estimate.high))
    whose = f" of which {100 * checker_error:.3g} % are wrong themselves" if checker_error else ""
    return (
        f"{share} of 100 labels are right ({low} to {high} with {estimate.confidence:.0%} confidence), "
        f"by {estimate.n_checked:,} checks{whose}."
    )


@dataclass(frozen=True, eq=False)
class SafeRow:
    """A label that is safe to ship; class code, source and quality."""

    example_id: int
    label: int
    source: str
    quality: float


def safe_rows(
    project: Project,
    audit_id: int,
    *,
    epsilon: float = 0.05,
    delta: float = 0.05,
    checker: Checker | None = None,
) -> list[SafeRow]:
    """The labels of an audit that are safe to ship, as they were when it was drawn, or as decided since.

    Labels that are decided or known are among them.

    Raises
    ------
    InputError
        As `audit_result`.
    """
    state = _checked(project, audit_id)
    safe = np.flatnonzero(state.settled).tolist() + _safe(state, epsilon, delta, checker).examples.tolist()
    truths = project.database.read(load_truths)
    rows = []
    for code in sorted(safe):
        if truths.known[code]:
            source = "adjudicated" if truths.decided[code] else "gold"
            rows.append(SafeRow(code, int(truths.label[code]), source, 1.0))
        else:
            label, quality = int(state.audit.label[code]), round(float(state.audit.quality[code]), 6)
            rows.append(SafeRow(code, label, "consensus", quality))
    return rows


@dataclass(frozen=True)
class NextCheck:
    """What is to be checked next.

    Attributes
    ----------
    audit, drawn, checked : int
    position : int or None
        None if everything is checked.
    example_id : int or None
    """

    audit: int
    drawn: int
    checked: int
    position: int | None
    example_id: int | None


def next_check(project: Project, audit_id: int, after: int = -1) -> NextCheck:
    """The next label to check behind a position; from the start again if there is none behind it.

    Raises
    ------
    InputError
        If there is no such audit.
    """

    def load(connection: Connection) -> list[audits.Check]:
        _audited(connection, audit_id)
        return audits.list_checks(connection, audit_id)

    checks = project.database.read(load)
    left = [one for one in checks if one.class_code is None]
    one = next((one for one in left if one.position > after), left[0] if left else None)
    return NextCheck(
        audit_id,
        len(checks),
        len(checks) - len(left),
        None if one is None else one.position,
        None if one is None else one.example_id,
    )


# ------------------------------------------------------------------ what is checked


@dataclass(frozen=True, eq=False)
class _Checked:
    of: audits.Audited
    audit: Audit
    settled: Bools  # over the pool: decided or known when it was drawn
    labelled: int
    truth: Ints  # of each label to check, -1 unchecked
    done: Bools
    right: Float64s  # NaN unchecked
    where: Float64s | None  # of the classes on the scale, if there is one


def _checked(project: Project, audit_id: int) -> _Checked:
    from activelab.audit import Audit

    def load(connection: Connection) -> tuple[audits.Audited, list[audits.Check], Settings, int]:
        of = _audited(connection, audit_id)
        settings = load_settings(connection)
        size = len(load_naming(connection, settings))
        return of, audits.list_checks(connection, audit_id), settings, size

    of, checks, settings, size = project.database.read(load)
    if project.database.read(lambda c: outdated(c, of)):
        raise InputError(
            f"audit {audit_id} is of classes of which one was split or retired since; draw a new one."
        )
    drawn = _labels_of(project, audit_id)
    settled = (drawn.label >= 0) & (drawn.stratum < 0)
    audit = Audit(
        drawn.label,
        drawn.quality.astype(np.float64),
        drawn.stratum.astype(np.int64),
        np.array([one.example_id for one in checks], dtype=np.int64),
        np.ones(int(settled.sum()), dtype=bool),
        size,
    )
    truth = np.array([-1 if one.class_code is None else one.class_code for one in checks], dtype=np.int64)
    right = np.where(truth < 0, np.nan, audit.label[audit.examples] == truth)
    labelled = int((drawn.label >= 0).sum())
    return _Checked(of, audit, settled, labelled, truth, truth >= 0, right, scale_of(settings))


def _audited(connection: Connection, audit_id: int) -> audits.Audited:
    found = [one for one in audits.list_audits(connection) if one.id == audit_id]
    if not found:
        raise InputError(f"there is no audit {audit_id}.")
    return found[0]


_drawn: WeakKeyDictionary[Project, dict[tuple[int, int], audits.Drawn]] = WeakKeyDictionary()
_KEPT = 4  # the labels of so many audits


def _labels_of(project: Project, audit_id: int) -> audits.Drawn:
    """The labels of an audit, which change with classes alone; those of the last few are kept."""
    kept = _drawn.setdefault(project, {})
    key = audit_id, project.database.read(class_version)
    drawn = kept.get(key)
    if drawn is None:
        drawn = project.database.read(lambda c: audits.load_drawn(c, audit_id))
        _drawn[project] = {**dict([*kept.items()][1 - _KEPT :]), key: drawn}
    return drawn


def outdated(connection: Connection, of: audits.Audited) -> bool:
    """Whether labels of an audit were set aside since it was drawn, as their class was split or retired."""
    return any(one.time >= of.time and one.sets_aside for one in load_changes(connection))


def _safe(state: _Checked, epsilon: float, delta: float, checker: Checker | None) -> SafeLabels:
    from activelab.audit import SafeLabels, safe_labels

    if not state.done.any():
        return SafeLabels(np.empty(0, dtype=np.int64), 1.0)
    return safe_labels(state.audit, state.right, epsilon=epsilon, delta=delta, checker=checker)


def _estimate(state: _Checked, share: float, low: float, high: float, confidence: float) -> AuditEstimate:
    return AuditEstimate(
        error=_error(state),
        share=share,
        low=low,
        high=high,
        confidence=confidence,
        n_checked=int(state.done.sum()),
        as_of=state.of.last_event,
        round=state.of.round_id,
        basis="audit",
    )


def _error(state: _Checked) -> float | None:
    """Mean distance of the labels from what the checks say; labels that were settled are right."""
    if state.where is None:
        return None
    checked = state.audit.examples[state.done]
    apart = np.abs(state.where[state.audit.label[checked]] - state.where[state.truth[state.done]])
    stratum = state.audit.stratum
    size = np.bincount(stratum[stratum >= 0])
    number = np.bincount(stratum[checked], minlength=len(size))
    total = np.bincount(stratum[checked], apart, minlength=len(size))
    if (size[number == 0] > 0).any():
        return None  # there are labels of which none is checked yet
    mean = np.divide(total, number, out=np.zeros(len(size)), where=number > 0)
    return float(size @ mean) / state.labelled


# ------------------------------------------------------------------ the headline


def audit_estimate(project: Project) -> AuditEstimate | None:
    """The share of the labels that count that is right, from checks; None if nothing was checked.

    The latest audit whose checks are all made speaks, else the latest with any. Without an audit known
    answers do: how often the consensus of what annotators and models say, estimated without these answers,
    equals them, by strata of stated quality. Labels that are decided or known count as right.
    """
    chosen = project.database.read(_telling)
    if chosen is None:
        return estimate_by_known_answers(project)
    from activelab.audit import audit_report

    state = _checked(project, chosen)
    report = audit_report(state.audit, state.right, confidence=CONFIDENCE)
    return _estimate(state, report.share, report.low, report.high, CONFIDENCE)


def _telling(connection: Connection) -> int | None:
    begun: Sequence[int] = ()
    for one in audits.list_audits(connection):
        if outdated(connection, one):
            continue
        checks = audits.list_checks(connection, one.id)
        done = sum(check.class_code is not None for check in checks)
        if done == len(checks):
            return one.id
        if done:
            begun = (*begun, one.id)
    return begun[0] if begun else None
