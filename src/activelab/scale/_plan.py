"""How a run goes about it: which files make a partition, how many there are, what is read."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from activelab._errors import InputError, first
from activelab.acquisition import Acquisition, ActiveLab
from activelab.scale._files import File, find_files
from activelab.scale._job import Partition
from activelab.scale._schema import (
    Footer,
    LabelColumns,
    ProbColumns,
    label_columns,
    prob_columns,
    ranges_of,
    read_footers,
)
from activelab.tables import integers_if_canonical

PROCESS = 230 << 20
"""Bytes of a process that has loaded the libraries."""
LEAST = 48 << 20
"""Bytes of the smallest partition that is worth its while."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {f"{unit}i": 1 << (10 * place) for place, unit in enumerate("kmgt", 1)}


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
    columns = label_columns(footers, example_column, annotator_column, label_column)
    probs = tuple(prob_columns(one, example_column) for one in models)
    kinds = {columns.example_type, *(one.example_type for one in probs)}
    inputs = Inputs(footers, models, columns, probs, not kinds <= {"integer", "float"})
    if not inputs.n_labels:
        raise InputError(f"{footers[0].file.url}: the table of labels is empty.")
    if not inputs.n_examples:
        raise InputError(f"{models[0][0].file.url}: the table of probabilities is empty.")
    return inputs


def resolve_classes(
    inputs: Inputs, classes: Sequence[Any] | None, distinct: Sequence[Any] | None
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
    canonical = integers_if_canonical(pa.chunked_array([pa.array(texts, pa.string())]))
    integers = pa.types.is_int64(canonical.type) and inputs.label_columns.label_type in ("integer", "float")
    chosen = tuple(canonical.to_pylist() if integers else texts)
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
            f"pred_probs has columns for no class of the labels: {first(extra)}. Pass classes= to list every "
            "class, used or not, or leave these columns out."
        )
    return replace(columns, classes=tuple(present[name] for name in classes))


def parse_memory(memory: int | str) -> int:
    """Bytes of a budget such as ``"2GB"`` or ``"1.5GiB"``.

    Raises
    ------
    InputError
        If it is no amount of memory.
    """
    if isinstance(memory, int):
        return memory
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", memory.lower())
    if not found:
        raise InputError(f"the memory budget {memory!r} is not an amount such as 2GB.")
    return int(float(found[1]) * _UNITS[found[2] or ""])


@dataclass(frozen=True)
class Plan:
    """What a run will do; printed by ``--explain``.

    Attributes
    ----------
    partitions : int
        Parts the pool is cut into; each is read by one task of each pass.
    aligned : bool
        Whether the files are used as they are; otherwise they are hash-partitioned first.
    workers : int
        Tasks at a time.
    memory : int
        Budget in bytes, of all processes on this machine.
    partition_bytes : int
        Estimated memory of a task beyond its process.
    n_examples, n_labels, n_models : int
    label_bytes, prob_bytes : int
        Sizes of the files.
    passes : tuple of (str, int, str)
        Name of each pass, the bytes of input it reads, and what it is for. Those of the calibration are
        as many as the search needs, two most often.
    """

    partitions: int
    aligned: bool
    workers: int
    memory: int
    partition_bytes: int
    n_examples: int
    n_labels: int
    n_models: int
    label_bytes: int
    prob_bytes: int
    passes: tuple[tuple[str, int, str], ...]

    @property
    def bytes_read(self) -> int:
        """Bytes of input all passes read."""
        return sum(size for _, size, _ in self.passes)


def bytes_per_row(inputs: Inputs, n_classes: int) -> float:
    """Estimated memory of a task for each example of its partition, labels included."""
    cells = [n_classes * np.dtype(one.dtype).itemsize for one in inputs.prob_columns]
    text = 150 if inputs.examples_as_text else 0
    labels = inputs.n_labels / max(inputs.n_examples, 1)
    # In the first pass one model and the labels as they are read and sorted; in the last all models.
    first_pass = 1.3 * max(cells) + 40 + text + labels * (120 + text)
    last_pass = 1.1 * sum(cells) + 80 + labels * 16
    return max(first_pass, last_pass)


