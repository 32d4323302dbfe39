"""Labels and right answers that were given elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, Table, bindparam, func, insert, select, update

from activelab._errors import InputError, first
from activelab._set_text import names_in
from activelab.project.labelling import queue as queueing
from activelab.project.labelling import rounds
from activelab.project.labelling.decisions import truths_changed
from activelab.project.labelling.naming import Named, codes_of_labels, text_of
from activelab.project.settings import load_settings, load_value
from activelab.project.store import accounts
from activelab.project.store.audit import write_audit
from activelab.project.store.database import Database
from activelab.project.store.names import check_name
from activelab.project.store.schema import annotator, answer, event, example

Asked = tuple[str, str, str | None]
"""Example, annotator, and the class that was asked about; None where the whole example was."""

BLOCK = 200
"""Labels stored in one transaction."""

CHANGES = 10
"""Labels replaced in one transaction; each takes as long as an answer."""

Result = TypeVar("Result")
Given = tuple[int, int, int, int, "Beside"]  # example, annotator, class, what was asked, and what is beside
_Right = tuple[int, int | None]  # example, class
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


class Beside(NamedTuple):
    """What is said of a label that was given elsewhere: a note, a flag, and whether it was seen in bulk."""

    note: str | None = None
    flagged: bool = False
    bulk: bool = False


_NOTHING = Beside()


def add_labels(
    database: Database,
    labels: Mapping[Asked, Named],
    by: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
    beside: Mapping[Asked, Beside] | None = None,
) -> tuple[int, int]:
    """Store the label of each example and annotator, of all classes or of one.

    Returns how many labels are new, and how many changed.

    All is checked before anything is stored. They are stored in small transactions, so that whoever labels
    goes on meanwhile. Should this be stopped half-way, those stored stay; the same again stores the others.

    Raises
    ------
    InputError
        If an example or a class is unknown, or an annotator's name is none; the message names the first ten.
    """
    names = list(dict.fromkeys(name for _, name, _ in labels))

    def check(connection: Connection) -> dict[str, int]:
        codes = codes_of(connection, (e for e, _, _ in labels))
        missing = [e for e, _, _ in labels if e not in codes]
        if missing:
            raise InputError(
                f"labels of examples that are not in the project: {first(list(dict.fromkeys(missing)))}."
            )
        for name in names:
            check_name(name)
        return codes

    codes = database.read(check)
    texts = {key: text_of(label) or "" for key, label in labels.items()}
    for (example_name, _, about), text in texts.items():
        if about is not None and not {*names_in(text)} <= {about}:
            raise InputError(f"the label of example {example_name!r} is {text!r}; only {about!r} was asked.")
    coded = codes_of_labels(database, texts.values(), (about for _, _, about in labels))
    people = database.write(lambda c: _people(c, names))
    said = beside or {}
    rows: list[Given] = [
        (codes[e], people[a], coded.labels[text], coded.classes[about], said.get((e, a, about), _NOTHING))
        for (e, a, about), text in texts.items()
    ]
    new, changed, more = 0, 0, True
    for at in range(0, len(rows), BLOCK):
        block = rows[at : at + BLOCK]
        fresh, others = in_turn(database, partial(_put_new, rows=block, version=coded.version))
        new += fresh
        changed += len(others)
        for turn in range(0, len(others), CHANGES):
            some = others[turn : turn + CHANGES]
            in_turn(database, partial(_put_changed, rows=some, version=coded.version))
        if more and database.read(rounds.needs_filling):
            # Else somebody who asks for an example would have to wait while this is done.
            more = in_turn(database, _fill)
        progress(at + BLOCK)
    counts = {"new": new, "changed": changed}
    if bulk := sum(one.bulk for one in said.values()):
        counts["bulk"] = bulk
    database.write(lambda c: write_audit(c, by, "labels imported", counts))
    return new, changed


def add_abstentions(database: Database, given: Iterable[Asked], by: int | None = None) -> int:
    """Store that annotators could not tell of examples, or of a class of them; how many such answers are new.

    Whoever has answered a question keeps that answer.

    Raises
    ------
    InputError
        If an example is unknown, or an annotator's name is none.
    """
    wanted = list(dict.fromkeys(given))
    codes = database.read(lambda c: codes_of(c, (e for e, _, _ in wanted)))
    if missing := [e for e, _, _ in wanted if e not in codes]:
        raise InputError(f"examples that are not in the project: {first(missing)}.")
    coded = codes_of_labels(database, (), (about for _, _, about in wanted))
    names = list(dict.fromkeys(a for _, a, _ in wanted))
    for name in names:
        check_name(name)
    people = database.write(lambda c: _people(c, names))
    rows = [(codes[e], people[a], coded.classes[about]) for e, a, about in wanted]
    new = sum(
        in_turn(database, partial(_put_abstentions, rows=rows[at : at + CHANGES], version=coded.version))
        for at in range(0, len(rows), CHANGES)
    )
    database.write(lambda c: write_audit(c, by, "abstentions imported", {"new": new}))
    return new


def _put_abstentions(connection: Connection, rows: list[tuple[int, int, int]], version: int) -> int:
    _hold(connection, version)
    there = _answers(connection, sorted({e for e, _, _ in rows}))
    fresh = [one for one in rows if one not in there]
    for e, a, about in fresh:
        reply = queueing.Answer(queueing.ABSTENTION, source="import", asked=about)
        queueing.put_answer(connection, a, e, reply, time.time())
    return len(fresh)


def _people(connection: Connection, names: list[str]) -> dict[str, int]:
    """The accounts of some names, which are checked; those not known yet are made."""
    people = dict(connection.execute(select(annotator.c.name, annotator.c.id)).all())
    now = time.time()
    return {name: people.get(name) or accounts.add_annotator(connection, name, now) for name in names}


def in_turn(database: Database, work: Callable[[Connection], Result]) -> Result:
    """Write something, and then let others write for as long as it took."""
    began = time.perf_counter()
    result = database.write(work)
    time.sleep(min(time.perf_counter() - began, _LONGEST_PAUSE))
    return result


def _hold(connection: Connection, version: int) -> None:
    """Keep others out until the transaction ends; codes must be of the classes of now."""
    rounds.hold_round(connection)
    queueing.check_version(connection, version)


def _put_new(connection: Connection, rows: list[Given], version: int) -> tuple[int, list[Given]]:
    """Store labels of people who have not answered the example; how many, and labels that differ."""
    _hold(connection, version)
    there = _answers(connection, sorted({row[0] for row in rows}))
    fresh = [row for row in rows if (row[0], row[1], row[3]) not in there]
    insert_labels(connection, fresh, time.time())
    return len(fresh), [row for row in rows if there.get((row[0], row[1], row[3]), row[2]) != row[2]]


def _put_changed(connection: Connection, rows: list[Given], version: int) -> None:
    _hold(connection, version)
    for e, a, code, about, (note, flagged, bulk) in rows:
        reply = queueing.Answer("label", code, note, source="import", asked=about, flagged=flagged, bulk=bulk)
        queueing.put_answer(connection, a, e, reply, time.time())


def _fill(connection: Connection) -> bool:
    """Write more of the round's order into the queue; whether there was more."""
    rounds.share_round(connection)
    return rounds.extend_queue(connection, load_settings(connection), rounds.current_round(connection))


