"""What a project knows of its Label Studio project."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from activelab._errors import InputError, first
from activelab.label_studio._config import Labelling
from activelab.label_studio._schema import label_studio_task
from activelab.project import Project
from activelab.project.labelling.class_history import names_now
from activelab.project.settings import Settings, load_value, store_value
from activelab.project.store.audit import write_audit

_NAME = "label_studio"


@dataclass(frozen=True)
class Link:
    """The other end, and how far we have read and written.

    Attributes
    ----------
    url : str
    number : int
        The Label Studio project.
    example_field : str or None
        Field of a task's data that names its example; None for the number of the task.
    cursor : str
        Changes up to this moment have been read; "" before the first time.
    model_version : str
        The name our scores have there; "" before the first.
    pushed_round : int
        The round they are of; -1 before the first.
    complete : bool
        Whether the server has been told to use them.
    consensus : str
        The model version of the consensus that all tasks have there; "" before the first.
    classes : int
        The version of the classes that the answers are of which were read last.
    """

    url: str
    number: int
    example_field: str | None = None
    cursor: str = ""
    model_version: str = ""
    pushed_round: int = -1
    complete: bool = False
    consensus: str = ""
    classes: int = 0

    def changed(self, **changes: Any) -> Link:
        """This link with some of it changed."""
        return replace(self, **changes)


def load_link(project: Project) -> Link:
    """The link of a project.

    Raises
    ------
    InputError
        If it has none.
    """
    found = project.database.read(lambda c: load_value(c, _NAME))
    if found is None:
        raise InputError("this project is not connected with Label Studio.", advice="connect")
    return Link(**found)


def load_link_of(connection: Connection) -> Link:
    """The link of a project that has one, within a transaction."""
    return Link(**load_value(connection, _NAME))


def store_link(connection: Connection, link: Link) -> None:
    """Keep a link, within a transaction."""
    store_value(connection, _NAME, asdict(link))


def change_link(project: Project, **changes: Any) -> Link:
    """Change some of what is kept of the other end; the link as it is then."""

    def change(connection: Connection) -> Link:
        link = load_link_of(connection).changed(**changes)
        store_link(connection, link)
        return link

    return project.database.write(change)


def connect(project: Project, link: Link, labelling: Labelling) -> Link:
    """Connect a project with a Label Studio project; the same again changes nothing.

    Parameters
    ----------
    project : Project
    link : Link
    labelling : Labelling
        What the other end asks (`labelling_of`).

    Raises
    ------
    InputError
        If it is connected with another one, has examples that no field of the tasks names, or asks another
        question.
    """

    def begin(connection: Connection) -> Link:
        known = load_value(connection, _NAME)
        if known is not None:
            before = Link(**known)
            if (before.number, before.example_field) != (link.number, link.example_field):
                raise InputError(
                    f"this project is connected with project {before.number} at {before.url} already; "
                    "a project can be connected once."
                )
            # A server may move; what it knows of us moves with it.
            moved = before.changed(url=link.url)
            store_link(connection, moved)
            return moved
        mapped = connection.execute(select(label_studio_task.c.task_id).limit(1)).first()
        if link.example_field is None and mapped is None and load_value(connection, "num_examples", 0):
            raise InputError("this project has examples already.", advice="example_field")
        store_link(connection, link)
        write_audit(connection, None, "connected with Label Studio", {"url": link.url, "number": link.number})
        return link

    add_classes(project, labelling)
    return project.database.write(begin)


def add_classes(project: Project, labelling: Labelling) -> Settings:
    """Add the classes that the project lacks; those it has under another name, or no more, are not new.

    Raises
    ------
    InputError
        If the project asks another question.
    """
    settings = project.refresh(0)
    labelling.check(settings)
    known = settings.classes
    renamed, gone = project.database.read(lambda c: names_now(c, labelling.classes, known))
    new = [name for name in labelling.classes if name not in known and name not in {**renamed, **gone}]
    if not new:
        return project.settings
    if project.settings.question == "ordinal":
        raise InputError(
            f"{first(new)} would be new points of the scale, and nobody knows where. Name every point in "
            "the settings, from the lowest to the highest."
        )
    return project.change_settings({"classes": [*known, *new]})
