"""Rounds as they are stored: begun, filled, published at one stroke, or failed.

A round is invisible until it is published. Its order of all questions is stored as one array of examples, and
one of what is asked of each unless that is always the whole; the first of them are rows of the queue, more
follow when they are needed.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from activelab._typing import Ints
from activelab.project.labelling.processes import is_gone
from activelab.project.labelling.summary import RoundSummary
from activelab.project.settings import Settings, load_settings, load_value, store_value
from activelab.project.store.database import project_lock
from activelab.project.store.schema import (
    WAITS,
    WHOLE,
    answer,
    decision,
    event,
    example,
    is_open,
    lease,
    queue,
    round_,
    round_array,
    wish,
)
from activelab.project.store.statements import Statement, Steps, finish

CHUNK = 1_000
"""Rows of the queue that are written at a time: others wait meanwhile, for some milliseconds."""

_HEADER = 128  # bytes before the numbers of a stored order, of four bytes each

STALE_SECONDS = 120.0
"""Without a sign of life for so long, a training is taken for dead."""

CANCELLED = "cancelled"
"""How the error of a round begins that somebody has given up."""

KNOWN = select(example.c.id).where(example.c.gold.is_not(None)).union(select(decision.c.example_id))
"""Examples whose right answer is known or that are decided: nobody is asked about them."""

_FULFILS = (
    (answer.c.example_id == wish.c.example_id)
    & (answer.c.event_id > wish.c.event_id)
    & (answer.c.kind == "label")
    & (answer.c.asked == WHOLE)
)
_WISHED = select(wish.c.example_id).where(~exists().where(_FULFILS))
"""Examples about which somebody wants one more label, which has not come."""

_LOCK_ROUND = 7_206_001
_SHARE_ROUND = Statement(project_lock(_LOCK_ROUND, shared=True))
_HOLD_ROUND = project_lock(_LOCK_ROUND)


def covers(asked: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether what was asked, as a column or parameter, is all that a row of the queue asks, or more."""
    return or_(asked == WHOLE, asked == queue.c.asked)


_CAME = (
    update(queue)
    .where(
        queue.c.round_id == bindparam("number"),
        queue.c.example_id == bindparam("code"),
        covers(bindparam("about", type_=Integer)),
    )
    .values(remaining=queue.c.remaining - bindparam("labels"))
)
# That a question is in the queue, or somebody holds it.
_LISTED = union_all(
    select(queue.c.example_id).where(
        queue.c.round_id == bindparam("number"),
        queue.c.example_id == bindparam("code"),
        covers(bindparam("about", type_=Integer)),
    ),
    select(lease.c.example_id).where(
        is_open(),
        lease.c.example_id == bindparam("code"),
        or_(lease.c.asked == bindparam("about"), lease.c.asked == WHOLE),
    ),
)
_BINDABLE = 10_000  # numbers that a statement may list
_NEVER = -1_000_000  # slots of an example that is not for the queue


Question = tuple[int, int]
"""An example, and the code of the class that is asked about or `WHOLE`."""


class AlreadyTrainingError(RuntimeError):
    """Another process is training a round of this project."""


@dataclass(frozen=True)
class Round:
    """A row of the table of rounds.

    Attributes
    ----------
    id : int
    state : {"running", "ready", "failed"}
    started, heartbeat : float
    finished : float or None
    last_event : int
        The round knows the answers up to this event.
    filled : int
    summary : RoundSummary
    """

    id: int
    state: Literal["running", "ready", "failed"]
    started: float
    heartbeat: float
    finished: float | None
    last_event: int
    filled: int
    summary: RoundSummary


def share_round(connection: Connection) -> None:
    """Keep the current round from being replaced until the transaction ends."""
    finish(connection, sharing_round(connection))


def sharing_round(connection: Connection) -> Steps[None]:
    """The steps of `share_round`."""
    if connection.dialect.name == "postgresql":
        yield _SHARE_ROUND, {}


def hold_round(connection: Connection) -> None:
    """Wait until nobody is in the middle of a lease or an answer, and keep them out until the end."""
    if connection.dialect.name == "postgresql":
        connection.execute(_HOLD_ROUND)


def current_round(connection: Connection) -> int:
    """Number of the round that is served; -1 before the first."""
    return int(load_value(connection, "current_round", -1))


