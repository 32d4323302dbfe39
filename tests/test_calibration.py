"""The optimal temperature against a general-purpose minimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

import activelab as al
from activelab.calibration import derivative_sums, sampling_step, take_sample

LOW, HIGH = 0.05, 20.0


def pool(seed, n, n_classes, sharpness):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, size=n)
    counts[0] = 2
    example = np.repeat(np.arange(n), counts)
    annotator = np.arange(len(example)) - np.repeat(np.cumsum(counts) - counts, counts)
    truth = rng.integers(n_classes, size=n)
    label = np.where(
        rng.random(len(example)) < 0.7, truth[example], rng.integers(n_classes, size=len(example))
    )
    labels = al.Labels(example, annotator, label, examples=n, annotators=3, classes=n_classes)
    logits = rng.normal(size=(n, n_classes))
    logits[np.arange(n), truth] += 1.5
    # The model grows surer along the pool, so that no stretch of it is a fair sample.
    logits *= sharpness * np.linspace(0.5, 2, n)[:, None]
    return labels, np.exp(logits - logsumexp(logits, axis=1, keepdims=True))


def best_temperature(labels, pred_probs):
    given = labels.labelled
    votes = np.zeros(pred_probs.shape)
    np.add.at(votes, (labels.example, labels.label), 1)
    share = votes[given] / votes[given].sum(axis=1, keepdims=True)
    log_p = np.log(np.maximum(pred_probs[given], 1e-30))

    def loss(log_t):
        scaled = log_p / np.exp(log_t)
        return -np.mean(np.sum(share * (scaled - logsumexp(scaled, axis=1, keepdims=True)), axis=1))

    bounds = (np.log(LOW), np.log(HIGH))
    return np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9}).x)


@pytest.mark.parametrize("sharpness", [0.02, 0.2, 1, 5, 30])
@pytest.mark.parametrize(("n", "n_classes"), [(30, 2), (60, 4), (50_000, 3)])
def test_the_optimum(n, n_classes, sharpness):
    for seed in range(3 if n > 100 else 20):
        labels, pred_probs = pool(seed, n, n_classes, sharpness)
        scaling = al.TemperatureScaling().fit(labels, pred_probs)
        expected = best_temperature(labels, pred_probs)
        assert scaling.temperature_[0] == pytest.approx(expected, rel=1e-5)
        assert bool(scaling.notes_) == (not LOW * 1.001 < expected < HIGH * 0.999)


def test_the_sample_of_a_large_pool_is_as_exact_as_it_says():
    """Its temperatures lie as far from those of all as the half of the labels makes them."""
    apart, stated = [], []
    for seed in range(12):
        labels, pred_probs = pool(seed, 270_000, 3, 0.5 + seed / 12)
        found = al.TemperatureScaling().fit(labels, pred_probs).temperature_[0]
        sample = take_sample(labels, (pred_probs,), sampling_step(270_000))
        at = derivative_sums(sample.labels(3), sample.models[0], 1 / found)
        assert at.means[0] == pytest.approx(0, abs=1e-8)
        stated.append(at.standard_error * found)
        apart.append(found / best_temperature(labels, pred_probs) - 1)
    assert 0 < max(stated) < 0.01
    # Of a sample of half of them the distance has half the variance of the error.
    assert 0.4 < np.sqrt(np.mean(np.square(apart) / np.square(stated))) < 1.1


def test_a_sample_that_tells_little_gives_way_to_all():
    labels, pred_probs = pool(0, 270_000, 3, 1.0)
    row = np.arange(270_000.0)[:, None]
    sampled = take_sample(labels, (row,), sampling_step(270_000)).models[0].ravel().astype(int)
    pred_probs[sampled[50:]] = 1 / 3
    found = al.TemperatureScaling().fit(labels, pred_probs).temperature_[0]
    assert found == pytest.approx(best_temperature(labels, pred_probs), rel=1e-5)


def test_a_sample_that_sees_only_certainty_does_not_mislead():
    """The search begins on a sample; here its examples are flat, sure or wrong, the others ordinary."""
    labels, pred_probs = pool(0, 50_000, 3, 1.0)
    row = np.arange(50_000.0)[:, None]
    sampled = take_sample(labels, (row,), sampling_step(50_000)).models[0].ravel().astype(int)
    assert len(sampled) > 5_000
    for odd in ([1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0], [0.01, 0.98, 0.01]):
        probs = pred_probs.copy()
        probs[sampled] = odd
        found = al.TemperatureScaling().fit(labels, probs).temperature_[0]
        assert found == pytest.approx(best_temperature(labels, probs), rel=1e-5)


def test_probabilities_of_0_in_float16():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(4, 0.3), size=500)
    probs[probs < 0.02] = 0
    probs /= probs.sum(axis=1, keepdims=True)
    labels = al.Labels.from_wide(rng.integers(4, size=(500, 3)), classes=4)
    single, half = (
        al.TemperatureScaling().fit(labels, probs.astype(dtype)).temperature_
        for dtype in (np.float32, np.float16)
    )
    np.testing.assert_allclose(half, single, rtol=1e-3)
