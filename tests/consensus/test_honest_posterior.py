"""The posterior is a probability: calibrated on held-out labels, dependence noticed, known answers taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import activelab as al
from activelab.consensus import auto_consensus, bayesian_estimate


def team(seed, n=1500, members=15, each=5, k=3, low=0.65, high=0.9, shared=0.0, shares=None):
    """Labels of annotators who err independently, but for a share of examples that mislead all of them."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(k, n, p=shares)
    looks_like = np.where(rng.random(n) < shared, (truth + rng.integers(1, k, n)) % k, truth)
    accuracy = rng.uniform(low, high, members)
    matrix = np.full((n, members), np.nan)
    for i in range(n):
        who = rng.choice(members, each, replace=False)
        right = rng.random(each) < accuracy[who]
        matrix[i, who] = np.where(right, looks_like[i], (looks_like[i] + rng.integers(1, k, each)) % k)
    return matrix, truth, accuracy


def hard_examples(seed, n=1500, members=15, each=6):
    """Two classes; on a third of the examples everybody guesses."""
    rng = np.random.default_rng(seed)
    truth, hard = rng.integers(0, 2, n), rng.random(n) < 0.35
    matrix = np.full((n, members), np.nan)
    for i in range(n):
        who = rng.choice(members, each, replace=False)
        right = rng.random(each) < (0.5 if hard[i] else 0.93)
        matrix[i, who] = np.where(right, truth[i], 1 - truth[i])
    return matrix, truth


def test_independent_annotators_are_believed():
    matrix, truth, _ = team(0)
    consensus = al.bayesian_consensus(al.Labels.from_wide(matrix, classes=3))
    assert consensus.quality.mean() == pytest.approx((consensus.label == truth).mean(), abs=0.03)


def test_hard_examples_are_not_stated_as_if_all_were_alike():
    matrix, truth = hard_examples(0)
    labels = al.Labels.from_wide(matrix, classes=2)
    consensus = al.bayesian_consensus(labels)
    assert consensus.quality.mean() == pytest.approx((consensus.label == truth).mean(), abs=0.04)
    # Six annotators split three to three say nothing, whoever they are.
    split = np.abs(np.nansum(matrix, axis=1) - 3) < 0.5
    assert consensus.quality[split].mean() < 0.75


def test_a_rare_class_does_not_win_against_the_vote():
    matrix, truth, accuracy = team(1, k=2, shares=[0.92, 0.08])
    labels = al.Labels.from_wide(matrix, classes=2)
    consensus = al.bayesian_consensus(labels)
    assert (consensus.label == truth).mean() > (al.majority_vote(labels).label == truth).mean()
    assert np.corrcoef(consensus.annotators.weight, accuracy)[0, 1] > 0.8


def with_copy(matrix, of):
    return np.hstack([matrix, matrix[:, [of]]])


@pytest.mark.parametrize("seed", range(3))
def test_a_copy_is_noticed_named_and_counts_as_one(seed):
    matrix, _, _ = team(seed)
    names = [f"annotator {j}" for j in range(16)]
    frame = {
        "example": np.nonzero(~np.isnan(with_copy(matrix, 4)))[0],
        "annotator": [names[j] for j in np.nonzero(~np.isnan(with_copy(matrix, 4)))[1]],
        "label": with_copy(matrix, 4)[~np.isnan(with_copy(matrix, 4))].astype(int),
    }
    doubled = al.bayesian_consensus(al.Labels.from_long(frame, classes=3, examples=range(len(matrix))))
    assert "'annotator 15', 'annotator 4'" in doubled.notes[0]
    voice = dict(zip(doubled.annotators["annotator"].tolist(), doubled.annotators.voice, strict=True))
    assert voice["annotator 4"] == pytest.approx(0.5, abs=0.05)
    assert voice["annotator 3"] == 1.0
    single = al.bayesian_consensus(al.Labels.from_wide(matrix, classes=3))
    assert np.abs(doubled.quality - single.quality).max() < 0.1
    assert not any("agree with each other" in note for note in single.notes)


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), of=st.integers(0, 7), each=st.integers(2, 5))
def test_a_second_name_changes_no_quality_by_more_than_a_voice_could(seed, of, each):
    """One voice of annotator j is worth at most the largest log-odds of the channel of j.

    Where the copy is noticed: with two labels an example it is not always, and then has a voice of its own.
    """
    matrix, _, _ = team(seed, n=400, members=8, each=each)
    labels = al.Labels.from_wide(matrix, classes=3)
    doubled = al.Labels.from_wide(with_copy(matrix, of), classes=3)
    channel = np.log(bayesian_estimate(labels, ()).channels.confusion(np.array([of]))[0])
    voice = (channel.max(axis=1) - channel.min(axis=1)).max()
    consensus = al.bayesian_consensus(doubled)
    assume(consensus.annotators.voice[of] < 1)
    before = np.log(np.sort(al.bayesian_consensus(labels).posterior, axis=1))
    after = np.log(np.sort(consensus.posterior, axis=1))
    odds_before, odds_after = before[:, 2] - before[:, 1], after[:, 2] - after[:, 1]
    assert np.abs(odds_after - odds_before).max() <= voice


