"""Intervals for shares."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from activelab._typing import Float64s

_FURTHEST = 25.0  # of the logarithm of the multiplier: there every share is 0 or 1


def stratified_interval(
    size: Float64s, checked: Float64s, right: Float64s, confidence: float
) -> tuple[float, float]:
    """Score interval of a share from a stratified sample without replacement.

    A sample of n of N labels counts as n (N − 1)/(N − n), so that nothing is left open where all are
    checked. The share Σ W p is compared with every θ by the most likely p whose Σ W p is θ: those with
    k/p − (n − k)/(1 − p) = λ W. With θ̂ = Σ W k/n, θ is inside where (θ̂ − θ)² ≤ z² Σ W² p (1 − p)/n. A
    stratum in which all are right is thereby not taken for perfect; with a single stratum this is Wilson's
    interval. One label of the pool is added at each end, since labels are whole, and no label that was
    checked is put in doubt.

    Parameters
    ----------
    size, checked, right : ndarray of float64, shape (n_strata,)
        N, n (above 0) and k.
    confidence : float in (0, 1)
    """
    total, z = float(size.sum()), float(norm.isf((1 - confidence) / 2))
    weight, open_ = size / total, size > checked
    estimate = float(weight @ (right / checked))
    part = weight[open_]
    worth = (checked * np.maximum(size - 1, 1))[open_] / (size - checked)[open_]

    def lowest(good: Float64s) -> float:
        """The lower end, where labels of a kind are counted."""
        kind = good[open_] / checked[open_] * worth
        centre = float(part @ (kind / worth))

        def at(power: float) -> tuple[float, float]:
            pull = np.exp(power) * part
            linear = worth + pull
            p = np.minimum(2 * kind / (linear + np.sqrt(np.maximum(linear**2 - 4 * pull * kind, 0))), 1)
            return centre - float(part @ p), float((part**2 * p * (1 - p) / worth).sum())

        def outside(power: float) -> float:
            apart, variance = at(power)
            return apart - z * float(np.sqrt(variance)) if apart > 1e-12 else -1.0

        whole = float(weight @ (good / checked))
        if not len(part) or outside(_FURTHEST) < 0:
            return whole - centre
        return whole - at(float(brentq(outside, -_FURTHEST, _FURTHEST, xtol=1e-9)))[0]

    wrong = checked - right
    low = max(lowest(right) - 1 / total, float(right.sum()) / total)
    high = min(1 - lowest(wrong) + 1 / total, float(total - wrong.sum()) / total)
    return min(low, estimate), max(high, estimate)


def wilson_interval(share: Float64s, variance: Float64s, confidence: float) -> tuple[Float64s, Float64s]:
    """Wilson's interval with the size of a plain sample whose share varies as much."""
    z = float(norm.isf((1 - confidence) / 2))
    inside = np.clip(share, 1e-4, 1 - 1e-4)
    per_check = z**2 * variance / (inside * (1 - inside))  # z²/n
    centre = (inside + per_check / 2) / (1 + per_check)
    margin = np.sqrt(z**2 * variance + per_check**2 / 4) / (1 + per_check)
    low, high = np.minimum(centre - margin, share), np.maximum(centre + margin, share)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)
