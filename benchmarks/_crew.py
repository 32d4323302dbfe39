"""A crew of simulated annotators at work on real servers, and what must be true afterwards.

The whole crew is one thread with an event loop and speaks HTTP over bare sockets, so that it leaves the
processor to the server that is measured. Every answer of the server is read and checked.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from _ports import free_port
from activelab.project import Project, Settings, create_project, open_project
from activelab.project.files.doctor import examine
from activelab.project.store.accounts import add_annotator, create_token
from activelab.project.store.schema import event

CLASSES = ("animal", "plant", "thing")
PATIENCE = 120.0
"""Seconds after which a server that says nothing counts as broken; far more than any waiting time."""

Hired = list[tuple[int, str]]


def texts(examples: int) -> Any:
    """Short texts; the class of the i-th is the i-th in turn, and its first word says so."""
    words = [f"word{i}" for i in range(200)]
    draw = random.Random(0)
    for i in range(examples):
        yield f"text-{i}", {"text": " ".join([CLASSES[i % len(CLASSES)], *draw.choices(words, k=8)])}


def make_project(place: str, examples: int, people: int, **settings: Any) -> Hired:
    """A project of short texts, and an account with a token for each of a crew: ids and tokens."""
    with create_project(place, Settings(title="Load", classes=CLASSES, **settings)) as project:
        project.add_examples(texts(examples))
        return hire(project, people)


def hire(project: Project, people: int, role: str = "annotator") -> Hired:
    """Accounts with tokens."""

    def make(connection: Any) -> Hired:
        now, hired = time.time(), []
        for i in range(people):
            identity = add_annotator(connection, f"{role}-{i:03d}", now, role=role)
            hired.append((identity, create_token(connection, identity, "load", now)))
        return hired

    return project.database.write(make)


class Server:
    """``activelab serve`` as a process of its own, on a free port of this machine.

    Parameters
    ----------
    place : str
    *options : str
        Further options of the command.
    under : sequence of str
        A command that runs it, as strace.
    environment : mapping of str to str
        Variables beside those of this process.
    """

    def __init__(
        self,
        place: str,
        *options: str,
        under: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.command = [*under, sys.executable, "-m", "activelab", "serve", place]
        self.command += ["--port", str(self.port), *options]
        self.environment = os.environ | (environment or {})
        self.said, name = tempfile.mkstemp()
        os.unlink(name)
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(
            self.command, env=self.environment, stdout=self.said, stderr=self.said
        )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self.process.returncode}: {self.output()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the server does not answer.")

    def output(self) -> str:
        """What it has printed."""
        return os.pread(self.said, 1 << 20, 0).decode(errors="replace")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it as an operator does; its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        os.close(self.said)
        return status

    def memory(self) -> float:
        """Memory it holds, in MB, without processes that train."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1000

    def cpu_seconds(self) -> float:
        """Processor time it has used, without processes that train."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Line:
    """A connection that is kept open, and opened again when it breaks."""

    _LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)

    def __init__(self, port: int, token: str) -> None:
        self.port, self.socket = port, None
        self.head = (
            f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )

    async def post(self, path: str, body: Any) -> tuple[int, bytes]:
        """Status and body of the answer; OSError if the connection breaks."""
        loop = asyncio.get_running_loop()
        content = json.dumps(body)
        if self.socket is None:
            fresh = socket.socket()
            fresh.setblocking(False)
            try:
                await loop.sock_connect(fresh, ("127.0.0.1", self.port))
            except BaseException:
                fresh.close()
                raise
            fresh.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = fresh
        request = f"POST {path} HTTP/1.1\r\n{self.head}{len(content)}\r\n\r\n{content}".encode()
        async with asyncio.timeout(PATIENCE):
            await loop.sock_sendall(self.socket, request)
            got = b""
            while (end := got.find(b"\r\n\r\n")) < 0:
                got += await self._more(loop)
            found = self._LENGTH.search(got, 0, end + 2)
            if found is None:
                raise ConnectionError(f"an answer without a length: {got[:end]!r}")
            length = end + 4 + int(found[1])
            while len(got) < length:
                got += await self._more(loop)
        return int(got[9:12]), got[end + 4 :]

    async def _more(self, loop: asyncio.AbstractEventLoop) -> bytes:
        part = await loop.sock_recv(self.socket, 65536)
        if not part:
            raise ConnectionError("closed by the server")
        return part

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class Person:
    """Labels what is served until told to stop; repeats what was not acknowledged.

    Attributes
    ----------
    acknowledged : dict of int to str
        Label by number of the event.
    seconds : list of float
        From sending an answer to having the next example.
    strange : list of str
        Answers of the server that should not be.
    broken : int
        Attempts without an answer, and answers that the server was out of order.
    """

    def __init__(self, port: int, identity: int, token: str, think: float, seed: int, root: str = "") -> None:
        self.root, self.identity, self.think, self.draw = root, identity, think, random.Random(seed)
        self.line = Line(port, token)
        self.acknowledged: dict[int, str] = {}
        self.seconds: list[float] = []
        self.strange: list[str] = []
        self.broken = 0

    async def work(self, done: threading.Event) -> None:
        await asyncio.sleep(self.draw.random() * self.think)
        items = await self.take(done)
        while not done.is_set():
            if not items:
                await asyncio.sleep(0.2)
                items = await self.take(done)
                continue
            items = await self.answer(items[0], done)
            if self.think and not done.is_set():
                await asyncio.sleep(self.think * (0.5 + self.draw.random()))
        self.line.close()

    async def answer(self, item: dict[str, Any], done: threading.Event) -> list[dict[str, Any]]:
        label = item["content"]["text"].partition(" ")[0]
        path = f"/api/v1/leases/{item['lease']}/answer"
        body = {"kind": "label", "label": label, "request": uuid.uuid4().hex, "then_lease": 2}
        started = time.perf_counter()
        broken = self.broken
        reply = await self.post(path, body, done)
        if reply is None:
            return await self.take(done)
        if self.broken == broken:
            self.seconds.append(time.perf_counter() - started)
            if reply["repeated"]:
                self.strange.append(f"a new answer is called repeated: {reply}")
        if self.acknowledged.setdefault(reply["event"], label) is not label:
            self.strange.append(f"event {reply['event']} was acknowledged before")
        if self.draw.random() < 0.02:
            again = await self.post(path, body, done)
            if again is not None and (again["event"], again["repeated"]) != (reply["event"], True):
                self.strange.append(f"sent twice, it counted twice: {again}")
        if any(one["lease"] == item["lease"] for one in reply["items"]):
            self.strange.append("the example that was answered is served again")
        return reply["items"]

    async def take(self, done: threading.Event) -> list[dict[str, Any]]:
        reply = await self.post("/api/v1/leases", {"count": 2}, done)
        return [] if reply is None else reply["items"]

    async def post(self, path: str, body: Any, done: threading.Event) -> Any:
        """What the server answers; None if it refuses because the example has gone, or the day is over."""
        while True:
            try:
                status, content = await self.line.post(self.root + path, body)
                if status == 200:
                    return json.loads(content)
                if status == 409 and b"took too long" in content:
                    return None
                if status != 503:
                    self.strange.append(f"{status} {content.decode()}")
                    return None
            except OSError:
                self.line.close()
            self.broken += 1
            if done.is_set():
                return None
            await asyncio.sleep(0.25)


class Crew:
    """People at work from now on, in a thread; servers in turn.

    Parameters
    ----------
    ports : list of int
    hired : list of (int, str)
        Ids and tokens.
    think : float
        Seconds between having an example and answering, on average.
    roots : sequence of str
        What the addresses of a project begin with, of several projects in turn.
    """

    def __init__(
        self, ports: list[int], hired: Hired, think: float = 0.0, roots: Sequence[str] = ("",)
    ) -> None:
        self.people = [
            Person(ports[i % len(ports)], identity, token, think, i, roots[i % len(roots)])
            for i, (identity, token) in enumerate(hired)
        ]
        self.cpu_seconds = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.send_home()

    @property
    def labels(self) -> int:
        """Labels acknowledged so far."""
        return sum(len(person.acknowledged) for person in self.people)

    def wait_for_each(self, more: int = 1) -> bool:
        """Wait until everybody has labelled some more; False if somebody is stuck."""
        wanted = [len(person.acknowledged) + more for person in self.people]
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._thread.is_alive():
            if all(len(p.acknowledged) >= n for p, n in zip(self.people, wanted, strict=True)):
                return True
            time.sleep(0.02)
        return False

    def take_waits(self) -> list[float]:
        """Waiting times since the last call."""
        waits = [wait for person in self.people for wait in person.seconds]
        for person in self.people:
            person.seconds = []
        return waits

    def send_home(self) -> None:
        """Tell them to stop, and wait until everybody has."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        async def all_of_them() -> None:
            clock = asyncio.create_task(self._clock())
            await asyncio.gather(*(person.work(self._done) for person in self.people))
            clock.cancel()

        asyncio.run(all_of_them())

    async def _clock(self) -> None:
        while True:
            self.cpu_seconds = time.thread_time()
            await asyncio.sleep(0.1)


