"""Statistics of each annotator against a consensus (mathematics.md §5)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from activelab import _html
from activelab._frames import Backend, make_frame
from activelab._kernels import blocks, summable_parts
from activelab._typing import Bools, Float64s, Ids, Ints
from activelab.consensus._accuracy import LEAST_COMPARISONS, Accuracies
from activelab.consensus._pairs import Pairs
from activelab.consensus._statistics import LabelSums
from activelab.labels import Labels


@dataclass(frozen=True, eq=False)
class AnnotatorTable:
    """One entry an annotator, in the order of ``labels.annotators``. NaN means not estimable.

    Attributes
    ----------
    annotator : ndarray, shape (n_annotators,)
        Ids.
    quality : ndarray of float64 in [0, 1]
        Overall quality; NaN for an annotator who shares no example with another.
    agreement_with_consensus : ndarray of float64 in [0, 1]
        Share of the annotator's labels equal to the consensus; NaN without labels.
    accuracy, accuracy_low, accuracy_high : ndarray of float64 in [0, 1]
        Expected accuracy and its 95 % interval, from comparisons with known answers, models and what others
        say; of `bayesian_consensus` alone, NaN by the other methods and of annotators who cannot be compared.
    comparisons : ndarray of float64
        How many comparisons with known answers would tell as much; see `too_few`.
    weight : ndarray of float64
        Weight in the consensus, w_j for CROWDLAB [A eq. 3].
    num_labels, num_overlapping : ndarray of int64
        Labels given, and those on examples that others labelled too.
    voice : ndarray of float64 in (0, 1]
        Voices a label of the annotator counts for: less than 1 where others of the same family say the
        same (see `bayesian_consensus`; 1 by the other methods).
    worst_class : ndarray
        Id of the class, among those the annotator used, whose labels agree least with the consensus;
        None without labels.
    """

    annotator: Ids
    quality: Float64s
    agreement_with_consensus: Float64s
    accuracy: Float64s
    accuracy_low: Float64s
    accuracy_high: Float64s
    comparisons: Float64s
    weight: Float64s
    num_labels: Ints
    num_overlapping: Ints
    voice: Float64s
    worst_class: Ids

    def __len__(self) -> int:
        return len(self.annotator)

    def __getitem__(self, column: str) -> Ids:
        return self.to_dict()[column]

    def __repr__(self) -> str:
        return f"AnnotatorTable({len(self)} annotators; {', '.join(self.to_dict())})"

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return _html.page(f"{len(self):,} annotators", _html.table(self.to_dict()))

    @property
    def verified(self) -> Bools:
        """Mask of annotators who share an example with another, so that quality can be estimated."""
        return self.num_overlapping > 0

    @property
    def too_few(self) -> Bools:
        """Mask of annotators with fewer comparisons than 5, of whom the interval says what the crowd is."""
        return self.comparisons < LEAST_COMPARISONS

    def to_dict(self) -> dict[str, Ids]:
        """The columns by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """A dataframe of the columns; ``backend`` is "pandas", "polars" or "pyarrow"."""
        return make_frame(self.to_dict(), backend)


def annotator_table(
    labels: Labels,
    consensus: Ints,
    quality: Float64s,
    sums: LabelSums,
    weight: Float64s,
    *,
    label_quality: Float64s | None = None,
    model_weight: Float64s | None = None,
    voice: Float64s | None = None,
    accuracy: Accuracies | None = None,
) -> AnnotatorTable:
    """Annotator statistics.

    Parameters
    ----------
    labels, sums
        The labels and their sums.
    consensus, quality
        Consensus label (code) and its quality for each example.
    weight
        Weight of each annotator.
    label_quality
        Posterior of each label given, shape (n_labels,). Without it the quality of an annotator is
        the agreement with the consensus on shared examples.
    model_weight
        Weights of the models, used to balance the two.
    voice
        Voices a label of each annotator counts for; 1 by default.
    accuracy
        Accuracies with intervals; NaN by default.
    """
    about = annotator_sums(labels, consensus, quality, label_quality)
    names = labels.annotators, labels.classes
    return table_of(about, *names, sums, weight, model_weight=model_weight, voice=voice, accuracy=accuracy)


