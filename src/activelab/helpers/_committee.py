"""A committee: helpers and the user's own classifier, cross-validated on soft targets over the whole pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from activelab._progress import followed
from activelab._typing import Float64s, Floats, Ints
from activelab.classifiers import models_of, rows_of, seeded
from activelab.consensus.parts import committee_pool, pooled
from activelab.helpers._members import SoftTargets
from activelab.labels import Labels
from activelab.pred_probs import Checked
from activelab.strategies import HELPERS, OWN

_FLOOR = 0.01  # least probability a member gives a class, of up to ten
_MOST_LEARNT = 2000  # examples a helper learns from, drawn at random


@dataclass(frozen=True, eq=False)
class Committee:
    """What the members say of the examples they hear of, out of sample.

    Attributes
    ----------
    names : tuple of str
    own : tuple of bool
        Which of them are the user's own.
    pred_probs : Checked
        One array a member, float32 of shape (n_examples, n_classes): of labelled examples by the fit that did
        not see them, of the others the mean over the folds.
    folds : ndarray of int, shape (n_examples,)
        Fold in which an example was held out; -1 without a label.
    by_fold : ndarray of float32, shape (n_members, n_folds, n_rest, n_classes)
        What each fold says of the examples without a label.
    """

    names: tuple[str, ...]
    own: tuple[bool, ...]
    pred_probs: Checked
    folds: Ints
    by_fold: Floats

    @property
    def prior(self) -> Float64s:
        """The members pooled, float64 of shape (n_examples, n_classes)."""
        model = pooled(self.pred_probs.labels, self.pred_probs)[0]
        return np.asarray(model, dtype=np.float64)

    def of_fold(self, fold: int) -> Float64s:
        """The members pooled as they were without the labels of a fold, about examples without one."""
        pool = committee_pool(self.pred_probs.labels, self.pred_probs)
        return np.asarray(np.exp(pool.log([*self.by_fold[:, fold]])))


def fit_committee(
    helpers: Sequence[Any],
    model: Any,
    X: Any,
    features: Floats,
    labels: Labels,
    target: Float64s,
    folds: Ints,
    *,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Committee:
    """Fit every member without each fold in turn, and let it predict the pool.

    Parameters
    ----------
    helpers : sequence of str or object
        See `activelab.strategies.HELPERS`.
    model : classifier or list of them
        The user's own.
    X : array-like with n_examples rows
        Features as the user's own classifier takes them.
    features : ndarray of float32, shape (n_examples, n_columns)
        As `helper_features` makes them.
    labels : Labels
    target : ndarray of float64, shape (n_examples, n_classes)
        What is learnt; NaN rows are not.
    folds : ndarray of int, shape (n_examples,)
        As of `activelab.classifiers.deal_folds`, -1 where ``target`` is NaN.
    seed, n_jobs, progress
        As for `cross_val_pred_probs`.

    Returns
    -------
    Committee
    """
    members = [member for one in helpers for member in _members(one, model, X, features)]
    rest = np.flatnonzero(folds < 0)
    n_folds = int(folds.max()) + 1
    jobs = [(m, fold) for m in range(len(members)) for fold in range(n_folds)]
    fits = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_and_predict)(*members[m][1:], target, folds, fold, seed + fold, members[m][2] is X)
        for m, fold in jobs
    )
    results = followed(fits, progress, len(jobs))
    pred_probs = np.zeros((len(members), *target.shape), dtype=np.float32)
    by_fold = np.empty((len(members), n_folds, len(rest), target.shape[1]), dtype=np.float32)
    for (m, fold), (of_fold, of_rest) in zip(jobs, results, strict=True):
        pred_probs[m, folds == fold] = of_fold
        pred_probs[m, rest] += of_rest / n_folds
        by_fold[m, fold] = of_rest
    names, own = tuple(name for name, _, _ in members), tuple(seen is X for _, _, seen in members)
    return Committee(names, own, Checked(pred_probs, labels), folds, by_fold)


def _members(helper: Any, model: Any, X: Any, features: Floats) -> list[tuple[str, Any, Any]]:
    """Name, learner and what it learns from; the own classifier is several if it is an ensemble."""
    if helper == OWN:
        return [(type(one).__name__, SoftTargets(one), X) for one in models_of(model)]
    learner = HELPERS.get(helper)
    if hasattr(learner, "predict_proba"):
        learner = SoftTargets(learner)
    return [(str(helper) if isinstance(helper, str) else type(helper).__name__, learner, features)]


def _fit_and_predict(
    learner: Any, X: Any, target: Float64s, folds: Ints, fold: int, seed: int, own: bool
) -> tuple[Floats, Floats]:
    """Probabilities of the examples held out, and of those without a label."""
    train = np.flatnonzero((folds >= 0) & (folds != fold))
    if not own and len(train) > _MOST_LEARNT:
        train = np.sort(np.random.default_rng(seed).permutation(train)[:_MOST_LEARNT])
    fitted = seeded(learner, seed).fit(rows_of(X, train), target[train])
    parts = [np.flatnonzero(folds == fold), np.flatnonzero(folds < 0)]
    n_classes = target.shape[1]
    floor = min(_FLOOR, 0.1 / n_classes)
    made = []
    for part in parts:
        raw = np.zeros((0, n_classes))
        if len(part):
            raw = np.asarray(fitted.predict(rows_of(X, part)), dtype=np.float64).reshape(len(part), n_classes)
        p = np.maximum(raw, floor)
        made.append((p / p.sum(axis=1, keepdims=True)).astype(np.float32))
    return made[0], made[1]
