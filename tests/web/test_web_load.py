"""A crew at work on real servers that are killed, doubled and stopped: nothing lost, nothing twice.

The same crew as in benchmarks/serving.py, smaller and shorter. Nothing here depends on how fast the machine
is: the crew works until it has done so much.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from _cluster import Cluster
from _crew import CLASSES, PATIENCE, Crew, Server, faults, hire, make_project
from activelab.project import Settings, create_project, open_project
from activelab.project.labelling.rounds import list_rounds

pytestmark = pytest.mark.slow

PLENTY = 50_000  # examples; the crew must not run out of them while a server starts again


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.05)


def test_a_crowd_without_pause(place):
    hired = make_project(place, PLENTY, 30)
    server = Server(place, "--no-train")
    with Crew([server.port], hired) as crew:
        assert crew.wait_for_each(8)
    assert server.stop() == 0
    assert crew.labels >= 30 * 8
    assert sum(person.broken for person in crew.people) == 0
    assert faults(place, crew) == []


def test_the_server_is_killed_again_and_again(place):
    hired = make_project(place, PLENTY, 12)
    server = Server(place, "--no-train")
    with Crew([server.port], hired) as crew:
        for _ in range(4):
            assert crew.wait_for_each(2), "somebody did not get on"
            server.kill()
            server.start()
        assert crew.wait_for_each(2), "somebody did not get on"
    server.stop()
    assert sum(person.broken for person in crew.people) >= 4
    assert faults(place, crew) == []


def test_two_servers_on_one_database_and_one_is_killed(postgresql):
    hired = make_project(postgresql, PLENTY, 16)
    servers = [Server(postgresql, "--no-train") for _ in range(2)]
    with Crew([one.port for one in servers], hired) as crew:
        assert crew.wait_for_each(3)
        servers[1].kill()
        before = crew.labels
        wait_until(lambda: crew.labels > before + 16)
        servers[1].start()
        assert crew.wait_for_each(3), "somebody did not get on"
    for one in servers:
        one.stop()
    assert faults(postgresql, crew) == []


def test_postgresql_itself_is_killed():
    cluster = Cluster()
    try:
        hired = make_project(cluster.url(), PLENTY, 12)
        server = Server(cluster.url(), "--no-train")
        with Crew([server.port], hired) as crew:
            for _ in range(2):
                assert crew.wait_for_each(3), "somebody did not get on"
                cluster.kill()
                cluster.start()
            assert crew.wait_for_each(3), "somebody did not get on"
        assert server.stop() == 0
        assert sum(person.broken for person in crew.people) > 0
        assert faults(cluster.url(), crew) == []
    finally:
        cluster.stop()


def test_the_budget_is_spent_to_the_last_label_and_not_beyond(place):
    hired = make_project(place, 2000, 20, budget=150)
    server = Server(place, "--no-train")
    with Crew([server.port], hired) as crew:
        wait_until(lambda: crew.labels >= 150)
        time.sleep(1)  # time for one too many
    server.stop()
    assert crew.labels == 150
    assert faults(place, crew) == []


def test_rounds_are_trained_and_change_in_the_middle(postgresql):
    place = postgresql
    # Rounds without helpers take a third of the time.
    hired = make_project(place, 1500, 10, train_every=20, max_labels=3, method="activelab")
    server = Server(place)
    with open_project(place) as project, Crew([server.port], hired) as crew:
        wait_until(lambda: sum(one.state == "ready" for one in project.database.read(list_rounds)) >= 2)
        assert crew.wait_for_each(2), "somebody did not get on"
    assert server.stop() == 0
    assert faults(place, crew, most=3) == []


# ---------------------------------------------------------------- the end


def closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_stopped_answers_what_was_asked(tmp_path, number):
    place = str(tmp_path / "p.db")
    with create_project(place, Settings(classes=CLASSES)) as project:
        project.add_examples([("e", {"text": "animal"})])
        ((_, token),) = hire(project, 1)
        ((_, lead),) = hire(project, 1, "adjudicator")
    server = Server(place)
    client = httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE)
    client.headers["Authorization"] = f"Bearer {token}"
    (item,) = client.post("/api/v1/leases", json={}).json()["items"]
    holder = sqlite3.connect(place, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")  # nobody else writes now
    replies = []

    def answer() -> None:
        body = {"kind": "label", "label": "animal"}
        replies.append(client.post(f"/api/v1/leases/{item['lease']}/answer", json=body))

    asking = threading.Thread(target=answer)
    with httpx.stream(
        "GET",
        f"http://127.0.0.1:{server.port}/api/v1/events",
        headers={"Authorization": f"Bearer {lead}"},
        timeout=PATIENCE,
    ) as stream:
        lines = stream.iter_lines()
        next(lines)
        asking.start()
        wait_until(lambda: established(server.port) >= 2)
        server.process.send_signal(number)
        wait_until(lambda: closed(server.port))
        assert replies == []
        holder.execute("ROLLBACK")
        asking.join()
        list(lines)  # the stream ends, and does not break
    assert server.process.wait(PATIENCE) == 0
    assert replies[0].status_code == 200
    holder.close()
    client.close()
    with open_project(place) as project:
        assert project.labels().n_labels == 1


def established(port: int) -> int:
    """Connections a server has."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


MODELS = """
import ctypes, os, pathlib, time
from sklearn.linear_model import LogisticRegression

class Model(LogisticRegression):
    def fit(self, *rest):
        pathlib.Path(os.environ["STARTED"]).write_text(str(os.getpid()))
        HANG

# Does not listen to SIGTERM, and lets no other thread run.
class Deaf(Model):
    def fit(self, *rest):
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path(os.environ["STARTED"]).write_text(str(os.getpid()))
        ctypes.PyDLL(None).sleep(1000)
"""


