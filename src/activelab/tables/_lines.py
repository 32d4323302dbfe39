"""From a row of a table to the line of its file; used only to word an error, so it may be slow."""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Iterator

from activelab.tables._formats import Format, open_bytes, open_text, sniff


def line_of(path: str | os.PathLike[str], row: int) -> int | None:
    """Line, counted from 1, of data row ``row``, counted from 0; None where a file has no lines."""
    try:
        format_ = sniff(path)
        if format_.kind == "parquet":
            return None
        for number, (line, _) in enumerate(records(path, format_)):
            if number == row:
                return line
    except (OSError, ValueError, csv.Error, EOFError, zlib.error):
        pass
    return None


def records(path: str | os.PathLike[str], format_: Format | None = None) -> Iterator[tuple[int, list[str]]]:
    """The data records of a text table with the line each begins in.

    A record of JSON lines is its line in a list of one. Without a format the content says it.
    """
    format_ = format_ or sniff(path)
    with open_text(path, format_) as text:
        if format_.kind == "jsonl":
            yield from ((n, [line]) for n, line in enumerate(text, start=1) if line.strip())
            return
        reader = csv.reader(text, delimiter=format_.delimiter)
        begin, header = 1, True
        for record in reader:
            if record and not header:
                yield begin, record
            header = header and not record
            begin = reader.line_num + 1


def undecodable_line(path: str | os.PathLike[str], format_: Format | None = None) -> int | None:
    """The first line that is not UTF-8."""
    with open_bytes(path, format_ or sniff(path)) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None
