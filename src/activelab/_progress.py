"""How far something that takes long has come: a bar in a cell of a notebook, or told to whoever asks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import Any, TypeVar

Show = Callable[[str, int, int | None], None]
"""Told what is done now, how much of it, and of how much if that is known."""

T = TypeVar("T")

_PATIENCE = 0.5  # seconds before a bar appears
_INTERVAL = 0.2  # between two of its pictures


@contextmanager
def shown(progress: bool | Show | None) -> Iterator[Show]:
    """What to tell how far something is.

    Parameters
    ----------
    progress : bool, callable or None
        None or True: a bar where a notebook runs, nothing elsewhere. False: nothing. A function is told.
    """
    if callable(progress):
        yield progress
    elif progress is False or not in_notebook():
        yield nothing
    else:
        bar = _Bar()
        try:
            yield bar
        finally:
            bar.finish()


def nothing(what: str, done: int, total: int | None) -> None:
    """Nobody asked."""


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def followed(items: Iterable[T], progress: Callable[[int, int], None] | None, total: int) -> list[T]:
    """All of ``total`` items; after each ``progress``, if there is one, is told how many there are."""
    return list(counted(items, None if progress is None else lambda done: progress(done, total)))


def counted(items: Iterable[T], advance: Callable[[int], None] | None) -> Iterator[T]:
    """The items as they come, after each of which is told how many there were."""
    for number, item in enumerate(items, 1):
        if advance is not None:
            advance(number)
        yield item


def time_left(elapsed: float, done: int, total: int | None) -> str:
    """In words, by the pace so far; empty where it cannot be told.

    Examples
    --------
    >>> from activelab._progress import time_left
    >>> time_left(30, 1, 5), time_left(3, 1, 4), time_left(1, 0, 5)
    ('2 min left', '9 s left', '')
    """
    if not done or not total:
        return ""
    seconds = elapsed * (total - done) / done
    if seconds < 100:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 6000 else f"{seconds / 3600:.1f} h left"


class _Bar:
    """A bar in the output of a cell, one that is redrawn in place."""

    def __init__(self) -> None:
        self._started = self._drawn = time.monotonic()
        self._handle: Any = None
        self._last: tuple[str, int, int | None] = ("", 0, None)

    def __call__(self, what: str, done: int, total: int | None) -> None:
        self._last, now = (what, done, total), time.monotonic()
        if now - self._drawn < (_PATIENCE if self._handle is None else _INTERVAL):
            return
        self._drawn = now
        self._draw(f"{_amount(done, total)} · {time_left(now - self._started, done, total)}".rstrip(" ·"))

    def finish(self) -> None:
        """Leave a line that says how long it took, if the bar was seen."""
        if self._handle is not None:
            _, done, total = self._last
            self._draw(f"{_amount(done, total)} · {time.monotonic() - self._started:.1f} s")

    def _draw(self, words: str) -> None:
        display: Any = import_module("IPython.display")
        what, done, total = self._last
        bar = f'<progress value="{done}" max="{total}"></progress> ' if total else ""
        picture = display.HTML(f'<div class="activelab-progress">{bar}{escape(what)} {escape(words)}</div>')
        if self._handle is None:
            self._handle = display.display(picture, display_id=True)
        else:
            self._handle.update(picture)


def _amount(done: int, total: int | None) -> str:
    return f"{done:,}" if total is None else f"{done:,} of {total:,}"
