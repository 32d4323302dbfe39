"""A round is planned in one place: predictions are checked once, and each estimate is made once."""

from __future__ import annotations

import sys
import textwrap

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import activelab as al
from activelab.planning import plan_round
from activelab.stopping import OPEN, example_states
from conftest import make_pool
from test_strategies import problem


@pytest.fixture
def count(monkeypatch):
    """How often predictions are checked, and Bayesian and CROWDLAB estimates made."""
    calls = {"checks": 0, "bayesian": 0, "crowdlab": 0}

    def counted(name, module, attribute):
        original = getattr(sys.modules[module], attribute)

        def wrapper(*args, **options):
            calls[name] += 1
            return original(*args, **options)

        monkeypatch.setattr(f"{module}.{attribute}", wrapper)

    counted("checks", "activelab.pred_probs", "check_values")
    counted("bayesian", "activelab.consensus._bayesian", "_estimated")
    counted("crowdlab", "activelab.consensus._crowdlab", "_estimated")
    return calls


@pytest.mark.parametrize(
    ("strategy", "bayesian", "crowdlab"),
    [
        ("activelab", 0, 1),
        ("activelab+skip_settled=true+assignment=thompson", 1, 1),
        ("recommended", 1, 0),
        ("recommended+skip_settled=true+assignment=thompson", 1, 0),
    ],
)
def test_a_batch_checks_and_estimates_once(count, strategy, bayesian, crowdlab):
    matrix, probs = make_pool(0)
    labels = al.Labels.from_wide(matrix, classes=3)
    al.suggest(labels, probs[0], 5, strategy)
    assert count == {"checks": 1, "bayesian": bayesian, "crowdlab": crowdlab}
    plan = plan_round(labels, probs[0], al.Strategy.parse(strategy), 5)
    plan.forecast(10)
    assert count["checks"] == 2
    assert count["bayesian"] == 2 * bayesian + (bayesian == 0)


@pytest.mark.parametrize(("method", "bayesian"), [("activelab", 0), ("recommended", 3)])
def test_a_round_of_the_learner_estimates_once_a_pass(count, method, bayesian):
    X, _, labels = problem()
    learner = al.ActiveLearner(LogisticRegression(), method, cv=3)
    for _ in range(2):
        count.update(checks=0, bayesian=0)
        learner.ask(X, labels, 5)
        # Before the first pass, before the second, and of the last predictions, on which the batch rests.
        assert count["bayesian"] == bayesian
        assert count["checks"] == learner.strategy.passes


def test_checked_predictions_are_taken_as_they_are(count):
    matrix, probs = make_pool(1)
    labels = al.Labels.from_wide(matrix, classes=3)
    checked = al.check_pred_probs(probs, labels)
    assert al.check_pred_probs(checked, labels) is checked
    al.suggest(labels, checked, 5)
    al.bayesian_consensus(labels, checked)
    example_states(labels, checked)
    assert count["checks"] == 1
    assert count["bayesian"] == 1
    # Against other labels they are checked again, and nothing is remembered of the former.
    more = labels.tell([0], annotator="new", label=0)
    al.bayesian_consensus(more, checked)
    assert count["checks"] == 2
    assert count["bayesian"] == 2


def test_a_plan_says_who_labels_and_in_which_order():
    matrix, probs = make_pool(2)
    labels = al.Labels.from_wide(matrix, classes=3)
    prices = {str(name): 1.0 + number for number, name in enumerate(labels.annotators.tolist())}
    strategy = al.Strategy("recommended", assignment="thompson", prices=prices, max_share=0.5)
    plan = plan_round(labels, probs, strategy, 6, seed=3)
    asked = labels.annotator[labels.offsets[plan.positions[0]] : labels.offsets[plan.positions[0] + 1]]
    assert plan.annotator[0] not in asked
    assert np.bincount(plan.annotator).max() <= 3
    order = plan.order()
    assert order[:6].tolist() == plan.positions.tolist()
    assert sorted(order.tolist()) == list(range(40))
    assert (np.diff(plan.scores[order]) >= 0).all()
    eligible = np.arange(40) < 4
    few = plan_round(labels, probs, strategy, 6, eligible=eligible)
    assert sorted(few.positions.tolist()) == [0, 1, 2, 3]
    settled = plan_round(labels, probs, al.Strategy("recommended", skip_settled=True), 40)
    assert set(settled.positions.tolist()) == set(np.flatnonzero(settled.states == OPEN).tolist())


def test_parts_of_ones_own_by_import_path(tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(
        textwrap.dedent(
            """
            import numpy as np
            import activelab as al
            from activelab.assignment import AssignmentRule
            from activelab.simulation import SimulatedTeam
            from activelab.training import Target

            def fewest(labels, pred_probs):
                return labels.counts

            def shares(labels, pred_probs):
                votes = np.zeros((labels.n_examples, labels.n_classes))
                np.add.at(votes, (labels.example, labels.label), 1.0)
                return (votes + 0.1) / (votes + 0.1).sum(axis=1, keepdims=True)

            class Last(AssignmentRule):
                def choose(self, free, load, ability, rng):
                    return int(free[-1])

            def backwards(scores, size, seed, keys, models):
                return np.flatnonzero(np.isfinite(scores))[::-1][:size]

            def perfect(dataset, rows, *, noise, num_annotators, seed):
                confusion = np.tile(np.eye(len(dataset.classes)), (num_annotators, 1, 1))
                return SimulatedTeam(dataset.truth[rows], confusion, seed=seed)
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    parts = ("consensus=own_parts:shares", "batching=own_parts:backwards", "assignment=own_parts:Last")
    own = "+".join(["own_parts:fewest", *parts])
    matrix, probs = make_pool(3)
    labels = al.Labels.from_wide(matrix, classes=3)
    plan = plan_round(labels, probs, al.Strategy.parse(own), 3)
    assert plan.positions.tolist() == [39, 38, 37]
    assert str(al.Strategy.parse(own)) == own

    from activelab import testing
    from activelab.simulation import Experiment, simulate_rounds
    from activelab.simulation._experiment import prepare

    testing.check_acquisition("own_parts:fewest")
    testing.check_consensus("own_parts:shares")
    testing.check_assignment("own_parts:Last")
    testing.check_batching("own_parts:backwards")
    testing.check_team("own_parts:perfect")
    experiment = Experiment(
        dataset="digits", model="logistic-regression", annotators="own_parts:perfect", labelled=60,
        unlabelled=100, test=100, batch_size=20, rounds=1, cv=2, methods=(own,),
    )  # fmt: skip
    rounds = [*simulate_rounds(prepare(experiment, own, 0), 1)]
    assert rounds[1].consensus_accuracy == 1
    with pytest.raises(al.InputError, match="cannot import the consensus 'own_parts:nothing'"):
        al.Strategy(consensus="own_parts:nothing")
