"""Agreement coefficients against other libraries, published values and the definitions."""

from __future__ import annotations

import itertools
import math

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from activelab import InputError, Labels
from activelab.agreement import (
    agreement_statistics,
    cohen_kappa_matrix,
    fleiss_kappa,
    gwet_ac1,
    gwet_ac2,
    krippendorff_alpha,
)

NAN = np.nan

# K. L. Gwet, Handbook of Inter-Rater Reliability (2014), p. 120: 12 subjects, 4 raters, 5 categories.
# Its coefficients as R's irrCAC (Gwet's own package) publishes them.
GWET = np.array(
    [
        [1, 1, NAN, 1],
        [2, 2, 3, 2],
        [3, 3, 3, 3],
        [3, 3, 3, 3],
        [2, 2, 2, 2],
        [1, 2, 3, 4],
        [4, 4, 4, 4],
        [1, 1, 2, 1],
        [2, 2, 2, 2],
        [NAN, 5, 5, 5],
        [NAN, NAN, 1, 1],
        [NAN, NAN, 3, NAN],
    ]
)


def crowd(n_examples, n_annotators, n_classes, counts, accuracy=0.7, seed=0):
    """Labels of a simulated crowd; ``counts`` labels an example, by distinct annotators."""
    rng = np.random.default_rng(seed)
    counts = np.broadcast_to(counts, n_examples)
    example = np.repeat(np.arange(n_examples), counts)
    within = np.arange(len(example)) - np.repeat(np.cumsum(counts) - counts, counts)
    annotator = (np.repeat(rng.integers(n_annotators, size=n_examples), counts) + within) % n_annotators
    right = rng.random(len(example)) < accuracy
    label = np.where(right, example % n_classes, rng.integers(n_classes, size=len(example)))
    return Labels(example, annotator, label, examples=n_examples, annotators=n_annotators, classes=n_classes)


def votes_of(labels):
    votes = np.zeros((labels.n_examples, labels.n_classes))
    np.add.at(votes, (labels.example, labels.label), 1)
    return votes


def by_definition(votes):
    """Alpha from the coincidence matrix, kappa and AC1 pair by pair, as the papers define them."""
    n_classes = votes.shape[1]
    coincidence = np.zeros((n_classes, n_classes))
    agreements, shares = [], []
    for row in votes[votes.sum(axis=1) > 0]:
        cast = [k for k in range(n_classes) for _ in range(int(row[k]))]
        shares.append(row / len(cast))
        if len(cast) < 2:
            continue
        pairs = list(itertools.permutations(cast, 2))
        agreements.append(np.mean([one == other for one, other in pairs]))
        for one, other in pairs:
            coincidence[one, other] += 1 / (len(cast) - 1)
    margin = coincidence.sum(axis=0)
    chance = (margin.sum() ** 2 - (margin**2).sum()) / (margin.sum() - 1)
    alpha = 1 - (coincidence.sum() - np.trace(coincidence)) / chance
    observed, share = np.mean(agreements), np.mean(shares, axis=0)
    kappa = (observed - (share**2).sum()) / (1 - (share**2).sum())
    by_accident = (share * (1 - share)).sum() / (n_classes - 1)
    return alpha, kappa, (observed - by_accident) / (1 - by_accident)


def values(labels):
    return [one.value for one in agreement_statistics(labels, n_bootstrap=0)]


# ------------------------------------------------------------------ values


def test_published_example():
    alpha, kappa, ac1 = agreement_statistics(Labels.from_wide(GWET))
    assert [alpha.name, kappa.name, ac1.name] == ["krippendorff_alpha", "fleiss_kappa", "gwet_ac1"]
    assert alpha.value == pytest.approx(0.74342, abs=5e-6)
    assert kappa.value == pytest.approx(0.76117, abs=5e-6)
    assert ac1.value == pytest.approx(0.77544, abs=5e-6)
    for one in (alpha, kappa, ac1):
        assert (one.n_items, one.n_labels, one.note, one.estimable) == (11, 40, "", True)
        assert one.low < one.value < one.high <= 1


