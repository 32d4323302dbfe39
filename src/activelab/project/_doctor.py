"""Is everything that is derived what the events say? And if not, derive it again."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from activelab.project import _rounds as rounds
from activelab.project._pool import BLOCK, SILENT_SECONDS, clear_unfinished
from activelab.project._project import Project, write_audit
from activelab.project._queue import ASKED
from activelab.project._schema import annotator, answer, assignment, event, example, queue, round_
from activelab.project._settings import load_settings, load_value

Answers = dict[tuple[int, int], tuple[int, str, int | None]]

_SHOWN = 3


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    problem : str
        Empty if all is well.
    repairable : bool
        Whether it can be derived again.
    """

    name: str
    problem: str = ""
    repairable: bool = True


def examine(project: Project) -> list[Check]:
    """Look at everything, while the project is in use or not; nothing is changed."""
    if project.database.is_sqlite:
        return project.database.read(_checks)
    # One moment for all queries.
    engine = project.database.engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        return _checks(connection)


def repair(project: Project) -> list[Check]:
    """Derive again what is wrong and can be derived, in one transaction; what was wrong before it."""

    def mend(connection: Connection) -> list[Check]:
        rounds.hold_round(connection)
        found = _checks(connection)
        if any(one.problem and one.repairable for one in found):
            _derive(connection)
            write_audit(connection, None, "repaired", {one.name: one.problem for one in found if one.problem})
        return found

    return project.database.write(mend)


def _checks(connection: Connection) -> list[Check]:
    replayed, counted = _replay(connection)
    return [
        Check("database file", _damage(connection), repairable=False),
        Check("examples", _gaps(connection), repairable=False),
        Check("unfinished import", _leftovers(connection)),
        Check("answers", _difference(_answers(connection), replayed)),
        Check("labels of examples", _difference(_numbers(connection, example), _by_example(replayed))),
        Check("labels of annotators", _difference(_numbers(connection, annotator), counted)),
        Check("leases", _leases(connection)),
        Check("queue", _slots(connection)),
        Check("rounds", _stale(connection)),
    ]


def _damage(connection: Connection) -> str:
    if connection.dialect.name != "sqlite":
        return ""
    said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    if said != ["ok"]:
        return "; ".join(said[:_SHOWN]) + ". Restore a backup."
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return f"{len(broken):,} rows refer to what is not there." if broken else ""


def _gaps(connection: Connection) -> str:
    size = int(load_value(connection, "num_examples", 0))
    there = select(func.count()).where(example.c.id < size, example.c.id >= 0)
    missing = size - connection.execute(there).scalar_one()
    return f"{missing:,} of {size:,} are missing. Restore a backup." if missing else ""


def _leftovers(connection: Connection) -> str:
    size = int(load_value(connection, "num_examples", 0))
    rest = connection.execute(select(func.count()).where(example.c.id >= size)).scalar_one()
    under_way = load_value(connection, "import")
    if not rest or (under_way and time.time() - under_way["time"] < SILENT_SECONDS):
        return ""
    return f"{rest:,} examples of an import that was cut off; nobody sees them, the next import removes them."


def _replay(connection: Connection) -> tuple[Answers, dict[int, int]]:
    """Answers and labels of annotators as the events say."""
    answers: Answers = {}
    counts: Counter[int] = Counter()
    sources: dict[int, str] = {}
    columns = ("id", "annotator_id", "example_id", "kind", "class_code", "source", "undoes")
    for row in connection.execute(select(*(event.c[name] for name in columns)).order_by(event.c.id)):
        key = row.example_id, row.annotator_id
        if row.kind == "undo":
            before = answers.pop(key, None)
            if before is not None and before[1] == "label" and sources.pop(before[0]) in ASKED:
                counts[row.annotator_id] -= 1
            continue
        answers[key] = row.id, row.kind, row.class_code
        if row.kind == "label":
            sources[row.id] = row.source
            counts[row.annotator_id] += row.source in ASKED
    return answers, {who: count for who, count in counts.items() if count}


