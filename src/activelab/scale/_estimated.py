"""Passes of what rests on one estimate: of the labelled examples alone, which are few beside the pool.

The first pass gathers them; the estimate is made from them in one go, as in memory; the second scores each
partition by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._kernels import ranges
from activelab._typing import Bools, Ids, Ints, Models
from activelab._vocabulary import Vocabulary
from activelab.acquisition import Frugal
from activelab.consensus import BayesianEstimate
from activelab.labels import Labels
from activelab.multilabel import LabelSets, QuestionBatch
from activelab.multilabel.parts import Asking
from activelab.planning import Batch
from activelab.scale._job import Job, Partition, PartitionIds
from activelab.scale._kept import Kept, read_model
from activelab.scale._passes import best_of, load


@dataclass(frozen=True)
class Labelled:
    """Labelled examples: ids, number of labels of each, the labels one after another, and predictions."""

    ids: Ids
    counts: Ints
    annotator: Ints
    label: Ints | Bools
    models: Models


@dataclass(frozen=True)
class Judged:
    """What scores rest on: annotators, the estimate, and how many are asked for."""

    annotators: Ids
    estimate: BayesianEstimate | Asking
    batch_size: int


def load_sets(job: Job, partition: Partition, annotators: Ids) -> tuple[LabelSets, Models]:
    """Answers of a partition with the codes of the whole pool, and its models."""
    kept: Kept = job.store.load(job.prepared(partition))
    code = np.searchsorted(annotators, kept.annotators)
    size = len(kept.offsets) - 1
    sets = LabelSets(
        np.repeat(np.arange(size), np.diff(kept.offsets)),
        code[kept.annotator],
        kept.chosen,
        examples=PartitionIds(job, partition, size, kept.order[0]),
        annotators=Vocabulary.of_distinct(annotators, "annotator"),
        classes=Vocabulary(job.classes, "class"),
    )
    return sets, tuple(read_model(job, partition, number, rows) for number, rows in enumerate(kept.order))


def gather(job: Job, partition: Partition, annotators: Ids, hint: None) -> Labelled:
    """The labelled examples of a partition."""
    pool: Labels | LabelSets
    label: Ints | Bools
    if job.several:
        pool, models = load_sets(job, partition, annotators)
        label = pool.chosen
    else:
        pool, models, _ = load(job, partition, annotators)
        label = pool.label
    rows = np.flatnonzero(pool.labelled)
    return Labelled(
        ids=pool.examples[rows],
        counts=pool.counts[rows],
        annotator=pool.annotator,
        label=label,
        models=tuple(model[rows] for model in models),
    )


def together(parts: Sequence[Labelled], annotators: Ids, job: Job) -> tuple[Labels | LabelSets, Models]:
    """The labelled examples of all partitions, sorted by their ids as a pool in memory has them."""
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
    return Labels.of_sorted(offsets, annotator, label, **vocabularies), models


def assess(job: Job, partition: Partition, known: Judged, at_most: float) -> Batch:
    """The best of a partition, among those with a score of ``at_most`` so much."""
    labels, models, _ = load(job, partition, known.annotators)
    assert isinstance(job.method, Frugal)
    assert isinstance(known.estimate, BayesianEstimate)
    assessment = job.method.assess_by(known.estimate, labels, models, seed=job.seed)
    return best_of(job, labels, assessment, known.batch_size, at_most)


def ask(job: Job, partition: Partition, known: Judged, at_most: float) -> QuestionBatch:
    """The best questions of a partition, among those whose worth, negated, is ``at_most`` so much."""
    sets, models = load_sets(job, partition, known.annotators)
    assert isinstance(known.estimate, Asking)
    return known.estimate.best(sets, models, known.batch_size, at_least=-at_most)
