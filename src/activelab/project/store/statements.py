"""Statements that are executed for every label: compiled once, and given to the driver as they are.

SQLAlchemy writes them; what it does at each execution takes several times as long as the statement itself.
What executes them is written as steps, generators that yield a statement with its values and get its rows. So
steps of several people can go on side by side, and PostgreSQL is asked once for what all of them ask next.
"""

from __future__ import annotations

import itertools
import re
import select
from collections import namedtuple
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import BigInteger, Boolean, Connection, Float, Integer, String
from sqlalchemy.exc import DBAPIError

Result = TypeVar("Result")
Values = Mapping[str, Any]

_number = itertools.count()
_TEXT: dict[int, Callable[[bytes], Any]] = {
    16: b"t".__eq__,
    **dict.fromkeys((20, 21, 23), int),
    **dict.fromkeys((700, 701), float),
}
"""How PostgreSQL writes values, by the number of their type; all others are text."""
_IN_ORDER, _AS_ALWAYS = (
    f"SELECT set_config('enable_sort', '{on}', true), set_config('enable_hashjoin', '{on}', true)".encode()
    for on in ("off", "on")
)
_TYPES = ((Boolean, 16), (BigInteger, 20), (Integer, 23), (Float, 701), (String, 1043))


class Statement:
    """A statement with parameters, as SQLAlchemy writes it; compiled when it is first executed.

    Parameters
    ----------
    clause : select, insert, update or delete
        What it returns has names; lists are parameters that expand.
    in_order : bool
        Whether its rows are few and found in the order of an index. Where PostgreSQL knows little of a table
        it would read and sort all that waits.
    """

    def __init__(self, clause: Any, *, in_order: bool = False) -> None:
        self.clause, self.in_order = clause, in_order
        self._compiled: dict[tuple[Any, ...], _Compiled] = {}

    def compiled(self, connection: Connection, values: Values) -> _Compiled:
        """What is executed: one text for each database, and each length of its lists."""
        lists = {name: one for name, one in values.items() if isinstance(one, list)}
        key = (connection.dialect.name, *map(len, lists.values()))
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = _Compiled(self.clause, lists, connection, self.in_order)
        return found


Step = tuple[Statement | None, Values]
Steps = Generator[Step, list[Any], Result]

ALONE: Final[Step] = (None, {})
"""Yielded by steps that have to be at their end before others, of the same transaction, go on."""


class _Compiled:
    """Text and parameters of a statement for one database."""

    def __init__(
        self, clause: Any, lists: dict[str, list[Any]], connection: Connection, in_order: bool
    ) -> None:
        self.in_order = in_order
        written = clause.params(**lists) if lists else clause
        compiled = written.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
        self.name = f"activelab_{next(_number)}".encode()
        self.constants = {
            name: one.value for name, one in compiled.binds.items() if not one.required and name not in lists
        }
        self.lists = {
            name: [f"{name}_{place + 1}" for place in range(len(one))] for name, one in lists.items()
        }
        self.row: Any = None
        self.booleans: list[int] = []
        if compiled.positional:
            self.text, self.names = compiled.string, [*compiled.positiontup]
            columns = getattr(clause, "exported_columns", [])
            self.booleans = [place for place, one in enumerate(columns) if isinstance(one.type, Boolean)]
        else:
            found = dict.fromkeys(re.findall(r"%\((\w+)\)s", compiled.string))
            numbers = {name: f"${place + 1}" for place, name in enumerate(found)}
            text = re.sub(r"%\((\w+)\)s", lambda one: numbers[one[1]], compiled.string)
            self.text, self.names = text.replace("%%", "%"), [*found]
            self.types = [_type(compiled.binds.get(name)) for name in self.names]

    def arguments(self, values: Values) -> list[Any]:
        """Values in the order of the parameters."""
        given = {**self.constants, **values}
        for name, names in self.lists.items():
            given |= zip(names, values[name], strict=True)
        return [given[name] for name in self.names]

    def rows(self, names: Callable[[], list[str]], found: list[Any]) -> list[Any]:
        """Rows as tuples with names."""
        if not found:
            return found
        if self.row is None:
            self.row = namedtuple("Row", names(), rename=True)  # type: ignore[misc]  # known when it runs
        return [*map(self.row._make, found)]


def _type(bind: Any) -> int:
    kind = None if bind is None else bind.type
    return next((number for of, number in _TYPES if isinstance(kind, of)), 0)


def execute(connection: Connection, statement: Statement, values: Values) -> list[Any]:
    """Its rows; none where it returns nothing.

    Raises
    ------
    DBAPIError
        As SQLAlchemy raises it.
    """
    return execute_all(connection, [(statement, values)])[0]


