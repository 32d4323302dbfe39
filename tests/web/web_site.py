"""A real server on a free port of this machine, and people who are logged in to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from starlette.responses import JSONResponse

from activelab._network import listen
from activelab.project import Project, Settings, create_project, open_project
from activelab.project.store import accounts
from activelab.web import create_app
from activelab.web._serve import make_server

PASSWORD = "correct horse battery"
hashed = cache(accounts.hashed)
"""A quarter of a second, once."""

ROLES = {"ann": "annotator", "bob": "annotator", "jude": "adjudicator", "ada": "admin"}

PATIENCE = 120.0
"""Seconds after which a test gives up; a busy machine takes its time."""

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde\x00\x00\x00"
    b"\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)


class RunningSite:
    """A project that is served.

    Attributes
    ----------
    project : Project
    url : str
    people : dict of str to int
        Ids by name: ann and bob are annotators, jude is an adjudicator, ada an admin.
    losses : list of str
        For each, the answer to one request whose path ends like that gets lost: what was asked for is done,
        but the client is told 503.
    """

    def __init__(self, project: Project, url: str, app: Any, people: dict[str, int]) -> None:
        self.project, self.url, self.app, self.people = project, url, app, people
        self.losses: list[str] = app.state.losses
        self.state = app.state.site

    def cookies(self, name: str) -> dict[str, str]:
        """The cookie of a session, made without the time a password takes."""
        account = self.project.database.read(lambda c: accounts.find_account(c, name=name))
        assert account is not None
        return {self.state.cookie: self.state.sign(account, f"nonce of {name}")}

    def browser(self, name: str | None = None, **headers: str) -> httpx.Client:
        """A client with somebody's cookie and the token that goes with it; a stranger's without a name."""
        if name is None:
            return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE)
        token = {"X-CSRF-Token": self.state.csrf(f"nonce of {name}")}
        return httpx.Client(
            base_url=self.url, headers=token | headers, cookies=self.cookies(name), timeout=PATIENCE
        )

    def token(self, name: str) -> str:
        """A token of the API."""
        who = self.people[name]
        return self.project.database.write(lambda c: accounts.create_token(c, who, "test", time.time()))

    def program(self, name: str) -> httpx.Client:
        """A client with a token of the API."""
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token(name)}"}, timeout=PATIENCE
        )


@contextmanager
def running(
    place: str | Path,
    n: int = 20,
    contents: list[dict[str, Any]] | None = None,
    trainer: Any = None,
    trusted_proxies: Iterable[str] = (),
    root_path: str = "",
    **settings: Any,
) -> Iterator[RunningSite]:
    """Serve a new project of examples e0, e1, …; or one that exists, if ``n`` is 0."""
    if n or contents:
        usual = {"title": "Tickets", "classes": ("cat", "dog", "eel")}
        # Rounds without helpers take a third of the time.
        method = {} if "question" in settings else {"method": "activelab"}
        made = create_project(place, Settings(**usual | method | settings))
        rows = contents or [{"text": f"text of {i}"} for i in range(n)]
        made.add_examples((f"e{i}", one) for i, one in enumerate(rows))
        made.close()
    with (
        open_project(place) as project,
        serving(project, trainer=trainer, trusted_proxies=trusted_proxies, root_path=root_path) as (url, app),
    ):
        yield RunningSite(project, url, app, _people(project))


def _people(project: Project) -> dict[str, int]:
    password = hashed(PASSWORD)

    def add(connection: Any) -> dict[str, int]:
        found = {}
        for name, role in ROLES.items():
            known = accounts.find_account(connection, name=name)
            found[name] = (
                accounts.add_annotator(connection, name, time.time(), role=role)
                if known is None
                else known.id
            )
            connection.exec_driver_sql(
                f"UPDATE annotator SET password = '{password}' WHERE id = {found[name]}"
            )
        return found

    return project.database.write(add)


def _losing(app: Any) -> Any:
    async def drop(_: Any) -> None:
        pass

    async def served(scope: Any, receive: Any, send: Any) -> None:
        lost = [one for one in app.state.losses if scope.get("path", "").endswith(one)]
        if lost:
            app.state.losses.remove(lost[0])
            await app(scope, receive, drop)
            await JSONResponse({"error": "storage", "message": "try again.", "field": None}, 503)(
                scope, receive, send
            )
        else:
            await app(scope, receive, send)

    return served


@contextmanager
def serving(project: Project, **options: Any) -> Iterator[tuple[str, Any]]:
    """The address of a server on a free port, and its application."""
    app = create_app(project, **options)
    with running_app(app) as url:
        yield url, app


@contextmanager
def running_app(app: Any) -> Iterator[str]:
    """The address of a server of an application, on a free port."""
    app.state.losses = []
    server = make_server(app, served=_losing(app), grace=1)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listen("127.0.0.1", 0)]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server has not started"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
