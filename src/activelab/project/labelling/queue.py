"""Who labels what next: leases, answers, undo.

All functions work inside a transaction of the caller. A slot of the queue is free while ``remaining``
is positive; a lease takes one, a label keeps it, anything else gives it back. An UPDATE that repeats the
condition changes it, so that two servers cannot both take the last slot.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Connection,
    Float,
    Integer,
    String,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from activelab._errors import InputError
from activelab.project.labelling.rounds import extend_queue, get_round, settle_again, share_round
from activelab.project.labelling.shares import left_of_share
from activelab.project.settings import Settings, load_settings, load_value
from activelab.project.store.schema import annotator, answer, event, example, lease, queue, setting

ABSTENTION = "unsure"
"""The kind of answers that say "I cannot tell": no label, but they say something of example and person."""

ANSWERS = ("label", "skip", ABSTENTION)

CLOCK_SECONDS = 60.0
"""How far the clocks of servers may differ."""

# Near the end of the budget leases are given one after the other, so that it is not overdrawn.
_CAREFUL = 500
_LOCK_BUDGET = 7_206_002


class ConflictError(RuntimeError):
    """What was asked for is no longer possible, as an answer to an example that others have now."""


@dataclass(frozen=True)
class Lease:
    """An example kept for one annotator.

    Attributes
    ----------
    id : int
    example_id : int
        Row of the pool.
    gold : bool
        Whether its right answer is known. Never shown to the annotator.
    expires : float
        Seconds since 1970.
    content : dict
        What there is to see of it.
    """

    id: int
    example_id: int
    gold: bool
    expires: float
    content: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What somebody says about an example.

    Attributes
    ----------
    kind : {"label", "skip", "unsure"}
        A label; that it was passed over, as what is damaged; that whoever looked at it cannot tell.
    class_code : int or None
        The class, of a label alone.
    reason : str or None
    seconds : float or None
        Between seeing the example and answering.
    source : {"page", "api", "import", "connector"}
    request : str or None
        Chosen by the client: an answer sent twice under one counts once.

    Raises
    ------
    InputError
        If the kind is unknown, or a label has no class, or another answer has one.
    """

    kind: str
    class_code: int | None = None
    reason: str | None = None
    seconds: float | None = None
    source: str = "api"
    request: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ANSWERS:
            raise InputError(f"an answer is one of {', '.join(ANSWERS)}; got {self.kind!r}.")
        if (self.kind == "label") != (self.class_code is not None):
            raise InputError("a label needs a class, and only a label has one.")


@dataclass(frozen=True)
class Recorded:
    """An answer that is stored.

    Attributes
    ----------
    event_id : int
    repeated : bool
        Whether it had been stored before, under the same request.
    """

    event_id: int
    repeated: bool = False


