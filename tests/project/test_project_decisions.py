"""Decisions of adjudicators and known answers: they count, everywhere, whatever annotators say."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from project_store import add_person
from sqlalchemy import select, text

from activelab import ActiveLearner, InputError, Labels
from activelab.project import ConflictError, insight
from activelab.project.files.backup import back_up
from activelab.project.files.doctor import examine, repair
from activelab.project.files.export import export_table
from activelab.project.store.schema import answer, audit, event, example, queue
from activelab.project.store.upgrades import downgrade
from activelab.project.training.round import train_round
from activelab.report import project_report

N = 60
CLASSES = ("a", "b", "c")
CONTRARY = {f"e{i}": CLASSES[(i + 1) % 3] for i in range(40)}  # everybody says CLASSES[i % 3]


def consensus(project, path):
    """The exported consensus by example."""
    export_table(project, "consensus", path)
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = (csv.read_csv if path.suffix == ".csv" else pq.read_table)(path).to_pylist()
    return {row.pop("example"): row for row in rows}


def decide_all(project, boss, labels):
    codes = project.example_codes(labels)
    for name, label in labels.items():
        project.decide(boss, codes[name], label)


def kept(project):
    """What is there of the labels that count."""
    final = insight.final_labels(project)
    return final.label.tolist(), final.source.tolist()


def well(project):
    return [(one.name, one.problem) for one in examine(project) if one.problem] == []


@pytest.fixture
def crowd(make):
    """Sixty examples; three people agree on the first fifty, a model says the same."""

    def build(place, trained=True, **settings):
        project, people = make(place, N, 3, **settings)
        boss = add_person(project, "boss", role="adjudicator")
        project.add_labels((f"e{i}", f"ann{who}", CLASSES[i % 3]) for i in range(50) for who in range(3))
        if trained:
            train_round(project, pred_probs=0.1 + 0.7 * np.eye(3)[np.arange(N) % 3])
        return project, people, boss

    return build


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("trained", [False, True])
def test_forty_contrary_decisions_are_exported_as_decided(place, crowd, tmp_path, trained, ending):
    project, _, boss = crowd(place, trained)
    decide_all(project, boss, CONTRARY)
    rows = consensus(project, tmp_path / f"c.{ending}")
    assert {name: rows[name]["consensus_label"] for name in CONTRARY} == CONTRARY
    assert Counter(row["source"] for row in rows.values()) == {"adjudicated": 40, "consensus": 10}
    facts = {(rows[name]["quality"], rows[name]["agreement"], rows[name]["num_labels"]) for name in CONTRARY}
    assert facts == {(1.0, 0.0, 3)}
    assert project.labels().n_labels == 150, "a decision is no label of an annotator"


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("trained", [False, True])
def test_forty_known_answers_are_exported_as_known(place, crowd, tmp_path, trained, ending):
    project, _, _ = crowd(place, trained)
    project.set_gold(CONTRARY)
    rows = consensus(project, tmp_path / f"c.{ending}")
    assert {name: rows[name]["consensus_label"] for name in CONTRARY} == CONTRARY
    assert Counter(row["source"] for row in rows.values()) == {"gold": 40, "consensus": 10}


def test_a_decision_goes_before_a_known_answer_and_that_before_the_consensus(place, crowd, tmp_path):
    project, people, boss = crowd(place)
    project.put_label(people[0], 55, "b", source="api")
    project.set_gold({"e0": "b", "e1": "c", "e57": "a"})
    project.decide(boss, 0, "c")
    project.decide(boss, 58, "b")
    rows = consensus(project, tmp_path / "c.jsonl")
    expected = {
        "e0": ("c", "adjudicated"),
        "e1": ("c", "gold"),
        "e2": ("c", "consensus"),
        "e55": ("b", "single"),
    }
    expected |= {"e57": ("a", "gold"), "e58": ("b", "adjudicated")}
    assert {name: (rows[name]["consensus_label"], rows[name]["source"]) for name in expected} == expected
    assert rows["e58"]["agreement"] is None, "nobody but the adjudicator has labelled it"
    assert "e59" not in rows
    assert project.known_truths()[[0, 1, 2, 57, 58]].tolist() == [2, 2, -1, 0, 1]
    people = {row.name: row for row in insight.annotator_table(project)}
    assert people["ann1"].gold_n == 2
    assert people["ann1"].gold_accuracy == 0, "all said a and b, where c is right"
    project.set_gold({"e1": None})
    assert consensus(project, tmp_path / "c.jsonl")["e1"]["source"] == "consensus"


def test_page_and_export_show_the_same(place, crowd, tmp_path):
    project, people, boss = crowd(place)
    project.put_label(people[0], 3, "b", source="api")  # they said a
    project.put_label(people[1], 55, "c", source="api")
    project.decide(boss, 7, "c")
    project.set_gold({"e9": "b"})
    rows = consensus(project, tmp_path / "c.jsonl")
    for code in (0, 3, 7, 9, 20, 55):
        why = insight.why_served(project, code)
        row = rows[f"e{code}"]
        assert (why.label, why.source, why.quality) == (row["consensus_label"], row["source"], row["quality"])
    assert rows["e3"]["quality"] < rows["e0"]["quality"], "two of three, where before all three agreed"
    for case in insight.adjudication_list(project):
        assert case.quality == rows[case.example]["quality"]
    assert {"e7", "e9"}.isdisjoint(case.example for case in insight.adjudication_list(project))
    for row in insight.queue_head(project):
        there = rows.get(row.example, {"source": None, "quality": None})
        assert (row.source, row.quality) == (there["source"], there["quality"])


def test_the_export_before_a_new_round_knows_the_labels_that_came_since(place, crowd, tmp_path):
    project, people, _ = crowd(place)
    for who in people:
        project.put_label(who, 4, "c", source="api")  # all had said b, and so does the model
    row = consensus(project, tmp_path / "c.jsonl")["e4"]
    assert (row["consensus_label"], row["agreement"]) == ("c", 1)


def test_nobody_is_asked_about_what_is_decided(place, make):
    project, people = make(place, 4, labels_per_round=2)
    boss = add_person(project, "boss", role="adjudicator")
    held = project.lease(people[0], 1)[0]
    project.decide(boss, held.example_id, "a")
    project.record(people[0], held.id, "label", label="b")  # it was on the way
    others = project.lease(people[1], 10)
    assert held.example_id not in [one.example_id for one in others]
    assert len(others) == 3
    assert insight.overview(project).decided == 1
    assert insight.final_labels(project).source[held.example_id] == "adjudicated"
    assert well(project)
    project.undo_decision(boss, held.example_id)
    assert [one.example_id for one in project.lease(people[2], 10)].count(held.example_id) == 1
    assert well(project)


def test_what_is_decided_is_not_in_the_next_round(place, crowd):
    project, people, boss = crowd(place)
    decide_all(project, boss, CONTRARY)
    train_round(project, pred_probs=0.1 + 0.7 * np.eye(3)[np.arange(N) % 3])
    served = {one.example_id for one in project.lease(people[0], N)}
    assert served.isdisjoint(range(40))
    assert insight.why_served(project, 0).kind == "decided"
    assert insight.why_served(project, 0).position is None


def test_a_decision_is_undone_by_whoever_may_and_both_are_in_the_log(place, crowd):
    project, _, boss = crowd(place)
    lead = add_person(project, "lead", role="admin")
    before = kept(project)
    project.decide(boss, 1, "c")
    assert project.decide(boss, 2, "a", request="request-1") == project.decide(
        boss, 2, "a", request="request-1"
    ).__class__(project.decide(boss, 2, "a", request="request-1").event_id)
    project.decide(lead, 2, "b")  # changes it
    assert [
        (one.example, one.label, one.annotator, one.consensus) for one in insight.decision_list(project)
    ] == [
        ("e2", "b", "lead", "c"),
        ("e1", "c", "boss", "b"),
    ]
    undone = project.undo_decision(lead, 1, request="request-2")
    assert project.undo_decision(lead, 1, request="request-2").event_id == undone.event_id
    project.undo_decision(boss, 2)
    with pytest.raises(ConflictError, match="nobody has decided"):
        project.undo_decision(boss, 2)
    with pytest.raises(ConflictError, match="used by somebody else"):
        project.decide(boss, 1, "a", request="request-2")
    assert kept(project) == before
    query = select(audit.c.annotator_id, audit.c.action, audit.c.detail).order_by(audit.c.id)
    log = [tuple(row) for row in project.database.read(lambda c: c.execute(query).all())]
    assert [(who, action, json.loads(detail)) for who, action, detail in log[-5:]] == [
        (boss, "decided", {"example": "e1", "label": "c"}),
        (boss, "decided", {"example": "e2", "label": "a"}),
        (lead, "decided", {"example": "e2", "label": "b"}),
        (lead, "decision undone", {"example": "e1", "label": "c"}),
        (boss, "decision undone", {"example": "e2", "label": "b"}),
    ]
    assert well(project)


def test_decisions_of_what_there_is_not(place, crowd):
    project, _, boss = crowd(place, trained=False)
    with pytest.raises(InputError, match="no example 99"):
        project.decide(boss, 99, "a")
    with pytest.raises(InputError, match="none of the classes"):
        project.decide(boss, 1, "z")
    assert insight.overview(project).decided == 0


def test_two_who_decide_at_once(place, crowd):
    from concurrent.futures import ThreadPoolExecutor

    project, _, boss = crowd(place, trained=False)
    with ThreadPoolExecutor(6) as pool:
        done = [*pool.map(lambda turn: project.decide(boss, 3, CLASSES[turn % 3]), range(12))]
    assert len({one.event_id for one in done}) == 12
    assert len(insight.decision_list(project)) == 1
    assert well(project)


def test_a_copy_keeps_them(tmp_path, crowd, again):
    project, _, boss = crowd(str(tmp_path / "p.db"))
    decide_all(project, boss, CONTRARY)
    project.set_gold({"e45": "b"})
    back_up(project, tmp_path / "copy.db")
    copy = again(str(tmp_path / "copy.db"))
    assert kept(copy) == kept(project)
    assert consensus(copy, tmp_path / "a.jsonl") == consensus(project, tmp_path / "b.jsonl")


def test_decisions_are_derived_from_the_events(place, crowd):
    project, people, boss = crowd(place)
    decide_all(project, boss, CONTRARY)
    project.undo_decision(boss, 5)
    project.put_label(people[0], 5, "c", source="api")
    before = kept(project)
    project.database.write(lambda c: c.execute(text("DELETE FROM decision WHERE example_id > 3")))
    assert not well(project)
    repair(project)
    assert well(project)
    assert kept(project) == before


def old_decision(connection, person, code, label, seconds=None):
    """An adjudicator's label as it was stored before there were decisions: one more answer."""
    said = {"annotator_id": person, "example_id": code, "class_code": label, "kind": "label"}
    identity = connection.execute(
        event.insert()
        .values(**said, time=1e9 + code, seconds=seconds, source="adjudication")
        .returning(event.c.id)
    ).scalar_one()
    # Written into the table as it was: it had fewer columns in its key.
    connection.execute(answer.insert().inline().values(**said, event_id=identity))
    connection.execute(
        example.update().where(example.c.id == code).values(num_labels=example.c.num_labels + 1)
    )
    connection.execute(
        queue.update().where(queue.c.example_id == code).values(remaining=queue.c.remaining - 1)
    )


