"""When a round is due, and the thread of a server that has it trained in a process of its own."""

from __future__ import annotations

import os

from activelab.project._project import Project


def due(project: Project) -> str | None:
    """Why a round should be trained now; None if none should."""
    raise NotImplementedError


class Trainer:
    """Trains rounds when they are due, in a process of their own, never two at a time."""

    def __init__(self, project_place: str | os.PathLike[str]) -> None:
        self.place = os.fspath(project_place)

    def start(self) -> None:
        """Begin to watch the project."""

    def stop(self) -> None:
        """Stop watching, and end a training that runs."""

    def train_now(self) -> bool:
        """Ask for a round at once; False if one is being trained already."""
        raise NotImplementedError
