"""What is known besides labels reaches every estimate of a project, and makes rounds due."""

from __future__ import annotations

import time

import numpy as np
import pytest
from project_store import add_person

from activelab import InputError, bayesian_consensus
from activelab.project import Settings, insight
from activelab.project.training.predictions import load_pred_probs
from activelab.project.training.round import train_round
from activelab.project.training.trainer import due

N, CLASSES = 200, ("a", "b", "c")
RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, N)
PROBS = 0.5 * np.eye(3)[np.where(RNG.random(N) < 0.7, TRUTH, RNG.integers(0, 3, N))] + 0.5 / 3
ACCURACY = {"good": 0.9, "fair": 0.75, "poor": 0.4, "echo": 0.75}


def records(share=1.0):
    rng = np.random.default_rng(1)
    rows = []
    for i in range(int(share * N)):
        for name in rng.choice(sorted(ACCURACY), 2, replace=False):
            right = rng.random() < ACCURACY[name]
            rows.append((f"e{i}", name, CLASSES[TRUTH[i] if right else (TRUTH[i] + 1) % 3]))
    return rows


@pytest.fixture
def crowd(make, tmp_path):
    def build(**settings):
        project, _ = make(str(tmp_path / "project.db"), N, 0, **{"method": "recommended", **settings})
        project.add_labels(records())
        return project, add_person(project, "boss", role="adjudicator")

    return build


def decide(project, boss, codes):
    for code in codes:
        project.decide(boss, code, CLASSES[TRUTH[code]])


def stored_quality(project):
    found = insight.final_labels(project)
    return found.quality[found.source == "consensus"]


def test_decisions_and_gold_teach_a_round_about_annotators(crowd):
    project, boss = crowd()
    before = train_round(project, pred_probs=PROBS).summary
    decide(project, boss, range(20))
    project.set_gold({f"e{i}": CLASSES[TRUTH[i]] for i in range(20, 140)})
    after = train_round(project, pred_probs=PROBS).summary
    for name, accuracy in ACCURACY.items():
        assert after.annotators[name].comparisons > before.annotators[name].comparisons
        assert after.annotators[name].low <= accuracy <= after.annotators[name].high
    # The same as the core says, of the probabilities as they are stored.
    labels = project.labels()
    labels = labels.select(annotators=labels.annotators[np.unique(labels.annotator)])
    probs = project.database.read(lambda c: load_pred_probs(c, 2))
    core = bayesian_consensus(labels, probs, known=project.known_truths(), seed=2)
    unknown = project.known_truths() < 0
    assert insight.final_labels(project).quality[unknown] == pytest.approx(core.quality[unknown], abs=1e-5)
    assert after.metrics.expected_low <= after.metrics.expected_accuracy <= after.metrics.expected_high
    assert after.metrics.expected_errors < before.metrics.expected_errors
    # What annotators say stays what they say.
    said = insight.final_labels(project).consensus
    assert (said[:140] != TRUTH[:140]).any()


def test_an_estimate_between_rounds_knows_what_is_decided(crowd):
    project, boss = crowd()
    train_round(project, pred_probs=PROBS)
    project.add_labels([("e199", "extra", "a")])
    before = insight.final_labels(project).quality[199]
    decide(project, boss, range(5))
    project.set_gold({f"e{i}": CLASSES[TRUTH[i]] for i in range(5, 150)})
    assert insight.final_labels(project).quality[199] != before


def test_families_reach_rounds_and_estimates(crowd):
    project, _ = crowd()
    alone = train_round(project, pred_probs=PROBS).summary
    assert {one.voice for one in alone.annotators.values()} == {1.0}
    project.change_settings({"families": ["fair=twins", "echo=twins", "nobody=others"]})
    kin = train_round(project, pred_probs=PROBS).summary
    assert kin.annotators["fair"].voice < 1
    assert kin.annotators["good"].voice == 1
    assert any("'echo'" in note and "'fair'" in note for note in kin.notes)
    project.add_labels([("e199", "extra", "a")])
    assert any("annotators agree" in note for note in insight.final_labels(project).notes)


@pytest.mark.parametrize("wrong", ["alone", "=family", "name= "])
def test_families_that_are_none(wrong):
    with pytest.raises(InputError, match="annotator=family"):
        Settings(families=(wrong,))
    assert Settings(families=("a=b=c", "b = c")).family_of() == {"a=b": "c", "b ": "c"}


# ------------------------------------------------------------------ when a round is due


def test_decisions_count_as_labels_do(crowd):
    project, boss = crowd(batch_size=4)
    train_round(project, pred_probs=PROBS)
    decide(project, boss, range(2))
    assert due(project) is None
    assert insight.overview(project).round.new_truths == 2
    project.undo_decision(boss, 0)
    project.set_gold({"e5": "a"})
    assert due(project) == "4 new known answers; a round is trained every 4"
    project.set_gold({"e5": "a"})  # says nothing new
    assert insight.overview(project).round.new_truths == 4
    train_round(project, pred_probs=PROBS)
    assert due(project) is None
    assert insight.overview(project).round.new_truths == 0
    decide(project, boss, [7])
    project.add_labels([(f"e{i}", "new", "a") for i in range(3)])
    assert due(project) == "3 new labels and 1 new known answers; a round is trained every 4"


def test_a_decision_by_the_clock(crowd):
    project, boss = crowd(batch_size=50, train_hours=1.0)
    train_round(project, pred_probs=PROBS)
    decide(project, boss, [0])
    assert due(project) is None
    assert due(project, time.time() + 3601) == "1 new known answers, and 1.0 hours since the last round"


def test_where_nothing_is_left_decisions_wait_for_a_pause(make, tmp_path):
    project, people = make(str(tmp_path / "project.db"), 8, 1, batch_size=100)
    boss = add_person(project, "boss", role="adjudicator")
    for turn in range(8):
        lease = project.lease(people[0], 1)[0]
        project.record(people[0], lease.id, "label", label="ab"[turn % 2])
    train_round(project, pred_probs=np.full((8, 3), 1 / 3))
    project.database.write(lambda c: c.exec_driver_sql("UPDATE queue SET remaining = 0"))
    project.database.write(lambda c: c.exec_driver_sql("UPDATE round SET filled = 8"))
    project.decide(boss, 0, "b")
    assert due(project) is None
    assert due(project, time.time() + 601) == "1 new known answers, and nothing of the round is left to label"


def test_known_answers_alone_begin_no_first_round(make, tmp_path):
    project, _ = make(str(tmp_path / "project.db"), 8, 0, batch_size=2)
    project.set_gold({f"e{i}": "ab"[i % 2] for i in range(8)})
    assert due(project) is None
