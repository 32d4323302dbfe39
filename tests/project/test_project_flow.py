"""Answers seen in bulk, notes and flags, and the examples that newcomers practise on."""

from __future__ import annotations

import time

import pyarrow.csv
import pytest
from sqlalchemy import update

from activelab._errors import InputError
from activelab.project import insight
from activelab.project.files.doctor import examine, repair
from activelab.project.files.export import export_table
from activelab.project.files.importing import import_files
from activelab.project.insight.values import votes
from activelab.project.labelling.queue import ConflictError
from activelab.project.labelling.reclassing import Reclass
from activelab.project.store.schema import annotator, answer
from activelab.project.training.consensus import bulk_beside
from activelab.project.training.embedding_map import draw_map
from activelab.project.training.round import train_round

WORDS = {"a": "purring fur whiskers", "b": "barking leash bone", "c": "river slippery fish"}


def trained(make, place, **settings):
    """A project whose model is sure of most of 180 examples, 60 of which have labels, and somebody new."""
    project, people = make(place, 0, 3, bulk=True, **settings)
    project.add_examples((f"e{i}", {"text": f"{WORDS['abc'[i % 3]]} {i}"}) for i in range(180))
    project.add_labels((f"e{i}", who, "abc"[i % 3]) for i in range(60) for who in ("old", "older"))
    train_round(project)
    return project, people


def test_a_grid_is_answered_as_single_answers_that_say_so(place, make, tmp_path):
    project, (ann, bob, _) = trained(make, place, budget=20)
    draw_map(project)
    grid = project.lease_grid(ann)
    codes = [lease.example_id for lease in grid.leases]
    assert len(codes) == 12
    assert all(code >= 60 and code % 3 == grid.label for code in codes)
    assert [lease.id for lease in project.lease_grid(ann).leases] == [lease.id for lease in grid.leases]
    label, named = "abc"[grid.label], [lease.id for lease in grid.leases]

    # All or none, and to nobody else.
    with pytest.raises(ConflictError):
        project.record_grid(ann, [*named, 10**6], label)
    with pytest.raises(ConflictError):
        project.record_grid(bob, named, label)
    assert project.labels().n_labels == 120
    for _ in range(2):
        done = project.record_grid(ann, named[:10], label, seconds=30, source="page", request="grid-one")
        assert len(done) == 10
    # What was left out goes the usual way, and the budget counts.
    assert {lease.example_id for lease in project.lease(ann, 2)} == {*codes[10:]}
    assert len(project.lease_grid(bob).leases) == 8

    said = project.database.read(lambda c: votes(c, project.naming(), codes[:1]))[codes[0]]
    assert [(one.annotator, one.label, one.bulk, one.seconds) for one in said] == [("ann0", label, True, 3.0)]
    assert insight.browse(project, insight.Search(only="bulk")).total == 10
    round_ = train_round(project)
    assert "10 answers were seen in bulk" in " ".join(round_.summary.notes)
    labels = project.labels()
    assert bulk_beside(project, labels, 10**6).sum() == 10
    assert all(not one.problem for one in examine(project))

    # There and back: another project knows it, too.
    export_table(project, "labels", tmp_path / "labels.csv")
    other, _ = make(str(tmp_path / "other.db"), 0, 0, bulk=True)
    other.add_examples((f"e{i}", {"text": f"{i}"}) for i in range(180))
    import_files(other, labels=tmp_path / "labels.csv")
    assert sorted(other.seen_in_bulk()) == sorted((code, "ann0") for code in codes[:10])

    project.database.write(lambda c: c.execute(update(answer).values(bulk=False)))
    assert [one.name for one in examine(project) if one.problem] == ["answers"]
    repair(project)
    assert len(project.seen_in_bulk()) == 10


