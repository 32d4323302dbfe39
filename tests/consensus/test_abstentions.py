"""People who could not tell, and how sure people were; without either nothing changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activelab as al
from activelab import InputError, Labels
from activelab.consensus import bayesian_estimate
from activelab.planning import plan_round
from activelab.pred_probs import Checked

CANNOT_TELL = -1


def crowd(
    seed: int = 0, n: int = 1200, team: int = 6, asked: int = 3, by_class: tuple[float, ...] = (1, 1, 1)
) -> tuple[Labels, Labels, np.ndarray, np.ndarray]:
    """Labels, abstentions, truth, and which examples are hard: there people err and abstain more often."""
    rng = np.random.default_rng(seed)
    classes = len(by_class)
    truth, hard = rng.integers(classes, size=n), rng.random(n) < 0.3
    right = np.where(hard, 0.5, 0.92)[:, None]
    said = np.where(
        rng.random((n, team)) < right,
        truth[:, None],
        (truth[:, None] + rng.integers(1, classes, size=(n, team))) % classes,
    )
    abstains = np.where(hard, 0.4, 0.05)[:, None] * np.asarray(by_class)[truth][:, None]
    abstains = abstains * np.linspace(0.5, 1.5, team)
    said = np.where(rng.random((n, team)) < abstains, CANNOT_TELL, said)
    chosen = rng.random((n, team)).argsort(axis=1) < asked
    example, annotator = np.nonzero(chosen)
    answers = Labels(
        example,
        annotator,
        said[chosen] + 1,
        examples=n,
        annotators=team,
        classes=[CANNOT_TELL, *range(classes)],
    )
    labels, abstentions = answers.set_apart(CANNOT_TELL)
    return labels, abstentions, truth, hard


def log_loss(result: al.Consensus, truth: np.ndarray) -> float:
    return float(-np.log(result.posterior[np.arange(len(truth)), truth]).mean())


# ---------------------------------------------------------------------- set_apart


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "?", None]), min_size=2, max_size=2), min_size=1))
def test_set_apart_loses_and_moves_nothing(rows: list[list[Any]]) -> None:
    answers = Labels.from_wide(rows, classes=["a", "?", "b"])
    rest, apart = answers.set_apart("?")
    assert rest.classes.tolist() == ["a", "b"]
    assert apart.classes.tolist() == ["?"]
    assert rest.examples.tolist() == apart.examples.tolist() == answers.examples.tolist()
    assert rest.annotators.tolist() == apart.annotators.tolist() == answers.annotators.tolist()
    both = [*rest.to_long().itertuples(index=False), *apart.to_long().itertuples(index=False)]
    assert sorted(map(tuple, both)) == sorted(map(tuple, answers.to_long().itertuples(index=False)))


def test_set_apart_of_everything_is_refused() -> None:
    with pytest.raises(InputError, match="no class is left"):
        Labels.from_wide([["?", "?"]]).set_apart("?")


# ---------------------------------------------------------------------- abstentions


@pytest.mark.parametrize("method", [al.bayesian_consensus, al.ordinal_consensus])
def test_nothing_beside_the_labels_changes_no_bit(method: Any) -> None:
    labels, abstentions, _, _ = crowd(n=200)
    nobody = Labels([], [], [], examples=200, annotators=6, classes=1)
    unsaid = np.full(labels.n_labels, np.nan)
    plain = method(labels)
    for result in (method(labels, abstentions=nobody), method(labels, confidence=unsaid)):
        assert np.array_equal(result.posterior, plain.posterior)
        assert np.array_equal(result.label, plain.label)
    assert not np.array_equal(method(labels, abstentions=abstentions).posterior, plain.posterior)


@pytest.mark.parametrize("seed", range(3))
def test_where_many_could_not_tell_the_labels_count_for_less(seed: int) -> None:
    labels, abstentions, truth, hard = crowd(seed)
    dropped = al.bayesian_consensus(labels)
    used = al.bayesian_consensus(labels, abstentions=abstentions)
    assert log_loss(used, truth) < log_loss(dropped, truth) - 0.003
    some = (abstentions.counts > 0) & labels.labelled
    assert used.quality[some].mean() < dropped.quality[some].mean()
    right = used.label == truth
    assert abs(used.quality[labels.labelled].mean() - right[labels.labelled].mean()) < 0.05
    # Those who could not tell know nothing of which answer is right, so few answers change.
    assert (used.label != dropped.label).mean() < 0.05
    assert hard[some].mean() > 2 * hard[~some].mean()


def test_a_class_that_people_cannot_tell_is_likelier_where_they_could_not() -> None:
    labels, abstentions, truth, _ = crowd(n=3000, by_class=(0.3, 0.3, 2.0))
    models = Checked((), labels, abstentions=abstentions)
    found = bayesian_estimate(labels, models).abstaining
    assert found is not None
    assert found.of_class.argmax() == 2
    assert found.of_class[2] > 2 * found.of_class[:2].max()
    used = al.bayesian_consensus(labels, abstentions=abstentions)
    assert log_loss(used, truth) < log_loss(al.bayesian_consensus(labels), truth) - 0.01
    alone = (abstentions.counts == 3) & ~labels.labelled
    assert alone.any()
    assert (used.posterior[alone].argmax(axis=1) == 2).all()
    assert (used.label[alone] == -1).all()


def test_rates_of_annotators_are_found() -> None:
    labels, abstentions, _, _ = crowd(n=3000)
    found = bayesian_estimate(labels, Checked((), labels, abstentions=abstentions)).abstaining
    assert found is not None
    assert (np.diff(found.rate) > 0).all()
    given = np.bincount(abstentions.annotator, minlength=6)
    asked = given + np.bincount(labels.annotator, minlength=6)
    assert np.allclose(found.rate, given / asked, atol=0.02)


def test_what_people_cannot_tell_waits_as_long_as_they_cannot() -> None:
    labels, abstentions, _, hard = crowd(n=3000)
    models = Checked(al.check_pred_probs(np.full((3000, 3), 1 / 3), labels), labels, abstentions=abstentions)
    estimate = bayesian_estimate(labels, models)
    assert estimate.abstaining is not None
    posterior = al.bayesian_consensus(labels, models).posterior
    telling = estimate.abstaining.telling(slice(None), posterior)
    can = 1 - np.where(hard, 0.4, 0.05)
    for number in range(4):
        some = abstentions.counts == number
        assert telling[some].mean() == pytest.approx(can[some].mean(), abs=0.08)
    score = plan_round(labels, models, al.Strategy.of("frugal"), 1).assessment.scores
    # A label of a hard example counts for less, too, as held-out labels say.
    assert estimate.abstaining.strength > 0
    counts_for = np.minimum(np.exp(estimate.abstaining.log_scale(slice(None))), 1)
    assert np.allclose(score, 1 - (1 - posterior.max(axis=1)) * telling * counts_for)


def test_abstentions_by_chance_change_little() -> None:
    labels, _, truth, _ = crowd(n=1000, asked=4)
    rng = np.random.default_rng(1)
    gone = rng.random(labels.n_labels) < 0.15
    named = Labels(
        labels.example,
        labels.annotator,
        np.where(gone, 3, labels.label),
        examples=1000,
        annotators=6,
        classes=4,
    )
    rest, apart = named.set_apart(3)
    dropped, used = al.bayesian_consensus(rest), al.bayesian_consensus(rest, abstentions=apart)
    assert log_loss(used, truth) < log_loss(dropped, truth) + 0.01
    assert np.abs(used.quality - dropped.quality)[rest.labelled].max() < 0.2


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_the_order_of_annotators_and_examples_does_not_matter(seed: int) -> None:
    labels, abstentions, _, _ = crowd(seed, n=60)
    rng = np.random.default_rng(seed)
    examples, people = rng.permutation(60), rng.permutation(6)

    def moved(one: Labels) -> Labels:
        return Labels(
            np.argsort(examples)[one.example],
            np.argsort(people)[one.annotator],
            one.label,
            examples=examples,
            annotators=people,
            classes=one.classes,
        )

    sure = rng.random(labels.n_labels)
    there = moved(labels)
    frame = labels.to_long().assign(confidence=sure)
    here = al.bayesian_consensus(labels, abstentions=abstentions, confidence=sure)
    other = al.bayesian_consensus(there, abstentions=moved(abstentions), confidence=frame)
    assert np.allclose(other.posterior, here.posterior[examples], atol=1e-9)


def test_strangers_and_contradictions_are_named() -> None:
    labels, abstentions, _, _ = crowd(n=50)
    with pytest.raises(InputError, match=r"annotators that are not in the pool: 'zoe'"):
        al.bayesian_consensus(labels, abstentions=Labels.from_records([(0, "zoe", "?")]))
    example, annotator = labels.example[0], labels.annotator[0]
    both = Labels([example], [annotator], [0], examples=50, annotators=6, classes=1)
    with pytest.raises(InputError, match=rf"annotator {annotator} both labelled example {example}"):
        al.bayesian_consensus(labels, abstentions=both)
    with pytest.raises(InputError, match="abstentions must be Labels"):
        al.bayesian_consensus(labels, abstentions=[(0, 0)])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="examples that are not in the pool: 77"):
        al.bayesian_consensus(labels, abstentions=Labels.from_records([(77, 0, "?")]))
    assert abstentions.n_labels


def test_checked_predictions_carry_what_goes_with_the_labels() -> None:
    labels, abstentions, truth, _ = crowd(n=300)
    probs = np.full((300, 3), 0.2)
    probs[np.arange(300), truth] = 0.6
    checked = Checked(al.check_pred_probs(probs, labels), labels, abstentions=abstentions)
    direct = al.bayesian_consensus(labels, probs, abstentions=abstentions)
    assert np.array_equal(al.bayesian_consensus(labels, checked).posterior, direct.posterior)
    batch = al.suggest(labels, checked, 300, "recommended")
    plain = al.suggest(labels, probs, 300, "recommended")
    assert not np.array_equal(np.sort(batch.score), np.sort(plain.score))


# ---------------------------------------------------------------------- confidence


def sure_crowd(seed: int, informative: bool = True) -> tuple[Labels, np.ndarray, np.ndarray]:
    """Labels, how sure each was, and the truth; 4 classes, three labels an example."""
    rng = np.random.default_rng(seed)
    truth, sure = rng.integers(4, size=900), rng.random((900, 8))
    right = rng.random((900, 8)) < (0.35 + 0.6 * sure if informative else 0.65)
    said = np.where(right, truth[:, None], (truth[:, None] + rng.integers(1, 4, size=(900, 8))) % 4)
    asked = rng.random((900, 8)).argsort(axis=1) < 3
    labels = Labels.from_wide(np.where(asked, said, np.nan))
    return labels, sure[labels.example, labels.annotator], truth


@pytest.mark.parametrize("seed", range(3))
def test_sure_labels_count_for_more_where_they_are_right_more_often(seed: int) -> None:
    labels, sure, truth = sure_crowd(seed)
    plain, used = al.bayesian_consensus(labels), al.bayesian_consensus(labels, confidence=sure)
    assert (used.label == truth).mean() > (plain.label == truth).mean() + 0.02
    assert log_loss(used, truth) < log_loss(plain, truth) - 0.05
    assert abs(used.quality.mean() - (used.label == truth).mean()) < 0.05


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 100), st.floats(0.1, 50), st.floats(-5, 5))
def test_any_scale_of_confidence_does(seed: int, step: float, start: float) -> None:
    labels, sure, _ = sure_crowd(seed)
    one = al.bayesian_consensus(labels, confidence=sure)
    other = al.bayesian_consensus(labels, confidence=start + step * sure)
    assert np.allclose(one.posterior, other.posterior, atol=1e-6)


def test_the_weight_of_a_label_never_falls_with_its_confidence() -> None:
    labels, sure, _ = sure_crowd(0)
    estimate = bayesian_estimate(labels, Checked((), labels, confidence=sure))
    share = estimate.voices.share
    assert share is not None
    order = np.argsort(sure)
    assert (np.diff(share[order]) >= 0).all()
    assert share.max() > 1.2 > 0.8 > share.min()


def test_a_confidence_that_says_nothing_changes_little() -> None:
    labels, sure, truth = sure_crowd(0, informative=False)
    plain, used = al.bayesian_consensus(labels), al.bayesian_consensus(labels, confidence=sure)
    assert log_loss(used, truth) < log_loss(plain, truth) + 0.01
    same = al.bayesian_consensus(labels, confidence=np.full(labels.n_labels, 0.5))
    assert np.allclose(same.posterior, plain.posterior, atol=0.02)


def test_confidences_that_cannot_be_used() -> None:
    labels, sure, _ = sure_crowd(0)
    with pytest.raises(InputError, match=r"one number for each of the 2,700 labels"):
        al.bayesian_consensus(labels, confidence=sure[1:])
    with pytest.raises(InputError, match="not numbers"):
        al.bayesian_consensus(labels, confidence=["high"] * labels.n_labels)
    with pytest.raises(InputError, match="infinite"):
        al.bayesian_consensus(labels, confidence=np.full(labels.n_labels, np.inf))
    frame = labels.to_long()
    with pytest.raises(InputError, match="no column 'confidence'"):
        al.bayesian_consensus(labels, confidence=frame)


def test_rows_of_a_table_that_are_no_labels_are_left_out() -> None:
    labels, sure, _ = sure_crowd(0)
    frame = labels.to_long().assign(confidence=sure)
    stranger = frame.iloc[:1].assign(example=5000, confidence=0.1)
    more = pd.concat([stranger, frame.iloc[::-1]])
    one = al.bayesian_consensus(labels, confidence=sure)
    assert np.array_equal(one.posterior, al.bayesian_consensus(labels, confidence=more).posterior)
