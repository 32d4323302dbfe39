"""Datasets by name, or from a folder in one documented format."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from activelab._errors import InputError, unknown
from activelab._typing import Floats, Ids, Ints
from activelab.labels import Labels
from activelab.multilabel import LabelSets


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features and truth of a pool, and the labels people gave it, if any were recorded.

    Attributes
    ----------
    name : str
    X : ndarray, shape (n_examples, n_features)
        Or images, uint8 of shape (n_examples, height, width, 3).
    truth : ndarray of int64, shape (n_examples,)
        Class codes. Where several classes may apply, booleans of shape (n_examples, n_classes).
    classes : ndarray
        Names of the classes, in the order of their codes.
    labels : Labels or LabelSets, or None
        Recorded labels; example ids are the rows of X.
    X_test, truth_test : ndarray or None
        Examples the source keeps apart.
    kind : {"single", "ordinal", "multilabel"}
        Kind of question the classes answer.
    """

    name: str
    X: Floats
    truth: Ints
    classes: Ids
    labels: Labels | LabelSets | None = None
    X_test: Floats | None = None
    truth_test: Ints | None = None
    kind: str = "single"

    def __repr__(self) -> str:
        people = "no recorded labels" if self.labels is None else f"{len(self.labels):,} labels"
        size = " × ".join(str(width) for width in self.X.shape[1:])
        return (
            f"Dataset({self.name!r}, {len(self.X):,} examples × {size} features, "
            f"{len(self.classes)} classes, {people})"
        )


