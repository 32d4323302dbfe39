"""Exports of Label Studio: JSON, JSON-MIN and CSV."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from activelab._errors import InputError, first
from activelab.formats._answers import NONE, PATH, RATINGS, answer_of, cell_of, members
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
from activelab.formats._rows import columns, dumped, is_text_table, objects, rows, write_array, write_csv
from activelab.formats._spool import Spool, is_canonical
from activelab.tables import Row, find_column, naming

SKIPPED = "the annotator skipped it"
_READ = ("choices", "rating", "number", "taxonomy", "pairwise")
"""Tags whose answer can be one value, and so the class of an example."""
_KNOWN = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time")


def looks_right(names: Collection[str]) -> bool:
    """Whether the keys are those of a task, or of an annotation with its task, as target storage keeps it."""
    task = "data" in names and ("annotations" in names or "completions" in names)
    return task or ("result" in names and "task" in names)


def read_json(source: Source) -> Iterator[Record]:
    """Tasks with their annotations; those that were skipped are left out.

    Choices are read; where there are none, the other tags whose answer is one value are. A folder holds a
    task or an annotation in each file.
    """
    tags = _Tags(source.question)
    for _, task, problem in _tasks(source.path):
        if tags.settled:
            break
        if not problem:
            tags.see(task)
    tags.settle()
    if tags.read == "rating":
        source.note(RATINGS)
    for line, task, problem in _tasks(source.path):
        if problem:
            yield Record(line, problem=problem)
        else:
            yield from task_records(
                line,
                task,
                source.question,
                source.columns.get("example"),
                kinds=tags.kinds,
                several=source.several,
            )


def _tasks(path: Path) -> Iterator[Row]:
    """Tasks with their annotations, of a file or of each file of a folder."""
    files = [path]
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    number = 0
    for file in files:
        with naming(file):
            for row in objects(file):
                number += 1
                values = row.values
                if "result" in values and "task" in values and "data" not in values:
                    values = _of_storage(values)
                yield row._replace(line=number, values=values)


def _of_storage(annotation: dict[str, Any]) -> dict[str, Any]:
    """The task of an annotation as target storage keeps it."""
    task = (
        annotation["task"] if isinstance(annotation["task"], dict) else {"id": annotation["task"], "data": {}}
    )
    return {**task, "annotations": [{n: v for n, v in annotation.items() if n != "task"}]}


class _Tags:
    """The tags of a file, by name of the question."""

    def __init__(self, question: str | None) -> None:
        self.question = question
        self.kinds: Sequence[str] = ("choices",)
        self.found: dict[str, str] = {}

    @property
    def settled(self) -> bool:
        """Whether it is known which tags are read."""
        return self.question in self.found if self.question is not None else "choices" in self.found.values()

    @property
    def read(self) -> str | None:
        """The kind of the tag that is read, where it is but one."""
        if self.question is not None:
            return self.found.get(self.question)
        kinds = {kind for kind in self.found.values() if kind in self.kinds}
        return kinds.pop() if len(kinds) == 1 else None

    def see(self, task: Mapping[str, Any]) -> None:
        """Take note of the tags of a task."""
        annotations = task.get("annotations", task.get("completions"))
        for one in annotations if isinstance(annotations, list) else ():
            result = one.get("result") if isinstance(one, dict) else None
            for region in result if isinstance(result, list) else ():
                if isinstance(region, dict):
                    self.found.setdefault(str(region.get("from_name")), str(region.get("type")))

    def settle(self) -> None:
        """Choose the tags to read; raise if the question is none of those there are, or several could be."""
        if self.question is not None and self.found and self.question not in self.found:
            named = [f"{name} ({kind})" for name, kind in self.found.items()]
            raise InputError(f"no question {self.question!r}; the tasks have: {', '.join(named[:20])}.")
        if self.question is None and not self.settled:
            one_answer = [name for name, kind in self.found.items() if kind in _READ]
            if len(one_answer) > 1:
                raise InputError(f"the tasks have several questions: {first(one_answer)}.", advice="question")
        if not self.settled or self.question is not None:
            self.kinds = _READ


def task_records(
    line: int,
    task: Mapping[str, Any],
    question: str | None = None,
    example: str | None = None,
    *,
    kinds: Sequence[str] = ("choices",),
    several: bool = False,
) -> Iterator[Record]:
    """What one task holds; ``example`` is the field of its data that identifies it."""
    data, annotations = task.get("data"), task.get("annotations", task.get("completions")) or []
    if not isinstance(data, dict):
        yield Record(line, problem="it is no task: it has no 'data'")
        return
    name, identity = ("id", task.get("id")) if example is None else (example, data.get(example))
    given = task_annotations(annotations, question, kinds, several)
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
    annotations: Any,
    question: str | None = None,
    kinds: Sequence[str] = ("choices",),
    several: bool = False,
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
        label, why, problem = _chosen(one.get("result"), question, kinds, several)
        found.append((who, label, time, why, problem))
    return found


def _chosen(result: Any, question: str | None, kinds: Sequence[str], several: bool) -> tuple[Any, str, str]:
    """The answer in the regions of an annotation, why there is none, and what is wrong."""
    if not isinstance(result, list) or not all(isinstance(one, dict) for one in result):
        return None, "", "the 'result' of an annotation is no list of objects"
    asked = [one for one in result if question is None or one.get("from_name") == question]
    answers = [one for one in asked if one.get("type") in kinds]
    names = list(dict.fromkeys(str(one.get("from_name")) for one in answers))
    if len(names) > 1:
        raise InputError(f"the tasks have several choices: {first(names)}.", advice="question")
    if not answers and not (several and not result):
        tags = dict.fromkeys(str(one.get("type")) for one in asked)
        why = f"it holds {first(tags)}; read are {first(_READ)}" if tags else NONE
        return None, why, ""
    label, why = answer_of([one.get("value") for one in answers], several=several)
    return label, why, ""


def read_flat(source: Source) -> Iterator[Record]:
    """JSON-MIN and CSV: one entry an annotation, whose annotator is a number."""
    names = columns(source.path)
    known = [name for name in _KNOWN if name in names]
    rest = [name for name in names if name not in known]
    question = find_column(rest, "label", source.question or source.columns.get("label"))
    key = source.columns.get("example") or "id"
    cell = is_text_table(source.path)
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        content = {name: value for name, value in values.items() if name not in known and name != question}
        if values.get("annotator") in (None, "") and values.get(question) in (None, ""):
            yield unlabelled(line, values.get(key), content, key)
            continue
        label, why = answer_of(values.get(question), cell=cell, several=source.several)
        if why:
            yield set_aside(line, values.get(key), content, why, key)
            continue
        time = seconds_of(values.get("updated_at") or values.get("created_at"))
        yield record(
            line, values.get(key), values.get("annotator"), label, content, time,
            names=(key, "annotator", question),
        )  # fmt: skip


# ---------------------------------------------------------------------- out


TAGS = ("choices", "rating", "taxonomy")
"""Tags of Label Studio that labels can be written as answers to."""


def answer_value(tag: str, labels: Sequence[str]) -> Any:
    """Labels as the value of a result: of choices a list, of a rating its number, of a taxonomy paths.

    Raises
    ------
    InputError
        If a rating is not one whole number from 1.
    """
    if tag == "taxonomy":
        return [label.split(PATH) for label in labels]
    if tag == "rating":
        if len(labels) != 1 or not is_canonical(labels[0]) or int(labels[0]) < 1:
            raise InputError(f"{first(labels)} is no rating of Label Studio: these are 1, 2, 3, …")
        return int(labels[0])
    return list(labels)


def write_json(file: IO[bytes], pool: Spool, _: str, __: Sequence[str]) -> None:
    """Tasks with annotations, to be imported into Label Studio or anything that reads its exports."""
    number = pool.number_or_text("example")
    write_array(file, (_task(item, number(item.example), pool) for item in pool.items()))


def _task(item: Item, identity: Any, pool: Spool) -> dict[str, Any]:
    annotations = []
    for vote in item.votes:
        choice = {"from_name": "label", "to_name": _shown(item.content), "type": pool.tag}
        chosen = members(vote.label, pool.several)
        one: dict[str, Any] = {
            # Elsewhere a number; a name in its place is taken back by every reader here.
            "completed_by": int(vote.annotator)
            if is_canonical(vote.annotator)
            else {"email": vote.annotator},
            "was_cancelled": False,
            "result": [{**choice, "value": {pool.tag: answer_value(pool.tag, chosen)}}] if chosen else [],
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
            chosen: Any = members(vote.label, pool.several)
            label = {"choices": chosen} if pool.several and len(chosen) != 1 else vote.label
            entry = {**content, "id": example(item.example), "label": label}
            entry["annotator"] = annotator(vote.annotator)
            if vote.time is not None:
                entry["created_at"] = entry["updated_at"] = moment_of(vote.time)
            yield entry


def _cell(label: Any) -> str:
    return cell_of(label) if isinstance(label, str) else dumped(label).decode()


def write_table(file: IO[bytes], pool: Spool, ending: str, _: Sequence[str]) -> None:
    """CSV: one row an annotation."""
    fields = [name for name in pool.fields() if name not in (*_KNOWN, "label")]
    header = ["annotation_id", "annotator", "created_at", *fields, "id", "label", "updated_at"]
    lines = (
        [
            number, entry["annotator"], entry.get("created_at"), *map(entry.get, fields),
            entry["id"], _cell(entry["label"]), entry.get("updated_at"),
        ]
        for number, entry in enumerate(_flat(pool), start=1)
    )  # fmt: skip
    write_csv(file, header, lines, "\t" if ending == ".tsv" else ",")
