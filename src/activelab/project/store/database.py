"""One database of a project, SQLite or PostgreSQL: reads, and writes that are on disk when they return."""

from __future__ import annotations

import math
import os
import queue
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Select, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateSchema

from activelab._errors import InputError
from activelab._extras import needs
from activelab.project.store.statements import Steps, finish, finish_in_step

Result = TypeVar("Result")
_Waiting = tuple[Callable[[Connection], Any], Future[Any]]

_SCHEMA = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")

_GROUP = 64  # writes that share one commit, and with it one wait for the disk
_RETRIES = 20
_SIDE_BY_SIDE = (
    8  # writes of one process to PostgreSQL; more of them only take the interpreter from each other
)
_AS_IT_IS = "as it is"
_IDLE_SECONDS = 5.0  # a connection that was not used for so long may be dead


class StorageError(RuntimeError):
    """The database cannot be read or written; the message says why, in one line."""


class BusyError(StorageError):
    """Another program writes to the file of the project, for longer than this one waits."""


def database_url(place: str | os.PathLike[str]) -> URL:
    """The URL of a file name or of a PostgreSQL address, which may name a schema: ``?schema=tickets``.

    Raises
    ------
    InputError
        If it is a URL of another database.
    """
    text = os.fspath(place)
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).absolute()))
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise InputError(f"{text!r} is no address of a database: {error}.") from None
    kind = url.get_backend_name()
    if kind == "postgres":
        kind = "postgresql"
    if kind == "postgresql":
        schema = url.query.get("schema")
        if isinstance(schema, str):
            if not _SCHEMA.fullmatch(schema):
                raise InputError(
                    f"{schema!r} is no name of a schema: letters, digits, - and _, a letter first."
                )
            options = f'{url.query.get("options", "")} -csearch_path="{schema}"'.strip()
            url = url.difference_update_query(["schema"]).update_query_dict({"options": options})
        return url.set(drivername="postgresql+psycopg")
    if kind == "sqlite":
        return url
    raise InputError(f"{url.drivername}: a project lives in a file (SQLite) or at postgresql://….")


def project_lock(number: int, *, shared: bool = False) -> Select[Any]:
    """A statement that takes a lock of PostgreSQL for a project, until the end of the transaction.

    Projects may be schemas of one database; they do not wait for each other.
    """
    take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
    return select(take(number, func.hashtext(func.current_schema())))


@lru_cache
def _turns(host: str | None, port: int | None, database: str | None) -> threading.Semaphore:
    return threading.Semaphore(_SIDE_BY_SIDE)


def _turns_of(url: URL) -> threading.Semaphore:
    """The turns of those who write; projects that are schemas of one database share them."""
    host = url.host or url.query.get("host")
    return _turns(str(host), url.port, url.database)