class Hanging:
    """A project whose model hangs once it is trained, and a server that trains it."""

    def __init__(self, place: str, tmp_path: Path, *options: str, model: str = "Model") -> None:
        (tmp_path / "endless.py").write_text(MODELS.replace("HANG", "time.sleep(1000)"))
        self.place, self.started = place, tmp_path / "started"
        settings = Settings(classes=CLASSES, models=(f"endless:{model}",), method="activelab")
        with create_project(place, settings) as project:
            project.add_examples((f"e{i}", {"text": f"text {i}"}) for i in range(20))
            project.add_labels((f"e{i}", "somebody", CLASSES[i % 3]) for i in range(20))
            project.change_settings({"train_every": 1})
            ((_, self.token),) = hire(project, 1, "admin")
        self.path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
        self.server = Server(
            place, *options, environment={"STARTED": str(self.started), "PYTHONPATH": self.path}
        )

    def child(self) -> int:
        """The process that hangs."""
        wait_until(lambda: self.started.exists() and self.started.read_text())
        number = int(self.started.read_text())
        self.started.unlink()
        return number

    def states(self) -> list[tuple[str, str]]:
        with open_project(self.place) as project:
            found = project.database.read(list_rounds)
        return [(one.state, one.summary.error or "") for one in found]

    def train(self, *options: str) -> subprocess.CompletedProcess[str]:
        """``activelab train``, without the model that hangs."""
        if not options:
            with open_project(self.place) as project:
                project.change_settings({"models": ()})
        return self.command(*options)

    def command(self, *options: str) -> subprocess.CompletedProcess[str]:
        """``activelab train``."""
        command = [sys.executable, "-m", "activelab", "train", self.place, *options]
        environment = os.environ | {"STARTED": str(self.started), "PYTHONPATH": self.path}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def api(self, method: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        address = f"http://127.0.0.1:{self.server.port}/api/v1/train"
        return httpx.request(method, address, headers=headers, timeout=PATIENCE)


@pytest.fixture
def hang(tmp_path):
    """Makes a `Hanging`, whose server ends with the test."""
    made = []

    def make(place: str = str(tmp_path / "p.db"), *options: str, model: str = "Model") -> Hanging:
        made.append(Hanging(place, tmp_path, *options, model=model))
        return made[-1]

    yield make
    for one in made:
        if one.server.process.poll() is None:
            one.server.kill()


def gone(number: int) -> bool:
    return not Path(f"/proc/{number}").exists()


def test_a_training_ends_with_its_server(tmp_path, hang):
    hanging = hang()
    child = hanging.child()
    assert hanging.server.stop() == 0
    assert gone(child)
    assert [state for state, _ in hanging.states()] == ["ready", "failed"]


def test_a_training_ends_with_its_server_that_is_killed_and_the_next_goes_on_at_once(hang):
    hanging = hang()
    child = hanging.child()
    hanging.server.kill()
    wait_until(lambda: gone(child))
    done = hanging.train()
    assert done.returncode == 0, done.stderr
    assert hanging.states() == [
        ("ready", ""),
        ("failed", "the process that trained it is gone"),
        ("ready", ""),
    ]


def test_a_server_goes_on_at_once_after_its_training_was_killed(tmp_path, hang):
    hanging = hang()
    child = hanging.child()
    assert hanging.api("POST").status_code == 409
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: hanging.states()[-1][0] == "failed")
    wait_until(lambda: hanging.api("POST").status_code == 202)
    assert hanging.child() != child
    assert hanging.server.stop() == 0


def test_a_training_that_hangs_can_be_cancelled(hang):
    hanging = hang(model="Deaf")
    child = hanging.child()
    assert hanging.train("--cancel").stdout == "Round 1 is given up.\n"
    assert hanging.states()[-1] == ("failed", "cancelled")
    wait_until(lambda: gone(child))
    # It is not tried again by itself at once, but when somebody asks.
    time.sleep(6)
    assert len(hanging.states()) == 2
    wait_until(lambda: hanging.api("POST").status_code == 202)
    child = hanging.child()
    assert hanging.api("DELETE").status_code == 200
    assert hanging.api("DELETE").status_code == 409
    assert hanging.train("--cancel").returncode == 2
    assert hanging.states()[-1] == ("failed", "cancelled by admin-000")
    wait_until(lambda: gone(child))
    assert hanging.server.stop() == 0


def test_a_training_has_a_deadline(tmp_path, hang):
    hanging = hang(str(tmp_path / "p.db"), "--training-limit", "0.002")
    child = hanging.child()
    wait_until(lambda: gone(child))
    wait_until(lambda: hanging.states()[-1][0] == "failed")
    assert hanging.states()[-1][1] == "it took longer than 0.002 hours"
    assert hanging.server.stop() == 0


def test_a_model_that_ends_the_process_without_a_word_is_no_success(tmp_path, hang):
    hanging = hang(str(tmp_path / "p.db"), "--no-train")
    (tmp_path / "endless.py").write_text(MODELS.replace("HANG", "os._exit(0)"))
    assert hanging.command().returncode == 0  # nothing of ours is left to say anything
    assert hanging.states()[-1][0] == "running"
    assert hanging.train().returncode == 0
    assert hanging.states()[1:] == [("failed", "the process that trained it is gone"), ("ready", "")]
    hanging.server.stop()


def test_a_port_in_use_is_one_clear_line(tmp_path):
    create_project(tmp_path / "p.db", Settings()).close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "activelab", "serve", str(tmp_path / "p.db"), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr
    assert done.stdout == ""
