"""Files by name, glob, folder or URL, and the small files of a run."""

from __future__ import annotations

import errno
import os
import pickle
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from fsspec.core import url_to_fs

from activelab._errors import InputError
from activelab._whole import whole_file

ENDINGS = (".parquet", ".pq")
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")


@dataclass(frozen=True)
class File:
    """A file anywhere; size and stamp tell whether it has changed."""

    url: str
    size: int
    stamp: str


def is_url(name: str) -> bool:
    """Whether a name has a protocol, as ``s3://bucket/labels`` has."""
    return "://" in name


def is_glob(name: str) -> bool:
    """Whether a name is a pattern."""
    return any(mark in name for mark in "*?[")


def find_files(names: Sequence[str]) -> list[File]:
    """The Parquet files that names, patterns, folders and URLs stand for, sorted, each once.

    Raises
    ------
    InputError
        If a name stands for no file, or its file system cannot be used.
    """
    found: dict[str, File] = {}
    for name in names:
        for one in _find(name):
            found.setdefault(one.url, one)
    return [found[url] for url in sorted(found)]


def _find(name: str) -> list[File]:
    try:
        fs, path = url_to_fs(name)
        if is_glob(name) and not fs.exists(path):
            paths = [one for one in fs.glob(path) if one.endswith(ENDINGS)]
            what = "matches no Parquet file"
        elif fs.isdir(path):
            paths = [one for one in fs.find(path) if one.endswith(ENDINGS) and not _hidden(one, path)]
            what = "is a folder that holds no Parquet file"
        else:
            paths, what = ([path] if fs.exists(path) else []), "no such file"
        if not paths:
            raise InputError(f"{what}.", file=name)
        return [_describe(fs, one) for one in paths]
    except InputError:
        raise
    except ImportError as error:
        raise InputError(str(error), file=name) from None
    except Exception as error:  # every file system has exceptions of its own
        raise InputError(f"cannot be listed: {_reason(error)}.", file=name) from None


def _hidden(path: str, folder: str) -> bool:
    """Files such as ``_temporary/0/part.parquet``, which writers leave behind."""
    relative = path[len(folder) :].strip("/")
    return any(part.startswith(("_", ".")) for part in relative.split("/"))


def _describe(fs: Any, path: str) -> File:
    info = fs.info(path)
    url = path if _is_local(fs) else fs.unstrip_protocol(path)
    return File(url, int(info["size"]), str(next((info[k] for k in _STAMPS if k in info), "")))


def _is_local(fs: Any) -> bool:
    return "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def _reason(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split()).rstrip(".")


def open_file(url: str) -> Any:
    """A path for Arrow to open itself if it is local, else an open file."""
    fs, path = url_to_fs(url)
    return path if _is_local(fs) else fs.open(path, "rb")


class Store:
    """Small files of a run in a folder that every worker reaches: a path or a URL.

    A file appears whole or not at all.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        # Workers write what this process must not miss.
        self._fs, self._path = url_to_fs(folder, use_listings_cache=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.folder,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine's file system."""
        return _is_local(self._fs)

    @property
    def path(self) -> str:
        """The folder without its protocol."""
        return str(self._path)

    def url(self, name: str) -> str:
        """Where a name lies."""
        return f"{self.folder.rstrip('/')}/{name}"

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self._fs.exists(f"{self._path}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        try:
            self._write(f"{self._path}/{name}", data)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise disk_full(self.folder) from None

    def _write(self, target: str, data: bytes) -> None:
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        if not self.is_local:
            self._fs.pipe_file(target, data)
            return
        # What a failing machine loses of a run is computed again.
        with whole_file(target, sync=False) as file:
            file.write(data)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return bytes(self._fs.cat_file(f"{self._path}/{name}"))

    def save(self, name: str, value: object) -> None:
        """Write an object."""
        self.write(name, pickle.dumps(value, protocol=5))

    def load(self, name: str) -> Any:
        """The object of a file this program wrote."""
        return pickle.loads(self.read(name))

    @contextmanager
    def local_folder(self, name: str) -> Iterator[str]:
        """A folder on this machine that does not exist yet, and is a folder of the store afterwards."""
        if self.is_local:
            self.make(os.path.dirname(name))
            yield f"{self._path}/{name}"
            return
        with tempfile.TemporaryDirectory(prefix="activelab-") as folder:
            target = f"{folder}/{os.path.basename(name)}"
            yield target
            self._fs.put(f"{target}/", f"{self._path}/{name}/", recursive=True)

    def make(self, name: str) -> None:
        """Make a folder."""
        self._fs.makedirs(f"{self._path}/{name}", exist_ok=True)

    def remove(self, name: str = "") -> None:
        """Remove a file or a folder below, or everything."""
        with suppress(FileNotFoundError):
            self._fs.rm(f"{self._path}/{name}".rstrip("/"), recursive=True)

    def files(self, name: str) -> list[File]:
        """All files below a folder."""
        return [_describe(self._fs, path) for path in self._fs.find(f"{self._path}/{name}")]


def disk_full(folder: str) -> InputError:
    """What there is to say when a folder takes no more."""
    return InputError("the disk is full.", file=folder, advice="work_dir_full")


def check_store(folder: str) -> Store:
    """A store that can be written to.

    Raises
    ------
    InputError
        If it cannot.
    """
    try:
        store = Store(folder)
        probe = f".probe-{uuid.uuid4().hex}"
        store.write(probe, b"")
        store.remove(probe)
    except Exception as error:  # every file system has exceptions of its own
        raise InputError(f"the working folder cannot be written to: {_reason(error)}.", file=folder) from None
    return store
