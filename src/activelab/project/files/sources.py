"""Where examples come from: a table, a text with one example a line, a folder of media, an archive."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

from activelab._errors import InputError, counted, first
from activelab._whole import whole_path
from activelab.formats import objects
from activelab.project.content import MEDIA, TEXT
from activelab.project.media import MOST_BYTES
from activelab.tables import Bounded, Row, allowance, check_file, naming, read_rows, row_columns

ENDINGS = {
    "image": ("png", "jpg", "jpeg", "jpe", "jfif", "gif", "webp", "bmp"),
    "audio": ("wav", "mp3", "aac", "flac", "ogg", "oga", "opus", "m4a", "mp4", "webm"),
    "video": ("mp4", "m4v", "webm", "ogv"),
}
"""How files are called that browsers show; what they are is told by their first bytes."""

MOST_FILES = 500_000
"""Files an archive may hold."""

_DIRECTORY_BYTES = 64 * 2**20  # of an archive; it is read whole
_KEY_ROWS = 5_000  # of a JSON file, that show which columns there are
_LONGEST_LINE = 1 << 24
_STRANGE = {"__MACOSX"}
_COPIED = 1 << 20


class Source:
    """Rows of examples, read as often as they are asked for.

    Attributes
    ----------
    path : Path
    form : {"table", "texts", "folder", "archive"}
    columns : list of str
        Of a table its own; else the one that the rows have: "text", "image", "audio" or "video".
    notes : list of str
        What was left out.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        form: Literal["table", "texts", "folder", "archive"],
        columns: Sequence[str],
        rows: Callable[[Sequence[str] | None], Iterator[Row]],
        notes: Sequence[str] = (),
    ) -> None:
        self.path, self.form, self.columns, self.notes = Path(path), form, [*columns], [*notes]
        self._rows = rows

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """The rows in their order; files have no line, so that theirs is 0.

        Parameters
        ----------
        columns : sequence of str, optional
            Those that are wanted, which is faster; others may come with them.
        """
        return self._rows(columns)

    def move_below(self, root: str) -> None:
        """Name the files of a folder by their paths below another, which it is in.

        Raises
        ------
        InputError
            If it is not.
        """
        inside = Path(os.path.realpath(self.path))
        if not inside.is_relative_to(root):
            raise InputError(
                f"is not in {root}, the folder of the project's media; move it there.", file=self.path
            )
        before = "".join(f"{part}/" for part in inside.relative_to(root).parts)
        part, rows = self.columns[0], self._rows
        self._rows = lambda _: (Row(0, {part: before + row.values[part]}) for row in rows(None))

    @property
    def is_media(self) -> bool:
        """Whether the rows are files."""
        return self.form in ("folder", "archive")


def open_source(path: str | os.PathLike[str], kind: str | None = None) -> Source:
    """What examples are read from, by what it is and how its name ends.

    Parameters
    ----------
    path : path
        A folder, a ``.zip``, a ``.txt``, or a table: CSV, TSV, Parquet, JSON or JSON lines.
    kind : str, optional
        What the examples are to be: which files of a folder count. By default the most frequent.

    Raises
    ------
    InputError
        If it is none of them, cannot be read, or cannot hold examples of the kind.
    """
    name = os.fspath(path).lower()
    if Path(path).is_dir() or name.endswith(".zip"):
        return _media(Path(path), kind)
    with naming(path):
        if name.endswith(".txt"):
            check_file(path)
            return Source(path, "texts", [TEXT], lambda _: _texts(Path(path)))
        if name.endswith(".json"):
            check_file(path)
            keys: dict[str, None] = {}
            for row, _ in zip(objects(Path(path)), range(_KEY_ROWS), strict=False):
                keys.update(dict.fromkeys(row.values))
            return Source(path, "table", [*keys], lambda _: _json_rows(Path(path)))
        try:
            return Source(path, "table", row_columns(path), lambda columns: read_rows(path, None, columns))
        except InputError as error:
            if "unknown file ending" in error.problem:
                raise InputError(
                    f"{error.problem.rstrip('.')}, .json; a text a line in .txt, images, audio or video in a "
                    "folder or .zip."
                ) from None
            raise


def _json_rows(path: Path) -> Iterator[Row]:
    with naming(path):
        yield from objects(path)


