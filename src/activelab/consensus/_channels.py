"""Annotators as noisy channels: accuracies, and confusion matrices shrunk towards the one all share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelab._kernels import Block
from activelab._typing import Float64s, Ints
from activelab.consensus._banded import banded, first_guess
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
class Channels:
    """How annotators err.

    Attributes
    ----------
    ability : Ability
    log_confusion : ndarray, shape (n_annotators * n_classes, n_classes), or None
        Row (j, l), column k: log of the probability that annotator j says l of an example of class k.
        None where accuracies are all that is kept.
    n_classes : int
    observed : ndarray, shape (n_annotators, n_classes), or None
        Labels of annotator j on examples of class k that ``log_confusion`` rests on, pseudo-labels included.
    """

    ability: Ability
    log_confusion: Float64s | None
    n_classes: int
    observed: Float64s | None = None

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

    def evidence(self, block: Block, weight: Float64s | None = None) -> Float64s:
        """Σ_j w_ij log P(Y_ij | class k) over a block, up to a constant of each example.

        ``weight`` is the share of a voice each label counts for, 1 by default.
        """
        from scipy.sparse import csr_array  # on first use: it would take half of `import activelab`

        if self.n_classes < 2:
            return np.zeros((block.size, self.n_classes))
        if self.log_confusion is None:
            accuracy = np.clip(self.ability.mean, 1e-3, 1 - 1e-3)
            log_odds = np.log(accuracy * (self.n_classes - 1) / (1 - accuracy))
            if weight is None:
                return block.weighted_votes(log_odds)
            votes = np.bincount(block.cell, log_odds[block.annotator] * weight, block.size * self.n_classes)
            return votes.astype(np.float64, copy=False).reshape(-1, self.n_classes)
        column = block.annotator * self.n_classes + block.label
        if column.size == 0:
            return np.zeros((block.size, self.n_classes))
        offsets = np.concatenate([[0], np.cumsum(block.counts)])
        shape = (block.size, len(self.log_confusion))
        entries = np.ones(len(column)) if weight is None else weight
        indicator = csr_array((entries, column, offsets), shape=shape)
        return np.asarray(indicator @ self.log_confusion)


def ability_of(right: Float64s, given: Float64s, n_classes: int) -> Ability:
    """What is known of accuracies after ``right`` of ``given`` labels, shape (n_annotators,) each."""
    strength = sum(PRIOR)
    mean = (right.sum() + PRIOR[0]) / (given.sum() + strength)
    wrong = np.maximum(given - right, 0)
    return Ability(mean * strength + right, (1 - mean) * strength + wrong, n_classes)


class ChannelSums:
    """Expected counts of who says what of which class, gathered block by block.

    ``where`` are the positions of the classes on a scale, if they are its points.
    """

    def __init__(self, labels: Labels, where: Float64s | None = None) -> None:
        self.where = where
        self.n_classes, self.n_annotators = labels.n_classes, labels.n_annotators
        self.right, self.given = np.zeros(self.n_annotators), np.zeros(self.n_annotators)
        cells = self.n_annotators * self.n_classes**2
        self.counts = (
            np.zeros((self.n_annotators * self.n_classes, self.n_classes))
            if cells <= MOST_CELLS and self.n_classes > 1
            else None
        )
        self._waiting: list[tuple[Ints, Float64s]] = []
        self._rows = 0

    def add(self, block: Block, posterior: Float64s, taught: Float64s | None = None) -> None:
        """Count the labels of a block, each as far as the posterior of its example says.

        ``taught`` is 0 for labels that are not counted.
        """
        right = posterior.reshape(-1)[block.cell]
        told = posterior[block.row]
        if taught is not None:
            right, told = right * taught, told * taught[:, None]
        self.right += np.bincount(block.annotator, right, self.n_annotators)
        self.given += np.bincount(block.annotator, taught, self.n_annotators)
        if self.counts is None:
            return
        self._waiting.append((block.annotator * self.n_classes + block.label, told))
        self._rows += len(right)
        # A sum over few labels would cost a pass over all the counts.
        if self._rows >= len(self.counts):
            self._flush()

    def _flush(self) -> None:
        from scipy.sparse import csr_array

        if self.counts is None or not self._rows:
            return
        column = np.concatenate([one for one, _ in self._waiting])
        posterior = np.concatenate([one for _, one in self._waiting])
        entries = (np.ones(self._rows), (column, np.arange(self._rows)))
        self.counts += csr_array(entries, shape=(len(self.counts), self._rows)) @ posterior
        self._waiting, self._rows = [], 0

    @property
    def own(self) -> Float64s | None:
        """Expected counts of annotator, label, class; None where accuracies are all that is kept."""
        self._flush()
        shape = (self.n_annotators, self.n_classes, self.n_classes)
        return None if self.counts is None else self.counts.reshape(shape)

    def channels(self, prior: Float64s | None = None) -> Channels:
        """The most probable channels given the counts.

        ``prior`` are the confusions, annotator, label, class, that annotators are shrunk to; by default what
        all share.
        """
        mean = (self.right.sum() + PRIOR[0]) / (self.given.sum() + sum(PRIOR))
        ability = ability_of(self.right, self.given, self.n_classes)
        own = self.own
        if own is None:
            return Channels(ability, None, self.n_classes)
        if prior is None:
            prior = self._shared(own, float(mean), ability) if self.where is None else banded(own, self.where)
        strength = _OWN * self.n_classes**2
        confusion = own + strength * prior
        observed = own.sum(axis=1) + strength
        confusion /= observed[:, None, :]
        np.log(np.maximum(confusion, LEAST, out=confusion), out=confusion)
        return Channels(ability, confusion.reshape(-1, self.n_classes), self.n_classes, observed)

    def _shared(self, own: Float64s, mean: float, ability: Ability) -> Float64s:
        """The shared confusion scaled to each annotator's accuracy; indices annotator, label, class."""
        size = self.n_classes
        eye = np.eye(size)
        uniform = mean * eye + (1 - mean) / (size - 1) * (1 - eye)
        pooled = own.sum(axis=0)
        strength = _POOLED * size
        pooled = (pooled + strength * uniform) / (pooled.sum(axis=0) + strength)
        right = np.clip(np.diag(pooled), LEAST, 1 - LEAST)
        errors = pooled * (1 - eye)
        errors /= np.maximum(errors.sum(axis=0), LEAST)
        accuracy = np.clip(ability.mean, 1e-3, 1 - 1e-3)
        odds = right / (1 - right) * (accuracy / (1 - accuracy))[:, None] * ((1 - mean) / mean)
        scaled = odds / (1 + odds)  # annotator, class
        return np.asarray(scaled[:, None, :] * eye + (1 - scaled)[:, None, :] * errors)
