"""A labelling project that lasts: everything the commands, the pages and the connectors do with it."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sqlalchemy import Connection, bindparam, func, select

from activelab._errors import InputError
from activelab._set_text import names_in
from activelab._typing import Bools, Floats, Ids, Ints
from activelab.labels import Labels
from activelab.project.labelling import audits, bulk, companions, decisions, practice, rounds
from activelab.project.labelling import intake as given
from activelab.project.labelling import queue as queueing
from activelab.project.labelling.class_history import (
    ClassChange,
    Members,
    class_version,
    load_changes,
    names_now,
)
from activelab.project.labelling.naming import (
    Named,
    Naming,
    load_naming,
    members_of,
    set_codes,
)
from activelab.project.labelling.reclassing import Effect, Reclass, check_new_names, preview, reclass
from activelab.project.settings import Settings, check_models, load_settings, load_value, store_settings
from activelab.project.store.audit import write_audit
from activelab.project.store.database import Database, StorageError
from activelab.project.store.schema import WHOLE, annotator, answer, example, feature_block
from activelab.project.store.statements import Steps
from activelab.project.store.upgrades import remove_file, schema_state, upgrade

if TYPE_CHECKING:
    from activelab.multilabel import LabelSets

Result = TypeVar("Result")

_DECIDED_AT_ONCE = 50
_TRIES = 5  # to store a label while classes change
_EXAMPLES = select(example).where(example.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True)
class Example:
    """An example of the pool.

    Attributes
    ----------
    id : int
        Row of the pool.
    name : str
        The user's id.
    content : dict
        What it holds, by name: text, messages (turns of a chat), image, audio and video (paths), and fields.
    gold : int or None
        Class code, if the right answer is known.
    num_labels : int
    """

    id: int
    name: str
    content: dict[str, Any]
    gold: int | None
    num_labels: int


@dataclass(frozen=True, eq=False)
class _Given:
    """Answers as stored: a row each of example, place of the annotator in ``names``, code, what was asked."""

    size: int
    names: Ids
    rows: Ints
    naming: Naming

    @property
    def asked(self) -> Bools:
        """Which classes each answer is about, shape (n_answers, n_classes)."""
        asked = self.rows[:, 3]
        about: Bools = asked[:, None] == np.arange(len(self.naming.classes))
        about[asked == WHOLE] = True
        return about


@dataclass(frozen=True, eq=False)
class _Classes:
    """The settings, and the version of the classes in them, read at one moment."""

    settings: Settings
    version: int
    sets: dict[Members, int]  # codes of those known here
    ties: companions.Ties


@dataclass(frozen=True, slots=True)
class Submission:
    """An answer to a lease, as `Project.record` takes it; see there."""

    annotator_id: int
    lease_id: int
    kind: str
    label: Named | None = None
    reason: str | None = None
    seconds: float | None = None
    source: str = "api"
    request: str | None = None
    then_lease: int | None = 0
    have: Sequence[int] = ()
    flagged: bool = False


def _load_classes(connection: Connection) -> _Classes:
    version = class_version(connection)  # first: a change in between is noticed when something is stored
    return _Classes(load_settings(connection), version, {}, companions.load_ties(connection))


class Project:
    """A project in a database; `create_project` and `open_project` make one.

    Methods that write return when the change is on disk. One object may be used by many threads.

    Attributes
    ----------
    database : Database
    settings : Settings
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._classes = database.read(_load_classes)
        self._settings_read = time.monotonic()
        self._reading_settings = threading.Lock()
        self._offered: tuple[tuple[int, int], bulk.Offered | None] | None = None  # by round and classes

    def __repr__(self) -> str:
        return f"Project({self.database.name!r}, {self.settings.title!r})"

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    # ------------------------------------------------------------------ settings

    @property
    def settings(self) -> Settings:
        """The settings as they were read last."""
        return self._classes.settings

    @property
    def ties(self) -> companions.Ties:
        """With which projects it shares its examples, read with the settings."""
        return self._classes.ties

    def refresh(self, seconds: float = 2.0) -> Settings:
        """The settings, read again if they are older than some seconds: another process may change them."""
        asked = time.monotonic()
        age = asked - self._settings_read
        # One reads; others take what is a little older: else all who label would read at the same moment.
        if age > seconds and self._reading_settings.acquire(blocking=age > 2 * seconds):
            try:
                if self._settings_read < asked - seconds:
                    began = time.monotonic()
                    self._classes = self.database.read(_load_classes)
                    self._settings_read = began
            finally:
                self._reading_settings.release()
        return self.settings

    def change_settings(self, changes: Mapping[str, Any], by: int | None = None) -> Settings:
        """Change some settings.

        Raises
        ------
        InputError
            As `Settings.changed`.
        """

        def change(connection: Connection) -> _Classes:
            rounds.hold_round(connection)
            before = load_settings(connection)
            settings = before.changed(changes)
            check_new_names(connection, before.classes, settings.classes)
            if settings.question != before.question and decisions.any_label(connection):
                raise InputError(
                    f"the question stays {before.question}: there are labels, which would mean something "
                    "else. Make a new project."
                )
            store_settings(connection, settings)
            slots = [(one.labels_per_round, one.max_labels) for one in (before, settings)]
            if slots[0] != slots[1]:
                rounds.settle_again(connection, settings)
            write_audit(connection, by, "settings changed", dict(changes))
            return _Classes(settings, class_version(connection), {}, self.ties)

        self._classes = self.database.write(change)
        return self.settings

    # ------------------------------------------------------------------ classes

    def preview_classes(self, wanted: Reclass) -> tuple[ClassChange, Effect]:
        """What renaming, merging, splitting or retiring classes would do; nothing is changed.

        Raises
        ------
        InputError
            If it cannot be done: the message says why.
        """
        return self.database.read(lambda c: preview(c, wanted))

    def change_classes(self, wanted: Reclass, by: int | None = None, why: str | None = None) -> ClassChange:
        """Rename, merge, split or retire classes; what was said of them follows, or is asked again.

        Events stay as they were given; the change is recorded once, and nothing is read more slowly for it.

        Parameters
        ----------
        wanted : Reclass
        by : int, optional
            The account; None for somebody with access to the database itself, as on the command line.
        why : str, optional

        Returns
        -------
        ClassChange

        Raises
        ------
        InputError
            If it cannot be done: the message says why. Nothing changes then.
        """
        done = self.database.write(lambda c: reclass(c, wanted, by, why, time.time()))
        self.refresh(0)
        return done

    def class_changes(self) -> list[ClassChange]:
        """All changes of classes, oldest first."""
        return self.database.read(load_changes)

    # ------------------------------------------------------------------ the pool

    @property
    def num_examples(self) -> int:
        """Examples in the pool."""
        return int(self.database.read(lambda c: load_value(c, "num_examples", 0)))

    def add_examples(
        self,
        examples: Iterable[tuple[str, Mapping[str, Any]]],
        *,
        features: Floats | None = None,
        progress: Callable[[int], None] = lambda _: None,
        finish: Callable[[Connection], None] = lambda _: None,
    ) -> int:
        """Add examples to the pool: all of them, or none if there is an error.

        They are written in blocks that nobody sees before the last is there, so that labelling goes on.

        Parameters
        ----------
        examples : iterable of (str, mapping)
            Id and content of each; read once.
        features : ndarray of float, shape (n_new, n_features), optional
            Features or embeddings. Either all examples of a project have them or none.
        progress : callable
            Called with the number of examples written so far.
        finish : callable
            Called with the connection in the transaction that lets the examples be seen, for what must
            become true with them. It may be called more than once before one run is committed.

        Returns
        -------
        int
            How many were added.

        Raises
        ------
        InputError
            If an id is there already or occurs twice, features do not match, another import is under way, or
            the examples are those of another project.
        """
        return companions.add_examples(self.database, examples, features, progress, finish)

    def features(self) -> Floats | None:
        """Features of the pool, float32 of shape (n_examples, n_features); None if it has none."""

        def load(connection: Connection) -> Floats | None:
            width, size = (
                load_value(connection, "num_features"),
                int(load_value(connection, "num_examples", 0)),
            )
            if width is None:
                return None
            values: Floats = np.empty((size, width), dtype=np.float32)
            query = select(feature_block).where(feature_block.c.start < size).order_by(feature_block.c.start)
            for row in connection.execute(query):
                part = np.load(io.BytesIO(row.data), allow_pickle=False)
                values[row.start : row.start + len(part)] = part
            return values

        return self.database.read(load)

    def examples(self, ids: Sequence[int]) -> list[Example]:
        """Examples by their rows in the pool, in the order asked for."""
        found: dict[int, Example] = {}

        def load(connection: Connection) -> None:
            for at in range(0, len(ids), 10_000):
                rows = connection.execute(_EXAMPLES, {"ids": ids[at : at + 10_000]})
                for row in rows:
                    found[row.id] = Example(
                        row.id, row.name, json.loads(row.content), row.gold, row.num_labels
                    )

        self.database.read(load)
        return [found[code] for code in ids]

    def example_codes(self, names: Iterable[str]) -> dict[str, int]:
        """Rows in the pool of ids; ids that are not in the project are missing."""
        return self.database.read(lambda c: given.codes_of(c, names))

    def example_names(self) -> list[str]:
        """Ids of the whole pool, in its order."""

        def load(connection: Connection) -> list[str]:
            size = int(load_value(connection, "num_examples", 0))
            return list(
                connection.execute(
                    select(example.c.name).where(example.c.id < size).order_by(example.c.id)
                ).scalars()
            )

        return self.database.read(load)

    # ------------------------------------------------------------------ labels

    def add_labels(
        self,
        records: Iterable[tuple[str, str, Named] | tuple[str, str, Named, str | None]],
        by: int | None = None,
    ) -> int:
        """Store labels that were collected elsewhere: all of them, or none if one is wrong.

        They are stored in small transactions, so that labelling goes on; see `intake.add_labels`.

        Parameters
        ----------
        records : iterable of (str, str, str or list of str) or (str, str, str or list of str, str or None)
            Example, annotator, label. A label is a class; where several may be right, a list of classes or a
            text "a|b", with an empty list or "|" for none of them; a fourth value names the one class that
            the label is about. People not known yet become accounts without a password. Of several labels of
            one person on an example the last counts, about each class.

        Returns
        -------
        int
            How many labels are new or changed.

        Raises
        ------
        InputError
            If an example or a class is unknown; the message names the first ten.
        """
        labels = {(e, a, asked[0] if asked else None): label for e, a, label, *asked in records}
        return sum(given.add_labels(self.database, labels, by))

    def set_gold(self, answers: Mapping[str, Named | None], by: int | None = None) -> int:
        """Say what the right answer of some examples is; None takes it back.

        They are stored in small transactions, so that labelling goes on.

        Raises
        ------
        InputError
            If an example or a class is unknown.
        """
        given.add_gold(self.database, answers, by)
        return len(answers)

    def labels(self, up_to_event: int | None = None) -> Labels:
        """All labels, over the whole pool; skips and undone labels are none.

        Where several classes may be right, the classes are the sets that were ever given, as texts such as
        "a|b", and answers about one class are left out; `label_sets` has them, and takes sets apart.

        Parameters
        ----------
        up_to_event : int, optional
            Leave out what came later.
        """

        given = self._given(up_to_event)
        rows = given.rows[given.rows[:, 3] == WHOLE]
        return Labels(
            *rows[:, :3].T,
            examples=given.size,
            annotators=given.names,
            classes=np.array(given.naming.texts, dtype=object),
        )

    def _given(self, up_to_event: int | None, kind: str = "label") -> _Given:
        """The answers of a kind as they are stored, in the order in which they were given."""

        def load(connection: Connection) -> tuple[int, list[Any], list[Any], Naming]:
            size = int(load_value(connection, "num_examples", 0))
            people = connection.execute(select(annotator.c.id, annotator.c.name).order_by(annotator.c.id))
            code = func.coalesce(answer.c.class_code, -1)
            columns = answer.c.example_id, answer.c.annotator_id, code, answer.c.asked
            query = select(*columns).where(answer.c.kind == kind).order_by(answer.c.event_id)
            if up_to_event is not None:
                query = query.where(answer.c.event_id <= up_to_event)
            rows = [tuple(row) for row in connection.execute(query)]
            return size, [*people], rows, load_naming(connection)

        size, people, rows, naming = self.database.read(load)
        array = np.array(rows, dtype=np.int64).reshape(-1, 4)
        array[:, 1] = np.searchsorted([identity for identity, _ in people], array[:, 1])
        return _Given(size, np.array([name for _, name in people], dtype=object), array, naming)

    def label_sets(self, up_to_event: int | None = None) -> LabelSets:
        """All labels of a question with several right classes, over the pool; annotators are who gave them.

        What one person has said of a class more than once, as in answers about it and about all, counts as
        it was said last.

        Parameters
        ----------
        up_to_event : int, optional
            Leave out what came later.

        Raises
        ------
        InputError
            If the question has one right class.
        """
        from activelab.multilabel import LabelSets

        if not self.settings.several:
            raise InputError("this project asks for one label; its labels are no sets.")
        given = self._given(up_to_event)
        example, who, code, _ = given.rows.T
        there, who = np.unique(who, return_inverse=True)
        return LabelSets(
            example,
            who,
            given.naming.members[code],
            examples=given.size,
            annotators=given.names[there],
            classes=np.array(given.naming.classes, dtype=object),
            asked=given.asked,
            keep="last",
        )

    def num_labels(self, up_to_event: int) -> int:
        """How many labels there are up to an event; each answer about one class is one."""
        of_label = answer.c.kind == "label", answer.c.event_id <= up_to_event
        query = select(func.count()).where(*of_label)
        return self.database.read(lambda c: c.execute(query).scalar_one())

    def abstentions(self, up_to_event: int | None = None) -> Labels:
        """Who could not tell of which example, over the whole pool: a label of one class for each.

        Whoever takes back such an answer, or gives a label after it, has not abstained. Answers about one of
        several classes are left out; `set_abstentions` has them.

        Parameters
        ----------
        up_to_event : int, optional
            Leave out what came later.
        """
        given = self._given(up_to_event, queueing.ABSTENTION)
        rows = given.rows[given.rows[:, 3] == WHOLE]
        return Labels(
            rows[:, 0],
            rows[:, 1],
            np.zeros(len(rows), dtype=np.int64),
            examples=given.size,
            annotators=given.names,
            classes=1,
        )

    def set_abstentions(self, up_to_event: int | None = None) -> LabelSets:
        """Who could not tell of which classes of which example: empty sets, with the classes as ``asked``.

        Parameters
        ----------
        up_to_event : int, optional
            Leave out what came later.
        """
        from activelab.multilabel import LabelSets

        given = self._given(up_to_event, queueing.ABSTENTION)
        return LabelSets(
            given.rows[:, 0],
            given.rows[:, 1],
            np.zeros_like(given.asked),
            examples=given.size,
            annotators=given.names,
            classes=np.array(given.naming.classes, dtype=object),
            asked=given.asked,
            keep="last",
        )

    def seen_in_bulk(self, up_to_event: int | None = None) -> list[tuple[int, str]]:
        """Examples and annotators of the labels that were given to many examples at once."""
        query = (
            select(answer.c.example_id, annotator.c.name)
            .join(annotator, annotator.c.id == answer.c.annotator_id)
            .where(answer.c.bulk, answer.c.kind == "label", answer.c.asked == WHOLE)
        )
        if up_to_event is not None:
            query = query.where(answer.c.event_id <= up_to_event)
        return self.database.read(lambda c: [tuple(row) for row in c.execute(query)])

    def naming(self) -> Naming:
        """What the codes of labels stand for now."""
        return self.database.read(load_naming)

    # ------------------------------------------------------------------ labelling

    def lease(
        self,
        annotator_id: int,
        count: int | None = 1,
        *,
        have: Sequence[int] = (),
        hold: bool = True,
    ) -> list[queueing.Lease]:
        """The next examples of an annotator, kept for them (see the settings for how long).

        Parameters
        ----------
        annotator_id : int
        count : int or None
            None for as many as they may hold ahead.
        have : sequence of int
            Leases of theirs to leave out, the one they look at first. With None for ``count``, the others go
            back if a round was trained since, in exchange for what it asks first.
        hold : bool
            Whether to keep them; if not, they are shown, and an answer counts if they are still free then.

        Raises
        ------
        InputError
            If the annotator is unknown or disabled.
        """
        settings = self.refresh()
        return self._leased(
            lambda c: queueing.lease_examples(
                c, settings, annotator_id, count, time.time(), have=have, hold=hold
            )
        )

    def lease_about(
        self, annotator_id: int, examples: Sequence[int], *, hold: bool = True
    ) -> list[queueing.Lease]:
        """What is still asked of some examples, kept for somebody who has them before their eyes anyway.

        Parameters
        ----------
        annotator_id : int
        examples : sequence of int
            Those they have answered or hold, and those that nobody is to be asked about, are left out.
        hold : bool
            As of `lease`.

        Raises
        ------
        InputError
            If the annotator is unknown or disabled.
        ConflictError
            If they have to practise first.
        """
        settings = self.refresh()
        return self._leased(
            lambda c: queueing.lease_about(c, settings, annotator_id, examples, time.time(), hold=hold)
        )

    def leases_of(self, annotator_id: int) -> list[queueing.Lease]:
        """What somebody holds now, the oldest first."""
        return self.database.read(lambda c: queueing.own_leases(c, annotator_id, time.time()))

    def _leased(self, work: Callable[[Connection], Result]) -> Result:
        """Write what returns leases; the settings know the classes they ask about when this returns."""
        found, version = self.database.write(lambda c: (work(c), class_version(c)))
        if version != self._classes.version:
            self.refresh(0)
        return found

    def held(self, annotator_id: int) -> set[int]:
        """The leases somebody holds now."""
        return self.database.read(lambda c: queueing.held_by(c, annotator_id, time.time()))

    def record(
        self,
        annotator_id: int,
        lease_id: int,
        kind: str,
        *,
        label: Named | None = None,
        reason: str | None = None,
        seconds: float | None = None,
        source: str = "api",
        request: str | None = None,
        then_lease: int | None = 0,
        have: Sequence[int] = (),
        flagged: bool = False,
    ) -> tuple[queueing.Recorded, list[queueing.Lease]]:
        """Store an answer, and lease the next examples in the same transaction.

        It is about what the lease asks: of one class, ``label`` is a list of this class, or an empty list.
        ``reason`` is why an example is skipped, and a note with any other answer; ``flagged`` answers are
        shown to those who lead.
        ``then_lease`` and ``have`` are as in `lease`.

        Raises
        ------
        ConflictError
            If the lease is answered already, is not theirs, or its example went to others.
        InputError
            If the kind or the class is unknown, or a class is named that was not asked about.
        """
        (found,) = self.record_all(
            [
                Submission(
                    annotator_id,
                    lease_id,
                    kind,
                    label=label,
                    reason=reason,
                    seconds=seconds,
                    source=source,
                    request=request,
                    then_lease=then_lease,
                    have=have,
                    flagged=flagged,
                )
            ]
        )
        if isinstance(found, Exception):
            raise found
        return found

    def record_all(
        self, submissions: Sequence[Submission]
    ) -> list[tuple[queueing.Recorded, list[queueing.Lease]] | Exception]:
        """`record` for several, with one wait for the disk: what each returns, or the error it raises."""
        self.refresh()
        found: dict[int, Any] = {}
        waiting, tries = [*range(len(submissions))], 0
        while waiting:
            # The requests of one person follow each other.
            first = sorted({submissions[place].annotator_id: place for place in reversed(waiting)}.values())
            found |= zip(first, self._record([submissions[place] for place in first]), strict=True)
            changed = any(isinstance(found[place], queueing.ClassesChangedError) for place in first)
            if changed and tries < _TRIES:
                tries += 1
                self.refresh(0)
                first = [
                    place for place in first if not isinstance(found[place], queueing.ClassesChangedError)
                ]
            waiting = [place for place in waiting if place not in first]
        return [found[place] for place in range(len(submissions))]

    def _record(self, submissions: Sequence[Submission]) -> list[Any]:
        now, found, works = self._classes, dict[int, Any](), dict[int, Any]()
        for place, one in enumerate(submissions):
            try:
                works[place] = self._recording(one, now)
            except Exception as error:
                found[place] = error
        found |= zip(works, self.database.write_all([*works.values()]), strict=True)
        return [found[place] for place in range(len(submissions))]

    def _recording(
        self, one: Submission, now: _Classes
    ) -> Callable[[Connection], Steps[tuple[queueing.Recorded, list[queueing.Lease]]]]:
        code = None if one.label is None else self._code(one.label, now)
        reply = queueing.Answer(
            one.kind,
            code,
            one.reason,
            one.seconds,
            one.source,
            one.request,
            version=now.version,
            flagged=one.flagged,
        )
        return lambda connection: queueing.recording(
            connection,
            now.settings,
            one.annotator_id,
            one.lease_id,
            reply,
            time.time(),
            then_lease=one.then_lease,
            have=one.have,
        )

    def lease_grid(self, annotator_id: int) -> bulk.Grid | None:
        """Similar examples that the model agrees on, kept for somebody to answer together; None if none are.

        Raises
        ------
        ConflictError
            If the project does not let examples be answered together.
        InputError
            If the annotator is unknown or disabled.
        """
        settings = self._with_bulk()
        now = self.database.read(lambda c: (rounds.current_round(c), class_version(c)))
        if self._offered is None or self._offered[0] != now:
            self._offered = now, self.database.read(bulk.load_offered)
        offered = self._offered[1]
        if offered is None:
            return None
        return self.database.write(lambda c: bulk.lease_grid(c, settings, annotator_id, offered, time.time()))

    def record_grid(
        self,
        annotator_id: int,
        leases: Sequence[int],
        label: str,
        *,
        others: Mapping[int, str] | None = None,
        seconds: float | None = None,
        source: str = "api",
        request: str | None = None,
    ) -> list[queueing.Recorded]:
        """Store the same label of examples of a grid, all or none, as answers seen in bulk.

        With ``others``, classes by lease, examples of another class are stored as single answers. Those that
        are left out stay with the person, to be answered one by one.

        Raises
        ------
        ConflictError
            If one is not theirs or answered already, or the project does not let examples be answered
            together.
        InputError
            If there is no such class, or an example has two.
        """
        self._with_bulk()

        def store(now: _Classes) -> list[queueing.Recorded]:
            reply = queueing.Answer(
                "label",
                self._code(label, now),
                None,
                seconds,
                source,
                request,
                version=now.version,
                bulk=True,
            )
            codes = {one: self._code(name, now) for one, name in (others or {}).items()}
            return self.database.write(
                lambda c: bulk.record_grid(c, now.settings, annotator_id, leases, reply, codes, time.time())
            )

        return self._with_codes(store)

    # ------------------------------------------------------------------ practising

    def must_practise(self, annotator_id: int) -> bool:
        """Whether somebody has to practise before they get examples."""
        settings = self.refresh()
        return self.database.read(lambda c: queueing.must_practise(c, settings, annotator_id))

    def practice_of(self, annotator_id: int) -> practice.Practice:
        """How far somebody is with the examples to practise on."""
        settings = self.refresh()
        return self.database.write(lambda c: practice.practice_of(c, settings, annotator_id))

    def practise(self, annotator_id: int, example_id: int, label: Named) -> practice.Feedback:
        """Store what somebody says of the next example to practise on, and say what is right.

        Raises
        ------
        ConflictError
            If another example is next.
        InputError
            If there is no such class.
        """
        settings, code = self.refresh(), self.class_code(label)
        return self.database.write(
            lambda c: practice.answer_practice(c, settings, annotator_id, example_id, code, time.time())
        )

    def practise_again(self, annotator_id: int) -> practice.Practice:
        """Another attempt of somebody who has not passed.

        Raises
        ------
        ConflictError
            If they have passed, or are in the middle of one.
        """
        settings = self.refresh()
        return self.database.write(lambda c: practice.begin_again(c, settings, annotator_id))

    def send_to_practise(self, annotator_id: int, by: int | None = None) -> int:
        """Have somebody practise again before they get new examples; on how many.

        Raises
        ------
        ConflictError
            If they have to practise already.
        InputError
            If there is no such account, it is of somebody who does not practise, or no answer is known.
        """
        settings = self.refresh()
        return self.database.write(
            lambda c: practice.send_to_practise(c, settings, by, annotator_id, time.time())
        )

    def admit(self, annotator_id: int, by: int | None = None) -> None:
        """Let somebody label who has not passed.

        Raises
        ------
        InputError
            If there is no such account.
        """
        self.database.write(lambda c: practice.admit(c, by, annotator_id, time.time()))

    def _with_bulk(self) -> Settings:
        settings = self.refresh()
        if not settings.bulk:
            raise queueing.ConflictError("in this project examples are answered one by one.")
        return settings

    def undo(
        self, annotator_id: int, *, source: str = "api", request: str | None = None, of: str | None = None
    ) -> queueing.Lease | None:
        """Take back the last answer of an annotator and lease its example to them again.

        With ``of``, the request that stored an answer, only if this one is the last.

        Raises
        ------
        ConflictError
            If there is nothing to undo, or another answer is the last.
        """
        settings = self.refresh()
        return self._leased(
            lambda c: queueing.undo(
                c, settings, annotator_id, time.time(), source=source, request=request, of=of
            )
        )

    def put_label(
        self,
        annotator_id: int,
        example_id: int,
        label: Named,
        *,
        asked: str | None = None,
        source: str,
        seconds: float | None = None,
        request: str | None = None,
    ) -> queueing.Recorded:
        """Store a label nobody was asked for, as one from another tool; ``asked`` is the class it is of."""

        def store(now: _Classes) -> queueing.Recorded:
            said = {"seconds": seconds, "source": source, "request": request}
            reply = self._reply(now, "label", label, asked, **said)
            return self.database.write(
                lambda c: queueing.put_answer(c, annotator_id, example_id, reply, time.time())
            )

        return self._with_codes(store)

    def correct(
        self,
        annotator_id: int,
        example_id: int,
        kind: str,
        *,
        label: Named | None = None,
        asked: str | None = None,
        source: str = "api",
        request: str | None = None,
        note: str | None = None,
        flagged: bool | None = None,
    ) -> queueing.Recorded:
        """Change an answer somebody has given, also after a training; the next round knows.

        Parameters
        ----------
        annotator_id, example_id : int
        kind : {"label", "unsure"}
        label : str or list of str, optional
            Of a label.
        asked : str, optional
            The class it was about, if about one.
        source, request : str
            As of `record`.
        note : str, optional
            In place of the one there is; empty for none.
        flagged : bool, optional
            By default as before.

        Raises
        ------
        ConflictError
            If they have not answered this, or the request was one for something else.
        InputError
            If the kind, the label or the class is unknown.
        """

        def store(now: _Classes) -> queueing.Recorded:
            reply = self._reply(now, kind, label, asked, source=source, request=request, reason=note)
            return self.database.write(
                lambda c: queueing.correct(c, annotator_id, example_id, reply, time.time(), flagged=flagged)
            )

        return self._with_codes(store)

    def _reply(
        self, now: _Classes, kind: str, label: Named | None, asked: str | None, **circumstances: Any
    ) -> queueing.Answer:
        """An answer in words as it is stored."""
        if asked is not None and not now.settings.several:
            raise InputError("single classes are asked about where several may be right; here one is.")
        return queueing.Answer(
            kind,
            None if label is None else self._code(label, now),
            asked=WHOLE
            if asked is None
            else members_of([*self._names([asked], now)], now.settings.classes)[0],
            version=now.version,
            **circumstances,
        )

    def _with_codes(self, store: Callable[[_Classes], Result]) -> Result:
        """Store what names classes; should they change at this moment, once more with those of then."""
        for _ in range(_TRIES):
            try:
                return store(self._classes)
            except queueing.ClassesChangedError:
                self.refresh(0)
        return store(self._classes)

    def _decide_with(self, label: Named, work: Callable[[Connection, int], Result]) -> Result:
        """`_with_codes` for decisions, which nobody labels beside."""

        def store(now: _Classes) -> Result:
            code = self._code(label, now)

            def write(connection: Connection) -> Result:
                rounds.hold_round(connection)
                queueing.check_version(connection, now.version)
                return work(connection, code)

            return self.database.write(write)

        return self._with_codes(store)

    # ------------------------------------------------------------------ decisions

    def decide(
        self,
        annotator_id: int,
        example_id: int,
        label: Named,
        *,
        seconds: float | None = None,
        request: str | None = None,
        note: str | None = None,
    ) -> queueing.Recorded:
        """Store the label of an example as an adjudicator decides; it counts whatever annotators say.

        It takes the place of an earlier decision, costs no budget, and nobody is asked about the example
        again.

        Raises
        ------
        ConflictError
            If the request was one for something else.
        InputError
            If there is no such example or class.
        """
        return self._decide_with(
            label,
            lambda c, code: decisions.decide(
                c, annotator_id, example_id, code, time.time(), seconds=seconds, request=request, note=note
            ),
        )

    def mark_unclear(self, annotator_id: int, example_id: int, note: str | None = None) -> None:
        """Say that the guidelines do not decide an example; a decision, or asking again, takes it back.

        Raises
        ------
        InputError
            If there is no such example.
        """
        self.database.write(lambda c: decisions.mark_unclear(c, annotator_id, example_id, time.time(), note))

    def clear(self, example_id: int) -> bool:
        """Take back that the guidelines do not decide an example; whether anybody had said so."""
        return self.database.write(lambda c: decisions.clear(c, [example_id])) > 0

    def decide_all(self, annotator_id: int, examples: Iterable[int], label: Named) -> int:
        """Store the same decision on several examples, in small transactions; how many there were.

        Those that are decided so already stay as they are.

        Raises
        ------
        InputError
            If there is no such example or class.
        """
        now = time.time()
        wanted = [*dict.fromkeys(examples)]

        def decide(connection: Connection, code: int, part: list[int]) -> None:
            before = decisions.decided_among(connection, part)
            for one in part:
                if one not in before or before[one].class_code != code:
                    decisions.decide(connection, annotator_id, one, code, now)

        for at in range(0, len(wanted), _DECIDED_AT_ONCE):
            part = wanted[at : at + _DECIDED_AT_ONCE]
            self._decide_with(label, lambda c, code, part=part: decide(c, code, part))  # type: ignore[misc]
        return len(wanted)

    def ask_again(self, annotator_id: int, examples: Iterable[int]) -> int:
        """Ask for one more label of each of some examples before all others; of how many.

        Those whose answer is known or that are decided, and those there are not, are left out. The next label
        of somebody who has not answered yet is the one; until it comes, later rounds ask for it, too.
        """
        wanted = [one for one in examples if 0 <= one < self.num_examples]

        def ask(connection: Connection) -> int:
            settings = load_settings(connection)
            asked = rounds.ask_again(connection, settings, annotator_id, wanted, time.time())
            if asked:
                decisions.clear(connection, asked)
                write_audit(connection, annotator_id, "asked again", {"count": len(asked)})
            return len(asked)

        return self.database.write(ask)

    def undo_decision(
        self, annotator_id: int, example_id: int, *, request: str | None = None
    ) -> queueing.Recorded:
        """Take back the decision on an example, whoever made it.

        Raises
        ------
        ConflictError
            If nothing is decided, or the request was one for something else.
        """
        return self.database.write(
            lambda c: decisions.undo_decision(c, annotator_id, example_id, time.time(), request=request)
        )

    def check(
        self,
        annotator_id: int,
        audit_id: int,
        example_id: int,
        label: Named,
        *,
        seconds: float | None = None,
        request: str | None = None,
    ) -> queueing.Recorded:
        """Store what is right for an example of an audit, judged without seeing its labels; a decision.

        Raises
        ------
        ConflictError
            If it is checked already, or the request was one for something else.
        InputError
            If the audit does not ask for it, or there is no such class.
        """
        return self._decide_with(
            label,
            lambda c, code: audits.check(
                c, annotator_id, audit_id, example_id, code, time.time(), seconds=seconds, request=request
            ),
        )

    def known_truths(self) -> Ints:
        """Codes of labels that are known, int32 of shape (n_examples,): decided, else gold; -1 elsewhere."""
        return self.database.read(decisions.load_truths).label

    def families(self, labels: Labels | LabelSets) -> dict[str, str]:
        """The family of those annotators of some labels who are said to err together."""
        there = set(labels.annotators.tolist())
        return {name: family for name, family in self.settings.family_of().items() if name in there}

    def class_code(self, label: Named) -> int:
        """Code of a class, or of a set of classes where several may be right.

        Raises
        ------
        InputError
            If the project has no such class, or asks for one and a list is given.
        """
        return self._code(label, self._classes)

    def _code(self, label: Named, now: _Classes) -> int:
        settings = now.settings
        if settings.several:
            names = names_in(label) if isinstance(label, str) else label
            members = members_of(self._names(names, now), settings.classes)
            if members not in now.sets:
                now.sets.update(self.database.write(lambda c: set_codes(c, [members], now.version)))
            return now.sets[members]
        if not isinstance(label, str):
            raise InputError("this project asks for one class, not for a list of them.")
        (name,) = self._names([label], now)
        if name not in settings.classes:
            raise InputError(f"{name!r} is none of the classes {', '.join(settings.classes)}.")
        return settings.classes.index(name)

    def _names(self, names: list[str], now: _Classes) -> list[str]:
        """What classes are called now: an open page may still use the name of before."""
        if not now.version or all(name in now.settings.classes for name in names):
            return names
        renamed, gone = self.database.read(lambda c: names_now(c, names, now.settings.classes))
        if gone:
            raise InputError(next(iter(gone.values())))
        return [renamed.get(name, name) for name in names]


