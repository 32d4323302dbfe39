"""Is everything there and readable, and everything derived what the events say? If not, derive it again."""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from activelab._errors import first
from activelab.project._project import Project
from activelab.project.labelling import audits, rounds
from activelab.project.labelling.class_history import ClassChange, Members, Single, load_changes
from activelab.project.labelling.naming import EventNaming, load_naming
from activelab.project.labelling.pool import BLOCK, SILENT_SECONDS, clear_unfinished
from activelab.project.labelling.queue import COLLECTED
from activelab.project.settings import load_settings, load_value
from activelab.project.store.audit import write_audit
from activelab.project.store.schema import (
    WHOLE,
    annotator,
    answer,
    decision,
    event,
    example,
    feature_block,
    lease,
    quality_audit,
    queue,
    round_,
    round_array,
    wish,
)

Answers = dict[tuple[int, int, int], tuple[Any, ...]]  # by example, annotator and what was asked
Collected = dict[int, tuple[int, int]]  # by annotator: labels, and those of them about one class
Decisions = dict[int, tuple[int, int, int]]


class Standing(NamedTuple):
    """What an event that nobody has undone says in the classes of later."""

    id: int
    annotator_id: int
    example_id: int
    kind: str
    class_code: int | None
    asked: int
    source: str
    undoes: int | None
    bulk: bool
    flagged: bool


_SHOWN = 3
_MARKS = ("bulk", "flagged")
_TO_LEASE = (
    (answer.c.example_id == lease.c.example_id)
    & (answer.c.annotator_id == lease.c.annotator_id)
    & or_(answer.c.asked == WHOLE, answer.c.asked == lease.c.asked)
)
"""Whether an answer is one to what a lease asks."""


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
    """Look at everything, while the project is in use or not; nothing is changed.

    What cannot be told: a letter that was changed within a text, or a number within a probability. Neither
    database keeps check sums of what it stores unless the file system or PostgreSQL is set up to.
    """
    if project.database.is_sqlite:
        return project.database.read(_checks)
    # One moment for all queries.
    engine = project.database.engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        return _checks(connection)


def repair(project: Project) -> list[Check]:
    """Derive again what is wrong and can be derived, in one transaction; what was wrong before it.

    Nothing is changed where something is wrong that cannot be derived: a backup knows more than what is left.
    """

    def mend(connection: Connection) -> list[Check]:
        rounds.hold_round(connection)
        found = _checks(connection)
        wrong = [one for one in found if one.problem]
        if wrong and all(one.repairable for one in wrong):
            _derive(connection)
            write_audit(connection, None, "repaired", {one.name: one.problem for one in wrong})
        return found

    return project.database.write(mend)


def _checks(connection: Connection) -> list[Check]:
    file = Check("database file", _damage(connection), repairable=False)
    if file.problem:
        return [file]  # what else could be read of it would not be worth much
    changes = load_changes(connection)
    replayed, counted, decided = _replay(connection, changes)
    return [
        file,
        Check("references", _references(connection), repairable=False),
        Check("examples", _gaps(connection) or _unreadable(connection), repairable=False),
        Check("features", _features(connection), repairable=False),
        Check("events", _lost_events(connection), repairable=False),
        Check("classes", _classes(connection, changes), repairable=False),
        Check("unfinished import", _leftovers(connection)),
        Check("answers", _difference(_answers(connection), replayed)),
        Check("decisions", _difference(_decisions(connection), decided)),
        Check("audits", _audits(connection), repairable=False),
        Check("labels of examples", _difference(_numbers(connection), _by_example(replayed))),
        Check("labels of annotators", _difference(_collected(connection), counted)),
        Check("leases", _leases(connection)),
        Check("queue", _slots(connection)),
        Check("served round", _arrays(connection), repairable=False),
        Check("rounds", _stale(connection)),
    ]


