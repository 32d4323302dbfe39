"""Which of the lowest scores make a batch: the lowest, some of each kind, or a draw that favours them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from activelab._kernels import tie_break
from activelab._typing import Float64s, Ints, Models

Keys = Callable[[Ints], Ints]
"""What ties between the examples at some positions are drawn by (see `Labels.tie_keys`)."""

BATCHING = ("top", "diverse", "stochastic")

_WIDER = 4  # a diverse batch is chosen among this many times its size
_COLDNESS = 4.0  # of the stochastic draw; a high one comes near the lowest scores
_BLOCK = 1 << 16


def batch_order(scores: Float64s, keys: Ints, seed: int) -> Ints:
    """Order of a batch: by score, ties by a draw from the example's key (see `Labels.tie_keys`)."""
    return np.lexsort((keys, tie_break(seed, keys), scores))


def lowest(scores: Float64s, size: int, seed: int, keys: Keys) -> Ints:
    """Positions of the ``size`` lowest scores, lowest first; ties by a seeded draw."""
    last = np.partition(scores, size - 1)[size - 1]
    below, tied = np.flatnonzero(scores < last), np.flatnonzero(scores == last)
    lot = batch_order(scores[tied], keys(tied), seed)
    chosen = np.concatenate([below, tied[lot[: size - len(below)]]])
    return chosen[batch_order(scores[chosen], keys(chosen), seed)]


def diverse(scores: Float64s, size: int, seed: int, keys: Keys, models: Models) -> Ints:
    """One example of each kind in turn, the lowest score first; a kind is a pair of likeliest classes.

    Chosen among the lowest ``4 * size`` scores: examples between the same two classes often look alike, and
    a batch of them says the same thing many times (the aim of Kirsch et al. 2019, at the cost of a sort).
    """
    considered = int(np.isfinite(scores).sum())
    candidates = lowest(scores, min(_WIDER * size, considered), seed, keys)
    kind = _likeliest_pair(models, candidates)
    by_kind = np.argsort(kind, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(kind[by_kind]) != 0])
    turn = np.empty(len(kind), dtype=np.int64)
    turn[by_kind] = np.arange(len(kind)) - np.repeat(first, np.diff(np.r_[first, len(kind)]))
    return candidates[np.lexsort((np.arange(len(kind)), turn))[:size]]


def stochastic(scores: Float64s, size: int, seed: int, keys: Keys) -> Ints:
    """A draw without replacement in which the example of rank r has weight r^-4 (Kirsch et al. 2023)."""
    positions = np.flatnonzero(np.isfinite(scores))
    order = positions[batch_order(scores[positions], keys(positions), seed)]
    # The largest of −β log rank + Gumbel noise are a draw with these weights. The noise is of another stream.
    gumbel = -np.log(-np.log(np.clip(tie_break(seed + 1, keys(order)), 1e-16, 1 - 1e-16)))
    ranked = _COLDNESS * np.log1p(np.arange(len(order))) - gumbel
    return order[np.argsort(ranked, kind="stable")[:size]]


def _likeliest_pair(models: Models, positions: Ints) -> Ints:
    """A code of the two likeliest classes of each example, in either order, by the mean of the models."""
    n_classes = models[0].shape[1]
    if n_classes < 2:
        return np.zeros(len(positions), dtype=np.int64)
    pairs = []
    for start in range(0, len(positions), _BLOCK):
        here = positions[start : start + _BLOCK]
        mean = np.mean([model[here] for model in models], axis=0)
        pairs.append(np.sort(np.argpartition(mean, n_classes - 2, axis=1)[:, -2:], axis=1))
    pair = np.concatenate(pairs).astype(np.int64)
    return np.asarray(pair[:, 0] * n_classes + pair[:, 1])
