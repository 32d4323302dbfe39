"""What the checks say of all the labels: the share that is right, and how common each class is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import beta, norm

from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ints
from activelab.audit._checker import Checker
from activelab.audit._design import Audit

_DOUBT = 0.3  # of a check, half of it wrong, that every stratum's variance is given beforehand


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
    stated = np.bincount(audit.stratum[audited], audit.consensus.quality[audited], len(size)) / size
    return Checked(
        size,
        np.bincount(where, minlength=len(size)).astype(np.float64),
        np.bincount(where, answers[done], len(size)).astype(np.float64),
        stated,
    )


def audit_report(
    audit: Audit, right: Any, *, checker: Checker | None = None, confidence: float = 0.95
) -> AuditReport:
    """The share of right labels, from checks.

    In a stratum of N labels, k of n checked ones were right. With the stated quality s as one more check, of
    the others a share m = (k + s)/(n + 1) is right, and the stratum's share is θ = (k + (N − n) m)/N, with
    variance m′(1 − m′)/(n + 2) · (N + 1)(N − n)/N², m′ = (k + s + 0.15)/(n + 1.3): a stratum in which no
    error was seen is not taken for perfect. Estimate and variance are Σ W θ and Σ W² var over the strata; the
    interval is that of the Beta distribution with these moments, skewed as a share near 1 is (symmetric where
    checkers err, see `Checker`). Labels settled by known answers are counted, not estimated.

    Parameters
    ----------
    audit : Audit
    right : array-like of bool, one for each of ``audit.examples``
        Whether the consensus label is right; NaN or None where nobody has checked.
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
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1, got {confidence!r}.")
    found, checker = checks(audit, right), checker or Checker()
    n_classes = audit.consensus.labels.n_classes
    stated = checker.agreement(found.stated, n_classes)
    mean = (found.right + stated) / (found.checked + 1)
    # What an erring checker saw is not known for that: nothing of the sample is settled.
    unseen = found.size - found.checked if checker.trusted else found.size
    doubtful = (found.right + stated + _DOUBT / 2) / (found.checked + 1 + _DOUBT)
    spread = doubtful * (1 - doubtful) / (found.checked + 2)
    # The number right among those not seen varies by itself, too.
    spread *= (found.size + 1) * unseen / found.size**2
    weight = found.size / found.size.sum()
    agreed = float(weight @ ((found.right * checker.trusted + unseen * mean) / found.size))
    share, variance = checker.corrected(agreed, float(weight**2 @ spread), n_classes)
    known = len(audit.known_right)
    total = float(found.size.sum()) + known
    part = float(found.size.sum()) / total
    share = part * share + float(audit.known_right.sum()) / total
    variance *= part**2
    if checker.trusted:
        low, high = beta_interval(share, variance, confidence)
        # Labels are whole.
        low, high = max(low - 0.5 / total, 0.0), min(high + 0.5 / total, 1.0)
    else:
        margin = float(norm.isf((1 - confidence) / 2) * np.sqrt(variance))
        low, high = (float(np.clip(share + side * margin, 0, 1)) for side in (-1, 1))
    return AuditReport(
        float(np.clip(share, 0, 1)),
        low,
        high,
        confidence,
        int(found.checked.sum()),
        float(weight @ found.stated),
    )


def beta_interval(mean: float, variance: float, confidence: float) -> tuple[float, float]:
    """Quantiles of the Beta distribution of a mean and variance."""
    if variance <= 0 or not 0 < mean < 1:
        return mean, mean
    size = max(mean * (1 - mean) / variance - 1, 1e-6)
    tail = (1 - confidence) / 2
    low, high = beta.ppf([tail, 1 - tail], mean * size, (1 - mean) * size)
    return float(low), float(high)


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
    """How common each class is among the audited examples, from the posterior and the checks.

    Prediction-powered (Angelopoulos et al. 2023), by strata: the mean posterior of a class, plus the weighted
    mean of what the checks differ from it. The better the posterior, the narrower the interval.

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
    posterior = audit.consensus.posterior
    audited = audit.stratum >= 0
    done = truth >= 0
    checked = audit.examples[done]
    difference = np.eye(posterior.shape[1])[truth[done]] - posterior[checked]
    where, size = audit.stratum[checked], audit.size
    weight = size / size.sum()
    share = posterior[audited].mean(axis=0)
    variance = np.zeros(len(share))
    for stratum in range(len(size)):
        here = difference[where == stratum]
        if not len(here):
            continue
        share = share + weight[stratum] * here.mean(axis=0)
        # One more difference of the stated size stands for those not seen.
        doubt = posterior[audit.stratum == stratum]
        stated = (doubt * (1 - doubt)).mean(axis=0)
        spread = (((here - here.mean(axis=0)) ** 2).sum(axis=0) + stated) / len(here)
        variance += weight[stratum] ** 2 * spread / len(here) * (1 - len(here) / size[stratum])
    margin = norm.isf((1 - confidence) / 2) * np.sqrt(variance)
    share = np.clip(share, 0, 1)
    return ClassShares(share, np.clip(share - margin, 0, 1), np.clip(share + margin, 0, 1))
