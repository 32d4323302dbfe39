"""A crew at work on real servers: nothing lost, nothing twice, nobody left waiting.

The same crew as in benchmarks/serving.py, smaller and shorter.
"""

from __future__ import annotations

import time

import pytest

from _crew import Server, faults, make_project, send_home, set_to_work

NONE = {"lost": 0, "duplicated": 0, "over-assigned": 0, "counts": 0}

pytestmark = pytest.mark.slow


def labels_of(crew):
    return sum(len(person.work.acknowledged) for person in crew)


def test_a_crowd_without_pause(place):
    hired = make_project(place, 3000, 20)
    server = Server(place, "--no-train")
    stop, crew = set_to_work([server.port], hired)
    time.sleep(4)
    send_home(stop, crew)
    server.stop()
    assert labels_of(crew) > 100
    assert all(person.work.acknowledged for person in crew)
    assert faults(place, hired, crew) == NONE


def test_the_server_is_killed_again_and_again(place):
    hired = make_project(place, 3000, 10, lease_seconds=10.0)
    server = Server(place, "--no-train")
    stop, crew = set_to_work([server.port], hired)
    for _ in range(3):
        time.sleep(1.0)
        server.kill()
        server.start()
    before = [len(person.work.acknowledged) for person in crew]
    end = time.monotonic() + 30
    while time.monotonic() < end and any(
        len(person.work.acknowledged) == at for person, at in zip(crew, before, strict=True)
    ):
        time.sleep(0.2)
    after = [len(person.work.acknowledged) for person in crew]
    send_home(stop, crew)
    server.stop()
    assert all(later > earlier for earlier, later in zip(before, after, strict=True))
    assert sum(person.work.lost for person in crew) >= 3
    assert faults(place, hired, crew) == NONE


def test_two_servers_on_one_database(postgresql):
    hired = make_project(postgresql, 3000, 16)
    servers = [Server(postgresql, "--no-train") for _ in range(2)]
    stop, crew = set_to_work([one.port for one in servers], hired)
    time.sleep(4)
    send_home(stop, crew)
    for one in servers:
        one.stop()
    assert labels_of(crew) > 50
    assert faults(postgresql, hired, crew) == NONE


def test_the_budget_is_spent_to_the_last_label_and_not_beyond(place):
    hired = make_project(place, 3000, 20, budget=150)
    server = Server(place, "--no-train")
    stop, crew = set_to_work([server.port], hired)
    end = time.monotonic() + 30
    while labels_of(crew) < 150 and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(1)
    send_home(stop, crew)
    server.stop()
    assert labels_of(crew) == 150
    assert faults(place, hired, crew) == NONE
