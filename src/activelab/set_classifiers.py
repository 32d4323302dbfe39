"""Out-of-sample probabilities of several classes at once, from any classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ints
from activelab.classifiers import (
    FoldModel,
    checked_rows,
    cross_val_pred_probs,
    deal_folds,
    models_of,
    n_rows,
    rows_of,
    seeded,
    unweighed_notes,
    weight_parameter,
)
from activelab.multilabel import LabelSets, MultilabelConsensus

__all__ = ["CrossValidatedSets", "SetFoldModel", "cross_val_set_probs", "set_target"]

_SMOOTHING = 0.01  # as `ActiveLearner`: nothing is impossible for want of examples


class _Unlearnt:
    """A class that nothing could be learnt of: it applies as likely as not."""

    def predict_proba(self, X: Any) -> Float64s:
        """One half, shape (n_rows, 2)."""
        return np.full((n_rows(X), 2), 0.5)


class SetFoldModel:
    """Classifiers of one fold, whose probabilities are those of each class to apply.

    Parameters
    ----------
    of_class : sequence of classifier
        For each class one whose second column is the probability that it applies.
    """

    def __init__(self, of_class: Sequence[FoldModel | _Unlearnt]) -> None:
        self.of_class = of_class

    def predict_proba(self, X: Any) -> Float64s:
        """Probability of each class, shape (n_rows, n_classes)."""
        return np.stack([one.predict_proba(X)[:, 1] for one in self.of_class], axis=1)


class _Matrix(SetFoldModel):
    """A classifier of sets, fitted on the classes that apply to some rows but not to all."""

    def __init__(self, model: Any, X: Any, y: Ints, seed: int, weight: Float64s | None) -> None:
        self.shares = (y.sum(axis=0) + 0.5) / (len(y) + 1)
        self.varying = np.flatnonzero((y.min(axis=0) == 0) & (y.max(axis=0) == 1))
        key = weight_parameter(model)
        options = {} if key is None or weight is None else {key: weight}
        self.model = seeded(model, seed)
        if len(self.varying):
            # One class is given twice: a matrix of one column would be taken for a question of two classes.
            at = self.varying if len(self.varying) > 1 else np.repeat(self.varying, 2)
            self.model.fit(X, y[:, at], **options)

    def predict_proba(self, X: Any) -> Float64s:
        found = np.tile(self.shares, (n_rows(X), 1))
        if len(self.varying):
            raw = self.model.predict_proba(X)
            if isinstance(raw, list):  # of MultiOutputClassifier, an array of no and yes a class
                raw = np.stack([np.asarray(one)[:, 1] for one in raw], axis=1)
            found[:, self.varying] = raw[:, : len(self.varying)]
        return found


@dataclass(frozen=True, eq=False)
class CrossValidatedSets:
    """Out-of-sample probabilities of the classes of a pool, and the models they come from.

    Attributes
    ----------
    pred_probs : ndarray of float64, shape (n_models, n_examples, n_classes)
        Probability that each class applies; rows need not sum to 1.
    fold_models : tuple of tuple of SetFoldModel
        For each model, one a fold.
    notes : tuple of str
        What the folds could not do, in words.
    """

    pred_probs: Float64s
    fold_models: tuple[tuple[SetFoldModel, ...], ...]
    notes: tuple[str, ...]


def cross_val_set_probs(
    model: Any,
    X: Any,
    label: Any,
    *,
    cv: Any = 5,
    seed: int = 0,
    n_jobs: int | None = None,
    weight: Float64s | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CrossValidatedSets:
    """Out-of-sample probabilities of every class of every example of a pool.

    ``OneVsRestClassifier``, ``MultiOutputClassifier``, ``ClassifierChain``, and pipelines that end in one,
    are fitted on the examples of which every class is known; any other classifier once a class, on what is
    known of it.

    Parameters
    ----------
    model : classifier, or list of them
        A list is an ensemble.
    X : array-like with n_examples rows, sparse matrix, dataframe or list
    label : array-like of int, shape (n_examples, n_classes)
        1 and 0 where a class applies or not; -1 where that is not known.
    cv, seed, n_jobs, progress
        As for `cross_val_pred_probs`; folds are stratified by each class, of sets by the rarest class that
        applies.
    weight : ndarray of float in [0, 1], shape (n_examples, n_classes), optional
        How much each counts in training; of a set the mean of its classes.

    Returns
    -------
    CrossValidatedSets

    Raises
    ------
    InputError
        If shapes differ, a classifier lacks ``predict_proba``, or of a class, or of all classes of a
        classifier of sets, fewer than two examples are known.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from activelab.set_classifiers import cross_val_set_probs
    >>> X = np.arange(12.0)[:, None]
    >>> label = np.stack([np.arange(12) > 5, np.arange(12) % 2], axis=1).astype(int)
    >>> cross_val_set_probs(LogisticRegression(), X, label, cv=3).pred_probs.shape
    (1, 12, 2)
    """
    models, codes = models_of(model), np.asarray(label, dtype=np.int64)
    if codes.ndim != 2 or not np.isin(codes, (-1, 0, 1)).all():
        raise InputError(f"label must hold 1, 0 or -1 for each example and class, got shape {codes.shape}.")
    X = checked_rows(X, len(codes))
    if weight is not None and np.shape(weight) != codes.shape:
        raise InputError(f"weight must have the shape of label, {codes.shape}, got {np.shape(weight)}.")
    parts = [
        (_of_sets if takes_sets(one) else _of_classes)(
            one, X, codes, cv, seed, n_jobs, weight, _within(progress, at, len(models))
        )
        for at, one in enumerate(models)
    ]
    probs = np.stack([found for found, _, _ in parts])
    if probs.min(initial=1) <= 0 or probs.max(initial=0) >= 1:
        probs = (1 - _SMOOTHING) * probs + _SMOOTHING / 2
    notes = [note for _, _, several in parts for note in several]
    return CrossValidatedSets(probs, tuple(folds for _, folds, _ in parts), tuple(dict.fromkeys(notes)))


def set_target(
    sets: LabelSets, consensus: MultilabelConsensus, known: Ints | None = None
) -> tuple[Ints, Float64s]:
    """What to train on: what most annotators say where a class was asked about, by how sure that is.

    A yes about a rare class is often more likely wrong than right. It counts for as little as it is believed,
    and is no no: else a classifier would never learn of the class.

    Returns
    -------
    label : ndarray of int, shape (n_examples, n_classes)
        1 and 0; -1 where nobody was asked.
    weight : ndarray of float64, of that shape
        Probability that it is right; 1 for what is ``known``, 0 where nobody was asked.
    """
    asked, yes = np.zeros(consensus.chosen.shape), np.zeros(consensus.chosen.shape)
    np.add.at(asked, sets.example, sets.asked)
    np.add.at(yes, sets.example, sets.chosen)
    says = np.where(2 * yes == asked, consensus.posterior > 0.5, 2 * yes > asked)
    label = np.where(asked > 0, says, -1).astype(np.int64)
    weight = np.where(asked > 0, np.where(says, consensus.posterior, 1 - consensus.posterior), 0.0)
    if known is not None:
        label, weight = np.where(known >= 0, known, label), np.where(known >= 0, 1.0, weight)
    return label, weight


def takes_sets(model: Any) -> bool:
    """Whether a classifier is fitted on sets, not on one class."""
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
    from sklearn.pipeline import Pipeline

    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    return isinstance(last, OneVsRestClassifier | MultiOutputClassifier | ClassifierChain)


_Part = tuple[Float64s, tuple[SetFoldModel, ...], tuple[str, ...]]


def _of_classes(
    model: Any, X: Any, label: Ints, cv: Any, seed: int, n_jobs: int | None,
    weight: Float64s | None, progress: Callable[[int, int], None] | None,
) -> _Part:  # fmt: skip
    """A binary classifier a class."""
    size, notes = label.shape[1], list[str]()
    probs, of_class = np.empty(label.shape), list[tuple[FoldModel, ...]]()
    for code in range(size):
        if np.count_nonzero(label[:, code] >= 0) < 2:  # too few answers to learn from
            probs[:, code] = 0.5
            of_class.append(())
            continue
        found = cross_val_pred_probs(
            model, X, label[:, code], 2, cv=cv, seed=seed, n_jobs=n_jobs,
            weight=None if weight is None else weight[:, code], progress=_within(progress, code, size),
        )  # fmt: skip
        probs[:, code] = found.pred_probs[0, :, 1]
        of_class.append(found.fold_models[0])
        # That a rare class is missing from a fold is no news of a pool with rare classes.
        notes += unweighed_notes([model]) if weight is not None else ()
    n_folds = min((len(one) for one in of_class if one), default=0)
    folds = tuple(
        SetFoldModel([one[fold] if one else _Unlearnt() for one in of_class]) for fold in range(n_folds)
    )
    return probs, folds, tuple(notes)


def _of_sets(
    model: Any, X: Any, label: Ints, cv: Any, seed: int, n_jobs: int | None,
    weight: Float64s | None, progress: Callable[[int, int], None] | None,
) -> _Part:  # fmt: skip
    """One classifier of all classes, on the examples of which all are known."""
    from joblib import Parallel, delayed

    from activelab._progress import followed

    whole: Bools = np.all(label >= 0, axis=1)
    held_out = deal_folds(cv, X, np.where(whole, _rarest(label, whole), -1), seed)
    mean = None if weight is None else weight.mean(axis=1)
    train = [np.flatnonzero(whole & (held_out != fold)) for fold in range(int(held_out.max()) + 1)]
    fits = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_Matrix)(
            model, rows_of(X, rows), label[rows], seed + fold, None if mean is None else mean[rows]
        )
        for fold, rows in enumerate(train)
    )
    folds: tuple[SetFoldModel, ...] = tuple(followed(fits, progress, len(train)))
    probs = np.zeros(label.shape)
    rest = np.flatnonzero(~whole)
    for fold, one in enumerate(folds):
        rows = np.flatnonzero(held_out == fold)
        probs[rows] = one.predict_proba(rows_of(X, rows))
        if len(rest):
            probs[rest] += one.predict_proba(rows_of(X, rest)) / len(folds)
    notes = unweighed_notes([model]) if weight is not None else ()
    part = int(((label >= 0).any(axis=1) & ~whole).sum())
    if part:
        notes = (
            f"{type(model).__name__} learns from whole sets: {part:,} examples with answers about some of "
            "their classes are left out of training. A binary classifier, fitted once a class, uses them.",
            *notes,
        )
    return probs, folds, tuple(notes)


def _rarest(label: Ints, whole: Bools) -> Ints:
    """The rarest class that applies to each example, and one code more where none does."""
    number = label[whole].sum(axis=0) if whole.any() else np.zeros(label.shape[1])
    by_number = np.argsort(number, kind="stable")
    applies = label[:, by_number] == 1
    code: Ints = np.where(applies.any(axis=1), by_number[applies.argmax(axis=1)], label.shape[1])
    return code


def _within(
    progress: Callable[[int, int], None] | None, at: int, parts: int
) -> Callable[[int, int], None] | None:
    """Told of one part, it tells of all."""
    if progress is None:
        return None
    return lambda done, total: progress(at * total + done, parts * total)
