"""Potato: tables of its export, or the folder of what each user has answered."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from activelab._errors import InputError, first
from activelab.formats._answers import (
    NONE,
    RATINGS,
    SEVERAL,
    answer_of,
    members,
    one_question,
    set_of,
)
from activelab.formats._record import Record, Source, record, set_aside
from activelab.formats._rows import columns, rows, write_csv, write_lines
from activelab.formats._spool import Spool
from activelab.tables import from_harmless

STATES = "*/user_state.json"
_STATE = "instance_id_to_label_to_value"
_KEYS = ("instance_id", "user_id")
_ORIGIN = "annotator_origin"
_ABOUT = ("_spans", "_room", "_room_id")
_MARKS = ("true", "1", "on", "yes")
_POINT = re.compile(r"scale_(?P<number>\d+)")
"""A point of a Likert scale, as earlier versions called it."""


def read(source: Source) -> Iterator[Record]:
    """One answer an example and user, of one of the schemes."""
    if source.path.is_dir():
        yield from _read_states(source, _states(source.path))
        return
    names = columns(source.path)
    if is_state(names):
        yield from _read_states(source, [source.path])
        return
    answers = [name for name in names if _scheme(name) is not None]
    schemes = list(dict.fromkeys(str(_scheme(name)) for name in answers))
    scheme = one_question(schemes, source.question, "annotation scheme")
    mine = [name for name in answers if _scheme(name) == scheme]
    key = source.columns.get("example") or _KEYS[0]
    for line, values, problem in rows(source.path):
        if problem:
            yield Record(line, problem=problem)
            continue
        given = {name.partition(".")[2]: values.get(name) for name in mine}
        label, why = _chosen(source, given, single=len([name for name in given if name]) == 1)
        if why:
            yield set_aside(line, values.get(key), {}, why, key)
        else:
            yield record(line, values.get(key), values.get(_KEYS[1]), label, names=(key, _KEYS[1], scheme))


def _scheme(name: str) -> str | None:
    """The scheme a column belongs to; None if it holds no answer."""
    scheme, _, option = name.partition(".")
    if name in _KEYS or name.startswith(_ORIGIN) or option in _ABOUT:
        return None
    return scheme


def _chosen(source: Source, given: Mapping[str, Any], *, single: bool) -> tuple[Any, str]:
    """The answer in ``{option: cell}``; the option "" is the scheme's own column, resolved by Potato."""
    if given.get("") not in (None, ""):
        return answer_of(given[""], cell=True, several=source.several)
    # In a header an option stands as it was made harmless for spreadsheets; its cell was read back.
    marked = {
        cell if cell == from_harmless(option) else option: cell
        for option, cell in given.items()
        if option and cell not in (None, "", False)
    }
    point = _POINT.fullmatch(next(iter(marked), ""))
    if len(marked) == 1 and point is not None:
        source.note(RATINGS)
        return point["number"], ""
    if source.several and not single:
        return set_of(marked)
    if len(marked) != 1:
        return None, SEVERAL if marked else NONE
    ((option, cell),) = marked.items()
    # A list to select from is one column whose cell is the answer; buttons are a column each.
    by_cell = single and cell != option and str(cell).strip().casefold() not in _MARKS
    return answer_of(cell, cell=True, several=source.several) if by_cell else (option, "")


def is_state(names: Collection[str]) -> bool:
    """Whether the keys are those of what a user has answered."""
    return _STATE in names


def _states(folder: Path) -> list[Path]:
    """What users have answered, in the folder of a round, or in the only round of the folder above."""
    files = sorted(folder.glob(STATES))
    if files:
        return files
    above = sorted(folder.glob(f"*/{STATES}"))
    rounds = dict.fromkeys(file.parent.parent.name for file in above)
    if len(rounds) > 1:
        raise InputError(f"the folder holds several rounds with {STATES}: {first(rounds)}. Name one of them.")
    return above


def _read_states(source: Source, files: Sequence[Path]) -> Iterator[Record]:
    if not files:
        raise InputError(f"the folder holds no {STATES}.")
    for number, file in enumerate(files, start=1):
        try:
            state = json.loads(file.read_bytes())
            user = state.get("user_id", file.parent.name)
            labels = {name: _answers(pairs) for name, pairs in state[_STATE].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            where = file.relative_to(source.path) if source.path.is_dir() else file.name
            yield Record(
                number, problem=f"{where} is no state of a user: {type(error).__name__}: {error}"[:300]
            )
            continue
        for example, schemes in labels.items():
            if not schemes:
                continue
            scheme = one_question(list(schemes), source.question, "annotation scheme")
            label, why = _chosen(source, schemes[scheme], single=False)
            if why:
                yield set_aside(number, example, {}, why, _KEYS[0])
            else:
                yield record(number, example, user, label, names=(_KEYS[0], _KEYS[1], scheme))


def _answers(pairs: list[Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for about, value in pairs:
        found.setdefault(str(about["schema"]), {})[str(about["name"])] = value
    return found


def write(file: IO[bytes], pool: Spool, ending: str, classes: Sequence[str]) -> None:
    """A row an answer, a column a class."""
    names = list(classes or pool.options)
    own = [name for name in names if name in _ABOUT]
    if own:
        raise InputError(f"class {own[0]!r} has a meaning of its own in files of Potato.")
    header = [*_KEYS, *(f"label.{name}" for name in names)]

    def lines() -> Iterator[list[Any]]:
        for item in pool.items():
            for vote in item.votes:
                labels = members(vote.label, pool.several)
                chosen = [name if name in labels else None for name in names]
                yield [item.example, vote.annotator, *chosen]

    if ending in (".csv", ".tsv"):
        write_csv(file, header, lines(), "\t" if ending == ".tsv" else ",")
    else:
        filled = (dict(zip(header, line, strict=True)) for line in lines())
        write_lines(file, ({n: v for n, v in one.items() if v is not None} for one in filled))


def is_folder(path: Path) -> bool:
    """Whether a folder holds what users have answered."""
    found = (next(path.glob(pattern), None) for pattern in (STATES, f"*/{STATES}"))
    return path.is_dir() and any(found)
