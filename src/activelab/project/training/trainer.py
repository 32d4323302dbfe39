"""When a round is due, and the thread of a server that has it trained in a process of its own."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from typing import Any

from sqlalchemy import Connection, select

from activelab._errors import InputError
from activelab.project._project import Project
from activelab.project.labelling import rounds
from activelab.project.settings import Settings, load_settings
from activelab.project.store.database import Database, StorageError
from activelab.project.store.schema import lease, queue, round_
from activelab.project.training import process
from activelab.project.training.due import News, enough, news_for
from activelab.project.training.process import LIMIT_HOURS, Child

CHECK_SECONDS = 5.0
_START_SECONDS = 60.0  # until a process, on a busy machine, has begun its round
_PAUSE = 600.0  # without another decision, before those made begin a round by themselves
_FIRST_WAIT, _LONGEST_WAIT = 60.0, 3600.0  # between a failed training and the next try

_log = logging.getLogger("activelab.training")


def due(project: Project, now: float | None = None) -> str | None:
    """Why a round should be trained now.

    Decisions and known answers count as labels do: each makes the round a little more out of date. Where
    nothing is left to label, new labels are trained on at once; decisions when none has come for ten minutes,
    so that somebody who decides one example after the other begins one round, not one each.

    Returns
    -------
    str or None
        None if the project does not train by itself, a round is being trained, one has failed a short
        time ago, there are too few labels, or none of the conditions of the settings holds.
    """
    at = time.time() if now is None else now
    return project.database.read(lambda c: due_now(c, load_settings(c), at))


def due_now(connection: Connection, settings: Settings, now: float) -> str | None:
    """`due` within a transaction."""
    number = rounds.current_round(connection)
    if number < 0 or not settings.automatic or _busy(connection, number, now):
        return None
    current = rounds.get_round(connection, number)
    news = news_for(connection, current)
    why = _reason(connection, settings, current, news, now) if news.number or news.classes else None
    return None if why is None or enough(connection) is not None else why


def _reason(
    connection: Connection, settings: Settings, current: rounds.Round, news: News, now: float
) -> str | None:
    wanted = settings.train_every or settings.batch_size
    if news.classes:
        return "the classes were changed since the last round"
    if news.number >= wanted:
        return f"{news}; a round is trained every {wanted:,}"
    hours = (now - (current.finished or now)) / 3600
    if settings.train_hours is not None and hours >= settings.train_hours:
        return f"{news}, and {hours:.1f} hours since the last round"
    if (news.labels or now - news.last_truth >= _PAUSE) and _nothing_left(connection, current, now):
        return f"{news}, and nothing of the round is left to label"
    return None


def _busy(connection: Connection, current: int, now: float) -> bool:
    """Whether a round is being trained, or the last failed so lately that it would fail again."""
    later = connection.execute(
        select(round_.c.state, round_.c.heartbeat, round_.c.finished, round_.c.summary)
        .where(round_.c.id > current)
        .order_by(round_.c.id)
    ).all()
    if not later:
        return False
    last = later[-1]
    if last.state == "running":
        return rounds.is_alive(last, now)
    if json.loads(last.summary).get("error", "").startswith(rounds.CANCELLED):
        return bool(now - last.finished < _LONGEST_WAIT)
    wait = min(_FIRST_WAIT * 2.0 ** (len(later) - 1), _LONGEST_WAIT)
    return bool(now - last.finished < wait)


def _nothing_left(connection: Connection, current: rounds.Round, now: float) -> bool:
    """Whether every slot of a round is used up, and nobody holds one."""
    free = select(queue.c.example_id).where(queue.c.round_id == current.id, queue.c.remaining > 0).limit(1)
    held = select(lease.c.id).where(lease.c.state == "open", lease.c.expires > now).limit(1)
    if connection.execute(free).first() or connection.execute(held).first():
        return False
    order = rounds.load_array(connection, current.id, "order")
    return order is None or current.filled >= len(order)


class Trainer:
    """Has rounds trained when they are due, each in a process of its own, never two at a time.

    The process has a lower priority; see `process`. One that dies leaves what was served as it was; the round
    is marked as failed, and tried again after a while.

    Parameters
    ----------
    project_place : str or path
        As for `open_project`.
    check_seconds : float
        How often to look whether a round is due, or was given up.
    limit_hours : float
        After which a training is stopped.
    turn : threading.Semaphore, optional
        Shared with the trainers of other projects: as many as it lets through train at a time.

    Attributes
    ----------
    last_error : str or None
        Why the last training of this object failed.
    """

    def __init__(
        self,
        project_place: str | os.PathLike[str],
        *,
        check_seconds: float = CHECK_SECONDS,
        limit_hours: float = LIMIT_HOURS,
        turn: threading.Semaphore | None = None,
    ) -> None:
        self._turn = turn or threading.Semaphore()
        self.place, self.check_seconds, self.limit_hours = (
            os.fspath(project_place),
            check_seconds,
            limit_hours,
        )
        self.last_error: str | None = None
        self._stopping, self._wake, self._wanted = threading.Event(), threading.Event(), False
        self._not_before = 0.0  # a process that cannot even begin leaves no round that says so
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Trainer:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    @property
    def training(self) -> bool:
        """Whether a process of this object is training."""
        return self._child is not None

    def start(self) -> None:
        """Begin to watch the project, in a thread."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._watch, name="activelab-trainer", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop watching, and end a training that runs; the labels it would have used stay for the next."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            if self._child is not None:
                self._child.ask_to_end()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def cancel(self) -> None:
        """End a training of this object, and forget that one was asked for."""
        with self._lock:
            self._wanted = False
            if self._child is not None:
                self._child.ask_to_end()

    def train_now(self) -> bool:
        """Have a round trained at once, due or not.

        Returns
        -------
        bool
            False if this object is training already.
        """
        with self._lock:
            if self._child is not None or self._wanted:
                return False
            self._wanted = True
        self._wake.set()
        return True

    # ------------------------------------------------------------------ the thread

    def _watch(self) -> None:
        project = Project(Database(self.place))
        try:
            while not self._stopping.is_set():
                try:
                    asked = self._wanted
                    why = "asked for" if asked else due(project)
                    if why is not None and (asked or time.monotonic() >= self._not_before):
                        self._train_in_turn(project, asked, why)
                except Exception:  # the thread must outlive whatever happens to one training
                    _log.exception("training could not be started")
                self._wake.wait(self.check_seconds)
                self._wake.clear()
        finally:
            project.close()

    def _train_in_turn(self, project: Project, asked: bool, why: str) -> None:
        if not self._turn.acquire(timeout=self.check_seconds):
            return  # what is due is due again
        try:
            _log.info("training a round: %s", why)
            self._train(project, asked)
        finally:
            self._turn.release()

    def _train(self, project: Project, asked: bool) -> None:
        # Not under the lock: whoever asks for a training or cancels one would wait for the database.
        before = len(project.database.read(rounds.list_rounds))
        with self._lock:
            cancelled = asked and not self._wanted
            self._wanted = False
            if cancelled or self._stopping.is_set():
                return
            child = self._child = Child(self.place, self.command())
        self._attend(project, child, before)
        with self._lock:
            self._child = None
        why = _clear_up_after(project, child)
        try:
            child.check()
        except (InputError, process.TrainingFailedError) as error:
            why = str(error)
        self.last_error = why
        if why is not None:
            self._not_before = time.monotonic() + _FIRST_WAIT
            # What a model says may hold the texts it was given.
            _log.warning("a training failed; activelab status says why")
            _log.debug("a training failed: %s", why)

    def _attend(self, project: Project, child: Child, before: int) -> None:
        """Wait for the end of a training, and bring it about if it does not stop by itself when it has to."""
        # The process knows its limit; it is ended from here if it is stuck where it cannot even look.
        ends = time.monotonic() + self.limit_hours * 3600 + _START_SECONDS
        while not child.wait(self.check_seconds):
            with contextlib.suppress(StorageError):
                # A round that is given up forgets its process: it is the one after those there were before.
                its_own = project.database.read(rounds.list_rounds)[before:]
                given_up = bool(its_own) and its_own[0].state == "failed"
                if given_up or self._stopping.is_set() or time.monotonic() > ends:
                    child.end()

    def command(self) -> list[str]:
        """What is run to train a round."""
        return process.command(limit_hours=self.limit_hours)


def _clear_up_after(project: Project, child: Child) -> str | None:
    """Give up the round of a process that was killed, instead of waiting until it counts as dead."""
    gone = "the process that trained it ended before its time"

    def clear(connection: Connection) -> str | None:
        rounds.hold_round(connection)
        for one in rounds.list_rounds(connection):
            if one.state == "running" and one.summary.process == child.name:
                rounds.fail_round(connection, one.id, gone)
                return gone
        return None

    try:
        return project.database.write(clear)
    except StorageError:
        _log.exception("a round that failed could not be marked")
        return None
