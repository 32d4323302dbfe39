"""The passes in their order, and what is worked out between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from activelab._conventions import PAPER
from activelab._errors import InputError, first
from activelab._typing import Float64s, Ids
from activelab._vocabulary import id_keys
from activelab.acquisition import ActiveLab
from activelab.calibration import (
    BOUNDS,
    NOTHING_TO_ESTIMATE,
    DerivativeSums,
    Sample,
    Search,
    sampling_step,
    search_optimum,
    temperature_of,
    with_notes,
)
from activelab.consensus.parts import (
    ConsensusSums,
    add_consensus_sums,
    add_label_sums,
    estimate_trust,
    lone_annotators_note,
)
from activelab.labels import Labels
from activelab.planning import Batch, why_fewer
from activelab.scale import _passes as passes
from activelab.scale._job import Job, digest
from activelab.scale._layout import Request
from activelab.scale._passes import Known
from activelab.scale._plan import Plan
from activelab.scale._prepare import Prepared, Unmatched, prepare
from activelab.scale._run import Runner
from activelab.selection import batch_order


@dataclass(frozen=True, eq=False)
class Suggestion:
    """A batch and what it rests on.

    Attributes
    ----------
    batch : Batch
        What to label next, best first; the same as `activelab.suggest` gives of the same data in memory.
    temperature, model_weight : ndarray of float64, shape (n_models,)
    annotators : ndarray, shape (n_annotators,)
        Ids, sorted.
    annotator_weight : ndarray of float64, shape (n_annotators,)
    annotator_accuracy : float
        P, the chance that a label equals the consensus; NaN where it cannot be estimated.
    n_examples, n_labelled, n_labels : int
        Size of the pool, labelled examples in it, their labels.
    classes : tuple
    dropped : int
        Examples left out because labels or a model lack them (``unmatched="drop"``).
    computed : int
        Tasks that were run; the others had their results from an earlier run in the same ``work_dir``.
    plan : Plan
    notes : tuple of str
        What could not be estimated, in words.
    """

    batch: Batch
    temperature: Float64s
    model_weight: Float64s
    annotators: Ids
    annotator_weight: Float64s
    annotator_accuracy: float
    n_examples: int
    n_labelled: int
    n_labels: int
    classes: tuple[Any, ...]
    dropped: int
    computed: int
    plan: Plan
    notes: tuple[str, ...]


class Run:
    """One run: each method is a step, and rests on those before it."""

    def __init__(self, request: Request, plan: Plan, job: Job, runner: Runner) -> None:
        self.request, self.plan, self.job, self.runner = request, plan, job, runner

    def result(self) -> Suggestion:
        """Run all passes."""
        prepared, dropped = self._prepare()
        known = self._count(prepared)
        temperature, notes = self._temperature(known, prepared)
        calibrated = isinstance(self.job.method, ActiveLab) and self.job.method.calibrate
        betas = tuple((1 / temperature).tolist()) if calibrated else (None,) * len(self.job.models)
        known = self._trust(replace(known, betas=betas, temperature=temperature))
        n_examples = sum(one.n_examples for one in prepared)
        batch, asked = self._best(known), self.request.batch_size
        trust, sums = known.final_trust, known.sums
        assert trust is not None
        notes = (*notes, *lone_annotators_note(sums, known.annotators[~sums.verified]))
        if len(batch) < asked:
            notes = (why_fewer(len(batch), asked, n_examples, len(batch)), *notes)
        self.runner.finish(self.job, prepare)
        return Suggestion(
            batch=replace(batch, notes=notes),
            temperature=temperature,
            model_weight=trust.model_weight,
            annotators=known.annotators,
            annotator_weight=trust.annotator_weight,
            annotator_accuracy=trust.annotator_accuracy,
            n_examples=n_examples,
            n_labelled=sums.n_labelled,
            n_labels=sums.n_labels,
            classes=self.job.classes,
            dropped=dropped,
            computed=self.runner.computed,
            plan=self.plan,
            notes=notes,
        )

    def _prepare(self) -> tuple[list[Prepared], int]:
        prepared = self.runner.run(self.job, prepare, None, key=self.job.digest)
        without_probs = sum((one.without_probs for one in prepared), Unmatched())
        without_model = sum((one.without_model for one in prepared), Unmatched())
        if self.request.unmatched == "error":
            _refuse(without_probs, "labelled examples have no row in the probabilities")
            _refuse(without_model, "examples have probabilities by some models only")
        n_examples = sum(one.n_examples for one in prepared)
        every = sampling_step(n_examples)
        if every != self.job.every:  # so many examples were dropped that the sample is another
            self.job = replace(self.job, every=every)
            prepared = self.runner.run(self.job, prepare, None, key=self.job.digest)
        return prepared, without_probs.count + without_model.count

    def _count(self, prepared: Sequence[Prepared]) -> Known:
        annotators = _union([one.annotators for one in prepared])
        parts = ((one.sums, np.searchsorted(annotators, one.annotators)) for one in prepared)
        sums = add_label_sums(parts, len(annotators), len(self.job.classes))
        return Known(annotators, sums)

    def _temperature(self, known: Known, prepared: Sequence[Prepared]) -> tuple[Float64s, tuple[str, ...]]:
        method, n_models = self.job.method, len(self.job.models)
        if not isinstance(method, ActiveLab) or not method.calibrate:
            return np.ones(n_models), ()
        if not known.sums.n_multiple:
            return np.ones(n_models), NOTHING_TO_ESTIMATE
        samples = _joined([one.sample for one in prepared if one.sample is not None], self.job)
        searches = [search_optimum(sample, BOUNDS) for sample in samples]
        lowest = np.min([one.lowest for one in prepared], axis=0)
        betas = self._search(known, searches)
        return with_notes(
            [temperature_of(beta, BOUNDS, low) for beta, low in zip(betas, lowest.tolist(), strict=True)]
        )

    def _search(self, known: Known, searches: Sequence[Search]) -> list[float]:
        """The best β of each model: all searches take a step in each pass."""
        wanted: list[float | None] = [next(search) for search in searches]
        found = [float("nan")] * len(searches)
        while any(beta is not None for beta in wanted):
            parts = self.runner.run(self.job, passes.calibrate, replace(known, betas=tuple(wanted)))
            for number, search in enumerate(searches):
                if wanted[number] is None:
                    continue
                try:
                    total = sum((part[number] for part in parts), DerivativeSums())
                    wanted[number] = search.send(total)
                except StopIteration as end:
                    found[number], wanted[number] = float(end.value), None
        return found

    def _trust(self, known: Known) -> Known:
        if not known.sums.n_multiple:
            none = ConsensusSums(
                0, np.zeros(1), np.zeros(len(self.job.classes)), np.zeros(len(self.job.models))
            )
            return replace(known, final_trust=estimate_trust(known.sums, none, PAPER))
        votes = add_consensus_sums(self.runner.run(self.job, passes.vote, known))
        known = replace(known, trust=estimate_trust(known.sums, votes, PAPER))
        known = replace(known, consensus=digest(self.job, known))
        agreed = add_consensus_sums(self.runner.run(self.job, passes.agree, known))
        return replace(known, final_trust=estimate_trust(known.sums, agreed, PAPER))

    def _best(self, known: Known) -> Batch:
        best = _Best(self.request.batch_size, self.request.seed)
        known = replace(known, batch_size=self.request.batch_size)
        self.runner.run(self.job, passes.score, known, hint=lambda: best.at_most, seen=best.add)
        return best.result()


class _Best:
    """The best of the batches of all partitions."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        self.at_most = float("inf")
        self._parts: list[Batch] = []

    def add(self, batch: Batch) -> None:
        """Take the best of one partition."""
        self._parts.append(batch)
        enough = self.size if self.at_most == float("inf") else 1.5 * self.size
        if sum(len(part) for part in self._parts) >= enough:
            merged = self._merge()
            self._parts = [merged]
            self.at_most = float(merged.score[-1])

    def _merge(self) -> Batch:
        columns: dict[str, Any] = {
            field.name: np.concatenate([getattr(part, field.name) for part in self._parts])
            for field in fields(Batch)
            if field.name != "notes"
        }
        keys = id_keys(columns["examples"])
        order = batch_order(columns["score"], keys, self.seed)[: self.size]
        return Batch(**{name: values[order] for name, values in columns.items()})

    def result(self) -> Batch:
        """The batch."""
        return self._merge()


def _refuse(unmatched: Unmatched, what: str) -> None:
    if unmatched.count:
        raise InputError(f"{unmatched.count:,} {what}: {_first_of(unmatched)}.", advice="unmatched")


def _first_of(unmatched: Unmatched) -> str:
    shown = first(unmatched.ids[:10])
    return f"{shown} and {unmatched.count - 10:,} more" if unmatched.count > 10 else shown


def _union(parts: Sequence[Ids]) -> Ids:
    """The distinct ids of all partitions, sorted."""
    together = np.concatenate(parts)
    if together.dtype.kind != "O":
        return np.unique(together)
    distinct = np.empty(len(known := sorted(set(together.tolist()))), dtype=object)
    distinct[:] = known
    return distinct


def _joined(samples: Sequence[Sample], job: Job) -> list[tuple[Labels, Any] | None]:
    """For each model the sample of the whole pool; None if there is none."""
    if not samples:
        return [None] * len(job.models)
    counts = np.concatenate([one.counts for one in samples])
    label = np.concatenate([one.label for one in samples])
    labels = Sample(counts, label, ()).labels(len(job.classes))
    return [
        (labels, np.concatenate([one.models[number] for one in samples])) for number in range(len(job.models))
    ]
