"""What a wrong decision costs on a scale, and the decision that is expected to cost least."""

from __future__ import annotations

from typing import Literal

import numpy as np

from activelab._errors import unknown
from activelab._kernels import most_probable
from activelab._typing import Float64s, Floats, Index, Ints
from activelab.labels import Labels

Loss = Literal["zero_one", "absolute", "quadratic"]

LOSSES = {
    "zero_one": lambda apart: (apart > 0).astype(np.float64),
    "absolute": lambda apart: apart,
    "quadratic": lambda apart: apart**2,
}
"""Loss of a decision by its distance from the truth; the best is the most probable class, the median of the
posterior, and the class nearest to its mean."""


def loss_table(loss: str, where: Float64s) -> Float64s:
    """Loss of each decision at each truth, shape (n_classes, n_classes): truth, decision.

    Raises
    ------
    InputError
        If there is no such loss.
    """
    if loss not in LOSSES:
        raise unknown("loss", loss, list(LOSSES))
    return np.asarray(LOSSES[loss](np.abs(where[:, None] - where)))


def decide(
    posterior: Floats, table: Float64s, index: Index, labels: Labels, seed: int
) -> tuple[Ints, Float64s]:
    """The class of each row that is expected to cost least, and what; ties as by `most_probable`."""
    # Truth by truth: a product of matrices may round a row by where in the block it is.
    expected = np.zeros((len(posterior), table.shape[1]))
    for truth, cost in enumerate(table):
        expected += posterior[:, truth, None] * cost
    label = most_probable(float(table.max(initial=0)) - expected, index, labels, seed)
    return label, expected[np.arange(len(label)), label]
