"""Checkers who err: what their answers say of the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from activelab._errors import InputError
from activelab._typing import Float64s


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

    @property
    def trusted(self) -> bool:
        """Whether answers are taken as they are."""
        return self.right + self.wrong == 0

    @property
    def error(self) -> tuple[float, float]:
        """Mean and variance of the rate at which checkers err."""
        if self.trusted:
            return 0.0, 0.0
        a, b = self.wrong + 0.5, self.right + 0.5
        total = a + b
        return a / total, a * b / (total**2 * (total + 1))

    def least_error(self, risk: float) -> float:
        """Rate below which they err with a probability of at most ``risk``."""
        return 0.0 if self.trusted else float(beta.ppf(risk, self.wrong + 0.5, self.right + 0.5))

    def agreement(self, share: Float64s, n_classes: int) -> Float64s:
        """Share of labels they agree with where a share of them is right."""
        rate = self.error[0]
        return np.asarray(share * (1 - rate) + (1 - share) * rate / max(n_classes - 1, 1))

    def corrected(self, agreed: float, variance: float, n_classes: int) -> tuple[float, float]:
        """Share of right labels, and its variance, from the share checkers agree with (Rogan & Gladen 1978).

        A checker who errs at rate a disagrees with a right label, and agrees with a wrong one at rate
        a / (K − 1): agreed = θ (1 − a) + (1 − θ) a / (K − 1). The variance carries that of a.
        """
        rate, of_rate = self.error
        others = max(n_classes - 1, 1)
        slope = 1 - rate * (others + 1) / others
        if slope <= 0:
            raise InputError("checkers who err as often as chance say nothing about the labels.")
        share = (agreed - rate / others) / slope
        moved = (share * (others + 1) - 1) / others / slope
        return share, variance / slope**2 + moved**2 * of_rate
