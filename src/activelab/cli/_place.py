"""Which project a command is about, opened and closed, with its errors in words of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activelab._errors import InputError
from activelab._extras import needs
from activelab.cli._errors import CommandError

if TYPE_CHECKING:
    from activelab.project import Project

VARIABLE = "ACTIVELAB_PROJECT"

Place = Annotated[
    str | None,
    typer.Argument(
        metavar="[PLACE]",
        help=f"The project: a file, or postgresql://USER@HOST/NAME. Left out: what {VARIABLE} names.",
        show_default=False,
    ),
]


def place_of(given: str | None) -> str:
    """The project that was named, on the command line or by the environment.

    Raises
    ------
    InputError
        If none was.
    """
    place = given or os.environ.get(VARIABLE)
    if not place:
        raise InputError(f"name the project: its file or its postgresql:// address, or set {VARIABLE}.")
    return place


def split_place(given: list[str]) -> tuple[str, list[str]]:
    """The project and what follows it; the project may be left out where the environment names it."""
    if given and (not os.environ.get(VARIABLE) or _looks_like_a_place(given[0])):
        return given[0], given[1:]
    return place_of(None), given


def _looks_like_a_place(text: str) -> bool:
    if "://" in text:
        return True
    try:
        with open(text, "rb") as file:
            return file.read(15) == b"SQLite format 3"
    except (OSError, ValueError):
        return False


@contextmanager
def project_at(place: str, extra: str = "web") -> Iterator[Project]:
    """An open project; ``extra`` is what to install where its packages are missing."""
    with project_errors(extra):
        from activelab.project import open_project

        with open_project(place) as project:
            yield project


@contextmanager
def people_at(place: str, extra: str = "web") -> Iterator[Project]:
    """Where people are who log in to a project, or to a folder of projects."""
    if Path(place).is_dir():
        with project_errors(extra):
            from activelab.project.workspace import Workspace

            with Workspace(place) as workspace:
                yield workspace.people
    else:
        with project_at(place, extra) as project:
            yield project


@contextmanager
def project_errors(extra: str = "web") -> Iterator[None]:
    """What goes wrong with a project, as errors of a command."""
    with needs(extra, "a project"):
        from activelab.project import ConflictError, StorageError
        from activelab.project.labelling.rounds import AlreadyTrainingError
    try:
        yield
    except AlreadyTrainingError as error:
        raise CommandError(f"{error} activelab train --cancel gives it up.") from None
    except (StorageError, ConflictError) as error:
        raise CommandError(str(error)) from None


def check_report(path: Path) -> None:
    """Raise unless a file that is no table can be written there, before any work is done for it."""
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: the folder {path.absolute().parent} does not exist; create it first.")