def _answers(connection: Connection) -> Answers:
    query = select(
        answer.c.example_id, answer.c.annotator_id, answer.c.event_id, answer.c.kind, answer.c.class_code
    )
    return {(e, a): (identity, kind, code) for e, a, identity, kind, code in connection.execute(query)}


def _by_example(answers: Answers) -> dict[int, int]:
    return dict(Counter(e for (e, _), (_, kind, _) in answers.items() if kind == "label"))


def _numbers(connection: Connection, table: Any) -> dict[int, int]:
    query = select(table.c.id, table.c.num_labels).where(table.c.num_labels != 0)
    return {row.id: row.num_labels for row in connection.execute(query)}


def _difference(stored: dict[Any, Any], right: dict[Any, Any]) -> str:
    if stored == right:
        return ""
    wrong = [key for key in {**stored, **right} if stored.get(key) != right.get(key)]
    shown = ", ".join(f"{key}: {stored.get(key)} for {right.get(key)}" for key in wrong[:_SHOWN])
    return f"{len(wrong):,} differ from what the events say ({shown})."


def _leases(connection: Connection) -> str:
    """Somebody holds what they have answered: it would come to them again and again."""
    both = (answer.c.example_id == assignment.c.example_id) & (
        answer.c.annotator_id == assignment.c.annotator_id
    )
    query = (
        select(func.count()).select_from(assignment).join(answer, both).where(assignment.c.state == "open")
    )
    count = connection.execute(query).scalar_one()
    return f"{count:,} are held by people who have answered them." if count else ""


def _slots(connection: Connection) -> str:
    """Rows of the queue whose free slots are not what is left."""
    number, settings = rounds.current_round(connection), load_settings(connection)
    if number < 0:
        return ""
    since = answer.c.event_id > rounds.get_round(connection, number).last_event
    labels = select(answer.c.example_id).where(since, answer.c.kind == "label")
    given = Counter(connection.execute(labels).scalars())
    leased = Counter(
        connection.execute(select(assignment.c.example_id).where(assignment.c.state == "open")).scalars()
    )
    query = (
        select(queue.c.example_id, queue.c.remaining, example.c.num_labels, example.c.gold)
        .join(example, example.c.id == queue.c.example_id)
        .where(queue.c.round_id == number)
    )
    wrong = []
    for code, remaining, num_labels, gold in connection.execute(query):
        right = settings.labels_per_round - given[code] - leased[code]
        if settings.max_labels is not None:
            right = min(right, settings.max_labels - num_labels - leased[code])
        if (remaining > 0) if gold is not None else remaining != right:
            wrong.append(code)
    return f"{len(wrong):,} examples have a wrong number of free places." if wrong else ""


def _stale(connection: Connection) -> str:
    row = connection.execute(select(round_).where(round_.c.state == "running")).one_or_none()
    if row is None or time.time() - row.heartbeat < rounds.STALE_SECONDS:
        return ""
    return f"round {row.id} is marked as running, but nobody trains it."


def _derive(connection: Connection) -> None:
    answers, counts = _replay(connection)
    connection.execute(delete(answer))
    rows = [
        {"example_id": e, "annotator_id": a, "event_id": identity, "kind": kind, "class_code": code}
        for (e, a), (identity, kind, code) in answers.items()
    ]
    for at in range(0, len(rows), BLOCK):
        connection.execute(insert(answer), rows[at : at + BLOCK])
    for table, numbers in ((example, _by_example(answers)), (annotator, counts)):
        connection.execute(update(table).where(table.c.num_labels != 0).values(num_labels=0))
        for code, number in numbers.items():
            connection.execute(update(table).where(table.c.id == code).values(num_labels=number))
    answered = select(answer.c.example_id).where(
        answer.c.example_id == assignment.c.example_id, answer.c.annotator_id == assignment.c.annotator_id
    )
    connection.execute(
        update(assignment).where(assignment.c.state == "open", answered.exists()).values(state="expired")
    )
    if _leftovers(connection):
        clear_unfinished(connection)
    stale = connection.execute(select(round_.c.id).where(round_.c.state == "running")).scalar()
    if stale is not None and _stale(connection):
        rounds.fail_round(connection, stale, "the process that trained it is gone")
    rounds.settle_again(connection, load_settings(connection))
