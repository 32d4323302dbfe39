"""Rounds of active learning with a team of annotators, measured against the truth (Algorithm 1)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ints
from activelab.assignment import AssignmentRule, get_rule
from activelab.consensus import Ability
from activelab.consensus._bayesian import bayesian_estimate
from activelab.labels import Labels
from activelab.learner import ActiveLearner, RoundResult
from activelab.simulation._annotators import Team
from activelab.stopping import OPEN, example_states


@dataclass(frozen=True)
class SimulatedRound:
    """One round, measured before the labels it asks for arrive.

    Attributes
    ----------
    number : int
        Round, counted from 0.
    labels : Labels
        The labels the round started from.
    test_accuracy : float
        Accuracy on examples kept apart: the mean over the fold models of a single model, of the averaged
        fold models of all models for an ensemble (as the paper published).
    test_accuracy_averaged : float
        Accuracy of the learner's own prediction, the weighted and calibrated mean.
    consensus_accuracy : float
        Share of the labelled examples whose training label is right.
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
    """

    number: int
    labels: Labels
    test_accuracy: float
    test_accuracy_averaged: float
    consensus_accuracy: float
    num_labelled: int
    relabel_share: float
    temperature: tuple[float, ...]
    model_weight: tuple[float, ...]
    seconds: float
    fit_seconds: float


class Simulation:
    """Ask, let the team answer, repeat. The truth reaches only the answers and the measures.

    Parameters
    ----------
    learner : ActiveLearner
    X, truth
        Features and class codes of the pool.
    labels : Labels
        Initial labels over the pool; annotator codes are those of the team.
    team : Team
        Each example of a batch is answered by a member who has not labelled it. Examples nobody is left to
        label are not asked for.
    X_test, truth_test
        Examples kept apart.
    batch_size : int
    single_label : bool
        Never ask for a second label of an example.
    assignment : str or AssignmentRule
        Who labels a batch (see `activelab.assign`).
    max_share : float
        Share of a batch one annotator gets at most.
    stop : bool
        Leave alone the examples that the round before shows to be settled or ambiguous (see
        `activelab.stopping.example_states`).
    seed : int
        Seed of the choice of annotators.

    Attributes
    ----------
    labels : Labels
        The labels collected so far.
    """

    def __init__(
        self,
        learner: ActiveLearner,
        X: Any,
        truth: Ints,
        labels: Labels,
        team: Team,
        *,
        X_test: Any,
        truth_test: Ints,
        batch_size: int,
        single_label: bool = False,
        assignment: str | AssignmentRule = "random",
        max_share: float = 1.0,
        stop: bool = False,
        seed: int = 0,
    ) -> None:
        self.assignment, self.max_share, self.stop = get_rule(assignment), max_share, stop
        self.learner, self.X, self.truth, self.team = learner, X, truth, team
        self.X_test, self.truth_test, self.batch_size = X_test, truth_test, batch_size
        self.single_label = single_label
        self.labels, self.number = labels, 0
        self.rng = np.random.default_rng(seed)

    def round(self) -> SimulatedRound:
        """Run one round: train, measure, and collect the labels of its batch.

        Raises
        ------
        InputError
            If nobody is left to label any example the method considers.
        """
        started = time.perf_counter()
        labels = self.labels
        eligible = self._eligible()
        size = min(self.batch_size, int(eligible.sum()))
        if not size:
            raise InputError("nobody is left to label any example.")
        batch = self.learner.ask(self.X, labels, size, eligible=eligible)
        result = self.learner.round_
        given = result.training_label >= 0
        single, averaged, predict_seconds = self._test_accuracy()
        self._collect(result.positions)
        measured = SimulatedRound(
            number=self.number,
            labels=labels,
            test_accuracy=single,
            test_accuracy_averaged=averaged,
            consensus_accuracy=float((result.training_label[given] == self.truth[given]).mean()),
            num_labelled=int(given.sum()),
            relabel_share=float((batch.kind == "relabel").mean()),
            temperature=tuple(result.assessment.temperature.tolist()),
            model_weight=tuple(result.assessment.model_weight.tolist()),
            seconds=time.perf_counter() - started,
            fit_seconds=result.fit_seconds + predict_seconds,
        )
        self.number += 1
        return measured

    def can_go_on(self) -> bool:
        """Whether anybody is left to label any example the method considers."""
        return bool(self._eligible().any())

    def state(self) -> dict[str, Any]:
        """All that the next round depends on, ready to pickle; without the fitted classifiers."""
        return {
            "labels": self.labels,
            "number": self.number,
            "rng": self.rng.bit_generator.state,
            "learner": self.learner.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a `state`."""
        self.labels, self.number = state["labels"], state["number"]
        self.rng.bit_generator.state = state["rng"]
        self.learner.restore(state["learner"])

    def _eligible(self) -> Bools:
        eligible = self.team.can_answer(self.labels)
        if self.learner.method.relabels_only:
            eligible = eligible & self.labels.labelled
        if self.stop and hasattr(self.learner, "round_"):
            states = example_states(self.labels, self.learner.round_.pred_probs)
            eligible = eligible & (states == OPEN)
        return eligible & ~self.labels.labelled if self.single_label else eligible

    def _test_accuracy(self) -> tuple[float, float, float]:
        started = time.perf_counter()
        folds = [[fold.predict_proba(self.X_test) for fold in f] for f in self.learner.fold_models]
        seconds = time.perf_counter() - started
        if len(folds) == 1:
            single = float(np.mean([self._accuracy(p) for p in folds[0]]))
        else:
            single = self._accuracy(np.mean([np.mean(f, axis=0) for f in folds], axis=0))
        means = [np.mean(f, axis=0) for f in folds]
        return single, self._accuracy(self.learner.combine(means)), seconds

    def _accuracy(self, pred_probs: Float64s) -> float:
        return float((pred_probs.argmax(axis=1) == self.truth_test).mean())

    def _collect(self, example: Ints) -> None:
        ability = None
        if self.assignment.needs_ability:
            ability = ability_of(self.labels, self.learner.round_)
        annotator = self.team.choose(
            self.labels, example, self.rng, self.assignment, ability=ability, max_share=self.max_share
        )
        answer = self.team.answer(example, annotator)
        self.labels = self.labels.tell(
            self.labels.examples[example],
            annotator=self.labels.annotators[annotator],
            label=self.labels.classes[answer],
        )


def ability_of(labels: Labels, result: RoundResult) -> Ability:
    """What a round knows of its annotators' accuracies, estimated here if its method does not say."""
    known = result.assessment.ability
    return bayesian_estimate(labels, tuple(result.pred_probs)).ability if known is None else known


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
) -> Labels:
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
    return Labels(
        *codes,
        team.answer(*codes),
        examples=n_examples,
        annotators=team.annotators,
        classes=n_classes,
    )
