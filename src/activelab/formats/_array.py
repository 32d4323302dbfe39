"""The entries of a JSON array one after the other, from a file that may be damaged or hostile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Protocol

import ijson
import numpy as np

from activelab._errors import InputError
from activelab.tables import DEEPEST, Row

# The parser ends the process at a number that Python does not convert, of more than 4,300 digits.
_LONG_NUMBER = re.compile(rb"[0-9]{1001}").search
_STEP = np.zeros(256, dtype=np.int8)
_STEP[[ord("["), ord("{")]] = 1
_STEP[[ord("]"), ord("}")]] = -1


class Readable(Protocol):
    """What has bytes to read."""

    def read(self, size: int = -1, /) -> bytes: ...


def parse_array(file: Readable, *, array: bool = True) -> Iterator[Row]:
    """The objects of an array, or those that follow each other; their numbers, from 1, are their lines.

    Raises
    ------
    InputError
        If it is no JSON, or not to its end.
    """
    number = 0
    try:
        # Without floats, as these would bound integers to 64 bits.
        found = ijson.items(_Shallow(file), "item" if array else "", multiple_values=not array)
        for number, values in enumerate(found, start=1):
            if isinstance(values, dict):
                yield Row(number, _with_floats(values))
            else:
                yield Row(number, {}, "it is not a JSON object")
    except (ijson.JSONError, UnicodeDecodeError, OverflowError, RecursionError) as error:
        raise _unreadable(error, number) from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise _unreadable(error, number) from None


def _with_floats(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_with_floats(one) for one in value]
    if isinstance(value, dict):
        return {name: _with_floats(one) for name, one in value.items()}
    return value


def _unreadable(error: Exception, number: int) -> InputError:
    text = error.args[0] if error.args else ""
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(error)
    said = " ".join(text.split()) or type(error).__name__
    after = f"after entry {number:,}" if number else "at its beginning"
    return InputError(f"cannot be read as JSON {after}: {said[:200]}.")


class _Shallow:
    """Bytes of JSON, without a byte-order mark, as long as nothing in them ends the parser."""

    def __init__(self, file: Readable) -> None:
        self.file, self.depth, self.in_text, self.begun = file, 0, False, False
        self.kept = b""  # backslashes at the end, which belong to what follows

    def read(self, size: int = -1) -> bytes:
        part = self.file.read(size)
        if not self.begun and part:
            part, self.begun = part.removeprefix(b"\xef\xbb\xbf") or self.file.read(size), True
        self._check(part)
        return part

    def _check(self, part: bytes) -> None:
        text = self.kept + part
        bare = text.rstrip(b"\\")
        self.kept = text[len(bare) :] if part else b""
        pieces = bare.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = b"".join(pieces[self.in_text :: 2])
        self.in_text ^= len(pieces) % 2 == 0
        if _LONG_NUMBER(outside):
            raise InputError("it holds a number of more than 1,000 digits.")
        levels = self.depth + np.cumsum(_STEP[np.frombuffer(outside, dtype=np.uint8)], dtype=np.int64)
        if len(levels):
            self.depth = int(levels[-1])
            if levels.max() > DEEPEST:
                raise InputError(f"its values are nested more than {DEEPEST} levels deep.")
