"""Probabilities of a round: read from files, and stored in parts, so that no transaction writes for long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from activelab._typing import Float64s
from activelab.project._project import Project
from activelab.project.labelling import rounds
from activelab.project.store.schema import round_array

_CELLS = 1_000_000


def read_predictions(
    project: Project, path: str | os.PathLike[str], example_column: str | None = None
) -> list[Any]:
    """The probabilities in a file: the arrays of a numpy file, or one table with a column ``example``.

    Raises
    ------
    InputError
        If it cannot be read; the error knows the file.
    """
    from activelab import tables  # loads pyarrow, which `activelab status` does without

    if tables.is_array_file(path):
        return list(tables.read_arrays(path))
    with tables.naming(path):
        names = tables.column_names(path)
        others = [name for name in names if name not in project.settings.classes]
        ids = tables.find_column(names if example_column is not None else others, "example", example_column)
    return [tables.read_pred_probs(path, ids)]


def parts_of(pred_probs: Float64s) -> Iterator[tuple[str, Any]]:
    """Names and float32 arrays under which probabilities of shape (n_models, n_examples, K) are stored."""
    rows = max(_CELLS // pred_probs.shape[2], 1)
    for model, probs in enumerate(pred_probs):
        for start in range(0, len(probs), rows):
            yield f"pred_probs/{model:03d}/{start:012d}", probs[start : start + rows].astype(np.float32)


def load_pred_probs(connection: Connection, number: int) -> list[Any]:
    """The out-of-sample probabilities of a round, one float32 array a model; empty if none are stored."""
    models: dict[str, list[Any]] = {}
    for _, name in parts(connection, round_array.c.round_id == number):
        models.setdefault(name.split("/")[1], []).append(rounds.load_array(connection, number, name))
    return [np.concatenate(some) for some in models.values()]


def pred_probs_of(connection: Connection, number: int, example_id: int) -> list[Any]:
    """The probabilities of one example, by each model; empty if none are stored."""
    found: dict[str, tuple[str, int]] = {}
    for _, name in parts(connection, round_array.c.round_id == number):
        _, model, start = name.split("/")
        if int(start) <= example_id:
            found[model] = name, int(start)
    rows = []
    for name, begin in found.values():
        part = rounds.load_array(connection, number, name)
        if example_id - begin < len(part):
            rows.append(part[example_id - begin])
    return rows


def parts(connection: Connection, of: Any) -> list[tuple[int, str]]:
    """Rounds and names of the parts that are stored, in order."""
    query = select(round_array.c.round_id, round_array.c.name).where(
        of, round_array.c.name.like("pred\\_probs/%", escape="\\")
    )
    return sorted((row.round_id, row.name) for row in connection.execute(query))
