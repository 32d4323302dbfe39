"""The files of a run and what their columns are, from the footers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from activelab._errors import InputError, first
from activelab._set_text import SEPARATOR
from activelab.scale._files import File, find_files
from activelab.scale._schema import (
    Footer,
    LabelColumns,
    ProbColumns,
    label_columns,
    prob_columns,
    read_footers,
)
from activelab.tables import is_canonical_integer


@dataclass(frozen=True)
class Inputs:
    """The files of a run, and their columns."""

    labels: tuple[Footer, ...]
    models: tuple[tuple[Footer, ...], ...]
    label_columns: LabelColumns
    prob_columns: tuple[ProbColumns, ...]
    examples_as_text: bool

    @property
    def n_examples(self) -> int:
        """Rows of the first model."""
        return sum(one.rows for one in self.models[0])

    @property
    def n_labels(self) -> int:
        return sum(one.rows for one in self.labels)

    @property
    def label_files(self) -> tuple[File, ...]:
        return tuple(one.file for one in self.labels)

    def model_files(self, number: int) -> tuple[File, ...]:
        """Files of a model's probabilities."""
        return tuple(one.file for one in self.models[number])


def read_schema(
    labels: Sequence[str],
    pred_probs: Sequence[Sequence[str]],
    example_column: str | None,
    annotator_column: str | None,
    label_column: str | None,
    several: bool = False,
) -> Inputs:
    """Find the files and what their columns are, from the footers alone.

    Raises
    ------
    InputError
        If there is no file, one is not Parquet, the columns cannot be told, or files differ.
    """
    footers = tuple(read_footers(find_files(labels)))
    models = tuple(tuple(read_footers(find_files(names))) for names in pred_probs)
    if not models:
        raise InputError("there are no probabilities.")
    columns = label_columns(footers, example_column, annotator_column, label_column, several)
    probs = tuple(prob_columns(one, example_column) for one in models)
    kinds = {columns.example_type, *(one.example_type for one in probs)}
    inputs = Inputs(footers, models, columns, probs, not kinds <= {"integer", "float"})
    if not inputs.n_labels:
        raise InputError(f"{footers[0].file.url}: the table of labels is empty.")
    if not inputs.n_examples:
        raise InputError(f"{models[0][0].file.url}: the table of probabilities is empty.")
    return inputs


def resolve_classes(
    inputs: Inputs, classes: Sequence[Any] | None, distinct: Sequence[Any] | None, several: bool = False
) -> tuple[tuple[Any, ...], bool, tuple[ProbColumns, ...]]:
    """The classes, whether labels are compared as text, and the columns in the order of the classes.

    ``distinct`` are the labels that occur, for lists whose places nobody named.
    """
    names: Sequence[Any]
    if classes is not None:
        names = classes
    elif not inputs.prob_columns[0].is_list:
        names = [name.strip() for name in inputs.prob_columns[0].classes]
    else:
        names = list(distinct or ())
    texts = [str(name) for name in names]
    if several:
        odd = [name for name in texts if SEPARATOR in name]
        if odd or not texts:
            raise InputError(
                f"the name of class {odd[0]!r} holds {SEPARATOR!r}, which separates classes in a text."
                if odd
                else "a column of lists does not name the classes of sets; give them.",
                advice=None if odd else "class_columns",
            )
        return tuple(texts), True, tuple(_in_order(one, texts) for one in inputs.prob_columns)
    integers = bool(texts) and all(map(is_canonical_integer, texts))
    integers &= inputs.label_columns.label_type in ("integer", "float")
    chosen = tuple(map(int, texts) if integers else texts)
    columns = tuple(_in_order(one, texts) for one in inputs.prob_columns)
    return chosen, not integers, columns


def _in_order(columns: ProbColumns, classes: Sequence[str]) -> ProbColumns:
    if columns.is_list:
        return columns
    present = {name.strip(): name for name in columns.classes}
    absent = [name for name in classes if name not in present]
    if absent:
        raise InputError(f"pred_probs has no column for class {first(absent)}; it has: {first(present, 20)}.")
    extra = [name for name in present if name not in classes]
    if extra:
        raise InputError(
            f"pred_probs has columns for no class of the labels: {first(extra)}.", advice="class_columns"
        )
    return replace(columns, classes=tuple(present[name] for name in classes))