# Statements are built once: they are executed for every label.
# The lock lets one person's requests wait for each other, so that two of them cannot take the same example.
_WHO = (
    select(
        annotator.c.disabled,
        annotator.c.num_labels,
        select(setting.c.value).where(setting.c.name == "current_round").scalar_subquery().label("round"),
    )
    .where(annotator.c.id == bindparam("who"))
    .with_for_update(of=annotator, key_share=True)
)
# A lease may also end later than any that begins now: the clock was ahead when it began.
_over = or_(lease.c.expires <= bindparam("now"), lease.c.expires > bindparam("latest"))
# What somebody holds, and what anybody has held for too long.
_OPEN = (
    select(
        lease.c.id,
        lease.c.example_id,
        lease.c.annotator_id,
        lease.c.gold,
        lease.c.expires,
        example.c.content,
    )
    .join(example, example.c.id == lease.c.example_id)
    .where(
        lease.c.state == "open",
        or_(lease.c.annotator_id == bindparam("who"), _over),
    )
    .order_by(lease.c.id)
)
_EXPIRE = (
    update(lease)
    .where(lease.c.state == "open", _over)
    .values(state="expired")
    .returning(lease.c.round_id, lease.c.example_id, lease.c.gold)
)
_ANSWERED = exists().where(
    answer.c.example_id == queue.c.example_id, answer.c.annotator_id == bindparam("who")
)
_HOLDS = exists().where(
    lease.c.example_id == queue.c.example_id,
    lease.c.annotator_id == bindparam("who"),
    lease.c.state == "open",
)
_BEST = (
    select(queue.c.example_id)
    .where(queue.c.round_id == bindparam("round"), queue.c.remaining > 0, ~_ANSWERED, ~_HOLDS)
    .order_by(queue.c.position)
    .limit(bindparam("count"))
    .with_for_update(of=queue, skip_locked=True)
    .cte("best")
)
_TAKE_BEST = (
    update(queue)
    .where(
        queue.c.round_id == bindparam("round"),
        queue.c.example_id.in_(select(_BEST.c.example_id)),
        queue.c.remaining > 0,
    )
    .values(remaining=queue.c.remaining - 1)
    .returning(queue.c.position, queue.c.example_id)
)
_TAKE = (
    update(queue)
    .where(
        queue.c.round_id == bindparam("round"),
        queue.c.example_id == bindparam("example"),
        queue.c.remaining > 0,
    )
    .values(remaining=queue.c.remaining - 1)
)
_GIVE_BACK = (
    update(queue)
    .where(queue.c.round_id == bindparam("round"), queue.c.example_id == bindparam("example"))
    .values(remaining=queue.c.remaining + 1)
)
_of_lease = literal_column("lease.example_id", Integer)  # lest the table be searched again
_SHOWN = (
    lease.c.id,
    lease.c.example_id,
    lease.c.gold,
    lease.c.expires,
    select(example.c.content).where(example.c.id == _of_lease).scalar_subquery().label("content"),
)
_KEEP = (
    insert(lease)
    .values(
        round_id=bindparam("round"),
        example_id=bindparam("example"),
        annotator_id=bindparam("who"),
        gold=bindparam("known"),
        leased=bindparam("now"),
        expires=bindparam("ends"),
        state="open",
    )
    .returning(*_SHOWN)
)
# Where a database can take and keep at one stroke.
_taken = _TAKE_BEST.cte("taken")
_TAKE_AND_KEEP = (
    insert(lease)
    .from_select(
        ["round_id", "example_id", "annotator_id", "gold", "leased", "expires", "state"],
        select(
            bindparam("round", type_=Integer),
            _taken.c.example_id,
            bindparam("who", type_=Integer),
            false(),
            bindparam("now", type_=Float),
            bindparam("ends", type_=Float),
            literal("open"),
        ).order_by(_taken.c.position),
    )
    .returning(*_SHOWN)
)
_REQUEST = (event.c.id, event.c.annotator_id, event.c.example_id, event.c.kind)
_LEASED = (
    select(
        lease.c.id,
        lease.c.round_id,
        lease.c.example_id,
        lease.c.annotator_id,
        lease.c.gold,
        lease.c.state,
        *(column.label(f"request_{column.name}") for column in _REQUEST),
    )
    .select_from(lease.outerjoin(event, event.c.request == bindparam("request")))
    .where(lease.c.id == bindparam("lease"))
    .with_for_update(of=lease)
)
_APPEND = (
    insert(event)
    .values(
        time=bindparam("now"),
        annotator_id=bindparam("who"),
        example_id=bindparam("example"),
        kind=bindparam("kind"),
        class_code=bindparam("class"),
        reason=bindparam("reason"),
        seconds=bindparam("seconds"),
        source=bindparam("source"),
        request=bindparam("request"),
    )
    .returning(event.c.id)
)
_SAID: dict[str, Any] = {
    "example_id": bindparam("example", type_=Integer),
    "annotator_id": bindparam("who", type_=Integer),
    "kind": bindparam("kind", type_=String),
    "class_code": bindparam("class", type_=Integer),
}
_ANSWER = insert(answer).values(**_SAID, event_id=bindparam("event"))
# What an answer changes; the lease is none where nobody was asked. A row that stays as it is is not locked.
_COUNT_EXAMPLE = (
    update(example)
    .where(example.c.id == bindparam("example"), bindparam("votes", type_=Integer) != 0)
    .values(num_labels=example.c.num_labels + bindparam("votes", type_=Integer))
)
_COUNT_ANNOTATOR = (
    update(annotator)
    .where(annotator.c.id == bindparam("who"), bindparam("asked", type_=Integer) != 0)
    .values(num_labels=annotator.c.num_labels + bindparam("asked", type_=Integer))
)
_ANSWERED_NOW = (
    update(lease).where(lease.c.id == bindparam("lease")).values(state="done", round_id=bindparam("round"))
)
# Where a database can do all of it at one stroke.
_appended = _APPEND.cte("appended")
_STORE = (
    insert(answer)
    .from_select([*_SAID, "event_id"], select(*_SAID.values()).add_columns(_appended.c.id))
    .add_cte(*(one.cte() for one in (_COUNT_EXAMPLE, _COUNT_ANNOTATOR, _ANSWERED_NOW)))
    .returning(answer.c.event_id)
)


