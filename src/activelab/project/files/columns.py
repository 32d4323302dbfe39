"""Which column of a source plays which role: as the user said, by its name, or by what its values are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from activelab._columns import is_content
from activelab._errors import InputError
from activelab.project.content import MEDIA, TEXT
from activelab.project.files.sources import Source, media_part
from activelab.tables import LONGEST_ID, candidates, find_column, id_text, is_index, is_missing

_TEXT = ("text", "sentence", "content", "body", "document", "review", "message", "question", "comment")
CHAT = ("messages", "conversation", "chat", "turns")
_FILE = ("file", "path", "filename", "file_name", "filepath")
_COMMON = {"text": _TEXT + CHAT} | {
    part: (part, *_FILE, *(f"{part}_{name}" for name in ("path", "file"))) for part in MEDIA
}
_LABEL = ["label", "class", "annotation", "category", "rating", "answer", "choice", "vote", "response"]
_LABEL += ["sentiment", "intent", "topic", "emotion", "target", "tag", "stars"]
_RIGHT = {"truth", "gold", "ground_truth", "gold_label", "true_label", "expert"}
_NO_LABEL = _RIGHT | {
    "split",
    "fold",
    "partition",
    "set",
    "part",
    "lang",
    "language",
    "time",
    "date",
    "source",
}

SAMPLE = 1_000
"""Rows at the head of a source from which roles are guessed."""

_FEW = 20  # rows from which on it can be said that values repeat
_MOST_SHORT = 50
_SHORT_ID = 64
_FEW_WORDS = 3  # that a column is called by
_SHORT_TEXT, _LONG_TEXT = 20.0, 40.0  # characters on average


@dataclass(frozen=True)
class Columns:
    """Columns the user named; what is None is found, and ``""`` says that no column plays the role.

    Attributes
    ----------
    example, annotator, label : str, optional
        Without a column of ids they are made of the content of an example; media are called by their files.
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


@dataclass(frozen=True)
class Roles:
    """Who plays what.

    Attributes
    ----------
    kind : str
    example : str
        Column of the ids; empty if they are made of the content.
    parts : dict of str to str
        By column what it is in the content: text, image, audio or video. Of a table media alone.
    show : tuple of str
    label, annotator : str
        Empty if there is none.
    notes : tuple of str
        What was guessed by more than a name.
    doubts : tuple of str
        What could not be told, and was taken nevertheless.
    """

    kind: str
    example: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    show: tuple[str, ...] = ()
    label: str = ""
    annotator: str = ""
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


