"""Array kernels shared by consensus, calibration and acquisition.

Every pass walks the pool in blocks of consecutive examples, so that working memory stays small and
in cache whatever the size of the pool. A row's result never depends on the block it falls in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from activelab._typing import Bools, Float64s, Floats, Index, Ints
from activelab.labels import Labels

TINY = 1e-30
"""Probabilities are clipped here before a logarithm (mathematics.md §6)."""

_CELLS_A_BLOCK = 1 << 17

T = TypeVar("T", bound=np.generic)
Certainty = TypeVar("Certainty", float, Floats)


@dataclass(frozen=True)
class Block:
    """Some examples of the pool, in its order, and their labels.

    ``index`` selects them from any array over the pool; ``counts`` is the number of labels of each.
    """

    labels: Labels
    index: Index
    counts: Ints

    @property
    def size(self) -> int:
        return len(self.counts)

    @cached_property
    def row(self) -> Ints:
        """Position in the block of the example of each label."""
        return np.repeat(np.arange(self.size), self.counts)

    @cached_property
    def _labels(self) -> slice | Ints:
        """Positions of the block's labels in the arrays of ``labels``."""
        if not self.size:
            return slice(0, 0)
        first = self.labels.offsets[:-1][self.index]
        low, high = int(first[0]), int(first[-1] + self.counts[-1])
        if high - low == len(self.row):
            return slice(low, high)
        return ranges(first, self.counts)

    def rows_of(self, model: Floats) -> Floats:
        """The block's rows of an array over the pool, in columns (see `in_columns`): a view or a copy."""
        return in_columns(model[self.index]) if isinstance(self.index, slice) else rows_at(model, self.index)

    def of_labels(self, values: npt.NDArray[T]) -> npt.NDArray[T]:
        """The block's part of a value for each label of the pool."""
        return values[self._labels]

    @cached_property
    def annotator(self) -> Ints:
        """Annotator of each label."""
        return self.labels.annotator[self._labels].astype(np.int64)

    @cached_property
    def label(self) -> Ints:
        """Class of each label."""
        return self.labels.label[self._labels].astype(np.int64)

    @cached_property
    def cell(self) -> Ints:
        """Position of each label in the memory of an array in columns, shape (size, n_classes)."""
        if self.labels.n_classes <= _FEW_COLUMNS:
            return self.label * self.size + self.row
        return self.row * self.labels.n_classes + self.label

    def select(self, rows: Bools | Ints) -> Block:
        """The block of some of the examples, by a mask or their places in it."""
        return Block(self.labels, positions_of(self.index)[rows], self.counts[rows])

    @property
    def few_labelled(self) -> bool:
        """Whether `reduced` can pay where those with labels stay."""
        return bool(2 * np.count_nonzero(self.counts) < self.size)

    def reduced(self, wanted: Bools) -> Block:
        """`select` by a mask, if it leaves so few that it pays; else the block as it is."""
        rows = np.flatnonzero(wanted)
        return self.select(rows) if 2 * len(rows) < self.size else self

    def at_labels(self, values: npt.NDArray[T]) -> npt.NDArray[T]:
        """The value of each label's example and class, of an array in columns, shape (size, n_classes)."""
        return np.take(memory_of(values), self.cell)

    def votes(self) -> Ints:
        """Labels of each class, shape (size, n_classes)."""
        n_classes = self.labels.n_classes
        votes = np.bincount(self.cell, minlength=self.size * n_classes)
        if self.counts.max(initial=0) < 256:
            votes = votes.astype(np.uint8)  # an eighth of the memory to go over
        return from_memory(votes, n_classes)

    def weighted_votes(self, weight: Float64s) -> Float64s:
        """Sum of the annotators' weights on each class, shape (size, n_classes)."""
        return self.sums_at(weight[self.annotator])

    def sums_at(self, values: Float64s) -> Float64s:
        """Sum over each example and class of a value for each of its labels, shape (size, n_classes)."""
        n_classes = self.labels.n_classes
        sums = np.bincount(self.cell, values, self.size * n_classes)
        # bincount of no labels at all returns integers.
        return from_memory(sums.astype(np.float64, copy=False), n_classes)

    def equal(self, target: Ints) -> Float64s:
        """How many labels of each example are a class given for it, shape (size,)."""
        return self.total(self.label == np.take(target, self.row))

    def total(self, values: Floats) -> Float64s:
        """Sum over each example of a value for each of its labels, shape (size,)."""
        # bincount of no labels at all returns integers.
        return np.bincount(self.row, values, self.size).astype(np.float64, copy=False)