def lease_examples(
    connection: Connection, settings: Settings, annotator_id: int, count: int, now: float
) -> list[Lease]:
    """The next examples of an annotator, most worth labelling first, kept for them.

    Leases they hold already come first. Fewer than ``count`` if there is nothing else for them, or the
    budget is spent.

    Raises
    ------
    InputError
        If the annotator is unknown or disabled.
    """
    share_round(connection)
    return _lease(connection, settings, annotator_id, _working(connection, annotator_id), count, now)


def _lease(
    connection: Connection, settings: Settings, annotator_id: int, who: _Working, count: int, now: float
) -> list[Lease]:
    latest = now + settings.lease_seconds + CLOCK_SECONDS
    rows = connection.execute(_OPEN, {"who": annotator_id, "now": now, "latest": latest}).all()
    if any(not now < row.expires <= latest for row in rows):
        reclaim(connection, now, latest)
    leases = [
        _leased(row) for row in rows if row.annotator_id == annotator_id and now < row.expires <= latest
    ][:count]
    wanted = count - len(leases)
    if settings.budget is not None and wanted:
        wanted = max(min(wanted, labels_left(connection, settings.budget)), 0)
    served = who.num_labels + len(leases)
    share = left_of_share(connection, settings, annotator_id, who.round)
    known = sum(_gold_is_due(settings, annotator_id, served + turn) for turn in range(wanted))
    for example_id in _gold_examples(connection, annotator_id, known, served):
        leases.append(_keep(connection, settings, annotator_id, -1, example_id, True, now))
        wanted -= 1
    wanted = wanted if share is None else min(wanted, share)
    while wanted > 0 and who.round >= 0:
        taken = _take_best(connection, settings, annotator_id, who.round, wanted, now)
        leases += taken
        wanted -= len(taken)
        if not taken and not extend_queue(connection, settings, who.round):
            break
    return leases


@dataclass(frozen=True)
class _Working:
    """Somebody who may label, and the round that is served."""

    num_labels: int
    round: int


def _working(connection: Connection, annotator_id: int) -> _Working:
    """Somebody who may label, kept from their other requests until the transaction ends."""
    row = connection.execute(_WHO, {"who": annotator_id}).one_or_none()
    if row is None or row.disabled:
        raise InputError("this account is disabled; ask whoever leads the project.")
    return _Working(row.num_labels, -1 if row.round is None else int(row.round))


def _take_best(
    connection: Connection, settings: Settings, annotator_id: int, number: int, count: int, now: float
) -> list[Lease]:
    """Lease the best examples of a round that are free and new to somebody."""
    wanted = {"round": number, "who": annotator_id, "count": count}
    if connection.dialect.name == "postgresql":
        circumstances = {"now": now, "ends": now + settings.lease_seconds}
        rows = connection.execute(_TAKE_AND_KEEP, wanted | circumstances).all()
        return [_leased(row) for row in sorted(rows)]
    taken = connection.execute(_TAKE_BEST, wanted).all()
    return [
        _keep(connection, settings, annotator_id, number, example_id, False, now)
        for _, example_id in sorted(taken)
    ]


def _leased(row: Any) -> Lease:
    return Lease(row.id, row.example_id, row.gold, row.expires, json.loads(row.content))