def _damage(connection: Connection) -> str:
    if connection.dialect.name != "sqlite":
        return ""
    said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    return "" if said == ["ok"] else "; ".join(said[:_SHOWN]) + ". Restore a backup."


def _references(connection: Connection) -> str:
    """Rows that refer to what is not there; PostgreSQL allows none."""
    if connection.dialect.name != "sqlite":
        return ""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return f"{len(broken):,} rows refer to what is not there. Restore a backup." if broken else ""


def _gaps(connection: Connection) -> str:
    size = int(load_value(connection, "num_examples", 0))
    there = select(func.count()).where(example.c.id < size, example.c.id >= 0)
    missing = size - connection.execute(there).scalar_one()
    return f"{missing:,} of {size:,} are missing. Restore a backup." if missing else ""


def _unreadable(connection: Connection) -> str:
    size, labels = int(load_value(connection, "num_examples", 0)), len(load_naming(connection))
    bad: list[str] = []
    for start in range(0, size, BLOCK):
        query = select(example.c.name, example.c.content, example.c.gold).where(
            example.c.id >= start, example.c.id < min(start + BLOCK, size)
        )
        bad += [
            row.name
            for row in connection.execute(query)
            if not _is_object(row.content) or not (row.gold is None or 0 <= row.gold < labels)
        ]
    return f"{len(bad):,} cannot be read ({first(bad)}). Restore a backup." if bad else ""


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, TypeError):
        return False


def _features(connection: Connection) -> str:
    """Blocks of features that are missing or cannot be read."""
    width, size = load_value(connection, "num_features"), int(load_value(connection, "num_examples", 0))
    end = 0 if width is not None else size
    query = select(feature_block.c.start).where(feature_block.c.start < size).order_by(feature_block.c.start)
    for start in connection.execute(query).scalars().all():
        data = connection.execute(select(feature_block.c.data).where(feature_block.c.start == start))
        values = _array(data.scalar_one())
        if start != end or values is None or values.ndim != 2 or values.shape[1] != width:
            return f"those from example {min(start, end):,} on are missing or damaged. Restore a backup."
        end += len(values)
    return "" if end == size else f"those from example {end:,} on are missing. Restore a backup."


def _array(data: bytes) -> Any:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError):
        return None


def _arrays(connection: Connection) -> str:
    """Arrays of the round that is served that are missing, cannot be read, or do not fit it."""
    number, size = rounds.current_round(connection), int(load_value(connection, "num_examples", 0))
    if number < 0:
        return "there is none. Restore a backup." if size else ""
    trained = rounds.get_round(connection, number).summary.trained
    needed = {"order", *(("scores", "quality", "consensus", "predicted") if trained else ())}
    of_round = round_array.c.round_id == number
    names = connection.execute(select(round_array.c.name).where(of_round)).scalars().all()
    bad = sorted(needed.difference(names))
    for name in names:
        query = select(round_array.c.data).where(of_round, round_array.c.name == name)
        if _array(connection.execute(query).scalar_one()) is None:
            bad.append(name)
    order = None if bad else rounds.load_order(connection, number)
    if order is not None and not _is_order(*order, size):
        bad.append("order")
    return f"{first(bad)} of it is missing or damaged. Restore a backup." if bad else ""


def _is_order(order: Any, asked: Any, size: int) -> bool:
    """Whether nothing is asked twice and no example is unknown."""
    if len(order) != len(asked):
        return False
    questions = np.unique(np.stack([order, asked], axis=1), axis=0)
    return len(questions) == len(order) and bool(((questions[:, 0] >= 0) & (questions[:, 0] < size)).all())


