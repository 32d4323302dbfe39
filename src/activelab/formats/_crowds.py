"""Results of crowdsourcing platforms: batches of Mechanical Turk, and Toloka."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import IO, Any

from activelab._errors import InputError
from activelab.formats._answers import answer_of, cell_of, one_question
from activelab.formats._record import Record, Source, moment_of, record, seconds_of, set_aside
from activelab.formats._rows import columns, rows, write_csv
from activelab.formats._spool import Spool

_ANSWER, _INPUT, _OUTPUT = "Answer.", "Input.", "OUTPUT:"
_TOLOKA_INPUT, _ASSIGNMENT = "INPUT:", "ASSIGNMENT:"
_BUTTON = re.compile(r"(?P<question>[^.]+)\.(?P<option>.+)")


def read_mturk(source: Source) -> Iterator[Record]:
    """Assignments of a batch; those that were rejected are left out."""
    names = columns(source.path)
    answers = [name.removeprefix(_ANSWER) for name in names if name.startswith(_ANSWER)]
    question, buttons = _mturk_question(answers, source.question)
    key = source.columns.get("example") or "HITId"
    if key not in names:
        raise InputError(f"no column {key!r}.", column="example", advice="column")
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        content = {n.removeprefix(_INPUT): v for n, v in values.items() if n.startswith(_INPUT)}
        if str(values.get("AssignmentStatus")).casefold() == "rejected" or values.get("Reject"):
            yield set_aside(line, values.get(key), content, "the assignment was rejected", key)
            continue
        if buttons:
            given: Any = {option: _is_on(values.get(f"{_ANSWER}{question}.{option}")) for option in buttons}
        else:
            given = values.get(f"{_ANSWER}{question}")
        label, why = answer_of(given, source.question, cell=True, several=source.several)
        if why:
            yield set_aside(line, values.get(key), content, why, key)
            continue
        yield record(
            line, values.get(key), values.get("WorkerId"), label, content,
            seconds_of(values.get("SubmitTime")), names=(key, "WorkerId", f"{_ANSWER}{question}"),
        )  # fmt: skip


def _mturk_question(answers: list[str], chosen: str | None) -> tuple[str, list[str]]:
    """The column of answers; or the question, and its buttons, each of which is a column."""
    if "taskAnswers" in answers:
        return "taskAnswers", []
    found: dict[str, list[str]] = {}
    for name in answers:
        parts = _BUTTON.fullmatch(name)
        if parts is None or parts["option"] == "label":
            found[name] = []
        else:
            found.setdefault(parts["question"], []).append(parts["option"])
    if chosen is not None and f"{chosen}.label" in found:
        chosen = f"{chosen}.label"
    question = one_question(list(found), chosen, "column Answer.…")
    return question, found[question]


def _is_on(text: Any) -> bool:
    return str(text).strip().casefold() in ("true", "on", "1", "yes")


def write_mturk(file: IO[bytes], pool: Spool, _: str, __: Sequence[str]) -> None:
    """A row an assignment, as in a batch of results."""
    fields = pool.fields()
    header = [
        "HITId", "AssignmentId", "WorkerId", "AssignmentStatus", "SubmitTime",
        *(_INPUT + name for name in fields), f"{_ANSWER}label",
    ]  # fmt: skip
    write_csv(file, header, _assignments(pool, fields, "Approved"))


def _assignments(pool: Spool, fields: Sequence[str], status: str) -> Iterator[list[Any]]:
    number = 0
    for item in pool.items():
        cells = [item.content.get(name) for name in fields]
        for vote in item.votes:
            number += 1
            time = None if vote.time is None else moment_of(vote.time)
            yield [item.example, str(number), vote.annotator, status, time, *cells, cell_of(vote.label)]


def read_toloka(source: Source) -> Iterator[Record]:
    """Assignments; those that were rejected, skipped or have expired are left out."""
    names = columns(source.path)
    outputs = [name.removeprefix(_OUTPUT) for name in names if name.startswith(_OUTPUT)]
    question = one_question(outputs, source.question, "column OUTPUT:…")
    key = source.columns.get("example") or f"{_ASSIGNMENT}task_id"
    if key not in names:
        raise InputError(f"no column {key!r}.", column="example", advice="column")
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        content = {n.removeprefix(_TOLOKA_INPUT): v for n, v in values.items() if n.startswith(_TOLOKA_INPUT)}
        state = str(values.get(f"{_ASSIGNMENT}status") or "").strip().upper()
        if state in ("REJECTED", "SKIPPED", "EXPIRED", "ACTIVE"):
            yield set_aside(line, values.get(key), content, f"the assignment is {state.lower()}", key)
            continue
        if not values.get(f"{_ASSIGNMENT}worker_id") and not values.get(_OUTPUT + question):
            # Files of results list control tasks and their hints too.
            yield Record(line, content=content, left_out="nobody has done this task")
            continue
        label, why = answer_of(values.get(_OUTPUT + question), cell=True, several=source.several)
        if why:
            yield set_aside(line, values.get(key), content, why, key)
            continue
        yield record(
            line, values.get(key), values.get(f"{_ASSIGNMENT}worker_id"), label, content,
            seconds_of(values.get(f"{_ASSIGNMENT}submitted")),
            names=(key, f"{_ASSIGNMENT}worker_id", _OUTPUT + question),
        )  # fmt: skip


def write_toloka(file: IO[bytes], pool: Spool, _: str, __: Sequence[str]) -> None:
    """A row an assignment, as in a file of results."""
    fields = pool.fields()
    roles = ("task_id", "assignment_id", "worker_id", "status", "submitted")
    header = [*(_ASSIGNMENT + name for name in roles), *(_TOLOKA_INPUT + name for name in fields)]
    write_csv(file, [*header, f"{_OUTPUT}label"], _assignments(pool, fields, "APPROVED"), "\t")
