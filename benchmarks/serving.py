"""Fifty annotators on real servers: labels a second, waiting times, and nothing lost, whatever is killed.

    python benchmarks/serving.py [--seconds 20] [--kills 20] [--pool 100000]
                                [--labels 1000000] [--only PART ...] [--on DATABASE ...]

Every part runs `activelab serve` as a process of its own on this machine, with the crew on the same cores,
once on a SQLite file and once on a PostgreSQL cluster that is made for it (Debian's programs, fsync on).

    pace      no think time
    watching  what ids, figures and the access log of requests take of the processor time of a label
    import    five people at work while labels of others are imported
    think     one second of think time; then the same while rounds are trained one after the other
    kills     kill -9 of the server in the middle of the load
    two       two servers on one PostgreSQL, killed in turn
    database  kill -9 of PostgreSQL itself
    workspace ten projects and a hundred people on one server, against as many people in one project
    million   a pool of 1,000,000 texts: its import, and the next example

The limits are those the project has set itself; the yardstick of the machine is a file written and
synchronised in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from _cluster import Cluster
from _common import Row, print_machine, print_results
from _crew import CLASSES, Crew, Hired, Server, faults, hire, make_project, percentile, texts
from activelab.project import Settings, create_project, open_project
from activelab.project.labelling.rounds import list_rounds
from activelab.project.store.accounts import enter
from activelab.project.store.database import Database
from activelab.project.workspace import Workspace
from activelab.web._logs import logs
from activelab.web._metrics import Metrics
from activelab.web._watch import Watch

PEOPLE = 50
P95 = 150.0
MOST_CPU = 1.0  # milliseconds of one core, which leave half of two to the crew and the database
MILLION = 1_000_000


class Places:
    """Empty places of both kinds."""

    def __init__(self, folder: str) -> None:
        self.folder, self.cluster = folder, Cluster(fsync=True)

    def fresh(self, kind: str) -> str:
        name = f"p{uuid4().hex[:12]}"
        if kind == "SQLite":
            return str(Path(self.folder, f"{name}.db"))
        self.cluster.sql(f"CREATE DATABASE {name}")
        return self.cluster.url(name)


def synchronised_writes(folder: str, seconds: float = 1.0) -> float:
    """Small writes a second this disk makes durable, one after the other."""
    count, end = 0, time.perf_counter() + seconds
    with open(Path(folder, "probe"), "wb") as file:
        while time.perf_counter() < end:
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def wrong(place: str, crew: Crew, most: int = 1) -> int:
    """Number of faults; the first are printed."""
    found = faults(place, crew, most)
    for one in found[:5]:
        print(f"  FAULT {one}")
    return len(found)


def pace(place: str, kind: str, pool: int, seconds: float, inserts: float) -> list[Row]:
    hired = make_project(place, pool, PEOPLE)
    server = Server(place, "--no-train")
    with Crew([server.port], hired) as crew:
        crew.wait_for_each(2)
        crew.take_waits()
        at, busy, own, begun = crew.labels, server.cpu_seconds(), crew.cpu_seconds, time.perf_counter()
        time.sleep(seconds)
        labels, rate = crew.labels - at, (crew.labels - at) / (time.perf_counter() - begun)
        each = [1000 * used / labels for used in (server.cpu_seconds() - busy, crew.cpu_seconds - own)]
        waits = crew.take_waits()
    server.stop()
    name = f"{kind}, no think time"
    print(
        f"{name}: {rate:.0f} labels/s, p95 {1000 * percentile(waits, 0.95):.0f} ms; processor time a label: "
        f"server {each[0]:.2f} ms, crew {each[1]:.2f} ms; load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return [
        Row(f"{name}: labels a second", rate, 150, "/s"),
        Row(f"{name}: share of the durable inserts of one connection", rate / inserts, 0.5, ""),
        Row(f"{name}: processor time of the server for a label", each[0], MOST_CPU, "ms", at_least=False),
        Row(f"{name}: labels lost, double or too many", wrong(place, crew), 0, "", at_least=False),
    ]


def watching(place: str, kind: str, pool: int, seconds: float) -> list[Row]:
    """Processor time of a label with a server, and of what watches its request, one after the other."""
    hired = make_project(place, pool, 10)
    server = Server(place, "--no-train")
    with Crew([server.port], hired) as crew:
        crew.wait_for_each(2)
        at, busy = crew.labels, server.cpu_seconds()
        time.sleep(seconds)
        label = (server.cpu_seconds() - busy) / (crew.labels - at)
    server.stop()
    figures = watch_seconds(access_log=False)
    logged = watch_seconds(access_log=True)
    name = f"{kind}: share of a label's processor time"
    print(
        f"{name}: {1e3 * label:.2f} ms a label; {1e6 * figures:.1f} µs for id and figures, "
        f"{1e6 * logged:.1f} µs with the access log; load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return [
        Row(f"{name}, id and figures", 100 * figures / label, 1, "%", at_least=False),
        Row(f"{name}, and the access log", 100 * logged / label, 5, "%", at_least=False),
    ]


def watch_seconds(*, access_log: bool, times: int = 20_000) -> float:
    """Processor time that `Watch` and the figure of one write add to a request."""
    metrics = Metrics()
    route = SimpleNamespace(path="/api/v1/leases/{lease_id}/answer")
    start = {"type": "http.response.start", "status": 200}
    body = {"type": "http.response.body", "body": b"{}"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = route
        await send({**start, "headers": [(b"content-type", b"application/json")]})
        await send(body)

    async def nothing(*_: Any) -> None:
        pass

    async def ask(served: Any) -> float:
        begun = time.process_time()
        for _ in range(times):
            scope = {"type": "http", "method": "POST", "path": "/x", "client": ("127.0.0.1", 1)}
            await served(scope, nothing, nothing)
        return time.process_time() - begun

    async def ask_both() -> float:
        watched = Watch(app, metrics, access_log=access_log)
        await ask(watched)
        with_it = min([await ask(watched) for _ in range(3)])
        return with_it - min([await ask(app) for _ in range(3)])

    def write() -> float:
        begun = time.process_time()
        for _ in range(times):
            metrics.wrote(time.perf_counter() - time.perf_counter())
        return time.process_time() - begun

    with open(os.devnull, "w") as sink, contextlib.redirect_stderr(sink), logs("json"):
        took = asyncio.run(ask_both()) + min(write() for _ in range(3))
    return took / times


def durable_inserts(place: str, kind: str, seconds: float = 3.0) -> float:
    """Rows a second that this database makes durable by itself, without any of our program around it.

    Each is a transaction of its own, of one connection; as many side by side as the server uses are printed.
    """
    database = Database(place)
    row = "INSERT INTO probe (who, what) VALUES (1, 2)"

    def rate(connections: int) -> float:
        counts, end = [0] * connections, time.perf_counter() + seconds

        def insert(turn: int) -> None:
            with database.engine.connect() as connection:
                while time.perf_counter() < end:
                    connection.exec_driver_sql(row)
                    connection.commit()
                    counts[turn] += 1

        threads = [threading.Thread(target=insert, args=(turn,)) for turn in range(connections)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return sum(counts) / seconds

    with database.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE probe (who INTEGER, what INTEGER)")
        connection.commit()
    alone = rate(1)
    said = f"{alone:,.0f}/s by one connection"
    if not database.is_sqlite:
        said += f", {rate(8):,.0f}/s by eight"
    with database.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE probe")
        connection.commit()
    database.close()
    print(f"{kind}: durable inserts {said}", flush=True)
    return alone


def importing(place: str, kind: str, pool: int, labels: int, folder: str) -> list[Row]:
    hired = make_project(place, pool, 5)
    # Labels of one half of the pool: those at work always have something to do.
    half = pool // 2
    each = -(-labels // half)  # annotators who have labelled every example of it
    table = Path(folder, f"{uuid4().hex}.csv")
    with open(table, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["example", "annotator", "label"])
        writer.writerows(
            (f"text-{i % half}", f"old-{i // half}", CLASSES[i % half % len(CLASSES)]) for i in range(labels)
        )
    server = Server(place, "--no-train")
    with Crew([server.port], hired, think=0.5) as crew:
        crew.wait_for_each(2)
        time.sleep(5)
        quiet = crew.take_waits()
        begun = time.perf_counter()
        command = [sys.executable, "-m", "activelab", "import", place, "--labels", str(table)]
        subprocess.run(command, check=True, capture_output=True)
        took = time.perf_counter() - begun
        busy = crew.take_waits()
    server.stop()
    name = f"{kind}, {labels:,} labels imported"
    print(
        f"{name} in {took:.0f} s: {len(busy)} answers, median {1000 * percentile(busy, 0.5):.0f} ms, "
        f"p95 {1000 * percentile(busy, 0.95):.0f} ms (before: {1000 * percentile(quiet, 0.95):.0f} ms), "
        f"longest {1000 * max(busy):.0f} ms; load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return [
        Row(f"{name}: p95 of submit and next", 1000 * percentile(busy, 0.95), P95, "ms", at_least=False),
        Row(f"{name}: faults", wrong(place, crew, each + 2), 0, "", at_least=False),
    ]


def think(place: str, kind: str, pool: int, seconds: float) -> list[Row]:
    hired = make_project(place, pool, PEOPLE, automatic=False)
    with open_project(place) as project:
        ((_, admin),) = hire(project, 1, "admin")
        names = project.example_names()[:300]
        project.add_labels((n, "imported", CLASSES[i % len(CLASSES)]) for i, n in enumerate(names))
    server = Server(place)
    with Crew([server.port], hired, think=1.0) as crew, open_project(place) as project:

        def train_until(end: float) -> int:
            trained = 0
            while time.monotonic() < end:
                trained += ask_for_training(server.port, admin)
                while time.monotonic() < end and project.database.read(list_rounds)[-1].state == "running":
                    time.sleep(0.2)
            return trained

        crew.wait_for_each(2)
        crew.take_waits()
        time.sleep(seconds)
        quiet = crew.take_waits()
        trained = train_until(time.monotonic() + 2 * seconds)
        busy = crew.take_waits()
    server.stop()
    name = f"{kind}, 1 s think time"
    for what, waits in (("alone", quiet), (f"{trained} trainings begun", busy)):
        p50, p99 = (1000 * percentile(waits, share) for share in (0.5, 0.99))
        print(
            f"{name}, {what}: {len(waits)} answers, median {p50:.0f} ms, p99 {p99:.0f} ms, "
            f"longest {1000 * max(waits):.0f} ms; load average {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    return [
        Row(f"{name}: p95 of submit and next", 1000 * percentile(quiet, 0.95), P95, "ms", at_least=False),
        Row(f"{name}, while training: p95", 1000 * percentile(busy, 0.95), P95, "ms", at_least=False),
        Row(
            f"{name}: labels lost, double or too many", wrong(place, crew, 2 + trained), 0, "", at_least=False
        ),
    ]


def ask_for_training(port: int, token: str) -> bool:
    """Have the server train a round; False if it is at it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/api/v1/train", headers={"Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    time.sleep(0.5)
    return status == 202


