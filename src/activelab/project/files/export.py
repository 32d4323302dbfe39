"""Tables out of a project: labels, consensus, the next batch, and all events."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, select

from activelab._errors import InputError, unknown
from activelab._typing import Float64s, Ints
from activelab.consensus.parts import agreement_with_label
from activelab.formats import Conversion, convert_file
from activelab.project._project import Project
from activelab.project.insight.audits import safe_rows
from activelab.project.insight.examples import queue_head
from activelab.project.insight.final import FinalLabels, final_labels
from activelab.project.insight.values import number
from activelab.project.labelling import audits
from activelab.project.labelling.naming import EventNaming, Naming, load_naming, text_of
from activelab.project.labelling.queue import ABSTENTION
from activelab.project.questions import open_questions
from activelab.project.store.schema import annotator, answer, event, example
from activelab.project.training.several import equal_as_asked
from activelab.tables import check_output, format_of, without_formulas, write_table

if TYPE_CHECKING:
    import pyarrow as pa

    from activelab.audit import Checker

_BLOCK = 5_000
_LONG = ("example", "annotator", "label")

WHAT = ("labels", "consensus", "batch", "events", "checks", "questions")


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


def export_table(
    project: Project, what: str, path: str | os.PathLike[str], *, examples: Collection[int] | None = None
) -> Exported:
    """Write a table of a project to a file: CSV, Parquet or JSON lines by its ending.

    Parameters
    ----------
    project : Project
    what : {"labels", "consensus", "batch", "events", "checks", "questions"}
        Of several questions about the same examples, ``questions`` has the consensus of each: one row an
        example, with columns ``NAME_label`` and ``NAME_quality`` by the names of the projects.
    path : path
        Appears whole or not at all. In CSV a text that a spreadsheet would run as a formula begins with an
        apostrophe.
    examples : collection of int, optional
        Of the consensus, the examples that are written; by default all.

    Returns
    -------
    Exported

    Raises
    ------
    InputError
        If ``what`` or the ending of the file is unknown.
    """
    check_output(path)
    table, notes = table_of(project, what, examples)
    write_for_people(path, table)
    return Exported(int(table.num_rows), notes)


def export_as(project: Project, to: str, path: str | os.PathLike[str]) -> Conversion:
    """Write all labels to a file of another tool, with what there is to see of their examples.

    Parameters
    ----------
    project : Project
    to : str
        A name of `activelab.formats.FORMATS`.
    path : path
        Its ending is one of the format's; it appears whole or not at all.

    Returns
    -------
    Conversion

    Raises
    ------
    InputError
        If there is no such format, the ending does not fit, or there is no label yet.
    """
    settings = project.settings
    with tempfile.TemporaryDirectory(prefix="activelab-") as folder:
        between = Path(folder, "labels.jsonl")
        with open(between, "w", encoding="utf-8") as file:
            for row in _with_content(project):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return convert_file(
            between,
            path,
            to,
            from_="long",
            classes=settings.classes,
            columns={name: name for name in _LONG},
            several=settings.several,
        )


def _with_content(project: Project) -> Iterator[dict[str, Any]]:
    """A row a label, with the fields of its example; and a row for each example without one."""
    given: dict[str, list[dict[str, Any]]] = {}
    for row in _labels(project).to_pylist():
        if (
            not row["abstained"] and row.get("asked") is None
        ):  # what was asked of one class is no label of a tool
            given.setdefault(row["example"], []).append({name: row[name] for name in (*_LONG, "time")})
    if not given:
        raise InputError("the project has no label yet.")
    size = project.num_examples
    for start in range(0, size, _BLOCK):
        for one in project.examples(range(start, min(start + _BLOCK, size))):
            content = {name: value for name, value in one.content.items() if name not in (*_LONG, "time")}
            for label in given.get(one.name, [{"example": one.name, "annotator": None, "label": None}]):
                yield label | content


def table_of(
    project: Project, what: str, examples: Collection[int] | None = None
) -> tuple[pa.Table, tuple[str, ...]]:
    """The table of `export_table`, and its notes."""
    if what not in WHAT:
        raise unknown("table", what, WHAT)
    if what == "consensus":
        return _consensus(project, examples)
    if what == "questions":
        return _questions(project)
    return {"labels": _labels, "batch": _batch, "events": _events, "checks": _checks}[what](project), ()


def _labels(project: Project) -> pa.Table:
    """Labels, and the answers of those who cannot tell, who have abstained: these have none."""

    def load(connection: Connection) -> tuple[list[Any], Naming]:
        query = (
            select(
                example.c.name, annotator.c.name, answer.c.class_code, answer.c.kind, event.c.time,
                event.c.source, answer.c.bulk, answer.c.flagged, event.c.reason, answer.c.asked,
            )
            .join(example, example.c.id == answer.c.example_id)
            .join(annotator, annotator.c.id == answer.c.annotator_id)
            .join(event, event.c.id == answer.c.event_id)
            .where(answer.c.kind.in_(("label", ABSTENTION)))
            .order_by(answer.c.event_id)
        )  # fmt: skip
        return [tuple(row) for row in connection.execute(query)], load_naming(connection)

    rows, naming = project.database.read(load)
    named = [
        (e, a, naming.name(code), kind == ABSTENTION, _iso(t), s, *marks, _asked(naming, asked))
        for e, a, code, kind, t, s, *marks, asked in rows
    ]
    kinds = {"example": str, "annotator": str, "label": str, "abstained": bool, "time": str, "source": str}
    return _with_any(named, kinds, {"bulk": bool, "flagged": bool, "note": str, "asked": str})


def _asked(naming: Naming, code: int) -> list[str] | None:
    """The classes that were asked about; None where all were."""
    name = naming.class_name(code)
    return None if name is None else [name]


def _with_any(rows: list[Any], kinds: dict[str, type], more: dict[str, type]) -> pa.Table:
    """A table with those of some further columns, the last of each row, that say anything."""
    every = {**kinds, **more}
    said = [len(kinds) > place or any(row[place] for row in rows) for place in range(len(every))]
    kept = [place for place, any_ in enumerate(said) if any_]
    names = [*every]
    return _table(
        [tuple(row[at] for at in kept) for row in rows], {names[at]: every[names[at]] for at in kept}
    )


def _events(project: Project) -> pa.Table:
    """All that was ever said, in the classes of then."""

    def load(connection: Connection) -> tuple[list[Any], EventNaming]:
        query = (
            select(
                event.c.id, event.c.time, annotator.c.name, example.c.name, event.c.kind, event.c.class_code,
                event.c.reason, event.c.seconds, event.c.source, event.c.undoes, event.c.bulk,
                event.c.flagged, event.c.asked,
            )
            .join(example, example.c.id == event.c.example_id)
            .join(annotator, annotator.c.id == event.c.annotator_id)
            .order_by(event.c.id)
        )  # fmt: skip
        return [tuple(row) for row in connection.execute(query)], EventNaming(connection)

    rows, then = project.database.read(load)
    named = [
        (row[0], _iso(row[1]), *row[2:5], naming.name(row[5]), *row[6:-1], _asked(naming, row[-1]))
        for row, naming in ((row, then.at(row[0])) for row in rows)
    ]
    kinds = {"id": int, "time": str, "annotator": str, "example": str, "kind": str, "label": str}
    kinds |= {"reason": str, "seconds": float, "source": str, "undoes": int}
    return _with_any(named, kinds, {"bulk": bool, "flagged": bool, "asked": str})


def _batch(project: Project) -> pa.Table:
    kinds = {
        "example": str,
        "kind": str,
        "num_labels": int,
        "score": float,
        "consensus_label": str,
        "source": str,
        "quality": float,
        "predicted_label": str,
    }
    rows = [
        (
            row.example, row.kind, row.num_labels, row.score, row.label, row.source, row.quality,
            row.predicted, None if row.asked is None else [row.asked],
        )
        for row in queue_head(project, project.settings.batch_size)
    ]  # fmt: skip
    return _with_any(rows, kinds, {"asked": str})


def _checks(project: Project) -> pa.Table:
    """What audits ask for, the latest first: the label as it was when it was drawn, and what is right."""
    naming, names, rows = project.naming(), project.example_names(), []
    for of in project.database.read(audits.list_audits):
        checks, drawn = project.database.read(
            lambda c, number=of.id: (audits.list_checks(c, number), audits.load_drawn(c, number))  # type: ignore[misc]
        )
        taken = Counter(int(drawn.stratum[check.example_id]) for check in checks)
        size = np.bincount(drawn.stratum[drawn.stratum >= 0])
        for check in checks:
            stratum = int(drawn.stratum[check.example_id])
            rows.append(
                (
                    of.id,
                    names[check.example_id],
                    naming.name(int(drawn.label[check.example_id])),
                    round(float(drawn.quality[check.example_id]), 6),
                    stratum,
                    taken[stratum] / int(size[stratum]),
                    naming.name(check.class_code),
                    check.by,
                )
            )
    kinds = {"audit": int, "example": str, "label": str, "quality": float, "stratum": int}
    return _table(rows, {**kinds, "inclusion": float, "right": str, "checked_by": str})


def safe_table(
    project: Project, audit_id: int, *, epsilon: float, delta: float, checker: Checker | None = None
) -> pa.Table:
    """Labels safe to ship by an audit: example, label, source and quality; see `insight.safe_rows`."""
    names, naming = project.example_names(), project.naming()
    rows = [
        (names[row.example_id], naming.name(row.label), row.source, row.quality)
        for row in safe_rows(project, audit_id, epsilon=epsilon, delta=delta, checker=checker)
    ]
    return _table(rows, {"example": str, "label": str, "source": str, "quality": float})


def write_for_people(path: str | os.PathLike[str], table: pa.Table) -> None:
    """Write a table; in CSV a text that a spreadsheet would run as a formula begins with an apostrophe.

    Sets of classes are lists, in CSV texts such as "a|b".
    """
    write_table(path, without_formulas(_in_texts(table)) if format_of(path).kind == "csv" else table)


def _in_texts(table: pa.Table) -> pa.Table:
    """A table without lists."""
    import pyarrow as pa

    for place, column in enumerate(table.schema):
        if pa.types.is_list(column.type):
            texts = pa.array([text_of(one) for one in table.column(place).to_pylist()], pa.string())
            table = table.set_column(place, column.name, texts)
    return table


def _consensus(project: Project, examples: Collection[int] | None) -> tuple[pa.Table, tuple[str, ...]]:
    """The label of every example that has one, and where it comes from."""
    final, names = final_labels(project), project.example_names()
    agreement, counts = _agreement(project, final)
    size = min(len(final.label), len(counts))  # examples may be added meanwhile
    wanted = final.label[:size] >= 0
    if examples is not None:
        wanted &= np.isin(np.arange(size), [*examples])
    rows = [
        (
            names[code],
            final.naming.name(int(final.label[code])),
            final.source[code],
            final.quality[code],
            *(() if final.expected_error is None else (number(final.expected_error[code]),)),
            agreement[code] if counts[code] else None,
            counts[code],
        )
        for code in np.flatnonzero(wanted).tolist()
    ]
    kinds = {"example": str, "consensus_label": str, "source": str, "quality": float}
    if final.expected_error is not None:
        kinds["expected_error"] = float
    return _table(rows, {**kinds, "agreement": float, "num_labels": int}), final.notes


def _questions(project: Project) -> tuple[pa.Table, tuple[str, ...]]:
    """The consensus of all questions about the examples of a project, beside each other."""
    found: dict[str, dict[str, tuple[Any, float]]] = {}
    notes: list[str] = []
    with open_questions(project) as questions:
        for name, one in questions:
            table, said = _consensus(one, None)
            columns = (table[column].to_pylist() for column in ("example", "consensus_label", "quality"))
            found[name] = {
                example: (label, quality) for example, label, quality in zip(*columns, strict=True)
            }
            notes += [f"{name}: {note}" for note in said]
        names = questions[0][1].example_names()
    kinds: dict[str, type] = {"example": str}
    for name in found:
        kinds |= {f"{name}_label": str, f"{name}_quality": float}
    rows = [
        (name, *(value for of in found.values() for value in of.get(name, (None, None))))
        for name in names
        if any(name in of for of in found.values())
    ]
    return _table(rows, kinds), tuple(notes)


def _agreement(project: Project, final: FinalLabels) -> tuple[Float64s, Ints]:
    """Share of the labels of each example that equal the final one, as far as they go, and their number."""
    if not project.settings.several:
        labels = project.labels()
        return agreement_with_label(labels, np.resize(final.label, labels.n_examples)), labels.counts
    sets = project.label_sets()
    same = equal_as_asked(sets, np.resize(final.label, sets.n_examples), final.naming)
    equal = np.bincount(sets.example, same, sets.n_examples)
    return np.divide(equal, sets.counts, out=np.full(len(equal), np.nan), where=sets.counts > 0), sets.counts


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _table(rows: list[Any], kinds: dict[str, type]) -> pa.Table:
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)

    def array(values: Any, kind: type) -> pa.Array:
        several = kind is str and any(isinstance(value, list) for value in values)
        return pa.array(values, pa.list_(pa.string()) if several else types[kind])

    return pa.table(
        {name: array(values, kind) for (name, kind), values in zip(kinds.items(), columns, strict=True)}
    )
