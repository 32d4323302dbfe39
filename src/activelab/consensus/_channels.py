"""Annotators as noisy channels: accuracies, and confusion matrices shrunk towards the one all share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from activelab._kernels import Block, rows_at
from activelab._typing import Float64s, Floats, Ints
from activelab.consensus._banded import banded, first_guess
from activelab.consensus._pairs import Pairs
from activelab.labels import Labels

PRIOR = (4.0, 1.0)
"""Right and wrong pseudo-labels of the mean accuracy; their sum also shrinks an annotator's to the mean."""

_POOLED = 5.0  # times K: pseudo-labels a class that pull the shared confusion towards uniform errors
_OWN = 1.0  # times K²: pseudo-labels a class that pull an annotator's confusion towards the shared one
MOST_CELLS = 1 << 22  # more confusion cells than this, and annotators differ in accuracy alone
LEAST = 1e-4
"""Least probability of a confusion."""


@dataclass(frozen=True)
class Ability:
    """What is known of each annotator's accuracy: a Beta distribution.

    Attributes
    ----------
    right, wrong : ndarray of float64, shape (n_annotators,)
        Its parameters: labels that were probably right and wrong, pseudo-labels included.
    n_classes : int
    """

    right: Float64s
    wrong: Float64s
    n_classes: int

    @property
    def mean(self) -> Float64s:
        """Expected accuracy of each annotator."""
        return np.asarray(self.right / (self.right + self.wrong))

    @property
    def overall(self) -> float:
        """Expected accuracy of the next label, if annotators go on in proportion to what they gave."""
        total = float(self.right.sum() + self.wrong.sum())
        return float(self.right.sum()) / total if total else PRIOR[0] / sum(PRIOR)


@dataclass(frozen=True)
class Shared:
    """The confusion that all share, scaled to the accuracy of each.

    Attributes
    ----------
    right : ndarray of float64, shape (n_annotators, n_classes)
        How often each annotator is right about each class.
    errors : ndarray of float64, shape (n_named + 1, n_classes)
        Label, class: how the errors on a class are distributed over the labels. The last row is that of each
        class nobody names.
    row : ndarray of int64, shape (n_classes,)
        Row of each label.
    """

    right: Float64s
    errors: Float64s
    row: Ints

    def rows(self, annotator: Ints, label: Ints) -> Float64s:
        """P(label | class k) of each pair, shape (n_pairs, n_classes)."""
        right = np.take(self.right, annotator, axis=0)
        rows = (1 - right) * np.take(self.errors, self.row[label], axis=0)
        cell = np.arange(len(label)), label
        rows[cell] = right[cell]
        return np.asarray(rows)


@dataclass(frozen=True)
class Channels:
    """How annotators err.

    Attributes
    ----------
    ability : Ability
    log_confusion : ndarray, shape (n_rows, n_classes), or None
        Row (j, l), column k: log of the probability that annotator j says l of an example of class k.
        None where accuracies are all that is kept.
    n_classes : int
    observed : ndarray, shape (n_annotators, n_classes), or None
        Labels of annotator j on examples of class k that ``log_confusion`` rests on, pseudo-labels included.
    pairs : Pairs or None
        The rows there are; None if there are all n_annotators * n_classes.
    shared : Shared or None
        What other rows follow from.
    """

    ability: Ability
    log_confusion: Float64s | None
    n_classes: int
    observed: Float64s | None = None
    pairs: Pairs | None = None
    shared: Shared | None = None

    @classmethod
    def at_first(cls, labels: Labels, where: Float64s | None = None) -> Channels:
        """Before any label is known to be right: everybody at the prior accuracy.

        ``where`` are the positions of the classes on a scale, if they are its points.
        """
        right = np.full(labels.n_annotators, PRIOR[0])
        wrong = np.full(labels.n_annotators, PRIOR[1])
        ability, log_confusion = Ability(right, wrong, labels.n_classes), None
        if where is not None and labels.n_classes > 1:
            log_confusion = np.tile(np.log(first_guess(where)), (labels.n_annotators, 1))
        return cls(ability, log_confusion, labels.n_classes)

    @classmethod
    def alike(cls, labels: Labels, confusion: Float64s) -> Channels:
        """Everybody with one confusion, label, class."""
        first = cls.at_first(labels)
        return cls(first.ability, np.tile(np.log(confusion), (labels.n_annotators, 1)), labels.n_classes)

    def log_rows(self, annotator: Ints, label: Ints) -> Float64s:
        """log P(label | class k) of each annotator and label, shape (n, n_classes)."""
        assert self.log_confusion is not None
        if self.pairs is None or self.shared is None or self.observed is None:
            return np.take(self.log_confusion, annotator * self.n_classes + label, axis=0)
        at = self.pairs.find(annotator, label)
        lost = np.flatnonzero(at < 0)
        if not len(lost):
            return np.take(self.log_confusion, at, axis=0)
        rows = np.empty((len(at), self.n_classes))
        rows[at >= 0] = self.log_confusion[at[at >= 0]]
        # Nobody named these classes: no count is added to what all share.
        annotator, label = annotator[lost], label[lost]
        unseen = _OWN * self.n_classes**2 * self.shared.rows(annotator, label)
        rows[lost] = _logs(unseen / self.observed[annotator])
        return rows

    def confusion(self, annotators: Ints) -> Float64s:
        """P(label | class) of some annotators, shape (n, n_classes, n_classes): annotator, label, class."""
        size = self.n_classes
        rows = self.log_rows(np.repeat(annotators, size), np.tile(np.arange(size), len(annotators)))
        return np.exp(rows, out=rows).reshape(-1, size, size)

    def evidence(self, block: Block, weight: Float64s | None = None, dtype: Any = np.float64) -> Floats:
        """Σ_j w_ij log P(Y_ij | class k) over a block, up to a constant of each example.

        ``weight`` is the share of a voice each label counts for, 1 by default; ``dtype`` the precision.
        """
        if self.n_classes < 2:
            return np.zeros((block.size, self.n_classes))
        if self.log_confusion is None:
            accuracy = np.clip(self.ability.mean, 1e-3, 1 - 1e-3)
            log_odds = np.log(accuracy * (self.n_classes - 1) / (1 - accuracy))
            if weight is None:
                return block.weighted_votes(log_odds)
            return block.sums_at(log_odds[block.annotator] * weight)
        if not len(block.label):
            return np.zeros((block.size, self.n_classes))
        table = self.log_confusion if dtype == np.float64 else self._single
        if self.pairs is None:
            column = block.annotator * self.n_classes + block.label
        else:
            column = self.pairs.find(block.annotator, block.label)
            lost = np.flatnonzero(column < 0)
            if len(lost):
                rows = self.log_rows(block.annotator[lost], block.label[lost])
                table = np.concatenate([table, rows.astype(dtype)])
                column[lost] = len(self.log_confusion) + np.arange(len(lost))
        return _sums_of_rows(table, column, block.counts, None if weight is None else weight.astype(dtype))

    @cached_property
    def _single(self) -> Floats:
        """`log_confusion` in float32: half the memory to be looked up in."""
        assert self.log_confusion is not None
        return self.log_confusion.astype(np.float32)