def fit(
    inputs: Inputs, n_classes: int, memory: int, workers: int | None, aligned: Sequence[Partition]
) -> tuple[int, int]:
    """Workers, and rows a partition may have, so that all processes together keep the budget.

    Files used as they are, ``aligned``, are worth fewer workers; with none of them it is as many as
    there are cores, or as asked for.

    Raises
    ------
    InputError
        If even one worker needs more.
    """
    row = bytes_per_row(inputs, n_classes)
    wanted = workers or len(os.sched_getaffinity(0))
    largest = max((max(one.rows) for one in aligned), default=0)
    choices = []
    for number in range(max(min(wanted, len(aligned) or wanted), 1), 0, -1):
        processes = 1 if number == 1 else number + 1
        left = (memory - processes * PROCESS) / number
        if left >= LEAST:
            choices.append((number, int(left / row)))
    if not choices:
        raise InputError(
            f"a memory budget of {memory / 1e6:,.0f} MB is too small: the program itself takes "
            f"{PROCESS / 1e6:,.0f} MB and a partition at least {LEAST / 1e6:,.0f} MB. Give a larger --memory."
        )
    return next((one for one in choices if one[1] >= largest), choices[0])


def passes_of(
    method: Acquisition, aligned: bool, label_bytes: int, prob_bytes: int
) -> tuple[tuple[str, int, str], ...]:
    """Name, bytes of input and purpose of each pass."""
    found = [] if aligned else [("partition", label_bytes + prob_bytes, "hash-partition by example")]
    found.append(("prepare", label_bytes + prob_bytes, "check, count, agreement of annotators"))
    if isinstance(method, ActiveLab) and method.calibrate:
        found += [("calibrate", prob_bytes, "temperature: a step of the search")] * 2
    found.append(("vote", prob_bytes, "majority vote, first weights"))
    found.append(("agree", prob_bytes, "CROWDLAB consensus, final weights"))
    found.append(("score", prob_bytes, "scores, best of each partition"))
    return tuple(found)


def bucket_count(inputs: Inputs, rows: int, at_least: int) -> int:
    """Partitions to cut the pool into, each of at most so many rows but for the luck of the hash."""
    return max(math.ceil(1.15 * inputs.n_examples / max(rows, 1)), min(at_least, inputs.n_examples), 1)


def aligned_partitions(inputs: Inputs) -> list[Partition] | None:
    """Partitions of the files as they are, if labels and probabilities are cut alike; else None.

    They are if each example can only be in one file of each model: there is but one, or the ranges of
    their ids do not overlap and those of the labels lie within them (from the footers).
    """
    if len(inputs.labels) == 1 and all(len(one) == 1 for one in inputs.models):
        found: tuple[list[list[int]], list[list[int]]] | None = [[0]], [[0]] * len(inputs.models)
    else:
        found = _by_ranges(inputs)
    if found is None:
        return None
    owner, groups = found
    return [
        Partition(
            number,
            tuple(inputs.labels[i].file for i in owner[number]),
            tuple(
                (footers[group[number]].file,) for footers, group in zip(inputs.models, groups, strict=True)
            ),
            tuple(footers[group[number]].rows for footers, group in zip(inputs.models, groups, strict=True)),
        )
        for number in range(len(inputs.models[0]))
    ]


def _by_ranges(inputs: Inputs) -> tuple[list[list[int]], list[list[int]]] | None:
    """For each file of the first model the label files within its range, and the file of each model."""
    kinds = {inputs.label_columns.example_type, *(one.example_type for one in inputs.prob_columns)}
    if len(kinds) > 1 or not kinds <= {"integer", "text"}:
        return None
    sizes = {len(one) for one in inputs.models}
    if len(sizes) > 1:
        return None
    spans = []
    for footers, columns in zip(inputs.models, inputs.prob_columns, strict=True):
        found = ranges_of(footers, columns.example)
        if found is None or not _disjoint(found):
            return None
        spans.append(found)
    groups = []
    for span in spans:
        at = {one: place for place, one in enumerate(span)}
        if any(one not in at for one in spans[0]):
            return None
        groups.append([at[one] for one in spans[0]])
    owners: list[list[int]] = [[] for _ in spans[0]]
    of_labels = ranges_of(inputs.labels, inputs.label_columns.example)
    if of_labels is None:
        return None
    for place, (low, high) in enumerate(of_labels):
        within = [at for at, (least, most) in enumerate(spans[0]) if least <= low and high <= most]
        if not within:
            return None
        owners[within[0]].append(place)
    return owners, groups


def _disjoint(spans: Sequence[tuple[Any, Any]]) -> bool:
    if not all(isinstance(low, int | str) for low, _ in spans):
        return False
    ordered = sorted(spans)
    return all(one[1] < two[0] for one, two in pairwise(ordered))
