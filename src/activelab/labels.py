"""Labels: who said what about which example, stored sparsely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from activelab._columns import candidates, find_column
from activelab._errors import InputError, counted, first
from activelab._typing import Bools, Ids, Ints
from activelab._vocabulary import Vocabulary, as_ids, as_vocabulary, factorize, missing

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

    from activelab._frames import Backend

__all__ = ["Labels", "Totals"]

Keep = Literal["error", "first", "last"]


class Totals(NamedTuple):
    """What is counted over all labels of a pool.

    Attributes
    ----------
    sizes : ndarray of int, shape (most + 1,)
        Examples with no label, one, two, and so on.
    class_counts : ndarray of int, shape (n_classes,)
        Labels of each class.
    """

    sizes: Ints
    class_counts: Ints

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return int(self.class_counts.sum())

    def n_with(self, at_least: int) -> int:
        """Number of examples with ``at_least`` so many labels."""
        return int(self.sizes[at_least:].sum())


class Labels:
    """The labels of a pool of examples: one row a label, sorted by example.

    Three integer arrays of length ``n_labels`` hold the codes; three vocabularies map the codes to
    the user's own ids. Memory is proportional to the number of labels. Objects are immutable:
    `tell`, `select` and the ``with_`` methods return new ones.

    Most users build one with `from_long`, `from_wide` or `from_records`; the constructor takes codes.

    Parameters
    ----------
    example, annotator, label : array-like of int, shape (n_labels,)
        Codes, in any order.
    examples, annotators, classes : int or array-like
        Vocabularies: the ids in the order of their codes, or a number ``n`` for ids 0..n-1.
        ``examples`` is the whole pool; an example without labels is part of it. ``classes`` fixes K,
        whether or not every class has been used.
    keep : {"error", "first", "last"}
        What to do when an annotator labelled an example more than once.

    Attributes
    ----------
    example, annotator, label : ndarray of int32, shape (n_labels,)
        Codes, sorted by example and, within an example, by annotator.
    offsets : ndarray of int64, shape (n_examples + 1,)
        The labels of example ``i`` are rows ``offsets[i]`` to ``offsets[i + 1]``.

    Raises
    ------
    InputError
        If lengths differ, a code is outside its vocabulary, an id is duplicated, or an annotator
        labelled an example twice and ``keep`` is "error".

    Examples
    --------
    >>> from activelab import Labels
    >>> Labels([0, 0, 2], [0, 1, 0], [1, 1, 0], examples=4, annotators=["ann", "bob"], classes=2)
    Labels(3 labels, 4 examples (2 without labels), 2 annotators, 2 classes: 0, 1)
    """

    __slots__ = (
        "_annotators",
        "_classes",
        "_examples",
        "_totals",
        "annotator",
        "drawn",
        "label",
        "offsets",
    )

    drawn: dict[float, Ints]  # the samples that `activelab._kernels.blocks` has drawn, by their share
    offsets: Ints
    annotator: Ints
    label: Ints

    def __init__(
        self,
        example: Iterable[int],
        annotator: Iterable[int],
        label: Iterable[int],
        *,
        examples: int | Iterable[Any] | Vocabulary,
        annotators: int | Iterable[Any] | Vocabulary,
        classes: int | Iterable[Any] | Vocabulary,
        keep: Keep = "error",
    ) -> None:
        vocabularies = (
            as_vocabulary(examples, "example"),
            as_vocabulary(annotators, "annotator"),
            as_vocabulary(classes, "class"),
        )
        codes = [_codes(column) for column in (example, annotator, label)]
        names = ("example", "annotator", "label")
        for name, array, vocabulary in zip(names, codes, vocabularies, strict=True):
            if array.ndim != 1 or (len(array) and array.dtype.kind not in "iu"):
                raise InputError(
                    f"the {name} codes must be a one-dimensional array of integers, got shape "
                    f"{array.shape} and dtype {array.dtype}. For ids use Labels.from_long."
                )
            if len(array) != len(codes[0]):
                raise InputError(
                    f"example, annotator and label must have one length, got "
                    f"{', '.join(str(len(c)) for c in codes)}."
                )
            if len(array) and (array.min() < 0 or array.max() >= len(vocabulary)):
                row = int(np.argmax((array < 0) | (array >= len(vocabulary))))
                raise InputError(
                    f"{name} code {array[row]} is outside 0..{len(vocabulary) - 1}.",
                    row=row,
                    column=name,
                )
        self._set(*_sorted(codes, vocabularies, keep), *vocabularies)

    @classmethod
    def of_sorted(
        cls,
        offsets: Ints,
        annotator: Ints,
        label: Ints,
        *,
        examples: Vocabulary,
        annotators: Vocabulary,
        classes: Vocabulary,
        totals: Totals | None = None,
    ) -> Labels:
        """Labels from the arrays that an object like this one holds; nothing is checked.

        ``totals`` are those of the pool these are a sample of.
        """
        return cls.__new__(cls)._set(offsets, annotator, label, examples, annotators, classes, totals)

    def _set(
        self,
        offsets: Ints,
        annotator: Ints,
        label: Ints,
        examples: Vocabulary,
        annotators: Vocabulary,
        classes: Vocabulary,
        totals: Totals | None = None,
    ) -> Labels:
        for array in (offsets, annotator, label):
            array.flags.writeable = False
        self.offsets, self.annotator, self.label = offsets, annotator, label
        self._examples, self._annotators, self._classes = examples, annotators, classes
        self._totals, self.drawn = totals, {}
        return self

    # ------------------------------------------------------------------ construction

    @classmethod
    def from_long(
        cls,
        frame: IntoDataFrame | Mapping[str, Sequence[Any]],
        *,
        example: str | None = None,
        annotator: str | None = None,
        label: str | None = None,
        classes: int | Iterable[Any] | None = None,
        examples: int | Iterable[Any] | None = None,
        keep: Keep = "error",
    ) -> Labels:
        """Labels from a table with one row a label.

        Parameters
        ----------
        frame : pandas, polars, pyarrow or any dataframe narwhals reads, or a mapping of columns
            Ids and labels may be integers, text or categorical; floats that hold integers count as
            integers. Further columns are ignored.
        example, annotator, label : str, optional
            Names of the columns. By default columns called so, else common spellings of them (``task_id``,
            ``worker``, ``answer``, …), the same as on the command line.
        classes : int or array-like, optional
            The class vocabulary; the order is the order of the columns of ``pred_probs``. By default
            the categories of a categorical label column, else the distinct labels, sorted.
        examples : int or array-like, optional
            The whole pool, labelled or not. By default the examples that occur, sorted.
        keep : {"error", "first", "last"}
            What to do when an annotator labelled an example more than once.

        Returns
        -------
        Labels

        Raises
        ------
        InputError
            If a column is missing or several could be meant, the table is empty, a value is empty, a label is
            outside ``classes``, an example outside ``examples``, or a (example, annotator) pair repeats.

        Examples
        --------
        >>> import pandas as pd
        >>> from activelab import Labels
        >>> frame = pd.DataFrame({"example": ["a", "a", "b"], "annotator": [1, 2, 1],
        ...                       "label": ["cat", "cat", "dog"]})
        >>> Labels.from_long(frame, classes=["cat", "dog", "fox"], examples=["a", "b", "c"])
        Labels(3 labels, 3 examples (1 without labels), 2 annotators, 3 classes: 'cat', 'dog', 'fox')
        """
        from activelab._frames import columns_by_role

        columns = columns_by_role(frame, {"example": example, "annotator": annotator, "label": label})
        if not len(columns["label"].values) and (classes is None or examples is None):
            raise InputError(
                "the table of labels is empty. Give at least one row, or both classes= and examples= "
                "to start a pool without labels."
            )
        if classes is None:
            classes = columns["label"].categories
        return cls._from_ids(
            columns["example"].values,
            columns["annotator"].values,
            columns["label"].values,
            examples=examples,
            classes=classes,
            keep=keep,
        )

    @classmethod
    def from_records(
        cls,
        records: Iterable[Sequence[Any] | Mapping[str, Any]],
        *,
        classes: int | Iterable[Any] | None = None,
        examples: int | Iterable[Any] | None = None,
        keep: Keep = "error",
    ) -> Labels:
        """Labels from an iterable of ``(example, annotator, label)`` triples or mappings.

        Parameters and errors are those of `from_long`; mappings have its columns as keys.

        Examples
        --------
        >>> from activelab import Labels
        >>> Labels.from_records([("a", "ann", 1), ("a", "bob", 0)])
        Labels(2 labels, 1 example, 2 annotators, 2 classes: 0, 1)
        """
        roles = ("example", "annotator", "label")
        names: tuple[str, ...] = roles
        rows: list[tuple[Any, Any, Any]] = []
        for number, record in enumerate(records):
            if isinstance(record, Mapping) and not rows:
                names = tuple(_called(record, role) for role in roles)
            try:
                values = [record[n] for n in names] if isinstance(record, Mapping) else [*record]
                one, two, three = values
            except (KeyError, TypeError, ValueError):
                raise InputError(
                    f"{record!r} is no record (example, annotator, label).",
                    row=number,
                ) from None
            rows.append((one, two, three))
        columns = zip(*rows, strict=True) if rows else ((), (), ())
        table = {name: list(column) for name, column in zip(roles, columns, strict=True)}
        return cls.from_long(table, classes=classes, examples=examples, keep=keep)

    @classmethod
    def from_wide(
        cls,
        matrix: Any,
        *,
        classes: int | Iterable[Any] | None = None,
        examples: int | Iterable[Any] | None = None,
        annotators: int | Iterable[Any] | None = None,
    ) -> Labels:
        """Labels from a matrix with one row an example and one column an annotator.

        Parameters
        ----------
        matrix : array-like or dataframe, shape (n_examples, n_annotators)
            Missing labels are NaN, None, pandas' NA or a mask. Floats that hold integers count as
            integers. A row without labels is an unlabelled example of the pool. A dataframe's column
            names are the annotator ids, a pandas index the example ids.
        classes : int or array-like, optional
            The class vocabulary. By default the distinct labels, sorted.
        examples, annotators : int or array-like, optional
            Ids of the rows and columns. By default those of the dataframe, else 0, 1, …

        Returns
        -------
        Labels

        Raises
        ------
        InputError
            If the matrix is not two-dimensional, is empty, or holds a label outside ``classes``.

        Examples
        --------
        >>> import numpy as np
        >>> from activelab import Labels
        >>> labels = Labels.from_wide(np.array([[0, np.nan], [1, 1], [np.nan, np.nan]]))
        >>> labels
        Labels(3 labels, 3 examples (1 without labels), 2 annotators, 2 classes: 0, 1)
        >>> labels.counts
        array([1, 2, 0])
        """
        from activelab._frames import wide_values

        values, row_ids, column_ids = wide_values(matrix)
        row, column = np.nonzero(~missing(values))
        if not len(row) and classes is None:
            raise InputError("the matrix holds no label. Give classes= to start without labels.")
        labels = values[row, column]
        label_codes, vocabulary = _encode(labels, classes, "class", rows=row)
        return cls(
            row,
            column,
            label_codes,
            examples=_first_given(examples, row_ids, values.shape[0]),
            annotators=_first_given(annotators, column_ids, values.shape[1]),
            classes=vocabulary,
        )

    @classmethod
    def _from_ids(
        cls,
        example: Any,
        annotator: Any,
        label: Any,
        *,
        examples: int | Iterable[Any] | None,
        classes: int | Iterable[Any] | None,
        keep: Keep,
    ) -> Labels:
        label_codes, class_vocabulary = _encode(label, classes, "class")
        example_codes, example_vocabulary = _encode(example, examples, "example")
        annotator_codes, annotator_vocabulary = factorize(annotator, "annotator")
        return cls(
            example_codes,
            annotator_codes,
            label_codes,
            examples=example_vocabulary,
            annotators=annotator_vocabulary,
            classes=class_vocabulary,
            keep=keep,
        )

    # ------------------------------------------------------------------ what it holds

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.label)

    @property
    def n_examples(self) -> int:
        """Number of examples in the pool, labelled or not."""
        return len(self._examples)

    @property
    def n_annotators(self) -> int:
        """Number of annotators."""
        return len(self._annotators)

    @property
    def n_classes(self) -> int:
        """Number of classes K of the vocabulary."""
        return len(self._classes)

    @property
    def example(self) -> Ints:
        """Example code of each label, int32 of shape (n_labels,)."""
        codes = np.arange(self.n_examples, dtype=_code_type(self.n_examples))
        return np.repeat(codes, np.diff(self.offsets))

    @property
    def examples(self) -> Ids:
        """Example ids, in the order of their codes."""
        return self._examples.values

    @property
    def annotators(self) -> Ids:
        """Annotator ids, in the order of their codes."""
        return self._annotators.values

    @property
    def classes(self) -> Ids:
        """Class ids, in the order of their codes and of the columns of ``pred_probs``."""
        return self._classes.values

    @property
    def counts(self) -> Ints:
        """Number of labels of each example, int64 of shape (n_examples,)."""
        return np.diff(self.offsets)

    @property
    def labelled(self) -> Bools:
        """Mask of the examples that have at least one label, shape (n_examples,)."""
        return self.offsets[1:] > self.offsets[:-1]

    @property
    def totals(self) -> Totals:
        """Counts of the whole pool, of which these may be a sample."""
        if self._totals is None:
            sizes = np.bincount(self.counts, minlength=1)
            self._totals = Totals(sizes, np.bincount(self.label, minlength=self.n_classes))
        return self._totals

    def tie_keys(self, index: Ints) -> Ints:
        """What ties between the examples at the given positions are drawn by, int64.

        It depends on the ids alone, so that neither the order of the pool nor a cut through it matters.
        """
        return self._examples.keys(index)

    def __len__(self) -> int:
        return self.n_labels

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Labels):
            return NotImplemented
        return (
            self._examples == other._examples
            and self._annotators == other._annotators
            and self._classes == other._classes
            and np.array_equal(self.offsets, other.offsets)
            and np.array_equal(self.annotator, other.annotator)
            and np.array_equal(self.label, other.label)
        )

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple(
            getattr(self, name)
            for name in ("offsets", "annotator", "label", "_examples", "_annotators", "_classes", "_totals")
        )

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._set(*state)

    def __repr__(self) -> str:
        unlabelled = int(self.n_examples - np.count_nonzero(self.labelled))
        pool = f" ({unlabelled:,} without labels)" if unlabelled else ""
        names = [repr(name) for name in self.classes[:8].tolist()]
        if self.n_classes > 8:
            names = [*names[:6], "…", repr(self.classes[-1:].tolist()[0])]
        return (
            f"Labels({counted(self.n_labels, 'label')}, {counted(self.n_examples, 'example')}{pool}, "
            f"{counted(self.n_annotators, 'annotator')}, "
            f"{counted(self.n_classes, 'class')}: {', '.join(names)})"
        )

    def _repr_html_(self) -> str:
        """As a notebook shows it: how much there is, and the first labels."""
        from activelab import _html

        first_codes = slice(0, _html.ROWS)
        example = np.searchsorted(self.offsets, np.arange(min(_html.ROWS, self.n_labels)), side="right") - 1
        columns = {
            "example": self._examples.take(example),
            "annotator": self._annotators.take(self.annotator[first_codes]),
            "label": self._classes.take(self.label[first_codes]),
        }
        facts = {
            "labels": self.n_labels,
            "examples": self.n_examples,
            "without labels": self.n_examples - int(np.count_nonzero(self.labelled)),
            "annotators": self.n_annotators,
            "classes": first(self.classes[:8].tolist()) + (", …" if self.n_classes > 8 else ""),
        }
        return _html.page("Labels", _html.table(columns, size=self.n_labels), facts=facts)

    # ------------------------------------------------------------------ new Labels from old

    def tell(
        self,
        examples: Iterable[Any],
        *,
        annotator: Any,
        label: Any,
        keep: Keep = "error",
    ) -> Labels:
        """Add labels; returns new `Labels`.

        Parameters
        ----------
        examples : array-like
            Ids of examples of the pool.
        annotator, label : id, or array-like of the same length as ``examples``
            Who labelled, and what. A new annotator is added; a new class is an error, because the
            vocabulary is explicit (see `with_classes`).
        keep : {"error", "first", "last"}
            What to do when the annotator has labelled the example already: refuse, keep the old
            label, or replace it.

        Returns
        -------
        Labels

        Raises
        ------
        InputError
            If an example or class is unknown, a length differs, or a pair repeats.

        Examples
        --------
        >>> from activelab import Labels
        >>> labels = Labels.from_records([("a", "ann", "cat"), ("b", "ann", "dog")])
        >>> labels.tell(["b"], annotator="bob", label="cat")
        Labels(3 labels, 2 examples, 2 annotators, 2 classes: 'cat', 'dog')
        """
        ids = as_ids(examples, "example")
        new_annotators = as_ids(_broadcast(annotator, len(ids), "annotator"), "annotator")
        new_labels = as_ids(_broadcast(label, len(ids), "label"), "class")
        vocabulary = self._annotators.extended(new_annotators)
        label_codes = self._classes.encode(new_labels)
        if (label_codes < 0).any():
            raise _outside_vocabulary(new_labels, label_codes, self._classes)
        return Labels(
            np.concatenate([self.example, self._examples.encode_known(ids, "pool")]),
            np.concatenate([self.annotator, vocabulary.encode(new_annotators)]),
            np.concatenate([self.label, label_codes]),
            examples=self._examples,
            annotators=vocabulary,
            classes=self._classes,
            keep=keep,
        )

    def select(
        self, examples: Iterable[Any] | Bools | None = None, *, annotators: Iterable[Any] | None = None
    ) -> Labels:
        """Keep some examples (in the order given) or annotators; returns new `Labels`.

        Parameters
        ----------
        examples : array-like of ids, or bool mask of shape (n_examples,), optional
            The new pool. By default the whole pool.
        annotators : array-like of ids, optional
            Annotators to keep. By default all.

        Returns
        -------
        Labels

        Raises
        ------
        InputError
            If an id is unknown or repeated, or a mask has another length.

        Examples
        --------
        >>> from activelab import Labels
        >>> labels = Labels.from_records([("a", "ann", 0), ("b", "ann", 1), ("b", "bob", 1)])
        >>> labels.select(["b"]).n_labels
        2
        >>> labels.select(annotators=["bob"])
        Labels(1 label, 2 examples (1 without labels), 1 annotator, 2 classes: 0, 1)
        """
        example, annotator, label = self.example, self.annotator, self.label
        pool, people = self._examples, self._annotators
        if examples is not None:
            rows = self._rows_of(examples)
            pool = Vocabulary(self._examples.take(rows), "example")
            new_code = np.full(self.n_examples, -1, dtype=np.int64)
            new_code[rows] = np.arange(len(rows))
            kept = new_code[example] >= 0
            example = new_code[example[kept]]
            annotator, label = annotator[kept], label[kept]
        if annotators is not None:
            chosen = self._annotators.encode_known(annotators)
            people = Vocabulary(self._annotators.take(chosen), "annotator")
            new_code = np.full(self.n_annotators, -1, dtype=np.int64)
            new_code[chosen] = np.arange(len(chosen))
            kept = new_code[annotator] >= 0
            example, label = example[kept], label[kept]
            annotator = new_code[annotator[kept]]
        return Labels(
            example,
            annotator,
            label,
            examples=pool,
            annotators=people,
            classes=self._classes,
        )

    def _rows_of(self, examples: Iterable[Any] | Bools) -> Ints:
        mask = np.asarray(examples) if isinstance(examples, np.ndarray) else None
        if mask is not None and mask.dtype == bool:
            if mask.shape != (self.n_examples,):
                raise InputError(f"a mask of examples needs shape ({self.n_examples},), got {mask.shape}.")
            return np.flatnonzero(mask)
        return self._examples.encode_known(examples)

    def set_apart(self, *classes: Any) -> tuple[Labels, Labels]:
        """Take some classes out of the vocabulary, such as the word for "I cannot tell".

        Parameters
        ----------
        *classes : ids
            What is no class. One that no label uses may be missing from the vocabulary.

        Returns
        -------
        rest : Labels
            The other labels over the other classes; examples and annotators stay as they are.
        apart : Labels
            The labels that were taken out, over ``classes``.

        Raises
        ------
        InputError
            If no class is left.

        Examples
        --------
        >>> from activelab import Labels
        >>> answers = Labels.from_wide([["cat", "unsure"], ["dog", "dog"], ["unsure", "unsure"]])
        >>> answers.set_apart("unsure")
        (Labels(3 labels, 3 examples (1 without labels), 2 annotators, 2 classes: 'cat', 'dog'), \
Labels(3 labels, 3 examples (1 without labels), 2 annotators, 1 class: 'unsure'))
        """
        names = Vocabulary(classes, "class")
        new_code = names.encode(self.classes)
        kept = new_code < 0
        if not kept.any():
            raise InputError(f"no class is left without {first(self.classes[:11])}.")
        parts = []
        for mask, vocabulary in ((kept, Vocabulary(self.classes[kept], "class")), (~kept, names)):
            here = mask[self.label]
            codes = np.cumsum(mask) - 1 if vocabulary is not names else new_code
            parts.append(
                Labels(
                    self.example[here],
                    self.annotator[here],
                    codes[self.label[here]],
                    examples=self._examples,
                    annotators=self._annotators,
                    classes=vocabulary,
                )
            )
        return parts[0], parts[1]

    def with_classes(self, classes: int | Iterable[Any]) -> Labels:
        """The same labels over another class vocabulary, which must hold every class in use.

        Examples
        --------
        >>> from activelab import Labels
        >>> labels = Labels.from_records([("a", "ann", "dog")])
        >>> labels.with_classes(["cat", "dog"]).n_classes
        2
        """
        vocabulary = Vocabulary(classes, "class")
        new_code = vocabulary.encode(self.classes)
        codes = new_code[self.label]
        if (codes < 0).any():
            lost = self.classes[np.unique(self.label[codes < 0])]
            raise InputError(f"labels use classes that classes= lacks: {first(lost)}.")
        sorted_codes = codes.astype(self.label.dtype)
        return self._copy(label=sorted_codes, classes=vocabulary)

    def with_examples(self, examples: Iterable[Any]) -> Labels:
        """The same labels over a larger pool; ids the pool lacks are appended without labels.

        Examples
        --------
        >>> from activelab import Labels
        >>> Labels.from_records([("a", "ann", 0)]).with_examples(["a", "b"]).examples.tolist()
        ['a', 'b']
        """
        pool = self._examples.extended(examples)
        if len(pool) == self.n_examples:
            return self
        tail = np.full(len(pool) - self.n_examples, self.n_labels, dtype=np.int64)
        return self._copy(offsets=np.concatenate([self.offsets, tail]), examples=pool)

    def _copy(self, **changes: Any) -> Labels:
        names = ("offsets", "annotator", "label", "examples", "annotators", "classes")
        old = self.__getstate__()[: len(names)]
        return Labels.__new__(Labels)._set(*(changes.get(n, o) for n, o in zip(names, old, strict=True)))

    # ------------------------------------------------------------------ out

    def to_long(self, backend: Backend = "pandas") -> Any:
        """A dataframe with columns example, annotator, label, one row a label.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}
            Library of the returned frame.

        Examples
        --------
        >>> from activelab import Labels
        >>> print(Labels.from_records([("a", "ann", 1)], classes=2).to_long().to_string(index=False))
        example annotator  label
              a       ann      1
        """
        from activelab._frames import make_frame

        return make_frame(
            {
                "example": self._examples.take(self.example),
                "annotator": self._annotators.take(self.annotator),
                "label": self._classes.take(self.label),
            },
            backend,
        )

    def to_wide(self) -> Any:
        """A pandas DataFrame with one row an example and one column an annotator, NaN where missing.

        Dense: its size is n_examples × n_annotators.
        """
        from activelab._extras import needs

        with needs("pandas", "a wide table"):
            import pandas as pd

        numeric = self.classes.dtype.kind in "ib"
        cells = np.full((self.n_examples, self.n_annotators), np.nan, dtype=float if numeric else object)
        cells[self.example, self.annotator] = self._classes.take(self.label)
        return pd.DataFrame(cells, index=self.examples, columns=self.annotators)


def check_keep(keep: str) -> None:
    """Raise unless it says what to do with repeated labels."""
    if keep not in ("error", "first", "last"):
        raise InputError(f"keep must be 'error', 'first' or 'last', got {keep!r}.")


def _called(record: Mapping[str, Any], role: str) -> str:
    """The key that plays a role in a record."""
    names = [name for name in record if isinstance(name, str)]
    return find_column(names, role) if candidates(names, role) else role


def _encode(
    values: Any, vocabulary: int | Iterable[Any] | None, kind: str, rows: Ints | None = None
) -> tuple[Ints, Vocabulary]:
    if vocabulary is None:
        return factorize(values, kind)
    known = as_vocabulary(vocabulary, kind)
    ids = as_ids(values, kind)
    codes = known.encode(ids)
    if (codes < 0).any():
        if kind == "class":
            raise _outside_vocabulary(ids, codes, known, rows)
        known.encode_known(ids)
    return codes, known


def _outside_vocabulary(ids: Ids, codes: Ints, known: Vocabulary, rows: Ints | None = None) -> InputError:
    at = int(np.argmax(codes < 0))
    row = at if rows is None else int(rows[at])
    return InputError(
        f"label {ids[at : at + 1].tolist()[0]!r} is not one of the {len(known)} classes: "
        f"{first(known.values[:11].tolist())}.",
        row=row,
        column="label",
    )


def _sorted(
    codes: Sequence[Ints],
    vocabularies: tuple[Vocabulary, Vocabulary, Vocabulary],
    keep: Keep,
) -> tuple[Ints, Ints, Ints]:
    """Offsets, annotators and labels, sorted by example and annotator, without repeats."""
    example, annotator, label = codes
    examples, annotators, classes = vocabularies
    check_keep(keep)
    person, word = len(annotators).bit_length(), len(classes).bit_length()
    key: Ints = example.astype(np.int64) << person | annotator.astype(np.int64)
    if not (key[1:] > key[:-1]).all():
        packed = _packed(key, label, word)
        ordered = None if packed is None else packed >> word
        if packed is not None and ordered is not None and (ordered[1:] != ordered[:-1]).all():
            annotator, label = ordered & (1 << person) - 1, packed & (1 << word) - 1
        else:
            order, ordered = _in_order(key)
            order = _kept(order, ordered[1:] == ordered[:-1], codes, vocabularies, keep)
            example, annotator, label = example[order], annotator[order], label[order]
    offsets = np.zeros(len(examples) + 1, dtype=np.int64)
    np.cumsum(np.bincount(example, minlength=len(examples)), out=offsets[1:])
    return (
        offsets,
        annotator.astype(_code_type(len(annotators))),
        label.astype(_code_type(len(classes))),
    )


def _packed(key: Ints, label: Ints, word: int) -> Ints | None:
    """Keys sorted with their labels in the lowest bits; None where they do not fit into 64 bits.

    A sort of numbers that hold all there is to know leaves nothing to be gathered from all over memory.
    """
    if int(key.max()).bit_length() + word > 63:
        return None
    packed: Ints = key << word | label.astype(np.int64)
    packed.sort()
    return packed


def _kept(
    order: Ints,
    repeated: Bools,
    codes: Sequence[Ints],
    vocabularies: tuple[Vocabulary, Vocabulary, Vocabulary],
    keep: Keep,
) -> Ints:
    """Of labels in order, some of which repeat the one before, those to keep."""
    if not repeated.any():
        return order
    if keep == "error":
        example, annotator, _ = codes
        at = int(np.argmax(repeated))
        one, two = int(order[at]), int(order[at + 1])
        who = vocabularies[1].take(annotator[two : two + 1]).tolist()[0]
        what = vocabularies[0].take(example[two : two + 1]).tolist()[0]
        raise InputError(
            f"annotator {who!r} labelled example {what!r} more than once; "
            f"{counted(int(repeated.sum()), 'label')} repeated in all.",
            row=(one, two),
            example=what,
            advice="keep",
        )
    edge = np.ones(1, dtype=bool)
    return np.asarray(order[np.concatenate([~repeated, edge] if keep == "last" else [edge, ~repeated])])


def _in_order(key: Ints) -> tuple[Ints, Ints]:
    """Stable order of keys that are not negative, and the keys in it."""
    bits = len(key).bit_length()
    if int(key.max()).bit_length() + bits > 63:
        order = np.argsort(key, kind="stable")
        return order, key[order]
    # Sorting numbers that hold their own positions takes a fifth of the time of `argsort`.
    packed = key << bits | np.arange(len(key))
    packed.sort()
    return packed & (1 << bits) - 1, packed >> bits


def _codes(column: Iterable[int]) -> Ints:
    array = np.asarray(column)
    return array if array.size else array.astype(np.int64)


def _code_type(size: int) -> type[np.signedinteger[Any]]:
    return np.int32 if size <= np.iinfo(np.int32).max else np.int64


def _broadcast(value: Any, size: int, name: str) -> Any:
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return [value] * size
    if len(value) != size:
        raise InputError(f"{name} has {len(value)} entries for {size} examples.")
    return value


def _first_given(*values: Any) -> Any:
    return next(value for value in values if value is not None)