_MANY = 1 << 14  # rows of an example: fewer are sorted by radix, in 16 bits


def _sums_of_rows(table: Floats, row: Ints, counts: Ints, weight: Floats | None) -> Floats:
    """Sum of the rows of a table that each example names, in columns, shape (n_examples, n_columns).

    ``counts`` of the rows belong to each example.
    """
    # The examples with the most rows first: those that have another one are the first so many.
    most = int(counts.max(initial=0))
    order = np.argsort((-counts).astype(np.int16 if most <= _MANY else np.int64), kind="stable")
    first, counts = (np.cumsum(counts) - counts)[order], counts[order]
    total = np.zeros((len(counts), table.shape[1]), dtype=table.dtype)
    for place in range(most):
        at = first[: np.count_nonzero(counts > place)] + place
        rows = np.take(table, row[at], axis=0)
        if weight is not None:
            rows *= weight[at][:, None]
        total[: len(at)] += rows
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return rows_at(total, back)


def ability_of(right: Float64s, given: Float64s, n_classes: int) -> Ability:
    """What is known of accuracies after ``right`` of ``given`` labels, shape (n_annotators,) each."""
    strength = sum(PRIOR)
    mean = (right.sum() + PRIOR[0]) / (given.sum() + strength)
    wrong = np.maximum(given - right, 0)
    return Ability(mean * strength + right, (1 - mean) * strength + wrong, n_classes)


