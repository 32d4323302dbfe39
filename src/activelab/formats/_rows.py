"""Rows of any file: separated text, JSON lines, Parquet, or a JSON array; one after the other."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

from activelab._errors import InputError
from activelab.formats._array import parse_array
from activelab.tables import (
    Format,
    Row,
    column_names,
    harmless,
    open_bytes,
    read_rows,
    row_columns,
    sniff,
)


def is_array(path: Path) -> bool:
    """Whether a text file, gzipped or not, begins like a JSON array."""
    with opened(path) as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip(b" \r\n")[:1] == b"["


def is_text_table(path: Path) -> bool:
    """Whether a file is separated text, whose cells have no types."""
    return not is_array(path) and sniff(path).kind == "csv"


def opened(path: Path) -> IO[bytes]:
    """A file opened for reading, unpacked within bounds if it is gzipped."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return open_bytes(path, Format("jsonl", gzipped=packed))


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file, whatever holds them.

    Raises
    ------
    InputError
        If the file cannot be read to its end.
    """
    if is_array(path):
        yield from array_rows(path)
        return
    yield from read_rows(path, sniff(path))


def columns(path: Path) -> list[str]:
    """Names of the columns: the header, or the keys of the first entry."""
    if is_array(path):
        first = next(array_rows(path), None)
        return list(first.values) if first is not None else []
    format_ = sniff(path)
    return row_columns(path, format_) if format_.kind == "jsonl" else column_names(path, format_)


def objects(path: Path) -> Iterator[Row]:
    """The objects of a JSON array, or of a file with one after the other, over any number of lines.

    Raises
    ------
    InputError
        If the file is no JSON, or not to its end.
    """
    yield from array_rows(path) if is_array(path) else _parsed(path, array=False)


def array_rows(path: Path) -> Iterator[Row]:
    """The objects of a JSON array, without reading it whole.

    Raises
    ------
    InputError
        If the file is no JSON, or not to its end.
    """
    yield from _parsed(path, array=True)


def _parsed(path: Path, *, array: bool) -> Iterator[Row]:
    sniff(path)
    try:
        with opened(path) as file:
            yield from parse_array(file, array=array)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"the gzip data cannot be read: {error}.") from None


def write_csv(
    file: IO[bytes], header: Sequence[str], lines: Iterable[Sequence[Any]], delimiter: str = ","
) -> None:
    """Separated text, with texts that a spreadsheet would run made harmless."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", errors="replace")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    # The usual one leaves a carriage return bare, which ends a line.
    quoting = csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for line in chain([header], lines):
        cells = [harmless(cell) if isinstance(cell, str) else cell for cell in line]
        returns = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoting if returns else writer).writerow(cells)
    text.flush()
    text.detach()


def write_lines(file: IO[bytes], entries: Iterable[Any]) -> None:
    """JSON lines."""
    for entry in entries:
        file.write(dumped(entry) + b"\n")


def write_array(file: IO[bytes], entries: Iterable[Any]) -> None:
    """A JSON array, an entry a line."""
    file.write(b"[")
    for number, entry in enumerate(entries):
        file.write((b",\n" if number else b"\n") + dumped(entry))
    file.write(b"\n]\n")


def dumped(entry: Any) -> bytes:
    """A value as JSON in UTF-8."""
    return json.dumps(entry, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
