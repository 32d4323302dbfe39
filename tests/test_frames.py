"""Tables of every library: pandas, polars, pyarrow and Hugging Face datasets, without a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import activelab as al

ROWS = {
    "example": ["a", "a", "b", "c"],
    "annotator": ["ann", "bob", "ann", "bob"],
    "label": ["dog", "cat", "dog", "dog"],
    "text": ["x"] * 4,
}
PROBS = {"example": ["c", "b", "a"], "cat": [0.1, 0.2, 0.6], "dog": [0.9, 0.8, 0.4]}


def class_label(rows: dict[str, Any]) -> datasets.Dataset:
    made = datasets.Dataset.from_dict(rows)
    return made.cast_column("label", datasets.ClassLabel(names=["cat", "dog"])) if "label" in rows else made


LIBRARIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "datasets": datasets.Dataset.from_dict,
    "datasets with classes": class_label,
    "datasets in numpy format": lambda rows: datasets.Dataset.from_dict(rows).with_format("numpy"),
    "a stream of datasets": lambda rows: datasets.Dataset.from_dict(rows).to_iterable_dataset(),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_table_of_any_library_gives_the_same_labels_and_scores(library: str) -> None:
    make = LIBRARIES[library]
    labels = al.Labels.from_long(make(ROWS))
    assert labels == al.Labels.from_long(ROWS)
    batch = al.suggest(labels, make(PROBS), batch_size=3)
    assert batch.examples.tolist() == al.suggest(labels, PROBS_ARRAY, batch_size=3).examples.tolist()
    ensemble = al.suggest(labels, [make(PROBS), PROBS_ARRAY], batch_size=3)
    assert len(ensemble) == 3


PROBS_ARRAY = np.array([[0.6, 0.4], [0.2, 0.8], [0.1, 0.9]])


@pytest.mark.parametrize("library", ["polars", "pyarrow", "datasets"])
def test_a_wide_matrix_of_any_library(library: str) -> None:
    cells = {"ann": [0, 1, None], "bob": [None, 1, 0]}
    labels = al.Labels.from_wide(LIBRARIES[library](cells))
    assert labels.n_labels == 4
    assert labels.annotators.tolist() == ["ann", "bob"]


def test_classes_of_a_dataset_are_its_names_in_its_order() -> None:
    features = datasets.Features(
        {"example": datasets.Value("int64"), "annotator": datasets.Value("string"),
         "label": datasets.ClassLabel(names=["wolf", "cat", "dog"])}
    )  # fmt: skip
    rows = {"example": [0, 1], "annotator": ["ann", "ann"], "label": [2, 1]}
    labels = al.Labels.from_long(datasets.Dataset.from_dict(rows, features=features))
    assert labels.classes.tolist() == ["wolf", "cat", "dog"]
    assert labels.to_long()["label"].tolist() == ["dog", "cat"]
    rows["label"][1] = -1
    with pytest.raises(al.InputError, match=r"the label is empty \(row 1"):
        al.Labels.from_long(datasets.Dataset.from_dict(rows, features=features))


def test_rows_that_were_selected_are_those_that_count() -> None:
    chosen = datasets.Dataset.from_dict(ROWS).select([3, 0])
    assert al.Labels.from_long(chosen).examples.tolist() == ["a", "c"]


def test_several_datasets_and_missing_columns_are_refused() -> None:
    one = datasets.Dataset.from_dict(ROWS)
    with pytest.raises(
        al.InputError, match=r"several datasets: .train.\. Choose one, as in dataset\['train'\]"
    ):
        al.Labels.from_long(datasets.DatasetDict({"train": one}))
    with pytest.raises(al.InputError, match=r"no column 'who'; the table has: 'example'"):
        al.Labels.from_long(one, annotator="who")
