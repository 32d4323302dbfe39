"""Temperature scaling against the annotators' empirical label distribution (mathematics.md §6)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from activelab._errors import InputError
from activelab._kernels import (
    FIXED_POINT,
    TINY,
    Block,
    blocks,
    fixed_sum,
    logs_for,
    ranges,
    row_max,
    row_sums,
    rows_at,
    temper,
    tie_break,
)
from activelab._typing import Float64s, Floats, Ints, Models
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs

__all__ = ["TemperatureScaling"]

BOUNDS = (0.05, 20.0)
_COARSE_GRID = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0, 3.0, 5.0, 8.0)
NOTHING_TO_ESTIMATE = ("no example has two labels: no temperature can be estimated; T = 1.",)
_SAMPLE_ROWS = 1 << 14
LARGE = 1 << 18
"""Examples beyond which a sample will do, of at least half as many."""

_EXACT_ENOUGH = 0.01  # relative standard error of β
_CLOSE, _CLOSE_TO_SAMPLE = 2e-4, 2e-2
_DRAWS = 1 << 17
_FLAT = 1e-12


class TemperatureScaling:
    """Calibrate predicted probabilities by one temperature a model.

    p^(T) = softmax(log p / T) [G], with T minimising the soft cross-entropy to the share of the labels
    each class has on each labelled example [A §2.2]. In 1/T the objective is convex; its optimum is
    found by Halley's method. Of pools of more than 262,144 examples it is that of a sample by ids, half as
    large or more, where that tells T with a standard error of at most 1 %.

    Parameters
    ----------
    search : {"optimum", "grid"}
        The optimum itself, or the coarse and fine grid of the reference implementation.
    bounds : (float, float)
        Range of T for the optimum.

    Attributes
    ----------
    temperature_ : ndarray of float64, shape (n_models,)
        Fitted temperatures. 1 where nothing can be estimated: no example has two labels, or the model
        gives every class the same probability.
    notes_ : tuple of str
        What could not be estimated, in words.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0], [1, 1], [0, 1], [1, 1]])
    >>> pred_probs = [[0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.4, 0.6]]
    >>> scaling = al.TemperatureScaling().fit(labels, pred_probs)
    >>> scaling.temperature_.round(3)
    array([0.28])
    >>> scaling.transform(pred_probs).round(2)
    array([[0.99, 0.01],
           [0.05, 0.95],
           [0.81, 0.19],
           [0.19, 0.81]])
    """

    temperature_: Float64s
    notes_: tuple[str, ...]

    def __init__(
        self,
        search: Literal["optimum", "grid"] = "optimum",
        bounds: tuple[float, float] = BOUNDS,
    ) -> None:
        if search not in ("optimum", "grid"):
            raise InputError(f"search must be 'optimum' or 'grid', got {search!r}.")
        if not 0 < bounds[0] <= 1 <= bounds[1] <= 20:
            raise InputError(f"bounds must satisfy 0 < low <= 1 <= high <= 20, got {bounds}.")
        self.search, self.bounds = search, bounds

    def __repr__(self) -> str:
        return f"TemperatureScaling(search={self.search!r}, bounds={self.bounds})"

    def fit(self, labels: Labels, pred_probs: Any) -> TemperatureScaling:
        """Find the temperature of each model.

        Parameters
        ----------
        labels : Labels
        pred_probs : array-like
            Out-of-sample probabilities, shape ``(n_examples, n_classes)`` or ``(n_models, n_examples,
            n_classes)``.

        Returns
        -------
        TemperatureScaling
            This object.

        Raises
        ------
        InputError
            If ``pred_probs`` does not match ``labels``.
        """
        return self.fit_models(labels, check_pred_probs(pred_probs, labels))

    def fit_models(self, labels: Labels, models: Models) -> TemperatureScaling:
        """`fit` over probabilities that are already checked."""
        if not labels.totals.n_with(2):
            self.temperature_, self.notes_ = np.ones(len(models)), NOTHING_TO_ESTIMATE
            return self
        find = _find_optimum if self.search == "optimum" else _find_on_grid
        found = [find(labels, model, self.bounds) for model in models]
        self.temperature_, self.notes_ = with_notes(found)
        return self

    @property
    def betas(self) -> tuple[float, ...]:
        """Inverse temperatures 1/T."""
        return tuple((1 / self.temperature_).tolist())

    def transform(self, pred_probs: Any) -> Floats:
        """Calibrated probabilities, in a new array of the same shape and floating dtype.

        Raises
        ------
        InputError
            If the number of models differs from that of `fit`, or `fit` has not been called.
        """
        if not hasattr(self, "temperature_"):
            raise InputError("call fit before transform.")
        array = np.asarray(pred_probs)
        dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float64)
        if array.ndim not in (2, 3):
            raise InputError(f"pred_probs must have two or three dimensions, got {array.shape}.")
        models = array[None] if array.ndim == 2 else array
        if len(models) != len(self.temperature_):
            raise InputError(
                f"fitted on {len(self.temperature_)} models, but pred_probs holds {len(models)}."
            )
        result = np.empty(models.shape, dtype=dtype)
        for model, beta, out in zip(models, self.betas, result, strict=True):
            for start in range(0, len(model), 1 << 16):
                out[start : start + (1 << 16)] = temper(model[start : start + (1 << 16)], beta)
        return result[0] if array.ndim == 2 else result


def with_notes(found: list[tuple[float, str | None]]) -> tuple[Float64s, tuple[str, ...]]:
    """Temperatures of all models, and what there is to say of them."""
    notes = (f"temperature of model {number}: {note}" for number, (_, note) in enumerate(found) if note)
    return np.array([temperature for temperature, _ in found]), tuple(notes)


@dataclass
class DerivativeSums:
    """First three derivatives of the objective at one β, as exact sums over labelled examples.

    The objective is the mean of log Σ_k p_ik^β − β Σ_k e_ik log p_ik: the soft cross-entropy up to a
    factor; the normalisation of p cancels. ``squares`` is the sum of the squared slopes. Sums are in fixed
    point (see `fixed_sum`), so that those of the parts of a pool add up to those of the whole.
    """

    n: int = 0
    slope: int = 0
    curvature: int = 0
    third: int = 0
    squares: int = 0

    def __add__(self, other: DerivativeSums) -> DerivativeSums:
        return DerivativeSums(
            self.n + other.n,
            self.slope + other.slope,
            self.curvature + other.curvature,
            self.third + other.third,
            self.squares + other.squares,
        )

    @property
    def means(self) -> tuple[float, float, float]:
        """The derivatives themselves."""
        unit = self.n << FIXED_POINT
        return self.slope / unit, max(self.curvature, 0) / unit, self.third / unit

    @property
    def standard_error(self) -> float:
        """Of the optimum near this β, if the examples are a sample: that of the slope over the curvature."""
        slope, curvature, _ = self.means
        variance = max(self.squares / (self.n << FIXED_POINT) - slope**2, 0) / self.n
        return float(variance**0.5 / curvature) if curvature > _FLAT else float("inf")


Search = Generator[float, DerivativeSums, float]
"""Asks for the derivatives at one β after another, and returns the best."""


def derivative_sums(labels: Labels, model: Floats, beta: float) -> DerivativeSums:
    """Derivatives from the moments of log p under the tempered probabilities of each example."""
    total = DerivativeSums()
    for block in blocks(labels, at_least=1):
        log_p = logs_for(block.rows_of(model), beta)
        p = log_p * beta
        with np.errstate(under="ignore"):
            np.exp(p, out=p)
        # Of differences: those of a flat row are exactly 0, those of a sure one small, in float32 as well.
        log_p -= row_max(log_p)[:, None]
        empirical = _mean_log_prob(block, log_p)
        norm = row_sums(p).astype(np.float64)
        p *= log_p
        mean = row_sums(p) / norm
        square = row_sums(p, log_p) / norm
        p *= log_p
        cube = row_sums(p, log_p) / norm
        slope = mean - empirical
        total += DerivativeSums(
            block.size,
            fixed_sum(slope),
            fixed_sum(square - mean * mean),
            fixed_sum(cube - mean * (3 * square - 2 * mean * mean)),
            fixed_sum(slope * slope),
        )
    return total


def _mean_log_prob(block: Block, log_p: Floats) -> Float64s:
    """Σ_k e_ik log p_ik of each example of a block, e_ik the share of labels k of example i."""
    return block.total(block.at_labels(log_p)) / block.counts


class Sample(NamedTuple):
    """Some labelled examples: how many labels each has, which ones, and the models' probabilities."""

    counts: Ints
    label: Ints
    models: Models

    @classmethod
    def at(cls, labels: Labels, index: Ints, models: Models) -> Sample:
        """The examples at some positions; ``models`` are their probabilities."""
        counts = labels.counts[index]
        return cls(counts, labels.label[ranges(labels.offsets[index], counts)], models)

    def labels(self, n_classes: int) -> Labels:
        """The labels, by nameless annotators."""
        example = np.repeat(np.arange(len(self.counts)), self.counts)
        annotator = ranges(np.zeros_like(self.counts), self.counts)
        people = int(self.counts.max(initial=0))
        return Labels(
            example, annotator, self.label, examples=len(self.counts), annotators=people, classes=n_classes
        )