def test_a_family_that_is_named_shares_a_voice():
    matrix, _, _ = team(0)
    labels = al.Labels.from_wide(matrix, classes=3)
    consensus = al.bayesian_consensus(labels, families={0: "machines", 1: "machines", 2: "machines"})
    assert consensus.annotators.voice[:3].max() < 1.0
    assert (consensus.annotators.voice[3:] == 1.0).all()
    with pytest.raises(al.InputError, match="without labels in this pool: 'nobody'"):
        al.bayesian_consensus(labels, families={"nobody": "machines"})


def test_known_answers_stand_and_teach():
    """Everybody is misled by the same third of the examples; fifty known answers say so."""
    matrix, truth, _ = team(2, shared=0.3)
    labels = al.Labels.from_wide(matrix, classes=3)
    known = np.full(len(truth), -1)
    known[:150] = truth[:150]
    without, told = al.bayesian_consensus(labels), al.bayesian_consensus(labels, known=known)
    assert (told.label[:150] == truth[:150]).all()
    assert (told.quality[:150] == 1).all()
    right = (told.label[150:] == truth[150:]).mean()
    assert abs(told.quality[150:].mean() - right) < abs(without.quality[150:].mean() - right) / 2
    # Who is known to be wrong there is known to be worse.
    assert told.annotators.weight.mean() < without.annotators.weight.mean()


def test_known_answers_reach_examples_nobody_labelled():
    labels = al.Labels([0, 1], [0, 0], [0, 1], examples=3, annotators=1, classes=2)
    consensus = al.bayesian_consensus(labels, known=np.array([-1, 1, 1]))
    assert consensus.label.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ([0, 1], "one integer for each of the 3"),
        ([0, 1, 2], "known holds 2 in row 2"),
        ([0.5] * 3, "integer"),
    ],
)
def test_bad_known_answers_are_named(known, message):
    labels = al.Labels([0, 1], [0, 0], [0, 1], examples=3, annotators=1, classes=2)
    with pytest.raises(al.InputError, match=message):
        al.bayesian_consensus(labels, known=known)


def test_order_of_examples_and_annotators_plays_no_part_with_copies():
    matrix, _, _ = team(3, n=400)
    matrix = with_copy(matrix, 2)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(len(matrix)), rng.permutation(matrix.shape[1])
    one = al.bayesian_consensus(al.Labels.from_wide(matrix, classes=3))
    other = al.bayesian_consensus(al.Labels.from_wide(matrix[rows][:, columns], classes=3))
    np.testing.assert_allclose(other.posterior, one.posterior[rows], atol=1e-8)


def test_auto_is_the_calibrated_consensus():
    matrix, _, _ = team(0, n=100)
    labels = al.Labels.from_wide(matrix, classes=3)
    np.testing.assert_array_equal(auto_consensus(labels).posterior, al.bayesian_consensus(labels).posterior)


def test_many_examples_of_one_label_and_one_class():
    single = al.Labels(
        np.arange(50), np.zeros(50, int), np.arange(50) % 2, examples=50, annotators=1, classes=2
    )
    consensus = al.bayesian_consensus(single)
    assert (consensus.label == np.arange(50) % 2).all()
    assert consensus.quality == pytest.approx(0.8)
    one = al.Labels.from_wide([[0, 0], [0, None]], classes=1)
    assert al.bayesian_consensus(one).quality.tolist() == [1.0, 1.0]


def test_calibration_on_a_sample_takes_out_only_what_was_counted(monkeypatch):
    """Independent annotators are believed also where estimates rest on samples that do not line up."""
    matrix, truth, _ = team(5, n=4000)
    monkeypatch.setattr("activelab.consensus._bayesian.SAMPLE", 2100)
    monkeypatch.setattr("activelab.consensus._bayesian._HELD_OUT", 1400)
    consensus = al.bayesian_consensus(al.Labels.from_wide(matrix, classes=3))
    assert consensus.quality.mean() == pytest.approx((consensus.label == truth).mean(), abs=0.05)
