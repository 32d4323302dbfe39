"""Majority vote with a chain of tie-breaks (mathematics.md §1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from activelab._conventions import PAPER, Conventions
from activelab._kernels import (
    Block,
    at_columns,
    blocks,
    class_draws,
    positions_of,
    row_argmax,
    row_counts,
    row_max,
    rows_at,
    temper,
)
from activelab._typing import Bools, Float64s, Floats, Ints, Models
from activelab.consensus._consensus import Consensus
from activelab.consensus._statistics import ConsensusSums, LabelSums, label_sums
from activelab.labels import Labels
from activelab.pred_probs import joined


def majority_vote(labels: Labels, pred_probs: Any = None, *, seed: int = 0) -> Consensus:
    """Consensus by majority vote.

    A tie goes to the class with the highest mean model probability (if ``pred_probs`` is given), then
    to the class most frequent over all annotations, then to the class chosen by annotators who agree
    more with the others, then to a seeded draw [A §2.1, C].

    Parameters
    ----------
    labels : Labels
    pred_probs : array-like, optional
        Shape ``(n_examples, n_classes)`` or ``(n_models, n_examples, n_classes)``; breaks ties.
    seed : int
        Seed of the last tie-break.

    Returns
    -------
    Consensus
        ``posterior`` is the share of the labels each class has; ``quality`` that of the consensus.

    Raises
    ------
    InputError
        If ``pred_probs`` does not match ``labels``.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 1, 1], [0, 0, None]])
    >>> al.majority_vote(labels).label.tolist()
    [1, 0]
    """
    models: Models = ()
    if pred_probs is not None:
        labels, models = joined(labels, pred_probs)
    sums = label_sums(labels)
    label = vote_labels(labels, sums, models, (None,) * len(models), seed=seed)
    posterior = np.full((labels.n_examples, labels.n_classes), np.nan)
    for block in blocks(labels, at_least=1):
        posterior[block.index] = block.votes() / block.counts[:, None]
    return Consensus.build(labels, label, posterior, sums, annotator_weight=np.ones(labels.n_annotators))


def vote_labels(
    labels: Labels,
    sums: LabelSums,
    models: Models,
    betas: tuple[float | None, ...],
    *,
    seed: int = 0,
    conventions: Conventions = PAPER,
) -> Ints:
    """Majority vote of every example, int32 of shape (n_examples,); -1 without labels."""
    return vote_with_sums(labels, sums, models, betas, (), seed=seed, conventions=conventions).label


class Vote(NamedTuple):
    """A majority vote, and what is counted on the way.

    Attributes
    ----------
    label : ndarray of int32, shape (n_examples,)
        As of `vote_labels`.
    about : ConsensusSums
        The sums about it.
    sums : LabelSums
        Those of the labels.
    alone : bool
        Whether labels and models decided it. What is about it then needs nothing of the rest of the pool nor,
        of one model, a temperature, which does not change what is likelier.
    """

    label: Ints
    about: ConsensusSums
    sums: LabelSums
    alone: bool


def vote_with_sums(
    labels: Labels,
    sums: LabelSums | None,
    models: Models,
    betas: tuple[float | None, ...],
    predicted: Sequence[Ints],
    *,
    seed: int = 0,
    conventions: Conventions = PAPER,
) -> Vote:
    """`vote_labels` and the sums of labels and vote.

    Without ``sums``, which are of the whole pool, these labels are the pool, and counted on the way.
    ``predicted`` is the class of each example by each model.
    """
    label = np.full(labels.n_examples, -1, dtype=np.int32)
    about = ConsensusSums.of_nothing(labels, len(predicted))
    counted = LabelSums.of_nothing(labels) if sums is None else sums
    ties = _TieBreaker(
        labels,
        counted.class_counts,
        lambda: (label_sums(labels) if sums is None else sums).agreement,
        models,
        betas,
        seed,
        conventions,
    )
    for block in blocks(labels, at_least=1):
        votes = block.votes()
        if sums is None:
            counted.add(block, votes)
        winner, most, tied, candidates = _winners(votes)
        if len(tied):
            winner[tied] = ties.settle(block, votes, tied, candidates)
        label[block.index] = winner
        about.add(block, winner, most, predicted)
    return Vote(label, about, counted, not ties.beyond_models)


def _winners(votes: Ints) -> tuple[Ints, Ints, Ints, Bools]:
    """First class with the maximal count, that count, the rows in which there are several, and all there."""
    winner = row_argmax(votes)
    most = at_columns(votes, winner)
    top = votes == most[:, None]
    tied = np.flatnonzero(row_counts(top) > 1)
    return winner, most, tied, rows_at(top, tied)


class _TieBreaker:
    """Narrows tied classes by one criterion after the other, until one is left."""

    def __init__(
        self,
        labels: Labels,
        class_counts: Float64s,
        agreement: Callable[[], Float64s],
        models: Models,
        betas: tuple[float | None, ...],
        seed: int,
        conventions: Conventions,
    ) -> None:
        self.labels, self.models, self.betas = labels, models, betas
        self.class_counts, self.agreement = class_counts, agreement
        self.seed, self.conventions = seed, conventions
        self.beyond_models = False  # whether the models left a tie
        self._reliability: Float64s | None = None

    @property
    def reliability(self) -> Float64s:
        """Reliability of each annotator, worked out once a tie needs it."""
        if self._reliability is None:
            if self.conventions.tie_annotators == "agreement":
                self._reliability = np.nan_to_num(self.agreement(), nan=0.0)
            else:
                self._reliability = untied_reliability(self.labels)
        return self._reliability

    def settle(self, block: Block, votes: Ints, rows: Ints, candidates: Bools) -> Ints:
        """Winning class of each of the tied ``rows`` of the block, at ``candidates``."""
        result = np.full(len(rows), -1)
        open_ = np.arange(len(rows))
        for criterion in (self._by_models, self._by_class, self._by_annotators, self._by_draw):
            self.beyond_models |= criterion != self._by_models
            score = criterion(block, votes, rows[open_])
            if score is None:
                continue
            allowed = np.where(candidates, score, -np.inf)
            candidates = candidates & (allowed == row_max(allowed)[:, None])
            result[open_] = row_argmax(candidates)  # of those still tied for now
            tied = np.flatnonzero(row_counts(candidates) > 1)
            open_, candidates = open_[tied], rows_at(candidates, tied)
            if not len(open_):
                break
        return result

    def _by_models(self, block: Block, votes: Ints, rows: Ints) -> Floats | None:
        if not self.models:
            return None
        tied = block.select(rows)
        if len(self.models) == 1:
            # A temperature does not change which class is likeliest.
            return tied.rows_of(self.models[0])
        both = zip(self.models, self.betas, strict=True)
        return np.asarray(np.mean([temper(tied.rows_of(model), beta) for model, beta in both], axis=0))

    def _by_class(self, block: Block, votes: Ints, rows: Ints) -> Float64s:
        sign = 1 if self.conventions.tie_class == "most_frequent" else -1
        return np.broadcast_to(sign * self.class_counts, (len(rows), votes.shape[1]))

    def _by_annotators(self, block: Block, votes: Ints, rows: Ints) -> Float64s:
        total = block.weighted_votes(self.reliability)[rows]
        return total / np.maximum(votes[rows], 1)

    def _by_draw(self, block: Block, votes: Ints, rows: Ints) -> Float64s:
        return class_draws(self.labels, positions_of(block.index)[rows], self.seed)


def untied_reliability(labels: Labels) -> Float64s:
    """Agreement of each annotator with the majority on examples whose vote is not tied.

    Annotators without such an example get the mean of the others (0 if there is none).
    """
    right, seen = np.zeros(labels.n_annotators), np.zeros(labels.n_annotators)
    for block in blocks(labels, at_least=1):
        winner, _, tied, _ = _winners(block.votes())
        untied = np.ones(block.size, dtype=bool)
        untied[tied] = False
        kept = untied[block.row]
        annotator = block.annotator[kept]
        equal = block.label[kept] == winner[block.row[kept]]
        right += np.bincount(annotator, equal, minlength=labels.n_annotators)
        seen += np.bincount(annotator, minlength=labels.n_annotators)
    known = seen > 0
    reliability = np.divide(right, seen, out=np.zeros(len(seen)), where=known)
    reliability[~known] = reliability[known].mean() if known.any() else 0.0
    return reliability
