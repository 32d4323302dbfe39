"""Ports for servers that are told where to listen."""

from __future__ import annotations

import os
import random
import socket

_DRAW = random.Random(os.urandom(8))


def free_port() -> int:
    """A free port of this machine that the kernel gives to nobody else.

    A server may take minutes to listen. A port of the range from which outgoing connections take theirs
    (from 32768 on Linux) may be gone by then.
    """
    while True:
        port = _DRAW.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
