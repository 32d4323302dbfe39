"""Both databases a project can live in, for tests: a file, and a PostgreSQL cluster made for the session."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from activelab.project import Project, Settings, create_project, open_project
from activelab.project import _accounts as accounts


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


class Cluster:
    """A PostgreSQL server on a socket of its own, run by Debian's programs as somebody other than root."""

    def __init__(self) -> None:
        self.programs = _programs()
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path must be short
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        self.folder.chmod(0o755)
        self._run("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8")
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=200"
        self._run(
            "pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o", options, "start"
        )

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def sql(self, statement: str) -> None:
        self._run("psql", "-h", str(self.folder), "-U", "postgres", "-q", "-c", statement)

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self.as_user, str(self.programs / program), *arguments]
        # Not through pipes: the server would hold them open.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False
            )
            said.seek(0)
            message = said.read().decode()
        assert done.returncode == 0, f"{program}: {message}"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One server a session."""
    server = Cluster()
    yield server
    server.stop()


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.fail("PostgreSQL is missing: apt-get install -y --no-install-recommends postgresql")
    return found[-1].parent


def _database(server: Cluster) -> Iterator[str]:
    name = f"p{uuid4().hex[:12]}"
    server.sql(f"CREATE DATABASE {name}")
    yield server.url(name)
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")
