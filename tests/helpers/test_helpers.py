"""Helpers, the committee they form, and the classifier it teaches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

import activelab as al
from activelab.classifiers import deal_folds
from activelab.consensus.parts import committee_pool, committee_targets, pooled
from activelab.helpers import GaussianProcess, _round, fit_committee, helper_features, teach
from activelab.helpers._student import unsqueezed
from activelab.strategies import HELPERS, OWN, Strategy
from activelab.training import Target, training_target

FEW = "taught+helpers=logistic,neighbours,own"


def problem(seed=0, n=240, start=80, k=3, spread=1.0, rates=None):
    """Two rings of classes, labelled by five annotators who are right four times in five."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(k, n, p=rates)
    X = spread * rng.normal(size=(n, 3)) + 2.5 * np.eye(3)[truth]
    matrix = np.full((n, 5), np.nan)
    for i in range(start):
        for j in rng.choice(5, 1 + i % 2, replace=False):
            matrix[i, j] = truth[i] if rng.random() < 0.8 else rng.integers(k)
    return X, truth, al.Labels.from_wide(matrix, classes=k)


def committee_of(X, labels, helpers=("logistic", "neighbours"), cv=3, model=None, seed=0):
    features = helper_features(X)
    target = committee_targets(labels, None)
    code = np.where(labels.labelled, np.nan_to_num(target).argmax(axis=1), -1)
    folds = deal_folds(cv, X, code, seed)
    return fit_committee(helpers, model or GaussianNB(), X, features, labels, target, folds, seed=seed)


# ------------------------------------------------------------------ what helpers see


def test_features_are_put_on_one_scale_whatever_they_come_as():
    X, _, _ = problem()
    wanted = (X - X.mean(axis=0)) / X.std(axis=0)
    for given in (
        X,
        X.tolist(),
        pd.DataFrame(X),
        sparse.csr_matrix(X),
        np.column_stack([X, np.ones(len(X))]),
    ):
        np.testing.assert_allclose(helper_features(given), wanted, atol=1e-4)
    gaps = X.copy()
    gaps[0, 0] = np.nan
    assert helper_features(gaps)[0, 0] == pytest.approx(0, abs=1e-6)


def test_wide_features_are_reduced():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 1500))
    assert helper_features(wide).shape == (50, 49)
    assert helper_features(sparse.csr_array(wide)).shape == (50, 49)


@pytest.mark.parametrize(
    ("X", "why"),
    [
        (["a text", "another"], "no rows of numbers"),
        (pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), "some columns are no numbers"),
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), "no rows of numbers"),
        (np.ones((4, 3)), "constant"),
        ([[1.0], [1.0, 2.0]], "differ in length"),
        (np.array([[1.0], [np.inf]]), "infinity"),
    ],
)
def test_what_helpers_cannot_see_is_said(X, why):
    assert why in helper_features(X)


# ------------------------------------------------------------------ the committee


@pytest.mark.parametrize("helper", HELPERS.names())
def test_every_helper_learns(helper):
    X, truth, labels = problem()
    rest = ~labels.labelled
    found = committee_of(X, labels, [helper]).pred_probs[0]
    assert (found.argmax(axis=1) == truth)[rest].mean() > 0.8


def test_any_classifier_is_a_helper_and_own_is_the_users():
    X, _, labels = problem()
    committee = committee_of(X, labels, [LogisticRegression(), OWN, "sklearn.naive_bayes:GaussianNB"])
    assert committee.names == ("LogisticRegression", "GaussianNB", "sklearn.naive_bayes:GaussianNB")
    assert committee.own == (False, True, False)
    ensemble = committee_of(X, labels, [OWN], model=[LogisticRegression(), GaussianNB()])
    assert ensemble.own == (True, True)


