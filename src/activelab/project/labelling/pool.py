"""Examples added to the pool: in blocks that nobody sees before the last is there."""

from __future__ import annotations

import functools
import io
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update

from activelab._errors import InputError, first
from activelab._typing import Floats
from activelab.project.labelling import rounds
from activelab.project.labelling.decisions import truths_changed
from activelab.project.labelling.queue import check_version
from activelab.project.settings import load_settings, load_value, store_value
from activelab.project.store.database import Database
from activelab.project.store.schema import audit, example, feature_block, setting

BLOCK = 5_000
"""Examples written in one transaction."""

SILENT_SECONDS = 30.0
"""Without a block for so long, an import is taken for dead."""

ABOUT = "about"
"""Name of the value that says whose examples a project asks about, if not its own."""


def add_examples(
    database: Database,
    examples: Iterable[tuple[str, Mapping[str, Any]]],
    features: Floats | None,
    progress: Callable[[int], None],
    finish: Callable[[Connection], None],
    gold: Mapping[str, int] | None = None,
    version: int | None = None,
    follows: bool = False,
) -> int:
    """See `Project.add_examples`; ``gold`` are the right answers of some of them, as codes of a version.

    ``follows`` is for those of a lead, which come to its companions.
    """
    import_, gold = _Import(database, version, follows), gold or {}
    try:
        done = 0
        for block in _blocks(examples):
            import_.write(functools.partial(_add_block, block=block, at=done, gold=gold))
            done += len(block)
            progress(done)
        width = _add_features(import_, features, done)
        import_.write(functools.partial(_show, count=done, width=width, finish=finish))
    except BaseException:
        import_.give_up()
        raise
    return done


class _Import:
    """An import that is under way. There is one at a time; one that was killed makes room for the next."""

    def __init__(self, database: Database, version: int | None, follows: bool) -> None:
        self.database, self.version, self.follows = database, version, follows
        self.token = secrets.token_hex(8)
        database.write(self._begin)

    def _begin(self, connection: Connection) -> None:
        rounds.hold_round(connection)
        about = load_value(connection, ABOUT)
        if about is not None and not self.follows:
            raise InputError(f"this project asks about the examples of {about!r}; add them there.")
        if load_value(connection, "import", "never") == "never":
            store_value(connection, "import", None)
        silent = under_way(connection)
        if silent is not None:
            raise InputError(
                f"another process imports examples (last seen {silent:.0f} seconds ago). Wait for it; "
                f"if it was stopped, repeat this in {SILENT_SECONDS:.0f} seconds."
            )
        if self.version is not None:  # while it is under way, classes do not change
            check_version(connection, self.version)
        clear_unfinished(connection)
        self._sign(connection)

    def _sign(self, connection: Connection) -> None:
        value = json.dumps({"token": self.token, "time": time.time()})
        connection.execute(update(setting).where(setting.c.name == "import").values(value=value))

    def write(self, work: Callable[..., None]) -> None:
        """Run a function in a transaction, if this is still the import under way."""

        def write(connection: Connection) -> None:
            if _under_way(connection).get("token") != self.token:
                raise InputError("another import has begun meanwhile; run this one again when it is done.")
            self._sign(connection)
            work(connection, int(load_value(connection, "num_examples", 0)))

        self.database.write(write)

    def give_up(self) -> None:
        """Remove what was written, unless another import has taken over."""

        def remove(connection: Connection) -> None:
            if _under_way(connection).get("token") == self.token:
                clear_unfinished(connection)

        self.database.write(remove)


def under_way(connection: Connection) -> float | None:
    """For how long an import that is under way has said nothing; None if there is none."""
    other = _under_way(connection)
    silent = time.time() - other["time"] if other else -1.0
    # A clock that was set back must not keep everybody out.
    return silent if 0 <= silent < SILENT_SECONDS else None


def _under_way(connection: Connection) -> dict[str, Any]:
    """The import that is under way, kept as it is until the transaction ends; empty if there is none."""
    query = select(setting.c.value).where(setting.c.name == "import").with_for_update()
    return json.loads(connection.execute(query).scalar() or "null") or {}


