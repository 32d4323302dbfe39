"""Examples as a project stores them, read from the rows of a source: ids and contents, and what is wrong."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from activelab._errors import InputError
from activelab.project.content import MEDIA, TURNS, read_turns
from activelab.project.files.columns import CHAT, Roles
from activelab.project.files.sources import Source
from activelab.project.labelling.intake import Beside
from activelab.project.media import media_problem
from activelab.tables import LONGEST_ID, id_text, is_index, is_missing, plain_cell

_OF_LABELS = {"abstained", "asked", "time", *Beside._fields}  # where a row is a label, not an example
_HALF = "it holds half a character (a lone surrogate), as text that was cut in the middle of an emoji does"


class ExampleRow(NamedTuple):
    """An example of a source; without a name where there is a problem that hides it.

    Attributes
    ----------
    line : int
        0 where the source has none.
    name : str
    content : dict
    problem : str
    values : mapping
        The row as it stands in the source.
    """

    line: int
    name: str
    content: dict[str, Any]
    problem: str
    values: Mapping[str, Any]


def content_id(content: Mapping[str, Any]) -> str:
    """An id made of a content: the same for the same content, whatever file and row it is in.

    Parameters
    ----------
    content : mapping
        Fields whose names are those of the index of a dataframe do not count.

    Returns
    -------
    str
        13 letters and digits, 65 bits of the SHA-256 of the content as JSON with sorted names, in base 32: as
        no text of these digits is read as a number, spreadsheets leave it alone.

    Examples
    --------
    >>> from activelab.project.files.examples import content_id
    >>> content_id({"text": "The page is blank"})
    'j74qew3f43ggr'
    """
    plain = {name: value for name, value in content.items() if not is_index(name)}
    text = json.dumps(plain or content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return base64.b32encode(digest[:10]).decode()[:13].lower()


class Examples:
    """The examples of a source, as often as they are asked for.

    Parameters
    ----------
    source : Source
    roles : Roles
    root : str, optional
        Folder of media. Without it media are not looked at.
    """

    def __init__(self, source: Source, roles: Roles, root: str | None) -> None:
        self.source, self.roles, self.root = source, roles, root
        self._left_out = {roles.example, roles.label, roles.annotator, *roles.parts}
        if roles.annotator:
            self._left_out |= _OF_LABELS
        self._checked = False
        self._broken: dict[tuple[str, str], str] = {}

    def rows(self) -> Iterator[ExampleRow]:
        """All rows in their order."""
        for line, values, problem in self.source.rows():
            if problem:
                yield ExampleRow(line, "", {}, problem, values)
                continue
            content, problem = self._content(values)
            name: str | None
            if self.roles.example:
                held = values.get(self.roles.example)
                name = id_text(held, LONGEST_ID)
                if name is None:
                    content, problem = {}, no_name(self.roles.example, "id", held)
            else:
                name = content_id(content)
            yield ExampleRow(line, name or "", content, problem, values)

    def all_checked(self) -> None:
        """Files that were found good are not opened again when the rows are read again."""
        self._checked = True

    def _content(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        content: dict[str, Any] = {}
        for column, part in self.roles.parts.items():
            value, needed = values.get(column), self.roles.kind == part
            if not needed and (is_missing(value) or value == ""):
                continue
            name, value, problem = self._part(column, part, value)
            if problem:
                return {}, problem
            content[name] = value
        beside = values if self.roles.kind == "table" else self.roles.show
        content |= {name: plain_cell(values.get(name)) for name in beside if name not in self._left_out}
        return content, "" if _encodable(json.dumps(content, ensure_ascii=False)) else _HALF

    def _part(self, column: str, part: str, value: Any) -> tuple[str, Any, str]:
        """The name and value of a part in the content, and what is wrong with it."""
        if part in MEDIA:
            if not isinstance(value, str) or not value:
                return part, None, f"column {column!r} names no {part}"
            unknown = self.root is not None and not self._checked
            if unknown and (problem := media_problem(str(self.root), value, part)):
                self._broken[part, value] = problem
            return part, value, self._broken.get((part, value), "")
        chat = column.strip().casefold() in CHAT and isinstance(value, str) and value.lstrip()[:1] == "["
        if isinstance(value, list) or chat:
            try:
                return TURNS, read_turns(value), ""
            except InputError as error:
                return TURNS, None, f"column {column!r} {error}"
        if not isinstance(value, str) or not value.strip():
            return part, None, f"column {column!r} holds no text"
        return part, value, f"column {column!r} holds a zero byte" if "\0" in value else ""


def no_name(column: str, role: str, value: Any) -> str:
    """Why a cell is no id, annotator or label."""
    if value is None or not str(value).strip() or value != value:
        return f"column {column!r} holds no {role}"
    shown = str(value)[:50]
    return f"column {column!r} holds no {role} of at most {LONGEST_ID} characters: {shown!r}"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