def test_exceptions_of_a_grid_have_classes_of_their_own_and_are_single_answers(place, make):
    project, (ann, *_) = trained(make, place)
    grid = project.lease_grid(ann)
    label, (one, two, *rest) = "abc"[grid.label], [lease.id for lease in grid.leases]
    other = "abc"[grid.label - 1]
    with pytest.raises(InputError, match="none of the classes"):
        project.record_grid(ann, rest, label, others={one: "z"})
    with pytest.raises(InputError, match="two classes"):
        project.record_grid(ann, [one, *rest], label, others={one: other})
    assert project.labels().n_labels == 120
    assert len(project.record_grid(ann, rest, label, others={one: other, two: label}, seconds=24)) == 12
    codes = [lease.example_id for lease in grid.leases]
    said = project.database.read(lambda c: votes(c, project.naming(), codes))
    assert [(said[code][0].label, said[code][0].bulk, said[code][0].seconds) for code in codes[:3]] == [
        (other, False, 2.0),
        (label, True, 2.0),
        (label, True, 2.0),
    ]
    assert not any(check.problem for check in examine(project))


def test_known_answers_are_in_grids_at_the_rate_of_the_project(tmp_path, make):
    project, (ann, *_) = trained(make, str(tmp_path / "p.db"), gold_rate=0.3)
    project.set_gold({f"e{i}": "abc"[i % 3] for i in range(120, 180)})
    leases = project.lease_grid(ann).leases
    assert 0 < sum(lease.gold for lease in leases) < len(leases) == 12


def test_without_bulk_or_a_model_there_is_no_grid(tmp_path, make):
    project, (ann, *_) = make(str(tmp_path / "p.db"), 30, bulk=True)
    assert project.lease_grid(ann) is None
    project.change_settings({"bulk": False})
    with pytest.raises(ConflictError, match="one by one"):
        project.lease_grid(ann)


def test_notes_and_flags_stay_with_an_answer(place, make, tmp_path):
    project, (ann, *_) = make(place, 3)
    for turn, (kind, label) in enumerate((("label", "a"), ("unsure", None))):
        lease = project.lease(ann)[0]
        project.record(ann, lease.id, kind, label=label, reason=f"hm, {turn}", flagged=turn == 0)
        if kind == "label":
            first = lease.example_id
    project.correct(ann, first, "label", label="b")

    def told() -> list[tuple[object, ...]]:
        said = project.database.read(lambda c: votes(c, project.naming(), [first]))[first]
        return [(one.label, one.reason, one.flagged) for one in said]

    assert told() == [("b", "hm, 0", True)]
    assert insight.search(project, insight.Search(only="flagged")).tolist() == [first]
    assert len(insight.search(project, insight.Search(only="noted"))) == 2
    export_table(project, "labels", tmp_path / "labels.csv")
    table = pyarrow.csv.read_csv(tmp_path / "labels.csv").to_pylist()
    assert {row["note"] for row in table} == {"hm, 0", "hm, 1"}
    project.correct(ann, first, "label", label="c", note="", flagged=False)
    assert told() == [("c", None, False)]
    other, _ = make(str(tmp_path / "other.db"), 3, 0)
    import_files(other, labels=tmp_path / "labels.csv")
    assert insight.search(other, insight.Search(only="flagged")).tolist() == [first]


def test_newcomers_practise_until_they_pass_or_are_let_in(place, make):
    project, (ann, bob, old) = make(place, 30, training_examples=4, pass_mark=0.75, gold_rate=1.0)
    project.set_gold({f"e{i}": "a" for i in range(10)})
    # People, not programs.
    project.database.write(lambda c: c.execute(update(annotator).values(password="x")))
    project.database.write(
        lambda c: c.execute(update(annotator).where(annotator.c.id == old).values(num_labels=1))
    )
    assert project.must_practise(ann)
    assert not project.must_practise(old)
    with pytest.raises(ConflictError, match="practise"):
        project.lease(ann)

    def attempt(who: int, labels: str) -> list[int]:
        met = []
        for label in labels:
            code = project.practice_of(who).example_id
            told = project.practise(who, code, label)
            assert (told.correct, told.label) == (label == "a", 0)
            assert project.practise(who, code, "b").correct == told.correct  # sent again, stored once
            met.append(code)
        return met

    first = attempt(ann, "abba")
    now = project.practice_of(ann)
    assert (now.right, now.needed, now.passed, now.due) == (2, 3, False, True)
    project.practise_again(ann)
    second = attempt(ann, "aaab")
    assert not {*first} & {*second}  # others, as long as there are any
    assert project.practice_of(ann).passed
    assert not project.practice_of(ann).due
    with pytest.raises(ConflictError):
        project.practise_again(ann)
    # No labels, and never asked again as if they were new to them.
    assert project.labels().n_labels == 0
    assert {lease.example_id for lease in project.lease(ann, 2)} == {*range(10)} - {*first} - {*second}

    attempt(bob, "bbbb")
    with pytest.raises(ConflictError):
        project.lease(bob)
    project.admit(bob, ann)
    assert project.lease(bob)
    rows = {row.id: row.practice for row in insight.people_table(project, time.time())}
    assert (rows[ann].words, rows[ann].held) == ("passed, 3 of 4 right, tried twice", False)
    assert rows[bob].words == "let in, 0 of 4 right"
    assert rows[old] is None


