"""Consensus of ratings: shifts and spreads found, losses minimised, honest, and blind to order and units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activelab as al
from activelab.consensus import CONSENSUS, Ordinal
from activelab.kinds import KINDS, Kind

POINTS = 5


def raters(seed=0, n=600, each=3, shifts=(-1.2, -0.6, 0.0, 0.0, 0.6, 1.2), spread=0.6, points=POINTS):
    """Ratings of a rounded normal error around the truth and each annotator's own shift."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(points, size=n)
    matrix = np.full((n, len(shifts)), np.nan)
    for i in range(n):
        who = rng.choice(len(shifts), each, replace=False)
        heard = truth[i] + np.array(shifts)[who] + spread * rng.standard_normal(each)
        matrix[i, who] = np.clip(np.rint(heard), 0, points - 1)
    return matrix, truth


def error(label, truth):
    return float(np.abs(label - truth).mean())


# ------------------------------------------------------------------ what it is for


def test_shifts_of_annotators_are_found_and_taken_out():
    shifts = np.array([-1.2, -0.6, 0.0, 0.0, 0.6, 1.2])
    matrix, truth = raters(shifts=shifts)
    labels = al.Labels.from_wide(matrix, classes=POINTS)
    consensus = al.ordinal_consensus(labels)
    found = consensus.annotators.shift
    assert (np.diff(found)[[0, 1, 3, 4]] > 0.2).all()
    assert found == pytest.approx(shifts, abs=0.35)
    ours = error(consensus.label, truth)
    others = [al.majority_vote(labels), al.bayesian_consensus(labels), al.dawid_skene(labels)]
    assert ours < min(error(one.label, truth) for one in others)
    assert ours < error(np.rint(np.nanmean(matrix, axis=1)), truth)


def test_a_careless_annotator_has_the_widest_spread():
    rng = np.random.default_rng(3)
    matrix, _ = raters(shifts=(0.0,) * 6)
    given = ~np.isnan(matrix[:, 0])
    matrix[given, 0] = rng.integers(POINTS, size=given.sum())
    spread = al.ordinal_consensus(al.Labels.from_wide(matrix, classes=POINTS)).annotators.spread
    assert spread.argmax() == 0
    assert spread[0] > 1.5 * spread[1:].max()


def test_known_answers_show_a_shift_that_everybody_shares():
    matrix, truth = raters(seed=1, shifts=(1.0, 1.0, 1.0, 1.0), spread=0.4)
    labels = al.Labels.from_wide(matrix, classes=POINTS)
    known = np.where(np.arange(len(truth)) < 200, truth, -1)
    blind, told = al.ordinal_consensus(labels), al.ordinal_consensus(labels, known=known)
    rest = slice(200, None)
    assert error(told.label[rest], truth[rest]) < 0.6 * error(blind.label[rest], truth[rest])
    assert np.array_equal(told.label[:200], truth[:200])
    assert (told.annotators.shift > 0.4).all()


def test_a_model_is_a_prior():
    matrix, truth = raters(seed=2, each=1)
    labels = al.Labels.from_wide(matrix, classes=POINTS)
    probs = np.exp(-((np.arange(POINTS) - truth[:, None]) ** 2) / 1.5)
    probs /= probs.sum(axis=1, keepdims=True)
    with_model = al.ordinal_consensus(labels, probs)
    assert error(with_model.label, truth) < error(al.ordinal_consensus(labels).label, truth) - 0.1


