"""When to stop asking: about an example, and altogether."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import activelab as al
from activelab.stopping import AMBIGUOUS, OPEN, SETTLED, errors_removed, example_states, forecast
from activelab.stopping._gain import gains
from conftest import make_pool, pools


def enumerated(first, accuracy, number):
    """Expected gain of labels of two classes, by every sequence of answers."""
    total = 0.0
    for answers in product((0, 1), repeat=number):
        joint = [first, 1 - first]
        for answer in answers:
            joint = [p * (accuracy if k == answer else 1 - accuracy) for k, p in enumerate(joint)]
        total += max(joint)
    return total - max(first, 1 - first)


@given(first=st.floats(0.0, 1.0), accuracy=st.floats(0.5, 1.0))
def test_gains_between_two_classes_are_exact(first, accuracy):
    found = gains(np.array([[first, 1 - first]]), accuracy)[0]
    expected = [enumerated(first, accuracy, number) for number in (1, 2, 3)]
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-12)


@given(pool=pools())
def test_a_gain_is_never_negative_nor_more_than_there_is_to_gain(pool):
    matrix, probs = pool
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    removed = errors_removed(labels, probs)
    wrong = 1 - al.bayesian_consensus(labels, probs).posterior.max(axis=1)
    assert (removed >= 0).all()
    assert (removed <= wrong + 1e-12).all()


def test_more_labels_buy_more_but_each_less():
    matrix, probs = make_pool(0, n=300)
    labels = al.Labels.from_wide(matrix, classes=3)
    found = [forecast(labels, probs, number) for number in (10, 100, 400)]
    removed = [one.errors_removed for one in found]
    assert removed == sorted(removed)
    assert removed[1] / 100 < removed[0] / 10
    assert all(one.errors_removed <= one.errors_now for one in found)
    assert [one.labels for one in found] == [10, 100, 400]


def test_what_a_forecast_promises_is_about_what_comes():
    """One label an example, right four times in five, and two more of each: 0.2 errors become 0.104."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 1000)
    answers = np.where(rng.random((1000, 3)) < 0.8, truth[:, None], 1 - truth[:, None])
    labels = al.Labels(
        np.arange(1000), np.arange(1000) % 20, answers[:, 0], examples=1000, annotators=20, classes=2
    )
    found = forecast(labels, np.full((1000, 2), 0.5), 2000)
    before, after = (answers[:, 0] != truth).sum(), (np.round(answers.mean(axis=1)) != truth).sum()
    assert found.errors_now == pytest.approx(before, abs=30)
    assert found.errors_removed == pytest.approx(before - after, abs=30)
    assert 1800 < found.labels <= 2000


def test_prices_say_how_many_labels_pay():
    matrix, probs = make_pool(0, n=300)
    labels = al.Labels.from_wide(matrix, classes=3)
    assert forecast(labels, probs, 300, label_price=1.0, error_cost=1e9).worth > 200
    assert forecast(labels, probs, 300, label_price=1.0, error_cost=1e-9).worth == 0
    assert forecast(labels, probs, 300).worth is None


def test_states():
    votes = [[0, 0, 0, 0]] * 8 + [[1, 1, 1, 1]] * 8 + [[0, 0, 1, 1], [0, None, None, None], [None] * 4]
    labels = al.Labels.from_wide(votes)
    probs = [[0.9, 0.1]] * 8 + [[0.1, 0.9]] * 8 + [[0.5, 0.5]] * 3
    states = example_states(labels, probs)
    assert states[:16].tolist() == [SETTLED] * 16
    assert states[16:].tolist() == [AMBIGUOUS, OPEN, OPEN]


def test_what_is_settled_is_not_suggested():
    votes = [[0, 0, 0, 0]] * 8 + [[1, 1, 1, 1]] * 8 + [[0, 0, 1, 1], [0, None, None, None]]
    labels = al.Labels.from_wide(votes)
    probs = [[0.9, 0.1]] * 8 + [[0.1, 0.9]] * 8 + [[0.5, 0.5]] * 2
    batch = al.suggest(labels, probs, 1, "recommended", skip_settled=True)
    assert batch.examples.tolist() == [17]
    # A batch is no larger than what is left open.
    assert al.suggest(labels, probs, 2, "recommended", skip_settled=True).examples.tolist() == [17]
    nothing = al.suggest(labels.select(range(16)), probs[:16], 2, "recommended+skip_settled=true")
    assert len(nothing) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda labels, probs: example_states(labels, probs, settled=0.4), "settled must lie"),
        (lambda labels, probs: forecast(labels, probs, 0), "at least 1"),
        (lambda labels, probs: forecast(labels, probs, label_price=1.0), "the other way round"),
        (
            lambda labels, probs: forecast(labels, probs, label_price=0, error_cost=1),
            "prices must be positive",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    matrix, probs = make_pool(0)
    with pytest.raises(al.InputError, match=message):
        call(al.Labels.from_wide(matrix, classes=3), probs)
