"""How right each annotator is, and how sure that is: by what everybody else says of the same examples.

A label is held out of its example: the models, the labels of other voices and the known answer say with
probability s which class it is. An annotator of accuracy a then names that class with probability
p = s a + (1 − s)(1 − a)/(K − 1). Against a known answer s is 1, and the comparison exact; where the others
are undecided the label tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from activelab._kernels import blocks, summable
from activelab._typing import Float64s, Ints, Models
from activelab.consensus._channels import PRIOR, Ability
from activelab.consensus._held_out import discounted, held_out
from activelab.labels import Labels

if TYPE_CHECKING:
    from activelab.consensus._bayesian import BayesianEstimate

CONFIDENCE = 0.95
LEAST_COMPARISONS = sum(PRIOR)
"""With fewer, what is stated of an annotator is mostly what is known of the crowd."""

_STEPS, _CLOSE = 30, 1e-4


@dataclass(frozen=True, eq=False)
class Accuracies:
    """Of each annotator, shape (n_annotators,) each; NaN of those nobody and nothing could be compared with.

    Attributes
    ----------
    accuracy, low, high : ndarray of float64 in [0, 1]
        Expected accuracy and its 95 % interval.
    comparisons : ndarray of float64
        Comparisons with known answers that would tell as much.
    """

    accuracy: Float64s
    low: Float64s
    high: Float64s
    comparisons: Float64s

    @classmethod
    def unknown(cls, n_annotators: int) -> Accuracies:
        """Of methods that do not estimate it."""
        nothing = np.full(n_annotators, np.nan)
        return cls(nothing, nothing, nothing, nothing)


def accuracies(estimate: BayesianEstimate, labels: Labels, models: Models) -> Accuracies:
    """Accuracy of every annotator from held-out labels: posterior mean, and quantiles of a Beta distribution.

    The prior is that of `Ability`. A label that is right with probability t counts for t right ones, in
    expectation-maximisation; for the width of the interval it counts as the share of an exact comparison that
    its Fisher information is, (dp/da)² a (1 − a) / (p (1 − p)).
    """
    found = compared(estimate, labels, models) if labels.n_classes > 1 else None

    def ask(sums: ComparedSums, accuracy: Float64s) -> Float64s:
        assert found is not None
        return sums(found, accuracy, labels.n_classes)

    return accuracies_by(estimate.ability, labels.n_classes, ask)


def accuracies_by(
    ability: Ability, n_classes: int, ask: Callable[[ComparedSums, Float64s], Float64s]
) -> Accuracies:
    """`accuracies` of what sums of the compared labels tell, which ``ask`` takes over the whole pool."""
    from scipy.special import betaincinv  # on first use

    size = len(ability.right)
    if n_classes < 2:
        return Accuracies.unknown(size)
    strength, mean = sum(PRIOR), ability.overall
    accuracy = np.clip(ability.mean, 1e-3, 1 - 1e-3)
    number, doubted = ask(compared_number, accuracy)
    for _ in range(_STEPS):
        before = accuracy
        accuracy = (strength * mean + ask(compared_right, accuracy)) / (strength + number)
        if np.abs(accuracy - before).max(initial=0) < _CLOSE:
            break
    comparisons = ask(compared_told, accuracy)
    # Whom an annotator is compared with is only estimated, too, but for known answers.
    doubt = doubted / np.maximum(number, 1)
    variance = accuracy * (1 - accuracy) / (strength + comparisons + 1)
    variance += doubt**2 * mean * (1 - mean) / (strength + comparisons.sum())
    total = np.maximum(accuracy * (1 - accuracy) / variance - 1, 1e-3)
    tail = (1 - CONFIDENCE) / 2
    low, high = (betaincinv(accuracy * total, (1 - accuracy) * total, at) for at in (tail, 1 - tail))
    nobody = number == 0
    accuracy, low, high = (np.where(nobody, np.nan, value) for value in (accuracy, low, high))
    return Accuracies(accuracy, low, high, comparisons)


def compared_number(found: Compared, accuracy: Float64s, n_classes: int) -> Float64s:
    """Labels of each annotator that can be compared, and those compared with what is only likely."""
    of_those = (None, found.sure < 1)
    return np.stack([_by_annotator(found, one, len(accuracy)) for one in of_those])


def compared_right(found: Compared, accuracy: Float64s, n_classes: int) -> Float64s:
    """How many labels of each annotator are right, in expectation at these accuracies."""
    of_label = accuracy[found.who]
    share = of_label * found.right
    share /= np.maximum(share + (1 - of_label) * found.wrong, 1e-300)
    return _by_annotator(found, summable(share), len(accuracy))


def compared_told(found: Compared, accuracy: Float64s, n_classes: int) -> Float64s:
    """How many exact comparisons would tell as much of each annotator."""
    of_label, sure = accuracy[found.who], found.sure
    slope = sure - (1 - sure) / (n_classes - 1)
    agrees = sure * of_label + (1 - sure) * (1 - of_label) / (n_classes - 1)
    told = slope**2 * of_label * (1 - of_label) / np.maximum(agrees * (1 - agrees), 1e-12)
    return _by_annotator(found, summable(told), len(accuracy))


COMPARED_SUMS = {sums.__name__: sums for sums in (compared_number, compared_right, compared_told)}


def _by_annotator(found: Compared, values: Any, size: int) -> Float64s:
    return np.bincount(found.who, values, size).astype(np.float64)


class Compared(NamedTuple):
    """Every label that can be compared with what everybody else says of its example.

    Attributes
    ----------
    who : ndarray of int
        Annotator of each.
    right, wrong : ndarray of float64
        How likely the label is if it is right, and if it is wrong.
    sure : ndarray of float64
        s, how sure the others are.
    position : ndarray of int
        Its place among the labels.
    """

    who: Ints
    right: Float64s
    wrong: Float64s
    sure: Float64s
    position: Ints

    @classmethod
    def of_nothing(cls) -> Compared:
        """No labels."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, np.empty(0), np.empty(0), np.empty(0), none)


