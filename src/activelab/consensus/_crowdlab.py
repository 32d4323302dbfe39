"""CROWDLAB: labels and models weighed by how far each can be trusted (mathematics.md §2, §3, §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from activelab._conventions import PAPER, Conventions
from activelab._kernels import Block, at_columns, blocks, row_argmax, row_counts, temper
from activelab._typing import Float64s, Floats, Ints, Models
from activelab.consensus._chance import chance_notes
from activelab.consensus._consensus import Consensus
from activelab.consensus._majority_vote import vote_with_sums
from activelab.consensus._statistics import (
    ConsensusSums,
    LabelSums,
    consensus_sums,
    label_sums,
    predicted_classes,
)
from activelab.labels import Labels
from activelab.pred_probs import joined, remembered

_FLOOR = 1e-6

Betas = tuple[float | None, ...]
"""Inverse temperature of each model; None leaves its probabilities as they are."""


@dataclass(frozen=True)
class Trust:
    """How far annotators and models can be trusted.

    Attributes
    ----------
    annotator_weight : ndarray, shape (n_annotators,)
        w_j [A eq. 3].
    model_weight : ndarray, shape (n_models,)
        w_M of each model [A eq. 4].
    annotator_accuracy : float
        P, the chance that a label equals the consensus; NaN if no example has two labels.
    """

    annotator_weight: Float64s
    model_weight: Float64s
    annotator_accuracy: float

    @property
    def estimated(self) -> bool:
        """Whether any example has two labels, so that trust could be estimated at all."""
        return not np.isnan(self.annotator_accuracy)


@dataclass(frozen=True)
class Estimate:
    """Consensus labels with the trust they rest on: CROWDLAB without its tables.

    ``label`` is int32 of shape (n_examples,), -1 without labels; ``predicted`` the class of each
    example by each model.
    """

    label: Ints
    trust: Trust
    sums: LabelSums
    predicted: tuple[Ints, ...]


def crowdlab(labels: Labels, pred_probs: Any, *, seed: int = 0) -> Consensus:
    """Consensus by CROWDLAB [C; A §2.1].

    Each annotator and each model votes with a weight that grows with its agreement with the others,
    relative to always naming the most labelled class. Two passes: the majority vote gives first
    weights, these a consensus, and that the final weights and posterior.

    Parameters
    ----------
    labels : Labels
    pred_probs : array-like or dataframe
        Out-of-sample probabilities, shape ``(n_examples, n_classes)``, or ``(n_models, n_examples,
        n_classes)`` for an ensemble. Not calibrated here (see `TemperatureScaling`). Examples that only a
        dataframe names join the pool without labels: ``consensus.labels`` has them.
    seed : int
        Seed of the last tie-break of the majority vote.

    Returns
    -------
    Consensus
        If no example has two labels, trust cannot be estimated: the consensus is the label given, the
        posterior the mean of the models, and ``notes`` says so.

    Raises
    ------
    InputError
        If ``pred_probs`` does not match ``labels``.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0, 1], [1, 1, None], [0, None, 1], [1, 1, 1]])
    >>> pred_probs = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> consensus = al.crowdlab(labels, pred_probs)
    >>> consensus.label.tolist()
    [0, 1, 1, 1]
    """
    labels, models = joined(labels, pred_probs)
    return crowdlab_consensus(labels, models, seed=seed)


def crowdlab_consensus(
    labels: Labels,
    models: Models,
    betas: Betas | None = None,
    *,
    seed: int = 0,
    conventions: Conventions = PAPER,
    label: Ints | None = None,
) -> Consensus:
    """`crowdlab` over checked models, optionally calibrated, or around given consensus labels."""
    betas = (None,) * len(models) if betas is None else betas
    if label is None:
        estimate = crowdlab_estimate(labels, models, betas, seed=seed, conventions=conventions)
    else:
        sums, predicted = label_sums(labels), predicted_classes(models)
        trust = estimate_trust(sums, consensus_sums(labels, predicted, label), conventions)
        estimate = Estimate(label, trust, sums, predicted)
    trust = estimate.trust
    return Consensus.build(
        labels,
        estimate.label,
        crowdlab_posterior(labels, models, betas, trust),
        estimate.sums,
        annotator_weight=trust.annotator_weight,
        model_weight=trust.model_weight,
        use_label_quality=True,
        notes=chance_notes(labels, models),
    )


def crowdlab_posterior(labels: Labels, models: Models, betas: Betas, trust: Trust) -> Float64s:
    """q of mathematics.md §4 of every example, shape (n_examples, n_classes)."""
    posterior = np.empty((labels.n_examples, labels.n_classes))
    for block in blocks(labels):
        posterior[block.index] = block_posterior(block, models, betas, trust)
    return posterior


def crowdlab_estimate(
    labels: Labels,
    models: Models,
    betas: Betas,
    *,
    seed: int = 0,
    conventions: Conventions = PAPER,
) -> Estimate:
    """Consensus labels and final trust, in memory that does not grow with n_examples × n_classes."""
    key = ("crowdlab", betas, seed, conventions)
    return remembered(models, labels, key, lambda: _estimated(labels, models, betas, seed, conventions))


def _estimated(labels: Labels, models: Models, betas: Betas, seed: int, conventions: Conventions) -> Estimate:
    predicted = predicted_classes(models)
    vote = vote_with_sums(labels, None, models, betas, predicted, seed=seed, conventions=conventions)
    label, trust = vote.label, estimate_trust(vote.sums, vote.about, conventions)
    if trust.estimated:
        label, about = best_supported(labels, models, betas, trust, predicted, lambda: vote.label)
        trust = estimate_trust(vote.sums, about, conventions)
    return Estimate(label, trust, vote.sums, predicted)


def best_supported(
    labels: Labels,
    models: Models,
    betas: Betas,
    trust: Trust,
    predicted: Sequence[Ints],
    vote: Callable[[], Ints],
) -> tuple[Ints, ConsensusSums]:
    """Class with the highest posterior of every example, int32, -1 without labels; and the sums about it.

    Where several are equal it is that of the majority ``vote``, asked for only if need be. ``predicted`` is
    the class of each example by each model: where models and annotators all name one class it needs no sum.
    """
    label = np.full(labels.n_examples, -1, dtype=np.int32)
    about = ConsensusSums.of_nothing(labels, len(models))
    voted: Ints | None = None
    right, wrong = likelihood(trust.annotator_accuracy, labels.n_classes)
    for whole in blocks(labels, at_least=1):
        best = np.array(predicted[0][whole.index])
        equal = whole.equal(best)
        open_ = equal < whole.counts if right > wrong else np.ones(whole.size, dtype=bool)
        for other in predicted[1:]:
            open_ |= other[whole.index] != best
        rows = np.flatnonzero(open_)
        block = whole.select(rows)
        if block.size:
            support = _support(block, models, betas, trust)
            found = row_argmax(support)
            top = support == at_columns(support, found)[:, None]
            if np.count_nonzero(top) > block.size:
                voted = vote() if voted is None else voted
                found = np.where(row_counts(top) == 1, found, voted[block.index])
            best[rows], equal[rows] = found, block.equal(found)
        label[whole.index] = best
        about.add(whole, best, equal, predicted)
    return label, about


def estimate_trust(sums: LabelSums, about_consensus: ConsensusSums, conventions: Conventions) -> Trust:
    """Weights and P from the sums [A eq. 3-4]; equal weights where nothing can be estimated."""
    n_multiple = about_consensus.n_multiple
    if not n_multiple:
        ones = np.ones_like(sums.agreements), np.ones_like(about_consensus.model_correct)
        return Trust(*ones, annotator_accuracy=float("nan"))
    counts = about_consensus.consensus_counts
    most_likely = sums.class_counts if conventions.baseline == "annotations" else counts
    baseline_error = max(1 - counts[most_likely.argmax()] / n_multiple, _FLOOR)
    model_error = 1 - about_consensus.model_correct / n_multiple
    annotator_weight = np.maximum(1 - (1 - sums.agreement) / baseline_error, _FLOOR)
    model_weight = np.maximum(1 - model_error / baseline_error, _FLOOR) * np.sqrt(sums.mean_labels)
    return Trust(annotator_weight, model_weight, about_consensus.agreement_with_consensus)


def mixture(block: Block, models: Models, betas: Betas, weight: Float64s) -> Floats:
    """Σ_l w_M^l p^l over a block, shape (size, n_classes); p^l calibrated by its beta (see `temper`)."""
    parts = [
        temper(block.rows_of(model), beta, one)
        for model, beta, one in zip(models, betas, weight.tolist(), strict=True)
    ]
    return reduce(np.add, parts)


def _support(block: Block, models: Models, betas: Betas, trust: Trust) -> Floats:
    """Weighted votes of models and annotators for each class: q of mathematics.md §4 times its weight."""
    total = mixture(block, models, betas, trust.model_weight)
    right, wrong = likelihood(trust.annotator_accuracy, total.shape[1])
    votes = block.weighted_votes(trust.annotator_weight)
    votes *= right - wrong
    total += votes
    total += (wrong * block.total(trust.annotator_weight[block.annotator]))[:, None]
    return total


def block_posterior(block: Block, models: Models, betas: Betas, trust: Trust) -> Floats:
    """q of mathematics.md §4 over a block; the mean of the models where trust is not estimable."""
    if not trust.estimated:
        return mixture(block, models, betas, trust.model_weight / trust.model_weight.sum())
    weight = block.total(trust.annotator_weight[block.annotator])
    posterior = _support(block, models, betas, trust)
    posterior /= (trust.model_weight.sum() + weight)[:, None]
    return posterior


def likelihood(accuracy: float, n_classes: int) -> tuple[float, float]:
    """Probability an annotator's label lends the class chosen and each other class (mathematics.md §4)."""
    return accuracy, (1 - accuracy) / max(n_classes - 1, 1)