def get_round(connection: Connection, round_id: int) -> Round:
    """A round by its number."""
    row = connection.execute(select(round_).where(round_.c.id == round_id)).one()
    return _round(row)


def list_rounds(connection: Connection) -> list[Round]:
    """All rounds, oldest first."""
    return [_round(row) for row in connection.execute(select(round_).order_by(round_.c.id))]


def _round(row: Any) -> Round:
    values = row._asdict()
    return Round(**values | {"summary": RoundSummary.model_validate_json(values["summary"])})


def begin_round(connection: Connection, now: float | None = None) -> Round:
    """A new running round that knows all answers so far.

    Raises
    ------
    AlreadyTrainingError
        If another one is running and shows signs of life.
    """
    now = time.time() if now is None else now
    hold_round(connection)
    running = connection.execute(select(round_).where(round_.c.state == "running")).one_or_none()
    if running is not None:
        if is_alive(running, now):
            raise AlreadyTrainingError(f"round {running.id} is being trained; it can be cancelled.")
        fail_round(connection, running.id, "the process that trained it is gone", now)
    last_event = connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one()
    number = connection.execute(select(func.coalesce(func.max(round_.c.id), -1))).scalar_one() + 1
    try:
        connection.execute(
            insert(round_).values(
                id=number, state="running", started=now, heartbeat=now, last_event=last_event, summary="{}"
            )
        )
    except IntegrityError as error:
        raise AlreadyTrainingError("another process has just begun to train.") from error
    return get_round(connection, number)


def is_alive(running: Any, now: float) -> bool:
    """Whether a running round (`Round`, or its row) is being trained, as far as can be known.

    Its process has given a sign of life, and has not ended on this machine since. A clock that was set back
    makes nobody wait.
    """
    summary = running.summary
    if isinstance(summary, str):
        summary = RoundSummary.model_validate_json(summary)
    return abs(now - running.heartbeat) < STALE_SECONDS and not is_gone(summary.process or "")


def heartbeat(connection: Connection, round_id: int, now: float | None = None) -> str | None:
    """A sign of life of the process that trains; why the round was given up, if it was."""
    now = time.time() if now is None else now
    alive = update(round_).where(round_.c.id == round_id, round_.c.state == "running").values(heartbeat=now)
    if connection.execute(alive).rowcount:
        return None
    after = get_round(connection, round_id)
    return after.summary.error or "" if after.state == "failed" else None


def cancel_round(connection: Connection, by: str | None = None) -> int | None:
    """Give the round up that is being trained, whoever trains it; its number, None if there is none."""
    hold_round(connection)
    running = connection.execute(select(round_.c.id).where(round_.c.state == "running")).scalar()
    if running is not None:
        fail_round(connection, running, CANCELLED if by is None else f"{CANCELLED} by {by}")
    return running


def fail_round(connection: Connection, round_id: int, error: str, now: float | None = None) -> None:
    """Give a running round up; what it had written is removed."""
    now = time.time() if now is None else now
    connection.execute(
        update(round_)
        .where(round_.c.id == round_id, round_.c.state == "running")
        .values(state="failed", finished=now, summary=RoundSummary(error=error).stored())
    )
    connection.execute(sql_delete(queue).where(queue.c.round_id == round_id))
    connection.execute(sql_delete(round_array).where(round_array.c.round_id == round_id))


def store_array(connection: Connection, round_id: int, name: str, values: Any) -> None:
    """Store an array of a round, in place of one of the same name."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values), allow_pickle=False)
    connection.execute(
        sql_delete(round_array).where(round_array.c.round_id == round_id, round_array.c.name == name)
    )
    connection.execute(insert(round_array).values(round_id=round_id, name=name, data=buffer.getvalue()))


def load_array(connection: Connection, round_id: int, name: str) -> Any:
    """An array of a round; None if it is not stored."""
    data = connection.execute(
        select(round_array.c.data).where(round_array.c.round_id == round_id, round_array.c.name == name)
    ).scalar()
    return None if data is None else np.load(io.BytesIO(data), allow_pickle=False)


def store_order(connection: Connection, round_id: int, order: Ints, asked: Ints) -> None:
    """Store the order of a round: examples, and the class that is asked about of each, or `WHOLE`."""
    store_array(connection, round_id, "order", order.astype(np.int32))
    if (asked != WHOLE).any() or load_array(connection, round_id, "asked") is not None:
        store_array(connection, round_id, "asked", asked.astype(np.int32))


def load_order(connection: Connection, round_id: int) -> tuple[Ints, Ints] | None:
    """The order of a round as `store_order` was given it; None if it has none."""
    order: Ints | None = load_array(connection, round_id, "order")
    if order is None:
        return None
    asked: Ints | None = load_array(connection, round_id, "asked")
    return order, np.full(len(order), WHOLE, dtype=np.int32) if asked is None else asked


def _length_of_order(connection: Connection, round_id: int) -> int:
    """The length of a round's order, which is not read for it; 0 if it has none."""
    size = select(func.length(round_array.c.data)).where(
        round_array.c.round_id == round_id, round_array.c.name == "order"
    )
    return ((connection.execute(size).scalar() or _HEADER) - _HEADER) // 4