def _texts(path: Path) -> Iterator[Row]:
    """The lines of a text file that are not blank."""
    with naming(path), open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), start=1):
            if len(line) == _LONGEST_LINE:
                raise InputError(f"line {number} is longer than {_LONGEST_LINE:,} bytes.")
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                raise InputError(
                    f"is not UTF-8 text (line {number}). Save it in the encoding UTF-8."
                ) from None
            if text:
                yield Row(number, {TEXT: text})


# ---------------------------------------------------------------------- media


def _media(path: Path, kind: str | None) -> Source:
    is_folder = path.is_dir()
    with naming(path):
        if kind is not None and kind not in MEDIA:
            what = "a folder" if is_folder else "an archive"
            raise InputError(
                f"is {what}, not a file: the examples of this project are of kind {kind}, and come from a "
                "table" + (" or a .txt." if kind == TEXT else ".")
            )
        if is_folder:
            names: Callable[[], Iterator[str]] = lambda: _below(path, "")  # noqa: E731
        else:
            held = [one.filename for one in members(path)]
            names = lambda: iter(held)  # noqa: E731
        counts = Counter(_ending(name) for name in names())
        part = kind or _most_frequent(counts)
        other = Counter({ending: n for ending, n in counts.items() if ending not in ENDINGS.get(part, ())})
        if not counts or counts.total() == other.total():
            held_endings = first([f".{ending}" if ending else "no ending" for ending in other], 5)
            raise InputError(
                f"holds no {part or 'media'} that browsers show"
                + (f" ({', '.join('.' + one for one in ENDINGS[part])})" if part else "")
                + (f"; its files end in {held_endings}." if other else ".")
            )
    notes = []
    if other:
        named = ", ".join(f".{ending} ({n:,})" if ending else f"none ({n:,})" for ending, n in other.items())
        notes.append(f"{path}: {counted(other.total(), 'file')} left out, by ending: {named}.")

    def rows(_: Sequence[str] | None) -> Iterator[Row]:
        return (Row(0, {part: name}) for name in names() if _ending(name) in ENDINGS[part])

    return Source(path, "folder" if is_folder else "archive", [part], rows, notes)


def _most_frequent(counts: Counter[str]) -> str:
    found = Counter({part: sum(counts[one] for one in _own_endings(part)) for part in MEDIA})
    part, most = found.most_common(1)[0]
    return part if most else ""


def _own_endings(part: str) -> Sequence[str]:
    """Those that are not of films as well."""
    return [one for one in ENDINGS[part] if part == "video" or one not in ENDINGS["video"]]


def media_part(name: str) -> str:
    """What a file is by its name: "image", "audio" or "video"; empty if it is none of them."""
    ending = _ending(name)
    return next((part for part in MEDIA if ending in _own_endings(part)), "")


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower().lstrip(".")


def _below(folder: Path, before: str) -> Iterator[str]:
    """The files below a folder in the order of their names, without hidden ones and links to folders."""
    with os.scandir(folder / before) as found:
        entries = sorted(found, key=lambda one: one.name)
    for one in entries:
        if one.name.startswith(".") or one.name in _STRANGE:
            continue
        name = f"{before}/{one.name}" if before else one.name
        if one.is_dir(follow_symlinks=False):
            yield from _below(folder, name)
        elif not one.is_dir():
            yield name


# ---------------------------------------------------------------------- archives


def members(path: str | os.PathLike[str]) -> list[zipfile.ZipInfo]:
    """The files of an archive in the order of their names, if all of it is harmless.

    Parameters
    ----------
    path : path
        A ``.zip``. What is hidden, and what macOS adds, is left out.

    Raises
    ------
    InputError
        If it is damaged, encrypted, holds links or a path that leaves the folder it is unpacked to, the same
        name twice, more than `MOST_FILES`, or would unpack to far more than its size.
    """
    check_file(path)
    with open(path, "rb") as file:
        if _directory_size(file) > _DIRECTORY_BYTES:
            raise InputError(f"holds more files than the {MOST_FILES:,} that are read.")
    with _archive(path) as archive:
        found = [one for one in archive.infolist() if not one.is_dir()]
    if len(found) > MOST_FILES:
        raise InputError(f"holds {len(found):,} files; at most {MOST_FILES:,} are read.")
    seen: set[str] = set()
    for one in found:
        name = one.filename
        parts = name.split("/")
        if name.startswith("/") or "\\" in name or name[1:2] == ":" or {"", ".", ".."} & {*parts}:
            raise InputError(f"holds a path that may leave the folder it is unpacked to: {name[:200]!r}.")
        if stat.S_IFMT(one.external_attr >> 16) not in (0, stat.S_IFREG):
            raise InputError(f"holds a link or a device: {name[:200]!r}; only files are unpacked.")
        if one.flag_bits & 1:
            raise InputError("is encrypted; unpack it, and give the folder.")
        if name in seen:
            raise InputError(f"holds {name[:200]!r} twice.")
        seen.add(name)
    if sum(one.file_size for one in found) > allowance(path)[0]:
        raise InputError("it unpacks to far more than its size; it is not read.")
    kept = [one for one in found if not _is_hidden(one.filename)]
    return sorted(kept, key=lambda one: one.filename.split("/"))


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part in _STRANGE for part in name.split("/"))


