"""Out-of-sample probabilities from any classifier that follows scikit-learn's interface."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import has_fit_parameter

from activelab._errors import InputError, first
from activelab._progress import followed
from activelab._typing import Float64s, Ints

__all__ = ["CrossValidated", "FoldModel", "cross_val_pred_probs"]


_LEAST_PROBABLE = 0.03  # a class less probable than this is no row of training


class FoldModel:
    """A classifier fitted on some of K classes, whose probabilities always have K columns.

    Classifiers see the class codes 0..K-1. One that accepts only a gapless range 0..m-1 (XGBoost) is
    fitted on the ranks of the codes present, where a class is missing. A class the classifier never
    saw has probability 0. Training data of a single class give a constant.

    Parameters
    ----------
    model : classifier
        Unfitted; it is cloned.
    X : array-like with rows, sparse matrix, dataframe or list
    y : ndarray of int
        Class codes of the rows.
    n_classes : int
    seed : int
        Given to every unset ``random_state`` of the classifier, also inside pipelines.
    weight : ndarray of float in [0, 1], shape (n_rows,), optional
        How much each row counts. A classifier that takes no ``sample_weight`` is fitted on the rows with at
        least one half, if they are of two classes.
    """

    def __init__(
        self, model: Any, X: Any, y: Ints, n_classes: int, seed: int, weight: Float64s | None = None
    ) -> None:
        self.n_classes = n_classes
        self.columns = np.arange(n_classes)
        key = None if weight is None else weight_parameter(model)
        if weight is not None and key is None and len(np.unique(y[weight >= 0.5])) > 1:
            X, y = rows_of(X, np.flatnonzero(weight >= 0.5)), y[weight >= 0.5]
        present = np.unique(y)
        if len(present) == 1:
            self.model = DummyClassifier(strategy="prior").fit(X, y)
            return
        options = {} if key is None else {key: weight}
        try:
            self.model = seeded(model, seed).fit(X, y, **options)
        except ValueError:
            if present[-1] == len(present) - 1:
                raise
            self.columns = present
            self.model = seeded(model, seed).fit(X, np.searchsorted(present, y), **options)

    def predict_proba(self, X: Any) -> Float64s:
        """Probabilities of shape ``(n_rows, n_classes)``; classes never seen get 0."""
        raw = np.asarray(self.model.predict_proba(_indexable(X)), dtype=np.float64)
        seen = getattr(self.model, "classes_", None)
        if raw.ndim != 2 or len(raw) != n_rows(X):
            raise InputError(
                f"predict_proba of {type(self.model).__name__} returned shape {raw.shape} for "
                f"{n_rows(X)} rows."
            )
        out = np.zeros((len(raw), self.n_classes))
        if seen is not None and len(seen) == raw.shape[1]:
            out[:, self.columns[np.asarray(seen, dtype=int)]] = raw
        elif raw.shape[1] in (self.n_classes, len(self.columns)):
            # Networks give a column for every class they were built for, seen or not.
            columns = self.columns if raw.shape[1] == len(self.columns) else np.arange(self.n_classes)
            out[:, columns] = raw
        else:
            raise InputError(
                f"predict_proba of {type(self.model).__name__} returned {raw.shape[1]} columns for "
                f"{self.n_classes} classes."
            )
        if not np.isfinite(out).all():
            raise InputError(
                f"predict_proba of {type(self.model).__name__} returned NaN or infinity in row "
                f"{int(np.argmax(~np.isfinite(out).all(axis=1)))}."
            )
        return out


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """Out-of-sample probabilities of a pool and the models they come from.

    Attributes
    ----------
    pred_probs : ndarray of float64, shape (n_models, n_examples, n_classes)
        Of labelled examples by the fold model that did not see them, of the others the mean of the
        fold models.
    fold_models : tuple of tuple of FoldModel
        For each model, one fitted classifier a fold.
    folds : ndarray of int, shape (n_examples,)
        Fold in which an example was held out; -1 for unlabelled examples.
    notes : tuple of str
        What the folds could not do, in words.
    """

    pred_probs: Float64s
    fold_models: tuple[tuple[FoldModel, ...], ...]
    folds: Ints
    notes: tuple[str, ...]


def cross_val_pred_probs(
    model: Any,
    X: Any,
    label: Ints,
    n_classes: int,
    *,
    cv: Any = 5,
    seed: int = 0,
    n_jobs: int | None = None,
    weight: Float64s | None = None,
    target: Float64s | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CrossValidated:
    """Out-of-sample class probabilities of every example of a pool.

    Parameters
    ----------
    model : classifier, or list of them
        Anything with ``fit(X, y)`` and ``predict_proba(X)`` that scikit-learn can clone. A list is an
        ensemble. ``y`` holds class codes, not names.
    X : array-like with n_examples rows, sparse matrix, dataframe or list
        Features of the whole pool, in its order.
    label : array-like of int, shape (n_examples,)
        Class codes to train on; -1 for examples without a label.
    n_classes : int
        K; classes that do not occur keep a column.
    cv : int or splitter
        Number of folds, stratified by class, or an object with ``split(X, y)`` whose test parts cover
        each labelled row once. A class with fewer examples than folds is missing from no more test
        parts than it must be; a class missing from a training part gets probability 0 there.
    seed : int
        Seed of the folds and of the classifiers.
    n_jobs : int, optional
        Parallel fits, as in joblib.
    weight : ndarray of float in [0, 1], shape (n_examples,), optional
        How much each labelled example counts in training. Classifiers that take no ``sample_weight`` are
        trained without weights on the examples with at least one half, and ``notes`` says so.
    target : ndarray of float, shape (n_examples, n_classes), optional
        Probability of each class, in place of ``weight``: an example is one row of training for each class
        it may be of, weighted by the probability (Raykar et al. 2010). The folds still follow ``label``.

    progress : callable, optional
        Told after each fit how many are done, and of how many.

    Returns
    -------
    CrossValidated

    Raises
    ------
    InputError
        If lengths differ, fewer than two examples are labelled, or a classifier lacks
        ``predict_proba``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from activelab import cross_val_pred_probs
    >>> X = np.arange(12.0)[:, None]
    >>> label = np.array([0, 0, 0, 0, 0, -1, -1, 1, 1, 1, 1, 1])
    >>> cross_val_pred_probs(LogisticRegression(), X, label, 2).pred_probs.shape
    (1, 12, 2)
    """
    models, label = models_of(model), np.asarray(label, dtype=np.int64)
    X = checked_rows(X, len(label))
    labelled = np.flatnonzero(label >= 0)
    y = label[labelled]
    held_out = deal_folds(cv, X, label, seed)[labelled]
    n_folds = int(held_out.max()) + 1
    unlabelled = np.flatnonzero(label < 0)
    weighed = weight is not None or target is not None
    weighable = [weight_parameter(one) is not None for one in models]
    jobs = [(m, f) for m in range(len(models)) for f in range(n_folds)]
    fits = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_and_predict)(
            models[m], X, labelled[held_out != f], labelled[held_out == f], unlabelled, label,
            n_classes, seed + f, weight, target if weighable[m] else None,
        )
        for m, f in jobs
    )  # fmt: skip
    results = followed(fits, progress, len(jobs))
    pred_probs = np.zeros((len(models), len(label), n_classes))
    for (m, f), (_, tested, rest) in zip(jobs, results, strict=True):
        pred_probs[m, labelled[held_out == f]] = tested
        pred_probs[m, unlabelled] += rest / n_folds
    fitted = [result[0] for result in results]
    folds = np.full(len(label), -1, dtype=np.int64)
    folds[labelled] = held_out
    return CrossValidated(
        pred_probs=pred_probs,
        fold_models=tuple(tuple(fitted[m * n_folds : (m + 1) * n_folds]) for m in range(len(models))),
        folds=folds,
        notes=(*fold_notes(cv, y, held_out), *(unweighed_notes(models) if weighed else ())),
    )


def models_of(model: Any) -> list[Any]:
    """The classifiers of an ensemble, or a single one.

    Raises
    ------
    InputError
        If one has no probabilities.
    """
    models = list(model) if isinstance(model, list | tuple) else [model]
    for one in models:
        if not (hasattr(one, "fit") and hasattr(one, "predict_proba")):
            raise InputError(
                f"{type(one).__name__} has no fit and predict_proba. Pick a classifier with probabilities, "
                "or wrap it in sklearn.calibration.CalibratedClassifierCV."
            )
    return models


def checked_rows(X: Any, n_examples: int) -> Any:
    """Features whose rows can be selected, one an example.

    Raises
    ------
    InputError
        If there are more rows or fewer.
    """
    X = _indexable(X)
    if n_rows(X) != n_examples:
        raise InputError(
            f"X has {n_rows(X):,} rows, the pool {n_examples:,} examples. Row i of X must be example i."
        )
    return X


def _fit_and_predict(
    model: Any,
    X: Any,
    train: Ints,
    test: Ints,
    unlabelled: Ints,
    label: Ints,
    n_classes: int,
    seed: int,
    weight: Float64s | None,
    target: Float64s | None,
) -> tuple[FoldModel, Float64s, Float64s]:
    y, given = label[train], None if weight is None else weight[train]
    if target is not None:
        at, y = np.nonzero(target[train] > _LEAST_PROBABLE)
        train, given = train[at], target[train[at], y]
    fold = FoldModel(model, rows_of(X, train), y, n_classes, seed, given)
    rest = np.zeros((0, n_classes))
    if len(unlabelled):
        rest = fold.predict_proba(rows_of(X, unlabelled))
    return fold, fold.predict_proba(rows_of(X, test)), rest


def deal_folds(cv: Any, X: Any, label: Ints, seed: int) -> Ints:
    """Fold in which each example is held out, shape (n_examples,); -1 without a label.

    Raises
    ------
    InputError
        If fewer than two examples are labelled, or ``cv`` does not hold out each of them once.
    """
    labelled = np.flatnonzero(label >= 0)
    if len(labelled) < 2:
        raise InputError(
            f"training with cross-validation needs at least two labelled examples, got {len(labelled)}."
        )
    folds = np.full(len(label), -1, dtype=np.int64)
    folds[labelled] = _dealt(cv, rows_of(X, labelled), label[labelled], seed)
    return folds


def _dealt(cv: Any, X: Any, y: Ints, seed: int) -> Ints:
    held_out = np.full(len(y), -1, dtype=np.int64)
    if hasattr(cv, "split"):
        for fold, (_, test) in enumerate(cv.split(X, y)):
            if (held_out[test] >= 0).any():
                raise InputError("the test parts of cv overlap; each example must be held out once.")
            held_out[test] = fold
        if (held_out < 0).any():
            raise InputError("the test parts of cv must together hold every labelled example.")
        return held_out
    if isinstance(cv, bool) or not isinstance(cv, int | np.integer) or cv < 2:
        raise InputError(f"cv must be an integer of at least 2 or a splitter, got {cv!r}.")
    # Examples are shuffled within each class and dealt to the folds in turn: the sizes of the folds,
    # and the parts of a class in them, differ by one at most, whatever the size of the class.
    shuffled = np.random.default_rng(seed).permutation(len(y))
    order = shuffled[np.argsort(y[shuffled], kind="stable")]
    held_out[order] = np.arange(len(y)) % min(cv, len(y))
    return held_out


def fold_notes(cv: Any, y: Ints, held_out: Ints) -> tuple[str, ...]:
    """What the folds of labelled rows could not do, in words."""
    notes, n_folds = [], int(held_out.max()) + 1
    if isinstance(cv, int | np.integer) and n_folds < cv:
        notes.append(f"only {len(y)} labelled examples: {n_folds} folds instead of {cv}.")
    absent = [
        int(code)
        for code in np.unique(y)
        if any(not (y[held_out != fold] == code).any() for fold in range(n_folds))
    ]
    if absent:
        notes.append(
            f"too few labelled examples of class codes {first(absent)}: a fold was trained without them "
            "and gives them probability 0."
        )
    return tuple(notes)


def weight_parameter(model: Any) -> str | None:
    """Name under which ``fit`` takes the weights of rows; in a pipeline, those of the last step.

    None if it takes none.
    """
    steps = getattr(model, "steps", None)
    if steps:
        inner = weight_parameter(steps[-1][1])
        return None if inner is None else f"{steps[-1][0]}__{inner}"
    return "sample_weight" if has_fit_parameter(model, "sample_weight") else None


def unweighed_notes(models: Sequence[Any]) -> tuple[str, ...]:
    """Which classifiers take no weights of rows, in words."""
    return tuple(
        f"{type(one).__name__} takes no sample_weight: it is trained on consensus labels alone, without "
        "those more likely wrong than right."
        for one in models
        if weight_parameter(one) is None
    )


def seeded(model: Any, seed: int) -> Any:
    """A clone in which every ``random_state`` left at None is set."""
    fresh = clone(model)
    unset = {
        name: seed
        for name, value in fresh.get_params(deep=True).items()
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    }
    return fresh.set_params(**unset) if unset else fresh


def _indexable(X: Any) -> Any:
    """A sparse matrix of any format by rows, with sorted indices and no entry twice; others as they are."""
    if not sparse.issparse(X):
        return X
    by_rows = X.tocsr()
    if not by_rows.has_canonical_format:
        by_rows = by_rows.copy()
        by_rows.sum_duplicates()
    return by_rows


def rows_of(X: Any, index: Ints) -> Any:
    """Some rows of features of any kind."""
    if isinstance(X, Sequence) and not isinstance(X, str):
        return [X[i] for i in index.tolist()]
    with warnings.catch_warnings():
        # pandas 3 warns about an option that scikit-learn sets while indexing.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _safe_indexing(X, index)


def n_rows(X: Any) -> int:
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)
