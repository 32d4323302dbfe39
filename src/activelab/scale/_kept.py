"""What the first pass keeps of a partition, and the later ones read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from activelab._typing import Bools, Floats, Ids, Ints, Models
from activelab._vocabulary import Vocabulary
from activelab.consensus.parts import predicted_classes
from activelab.labels import Labels
from activelab.multilabel import LabelSets
from activelab.scale._job import Job, Partition, PartitionIds, digest
from activelab.scale._read import read_matrix


@dataclass(frozen=True)
class Kept:
    """Labels of a partition as codes.

    Attributes
    ----------
    rows : ndarray of int
        Positions of the labelled examples in the partition.
    ids : ndarray
        Their ids.
    offsets, annotator, label : ndarray of int
        Their labels, as of `Labels`.
    annotators : ndarray
        Ids of the annotators.
    predicted : tuple of ndarray of int
        The class each model predicts for them.
    chosen : ndarray of bool, shape (n_labels, n_classes), or None
        The classes of each label where labels are sets.
    """

    rows: Ints
    ids: Ids
    offsets: Ints
    annotator: Ints
    label: Ints
    annotators: Ids
    predicted: tuple[Ints, ...]
    chosen: Bools | None = None


@dataclass(frozen=True)
class Checked:
    """What the probabilities of a partition alone tell, whatever is labelled.

    Attributes
    ----------
    size : int
        Examples that are kept: all models have them.
    order : tuple of (ndarray of int or None)
        The rows of each model that are kept, in the order of the first one's, or None for all as they are.
    lowest : tuple of float
        The lowest probability of each model.
    """

    size: int
    order: tuple[Ints | None, ...]
    lowest: tuple[float, ...]


class Part(NamedTuple):
    """Some examples of a partition: labels with the codes of the whole pool, models, classes they predict."""

    labels: Labels
    models: Models
    predicted: tuple[Ints, ...]


class Files:
    """Names of the files kept of a partition.

    `Checked`, which `Kept` was made last, and the reserve have names that stay whatever is labelled.
    """

    def __init__(self, job: Job, partition: Partition, part: str | None = None) -> None:
        self._job, self._partition = job, partition
        self._pool = f"{job.digest}-{partition.pool_digest}"
        self._part = f"{job.digest}-{part or partition.digest}"

    def of(self, part: str) -> Files:
        """Those of the partition when its digest was another."""
        return Files(self._job, self._partition, part)

    @property
    def labels(self) -> str:
        """Of `Kept`."""
        return f"prepared/{self._part}"

    def rows(self, model: int) -> str:
        """A model's probabilities of the labelled examples."""
        return f"rows/{self._part}-{model}"

    @property
    def of_labelled(self) -> list[str]:
        """All of the labelled examples."""
        return [self.labels, *(self.rows(number) for number in range(len(self._job.models)))]

    @property
    def checked(self) -> str:
        """Of `Checked`."""
        return f"checked/{self._pool}"

    @property
    def predicted(self) -> str:
        """The class each model predicts for each example."""
        return f"predicted/{self._pool}"

    @property
    def latest(self) -> str:
        """Digest of the partition of which `Kept` was made last."""
        return f"latest/{self._pool}"

    @property
    def reserve(self) -> str:
        """Of the examples without labels, by method."""
        return f"reserve/{digest(self._job.method, self._job.seed)}-{self._pool}"

    def all(self) -> list[str]:
        """Every name, but those of the reserves of other methods."""
        return [*self.of_labelled, self.checked, self.predicted, self.latest, self.reserve]


def read_model(job: Job, partition: Partition, number: int, rows: Ints | None) -> Floats:
    """A model's probabilities; ``rows`` as in `Checked.order`."""
    files = partition.models[number]
    matrix = read_matrix(files, job.models[number], partition.rows[number], len(job.classes))
    return matrix if rows is None else matrix[rows]


def keep_rows(job: Job, name: str, matrix: Floats) -> None:
    """Keep some rows of a model's probabilities."""
    job.store.write(name, matrix.tobytes())


