"""The Bayesian consensus, and the method that asks where it is least sure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activelab as al
import naive
from activelab._kernels import blocks
from activelab.consensus._bayesian import bayesian_estimate
from conftest import make_pool, pools


def labels_of(matrix, probs):
    return al.Labels.from_wide(matrix, classes=probs.shape[2])


@pytest.mark.parametrize("models", [1, 2])
@settings(max_examples=10)
@given(pool=pools(models=2))
def test_it_equals_its_definition(models, pool):
    matrix, probs = pool
    probs = probs[:models]
    labels = labels_of(matrix, probs)
    posterior, ability, betas, discount = naive.bayesian(matrix, probs)
    estimate = bayesian_estimate(labels, tuple(probs))
    np.testing.assert_allclose(np.transpose([estimate.betas, estimate.prior.lapses]), betas)
    assert estimate.discount == pytest.approx(discount, abs=1e-6)
    np.testing.assert_allclose([estimate.ability.right, estimate.ability.wrong], ability, rtol=1e-6)
    result = al.bayesian_consensus(labels, probs)
    np.testing.assert_allclose(result.posterior, posterior, atol=1e-8)
    assert (result.label >= 0).tolist() == labels.labelled.tolist()


@pytest.mark.parametrize("seed", [0, 1])
def test_many_classes_of_which_labels_name_few(seed):
    rng = np.random.default_rng(seed)
    few, _ = make_pool(seed, n=12, m=4)
    matrix = np.where(np.isnan(few), np.nan, np.array([1, 4, 8])[np.nan_to_num(few).astype(int)])
    probs = rng.dirichlet(np.ones(12), size=(1, 12))
    posterior = naive.bayesian(matrix, probs)[0]
    labels = labels_of(matrix, probs)
    np.testing.assert_allclose(al.bayesian_consensus(labels, probs).posterior, posterior, atol=1e-8)
    # Labels that the estimate has not seen, of classes that their annotators had not named.
    estimate = bayesian_estimate(labels, tuple(probs))
    new = al.Labels.from_wide(rng.integers(12, size=(5, 4)), classes=12)
    log_confusion = np.log(estimate.channels.confusion(np.arange(4)))
    expected = log_confusion[new.annotator, new.label].reshape(5, 4, 12).sum(axis=1)
    for block in blocks(new):
        np.testing.assert_allclose(estimate.evidence(block), expected)


@given(pool=pools())
def test_posteriors_are_distributions(pool):
    matrix, probs = pool
    result = al.bayesian_consensus(labels_of(matrix, probs), probs)
    np.testing.assert_allclose(result.posterior.sum(axis=1), 1)
    assert (result.posterior >= 0).all()


@given(pool=pools(), seed=st.integers(0, 1000))
def test_the_order_of_examples_and_annotators_plays_no_part(pool, seed):
    matrix, probs = pool
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(matrix)), rng.permutation(matrix.shape[1])
    one = al.bayesian_consensus(labels_of(matrix, probs), probs)
    other = al.bayesian_consensus(labels_of(matrix[rows][:, columns], probs), probs[:, rows])
    np.testing.assert_allclose(other.posterior, one.posterior[rows], atol=1e-9)


@given(pool=pools(), seed=st.integers(0, 1000))
def test_the_names_of_the_classes_play_no_part(pool, seed):
    matrix, probs = pool
    order = np.random.default_rng(seed).permutation(probs.shape[2])
    renamed = np.where(np.isnan(matrix), np.nan, order.argsort()[np.nan_to_num(matrix).astype(int)])
    one = al.bayesian_consensus(labels_of(matrix, probs), probs)
    other = al.bayesian_consensus(labels_of(renamed, probs), probs[:, :, order])
    np.testing.assert_allclose(other.posterior, one.posterior[:, order], atol=1e-9)


def test_blocks_and_many_annotators_do_not_change_results(monkeypatch):
    matrix, probs = make_pool(1, n=300, m=12)
    labels = labels_of(matrix, probs)
    whole = al.bayesian_consensus(labels, probs).posterior
    monkeypatch.setattr("activelab._kernels._CELLS_A_BLOCK", 30)
    np.testing.assert_allclose(al.bayesian_consensus(labels, probs).posterior, whole, atol=1e-10)
    monkeypatch.setattr("activelab.consensus._channels.MOST_CELLS", 0)
    coarse = al.bayesian_consensus(labels, probs)
    assert (coarse.label == al.bayesian_consensus(labels, probs).label).all()
    # With accuracies alone the same annotators stand out.
    assert (
        np.corrcoef(coarse.annotators.weight, bayesian_estimate(labels, tuple(probs)).ability.mean)[0, 1]
        > 0.99
    )


def test_a_sample_comes_near_the_whole(monkeypatch):
    matrix, probs = make_pool(2, n=4000, m=10)
    labels = labels_of(matrix, probs)
    whole = bayesian_estimate(labels, tuple(probs)).ability.mean
    monkeypatch.setattr("activelab.consensus._bayesian.SAMPLE", 500)
    np.testing.assert_allclose(bayesian_estimate(labels, tuple(probs)).ability.mean, whole, atol=0.03)


def test_many_labels_of_one_example_neither_overflow_nor_underflow():
    rng = np.random.default_rng(0)
    matrix = np.full((3, 4000), np.nan)
    matrix[0] = (rng.random(4000) < 0.2).astype(float)
    matrix[1], matrix[2, :2] = 1, 0
    result = al.bayesian_consensus(al.Labels.from_wide(matrix), [[0.5, 0.5]] * 3)
    assert result.label.tolist() == [0, 1, 0]
    assert np.isfinite(result.posterior).all()


def test_who_errs_is_found_without_anybody_agreeing_twice():
    """Nine people who are right four times in five, one who never is, 20 labels each, a model that helps."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 4, 400)
    matrix = np.full((400, 10), np.nan)
    for j in range(10):
        rows = rng.choice(400, 40, replace=False)
        right = rng.random(40) < (0.0 if j == 9 else 0.8)
        matrix[rows, j] = np.where(right, truth[rows], (truth[rows] + 1) % 4)
    probs = 0.6 * np.eye(4)[truth] + 0.1
    ability = bayesian_estimate(al.Labels.from_wide(matrix, classes=4), (probs,)).ability.mean
    assert ability[:9].min() > 0.6 > 0.3 > ability[9]


