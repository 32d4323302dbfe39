"""Which format a file is in, by what is in it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from activelab._errors import InputError, first
from activelab.formats import _argilla, _doccano, _label_studio, _potato, _tables
from activelab.formats._ground_truth import _METADATA
from activelab.formats._record import NOTHING
from activelab.formats._rows import array_rows, columns, is_array, objects, opened, rows
from activelab.tables import naming, sniff

_OWN_LABEL = ("label-studio-min", "label-studio-csv")
"""Formats of tables that take the name of the labels' column."""

_UNREAD = (
    (b"<annotations", b"<meta>", "annotations of CVAT (XML), with consensus jobs or without"),
    (b"#FORMAT=WebAnno", b"", "an export of INCEpTION or WebAnno (TSV of spans)"),
    (b"%FEATURE_STRUCTURES", b"", "an export of INCEpTION (JSON CAS)"),
    (b"<xmi:XMI", b"", "an export of INCEpTION (XMI CAS)"),
)
"""Two marks in the first bytes of a file, and whose it is; these are recognised, not read."""
_UNREAD_MEMBERS = (
    ("annotations.xml", "annotations of CVAT"),
    ("exportedproject.json", "a project of INCEpTION"),
    ("TypeSystem.xml", "an export of INCEpTION (XMI CAS)"),
    ("project.json", "a backup of a task or project of CVAT"),
    ("task.json", "a backup of a task of CVAT"),
)
_HEAD = 1 << 16


def detect_format(path: str | os.PathLike[str], columns_: Mapping[str, str | None] = NOTHING) -> str:
    """The name of the format of a file.

    A table that is none of the known ones counts as ``long``: reading it says what it lacks.

    Parameters
    ----------
    path : path
    columns_ : mapping of str to str
        Columns the user named, by role: only long tables have a column of annotators to name.

    Raises
    ------
    InputError
        If the file cannot be read, is of a kind that is known and not read, or is a folder or an archive of
        something else.
    """
    path = Path(path)
    with naming(path):
        found = _of_folder(path) if path.is_dir() else _of_file(path)
    named_label = columns_.get("label") is not None and found not in _OWN_LABEL
    return "long" if columns_.get("annotator") is not None or named_label else found


def _of_folder(path: Path) -> str:
    if _potato.is_folder(path):
        return "potato"
    files = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    for name in ("label-studio", "doccano"):
        if files and all(_is_a(name, one) for one in files):
            return name
    held = first([one.name for one in files]) or "no file"
    raise InputError(
        f"is a folder without any {_potato.STATES} (as Potato writes), of tasks (as Label Studio's target "
        f"storage) or of members' files (as doccano), not a file; it holds: {held}."
    )


def _is_a(name: str, path: Path) -> bool:
    try:
        return _of_file(path) == name
    except InputError:
        return False


def _of_file(path: Path) -> str:
    if path.is_file():
        with open(path, "rb") as file:
            if file.read(4) == b"PK\x03\x04":
                _refuse_archive(path)
                return "doccano"
    sniff(path)
    _refuse_unread(path)
    if is_array(path):
        return _of_array(path)
    kind = sniff(path).kind
    if kind == "jsonl":
        return _of_lines(path)
    names = columns(path)
    found = set(names)
    if {"HITId", "WorkerId"} <= found:
        return "mturk"
    if any(name.startswith(("ASSIGNMENT:", "INPUT:", "OUTPUT:")) for name in names):
        return "toloka"
    return _common(names) or "long"


def _refuse_unread(path: Path) -> None:
    with opened(path) as file:
        try:
            head = file.read(_HEAD)
        except (EOFError, OSError):
            return
    for mark, other, name in _UNREAD:
        if mark in head and other in head:
            raise InputError(
                f"looks like {name}, which is not read. Give labels of whole examples as a table with the "
                "columns example, annotator, label."
            )


def _refuse_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.rpartition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return
    for member, what in _UNREAD_MEMBERS:
        if member in names:
            raise InputError(
                f"looks like {what}, which is not read: it holds {member!r}. Give labels of whole examples "
                "as a table with the columns example, annotator, label."
            )


def _of_array(path: Path) -> str:
    entry = next(array_rows(path), None)
    names = {} if entry is None else dict.fromkeys(entry.values)
    if "datasetObjectId" in names:
        return "ground-truth"
    if _label_studio.looks_right(names):
        return "label-studio"
    if {"id", "annotator"} <= set(names) and {"lead_time", "annotation_id"} & set(names):
        return "label-studio-min"
    if {"id", "annotator", "label"} <= set(names) and "example" not in names:
        return "label-studio-min"
    return _common(list(names)) or ("label-studio" if "data" in names else "long")


def _of_lines(path: Path) -> str:
    entry = next(iter(rows(path)), None)
    if entry is None or entry.problem:
        entry = _first_object(path) or next((row for row in rows(path) if not row.problem), None)
    names = {} if entry is None else dict.fromkeys(entry.values)
    if {"_input_hash", "_task_hash"} & set(names) or {"answer", "_view_id"} <= set(names):
        return "prodigy"
    if any(name + _METADATA in names for name in names) or "source-ref" in names or list(names) == ["source"]:
        return "ground-truth-manifest"
    if _label_studio.looks_right(names):
        return "label-studio"
    return _common(list(names)) or "long"


def _first_object(path: Path) -> Any:
    """The first object of a file in which one takes several lines."""
    try:
        entry = next(objects(path), None)
    except InputError:
        return None
    return None if entry is None or entry.problem else entry


def _common(names: Sequence[str]) -> str:
    """Formats that come as any kind of table."""
    if _argilla.looks_right(names):
        return "argilla"
    if {"instance_id", "user_id"} <= set(names) or _potato.is_state(names):
        return "potato"
    if {"annotation_id", "annotator", "id"} <= set(names):
        return "label-studio-csv"
    if _doccano.looks_right(names):
        return "doccano"
    return "wide" if _tables.looks_wide(names) else ""
