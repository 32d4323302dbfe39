"""Questions about one class of an example, where several may be right."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from project_store import add_person
from sqlalchemy import text

import activelab as al
from activelab import InputError
from activelab.project import Settings, insight, open_project
from activelab.project.files.doctor import examine
from activelab.project.files.export import export_table
from activelab.project.files.importing import import_files
from activelab.project.labelling.queue import ConflictError
from activelab.project.store.database import Database
from activelab.project.store.upgrades import downgrade
from activelab.project.training.round import train_round
from activelab.report import project_report

TOPICS = ("refund", "delivery", "damage")


def several(make, place, n=0, **settings):
    return make(
        place, n, **{"question": "multilabel", "classes": TOPICS, "method": "expected_loss", **settings}
    )


def named(row):
    return [name for name, there in zip(TOPICS, row, strict=True) if there]


def problems(project):
    return {one.name: one.problem for one in examine(project) if one.problem}


def answers(project):
    """All answers: example, annotator, what was asked, and the label or kind."""
    whys = [insight.why_served(project, code) for code in range(project.num_examples)]
    return [
        (why.id, vote.annotator, vote.asked, vote.label if vote.kind == "label" else vote.kind)
        for why in whys
        for vote in why.votes
    ]


@pytest.fixture
def tickets(tmp_path, make):
    """Forty tickets, thirty labelled by three people and five as to one class; the truth and predictions."""
    project, _ = several(make, str(tmp_path / "p.db"), 40, ask="either", class_price=0.8)
    rng = np.random.default_rng(0)
    truth = rng.random((40, 3)) < [0.5, 0.3, 0.2]
    project.add_labels(
        (f"e{i}", f"ann{j}", named(truth[i] ^ (rng.random(3) < 0.1))) for i in range(30) for j in range(3)
    )
    project.add_labels((f"e{i}", "zoe", named(truth[i] & [1, 0, 0]), "refund") for i in range(30, 35))
    return project, truth, np.clip(np.where(truth, 0.8, 0.2) + rng.normal(0, 0.15, truth.shape), 0.02, 0.98)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ask": "classes"}, "for multilabel questions only"),
        ({"question": "multilabel", "ask": "both"}, "unknown ask 'both'"),
        ({"question": "multilabel", "ask": "either", "method": "random"}, "what questions are worth"),
        ({"question": "multilabel", "class_price": 0}, "class_price"),
    ],
)
def test_what_cannot_be_asked_is_refused(settings, said):
    with pytest.raises(InputError, match=said):
        Settings(**settings)


def test_a_class_is_asked_about_answered_and_taken_back(place, make):
    project, (ann, bob, cat) = several(make, place, 4, ask="classes", labels_per_round=3)
    first, second, third, fourth = project.lease(ann, 4)
    asked = [(one.example_id, TOPICS[one.asked]) for one in (first, second, third, fourth)]
    assert asked[:3] == [(first.example_id, name) for name in TOPICS]
    assert asked[3][0] != first.example_id
    with pytest.raises(InputError, match="one class was asked about"):
        project.record(ann, first.id, "label", label=["delivery"])
    project.record(ann, first.id, "label", label=["refund"], request="request-1")
    assert project.record(ann, first.id, "label", label=["refund"], request="request-1")[0].repeated
    with pytest.raises(ConflictError, match="used for something else"):
        project.record(ann, second.id, "label", label=["delivery"], request="request-1")
    project.record(ann, second.id, "label", label=[])
    project.record(ann, third.id, "unsure")
    code = first.example_id
    said = [
        (code, "ann0", "refund", ["refund"]),
        (code, "ann0", "delivery", []),
        (code, "ann0", "damage", "unsure"),
    ]
    assert answers(project) == said
    assert project.undo(ann).asked == third.asked
    assert answers(project) == said[:2]
    assert project.undo(ann).asked == second.asked
    assert answers(project) == said[:1]
    # Another may answer the same, and nobody is asked twice.
    assert (code, first.asked) in {(one.example_id, one.asked) for one in project.lease(bob, 12)}
    assert (code, first.asked) not in {(one.example_id, one.asked) for one in project.lease(ann, 12)}
    sets = project.label_sets()
    assert sets.asked.tolist() == sets.chosen.tolist() == [[True, False, False]]
    assert project.labels().n_labels == 0
    # Whoever passes an example over is asked nothing more about it.
    given = project.lease(cat, 2)
    assert given[0].example_id == given[1].example_id
    project.record(cat, given[0].id, "skip", reason="It is empty")
    assert given[0].example_id not in {one.example_id for one in project.lease(cat, 12)}
    assert problems(project) == {}


def test_the_budget_pays_the_price_of_a_class(place, make):
    project, (ann, *_) = several(make, place, 4, ask="classes", class_price=0.3, budget=1)
    leases = project.lease(ann, 10)
    assert len(leases) == 3
    for one in leases:
        project.record(ann, one.id, "label", label=[])
    assert project.lease(ann, 1) == []
    now = insight.overview(project)
    assert (now.spent, now.left, now.labels) == (0.9, 0.1, 3)
    project.undo(ann)
    assert insight.overview(project).spent == 0.6
    assert problems(project) == {}


def test_what_is_left_of_a_budget_goes_to_classes(tickets):
    project, _, probs = tickets
    train_round(project, pred_probs=probs)
    project.change_settings({"budget": 2})
    who = project.database.read(lambda c: c.execute(text("SELECT id FROM annotator ORDER BY id")).scalar())
    prices = [project.settings.price_of_answer(one.asked) for one in project.lease(who, 20)]
    assert 1.2 < sum(prices) <= 2 + 1e-9


def test_a_round_asks_what_the_core_suggests(tickets):
    project, _, probs = tickets
    train_round(project, pred_probs=probs)
    head = insight.queue_head(project, 100)
    core = al.suggest_questions(project.label_sets(), probs, 60, ask="either", class_price=0.8)
    assert [(row.id, row.asked) for row in head[:60]] == [*core]
    assert {row.asked is None for row in head} == {True, False}
    assert "delivery?" in project_report(project) or "damage?" in project_report(project)
    assert problems(project) == {}


def test_the_consensus_is_that_of_the_answers_as_asked(tickets):
    project, truth, probs = tickets
    sets = al.LabelSets.from_long(
        *zip(*[(e, a, label) for e, a, about, label in answers(project) if about is None], strict=True),
        classes=TOPICS, examples=40,
    )  # fmt: skip
    for code in range(30, 35):
        sets = sets.tell(
            [code], annotator="zoe", label_sets=[named(truth[code] & [1, 0, 0])], asked=["refund"]
        )
    train_round(project, pred_probs=probs)
    final, core = insight.final_labels(project), al.multilabel_consensus(sets, probs)
    assert final.quality == pytest.approx(core.example_quality, abs=1e-5, nan_ok=True)
    known = final.label >= 0
    assert (final.naming.members[final.label[known]] == core.chosen[known]).all()
    assert {final.source[code] for code in range(30, 35)} == {"consensus"}
    metrics = insight.rounds_table(project)[-1]
    assert (metrics.num_labels, metrics.num_labelled) == (95, 35)
    assert metrics.expected_low <= metrics.expected_accuracy <= metrics.expected_high
    # An answer about a class that comes after the round enters at once; so does one about the whole.
    project.put_label(1, 36, [], asked="damage", source="api")
    project.put_label(2, 37, ["damage"], source="api")
    facts = [insight.why_served(project, code) for code in (36, 37)]
    assert [one.source for one in facts] == [
        "consensus",
        "single" if facts[1].label == ["damage"] else "consensus",
    ]


def test_classes_are_learnt_from_answers_about_them_alone(tmp_path, make):
    project, _ = several(make, str(tmp_path / "p.db"), ask="classes")
    project.add_examples((f"e{i}", {"text": f"{'money' if i % 2 else 'courier'} {i}"}) for i in range(24))
    project.add_labels((f"e{i}", "ann", ["refund"] if i % 2 else [], "refund") for i in range(20))
    project.add_labels([("e0", "ann", ["damage"], "damage")])
    train_round(project)
    predicted = {row.id: row.predicted for row in insight.queue_head(project, 500)}
    assert all(("refund" in predicted[code]) == bool(code % 2) for code in range(20, 24))
    assert insight.learning_curve(project)[0].cv_accuracy > 0.8


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_answers_about_classes_go_out_and_come_in_again(tickets, make, tmp_path, ending):
    project, _, probs = tickets
    train_round(project, pred_probs=probs)
    ann = project.database.read(lambda c: c.execute(text("SELECT min(id) FROM annotator")).scalar())
    lease = next(one for one in project.lease(ann, 20) if one.asked >= 0)
    project.record(ann, lease.id, "unsure")
    export_table(project, "labels", tmp_path / f"labels.{ending}")
    export_table(project, "events", tmp_path / "events.csv")
    export_table(project, "batch", tmp_path / "batch.csv")
    again, _ = several(make, str(tmp_path / "again.db"), 40)
    done = import_files(again, labels=tmp_path / f"labels.{ending}")
    assert (done.labels, done.abstentions) == (95, 1)
    assert sorted(answers(again), key=str) == sorted(answers(project), key=str)
    assert import_files(again, labels=tmp_path / f"labels.{ending}").labels == 0
    assert again.label_sets() == project.label_sets()
    rows = [*csv.DictReader((tmp_path / "events.csv").read_text().splitlines())]
    assert [row["asked"] for row in rows if row["annotator"] == "zoe"] == ["refund"] * 5
    assert problems(again) == {}


def test_a_row_may_be_about_some_classes(tmp_path, make):
    project, _ = several(make, str(tmp_path / "p.db"), 4)
    file = tmp_path / "l.csv"
    file.write_text("example,annotator,label,asked\ne0,ann,refund,refund|damage\ne1,ann,|,\n")
    assert import_files(project, labels=file).labels == 3
    assert answers(project) == [
        (0, "ann", "refund", ["refund"]),
        (0, "ann", "damage", []),
        (1, "ann", None, []),
    ]
    file.write_text("example,annotator,label,asked\ne0,ann,delivery,refund\n")
    with pytest.raises(InputError, match="line 2: the label names 'delivery', which was not asked"):
        import_files(project, labels=file)


def test_known_answers_are_asked_like_others(place, make):
    project, (ann, *_) = several(make, place, 8, ask="classes", gold_rate=1.0)
    project.set_gold({f"e{i}": ["refund"] for i in range(8)})
    leases = project.lease(ann, 8)
    assert all(one.gold and one.asked >= 0 for one in leases)
    assert len({one.asked for one in leases}) > 1
    for one in leases:
        project.record(ann, one.id, "label", label=["refund"] if TOPICS[one.asked] == "refund" else [])
    row = next(one for one in insight.annotator_table(project) if one.name == "ann0")
    assert (row.gold_accuracy, row.gold_n, row.agreement, row.agreement_n) == (1.0, 8, 1.0, 8)
    assert insight.headline(project).basis == "checked"


def test_what_is_in_hand_outlives_a_new_round_and_a_round_its_questions(tickets, make):
    project, _, probs = tickets
    train_round(project, pred_probs=probs)
    people = project.database.read(lambda c: [*c.execute(text("SELECT id FROM annotator")).scalars()])
    held = {who: project.lease(who, 6) for who in people}
    project.change_settings({"ask": "examples"})
    train_round(project, pred_probs=probs)
    assert {row.asked for row in insight.queue_head(project, 100)} == {None}
    assert problems(project) == {}
    for who, leases in held.items():
        passed = set()  # whoever passes an example over is rid of its other questions
        for turn, one in enumerate(leases):
            kind = ("label", "unsure", "skip")[turn % 3]
            if one.example_id not in passed:
                project.record(who, one.id, kind, label=[] if kind == "label" else None)
            if kind != "label":
                passed.add(one.example_id)
    assert problems(project) == {}
    project.change_settings({"ask": "classes"})
    held = {who: project.lease(who, 3) for who in people}
    train_round(project, pred_probs=probs)
    assert None not in {row.asked for row in insight.queue_head(project, 100)}
    for who, leases in held.items():
        for turn, one in enumerate(leases):
            if not turn or one.example_id != leases[0].example_id:
                project.record(who, one.id, "label" if turn else "unsure", label=[] if turn else None)
        project.lease(who, 3)
    assert problems(project) == {}


def test_what_is_asked_again_is_asked_as_a_whole(tickets):
    project, _, probs = tickets
    project.change_settings({"ask": "classes"})
    train_round(project, pred_probs=probs)
    lead = add_person(project, "lead", role="adjudicator")
    assert project.ask_again(lead, [33]) == 1
    for _ in range(2):
        head = insight.queue_head(project, 500)
        assert (
            [(row.id, row.asked) for row in head if row.id == 33]
            == [(33, None)]
            == [(head[0].id, head[0].asked)]
        )
        assert problems(project) == {}
        train_round(project, pred_probs=probs)
    lease = project.lease(lead)[0]
    project.record(lead, lease.id, "label", label=["damage"])
    train_round(project, pred_probs=probs)
    assert {row.asked for row in insight.queue_head(project, 500) if row.id == 33} == {*TOPICS}
    assert problems(project) == {}
    # Answers about different classes are no conflict.
    assert 33 not in {case.id for case in insight.adjudication_list(project)}


def test_a_version_before_knows_whole_answers_only(place, make):
    project, (ann, *_) = several(make, place, 4, ask="classes", class_price=0.5)
    for one in project.lease(ann, 2):
        project.record(ann, one.id, "label", label=[])
    project.put_label(ann, 3, ["damage"], source="api")
    project.close()
    database = Database(place)
    downgrade(database, "0007")
    left = database.read(lambda c: c.execute(text("SELECT example_id, annotator_id FROM answer")).all())
    assert [tuple(row) for row in left] == [(3, ann)]
    database.close()
    with open_project(place) as again:
        assert answers(again) == [(3, "ann0", None, ["damage"])]
        assert problems(again) == {}
        assert len({one.example_id for one in again.lease(ann, 10)}) == 3
