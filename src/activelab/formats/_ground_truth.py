"""SageMaker Ground Truth: files of workers' answers, and manifests with consolidated labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from activelab.formats._answers import answer_of, one_question
from activelab.formats._record import Item, Record, Source, record, set_aside, unlabelled
from activelab.formats._rows import array_rows, rows, write_array, write_lines
from activelab.formats._spool import Spool

_METADATA = "-metadata"


def read_workers(source: Source) -> Iterator[Record]:
    """Objects with the answer of each worker."""
    for line, values, problem in array_rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        content = _content(values.get("dataObject"))
        example, answers = values.get("datasetObjectId"), values.get("annotations") or []
        if not isinstance(answers, list) or not all(isinstance(one, dict) for one in answers):
            yield Record(line, problem="'annotations' is no list of objects")
            continue
        if not answers:
            yield unlabelled(line, example, content, "datasetObjectId")
        for one in answers:
            given = one.get("annotationData")
            label, why = answer_of(
                given.get("content") if isinstance(given, dict) else None,
                source.question,
                cell=True,
                several=source.several,
            )
            if why:
                yield set_aside(line, example, content, why, "datasetObjectId")
            else:
                yield record(
                    line, example, one.get("workerId"), label, content,
                    names=("datasetObjectId", "workerId", "annotationData"),
                )  # fmt: skip


def _content(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    if given.get("s3Uri"):
        return {"source-ref": given["s3Uri"]}
    text = given.get("content")
    if isinstance(text, str) and text.startswith("{"):
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            return {"text": text}
        return fields if isinstance(fields, dict) else {"text": text}
    return {"text": text} if text is not None else {}


def write_workers(file: IO[bytes], pool: Spool, _: str, __: Sequence[str]) -> None:
    """The file that consolidation reads."""
    write_array(file, map(_object, pool.items()))


def _object(item: Item) -> dict[str, Any]:
    answers = [
        {"workerId": vote.annotator, "annotationData": {"content": json.dumps({"label": vote.label})}}
        for vote in item.votes
    ]
    return {"datasetObjectId": item.example, "dataObject": _data(item.content), "annotations": answers}


def _data(content: Mapping[str, Any]) -> dict[str, Any]:
    if set(content) == {"source-ref"}:
        return {"s3Uri": content["source-ref"]}
    text = content.get("text")
    plain = set(content) == {"text"} and isinstance(text, str) and not text.startswith("{")
    return {"content": text if plain else json.dumps(dict(content))} if content else {}


def read_manifest(source: Source) -> Iterator[Record]:
    """Consolidated labels: one a labelling job, which takes the place of the annotator."""
    source.note("A manifest holds consolidated labels: the labelling job takes the place of the annotator.")
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        key = source.columns.get("example") or "id"
        # Elsewhere Ground Truth calls an object by the place of its line.
        example = values.get(key, line - 1)
        labels = [n for n in values if n + _METADATA in values and isinstance(values[n + _METADATA], dict)]
        if source.question is not None and labels:
            labels = [one_question(labels, source.question, "label attribute")]
        skip = {*labels, *(name + _METADATA for name in labels), key}
        content = {("text" if n == "source" else n): v for n, v in values.items() if n not in skip}
        if not labels:
            yield unlabelled(line, example, content, key)
        for name in labels:
            yield _consolidated(line, example, name, values, content, key, source.several)


def _consolidated(
    line: int,
    example: Any,
    name: str,
    values: Mapping[str, Any],
    content: Mapping[str, Any],
    key: str,
    several: bool,
) -> Record:
    about = values[name + _METADATA]
    if str(about.get("human-annotated", "yes")).casefold() == "no":
        return set_aside(line, example, content, "it was labelled by a model (human-annotated: no)", key)
    given = about.get("class-name", values[name])
    if isinstance(about.get("class-map"), dict):
        given = list(about["class-map"].values())
    label, why = answer_of(given, several=several)
    if why:
        return set_aside(line, example, content, why, key)
    names = (key, f"{name}{_METADATA}.job-name", f"{name}{_METADATA}.class-name")
    return record(line, example, about.get("job-name", name), label, content, names=names)


def write_manifest(file: IO[bytes], pool: Spool, _: str, classes: Sequence[str]) -> None:
    """A line an example, a label attribute an annotator."""
    attributes = {name: f"label-{number}" for number, name in enumerate(pool.annotators, start=1)}
    codes = {name: code for code, name in enumerate(classes or pool.classes)}
    write_lines(file, (_line(item, attributes, codes) for item in pool.items()))


def _line(item: Item, attributes: Mapping[str, str], codes: Mapping[str, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {("source" if name == "text" else name): v for name, v in item.content.items()}
    entry["id"] = item.example
    for vote in item.votes:
        name = attributes[vote.annotator]
        entry[name] = codes.get(vote.label)
        entry[name + _METADATA] = {
            "class-name": vote.label,
            "type": "groundtruth/text-classification",
            "job-name": vote.annotator,
            "human-annotated": "yes",
        }
    return entry
