"""People who could not tell of examples, or of classes of them; without any nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

import activelab as al
from activelab.multilabel.parts import estimate_beside

TEAM, SHARES = 6, np.array([0.3, 0.15, 0.4])


def crowd(
    seed: int = 0, size: int = 900, by_class: float = 1.0
) -> tuple[al.LabelSets, al.Labels, np.ndarray, np.ndarray]:
    """Sets, abstentions, truth, and which examples are hard: there people err and abstain more often."""
    rng = np.random.default_rng(seed)
    truth, hard = rng.random((size, 3)) < SHARES, rng.random(size) < 0.3
    said = truth[:, None] ^ (rng.random((size, TEAM, 3)) < np.where(hard, 0.3, 0.05)[:, None, None])
    rate = np.where(hard, 0.4, 0.05) * np.where(truth[:, 0], by_class, 1)
    silent = rng.random((size, TEAM)) < rate[:, None]
    asked = rng.random((size, TEAM)).argsort(axis=1) < 3
    pool = {"examples": size, "annotators": TEAM}
    example, annotator = np.nonzero(asked & silent)
    apart = al.Labels(example, annotator, np.zeros(len(example), dtype=int), **pool, classes=1)
    example, annotator = np.nonzero(asked & ~silent)
    return al.LabelSets(example, annotator, said[example, annotator], **pool, classes=3), apart, truth, hard


def of_classes(apart: al.Labels, asked: list[bool]) -> al.LabelSets:
    """The same people could not tell of some classes."""
    size = apart.n_labels
    about = np.tile(asked, (size, 1))
    pool = {"examples": apart.examples, "annotators": apart.annotators, "classes": 3}
    return al.LabelSets(apart.example, apart.annotator, np.zeros((size, 3)), **pool, asked=about)


def log_loss(result: al.MultilabelConsensus, truth: np.ndarray) -> float:
    return float(-np.log(np.where(truth, result.posterior, 1 - result.posterior)).mean())


def test_nobody_who_could_not_tell_changes_no_bit():
    sets, apart, _, _ = crowd(size=200)
    plain = al.multilabel_consensus(sets)
    nobody = al.Labels([], [], [], examples=200, annotators=TEAM, classes=1)
    for given in (nobody, of_classes(nobody, [True] * 3)):
        assert np.array_equal(al.multilabel_consensus(sets, abstentions=given).posterior, plain.posterior)
    assert not np.array_equal(al.multilabel_consensus(sets, abstentions=apart).posterior, plain.posterior)


def test_where_many_could_not_tell_answers_count_for_less():
    sets, apart, truth, hard = crowd()
    dropped, used = al.multilabel_consensus(sets), al.multilabel_consensus(sets, abstentions=apart)
    assert log_loss(used, truth) < log_loss(dropped, truth) - 0.01
    some = (apart.counts > 0) & sets.labelled
    right = (used.chosen == truth)[some].mean()
    assert abs(used.quality[some].mean() - right) < abs(dropped.quality[some].mean() - right)
    assert hard[some].mean() > 2 * hard[~some].mean()


def test_whole_examples_are_all_of_their_classes():
    sets, apart, _, _ = crowd(size=300)
    whole, each = (
        al.multilabel_consensus(sets, abstentions=given).posterior
        for given in (apart, of_classes(apart, [True] * 3))
    )
    assert np.array_equal(whole, each)


def test_a_class_that_people_cannot_tell_is_found():
    sets, apart, _, _ = crowd(size=2000, by_class=2.5)
    first, other, _ = (one.abstaining for one in estimate_beside(sets, (), abstentions=apart).of_class)
    assert first.of_class[1] > 1.4 * first.of_class[0]
    assert other.of_class[1] < 1.3 * other.of_class[0]


def test_what_people_cannot_tell_is_asked_later():
    sets, apart, _, _ = crowd()
    probs = np.full((900, 3), 0.5)
    plain, knows = (
        al.suggest_questions(sets, probs, 300, ask="examples", abstentions=given) for given in (None, apart)
    )
    assert apart.counts[knows.examples].mean() < apart.counts[plain.examples].mean() - 0.08
    learner = al.ActiveLearner(None, "expected_loss+ask=examples")
    batch = learner.ask(None, sets, 300, pred_probs=probs, abstentions=apart)
    assert batch.examples.tolist() == knows.examples.tolist()


def test_who_cannot_tell_of_one_class_says_nothing_of_the_others():
    sets, apart, _, _ = crowd()
    alone = ~sets.labelled & (apart.counts == 3)
    batch = al.suggest_questions(
        sets, np.full((900, 3), 0.5), 2700, ask="classes", abstentions=of_classes(apart, [True, False, False])
    )
    worth = np.zeros((900, 3))
    worth[batch.examples.astype(int), batch.classes.astype(int)] = batch.worth
    assert worth[alone, 0].max() < 0.9 * worth[alone, 1].min()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (al.Labels([0], [0], [0], examples=2, annotators=2, classes=1), "both labelled example 0 and could"),
        (
            al.Labels([2], [0], [0], examples=3, annotators=2, classes=1),
            "examples that are not in the pool: 2",
        ),
        (al.LabelSets.from_lists([[None, "a"]]), "must have the same classes"),
        (al.LabelSets.from_lists([[None, None], [None, "a"]], classes=["a", "b"]), "must be empty sets"),
        ([[0, 1]], "abstentions must be Labels"),
    ],
)
def test_bad_input_is_told_what_is_wrong(given, message):
    sets = al.LabelSets.from_lists([["a|b", None], ["b", None]])
    with pytest.raises(al.InputError, match=message):
        al.multilabel_consensus(sets, abstentions=given)
