"""Both databases a project can live in, for tests: a file, and a PostgreSQL cluster made for the session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from _cluster import Cluster
from activelab.project import Project, Settings, _project, create_project, open_project
from activelab.project.store import accounts
from activelab.project.store.database import Database
from activelab.project.store.upgrades import schema_state, upgrade

_RECORDED: dict[bool, list[tuple[str, Any]]] = {}


@pytest.fixture(scope="module", autouse=True)
def schemas() -> Iterator[None]:
    """The first new project runs the migrations; others, which is faster, the statements of these."""

    def faster(database: Database) -> None:
        if schema_state(database) != "none":
            upgrade(database)
        elif statements := _RECORDED.get(database.is_sqlite):
            database.write(lambda c: [c.exec_driver_sql(*one).close() for one in statements])
        else:
            _RECORDED[database.is_sqlite] = _recorded(database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_project, "upgrade", faster)
        yield


def _recorded(database: Database) -> list[tuple[str, Any]]:
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.split()[0] in {"ALTER", "CREATE", "DELETE", "DROP", "INSERT", "UPDATE"}:
            statements.append((statement, parameters or None))

    event.listen(database.engine, "before_cursor_execute", note)
    upgrade(database)
    event.remove(database.engine, "before_cursor_execute", note)
    return statements


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a project can be made: a file that is not there yet, and an empty database."""
    if request.param == "sqlite":
        yield str(tmp_path / "project.db")
    else:
        yield from _database(request.getfixturevalue("cluster"))


@pytest.fixture
def postgresql(cluster: Cluster) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    yield from _database(cluster)


@pytest.fixture
def make() -> Iterator[Callable[..., tuple[Project, list[int]]]]:
    """`new_project`; what it made is closed when the test is over."""
    made: list[Project] = []

    def make(place: str, *args: Any, **options: Any) -> tuple[Project, list[int]]:
        project, people = new_project(place, *args, **options)
        made.append(project)
        return project, people

    yield make
    for project in made:
        project.close()


@pytest.fixture
def again() -> Iterator[Callable[[str], Project]]:
    """`open_project`; what it opened is closed when the test is over."""
    opened: list[Project] = []

    def again(place: str) -> Project:
        opened.append(open_project(place))
        return opened[-1]

    yield again
    for project in opened:
        project.close()


def new_project(place: str, n: int = 10, people: int = 3, **settings: Any) -> tuple[Project, list[int]]:
    """A project of n examples e0, e1, …, with annotators ann0, ann1, …; their ids."""
    project = create_project(
        place, Settings(**{"classes": ("a", "b", "c"), "method": "activelab", **settings})
    )
    if n:
        project.add_examples((f"e{i}", {"text": f"text {i}"}) for i in range(n))
    return project, [add_person(project, f"ann{i}") for i in range(people)]


def add_person(project: Project, name: str, **options: Any) -> int:
    return project.database.write(lambda c: accounts.add_annotator(c, name, time.time(), **options))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One server a session."""
    server = Cluster()
    yield server
    server.stop()


def _database(server: Cluster) -> Iterator[str]:
    name = f"p{uuid4().hex[:12]}"
    server.sql(f"CREATE DATABASE {name}")
    yield server.url(name)
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")
