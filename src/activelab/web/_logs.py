"""What the server logs: lines for people or for programs, with nothing in them that people wrote."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from activelab._errors import InputError

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is answered here; empty where none is."""


@contextmanager
def logs(format_: str = "text", level: str = "info") -> Iterator[None]:
    """Log to standard error within the block.

    Parameters
    ----------
    format_ : {"text", "json"}
        Lines for people, or an object a line.
    level : {"debug", "info", "warning", "error"}
        What is less than that is left out. The messages of exceptions, which may hold what people wrote, are
        logged at "debug" alone; their kinds and places always are.

    Raises
    ------
    InputError
        If there is no such format or level.
    """
    for word, known, what in ((format_, FORMATS, "format"), (level, LEVELS, "level")):
        if word not in known:
            raise InputError(f"{word!r} is no {what} of logs; there are {', '.join(known)}.")
    root, ours = logging.getLogger(), logging.getLogger("activelab")
    handler, before = logging.StreamHandler(sys.stderr), ours.level
    handler.setFormatter((_Json if format_ == "json" else _Text)(all_of_it=level == "debug"))
    root.addHandler(handler)
    ours.setLevel(level.upper())
    try:
        yield
    finally:
        root.removeHandler(handler)
        ours.setLevel(before)


class _Format(logging.Formatter):
    def __init__(self, *, all_of_it: bool) -> None:
        super().__init__()
        self.all_of_it = all_of_it

    def facts(self, record: logging.LogRecord) -> dict[str, Any]:
        """What a line says, in its order."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said: dict[str, Any] = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if number := request_id.get():
            said["request"] = number
        said |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[1] is not None:
            said["exception"] = self._exception(record.exc_info[1])
        return said

    def _exception(self, error: BaseException) -> str:
        if self.all_of_it:
            return "".join(traceback.format_exception(error)).rstrip()
        parts: list[str] = []
        one: BaseException | None = error
        while one is not None:
            frames = traceback.extract_tb(one.__traceback__)
            parts.append(f"{type(one).__module__}.{type(one).__qualname__}")
            parts += [f"  {where.filename}:{where.lineno} {where.name}" for where in reversed(frames)]
            one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        return "\n".join(parts)


class _Json(_Format):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.facts(record), default=str)


class _Text(_Format):
    def format(self, record: logging.LogRecord) -> str:
        said = self.facts(record)
        head = " ".join(_one_line(said.pop(name)) for name in ("time", "level", "logger", "message"))
        trace = said.pop("exception", "")
        rest = "".join(f" {name}={_one_line(value)}" for name, value in said.items())
        return head + rest + ("\n" + trace if trace else "")


def _one_line(value: Any) -> str:
    # A line that somebody else's text could end would be one they have written.
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value))