def _directory_size(file: IO[bytes]) -> int:
    """Bytes of the list of files at the end of an archive, which says it itself; 0 if there is none."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 22 - 65_535))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return 0
    found = int(struct.unpack_from("<I", tail, at + 12)[0])
    if found == 0xFFFFFFFF and at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        file.seek(min(struct.unpack_from("<Q", tail, at - 12)[0], size))
        record = file.read(56)
        found = int(struct.unpack_from("<Q", record, 40)[0]) if len(record) == 56 else found
    return found


class _archive:  # noqa: N801
    """An archive, open, whose damage is an `InputError`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def __enter__(self) -> zipfile.ZipFile:
        try:
            self.opened = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError) as error:
            raise InputError(f"cannot be read as a zip archive: {error}.") from None
        return self.opened

    def __exit__(self, kind: object, error: object, _: object) -> None:
        self.opened.close()
        if isinstance(error, zipfile.BadZipFile | NotImplementedError | zlib.error | EOFError):
            raise InputError(f"cannot be read as a zip archive: {error}.") from None


class Unpacked:
    """The media of an archive, in the folder of a project; taken back unless they are kept.

    Parameters
    ----------
    source : Source
        Of form "archive".
    folder : path
        It is made if it is not there. A file that is there with the same bytes counts as unpacked.

    Raises
    ------
    InputError
        If another file has the name of one, or the archive is damaged. Nothing is left then.
    """

    def __init__(self, source: Source, folder: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.realpath(folder))
        self._files: list[Path] = []
        self._folders: list[Path] = []
        part = source.columns[0]
        wanted = {row.values[part] for row in source.rows()}
        try:
            with naming(source.path):
                allowed = allowance(source.path)
                self._make(self.root)
                with _archive(source.path) as archive:
                    for one in members(source.path):
                        if one.filename in wanted:
                            self._unpack(archive, one, part, allowed)
            if hasattr(os, "sync"):
                os.sync()
        except BaseException:
            self.take_back()
            raise

    def _make(self, folder: Path) -> None:
        """A folder and those above it."""
        missing = []
        while not folder.is_dir():
            if folder.exists() or folder.is_symlink():
                raise InputError(f"{folder} is not a folder.")
            missing.append(folder)
            folder = folder.parent
        for one in reversed(missing):
            one.mkdir()
            self._folders.append(one)

    def _unpack(self, archive: zipfile.ZipFile, one: zipfile.ZipInfo, part: str, allowed: list[int]) -> None:
        target = self.root / one.filename
        if not Path(os.path.realpath(target.parent)).is_relative_to(self.root):
            raise InputError(f"{one.filename!r} would be unpacked outside of {self.root}.")
        if one.file_size > MOST_BYTES[part]:
            raise InputError(f"the {part} {one.filename!r} is larger than {MOST_BYTES[part] // 2**20:,} MiB.")
        self._make(target.parent)
        with archive.open(one) as packed:
            stream = Bounded(packed, allowed)
            if os.path.lexists(target):
                if not target.is_file() or not _same(stream, target, one.file_size):
                    raise InputError(f"there is another file {one.filename!r} in {self.root} already.")
                return
            with (
                whole_path(target, replace=False, sync=False) as partial,
                open(partial, "xb") as file,
            ):
                shutil.copyfileobj(stream, file, _COPIED)
            self._files.append(target)

    def take_back(self) -> None:
        """Remove what was not there before."""
        for file in self._files:
            file.unlink(missing_ok=True)
        for folder in reversed(self._folders):
            with suppress(OSError):
                folder.rmdir()


def _same(stream: Bounded, path: Path, size: int) -> bool:
    if path.stat().st_size != size:
        return False
    with open(path, "rb") as file:
        while part := stream.read(_COPIED):
            if file.read(len(part)) != part:
                return False
    return True
