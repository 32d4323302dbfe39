"""Accuracies of annotators: intervals that cover, comparisons counted by what they tell."""

from __future__ import annotations

import numpy as np
import pytest

import activelab as al
from activelab.consensus import bayesian_estimate
from activelab.consensus.parts import consensus_by, told
from activelab.planning import plan_round
from activelab.pred_probs import Checked
from activelab.strategies import Strategy


def crowd(seed, n, members, each, k, low=0.5, high=0.95):
    rng = np.random.default_rng(seed)
    truth, accuracy = rng.integers(0, k, n), rng.uniform(low, high, members)
    matrix = np.full((n, members), np.nan)
    for i in range(n):
        who = rng.choice(members, each, replace=False)
        right = rng.random(each) < accuracy[who]
        matrix[i, who] = np.where(right, truth[i], (truth[i] + rng.integers(1, k, each)) % k)
    return matrix, truth, accuracy


def table(matrix, k, **options):
    return al.bayesian_consensus(al.Labels.from_wide(matrix, classes=k), **options).annotators


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "members", "each", "k"),
    [(300, 15, 3, 3), (300, 15, 5, 3), (1200, 15, 3, 2), (500, 6, 2, 4), (150, 40, 3, 3)],
)
def test_intervals_cover(n, members, each, k):
    covered = []
    for seed in range(40):
        matrix, _, accuracy = crowd(seed, n, members, each, k)
        found = table(matrix, k)
        covered += [*((found.accuracy_low <= accuracy) & (accuracy <= found.accuracy_high))]
    assert np.mean(covered) >= 0.92


def test_intervals_cover_with_known_answers():
    covered = []
    for seed in range(10):
        matrix, truth, accuracy = crowd(seed, 200, 10, 2, 3)
        known = np.where(np.random.default_rng(seed).random(200) < 0.5, truth, -1)
        found = table(matrix, 3, known=known)
        covered += [*((found.accuracy_low <= accuracy) & (accuracy <= found.accuracy_high))]
    assert np.mean(covered) >= 0.92


def test_known_answers_are_exact_comparisons():
    matrix, truth, _ = crowd(0, 60, 4, 1, 3)
    found = table(matrix, 3, known=truth)
    given = ~np.isnan(matrix)
    np.testing.assert_allclose(found.comparisons, given.sum(axis=0))
    right = (matrix == truth[:, None]).sum(axis=0)
    # A Beta distribution of them and of the crowd's five pseudo-labels.
    crowd_mean = (right.sum() + 4) / (given.sum() + 5)
    np.testing.assert_allclose(found.accuracy, (right + 5 * crowd_mean) / (given.sum(axis=0) + 5), atol=2e-2)


def test_more_comparisons_narrow_the_interval_and_others_tell_less_than_known_answers():
    matrix, truth, _ = crowd(1, 400, 8, 3, 3)
    few, many, exact = table(matrix[:100], 3), table(matrix, 3), table(matrix, 3, known=truth)
    assert (many.comparisons > few.comparisons).all()
    assert (exact.comparisons > many.comparisons).all()
    for wide, narrow in ((few, many), (many, exact)):
        assert np.mean(wide.accuracy_high - wide.accuracy_low) > np.mean(
            narrow.accuracy_high - narrow.accuracy_low
        )
    for found in (few, many, exact):
        assert ((found.accuracy_low <= found.accuracy) & (found.accuracy <= found.accuracy_high)).all()


def test_whom_nothing_compares_with_is_not_stated():
    labels = al.Labels.from_records(
        [(i, who, i % 2) for i in range(20) for who in ("ann", "bob")] + [("x", "eve", 0), ("y", "eve", 1)]
    )
    found = al.bayesian_consensus(labels).annotators
    eve = found["annotator"].tolist().index("eve")
    assert found.comparisons[eve] == 0
    assert found.too_few[eve]
    assert np.isnan([found.accuracy[eve], found.accuracy_low[eve], found.accuracy_high[eve]]).all()
    assert not found.too_few[[i for i in range(3) if i != eve]].any()


def test_other_methods_state_no_accuracy():
    found = al.majority_vote(al.Labels.from_wide([[0, 0], [1, 0]])).annotators
    assert np.isnan(found.accuracy).all()
    assert not found.too_few.any()


def test_a_copy_is_no_comparison():
    matrix, _, _ = crowd(2, 600, 8, 3, 3)
    doubled = np.hstack([matrix, matrix[:, [0]]])
    alone, copied = table(matrix, 3), table(doubled, 3)
    assert copied.voice[0] < 0.6
    # Its copy agrees with it always, and says nothing of it.
    assert copied.comparisons[0] < 1.25 * alone.comparisons[0]


# ------------------------------------------------------------------ what is known besides


def test_predictions_carry_what_is_known():
    matrix, truth, _ = crowd(3, 200, 8, 2, 3)
    labels = al.Labels.from_wide(matrix, classes=3)
    known = np.where(np.arange(200) < 60, truth, -1)
    models = told(labels, Checked((), labels), known=known, families={0: "m", 1: "m"})
    estimate = bayesian_estimate(labels, models)
    assert estimate is bayesian_estimate(labels, models)
    direct = al.bayesian_consensus(labels, known=known, families={0: "m", 1: "m"})
    carried = consensus_by(estimate, labels, models)
    np.testing.assert_array_equal(carried.posterior, direct.posterior)
    untold = consensus_by(estimate, labels, models, untold=True)
    np.testing.assert_array_equal(untold.annotators.accuracy, carried.annotators.accuracy)
    assert (carried.label[:60] == truth[:60]).all()
    np.testing.assert_array_equal(untold.posterior[60:], carried.posterior[60:])
    assert (untold.quality[:60] < 1).all()


def test_a_round_plans_by_what_is_known():
    matrix, truth, _ = crowd(4, 200, 8, 2, 3)
    labels = al.Labels.from_wide(matrix, classes=3)
    probs = np.full((200, 3), 1 / 3)
    known = np.where(np.arange(200) < 100, truth, -1)
    plan = plan_round(labels, probs, Strategy("recommended"), 50, known=known)
    assert (plan.positions >= 100).all()
    without = plan_round(labels, probs, Strategy("recommended"), 50)
    assert plan.forecast(50).errors_now < without.forecast(50).errors_now
    assert not np.array_equal(plan.assessment.annotator_weight, without.assessment.annotator_weight)
