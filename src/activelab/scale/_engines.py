"""Engines: every one is a `concurrent.futures.Executor`.

Local processes by default; Dask through its own executor; Ray by a small adapter over tasks of Ray Core.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from activelab._errors import InputError, unknown

ENGINES = ("processes", "dask", "ray")
ATTEMPTS = 3
_SECONDS_TO_CONNECT = 10
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

MakeExecutor = Callable[[], Executor]


class SerialExecutor(Executor):
    """Runs each task at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class RayExecutor(Executor):
    """Tasks of Ray Core as futures; Ray itself repeats a task whose worker is lost."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._remote: Any = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send a call to the cluster."""
        if self._remote is None:
            self._remote = self._ray.remote(num_cpus=1, max_retries=ATTEMPTS)(in_worker)
        inner = self._remote.remote(fn, *args, **kwargs).future()
        outer: Future[Any] = Future()
        outer.set_running_or_notify_cancel()
        inner.add_done_callback(lambda done: self._pass_on(done, outer))
        return outer

    def _pass_on(self, done: Future[Any], outer: Future[Any]) -> None:
        error = done.exception()
        if error is None:
            outer.set_result(done.result())
        else:  # Ray wraps what a task raised
            outer.set_exception(getattr(error, "cause", None) or error)


def make_engine(engine: str, address: str | None, workers: int) -> MakeExecutor:
    """What starts the executor of an engine, again if it breaks.

    Raises
    ------
    InputError
        If the engine is unknown or not installed, or the cluster cannot be reached.
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if engine == "processes":
        return SerialExecutor if workers == 1 else lambda: _processes(workers)
    try:
        __import__("ray" if engine == "ray" else "distributed")
    except ImportError:
        raise InputError(
            f"the engine {engine} is not installed: pip install 'activelab[{engine}]'."
        ) from None
    if address is not None:
        _check_address(engine, address)
    start = _ray if engine == "ray" else _dask
    return lambda: start(address, workers)


def _processes(workers: int) -> Executor:
    return ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=prepare_worker
    )


@cache
def prepare_worker() -> None:
    """One thread a worker: more would fight over the cores. What it frees it keeps, for the next block."""
    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    threadpool_limits(1)
    _keep_freed()


_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
_LARGEST_KEPT, _MOST_KEPT = 1 << 25, 1 << 27


def _keep_freed() -> None:
    """Have glibc keep up to 128 MB of freed memory, which otherwise goes back to the system page by page.

    Dask starts its workers with a threshold of 64 kB: every array of a block is then mapped and cleared anew,
    which doubles the time of a pass.
    """
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):  # another C library
        set_option = ctypes.CDLL(None).mallopt
        set_option(_MMAP_THRESHOLD, _LARGEST_KEPT)
        set_option(_TRIM_THRESHOLD, _MOST_KEPT)


def in_worker(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A call in a process of a cluster, which may have started with as many threads as there are cores."""
    prepare_worker()
    return fn(*args, **kwargs)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started here use one thread each in linear algebra."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _check_address(engine: str, address: str) -> None:
    """Libraries of clusters wait for minutes before they give up."""
    if address == "auto":
        return
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None:
        raise InputError(f"the address {address!r} of the {engine} cluster is not HOST:PORT.")
    try:
        socket.create_connection((host, port), _SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise _unreachable(engine, address, error) from None


def _unreachable(engine: str, address: str | None, error: BaseException) -> InputError:
    reason = " ".join((str(error) or type(error).__name__).split()).rstrip(".")
    where = f" at {address}" if address else ""
    return InputError(f"the {engine} cluster{where} cannot be reached: {reason[:300]}.")


class _DaskExecutor(Executor):
    """Dask's own executor, with the client and the local cluster it closes."""

    def __init__(self, client: Any, cluster: Any) -> None:
        self._client, self._cluster = client, cluster
        self._inner = client.get_executor(pure=False, retries=ATTEMPTS)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send a call to the cluster."""
        future: Future[Any] = self._inner.submit(in_worker, fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster; one that was started here ends."""
        with suppress(Exception):
            self._inner.shutdown(wait=False)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _dask(address: str | None, workers: int) -> Executor:
    from distributed import Client, LocalCluster

    cluster = None
    try:
        if address is None:
            cluster = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0
            )
        client = Client(address or cluster, timeout=_SECONDS_TO_CONNECT)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise _unreachable("dask", address, error) from None
    return _DaskExecutor(client, cluster)


class _LocalRay(RayExecutor):
    """A cluster that was started or joined here, and is left at the end."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()


def _ray(address: str | None, workers: int) -> Executor:
    import ray

    if ray.is_initialized():
        return RayExecutor(ray)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        options |= {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address=address or "local", **options)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise _unreachable("ray", address, error) from None
    return _LocalRay(ray)
