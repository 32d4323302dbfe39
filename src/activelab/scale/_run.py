"""A pass over all partitions: resumed, repeated where a worker is lost, and shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from typing import Any

from activelab._errors import InputError
from activelab.scale._engines import ATTEMPTS, MakeExecutor, one_thread_each
from activelab.scale._files import Store
from activelab.scale._job import Job, Partition, digest, run_task
from activelab.scale._kept import Files

Progress = Callable[[str, int], None]
"""Called with the name of a pass and the number of rows just done."""


class Runner:
    """Runs passes with one engine; results lie in the store, so that a run goes on where it stopped."""

    def __init__(
        self,
        store: Store,
        partitions: Sequence[Partition],
        engine: MakeExecutor,
        at_once: int,
        progress: Progress | None = None,
    ) -> None:
        self.store, self.partitions = store, partitions
        self._engine, self._at_once, self._progress = engine, at_once, progress
        self._executor: Executor | None = None
        self.computed = 0

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def run(
        self,
        job: Job,
        function: Any,
        values: Any,
        *,
        key: str | None = None,
        hint: Callable[[], Any] = lambda: None,
        seen: Callable[[Any], None] | None = None,
        only: Collection[int] | None = None,
    ) -> list[Any]:
        """The results of a pass, in the order of the partitions, or of those with the numbers ``only``.

        ``key`` names what the result depends on besides the partition (all of ``job`` and ``values`` if
        None); ``hint`` gives each task what is known when it starts, ``seen`` takes each result (the list is
        then empty).
        """
        key = digest(function.__name__, job, values) if key is None else key
        name = f"parameters/{function.__name__}-{digest(job, values)}"
        if not self.store.exists(name):
            self.store.save(name, (job, values))
        results: dict[int, Any] = {}
        waiting: deque[tuple[Partition, int]] = deque()
        there = self.store.names("results")
        partitions = [one for one in self.partitions if only is None or one.number in only]
        # Those that take longest first, so that all workers are done at about the same time.
        for partition in sorted(partitions, key=lambda one: -one.size):
            file = self._file(function, key, partition)
            if file in there:
                self._take(function, partition, self.store.load(file), results, seen)
            else:
                waiting.append((partition, 1))
        self._work(function, name, key, waiting, hint, results, seen)
        return [results[partition.number] for partition in partitions] if seen is None else []

    def finish(self, job: Job, first_pass: Any) -> None:
        """Remove all but what the next round has a use for: what the first pass made, and the reserves."""
        if not self.store.lasting:
            return
        kept = {name for partition in self.partitions for name in Files(job, partition).all()}
        kept |= {self._file(first_pass, job.digest, partition) for partition in self.partitions}
        for folder in {"results", *(name.partition("/")[0] for name in kept)}:
            self.store.remove_files(sorted(self.store.names(folder) - kept))
        # Last, for results say that these are there.
        for folder in ("parameters", "consensus"):
            self.store.remove(folder)

    def _file(self, function: Any, key: str, partition: Partition) -> str:
        return f"results/{function.__name__}-{key}-{partition.digest}"

    def _take(
        self, function: Any, partition: Partition, result: Any, results: dict[int, Any], seen: Any
    ) -> None:
        if seen is None:
            results[partition.number] = result
        else:
            seen(result)
        if self._progress is not None:
            self._progress(function.__name__, partition.rows[0])

    def _work(
        self,
        function: Any,
        name: str,
        key: str,
        waiting: deque[tuple[Partition, int]],
        hint: Callable[[], Any],
        results: dict[int, Any],
        seen: Any,
    ) -> None:
        running: dict[Future[Any], tuple[Partition, int]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self._at_once:
                    partition, attempt = waiting.popleft()
                    file = self._file(function, key, partition)
                    future = self._submit(function, name, partition, hint(), file)
                    if future is None:
                        waiting.appendleft((partition, attempt))
                        if not running:
                            self._stop()
                        break
                    running[future] = (partition, attempt)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                lost = []
                for future in done:
                    partition, attempt = running.pop(future)
                    try:
                        result = future.result()
                    except BrokenExecutor:
                        lost.append((partition, attempt))
                        continue
                    except (InputError, KeyboardInterrupt):
                        raise
                    except Exception as error:
                        raise _failed(partition, error) from error
                    self.computed += 1
                    self._take(function, partition, result, results, seen)
                if lost:
                    # One lost worker breaks the whole pool: all that ran there starts again.
                    lost += running.values()
                    running.clear()
                    self._stop()
                    waiting.extendleft(_again(one) for one in lost)
        except BaseException:
            for future in running:
                future.cancel()
            raise

    def _submit(
        self, function: Any, name: str, partition: Partition, hint: Any, file: str
    ) -> Future[Any] | None:
        """The future of a task; None if the pool broke before it took the task."""
        if self._executor is None:
            with one_thread_each():
                self._executor = self._engine()
        try:
            with one_thread_each():
                return self._executor.submit(run_task, function, self.store, name, partition, hint, file)
        except BrokenExecutor:
            return None

    def _stop(self) -> None:
        if self._executor is not None:
            executor, self._executor = self._executor, None
            executor.shutdown(wait=True, cancel_futures=True)


def _again(one: tuple[Partition, int]) -> tuple[Partition, int]:
    partition, attempt = one
    if attempt >= ATTEMPTS:
        raise InputError(
            f"its worker was lost {attempt} times, most often for want of memory.",
            file=partition.where,
            advice="memory_or_workers",
        )
    return partition, attempt + 1


def _failed(partition: Partition, error: BaseException) -> Exception:
    """A failure that names the partition."""
    reason = " ".join((str(error) or type(error).__name__).split())
    if (
        "Killed" in type(error).__name__
        or "Crashed" in type(error).__name__
        or "Died" in type(error).__name__
    ):
        return InputError(
            f"its worker was lost {ATTEMPTS} times, most often for want of memory: {reason[:300]}",
            file=partition.where,
        )
    return RuntimeError(f"{partition.where}: {type(error).__name__}: {reason[:500]}")
