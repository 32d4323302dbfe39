"""Files that were sent to be imported: on disk until they are, or until nobody comes back to them."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from activelab.web._failures import Failure, explain, log

KEPT_SECONDS = 3600.0
"""An upload that nobody asked for so long is deleted."""

AT_ONCE = 3
"""Uploads of a person that are kept; the oldest make room for more."""

_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".manifest", ".parquet", ".zip")
_BLOCK = 1 << 20
_FORGOTTEN = 24  # times as long is kept what another server may be working on
_PREFIX = ".activelab-upload-"


@dataclass
class Work:
    """An import that goes on, or went.

    Attributes
    ----------
    state : {"running", "done", "failed"}
    doing : str
        What is done now.
    at : int
        How far it is.
    total : int or None
        Where it ends, if that is known.
    result : Any
        What was done.
    problem : str
        Why it failed.
    """

    state: Literal["running", "done", "failed"] = "running"
    doing: str = ""
    at: int = 0
    total: int | None = None
    result: Any = None
    problem: str = ""

    def progress(self, doing: str, at: int, total: int | None) -> None:
        """Take down how far it is."""
        self.doing, self.at, self.total = doing, at, total


@dataclass
class Upload:
    """A file that was sent.

    Attributes
    ----------
    id : str
        Nobody can guess it.
    owner : int
        Account of who sent it; to others it does not exist.
    name : str
        What its owner calls the file: it is shown, and never part of a path.
    folder : Path
        Holds the file and what is made of it, and nothing else.
    size : int
        Bytes that have come.
    work : Work or None
    preview : list of dict
        Contents of the examples that were proposed last.
    """

    id: str
    owner: int
    name: str
    folder: Path
    ending: str
    size: int = 0
    used: float = 0.0
    whole: bool = False
    work: Work | None = None
    preview: list[dict[str, Any]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.folder / f"file{self.ending}"

    @property
    def is_archive(self) -> bool:
        """Whether it holds files."""
        return self.ending == ".zip"

    def said(self, text: str) -> str:
        """A message about the file, with the name its owner knows."""
        return text.replace(str(self.path), self.name)


class Uploads:
    """The uploads of a server.

    Parameters
    ----------
    place : path, optional
        Folder they are kept in, if files can be written there; by default that of temporary files, which may
        be memory.
    seconds : float
        How long one is kept that nobody asks for.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self,
        place: str | os.PathLike[str] | None = None,
        seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        writable = place is not None and os.access(place, os.W_OK)
        self.place = Path(place if writable and place is not None else tempfile.gettempdir())
        self.seconds, self.clock = seconds, clock
        self._kept: dict[str, Upload] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    async def receive(self, owner: int, name: str, request: Request) -> Upload:
        """Take the body of a request as a file; what does not come whole is deleted.

        Raises
        ------
        Failure
            If no import reads files that are called so, the body is empty, or the disk is full.
        """
        ending = _ending(name)
        if not ending:
            raise Failure(
                422,
                f"{name} is of no type that can be imported: CSV, JSON, JSON Lines, Parquet, a .txt with "
                "a text a line, or images as a folder or zip.",
                field="name",
            )
        try:
            one = await run_in_threadpool(self._begin, owner, name, ending)
        except OSError as error:
            raise _unwritten(error) from None
        try:
            one.size = await save_body(request, one.path)
            if not one.size:
                raise Failure(422, f"{name} is empty.")
            one.whole = True
        except BaseException:
            self.drop(one)
            raise
        return one

    def _begin(self, owner: int, name: str, ending: str) -> Upload:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self.place))
        one = Upload(secrets.token_urlsafe(24), owner, name, folder, ending, used=self.clock())
        self.sweep()
        with self._lock:
            idle = sorted((other for other in self._kept.values() if _is_idle(other, owner)), key=_last)
            busy = sum(other.owner == owner for other in self._kept.values()) - len(idle)
            self._kept[one.id] = one
        if busy >= AT_ONCE:
            self.drop(one)
            raise Failure(429, "several files of yours are on their way; wait for them.")
        for other in idle[: max(len(idle) + busy + 1 - AT_ONCE, 0)]:
            self.drop(other)
        self._watch()
        return one

    def get(self, owner: int, upload_id: str) -> Upload:
        """An upload of somebody.

        Raises
        ------
        Failure
            If there is none, or it is somebody else's.
        """
        one = self._kept.get(upload_id)
        if one is None or one.owner != owner or not one.whole:
            raise Failure(404, "there is no such upload any more; send the file again.")
        one.used = self.clock()
        return one

    def drop(self, one: Upload) -> None:
        """Delete an upload."""
        with self._lock:
            self._kept.pop(one.id, None)
        shutil.rmtree(one.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what was abandoned."""
        now = self.clock()
        for one in list(self._kept.values()):
            if one.used + self.seconds < now and _is_idle(one, one.owner):
                self.drop(one)
        # Those of a server that was killed.
        ours = {one.folder for one in list(self._kept.values())}
        for folder in self.place.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                if folder not in ours and folder.lstat().st_mtime + _FORGOTTEN * self.seconds < now:
                    shutil.rmtree(folder)

    def close(self) -> None:
        """Delete all."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
        for one in list(self._kept.values()):
            self.drop(one)

    def _watch(self) -> None:
        """Look again later, as long as there is something."""

        def look() -> None:
            self.sweep()
            with self._lock:
                self._timer = None
            if self._kept:
                self._watch()

        with self._lock:
            if self._timer is None:
                self._timer = threading.Timer(self.seconds / 4, look)
                self._timer.daemon = True
                self._timer.start()


def work_on(one: Upload, do: Callable[[Work], Any], *, failed: Callable[[], None] = lambda: None) -> Work:
    """Import an upload in a thread of its own; ``failed`` cleans up if it cannot be.

    Raises
    ------
    Failure
        If that goes on already.
    """
    if one.work is not None and one.work.state == "running":
        raise Failure(409, "this file is being imported already.")
    work = one.work = Work()

    def run() -> None:
        try:
            work.result = do(work)
            work.state = "done"
        except BaseException as error:
            work.problem = one.said(problem_of(error))
            try:
                failed()
            except Exception as other:
                problem_of(other)  # the log has it
            work.state = "failed"

    threading.Thread(target=run, name="activelab-import", daemon=True).start()
    return work


async def save_body(request: Request, path: Path) -> int:
    """Write the body of a request to a file, as it comes; how many bytes it has.

    Raises
    ------
    Failure
        If the rest of it does not come, or the disk is full.
    """
    size, waiting = 0, bytearray()
    try:
        with open(path, "wb") as file:
            async for chunk in request.stream():
                waiting += chunk
                size += len(chunk)
                if len(waiting) >= _BLOCK:
                    await run_in_threadpool(file.write, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(file.write, bytes(waiting))
    except ClientDisconnect:
        raise Failure(400, "the rest of the request did not come.", code="timeout") from None
    except OSError as error:
        raise _unwritten(error) from None
    return size


def problem_of(error: BaseException) -> str:
    """Why something failed, as a sentence for people."""
    if isinstance(error, OSError):
        return str(_unwritten(error).body.message)
    if not isinstance(error, Exception):
        return "the server is being stopped."
    try:
        return explain(error).body.message
    except Exception:
        log.error("an import failed", exc_info=error)
        return "something went wrong here; the server's log says more."


def _unwritten(error: OSError) -> Failure:
    why = "its disk is full" if error.errno == errno.ENOSPC else os.strerror(error.errno or errno.EIO)
    return Failure(503, f"the server cannot keep the file: {why}.")


def _ending(name: str) -> str:
    """What the name of a file ends in, of what can be read; empty if it is nothing of that."""
    lower = name.lower()
    packed = ".gz" if lower.endswith(".gz") else ""
    kind = os.path.splitext(lower.removesuffix(".gz"))[1]
    return kind + packed if kind in _ENDINGS else ""


def _is_idle(one: Upload, owner: int) -> bool:
    return one.owner == owner and one.whole and (one.work is None or one.work.state != "running")


def _last(one: Upload) -> float:
    return one.used