def blocks(labels: Labels, at_least: int = 0, share: float = 1.0) -> Iterator[Block]:
    """Walk the examples in blocks, or those that have ``at_least`` so many labels, one or more.

    Of the latter it may be a sample of about a ``share`` of them, chosen by their ids alone, and a smaller
    sample is part of a larger one. Their blocks do not depend on the examples in between.
    """
    size = _rows_a_block(labels.n_classes)
    if not at_least:
        for low in range(0, labels.n_examples, size):
            counts = np.diff(labels.offsets[low : low + size + 1])
            yield Block(labels, slice(low, low + len(counts)), counts)
        return
    waiting = np.empty(0, dtype=np.int64)
    for chosen in _with_labels(labels, at_least) if share >= 1 else [_sample(labels, share)]:
        if share < 1 and at_least > 1:
            chosen = chosen[_counts(labels, chosen) >= at_least]
        waiting = np.concatenate([waiting, chosen])
        while len(waiting) >= size:
            yield _block(labels, waiting[:size])
            waiting = waiting[size:]
    if len(waiting):
        yield _block(labels, waiting)


def _rows_a_block(n_classes: int) -> int:
    return max(_CELLS_A_BLOCK // max(n_classes, 1), 1)


def share_of(wanted: int, number: int) -> float:
    """The share of a sample of about ``wanted`` out of a number."""
    return min(wanted / max(number, 1), 1.0)


def _block(labels: Labels, index: Ints) -> Block:
    whole = index[-1] - index[0] + 1 == len(index)
    here = slice(int(index[0]), int(index[-1]) + 1) if whole else index
    return Block(labels, here, _counts(labels, here))


def _counts(labels: Labels, index: Index) -> Ints:
    return labels.offsets[1:][index] - labels.offsets[:-1][index]


def _with_labels(labels: Labels, at_least: int) -> Iterator[Ints]:
    """Positions of the examples with so many labels, some at a time."""
    for low in range(0, labels.n_examples, _CELLS_A_BLOCK):
        counts = np.diff(labels.offsets[low : low + _CELLS_A_BLOCK + 1])
        yield low + np.flatnonzero(counts >= at_least)


def _sample(labels: Labels, share: float) -> Ints:
    """Positions of the labelled examples of a sample, which are kept: drawing takes a look at every id."""
    if share not in labels.drawn:
        larger = [one for one in labels.drawn if one > share]
        within = [labels.drawn[min(larger)]] if larger else _with_labels(labels, 1)
        parts = [index[sample_draw(labels, index) < share] for index in within]
        labels.drawn[share] = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    return labels.drawn[share]


_SAMPLING = 0x5A3D1E
"""Seed of samples: hardly one of a user, whose random batches would make poor samples."""


def sample_draw(labels: Labels, index: Ints) -> Float64s:
    """A number in [0, 1) for the examples at some positions: a sample of some share holds those below it."""
    return tie_break(_SAMPLING, labels.tie_keys(index))


def ranges(start: Ints, size: Ints) -> Ints:
    """The integers from each start, as many as its size, one after another."""
    return np.repeat(start - (np.cumsum(size) - size), size) + np.arange(size.sum())


_FEW_COLUMNS = 32


def in_columns(values: npt.NDArray[T]) -> npt.NDArray[T]:
    """Rows of probabilities as arrays of a block hold them, a view or a copy: few columns one after another.

    What goes over the columns then takes a fifth of the time, for each lies together. Of many columns, with
    few rows in a block, the rows lie one after another.
    """
    if values.shape[1] > _FEW_COLUMNS:
        return np.ascontiguousarray(values)
    return values if values.strides[0] == values.itemsize else np.asfortranarray(values)


def empty_in_columns(n_rows: int, n_columns: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A new array in columns."""
    return np.empty((n_rows, n_columns), dtype=dtype, order="F" if n_columns <= _FEW_COLUMNS else "C")


def rows_at(values: npt.NDArray[T], index: Ints) -> npt.NDArray[T]:
    """Rows at some positions, as a new array in columns."""
    if values.flags.c_contiguous:
        return in_columns(np.take(values, index, axis=0))
    if values.shape[1] > _FEW_COLUMNS or values.strides[0] != values.itemsize:
        return in_columns(values[index])
    taken = empty_in_columns(len(index), values.shape[1], values.dtype)
    for column, out in zip(values.T, taken.T, strict=True):
        # Without a look at each position, which is known to be there.
        np.take(column, index, out=out, mode="clip")
    return taken


def memory_of(values: npt.NDArray[T]) -> npt.NDArray[T]:
    """The memory of an array in columns, in the order of `Block.cell`; a copy if it is laid otherwise."""
    return (values.T if values.shape[1] <= _FEW_COLUMNS else values).reshape(-1)


def from_memory(memory: npt.NDArray[T], n_columns: int) -> npt.NDArray[T]:
    """The array in columns whose memory this is, shape (n_rows, n_columns)."""
    if n_columns <= _FEW_COLUMNS:
        return memory.reshape(n_columns, -1).T
    return memory.reshape(-1, n_columns)


def at_columns(values: npt.NDArray[T], column: Ints) -> npt.NDArray[T]:
    """The value of each row at a column of its own, shape (n_rows,)."""
    size = len(values)
    if values.flags.f_contiguous:
        return np.take(values.T.reshape(-1), column.astype(np.int64) * size + np.arange(size))
    if values.flags.c_contiguous:
        first = np.arange(0, values.size, values.shape[1])
        return np.take(values.reshape(-1), first + column)
    return values[np.arange(size), column]


def row_sums(values: Floats, times: Floats | None = None) -> Floats:
    """Sum of each row, or of its products, in an order that does not depend on the number of rows."""
    if values.shape[1] > _FEW_COLUMNS:
        total: Floats = np.einsum("ij->i", values) if times is None else np.einsum("ij,ij->i", values, times)
        return total
    if not values.shape[1]:
        return np.zeros(len(values), dtype=values.dtype)
    columns = iter(values.T if times is None else map(np.multiply, values.T, times.T))
    total = next(columns).copy()
    for column in columns:
        total += column
    return total


def row_max(values: Floats) -> Floats:
    """Largest value of each row."""
    if not 0 < values.shape[1] <= _FEW_COLUMNS:
        return np.asarray(values.max(axis=1))
    largest = values[:, 0].copy()
    for column in values.T[1:]:
        np.maximum(largest, column, out=largest)
    return largest


def row_argmax(values: npt.NDArray[T]) -> Ints:
    """Column of the largest value of each row, the first of several, int64."""
    if not 0 < values.shape[1] <= _FEW_COLUMNS:
        return np.asarray(values.argmax(axis=1))
    size = _rows_a_block(values.shape[1])
    parts = [_argmax_of_few(in_columns(values[low : low + size])) for low in range(0, len(values), size)]
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


def _argmax_of_few(values: npt.NDArray[T]) -> Ints:
    found = np.zeros(len(values), dtype=np.uint8)
    largest = values[:, 0].copy()
    for place, column in enumerate(values.T[1:], 1):
        # A later column is higher than all before: what is larger takes the place of what was found.
        larger = (column > largest).view(np.uint8)
        larger *= np.uint8(place)
        np.maximum(found, larger, out=found)
        np.maximum(largest, column, out=largest)
    return found.astype(np.int64)


def row_counts(mask: Bools) -> npt.NDArray[np.integer[Any]]:
    """How many are true in each row."""
    if not 0 < mask.shape[1] <= _FEW_COLUMNS:
        return np.asarray(np.count_nonzero(mask, axis=1))
    total = np.zeros(len(mask), dtype=np.uint8)
    for column in mask.T:
        total += column.view(np.uint8)
    return total


def summable(values: Floats) -> Floats:
    """Probabilities rounded to 26 binary places: float64 sums of up to 2^27 are exact, in any order."""
    values = values * 2.0**26
    np.rint(values, out=values)
    values *= 2.0**-26
    return values


def summable_parts(values: Float64s) -> Float64s:
    """Two parts of probabilities, shape (2, n): rounded as `summable`, and what is left, to 52 binary places.

    The sums of either are exact, of up to 2^27 of them and in any order.
    """
    high = summable(values)
    return np.stack([high, np.rint((values - high) * 2.0**52) * 2.0**-52])


FIXED_POINT = 52
"""`fixed_sum` counts in units of 2 to the minus this."""


def fixed_sum(values: Float64s) -> int:
    """Sum in fixed point, of values up to 2^26 in magnitude.

    Each value is rounded to 52 binary places, and the sum of those is exact: it does not depend on
    the order of the values, nor on how they are cut into parts.
    """
    scaled = values * 2.0**20
    high = np.rint(scaled)
    low = np.rint((scaled - high) * 2.0**32)
    return (int(high.astype(np.int64).sum()) << 32) + int(low.astype(np.int64).sum())


def log_probs(pred_probs: Floats) -> Float64s:
    """Logarithm of probabilities clipped at `TINY`, as a new float64 array."""
    return _logs_of(pred_probs, np.float64)


def _logs_of(pred_probs: Floats, dtype: type[np.floating[Any]]) -> npt.NDArray[Any]:
    # To look for what is too small costs less than to lift it.
    small = float(pred_probs.min(initial=1)) < TINY  # which float16 takes for 0
    values = np.maximum(pred_probs, TINY, dtype=dtype) if small else pred_probs
    logs: npt.NDArray[Any] = np.log(values, dtype=dtype)
    return logs


def normalised(log_values: Floats) -> Floats:
    """Probabilities proportional to exp of each row, in its precision."""
    largest = 1e200 if log_values.dtype == np.float64 else 1e30
    with np.errstate(over="ignore", under="ignore"):
        values = np.exp(log_values)
    total = row_sums(values)
    # So many labels, or so unlikely ones, that the row leaves the range of floating-point numbers.
    extreme = np.flatnonzero(~((total > 1 / largest) & (total < largest)))
    if len(extreme):
        rows = log_values[extreme]
        with np.errstate(under="ignore"):
            values[extreme] = np.exp(rows - rows.max(axis=1)[:, None])
        total[extreme] = row_sums(values[extreme])
    with np.errstate(under="ignore"):
        values /= total[:, None]
    return values


_DEEPEST = 60.0
"""Least exponent, negated, of the largest p^β of a row that float32 holds with all its digits."""


def logs_for(pred_probs: Floats, beta: float = 1.0) -> Floats:
    """log p for p^β, as a new array: in float32 where the probabilities have no more digits, else in float64.

    Logarithms and exponentials in float32 are rounded to about 2e-7 of p^β for β near 1, and take a third of
    the time. The largest p of a row is at least 1/K less the tolerance, so that p^β does not underflow in all
    of a row's entries for the β ≤ 20 that calibration allows.
    """
    single = pred_probs.dtype != np.float64 and beta * np.log(pred_probs.shape[1]) < _DEEPEST
    return _logs_of(pred_probs, np.float32 if single else np.float64)


def powers(pred_probs: Floats, beta: float) -> Floats:
    """p^β, as a new array (see `logs_for`)."""
    values = logs_for(pred_probs, beta)
    if beta != 1.0:
        values *= beta
    with np.errstate(under="ignore"):
        return np.exp(values, out=values)


def temper(pred_probs: Floats, beta: float | None, weight: float = 1.0) -> Floats:
    """softmax(β log p), times a weight, as a new array (see `logs_for`); with ``beta=None`` p in float64."""
    if beta is None:
        return np.multiply(pred_probs, weight, dtype=np.float64)
    values = powers(pred_probs, beta)
    values *= (weight / row_sums(values))[:, None]
    return values


_ROUNDING = 1e-5
"""More than the relative error of a certainty: classes are tied within 1e-6 of it, and what is computed is
rounded, some to float32."""

_ROUNDING_OF_SUMS = 1.2e-7
"""More than the relative error for each term of the two sums over classes behind it."""


def least_certain(certainty: Certainty, share: float | None, n_classes: int) -> Certainty:
    """A bound on max_k softmax(β log q)_k from below, given c = max_k q_k and β, the ``share`` or None (1).

    It is 1 / Σ_k (q_k / c)^β. For β < 1 the sum is largest where all the others are equal, as q^β is concave;
    for β ≥ 1 it is at most 1 / c.
    """
    if share is not None and share < 1:
        odds = np.maximum(1 - certainty, 0) / certainty
        certainty = 1 / (1 + (n_classes - 1) ** (1 - share) * odds**share)
    return certainty * (1 - _ROUNDING - _ROUNDING_OF_SUMS * n_classes)


def tie_break(seed: int, index: Ints) -> Float64s:
    """Uniform draws in [0, 1), a function of the seed and an integer alone.

    A counter-based generator (the finaliser of splitmix64), so that a tie is broken alike however
    the pool is cut into blocks.
    """
    # The seed is hashed first: the streams of neighbouring seeds must not be shifts of one another.
    offset = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    x = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + offset
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = (x ^ (x >> np.uint64(31))) >> np.uint64(11)
    return np.asarray(x / 2.0**53)


_ALIKE = 1 - 1e-6
"""Share of the highest probability from which another counts as equal: sums are rounded, some to float32."""


def most_probable(probabilities: Floats, index: Index, labels: Labels, seed: int) -> Ints:
    """Most probable class of each row, int32; ties by a draw from seed and the id of the example.

    Row i is the example at position i of ``index``, a slice of the pool or positions in it.
    """
    label = row_argmax(probabilities)
    top = probabilities >= (at_columns(probabilities, label) * _ALIKE)[:, None]
    if np.count_nonzero(top) > len(label):
        tied = np.flatnonzero(row_counts(top) > 1)
        drawn = class_draws(labels, positions_of(index)[tied], seed)
        label[tied] = np.where(top[tied], drawn, -1).argmax(axis=1)
    return np.asarray(label, dtype=np.int32)


def class_draws(labels: Labels, positions: Ints, seed: int) -> Float64s:
    """A uniform draw for each class of some examples, by seed and id, shape (n_positions, n_classes)."""
    n_classes = labels.n_classes
    # Keys may be any 64 bits: the product wraps around.
    return tie_break(seed, labels.tie_keys(positions)[:, None] * n_classes + np.arange(n_classes))


def positions_of(index: Index) -> Ints:
    """The positions a `Block.index` stands for."""
    return np.arange(index.start, index.stop) if isinstance(index, slice) else index
