"""Rounds of active learning with a team of annotators, measured against the truth (Algorithm 1)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ids, Ints
from activelab.kinds import KINDS, Kind
from activelab.labels import Labels
from activelab.learner import ActiveLearner
from activelab.multilabel import LabelSets
from activelab.simulation._annotators import Team


@dataclass(frozen=True)
class SimulatedRound:
    """One round, measured before the labels it asks for arrive.

    Attributes
    ----------
    number : int
        Round, counted from 0.
    labels : Labels or LabelSets
        The labels the round started from.
    spent : float
        What they cost: their number; of sets in whole answers, a question about one class at its price.
    test_accuracy : float
        Accuracy, of sets the share of right single answers, on examples kept apart: the mean over the fold
        models of a single model, of the averaged fold models of all models for an ensemble (as the paper
        published).
    test_accuracy_averaged : float
        Accuracy of the learner's own prediction, the weighted and calibrated mean.
    consensus_accuracy : float
        Share of the labelled examples whose training label is right; of sets the share of right single
        answers of their consensus.
    num_labelled : int
        Examples with a label.
    relabel_share : float
        Share of the new batch that is labelled already.
    temperature, model_weight : tuple of float
        Of each model.
    seconds : float
        Time of the round, measures included.
    fit_seconds : float
        Time of it inside the classifiers.
    scores : dict of str to float
        Of ratings ``error`` (mean distance from the truth) and ``kappa`` (with quadratic weights), of sets
        ``hamming`` (share of wrong single answers) and ``f1`` (mean over the classes), each three times:
        ``consensus_…`` of labelled examples; ``pool_…`` of all, by labels and classifiers; ``test_…`` of the
        predictions for examples kept apart.
    """

    number: int
    labels: Labels | LabelSets
    spent: float
    test_accuracy: float
    test_accuracy_averaged: float
    consensus_accuracy: float
    num_labelled: int
    relabel_share: float
    temperature: tuple[float, ...]
    model_weight: tuple[float, ...]
    seconds: float
    fit_seconds: float
    scores: dict[str, float] = field(default_factory=dict)


class Simulation:
    """Ask, let the team answer, repeat. The truth reaches only the answers and the measures.

    Parameters
    ----------
    learner : ActiveLearner
        With the strategy: what is asked, of whom (at random if it leaves that open), and when no more.
    X, truth
        Features and class codes of the pool; of sets booleans of shape (n_examples, n_classes).
    labels : Labels or LabelSets
        Initial labels over the pool; annotator codes are those of the team.
    team : Team
        Each example of a batch is answered by a member who has not labelled it. Examples nobody is left to
        label are not asked for.
    X_test, truth_test
        Examples kept apart.
    batch_size : int
        Labels of a round; of sets what a round costs, in whole answers.
    kind : str or Kind
        Kind of question: what is measured beside accuracies.
    class_price : float, optional
        Of sets, the price of a question about one class; by default 1 / n_classes.
    single_label : bool
        Never ask for a second label of an example.
    options : dict, optional
        What else is given to each `ActiveLearner.ask`. With ``pred_probs`` nothing is trained, and nothing is
        measured on examples kept apart.
    seed : int
        Seed of the choice of annotators.

    Attributes
    ----------
    labels : Labels or LabelSets
        The labels collected so far.
    spent : float
        What they cost.
    settled : bool
        Whether a round found nothing more to ask.
    """

    def __init__(
        self,
        learner: ActiveLearner,
        X: Any,
        truth: Any,
        labels: Labels | LabelSets,
        team: Team,
        *,
        X_test: Any,
        truth_test: Any,
        batch_size: int,
        kind: str | Kind = "single",
        class_price: float | None = None,
        single_label: bool = False,
        options: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.options = options or {}
        self.trained = "pred_probs" not in self.options
        self.learner, self.X, self.truth, self.team = learner, X, truth, team
        self.X_test, self.truth_test, self.batch_size = X_test, truth_test, batch_size
        self.kind, self.single_label = KINDS.get(kind), single_label
        self.loss = self.kind.loss(learner.strategy.loss)
        self.labels: Any = labels
        self.number, self.settled, self.spent = 0, False, float(len(labels))
        self.class_price = class_price
        self.rng = np.random.default_rng(seed)

    def round(self) -> SimulatedRound:
        """Run one round: train, measure, and collect the labels of its batch.

        Raises
        ------
        InputError
            If nobody is left to label any example the method considers.
        """
        started = time.perf_counter()
        labels, spent = self.labels, self.spent
        if not self.can_go_on():
            raise InputError("nobody is left to label any example.")
        ask = self._ask_sets if isinstance(labels, LabelSets) else self._ask
        measured = ask(labels)
        measured = replace(measured, number=self.number, spent=spent, seconds=time.perf_counter() - started)
        self.number += 1
        return measured

    def can_go_on(self) -> bool:
        """Whether anybody is left to label any example the method considers, and any is open."""
        return not self.settled and bool(self._eligible().any())

    def state(self) -> dict[str, Any]:
        """All that the next round depends on, ready to pickle; without the fitted classifiers."""
        return {
            "labels": self.labels,
            "number": self.number,
            "settled": self.settled,
            "spent": self.spent,
            "rng": self.rng.bit_generator.state,
            "learner": self.learner.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a `state`."""
        self.labels, self.number, self.settled = state["labels"], state["number"], state["settled"]
        self.spent = state.get("spent", float(len(self.labels)))
        self.rng.bit_generator.state = state["rng"]
        self.learner.restore(state["learner"])

    def _eligible(self) -> Bools:
        eligible, labelled = self.team.can_answer(self.labels), self.labels.labelled
        if eligible.ndim == 2:
            labelled = labelled[:, None]
        if self.learner.strategy.acquisition.relabels_only:
            eligible = eligible & labelled
        return eligible & ~labelled if self.single_label else eligible

    def _ask(self, labels: Labels) -> SimulatedRound:
        """A round of labels of one class each."""
        batch = self.learner.ask(
            self.X,
            labels,
            min(self.batch_size, labels.n_examples),
            eligible=self._eligible(),
            candidates=self.team.candidates,
            rng=self.rng,
            progress=False,
            **self.options,
        )
        result = self.learner.round_
        given = result.training_label >= 0
        single, averaged, probs, predict_seconds = self._test_accuracy()
        scores: dict[str, float] = {}
        if self.kind.name != "single" or not self.trained:
            scores = self._scores(self.kind.posterior(labels, result.plan.models), probs)
        self._collect(result.positions, result.plan.annotator)
        return SimulatedRound(
            number=self.number,
            labels=labels,
            spent=self.spent,
            test_accuracy=single,
            test_accuracy_averaged=averaged,
            consensus_accuracy=float((result.training_label[given] == self.truth[given]).mean()),
            num_labelled=int(given.sum()),
            relabel_share=float((batch.kind == "relabel").mean()) if len(batch) else float("nan"),
            temperature=tuple(result.assessment.temperature.tolist()),
            model_weight=tuple(result.assessment.model_weight.tolist()),
            seconds=0.0,
            fit_seconds=result.fit_seconds + predict_seconds,
            scores=scores,
        )

    def _ask_sets(self, sets: LabelSets) -> SimulatedRound:
        """A round of questions about whole sets and single classes, for the price of ``batch_size`` sets."""
        price = 1 / sets.n_classes if self.class_price is None else self.class_price
        batch = self.learner.ask(
            self.X,
            sets,
            int(np.ceil(self.batch_size / min(price, 1))),
            class_price=self.class_price,
            eligible=self._eligible(),
            progress=False,
            **self.options,
        )
        result = self.learner.set_round_
        single, averaged, probs, predict_seconds = self._test_accuracy()
        scores = self._scores(result.consensus.posterior, probs)
        afforded = np.cumsum(batch.price) <= self.batch_size + 1e-9
        cost = batch.price[afforded]
        place = {name: at for at, name in enumerate(sets.examples.tolist())}
        row = np.array([place[name] for name in batch.examples[afforded].tolist()], dtype=np.int64)
        again = float(np.average(sets.labelled[row], weights=cost)) if len(row) else float("nan")
        self._collect_sets(row, batch.classes[afforded], cost)
        return SimulatedRound(
            number=self.number,
            labels=sets,
            spent=self.spent,
            test_accuracy=single,
            test_accuracy_averaged=averaged,
            consensus_accuracy=1 - scores["consensus_hamming"],
            num_labelled=int(sets.labelled.sum()),
            relabel_share=again,
            temperature=tuple(np.mean([1 / np.array(one.betas) for one in result.estimate.of_class], axis=0)),
            model_weight=(1.0,) * len(result.pred_probs),
            seconds=0.0,
            fit_seconds=result.fit_seconds + predict_seconds,
            scores=scores,
        )

    def _scores(self, posterior: Float64s, test_probs: Float64s | None) -> dict[str, float]:
        """What the kind of question measures, of consensus, pool and test."""
        given, labels = self.labels.labelled, self.labels
        found = self.kind.decide(posterior, labels, self.loss)
        parts = {"consensus": (self.truth[given], found[given]), "pool": (self.truth, found)}
        if test_probs is not None:
            parts["test"] = (self.truth_test, self.kind.decide(test_probs, labels, self.loss))
        return {
            f"{part}_{name}": value
            for part, (truth, answers) in parts.items()
            for name, value in self.kind.scores(truth, answers, labels).items()
        }

    def _test_accuracy(self) -> tuple[float, float, Float64s | None, float]:
        if not self.trained:
            return float("nan"), float("nan"), None, 0.0
        started = time.perf_counter()
        folds = [[fold.predict_proba(self.X_test) for fold in f] for f in self.learner.fold_models]
        seconds = time.perf_counter() - started
        if len(folds) == 1:
            single = float(np.mean([self._accuracy(p) for p in folds[0]]))
        else:
            single = self._accuracy(np.mean([np.mean(f, axis=0) for f in folds], axis=0))
        averaged = self.learner.combine([np.mean(f, axis=0) for f in folds])
        return single, self._accuracy(averaged), averaged, seconds

    def _accuracy(self, pred_probs: Float64s) -> float:
        if np.ndim(self.truth_test) == 2:
            return float(((pred_probs > 0.5) == self.truth_test).mean())
        return float((pred_probs.argmax(axis=1) == self.truth_test).mean())

    def _collect(self, example: Ints, annotator: Ints | None) -> None:
        if not len(example) or annotator is None:
            self.settled = True
            return
        answer = self.team.answer(example, annotator)
        self.labels = self.labels.tell(
            self.labels.examples[example],
            annotator=self.labels.annotators[annotator],
            label=self.labels.classes[answer],
        )
        self.spent = float(len(self.labels))

    def _collect_sets(self, example: Ints, classes: Ids, cost: Float64s) -> None:
        """Each question goes to one of those who were asked about the least of it, at random."""
        if not len(example):
            self.settled = True
            return
        sets: LabelSets = self.labels
        code = {name: at for at, name in enumerate(sets.classes.tolist())}
        asked = np.zeros((len(example), sets.n_classes), dtype=bool)
        annotator = np.empty(len(example), dtype=np.int64)
        before = sets.asked.copy()
        for at, (row, name) in enumerate(zip(example.tolist(), classes.tolist(), strict=True)):
            wanted = np.ones(sets.n_classes, dtype=bool)
            if name is not None:
                wanted = np.arange(sets.n_classes) == code[name]
            able = self.team.candidates(row)
            left = np.tile(wanted, (len(able), 1))
            here = slice(sets.offsets[row], sets.offsets[row + 1])
            known = np.searchsorted(able, sets.annotator[here])
            left[known] &= ~before[here]
            most = np.flatnonzero(left.sum(axis=1) == left.sum(axis=1).max())
            chosen = int(self.rng.choice(most))
            annotator[at], asked[at] = able[chosen], left[chosen]
        said = self.team.answer(example, annotator)
        self.labels = LabelSets(
            np.concatenate([sets.example, example]),
            np.concatenate([sets.annotator, annotator]),
            np.concatenate([sets.chosen, said & asked]),
            examples=sets.examples,
            annotators=sets.annotators,
            classes=sets.classes,
            asked=np.concatenate([before, asked]),
        )
        self.spent += float(cost.sum())


