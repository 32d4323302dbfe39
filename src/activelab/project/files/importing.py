"""Files into a project: everything is checked before anything is written, and rows that are bad are named."""

from __future__ import annotations

import json
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection

from activelab._errors import InputError
from activelab._set_text import SEPARATOR, names_in
from activelab._typing import Floats
from activelab.formats import (
    EMPTY,
    Record,
    detect_format,
    is_later,
    latest_labels,
    meeting,
    read_records,
    set_of,
)
from activelab.project._project import Project
from activelab.project.content import MEDIA, TEXT, TURNS, read_turns
from activelab.project.labelling.class_history import names_now
from activelab.project.labelling.intake import Asked, Beside, add_abstentions, add_gold, add_labels
from activelab.project.labelling.naming import codes_of_labels, text_of
from activelab.project.labelling.pool import BLOCK, add_examples
from activelab.project.media import media_problem
from activelab.project.settings import load_settings, store_settings
from activelab.project.store.audit import write_audit
from activelab.project.store.database import StorageError
from activelab.project.store.names import check_name
from activelab.tables import (
    LONGEST_ID,
    check_file,
    find_column,
    id_text,
    is_index,
    is_missing,
    naming,
    open_array,
    plain_cell,
    read_pred_probs,
    read_rows,
    row_columns,
)

_NAMED = 10
_TEXT = ("text", "sentence", "content", "body", "document", "review", "message", "question", "comment")
_CHAT = ("messages", "conversation", "chat", "turns")
_FILE = ("file", "path", "filename", "file_name", "filepath")
_COMMON = {"text": _TEXT + _CHAT} | {
    part: (part, *_FILE, *(f"{part}_{name}" for name in ("path", "file"))) for part in MEDIA
}
_HALF = "it holds half a character (a lone surrogate), as text that was cut in the middle of an emoji does"


@dataclass(frozen=True)
class Columns:
    """Columns the user named.

    Attributes
    ----------
    example, annotator, label : str, optional
    text, image, audio, video : str, optional
        What the kind of the project asks for, and what is shown with it.
    show : sequence of str
        Columns that are shown in a table beside that. Of a project of kind table all are.
    """

    example: str | None = None
    text: str | None = None
    image: str | None = None
    annotator: str | None = None
    label: str | None = None
    audio: str | None = None
    video: str | None = None
    show: Sequence[str] = ()