def _lost_events(connection: Connection) -> str:
    """Events that are gone, or cannot be true, although nobody may change or delete them."""
    there, lost = event.alias(), 0
    for named in (answer.c.event_id, event.c.undoes, decision.c.event_id):
        # Not "NOT IN": PostgreSQL would go through all events for each.
        gone = named.is_not(None) & ~exists().where(there.c.id == named)
        lost += connection.execute(select(func.count()).select_from(named.table).where(gone)).scalar_one()
    if connection.dialect.name == "sqlite":
        # SQLite numbers without gaps; in PostgreSQL a transaction that fails leaves one.
        last, number = connection.execute(select(func.coalesce(func.max(event.c.id), 0), func.count())).one()
        lost = max(lost, last - number)
    if lost:
        return f"{lost:,} are gone, although none may ever be deleted. Restore a backup."
    namings, strange, first_ = EventNaming(connection), 0, 0
    is_label, code = event.c.kind.in_(("label", "decision")), event.c.class_code
    for naming, last in namings.spans():
        strange += connection.execute(
            select(func.count())
            .select_from(event)
            .where(is_label, code.is_(None) | (code < 0) | (code >= len(naming)), event.c.id > first_)
            .where(*([] if last is None else [event.c.id <= last]))
        ).scalar_one()
        first_ = last or 0
    return f"{strange:,} labels are of no class of the project. Restore a backup." if strange else ""


def _classes(connection: Connection, changes: list[ClassChange]) -> str:
    """Changes of classes that are missing, or do not lead from one to the next and to those of now."""
    now = load_settings(connection).classes
    following = [*(one.before for one in changes[1:]), now]
    for number, (one, then) in enumerate(zip(changes, following, strict=False), start=1):
        codes = [code for into in one.became for code in into]
        fits = len(one.became) == len(one.before) and all(0 <= code < len(one.after) for code in codes)
        # Classes may have been added at the end.
        if one.id != number or not fits or then[: len(one.after)] != one.after:
            return f"change {number} of the classes is missing or damaged. Restore a backup."
    return ""


def _audits(connection: Connection) -> str:
    """Audits whose labels cannot be read, that do not ask for what they drew, or name a check nobody made."""
    size, bad = int(load_value(connection, "num_examples", 0)), set()
    for one in audits.list_audits(connection):
        asked = [check.example_id for check in audits.list_checks(connection, one.id)]
        data = connection.execute(select(quality_audit.c.labels).where(quality_audit.c.id == one.id))
        try:
            stratum = audits.read_drawn(data.scalar_one()).stratum
        except (ValueError, EOFError, OSError, SyntaxError):
            bad.add(one.id)
            continue
        fits = len(asked) == one.drawn > 0 and max(asked) < len(stratum) <= size
        if not fits or (stratum[asked] < 0).any():
            bad.add(one.id)
    bad |= {row.audit_id for row in audits.checked_events(connection) if row.kind != "decision"}
    return f"audit {first(sorted(bad))} is damaged. Restore a backup." if bad else ""


def _leftovers(connection: Connection) -> str:
    size = int(load_value(connection, "num_examples", 0))
    rest = connection.execute(select(func.count()).where(example.c.id >= size)).scalar_one()
    under_way = load_value(connection, "import")
    if not rest or (under_way and time.time() - under_way["time"] < SILENT_SECONDS):
        return ""
    return f"{rest:,} examples of an import that was cut off; nobody sees them, the next import removes them."


def _replay(connection: Connection, changes: list[ClassChange]) -> tuple[Answers, Collected, Decisions]:
    """Answers, labels of annotators and decisions as the events say, and what became of their classes."""
    standing: dict[int, Any] = {}  # answers and decisions, by event
    counts: Collected = {}
    columns = ("id", "annotator_id", "example_id", "kind", "class_code", "asked", "source", "undoes", *_MARKS)
    left, sets = [*changes], load_naming(connection).sets
    for row in connection.execute(select(*(event.c[name] for name in columns)).order_by(event.c.id)):
        while left and row.id > left[0].last_event:
            standing = _changed(standing, left.pop(0), left[0].sets if left else sets, counts)
        if row.kind == "undo":
            standing.pop(row.undoes, None)
        else:
            standing[row.id] = row
    while left:
        standing = _changed(standing, left.pop(0), left[0].sets if left else sets, counts)
    answers: Answers = {}
    decisions: Decisions = {}
    for row in standing.values():
        if row.kind == "decision":
            decisions[row.example_id] = row.id, row.annotator_id, row.class_code
            continue
        answers[row.example_id, row.annotator_id, row.asked] = (
            row.id,
            row.kind,
            row.class_code,
            row.bulk,
            row.flagged,
        )
        _keep_count(counts, row)
    return answers, counts, decisions


