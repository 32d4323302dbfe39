"""Passes of what rests on one estimate of the labelled examples.

The first gathers those that the steps of the estimate see: for one class a sample whose size does not grow
with the pool, for sets all of them. The estimate is made from these in one go, as in memory. For one class a
second pass sums what its last step asks of all labels; the last scores each partition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from activelab._kernels import ranges, sample_draw
from activelab._typing import Bools, Ids, Ints, Models
from activelab._vocabulary import Vocabulary
from activelab.acquisition import Frugal
from activelab.consensus import BayesianEstimate
from activelab.consensus.parts import Gathered, gathered
from activelab.labels import Labels, Totals
from activelab.multilabel import LabelSets, QuestionBatch
from activelab.multilabel.parts import Asking
from activelab.scale._job import Job, Partition
from activelab.scale._kept import load, load_sets
from activelab.scale._passes import Best, Choosing, best_of, lowest_of
from activelab.scale._reserve import SoFar, look, of_estimate


@dataclass(frozen=True)
class Labelled:
    """Labelled examples: ids, number of labels of each, the labels one after another, and predictions."""

    ids: Ids
    counts: Ints
    annotator: Ints
    label: Ints | Bools
    models: Models


@dataclass(frozen=True)
class Wanted:
    """The labelled examples to gather: a share of those with one label, and of those with several."""

    annotators: Ids
    of_one: float = 1.0
    of_several: float = 1.0


@dataclass(frozen=True)
class Judged:
    """What scores rest on: annotators, the estimate, and how many are asked for."""

    annotators: Ids
    estimate: BayesianEstimate | Asking
    choosing: Choosing = field(default_factory=Choosing)


class Mergeable(Protocol):
    """Sums over a partition."""

    def merge(self, other: Any, /) -> None:
        """Add those of another one."""


Part = TypeVar("Part", bound=Mergeable)


class Merged(Generic[Part]):
    """The sums of all partitions, which add up in any order."""

    def __init__(self) -> None:
        self._total: list[Part] = []

    def add(self, part: Part) -> None:
        """Take those of one partition."""
        if self._total:
            self._total[0].merge(part)
        else:
            self._total.append(part)

    @property
    def total(self) -> Part:
        """Of all that were taken, one or more."""
        return self._total[0]


def gather(job: Job, partition: Partition, wanted: Wanted, hint: None) -> Labelled:
    """The labelled examples of a partition that are wanted."""
    label: Ints | Bools
    if job.several:
        sets, models = load_sets(job, partition, wanted.annotators, labelled_only=True)
        rows = np.flatnonzero(sets.labelled)
        ids, counts, annotator, label = sets.examples[rows], sets.counts[rows], sets.annotator, sets.chosen
    else:
        labels, models, _ = load(job, partition, wanted.annotators)
        rows = np.flatnonzero(labels.labelled)
        counts = labels.counts[rows]
        if wanted.of_one < 1:
            share = np.where(counts > 1, wanted.of_several, wanted.of_one)
            rows = rows[sample_draw(labels, rows) < share]
            counts = labels.counts[rows]
        place = ranges(labels.offsets[rows], counts)
        ids, annotator, label = labels.examples[rows], labels.annotator[place], labels.label[place]
    return Labelled(ids, counts, annotator, label, tuple(model[rows] for model in models))


def together(
    parts: Sequence[Labelled], annotators: Ids, job: Job, totals: Totals
) -> tuple[Labels | LabelSets, Models]:
    """The gathered examples of all partitions, sorted by their ids as a pool in memory has them.

    ``totals`` are those of the whole pool.
    """
    ids = np.concatenate([one.ids for one in parts])
    order = np.argsort(ids, kind="stable")
    counts = np.concatenate([one.counts for one in parts])
    first = (np.cumsum(counts) - counts)[order]
    counts = counts[order]
    place = ranges(first, counts)
    annotator = np.concatenate([one.annotator for one in parts])[place]
    label = np.concatenate([one.label for one in parts])[place]
    models = tuple(
        np.concatenate([one.models[number] for one in parts])[order] for number in range(len(job.models))
    )
    vocabularies: dict[str, Any] = {
        "examples": Vocabulary.of_distinct(ids[order], "example"),
        "annotators": Vocabulary.of_distinct(annotators, "annotator"),
        "classes": Vocabulary(job.classes, "class"),
    }
    if job.several:
        return LabelSets(np.repeat(np.arange(len(ids)), counts), annotator, label, **vocabularies), models
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Labels.of_sorted(offsets, annotator, label, **vocabularies, totals=totals), models


def learn(job: Job, partition: Partition, known: Judged, hint: None) -> Gathered:
    """What the labels of a partition say of those who gave them."""
    labels, models, _ = load(job, partition, known.annotators)
    assert isinstance(known.estimate, BayesianEstimate)
    return gathered(labels, models, known.estimate)


def assess(job: Job, partition: Partition, known: Judged, so_far: SoFar) -> Best:
    """The best of a partition, given those of others."""
    assert isinstance(job.method, Frugal)
    assert isinstance(known.estimate, BayesianEstimate)
    by = of_estimate(job, known.estimate)
    seen = look(job, partition, known.annotators, by, known.choosing.at_all, so_far.doubtful)
    labels, models, _ = seen.part
    lowest = lowest_of(job, seen, known.choosing, so_far.at_most)
    assessment = job.method.assess_by(known.estimate, labels, models, seed=job.seed, lowest=lowest)
    return best_of(job, partition, seen, by, assessment, known.choosing, so_far.at_most)


def ask(job: Job, partition: Partition, known: Judged, at_most: float) -> QuestionBatch:
    """The best questions of a partition, among those whose worth, negated, is ``at_most`` so much."""
    sets, models = load_sets(job, partition, known.annotators, labelled_only=False)
    assert isinstance(known.estimate, Asking)
    return known.estimate.best(sets, models, known.choosing.batch_size, at_least=-at_most)
