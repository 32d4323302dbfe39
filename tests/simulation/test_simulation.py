"""Teams of annotators, rounds with them, and experiments that can be killed."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import activelab as al
from activelab.simulation import (
    TEAMS,
    Dataset,
    Experiment,
    ReplayedTeam,
    SimulatedTeam,
    Simulation,
    initial_labels,
    make_model,
    make_team,
    model_names,
    results_table,
    run_experiment,
    simulate_rounds,
)

SIMULATED = [kind for kind in TEAMS.names() if kind != "replay"]
RELABELLING = ["active_label_cleaning", "relabel_random"]
METHODS = ["activelab", "random", "good_random", "entropy", "uncertainty", "disagreement", *RELABELLING]


def made(n=600, k=4, *, seed=0, recorded=None):
    """A dataset of well-separated clusters; column 0 of X is the row."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n) % k)
    X = np.column_stack([np.arange(n), rng.normal(size=(n, k)) + 3 * np.eye(k)[truth]])
    return Dataset("made", X, truth, np.arange(k), recorded)


def ask_all(team, n):
    """Everybody's answer on every example, shape (n, n_annotators)."""
    example, annotator = np.divmod(np.arange(n * team.n_annotators), team.n_annotators)
    return team.answer(example, annotator).reshape(n, -1)


def frequencies(team, truth, k):
    """How often each annotator said l when the truth was k, shape (n_annotators, k, k)."""
    counts = np.zeros((team.n_annotators, k, k))
    answers = ask_all(team, len(truth))
    np.add.at(counts, (np.arange(team.n_annotators), truth[:, None], answers), 1)
    return counts / counts.sum(axis=2, keepdims=True)


def crowd(dataset, seed=0, people=8, each=(1, 4)):
    """Recorded labels of a dataset: some people on each example, four in five right."""
    rng = np.random.default_rng(seed)
    n, k = len(dataset.truth), len(dataset.classes)
    records = [
        (i, j, int(dataset.truth[i] if rng.random() < 0.8 else rng.integers(k)))
        for i in range(n)
        for j in rng.choice(people, rng.integers(*each, endpoint=True), replace=False)
    ]
    return al.Labels(*zip(*records, strict=True), examples=n, annotators=people, classes=k)


def triples(labels):
    """The labels as a set of (example, annotator, label), all of them codes."""
    columns = labels.example.tolist(), labels.annotator.tolist(), labels.label.tolist()
    return set(zip(*columns, strict=True))


# ------------------------------------------------------------------ teams


@pytest.mark.parametrize("kind", [kind for kind in SIMULATED if kind != "difficulty"])
@pytest.mark.parametrize("k", [2, 5])
def test_answers_follow_the_confusion_matrices(kind, k):
    dataset = made(3000, k)
    team = make_team(kind, dataset, np.arange(3000), noise=0.2, seed=3)
    found, wanted = frequencies(team, dataset.truth, k), team.confusion
    # Five standard deviations of a share of 3000 / k answers.
    deviation = np.sqrt(wanted * (1 - wanted) * k / 3000)
    assert (np.abs(found - wanted) <= 5 * deviation + 1e-9).all()
    assert np.abs(found.mean(axis=0) - wanted.mean(axis=0)).max() < 0.015