def test_it_beats_the_vote_and_crowdlab_where_annotators_differ():
    """Mean over ten pools of the share of labelled examples whose consensus is right, by a margin of 0.03."""
    found = {"majority": [], "crowdlab": [], "bayesian": []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 4, 300)
        accuracy = np.r_[np.full(5, 0.95), np.full(10, 0.45)]
        matrix = np.full((300, 15), np.nan)
        for i in range(300):
            who = rng.choice(15, 2, replace=False)
            right = rng.random(2) < accuracy[who]
            matrix[i, who] = np.where(right, truth[i], (truth[i] + rng.integers(1, 4, 2)) % 4)
        logits = rng.normal(size=(300, 4)) + 1.5 * np.eye(4)[truth]
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = al.Labels.from_wide(matrix, classes=4)
        found["majority"].append((al.majority_vote(labels, probs).label == truth).mean())
        found["crowdlab"].append((al.crowdlab(labels, probs).label == truth).mean())
        found["bayesian"].append((al.bayesian_consensus(labels, probs).label == truth).mean())
    means = {name: np.mean(values) for name, values in found.items()}
    assert means["bayesian"] > max(means["crowdlab"], means["majority"]) + 0.03


def test_without_models_a_single_label_is_believed():
    labels = al.Labels.from_wide([[0], [0], [0], [0], [0], [1]])
    result = al.bayesian_consensus(labels)
    assert result.label.tolist() == [0, 0, 0, 0, 0, 1]
    assert result.model_weight.size == 0


