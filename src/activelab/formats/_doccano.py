"""doccano: a zip archive with one file a member of the project, packed or unpacked; and its old export."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from errno import EINVAL
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote, unquote

from activelab._errors import InputError, first
from activelab.formats._answers import answer_of, members
from activelab.formats._array import parse_array
from activelab.formats._record import (
    LARGEST_CELL,
    Item,
    Record,
    Source,
    record,
    set_aside,
    unlabelled,
)
from activelab.formats._rows import dumped, rows
from activelab.formats._spool import Spool
from activelab.tables import Bounded, Row, allowance, id_text, naming

_MEMBERS = 10_000
_ENDINGS = (".jsonl", ".json", ".csv")
_OURS = ("id", "label", "labels", "Comments")
_PLAIN = {"id", "text", "data", "filename", "label", "labels", "meta"}


def looks_right(names: Collection[str]) -> bool:
    """Whether the keys are those of a member's file, or of the old export, with numbers of labels."""
    keys = set(names)
    if "id" not in keys:
        return False
    if {"label", "labels"} & keys:
        return "Comments" in keys or (keys <= _PLAIN and {"data", "filename"} & keys != set())
    return "annotations" in keys and bool({"text", "filename", "meta"} & keys)


def read(source: Source) -> Iterator[Record]:
    """The label of each member; nothing is unpacked to disk.

    Raises
    ------
    InputError
        If the archive is damaged, has names that lead out of it, is encrypted, or unpacks to far more than
        it should.
    """
    if source.path.is_dir() or not _is_zip(source.path):
        yield from _unpacked(source)
        return
    try:
        with zipfile.ZipFile(source.path) as archive:
            members = _members(archive)
            allowed = allowance(source.path)
            for member in members:
                stem = _annotator(member.filename, source)
                with archive.open(member) as file:
                    for row in _rows(member.filename, Bounded(file, allowed)):
                        one = _record(row, stem, source)
                        yield _in_member(one, member.filename) if one.problem else one
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
        # A damaged archive sends the reader to places that do not exist.
        if isinstance(error, OSError) and error.errno not in (None, EINVAL):
            raise
        raise InputError(f"the zip archive cannot be read: {error}.") from None
    except (csv.Error, UnicodeDecodeError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"a file of the archive cannot be read: {' '.join(str(error).split())[:200]}."
        ) from None


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _annotator(name: str, source: Source) -> str:
    """Who labelled, by the name of the file."""
    stem = unquote(PurePosixPath(name.removesuffix(".gz")).stem)
    if stem == "all":
        source.note(
            "all.jsonl is the file of a collaborative project, in which doccano forgets who labelled: all "
            "labels are taken for those of one annotator, 'all'."
        )
    return stem


def _unpacked(source: Source) -> Iterator[Record]:
    """A file of the archive, or a folder of them: the name of the file is the annotator."""
    files = [source.path]
    if source.path.is_dir():
        files = sorted(one for one in source.path.iterdir() if one.is_file() and not one.name.startswith("."))
    number = 0
    for file in files:
        stem = _annotator(file.name, source)
        if len(files) == 1:
            source.note(f"A file of a doccano archive: its name, {stem!r}, is taken for the annotator.")
        with naming(file):
            for row in rows(file):
                number += 1
                row = row._replace(line=row.line if len(files) == 1 else number)
                if "annotations" in row.values and not {"label", "labels"} & set(row.values):
                    yield from _old(row, source)
                else:
                    yield _record(row, stem, source)