def kills(
    name: str, place: str, hired: Hired, servers: list[Server], kill: Callable[[], None], times: int
) -> list[Row]:
    """Kill something in the middle of the load, again and again; then everybody has to get on."""
    stuck, before_first = 0, 0
    with Crew([one.port for one in servers], hired) as crew:
        stuck += not crew.wait_for_each()
        before_first = crew.labels
        for _ in range(times):
            time.sleep(1.0)
            kill()
            stuck += not crew.wait_for_each()
    for one in servers:
        one.stop()
    print(
        f"{name}: {crew.labels:,} labels acknowledged ({before_first} before the first), "
        f"{sum(person.broken for person in crew.people):,} attempts without an answer",
        flush=True,
    )
    return [
        Row(f"{name}: labels lost, double or too many", wrong(place, crew), 0, "", at_least=False),
        Row(f"{name}: times that somebody did not get on", stuck, 0, "", at_least=False),
    ]


def killed_server(place: str, kind: str, pool: int, times: int, number: int = 1) -> list[Row]:
    hired = make_project(place, pool, PEOPLE)
    servers = [Server(place, "--no-train") for _ in range(number)]
    turn = iter(range(times))

    def kill() -> None:
        one = servers[next(turn) % number]
        one.kill()
        one.start()

    of = "the server" if number == 1 else f"one of {number} servers"
    return kills(f"{kind}, {of} killed {times} times", place, hired, servers, kill, times)