def kept_rows(job: Job, name: str, number: int) -> Floats:
    """The rows of a model that were kept, shape (n_rows, n_classes)."""
    found = np.frombuffer(job.store.read(name), dtype=job.models[number].dtype)
    return found.reshape(-1, len(job.classes))


def load(job: Job, partition: Partition, annotators: Ids, models: Sequence[int] | None = None) -> Part:
    """The labelled examples of a partition; of the models those with the numbers ``models``, or all."""
    kept: Kept = job.store.load(Files(job, partition).labels)
    labels = _labels(job, kept, kept.offsets, kept.ids, annotators)
    return Part(labels, _labelled_models(job, partition, models), kept.predicted)


def load_with(job: Job, partition: Partition, annotators: Ids, ids: Ids, models: Models) -> Part:
    """The labelled examples of a partition, and after them some that have no label."""
    kept: Kept = job.store.load(Files(job, partition).labels)
    offsets = np.concatenate([kept.offsets, np.full(len(ids), kept.offsets[-1])])
    pairs = zip(_labelled_models(job, partition), models, strict=True)
    both = tuple(np.concatenate(pair) for pair in pairs)
    labels = _labels(job, kept, offsets, np.concatenate([kept.ids, ids]), annotators)
    return Part(labels, both, predicted_classes(both))


def load_all(job: Job, partition: Partition, annotators: Ids) -> Part:
    """All examples of a partition."""
    kept: Kept = job.store.load(Files(job, partition).labels)
    checked: Checked = job.store.load(Files(job, partition).checked)
    predicted: tuple[Ints, ...] = job.store.load(Files(job, partition).predicted)
    ids = PartitionIds(job, partition, checked.size, checked.order[0])
    labels = _labels(job, kept, _all_offsets(kept, checked.size), ids, annotators)
    return Part(labels, _all_models(job, partition, checked), predicted)


def load_sets(
    job: Job, partition: Partition, annotators: Ids, labelled_only: bool
) -> tuple[LabelSets, Models]:
    """Answers of a partition with the codes of the whole pool, and its models."""
    kept: Kept = job.store.load(Files(job, partition).labels)
    code = np.searchsorted(annotators, kept.annotators)
    examples: Vocabulary
    if labelled_only:
        offsets, examples = kept.offsets, Vocabulary.of_distinct(kept.ids, "example")
        models = _labelled_models(job, partition)
    else:
        checked: Checked = job.store.load(Files(job, partition).checked)
        offsets = _all_offsets(kept, checked.size)
        examples = PartitionIds(job, partition, checked.size, checked.order[0])
        models = _all_models(job, partition, checked)
    sets = LabelSets(
        np.repeat(np.arange(len(examples)), np.diff(offsets)),
        code[kept.annotator],
        kept.chosen,
        examples=examples,
        annotators=Vocabulary.of_distinct(annotators, "annotator"),
        classes=Vocabulary(job.classes, "class"),
    )
    return sets, models


def _labelled_models(job: Job, partition: Partition, models: Sequence[int] | None = None) -> Models:
    chosen = range(len(job.models)) if models is None else models
    return tuple(kept_rows(job, Files(job, partition).rows(number), number) for number in chosen)


def _all_offsets(kept: Kept, size: int) -> Ints:
    offsets = np.zeros(size + 1, dtype=np.int64)
    offsets[kept.rows + 1] = np.diff(kept.offsets)
    return np.cumsum(offsets, out=offsets)


def _all_models(job: Job, partition: Partition, checked: Checked) -> Models:
    return tuple(read_model(job, partition, number, rows) for number, rows in enumerate(checked.order))


def _labels(job: Job, kept: Kept, offsets: Ints, ids: Ids | Vocabulary, annotators: Ids) -> Labels:
    code = np.searchsorted(annotators, kept.annotators).astype(np.int32)
    return Labels.of_sorted(
        offsets,
        code[kept.annotator],
        kept.label,
        examples=ids if isinstance(ids, Vocabulary) else Vocabulary.of_distinct(ids, "example"),
        annotators=Vocabulary.of_distinct(annotators, "annotator"),
        classes=Vocabulary(job.classes, "class"),
    )
