"""Who named which class: the rows of all confusion matrices that a label falls into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelab._typing import Ints

_MOST_CELLS = 1 << 20
"""Annotators times classes up to which a table of all of them is cheap."""


@dataclass(frozen=True)
class Pairs:
    """The pairs of annotator and class that labels name, sorted; at most as many as labels.

    Attributes
    ----------
    annotator, label : ndarray of int64, shape (n_pairs,)
    n_annotators, n_classes : int
    position : ndarray of int32, shape (n_annotators * n_classes,), or None
        Place of each pair among those named, -1 of others; None where the table would be large.
    """

    annotator: Ints
    label: Ints
    n_annotators: int
    n_classes: int
    position: Ints | None

    @classmethod
    def of(cls, annotator: Ints, label: Ints, n_annotators: int, n_classes: int) -> Pairs:
        """The pairs that labels name."""
        key = annotator.astype(np.int64) * n_classes + label
        n_cells, position = n_annotators * n_classes, None
        if n_cells <= max(_MOST_CELLS, len(key)):
            named = np.zeros(n_cells, dtype=bool)
            named[key] = True
            keys = np.flatnonzero(named)
            position = np.full(n_cells, -1, dtype=np.int32)  # half the memory to be looked up in
            position[keys] = np.arange(len(keys))
        else:
            keys = np.unique(key)
        return cls(*np.divmod(keys, max(n_classes, 1)), n_annotators, n_classes, position)

    def merged(self, other: Pairs) -> Pairs:
        """The pairs of either, of the same annotators and classes."""
        annotator = np.concatenate([self.annotator, other.annotator])
        label = np.concatenate([self.label, other.label])
        return Pairs.of(annotator, label, self.n_annotators, self.n_classes)

    def __len__(self) -> int:
        return len(self.annotator)

    def find(self, annotator: Ints, label: Ints) -> Ints:
        """Position of each pair, -1 of those that no label names."""
        key = annotator.astype(np.int64) * self.n_classes + label
        if self.position is not None:
            return np.take(self.position, key)
        named = self.annotator * self.n_classes + self.label
        if not len(named):
            return np.full(len(key), -1)
        at = np.minimum(np.searchsorted(named, key), len(named) - 1)
        return np.asarray(np.where(named[at] == key, at, -1))