@pytest.mark.parametrize("seed", range(5))
def test_libraries_and_definitions(seed):
    rng = np.random.default_rng(seed)
    labels = crowd(60, 12, 4, rng.integers(0, 7, size=60), seed=seed)
    votes = votes_of(labels)
    assert values(labels) == pytest.approx(by_definition(votes), abs=1e-12)
    oracle = krippendorff.alpha(value_counts=votes.astype(int), level_of_measurement="nominal")
    assert krippendorff_alpha(labels).value == pytest.approx(oracle, abs=1e-12)


# What irrCAC 0.4.4, the Python edition of Gwet's package, computes of the same table, by weights.
IRRCAC = {
    "gwet_ac2": {"linear": 0.858739136433, "quadratic": 0.914000723552, "ordinal": 0.898939769908},
    "fleiss_kappa": {"linear": 0.817944767097, "quadratic": 0.864935064935, "ordinal": 0.850206189397},
}


@pytest.mark.parametrize("function", [gwet_ac2, fleiss_kappa])
@pytest.mark.parametrize("weights", ["linear", "quadratic", "ordinal"])
def test_weights_equal_irrcac(function, weights):
    found = function(Labels.from_wide(GWET), weights=weights, n_bootstrap=200)
    assert found.value == pytest.approx(IRRCAC[function.__name__][weights], abs=1e-9)
    assert found.name == f"{function.__name__}_{weights}"
    assert found.low < found.value < found.high <= 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("level", ["ordinal", "interval"])
def test_alpha_on_a_scale_equals_krippendorff(level, seed):
    rng = np.random.default_rng(seed)
    labels = crowd(60, 12, 6, rng.integers(0, 7, size=60), seed=seed)
    # Uneven, and in no order: where a number lies does not depend on its column.
    scale = [2, 7, 1, 4, 11, 3]
    named = labels.with_classes(6)
    named = Labels(named.example, named.annotator, named.label, examples=60, annotators=12, classes=scale)
    order = np.argsort(scale)
    oracle = krippendorff.alpha(
        value_counts=votes_of(named)[:, order].astype(int),
        value_domain=sorted(scale),
        level_of_measurement=level,
    )
    assert krippendorff_alpha(named, level=level).value == pytest.approx(oracle, abs=1e-9)


def test_a_scale_has_its_own_coefficients():
    labels = Labels.from_wide(GWET)
    options = {"n_bootstrap": 50, "confidence": 0.8, "seed": 3}
    found = agreement_statistics(labels, scale=True, **options)
    assert found == [
        krippendorff_alpha(labels, level="ordinal", **options),
        krippendorff_alpha(labels, level="interval", **options),
        fleiss_kappa(labels, weights="linear", **options),
        fleiss_kappa(labels, weights="quadratic", **options),
        gwet_ac2(labels, weights="linear", **options),
        gwet_ac2(labels, weights="quadratic", **options),
    ]
    assert len({one.name for one in found}) == len(found)


def test_words_lie_one_step_apart_in_the_order_given():
    words = ["low", "middle", "high"]
    named = Labels.from_wide(np.array([["low", "middle"], ["high", "high"], ["low", "low"]]), classes=words)
    numbered = Labels.from_wide(np.array([[1, 2], [3, 3], [1, 1]]), classes=[1, 2, 3])
    for one, other in zip(*(agreement_statistics(x, scale=True) for x in (named, numbered)), strict=True):
        assert one == other


def test_two_classes_are_a_scale_on_which_weights_change_nothing():
    labels = crowd(80, 10, 2, 3)
    alpha, kappa, ac1 = values(labels)
    expected = [alpha, alpha, kappa, kappa, ac1, ac1]
    found = [one.value for one in agreement_statistics(labels, scale=True, n_bootstrap=0)]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda labels: krippendorff_alpha(labels, level="ratio"),
        lambda labels: fleiss_kappa(labels, weights="squared"),
        lambda labels: gwet_ac2(labels, weights="quadratc"),
        lambda labels: cohen_kappa_matrix(labels, weights="ordinal"),
    ],
)
def test_unknown_levels_and_weights(wrong):
    with pytest.raises(InputError, match=r"Known: (linear|nominal)"):
        wrong(Labels.from_wide(GWET))


