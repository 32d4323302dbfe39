"""What the first pass keeps of a partition, and the later ones read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from activelab._kernels import from_memory, memory_of, rows_at
from activelab._typing import Bools, Floats, Ids, Ints, Models
from activelab._vocabulary import Vocabulary
from activelab.consensus.parts import predicted_classes
from activelab.labels import Labels
from activelab.multilabel import LabelSets
from activelab.scale._job import Job, LateIds, Partition, digest
from activelab.scale._read import read_matrix


@dataclass(frozen=True)
class Kept:
    """Labels of a partition as codes, in as few bytes as they need.

    Attributes
    ----------
    counts : ndarray of int, shape (n_examples,)
        How many each example has.
    annotator, label : ndarray of int, shape (n_labels,)
        The labels, as of `Labels`.
    annotators : ndarray
        Ids of the annotators.
    chosen : ndarray of bool, shape (n_labels, n_classes), or None
        The classes of each label where labels are sets.
    """

    counts: Ints
    annotator: Ints
    label: Ints
    annotators: Ids
    chosen: Bools | None = None

    @classmethod
    def of(cls, labels: Labels, annotators: Ids, chosen: Bools | None) -> Kept:
        """Those of all examples of a partition."""
        counts, annotator, label = map(as_small, (labels.counts, labels.annotator, labels.label))
        return cls(counts, annotator, label, annotators, chosen)

    @property
    def rows(self) -> Ints:
        """Positions of the labelled examples in the partition."""
        return np.flatnonzero(self.counts > 0)

    def offsets(self, more: int = 0) -> Ints:
        """Of the labelled examples, as of `Labels`, and of some without labels after them."""
        counts = np.compress(self.counts > 0, self.counts)
        return _offsets(np.concatenate([counts, np.zeros(more, dtype=counts.dtype)]))

    @property
    def all_offsets(self) -> Ints:
        """Of all examples."""
        return _offsets(self.counts)


def as_small(codes: Ints) -> Ints:
    """The same codes in the smallest integers that hold them."""
    return codes.astype(np.min_scalar_type(int(codes.max(initial=0))))


def _offsets(counts: Ints) -> Ints:
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


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

    @property
    def ids(self) -> str:
        """Ids of the labelled examples."""
        return f"ids/{self._part}"

    def rows(self, model: int) -> str:
        """A model's probabilities of the labelled examples."""
        return f"rows/{self._part}-{model}"

    @property
    def of_labelled(self) -> list[str]:
        """All of the labelled examples."""
        return [self.labels, self.ids, *(self.rows(number) for number in range(len(self._job.models)))]

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
    """A model's probabilities in columns; ``rows`` as in `Checked.order`."""
    files = partition.models[number]
    matrix = read_matrix(files, job.models[number], partition.rows[number], len(job.classes))
    return matrix if rows is None else rows_at(matrix, rows)


def keep_rows(job: Job, name: str, matrix: Floats) -> None:
    """Keep some rows of a model's probabilities, which are in columns."""
    job.store.write(name, memory_of(matrix).view(np.uint8).data)


def kept_rows(job: Job, name: str, number: int) -> Floats:
    """The rows of a model that were kept, in columns, shape (n_rows, n_classes)."""
    memory = np.frombuffer(job.store.read(name), dtype=job.models[number].dtype)
    return from_memory(memory, len(job.classes))


def load(job: Job, partition: Partition, annotators: Ids, models: Sequence[int] | None = None) -> Part:
    """The labelled examples of a partition; of the models those with the numbers ``models``, or all."""
    files = Files(job, partition)
    kept: Kept = job.store.load(files.labels)
    labels = labels_of(job, kept, annotators, lambda: job.store.load(files.ids))
    predicted = predicted_at(job, files, kept.rows)
    return Part(labels, _labelled_models(job, partition, models), predicted)


def predicted_at(job: Job, files: Files, rows: Ints) -> tuple[Ints, ...]:
    """The class each model predicts for some examples, int32."""
    predicted: tuple[Ints, ...] = job.store.load(files.predicted)
    return tuple(np.take(one, rows).astype(np.int32) for one in predicted)


def labels_of(job: Job, kept: Kept, annotators: Ids, read: Callable[[], Ids]) -> Labels:
    """Those of the labelled examples; ``read`` gives the ids of these, if somebody asks for them."""
    offsets = kept.offsets()
    return _labels(job, kept, offsets, LateIds(len(offsets) - 1, read), annotators)


def load_with(job: Job, partition: Partition, annotators: Ids, ids: Ids, models: Models) -> Part:
    """The labelled examples of a partition, and after them some that have no label."""
    files = Files(job, partition)
    kept: Kept = job.store.load(files.labels)
    offsets = kept.offsets(len(ids))
    both_ids = LateIds(len(offsets) - 1, lambda: np.concatenate([job.store.load(files.ids), ids]))
    pairs = zip(_labelled_models(job, partition), models, strict=True)
    both = tuple(np.concatenate(pair) for pair in pairs)
    labels = _labels(job, kept, offsets, both_ids, annotators)
    predicted = zip(predicted_at(job, files, kept.rows), predicted_classes(models), strict=True)
    return Part(labels, both, tuple(map(np.concatenate, predicted)))


def load_all(job: Job, partition: Partition, annotators: Ids) -> Part:
    """All examples of a partition."""
    files = Files(job, partition)
    kept: Kept = job.store.load(files.labels)
    checked: Checked = job.store.load(files.checked)
    predicted: tuple[Ints, ...] = job.store.load(files.predicted)
    ids = LateIds(checked.size, lambda: job.kept_ids(partition, checked.order[0]))
    labels = _labels(job, kept, kept.all_offsets, ids, annotators)
    as_codes = tuple(one.astype(np.int32) for one in predicted)
    return Part(labels, _all_models(job, partition, checked), as_codes)


def load_sets(
    job: Job, partition: Partition, annotators: Ids, labelled_only: bool
) -> tuple[LabelSets, Models]:
    """Answers of a partition with the codes of the whole pool, and its models."""
    kept: Kept = job.store.load(Files(job, partition).labels)
    code = np.searchsorted(annotators, kept.annotators)
    examples: Vocabulary
    if labelled_only:
        offsets = kept.offsets()
        examples = Vocabulary.of_distinct(job.store.load(Files(job, partition).ids), "example")
        models = _labelled_models(job, partition)
    else:
        checked: Checked = job.store.load(Files(job, partition).checked)
        offsets = kept.all_offsets
        examples = LateIds(checked.size, lambda: job.kept_ids(partition, checked.order[0]))
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


def _all_models(job: Job, partition: Partition, checked: Checked) -> Models:
    return tuple(read_model(job, partition, number, rows) for number, rows in enumerate(checked.order))


def _labels(job: Job, kept: Kept, offsets: Ints, ids: Vocabulary, annotators: Ids) -> Labels:
    code = np.searchsorted(annotators, kept.annotators).astype(np.int32)
    return Labels.of_sorted(
        offsets,
        np.take(code, kept.annotator),
        kept.label.astype(np.int32),
        examples=ids,
        annotators=Vocabulary.of_distinct(annotators, "annotator"),
        classes=Vocabulary(job.classes, "class"),
    )
