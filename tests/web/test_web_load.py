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


def test_rounds_are_trained_and_change_in_the_middle(place):
    hired = make_project(place, 1500, 10, train_every=20, max_labels=3)
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


def test_a_training_ends_with_its_server(tmp_path):
    (tmp_path / "endless.py").write_text(
        "import os, pathlib, time\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "class Model(LogisticRegression):\n"
        "    def fit(self, *_):\n"
        "        pathlib.Path(os.environ['STARTED']).write_text(str(os.getpid()))\n"
        "        time.sleep(1000)\n"
    )
    place, started = str(tmp_path / "p.db"), tmp_path / "started"
    with create_project(place, Settings(classes=CLASSES, models=("endless:Model",))) as project:
        project.add_examples((f"e{i}", {"text": f"text {i}"}) for i in range(20))
        project.add_labels((f"e{i}", "somebody", CLASSES[i % 3]) for i in range(20))
        project.change_settings({"train_every": 1})
    environment = {"STARTED": str(started), "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    server = Server(place, environment=environment)
    wait_until(lambda: started.exists() and started.read_text())
    child = int(started.read_text())
    assert server.stop() == 0
    assert not Path(f"/proc/{child}").exists()
    with open_project(place) as project:
        assert [one.state for one in project.database.read(list_rounds)] == ["ready", "failed"]


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
