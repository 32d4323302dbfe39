"""Rows of any file: separated text, JSON lines, Parquet, or a JSON array; one after the other."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from activelab._errors import InputError
from activelab.formats._array import parse_array
from activelab.tables import Row, column_names, from_harmless, harmless, read_rows, row_columns, sniff


def is_array(path: Path) -> bool:
    """Whether a text file, gzipped or not, begins like a JSON array."""
    with opened(path) as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def opened(path: Path) -> IO[bytes]:
    """A file opened for reading, unpacked if it is gzipped."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else open(path, "rb")  # type: ignore[return-value]


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file, whatever holds them; texts of a CSV file as they were before `harmless`.

    Raises
    ------
    InputError
        If the file cannot be read to its end.
    """
    if is_array(path):
        yield from array_rows(path)
        return
    format_ = sniff(path)
    for row in read_rows(path, format_):
        if format_.kind == "csv":
            yield row._replace(values={name: from_harmless(text) for name, text in row.values.items()})
        else:
            yield row


def columns(path: Path) -> list[str]:
    """Names of the columns: the header, or the keys of the first entry."""
    if is_array(path):
        first = next(array_rows(path), None)
        return list(first.values) if first is not None else []
    format_ = sniff(path)
    return row_columns(path, format_) if format_.kind == "jsonl" else column_names(path, format_)


def array_rows(path: Path) -> Iterator[Row]:
    """The objects of a JSON array, without reading it whole.

    Raises
    ------
    InputError
        If the file is no JSON, or not to its end.
    """
    sniff(path)
    try:
        with opened(path) as file:
            yield from parse_array(file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"the gzip data cannot be read: {error}.") from None


def write_csv(
    file: IO[bytes], header: Sequence[str], lines: Iterable[Sequence[Any]], delimiter: str = ","
) -> None:
    """Separated text, with texts that a spreadsheet would run made harmless."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", errors="replace")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow([harmless(name) for name in header])
    for line in lines:
        writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in line])
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
