"""Agreement of sets, against nltk and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.metrics.agreement import AnnotationTask
from nltk.metrics.distance import jaccard_distance, masi_distance

import activelab as al
from activelab import InputError, LabelSets
from activelab.agreement import alphas_by_distance, gwet_ac1, krippendorff_alpha
from activelab.multilabel import set_agreement

SETS = st.sets(st.sampled_from("abcd"), min_size=1)


def by_name(sets, **options):
    return {one.name: one for one in set_agreement(sets, **{"n_bootstrap": 0} | options)}


@given(st.lists(st.lists(SETS, min_size=2, max_size=4), min_size=2, max_size=8))
@settings(max_examples=40, deadline=None)
def test_alpha_of_sets_is_that_of_nltk(answers):
    data = [
        (f"ann{j}", f"x{i}", frozenset(one)) for i, row in enumerate(answers) for j, one in enumerate(row)
    ]
    found = by_name(LabelSets.from_lists(answers, list("abcd")))
    for name, distance in (("masi", masi_distance), ("jaccard", jaccard_distance)):
        value = found[f"krippendorff_alpha_{name}"].value
        if len({one for _, _, one in data}) == 1:
            assert np.isnan(value)
            continue
        assert value == pytest.approx(AnnotationTask(data, distance=distance).alpha(), abs=1e-6)


def test_empty_sets_agree_with_each_other_and_with_nothing_else():
    sets = LabelSets.from_lists([["|", "|"], ["a", "a"], ["|", "a"]])
    found = by_name(sets)
    # Observed: one of three pairs disagrees. Expected: 9 of the 15 pairs of six answers.
    assert found["krippendorff_alpha_jaccard"].value == pytest.approx(1 - (1 / 3) / (9 / 15))
    assert found["krippendorff_alpha_masi"].value == pytest.approx(1 - (1 / 3) / (9 / 15))


def test_each_class_has_the_agreement_of_its_yes_and_no():
    rng = np.random.default_rng(0)
    sets = LabelSets(
        np.repeat(np.arange(30), 3),
        np.tile(np.arange(3), 30),
        rng.random((90, 2)) < 0.4,
        examples=30,
        annotators=3,
        classes=["a", "b"],
    )
    found = by_name(sets, n_bootstrap=50)
    for code, name in enumerate("ab"):
        labels = sets.of_class(code)
        assert found[f"krippendorff_alpha of {name}"].value == krippendorff_alpha(labels).value
        assert found[f"gwet_ac1 of {name}"].value == gwet_ac1(labels).value
    assert found["krippendorff_alpha_masi"].low < found["krippendorff_alpha_masi"].high


def test_partial_answers_count_for_their_classes_alone():
    whole = LabelSets.from_lists([["a|b", "a"], ["b", "b"], ["a", None]])
    more = whole.tell([2], annotator=1, label_sets=["a"], asked=["a"])
    before, after = by_name(whole), by_name(more)
    assert after["krippendorff_alpha_masi"].value == before["krippendorff_alpha_masi"].value
    assert after["krippendorff_alpha of a"].n_items == before["krippendorff_alpha of a"].n_items + 1
    assert after["krippendorff_alpha of b"].n_items == before["krippendorff_alpha of b"].n_items


@pytest.mark.parametrize(
    ("distance", "message"),
    [
        ([[0, 1]], "needs shape"),
        ([[0, 1], [0.5, 0]], "must be symmetric"),
        ([[1, 1], [1, 0]], "diagonal of 0"),
    ],
)
def test_distances_are_checked(distance, message):
    labels = al.Labels.from_wide([[0, 1], [1, 1]])
    with pytest.raises(InputError, match=message):
        alphas_by_distance(labels, {"mine": distance})


def test_a_nominal_distance_gives_the_nominal_alpha():
    labels = al.Labels.from_wide([[0, 1, 2], [1, 1, 2], [0, 0, 0], [2, 2, 1]])
    [one] = alphas_by_distance(labels, {"mine": 1 - np.eye(3)}, n_bootstrap=0)
    assert one.value == pytest.approx(krippendorff_alpha(labels, n_bootstrap=0).value)
