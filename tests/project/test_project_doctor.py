"""Damage that is found, what is derived again, and copies that are made while people label."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from activelab import InputError
from activelab.project import StorageError, open_project
from activelab.project.files.backup import back_up
from activelab.project.files.doctor import examine, repair
from activelab.project.labelling import rounds
from activelab.project.training.round import train_round

pytestmark = pytest.mark.slow

WELL: list[str] = []


def wrong(project) -> list[str]:
    """Names of the checks that found something."""
    return [one.name for one in examine(project) if one.problem]


def behind_its_back(project, *statements: str) -> None:
    """Change the database with its triggers and references out of force, as only an owner can."""
    if project.database.is_sqlite:
        with sqlite3.connect(project.database.name) as connection:
            triggers = connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall()
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                connection.execute(statement)
            for _, sql in triggers:
                connection.execute(sql)
        connection.close()
        return
    with project.database.engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))
        connection.execute(text("SET session_replication_role = DEFAULT"))


@pytest.fixture
def used(make):
    """A project with features, a trained round, and answers of all kinds since."""

    def build(place):
        project, people = make(place, 0, 3)
        features = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
        project.add_examples(((f"e{i}", {"text": f"text {i}"}) for i in range(40)), features=features)
        project.add_labels((f"e{i}", f"ann{who}", "abc"[(i + who) % 3]) for i in range(10) for who in (0, 1))
        project.set_gold({"e39": "a"})
        probs = np.random.default_rng(1).dirichlet(np.ones(3), 40)
        train_round(project, pred_probs=probs)
        for turn, lease in enumerate(project.lease(people[2], 4)):
            kind = ("label", "label", "skip", "unsure")[turn]
            project.record(people[2], lease.id, kind, label="b" if kind == "label" else None, source="page")
        project.undo(people[2])
        return project, people

    return build


def test_a_project_in_use_is_well(place, used):
    project, people = used(place)
    assert wrong(project) == WELL
    project.lease(people[0], 3)
    assert wrong(project) == WELL
    assert [one.problem for one in repair(project)] == [""] * len(examine(project))


def test_an_empty_project_is_well(place, make):
    project, _ = make(place, 0, 0)
    assert wrong(project) == WELL


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("DELETE FROM answer WHERE example_id = 3", "answers"),
        ("UPDATE answer SET class_code = 0 WHERE class_code = 1", "answers"),
        ("UPDATE example SET num_labels = 7 WHERE id = 2", "labels of examples"),
        ("UPDATE annotator SET num_labels = 7 WHERE id = 1", "labels of annotators"),
        ("UPDATE queue SET remaining = remaining + 1 WHERE example_id = 20", "queue"),
        (
            "INSERT INTO example (id, name, content) VALUES (40, 'half', '{}')",
            "unfinished import",
        ),
        (
            "INSERT INTO lease (round_id, example_id, annotator_id, gold, leased, expires, state) "
            "VALUES (1, 3, 1, false, 0, 1e12, 'open')",
            "leases",
        ),
    ],
)
def test_what_is_derived_is_derived_again(place, used, statement, check):
    project, people = used(place)
    behind_its_back(project, statement)
    assert check in wrong(project)
    mended = {one.name: one.problem for one in repair(project)}
    assert mended[check]
    assert wrong(project) == WELL
    labels = project.labels()
    assert (labels.n_labels, labels.n_examples) == (22, 40)
    assert project.lease(people[0], 1)  # labelling goes on


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("DELETE FROM event WHERE id = 5", "events"),
        ("DELETE FROM event WHERE id = (SELECT max(undoes) FROM event)", "events"),
        ("UPDATE event SET class_code = 9 WHERE id = 5", "events"),
        ("DELETE FROM example WHERE id = 30", "examples"),
        ('UPDATE example SET content = \'{"text": "cut o\' WHERE id = 30', "examples"),
        ("UPDATE example SET gold = 3 WHERE id = 39", "examples"),
        ("DELETE FROM feature_block", "features"),
        ("DELETE FROM round_array WHERE name = 'order'", "served round"),
        ("DELETE FROM round_array WHERE name = 'quality'", "served round"),
        ("UPDATE setting SET value = '-1' WHERE name = 'current_round'", "served round"),
    ],
)
def test_what_is_lost_is_named_and_nothing_is_changed(place, used, statement, check):
    project, _ = used(place)
    behind_its_back(project, statement, "UPDATE example SET num_labels = 7 WHERE id = 2")
    found = {one.name: one.problem for one in examine(project)}
    assert "Restore a backup" in found[check]
    repair(project)
    assert {one.name: one.problem for one in examine(project)} == found


@pytest.mark.parametrize("name", ["order", "scores", "pred_probs/000/000000000000"])
def test_arrays_of_which_bytes_are_missing(place, used, name):
    project, _ = used(place)

    def cut(connection):
        data = rounds.round_array.c.data
        of = rounds.round_array.c.name == name
        whole = connection.execute(rounds.select(data).where(of)).scalars().all()[-1]
        connection.execute(rounds.update(rounds.round_array).where(of).values(data=whole[:-9]))

    project.database.write(cut)
    assert wrong(project) == ["served round"]


def test_features_of_which_bytes_are_missing(place, used):
    project, _ = used(place)
    behind_its_back(project, "UPDATE feature_block SET data = substr(data, 1, 200)")
    assert wrong(project) == ["features"]


def test_pages_of_the_file_that_were_overwritten(tmp_path, used):
    """Every page but the first in turn: what can be read is told from what cannot, without a traceback."""
    place = str(tmp_path / "project.db")
    project, _ = used(place)
    project.close()
    whole = (tmp_path / "project.db").read_bytes()
    size = 4096
    pages = random.Random(0).sample(range(1, len(whole) // size), 12)
    for page in pages:
        broken = bytearray(whole)
        broken[page * size : page * size + 200] = os.urandom(200)
        copy = tmp_path / f"broken-{page}.db"
        copy.write_bytes(broken)
        assert problems(copy)


def problems(place: Path) -> list[str]:
    """What is said of a file, by an error or by the checks."""
    try:
        with open_project(place) as project:
            return wrong(project)
    except (StorageError, InputError) as error:
        return [str(error)]


def test_a_file_that_was_cut_off(tmp_path, used):
    place = tmp_path / "project.db"
    used(str(place))[0].close()
    whole = place.read_bytes()
    for part in (len(whole) // 2, 4096, 100, 10):
        place.write_bytes(whole[:part])
        assert problems(place)


# ------------------------------------------------------------------ backup


def test_a_copy_made_while_people_label_is_whole(tmp_path, used):
    place = tmp_path / "project.db"
    project, people = used(str(place))
    place.chmod(0o600)
    stop, stored, copies = threading.Event(), [], []

    def label(who: int) -> None:
        while not stop.is_set() and (leases := project.lease(people[who], 1)):
            project.record(people[who], leases[0].id, "label", label="a", source="page")
            stored.append(who)
            if project.undo(people[who]) is None:
                return

    threads = [threading.Thread(target=label, args=(who,)) for who in range(3)]
    for one in threads:
        one.start()
    try:
        for turn in range(3):
            before = len(stored)
            copies.append(tmp_path / f"copy-{turn}.db")
            assert back_up(project, copies[-1]) == copies[-1].stat().st_size
            while len(stored) < before + 3 and any(one.is_alive() for one in threads):
                stop.wait(0.01)
    finally:
        stop.set()
        for one in threads:
            one.join()
    events = []
    for copy in copies:
        assert copy.stat().st_mode & 0o777 == 0o600
        with open_project(copy) as one:
            assert wrong(one) == WELL
            events.append(
                one.database.read(lambda c: c.execute(text("SELECT count(*) FROM event")).scalar_one())
            )
            people_there = one.database.read(
                lambda c: c.execute(text("SELECT id FROM annotator")).scalars().all()
            )
            assert one.lease(people_there[0], 1)  # a copy is a project like any other
    assert events[0] < events[1] < events[2]
    assert sorted(one.name for one in tmp_path.glob(".*partial*")) == []


def test_a_copy_never_replaces_anything(tmp_path, used):
    project, _ = used(str(tmp_path / "project.db"))
    there = tmp_path / "there.db"
    there.write_text("mine")
    for target, message in ((there, "exists already"), (tmp_path / "project.db", "exists already"),
                            (tmp_path / "no" / "copy.db", "does not exist")):  # fmt: skip
        with pytest.raises(InputError, match=message):
            back_up(project, target)
    assert there.read_text() == "mine"
    assert wrong(project) == WELL


def test_where_there_are_no_hard_links(tmp_path, used, monkeypatch):
    project, _ = used(str(tmp_path / "project.db"))

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert back_up(project, tmp_path / "copy.db")
    with open_project(tmp_path / "copy.db") as copy:
        assert wrong(copy) == WELL
    with pytest.raises(InputError, match="exists already"):
        back_up(project, tmp_path / "copy.db")
