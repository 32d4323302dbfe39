"""What a classifier is trained on: consensus labels, and how far each row is to be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelab._kernels import blocks, most_probable
from activelab._typing import Float64s, Ints, Models
from activelab.calibration import TemperatureScaling
from activelab.consensus import dawid_skene, majority_vote
from activelab.consensus._bayesian import bayesian_estimate
from activelab.consensus._crowdlab import crowdlab_consensus, crowdlab_estimate
from activelab.labels import Labels

CONSENSUS = ("crowdlab", "majority_vote", "dawid_skene", "bayesian")
TRAINING = ("hard", "weights", "soft", "cautious")


@dataclass(frozen=True)
class Target:
    """What to train on.

    Attributes
    ----------
    label : ndarray of int, shape (n_examples,)
        Class codes to train on; -1 without labels.
    weight : ndarray of float64, shape (n_examples,), or None
        Probability that the label is right, with the training "weights" and "cautious".
    posterior : ndarray of float64, shape (n_examples, n_classes), or None
        Probability of each class, with the training "soft".
    """

    label: Ints
    weight: Float64s | None = None
    posterior: Float64s | None = None


def training_target(
    labels: Labels,
    models: Models | None,
    *,
    consensus: str,
    training: str,
    seed: int,
    betas: tuple[float, ...] | None = None,
) -> Target:
    """The consensus to train on, given out-of-sample probabilities if there are any.

    ``betas`` are the inverse temperatures for CROWDLAB; found here if not given. With the training
    "cautious" a label is the annotators' own, and the models only weigh it: no model is trained on what the
    one before predicted.
    """
    label, posterior = _estimate(labels, models, consensus, seed, betas, training != "hard")
    if training == "hard" or posterior is None:
        return Target(label)
    if training == "soft":
        return Target(label, posterior=posterior)
    if training == "cautious":
        label = _of_annotators(labels, models, consensus, seed)
    given = label >= 0
    weight = np.zeros(len(label))
    weight[given] = posterior[given, label[given]]
    return Target(label, weight=weight)


def _estimate(
    labels: Labels,
    models: Models | None,
    consensus: str,
    seed: int,
    betas: tuple[float, ...] | None,
    with_posterior: bool,
) -> tuple[Ints, Float64s | None]:
    """Consensus labels and, if asked for, their posterior."""
    if consensus == "bayesian":
        return _bayesian(labels, models or (), seed)
    if consensus == "dawid_skene":
        found = dawid_skene(labels, seed=seed)
        return found.label, found.posterior
    if consensus == "majority_vote" or models is None:
        found = majority_vote(labels, models, seed=seed)
        return found.label, found.posterior
    betas = TemperatureScaling().fit_models(labels, models).betas if betas is None else betas
    if with_posterior:
        found = crowdlab_consensus(labels, models, betas, seed=seed)
        return found.label, found.posterior
    return crowdlab_estimate(labels, models, betas, seed=seed).label, None


def _bayesian(labels: Labels, models: Models, seed: int) -> tuple[Ints, Float64s]:
    estimate = bayesian_estimate(labels, models)
    posterior = np.full((labels.n_examples, labels.n_classes), 1 / max(labels.n_classes, 1))
    for block in blocks(labels, at_least=1):
        posterior[block.index] = estimate.posterior(block, models)
    label = most_probable(posterior, np.arange(labels.n_examples), seed)
    label[~labels.labelled] = -1
    return label, posterior


def _of_annotators(labels: Labels, models: Models | None, consensus: str, seed: int) -> Ints:
    """What the annotators say; where the consensus is Bayesian, weighted by their accuracies."""
    if consensus == "dawid_skene":
        return dawid_skene(labels, seed=seed).label
    if consensus != "bayesian":
        return majority_vote(labels, models, seed=seed).label
    estimate = bayesian_estimate(labels, models or ())
    label = np.full(labels.n_examples, -1, dtype=np.int32)
    position = np.arange(labels.n_examples)
    for block in blocks(labels, at_least=1):
        evidence = estimate.channels.evidence(block)
        label[block.index] = most_probable(evidence, position[block.index], seed)
    return label
