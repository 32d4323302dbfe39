"""Which of the lowest scores make a batch: the lowest, some of each kind, or a draw that favours them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from activelab._errors import InputError
from activelab._kernels import tie_break
from activelab._registry import Registry, function_of
from activelab._typing import Float64s, Ints, Models
from activelab.labels import Labels

__all__ = ["BATCHING", "batch_order", "check_batch_size", "select_batch"]

Keys = Callable[[Ints], Ints]
"""What ties between the examples at some positions are drawn by (see `Labels.tie_keys`)."""

_WIDER = 4  # a diverse batch is chosen among this many times its size
_COLDNESS = 4.0  # of the stochastic draw; a high one comes near the lowest scores
_BLOCK = 1 << 16


def batch_order(scores: Float64s, keys: Ints, seed: int) -> Ints:
    """Order of a batch: by score, ties by a draw from the example's key (see `Labels.tie_keys`)."""
    order = np.argsort(scores)
    ordered = scores[order]
    equal = ordered[1:] == ordered[:-1]
    tied = np.flatnonzero(np.r_[False, equal] | np.r_[equal, False])
    if len(tied):
        rows = order[tied]
        order[tied] = rows[np.lexsort((keys[rows], tie_break(seed, keys[rows]), ordered[tied]))]
    return order


def lowest(scores: Float64s, size: int, seed: int, keys: Keys, models: Models | None = None) -> Ints:
    """Positions of the ``size`` lowest scores, lowest first; ties by a seeded draw."""
    last = np.partition(scores, size - 1)[size - 1]
    below, tied = np.flatnonzero(scores < last), np.flatnonzero(scores == last)
    lot = batch_order(scores[tied], keys(tied), seed)
    chosen = np.concatenate([below, tied[lot[: size - len(below)]]])
    return chosen[batch_order(scores[chosen], keys(chosen), seed)]


def diverse(scores: Float64s, size: int, seed: int, keys: Keys, models: Models | None = None) -> Ints:
    """One example of each kind in turn, the lowest score first; a kind is a pair of likeliest classes.

    Chosen among the lowest ``4 * size`` scores: examples between the same two classes often look alike, and
    a batch of them says the same thing many times (the aim of Kirsch et al. 2019, at the cost of a sort).
    """
    if models is None:
        raise InputError("a diverse batch needs the probabilities of the models.")
    considered = int(np.isfinite(scores).sum())
    candidates = lowest(scores, min(_WIDER * size, considered), seed, keys)
    kind = _likeliest_pair(models, candidates)
    by_kind = np.argsort(kind, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(kind[by_kind]) != 0])
    turn = np.empty(len(kind), dtype=np.int64)
    turn[by_kind] = np.arange(len(kind)) - np.repeat(first, np.diff(np.r_[first, len(kind)]))
    return candidates[np.lexsort((np.arange(len(kind)), turn))[:size]]


def stochastic(scores: Float64s, size: int, seed: int, keys: Keys, models: Models | None = None) -> Ints:
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


BATCHING: Registry[Callable[..., Ints]] = Registry(
    "batching",
    "activelab.batching",
    {"top": lowest, "diverse": diverse, "stochastic": stochastic},
    function_of("batching"),
)
"""Ways to a batch by name: functions of (scores, size, seed, keys, models) that return positions of the pool.

``keys`` gives what ties between examples are drawn by, ``models`` the checked probabilities or None.
"""


def select_batch(
    scores: Float64s,
    batch_size: int,
    *,
    seed: int = 0,
    labels: Labels | None = None,
    batching: str | Callable[..., Ints] = "top",
    models: Models | None = None,
) -> Ints:
    """Positions of a batch: by default the lowest scores, ties by a seeded draw (mathematics.md §9).

    Parameters
    ----------
    scores : ndarray of float, shape (n_examples,)
        Low = most worth labelling; +inf = not considered.
    batch_size : int
    seed : int
    labels : Labels, optional
        The pool, by whose ids ties are drawn; without it by position.
    batching : {"top", "diverse", "stochastic"}, or a function
        The lowest scores; the lowest of each pair of likeliest classes in turn, which needs ``models``; or a
        draw in which rank r has weight r^-4.
    models : tuple of ndarray, shape (n_examples, n_classes) each, optional
        Checked probabilities (see `activelab.pred_probs`).

    Returns
    -------
    ndarray of int64, shape (batch_size,)

    Raises
    ------
    InputError
        If the batch size is not between 1 and the number of finite scores, the batching is unknown, or a
        diverse batch has no models to go by.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab.selection import select_batch
    >>> select_batch(np.array([0.3, 0.1, 0.2]), 2).tolist()
    [1, 2]
    """
    scores = np.asarray(scores)
    check_batch_size(batch_size)
    choose = BATCHING.get(batching)
    considered = int(np.isfinite(scores).sum())
    if considered < batch_size:
        raise InputError(
            f"the batch size {batch_size:,} is larger than the {considered:,} examples with a finite score."
        )
    keys = _positions if labels is None else labels.tie_keys
    return choose(scores, batch_size, seed, keys, models)


def _positions(index: Ints) -> Ints:
    return index


def check_batch_size(batch_size: int) -> None:
    """Raise unless the batch size is a positive integer."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InputError(f"the batch size must be a positive integer, got {batch_size!r}.")
