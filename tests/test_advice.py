"""Strategies replayed on the labels collected."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import activelab as al
from activelab import LabelSets
from activelab.advice import advise
from activelab.cli import app
from activelab.kinds import MULTILABEL
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


# ------------------------------------------------------------------ ratings and sets


def rated(n=120, people=8):
    """Ratings of raters who differ in severity, three an example, and features."""
    rng = np.random.default_rng(0)
    truth, severity = rng.integers(5, size=n), rng.normal(0, 0.7, people)
    example, who = everybody(rng, n, people)
    said = np.clip(np.rint(truth[example] + severity[who] + rng.normal(0, 0.6, len(who))), 0, 4)
    labels = al.Labels(example, who, said.astype(int), examples=n, annotators=people, classes=5)
    return np.column_stack([truth + rng.normal(0, 1, n), rng.normal(size=n)]), labels


def chosen(n=120, people=8):
    """Sets of two classes, three answers an example, 15 % of the single answers wrong, and features."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 2))
    example, who = everybody(rng, n, people)
    said = (X > [0, 0.8])[example] ^ (rng.random((len(who), 2)) < 0.15)
    return X, LabelSets(example, who, said, examples=n, annotators=people, classes=["a", "b"])


def everybody(rng, n, people):
    return np.repeat(np.arange(n), 3), np.concatenate([rng.permutation(people)[:3] for _ in range(n)])


def test_ratings_are_replayed_on_their_scale():
    X, labels = rated()
    found = advise(labels, X=X, kind="ordinal", trials=1, cv=2)
    assert {one.strategy.partition("+")[0] for one in found.strategies} == {"expected_loss", "random"}
    assert found.measure.startswith("quadratic weighted kappa with the consensus of all labels")
    assert 0.5 < found.strategies[0].accuracy <= 1
    assert found.forecast is None
    assert any("what the next labels buy cannot be told" in note for note in found.notes)


def test_sets_are_replayed_in_whole_answers_and_single_ones():
    _, sets = chosen()
    probs = np.full((120, 2), 0.3)
    found = advise(sets, probs, trials=2, class_price=0.5, next_labels=60, label_price=0.1, error_cost=1)
    ends = {one.strategy: one.labels for one in found.strategies}
    assert set(ends) == {"expected_loss", "expected_loss+ask=examples", "random"}
    assert max(ends.values()) - min(ends.values()) <= 1  # all cost the same
    assert found.strategies[0].strategy != "random"
    assert found.depths[0].labels_per_example == 1
    assert found.forecast.labels == 60
    assert 0 < found.forecast.errors_removed < found.forecast.errors_now
    assert found.forecast.accuracy == pytest.approx(0.85, abs=0.05)


def test_the_forecast_of_sets_is_what_the_answers_remove():
    rng = np.random.default_rng(0)
    truth = rng.random((400, 3)) < [0.5, 0.3, 0.2]
    probs = np.where(truth ^ (rng.random((400, 3)) < 0.2), 0.8, 0.2)
    example, who = np.repeat(np.arange(200), 2), np.tile([0, 1], 200)
    pairs = np.concatenate([example, np.arange(200, 400)]), np.concatenate([who, np.full(200, 2)])
    said = truth[pairs[0]] ^ (rng.random((600, 3)) < 0.1)
    told = [
        LabelSets(pairs[0][:size], pairs[1][:size], said[:size], examples=400, annotators=3, classes=3)
        for size in (400, 600)
    ]
    wrong = [
        (MULTILABEL.decide(MULTILABEL.posterior(one, (probs,)), one, "hamming") != truth).sum()
        for one in told
    ]
    found = MULTILABEL.outlook(told[0], (probs,), "hamming")
    assert found.errors_now == pytest.approx(wrong[0], rel=0.3)
    # A first answer about the other half, of which `removed` tells where one alone is best.
    assert (found.taken[200:] == 1).all()
    assert found.removed[200:].sum() == pytest.approx(wrong[0] - wrong[1], rel=0.3)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (rated, {"kind": "ordinal", "label_price": 1, "error_cost": 2}, "cannot be told of ordinal answers"),
        (rated, {"kind": "multilabel"}, "of the kind multilabel are given as LabelSets"),
        (chosen, {"kind": "single"}, "of the kind single are given as Labels"),
        (chosen, {"families": {0: "x"}}, "makes no use of known answers and families"),
        (chosen, {"strategies": ("expected_loss+assignment=thompson",)}, "assignment thompson is not for"),
        (chosen, {"loss": "quadratic"}, "unknown loss of multilabel answers"),
    ],
)
def test_what_cannot_be_told_of_a_kind_is_refused(make, options, message):
    _, labels = make()
    probs = np.full((120, labels.n_classes), 1 / labels.n_classes)
    with pytest.raises(al.InputError, match=message):
        advise(labels, probs, trials=1, **options)


def test_partial_answers_are_not_replayed():
    _, sets = chosen()
    sets = sets.tell([0], annotator="new", label_sets=[["a"]], asked=[["a"]])
    with pytest.raises(al.InputError, match="some of these are about some classes only"):
        advise(sets, np.full((120, 2), 0.3))


# ------------------------------------------------------------------ the command line


def test_kinds_are_advised_on_the_command_line(tmp_path):
    X, sets = chosen()
    sets.to_long().to_csv(tmp_path / "sets.csv", index=False)
    frame = pd.DataFrame(X, columns=["x", "y"])
    frame.insert(0, "example", range(len(frame)))
    frame.to_csv(tmp_path / "features.csv", index=False)
    features = ("--features", tmp_path / "features.csv", "--kind", "multilabel")
    done = run(
        "advise", tmp_path / "sets.csv", *features, "--trials", 1, "-s", "expected_loss,random", "--json"
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["measure"].startswith("mean F1 of the classes")
    assert said["next_errors_removed"] > 0
    done = run("suggest", tmp_path / "sets.csv", *features, "-n", 4, "--ask", "classes", "--loss", "f1")
    assert done.exit_code == 0, done.output
    assert {line.split(",")[1] for line in done.stdout.splitlines()[1:]} <= {"a", "b"}
    done = run("advise", tmp_path / "sets.csv", *features[:2], "--kind", "single", "--class-price", 0.5)
    assert "--class-price goes with --kind multilabel" in done.output


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
