"""Prodigy: JSON lines of binary questions and of choices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

from activelab.formats._answers import answer_of, members
from activelab.formats._record import Record, Source, record, seconds_of, set_aside, unlabelled
from activelab.formats._rows import rows, write_lines
from activelab.formats._spool import Spool

_OURS = ("options", "accept", "answer", "label", "example", "config", "meta", "spans", "tokens", "time")
_NEGATED = "not {}"


def read(source: Source) -> Iterator[Record]:
    """Accepted choices, and binary answers; what was ignored is left out.

    A binary question that was rejected says what an example is not: with one label in the whole file that is
    the class "not LABEL", with several it is left out.
    """
    binary = {str(row.values["label"]) for row in rows(source.path) if _is_binary(row.values)}
    for line, values, problem in rows(source.path):
        yield Record(line, problem=problem) if problem else _record(line, values, binary, source)


def _is_binary(values: dict[str, Any]) -> bool:
    return "label" in values and "options" not in values and "accept" not in values


def _record(line: int, values: dict[str, Any], binary: set[str], source: Source) -> Record:
    content = {
        name: value for name, value in values.items() if name not in _OURS and not name.startswith("_")
    }
    if isinstance(values.get("meta"), dict):
        content = {**values["meta"], **content}
    chosen = source.columns.get("example")
    key = chosen or ("example" if "example" in values else "_input_hash")
    example = values.get(key)
    answer = values.get("answer")
    if answer is None:
        return unlabelled(line, example, content, key)
    who = "_annotator_id" if "_annotator_id" in values else "_session_id"
    names = (key, who, "accept")
    time = seconds_of(values.get("_timestamp"))
    if answer == "ignore":
        return set_aside(line, example, content, "the annotator ignored it", key)
    if answer not in ("accept", "reject"):
        return Record(line, problem=f"'answer' is none of accept, reject, ignore: {answer!r:.60}")
    if _is_binary(values):
        label = values["label"]
        if answer == "reject" and len(binary) > 1:
            return set_aside(
                line, example, content, "it says what the example is not, among several classes", key
            )
        if answer == "reject":
            label = _NEGATED.format(label)
        return record(line, example, values.get(who), label, content, time, names=(key, who, "label"))
    if answer == "reject":
        return set_aside(line, example, content, "the annotator rejected the question", key)
    label, why = answer_of(values.get("accept"), several=source.several)
    if why:
        return set_aside(line, example, content, why, key)
    return record(line, example, values.get(who), label, content, time, names=names)


def write(file: IO[bytes], pool: Spool, _: str, classes: Sequence[str]) -> None:
    """Choices; an example without labels is a task without an answer."""
    options = [{"id": name, "text": name} for name in classes or pool.options]
    write_lines(file, _entries(pool, options))


def _entries(pool: Spool, options: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    for item in pool.items():
        clashing = {n: v for n, v in item.content.items() if n in _OURS or n.startswith("_")}
        base: dict[str, Any] = {n: v for n, v in item.content.items() if n not in clashing}
        if clashing:
            base["meta"] = clashing
        code = _hash(item.example)
        base |= {"example": item.example, "_input_hash": code, "_task_hash": _hash(f"choice/{item.example}")}
        base |= {"options": options, "_view_id": "choice"}
        for vote in item.votes:
            entry = base | {"accept": members(vote.label, pool.several), "answer": "accept"}
            entry |= {"_annotator_id": vote.annotator, "_session_id": vote.annotator}
            yield entry if vote.time is None else entry | {"_timestamp": vote.time}
        if not item.votes:
            yield base


def _hash(text: str) -> int:
    """A number as Prodigy's own: 32 bits with a sign."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), signed=True)
