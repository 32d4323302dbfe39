"""ActiveLearner with ratings and with answers that are sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier

import activelab as al
from activelab import InputError, LabelSets
from activelab.set_classifiers import cross_val_set_probs

CLASSES = ["common", "rare", "never"]


def pool(n=300, answered=120):
    """Features that say which classes apply, and answers of two people about some examples."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    truth = np.stack([X[:, 0] > 0, X[:, 1] > 1, np.zeros(n, bool)], axis=1)
    example = np.arange(answered)
    said = truth[example] ^ (rng.random((answered, 3)) < [0.1, 0.02, 0])
    sets = LabelSets(example, example % 2, said, examples=n, annotators=["ann", "bob"], classes=CLASSES)
    return X, truth, sets


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        OneVsRestClassifier(LogisticRegression()),
        MultiOutputClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression()),
        [LogisticRegression(), LogisticRegression(C=0.1)],
    ],
    ids=["binary", "rest", "output", "chain", "ensemble"],
)
def test_any_classifier_learns_sets(model):
    X, truth, sets = pool()
    learner = al.ActiveLearner(model, seed=1)
    batch = learner.ask(X, sets, batch_size=20)
    found = learner.predict_proba(X[120:])
    assert ((found > 0.5) == truth[120:]).mean() > 0.93
    assert set(batch.classes.tolist()) <= {"common", "rare", None}  # of what never applies nothing is asked
    assert learner.predict(X[120:])[0] == tuple(np.array(CLASSES)[found[0] > 0.5])
    assert learner.set_round_.pred_probs.shape == (np.size(model), 300, 3)


@pytest.mark.parametrize("model", [LogisticRegression(), ClassifierChain(LogisticRegression())])
def test_probabilities_are_out_of_sample(model):
    rng = np.random.default_rng(3)
    X, label = rng.normal(size=(60, 60)), rng.integers(0, 2, (60, 2))
    label[:6] = -1
    found = cross_val_set_probs(model, X, label, cv=3).pred_probs[0]
    # With as many features as rows a model that had seen an answer would know it.
    assert abs(((found > 0.5) == (label == 1))[6:].mean() - 0.5) < 0.2
    assert ((found > 0) & (found < 1)).all()


def test_answers_about_one_class_teach_that_class():
    X, truth, sets = pool(answered=60)
    rows = np.arange(60, 300)
    about = [["rare"]] * len(rows)
    chosen = [["rare"] if yes else [] for yes in truth[rows, 1]]
    more = sets.tell(rows, annotator="bob", label_sets=chosen, asked=about)
    right = []
    for answers in (sets, more):
        learner = al.ActiveLearner(LogisticRegression())
        learner.ask(X, answers, 1)
        right.append(((learner.predict_proba(X) > 0.5) == truth).mean(axis=0))
    assert right[1][1] > right[0][1]
    assert right[1][0] == pytest.approx(right[0][0], abs=0.02)
    of_all = al.ActiveLearner(OneVsRestClassifier(LogisticRegression()))
    of_all.ask(X, more, 1)
    assert any("240 examples with answers about some" in note for note in of_all.set_round_.notes)


def test_features_of_sets_are_matched_by_id():
    X, _, sets = pool()
    frame = pd.DataFrame(X).assign(example=np.arange(300)).sample(frac=1, random_state=0)
    one, other = (al.ActiveLearner(LogisticRegression(), "expected_loss+ask=examples") for _ in range(2))
    assert [*one.ask(frame, sets, 5)] == [*other.ask(X, sets, 5)]


def test_predictions_and_what_is_known_of_sets():
    _, truth, sets = pool()
    learner = al.ActiveLearner(method="random+ask=classes+loss=f1")
    known = np.full((300, 3), -1)
    known[:, 0] = truth[:, 0]
    batch = learner.ask(None, sets, 4, pred_probs=np.full((300, 3), 0.3), known=known, class_price=0.5)
    assert None not in batch.classes.tolist()
    assert batch.price.tolist() == [0.5] * 4
    assert (learner.set_round_.consensus.posterior[:, 0] == truth[:, 0]).all()


def test_ratings_are_predicted_by_their_loss():
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 6, 400)
    X = (truth + rng.normal(0, 1.2, 400))[:, None]
    labels = al.Labels(
        np.arange(200), np.zeros(200, int), truth[:200] - 1,
        examples=400, annotators=1, classes=[1, 2, 3, 4, 5],
    )  # fmt: skip
    off = {}
    for loss in ("zero_one", "absolute", "quadratic"):
        learner = al.ActiveLearner(LogisticRegression(), f"expected_loss+loss={loss}")
        learner.ask(X, labels, 10)
        off[loss] = learner.predict(X[200:]).astype(int) - truth[200:]
    assert np.abs(off["absolute"]).mean() < np.abs(off["zero_one"]).mean()
    assert (off["quadratic"] ** 2).mean() < (off["zero_one"] ** 2).mean()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("activelab", "method activelab is not for answers that are sets"),
        ("expected_loss+batching=diverse", "batching diverse is not for"),
        ("expected_loss+loss=quadratic", "unknown loss of sets 'quadratic'"),
        ("expected_loss+ask=nobody", "unknown ask 'nobody'"),
    ],
)
def test_strategies_that_are_not_for_sets(method, message):
    X, _, sets = pool()
    with pytest.raises(InputError, match=message):
        al.ActiveLearner(LogisticRegression(), method).ask(X, sets)


def test_parts_that_are_for_sets_alone():
    labels = al.Labels.from_wide([[0, 1], [1, 1]])
    for part in ("ask=classes", "loss=f1"):
        with pytest.raises(InputError, match=f"{part} is for answers that are sets"):
            al.suggest(labels, np.full((2, 2), 0.5), method=f"expected_loss+{part}")
    with pytest.raises(InputError, match="goes with the method expected_loss"):
        al.Strategy.parse("entropy+loss=quadratic")
    with pytest.raises(InputError, match="class_price is for answers that are sets"):
        al.ActiveLearner().ask(None, labels, pred_probs=np.full((2, 2), 0.5), class_price=1)
