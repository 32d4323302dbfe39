"""Answers seen in bulk: a share of a voice, found from what they could not see."""

from __future__ import annotations

import re

import numpy as np
import pytest

import activelab as al
from activelab import InputError, Labels


def pool(blind: float, checked: float, seed: int = 0) -> tuple[Labels, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, those seen in bulk, predictions and truth; people are right at a rate of 0.9.

    Of what is offered in bulk a share ``blind`` is passed unseen, and ``checked`` has a single label, too.
    """
    rng, size, k = np.random.default_rng(seed), 1500, 3
    truth, sure = rng.integers(k, size=size), rng.uniform(0.5, 1, size)
    offered = np.where(rng.random(size) < sure, truth, (truth + rng.integers(1, k, size)) % k)
    probs = np.repeat((1 - sure)[:, None] / (k - 1), k, axis=1)
    probs[np.arange(size), offered] = sure
    said = np.where(
        rng.random((size, 3)) < 0.9, truth[:, None], (truth[:, None] + rng.integers(1, k, (size, 3))) % k
    )
    passed = (np.arange(size) >= 500) & ((rng.random(size) < blind) | (said[:, 0] == offered))
    wide = np.full((size, 6), np.nan)
    people = rng.integers(3, size=size)
    for i in range(size):
        if i < 500:
            wide[i, people[i]], wide[i, 3 + people[i]] = said[i, 1], said[i, 2]
        elif passed[i]:
            wide[i, people[i]] = offered[i]
            if rng.random() < checked:
                wide[i, 3 + people[i]] = said[i, 1]
    labels = Labels.from_wide(wide)
    mask = passed[labels.example] & (labels.annotator < 3)
    return labels, mask, probs, truth


def stated_less_true(consensus: al.Consensus, labels: Labels, bulk: np.ndarray, truth: np.ndarray) -> float:
    seen = np.zeros(labels.n_examples, dtype=bool)
    seen[labels.example[bulk]] = True
    of = seen & (labels.counts == 1)
    return float(consensus.quality[of].mean() - (consensus.label == truth)[of].mean())


def share_of(consensus: al.Consensus) -> tuple[float, float, float]:
    found = re.search(r"counts for ([\d.]+) of a voice \(([\d.]+) to ([\d.]+)", consensus.notes[0])
    assert found
    return float(found[1]), float(found[2]), float(found[3])


@pytest.mark.parametrize("checked", [0.2, 0.0])
def test_what_was_passed_unseen_is_not_stated_as_surer_than_it_is(checked: float) -> None:
    labels, bulk, probs, truth = pool(blind=0.9, checked=checked)
    fully = al.bayesian_consensus(labels, probs)
    shared = al.bayesian_consensus(labels, probs, bulk=bulk)
    too_high = stated_less_true(fully, labels, bulk, truth)
    assert too_high > 0.08
    assert abs(stated_less_true(shared, labels, bulk, truth)) < 0.5 * too_high


def test_who_looks_counts_for_more_than_who_does_not() -> None:
    found = []
    for blind in (0.0, 0.95):
        labels, bulk, probs, _ = pool(blind, checked=0.5)
        found.append(share_of(al.bayesian_consensus(labels, probs, bulk=bulk)))
    (careful, low, _), (careless, _, high) = found
    assert careful > 0.4 > 0.2 > careless
    assert low > high


def test_known_answers_tell_the_share_too_and_without_any_it_is_a_fifth() -> None:
    labels, bulk, probs, truth = pool(blind=0.0, checked=0.0)
    nothing = al.bayesian_consensus(labels, probs, bulk=bulk)
    assert share_of(nothing)[0] == 0.2
    assert "nobody and nothing has checked them" in nothing.notes[0]
    known = np.where(np.arange(len(truth)) % 3 == 0, truth, -1)
    assert share_of(al.bayesian_consensus(labels, probs, bulk=bulk, known=known))[0] > 0.5


def test_nothing_is_learnt_of_people_from_what_they_passed() -> None:
    labels, bulk, probs, _ = pool(blind=0.9, checked=0.0)
    alone = al.bayesian_consensus(labels, probs, bulk=bulk)
    wide = labels.to_wide().to_numpy().copy()
    wide[labels.example[bulk], labels.annotator[bulk]] = np.nan
    without = al.bayesian_consensus(Labels.from_wide(wide), probs)
    assert np.allclose(alone.annotators.accuracy, without.annotators.accuracy, atol=0.02)


def test_a_mask_of_another_length_is_refused() -> None:
    labels, _, probs, _ = pool(blind=0.5, checked=0.0)
    with pytest.raises(InputError, match=r"bulk must hold True or False for each of the .* labels"):
        al.bayesian_consensus(labels, probs, bulk=[True, False])
