"""Dawid-Skene against its definition, written as slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
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


def test_hundreds_of_labels_an_example():
    rng = np.random.default_rng(0)
    matrix = rng.integers(3, size=(20, 900)).astype(float)
    posterior = al.dawid_skene(al.Labels.from_wide(matrix), max_iter=5, tol=0).posterior
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
