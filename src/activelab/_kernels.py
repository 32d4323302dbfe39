"""Array kernels shared by consensus, calibration and acquisition.

Every pass walks the pool in blocks of consecutive examples, so that working memory stays small and
in cache whatever the size of the pool. A row's result never depends on the block it falls in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from activelab._typing import Float64s, Floats, Ints
from activelab.labels import Labels

TINY = 1e-30
"""Probabilities are clipped here before a logarithm (SPEC Part 1 §6)."""

_CELLS_A_BLOCK = 1 << 17


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive examples ``start:stop`` and their labels.

    ``row`` is the position in the block of the example of each label; ``counts`` the number of
    labels of each example.
    """

    start: int
    stop: int
    row: Ints
    annotator: Ints
    label: Ints
    counts: Ints

    @property
    def size(self) -> int:
        return self.stop - self.start

    def votes(self, n_classes: int) -> Float64s:
        """Labels of each class, shape (size, n_classes)."""
        cell = self.row * n_classes + self.label
        votes = np.bincount(cell, minlength=self.size * n_classes)
        return votes.reshape(self.size, n_classes).astype(np.float64)

    def weighted_votes(self, weight: Float64s, n_classes: int) -> Float64s:
        """Sum of the annotators' weights on each class, shape (size, n_classes)."""
        cell = self.row * n_classes + self.label
        votes = np.bincount(cell, weight[self.annotator], minlength=self.size * n_classes)
        return votes.reshape(self.size, n_classes)

    def weight(self, weight: Float64s) -> Float64s:
        """Sum of the annotators' weights on each example, shape (size,)."""
        return np.bincount(self.row, weight[self.annotator], minlength=self.size)


def blocks(labels: Labels, start: int = 0, stop: int | None = None) -> Iterator[Block]:
    """Walk the pool, or the examples ``start:stop`` of it, in blocks."""
    stop = labels.n_examples if stop is None else stop
    size = max(_CELLS_A_BLOCK // max(labels.n_classes, 1), 1)
    for low in range(start, stop, size):
        high = min(low + size, stop)
        first, last = int(labels.offsets[low]), int(labels.offsets[high])
        counts = np.diff(labels.offsets[low : high + 1])
        yield Block(
            start=low,
            stop=high,
            row=np.repeat(np.arange(high - low), counts),
            annotator=labels.annotator[first:last].astype(np.int64),
            label=labels.label[first:last].astype(np.int64),
            counts=counts,
        )


def row_sums(values: Float64s) -> Float64s:
    """Sum of each row, in an order that does not depend on the number of rows."""
    return np.einsum("ij->i", values)


def log_probs(pred_probs: Floats) -> Float64s:
    """Logarithm of probabilities clipped at `TINY`, as a new float64 array."""
    values = np.maximum(pred_probs, TINY, dtype=np.float64)
    return np.log(values, out=values)


def temper(pred_probs: Floats, beta: float | None) -> Float64s:
    """softmax(β log p) as a new float64 array; with ``beta=None`` p as it is.

    The largest p of a row is at least 1/K less the tolerance, so that p^β does not underflow in all
    of a row's entries for the β ≤ 20 that calibration allows.
    """
    if beta is None:
        return pred_probs.astype(np.float64)
    values = log_probs(pred_probs)
    if beta != 1.0:
        values *= beta
    np.exp(values, out=values)
    values /= row_sums(values)[:, None]
    return values


def tie_break(seed: int, index: Ints) -> Float64s:
    """Uniform draws in [0, 1), a function of the seed and the position alone.

    A counter-based generator (the finaliser of splitmix64), so that a tie is broken alike however
    the pool is cut into blocks.
    """
    # The seed is hashed first: the streams of neighbouring seeds must not be shifts of one another.
    offset = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    x = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + offset
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53