def test_a_fold_is_predicted_without_its_labels():
    """Whatever the annotators had said in a fold, its committee and its classifier would be the same."""
    X, _, labels = problem()
    target = committee_targets(labels, None)
    code = np.where(labels.labelled, np.nan_to_num(target).argmax(axis=1), -1)
    folds = deal_folds(3, X, code, 0)
    other = target.copy()
    other[folds == 1] = other[folds == 1][:, ::-1]
    features = helper_features(X)
    helpers, model = (*HELPERS.names(), OWN), LogisticRegression()
    one, two = (fit_committee(helpers, model, X, features, labels, t, folds) for t in (target, other))
    for before, after in zip(one.pred_probs, two.pred_probs, strict=True):
        np.testing.assert_array_equal(before[folds == 1], after[folds == 1])
        assert (before[folds == 0] != after[folds == 0]).any()
    np.testing.assert_array_equal(one.by_fold[:, 1], two.by_fold[:, 1])
    # The same committee, and a consensus that differs in the fold alone.
    consensus = training_target(labels, one.pred_probs, consensus="committee", training="taught", seed=0)
    inside = folds == 1
    changed = Target(
        np.where(inside, 2 - consensus.label, consensus.label),
        consensus.weight,
        np.where(inside[:, None], consensus.posterior[:, ::-1], consensus.posterior),
        whole_pool=True,
    )
    first, second = (teach(model, X, t, one, cv=3).pred_probs[0] for t in (consensus, changed))
    np.testing.assert_array_equal(first[folds == 1], second[folds == 1])
    assert (first[folds == 0] != second[folds == 0]).any()


def test_where_there_is_nothing_to_learn_nothing_is_learnt():
    """Labels drawn at random agree with predictions of them at chance, round after round."""
    agreement = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(200, 3))
        learner = al.ActiveLearner(ExtraTreesClassifier(20), FEW, cv=4, seed=seed)
        labels = al.Labels.from_records(
            [(i, f"ann-{j}", int(rng.integers(2))) for i in range(150) for j in range(1 + i % 2)],
            classes=2, examples=200,
        )  # fmt: skip
        for _ in range(3):
            learner.ask(X, labels, 5)
        agreement += [
            (model.argmax(axis=1)[labels.example] == labels.label).mean()
            for model in learner.round_.pred_probs
        ]
    # 1,350 labels, some of the same example: a standard error of 0.015.
    assert abs(np.mean(agreement) - 0.5) < 0.05


def test_of_a_large_pool_a_part_is_heard_of_and_the_classifier_speaks_for_the_rest(monkeypatch):
    monkeypatch.setattr(_round, "_MOST_HEARD", 150)
    X, truth, labels = problem(n=1200, start=80)
    learner = al.ActiveLearner(LogisticRegression(), FEW, cv=3, seed=0)
    learner.ask(X, labels, 5)
    student, committee = learner.round_.pred_probs
    rest = ~labels.labelled
    for model in (student, committee):
        np.testing.assert_allclose(model.sum(axis=1), 1)
        assert (model.argmax(axis=1) == truth)[rest].mean() > 0.8
    # Where the committee heard nothing it says what the classifier does, calibrated.
    alike = np.argsort(student, axis=1) == np.argsort(committee, axis=1)
    assert alike[rest].all(axis=1).sum() >= rest.sum() - 150
    assert learner.round_.training_label.shape == (1200,)
    assert (learner.round_.training_label >= 0).tolist() == labels.labelled.tolist()


def test_what_is_heard_follows_the_ids_and_known_answers(monkeypatch):
    monkeypatch.setattr(_round, "_MOST_HEARD", 150)
    _, _, labels = problem(n=1200, start=80)
    order = np.random.default_rng(1).permutation(1200)
    moved = labels.select(labels.examples[order], annotators=labels.annotators)
    known = np.full(1200, -1)
    known[500:520] = 1
    heard = _round._heard(labels, known, 3)
    assert heard.sum() == 250
    assert heard[:80].all()
    assert heard[500:520].all()
    assert _round._heard(moved, known[order], 3).tolist() == heard[order].tolist()


def test_a_kernel_learns_from_a_sample():
    X, truth, _ = problem(n=400)
    targets = np.eye(3)[truth]
    few = GaussianProcess(max_rows=100, random_state=0).fit(X, targets)
    assert len(few.rows_) == 100
    assert (few.predict(X).argmax(axis=1) == truth).mean() > 0.9


