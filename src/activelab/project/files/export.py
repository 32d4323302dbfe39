"""Tables out of a project: labels, consensus, the next batch, and all events."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, select

from activelab._errors import unknown
from activelab.consensus import crowdlab, majority_vote
from activelab.pred_probs import check_pred_probs
from activelab.project._project import Project
from activelab.project.insight.examples import queue_head
from activelab.project.labelling.rounds import current_round
from activelab.project.settings import load_settings
from activelab.project.store.schema import annotator, answer, event, example
from activelab.project.training.predictions import load_pred_probs
from activelab.tables import check_output, format_of, to_arrow, without_formulas, write_table

if TYPE_CHECKING:
    import pyarrow as pa

WHAT = ("labels", "consensus", "batch", "events")


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes
    ----------
    rows : int
    notes : tuple of str
        What the reader of the table should know.
    """

    rows: int
    notes: tuple[str, ...] = ()


def export_table(project: Project, what: str, path: str | os.PathLike[str]) -> Exported:
    """Write a table of a project to a file: CSV, Parquet or JSON lines by its ending.

    Parameters
    ----------
    project : Project
    what : {"labels", "consensus", "batch", "events"}
    path : path
        Appears whole or not at all. In CSV a text that a spreadsheet would run as a formula begins with an
        apostrophe.

    Returns
    -------
    Exported

    Raises
    ------
    InputError
        If ``what`` or the ending of the file is unknown.
    """
    check_output(path)
    table, notes = table_of(project, what)
    write_table(path, without_formulas(table) if format_of(path).kind == "csv" else table)
    return Exported(int(table.num_rows), notes)


def table_of(project: Project, what: str) -> tuple[pa.Table, tuple[str, ...]]:
    """The table of `export_table`, and its notes."""
    if what not in WHAT:
        raise unknown("table", what, WHAT)
    if what == "consensus":
        return _consensus(project)
    return {"labels": _labels, "batch": _batch, "events": _events}[what](project), ()


def _labels(project: Project) -> pa.Table:
    def load(connection: Connection) -> tuple[list[Any], tuple[str, ...]]:
        query = (
            select(example.c.name, annotator.c.name, answer.c.class_code, event.c.time, event.c.source)
            .join(example, example.c.id == answer.c.example_id)
            .join(annotator, annotator.c.id == answer.c.annotator_id)
            .join(event, event.c.id == answer.c.event_id)
            .where(answer.c.kind == "label")
            .order_by(answer.c.event_id)
        )
        return [tuple(row) for row in connection.execute(query)], load_settings(connection).classes

    rows, classes = project.database.read(load)
    named = [(e, a, classes[k], _iso(t), s) for e, a, k, t, s in rows]
    return _table(named, dict.fromkeys(("example", "annotator", "label", "time", "source"), str))


def _events(project: Project) -> pa.Table:
    def load(connection: Connection) -> tuple[list[Any], tuple[str, ...]]:
        query = (
            select(
                event.c.id, event.c.time, annotator.c.name, example.c.name, event.c.kind, event.c.class_code,
                event.c.reason, event.c.seconds, event.c.source, event.c.undoes,
            )
            .join(example, example.c.id == event.c.example_id)
            .join(annotator, annotator.c.id == event.c.annotator_id)
            .order_by(event.c.id)
        )  # fmt: skip
        return [tuple(row) for row in connection.execute(query)], load_settings(connection).classes

    rows, classes = project.database.read(load)
    named = [
        (row[0], _iso(row[1]), *row[2:5], None if row[5] is None else classes[row[5]], *row[6:])
        for row in rows
    ]
    kinds = {"id": int, "time": str, "annotator": str, "example": str, "kind": str, "label": str}
    return _table(named, {**kinds, "reason": str, "seconds": float, "source": str, "undoes": int})


def _batch(project: Project) -> pa.Table:
    kinds = {
        "example": str,
        "kind": str,
        "num_labels": int,
        "score": float,
        "consensus_label": str,
        "quality": float,
        "predicted_label": str,
    }
    rows = [
        (row.example, row.kind, row.num_labels, row.score, row.consensus, row.quality, row.predicted)
        for row in queue_head(project, project.settings.batch_size)
    ]
    return _table(rows, kinds)


def _consensus(project: Project) -> tuple[pa.Table, tuple[str, ...]]:
    """CROWDLAB with the models of the round that is served; the majority vote where they know too little."""
    labels = project.labels()
    labels = labels.select(annotators=labels.annotators[np.unique(labels.annotator)])
    stored = project.database.read(lambda c: load_pred_probs(c, current_round(c)))
    notes: tuple[str, ...] = ()
    if stored and stored[0].shape == (labels.n_examples, labels.n_classes):
        result = crowdlab(labels, check_pred_probs(stored, labels), seed=project.settings.seed)
        notes = result.notes
    else:
        result = majority_vote(labels, seed=project.settings.seed)
        why = "examples or classes were added since the last round" if stored else "no model is trained yet"
        notes = (f"consensus by majority vote: {why}.",)
    columns = result.to_dict()
    names = np.array(project.example_names(), dtype=object)
    columns["example"] = names[np.asarray(columns["example"], dtype=np.int64)]
    return to_arrow(columns), notes


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _table(rows: list[Any], kinds: dict[str, type]) -> pa.Table:
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return pa.table(
        {
            name: pa.array(values, types[kind])
            for (name, kind), values in zip(kinds.items(), columns, strict=True)
        }
    )
