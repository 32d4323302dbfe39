"""Logging in and out, joining by invitation, and what is one's own."""

from __future__ import annotations

import time
from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool

from activelab.project.labelling.rounds import hold_round
from activelab.project.store import accounts
from activelab.project.store.audit import write_audit
from activelab.project.store.logins import end_login, list_logins
from activelab.project.store.schema import annotator
from activelab.web._bodies import (
    AccountOut,
    BigNumber,
    JoinIn,
    LoginIn,
    LoginOut,
    Number,
    PasswordIn,
    SessionOut,
    TokenIn,
    TokenOut,
)
from activelab.web._failures import ERRORS, Failure
from activelab.web._questions import companions_now
from activelab.web._site import SESSION_SECONDS, Site
from activelab.web._visitors import Annotator, Here, address_of, begin_session, end_session

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["session"])


def account_out(account: accounts.Account) -> AccountOut:
    """An account without what is nobody's business."""
    return AccountOut(**{name: value for name, value in asdict(account).items() if name != "session"})


@router.post("/session", summary="Log in")
async def log_in(body: LoginIn, request: Request, response: Response, site: Here) -> SessionOut:
    """Log in with name and password; the answer sets a cookie."""
    browser = site.known_browser(request.cookies.get(site.browser_cookie), body.name)

    def look() -> accounts.Account:
        return site.home.project.database.read(lambda c: accounts.login(c, body.name, body.password))

    try:
        account = await site.passwords.login(
            address_of(request), body.name, browser, look, accounts.NotAllowedError
        )
    except accounts.NotAllowedError as error:
        raise Failure(401, str(error), code="wrong_password") from None
    own = account if site.home is site else await run_in_threadpool(site.member, account.name)
    if own is None:
        raise Failure(403, "you are not in this project; ask whoever leads it for an invitation.")
    csrf = await begin_session(request, response, account)
    return SessionOut(account=account_out(own), csrf=csrf)


@router.delete("/session", status_code=204, summary="Log out everywhere")
def log_out(request: Request, response: Response, site: Here, visitor: Annotator) -> None:
    """End all sessions of this account, on all devices."""
    site.home.project.database.write(lambda c: accounts.end_sessions(c, visitor.person.id))
    site.home.forget_accounts()
    end_session(request, response)


@router.get("/sessions", summary="Where you are logged in")
def sessions(site: Here, visitor: Annotator) -> list[LoginOut]:
    """Sessions of one's own that go on, the last used first; those begun before an update may be missing."""
    own, now = visitor.person, time.time()
    rows = site.home.project.database.read(lambda c: list_logins(c, own, now, SESSION_SECONDS))
    here = None if visitor.csrf is None else accounts.digest(visitor.csrf)
    return [LoginOut(**row, here=row["digest"] == here) for row in rows]


@router.delete("/sessions/{session_id}", status_code=204, summary="Log out of one device")
def log_out_of(
    session_id: Number, request: Request, response: Response, site: Here, visitor: Annotator
) -> None:
    """End one session of one's own, here or on another device; the others go on."""
    own, now = visitor.person.id, time.time()
    ended = site.home.project.database.write(lambda c: end_login(c, own, session_id, now))
    if ended is None:
        raise Failure(404, "you have no such session.")
    site.home.forget_accounts()
    if visitor.csrf is not None and ended == accounts.digest(visitor.csrf):
        end_session(request, response)


@router.post("/join", summary="Accept an invitation")
async def join(body: JoinIn, request: Request, response: Response, site: Here) -> SessionOut:
    """Make an account of an invitation, and log in.

    In a project of a workspace, name and password are those of the account there, or of a new one.
    """
    now = time.time()

    def make() -> accounts.Account:
        stored = accounts.hashed(body.password)

        def accept(connection: Connection) -> accounts.Account:
            hold_round(connection)  # there is one first admin
            account = accounts.accept_invite(connection, body.key, body.name, stored, now)
            write_audit(connection, account.id, "invitation accepted", {"role": account.role})
            return account

        return site.project.database.write(accept)

    def check(connection: Connection) -> None:
        accounts.check_invite(connection, body.key, body.name, now)

    # A secret cannot be guessed: only who has one is worth the time that a password takes.
    await run_in_threadpool(site.project.database.read, check)
    if site.home is not site:
        person = await _join_workspace(body, request, site.home)

        def enter(connection: Connection) -> accounts.Account:
            account = accounts.accept_invite(connection, body.key, body.name, accounts.MEMBER, now)
            write_audit(connection, account.id, "invitation accepted", {"role": account.role})
            return account

        account = await run_in_threadpool(site.project.database.write, enter)
        site.forget_accounts()  # a moment ago they were not in it
        await run_in_threadpool(_join_questions, site, account)
        csrf = await begin_session(request, response, person)
        return SessionOut(account=account_out(account), csrf=csrf)
    account = await site.passwords.hash(address_of(request), make)
    csrf = await begin_session(request, response, account)
    return SessionOut(account=account_out(account), csrf=csrf)


