from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import activelab as al
from conftest import make_pool

METHODS = [
    "activelab",
    "random",
    "good_random",
    "entropy",
    "uncertainty",
    "active_label_cleaning",
    "disagreement",
]
CROWDS = ["dog", "duck", "product", "face"]


def crowd(data, name):
    labels = pd.read_csv(data / "crowd_only" / f"{name}_labels.csv.gz")
    truth = pd.read_csv(data / "crowd_only" / f"{name}_items.csv").set_index("item").truth
    table = al.Labels.from_long(labels, example="item", keep="last")
    return table, truth.loc[table.examples].to_numpy()


def test_majority_vote_breaks_ties_in_order():
    # Row 0 is a tie. With a model it follows the model; else the class with most labels overall.
    labels = al.Labels.from_wide([[0, 1, None], [1, 1, None], [None, None, None]])
    assert al.majority_vote(labels).label.tolist() == [1, 1, -1]
    assert al.majority_vote(labels, [[0.6, 0.4]] * 3).label.tolist() == [0, 1, -1]


def test_the_more_agreeing_annotators_win_a_tie():
    matrix = np.full((5, 4), np.nan)
    matrix[0] = [0, 0, 1, 1]
    matrix[1, :2], matrix[2, :2] = 0, 1
    matrix[3, 2:], matrix[4, 2:] = [0, 1], [1, 0]
    labels = al.Labels.from_wide(matrix)
    assert np.bincount(labels.label).tolist() == [6, 6]
    assert al.majority_vote(labels).label[0] == 0


