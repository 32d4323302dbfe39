"""Labels safe to ship: at most a share ε of them wrong, with confidence 1 − δ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

from activelab._errors import InputError
from activelab._typing import Float64s, Ints
from activelab.audit._checker import Checker
from activelab.audit._design import Audit
from activelab.audit._report import checks


@dataclass(frozen=True, eq=False)
class SafeLabels:
    """Labels of which at most a share ε is wrong, with confidence 1 − δ.

    Attributes
    ----------
    examples : ndarray of int
        Positions; empty if the checks do not carry the guarantee for any set of labels.
    bound : float
        Upper bound on the share that is wrong among them; 1 if there are none.
    """

    examples: Ints
    bound: float


def safe_labels(
    audit: Audit, right: Any, *, epsilon: float = 0.05, delta: float = 0.05, checker: Checker | None = None
) -> SafeLabels:
    """The largest set of labels that is safe to ship (probably-approximately-correct labelling).

    Candidates are the strata of highest quality, one more at a time. They are tested in this order, beginning
    with the first that would pass if as many were wrong as is stated (or, if none would, with none wrong) and
    ending before the first that fails, so that all of them together err with a probability of at most δ. A
    set passes if the Clopper-Pearson bound on its error, at the size n = 1 / Σ W_h² / n_h that its weighted
    checks are worth, is at most ε. Erring checkers raise the errors seen; no more of these is put down to
    them than the rate that they surpass with confidence 1 − δ/2.

    Parameters
    ----------
    audit : Audit
    right : array-like of bool, one for each of ``audit.examples``
        Whether the consensus label is right; NaN or None where nobody has checked.
    epsilon, delta : float in (0, 1)
    checker : Checker, optional
        How often checkers err; by default never.

    Returns
    -------
    SafeLabels

    Raises
    ------
    InputError
        If epsilon or delta is out of range, or the answers do not match the audit.
    """
    if not (0 < epsilon < 1 and 0 < delta < 1):
        raise InputError("epsilon and delta must lie between 0 and 1.")
    found, checker = checks(audit, right), checker or Checker()
    risk = delta if checker.trusted else delta / 2
    rate = checker.least_error(delta / 2)
    slope = 1 - rate * audit.n_classes / max(audit.n_classes - 1, 1)

    def upper(lowest: int, wrong: Float64s) -> float:
        """Bound on the error of the strata from ``lowest`` on, of whose checked labels a share is wrong."""
        weight = found.size[lowest:] / found.size[lowest:].sum()
        worth = 1 / float((weight**2 / found.checked[lowest:]).sum())
        seen = float(weight @ wrong[lowest:]) * worth
        bound = float(beta.ppf(1 - risk, seen + 1, worth - seen)) if seen < worth else 1.0
        return max(bound - rate, 0.0) / slope if slope > 0 else 1.0

    order = [
        lowest for lowest in range(len(found.size) - 1, -1, -1) if found.checked[lowest:].all()
    ]  # the highest qualities first, then one stratum more at a time
    for expected in (1 - found.stated, np.zeros(len(found.size))):
        begin = next((lowest for lowest in order if upper(lowest, expected) <= epsilon), None)
        if begin is not None:
            break
    else:
        return SafeLabels(np.empty(0, dtype=np.int64), 1.0)
    safe, bound = len(found.size), 1.0
    for lowest in range(begin, -1, -1):
        now = upper(lowest, 1 - found.right / np.maximum(found.checked, 1)) if lowest in order else 1.0
        if now > epsilon:
            break
        safe, bound = lowest, now
    examples = (
        np.flatnonzero(audit.stratum >= safe) if safe < len(found.size) else np.empty(0, dtype=np.int64)
    )
    return SafeLabels(examples, bound)
