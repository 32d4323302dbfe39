"""Files into a project: everything is checked before anything is written, and rows that are bad are named."""

from __future__ import annotations

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

from activelab._errors import InputError, counted
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
    record,
    seconds_of,
    set_of,
)
from activelab.project._project import Project
from activelab.project.content import MEDIA
from activelab.project.files.columns import Columns as Columns
from activelab.project.files.columns import Roles, find_roles, no_column, one_annotator
from activelab.project.files.examples import ExampleRow, Examples, content_id, no_name
from activelab.project.files.sources import Source, Unpacked, open_source
from activelab.project.labelling.class_history import names_now
from activelab.project.labelling.companions import add_examples
from activelab.project.labelling.intake import Asked, Beside, add_abstentions, add_gold, add_labels
from activelab.project.labelling.naming import codes_of_labels, text_of
from activelab.project.labelling.pool import BLOCK
from activelab.project.settings import load_settings, store_settings
from activelab.project.store.audit import write_audit
from activelab.project.store.database import StorageError
from activelab.project.store.names import check_name
from activelab.tables import (
    LONGEST_ID,
    check_file,
    find_column,
    id_text,
    is_missing,
    naming,
    open_array,
    read_pred_probs,
    read_rows,
    row_columns,
)

_NAMED = 10
_GOOD, _BAD, _KNOWN, _REPEATED = range(4)
_THERE = "is in the project already"


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
    """Import examples, labels and gold answers from files: all that is good in them.

    Everything is checked before anything is stored. Examples appear at one stroke, with their gold answers;
    their labels follow in small transactions, so that labelling goes on meanwhile. An import of labels that
    is killed can be repeated, without its examples.

    Examples whose source has no column of ids are called by what they hold (`content_id`), media by their
    path below the folder; what such a source says twice is one example.

    Parameters
    ----------
    project : Project
    examples : path, optional
        A table (CSV, TSV, Parquet, JSON or JSON lines by ending), a ``.txt`` with a text a line, a folder of
        images, audio or video, or a ``.zip`` of them, which is unpacked into ``image_root``.
    labels, gold : path, optional
        Tables, or files of other tools. ``labels`` may be the table of the examples: a row is a label then,
        its example stored once. Without a column of annotators all are those of ``label_as``.
    features : path, optional
        ``.npy`` with a row for each row of ``examples``, or a table with a column of ids.
    columns : Columns, optional
    image_root : path, optional
        Folder of images, audio and video, kept in the settings. Of a folder of examples it is that itself.
    leave_out : bool
        Leave out rows that are bad. Otherwise one is enough to refuse all.
    skip_known : bool
        Pass over examples whose ids are in the project already; otherwise they are bad rows.
    label_as : str
        The annotator of labels in the table of the examples that names none.
    missing : sequence of str
        Words that stand for a missing label.
    fold : bool
        Take a label for a class that differs only in blanks, case or Unicode's normal form.
    progress : callable
        Called with what is done, how far it is, and the end if that is known.

    Raises
    ------
    InputError
        If a file or a row is bad, with the first ten lines. Nothing was stored, nothing is unpacked.
    """
    columns = columns or Columns()
    if features is not None and examples is None:
        raise InputError("features come with the examples they belong to; name the file of the examples too.")
    if features is not None:
        with naming(features):
            check_file(features)
    source = None if examples is None else open_source(examples, project.settings.kind)
    chosen = project.settings.image_root if image_root is None else os.fspath(image_root)
    root, unpacked = _media_of(source, chosen)
    try:
        return _import(
            project, source, labels, gold, features, columns, root, leave_out, skip_known, label_as, missing,
            fold, progress,
        )  # fmt: skip
    except BaseException:
        if unpacked is not None:
            unpacked.take_back()
        raise


def check_answers(
    project: Project, path: str | os.PathLike[str], *, gold: bool, columns: Columns | None = None
) -> tuple[Imported, list[str]]:
    """What `import_files` would make of a file of labels or gold answers; nothing is stored.

    Returns
    -------
    done : Imported
    classes : list of str
        Those that are named, as the project calls them.

    Raises
    ------
    InputError
        If the file cannot be read, or the project has no classes yet.
    """
    kind = _Gold if gold else _Votes
    read = kind(project, path, columns or Columns(), (), False)
    done = Imported(rejected=read.check(set()))
    labels = read.labels
    done.notes = read.notes
    done.gold, done.labels = (len(labels), 0) if gold else (0, len(labels))
    done.abstentions = len(read.abstained) if isinstance(read, _Votes) else 0
    return done, [*dict.fromkeys(labels.values())]


