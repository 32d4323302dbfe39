"""Random choice: among all examples, those with the fewest labels, or labelled ones [A appendix A]."""

from __future__ import annotations

import numpy as np

from activelab._kernels import tie_break
from activelab._typing import Float64s, Models
from activelab.acquisition._base import Acquisition
from activelab.labels import Labels


class Random(Acquisition):
    """A uniform draw x in [0, 1) for each example, a function of the seed and its id."""

    by_example = True

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        return tie_break(seed, labels.tie_keys(np.arange(labels.n_examples)))


class GoodRandom(Random):
    """Random among the examples with the fewest labels: x + n_i."""

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        return super().score_models(labels, models, seed=seed) + labels.counts


class RelabelRandom(GoodRandom):
    """Random among the labelled examples with the fewest labels; unlabelled ones are not considered."""

    relabels_only = True

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        return np.where(labels.labelled, super().score_models(labels, models, seed=seed), np.inf)