def test_the_last_tie_is_a_seeded_draw():
    labels = al.Labels.from_wide(np.tile([0, 1], (200, 1)))
    one, same, other = (al.majority_vote(labels, seed=s).label for s in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()
    assert 60 < one.sum() < 140


def test_float_labels_are_counted_as_integers():
    """cleanlab >= 2.6.5 counts every singly-labelled row of floats as class 0."""
    matrix = np.array([[2.0, np.nan], [2.0, 2.0], [1.0, np.nan]])
    posterior = al.majority_vote(al.Labels.from_wide(matrix, classes=3)).posterior
    np.testing.assert_array_equal(posterior, [[0, 0, 1], [0, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize("name", CROWDS)
def test_dawid_skene_on_real_crowds(data, name):
    """At least as accurate as the majority vote; published accuracies of Dawid-Skene are near."""
    labels, truth = crowd(data, name)
    published = {"dog": 0.8426, "duck": 0.8889, "product": 0.9397, "face": 0.6404}[name]
    accuracy = (al.dawid_skene(labels).label == truth).mean()
    assert accuracy >= (al.majority_vote(labels).label == truth).mean()
    assert accuracy == pytest.approx(published, abs=0.015)


@pytest.mark.parametrize("name", CROWDS)
def test_dawid_skene_stays_sane_with_single_labels(data, name):
    labels, _ = crowd(data, name)
    first = labels.offsets[:-1]
    single = al.Labels(
        range(labels.n_examples),
        labels.annotator[first],
        labels.label[first],
        examples=labels.n_examples,
        annotators=labels.n_annotators,
        classes=labels.n_classes,
    )
    consensus = al.dawid_skene(single)
    assert (consensus.label == single.label).all()
    assert any("cannot be estimated" in note for note in consensus.notes)


def test_dawid_skene_learns_whom_to_trust():
    """Three annotators are right by chance only; their votes count for nothing."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    accuracy = np.array([0.95, 0.9, 0.9, 0.55, 0.55, 0.5])
    right = rng.random((400, 6)) < accuracy
    matrix = np.where(right, truth[:, None], 1 - truth[:, None])
    labels = al.Labels.from_wide(matrix)
    consensus = al.dawid_skene(labels)
    assert (consensus.label == truth).mean() > (al.majority_vote(labels).label == truth).mean() + 0.02
    assert np.abs(consensus.annotators.weight - right.mean(axis=0)).max() < 0.05


@pytest.mark.parametrize("bad", [{"max_iter": 0}, {"tol": -1}, {"annotator_prior": -1}])
def test_dawid_skene_checks_its_parameters(bad):
    with pytest.raises(al.InputError, match="dawid_skene needs"):
        al.dawid_skene(al.Labels.from_wide([[0, 1]]), **bad)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "options", "low"),
    [
        ("glad", {"n_iter": 20}, 0.70),
        ("mace", {"n_restarts": 2, "random_state": 0}, 0.70),
        ("one_coin_dawid_skene", {}, 0.55),
        ("mmsr", {}, 0.70),
        ("kos", {}, 0.70),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_crowdkit_bridge_on_real_labels(data, method, options, low):
    labels, truth = crowd(data, "duck")
    consensus = al.crowdkit(labels, method, **options)
    assert (consensus.label == truth).mean() >= low
    assert consensus.posterior.shape == (108, 2)


@pytest.mark.filterwarnings("ignore")
def test_crowdkit_errors_are_clear():
    labels = al.Labels.from_wide([[0, 1, 2], [0, 0, 1]])
    with pytest.raises(al.InputError, match="crowd-kit's kos cannot aggregate these labels"):
        al.crowdkit(labels, "kos")
    with pytest.raises(al.InputError, match="Did you mean 'glad'"):
        al.crowdkit(labels, "glda")


def test_annotator_table():
    matrix = [[0, 0, None], [1, 1, None], [0, 1, None], [1, 1, None], [None, None, 1]]
    probs = [[0.9, 0.1], [0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]]
    labels = al.Labels.from_wide(pd.DataFrame(matrix, columns=["ann", "bob", "cy"]))
    consensus = al.crowdlab(labels, probs)
    table = consensus.annotators
    assert table["num_labels"].tolist() == [4, 4, 1]
    assert table["num_overlapping"].tolist() == [4, 4, 0]
    assert table.agreement_with_consensus.tolist() == [1.0, 0.75, 1.0]
    # bob's one error is a 1 where the consensus is 0; ann has none, and used class 0 as often as 1.
    assert table.worst_class[1] == 1
    assert np.isnan(table.quality[2])
    assert not np.isnan(table.quality[:2]).any()
    assert table.verified.tolist() == [True, True, False]
    assert consensus.notes == (
        "1 annotators share no example with another, so their quality cannot be estimated; "
        "they get the mean agreement: 'cy'.",
    )
    assert table.to_frame().columns.tolist() == list(table.to_dict())
    assert consensus.to_frame()["example"].tolist() == [0, 1, 2, 3, 4]


EXTREME = {
    "single labels": [[0, None], [None, 1], [1, None]],
    "one annotator": [[0], [1], [1]],
    "one class in use": [[0, 0], [0, 0], [0, None]],
    "perfect agreement": [[0, 0, 0], [1, 1, 1], [1, 1, None]],
    "nobody agrees": [[0, 1], [1, 0], [0, 1]],
    "no overlap": [[0, None, None], [None, 1, None], [None, None, 0]],
    "one example": [[0, 1]],
}


@pytest.mark.parametrize("matrix", EXTREME.values(), ids=EXTREME)
def test_extreme_data_work_and_say_what_is_unknown(matrix):
    labels = al.Labels.from_wide(matrix, classes=2)
    probs = np.tile([0.6, 0.4], (labels.n_examples, 1))
    for consensus in (
        al.majority_vote(labels),
        al.crowdlab(labels, probs),
        al.crowdlab(labels, [probs, probs]),
        al.dawid_skene(labels),
    ):
        assert np.isfinite(consensus.quality).all()
        assert np.isfinite(consensus.annotators.weight).all()
        if labels.counts.max() < 2:
            assert any("cannot be estimated" in note for note in consensus.notes)
    for method in METHODS:
        models = [probs, probs[:, ::-1]] if method == "disagreement" else probs
        assert not np.isnan(al.get_method(method).score(labels, models)).any()
    scores = al.ActiveLab().score(labels, probs)
    assert ((scores > 0) & (scores <= 1)).all()


def test_one_class_in_the_vocabulary():
    labels = al.Labels.from_wide([[0, 0], [0, None]])
    assert labels.n_classes == 1
    assert al.crowdlab(labels, [[1.0], [1.0]]).label.tolist() == [0, 0]
    assert al.dawid_skene(labels).label.tolist() == [0, 0]
    assert al.ActiveLab().score(labels, [[1.0], [1.0]]).tolist() == [1.0, 1.0]


def test_many_annotators_need_no_dense_matrix():
    """A million annotators over a thousand examples: a dense table would be 8 GB."""
    rng = np.random.default_rng(0)
    labels = al.Labels(
        np.repeat(np.arange(1000), 3),
        rng.integers(0, 10**6, 3000),
        rng.integers(0, 3, 3000),
        examples=1000,
        annotators=10**6,
        classes=3,
        keep="last",
    )
    _, probs = make_pool(0, n=1000)
    assert len(al.suggest(labels, probs, batch_size=10)) == 10
