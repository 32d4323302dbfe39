"""Object stores: asked with patience, and read by ranges of bytes."""

from __future__ import annotations

import errno
import io
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from activelab._errors import InputError

Answer = TypeVar("Answer")

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between one attempt and the next, beyond those that the package of a store makes itself."""
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

_LASTING = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
# A wrong request, no right to it, another region: as s3fs translates the codes of S3.
_LASTING_CODES = (*FULL, errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.ENOENT, getattr(errno, "EREMCHG", -1))
# Exceptions of aiohttp, botocore and azure.core that are no OSError; by name, since none need be installed.
_PASSING = re.compile(
    "Connection|Timeout|HTTPClient|HttpError|Incomplete|Payload|ResponseParser|ServiceRe|Unavailable"
)


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path there; what it lists is what there is now."""
    fs, path = url_to_fs(url, use_listings_cache=False)
    return fs, str(path)


def ask(url: str, call: Callable[[], Answer]) -> Answer:
    """What a store answers; asked again for a while where it is busy or cannot be reached.

    Raises
    ------
    InputError
        If it does not answer in that time.
    Exception
        What the call raises, if it would again.
    """
    for pause in (*PAUSES, None):
        try:
            return call()
        except Exception as error:
            if not _may_pass(error):
                raise
            if pause is None:
                raise InputError(
                    f"the store does not answer: {reason_of(error)}.", file=url, advice="store_away"
                ) from None
        # Workers that were cut off together do not come back together.
        time.sleep(pause * random.uniform(0.5, 1))
    raise AssertionError


def is_away(error: BaseException | None) -> bool:
    """Whether a store did not answer: then there is no use in asking it what is wrong."""
    return isinstance(error, InputError) and error.advice == "store_away"


def _may_pass(error: Exception) -> bool:
    if isinstance(error, OSError):
        return not isinstance(error, _LASTING) and error.errno not in _LASTING_CODES
    return any(_PASSING.search(one.__name__) for one in type(error).__mro__)


def reason_of(error: BaseException) -> str:
    """What an exception says, in one line."""
    return " ".join((str(error) or type(error).__name__).split()).rstrip(".")


class RangeFile(io.RawIOBase):
    """A file of a store whose size is known: each read is a request for these bytes, and nothing is kept.

    Who reads knows what comes next, such as Arrow from the footer; a cache that reads ahead fetches columns
    nobody asked for.
    """

    def __init__(self, url: str, size: int) -> None:
        self._url, self._size, self._at = url, size, 0
        self._fs, self._path = file_system(url)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, or all that are left."""
        start = min(self._at, self._size)
        end = self._size if size is None or size < 0 else min(start + size, self._size)
        if end == start:
            return b""
        found: bytes = ask(self._url, lambda: self._whole(start, end))
        self._at = end
        return found

    def _whole(self, start: int, end: int) -> bytes:
        found = bytes(self._fs.cat_file(self._path, start=start, end=end))
        if len(found) < end - start:
            raise InputError(f"ends before byte {self._size:,}.", file=self._url)
        return found


class RangeFiles(AbstractFileSystem):  # type: ignore[misc]
    """Files of a store as DuckDB takes them: a file system that opens a `RangeFile`.

    DuckDB words in its own way what was raised here; ``failure`` keeps it.
    """

    cachable = False

    def __init__(self, protocol: str, sizes: dict[str, int]) -> None:
        super().__init__()
        self.protocol, self._sizes = protocol, sizes
        self.failure: InputError | None = None

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name and size of a file."""
        url = self.unstrip_protocol(path)
        return {"name": path, "size": self._sizes[url], "type": "file"}

    def modified(self, path: str) -> Any:
        """Never: DuckDB asks, and keeps nothing from one connection to another."""
        return datetime.fromtimestamp(0, UTC)

    def open(self, path: str, mode: str = "rb", **_: Any) -> RangeFile:
        """A file to read."""
        url = self.unstrip_protocol(path)
        return _Noted(self, url, self._sizes[url])


class _Noted(RangeFile):
    def __init__(self, files: RangeFiles, url: str, size: int) -> None:
        super().__init__(url, size)
        self._files = files

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(size)
        except InputError as error:
            self._files.failure = error
            raise