def _changed(
    standing: dict[int, Any], change: ClassChange, sets: tuple[Members, ...] | None, counts: Collected
) -> dict[int, Any]:
    """What stands after a change of classes; what was paid for labels that count no more stays paid."""
    if not change.renumbers:
        return standing
    kept: dict[int, Any] = {}
    codes = {members: code for code, members in enumerate(sets or ())}
    singly: dict[tuple[int, int], list[Any]] = {}
    for identity, row in standing.items():
        if row.asked != WHOLE:
            singly.setdefault((row.example_id, row.annotator_id), []).append(row)
            continue
        code = None if row.class_code is None else change.labels_after[row.class_code]
        if row.class_code is None or code is not None:
            kept[identity] = Standing(**{**row._asdict(), "class_code": code})
        else:
            _keep_count(counts, row)
    for rows in singly.values():
        given, before = {row.id: row for row in rows}, change.sets or ()
        found = change.singles_after(
            Single(row.asked, row.id, row.kind, bool(row.class_code is not None and before[row.class_code]))
            for row in rows
        )
        for one in found:
            code = codes.get((one.asked,) if one.yes else ()) if one.kind == "label" else None
            was = given.pop(one.event_id)._asdict()
            kept[one.event_id] = Standing(**{**was, "asked": one.asked, "kind": one.kind, "class_code": code})
        for row in given.values():
            _keep_count(counts, row)
    return dict(sorted(kept.items()))


def _keep_count(counts: Collected, row: Any) -> None:
    if row.kind == "label" and row.source in COLLECTED:
        labels, single = counts.get(row.annotator_id, (0, 0))
        counts[row.annotator_id] = labels + 1, single + (row.asked != WHOLE)


def _decisions(connection: Connection) -> Decisions:
    return {
        row.example_id: (row.event_id, row.annotator_id, row.class_code)
        for row in connection.execute(select(decision))
    }


def _answers(connection: Connection) -> Answers:
    columns = ("example_id", "annotator_id", "asked", "event_id", "kind", "class_code", *_MARKS)
    rows = connection.execute(select(*(answer.c[name] for name in columns)))
    return {(e, a, asked): tuple(said) for e, a, asked, *said in rows}


def _by_example(answers: Answers) -> dict[int, int]:
    return dict(Counter(e for (e, _, _), (_, kind, *_) in answers.items() if kind == "label"))


def _numbers(connection: Connection) -> dict[int, int]:
    query = select(example.c.id, example.c.num_labels).where(example.c.num_labels != 0)
    return {row.id: row.num_labels for row in connection.execute(query)}


def _collected(connection: Connection) -> Collected:
    columns = annotator.c.num_labels, annotator.c.num_single
    query = select(annotator.c.id, *columns).where(or_(*(column != 0 for column in columns)))
    return {row.id: (row.num_labels, row.num_single) for row in connection.execute(query)}


def _difference(stored: dict[Any, Any], right: dict[Any, Any]) -> str:
    if stored == right:
        return ""
    wrong = [key for key in {**stored, **right} if stored.get(key) != right.get(key)]
    shown = ", ".join(f"{key}: {stored.get(key)} for {right.get(key)}" for key in wrong[:_SHOWN])
    return f"{len(wrong):,} differ from what the events say ({shown})."


def _leases(connection: Connection) -> str:
    """Somebody holds what they have answered: it would come to them again and again."""
    query = select(func.count()).select_from(lease).join(answer, _TO_LEASE).where(lease.c.state == "open")
    count = connection.execute(query).scalar_one()
    return f"{count:,} are held by people who have answered them." if count else ""