def simulate_rounds(simulation: Simulation, rounds: int) -> Iterator[SimulatedRound]:
    """``rounds`` rounds and a last measure; fewer if nobody is left to ask."""
    for _ in range(rounds + 1):
        if not simulation.can_go_on():
            return
        yield simulation.round()


def initial_labels(
    team: Team,
    n_examples: int,
    n_classes: int,
    size: int,
    *,
    seed: int = 0,
    single_label: bool = False,
) -> Labels | LabelSets:
    """Labels of the first examples of a pool, as in the published runs: mostly one each.

    Nine examples in ten have one label, nearly all others two (1797, 193, 9 and 1 of 2000 had one to
    four), or all exactly one with ``single_label``. Examples ``0..size-1`` are labelled.
    """
    rng = np.random.default_rng(seed)
    wanted = rng.choice([1, 2, 3, 4], size, p=[0.8985, 0.0965, 0.0045, 0.0005])
    example, annotator = [], []
    for code in range(size):
        candidates = team.candidates(code)
        number = 1 if single_label else min(int(wanted[code]), len(candidates))
        chosen = rng.choice(candidates, number, replace=False)
        example += [code] * len(chosen)
        annotator += chosen.tolist()
    codes = np.array(example, dtype=np.int64), np.array(annotator, dtype=np.int64)
    answers = team.answer(*codes)
    return (LabelSets if answers.ndim == 2 else Labels)(
        *codes,
        answers,
        examples=n_examples,
        annotators=team.annotators,
        classes=n_classes,
    )
