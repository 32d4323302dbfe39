"""What a classifier is trained on: consensus labels, and how far each is believed. One mode a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._registry import Registry, function_of
from activelab._typing import Float64s, Ints, Models
from activelab.calibration import TemperatureScaling
from activelab.consensus import CONSENSUS, ConsensusMethod
from activelab.labels import Labels

__all__ = ["TRAINING", "Target", "training_target"]


@dataclass(frozen=True)
class Target:
    """What to train on.

    Attributes
    ----------
    label : ndarray of int, shape (n_examples,)
        Class codes to train on; -1 without labels.
    weight : ndarray of float64, shape (n_examples,), or None
        Probability that the label is right, with the training "weights", "cautious" and "taught".
    posterior : ndarray of float64, shape (n_examples, n_classes), or None
        Probability of each class, with the trainings "soft" and "taught".
    whole_pool : bool
        Whether a committee, if the strategy has helpers, teaches the examples without labels, too.
    """

    label: Ints
    weight: Float64s | None = None
    posterior: Float64s | None = None
    whole_pool: bool = False


def _hard(consensus: ConsensusMethod, labels: Labels, models: Models, **options: Any) -> Target:
    """Consensus labels as if they were right."""
    return Target(consensus.label(labels, models, **options))


def _weights(consensus: ConsensusMethod, labels: Labels, models: Models, **options: Any) -> Target:
    """Consensus labels, weighted by the probability that they are right."""
    label, posterior = consensus.label_and_posterior(labels, models, **options)
    return Target(label, weight=_at(posterior, label))


def _soft(consensus: ConsensusMethod, labels: Labels, models: Models, **options: Any) -> Target:
    """One row for each class an example may be of, weighted by its probability."""
    label, posterior = consensus.label_and_posterior(labels, models, **options)
    return Target(label, posterior=posterior)


def _cautious(consensus: ConsensusMethod, labels: Labels, models: Models, **options: Any) -> Target:
    """The annotators' own labels, which the models only weigh: no model is trained on another's word."""
    posterior = consensus.label_and_posterior(labels, models, **options)[1]
    label = consensus.label_of_annotators(labels, models, seed=options["seed"])
    return Target(label, weight=_at(posterior, label))


def _taught(consensus: ConsensusMethod, labels: Labels, models: Models, **options: Any) -> Target:
    """Consensus labels, weighted by the probability that they are right, and the committee's elsewhere."""
    label, posterior = consensus.label_and_posterior(labels, models, **options)
    return Target(label, _at(posterior, label), posterior, whole_pool=True)


def _at(posterior: Float64s, label: Ints) -> Float64s:
    given = label >= 0
    weight = np.zeros(len(label))
    weight[given] = posterior[given, label[given]]
    return weight


TRAINING: Registry[Callable[..., Target]] = Registry(
    "training",
    "activelab.training",
    {"hard": _hard, "weights": _weights, "soft": _soft, "cautious": _cautious, "taught": _taught},
    function_of("training"),
)
"""Modes by name: functions of (consensus, labels, models, betas=, seed=) that return a `Target`."""


def training_target(
    labels: Labels,
    models: Models,
    *,
    consensus: str | ConsensusMethod,
    training: str | Callable[..., Target],
    seed: int,
    betas: tuple[float, ...] | None = None,
    known: Ints | None = None,
) -> Target:
    """The consensus to train on, given out-of-sample probabilities if there are any.

    ``betas`` are the inverse temperatures for a consensus that calibrates its models; found here if None.
    ``known``, class codes of shape (n_examples,) with -1 where nothing is known, are the target of their
    examples with weight 1, whatever annotators said and whether any did.
    """
    method = CONSENSUS.get(consensus)
    if method.needs_models and not models:
        method = CONSENSUS.get("majority_vote")
    if not method.calibrated:
        betas = None
    elif betas is None:
        betas = TemperatureScaling().fit_models(labels, models).betas
    target = TRAINING.get(training)(method, labels, models, betas=betas, seed=seed)
    return target if known is None else _with_truths(target, known)


def _with_truths(target: Target, known: Ints) -> Target:
    rows = known >= 0
    label = np.where(rows, known, target.label)
    weight, posterior = target.weight, target.posterior
    if weight is not None:
        weight = np.where(rows, 1.0, weight)
    if posterior is not None:
        posterior = posterior.copy()
        posterior[rows] = np.eye(posterior.shape[1])[known[rows]]
    return Target(label, weight, posterior, target.whole_pool)
