"""Records gathered by example in a file of the system, so that memory does not limit their number."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from activelab.formats._answers import members
from activelab.formats._record import Item, Record, Vote, is_later

is_canonical = re.compile(r"0|-?[1-9][0-9]{0,17}").fullmatch

_TABLES = """
CREATE TABLE example (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, content TEXT NOT NULL);
CREATE TABLE annotator (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
CREATE TABLE label (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
CREATE TABLE vote (
  example INTEGER, annotator INTEGER, label INTEGER NOT NULL, time REAL,
  PRIMARY KEY (example, annotator)
) WITHOUT ROWID;
"""


class Spool:
    """Examples with their labels, in the order of their first appearance.

    Of several labels of one annotator on an example the latest counts: by time where both have one, else
    by their order.

    Parameters
    ----------
    several : bool
        Whether a label is a set, as `activelab.formats._answers.set_of` writes it.
    tag : str
        Tag of Label Studio that labels are written as answers to.

    Attributes
    ----------
    superseded : int
        Labels that a later one of the same annotator has replaced.
    """

    def __init__(self, several: bool = False, tag: str = "choices") -> None:
        self.several, self.tag = several, tag
        # An empty name is a private file that goes away with the connection.
        self.connection = sqlite3.connect("", isolation_level=None)
        self.connection.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_TABLES} BEGIN;")
        self.superseded = self._next = 0
        self._codes: dict[str, dict[str, int]] = {"annotator": {}, "label": {}}

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def add(self, one: Record) -> None:
        """Take a record that is an example or a label."""
        execute = self.connection.execute
        row = execute("SELECT id, content FROM example WHERE name = ?", (one.example,)).fetchone()
        if row is None:
            content = json.dumps(dict(one.content))
            code = execute(
                "INSERT INTO example (name, content) VALUES (?, ?)", (one.example, content)
            ).lastrowid
        else:
            code = row[0]
            if one.content and row[1] == "{}":
                content = json.dumps(dict(one.content))
                execute("UPDATE example SET content = ? WHERE id = ?", (content, code))
        if not one.annotator:
            return
        who, what = self._code("annotator", one.annotator), self._code("label", one.label)
        before = execute("SELECT time FROM vote WHERE example = ? AND annotator = ?", (code, who)).fetchone()
        if before is not None:
            self.superseded += 1
            if is_later(before[0], one.time):
                return
        execute("INSERT OR REPLACE INTO vote VALUES (?, ?, ?, ?)", (code, who, what, one.time))

    def _code(self, kind: str, name: str) -> int:
        codes = self._codes[kind]
        if name not in codes:
            codes[name] = self._next = self._next + 1
            self.connection.execute(f"INSERT INTO {kind} VALUES (?, ?)", (codes[name], name))
        return codes[name]

    # ------------------------------------------------------------------ out

    @property
    def annotators(self) -> list[str]:
        """Annotators in the order of their first label."""
        return list(self._codes["annotator"])

    @property
    def classes(self) -> list[str]:
        """Classes in use, sorted: numbers by value."""
        names = list(self._codes["label"])
        return sorted(names, key=int) if all(map(is_canonical, names)) else sorted(names)

    @property
    def options(self) -> list[str]:
        """What could be chosen: the classes, or those of which a set consists."""
        return list(dict.fromkeys(name for one in self.classes for name in members(one, self.several)))

    def label_counts(self) -> dict[str, int]:
        """How many labels each class has."""
        query = "SELECT label.name, count(*) FROM vote JOIN label ON label.id = label GROUP BY vote.label"
        return dict(self.connection.execute(query).fetchall())

    def rename_classes(self, names: Mapping[str, str]) -> None:
        """Take some classes for others."""
        for old, new in names.items():
            codes = self._code("label", new), self._codes["label"].pop(old)
            self.connection.execute("UPDATE vote SET label = ? WHERE label = ?", codes)

    def count(self, what: str) -> int:
        """How many there are of "example" or "vote"."""
        return int(self.connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0])

    def items(self) -> Iterator[Item]:
        """The examples, each with its labels."""
        query = (
            "SELECT example.id, example.name, content, annotator.name, label.name, time FROM example "
            "LEFT JOIN vote ON vote.example = example.id "
            "LEFT JOIN annotator ON annotator.id = vote.annotator "
            "LEFT JOIN label ON label.id = vote.label ORDER BY example.id, vote.annotator"
        )
        current, name, content, votes = None, "", "{}", list[Vote]()
        for code, example, fields, who, what, time in self.connection.execute(query):
            if code != current:
                if current is not None:
                    yield Item(name, json.loads(content), votes)
                current, name, content, votes = code, example, fields, []
            if who is not None:
                votes.append(Vote(who, what, time))
        if current is not None:
            yield Item(name, json.loads(content), votes)

    def of_annotator(self, name: str) -> Iterator[Item]:
        """The examples somebody labelled, each with their label alone."""
        query = (
            "SELECT example.name, content, label.name, time FROM vote JOIN example ON example.id = example "
            "JOIN label ON label.id = label WHERE annotator = ? ORDER BY example.id"
        )
        for example, content, what, time in self.connection.execute(query, (self._codes["annotator"][name],)):
            yield Item(example, json.loads(content), [Vote(name, what, time)])

    def fields(self) -> list[str]:
        """Every field that some example has, in the order of appearance."""
        found: dict[str, None] = {}
        for (content,) in self.connection.execute("SELECT content FROM example ORDER BY id"):
            found.update(dict.fromkeys(json.loads(content)))
        return list(found)

    def number_or_text(self, kind: str) -> Callable[[str], Any]:
        """How names of a kind are written where numbers and texts differ: as numbers if all are."""
        names = self.connection.execute(f"SELECT name FROM {kind}")
        return int if all(is_canonical(name) for (name,) in names) else str
