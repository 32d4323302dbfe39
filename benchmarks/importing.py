"""A million texts into a project by the command line, and the next item in that pool.

    python benchmarks/importing.py [--examples 1000000] [--folder DIR]

The file is made up: 20 to 40 words each, of a vocabulary of 50,000. The yardstick of the import is Python's
own csv and sqlite3 doing the least that could be done with the same file on the same disk: read the rows, put
them into one table with a unique id, in one transaction. The next item is timed in this process (an answer
stored and the next example leased, each on disk when it returns) and over HTTP on a server, before and after
a training on outside predictions.
"""

from __future__ import annotations

import argparse
import csv
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from _common import Row, Timing, print_machine, print_results, print_table, timed
from _crew import Server, hire
from activelab.project import open_project

ANSWERS = 500


def make_table(path: Path, examples: int) -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"w{code:05d}" for code in range(50_000)])
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for start in range(0, examples, 10_000):
            codes = (rng.random((10_000, 40)) ** 3 * len(words)).astype(int)
            lengths = rng.integers(20, 41, 10_000)
            for i, (row, length) in enumerate(zip(codes, lengths, strict=True), start):
                if i < examples:
                    writer.writerow([f"text-{i:08d}", " ".join(words[row[:length]])])


def least(table: Path, place: Path) -> None:
    """What csv and sqlite3 need at least."""
    connection = sqlite3.connect(place, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE example (id INTEGER PRIMARY KEY, name TEXT UNIQUE, content TEXT)")
    connection.execute("BEGIN")
    with open(table, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        connection.executemany("INSERT INTO example (name, content) VALUES (?, ?)", rows)
    connection.execute("COMMIT")
    connection.close()


def command(*arguments: str) -> tuple[Timing, int]:
    """Times of a command, and the bytes of memory it had at most."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "activelab", *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"activelab {arguments[0]} ended with status {process.returncode}.")
    return Timing(used.ru_utime + used.ru_stime, time.perf_counter() - begin), used.ru_maxrss * 1024


def percentiles(seconds: list[float]) -> list[float]:
    """Median, 95th percentile and maximum, in milliseconds."""
    return [1000 * float(np.quantile(seconds, q)) for q in (0.5, 0.95, 1)]


def in_process(place: str, who: int) -> list[float]:
    times = []
    with open_project(place) as project:
        lease = project.lease(who, 1)[0]
        for _ in range(ANSWERS):
            begin = time.perf_counter()
            _, [lease] = project.record(who, lease.id, "label", label="a", source="page", then_lease=1)
            times.append(time.perf_counter() - begin)
    return percentiles(times)


def over_http(place: str, token: str) -> list[float]:
    times = []
    server = Server(place, "--no-train")
    try:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}/api/v1", headers=headers, timeout=60
        ) as api:
            item = api.post("/leases", json={"count": 1}).raise_for_status().json()["items"][0]
            for _ in range(ANSWERS):
                body = {"kind": "label", "label": "a", "then_lease": 1}
                begin = time.perf_counter()
                answer = api.post(f"/leases/{item['lease']}/answer", json=body).raise_for_status()
                times.append(time.perf_counter() - begin)
                item = answer.json()["items"][0]
    finally:
        server.stop()
    return percentiles(times)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--examples", type=int, default=1_000_000)
    options.add_argument("--folder", help="Where to put the files, some 2 GB; removed at the end")
    chosen = options.parse_args()
    print_machine("sqlalchemy")
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        table, place = Path(folder, "texts.csv"), str(Path(folder, "project.db"))
        make_table(table, chosen.examples)
        peer = timed(lambda: least(table, Path(folder, "least.db")))
        command("init", place, "--classes", "a,b,c")
        ours, memory = command("import", place, str(table))
        rng = np.random.default_rng(0)
        np.save(Path(folder, "probs.npy"), rng.dirichlet(np.ones(3), chosen.examples).astype(np.float32))
        with open_project(place) as project:
            hired = hire(project, 2)
        waits = [["in this process", "before", *in_process(place, hired[0][0])]]
        waits.append(["over HTTP", "before", *over_http(place, hired[1][1])])
        training = command("train", place, "-p", str(Path(folder, "probs.npy")))
        waits.append(["in this process", "after", *in_process(place, hired[0][0])])
        waits.append(["over HTTP", "after", *over_http(place, hired[1][1])])
        runs = {
            "csv and sqlite3": (peer, 0),
            "activelab import": (ours, memory),
            "activelab train -p": training,
        }
        print_table(
            ["what", "CPU s", "s", "CPU, ratio", "peak MB"],
            [
                [
                    name,
                    f"{t.cpu:.1f}",
                    f"{t.wall:.1f}",
                    f"{t.cpu / peer.cpu:.1f}",
                    f"{m / 1e6:.0f}" if m else "",
                ]
                for name, (t, m) in runs.items()
            ],
        )
        print_table(
            ["answer and next item", "training", "median ms", "p95 ms", "max ms"],
            [[name, when, *(f"{value:.1f}" for value in values)] for name, when, *values in waits],
        )
        print_results(
            [
                Row(f"import of {chosen.examples:,} texts", ours.wall / 60, 5, "min", at_least=False),
                Row("its peak memory", memory / 1e6, 1000, "MB", at_least=False),
                *(
                    Row(
                        f"p95 of answer and next item, {name}, {when} a training",
                        values[1],
                        50,
                        "ms",
                        at_least=False,
                    )
                    for name, when, *values in waits
                ),
            ]
        )


if __name__ == "__main__":
    main()
