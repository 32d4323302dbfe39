from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
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
    with pytest.raises(al.InputError, match="must be a positive integer, got 0"):
        learner.ask(X, labels, batch_size=0)
    with pytest.raises(al.InputError, match=r"eligible .* 150 examples of the pool, got shape \(3,\)"):
        learner.ask(X, labels, 1, eligible=np.ones(3, dtype=bool))
    with pytest.raises(al.InputError, match="at least two labelled"):
        learner.ask(X, al.Labels([], [], [], examples=150, annotators=0, classes=3))
    with pytest.raises(al.InputError, match="needs a model trained"):
        learner.predict_proba(X)


FRAMES = {
    "index": lambda X, ids: pd.DataFrame(X, index=ids),
    "example": lambda X, ids: pd.DataFrame(X).assign(example=ids),
    "task_id": lambda X, ids: pd.DataFrame(X).assign(task_id=ids),
    "both": lambda X, ids: pd.DataFrame(X, index=ids[::-1]).assign(id=ids),
    "polars": lambda X, ids: pl.DataFrame(X).with_columns(id=pl.Series(ids)),
}


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize(
    "names", [lambda n: [f"e{i}" for i in range(n)], lambda n: list(range(100, 100 + n))]
)
def test_features_are_matched_by_id_whatever_their_order(kind, names):
    X, truth, labels = problem()
    ids = np.array(names(len(X)))
    labels = al.Labels(
        labels.example, labels.annotator, labels.label, examples=ids, annotators=labels.annotators, classes=3
    )
    order = np.random.default_rng(1).permutation(len(X))
    ordered = al.ActiveLearner(LogisticRegression())
    expected = ordered.ask(X, labels, 20)
    learner = al.ActiveLearner(LogisticRegression())
    batch = learner.ask(FRAMES[kind](X[order], ids[order].tolist()), labels, 20)
    assert batch.examples.tolist() == expected.examples.tolist()
    np.testing.assert_allclose(batch.score, expected.score, atol=1e-6)
    new = FRAMES[kind](X, ids.tolist())
    np.testing.assert_allclose(learner.predict_proba(new), ordered.predict_proba(X), atol=1e-6)
    assert (learner.predict(new) == truth).mean() > 0.8
    assert not learner.round_.notes


def test_examples_that_only_features_name_join_the_pool():
    X, _, labels = problem()
    known = labels.select(range(100))
    learner = al.ActiveLearner(LogisticRegression())
    batch = learner.ask(pd.DataFrame(X).assign(id=range(150)), known, 150)
    assert len(batch) == 150
    with pytest.raises(al.InputError, match=r"unknown example ids: .*Use labels.with_examples"):
        known.tell(batch.examples, annotator="new", label=0)
    assert (
        known.with_examples(batch.examples).tell(batch.examples, annotator="new", label=0).n_examples == 150
    )


def test_a_series_of_texts_is_matched_by_its_index():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline

    records = [(f"t{i}", "ann", i % 2) for i in range(40)]
    labels = al.Labels.from_records(records)
    texts = pd.Series({f"t{i}": ("good", "bad")[i % 2] for i in range(40)}).sample(frac=1, random_state=0)
    learner = al.ActiveLearner(make_pipeline(CountVectorizer(), LogisticRegression()))
    learner.ask(texts, labels, 5)
    assert learner.predict(pd.Series(["good", "bad"])).tolist() == [0, 1]


def test_a_feature_that_is_called_like_ids_stays_a_feature():
    X, _, labels = problem()
    frame = pd.DataFrame(X, columns=["unit", "key", "width"])
    one, two = (al.ActiveLearner(LogisticRegression()) for _ in range(2))
    assert one.ask(frame, labels, 9).examples.tolist() == two.ask(X, labels, 9).examples.tolist()
    np.testing.assert_allclose(one.predict_proba(frame), two.predict_proba(X))


def test_features_without_ids_for_a_pool_with_names_earn_a_note():
    X, _, labels = problem()
    named = labels.with_examples(["x"])
    learner = al.ActiveLearner(LogisticRegression())
    learner.ask(pd.DataFrame(np.vstack([X, X[:1]])), named, 5)
    assert any(
        "X names no examples: its row i was taken for example i" in one for one in learner.round_.notes
    )
    for plain in (X, sparse.csr_matrix(X), pd.DataFrame(X)):
        learner = al.ActiveLearner(LogisticRegression())
        learner.ask(plain, labels, 5)
        assert not learner.round_.notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[1:], "1 examples of the pool have no row in X: 'e0'. If row i is"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "duplicated example ids: 'e0'"),
        (lambda f: f.reset_index(names="id").iloc[1:], "1 labelled examples have no row in X: 'e0'"),
    ],
)
def test_features_that_lack_or_repeat_examples_are_refused(change, message):
    X, _, labels = problem()
    ids = [f"e{i}" for i in range(150)]
    labels = al.Labels(labels.example, labels.annotator, labels.label, examples=ids, annotators=5, classes=3)
    with pytest.raises(al.InputError, match=message):
        al.ActiveLearner(LogisticRegression()).ask(change(pd.DataFrame(X, index=ids)), labels, 5)


@pytest.mark.parametrize("method", ["activelab", "frugal", "random"])
def test_a_model_no_better_than_chance_earns_a_note(method):
    X, _, labels = problem(n=400, start=300)
    wrong = X[np.random.default_rng(0).permutation(len(X))]
    learner = al.ActiveLearner(LogisticRegression(), method)
    batch = learner.ask(wrong, labels, 10)
    said = [note for note in learner.round_.notes if "the model is no better than chance" in note]
    assert len(said) == 1
    assert said[0] in batch.notes
    for consensus in (al.crowdlab, al.bayesian_consensus):
        assert said[0] in consensus(labels, learner.round_.pred_probs).notes
    learner.ask(X, labels, 10)
    assert not any("chance" in note for note in learner.round_.notes)
    both = al.suggest(
        labels, [learner.round_.pred_probs[0], np.roll(learner.round_.pred_probs[0], 1, axis=0)]
    )
    assert [note.partition(" is no")[0] for note in both.notes if "chance" in note] == ["model 1"]


def test_what_says_nothing_of_a_model_earns_no_note():
    one_class = al.Labels.from_wide(np.zeros((50, 2), dtype=int), classes=2)
    assert not al.crowdlab(one_class, np.tile([0.9, 0.1], (50, 1))).notes
    few = al.Labels.from_wide([[0, 0], [1, 1]] * 10)
    assert not al.crowdlab(few, np.tile([0.4, 0.6], (20, 1))).notes
    rare = al.Labels.from_wide([[0, 0]] * 90 + [[1, 1]] * 10)
    always = al.crowdlab(rare, np.tile([0.9, 0.1], (100, 1)))
    assert any("agrees with 90% of the labels, and chance alone with 90%" in one for one in always.notes)
    better = np.where(np.arange(100)[:, None] < 97, [0.9, 0.1], [0.1, 0.9])
    assert not al.crowdlab(rare, better).notes