@pytest.mark.parametrize("n_raters", [2, 3, 8])
def test_fleiss_is_the_original_on_equal_counts(n_raters):
    labels = crowd(80, 10, 3, n_raters)
    assert fleiss_kappa(labels).value == pytest.approx(statsmodels_fleiss(votes_of(labels)), abs=1e-12)


def test_functions_are_the_entries_of_the_list():
    labels = Labels.from_wide(GWET)
    options = {"n_bootstrap": 50, "confidence": 0.8, "seed": 3}
    functions = (krippendorff_alpha, fleiss_kappa, gwet_ac1)
    assert [f(labels, **options) for f in functions] == agreement_statistics(labels, **options)


def test_an_unused_class_counts_for_ac1_only():
    labels = Labels.from_wide(GWET)
    more = labels.with_classes([1, 2, 3, 4, 5, 6])
    assert values(more)[:2] == pytest.approx(values(labels)[:2], abs=1e-15)
    assert values(more)[2] > values(labels)[2]


def test_singly_labelled_examples_leave_alpha_alone():
    labels = Labels.from_wide(GWET)
    without = labels.select(labels.counts != 1)
    alpha, kappa, _ = agreement_statistics(labels)
    alpha_without, kappa_without, _ = agreement_statistics(without)
    assert alpha.value == alpha_without.value
    assert kappa.value != kappa_without.value
    assert kappa.n_items == kappa_without.n_items


tables = st.integers(2, 4).flatmap(
    lambda n_classes: st.lists(
        st.lists(st.one_of(st.none(), st.integers(0, n_classes - 1)), min_size=4, max_size=4),
        min_size=2,
        max_size=12,
    ).map(lambda rows: (np.array(rows, dtype=float), n_classes))
)


@settings(deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_order_of_examples_annotators_and_classes_does_not_matter(table, random):
    matrix, n_classes = table
    rows, columns, classes = (random.sample(range(n), n) for n in (*matrix.shape, n_classes))
    renamed = np.where(np.isnan(matrix), NAN, np.array(classes)[np.nan_to_num(matrix).astype(int)])
    options = {"n_bootstrap": 20}
    one = agreement_statistics(Labels.from_wide(matrix, classes=n_classes), **options)
    moved = Labels.from_wide(matrix[rows][:, columns], classes=n_classes)
    # Same patterns, same draws: the interval is identical too.
    assert repr(agreement_statistics(moved, **options)) == repr(one)
    other = agreement_statistics(Labels.from_wide(renamed, classes=n_classes), **options)
    expected = [x.value for x in one]
    assert [x.value for x in other] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(tables)
def test_never_above_one_and_never_a_silent_nan(table):
    matrix, n_classes = table
    for one in agreement_statistics(Labels.from_wide(matrix, classes=n_classes), n_bootstrap=20):
        assert one.estimable == (not math.isnan(one.value))
        if not (one.estimable and one.low <= one.high):
            assert one.note
            assert math.isnan(one.low)
            assert math.isnan(one.high)
        else:
            assert one.high <= 1
            assert one.value <= 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(2, 4)), min_size=2, max_size=10))
def test_perfect_agreement_is_one(examples):
    matrix = np.array([[c] * n + [NAN] * (4 - n) for c, n in examples])
    for one in agreement_statistics(Labels.from_wide(matrix, classes=3), n_bootstrap=20):
        if len({c for c, _ in examples}) > 1 or one.name == "gwet_ac1":
            assert one.value == 1
            assert one.low == one.high == 1 or one.note
        else:
            assert not one.estimable


# ------------------------------------------------------------------ what cannot be estimated