def who_say_what_is_usual(seed, each, n=100, people=12):
    """Ratings of people who say the middle of the scale half of the time, and a model that knows no more."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(POINTS, size=n)
    matrix = np.full((n, people), np.nan)
    for i in range(n):
        who = rng.choice(people, each, replace=False)
        heard = np.clip(truth[i] + np.rint(0.7 * rng.standard_normal(each)), 0, POINTS - 1)
        matrix[i, who] = np.where(rng.random(each) < 0.5, heard, POINTS // 2)
    labels = al.Labels.from_wide(matrix, classes=POINTS)
    share = np.bincount(labels.label, minlength=POINTS) / labels.n_labels
    probs = (share + 0.02) * np.exp(1.5 * rng.standard_normal((n, POINTS)))
    return labels, probs / probs.sum(axis=1, keepdims=True), truth


def test_a_model_of_few_examples_that_knows_nothing_costs_little():
    worse, apart = [], []
    for seed in range(4):
        labels, probs, truth = who_say_what_is_usual(seed, each=2)
        without, told = al.ordinal_consensus(labels), al.ordinal_consensus(labels, probs)
        worse.append(error(told.label, truth) - error(without.label, truth))
        apart.append(told.expected_loss.mean() - error(told.label, truth))
        apart.append(without.expected_loss.mean() - error(without.label, truth))
    assert np.mean(worse) < 0.06
    assert np.abs(np.mean(apart)) < 0.06


@pytest.mark.parametrize("each", [3, 5])
def test_what_is_stated_is_true(each):
    matrix, truth = raters(seed=each, n=1500, each=each, shifts=(-0.8, -0.4, 0.0, 0.0, 0.4, 0.8))
    consensus = al.ordinal_consensus(al.Labels.from_wide(matrix, classes=POINTS), loss="zero_one")
    assert consensus.quality.mean() == pytest.approx((consensus.label == truth).mean(), abs=0.05)
    inside = (consensus.low.astype(int) <= truth) & (truth <= consensus.high.astype(int))
    assert inside.mean() > 0.85


def test_two_labels_an_example_are_not_believed_too_much():
    # What real crowds share two labels cannot show, so that independent annotators are believed too little.
    matrix, truth = raters(seed=2, n=1500, each=2)
    consensus = al.ordinal_consensus(al.Labels.from_wide(matrix, classes=POINTS), loss="zero_one")
    right = (consensus.label == truth).mean()
    assert right - 0.15 < consensus.quality.mean() < right + 0.05


# ------------------------------------------------------------------ decisions


@pytest.mark.parametrize(
    ("loss", "cost"),
    [
        ("absolute", lambda d: np.abs(d)),
        ("quadratic", lambda d: d**2),
        ("zero_one", lambda d: (d != 0).astype(float)),
    ],
)
def test_the_label_is_the_one_with_the_least_expected_loss(loss, cost):
    matrix, _ = raters(n=150, each=2)
    scale = np.array([1, 2, 4, 8, 16])
    labels = al.Labels.from_wide(scale[np.nan_to_num(matrix).astype(int)], classes=scale)
    consensus = al.ordinal_consensus(labels, loss=loss)
    expected = consensus.posterior @ cost(scale[:, None] - scale)
    assert consensus.expected_loss == pytest.approx(expected.min(axis=1), abs=1e-9)
    assert expected[np.arange(150), consensus.label] == pytest.approx(expected.min(axis=1), abs=1e-6)
    assert consensus.mean == pytest.approx(consensus.posterior @ scale, abs=1e-9)


def test_losses_differ_where_the_posterior_is_skewed():
    matrix, _ = raters(n=400, each=2, spread=1.2)
    labels = al.Labels.from_wide(matrix, classes=POINTS)
    found = {loss: al.ordinal_consensus(labels, loss=loss) for loss in ("absolute", "quadratic", "zero_one")}
    assert len({one.label.tobytes() for one in found.values()}) == 3
    for one in found.values():
        assert np.array_equal(one.posterior, found["absolute"].posterior)


def test_unlabelled_examples_have_no_consensus_and_files_have_the_columns():
    labels = al.Labels.from_wide([[1, 2, 1], [5, 4, 5], [None, None, None]], classes=[1, 2, 3, 4, 5])
    consensus = al.ordinal_consensus(labels)
    assert consensus.label_ids.tolist() == [1, 5, None]
    assert np.isnan(consensus.mean[2])
    assert consensus.low[2] is None
    columns = consensus.to_dict()
    assert list(columns)[-4:] == ["mean", "low", "high", "expected_loss"]
    assert {len(values) for values in columns.values()} == {2}
    assert list(consensus.annotators.to_dict())[-2:] == ["shift", "spread"]


def test_annotators_without_labels_have_no_shift():
    labels = al.Labels([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 2], examples=2, annotators=3, classes=3)
    table = al.ordinal_consensus(labels).annotators
    assert np.isnan(table.shift).tolist() == np.isnan(table.spread).tolist() == [False, False, True]


# ------------------------------------------------------------------ invariants

ratings = st.integers(2, 6).flatmap(
    lambda points: st.tuples(
        st.just(points),
        st.lists(
            st.lists(st.one_of(st.none(), st.integers(0, points - 1)), min_size=3, max_size=3),
            min_size=2,
            max_size=12,
        ),
    )
)


@settings(deadline=None, max_examples=25)
@given(ratings)
def test_turning_the_scale_round_turns_the_consensus_round(table):
    points, rows = table
    forward = al.Labels.from_wide(np.array(rows, dtype=object), classes=points)
    back = al.Labels.from_wide(
        np.array([[None if x is None else points - 1 - x for x in row] for row in rows], dtype=object),
        classes=points,
    )
    one, other = al.ordinal_consensus(forward), al.ordinal_consensus(back)
    np.testing.assert_allclose(one.posterior, other.posterior[:, ::-1], atol=1e-6)
    np.testing.assert_allclose(one.annotators.shift, -other.annotators.shift, atol=1e-6)
    np.testing.assert_allclose(one.annotators.spread, other.annotators.spread, atol=1e-5)


def test_units_and_origin_of_the_scale_change_nothing_but_the_units():
    matrix, _ = raters(n=200)
    codes = np.nan_to_num(matrix, nan=-1).astype(int)

    def on(scale):
        table = np.array([[None if c < 0 else scale[c] for c in row] for row in codes], dtype=object)
        return al.ordinal_consensus(al.Labels.from_wide(table, classes=scale))

    plain, shifted = on([0, 1, 2, 3, 4]), on([-10, 0, 10, 20, 30])
    np.testing.assert_allclose(shifted.posterior, plain.posterior, atol=1e-9)
    np.testing.assert_allclose(shifted.annotators.shift, 10 * plain.annotators.shift, atol=1e-8)
    np.testing.assert_allclose(shifted.mean, 10 * plain.mean - 10, atol=1e-7)


def test_words_are_points_in_the_order_of_the_classes():
    words = ["poor", "fair", "good"]
    table = [["poor", "fair"], ["good", "good"], ["fair", "fair"], ["poor", "poor"], ["good", "fair"]]
    named = al.ordinal_consensus(al.Labels.from_wide(table, classes=words))
    numbered = al.ordinal_consensus(
        al.Labels.from_wide([[words.index(w) for w in row] for row in table], classes=3)
    )
    np.testing.assert_array_equal(named.posterior, numbered.posterior)
    assert not [note for note in named.notes if "order" in note]
    # In alphabetical order nobody may have meant it.
    (note,) = [n for n in al.ordinal_consensus(al.Labels.from_wide(table)).notes if "order" in n]
    assert "'fair' < 'good' < 'poor'" in note


def test_two_points_and_one_are_scales_too():
    two = al.Labels.from_wide([[0, 1], [1, 1], [0, 0]], classes=2)
    assert set(al.ordinal_consensus(two).label.tolist()) <= {0, 1}
    one = al.ordinal_consensus(al.Labels.from_wide([[0, 0]], classes=1))
    assert one.label.tolist() == [0]
    assert one.quality.tolist() == [1]


# ------------------------------------------------------------------ seams


def test_by_name_and_by_kind_it_is_the_same():
    matrix, _ = raters(n=100)
    labels = al.Labels.from_wide(matrix, classes=POINTS)
    expected = al.ordinal_consensus(labels).posterior
    for method in (CONSENSUS.get("ordinal"), KINDS.get("ordinal").method(), Ordinal("quadratic")):
        assert np.array_equal(method.estimate(labels, ()).posterior, expected)


def test_the_first_kind_is_single_choice_and_changes_nothing():
    matrix, _ = raters(n=100)
    labels = al.Labels.from_wide(matrix, classes=POINTS)
    kind = KINDS.get("single")
    assert np.array_equal(
        kind.method().estimate(labels, ()).posterior, al.bayesian_consensus(labels).posterior
    )
    assert [one.name for one in kind.agreement(labels, n_bootstrap=0)][-1] == "gwet_ac1"
    assert [one.name for one in KINDS.get("ordinal").agreement(labels, n_bootstrap=0)][-1].startswith(
        "gwet_ac2"
    )


@pytest.mark.parametrize(
    ("classes", "offered"),
    [
        ([1, 2, 3, 4, 5], True),
        ([-1, 0, 1], True),
        ([0, 1, 2], False),
        ([1, 2], False),
        (["1", "b", "c"], False),
    ],
)
def test_numbers_that_look_like_a_scale_earn_a_note(classes, offered):
    labels = al.Labels([0, 0], [0, 1], [0, 1], examples=1, annotators=2, classes=classes)
    assert bool(KINDS.get("single").check(labels)) == offered


def test_a_kind_of_ones_own():
    mine = Kind(
        "mine", lambda labels: (), ("zero_one",), lambda loss: CONSENSUS.get("majority_vote"), "entropy", list
    )
    assert KINDS.get(mine) is mine


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda labels: al.ordinal_consensus(labels, loss="squared"), "unknown loss 'squared'"),
        (lambda labels: KINDS.get("ordinal").method("cubic"), "unknown loss of ordinal answers"),
        (lambda labels: KINDS.get("ordinl"), "Did you mean 'ordinal'"),
        (lambda labels: KINDS.get("ordinal").check(al.Labels.from_wide([[0, 0]])), "at least two points"),
        (lambda labels: al.ordinal_consensus(labels, [[1.0]]), "pred_probs"),
        (
            lambda labels: al.ordinal_consensus(
                al.Labels([0], [0], [0], examples=1, annotators=5000, classes=100)
            ),
            "a scale of 100 points is too fine for 5,000 annotators",
        ),
    ],
)
def test_bad_input(wrong, message):
    with pytest.raises(al.InputError, match=message):
        wrong(al.Labels.from_wide([[0, 1], [1, 1]], classes=3))


# ------------------------------------------------------------------ what to ask next


def test_expected_loss_asks_where_the_consensus_may_be_furthest_off():
    rows = [[0, 4], [1, 2], [2, 2], [4, 4], [0, 0], [3, 3]] + [[k, k] for k in range(5)] * 4
    labels = al.Labels.from_wide(rows, classes=POINTS)
    flat = np.full((len(rows), POINTS), 1 / POINTS)
    by_loss = al.suggest(labels, flat, 2, "expected_loss")
    assert by_loss.examples.tolist() == [0, 1]
    loss = al.ordinal_consensus(labels, flat).expected_loss
    assert by_loss.score == pytest.approx(-loss[:2], abs=1e-12)
    assert by_loss.consensus_label.tolist() == al.ordinal_consensus(labels, flat).label_ids[:2].tolist()


def test_a_learner_asks_by_expected_loss():
    from sklearn.linear_model import LogisticRegression

    matrix, truth = raters(n=80, each=2)
    matrix[40:] = np.nan
    labels = al.Labels.from_wide(matrix, classes=POINTS)
    X = truth[:, None] + np.random.default_rng(0).normal(0, 0.5, (80, 3))
    learner = al.ActiveLearner(LogisticRegression(), "expected_loss", seed=0)
    batch = learner.ask(X, labels, 5)
    assert len(batch) == 5
    assert str(al.Strategy("expected_loss")) == "expected_loss"
    assert al.Strategy("expected_loss").consensus == "ordinal"
