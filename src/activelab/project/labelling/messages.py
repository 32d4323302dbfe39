"""What those who lead write to people, shown on their page until they have read it.

All functions work inside a transaction of the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from activelab._errors import InputError, first
from activelab.project.store.schema import annotator, message

LONGEST = 2000
"""Characters of a message."""


def send_message(connection: Connection, by: int | None, to: Sequence[int], text: str, now: float) -> int:
    """Write to some people; to how many.

    Raises
    ------
    InputError
        If the text is empty or too long, or somebody cannot log in and would never read it.
    """
    text = text.strip()
    if not 1 <= len(text) <= LONGEST:
        raise InputError(f"a message has 1 to {LONGEST:,} characters.")
    wanted = [*dict.fromkeys(to)]
    query = select(annotator.c.id, annotator.c.name, annotator.c.disabled, annotator.c.password)
    known = {row.id: row for row in connection.execute(query.where(annotator.c.id.in_(wanted)))}
    if missing := [one for one in wanted if one not in known]:
        raise InputError(f"there is no annotator {first(missing)}.")
    deaf = [row.name for row in known.values() if row.disabled or row.password is None]
    if deaf or not wanted:
        raise InputError(f"{first(deaf)} cannot log in and would not read it." if deaf else "name somebody.")
    rows = [{"annotator_id": one, "by_id": by, "text": text, "sent": now} for one in wanted]
    connection.execute(insert(message), rows)
    return len(wanted)


def unread(connection: Connection, annotator_id: int) -> list[dict[str, Any]]:
    """What somebody has not read yet, oldest first: ``id``, ``text``, ``sent`` and the name ``by``."""
    query = (
        select(message.c.id, message.c.text, message.c.sent, annotator.c.name.label("by"))
        .outerjoin(annotator, annotator.c.id == message.c.by_id)
        .where(message.c.annotator_id == annotator_id, message.c.read.is_(None))
    )
    return [row._asdict() for row in connection.execute(query.order_by(message.c.id))]


def count_unread(connection: Connection, annotator_id: int) -> int:
    """How many messages somebody has not read yet."""
    of = message.c.annotator_id == annotator_id, message.c.read.is_(None)
    return int(connection.execute(select(func.count()).select_from(message).where(*of)).scalar_one())


def mark_read(connection: Connection, annotator_id: int, message_id: int, now: float) -> bool:
    """Note that somebody has read a message of theirs, the first time; False if there is none."""
    theirs = (message.c.id == message_id) & (message.c.annotator_id == annotator_id)
    connection.execute(update(message).where(theirs, message.c.read.is_(None)).values(read=now))
    return connection.execute(select(message.c.id).where(theirs)).first() is not None


def sent_to(connection: Connection, annotator_id: int, limit: int = 20) -> list[dict[str, Any]]:
    """The last messages to somebody, the latest first: ``text``, ``sent``, ``read`` and the name ``by``."""
    query = (
        select(message.c.text, message.c.sent, message.c.read, annotator.c.name.label("by"))
        .outerjoin(annotator, annotator.c.id == message.c.by_id)
        .where(message.c.annotator_id == annotator_id)
    )
    rows = connection.execute(query.order_by(message.c.id.desc()).limit(limit))
    return [row._asdict() for row in rows]
