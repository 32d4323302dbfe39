"""What the checks say of all the labels: the share that is right, and how common each class is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ints
from activelab.audit._checker import Checker
from activelab.audit._design import Audit
from activelab.audit._intervals import stratified_interval, wilson_interval


@dataclass(frozen=True)
class AuditReport:
    """Share of right labels with an interval.

    Attributes
    ----------
    share, low, high : float
        Estimate and interval at the confidence asked for.
    confidence : float
    n_checked : int
    stated : float
        Mean stated quality of the same labels.
    """

    share: float
    low: float
    high: float
    confidence: float
    n_checked: int
    stated: float


class Checked(NamedTuple):
    """Checks of a stratum: how many examples it has, were checked and found right, and its stated quality."""

    size: Float64s
    checked: Float64s
    right: Float64s
    stated: Float64s


def checks(audit: Audit, right: Any) -> Checked:
    """Checks by stratum; ``right`` is one entry for each of ``audit.examples``, NaN or None unchecked."""
    answers = np.array(
        [np.nan if value is None else value for value in np.asarray(right).tolist()], dtype=float
    )
    if answers.shape != audit.examples.shape:
        raise InputError(
            f"an audit of {len(audit.examples):,} examples needs as many answers, got {answers.shape}."
        )
    done: Bools = ~np.isnan(answers)
    if not done.any():
        raise InputError("no example of the audit has been checked yet.")
    where, size = audit.stratum[audit.examples][done], audit.size.astype(np.float64)
    audited = audit.stratum >= 0
    return Checked(
        size,
        np.bincount(where, minlength=len(size)).astype(np.float64),
        np.bincount(where, answers[done], len(size)).astype(np.float64),
        np.bincount(audit.stratum[audited], audit.quality[audited], len(size)) / size,
    )


def audit_report(
    audit: Audit, right: Any, *, checker: Checker | None = None, confidence: float = 0.95
) -> AuditReport:
    """The share of right labels, from checks.

    The estimate is Σ W k/n over the strata, of whose N labels k of n checked ones were right: unbiased,
    however well or badly quality is stated. Its interval inverts the score test, with the most likely shares
    of the strata under each hypothesis (Mathematics, 16). A stratum of which nothing is checked yet is taken
    together with its neighbour. Labels settled by known answers are counted, not estimated.

    Parameters
    ----------
    audit : Audit
    right : array-like of bool, one for each of ``audit.examples``
        Whether the label is right; NaN or None where nobody has checked.
    checker : Checker, optional
        How often checkers err; by default never.
    confidence : float in (0, 1)

    Returns
    -------
    AuditReport

    Raises
    ------
    InputError
        If the answers do not match the audit, or none has been given.

    Examples
    --------
    >>> import activelab as al
    >>> from activelab.audit import audit_report, draw_audit
    >>> labels = al.Labels.from_wide([[0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 0]] * 25)
    >>> audit = draw_audit(al.bayesian_consensus(labels), 20)
    >>> report = audit_report(audit, [True] * 19 + [False])
    >>> bool(report.low < report.share < report.high)
    True
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1, got {confidence!r}.")
    found, checker = checks(audit, right), checker or Checker()
    size, checked, good = _together(found)
    agreed = float(size @ (good / checked) / size.sum())
    # What an erring checker saw is not known for that: nothing of the sample is settled.
    pool = size if checker.trusted else size * 1e9
    low, high = stratified_interval(pool, checked, good, confidence)
    share, low, high = checker.corrected(agreed, low, high, audit.n_classes, confidence)
    known = len(audit.known_right)
    total = float(size.sum()) + known
    share, low, high = (
        (value * float(size.sum()) + float(audit.known_right.sum())) / total for value in (share, low, high)
    )
    return AuditReport(
        share,
        low,
        high,
        confidence,
        int(found.checked.sum()),
        float(found.size @ found.stated / found.size.sum()),
    )


def _together(found: Checked) -> tuple[Float64s, Float64s, Float64s]:
    """Size, checked and right by stratum; those without a check are part of their neighbour."""
    where = np.maximum(np.cumsum(found.checked > 0) - 1, 0)
    size, checked, right = (np.bincount(where, one).astype(np.float64) for one in found[:3])
    return size, checked, right


@dataclass(frozen=True)
class ClassShares:
    """How common each class is.

    Attributes
    ----------
    share, low, high : ndarray of float64, shape (n_classes,)
    """

    share: Float64s
    low: Float64s
    high: Float64s


def class_shares(audit: Audit, truth: Ints, *, confidence: float = 0.95) -> ClassShares:
    """How common each class is among the audited examples, from their labels and the checks.

    Prediction-powered (Angelopoulos et al. 2023), by strata: every label lends its class its stated quality
    and the others the rest, evenly; to the mean of that comes the weighted mean of what checks differ from
    it. The better the labels, the narrower the interval, which is Wilson's at the variance of the
    differences.

    Parameters
    ----------
    audit : Audit
    truth : ndarray of int, one for each of ``audit.examples``
        Codes of the right classes; -1 unchecked.
    confidence : float in (0, 1)

    Raises
    ------
    InputError
        If the answers do not match the audit, or none has been given.
    """
    truth = np.asarray(truth)
    if truth.shape != audit.examples.shape or not (truth >= 0).any():
        raise InputError("class_shares needs a code for each example of the audit, -1 where unchecked.")
    done = truth >= 0
    checked, truth = audit.examples[done], truth[done]
    where = np.maximum(np.cumsum(np.bincount(audit.stratum[checked], minlength=len(audit.size)) > 0) - 1, 0)
    n_strata = int(where.max()) + 1
    stratum = np.where(audit.stratum >= 0, where[audit.stratum], -1)
    size = np.bincount(stratum[stratum >= 0], minlength=n_strata)
    weight, number = size / size.sum(), np.bincount(stratum[checked], minlength=n_strata)
    shares, variances = np.zeros((2, audit.n_classes))
    for code in range(audit.n_classes):
        lent = np.where(audit.label == code, audit.quality, (1 - audit.quality) / max(audit.n_classes - 1, 1))
        audited = stratum >= 0
        stated = np.bincount(stratum[audited], (lent * (1 - lent))[audited], n_strata) / size
        difference = (truth == code) - lent[checked]
        mean = np.bincount(stratum[checked], difference, n_strata) / number
        squares = np.bincount(stratum[checked], (difference - mean[stratum[checked]]) ** 2, n_strata)
        # Two more differences, of the size that is stated or, if that is too small, seen in all.
        scale = max((squares.sum() + stated.sum()) / max(((number + 1) * stated).sum(), 1e-12), 1.0)
        spread = (squares + 2 * scale * stated) / (number + 1)
        shares[code] = lent[audited].mean() + weight @ mean
        variances[code] = (weight**2 * spread / number * (1 - number / size)).sum()
    share = np.clip(shares, 0, 1)
    low, high = wilson_interval(share, variances, confidence)
    whole = 1 / size.sum()  # labels are whole
    return ClassShares(share, np.clip(low - whole, 0, 1), np.clip(high + whole, 0, 1))