def create_project(place: str | os.PathLike[str], settings: Settings) -> Project:
    """A new project in a new file, or in an empty database or schema of PostgreSQL.

    Raises
    ------
    InputError
        If there is one already, or the settings name a model that is none.
    StorageError
        If the database cannot be made.
    """
    check_models(settings.models)
    database = Database(place)
    if database.is_sqlite:
        _make_file(Path(str(database.url.database)))

    def begin(connection: Connection) -> None:
        rounds.hold_round(connection)
        if load_value(connection, "kind") is not None:  # somebody else was faster
            raise InputError(f"{database.name} is not empty.")
        store_settings(connection, settings)
        write_audit(connection, None, "project created", {"title": settings.title})

    try:
        database.make_schema()
        if schema_state(database) != "none":
            raise InputError(f"{database.name} is not empty.")
        upgrade(database)
        database.write(begin)
        return Project(database)
    except BaseException:
        database.close()
        if database.is_sqlite:
            remove_file(str(database.url.database))
        raise


def _make_file(path: Path) -> None:
    """An empty file, of which nobody else believes to have made it."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        raise InputError(f"{path} exists already. Choose another name, or use that project.") from None
    except OSError as error:
        raise StorageError(f"{path}: the file cannot be made: {error.strerror}.") from error


def open_project(place: str | os.PathLike[str], *, connections: int = 10) -> Project:
    """A project that exists; its schema is brought up to date.

    Parameters
    ----------
    place : str or path
    connections : int
        As for `Database`.

    Raises
    ------
    InputError
        If there is none, or it was made by a newer version.
    StorageError
        If the database cannot be read.
    """
    database = Database(place, connections=connections)
    if database.is_sqlite and not Path(str(database.url.database)).is_file():
        raise InputError(f"{place}: there is no such project. Make one with: activelab init {place}")
    try:
        state = schema_state(database)
        if state in ("none", "foreign"):
            raise InputError(f"{database.name} holds no project. Make one with: activelab init")
        if state == "newer":
            raise InputError(
                f"{database.name} was made by a newer version of activelab; upgrade the program."
            )
        if state == "old":
            upgrade(database)
        return Project(database)
    except BaseException:
        database.close()
        raise