def questions_about(settings: Settings, order: Ints) -> tuple[Ints, Ints]:
    """What is asked of examples of which nothing is known: examples, and a class of each or `WHOLE`."""
    if settings.ask != "classes":
        return order, np.full(len(order), WHOLE)
    size = len(settings.classes)
    return np.repeat(order, size), np.tile(np.arange(size), len(order))


def publish_round(connection: Connection, settings: Settings, round_id: int, summary: RoundSummary) -> None:
    """Serve a round whose order and first rows of the queue are stored, from now on.

    Leases that are open move to it. An example that was labelled since the round began, or is leased now, has
    so many slots fewer.

    Raises
    ------
    AlreadyTrainingError
        If the round was given up in the meantime.
    """
    hold_round(connection)
    round_now = get_round(connection, round_id)
    if round_now.state != "running":
        raise AlreadyTrainingError(f"round {round_id} was given up: {round_now.summary.error or ''}")
    fulfilled = exists().where(_FULFILS, answer.c.event_id <= round_now.last_event)
    connection.execute(sql_delete(wish).where(fulfilled))
    _settle(connection, settings, round_now, queue.c.round_id == round_id)
    before = current_round(connection)
    connection.execute(update(lease).where(is_open()).values(round_id=round_id))
    connection.execute(
        update(round_)
        .where(round_.c.id == round_id)
        .values(state="ready", finished=time.time(), summary=summary.stored())
    )
    store_value(connection, "current_round", round_id)
    if before >= 0:
        connection.execute(sql_delete(queue).where(queue.c.round_id == before))


def extend_queue(connection: Connection, settings: Settings, round_id: int) -> bool:
    """Write the next rows of a round's order into the queue; False if there are none left.

    Examples of which no label is wanted any more, since labels came from elsewhere or their right answer is
    known, are left out: the next round will know.
    """
    query = select(round_.c.filled, round_.c.state, round_.c.last_event).where(round_.c.id == round_id)
    seen = connection.execute(query).one_or_none()
    if seen is None or seen.filled >= _length_of_order(connection, round_id):
        return False
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is not None and row.filled > seen.filled:
        return True  # another server did it while this one waited
    stored = None if row is None else load_order(connection, round_id)
    if row is None or stored is None or row.filled >= len(stored[0]):
        return False
    order, asked = stored
    wanted, end, step = list[tuple[int, Question]](), row.filled, CHUNK
    while end < len(order) and len(wanted) < CHUNK:
        some = [*zip(order[end : end + step].tolist(), asked[end : end + step].tolist(), strict=True)]
        done = _done(connection, settings, row.last_event, some) if row.state == "ready" else set[Question]()
        wanted += [(place, one) for place, one in enumerate(some, start=end) if one not in done]
        end, step = end + len(some), min(2 * step, _BINDABLE)
    if len(wanted) > CHUNK:
        end = wanted[CHUNK][0]
    rows = [
        {
            "round_id": round_id,
            "example_id": code,
            "asked": about,
            "position": place,
            "remaining": settings.labels_per_round,
        }
        for place, (code, about) in wanted[:CHUNK]
    ]
    if rows:
        connection.execute(insert(queue), rows)
    connection.execute(update(round_).where(round_.c.id == round_id).values(filled=end))
    if row.state == "ready":
        new = (queue.c.round_id == round_id) & (queue.c.position >= row.filled) & (queue.c.position < end)
        _settle(connection, settings, get_round(connection, round_id), new)
    return True


