"""Partitions of files that are cut alike, from the ranges of ids in their footers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from activelab.scale._files import File
from activelab.scale._inputs import Inputs
from activelab.scale._job import Partition
from activelab.scale._schema import Footer, ranges_of


@dataclass(frozen=True)
class Aligned:
    """Files used as they are.

    Attributes
    ----------
    partitions : list of Partition
    across : tuple of File
        Files of labels that may belong to several partitions: they alone are cut.
    edges : tuple
        Highest id of each partition but the last, sorted.
    order : tuple of int
        Places in ``partitions`` by their ids.
    """

    partitions: list[Partition]
    across: tuple[File, ...] = ()
    edges: tuple[Any, ...] = ()
    order: tuple[int, ...] = (0,)


def aligned_partitions(inputs: Inputs, cut_labels: bool) -> Aligned | None:
    """Partitions of the files as they are, if the probabilities of all models are cut alike; else None.

    They are if each example can only be in one file of each model: there is but one, or the ranges of their
    ids do not overlap (from the footers). A file of labels whose range touches one of those alone belongs to
    it. ``cut_labels`` says whether others may be cut; if they may not, nothing is used as it is.
    """
    if all(len(one) == 1 for one in inputs.models):
        everything = [inputs.labels], [[0]] * len(inputs.models)
        return Aligned(_partitions(inputs, *everything))
    groups = _alike(inputs)
    if groups is None:
        return None
    found = ranges_of(inputs.models[0], inputs.prob_columns[0].example)
    spans = [one for one in found if one is not None]
    order = sorted(range(len(spans)), key=spans.__getitem__)
    edges = tuple(spans[place][1] for place in order[:-1])
    owned: list[list[Footer]] = [[] for _ in spans]
    across = []
    ranges = ranges_of(inputs.labels, inputs.label_columns.example)
    for footer, span in zip(inputs.labels, ranges, strict=True):
        first, last = (-1, -2) if span is None else (bisect_left(edges, one) for one in span)
        if first == last:
            owned[order[first]].append(footer)
        else:
            across.append(footer.file)
    if across and not cut_labels:
        return None
    return Aligned(_partitions(inputs, owned, groups), tuple(across), edges, tuple(order))


def _partitions(
    inputs: Inputs, owned: Sequence[Sequence[Footer]], groups: Sequence[Sequence[int]]
) -> list[Partition]:
    """Of each file of the first model, with its labels, and the file of each model."""
    return [
        Partition(
            number,
            tuple(one.file for one in labels),
            tuple(
                (footers[group[number]].file,) for footers, group in zip(inputs.models, groups, strict=True)
            ),
            tuple(footers[group[number]].rows for footers, group in zip(inputs.models, groups, strict=True)),
        )
        for number, labels in enumerate(owned)
    ]


def _alike(inputs: Inputs) -> list[list[int]] | None:
    """For each model the file of the range of each of the first one's; None if they are not cut alike."""
    kinds = {inputs.label_columns.example_type, *(one.example_type for one in inputs.prob_columns)}
    if len(kinds) > 1 or not kinds <= {"integer", "text"}:
        return None
    if len({len(one) for one in inputs.models}) > 1:
        return None
    spans = []
    for footers, columns in zip(inputs.models, inputs.prob_columns, strict=True):
        found = ranges_of(footers, columns.example)
        known = [one for one in found if one is not None]
        if len(known) < len(found) or not _disjoint(known):
            return None
        spans.append(known)
    groups = []
    for span in spans:
        at = {one: place for place, one in enumerate(span)}
        if any(one not in at for one in spans[0]):
            return None
        groups.append([at[one] for one in spans[0]])
    return groups


def _disjoint(spans: Sequence[tuple[Any, Any]]) -> bool:
    if not all(isinstance(low, int | str) for low, _ in spans):
        return False
    ordered = sorted(spans)
    return all(one[1] < two[0] for one, two in pairwise(ordered))
