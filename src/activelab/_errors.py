"""The one exception every check raises, and the wording helpers it shares."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class InputError(ValueError):
    """Input that cannot be used, with a message that says what, where and what to do.

    Parameters
    ----------
    message : str
        One sentence or two, complete in itself.
    row : int, optional
        Position of the offending row in the table, counted from 0. The command line turns it into
        the line of the file.
    """

    def __init__(self, message: str, *, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


def first(values: Iterable[object], limit: int = 10) -> str:
    """Name the first few values: ``'a', 'b', 'c' and 12 more``."""
    names = [repr(getattr(value, "item", lambda v=value: v)()) for value in values]
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit:,} more" if len(names) > limit else shown


def unknown(kind: str, name: object, known: Sequence[str]) -> InputError:
    """Error for a name that is not in a list, suggesting the nearest one."""
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InputError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(known)}.")