@pytest.mark.parametrize(("noise", "k"), [(0.15, 4), (0.12, 10), (0.4, 4), (0.3, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_class_conditional_noise_has_its_trace_and_uneven_classes(noise, k, seed):
    team = make_team("class-conditional", made(k=k), np.arange(600), noise=noise, seed=seed)
    assert (team.confusion == team.confusion[0]).all()
    diagonal = team.confusion[0].diagonal()
    assert diagonal.sum() == pytest.approx((1 - noise) * k)
    assert np.ptp(diagonal) > 0.02
    assert diagonal.min() >= 0.5 - 1e-12
    off = team.confusion[0][~np.eye(k, dtype=bool)].reshape(k, -1)
    assert k == 2 or (np.ptp(off, axis=1) > 0.01).any()


def test_heterogeneous_teams_have_very_bad_outliers():
    dataset = made(2000)
    team = make_team("heterogeneous", dataset, np.arange(2000), noise=0.15)
    right = (ask_all(team, 2000) == dataset.truth[:, None]).mean(axis=0)
    assert (right < 0.35).sum() == 3
    others = right[right >= 0.35]
    assert others.min() >= 0.65
    assert np.ptp(others) > 0.15
    assert others.mean() == pytest.approx(0.85, abs=0.04)


def test_adversaries_give_the_next_class_and_spammers_anything():
    dataset = made(3000)
    team = make_team("adversarial", dataset, np.arange(3000), noise=0.1)
    answers = ask_all(team, 3000)
    wrong = (answers == ((dataset.truth + 1) % 4)[:, None]).all(axis=0)
    assert wrong.sum() == 3
    right = (answers == dataset.truth[:, None]).mean(axis=0)
    assert (np.abs(right - 0.25) < 0.04).sum() == 3
    assert (np.abs(right - 0.9) < 0.03).sum() == 24


def test_difficulty_concentrates_errors():
    dataset = made(2000)
    shares = {}
    for kind in ("difficulty", "homogeneous"):
        team = make_team(kind, dataset, np.arange(2000), noise=0.15, num_annotators=50)
        wrong = (ask_all(team, 2000) != dataset.truth[:, None]).mean(axis=1)
        shares[kind] = np.sort(wrong)[-500:].sum() / wrong.sum()
        # An error is never surer than a random answer: 3/4, and four standard deviations of 50 answers.
        assert wrong.max() < 0.75 + 4 * np.sqrt(0.75 * 0.25 / 50)
    assert shares["difficulty"] > 0.7
    assert shares["homogeneous"] < 0.45


@pytest.mark.parametrize("kind", ["homogeneous", "heterogeneous", "class-conditional", "difficulty"])
@pytest.mark.parametrize(("noise", "k"), [(0.0, 3), (0.15, 4), (0.3, 10), (0.4, 2), (0.45, 2), (0.5, 2)])
def test_the_mean_error_is_the_noise(kind, noise, k):
    dataset = made(2000, k)
    team = make_team(kind, dataset, np.arange(2000), noise=noise, num_annotators=40, seed=1)
    wrong = ask_all(team, 2000) != dataset.truth[:, None]
    if kind == "heterogeneous":
        wrong = wrong[:, 4:]  # without the outliers; the spread of 36 accuracies remains
        assert wrong.mean() == pytest.approx(noise, abs=0.06)
    else:
        assert wrong.mean() == pytest.approx(noise, abs=0.01)


def test_a_team_without_noise_is_always_right():
    dataset = made()
    for kind in ("homogeneous", "class-conditional", "difficulty"):
        team = make_team(kind, dataset, np.arange(600), noise=0)
        assert (ask_all(team, 600) == dataset.truth[:, None]).all()


@pytest.mark.parametrize("kind", TEAMS.names())
def test_answers_depend_on_example_and_annotator_alone(kind):
    dataset = made(80)
    dataset = replace(dataset, labels=crowd(dataset))
    teams = [make_team(kind, dataset, np.arange(5, 80), num_annotators=7, seed=s) for s in (1, 1, 2)]
    pairs = np.array([(e, a) for e in range(75) for a in teams[0].candidates(e)])
    answers = teams[0].answer(*pairs.T)
    order = np.random.default_rng(0).permutation(len(pairs))
    assert (teams[1].answer(*pairs[order].T) == answers[order]).all()
    one_by_one = [int(teams[1].answer(*pair[:, None])[0]) for pair in pairs[order][:60]]
    assert one_by_one == answers[order][:60].tolist()
    assert (teams[0].answer(*pairs.T) == answers).all()
    if kind != "replay":
        assert (teams[2].answer(*pairs.T) != answers).any()


@pytest.mark.parametrize("kind", ["homogeneous", "replay"])
def test_nobody_is_asked_twice_and_everybody_once(kind):
    dataset = made(50)
    recorded = crowd(dataset, people=6, each=(0, 4))
    team = make_team(kind, replace(dataset, labels=recorded), np.arange(50), num_annotators=4, seed=0)
    rng = np.random.default_rng(0)
    labels = al.Labels([], [], [], examples=50, annotators=team.annotators, classes=4)
    candidates = [set(team.candidates(e).tolist()) for e in range(50)]
    for number in range(5):
        left = np.array([len(c) > number for c in candidates])
        assert (team.can_answer(labels) == left).all()
        chosen = team.choose(labels, np.arange(50), rng)
        assert ((chosen >= 0) == left).all()
        # Labels refuses a second label of an annotator on an example.
        labels = labels.tell(
            np.flatnonzero(left),
            annotator=team.annotators[chosen[left]],
            label=team.answer(np.flatnonzero(left), chosen[left]),
        )
    assert [set(a) for a in people_of(labels)] == candidates
    if kind == "replay":
        assert triples(labels) == triples(recorded)


def people_of(labels):
    return [labels.annotator[a:b].tolist() for a, b in itertools.pairwise(labels.offsets)]


def test_annotators_are_chosen_evenly():
    team = SimulatedTeam(np.zeros(4000, int), np.tile(np.eye(2), (5, 1, 1)))
    labels = al.Labels(range(4000), [0] * 4000, [0] * 4000, examples=4000, annotators=5, classes=2)
    chosen = team.choose(labels, np.arange(4000), np.random.default_rng(0))
    counts = np.bincount(chosen, minlength=5)
    assert counts[0] == 0
    assert np.abs(counts[1:] - 1000).max() < 4 * np.sqrt(4000 * 0.25 * 0.75)


def test_replay_reveals_what_was_recorded_and_nothing_else():
    dataset = made(40)
    recorded = crowd(dataset)
    rows = np.random.default_rng(0).permutation(40)[:30]
    team = make_team("replay", replace(dataset, labels=recorded), rows)
    said = {(e, a): label for e, a, label in triples(recorded)}
    for position, row in enumerate(rows.tolist()):
        people = sorted(a for e, a in said if e == row)
        assert team.candidates(position).tolist() == people
        answers = team.answer(np.full(len(people), position), np.array(people))
        assert answers.tolist() == [said[row, a] for a in people]
        for stranger in set(range(8)) - set(people):
            with pytest.raises(al.InputError, match="never recorded"):
                team.answer(np.array([position]), np.array([stranger]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "homogenous"}, "Did you mean 'homogeneous'"),
        ({"noise": -0.1}, "noise must lie between 0 and 1 - 1/K = 0.75, got -0.1"),
        ({"noise": 0.76}, "noise must lie"),
        ({"noise": float("nan")}, "noise must lie"),
        ({"num_annotators": 0}, "num_annotators must be at least 1, got 0"),
        ({"kind": "replay"}, "'made' has no recorded labels"),
    ],
)
def test_bad_teams_are_named(changes, message):
    kind = changes.pop("kind", "homogeneous")
    with pytest.raises(al.InputError, match=message):
        make_team(kind, made(), np.arange(10), **changes)


@pytest.mark.parametrize("confusion", [np.eye(2), np.ones((3, 2, 2)), [[[1.5, -0.5], [0, 1]]]])
def test_bad_confusion_matrices_are_refused(confusion):
    with pytest.raises(al.InputError, match="confusion"):
        SimulatedTeam(np.zeros(3, int), confusion)


def test_initial_labels_are_mostly_one_each():
    dataset = made(6000)
    team = make_team("homogeneous", dataset, np.arange(6000))
    labels = initial_labels(team, 6000, 4, 5000, seed=2)
    assert labels.counts[5000:].max() == 0
    shares = np.bincount(labels.counts[:5000], minlength=5) / 5000
    np.testing.assert_allclose(shares, [0, 0.8985, 0.0965, 0.0045, 0.0005], atol=0.02)
    assert labels == initial_labels(team, 6000, 4, 5000, seed=2)
    assert initial_labels(team, 6000, 4, 5000, single_label=True).counts[:5000].tolist() == [1] * 5000


def test_initial_labels_of_recorded_people_are_theirs():
    dataset = made(300)
    recorded = crowd(dataset, each=(0, 2))
    labels = initial_labels(ReplayedTeam(recorded), 300, 4, 200)
    assert triples(labels) <= triples(recorded)
    assert (labels.labelled[:200] == recorded.labelled[:200]).all()
    assert not labels.labelled[200:].any()


# ------------------------------------------------------------------ rounds


class WatchedTeam(ReplayedTeam):
    """Notes every label it reveals."""

    def __init__(self, recorded):
        super().__init__(recorded)
        self.revealed = set()

    def answer(self, example, annotator):
        label = super().answer(example, annotator)
        self.revealed |= set(zip(example.tolist(), annotator.tolist(), label.tolist(), strict=True))
        return label


class WatchedLearner(al.ActiveLearner):
    """Notes the labels of every round."""

    seen = ()

    def ask(self, X, labels, *args, **kwargs):
        self.seen = (*self.seen, labels)
        return super().ask(X, labels, *args, **kwargs)


class WatchedNB(ClassifierMixin, BaseEstimator):
    """Naive Bayes that notes the rows (column 0) and classes it is fitted on."""

    fits: tuple[tuple[list[int], list[int]], ...] = ()

    def fit(self, X, y):
        WatchedNB.fits = (*WatchedNB.fits, (X[:, 0].astype(int).tolist(), y.tolist()))
        self.inner_ = GaussianNB().fit(X[:, 1:], y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X[:, 1:])


POOL, TEST = np.arange(150), np.arange(150, 250)


def simulation(method="activelab", *, team=None, dataset=None, truth=None, truth_test=None, **kwargs):
    """Rounds over the first 150 examples of 250, 40 of them labelled at first."""
    dataset = made(250, 3) if dataset is None else dataset
    team = make_team("homogeneous", dataset, POOL, noise=0.3, num_annotators=5) if team is None else team
    models = [WatchedNB(), KNeighborsClassifier()] if method == "disagreement" else WatchedNB()
    learner = kwargs.pop("learner", None) or WatchedLearner(models, method, 3, seed=1)
    return Simulation(
        learner,
        dataset.X[POOL],
        dataset.truth[POOL] if truth is None else truth,
        initial_labels(team, 150, 3, 40, single_label=kwargs.get("single_label", False)),
        team,
        X_test=dataset.X[TEST],
        truth_test=dataset.truth[TEST] if truth_test is None else truth_test,
        **{"batch_size": 20, "seed": 1} | kwargs,
    )


@pytest.mark.parametrize("method", METHODS)
def test_no_label_is_used_before_it_is_asked_for(method):
    dataset = made(250, 3)
    recorded = crowd(dataset).select(POOL)
    team = WatchedTeam(recorded)
    watched = simulation(method, team=team, dataset=dataset, batch_size=10)
    for _ in range(4):
        known = set(team.revealed)
        assert triples(watched.labels) == known
        WatchedNB.fits = ()
        measured = watched.round()
        assert triples(watched.learner.seen[-1]) == triples(measured.labels) == known
        assert len(team.revealed) == len(known) + 10
        assert known < team.revealed <= triples(recorded)
        # What the classifiers see: labelled rows, each with a class somebody gave it.
        given = {(example, label) for example, _, label in known}
        assert len(WatchedNB.fits) == 3
        for rows, classes in WatchedNB.fits:
            assert set(rows) <= {example for example, _ in given}
            if method != "activelab":  # the others train on the majority vote
                assert set(zip(rows, classes, strict=True)) <= given


@pytest.mark.parametrize("method", METHODS)
def test_recorded_labels_that_are_never_asked_for_change_nothing(method):
    dataset = made(250, 3)
    recorded = crowd(dataset).select(POOL)
    one = simulation(method, team=WatchedTeam(recorded), dataset=dataset)
    first = list(simulate_rounds(one, 4))
    hidden = [t not in one.team.revealed for t in zip(*codes(recorded), strict=True)]
    assert 20 < sum(hidden) < len(hidden) - 20
    flipped = np.where(hidden, (recorded.label + 1) % 3, recorded.label)
    other = al.Labels(*codes(recorded)[:2], flipped, examples=150, annotators=8, classes=3)
    two = simulation(method, team=ReplayedTeam(other), dataset=dataset)
    assert table_of(first) == table_of(simulate_rounds(two, 4))
    assert one.labels == two.labels


def codes(labels):
    return labels.example.tolist(), labels.annotator.tolist(), labels.label.tolist()


def table_of(rounds, *left_out):
    """All that rounds measure but the time they took."""
    timed = {"seconds", "fit_seconds", *left_out}
    return [
        {k: triples(v) if k == "labels" else v for k, v in vars(one).items() if k not in timed}
        for one in rounds
    ]


@pytest.mark.parametrize("method", METHODS)
def test_truth_of_the_test_reaches_no_training(method):
    dataset = made(250, 3)
    one, two = (
        simulation(method, dataset=dataset, truth_test=truth)
        for truth in (dataset.truth[TEST], (dataset.truth[TEST] + 1) % 3)
    )
    first, second = list(simulate_rounds(one, 3)), list(simulate_rounds(two, 3))
    measures = "test_accuracy", "test_accuracy_averaged"
    assert table_of(first, *measures) == table_of(second, *measures)
    assert first[-1].test_accuracy > 0.6
    assert second[-1].test_accuracy < 0.4


@pytest.mark.parametrize("method", METHODS)
def test_truth_of_the_pool_reaches_answers_alone(method):
    dataset = made(250, 3)
    one = simulation(method, dataset=dataset)
    first = list(simulate_rounds(one, 3))
    never = ~one.labels.labelled
    assert never.any()
    changed = dataset.truth.copy()
    changed[POOL] = np.where(never, (changed[POOL] + 1) % 3, changed[POOL])
    team = make_team("homogeneous", replace(dataset, truth=changed), POOL, noise=0.3, num_annotators=5)
    # The truth the rounds are measured against is wrong everywhere: only the measure knows.
    two = simulation(method, dataset=dataset, team=team, truth=(dataset.truth[POOL] + 1) % 3)
    second = list(simulate_rounds(two, 3))
    assert table_of(first, "consensus_accuracy") == table_of(second, "consensus_accuracy")
    assert one.labels == two.labels
    assert first[-1].consensus_accuracy > 0.6 > second[-1].consensus_accuracy


def test_measures_of_a_round():
    one = simulation()
    for number in range(3):
        before = one.labels
        measured = one.round()
        last, truth_test = one.learner.round_, made(250, 3).truth[TEST]
        probs = [fold.predict_proba(one.X_test) for fold in one.learner.fold_models[0]]
        given = last.training_label >= 0
        asked = last.positions
        assert measured.number == number
        assert measured.labels == before
        assert measured.num_labelled == given.sum() == before.labelled.sum()
        hits = [(p.argmax(axis=1) == truth_test).mean() for p in probs]
        assert measured.test_accuracy == pytest.approx(np.mean(hits))
        averaged = one.learner.predict(one.X_test) == truth_test
        assert measured.test_accuracy_averaged == pytest.approx(averaged.mean())
        right = last.training_label[given] == one.truth[given]
        assert measured.consensus_accuracy == pytest.approx(right.mean())
        assert measured.relabel_share == pytest.approx(before.labelled[asked].mean())
        assert one.labels.n_labels == before.n_labels + 20
        added = one.labels.counts - before.counts
        assert np.flatnonzero(added).tolist() == sorted(asked.tolist())
        assert 0 < measured.fit_seconds < measured.seconds
        assert len(measured.temperature) == len(measured.model_weight) == 1


def test_an_ensemble_is_measured_by_its_average():
    models = [GaussianNB(), KNeighborsClassifier(3), DecisionTreeClassifier(max_depth=3)]
    one = simulation(learner=al.ActiveLearner(models, cv=3, seed=1))
    measured = one.round()
    means = [
        np.mean([f.predict_proba(one.X_test) for f in folds], axis=0) for folds in one.learner.fold_models
    ]
    hits = np.mean(means, axis=0).argmax(axis=1) == one.truth_test
    assert measured.test_accuracy == pytest.approx(hits.mean())
    assert len(measured.temperature) == len(measured.model_weight) == 3


@pytest.mark.parametrize("method", METHODS)
def test_replay_stops_when_nobody_is_left(method):
    recorded = crowd(made(250, 3), each=(0, 2)).select(POOL)
    one = simulation(method, team=ReplayedTeam(recorded), batch_size=60)
    reached = np.arange(150) < (40 if method in RELABELLING else 150)
    rounds = list(simulate_rounds(one, 50))
    assert 1 <= len(rounds) < 20
    assert triples(one.labels) == {t for t in triples(recorded) if reached[t[0]]}
    assert not one.can_go_on()
    with pytest.raises(al.InputError, match="nobody is left"):
        one.round()


@pytest.mark.parametrize("method", METHODS)
def test_single_label_never_relabels(method):
    one = simulation(method, single_label=True, batch_size=40)
    if method in RELABELLING:
        assert not one.can_go_on()
        return
    rounds = list(simulate_rounds(one, 20))
    assert len(rounds) == 3  # 40, 40 and the last 30
    assert [r.relabel_share for r in rounds] == [0, 0, 0]
    assert one.labels.counts.tolist() == [1] * 150


def test_without_single_label_there_are_second_labels():
    assert max(r.relabel_share for r in simulate_rounds(simulation(), 4)) > 0


def test_a_restored_state_goes_on_alike():
    straight = simulation()
    rounds = list(simulate_rounds(straight, 4))
    one, two = simulation(), simulation()
    list(simulate_rounds(one, 1))
    two.restore(one.state())
    assert table_of(simulate_rounds(two, 2)) == table_of(rounds[2:])
    assert two.labels == straight.labels


# ------------------------------------------------------------------ experiments

SMALL = Experiment(
    "digits",
    "sklearn.naive_bayes:GaussianNB",
    labelled=60,
    unlabelled=60,
    test=200,
    batch_size=15,
    rounds=3,
    trials=2,
    cv=3,
)
TIMED = ["seconds", "fit_seconds"]


def run(experiment, folder, **kwargs):
    done = list(run_experiment(experiment, folder, **kwargs))
    table = results_table(experiment, folder).to_pandas()
    wanted = {(m, t) for m in experiment.methods for t in range(experiment.trials)}
    assert {(method, trial) for method, trial, _ in done} == wanted
    return table


def untimed(table):
    return table.drop(columns=TIMED).to_dict("list") | {
        name: [tuple(cell) for cell in table[name]] for name in ("temperature", "model_weight")
    }


def test_the_same_seed_gives_the_same_table(tmp_path):
    one, two = run(SMALL, tmp_path / "one"), run(SMALL, tmp_path / "two")
    assert untimed(one) == untimed(two)
    other = run(replace(SMALL, seed=5), tmp_path / "other")
    assert untimed(one)["test_accuracy"] != untimed(other)["test_accuracy"]
    assert len(one) == 2 * 2 * 4
    assert one["round"].tolist() == [0, 1, 2, 3] * 4
    assert (one.groupby(["method", "trial"])["num_annotations"].diff().dropna() == 15).all()


def test_trial_t_is_trial_0_of_the_next_seed(tmp_path):
    one = run(replace(SMALL, trials=3, methods=("random",)), tmp_path / "one")
    two = run(replace(SMALL, trials=1, methods=("random",), seed=2), tmp_path / "two")
    last = one[one["trial"] == 2].assign(trial=0).reset_index(drop=True)
    assert untimed(last) == untimed(two)


def test_a_trial_seeds_its_learner(tmp_path, monkeypatch):
    seeds, whole = [], Simulation.round

    def noted(self):
        seeds.append(self.learner.seed)
        return whole(self)

    monkeypatch.setattr(Simulation, "round", noted)
    run(replace(SMALL, methods=("random",), rounds=0, trials=3, seed=7), tmp_path)
    # Far apart: a learner's rounds use the seeds that follow its own.
    assert min(abs(a - b) for a, b in itertools.combinations(seeds, 2)) > 1000


def test_single_label_in_an_experiment(tmp_path):
    table = run(replace(SMALL, single_label=True, trials=1, rounds=9), tmp_path)
    assert table["num_annotations"].tolist() == table["num_labelled"].tolist() == [60, 75, 90, 105] * 2
    assert table["relabel_share"].tolist() == [0] * 8


def test_methods_of_a_trial_share_data_and_initial_labels(tmp_path):
    methods = tuple(m for m in METHODS if m != "disagreement")
    table = run(replace(SMALL, methods=methods, rounds=0, trials=3), tmp_path)
    shared = ["test_accuracy", "consensus_accuracy", "num_annotations", "num_labelled"]
    assert (table.groupby("trial")[shared].nunique() == 1).all().all()
    assert len(table[shared].drop_duplicates()) == 3


KILLED = replace(
    SMALL, model="extra-trees", rounds=5, trials=1, methods=("activelab", "random"), annotators="difficulty"
)
SCRIPT = """
import sys
from activelab.simulation import Experiment, run_experiment
list(run_experiment(Experiment.from_toml(sys.argv[1]), sys.argv[2]))
"""


def test_a_killed_run_resumes_to_the_same_table(tmp_path):
    (tmp_path / "config.toml").write_text(KILLED.to_toml())
    place = tmp_path / "killed"
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "config.toml"), str(place)]
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
        deadline = time.monotonic() + 50
        while not (place / "random-000.checkpoint").exists():
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
    assert process.returncode
    so_far = results_table(KILLED, place).to_pandas()
    assert 7 <= len(so_far) < 12, "killed while the second method ran"
    finished = (place / "activelab-000.checkpoint").stat().st_mtime_ns
    (place / "random-000.checkpoint.1.tmp").write_bytes(b"half a check")

    resumed, straight = run(KILLED, place), run(KILLED, tmp_path / "straight")
    assert untimed(resumed) == untimed(straight)
    # Neither the finished method nor the finished rounds were computed again.
    assert (place / "activelab-000.checkpoint").stat().st_mtime_ns == finished
    assert resumed[TIMED].iloc[: len(so_far)].equals(so_far[TIMED])


