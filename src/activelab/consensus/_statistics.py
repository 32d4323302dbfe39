"""Sums over the labels from which trust is estimated.

All are sums of integers, exact in float64, so that they do not depend on the order of the examples
or on how the pool is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from activelab._kernels import Block, blocks
from activelab._typing import Bools, Float64s, Ints, Models
from activelab.labels import Labels


@dataclass
class LabelSums:
    """What the labels alone tell: counts, and the pairwise agreement of annotators."""

    n_labels: int
    n_labelled: int
    n_multiple: int
    class_counts: Float64s
    agreements: Float64s
    opportunities: Float64s

    @property
    def mean_labels(self) -> float:
        """Mean number of labels of a labelled example."""
        return self.n_labels / max(self.n_labelled, 1)

    @property
    def verified(self) -> Bools:
        """Mask of annotators who share an example with another annotator."""
        return self.opportunities > 0

    @cached_property
    def agreement(self) -> Float64s:
        """g_j, the agreement of annotator j with the others [A §2.1]; the mean where it is undefined."""
        defined = self.verified
        agreement = np.divide(self.agreements, self.opportunities, out=np.zeros(len(defined)), where=defined)
        agreement[~defined] = agreement[defined].mean() if defined.any() else np.nan
        return agreement


def label_sums(labels: Labels) -> LabelSums:
    """Count the labels and the agreements between annotators."""
    n_classes, n_annotators = labels.n_classes, labels.n_annotators
    class_counts = np.zeros(n_classes)
    agreements, opportunities = np.zeros(n_annotators), np.zeros(n_annotators)
    n_labelled = n_multiple = 0
    for block in blocks(labels):
        votes = block.votes(n_classes)
        class_counts += votes.sum(axis=0)
        n_labelled += np.count_nonzero(block.counts)
        shared = block.counts > 1
        n_multiple += np.count_nonzero(shared)
        of_shared = shared[block.row]
        row, annotator = block.row[of_shared], block.annotator[of_shared]
        same = votes[row, block.label[of_shared]] - 1
        agreements += np.bincount(annotator, same, minlength=n_annotators)
        opportunities += np.bincount(annotator, block.counts[row] - 1, minlength=n_annotators)
    return LabelSums(labels.n_labels, n_labelled, n_multiple, class_counts, agreements, opportunities)


class ConsensusSums:
    """What the labels and models tell once a consensus is given, over multiply-labelled examples."""

    def __init__(self, n_models: int, n_classes: int) -> None:
        self.n_multiple = 0
        self.agreeing = np.zeros(0)
        """Entry n: labels equal to the consensus, summed over the examples with n labels."""
        self.consensus_counts = np.zeros(n_classes)
        self.model_correct = np.zeros(n_models)

    def add(self, block: Block, models: Models, consensus: Ints) -> None:
        """Add a block; ``consensus`` holds its consensus labels."""
        shared = np.flatnonzero(block.counts > 1)
        if not len(shared):
            return
        self.n_multiple += len(shared)
        target = consensus[shared]
        self.consensus_counts += np.bincount(target, minlength=len(self.consensus_counts))
        equal = np.bincount(block.row, consensus[block.row] == block.label, minlength=block.size)
        agreeing = np.bincount(block.counts[shared], equal[shared])
        total = np.zeros(max(len(agreeing), len(self.agreeing)))
        total[: len(self.agreeing)] = self.agreeing
        total[: len(agreeing)] += agreeing
        self.agreeing = total
        for number, model in enumerate(models):
            predicted = model[block.start : block.stop][shared].argmax(axis=1)
            self.model_correct[number] += np.count_nonzero(predicted == target)

    @property
    def agreement_with_consensus(self) -> float:
        """P: mean fraction of labels equal to the consensus of their example [A, C]."""
        if not self.n_multiple:
            return float("nan")
        size = np.maximum(np.arange(len(self.agreeing)), 1)
        return float((self.agreeing / size).sum() / self.n_multiple)


def consensus_sums(labels: Labels, models: Models, consensus: Ints) -> ConsensusSums:
    """`ConsensusSums` of the whole pool; ``consensus`` has shape (n_examples,)."""
    sums = ConsensusSums(len(models), labels.n_classes)
    for block in blocks(labels):
        sums.add(block, models, consensus[block.start : block.stop])
    return sums