def test_an_old_project_is_upgraded(place, crowd, again, tmp_path):
    project, people, boss = crowd(place)
    lead = add_person(project, "lead", role="admin")
    project.set_gold({"e45": "b"})
    downgrade(project.database, "0003")

    def store(connection):
        for code in range(40):
            old_decision(connection, boss, code, (code + 1) % 3, seconds=2.0)
        old_decision(connection, lead, 7, 0)  # the last word on e7
        old_decision(connection, boss, 58, 1)  # nobody else has labelled it

    project.database.write(store)
    project.close()
    new = again(place)
    rows = consensus(new, tmp_path / "c.jsonl")
    wanted = CONTRARY | {"e7": "a", "e58": "b"}
    assert {name: rows[name]["consensus_label"] for name in wanted} == wanted
    assert Counter(row["source"] for row in rows.values()) == {"adjudicated": 41, "gold": 1, "consensus": 9}
    assert rows["e0"]["num_labels"] == 3
    assert {new.labels().annotators[who] for who in new.labels().annotator} == {"ann0", "ann1", "ann2"}
    assert {
        (one.annotator, one.time) for one in insight.decision_list(new) if one.example in ("e7", "e8")
    } == {
        ("lead", 1e9 + 7),
        ("boss", 1e9 + 8),
    }
    assert {one.example_id for one in new.lease(people[0], N)}.isdisjoint([*range(40), 45, 58])
    assert well(new)
    new.undo_decision(boss, 7)
    assert insight.final_labels(new).source[7] == "consensus"
    assert well(new)


