"""Who is written to, whose data is handed out, and who is removed."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from project_store import add_person
from sqlalchemy import text

from activelab._errors import InputError
from activelab.project import insight
from activelab.project.files.doctor import examine
from activelab.project.files.personal import personal_data, remove_person
from activelab.project.insight.final import final_labels
from activelab.project.labelling.messages import mark_read, send_message, sent_to, unread
from activelab.project.store import accounts
from activelab.project.store.audit import write_audit
from activelab.project.store.rosters import links_table, read_roster
from activelab.project.store.schema import metadata
from activelab.project.training.round import train_round

NAME = 'Zed "Q" Öz'


def everything(project) -> str:
    """All that is stored, with the letters of JSON as they are meant."""

    def load(connection):
        rows = [row for table in metadata.sorted_tables for row in connection.execute(table.select())]
        return "\n".join(str(value) for row in rows for value in row).replace('\\"', '"')

    return project.database.read(load)


@pytest.fixture
def worked(make, place):
    """A project, and somebody whose name stands wherever a name can; they labelled beside others."""
    project, (ann, _) = make(place, 12, 2, budget=100)
    zed = add_person(project, NAME)
    for label in "abca":
        lease = project.lease(zed)[0]
        project.record(zed, lease.id, "label", label=label, reason="a note", flagged=True, seconds=2.5)
    project.add_labels((f"e{i}", who, "abc"[i % 3]) for i in range(9) for who in ("ann0", "ann1"))
    project.decide(zed, 0, "b")
    project.change_settings({"families": [f"{NAME}=robots", "ann0=robots"]}, by=ann)

    def fill(connection):
        now = time.time()
        accounts.create_token(connection, zed, "mine", now)
        accounts.create_invite(connection, now, name=NAME)
        connection.execute(text("UPDATE annotator SET password = 'x', role = 'admin'"))
        write_audit(connection, ann, "invited", {"names": [NAME, "ann0"]})
        send_message(connection, ann, [zed], "hello", now)
        send_message(connection, zed, [ann], "and to you", now)

    project.database.write(fill)
    train_round(project)
    return project, ann, zed


def test_all_that_is_stored_of_a_person_is_handed_out(worked):
    project, _, zed = worked
    data = json.loads(json.dumps(personal_data(project, zed)))
    answers = [(one["kind"], one["label"], one["note"], one["stands"]) for one in data["answers"]]
    assert answers == [*(("label", k, "a note", True) for k in "abca"), ("decision", "b", None, True)]
    assert data["answers"][0]["seconds"] == 2.5
    assert {one["example"] for one in data["answers"]} <= {f"e{i}" for i in range(12)}
    assert [(one["from"], one["text"]) for one in data["messages"]] == [
        ("ann0", "hello"),
        (NAME, "and to you"),
    ]
    assert [one["action"] for one in data["log"]][-1] == "invited"
    assert len(data["tokens"]) == len(data["invitations"]) == len(data["estimates"]) == 1
    assert len(data["shown"]) == 4
    own = personal_data(project, zed, own=True)
    assert "estimates" not in own
    assert {type(one["example"]) for one in own["answers"]} == {int}
    assert own["log"][-1]["detail"]["names"] == [NAME]
    for secret in ("digest", "password"):
        assert secret not in json.dumps(data)


def test_who_is_removed_is_named_nowhere_and_no_label_that_counts_changes(worked):
    project, ann, zed = worked
    before, rows = final_labels(project), {row.id: row for row in insight.annotator_table(project)}
    assert NAME in everything(project)
    with pytest.raises(InputError, match="another admin"):
        remove_person(project, zed, zed)
    done = remove_person(project, zed, ann)
    assert (done.name, done.answers) == (f"removed person {zed}", 0)
    assert NAME not in everything(project)
    assert "mine" not in everything(project)
    after = final_labels(project)
    np.testing.assert_array_equal(after.label, before.label)
    np.testing.assert_array_equal(after.quality, before.quality)
    row = next(row for row in insight.people_table(project) if row.id == zed)
    assert (row.name, row.labels, row.removed) == (done.name, 4, True)
    assert (row.accuracy, row.agreement) == (rows[zed].accuracy, rows[zed].agreement)
    train_round(project)
    assert final_labels(project).label.tolist() == before.label.tolist()
    assert all(not one.problem for one in examine(project))
    # Nobody comes back as them; their name is free for somebody else.
    for work in (
        lambda c: accounts.set_disabled(c, done.name, False),
        lambda c: accounts.create_invite(c, time.time(), name=done.name),
    ):
        with pytest.raises(InputError, match="was removed"):
            project.database.write(work)
    assert add_person(project, NAME) != zed
    with pytest.raises(Exception, match="append-only"):
        project.database.write(lambda c: c.execute(text("UPDATE audit SET time = 0")))
    # Asked again, their answers go as well: counts, budget and queue are as if they had not been.
    with pytest.raises(InputError, match="already"):
        remove_person(project, zed, ann)
    assert remove_person(project, zed, ann, answers=True).answers == 4
    assert project.labels().n_labels == 18
    assert all(not one.problem for one in examine(project))
    assert after.source[0] == final_labels(project).source[0] == "adjudicated"


def test_the_last_admin_cannot_be_removed(make, tmp_path):
    project, (ann, _) = make(str(tmp_path / "p.db"), 1, 2)
    project.database.write(
        lambda c: c.execute(text(f"UPDATE annotator SET password = 'x', role = 'admin' WHERE id = {ann}"))
    )
    with pytest.raises(InputError, match="last admin"):
        remove_person(project, ann)


def test_a_message_is_read_once_and_by_nobody_else(worked):
    project, ann, zed = worked

    def check(connection):
        (one,) = unread(connection, zed)
        assert (one["text"], one["by"]) == ("hello", "ann0")
        assert not mark_read(connection, ann, one["id"], 5.0)
        for now in (7.0, 9.0):
            assert mark_read(connection, zed, one["id"], now)
        assert [row["read"] for row in sent_to(connection, zed)] == [7.0]
        assert unread(connection, zed) == []
        for to, words in (([zed], " "), ([10**6], "x"), ([], "x"), ([zed], "x" * 2001)):
            with pytest.raises(InputError):
                send_message(connection, ann, to, words, 1.0)

    project.database.write(check)


@pytest.mark.parametrize(
    ("listed", "people"),
    [
        ("ann\n\nbob\n", [(1, "ann", "annotator"), (3, "bob", "annotator")]),
        ("ann\tadmin\nbob\t\n", [(1, "ann", "admin"), (2, "bob", "annotator")]),
        ("Role;E-mail;Name\nADMIN;a@b, c;ann", [(2, "ann", "admin")]),
        ('name,role\n"Doe, Jo","adjudicator"', [(2, "Doe, Jo", "adjudicator")]),
    ],
)
def test_lists_of_people_are_read_as_they_come(listed, people):
    roster = read_roster(listed)
    assert [(one.line, one.name, one.role) for one in roster.people] == people
    assert links_table(roster, ["x"] * len(people)).count("\n") == len(people) + 1


@pytest.mark.parametrize("listed", ["", "name,role\n", "\n".join(f"p{i}" for i in range(501))])
def test_lists_that_are_none_are_refused(listed):
    with pytest.raises(InputError, match="1 to 500 people"):
        read_roster(listed)
