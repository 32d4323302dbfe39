"""Partitions of files that are cut alike, from the ranges of ids in their footers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from activelab.scale._inputs import Inputs
from activelab.scale._job import Partition
from activelab.scale._schema import ranges_of


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
