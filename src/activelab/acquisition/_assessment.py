"""What CROWDLAB and ActiveLab estimate of a pool in one go (mathematics.md §4, §7)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from activelab._conventions import PAPER, Conventions
from activelab._kernels import (
    Block,
    at_columns,
    blocks,
    least_certain,
    row_argmax,
    temper,
)
from activelab._typing import Bools, Float64s, Floats, Index, Ints, Models
from activelab.acquisition._lowest import TOPS, Lowest, top_of
from activelab.consensus import Ability
from activelab.consensus.parts import (
    Betas,
    Trust,
    crowdlab_estimate,
    label_sums,
    likelihood,
    mixture,
    overlap_notes,
    vote_labels,
)
from activelab.labels import Labels
from activelab.pred_probs import highest_from_below


@dataclass(frozen=True, eq=False)
class Assessment:
    """Scores of a pool with the estimates they rest on.

    Attributes
    ----------
    scores : ndarray of float64, shape (n_examples,)
        Low = most worth labelling; +inf for an example the method does not consider.
    consensus_label : ndarray of int, shape (n_examples,)
        Code of the CROWDLAB consensus label; -1 without labels.
    quality : ndarray of float64 in [0, 1], shape (n_examples,)
        Quality of the consensus label; NaN without labels.
    predicted_label : ndarray of int, shape (n_examples,)
        Class the (weighted) models predict.
    temperature : ndarray of float64, shape (n_models,)
        Temperature applied to each model; 1 where none was.
    model_weight, annotator_weight : ndarray of float64
        Weights w_M and w_j [A eq. 3-4]; 1 where they cannot be estimated.
    annotator_accuracy : float
        P, the chance that a label equals the consensus; NaN where it cannot be estimated.
    notes : tuple of str
        What could not be estimated, in words.
    ability : Ability or None
        What is known of each annotator's accuracy, where the method estimates it.
    lapse : ndarray of float64 in [0, 1], shape (n_models,), or None
        How often each model knows nothing, where the method estimates it: that share of the uniform
        distribution is part of its calibration.
    """

    scores: Float64s
    consensus_label: Ints
    quality: Float64s
    predicted_label: Ints
    temperature: Float64s
    model_weight: Float64s
    annotator_weight: Float64s
    annotator_accuracy: float
    notes: tuple[str, ...]
    ability: Ability | None = None
    lapse: Float64s | None = None


def assess_pool(
    labels: Labels,
    models: Models,
    temperature: Float64s,
    *,
    calibrated: bool = True,
    seed: int = 0,
    conventions: Conventions = PAPER,
    notes: tuple[str, ...] = (),
    lowest: Lowest | None = None,
) -> Assessment:
    """Estimate consensus, trust and ActiveLab scores of every example, or of the ``lowest``.

    With ``calibrated=False`` the probabilities are used as they are and ``temperature`` only reported.
    """
    betas: Betas = tuple((1 / temperature).tolist()) if calibrated else (None,) * len(models)
    estimate = crowdlab_estimate(labels, models, betas, seed=seed, conventions=conventions)
    chosen = estimate.label
    if conventions.unlabelled == "vote":
        chosen = _with_votes_of_models(labels, models, betas, chosen, seed, conventions)
    scored = score_pool(labels, models, betas, estimate.trust, chosen, estimate.predicted[0], lowest)
    return Assessment(
        scores=scored.scores,
        consensus_label=estimate.label,
        quality=scored.quality,
        predicted_label=scored.predicted_label,
        temperature=temperature,
        model_weight=estimate.trust.model_weight,
        annotator_weight=estimate.trust.annotator_weight,
        annotator_accuracy=estimate.trust.annotator_accuracy,
        notes=(*notes, *overlap_notes(labels, estimate.sums)),
    )


class Scored(NamedTuple):
    """`Assessment`'s columns of the pool, shape (n_examples,) each."""

    scores: Float64s
    quality: Float64s
    predicted_label: Ints


def score_pool(
    labels: Labels,
    models: Models,
    betas: Betas,
    trust: Trust,
    consensus: Ints,
    predicted: Ints,
    lowest: Lowest | None = None,
) -> Scored:
    """ActiveLab scores given trust and consensus labels; row by row, so for any part of a pool.

    ``predicted`` is the class of each example by the first model; that of several models follows from
    their mixture, and takes its place. If only the ``lowest`` are asked for, the scores of others may be
    infinite.
    """
    size = labels.n_examples
    scores, quality = np.full(size, np.inf), np.full(size, np.nan)
    if len(models) > 1:
        predicted, lowest = predicted.copy(), None
    bounds = _Bounds(models[0], betas[0], trust, consensus, predicted)
    for whole in blocks(labels):
        block = whole if lowest is None else bounds.possible(whole, lowest.worst)
        here = block.index
        mixed = mixture(block, models, betas, trust.model_weight)
        if len(models) > 1:
            predicted[here] = row_argmax(mixed)
        target = _target(consensus[here], predicted[here])
        at_target = at_columns(mixed, target).astype(np.float64)
        scores[here], quality[here] = _score(block, at_target, target, trust)
        if lowest is not None:
            lowest.take(scores[here])
    quality[~labels.labelled] = np.nan
    return Scored(scores, quality, predicted)


