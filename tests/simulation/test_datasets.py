"""Datasets by name and from folders."""

from __future__ import annotations

from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest

import activelab as al
from activelab.simulation import dataset_names, load_dataset

# Examples, features, classes, recorded labels, annotators, examples kept apart.
SIZES = {
    "wall-robot": (5456, 4, 4, 0, 0, 0),
    "wall-robot-24": (5456, 24, 4, 0, 0, 0),
    "wall-robot-complete": (5456, 4, 4, 0, 0, 0),
    "cifar10h": (10_000, 768, 10, 511_000, 63, 0),
    "cifar10h-images": (10_000, (32, 32, 3), 10, 511_000, 63, 0),
    "digits": (1797, 64, 10, 0, 0, 0),
    "diabetes": (442, 10, 5, 0, 0, 0),
    "topics": (4000, 60, 8, 0, 0, 0),
    "product": (8315, 12, 2, 24_945, 176, 0),
    "sentiment-polarity": (4999, 384, 2, 27_746, 203, 3999),
    "labelme": (1000, 512, 8, 2547, 59, 1188),
    "bluebirds": (108, 2048, 2, 4212, 39, 0),
}


@pytest.mark.parametrize("name", SIZES)
def test_named_datasets_have_their_sizes(data, name):
    dataset = load_dataset(name)
    examples, features, classes, labels, annotators, test = SIZES[name]
    assert dataset.name == name
    shape = features if isinstance(features, tuple) else (features,)
    assert dataset.X.shape == (examples, *shape)
    if dataset.kind == "multilabel":
        assert dataset.truth.shape == (examples, classes)
        assert ((dataset.truth.mean(axis=0) > 0.01) & (dataset.truth.mean(axis=0) < 0.5)).all()
    else:
        assert dataset.truth.shape == (examples,)
        assert np.unique(dataset.truth).tolist() == list(range(classes))
    assert len(dataset.classes) == classes
    assert np.isfinite(dataset.X).all()
    if labels:
        assert (dataset.labels.n_labels, dataset.labels.n_annotators) == (labels, annotators)
    else:
        assert dataset.labels is None
    if labels:
        assert dataset.labels.n_examples == examples
        assert dataset.labels.n_classes == classes
    if test:
        assert dataset.X_test.shape == (test, features)
        assert dataset.truth_test.shape == (test,)
    else:
        assert dataset.X_test is dataset.truth_test is None
    size = " × ".join(map(str, shape))
    assert f"{examples:,} examples × {size} features" in repr(dataset)


def test_every_name_is_tested():
    assert sorted(SIZES) == sorted(dataset_names())


# Published accuracies of a single label: rows of labels and truth belong together.
@pytest.mark.parametrize(
    ("name", "accuracy"),
    [
        ("labelme", 0.7405),
        ("sentiment-polarity", 0.7895),
        ("bluebirds", 0.6356),
        ("product", 0.8163),
        ("cifar10h", 0.9524),
    ],
)
def test_recorded_labels_belong_to_their_examples(data, name, accuracy):
    dataset = load_dataset(name)
    right = dataset.labels.label == dataset.truth[dataset.labels.example]
    assert right.mean() == pytest.approx(accuracy, abs=2e-4)


def test_no_annotator_of_cifar10h_leans_towards_some_classes(data):
    labels, truth = (d := load_dataset("cifar10h")).labels, d.truth
    right = labels.label == truth[labels.example]
    # Every image has at least 47 labels: these annotators labelled them all.
    each = np.array([right[labels.annotator == j].mean() for j in range(47)])
    assert np.abs(each - right.mean()).max() < 0.01


def test_images_of_cifar10h_go_with_its_labels(data):
    images, embedded = load_dataset("cifar10h-images"), load_dataset("cifar10h")
    assert images.X.dtype == np.uint8
    assert images.labels == embedded.labels
    np.testing.assert_array_equal(images.truth, embedded.truth)


def test_a_folder_of_images(tmp_path):
    pixels = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)
    dataset = load_dataset(write(tmp_path / "mine", X=pixels, truth=TRUTH))
    np.testing.assert_array_equal(dataset.X, pixels)
    assert dataset.X.dtype == np.uint8


@pytest.mark.parametrize("folder", ["labelme", "product", "sentiment_polarity", "bluebirds"])
def test_the_folders_are_read_by_path(data, folder):
    named, read = load_dataset(folder.replace("_", "-")), load_dataset(data / folder)
    assert read.name == folder
    np.testing.assert_array_equal(read.X, named.X)
    np.testing.assert_array_equal(read.truth, named.truth)
    assert read.labels == named.labels
    assert load_dataset(str(data / folder)).labels == named.labels