class ChannelSums:
    """Expected counts of who says what of which class, gathered block by block.

    Counts are kept of the annotators and classes that labels name. ``where`` are the positions of the classes
    on a scale, if they are its points. Of posteriors that are `summable`, the sums are exact.
    """

    def __init__(self, labels: Labels, where: Float64s | None = None) -> None:
        self.where = where
        self.n_classes, self.n_annotators = labels.n_classes, labels.n_annotators
        self.right, self.given = np.zeros(self.n_annotators), np.zeros(self.n_annotators)
        self.pairs: Pairs | None = None
        if self.n_annotators * self.n_classes**2 <= MOST_CELLS and self.n_classes > 1:
            self.pairs = Pairs.of(labels.annotator, labels.label, self.n_annotators, self.n_classes)
        self.named = labels.totals.class_counts > 0
        self.counts = np.zeros((0 if self.pairs is None else len(self.pairs), self.n_classes))
        self._waiting: list[tuple[Ints, Ints, Floats, Float64s | None]] = []
        self._rows = 0

    def add(self, block: Block, posterior: Floats, taught: Float64s | None = None) -> None:
        """Count the labels of a block, each as far as the posterior of its example says.

        ``taught`` is 0 for labels that are not counted.
        """
        right = block.at_labels(posterior)
        if taught is not None:
            right = right * taught
        self.right += np.bincount(block.annotator, right, self.n_annotators)
        self.given += np.bincount(block.annotator, taught, self.n_annotators)
        if self.pairs is None:
            return
        pair = self.pairs.find(block.annotator, block.label)
        self._waiting.append((pair, block.counts, posterior, taught))
        self._rows += len(right)
        # A sum over few labels would cost a pass over all the counts.
        if self._rows >= len(self.counts):
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        from scipy.sparse import csc_array  # on first use: it would take half of `import activelab`

        pair, counts, posterior = (
            np.concatenate([one[place] for one in self._waiting]) for place in range(3)
        )
        taught = [np.ones(len(one[0])) if one[3] is None else one[3] for one in self._waiting]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        # Column i names the pairs of the labels of example i.
        given = csc_array((np.concatenate(taught), pair, offsets), shape=(len(self.counts), len(counts)))
        self.counts += given @ posterior.astype(np.float64, copy=False)
        self._waiting, self._rows = [], 0

    def merge(self, other: ChannelSums) -> None:
        """Add the counts of another part of the pool, with the same codes."""
        self.right += other.right
        self.given += other.given
        self.named = self.named | other.named
        if self.pairs is None or other.pairs is None:
            return
        pairs = self.pairs.merged(other.pairs)
        counts = np.zeros((len(pairs), self.n_classes))
        for one in (self, other):
            assert one.pairs is not None
            one._flush()
            counts[pairs.find(one.pairs.annotator, one.pairs.label)] += one.counts
        self.pairs, self.counts = pairs, counts

    @property
    def own(self) -> Float64s | None:
        """Expected counts of annotator, label, class; None where accuracies are all that is kept."""
        if self.pairs is None:
            return None
        self._flush()
        own = np.zeros((self.n_annotators, self.n_classes, self.n_classes))
        own[self.pairs.annotator, self.pairs.label] = self.counts
        return own

    def channels(self, prior: Float64s | None = None) -> Channels:
        """The most probable channels given the counts.

        ``prior`` are the confusions, annotator, label, class, that annotators are shrunk to; by default what
        all share.
        """
        ability = ability_of(self.right, self.given, self.n_classes)
        if self.pairs is None:
            return Channels(ability, None, self.n_classes)
        self._flush()
        strength = _OWN * self.n_classes**2
        own = None if prior is None and self.where is None else self.own
        if prior is None and self.where is not None and own is not None:
            prior = banded(own, self.where)
        if prior is not None and own is not None:
            observed = own.sum(axis=1) + strength
            confusion = (own + strength * prior) / observed[:, None, :]
            return Channels(ability, _logs(confusion).reshape(-1, self.n_classes), self.n_classes, observed)
        shared = self._shared(ability)
        observed = _group_sums(self.pairs.annotator, self.counts, self.n_annotators) + strength
        confusion = self.counts + strength * shared.rows(self.pairs.annotator, self.pairs.label)
        confusion /= np.take(observed, self.pairs.annotator, axis=0)
        return Channels(ability, _logs(confusion), self.n_classes, observed, self.pairs, shared)

    def _shared(self, ability: Ability) -> Shared:
        """The shared confusion scaled to each annotator's accuracy."""
        assert self.pairs is not None
        mean = float((self.right.sum() + PRIOR[0]) / (self.given.sum() + sum(PRIOR)))
        size = self.n_classes
        each = (1 - mean) / (size - 1)
        named = np.flatnonzero(self.named)
        row = np.full(size, len(named))
        row[named] = np.arange(len(named))
        cell = np.arange(len(named)), named
        uniform = np.full((len(named), size), each)
        uniform[cell] = mean
        strength = _POOLED * size
        errors = _group_sums(row[self.pairs.label], self.counts, len(named))
        given = errors.sum(axis=0) + strength
        errors = (errors + strength * uniform) / given
        unnamed = strength * each / given
        right = strength * mean / given
        right[named] = errors[cell]
        right = np.clip(right, LEAST, 1 - LEAST)
        errors[cell] = 0
        total = errors.sum(axis=0) + (size - len(named) - (row == len(named))) * unnamed
        errors = np.concatenate([errors, unnamed[None]]) / np.maximum(total, LEAST)
        accuracy = np.clip(ability.mean, 1e-3, 1 - 1e-3)
        odds = right / (1 - right) * (accuracy / (1 - accuracy))[:, None] * ((1 - mean) / mean)
        return Shared(odds / (1 + odds), errors, row)


def _group_sums(group: Ints, values: Float64s, size: int) -> Float64s:
    """Sums of the rows of each group."""
    from scipy.sparse import csr_array

    entries = (np.ones(len(group)), (group, np.arange(len(group))))
    return np.asarray(csr_array(entries, shape=(size, len(group))) @ values)


def _logs(confusion: Float64s) -> Float64s:
    """Logarithms in place."""
    np.maximum(confusion, LEAST, out=confusion)
    return np.log(confusion, out=confusion)
