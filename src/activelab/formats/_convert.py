"""Labels from a file of one format into a file of another, with an account of every row."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from activelab._errors import InputError, unknown
from activelab._whole import whole_file
from activelab.formats._detect import detect_format
from activelab.formats._label_studio import TAGS
from activelab.formats._record import NOTHING, Record, Source
from activelab.formats._registry import FileFormat, get_format
from activelab.formats._spelling import class_notes, folding, meeting
from activelab.formats._spool import Spool
from activelab.formats._tables import looks_wide
from activelab.tables import check_target, naming

SUPERSEDED = "the same annotator labelled the example again later"
NO_LABEL = "the example has no label"
_LISTED = 10_000


@dataclass
class Conversion:
    """What a conversion did.

    Attributes
    ----------
    source, target : str
        Names of the formats.
    read : int
        Labels, and examples without one, that the file holds.
    kept : int
        How many of them are in the new file.
    dropped : Counter of str
        How many are not, by reason.
    rejected : list of (int, str)
        Line (or number of the entry) and reason of those that are wrong; the first 10,000.
    notes : list of str
    """

    source: str
    target: str
    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_records(
    path: str | os.PathLike[str],
    format_: str | None = None,
    *,
    question: str | None = None,
    classes: Sequence[str] = (),
    columns: Mapping[str, str | None] = NOTHING,
    missing: Collection[str] = (),
    several: bool = False,
    notes: list[str] | None = None,
) -> Iterator[Record]:
    """The labels of a file, one after the other, and its examples without labels.

    Parameters
    ----------
    path : path
    format_ : str, optional
        A name of `FORMATS`; by default found by content.
    question : str, optional
        Which of several questions (choices, outputs, attributes, schemes) is meant.
    classes : sequence of str
        Names of classes that a wide matrix knows by number.
    columns : mapping of str to str
        Columns of "example", "annotator" and "label", where they are not recognised.
    missing : collection of str
        Words that stand for a missing label, as a number is written without a point.
    several : bool
        Whether an answer may hold several labels (choices with check boxes, multi-label questions): it is
        then read as a set, ``a|b``, and one without any as the empty set, ``|``.
    notes : list of str, optional
        What is worth knowing is appended to it.

    Yields
    ------
    Record
        In the order of the file; those that cannot be used say why.

    Raises
    ------
    InputError
        If the file cannot be read as what it is; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from activelab.formats import read_records
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "crowd.tsv")
    ...     _ = path.write_text("task\\tworker\\tlabel\\n7\\tann\\tbug\\n")
    ...     [record[:4] for record in read_records(path)]
    [(2, '7', 'ann', 'bug')]
    """
    place = Path(path)
    source = Source(place, question, classes, columns, [] if notes is None else notes, missing, several)
    with naming(place):
        found = get_format(format_ or detect_format(place, columns))
        for one in found.read(source):
            if one.label and one.label in missing:
                yield one._replace(annotator="", label="", left_out=f"{one.label!r} stands for no label")
            else:
                yield one


def convert_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    to: str = "long",
    *,
    from_: str | None = None,
    question: str | None = None,
    classes: Sequence[str] = (),
    columns: Mapping[str, str | None] = NOTHING,
    missing: Collection[str] = (),
    several: bool = False,
    fold: bool = False,
    tag: str | None = None,
) -> Conversion:
    """Write the labels of a file to a file of another format.

    Rows are gathered by example in a temporary file, so that memory does not limit their number. Of several
    labels of one annotator on an example the latest is kept. The new file appears whole or not at all.

    Parameters
    ----------
    source, target : path
    to, from_ : str
        Names of `FORMATS`; ``from_`` is found by content if it is not given.
    question, classes, columns, missing, several
        As in `read_records`; ``classes`` also gives the order of the classes in the new file.
    fold : bool
        Merge classes that differ only in blanks, case or Unicode's normal form: into the most frequent one,
        or the one that ``classes`` has.
    tag : {"choices", "rating", "taxonomy"}, optional
        With ``to="label-studio"``, the tag that the labels are written as answers to, by default choices: a
        rating is a number from 1, a class of a taxonomy a path such as "Animal/Cat".

    Returns
    -------
    Conversion

    Raises
    ------
    InputError
        If the source cannot be read, the ending of the target does not fit the format, or no label is left.
    """
    writer = get_format(to)
    ending = _ending(target, writer)
    if tag is not None and to != "label-studio":
        raise InputError(f"a tag is for files of the format label-studio, not {to}.")
    if tag is not None and tag not in TAGS:
        raise unknown("tag", tag, TAGS)
    check_target(target, (os.fspath(source),))
    with naming(source):
        found = from_ or detect_format(Path(source), columns)
    done = Conversion(get_format(found).name, to)
    records = read_records(
        source,
        found,
        question=question,
        classes=classes,
        columns=columns,
        missing=missing,
        several=several,
        notes=done.notes,
    )
    with Spool(several, tag or TAGS[0]) as pool:
        _fill(pool, records, done)
        unlabelled = pool.count("example") - _labelled(pool)
        if not pool.count("vote"):
            reasons = "; ".join(f"{why} ({n:,})" for why, n in done.dropped.most_common(3))
            raise InputError(f"{source}: there is no label to convert. {reasons or 'It has no rows'}.")
        pool.rename_classes(meeting(pool.classes, classes, fold=fold))
        if fold:
            pool.rename_classes(folding(pool.label_counts()))
        done.notes += class_notes(pool.label_counts(), classes)
        if unlabelled and not writer.holds_unlabelled:
            done.notes.append(f"{unlabelled:,} examples have no label; {to} has no place for them.")
        if to == "wide" and not looks_wide(["", *pool.annotators]):
            done.notes.append("annotators are named like columns of a long table: read it with --from wide.")
        done.kept = pool.count("vote")
        with naming(target), _target(target) as file:
            writer.write(file, pool, ending, classes)
    return done


def _fill(pool: Spool, records: Iterator[Record], done: Conversion) -> None:
    for one in records:
        done.read += 1
        if one.problem:
            done.dropped[_kind(one.problem)] += 1
            if len(done.rejected) < _LISTED:
                done.rejected.append((one.line, one.problem))
            continue
        if one.left_out:
            done.dropped[one.left_out] += 1
            if not one.example:
                continue
            one = one._replace(annotator="")
        elif not one.annotator:
            done.dropped[NO_LABEL] += 1
        pool.add(one)
    if pool.superseded:
        done.dropped[SUPERSEDED] = pool.superseded


def _kind(problem: str) -> str:
    """A reason without the value it was found with."""
    return problem.partition(": ")[0]


def _labelled(pool: Spool) -> int:
    return int(pool.connection.execute("SELECT count(DISTINCT example) FROM vote").fetchone()[0])


def _ending(path: str | os.PathLike[str], writer: FileFormat) -> str:
    name = os.fspath(path).lower().removesuffix(".gz")
    same = {".pq": ".parquet", ".ndjson": ".jsonl"}
    found = same.get(os.path.splitext(name)[1], os.path.splitext(name)[1])
    if found not in writer.endings:
        raise InputError(f"{path}: a file of format {writer.name} ends in {' or '.join(writer.endings)}.")
    if os.fspath(path).lower().endswith(".gz") and found in (".parquet", ".zip"):
        raise InputError(f"{path}: {found} is compressed already; leave out .gz.")
    return found


@contextmanager
def _target(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    with whole_file(path) as file:
        if not os.fspath(path).lower().endswith(".gz"):
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            yield cast(IO[bytes], packed)


def summary_of(done: Conversion) -> dict[str, Any]:
    """The account of a conversion as plain values."""
    return {
        "from": done.source,
        "to": done.target,
        "read": done.read,
        "kept": done.kept,
        "dropped": sum(done.dropped.values()),
        "reasons": dict(done.dropped.most_common()),
        "notes": done.notes,
    }
