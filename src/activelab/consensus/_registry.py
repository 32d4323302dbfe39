"""Consensus methods by name, and what a classifier is trained on by each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from activelab._errors import InputError
from activelab._kernels import blocks, most_probable, normalised
from activelab._registry import Registry, instance_of, seeded
from activelab._typing import Float64s, Ints, Models
from activelab.consensus._bayesian import bayesian_estimate, consensus_by
from activelab.consensus._committee import pooled
from activelab.consensus._consensus import Consensus
from activelab.consensus._crowdkit import CROWDKIT_METHODS, crowdkit
from activelab.consensus._crowdlab import Betas, crowdlab, crowdlab_consensus, crowdlab_estimate
from activelab.consensus._dawid_skene import dawid_skene
from activelab.consensus._loss import Loss, decide, loss_table
from activelab.consensus._majority_vote import majority_vote
from activelab.consensus._ordinal import OrdinalConsensus, ordinal_consensus_by, scale_positions
from activelab.consensus._statistics import label_sums
from activelab.labels import Labels


class ConsensusMethod(ABC):
    """A way to estimate consensus labels.

    A method implements `estimate`. Contract: it reads its inputs and changes none; examples without labels
    have no consensus; the result depends on nothing but its arguments and the method's own parameters, and
    neither on the order of the examples nor on that of the labels.

    Attributes
    ----------
    needs_models : bool
        Whether there is no estimate without predictions. In the first round of an `ActiveLearner`, which has
        none, the majority vote takes its place.
    calibrated : bool
        Whether models are calibrated before a classifier is trained on this consensus (see
        `TemperatureScaling`).
    """

    needs_models: ClassVar[bool] = False
    calibrated: ClassVar[bool] = False

    @abstractmethod
    def estimate(self, labels: Labels, models: Models, *, seed: int = 0) -> Consensus:
        """The consensus of every labelled example.

        Parameters
        ----------
        labels : Labels
        models : tuple of ndarray of float, shape (n_examples, n_classes) each
            Checked out-of-sample probabilities; empty if there are none.
        seed : int
            Seed that breaks exact ties.
        """

    def label(self, labels: Labels, models: Models, *, betas: Betas | None = None, seed: int = 0) -> Ints:
        """Consensus codes alone, int of shape (n_examples,), -1 without labels; ``betas`` calibrate."""
        return self.estimate(labels, models, seed=seed).label

    def label_and_posterior(
        self, labels: Labels, models: Models, *, betas: Betas | None = None, seed: int = 0
    ) -> tuple[Ints, Float64s]:
        """`label` and the probability of each class, shape (n_examples, n_classes)."""
        consensus = self.estimate(labels, models, seed=seed)
        return consensus.label, consensus.posterior

    def label_of_annotators(self, labels: Labels, models: Models, *, seed: int = 0) -> Ints:
        """What the annotators say by themselves; models at most break ties."""
        return majority_vote(labels, models or None, seed=seed).label


class MajorityVote(ConsensusMethod):
    """`majority_vote`; models break ties."""

    def estimate(self, labels: Labels, models: Models, *, seed: int = 0) -> Consensus:
        return majority_vote(labels, models or None, seed=seed)


class Crowdlab(ConsensusMethod):
    """`crowdlab`, which needs models."""

    needs_models = True
    calibrated = True

    def estimate(self, labels: Labels, models: Models, *, seed: int = 0) -> Consensus:
        if not models:
            raise InputError("the consensus crowdlab needs the predictions of a model.")
        return crowdlab(labels, models, seed=seed)

    def label(self, labels: Labels, models: Models, *, betas: Betas | None = None, seed: int = 0) -> Ints:
        return crowdlab_estimate(labels, models, betas or (None,) * len(models), seed=seed).label

    def label_and_posterior(
        self, labels: Labels, models: Models, *, betas: Betas | None = None, seed: int = 0
    ) -> tuple[Ints, Float64s]:
        consensus = crowdlab_consensus(labels, models, betas, seed=seed)
        return consensus.label, consensus.posterior


class DawidSkene(ConsensusMethod):
    """`dawid_skene`, which uses no model."""

    def estimate(self, labels: Labels, models: Models, *, seed: int = 0) -> Consensus:
        return dawid_skene(labels, seed=seed)

    def label_of_annotators(self, labels: Labels, models: Models, *, seed: int = 0) -> Ints:
        return self.estimate(labels, models, seed=seed).label


class Bayesian(ConsensusMethod):
    """`bayesian_consensus`; models are the prior."""

    def estimate(self, labels: Labels, models: Models, *, seed: int = 0) -> Consensus:
        return consensus_by(bayesian_estimate(labels, models), labels, models, seed=seed)

    def label(self, labels: Labels, models: Models, *, betas: Betas | None = None, seed: int = 0) -> Ints:
        return self.label_and_posterior(labels, models, seed=seed)[0]

    def label_and_posterior(
        self, labels: Labels, models: Models, *, betas: Betas | None = None, seed: int = 0
    ) -> tuple[Ints, Float64s]:
        estimate = bayesian_estimate(labels, models)
        # Nobody is trained on examples without labels.
        posterior = np.full((labels.n_examples, labels.n_classes), 1 / max(labels.n_classes, 1))
        for block in blocks(labels, at_least=1):
            posterior[block.index] = estimate.posterior(block, models)
        label = most_probable(posterior, slice(0, labels.n_examples), labels, seed)
        label[~labels.labelled] = -1
        return label, posterior

    def label_of_annotators(self, labels: Labels, models: Models, *, seed: int = 0) -> Ints:
        """What they say, weighted by their accuracies."""
        estimate = bayesian_estimate(labels, models)
        label = np.full(labels.n_examples, -1, dtype=np.int32)
        for block in blocks(labels, at_least=1):
            likely = normalised(estimate.evidence(block))
            label[block.index] = most_probable(likely, block.index, labels, seed)
        return label


class Ordinal(ConsensusMethod):
    """`ordinal_consensus`; models are the prior.

    Parameters
    ----------
    loss : {"absolute", "quadratic", "zero_one"}
    """

    def __init__(self, loss: Loss = "absolute") -> None:
        loss_table(loss, np.zeros(0))
        self.loss = loss

    def estimate(self, labels: Labels, models: Models, *, seed: int = 0) -> OrdinalConsensus:
        where = scale_positions(labels)
        estimate = bayesian_estimate(labels, models, where=where)
        return ordinal_consensus_by(estimate, labels, models, loss_table(self.loss, where), seed=seed)

    def label_of_annotators(self, labels: Labels, models: Models, *, seed: int = 0) -> Ints:
        """What they say, by how each of them uses the scale."""
        where = scale_positions(labels)
        estimate, table = bayesian_estimate(labels, models, where=where), loss_table(self.loss, where)
        label = np.full(labels.n_examples, -1, dtype=np.int32)
        for block in blocks(labels, at_least=1):
            likely = normalised(estimate.evidence(block))
            label[block.index] = decide(likely, table, block.index, labels, seed)[0]
        return label


class Committee(Bayesian):
    """`bayesian_consensus` with the models pooled log-linearly in place of their mean as the prior."""

    def estimate(self, labels: Labels, models: Models, *, seed: int = 0) -> Consensus:
        return super().estimate(labels, _one(labels, models), seed=seed)

    def label_and_posterior(
        self, labels: Labels, models: Models, *, betas: Betas | None = None, seed: int = 0
    ) -> tuple[Ints, Float64s]:
        return super().label_and_posterior(labels, _one(labels, models), seed=seed)

    def label_of_annotators(self, labels: Labels, models: Models, *, seed: int = 0) -> Ints:
        return super().label_of_annotators(labels, _one(labels, models), seed=seed)


def _one(labels: Labels, models: Models) -> Models:
    return pooled(labels, models) if models else models


class _Crowdkit(ConsensusMethod):
    def __init__(self, name: str) -> None:
        self.name = name

    def estimate(self, labels: Labels, models: Models, *, seed: int = 0) -> Consensus:
        return crowdkit(labels, self.name)


class _FunctionConsensus(ConsensusMethod):
    """A plain function as a method; its result is checked."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function

    def estimate(self, labels: Labels, models: Models, *, seed: int = 0) -> Consensus:
        result = self.function(labels, np.stack(models) if models else None, **seeded(self.function, seed))
        if isinstance(result, Consensus):
            return result
        posterior = np.asarray(result, dtype=np.float64)
        shape, labelled = (labels.n_examples, labels.n_classes), labels.labelled
        if posterior.shape != shape or not _distributions(posterior[labelled]):
            raise InputError(
                f"consensus {self.name!r} must return a Consensus, or {shape[0]} rows of {shape[1]} "
                f"probabilities that sum to 1; got shape {posterior.shape}."
            )
        label = most_probable(posterior, slice(0, len(posterior)), labels, seed)
        label[~labelled] = -1
        at_label = posterior[labels.example, labels.label]
        number = np.bincount(labels.annotator, minlength=labels.n_annotators)
        weight = np.bincount(labels.annotator, at_label, labels.n_annotators) / np.maximum(number, 1)
        return Consensus.build(labels, label, posterior, label_sums(labels), annotator_weight=weight)


def _distributions(rows: Float64s) -> bool:
    return bool((rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) < 1e-6).all())


CONSENSUS: Registry[ConsensusMethod] = Registry(
    "consensus",
    "activelab.consensus",
    {
        "crowdlab": Crowdlab,
        "bayesian": Bayesian,
        "ordinal": Ordinal,
        "committee": Committee,
        "majority_vote": MajorityVote,
        "dawid_skene": DawidSkene,
        **{name: _Crowdkit(name) for name in CROWDKIT_METHODS},
    },
    instance_of(ConsensusMethod, "consensus", _FunctionConsensus),
)
