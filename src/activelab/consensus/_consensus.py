"""The result every consensus method returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab import _html
from activelab._errors import first
from activelab._frames import Backend, make_frame
from activelab._kernels import blocks
from activelab._typing import Float64s, Ids, Ints
from activelab.consensus._accuracy import Accuracies
from activelab.consensus._annotators import AnnotatorTable, annotator_table
from activelab.consensus._statistics import LabelSums
from activelab.labels import Labels


@dataclass(frozen=True, eq=False)
class Consensus:
    """Consensus labels, and how far they, the annotators and the models can be trusted.

    Row i is example i of ``labels``. An example without labels has no consensus: ``label`` -1,
    ``quality`` and ``agreement`` NaN.

    Attributes
    ----------
    labels : Labels
        The labels the consensus is of.
    label : ndarray of int, shape (n_examples,)
        Code of the consensus label, an index into ``labels.classes``; -1 without labels.
    quality : ndarray of float64 in [0, 1], shape (n_examples,)
        Estimated probability that the consensus label is right.
    posterior : ndarray of float64, shape (n_examples, n_classes)
        Probability of each class given labels and models; NaN rows where the method has nothing to
        go by (majority vote of an example without labels).
    agreement : ndarray of float64 in [0, 1], shape (n_examples,)
        Share of the example's labels that equal the consensus.
    annotators : AnnotatorTable
        Quality, weight and statistics of each annotator.
    model_weight : ndarray of float64, shape (n_models,)
        Weight w_M of each model [A eq. 4]; empty if the method uses no model.
    notes : tuple of str
        What could not be estimated, in words.
    """

    labels: Labels
    label: Ints
    quality: Float64s
    posterior: Float64s
    agreement: Float64s
    annotators: AnnotatorTable
    model_weight: Float64s
    notes: tuple[str, ...]

    @classmethod
    def build(
        cls,
        labels: Labels,
        label: Ints,
        posterior: Float64s,
        sums: LabelSums,
        *,
        annotator_weight: Float64s,
        annotator_voice: Float64s | None = None,
        annotator_accuracy: Accuracies | None = None,
        model_weight: Float64s | None = None,
        use_label_quality: bool = False,
        notes: tuple[str, ...] = (),
    ) -> Consensus:
        """Assemble a result from labels and posterior; the statistics follow from them."""
        quality = np.full(labels.n_examples, np.nan)
        given = label >= 0
        quality[given] = posterior[given, label[given]]
        label_quality = posterior[labels.example, labels.label] if use_label_quality else None
        table = annotator_table(
            labels,
            label,
            quality,
            sums,
            annotator_weight,
            label_quality=label_quality,
            model_weight=model_weight,
            voice=annotator_voice,
            accuracy=annotator_accuracy,
        )
        return cls(
            labels=labels,
            label=label,
            quality=quality,
            posterior=posterior,
            agreement=agreement_with_label(labels, label),
            annotators=table,
            model_weight=np.empty(0) if model_weight is None else model_weight,
            notes=(*notes, *overlap_notes(labels, sums)),
        )

    def __repr__(self) -> str:
        given = self.label >= 0
        mean = f"{self.quality[given].mean():.3f}" if given.any() else "not estimable"
        return f"Consensus({int(given.sum()):,} labelled examples, mean quality {mean})"

    def _repr_html_(self) -> str:
        """As a notebook shows it: how sure it is, and the first examples."""
        given = self.label >= 0
        facts = {
            "examples with a consensus": int(given.sum()),
            "mean quality": float(self.quality[given].mean()) if given.any() else None,
            "mean agreement": float(np.nanmean(self.agreement)) if self.labels.n_labels else None,
            "model weight": self.model_weight if len(self.model_weight) else None,
        }
        return _html.page("Consensus", _html.table(self.to_dict()), facts=facts, notes=self.notes)

    @property
    def label_ids(self) -> Ids:
        """The consensus label of each example as the user's own class id; None without labels."""
        ids = np.full(len(self.label), None, dtype=object)
        given = self.label >= 0
        ids[given] = self.labels.classes[self.label[given]]
        return ids

    def to_dict(self) -> dict[str, Ids]:
        """Columns example, consensus_label, quality, agreement, num_labels of the labelled examples."""
        given = self.labels.labelled
        return {
            "example": self.labels.examples[given],
            "consensus_label": self.labels.classes[self.label[given]],
            "quality": self.quality[given],
            "agreement": self.agreement[given],
            "num_labels": self.labels.counts[given],
        }

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """A dataframe of `to_dict`; ``backend`` is "pandas", "polars" or "pyarrow"."""
        return make_frame(self.to_dict(), backend)


def agreement_with_label(labels: Labels, label: Ints) -> Float64s:
    """Share of each example's labels that equal ``label``; NaN without labels."""
    share = np.full(labels.n_examples, np.nan)
    for block in blocks(labels, at_least=1):
        share[block.index] = block.total(block.label == label[block.index][block.row]) / block.counts
    return share


def overlap_notes(labels: Labels, sums: LabelSums) -> tuple[str, ...]:
    """What lack of overlap between annotators keeps from being estimated."""
    if not sums.n_multiple or sums.verified.all():
        return lone_annotators_note(sums, labels.annotators[:0])
    with_labels = np.bincount(labels.annotator, minlength=labels.n_annotators) > 0
    return lone_annotators_note(sums, labels.annotators[~sums.verified & with_labels])


def lone_annotators_note(sums: LabelSums, alone: Ids) -> tuple[str, ...]:
    """`overlap_notes` given the annotators with labels who share no example with another."""
    if not sums.n_multiple:
        return (
            "no example has two labels: the agreement of annotators and their quality cannot be "
            "estimated; models and annotators get equal weight.",
        )
    if not len(alone):
        return ()
    return (
        f"{len(alone):,} annotators share no example with another, so their quality cannot be estimated; "
        f"they get the mean agreement: {first(alone[:11])}.",
    )
