"""People and their keys: annotators, passwords, invitations, tokens.

Secrets are random and stored as digests; passwords as argon2id. Nothing here can be guessed, and nothing that
opens a door can be read back from the database.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from activelab._errors import InputError, unknown
from activelab.project.store.names import check_name, looks_like
from activelab.project.store.schema import annotator, invite, lease, token

ROLES = ("annotator", "adjudicator", "admin")
"""Each may do what those before it may."""

INVITE_DAYS = 7.0
MIN_PASSWORD = 10

_FIRST = "first admin"  # what an invitation is for that lasts only while there is no admin


MEMBER = "workspace"
"""In place of a password: who it is logs in to the workspace that the project belongs to."""


class NotAllowedError(PermissionError):
    """Wrong or expired credentials; the message does not say which."""


@dataclass(frozen=True)
class Account:
    """A person of the project.

    Attributes
    ----------
    id : int
    name : str
    role : {"annotator", "adjudicator", "admin"}
    disabled : bool
    session : int
        Sessions of a lower number have ended.
    num_labels : int
        Labels collected here; imported ones do not count.
    has_password : bool
    removed : bool
        Whether all that names them was removed.
    """

    id: int
    name: str
    role: str
    disabled: bool
    session: int
    num_labels: int
    has_password: bool
    removed: bool = False


def add_annotator(connection: Connection, name: str, now: float, *, role: str = "annotator") -> int:
    """A new account without a password; its id.

    Raises
    ------
    InputError
        If the name is taken or no name, or the role unknown.
    """
    check_name(name)
    if role not in ROLES:
        raise unknown("role", role, ROLES)
    try:
        identity = connection.execute(
            insert(annotator).values(name=name, role=role, created=now).returning(annotator.c.id)
        ).scalar_one()
    except IntegrityError as error:
        raise InputError(f"there is an annotator {name!r} already.") from error
    return int(identity)


def find_account(
    connection: Connection, *, name: str | None = None, identity: int | None = None
) -> Account | None:
    """An account by name or id."""
    wanted = annotator.c.name == name if identity is None else annotator.c.id == identity
    row = connection.execute(select(annotator).where(wanted)).one_or_none()
    return None if row is None else _account(row)


def find_member(connection: Connection, name: str) -> Account | None:
    """The account of somebody of a workspace in one of its projects; None if they are not in it."""
    wanted = (annotator.c.name == name) & (annotator.c.password == MEMBER) & ~annotator.c.disabled
    row = connection.execute(select(annotator).where(wanted)).one_or_none()
    return None if row is None else _account(row)


def list_accounts(connection: Connection) -> list[Account]:
    """All accounts, by name."""
    return [_account(row) for row in connection.execute(select(annotator).order_by(annotator.c.name))]


def set_disabled(connection: Connection, name: str, disabled: bool) -> None:
    """Disable an account, which ends its sessions and tokens at once, or enable it again.

    Raises
    ------
    InputError
        If there is no such account, or it is the last admin.
    """
    found = _required(connection, name)
    if disabled and is_last_admin(connection, found):
        raise InputError(f"{name!r} is the last admin and cannot be disabled.")
    connection.execute(
        update(annotator)
        .where(annotator.c.id == found.id)
        .values(disabled=disabled, session=annotator.c.session + 1)
    )
    if disabled:
        let_go(connection, found.id)


def let_go(connection: Connection, account_id: int) -> None:
    """What somebody holds goes back to the queue with the next lease of anybody."""
    held = (lease.c.annotator_id == account_id) & (lease.c.state == "open")
    connection.execute(update(lease).where(held).values(expires=0.0))


def set_role(connection: Connection, name: str, role: str) -> None:
    """Give an account another role.

    Raises
    ------
    InputError
        If there is no such account or role, or it is the last admin.
    """
    if role not in ROLES:
        raise unknown("role", role, ROLES)
    found = _required(connection, name)
    if role != "admin" and is_last_admin(connection, found):
        raise InputError(f"{name!r} is the last admin and must stay one.")
    connection.execute(update(annotator).where(annotator.c.id == found.id).values(role=role))


def set_password(connection: Connection, account_id: int, stored: str) -> None:
    """Set a password, as `hashed`; sessions made with the old one end."""
    connection.execute(
        update(annotator)
        .where(annotator.c.id == account_id)
        .values(password=stored, session=annotator.c.session + 1)
    )


_ADMINS = select(annotator.c.id).where(
    annotator.c.role == "admin", ~annotator.c.disabled, annotator.c.password.is_not(None)
)


def has_admin(connection: Connection) -> bool:
    """Whether there is an admin who can log in."""
    return connection.execute(_ADMINS.limit(1)).first() is not None


def is_last_admin(connection: Connection, account: Account) -> bool:
    """Whether nobody else is an admin who can log in; it stays so until the transaction ends."""
    # Locked until the end: two admins who demote each other at the same moment must not both see the other.
    admins = connection.execute(_ADMINS.order_by(annotator.c.id).with_for_update()).scalars().all()
    return list(admins) == [account.id]


def hashed(password: str) -> str:
    """argon2id of a password.

    Raises
    ------
    InputError
        If it is shorter than `MIN_PASSWORD` characters or longer than 1,000.
    """
    from argon2 import PasswordHasher

    if not MIN_PASSWORD <= len(password) <= 1000:
        raise InputError(f"a password needs {MIN_PASSWORD} characters or more (and no more than 1,000).")
    return PasswordHasher().hash(password)


def check_password(stored: str | None, password: str) -> bool:
    """Whether a password is right; takes as long for an account without one."""
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return PasswordHasher().verify(stored or _NOBODY, password) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False


# Of a random password nobody knows: verifying against it takes the time of a real check.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$ZvyVdMuEg0tn8nk8uTf3tQ$Y3VWqGp0E2LTVLL4BvL9fzJwQo8rDrNSqlsCMoQDp1s"


def login(connection: Connection, name: str, password: str) -> Account:
    """The account of a name and password.

    Raises
    ------
    NotAllowedError
        If they do not match or the account is disabled.
    """
    row = connection.execute(select(annotator).where(annotator.c.name == name)).one_or_none()
    right = check_password(None if row is None else row.password, password)
    if row is None or not right or row.disabled:
        raise NotAllowedError("name and password do not match.")
    return _account(row)


def create_invite(
    connection: Connection,
    now: float,
    *,
    role: str = "annotator",
    name: str | None = None,
    days: float = INVITE_DAYS,
) -> str:
    """The secret of an invitation that can be used once, within some days.

    Raises
    ------
    InputError
        If the role is unknown, or the person invited by name can log in already.
    """
    if role not in ROLES:
        raise unknown("role", role, ROLES)
    known = None if name is None else find_account(connection, name=name)
    if known is not None and known.has_password:
        raise InputError(f"there is an annotator {name!r} already, with a password.")
    if known is not None and known.removed:
        raise InputError(f"{name!r} stands for somebody who was removed; choose another name.")
    secret = secrets.token_urlsafe(32)
    connection.execute(
        insert(invite).values(
            digest=digest(secret), role=role, name=name, created=now, expires=now + days * 86_400
        )
    )
    return secret


def reset_password(connection: Connection, account_id: int, now: float, *, days: float = INVITE_DAYS) -> str:
    """The secret of an invitation with which somebody chooses a new password; the old one ends at once.

    Sessions end, and so do earlier invitations in their name; what they labelled, their role and their tokens
    stay.

    Raises
    ------
    InputError
        If there is no such account, or it is disabled.
    """
    account = find_account(connection, identity=account_id)
    if account is None:
        raise InputError(f"there is no account {account_id}.")
    if account.disabled:
        raise InputError(f"{account.name} is disabled; enable the account first.")
    connection.execute(update(annotator).where(annotator.c.id == account_id).values(password=None))
    end_sessions(connection, account_id)
    _end(connection, now, invite.c.name == account.name)
    return create_invite(connection, now, role=account.role, name=account.name, days=days)


def join_path(secret: str, name: str | None = None) -> str:
    """The address of an invitation on the site; browsers keep to themselves what stands behind the #."""
    return f"/join#{secret}" if name is None else f"/join#{secret}/{quote(name, safe='')}"


