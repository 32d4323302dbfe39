"""Where people are logged in: a row for each session of a browser, so that one of them can be ended alone.

All functions work inside a transaction of the caller. A session is known by the digest of a secret.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update

from activelab.project.store.accounts import Account, find_account
from activelab.project.store.schema import login

USED_SECONDS = 3600.0
"""How exactly it is known when a session was used last."""

_DAY = 86_400.0
_BROWSERS = (
    ("Edge", r"Edg\w*/"),
    ("Opera", r"OPR/"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/"),
    ("Safari", r"Safari/"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("macOS", "Mac OS X"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)


def browser_words(agent: str) -> str:
    """What somebody would call a browser and its system, by what it says of itself.

    Examples
    --------
    >>> browser_words("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    'Firefox on Linux'
    """
    browser, system = (
        next((name for name, pattern in known if re.search(pattern, agent)), None)
        for known in (_BROWSERS, _SYSTEMS)
    )
    return f"{browser or 'A program'} on {system}" if system else browser or "A program"


def begin_login(
    connection: Connection, account: Account, digest: str, browser: str, now: float, lasts: float
) -> None:
    """Note that a session of some seconds begins; those whose cookies have ended for long are forgotten."""
    connection.execute(delete(login).where(login.c.begun < now - lasts - _DAY))
    values = {"annotator_id": account.id, "number": account.session, "digest": digest, "browser": browser}
    connection.execute(insert(login).values(**values, begun=now, used=now))


def account_of_login(connection: Connection, account_id: int, digest: str) -> Account | None:
    """The account of a session; None if it is disabled, or this session was ended.

    Sessions that are not known here began before they were written down.
    """
    ended = exists().where(login.c.digest == digest, login.c.ended.is_not(None))
    found = find_account(connection, identity=account_id)
    if found is None or found.disabled or connection.execute(select(ended)).scalar_one():
        return None
    return found


def list_logins(connection: Connection, account: Account, now: float, lasts: float) -> list[dict[str, Any]]:
    """The sessions of an account that go on, the last used first, each with its digest."""
    query = select(login.c.id, login.c.browser, login.c.begun, login.c.used, login.c.digest).where(
        login.c.annotator_id == account.id,
        login.c.number == account.session,
        login.c.ended.is_(None),
        login.c.begun > now - lasts,
    )
    rows = connection.execute(query.order_by(login.c.used.desc(), login.c.id.desc()))
    return [row._asdict() for row in rows]


def use_login(connection: Connection, digest: str, now: float) -> None:
    """Note that a session is used."""
    connection.execute(update(login).where(login.c.digest == digest).values(used=now))


def end_login(connection: Connection, account_id: int, login_id: int, now: float) -> str | None:
    """End one session of an account; its digest, or None if there is none."""
    own = login.c.id == login_id, login.c.annotator_id == account_id, login.c.ended.is_(None)
    query = update(login).where(*own).values(ended=now).returning(login.c.digest)
    found: str | None = connection.execute(query).scalar()
    return found
