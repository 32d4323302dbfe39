"""Checkers who err: what their answers say of the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from activelab._errors import InputError


@dataclass(frozen=True)
class Checker:
    """How often checkers are right, from gold answers or examples two of them checked.

    Attributes
    ----------
    right, wrong : float
        Answers of theirs that were right and wrong. With none they are taken at their word.
    """

    right: float = 0.0
    wrong: float = 0.0

    def __post_init__(self) -> None:
        if not (self.right >= 0 and self.wrong >= 0):
            raise InputError("a checker's numbers of right and wrong answers cannot be negative.")

    @classmethod
    def erring(cls, rate: float) -> Checker:
        """Checkers whose error rate is known; with a rate of 0 they are taken at their word.

        Raises
        ------
        InputError
            If the rate is not in [0, 1).
        """
        if not 0 <= rate < 1:
            raise InputError(f"a checker's error rate should be at least 0 and below 1, not {rate}.")
        return cls(1e9 * (1 - rate), 1e9 * rate) if rate else cls()

    @property
    def error(self) -> float:
        """Share of their answers that were wrong."""
        return 0.0 if self.trusted else self.wrong / (self.right + self.wrong)

    @property
    def trusted(self) -> bool:
        """Whether answers are taken as they are."""
        return self.right + self.wrong == 0

    def least_error(self, risk: float) -> float:
        """Rate below which they err with a probability of at most ``risk``."""
        return 0.0 if self.trusted else float(beta.ppf(risk, self.wrong + 0.5, self.right + 0.5))

    def corrected(
        self, agreed: float, low: float, high: float, n_classes: int, confidence: float
    ) -> tuple[float, float, float]:
        """Share of right labels and its interval, from the share that checkers agree with.

        A checker who errs at rate a disagrees with a right label, and agrees with a wrong one at rate
        a / (K − 1): agreed = θ (1 − a) + (1 − θ) a / (K − 1) (Rogan & Gladen 1978). The distances of the
        ends from θ that the sample and the rate account for are squared and added.
        """
        if self.trusted:
            return agreed, low, high
        others = max(n_classes - 1, 1)

        def share(seen: float, rate: float) -> float:
            slope = 1 - rate * (others + 1) / others
            if slope <= 0:
                raise InputError("checkers who err as often as chance say nothing about the labels.")
            return (seen - rate / others) / slope

        a, b, tail = self.wrong + 0.5, self.right + 0.5, (1 - confidence) / 2
        rate = a / (a + b)
        furthest = 0.99 * others / (others + 1)
        least, most = np.minimum(beta.ppf([tail, 1 - tail], a, b), furthest).tolist()
        best = share(agreed, rate)
        ends = [share(agreed, one) for one in (least, most)]
        below = np.hypot(best - share(low, rate), max(best - min(ends), 0))
        above = np.hypot(share(high, rate) - best, max(max(ends) - best, 0))
        clipped = np.clip([best, best - below, best + above], 0, 1)
        return float(clipped[0]), float(clipped[1]), float(clipped[2])
