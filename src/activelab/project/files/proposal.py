"""What a file would be as a project: its kind, its columns and its classes, guessed from a part of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from activelab._errors import InputError, counted, unknown
from activelab.formats import detect_format, read_records
from activelab.project.content import MEDIA
from activelab.project.files.columns import SAMPLE, Columns, Roles, find_roles, is_below, one_annotator
from activelab.project.files.examples import Examples, content_id
from activelab.project.files.sources import Source, open_source
from activelab.project.settings import KINDS
from activelab.tables import id_text, is_missing, whole_numbers, without_point

MOST_CLASSES = 1_000
"""More different labels are taken for something else."""

MOST_ROWS = 1_000_000
"""Rows that are counted."""

_SHOWN = 5
_MEDIA_SAMPLE = 50  # files that are opened
_FEW = 20  # labels from which on it can be said that they repeat


@dataclass(frozen=True)
class Proposal:
    """What `import_files` would make of a source, and what it would refuse.

    Attributes
    ----------
    kind : {"text", "image", "audio", "video", "table"}
        As `Settings.kind`.
    columns : Columns
        The roles of the columns, to be given to `import_files`. ``example=""`` means that ids are made of the
        content; other roles that nothing plays are None. Of sources without columns all are None.
    names : tuple of str
        The columns there are; empty for texts, folders and archives.
    classes : tuple of str
        The labels there are, the most frequent first; empty if there are none, more than 1,000, or nearly one
        a row.
    num_rows : int
        Rows of the table, lines of the text that are not blank, files of the folder or archive; of more than
        a million rows that many.
    num_labels : int
        Rows with a label.
    preview : tuple of (str, dict)
        Id and content of up to five examples, as `import_files` would store them.
    problems : tuple of str
        What would be refused, in words.
    notes : tuple of str
        What was guessed, and what else is worth knowing.
    media_folder : str, optional
        Where the images, audio or video are, if that is known, to be given as ``image_root``.
    """

    kind: str
    columns: Columns
    names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    num_rows: int = 0
    num_labels: int = 0
    preview: tuple[tuple[str, dict[str, Any]], ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    media_folder: str | None = None


def propose(
    source: str | os.PathLike[str],
    *,
    kind: str | None = None,
    columns: Columns | None = None,
    media_folder: str | os.PathLike[str] | None = None,
) -> Proposal:
    """Guess what a source holds; nothing is stored, nothing is unpacked.

    Parameters
    ----------
    source : path
        What `import_files` takes: a table (CSV, TSV, JSON, JSON lines, Parquet), a text file (``.txt``, a
        text a line), a folder of media, or a ``.zip`` of them.
    kind : str, optional
        What is known already; by default it is guessed.
    columns : Columns, optional
        Roles that are known already; the others are guessed. ``""`` says that no column plays a role.
    media_folder : path, optional
        Folder that images, audio and video of a table are named from.

    Returns
    -------
    Proposal

    Raises
    ------
    InputError
        If the source cannot be read at all, or a named column is not there.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    found = open_source(source, kind)
    columns = columns or Columns()
    root = None if media_folder is None else os.path.realpath(media_folder)
    if found.form == "folder":
        root = root or os.path.realpath(found.path)
        found.move_below(root)
    roles = find_roles(found, kind, columns, root=root, labels=True, doubtful=True)
    are_files = bool({*roles.parts.values()} & {*MEDIA})
    if are_files and root is None and found.form == "table":
        root = _beside(found, roles)
    examples = Examples(found, roles, None if found.form == "archive" else root)
    head = [*islice(examples.rows(), _MEDIA_SAMPLE if are_files else SAMPLE)]
    if not head:
        raise InputError("it is empty: there is no row of data.", file=source)
    problems = [*roles.doubts]
    if are_files and root is None and found.form == "table":
        problems.append("its files need the folder they are in.")
    problems += _problems(head, roles)
    good = {row.name: row.content for row in reversed(head) if not row.problem}
    counts = _Counts(found, roles, columns)
    return Proposal(
        roles.kind,
        _columns(roles) if found.form == "table" else Columns(),
        tuple(found.columns) if found.form == "table" else (),
        counts.classes,
        counts.num_rows,
        counts.num_labels,
        tuple(islice(((row.name, good.pop(row.name)) for row in head if row.name in good), _SHOWN)),
        tuple(problems),
        (*found.notes, *roles.notes, *counts.notes),
        root if are_files else None,
    )


