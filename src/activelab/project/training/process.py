"""A round trained in a process of its own: how it is started, and what it reports at its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from activelab._errors import InputError

_PROJECT = "ACTIVELAB_PROJECT"


class TrainingFailedError(RuntimeError):
    """A process ended without a round; the message says why, in one line."""


def command(files: Sequence[str | os.PathLike[str]] = ()) -> list[str]:
    """What is run to train a round, on the probabilities in files or on models of the project.

    It learns which project it is for from the environment, not from its arguments, which everybody on the
    machine can read: the address of a database may hold a password.
    """
    return [sys.executable, "-m", __spec__.name, *(os.fspath(path) for path in files)]


def start(place: str, command: Sequence[str]) -> subprocess.Popen[str]:
    """Start to train a project."""
    return subprocess.Popen(
        command, env=os.environ | {_PROJECT: place}, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait(child: subprocess.Popen[str], timeout: float | None = None) -> None:
    """Wait for the end of a training.

    Raises
    ------
    InputError
        That the process ended with, with all it knows.
    TrainingFailedError
        If it failed otherwise or was killed, also after the timeout in seconds.
    """
    try:
        report, complaint = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise TrainingFailedError("it took too long and was stopped.") from None
    if not child.returncode:
        return
    if report:
        told = json.loads(report)
        if "fields" in told:
            error = InputError(told["message"])
            vars(error).update(told["fields"])
            error.rows, error.lines = tuple(error.rows), tuple(error.lines)
            raise error
        raise TrainingFailedError(told["message"])
    lines = complaint.strip().splitlines() or [f"the training ended with status {child.returncode}"]
    raise TrainingFailedError(lines[-1])


def main(files: Sequence[str]) -> int:
    """Train; what goes wrong is reported as JSON on the standard output, which nothing else may use."""
    report = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from activelab.project import ConflictError, StorageError, open_project
    from activelab.project.labelling.rounds import AlreadyTrainingError
    from activelab.project.training.round import train_on_files

    told: dict[str, Any]
    try:
        with open_project(os.environ[_PROJECT]) as project:
            train_on_files(project, files)
    except InputError as error:
        told = {"message": error.problem, "fields": vars(error)}
    except (StorageError, ConflictError, AlreadyTrainingError, OSError) as error:
        told = {"message": str(error)}
    else:
        return 0
    with report:
        json.dump(told, report, default=str)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
