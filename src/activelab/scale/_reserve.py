"""What is kept of the examples without labels, so that the others need not be looked at again.

The first pass keeps those of which one model is least certain, the last one those of the lowest scores, with
a bound on all others. A calibration and some new labels move every score, and the bound as far at most. Where
it is still above the worst score of the batch, nothing but what was kept can be in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from activelab._kernels import least_certain, row_max, rows_at, temper
from activelab._typing import Bools, Float64s, Floats, Ids, Ints, Models
from activelab.acquisition import Acquisition, ActiveLab, Frugal, score_without_labels
from activelab.consensus import BayesianEstimate
from activelab.consensus.parts import Betas, Trust
from activelab.labels import Labels
from activelab.pred_probs import highest_from_below
from activelab.scale._job import Job, Partition, digest
from activelab.scale._kept import Files, Kept, Part, kept_rows, load_all, load_with

Bits = npt.NDArray[np.uint8]

TIMES = 8
"""Examples kept for each that the batch takes: enough for some days, until those have been labelled."""

LEAST_CERTAIN = 0.02
"""Share of the examples that the first pass keeps at least, since it knows no scores."""

_BY_MODEL = "model"
"""What a reserve is under whose certainty is the highest probability of an example by the only model."""


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
    by_model : callable or None
        A bound on u from below, from the highest of the probabilities by the only model, divided by their
        sum; None if that tells nothing.
    """

    under: str
    exponent: float | None
    certainty: Callable[[Models, float], float]
    score: Callable[[float], float]
    by_model: Callable[[float], float] | None = None

    def can_use(self, reserve: Reserve) -> bool:
        """Whether there is a bound on the scores of the examples that a reserve leaves out."""
        return reserve.under == self.under or (reserve.under == _BY_MODEL and self.by_model is not None)

    def lowest(self, reserve: Reserve, n_classes: int) -> float:
        """A bound on the scores of the examples that a reserve leaves out, from below."""
        certainty = reserve.certainty
        if self.by_model is not None and reserve.under == _BY_MODEL:
            certainty = self.by_model(certainty)
        elif self.exponent is not None and reserve.exponent is not None:
            certainty = least_certain(certainty, self.exponent / reserve.exponent, n_classes)
        return self.score(certainty)


def by_certainty(method: Acquisition) -> bool:
    """Whether `keep_least_certain` helps: a score without labels follows from how certain a model is."""
    return isinstance(method, ActiveLab) or type(method) is Frugal


def of_trust(job: Job, betas: Betas, trust: Trust) -> Yardstick | None:
    """By ActiveLab with one model, or by a method that does not depend on the labels of others."""
    if not isinstance(job.method, ActiveLab):
        return Yardstick("by example", None, _score, _same)
    if len(betas) > 1:
        return None
    beta = betas[0]

    return Yardstick(
        digest("activelab", beta is None),
        beta,
        lambda models, _: float(temper(models[0], beta).max()),
        lambda certainty: float(score_without_labels(np.array([certainty]), trust, len(job.classes))[0]),
        lambda top: least_certain(top, beta, len(job.classes)),
    )


def of_estimate(job: Job, estimate: BayesianEstimate) -> Yardstick | None:
    """By Frugal: u of the calibrated models, by the share of a voice that they count for."""
    if type(job.method) is not Frugal or not estimate.by_model_alone:
        return None
    return Yardstick(
        digest("frugal", estimate.prior.betas, estimate.prior.lapses),
        estimate.exponent_alone,
        _score,
        _same,
        lambda top: estimate.least_certain(top, len(job.classes)),
    )


def _score(_: Models, score: float) -> float:
    return score


def _same(certainty: float) -> float:
    return certainty


