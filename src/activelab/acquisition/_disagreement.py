"""Disagreement among the models of an ensemble (McCallum & Nigam 1998) [A appendix A, eq. 9]."""

from __future__ import annotations

from typing import Literal

import numpy as np

from activelab._errors import InputError
from activelab._kernels import blocks, log_probs
from activelab._typing import Float64s, Models
from activelab.acquisition._base import Acquisition, mean_probs
from activelab.labels import Labels


class Disagreement(Acquisition):
    """The examples on which the models differ most, first.

    Parameters
    ----------
    measure : {"kl", "cross_entropy"}
        −(1/L) Σ_l KL(p^l ‖ p̄), the mean divergence from the average; or −(1/L) Σ_l CE(p̄, p^l). (Eq. 9
        of the paper prints no logarithm; with one it would collapse to the entropy of the average.)

    Raises
    ------
    InputError
        From `score`, if there is only one model.
    """

    by_example = True

    def __init__(self, measure: Literal["kl", "cross_entropy"] = "kl") -> None:
        if measure not in ("kl", "cross_entropy"):
            raise InputError(f"measure must be 'kl' or 'cross_entropy', got {measure!r}.")
        self.measure = measure

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        if len(models) < 2:
            raise InputError(
                "disagreement needs the predictions of at least two models, got one.", advice="models"
            )
        scores = np.empty(labels.n_examples)
        for block in blocks(labels):
            mean = mean_probs(models, block)
            log_mean = log_probs(mean)
            total = np.zeros(block.size)
            for model in models:
                p = block.rows_of(model).astype(np.float64)
                log_p = log_probs(p)
                if self.measure == "kl":
                    total += np.einsum("ij,ij->i", p, log_p - log_mean)
                else:
                    total -= np.einsum("ij,ij->i", mean, log_p)
            scores[block.index] = -total / len(models)
        return scores