def _beside(source: Source, roles: Roles) -> str | None:
    """The folder of a table, if the files it names are there."""
    folder = os.path.dirname(os.path.realpath(source.path))
    column = next(name for name, part in roles.parts.items() if part in MEDIA)
    names = [row.values.get(column) for row in islice(source.rows(), _MEDIA_SAMPLE) if not row.problem]
    there = [isinstance(name, str) and is_below(folder, name) for name in names if not is_missing(name)]
    return folder if there and sum(there) > len(there) / 2 else None


def _columns(roles: Roles) -> Columns:
    parts = {part: name for name, part in roles.parts.items()}
    return Columns(
        example=roles.example,
        label=roles.label or None,
        annotator=roles.annotator or None,
        show=roles.show,
        **parts,
    )


def _problems(head: list[Any], roles: Roles) -> Iterator[str]:
    """What is wrong with the first rows."""
    bad: list[str] = []
    seen: dict[str, tuple[int, str]] = {}
    for row in head:
        where = f"line {row.line}: " if row.line else ""
        if row.problem:
            bad.append(where + row.problem)
            continue
        said = content_id(row.content)
        line, before = seen.setdefault(row.name, (row.line, said))
        if line != row.line and (said != before or (roles.example and not roles.label)):
            bad.append(f"{where}example {row.name!r} is in line {line} already")
    yield from bad[:_SHOWN]
    if len(bad) > _SHOWN:
        yield f"{len(bad) - _SHOWN:,} more of the first {len(head):,} rows are bad"


class _Counts:
    """How many rows, labels and classes there are."""

    def __init__(self, source: Source, roles: Roles, columns: Columns) -> None:
        self.num_rows = self.num_labels = 0
        self.classes: tuple[str, ...] = ()
        self.notes: list[str] = []
        labels = Counter[str]()
        several = False
        used = [name for name in (roles.label, roles.annotator) if name]
        for row in islice(source.rows(used or source.columns[:1]), MOST_ROWS + 1):
            if self.num_rows == MOST_ROWS:
                self.notes.append(f"it has more than {MOST_ROWS:,} rows; so many were counted.")
                break
            self.num_rows += 1
            value = row.values.get(roles.label) if roles.label else None
            if is_missing(value) or (roles.annotator and is_missing(row.values.get(roles.annotator))):
                continue
            self.num_labels += 1
            several = several or isinstance(value, list)
            if len(labels) <= MOST_CLASSES:
                labels.update(filter(None, map(id_text, value if isinstance(value, list) else [value])))
        if not roles.label and source.form == "table":
            labels = self._of_other_tool(source, roles, columns)
        if several:
            self.notes.append("the labels are lists: the question is one with several right classes.")
        if roles.label and not roles.annotator:
            self.notes.append(one_annotator("imported"))
        if len(labels) > MOST_CLASSES or (self.num_labels >= _FEW and len(labels) > self.num_labels / 2):
            what = f"more than {MOST_CLASSES:,}" if len(labels) > MOST_CLASSES else f"{len(labels):,}"
            self.notes.append(f"column {roles.label!r} has {what} different values: no classes are proposed.")
            return
        names = [name for name, _ in labels.most_common()]
        self.classes = tuple(map(without_point, names) if whole_numbers(names) else names)

    def _of_other_tool(self, source: Source, roles: Roles, columns: Columns) -> Counter[str]:
        """The labels of a file that another tool wrote, which hold them in its own way."""
        labels = Counter[str]()
        with suppress(InputError):
            format_ = detect_format(source.path) if columns.label is None else "long"
            if format_ in ("long", "wide"):
                return labels
            for one in islice(read_records(source.path, format_), MOST_ROWS):
                if one.label and len(labels) <= MOST_CLASSES:
                    labels[one.label] += 1
            self.num_labels = labels.total()
            said = counted(self.num_labels, "label")
            self.notes.append(f"it looks like a file of the format {format_}, with {said}.")
        return labels
