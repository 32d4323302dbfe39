"""Conformance tests for parts of one's own: what the built-in ones pass, too.

Each function takes a part (a name, an import path ``module:attribute``, or an object), tries it on small
made-up pools, and raises `AssertionError` with a sentence that says which promise it breaks.

Examples
--------
>>> from activelab import testing
>>> testing.check_acquisition("entropy")
>>> testing.check_consensus("majority_vote")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from activelab._typing import Float64s, Ints
from activelab.acquisition import METHODS
from activelab.assignment import RULES
from activelab.classifiers import deal_folds
from activelab.consensus import CONSENSUS, Ability, bayesian_estimate
from activelab.helpers import fit_committee
from activelab.labels import Labels
from activelab.pred_probs import Checked, check_pred_probs
from activelab.selection import BATCHING
from activelab.simulation import Dataset, Team, make_team
from activelab.training import TRAINING, training_target

__all__ = [
    "check_acquisition",
    "check_assignment",
    "check_batching",
    "check_consensus",
    "check_helper",
    "check_team",
    "check_training",
]

_SEEDS = range(4)


def check_acquisition(method: Any, *, n_models: int = 2) -> None:
    """Scores of every example, without NaN; inputs unchanged; equal seeds, equal scores; no matter the order.

    Parameters
    ----------
    method : str, Acquisition or callable
    n_models : int
        Models of the made-up ensembles.

    Raises
    ------
    AssertionError
        If a promise is broken.
    """
    acquisition = METHODS.get(method)
    for labels, pred_probs, order in _pools(n_models):
        before = pred_probs.copy()
        scores = acquisition.score(labels, pred_probs, seed=3)
        _say(scores.shape == (labels.n_examples,), "a score for every example of the pool")
        _say(not np.isnan(scores).any(), "no score is NaN")
        _say((pred_probs == before).all(), "the probabilities are not changed")
        again = acquisition.score(labels, pred_probs, seed=3)
        _say(np.array_equal(scores, again), "equal seeds give equal scores")
        moved = acquisition.score(_moved(labels, order), pred_probs[:, order], seed=3)
        _say(np.allclose(moved, scores[order], atol=1e-9), "the order of the examples does not matter")
        assessment = acquisition.assess_models(labels, check_pred_probs(pred_probs, labels), seed=3)
        _say(
            (assessment.consensus_label[~labels.labelled] == -1).all(), "no consensus where there is no label"
        )
        if acquisition.relabels_only:
            _say(np.isposinf(scores[~labels.labelled]).all(), "examples without labels score +inf")


def check_consensus(method: Any, *, pred_probs: bool = True) -> None:
    """A label and a quality where there are labels, and there alone; no matter the order.

    Parameters
    ----------
    method : str, ConsensusMethod or callable
    pred_probs : bool
        Whether to try it with predictions, too.

    Raises
    ------
    AssertionError
        If a promise is broken.
    """
    consensus = CONSENSUS.get(method)
    for with_models in (False, True):
        if (with_models and not pred_probs) or (consensus.needs_models and not with_models):
            continue
        for labels, probs, order in _pools(2):
            models = check_pred_probs(probs, labels) if with_models else Checked((), labels)
            result = consensus.estimate(labels, models, seed=3)
            given = labels.labelled
            _say(((result.label >= 0) == given).all(), "a label where there are labels, and there alone")
            _say(np.isnan(result.quality[~given]).all(), "no quality where there is no label")
            quality = result.quality[given]
            _say(((quality >= 0) & (quality <= 1 + 1e-12)).all(), "quality lies between 0 and 1")
            moved = _moved(labels, order)
            there = check_pred_probs(probs[:, order], moved) if with_models else Checked((), moved)
            other = consensus.estimate(moved, there, seed=3)
            _say(
                np.array_equal(other.label, result.label[order]), "the order of the examples does not matter"
            )
            same = np.allclose(other.quality, result.quality[order], atol=1e-6, equal_nan=True)
            _say(same, "nor does it to the qualities")


def check_training(training: Any) -> None:
    """A target with a label where there are labels, weights between 0 and 1, posteriors that sum to 1.

    Raises
    ------
    AssertionError
        If a promise is broken.
    """
    TRAINING.get(training)
    for labels, probs, _ in _pools(1):
        for models in (Checked((), labels), check_pred_probs(probs, labels)):
            for consensus in ("majority_vote", "bayesian"):
                target = training_target(labels, models, consensus=consensus, training=training, seed=3)
                given = labels.labelled
                _say(((target.label >= 0) == given).all(), "a label where there are labels, there alone")
                if target.weight is not None:
                    weight = target.weight[given]
                    _say(((weight >= 0) & (weight <= 1 + 1e-12)).all(), "weights lie between 0 and 1")
                if target.posterior is not None:
                    _say(np.allclose(target.posterior[given].sum(axis=1), 1), "posteriors sum to 1")


def check_batching(batching: Any) -> None:
    """As many distinct positions as asked for, of finite scores; equal seeds, equal batches.

    Raises
    ------
    AssertionError
        If a promise is broken.
    """
    choose = BATCHING.get(batching)
    for labels, probs, _ in _pools(2):
        scores = np.random.default_rng(7).random(labels.n_examples).round(1)
        scores[::5] = np.inf
        models = check_pred_probs(probs, labels)
        for size in (1, int(np.isfinite(scores).sum())):
            batch = np.asarray(choose(scores, size, 3, labels.tie_keys, models))
            _say(len(set(batch.tolist())) == len(batch) == size, "as many distinct examples as asked for")
            _say(bool(np.isfinite(scores[batch]).all()), "none that is not considered")
            again = np.asarray(choose(scores, size, 3, labels.tie_keys, models))
            _say(np.array_equal(batch, again), "equal seeds give equal batches")


def check_assignment(rule: Any) -> None:
    """One of those who are free, whoever they are; equal draws, equal choices.

    Raises
    ------
    AssertionError
        If a promise is broken.
    """
    chooser = RULES.get(rule)
    for labels, probs, _ in _pools(1):
        ability: Ability | None = None
        if chooser.needs_ability:
            ability = bayesian_estimate(labels, check_pred_probs(probs, labels)).ability
        load = np.zeros(labels.n_annotators, dtype=np.int64)
        for number in range(1, labels.n_annotators + 1):
            free = np.arange(labels.n_annotators)[-number:]
            one, two = (chooser.choose(free, load, ability, np.random.default_rng(5)) for _ in range(2))
            _say(one in free.tolist(), "the annotator is one of those who are free")
            _say(one == two, "equal draws give equal choices")


def check_helper(helper: Any) -> None:
    """Finite predictions of every class, from soft targets; inputs unchanged; equal seeds, equal predictions.

    Parameters
    ----------
    helper : str or object
        See `activelab.strategies.HELPERS`.

    Raises
    ------
    AssertionError
        If a promise is broken.
    """
    for labels, probs, _ in _pools(1):
        given = labels.labelled
        target = np.full((labels.n_examples, labels.n_classes), np.nan)
        target[given] = 0.9 * probs[0][given] + 0.1 / labels.n_classes
        X = np.random.default_rng(0).normal(size=(labels.n_examples, 3)).astype(np.float32)
        kept, soft = X.copy(), target.copy()
        folds = deal_folds(3, X, np.where(given, np.arange(labels.n_examples) % 2, -1), 0)
        one, two = (
            fit_committee([helper], None, X, X, labels, target, folds, seed=7).pred_probs[0] for _ in range(2)
        )
        _say(np.isfinite(one).all() and (one >= 0).all(), "predictions are finite")
        _say(np.allclose(one.sum(axis=1), 1, atol=1e-5), "and of every class of every example")
        _say(
            np.array_equal(X, kept) and np.array_equal(target, soft, equal_nan=True), "inputs are not changed"
        )
        _say(np.array_equal(one, two), "equal seeds give equal predictions")


def check_team(kind: Any) -> None:
    """Answers that depend on example and annotator alone, by candidates in ascending order.

    Parameters
    ----------
    kind : str or callable
        A kind of `activelab.simulation.make_team`.

    Raises
    ------
    AssertionError
        If a promise is broken.
    """
    for labels, _, _ in _pools(1):
        truth = np.arange(labels.n_examples) % labels.n_classes
        pool = Dataset("made up", truth[:, None].astype(float), truth, labels.classes, labels=labels)
        rows = np.flatnonzero(labels.labelled)
        team = make_team(kind, pool, rows, noise=0.2, num_annotators=5, seed=1)
        _say(isinstance(team, Team), "it is a Team")
        pairs = [(e, a) for e in range(len(rows)) for a in team.candidates(e).tolist()]
        _say(bool(pairs), "somebody can label some example")
        example, annotator = (np.array(column) for column in zip(*pairs, strict=True))
        _say(((annotator >= 0) & (annotator < team.n_annotators)).all(), "candidates are annotators")
        for e in range(len(rows)):
            _say((np.diff(team.candidates(e)) > 0).all(), "candidates are ascending and distinct")
        answer = team.answer(example, annotator)
        _say(((answer >= 0) & (answer < labels.n_classes)).all(), "answers are class codes")
        back = np.arange(len(example))[::-1]
        other = team.answer(example[back], annotator[back])
        _say(np.array_equal(other, answer[back]), "an answer does not depend on when it is asked for")


def _pools(n_models: int) -> Iterator[tuple[Labels, Float64s, Ints]]:
    """Small pools with ties of every kind, probabilities, and another order of their examples."""
    for seed in _SEEDS:
        rng = np.random.default_rng(seed)
        n_examples, n_annotators, n_classes = 24, 5, 2 + seed % 2
        truth = rng.integers(0, n_classes, n_examples)
        wrong = rng.random((n_examples, n_annotators)) < 0.3
        matrix = np.where(wrong, rng.integers(0, n_classes, wrong.shape), truth[:, None]).astype(float)
        matrix[rng.random(matrix.shape) > 0.5] = np.nan
        matrix[0, :2], matrix[1, :2] = [0, 1], [0, 0]
        matrix[-4:] = np.nan
        # Eighths, so that predictions tie as well as votes.
        cuts = np.sort(rng.integers(0, 9, (n_models, n_examples, n_classes - 1)), axis=2) / 8
        probs = np.diff(cuts, axis=2, prepend=0.0, append=1.0)
        names = np.array([f"example {i}" for i in range(n_examples)], dtype=object)
        labels = Labels.from_wide(matrix, classes=n_classes, examples=names)
        yield labels, probs, rng.permutation(n_examples)


def _moved(labels: Labels, order: Ints) -> Labels:
    """The same pool with its examples in another order."""
    return labels.select(labels.examples[order], annotators=labels.annotators)


def _say(holds: Any, promise: str) -> None:
    if not holds:
        raise AssertionError(f"broken: {promise}.")