@pytest.mark.parametrize("rounds", [0, 1, 3, 6, 9, 13])
def test_a_run_stopped_anywhere_resumes_to_the_same_table(tmp_path, monkeypatch, rounds):
    left, whole = [rounds], Simulation.round

    def interrupted(self):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return whole(self)

    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "round", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(run_experiment(SMALL, tmp_path / "stopped"))
    assert results_table(SMALL, tmp_path / "stopped").num_rows == rounds
    assert untimed(run(SMALL, tmp_path / "stopped")) == untimed(run(SMALL, tmp_path / "straight"))


def test_more_rounds_trials_and_methods_reuse_what_is_there(tmp_path):
    first = run(replace(SMALL, rounds=1, trials=1, methods=("random",)), tmp_path / "grown")
    more = replace(SMALL, rounds=4, trials=2, methods=("random", "activelab"))
    grown = run(more, tmp_path / "grown")
    assert untimed(grown) == untimed(run(more, tmp_path / "fresh"))
    assert grown[TIMED].iloc[:2].equals(first[TIMED])
    # And back: fewer rounds show fewer rows and compute nothing.
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "grown").glob("*.checkpoint")}
    fewer = replace(more, rounds=2, methods=("activelab",))
    assert len(run(fewer, tmp_path / "grown")) == 2 * 3
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.parametrize("change", [{"noise": 0.2}, {"seed": 1}, {"model": "knn"}, {"single_label": True}])
def test_another_experiment_in_the_same_folder_is_refused(tmp_path, change):
    run(replace(SMALL, rounds=0, trials=1), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(al.InputError, match="holds another experiment"):
        list(run_experiment(replace(SMALL, **change), tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "digit"}, "Did you mean 'digits'"),
        ({"model": "extra-tree"}, "Did you mean 'extra-trees'"),
        ({"methods": ("random", "activelabb")}, "Did you mean 'activelab'"),
        ({"annotators": "adverse"}, "Did you mean 'adversarial'"),
        ({"noise": 0.95}, "noise must lie"),
        ({"num_annotators": 0}, "num_annotators must be"),
        ({"unlabelled": 2000}, "'digits' has 1,797 examples"),
        ({"test": 1790, "unlabelled": -1}, "'digits' has 1,797 examples"),
        ({"test": 0}, "keeps no test examples apart"),
        ({"annotators": "replay"}, "'digits' has no recorded labels"),
    ],
)
def test_a_mistake_shows_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(al.InputError, match=message):
        list(run_experiment(replace(SMALL, **change), tmp_path / "never"))
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("labelled", 1), ("test", -1), ("unlabelled", -2), ("batch_size", 0), ("rounds", -1)),
        *(("trials", -1), ("cv", 1), ("seed", -1)),
    ],
)
def test_numbers_out_of_range_are_named(name, value):
    with pytest.raises(al.InputError, match=f"{name} must be at least {value + 1}, got {value}"):
        replace(SMALL, **{name: value})


