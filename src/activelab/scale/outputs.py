"""Files that are written to a URL: here first, then there, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from activelab.scale._files import check_store, in_words, is_url
from activelab.scale._stores import ask, file_system

__all__ = ["check_url", "local_output", "upload"]


@contextmanager
def local_output(place: str) -> Iterator[str]:
    """A file on this machine to write, which is at its place, whole, at the end of the block.

    Raises
    ------
    InputError
        If the place is a URL that cannot be written to, before the block and after.
    """
    if not is_url(place):
        yield place
        return
    check_url(place)
    with tempfile.TemporaryDirectory(prefix="activelab-") as temporary:
        file = f"{temporary}/{place.rpartition('/')[2]}"
        yield file
        upload(file, place)


def check_url(url: str) -> None:
    """Raise unless a file can be written to a URL, before any work is done for it.

    Raises
    ------
    InputError
        If a small file cannot be written beside it.
    """
    check_store(url.rpartition("/")[0], "nothing can be written there")


def upload(path: str | os.PathLike[str], url: str) -> None:
    """Copy a file to a URL.

    Raises
    ------
    InputError
        If the store does not take it.
    """
    fs, target = file_system(url)
    with in_words("cannot be written", url):
        ask(url, lambda: fs.put_file(os.fspath(path), target))
