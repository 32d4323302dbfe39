"""How far something is: told to functions, silent on request and outside notebooks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import activelab as al
from activelab._progress import shown, time_left
from activelab.advice import advise
from activelab.simulation import Experiment, run_experiment


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    truth = np.arange(80) % 2
    X = rng.normal(size=(80, 2)) + 2 * truth[:, None]
    records = [(i, f"a{j}", int(truth[i])) for i in range(60) for j in rng.choice(4, 2, replace=False)]
    return X, al.Labels.from_records(records, classes=2, examples=80)


def test_training_tells_every_fit_of_every_pass(problem):
    X, labels = problem
    told = []
    learner = al.ActiveLearner([LogisticRegression(), LogisticRegression(C=0.1)], "frugal", cv=3)
    learner.ask(X, labels, 5, progress=lambda *one: told.append(one))
    assert told == [("training", done, 12) for done in range(1, 13)]


def test_helpers_and_the_classifier_they_teach_are_told(problem):
    X, labels = problem
    told = []
    learner = al.ActiveLearner(LogisticRegression(), "recommended+helpers=logistic,own", cv=3)
    learner.ask(X, labels, 5, progress=lambda *one: told.append(one))
    assert told == [
        *(("helpers", done, 12) for done in range(1, 13)),
        *(("training", done, 3) for done in range(1, 4)),
    ]


def test_advice_and_experiments_tell_what_they_do(problem, tmp_path):
    X, labels = problem
    told = []
    advise(labels, X=X, strategies=["activelab", "random"], trials=2, progress=lambda *one: told.append(one))
    assert [one[0] for one in told] == ["activelab"] * 2 + ["random"] * 2 + ["labels an example", "done"]
    assert [one[1:] for one in told] == [(done, 5) for done in range(6)]
    told.clear()
    experiment = Experiment(
        dataset="digits", model="logistic-regression", methods=("random",), labelled=40, unlabelled=40,
        test=100, rounds=1, batch_size=10, trials=2, num_annotators=5,
    )  # fmt: skip
    runs = list(run_experiment(experiment, tmp_path / "parts", progress=lambda *one: told.append(one)))
    assert told == [("", 0, 2), *((f"random, trial {t}", n, 2) for n, (_, t, _) in enumerate(runs, 1))]


@pytest.mark.parametrize("wanted", [None, True, False])
def test_outside_a_notebook_nothing_is_shown(wanted, capsys):
    with shown(wanted) as show:
        show("work", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_the_time_left_follows_the_pace():
    assert time_left(10, 5, 10) == "10 s left"
    assert time_left(600, 1, 10) == "90 min left"
    assert time_left(3600, 1, 5) == "4.0 h left"
    assert time_left(5, 5, None) == time_left(5, 0, 10) == ""