@pytest.mark.parametrize(
    ("matrix", "classes", "notes"),
    [
        ([[0, NAN], [NAN, 1]], 2, ["no example has two labels"] * 3),
        ([[NAN, NAN]], 2, ["no example has two labels"] * 3),
        (
            [[0, 0], [0, 0]],
            2,
            ["the examples with two labels or more use only one class", "only one class", ""],
        ),
        ([[0, 0], [0, 0]], 1, ["use only one class", "only one class", ""]),
        ([[0, 0], [0, 0], [1, NAN]], 2, ["use only one class", "", ""]),
    ],
)
def test_not_estimable(matrix, classes, notes):
    results = agreement_statistics(Labels.from_wide(np.array(matrix), classes=classes), n_bootstrap=50)
    for one, note in zip(results, notes, strict=True):
        assert one.estimable == (not note)
        assert note in one.note
        assert math.isnan(one.low) == math.isnan(one.value)


def test_empty_table():
    labels = Labels([], [], [], examples=0, annotators=0, classes=0)
    assert not any(one.estimable for one in agreement_statistics(labels))
    assert len(cohen_kappa_matrix(labels)) == 0


def test_notes_on_the_interval():
    labels = Labels.from_wide(np.array([[0, 0], [1, 1], [1, 1]]))
    alpha, _, ac1 = agreement_statistics(labels, n_bootstrap=200)
    assert "of 200 resamples left out" in alpha.note
    assert (alpha.low, alpha.high) == (1, 1)
    assert not ac1.note
    (alone, *_) = agreement_statistics(Labels.from_wide(np.array([[0, 1, 1]])))
    assert alone.estimable
    assert math.isnan(alone.low)
    assert "only one example" in alone.note
    (none, *_) = agreement_statistics(labels, n_bootstrap=0)
    assert math.isnan(none.high)
    assert "n_bootstrap" in none.note


@pytest.mark.parametrize("options", [{"n_bootstrap": -1}, {"confidence": 0.0}, {"confidence": 1.0}])
def test_bad_options(options):
    (name,) = options
    with pytest.raises(InputError, match=name):
        agreement_statistics(Labels.from_wide(GWET), **options)


# ------------------------------------------------------------------ bootstrap


@pytest.mark.parametrize("n_examples", [150, 40])
def test_the_interval_is_that_of_a_bootstrap_over_examples(n_examples):
    labels = crowd(n_examples, 20, 3, np.random.default_rng(2).integers(1, 5, size=n_examples))
    votes = votes_of(labels)
    several = votes.sum(axis=1) > 1
    rng = np.random.default_rng(0)
    plain = [
        by_definition(np.concatenate([rng.choice(votes[part], part.sum()) for part in (several, ~several)]))
        for _ in range(800)
    ]
    bounds = np.quantile(plain, [0.025, 0.975], axis=0).T
    results = agreement_statistics(labels, n_bootstrap=4000)
    for one, (low, high) in zip(results, bounds, strict=True):
        assert one.low == pytest.approx(low, abs=0.1 * (high - low))
        assert one.high == pytest.approx(high, abs=0.1 * (high - low))


def test_chunks_do_not_change_the_interval(monkeypatch):
    labels = crowd(150, 20, 3, np.random.default_rng(2).integers(1, 5, size=150))
    whole = agreement_statistics(labels, n_bootstrap=500)
    monkeypatch.setattr("activelab.agreement._coefficients._CELLS_A_CHUNK", 100)
    for one, other in zip(agreement_statistics(labels, n_bootstrap=500), whole, strict=True):
        assert one.value == other.value
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.05)


def test_interval_narrows_and_is_reproducible():
    few, many = (krippendorff_alpha(crowd(n, 50, 4, 3)) for n in (100, 10_000))
    assert many.high - many.low < (few.high - few.low) / 5
    assert krippendorff_alpha(crowd(100, 50, 4, 3)) == few
    assert krippendorff_alpha(crowd(100, 50, 4, 3), seed=1) != few
    assert krippendorff_alpha(crowd(100, 50, 4, 3), confidence=0.5).low > few.low


# ------------------------------------------------------------------ pairs


def pair_by_definition(labels, one, other):
    """Shared examples, agreement and Cohen's kappa of two annotators (codes)."""
    given = []
    for annotator in (one, other):
        own = labels.annotator == annotator
        given.append(dict(zip(labels.example[own], labels.label[own], strict=True)))
    shared = sorted(given[0].keys() & given[1].keys())
    first, second = (np.array([g[e] for e in shared]) for g in given)
    if not shared:
        return 0, NAN, NAN
    agreement = np.mean(first == second)
    if len({*first, *second}) == 1:
        return len(shared), agreement, NAN
    return len(shared), agreement, cohen_kappa_score(first, second)