def test_the_way_down_and_up_keeps_decisions(place, crowd, again):
    project, _, boss = crowd(place)
    decide_all(project, boss, CONTRARY)
    project.put_label(boss, 3, "c", source="api")  # as an annotator
    before = project.known_truths().tolist()
    downgrade(project.database, "0003")
    counts = text("SELECT num_labels FROM example WHERE id IN (2, 3) ORDER BY id")
    assert project.database.read(lambda c: [*c.execute(counts).scalars()]) == [4, 4]
    project.close()
    new = again(place)
    assert new.known_truths().tolist() == before
    assert well(new)


# ------------------------------------------------------------------ they teach


def test_models_are_trained_on_what_is_known(place, make):
    """People say the opposite of what the features show; decisions and known answers put it right."""
    project, _ = make(place, 80, 2, classes=("a", "b"), models=("logistic-regression",), method="activelab")
    boss = add_person(project, "boss", role="adjudicator")
    long = np.arange(80) % 2
    words = {0: "purring fur whiskers", 1: "barking leash bone"}
    project.database.write(
        lambda c: [
            c.execute(
                example.update()
                .where(example.c.id == code)
                .values(content=json.dumps({"text": f"{words[long[code]]} {code}"}))
            )
            for code in range(80)
        ]
    )
    project.add_labels((f"e{i}", f"ann{who}", "ab"[1 - long[i]]) for i in range(40) for who in (0, 1))
    train_round(project)
    wrong = insight.why_served(project, 70).predicted
    assert wrong == "ab"[1 - long[70]]
    for code in range(20):
        project.decide(boss, code, "ab"[long[code]])
    project.set_gold({f"e{code}": "ab"[long[code]] for code in range(20, 60)})
    done = train_round(project)
    assert insight.why_served(project, 70).predicted == "ab"[long[70]]
    assert done.summary.metrics.cv_accuracy > 0.95, "against what is known, not what people said"
    assert done.summary.metrics.expected_accuracy == 1


