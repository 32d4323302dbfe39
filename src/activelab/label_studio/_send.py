"""What a project has and the server lacks: tasks of its examples, and the consensus as predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from activelab._errors import InputError
from activelab.label_studio._client import Client
from activelab.label_studio._config import Labelling, labelling_of
from activelab.label_studio._link import change_link, load_link
from activelab.label_studio._pull import pull
from activelab.label_studio._schema import label_studio_task
from activelab.project import Example, Project
from activelab.project.content import MEDIA, words_of
from activelab.project.insight.final import final_labels
from activelab.project.labelling import rounds
from activelab.project.store.schema import event

_BLOCK = 500
_ADDRESSES = ("http://", "https://", "data:", "s3://", "gs://", "azure-blob://")


def add_tasks(
    project: Project, client: Client, *, dry_run: bool = False, say: Callable[[str], None] = lambda _: None
) -> int:
    """Make a task of every example that has none, and read it back; how many.

    The data of a task holds the id of its example, in the field by which the project was connected, and what
    there is to see of it. An example whose task was deleted gets no other.

    Parameters
    ----------
    project : Project
    client : Client
    dry_run : bool
        Only count them.
    say : callable
        Told in words what happens now.

    Raises
    ------
    InputError
        If the project is not connected, or by the number of tasks; or an example cannot be shown there.
    ServerError
        If the server cannot be reached. What it got is not sent again by the next call.
    """
    link = load_link(project)
    if link.example_field is None:
        raise InputError(
            "tasks can be made where a field of theirs holds the id of the example; this project is "
            "connected by the numbers of tasks."
        )
    labelling = labelling_of(client.project(link.number))
    labelling.check(project.refresh(0))
    # What an interrupted call has sent is there already.
    if not dry_run:
        pull(project, client, say=say)
    mapped = project.database.read(_mapped)
    missing = [code for code in range(project.num_examples) if code not in mapped]
    for at in range(0, len(missing), _BLOCK):
        shown = project.examples(missing[at : at + _BLOCK])
        tasks = [{"data": _data(one, project.settings.kind, link.example_field, labelling)} for one in shown]
        if not dry_run:
            say(f"making tasks: {at:,} of {len(missing):,}")
            client.add_tasks(link.number, tasks)
    if missing and not dry_run:
        pull(project, client, say=say)
    return len(missing)


def _data(example: Example, kind: str, field: str, labelling: Labelling) -> dict[str, Any]:
    """What a task holds of an example."""
    content: Mapping[str, Any] = example.content
    if kind != "table":
        data = {labelling.field: content.get(kind) if kind != "text" else words_of(content) or None}
    else:
        data = {labelling.field: dict(content)} if labelling.kind == "table" else dict(content)
    if field in data or data.get(labelling.field) is None:
        why = f"{field!r} is to hold its id" if field in data else f"it has no {labelling.field!r} to show"
        raise InputError(f"no task can be made of example {example.name!r}: {why}.")
    if kind in MEDIA and not str(data[labelling.field]).startswith(_ADDRESSES):
        raise InputError(
            f"no task can be made of example {example.name!r}: its {kind} is a file of this machine, "
            f"and Label Studio shows {kind} by its address."
        )
    return {field: example.name, **data}


def push_consensus(
    project: Project, client: Client, *, dry_run: bool = False, say: Callable[[str], None] = lambda _: None
) -> int:
    """Write the label that counts of every labelled example as a prediction of its task; how many.

    That is what was decided, is known, or is the consensus of the labels pulled; the score is its quality.
    The predictions have a model version of their own (``activelab-consensus-…``), so that they neither change
    the order nor are shown to annotators. Once written, they are written again only after there are other
    labels or another round.

    Parameters
    ----------
    project : Project
    client : Client
    dry_run : bool
        Only count them.
    say : callable
        Told in words what happens now.

    Raises
    ------
    InputError
        If the project is not connected, or the labelling configuration asks something else.
    ServerError
        If the server cannot be reached.
    """
    link = load_link(project)
    labelling = labelling_of(client.project(link.number))
    labelling.check(project.refresh(0))
    version = project.database.read(_version)
    if version == link.consensus:
        return 0
    final = final_labels(project)
    tasks = [(number, code) for number, code in project.database.read(_there) if final.label[code] >= 0]
    for at in range(0, 0 if dry_run else len(tasks), _BLOCK):
        say(f"sending the consensus: {at:,} of {len(tasks):,}")
        predictions = []
        for number, code in tasks[at : at + _BLOCK]:
            facts = final.facts(code)
            result = labelling.result(facts["label"])  # type: ignore[arg-type]
            predictions.append(
                {"task": number, "score": facts["quality"], "model_version": version, "result": result}
            )
        client.add_predictions(link.number, predictions)
    if not dry_run:
        change_link(project, consensus=version)
    return len(tasks)


def _mapped(connection: Connection) -> set[int]:
    return set(connection.execute(select(label_studio_task.c.example_id)).scalars())


def _version(connection: Connection) -> str:
    last = connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one()
    return f"activelab-consensus-{rounds.current_round(connection)}-{last}"


def _there(connection: Connection) -> list[tuple[int, int]]:
    table = label_studio_task
    query = select(table.c.task_id, table.c.example_id).where(~table.c.gone).order_by(table.c.task_id)
    return [(row.task_id, row.example_id) for row in connection.execute(query)]
