"""``activelab serve``: one server on this machine, or behind a proxy."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Connection
from starlette.types import ASGIApp

from activelab._errors import InputError
from activelab._network import is_loopback, listen
from activelab.project import Project, open_project
from activelab.project.files.schedule import Schedule
from activelab.project.labelling.rounds import hold_round
from activelab.project.store.accounts import create_first_invite, has_admin
from activelab.project.store.audit import write_audit
from activelab.project.workspace import Workspace, is_workspace
from activelab.web._app import create_app, create_workspace_app
from activelab.web._connections import connection_class
from activelab.web._logs import logs
from activelab.web._operation import Operation
from activelab.web._site import Site

FIRST_LINK_DAYS = 1.0
GRACE_SECONDS = 20
"""How long requests in flight may take when the server is told to stop."""

_SHORTEST_TOKEN = 16

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    place: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    allow_remote: bool = False,
    allowed_hosts: Iterable[str] = (),
    trusted_proxies: Iterable[str] = (),
    https: bool = False,
    train: bool = True,
    training_limit: float = 12.0,
    root_path: str = "",
    workspace: bool = False,
    backup_folder: str | os.PathLike[str] | None = None,
    backup_hours: float = 24.0,
    backup_keep: int = 7,
    media_folder: str | os.PathLike[str] | None = None,
    metrics_token: str | None = None,
    log_format: str = "text",
    log_level: str = "info",
    access_log: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a project, or all of a workspace, until it is told to stop.

    Parameters
    ----------
    place : str or path
        A project, as for `open_project`, or a folder of projects.
    host : str
        Address to listen on.
    port : int
        0 for any that is free.
    allow_remote : bool
        Allow an address that other machines can reach.
    allowed_hosts : iterable of str
        Names under which the server may be addressed, as behind a proxy.
    trusted_proxies : iterable of str
        Addresses or networks of the proxies before it, whose X-Forwarded-For is believed.
    https : bool
        Whether people reach it over HTTPS, through a proxy; cookies are then sent over HTTPS only.
    train : bool
        Train rounds when they are due.
    training_limit : float
        Hours after which a training is given up.
    root_path : str
        What all addresses begin with, as ``/labels``, where a proxy passes on a part of a site.
    workspace : bool
        Whether the place is a workspace; a folder always is.
    backup_folder : str or path, optional
        Where copies of each project are put at regular times.
    backup_hours : float
        From one copy to the next.
    backup_keep : int
        Copies that are kept, the newest.
    media_folder : str or path, optional
        Where images that are sent to projects on PostgreSQL are kept, in a folder for each. Those of a
        SQLite file are beside it.
    metrics_token : str, optional
        Lets a program read ``/metrics``, beside the tokens of admins.
    log_format : {"text", "json"}
    log_level : {"debug", "info", "warning", "error"}
    access_log : bool
        Log a line a request.
    say : callable
        Prints a line.

    Raises
    ------
    InputError
        If others could reach the address and ``allow_remote`` is not set, or the port is taken.
    """
    remote = not is_loopback(host)
    if remote and not allow_remote:
        raise InputError(f"{host} can be reached from other machines.", advice="allow_remote")
    if metrics_token is not None and len(metrics_token) < _SHORTEST_TOKEN:
        raise InputError(f"the token of the metrics needs {_SHORTEST_TOKEN} characters: it is a password.")
    backups = None
    if backup_folder is not None:
        backups = Schedule(backup_folder, hours=backup_hours, keep=backup_keep)
    if media_folder is not None and not (Path(media_folder).is_dir() and os.access(media_folder, os.W_OK)):
        raise InputError(f"{media_folder} is no folder that the server may write to; make it first.")
    operation = Operation(
        metrics_token=metrics_token,
        access_log=access_log,
        schedule=backups,
        media_folder=None if media_folder is None else Path(media_folder).resolve(),
    )
    several = workspace or is_workspace(place)
    with (
        logs(log_format, log_level),
        Workspace(place) if several else open_project(place) as served,
        listen(host, port) as listener,
    ):
        number = listener.getsockname()[1]
        options: dict[str, Any] = {
            "allowed_hosts": [*allowed_hosts, *([host] if remote else [])],
            "trusted_proxies": trusted_proxies,
            "secure": https,
            "root_path": root_path,
            "operation": operation,
        }
        if isinstance(served, Workspace):
            turn = threading.Semaphore()
            trainer = partial(_trainer, limit_hours=training_limit, turn=turn) if train else None
            app = create_workspace_app(served, trainer=trainer, **options)
            people, title = served.people, f"The projects of {place}"
        else:
            app = create_app(served, trainer=_trainer(place, training_limit) if train else None, **options)
            people, title = served, served.settings.title
        address = f"http://{f'[{host}]' if ':' in host else host}:{number}{app.state.site.root}"
        say(f"{title}: {address}/  (Ctrl-C stops it)")
        link = first_link(people)
        if link is not None:
            say(f"There is no admin yet. This link makes one; it works once, for a day:\n  {address}{link}")
        if remote and not https:
            say("Passwords travel in the clear unless a proxy with HTTPS stands before it (then set https).")
        make_server(app).run(sockets=[listener])


def make_server(app: FastAPI, *, served: ASGIApp | None = None, grace: int = GRACE_SECONDS) -> Server:
    """A server of an application, or of what is wrapped around it."""
    config = uvicorn.Config(
        served or app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application asks proxies that are trusted, and no others
        http=connection_class(),
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=grace,
    )
    return Server(config, app.state.site)


class Server(uvicorn.Server):
    """Stops when it is told to: answers what was asked, ends streams, and then it is no failure."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self.site = site

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Run until SIGTERM or SIGINT."""
        if threading.current_thread() is not threading.main_thread():
            super().run(sockets)
            return
        # At its end uvicorn sends itself the signal once more, to those who listened before.
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            super().run(sockets)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests and wait for those in flight; streams would never end by themselves."""
        self.site.closing.set()
        await super().shutdown(sockets)


def first_link(project: Project) -> str | None:
    """A link that makes the first admin, if there is none; those of earlier starts end."""

    def invite(connection: Connection) -> str | None:
        hold_round(connection)  # several servers may start at once
        if has_admin(connection):
            return None
        write_audit(connection, None, "invited the first admin", {})
        return f"/join#{create_first_invite(connection, time.time(), FIRST_LINK_DAYS)}"

    return project.database.write(invite)


def _trainer(
    place: str | os.PathLike[str], limit_hours: float, turn: threading.Semaphore | None = None
) -> Any:
    from activelab.project.training.trainer import Trainer

    return Trainer(place, limit_hours=limit_hours, turn=turn)