def _old(row: Row, source: Source) -> Iterator[Record]:
    """An example of the old export: labels and users are numbers, and names nobody kept."""
    line, values, problem = row
    key = source.columns.get("example") or "id"
    given = values["annotations"] or []
    if problem or not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        yield Record(line, problem=problem or "'annotations' is no list of objects")
        return
    source.note("The old export of doccano holds numbers of labels and users in place of their names.")
    content = {name: value for name, value in values.items() if name not in (*_OURS, "annotations")}
    labels: dict[Any, list[Any]] = {}
    for one in given:
        labels.setdefault(id_text(one.get("user")), []).append(one)
    if not labels:
        yield unlabelled(line, values.get(key), content, key)
    for user, entries in labels.items():
        label, why = answer_of([one.get("label") for one in entries], several=source.several)
        if any("start_offset" in one for one in entries):
            label, why = None, "it marks a part of the example"
        if why:
            yield set_aside(line, values.get(key), content, why, key)
        else:
            yield record(line, values.get(key), user, label, content, names=(key, "user", "label"))


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    found = [one for one in archive.infolist() if not one.filename.endswith("/")]
    if len(found) > _MEMBERS:
        raise InputError(f"the archive holds {len(found):,} files; more than {_MEMBERS:,} are not read.")
    for one in found:
        path = PurePosixPath(one.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in one.filename or "\0" in one.filename:
            raise InputError(f"the archive holds {one.filename!r}, a name that leads out of it.")
    usable = [one for one in found if _is_data(PurePosixPath(one.filename))]
    if not usable:
        names = first([one.filename for one in found]) or "nothing"
        raise InputError(f"the archive holds no file that ends in {', '.join(_ENDINGS)}; it holds {names}.")
    return usable


def _is_data(name: PurePosixPath) -> bool:
    """Whether a member holds labels; the rest of a name that begins with a point is of the system's own."""
    system = name.name.startswith(".") or "__MACOSX" in name.parts
    return name.suffix.lower() in _ENDINGS and not system


def _rows(name: str, file: io.RawIOBase) -> Iterator[Row]:
    buffered = io.BufferedReader(file, 1 << 16)
    ending = PurePosixPath(name).suffix.lower()
    if ending == ".json":
        yield from parse_array(buffered)
        return
    if ending == ".csv":
        csv.field_size_limit(LARGEST_CELL)
        reader = csv.DictReader(io.TextIOWrapper(buffered, encoding="utf-8-sig", newline=""))
        for row in reader:
            whole = None not in row and None not in row.values()
            yield Row(
                reader.line_num,
                row if whole else {},
                "" if whole else "it has not as many columns as the header",
            )
        return
    number = 0
    while text := buffered.readline(LARGEST_CELL):
        number += 1
        if text.strip():
            yield _parsed(number, text)


def _parsed(number: int, line: bytes) -> Row:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(number, {}, f"it is not JSON: {getattr(error, 'msg', error)}")
    return Row(number, values) if isinstance(values, dict) else Row(number, {}, "it is not a JSON object")


def _record(row: Row, annotator: str, source: Source) -> Record:
    line, values, problem = row
    if problem:
        return Record(line, problem=problem)
    key = source.columns.get("example") or "id"
    content = {name: value for name, value in values.items() if name not in _OURS}
    given = values.get("label", values.get("labels"))
    if isinstance(given, str) and len(parts := given.split("#")) > 1 and all(parts):
        given = parts
    if given in (None, "", []):
        return unlabelled(line, values.get(key), content, key)
    label, why = answer_of(given, several=source.several)
    if why:
        return set_aside(line, values.get(key), content, why, key)
    return record(line, values.get(key), annotator, label, content, names=(key, "user", "label"))


def _in_member(one: Record, name: str) -> Record:
    return one._replace(problem=f"{one.problem} (in {name})")


def write(file: IO[bytes], pool: Spool, _: str, __: Sequence[str]) -> None:
    """A file an annotator; examples without labels are in the first."""
    number = pool.number_or_text("example")
    # Without the time of day the same labels give the same bytes.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for turn, name in enumerate(pool.annotators or ["unlabelled"]):
            stem = quote(name, safe="@+_- ")
            info = zipfile.ZipInfo(f"{'%2E' + stem[1:] if stem.startswith('.') else stem}.jsonl")
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                if pool.annotators:
                    _write(member, pool.of_annotator(name), number, pool.several)
                if not turn:
                    _write(member, (item for item in pool.items() if not item.votes), number, pool.several)


def _write(member: IO[bytes], items: Iterator[Item], number: Any, several: bool) -> None:
    for item in items:
        content = {name: value for name, value in item.content.items() if name not in _OURS}
        labels = [name for vote in item.votes for name in members(vote.label, several)]
        entry = {"id": number(item.example), **content, "label": labels}
        member.write(dumped(entry | {"Comments": []}) + b"\n")
