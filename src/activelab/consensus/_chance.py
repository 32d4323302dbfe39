"""Whether the models know more than chance; predictions in another order than the labels do not."""

from __future__ import annotations

import numpy as np

from activelab._kernels import blocks, share_of
from activelab._typing import Models
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
    if labels.totals.n_with(1) < _LEAST or labels.n_classes < 2:
        return ()
    predicted = np.zeros((len(models), labels.n_classes))
    given, agreeing, size = np.zeros(labels.n_classes), np.zeros(len(models)), 0
    for block in blocks(labels, at_least=1, share=chance_share(labels.totals)):
        share = 1 / block.counts[block.row]
        given += np.bincount(block.label, share, minlength=labels.n_classes)
        size += block.size
        for number, model in enumerate(models):
            best = model[block.index].argmax(axis=1)
            predicted[number] += np.bincount(best, minlength=labels.n_classes)
            agreeing[number] += share[block.label == best[block.row]].sum()
    observed, p, q = agreeing / size, predicted / size, given / size
    by_chance = p @ q
    variance = (by_chance + by_chance**2 - ((p + q) * p) @ q) / size
    least = by_chance + _ERRORS * np.sqrt(np.maximum(variance, 0)) + _ROUNDING
    return tuple(
        f"{'the model' if len(models) == 1 else f'model {number}'} is no better than chance: it agrees with "
        f"{observed[number]:.0%} of the labels, and chance alone with {by_chance[number]:.0%}. Are its "
        "features or probabilities in the order of the pool?"
        for number in np.flatnonzero((observed <= least) & (by_chance < 1 - _ROUNDING)).tolist()
    )
