"""A round, planned once: labels and predictions to what is asked next, of whom, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from activelab import _html
from activelab._errors import InputError
from activelab._frames import Backend, make_frame
from activelab._typing import Bools, Float64s, Ids, Ints, Models
from activelab.acquisition import Acquisition, Assessment
from activelab.assignment import RULES, assign
from activelab.consensus import bayesian_estimate
from activelab.consensus.parts import chance_notes, told
from activelab.labels import Labels
from activelab.multilabel import SET_LOSSES, LabelSets, MultilabelConsensus, QuestionBatch
from activelab.multilabel.parts import (
    MultilabelEstimate,
    estimate_beside,
    multilabel_consensus_by,
    questions_by,
)
from activelab.pred_probs import check_pred_probs, joined
from activelab.selection import check_batch_size, select_batch
from activelab.stopping import AMBIGUOUS, OPEN, SETTLED, Forecast, forecast, states_of
from activelab.strategies import Strategy

__all__ = ["Batch", "Plan", "QuestionPlan", "explain_batch", "plan_questions", "plan_round", "suggest"]


@dataclass(frozen=True, eq=False)
class Batch:
    """What to label next, best first, and why. Each example gets one more label.

    Attributes
    ----------
    examples : ndarray, shape (batch_size,)
        Ids.
    score : ndarray of float64
        Acquisition score; low = most worth labelling.
    kind : ndarray of str
        "new" for an example without labels, "relabel" for another opinion.
    num_labels : ndarray of int64
        Labels the example has now.
    consensus_label : ndarray of object
        Class id of the current consensus; None without labels.
    quality : ndarray of float64 in [0, 1]
        Quality of the consensus; NaN without labels.
    predicted_label : ndarray
        Class id the models predict.
    notes : tuple of str
        Why the batch is smaller than asked for, and what could not be estimated, in words.
    """

    examples: Ids
    score: Float64s
    kind: Ids
    num_labels: Ints
    consensus_label: Ids
    quality: Float64s
    predicted_label: Ids
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.examples.tolist())

    def __repr__(self) -> str:
        notes = "".join(f"; note: {one}" for one in self.notes)
        return f"Batch({self._headline()}{notes})"

    def _headline(self) -> str:
        relabel = int((self.kind == "relabel").sum())
        return f"{len(self)} examples: {len(self) - relabel} new, {relabel} to relabel"

    def _repr_html_(self) -> str:
        """As a notebook shows it: the examples, best first."""
        return _html.page(self._headline(), _html.table(self.to_dict()), notes=self.notes)

    def to_dict(self) -> dict[str, Ids]:
        """The columns by the names they have in files: example, score, kind, …"""
        columns = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "notes"}
        return {"example": columns.pop("examples"), **columns}

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """A dataframe of `to_dict`; ``backend`` is "pandas", "polars" or "pyarrow"."""
        return make_frame(self.to_dict(), backend)


@dataclass(frozen=True, eq=False)
class Plan:
    """A round, planned: what to ask, of whom, and why.

    Attributes
    ----------
    labels : Labels
        The pool.
    models : tuple of ndarray, shape (n_examples, n_classes) each
        Checked out-of-sample probabilities; they carry what is known besides (`activelab.consensus.told`).
    strategy : Strategy
    seed : int
    assessment : Assessment
        Scores of all examples, with the consensus and trust they rest on.
    states : ndarray of int8, shape (n_examples,), or None
        Whether examples are open, settled or ambiguous, if the strategy skips those settled (see
        `activelab.stopping.example_states`).
    scores : ndarray of float64, shape (n_examples,)
        Scores of the examples that may be asked for; +inf for the others.
    positions : ndarray of int64, shape (batch_size,)
        Rows of the pool to label next, best first.
    annotator : ndarray of int64, shape (batch_size,), or None
        Code of who is to label each; -1 where nobody is left; None if the strategy leaves it open.
    notes : tuple of str
        Why the batch is smaller than asked for, and what could not be estimated, in words.
    """

    labels: Labels
    models: Models
    strategy: Strategy
    seed: int
    assessment: Assessment
    states: Ints | None
    scores: Float64s
    positions: Ints
    annotator: Ints | None
    notes: tuple[str, ...] = ()

    @property
    def batch(self) -> Batch:
        """The batch that explains itself."""
        return explain_batch(self.labels, self.assessment, self.positions, self.notes)

    @property
    def n_settled(self) -> int | None:
        """Examples that are settled; None unless the strategy skips them."""
        return None if self.states is None else int((self.states == SETTLED).sum())

    @property
    def n_ambiguous(self) -> int | None:
        """Examples nobody can settle; None unless the strategy skips them."""
        return None if self.states is None else int((self.states == AMBIGUOUS).sum())

    def order(self) -> Ints:
        """Every example that may be asked for: the batch, then the others by their scores."""
        considered = int(np.isfinite(self.scores).sum())
        if not considered:
            return self.positions
        by_score = select_batch(self.scores, considered, seed=self.seed, labels=self.labels)
        return np.concatenate([self.positions, by_score[~np.isin(by_score, self.positions)]])

    def forecast(
        self, number: int, *, label_price: float | None = None, error_cost: float | None = None
    ) -> Forecast:
        """What the next labels are expected to buy (see `activelab.stopping.forecast`)."""
        return forecast(self.labels, self.models, number, label_price=label_price, error_cost=error_cost)


def plan_round(
    labels: Labels,
    pred_probs: Any,
    strategy: Strategy,
    batch_size: int,
    *,
    eligible: Bools | None = None,
    candidates: Callable[[int], Ints] | None = None,
    known: Any = None,
    families: dict[Any, str] | None = None,
    seed: int = 0,
    rng: np.random.Generator | None = None,
    batch_only: bool = False,
) -> Plan:
    """What to label next by a strategy, and who; the one place where a round is planned.

    Parameters
    ----------
    labels : Labels
        The labels collected so far, over the pool.
    pred_probs : array-like
        Out-of-sample probabilities, as in `check_pred_probs`; `Checked` ones are not checked again, and each
        estimate from them is made once.
    strategy : Strategy
    batch_size : int
        Number of examples.
    eligible : ndarray of bool, shape (n_examples,), optional
        Examples that may be asked for; the others are scored all the same. By default all.
    candidates : callable, optional
        Codes, ascending, of the annotators who could label an example. With it somebody is named for each
        example, at random if the strategy leaves that open.
    known, families : optional
        As for `bayesian_consensus`. All that rests on the Bayesian consensus takes them: the method
        "frugal", what is settled, abilities, forecasts. The paper's scores do not.
    seed : int
        Seed of random methods, of ties, and of who is asked.
    rng : Generator, optional
        Draws who is asked, in place of the seed.
    batch_only : bool
        Whether nobody asks for scores of examples outside the batch: they may then be infinite, where it
        takes less to see that they are higher.

    Returns
    -------
    Plan
        With fewer examples than ``batch_size``, or none, where fewer are in the pool, eligible, still open or
        considered by the method; ``notes`` says which.

    Raises
    ------
    InputError
        If ``pred_probs``, ``eligible``, ``known`` or ``families`` does not match ``labels``, or the batch
        size is not positive.
    """
    check_batch_size(batch_size)
    strategy.check_single()
    models = told(labels, check_pred_probs(pred_probs, labels), known=known, families=families)
    method = strategy.acquisition
    if batch_only and strategy.batching == "top" and eligible is None and not strategy.skip_settled:
        assessment = method.assess_lowest(labels, models, batch_size, seed=seed)
    else:
        assessment = method.assess_models(labels, models, seed=seed)
    scores, states = assessment.scores, None
    possible = scores
    if eligible is not None:
        if np.shape(eligible) != (labels.n_examples,):
            raise InputError(
                f"eligible must say yes or no to each of the {labels.n_examples:,} examples of the pool, got "
                f"shape {np.shape(eligible)}."
            )
        possible = np.where(eligible, scores, np.inf)
    if strategy.skip_settled:
        states = states_of(labels, models, bayesian_estimate(labels, models))
    scores = possible if states is None else np.where(states == OPEN, possible, np.inf)
    size = min(batch_size, int(np.isfinite(scores).sum()))
    positions = np.zeros(0, dtype=np.int64)
    if size:
        positions = select_batch(
            scores, size, seed=seed, labels=labels, batching=strategy.batching, models=models
        )
    annotator = None
    rule = strategy.rule(labels) or (None if candidates is None else RULES.get("random"))
    if rule is not None:
        annotator = assign(
            labels,
            positions,
            rule,
            ability=assessment.ability,
            pred_probs=models,
            max_share=strategy.max_share,
            candidates=candidates,
            seed=seed if rng is None else rng,
        )
    plan = Plan(labels, models, strategy, seed, assessment, states, scores, positions, annotator)
    notes = (*assessment.notes, *chance_notes(labels, models))
    if size < batch_size:
        considered = int(np.isfinite(possible).sum())
        skipped = plan.n_settled or 0, plan.n_ambiguous or 0
        notes = (why_fewer(size, batch_size, labels.n_examples, considered, *skipped), *notes)
    return replace(plan, notes=notes)


@dataclass(frozen=True, eq=False)
class QuestionPlan:
    """A round of answers that are sets, planned.

    Attributes
    ----------
    batch : QuestionBatch
        What to ask next.
    consensus : MultilabelConsensus
    estimate : MultilabelEstimate
        What the consensus rests on.
    """

    batch: QuestionBatch
    consensus: MultilabelConsensus
    estimate: MultilabelEstimate


def plan_questions(
    sets: LabelSets,
    models: Models,
    strategy: Strategy,
    batch_size: int,
    *,
    class_price: float | None = None,
    eligible: Bools | None = None,
    known: Any = None,
    families: dict[Any, str] | None = None,
    abstentions: Labels | LabelSets | None = None,
    seed: int = 0,
) -> QuestionPlan:
    """`plan_round` of answers that are sets: what to ask next, about whole examples or single classes.

    Parameters
    ----------
    sets : LabelSets
    models : tuple of ndarray, shape (n_examples, n_classes) each
        As from `check_multilabel_probs`; empty if there are none.
    strategy : Strategy
        Of the method "expected_loss" or "random"; ``loss`` and ``ask`` count.
    batch_size : int
        Number of questions.
    class_price, eligible : optional
        As for `suggest_questions`.
    known, families, abstentions : optional
        As for `multilabel_consensus`.
    seed : int

    Returns
    -------
    QuestionPlan

    Raises
    ------
    InputError
        If the strategy has parts there are not for sets, or something does not match ``sets``.
    """
    check_batch_size(batch_size)
    strategy.check_sets()
    loss = strategy.loss or SET_LOSSES[0]
    estimate = estimate_beside(sets, models, known=known, families=families, abstentions=abstentions)
    consensus = multilabel_consensus_by(estimate, sets, models, loss=loss)
    batch = questions_by(
        estimate,
        sets,
        consensus.posterior,
        batch_size,
        ask=strategy.ask,
        class_price=class_price,
        loss=loss,
        method=str(strategy.method),
        eligible=eligible,
        seed=seed,
    )
    return QuestionPlan(batch, consensus, estimate)


def why_fewer(
    size: int, asked: int, n_examples: int, considered: int, n_settled: int = 0, n_ambiguous: int = 0
) -> str:
    """Why a batch is smaller than asked for: the pool has no more, or not all of it is asked about.

    ``considered`` are the examples that are eligible and that the method scores, settled or not.
    """
    why = []
    if considered < n_examples:
        why.append(f"{n_examples - considered:,} are not to be asked about")
    if n_settled:
        why.append(f"{n_settled:,} are settled")
    if n_ambiguous:
        why.append(f"{n_ambiguous:,} are ambiguous")
    reason = f"of the {n_examples:,} in the pool {' and '.join(why)}" if why else "the pool has no more"
    return f"{size:,} examples in place of {asked:,}: {reason}."


def suggest(
    labels: Labels,
    pred_probs: Any,
    batch_size: int = 100,
    method: str | Acquisition | Strategy = "activelab",
    *,
    seed: int = 0,
    batching: str | None = None,
    skip_settled: bool | None = None,
) -> Batch:
    """What to label next: the ``batch_size`` examples with the lowest scores.

    Parameters
    ----------
    labels : Labels
        The labels collected so far, over the pool.
    pred_probs : array-like or dataframe, or a sequence of them
        Shape ``(n_examples, n_classes)``, or ``(n_models, n_examples, n_classes)`` for an ensemble;
        out-of-sample for labelled examples. A dataframe is aligned by id (see `check_pred_probs`); the
        examples it adds join the pool without labels.
    batch_size : int
        Number of examples; where fewer are left to ask for, the batch is smaller and its ``notes`` say why.
    method : str, Acquisition or Strategy
        "recommended", a registered name (see `methods`), an import path ``module:attribute``, a method of
        one's own, or a whole strategy as `Strategy` or its text.
    seed : int
        Seed of random methods and of ties.
    batching : {"top", "diverse", "stochastic"}, optional
        How the batch follows from the scores (see `select_batch`), in place of the strategy's.
    skip_settled : bool, optional
        Leave out the examples that are settled or ambiguous (see `activelab.stopping.example_states`). In
        place of the strategy's.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If ``pred_probs`` does not match ``labels``, the batch size is not positive, or the method is unknown.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0], [1, 0], [1, 1], [1, 1], [None, None]])
    >>> pred_probs = [[0.8, 0.2], [0.5, 0.5], [0.1, 0.9], [0.6, 0.4], [0.52, 0.48]]
    >>> batch = al.suggest(labels, pred_probs, batch_size=2)
    >>> batch.examples.tolist(), batch.kind.tolist()
    ([1, 4], ['relabel', 'new'])
    """
    strategy = Strategy.of(method, batching=batching, skip_settled=skip_settled)
    labels, models = joined(labels, pred_probs)
    return plan_round(labels, models, strategy, batch_size, seed=seed, batch_only=True).batch


def explain_batch(
    labels: Labels, assessment: Assessment, positions: Ints, notes: tuple[str, ...] = ()
) -> Batch:
    """The `Batch` of the examples at the given positions of the pool."""
    counts = labels.counts[positions]
    code = assessment.consensus_label[positions]
    consensus = np.full(len(positions), None, dtype=object)
    consensus[code >= 0] = labels.classes[code[code >= 0]]
    return Batch(
        examples=labels.examples[positions],
        score=assessment.scores[positions],
        kind=np.where(counts > 0, "relabel", "new").astype(object),
        num_labels=counts,
        consensus_label=consensus,
        quality=assessment.quality[positions],
        predicted_label=labels.classes[assessment.predicted_label[positions]],
        notes=notes,
    )
