"""Whether the models know more than chance; predictions in another order than the labels do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelab._kernels import blocks, row_argmax, share_of, summable
from activelab._typing import Float64s, Models
from activelab.labels import Labels, Totals

_LEAST = 30  # labelled examples below which a poor model and a good one cannot be told apart
_SAMPLE = 20_000
_ERRORS = 2.0  # standard errors
_ROUNDING = 1e-9


def chance_share(totals: Totals) -> float:
    """The share of the labelled examples that `chance_notes` looks at."""
    return share_of(_SAMPLE, totals.n_with(1))


def chance_notes(labels: Labels, models: Models) -> tuple[str, ...]:
    """A note for each model whose predictions agree with the labels no more than chance would have it.

    By chance a model that predicts class k for a share p_k of the examples agrees with p = Σ_k p_k q_k of the
    labels, where q_k is the share of class k among them (Cohen 1960), with a variance of
    (p + p² − Σ_k p_k q_k (p_k + q_k)) / n (Fleiss, Cohen & Everitt 1969). The observed agreement must exceed
    that by two standard errors. Labels of an example count for one together. Of very many labelled examples
    a part is looked at.
    """
    return chance_sums(labels, models, chance_share(labels.totals)).notes(labels.totals)


@dataclass
class ChanceSums:
    """What `chance_notes` rests on, exact, in any order.

    Attributes
    ----------
    size : int
        Labelled examples that were looked at.
    given : ndarray of float64, shape (n_classes,)
        Labels of each class, those of an example together for one.
    predicted : ndarray of float64, shape (n_models, n_classes)
        Examples of each class, as each model has it.
    agreeing : ndarray of float64, shape (n_models,)
        Labels that each model agrees with, counted as ``given``.
    """

    size: int
    given: Float64s
    predicted: Float64s
    agreeing: Float64s

    def __add__(self, other: ChanceSums) -> ChanceSums:
        return ChanceSums(
            self.size + other.size,
            self.given + other.given,
            self.predicted + other.predicted,
            self.agreeing + other.agreeing,
        )

    def notes(self, totals: Totals) -> tuple[str, ...]:
        """`chance_notes` of a pool with these totals."""
        if totals.n_with(1) < _LEAST or len(self.given) < 2 or not self.size:
            return ()
        observed, p, q = self.agreeing / self.size, self.predicted / self.size, self.given / self.size
        by_chance = p @ q
        variance = (by_chance + by_chance**2 - ((p + q) * p) @ q) / self.size
        least = by_chance + _ERRORS * np.sqrt(np.maximum(variance, 0)) + _ROUNDING
        return tuple(
            f"{'the model' if len(p) == 1 else f'model {number}'} is no better than chance: it agrees with "
            f"{observed[number]:.0%} of the labels, and chance alone with {by_chance[number]:.0%}. Are its "
            "features or probabilities in the order of the pool?"
            for number in np.flatnonzero((observed <= least) & (by_chance < 1 - _ROUNDING)).tolist()
        )


def chance_sums(labels: Labels, models: Models, share: float) -> ChanceSums:
    """Sums over a share of the labelled examples."""
    n_classes = labels.n_classes
    sums = ChanceSums(0, np.zeros(n_classes), np.zeros((len(models), n_classes)), np.zeros(len(models)))
    for block in blocks(labels, at_least=1, share=share):
        each = summable(1 / block.counts)[block.row]
        sums.given += np.bincount(block.label, each, n_classes)
        sums.size += block.size
        for number, model in enumerate(models):
            best = row_argmax(block.rows_of(model))
            sums.predicted[number] += np.bincount(best, minlength=n_classes)
            sums.agreeing[number] += each[block.label == best[block.row]].sum()
    return sums
