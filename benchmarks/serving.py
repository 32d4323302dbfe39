"""Fifty annotators on a real server: labels a second, waiting times, and nothing lost.

    python benchmarks/serving.py [--postgresql URL] [--seconds 30] [--kills 20] [--pool 100000]

Runs, on 127.0.0.1 only: without think time, with one second of think time (a training in the middle), with
kill -9 of the server in the middle of the load, and, with --postgresql (an empty database for each is made by
dropping all it holds), the same there and two servers on one database. The load generator runs on the same
cores. The limits are those the project has set itself; the yardstick of the machine is a file that is written
and synchronised in the same run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import create_engine, text

from _common import Row, print_machine, print_results
from _crew import CLASSES, Server, faults, make_project, percentile
from activelab.project import open_project
from activelab.project._database import database_url

PEOPLE = 50


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


def fresh(place: str) -> str:
    """An empty place: a new file, or the PostgreSQL database emptied."""
    if "://" not in place:
        return str(Path(place, f"{time.monotonic_ns()}.db"))
    engine = create_engine(database_url(place))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return place


def without_pause(place: str, pool: int, seconds: float, servers: int = 1) -> list[Row]:
    hired = make_project(place, pool, PEOPLE)
    running = [Server(place, "--no-train") for _ in range(servers)]
    stop, crew = set_to_work([one.port for one in running], hired)
    time.sleep(2)  # the first requests open connections
    before, started = sum(len(p.work.acknowledged) for p in crew), time.perf_counter()
    time.sleep(seconds)
    labels = sum(len(p.work.acknowledged) for p in crew) - before
    rate = labels / (time.perf_counter() - started)
    send_home(stop, crew)
    for one in running:
        one.stop()
    waits = [wait for p in crew for wait in p.work.seconds]
    name = f"{kind(place)}, {servers} server{'s' * (servers > 1)}, no think time"
    wrong = sum(faults(place, hired, crew).values())
    return [
        Row(f"{name}: labels a second", rate, 150, "/s"),
        Row(f"{name}: p95 of submit and next", percentile(waits, 0.95) * 1000, 1000, "ms", at_least=False),
        Row(f"{name}: labels lost, duplicated or too many", wrong, 0, "", at_least=False),
    ]


def with_thought(place: str, pool: int, seconds: float) -> list[Row]:
    hired = make_project(place, pool, PEOPLE, automatic=False)
    with open_project(place) as project:
        names = project.example_names()[:300]
        project.add_labels((n, "imported", CLASSES[i % len(CLASSES)]) for i, n in enumerate(names))
    server = Server(place)
    stop, crew = set_to_work([server.port], hired, think=1.0)
    time.sleep(5)
    for p in crew:
        p.work.seconds.clear()
    time.sleep(seconds)
    quiet = [wait for p in crew for wait in p.work.seconds]
    for p in crew:
        p.work.seconds.clear()
    trainings, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        subprocess.run([sys.executable, "-m", "activelab", "train", place], check=True, capture_output=True)
        trainings += 1
    busy = [wait for p in crew for wait in p.work.seconds]
    send_home(stop, crew)
    server.stop()
    name = f"{kind(place)}, 1 s think time"
    print(f"{name}: {trainings} trainings of {pool:,} texts one after the other in {seconds:g} s")
    return [
        Row(f"{name}: p95 of submit and next", percentile(quiet, 0.95) * 1000, 150, "ms", at_least=False),
        Row(f"{name}, while training", percentile(busy, 0.95) * 1000, 150, "ms", at_least=False),
    ]


def with_kills(place: str, pool: int, kills: int) -> list[Row]:
    hired = make_project(place, pool, PEOPLE, lease_seconds=10.0)
    server = Server(place, "--no-train")
    stop, crew = set_to_work([server.port], hired)
    stuck = 0
    for _ in range(kills):
        time.sleep(1.5)
        server.kill()
        server.start()
        before = sum(len(p.work.acknowledged) for p in crew)
        time.sleep(1.0)
        stuck += sum(len(p.work.acknowledged) for p in crew) == before
    # After the last restart everybody must get on.
    mark = [len(p.work.acknowledged) for p in crew]
    time.sleep(15)
    idle = sum(len(p.work.acknowledged) == at for p, at in zip(crew, mark, strict=True))
    send_home(stop, crew)
    server.stop()
    wrong = sum(faults(place, hired, crew).values())
    name = f"{kind(place)}, {kills} times kill -9"
    labels = sum(len(p.work.acknowledged) for p in crew)
    print(f"{name}: {labels:,} labels acknowledged, {sum(p.work.lost for p in crew):,} connections broken")
    return [
        Row(f"{name}: labels lost, duplicated or too many", wrong, 0, "", at_least=False),
        Row(f"{name}: queues that did not go on", idle + stuck, 0, "", at_least=False),
    ]


def kind(place: str) -> str:
    return "PostgreSQL" if "://" in place else "SQLite"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--postgresql", help="URL of a database that may be emptied")
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--pool", type=int, default=100_000)
    chosen = options.parse_args()
    print_machine("sqlalchemy", "fastapi", "uvicorn")
    with tempfile.TemporaryDirectory() as folder:
        print(f"synchronised writes a second of this disk: {synchronised_writes(folder):,.0f}")
        rows = []
        for place in [folder, *([chosen.postgresql] if chosen.postgresql else [])]:
            rows += without_pause(fresh(place), chosen.pool, chosen.seconds)
            rows += with_thought(fresh(place), chosen.pool, chosen.seconds)
            rows += with_kills(fresh(place), chosen.pool, chosen.kills)
            if "://" in place:
                rows += without_pause(fresh(place), chosen.pool, chosen.seconds, servers=2)
        print_results(rows)


if __name__ == "__main__":
    main()
