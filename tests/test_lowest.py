"""A batch alone: examples that cannot be in it are not scored, and it is the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activelab as al
from activelab.planning import plan_round

N_CLASSES = 100  # many, so that few examples make a block


def crowd(seed, exponent=1.0, labelled=0.3, n=3000, dtype=np.float32, models=1):
    """Labels of people who err, and models whose log-probabilities are off by a factor."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(N_CLASSES, size=n)
    example = np.repeat(np.arange(n), rng.binomial(3, labelled, size=n))
    right = rng.random(len(example)) < 0.7
    label = np.where(right, truth[example], rng.integers(N_CLASSES, size=len(example)))
    place = np.arange(len(example)) - np.searchsorted(example, example)
    labels = al.Labels(
        example,
        3 * rng.integers(5, size=len(example)) + place,
        label,
        examples=n,
        annotators=15,
        classes=N_CLASSES,
    )
    probs = rng.dirichlet(np.full(N_CLASSES, 0.1), size=(models, n)) + 1e-4
    probs[:, np.arange(n), truth] += rng.gamma(0.5, size=n)
    probs = probs**exponent
    return labels, (probs / probs.sum(axis=2, keepdims=True)).astype(dtype)


def assert_same_batch(labels, probs, size, method, seed=0):
    alone = al.suggest(labels, probs, size, method, seed=seed)
    among_all = plan_round(labels, probs, al.Strategy.of(method), size, seed=seed).batch
    for name, column in among_all.to_dict().items():
        np.testing.assert_array_equal(column, alone.to_dict()[name], err_msg=name)
    assert alone.notes == among_all.notes


class Reversed(al.ActiveLab):
    """Another method on ActiveLab's shoulders."""

    def assess_models(self, labels, models, *, seed=0):
        found = super().assess_models(labels, models, seed=seed)
        return type(found)(**{**vars(found), "scores": -found.scores})


METHODS = ["activelab", al.ActiveLab(calibrate=False), Reversed(), "frugal", "expected_loss", "entropy"]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**16),
    exponent=st.sampled_from([0.2, 0.6, 1.0, 2.0, 5.0]),
    labelled=st.sampled_from([0.0, 0.01, 0.3, 0.8]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    models=st.sampled_from([1, 1, 1, 2]),
    size=st.sampled_from([1, 30, 700, 4000]),
    method=st.sampled_from(METHODS),
)
def test_the_batch_is_that_of_all_scores(seed, exponent, labelled, dtype, models, size, method):
    labels, probs = crowd(seed, exponent, labelled, dtype=dtype, models=models)
    assert_same_batch(labels, probs, size, method, seed)


@pytest.mark.parametrize("method", ["activelab", "frugal"])
@pytest.mark.parametrize("probability", [0.01, 0.5])
def test_scores_that_are_all_equal(method, probability):
    labels, probs = crowd(1, labelled=0.01)
    probs[:, :, 1:] = (1 - probability) / (N_CLASSES - 1)
    probs[:, :, 0] = probability
    assert_same_batch(labels, probs, 50, method, seed=3)


@pytest.mark.parametrize("method", ["activelab", "frugal"])
def test_most_examples_are_not_scored(method):
    labels, probs = crowd(2, labelled=0.05, n=6000)
    plan = plan_round(labels, probs, al.Strategy(method), 5, batch_only=True)
    whole = plan_round(labels, probs, al.Strategy(method), 5)
    scored = np.isfinite(plan.scores)
    np.testing.assert_array_equal(plan.scores[scored], whole.scores[scored])
    assert scored.mean() < 0.6
    assert np.isfinite(whole.scores).all()
