from __future__ import annotations

import numpy as np
import pytest

import activelab as al
from activelab.acquisition import METHODS
from activelab.calibration import TemperatureScaling
from conftest import make_pool

MATRIX = [[0, 0, None], [1, None, None], [None, None, None], [0, 1, 1]]
PROBS = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
LABELS = al.Labels.from_wide(MATRIX)


def test_baselines_equal_their_formulas():
    entropy = (PROBS * np.log(PROBS)).sum(axis=1)
    np.testing.assert_allclose(al.Entropy().score(LABELS, PROBS), entropy)
    np.testing.assert_allclose(al.Uncertainty().score(LABELS, PROBS), PROBS.max(axis=1))
    share = np.array([[1, 0], [0, 1], [1 / 3, 2 / 3]])
    rows = [0, 1, 3]
    cleaning = (share * np.log(PROBS[rows])).sum(axis=1) - entropy[rows]
    score = al.ActiveLabelCleaning().score(LABELS, PROBS)
    np.testing.assert_allclose(score[rows], cleaning)
    assert score[2] == np.inf
    # Example 3 has labels the model contradicts: it is cleaned first.
    assert al.suggest(LABELS, PROBS, batch_size=1, method="active_label_cleaning").examples.tolist() == [3]


def test_disagreement_is_the_mean_divergence_from_the_average():
    other = PROBS[:, ::-1]
    mean = (PROBS + other) / 2
    kl = np.mean([(p * np.log(p / mean)).sum(axis=1) for p in (PROBS, other)], axis=0)
    np.testing.assert_allclose(al.Disagreement().score(LABELS, [PROBS, other]), -kl, atol=1e-15)
    cross = np.mean([-(mean * np.log(p)).sum(axis=1) for p in (PROBS, other)], axis=0)
    np.testing.assert_allclose(al.Disagreement("cross_entropy").score(LABELS, [PROBS, other]), -cross)
    with pytest.raises(al.InputError, match="at least two models"):
        al.Disagreement().score(LABELS, PROBS)


def test_probabilities_of_zero_give_finite_scores():
    sure = np.array([[1.0, 0.0]] * 4)
    for method in ("activelab", "entropy", "uncertainty", "disagreement"):
        assert np.isfinite(al.get_method(method).score(LABELS, [sure, sure[:, ::-1]])).all()
    assert np.isfinite(al.ActiveLabelCleaning().score(LABELS, sure)[[0, 1, 3]]).all()


def test_random_and_good_random():
    labels = al.Labels.from_wide(make_pool(0, n=2000)[0], classes=3)
    probs = make_pool(0, n=2000)[1]
    one = al.Random().score(labels, probs, seed=1)
    assert (one == al.Random().score(labels, probs, seed=1)).all()
    assert abs(np.corrcoef(one, al.Random().score(labels, probs, seed=2))[0, 1]) < 0.08
    assert abs(np.corrcoef(one[1:], al.Random().score(labels, probs, seed=2)[:-1])[0, 1]) < 0.08
    assert abs(one.mean() - 0.5) < 0.03
    good = al.GoodRandom().score(labels, probs, seed=1)
    assert (np.floor(good) == labels.counts).all()


def test_the_singly_labelled_setting():
    """Appendix H: labelled 2p + 1/K over 3 with one model, unlabelled p + 1/K over 2."""
    labels = al.Labels.from_wide([[0], [1], [None], [None]])
    scores = al.ActiveLab().score(labels, PROBS)
    np.testing.assert_allclose(scores, [1.9 / 3, 2.1 / 3, 1.0 / 2, 1.4 / 2])
    two = al.ActiveLab().score(labels, [PROBS, PROBS])
    np.testing.assert_allclose(two, [2.6 / 4, 2.9 / 4, 1.5 / 3, 2.3 / 3])


def test_a_fully_labelled_dataset_is_scored():
    matrix, probs = make_pool(1, empty=False, density=1.0)
    batch = al.suggest(al.Labels.from_wide(matrix), probs, batch_size=5)
    assert set(batch.kind) == {"relabel"}


def test_a_pool_without_labels_is_scored():
    labels = al.Labels([], [], [], examples=4, annotators=0, classes=2)
    np.testing.assert_allclose(al.ActiveLab().score(labels, PROBS), (PROBS.max(axis=1) + 0.5) / 2)


def test_unknown_methods_suggest_the_nearest():
    with pytest.raises(al.InputError, match=r"unknown method 'activlab'\. Did you mean 'activelab'"):
        al.suggest(LABELS, PROBS, batch_size=1, method="activlab")