@dataclass
class AnnotatorSums:
    """Sums about a consensus that the statistics of annotators follow from; exact, in any order.

    Attributes
    ----------
    n_labels, n_shared, right, right_shared : ndarray of float64, shape (n_annotators,)
        Labels, those on shared examples, and how many of either equal the consensus.
    believed : ndarray of float64, shape (2, n_annotators), or None
        Sums of the two `summable_parts` of the posteriors of the labels given.
    pairs : Pairs
        Annotators and the classes they used.
    by_pair : ndarray of float64, shape (n_pairs, 4)
        Labels, those that equal the consensus, and the two parts of the qualities of its examples.
    """

    n_labels: Float64s
    n_shared: Float64s
    right: Float64s
    right_shared: Float64s
    believed: Float64s | None
    pairs: Pairs
    by_pair: Float64s

    def merge(self, other: AnnotatorSums) -> None:
        """Add the sums over another part of the pool, with the same codes."""
        for name in ("n_labels", "n_shared", "right", "right_shared"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if self.believed is not None and other.believed is not None:
            self.believed = self.believed + other.believed
        pairs = self.pairs.merged(other.pairs)
        by_pair = np.zeros((len(pairs), 4))
        for one in (self, other):
            by_pair[pairs.find(one.pairs.annotator, one.pairs.label)] += one.by_pair
        self.pairs, self.by_pair = pairs, by_pair


def annotator_sums(
    labels: Labels, consensus: Ints, quality: Float64s, label_quality: Float64s | None = None
) -> AnnotatorSums:
    """The sums about a consensus; parameters as of `annotator_table`."""
    size = labels.n_annotators
    pairs = Pairs.of(labels.annotator, labels.label, size, labels.n_classes)
    none = (np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size))
    sums = AnnotatorSums(*none, None, pairs, np.zeros((len(pairs), 4)))
    for block in blocks(labels, at_least=1):
        equal = block.label == consensus[block.index][block.row]
        shared = block.counts[block.row] > 1
        sums.n_labels += np.bincount(block.annotator, minlength=size)
        sums.n_shared += np.bincount(block.annotator, shared, minlength=size)
        sums.right += np.bincount(block.annotator, equal, minlength=size)
        sums.right_shared += np.bincount(block.annotator, equal & shared, minlength=size)
        pair = pairs.find(block.annotator, block.label)
        of_example = summable_parts(quality[block.index])[:, block.row]
        for column, values in enumerate((None, equal, *of_example)):
            sums.by_pair[:, column] += np.bincount(pair, values, len(pairs))
    if label_quality is not None:
        parts = summable_parts(label_quality)
        sums.believed = np.stack([np.bincount(labels.annotator, one, size) for one in parts]).astype(float)
    return sums


def table_of(
    about: AnnotatorSums,
    annotators: Ids,
    classes: Ids,
    sums: LabelSums,
    weight: Float64s,
    *,
    model_weight: Float64s | None = None,
    voice: Float64s | None = None,
    accuracy: Accuracies | None = None,
) -> AnnotatorTable:
    """`annotator_table` from sums, of the annotators and classes with these ids."""
    size = len(annotators)
    overall = _ratio(about.right_shared, about.n_shared)
    if about.believed is not None and model_weight is not None:
        mean_weight = float(model_weight.mean())
        share = mean_weight / (mean_weight + weight.sum() * sums.mean_labels / max(size, 1))
        overall = share * _ratio(about.believed.sum(axis=0), about.n_labels) + (1 - share) * overall
    accuracy = Accuracies.unknown(size) if accuracy is None else accuracy
    return AnnotatorTable(
        annotator=annotators,
        quality=overall,
        agreement_with_consensus=_ratio(about.right, about.n_labels),
        accuracy=accuracy.accuracy,
        accuracy_low=accuracy.low,
        accuracy_high=accuracy.high,
        comparisons=accuracy.comparisons,
        weight=weight,
        num_labels=about.n_labels.astype(np.int64),
        num_overlapping=about.n_shared.astype(np.int64),
        voice=np.ones(size) if voice is None else voice,
        worst_class=_class_ids(worst_class(about, size), classes),
    )


def worst_class(about: AnnotatorSums, n_annotators: int) -> Ints:
    """Code of each annotator's worst class, -1 without labels.

    Lowest accuracy against the consensus; then most labels; then highest mean quality of the consensus
    of the examples so labelled; then lowest class (mathematics.md §5).
    """
    worst = np.full(n_annotators, -1, dtype=np.int64)
    used, right = about.by_pair.T[:2]
    quality = about.by_pair[:, 2:].sum(axis=1)
    annotator, label = about.pairs.annotator, about.pairs.label
    order = np.lexsort((label, -quality / used, -used, right / used, annotator))
    first = np.ones(len(order), dtype=bool)
    first[1:] = annotator[order][1:] != annotator[order][:-1]
    worst[annotator[order][first]] = label[order][first]
    return worst


def _class_ids(codes: Ints, classes: Ids) -> Ids:
    if (codes >= 0).all():
        return classes[codes]
    ids = np.full(len(codes), None, dtype=object)
    ids[codes >= 0] = classes[codes[codes >= 0]]
    return ids


def _ratio(numerator: Float64s, denominator: Float64s) -> Float64s:
    nan = np.full(len(denominator), np.nan)
    np.divide(numerator, denominator, out=nan, where=denominator > 0)
    return nan
