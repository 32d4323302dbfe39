"""Who labels what next: leases, answers, undo.

All functions work inside a transaction of the caller. A slot of the queue is free while ``remaining``
is positive; a lease takes one, a label keeps it, anything else gives it back. An UPDATE that repeats the
condition changes it, so that two servers cannot both take the last slot.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Float,
    Integer,
    Select,
    String,
    bindparam,
    case,
    cast,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    union,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningUpdate

from activelab._errors import InputError
from activelab.project.labelling.class_history import VERSION, class_version
from activelab.project.labelling.rounds import (
    CHUNK,
    Question,
    covers,
    extend_queue,
    get_round,
    is_wanted,
    settle_again,
    share_round,
    sharing_round,
)
from activelab.project.labelling.shares import left_of_share
from activelab.project.settings import Settings, load_settings, load_value
from activelab.project.store.database import project_lock
from activelab.project.store.schema import (
    WAITS,
    WHOLE,
    annotator,
    answer,
    event,
    example,
    is_open,
    label_set,
    lease,
    practice,
    queue,
    round_,
    setting,
)
from activelab.project.store.statements import ALONE, Statement, Steps, execute, finish

ABSTENTION = "unsure"
"""The kind of answers that say "I cannot tell": no label, but they say something of example and person."""

ANSWERS = ("label", "skip", ABSTENTION)

COLLECTED = ("page", "api", "connector")
"""Sources of answers that were asked for here: the budget counts these labels."""

CLOCK_SECONDS = 60.0
"""How far the clocks of servers may differ."""

# Near the end of the budget leases are given one after the other, so that it is not overdrawn.
_CAREFUL = 500
_PLENTY = "plenty waits"
_ALL_THERE = "all of the order is in the queue"
_MOMENT = 1.0  # seconds in which fewer than a chunk are taken: what was plenty still is enough
_ROUNDING = 1e-9  # of a budget that is counted in parts of a label
_LOCK_BUDGET = 7_206_002
_LOCK_SHOWN = 7_206_004
_LATELY = 180.0  # seconds for which others rather get other examples than those somebody was only shown


class ConflictError(RuntimeError):
    """What was asked for is no longer possible, as an answer to an example that others have now."""


class ClassesChangedError(ConflictError):
    """Codes were worked out from classes that have changed meanwhile."""


@dataclass(frozen=True)
class Lease:
    """An example kept for one annotator.

    Attributes
    ----------
    id : int
    example_id : int
        Row of the pool.
    asked : int
        Code of the class that is asked about, or `WHOLE`.
    gold : bool
        Whether its right answer is known. Never shown to the annotator.
    expires : float
        Seconds since 1970.
    content : dict
        What there is to see of it.
    """

    id: int
    example_id: int
    asked: int
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
        The class, of a label alone; of one about a single class a set of it, or the empty set.
    reason : str or None
        Of a skip; of anything else a note.
    seconds : float or None
        Between seeing the example and answering.
    source : {"page", "api", "import", "connector"}
    request : str or None
        Chosen by the client: an answer sent twice under one counts once.
    asked : int
        Code of the class it is about, or `WHOLE`.
    version : int or None
        Of the classes the codes are of (see `class_history`); None if they were read in this transaction.
    bulk : bool
        Whether it was given to many examples at once.
    flagged : bool
        Whether whoever leads should look at it.

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
    asked: int = WHOLE
    version: int | None = None
    bulk: bool = False
    flagged: bool = False

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


_AGAIN = annotator.c.retrain > func.coalesce(annotator.c.admitted, 0.0)
"""Whether somebody was sent to practise again, and has not passed since."""

# Statements are built once: they are executed for every label.
# The lock lets one person's requests wait for each other, so that two of them cannot take the same example.
_WHO = Statement(
    select(
        annotator.c.disabled,
        annotator.c.num_labels,
        _AGAIN.label("again"),
        select(setting.c.value).where(setting.c.name == "current_round").scalar_subquery().label("round"),
        VERSION.scalar_subquery().label("version"),
    )
    .where(annotator.c.id == bindparam("who"))
    .with_for_update(of=annotator, key_share=True)
)
# A lease may also end later than any that begins now: the clock was ahead when it began.
_over = or_(lease.c.expires <= bindparam("now"), lease.c.expires > bindparam("latest"))
# What somebody holds, and what anybody has held for too long.
_OPEN = Statement(
    select(
        lease.c.id,
        lease.c.example_id,
        lease.c.asked,
        lease.c.annotator_id,
        lease.c.gold,
        lease.c.leased,
        lease.c.expires,
    )
    .where(
        is_open(),
        or_(lease.c.annotator_id == bindparam("who"), _over),
    )
    .order_by(lease.c.id)
)
_held = lease.alias("held")
_SEEN = (
    select(lease.c.example_id, lease.c.asked, lease.c.gold)
    .where(
        lease.c.id.in_(bindparam("ids", expanding=True)),
        lease.c.annotator_id == bindparam("who"),
        lease.c.state == "expired",
        ~exists().where(
            _held.c.annotator_id == lease.c.annotator_id,
            _held.c.example_id == lease.c.example_id,
            is_open(_held),
        ),
        ~exists().where(
            answer.c.annotator_id == lease.c.annotator_id,
            answer.c.example_id == lease.c.example_id,
            or_(answer.c.asked == WHOLE, answer.c.asked == lease.c.asked),
        ),
    )
    .order_by(lease.c.id)
)
# Whoever is heard of keeps what they hold; each lease is written again at most twice in its time.
_RENEW = (
    update(lease)
    .where(
        lease.c.annotator_id == bindparam("who"),
        is_open(),
        lease.c.expires > bindparam("now"),
        lease.c.expires < bindparam("soon"),
    )
    .values(expires=bindparam("ends"))
)
_EXPIRE = (
    update(lease)
    .where(is_open(), _over)
    .values(state="expired")
    .returning(lease.c.round_id, lease.c.example_id, lease.c.asked, lease.c.gold)
)
_before = lease.alias("before")
_AHEAD = (
    select(lease.c.id)
    .where(
        is_open(),
        lease.c.example_id == bindparam("example"),
        lease.c.asked == bindparam("about"),
        lease.c.annotator_id != bindparam("who"),
        exists().where(
            _before.c.annotator_id == lease.c.annotator_id,
            is_open(_before),
            _before.c.id < lease.c.id,
        ),
    )
    .order_by(lease.c.id.desc())
    .limit(1)
)
_FINISHED = Statement(select(round_.c.finished).where(round_.c.id == bindparam("round")))
_RETURN = (
    update(lease)
    .where(lease.c.id.in_(bindparam("ids", expanding=True)), is_open())
    .values(state="expired")
    .returning(lease.c.round_id, lease.c.example_id, lease.c.asked, lease.c.gold)
)
# Whoever has passed an example over is asked nothing more about it.
_NO_MORE = (
    update(lease)
    .where(
        lease.c.annotator_id == bindparam("who"),
        lease.c.example_id == bindparam("example"),
        is_open(),
    )
    .values(state="expired")
    .returning(lease.c.round_id, lease.c.example_id, lease.c.asked, lease.c.gold)
)
_ANSWERED = exists().where(
    answer.c.example_id == queue.c.example_id,
    answer.c.annotator_id == bindparam("who"),
    or_(covers(answer.c.asked), answer.c.kind == "skip"),
)
_HOLDS = exists().where(
    lease.c.example_id == queue.c.example_id,
    lease.c.annotator_id == bindparam("who"),
    is_open(),
    or_(covers(lease.c.asked), queue.c.asked == WHOLE),
)
# What others were shown since a moment, of the last leases, and was not kept for them: it ended as it began.
_last = (
    select(lease.c.example_id, lease.c.asked, lease.c.annotator_id, lease.c.leased, lease.c.expires)
    .order_by(lease.c.id.desc())
    .limit(literal_column("100"))
    .subquery("last")
)
_SHOWN_LATELY = select(_last.c.example_id, _last.c.asked).where(
    _last.c.leased > bindparam("since", type_=Float),
    _last.c.expires == _last.c.leased,
    _last.c.annotator_id != bindparam("who"),
)
_FREE = (
    select(queue.c.example_id, queue.c.asked)
    .where(
        queue.c.round_id == bindparam("round"),
        WAITS,
        queue.c.asked >= bindparam("least"),
        ~_ANSWERED,
        ~_HOLDS,
        tuple_(queue.c.example_id, queue.c.asked).not_in(_SHOWN_LATELY),
    )
    .order_by(queue.c.position)
    .limit(bindparam("count"))
)
_BEST = _FREE.with_for_update(of=queue, skip_locked=True).cte("best")
_TAKE_BEST = Statement(
    update(queue)
    .where(
        queue.c.round_id == bindparam("round"),
        tuple_(queue.c.example_id, queue.c.asked).in_(select(_BEST.c.example_id, _BEST.c.asked)),
        WAITS,
    )
    .values(remaining=queue.c.remaining - 1)
    .returning(queue.c.position, queue.c.example_id, queue.c.asked)
)
# Of some examples: what the queue still asks of each, which it has come to, which somebody has met.
_ASKED_OF = (
    select(queue.c.example_id, queue.c.asked)
    .where(
        queue.c.round_id == bindparam("round"),
        queue.c.example_id.in_(bindparam("examples", expanding=True)),
        queue.c.remaining > 0,
        ~_ANSWERED,
        ~_HOLDS,
    )
    .order_by(queue.c.position)
)
_REACHED = select(queue.c.example_id).where(
    queue.c.round_id == bindparam("round"), queue.c.example_id.in_(bindparam("examples", expanding=True))
)
_MET = union(
    *(
        select(one.c.example_id).where(
            one.c.annotator_id == bindparam("who"),
            one.c.example_id.in_(bindparam("examples", expanding=True)),
            *more,
        )
        for one, more in ((answer, ()), (lease, (lease.c.state == "open",)))
    )
)
_about = bindparam("about", type_=Integer)
_TAKE = Statement(
    update(queue)
    .where(
        queue.c.round_id == bindparam("round"),
        queue.c.example_id == bindparam("example"),
        queue.c.asked == _about,
        WAITS,
    )
    .values(remaining=queue.c.remaining - 1)
    .returning(queue.c.position)
)
_GIVE_BACK = (
    update(queue)
    .where(queue.c.round_id == bindparam("round"), queue.c.example_id == bindparam("example"), covers(_about))
    .values(remaining=queue.c.remaining + 1)
)
# How many others hold something, and how much all hold.
_AT_WORK = Statement(
    select(
        select(func.count(lease.c.annotator_id.distinct()))
        .where(is_open(), lease.c.annotator_id != bindparam("who"))
        .scalar_subquery()
        .label("others"),
        select(func.count()).where(is_open()).scalar_subquery().label("held"),
    )
)
# How much waits, up to a number that is plenty.
_WAITING = Statement(
    select(func.count().label("free")).select_from(
        select(literal(1))
        .where(queue.c.round_id == bindparam("round"), WAITS)
        .limit(bindparam("most"))
        .subquery()
    )
)
_of_lease = literal_column("lease.example_id", Integer)  # lest the table be searched again
_SHOWN = (
    lease.c.id,
    lease.c.example_id,
    lease.c.asked,
    lease.c.gold,
    lease.c.expires,
    select(example.c.content).where(example.c.id == _of_lease).scalar_subquery().label("content"),
)
_OWN = (
    select(*_SHOWN)
    .where(
        lease.c.annotator_id == bindparam("who"),
        lease.c.state == "open",
        lease.c.expires > bindparam("now"),
    )
    .order_by(lease.c.id)
)
_KEEP = Statement(
    insert(lease)
    .values(
        round_id=bindparam("round"),
        example_id=bindparam("example"),
        asked=_about,
        annotator_id=bindparam("who"),
        gold=bindparam("known"),
        leased=bindparam("now"),
        expires=bindparam("ends"),
        state=bindparam("state"),
    )
    .returning(*_SHOWN)
)
_CONTENTS = Statement(
    select(*_SHOWN).where(lease.c.id.in_(bindparam("ids", expanding=True))).order_by(lease.c.id)
)
# Where a database can take and keep at one stroke.
_taken = _TAKE_BEST.clause.cte("taken")
_TAKE_AND_KEEP = Statement(
    insert(lease)
    .from_select(
        ["round_id", "example_id", "asked", "annotator_id", "gold", "leased", "expires", "state"],
        select(
            bindparam("round", type_=Integer),
            _taken.c.example_id,
            _taken.c.asked,
            bindparam("who", type_=Integer),
            false(),
            bindparam("now", type_=Float),
            bindparam("ends", type_=Float),
            literal("open"),
        ).order_by(_taken.c.position),
    )
    .returning(*_SHOWN),
    in_order=True,
)
_REQUEST = (event.c.id, event.c.annotator_id, event.c.example_id, event.c.asked, event.c.kind)
_LEASED = Statement(
    select(
        lease.c.id,
        lease.c.round_id,
        lease.c.example_id,
        lease.c.asked,
        lease.c.annotator_id,
        lease.c.gold,
        lease.c.state,
        *(column.label(f"request_{column.name}") for column in _REQUEST),
    )
    .select_from(lease.outerjoin(event, event.c.request == bindparam("request")))
    .where(lease.c.id == bindparam("lease"))
    .with_for_update(of=lease)
)
_APPEND = Statement(
    insert(event)
    .values(
        time=bindparam("now"),
        annotator_id=bindparam("who"),
        example_id=bindparam("example"),
        kind=bindparam("kind"),
        class_code=bindparam("class"),
        asked=_about,
        reason=bindparam("reason"),
        seconds=bindparam("seconds"),
        source=bindparam("source"),
        request=bindparam("request"),
        bulk=bindparam("in_bulk"),
        flagged=bindparam("flag"),
    )
    .returning(event.c.id)
)
_SAID: dict[str, Any] = {
    "example_id": bindparam("example", type_=Integer),
    "annotator_id": bindparam("who", type_=Integer),
    "kind": bindparam("kind", type_=String),
    "class_code": bindparam("class", type_=Integer),
    "asked": _about,
    "bulk": cast(bindparam("in_bulk", type_=Boolean), Boolean),
    "flagged": cast(bindparam("flag", type_=Boolean), Boolean),
}
_ANSWER = Statement(insert(answer).values(**_SAID, event_id=bindparam("event")))
# What an answer changes; the lease is none where nobody was asked. A row that stays as it is is not locked.
_COUNT_EXAMPLE = Statement(
    update(example)
    .where(example.c.id == bindparam("example"), bindparam("votes", type_=Integer) != 0)
    .values(num_labels=example.c.num_labels + bindparam("votes", type_=Integer))
)
_COUNT_ANNOTATOR = Statement(
    update(annotator)
    .where(annotator.c.id == bindparam("who"), bindparam("collected", type_=Integer) != 0)
    .values(
        num_labels=annotator.c.num_labels + bindparam("collected", type_=Integer),
        num_single=annotator.c.num_single + bindparam("single", type_=Integer),
    )
)
_ANSWERED_NOW = Statement(
    update(lease).where(lease.c.id == bindparam("lease")).values(state="done", round_id=bindparam("round"))
)
# Where a database can do all of it at one stroke.
_appended = _APPEND.clause.cte("appended")
_STORE = Statement(
    insert(answer)
    .from_select([*_SAID, "event_id"], select(*_SAID.values()).add_columns(_appended.c.id))
    .add_cte(*(one.clause.cte() for one in (_COUNT_EXAMPLE, _COUNT_ANNOTATOR, _ANSWERED_NOW)))
    .returning(answer.c.event_id)
)


def lease_examples(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    count: int | None,
    now: float,
    *,
    have: Sequence[int] = (),
    hold: bool = True,
) -> list[Lease]:
    """The next examples of an annotator, most worth labelling first, kept for them.

    Leases they hold already come first. Fewer than ``count`` if there is nothing else for them, or the
    budget is spent.

    Parameters
    ----------
    connection : Connection
    settings : Settings
    annotator_id : int
    count : int or None
        None for as many as they may hold ahead: ``settings.leased_ahead``, but no more than their share of
        what waits, `_share`. Leases that end soon are then kept on.
    now : float
    have : sequence of int
        Leases to leave out of the answer, the one that is looked at first. With None for ``count``, the
        others go back if they are older than the round that is served.
    hold : bool
        Whether to keep them. If not, and nothing is held, they come with leases that have ended already:
        an answer counts if the example is still free, and nobody waits for it meanwhile.

    Raises
    ------
    InputError
        If the annotator is unknown or disabled.
    """
    share_round(connection)
    who = working(connection, settings, annotator_id)
    return finish(connection, _lease(connection, settings, annotator_id, who, count, now, have, hold))


def _lease(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    who: _Working,
    count: int | None,
    now: float,
    have: Sequence[int] = (),
    hold: bool = True,
) -> Steps[list[Lease]]:
    latest = now + settings.lease_seconds + CLOCK_SECONDS
    rows = yield _OPEN, {"who": annotator_id, "now": now, "latest": latest}
    if any(not now < row.expires <= latest for row in rows):
        reclaim(connection, now, latest)
    own = [row for row in rows if row.annotator_id == annotator_id and now < row.expires <= latest]
    bare = [*{*have} - {row.id for row in own}] if hold else []
    left = math.inf
    if settings.budget is not None and (count is None or len(own) < count):
        left = labels_left(connection, settings) + _ROUNDING
        if left < _CAREFUL:
            yield ALONE
            left = labels_left(connection, settings) + _ROUNDING
    if count is None:
        own = yield from _exchange(connection, who.round, own, have)
        _renew(connection, settings, annotator_id, own, now)
        share_now = yield from _share(connection, settings, annotator_id, who.round, left)
        count = max(share_now, len(own))
    own = own[:count]
    missing = [row.id for row in own if row.id not in have]
    leases = [_leased(row) for row in (yield _CONTENTS, {"ids": missing})] if missing else []
    wanted = count - len(own) if hold or not own else 0
    wanted = wanted if left == math.inf else max(min(wanted, int(left / settings.least_price)), 0)
    served = who.num_labels + len(own)
    share = left_of_share(connection, settings, annotator_id, who.round)
    due = [turn for turn in range(wanted) if gold_is_due(settings, annotator_id, served + turn)]
    known = list[Lease]()
    for example_id in gold_examples(connection, annotator_id, len(due), served):
        about = _asked_of_gold(settings, annotator_id, example_id)
        if settings.price_of_answer(about) <= left:
            question = example_id, about
            known.append(keep(connection, settings, annotator_id, -1, question, True, now, hold))
            left -= settings.price_of_answer(about)
            wanted -= 1
    wanted = wanted if share is None else min(wanted, share)
    # What they see already comes first: what they hold behind it goes to others who answer it before them.
    seen = _keep_seen(connection, settings, annotator_id, who.round, bare, min(wanted, left), now)
    fresh = [one for one in seen if not one.gold]
    leases += [one for one in seen if one.gold]
    wanted -= len(seen)
    left -= sum(settings.price_of_answer(one.asked) for one in seen)
    if not hold and connection.dialect.name == "postgresql":
        connection.execute(project_lock(_LOCK_SHOWN))  # what others are shown at this moment is known, too
    more = True
    while wanted > 0 and who.round >= 0 and left >= settings.least_price:
        # No question costs more than a label; with less than one left, one class can be asked about.
        some, least = (int(min(wanted, left)), WHOLE) if left >= 1 else (1, 0)
        taken = yield from _take_best(connection, settings, annotator_id, who.round, some, least, now, hold)
        fresh += taken
        wanted -= len(taken)
        left -= sum(settings.price_of_answer(one.asked) for one in taken)
        if not hold and taken:
            break
        if not taken:
            if not more or not extend_queue(connection, settings, who.round):
                break
            more = least == WHOLE
    # Each known one at its turn: all of them first would tell which they are.
    for turn, one in zip(due, known, strict=False):
        fresh.insert(turn, one)
    return leases + fresh


def lease_about(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    examples: Sequence[int],
    now: float,
    *,
    hold: bool = True,
) -> list[Lease]:
    """What the round still asks of some examples, kept for somebody who has them before their eyes anyway.

    Parameters
    ----------
    connection : Connection
    settings : Settings
    annotator_id : int
    examples : sequence of int
        Those they have answered or hold, whose right answer is known, or that others see to, are left out.
    now : float
    hold : bool
        As of `lease_examples`.

    Raises
    ------
    InputError
        If the annotator is unknown or disabled.
    ConflictError
        If they have to practise first.
    """
    share_round(connection)
    who = working(connection, settings, annotator_id)
    if who.round < 0:
        return []
    about = {"round": who.round, "who": annotator_id, "examples": [*examples]}
    wanted = [(row.example_id, row.asked) for row in connection.execute(_ASKED_OF, about)]
    beyond = {*examples} - {*connection.execute(_REACHED, about).scalars()}
    if beyond and settings.ask == "examples":
        beyond -= {*connection.execute(_MET, about).scalars()}
        wanted += [(code, WHOLE) for code in examples if code in beyond]
    left = math.inf
    if wanted and settings.budget is not None:
        left = labels_left(connection, settings) + _ROUNDING
    share = left_of_share(connection, settings, annotator_id, who.round)
    leases = list[Lease]()
    for question in wanted:
        price = settings.price_of_answer(question[1])
        if price > left or len(leases) == share:
            break
        listed = question[0] not in beyond
        free = take(connection, who.round, question) if listed and hold else listed
        if free or (not listed and is_wanted(connection, who.round, question)):
            leases.append(keep(connection, settings, annotator_id, who.round, question, False, now, hold))
            left -= price
    return leases


def own_leases(connection: Connection, annotator_id: int, now: float) -> list[Lease]:
    """What somebody holds, the oldest first."""
    return [_leased(row) for row in connection.execute(_OWN, {"who": annotator_id, "now": now})]


def _keep_seen(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    number: int,
    bare: Sequence[int],
    most: float,
    now: float,
) -> list[Lease]:
    """Keep for somebody what bare leases only showed, as far as it is still to be had."""
    kept = list[Lease]()
    if not bare or most < 1:
        return kept
    for row in connection.execute(_SEEN, {"ids": bare, "who": annotator_id}):
        question = row.example_id, row.asked
        if len(kept) < most and (row.gold or (number >= 0 and take(connection, number, question))):
            place = -1 if row.gold else number
            kept.append(keep(connection, settings, annotator_id, place, question, row.gold, now))
    return kept


def _share(
    connection: Connection, settings: Settings, annotator_id: int, number: int, left: float
) -> Steps[int]:
    """How many examples somebody may hold, so that enough stays for the others.

    Of n examples that wait or are held, and that the budget has labels for, when m people hold some, the
    asking one included: n / (m + 1), so that whoever comes next finds something; but two, the one that is
    shown and the next, and no more than the settings say.
    """
    there = left / settings.least_price
    if there == math.inf and _holds_now(connection, _PLENTY, number):
        return settings.leased_ahead
    (at_work,) = yield _AT_WORK, {"who": annotator_id}
    others, held = int(at_work.others), int(at_work.held)
    enough = settings.leased_ahead * (others + 2)
    count = {"round": number, "most": enough + CHUNK}
    ((free,),) = yield _WAITING, count
    if free < enough + CHUNK and not _holds_now(connection, _ALL_THERE, number):
        yield ALONE  # one of those who go on side by side has the queue extended
        ((free,),) = yield _WAITING, count
        if free < enough + CHUNK:
            if not extend_queue(connection, settings, number):
                _note(connection, _ALL_THERE, number)
            ((free,),) = yield _WAITING, count
    if free == enough + CHUNK:
        _note(connection, _PLENTY, number)
    waits: float = min(int(free), there) + held
    share = max(math.ceil(waits / (others + 2)), 2)
    return min(share, settings.leased_ahead)


def _note(connection: Connection, what: str, number: int) -> None:
    """Remember of a round for a moment what need not be looked up for each answer."""
    connection.info[what] = number, time.monotonic() + _MOMENT


def _holds_now(connection: Connection, what: str, number: int) -> bool:
    of, until = connection.info.get(what, (None, 0.0))
    return bool(of == number and time.monotonic() < until)


def _exchange(connection: Connection, number: int, own: list[Any], have: Sequence[int]) -> Steps[list[Any]]:
    """What somebody still holds when what they took ahead before the last training has gone back.

    The round that is served now knows better what to ask; if it still is the same, it is taken again.
    """
    ahead = {*have[1:]}
    if not ahead:
        return own
    rows = yield _FINISHED, {"round": number}
    finished = (rows[0].finished if rows else None) or 0.0
    stale = {row.id for row in own if row.id in ahead and row.leased < finished and not row.gold}
    if stale:
        _end(connection, _RETURN, {"ids": [*stale]})
    return [row for row in own if row.id not in stale]


def _renew(connection: Connection, settings: Settings, annotator_id: int, own: list[Any], now: float) -> None:
    soon = now + settings.lease_seconds / 2
    if any(row.expires < soon for row in own):
        times = {"now": now, "soon": soon, "ends": now + settings.lease_seconds}
        connection.execute(_RENEW, {"who": annotator_id, **times})


def must_practise(connection: Connection, settings: Settings, annotator_id: int) -> bool:
    """Whether somebody has to practise before they get examples: who is new, and who was sent to do so again.

    Those who lead, accounts without a password, as programs have, and whoever has labelled here are not new;
    nobody has to where no answer is known.
    """
    new = annotator.c.admitted.is_(None) & (annotator.c.num_labels == 0)
    held = select(annotator.c.id).where(
        annotator.c.id == annotator_id,
        annotator.c.role == "annotator",
        or_(_AGAIN, new) if settings.training_examples else _AGAIN,
        annotator.c.password.is_not(None),
        exists().where(example.c.gold.is_not(None)),
    )
    return connection.execute(held).first() is not None


@dataclass(frozen=True)
class _Working:
    """Somebody who may label, and the round that is served."""

    num_labels: int
    round: int
    version: int
    practises: bool


def working(connection: Connection, settings: Settings, annotator_id: int) -> _Working:
    """Somebody who may label, kept from their other requests until the transaction ends."""
    return finish(connection, _working(connection, settings, annotator_id))


def _working(
    connection: Connection, settings: Settings, annotator_id: int, *, answers: bool = False
) -> Steps[_Working]:
    """`working`; whoever has to practise gets no examples, but what they have answered is not refused."""
    rows = yield _WHO, {"who": annotator_id}
    if not rows or rows[0].disabled:
        raise InputError("this account is disabled; ask whoever leads the project.")
    (row,) = rows
    practises = bool(row.again or settings.training_examples)
    practises = practises and must_practise(connection, settings, annotator_id)
    if practises and not answers:
        raise ConflictError("the examples to practise on come first: open the page Label.")
    return _Working(row.num_labels, -1 if row.round is None else int(row.round), row.version, practises)


def _take_best(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    number: int,
    count: int,
    least: int,
    now: float,
    hold: bool = True,
) -> Steps[list[Lease]]:
    """Lease the best of a round that is free and new to somebody; with 0 for ``least`` single classes.

    What others were shown lately, and may answer first, comes last.
    """
    wanted: dict[str, Any] = {"round": number, "who": annotator_id, "count": count, "least": least}
    times = now - _LATELY, math.inf
    if not hold:
        found = (connection.execute(_FREE, wanted | {"since": since}).all() for since in times)
        free = [*dict.fromkeys((*one,) for rows in found for one in rows)][:count]
        return [keep(connection, settings, annotator_id, number, one, False, now, hold) for one in free]
    leases = list[Lease]()
    for since in times:
        wanted |= {"count": count - len(leases), "since": since}
        if not wanted["count"]:
            break
        if connection.dialect.name == "postgresql":
            circumstances = {"now": now, "ends": now + settings.lease_seconds}
            rows = yield _TAKE_AND_KEEP, wanted | circumstances
            leases += [_leased(row) for row in sorted(rows)]
        else:
            taken = yield _TAKE_BEST, wanted
            for _, example_id, about in sorted(taken):
                kept = _kept(settings, annotator_id, number, (example_id, about), False, now)
                leases += map(_leased, (yield _KEEP, kept))
    return leases


def _leased(row: Any) -> Lease:
    return Lease(row.id, row.example_id, row.asked, row.gold, row.expires, json.loads(row.content))


def grid_of(connection: Connection, annotator_id: int) -> list[Lease]:
    """What somebody holds of a grid."""
    held = select(*_SHOWN).where(lease.c.annotator_id == annotator_id, is_open(), lease.c.bulk)
    return [_leased(row) for row in connection.execute(held.order_by(lease.c.id))]


def take(connection: Connection, number: int, question: Question) -> bool:
    """Take a free slot of a question, if there is one."""
    row = {"round": number, "example": question[0], "about": question[1]}
    return bool(execute(connection, _TAKE, row))


def _give_back(connection: Connection, number: int, question: Question) -> None:
    """Give a slot back."""
    connection.execute(_GIVE_BACK, {"round": number, "example": question[0], "about": question[1]})


def reclaim(connection: Connection, now: float, latest: float = math.inf) -> int:
    """Return to the queue what is leased for too long, or beyond a moment; how many leases ended."""
    return _end(connection, _EXPIRE, {"now": now, "latest": latest})


def _end(connection: Connection, which: ReturningUpdate[Any], values: dict[str, Any]) -> int:
    """End some leases, and give back what they held; how many."""
    ended = connection.execute(which, values).all()
    for row in ended:
        if not row.gold:
            _give_back(connection, row.round_id, (row.example_id, row.asked))
    return len(ended)


def held_by(connection: Connection, annotator_id: int, now: float) -> set[int]:
    """The leases somebody holds."""
    own = lease.c.annotator_id == annotator_id, is_open(), lease.c.expires > now
    return {*connection.execute(select(lease.c.id).where(*own)).scalars()}


def labels_left(connection: Connection, settings: Settings) -> float:
    """Labels that may still be leased: the budget less those given here and those leased now."""
    single = func.coalesce(func.sum(case((lease.c.asked == WHOLE, 0), else_=1)), 0)
    leased = select(func.count(), single).where(is_open())

    def left() -> float:
        held = connection.execute(leased).one()
        return (settings.budget or 0) - labels_spent(connection, settings) - settings.cost_of(*map(int, held))

    found = left()
    if found < _CAREFUL and connection.dialect.name == "postgresql":
        connection.execute(project_lock(_LOCK_BUDGET))
        found = left()
    return found


def labels_spent(connection: Connection, settings: Settings) -> float:
    """What the labels given here cost, in whole ones."""
    sums = (func.coalesce(func.sum(column), 0) for column in (annotator.c.num_labels, annotator.c.num_single))
    return settings.cost_of(*map(int, connection.execute(select(*sums)).one()))


def gold_is_due(settings: Settings, annotator_id: int, turn: int) -> bool:
    """Whether a turn is one for gold: at random with the project's rate, but the same when asked again."""
    if not settings.gold_rate:
        return False
    digest = hashlib.blake2b(f"{settings.seed}/{annotator_id}/{turn}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < settings.gold_rate * 2**64


def _asked_of_gold(settings: Settings, annotator_id: int, example_id: int) -> int:
    """What is asked where the answer is known: a class where others are asked so, lest it be recognised."""
    size = len(settings.classes)
    if settings.ask == "examples" or not size:
        return WHOLE
    digest = hashlib.blake2b(f"{settings.seed}/{annotator_id}/{example_id}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest) % (size if settings.ask == "classes" else 2 * size)
    return draw if draw < size else WHOLE


def gold_examples(connection: Connection, annotator_id: int, count: int, served: int) -> list[int]:
    """Examples with a known answer that somebody has not met, as many as asked for."""
    if not count:
        return []
    answered = select(answer.c.example_id).where(answer.c.annotator_id == annotator_id)
    held = select(lease.c.example_id).where(lease.c.annotator_id == annotator_id, is_open())
    told = select(practice.c.example_id).where(practice.c.annotator_id == annotator_id)
    free = (
        connection.execute(
            select(example.c.id)
            .where(example.c.gold.is_not(None), *(example.c.id.not_in(one) for one in (answered, held, told)))
            .order_by(example.c.id)
        )
        .scalars()
        .all()
    )
    # Everybody meets them in an order of their own, so that nobody can warn the next.
    return sorted(free, key=lambda code: hashlib.blake2b(f"{annotator_id}/{code}".encode()).digest())[:count]


def keep(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    number: int,
    question: Question,
    gold: bool,
    now: float,
    hold: bool = True,
) -> Lease:
    """A new lease; one that has ended already if it is not to hold anything. Its slot is taken already."""
    kept = _kept(settings, annotator_id, number, question, gold, now, hold)
    return _leased(execute(connection, _KEEP, kept)[0])


def _kept(
    settings: Settings,
    annotator_id: int,
    number: int,
    question: Question,
    gold: bool,
    now: float,
    hold: bool = True,
) -> dict[str, Any]:
    return {
        "round": number,
        "example": question[0],
        "about": question[1],
        "who": annotator_id,
        "known": gold,
        "now": now,
        "ends": now + settings.lease_seconds * hold,
        "state": "open" if hold else "expired",
    }


def record(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    lease_id: int,
    reply: Answer,
    now: float,
    *,
    then_lease: int | None = 0,
    have: Sequence[int] = (),
) -> tuple[Recorded, list[Lease]]:
    """Store the answer to a lease, and lease the next examples as `lease_examples` does.

    It is about what the lease asks. One that comes after the lease has ended counts if the example is still
    to be had: labels of it are wanted, nobody else is at it (or has it only ahead, `_take_over`), and the
    budget is not spent. A request that was stored before is told so and stored once.

    Raises
    ------
    ConflictError
        If the lease is answered, belongs to somebody else, or its example went to others; or the
        request was one for something else.
    InputError
        If the annotator is disabled, or a class is named that was not asked about.
    """
    steps = recording(
        connection, settings, annotator_id, lease_id, reply, now, then_lease=then_lease, have=have
    )
    return finish(connection, steps)


def recording(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    lease_id: int,
    reply: Answer,
    now: float,
    *,
    then_lease: int | None = 0,
    have: Sequence[int] = (),
) -> Steps[tuple[Recorded, list[Lease]]]:
    """The steps of `record`, which may go on beside those of others for other people."""
    yield from sharing_round(connection)
    who = yield from _working(connection, settings, annotator_id, answers=True)
    _check_version(reply, who.version)
    rows = yield _LEASED, {"lease": lease_id, "request": reply.request}
    if not rows or rows[0].annotator_id != annotator_id:
        raise ConflictError("there is no such lease of yours.")
    (row,) = rows
    stored = None
    if row.request_id is not None:
        before = tuple(getattr(row, f"request_{column.name}") for column in _REQUEST)
        stored = _repeated(before, annotator_id, (row.example_id, row.asked), ANSWERS)
    if stored is None:
        reply = replace(reply, asked=row.asked)
        stored = yield from _store_answer(connection, settings, who.round, row, reply, now)
        collected = reply.kind == "label" and reply.source in COLLECTED
        who = replace(who, num_labels=who.num_labels + collected)
    if then_lease == 0 or who.practises:
        return stored, []
    leases = yield from _lease(connection, settings, annotator_id, who, then_lease, now, have)
    return stored, leases


def _store_answer(
    connection: Connection, settings: Settings, current: int, row: Any, reply: Answer, now: float
) -> Steps[Recorded]:
    """Store the answer to a lease that is their own."""
    question = row.example_id, row.asked
    if row.state != "open":
        row = _leased_again(connection, row)
    if row.state == "done":
        raise ConflictError("this example is answered already; undo to change the answer.")
    if row.state == "expired" and not _take_over(connection, row):
        budget = settings.budget if reply.kind == "label" else None
        price = settings.price_of_answer(row.asked)
        if budget is not None:
            yield ALONE
            if labels_left(connection, settings) < price - _ROUNDING:
                raise ConflictError("the budget is spent meanwhile.")
        if not (row.gold or take(connection, current, question) or is_wanted(connection, current, question)):
            raise ConflictError("the example has gone to somebody else meanwhile.")
    # A lease that had ended is of the round it was taken again in.
    number = current if row.state == "expired" else row.round_id
    stored = yield from _append(connection, row.annotator_id, row.example_id, reply, now, row.id, number)
    if reply.kind != "label" and not row.gold:
        _give_back(connection, number, question)
    if reply.kind == "skip" and row.asked != WHOLE:
        _end(connection, _NO_MORE, {"who": row.annotator_id, "example": row.example_id})
    return stored


def _leased_again(connection: Connection, row: Any) -> Any:
    """The open lease of the same question to the same person, if there is one, in place of one that ended."""
    again = connection.execute(
        select(lease).where(
            lease.c.annotator_id == row.annotator_id,
            lease.c.example_id == row.example_id,
            lease.c.asked == row.asked,
            is_open(),
        )
    ).one_or_none()
    return row if again is None else again


def _take_over(connection: Connection, row: Any) -> bool:
    """Let an answer that is there have the place of somebody who has only taken the example ahead.

    They have an older lease, so that another example is before them; their page hears that this one is lost.
    """
    asked = {"example": row.example_id, "about": row.asked, "who": row.annotator_id}
    ahead = None if row.gold else connection.execute(_AHEAD, asked).scalar()
    if ahead is None:
        return False
    taken = update(lease).where(lease.c.id == ahead, is_open()).values(state="expired")
    return bool(connection.execute(taken).rowcount)


def put_answer(
    connection: Connection, annotator_id: int, example_id: int, reply: Answer, now: float
) -> Recorded:
    """Store an answer that was given elsewhere, without a lease; it replaces their last to the question."""
    share_round(connection)
    for who in execute(connection, _WHO, {"who": annotator_id}):
        _check_version(reply, who.version)
    question = example_id, reply.asked
    known = known_request(connection, reply.request, annotator_id, question, (reply.kind,))
    if known is not None:
        return known
    if example_id >= load_value(connection, "num_examples", 0) or example_id < 0:
        raise InputError(f"there is no example {example_id:,}.")
    before = connection.execute(_answer_to(annotator_id, question)).one_or_none()
    if before is not None:
        _remove(connection, before, now, reply.source)
    stored = finish(connection, _append(connection, annotator_id, example_id, reply, now))
    connection.execute(
        update(lease)
        .where(
            lease.c.annotator_id == annotator_id,
            lease.c.example_id == example_id,
            is_open(),
            or_(lease.c.asked == reply.asked, literal(reply.asked) == WHOLE),
        )
        .values(state="done")
    )
    settle_again(connection, load_settings(connection), [example_id])
    return stored


def correct(
    connection: Connection,
    annotator_id: int,
    example_id: int,
    reply: Answer,
    now: float,
    *,
    flagged: bool | None = None,
) -> Recorded:
    """`put_answer` in place of an answer of theirs to the same question, of which there must be one.

    The note stays unless there is another, and so does the flag; an empty note removes it.

    Raises
    ------
    ConflictError
        If there is none.
    """
    question = example_id, reply.asked
    known = known_request(connection, reply.request, annotator_id, question, (reply.kind,))
    if known is not None:
        return known
    before = connection.execute(_answer_to(annotator_id, question)).one_or_none()
    if before is None:
        raise ConflictError("you have not answered this, or have taken it back.")
    note = reply.reason
    if note is None and before.kind != "skip":
        note = connection.execute(select(event.c.reason).where(event.c.id == before.event_id)).scalar_one()
    marked = replace(reply, reason=note or None, flagged=before.flagged if flagged is None else flagged)
    return put_answer(connection, annotator_id, example_id, marked, now)


def _answer_to(annotator_id: int, question: Question) -> Select[Any]:
    """What somebody has answered to a question."""
    return select(answer).where(
        answer.c.example_id == question[0],
        answer.c.annotator_id == annotator_id,
        answer.c.asked == question[1],
    )


def take_back(connection: Connection, annotator_id: int, example_id: int, now: float, *, source: str) -> bool:
    """Undo an answer about a whole example that was deleted elsewhere; False if there is none."""
    share_round(connection)
    execute(connection, _WHO, {"who": annotator_id})
    before = connection.execute(_answer_to(annotator_id, (example_id, WHOLE))).one_or_none()
    if before is None:
        return False
    _remove(connection, before, now, source)
    settle_again(connection, load_settings(connection), [example_id])
    return True


def take_back_last(connection: Connection, annotator_id: int, most: int, now: float, *, source: str) -> int:
    """Undo some answers of somebody who is removed, the last first; how many."""
    share_round(connection)
    execute(connection, _WHO, {"who": annotator_id})
    last = select(answer).where(answer.c.annotator_id == annotator_id).order_by(answer.c.event_id.desc())
    rows = connection.execute(last.limit(most)).all()
    for row in rows:
        _remove(connection, row, now, source)
    settle_again(connection, load_settings(connection), sorted({row.example_id for row in rows}))
    return len(rows)


def undo(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    now: float,
    *,
    source: str = "api",
    request: str | None = None,
    of: str | None = None,
) -> Lease | None:
    """Take back the last answer of an annotator, and lease its example to them again.

    With ``of``, the request that stored an answer, only if this one is the last.

    Returns
    -------
    Lease or None
        None if another person has the example now, so that it cannot come back to this one.

    Raises
    ------
    ConflictError
        If there is nothing to undo: no answer of theirs is later than the last training; or if another answer
        than that of ``of`` is the last.
    InputError
        If the annotator is disabled.
    """
    share_round(connection)
    number = working(connection, settings, annotator_id).round
    if request is not None:
        known = known_request(connection, request, annotator_id, None, ("undo",))
        if known is not None:
            undone = connection.execute(
                select(event.c.example_id, event.c.asked).where(event.c.id == known.event_id)
            ).one()
            held = {"who": annotator_id, "now": now, "latest": math.inf}
            ids = [
                row.id
                for row in execute(connection, _OPEN, held)
                if (row.annotator_id, row.example_id, row.asked) == (annotator_id, *undone)
                and row.expires > now
            ]
            return next((_leased(row) for row in execute(connection, _CONTENTS, {"ids": ids})), None)
    last = connection.execute(
        select(answer)
        .where(answer.c.annotator_id == annotator_id)
        .order_by(answer.c.event_id.desc())
        .limit(1)
        .with_for_update()
    ).one_or_none()
    if last is None or number < 0 or last.event_id <= get_round(connection, number).last_event:
        raise ConflictError("there is nothing to undo: your earlier answers are part of a training.")
    by = select(event.c.request).where(event.c.id == last.event_id)
    if of is not None and connection.execute(by).scalar_one() != of:
        raise ConflictError("another answer of yours is the last; correct this one among your answers.")
    _remove(connection, last, now, source, request)
    gold = (
        connection.execute(select(example.c.gold).where(example.c.id == last.example_id)).scalar() is not None
    )
    # A label had kept its slot; the slot of a skip may have gone to somebody else.
    question = last.example_id, last.asked
    if not gold and last.kind != "label" and not take(connection, number, question):
        return None
    return keep(connection, settings, annotator_id, -1 if gold else number, question, gold, now)


def known_request(
    connection: Connection,
    request: str | None,
    annotator_id: int,
    question: Question | None,
    kinds: tuple[str, ...],
) -> Recorded | None:
    """What a request has stored before; an error if that was something else than is asked for now."""
    if request is None:
        return None
    row = connection.execute(select(*_REQUEST).where(event.c.request == request)).one_or_none()
    return None if row is None else _repeated(tuple(row), annotator_id, question, kinds)


def _repeated(
    before: tuple[Any, ...], annotator_id: int, question: Question | None, kinds: tuple[str, ...]
) -> Recorded:
    identity, by, of, about, kind = before
    if by != annotator_id:
        raise ConflictError("this request was used by somebody else.")
    if kind not in kinds or question not in (None, (of, about)):
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
) -> Steps[Recorded]:
    """Store an answer, and what it changes: counts, and the lease and its round if it is one to a lease."""
    _check_asked(connection, reply)
    said = {
        "example": example_id,
        "who": annotator_id,
        "kind": reply.kind,
        "class": reply.class_code,
        "about": reply.asked,
        # Under the name of a column, an update of another table would set it.
        "in_bulk": reply.bulk,
        "flag": reply.flagged,
    }
    circumstances = {
        "now": now,
        "reason": reply.reason,
        "seconds": reply.seconds,
        "source": reply.source,
        "request": reply.request,
    }
    votes = int(reply.kind == "label")
    # The budget counts what was asked for here, not imports.
    collected = votes if reply.source in COLLECTED else 0
    counts = {"votes": votes, "collected": collected, "single": collected * (reply.asked != WHOLE)}
    leased = {"lease": lease_id, "round": number}
    try:
        if connection.dialect.name == "postgresql":
            everything = said | circumstances | leased | counts
            ((stored,),) = yield _STORE, everything
            return Recorded(stored)
        ((identity,),) = yield _APPEND, said | circumstances
        yield _ANSWER, said | {"event": identity}
    except IntegrityError as error:
        raise ConflictError("this annotator has answered this example already.") from error
    yield from _count(annotator_id, example_id, counts)
    if lease_id is not None:
        yield _ANSWERED_NOW, leased
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
            "asked": before.asked,
            "reason": None,
            "seconds": None,
            "source": source,
            "undoes": before.event_id,
            "request": request,
        },
    )
    connection.execute(delete(answer).where(answer.c.event_id == before.event_id))
    if before.kind == "label":
        origin = connection.execute(select(event.c.source).where(event.c.id == before.event_id)).scalar_one()
        less = -int(origin in COLLECTED)
        counts = {"votes": -1, "collected": less, "single": less * (before.asked != WHOLE)}
        finish(connection, _count(before.annotator_id, before.example_id, counts))