def test_who_is_sent_to_practise_again_gets_nothing_new_before_they_pass(place, make):
    project, (ann, bob, _) = make(place, 30, leased_ahead=4)
    project.database.write(lambda c: c.execute(update(annotator).values(password="x")))
    first, second, third = project.lease(ann, 3)
    project.record(ann, first.id, "label", label="a")
    for who, problem in ((10**6, "no annotator"), (ann, "no example has a known answer")):
        with pytest.raises(InputError, match=problem):
            project.send_to_practise(who, bob)
    held = {one.example_id for one in (first, second, third)}
    project.set_gold({f"e{i}": "a" for i in [*({*range(30)} - held)][:10]})
    assert project.send_to_practise(ann, bob) == 10
    with pytest.raises(ConflictError, match="already"):
        project.send_to_practise(ann, bob)
    # What was on their page is stored when it comes; nothing new comes with it, and others get the rest.
    assert project.record(ann, second.id, "label", label="b", then_lease=2)[1] == []
    (theirs,) = (lease for lease in project.lease(bob, 30) if lease.example_id == third.example_id)
    project.record(bob, theirs.id, "label", label="b")
    with pytest.raises(ConflictError, match="has gone"):
        project.record(ann, third.id, "label", label="b")
    with pytest.raises(ConflictError, match="practise"):
        project.lease(ann)
    assert insight.why_nothing(project, ann).reason == "practice"

    def practice():
        row = next(row for row in insight.people_table(project) if row.id == ann)
        return row.practice

    for turn in range(10):
        project.practise(ann, project.practice_of(ann).example_id, "a" if turn < 5 else "b")
    failed = practice()
    assert (failed.words, failed.held, failed.passed) == ("practising: 5 of 10 right", True, None)
    project.practise_again(ann)
    for _ in range(10):
        project.practise(ann, project.practice_of(ann).example_id, "a")
    done = practice()
    assert (done.words, done.held) == ("passed, 10 of 10 right, tried twice", False)
    assert done.passed > done.sent
    assert project.labels().n_labels == 3
    # All known answers are told by now; sent once more, the attempts are counted anew.
    assert project.send_to_practise(ann) == 10
    assert (practice().attempts, practice().words) == (1, "practising: 0 of 10 answered, 0 right")
    assert all(not one.problem for one in examine(project))


def test_a_grid_is_of_the_classes_of_now(place, make):
    project, (ann, bob, third) = trained(make, place)
    assert project.lease_grid(ann) is not None
    project.change_classes(Reclass("merge", ("a", "b"), ("a or b",)))
    for who in (ann, bob):
        grid = project.lease_grid(who)
        right = {
            project.settings.classes.index("c" if one.example_id % 3 == 2 else "a or b")
            for one in grid.leases
        }
        assert right == {grid.label}
    # Of a class that was split no model is sure which part it is.
    project.change_classes(Reclass("split", ("a or b",), ("one", "two")))
    offered = []
    while grid := project.lease_grid(third):
        offered.append(project.settings.classes[grid.label])
        project.record_grid(third, [one.id for one in grid.leases], offered[-1])
    assert {*offered} == {"c"}
