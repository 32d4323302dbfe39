"""The schema on its way up and down, on both databases, over all revisions there are."""

from __future__ import annotations

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

import activelab.label_studio  # noqa: F401  (its tables are in the same database)
from activelab import InputError
from activelab.project import Project, Settings, StorageError, create_project, open_project
from activelab.project.files.doctor import examine
from activelab.project.store.database import Database
from activelab.project.store.schema import metadata
from activelab.project.store.upgrades import downgrade, revisions, schema_state, upgrade

REVISIONS = revisions()


@pytest.fixture(scope="module", autouse=True)
def schemas():
    """Here every project is made by the migrations themselves."""


@pytest.fixture
def database(place):
    one = Database(place)
    yield one
    one.close()


def tables(database: Database) -> set[str]:
    return set(database.read(lambda c: inspect(c).get_table_names()))


def differences(database: Database) -> list[object]:
    """What the tables of the database lack of the schema in the code, or have beside it."""
    return database.read(lambda c: compare_metadata(MigrationContext.configure(c), metadata))


def test_up_down_and_up_again(database):
    assert schema_state(database) == "none"
    for _ in range(2):
        upgrade(database)
        assert schema_state(database) == "current"
        assert differences(database) == []
        assert tables(database) == {*metadata.tables, "alembic_version"}
        downgrade(database, "base")
        assert tables(database) <= {"alembic_version"}
        assert schema_state(database) == "none"


def test_every_step_can_be_undone(database):
    before = ["base", *REVISIONS]
    for earlier, revision in zip(before, REVISIONS, strict=False):
        upgrade(database, revision)
        there = tables(database)
        assert schema_state(database) == ("current" if revision == REVISIONS[-1] else "old")
        downgrade(database, earlier)
        upgrade(database, revision)
        assert tables(database) == there
    assert differences(database) == []


def test_what_people_did_outlives_the_way_down_and_up(place, make):
    project, people = make(place, 6)
    project.add_labels([("e0", "ann0", "a"), ("e0", "ann1", "b"), ("e1", "old hand", "c")])
    project.set_gold({"e5": "a"})
    lease = project.lease(people[2], 1)[0]
    project.record(people[2], lease.id, "label", label="b", source="page")

    def known(one: Project) -> object:
        labels = one.labels()
        return (
            sorted(
                zip(labels.example.tolist(), labels.annotator.tolist(), labels.label.tolist(), strict=True)
            ),
            labels.annotators.tolist(),
            one.examples(range(6)),
            one.database.read(lambda c: c.execute(text("SELECT count(*) FROM event")).scalar_one()),
        )

    before, settings = known(project), project.settings
    project.close()
    database = Database(place)
    for revision in REVISIONS[::-1]:
        downgrade(database, revision)
    database.close()
    with open_project(place) as again:  # brings it up to date
        assert schema_state(again.database) == "current"
        assert known(again) == before
        assert again.settings == settings
        assert differences(again.database) == []
        assert [one.name for one in examine(again) if one.problem] == []


@pytest.mark.parametrize("table", ["event", "audit", "class_change"])
@pytest.mark.parametrize("change", ["UPDATE {} SET time = 0", "DELETE FROM {}"])
def test_what_is_append_only_stays_so_after_the_way_down_and_up(database, table, change):
    upgrade(database)
    downgrade(database, "base")
    upgrade(database)
    values = {
        "event": "(time, annotator_id, example_id, kind, source) VALUES (1, 1, 0, 'label', 'api')",
        "audit": "(time, action, detail) VALUES (1, 'x', '{}')",
        "class_change": "(id, time, action, last_event, round_id, detail) VALUES (1, 1, 'x', 0, -1, '{}')",
    }

    def fill(connection):
        connection.execute(
            text("INSERT INTO annotator (id, name, role, created) VALUES (1, 'a', 'admin', 0)")
        )
        connection.execute(text("INSERT INTO example (id, name, content) VALUES (0, 'e', '{}')"))
        connection.execute(text(f"INSERT INTO {table} {values[table]}"))

    database.write(fill)
    with pytest.raises(Exception, match="append-only"):
        database.write(lambda c: c.execute(text(change.format(table))))


def test_a_store_of_a_later_version_is_left_alone(place, make):
    project, _ = make(place, 1)
    project.database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    project.close()
    with pytest.raises(InputError, match="made by a newer version of activelab; upgrade the program"):
        open_project(place)
    with pytest.raises(InputError, match=r"exists already|is not empty"):
        create_project(place, Settings())


def test_tables_of_somebody_else_are_left_alone(place):
    database = Database(place)
    database.write(lambda c: c.execute(text("CREATE TABLE mine (x INTEGER)")))
    database.close()
    with pytest.raises(InputError, match="holds no project"):
        open_project(place)
    with pytest.raises(InputError, match=r"exists already|is not empty"):
        create_project(place, Settings())
    database = Database(place)
    assert tables(database) == {"mine"}
    database.close()


def test_two_who_make_the_same_project_at_once(place):
    made, refused = [], []

    def make() -> None:
        try:
            made.append(create_project(place, Settings(title="mine")))
        except InputError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (len(made), len(refused)) == (1, 3)
    made[0].close()
    with open_project(place) as project:
        count = text("SELECT count(*) FROM audit WHERE action = 'project created'")
        assert project.database.read(lambda c: c.execute(count).scalar_one()) == 1


def test_a_step_that_fails_changes_nothing(database, monkeypatch):
    """The triggers come last; if they cannot be made, none of the tables is there."""
    from activelab.project.store import schema as _schema

    def broken(dialect: str) -> list[str]:
        return ["CREATE NONSENSE"]

    monkeypatch.setattr(_schema, "append_only_statements", broken)
    with pytest.raises(StorageError, match="syntax error"):
        upgrade(database, REVISIONS[0])
    assert tables(database) == set()
    monkeypatch.undo()
    upgrade(database)
    assert schema_state(database) == "current"
