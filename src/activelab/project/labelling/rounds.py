"""Rounds as they are stored: begun, filled, published at one stroke, or failed.

A round is invisible until it is published. Its order of all examples is stored as one array; the first of
them are rows of the queue, more follow when they are needed.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from activelab._typing import Ints
from activelab.project.labelling.processes import is_gone
from activelab.project.labelling.summary import RoundSummary
from activelab.project.settings import Settings, load_value, store_value
from activelab.project.store.schema import (
    answer,
    decision,
    event,
    example,
    lease,
    queue,
    round_,
    round_array,
    wish,
)

CHUNK = 1_000
"""Rows of the queue that are written at a time: others wait meanwhile, for some milliseconds."""

STALE_SECONDS = 120.0
"""Without a sign of life for so long, a training is taken for dead."""

CANCELLED = "cancelled"
"""How the error of a round begins that somebody has given up."""

KNOWN = select(example.c.id).where(example.c.gold.is_not(None)).union(select(decision.c.example_id))
"""Examples whose right answer is known or that are decided: nobody is asked about them."""

_WISHED = select(wish.c.example_id).where(
    ~exists().where(
        answer.c.example_id == wish.c.example_id,
        answer.c.event_id > wish.c.event_id,
        answer.c.kind == "label",
    )
)
"""Examples about which somebody wants one more label, which has not come."""

_LOCK_ROUND = 7_206_001
_SHARE_ROUND = select(func.pg_advisory_xact_lock_shared(_LOCK_ROUND))
_HOLD_ROUND = select(func.pg_advisory_xact_lock(_LOCK_ROUND))
_CAME = (
    update(queue)
    .where(queue.c.round_id == bindparam("number"), queue.c.example_id == bindparam("code"))
    .values(remaining=queue.c.remaining - bindparam("labels"))
)
_BINDABLE = 10_000  # numbers that a statement may list
_NEVER = -1_000_000  # slots of an example that is not for the queue


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
    if connection.dialect.name == "postgresql":
        connection.execute(_SHARE_ROUND)


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
    fulfilled = exists().where(
        answer.c.example_id == wish.c.example_id,
        answer.c.event_id > wish.c.event_id,
        answer.c.event_id <= round_now.last_event,
        answer.c.kind == "label",
    )
    connection.execute(sql_delete(wish).where(fulfilled))
    _settle(connection, settings, round_now, queue.c.round_id == round_id)
    before = current_round(connection)
    connection.execute(update(lease).where(lease.c.state == "open").values(round_id=round_id))
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
    row = connection.execute(query.with_for_update()).one_or_none()
    if seen is not None and row is not None and row.filled > seen.filled:
        return True  # another server did it while this one waited
    order: Ints | None = None if row is None else load_array(connection, round_id, "order")
    if row is None or order is None or row.filled >= len(order):
        return False
    wanted, end, step = list[tuple[int, int]](), row.filled, CHUNK
    while end < len(order) and len(wanted) < CHUNK:
        codes = order[end : end + step].tolist()
        done = _done(connection, settings, row.last_event, codes) if row.state == "ready" else set[int]()
        wanted += [(place, code) for place, code in enumerate(codes, start=end) if code not in done]
        end, step = end + len(codes), min(2 * step, _BINDABLE)
    if len(wanted) > CHUNK:
        end = wanted[CHUNK][0]
    rows = [
        {
            "round_id": round_id,
            "example_id": code,
            "position": place,
            "remaining": settings.labels_per_round,
        }
        for place, code in wanted[:CHUNK]
    ]
    if rows:
        connection.execute(insert(queue), rows)
    connection.execute(update(round_).where(round_.c.id == round_id).values(filled=end))
    if row.state == "ready":
        new = (queue.c.round_id == round_id) & (queue.c.position >= row.filled) & (queue.c.position < end)
        _settle(connection, settings, get_round(connection, round_id), new)
    return True


def _done(connection: Connection, settings: Settings, last_event: int, codes: list[int]) -> set[int]:
    """Those of some examples that are not asked about any more, whoever holds them."""
    enough = _given(example.c.id, last_event) >= settings.labels_per_round
    if settings.max_labels is not None:
        enough |= example.c.num_labels >= settings.max_labels
    query = select(example.c.id).where(example.c.id.in_(codes), enough | example.c.id.in_(KNOWN))
    return {*connection.execute(query).scalars()}


def needs_filling(connection: Connection) -> bool:
    """Whether few examples are left in the queue of the current round, though there may be more."""
    number = current_round(connection)
    if number < 0:
        return False
    free = select(literal(1)).where(queue.c.round_id == number, queue.c.remaining > 0).limit(CHUNK // 2)
    count = connection.execute(select(func.count()).select_from(free.subquery())).scalar_one()
    return count < CHUNK // 2


def labels_came(connection: Connection, counts: Mapping[int, int]) -> None:
    """Take slots of the current round from examples that were given so many labels nobody was asked for."""
    number = current_round(connection)
    if number >= 0 and counts:
        rows = [{"code": code, "number": number, "labels": count} for code, count in sorted(counts.items())]
        connection.execute(_CAME, rows)


def _given(example_id: ColumnElement[int], last_event: int) -> ScalarSelect[int]:
    """How many labels an example was given since an event, or since one more was wished for."""
    wished = select(wish.c.event_id).where(wish.c.example_id == example_id).scalar_subquery()
    return (
        select(func.count())
        .select_from(answer)
        .where(
            answer.c.example_id == example_id,
            answer.c.event_id > last_event,
            answer.c.event_id > func.coalesce(wished, 0),
            answer.c.kind == "label",
        )
        .scalar_subquery()
    )


def _settle(connection: Connection, settings: Settings, of: Round, rows: ColumnElement[bool]) -> None:
    """Count the slots of some rows: those wanted, less labels since the round began, and leases."""
    given = _given(queue.c.example_id, of.last_event)
    leased = (
        select(func.count())
        .select_from(lease)
        .where(lease.c.state == "open", lease.c.example_id == queue.c.example_id)
        .scalar_subquery()
    )
    wished = queue.c.example_id.in_(select(wish.c.example_id))
    slots = case((wished, 1), else_=settings.labels_per_round) - given - leased
    connection.execute(update(queue).where(rows).values(remaining=slots))
    if settings.max_labels is not None:
        room = (
            select(literal(settings.max_labels) - example.c.num_labels)
            .where(example.c.id == queue.c.example_id)
            .scalar_subquery()
            - leased
        )
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


def wished_first(connection: Connection, order: Ints) -> Ints:
    """An order that begins with the examples about which one more label is wished for."""
    wished = np.sort(np.array([*connection.execute(_WISHED).scalars()], dtype=np.int64))
    first = without_known(connection, wished)
    return np.concatenate([first, order[~np.isin(order, first)]]).astype(np.int32)


def ask_again(
    connection: Connection, settings: Settings, annotator_id: int, codes: Sequence[int], now: float
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
    order = load_array(connection, number, "order")
    shuffled = np.random.default_rng(settings.seed + number).permutation(new)
    store_array(connection, number, "order", np.concatenate([order, shuffled.astype(np.int32)]))


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
    store_array(connection, number, "order", plain_order(connection, settings))
    extend_queue(connection, settings, number)
    publish_round(connection, settings, number, RoundSummary(method="good_random", reason="no model yet"))


def drop_from_order(connection: Connection, codes: list[int]) -> None:
    """Let some examples not come into the queue any more, as when their right answer becomes known."""
    number = current_round(connection)
    order = load_array(connection, number, "order") if number >= 0 else None
    if order is not None:
        filled = get_round(connection, number).filled
        rest = order[filled:]
        store_array(connection, number, "order", np.r_[order[:filled], rest[~np.isin(rest, codes)]])
