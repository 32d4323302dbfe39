"""What those who run the server ask it: is it alive, can it work, and how much does it do."""

from __future__ import annotations

import asyncio
import hmac
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection, text
from starlette.concurrency import run_in_threadpool

from activelab.project import StorageError
from activelab.project.files.schedule import Backups, Schedule
from activelab.project.store.upgrades import schema_state
from activelab.web._failures import Failure, log
from activelab.web._metrics import CONTENT_TYPE, Metrics
from activelab.web._site import Site
from activelab.web._visitors import identify

ADDRESSES = ("/healthz", "/readyz", "/metrics")
"""Addresses that machines ask for, by whichever name they know this one."""

PATIENCE_SECONDS = 5.0
"""A database that says nothing for so long does not answer."""

_BELIEVED_SECONDS = 1.0

router = APIRouter(include_in_schema=False)


class Operation:
    """One server: its figures, its backups, and whether it can work.

    Parameters
    ----------
    metrics_token : str or None
        Lets a program read the figures, beside the tokens of admins.
    access_log : bool
        Log a line a request.
    schedule : Schedule, optional
        When copies of each project are made.
    media_folder : path, optional
        Where images that are sent to projects on PostgreSQL are kept, in a folder for each.
    """

    def __init__(
        self,
        *,
        metrics_token: str | None = None,
        access_log: bool = False,
        schedule: Schedule | None = None,
        media_folder: Path | None = None,
    ) -> None:
        self.metrics_token, self.access_log = metrics_token, access_log
        self.metrics, self.schedule, self._running = Metrics(), schedule, False
        self.media_folder = media_folder
        self.backups = self.metrics.backups
        # In a thread of its own: those for requests may all be waiting for the database that is asked about.
        self._thread = ThreadPoolExecutor(1, "activelab-readiness")
        self._asked: asyncio.Future[dict[str, str]] | None = None
        self._answer: tuple[float, dict[str, str]] | None = None

    def add(self, site: Site) -> None:
        """Look after a project, too."""
        self.metrics.add(site)
        site.media_folder = self.media_folder
        if self.schedule is not None:
            self.backups.append(Backups(site.project.database.place, self.schedule))
            if self._running:
                self.backups[-1].start()

    def remove(self, site: Site) -> None:
        """Look after a project no more."""
        self.metrics.remove(site)
        for one in [one for one in self.backups if one.name == site.project.database.short_name]:
            self.backups.remove(one)
            one.stop()

    def start(self) -> None:
        """Begin the backups."""
        self._running = True
        for one in self.backups:
            one.start()

    def stop(self) -> None:
        """End the backups."""
        for one in self.backups:
            one.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def readiness(self) -> dict[str, str]:
        """What is looked at, and whether it is "ok" or else; looked at once a second at most."""
        if self._answer is None or time.monotonic() - self._answer[0] > _BELIEVED_SECONDS:
            if self._asked is None or self._asked.done():
                self._asked = asyncio.get_running_loop().run_in_executor(self._thread, self._look)
            try:
                found = await asyncio.wait_for(asyncio.shield(self._asked), PATIENCE_SECONDS)
            except TimeoutError:
                return {"database": "silent"} | self._of_backups()
            self._answer = time.monotonic(), found
        return self._answer[1]

    def _look(self) -> dict[str, str]:
        found = {"database": "ok", "schema": "ok", "disk": "ok"}
        for site in list(self.metrics.sites):
            try:
                found |= _state(site)
            except StorageError as error:
                log.error("not ready: %s", error)
                found["database"] = "unreachable"
        return found | self._of_backups()

    def _of_backups(self) -> dict[str, str]:
        if not self.backups:
            return {}
        return {"backup": "failed" if any(one.error is not None for one in self.backups) else "ok"}


def _state(site: Site) -> dict[str, str]:
    """What is wrong with a project."""
    database = site.project.database
    found, state = {}, schema_state(database)
    if state != "current":
        found["schema"] = state
    if database.is_sqlite:
        folder = os.path.dirname(str(database.url.database))
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(4096))
                file.flush()
        except OSError as error:
            log.error("not ready: %s: %s", folder, error.strerror)
            found["disk"] = "not writable"
        if not os.access(str(database.url.database), os.W_OK):
            found["disk"] = "not writable"
    elif database.read(_is_read_only):
        found["disk"] = "not writable"
    return found


def _is_read_only(connection: Connection) -> bool:
    query = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool"
    return bool(connection.execute(text(query)).scalar_one())


def operation_of(request: Request) -> Operation:
    """What looks after the server."""
    operation: Operation = request.app.state.operation
    return operation


@router.get("/healthz")
async def healthz() -> dict[str, Any]:
    """That the process lives; nothing else is asked."""
    return {"alive": True}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Whether it can work: 503 if the database is silent, its schema is another, or it cannot be written to.

    A backup that failed is told, but keeps nobody from labelling.
    """
    found = await operation_of(request).readiness()
    ready = all(word == "ok" for name, word in found.items() if name != "backup")
    return JSONResponse({"ready": ready, **found}, 200 if ready else 503)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """The figures of Prometheus, for an admin, a token of one, or the token of the metrics."""
    operation = operation_of(request)
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    wanted = operation.metrics_token
    known = (
        kind.lower() == "bearer"
        and wanted is not None
        and hmac.compare_digest(secret.encode(), wanted.encode())
    )
    if not known:
        visitor = await identify(request)
        if visitor is None:
            raise Failure(
                401, "metrics are for the token of an admin.", headers={"WWW-Authenticate": "Bearer"}
            )
        if not visitor.may("admin"):
            raise Failure(403, "metrics are for admins.")
    return Response(await run_in_threadpool(operation.metrics.text), media_type=CONTENT_TYPE)
