"""Exports of Label Studio: JSON, JSON-MIN and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from activelab._errors import InputError, first
from activelab.formats._answers import NONE, answer_of
from activelab.formats._record import (
    Item,
    Record,
    Source,
    moment_of,
    record,
    seconds_of,
    set_aside,
    unlabelled,
)
from activelab.formats._rows import array_rows, columns, rows, write_array, write_csv
from activelab.formats._spool import Spool
from activelab.tables import find_column

SKIPPED = "the annotator skipped it"
_KNOWN = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time")


def read_json(source: Source) -> Iterator[Record]:
    """Tasks with their annotations; those that were skipped are left out."""
    for line, task, problem in array_rows(source.path):
        if problem:
            yield Record(line, problem=problem)
        else:
            yield from task_records(line, task, source.question, source.columns.get("example"))


def task_records(
    line: int, task: Mapping[str, Any], question: str | None = None, example: str | None = None
) -> Iterator[Record]:
    """What one task holds; ``example`` is the field of its data that identifies it."""
    data, annotations = task.get("data"), task.get("annotations", task.get("completions")) or []
    if not isinstance(data, dict):
        yield Record(line, problem="it is no task: it has no 'data'")
        return
    name, identity = ("id", task.get("id")) if example is None else (example, data.get(example))
    given = task_annotations(annotations, question)
    if not given:
        yield unlabelled(line, identity, data, name)
    for annotator, label, time, left_out, problem in given:
        if problem:
            yield Record(line, problem=problem)
        elif left_out:
            yield set_aside(line, identity, data, left_out, name)
        else:
            yield record(
                line, identity, annotator, label, data, time, names=(name, "completed_by", "choices")
            )


def task_annotations(
    annotations: Any, question: str | None = None
) -> list[tuple[Any, Any, float | None, str, str]]:
    """Annotator, label, time, why it is left out and what is wrong, of each annotation of a task."""
    if not isinstance(annotations, list):
        return [(None, None, None, "", "its 'annotations' are no list")]
    found: list[tuple[Any, Any, float | None, str, str]] = []
    for one in annotations:
        if not isinstance(one, dict):
            found.append((None, None, None, "", "an annotation is no object"))
            continue
        who = one.get("completed_by")
        if isinstance(who, dict):
            who = who.get("email") or who.get("id")
        time = seconds_of(one.get("updated_at") or one.get("created_at"))
        if one.get("was_cancelled"):
            found.append((who, None, time, SKIPPED, ""))
            continue
        label, why, problem = _chosen(one.get("result"), question)
        found.append((who, label, time, why, problem))
    return found


def _chosen(result: Any, question: str | None) -> tuple[Any, str, str]:
    """The choice in the regions of an annotation, why there is none, and what is wrong."""
    if not isinstance(result, list) or not all(isinstance(one, dict) for one in result):
        return None, "", "the 'result' of an annotation is no list of objects"
    choices = [one for one in result if one.get("type") == "choices"]
    names = list(dict.fromkeys(str(one.get("from_name")) for one in choices))
    if question is not None:
        choices = [one for one in choices if one.get("from_name") == question]
    elif len(names) > 1:
        raise InputError(f"the tasks have several choices: {first(names)}.", advice="question")
    if not choices:
        return None, NONE, ""
    label, why = answer_of([one.get("value") for one in choices])
    return label, why, ""


def read_flat(source: Source) -> Iterator[Record]:
    """JSON-MIN and CSV: one entry an annotation, whose annotator is a number."""
    names = columns(source.path)
    known = [name for name in _KNOWN if name in names]
    rest = [name for name in names if name not in known]
    question = find_column(rest, "label", source.question or source.columns.get("label"))
    key = source.columns.get("example") or "id"
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        content = {name: value for name, value in values.items() if name not in known and name != question}
        if values.get("annotator") in (None, "") and values.get(question) in (None, ""):
            yield unlabelled(line, values.get(key), content, key)
            continue
        label, why = answer_of(values.get(question))
        if why:
            yield set_aside(line, values.get(key), content, why, key)
            continue
        time = seconds_of(values.get("updated_at") or values.get("created_at"))
        yield record(
            line, values.get(key), values.get("annotator"), label, content, time,
            names=(key, "annotator", question),
        )  # fmt: skip


# ---------------------------------------------------------------------- out


def write_json(file: IO[bytes], pool: Spool, _: str, __: Sequence[str]) -> None:
    """Tasks with annotations, to be imported into Label Studio or anything that reads its exports."""
    number = pool.number_or_text("example")
    write_array(file, (_task(item, number(item.example)) for item in pool.items()))


def _task(item: Item, identity: Any) -> dict[str, Any]:
    annotations = []
    for vote in item.votes:
        choice = {"from_name": "label", "to_name": _shown(item.content), "type": "choices"}
        one: dict[str, Any] = {
            # Elsewhere a number; a name in its place is taken back by every reader here.
            "completed_by": int(vote.annotator) if vote.annotator.isdecimal() else {"email": vote.annotator},
            "was_cancelled": False,
            "result": [{**choice, "value": {"choices": [vote.label]}}],
        }
        if vote.time is not None:
            one["created_at"] = one["updated_at"] = moment_of(vote.time)
        annotations.append(one)
    return {"id": identity, "data": dict(item.content), "annotations": annotations, "predictions": []}


def _shown(content: Mapping[str, Any]) -> str:
    """The field that a labelling page shows."""
    return next((name for name in ("text", "image", "html", "audio") if name in content), "text")


def write_min(file: IO[bytes], pool: Spool, _: str, __: Sequence[str]) -> None:
    """JSON-MIN: one object an annotation."""
    write_array(file, _flat(pool))


def _flat(pool: Spool) -> Iterator[dict[str, Any]]:
    example, annotator = pool.number_or_text("example"), pool.number_or_text("annotator")
    for item in pool.items():
        content = {name: value for name, value in item.content.items() if name not in (*_KNOWN, "label")}
        for vote in item.votes:
            entry = {**content, "id": example(item.example), "label": vote.label}
            entry["annotator"] = annotator(vote.annotator)
            if vote.time is not None:
                entry["created_at"] = entry["updated_at"] = moment_of(vote.time)
            yield entry


def write_table(file: IO[bytes], pool: Spool, ending: str, _: Sequence[str]) -> None:
    """CSV: one row an annotation."""
    fields = [name for name in pool.fields() if name not in (*_KNOWN, "label")]
    header = ["annotation_id", "annotator", "created_at", *fields, "id", "label", "updated_at"]
    lines = (
        [
            number, entry["annotator"], entry.get("created_at"), *map(entry.get, fields),
            entry["id"], entry["label"], entry.get("updated_at"),
        ]
        for number, entry in enumerate(_flat(pool), start=1)
    )  # fmt: skip
    write_csv(file, header, lines, "\t" if ending == ".tsv" else ",")
