"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO


@contextmanager
def whole_path(path: str | os.PathLike[str], *, replace: bool = True, sync: bool = True) -> Iterator[str]:
    """A name beside ``path`` to write to; the file gets its own name at the end of the block.

    Parameters
    ----------
    path : path
        Where the file shall be; links are followed.
    replace : bool
        Put it in place of a file that is there.
    sync : bool
        Wait until it is on disk, so that it is whole after a power failure too.

    Raises
    ------
    FileExistsError
        If a file is there that is not to be replaced.
    OSError
        If writing fails; what was there before is left.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    partial = os.path.join(folder, f".{name}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        if sync:
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
        if replace:
            os.replace(partial, target)
        else:
            _put(partial, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _put(partial: str, target: str) -> None:
    """Give a file its name, unlike a renaming not in place of what somebody has put there meanwhile."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.exists(target):
            raise FileExistsError(target) from None
        os.rename(partial, target)
    else:
        os.unlink(partial)


@contextmanager
def whole_file(path: str | os.PathLike[str], *, sync: bool = True) -> Iterator[IO[bytes]]:
    """A file to write that appears, at the end of the block, whole or not at all; as `whole_path`."""
    with whole_path(path, sync=sync) as partial, open(partial, "xb") as file:
        yield file