def _media_of(source: Source | None, root: str | None) -> tuple[str | None, Unpacked | None]:
    """The folder of media, and what was unpacked into it."""
    if source is not None and source.form == "archive":
        if root is None:
            raise InputError("the archive is unpacked into a folder of media.", advice="image_root")
        unpacked = Unpacked(source, root)
        return os.fspath(unpacked.root), unpacked
    if root is not None:
        root = os.path.realpath(root)
        if not Path(root).is_dir():
            raise InputError(f"{root} is not a folder.")
    if source is not None and source.form == "folder":
        root = os.path.realpath(source.path) if root is None else root
        source.move_below(root)
    return root, None


def _import(
    project: Project,
    source: Source | None,
    labels: str | os.PathLike[str] | None,
    gold: str | os.PathLike[str] | None,
    features: str | os.PathLike[str] | None,
    columns: Columns,
    root: str | None,
    leave_out: bool,
    skip_known: bool,
    label_as: str,
    missing: Sequence[str],
    fold: bool,
    progress: Callable[[str, int, int | None], None],
) -> Imported:
    done = Imported()
    inside = source is not None and labels is not None and _is_in(labels, source, columns)
    votes = None if labels is None or inside else _Votes(project, labels, columns, missing, fold)
    right = None if gold is None else _Gold(project, gold, columns, missing, fold)
    pool = None
    if source is not None:
        with naming(source.path):
            roles = find_roles(source, project.settings.kind, columns, root=root, labels=inside)
            if root is None and {*roles.parts.values()} & {*MEDIA}:
                raise InputError("media need the folder they are in.", advice="image_root")
        pool = _Pool(project, source, roles, root, skip_known, inside)
        # Examples that labels may name without being in the project yet.
        wanted = {name for one in (votes, right) if one is not None for name in one.names}
        done.rejected += pool.check(wanted, progress)
        done.skipped = pool.skipped
        done.notes += [*source.notes, *(f"{source.path}: {note}" for note in roles.notes)]
        if pool.repeated and not inside:
            said = counted(pool.repeated, "row")
            done.notes.append(f"{source.path}: {said} left out that say again what one before them says.")
    if inside and pool is not None:
        votes = _Inside(project, pool, label_as, columns, missing, fold)
    others: list[_Answers] = [one for one in (votes, right) if one is not None]
    known = set() if pool is None else pool.wanted
    for one in others:
        done.rejected += one.check(one.names if isinstance(one, _Inside) else known)
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


def _is_in(labels: str | os.PathLike[str], source: Source, columns: Columns) -> bool:
    """Whether labels are columns of the table of the examples, rather than in a format of their own."""
    if source.form != "table" or os.path.realpath(labels) != os.path.realpath(source.path):
        return False
    named = {role: getattr(columns, role) or None for role in ("example", "annotator", "label")}
    return detect_format(labels, named) == "long"


def _refusal(rejected: list[tuple[str, int, str]]) -> InputError:
    shown = "; ".join(f"{bad_place(file, line)}: {why}" for file, line, why in rejected[:_NAMED])
    more = f"; and {len(rejected) - _NAMED:,} more" if len(rejected) > _NAMED else ""
    count = f"{len(rejected):,} rows are" if len(rejected) > 1 else "a row is"
    known = all(why.endswith(_THERE) for _, _, why in rejected)
    return InputError(
        f"{count} bad, nothing was imported. {shown}{more}.", advice="skip_known" if known else "leave_out"
    )


def bad_place(file: str, line: int) -> str:
    """Where a bad row is, in words; files of media have no line."""
    return f"{file}, line {line}" if line else file


# ---------------------------------------------------------------------- examples