class Database:
    """Connections to one database.

    SQLite has one writer at a time: a thread of its own takes the writes that have gathered, runs each in
    a savepoint and commits them together, so that fifty people wait for the disk once and not fifty times.
    PostgreSQL runs writes side by side, and again after a deadlock or a serialization failure.

    Parameters
    ----------
    place : str or path
        A file, or ``postgresql://user@host/name``, with ``?schema=name`` for a schema in it.
    connections : int
        How many connections to PostgreSQL are kept when nobody uses them.

    Attributes
    ----------
    on_write : callable or None
        Is told how many seconds each write took, its waiting included.
    """

    on_write: Callable[[float], None] | None = None

    def __init__(self, place: str | os.PathLike[str], *, connections: int = 10) -> None:
        self.url = database_url(place)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _sqlite(self.url)
            self._writer: _Writer | None = None
            self._starting = threading.Lock()
        else:
            self.engine = _postgresql(self.url, connections)
            # A read is one statement, or statements that need not see the same moment.
            self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            self._turns = _turns_of(self.url)

    @property
    def name(self) -> str:
        """The file, or the address without its password."""
        return str(self.url.database) if self.is_sqlite else self.url.render_as_string(hide_password=True)

    @property
    def place(self) -> str:
        """Where it is, with its password: what another process opens it by."""
        return str(self.url.database) if self.is_sqlite else self.url.render_as_string(hide_password=False)

    @property
    def short_name(self) -> str:
        """The name of the file without folder and ending; of PostgreSQL, of the schema or the database."""
        name = str(self.url.database)
        return Path(name).stem if self.is_sqlite else self.schema or name

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run a function that only reads; on SQLite all of it sees the same moment.

        Raises
        ------
        StorageError
        """
        try:
            if not self.is_sqlite:
                with self._reading.connect() as connection:
                    return work(connection)
            with self.engine.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                return work(connection)
        except (DBAPIError, PoolTimeoutError) as error:
            raise self._explained(error, reading=True) from error

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run a function in a transaction that is durable when this returns; all of it or nothing.

        The function may run more than once before one run is committed.

        Raises
        ------
        StorageError
        """
        began = time.perf_counter()
        try:
            if self.is_sqlite:
                result: Result = self._started().submit(work).result()
                return result
            return self._write_side_by_side(work)
        except (DBAPIError, PoolTimeoutError) as error:
            raise self._explained(error) from error
        finally:
            if self.on_write is not None:
                self.on_write(time.perf_counter() - began)

    def _write_side_by_side(self, work: Callable[[Connection], Result]) -> Result:
        for attempt in range(_RETRIES):
            try:
                with self._turns, self.engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                state = getattr(error.orig, "sqlstate", None)
                if state not in ("40001", "40P01") or attempt == _RETRIES - 1:
                    raise
        raise AssertionError("unreachable")

    def write_all(self, works: Sequence[Callable[[Connection], Steps[Result]]]) -> list[Result | Exception]:
        """Execute the steps of several, each as `write` would, with one wait for the disk if that can be.

        Returns
        -------
        list
            What each returned, or the error it raised.
        """
        began = time.perf_counter()
        found = self._write_all_sqlite(works) if self.is_sqlite else self._write_all_postgresql(works)
        if self.on_write is not None:
            took = time.perf_counter() - began
            for _ in works:
                self.on_write(took)
        return found

    def _write_all_sqlite(
        self, works: Sequence[Callable[[Connection], Steps[Result]]]
    ) -> list[Result | Exception]:
        writer = self._started()
        futures = [writer.submit(_finished(work)) for work in works]
        return [self._outcome(future.result) for future in futures]

    def _write_all_postgresql(
        self, works: Sequence[Callable[[Connection], Steps[Result]]]
    ) -> list[Result | Exception]:
        if len(works) > 1:
            try:
                with self._turns, self.engine.begin() as connection:
                    return finish_in_step(connection, [work(connection) for work in works])
            except DBAPIError as error:
                if error.connection_invalidated:  # whether it was stored is not known
                    return [self._explained(error)] * len(works)
            except Exception:  # of one of them: which, and what of the others, is found out below
                pass
        return [self._outcome(partial(self._write_side_by_side, _finished(work))) for work in works]

    def _outcome(self, work: Callable[[], Result]) -> Result | Exception:
        try:
            return work()
        except (DBAPIError, PoolTimeoutError) as error:
            explained = self._explained(error)
            explained.__cause__ = error
            return explained
        except Exception as error:
            return error

    def _started(self) -> _Writer:
        with self._starting:
            if self._writer is None:
                self._writer = _Writer(self.engine)
            return self._writer

    @property
    def schema(self) -> str | None:
        """The schema of PostgreSQL that its address names."""
        found = re.search(r'-csearch_path="([^"]+)"', str(self.url.query.get("options", "")))
        return found[1] if found else None

    def beside(self, name: str) -> str:
        """Where a project of a name is, or can be made, in the same folder or PostgreSQL database.

        Raises
        ------
        InputError
            If this one is no file NAME.db and no schema.
        """
        if self.is_sqlite:
            own = Path(str(self.url.database))
            if own.suffix != ".db":
                raise InputError(f"{own}: projects that share examples are files NAME.db of one folder.")
            return str(own.with_name(f"{name}.db"))
        if self.schema is None:
            raise InputError(
                f"{self.name}: projects that share examples are schemas of a database, as ?schema={name} is."
            )
        options = str(self.url.query["options"]).replace(f'"{self.schema}"', f'"{name}"')
        url = self.url.update_query_dict({"options": options})
        return url.render_as_string(hide_password=False)

    def make_schema(self) -> None:
        """Make the schema that the address names, where it is not there."""
        if self.schema is not None:
            self.write(lambda c: c.execute(CreateSchema(self.schema or "", if_not_exists=True)))

    def close(self) -> None:
        """End the writer and the connections."""
        if self.is_sqlite and self._writer is not None:
            self._writer.stop()
            self._writer = None
        self.engine.dispose()

    def _explained(self, error: DBAPIError | PoolTimeoutError, *, reading: bool = False) -> StorageError:
        cause = getattr(error, "orig", error)
        busy = getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        kind = BusyError if busy else StorageError
        said = re.sub(r"\s+", " ", str(cause)).strip()
        for pattern, advice in (*(_READ_ADVICE if reading else ()), *_ADVICE):
            if re.search(pattern, said, re.IGNORECASE):
                return kind(f"{self.name}: {advice}")
        return kind(f"{self.name}: {said}")


