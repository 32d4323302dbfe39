"""Attempts that may be made in a while."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable


class Attempts:
    """Counts failures by key and says when there were too many.

    Parameters
    ----------
    limit : int
        Failures of one key that are allowed within the time.
    seconds : float
    clock : callable
    """

    _KEYS = 10_000

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.seconds, self.clock = limit, seconds, clock
        self._failed: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait(self, key: str) -> float:
        """Seconds until another attempt is allowed; 0 if it is now."""
        with self._lock:
            times = self._recent(key)
            return 0.0 if len(times) < self.limit else times[0] + self.seconds - self.clock()

    def failed(self, key: str) -> None:
        """Count a failure."""
        with self._lock:
            if len(self._failed) >= self._KEYS:
                self._forget()
            self._failed.setdefault(key, deque()).append(self.clock())

    def forget(self, key: str) -> None:
        """Forget the failures of a key."""
        with self._lock:
            self._failed.pop(key, None)

    def _recent(self, key: str) -> deque[float]:
        times = self._failed.get(key, deque())
        while times and times[0] <= self.clock() - self.seconds:
            times.popleft()
        return times

    def _forget(self) -> None:
        for key in list(self._failed):
            if not self._recent(key):
                del self._failed[key]
        # Under a flood of names the oldest go first.
        for key in list(self._failed)[: max(len(self._failed) - self._KEYS + 1, 0)]:
            del self._failed[key]
