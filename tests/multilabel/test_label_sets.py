"""LabelSets: construction, errors, and the questions an answer consists of."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activelab as al
from activelab import InputError, LabelSets

CLASSES = ["a", "b", "c"]


@st.composite
def answers(draw, partial=True):
    """Codes, marks and questions of some answers of a small team."""
    n_examples, n_annotators, n_classes = (draw(st.integers(1, most)) for most in (5, 4, 4))
    cells = draw(
        st.lists(
            st.tuples(st.integers(0, n_examples - 1), st.integers(0, n_annotators - 1)),
            unique=True,
            max_size=12,
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    asked = np.ones((len(cells), n_classes), dtype=bool)
    if partial and draw(st.booleans()):
        asked = rng.random(asked.shape) < 0.5
        asked[np.arange(len(cells)), rng.integers(n_classes, size=len(cells))] = True
    chosen = (rng.random(asked.shape) < 0.4) & asked
    return cells, chosen, asked, (n_examples, n_annotators, n_classes)


def built(case, order=slice(None)):
    cells, chosen, asked, (n_examples, n_annotators, n_classes) = case
    cells = [*np.array(cells, dtype=int).reshape(-1, 2)[order].tolist()]
    return LabelSets(
        [example for example, _ in cells],
        [annotator for _, annotator in cells],
        chosen[order],
        asked=asked[order],
        examples=n_examples,
        annotators=n_annotators,
        classes=n_classes,
    )


@given(answers(), st.randoms(use_true_random=False))
def test_the_order_of_the_answers_does_not_matter(case, random):
    order = list(range(len(case[0])))
    random.shuffle(order)
    assert built(case) == built(case, order)


@given(answers())
def test_pairs_hold_every_question_asked_and_nothing_else(case):
    cells, chosen, asked, (_, _, n_classes) = case
    pairs = built(case).pairs
    wanted = {
        (example * n_classes + c, annotator, int(chosen[row, c]))
        for row, (example, annotator) in enumerate(cells)
        for c in range(n_classes)
        if asked[row, c]
    }
    found = set(zip(pairs.example.tolist(), pairs.annotator.tolist(), pairs.label.tolist(), strict=True))
    assert found == wanted
    assert pairs.n_labels == len(wanted)
    assert pairs.classes.tolist() == [0, 1]
    assert pairs.n_examples == case[3][0] * n_classes


@given(answers())
def test_pairs_are_sorted_as_labels_are(case):
    pairs = built(case).pairs
    again = al.Labels(
        pairs.example,
        pairs.annotator,
        pairs.label,
        examples=pairs.n_examples,
        annotators=pairs.n_annotators,
        classes=2,
    )
    assert again == pairs


@given(answers())
def test_the_labels_of_a_class_are_its_pairs(case):
    sets = built(case)
    pairs, size = sets.pairs, sets.n_classes
    for code in range(size):
        column = sets.of_class(code)
        here = pairs.example % size == code
        assert column.example.tolist() == (pairs.example[here] // size).tolist()
        assert column.annotator.tolist() == pairs.annotator[here].tolist()
        assert column.label.tolist() == pairs.label[here].tolist()


@given(answers(partial=False))
def test_a_table_holds_what_it_was_made_from(case):
    sets = built(case)
    frame = sets.to_long()
    again = LabelSets.from_long(
        frame["example"],
        frame["annotator"],
        frame["label"],
        classes=sets.n_classes,
        examples=sets.n_examples,
    )
    assert again.chosen.tolist() == sets.chosen.tolist()
    assert again.offsets.tolist() == sets.offsets.tolist()


@given(answers())
def test_partial_answers_go_out_and_come_back(case):
    sets = built(case)
    frame = sets.to_long()
    asked = frame.get("asked")
    again = LabelSets.from_long(
        frame["example"],
        frame["annotator"],
        frame["label"],
        sets.n_classes,
        examples=sets.n_examples,
        asked=asked,
    )
    assert again.asked.tolist() == sets.asked.tolist()
    assert again.chosen.tolist() == sets.chosen.tolist()


@given(answers())
@settings(max_examples=30)
def test_answers_to_single_questions_become_one_answer(case):
    """Whoever is asked class by class has said the same as who is asked at once."""
    whole = built(case)
    cells, chosen, asked, (n_examples, n_annotators, n_classes) = case
    row, column = np.nonzero(asked)
    about = np.eye(n_classes, dtype=bool)[column]
    single = LabelSets(
        [cells[at][0] for at in row],
        [cells[at][1] for at in row],
        chosen[row] & about,
        asked=about,
        examples=n_examples,
        annotators=n_annotators,
        classes=n_classes,
    )
    assert single == whole


@given(answers())
def test_pickling_changes_nothing(case):
    sets = built(case)
    assert pickle.loads(pickle.dumps(sets)) == sets


def test_an_empty_set_is_an_answer_and_a_missing_cell_is_none():
    sets = LabelSets.from_lists([["a|b", None, set(), "|"], [float("nan"), "", ["c"], pd.NA]])
    assert sets.counts.tolist() == [3, 1]
    assert sets.label_sets == [("a", "b"), (), (), ("c",)]


def test_wide_tables_of_any_make():
    cells = [["a|b", None], ["|", "a"]]
    frame = pd.DataFrame(cells, index=["x", "y"], columns=["ann", "bob"])
    sets = LabelSets.from_wide(frame)
    assert sets.examples.tolist() == ["x", "y"]
    assert sets.annotators.tolist() == ["ann", "bob"]
    plain = LabelSets.from_wide(np.array(cells, dtype=object), examples=["x", "y"], annotators=["ann", "bob"])
    assert sets == plain == LabelSets.from_wide(cells, examples=["x", "y"], annotators=["ann", "bob"])


def test_a_table_and_its_labels_give_the_same():
    records = [("x", "ann", "a|b"), ("x", "bob", "b|a"), ("y", "ann", "|")]
    by_labels = LabelSets.from_labels(al.Labels.from_records(records), CLASSES)
    by_columns = LabelSets.from_long(*zip(*records, strict=True), CLASSES)
    assert by_labels == by_columns
    assert by_labels.label_sets == [("a", "b"), ("a", "b"), ()]


def test_classes_that_are_numbers_may_be_written_in_texts():
    sets = LabelSets.from_lists([["1|3", {2}]], classes=[1, 2, 3])
    assert sets.label_sets == [(1, 3), (2,)]


def test_later_answers_replace_earlier_ones_class_by_class():
    chosen = [[True, False], [False, True]]
    asked = [[True, True], [False, True]]
    codes = {"examples": 1, "annotators": 1, "classes": 2}
    last = LabelSets([0, 0], [0, 0], chosen, asked=asked, keep="last", **codes)
    assert last.chosen.tolist() == [[True, True]]
    first = LabelSets([0, 0], [0, 0], chosen, asked=asked, keep="first", **codes)
    assert first.chosen.tolist() == [[True, False]]


def test_tell_and_select():
    sets = LabelSets.from_lists([["a|b"], [None], ["b"]])
    more = sets.tell([1], annotator="new", label_sets=["b"], asked=["b"])
    assert more.n_annotators == 2
    assert more.asked.tolist() == [[True, True], [False, True], [True, True]]
    assert more.select([2, 1]).label_sets == [("b",), ("b",)]
    assert more.select(answers=more.annotator == 0).label_sets == sets.label_sets
    assert sets.with_examples([0, 1, 2, 9]).n_examples == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelSets.from_lists([["a|d"]], CLASSES), "label 'd' is not one of the 3 classes"),
        (lambda: LabelSets.from_lists([[set()]]), "no answer names a class. Give classes="),
        (lambda: LabelSets.from_long([0], [0, 1], ["a"]), "must have one length, got 1, 2, 1"),
        (lambda: LabelSets.from_long([0, 0], [0, 0], ["a", "b"]), "answered about an example more than once"),
        (lambda: LabelSets([0], [0], [[True]], examples=1, annotators=1, classes=2), "one column a class"),
        (
            lambda: LabelSets([3], [0], [[True]], examples=1, annotators=1, classes=1),
            "example code 3 is outside",
        ),
        (
            lambda: LabelSets([0], [0], [[2]], examples=1, annotators=1, classes=1),
            "chosen must hold booleans",
        ),
        (
            lambda: LabelSets([0], [0], [[1]], asked=[[0]], examples=1, annotators=1, classes=1),
            "class 0 is chosen in an answer that was not about it",
        ),
        (
            lambda: LabelSets([0], [0], [[0]], asked=[[0]], examples=1, annotators=1, classes=1),
            "about no class at all",
        ),
        (
            lambda: LabelSets([0], [0], [[1]], examples=1, annotators=1, classes=1, keep="both"),
            "keep must be 'error', 'first' or 'last'",
        ),
        (lambda: LabelSets.from_lists([[{"a|b"}]]).to_long(), "the name of class 'a|b' holds '|'"),
        (lambda: LabelSets.from_lists([["a"]]).select([5]), "unknown example ids: 5"),
        (
            lambda: LabelSets.from_lists([["a"]]).select(np.array([True, True])),
            "a mask of examples needs shape",
        ),
        (lambda: LabelSets.from_lists([["a"]]).select(answers=np.ones(3, bool)), "a mask of answers needs"),
        (lambda: LabelSets.from_lists([["a"]]).tell([0], annotator=1, label_sets=[]), "0 sets were given"),
    ],
)
def test_bad_input_is_told_what_is_wrong(make, message):
    with pytest.raises(InputError, match=message.replace("'|'", r"'\|'").replace("a|b", r"a\|b")):
        make()
