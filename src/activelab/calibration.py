"""Temperature scaling against the annotators' empirical label distribution (SPEC Part 1 §6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from activelab._errors import InputError
from activelab._kernels import TINY, Block, blocks, log_probs, row_sums, temper
from activelab._typing import Float64s, Floats, Models
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs

__all__ = ["TemperatureScaling"]

BOUNDS = (0.05, 20.0)
_COARSE_GRID = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0, 3.0, 5.0, 8.0)
_SAMPLE_ROWS = 10_000
_FLAT = 1e-12


class TemperatureScaling:
    """Calibrate predicted probabilities by one temperature a model.

    p^(T) = softmax(log p / T) [G], with T minimising the soft cross-entropy to the share of the labels
    each class has on each labelled example [A §2.2]. In 1/T the objective is convex; its optimum is
    found by Halley's method.

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
        if labels.n_labels == 0 or labels.counts.max() < 2:
            self.temperature_ = np.ones(len(models))
            self.notes_ = ("no example has two labels: no temperature can be estimated; T = 1.",)
            return self
        find = _find_optimum if self.search == "optimum" else _find_on_grid
        found = [find(labels, model, self.bounds) for model in models]
        self.temperature_ = np.array([temperature for temperature, _ in found])
        self.notes_ = tuple(
            f"temperature of model {number}: {note}" for number, (_, note) in enumerate(found) if note
        )
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


def _find_optimum(labels: Labels, model: Floats, bounds: tuple[float, float]) -> tuple[float, str | None]:
    """Temperature at the optimum and, if it is a bound or a convention, a note that says so."""
    low, high = 1 / bounds[1], 1 / bounds[0]
    beta = 1.0
    every = labels.n_examples // _SAMPLE_ROWS
    if every > 3:
        # A sample brings the search within a step of the optimum of the whole.
        sample = _Objective(labels, model, every)
        beta = np.nan_to_num(_minimise(sample.derivatives, beta, low, high), nan=1.0)
    beta = _minimise(_Objective(labels, model).derivatives, beta, low, high)
    if np.isnan(beta):
        return 1.0, "the model gives every class the same probability, so T = 1."
    at_bound = beta in (low, high)
    note = None
    if at_bound:
        note = f"the optimum lies at or beyond the bound T = {1 / beta:g}."
        if beta == low and model.min() == 0:
            note += " The model gives annotated classes probability 0; mix in a little of the uniform."
    return 1 / beta, note


class _Objective:
    """Mean of log Σ_k p_ik^β − β Σ_k e_ik log p_ik over the labelled examples, given β.

    With ``every`` it is the mean over a sample, of about one in so many.

    Equal to the soft cross-entropy up to a factor; the normalisation of p cancels.
    """

    def __init__(self, labels: Labels, model: Floats, every: int = 1) -> None:
        self.labels, self.model, self.every = labels, model, every
        self.empirical: float | None = None

    def derivatives(self, beta: float) -> tuple[float, float, float]:
        """First three derivatives.

        They rest on the mean, variance and third central moment of log p under the tempered
        probabilities of each example.
        """
        n, slope, curvature, third, empirical = 0, 0.0, 0.0, 0.0, 0.0
        for block in blocks(self.labels, at_least=1, every=self.every):
            n += block.size
            log_p = log_probs(self.model[block.index])
            if self.empirical is None:
                empirical += _mean_log_prob(block, log_p)
            # The largest p is at least 1/K less the tolerance: no shift is needed for β ≤ 20.
            p = log_p * beta
            np.exp(p, out=p)
            total = row_sums(p)
            p *= log_p
            mean = row_sums(p) / total
            p *= log_p
            square = row_sums(p) / total
            p *= log_p
            cube = row_sums(p) / total
            slope += float(mean.sum())
            curvature += float((square - mean * mean).sum())
            third += float((cube - mean * (3 * square - 2 * mean * mean)).sum())
        if self.empirical is None:
            self.empirical = empirical
        return (slope - self.empirical) / n, max(curvature, 0.0) / n, third / n


def _mean_log_prob(block: Block, log_p: Float64s) -> float:
    """Σ_i Σ_k e_ik log p_ik over a block, e_ik the share of labels k of example i."""
    return float((block.total(log_p.reshape(-1)[block.cell]) / block.counts).sum())


def _minimise(
    derivatives: Callable[[float], tuple[float, float, float]], beta: float, low: float, high: float
) -> float:
    """Minimum of a convex function on [low, high]: Halley's method inside a shrinking bracket.

    NaN if the function is flat.
    """
    for attempt in range(100):
        slope, curvature, third = derivatives(beta)
        if attempt == 0 and curvature <= _FLAT:
            return float("nan")
        if slope == 0:
            return beta
        low, high = (beta, high) if slope < 0 else (low, beta)
        step = -slope / curvature if curvature > 0 else np.inf * -slope
        bend = 1 + step * third / (2 * curvature) if curvature > 0 else 1.0
        # Far from the minimum a step of Newton's is the safer one.
        new = beta + (step / bend if bend > 0.5 else step)
        if not low < new < high:
            edge = high if slope < 0 else low
            new = edge if _edge_is_minimum(derivatives, edge, slope < 0) else (low + high) / 2
            if new == edge:
                return edge
        # Convergence is cubic: after a step this small the relative error is near 1e-11.
        if abs(new - beta) <= 2e-4 * new:
            return new
        beta = new
    return beta


def _edge_is_minimum(
    derivatives: Callable[[float], tuple[float, float, float]], edge: float, upper: bool
) -> bool:
    slope = derivatives(edge)[0]
    return slope <= 0 if upper else slope >= 0


def _find_on_grid(labels: Labels, model: Floats, bounds: tuple[float, float]) -> tuple[float, str | None]:
    """The reference's two grids (SPEC Part 2 §5); ``bounds`` play no part."""
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
        p = model[block.index].astype(np.float64)
        with np.errstate(divide="ignore"):
            log_p = np.log(p)
        for position, temperature in enumerate(temperatures):
            scaled = np.exp(log_p / temperature)
            scaled /= row_sums(scaled)[:, None]
            total[position] -= _mean_log_prob(block, np.log(np.maximum(scaled, TINY)))
    return total