def execute_all(connection: Connection, asked: Sequence[tuple[Statement, Values]]) -> list[list[Any]]:
    """The rows of each of several statements, in their order; PostgreSQL is sent all of them at once."""
    ready = [(one.compiled(connection, values), values) for one, values in asked]
    driver: Any = connection.connection.driver_connection
    try:
        if connection.dialect.name == "sqlite":
            return [_execute_sqlite(driver, one, one.arguments(values)) for one, values in ready]
        return _execute_postgresql(connection, driver, ready)
    except connection.dialect.loaded_dbapi.Error as error:
        gone = connection.dialect.is_disconnect(error, driver, None)
        if gone:
            connection.invalidate(error)
            connection.engine.dispose()
        raise DBAPIError.instance(
            ready[0][0].text,
            None,
            error,
            connection.dialect.loaded_dbapi.Error,
            connection_invalidated=gone,
            dialect=connection.dialect,
        ) from error


def _execute_sqlite(driver: Any, one: _Compiled, arguments: list[Any]) -> list[Any]:
    cursor = driver.execute(one.text, arguments)
    found = cursor.fetchall()
    if one.booleans:
        found = [
            [
                bool(value) if place in one.booleans and value is not None else value
                for place, value in enumerate(row)
            ]
            for row in found
        ]
    return one.rows(lambda: [column[0] for column in cursor.description], found)


def _execute_postgresql(
    connection: Connection, driver: Any, ready: list[tuple[_Compiled, Values]]
) -> list[list[Any]]:
    from psycopg import pq

    wire = driver.pgconn
    if wire.transaction_status == pq.TransactionStatus.IDLE and not driver.autocommit:
        _checked(wire.exec_(b"BEGIN"))
    known = connection.info.setdefault("prepared", set())
    for one, _ in ready:
        if one.name not in known:
            _checked(wire.prepare(one.name, one.text.encode(), one.types))
            known.add(one.name)
    in_order = any(one.in_order for one, _ in ready)
    if len(ready) == 1 and not in_order:
        one, values = ready[0]
        return [_found(one, _checked(wire.exec_prepared(one.name, _written(one, values))))]
    wire.enter_pipeline_mode()
    try:
        if in_order:
            wire.send_query_params(_IN_ORDER, None)
        for one, values in ready:
            wire.send_query_prepared(one.name, _written(one, values))
        if in_order:
            wire.send_query_params(_AS_ALWAYS, None)
        wire.pipeline_sync()
        results = _heard(wire)
    finally:
        if wire.status == pq.ConnStatus.OK:
            wire.exit_pipeline_mode()
    if in_order:
        _, *results, _ = map(_checked, results)
    return [_found(one, _checked(result)) for (one, _), result in zip(ready, results, strict=True)]


def _heard(wire: Any) -> list[Any]:
    """The results of a pipeline, up to where it was synchronised."""
    from psycopg import pq

    waits = select.poll()
    waits.register(wire.socket, select.POLLIN | select.POLLOUT)
    while wire.flush():
        waits.poll()
        wire.consume_input()
    waits.modify(wire.socket, select.POLLIN)
    results = list[Any]()
    while True:
        while wire.is_busy():
            waits.poll()
            wire.consume_input()
        result = wire.get_result()
        if result is None:  # the end of one statement
            continue
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)
        if result.status == pq.ExecStatus.FATAL_ERROR and wire.status != pq.ConnStatus.OK:
            _checked(result)


def _checked(result: Any) -> Any:
    from psycopg import errors, pq

    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise errors.error_from_result(result)
    return result


def _written(one: _Compiled, values: Values) -> list[bytes | None]:
    return [None if value is None else str(value).encode() for value in one.arguments(values)]


def _found(one: _Compiled, result: Any) -> list[Any]:
    columns = range(result.nfields)
    read = [_TEXT.get(result.ftype(place), bytes.decode) for place in columns]
    get = result.get_value
    found = [
        [None if (value := get(row, place)) is None else read[place](value) for place in columns]
        for row in range(result.ntuples)
    ]
    return one.rows(lambda: [result.fname(place).decode() for place in columns], found)


def finish(connection: Connection, steps: Steps[Result]) -> Result:
    """Execute steps to their end, and return what they return."""
    return _finish(connection, steps, None)


def finish_in_step(connection: Connection, many: Sequence[Steps[Any]]) -> list[Any]:
    """`finish` for several, which go on side by side; an error of one is an error of all."""
    results: list[Any] = [None] * len(many)
    heard: dict[int, list[Any] | None] = dict.fromkeys(range(len(many)))
    while heard:
        asked: dict[int, tuple[Statement, Values]] = {}
        for place, rows in heard.items():
            try:
                statement, values = many[place].send(rows)  # type: ignore[arg-type]  # None is for the first
            except StopIteration as end:
                results[place] = end.value
                continue
            if statement is None:
                results[place] = _finish(connection, many[place], [])
            else:
                asked[place] = statement, values
        found = execute_all(connection, [*asked.values()]) if asked else []
        heard = dict(zip(asked, found, strict=True))
    return results


def _finish(connection: Connection, steps: Steps[Result], rows: Any) -> Result:
    try:
        while True:
            statement, values = steps.send(rows)
            try:
                rows = [] if statement is None else execute(connection, statement, values)
            except DBAPIError as error:
                statement, values = steps.throw(error)
                raise AssertionError("steps cannot go on after an error of the database") from error
    except StopIteration as end:
        result: Result = end.value
        return result