def load_dataset(name: str | os.PathLike[str]) -> Dataset:
    """A dataset by name, or from a folder.

    Named datasets are looked for in the folder ``$ACTIVELAB_DATA``; Wall Robot is otherwise fetched from
    OpenML into scikit-learn's cache, digits come with scikit-learn.

    A folder holds ``features.npz`` with an array ``X`` (one row an example; of several arrays whose names
    begin with X the first; images are uint8 of shape (n, height, width, 3)), ``truth`` (class codes from
    0), optionally ``X_test`` with ``truth_test`` or ``y_test``; and, if people have labelled the
    examples, ``labels.csv``, ``.csv.gz`` or ``.parquet`` with columns example (the row of X), annotator,
    label. Where several classes may apply, ``truth`` is a matrix of 0 and 1 with a column a class, and a
    label lists the codes of its classes, as in "0|2"; "|" is none of them. The truth may be a column of
    ``items.csv`` or ``items.parquet`` instead, row i of which is example i.

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
        return _NAMED[str(name)][0](str(name))
    folder = Path(name)
    if not folder.is_dir():
        raise unknown("dataset (and no folder)", str(name), dataset_names())
    return _from_folder(folder, folder.name)


def dataset_names() -> list[str]:
    """Names `load_dataset` knows."""
    return list(_NAMED)


def dataset_origins() -> dict[str, str]:
    """What each dataset that `load_dataset` knows by name is, and where it comes from.

    Examples
    --------
    >>> from activelab.simulation import dataset_origins
    >>> dataset_origins()["digits"]
    'handwritten digits; they come with scikit-learn'
    """
    return {name: origin for name, (_, origin) in _NAMED.items()}


def _from_folder(folder: Path, name: str) -> Dataset:
    features = folder / "features.npz"
    if not features.is_file():
        raise InputError(f"{folder} holds no features.npz; load_dataset describes the folder it needs.")
    try:
        with open(features, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, BadZipFile, TypeError) as error:
        raise InputError(f"{features} is no npz file of plain arrays: {error}.") from None
    key = "X" if "X" in arrays else next((k for k in arrays if k.startswith("X") and k != "X_test"), None)
    if key is None:
        raise InputError(f"{features} holds no array X; it holds: {', '.join(arrays)}.")
    truth = arrays["truth"] if "truth" in arrays else _truth_of_items(folder)
    X, truth = _checked(folder, key, arrays[key], "truth", truth)
    X_test, truth_test = None, arrays.get("truth_test", arrays.get("y_test"))
    if ("X_test" in arrays) != (truth_test is not None):
        raise InputError(f"{features}: X_test and truth_test (or y_test) must come together.")
    if truth_test is not None:
        X_test, truth_test = _checked(folder, "X_test", arrays["X_test"], "truth_test", truth_test)
        if X_test.shape[1:] != X.shape[1:]:
            raise InputError(
                f"{folder}: a row of {key} has shape {X.shape[1:]}, one of X_test {X_test.shape[1:]}."
            )
    several = truth.ndim == 2
    if truth_test is not None and truth_test.shape[1:] != truth.shape[1:]:
        raise InputError(f"{folder}: truth and truth_test must have the same columns.")
    n_classes = int(max(codes.max() for codes in (truth, truth_test) if codes is not None)) + 1
    if several:
        n_classes = truth.shape[1]
    return Dataset(
        name=name,
        X=X,
        truth=truth,
        classes=np.arange(n_classes),
        labels=(_recorded_sets if several else _recorded_labels)(folder, len(truth), n_classes),
        X_test=X_test,
        truth_test=truth_test,
        kind="multilabel" if several else "single",
    )


def _checked(folder: Path, key: str, X: Floats, what: str, truth: Ints) -> tuple[Floats, Ints]:
    images = X.ndim == 4 and X.dtype == np.uint8
    if not (X.ndim == 2 or images) or not X.size or X.dtype.kind not in "biuf" or not np.isfinite(X).all():
        raise InputError(
            f"{folder}: {key} must be a matrix of finite numbers with a row an example, or uint8 images."
        )
    if truth.ndim == 2 and len(truth) == len(X) and truth.shape[1]:
        if not np.isin(truth, (0, 1)).all():
            raise InputError(f"{folder}: {what} as a matrix must hold 1 where a class applies, and 0.")
        return X if images else X.astype(np.float32), truth.astype(bool)
    if truth.shape != (len(X),):
        raise InputError(f"{folder}: {key} has {len(X)} rows, {what} shape {truth.shape}; they must match.")
    if truth.dtype.kind not in "iu" or truth.min() < 0:
        raise InputError(f"{folder}: {what} must hold class codes, integers from 0.")
    return X if images else X.astype(np.float32), truth.astype(np.int64)


def _truth_of_items(folder: Path) -> Ints:
    from activelab.tables import column_names, read_ids

    for name in ("items.csv", "items.parquet"):
        file = folder / name
        if file.is_file():
            if "truth" not in column_names(file):
                raise InputError(f"{file} has no column 'truth'.")
            return np.asarray(read_ids(file, {"truth": "truth"})["truth"].to_numpy())
    raise InputError(
        f"{folder} tells no truth: features.npz has no array 'truth' and there is no items file."
    )


def _recorded_labels(folder: Path, n_examples: int, n_classes: int | None) -> Labels | None:
    from activelab.tables import read_ids

    for ending in (".csv", ".csv.gz", ".parquet"):
        file = folder / f"labels{ending}"
        if file.is_file():
            roles = dict.fromkeys(("example", "annotator", "label"))
            return Labels.from_long(
                read_ids(file, roles), examples=n_examples, classes=n_classes, keep="last"
            )
    return None


def _recorded_sets(folder: Path, n_examples: int, n_classes: int) -> LabelSets | None:
    """Sets of class codes, such as "0|2"."""
    recorded = _recorded_labels(folder, n_examples, None)
    if recorded is None:
        return None
    texts = np.array([str(name) for name in recorded.classes.tolist()], dtype=object)
    as_texts = Labels(
        recorded.example, recorded.annotator, recorded.label,
        examples=recorded.examples, annotators=recorded.annotators, classes=texts,
    )  # fmt: skip
    return LabelSets.from_labels(as_texts, [str(code) for code in range(n_classes)])


def _digits(name: str) -> Dataset:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return Dataset(name, X, y.astype(np.int64), np.arange(10))


def _diabetes(name: str) -> Dataset:
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    fifths = np.quantile(y, [0.2, 0.4, 0.6, 0.8])
    return Dataset(name, X, np.searchsorted(fifths, y), np.arange(5), kind="ordinal")


def _topics(name: str) -> Dataset:
    from sklearn.datasets import make_multilabel_classification

    X, y = make_multilabel_classification(
        n_samples=4000, n_features=60, n_classes=8, n_labels=1, length=60, random_state=0
    )
    return Dataset(name, X, y.astype(bool), np.arange(8), kind="multilabel")


# Number of features, OpenML id, and sha256 of the readings as little-endian float64 with the class codes
# as little-endian int64.
_WALL_ROBOT = {
    4: (1526, "0f011e172a8c5f655405bab2b559bf883ddd075dcff6593fcec3bc0d86317031"),
    24: (1497, "5024e78d73ecf655918ad24b3bd6a4d94409c6da70aeac57ac3a2324ee53bddd"),
}
# In the order in which they first appear: sources name the classes differently.
_TURNS = ("Slight-Right-Turn", "Sharp-Right-Turn", "Move-Forward", "Slight-Left-Turn")


def _wall_robot(n_features: int) -> Callable[[str], Dataset]:
    openml, checksum = _WALL_ROBOT[n_features]

    def load(name: str) -> Dataset:
        file = _data_folder("wall_robot", f"sensor_readings_{n_features}.data")
        if file is not None:
            X, names = _read_wall_robot(file, n_features)
        else:
            X, names = _fetch_openml(name, openml)
        _, first, code = np.unique(names, return_index=True, return_inverse=True)
        appearance = first.argsort().argsort()
        classes, sorted_code = np.unique(_TURNS, return_inverse=True)
        truth = sorted_code[appearance[code] % len(_TURNS)].astype(np.int64)
        content = X.astype("<f8").tobytes() + truth.astype("<i8").tobytes()
        found = hashlib.sha256(content).hexdigest()
        if found != checksum:
            raise InputError(f"the readings of {name} differ from the published ones (sha256 {found}).")
        return Dataset(name, X, truth, classes.astype(object))

    return load


def _read_wall_robot(file: Path, n_features: int) -> tuple[Floats, Ids]:
    try:
        cells = np.loadtxt(file, delimiter=",", dtype=str, ndmin=2)
        return cells[:, :n_features].astype(np.float64), cells[:, n_features]
    except (ValueError, IndexError) as error:
        raise InputError(f"{file} is not the published file: {error}.") from None


def _fetch_openml(name: str, data_id: int) -> tuple[Floats, Ids]:
    from sklearn.datasets import fetch_openml

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # each retry warns; the last failure is told below
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
    """Three embeddings side by side."""
    folder = _required_folder(name, "cifar10h")
    parts = []
    for file in ("emb_mnv1.npz", "emb_mnv2.npz", "emb_tf2mnv2.npz"):
        with np.load(folder / file) as stored:
            X = stored["X"].astype(np.float32)
            parts.append(X / X.std())
    return _with_people_of_cifar10h(name, folder, np.hstack(parts))


def _cifar10h_images(name: str) -> Dataset:
    import io

    import pyarrow.parquet as pq
    from PIL import Image

    folder = _required_folder(name, "cifar10h")
    stored = pq.read_table(folder / "images_jpeg.parquet").sort_by("index")["jpeg"].to_pylist()
    pixels = [np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")) for jpeg in stored]
    return _with_people_of_cifar10h(name, folder, np.stack(pixels))


def _with_people_of_cifar10h(name: str, folder: Path, X: Any) -> Dataset:
    """Who gave which label is not recorded: labels of an image are dealt to annotators once and for all.

    They are dealt at random: in the order of the classes, the first annotator would look biased towards
    low ones.
    """
    with np.load(folder / "labels.npz") as stored:
        counts, truth = stored["counts"].astype(np.int64), stored["true_label"].astype(np.int64)
    given = counts.sum(axis=1)
    example = np.repeat(np.arange(len(counts)), given)
    label = np.repeat(np.tile(np.arange(10), len(counts)), counts.reshape(-1))
    label = label[np.lexsort((np.random.default_rng(0).random(len(example)), example))]
    turn = np.arange(len(example)) - np.repeat(np.cumsum(given) - given, given)
    labels = Labels(example, turn, label, examples=len(counts), annotators=int(given.max()), classes=10)
    return Dataset(name, X, truth, np.arange(10), labels)


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


_OPENML = "Wall-following robot; $ACTIVELAB_DATA/wall_robot, else fetched from OpenML"
_CIFAR = "CIFAR-10H with what people said; $ACTIVELAB_DATA/cifar10h"

_NAMED: dict[str, tuple[Callable[[str], Dataset], str]] = {
    "digits": (_digits, "handwritten digits; they come with scikit-learn"),
    "diabetes": (_diabetes, "how far a disease progressed, in fifths: ratings; comes with scikit-learn"),
    "topics": (_topics, "documents made up by scikit-learn: sets of 8 topics, or none"),
    "wall-robot": (_wall_robot(4), f"{_OPENML}, 4 readings"),
    "wall-robot-24": (_wall_robot(24), f"{_OPENML}, 24 readings"),
    "wall-robot-complete": (_wall_robot(4), f"{_OPENML}, all labelled at the start"),
    "cifar10h": (_cifar10h, f"{_CIFAR}, embeddings"),
    "cifar10h-images": (_cifar10h_images, f"{_CIFAR}, images"),
    **{
        name: (_crowd(folder), f"labels of people; $ACTIVELAB_DATA/{folder}")
        for name, folder in {
            "product": "product",
            "sentiment-polarity": "sentiment_polarity",
            "labelme": "labelme",
            "bluebirds": "bluebirds",
        }.items()
    },
}