@pytest.mark.parametrize("folder", ["wall_robot", "cifar10h", "crowd_only"])
def test_folders_in_another_format_are_refused(data, folder):
    with pytest.raises(al.InputError, match=r"features\.npz"):
        load_dataset(data / folder)


# ------------------------------------------------------------------ a user's own folder


def write(folder, *, labels=None, items=None, **arrays):
    """A folder in the documented format."""
    folder.mkdir(exist_ok=True)
    np.savez(folder / "features.npz", **arrays)
    if labels is not None:
        pd.DataFrame(labels, columns=["example", "annotator", "label"]).to_csv(
            folder / "labels.csv", index=False
        )
    if items is not None:
        pd.DataFrame(items).to_csv(folder / "items.csv", index=False)
    return folder


X = np.arange(8.0).reshape(4, 2)
TRUTH = np.array([0, 1, 2, 1])
LABELS = [(3, "ann", 1), (0, "bob", 0), (3, "bob", 2)]


def test_a_folder_of_ones_own(tmp_path):
    folder = write(
        tmp_path / "mine",
        X=X,
        labels=LABELS,
        items={"truth": TRUTH},
        X_test=X[:1] + 1,
        truth_test=TRUTH[:1],
    )
    dataset = load_dataset(folder)
    assert dataset.name == "mine"
    assert dataset.X.tolist() == X.tolist()
    assert dataset.truth.tolist() == TRUTH.tolist()
    assert dataset.classes.tolist() == [0, 1, 2]
    records = zip(dataset.labels.example, dataset.labels.annotator, dataset.labels.label, strict=True)
    named = {(int(e), dataset.labels.annotators[a], int(k)) for e, a, k in records}
    assert named == set(LABELS)
    assert dataset.labels.counts.tolist() == [1, 0, 0, 2]
    assert (dataset.X_test.tolist(), dataset.truth_test.tolist()) == ([[1.0, 2.0]], [0])


def test_truth_beside_the_features_and_no_labels(tmp_path):
    dataset = load_dataset(write(tmp_path / "mine", X=X, truth=TRUTH))
    assert dataset.truth.tolist() == TRUTH.tolist()
    assert dataset.labels is dataset.X_test is None


def test_a_class_that_only_the_test_holds_is_a_class(tmp_path):
    folder = write(tmp_path / "mine", X=X, truth=TRUTH, X_test=X[:1], y_test=np.array([4]), labels=LABELS)
    dataset = load_dataset(folder)
    assert len(dataset.classes) == dataset.labels.n_classes == 5


def test_parquet_and_another_name_of_the_features(tmp_path):
    folder = write(tmp_path / "mine", X_test=X[:1], y_test=TRUTH[:1], X_net=X, X_other=-X)
    pd.DataFrame(LABELS, columns=["item", "worker", "label"]).to_parquet(folder / "labels.parquet")
    pd.DataFrame({"truth": TRUTH}).to_parquet(folder / "items.parquet")
    dataset = load_dataset(folder)
    assert dataset.X.tolist() == X.tolist()
    assert dataset.labels.n_labels == 3


def test_of_two_labels_of_one_annotator_the_last_counts(tmp_path):
    folder = write(tmp_path / "mine", X=X, truth=TRUTH, labels=[(0, "ann", 1), (0, "ann", 2)])
    assert load_dataset(folder).labels.label.tolist() == [2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"Y": X, "truth": TRUTH}, "no array X; it holds: Y, truth"),
        ({"X": X}, "tells no truth"),
        ({"X": X, "items": {"name": ["a", "b", "c", "d"]}}, r"items\.csv has no column 'truth'"),
        ({"X": X, "items": {"truth": ["a", "b", "c", "d"]}}, "class codes"),
        ({"X": X, "truth": TRUTH[:3]}, "X has 4 rows, truth shape"),
        ({"X": X, "truth": TRUTH - 1}, "class codes, integers from 0"),
        ({"X": X, "truth": TRUTH + 0.5}, "class codes"),
        ({"X": X[:, 0], "truth": TRUTH}, "X must be a matrix"),
        ({"X": X[:0], "truth": TRUTH[:0]}, "X must be a matrix"),
        ({"X": np.where(X > 6, np.nan, X), "truth": TRUTH}, "finite numbers"),
        ({"X": X.astype(str), "truth": TRUTH}, "finite numbers"),
        ({"X": X, "truth": TRUTH, "X_test": X}, "must come together"),
        ({"X": X, "truth": TRUTH, "truth_test": TRUTH}, "must come together"),
        (
            {"X": X, "truth": TRUTH, "X_test": X[:, :1], "y_test": TRUTH},
            r"shape \(2,\), .* \(1,\)",
        ),
        ({"X": X, "truth": TRUTH, "X_test": X, "y_test": TRUTH[:1]}, "X_test has 4 rows"),
        ({"X": X, "truth": TRUTH, "labels": [(4, "ann", 0)]}, "4"),
        ({"X": X, "truth": TRUTH, "labels": [(0, "ann", 3)]}, "3"),
        ({"X": np.array([[None]]), "truth": TRUTH}, "no npz file of plain arrays"),
    ],
)
def test_bad_folders_are_refused(tmp_path, content, message):
    with pytest.raises(al.InputError, match=message):
        load_dataset(write(tmp_path / "mine", **content))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"some text"])
