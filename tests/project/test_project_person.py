"""How people work: days, confusions, and reasons to look at somebody."""

from __future__ import annotations

import time

import numpy as np
import pytest
from project_store import add_person

from activelab import InputError
from activelab.project import insight
from activelab.project.insight.person import DAYS, people_table
from activelab.project.training.round import train_round

CLASSES = ("a", "b", "c")
N = 90


def test_who_is_hasty_wrong_or_of_one_word_is_named_and_nobody_else(tmp_path, make):
    rng = np.random.default_rng(0)
    project, _ = make(str(tmp_path / "p.db"), N, 0, train_every=None)
    # Errors that are not the same twice; hasty answers at random, mono always says a.
    wrong = {"ann": 0.08, "bob": 0.1, "cem": 0.12, "dov": 0.15, "hasty": 1.0, "mono": None}
    for name, share in wrong.items():
        who = add_person(project, name)
        for code in range(N):
            label = code % 3
            if share is None:
                label = 0
            elif rng.random() < share:
                label = int(rng.integers(3)) if name == "hasty" else (label + 1 + int(rng.integers(2))) % 3
            seconds = 0.4 if name == "hasty" else 3.0 + rng.random()
            project.put_label(who, code, CLASSES[label], seconds=seconds, source="page")
    probs = np.full((N, 3), 0.1) + 0.7 * np.eye(3)[np.arange(N) % 3]
    train_round(project, pred_probs=probs)
    flags = {row.name: row.flags for row in people_table(project)}
    assert [name for name, some in flags.items() if some] == ["hasty", "mono"]
    assert flags["hasty"][0].startswith("answers in 0.4 s, others in 3.")
    assert "of 100 labels are right (at most" in flags["hasty"][1]
    assert any(one == "says 'a' to 100 of 100" for one in flags["mono"])


def test_days_and_confusions(place, make):
    project, people = make(place, 12, 3)
    project.add_labels((f"e{i}", "ann0", CLASSES[i % 3]) for i in range(9))  # imported: of no day
    for code in range(6):
        project.put_label(people[1], code, CLASSES[code % 3], source="page")
        project.put_label(people[2], code, "a", source="page")
    row = next(one for one in people_table(project) if one.name == "ann1")
    assert (row.days[-1], sum(row.days), len(row.days)) == (6, 6, DAYS)
    assert row.last_active is not None
    assert people_table(project, now=row.last_active + 86_400 * DAYS)[0].days == [0] * DAYS
    first = next(one for one in people_table(project) if one.name == "ann0")
    assert (first.last_active, sum(first.days)) == (None, 0)
    project.decide(add_person(project, "boss", role="adjudicator"), 1, "c")
    confusion = insight.person(project, people[2]).confusion
    assert confusion is not None
    assert confusion.classes == list(CLASSES)
    assert np.array(confusion.counts).tolist() == [[2, 0, 0], [1, 0, 0], [3, 0, 0]]
    with pytest.raises(InputError, match="no annotator 99"):
        insight.person(project, 99)


def test_the_plan_counts_days_money_and_classes(place, make):
    project, people = make(place, 12, 2, budget=20, label_price=0.5, error_cost=9.0, prices=("ann1=2",))
    project.add_labels((f"e{i}", "ann0", "c") for i in range(9, 12))  # imported: costs nothing, is of no day
    for code in range(6):
        lease = project.lease(people[code % 2])[0]
        project.record(people[code % 2], lease.id, "label", label=CLASSES[lease.example_id % 3])
    skipped = project.lease(people[0])[0]
    project.record(people[0], skipped.id, "skip", reason="cut off")
    now = insight.plan(project)
    assert (now.days[-1], now.pace, now.left) == (6, 6.0, 14)
    assert now.ends is not None
    assert (now.paid, now.to_pay) == (3 * 0.5 + 3 * 2, pytest.approx(7.5 / 6 * 14))
    assert [(one.reason, one.number) for one in now.reasons] == [("cut off", 1)]
    assert sum(one.examples for one in now.classes) == project.labels().labelled.sum()
    assert now.confusion is None
    probs = np.full((12, 3), 0.1) + 0.7 * np.eye(3)[[2] * 12]
    train_round(project, pred_probs=probs)
    later = insight.plan(project, now=now.ends + 86_400 * 30)
    assert (later.pace, later.ends, sum(later.days)) == (None, None, 0)
    label = insight.final_labels(project).label
    assert later.confusion is not None
    assert later.confusion.counts == [[0, 0, int((label == code).sum())] for code in range(3)]
    # In the middle of a week the days before its first label do not count.
    middle = insight.plan(project, now=time.time() + 2 * 86_400)
    assert middle.pace == pytest.approx(2.0)
