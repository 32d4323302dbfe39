"""Who named which class: the cells of all confusion matrices that a label falls into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelab._typing import Ints

_MOST_CELLS = 1 << 20
"""Annotators times classes up to which a table of all of them is as good as sorting the labels."""


@dataclass(frozen=True)
class Pairs:
    """The pairs of annotator and class that labels name, sorted; as many as labels at most.

    Attributes
    ----------
    annotator, label : ndarray of int64, shape (n_pairs,)
    n_classes : int
    """

    annotator: Ints
    label: Ints
    n_classes: int

    def __len__(self) -> int:
        return len(self.annotator)

    def find(self, annotator: Ints, label: Ints) -> Ints:
        """Position of each pair, -1 of those that no label names."""
        wanted = annotator.astype(np.int64) * self.n_classes + label
        if not len(self):
            return np.full(len(wanted), -1)
        key = self.annotator * self.n_classes + self.label
        at = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        return np.where(key[at] == wanted, at, -1)


def pairs_of(annotator: Ints, label: Ints, n_annotators: int, n_classes: int) -> tuple[Pairs, Ints]:
    """The pairs that labels name, and the position of each label's."""
    key = annotator.astype(np.int64) * n_classes + label
    n_cells = n_annotators * n_classes
    if n_cells <= max(_MOST_CELLS, len(key)):
        named = np.zeros(n_cells, dtype=bool)
        named[key] = True
        keys = np.flatnonzero(named)
        at = np.full(n_cells, -1)
        at[keys] = np.arange(len(keys))
        position = at[key]
    else:
        keys, position = np.unique(key, return_inverse=True)
    return Pairs(*np.divmod(keys, max(n_classes, 1)), n_classes), position
