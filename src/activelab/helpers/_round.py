"""A round with helpers: a committee, the consensus that starts from it, and the classifier it teaches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from activelab._kernels import tie_break
from activelab._progress import Show, nothing
from activelab._typing import Bools, Float64s, Floats, Ints
from activelab.classifiers import CrossValidated, checked_rows, cross_val_pred_probs, deal_folds, rows_of
from activelab.consensus.parts import CommitteePool, committee_targets, told
from activelab.helpers._committee import Committee, fit_committee
from activelab.helpers._student import teach
from activelab.labels import Labels
from activelab.strategies import Strategy
from activelab.training import Target, training_target

_MOST_HEARD = 4000  # examples without a label that a committee hears of in a round


def teach_round(
    model: Any,
    X: Any,
    features: Floats,
    labels: Labels,
    strategy: Strategy,
    *,
    before: Floats | None = None,
    known: Ints | None = None,
    families: dict[Any, str] | None = None,
    abstentions: Labels | None = None,
    cv: Any = 5,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: Show = nothing,
) -> tuple[Target, CrossValidated, Committee, Float64s]:
    """What a round with helpers trains.

    Of a large pool the committee hears of the labelled examples and of 4,000 others, drawn anew in each round
    by their ids; on all of these the classifier is taught, and of the rest it is the one to say something.

    Parameters
    ----------
    model : classifier or list of them
    X : array-like with n_examples rows
        Features as the classifier takes them.
    features : ndarray of float32, shape (n_examples, n_columns)
        Features as the helpers see them (`helper_features`).
    labels : Labels
    strategy : Strategy
        With helpers.
    before : ndarray of float, shape (n_examples, n_classes), optional
        Out-of-sample probabilities of the committee of the round before.
    known, families, abstentions, cv, seed, n_jobs
        As for `ActiveLearner.ask` and `cross_val_pred_probs`.
    progress : callable
        Told how many fits of the helpers are done, and then how many of the classifier.

    Returns
    -------
    target : Target
        Consensus of the annotators and the committee.
    trained : CrossValidated
    committee : Committee
    prior : ndarray of float64, shape (n_examples, n_classes)
        What it says of the pool; of what it did not hear of, the calibrated word of the classifier.

    Raises
    ------
    InputError
        If the rows of X are not the examples, or fewer than two examples are labelled.
    """
    X = checked_rows(X, labels.n_examples)
    heard = _heard(labels, known, seed)
    part = labels if heard.all() else labels.select(heard)
    options: dict[str, Any] = {"cv": cv, "seed": seed, "n_jobs": n_jobs, "progress": progress}
    target, trained, committee = _taught(
        model,
        rows_of(X, np.flatnonzero(heard)),
        features[heard],
        part,
        strategy,
        before=None if before is None else before[heard],
        known=None if known is None else known[heard],
        families=families,
        abstentions=abstentions if abstentions is None or part is labels else abstentions.select(heard),
        **options,
    )
    if part is labels:
        return target, trained, committee, committee.prior
    label = np.full(labels.n_examples, -1, dtype=np.int64)
    label[heard] = target.label
    trained = _everywhere(trained, X, heard, n_jobs)
    student, prior = trained.pred_probs.mean(axis=0), np.empty((labels.n_examples, labels.n_classes))
    prior[heard] = committee.prior
    prior[~heard] = np.exp(CommitteePool.fitted(labels, (student,)).log([student[~heard]]))
    return Target(label), trained, committee, prior


def _heard(labels: Labels, known: Ints | None, seed: int) -> Bools:
    """Mask of the examples that a committee hears of."""
    heard = labels.labelled if known is None else labels.labelled | (known >= 0)
    rest = np.flatnonzero(~heard)
    draws = tie_break(seed, labels.tie_keys(rest))
    heard[rest[np.lexsort((rest, draws))[:_MOST_HEARD]]] = True
    return heard


def _everywhere(trained: CrossValidated, X: Any, heard: Bools, n_jobs: int | None) -> CrossValidated:
    """Classifiers that were trained on a part of the pool, and what they say of all of it."""
    rest = rows_of(X, np.flatnonzero(~heard))
    n_models, _, n_classes = trained.pred_probs.shape
    pred_probs = np.zeros((n_models, len(heard), n_classes))
    pred_probs[:, heard] = trained.pred_probs
    for m, folds in enumerate(trained.fold_models):
        for made in Parallel(n_jobs=n_jobs)(delayed(fold.predict_proba)(rest) for fold in folds):
            pred_probs[m, ~heard] += made / len(folds)
    folds_of = np.full(len(heard), -1, dtype=np.int64)
    folds_of[heard] = trained.folds
    return replace(trained, pred_probs=pred_probs, folds=folds_of)


def _taught(
    model: Any,
    X: Any,
    features: Floats,
    labels: Labels,
    strategy: Strategy,
    *,
    before: Floats | None,
    known: Ints | None,
    families: dict[Any, str] | None,
    abstentions: Labels | None,
    cv: Any,
    seed: int,
    n_jobs: int | None,
    progress: Show,
) -> tuple[Target, CrossValidated, Committee]:
    """A round over a pool all of which the committee hears of."""
    options: dict[str, Any] = {"seed": seed, "n_jobs": n_jobs}
    # A committee that starts without another learns twice.
    passes = max(strategy.passes, 1 if before is not None else 2)
    for turn in range(passes):
        soft = committee_targets(labels, before, known)
        learnt = ~np.isnan(soft[:, 0])
        code = np.full(labels.n_examples, -1, dtype=np.int64)
        code[learnt] = soft[learnt].argmax(axis=1)
        folds = deal_folds(cv, X, code, seed)
        committee = fit_committee(
            strategy.helpers,
            model,
            X,
            features,
            labels,
            soft,
            folds,
            **options,
            progress=_told(progress, "helpers", turn, passes),
        )
        before = committee.prior
    target = training_target(
        labels,
        told(labels, committee.pred_probs, known=known, families=families, abstentions=abstentions),
        consensus=strategy.consensus,
        training=strategy.training,
        seed=seed,
        known=known,
    )
    options["progress"] = _told(progress, "training")
    if target.whole_pool:
        return target, teach(model, X, target, committee, cv=cv, **options), committee
    trained = cross_val_pred_probs(
        model,
        X,
        target.label,
        labels.n_classes,
        cv=cv,
        weight=target.weight,
        target=target.posterior,
        **options,
    )
    return target, trained, committee


def _told(progress: Show, what: str, turn: int = 0, turns: int = 1) -> Callable[[int, int], None]:
    """Tells of one of several turns of as many fits each."""
    return lambda done, total: progress(what, turn * total + done, turns * total)