def _done(
    connection: Connection, settings: Settings, last_event: int, questions: list[Question]
) -> set[Question]:
    """Those of some questions that are not asked any more, whoever holds them."""
    codes = {code for code, _ in questions}
    known = {
        *connection.execute(
            select(example.c.id).where(example.c.id.in_(codes), example.c.id.in_(KNOWN))
        ).scalars()
    }
    since, most = count_answers(connection, codes, last_event), settings.max_labels
    in_all = {} if most is None else count_answers(connection, codes)
    return {
        one
        for one in questions
        if one[0] in known
        or answers_to(since, *one) >= settings.labels_per_round
        or (most is not None and answers_to(in_all, *one) >= most)
    }


def is_wanted(connection: Connection, number: int, question: Question) -> bool:
    """Whether a round that has not come to a question yet would ask it, and nobody holds it."""
    row = {"number": number, "code": question[0], "about": question[1]}
    # Who is first keeps the others waiting here, so that not both are.
    connection.execute(select(example.c.id).where(example.c.id == question[0]).with_for_update())
    if number < 0 or connection.execute(_LISTED, row).first() is not None:
        return False
    last = get_round(connection, number).last_event
    return not _done(connection, load_settings(connection), last, [question])


def count_answers(connection: Connection, codes: Iterable[int], last_event: int = 0) -> dict[Question, int]:
    """Labels of some examples since an event, by what was asked."""
    query = (
        select(answer.c.example_id, answer.c.asked, func.count())
        .where(answer.c.example_id.in_([*codes]), answer.c.event_id > last_event, answer.c.kind == "label")
        .group_by(answer.c.example_id, answer.c.asked)
    )
    return {(code, asked): number for code, asked, number in connection.execute(query)}


def answers_to(counts: Mapping[Question, int], code: int, asked: int) -> int:
    """Of answers counted by question those that answer one: the same, or about the whole example."""
    whole = counts.get((code, WHOLE), 0)
    return whole if asked == WHOLE else whole + counts.get((code, asked), 0)