def test_a_users_own_method(monkeypatch):
    monkeypatch.setattr(METHODS, "_parts", {})

    @al.register("fewest")
    def fewest(labels, pred_probs, seed):
        assert pred_probs.shape == (1, 4, 2)
        return labels.counts

    @al.register("broken")
    def broken(labels, pred_probs):
        return [np.nan] * 4

    @al.register("classy")
    class Classy(al.Uncertainty):
        pass

    assert al.methods() == ["fewest", "broken", "classy"]
    assert al.suggest(LABELS, PROBS, batch_size=1, method="fewest").examples.tolist() == [2]
    assert al.suggest(LABELS, PROBS, batch_size=1, method="classy").examples.tolist() == [2]
    with pytest.raises(al.InputError, match="'broken' must return 4 scores without NaN"):
        al.suggest(LABELS, PROBS, batch_size=1, method="broken")
    with pytest.raises(al.InputError, match="already registered"):
        al.register("fewest")(fewest)


@pytest.mark.parametrize(
    ("size", "message"),
    [(0, "positive"), (-3, "positive"), (1.5, "positive"), (True, "positive")],
)
def test_batch_sizes_are_checked(size, message):
    with pytest.raises(al.InputError, match=message):
        al.suggest(LABELS, PROBS, batch_size=size)


def test_examples_a_method_does_not_consider_are_not_chosen():
    batch = al.suggest(LABELS, PROBS, batch_size=4, method="active_label_cleaning")
    assert sorted(batch.examples.tolist()) == [0, 1, 3]
    assert batch.notes[0] == "3 examples in place of 4: of the 4 in the pool 1 are not to be asked about."


def test_a_pool_smaller_than_the_batch_gives_all_of_it_and_says_so():
    batch = al.suggest(LABELS, PROBS, batch_size=100)
    assert batch.examples.tolist() == al.suggest(LABELS, PROBS, batch_size=4).examples.tolist()
    assert batch.notes[0] == "4 examples in place of 100: the pool has no more."
    assert "; note: 4 examples in place of 100" in repr(batch)
    assert "notes" not in batch.to_dict()
    with pytest.raises(al.InputError, match="larger than the 3 examples with a finite score"):
        al.select_batch(np.array([0.1, 0.2, np.inf, 0.3]), 4)


def test_a_batch_explains_itself():
    batch = al.suggest(LABELS, PROBS, batch_size=4)
    frame = batch.to_frame().set_index("example")
    columns = "score kind num_labels consensus_label quality predicted_label"
    assert frame.columns.tolist() == columns.split()
    assert frame.loc[2, "kind"] == "new"
    assert batch.consensus_label[batch.examples.tolist().index(2)] is None
    assert frame.loc[0, "consensus_label"] == 0
    assert frame.loc[3, "num_labels"] == 3
    assert frame.loc[1, "predicted_label"] == 1
    assert list(batch) == batch.examples.tolist()
    assert repr(batch) == "Batch(4 examples: 1 new, 3 to relabel)"


def test_ties_are_broken_by_the_seed():
    labels = al.Labels([], [], [], examples=100, annotators=0, classes=2)
    probs = np.full((100, 2), 0.5)
    one, same, other = (al.suggest(labels, probs, 10, seed=s).examples for s in (0, 0, 1))
    assert one.tolist() == same.tolist()
    assert set(one.tolist()) != set(other.tolist())


def test_calibration_conventions_and_notes():
    matrix, probs = make_pool(3)
    labels = al.Labels.from_wide(matrix, classes=3)
    scaling = TemperatureScaling().fit(labels, probs)
    assert scaling.transform(probs).shape == (1, 40, 3)
    assert scaling.transform(probs[0].astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(scaling.transform(probs).sum(axis=2), 1)
    flat = TemperatureScaling().fit(labels, np.full((40, 3), 1 / 3))
    assert flat.temperature_.tolist() == [1.0]
    assert "same probability" in flat.notes_[0]
    single = TemperatureScaling().fit(al.Labels.from_wide([[0], [1]]), [[0.6, 0.4], [0.1, 0.9]])
    assert (single.temperature_.tolist(), "no example has two labels" in single.notes_[0]) == ([1.0], True)
    sure = TemperatureScaling().fit(al.Labels.from_wide([[0, 0], [1, 1]]), [[0.6, 0.4], [0.1, 0.9]])
    assert sure.temperature_[0] == pytest.approx(0.05)
    assert "bound" in sure.notes_[0]
    grid = TemperatureScaling(search="grid").fit(labels, probs).temperature_[0]
    assert 0.1 <= grid <= 7.25
    with pytest.raises(al.InputError, match="fitted on 1 models"):
        scaling.transform(np.concatenate([probs, probs]))
    with pytest.raises(al.InputError, match="call fit"):
        TemperatureScaling().transform(probs)
    with pytest.raises(al.InputError, match="search must be"):
        TemperatureScaling(search="newton")
    with pytest.raises(al.InputError, match="bounds must"):
        TemperatureScaling(bounds=(2, 3))
