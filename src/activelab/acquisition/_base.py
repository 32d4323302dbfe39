"""The seam every acquisition method implements, and what a method may tell beyond its scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from activelab._kernels import Block
from activelab._typing import Float64s, Models
from activelab.acquisition._assessment import Assessment, assess_pool
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs


class Acquisition(ABC):
    """A way to decide what to label next: one score an example, the lowest first.

    A method implements `score_models`. Contract: it reads its inputs and changes none; the result has
    shape ``(n_examples,)``, no NaN, and +inf for examples it does not consider; it depends on nothing
    but its arguments and its own parameters, so that equal seeds give equal scores.

    Attributes
    ----------
    relabels_only : bool
        Whether it considers labelled examples alone.
    by_example : bool
        Whether the score of an example depends on its own labels and probabilities alone, so that the
        pool may be scored in parts (`activelab.scale`).
    """

    relabels_only: ClassVar[bool] = False
    by_example: ClassVar[bool] = False

    def score(self, labels: Labels, pred_probs: Any, *, seed: int = 0) -> Float64s:
        """Score every example of the pool, labelled or not.

        Parameters
        ----------
        labels : Labels
            The pool.
        pred_probs : array-like or dataframe
            Shape ``(n_examples, n_classes)``, or ``(n_models, n_examples, n_classes)`` for an ensemble;
            out-of-sample for labelled examples.
        seed : int
            Seed of random draws.

        Returns
        -------
        ndarray of float64, shape (n_examples,)
            Low = most worth labelling.

        Raises
        ------
        InputError
            If ``pred_probs`` does not match ``labels``.
        """
        return self.score_models(labels, check_pred_probs(pred_probs, labels), seed=seed)

    @abstractmethod
    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        """`score` over checked probabilities, one ``(n_examples, n_classes)`` array a model."""

    def assess_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Assessment:
        """Scores together with an uncalibrated CROWDLAB estimate of labels and trust."""
        assessment = assess_pool(labels, models, np.ones(len(models)), calibrated=False, seed=seed)
        return replace(assessment, scores=self.score_models(labels, models, seed=seed))

    def assess_lowest(self, labels: Labels, models: Models, size: int, *, seed: int = 0) -> Assessment:
        """`assess_models` for the ``size`` lowest scores: those of other examples may be infinite."""
        return self.assess_models(labels, models, seed=seed)


def mean_probs(models: Models, block: Block) -> Float64s:
    """Mean of the models' probabilities over a block, float64."""
    total = block.rows_of(models[0]).astype(np.float64)
    for model in models[1:]:
        total += block.rows_of(model)
    total /= len(models)
    return total