def sampling_step(n_examples: int) -> int | None:
    """One in how many examples the search begins with; None for a pool that needs no sample.

    A power of two, so that a pool that grows keeps its sample for long.
    """
    every = n_examples // (LARGE // 2 if n_examples > LARGE else _SAMPLE_ROWS)
    return 1 << every.bit_length() - 1 if every > 1 else None


def take_sample(labels: Labels, models: Models, every: int) -> Sample:
    """About one in ``every`` of the labelled examples, chosen by their ids alone."""
    index = sampled(labels, every)
    return Sample.at(labels, index, tuple(rows_at(model, index) for model in models))


def sampled(labels: Labels, every: int) -> Ints:
    """Positions of `take_sample`."""
    labelled = np.flatnonzero(labels.labelled)
    parts = np.split(labelled, range(_DRAWS, len(labelled), _DRAWS))
    return np.concatenate([one[tie_break(0, labels.tie_keys(one)) * every < 1] for one in parts])


def search_optimum(
    sample: tuple[Labels, Floats] | None, bounds: tuple[float, float], n_examples: int
) -> Search:
    """Search for the best β, begun on a sample if there is one; NaN if the objective is flat.

    A sample brings the search within a step of the optimum of the whole. That of a large pool of
    ``n_examples`` ends it, if it is exact enough.
    """
    low, high = 1 / bounds[1], 1 / bounds[0]
    beta, close = 1.0, _CLOSE
    if sample is not None and sample[0].n_labels:
        seen: list[DerivativeSums] = []

        def of_sample(at: float) -> DerivativeSums:
            seen.append(derivative_sums(*sample, at))
            return seen[-1]

        found = complete(_minimise(beta, low, high), of_sample)
        inside = low < found < high
        if n_examples > LARGE and inside and seen[-1].standard_error <= _EXACT_ENOUGH * found:
            return found
        beta, close = (1.0 if np.isnan(found) else found), _CLOSE_TO_SAMPLE
    return (yield from _minimise(beta, low, high, close))


