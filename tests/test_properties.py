"""Invariants of the core (hypothesis)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import activelab as al
from conftest import pools

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
        return  # the most labelled class, and with it the baseline, is a tie
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