def faults(place: str, crew: Crew, most: int = 1, root: str = "") -> list[str]:
    """All that is not as it must be after a day: labels lost, changed, double, too many; sums that differ."""
    people = [one for one in crew.people if one.root == root]
    found = [f"person {one.identity}: {said}" for one in people for said in one.strange]
    with open_project(place) as project:
        columns = (event.c.id, event.c.annotator_id, event.c.example_id, event.c.class_code)
        rows = project.database.read(lambda c: c.execute(select(*columns)).all())
        stored = {row.id: (row.annotator_id, row.class_code) for row in rows}
        for person in people:
            for number, label in person.acknowledged.items():
                if stored.get(number) != (person.identity, CLASSES.index(label)):
                    found.append(f"event {number} was acknowledged: {label}; stored: {stored.get(number)}")
        found += [
            f"event {row.id} is of another example than the label was given for"
            for row in rows
            if row.class_code != row.example_id % len(CLASSES)
        ]
        for pair, n in Counter((row.example_id, row.annotator_id) for row in rows).items():
            if n > 1:
                found.append(f"example and annotator {pair}: {n} labels")
        for code, n in Counter(row.example_id for row in rows).items():
            if n > most:
                found.append(f"example {code}: {n} labels")
        found += [f"{check.name}: {check.problem}" for check in examine(project) if check.problem]
    return found


def percentile(values: list[float], share: float) -> float:
    """The value a share of all lie below; infinite if there are none."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("inf")
