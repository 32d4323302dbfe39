"""Packed files that may be traps: what they unpack to is bounded by their size."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from pathlib import Path
from typing import IO, Any

from activelab._errors import InputError

FREE = 1 << 28
RATIO = 200
"""A packed file may unpack to 256 MiB, or to so many times its size; more is taken for a trap."""


def allowance(path: str | os.PathLike[str]) -> list[int]:
    """Bytes that a packed file may unpack to, in a list that several `Bounded` of it share."""
    return [max(FREE, RATIO * Path(path).stat().st_size)]


class Bounded(io.RawIOBase):
    """What a packed file unpacks to, as long as it stays within bounds."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile, allowed: list[int]) -> None:
        super().__init__()
        self.file, self.allowed = file, allowed

    def readable(self) -> bool:
        """A stream to read from."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        try:
            part = self.file.read(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            if not isinstance(self.file, gzip.GzipFile):
                raise
            raise InputError(f"the gzip data cannot be read: {error}.") from None
        self.allowed[0] -= len(part)
        if self.allowed[0] < 0:
            raise InputError("it unpacks to far more than its size; it is not read any further.")
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close the packed file, too."""
        self.file.close()
        super().close()


def open_gzip(path: str | os.PathLike[str]) -> IO[bytes]:
    """The unpacked bytes of a gzip file, within bounds."""
    return io.BufferedReader(Bounded(gzip.open(path), allowance(path)), 1 << 16)
