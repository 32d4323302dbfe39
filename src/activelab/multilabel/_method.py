"""The consensus of sets as kinds of question hold it."""

from __future__ import annotations

import numpy as np

from activelab._typing import Models
from activelab.labels import Labels
from activelab.multilabel._consensus import (
    MultilabelConsensus,
    estimate_beside,
    multilabel_consensus_by,
)
from activelab.multilabel._loss import SetLoss, thresholds
from activelab.multilabel._sets import LabelSets


class Multilabel:
    """`multilabel_consensus` with a loss.

    Parameters
    ----------
    loss : {"hamming", "f1"}

    Examples
    --------
    >>> import activelab as al
    >>> from activelab.kinds import KINDS
    >>> labels = al.Labels.from_wide([["a|b", "a|b", "a"], ["b", "b", "b"]])
    >>> KINDS.get("multilabel").method().estimate(labels, ()).label_sets
    [('a', 'b'), ('b',)]
    """

    def __init__(self, loss: SetLoss = "hamming") -> None:
        thresholds(np.empty((0, 0)), loss)
        self.loss = loss

    def estimate(
        self,
        labels: LabelSets | Labels,
        models: Models,
        *,
        abstentions: Labels | LabelSets | None = None,
        seed: int = 0,
    ) -> MultilabelConsensus:
        """The consensus set of every answered example.

        Parameters
        ----------
        labels : LabelSets, or Labels whose classes are texts such as "a|b"
        models : tuple of ndarray of float, shape (n_examples, n_classes) each
            Checked probabilities of the classes (`check_multilabel_probs`); empty if there are none.
        abstentions : Labels or LabelSets, optional
            As for `multilabel_consensus`.
        seed : int
            Of no effect: no tie is drawn.
        """
        sets = as_sets(labels)
        estimate = estimate_beside(sets, models, abstentions=abstentions)
        return multilabel_consensus_by(estimate, sets, models, loss=self.loss)


def as_sets(labels: LabelSets | Labels) -> LabelSets:
    """Answers as sets, taken apart where they are texts."""
    return labels if isinstance(labels, LabelSets) else LabelSets.from_labels(labels)