def test_better_members_weigh_more():
    _, truth, labels = problem(start=200)
    rng = np.random.default_rng(0)
    good = 0.8 * np.eye(3)[truth] + 0.2 / 3
    noise = rng.dirichlet(np.ones(3), len(truth))
    models = al.check_pred_probs([good, noise], labels)
    pool = committee_pool(labels, models)
    assert pool.exponents[0] > pool.exponents[1]
    assert pool.prior.lapses[1] > pool.prior.lapses[0]
    assert (pooled(labels, models)[0].argmax(axis=1) == truth).mean() > 0.98
    assert (al.consensus.CONSENSUS.get("committee").estimate(labels, models).label == truth)[
        :200
    ].mean() > 0.98


# ------------------------------------------------------------------ rare classes


def test_a_class_that_hard_labels_squeeze_keeps_its_weight():
    label, weight = np.array([0] * 9 + [1]), np.full(10, 0.8)
    asked = np.array([3.0, 1.0])
    found = unsqueezed(label, weight, np.array([7.0, 2.0]), asked)
    assert found.sum() == pytest.approx(weight.sum())
    assert found[9] / found[0] == pytest.approx(((2 / 0.8) / (7 / 7.2)) ** 2)
    absent = unsqueezed(np.zeros(5, dtype=int), np.ones(5), np.array([4.0, 1.0]), asked)
    np.testing.assert_allclose(absent, 1)


def test_a_rare_class_has_the_share_of_what_was_asked():
    label, weight = np.array([0] * 95 + [1] * 5), np.ones(100)
    alike = unsqueezed(label, weight, np.array([95.0, 5.0]), np.array([95.0, 5.0]))
    np.testing.assert_allclose(alike, 1)
    sought = unsqueezed(label, weight, np.array([95.0, 5.0]), np.array([20.0, 5.0]))
    assert sought[99] / sought[0] == pytest.approx(4**2)
    frequent = unsqueezed(label, weight, np.array([80.0, 20.0]), np.array([20.0, 50.0]))
    assert frequent[99] / frequent[0] == pytest.approx(((20 / 5) / (80 / 95)) ** 2)


def test_rare_classes_are_not_squeezed():
    """One example in ten of the rare class, which overlaps: found as often as by ActiveLab, and oftener."""
    found = {"taught": [], "activelab": []}
    for seed in range(4):
        X, truth, labels = problem(seed, n=700, start=250, k=2, spread=1.3, rates=[0.9, 0.1])
        for method, results in found.items():
            learner = al.ActiveLearner(LogisticRegression(), method, cv=3, seed=seed)
            learner.ask(X, labels, 5)
            right = learner.predict(X) == truth
            results.append([right[truth == 1].mean(), right.mean()])
    recall, accuracy = np.mean(found["taught"], axis=0) - np.mean(found["activelab"], axis=0)
    assert recall > 0.1
    assert accuracy > 0


# ------------------------------------------------------------------ the learner


def test_taught_helps_a_weak_classifier_and_says_so():
    rng = np.random.default_rng(3)
    X = rng.uniform(-1, 1, (600, 2))
    truth = (X[:, 0] * X[:, 1] > 0).astype(int)  # no line parts them
    matrix = np.full((600, 4), np.nan)
    for i in range(150):
        matrix[i, i % 4] = truth[i] if rng.random() < 0.85 else 1 - truth[i]
    labels = al.Labels.from_wide(matrix, classes=2)
    learner = al.ActiveLearner(LogisticRegression(), "taught", cv=3)
    learner.ask(X, labels, 10)
    assert any("consider a classifier like the helper" in note for note in learner.round_.notes)
    committee = learner.round_.pred_probs[-1]
    assert (committee.argmax(axis=1) == truth)[150:].mean() > 0.85


def test_probabilities_are_calibrated_as_used():
    X, _, labels = problem()
    learner = al.ActiveLearner(KNeighborsClassifier(), FEW, cv=3)
    learner.ask(X, labels, 5)
    a = learner.round_.assessment
    assert len(a.temperature) == len(a.lapse) == 2
    raw = np.mean([fold.predict_proba(X) for fold in learner.fold_models[0]], axis=0)
    raw = 0.99 * raw + 0.01 / 3 if raw.min() == 0 else raw
    raw **= 1 / a.temperature[0]
    raw /= raw.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(learner.predict_proba(X), (1 - a.lapse[0]) * raw + a.lapse[0] / 3, atol=1e-12)


