from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, PredefinedSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import activelab as al
from activelab.classifiers import FoldModel


def data(n=120, k=3, seed=0, unlabelled=30):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    X = rng.normal(size=(n, 4)) + 3 * np.eye(4)[y]
    label = y.copy()
    label[rng.permutation(n)[:unlabelled]] = -1
    return X, y, label


def accuracy(result, y, model=0):
    return (result.pred_probs[model].argmax(axis=1) == y).mean()


@pytest.mark.parametrize(
    "form",
    [
        lambda X: X,
        lambda X: X.astype(np.float32),
        csr_array,
        lambda X: pd.DataFrame(X, columns=list("abcd"), index=range(1000, 1000 + len(X))),
        lambda X: X.tolist(),
    ],
)
def test_any_form_of_features(form):
    X, y, label = data()
    result = al.cross_val_pred_probs(LogisticRegression(), form(X), label, 3)
    assert result.pred_probs.shape == (1, 120, 3)
    np.testing.assert_allclose(result.pred_probs.sum(axis=2), 1, rtol=1e-6)
    assert accuracy(result, y) > 0.85
    assert result.notes == ()


def test_pipelines_over_mixed_columns_and_texts():
    X, y, label = data()
    frame = pd.DataFrame({"size": X[:, 0], "other": X[:, 1], "colour": np.array(["r", "g", "b"])[y]})
    mixed = make_pipeline(
        make_column_transformer((StandardScaler(), ["size", "other"]), (OneHotEncoder(), ["colour"])),
        LogisticRegression(),
    )
    assert accuracy(al.cross_val_pred_probs(mixed, frame, label, 3), y) > 0.95
    texts = [f"{['red', 'green', 'blue'][k]} thing" for k in y]
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    for X_text in (texts, np.array(texts, dtype=object), pd.Series(texts)):
        assert accuracy(al.cross_val_pred_probs(words, X_text, label, 3), y) > 0.95


def test_predictions_are_out_of_sample():
    """A classifier that memorises gets a labelled example wrong when its label is noise."""
    X, _, _ = data(n=200)
    noise = np.random.default_rng(1).integers(0, 3, 200)
    result = al.cross_val_pred_probs(KNeighborsClassifier(1), X, noise, 3)
    assert accuracy(result, noise) < 0.5
    assert set(result.folds) == {0, 1, 2, 3, 4}


def test_unlabelled_examples_get_the_mean_of_the_fold_models():
    X, _, label = data()
    result = al.cross_val_pred_probs(LogisticRegression(), X, label, 3)
    rest = label < 0
    mean = np.mean([fold.predict_proba(X[rest]) for fold in result.fold_models[0]], axis=0)
    np.testing.assert_allclose(result.pred_probs[0, rest], mean)
    assert (result.folds[rest] == -1).all()


def test_folds_are_stratified():
    y = np.repeat([0, 1, 2], [50, 20, 7])
    X = np.random.default_rng(0).normal(size=(77, 2))
    folds = al.cross_val_pred_probs(LogisticRegression(), X, y, 3).folds
    for k in range(3):
        sizes = np.bincount(folds[y == k], minlength=5)
        assert sizes.max() - sizes.min() <= 1
    assert np.ptp(np.bincount(folds)) <= 1


@pytest.mark.parametrize("model", [LogisticRegression(), ExtraTreesClassifier(20)])
def test_rare_and_missing_classes_keep_their_columns(model):
    X, _, label = data(k=3)
    label = np.where(label == 1, -1, label)
    label[1] = 1  # a single example of class 1
    result = al.cross_val_pred_probs(model, X, label, n_classes=5)
    assert result.pred_probs.shape == (1, 120, 5)
    assert (result.pred_probs[0, 1, [1, 3, 4]] == 0).all()
    assert "class codes 1" in result.notes[0]
    np.testing.assert_allclose(result.pred_probs.sum(axis=2), 1)


def test_one_class_in_use():
    X, _, _ = data()
    result = al.cross_val_pred_probs(LogisticRegression(), X, np.full(120, 2), 3)
    assert (result.pred_probs[0] == [0, 0, 1]).all()