@dataclass(frozen=True)
class Reserve:
    """Examples of a partition without labels, of which the model is least certain or the lowest in score.

    Attributes
    ----------
    under, exponent
        Of the `Yardstick`; `_BY_MODEL` and None of what the first pass keeps.
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


class SoFar(NamedTuple):
    """What other partitions have shown.

    Attributes
    ----------
    at_most : float
        Nothing with a higher score can be in the batch.
    doubtful : bool
        Whether what the first pass kept of one was too little.
    """

    at_most: float
    doubtful: bool


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
    by_model : bool
        Whether the reserve is that of the first pass.
    """

    part: Part
    beyond: float
    others: int
    at_all: bool
    by_model: bool = False


def look(
    job: Job, partition: Partition, annotators: Ids, by: Yardstick | None, at_all: bool, doubtful: bool
) -> Look:
    """The labelled examples of a partition, and of the others those in reserve if that may do, else all."""
    found = None if by is None or at_all else _usable(job, partition, by)
    by_model = found is not None and found[0].under == _BY_MODEL
    if found is None or by is None or (by_model and doubtful):
        return Look(load_all(job, partition, annotators), math.inf, 0, True)
    reserve, open_, others = found
    models = tuple(model[open_] for model in reserve.models)
    part = load_with(job, partition, annotators, reserve.ids[open_], models)
    if not others or not reserve.considered:
        return Look(part, math.inf, 0, False)
    return Look(part, by.lowest(reserve, len(job.classes)), others, False, by_model)


def _usable(job: Job, partition: Partition, by: Yardstick) -> tuple[Reserve, Bools, int] | None:
    """The reserve of a partition, which of it has no label yet, and how many others have none.

    None if there is no reserve, it tells no bound by this measure, or labels are gone since.
    """
    files = Files(job, partition)
    if not job.store.exists(files.reserve):
        return None
    reserve: Reserve = job.store.load(files.reserve)
    kept: Kept = job.store.load(files.labels)
    had = np.unpackbits(reserve.labelled).astype(bool)
    has = np.zeros(len(had), dtype=bool)
    has[kept.rows] = True
    if not by.can_use(reserve) or (had & ~has).any():
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
        open_, best = _first_of(open_, values, TIMES * max(taken, math.ceil(share * len(open_))))
        if best is not None:
            rows = tuple(model[best : best + 1] for model in part.models)
            certainty = by.certainty(rows, float(scores[best]))
    else:
        open_ = open_[:0]
    _keep(job, partition, part.labels, part.models, open_, by.under, by.exponent, certainty, considered)


def keep_least_certain(job: Job, partition: Partition, labels: Labels, model: Floats, share: float) -> None:
    """Keep of all examples of a partition those of which the only model is least certain, if that is few."""
    open_ = np.flatnonzero(~labels.labelled)
    # Twice as many, since the bound leaves room for what all other probabilities do to a score.
    wanted = max(2 * TIMES * math.ceil(share * len(open_)), math.ceil(LEAST_CERTAIN * len(open_)))
    if 2 * wanted > len(open_) > 0:
        return
    open_, best = _first_of(open_, row_max(model)[open_], wanted)
    certainty = math.inf
    if best is not None:
        certainty = float(highest_from_below(row_max(model[best : best + 1]))[0])
    _keep(job, partition, labels, (model,), open_, _BY_MODEL, None, certainty, True)


def _first_of(rows: Ints, values: Floats, size: int) -> tuple[Ints, int | None]:
    """As many rows as ``size`` of the lowest values, in their order, and the first one left out, if any."""
    if size >= len(rows):
        return rows, None
    order = np.argpartition(values, size)
    return np.sort(rows[order[:size]]), int(rows[order[size]])


def _keep(
    job: Job,
    partition: Partition,
    labels: Labels,
    models: Models,
    rows: Ints,
    under: str,
    exponent: float | None,
    certainty: float,
    considered: bool,
) -> None:
    reserve = Reserve(
        under,
        exponent,
        certainty,
        considered,
        rows,
        labels.examples[rows],
        tuple(rows_at(model, rows) for model in models),
        labels.n_examples,
        np.packbits(labels.labelled),
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
