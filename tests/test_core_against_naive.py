"""The fast core against the same mathematics written as slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from scipy.optimize import minimize_scalar

import activelab as al
import naive
from activelab.pred_probs import check_pred_probs
from conftest import make_pool, pools


@pytest.mark.parametrize("models", [1, 3])
@given(pool=pools(models=3))
def test_crowdlab_equals_its_definition(models, pool):
    matrix, probs = pool
    probs = probs[:models]
    expected = naive.crowdlab(matrix, probs)
    assume(expected is not None)
    consensus, posterior, _, weight, model_weight = expected
    result = al.crowdlab(al.Labels.from_wide(matrix, classes=probs.shape[2]), probs)
    assert result.label.tolist() == consensus
    np.testing.assert_allclose(result.posterior, posterior, atol=1e-12)
    np.testing.assert_allclose(result.annotators.weight, weight, atol=1e-12)
    np.testing.assert_allclose(result.model_weight, model_weight, atol=1e-12)
    given_labels = result.label >= 0
    np.testing.assert_allclose(
        result.quality[given_labels], posterior[given_labels, result.label[given_labels]]
    )
    assert np.isnan(result.quality[~given_labels]).all()


@pytest.mark.parametrize("models", [1, 3])
@given(pool=pools(models=3))
def test_activelab_equals_its_definition(models, pool):
    matrix, probs = pool
    probs = probs[:models]
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    scaling = al.TemperatureScaling().fit(labels, probs)
    expected = naive.activelab(matrix, scaling.transform(probs))
    assume(expected is not None)
    np.testing.assert_allclose(al.ActiveLab().score(labels, probs), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_blocks_do_not_change_results(seed, monkeypatch):
    matrix, probs = make_pool(seed, n=300, models=2)
    labels = al.Labels.from_wide(matrix, classes=3)
    whole = al.suggest(labels, probs, batch_size=300)
    consensus = al.majority_vote(labels, probs[0] * 0 + 1 / 3, seed=3).label
    monkeypatch.setattr("activelab._kernels._CELLS_A_BLOCK", 30)
    monkeypatch.setattr("activelab.consensus._dawid_skene._CELLS_A_BLOCK", 30)
    blocked = al.suggest(labels, probs, batch_size=300)
    np.testing.assert_allclose(blocked.score, whole.score, rtol=1e-12)
    assert (al.majority_vote(labels, probs[0] * 0 + 1 / 3, seed=3).label == consensus).all()


@given(pool=pools())
def test_temperature_is_the_optimum(pool):
    matrix, probs = pool
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    found = al.TemperatureScaling().fit(labels, probs).temperature_[0]
    best = minimize_scalar(
        lambda beta: naive.soft_cross_entropy(matrix, probs[0], 1 / beta),
        bounds=(1 / 20, 1 / 0.05),
        method="bounded",
        options={"xatol": 1e-10},
    )
    loss = naive.soft_cross_entropy(matrix, probs[0], found)
    assert loss <= best.fun + 1e-9
    assert 0.05 <= found <= 20


def test_temperature_of_a_large_pool_is_the_optimum_too():
    matrix, probs = make_pool(0, n=500_000, m=2, density=0.6)
    labels = al.Labels.from_wide(matrix, classes=3)
    scaling = al.TemperatureScaling().fit(labels, probs)
    calibrated = scaling.transform(probs)
    # Calibrated once, nothing is left to calibrate.
    again = al.TemperatureScaling().fit(labels, calibrated)
    np.testing.assert_allclose(again.temperature_, 1, atol=1e-8)


@pytest.mark.parametrize("method", ["activelab", "frugal"])
def test_probabilities_in_float32_are_scored_as_in_float64(method):
    matrix, probs = make_pool(1, n=3000, m=6, density=0.4)
    single = probs.astype(np.float32)
    single[:, ::7] = np.eye(3, dtype=np.float32)[single[:, ::7].argmax(axis=2)]  # sure, with zeros
    labels = al.Labels.from_wide(matrix, classes=3)
    scoring = al.get_method(method)
    found, expected = (
        scoring.assess_models(labels, check_pred_probs(one, labels))
        for one in (single, single.astype(np.float64))
    )
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    np.testing.assert_allclose(found.quality, expected.quality, atol=1e-6)
    np.testing.assert_allclose(found.temperature, expected.temperature, rtol=1e-6)
    assert (found.consensus_label == expected.consensus_label).all()


def test_the_temperature_of_probabilities_that_say_nothing_is_one_in_float32():
    labels = al.Labels.from_wide([[0, 1], [1, 1], [2, 2]], classes=3)
    scaling = al.TemperatureScaling().fit(labels, np.full((3, 3), 1 / 3, dtype=np.float32))
    assert scaling.temperature_.tolist() == [1.0]
    assert "the same probability" in scaling.notes_[0]
