"""The consensus of a project, as its kind of question asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelab._typing import Bools, Float64s, Models
from activelab.consensus import BayesianEstimate, Consensus, OrdinalConsensus, bayesian_estimate
from activelab.consensus.parts import (
    consensus_by,
    loss_range,
    loss_table,
    ordinal_consensus_by,
    scale_positions,
)
from activelab.labels import Labels
from activelab.project._project import Project
from activelab.project.settings import Settings

DISTANCE = "absolute"
"""What is told of a rating, whatever loss decides it: its distance from the truth."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What annotators and models say of every example, whatever is known of it by itself.

    How annotators err is learnt from what is known all the same.

    Attributes
    ----------
    consensus : Consensus
    estimate : BayesianEstimate
    """

    consensus: Consensus
    estimate: BayesianEstimate

    @property
    def expected_error(self) -> Float64s | None:
        """Expected distance of each label from the truth, in units of the scale; None without a scale."""
        consensus, where = self.consensus, self.estimate.where
        if where is None or not isinstance(consensus, OrdinalConsensus):
            return None
        found, given = np.full(len(consensus.label), np.nan), consensus.label >= 0
        table = loss_table(DISTANCE, where)[:, consensus.label[given]]
        found[given] = np.einsum("ij,ji->i", consensus.posterior[given], table)
        return found

    def error_range(self, models: Models) -> tuple[float, float]:
        """Bounds on the mean of `expected_error`, as `BayesianEstimate.expected_right` has on the right."""
        where = self.estimate.where
        assert where is not None
        consensus = self.consensus
        table = loss_table(DISTANCE, where)
        return loss_range(self.estimate, consensus.labels, models, table, consensus.label)


def judge(settings: Settings, labels: Labels, models: Models, *, seed: int) -> Judged:
    """The consensus by question and loss; what is known comes with checked predictions (see `told`)."""
    if settings.question != "ordinal":
        estimate = bayesian_estimate(labels, models)
        return Judged(consensus_by(estimate, labels, models, seed=seed, untold=True), estimate)
    where = scale_positions(labels)
    estimate = bayesian_estimate(labels, models, where=where)
    table = loss_table(settings.loss, where)
    return Judged(ordinal_consensus_by(estimate, labels, models, table, seed=seed, untold=True), estimate)


def abstentions_beside(project: Project, labels: Labels, up_to_event: int) -> Labels | None:
    """Who could not tell, over the examples and annotators of some labels; None if nobody.

    People without a label are left out: nothing is known of how they answer.
    """
    abstained = project.abstentions(up_to_event)
    there = {name: code for code, name in enumerate(labels.annotators.tolist())}
    who = [there.get(name, -1) for name in abstained.annotators[abstained.annotator].tolist()]
    kept = (np.array(who, dtype=np.int64) >= 0) & (abstained.example < labels.n_examples)
    if not kept.any():
        return None
    return Labels(
        abstained.example[kept],
        np.array(who)[kept],
        np.zeros(int(kept.sum()), dtype=np.int64),
        examples=labels.n_examples,
        annotators=labels.annotators,
        classes=1,
    )


def bulk_beside(project: Project, labels: Labels, up_to_event: int) -> Bools | None:
    """Which of some labels were seen in bulk, in their order; None if none was."""
    seen = project.seen_in_bulk(up_to_event)
    there = {name: code for code, name in enumerate(labels.annotators.tolist())}
    keys = [code * labels.n_annotators + there[name] for code, name in seen if name in there]
    if not keys:
        return None
    key = labels.example.astype(np.int64) * labels.n_annotators + labels.annotator
    return np.asarray(np.isin(key, keys))


def mean_rating(labels: Labels) -> Float64s:
    """Mean of the ratings of each example on the scale; NaN without any."""
    where = scale_positions(labels)
    total = np.bincount(labels.example, where[labels.label], minlength=labels.n_examples)
    counts = labels.counts
    mean = np.full(labels.n_examples, np.nan)
    np.divide(total, counts, out=mean, where=counts > 0)
    return mean


def scale_of(settings: Settings) -> Float64s | None:
    """Positions of the classes on the scale; None if they are no scale."""
    if settings.question != "ordinal":
        return None
    classes = np.array(settings.classes, dtype=object)
    return scale_positions(Labels([], [], [], examples=0, annotators=0, classes=classes))
