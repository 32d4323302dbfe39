"""The passes in their order, and what is worked out between them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial, reduce
from typing import Any, Generic, TypeVar

import numpy as np

from activelab._conventions import PAPER
from activelab._errors import InputError, first
from activelab._kernels import FIXED_POINT
from activelab._ordered import order_notes
from activelab._typing import Bools, Float64s, Ids, Ints, Models
from activelab._vocabulary import Vocabulary, id_keys
from activelab.acquisition import ActiveLab, ExpectedLoss, Frugal
from activelab.assignment import assign
from activelab.calibration import (
    BOUNDS,
    NOTHING_TO_ESTIMATE,
    DerivativeSums,
    Sample,
    Search,
    advance,
    sampling_step,
    search_optimum,
    temperature_of,
    with_notes,
)
from activelab.consensus import AnnotatorTable, BayesianEstimate
from activelab.consensus.parts import (
    ComparedSums,
    ConsensusSums,
    Gathered,
    accuracies_by,
    add_consensus_sums,
    add_label_sums,
    chance_notes,
    chance_share,
    estimate_of_sample,
    estimate_trust,
    lone_annotators_note,
    sample_shares,
    table_of,
    with_scale,
)
from activelab.labels import Labels, Totals
from activelab.multilabel import SET_LOSSES, LabelSets, MultilabelAnnotatorTable, QuestionBatch
from activelab.multilabel.parts import (
    Asking,
    fewer_questions,
    mean_rates,
    multilabel_consensus_by,
    multilabel_estimate,
    predicted_sets,
    question_keys,
)
from activelab.planning import Batch, why_fewer
from activelab.scale import _passes as passes
from activelab.scale._decided import Accuracy, Decided, Deciding, compare, decide, table_file
from activelab.scale._estimated import Judged, Merged, Wanted, ask, assess, gather, learn, together
from activelab.scale._job import Job, digest
from activelab.scale._layout import Request
from activelab.scale._partition import sorted_together
from activelab.scale._passes import Best, Choosing, Chosen, Known
from activelab.scale._plan import PROCESS, Plan, check_gathered
from activelab.scale._prepare import Prepared, Unmatched, prepare
from activelab.scale._reserve import SoFar
from activelab.scale._run import Runner
from activelab.selection import batch_order
from activelab.tables import to_arrow, write_table

Asked = TypeVar("Asked", Chosen, QuestionBatch)
Kind = TypeVar("Kind", Batch, QuestionBatch)
Order = Callable[[dict[str, Any]], tuple[Float64s, Ints]]


@dataclass(frozen=True, eq=False)
class Suggestion(Generic[Kind]):
    """A batch and what it rests on.

    Attributes
    ----------
    batch : Batch or QuestionBatch
        What to label next, best first; the same as `activelab.suggest`, or `activelab.suggest_questions`,
        gives of the same data in memory.
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
    annotator : ndarray, shape (batch_size,), or None
        Who should label each example of the batch, if the strategy assigns; None where everybody has.
    n_settled, n_ambiguous : int or None
        Examples that were left out, if the strategy skips them.
    read_whole : int or None
        Partitions all of whose examples were scored. Of the others the labelled examples were enough, and of
        the rest those of which the model is least certain, or of the lowest scores in an earlier run in the
        same ``work_dir``: nothing else can have come into the batch. None of questions.
    """

    batch: Kind
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
    annotator: Ids | None = None
    n_settled: int | None = None
    n_ambiguous: int | None = None
    read_whole: int | None = None


@dataclass(frozen=True, eq=False)
class ConsensusSummary:
    """What is to be said of a consensus that was written as a table.

    Attributes
    ----------
    method : {"bayesian", "crowdlab", "ordinal", "multilabel"}
    annotators : AnnotatorTable, OrdinalAnnotatorTable or MultilabelAnnotatorTable
        As of the consensus in memory.
    mean_quality, mean_agreement : float in [0, 1]
        Means over the labelled examples; NaN without any.
    model_weight : ndarray of float64, shape (n_models,)
        Empty if models are a prior.
    n_examples, n_labelled, n_labels : int
    classes : tuple
    dropped, computed : int
    plan : Plan
    notes : tuple of str
        As of `Suggestion`.
    """

    method: str
    annotators: AnnotatorTable | MultilabelAnnotatorTable
    mean_quality: float
    mean_agreement: float
    model_weight: Float64s
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

    def result(self) -> Suggestion[Batch]:
        """Run all passes."""
        prepared, dropped = self._prepare()
        if isinstance(self.job.method, Frugal):
            return self._estimated(prepared, dropped, self.job.method)
        known = self._count(prepared)
        temperature, notes = self._temperature(known, prepared)
        calibrated = isinstance(self.job.method, ActiveLab) and self.job.method.calibrate
        betas = tuple((1 / temperature).tolist()) if calibrated else (None,) * len(self.job.models)
        known, noted = self._trust(replace(known, betas=betas, temperature=temperature), prepared)
        estimate = self._estimate(prepared, known, Frugal())[0] if self.request.estimated else None
        known = replace(known, choosing=self._choosing(estimate))
        notes = (*notes, *_overlap_notes(known), *noted)
        trust = known.final_trust
        assert trust is not None
        return self._suggestion(
            prepared,
            dropped,
            known,
            **self._batch(passes.score, known, estimate, prepared, notes),
            temperature=temperature,
            model_weight=trust.model_weight,
            annotator_weight=trust.annotator_weight,
            annotator_accuracy=trust.annotator_accuracy,
        )

    def _estimated(self, prepared: Sequence[Prepared], dropped: int, method: Frugal) -> Suggestion[Batch]:
        """By a method that scores by an estimate of the labelled examples."""
        known = self._count(prepared)
        estimate, noted = self._estimate(prepared, known, method)
        skipping = estimate
        if estimate.where is not None and self.request.strategy.skip_settled:
            # What is settled is judged by classes without an order, as in memory.
            skipping, _ = self._estimate(prepared, known, Frugal())
        judged = Judged(known.annotators, estimate, self._choosing(skipping))
        return self._suggestion(
            prepared,
            dropped,
            known,
            **self._batch(assess, judged, estimate, prepared, (*_overlap_notes(known), *noted)),
            temperature=1 / np.array(estimate.betas),
            model_weight=np.ones(len(self.job.models)),
            annotator_weight=estimate.ability.mean,
            annotator_accuracy=estimate.ability.overall if known.sums.n_labels else float("nan"),
        )

    def _choosing(self, estimate: BayesianEstimate | None) -> Choosing:
        strategy = self.request.strategy
        skipping = estimate if strategy.skip_settled else None
        who = strategy.assignment is not None
        return Choosing(self.request.batch_size, skipping, who, self._share)

    def _batch(
        self,
        function: Any,
        known: Known | Judged,
        estimate: BayesianEstimate | None,
        prepared: Sequence[Prepared],
        notes: tuple[str, ...],
    ) -> dict[str, Any]:
        """The batch by the last pass, who labels it, and what has been left out."""
        strategy, asked = self.request.strategy, self.request.batch_size
        found = _Found(_Best(Chosen, asked, self._batch_order, self.request.seed))
        self._look(function, known, found)
        again = found.unsure
        if again:
            found.forget(again)
            at_all = replace(known.choosing, at_all=True)
            self._look(function, replace(known, choosing=at_all), found, again)
        chosen = found.best.result()
        considered, settled, ambiguous = found.counts
        if len(chosen) < asked:
            n_examples = sum(one.n_examples for one in prepared)
            notes = (why_fewer(len(chosen), asked, n_examples, considered, settled, ambiguous), *notes)
        columns = {field.name: getattr(chosen, field.name) for field in fields(Batch)}
        skips = strategy.skip_settled
        return {
            "batch": Batch(**{**columns, "notes": notes}),
            "notes": notes,
            "annotator": self._who(chosen, known.annotators, estimate),
            "n_settled": settled if skips else None,
            "n_ambiguous": ambiguous if skips else None,
            "read_whole": found.whole,
        }

    def _look(
        self, function: Any, known: Known | Judged, found: _Found, only: Collection[int] | None = None
    ) -> None:
        """Take the best of all partitions, or of some."""
        self.runner.run(self.job, function, known, hint=lambda: found.so_far, seen=found.take, only=only)

    def _who(self, chosen: Chosen, annotators: Ids, estimate: BayesianEstimate | None) -> Ids | None:
        """Who should label each example of the batch, None where everybody has."""
        strategy = self.request.strategy
        if strategy.assignment is None:
            return None
        counts = np.array([len(one) for one in chosen.asked], dtype=np.int64)
        people = np.concatenate([np.empty(0, dtype=np.int32), *chosen.asked])
        batch = Labels.of_sorted(
            np.concatenate([[0], np.cumsum(counts)]),
            people,
            np.zeros_like(people),
            examples=Vocabulary(len(chosen), "example"),
            annotators=Vocabulary.of_distinct(annotators, "annotator"),
            classes=Vocabulary(self.job.classes, "class"),
        )
        rule = strategy.rule(batch)
        assert rule is not None
        ability = None if estimate is None else estimate.ability
        order = np.arange(len(chosen))
        codes = assign(
            batch, order, rule, ability=ability, max_share=strategy.max_share, seed=self.request.seed
        )
        names: Ids = np.full(len(codes), None, dtype=object)
        names[codes >= 0] = annotators[codes[codes >= 0]]
        return names

    def _suggestion(
        self, prepared: Sequence[Prepared], dropped: int, known: Known, **found: Any
    ) -> Suggestion[Any]:
        """A suggestion with what is the same for all methods."""
        facts = self._facts(prepared, dropped, known)
        return Suggestion(annotators=known.annotators, **facts, **found)

    def _estimate(
        self, prepared: Sequence[Prepared], known: Known, method: Frugal
    ) -> tuple[BayesianEstimate, tuple[str, ...]]:
        """The estimate that a Bayesian consensus rests on, and notes on the models."""
        totals = _totals(prepared, known)
        wanted = Wanted(known.annotators, *sample_shares(totals))
        labels, models = self._labelled(wanted, totals)
        assert isinstance(labels, Labels)
        estimate = estimate_of_sample(labels, models, where=method.where(labels))
        learnt = Merged[Gathered]()
        self.runner.run(self.job, learn, Judged(known.annotators, estimate), seen=learnt.add)
        return estimate.learnt(learnt.total), chance_notes(labels, models)

    def consensus(self, method: str, output: str | None, loss: str = "") -> ConsensusSummary:
        """The consensus of all labelled examples, written as one table; ``loss`` decides on a scale."""
        prepared, dropped = self._prepare()
        known, noted = self._count(prepared), tuple[str, ...]()
        estimate, weight = None, np.empty(0)
        if method != "crowdlab":
            by = ExpectedLoss(loss) if method == "ordinal" else Frugal()  # type: ignore[arg-type]
            estimate, noted = self._estimate(prepared, known, by)
            deciding = Deciding(known.annotators, estimate, loss)
        else:
            known, noted = self._trust(replace(known, betas=(None,) * len(self.job.models)), prepared)
            deciding = Deciding(known.annotators, known)
        decided = Merged[Decided]()
        self.runner.run(self.job, decide, deciding, seen=decided.add)
        key, total = digest(self.job, deciding), decided.total
        if output is not None:
            tables = [table_file(key, one) for one in self.runner.partitions]
            memory = int(0.6 * (self.request.memory - PROCESS))
            sorted_together(self.job.store, tables, "example", memory, output)
        how: dict[str, Any] = {}
        if estimate is not None:
            given = np.maximum(total.about.n_labels, 1)
            how["voice"] = total.voices / given
            how["accuracy"] = accuracies_by(
                estimate.ability, len(self.job.classes), lambda *asked: self._compare(key, *asked)
            )
            noted = (*estimate.voices.notes(known.annotators), *noted)
            of_annotators = estimate.ability.mean
        else:
            assert known.final_trust is not None
            weight, of_annotators = known.final_trust.model_weight, known.final_trust.annotator_weight
            how["model_weight"] = weight
        names = known.annotators, Vocabulary(self.job.classes, "class").values
        table = table_of(total.about, *names, known.sums, of_annotators, **how)
        if total.class_sums is not None:
            assert estimate is not None
            table = with_scale(table, estimate, total.class_sums)
            noted += order_notes(names[1])
        n_labelled = known.sums.n_labelled
        return self._summary(
            prepared,
            dropped,
            known,
            method=method,
            annotators=table,
            mean_quality=total.quality / 2.0**FIXED_POINT / n_labelled if n_labelled else float("nan"),
            mean_agreement=total.agreement / 2.0**FIXED_POINT / n_labelled if n_labelled else float("nan"),
            model_weight=weight,
            notes=(*noted, *_overlap_notes(known)),
        )

    def consensus_of_sets(self, loss: str, output: str | None) -> ConsensusSummary:
        """The consensus of all answered examples, which are held in memory at once, written as one table."""
        prepared, dropped = self._prepare()
        known = self._count(prepared)
        sets, models = self._labelled(Wanted(known.annotators), _totals(prepared, known))
        assert isinstance(sets, LabelSets)
        found = multilabel_consensus_by(multilabel_estimate(sets, models), sets, models, loss=loss)
        columns = {**found.to_dict(), "predicted_label": predicted_sets(models, sets.classes)}
        if output is not None:
            write_table(output, to_arrow(columns))
        some = sets.n_answers > 0
        return self._summary(
            prepared,
            dropped,
            known,
            method="multilabel",
            annotators=found.annotators,
            mean_quality=float(columns["quality"].mean()) if some else float("nan"),
            mean_agreement=float(columns["agreement"].mean()) if some else float("nan"),
            model_weight=np.empty(0),
            notes=found.notes,
        )

    def _summary(
        self, prepared: Sequence[Prepared], dropped: int, known: Known, **found: Any
    ) -> ConsensusSummary:
        return ConsensusSummary(**self._facts(prepared, dropped, known), **found)

    def _facts(self, prepared: Sequence[Prepared], dropped: int, known: Known) -> dict[str, Any]:
        """What is told of every run; the store keeps what the next one can use."""
        self.runner.finish(self.job, prepare)
        return {
            "n_examples": sum(one.n_examples for one in prepared),
            "n_labelled": known.sums.n_labelled,
            "n_labels": known.sums.n_labels,
            "classes": self.job.classes,
            "dropped": dropped,
            "computed": self.runner.computed,
            "plan": self.plan,
        }

    def _compare(self, key: str, sums: ComparedSums, accuracy: Float64s) -> Float64s:
        asked = Accuracy(key, sums.__name__, accuracy)
        total: Float64s = np.sum(self.runner.run(self.job, compare, asked), axis=0)
        return total

    def questions(self, ask_for: str, price: float) -> Suggestion[QuestionBatch]:
        """The questions about sets that are worth most."""
        prepared, dropped = self._prepare()
        known = self._count(prepared)
        sets, models = self._labelled(Wanted(known.annotators), _totals(prepared, known))
        assert isinstance(sets, LabelSets)
        estimate = multilabel_estimate(sets, models)
        rates = mean_rates(estimate, sets)
        asking = Asking(estimate, rates, ask_for, price, SET_LOSSES[0], self.job.seed)
        best = _Best(QuestionBatch, self.request.batch_size, self._question_order, self.request.seed)
        judged = Judged(known.annotators, asking, Choosing(self.request.batch_size))
        self.runner.run(self.job, ask, judged, hint=lambda: best.at_most, seen=best.add)
        batch = best.result()
        notes = fewer_questions(len(batch), self.request.batch_size)
        accuracy = float(rates.mean()) if sets.n_answers else float("nan")
        return self._suggestion(
            prepared,
            dropped,
            known,
            batch=replace(batch, notes=notes),
            temperature=np.array([1 / np.array(one.betas) for one in estimate.of_class]).mean(axis=0),
            model_weight=np.ones(len(models)),
            annotator_weight=np.stack(estimate.rates(sets.n_annotators)).mean(axis=(0, 2)),
            annotator_accuracy=accuracy,
            notes=(*notes, *estimate.notes(sets)),
        )

    def _labelled(self, wanted: Wanted, totals: Totals) -> tuple[Labels | LabelSets, Models]:
        """The labelled examples that are wanted, if the budget has room for them."""
        job = self.job
        one, several = int(totals.sizes[1:2].sum()), totals.n_with(2)
        labels = int(totals.sizes @ np.arange(len(totals.sizes))) - one
        check_gathered(
            self.request.memory,
            int(wanted.of_one * one + wanted.of_several * several),
            int(wanted.of_one * one + wanted.of_several * labels),
            [np.dtype(model.dtype).itemsize for model in job.models],
            len(job.classes),
            job.several,
        )
        return together(self.runner.run(job, gather, wanted), wanted.annotators, job, totals)

    def _batch_order(self, columns: dict[str, Any]) -> tuple[Float64s, Ints]:
        return columns["score"], id_keys(columns["examples"])

    def _question_order(self, columns: dict[str, Any]) -> tuple[Float64s, Ints]:
        place = {name: code for code, name in enumerate(self.job.classes)}
        code = np.array([place.get(name, -1) for name in columns["classes"].tolist()], dtype=np.int64)
        return -columns["worth"], question_keys(id_keys(columns["examples"]), code, len(place))

    def _prepare(self) -> tuple[list[Prepared], int]:
        prepared = self._first_pass()
        without_probs = sum((one.without_probs for one in prepared), Unmatched())
        without_model = sum((one.without_model for one in prepared), Unmatched())
        if self.request.unmatched == "error":
            _refuse(without_probs, "labelled examples have no row in the probabilities")
            _refuse(without_model, "examples have probabilities by some models only")
        n_examples = sum(one.n_examples for one in prepared)
        every = sampling_step(n_examples)
        if every != self.job.every:  # so many examples were dropped that the sample is another
            self.job = replace(self.job, every=every)
            prepared = self._first_pass()
        return prepared, without_probs.count + without_model.count

    def _first_pass(self) -> list[Prepared]:
        share = self._share if self.request.consensus is None else None
        return self.runner.run(self.job, prepare, None, key=self.job.digest, hint=lambda: share)

    @property
    def _share(self) -> float:
        """The batch's share of the pool."""
        return self.request.batch_size / max(self.request.inputs.n_examples, 1)

    def _count(self, prepared: Sequence[Prepared]) -> Known:
        annotators = _union([one.annotators for one in prepared])
        parts = ((one.sums, np.searchsorted(annotators, one.annotators)) for one in prepared)
        sums = add_label_sums(parts, len(annotators), 1 if self.job.several else len(self.job.classes))
        return Known(annotators, sums)

    def _temperature(self, known: Known, prepared: Sequence[Prepared]) -> tuple[Float64s, tuple[str, ...]]:
        method, n_models = self.job.method, len(self.job.models)
        if not isinstance(method, ActiveLab) or not method.calibrate:
            return np.ones(n_models), ()
        if not known.sums.n_multiple:
            return np.ones(n_models), NOTHING_TO_ESTIMATE
        samples = _joined([one.sample for one in prepared if one.sample is not None], self.job)
        n_examples = sum(one.n_examples for one in prepared)
        searches = [search_optimum(sample, BOUNDS, n_examples) for sample in samples]
        lowest = np.min([one.lowest for one in prepared], axis=0)
        found = zip(self._search(known, searches), lowest, strict=True)
        return with_notes([temperature_of(beta, BOUNDS, partial(float, low)) for beta, low in found])

    def _search(self, known: Known, searches: Sequence[Search]) -> list[float]:
        """The best β of each model: all searches take a step in each pass."""
        at = [advance(search, None) for search in searches]
        while any(beta is not None for beta, _ in at):
            wanted = tuple(beta for beta, _ in at)
            parts = self.runner.run(self.job, passes.calibrate, replace(known, betas=wanted))
            for number, search in enumerate(searches):
                if wanted[number] is not None:
                    total = sum((part[number] for part in parts), DerivativeSums())
                    at[number] = advance(search, total)
        return [best for _, best in at]

    def _trust(self, known: Known, prepared: Sequence[Prepared]) -> tuple[Known, tuple[str, ...]]:
        """With the trust CROWDLAB has in annotators and models, and notes on these."""
        if not known.sums.n_labels:
            none = ConsensusSums(
                0, np.zeros(1), np.zeros(len(self.job.classes)), np.zeros(len(self.job.models))
            )
            return replace(known, final_trust=estimate_trust(known.sums, none, PAPER)), ()
        totals = _totals(prepared, known)
        known = replace(known, looked_at=chance_share(totals))
        # Where labels and one model decided the vote, the first pass has done with it.
        parts = zip(self.runner.partitions, prepared, strict=True)
        tied = [part.number for part, one in parts if one.voted is None]
        votes = self.runner.run(self.job, passes.vote, known, only=tied) if tied else []
        votes += [one.voted for one in prepared if one.voted is not None]
        trust = estimate_trust(known.sums, add_consensus_sums(votes), PAPER)
        if not known.sums.n_multiple:
            found = self.runner.run(self.job, passes.compare_by_chance, known)
            return replace(known, final_trust=trust), reduce(operator.add, found).notes(totals)
        known = replace(known, trust=trust)
        known = replace(known, consensus=digest(self.job, known))
        agreed, chances = zip(*self.runner.run(self.job, passes.agree, known), strict=True)
        trust = estimate_trust(known.sums, add_consensus_sums(agreed), PAPER)
        return replace(known, final_trust=trust), reduce(operator.add, chances).notes(totals)


