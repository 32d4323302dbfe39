"""What the first pass keeps of a partition, and the later ones read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activelab._typing import Bools, Ids, Ints
from activelab.scale._job import Job, Partition
from activelab.scale._read import read_matrix


@dataclass(frozen=True)
class Kept:
    """A partition's labels as codes, and the class each model predicts; ``order``, the rows of each
    model that are kept, in the order of the first one's, or None for all as they are; ``chosen``, the
    classes of each label where labels are sets."""

    offsets: Ints
    annotator: Ints
    label: Ints
    annotators: Ids
    predicted: tuple[Ints, ...]
    order: tuple[Ints | None, ...]
    chosen: Bools | None = None


def read_model(job: Job, partition: Partition, number: int, rows: Ints | None) -> Any:
    """A model's probabilities; ``rows`` as in `Kept.order`."""
    files = partition.models[number]
    matrix = read_matrix(files, job.models[number], partition.rows[number], len(job.classes))
    return matrix if rows is None else matrix[rows]
