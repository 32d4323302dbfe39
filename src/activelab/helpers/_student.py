"""The user's classifier, taught on the whole pool, without the labels of the fold it predicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from activelab._progress import followed
from activelab._typing import Float64s, Ints
from activelab.classifiers import (
    CrossValidated,
    FoldModel,
    fold_notes,
    models_of,
    rows_of,
    unweighed_notes,
    weight_parameter,
)
from activelab.helpers._committee import Committee
from activelab.training import Target

_MOST = 4.0  # of the ratio by which hard labels squeeze a class
_RARE, _MOST_RARE = 0.25, 10.0  # of its even share, below which a class is rare; of the ratio of a rare one


def teach(
    model: Any,
    X: Any,
    target: Target,
    committee: Committee,
    *,
    cv: Any = 5,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CrossValidated:
    """Out-of-sample class probabilities of a classifier that learns from labels and committee together.

    In each fold a row of training is an example: one labelled outside the fold with its consensus label, one
    inside and one without a label as the committee sees it that learnt outside the fold. So no label of a
    fold plays a part in what is predicted of it.

    Parameters
    ----------
    model : classifier or list of them
    X : array-like with n_examples rows
    target : Target
        With a weight.
    committee : Committee
        Whose folds are those of the classifier, too.
    cv, seed, n_jobs, progress
        As for `cross_val_pred_probs`.

    Returns
    -------
    CrossValidated
    """
    models, folds = models_of(model), committee.folds
    rest = np.flatnonzero(folds < 0)
    n_folds, n_classes = int(folds.max()) + 1, committee.pred_probs[0].shape[1]
    prior, weight, posterior = committee.prior, target.weight, target.posterior
    assert weight is not None
    assert posterior is not None
    lessons = []
    for fold in range(n_folds):
        outside, inside = np.flatnonzero((folds >= 0) & (folds != fold)), np.flatnonzero(folds == fold)
        belief = np.concatenate([prior[inside], committee.of_fold(fold)])
        rows = np.concatenate([outside, inside, rest])
        label = np.concatenate([target.label[outside], belief.argmax(axis=1)])
        certain = np.concatenate([weight[outside], belief.max(axis=1)])
        asked = posterior[outside].sum(axis=0)
        expected = belief.sum(axis=0) * asked / prior[outside].sum(axis=0) + asked
        lessons.append((rows, label, certain, unsqueezed(label, certain, expected, asked)))
    jobs = [(m, fold) for m in range(len(models)) for fold in range(n_folds)]
    fits = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_learn)(
            models[m], X, *lessons[fold], np.flatnonzero(folds == fold), rest, n_classes, seed + fold
        )
        for m, fold in jobs
    )
    results = followed(fits, progress, len(jobs))
    pred_probs = np.zeros((len(models), len(folds), n_classes))
    for (m, fold), (_, of_fold, of_rest) in zip(jobs, results, strict=True):
        pred_probs[m, folds == fold] = of_fold
        pred_probs[m, rest] += of_rest / n_folds
    fitted = [result[0] for result in results]
    labelled = folds >= 0
    return CrossValidated(
        pred_probs=pred_probs,
        fold_models=tuple(tuple(fitted[m * n_folds : (m + 1) * n_folds]) for m in range(len(models))),
        folds=folds,
        notes=(*fold_notes(cv, target.label[labelled], folds[labelled]), *unweighed_notes(models)),
    )


def unsqueezed(label: Ints, weight: Float64s, expected: Float64s, asked: Float64s) -> Float64s:
    """Weights of rows under which no class is squeezed by those that are more frequent.

    The likeliest class of a whole pool is hardly ever a rare one: class k has rows of weight H_k where its
    probabilities say E_k. Its rows count (E_k / H_k)² as much, squared since it is those between the classes
    that it lacks; all weights together stay what they were.

    A class with less than a quarter of its even share of the pool has at least the share of the examples that
    were asked for: what is asked seeks it, and a classifier trained on that alone would see it as often.

    Parameters
    ----------
    label : ndarray of int, shape (n_rows,)
    weight : ndarray of float, shape (n_rows,)
    expected : ndarray of float, shape (n_classes,)
        E.
    asked : ndarray of float, shape (n_classes,)
        The same of the labelled rows alone.
    """
    rare = expected < _RARE * expected.mean()
    sought = asked * (expected.sum() / asked.sum())
    expected = np.where(rare, np.maximum(expected, sought), expected)
    given = np.bincount(label, weight, len(expected))
    most = np.where(rare, _MOST_RARE, _MOST)
    ratio = np.clip(expected / np.maximum(given, 1e-9), 1 / most, most) ** 2
    scaled = weight * ratio[label]
    return np.asarray(scaled * (weight.sum() / scaled.sum()))


def _learn(
    model: Any,
    X: Any,
    rows: Ints,
    label: Ints,
    certain: Float64s,
    weight: Float64s,
    test: Ints,
    rest: Ints,
    n_classes: int,
    seed: int,
) -> tuple[FoldModel, Float64s, Float64s]:
    if weight_parameter(model) is None:
        weight = certain  # what is more likely wrong than right is left out
    fold = FoldModel(model, rows_of(X, rows), label, n_classes, seed, weight)
    of_rest = fold.predict_proba(rows_of(X, rest)) if len(rest) else np.zeros((0, n_classes))
    return fold, fold.predict_proba(rows_of(X, test)), of_rest