def test_a_method_named_twice_is_refused():
    with pytest.raises(al.InputError, match="twice"):
        replace(SMALL, methods=("random", "random"))


def test_the_configuration_is_stored_with_the_results(tmp_path):
    place = tmp_path / "deep" / "folder"
    run(replace(SMALL, rounds=0, trials=1), place)
    assert Experiment.from_toml(place / "experiment.toml") == replace(SMALL, rounds=0, trials=1)
    stored = results_table(SMALL, place).schema.metadata[b"experiment"].decode()
    assert stored == SMALL.to_toml()


def test_replay_in_an_experiment_says_so_by_fewer_rounds(tmp_path):
    dataset = made(120, 3)
    recorded = crowd(dataset, each=(1, 2))
    save(tmp_path / "crowd", dataset, recorded)
    experiment = replace(
        SMALL, dataset=str(tmp_path / "crowd"), annotators="replay", unlabelled=-1, test=20, rounds=30
    )
    done = list(run_experiment(experiment, tmp_path / "results"))
    table = results_table(experiment, tmp_path / "results").to_pandas()
    assert all(2 < rounds < 20 for _, _, rounds in done)
    assert len(table) == sum(rounds for _, _, rounds in done)
    assert table["num_annotations"].max() < recorded.n_labels
    # Asking again for what nobody can give computes nothing.
    again = run(experiment, tmp_path / "results")
    assert again.equals(table)


