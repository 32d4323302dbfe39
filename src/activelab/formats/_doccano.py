"""doccano: a zip archive with one file a member of the project."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from errno import EINVAL
from pathlib import PurePosixPath
from typing import IO, Any
from urllib.parse import quote, unquote

from activelab._errors import InputError
from activelab.formats._answers import SEVERAL, answer_of
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
from activelab.formats._rows import dumped
from activelab.formats._spool import Spool
from activelab.tables import Row

_FREE = 1 << 30
_RATIO = 200
"""An archive may unpack to a gigabyte, or to so many times its size; more is taken for a trap."""
_MEMBERS = 10_000
_ENDINGS = (".jsonl", ".json", ".csv")
_OURS = ("id", "label", "labels", "Comments")


def read(source: Source) -> Iterator[Record]:
    """The label of each member; nothing is unpacked to disk.

    Raises
    ------
    InputError
        If the archive is damaged, has names that lead out of it, is encrypted, or unpacks to far more than
        it should.
    """
    try:
        with zipfile.ZipFile(source.path) as archive:
            members = _members(archive)
            allowed = [max(_FREE, _RATIO * source.path.stat().st_size)]
            for member in members:
                stem = unquote(PurePosixPath(member.filename).stem)
                if stem == "all":
                    source.note(
                        "all.jsonl is the file of a collaborative project, in which doccano forgets who "
                        "labelled: all labels are taken for those of one annotator, 'all'."
                    )
                with archive.open(member) as file:
                    for row in _rows(member.filename, _Limited(file, allowed)):
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


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    found = [one for one in archive.infolist() if not one.is_dir()]
    if len(found) > _MEMBERS:
        raise InputError(f"the archive holds {len(found):,} files; more than {_MEMBERS:,} are not read.")
    for one in found:
        path = PurePosixPath(one.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in one.filename or "\0" in one.filename:
            raise InputError(f"the archive holds {one.filename!r}, a name that leads out of it.")
    usable = [one for one in found if PurePosixPath(one.filename).suffix.lower() in _ENDINGS]
    if not usable:
        raise InputError(f"the archive holds no file that ends in {', '.join(_ENDINGS)}.")
    return usable


class _Limited(io.RawIOBase):
    """What a member unpacks to, as long as the archive as a whole stays within bounds."""

    def __init__(self, file: IO[bytes], allowed: list[int]) -> None:
        super().__init__()
        self.file, self.allowed = file, allowed

    def readable(self) -> bool:
        """A stream to read from."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        part = self.file.read(len(buffer))
        self.allowed[0] -= len(part)
        if self.allowed[0] < 0:
            raise InputError("the archive unpacks to far more than its size; it is not read any further.")
        buffer[: len(part)] = part
        return len(part)


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
        return set_aside(line, values.get(key), content, SEVERAL, key)
    if given in (None, "", []):
        return unlabelled(line, values.get(key), content, key)
    label, why = answer_of(given)
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
            info = zipfile.ZipInfo(f"{quote(name, safe='@+_- ')}.jsonl")
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                if pool.annotators:
                    _write(member, pool.of_annotator(name), number)
                if not turn:
                    _write(member, (item for item in pool.items() if not item.votes), number)


def _write(member: IO[bytes], items: Iterator[Item], number: Any) -> None:
    for item in items:
        content = {name: value for name, value in item.content.items() if name not in _OURS}
        entry = {"id": number(item.example), **content, "label": [vote.label for vote in item.votes]}
        member.write(dumped(entry | {"Comments": []}) + b"\n")
