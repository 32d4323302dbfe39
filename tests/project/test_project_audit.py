"""Audits of a project: what is drawn, what checks say, and what stays of both."""

from __future__ import annotations

import numpy as np
import pyarrow.csv as csv
import pytest
from project_store import add_person
from sqlalchemy import select, text

from activelab import InputError
from activelab.project import ConflictError, insight, open_project
from activelab.project.files.backup import back_up
from activelab.project.files.doctor import examine
from activelab.project.files.export import export_table, safe_table
from activelab.project.labelling import audits
from activelab.project.store.database import Database
from activelab.project.store.schema import audit
from activelab.project.store.upgrades import downgrade

CLASSES = ("a", "b", "c")


@pytest.fixture
def sqlite(tmp_path):
    return str(tmp_path / "project.db")


def crowd(project, n, seed=0):
    """Three labels of each example by people who err one time in four; the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    records = []
    for code in range(n):
        for who in rng.choice(6, 3, replace=False):
            said = truth[code] if rng.random() < 0.65 else rng.integers(0, 3)
            records.append((f"e{code}", f"ann{who}", CLASSES[said]))
    project.add_labels(records)
    return truth


def test_nothing_checked_is_no_estimate(sqlite, make):
    project, _ = make(sqlite, 20, 6)
    assert insight.audit_estimate(project) is None
    crowd(project, 20)
    assert insight.audit_estimate(project) is None


def test_known_answers_that_annotators_did_not_see_are_an_estimate(sqlite, make):
    project, people = make(sqlite, 400, 6)
    truth = crowd(project, 400)
    chosen = np.random.default_rng(1).choice(400, 100, replace=False)
    project.set_gold({f"e{code}": CLASSES[truth[code]] for code in chosen})
    final = insight.final_labels(project)
    right = (final.label == truth).mean()
    found = insight.audit_estimate(project)
    assert found.basis == "gold"
    assert (found.n_checked, found.confidence, found.round) == (100, 0.95, None)
    assert found.low <= right <= found.high
    assert found.high - found.low < 0.2
    assert found.low <= found.share <= found.high
    # A decision is right: no label becomes worse.
    wrong = np.flatnonzero(final.label != truth)[:10]
    for code in wrong.tolist():
        project.decide(people[0], code, CLASSES[truth[code]])
    assert insight.audit_estimate(project).share > found.share


@pytest.fixture
def audited(make):
    """Four hundred examples with three labels each, an adjudicator, and the truth."""

    def build(place, n=400, **options):
        project, _ = make(place, n, 6)
        boss = add_person(project, "boss", role="adjudicator")
        return project, boss, crowd(project, n, **options)

    return build


def answer_all(project, boss, number, truth, at_most=None):
    done = 0
    while (todo := insight.next_check(project, number)).example_id is not None and done != at_most:
        project.check(boss, number, todo.example_id, CLASSES[truth[todo.example_id]])
        done += 1
    return done


def test_an_audit_from_draw_to_result(place, audited):
    project, boss, truth = audited(place)
    before = insight.final_labels(project)
    right = (before.label == truth).mean()
    number = insight.draw_audit(project, 80, by=boss, seed=3)
    empty = insight.audit_result(project, number)
    assert (empty.drawn, empty.checked, empty.estimate, empty.classes) == (80, 0, None, [])
    assert (empty.by, empty.seed, empty.labels, empty.known, empty.safe) == ("boss", 3, 400, 0, 0)
    assert answer_all(project, boss, number, truth, 30) == 30
    part = insight.audit_result(project, number)
    assert part.checked == part.estimate.n_checked == 30
    assert answer_all(project, boss, number, truth) == 50
    found = insight.audit_result(project, number)
    assert found.checked == 80
    assert found.estimate.low <= right <= found.estimate.high
    assert found.estimate.high - found.estimate.low < part.estimate.high - part.estimate.low
    assert found.estimate == insight.audit_estimate(project)
    assert found.estimate.basis == "audit"
    assert sum(one.share for one in found.classes) == pytest.approx(1)
    assert [one.label for one in found.classes] == list(CLASSES)
    # What the checks found wrong is corrected, and is still wrong in the result.
    after = insight.final_labels(project)
    assert found.wrong == ((after.label != before.label) & (after.source == "adjudicated")).sum() > 0
    assert insight.next_check(project, number).example_id is None


def test_a_check_is_a_decision_that_can_be_undone_and_corrected(place, audited):
    project, boss, truth = audited(place)
    number = insight.draw_audit(project, 10, seed=0)
    code = insight.next_check(project, number).example_id
    stored = project.check(boss, number, code, CLASSES[truth[code]], request="a-request-of-mine")
    again = project.check(boss, number, code, CLASSES[truth[code]], request="a-request-of-mine")
    assert (again.event_id, again.repeated) == (stored.event_id, True)
    assert insight.final_labels(project).source[code] == "adjudicated"
    with pytest.raises(ConflictError, match="boss has checked this example already"):
        project.check(boss, number, code, "a")
    project.undo_decision(boss, code)
    assert insight.audit_result(project, number).checked == 0
    assert insight.next_check(project, number).example_id == code
    project.check(boss, number, code, "a")
    project.decide(boss, code, "b")  # a later decision corrects the check
    truths = {one.example_id: one.class_code for one in project.database.read(
        lambda c: audits.list_checks(c, number)
    )}  # fmt: skip
    assert truths[code] == 1
    # A decision that saw what others said is no check.
    other = insight.next_check(project, number).example_id
    project.decide(boss, other, "a")
    assert insight.audit_result(project, number).checked == 1
    actions = [row.action for row in project.database.read(lambda c: c.execute(select(audit)).all())]
    assert actions.count("audit drawn") == 1
    assert "decided" in actions


def test_labels_that_are_known_are_counted_and_not_drawn(sqlite, audited):
    project, boss, truth = audited(sqlite)
    project.set_gold({f"e{code}": CLASSES[truth[code]] for code in range(150)})
    for code in range(150, 200):
        project.decide(boss, code, CLASSES[truth[code]])
    number = insight.draw_audit(project, 60, seed=0)
    checks = project.database.read(lambda c: audits.list_checks(c, number))
    assert min(one.example_id for one in checks) >= 200
    right = (insight.final_labels(project).label == truth).mean()
    answer_all(project, boss, number, truth)
    found = insight.audit_result(project, number)
    assert (found.known, found.labels) == (200, 400)
    assert found.estimate.low <= right <= found.estimate.high
    assert found.estimate.low > 0.5
    assert found.safe >= 200


def test_a_second_audit_follows_and_the_finished_one_speaks(sqlite, audited):
    project, boss, truth = audited(sqlite)
    first = insight.draw_audit(project, 40, seed=0)
    answer_all(project, boss, first, truth)
    second = insight.draw_audit(project, 40, seed=0)
    assert [one.id for one in insight.audit_list(project)] == [second, first]
    asked = [project.database.read(lambda c, n=n: audits.list_checks(c, n)) for n in (first, second)]
    assert not {one.example_id for one in asked[0]} & {one.example_id for one in asked[1]}
    answer_all(project, boss, second, truth, 5)
    assert insight.audit_estimate(project).n_checked == 40
    answer_all(project, boss, second, truth)
    assert insight.audit_estimate(project) == insight.audit_result(project, second).estimate


def test_safe_labels_are_those_of_the_draw_or_decided_since(sqlite, audited, tmp_path):
    project, boss, truth = audited(sqlite)
    number = insight.draw_audit(project, 200, seed=0)
    answer_all(project, boss, number, truth)
    rows = insight.safe_rows(project, number, epsilon=0.2, delta=0.1)
    assert 100 < len(rows) == insight.audit_result(project, number, epsilon=0.2, delta=0.1).safe
    wrong = np.mean([truth[row.example_id] != row.label for row in rows])
    assert wrong <= 0.2
    table = safe_table(project, number, epsilon=0.2, delta=0.1)
    assert table.column_names == ["example", "label", "source", "quality"]
    assert table.num_rows == len(rows)
    assert set(table["source"].to_pylist()) == {"adjudicated", "consensus"}


def test_audits_outlive_backup_and_reopening_and_are_exported(sqlite, audited, tmp_path, again):
    project, boss, truth = audited(sqlite)
    number = insight.draw_audit(project, 30, seed=0)
    answer_all(project, boss, number, truth, 20)
    back_up(project, tmp_path / "copy.db")
    copy = again(str(tmp_path / "copy.db"))
    assert insight.audit_list(copy) == insight.audit_list(project)
    assert insight.audit_estimate(copy) == insight.audit_estimate(project)
    export_table(copy, "checks", tmp_path / "checks.csv")
    rows = csv.read_csv(tmp_path / "checks.csv").to_pylist()
    assert len(rows) == 30
    assert sum(row["checked_by"] == "boss" for row in rows) == 20
    assert sum(1 / row["inclusion"] for row in rows) == pytest.approx(400)
    assert {one.name: one.problem for one in examine(copy)}["audits"] == ""


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE quality_audit SET labels = x'00'",
        "DELETE FROM audit_check WHERE position = 3",
        "UPDATE audit_check SET event_id = 1 WHERE position = 0",
    ],
)
def test_the_doctor_finds_damaged_audits(sqlite, audited, damage):
    project, _, _ = audited(sqlite)
    insight.draw_audit(project, 10, seed=0)
    assert [one for one in examine(project) if one.problem] == []
    project.database.write(lambda c: c.execute(text(damage)))
    problems = {one.name: one.problem for one in examine(project) if one.problem}
    assert problems == {"audits": "audit 1 is damaged. Restore a backup."}


def test_a_project_from_before_audits_is_brought_up_to_date(place, audited, again):
    project, boss, truth = audited(place, 40)
    project.decide(boss, 0, "c")
    labels = insight.final_labels(project).label.tolist()
    project.close()
    database = Database(place)
    downgrade(database, "0004")
    database.close()
    with open_project(place) as opened:
        assert insight.final_labels(opened).label.tolist() == labels
        assert insight.audit_list(opened) == []
        number = insight.draw_audit(opened, 10)
        assert answer_all(opened, boss, number, truth) == 10
        assert [one for one in examine(opened) if one.problem] == []


def test_what_cannot_be_audited_is_said(sqlite, make):
    project, people = make(sqlite, 3, 1)
    with pytest.raises(InputError, match="no label to audit"):
        insight.draw_audit(project, 10)
    project.add_labels([("e0", "ann0", "a"), ("e1", "ann0", "b")])
    with pytest.raises(InputError, match="at least 2 checks"):
        insight.draw_audit(project, 1)
    number = insight.draw_audit(project, 10)
    with pytest.raises(InputError, match="does not ask for example 2"):
        project.check(people[0], number, 2, "a")
    with pytest.raises(InputError, match="there is no audit 7"):
        insight.audit_result(project, 7)
    with pytest.raises(InputError, match="none of the classes"):
        project.check(people[0], number, 0, "z")
    project.check(people[0], number, 0, "a")
    with pytest.raises(InputError, match="epsilon and delta"):
        insight.audit_result(project, number, epsilon=2)