def save(folder, dataset, labels=None, **arrays):
    folder.mkdir()
    np.savez(folder / "features.npz", X=dataset.X, truth=dataset.truth, **arrays)
    if labels is not None:
        labels.to_long().to_csv(folder / "labels.csv", index=False)


def test_examples_kept_apart_are_the_test(tmp_path):
    dataset = made(150, 3)
    save(tmp_path / "apart", dataset, X_test=dataset.X, y_test=(dataset.truth + 1) % 3)
    experiment = replace(
        SMALL, dataset=str(tmp_path / "apart"), model="knn", annotators="homogeneous", noise=0.0, trials=1
    )
    wrong = run(replace(experiment, test=0), tmp_path / "wrong")
    right = run(replace(experiment, test=30), tmp_path / "right")
    assert wrong["test_accuracy"].max() < right["test_accuracy"].min()


@pytest.mark.parametrize("annotators", SIMULATED)
def test_every_team_in_an_experiment(tmp_path, annotators):
    table = run(replace(SMALL, annotators=annotators, trials=1, rounds=1), tmp_path)
    assert len(table) == 4
    assert table["consensus_accuracy"].between(0.25, 1).all()


def test_parallel_trials_give_the_same_table(tmp_path):
    assert untimed(run(SMALL, tmp_path / "two", n_jobs=2)) == untimed(run(SMALL, tmp_path / "one", n_jobs=1))


