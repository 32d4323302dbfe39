"""What surrounds every request: an id, HEAD where there is GET, its figures, and its line in the log."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activelab.web._logs import request_id
from activelab.web._metrics import Metrics
from activelab.web._shield import path_within

_log = logging.getLogger("activelab.access")

GONE = 499
"""The status that is counted where the visitor went away before there was an answer."""


class Watch:
    """Wraps the application.

    Parameters
    ----------
    app : ASGI application
    metrics : Metrics
    access_log : bool
        Log a line a request.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, access_log: bool = False) -> None:
        self.app, self.metrics, self.access_log = app, metrics, access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, answered, status = time.perf_counter(), 0.0, GONE
        number, path = secrets.token_hex(8), path_within(scope)
        token = request_id.set(number)

        async def watched(message: Message) -> None:
            nonlocal answered, status
            if message["type"] == "http.response.start":
                answered, status = time.perf_counter() - began, message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", number.encode())]
            await send(message)

        inner = scope
        if scope["method"] == "HEAD":
            inner = {**scope, "method": "GET"}
            receive, send = _without_body(receive, send)
        try:
            await self.app(inner, receive, watched)
        finally:
            answered = answered or time.perf_counter() - began
            route = _route(inner, path)
            self.metrics.request(scope["method"], route, status, answered)
            if self.access_log:
                client = scope["client"][0] if scope.get("client") else ""
                _log.info(
                    "answered",
                    extra={
                        "facts": {
                            "method": scope["method"],
                            "route": route,
                            "status": status,
                            "ms": round(1000 * answered, 1),
                            "client": client,
                        }
                    },
                )
            request_id.reset(token)


def _route(scope: Scope, path: str) -> str:
    """The address of a request as it is written in the code: there are few, and nobody else wrote them."""
    template = getattr(scope.get("route"), "path", None)
    if isinstance(template, str):
        return template
    if path.startswith("/static/"):
        return "/static"
    return path if path == "/api/v1/openapi.json" else "other"


def _without_body(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """The head of an answer alone; whoever would send more, as a stream does, is told that nobody listens."""
    over = False

    async def heard() -> Any:
        return {"type": "http.disconnect"} if over else await receive()

    async def said(message: Message) -> None:
        nonlocal over
        if over:
            return
        await send(message)
        if message["type"] == "http.response.start":
            over = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return heard, said
