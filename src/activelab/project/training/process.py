"""A round trained in a process of its own: how it is started and ended, and what it reports at its end."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from activelab._errors import InputError
from activelab.project.labelling.processes import process_name

LIMIT_HOURS = 12.0
"""How long a training may take unless something else is said."""

NICE = 10
"""How far a training steps back behind the server that answers people."""

GRACE_SECONDS = 10.0
"""How long a process may take to end when it is asked to."""

_PROJECT = "ACTIVELAB_PROJECT"


class TrainingFailedError(RuntimeError):
    """A process ended without a round; the message says why, in one line."""


def command(files: Sequence[str | os.PathLike[str]] = (), limit_hours: float = LIMIT_HOURS) -> list[str]:
    """What is run to train a round, on the probabilities in files or on models of the project.

    It learns which project it is for from the environment, not from its arguments, which everybody on the
    machine can read: the address of a database may hold a password.
    """
    return [sys.executable, "-m", __spec__.name, f"{limit_hours:g}", *(os.fspath(path) for path in files)]


class Child:
    """A training that runs, and ends with the process that has started it, however that ends.

    Parameters
    ----------
    place : str
        The project.
    command : sequence of str
        See `command`.

    Attributes
    ----------
    name : str
        As a running round names its process.
    """

    def __init__(self, place: str, command: Sequence[str]) -> None:
        # This end is held by nobody else: when it closes, the other side knows that this process is gone.
        theirs, self._ours = os.pipe()
        try:
            self._process = subprocess.Popen(
                command, env=os.environ | {_PROJECT: place}, text=True, errors="replace",
                stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        except BaseException:
            os.close(self._ours)
            raise
        finally:
            os.close(theirs)
        self._said = "", ""
        self.name = process_name(self._process.pid)
        # It may be gone already, and some systems have no priorities.
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it has come."""
        if self._process.returncode is None:
            try:
                self._said = self._process.communicate(timeout=seconds)
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

    def check(self) -> None:
        """Say how it ended.

        Raises
        ------
        InputError
            That the process ended with, with all it knows.
        TrainingFailedError
            If it failed otherwise or was killed.
        """
        status, (report, complaint) = self._process.returncode, self._said
        if not status:
            return
        if report:
            told = json.loads(report)
            if "fields" in told:
                error = InputError(told["message"])
                vars(error).update(told["fields"])
                error.rows, error.lines = tuple(error.rows), tuple(error.lines)
                raise error
            raise TrainingFailedError(told["message"])
        raise TrainingFailedError(
            (complaint.strip().splitlines() or [f"the training ended with status {status}"])[-1]
        )


def main(arguments: Sequence[str]) -> int:
    """Train; what goes wrong is reported as JSON on the standard output, which nothing else may use."""
    _end_with_parent()
    report = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from activelab.project import ConflictError, StorageError, open_project
    from activelab.project.labelling.rounds import AlreadyTrainingError
    from activelab.project.training.round import train_on_files

    def tell(told: dict[str, Any]) -> None:
        with report:
            json.dump(told, report, default=str)

    def given_up(why: str) -> None:
        # A model that hangs would not hear of it; nothing is half-written.
        tell({"message": f"the round was given up: {why}."})
        os._exit(1)

    limit, *files = arguments
    try:
        with open_project(os.environ[_PROJECT]) as project:
            train_on_files(project, files, limit_hours=float(limit), given_up=given_up)
    except InputError as error:
        tell({"message": error.problem, "fields": vars(error)})
    except (StorageError, ConflictError, AlreadyTrainingError, OSError) as error:
        tell({"message": str(error)})
    else:
        return 0
    return 1


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: its end of the pipe closes."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="activelab-parent", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
