"""The team goes on labelling, whoever holds connections and says nothing, or says it slowly."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from web_site import PATIENCE, RunningSite, running

HEAD = b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SILENT = {
    "idle": b"",
    "slow head": HEAD,
    "slow body": HEAD + b"Content-Length: 100\r\n\r\n{",
    "slow chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
}


@pytest.fixture
def site(tmp_path, monkeypatch) -> Iterator[RunningSite]:
    """A server that has room for 100 connections."""
    monkeypatch.setattr("activelab.web._connections.MOST", 100)
    with running(tmp_path / "p.db") as one:
        yield one


def connect(url: str, said: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    made = socket.create_connection((host, int(port)), timeout=PATIENCE, source_address=(address, 0))
    made.sendall(said)
    return made


@contextmanager
def crowd(
    url: str, said: bytes, address: str = "127.0.0.1", size: int = 150
) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(url, said, address)) for _ in range(size)]


def hears(connection: socket.socket) -> bytes:
    """All that is answered until the other side ends it."""
    said = b""
    try:
        while part := connection.recv(65536):
            said += part
    except ConnectionError:
        pass
    return said


def label(client: httpx.Client) -> None:
    (item,) = client.post("/api/v1/leases", json={}).json()["items"]
    body = {"kind": "label", "label": "cat", "then_lease": 0}
    assert client.post(f"/api/v1/leases/{item['lease']}/answer", json=body).status_code == 200


@pytest.mark.parametrize("said", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("address", ["127.0.0.66", "127.0.0.1"], ids=["stranger", "same address"])
def test_a_crowd_that_says_nothing_keeps_nobody_from_labelling(site: RunningSite, said, address):
    labelled_among(site, said, address, 150)


@pytest.mark.slow
@pytest.mark.parametrize("said", SILENT.values(), ids=SILENT)
def test_a_crowd_is_as_large_as_it_likes(tmp_path, said):
    with running(tmp_path / "p.db") as site:
        labelled_among(site, said, "127.0.0.1", 1_100)


def labelled_among(site: RunningSite, said: bytes, address: str, size: int) -> None:
    with site.program("ann") as before, site.program("bob") as after:
        label(before)
        with crowd(site.url, said, address, size):
            label(before)
            label(after)
            with crowd(site.url, said, address, size):
                label(before)
                label(after)
        assert site.project.labels().n_labels == 5


def test_a_stranger_takes_the_place_of_strangers(site: RunningSite):
    """Who has most connections loses them, and not who was there before."""
    own = [connect(site.url) for _ in range(20)]
    with crowd(site.url, b"", "127.0.0.66") as strangers:
        for connection in own:
            connection.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert hears(connection).startswith(b"HTTP/1.1 200")
            connection.close()
        strangers[0].settimeout(20)
        assert strangers[0].recv(1) == b""


@pytest.mark.parametrize("said", [b"", HEAD[:33]])
def test_the_head_of_a_request_has_a_deadline(site: RunningSite, monkeypatch, said):
    monkeypatch.setattr("activelab.web._connections.HEADER_SECONDS", 0.5)
    with connect(site.url, said) as slow:
        slow.settimeout(0.1)
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                assert slow.recv(65536) == b""
                break
            except TimeoutError:
                if said:
                    slow.sendall(b"x")  # a byte now and then puts nothing off
            except ConnectionError:
                break
            assert time.monotonic() < ends


def test_the_second_request_of_a_connection_has_a_deadline_too(site: RunningSite, monkeypatch):
    monkeypatch.setattr("activelab.web._connections.HEADER_SECONDS", 0.5)
    with connect(site.url, b"HEAD /static/style.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") as slow:
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        time.sleep(1)  # waiting between requests is no fault
        slow.sendall(b"HEAD /static/style.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /lo")
        said = hears(slow)
        assert said.startswith(b"HTTP/1.1 200")


def test_a_byte_now_and_then_does_not_put_off_the_end_of_a_body(site: RunningSite, monkeypatch):
    monkeypatch.setattr("activelab.web._shield.BODY_SECONDS", 0.5)
    with connect(site.url, SILENT["slow body"]) as slow:
        slow.settimeout(0.1)
        ends = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < ends
            try:
                said = slow.recv(65536)
                break
            except TimeoutError:
                slow.sendall(b" ")
        slow.settimeout(PATIENCE)
        assert b"timeout" in said + hears(slow)


def test_a_large_body_has_time_that_goes_with_it(site: RunningSite, monkeypatch):
    monkeypatch.setattr("activelab.web._shield.BODY_SECONDS", 0.5)
    monkeypatch.setattr("activelab.web._shield.BODY_RATE", 500.0)

    def slowly() -> Iterator[bytes]:
        for _ in range(15):
            yield b" " * 2_000  # each has time for the next, however busy the machine is
            time.sleep(0.1)

    with site.program("ann") as ann:
        reply = ann.post("/api/v1/leases", content=slowly(), headers={"Content-Type": "application/json"})
    assert reply.json()["error"] == "invalid"


def test_what_follows_an_answer_is_not_taken_for_ever(site: RunningSite):
    """A body nobody reads ends the connection, but not before the answer was heard."""
    head = b"POST /api/v1/nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(site.url, head) as talker:
        ends, said = time.monotonic() + PATIENCE, b""
        talker.settimeout(0.05)
        while time.monotonic() < ends:
            try:
                talker.sendall(b"1\r\nx\r\n")
                part = talker.recv(65536)
                if not part:
                    break
                said += part
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() < ends
    assert said.startswith(b"HTTP/1.1 404")