def add_gold(
    database: Database,
    answers: Mapping[str, Named | None],
    by: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Store the right answer of each example; None takes it back.

    All is checked before anything is stored, in small transactions as by `add_labels`.

    Raises
    ------
    InputError
        If an example or a class is unknown; the message names the first ten.
    """

    def check(connection: Connection) -> dict[str, int]:
        codes = codes_of(connection, answers)
        if missing := [name for name in answers if name not in codes]:
            raise InputError(f"examples that are not in the project: {first(missing)}.")
        return codes

    codes = database.read(check)
    texts = {name: text_of(label) for name, label in answers.items()}
    coded = codes_of_labels(database, [text for text in texts.values() if text is not None])
    rights: list[_Right] = [
        (codes[name], None if text is None else coded.labels[text]) for name, text in texts.items()
    ]
    for at in range(0, len(rights), BLOCK):
        in_turn(database, partial(_put_gold, rights=rights[at : at + BLOCK], version=coded.version))
        progress(at + BLOCK)

    def finish(connection: Connection) -> None:
        rounds.hold_round(connection)
        rounds.drop_from_order(connection, [code for code, right in rights if right is not None])
        write_audit(connection, by, "gold answers set", {"count": len(answers)})

    database.write(finish)


def _put_gold(connection: Connection, rights: list[_Right], version: int) -> None:
    _hold(connection, version)
    codes = [code for code, _ in rights]
    before = select(example.c.id, example.c.gold).where(example.c.id.in_(codes))
    there = {row.id: row.gold for row in connection.execute(before)}
    changes = [{"code": code, "right": right} for code, right in rights if there.get(code) != right]
    if changes:
        truths_changed(connection, len(changes), time.time())
        right = bindparam("right", type_=example.c.gold.type)
        connection.execute(
            update(example).where(example.c.id == bindparam("code")).values(gold=right), changes
        )
        rounds.settle_again(connection, load_settings(connection), codes)


def _answers(connection: Connection, codes: list[int]) -> dict[tuple[int, int, int], int | None]:
    """What people have answered to some examples, by example, annotator and what was asked."""
    found: dict[tuple[int, int, int], int | None] = {}
    columns = (answer.c.example_id, answer.c.annotator_id, answer.c.asked, answer.c.class_code)
    for at in range(0, len(codes), _AT_A_TIME):
        query = select(*columns).where(answer.c.example_id.in_(codes[at : at + _AT_A_TIME]))
        found |= {(e, a, about): code for e, a, about, code in connection.execute(query)}
    return found


def insert_labels(connection: Connection, fresh: list[Given], now: float, source: str = "import") -> None:
    """Store many labels of people who have not answered these examples yet; slots of the queue are taken."""
    if not fresh:
        return
    begin = connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one() + 1
    if connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence("event", "id")
        begin = connection.execute(select(func.nextval(sequence))).scalar_one()
        connection.execute(select(func.setval(sequence, begin + len(fresh))))
    for at in range(0, len(fresh), _AT_A_TIME):
        rows = [
            {
                "example_id": e, "annotator_id": a, "class_code": k, "asked": q,
                "event_id": begin + at + turn, "bulk": marks.bulk, "flagged": marks.flagged,
            }
            for turn, (e, a, k, q, marks) in enumerate(fresh[at : at + _AT_A_TIME])
        ]  # fmt: skip
        notes = [{"reason": one[4].note} for one in fresh[at : at + _AT_A_TIME]]
        stored = insert(event).values(time=now, kind="label", source=source, id=bindparam("event_id"))
        connection.execute(stored, [row | note for row, note in zip(rows, notes, strict=True)])
        connection.execute(insert(answer).values(kind="label"), rows)
    _raise(connection, example, Counter(row[0] for row in fresh))
    rounds.labels_came(connection, Counter((row[0], row[3]) for row in fresh))
    if source in queueing.COLLECTED:  # connectors know no questions about one class
        _raise(connection, annotator, Counter(row[1] for row in fresh))


def _raise(connection: Connection, table: Table, counts: Mapping[int, int]) -> None:
    """Count more labels for some rows of a table."""
    connection.execute(
        update(table)
        .where(table.c.id == bindparam("code"))
        .values(num_labels=table.c.num_labels + bindparam("more")),
        [{"code": code, "more": more} for code, more in sorted(counts.items())],
    )
