"""Label Studio: 10,000 tasks pulled, scored and pushed, and what a second push writes after 1 % changed.

Runs a real server on this machine (SQLite, its development server). What it takes to read all tasks by its
own export, and to write as many scores by its own API, with nothing around them, is measured in the same run:
no connector can be faster than its server.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from _common import Row, print_machine, print_results, print_table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "label_studio"))

from label_studio_server import Server

from activelab.label_studio import Client, Link, connect, labelling_of, pull, push
from activelab.project import Settings, create_project
from activelab.project.training.round import train_round

Result = TypeVar("Result")
WORDS = {"pos": "good fine great happy bright warm", "neg": "bad poor awful sad dark cold"}


class Counting(Client):
    """A client that counts what it writes."""

    written: int = 0

    def _request(self, method: str, path: str, **options: Any) -> Any:
        self.written += method in ("POST", "PATCH", "DELETE")
        return super()._request(method, path, **options)


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


def annotate(server: Server, number: int, labels: dict[int, str]) -> None:
    """Give labels as the admin, by the API."""
    for task, label in labels.items():
        value = {"from_name": "kind", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
        server.json("POST", f"/api/tasks/{task}/annotations/", json={"result": [value], "project": number})


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tasks", type=int, default=10_000)
    size = arguments.parse_args().tasks
    print_machine("httpx", "sqlalchemy")
    rng = random.Random(0)
    truth = [rng.choice(["pos", "neg"]) for _ in range(size)]
    texts = [" ".join(rng.choices(WORDS[kind].split(), k=6)) + f" {at}" for at, kind in enumerate(truth)]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(tempfile.mkdtemp(dir=folder)))
        try:
            server.start()
            print(f"Label Studio {server.json('GET', '/api/version')['release']}", flush=True)
            measure(server, Path(folder), texts, truth, rng)
        finally:
            server.close()


def measure(server: Server, folder: Path, texts: list[str], truth: list[str], rng: random.Random) -> None:
    number, tasks = server.make_project(texts)
    kind = dict(zip(tasks, truth, strict=True))
    few = len(tasks) // 100
    annotate(server, number, {task: kind[task] for task in rng.sample(tasks, few)})
    rows: list[list[str]] = []

    def note(what: str, seconds: float, written: int | None = None) -> None:
        rows.append([what, f"{seconds:.1f} s", "" if written is None else f"{written:,}"])
        print(f"{what}: {seconds:.1f} s", flush=True)

    with Counting(server.url, server.token) as client:
        labelling = labelling_of(client.project(number))
        with create_project(folder / "p.db", Settings(classes=labelling.classes)) as project:
            connect(project, Link(client.url, number), labelling)
            read, pulling = timed(lambda: pull(project, client))
            assert (read.new_examples, read.labels) == (len(tasks), few)
            note(f"pull {len(tasks):,} tasks, {few:,} labels", pulling)
            _, training = timed(lambda: train_round(project))
            note("train and score a round", training)
            client.written = 0
            first, pushing = timed(lambda: push(project, client))
            assert first.scores == len(tasks)
            note(
                f"push {first.scores:,} scores, {first.opened + first.closed:,} gates",
                pushing,
                client.written,
            )
            client.written = 0
            nothing, idle = timed(lambda: push(project, client))
            assert not nothing.changes
            note("push when nothing has changed", idle, client.written)
            known = labelled(project)
            waiting = [task for task in tasks if task not in known]
            changed = rng.sample(waiting, few)
            annotate(server, number, {task: kind[task] for task in changed})
            client.written = 0
            second, again = timed(lambda: push(project, client))
            touched = second.scores + second.opened + second.closed
            note(f"pull and push after {few:,} tasks changed ({touched:,} gates)", again, client.written)
            train_round(project)
            client.written = 0
            third, anew = timed(lambda: push(project, client))
            gates = third.opened + third.closed
            note(f"push a new round: {third.scores:,} scores, {gates:,} gates", anew, client.written)

    def export() -> None:
        with Client(server.url, server.token) as client, client.all_tasks(number) as stream:
            while stream.read(1 << 20):
                pass

    def scores() -> None:
        with Client(server.url, server.token) as client:
            for at in range(0, len(tasks), 1000):
                part = tasks[at : at + 1000]
                client.add_predictions(
                    number, [{"task": t, "score": 0.5, "model_version": "bare", "result": []} for t in part]
                )

    _, bare_export = timed(export)
    note("the server's own export of all tasks, nothing around it", bare_export)
    _, bare_scores = timed(scores)
    note("the server's own import of as many scores, nothing around it", bare_scores)
    print_table(["step", "time", "requests that write"], rows)
    print_results(
        [
            Row("tasks written by a push after 1 % changed", touched, few, "tasks", at_least=False),
            Row("pull, of the server's export", pulling / bare_export, 1.5, at_least=False),
            Row("first push, of the server's import of scores", pushing / bare_scores, 1.5, at_least=False),
        ]
    )


def labelled(project: Any) -> set[int]:
    """The tasks that have a label here."""
    labels = project.labels()
    names = project.example_names()
    return {int(names[code]) for code, has in enumerate(labels.labelled.tolist()) if has}


if __name__ == "__main__":
    main()
