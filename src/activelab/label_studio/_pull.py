"""Tasks and annotations into the project: what changed since the last time, or all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from activelab._set_text import names_in, set_text
from activelab.formats import is_later, parse_array, task_annotations
from activelab.label_studio._client import Client
from activelab.label_studio._config import Labelling, labelling_of
from activelab.label_studio._link import Link, add_classes, change_link, load_link, load_link_of, store_link
from activelab.label_studio._schema import label_studio_answer, label_studio_task, label_studio_user
from activelab.project import Project
from activelab.project.labelling import rounds
from activelab.project.labelling.class_history import class_version, load_changes, names_now
from activelab.project.labelling.intake import Beside, Given, insert_labels
from activelab.project.labelling.naming import codes_of_labels, members_of
from activelab.project.labelling.queue import Answer, check_version, put_answer, take_back
from activelab.project.store import accounts
from activelab.project.store.schema import WHOLE, annotator, answer
from activelab.tables import id_text, plain_cell

FIRST_DAY = "2000-01-01T00:00:00.000000Z"
_LOOK_BACK = timedelta(seconds=60)  # a change may become visible later than it is dated
_BLOCK = 1000
_MANY = 500  # changed tasks from which on reading all of them at once is faster


@dataclass
class Pulled:
    """What was read.

    Attributes
    ----------
    tasks : int
        Tasks that were looked at.
    new_examples, labels, changed, skips, deleted : int
    gone : int
        Tasks that are no longer on the server; their labels are kept.
    notes : list of str
    """

    tasks: int = 0
    new_examples: int = 0
    labels: int = 0
    changed: int = 0
    skips: int = 0
    deleted: int = 0
    gone: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def news(self) -> int:
        """How many answers came, changed or went."""
        return self.labels + self.changed + self.skips + self.deleted


class _Given(NamedTuple):
    kind: str  # label, skip
    class_code: int | None


class _Said(NamedTuple):
    kind: str
    label: str  # a set is a text as "a|b"


class _Listed(NamedTuple):
    updated: str
    overlap: int
    is_labeled: bool


def pull(
    project: Project,
    client: Client,
    *,
    full: bool = False,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Pulled:
    """Read what changed on the server into the project.

    Of several annotations of one person on a task the latest counts. Skips are kept as such. An annotation
    that was edited replaces the answer, one that was deleted takes it back; nothing that was stored is
    lost, for both are appended. Interrupted at any point, the next call goes on.

    Parameters
    ----------
    project : Project
    client : Client
    full : bool
        Read everything again.
    dry_run : bool
        Only count what would change.
    say : callable
        Told in words what happens now.

    Raises
    ------
    InputError
        If the project is not connected, or the labelling configuration no longer asks what it asks.
    ServerError
        If the server cannot be reached.
    """
    link = load_link(project)
    about = client.project(link.number)
    begun = client.server_time
    labelling = labelling_of(about)
    labelling.check(project.refresh(0))
    if not dry_run:
        add_classes(project, labelling)
        project.database.write(_follow)
        link = load_link(project)
    done = Pulled()
    known = project.database.read(_known)
    since = FIRST_DAY if full or not link.cursor else link.cursor
    say("asking which tasks have changed")
    listed = {
        one["id"]: _Listed(one["updated_at"], one["overlap"], one["is_labeled"])
        for one in client.changed_tasks(link.number, since)
    }
    if since != FIRST_DAY and about.get("task_number", len(known)) != len(known.keys() | listed.keys()):
        return pull(project, client, full=True, dry_run=dry_run, say=say)
    wanted = [n for n, one in listed.items() if full or known.get(n) != one.updated]
    apply = _Apply(project, client, link, labelling, listed, done, dry_run)
    for block in _blocks(_tasks(client, link, wanted, say)):
        apply.block(block)
    if since == FIRST_DAY:
        apply.gone(known.keys() - listed.keys())
    if not dry_run:
        apply.finish(begun)
    return done


def _follow(connection: Connection) -> None:
    """Let what was read last be of the classes of now; answers that count no more are forgotten."""
    rounds.hold_round(connection)
    version, link, table = class_version(connection), load_link_of(connection), label_studio_answer
    changes = [one for one in load_changes(connection) if one.id > link.classes and one.renumbers]
    query = select(table.c.task_id, table.c.user_id, table.c.class_code).where(
        table.c.class_code.is_not(None)
    )
    for row in connection.execute(query).all() if changes else ():
        code: int | None = row.class_code
        for one in changes:
            code = None if code is None else one.labels_after[code]
        key = (table.c.task_id == row.task_id) & (table.c.user_id == row.user_id)
        if code is None:
            connection.execute(delete(table).where(key))
        elif code != row.class_code:
            connection.execute(update(table).where(key).values(class_code=code))
    if version != link.classes:
        store_link(connection, link.changed(classes=version))


def _known(connection: Connection) -> dict[int, str]:
    table = label_studio_task
    query = select(table.c.task_id, table.c.updated).where(~table.c.gone)
    return {row.task_id: row.updated for row in connection.execute(query)}


def _tasks(
    client: Client, link: Link, wanted: list[int], say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    say(f"reading {len(wanted):,} tasks")
    if len(wanted) <= _MANY:
        yield from client.tasks(link.number, wanted)
        return
    among = set(wanted)
    with client.all_tasks(link.number) as stream:
        yield from (row.values for row in parse_array(stream) if row.values.get("id") in among)


def _blocks(tasks: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    block: list[dict[str, Any]] = []
    for one in tasks:
        block.append(one)
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block


class _Apply:
    """Stores what tasks hold, a block of them in a transaction."""

    def __init__(
        self,
        project: Project,
        client: Client,
        link: Link,
        labelling: Labelling,
        listed: dict[int, _Listed],
        done: Pulled,
        dry_run: bool,
    ) -> None:
        self.project, self.client, self.link, self.labelling = project, client, link, labelling
        self.listed, self.done, self.dry_run = listed, done, dry_run
        classes = project.settings.classes
        self.former, self.no_more = project.database.read(lambda c: names_now(c, labelling.classes, classes))
        if self.former:
            said = ", ".join(f"{old!r} counts as {now!r}" for old, now in self.former.items())
            done.notes.append(f"Label Studio still asks about classes that were changed here: {said}.")
        if dry_run:
            there = {*classes, *self.former, *self.no_more}
            classes = (*classes, *(name for name in labelling.classes if name not in there))
        self.classes = classes
        # What was there before we asked for anything is not part of the budget.
        self.source = "connector" if link.pushed_round >= 0 else "import"
        self.people = project.database.read(
            lambda c: dict(
                c.execute(select(label_studio_user.c.user_id, label_studio_user.c.annotator_id)).all()
            )
        )
        self.addresses: dict[int, str] | None = None
        self.again: set[int] = set()
        self.version = link.classes

    def block(self, tasks: list[dict[str, Any]]) -> None:
        """Store some tasks with their answers."""
        self.done.tasks += len(tasks)
        given = self._coded({int(task["id"]): self._answers(task) for task in tasks})
        examples = self._examples(tasks)
        usable = {number: answers for number, answers in given.items() if number in examples}
        if self.dry_run:
            self._count(usable)
            return
        self._add_people({who for answers in usable.values() for who in answers})
        rows = [
            {
                "task_id": (number := int(task["id"])),
                "example_id": examples[number],
                "created": str(task.get("created_at", "")),
                "num_annotations": _num_annotations(task),
                **self.listed[number]._asdict(),
            }
            for task in tasks
            if int(task["id"]) in examples
        ]
        self.project.database.write(lambda c: self._store(c, usable, rows))

    def _answers(self, task: dict[str, Any]) -> dict[int, _Said]:
        """The latest answer of each person."""
        found: dict[int, tuple[_Said, float | None]] = {}
        page = self.labelling
        for one in task.get("annotations") or []:
            who = one.get("completed_by")
            who = who.get("id") if isinstance(who, dict) else who
            ((_, label, moment, left_out, problem),) = task_annotations(
                [one], page.question, (page.tag,), page.several
            )
            given = _Said("skip", "") if left_out else _Said("label", str(label))
            named = [] if left_out or problem else names_in(str(label)) if page.several else [str(label)]
            if self.former and named:
                named = [*dict.fromkeys(self.former.get(name, name) for name in named)]
                given = given._replace(label=set_text(named) if page.several else named[0])
            strange = [name for name in named if name not in self.classes]
            if not isinstance(who, int) or problem or strange:
                no_class = self.no_more.get(strange[0], f"{strange[0]!r} is no class") if strange else ""
                why = no_class.rstrip(".") or "it does not say who made it"
                why = problem or why
                self.done.notes.append(f"annotation {one.get('id')} of task {task['id']}: {why}; left out.")
            elif who not in found or not is_later(found[who][1], moment):
                found[who] = given, moment
        return {who: given for who, (given, _) in found.items()}

    def _coded(self, said: dict[int, dict[int, _Said]]) -> dict[int, dict[int, _Given]]:
        """Answers with the codes of their labels; sets that nobody has given before are stored."""
        labels = {one.label for answers in said.values() for one in answers.values() if one.kind == "label"}
        if not self.dry_run:
            coded = codes_of_labels(self.project.database, labels)
            codes, self.version = coded.labels, coded.version
        elif self.labelling.several:
            stored = {one: code for code, one in enumerate(self.project.naming().sets or ())}
            codes = {label: stored.get(members_of(label, self.classes), -1) for label in labels}
        else:
            codes = {label: self.classes.index(label) for label in labels}
        return {
            number: {who: _Given(one.kind, codes.get(one.label)) for who, one in answers.items()}
            for number, answers in said.items()
        }

    # ------------------------------------------------------------------ examples and people

    def _examples(self, tasks: list[dict[str, Any]]) -> dict[int, int]:
        """Rows of the pool by task; new tasks become new examples."""
        names: dict[int, str] = {}
        contents: dict[str, dict[str, Any]] = {}
        field_ = self.link.example_field
        created = self.project.database.read(lambda c: _created(c, [int(task["id"]) for task in tasks]))
        for task in tasks:
            number, data = int(task["id"]), task.get("data") or {}
            name = id_text(number if field_ is None else data.get(field_))
            moment = str(task.get("created_at", ""))
            if created.get(number, moment) != moment:
                # The server uses the number of a deleted task again; its example stays what it was.
                self.again.add(number)
                name = name if field_ else f"{number} of {moment}"
            if name is None or name in contents:
                why = f"its field {field_!r} holds no id" if name is None else f"so is another named {name!r}"
                self.done.notes.append(f"task {number}: {why}; left out.")
                continue
            names[number], contents[name] = name, data
        codes = self.project.example_codes(contents)
        taken = self.project.database.read(lambda c: _tasks_of(c, list(codes.values())))
        for number, name in list(names.items()):
            if taken.get(codes.get(name, -1), number) != number:
                self.done.notes.append(f"task {number}: so is another named {name!r}; left out.")
                del names[number]
        new = [name for number, name in names.items() if name not in codes]
        shown: list[tuple[str, dict[str, Any]]] = []
        for name in new:
            content = self._content(contents[name])
            if content is None:
                self.done.notes.append(
                    f"example {name!r}: its field {self.labelling.field!r} is empty; left out."
                )
            else:
                shown.append((name, content))
        self.done.new_examples += len(shown)
        if self.dry_run:
            return {number: codes.get(name, -1) for number, name in names.items()}
        if shown:
            self.project.add_examples(shown)
            codes = self.project.example_codes(contents)
        return {number: codes[name] for number, name in names.items() if name in codes}

    def _content(self, data: dict[str, Any]) -> dict[str, Any] | None:
        kind, value = self.project.settings.kind, data.get(self.labelling.field)
        if kind == "table":
            return {str(name): plain_cell(one) for name, one in data.items()}
        text = plain_cell(value)
        return None if text in (None, "") else {kind: text if isinstance(text, str) else str(text)}

    def _add_people(self, users: set[int]) -> None:
        new = sorted(users - self.people.keys())
        if not new:
            return
        if self.addresses is None:
            self.addresses = self.client.users()
        names = {user: (id_text(self.addresses.get(user)) or f"user {user}")[:100] for user in new}

        def add(connection: Connection) -> None:
            there = dict(connection.execute(select(annotator.c.name, annotator.c.id)).all())
            for user, name in names.items():
                identity = there.get(name) or accounts.add_annotator(connection, name, time.time())
                connection.execute(insert(label_studio_user).values(user_id=user, annotator_id=identity))
                self.people[user] = identity

        self.project.database.write(add)

    # ------------------------------------------------------------------ answers

    def _count(self, given: dict[int, dict[int, _Given]]) -> None:
        before = self.project.database.read(lambda c: _answers_of(c, list(given)))
        for number, answers in given.items():
            for who, one in answers.items():
                self._tally(before.get((number, who)), one)
            self.done.deleted += sum(1 for task, who in before if task == number and who not in answers)

    def _tally(self, before: _Given | None, now: _Given) -> bool:
        """Count what an answer means; whether it is news."""
        if before == now:
            return False
        if before is not None:
            self.done.changed += 1
        elif now.kind == "label":
            self.done.labels += 1
        else:
            self.done.skips += 1
        return True

    def _store(
        self,
        connection: Connection,
        given: dict[int, dict[int, _Given]],
        rows: list[dict[str, Any]],
    ) -> None:
        rounds.hold_round(connection)
        check_version(connection, self.version)
        examples = {row["task_id"]: row["example_id"] for row in rows}
        _forget(connection, self.again.intersection(examples))
        _store_tasks(connection, rows)
        before = _answers_of(connection, list(given))
        there = _answered(connection, list(examples.values()))
        now, table, fresh = time.time(), label_studio_answer, list[Given]()
        tally = self.done
        self.done = Pulled()  # a transaction may run twice; its counts are added once
        for number, answers in given.items():
            code = examples[number]
            for who, one in answers.items():
                key = (table.c.task_id == number) & (table.c.user_id == who)
                if not self._tally(before.get((number, who)), one):
                    continue
                person = self.people[who]
                if one.class_code is not None and (code, person) not in there:
                    fresh.append((code, person, one.class_code, WHOLE, Beside()))
                else:
                    put_answer(
                        connection, person, code, Answer(one.kind, one.class_code, source=self.source), now
                    )
                connection.execute(delete(table).where(key))
                row = {"task_id": number, "user_id": who, **one._asdict()}
                connection.execute(insert(table).values(row))
        for number, who in [pair for pair in before if pair[1] not in given[pair[0]]]:
            self.done.deleted += 1
            take_back(connection, self.people[who], examples[number], now, source=self.source)
            key = (table.c.task_id == number) & (table.c.user_id == who)
            connection.execute(delete(table).where(key))
        insert_labels(connection, fresh, now, self.source)
        for name in ("labels", "changed", "skips", "deleted"):
            setattr(tally, name, getattr(tally, name) + getattr(self.done, name))
        self.done = tally

    def gone(self, numbers: Iterable[int]) -> None:
        """Note tasks that are no longer there."""
        found = sorted(numbers)
        self.done.gone = len(found)
        if found and not self.dry_run:
            table = label_studio_task
            self.project.database.write(
                lambda c: c.execute(update(table).where(table.c.task_id.in_(found)).values(gone=True))
            )

    def finish(self, begun: datetime | None) -> None:
        """Remember how far we have read, and what state the tasks are in."""
        states = [
            {"number": number, "level": one.overlap, "closed": one.is_labeled}
            for number, one in self.listed.items()
        ]
        cursor = self.link.cursor
        moments = [datetime.fromisoformat(one.updated) for one in self.listed.values()]
        # What changed before we asked has been read, however long ago the last change was.
        last = begun or max(moments, default=None)
        if last is not None:
            cursor = max(cursor, (last - _LOOK_BACK).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))

        self.project.database.write(lambda c: _store_states(c, states))
        change_link(self.project, cursor=cursor or FIRST_DAY)


def _created(connection: Connection, tasks: list[int]) -> dict[int, str]:
    table = label_studio_task
    query = select(table.c.task_id, table.c.created).where(table.c.task_id.in_(tasks))
    return {row.task_id: row.created for row in connection.execute(query)}


def _forget(connection: Connection, tasks: set[int]) -> None:
    """Forget tasks whose numbers are used again; their answers stay."""
    if tasks:
        connection.execute(delete(label_studio_answer).where(label_studio_answer.c.task_id.in_(tasks)))
        connection.execute(delete(label_studio_task).where(label_studio_task.c.task_id.in_(tasks)))


def _num_annotations(task: dict[str, Any]) -> int:
    """Annotations that take a place; skips do not."""
    return sum(not one.get("was_cancelled") for one in task.get("annotations") or [])


def _tasks_of(connection: Connection, examples: list[int]) -> dict[int, int]:
    table, found = label_studio_task, dict[int, int]()
    for at in range(0, len(examples), 5000):
        query = select(table.c.example_id, table.c.task_id).where(
            table.c.example_id.in_(examples[at : at + 5000])
        )
        found.update(connection.execute(query).all())
    return found


def _answers_of(connection: Connection, tasks: list[int]) -> dict[tuple[int, int], _Given]:
    """What was seen of some tasks the last time."""
    table = label_studio_answer
    query = select(table).where(table.c.task_id.in_(tasks))
    return {(r.task_id, r.user_id): _Given(r.kind, r.class_code) for r in connection.execute(query)}


def _answered(connection: Connection, examples: list[int]) -> set[tuple[int, int]]:
    query = select(answer.c.example_id, answer.c.annotator_id).where(answer.c.example_id.in_(examples))
    return {(e, a) for e, a in connection.execute(query)}


def _store_tasks(connection: Connection, rows: list[dict[str, Any]]) -> None:
    table = label_studio_task
    numbers = [row["task_id"] for row in rows]
    there = set(connection.execute(select(table.c.task_id).where(table.c.task_id.in_(numbers))).scalars())
    new = [row for row in rows if row["task_id"] not in there]
    if new:
        connection.execute(insert(table), new)
    for row in rows:
        if row["task_id"] in there:
            values = {name: row[name] for name in ("updated", "overlap", "is_labeled", "num_annotations")}
            change = update(table).where(table.c.task_id == row["task_id"])
            connection.execute(change.values(**values, gone=False))


def _store_states(connection: Connection, states: list[dict[str, Any]]) -> None:
    if states:
        table = label_studio_task
        connection.execute(
            update(table)
            .where(table.c.task_id == bindparam("number"))
            .values(overlap=bindparam("level"), is_labeled=bindparam("closed")),
            states,
        )
