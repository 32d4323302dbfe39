"""Answers that come while others are stored are stored together, with one wait for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from activelab.project import Lease, Project, Recorded, Submission

_TOGETHER = 64
"""Answers that are stored together at most."""

_WORKERS = ThreadPoolExecutor(64, "activelab-answers")
"""One for each project at which people are at work."""

_Waiting = tuple[Submission, "asyncio.Future[tuple[Recorded, list[Lease]]]"]


class Answers:
    """Stores the answers to a project: those that come while others are stored are stored together.

    Parameters
    ----------
    project : Project
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._at_work = False

    async def store(self, submission: Submission) -> tuple[Recorded, list[Lease]]:
        """`Project.record`, from the loop that serves requests."""
        loop = asyncio.get_running_loop()
        waiting: _Waiting = submission, loop.create_future()
        with self._lock:
            self._waiting.append(waiting)
            begin, self._at_work = not self._at_work, True
        if begin:
            loop.run_in_executor(_WORKERS, self._work)
        return await waiting[1]

    def _work(self) -> None:
        while True:
            with self._lock:
                group, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
                if not group:
                    self._at_work = False
                    return
            found: list[Any]
            try:
                found = self._project.record_all([submission for submission, _ in group])
            except Exception as error:
                found = [error] * len(group)
            futures = [future for _, future in group]
            for loop in {future.get_loop() for future in futures}:
                with contextlib.suppress(RuntimeError):  # nobody is left there to be told
                    loop.call_soon_threadsafe(_tell, loop, futures, found)


def _tell(loop: asyncio.AbstractEventLoop, futures: list[asyncio.Future[Any]], found: list[Any]) -> None:
    for future, one in zip(futures, found, strict=True):
        if future.get_loop() is not loop or future.done():  # who has asked may have gone
            continue
        if isinstance(one, Exception):
            future.set_exception(one)
        else:
            future.set_result(one)