def create_first_invite(connection: Connection, now: float, days: float) -> str:
    """The secret of an invitation for the first admin; those made before end, and this one with the admin."""
    _end(connection, now, invite.c.role == _FIRST)
    secret = create_invite(connection, now, role="admin", days=days)
    connection.execute(update(invite).where(invite.c.digest == digest(secret)).values(role=_FIRST))
    return secret


def check_invite(connection: Connection, secret: str, name: str, now: float) -> Any:
    """The row of an invitation that somebody of this name may accept now, kept as it is until the end.

    Raises
    ------
    NotAllowedError
        If the invitation is unknown, used or expired, or for somebody else.
    """
    row = connection.execute(
        select(invite).where(invite.c.digest == digest(secret)).with_for_update()
    ).one_or_none()
    if (
        row is None
        or row.used is not None
        or row.expires <= now
        or (row.role == _FIRST and has_admin(connection))
    ):
        raise NotAllowedError("this invitation is not valid: it was used, has expired, or never was one.")
    if row.name is not None and row.name != name:
        raise NotAllowedError("this invitation is for somebody else.")
    return row


def accept_invite(connection: Connection, secret: str, name: str, stored: str, now: float) -> Account:
    """Make the account an invitation is for; of somebody known from imported labels, take it over.

    Parameters
    ----------
    connection : Connection
    secret, name : str
    stored : str
        The password, as `hashed`: that takes too long for a transaction.
    now : float

    Raises
    ------
    NotAllowedError
        As `check_invite`.
    InputError
        If the name is taken, or could be taken for somebody else's.
    """
    row = check_invite(connection, secret, name, now)
    role = "admin" if row.role == _FIRST else row.role
    if role == "admin" and not has_admin(connection):
        # No admin can have made them: they are links of earlier starts.
        _end(connection, now, invite.c.role.in_((_FIRST, "admin")) & invite.c.name.is_(None))
    existing = find_account(connection, name=name)
    # Only an invitation in a person's own name may claim labels that were imported under it.
    if existing is not None and not existing.has_password and row.name == name:
        connection.execute(update(annotator).where(annotator.c.id == existing.id).values(role=role))
        set_password(connection, existing.id, stored)
    else:
        if row.name is None:
            like = looks_like(name, connection.execute(select(annotator.c.name)).scalars())
            if like is not None:
                raise InputError(f"{name!r} could be taken for {like}; choose another name.")
        set_password(connection, add_annotator(connection, name, now, role=role), stored)
    connection.execute(update(invite).where(invite.c.id == row.id).values(used=now))
    found = find_account(connection, name=name)
    assert found is not None
    return found