class _Best(Generic[Asked]):
    """The best of the batches of all partitions; ``order`` tells scores and keys of ties from columns."""

    def __init__(self, kind: type[Asked], size: int, order: Order, seed: int) -> None:
        self.kind: Any = kind
        self.size, self.order, self.seed, self.at_most = size, order, seed, float("inf")
        self._parts: list[Asked] = []

    def add(self, batch: Asked) -> None:
        """Take the best of one partition."""
        self._parts.append(batch)
        enough = self.size if self.at_most == float("inf") else 1.5 * self.size
        if sum(len(part) for part in self._parts) >= enough:
            merged = self._merge()
            self._parts = [merged]
            self.at_most = float(self.order(vars(merged))[0][-1])

    @property
    def worst(self) -> float:
        """The worst score of the batch; infinite if it is not full."""
        merged = self._merge()
        return float(self.order(vars(merged))[0][-1]) if len(merged) == self.size else float("inf")

    def drop(self, which: Callable[[dict[str, Any]], Bools]) -> None:
        """Forget some of the best; nothing worse than the worst of all can come in their place."""
        self.at_most = self.worst
        merged = vars(self._merge())
        kept = ~which(merged)
        self._parts = [self.kind(**{name: merged[name][kept] for name in merged if name != "notes"})]

    def _merge(self) -> Asked:
        columns: dict[str, Any] = {
            field.name: np.concatenate([getattr(part, field.name) for part in self._parts])
            for field in fields(self.kind)
            if field.name != "notes"
        }
        order = batch_order(*self.order(columns), self.seed)[: self.size]
        merged: Asked = self.kind(**{name: values[order] for name, values in columns.items()})
        return merged

    def result(self) -> Asked:
        """The batch."""
        return self._merge()


