"""Addresses to listen at."""

from __future__ import annotations

import ipaddress
import socket

from activelab._errors import InputError

BACKLOG = 2048


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, or the reason why not; who connects early waits until the server is ready."""
    if not 0 <= port < 65536:
        raise InputError(f"a port lies between 0 and 65535, got {port}.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Said to be TCP, or asyncio would not know that it may send the rest of an answer at once; the
        # other side would then keep it waiting for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Two servers can bind a port at the same time, but not listen; and who follows the link at once
        # waits, instead of being refused.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise InputError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}.", advice="port"
        ) from None
    return listener