def _target(consensus: Ints, predicted: Ints) -> Ints:
    """The class that is scored: the consensus, and without labels what the models predict."""
    return np.where(consensus >= 0, consensus, predicted)


@dataclass(frozen=True)
class _Bounds:
    """Bounds on scores from below, by the highest probability of each example; for one model."""

    model: Floats
    beta: float | None
    trust: Trust
    consensus: Ints
    predicted: Ints

    def possible(self, block: Block, worst: float) -> Block:
        """The examples of a block whose score may be ``worst`` or less, and perhaps some others."""
        if worst == np.inf:
            return block
        some = block
        if block.few_labelled:
            highest = top_of(self._without_labels, worst)
            some = block.reduced((block.counts > 0) | (self._top(block.index) < highest))
        predicted = self.predicted[some.index]
        target = _target(self.consensus[some.index], predicted)
        certainty = np.where(target == predicted, self._certainty(self._top(some.index)), 0)
        least, _ = _score(some, certainty * self.trust.model_weight[0], target, self.trust)
        return some.reduced(least <= worst)

    def _top(self, here: Index) -> Floats:
        return at_columns(self.model[here], self.predicted[here])

    def _certainty(self, top: Floats) -> Floats:
        return least_certain(highest_from_below(top), self.beta, self.model.shape[1])

    @cached_property
    def _without_labels(self) -> Float64s:
        """Of examples without labels, at `TOPS`."""
        return score_without_labels(self._certainty(TOPS), self.trust, self.model.shape[1])


def _score(block: Block, at_target: Float64s, target: Ints, trust: Trust) -> tuple[Float64s, Float64s]:
    """ActiveLab score and quality of the target class [A eq. 1, 2, 5, 6, 10]: one formula over J_i.

    ``at_target`` is Σ_l w_M^l p^l at the target class.
    """
    n_classes = block.labels.n_classes
    annotator_weight = np.take(trust.annotator_weight, block.annotator)
    said: Float64s | None = None
    if trust.estimated:
        right, wrong = likelihood(trust.annotator_accuracy, n_classes)
        agree = np.where(block.label == np.take(target, block.row), right, wrong)
        said = block.total(annotator_weight * agree)
    return _weighed(at_target, block.total(annotator_weight), said, trust, n_classes)


def score_without_labels(certainty: Floats, trust: Trust, n_classes: int) -> Float64s:
    """ActiveLab scores of examples without labels, from the probability of their class by the only model."""
    nothing = np.zeros(1)
    said = nothing if trust.estimated else None
    return _weighed(certainty * trust.model_weight[0], nothing, said, trust, n_classes)[0]


def _weighed(
    at_target: Float64s, weight: Float64s, said: Float64s | None, trust: Trust, n_classes: int
) -> tuple[Float64s, Float64s]:
    """`_score` from sums over the labels: of weights, and of weights times likelihoods."""
    model_weight = trust.model_weight.sum()
    total = model_weight + weight
    # Appendix H: with single labels nothing tells P, and the models speak for the label.
    support = at_target / model_weight * total if said is None else at_target + said
    # No annotator at all (a pool nobody has labelled yet) leaves the unit weight of appendix H.
    mean_weight = float(trust.annotator_weight.mean()) if len(trust.annotator_weight) else 1.0
    score = (support + mean_weight / n_classes) / (total + mean_weight)
    return score, support / total


def _with_votes_of_models(
    labels: Labels,
    models: Models,
    betas: Betas,
    chosen: Ints,
    seed: int,
    conventions: Conventions,
) -> Ints:
    """``chosen`` with, for unlabelled examples, the majority vote of the models (mathematics.md §15)."""
    unlabelled: Bools = ~labels.labelled
    if not unlabelled.any():
        return chosen
    scaled = [temper(model[unlabelled], beta) for model, beta in zip(models, betas, strict=True)]
    ballots = np.stack([one.argmax(axis=1) for one in scaled], axis=1)
    votes = Labels.from_wide(ballots, classes=labels.n_classes)
    mean = (np.mean(scaled, axis=0),)
    chosen = chosen.copy()
    chosen[unlabelled] = vote_labels(
        votes, label_sums(votes), mean, (None,), seed=seed, conventions=conventions
    )
    return chosen
