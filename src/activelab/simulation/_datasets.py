"""Datasets by name, or from a folder in one documented format."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from activelab._errors import InputError, unknown
from activelab._typing import Floats, Ids, Ints
from activelab.labels import Labels


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features and truth of a pool, and the labels people gave it, if any were recorded.

    Attributes
    ----------
    name : str
    X : ndarray, shape (n_examples, n_features)
    truth : ndarray of int64, shape (n_examples,)
        Class codes.
    classes : ndarray
        Names of the classes, in the order of their codes.
    labels : Labels or None
        Recorded labels; example ids are the rows of X.
    X_test, truth_test : ndarray or None
        Examples the source keeps apart.
    """

    name: str
    X: Floats
    truth: Ints
    classes: Ids
    labels: Labels | None = None
    X_test: Floats | None = None
    truth_test: Ints | None = None

    def __repr__(self) -> str:
        people = "no recorded labels" if self.labels is None else f"{self.labels.n_labels:,} labels"
        return (
            f"Dataset({self.name!r}, {len(self.X):,} examples × {self.X.shape[1]} features, "
            f"{len(self.classes)} classes, {people})"
        )


def load_dataset(name: str | os.PathLike[str]) -> Dataset:
    """A dataset by name, or from a folder.

    Named datasets are looked for in the folder ``$ACTIVELAB_DATA``; Wall Robot is otherwise fetched from
    OpenML into scikit-learn's cache, digits come with scikit-learn.

    A folder holds ``features.npz`` with an array ``X`` (one row an example; of several arrays whose names
    begin with X the first), ``truth`` (class codes), optionally ``X_test`` with ``truth_test`` or
    ``y_test``; and, if people have labelled the examples, ``labels.csv``, ``.csv.gz`` or ``.parquet`` with
    columns example (the row of X), annotator, label. The truth may be a column of ``items.csv`` or
    ``items.parquet`` instead.

    Parameters
    ----------
    name : str or path
        A name (see `dataset_names`), or a folder.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If the name is unknown, or the data cannot be had; the message says how to get them.

    Examples
    --------
    >>> from activelab.simulation import load_dataset
    >>> load_dataset("digits")
    Dataset('digits', 1,797 examples × 64 features, 10 classes, no recorded labels)
    """
    if str(name) in _NAMED:
        return _NAMED[str(name)](str(name))
    folder = Path(name)
    if not folder.is_dir():
        raise unknown("dataset (and no folder)", str(name), dataset_names())
    return _from_folder(folder, folder.name)


def dataset_names() -> list[str]:
    """Names `load_dataset` knows."""
    return list(_NAMED)


def _from_folder(folder: Path, name: str) -> Dataset:
    features = folder / "features.npz"
    if not features.is_file():
        raise InputError(f"{folder} holds no features.npz; load_dataset describes the folder it needs.")
    with np.load(features, allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files}
    key = "X" if "X" in arrays else next((k for k in arrays if k.startswith("X")), None)
    if key is None:
        raise InputError(f"{features} holds no array X; it holds: {', '.join(arrays)}.")
    truth = arrays["truth"] if "truth" in arrays else _truth_of_items(folder)
    if truth.shape != (len(arrays[key]),):
        raise InputError(
            f"{folder}: X has {len(arrays[key])} rows, the truth shape {truth.shape}; they must match."
        )
    n_classes = int(truth.max()) + 1
    labels = _recorded_labels(folder, len(truth), n_classes)
    test = arrays.get("truth_test", arrays.get("y_test"))
    return Dataset(
        name=name,
        X=arrays[key].astype(np.float32),
        truth=truth.astype(np.int64),
        classes=np.arange(n_classes),
        labels=labels,
        X_test=arrays["X_test"].astype(np.float32) if test is not None else None,
        truth_test=test.astype(np.int64) if test is not None else None,
    )


def _truth_of_items(folder: Path) -> Ints:
    import pandas as pd

    for file, read in (("items.csv", pd.read_csv), ("items.parquet", pd.read_parquet)):
        if (folder / file).is_file():
            return np.asarray(read(folder / file)["truth"], dtype=np.int64)
    raise InputError(
        f"{folder} tells no truth: features.npz has no array 'truth' and there is no items file."
    )


def _recorded_labels(folder: Path, n_examples: int, n_classes: int) -> Labels | None:
    from activelab.tables import read_ids

    for ending in (".csv", ".csv.gz", ".parquet"):
        file = folder / f"labels{ending}"
        if file.is_file():
            roles = dict.fromkeys(("example", "annotator", "label"))
            return Labels.from_long(
                read_ids(file, roles), examples=n_examples, classes=n_classes, keep="last"
            )
    return None


