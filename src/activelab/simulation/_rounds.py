"""Rounds of active learning with a team of annotators, measured against the truth (Algorithm 1)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ints
from activelab.labels import Labels
from activelab.learner import ActiveLearner
from activelab.simulation._annotators import Team


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
        With the strategy: what is asked, of whom (at random if it leaves that open), and when no more.
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
    seed : int
        Seed of the choice of annotators.

    Attributes
    ----------
    labels : Labels
        The labels collected so far.
    settled : bool
        Whether a round found nothing more to ask.
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
        seed: int = 0,
    ) -> None:
        self.learner, self.X, self.truth, self.team = learner, X, truth, team
        self.X_test, self.truth_test, self.batch_size = X_test, truth_test, batch_size
        self.single_label = single_label
        self.labels, self.number, self.settled = labels, 0, False
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
        if not self.can_go_on():
            raise InputError("nobody is left to label any example.")
        batch = self.learner.ask(
            self.X,
            labels,
            min(self.batch_size, labels.n_examples),
            eligible=self._eligible(),
            candidates=self.team.candidates,
            rng=self.rng,
            progress=False,
        )
        result = self.learner.round_
        given = result.training_label >= 0
        single, averaged, predict_seconds = self._test_accuracy()
        self._collect(result.positions, result.plan.annotator)
        measured = SimulatedRound(
            number=self.number,
            labels=labels,
            test_accuracy=single,
            test_accuracy_averaged=averaged,
            consensus_accuracy=float((result.training_label[given] == self.truth[given]).mean()),
            num_labelled=int(given.sum()),
            relabel_share=float((batch.kind == "relabel").mean()) if len(batch) else float("nan"),
            temperature=tuple(result.assessment.temperature.tolist()),
            model_weight=tuple(result.assessment.model_weight.tolist()),
            seconds=time.perf_counter() - started,
            fit_seconds=result.fit_seconds + predict_seconds,
        )
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
            "rng": self.rng.bit_generator.state,
            "learner": self.learner.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a `state`."""
        self.labels, self.number, self.settled = state["labels"], state["number"], state["settled"]
        self.rng.bit_generator.state = state["rng"]
        self.learner.restore(state["learner"])

    def _eligible(self) -> Bools:
        eligible = self.team.can_answer(self.labels)
        if self.learner.strategy.acquisition.relabels_only:
            eligible = eligible & self.labels.labelled
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
