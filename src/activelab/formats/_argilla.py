"""Records of Argilla, nested or flattened, of version 1 too; JSON lines, JSON or Parquet of datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import pyarrow as pa

from activelab.formats._answers import RATINGS, answer_of, members, one_question
from activelab.formats._record import Record, Source, record, set_aside, unlabelled
from activelab.formats._rows import columns, rows, write_lines
from activelab.formats._spool import Spool
from activelab.formats._tables import write_parquet
from activelab.tables import find_column, is_missing

_SUFFIX = ".responses"
_SUGGESTED = "-suggestion"
"""What a feedback dataset of version 1 has beside each question, whose column holds its responses."""
_RECORD = {"annotation", "annotation_agent"}
"""What a record of version 1 holds: one label, and who gave it."""


def looks_right(names: Sequence[str]) -> bool:
    """Whether the columns are those of records."""
    nested = {"fields", "responses"} <= set(names)
    return nested or any(name.endswith(f"{_SUFFIX}.users") for name in names) or is_first_version(names)


def is_first_version(names: Sequence[str]) -> bool:
    """Whether the columns are those of a dataset of version 1."""
    return set(names) >= _RECORD or bool(_asked(names) and {"external_id", "metadata"} & set(names))


def _asked(names: Sequence[str]) -> list[str]:
    return [name for name in names if name + _SUGGESTED in names]


def read(source: Source) -> Iterator[Record]:
    """Responses that were submitted; drafts and discarded ones are left out."""
    names = columns(source.path)
    if is_first_version(names):
        yield from _read_first_version(source, names)
        return
    nested = "responses" in names and "fields" in names
    question = source.question
    if not nested:
        found = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
        question = one_question(found, question, "column of responses")
    key = source.columns.get("example") or ("id" if "id" in names else find_column(names, "example"))
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
        elif nested:
            yield from _nested(source, line, values, question, key)
        else:
            yield from _flat(source, line, values, str(question), key)


def _read_first_version(source: Source, names: Sequence[str]) -> Iterator[Record]:
    """Feedback datasets, with responses in the column of the question; records with one annotation."""
    asked = _asked(names)
    question = one_question(asked, source.question, "question") if asked else "annotation"
    key = source.columns.get("example") or ("external_id" if "external_id" in names else "id")
    ours = (
        *asked,
        *_RECORD,
        key,
        "metadata",
        "status",
        "prediction",
        "prediction_agent",
        "vectors",
        "metrics",
    )
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        example = values.get(key)
        if is_missing(example):
            example = line
            source.note("Some records have no id: they are named by their line.")
        content = {n: v for n, v in values.items() if n not in ours and not n.partition(_SUGGESTED)[1]}
        if asked:
            parts = _given(values.get(question))
        elif is_missing(values.get("annotation")):
            parts = []
        else:
            parts = [(values["annotation"], values.get("annotation_agent"), "submitted")]
        if parts is None:
            yield Record(line, problem=f"the responses to {question!r} are no list of objects")
        else:
            yield from _responses(source, line, example, parts, content, (key, "user_id", "value"))


def _given(responses: Any) -> list[tuple[Any, Any, Any]] | None:
    """Value, user and status of each response; a dataset keeps lists of values in place of objects."""
    if isinstance(responses, dict):
        lists = [responses.get(name) or [] for name in ("value", "user_id", "status")]
        if not all(isinstance(one, list) and len(one) == len(lists[0]) for one in lists):
            return None
        return list(zip(*lists, strict=True))
    if not isinstance(responses or [], list) or not all(isinstance(one, dict) for one in responses or []):
        return None
    return [
        (one.get("value"), one.get("user_id"), one.get("status") or "submitted") for one in responses or []
    ]


def _flat(source: Source, line: int, values: Mapping[str, Any], question: str, key: str) -> Iterator[Record]:
    base = f"{question}{_SUFFIX}"
    content = {n: v for n, v in values.items() if "." not in n and n not in (key, "status", "_server_id")}
    given, users = values.get(base) or [], values.get(f"{base}.users") or []
    states = values.get(f"{base}.status") or ["submitted"] * len(given if isinstance(given, list) else ())
    if not all(isinstance(one, list) for one in (given, users, states)):
        yield Record(line, problem=f"{base!r}, its users and status are no lists")
    elif not len(given) == len(users) == len(states):
        yield Record(line, problem=f"{base!r} has {len(given)} values for {len(users)} users")
    else:
        parts = list(zip(given, users, states, strict=True))
        names = (key, f"{base}.users", base)
        yield from _responses(source, line, values.get(key), parts, content, names)


def _nested(
    source: Source, line: int, values: Mapping[str, Any], question: str | None, key: str
) -> Iterator[Record]:
    fields, responses = values.get("fields"), values.get("responses") or {}
    content = fields if isinstance(fields, dict) else {}
    if not isinstance(responses, dict):
        yield Record(line, problem="'responses' is no object")
        return
    # Arrow knows one type for all rows: questions that a row lacks are there as nulls.
    present = {name: given for name, given in responses.items() if given}
    name = one_question(list(present), question, "question") if present else question
    given = present.get(str(name)) or []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        yield Record(line, problem=f"the responses to {name!r} are no list of objects")
        return
    parts = [(one.get("value"), one.get("user_id"), one.get("status") or "submitted") for one in given]
    yield from _responses(source, line, values.get(key), parts, content, (key, "user_id", "value"))


def _responses(
    source: Source,
    line: int,
    example: Any,
    parts: Sequence[tuple[Any, Any, Any]],
    content: Mapping[str, Any],
    names: tuple[str, str, str],
) -> Iterator[Record]:
    if not parts:
        yield unlabelled(line, example, content, names[0])
    for value, user, status in parts:
        if status != "submitted":
            yield set_aside(line, example, content, f"its status is {status!r:.40}", names[0])
            continue
        if isinstance(value, int) and not isinstance(value, bool):
            source.note(RATINGS)
        label, why = answer_of(value, several=source.several)
        if why:
            yield set_aside(line, example, content, why, names[0])
        else:
            yield record(line, example, user, label, content, names=names)


def write(file: IO[bytes], pool: Spool, ending: str, _: Sequence[str]) -> None:
    """Flattened records, which Hugging Face datasets loads."""
    fields = [name for name in pool.fields() if "." not in name and name not in ("id", "status")]
    base = f"label{_SUFFIX}"
    header = ["id", "status", *fields, base, f"{base}.users", f"{base}.status"]

    def lines() -> Iterator[list[Any]]:
        for item in pool.items():
            votes = item.votes
            labels = [members(vote.label) if pool.several else vote.label for vote in votes]
            yield [
                item.example, "completed" if votes else "pending", *map(item.content.get, fields),
                labels, [vote.annotator for vote in votes],
                ["submitted"] * len(votes),
            ]  # fmt: skip

    if ending != ".parquet":
        write_lines(file, (dict(zip(header, line, strict=True)) for line in lines()))
        return
    values = pa.list_(pa.string()) if pool.several else pa.string()
    types = [pa.string()] * (len(header) - 3) + [pa.list_(values)] + [pa.list_(pa.string())] * 2
    write_parquet(file, pa.schema(list(zip(header, types, strict=True))), map(_texts, lines()))


def _texts(line: list[Any]) -> list[Any]:
    """A column of Parquet has one type."""
    return [one if one is None or isinstance(one, str | list) else str(one) for one in line[:-3]] + line[-3:]