def _count(annotator_id: int, example_id: int, counts: dict[str, int]) -> Steps[None]:
    if counts["votes"]:
        yield _COUNT_EXAMPLE, {"example": example_id, "votes": counts["votes"]}
    if counts["collected"]:
        more = {name: counts[name] for name in ("collected", "single")}
        yield _COUNT_ANNOTATOR, {"who": annotator_id, **more}


def _check_version(reply: Answer, version: int) -> None:
    if reply.version is not None:
        _same_version(reply.version, version)


def check_version(connection: Connection, version: int) -> None:
    """Refuse codes of other classes than those of now.

    Raises
    ------
    ClassesChangedError
    """
    _same_version(version, class_version(connection))


def _same_version(version: int, now: int) -> None:
    if version != now:
        raise ClassesChangedError(
            "the classes were changed at this moment; try again. What is stored stays stored."
        )


def _check_asked(connection: Connection, reply: Answer) -> None:
    """Refuse a set that names a class it was not asked about."""
    if reply.asked == WHOLE or reply.class_code is None:
        return
    query = select(label_set.c.classes).where(label_set.c.code == reply.class_code)
    if not {*json.loads(connection.execute(query).scalar_one())} <= {reply.asked}:
        raise InputError("one class was asked about: the label is a list of this class, or an empty list.")
