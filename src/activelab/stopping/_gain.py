"""What labels can be expected to buy: consensus errors removed, against their price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._kernels import blocks
from activelab._typing import Float64s, Models
from activelab.consensus._bayesian import BayesianEstimate, bayesian_estimate
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs


@dataclass(frozen=True)
class Forecast:
    """What the next labels are expected to buy.

    Attributes
    ----------
    labels : int
        How many labels the forecast is for.
    errors_now : float
        Examples of the pool whose most probable class is expected to be wrong.
    errors_removed : float
        How many fewer that would be after the labels, each where it removes most.
    errors_removed_last : float
        What the last of the labels would remove.
    accuracy : float
        Expected accuracy of a label by the annotators there are.
    worth : int or None
        How many of the labels remove more than they cost; None without prices.
    """

    labels: int
    errors_now: float
    errors_removed: float
    errors_removed_last: float
    accuracy: float
    worth: int | None


def forecast(
    labels: Labels,
    pred_probs: Any,
    number: int = 1000,
    *,
    label_price: float | None = None,
    error_cost: float | None = None,
) -> Forecast:
    """What the next labels are expected to buy, one an example.

    Parameters
    ----------
    labels : Labels
    pred_probs : array-like
        Out-of-sample probabilities.
    number : int
        Labels, at most one an example; fewer if the pool is smaller.
    label_price, error_cost : float, optional
        Price of a label, and what a wrong label in the data costs; both or neither.

    Returns
    -------
    Forecast
        Without retraining: what the model learns from the labels comes on top of it.

    Raises
    ------
    InputError
        If ``pred_probs`` does not match ``labels``, the number is not positive, or prices are not positive.
    """
    if number < 1:
        raise InputError(f"the number of labels must be at least 1, got {number}.")
    if (label_price is None) != (error_cost is None):
        raise InputError("a price of labels needs the cost of an error, and the other way round.")
    models = check_pred_probs(pred_probs, labels)
    estimate = bayesian_estimate(labels, models)
    wrong, removed = _of_models(labels, models, estimate)
    number = min(number, len(removed))
    best = -np.sort(-np.partition(removed, len(removed) - number)[len(removed) - number :])
    worth = None
    if label_price is not None and error_cost is not None:
        if not (label_price > 0 and error_cost > 0):
            raise InputError("prices must be positive numbers.")
        worth = int(np.count_nonzero(best * error_cost > label_price))
    return Forecast(
        labels=number,
        errors_now=float(wrong.sum()),
        errors_removed=float(best.sum()),
        errors_removed_last=float(best[-1]),
        accuracy=estimate.ability.overall,
        worth=worth,
    )


def errors_removed(labels: Labels, pred_probs: Any) -> Float64s:
    """Expected number of errors one more label removes at each example, shape (n_examples,).

    The most probable class of an example under `bayesian_consensus` is wrong with probability 1 − max R. A
    label l by an annotator of the mean accuracy arrives with probability P(l) and changes the posterior to
    R⁺ˡ; the expected gain is Σ_l P(l) max R⁺ˡ − max R, which is 0 where no label could change the class
    (the knowledge gradient of Frazier et al. 2008).

    Parameters
    ----------
    labels : Labels
    pred_probs : array-like
        Out-of-sample probabilities.

    Returns
    -------
    ndarray of float64 in [0, 1]

    Raises
    ------
    InputError
        If ``pred_probs`` does not match ``labels``.
    """
    models = check_pred_probs(pred_probs, labels)
    return _of_models(labels, models, bayesian_estimate(labels, models))[1]


def _of_models(labels: Labels, models: Models, estimate: BayesianEstimate) -> tuple[Float64s, Float64s]:
    """Probability that each example's most probable class is wrong, and what a label removes of it."""
    accuracy = estimate.ability.overall
    wrong, removed = np.empty(labels.n_examples), np.empty(labels.n_examples)
    for block in blocks(labels):
        posterior = estimate.posterior(block, models)
        wrong[block.index] = 1 - posterior.max(axis=1)
        removed[block.index] = knowledge_gradient(posterior, accuracy)
    return wrong, removed


def knowledge_gradient(posterior: Float64s, accuracy: float) -> Float64s:
    """Σ_l max_k R_k Q(l | k) − max_k R_k of each row, for a label with errors spread evenly."""
    size, n_classes = posterior.shape
    if n_classes < 2:
        return np.zeros(size)
    other = (1 - accuracy) / (n_classes - 1)
    row, best = np.arange(size), posterior.argmax(axis=1)
    top = posterior[row, best]
    second = np.partition(posterior, n_classes - 2, axis=1)[:, n_classes - 2]
    rest = np.broadcast_to((other * top)[:, None], posterior.shape).copy()
    rest[row, best] = other * second
    gain = np.maximum(accuracy * posterior, rest).sum(axis=1) - top
    return np.asarray(np.maximum(gain, 0.0))
