"""Labels and right answers that were given elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from activelab._errors import InputError, first
from activelab.project.labelling import queue as queueing
from activelab.project.labelling import rounds
from activelab.project.labelling.decisions import truths_changed
from activelab.project.settings import load_settings, load_value
from activelab.project.store import accounts
from activelab.project.store.audit import write_audit
from activelab.project.store.database import Database
from activelab.project.store.names import check_name
from activelab.project.store.schema import annotator, answer, event, example

BLOCK = 200
"""Labels stored in one transaction."""

_AT_A_TIME = 10_000
_LONGEST_PAUSE = 0.1


def codes_of(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Rows in the pool of ids; ids that are not in the project are missing."""
    size = int(load_value(connection, "num_examples", 0))
    wanted, codes = list(dict.fromkeys(names)), dict[str, int]()
    for at in range(0, len(wanted), _AT_A_TIME):
        query = select(example.c.name, example.c.id).where(
            example.c.name.in_(wanted[at : at + _AT_A_TIME]), example.c.id < size
        )
        codes.update(connection.execute(query).all())
    return codes


def add_labels(
    database: Database,
    labels: Mapping[tuple[str, str], str],
    by: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[int, int]:
    """Store the class of each example and annotator; how many labels are new, and how many changed.

    All is checked before anything is stored. They are stored in small transactions, so that whoever labels
    goes on meanwhile. Should this be stopped half-way, those stored stay; the same again stores the others.

    Raises
    ------
    InputError
        If an example or a class is unknown, or an annotator's name is none; the message names the first ten.
    """
    names = list(dict.fromkeys(name for _, name in labels))

    def check(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
        codes = codes_of(connection, (e for e, _ in labels))
        missing = [e for e, _ in labels if e not in codes]
        if missing:
            raise InputError(
                f"labels of examples that are not in the project: {first(list(dict.fromkeys(missing)))}."
            )
        for name in names:
            check_name(name)
        return codes, _class_codes(load_settings(connection).classes, labels.values())

    def know(connection: Connection) -> dict[str, int]:
        people = dict(connection.execute(select(annotator.c.name, annotator.c.id)).all())
        now = time.time()
        return {name: people.get(name) or accounts.add_annotator(connection, name, now) for name in names}

    codes, classes = database.read(check)
    people = database.write(know)
    rows = [(codes[e], people[a], classes[label]) for (e, a), label in labels.items()]
    new = changed = 0
    for at in range(0, len(rows), BLOCK):
        began = time.perf_counter()
        last = at + BLOCK >= len(rows)
        before = (new, changed)

        def store(connection: Connection, at: int = at, last: bool = last, before: Any = before) -> Any:
            more = _put_block(connection, rows[at : at + BLOCK])
            total = before[0] + more[0], before[1] + more[1]
            if last:
                write_audit(connection, by, "labels imported", {"new": total[0], "changed": total[1]})
            return total

        new, changed = database.write(store)
        progress(at + BLOCK)
        if database.is_sqlite and not last:
            # Another process that waits to write only looks now and then whether it may.
            time.sleep(min(time.perf_counter() - began, _LONGEST_PAUSE))
    return new, changed


def _put_block(connection: Connection, rows: list[tuple[int, int, int]]) -> tuple[int, int]:
    rounds.hold_round(connection)
    settings, now = load_settings(connection), time.time()
    there = _answers(connection, sorted({e for e, _, _ in rows}))
    fresh, changed = [], 0
    for e, a, code in rows:
        if (e, a) not in there:
            fresh.append((e, a, code))
        elif there[e, a] != code:
            reply = queueing.Answer("label", code, source="import")
            queueing.put_answer(connection, a, e, reply, now)
            changed += 1
    insert_labels(connection, fresh, now)
    rounds.settle_again(connection, settings, sorted({e for e, _, _ in rows}))
    return len(fresh), changed


def put_gold(connection: Connection, answers: Mapping[str, str | None]) -> None:
    """Store the right answer of each example; None takes it back.

    Raises
    ------
    InputError
        If an example or a class is unknown; the message names the first ten.
    """
    rounds.hold_round(connection)
    settings = load_settings(connection)
    codes = codes_of(connection, answers)
    if missing := [name for name in answers if name not in codes]:
        raise InputError(f"examples that are not in the project: {first(missing)}.")
    known = _class_codes(settings.classes, (label for label in answers.values() if label is not None))
    changes = [
        {"code": codes[name], "right": None if label is None else known[label]}
        for name, label in answers.items()
    ]
    if changes:
        before = select(example.c.id, example.c.gold).where(example.c.gold.is_not(None))
        there = {row.id: row.gold for row in connection.execute(before)}
        new = sum(there.get(one["code"]) != one["right"] for one in changes)
        truths_changed(connection, new, time.time())
        right = bindparam("right", type_=example.c.gold.type)
        connection.execute(
            update(example).where(example.c.id == bindparam("code")).values(gold=right), changes
        )
    rounds.drop_from_order(connection, [codes[name] for name, label in answers.items() if label is not None])
    rounds.settle_again(connection, settings, [codes[name] for name in answers])


def _class_codes(classes: tuple[str, ...], used: Iterable[str]) -> dict[str, int]:
    codes = {name: code for code, name in enumerate(classes)}
    strange = [label for label in dict.fromkeys(used) if label not in codes]
    if strange:
        raise InputError(
            f"classes that are not the project's: {first(strange)}. It has {', '.join(codes) or 'none'}; "
            "classes can be added with the settings."
        )
    return codes


def _answers(connection: Connection, codes: list[int]) -> dict[tuple[int, int], int | None]:
    """What people have answered to some examples."""
    found: dict[tuple[int, int], int | None] = {}
    columns = (answer.c.example_id, answer.c.annotator_id, answer.c.class_code)
    for at in range(0, len(codes), _AT_A_TIME):
        query = select(*columns).where(answer.c.example_id.in_(codes[at : at + _AT_A_TIME]))
        found |= {(e, a): code for e, a, code in connection.execute(query)}
    return found


def insert_labels(
    connection: Connection, fresh: list[tuple[int, int, int]], now: float, source: str = "import"
) -> None:
    """Store many labels (example, annotator, class) of people who have not answered these examples yet."""
    if not fresh:
        return
    begin = connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one() + 1
    if connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence("event", "id")
        begin = connection.execute(select(func.nextval(sequence))).scalar_one()
        connection.execute(select(func.setval(sequence, begin + len(fresh))))
    counts: dict[int, int] = {}
    for at in range(0, len(fresh), _AT_A_TIME):
        rows = [
            {"example_id": e, "annotator_id": a, "class_code": k, "event_id": begin + at + turn}
            for turn, (e, a, k) in enumerate(fresh[at : at + _AT_A_TIME])
        ]
        stored = insert(event).values(time=now, kind="label", source=source, id=bindparam("event_id"))
        connection.execute(stored, rows)
        connection.execute(insert(answer).values(kind="label"), rows)
        for row in rows:
            counts[row["example_id"]] = counts.get(row["example_id"], 0) + 1
    connection.execute(
        update(example)
        .where(example.c.id == bindparam("code"))
        .values(num_labels=example.c.num_labels + bindparam("more")),
        [{"code": code, "more": more} for code, more in counts.items()],
    )
    if source in queueing.ASKED:
        given = Counter(a for _, a, _ in fresh)
        connection.execute(
            update(annotator)
            .where(annotator.c.id == bindparam("who"))
            .values(num_labels=annotator.c.num_labels + bindparam("more")),
            [{"who": who, "more": more} for who, more in given.items()],
        )
