"""Copies of a project at regular times, the oldest of which go."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from activelab._errors import InputError
from activelab.project._project import Project
from activelab.project.files.backup import back_up
from activelab.project.store.database import Database, StorageError

_log = logging.getLogger("activelab.backup")

_STAMP = "%Y%m%dT%H%M%SZ"
_AGAIN = 600.0
"""Seconds after which a copy that failed is tried again, unless the next is due before."""


_turn = threading.Lock()
"""Copies of several projects are made one after the other: each keeps the disk busy."""


@dataclass(frozen=True)
class Schedule:
    """When copies are made, and where they go.

    Parameters
    ----------
    folder : str or path
        Where the copies go. Other files there are left alone.
    hours : float
        From one copy to the next.
    keep : int
        Copies of each project that are kept, the newest.

    Raises
    ------
    InputError
        If there is no such folder.
    """

    folder: str | os.PathLike[str]
    hours: float = 24.0
    keep: int = 7

    def __post_init__(self) -> None:
        if not Path(self.folder).is_dir():
            raise InputError(f"{self.folder} is no folder; create it first, where the copies shall go.")


class Backups:
    """Copies a project to a folder at regular times, in a thread.

    Files are called ``NAME-20261130T020000Z.db`` (``.dump`` from PostgreSQL), by the time in UTC at which the
    copy began: what was stored before is in it. One is made at once if the newest is too old. A copy that
    fails leaves what was there; none is deleted before another is whole.

    Parameters
    ----------
    project_place : str or path
        As for `open_project`.
    schedule : Schedule

    Attributes
    ----------
    name : str
        Of the project.
    error : str or None
        Why the last copy failed; None if it did not.
    failures : int
        Copies of this object that have failed.
    size : int or None
        Bytes of the last copy of this object.
    """

    def __init__(self, project_place: str | os.PathLike[str], schedule: Schedule) -> None:
        self.place, self.folder = os.fspath(project_place), Path(schedule.folder)
        self.hours, self.keep = schedule.hours, schedule.keep
        database = Database(self.place)
        self.name, self._ending = database.short_name, ".db" if database.is_sqlite else ".dump"
        database.close()
        self._begin = re.sub(r"[^\w.-]", "_", self.name)
        self.error: str | None = None
        self.failures = 0
        self.size: int | None = None
        self._tried = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Backups:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, in a thread."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="activelab-backups", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Make no more copies; one that is being made is waited for."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def copies(self) -> list[Path]:
        """The copies in the folder, the oldest first."""
        pattern = re.compile(re.escape(self._begin) + r"-\d{8}T\d{6}Z" + re.escape(self._ending))
        return sorted(path for path in self.folder.iterdir() if pattern.fullmatch(path.name))

    def last(self) -> float | None:
        """When the newest copy began, in seconds since 1970; None if there is none."""
        copies = self.copies()
        if not copies:
            return None
        stamp = copies[-1].name.removesuffix(self._ending)[-len("20261130T020000Z") :]
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp()

    def make(self) -> Path | None:
        """Make a copy now, and delete those that are too many; None if that failed."""
        began = time.time()
        stamp = datetime.fromtimestamp(began, UTC).strftime(_STAMP)
        path = self.folder / f"{self._begin}-{stamp}{self._ending}"
        try:
            project = Project(Database(self.place))
            try:
                self.size = back_up(project, path)
            finally:
                project.close()
            for old in self.copies()[: -self.keep]:
                old.unlink()
        except (InputError, StorageError, OSError) as error:
            self.error = str(error)
            self.failures += 1
            _log.error("the backup failed: %s", error)
            return None
        self.error = None
        _log.info("backup written: %s (%.1f MiB, %.1f s)", path, self.size / 2**20, time.time() - began)
        return path

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                wait = self._until_next()
                if wait <= 0:
                    self._tried = time.time()
                    with _turn:
                        self.make()
                    wait = self._until_next()
            except Exception:  # the thread must outlive whatever happens to one copy
                self.error = "it could not be begun"
                _log.exception("the backup failed")
                wait = _AGAIN
            self._stopping.wait(min(max(wait, 0.1), 60.0))

    def _until_next(self) -> float:
        seconds, now = self.hours * 3600, time.time()
        last = self.last()
        # A clock that was ahead once would keep copies from being made until it is there again.
        wait = 0.0 if last is None or last > now + 60 else last + seconds - now
        if self.error is not None:
            wait = max(wait, self._tried + min(_AGAIN, seconds) - now)
        return wait