def complete(search: Search, derivatives: Callable[[float], DerivativeSums]) -> float:
    """Run a search to its end."""
    beta, best = advance(search, None)
    while beta is not None:
        beta, best = advance(search, derivatives(beta))
    return best


def advance(search: Search, found: DerivativeSums | None) -> tuple[float | None, float]:
    """The β a search wants to know of next, once told what it asked for; or None, and the best β."""
    try:
        # What a generator is sent first must be None.
        return search.send(found), float("nan")  # type: ignore[arg-type]
    except StopIteration as end:
        return None, float(end.value)


def temperature_of(
    beta: float, bounds: tuple[float, float], lowest: Callable[[], float]
) -> tuple[float, str | None]:
    """Temperature of the β found and, if it is a bound or a convention, a note that says so.

    ``lowest`` gives the lowest probability of the model.
    """
    if np.isnan(beta):
        return 1.0, "the model gives every class the same probability, so T = 1."
    low, high = 1 / bounds[1], 1 / bounds[0]
    note = None
    if beta in (low, high):
        note = f"the optimum lies at or beyond the bound T = {1 / beta:g}."
        if beta == low and lowest() == 0:
            note += " The model gives annotated classes probability 0; mix in a little of the uniform."
    return 1 / beta, note


def _find_optimum(labels: Labels, model: Floats, bounds: tuple[float, float]) -> tuple[float, str | None]:
    """Temperature at the optimum, and a note on it."""
    every = sampling_step(labels.n_examples)
    sample = None
    if every is not None:
        taken = take_sample(labels, (model,), every)
        sample = taken.labels(labels.n_classes), taken.models[0]
    search = search_optimum(sample, bounds, labels.n_examples)
    beta = complete(search, lambda at: derivative_sums(labels, model, at))
    return temperature_of(beta, bounds, lambda: float(model.min()))


