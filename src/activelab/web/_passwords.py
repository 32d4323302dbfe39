"""Passwords are looked at in a line of their own: neither guessing nor a rush keeps others waiting."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from activelab.web._failures import Failure
from activelab.web._limits import Attempts

Result = TypeVar("Result")

AT_ONCE = 2
"""argon2 takes 64 MiB and some tenths of a second of a core a piece."""

NICE = 10
"""How far the threads that look at passwords step back behind those that answer who labels."""

LINE = 200
"""Who may wait of one address: a whole class that logs in at once. A stranger's line is their own."""

LINES = 2_000
"""Who may wait in all."""

ATTEMPTS_SECONDS = 300.0


@dataclass
class _Line:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class Passwords:
    """Looks at passwords, and refuses who was wrong too often.

    Of each address one is looked at at a time, and two in all. Failures are counted for a name at one
    address, for all names of one address, and for a browser that has logged in before by itself: a stranger
    elsewhere locks nobody out, and one at the same address nobody who was here before. What is right counts
    nothing, however many come from one address.
    """

    def __init__(self) -> None:
        self.by_name = Attempts(10, ATTEMPTS_SECONDS)
        self.by_address = Attempts(50, ATTEMPTS_SECONDS)
        self.by_account = Attempts(10, ATTEMPTS_SECONDS)
        self._lines: dict[str, _Line] = {}
        self._threads = ThreadPoolExecutor(AT_ONCE, "activelab-passwords", initializer=_step_back)

    def close(self) -> None:
        """End the threads; who waits is not served any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def login(
        self, address: str, name: str, browser: str | None, look: Callable[[], Result], wrong: type[Exception]
    ) -> Result:
        """Look at name and password of a visitor.

        Parameters
        ----------
        address : str
        name : str
        browser : str or None
            Names the browser, if this name has logged in with it before.
        look : callable
            Returns the account, or raises ``wrong``.
        wrong : type of exception
        """
        area = area_of(address)
        counted = [(self.by_name, f"{area} {name}"), (self.by_address, area)]
        if browser is not None:
            counted = [(self.by_account, f"browser {browser}")]
        return await self._in_line(area, lambda: _counted(counted, look, wrong))

    async def own(self, account: int, look: Callable[[], Result], wrong: type[Exception]) -> Result:
        """Look at a password of somebody who is logged in."""
        counted = [(self.by_account, f"account {account}")]
        return await self._in_line(f"account {account}", lambda: _counted(counted, look, wrong))

    async def hash(self, address: str, work: Callable[[], Result]) -> Result:
        """Do something that takes as long as a password, which no stranger gets to."""
        return await self._in_line(area_of(address), work)

    async def _in_line(self, key: str, work: Callable[[], Result]) -> Result:
        line = self._lines.setdefault(key, _Line())
        if line.length >= LINE or sum(one.length for one in self._lines.values()) >= LINES:
            raise Failure(429, "too many log in at this moment; try again.", headers={"Retry-After": "10"})
        line.length += 1
        try:
            async with line.turn:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            line.length -= 1
            if not line.length:
                self._lines.pop(key, None)


def area_of(address: str) -> str:
    """Whom an address belongs to: of IPv6, everybody has 2⁶⁴ of them."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _counted(
    counted: list[tuple[Attempts, str]], look: Callable[[], Result], wrong: type[Exception]
) -> Result:
    for attempts, key in counted:
        if wait := attempts.wait(key):
            raise Failure(
                429,
                f"too many attempts; try again in {max(wait / 60, 1):.0f} minutes.",
                headers={"Retry-After": str(int(wait) + 1)},
            )
    try:
        result = look()
    except wrong:
        for attempts, key in counted:
            attempts.failed(key)
        raise
    # Only the first is forgiven: whoever knows one password may still be guessing others.
    counted[0][0].forget(counted[0][1])
    return result


def _step_back() -> None:
    # A thread has a priority of its own on Linux alone.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
