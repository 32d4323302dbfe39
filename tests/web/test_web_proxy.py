"""Nobody is locked out: teams at one address, strangers elsewhere, and strangers at the same address."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from web_proxy import nginx
from web_site import PASSWORD, PATIENCE, RunningSite, hashed, running

from activelab._errors import InputError
from activelab.project import Settings, create_project
from activelab.project.store import accounts
from activelab.web import create_app
from activelab.web._passwords import area_of

PEOPLE = 60
NAMES = [f"person{i}" for i in range(PEOPLE)]


@pytest.fixture
def quick(monkeypatch):
    """Passwords that are looked at at once: what is counted does not depend on how long argon2 takes."""
    monkeypatch.setattr(
        accounts, "check_password", lambda stored, password: bool(stored) and password == PASSWORD
    )


@pytest.fixture
def proxied(tmp_path):
    """A site, and its address behind nginx."""
    with running(tmp_path / "p.db", trusted_proxies=["127.0.0.1"]) as site:
        _invite_all(site)
        with nginx(tmp_path, site.url) as url:
            yield site, url


def _invite_all(site: RunningSite) -> None:
    stored = hashed(PASSWORD)

    def add(connection):
        for name in NAMES:
            accounts.set_password(connection, accounts.add_annotator(connection, name, time.time()), stored)

    site.project.database.write(add)


def visitor(url: str, address: str = "127.0.0.1", **options) -> httpx.Client:
    """A browser at some address; all of 127/8 are this machine's."""
    return httpx.Client(
        base_url=url, timeout=PATIENCE, transport=httpx.HTTPTransport(local_address=address), **options
    )


def login(client: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/v1/session", json={"name": name, "password": password})


def test_sixty_people_of_one_address_log_in_at_once_through_a_proxy(proxied, quick):
    _, url = proxied

    def enter(name: str) -> int:
        with visitor(url, "127.0.0.7") as client:
            return login(client, name).status_code

    for _ in range(2):
        with ThreadPoolExecutor(PEOPLE) as pool:
            assert Counter(pool.map(enter, NAMES)) == {200: PEOPLE}


def test_a_stranger_elsewhere_locks_nobody_out_through_a_proxy(proxied, quick):
    _, url = proxied
    with visitor(url, "127.0.0.66") as stranger:
        # Whatever addresses it claims to be: what the proxy has seen comes last.
        stranger.headers["X-Forwarded-For"] = "127.0.0.7, 127.0.0.8"
        replies = [login(stranger, NAMES[i % PEOPLE], "wrong").status_code for i in range(51)]
        assert replies == [401] * 50 + [429]
        assert login(stranger, NAMES[0]).status_code == 429
    with visitor(url, "127.0.0.7") as colleague:
        assert [login(colleague, name).status_code for name in NAMES] == [200] * PEOPLE


def test_a_stranger_at_the_same_address_locks_out_nobody_who_was_here_before(proxied, quick):
    _, url = proxied
    with visitor(url, "127.0.0.7") as ann, visitor(url, "127.0.0.7") as stranger:
        assert login(ann, NAMES[0]).status_code == 200
        ann.delete("/api/v1/session")
        assert [login(stranger, NAMES[0], "wrong").status_code for _ in range(11)] == [401] * 10 + [429]
        while login(stranger, "nobody at all", "wrong").status_code == 401:
            pass
        assert [login(stranger, name, "wrong").status_code for name in NAMES[1:42]][-1] == 429
        assert login(ann, NAMES[0]).status_code == 200
        # The browser is no way around the limit, and is known for one name only.
        assert [login(ann, NAMES[0], "wrong").status_code for _ in range(11)] == [401] * 10 + [429]
        assert login(ann, NAMES[1]).status_code == 429


def test_a_proxy_that_is_not_trusted_is_not_believed_and_the_log_says_so(tmp_path, quick, caplog):
    with running(tmp_path / "p.db", trusted_proxies=["127.0.0.9", "10.0.0.0/8"]) as site:
        with visitor(site.url) as client:
            for i in range(50):
                client.headers["X-Forwarded-For"] = f"192.0.2.{i}"
                assert login(client, f"n{i}", "wrong").status_code == 401
            assert login(client, "n50", "wrong").status_code == 429
        with visitor(site.url, "127.0.0.9", headers={"X-Forwarded-For": "192.0.2.77, 10.1.1.1"}) as client:
            assert login(client, "ann").status_code == 200
    assert "not trusted" not in caplog.text
    with running(tmp_path / "q.db") as site, visitor(site.url) as client:
        for _ in range(2):
            client.get("/login", headers={"X-Forwarded-For": "192.0.2.1"})
    assert caplog.text.count("--trusted-proxy") == 1


def test_a_trusted_proxy_is_an_address_or_a_network(tmp_path):
    with create_project(tmp_path / "p.db", Settings()) as project:
        for proxy in ("localhost", "10.0.0.1/8", "", "*"):
            with pytest.raises(InputError, match="neither an address nor a network"):
                create_app(project, trusted_proxies=[proxy])


@pytest.mark.parametrize(
    ("address", "area"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9%eth0", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_addresses_of_one_visitor_are_one(address, area):
    assert area_of(address) == area


def test_passwords_keep_nobody_waiting_who_labels(tmp_path, monkeypatch):
    """However many try passwords, no thread that answers others waits, and each address waits by itself."""
    looking, gate = threading.Semaphore(0), threading.Event()

    def slow(stored, password):
        looking.release()
        gate.wait(PATIENCE)
        return password == PASSWORD

    monkeypatch.setattr(accounts, "check_password", slow)
    with running(tmp_path / "p.db") as site, ThreadPoolExecutor(101) as pool:

        def attempt(address: str, name: str, password: str) -> int:
            with visitor(site.url, address) as client:
                return login(client, name, password).status_code

        wrong = [pool.submit(attempt, "127.0.0.66", f"n{i}", "wrong") for i in range(100)]
        assert looking.acquire(timeout=PATIENCE)
        with site.program("ann") as ann:
            for _ in range(3):
                assert ann.post("/api/v1/leases", json={}).status_code == 200
        # One of them is looked at, and nobody else waits for the rest.
        right = pool.submit(attempt, "127.0.0.7", "bob", PASSWORD)
        assert looking.acquire(timeout=PATIENCE)
        gate.set()
        assert right.result() == 200
        assert Counter(one.result() for one in wrong) == {401: 50, 429: 50}