@pytest.mark.parametrize("training", ["hard", "weights", "soft", "cautious"])
def test_a_learner_is_trained_on_known_classes_with_weight_one(training):
    from sklearn.linear_model import LogisticRegression

    X = np.repeat([[0.0], [1.0]], 20, axis=0)
    wrong = Labels.from_records(
        [(i, who, int(i < 20)) for i in range(40) for who in "ab"], examples=range(40)
    )
    learner = ActiveLearner(LogisticRegression(), consensus="majority_vote", training=training)
    learner.ask(X, wrong, 2)
    assert learner.predict([[0.0], [1.0]]).tolist() == [1, 0]
    known = np.r_[np.zeros(20, int), np.ones(18, int), -1, -1]
    learner = ActiveLearner(LogisticRegression(), consensus="majority_vote", training=training)
    learner.ask(X, wrong, 2, known=known)
    assert learner.predict([[0.0], [1.0]]).tolist() == [0, 1]
    assert learner.round_.training_label.tolist() == [*known[:38], 0, 0]


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ([0, 1], "known must hold one integer for each of the 4 examples, got shape"),
        ([0, 1, 2, -1], "known holds 2 in row 2; codes lie between 0 and 1"),
        ([0.0, 1.0, 1.0, 0.0], "known must hold one integer for each of the 4 examples, got shape"),
    ],
)
def test_known_classes_that_do_not_fit(known, message):
    labels = Labels.from_wide([[0, 0], [1, 0], [1, 1], [1, 1]])
    with pytest.raises(InputError, match=message):
        ActiveLearner().ask(None, labels, 1, pred_probs=np.full((4, 2), 0.5), known=np.array(known))


def test_the_report_and_the_histogram_know_them(place, crowd):
    project, _, boss = crowd(place, trained=False)
    project.add_labels((f"e{i}", f"ann{who}", CLASSES[i % 2]) for i in range(50) for who in (1, 2))
    train_round(project, pred_probs=np.full((N, 3), 1 / 3))
    before = insight.quality_histogram(project)
    assert sum(before.counts[:-1]) > 20, "people do not agree"
    decide_all(project, boss, CONTRARY)
    after = insight.quality_histogram(project)
    assert sum(after.counts) == sum(before.counts) == 50
    assert after.counts[-1] >= 40
    assert after.mean > before.mean
    assert "Decided by adjudicators" in project_report(project)


def test_labels_of_other_examples_do_not_make_a_page_estimate_again(place, crowd, monkeypatch):
    project, people, _ = crowd(place)
    project.put_label(people[0], 55, "b", source="api")
    reads, real = [], project.labels
    monkeypatch.setattr(project, "labels", lambda *arguments: reads.append(1) or real(*arguments))
    assert insight.why_served(project, 55).label == "b"
    for code in (50, 51, 52):
        project.put_label(people[0], code, "a", source="api")
        assert insight.why_served(project, 55).label == "b"
    assert len(reads) == 1
    assert insight.why_served(project, 52).quality == insight.final_labels(project).quality[52]
    assert len(reads) == 2
    before = insight.final_labels(project, [55]).quality[55]
    project.put_label(people[1], 55, "c", source="api")
    assert insight.final_labels(project, [55]).quality[55] != before
    assert len(reads) == 3