def _take(connection: Connection, number: int, example_id: int) -> bool:
    """Take a free slot of an example, if there is one."""
    return bool(connection.execute(_TAKE, {"round": number, "example": example_id}).rowcount)


def _give_back(connection: Connection, number: int, example_id: int) -> None:
    """Give a slot back."""
    connection.execute(_GIVE_BACK, {"round": number, "example": example_id})


def reclaim(connection: Connection, now: float, latest: float = math.inf) -> int:
    """Return to the queue what is leased for too long, or beyond a moment; how many leases ended."""
    ended = connection.execute(_EXPIRE, {"now": now, "latest": latest}).all()
    for row in ended:
        if not row.gold:
            _give_back(connection, row.round_id, row.example_id)
    return len(ended)


def labels_left(connection: Connection, budget: int) -> int:
    """Labels that may still be leased: the budget less those given here and those leased now."""
    given = select(func.coalesce(func.sum(annotator.c.num_labels), 0))
    leased = select(func.count()).select_from(lease).where(lease.c.state == "open")
    left = budget - connection.execute(given).scalar_one() - connection.execute(leased).scalar_one()
    if left < _CAREFUL and connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK_BUDGET)))
        left = budget - connection.execute(given).scalar_one() - connection.execute(leased).scalar_one()
    return int(left)


