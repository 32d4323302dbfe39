"""Errors that know the file and the line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from activelab._errors import InputError


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Tell every `InputError` of the block the file, and the lines of its rows, unless it knows a file."""
    try:
        yield
    except InputError as error:
        if error.file is None:
            from activelab.tables._lines import line_of

            error.file = os.fspath(path)
            lines = [line_of(path, row) for row in error.rows]
            error.lines = tuple(line for line in lines if line is not None)
        raise
