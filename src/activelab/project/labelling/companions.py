"""Several questions about the same examples: projects beside each other, of which one leads.

Each asks one question and is a project like others. Companions have copies of the examples of their lead, row
for row; what is added to the lead comes to them as well, and by no other way.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from activelab._errors import InputError
from activelab._typing import Floats
from activelab.project.labelling import pool, rounds
from activelab.project.settings import load_value, store_value
from activelab.project.store.audit import write_audit
from activelab.project.store.database import Database, StorageError
from activelab.project.store.schema import example, feature_block

_COMPANIONS = "companions"
_PATIENCE = 600.0  # seconds for which an import into a companion is waited for


@dataclass(frozen=True)
class Ties:
    """With which projects one shares its examples, by their names.

    Attributes
    ----------
    about : str or None
        The lead, of a companion.
    companions : tuple of str
        Of a lead, in the order in which they were made.
    """

    about: str | None = None
    companions: tuple[str, ...] = ()


def load_ties(connection: Connection) -> Ties:
    """The ties of a project."""
    return Ties(load_value(connection, pool.ABOUT), tuple(load_value(connection, _COMPANIONS, [])))


def add_examples(
    database: Database,
    examples: Iterable[tuple[str, Mapping[str, Any]]],
    features: Floats | None,
    progress: Callable[[int], None],
    finish: Callable[[Connection], None],
    gold: Mapping[str, int] | None = None,
    version: int | None = None,
) -> int:
    """`pool.add_examples`, and the same examples for all questions about them."""
    done = pool.add_examples(database, examples, features, progress, finish, gold, version)
    with _companions(database) as others:
        for own in others:
            follow(database, own)
    return done


@contextmanager
def _companions(lead: Database) -> Iterator[list[Database]]:
    """The databases of the companions of a lead; those that were deleted are passed over."""
    found = list[Database]()
    with ExitStack() as stack:
        for name in lead.read(load_ties).companions:
            place = lead.beside(name)
            if lead.is_sqlite and not Path(place).is_file():
                continue
            own = Database(place, connections=1)
            stack.callback(own.close)
            with suppress(StorageError):
                if own.read(load_ties).about == lead.short_name:
                    found.append(own)
        yield found


def tie(lead: Database, own: Database) -> None:
    """Make a project a companion of a lead, and give it its examples.

    Raises
    ------
    InputError
        As `follow`.
    """
    name = own.short_name
    own.write(lambda c: store_value(c, pool.ABOUT, lead.short_name))
    follow(lead, own)

    def join(connection: Connection) -> None:
        rounds.hold_round(connection)
        names = [*load_value(connection, _COMPANIONS, [])]
        store_value(connection, _COMPANIONS, [*(one for one in names if one != name), name])
        write_audit(connection, None, "question added", {"project": name})

    lead.write(join)


def untie(lead: Database) -> None:
    """Let the companions of a project that goes have their examples as their own."""
    with _companions(lead) as others:
        for own in others:
            own.write(lambda c: store_value(c, pool.ABOUT, None))


def follow(lead: Database, own: Database) -> int:
    """Give a companion the examples that its lead has and it has not; how many.

    Raises
    ------
    InputError
        If it has others.
    """
    _wait(own)
    size, start = (one.read(lambda c: int(load_value(c, "num_examples", 0))) for one in (lead, own))
    last = [one.read(lambda c: _name(c, start - 1)) for one in (lead, own)]
    if start > size or last[0] != last[1]:
        raise InputError(
            f"the examples of {own.short_name!r} are not those of {lead.short_name!r}: it has {start:,}, of "
            f"which the last is {last[1]!r}; there number {start:,} is {last[0]!r}."
        )
    if start == size:
        return 0
    rows, features = _rows(lead, start, size), _features(lead, start, size)
    return pool.add_examples(own, rows, features, lambda _: None, lambda _: None, follows=True)


def _wait(own: Database) -> None:
    """Wait until nobody else fills a project."""
    end = time.monotonic() + _PATIENCE
    while own.read(pool.under_way) is not None and time.monotonic() < end:
        time.sleep(0.2)


def _name(connection: Connection, code: int) -> str | None:
    return connection.execute(select(example.c.name).where(example.c.id == code)).scalar()


def _rows(lead: Database, start: int, size: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for at in range(start, size, pool.BLOCK):
        some = (example.c.id >= at) & (example.c.id < min(at + pool.BLOCK, size))
        query = select(example.c.name, example.c.content).where(some).order_by(example.c.id)
        for name, content in lead.read(lambda c, query=query: c.execute(query).all()):  # type: ignore[misc]
            yield name, json.loads(content)


def _features(lead: Database, start: int, size: int) -> Floats | None:
    """Features of some examples of a lead; None if it has none."""
    if lead.read(lambda c: load_value(c, "num_features")) is None:
        return None
    query = select(feature_block).where(feature_block.c.start < size).order_by(feature_block.c.start)
    blocks = lead.read(lambda c: c.execute(query).all())
    parts = [(row.start, np.load(io.BytesIO(row.data), allow_pickle=False)) for row in blocks]
    values: Floats = np.concatenate([part[max(start - at, 0) :] for at, part in parts])
    return values[: size - start]
