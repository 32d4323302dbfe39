"""Which format a file is in, by what is in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from activelab._errors import InputError
from activelab.formats import _argilla, _potato, _tables
from activelab.formats._ground_truth import _METADATA
from activelab.formats._rows import array_rows, columns, is_array, rows
from activelab.tables import naming, sniff


def detect_format(path: str | os.PathLike[str]) -> str:
    """The name of the format of a file.

    A table that is none of the known ones counts as ``long``: reading it says what it lacks.

    Raises
    ------
    InputError
        If the file cannot be read, or is a folder or an archive of something else.
    """
    path = Path(path)
    with naming(path):
        if path.is_dir():
            if _potato.is_folder(path):
                return "potato"
            raise InputError(f"is a folder without any {_potato.STATES} (as Potato writes), not a file.")
        if path.is_file():
            with open(path, "rb") as file:
                if file.read(4) == b"PK\x03\x04":
                    return "doccano"
        sniff(path)
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


def _of_array(path: Path) -> str:
    first = next(array_rows(path), None)
    names = {} if first is None else dict.fromkeys(first.values)
    if "datasetObjectId" in names:
        return "ground-truth"
    if "data" in names and ("annotations" in names or "completions" in names):
        return "label-studio"
    if {"id", "annotator"} <= set(names) and {"lead_time", "annotation_id"} & set(names):
        return "label-studio-min"
    if {"id", "annotator", "label"} <= set(names) and "example" not in names:
        return "label-studio-min"
    return _common(list(names)) or ("label-studio" if "data" in names else "long")


def _of_lines(path: Path) -> str:
    first = next((row for row in rows(path) if not row.problem), None)
    names = {} if first is None else dict.fromkeys(first.values)
    if {"_input_hash", "_task_hash"} & set(names) or {"answer", "_view_id"} <= set(names):
        return "prodigy"
    if any(name + _METADATA in names for name in names) or "source-ref" in names or list(names) == ["source"]:
        return "ground-truth-manifest"
    return _common(list(names)) or "long"


def _common(names: Sequence[str]) -> str:
    """Formats that come as any kind of table."""
    if _argilla.looks_right(names):
        return "argilla"
    if {"instance_id", "user_id"} <= set(names):
        return "potato"
    if {"annotation_id", "annotator", "id"} <= set(names):
        return "label-studio-csv"
    return "wide" if _tables.looks_wide(names) else ""
