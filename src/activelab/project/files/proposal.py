"""What a file would be as a project: its kind, its columns and its classes, guessed from a part of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from activelab.project.files.importing import Columns


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
        Rows of the table, lines of the text, files of the folder or archive.
    num_labels : int
        Rows with a label.
    preview : tuple of (str, dict)
        Id and content of up to five examples, as `import_files` would store them.
    problems : tuple of str
        What would be refused, in words.
    notes : tuple of str
        What was guessed, and what else is worth knowing.
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
        What `import_files` takes: a table (CSV, TSV, JSON, JSON lines, Parquet), a text file (``.txt``, a text a
        line), a folder of media, or a ``.zip`` of them.
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
    raise NotImplementedError
