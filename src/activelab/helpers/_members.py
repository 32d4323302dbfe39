"""The helpers that come with the package: small learners of soft targets, each right for other data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from activelab._typing import Float64s, Floats, Ints
from activelab.classifiers import FoldModel, rows_of, weight_parameter

_CELLS = 1 << 22  # of a kernel that are in memory at once
_FOR_WIDTH = 500  # rows the median distance is found on
_LEAST_ROW = 0.05  # a class less probable than this is no row of training


class GaussianProcess(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Gaussian-process regression on the probabilities of the classes.

    P = K_*,tr (K_tr,tr + σ² I)⁻¹ (T − T̄) + T̄ with K = exp(−‖z − z′‖² / (c · median ‖z − z′‖²)).

    Parameters
    ----------
    width : float
        c.
    noise : float
        σ².
    max_rows : int
        Rows it learns from at most, drawn at random: time grows with their cube.
    random_state : int, optional
    """

    def __init__(
        self, width: float = 1.0, noise: float = 0.3, max_rows: int = 1000, random_state: int | None = None
    ) -> None:
        self.width, self.noise, self.max_rows, self.random_state = width, noise, max_rows, random_state

    def fit(self, X: Floats, y: Floats) -> GaussianProcess:
        """Solve for the weights of the rows."""
        rng = np.random.default_rng(self.random_state)
        rows = _sample(len(X), self.max_rows, rng)
        self.rows_ = np.asarray(X[rows], dtype=np.float32)
        some = self.rows_[_sample(len(rows), _FOR_WIDTH, rng)]
        apart = _squared_distances(some, some)[~np.eye(len(some), dtype=bool)]
        self.scale_ = self.width * (float(np.median(apart)) if apart.size else 1.0) or 1.0
        self.mean_ = np.asarray(y[rows], dtype=np.float64).mean(axis=0)
        kernel = self._kernel(self.rows_).astype(np.float64)
        kernel[np.diag_indices_from(kernel)] += self.noise
        weights = cho_solve(cho_factor(kernel, lower=True, overwrite_a=True), y[rows] - self.mean_)
        self.weights_ = weights.astype(np.float32)
        return self

    def predict(self, X: Floats) -> Float64s:
        """Expected targets."""
        if not len(X):
            return np.zeros((0, len(self.mean_)))
        size = max(_CELLS // len(self.rows_), 1)
        parts = [self._kernel(X[at : at + size]) @ self.weights_ for at in range(0, len(X), size)]
        return np.asarray(np.concatenate(parts, dtype=np.float64) + self.mean_)

    def _kernel(self, X: Floats) -> Any:
        values = _squared_distances(np.asarray(X, dtype=np.float32), self.rows_)
        values /= -np.float32(self.scale_)
        return np.exp(values, out=values)


def _sample(number: int, most: int, rng: np.random.Generator) -> Ints:
    """Positions of so many rows at most, ascending."""
    return np.sort(rng.permutation(number)[:most])


def _squared_distances(one: Floats, other: Floats) -> Any:
    squares = -2 * (one @ other.T)
    squares += np.einsum("ij,ij->i", one, one)[:, None]
    squares += np.einsum("ij,ij->i", other, other)
    return np.maximum(squares, 0, out=squares)


class Neighbours(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Mean target of the nearest rows, weighted by 1 / (d² + mean d²).

    Parameters
    ----------
    number : int
    """

    def __init__(self, number: int = 15) -> None:
        self.number = number

    def fit(self, X: Floats, y: Floats) -> Neighbours:
        """Keep the rows."""
        self.targets_ = np.asarray(y, dtype=np.float64)
        self.index_ = NearestNeighbors(n_neighbors=min(self.number, len(y))).fit(X)
        return self

    def predict(self, X: Floats) -> Float64s:
        """Weighted means."""
        if not len(X):
            return np.zeros((0, self.targets_.shape[1]))
        distance, row = self.index_.kneighbors(X)
        squares = distance**2
        weight = 1 / (squares + squares.mean(axis=1, keepdims=True) + 1e-12)
        weight /= weight.sum(axis=1, keepdims=True)
        return np.asarray(np.einsum("ij,ijk->ik", weight, self.targets_[row]))


class SoftTargets(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Any classifier on soft targets: a row for each class an example may be of, weighted by its probability.

    A classifier that takes no ``sample_weight`` is fitted on the likeliest classes, where they are likelier
    than not.

    Parameters
    ----------
    classifier : classifier
    random_state : int, optional
        Given to every unset ``random_state`` of the classifier.
    """

    def __init__(self, classifier: Any, random_state: int | None = None) -> None:
        self.classifier, self.random_state = classifier, random_state

    def fit(self, X: Any, y: Floats) -> SoftTargets:
        """Fit the classifier."""
        if weight_parameter(self.classifier) is None:
            row, label = np.arange(len(y)), y.argmax(axis=1)
        else:
            row, label = np.nonzero(y > _LEAST_ROW)
        with warnings.catch_warnings():
            # A helper is stopped early on purpose.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.fold_ = FoldModel(
                self.classifier, rows_of(X, row), label, y.shape[1], self.random_state or 0, y[row, label]
            )
        return self

    def predict(self, X: Any) -> Float64s:
        """Probabilities."""
        return self.fold_.predict_proba(X)


def gaussian_process() -> Any:
    """Smooth boundaries."""
    return GaussianProcess(1.0)


def gaussian_process_local() -> Any:
    """Boundaries with more detail."""
    return GaussianProcess(0.3)


def logistic() -> Any:
    """Linear boundaries."""
    return SoftTargets(LogisticRegression(C=0.1, max_iter=40))


def extra_trees() -> Any:
    """Boundaries along the features."""
    return ExtraTreesRegressor(25, min_samples_leaf=2, max_features=0.5)


def neighbours() -> Any:
    """Whatever lies together."""
    return Neighbours()
