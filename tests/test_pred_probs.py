from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest

import activelab as al
from activelab.pred_probs import check_pred_probs

LABELS = al.Labels.from_records([("a", "ann", "cat"), ("b", "ann", "dog"), ("b", "bob", "dog")])
GOOD = np.array([[0.9, 0.1], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.9, 0.1], [np.nan, 0.8]], r"example 'b' of pred_probs holds NaN \(row 1, "),
        ([[1.1, -0.1], [0.2, 0.8]], r"holds 1.1; probabilities lie between 0 and 1 \(row 0, "),
        ([[0.9, 0.1], [-0.2, 1.2]], r"holds -0.2; .* \(row 1, "),
        ([[0.9, 0.1], [0.2, 0.7]], r"sums to 0.9, not to 1 within 0.001 \(row 1, "),
        ([[0.9, 0.1], [np.inf, 0.8]], r"holds inf; .* \(row 1, "),
        ([[0.9, 0.1]], "1 rows, the pool 2 examples"),
        ([[0.9, 0.05, 0.05], [0.2, 0.4, 0.4]], r"3 columns, the labels 2 classes \('cat', 'dog'\)"),
        ([0.9, 0.1], r"shape"),
        ([["x", "y"], ["x", "y"]], "numbers"),
        (np.zeros((0, 2, 2)), "no model"),
    ],
)
def test_bad_probabilities_are_named(rows, message):
    suggest = partial(al.suggest, batch_size=1)
    for call in (al.crowdlab, al.majority_vote, al.ActiveLab().score, suggest):
        with pytest.raises(al.InputError, match=message):
            call(LABELS, rows)


def test_the_model_of_an_ensemble_is_named():
    with pytest.raises(al.InputError, match="model 1: example"):
        al.crowdlab(LABELS, [GOOD, GOOD * 0.5])


@pytest.mark.parametrize("backend", [pd.DataFrame, pl.DataFrame])
def test_dataframes_are_aligned_by_id_and_class(backend):
    frame = backend({"dog": [0.8, 0.1], "example": ["b", "a"], "cat": [0.2, 0.9]})
    (model,) = check_pred_probs(frame, LABELS)
    np.testing.assert_array_equal(model, GOOD)
    (one, two) = check_pred_probs([frame, GOOD], LABELS)
    np.testing.assert_array_equal(one, two)


def test_integer_classes_may_be_integer_columns():
    labels = al.Labels.from_wide([[0, 1], [1, None]])
    np.testing.assert_array_equal(check_pred_probs(pd.DataFrame(GOOD), labels)[0], GOOD)
    named = pd.DataFrame({"example": [1, 0], 1: [0.8, 0.1], 0: [0.2, 0.9]})
    np.testing.assert_array_equal(check_pred_probs(named, labels)[0], GOOD)


def test_a_pandas_index_is_an_id():
    frame = pd.DataFrame({"cat": [0.2, 0.9], "dog": [0.8, 0.1]}, index=["b", "a"])
    np.testing.assert_array_equal(check_pred_probs(frame, LABELS)[0], GOOD)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"example": ["b"], "cat": [0.2], "dog": [0.8]}, "1 examples have no row in pred_probs: 'a'"),
        ({"example": ["a", "a"], "cat": [0.2] * 2, "dog": [0.8] * 2}, "duplicated example ids: 'a'"),
        ({"example": ["a", "b"], "cat": [1.0] * 2}, "no column for class 'dog'"),
        ({"example": ["a", "b"], "cat": [1.0] * 2, "dog": [0.0] * 2, "fox": [0.0] * 2}, "no class .* 'fox'"),
        ({"example": ["a", "b"], "cat": ["x", "y"], "dog": [0.0] * 2}, "not numbers"),
        (
            {"id": ["a", "b"], "task": [1, 2], "cat": [1.0] * 2, "dog": [0.0] * 2},
            "'id', 'task' could each be",
        ),
    ],
)
def test_bad_frames_are_named(frame, message):
    with pytest.raises(al.InputError, match=message):
        al.crowdlab(LABELS, pd.DataFrame(frame))


@pytest.mark.parametrize("consensus", [al.crowdlab, al.bayesian_consensus, al.majority_vote])
def test_a_consensus_takes_examples_only_the_frame_has_into_the_pool(consensus):
    frame = pd.DataFrame({"example": ["c", "b", "a"], "cat": [0.5, 0.2, 0.9], "dog": [0.5, 0.8, 0.1]})
    result = consensus(LABELS, frame)
    assert result.labels.examples.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(result.label, [0, 1, -1])
    known = consensus(LABELS, frame[1:])
    np.testing.assert_array_equal(result.quality[:2], known.quality)


def test_where_the_result_has_no_labels_further_examples_are_refused():
    frame = pd.DataFrame({"example": ["a", "b", "c"], "cat": [0.5, 0.2, 0.9], "dog": [0.5, 0.8, 0.1]})
    with pytest.raises(al.InputError, match=r"not in the pool: 'c'\. Use labels.with_examples"):
        al.ActiveLab().score(LABELS, frame)


@pytest.mark.parametrize("name", ["id", "Task ID", "item_id", "index"])
@pytest.mark.parametrize("backend", [pd.DataFrame, pl.DataFrame])
def test_the_column_of_ids_may_be_called_as_on_the_command_line(backend, name):
    frame = backend({"dog": [0.8, 0.1], name: ["b", "a"], "cat": [0.2, 0.9]})
    np.testing.assert_array_equal(check_pred_probs(frame, LABELS)[0], GOOD)


def test_a_class_is_never_taken_for_ids():
    labels = al.Labels.from_records([("a", "ann", "question"), ("b", "ann", "text")])
    frame = pd.DataFrame({"text": [0.1, 0.8], "question": [0.9, 0.2]})
    np.testing.assert_array_equal(check_pred_probs(frame, labels)[0], GOOD)


def test_an_index_cut_out_of_a_plain_range_or_turned_round_is_one_of_ids():
    labels = al.Labels.from_wide([[0, 1], [1, None], [0, 0]])
    frame = pd.DataFrame([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    np.testing.assert_array_equal(check_pred_probs(frame[::-1], labels)[0], frame.to_numpy())
    with pytest.raises(al.InputError, match="1 examples have no row in pred_probs: 0"):
        check_pred_probs(frame[1:], labels)


def test_suggest_takes_examples_only_the_frame_has_into_the_pool():
    frame = pd.DataFrame({"example": ["c", "b", "a"], "cat": [0.5, 0.2, 0.9], "dog": [0.5, 0.8, 0.1]})
    batch = al.suggest(LABELS, frame, batch_size=3)
    assert sorted(batch.examples.tolist()) == ["a", "b", "c"]
    assert batch.kind[batch.examples.tolist().index("c")] == "new"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_any_floating_type(dtype):
    scores = al.ActiveLab().score(LABELS, GOOD.astype(dtype))
    np.testing.assert_allclose(scores, al.ActiveLab().score(LABELS, GOOD), atol=2e-3)
    assert scores.dtype == np.float64


def test_integer_and_boolean_probabilities():
    assert al.ActiveLab().score(LABELS, [[1, 0], [0, 1]]).shape == (2,)
