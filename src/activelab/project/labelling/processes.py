"""Names of processes that train, by which others on the machine can tell whether one is gone."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def process_name(number: int) -> str:
    """How a running round names the process that trains it.

    On Linux with what makes it the only one of its name: since which start of the machine, in which
    container and since when it runs.
    """
    return f"{socket.gethostname()}:{_machine()}:{_began(number) or ''}:{number}"


def is_gone(name: str) -> bool:
    """Whether a process has ended, for certain: one of another machine or container may be alive."""
    where, _, rest = name.partition(":")
    machine, _, process = rest.partition(":")
    began, _, number = process.partition(":")
    if where != socket.gethostname() or not machine or machine != _machine() or not number.isdigit():
        return False
    return _began(int(number)) != began


@cache
def _machine() -> str:
    """This start of this machine, and this container; empty where that cannot be known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _began(number: int) -> str | None:
    """When a process began, in ticks of the machine; None if it has ended."""
    try:
        state, *fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else fields[18]