class _Pool:
    """The examples of a source, read twice: once to check them, once to store them.

    Attributes
    ----------
    good, skipped, repeated : int
        Rows that are stored, that are in the project already, and that say again what a row before them said.
    """

    def __init__(
        self,
        project: Project,
        source: Source,
        roles: Roles,
        root: str | None,
        skip_known: bool,
        labelled: bool,
    ) -> None:
        self.project, self.path, self.roles = project, source.path, roles
        self.examples = Examples(source, roles, root)
        self.skip_known = skip_known
        # An example may have a row for each of its labels, and what has no id is what it holds.
        self.may_repeat = labelled or not roles.example
        self.good = self.skipped = self.repeated = 0
        self.wanted: set[str] = set()
        self._fates = bytearray()  # of each row, by its place

    def check(
        self, wanted: set[str], progress: Callable[[str, int, int | None], None]
    ) -> list[tuple[str, int, str]]:
        """The bad rows; what becomes of each row is known then, and which examples are wanted by others."""
        hashes, block, begin = array("q"), list[str](), 0
        bad: list[tuple[str, int, str]] = []
        for at, row in enumerate(self.examples.rows()):
            if at % BLOCK == 0:
                progress("Checking examples", at, None)
                self._look_up(block, begin, wanted)
                block, begin = [], at
            self._fates.append(_BAD if row.problem else _GOOD)
            block.append("" if row.problem else row.name)
            if row.problem:
                bad.append((os.fspath(self.path), row.line, row.problem))
            else:
                hashes.append(hash(row.name))
        self.examples.all_checked()
        self._look_up(block, begin, wanted)
        if not self._fates:
            raise InputError("the table is empty: there is no row of data.", file=self.path)
        values, counts = np.unique(np.frombuffer(hashes, dtype=np.int64), return_counts=True)
        twice = {*values[counts > 1].tolist()}
        if twice or (_KNOWN in self._fates and not self.skip_known):
            bad = self._check_names(twice)
        count = Counter(self._fates)
        self.good, self.repeated = count[_GOOD], count[_REPEATED]
        self.skipped = count[_KNOWN] if self.skip_known else 0
        return bad

    def _look_up(self, names: list[str], begin: int, wanted: set[str]) -> None:
        self.wanted.update(wanted.intersection(names))
        if not self.project.num_examples:
            return
        there = self.project.example_codes([*filter(None, names)])
        for at, name in enumerate(names, start=begin):
            if name in there:
                self._fates[at] = _KNOWN

    def _check_names(self, twice: set[int]) -> list[tuple[str, int, str]]:
        """The bad rows, those included whose example is there already, in the project or the source."""
        seen: dict[str, tuple[int, bytes]] = {}
        bad = []
        for at, row in enumerate(self.examples.rows()):
            problem = row.problem
            if not problem and hash(row.name) in twice:
                said = b"" if not self.may_repeat else content_id(row.content).encode()
                line, before = seen.setdefault(row.name, (row.line, said))
                if line != row.line and said == before and self.may_repeat:
                    self._fates[at] = _REPEATED
                    continue
                if line != row.line:
                    other = ", with another content" if self.may_repeat else ""
                    problem = f"example {row.name!r} is in line {line} already{other}"
                    self._fates[at] = _BAD
            if not problem and self._fates[at] == _KNOWN and not self.skip_known:
                problem = f"example {row.name!r} {_THERE}"
            if problem:
                bad.append((os.fspath(self.path), row.line, problem))
        return bad

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Ids and contents of the rows that are stored."""
        for row, fate in zip(self.examples.rows(), self._fates, strict=False):
            if fate == _GOOD:
                yield row.name, row.content

    @property
    def num_rows(self) -> int:
        """Rows of the source."""
        return len(self._fates)

    def positions(self) -> list[int]:
        """Which rows of the source are stored."""
        return [at for at, fate in enumerate(self._fates) if fate == _GOOD]

    def labelled_rows(self) -> Iterator[ExampleRow]:
        """The rows whose example is stored, or is there already, for the labels they hold."""
        return (row for row, fate in zip(self.examples.rows(), self._fates, strict=False) if fate != _BAD)


def _id_column(names: list[str], chosen: str | None) -> str:
    """The column of the ids; one that is called so, among others that could also be it."""
    plain = [name for name in names if name.strip().casefold() == "id"]
    if not chosen and "example" not in names and len(plain) == 1:
        return plain[0]
    return find_column(names, "example", chosen or None)


def _name_problem(annotator: str) -> str:
    try:
        check_name(annotator)
    except InputError as error:
        return f"the annotator {error}".rstrip(".")
    return ""


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
        about = {one.line: one for one in self._more(columns)}
        single: dict[Asked, tuple[Record, str]] = {}  # of answers about some classes

        def usable() -> Iterator[Record]:
            for one in self._records(columns, missing):
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

    def _records(self, columns: Columns, missing: Sequence[str]) -> Iterator[Record]:
        """The rows of the file as labels."""
        return read_records(
            self.path,
            columns=_roles_of_labels(columns),
            missing=missing,
            notes=self.notes,
            several=self.project.settings.several,
        )

    def _more(self, columns: Columns) -> Iterator[_More]:
        """What the columns ``abstained``, ``asked``, ``note``, ``flagged`` and ``bulk`` of a table say."""
        named = _roles_of_labels(columns)
        names = row_columns(self.path) if detect_format(self.path, named) == "long" else []
        if not (told := _told(names, [*named.values()])):
            return
        who, of = (find_column(names, role, named[role]) for role in ("annotator", "example"))
        for line, values, problem in read_rows(self.path):
            if not problem:
                yield from _beside(line, id_text(values.get(of)), id_text(values.get(who)), values, told)

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


class _Inside(_Votes):
    """Labels in the table of the examples they are of."""

    def __init__(
        self,
        project: Project,
        pool: _Pool,
        label_as: str,
        columns: Columns,
        missing: Sequence[str],
        fold: bool,
    ) -> None:
        if not pool.roles.label:
            raise no_column(columns.label or "label", pool.examples.source.columns)
        check_name(label_as)
        self.pool, self.label_as = pool, label_as
        super().__init__(project, pool.path, columns, missing, fold)
        if not pool.roles.annotator:
            self.notes.append(f"{pool.path}: {one_annotator(label_as)}")

    def _records(self, columns: Columns, missing: Sequence[str]) -> Iterator[Record]:
        roles, several = self.pool.roles, self.project.settings.several
        names = roles.example or "example", roles.annotator or "annotator", roles.label
        for row in self.pool.labelled_rows():
            label, problem = row.values.get(roles.label), ""
            if several and isinstance(label, list):
                label, problem = set_of(label)
            who = self._annotator(row)
            if problem:
                yield Record(row.line, problem=problem)
            elif is_missing(label) and (is_missing(who) or not roles.annotator):
                continue
            elif id_text(label) in missing:
                yield Record(row.line, row.name, left_out=f"{label!r} stands for no label")
            else:
                time = seconds_of(row.values["time"]) if "time" in row.values else None
                yield record(row.line, row.name, who, label, time=time, names=names)

    def _more(self, columns: Columns) -> Iterator[_More]:
        roles = self.pool.roles
        used = [roles.example, roles.annotator, roles.label, *roles.parts, *roles.show]
        if told := _told(self.pool.examples.source.columns, used):
            for row in self.pool.labelled_rows():
                yield from _beside(row.line, row.name, id_text(self._annotator(row)), row.values, told)

    def _annotator(self, row: ExampleRow) -> Any:
        return row.values.get(self.pool.roles.annotator) if self.pool.roles.annotator else self.label_as


def _roles_of_labels(columns: Columns) -> dict[str, str | None]:
    return {role: getattr(columns, role) or None for role in ("example", "annotator", "label")}


def _told(names: Sequence[str], used: Sequence[str | None]) -> set[str]:
    """The columns that say something beside the label."""
    return ({"abstained", "asked", *Beside._fields} - {*used}) & {*names}


def _beside(
    line: int, example: str | None, annotator: str | None, values: Mapping[str, Any], told: set[str]
) -> Iterator[_More]:
    """What a row says beside its label, if it says anything."""
    abstained, flagged, many = (
        name in told and _is_true(values.get(name)) for name in ("abstained", "flagged", "bulk")
    )
    note = None if "note" not in told or is_missing(values.get("note")) else str(values["note"])
    beside = Beside(note, flagged, many)
    asked = values.get("asked") if "asked" in told else None
    asked = set_of(asked)[0] if isinstance(asked, list) else "" if is_missing(asked) else str(asked)
    if (abstained or asked or beside != Beside()) and example is not None and annotator is not None:
        yield _More(line, example, annotator, abstained, asked, beside)


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
                problem = no_name(key, "example", values.get(key))
            if not problem and (is_missing(right) or label in missing):
                left_out["the label is empty"] += 1
                continue
            if not problem and label is None:
                problem = no_name(answer, "label", right)
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
            total = pool.num_rows
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
