"""Sums over the labels from which trust is estimated.

All are sums of integers, exact in float64, so that they do not depend on the order of the examples
or on how the pool is cut: the sums of the parts of a pool add up to those of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from activelab._kernels import Block, blocks, row_argmax
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

    @classmethod
    def of_nothing(cls, labels: Labels) -> LabelSums:
        """Before the first block of the labels; how many there are of each class is known."""
        class_counts, size = labels.totals.class_counts.astype(np.float64), labels.n_annotators
        return cls(labels.n_labels, 0, 0, class_counts, np.zeros(size), np.zeros(size))

    def add(self, block: Block, votes: Ints) -> None:
        """Add labelled examples and their labels of each class, in columns."""
        self.n_labelled += block.size
        self.n_multiple += int(np.count_nonzero(block.counts > 1))
        for total, each in (
            (self.agreements, block.at_labels(votes) - 1),
            (self.opportunities, np.take(block.counts - 1, block.row)),
        ):
            total += np.bincount(block.annotator, each, len(total))

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
    sums = LabelSums.of_nothing(labels)
    for block in blocks(labels, at_least=1):
        sums.add(block, block.votes())
    return sums


def add_label_sums(parts: Iterable[tuple[LabelSums, Ints]], n_annotators: int, n_classes: int) -> LabelSums:
    """Sums of a whole pool from those of its parts, each with the codes of its own annotators."""
    zeros = np.zeros(n_annotators)
    total = LabelSums(0, 0, 0, np.zeros(n_classes), zeros, zeros.copy())
    for part, codes in parts:
        total.n_labels += part.n_labels
        total.n_labelled += part.n_labelled
        total.n_multiple += part.n_multiple
        total.class_counts += part.class_counts
        total.agreements[codes] += part.agreements
        total.opportunities[codes] += part.opportunities
    return total


@dataclass
class ConsensusSums:
    """What labels and models tell once a consensus is given, over multiply-labelled examples.

    Entry n of ``agreeing`` is the number of labels equal to the consensus, summed over the examples
    with n labels; single labels are there and count for nothing.
    """

    n_multiple: int
    agreeing: Float64s
    consensus_counts: Float64s
    model_correct: Float64s

    @classmethod
    def of_nothing(cls, labels: Labels, n_models: int) -> ConsensusSums:
        """Before the first block of the labels."""
        longest = len(labels.totals.sizes)
        return cls(0, np.zeros(longest), np.zeros(labels.n_classes), np.zeros(n_models))

    def add(self, block: Block, target: Ints, equal: Ints | Float64s, predicted: Sequence[Ints]) -> None:
        """Add the examples of a block, each with its consensus and how many labels equal that.

        ``predicted`` is the class of each example of the pool by each model.
        """
        n_classes, several = len(self.consensus_counts), block.counts > 1
        self.n_multiple += int(np.count_nonzero(several))
        of_several = np.where(several, target, n_classes)
        self.consensus_counts += np.bincount(of_several, minlength=n_classes + 1)[:-1]
        self.agreeing += np.bincount(block.counts, equal, minlength=len(self.agreeing))
        for number, classes in enumerate(predicted):
            self.model_correct[number] += np.count_nonzero(classes[block.index] == of_several)

    @property
    def agreement_with_consensus(self) -> float:
        """P: mean fraction of labels equal to the consensus of their example [A, C]."""
        if not self.n_multiple:
            return float("nan")
        share = self.agreeing[2:] / np.arange(2, len(self.agreeing))
        return float(share.sum() / self.n_multiple)


def add_consensus_sums(parts: Sequence[ConsensusSums]) -> ConsensusSums:
    """Sums of a whole pool from those of its parts."""
    longest = max(len(part.agreeing) for part in parts)
    agreeing = np.zeros(longest)
    for part in parts:
        agreeing[: len(part.agreeing)] += part.agreeing
    return ConsensusSums(
        sum(part.n_multiple for part in parts),
        agreeing,
        np.sum([part.consensus_counts for part in parts], axis=0),
        np.sum([part.model_correct for part in parts], axis=0),
    )


def consensus_sums(labels: Labels, predicted: Sequence[Ints], consensus: Ints) -> ConsensusSums:
    """Sums about a consensus, shape (n_examples,), and the class each model predicts."""
    sums = ConsensusSums.of_nothing(labels, len(predicted))
    for block in blocks(labels, at_least=2):
        target = consensus[block.index]
        sums.add(block, target, block.equal(target), predicted)
    return sums


def predicted_together(models: Models) -> Ints:
    """Most probable class of each example by the mean of the models."""
    total: Float64s = models[0].astype(np.float64)
    for model in models[1:]:
        total += model
    return row_argmax(total)


def predicted_classes(models: Models) -> tuple[Ints, ...]:
    """Most probable class of each example by each model, int32; a temperature does not change it."""
    return tuple(row_argmax(model).astype(np.int32) for model in models)
