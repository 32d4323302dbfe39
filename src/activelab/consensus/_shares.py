"""How frequent the classes are before any label is known to be right.

As frequent as annotators say, as far as they agree: who cannot tell says what is usual, and usual labels are
given too often (mathematics.md §18, §19).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from activelab._kernels import blocks
from activelab._typing import Float64s, Ints, Models
from activelab.consensus._model_prior import calibration_share
from activelab.labels import Labels

_EXPECTED = 0.4  # reliability before any two labels are compared
_PSEUDO = 10.0  # labels a question that say so
_MEANT = 5.0  # labels of a class that mean it, before known answers


def said_shares(labels: Labels) -> Float64s:
    """Share of the labels that each class has."""
    count = labels.totals.class_counts
    return np.asarray((count + 1) / (count.sum() + labels.n_classes))


def meant_shares(labels: Labels, said: Float64s, known: Ints) -> Float64s:
    """Where the shares of the labels belong by known answers: Σ_l said_l P(k | l), shape (n_classes,).

    ``known`` are codes of right classes, -1 where unknown. Only how labels are meant is taken from them, not
    how frequent they are: who decides looks at some examples rather than others.
    """
    size = labels.n_classes
    truth = known[labels.example]
    at = truth >= 0
    table = np.bincount(labels.label[at] * size + truth[at], minlength=size**2).reshape(size, size)
    meant = table + _MEANT * np.eye(size)
    return np.asarray(said @ (meant / meant.sum(axis=1, keepdims=True)))


def believed_shares(said: Float64s, exponent: float, times: float = np.inf) -> Float64s:
    """Shares ∝ said ** exponent, as said at 1 and even at 0, but none more than ``times`` what is said."""
    found = said**exponent
    found = np.minimum(found / found.sum(), times * said)
    return np.asarray(found / found.sum())


def reliability(questions: Sequence[Labels], models: Sequence[Models], where: Float64s) -> float:
    """Correlation of two annotators' labels of an example, by the positions of the classes; in [0, 1].

    One minus the variance inside an example over that of all labels (Krippendorff's alpha with interval
    distances), of several questions together. A model whose expected label correlates better with the labels
    counts as one more annotator: with single labels nothing else tells.
    """
    inside, of_all = 0.0, 0.0
    n_models = len(models[0]) if models else 0
    shared, apart = np.zeros(n_models), np.zeros((n_models, 2))
    for labels, theirs in zip(questions, models, strict=True):
        if not labels.n_labels:
            continue
        count = labels.totals.class_counts
        middle = float(count @ where) / labels.totals.n_labels
        variance = float(count @ (where - middle) ** 2) / labels.totals.n_labels
        within, compared = 0.0, 0
        products, sums = np.zeros((n_models, 3)), np.zeros((n_models, 2))
        given = 0
        for block in blocks(labels, at_least=1, share=calibration_share(labels.totals)):
            value = where[block.label] - middle
            total = np.bincount(block.row, value, block.size)
            square = np.bincount(block.row, value**2, block.size)
            several, n = block.counts > 1, np.maximum(block.counts, 2)
            within += float(((square - total**2 / n) * n / (n - 1))[several].sum())
            compared += int(block.counts[several].sum())
            given += len(value)
            for number, model in enumerate(theirs):
                expected = block.rows_of(model) @ where - middle
                times = expected * block.counts
                products[number] += times @ expected, square.sum(), expected @ total
                sums[number] += times.sum(), total.sum()
        inside += within + _PSEUDO * (1 - _EXPECTED) * variance
        of_all += (compared + _PSEUDO) * variance
        shared += products[:, 2] - sums.prod(axis=1) / given
        apart += products[:, :2] - sums**2 / given
    agreed = 1 - inside / of_all if of_all > 0 else _EXPECTED
    told = apart.prod(axis=1) > 0
    correlation = shared[told] / np.sqrt(apart[told].prod(axis=1))
    return float(np.clip(max(agreed, *correlation.tolist(), 0.0), 0.0, 1.0))
