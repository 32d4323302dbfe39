from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activelab import InputError, Labels

TABLE = {
    "example": ["b", "a", "a", "c"],
    "annotator": [7, 7, 3, 3],
    "label": ["dog", "cat", "cat", "dog"],
}
EXPECTED = [("a", 3, "cat"), ("a", 7, "cat"), ("b", 7, "dog"), ("c", 3, "dog")]


def records(labels):
    return [tuple(row) for row in labels.to_long().itertuples(index=False)]


@pytest.mark.parametrize(
    "make",
    [
        dict,
        pd.DataFrame,
        pl.DataFrame,
        pl.LazyFrame,
        pa.table,
        lambda t: pd.DataFrame(t).convert_dtypes(),
        lambda t: pd.DataFrame(t).astype("category"),
        lambda t: pl.DataFrame(t).with_columns(pl.col("label").cast(pl.Categorical)),
        lambda t: pd.DataFrame(t).set_index(pd.Index([9, 8, 7, 6])),
        lambda t: pd.DataFrame(t | {"annotator": [7.0, 7.0, 3.0, 3.0], "other": 0}),
    ],
)
def test_from_long_reads_any_table(make):
    assert records(Labels.from_long(make(TABLE))) == EXPECTED


def test_from_long_column_names_and_records():
    renamed = pd.DataFrame(TABLE).rename(columns={"example": "task", "label": "y"})
    labels = Labels.from_long(renamed, example="task", label="y")
    rows = list(zip(*TABLE.values(), strict=True))
    assert labels == Labels.from_records(rows)
    assert labels == Labels.from_records([dict(zip(TABLE, row, strict=True)) for row in rows])
    assert labels == Labels.from_records(iter(rows))


@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical(TABLE["label"], ["fox", "dog", "cat"]),
        pd.Categorical(TABLE["label"], ["fox", "dog", "cat"], ordered=True),
    ],
)
def test_categories_are_the_vocabulary(column):
    labels = Labels.from_long(pd.DataFrame(TABLE).assign(label=column))
    assert labels.classes.tolist() == ["fox", "dog", "cat"]
    assert records(labels) == EXPECTED
    enum = pl.DataFrame(TABLE).with_columns(pl.col("label").cast(pl.Enum(["fox", "dog", "cat"])))
    assert Labels.from_long(enum) == labels


@pytest.mark.parametrize(
    "matrix",
    [
        np.array([[1, np.nan], [0, 2], [np.nan, np.nan]]),
        [[1, None], [0, 2], [None, None]],
        np.array([[1, None], [0, 2], [None, None]], dtype=object),
        np.ma.masked_array([[1, 9], [0, 2], [9, 9]], [[0, 1], [0, 0], [1, 1]]),
        pd.DataFrame({0: [1, 0, None], 1: [None, 2, None]}),
        pd.DataFrame({0: [1, 0, None], 1: [None, 2, None]}, dtype="Int64"),
    ],
)
def test_from_wide_reads_any_missing_value(matrix):
    labels = Labels.from_wide(matrix)
    assert records(labels) == [(0, 0, 1), (1, 0, 0), (1, 1, 2)]
    assert labels.counts.tolist() == [1, 2, 0]
    assert labels.labelled.tolist() == [True, True, False]


def test_from_wide_keeps_the_ids_of_a_dataframe():
    frame = pd.DataFrame({"ann": ["x", None], "bob": [None, "y"]}, index=["e1", "e2"])
    labels = Labels.from_wide(frame)
    assert records(labels) == [("e1", "ann", "x"), ("e2", "bob", "y")]
    polars = Labels.from_wide(pl.DataFrame({"ann": ["x", None], "bob": [None, "y"]}))
    assert polars.annotators.tolist() == ["ann", "bob"]
    assert Labels.from_wide(labels.to_wide()) == labels
    assert Labels.from_wide(np.array([[0, 1], [1, 1]])).n_labels == 4


def test_a_class_nobody_used_counts():
    labels = Labels.from_long(TABLE, classes=["cat", "dog", "fox"], examples=["a", "b", "c", "d"])
    assert labels.n_classes == 3
    assert labels.n_examples == 4
    assert repr(labels) == (
        "Labels(4 labels, 4 examples (1 without labels), 2 annotators, 3 classes: 'cat', 'dog', 'fox')"
    )


@pytest.mark.parametrize(("keep", "label"), [("first", "cat"), ("last", "dog")])
def test_repeated_pairs(keep, label):
    repeated = {name: [*values, values[1]] for name, values in TABLE.items()}
    repeated["label"][-1] = "dog"
    with pytest.raises(
        InputError,
        match=r"annotator 7 labelled example 'a' .* \(rows 1 and 4, counted from 0\)\. Pass keep='last'",
    ):
        Labels.from_long(repeated)
    assert ("a", 7, label) in records(Labels.from_long(repeated, keep=keep))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": ["dog", "", "cat", "dog"]}, r"label is empty \(row 1, counted from 0\)\.$"),
        ({"label": ["dog", None, "cat", "dog"]}, r"label is empty \(row 1, counted from 0\)\.$"),
        ({"label": [1.0, 0.5, 1.0, 1.0]}, r"0.5 .* \(row 1, "),
        ({"example": ["b", "a", np.nan, "c"]}, r"example is empty \(row 2, "),
        ({"annotator": [1, 2, 3, None]}, r"annotator is empty \(row 3, "),
        ({"label": [[], [], [], []]}, "one row"),
    ],
)
def test_bad_cells_are_named(change, message):
    if "one row" in message:
        with pytest.raises(InputError, match="at least one row"):
            Labels.from_long({name: [] for name in TABLE})
        return
    with pytest.raises(InputError, match=message):
        Labels.from_long(pd.DataFrame(TABLE | change))