# ------------------------------------------------------------------ configurations and models


def test_a_configuration_survives_toml(tmp_path):
    config = tmp_path / "config.toml"
    for experiment in (
        Experiment(),
        SMALL,
        replace(
            SMALL, dataset='a "quoted" folder \\ Größe 🤖', noise=1 / 3, single_label=True, unlabelled=-1
        ),
    ):
        config.write_text(experiment.to_toml(), encoding="utf-8")
        assert Experiment.from_toml(config) == experiment
        assert Experiment.from_toml(config).key == experiment.key


def test_what_a_configuration_leaves_out_keeps_its_default(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('dataset = "digits"\nnoise = 0\nmethods = ["random"]\n')
    read = Experiment.from_toml(config)
    assert read == Experiment(dataset="digits", noise=0.0, methods=("random",))
    assert read.key == Experiment(dataset="digits", noise=0.0).key


def test_the_key_is_of_all_but_methods_rounds_and_trials():
    assert SMALL.key == replace(SMALL, methods=("random",), rounds=9, trials=9).key
    others = [{"cv": 4}, {"batch_size": 2}, {"labelled": 61}, {"num_annotators": 3}, {"annotators": "replay"}]
    assert len({SMALL.key, *(replace(SMALL, **change).key for change in others)}) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("round = 3", r"config\.toml 'round'\. Did you mean 'rounds'"),
        ("rounds = 'many'", r"rounds = 'many' should be of type int"),
        ("rounds = 2.0", "rounds = 2.0 should be of type int"),
        ("rounds = true", "rounds = True should be of type int"),
        ("noise = 'low'", "noise = 'low' should be of type float"),
        ("noise = true", "noise = True should be of type float"),
        ("single_label = 1", "single_label = 1 should be of type bool"),
        ("methods = 'random'", "methods = 'random' should be of type list of str"),
        ("methods = ['random', 3]", "should be of type list of str"),
        ("dataset = 3", "dataset = 3 should be of type str"),
        ("trials = -1", "trials must be at least 0, got -1"),
        ("rounds: 3", "is not TOML"),
    ],
)
def test_bad_configurations_are_named(tmp_path, text, message):
    config = tmp_path / "config.toml"
    config.write_text(text)
    with pytest.raises(al.InputError, match=message):
        Experiment.from_toml(config)