def _minimise(beta: float, low: float, high: float, close: float = _CLOSE) -> Search:
    """Minimum of a convex function on [low, high]: Halley's method inside a shrinking bracket.

    NaN if the function is flat.
    """
    for attempt in range(100):
        slope, curvature, third = (yield beta).means
        if attempt == 0 and curvature <= _FLAT:
            return float("nan")
        if slope == 0:
            return beta
        low, high = (beta, high) if slope < 0 else (low, beta)
        step = -slope / curvature if curvature > 0 else np.inf * -slope
        bend = 1 + step * third / (2 * curvature) if curvature > 0 else 1.0
        # Far from the minimum a step of Newton's is the safer one.
        new = beta + (step / bend if bend > 0.5 else step)
        # Convergence is cubic: after a step of 2e-4 the relative error is near 1e-11, after one of 2e-2 1e-6.
        if abs(new - beta) <= close * new and low <= new <= high:
            return new
        if not low < new < high:
            edge = high if slope < 0 else low
            slope_there = (yield edge).means[0]
            if slope_there <= 0 if slope < 0 else slope_there >= 0:
                return edge
            new = (low + high) / 2
        beta = new
    return beta


def _find_on_grid(labels: Labels, model: Floats, bounds: tuple[float, float]) -> tuple[float, str | None]:
    """The reference's two grids (mathematics.md §15); ``bounds`` play no part."""
    coarse = _COARSE_GRID
    best = int(np.argmin(_losses(labels, model, np.array(coarse))))
    fine = []
    if best > 0:
        fine.append(np.linspace(coarse[best - 1], coarse[best], 4, endpoint=False))
    if best < len(coarse) - 1:
        fine.append(np.linspace(coarse[best], coarse[best + 1], 5))
    grid = np.concatenate(fine)
    return float(grid[np.argmin(_losses(labels, model, grid))]), None


def _losses(labels: Labels, model: Floats, temperatures: Float64s) -> Float64s:
    """Soft cross-entropy at each temperature; unlike in `temper`, p = 0 stays 0 here."""
    total = np.zeros(len(temperatures))
    for block in blocks(labels, at_least=1):
        p = block.rows_of(model).astype(np.float64)
        with np.errstate(divide="ignore"):
            log_p = np.log(p)
        for position, temperature in enumerate(temperatures):
            scaled = np.exp(log_p / temperature)
            scaled /= row_sums(scaled)[:, None]
            total[position] -= _mean_log_prob(block, np.log(np.maximum(scaled, TINY))).sum()
    return total
