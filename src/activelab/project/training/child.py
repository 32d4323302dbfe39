"""``activelab train`` in a process of its own, which ends with the one that started it, however that ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

from activelab.project.labelling.processes import process_name

NICE = 10
"""How far a training steps back behind the server that answers people."""

GRACE_SECONDS = 10.0
"""How long a process may take to end when it is asked to."""

_PARENT = "ACTIVELAB_STDIN_IS_PARENT"


class Child:
    """A training that runs.

    It learns which project it is for from the environment, not from its arguments, which everybody on the
    machine can read: the address of a database may hold a password.

    Parameters
    ----------
    command : sequence of str
    place : str
        The project.

    Attributes
    ----------
    name : str
        As a running round names its process.
    said : list of str
        Lines it wrote to stderr, once it has ended.
    """

    def __init__(self, command: Sequence[str], place: str) -> None:
        self.said: list[str] = []
        # This end is held by nobody else: when it closes, the other side knows that this process is gone.
        theirs, self._ours = os.pipe()
        try:
            self._process = subprocess.Popen(
                command, env=os.environ | {"ACTIVELAB_PROJECT": place, _PARENT: "1"}, text=True,
                errors="replace", stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
        except BaseException:
            os.close(self._ours)
            raise
        finally:
            os.close(theirs)
        self.name = process_name(self._process.pid)
        # It may be gone already, and some systems have no priorities.
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)

    @property
    def status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.returncode

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it has come."""
        if self._process.returncode is None:
            try:
                self.said = self._process.communicate(timeout=seconds)[1].strip().splitlines()
            except subprocess.TimeoutExpired:
                return False
            os.close(self._ours)
        return True

    def ask_to_end(self) -> None:
        """Ask it to end, without waiting for it."""
        self._process.terminate()

    def end(self) -> None:
        """End it: by request, and by force if it does not listen."""
        self._process.terminate()
        if not self.wait(GRACE_SECONDS):
            self._process.kill()
            self.wait(GRACE_SECONDS)


def end_with_parent() -> None:
    """End this process when the one that started it as a `Child` is gone; else nothing."""
    if os.environ.pop(_PARENT, None) is None:
        return

    def watch() -> None:
        while os.read(0, 1):
            pass
        # Nothing is half-written: what a round stores, it stores in transactions.
        os._exit(1)

    threading.Thread(target=watch, name="activelab-parent", daemon=True).start()


def train_command(*options: str) -> list[str]:
    """What is run to train a round."""
    return [sys.executable, "-m", "activelab", "train", *options]
