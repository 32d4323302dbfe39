"""A crew of simulated annotators at work on a real server, and what must be true afterwards."""

from __future__ import annotations

import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from activelab.project import Project, Settings, create_project, open_project
from activelab.project._accounts import add_annotator, create_token
from activelab.project._schema import annotator, answer, event

CLASSES = ("animal", "plant", "thing")


def make_project(place: str, examples: int, people: int, **settings: Any) -> list[tuple[int, str]]:
    """A project of short texts, and an account with a token for each of a crew: ids and tokens."""
    words = [f"word{i}" for i in range(200)]

    def texts() -> Any:
        draw = random.Random(0)
        for i in range(examples):
            group = i % len(CLASSES)
            yield f"text-{i}", {"text": " ".join([CLASSES[group], *draw.choices(words, k=8)])}

    with create_project(place, Settings(title="Load", classes=CLASSES, **settings)) as project:
        project.add_examples(texts())
        return hire(project, people)


def hire(project: Project, people: int) -> list[tuple[int, str]]:
    """Accounts with tokens."""

    def make(connection: Any) -> list[tuple[int, str]]:
        now, hired = time.time(), []
        for i in range(people):
            identity = add_annotator(connection, f"person-{i:03d}", now)
            hired.append((identity, create_token(connection, identity, "load", now)))
        return hired

    return project.database.write(make)


class Server:
    """``activelab serve`` as a process of its own, on a free port of this machine."""

    def __init__(self, place: str, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.place, self.options = place, options
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "activelab", "serve", self.place, "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self.process.returncode}.")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the server does not answer.")

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class Work:
    """What one person has seen: acknowledged labels by example of the assignment, seconds of each answer."""

    acknowledged: dict[int, str] = field(default_factory=dict)  # event -> label
    seconds: list[float] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    lost: int = 0  # connections that broke


class Person(threading.Thread):
    """Labels without pause (or with one) until told to stop; repeats what was not acknowledged."""

    def __init__(
        self, port: int, token: str, stop: threading.Event, think: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__(daemon=True)
        self.port, self.token, self.done, self.think = port, token, stop, think
        self.draw = random.Random(seed)
        self.work = Work()
        self.connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        time.sleep(self.draw.random() * self.think)
        items = self.take()
        while not self.done.is_set():
            if not items:
                time.sleep(0.2)
                items = self.take()
                continue
            item = items[0]
            label = next((name for name in CLASSES if name in item["content"]["text"]), CLASSES[0])
            body = {"kind": "label", "label": label, "request": uuid.uuid4().hex, "then_lease": 2}
            started = time.perf_counter()
            status, answer = self.post(f"/api/v1/assignments/{item['assignment']}/answer", body)
            if status == 200:
                self.work.seconds.append(time.perf_counter() - started)
                self.work.acknowledged[answer["event"]] = label
                items = answer["items"]
            elif status:
                self.work.refused[status] += 1
                items = self.take()
            if self.think:
                self.done.wait(self.think * (0.5 + self.draw.random()))

        self.close()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def take(self) -> list[dict[str, Any]]:
        status, answer = self.post("/api/v1/assignments", {"count": 2})
        return answer["items"] if status == 200 else []

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The status and body; (0, None) if told to stop before the server answered."""
        content = json.dumps(body)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        while not self.done.is_set():
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                self.connection.request("POST", path, content, headers)
                response = self.connection.getresponse()
                text = response.read()
                if response.status < 500:
                    return response.status, json.loads(text)
                self.work.refused[response.status] += 1
            except (OSError, http.client.HTTPException):
                self.work.lost += 1
                self.close()
            time.sleep(0.05)
        return 0, None


def set_to_work(
    ports: list[int], hired: list[tuple[int, str]], think: float = 0.0
) -> tuple[threading.Event, list[Person]]:
    """A crew that works until the event is set; servers in turn."""
    stop = threading.Event()
    crew = [Person(ports[i % len(ports)], token, stop, think, i) for i, (_, token) in enumerate(hired)]
    for person in crew:
        person.start()
    return stop, crew


def send_home(stop: threading.Event, crew: list[Person]) -> None:
    """Tell a crew to stop, and wait for it."""
    stop.set()
    for person in crew:
        person.join(60)


def faults(
    place: str, hired: list[tuple[int, str]], crew: list[Person], labels_per_round: int = 1
) -> dict[str, int]:
    """What must be nought: labels lost or changed, counted twice, and examples with too many."""
    found = Counter({"lost": 0, "duplicated": 0, "over-assigned": 0, "counts": 0})
    with open_project(place) as project:

        def look(connection: Any) -> None:
            stored = {
                row.id: (row.annotator_id, row.class_code)
                for row in connection.execute(select(event).where(event.c.kind == "label"))
            }
            for (identity, _), person in zip(hired, crew, strict=True):
                for number, label in person.work.acknowledged.items():
                    found["lost"] += stored.get(number) != (identity, CLASSES.index(label))
            pairs = connection.execute(select(event.c.example_id, event.c.annotator_id)).all()
            found["duplicated"] = len(pairs) - len(set(pairs))
            per_example = Counter(e for e, _ in pairs)
            found["over-assigned"] = sum(n > labels_per_round for n in per_example.values())
            given = dict(connection.execute(select(annotator.c.id, annotator.c.num_labels)).all())
            counted = dict(
                connection.execute(
                    select(answer.c.annotator_id, func.count()).group_by(answer.c.annotator_id)
                ).all()
            )
            found["counts"] = sum(given[identity] != counted.get(identity, 0) for identity, _ in hired)

        project.database.read(look)
    return dict(found)


def percentile(values: list[float], share: float) -> float:
    """The value a share of all lie below."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