def list_invites(connection: Connection) -> list[dict[str, Any]]:
    """Invitations, newest first, without their secrets."""
    columns = (invite.c.id, invite.c.role, invite.c.name, invite.c.created, invite.c.expires, invite.c.used)
    rows = [row._asdict() for row in connection.execute(select(*columns).order_by(invite.c.id.desc()))]
    return [row | {"role": "admin" if row["role"] == _FIRST else row["role"]} for row in rows]


def revoke_invite(connection: Connection, invite_id: int, now: float) -> bool:
    """End an invitation that was not used; False if there is none."""
    return _end(connection, now, invite.c.id == invite_id)


def _end(connection: Connection, now: float, which: ColumnElement[bool]) -> bool:
    live = which & invite.c.used.is_(None) & (invite.c.expires > now)
    return bool(connection.execute(update(invite).where(live).values(expires=now)).rowcount)


def end_invites(connection: Connection, names: Sequence[str], now: float) -> None:
    """End invitations in some names that were not used yet."""
    _end(connection, now, invite.c.name.in_(names))


def add_person(connection: Connection, name: str, stored: str, now: float) -> Account:
    """A new account of a workspace with a password, as `hashed`, for somebody who accepts an invitation.

    Raises
    ------
    InputError
        If the name is taken, or could be taken for somebody else's.
    """
    like = looks_like(name, connection.execute(select(annotator.c.name)).scalars())
    if like is not None:
        raise InputError(f"{name!r} could be taken for {like}; choose another name.")
    return _with_password(connection, add_annotator(connection, name, now), stored)