def killed_database(places: Places, pool: int, times: int) -> list[Row]:
    place = places.fresh("PostgreSQL")
    hired = make_project(place, pool, PEOPLE)

    def kill() -> None:
        places.cluster.kill()
        places.cluster.start()

    name = f"PostgreSQL itself killed {times} times"
    return kills(name, place, hired, [Server(place, "--no-train")], kill, times)


def million(place: str, kind: str, folder: str, seconds: float) -> list[Row]:
    table = Path(folder, "million.csv")
    if not table.exists():
        with open(table, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text"])
            writer.writerows((name, content["text"]) for name, content in texts(MILLION))
    create_project(place, Settings(title="Load", classes=CLASSES)).close()
    begun = time.perf_counter()
    command = [sys.executable, "-m", "activelab", "import", place, str(table)]
    subprocess.run(command, check=True, capture_output=True)
    minutes = (time.perf_counter() - begun) / 60
    with open_project(place) as project:
        hired = hire(project, PEOPLE)
    server = Server(place, "--no-train")
    name = f"{kind}, {MILLION:,} texts"
    rows = [Row(f"{name}: import", minutes, 5, "min", at_least=False)]
    for people, pause in ((hired[:1], 0.0), (hired, 1.0)):
        with Crew([server.port], people, think=pause) as crew:
            crew.wait_for_each(2)
            crew.take_waits()
            time.sleep(seconds)
            waits = crew.take_waits()
        what = f"{name}: p95 of submit and next, {len(people)} at work"
        rows.append(Row(what, 1000 * percentile(waits, 0.95), 50, "ms", at_least=False))
        print(f"{what}: {len(waits)} answers, load average {os.getloadavg()[0]:.1f}", flush=True)
        rows.append(Row(f"{what}: faults", wrong(place, crew), 0, "", at_least=False))
    server.stop()
    return rows


def several(places: Places, kind: str, pool: int, seconds: float) -> list[Row]:
    """Rates, waits and memory of one project and of ten, twice in turn, with a hundred people each."""
    rates: dict[int, list[float]] = {1: [], 10: []}
    waits: dict[int, list[float]] = {1: [], 10: []}
    memory, lost = dict[int, float](), 0
    for number in (1, 10, 1, 10):
        place = places.fresh(kind)
        if kind == "SQLite":
            place = place.removesuffix(".db")
            Path(place).mkdir()
        crowd = [f"annotator-{i:03d}" for i in range(2 * PEOPLE)]
        with Workspace(place) as workspace:
            names = [f"load{i}" for i in range(number)]
            tokens = [token for _, token in hire(workspace.people, len(crowd))]
            for name in names:
                workspace.create(name, Settings(title=name, classes=CLASSES))
                with workspace.open(name) as project:
                    project.add_examples(texts(pool // number))
            hired = []
            for i, (name, token) in enumerate(zip(crowd, tokens, strict=True)):
                with workspace.open(names[i % number]) as project:
                    member = project.database.write(partial(enter, name=name, role="annotator", now=0.0))
                hired.append((member.id, token))
            where = {name: workspace.place_of(name) for name in names}
        server = Server(place, "--no-train", "--workspace")
        time.sleep(2)
        memory[number] = server.memory()
        roots = [f"/p/{name}" for name in names]
        with Crew([server.port], hired, roots=roots) as crew:
            crew.wait_for_each(2)
            crew.take_waits()
            at, begun = crew.labels, time.perf_counter()
            time.sleep(seconds)
            rates[number].append((crew.labels - at) / (time.perf_counter() - begun))
            waits[number].append(1000 * percentile(crew.take_waits(), 0.95))
        print(
            f"{kind}, {number} projects: {rates[number][-1]:.0f} labels/s, p95 {waits[number][-1]:.0f} ms, "
            f"memory {memory[number]:.0f} MB when idle, {server.memory():.0f} MB after it; "
            f"load average {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        server.stop()
        lost += sum(len(faults(where[name], crew, root=f"/p/{name}")) for name in names)
    name = f"{kind}, 100 people in ten projects against one"
    return [
        Row(f"{name}: rate", sum(rates[10]) / sum(rates[1]), 0.8, ""),
        Row(f"{name}: p95", sum(waits[10]) / sum(waits[1]), 1.2, "", at_least=False),
        Row(f"{name}: memory of ten, idle", memory[10], 150, "MB", at_least=False),
        Row(f"{name}: faults", lost, 0, "", at_least=False),
    ]


def main() -> None:
    parts = ("pace", "watching", "import", "think", "kills", "two", "database", "workspace", "million")
    databases = ("SQLite", "PostgreSQL")
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--pool", type=int, default=100_000)
    options.add_argument("--labels", type=int, default=MILLION, help="labels that are imported")
    options.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART")
    options.add_argument("--on", nargs="+", choices=databases, default=databases, metavar="DATABASE")
    chosen = options.parse_args()
    print_machine("sqlalchemy", "fastapi", "uvicorn", "psycopg")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        print(f"synchronised writes a second of this disk: {synchronised_writes(folder):,.0f}")
        places = Places(folder)
        try:
            for kind in chosen.on:
                inserts = durable_inserts(places.fresh(kind), kind)
                if "import" in chosen.only:
                    rows += importing(places.fresh(kind), kind, chosen.pool, chosen.labels, folder)
                if "pace" in chosen.only:
                    rows += pace(places.fresh(kind), kind, chosen.pool, chosen.seconds, inserts)
                for part, run in (("watching", watching), ("think", think)):
                    if part in chosen.only:
                        rows += run(places.fresh(kind), kind, chosen.pool, chosen.seconds)
                if "kills" in chosen.only:
                    rows += killed_server(places.fresh(kind), kind, chosen.pool, chosen.kills)
                if "workspace" in chosen.only:
                    rows += several(places, kind, chosen.pool, chosen.seconds)
                if "million" in chosen.only:
                    rows += million(places.fresh(kind), kind, folder, chosen.seconds)
            if "two" in chosen.only:
                rows += killed_server(places.fresh("PostgreSQL"), "PostgreSQL", chosen.pool, chosen.kills, 2)
            if "database" in chosen.only:
                rows += killed_database(places, chosen.pool, chosen.kills)
        finally:
            places.cluster.stop()
    print_results(rows)


if __name__ == "__main__":
    main()
