"""Who is asking, and whether they may."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from activelab.project.store.accounts import ROLES, Account, digest
from activelab.project.store.logins import browser_words
from activelab.web._failures import Failure
from activelab.web._shield import SAFE
from activelab.web._site import BROWSER_SECONDS, SESSION_SECONDS, Site


@dataclass(frozen=True)
class Visitor:
    """Somebody who is logged in.

    Attributes
    ----------
    account : Account
        Who they are in the project.
    csrf : str or None
        The token their writes need; None for a token of the API, which needs none.
    person : Account
        Who logged in: the same, unless the project belongs to a workspace.
    """

    account: Account
    csrf: str | None
    person: Account

    def may(self, role: str) -> bool:
        """Whether they have a role or one above it."""
        return ROLES.index(self.account.role) >= ROLES.index(role)


def site_of(request: Request) -> Site:
    """The site a request is for: one of a workspace's, or the only one of the application."""
    site: Site = request.scope.get("site") or request.app.state.site
    return site


Here = Annotated[Site, Depends(site_of)]


def address_of(request: Request) -> str:
    """Where a request comes from: who connected, or whom a proxy that is trusted names."""
    return request.client.host if request.client else ""


async def identify(request: Request) -> Visitor | None:
    """Who sends a request; None for strangers, and for those who are not in this project of a workspace."""
    site = site_of(request)
    person, csrf = await log_in_of(request)
    account = person
    if person is not None and site.home is not site:
        fresh, account = site.known(person.name)
        if not fresh:
            account = await run_in_threadpool(site.member, person.name)
    return None if person is None or account is None else Visitor(account, csrf, person)


async def log_in_of(request: Request) -> tuple[Account | None, str | None]:
    """Who has logged in, by a token of the API or the cookie of a session, and what their writes need."""
    site = site_of(request).home
    header = request.headers.get("authorization")
    if header is not None:
        kind, _, secret = header.partition(" ")
        if kind.lower() != "bearer" or not 10 <= len(secret) <= 200:
            return None, None
        fresh, account = site.known(digest(secret))
        if not fresh:
            account = await run_in_threadpool(site.token_account, secret)
        return account, None
    cookie = request.cookies.get(site.cookie)
    read = None if cookie is None else site.unsign(cookie)
    if read is None:
        return None, None
    identity, session, nonce = read
    token = site.csrf(nonce)
    fresh, account = site.known(token)
    if not fresh:
        account = await run_in_threadpool(site.session_account, identity, token)
    if account is None or account.session != session:
        return None, None
    return account, token


def permit(role: str) -> Any:
    """A dependency: the visitor, if they have a role or one above it.

    Writes with a cookie need the token of the session as well; that they come from our own pages was
    checked before.
    """

    async def check(request: Request) -> Visitor:
        return await permitted(request, role)

    return Depends(check)


async def permitted(request: Request, role: str) -> Visitor:
    """Who sends a request, if they may.

    Raises
    ------
    Failure
    """
    visitor = await identify(request)
    if visitor is None:
        raise Failure(401, "log in first.", headers={"WWW-Authenticate": "Bearer"})
    if request.method not in SAFE and visitor.csrf is not None:
        sent = request.headers.get("x-csrf-token", "")
        if not hmac.compare_digest(sent.encode(), visitor.csrf.encode()):
            raise Failure(403, "the header X-CSRF-Token is missing or old; load the page again.", code="csrf")
        home = site_of(request).home
        if not home.is_used(visitor.csrf):
            await run_in_threadpool(home.use, visitor.csrf)
    if not visitor.may(role):
        raise Failure(403, f"this is for the role {role}; yours is {visitor.account.role}.")
    return visitor


Annotator = Annotated[Visitor, permit("annotator")]
Adjudicator = Annotated[Visitor, permit("adjudicator")]
Admin = Annotated[Visitor, permit("admin")]


async def begin_session(request: Request, response: Response, account: Account) -> str:
    """Give a browser the cookie of a new session of who logged in; the token its writes need."""
    site = site_of(request).home
    nonce = secrets.token_urlsafe(16)
    token, browser = site.csrf(nonce), browser_words(request.headers.get("user-agent", ""))
    await run_in_threadpool(site.begin, account, token, browser)
    values = {site.cookie: (site.sign(account, nonce), SESSION_SECONDS)}
    if site.known_browser(request.cookies.get(site.browser_cookie), account.name) is None:
        values[site.browser_cookie] = (site.sign_browser(account.name), BROWSER_SECONDS)
    # A proxy that speaks HTTPS says so. A visitor who pretends only keeps their own cookie from themselves.
    secure = site.secure or request.headers.get("x-forwarded-proto") == "https"
    for name, (value, seconds) in values.items():
        response.set_cookie(
            name, value, max_age=seconds, secure=secure, httponly=True, samesite="lax", path=site.root or "/"
        )
    return token


def end_session(request: Request, response: Response) -> None:
    """Take the cookie back."""
    site = site_of(request).home
    response.delete_cookie(site.cookie, path=site.root or "/", httponly=True, samesite="lax")
