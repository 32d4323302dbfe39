"""File endings, what a file really holds, and opening it."""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from activelab._errors import InputError
from activelab.tables._bounded import open_gzip


@dataclass(frozen=True)
class Format:
    """A format of tables."""

    kind: Literal["csv", "parquet", "jsonl"]
    delimiter: str = ","
    gzipped: bool = False


_ENDINGS = {
    ".csv": Format("csv"),
    ".csv.gz": Format("csv", gzipped=True),
    ".tsv": Format("csv", "\t"),
    ".tsv.gz": Format("csv", "\t", gzipped=True),
    ".parquet": Format("parquet"),
    ".pq": Format("parquet"),
    ".jsonl": Format("jsonl"),
    ".jsonl.gz": Format("jsonl", gzipped=True),
    ".ndjson": Format("jsonl"),
    ".ndjson.gz": Format("jsonl", gzipped=True),
}
_HEAD = 4096
_QUOTED = re.compile('"[^"]*"')
_NAMES = {"csv": "CSV", "parquet": "Parquet", "jsonl": "JSON lines"}
_MAGIC = {
    b"PAR1": "Parquet",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a zip archive, such as .npz or .xlsx",
    b"\x93NUMPY": "a numpy array (.npy)",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}


def format_of(path: str | os.PathLike[str]) -> Format:
    """The format of a table by the ending of its file name.

    Raises
    ------
    InputError
        If the ending is unknown.

    Examples
    --------
    >>> from activelab.tables import format_of
    >>> format_of("labels.csv.gz")
    Format(kind='csv', delimiter=',', gzipped=True)
    """
    name = os.fspath(path).lower()
    for ending, format_ in _ENDINGS.items():
        if name.endswith(ending):
            return format_
    raise InputError(f"unknown file ending. Tables end in {', '.join(_ENDINGS)}.")


def sniff(path: str | os.PathLike[str]) -> Format:
    """The format of a table by its content, whatever its name: Parquet, JSON lines, or separated text.

    Raises
    ------
    InputError
        If there is no such file, or it holds neither text nor Parquet.
    """
    check_file(path)
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    gzipped = head.startswith(b"\x1f\x8b")
    if gzipped:
        head = unzipped_head(path)
    looks = content(head)
    if looks == "Parquet" and not gzipped:
        return Format("parquet")
    if looks == "JSON":
        return Format("jsonl", gzipped=gzipped)
    if looks != "text":
        raise InputError(f"holds no table: it looks like {looks}.")
    return Format("csv", _delimiter(head, os.fspath(path).lower()), gzipped)


def _delimiter(head: bytes, name: str) -> str:
    """The mark that separates most cells; a .tsv with any tab is what it says, though names hold commas."""
    named = "\t" if name.endswith((".tsv", ".tsv.gz")) else ","
    bare = _QUOTED.sub("", head.decode("utf-8-sig", "replace")).lstrip("\r\n")
    first_line = re.split(r"[\r\n]", bare, maxsplit=1)[0]
    if named == "\t" and "\t" in first_line:
        return named
    marks: list[str] = [named, ",", "\t", ";", "|"]
    return max(marks, key=lambda mark: first_line.count(mark))


def unzipped_head(path: str | os.PathLike[str]) -> bytes:
    """The first bytes of what a gzip file holds.

    Raises
    ------
    InputError
        If it is damaged or holds nothing.
    """
    try:
        with gzip.open(path) as file:
            head = file.read(_HEAD)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"the gzip data cannot be read: {error}.") from None
    if not head:
        raise InputError("the file is empty.")
    return head


def check_file(path: str | os.PathLike[str]) -> None:
    """Raise unless the path is an existing file that holds something."""
    if Path(path).is_dir():
        raise InputError("is a folder, not a file.")
    if not Path(path).exists():
        raise InputError("no such file.")
    if not Path(path).stat().st_size:
        raise InputError("the file is empty.")


def check_content(path: str | os.PathLike[str]) -> Format:
    """The format of an existing table file, whose first bytes must fit the ending.

    What separates the cells of a text table is told by its first line.
    """
    check_file(path)
    format_ = format_of(path)
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    looks = content(head)
    if format_.gzipped and looks == "gzip":
        head = unzipped_head(path)
        looks = content(head)
    elif format_.gzipped:
        raise InputError(f"the name ends in .gz, but the content is not gzip: it looks like {looks}.")
    expected = {"csv": ("text",), "jsonl": ("JSON",), "parquet": ("Parquet",)}[format_.kind]
    if looks not in expected:
        name = _NAMES[format_.kind]
        raise InputError(f"the name ends like {name}, but the content is not: it looks like {looks}.")
    if format_.kind == "csv":
        return replace(format_, delimiter=_delimiter(head, os.fspath(path).lower()))
    return format_


def content(head: bytes) -> str:
    """What the first bytes of a file look like, in words."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    if b"\0" in head:
        return "binary data"
    # A tab is the first cell of separated text, which is empty.
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \r\n")
    return "JSON" if text[:1] in (b"{", b"[") else "text"


def open_bytes(path: str | os.PathLike[str], format_: Format) -> IO[bytes]:
    """The bytes of a table, unpacked within bounds."""
    return open_gzip(path) if format_.gzipped else open(path, "rb")


def open_text(path: str | os.PathLike[str], format_: Format) -> IO[str]:
    """A text stream without byte-order mark, with line ends as they are in the file."""
    return io.TextIOWrapper(open_bytes(path, format_), encoding="utf-8-sig", newline="")
