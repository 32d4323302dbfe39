"""Keep a project and its Label Studio project in step, round after round."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from activelab._errors import InputError
from activelab.label_studio._client import Client, ServerError
from activelab.label_studio._pull import Pulled, pull
from activelab.label_studio._push import Pushed, push
from activelab.label_studio._send import push_consensus
from activelab.project import Project, StorageError
from activelab.project.labelling.rounds import AlreadyTrainingError
from activelab.project.training.trainer import due

FULL_HOURS = 6.0
"""How often everything is read again, whatever the server says has changed."""

_LONGEST_WAIT = 300.0


@dataclass(frozen=True)
class Step:
    """What one turn has done.

    Attributes
    ----------
    pulled : Pulled
    pushed : Pushed
    trained : str or None
        Why a round was trained, if one was.
    """

    pulled: Pulled
    pushed: Pushed
    trained: str | None


@dataclass
class Watcher:
    """Pulls, trains when a round is due, and pushes, again and again.

    Nothing depends on being woken: everything is read from the server, so a call that never came costs time
    until the next turn and nothing else.

    Parameters
    ----------
    project : Project
    client : Client
    every : float
        Seconds between turns.
    train : bool
        Train rounds when they are due.
    ahead : int, optional
        As in `push`.
    say : callable
        Told in words what happens.
    consensus : bool
        Whether to write the consensus there after each round that was trained, as `push_consensus` does.
    """

    project: Project
    client: Client
    every: float = 30.0
    train: bool = True
    ahead: int | None = None
    say: Callable[[str], None] = print
    consensus: bool = False
    _wake: threading.Event = field(default_factory=threading.Event, repr=False)
    _stopping: threading.Event = field(default_factory=threading.Event, repr=False)
    _wanted: bool = False
    _read_all: float = field(default_factory=time.monotonic, repr=False)

    def step(self) -> Step:
        """One turn."""
        full = time.monotonic() - self._read_all > FULL_HOURS * 3600
        pulled = pull(self.project, self.client, full=full)
        if full:
            self._read_all = time.monotonic()
        why = "asked for" if self._wanted else due(self.project) if self.train else None
        if why is not None:
            from activelab.project.training.round import train_round  # loads the classifiers

            self._wanted = False
            self.say(f"training a round: {why}")
            try:
                train_round(self.project)
            except (InputError, AlreadyTrainingError) as error:
                self.say(f"no round was trained: {error}")
        pushed = push(self.project, self.client, ahead=self.ahead)
        if why is not None and self.consensus:
            number = push_consensus(self.project, self.client)
            self.say(f"wrote the consensus of {number:,} tasks")
        return Step(pulled, pushed, why)

    def run(self) -> None:
        """Take turns until `stop`; what fails is said, and tried again later."""
        failures = 0
        while not self._stopping.is_set():
            try:
                self._tell(self.step())
                failures = 0
            except (ServerError, StorageError) as error:
                failures += 1
                self.say(f"{error} It is tried again.")
            self._wake.wait(self.every if not failures else min(self.every * 2**failures, _LONGEST_WAIT))
            self._wake.clear()

    def wake(self, *, train: bool = False) -> None:
        """Take the next turn at once, and train in it if that is asked for."""
        self._wanted |= train
        self._wake.set()

    def stop(self) -> None:
        """End `run` after the turn it is in."""
        self._stopping.set()
        self._wake.set()

    def _tell(self, step: Step) -> None:
        pulled, pushed = step.pulled, step.pushed
        if pulled.news or pulled.new_examples or pulled.gone:
            self.say(
                f"pulled {pulled.labels:,} labels, {pulled.changed:,} changed, {pulled.skips:,} skips, "
                f"{pulled.deleted:,} deleted, {pulled.new_examples:,} new examples"
            )
        for note in pulled.notes:
            self.say(f"note: {note}")
        if pushed.scores or pushed.opened or pushed.closed or pushed.settings:
            self.say(
                f"pushed round {pushed.round}: {pushed.scores:,} scores, {pushed.opened:,} tasks opened, "
                f"{pushed.closed:,} closed"
            )
