"""The passes: pure functions of one partition whose small results add up in any order.

Each calls the functions of the core that an array in memory goes through. A pass takes the job, the
partition, what the passes before it found, and a hint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from activelab._typing import Float64s, Ids, Ints, Models
from activelab.acquisition import ActiveLab, Assessment, Lowest, score_pool
from activelab.calibration import DerivativeSums, derivative_sums
from activelab.consensus import BayesianEstimate
from activelab.consensus.parts import (
    Betas,
    ChanceSums,
    ConsensusSums,
    LabelSums,
    Trust,
    best_supported,
    chance_sums,
    vote_labels,
    vote_with_sums,
)
from activelab.labels import Labels
from activelab.planning import Batch, explain_batch
from activelab.scale._job import Job, Partition
from activelab.scale._kept import load
from activelab.scale._reserve import Look, SoFar, Yardstick, keep_reserve, look, of_trust
from activelab.selection import select_batch
from activelab.stopping import AMBIGUOUS, OPEN, SETTLED, states_of


@dataclass(frozen=True)
class Choosing:
    """How the best of a partition are chosen.

    Attributes
    ----------
    batch_size : int
    skipping : BayesianEstimate or None
        By what it is judged which examples are settled or ambiguous, if they are left out.
    who : bool
        Whether it is told who has labelled each, so that others can be asked.
    share : float
        The batch's share of the pool.
    at_all : bool
        Whether all examples are looked at, whatever is in reserve.
    """

    batch_size: int = 0
    skipping: BayesianEstimate | None = None
    who: bool = False
    share: float = 0.0
    at_all: bool = False


@dataclass(frozen=True, eq=False)
class Chosen(Batch):
    """A batch with the partition of each example, and the annotators of its labels; None if nobody asks."""

    asked: Ids = field(default_factory=lambda: np.empty(0, dtype=object))
    partition: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))


class Best(NamedTuple):
    """The best of a partition.

    Attributes
    ----------
    batch : Chosen
    considered, settled, ambiguous : int
        Examples to be asked about, that are settled, and that are ambiguous.
    number : int
        Of the partition.
    beyond : float
        No example that was not looked at has a lower score.
    at_all : bool
        Whether all examples were looked at.
    doubtful : bool
        Whether what the first pass kept looks like too little: as many as the partition's share of the batch
        are not all below ``beyond``.
    """

    batch: Chosen
    considered: int
    settled: int
    ambiguous: int
    number: int
    beyond: float
    at_all: bool
    doubtful: bool


@dataclass(frozen=True)
class Known:
    """What the passes so far have found; grows from pass to pass."""

    annotators: Ids
    sums: LabelSums
    betas: Betas = ()
    trust: Trust | None = None
    final_trust: Trust | None = None
    consensus: str = ""
    looked_at: float = 1.0  # share of the labelled examples by which it is judged what models know
    choosing: Choosing = field(default_factory=Choosing)
    temperature: Float64s = field(default_factory=lambda: np.empty(0))


def calibrate(job: Job, partition: Partition, known: Known, hint: None) -> tuple[DerivativeSums | None, ...]:
    """Derivatives of each model's objective at its β; None for a model that is done."""
    wanted = [number for number, beta in enumerate(known.betas) if beta is not None]
    labels, models, _ = load(job, partition, known.annotators, wanted)
    found: list[DerivativeSums | None] = [None] * len(known.betas)
    for number, model in zip(wanted, models, strict=True):
        found[number] = derivative_sums(labels, model, known.betas[number] or 0.0)
    return tuple(found)


def vote(job: Job, partition: Partition, known: Known, hint: None) -> ConsensusSums:
    """Sums about the majority vote."""
    labels, models, predicted = load(job, partition, known.annotators)
    return vote_with_sums(labels, known.sums, models, known.betas, predicted, seed=job.seed).about


def compare_by_chance(job: Job, partition: Partition, known: Known, hint: None) -> ChanceSums:
    """How far the models agree with the labels."""
    labels, models, _ = load(job, partition, known.annotators)
    return chance_sums(labels, models, known.looked_at)


def agree(job: Job, partition: Partition, known: Known, hint: None) -> tuple[ConsensusSums, ChanceSums]:
    """Sums about the consensus by CROWDLAB, kept for the last pass, and how far models and labels agree."""
    labels, models, predicted = load(job, partition, known.annotators)
    assert known.trust is not None
    label, about = best_supported(
        labels,
        models,
        known.betas,
        known.trust,
        predicted,
        lambda: vote_labels(labels, known.sums, models, known.betas, seed=job.seed),
    )
    job.store.write(_consensus_file(known, partition), label.tobytes())
    return about, chance_sums(labels, models, known.looked_at)


