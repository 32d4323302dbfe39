"""Strategies replayed on the labels collected."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import activelab as al
from activelab.advice import advise
from activelab.cli import app
from activelab.simulation import make_model
from test_strategies import problem


@pytest.fixture(scope="module")
def crowd():
    X, truth, _ = problem(n=150)
    rng = np.random.default_rng(0)
    matrix = np.full((150, 8), np.nan)
    for i in range(150):
        who = rng.choice(8, 3, replace=False)
        matrix[i, who] = np.where(rng.random(3) < 0.8, truth[i], rng.integers(0, 3, 3))
    probs = 0.5 * np.eye(3)[truth] + 1 / 6
    return X, probs, al.Labels.from_wide(matrix, classes=3)


def test_with_features_classifiers_are_trained(crowd):
    X, _, labels = crowd
    found = advise(labels, X=X, strategies=("recommended", "random"), trials=2, cv=2, next_labels=50)
    assert {one.strategy for one in found.strategies} == {"recommended", "random"}
    areas = [one.area for one in found.strategies]
    assert areas == sorted(areas, reverse=True)
    assert found.strategies[0].error == 0
    assert [one.labels_per_example for one in found.depths] == [1, 2, 3]
    assert all(one.labels_per_example * one.examples <= found.budget for one in found.depths)
    assert found.labels_per_example in (1, 2, 3)
    assert 0 < found.forecast.labels <= 50
    assert "kept apart" in found.measure


def test_helpers_see_the_features_that_are_given(crowd):
    X, _, labels = crowd
    names = ("taught+helpers=logistic,own", "random")
    found = advise(labels, X=X, strategies=names, trials=1, cv=2)
    assert {one.strategy for one in found.strategies} == set(names)


def test_with_predictions_alone_the_consensus_is_measured(crowd):
    _, probs, labels = crowd
    found = advise(labels, probs, strategies=("activelab",), trials=1)
    assert found.strategies[0].accuracy > 0.8
    assert "all labelled examples" in found.measure
    assert any("no standard error" in note for note in found.notes)


def test_the_same_seed_gives_the_same_advice(crowd):
    _, probs, labels = crowd
    one, other = (advise(labels, probs, strategies=("recommended",), trials=2, seed=3) for _ in range(2))
    assert one == other


def test_labels_without_overlap_tell_nothing_of_depth(crowd):
    _, probs, _ = crowd
    labels = al.Labels(
        np.arange(150), np.arange(150) % 5, np.arange(150) % 3, examples=150, annotators=5, classes=3
    )
    found = advise(labels, probs, strategies=("random",), trials=1)
    assert found.depths == ()
    assert found.labels_per_example is None
    assert any("second label" in note for note in found.notes)


def test_bad_input_is_named(crowd):
    _, probs, labels = crowd
    with pytest.raises(al.InputError, match="features of the examples or the predictions"):
        advise(labels)
    few = al.Labels([0, 1], [0, 0], [0, 1], examples=150, annotators=1, classes=3)
    with pytest.raises(al.InputError, match="at least 40 labelled examples"):
        advise(few, probs)
    with pytest.raises(al.InputError, match="trials"):
        advise(labels, probs, trials=0)


# ------------------------------------------------------------------ the command line


@pytest.fixture
def files(crowd, tmp_path):
    X, probs, labels = crowd
    labels.to_long().to_csv(tmp_path / "labels.csv", index=False)
    for name, values in (("features", X), ("probs", probs)):
        frame = pd.DataFrame(values, columns=[str(column) for column in range(values.shape[1])])
        frame.insert(0, "example", range(len(frame)))
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    prices = pd.DataFrame({"annotator": labels.annotators, "price": 0.5})
    prices.to_csv(tmp_path / "prices.csv", index=False)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_advise_on_the_command_line(files):
    done = run(
        "advise", files / "labels.csv", "--features", files / "features.csv", "--trials", 1, "--json",
        "--strategy", "recommended,random", "-o", files / "advice.csv", "--label-price", 1, "--error-cost",
        50,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout.splitlines()[0])
    assert summary["best_strategy"] in ("recommended", "random")
    assert summary["next_worth"] >= 0
    assert summary["strategies"][0]["strategy"] == summary["best_strategy"]
    assert {"labels", "accuracy", "area", "error"} <= summary["strategies"][1].keys()
    assert sorted(pd.read_csv(files / "advice.csv").strategy) == ["random", "recommended"]
    assert run("advise", files / "labels.csv").exit_code != 0


def test_suggest_trains_on_features(files):
    out = files / "batch.csv"
    done = run(
        "suggest", files / "labels.csv", "-x", files / "features.csv", "-m", "taught+helpers=logistic,own",
        "-n", 10, "--json", "-o", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout.splitlines()[0])
    assert any("the committee of helpers agrees with" in note for note in summary["notes"])
    assert summary["n_models"] == 2  # the classifier and the committee
    features = pd.read_csv(files / "features.csv").drop(columns="example").to_numpy()
    labels = al.Labels.from_long(pd.read_csv(files / "labels.csv"), examples=range(150), classes=3)
    learner = al.ActiveLearner(make_model("logistic-regression"), "taught+helpers=logistic,own")
    assert pd.read_csv(out).example.tolist() == learner.ask(features, labels, 10).examples.tolist()


def test_suggest_says_that_predictions_alone_have_no_helpers(files):
    done = run(
        "suggest", files / "labels.csv", "-p", files / "probs.csv", "-m", "taught", "-n", 5, "--json",
        "-o", files / "batch.csv",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    notes = json.loads(done.stdout.splitlines()[0])["notes"]
    assert any("helpers need --features" in note for note in notes)


@pytest.mark.parametrize("given", [(), ("-p", "probs.csv", "-x", "features.csv")])
def test_suggest_wants_predictions_or_features(files, given):
    paths = [files / one if one.endswith("csv") else one for one in given]
    done = run("suggest", files / "labels.csv", *paths, "-o", files / "batch.csv")
    assert done.exit_code != 0
    assert "either --pred-probs or --features" in str(done.exception) + done.output


def test_suggest_says_who_should_label(files):
    out = files / "batch.csv"
    done = run(
        "suggest", files / "labels.csv", "-p", files / "probs.csv", "-m", "recommended", "-n", 10,
        "--assignment", "thompson", "--prices", files / "prices.csv", "--max-share", 0.3, "-o", out,
        "--batching", "diverse",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    batch = pd.read_csv(out)
    assert batch.annotator.value_counts().max() <= 3
    given = set(map(tuple, pd.read_csv(files / "labels.csv")[["example", "annotator"]].to_numpy().tolist()))
    assert not given & set(map(tuple, batch[["example", "annotator"]].to_numpy().tolist()))


def test_bayesian_consensus_on_the_command_line(files):
    done = run("consensus", files / "labels.csv", "-m", "bayesian", "-o", files / "consensus.csv")
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(files / "consensus.csv")) == 150
