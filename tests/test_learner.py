from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

import activelab as al


def problem(seed=0, n=150, start=40, k=3):
    """Features, truth, and a pool with noisy labels by two of five annotators on some examples."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % k
    X = rng.normal(size=(n, 3)) + 2.5 * np.eye(3)[truth]
    records = [
        (i, f"ann-{j}", int(truth[i] if rng.random() < 0.85 else rng.integers(k)))
        for i in range(start)
        for j in rng.choice(5, 1 + i % 2, replace=False)
    ]
    return X, truth, al.Labels.from_records(records, classes=k, examples=n)


def run(learner, X, truth, labels, rounds=3, size=10):
    """Rounds in which a new, perfect annotator answers; the batches and the final labels."""
    batches = []
    for number in range(rounds):
        batch = learner.ask(X, labels, batch_size=size)
        batches.append(batch)
        answers = truth[batch.examples.astype(int)]
        labels = labels.tell(batch.examples, annotator=f"expert-{number}", label=answers)
    return batches, labels


@pytest.mark.parametrize("method", ["activelab", "random", "good_random", "entropy", "uncertainty"])
def test_rounds_run_and_are_reproducible(method):
    X, truth, labels = problem()
    one, final = run(al.ActiveLearner(LogisticRegression(), method, seed=3), X, truth, labels)
    two, _ = run(al.ActiveLearner(LogisticRegression(), method, seed=3), X, truth, labels)
    assert [b.examples.tolist() for b in one] == [b.examples.tolist() for b in two]
    assert final.n_labels == labels.n_labels + 30


@pytest.mark.parametrize("method", ["activelab", "disagreement"])
def test_ensembles(method):
    X, truth, labels = problem()
    learner = al.ActiveLearner(
        [LogisticRegression(), KNeighborsClassifier(), ExtraTreesClassifier(20)], method, cv=3
    )
    run(learner, X, truth, labels)
    assert learner.round_.pred_probs.shape == (3, 150, 3)
    assert learner.round_.assessment.model_weight.shape == (3,)
    probs = learner.predict_proba(X)
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    assert (learner.predict(X) == truth).mean() > 0.85


def test_predict_proba_is_the_weighted_calibrated_mean():
    X, _, labels = problem()
    learner = al.ActiveLearner([LogisticRegression(), KNeighborsClassifier()])
    learner.ask(X, labels, batch_size=5)
    assessment = learner.round_.assessment
    expected = 0
    for folds, t, w in zip(learner.fold_models, assessment.temperature, assessment.model_weight, strict=True):
        mean = np.mean([f.predict_proba(X) for f in folds], axis=0)
        if mean.min() == 0:
            mean = 0.99 * mean + 0.01 / 3
        mean = mean ** (1 / t)
        expected = expected + w * mean / mean.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(learner.predict_proba(X), expected / assessment.model_weight.sum(), atol=1e-12)


def test_the_first_consensus_is_the_vote_and_later_ones_crowdlab():
    X, truth, labels = problem()
    learner = al.ActiveLearner(LogisticRegression())
    run(learner, X, truth, labels, rounds=1)
    np.testing.assert_array_equal(learner.round_.training_label, al.majority_vote(labels).label)
    scaled = al.TemperatureScaling().fit(labels, learner.round_.pred_probs)
    probs = scaled.transform(learner.round_.pred_probs)
    learner.ask(X, labels, batch_size=5)
    np.testing.assert_array_equal(learner.round_.training_label, al.crowdlab(labels, probs).label)


@pytest.mark.parametrize(("method", "expected"), [("activelab", "crowdlab"), ("entropy", "majority_vote")])
def test_consensus_by_default(method, expected):
    assert al.ActiveLearner(LogisticRegression(), method).strategy.consensus == expected


def test_consensus_can_be_chosen():
    X, _, labels = problem()
    learner = al.ActiveLearner(LogisticRegression(), consensus="dawid_skene")
    learner.ask(X, labels, batch_size=5)
    np.testing.assert_array_equal(learner.round_.training_label, al.dawid_skene(labels).label)
    with pytest.raises(al.InputError, match="Did you mean 'crowdlab'"):
        al.ActiveLearner(LogisticRegression(), consensus="crowdlap")


def test_round_result_is_inspectable_and_serialisable():
    X, truth, labels = problem()
    learner = al.ActiveLearner(LogisticRegression())
    batches, _ = run(learner, X, truth, labels, rounds=2, size=7)
    result = learner.round_
    stored = json.loads(result.to_json())
    assert stored["round"] == 1
    assert len(stored["batch"]["example"]) == 7
    assert set(stored["batch"]["kind"]) <= {"new", "relabel"}
    assert stored["temperature"][0] == pytest.approx(float(result.assessment.temperature[0]))
    assert stored["quality"].count(None) == (~labels.labelled).sum() - (batches[0].kind == "new").sum()
    again = pickle.loads(pickle.dumps(learner))
    assert again.round_.batch.examples.tolist() == result.batch.examples.tolist()
    np.testing.assert_array_equal(again.predict_proba(X), learner.predict_proba(X))


def test_precomputed_probabilities_take_the_place_of_training():
    X, _, labels = problem()
    trained = al.ActiveLearner(LogisticRegression(), seed=1)
    batch = trained.ask(X, labels, batch_size=5)
    given = al.ActiveLearner(seed=1)
    same = given.ask(None, labels, batch_size=5, pred_probs=trained.round_.pred_probs)
    assert same.examples.tolist() == batch.examples.tolist()
    with pytest.raises(al.InputError, match="needs a model trained"):
        given.predict_proba(X)
    with pytest.raises(al.InputError, match="needs pred_probs"):
        al.ActiveLearner().ask(X, labels)


def test_labels_of_a_changed_pool_are_accepted():
    X, _, labels = problem()
    learner = al.ActiveLearner(LogisticRegression())
    learner.ask(X, labels, batch_size=5)
    smaller = labels.select(list(range(100)))
    assert len(learner.ask(X[:100], smaller, batch_size=5)) == 5


def test_active_learning_beats_random_on_average():
    """The aim of it all, in small: fewer labels to the same consensus and model."""
    gains = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X, truth, labels = problem(seed, n=240, start=30)
        final = {}
        for method in ("activelab", "random"):
            learner, pool = al.ActiveLearner(LogisticRegression(), method, seed=seed), labels
            for number in range(6):
                batch = learner.ask(X, pool, batch_size=15)
                rows = batch.examples.astype(int)
                noisy = np.where(rng.random(15) < 0.8, truth[rows], rng.integers(0, 3, 15))
                pool = pool.tell(batch.examples, annotator=f"new-{number}", label=noisy)
            consensus = al.crowdlab(pool, learner.round_.pred_probs).label
            given = consensus >= 0
            final[method] = (consensus[given] == truth[given]).mean()
        gains.append(final["activelab"] - final["random"])
    assert np.mean(gains) > 0.01


def test_a_forest_that_is_sure_does_not_spoil_the_temperature():
    """A forest gives classes probability 0; one label of such a class would ask for the largest T."""
    X, _, labels = problem(n=400, start=300)
    temperature = {}
    for smoothing in (0.0, 0.01):
        learner = al.ActiveLearner(ExtraTreesClassifier(20), smoothing=smoothing)
        learner.ask(X, labels, batch_size=5)
        temperature[smoothing] = float(learner.round_.assessment.temperature[0])
    assert temperature[0.0] > 5
    assert 0.5 < temperature[0.01] < 2
    with pytest.raises(al.InputError, match="smoothing must be"):
        al.ActiveLearner(LogisticRegression(), smoothing=1.0)


def test_bad_input_is_named():
    X, _, labels = problem()
    learner = al.ActiveLearner(LogisticRegression())
    with pytest.raises(al.InputError, match="X has 10 rows, the pool 150"):
        learner.ask(X[:10], labels)
    with pytest.raises(al.InputError, match="larger than the pool"):
        learner.ask(X, labels, batch_size=151)
    with pytest.raises(al.InputError, match="at least two labelled"):
        learner.ask(X, al.Labels([], [], [], examples=150, annotators=0, classes=3))
    with pytest.raises(al.InputError, match="needs a model trained"):
        learner.predict_proba(X)