_READ_ADVICE = (
    (
        "disk is full|No space left",
        "the disk is full, and reading needs a little room beside the file; free some space and repeat.",
    ),
    ("disk I/O error", "the disk cannot be read, or has no room for what reading needs beside the file."),
    (
        "readonly|read-only|unable to open",
        "it cannot be opened where nothing may be written: labels are in the file beside it that ends in "
        "-wal. Copy both to a folder that may be written, and open the copy.",
    ),
)
_ADVICE = (
    (
        "disk is full|No space left",
        "the disk is full. Nothing of this was stored; free some space and repeat.",
    ),
    (
        "disk I/O error",  # as SQLite words a quota that is used up, too
        "the disk cannot be read or written, or a quota is used up. Nothing of this was stored.",
    ),
    (
        "readonly|read-only",
        "it is read-only. Nothing was stored; change its permissions or those of its folder.",
    ),
    ("unable to open", "the file cannot be opened or made. Check that the folder exists and may be written."),
    ("not a database|malformed", "the file is damaged or not a project."),
    ("database is locked", "another program holds it for writing. Repeat when that is done."),
    (
        "Connection refused|could not (connect|translate)|failed to resolve|server closed|terminat",
        "the PostgreSQL server cannot be reached.",
    ),
    ("authentication failed|no password supplied", "PostgreSQL refused user or password."),
    (r'database ".*" does not exist', "there is no such database on the server. Make it with createdb."),
)


def _finished(work: Callable[[Connection], Steps[Result]]) -> Callable[[Connection], Result]:
    return lambda connection: finish(connection, work(connection))


class _Writer:
    """The one thread that writes to a SQLite file."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="activelab-writer", daemon=True)
        self.thread.start()

    def submit(self, work: Callable[[Connection], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        self.waiting.put((work, future))
        return future

    def stop(self) -> None:
        self.waiting.put(None)
        self.thread.join()

    def _run(self) -> None:
        while (first := self.waiting.get()) is not None:
            group, last = [first], False
            while len(group) < _GROUP and not last:
                try:
                    following = self.waiting.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                else:
                    group.append(following)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Waiting]) -> None:
        """Results are told when all is on disk; if the commit fails, everybody is told that."""
        try:
            with self.engine.connect() as connection:
                try:
                    done = self._run_group(connection, group)
                    connection.commit()
                except BaseException:
                    # A commit that fails may leave the transaction open, and SQLAlchemy takes it for over.
                    connection.invalidate()
                    raise
        except BaseException as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for future, result in done:
            future.set_result(result)

    def _run_group(self, connection: Connection, group: list[_Waiting]) -> list[tuple[Future[Any], Any]]:
        """Results of those that can be committed; the others are told their errors at once."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        driver = connection.connection.driver_connection
        assert driver is not None
        done = []
        for work, future in group:
            driver.execute("SAVEPOINT work")
            try:
                result = work(connection)
            except Exception as error:
                # A full disk may have ended the transaction, and with it the work of the others.
                if not driver.in_transaction:
                    raise
                driver.execute("ROLLBACK TO work")
                driver.execute("RELEASE work")
                future.set_exception(error)
                continue
            driver.execute("RELEASE work")
            done.append((future, result))
        return done


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 30})

    @event.listens_for(engine, "do_connect")
    def connect(_: Any, record: ConnectionPoolEntry, arguments: Any, options: Any) -> Any:
        connection = sqlite3.connect(*arguments, **options)
        try:
            _set_up(connection)
        except sqlite3.OperationalError:
            connection.close()
            path = Path(str(url.database))
            if not _may_be_read_as_it_is(path):
                raise
            # Where nothing can be written beside the file, and for as long as nobody else can either.
            record.info[_AS_IT_IS] = True
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, **options)
            _set_up(connection)
        return connection

    @event.listens_for(engine, "checkin")
    def look_again(_: Any, record: ConnectionPoolEntry) -> None:
        if record.info.pop(_AS_IT_IS, False):
            record.invalidate()

    return engine


def _set_up(connection: sqlite3.Connection) -> None:
    # Transactions are begun by hand: the driver would begin one late, and never for a read.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "cache_size = -65536",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _may_be_read_as_it_is(path: Path) -> bool:
    """Whether all that is stored is in the file itself, and nobody is at work on it."""
    log = Path(f"{path}-wal")
    return path.is_file() and path.stat().st_size > 0 and not (log.exists() and log.stat().st_size)


def _postgresql(url: URL, connections: int) -> Engine:
    with needs("postgresql", "a project on PostgreSQL"):
        engine = create_engine(url, pool_size=connections, max_overflow=30 - connections)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        # psycopg would prepare statements of its own, and after a rollback forget all that are prepared.
        connection.prepare_threshold = None
        # A server may be set up to acknowledge what is not on disk yet; ours promises more.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
            # What is executed for every label is planned once: to plan it takes longer than to do it.
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            # To compile a plan takes seconds, of statements that take milliseconds.
            cursor.execute("SET jit = off")
        connection.commit()

    @event.listens_for(engine, "checkin")
    def remember(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        # Not each time: it would cost as much as the statement that follows.
        if time.monotonic() - record.info.get("used", math.inf) > _IDLE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error

    return engine