def test_a_broken_archive_is_refused(tmp_path, content):
    (tmp_path / "features.npz").write_bytes(content)
    with pytest.raises(al.InputError, match="no npz file"):
        load_dataset(tmp_path)


def test_unknown_names_suggest_the_nearest(tmp_path):
    with pytest.raises(al.InputError, match="Did you mean 'wall-robot'"):
        load_dataset("wal-robot")
    with pytest.raises(al.InputError, match=r"features\.npz"):
        load_dataset(tmp_path)


# ------------------------------------------------------------------ without the files


@pytest.mark.parametrize("name", ["cifar10h", "product", "sentiment-polarity", "labelme", "bluebirds"])
def test_crowds_without_their_files_say_where_to_put_them(monkeypatch, tmp_path, name):
    folder = name.replace("-", "_")
    for place in (None, str(tmp_path)):
        if place is None:
            monkeypatch.delenv("ACTIVELAB_DATA", raising=False)
        else:
            monkeypatch.setenv("ACTIVELAB_DATA", place)
        with pytest.raises(al.InputError, match=rf"{name}.*\$ACTIVELAB_DATA/{folder}"):
            load_dataset(name)


@pytest.mark.parametrize(("name", "openml"), [("wall-robot", 1526), ("wall-robot-24", 1497)])
@pytest.mark.parametrize("coding", ["2134", "1234"])
def test_wall_robot_from_openml_is_the_same(monkeypatch, data, name, openml, coding):
    local = load_dataset(name)
    asked = []

    def fetch(*, data_id, return_X_y, as_frame, parser):
        asked.append(data_id)
        return local.X, np.array(list(coding), dtype=object)[local.truth]

    monkeypatch.delenv("ACTIVELAB_DATA")
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    fetched = load_dataset(name)
    assert asked == [openml]
    np.testing.assert_array_equal(fetched.X, local.X)
    np.testing.assert_array_equal(fetched.truth, local.truth)
    assert fetched.classes.tolist() == local.classes.tolist()


def test_classes_of_wall_robot_are_those_of_the_file(data):
    dataset = load_dataset("wall-robot")
    lines = (data / "wall_robot" / "sensor_readings_4.data").read_text().split()
    assert [line.rsplit(",", 1)[1] for line in lines] == dataset.classes[dataset.truth].tolist()


def test_wall_robot_offline_says_how_to_get_it(monkeypatch):
    def fetch(**_):
        raise URLError("no route")

    monkeypatch.delenv("ACTIVELAB_DATA", raising=False)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    with pytest.raises(al.InputError, match=r"OpenML 1526.*no route.*\$ACTIVELAB_DATA/wall_robot"):
        load_dataset("wall-robot")


def test_other_readings_or_classes_fail_the_checksum(monkeypatch, data):
    local = load_dataset("wall-robot")
    monkeypatch.delenv("ACTIVELAB_DATA")
    X = local.X.copy()
    X[17, 2] += 0.001
    moved = np.roll(local.truth, 1)
    for readings, classes in ((X, local.truth), (local.X[:-1], local.truth[:-1]), (local.X, moved)):
        answer = (readings, classes.astype(str))
        monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda answer=answer, **_: answer)
        with pytest.raises(al.InputError, match="sha256"):
            load_dataset("wall-robot")


@pytest.mark.parametrize("content", ["1,2,3,4\n", "1,2,3,x,Move-Forward\n", "1,2\n1,2,3\n"])
def test_a_broken_file_of_readings_is_refused(monkeypatch, tmp_path, content):
    folder = tmp_path / "wall_robot"
    folder.mkdir()
    (folder / "sensor_readings_4.data").write_text(content)
    monkeypatch.setenv("ACTIVELAB_DATA", str(tmp_path))
    with pytest.raises(al.InputError, match="is not the published file"):
        load_dataset("wall-robot")
