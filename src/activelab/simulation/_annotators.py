"""Annotators that err, for simulations and demonstrations."""

from __future__ import annotations

import numpy as np

from activelab._errors import InputError
from activelab._kernels import tie_break
from activelab._typing import Float64s, Ints
from activelab.labels import Labels


class AnnotatorTeam:
    """A team whose members answer by their confusion matrices.

    The answer of an annotator to an example is a function of the seed alone: it does not depend on when
    it is asked for, so that methods under comparison meet the same team.

    Parameters
    ----------
    confusion : array-like of float, shape (n_annotators, n_classes, n_classes)
        Entry (j, k, l): probability that annotator j says l when the truth is k.
    seed : int
        Seed of the answers.

    Raises
    ------
    InputError
        If a row of a confusion matrix is no distribution.

    Examples
    --------
    >>> from activelab.simulation import AnnotatorTeam
    >>> team = AnnotatorTeam.heterogeneous(5, n_classes=3, accuracy=(0.6, 0.9), seed=0)
    >>> team.n_annotators, team.accuracy.round(2).tolist()
    (5, [0.79, 0.68, 0.61, 0.6, 0.84])
    """

    def __init__(self, confusion: Float64s, *, seed: int = 0) -> None:
        self.confusion = np.asarray(confusion, dtype=np.float64)
        if self.confusion.ndim != 3 or self.confusion.shape[1] != self.confusion.shape[2]:
            raise InputError(f"confusion needs shape (n_annotators, K, K), got {self.confusion.shape}.")
        off = np.abs(self.confusion.sum(axis=2) - 1).max(initial=0)
        if (self.confusion < 0).any() or off > 1e-9:
            raise InputError("each row of a confusion matrix must be a distribution.")
        self.seed = seed

    @classmethod
    def heterogeneous(
        cls,
        n_annotators: int,
        n_classes: int,
        *,
        accuracy: tuple[float, float] = (0.6, 0.95),
        seed: int = 0,
    ) -> AnnotatorTeam:
        """A team whose members' accuracies are drawn uniformly; errors fall on any other class alike."""
        drawn = np.random.default_rng(seed).uniform(*accuracy, n_annotators)[:, None, None]
        right = np.eye(n_classes)
        return cls(drawn * right + (1 - drawn) * (1 - right) / max(n_classes - 1, 1), seed=seed)

    @property
    def n_annotators(self) -> int:
        """Number of annotators."""
        return len(self.confusion)

    @property
    def accuracy(self) -> Float64s:
        """Mean accuracy over the classes of each annotator, shape (n_annotators,)."""
        diagonal = np.einsum("jkk->jk", self.confusion)
        return np.asarray(diagonal.mean(axis=1))

    def answer(self, example: Ints, annotator: Ints, truth: Ints) -> Ints:
        """What each annotator says about each example, given its true class; arrays of one length."""
        draw = tie_break(self.seed, example.astype(np.int64) * self.n_annotators + annotator)
        cumulative = self.confusion[annotator, truth].cumsum(axis=1)
        return np.asarray((draw[:, None] >= cumulative[:, :-1]).sum(axis=1))

    def choose(self, labels: Labels, example: Ints, rng: np.random.Generator) -> Ints:
        """For each example code a random annotator who has not labelled it.

        Annotator codes of ``labels`` must be those of the team.

        Raises
        ------
        InputError
            If every annotator has labelled an example.
        """
        chosen = np.empty(len(example), dtype=np.int64)
        for position, code in enumerate(example.tolist()):
            asked = labels.annotator[labels.offsets[code] : labels.offsets[code + 1]]
            free = np.setdiff1d(np.arange(self.n_annotators), asked)
            if not len(free):
                raise InputError(f"every annotator has labelled example {labels.examples[code]!r}.")
            chosen[position] = rng.choice(free)
        return chosen