def _slots(connection: Connection) -> str:
    """Rows of the queue whose free slots are not what is left."""
    number, settings = rounds.current_round(connection), load_settings(connection)
    if number < 0:
        return ""
    since = answer.c.event_id > rounds.get_round(connection, number).last_event
    wishes = {row.example_id: row.event_id for row in connection.execute(select(wish))}
    labels = select(answer.c.example_id, answer.c.asked, answer.c.event_id).where(answer.c.kind == "label")
    leases = select(lease.c.example_id, lease.c.asked).where(lease.c.state == "open")
    given = Counter(
        (code, asked)
        for code, asked, event_id in connection.execute(labels.where(since))
        if event_id > wishes.get(code, 0)
    )
    in_all = Counter[rounds.Question]()
    if settings.max_labels is not None:
        in_all.update((code, asked) for code, asked, _ in connection.execute(labels))
    leased = Counter((code, asked) for code, asked in connection.execute(leases))
    known = {*connection.execute(rounds.KNOWN).scalars()}
    query = select(queue.c.example_id, queue.c.asked, queue.c.remaining).where(queue.c.round_id == number)
    wrong = []
    for code, asked, remaining in connection.execute(query):
        held = rounds.answers_to(leased, code, asked)
        wanted = 1 if code in wishes else settings.labels_per_round
        right = wanted - rounds.answers_to(given, code, asked) - held
        if settings.max_labels is not None and code not in wishes:
            right = min(right, settings.max_labels - rounds.answers_to(in_all, code, asked) - held)
        if (remaining > 0) if code in known else remaining != right:
            wrong.append(code)
    return f"{len(wrong):,} examples have a wrong number of free places." if wrong else ""


def _stale(connection: Connection) -> str:
    row = connection.execute(select(round_).where(round_.c.state == "running")).one_or_none()
    if row is None or rounds.is_alive(row, time.time()):
        return ""
    return f"round {row.id} is marked as running, but nobody trains it."


def _derive(connection: Connection) -> None:
    answers, counts, decided = _replay(connection, load_changes(connection))
    connection.execute(delete(decision))
    for code, (identity, who, label) in decided.items():
        values = {"example_id": code, "event_id": identity, "annotator_id": who, "class_code": label}
        connection.execute(insert(decision).values(values))
    connection.execute(delete(answer))
    rows = [
        {
            "example_id": e,
            "annotator_id": a,
            "asked": asked,
            "event_id": identity,
            "kind": kind,
            "class_code": code,
            "bulk": bulk,
            "flagged": flagged,
        }
        for (e, a, asked), (identity, kind, code, bulk, flagged) in answers.items()
    ]
    for at in range(0, len(rows), BLOCK):
        connection.execute(insert(answer), rows[at : at + BLOCK])
    numbers = {code: {"num_labels": number} for code, number in _by_example(answers).items()}
    sums = {who: {"num_labels": labels, "num_single": single} for who, (labels, single) in counts.items()}
    for table, right, none in (
        (example, numbers, {"num_labels": 0}),
        (annotator, sums, {"num_labels": 0, "num_single": 0}),
    ):
        counted = or_(*(table.c[name] != 0 for name in none))
        connection.execute(update(table).where(counted).values(none))
        for code, values in right.items():
            connection.execute(update(table).where(table.c.id == code).values(values))
    answered = select(answer.c.example_id).where(_TO_LEASE)
    connection.execute(
        update(lease).where(lease.c.state == "open", answered.exists()).values(state="expired")
    )
    if _leftovers(connection):
        clear_unfinished(connection)
    stale = connection.execute(select(round_.c.id).where(round_.c.state == "running")).scalar()
    if stale is not None and _stale(connection):
        rounds.fail_round(connection, stale, "the process that trained it is gone")
    rounds.settle_again(connection, load_settings(connection))
