"""What the tasks of a run have in common, and one part of the pool."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Ids, Ints
from activelab._vocabulary import Vocabulary
from activelab.acquisition import Acquisition
from activelab.scale._files import File, Store
from activelab.scale._read import read_ids, to_numpy
from activelab.scale._schema import LabelColumns, ProbColumns


@dataclass(frozen=True)
class Partition:
    """Some examples of the pool: files of their labels, and of their probabilities for each model."""

    number: int
    labels: tuple[File, ...]
    models: tuple[tuple[File, ...], ...]
    rows: tuple[int, ...]

    @cached_property
    def digest(self) -> str:
        """Changes when one of the files does."""
        return digest((self.labels, self.models))

    @cached_property
    def pool_digest(self) -> str:
        """Changes when a file of probabilities does."""
        return digest(self.models)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for files in (self.labels, *self.models) for file in files)

    @property
    def where(self) -> str:
        """How an error names it."""
        files = [file.url for file in (*self.labels, *(one for model in self.models for one in model))]
        shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        return f"partition {self.number} ({shown})"


@dataclass(frozen=True)
class Job:
    """What every task of a run needs to know."""

    store: Store
    labels: LabelColumns
    models: tuple[ProbColumns, ...]
    classes: tuple[Any, ...]
    examples_as_text: bool
    labels_as_text: bool
    keep: str
    method: Acquisition
    seed: int
    every: int | None
    several: bool = False
    """Whether a label is a set of classes."""

    @cached_property
    def digest(self) -> str:
        """Changes when a partition must be prepared anew."""
        return digest(
            (self.labels, self.models, self.classes, self.examples_as_text, self.labels_as_text, self.keep),
            self.every,
            self.several,
        )

    def example_ids(self, partition: Partition, model: int = 0) -> Any:
        """Ids of a partition in the order of a model's rows, as an Arrow array."""
        columns = self.models[model]
        return read_ids(partition.models[model], [columns.example], [self.examples_as_text])[0]

    def kept_ids(self, partition: Partition, rows: Ints | None) -> Ids:
        """Those of the rows of the first model that are kept, all if None."""
        ids = to_numpy(self.example_ids(partition))
        return ids if rows is None else ids[rows]


_FORMAT = b"2"
"""Of what a run keeps; with another, what an older version left in a working folder is made anew."""


def digest(*values: object) -> str:
    """A short name that changes with the values: arrays, plain objects, and containers of them."""
    state = hashlib.blake2b(_FORMAT, digest_size=12)
    _feed(state, values)
    return state.hexdigest()


def _feed(state: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        state.update(f"{value.dtype.str}{value.shape}".encode())
        state.update(repr(value.tolist()).encode() if value.dtype.kind == "O" else value.tobytes())
    elif isinstance(value, list | tuple):
        state.update(f"{type(value).__name__}{len(value)}".encode())
        for one in value:
            _feed(state, one)
    elif is_dataclass(value):
        state.update(type(value).__name__.encode())
        for one in fields(value):
            _feed(state, getattr(value, one.name))
    elif isinstance(value, Acquisition):
        state.update(f"{type(value).__qualname__}{vars(value)}".encode())
    elif isinstance(value, Store):
        pass  # the same run may go on from another folder
    else:
        state.update(repr(value).encode() + b";")


class LateIds(Vocabulary):
    """Ids of examples, read only when somebody asks for them."""

    def __init__(self, size: int, read: Callable[[], Ids]) -> None:
        self.kind = "example"
        self._size, self._read = size, read

    @cached_property
    def _values(self) -> Ids:  # type: ignore[override]
        return self._read()


@lru_cache(maxsize=2)
def _parameters(store: Store, name: str) -> Any:
    return store.load(name)


def run_task(function: Any, store: Store, name: str, partition: Partition, extra: Any, file: str) -> Any:
    """One pass over one partition, in a worker; what goes wrong names the partition.

    The result is kept for a run that goes on where this one stops.
    """
    try:
        job, values = _parameters(store, name)
        with np.errstate(all="warn"):
            result = function(job, partition, values, extra)
        if store.lasting:
            store.save(file, result)
        return result
    except InputError as error:
        error.file = error.file or partition.where
        raise
    except (OSError, MemoryError) as error:
        reason = " ".join((str(error) or "not enough memory").split())
        raise InputError(reason, file=partition.where) from None
