"""Dawid-Skene against its definition, written as slow loops."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

import activelab as al
from activelab.consensus import _dawid_skene


def slow_dawid_skene(matrix, n_classes, steps, annotator_prior=1.0, pooled_prior=1.0):
    """Posterior after some steps of expectation-maximisation; examples with one label do not teach."""
    n, m = matrix.shape
    given_labels = ~np.isnan(matrix)
    votes = np.array([[(matrix[i] == k).sum() for k in range(n_classes)] for i in range(n)])
    several = given_labels.sum(axis=1) > 1
    posterior = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    start = np.full((n_classes, n_classes), 0.3 / (n_classes - 1))
    np.fill_diagonal(start, 0.7)
    for _ in range(steps + 1):
        counts = np.zeros((m, n_classes, n_classes))
        for i, j in zip(*np.nonzero(given_labels & several[:, None]), strict=True):
            counts[j, :, int(matrix[i, j])] += posterior[i]
        pooled = counts.sum(axis=0) + pooled_prior * start
        pooled /= pooled.sum(axis=1, keepdims=True)
        confusion = counts + annotator_prior * pooled
        confusion /= confusion.sum(axis=2, keepdims=True)
        prior = posterior[several].sum(axis=0) + 1
        prior /= prior.sum()
        scores = np.tile(np.log(prior), (n, 1))
        for i, j in zip(*np.nonzero(given_labels), strict=True):
            scores[i] += np.log(confusion[j, :, int(matrix[i, j])])
        posterior = np.exp(scores - logsumexp(scores, axis=1, keepdims=True))
    return posterior


@pytest.mark.parametrize("n_classes", [2, 4])
@given(seed=st.integers(0, 2**32 - 1))
def test_equals_its_definition(n_classes, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(n_classes, size=(12, 4)).astype(float)
    matrix[rng.random(matrix.shape) < 0.4] = np.nan
    labels = al.Labels.from_wide(matrix, classes=n_classes)
    model = _dawid_skene._ConfusionModel(labels, 1.0, 1.0)
    for step in range(4):
        np.testing.assert_allclose(
            model.posterior(), slow_dawid_skene(matrix, n_classes, step), rtol=1e-9, atol=1e-12
        )
        model.step()


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 1))
def test_many_classes_of_which_labels_name_few(seed):
    """Classes that nobody names share one column; columns worked out one at a time are the same."""
    rng = np.random.default_rng(seed)
    matrix = rng.choice([1, 4, 7, 8], size=(12, 4), p=[0.5, 0.3, 0.1, 0.1]).astype(float)
    matrix[rng.random(matrix.shape) < 0.4] = np.nan
    labels = al.Labels.from_wide(matrix, classes=20)
    options = {"max_iter": 3, "tol": 0, "annotator_prior": 1, "pooled_prior": 1}
    found, chosen = al.dawid_skene(labels, **options), al.dawid_skene(labels, max_iter=3)
    np.testing.assert_allclose(found.posterior, slow_dawid_skene(matrix, 20, 3), rtol=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_dawid_skene, "_CELLS_A_BLOCK", 1)
        patch.setattr(_dawid_skene, "_named", lambda labels: np.arange(labels.n_classes))
        apart, chosen_apart = al.dawid_skene(labels, **options), al.dawid_skene(labels, max_iter=3)
    for one, other in ((found, apart), (chosen, chosen_apart)):
        np.testing.assert_allclose(one.posterior, other.posterior, rtol=1e-9)
        np.testing.assert_allclose(one.annotators.weight, other.annotators.weight, rtol=1e-9)


def test_memory_is_that_of_the_labels_not_of_all_confusions():
    rng = np.random.default_rng(0)
    truth = rng.integers(400, size=300)
    label = np.where(rng.random((300, 3)) < 0.8, truth[:, None], rng.integers(400, size=(300, 3)))
    annotator = (rng.integers(500, size=300)[:, None] + [0, 100, 200]) % 500
    rows = np.repeat(np.arange(300), 3), annotator.ravel(), label.ravel()
    labels = al.Labels(*rows, examples=300, annotators=500, classes=400)
    tracemalloc.start()
    found = al.dawid_skene(labels, max_iter=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500 * 400**2 * 8 / 10
    assert (found.label == truth).mean() > 0.8


def test_hundreds_of_labels_an_example():
    rng = np.random.default_rng(0)
    matrix = rng.integers(3, size=(20, 900)).astype(float)
    labels = al.Labels.from_wide(matrix)
    posterior = al.dawid_skene(labels, max_iter=5, tol=0, annotator_prior=1, pooled_prior=1).posterior
    np.testing.assert_allclose(posterior, slow_dawid_skene(matrix, 3, 5), rtol=1e-7, atol=1e-12)


def test_blocks_do_not_change_results(monkeypatch):
    rng = np.random.default_rng(0)
    matrix = rng.integers(3, size=(200, 4)).astype(float)
    matrix[rng.random(matrix.shape) < 0.5] = np.nan
    labels = al.Labels.from_wide(matrix, classes=3)
    whole = al.dawid_skene(labels)
    monkeypatch.setattr(_dawid_skene, "_CELLS_A_BLOCK", 30)
    blocked = al.dawid_skene(labels)
    np.testing.assert_allclose(blocked.posterior, whole.posterior, atol=1e-12)
    assert (blocked.label == whole.label).all()


def small_files(n_classes, real, number=60):
    """Small crowds, mostly right; classes from ``real`` on are only ever given by mistake."""
    rng = np.random.default_rng(0)
    for _ in range(number):
        truth = rng.integers(real, size=rng.integers(4, 14))
        accuracy = rng.uniform(0.65, 0.95, rng.integers(3, 6))
        wrong = (truth[:, None] + rng.integers(1, n_classes, (len(truth), len(accuracy)))) % n_classes
        right = rng.random(wrong.shape) < accuracy
        yield np.where(right, truth[:, None], wrong).astype(float), truth


@pytest.mark.parametrize(("n_classes", "real"), [(2, 2), (4, 4), (3, 2)])
def test_clear_majorities_of_small_files_stand(n_classes, real):
    clear = overruled = 0
    accuracy = {"dawid_skene": 0.0, "weak": 0.0}
    for matrix, truth in small_files(n_classes, real):
        labels = al.Labels.from_wide(matrix, classes=n_classes)
        votes = np.stack([(matrix == k).sum(axis=1) for k in range(n_classes)], axis=1)
        second, most = np.sort(votes, axis=1)[:, -2:].T
        result = al.dawid_skene(labels)
        clear += np.count_nonzero(most - second > 1)
        overruled += np.count_nonzero((most - second > 1) & (result.label != votes.argmax(axis=1)))
        weak = al.dawid_skene(labels, annotator_prior=1, pooled_prior=1)
        accuracy["dawid_skene"] += (result.label == truth).mean()
        accuracy["weak"] += (weak.label == truth).mean()
    assert overruled < 0.02 * clear
    assert accuracy["dawid_skene"] > accuracy["weak"]


def test_a_note_says_when_majorities_are_overruled():
    rng = np.random.default_rng(1)
    truth = rng.integers(2, size=200)
    # Three who are nearly always wrong in the same class, and two who know better.
    misled = np.where((truth == 1)[:, None] & (rng.random((200, 3)) < 0.7), 0, truth[:, None])
    knowing = np.where(rng.random((200, 2)) < 0.97, truth[:, None], 1 - truth[:, None])
    notes = al.dawid_skene(al.Labels.from_wide(np.hstack([misled, knowing]))).notes
    assert any("overrules" in note and "majorities" in note for note in notes)
    agreeing = np.where(rng.random((200, 5)) < 0.95, truth[:, None], 1 - truth[:, None])
    assert not any("overrules" in note for note in al.dawid_skene(al.Labels.from_wide(agreeing)).notes)


def test_the_order_of_labels_does_not_matter():
    rng = np.random.default_rng(2)
    rows = [(f"e{i}", f"a{j}", "xyz"[rng.integers(3)]) for i in range(40) for j in range(4)]
    one = al.dawid_skene(al.Labels.from_records(rows))
    other = al.dawid_skene(al.Labels.from_records([rows[i] for i in rng.permutation(len(rows))]))
    np.testing.assert_allclose(one.posterior, other.posterior)
