"""Simulated ratings and sets: teams, rounds, scores, datasets and the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, f1_score, hamming_loss, mean_absolute_error
from typer.testing import CliRunner

import activelab as al
from activelab import InputError, LabelSets
from activelab.cli import app
from activelab.kinds import MULTILABEL, ORDINAL
from activelab.simulation import (
    Dataset,
    Experiment,
    ReplayedTeam,
    SimulatedSetTeam,
    SimulatedTeam,
    Simulation,
    initial_labels,
    load_dataset,
    make_team,
    results_table,
    run_experiment,
    simulate_rounds,
)


def ratings(n=400, points=5):
    rng = np.random.default_rng(0)
    truth = rng.integers(points, size=n)
    X = np.column_stack([truth + rng.normal(0, 1, n), rng.normal(size=n)])
    return Dataset("ratings", X, truth, np.arange(points), kind="ordinal")


def topics(n=400):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    truth = X[:, :4] + rng.normal(0, 0.7, (n, 4)) > [0, 0.8, 1.2, 1.8]
    return Dataset("topics", X, truth, np.arange(4), kind="multilabel")


def answers(team, n):
    """Everybody's answers about every example, shape (n_annotators, n, …)."""
    annotator, example = np.divmod(np.arange(n * team.n_annotators), n)
    found = team.answer(example, annotator)
    return found.reshape(team.n_annotators, n, *found.shape[1:])


def simulation(dataset, method, team, *, pool=300, first=60, batch=40, **options):
    rows, test = np.arange(pool), np.arange(pool, len(dataset.X))
    return Simulation(
        al.ActiveLearner(LogisticRegression(), method, 3, seed=1),
        dataset.X[rows],
        dataset.truth[rows],
        initial_labels(team, pool, len(dataset.classes), first, seed=2),
        team,
        X_test=dataset.X[test],
        truth_test=dataset.truth[test],
        batch_size=batch,
        kind=dataset.kind,
        seed=3,
        **options,
    )


# ------------------------------------------------------------------ teams


def test_raters_have_their_severity_and_their_spread():
    truth = np.full(4000, 4)
    team = SimulatedTeam.raters(truth, 9, np.array([0.0, 1.5, -1.0]), np.array([0.5, 1.0, 1.0]))
    off = answers(team, 4000) - 4
    assert off.mean(axis=1) == pytest.approx([0, 1.5, -1], abs=0.06)
    assert off.std(axis=1) == pytest.approx([0.5, 1, 1], abs=0.06)


@pytest.mark.parametrize("noise", [0.0, 0.2, 0.5])
def test_raters_err_as_often_as_the_noise_says_and_mostly_by_one(noise):
    dataset = ratings(1000)
    off = np.abs(answers(make_team("raters", dataset, np.arange(1000), noise=noise), 1000) - dataset.truth)
    assert (off > 0).mean() == pytest.approx(noise, abs=0.02)
    assert (off == 1).sum() >= 2 * (off > 1).sum()


def test_people_miss_classes_and_choose_them_without_reason():
    dataset = topics(4000)
    sensitivity, specificity = np.full((2, 4), 0.7), np.full((2, 4), 0.9)
    specificity[1] = 1
    said = answers(SimulatedSetTeam(dataset.truth, sensitivity, specificity), 4000)
    for code in range(4):
        applies = dataset.truth[:, code]
        assert said[:, applies, code].mean() == pytest.approx(0.7, abs=0.05)
        assert said[0, ~applies, code].mean() == pytest.approx(0.1, abs=0.03)
    assert not said[1, ~dataset.truth].any()


@pytest.mark.parametrize("kind", ["homogeneous", "heterogeneous"])
def test_teams_miss_as_many_classes_as_they_choose_without_reason(kind):
    dataset = topics(2000)
    said = answers(make_team(kind, dataset, np.arange(2000), noise=0.2, num_annotators=40), 2000)
    missed, chosen = (~said & dataset.truth).mean(), (said & ~dataset.truth).mean()
    assert missed / dataset.truth.mean() == pytest.approx(0.2, abs=0.05)
    assert chosen == pytest.approx(missed, rel=0.3)
    by_person = (said != dataset.truth).mean(axis=(1, 2))
    assert (np.ptp(by_person) > 0.05) == (kind == "heterogeneous")


# ------------------------------------------------------------------ rounds


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, found = rng.integers(5, size=(2, 200))
    labels = al.Labels([], [], [], examples=1, annotators=1, classes=[1, 2, 3, 4, 5])
    assert ORDINAL.scores(truth, found, labels) == pytest.approx(
        {
            "error": mean_absolute_error(truth, found),
            "kappa": cohen_kappa_score(truth, found, weights="quadratic"),
        }
    )
    truth, found = rng.random((2, 200, 3)) < [0.1, 0.3, 0.5]
    assert MULTILABEL.scores(truth, found, None) == pytest.approx(
        {"hamming": hamming_loss(truth, found), "f1": f1_score(truth, found, average="macro")}
    )


@pytest.mark.parametrize(
    ("dataset", "method", "base", "worse"),
    [
        (ratings(), "expected_loss", "random+consensus=ordinal+training=cautious+passes=2", "pool_error"),
        (topics(), "expected_loss", "random", "pool_hamming"),
    ],
    ids=["ratings", "sets"],
)
def test_expected_loss_beats_random_choice(dataset, method, base, worse):
    found = []
    for one in (method, base):
        team = make_team(
            "raters" if dataset.kind == "ordinal" else "heterogeneous",
            dataset, np.arange(300), noise=0.3, num_annotators=8,
        )  # fmt: skip
        rounds = list(simulate_rounds(simulation(dataset, one, team), 8))
        assert rounds[0].scores["pool_" + worse.removeprefix("pool_")] > rounds[-1].scores[worse]
        found.append(np.mean([each.scores[worse] for each in rounds]))
    assert found[0] < 0.95 * found[1]