def test_fewer_examples_than_folds():
    X, y, _ = data()
    label = np.full(120, -1)
    label[:3] = y[:3]
    result = al.cross_val_pred_probs(KNeighborsClassifier(1), X, label, 3)
    assert "3 folds instead of 5" in result.notes[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("missing", [None, 1, 2])
def test_xgboost(missing):
    from xgboost import XGBClassifier

    X, y, label = data()
    label = np.where(label == missing, -1, label) if missing is not None else label
    result = al.cross_val_pred_probs(XGBClassifier(n_estimators=10), X, label, 3)
    kept = y != missing if missing is not None else np.ones(120, dtype=bool)
    assert (result.pred_probs[0, kept].argmax(axis=1) == y[kept]).mean() > 0.85
    if missing is not None:
        assert (result.pred_probs[0][:, missing] == 0).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("missing", [None, 1, 2])
def test_skorch(missing):
    import torch
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    net = NeuralNetClassifier(
        torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(dim=-1)),
        max_epochs=30,
        lr=0.5,
        verbose=0,
        train_split=None,
    )
    X, y, label = data()
    label = np.where(label == missing, -1, label) if missing is not None else label
    result = al.cross_val_pred_probs(net, X.astype(np.float32), label.astype(np.int32), 3)
    kept = y != missing if missing is not None else np.ones(120, dtype=bool)
    assert (result.pred_probs[0, kept].argmax(axis=1) == y[kept]).mean() > 0.85


def test_seeds_decide_whatever_the_parallelism():
    X, _, label = data()
    models = [ExtraTreesClassifier(10), make_pipeline(StandardScaler(), ExtraTreesClassifier(10))]
    one = al.cross_val_pred_probs(models, X, label, 3, seed=1)
    two = al.cross_val_pred_probs(models, X, label, 3, seed=1, n_jobs=2)
    other = al.cross_val_pred_probs(models, X, label, 3, seed=2)
    assert (one.pred_probs == two.pred_probs).all()
    assert (one.pred_probs != other.pred_probs).any()
    fixed = al.cross_val_pred_probs(ExtraTreesClassifier(10, random_state=7), X, label, 3)
    assert fixed.fold_models[0][0].model.random_state == 7


def test_a_users_own_splitter():
    X, _, label = data(unlabelled=0)
    folds = al.cross_val_pred_probs(
        LogisticRegression(), X, label, 3, cv=PredefinedSplit(np.arange(120) // 40)
    ).folds
    assert folds.tolist() == (np.arange(120) // 40).tolist()
    with pytest.raises(al.InputError, match="every labelled example"):
        al.cross_val_pred_probs(
            LogisticRegression(), X, label, 3, cv=PredefinedSplit([-1] * 60 + [0] * 30 + [1] * 30)
        )
    with pytest.raises(ValueError, match="groups"):
        al.cross_val_pred_probs(LogisticRegression(), X, label, 3, cv=GroupKFold())


def test_bad_input_is_named():
    X, _, label = data()
    with pytest.raises(al.InputError, match="LinearSVC has no fit and predict_proba"):
        al.cross_val_pred_probs(LinearSVC(), X, label, 3)
    with pytest.raises(al.InputError, match="X has 119 rows, the pool 120"):
        al.cross_val_pred_probs(LogisticRegression(), X[1:], label, 3)
    with pytest.raises(al.InputError, match="at least two labelled examples, got 0"):
        al.cross_val_pred_probs(LogisticRegression(), X, np.full(120, -1), 3)
    with pytest.raises(al.InputError, match="cv must be an integer"):
        al.cross_val_pred_probs(LogisticRegression(), X, label, 3, cv=1)
    with pytest.raises(ValueError, match="NaN"):
        al.cross_val_pred_probs(LogisticRegression(), X * np.nan, label, 3)


class Odd(LogisticRegression):
    def __init__(self, columns=3, value=0.5):
        super().__init__()
        self.columns, self.value = columns, value

    def predict_proba(self, X):
        return np.full((len(X), self.columns), self.value)


def test_odd_predictions_are_named():
    X, y, _ = data()
    with pytest.raises(al.InputError, match="returned 7 columns for 3 classes"):
        FoldModel(Odd(7), X, y, 3, 0).predict_proba(X)
    with pytest.raises(al.InputError, match="NaN or infinity in row 0"):
        FoldModel(Odd(3, np.nan), X, y, 3, 0).predict_proba(X)