def test_one_class_and_no_labels_are_no_special_cases():
    assert al.bayesian_consensus(al.Labels.from_wide([[0, 0], [0, None]]), [[1.0], [1.0]]).label.tolist() == [
        0,
        0,
    ]
    empty = al.Labels([], [], [], examples=3, annotators=2, classes=2)
    result = al.bayesian_consensus(empty, [[0.9, 0.1]] * 3)
    assert result.label.tolist() == [-1] * 3
    np.testing.assert_allclose(result.posterior[:, 0], 0.9)


@given(pool=pools(models=2))
def test_the_score_is_the_confidence_of_the_posterior(pool):
    matrix, probs = pool
    labels = labels_of(matrix, probs)
    posterior = al.bayesian_consensus(labels, probs).posterior
    assessment = al.get_method("frugal").assess_models(labels, tuple(probs))
    np.testing.assert_allclose(assessment.scores, posterior.max(axis=1), atol=1e-12)
    assert np.isnan(assessment.quality).tolist() == (~labels.labelled).tolist()
    np.testing.assert_allclose(assessment.quality[labels.labelled], posterior.max(axis=1)[labels.labelled])


def test_recommended_is_taught_and_activelab_is_the_papers():
    assert type(al.Strategy("recommended").acquisition) is type(al.get_method("frugal"))
    papers, alone = ("crowdlab", "hard", 1), ("bayesian", "cautious", 2)
    for name, parts in (
        ("activelab", papers), ("frugal", alone), ("recommended", ("committee", "taught", 1)),
    ):  # fmt: skip
        strategy = al.Strategy(name)
        assert (strategy.consensus, strategy.training, strategy.passes) == parts


def test_an_overconfident_model_is_not_believed():
    """A model that is sure and right every other time; single labels right four times in five."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 800)
    says = np.where(rng.random(800) < 0.5, truth, (truth + rng.integers(1, 4, 800)) % 4)
    probs = 0.9999 * np.eye(4)[says] + 0.0001 / 4
    answers = np.where(rng.random(800) < 0.8, truth, (truth + rng.integers(1, 4, 800)) % 4)
    labels = al.Labels(np.arange(800), np.arange(800) % 20, answers, examples=800, annotators=20, classes=4)
    estimate = bayesian_estimate(labels, (probs,))
    # Nothing shows that single labels are independent: their accuracy is what a crowd's would be.
    assert 0.6 < estimate.ability.overall < 0.8
    right = (al.bayesian_consensus(labels, probs).label == truth).mean()
    assert right >= (answers == truth).mean() - 0.01


def test_a_good_model_is_believed():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 800)
    probs = 0.9 * np.eye(4)[truth] + 0.1 / 4
    answers = np.where(rng.random(800) < 0.6, truth, (truth + rng.integers(1, 4, 800)) % 4)
    labels = al.Labels(np.arange(800), np.arange(800) % 20, answers, examples=800, annotators=20, classes=4)
    assert (al.bayesian_consensus(labels, probs).label == truth).mean() > (answers == truth).mean() + 0.15


def test_a_model_does_not_overrule_every_label_of_a_rare_class():
    """With one example in twenty rare, annotators who erred evenly would explain all its labels."""
    found, right = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth = (rng.random(300) < 0.05).astype(int)
        label = np.where(rng.random(300) < 0.97, truth, 1 - truth)
        labels = al.Labels(np.arange(300), np.arange(300) % 5, label, examples=300, annotators=5, classes=2)
        # A model that knows little: what it gives the rare class is hardly ever above one half.
        rare = np.clip(0.08 + 0.25 * truth + 0.1 * rng.normal(size=300), 0.01, 0.99)
        consensus = al.bayesian_consensus(labels, np.column_stack([1 - rare, rare]))
        found.append((consensus.label == truth)[truth == 1].mean())
        right.append((consensus.label == truth).mean())
    assert np.mean(found) > 0.9
    assert np.mean(right) > 0.97
