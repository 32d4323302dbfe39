"""The lowest scores so far, which tell of which examples a score need not be worked out."""

from __future__ import annotations

import numpy as np

from activelab._typing import Float64s, Floats

TOPS: Float64s = np.linspace(0, 1, 513)[1:]
"""Highest probabilities at which a bound on scores is looked at."""


def top_of(bounds: Floats, worst: float) -> float:
    """A highest probability from which on no example has a score of ``worst`` or less.

    ``bounds`` on the scores from below are those at `TOPS`; they grow with it.
    """
    low = np.flatnonzero(bounds <= worst)
    place = int(low[-1]) + 1 if len(low) else 0
    return float(TOPS[place]) if place < len(TOPS) else np.inf


class Lowest:
    """The lowest scores of those seen so far, by which others need not be worked out.

    Attributes
    ----------
    worst : float
        What has a higher score cannot be among the ``size`` lowest; infinite as long as there are fewer.
    """

    def __init__(self, size: int, worst: float = np.inf) -> None:
        self.worst = worst
        self._size, self._seen = size, np.empty(0)

    def take(self, scores: Float64s) -> None:
        """See some scores."""
        self._seen = np.concatenate([self._seen, scores[scores <= self.worst]])
        if len(self._seen) >= 2 * self._size:
            self._seen = np.partition(self._seen, self._size - 1)[: self._size]
            self.worst = float(self._seen[-1])