def enter(connection: Connection, name: str, role: str, now: float) -> Account:
    """Make somebody of a workspace a member of one of its projects, in a role."""
    known = find_account(connection, name=name)
    identity = add_annotator(connection, name, now) if known is None else known.id
    connection.execute(update(annotator).where(annotator.c.id == identity).values(role=role, disabled=False))
    return _with_password(connection, identity, MEMBER)


_OWN = annotator.c.password.is_not(None) & (annotator.c.password != MEMBER)


def own_passwords(connection: Connection) -> dict[str, str]:
    """Passwords, as `hashed`, of those who log in to the project itself and not to its workspace."""
    rows = connection.execute(select(annotator.c.name, annotator.c.password).where(_OWN))
    return {row.name: row.password for row in rows}


def give_to_workspace(connection: Connection) -> None:
    """Let those who log in to the project itself log in to its workspace instead."""
    connection.execute(update(annotator).where(_OWN).values(password=MEMBER))


def _with_password(connection: Connection, identity: int, stored: str) -> Account:
    set_password(connection, identity, stored)
    found = find_account(connection, identity=identity)
    assert found is not None
    return found


def end_sessions(connection: Connection, account_id: int) -> None:
    """Log an account out everywhere."""
    connection.execute(
        update(annotator).where(annotator.c.id == account_id).values(session=annotator.c.session + 1)
    )


def create_token(
    connection: Connection, account_id: int, name: str, now: float, days: float | None = None
) -> str:
    """The secret of a token for the API; shown once, stored as a digest."""
    secret = f"al_{secrets.token_urlsafe(32)}"
    connection.execute(
        insert(token).values(
            annotator_id=account_id,
            name=name,
            digest=digest(secret),
            created=now,
            expires=None if days is None else now + days * 86_400,
        )
    )
    return secret


_OF_TOKEN = (
    select(annotator)
    .join(token, token.c.annotator_id == annotator.c.id)
    .where(
        token.c.digest == bindparam("digest"),
        token.c.revoked.is_(None),
        (token.c.expires.is_(None)) | (token.c.expires > bindparam("now")),
        ~annotator.c.disabled,
    )
)


def account_of_token(connection: Connection, secret: str, now: float) -> Account | None:
    """The account a token stands for; None if it is unknown, expired or revoked, or the account disabled."""
    row = connection.execute(_OF_TOKEN, {"digest": digest(secret), "now": now}).one_or_none()
    return None if row is None else _account(row)


def list_tokens(connection: Connection, account_id: int) -> list[dict[str, Any]]:
    """Tokens of an account, without their secrets."""
    columns = (token.c.id, token.c.name, token.c.created, token.c.expires, token.c.revoked)
    rows = connection.execute(select(*columns).where(token.c.annotator_id == account_id).order_by(token.c.id))
    return [row._asdict() for row in rows]


def revoke_token(connection: Connection, account_id: int, token_id: int, now: float) -> bool:
    """Revoke a token of an account; False if there is none."""
    return bool(
        connection.execute(
            update(token)
            .where(token.c.id == token_id, token.c.annotator_id == account_id, token.c.revoked.is_(None))
            .values(revoked=now)
        ).rowcount
    )


def digest(secret: str) -> str:
    """What is stored of a random secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _required(connection: Connection, name: str) -> Account:
    found = find_account(connection, name=name)
    if found is None:
        names = connection.execute(select(annotator.c.name)).scalars().all()
        raise unknown("annotator", name, list(names))
    if found.removed:
        raise InputError(f"{name!r} stands for somebody who was removed; invite them anew, by their name.")
    return found


def _account(row: Any) -> Account:
    return Account(
        row.id,
        row.name,
        row.role,
        bool(row.disabled),
        row.session,
        row.num_labels,
        row.password is not None,
        row.removed is not None,
    )