def needs_filling(connection: Connection) -> bool:
    """Whether few examples are left in the queue of the current round, though there may be more."""
    number = current_round(connection)
    if number < 0:
        return False
    free = select(literal(1)).where(queue.c.round_id == number, WAITS).limit(CHUNK // 2)
    count = connection.execute(select(func.count()).select_from(free.subquery())).scalar_one()
    return count < CHUNK // 2


def labels_came(connection: Connection, counts: Mapping[Question, int]) -> None:
    """Take slots of the current round from examples that were given so many labels nobody was asked for."""
    number = current_round(connection)
    if number >= 0 and counts:
        rows = [
            {"code": code, "about": asked, "number": number, "labels": count}
            for (code, asked), count in sorted(counts.items())
        ]
        connection.execute(_CAME, rows)


def _given(last_event: int) -> ScalarSelect[int]:
    """How many answers there are to what a row of the queue asks, since an event or a wish for one more."""
    wished = select(wish.c.event_id).where(wish.c.example_id == answer.c.example_id).scalar_subquery()
    return (
        select(func.count())
        .select_from(answer)
        .where(
            answer.c.example_id == queue.c.example_id,
            covers(answer.c.asked),
            answer.c.event_id > last_event,
            answer.c.event_id > func.coalesce(wished, 0),
            answer.c.kind == "label",
        )
        .scalar_subquery()
    )


def _settle(connection: Connection, settings: Settings, of: Round, rows: ColumnElement[bool]) -> None:
    """Count the slots of some rows: those wanted, less labels since the round began, and leases."""
    leased = (
        select(func.count())
        .select_from(lease)
        .where(is_open(), lease.c.example_id == queue.c.example_id, covers(lease.c.asked))
        .scalar_subquery()
    )
    wished = queue.c.example_id.in_(select(wish.c.example_id))
    slots = case((wished, 1), else_=settings.labels_per_round) - _given(of.last_event) - leased
    connection.execute(update(queue).where(rows).values(remaining=slots))
    if settings.max_labels is not None:
        room = literal(settings.max_labels) - _given(0) - leased
        full = rows & (queue.c.remaining > room) & ~wished
        connection.execute(update(queue).where(full).values(remaining=room))
    connection.execute(update(queue).where(rows, queue.c.example_id.in_(KNOWN)).values(remaining=_NEVER))


def settle_again(connection: Connection, settings: Settings, examples: Sequence[int] | None = None) -> None:
    """Count the slots of the current round anew, of some examples or all: labels came nobody asked for."""
    number = current_round(connection)
    if number < 0:
        return
    rows = queue.c.round_id == number
    if examples is not None and len(examples) <= _BINDABLE:
        rows &= queue.c.example_id.in_(list(examples))
    _settle(connection, settings, get_round(connection, number), rows)


def wished_first(connection: Connection, order: Ints, asked: Ints) -> tuple[Ints, Ints]:
    """An order that begins with the examples about which one more label is wished for, of all classes."""
    wished = np.sort(np.array([*connection.execute(_WISHED).scalars()], dtype=np.int64))
    first = without_known(connection, wished)
    others = ~np.isin(order, first)
    whole = np.full(len(first), WHOLE)
    return np.concatenate([first, order[others]]), np.concatenate([whole, asked[others]])


def ask_again(
    connection: Connection, settings: Settings, annotator_id: int | None, codes: Sequence[int], now: float
) -> list[int]:
    """Wish for one more label of some examples, before all others; those whose answer is known are left out.

    The next label of an example, of somebody who has not answered it yet, fulfils the wish, in this round or
    a later one. It is asked for however many labels an example has.

    Returns
    -------
    list of int
        The examples that are asked about.
    """
    hold_round(connection)
    known = {*connection.execute(KNOWN).scalars()}
    asked = [code for code in dict.fromkeys(codes) if code not in known]
    if not asked:
        return []
    last = connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one()
    said = {"event_id": last, "annotator_id": annotator_id, "time": now}
    number = current_round(connection)
    of_round = queue.c.round_id == number
    head = connection.execute(select(func.min(queue.c.position)).where(of_round)).scalar() or 0
    for at in range(0, len(asked), _BINDABLE):
        part = asked[at : at + _BINDABLE]
        connection.execute(sql_delete(wish).where(wish.c.example_id.in_(part)))
        connection.execute(insert(wish), [{"example_id": code, **said} for code in part])
        connection.execute(sql_delete(queue).where(of_round, queue.c.example_id.in_(part)))
    if number >= 0:
        drop_from_order(connection, asked)
        places = enumerate(asked, start=head - len(asked))
        rows = [
            {"round_id": number, "example_id": code, "position": place, "remaining": 0}
            for place, code in places
        ]
        connection.execute(insert(queue), rows)
        settle_again(connection, settings, asked)
    return asked


def append_to_order(connection: Connection, settings: Settings, new: Ints) -> None:
    """Let examples that were added since be served after the others of the current round."""
    hold_round(connection)
    number = current_round(connection)
    shuffled = np.random.default_rng(settings.seed + number).permutation(new)
    stored, more = load_order(connection, number), questions_about(settings, shuffled)
    assert stored is not None
    store_order(connection, number, *(np.concatenate(both) for both in zip(stored, more, strict=True)))


def plain_order(connection: Connection, settings: Settings) -> Ints:
    """An order without a model: examples with the fewest labels first, at random among equals."""
    size = int(load_value(connection, "num_examples", 0))
    counts = np.zeros(size, dtype=np.int64)
    for code, number in connection.execute(
        select(example.c.id, example.c.num_labels).where(example.c.num_labels > 0, example.c.id < size)
    ):
        counts[code] = number
    random = np.random.default_rng(settings.seed).random(size)
    return without_known(connection, np.lexsort((random, counts)))


def without_known(connection: Connection, order: Ints) -> Ints:
    """An order without the examples whose right answer is known or that are decided."""
    known = connection.execute(KNOWN).scalars().all()
    return order[~np.isin(order, np.array(known, dtype=np.int64))].astype(np.int32)


def start_first_round(connection: Connection, settings: Settings) -> None:
    """Round 0, which knows no model, so that labelling can begin."""
    number = begin_round(connection).id
    store_order(connection, number, *questions_about(settings, plain_order(connection, settings)))
    extend_queue(connection, settings, number)
    publish_round(connection, settings, number, RoundSummary(method="good_random", reason="no model yet"))


def drop_from_order(connection: Connection, codes: list[int]) -> None:
    """Let some examples not come into the queue any more, as when their right answer becomes known."""
    number = current_round(connection)
    stored = load_order(connection, number) if number >= 0 else None
    if stored is not None:
        order, asked = stored
        kept = ~np.isin(order, codes)
        kept[: get_round(connection, number).filled] = True
        store_order(connection, number, order[kept], asked[kept])