def _gold_is_due(settings: Settings, annotator_id: int, turn: int) -> bool:
    """Whether a turn is one for gold: at random with the project's rate, but the same when asked again."""
    if not settings.gold_rate:
        return False
    digest = hashlib.blake2b(f"{settings.seed}/{annotator_id}/{turn}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < settings.gold_rate * 2**64


def _gold_examples(connection: Connection, annotator_id: int, count: int, served: int) -> list[int]:
    if not count:
        return []
    answered = select(answer.c.example_id).where(answer.c.annotator_id == annotator_id)
    held = select(lease.c.example_id).where(lease.c.annotator_id == annotator_id, lease.c.state == "open")
    free = (
        connection.execute(
            select(example.c.id)
            .where(example.c.gold.is_not(None), example.c.id.not_in(answered), example.c.id.not_in(held))
            .order_by(example.c.id)
        )
        .scalars()
        .all()
    )
    # Everybody meets them in an order of their own, so that nobody can warn the next.
    return sorted(free, key=lambda code: hashlib.blake2b(f"{annotator_id}/{code}".encode()).digest())[:count]


def _keep(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    number: int,
    example_id: int,
    gold: bool,
    now: float,
) -> Lease:
    kept = {
        "round": number,
        "example": example_id,
        "who": annotator_id,
        "known": gold,
        "now": now,
        "ends": now + settings.lease_seconds,
    }
    return _leased(connection.execute(_KEEP, kept).one())


def record(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    lease_id: int,
    reply: Answer,
    now: float,
    *,
    then_lease: int = 0,
) -> tuple[Recorded, list[Lease]]:
    """Store the answer to a lease, and lease the next examples as `lease_examples` does.

    An answer that comes after the lease has ended counts if nobody else has the example meanwhile. A
    request that was stored before is told so and stored once.

    Raises
    ------
    ConflictError
        If the lease is answered, belongs to somebody else, or its example went to others; or the
        request was one for something else.
    InputError
        If the annotator is disabled.
    """
    share_round(connection)
    who = _working(connection, annotator_id)
    row = connection.execute(_LEASED, {"lease": lease_id, "request": reply.request}).one_or_none()
    if row is None or row.annotator_id != annotator_id:
        raise ConflictError("there is no such lease of yours.")
    stored = None
    if row.request_id is not None:
        before = (row.request_id, row.request_annotator_id, row.request_example_id, row.request_kind)
        stored = _repeated(before, annotator_id, row.example_id, ANSWERS)
    if stored is None:
        stored = _store_answer(connection, settings, who.round, row, reply, now)
        asked = reply.kind == "label" and reply.source in ASKED
        who = replace(who, num_labels=who.num_labels + asked)
    following = _lease(connection, settings, annotator_id, who, then_lease, now) if then_lease else []
    return stored, following


def _store_answer(
    connection: Connection, settings: Settings, current: int, row: Any, reply: Answer, now: float
) -> Recorded:
    """Store the answer to a lease that is their own."""
    if row.state == "done":
        raise ConflictError("this example is answered already; undo to change the answer.")
    if row.state == "expired":
        row = _leased_again(connection, row)
    if row.state == "expired":
        budget = settings.budget if reply.kind == "label" else None
        if budget is not None and labels_left(connection, budget) < 1:
            raise ConflictError("it took too long: the budget is spent meanwhile.")
        if not row.gold and not _take(connection, current, row.example_id):
            raise ConflictError("it took too long: the example has gone to somebody else.")
    # A lease that had ended is of the round it was taken again in.
    number = current if row.state == "expired" else row.round_id
    stored = _append(connection, row.annotator_id, row.example_id, reply, now, row.id, number)
    if reply.kind != "label" and not row.gold:
        _give_back(connection, number, row.example_id)
    return stored


def _leased_again(connection: Connection, row: Any) -> Any:
    """The open lease of the same example to the same person, if there is one, in place of one that ended."""
    again = connection.execute(
        select(lease).where(
            lease.c.annotator_id == row.annotator_id,
            lease.c.example_id == row.example_id,
            lease.c.state == "open",
        )
    ).one_or_none()
    return row if again is None else again


def put_answer(
    connection: Connection, annotator_id: int, example_id: int, reply: Answer, now: float
) -> Recorded:
    """Store an answer that was given elsewhere, without a lease; it replaces their last."""
    share_round(connection)
    connection.execute(_WHO, {"who": annotator_id})
    known = known_request(connection, reply.request, annotator_id, example_id, (reply.kind,))
    if known is not None:
        return known
    if example_id >= load_value(connection, "num_examples", 0) or example_id < 0:
        raise InputError(f"there is no example {example_id:,}.")
    before = connection.execute(
        select(answer).where(answer.c.example_id == example_id, answer.c.annotator_id == annotator_id)
    ).one_or_none()
    if before is not None:
        _remove(connection, before, now, reply.source)
    stored = _append(connection, annotator_id, example_id, reply, now)
    connection.execute(
        update(lease)
        .where(
            lease.c.annotator_id == annotator_id,
            lease.c.example_id == example_id,
            lease.c.state == "open",
        )
        .values(state="done")
    )
    settle_again(connection, load_settings(connection), [example_id])
    return stored


def take_back(connection: Connection, annotator_id: int, example_id: int, now: float, *, source: str) -> bool:
    """Undo an answer that was deleted elsewhere; False if there is none."""
    share_round(connection)
    connection.execute(_WHO, {"who": annotator_id})
    before = connection.execute(
        select(answer).where(answer.c.example_id == example_id, answer.c.annotator_id == annotator_id)
    ).one_or_none()
    if before is None:
        return False
    _remove(connection, before, now, source)
    settle_again(connection, load_settings(connection), [example_id])
    return True


def undo(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    now: float,
    *,
    source: str = "api",
    request: str | None = None,
) -> Lease | None:
    """Take back the last answer of an annotator, and lease its example to them again.

    Returns
    -------
    Lease or None
        None if another person has the example now, so that it cannot come back to this one.

    Raises
    ------
    ConflictError
        If there is nothing to undo: no answer of theirs is later than the last training.
    InputError
        If the annotator is disabled.
    """
    share_round(connection)
    number = _working(connection, annotator_id).round
    if request is not None:
        known = known_request(connection, request, annotator_id, None, ("undo",))
        if known is not None:
            undone = connection.execute(
                select(event.c.example_id).where(event.c.id == known.event_id)
            ).scalar_one()
            held = {"who": annotator_id, "now": now, "latest": math.inf}
            rows = connection.execute(_OPEN, held).all()
            return next(
                (
                    _leased(row)
                    for row in rows
                    if row.annotator_id == annotator_id and row.example_id == undone and row.expires > now
                ),
                None,
            )
    last = connection.execute(
        select(answer)
        .where(answer.c.annotator_id == annotator_id)
        .order_by(answer.c.event_id.desc())
        .limit(1)
        .with_for_update()
    ).one_or_none()
    if last is None or number < 0 or last.event_id <= get_round(connection, number).last_event:
        raise ConflictError("there is nothing to undo: your earlier answers are part of a training.")
    _remove(connection, last, now, source, request)
    gold = (
        connection.execute(select(example.c.gold).where(example.c.id == last.example_id)).scalar() is not None
    )
    # A label had kept its slot; the slot of a skip may have gone to somebody else.
    if not gold and last.kind != "label" and not _take(connection, number, last.example_id):
        return None
    return _keep(connection, settings, annotator_id, -1 if gold else number, last.example_id, gold, now)


def known_request(
    connection: Connection,
    request: str | None,
    annotator_id: int,
    example_id: int | None,
    kinds: tuple[str, ...],
) -> Recorded | None:
    """What a request has stored before; an error if that was something else than is asked for now."""
    if request is None:
        return None
    row = connection.execute(select(*_REQUEST).where(event.c.request == request)).one_or_none()
    return None if row is None else _repeated(tuple(row), annotator_id, example_id, kinds)


def _repeated(
    before: tuple[Any, ...], annotator_id: int, example_id: int | None, kinds: tuple[str, ...]
) -> Recorded:
    identity, by, of, kind = before
    if by != annotator_id:
        raise ConflictError("this request was used by somebody else.")
    if kind not in kinds or example_id not in (None, of):
        raise ConflictError("this request was used for something else; give each a name of its own.")
    return Recorded(identity, repeated=True)


def _append(
    connection: Connection,
    annotator_id: int,
    example_id: int,
    reply: Answer,
    now: float,
    lease_id: int | None = None,
    number: int | None = None,
) -> Recorded:
    """Store an answer, and what it changes: counts, and the lease and its round if it is one to a lease."""
    said = {"example": example_id, "who": annotator_id, "kind": reply.kind, "class": reply.class_code}
    circumstances = {
        "now": now,
        "reason": reply.reason,
        "seconds": reply.seconds,
        "source": reply.source,
        "request": reply.request,
    }
    votes = int(reply.kind == "label")
    # The budget counts what was asked for here, not imports.
    asked = votes if reply.source in ASKED else 0
    leased = {"lease": lease_id, "round": number}
    try:
        if connection.dialect.name == "postgresql":
            everything = said | circumstances | leased | {"votes": votes, "asked": asked}
            return Recorded(connection.execute(_STORE, everything).scalar_one())
        identity = connection.execute(_APPEND, said | circumstances).scalar_one()
        connection.execute(_ANSWER, said | {"event": identity})
    except IntegrityError as error:
        raise ConflictError("this annotator has answered this example already.") from error
    _count(connection, annotator_id, example_id, votes, asked)
    if lease_id is not None:
        connection.execute(_ANSWERED_NOW, leased)
    return Recorded(identity)


def _remove(connection: Connection, before: Any, now: float, source: str, request: str | None = None) -> None:
    """Append that an answer is undone, and forget it where answers are derived."""
    connection.execute(
        insert(event),
        {
            "time": now,
            "annotator_id": before.annotator_id,
            "example_id": before.example_id,
            "kind": "undo",
            "class_code": None,
            "reason": None,
            "seconds": None,
            "source": source,
            "undoes": before.event_id,
            "request": request,
        },
    )
    connection.execute(
        delete(answer).where(
            answer.c.example_id == before.example_id, answer.c.annotator_id == before.annotator_id
        )
    )
    if before.kind == "label":
        origin = connection.execute(select(event.c.source).where(event.c.id == before.event_id)).scalar_one()
        _count(connection, before.annotator_id, before.example_id, -1, -(origin in ASKED))


def _count(connection: Connection, annotator_id: int, example_id: int, votes: int, asked: int) -> None:
    if votes:
        connection.execute(_COUNT_EXAMPLE, {"example": example_id, "votes": votes})
    if asked:
        connection.execute(_COUNT_ANNOTATOR, {"who": annotator_id, "asked": asked})


ASKED = ("page", "api", "connector")
