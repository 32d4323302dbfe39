"""Connections: who says nothing, or says it slowly, makes room for those who have something to ask."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from typing import Any, Literal

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from activelab.web._passwords import area_of

MOST = 1_000
"""Connections at a time. The next one takes the place of one that asks for nothing."""

HEADER_SECONDS = 15.0
"""How long the head of a request may take, from its first byte; and the first byte of a connection."""

HEAD_LIMIT = 64 * 1024
"""Bytes that the head of a request may have."""

LINGER_SECONDS = 2.0
"""How long more of a body is taken, and thrown away, of a request that was answered without it."""

_OTHER_FILES = 200


class Room:
    """The connections of a server.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._inside: dict[Connection, None] = {}

    def enter(self, connection: Connection) -> None:
        """Let a connection in, in place of another if there is no room.

        It is one of the address that has most of them, which asks for nothing at this moment: first those
        that never asked for anything, and the longest there of them.
        """
        if len(self._inside) >= self.most:
            idle = [one for one in self._inside if one.idle]
            shares = Counter(one.area for one in self._inside)
            if idle:
                last = min(idle, key=lambda one: (-shares[one.area], one.served, one.since))
                self.leave(last)
                last.transport.close()
        self._inside[connection] = None

    def leave(self, connection: Connection) -> None:
        """A connection that is over."""
        self._inside.pop(connection, None)


class Connection(HttpToolsProtocol):
    """One connection; heads of requests and bodies nobody reads have a deadline, which no byte puts off."""

    room: Room
    area = ""
    since = 0.0
    served = False
    _hears: Literal["nothing", "head", "body"] = "nothing"
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None
    _reason: object = None

    @property
    def idle(self) -> bool:
        """Whether the other side has to say something next."""
        return not self._asked or self._hears == "body"

    @property
    def _asked(self) -> bool:
        """Whether a request waits for its answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        self.area, self.since = area_of(self.client[0]) if self.client else "", time.monotonic()
        self.room.enter(self)
        self._expect("head", HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Something was said."""
        if self._hears != "body":
            self._head_bytes += len(data)
        super().data_received(data)
        if self._hears == "head" and self._head_bytes > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        self._look()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._hears = "head"

    def on_headers_complete(self) -> None:
        """Its head is there."""
        super().on_headers_complete()
        self._hears, self._head_bytes = "body", 0

    def on_message_complete(self) -> None:
        """All of it is there."""
        super().on_message_complete()
        self._hears = "nothing"

    def on_response_complete(self) -> None:
        """A request was answered."""
        self.served, self.since = True, time.monotonic()
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._expect(None)
        self.room.leave(self)
        super().connection_lost(exc)

    def _look(self) -> None:
        if self._hears == "head" and not self._asked:
            self._expect("head", HEADER_SECONDS)
        elif self._hears == "body" and not self._asked:
            self._expect("rest of a body", LINGER_SECONDS)
        elif self._hears != "nothing" or self._asked or self.served:
            self._expect(None)

    def _expect(self, what: str | None, seconds: float = 0.0) -> None:
        """Wait for something, but not for ever; what is waited for already keeps its deadline."""
        if what == self._reason:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._reason = what
        if what is not None:
            self._deadline = self.loop.call_later(seconds, self.transport.abort)


def connection_class() -> type[Connection]:
    """The protocol of one server, whose connections know each other."""
    return type("ServerConnection", (Connection,), {"room": Room(min(MOST, _files() - _OTHER_FILES))})


def _files() -> int:
    """How many files this process may open, as many as it is allowed to allow itself."""
    if sys.platform == "win32":
        return MOST + _OTHER_FILES
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted: Any = MOST + 2 * _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return int(wanted)
    return MOST + _OTHER_FILES
