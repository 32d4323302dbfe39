"""Entropy and uncertainty of the mean prediction [A appendix A]."""

from __future__ import annotations

import numpy as np

from activelab._kernels import TINY, blocks
from activelab._typing import Float64s, Models
from activelab.acquisition._base import Acquisition, mean_probs
from activelab.labels import Labels


class Entropy(Acquisition):
    """Σ_k p log p of the models' mean: the most uncertain prediction first."""

    by_example = True

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        scores = np.empty(labels.n_examples)
        for block in blocks(labels):
            scores[block.index] = negative_entropy(mean_probs(models, block))
        return scores


class Uncertainty(Acquisition):
    """max_k p of the models' mean: the least confident prediction first."""

    by_example = True

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        scores = np.empty(labels.n_examples)
        for block in blocks(labels):
            scores[block.index] = mean_probs(models, block).max(axis=1)
        return scores


def negative_entropy(p: Float64s) -> Float64s:
    """Σ_k p log p of each row."""
    total: Float64s = np.einsum("ij,ij->i", p, np.log(np.maximum(p, TINY)))
    return total