@pytest.mark.parametrize("ask", ["either", "examples", "classes"])
def test_a_round_of_sets_costs_what_was_said_and_reveals_what_was_asked(ask):
    dataset = topics()
    team = make_team("homogeneous", dataset, np.arange(300), num_annotators=4)
    run = simulation(dataset, f"expected_loss+ask={ask}", team, class_price=0.4)
    for number in range(3):
        before, measured = run.labels, run.round()
        assert (measured.number, measured.labels) == (number, before)
        assert 40 - 0.4 <= run.spent - measured.spent <= 40 + 1e-9
        new = run.labels.asked.sum() - before.asked.sum()
        assert new == {"examples": 160, "classes": 100}.get(ask, new)
    said = team.answer(run.labels.example, run.labels.annotator)
    assert (run.labels.chosen == (said & run.labels.asked)).all()


def test_replayed_people_answer_everything_once_and_then_it_ends():
    dataset = topics(120)
    rng = np.random.default_rng(1)
    pairs = np.array([(e, a) for e in range(80) for a in rng.choice(4, rng.integers(1, 4), replace=False)])
    recorded = LabelSets(*pairs.T, dataset.truth[pairs[:, 0]], examples=80, annotators=4, classes=4)
    run = simulation(dataset, "expected_loss+ask=classes", ReplayedTeam(recorded), pool=80, first=30)
    rounds = list(simulate_rounds(run, 50))
    assert len(rounds) < 20
    assert run.labels == recorded


def test_a_restored_state_of_sets_goes_on_alike():
    dataset = topics()
    runs = [
        simulation(dataset, "expected_loss", make_team("homogeneous", dataset, np.arange(300)))
        for _ in range(2)
    ]
    runs[0].round()
    runs[1].restore(runs[0].state())
    assert runs[0].round().scores == runs[1].round().scores
    assert (runs[0].labels, runs[0].spent) == (runs[1].labels, runs[1].spent)


# ------------------------------------------------------------------ experiments


def folder(path, dataset):
    """A folder with recorded answers: three people, who are always right."""
    path.mkdir()
    np.savez(path / "features.npz", X=dataset.X, truth=dataset.truth.astype(int))
    texts = ["|".join(np.flatnonzero(row).astype(str)) or "|" for row in dataset.truth]
    if dataset.truth.ndim == 1:
        texts = dataset.truth.tolist()
    frames = [pd.DataFrame({"example": range(len(texts)), "annotator": who, "label": texts}) for who in "abc"]
    pd.concat(frames).to_csv(path / "labels.csv", index=False)
    return path


def test_a_folder_of_sets(tmp_path):
    made = topics(50)
    found = load_dataset(folder(tmp_path / "made", made))
    assert (found.kind, len(found.classes)) == ("multilabel", 4)
    assert (found.labels.chosen.reshape(50, 3, 4) == made.truth[:, None]).all()
    np.savez(tmp_path / "made" / "features.npz", X=made.X, truth=made.truth.astype(int) * 2)
    with pytest.raises(InputError, match="1 where a class applies, and 0"):
        load_dataset(tmp_path / "made")


def test_an_experiment_with_sets_is_stored(tmp_path):
    place = folder(tmp_path / "made", topics(200))
    fitting = Experiment.fitting(str(place))
    assert (fitting.kind, fitting.annotators, fitting.methods) == (
        "multilabel", "replay", ("expected_loss", "random"),
    )  # fmt: skip
    small = Experiment(
        **{**fitting.__dict__, "model": "logistic-regression", "rounds": 1, "trials": 1, "batch_size": 10}
    )
    assert list(run_experiment(small, tmp_path / "parts")) == [("expected_loss", 0, 2), ("random", 0, 2)]
    table = results_table(small, tmp_path / "parts").to_pandas()
    assert {"pool_f1", "pool_hamming", "consensus_f1", "test_f1"} <= set(table.columns)
    assert (table["consensus_accuracy"] == 1 - table["consensus_hamming"]).all()
    assert (table["consensus_accuracy"] > 0.9).all()


def test_kinds_are_simulated_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "stars", ratings(150))
    small = "--model logistic-regression --rounds 1 --trials 1 --batch-size 10"
    run = CliRunner().invoke(
        app, f"simulate --dataset stars --kind ordinal {small} -o r.parquet --json".split()
    )
    assert run.exit_code == 0, run.output
    said = json.loads(run.stdout)
    assert said["methods"]["method"] == ["expected_loss", "random+training=cautious+passes=2"]
    assert {"final_error", "final_kappa", "area_under_curve"} <= set(said["methods"])
    run = CliRunner().invoke(app, f"simulate --dataset stars --kind multilabel {small}".split())
    assert run.exit_code == 2
    assert "is for questions of the kind single, not multilabel" in run.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotators": "adversarial"}, "annotators 'adversarial' are not for answers that are sets"),
        ({"noise": 0.6}, "noise must lie between 0 and 1/2"),
        ({"methods": ("activelab",)}, "method activelab is not for answers that are sets"),
        ({"kind": "ordinal"}, "is for questions of the kind multilabel, not ordinal"),
    ],
)
def test_experiments_that_make_no_sense(tmp_path, change, message):
    given = {"dataset": "topics", "kind": "multilabel", "annotators": "homogeneous", "methods": ("random",)}
    with pytest.raises(InputError, match=message):
        list(run_experiment(Experiment(**given | change), tmp_path))