def _consensus_file(known: Known, partition: Partition) -> str:
    return f"consensus/{known.consensus}-{partition.digest}.bin"


def consensus_of(job: Job, partition: Partition, known: Known, labels: Labels, models: Models) -> Ints:
    """The consensus by CROWDLAB that `agree` kept; the vote where no trust can be estimated."""
    if known.consensus:
        label = np.full(labels.n_examples, -1, dtype=np.int32)
        label[labels.labelled] = np.frombuffer(
            job.store.read(_consensus_file(known, partition)), dtype=np.int32
        )
        return label
    return vote_labels(labels, known.sums, models, known.betas, seed=job.seed)


def score(job: Job, partition: Partition, known: Known, so_far: SoFar) -> Best:
    """The best of a partition, given those of others."""
    trust = known.final_trust
    assert trust is not None
    by = of_trust(job, known.betas, trust)
    seen = look(job, partition, known.annotators, by, known.choosing.at_all, so_far.doubtful)
    labels, models, predicted = seen.part
    consensus = consensus_of(job, partition, known, labels, models)
    own = isinstance(job.method, ActiveLab)
    lowest = lowest_of(job, seen, known.choosing, so_far.at_most) if own else None
    scored = score_pool(labels, models, known.betas, trust, consensus, predicted[0], lowest)
    scores = scored.scores
    if not own:
        scores = job.method.score_models(labels, models, seed=job.seed)
    assessment = Assessment(
        scores=scores,
        consensus_label=consensus,
        quality=scored.quality,
        predicted_label=scored.predicted_label,
        temperature=known.temperature,
        model_weight=trust.model_weight,
        annotator_weight=trust.annotator_weight,
        annotator_accuracy=trust.annotator_accuracy,
        notes=(),
    )
    return best_of(job, partition, seen, by, assessment, known.choosing, so_far.at_most)


def lowest_of(job: Job, seen: Look, choosing: Choosing, at_most: float) -> Lowest | None:
    """What tells which scores of a partition nobody asks for; None if all are."""
    if choosing.skipping is not None or _keeps_reserve(job, seen):
        return None
    return Lowest(choosing.batch_size, at_most)


def _keeps_reserve(job: Job, seen: Look) -> bool:
    return seen.at_all and job.store.lasting


def best_of(
    job: Job,
    partition: Partition,
    seen: Look,
    by: Yardstick | None,
    assessment: Assessment,
    choosing: Choosing,
    at_most: float,
) -> Best:
    """The lowest scores of a partition, of those of ``at_most`` so much."""
    labels, models, _ = seen.part
    scores, settled, ambiguous = assessment.scores, 0, 0
    if by is not None and _keeps_reserve(job, seen):
        limit = at_most if choosing.at_all else np.inf
        keep_reserve(job, partition, by, seen.part, scores, choosing.share, limit)
    considered = int(np.isfinite(scores).sum()) + seen.others
    if choosing.skipping is not None:
        states = states_of(labels, models, choosing.skipping)
        settled, ambiguous = (int((states == state).sum()) for state in (SETTLED, AMBIGUOUS))
        scores = np.where(states == OPEN, scores, np.inf)
    scores = np.where(scores <= at_most, scores, np.inf)
    size = min(choosing.batch_size, int(np.isfinite(scores).sum()))
    chosen = np.zeros(0, dtype=np.int64)
    if size:
        chosen = select_batch(scores, size, seed=job.seed, labels=labels)
    asked = np.full(size, None, dtype=object)
    for place, row in enumerate(chosen.tolist() if choosing.who else ()):
        asked[place] = labels.annotator[labels.offsets[row] : labels.offsets[row + 1]]
    batch = explain_batch(labels, assessment, chosen)
    chosen_ones = Chosen(**vars(batch), asked=asked, partition=np.full(size, partition.number))
    due = math.ceil(choosing.share * (seen.others + labels.n_examples))
    worst = float(batch.score[due - 1]) if 0 < due <= size else at_most
    return Best(
        chosen_ones,
        considered,
        settled,
        ambiguous,
        partition.number,
        seen.beyond,
        seen.at_all,
        doubtful=seen.by_model and seen.beyond <= worst,
    )
