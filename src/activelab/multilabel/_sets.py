"""LabelSets: who chose which classes of which example, several at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from activelab._errors import InputError, counted, first
from activelab._set_text import SEPARATOR, names_in, set_text
from activelab._typing import Bools, Ids, Ints
from activelab._vocabulary import Vocabulary, as_vocabulary, factorize, missing
from activelab.labels import Keep, Labels, check_keep

if TYPE_CHECKING:
    from activelab._frames import Backend

_ANSWERS_A_BLOCK = 1 << 16


class LabelSets:
    """Answers to a question with several right classes: one row an answer, which is a set of classes.

    The empty set is an answer: none of the classes applies. An answer may be partial, where somebody was
    asked about some of the classes only ("is it also a refund?"); the others stay open.

    Most users build one with `from_long`, `from_wide` or `from_lists`; the constructor takes codes. Objects
    are immutable.

    Parameters
    ----------
    example, annotator : array-like of int, shape (n_answers,)
        Codes, in any order.
    chosen : array-like of bool, shape (n_answers, n_classes)
        Which classes the answer says apply.
    examples, annotators, classes : int or array-like
        Vocabularies, as of `Labels`. ``examples`` is the whole pool.
    asked : array-like of bool, shape (n_answers, n_classes), optional
        Which classes the answer is about; by default all. Answers of one annotator about different classes
        of one example become one row.
    keep : {"error", "first", "last"}
        What to do when an annotator answered about a class of an example more than once.

    Attributes
    ----------
    annotator : ndarray of int32, shape (n_answers,)
        Codes, sorted by example and, within an example, by annotator.
    chosen, asked : ndarray of bool, shape (n_answers, n_classes)
        In the same order.
    offsets : ndarray of int64, shape (n_examples + 1,)
        The answers about example ``i`` are rows ``offsets[i]`` to ``offsets[i + 1]``.

    Raises
    ------
    InputError
        If shapes differ, a code is outside its vocabulary, an id is duplicated, a class is chosen that was
        not asked about, an answer is about no class, or one repeats and ``keep`` is "error".

    Examples
    --------
    >>> from activelab import LabelSets
    >>> chosen = [[True, False], [True, True], [False, False]]
    >>> LabelSets([0, 0, 2], [0, 1, 0], chosen, examples=3, annotators=["ann", "bob"], classes=["a", "b"])
    LabelSets(3 answers, 3 examples (1 without answers), 2 annotators, 2 classes: 'a', 'b')
    """

    offsets: Ints
    annotator: Ints
    chosen: Bools

    def __init__(
        self,
        example: Iterable[int],
        annotator: Iterable[int],
        chosen: Any,
        *,
        examples: int | Iterable[Any] | Vocabulary,
        annotators: int | Iterable[Any] | Vocabulary,
        classes: int | Iterable[Any] | Vocabulary,
        asked: Any = None,
        keep: Keep = "error",
    ) -> None:
        check_keep(keep)
        rows = np.asarray(example)
        # Each row is a label of its own: `Labels` checks codes and vocabularies, and sorts.
        people = np.asarray(annotator)
        pool = as_vocabulary(examples, "example")
        team = as_vocabulary(annotators, "annotator")
        Labels(rows, people, np.zeros_like(rows), examples=pool, annotators=team, classes=1, keep="last")
        vocabulary = as_vocabulary(classes, "class")
        marks = _mask(chosen, "chosen", (len(rows), len(vocabulary)))
        about = None if asked is None else _mask(asked, "asked", marks.shape)
        if about is not None and about.all():
            about = None
        if about is not None:
            _check_asked(marks, about, vocabulary)
        rows, people = rows.astype(np.int64, copy=False), people.astype(np.int64, copy=False)
        self._pool, self._team, self._classes = pool, team, vocabulary
        self._set(rows, people, marks, about, keep)

    def _set(self, example: Ints, annotator: Ints, chosen: Bools, asked: Bools | None, keep: Keep) -> None:
        """Sort by example and annotator, and make one row of what one annotator said of one example."""
        key = example * max(len(self._team), 1) + annotator
        if not (key[1:] > key[:-1]).all():
            order = np.argsort(key, kind="stable")
            key, example, annotator = key[order], example[order], annotator[order]
            chosen, asked = chosen[order], None if asked is None else asked[order]
            start = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
            if len(start) < len(key):
                about = np.ones_like(chosen) if asked is None else asked
                self._check_repeats(np.add.reduceat(about, start, dtype=np.int64), start, order, keep)
                chosen, asked = _merged(chosen, about, start, keep)
                example, annotator = example[start], annotator[start]
        self.offsets = np.zeros(len(self._pool) + 1, dtype=np.int64)
        np.cumsum(np.bincount(example, minlength=len(self._pool)), out=self.offsets[1:])
        self.annotator, self.chosen = annotator.astype(np.int32), chosen
        self._asked = None if asked is None or asked.all() else asked
        for array in (self.offsets, self.annotator, self.chosen):
            array.flags.writeable = False

    def _check_repeats(self, times: Ints, start: Ints, order: Ints, keep: Keep) -> None:
        if keep != "error" or times.max(initial=0) < 2:
            return
        at = int(np.argmax(times.max(axis=1) > 1))
        one, two = (int(row) for row in order[start[at] : start[at] + 2])
        raise InputError(
            f"an annotator answered about an example more than once; "
            f"{counted(int((times.max(axis=1) > 1).sum()), 'answer')} repeated in all.",
            row=(one, two),
            advice="keep",
        )

    # ------------------------------------------------------------------ construction

    @classmethod
    def from_long(
        cls,
        example: Iterable[Any],
        annotator: Iterable[Any],
        label_sets: Iterable[Any],
        classes: int | Iterable[Any] | None = None,
        *,
        examples: int | Iterable[Any] | None = None,
        asked: Iterable[Any] | None = None,
        keep: Keep = "error",
    ) -> LabelSets:
        """Answers from three columns, one row an answer.

        Parameters
        ----------
        example, annotator : array-like of ids
        label_sets : iterable
            Sets or lists of classes, or texts with "|" between the classes; "|" alone is the empty set, as
            ``set()`` is. Rows where it is missing (None, NaN, empty text) are no answers and are left out.
        classes : int or array-like, optional
            The class vocabulary, in the order of the columns of ``pred_probs``; by default the classes that
            somebody chose, sorted.
        examples : int or array-like, optional
            The whole pool; by default the examples that occur, sorted.
        asked : iterable, optional
            The classes each answer is about, as sets, lists or texts; missing means all.
        keep : {"error", "first", "last"}
            What to do when an annotator answered about a class of an example more than once.

        Raises
        ------
        InputError
            If lengths differ, a class is outside ``classes``, an example outside ``examples``, or an answer
            repeats.

        Examples
        --------
        >>> from activelab import LabelSets
        >>> sets = LabelSets.from_long(["x", "x", "y"], ["ann", "bob", "ann"], ["a|b", {"a"}, set()])
        >>> sets
        LabelSets(3 answers, 2 examples, 2 annotators, 2 classes: 'a', 'b')
        >>> sets.chosen.astype(int).tolist()
        [[1, 1], [1, 0], [0, 0]]
        """
        where, who, said = _items(example), _items(annotator), _items(label_sets)
        about = [None] * len(said) if asked is None else _items(asked)
        if len({len(where), len(who), len(said), len(about)}) > 1:
            raise InputError(
                "example, annotator and label_sets must have one length, got "
                f"{len(where)}, {len(who)}, {len(said)}."
            )
        rows = [row for row, value in enumerate(said) if not _absent(value)]
        if examples is None:
            where_codes, pool = factorize(where, "example")
        else:
            pool = as_vocabulary(examples, "example")
            where_codes = pool.encode_known(where)
        who_codes, team = factorize([who[row] for row in rows], "annotator")
        sets = [_members(said[row]) for row in rows]
        vocabulary = _class_vocabulary(sets, classes)
        about_sets = [_members(about[row]) if not _absent(about[row]) else None for row in rows]
        return cls(
            where_codes[rows] if rows else [],
            who_codes,
            _matrix(sets, vocabulary, rows),
            examples=pool,
            annotators=team,
            classes=vocabulary,
            asked=_asked_matrix(about_sets, vocabulary, rows),
            keep=keep,
        )

    @classmethod
    def from_wide(
        cls,
        matrix: Any,
        classes: int | Iterable[Any] | None = None,
        *,
        examples: int | Iterable[Any] | None = None,
        annotators: int | Iterable[Any] | None = None,
    ) -> LabelSets:
        """Answers from a table with one row an example and one column an annotator.

        Parameters
        ----------
        matrix : array-like or dataframe, shape (n_examples, n_annotators)
            Cells as ``label_sets`` of `from_long`. A dataframe's column names are the annotator ids, a pandas
            index the example ids.
        classes, examples, annotators : int or array-like, optional
            Vocabularies. By default the classes that somebody chose, sorted, and the ids of rows and columns.

        Examples
        --------
        >>> from activelab import LabelSets
        >>> LabelSets.from_wide([["a|b", "a"], [None, "|"]])
        LabelSets(3 answers, 2 examples, 2 annotators, 2 classes: 'a', 'b')
        """
        if isinstance(matrix, Sequence):
            return cls.from_lists(matrix, classes, examples=examples, annotators=annotators)
        from activelab._frames import wide_values

        values, row_ids, column_ids = wide_values(matrix)
        return cls.from_lists(
            [list(row) for row in values],
            classes,
            examples=row_ids if examples is None else examples,
            annotators=next(
                given for given in (annotators, column_ids, values.shape[1]) if given is not None
            ),
        )

    @classmethod
    def from_lists(
        cls,
        answers: Sequence[Iterable[Any]],
        classes: int | Iterable[Any] | None = None,
        *,
        examples: int | Iterable[Any] | None = None,
        annotators: int | Iterable[Any] | None = None,
    ) -> LabelSets:
        """Answers from one list an example, whose entry j is what annotator j chose.

        Parameters
        ----------
        answers : sequence of lists
            Entries as ``label_sets`` of `from_long`; lists may be shorter than there are annotators.
        classes, examples, annotators : int or array-like, optional
            Vocabularies. By default the classes that somebody chose, sorted, and 0, 1, …

        Examples
        --------
        >>> from activelab import LabelSets
        >>> sets = LabelSets.from_lists([[{"a", "b"}, ["a"]], [set()], [None, "b"]])
        >>> sets.counts.tolist(), sets.label_sets
        ([2, 1, 1], [('a', 'b'), ('a',), (), ('b',)])
        """
        lists = [_items(row) for row in answers]
        cells = [
            (row, column, value)
            for row, values in enumerate(lists)
            for column, value in enumerate(values)
            if not _absent(value)
        ]
        sets = [_members(value) for _, _, value in cells]
        vocabulary = _class_vocabulary(sets, classes)
        widest = max((len(row) for row in lists), default=0)
        return cls(
            [row for row, _, _ in cells],
            [column for _, column, _ in cells],
            _matrix(sets, vocabulary, [row for row, _, _ in cells]),
            examples=len(lists) if examples is None else examples,
            annotators=widest if annotators is None else annotators,
            classes=vocabulary,
        )

    @classmethod
    def from_labels(cls, labels: Labels, classes: int | Iterable[Any] | None = None) -> LabelSets:
        """Answers from `Labels` whose classes are texts such as "a|b", each a set.

        Parameters
        ----------
        labels : Labels
        classes : int or array-like, optional
            The class vocabulary. By default the classes that occur in a set, sorted.

        Examples
        --------
        >>> import activelab as al
        >>> labels = al.Labels.from_records([("x", "ann", "a|b"), ("y", "ann", "|")])
        >>> al.LabelSets.from_labels(labels)
        LabelSets(2 answers, 2 examples, 1 annotator, 2 classes: 'a', 'b')
        """
        sets = [_members(name) for name in labels.classes.tolist()]
        vocabulary = _class_vocabulary(sets, classes)
        chosen = _matrix(sets, vocabulary, None)
        return cls(
            labels.example,
            labels.annotator,
            chosen[labels.label],
            examples=labels.examples,
            annotators=labels.annotators,
            classes=vocabulary,
        )

    # ------------------------------------------------------------------ what it holds

    @property
    def n_answers(self) -> int:
        """Number of answers."""
        return len(self.annotator)

    @property
    def n_examples(self) -> int:
        """Number of examples in the pool, answered or not."""
        return len(self._pool)

    @property
    def n_annotators(self) -> int:
        """Number of annotators."""
        return len(self._team)

    @property
    def n_classes(self) -> int:
        """Number of classes of the vocabulary."""
        return len(self._classes)

    @property
    def examples(self) -> Ids:
        """Example ids, in the order of their codes."""
        return self._pool.values

    @property
    def annotators(self) -> Ids:
        """Annotator ids, in the order of their codes."""
        return self._team.values

    @property
    def classes(self) -> Ids:
        """Class ids, in the order of the columns of `chosen`."""
        return self._classes.values

    @property
    def example(self) -> Ints:
        """Example code of each answer."""
        return np.repeat(np.arange(self.n_examples), np.diff(self.offsets))

    @property
    def counts(self) -> Ints:
        """Number of answers about each example, int64 of shape (n_examples,)."""
        return np.diff(self.offsets)

    @property
    def labelled(self) -> Bools:
        """Mask of the examples that have at least one answer, shape (n_examples,)."""
        return self.offsets[1:] > self.offsets[:-1]

    @property
    def asked(self) -> Bools:
        """Which classes each answer is about, shape (n_answers, n_classes)."""
        return np.ones_like(self.chosen) if self._asked is None else self._asked

    def asked_about(self, code: int) -> Bools:
        """Which answers are about a class, shape (n_answers,)."""
        return np.ones(self.n_answers, dtype=bool) if self._asked is None else self._asked[:, code]

    @property
    def label_sets(self) -> list[tuple[Any, ...]]:
        """The classes chosen in each answer, in the order of `classes`."""
        return named_sets(self.chosen, self.classes)

    @property
    def pairs(self) -> Labels:
        """The answers as labels of n_examples × n_classes questions with the classes 0 (no) and 1 (yes).

        Row ``example * n_classes + class`` is whether the class applies to the example.

        Examples
        --------
        >>> from activelab import LabelSets
        >>> pairs = LabelSets.from_lists([["a|b", "a"], ["|"]]).pairs
        >>> pairs.example.tolist(), pairs.annotator.tolist(), pairs.label.tolist()
        ([0, 0, 1, 1, 2, 3], [0, 1, 0, 1, 0, 0], [1, 1, 1, 0, 0, 0])
        """
        size, example = self.n_classes, self.example
        if self._asked is None:
            counts = self.counts
            offsets = np.zeros(self.n_examples * size + 1, dtype=np.int64)
            np.cumsum(np.repeat(counts, size), out=offsets[1:])
            annotator = np.empty(self.n_answers * size, dtype=self.annotator.dtype)
            label = np.empty(self.n_answers * size, dtype=np.int32)
            begin = self.offsets[:-1][example]
            place = begin * (size - 1) + np.arange(self.n_answers)
            for code in range(size):
                annotator[place] = self.annotator
                label[place] = self.chosen[:, code]
                place += counts[example]
        else:
            row, column = np.nonzero(self._asked)
            pair = example[row] * size + column
            order = np.argsort(pair, kind="stable")
            offsets = np.zeros(self.n_examples * size + 1, dtype=np.int64)
            np.cumsum(np.bincount(pair, minlength=self.n_examples * size), out=offsets[1:])
            annotator = self.annotator[row[order]]
            label = self.chosen[row, column][order].astype(np.int32)
        return Labels.of_sorted(
            offsets,
            annotator,
            label,
            examples=Vocabulary(self.n_examples * size, "example"),
            annotators=self._team,
            classes=Vocabulary(2, "class"),
        )

    def of_class(self, code: int) -> Labels:
        """The answers about one class, as labels of the pool with the classes 0 (no) and 1 (yes).

        Examples
        --------
        >>> from activelab import LabelSets
        >>> LabelSets.from_lists([["a|b", "a"], ["|"]]).of_class(1).label.tolist()
        [1, 0, 0]
        """
        label, annotator, offsets = self.chosen[:, code], self.annotator, self.offsets
        if self._asked is not None:
            about = self._asked[:, code]
            label, annotator = label[about], annotator[about]
            offsets = np.concatenate([[0], np.cumsum(about)])[self.offsets]
        return Labels.of_sorted(
            offsets,
            annotator,
            label.astype(np.int32),
            examples=self._pool,
            annotators=self._team,
            classes=Vocabulary(2, "class"),
        )

    def tie_keys(self, index: Ints) -> Ints:
        """What ties between the examples at the given positions are drawn by, as of `Labels`."""
        return self._pool.keys(index)

    def __len__(self) -> int:
        return self.n_answers

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelSets):
            return NotImplemented
        return (
            self._pool == other._pool
            and self._team == other._team
            and self._classes == other._classes
            and np.array_equal(self.offsets, other.offsets)
            and np.array_equal(self.annotator, other.annotator)
            and np.array_equal(self.chosen, other.chosen)
            and np.array_equal(self.asked, other.asked)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        without = self.n_examples - int(np.count_nonzero(self.labelled))
        pool = f" ({without:,} without answers)" if without else ""
        names = [repr(name) for name in self.classes[:8].tolist()]
        if self.n_classes > 8:
            names = [*names[:6], "…", repr(self.classes[-1:].tolist()[0])]
        sizes = [counted(self.n_answers, "answer"), counted(self.n_examples, "example") + pool]
        sizes += [counted(self.n_annotators, "annotator"), counted(self.n_classes, "class")]
        return f"LabelSets({', '.join(sizes)}: {', '.join(names)})"

    # ------------------------------------------------------------------ new ones from old, and out

    def tell(
        self,
        examples: Iterable[Any],
        *,
        annotator: Any,
        label_sets: Iterable[Any],
        asked: Iterable[Any] | None = None,
        keep: Keep = "error",
    ) -> LabelSets:
        """Add answers; returns new `LabelSets`.

        Parameters
        ----------
        examples : array-like
            Ids of examples of the pool.
        annotator : id, or array-like of the same length as ``examples``
            Who answered. A new annotator is added.
        label_sets, asked, keep
            As for `from_long`.

        Examples
        --------
        >>> from activelab import LabelSets
        >>> sets = LabelSets.from_lists([["a|b"], [None]])
        >>> sets.tell([1], annotator=0, label_sets=["b"], asked=["b"]).asked.tolist()
        [[True, True], [False, True]]
        """
        ids, said = _items(examples), _items(label_sets)
        who = _items(annotator) if _is_several(annotator) else [annotator] * len(ids)
        about = [None] * len(ids) if asked is None else _items(asked)
        if len({len(ids), len(said), len(who), len(about)}) > 1:
            raise InputError(f"{len(ids)} examples, {len(who)} annotators and {len(said)} sets were given.")
        team = self._team.extended(who)
        sets = [_members(value) for value in said]
        about_sets = [None if _absent(value) else _members(value) for value in about]
        rows = range(len(ids))
        new_asked = _asked_matrix(about_sets, self._classes, rows)
        new = np.ones((len(ids), self.n_classes), dtype=bool) if new_asked is None else new_asked
        return LabelSets(
            np.concatenate([self.example, self._pool.encode_known(ids, "pool")]),
            np.concatenate([self.annotator, team.encode(who)]),
            np.concatenate([self.chosen, _matrix(sets, self._classes, rows)]),
            examples=self._pool,
            annotators=team,
            classes=self._classes,
            asked=np.concatenate([self.asked, new]),
            keep=keep,
        )

    def select(
        self, examples: Iterable[Any] | Bools | None = None, *, answers: Bools | None = None
    ) -> LabelSets:
        """Keep some examples, in the order given, or some answers; returns new `LabelSets`.

        Parameters
        ----------
        examples : array-like of ids, or bool mask of shape (n_examples,), optional
            The new pool. By default the whole pool.
        answers : bool mask of shape (n_answers,), optional
            Answers to keep. By default all.

        Examples
        --------
        >>> from activelab import LabelSets
        >>> LabelSets.from_lists([["a|b", "a"], ["|"]]).select([1]).n_answers
        1
        """
        kept = np.ones(self.n_answers, dtype=bool) if answers is None else np.asarray(answers, dtype=bool)
        if kept.shape != (self.n_answers,):
            raise InputError(f"a mask of answers needs shape ({self.n_answers},), got {kept.shape}.")
        example, pool = self.example, self._pool
        if examples is not None:
            given = np.asarray(examples) if isinstance(examples, np.ndarray) else None
            if given is not None and given.dtype == bool:
                if given.shape != (self.n_examples,):
                    raise InputError(
                        f"a mask of examples needs shape ({self.n_examples},), got {given.shape}."
                    )
                rows = np.flatnonzero(given)
            else:
                rows = self._pool.encode_known(examples)
            pool = Vocabulary(self._pool.take(rows), "example")
            code = np.full(self.n_examples, -1, dtype=np.int64)
            code[rows] = np.arange(len(rows))
            example = code[example]
            kept = kept & (example >= 0)
        return LabelSets(
            example[kept],
            self.annotator[kept],
            self.chosen[kept],
            examples=pool,
            annotators=self._team,
            classes=self._classes,
            asked=None if self._asked is None else self._asked[kept],
        )

    def with_examples(self, examples: Iterable[Any]) -> LabelSets:
        """The same answers over a larger pool; ids the pool lacks are appended without answers."""
        pool = self._pool.extended(examples)
        if len(pool) == self.n_examples:
            return self
        return LabelSets(
            self.example,
            self.annotator,
            self.chosen,
            examples=pool,
            annotators=self._team,
            classes=self._classes,
            asked=self._asked,
        )

    def to_long(self, backend: Backend = "pandas") -> Any:
        """A dataframe with columns example, annotator, label ("a|b"), and asked if answers are partial.

        Examples
        --------
        >>> from activelab import LabelSets
        >>> print(LabelSets.from_lists([["a|b", "a"], ["|"]]).to_long().to_string(index=False))
         example  annotator label
               0          0   a|b
               0          1     a
               1          0     |
        """
        from activelab._frames import make_frame

        columns = {
            "example": self._pool.take(self.example),
            "annotator": self._team.take(self.annotator.astype(np.int64)),
            "label": texts(self.chosen, self.classes),
        }
        if self._asked is not None:
            columns["asked"] = texts(self._asked, self.classes)
        return make_frame(columns, backend)


def named_sets(chosen: Bools, classes: Ids) -> list[tuple[Any, ...]]:
    """The classes chosen in each row, as tuples."""
    names = np.empty(len(classes), dtype=object)
    names[:] = classes.tolist()
    row, column = np.nonzero(chosen)
    ends = np.cumsum(np.bincount(row, minlength=len(chosen)))[:-1]
    return [tuple(one.tolist()) for one in np.split(names[column], ends)] if len(chosen) else []


def texts(chosen: Bools, classes: Ids) -> Ids:
    """The classes chosen in each row as one text, such as "a|b".

    Raises
    ------
    InputError
        If the name of a class holds the separator.
    """
    names = [str(name) for name in classes.tolist()]
    odd = [name for name in names if SEPARATOR in name]
    if odd:
        raise InputError(
            f"the name of class {odd[0]!r} holds {SEPARATOR!r}, which separates classes in a text."
        )
    found = np.empty(len(chosen), dtype=object)
    found[:] = [set_text(map(str, one)) for one in named_sets(chosen, classes)]
    return found


def _mask(values: Any, name: str, shape: tuple[int, ...]) -> Bools:
    array = np.asarray(values)
    if not array.size:
        array = np.zeros(shape if 0 in shape else array.shape, dtype=bool)
    if array.shape != shape:
        raise InputError(
            f"{name} must have one row an answer and one column a class, {shape}; got {array.shape}."
        )
    if array.dtype.kind != "b" and not np.isin(array, (0, 1)).all():
        raise InputError(f"{name} must hold booleans, got dtype {array.dtype}.")
    return np.array(array, dtype=bool)


def _check_asked(chosen: Bools, asked: Bools, classes: Vocabulary) -> None:
    unasked = chosen & ~asked
    if unasked.any():
        row, column = (int(at) for at in np.argwhere(unasked)[0])
        name = classes.values[column : column + 1].tolist()[0]
        raise InputError(f"class {name!r} is chosen in an answer that was not about it.", row=row)
    about_none = ~asked.any(axis=1)
    if about_none.any():
        raise InputError("an answer is about no class at all.", row=int(np.argmax(about_none)))


def _merged(chosen: Bools, asked: Bools, start: Ints, keep: Keep) -> tuple[Bools, Bools]:
    """One row of each run of rows; where several were asked about a class, the first or the last counts."""
    place = np.arange(len(chosen))[:, None]
    if keep == "first":
        row = np.minimum.reduceat(np.where(asked, place, len(chosen)), start)
        row[row == len(chosen)] = -1
    else:
        row = np.maximum.reduceat(np.where(asked, place, -1), start)
    merged = chosen[row, np.arange(chosen.shape[1])] & (row >= 0)
    return merged, row >= 0


def _items(values: Iterable[Any]) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _is_several(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__len__")


def _absent(value: Any) -> bool:
    """Whether a cell holds no answer; the empty set is one."""
    if isinstance(value, set | frozenset | Sequence | np.ndarray | Mapping) and not isinstance(value, str):
        return False
    cell = np.empty(1, dtype=object)
    cell[0] = value
    return bool(missing(cell)[0])


def _members(value: Any) -> tuple[Any, ...]:
    """The classes in a cell: a set, a list, a text with separators, or one class."""
    if isinstance(value, str):
        return tuple(names_in(value))
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    if isinstance(value, Iterable):
        return tuple(value)
    return (value,)


def _class_vocabulary(
    sets: Sequence[Iterable[Any]], classes: int | Iterable[Any] | Vocabulary | None
) -> Vocabulary:
    if classes is not None:
        return as_vocabulary(classes, "class")
    named = [name for members in sets for name in members]
    if not named:
        raise InputError("no answer names a class. Give classes=.")
    return factorize(named, "class")[1]


def _matrix(sets: Sequence[Iterable[Any]], classes: Vocabulary, rows: Sequence[int] | range | None) -> Bools:
    """Which classes are in each set; ``rows`` are the places of the sets, for errors."""
    chosen = np.zeros((len(sets), len(classes)), dtype=bool)
    row = [place for place, members in enumerate(sets) for _ in members]
    named = [name for members in sets for name in members]
    if not named:
        return chosen
    codes = classes.encode(named)
    if (codes < 0).any():
        # Texts name classes that are numbers by their digits.
        spelled = {str(name): code for code, name in enumerate(classes.values.tolist())}
        codes = np.array([spelled.get(str(name), -1) for name in named])
    if (codes < 0).any():
        at = int(np.argmax(codes < 0))
        raise InputError(
            f"label {named[at]!r} is not one of the {len(classes)} classes: "
            f"{first(classes.values[:11].tolist())}.",
            row=None if rows is None else rows[row[at]],
            column="label",
        )
    chosen[row, codes] = True
    return chosen


def _asked_matrix(
    sets: Sequence[Iterable[Any] | None], classes: Vocabulary, rows: Sequence[int] | range
) -> Bools | None:
    if all(members is None for members in sets):
        return None
    asked = _matrix([() if members is None else members for members in sets], classes, rows)
    asked[[members is None for members in sets]] = True
    return asked
