"""The order of the current round to the server: scores, settings, and which tasks are open to how many."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from activelab._errors import InputError
from activelab.label_studio._client import Client
from activelab.label_studio._config import labelling_of
from activelab.label_studio._link import Link, change_link, load_link
from activelab.label_studio._pull import pull
from activelab.label_studio._schema import label_studio_task
from activelab.project import Project
from activelab.project.labelling import rounds
from activelab.project.labelling.queue import labels_left
from activelab.project.settings import load_settings
from activelab.project.store.schema import queue

_BLOCK = 1000
_SCALE = 100.0
SAMPLING = "Uncertainty sampling"


@dataclass
class Pushed:
    """What was written.

    Attributes
    ----------
    round : int
    model_version : str
    scores : int
        Tasks that were given a score.
    opened, closed : int
        Tasks whose overlap or state was changed.
    settings : dict
        Settings of the Label Studio project that were changed.
    open_tasks : int
        Tasks that wait for a label now.
    changes : list of str
        What was done, or would be, a line each.
    """

    round: int
    model_version: str = ""
    scores: int = 0
    opened: int = 0
    closed: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    open_tasks: int = 0
    changes: list[str] = field(default_factory=list)


class _Task(NamedTuple):
    number: int
    position: int  # in the order of the round; -1 if it is not in it
    wanted: int  # labels it should get
    overlap: int
    is_labeled: bool
    num_annotations: int
    pushed_round: int | None


def push(
    project: Project,
    client: Client,
    *,
    ahead: int | None = None,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Pushed:
    """Write the order of the current round to the server; only what differs from what is there.

    Reads what changed first. Every task of the order gets a score that falls with its place in it, under a
    model version of the round's own; the server is told to use it when the last score is there. Then tasks
    are opened and closed: a labelled one that deserves another opinion is open to so many more people, a
    labelled one that does not is closed, and so is one that is decided or whose answer is known. Interrupted
    at any point, the next call goes on.

    Parameters
    ----------
    project : Project
    client : Client
    ahead : int, optional
        Among how many of the first tasks of the order labelled ones are opened again; by default twice the
        batch size. Tasks without labels are open wherever they are.
    dry_run : bool
        Change nothing, here or there; ``changes`` says what would be done.
    say : callable
        Told in words what happens now.

    Raises
    ------
    InputError
        If the project is not connected, the labelling configuration asks something else, or there is no
        round yet.
    ServerError
        If the server cannot be reached.
    """
    link = load_link(project)
    about = client.project(link.number)
    labelling_of(about).check(project.refresh(0))
    if about.get("maximum_annotations") != 1 and not dry_run:
        # With more than one the server serves at random, and changing it rewrites the overlap of tasks.
        client.change_project(link.number, {"maximum_annotations": 1})
        change_link(project, cursor="")
    if not dry_run:
        pull(project, client, say=say)
    link = load_link(project)
    number = project.database.read(rounds.current_round)
    if number < 0:
        raise InputError("there is nothing to push: pull tasks first.")
    ahead = 2 * project.refresh(0).batch_size if ahead is None else ahead
    tasks = project.database.read(lambda c: _tasks(c, number))
    done = Pushed(number)
    if not dry_run:
        link = _begin(project, link, number)
    done.model_version = link.model_version if link.pushed_round == number else f"activelab-{number}-…"
    _scores(project, client, link, tasks, done, dry_run, say)
    _settings(project, client, link, about, done, dry_run)
    _gates(project, client, tasks, ahead, done, dry_run, say)
    return done


def _begin(project: Project, link: Link, number: int) -> Link:
    """A model version for the round, kept before anything is sent under it."""
    if link.pushed_round == number:
        return link
    version = f"activelab-{number}-{secrets.token_hex(3)}"
    return change_link(project, model_version=version, pushed_round=number, complete=False)


def _tasks(connection: Connection, number: int) -> list[_Task]:
    """The tasks of the server, most worth labelling first."""
    settings = load_settings(connection)
    order = rounds.load_array(connection, number, "order")
    positions = {code: place for place, code in enumerate(order.tolist())}
    slots = dict(
        connection.execute(
            select(queue.c.example_id, queue.c.remaining).where(queue.c.round_id == number)
        ).all()
    )
    known = {*connection.execute(rounds.KNOWN).scalars()}
    spent = settings.budget is not None and labels_left(connection, settings) <= 0
    found = []
    for row in connection.execute(select(label_studio_task).where(~label_studio_task.c.gone)):
        place = positions.get(row.example_id, -1)
        wanted = max(slots.get(row.example_id, settings.labels_per_round), 0)
        wanted = 0 if spent or place < 0 or row.example_id in known else wanted
        states = row.overlap, row.is_labeled, row.num_annotations, row.pushed_round
        found.append(_Task(row.task_id, place, wanted, *states))
    return sorted(found, key=lambda task: (task.position < 0, task.position))


def score_of(position: int) -> float:
    """A score between 0 and 1 that rises with the place in the order; the server serves low ones first."""
    return position / (position + _SCALE)


def _scores(
    project: Project,
    client: Client,
    link: Link,
    tasks: Sequence[_Task],
    done: Pushed,
    dry_run: bool,
    say: Callable[[str], None],
) -> None:
    missing = [task for task in tasks if task.position >= 0 and task.pushed_round != done.round]
    done.scores = len(missing)
    if missing:
        done.changes.append(f"give {len(missing):,} tasks a score as {done.model_version}")
    for at in range(0, 0 if dry_run else len(missing), _BLOCK):
        say(f"sending scores: {at:,} of {len(missing):,}")
        part = missing[at : at + _BLOCK]
        # Without a result nobody is shown what the model thinks.
        fixed = {"model_version": link.model_version, "result": []}
        client.add_predictions(
            link.number, [{"task": task.number, "score": score_of(task.position), **fixed} for task in part]
        )
        _remember(project, [task.number for task in part], pushed_round=done.round)


def _remember(project: Project, numbers: Sequence[int], **values: Any) -> None:
    table = label_studio_task
    change = update(table).where(table.c.task_id.in_(numbers)).values(**values)
    project.database.write(lambda c: c.execute(change))


def _settings(
    project: Project, client: Client, link: Link, about: dict[str, Any], done: Pushed, dry_run: bool
) -> None:
    wanted = {
        "maximum_annotations": 1,
        "sampling": SAMPLING,
        "show_collab_predictions": False,
        # Connecting an ML backend sets it to the backend's title, after which the order is random.
        "model_version": done.model_version,
    }
    done.settings = {name: value for name, value in wanted.items() if about.get(name) != value}
    done.changes += [f"set {name} = {value!r}" for name, value in done.settings.items()]
    later = {name: value for name, value in done.settings.items() if name != "maximum_annotations"}
    if later and not dry_run:
        client.change_project(link.number, later)
    if not dry_run and not link.complete:
        change_link(project, complete=True)


def _gates(
    project: Project,
    client: Client,
    tasks: Sequence[_Task],
    ahead: int,
    done: Pushed,
    dry_run: bool,
    say: Callable[[str], None],
) -> None:
    changes: list[tuple[_Task, dict[str, Any]]] = []
    turn = 0
    for task in tasks:
        turn += task.wanted > 0
        if task.wanted and (not task.num_annotations or turn <= ahead):
            done.open_tasks += 1
            state = {"overlap": task.num_annotations + task.wanted, "is_labeled": False}
            if task.is_labeled or task.overlap != state["overlap"]:
                changes.append((task, state))
                done.opened += 1
        elif not task.is_labeled:
            changes.append((task, {"overlap": max(task.num_annotations, 1), "is_labeled": True}))
            done.closed += 1
    for at, (task, state) in enumerate(changes):
        verb = "close" if state["is_labeled"] else f"open to {task.wanted} more"
        done.changes.append(f"task {task.number}: {verb} (overlap {state['overlap']})")
        if dry_run:
            continue
        say(f"opening and closing tasks: {at:,} of {len(changes):,}")
        there = client.change_task(task.number, state)
        _remember(project, [task.number], **(state if there else {"gone": True}))