@dataclass
class Imported:
    """What an import did.

    Attributes
    ----------
    examples, labels, abstentions, gold : int
        How many were stored.
    skipped : int
        Examples that are in the project already and were passed over, with ``skip_known``.
    rejected : list of (str, int, str)
        File, line and reason of each row that was left out.
    notes : list of str
        What is worth knowing about the files.
    """

    examples: int = 0
    labels: int = 0
    abstentions: int = 0
    gold: int = 0
    skipped: int = 0
    rejected: list[tuple[str, int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_files(
    project: Project,
    examples: str | os.PathLike[str] | None = None,
    *,
    labels: str | os.PathLike[str] | None = None,
    gold: str | os.PathLike[str] | None = None,
    features: str | os.PathLike[str] | None = None,
    columns: Columns | None = None,
    image_root: str | os.PathLike[str] | None = None,
    leave_out: bool = False,
    skip_known: bool = False,
    label_as: str = "imported",
    missing: Sequence[str] = (),
    fold: bool = False,
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> Imported:
    """Import examples, labels and gold answers from tables: all that is good in them.

    Everything is checked before anything is stored. Examples appear at one stroke, with their gold answers;
    their labels follow in small transactions, so that labelling goes on meanwhile. An import of labels that
    is killed can be repeated, without its examples.

    Parameters
    ----------
    project : Project
    examples, labels, gold : path, optional
        Tables: CSV, Parquet or JSON lines by ending.
    features : path, optional
        ``.npy`` with a row for each row of ``examples``, or a table with a column of ids.
    columns : Columns, optional
    image_root : path, optional
        Folder of images, audio and video, kept in the settings.
    leave_out : bool
        Leave out rows that are bad. Otherwise one is enough to refuse all.
    missing : sequence of str
        Words that stand for a missing label.
    fold : bool
        Take a label for a class that differs only in blanks, case or Unicode's normal form.
    progress : callable
        Called with what is done, how far it is, and the end if that is known.

    Raises
    ------
    InputError
        If a file or a row is bad, with the first ten lines. Nothing was stored.
    """
    columns = columns or Columns()
    done = Imported()
    if features is not None and examples is None:
        raise InputError("features come with the examples they belong to; name the file of the examples too.")
    if features is not None:
        with naming(features):
            check_file(features)
    root = project.settings.image_root if image_root is None else os.path.realpath(image_root)
    if root is not None and not Path(root).is_dir():
        raise InputError(f"{root} is not a folder.")
    votes = None if labels is None else _Votes(project, labels, columns, missing, fold)
    right = None if gold is None else _Gold(project, gold, columns, missing, fold)
    others: list[_Answers] = [one for one in (votes, right) if one is not None]
    pool = None if examples is None else _Pool(project, examples, columns, root)
    if pool is not None:
        # Examples that labels may name without being in the project yet.
        done.rejected += pool.check({name for one in others for name in one.names}, progress)
    known = set() if pool is None else pool.wanted
    for one in others:
        done.rejected += one.check(known)
        done.notes += one.notes
    if done.rejected and not leave_out:
        raise _refusal(done.rejected)
    values = None if features is None or pool is None else _features(features, pool, columns)

    rights = {} if right is None else {e: k for (e, _, _), k in right.labels.items()}
    present = project.example_codes(rights)
    # Nobody is to be asked about a new example before it is known that its answer is known.
    new = {e: k for e, k in rights.items() if e not in present}
    old = {e: k for e, k in rights.items() if e in present}

    def finish(connection: Connection) -> None:
        if root != project.settings.image_root:
            store_settings(connection, load_settings(connection).changed({"image_root": root}))
        if new:
            write_audit(connection, None, "gold answers set", {"count": len(new)})

    if pool is None:
        project.database.write(finish)
    else:
        total, coded = pool.good, codes_of_labels(project.database, new.values())
        done.examples = add_examples(
            project.database,
            pool.rows(),
            values,
            lambda n: progress("Importing examples", n, total),
            finish,
            {e: coded.labels[k] for e, k in new.items()},
            coded.version,
        )
        done.gold = len(new)
    labelled = {} if votes is None else votes.labels

    def tell(what: str, total: int) -> Callable[[int], None]:
        return lambda n: progress(what, min(n, total), total)

    try:
        if old:
            add_gold(project.database, old, progress=tell("Importing gold answers", len(old)))
            done.gold += len(old)
        if votes is not None:
            counts = add_labels(
                project.database,
                labelled,
                progress=tell("Importing labels", len(labelled)),
                beside=votes.beside,
            )
            done.labels = sum(counts)
            done.abstentions = add_abstentions(project.database, votes.abstained) if votes.abstained else 0
    except StorageError as error:
        there = f"The {done.examples:,} examples are imported. " if pool is not None else ""
        raise StorageError(
            f"{error} {there}Import the labels alone again: those stored already are not stored twice."
        ) from error
    project.refresh(0)
    return done


def _refusal(rejected: list[tuple[str, int, str]]) -> InputError:
    shown = "; ".join(f"{file}, line {line}: {why}" for file, line, why in rejected[:_NAMED])
    more = f"; and {len(rejected) - _NAMED:,} more" if len(rejected) > _NAMED else ""
    count = f"{len(rejected):,} rows are" if len(rejected) > 1 else "a row is"
    return InputError(f"{count} bad, nothing was imported. {shown}{more}.", advice="leave_out")


# ---------------------------------------------------------------------- examples


class _Pool:
    """The examples of a file, read twice: once to check them, once to store them."""

    def __init__(
        self, project: Project, path: str | os.PathLike[str], columns: Columns, root: str | None
    ) -> None:
        self.project, self.path, self.root = project, path, root
        self.kind = project.settings.kind
        with naming(path):
            names = row_columns(path)
            parts = {str(name): part for part in (TEXT, *MEDIA) if (name := getattr(columns, part))}
            for name in (*parts, *columns.show):
                if name not in names:
                    raise _no_column(name, names)
            self.parts, self.show = parts, [name for name in columns.show if name not in parts]
            if self.kind == "table":
                self.id = _id_column(names, columns.example)
                if len(names) == 1:
                    raise InputError("the table has no column besides the ids.")
                self.parts = {name: name for name in MEDIA if name in names} | parts
            else:
                rest = [name for name in names if parts.get(name, self.kind) == self.kind]
                rest = [name for name in rest if name not in columns.show or name == columns.example]
                chosen, common = getattr(columns, self.kind), _COMMON[self.kind]
                self.id, self.column = _id_and_content(rest, columns.example, self.kind, chosen, common)
                self.id = self.id or (self.column if self.kind in MEDIA else "")
                self.parts = {self.column: self.kind} | parts
            if root is None and set(self.parts.values()) & set(MEDIA):
                raise InputError("media need the folder they are in.", advice="image_root")
        self._checked = False
        self._broken: dict[tuple[str, str], str] = {}
        self.good = 0
        self.wanted: set[str] = set()
        self._twice: set[int] = set()
        self._there: set[str] = set()

    def check(
        self, wanted: set[str], progress: Callable[[str, int, int | None], None]
    ) -> list[tuple[str, int, str]]:
        """The bad rows; remembers which ids occur twice, are there already, or are wanted by others."""
        hashes, block = array("q"), list[str]()
        bad: list[tuple[str, int, str]] = []
        self.good = 0
        for at, (line, name, _, problem) in enumerate(self._rows()):
            if at % BLOCK == 0:
                progress("Checking examples", at, None)
            if problem:
                bad.append((os.fspath(self.path), line, problem))
                continue
            self.good += 1
            hashes.append(hash(name))
            block.append(name)
            if len(block) == BLOCK:
                self._look_up(block, wanted)
                block = []
        self._checked = True
        self._look_up(block, wanted)
        if not self.good and not bad:
            raise InputError("the table is empty: there is no row of data.", file=self.path)
        values, counts = np.unique(np.frombuffer(hashes, dtype=np.int64), return_counts=True)
        self._twice = set(values[counts > 1].tolist())
        if self._twice or self._there:
            rows = [(line, problem) for line, _, _, problem in self._all_rows() if problem]
            self.good += len(bad) - len(rows)
            bad = [(os.fspath(self.path), line, problem) for line, problem in rows]
        return bad

    def _look_up(self, names: list[str], wanted: set[str]) -> None:
        self.wanted.update(wanted.intersection(names))
        if self.project.num_examples:
            self._there.update(self.project.example_codes(names))

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Ids and contents of the good rows."""
        return ((name, content) for _, name, content, problem in self._all_rows() if not problem)

    def positions(self) -> list[int]:
        """Which rows of the file are good."""
        return [at for at, row in enumerate(self._all_rows()) if not row[3]]

    def _all_rows(self) -> Iterator[tuple[int, str, dict[str, Any], str]]:
        seen: dict[str, int] = {}
        for line, name, content, problem in self._rows():
            if not problem and name in self._there:
                problem = f"example {name!r} is in the project already"
            elif not problem and hash(name) in self._twice:
                if name in seen:
                    problem = f"example {name!r} is in line {seen[name]} already"
                seen.setdefault(name, line)
            yield line, name, content, problem

    def _rows(self) -> Iterator[tuple[int, str, dict[str, Any], str]]:
        first = self.project.num_examples + 1
        for at, (line, values, problem) in enumerate(read_rows(self.path)):
            if problem:
                yield line, "", {}, problem
                continue
            name = id_text(values.get(self.id), LONGEST_ID) if self.id else str(first + at)
            if name is None:
                yield line, "", {}, _no_name(self.id, "id", values.get(self.id))
                continue
            content, problem = self._content(values)
            yield line, name, content, problem

    def _content(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        content: dict[str, Any] = {}
        for column, part in self.parts.items():
            value, needed = values.get(column), self.kind == part
            if not needed and (is_missing(value) or value == ""):
                continue
            name, value, problem = self._part(column, part, value)
            if problem:
                return {}, problem
            content[name] = value
        beside = values if self.kind == "table" else self.show
        left_out = {self.id, *self.parts}
        content |= {name: plain_cell(values.get(name)) for name in beside if name not in left_out}
        return content, "" if _encodable(json.dumps(content, ensure_ascii=False)) else _HALF

    def _part(self, column: str, part: str, value: Any) -> tuple[str, Any, str]:
        """The name and value of a part in the content, and what is wrong with it."""
        if part in MEDIA:
            if not isinstance(value, str) or not value:
                return part, None, f"column {column!r} names no {part}"
            if not self._checked and (problem := media_problem(str(self.root), value, part)):
                self._broken[part, value] = problem
            return part, value, self._broken.get((part, value), "")
        chat = column.strip().casefold() in _CHAT and isinstance(value, str) and value.lstrip()[:1] == "["
        if isinstance(value, list) or chat:
            try:
                return TURNS, read_turns(value), ""
            except InputError as error:
                return TURNS, None, f"column {column!r} {error}"
        if not isinstance(value, str) or not value.strip():
            return part, None, f"column {column!r} holds no text"
        return part, value, f"column {column!r} holds a zero byte" if "\0" in value else ""


def _no_column(name: str, names: Sequence[str]) -> InputError:
    return InputError(f"no column {name!r}; the file has: {', '.join(map(repr, names))}.")


def _id_column(names: list[str], chosen: str | None) -> str:
    """The column of the ids; one that is called so, among others that could also be it."""
    if chosen is None and "example" not in names:
        plain = [name for name in names if name.strip().casefold() == "id"]
        if len(plain) == 1:
            return plain[0]
    return find_column(names, "example", chosen)


def _id_and_content(
    names: list[str], id_: str | None, role: str, chosen: str | None, common: tuple[str, ...]
) -> tuple[str, str]:
    """The columns of the ids and of the contents, of which the one helps to tell the other.

    The first is empty if there are only contents.
    """
    if chosen is not None:
        if chosen not in names:
            raise _no_column(chosen, names)
        found = [chosen]
    else:
        candidates = [name for name in names if name != id_]
        found = [name for word in common for name in candidates if name.strip().casefold() == word]
    rest = [name for name in names if name != (found or [""])[0] and not is_index(name)]
    if found and id_ is None and not rest:
        return "", found[0]
    if found:
        return _id_column([name for name in names if name != found[0]], id_), found[0]
    identity = _id_column(names, id_)
    rest = [name for name in names if name != identity]
    if len(rest) == 1:
        return identity, rest[0]
    raise InputError(
        f"which column is the {role}? There are: {', '.join(map(repr, rest))}.", column=role, advice="content"
    )


def _no_name(column: str, role: str, value: Any) -> str:
    if value is None or not str(value).strip() or value != value:
        return f"column {column!r} holds no {role}"
    shown = str(value)[:50]
    return f"column {column!r} holds no {role} of at most {LONGEST_ID} characters: {shown!r}"


def _name_problem(annotator: str) -> str:
    try:
        check_name(annotator)
    except InputError as error:
        return f"the annotator {error}".rstrip(".")
    return ""


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# ---------------------------------------------------------------------- labels and features


class _Row(NamedTuple):
    """A label of a file, the class that was asked about if only one was, and what is wrong with it."""

    line: int
    example: str | None = None
    label: str | None = None
    annotator: str | None = None
    problem: str = ""
    asked: str | None = None


class _Answers:
    """Labels or gold answers of a file."""

    def __init__(
        self,
        project: Project,
        path: str | os.PathLike[str],
        columns: Columns,
        missing: Sequence[str],
        fold: bool,
    ) -> None:
        self.project, self.path, self.fold = project, path, fold
        self.read: list[_Row] = []
        self.notes: list[str] = []
        left_out = self._read(columns, missing)
        if left_out:
            reasons = "; ".join(f"{why} ({n:,})" for why, n in left_out.most_common(3))
            self.notes.append(f"{path}: {left_out.total():,} answers are no labels: {reasons}.")
        if not self.read and not left_out:
            raise InputError("the table is empty: there is no row of data.", file=path)
        if not self.read:
            raise InputError(f"it holds no label: {reasons}.", file=path)

    def _read(self, columns: Columns, missing: Sequence[str]) -> Counter[str]:
        """Fill ``read``; how many answers are no labels, by reason."""
        raise NotImplementedError

    @property
    def names(self) -> set[str]:
        """The examples that are named."""
        return {row.example for row in self.read if row.example is not None}

    def check(self, new: set[str]) -> list[tuple[str, int, str]]:
        """The bad rows; ``new`` are examples that are imported with them."""
        there = self.project.example_codes(self.names - new)
        classes = set(self.project.settings.classes)
        if not classes:
            raise InputError("the project has no classes yet; name them: activelab settings classes=a,b,c")
        checked, bad = [], []
        several = self.project.settings.several
        parts = {
            str(row.label): names_in(str(row.label)) if several else [str(row.label)] for row in self.read
        }
        names = dict.fromkeys(name for some in parts.values() for name in some)
        names |= dict.fromkeys(row.asked for row in self.read if row.asked is not None)
        same = meeting(names, self.project.settings.classes, fold=self.fold)
        renamed, gone = self._former(same.get(name, name) for name in names)
        same |= {name: renamed[now] for name in names if (now := same.get(name, name)) in renamed}
        for row in self.read:
            named = [*dict.fromkeys(same.get(name, name) for name in parts[str(row.label)])]
            asked = None if row.asked is None else same.get(row.asked, row.asked)
            problem, label = row.problem, row.label
            if not problem and row.example not in new and row.example not in there:
                problem = f"there is no example {row.example!r}"
            strange = [name for name in (*named, asked) if name is not None and name not in classes]
            if not problem and strange:
                problem = gone.get(strange[0], f"{strange[0]!r} is none of the project's classes").rstrip(".")
            if label is not None:
                label = text_of(named) if several else named[0]
            if problem:
                bad.append((os.fspath(self.path), row.line, problem))
            checked.append(row._replace(label=label, asked=asked, problem=problem))
        self.read = checked
        return bad

    def _former(self, names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
        """What classes with a former name are called now, and why others are none any more."""
        found = self.project.database.read(lambda c: names_now(c, names, self.project.settings.classes))
        if found[0]:
            said = ", ".join(f"{old!r} as {now!r}" for old, now in found[0].items())
            self.notes.append(f"{self.path}: classes that were changed count as they are now: {said}.")
        return found

    @property
    def labels(self) -> dict[Asked, str]:
        """The labels of the good rows."""
        return {
            (str(row.example), str(row.annotator), row.asked): str(row.label)
            for row in self.read
            if not row.problem
        }


class _Votes(_Answers):
    """Labels, in a table or a file of another tool; the latest of an annotator on an example counts.

    A table may say in a column ``asked`` which classes of several a label is about; each is a label then.

    Attributes
    ----------
    abstained : list of (str, str, str or None)
        Example, annotator and the class that was asked about, of rows without a label that say so in a column
        ``abstained``.
    beside : dict
        What columns ``note``, ``flagged`` and ``bulk`` say of labels.
    """

    abstained: Sequence[Asked] = ()
    beside: Mapping[Asked, Beside] = MappingProxyType({})

    def _read(self, columns: Columns, missing: Sequence[str]) -> Counter[str]:
        named = {role: getattr(columns, role) for role in ("example", "annotator", "label")}

        about = {one.line: one for one in _beside(self.path, named)}
        single: dict[Asked, tuple[Record, str]] = {}  # of answers about some classes

        def usable() -> Iterator[Record]:
            for one in read_records(
                self.path,
                columns=named,
                missing=missing,
                notes=self.notes,
                several=self.project.settings.several,
            ):
                problem = one.problem or _unfit(one.example, one.annotator)
                asked = self._asked(about.get(one.line))
                if asked and one.label and not problem:
                    chosen = names_in(one.label)
                    strange = [name for name in chosen if name not in asked]
                    problem = f"the label names {strange[0]!r}, which was not asked" if strange else ""
                    for name in () if problem else asked:
                        before = single.get((one.example, one.annotator, name))
                        if before is None or not is_later(before[0].time, one.time):
                            label = name if name in chosen else SEPARATOR
                            single[one.example, one.annotator, name] = one, label
                if problem:
                    self.read.append(_Row(one.line, problem=problem))
                elif not asked or not one.label:
                    yield one

        latest, left_out = latest_labels(usable())
        abstained = [one for one in about.values() if one.abstained]
        self.abstained = [
            (one.example, one.annotator, name)
            for one in abstained
            for name in (*self._asked(one),) or (None,)
            if (one.example, one.annotator) not in latest and (one.example, one.annotator, name) not in single
        ]
        if self.abstained:
            left_out[EMPTY] -= min(len(abstained), left_out[EMPTY])
            left_out += Counter()
        rows: dict[Asked, int] = {(e, a, None): line for (e, a), (_, _, line) in latest.items()}
        rows |= {(e, a, name): one.line for (e, a, name), (one, _) in single.items()}
        self.beside = {
            key: about[line].beside
            for key, line in rows.items()
            if line in about and about[line].beside != Beside()
        }
        self.read += [_Row(line, e, label, a) for (e, a), (label, _, line) in latest.items()]
        self.read += [
            _Row(one.line, e, label, a, asked=name) for (e, a, name), (one, label) in single.items()
        ]
        self.notes = [
            note if note.startswith(str(self.path)) else f"{self.path}: {note}" for note in self.notes
        ]
        return left_out

    def _asked(self, row: _More | None) -> list[str]:
        """The classes that a row is about; none if it is about all, as always where one class is right."""
        if row is None or not self.project.settings.several:
            return []
        asked = names_in(row.asked)
        return [] if {*asked} == {*self.project.settings.classes} else asked


class _More(NamedTuple):
    """What a row of a table says beside its label."""

    line: int
    example: str
    annotator: str
    abstained: bool
    asked: str
    beside: Beside


def _beside(path: str | os.PathLike[str], columns: Mapping[str, str | None]) -> Iterator[_More]:
    """What the columns ``abstained``, ``asked``, ``note``, ``flagged`` and ``bulk`` of a table say."""
    told = {"abstained", "asked", *Beside._fields} - {*columns.values()}
    if detect_format(path, columns) != "long" or not told & {*(names := row_columns(path))}:
        return
    who, of = (find_column(names, role, columns.get(role)) for role in ("annotator", "example"))
    for line, values, problem in read_rows(path):
        abstained, flagged, many = (_is_true(values.get(name)) for name in ("abstained", "flagged", "bulk"))
        note = None if "note" not in told or is_missing(values.get("note")) else str(values["note"])
        beside = Beside(note, flagged and "flagged" in told, many and "bulk" in told)
        asked = values.get("asked")
        asked = set_of(asked)[0] if isinstance(asked, list) else "" if is_missing(asked) else str(asked)
        pair = id_text(values.get(of)), id_text(values.get(who))
        if not problem and (abstained or asked or beside != Beside()) and None not in pair:
            yield _More(line, str(pair[0]), str(pair[1]), abstained, asked, beside)


def _is_true(value: Any) -> bool:
    return str(value).casefold() in ("true", "yes", "1")


class _Gold(_Answers):
    """Gold answers, one row an example."""

    def _read(self, columns: Columns, missing: Sequence[str]) -> Counter[str]:
        with naming(self.path):
            names = row_columns(self.path)
            key, answer = _id_column(names, columns.example), find_column(names, "label", columns.label)
        left_out = Counter[str]()
        for line, values, problem in read_rows(self.path):
            right = values.get(answer)
            if self.project.settings.several and isinstance(right, list) and not problem:
                right, problem = set_of(right)
            example, label = id_text(values.get(key), LONGEST_ID), id_text(right)
            if not problem and example is None:
                problem = _no_name(key, "example", values.get(key))
            if not problem and (is_missing(right) or label in missing):
                left_out["the label is empty"] += 1
                continue
            if not problem and label is None:
                problem = _no_name(answer, "label", right)
            self.read.append(_Row(line, example, label, "", problem))
        return left_out


def _unfit(example: str, annotator: str) -> str:
    if len(example) > LONGEST_ID:
        return f"the id of the example is longer than {LONGEST_ID} characters: {example[:50]!r}"
    return _name_problem(annotator) if annotator else ""


def _features(path: str | os.PathLike[str], pool: _Pool, columns: Columns) -> Floats:
    """Features of the good rows, in their order."""
    if os.fspath(path).lower().endswith(".npy"):
        with naming(path):
            values: Floats = open_array(path)
            positions = pool.positions()
            total = sum(1 for _ in read_rows(pool.path))
            if values.ndim != 2 or len(values) != total:
                raise InputError(f"{pool.path} has {total:,} rows; the array has shape {values.shape}.")
            return values if len(positions) == total else values[positions]
    table = read_pred_probs(path, columns.example)
    rows = {str(name): at for at, name in enumerate(table["example"].to_pylist())}
    with naming(path):
        names = [name for name, _ in pool.rows()]
        missing = [name for name in names if name not in rows]
        if missing:
            raise InputError(f"example {missing[0]!r} has no row of features ({len(missing):,} have none).")
        order = np.array([rows[name] for name in names], dtype=np.int64)
        return np.column_stack([table[name].to_numpy()[order] for name in table.column_names[1:]])
