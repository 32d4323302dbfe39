"""Who is asking, and whether they may."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from activelab.project.store.accounts import ROLES, Account, digest
from activelab.web._failures import Failure
from activelab.web._shield import SAFE
from activelab.web._site import BROWSER_SECONDS, SESSION_SECONDS, Site


@dataclass(frozen=True)
class Visitor:
    """Somebody who is logged in.

    Attributes
    ----------
    account : Account
    csrf : str or None
        The token their writes need; None for a token of the API, which needs none.
    """

    account: Account
    csrf: str | None

    def may(self, role: str) -> bool:
        """Whether they have a role or one above it."""
        return ROLES.index(self.account.role) >= ROLES.index(role)


def site_of(request: Request) -> Site:
    """The state of the application."""
    site: Site = request.app.state.site
    return site


Here = Annotated[Site, Depends(site_of)]


def address_of(request: Request) -> str:
    """Where a request comes from: who connected, or whom a proxy that is trusted names."""
    return request.client.host if request.client else ""


async def identify(request: Request) -> Visitor | None:
    """Who sends a request: by a token of the API, or by the cookie of a session."""
    site = site_of(request)
    header = request.headers.get("authorization")
    if header is not None:
        kind, _, secret = header.partition(" ")
        if kind.lower() != "bearer" or not 10 <= len(secret) <= 200:
            return None
        fresh, account = site.known(digest(secret))
        if not fresh:
            account = await run_in_threadpool(site.token_account, secret)
        return None if account is None else Visitor(account, None)
    cookie = request.cookies.get(site.cookie)
    read = None if cookie is None else site.unsign(cookie)
    if read is None:
        return None
    identity, session, nonce = read
    fresh, account = site.known(str(identity))
    if not fresh:
        account = await run_in_threadpool(site.account, identity)
    if account is None or account.session != session:
        return None
    return Visitor(account, site.csrf(nonce))


def permit(role: str) -> Any:
    """A dependency: the visitor, if they have a role or one above it.

    Writes with a cookie need the token of the session as well; that they come from our own pages was
    checked before.
    """

    async def check(request: Request) -> Visitor:
        visitor = await identify(request)
        if visitor is None:
            raise Failure(401, "log in first.", headers={"WWW-Authenticate": "Bearer"})
        if request.method not in SAFE and visitor.csrf is not None:
            sent = request.headers.get("x-csrf-token", "")
            if not hmac.compare_digest(sent.encode(), visitor.csrf.encode()):
                raise Failure(
                    403, "the header X-CSRF-Token is missing or old; load the page again.", code="csrf"
                )
        if not visitor.may(role):
            raise Failure(403, f"this is for the role {role}; yours is {visitor.account.role}.")
        return visitor

    return Depends(check)


Annotator = Annotated[Visitor, permit("annotator")]
Adjudicator = Annotated[Visitor, permit("adjudicator")]
Admin = Annotated[Visitor, permit("admin")]


def begin_session(request: Request, response: Response, account: Account) -> str:
    """Give a browser the cookie of a new session; the token its writes need."""
    site = site_of(request)
    nonce = secrets.token_urlsafe(16)
    values = {site.cookie: (site.sign(account, nonce), SESSION_SECONDS)}
    if site.known_browser(request.cookies.get(site.browser_cookie), account.name) is None:
        values[site.browser_cookie] = (site.sign_browser(account.name), BROWSER_SECONDS)
    # A proxy that speaks HTTPS says so. A visitor who pretends only keeps their own cookie from themselves.
    secure = site.secure or request.headers.get("x-forwarded-proto") == "https"
    for name, (value, seconds) in values.items():
        response.set_cookie(
            name, value, max_age=seconds, secure=secure, httponly=True, samesite="lax", path="/"
        )
    return site.csrf(nonce)


def end_session(request: Request, response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(site_of(request).cookie, path="/", httponly=True, samesite="lax")
