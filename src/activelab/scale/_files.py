"""Files by name, glob, folder or URL, and the small files of a run."""

from __future__ import annotations

import os
import pickle
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from activelab._errors import InputError
from activelab._whole import whole_file
from activelab.scale._stores import FULL, Answer, RangeFile, ask, file_system, reason_of

ENDINGS = (".parquet", ".pq")
_AT_ONCE = 16
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
    with in_words("cannot be listed", name):
        fs, path = file_system(name)
        paths, what = ask(name, lambda: _look(fs, name, path)) if is_url(name) else _look(fs, name, path)
        if not paths:
            raise InputError(f"{_without_bucket(fs, path) or what}.", file=name)
        return _described(fs, paths)


def _look(fs: Any, name: str, path: str) -> tuple[list[str], str]:
    """The paths that a name stands for, and what is wrong with it if there are none."""
    if is_glob(name) and not fs.exists(path):
        return [one for one in _matching(fs, path) if one.endswith(ENDINGS)], "matches no Parquet file"
    if fs.isdir(path):
        paths = [one for one in fs.find(path) if one.endswith(ENDINGS) and not _hidden(one, path)]
        return paths, "is a folder that holds no Parquet file"
    # Asked for what it is, a store says why it does not tell.
    with suppress(FileNotFoundError):
        fs.info(path)
        return [path], ""
    return [], "no such file"


def _without_bucket(fs: Any, path: str) -> str | None:
    """What is wrong with a path whose bucket does not exist."""
    bucket = path.partition("/")[0]
    if bucket and not _is_local(fs):
        with suppress(PermissionError):
            try:
                fs.ls(bucket)
            except FileNotFoundError:
                return f"there is no bucket {bucket!r}"
    return None


def _matching(fs: Any, pattern: str) -> list[str]:
    """The paths of a pattern; `glob` of a store takes a folder that cannot be listed for an empty one."""
    if _is_local(fs) or "**" in pattern:
        return list(fs.glob(pattern))
    found = [""]
    for part in pattern.split("/"):
        if not is_glob(part):
            found = [f"{one}{part}/" for one in found]
            continue
        inside = [path for one in found for path in _listed(fs, one.rstrip("/"))]
        names = {path.rstrip("/"): path.rstrip("/").rpartition("/")[2] for path in inside}
        found = [f"{path}/" for path, name in names.items() if fnmatchcase(name, part)]
    found = [one.rstrip("/") for one in found]
    return found if is_glob(part) else [one for one in found if fs.exists(one)]


def _listed(fs: Any, folder: str) -> list[str]:
    try:
        return list(fs.ls(folder, detail=False))
    except FileNotFoundError:
        return []


def _hidden(path: str, folder: str) -> bool:
    """Files such as ``_temporary/0/part.parquet``, which writers leave behind."""
    relative = path[len(folder) :].strip("/")
    return any(part.startswith(("_", ".")) for part in relative.split("/"))


def _described(fs: Any, paths: Sequence[str]) -> list[File]:
    """Files as the store describes each of them; lists of some stores have other stamps."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda one: _describe(fs, one), paths))


def _describe(fs: Any, path: str) -> File:
    url = path if _is_local(fs) else fs.unstrip_protocol(path)
    info = fs.info(path) if _is_local(fs) else ask(url, lambda: fs.info(path))
    return File(url, int(info["size"]), str(next((info[k] for k in _STAMPS if k in info), "")))


def _is_local(fs: Any) -> bool:
    return "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


@contextmanager
def in_words(what: str, place: str) -> Iterator[None]:
    """What a file system raises, as one error that names the place."""
    try:
        yield
    except InputError:
        raise
    except ImportError as error:
        raise InputError(str(error), file=place) from None
    except Exception as error:  # every file system has exceptions of its own
        refused = isinstance(error, PermissionError) or "Credential" in type(error).__name__
        raise InputError(
            f"{what}: {reason_of(error)}.",
            file=place,
            advice="store_rights" if refused and is_url(place) else None,
        ) from None


def open_file(file: File) -> Any:
    """A path for Arrow to open itself if it is local, else an open file."""
    return RangeFile(file.url, file.size) if is_url(file.url) else file.url


def check_unchanged(file: File) -> None:
    """Raise unless a file is still what was listed.

    Asked after reading, it is known of all that was read.

    Raises
    ------
    InputError
        If it is another one by size or stamp, or gone.
    """
    try:
        now = _describe(*file_system(file.url))
    except FileNotFoundError:
        raise InputError("was there when the run began, and is gone.", file=file.url) from None
    if now != file:
        raise InputError("has changed since the run began.", file=file.url, advice="start_again")


class Store:
    """Small files of a run in a folder that every worker reaches: a path or a URL.

    A file appears whole or not at all. Of one that is not ``lasting`` nothing is left after the run, so that
    what only a later one can use need not be kept.
    """

    def __init__(self, folder: str, lasting: bool = True) -> None:
        self.folder, self.lasting = folder, lasting
        self._fs, self._path = file_system(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.folder, self.lasting)

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

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self._ask(lambda: self._fs.exists(f"{self._path}/{name}")))

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        return call() if self.is_local else ask(self.folder, call)

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Write a file."""
        try:
            self._write(f"{self._path}/{name}", data)
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise disk_full(self.folder) from None

    def _write(self, target: str, data: bytes | memoryview) -> None:
        if not self.is_local:
            self._ask(lambda: self._fs.pipe_file(target, bytes(data)))
            return
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        # What a failing machine loses of a run is computed again.
        with whole_file(target, sync=False) as file:
            file.write(data)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return bytes(self._ask(lambda: self._fs.cat_file(f"{self._path}/{name}")))

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
            self._ask(lambda: self._fs.put(f"{target}/", f"{self._path}/{name}/", recursive=True))

    def make(self, name: str) -> None:
        """Make a folder."""
        self._fs.makedirs(f"{self._path}/{name}", exist_ok=True)

    def remove(self, name: str) -> None:
        """Remove a file or a folder below."""
        with suppress(FileNotFoundError):
            self._ask(lambda: self._fs.rm(f"{self._path}/{name}", recursive=True))

    def remove_files(self, names: Sequence[str]) -> None:
        """Remove files, many with each request."""
        if names:
            with suppress(FileNotFoundError):
                self._ask(lambda: self._fs.rm([f"{self._path}/{name}" for name in names]))

    def files(self, name: str) -> list[File]:
        """All files below a folder."""
        return _described(self._fs, self._paths(name))

    def _paths(self, folder: str) -> list[str]:
        return list(self._ask(lambda: self._fs.find(f"{self._path}/{folder}")))

    def listed(self, names: Sequence[str]) -> list[File]:
        """Files by their names."""
        return _described(self._fs, [f"{self._path}/{name}" for name in names])

    def names(self, folder: str) -> set[str]:
        """The names of all files in a folder, with it: one request for a thousand of them."""
        return {f"{folder}/{path.rpartition('/')[2]}" for path in self._paths(folder)}


def disk_full(folder: str) -> InputError:
    """What there is to say when a folder takes no more."""
    return InputError("the disk is full.", file=folder, advice="work_dir_full")


def check_store(folder: str, what: str = "the working folder cannot be written to") -> Store:
    """A store that can be written to.

    Raises
    ------
    InputError
        If it cannot.
    """
    with in_words(what, folder):
        store = Store(folder)
        probe = f".probe-{uuid.uuid4().hex}"
        store.write(probe, b"")
        store.remove(probe)
        return store
