"""What a wrong set costs, and the sets that are expected to cost least."""

from __future__ import annotations

from typing import Literal

import numpy as np

from activelab._errors import unknown
from activelab._typing import Bools, Float64s

SetLoss = Literal["hamming", "f1"]

SET_LOSSES = ("hamming", "f1")
"""A loss a wrong label, or what is missing of each label's F1 over the pool."""


def thresholds(posterior: Float64s, loss: str) -> Float64s:
    """The probability from which each class is chosen, shape (n_classes,); infinite where never.

    Half for the Hamming loss. For F1 of a class over the pool, the threshold of the t examples that make
    2 Σ_t p / (t + Σ p) largest: the expected true positives over the expected sum of what is chosen and what
    is right (Lewis 1995).

    Raises
    ------
    InputError
        If there is no such loss.
    """
    if loss not in SET_LOSSES:
        raise unknown("loss", loss, SET_LOSSES)
    if loss == "hamming" or not len(posterior):
        return np.full(posterior.shape[1], np.nextafter(0.5, 1))
    return np.array([_best_for_f1(column) for column in posterior.T])


def choose(posterior: Float64s, threshold: Float64s) -> Bools:
    """Which classes are chosen, of the shape of ``posterior``."""
    return np.asarray(posterior >= threshold)


def _best_for_f1(probability: Float64s) -> float:
    ordered = np.sort(probability)[::-1]
    total = float(ordered.sum())
    if total <= 0:
        return np.inf
    expected = 2 * np.cumsum(ordered) / (np.arange(1, len(ordered) + 1) + total)
    # Examples of one probability are chosen together.
    expected[:-1][ordered[:-1] == ordered[1:]] = -1
    return float(ordered[expected.argmax()])
