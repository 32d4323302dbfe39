"""``-`` for standard input and output, and URLs to write to, in every command that reads or writes a table.

Files are read more than once, so standard input is kept in a temporary file with the ending of what it holds.
What goes to standard output or to a URL is written to a temporary file first: it comes whole or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from activelab._errors import InputError

Place = TypeVar("Place", str, Path)

STREAM = "-"
TABLES = ("csv", "tsv", "jsonl", "parquet")
_BINARY = ("parquet", "zip")
_INPUT, _OUTPUT = "standard input", "standard output"


class _Streams:
    """The streams of one command."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.has_read = False
        self.output: Path | None = None
        self.urls: dict[Path, str] = {}

    def place(self, name: str) -> Path:
        """A temporary file of a name."""
        if self.folder is None:
            self.folder = tempfile.mkdtemp(prefix="activelab-")
        return Path(self.folder, name)


_streams = _Streams()


@contextmanager
def streams() -> Iterator[None]:
    """Around a command: its temporary files are gone afterwards."""
    global _streams
    before, _streams = _streams, _Streams()
    try:
        yield
    finally:
        if _streams.folder is not None:
            shutil.rmtree(_streams.folder, ignore_errors=True)
        _streams = before


def source(path: Place) -> Place:
    """The file to read for an argument; ``-`` is standard input, and anything else stays as it is.

    Raises
    ------
    InputError
        If standard input has been read already, or holds nothing that is known.
    """
    if os.fspath(path) != STREAM:
        return path
    if _streams.has_read:
        raise InputError("- stands for standard input, which can be read once; name a file for the other.")
    _streams.has_read = True
    kept = _streams.place(_INPUT)
    with open(kept, "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return type(path)(kept.rename(f"{kept}{_ending(kept)}"))


def _ending(path: Path) -> str:
    """The ending of a file by its content."""
    from activelab.tables import naming, sniff

    with open(path, "rb") as file:
        head = file.read(6)
    if head == b"\x93NUMPY":
        return ".npy"
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            arrays = all(name.endswith(".npy") for name in archive.namelist())
        return ".npz" if arrays else ".zip"
    with naming(path):
        found = sniff(path)
    return f".{found.kind}{'.gz' if found.gzipped else ''}"


def target(
    path: Path | None, format_: str | None = None, inputs: Sequence[str] = (), formats: Sequence[str] = TABLES
) -> Path | None:
    """The file to write for an option, checked; ``-`` is standard output, as is a format without a file.

    For a URL it is a temporary file, which `send` copies there.

    Raises
    ------
    InputError
        If nothing can be written there, or not in that format.
    """
    if path is None and format_ is None:
        return None
    if path is not None and os.fspath(path) != STREAM:
        if format_ is not None:
            raise InputError(f"--format is for standard output; {path} is written by its ending.")
        url = _url(path)
        if url is not None:
            return _for_url(url, inputs, formats is TABLES)
        if formats is TABLES:
            from activelab.tables import check_output

            check_output(path, tuple(inputs))
        return path
    chosen = format_ or formats[0]
    if chosen not in formats:
        raise InputError(f"--format {chosen} is not one of {', '.join(formats)}.")
    if _streams.output is not None:
        raise InputError("- stands for standard output, which takes one table; name a file for the other.")
    if chosen in _BINARY and is_terminal():
        raise InputError(f"{chosen} is not text for a terminal; name a file, or send it on with | or >.")
    _streams.output = _streams.place(f"{_OUTPUT}.{chosen}")
    return _streams.output


def _url(path: Path) -> str | None:
    """The URL that a path was; of its two slashes a path keeps one."""
    found = re.fullmatch(r"([a-z][a-z0-9+.]+):/+(.+)", path.as_posix())
    return f"{found[1]}://{found[2]}" if found else None


def _for_url(url: str, inputs: Sequence[str], table: bool) -> Path:
    """A temporary file for what goes to a URL, which is checked before any work is done for it."""
    from activelab.cli._large import require_scale
    from activelab.tables import format_of, naming

    with naming(url):
        if table:
            format_of(url)
        if url in inputs:
            raise InputError("is also an input; write to another file.")
    require_scale()
    from activelab.scale.outputs import check_url

    check_url(url)
    file = _streams.place(f"{len(_streams.urls)}-{url.rpartition('/')[2]}")
    _streams.urls[file] = url
    return file


def is_terminal() -> bool:
    """Whether somebody reads standard output on a terminal."""
    return sys.stdout.isatty()


def takes_stdout(path: Path | None = None) -> bool:
    """Whether standard output is for a table, so that everything else is said on standard error."""
    return _streams.output is not None and path in (None, _streams.output)


def send() -> None:
    """Send on what was written for standard output and for URLs."""
    for local, url in _streams.urls.items():
        if local.exists():
            from activelab.scale.outputs import upload

            upload(local, url)
    if _streams.output is not None and _streams.output.exists():
        with open(_streams.output, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def named(text: str) -> str:
    """A text in which temporary files are called what they stand for."""
    if _streams.folder is None:
        return text
    for file, url in _streams.urls.items():
        text = text.replace(str(file), url)
    return re.sub(rf"{re.escape(_streams.folder + os.sep)}({_INPUT}|{_OUTPUT})(\.\w+)*", r"\1", text)
