"""Errors that name the file and the line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from activelab._errors import InputError


class FileError(InputError):
    """Input that cannot be used, with a message that begins with the name of the file."""


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the file's name, and the line of the offending row, into every `InputError` of the block."""
    try:
        yield
    except FileError:
        raise
    except InputError as error:
        raise FileError(f"{path}: {_with_line(path, error)}", row=error.row) from None


def _with_line(path: str | os.PathLike[str], error: InputError) -> str:
    from activelab.tables._lines import line_of

    message = str(error)
    line = None if error.row is None else line_of(path, error.row)
    if line is None:
        return message
    pair = re.search(r"rows (\d+) and (\d+), counted from 0", message)
    if pair:
        lines = " and ".join(str(line_of(path, int(row))) for row in pair.groups())
        return message.replace(pair[0], f"lines {lines}")
    counted = f"row {error.row} (rows count from 0)"
    if counted in message:
        return message.replace(counted, f"line {line}")
    return f"{message.removesuffix('.')} (line {line})."