class _Looks:
    """What the values of columns look like, in the first rows of a source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rows: list[Mapping[str, Any]] | None = None
        self._known: dict[str, _Look] = {}

    def __getitem__(self, column: str) -> _Look:
        if self._rows is None:
            self._rows = [row.values for row in islice(self._source.rows(), SAMPLE) if not row.problem]
        if column not in self._known:
            self._known[column] = _Look([row.get(column) for row in self._rows])
        return self._known[column]


class _Look:
    """What the values of one column look like."""

    def __init__(self, values: Sequence[Any]) -> None:
        held = [one for one in values if not is_missing(one)]
        self.is_full = len(held) == len(values) > 0
        self.values = held
        self.texts = [one if isinstance(one, str) else id_text(one) or "" for one in held]
        self.count = len(held)
        self.distinct = len({*self.texts})
        self.length = sum(map(len, self.texts)) / max(self.count, 1)

    @property
    def repeats(self) -> bool:
        """Whether it is plain that there are few values, over and over."""
        return self.count >= _FEW and self.distinct <= self.count / 5

    @property
    def are_words(self) -> bool:
        """Whether they are texts or chats rather than numbers, or a few codes over and over."""
        codes = self.repeats and self.length < _SHORT_TEXT
        written = all(isinstance(one, str | list) for one in self.values)
        return self.count > 0 and written and not codes and not self.are_numbers

    @property
    def is_text(self) -> bool:
        """Whether people could have written them: most have several words, or are long."""
        several = sum(len(text.split()) > 1 or (len(text) > 5 and not text.isascii()) for text in self.texts)
        return self.are_words and (several >= self.count / 2 or self.length >= _LONG_TEXT)

    @property
    def are_numbers(self) -> bool:
        """Whether all are numbers."""
        return self.count > 0 and all(_number(one) is not None for one in self.values)

    @property
    def can_be_labels(self) -> bool:
        """Whether they are short and come again, or at least might if there were more of them."""
        if any(isinstance(one, list) for one in self.values):
            return all(isinstance(one, list) for one in self.values)
        fractions = sum((_number(one) or 0) % 1 != 0 for one in self.values)
        short = all(0 < len(text) <= 2 * _MOST_SHORT for text in self.texts)
        few = self.count < _FEW or self.distinct <= self.count / 2
        return self.count > 0 and short and self.length <= _MOST_SHORT and few and fractions == 0

    @property
    def could_be_ids(self) -> bool:
        """Whether all are there, different, short, and look like ids rather than words."""
        if (
            not self.is_full
            or self.distinct < self.count
            or any(isinstance(one, list) for one in self.values)
        ):
            return False
        marked = all(any(letter.isdigit() or letter in "-_/." for letter in text) for text in self.texts)
        return marked and all(
            0 < len(text) <= _SHORT_ID and not any(map(str.isspace, text)) for text in self.texts
        )

    @property
    def are_consecutive(self) -> bool:
        """Whether they are whole numbers without a gap."""
        numbers = [_number(one) for one in self.values]
        if None in numbers or any(one % 1 for one in numbers if one is not None):
            return False
        known = [one for one in numbers if one is not None]
        return max(known) - min(known) + 1 == self.count

    def share_of(self, part: str, root: str | None) -> float:
        """The share of values that are called like files of a kind; 0 if they are not in the folder."""
        found = [text for text in self.texts if "://" not in text and media_part(text) == part]
        there = [text for text in found[:20] if root is not None and is_below(root, text)]
        return 0.0 if root is not None and found and not there else len(found) / max(self.count, 1)


def is_below(root: str, name: str) -> bool:
    """Whether there is a file of that name below a folder; nothing is looked for elsewhere."""
    path = Path(name)
    return (
        not path.is_absolute() and ".." not in path.parts and "\0" not in name and Path(root, path).is_file()
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool | list | dict):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 1e300 else None


def find_roles(
    source: Source,
    kind: str | None,
    columns: Columns,
    *,
    root: str | os.PathLike[str] | None = None,
    labels: bool = False,
    doubtful: bool = False,
) -> Roles:
    """Which column plays which role.

    Parameters
    ----------
    source : Source
    kind : str, optional
        By default it is guessed.
    columns : Columns
        What the user named.
    root : path, optional
        Folder of media.
    labels : bool
        Whether labels are read from the source, too.
    doubtful : bool
        Where it cannot be told, take what is likely and say so in ``doubts``, instead of raising.

    Raises
    ------
    InputError
        If a named column is not there, or it cannot be told which one is meant.
    """
    return _Search(source, kind, columns, None if root is None else os.fspath(root), labels, doubtful).roles()


class _Search:
    def __init__(
        self,
        source: Source,
        kind: str | None,
        columns: Columns,
        root: str | None,
        labels: bool,
        doubtful: bool,
    ) -> None:
        self.source, self.columns, self.root = source, columns, root
        self.labels, self.doubtful = labels, doubtful
        self.names, self.looks = source.columns, _Looks(source)
        self.notes: list[str] = []
        self.doubts: list[str] = []
        self.parts = {str(name): part for part in (TEXT, *MEDIA) if (name := getattr(columns, part))}
        roles = columns.example, columns.label if labels else None, columns.annotator if labels else None
        for name in (*self.parts, *columns.show, *filter(None, roles)):
            if name not in self.names:
                raise no_column(name, self.names)
        self.taken = {*self.parts, *filter(None, roles)}
        self.show = [name for name in columns.show if name not in self.parts]
        self.kind = kind or self._kind()

    def roles(self) -> Roles:
        """Content first, then labels and who gave them, then ids."""
        label = annotator = ""
        if self.kind == "table":
            named = {name: name for name in MEDIA if name in self.names and name not in self.taken}
            self.parts = named | self.parts
        else:
            column = self._content()
            self.parts = {column: self.kind} | self.parts
        self.taken |= {*self.parts}
        strange = [name for name in self.parts if len(name.split()) > _FEW_WORDS]
        if strange:
            self.notes.append(
                f"the first line is read as the names of the columns, such as {strange[0][:80]!r}; if it is "
                "an example, put a line with names before it."
            )
        if self.labels:
            label = self._label()
            self.taken |= {label} - {""}
            annotator = self._annotator() if label else ""
            self.taken |= {annotator} - {""}
        example = self._example(annotator)
        if self.kind == "table" and not {*self.names} - {example, label, annotator}:
            raise InputError(
                "the table has nothing to show: no column besides the ids, labels and annotators."
            )
        return Roles(
            self.kind,
            example,
            self.parts,
            tuple(name for name in self.show if name != example),
            label,
            annotator,
            tuple(self.notes),
            tuple(self.doubts),
        )

    def _free(self) -> list[str]:
        return [name for name in self.names if name not in self.taken]

    # ------------------------------------------------------------------ what is shown

    def _kind(self) -> str:
        if self.source.form == "texts":
            return TEXT
        if self.source.is_media:
            return self.source.columns[0]
        if self.parts:
            return next(iter(self.parts.values()))
        free = [name for name in self._free() if name not in self.show]
        is_named = bool(self._texts_by_name(free))
        for part in MEDIA if self.root is not None or not is_named else ():
            if any(self.looks[name].share_of(part, self.root) > 0.9 for name in free):
                return part
        if is_named:
            return TEXT
        texts = [name for name in free if self.looks[name].is_text]
        data = [name for name in free if not is_index(name) and name not in self._named_roles(free)]
        long = any(self.looks[name].length >= _LONG_TEXT for name in texts)
        alone = len(data) == 1 and self.looks[data[0]].are_words
        return TEXT if long or alone or (texts and len(data) - len(texts) <= 2) else "table"

    def _named_roles(self, names: Sequence[str]) -> set[str]:
        """Columns that are called like ids, labels or annotators."""
        return {name for role in ("example", "label", "annotator") for name in candidates(names, role)}

    def _texts_by_name(self, names: Sequence[str]) -> list[str]:
        common = [name for word in _COMMON[TEXT] for name in names if name.strip().casefold() == word]
        return [name for name in common if self.looks[name].are_words]

    def _content(self) -> str:
        """The column that an example of the kind cannot be without."""
        chosen = next((name for name, part in self.parts.items() if part == self.kind), None)
        if chosen is not None:
            return chosen
        names = [name for name in self._free() if name not in self.show]
        if self.kind == TEXT and (found := self._texts_by_name(names)):
            return found[0]
        if self.kind in MEDIA:
            common = [n for word in _COMMON[self.kind] for n in names if n.strip().casefold() == word]
            if common:
                return common[0]
        rest = [name for name in names if not is_index(name) and name not in self._named_roles(names)]
        if len(rest) == 1:
            return rest[0]
        rest = rest or [name for name in names if not is_index(name)]
        if len(rest) == 1 and rest == names:
            return rest[0]
        return self._content_by_look(rest)

    def _content_by_look(self, names: Sequence[str]) -> str:
        if self.kind in MEDIA:
            shares = {name: self.looks[name].share_of(self.kind, self.root) for name in names}
            likely = sorted((name for name in names if shares[name] > 0.5), key=lambda name: -shares[name])
            if likely:
                self.notes.append(
                    f"the {self.kind} files are taken from column {likely[0]!r}, by their endings."
                )
                return likely[0]
        else:
            likely = sorted(
                (name for name in names if self.looks[name].is_text),
                key=lambda name: -self.looks[name].length,
            )
            lengths = [self.looks[name].length for name in likely[:2]]
            if likely and (len(lengths) == 1 or lengths[0] > lengths[1]):
                enough = min(_LONG_TEXT, lengths[0] / 2)
                others = [name for name in likely[1:] if self.looks[name].length >= enough]
                self.notes.append(
                    f"the texts are taken from column {likely[0]!r}, which holds the longest"
                    + (f"; beside them is shown: {', '.join(map(repr, others))}." if others else ".")
                )
                self.show += [name for name in others if name not in self.show]
                return likely[0]
        if not self.doubtful or not names:
            raise InputError(
                f"which column is the {self.kind}? There are: {', '.join(map(repr, names or self.names))}.",
                column=self.kind,
                advice="content",
            )
        best = max(names, key=lambda name: (self.looks[name].length, -names.index(name)))
        self.doubts.append(f"it is not clear which column is the {self.kind}; column {best!r} is taken.")
        return best

    # ------------------------------------------------------------------ labels

    def _label(self) -> str:
        if self.columns.label is not None:
            return self.columns.label
        free = self._free()
        common = sorted(candidates(free, "label"), key=_rank)
        common += [name for name in free if name.strip().casefold() in _LABEL and name not in common]
        for name in common:
            if self.looks[name].can_be_labels:
                return name
        right = [name for name in free if name.strip().casefold() in _RIGHT]
        if right:
            self.notes.append(
                f"column {right[0]!r} seems to hold right answers, which are not taken for labels."
            )
        if self.kind == "table" or self.source.form != "table":
            return ""
        likely = [
            name
            for name in free
            if not {*name.casefold().split("_")} & _NO_LABEL
            and (look := self.looks[name]).repeats
            and 2 <= look.distinct <= _MOST_SHORT
            and not look.are_numbers
            and look.can_be_labels
        ]
        if len(likely) == 1:
            self.notes.append(f"the labels are taken from column {likely[0]!r}, whose few values repeat.")
            return likely[0]
        if likely:
            self.notes.append(f"columns that could be labels: {', '.join(map(repr, likely))}; none is taken.")
        return ""

    def _annotator(self) -> str:
        if self.columns.annotator is not None:
            return self.columns.annotator
        for name in candidates(self._free(), "annotator"):
            look = self.looks[name]
            if look.count and (look.count < _FEW or look.distinct <= look.count / 2):
                return name
        return ""

    # ------------------------------------------------------------------ ids

    def _example(self, annotator: str) -> str:
        if self.columns.example is not None:
            return self.columns.example
        if self.source.is_media:
            return self.source.columns[0]
        free = [name for name in self._free() if name not in self.show]
        shown = [name for name in self.names if name not in self.taken and not is_index(name)]
        if self.kind != "table" and not shown:
            return self._media_column()
        alone = shown if self.kind == "table" and len(shown) == 1 and not self.parts else []
        free = [name for name in free if name not in alone or not is_content(name)]
        named = self._example_by_name(free, annotator)
        if named:
            return named
        if media := self._media_column():
            return media
        for at, name in enumerate(self.names):
            if name not in free or is_index(name):
                continue
            look = self.looks[name]
            hinted = _WORDS.split(name)[-1].casefold() in _HINTS
            first = at == 0 and (look.are_consecutive or not look.are_numbers) if look.count else False
            if look.could_be_ids and (hinted or first) and name not in alone:
                self.notes.append(f"the ids are taken from column {name!r}, whose values are all different.")
                return name
        self.notes.append("no column holds ids: they are made of the content, the same for the same content.")
        return ""

    def _example_by_name(self, names: Sequence[str], annotator: str) -> str:
        plain = [name for name in names if name.strip().casefold() == "id"]
        if "example" not in names and len(plain) == 1:
            return plain[0]
        found = [
            name
            for name in candidates(names, "example")
            if name == "example" or self._may_be_ids(name, annotator)
        ]
        if len(found) > 1 and self.doubtful:
            found = sorted(found, key=lambda name: not self.looks[name].could_be_ids)[:1]
        return find_column(found, "example") if found else ""

    def _may_be_ids(self, name: str, annotator: str) -> bool:
        look = self.looks[name]
        labelled = annotator or candidates(self._free(), "annotator")
        repeated = not labelled and look.count >= _FEW and look.distinct <= look.count / 2
        longest = _SHORT_ID if is_content(name) else LONGEST_ID
        blank = is_content(name) and any(map(str.isspace, "".join(look.texts)))
        return not repeated and not blank and all(len(text) <= longest for text in look.texts)

    def _media_column(self) -> str:
        return next((name for name, part in self.parts.items() if part == self.kind in MEDIA), "")


_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_HINTS = ("id", "no", "nr", "num", "number", "key", "code", "uuid", "sku")


def _rank(name: str) -> int:
    plain = name.strip().casefold()
    return next((at for at, word in enumerate(_LABEL) if plain.startswith(word)), len(_LABEL))


def one_annotator(name: str) -> str:
    """The note on labels of which no column says who gave them."""
    return f"no column says who gave the labels: they are stored as those of {name!r}."


def no_column(name: str, names: Sequence[str]) -> InputError:
    """The error for a column that is not there, with those that are."""
    return InputError(f"no column {name!r}; the file has: {', '.join(map(repr, names)) or 'none'}.")