def clear_unfinished(connection: Connection) -> None:
    """Remove what an import has left that did not finish."""
    size = int(load_value(connection, "num_examples", 0))
    connection.execute(delete(example).where(example.c.id >= size))
    connection.execute(delete(feature_block).where(feature_block.c.start >= size))
    connection.execute(update(setting).where(setting.c.name == "import").values(value="null"))


def _blocks(examples: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[list[tuple[str, str]]]:
    block: list[tuple[str, str]] = []
    for name, content in examples:
        block.append((name, json.dumps(content, ensure_ascii=False)))
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block


def _add_block(
    connection: Connection, size: int, block: list[tuple[str, str]], at: int, gold: Mapping[str, int]
) -> None:
    names = dict.fromkeys(name for name, _ in block)
    there = connection.execute(select(example.c.name, example.c.id).where(example.c.name.in_(names))).all()
    before = [row.name for row in there if row.id < size]
    if before:
        raise InputError(f"examples {first(before)} are in the project already.")
    if there or len(names) < len(block):
        seen: set[str] = {row.name for row in there}
        twice = next(name for name, _ in block if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InputError(f"example {twice!r} occurs twice. Ids must be unique.")
    connection.execute(
        insert(example),
        [
            {"id": size + at + turn, "name": name, "content": content, "gold": gold.get(name)}
            for turn, (name, content) in enumerate(block)
        ],
    )


def _add_features(import_: _Import, features: Floats | None, count: int) -> int | None:
    """Write the features; how many an example has."""
    start, width = import_.database.read(
        lambda c: (int(load_value(c, "num_examples", 0)), load_value(c, "num_features"))
    )
    if features is None:
        if start and width is not None and count:
            raise InputError(
                f"the examples of this project have {width} features; the new ones need them too."
            )
        return None
    values = np.asarray(features)
    if values.ndim != 2 or len(values) != count or not values.shape[1] or values.dtype.kind not in "fiub":
        raise InputError(f"features need shape ({count:,}, n_features), got {values.shape}.")
    if start and width is None:
        raise InputError("the examples already in the project have no features; new ones cannot have them.")
    if start and values.shape[1] != width:
        raise InputError(f"the project has {width} features an example, these have {values.shape[1]}.")
    for at in range(0, count, BLOCK):
        part = np.ascontiguousarray(values[at : at + BLOCK], dtype=np.float32)
        if not np.isfinite(part).all():
            row = int(np.flatnonzero(~np.isfinite(part).all(axis=1))[0]) + at
            raise InputError(f"the features of row {row:,} are not all finite.")
        buffer = io.BytesIO()
        np.save(buffer, part, allow_pickle=False)
        import_.write(functools.partial(_store_block, at=at, data=buffer.getvalue()))
    return int(values.shape[1])


def _store_block(connection: Connection, size: int, at: int, data: bytes) -> None:
    connection.execute(insert(feature_block), {"start": size + at, "data": data})


def _show(
    connection: Connection, size: int, count: int, width: int | None, finish: Callable[[Connection], None]
) -> None:
    """Let everybody see the new examples, and what comes with them, at one stroke."""
    settings = load_settings(connection)
    connection.execute(update(setting).where(setting.c.name == "import").values(value="null"))
    if count:
        store_value(connection, "num_examples", size + count)
        new = (example.c.id >= size) & example.c.gold.is_not(None)
        known = connection.execute(select(func.count()).select_from(example).where(new)).scalar_one()
        truths_changed(connection, known, time.time())
        if width is not None:
            store_value(connection, "num_features", width)
        detail = json.dumps({"count": count})
        connection.execute(insert(audit).values(time=time.time(), action="examples added", detail=detail))
        if rounds.current_round(connection) < 0:
            rounds.start_first_round(connection, settings)
        else:
            new_codes = rounds.without_known(connection, np.arange(size, size + count))
            rounds.append_to_order(connection, settings, new_codes)
    finish(connection)
