"""Invariants of the core (hypothesis)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import activelab as al
from activelab.consensus import CONSENSUS, CROWDKIT_METHODS
from activelab.planning import plan_round
from activelab.selection import BATCHING
from activelab.strategies import strategies
from activelab.training import TRAINING, training_target
from conftest import pools


@st.composite
def tied_pools(draw):
    """Pools of two models whose probabilities are multiples of an eighth, so that they tie as votes do."""
    matrix, probs = draw(pools(models=2))
    eighths = np.floor(probs * 8)
    eighths[:, :, 0] += 8 - eighths.sum(axis=2)
    matrix[:, 0] = np.where(
        np.isnan(matrix).all(axis=1) & (np.arange(len(matrix)) % 2 > 0), 0.0, matrix[:, 0]
    )
    return matrix, eighths / 8


METHODS = ["activelab", "entropy", "uncertainty", "active_label_cleaning", "disagreement"]


def scores(method, matrix, probs):
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    return al.get_method(method).score(labels, probs)


@pytest.mark.parametrize("method", METHODS)
@given(pool=pools(models=2), seed=st.integers(0, 1000))
def test_permuting_examples_permutes_the_scores(method, pool, seed):
    matrix, probs = pool
    order = np.random.default_rng(seed).permutation(len(matrix))
    expected = scores(method, matrix, probs)[order]
    np.testing.assert_allclose(scores(method, matrix[order], probs[:, order]), expected, atol=1e-9)


CONSENSUS_METHODS = [name for name in CONSENSUS.names() if name not in CROWDKIT_METHODS]


@pytest.mark.parametrize(
    ("name", "with_models"),
    [
        (name, w)
        for name in CONSENSUS_METHODS
        for w in (True, False)
        if w or not CONSENSUS.get(name).needs_models
    ],
)
@given(pool=tied_pools(), seed=st.integers(0, 1000))
def test_permuting_examples_permutes_every_consensus(name, with_models, pool, seed):
    matrix, probs = pool
    order = np.random.default_rng(seed).permutation(len(matrix))
    method = CONSENSUS.get(name)
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    moved = al.Labels.from_wide(matrix[order], classes=probs.shape[2], examples=order)
    models = al.check_pred_probs(probs, labels) if with_models else al.Checked((), labels)
    there = al.check_pred_probs(probs[:, order], moved) if with_models else al.Checked((), moved)
    # To within what their iterations stop at.
    expected, found = method.estimate(labels, models, seed=5), method.estimate(moved, there, seed=5)
    np.testing.assert_array_equal(found.label, expected.label[order])
    np.testing.assert_allclose(found.quality, expected.quality[order], atol=1e-5)
    np.testing.assert_allclose(found.annotators.quality, expected.annotators.quality, atol=1e-5)
    for training in TRAINING.names():
        one, two = (
            training_target(x, m, consensus=name, training=training, seed=5)
            for x, m in ((labels, models), (moved, there))
        )
        np.testing.assert_array_equal(two.label, one.label[order])
        if one.weight is not None:
            np.testing.assert_allclose(two.weight, one.weight[order], atol=1e-5)


@pytest.mark.parametrize("method", strategies())
@pytest.mark.parametrize("batching", BATCHING.names())
@given(pool=tied_pools(), seed=st.integers(0, 1000))
def test_the_order_of_the_pool_does_not_matter_to_any_strategy(method, batching, pool, seed):
    matrix, probs = pool
    order = np.random.default_rng(seed).permutation(len(matrix))
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    moved = al.Labels.from_wide(matrix[order], classes=probs.shape[2], examples=order)
    strategy = al.Strategy(method, batching=batching, assignment="round_robin")
    anything = np.ones(len(matrix), dtype=bool)
    expected = plan_round(labels, probs, strategy, 6, eligible=anything, seed=5)
    found = plan_round(moved, probs[:, order], strategy, 6, eligible=anything, seed=5)
    np.testing.assert_allclose(found.assessment.scores, expected.assessment.scores[order], atol=1e-9)
    np.testing.assert_array_equal(
        found.assessment.consensus_label, expected.assessment.consensus_label[order]
    )
    np.testing.assert_allclose(found.assessment.quality, expected.assessment.quality[order], atol=1e-9)
    assert found.batch.examples.tolist() == expected.batch.examples.tolist()
    assert found.annotator.tolist() == expected.annotator.tolist()


def test_ties_follow_the_ids():
    """Forty examples with one label for each of two classes: every consensus is a draw by the id."""
    matrix, order = np.tile([0.0, 1.0], (40, 1)), np.random.default_rng(0).permutation(40)
    labels = al.Labels.from_wide(matrix, classes=2)
    moved = al.Labels.from_wide(matrix[order], classes=2, examples=order)
    probs = np.full((40, 2), 0.5)
    for consensus in (al.dawid_skene, al.majority_vote, al.bayesian_consensus):
        drawn = consensus(labels).label
        assert 8 < drawn.sum() < 32
        np.testing.assert_array_equal(consensus(moved).label, drawn[order])
    one, two = (
        plan_round(x, probs, al.Strategy("recommended"), 5).assessment.consensus_label
        for x in (labels, moved)
    )
    np.testing.assert_array_equal(two, one[order])


@pytest.mark.parametrize("method", METHODS)
@given(pool=pools(models=2), seed=st.integers(0, 1000))
def test_permuting_annotators_changes_nothing(method, pool, seed):
    matrix, probs = pool
    order = np.random.default_rng(seed).permutation(matrix.shape[1])
    np.testing.assert_allclose(
        scores(method, matrix[:, order], probs), scores(method, matrix, probs), atol=1e-9
    )


@pytest.mark.parametrize("method", METHODS)
@given(pool=pools(models=2), seed=st.integers(0, 1000))
def test_permuting_classes_changes_nothing(method, pool, seed):
    matrix, probs = pool
    counts = np.bincount(matrix[~np.isnan(matrix)].astype(int), minlength=probs.shape[2])
    if len(np.unique(counts)) < len(counts):
        assume(False)  # the most labelled class, and with it the baseline, is a tie
    new_code = np.random.default_rng(seed).permutation(probs.shape[2])
    renamed = np.where(np.isnan(matrix), np.nan, new_code[np.nan_to_num(matrix).astype(int)])
    moved = np.empty_like(probs)
    moved[:, :, new_code] = probs
    np.testing.assert_allclose(scores(method, renamed, moved), scores(method, matrix, probs), atol=1e-9)


@given(pool=pools(models=2))
def test_activelab_scores_lie_in_0_1(pool):
    result = scores("activelab", *pool)
    assert ((result > 0) & (result <= 1)).all()


@pytest.mark.parametrize("method", ["activelab", "entropy", "uncertainty", "active_label_cleaning"])
@given(pool=pools())
def test_an_ensemble_of_one_equals_the_single_model(method, pool):
    matrix, probs = pool
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    single = al.get_method(method).score(labels, probs[0])
    assert (single == al.get_method(method).score(labels, probs)).all()


@given(pool=pools())
def test_an_ensemble_of_equal_models_has_the_consensus_of_equal_weights(pool):
    matrix, probs = pool
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    twice = al.crowdlab(labels, np.concatenate([probs, probs]))
    assert twice.model_weight[0] == twice.model_weight[1]


@given(pool=pools())
def test_sparse_equals_dense(pool):
    matrix, probs = pool
    dense = al.Labels.from_wide(matrix, classes=probs.shape[2])
    row, column = np.nonzero(~np.isnan(matrix))
    shuffled = np.random.default_rng(0).permutation(len(row))
    records = [(int(row[i]), int(column[i]), int(matrix[row[i], column[i]])) for i in shuffled]
    sparse = al.Labels.from_records(records, classes=probs.shape[2], examples=len(matrix))
    used = sorted(set(column.tolist()))
    assert sparse == dense.select(annotators=used)
    np.testing.assert_array_equal(
        al.ActiveLab().score(sparse, probs), al.ActiveLab().score(dense.select(annotators=used), probs)
    )


@given(pool=pools(empty=False), row=st.integers(0, 5))
def test_one_more_agreeing_label_never_lowers_the_posterior(pool, row):
    """At fixed weights: q moves towards P, which is at least the posterior of any class it can have."""
    from activelab._kernels import blocks
    from activelab.consensus._crowdlab import block_posterior, crowdlab_estimate
    from activelab.pred_probs import check_pred_probs

    matrix, probs = pool
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    models = check_pred_probs(probs, labels)
    estimate = crowdlab_estimate(labels, models, (None,))

    def quality(table):
        (block,) = blocks(table)
        q = block_posterior(block, models, (None,), estimate.trust)
        return q[row, estimate.label[row]]

    free = np.flatnonzero(np.isnan(matrix[row]))
    if len(free):
        more = labels.tell([row], annotator=int(free[0]), label=int(estimate.label[row]))
        before, after = quality(labels), quality(more)
        assert after >= min(before, estimate.trust.annotator_accuracy) - 1e-12


@given(pool=pools(empty=False))
def test_posteriors_are_distributions(pool):
    matrix, probs = pool
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    for consensus in (
        al.crowdlab(labels, probs),
        al.majority_vote(labels, probs),
        al.dawid_skene(labels),
    ):
        np.testing.assert_allclose(consensus.posterior.sum(axis=1), 1)
        assert (consensus.posterior >= 0).all()
        assert ((consensus.quality >= 0) & (consensus.quality <= 1)).all()


@given(pool=pools(models=2), batch_size=st.integers(1, 6), seed=st.integers(0, 10))
def test_inputs_are_not_changed_and_seeds_decide(pool, batch_size, seed):
    matrix, probs = pool
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    before, state = probs.copy(), np.random.get_state()[1].copy()
    for method in ["random", "good_random", *METHODS]:
        size = 1 if method == "active_label_cleaning" else batch_size
        one = al.suggest(labels, probs, batch_size=size, method=method, seed=seed)
        two = al.suggest(labels, probs, batch_size=len(one), method=method, seed=seed)
        assert one.examples.tolist() == two.examples.tolist()
        assert len(set(one.examples.tolist())) == len(one)
        assert (np.diff(one.score) >= 0).all()
    assert (probs == before).all()
    assert (np.random.get_state()[1] == state).all()
