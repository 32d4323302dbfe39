"""What a run keeps of the examples without labels, so that the next one need not look at all of them.

Of each partition the lowest scores are kept, with a bound on all others. A few new labels change weights and
temperatures a little, and with them every score. Where the bound, moved as far as that may have moved a
score, is above the worst score of the batch, nothing but what was kept can be in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from activelab._kernels import temper
from activelab._typing import Bools, Float64s, Ids, Ints, Models
from activelab.acquisition import ActiveLab, Frugal, score_pool
from activelab.consensus import BayesianEstimate
from activelab.consensus.parts import Betas, Trust
from activelab.labels import Labels
from activelab.scale._job import Job, Partition, digest
from activelab.scale._kept import Files, Kept, Part, kept_rows, load_all, load_with

Bits = npt.NDArray[np.uint8]

TIMES = 8
"""Examples kept for each that the batch takes: enough for some days, until those have been labelled."""

_ROUNDING = 3e-6
"""Relative error of a certainty: classes are tied within 1e-6 of it, and sums rounded, some to float32."""


class Yardstick(NamedTuple):
    """How the score of an example without labels follows from its probabilities.

    Attributes
    ----------
    under : str
        Digest of what it depends on, but the next.
    exponent : float or None
        β, if the score grows with u = max_k softmax(β log q)_k, where the q of an example stay as they are;
        None if u itself does.
    certainty : callable
        u of an example, from its probabilities by each model (one row) and its score.
    score : callable
        The score of an example with such a u.
    """

    under: str
    exponent: float | None
    certainty: Callable[[Models, float], float]
    score: Callable[[float], float]

    def lowest(self, certainty: float, exponent: float | None, n_classes: int) -> float:
        """A bound on the scores of examples that had no lower certainty at another exponent.

        −log u = log Σ_k exp(−β (l_max − l_k)), with l = log q, is a convex, falling function of β, and log K
        at 0: with a lower β it is at most on the chord, with a higher one at most what it was.
        """
        if exponent is not None and self.exponent is not None and self.exponent < exponent:
            share = self.exponent / exponent
            certainty = math.exp(share * math.log(certainty) - (1 - share) * math.log(n_classes))
        return self.score(certainty - _ROUNDING * abs(certainty))


def of_trust(job: Job, betas: Betas, trust: Trust) -> Yardstick | None:
    """By ActiveLab with one model, or by a method that does not depend on the labels of others."""
    if not isinstance(job.method, ActiveLab):
        return Yardstick("by example", None, _score, _same)
    if len(betas) > 1:
        return None
    beta = betas[0]

    def score(certainty: float) -> float:
        # By the formula of all examples, for one with such a probability.
        row = np.full((1, len(job.classes)), (1 - certainty) / max(len(job.classes) - 1, 1))
        row[0, 0] = certainty
        nobody = np.zeros(0, dtype=np.int64)
        labels = Labels(
            nobody, nobody, nobody, examples=1, annotators=len(trust.annotator_weight), classes=row.shape[1]
        )
        none, first = np.full(1, -1), np.zeros(1, dtype=np.int64)
        return float(score_pool(labels, (row,), (None,), trust, none, first).scores[0])

    return Yardstick(
        digest("activelab", beta is None), beta, lambda models, _: float(temper(models[0], beta).max()), score
    )


def of_estimate(job: Job, estimate: BayesianEstimate) -> Yardstick | None:
    """By Frugal: u of the calibrated models, by the share of a voice that they count for."""
    prior = estimate.prior
    plain = type(job.method) is Frugal and prior.base is None and estimate.log_shares is None
    if not plain or estimate.known is not None or estimate.abstaining is not None:
        return None
    exponent = max(prior.voices, 1.0) ** -estimate.discount
    return Yardstick(digest("frugal", prior.betas, prior.lapses), exponent, _score, _same)


def _score(_: Models, score: float) -> float:
    return score


def _same(certainty: float) -> float:
    return certainty


@dataclass(frozen=True)
class Reserve:
    """Examples of a partition without labels, those of the lowest scores.

    Attributes
    ----------
    under, exponent
        Of the `Yardstick`.
    certainty : float
        The lowest of the examples without labels that are not here; infinite if there are none.
    considered : bool
        Whether the method considers those at all.
    rows : ndarray of int
        Positions in the partition.
    ids : ndarray
    models : tuple of ndarray, shape (n_rows, n_classes)
    size : int
        Examples of the partition.
    labelled : ndarray of uint8
        A bit for each example of the partition: whether it had a label.
    """

    under: str
    exponent: float | None
    certainty: float
    considered: bool
    rows: Ints
    ids: Ids
    models: Models
    size: int
    labelled: Bits


class Look(NamedTuple):
    """Some examples of a partition, and of the others what makes it needless to look at them.

    Attributes
    ----------
    part : Part
        The labelled ones, and those in reserve; or all.
    beyond : float
        No other example has a lower score.
    others : int
        How many others the method considers.
    at_all : bool
        Whether the part is the whole partition, read from the files.
    """

    part: Part
    beyond: float
    others: int
    at_all: bool


def look(job: Job, partition: Partition, annotators: Ids, by: Yardstick | None, at_all: bool) -> Look:
    """The labelled examples of a partition, and of the others those in reserve if that may do, else all."""
    found = None if by is None or at_all else _usable(job, partition, by)
    if found is None or by is None:
        return Look(load_all(job, partition, annotators), math.inf, 0, True)
    reserve, open_, others = found
    models = tuple(model[open_] for model in reserve.models)
    part = load_with(job, partition, annotators, reserve.ids[open_], models)
    if not others or not reserve.considered:
        return Look(part, math.inf, 0, False)
    return Look(part, by.lowest(reserve.certainty, reserve.exponent, len(job.classes)), others, False)


def _usable(job: Job, partition: Partition, by: Yardstick) -> tuple[Reserve, Bools, int] | None:
    """The reserve of a partition, which of it has no label yet, and how many others have none.

    None if there is no reserve, it was made by another measure, or labels are gone since.
    """
    files = Files(job, partition)
    if not job.store.exists(files.reserve):
        return None
    reserve: Reserve = job.store.load(files.reserve)
    kept: Kept = job.store.load(files.labels)
    had = np.unpackbits(reserve.labelled).astype(bool)
    has = np.zeros(len(had), dtype=bool)
    has[kept.rows] = True
    if reserve.under != by.under or (had & ~has).any():
        return None
    open_ = ~has[reserve.rows]
    return reserve, open_, reserve.size - len(kept.rows) - int(open_.sum())


def keep_reserve(
    job: Job, partition: Partition, by: Yardstick, part: Part, scores: Float64s, share: float, at_most: float
) -> None:
    """Keep of all examples of a partition those that may be asked about in the next rounds.

    ``share`` is the batch's share of the pool, ``at_most`` its worst score if that is known; it is infinite
    if it is not.
    """
    open_ = np.flatnonzero(~part.labels.labelled)
    values = scores[open_]
    finite = np.isfinite(values)
    if finite.any() and not finite.all():
        return
    certainty, considered = math.inf, bool(finite.any())
    if considered:
        taken = int((values <= at_most).sum()) if math.isfinite(at_most) else 0
        size = TIMES * max(taken, math.ceil(share * len(open_)))
        if size < len(open_):
            order = np.argpartition(values, size)
            best = open_[order[size]]
            certainty = by.certainty(
                tuple(model[best : best + 1] for model in part.models), float(scores[best])
            )
            open_ = np.sort(open_[order[:size]])
    else:
        open_ = open_[:0]
    reserve = Reserve(
        by.under,
        by.exponent,
        certainty,
        considered,
        open_,
        part.labels.examples[open_],
        tuple(model[open_] for model in part.models),
        part.labels.n_examples,
        np.packbits(part.labels.labelled),
    )
    job.store.save(Files(job, partition).reserve, reserve)


def known_rows(job: Job, partition: Partition, rows: Ints) -> Models | None:
    """Probabilities of some rows of a partition, if an earlier run has kept all of them.

    What is labelled now was labelled before, or in reserve: what was asked came from there.
    """
    files = Files(job, partition)
    if not all(map(job.store.exists, (files.latest, files.checked))):
        return None
    before = files.of(job.store.load(files.latest))
    if not all(map(job.store.exists, before.of_labelled)):
        return None
    kept: Kept = job.store.load(before.labels)
    have = [kept.rows]
    models = [[kept_rows(job, before.rows(number), number)] for number in range(len(job.models))]
    if job.store.exists(files.reserve):
        reserve: Reserve = job.store.load(files.reserve)
        have.append(reserve.rows)
        for parts, model in zip(models, reserve.models, strict=True):
            parts.append(model)
    known = np.concatenate(have)
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known, rows, sorter=order)
    if (place == len(known)).any() or (known[order[place]] != rows).any():
        return None
    return tuple(np.concatenate(parts)[order[place]] for parts in models)
