"""Rounds of active learning with simulated annotators, measured against the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._typing import Ints
from activelab.labels import Labels
from activelab.learner import ActiveLearner
from activelab.simulation._annotators import AnnotatorTeam


@dataclass(frozen=True)
class SimulatedRound:
    """One round, measured.

    Attributes
    ----------
    number : int
        Round, counted from 0, before any new label.
    labels : Labels
        The labels the round started from.
    n_labels : int
        Their number.
    test_accuracy : float
        Accuracy of the learner on examples kept apart.
    consensus_accuracy : float
        Share of the labelled examples whose training label is right.
    relabel_share : float
        Share of the new batch that is labelled already.
    """

    number: int
    labels: Labels
    n_labels: int
    test_accuracy: float
    consensus_accuracy: float
    relabel_share: float


def simulate_rounds(
    learner: ActiveLearner,
    X: Any,
    truth: Ints,
    labels: Labels,
    team: AnnotatorTeam,
    *,
    rounds: int,
    batch_size: int,
    X_test: Any,
    truth_test: Ints,
    seed: int = 0,
) -> Iterator[SimulatedRound]:
    """Ask, let the team answer, and repeat; the truth reaches only the answers and the measures.

    Parameters
    ----------
    learner : ActiveLearner
    X, truth
        Features and class codes of the pool.
    labels : Labels
        Initial labels over the pool; annotator codes are those of the team.
    team : AnnotatorTeam
        Each example of a batch is answered by a random member who has not labelled it.
    rounds : int
        Number of batches answered. One more round is measured after the last.
    batch_size : int
    X_test, truth_test
        Examples kept apart for the test accuracy.
    seed : int
        Seed of the choice of annotators.

    Yields
    ------
    SimulatedRound
        ``learner.round_`` holds the details until the next one.
    """
    rng = np.random.default_rng(seed)
    for number in range(rounds + 1):
        batch = learner.ask(X, labels, batch_size)
        training = learner.round_.training_label
        given = training >= 0
        predicted = learner.predict_proba(X_test).argmax(axis=1)
        yield SimulatedRound(
            number=number,
            labels=labels,
            n_labels=labels.n_labels,
            test_accuracy=float((predicted == truth_test).mean()),
            consensus_accuracy=float((training[given] == truth[given]).mean()),
            relabel_share=float((batch.kind == "relabel").mean()),
        )
        code = learner.round_.positions
        annotator = team.choose(labels, code, rng)
        answer = team.answer(code, annotator, truth[code])
        labels = labels.tell(
            batch.examples, annotator=labels.annotators[annotator], label=labels.classes[answer]
        )
