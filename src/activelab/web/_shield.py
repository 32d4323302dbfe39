"""What every request meets first: allowed hosts, same origin, limits; and what every response carries."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activelab.web._failures import Failure, log, refusal

SAFE = ("GET", "HEAD", "OPTIONS")

BODY_LIMIT = 256 * 1024
UPLOAD_LIMIT = 256 * 1024 * 1024
BODY_SECONDS = 30.0
BODY_RATE = 20_000.0
"""A body has so many seconds, and one more for each so many bytes; else the request is given up."""

_HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)

_PROJECT = re.compile(r"^/p/[^/]*(?=/)")

UPLOADS = {"/api/v1/predictions": UPLOAD_LIMIT, "/api/v1/uploads": 2 * 1024**3}
"""Addresses that take files, and how large these may be."""


class Shield:
    """Wraps the application.

    Parameters
    ----------
    app : ASGI application
    hosts : iterable of str
        Names under which the server may be addressed. Others are refused: a page elsewhere could point a
        name of its own at this machine and read from it (DNS rebinding).
    behind_proxy : bool
        Whether proxies are trusted; else the log says once that one seems to be there.
    any_host : iterable of str
        Addresses that are answered under any name.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], *, behind_proxy: bool = False, any_host: Iterable[str] = ()
    ) -> None:
        self.app, self.warned, self.any_host = app, behind_proxy, frozenset(any_host)
        self.hosts = {host.strip("[]").lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {}).update(nonce=nonce, root=scope.get("root_path", ""))
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _guarded(message.get("headers", ()), nonce)
            await send(message)

        try:
            limited = self._checked(scope, receive)
        except Failure as failure:
            await refusal(failure, scope)(scope, receive, guarded)
            return
        try:
            await self.app(scope, limited, guarded)
        except Exception as error:  # here, and not further out, so that this answer carries the headers, too
            log.error("a request failed", exc_info=error)
            if started:
                raise
            unexpected = Failure(500, "something went wrong here; the server's log says more.")
            await refusal(unexpected, scope)(scope, receive, guarded)

    def _checked(self, scope: Scope, receive: Receive) -> Receive:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        below = scope["path"].removeprefix(scope.get("root_path", ""))
        if below not in self.any_host and host_name(host) not in self.hosts:
            raise Failure(
                400,
                "the server does not answer to this name; it must be started with it as an allowed host.",
                code="host_not_allowed",
            )
        if not self.warned and "x-forwarded-for" in headers:
            self.warned = True
            log.warning(
                "requests come through a proxy that is not trusted: for limits, all its visitors are one. "
                "Start the server with --trusted-proxy and the address of the proxy."
            )
        path, method = path_within(scope), scope["method"]
        if "authorization" not in headers and (method not in SAFE or path.startswith("/api/")):
            _check_origin(headers, host, writes=method not in SAFE)
        if method in SAFE:
            return receive
        limit = UPLOADS.get(path, BODY_LIMIT)
        too_large = Failure(413, f"a request here may have {limit:,} bytes.")
        length = headers.get("content-length", "0")
        if not length.isdigit():
            raise Failure(400, "the length of the request is no number.")
        if int(length) > limit:
            raise too_large
        received, complete, began = 0, False, asyncio.get_running_loop().time()

        async def limited() -> Message:
            nonlocal received, complete
            if complete:  # what is waited for now is that the visitor goes away
                return await receive()
            try:
                async with asyncio.timeout_at(began + BODY_SECONDS + received / BODY_RATE):
                    message = await receive()
            except TimeoutError:
                raise Failure(400, "the rest of the request did not come.", code="timeout") from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > limit:
                raise too_large
            return message

        return limited


def path_within(scope: Scope) -> str:
    """The path of a request within a project: without the prefix, and the name of one in a workspace."""
    return _PROJECT.sub("", scope["path"].removeprefix(scope.get("root_path", "")))


@lru_cache(256)
def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; empty if it is none."""
    if not _HOST.fullmatch(host):  # what an address has beside its host would be skipped below
        return ""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _netloc(address: str) -> str | None:
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return None


def _check_origin(headers: Headers, host: str, *, writes: bool) -> None:
    """Browsers say where a request comes from; programs that are no browsers need not."""
    refused = Failure(403, "requests from other sites are refused.", code="cross_origin")
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and _netloc(origin) != host.lower():
        raise refused
    if site is not None and site not in ("same-origin", "none"):
        raise refused
    if writes and origin is None and site == "none":
        raise refused


_POLICY = (
    b"'; style-src 'self'; "
    b"img-src 'self'; media-src 'self'; "
    # A form that is sent before its script is there would put a password in an address.
    b"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'"
)
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_OURS = {b"content-security-policy", *(name for name, _ in _ALWAYS)}


def _guarded(headers: Iterable[tuple[bytes, bytes]], nonce: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with those that every answer carries, whatever it says of them itself."""
    kept = [one for one in headers if one[0] not in _OURS]
    policy = b"default-src 'none'; script-src 'nonce-" + nonce.encode() + _POLICY
    if not any(name == b"cache-control" for name, _ in kept):
        kept.append((b"cache-control", b"no-store"))
    return [*kept, (b"content-security-policy", policy), *_ALWAYS]
