"""Strategies of others that the benchmark of label efficiency runs beside the package's."""

from __future__ import annotations

import numpy as np
import pytest

import _rivals
from _rivals import FROM_PAPERS, see
from _rivals_table import rivals_markdown
from activelab.simulation import Curves, Experiment, SimulatedTeam, Simulation
from activelab.simulation._experiment import prepare

SMALL = Experiment(
    "digits",
    "sklearn.naive_bayes:GaussianNB",
    labelled=60,
    unlabelled=40,
    test=100,
    batch_size=15,
    annotators="heterogeneous",
    num_annotators=4,
    cv=3,
)


class Recorded(SimulatedTeam):
    """Each example can be asked of two of the people alone, as in a recorded crowd."""

    def candidates(self, example):
        return np.sort([example % self.n_annotators, (example + 1) % self.n_annotators])

    def can_answer(self, labels):
        return labels.counts < 2


def started(strategy, limited):
    simulation = prepare(SMALL, strategy, 0)
    if limited:
        team = Recorded(simulation.truth, simulation.team.confusion, seed=1)
        simulation.team = team
        e = np.arange(60)
        first = e % team.n_annotators
        simulation.labels = _labels(e, first, team.answer(e, first), simulation.labels)
    see(simulation)
    return simulation


def _labels(example, annotator, label, like):
    return type(like)(
        example,
        annotator,
        label,
        examples=like.n_examples,
        annotators=like.annotators,
        classes=like.n_classes,
    )


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("name", FROM_PAPERS)
def test_a_rival_asks_distinct_examples_of_people_who_can_answer(name, limited):
    simulation: Simulation = started(FROM_PAPERS[name], limited)
    for _ in range(2):
        before = simulation.labels
        simulation.round()
        after = simulation.labels
        new = after.counts - before.counts
        assert new.sum() == SMALL.batch_size
        assert new.max() == 1
        for example in np.flatnonzero(new):
            rows = slice(after.offsets[example], after.offsets[example + 1])
            assert np.isin(after.annotator[rows], simulation.team.candidates(int(example))).all()


@pytest.mark.parametrize("name", FROM_PAPERS)
def test_equal_seeds_ask_for_the_same(name):
    one, two = (started(FROM_PAPERS[name], False) for _ in range(2))
    see(one)
    one.round()
    see(two)
    two.round()
    assert one.labels == two.labels


def test_information_is_that_of_a_binary_channel():
    posterior = np.array([[0.5, 0.5], [1.0, 0.0]])
    found = _rivals.information(posterior, np.array([[0.9, 0.5], [0.9, 0.5]]))
    noise = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert found[0] == pytest.approx([np.log(2) - noise, 0.0])
    assert found[1] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_glad_tells_good_annotators_from_bad():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    accuracy = np.array([0.95, 0.9, 0.85, 0.4])
    right = rng.random((200, 4)) < accuracy
    matrix = np.where(right, truth[:, None], (truth[:, None] + rng.integers(1, 3, (200, 4))) % 3)
    example, annotator = (part.ravel() for part in np.indices(matrix.shape))
    labels = _rivals.Labels(example, annotator, matrix.ravel(), examples=200, annotators=4, classes=3)
    posterior, ability, _ = _rivals._glad(labels)
    assert ability.argmin() == 3
    assert (posterior.argmax(axis=1) == truth).mean() > 0.9


def test_experts_who_all_spoke_leave_no_doubt_of_their_majority():
    simulation = started(FROM_PAPERS["INFEXP"], False)
    example, annotator = (part.ravel() for part in np.indices((60, 4)))
    label = simulation.team.answer(example, annotator)
    labels = _labels(example, annotator, label, simulation.labels)
    votes = np.zeros((60, labels.n_classes))
    np.add.at(votes, (example, label), 1)
    clear = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    share = _rivals.infexp(labels, None)[:60][clear]
    assert share.max(axis=1) == pytest.approx(1.0)
    assert (share.argmax(axis=1) == votes[clear].argmax(axis=1)).all()


def test_the_reserve_goes_to_labelled_examples():
    simulation = started(FROM_PAPERS["DARL's reserve"], False)
    before = simulation.labels
    simulation.round()
    again = (simulation.labels.counts - before.counts)[before.labelled].sum()
    assert again == round(_rivals.Reserve.share * SMALL.batch_size)


def test_the_table_compares_each_rival_with_the_package():
    def curve(name, rows):
        accuracy = np.array(rows)
        return Curves(name, np.broadcast_to([10.0, 20.0, 30.0], accuracy.shape).copy(), accuracy)

    rival, chosen = FROM_PAPERS["INFEXP"], "taught+assignment=thompson+max_share=0.2"
    settings = {
        "one": {
            "activelab": curve("activelab", [[0.5, 0.6, 0.8], [0.5, 0.7, 0.8]]),
            "taught": curve("taught", [[0.5, 0.8, 0.7], [0.5, 0.8, 0.9]]),
            chosen: curve(chosen, [[0.5, 0.9, 0.9]] * 2),
            rival: curve(rival, [[0.5, 0.5, 0.6], [0.5, 0.5, 0.6]]),
        },
        "two": {
            "activelab": curve("activelab", [[0.5, 0.6, 0.9]] * 2),
            "taught": curve("taught", [[0.5, 0.9, 0.9]] * 2),
            chosen: curve(chosen, [[0.5, 0.9, 0.9]] * 2),
            rival: curve(rival, [[0.4, 0.4, 0.4]] * 2),
        },
    }
    page = rivals_markdown(settings)
    assert "| INFEXP | -0.117 ± 0.017 | -0.267 ± 0.000 | -0.192 |" in page
    assert "| `taught` | 0.67 / 0.75 | 0.67 / 0.58 | 0.67 / 0.67 |" in page
    assert "| INFEXP | – / – | – / – | 1.00 / 1.00 |" in page
    assert (
        "| INFEXP | +0.267 ± 0.100; +0.167 ± 0.033; 0 of 2 | +0.300 ± 0.067; +0.233 ± 0.000; 0 of 2 |" in page
    )