class _Found:
    """The best of the partitions so far, and what was counted in each."""

    def __init__(self, best: _Best[Chosen]) -> None:
        self.best = best
        self._told: dict[int, tuple[int, int, int]] = {}
        self._whole: set[int] = set()
        self._beyond: dict[int, float] = {}
        self._doubtful = False

    def take(self, found: Best) -> None:
        """Take that of one partition."""
        self.best.add(found.batch)
        self._told[found.number] = found.considered, found.settled, found.ambiguous
        if found.at_all:
            self._whole.add(found.number)
        self._beyond[found.number] = found.beyond
        self._doubtful |= found.doubtful

    @property
    def counts(self) -> tuple[int, int, int]:
        """Examples to be asked about, that are settled, and that are ambiguous."""
        considered, settled, ambiguous = map(sum, zip(*self._told.values(), strict=True))
        return considered, settled, ambiguous

    @property
    def whole(self) -> int:
        """Partitions all of whose examples were looked at."""
        return len(self._whole)

    @property
    def so_far(self) -> SoFar:
        """What the partitions to come are told."""
        return SoFar(self.best.at_most, self._doubtful)

    @property
    def unsure(self) -> set[int]:
        """Partitions in which an example that was not looked at may belong to the batch."""
        worst = self.best.worst
        return {number for number, beyond in self._beyond.items() if beyond <= worst and beyond < np.inf}

    def forget(self, partitions: set[int]) -> None:
        """Leave out some partitions, which are looked at again."""
        self.best.drop(lambda columns: np.isin(columns["partition"], sorted(partitions)))


def _overlap_notes(known: Known) -> tuple[str, ...]:
    return lone_annotators_note(known.sums, known.annotators[~known.sums.verified])


def _totals(prepared: Sequence[Prepared], known: Known) -> Totals:
    """What is counted over the labels of all partitions."""
    sizes = np.zeros(max(len(one.sizes) for one in prepared), dtype=np.int64)
    for one in prepared:
        sizes[: len(one.sizes)] += one.sizes
    return Totals(sizes, known.sums.class_counts.astype(np.int64))


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