def test_pairs_equal_scikit_learn():
    labels = crowd(200, 9, 3, np.random.default_rng(0).integers(0, 5, size=200))
    pairs = cohen_kappa_matrix(labels)
    matrices = [pairs.to_matrix(value) for value in ("shared", "agreement", "kappa")]
    assert 0 < len(pairs) < 36
    for one, other in itertools.combinations(range(9), 2):
        shared, agreement, kappa = pair_by_definition(labels, one, other)
        expected = [shared or NAN, agreement, kappa]
        assert [m[one, other] for m in matrices] == pytest.approx(expected, abs=1e-12, nan_ok=True)
        assert [m[other, one] for m in matrices] == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert np.isnan(np.diag(matrices[0])).all()


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_weighted_pairs_equal_scikit_learn(weights):
    labels = crowd(150, 7, 5, np.random.default_rng(0).integers(0, 5, size=150), accuracy=0.3)
    pairs = cohen_kappa_matrix(labels, weights=weights)
    plain = cohen_kappa_matrix(labels)
    assert np.array_equal(pairs.agreement, plain.agreement)
    assert len(pairs) == len(plain) > 10
    for one, other, kappa in zip(pairs.first, pairs.second, pairs.kappa, strict=True):
        given = [
            dict(zip(labels.example[w], labels.label[w], strict=True))
            for w in (labels.annotator == one, labels.annotator == other)
        ]
        shared = sorted(given[0].keys() & given[1].keys())
        first, second = ([g[e] for e in shared] for g in given)
        oracle = cohen_kappa_score(first, second, weights=weights, labels=range(5))
        assert kappa == pytest.approx(oracle, abs=1e-12)


def test_pairs_many_annotators():
    # 20,000 labels by 2,000 annotators: two million pairs, of which only those that meet are held.
    labels = crowd(5000, 2000, 5, 4)
    pairs = cohen_kappa_matrix(labels)
    assert len(pairs) < 10_000
    assert pairs.shared.sum() == 5000 * 6
    for at in np.random.default_rng(0).choice(len(pairs), 200, replace=False):
        expected = pair_by_definition(labels, pairs.first[at], pairs.second[at])
        found = pairs.shared[at], pairs.agreement[at], pairs.kappa[at]
        assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_pairs_undefined_overlap_and_frame():
    matrix = np.array([[0, 0, NAN, 1], [0, 0, 1, NAN], [0, 0, 1, NAN]])
    labels = Labels.from_wide(matrix, annotators=["ann", "bob", "cy", "di"])
    pairs = cohen_kappa_matrix(labels)
    assert pairs.to_matrix("agreement")[0, 1] == 1
    assert np.isnan(pairs.to_matrix()[0, 1])
    assert pairs.to_matrix()[0, 2] == 0
    assert np.isnan(pairs.to_matrix("shared")[2, 3])
    frame = cohen_kappa_matrix(labels, min_overlap=2).to_frame()
    assert list(zip(frame["first"], frame["second"], frame["shared"], strict=True)) == [
        ("ann", "bob", 3),
        ("ann", "cy", 2),
        ("bob", "cy", 2),
    ]
    assert len(cohen_kappa_matrix(labels, min_overlap=4)) == 0
    with pytest.raises(InputError, match="min_overlap"):
        cohen_kappa_matrix(labels, 0)


@settings(deadline=None)
@given(tables, st.permutations(range(4)))
def test_pairs_do_not_depend_on_the_order_of_annotators(table, order):
    matrix, n_classes = table
    one = cohen_kappa_matrix(Labels.from_wide(matrix, classes=n_classes)).to_matrix()
    other = cohen_kappa_matrix(Labels.from_wide(matrix[:, order], classes=n_classes)).to_matrix()
    np.testing.assert_allclose(other, one[np.ix_(order, order)], atol=1e-12)
    assert (np.isnan(one) | (np.abs(one) <= 1)).all()
