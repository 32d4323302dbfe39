"""The built-in parts keep the promises `activelab.testing` checks; broken ones are caught."""

from __future__ import annotations

import numpy as np
import pytest

from activelab import testing
from activelab.acquisition import METHODS
from activelab.assignment import RULES, AssignmentRule
from activelab.consensus import CONSENSUS
from activelab.selection import BATCHING
from activelab.simulation import TEAMS
from activelab.strategies import HELPERS
from activelab.training import TRAINING

NOT_CHECKED = ("kos", "mmsr", "mace", "glad", "one_coin_dawid_skene")

KINDS = [
    *((testing.check_acquisition, name) for name in METHODS.names()),
    # crowd-kit's own: two classes only, and draws that follow the order of the examples.
    # Two others of it are slow, and pass as wawa does.
    *((testing.check_consensus, name) for name in CONSENSUS.names() if name not in NOT_CHECKED),
    *((testing.check_training, name) for name in TRAINING.names()),
    *((testing.check_batching, name) for name in BATCHING.names()),
    *((testing.check_assignment, name) for name in RULES.names()),
    *((testing.check_helper, name) for name in HELPERS.names()),
    *((testing.check_team, name) for name in TEAMS.names()),
]


@pytest.mark.parametrize(("check", "name"), KINDS)
def test_built_in_parts_conform(check, name):
    check(name)


def by_position(labels, pred_probs):
    return np.arange(labels.n_examples)


def with_nan(labels, pred_probs):
    return np.where(labels.labelled, np.nan, 1.0)


def unsure(labels, pred_probs):
    return np.full((labels.n_examples, labels.n_classes), 0.2)


class Drifting:
    """A helper that forgets what it was told before."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X, y):
        self.classes = y.shape[1]
        return self

    def predict(self, X):
        return np.random.default_rng().random((len(X), self.classes))


def by_place(labels, pred_probs):
    return np.eye(labels.n_classes)[np.arange(labels.n_examples) % labels.n_classes]


class Anybody(AssignmentRule):
    def choose(self, free, load, ability, rng):
        return 0


def twice(scores, size, seed, keys, models):
    return np.full(size, np.flatnonzero(np.isfinite(scores))[0])


@pytest.mark.parametrize(
    ("check", "part", "promise"),
    [
        (testing.check_acquisition, by_position, "order of the examples"),
        (testing.check_consensus, by_place, "order of the examples"),
        (testing.check_assignment, Anybody, "one of those who are free"),
        (testing.check_helper, Drifting, "equal seeds give equal predictions"),
        (testing.check_batching, twice, "as many distinct examples"),
    ],
)
def test_broken_promises_are_told(check, part, promise):
    with pytest.raises(AssertionError, match=promise):
        check(part)


@pytest.mark.parametrize(
    ("check", "part"), [(testing.check_acquisition, with_nan), (testing.check_consensus, unsure)]
)
def test_results_that_cannot_be_used_are_input_errors(check, part):
    with pytest.raises(ValueError, match="must return"):
        check(part)
