"""A round with helpers: a committee, the consensus that starts from it, and the classifier it teaches."""

from __future__ import annotations

from typing import Any

import numpy as np

from activelab._typing import Floats, Ints
from activelab.classifiers import CrossValidated, checked_rows, cross_val_pred_probs, deal_folds
from activelab.consensus.parts import committee_targets, told
from activelab.helpers._committee import Committee, fit_committee
from activelab.helpers._student import teach
from activelab.labels import Labels
from activelab.strategies import Strategy
from activelab.training import Target, training_target


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
    cv: Any = 5,
    seed: int = 0,
    n_jobs: int | None = None,
) -> tuple[Target, CrossValidated, Committee]:
    """What a round with helpers trains.

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
    known, families, cv, seed, n_jobs
        As for `ActiveLearner.ask` and `cross_val_pred_probs`.

    Returns
    -------
    target : Target
        Consensus of the annotators and the committee.
    trained : CrossValidated
    committee : Committee

    Raises
    ------
    InputError
        If the rows of X are not the examples, or fewer than two examples are labelled.
    """
    X = checked_rows(X, labels.n_examples)
    options: dict[str, Any] = {"seed": seed, "n_jobs": n_jobs}
    # A committee that starts without another learns twice.
    for _ in range(max(strategy.passes, 1 if before is not None else 2)):
        soft = committee_targets(labels, before, known)
        learnt = ~np.isnan(soft[:, 0])
        code = np.full(labels.n_examples, -1, dtype=np.int64)
        code[learnt] = soft[learnt].argmax(axis=1)
        folds = deal_folds(cv, X, code, seed)
        committee = fit_committee(strategy.helpers, model, X, features, labels, soft, folds, **options)
        before = committee.prior
    target = training_target(
        labels,
        told(labels, committee.pred_probs, known=known, families=families),
        consensus=strategy.consensus,
        training=strategy.training,
        seed=seed,
        known=known,
    )
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