def test_vocabularies_are_checked():
    with pytest.raises(InputError, match=r"label 'dog' is not one of the 1 classes: 'cat' \(row 0, "):
        Labels.from_long(TABLE, classes=["cat"])
    with pytest.raises(InputError, match="unknown example ids: 'b', 'c'"):
        Labels.from_long(TABLE, examples=["a"])
    with pytest.raises(InputError, match="duplicated example ids: 'a'"):
        Labels.from_long(TABLE, examples=["a", "b", "c", "a"])
    with pytest.raises(InputError, match="no column 'label'; the table has: 'example', 'annotator'"):
        Labels.from_long({k: v for k, v in TABLE.items() if k != "label"})
    with pytest.raises(InputError, match="expected a dataframe"):
        Labels.from_long("labels.csv")
    with pytest.raises(InputError, match=r"is no record .* \(row 1, "):
        Labels.from_records([("a", "b", 1), ("a", "b")])
    with pytest.raises(InputError, match=r"outside 0\.\.1"):
        Labels([0], [0], [2], examples=1, annotators=1, classes=2)
    with pytest.raises(InputError, match="one length"):
        Labels([0, 0], [0], [0], examples=1, annotators=1, classes=2)
    with pytest.raises(InputError, match="two dimensions"):
        Labels.from_wide([1, 2])


def test_a_pool_without_labels():
    labels = Labels.from_long({name: [] for name in TABLE}, classes=["x", "y"], examples=["a", "b"])
    assert (labels.n_labels, labels.n_examples) == (0, 2)
    assert records(labels.tell(["b"], annotator="ann", label="y")) == [("b", "ann", "y")]


def test_tell_returns_new_labels():
    labels = Labels.from_long(TABLE)
    more = labels.tell(["b", "c"], annotator=["ann", 7], label=["cat", "dog"])
    assert labels.n_labels == 4
    assert set(records(more)) == {*EXPECTED, ("b", "ann", "cat"), ("c", 7, "dog")}
    assert labels.tell([], annotator=3, label="cat") == labels
    with pytest.raises(InputError, match="unknown example ids: 'z'"):
        labels.tell(["z"], annotator=3, label="cat")
    with pytest.raises(InputError, match=r"label 'fox' is not .* \(row 0, "):
        labels.tell(["b"], annotator=3, label="fox")
    with pytest.raises(InputError, match="more than once"):
        labels.tell(["b"], annotator=7, label="cat")
    assert ("b", 7, "cat") in records(labels.tell(["b"], annotator=7, label="cat", keep="last"))
    with pytest.raises(InputError, match="2 entries for 1 examples"):
        labels.tell(["b"], annotator=[1, 2], label="cat")


def test_select_with_classes_and_examples():
    labels = Labels.from_long(TABLE)
    assert records(labels.select(["c", "a"])) == [EXPECTED[3], EXPECTED[0], EXPECTED[1]]
    assert labels.select(np.array([True, False, True])) == labels.select(["a", "c"])
    assert records(labels.select(annotators=[3])) == [EXPECTED[0], EXPECTED[3]]
    assert labels.with_classes(["fox", "dog", "cat"]).label.tolist() == [2, 2, 1, 1]
    assert records(labels.with_examples(["c", "z"])) == EXPECTED
    with pytest.raises(InputError, match="lacks: 'cat'"):
        labels.with_classes(["dog"])
    with pytest.raises(InputError, match="shape"):
        labels.select(np.array([True]))
    with pytest.raises(InputError, match="duplicated"):
        labels.select(["a", "a"])


def test_equality_pickle_and_immutability():
    labels = Labels.from_long(TABLE)
    assert pickle.loads(pickle.dumps(labels)) == labels
    assert labels != Labels.from_long(TABLE, classes=["dog", "cat"])
    assert labels != "labels"
    with pytest.raises(ValueError, match="read-only"):
        labels.label[0] = 1
    with pytest.raises(TypeError):
        hash(labels)


ids = st.one_of(st.integers(-(2**40), 2**40), st.text("abc é", min_size=1).filter(str.strip))


@given(
    st.dictionaries(st.tuples(ids, ids), ids, min_size=1, max_size=30),
    st.sampled_from(["pandas", "polars", "pyarrow"]),
)
def test_round_trips(table, backend):
    labels = Labels.from_records([(e, a, y) for (e, a), y in table.items()])
    kept = {(e, a): y for e, a, y in records(labels)}
    assert kept == table
    if all(isinstance(v, int) for pair in table.items() for v in (*pair[0], pair[1])):
        assert Labels.from_long(labels.to_long(backend)) == labels
    assert pickle.loads(pickle.dumps(labels)) == labels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int32])
@pytest.mark.parametrize("apart", [1, 1 << 50])
def test_labels_in_any_order_are_sorted_by_example_and_annotator(dtype, apart):
    """Codes so far apart leave no room for the label beside them in 64 bits."""
    rng = np.random.default_rng(0)
    example, annotator = np.divmod(rng.permutation(450)[:200], 9)
    label = rng.integers(4, size=200)
    people = annotator.astype(dtype) if apart == 1 else annotator * apart
    labels = Labels(
        example.astype(dtype), people, label.astype(dtype), examples=50, annotators=9 * apart, classes=4
    )
    order = np.lexsort((annotator, example))
    assert labels.example.tolist() == example[order].tolist()
    assert labels.annotator.tolist() == (annotator[order] * apart).tolist()
    assert labels.label.tolist() == label[order].tolist()
