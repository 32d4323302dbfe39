"""Who labels what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import activelab as al
from activelab.assignment import Thompson, assign, get_rule, shares
from activelab.consensus import Ability
from conftest import pools

RULES = ["random", "round_robin", "thompson"]


def ability(right, wrong, n_classes=3):
    return Ability(np.asarray(right, float), np.asarray(wrong, float), n_classes)


@pytest.mark.parametrize("rule", RULES)
@given(pool=pools(), share=st.floats(0.05, 1.0), seed=st.integers(0, 100))
def test_nobody_labels_twice_and_everybody_free_is_used(rule, pool, share, seed):
    matrix, probs = pool
    labels = al.Labels.from_wide(matrix, classes=probs.shape[2])
    examples = np.random.default_rng(seed).permutation(labels.n_examples)
    who = assign(labels, examples, rule, pred_probs=probs, max_share=share, seed=seed)
    given_by = ~np.isnan(matrix)
    for example, annotator in zip(examples, who, strict=True):
        full = given_by[example].all()
        assert (annotator == -1) == full
        assert full or not given_by[example, annotator]
    assert shares(who, labels.n_annotators).sum() == (who >= 0).sum()
    again = assign(labels, examples, rule, pred_probs=probs, max_share=share, seed=seed)
    assert (again == who).all()


@pytest.mark.parametrize("rule", RULES)
def test_the_cap_holds_where_others_are_free(rule):
    labels = al.Labels([], [], [], examples=50, annotators=10, classes=3)
    known = ability([90.0] + [5.0] * 9, [10.0] + [5.0] * 9)
    who = assign(labels, np.arange(50), rule, ability=known, max_share=0.2)
    assert shares(who, 10).max() <= 10


def test_round_robin_is_even():
    labels = al.Labels([], [], [], examples=50, annotators=10, classes=3)
    assert (shares(assign(labels, np.arange(50), "round_robin"), 10) == 5).all()


def test_thompson_uses_the_good_and_tries_the_unknown():
    labels = al.Labels([], [], [], examples=2000, annotators=3, classes=3)
    known = ability([900.0, 600.0, 2.0], [100.0, 400.0, 1.0])
    count = shares(assign(labels, np.arange(2000), ability=known), 3)
    assert count[0] > 1200  # right nine times in ten
    assert count[1] == 0  # known to be worse
    assert 100 < count[2] < 800  # may be better


def test_prices_decide_between_equals_and_worth_against_price():
    labels = al.Labels([], [], [], examples=100, annotators=2, classes=2)
    equal = ability([900.0, 900.0], [100.0, 100.0], 2)
    assert (assign(labels, np.arange(100), Thompson([2, 1]), ability=equal) == 1).all()
    # (2 · 0.9 − 1)² = 0.64 is worth four times (2 · 0.7 − 1)² = 0.16.
    better = ability([9000.0, 7000.0], [1000.0, 3000.0], 2)
    assert (assign(labels, np.arange(100), Thompson([3, 1]), ability=better) == 0).all()
    assert (assign(labels, np.arange(100), Thompson([5, 1]), ability=better) == 1).all()


def test_random_spreads_over_everybody():
    labels = al.Labels([], [], [], examples=1000, annotators=4, classes=2)
    assert shares(assign(labels, np.arange(1000), "random", seed=1), 4).min() > 180


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda labels: assign(labels, [0], "best"), "unknown assignment 'best'"),
        (lambda labels: assign(labels, [0], "random", max_share=0), "max_share must be above 0"),
        (lambda labels: Thompson([1, 0]), "prices must be positive"),
        (lambda labels: assign(labels, [1], Thompson([1.0])), "1 prices for 2 annotators"),
        (lambda labels: get_rule("thompson").choose(np.array([0]), np.zeros(2), None, None),
         "Thompson choice needs"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    labels = al.Labels.from_wide([[0, 1], [1, None]])
    with pytest.raises(al.InputError, match=message):
        call(labels)