def test_rounds_go_on_from_the_committee_before_and_are_reproducible():
    X, truth, labels = problem()
    runs = []
    for _ in range(2):
        learner, pool, batches = al.ActiveLearner(LogisticRegression(), FEW, cv=3, seed=4), labels, []
        for number in range(3):
            batch = learner.ask(X, pool, 10)
            batches.append(batch.examples.tolist())
            assert learner.state()[0].committee
            pool = pool.tell(batch.examples, annotator=f"expert-{number}", label=truth[batch.examples])
            again = al.ActiveLearner(LogisticRegression(), FEW, cv=3, seed=4)
            again.restore(learner.state())
            learner = again
        runs.append(batches)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("case", ["texts", "predictions", "one class"])
def test_without_features_it_is_frugal_and_says_so(case):
    X, _, labels = problem()
    options = {}
    model = LogisticRegression()
    if case == "texts":
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline

        X, model = (
            [" ".join(f"word{word}" for word in row) for row in X.round().astype(int)],
            make_pipeline(TfidfVectorizer(), model),
        )
    elif case == "predictions":
        trained = al.ActiveLearner(model, "frugal", cv=3)
        trained.ask(X, labels, 5)
        options["pred_probs"] = trained.round_.pred_probs
    else:
        labels = al.Labels.from_wide([[0, 0], [0, np.nan], [0, 0]], classes=1)
        X = X[:3]
    batches = {}
    for method in ("recommended", "frugal"):
        learner = al.ActiveLearner(model, method, cv=3)
        batches[method] = learner.ask(X, labels, 3, **options).examples.tolist()
        said = [note for note in learner.round_.notes if "no helpers could be used" in note]
        assert bool(said) == (method == "recommended")
        assert len(learner.round_.pred_probs) == 1
    assert batches["recommended"] == batches["frugal"]


def test_known_classes_are_learnt():
    X, truth, labels = problem(start=60)
    known = np.full(labels.n_examples, -1)
    known[100:140] = truth[100:140]
    learner = al.ActiveLearner(LogisticRegression(), FEW, cv=3)
    learner.ask(X, labels, 5, known=known)
    np.testing.assert_array_equal(learner.round_.training_label[100:140], truth[100:140])


def test_a_committee_may_be_the_prior_alone():
    X, _, labels = problem()
    learner = al.ActiveLearner(
        LogisticRegression(), "frugal+consensus=committee+training=cautious+helpers=logistic,own", cv=3
    )
    assert len(learner.ask(X, labels, 5)) == 5
    assert learner.round_.pred_probs.shape == (2, labels.n_examples, 3)


# ------------------------------------------------------------------ the strategy


def test_helpers_are_part_of_a_strategy():
    strategy = Strategy.parse("taught")
    assert strategy.consensus == "committee"
    assert str(strategy) == "taught"
    few = Strategy.parse(FEW)
    assert few.helpers == ("logistic", "neighbours", "own")
    assert Strategy.parse(str(few)) == few
    assert Strategy.parse("frugal+training=taught").helpers == strategy.helpers
    plain = strategy.without_helpers()
    assert (plain.consensus, plain.training, plain.passes, plain.helpers) == ("bayesian", "cautious", 2, ())
    assert Strategy("frugal").without_helpers() == Strategy("frugal")


@pytest.mark.parametrize("part", ["logistik", "sklearn.svm:nothing"])
def test_a_mistake_in_a_helper_is_named(part):
    X, _, labels = problem()
    with pytest.raises(al.InputError, match="helper"):
        al.ActiveLearner(LogisticRegression(), f"taught+helpers={part}").ask(X, labels, 5)


def test_what_cannot_learn_is_no_helper():
    X, _, labels = problem()
    with pytest.raises(al.InputError, match="a helper must have fit"):
        al.ActiveLearner(LogisticRegression(), Strategy("taught", helpers=[object])).ask(X, labels, 5)