def test_a_missing_or_binary_configuration_is_named(tmp_path):
    with pytest.raises(al.InputError, match="no such file"):
        Experiment.from_toml(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(al.InputError, match="is not TOML"):
        Experiment.from_toml(tmp_path / "binary.toml")


def test_models_by_name():
    assert {"extra-trees", "mlp", "knn", "logistic-regression", "ensemble"} <= set(model_names())
    for name in model_names():
        model = make_model(name)
        for one in model if isinstance(model, list) else [model]:
            assert hasattr(one, "predict_proba")
    assert [type(m).__name__ for m in make_model("ensemble")] == [
        "MLPClassifier",
        "ExtraTreesClassifier",
        "KNeighborsClassifier",
    ]
    assert make_model("mlp").max_iter == 500


MODULE = """
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
instance = KNeighborsClassifier(3)
several = [GaussianNB(), KNeighborsClassifier(3)]
number = 3
def factory():
    return GaussianNB(var_smoothing=0.1)
def factory_of_two():
    return several
def needs(argument):
    return argument
"""


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    (tmp_path / "own_models_of_the_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_models_of_the_test"
    sys.modules.pop("own_models_of_the_test", None)


def test_models_by_import_path(own_models):
    assert isinstance(make_model("sklearn.naive_bayes:GaussianNB"), GaussianNB)
    assert make_model(f"{own_models}:instance").n_neighbors == 3
    assert make_model(f"{own_models}:factory").var_smoothing == 0.1
    assert len(make_model(f"{own_models}:several")) == len(make_model(f"{own_models}:factory_of_two")) == 2


@pytest.mark.parametrize("attribute", ["nothing", "number", "needs", ""])
def test_models_that_cannot_be_imported_are_named(own_models, attribute):
    with pytest.raises(al.InputError, match=r"cannot (make|import the) model 'own_models_of_the_test:"):
        make_model(f"{own_models}:{attribute}")


@pytest.mark.parametrize("name", ["no_such_module:Model", ":Model", ".relative:Model", ":"])
def test_modules_that_do_not_exist_are_named(name):
    with pytest.raises(al.InputError, match="cannot import the model"):
        make_model(name)


def test_an_ensemble_of_ones_own_in_an_experiment(tmp_path, own_models):
    experiment = replace(
        SMALL, model=f"{own_models}:several", methods=("activelab", "disagreement"), trials=1, rounds=1
    )
    table = run(experiment, tmp_path / "results")
    assert table["temperature"].map(len).tolist() == [2] * 4
    assert table["model_weight"].map(len).tolist() == [2] * 4


def test_the_ensemble_of_the_paper_in_an_experiment(tmp_path):
    experiment = replace(
        SMALL, dataset="digits", model="ensemble", methods=("activelab",), trials=1, rounds=1
    )
    table = run(experiment, tmp_path)
    assert table["temperature"].map(len).tolist() == [3, 3]
    assert table["test_accuracy"].min() > 0.5


# ------------------------------------------------------------------ the central claim, in small


@pytest.mark.parametrize(
    ("annotators", "noise", "margin"), [("homogeneous", 0.3, 0.03), ("heterogeneous", 0.3, 0.05)]
)
def test_activelab_learns_more_from_the_same_number_of_labels_than_random(
    tmp_path, annotators, noise, margin
):
    experiment = Experiment(
        "digits",
        "logistic-regression",
        ("activelab", "random"),
        labelled=100,
        unlabelled=200,
        test=500,
        batch_size=50,
        rounds=12,
        trials=3,
        annotators=annotators,
        noise=noise,
    )
    table = run(experiment, tmp_path)
    area = table.groupby(["method", "trial"])["test_accuracy_averaged"].mean()
    ahead = area["activelab"] - area["random"]
    assert ahead.mean() > margin
    assert (ahead > 0).all()
    ends = table[table["round"] == 12].groupby("method")[["test_accuracy", "consensus_accuracy"]].mean()
    assert (ends.loc["activelab"] > ends.loc["random"]).all()
    assert ends.loc["activelab", "consensus_accuracy"] > 1 - noise