ComparedSums = Callable[[Compared, Float64s, int], Float64s]
"""Sums of compared labels at some accuracies of the annotators, which add up over the parts of a pool."""


def compared(estimate: BayesianEstimate, labels: Labels, models: Models) -> Compared:
    """The labels that can be compared.

    Errors of an annotator go where the channel says, scaled to other accuracies than the channel's. As in the
    channels, right is what annotators who err independently would make of the labels.
    """
    n_classes = labels.n_classes
    columns: list[tuple[Any, ...]] = [Compared.of_nothing()]
    places = np.arange(labels.n_labels)
    for block in blocks(labels, at_least=1):
        confident, _ = estimate.confident_and_calibrated(block, models)
        held = held_out(
            block,
            estimate.channels,
            estimate.voices,
            estimate.log_prior(block, models),
            confident,
            estimate.prior.voices,
        )
        others = discounted(held.support, held.voices, 0.0)
        tells = held.voices > 1e-9
        if estimate.known is not None:
            truth = estimate.known[block.index][block.row]
            exact = truth >= 0
            others[exact] = np.eye(n_classes)[truth[exact]]
            tells |= exact
        taught = estimate.voices.taught(block)
        if taught is not None:
            tells &= taught > 0
        label = block.label
        cell = np.arange(len(label)), label
        accuracy = np.clip(estimate.channels.ability.mean[block.annotator], 1e-3, 1 - 1e-3)
        joint = others * held.channel
        right = joint[cell] / accuracy
        wrong = np.maximum(joint.sum(axis=1) - joint[cell], 0) / (1 - accuracy)
        values = block.annotator, right, wrong, others.max(axis=1), block.of_labels(places)
        columns.append(tuple(value[tells] for value in values))
    return Compared(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))
