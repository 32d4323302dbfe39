"""What is acknowledged is on disk, and what cannot be stored is not acknowledged."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event
from web_site import running

from activelab.project import Project, StorageError
from activelab.project.files.doctor import examine


def settings_of_connections(project: Project, names: tuple[str, ...], n: int = 6) -> list[tuple[Any, ...]]:
    """What a writing connection and several reading ones, open at the same time, are set to."""
    together = threading.Barrier(n)
    prefix = "PRAGMA" if project.database.is_sqlite else "SHOW"

    def look(connection: Any) -> tuple[Any, ...]:
        return tuple(connection.exec_driver_sql(f"{prefix} {name}").scalar() for name in names)

    def read(connection: Any) -> tuple[Any, ...]:
        together.wait()
        return look(connection)

    with ThreadPoolExecutor(n) as threads:
        reading = [threads.submit(project.database.read, read) for _ in range(n)]
        return [project.database.write(look), *(one.result() for one in reading)]


def test_every_connection_to_a_file_waits_for_the_disk(tmp_path, make):
    project, _ = make(str(tmp_path / "p.db"))
    full = 2
    found = settings_of_connections(project, ("journal_mode", "synchronous", "foreign_keys"))
    assert set(found) == {("wal", full, 1)}


@pytest.mark.parametrize(("given", "used"), [("off", "on"), ("local", "local"), ("on", "on")])
def test_every_connection_to_postgresql_waits_for_the_disk(postgresql, make, again, given, used):
    project, _ = make(postgresql)
    name = project.database.url.database
    project.database.write(
        lambda c: c.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = {given}")
    )
    assert set(settings_of_connections(again(postgresql), ("synchronous_commit",))) == {(used,)}


def test_an_answer_is_acknowledged_after_its_commit(place, make):
    project, (ann, *_) = make(place)
    (one,) = project.lease(ann)
    committing, go_on = threading.Event(), threading.Event()

    def wait(_: Any) -> None:
        committing.set()
        go_on.wait()

    event.listen(project.database.engine, "commit", wait)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(project.record, ann, one.id, "label", label="a")
        committing.wait()
        early = answer.done()
        go_on.set()
        answer.result()
    assert not early
    assert project.labels().n_labels == 1


def test_a_commit_that_fails_is_told_to_everybody_in_it(tmp_path, make):
    project, people = make(str(tmp_path / "p.db"), 40, 8)
    leases = [project.lease(who)[0] for who in people]
    begun = threading.Event()

    def fail(_: Any) -> None:
        raise OSError("the disk is gone")

    def slow(_: Any) -> None:
        begun.wait()

    def answer(at: int) -> Any:
        return project.record(people[at], leases[at].id, "label", label="a")

    with ThreadPoolExecutor(9) as threads:
        event.listen(project.database.engine, "commit", fail)
        first = threads.submit(project.database.write, slow)  # the others gather behind it
        answers = [threads.submit(answer, at) for at in range(8)]
        begun.set()
        assert [type(one.exception()) for one in (first, *answers)] == [OSError] * 9
    event.remove(project.database.engine, "commit", fail)
    assert project.labels().n_labels == 0
    assert [answer(at)[0].repeated for at in range(8)] == [False] * 8
    assert project.labels().n_labels == 8
    assert not any(check.problem for check in examine(project))


def test_a_write_that_fails_leaves_the_others_of_its_commit_alone(tmp_path, make):
    project, people = make(str(tmp_path / "p.db"), 40, 8)
    leases = [project.lease(who)[0] for who in people]
    begun = threading.Event()

    def answer(at: int) -> Any:
        if at % 2:
            return project.record(people[at], leases[at].id, "label", label="a")
        return project.record(people[at], leases[at - 1].id, "label", label="a")  # not theirs

    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(project.database.write, lambda _: begun.wait())
        answers = [threads.submit(answer, at) for at in range(8)]
        begun.set()
        failed = [one.exception() is not None for one in answers]
        assert first.result()
    assert failed == [at % 2 == 0 for at in range(8)]
    assert project.labels().n_labels == 4
    assert not any(check.problem for check in examine(project))


@pytest.mark.parametrize(
    ("pragma", "relief", "message"),
    [
        ("max_page_count = 1", "max_page_count = 1000000", "the disk is full"),
        ("query_only = ON", "query_only = OFF", "it is read-only"),
    ],
)
def test_a_full_disk_and_a_file_that_is_read_only(tmp_path, pragma, relief, message, caplog):
    """SQLite itself refuses to write, as it does then; nothing is half written, and all goes on after."""
    with running(tmp_path / "p.db", n=400) as site, site.browser("ann") as ann, site.browser("bob") as bob:
        (item,) = ann.post("/api/v1/leases", json={}).json()["items"]
        (other,) = bob.post("/api/v1/leases", json={}).json()["items"]
        engine, now = site.project.database.engine, [pragma]

        @event.listens_for(engine, "checkout")
        def limit(connection: Any, *_: Any) -> None:
            connection.execute(f"PRAGMA {now[0]}")

        long = {"kind": "skip", "reason": "x" * 500, "then_lease": 20}
        statuses = []
        for at in range(200):  # a full disk has room on pages that are there
            body = long | {"request": f"request-{at:04d}"}
            reply = ann.post(f"/api/v1/leases/{item['lease']}/answer", json=body)
            statuses.append(reply.status_code)
            if reply.status_code != 200:
                break
            item = reply.json()["items"][0]
        assert statuses[-1] == 503
        assert message in caplog.text
        answer = {"kind": "label", "label": "cat", "request": "request-of-bob"}
        with pytest.raises(StorageError, match=message):
            site.project.add_examples((f"new{i}", {"text": "x" * 5000}) for i in range(10))
        now[0] = relief
        reply = ann.post(f"/api/v1/leases/{item['lease']}/answer", json=body)
        assert reply.json()["repeated"] is False
        assert bob.post(f"/api/v1/leases/{other['lease']}/answer", json=answer).status_code == 200
        assert site.project.num_examples == 400
        skips = site.project.database.read(
            lambda c: c.exec_driver_sql("SELECT count(*) FROM event WHERE kind = 'skip'").scalar()
        )
        assert skips == len(statuses)
        assert not any(check.problem for check in examine(site.project))