def _digits(name: str) -> Dataset:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return Dataset(name, X, y.astype(np.int64), np.arange(10))


# Number of features, OpenML id, and sha256 of the readings as little-endian float64.
_WALL_ROBOT = {
    4: (1526, "fb0dbcd9da3c35801ef086ca74362b30b7a39be531fba83c60cf575d37fddd48"),
    24: (1497, "38fea71a4e4f0bfd861f407a290ae5ef015dcd1eb0f5b415affeff3e6db18c74"),
}


def _wall_robot(n_features: int) -> Callable[[str], Dataset]:
    openml, checksum = _WALL_ROBOT[n_features]

    def load(name: str) -> Dataset:
        file = _data_folder("wall_robot", f"sensor_readings_{n_features}.data")
        if file is not None:
            cells = np.loadtxt(file, delimiter=",", dtype=str)
            X: Floats = cells[:, :n_features].astype(np.float64)
            names = cells[:, n_features]
        else:
            X, names = _fetch_openml(name, openml)
        found = hashlib.sha256(np.ascontiguousarray(X, dtype="<f8").tobytes()).hexdigest()
        if found != checksum:
            raise InputError(f"the readings of {name} differ from the published ones (sha256 {found}).")
        classes, truth = np.unique(names, return_inverse=True)
        return Dataset(name, X, truth.astype(np.int64), classes.astype(object))

    return load


def _fetch_openml(name: str, data_id: int) -> tuple[Floats, Ids]:
    from sklearn.datasets import fetch_openml

    try:
        X, y = fetch_openml(data_id=data_id, return_X_y=True, as_frame=False, parser="liac-arff")
    except Exception as error:
        raise InputError(
            f"cannot fetch {name} (OpenML {data_id}): {error}. Without a network, put the file "
            "sensor_readings_4.data or sensor_readings_24.data of the UCI dataset 194 into "
            "$ACTIVELAB_DATA/wall_robot."
        ) from error
    return np.asarray(X, dtype=np.float64), np.asarray(y).astype(str)


def _crowd(folder: str) -> Callable[[str], Dataset]:
    def load(name: str) -> Dataset:
        return _from_folder(_required_folder(name, folder), name)

    return load


def _cifar10h(name: str) -> Dataset:
    """Three embeddings side by side; each human label by an annotator of its own, for want of names."""
    folder = _required_folder(name, "cifar10h")
    parts = []
    for file in ("emb_mnv1.npz", "emb_mnv2.npz", "emb_tf2mnv2.npz"):
        with np.load(folder / file) as stored:
            X = stored["X"].astype(np.float32)
            parts.append(X / X.std())
    with np.load(folder / "labels.npz") as stored:
        counts, truth = stored["counts"].astype(np.int64), stored["true_label"].astype(np.int64)
    given = counts.sum(axis=1)
    example = np.repeat(np.arange(len(counts)), given)
    label = np.repeat(np.tile(np.arange(10), len(counts)), counts.reshape(-1))
    turn = np.arange(len(example)) - np.repeat(np.cumsum(given) - given, given)
    labels = Labels(example, turn, label, examples=len(counts), annotators=int(given.max()), classes=10)
    return Dataset(name, np.hstack(parts), truth, np.arange(10), labels)


def _required_folder(name: str, folder: str) -> Path:
    found = _data_folder(folder, "")
    if found is None:
        raise InputError(
            f"dataset {name!r} cannot be downloaded: put its files into $ACTIVELAB_DATA/{folder} "
            "(load_dataset describes the format), and set ACTIVELAB_DATA to that parent folder."
        )
    return found


def _data_folder(folder: str, file: str) -> Path | None:
    root = os.environ.get("ACTIVELAB_DATA")
    if not root:
        return None
    path = Path(root, folder, file)
    return path if path.exists() else None


_NAMED: dict[str, Callable[[str], Dataset]] = {
    "wall-robot": _wall_robot(4),
    "wall-robot-24": _wall_robot(24),
    "wall-robot-complete": _wall_robot(4),
    "cifar10h": _cifar10h,
    "digits": _digits,
    "product": _crowd("product"),
    "sentiment-polarity": _crowd("sentiment_polarity"),
    "labelme": _crowd("labelme"),
    "bluebirds": _crowd("bluebirds"),
}