def _join_questions(site: Site, account: accounts.Account) -> None:
    """Who joins a project is in those that ask about its examples, too, unless they are or were."""

    def enter(connection: Connection) -> None:
        known = accounts.find_account(connection, name=account.name)
        if known is None or not (known.has_password or known.disabled):
            accounts.enter(connection, account.name, account.role, time.time())
            write_audit(connection, None, "entered with the project", {"project": site.name})

    for one in companions_now(site):
        one.project.database.write(enter)
        one.forget_accounts()


async def _join_workspace(body: JoinIn, request: Request, home: Site) -> accounts.Account:
    """Somebody's account of a workspace, if the password is right, or a new one."""
    database = home.project.database

    def look() -> accounts.Account:
        return database.read(lambda c: accounts.login(c, body.name, body.password))

    def make() -> accounts.Account:
        stored = accounts.hashed(body.password)
        return database.write(lambda c: accounts.add_person(c, body.name, stored, time.time()))

    known = await run_in_threadpool(database.read, lambda c: accounts.find_account(c, name=body.name))
    if known is None:
        return await home.passwords.hash(address_of(request), make)
    browser = home.known_browser(request.cookies.get(home.browser_cookie), body.name)
    try:
        return await home.passwords.login(
            address_of(request), body.name, browser, look, accounts.NotAllowedError
        )
    except accounts.NotAllowedError:
        why = "there is an account of this name already: give its password, or another name."
        raise Failure(401, why, code="wrong_password", field="password") from None


@router.get("/me", summary="Who is logged in")
def me(visitor: Annotator) -> SessionOut:
    """The account, and the token that writes with its cookie need."""
    return SessionOut(account=account_out(visitor.account), csrf=visitor.csrf)


@router.post("/me/password", summary="Change the password")
async def change_password(
    body: PasswordIn, request: Request, response: Response, site: Here, visitor: Annotator
) -> SessionOut:
    """Change one's password; sessions elsewhere end."""
    own = visitor.person
    database = site.home.project.database
    query = select(annotator.c.password).where(annotator.c.id == own.id)

    def replace() -> accounts.Account:
        if not accounts.check_password(database.read(lambda c: c.execute(query).scalar_one()), body.old):
            raise accounts.NotAllowedError("the old password is not right.")
        stored = accounts.hashed(body.new)

        def change(connection: Connection) -> accounts.Account:
            accounts.set_password(connection, own.id, stored)
            write_audit(connection, own.id, "password changed", {})
            found = accounts.find_account(connection, identity=own.id)
            assert found is not None
            return found

        return database.write(change)

    try:
        changed = await site.passwords.own(own.id, replace, accounts.NotAllowedError)
    except accounts.NotAllowedError as error:
        raise Failure(403, str(error), code="wrong_password", field="old") from None
    site.home.forget_accounts()
    csrf = await begin_session(request, response, changed) if visitor.csrf is not None else None
    return SessionOut(account=account_out(visitor.account), csrf=csrf)


@router.get("/tokens", summary="Your tokens")
def tokens(site: Here, visitor: Annotator) -> list[TokenOut]:
    """Tokens of one's own, without their secrets."""
    rows = site.home.project.database.read(lambda c: accounts.list_tokens(c, visitor.person.id))
    return [TokenOut(**row) for row in rows]


@router.post("/tokens", status_code=201, summary="Make a token")
def make_token(body: TokenIn, site: Here, visitor: Annotator) -> TokenOut:
    """A token for programs, with the rights of one's own account; its secret is in this answer alone."""
    own = visitor.person
    # Else a token that was stolen would outlive its end, and being revoked.
    if visitor.csrf is None:
        raise Failure(403, "a token makes no tokens; log in with your password.")

    def make(connection: Connection) -> TokenOut:
        secret = accounts.create_token(connection, own.id, body.name, time.time(), body.days)
        write_audit(connection, own.id, "token made", {"name": body.name})
        return TokenOut(**accounts.list_tokens(connection, own.id)[-1], secret=secret)

    return site.home.project.database.write(make)


@router.delete("/tokens/{token_id}", status_code=204, summary="Revoke a token")
def revoke_token(token_id: BigNumber, site: Here, visitor: Annotator) -> None:
    """Revoke a token of one's own; it ends at once."""
    own = visitor.person

    def revoke(connection: Connection) -> None:
        if not (token_id < 2**31 and accounts.revoke_token(connection, own.id, token_id, time.time())):
            raise Failure(404, "you have no such token.")
        write_audit(connection, own.id, "token revoked", {"id": token_id})

    site.home.project.database.write(revoke)
    site.home.forget_accounts()
