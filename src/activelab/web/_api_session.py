"""Logging in and out, joining by invitation, and what is one's own."""

from __future__ import annotations

import time
from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, select

from activelab.project.store import accounts
from activelab.project.store.audit import write_audit
from activelab.project.store.schema import annotator
from activelab.web._bodies import (
    AccountOut,
    BigNumber,
    JoinIn,
    LoginIn,
    PasswordIn,
    SessionOut,
    TokenIn,
    TokenOut,
)
from activelab.web._failures import ERRORS, Failure
from activelab.web._limits import Attempts
from activelab.web._site import Site
from activelab.web._visitors import Annotator, Here, begin_session, end_session

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["session"])


def account_out(account: accounts.Account) -> AccountOut:
    """An account without what is nobody's business."""
    return AccountOut(**{name: value for name, value in asdict(account).items() if name != "session"})


@router.post("/session", summary="Log in")
def log_in(body: LoginIn, request: Request, response: Response, site: Here) -> SessionOut:
    """Log in with name and password; the answer sets a cookie."""
    attempts = _attempts(site, request, body.name)
    with site.hashing:
        try:
            account = site.project.database.read(lambda c: accounts.login(c, body.name, body.password))
        except accounts.NotAllowedError as error:
            raise Failure(401, str(error), code="wrong_password") from None
    # Only the name is forgiven: whoever knows one password may still be guessing others.
    attempts[0][0].succeeded(attempts[0][1])
    return SessionOut(account=account_out(account), csrf=begin_session(request, response, account))


@router.delete("/session", status_code=204, summary="Log out")
def log_out(request: Request, response: Response, site: Here, visitor: Annotator) -> None:
    """End all sessions of this account, on all devices."""
    site.project.database.write(lambda c: accounts.end_sessions(c, visitor.account.id))
    site.forget_accounts()
    end_session(request, response)


@router.post("/join", summary="Accept an invitation")
def join(body: JoinIn, request: Request, response: Response, site: Here) -> SessionOut:
    """Make an account of an invitation, and log in."""
    attempts = _attempts(site, request, None)
    now = time.time()

    def accept(connection: Connection) -> accounts.Account:
        account = accounts.accept_invite(connection, body.secret, body.name, body.password, now)
        write_audit(connection, account.id, "invitation accepted", {"role": account.role})
        return account

    with site.hashing:
        account = site.project.database.write(accept)
    for counter, key in attempts:
        counter.succeeded(key)
    return SessionOut(account=account_out(account), csrf=begin_session(request, response, account))


@router.get("/me", summary="Who is logged in")
def me(visitor: Annotator) -> SessionOut:
    """The account, and the token that writes with its cookie need."""
    return SessionOut(account=account_out(visitor.account), csrf=visitor.csrf)


@router.post("/me/password", summary="Change the password")
def change_password(
    body: PasswordIn, request: Request, response: Response, site: Here, visitor: Annotator
) -> SessionOut:
    """Change one's password; sessions elsewhere end."""
    own = visitor.account
    attempts = _attempts(site, request, own.name)
    database = site.project.database
    query = select(annotator.c.password).where(annotator.c.id == own.id)
    with site.hashing:
        stored = database.read(lambda c: c.execute(query).scalar_one())
        if not accounts.check_password(stored, body.old):
            raise Failure(403, "the old password is not right.", code="wrong_password", field="old")

        def change(connection: Connection) -> accounts.Account:
            accounts.set_password(connection, own.id, body.new)
            write_audit(connection, own.id, "password changed", {})
            found = accounts.find_account(connection, identity=own.id)
            assert found is not None
            return found

        changed = database.write(change)
    attempts[0][0].succeeded(attempts[0][1])
    site.forget_accounts()
    csrf = begin_session(request, response, changed) if visitor.csrf is not None else None
    return SessionOut(account=account_out(changed), csrf=csrf)


@router.get("/tokens", summary="Your tokens")
def tokens(site: Here, visitor: Annotator) -> list[TokenOut]:
    """Tokens of one's own, without their secrets."""
    rows = site.project.database.read(lambda c: accounts.list_tokens(c, visitor.account.id))
    return [TokenOut(**row) for row in rows]


@router.post("/tokens", status_code=201, summary="Make a token")
def make_token(body: TokenIn, site: Here, visitor: Annotator) -> TokenOut:
    """A token for programs, with the rights of one's own account; its secret is in this answer alone."""
    own = visitor.account

    def make(connection: Connection) -> TokenOut:
        secret = accounts.create_token(connection, own.id, body.name, time.time(), body.days)
        write_audit(connection, own.id, "token made", {"name": body.name})
        return TokenOut(**accounts.list_tokens(connection, own.id)[-1], secret=secret)

    return site.project.database.write(make)


@router.delete("/tokens/{token_id}", status_code=204, summary="Revoke a token")
def revoke_token(token_id: BigNumber, site: Here, visitor: Annotator) -> None:
    """Revoke a token of one's own; it ends at once."""
    own = visitor.account

    def revoke(connection: Connection) -> None:
        if not (token_id < 2**31 and accounts.revoke_token(connection, own.id, token_id, time.time())):
            raise Failure(404, "you have no such token.")
        write_audit(connection, own.id, "token revoked", {"id": token_id})

    site.project.database.write(revoke)
    site.forget_accounts()


def _attempts(site: Site, request: Request, name: str | None) -> list[tuple[Attempts, str]]:
    """Count an attempt by name and by address; too many are refused before a password is looked at.

    A stranger elsewhere cannot lock somebody out: failures of a name count for each address apart.
    """
    address = request.client.host if request.client else ""
    counted = [(site.by_address, address)]
    if name is not None:
        counted.insert(0, (site.by_name, f"{address} {name}"))
    for attempts, key in counted:
        if wait := attempts.wait(key):
            raise Failure(
                429,
                f"too many attempts; try again in {wait / 60:.0f} minutes.",
                headers={"Retry-After": str(int(wait) + 1)},
            )
    for attempts, key in counted:
        attempts.failed(key)
    return counted
