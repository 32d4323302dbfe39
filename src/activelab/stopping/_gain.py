"""What labels can be expected to buy: consensus errors removed, against their price."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb, factorial, prod
from typing import Any, NamedTuple

import numpy as np

from activelab._errors import InputError
from activelab._kernels import blocks
from activelab._typing import Float64s, Floats, Ints, Models
from activelab.consensus import BayesianEstimate, bayesian_estimate
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs

DEPTH = 3
"""Labels of an example a forecast looks ahead."""


@dataclass(frozen=True)
class Forecast:
    """What the next labels are expected to buy.

    Attributes
    ----------
    labels : int
        How many labels the forecast is for.
    errors_now : float
        Examples of the pool whose most probable class is expected to be wrong; of ratings what all consensus
        labels are expected to cost, in units of the scale or their squares; of sets wrong single answers.
    errors_removed : float
        How many fewer that would be after the labels, given where they remove most.
    errors_removed_last : float
        What the last of the labels would remove.
    accuracy : float
        Expected accuracy of a label by the annotators there are; of sets of a single answer.
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
    """What the next labels are expected to buy, up to three an example.

    Parameters
    ----------
    labels : Labels
    pred_probs : array-like
        Out-of-sample probabilities.
    number : int
        Labels; fewer if three for every example are fewer.
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
    models = check_pred_probs(pred_probs, labels)
    found = outlook(labels, models)
    return forecast_of(found, number, label_price=label_price, error_cost=error_cost)


class Outlook(NamedTuple):
    """What a pool is expected to cost now, and what a label takes off that at each example."""

    errors_now: float
    removed: Float64s
    taken: Ints
    accuracy: float


def outlook(labels: Labels, models: Models) -> Outlook:
    """That of single choice: examples whose most probable class is wrong."""
    estimate = bayesian_estimate(labels, models)
    wrong, removed, taken = _of_models(labels, models, estimate)
    return Outlook(float(wrong.sum()), removed, taken, estimate.ability.overall)


def forecast_of(
    found: Outlook,
    number: int,
    *,
    label_price: float | None = None,
    error_cost: float | None = None,
) -> Forecast:
    """`forecast` by an outlook, in which ``taken`` says of how many labels ``removed`` is a mean."""
    errors_now, removed, taken, accuracy = found
    if number < 1:
        raise InputError(f"the number of labels must be at least 1, got {number}.")
    if (label_price is None) != (error_cost is None):
        raise InputError("a price of labels needs the cost of an error, and the other way round.")
    best = np.argsort(-removed, kind="stable")
    # Each label of an example counts its share of what they remove together.
    spent = np.minimum(np.cumsum(taken[best]), number)
    used = np.diff(spent, prepend=0)
    worth = None
    if label_price is not None and error_cost is not None:
        if not (label_price > 0 and error_cost > 0):
            raise InputError("prices must be positive numbers.")
        worth = int(used[removed[best] * error_cost > label_price].sum())
    return Forecast(
        labels=int(used.sum()),
        errors_now=errors_now,
        errors_removed=float((used * removed[best]).sum()),
        errors_removed_last=float(removed[best][used > 0][-1]) if used.any() else 0.0,
        accuracy=accuracy,
        worth=worth,
    )


def loss_gains(posterior: Float64s, channel: Float64s, table: Float64s) -> tuple[Float64s, Float64s]:
    """What the best decision is expected to cost, and what one, two and three more labels take off that.

    An answer l multiplies the posterior R_k by P(l | k); before it is known, the decision after it costs
    Σ_l min_a Σ_k R_k P(l | k) L(k, a). Of several answers only how often each is given counts.

    Parameters
    ----------
    posterior : ndarray of float64, shape (n_rows, n_classes)
    channel : ndarray of float64, shape (n_labels, n_classes)
        Probability of each label where each class is true.
    table : ndarray of float64, shape (n_classes, n_decisions)
        Loss of each decision at each truth.

    Returns
    -------
    now : ndarray of float64, shape (n_rows,)
    gain : ndarray of float64, shape (n_rows, 3)
    """
    now = (posterior @ table).min(axis=1, initial=np.inf)
    gain = np.zeros((len(posterior), DEPTH))
    for number in range(1, DEPTH + 1):
        after = np.zeros(len(posterior))
        for answers in combinations_with_replacement(range(len(channel)), number):
            ways = factorial(number) / prod(factorial(answers.count(one)) for one in set(answers))
            likely = posterior * channel[list(answers)].prod(axis=0)
            after += ways * (likely @ table).min(axis=1, initial=np.inf)
        gain[:, number - 1] = np.maximum(now - after, 0)
    return now, gain


def best_rate(gain: Float64s) -> tuple[Float64s, Ints]:
    """What a label removes where one, two or three remove most each, and how many that are."""
    depth = np.arange(1, DEPTH + 1)
    rate = gain / depth
    best = rate.argmax(axis=1)
    return rate[np.arange(len(rate)), best], depth[best]


def errors_removed(labels: Labels, pred_probs: Any) -> Float64s:
    """Expected number of errors a label removes at each example, shape (n_examples,).

    The most probable class of an example under `bayesian_consensus` is wrong with probability 1 − max R. m
    labels by annotators of the mean accuracy change the posterior; the expected gain in max R, divided by
    m, is the knowledge gradient (Frazier et al. 2008) for m = 1. A single label often could not change the
    class where two or three could, so the best m up to three counts.

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


def _of_models(labels: Labels, models: Models, estimate: BayesianEstimate) -> tuple[Float64s, Float64s, Ints]:
    """Probability that each example's class is wrong, what a label removes of it, and of how many labels."""
    accuracy = estimate.ability.overall
    wrong, removed = np.empty(labels.n_examples), np.empty(labels.n_examples)
    taken = np.empty(labels.n_examples, dtype=np.int64)
    for block in blocks(labels):
        posterior = estimate.posterior(block, models)
        wrong[block.index] = 1 - posterior.max(axis=1)
        removed[block.index], taken[block.index] = best_rate(gains(posterior, accuracy))
    return wrong, removed, taken


def gains(posterior: Floats, accuracy: float) -> Float64s:
    """What one, two and three more labels remove of 1 − max_k R_k in each row, shape (n_rows, 3).

    Between the two most probable classes: every label names the right one with probability q, the other
    with (1 − q)/(K − 1), or a third, which says nothing about the two.
    """
    size, n_classes = posterior.shape
    gain = np.zeros((size, DEPTH))
    if n_classes < 2:
        return gain
    pair = np.partition(posterior, n_classes - 2, axis=1)[:, -2:]
    first, second = pair[:, 1], pair[:, 0]
    right, wrong = accuracy, (1 - accuracy) / (n_classes - 1)
    neither = max(1 - right - wrong, 0.0)
    for number in range(1, DEPTH + 1):
        after = np.zeros(size)
        for ours in range(number + 1):
            for theirs in range(number + 1 - ours):
                ways = comb(number, ours) * comb(number - ours, theirs)
                ways *= neither ** (number - ours - theirs)
                for_first = first * (right**ours * wrong**theirs)
                for_second = second * (wrong**ours * right**theirs)
                after += ways * np.maximum(for_first, for_second)
        gain[:, number - 1] = np.maximum(after - first, 0.0)
    return gain
