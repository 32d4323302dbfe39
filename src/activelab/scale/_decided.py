"""Passes of a consensus: labels, qualities, and what they say of annotators."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow.parquet as pq

from activelab._kernels import fixed_sum
from activelab._typing import Float64s, Ids, Ints
from activelab.consensus import BayesianEstimate
from activelab.consensus.parts import (
    COMPARED_SUMS,
    AnnotatorSums,
    Compared,
    agreement_with_label,
    annotator_sums,
    compared,
    crowdlab_posterior,
    loss_table,
    on_scale,
    predicted_together,
)
from activelab.consensus.parts import (
    decide as decide_by,
)
from activelab.labels import Labels
from activelab.scale._job import Job, Partition, digest
from activelab.scale._kept import load
from activelab.scale._passes import Known, consensus_of
from activelab.tables import to_arrow


@dataclass(frozen=True)
class Deciding:
    """What the consensus rests on: the Bayesian estimate, or what CROWDLAB has found.

    ``loss`` decides where classes are points of a scale.
    """

    annotators: Ids
    known: BayesianEstimate | Known
    loss: str = ""


@dataclass
class Decided:
    """Sums over the consensus of a partition, in fixed point or exact in any order.

    ``class_sums`` are those of `on_scale`.
    """

    about: AnnotatorSums
    voices: Float64s | None
    quality: int
    agreement: int
    class_sums: Float64s | None = None

    def merge(self, other: Decided) -> None:
        """Add those of another partition."""
        self.about.merge(other.about)
        if self.voices is not None and other.voices is not None:
            self.voices = self.voices + other.voices
        if self.class_sums is not None and other.class_sums is not None:
            self.class_sums = self.class_sums + other.class_sums
        self.quality += other.quality
        self.agreement += other.agreement


def table_file(key: str, partition: Partition) -> str:
    """Where the consensus of a partition is kept, by example; ``key`` is the digest of what it rests on."""
    return f"consensus/table-{key}-{partition.digest}.parquet"


def _compared_file(key: str, partition: Partition) -> str:
    return f"consensus/compared-{key}-{partition.digest}"


def decide(job: Job, partition: Partition, deciding: Deciding, hint: None) -> Decided:
    """The consensus of a partition, kept as a table sorted by example, and its sums."""
    labels, models, _ = load(job, partition, deciding.annotators)
    known, key = deciding.known, digest(job, deciding)
    label_quality, voices, table, decision = None, None, None, None
    if isinstance(known, BayesianEstimate):
        if known.where is not None:
            table = loss_table(deciding.loss, known.where)
            decision = partial(_by_loss, table, labels, job.seed)
        label, posterior = known.decided(labels, models, job.seed, decision)
        voices = known.voices.weight_sums(labels)
        pairs = compared(known, labels, models) if labels.n_classes > 1 else Compared.of_nothing()
        pairs = pairs._replace(who=pairs.who.astype(np.int32), position=np.empty(0, dtype=np.int64))
        job.store.save(_compared_file(key, partition), pairs)
    else:
        assert known.final_trust is not None
        label = consensus_of(job, partition, known, labels, models)
        posterior = crowdlab_posterior(labels, models, known.betas, known.final_trust)
        label_quality = posterior[labels.example, labels.label]
    rows = np.flatnonzero(labels.labelled)
    quality, agreement = np.full(labels.n_examples, np.nan), agreement_with_label(labels, label)
    quality[rows] = posterior[rows, label[rows]]
    columns = {
        "example": labels.examples[rows],
        "consensus_label": labels.classes[label[rows]],
        "quality": quality[rows],
        "agreement": agreement[rows],
        "num_labels": labels.counts[rows],
    }
    class_sums = None
    if table is not None:
        assert isinstance(known, BayesianEstimate)
        assert known.where is not None
        found = on_scale(posterior[rows], label[rows], known.where, table)
        columns |= {
            "mean": found.mean,
            "low": labels.classes[found.low],
            "high": labels.classes[found.high],
            "expected_loss": found.expected_loss,
        }
        class_sums = found.class_sums
    predicted = predicted_together(tuple(model[rows] for model in models))
    _keep(job, table_file(key, partition), {**columns, "predicted_label": labels.classes[predicted]})
    about = annotator_sums(labels, label, quality, label_quality)
    return Decided(about, voices, fixed_sum(quality[rows]), fixed_sum(agreement[rows]), class_sums)


def _by_loss(table: Float64s, labels: Labels, seed: int, posterior: Float64s, index: slice) -> Ints:
    return decide_by(posterior, table, index, labels, seed)[0]


def _keep(job: Job, name: str, columns: dict[str, Ids]) -> None:
    order = np.argsort(columns["example"], kind="stable")
    data = io.BytesIO()
    pq.write_table(to_arrow({name: values[order] for name, values in columns.items()}), data)
    job.store.write(name, data.getvalue())


@dataclass(frozen=True)
class Accuracy:
    """What is asked of the labels that `decide` compared: which sums, at which accuracies."""

    key: str
    sums: str
    accuracy: Float64s


def compare(job: Job, partition: Partition, asked: Accuracy, hint: None) -> Float64s:
    """Sums of the compared labels of a partition; reads nothing but those."""
    found: Compared = job.store.load(_compared_file(asked.key, partition))
    return COMPARED_SUMS[asked.sums](found, asked.accuracy, len(job.classes))
