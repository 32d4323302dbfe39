"""Fine-tuning of image networks: a small one, few steps."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits

import activelab as al
from activelab.images import ImageClassifier, with_new_head
from activelab.simulation import Experiment, learning_curves_of, results_table, run_experiment
from small_network import classifier, network


@pytest.fixture(scope="module")
def digits():
    bunch = load_digits()
    grey = (bunch.images * 255 / 16).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=3), bunch.target


def test_learns_and_gives_probabilities(digits):
    X, y = digits
    model = classifier().fit(X[:600], y[:600])
    proba = model.predict_proba(X[600:])
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert (model.predict(X[600:]) == y[600:]).mean() > 0.8
    assert model.classes_.tolist() == list(range(10))


def test_classes_keep_their_names(digits):
    X, y = digits
    two = np.flatnonzero((y == 3) | (y == 7))[:80]
    names = np.where(y[two] == 3, "three", "seven")
    model = classifier().fit(X[two], names)
    assert model.classes_.tolist() == ["seven", "three"]
    assert (model.predict(X[two]) == names).mean() > 0.9


def test_a_seed_decides_and_the_global_generator_is_left_alone(digits):
    X, y = digits
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first, second = (clone(classifier()).set_params(random_state=1).fit(X[:100], y[:100]) for _ in range(2))
    assert torch.equal(torch.rand(2), expected)
    np.testing.assert_array_equal(first.predict_proba(X[:9]), second.predict_proba(X[:9]))
    other = clone(classifier()).set_params(random_state=2).fit(X[:100], y[:100])
    assert not np.array_equal(first.predict_proba(X[:9]), other.predict_proba(X[:9]))


def test_floats_between_0_and_1_and_grey_images_are_the_same_pixels(digits):
    X, y = digits
    model = classifier().set_params(random_state=0).fit(X[:64], y[:64])
    for same in (X / 255, X[..., 0], X[..., :1], (X / 255).astype(np.float32)):
        np.testing.assert_allclose(model.predict_proba(same[:5]), model.predict_proba(X[:5]), atol=1e-5)


def test_files_are_read_scaled_and_learnt(digits, tmp_path):
    X, y = digits
    few = np.flatnonzero(y < 2)[:60]
    paths = [tmp_path / f"{i}.png" for i in few]
    for i, path in zip(few, paths, strict=True):
        Image.fromarray(X[i]).resize((20, 16)).save(path)
    model = classifier().set_params(image_size=8, random_state=0).fit(paths, y[few])
    assert (model.predict([str(path) for path in paths]) == y[few]).mean() > 0.9
    result = al.cross_val_pred_probs(model, paths, np.r_[y[few[:30]], np.full(30, -1)], 2, cv=3)
    assert (result.pred_probs[0].argmax(axis=1) == y[few]).mean() > 0.9


def test_a_network_gets_a_new_last_layer():
    old = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1000))
    kept = old[0].weight.clone()
    new = with_new_head(old, 5)
    assert new(torch.zeros(2, 4)).shape == (2, 5)
    assert torch.equal(new[0].weight, kept)
    with pytest.raises(ValueError, match="no linear layer"):
        with_new_head(torch.nn.Sequential(torch.nn.ReLU()), 5)


def test_a_network_by_name_is_pretrained_and_scaled_to(digits, monkeypatch):
    """torchvision itself is not installed with the CPU build of torch: a stand-in records the calls."""
    asked = []

    class Models:
        @staticmethod
        def get_model(name, weights):
            asked.append((name, weights))
            return torch.nn.Sequential(
                torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, 7)
            )

    module = type(sys)("torchvision")
    module.models = Models
    monkeypatch.setitem(sys.modules, "torchvision", module)
    X, y = digits
    model = ImageClassifier("resnet18", epochs=1).fit(X[:20], y[:20])
    assert asked == [("resnet18", "DEFAULT")]
    assert model.predict_proba(X[:2]).shape == (2, 10)
    sizes = []
    model.net_.module_.network.register_forward_hook(lambda m, inputs, out: sizes.append(inputs[0].shape))
    model.predict_proba(X[:2])
    assert sizes[0] == (2, 3, 224, 224)


def test_a_network_that_cannot_be_had_is_named(digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(al.InputError, match=r"'resnet18'.*torchvision"):
        ImageClassifier("resnet18").fit(digits[0][:4], [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 64)), r"shape \(n, height, width, 3\), got \(4, 64\)"),
        (np.zeros((4, 8, 8, 2), np.uint8), "got"),
        (np.full((4, 8, 8, 3), 255.0), "between 0 and 1"),
        (np.full((4, 8, 8, 3), np.nan), "between 0 and 1"),
        (np.zeros((4, 8, 8, 3), np.int64), "uint8"),
        (["a.png"] * 4, "image_size"),
        ([], "no images"),
    ],
)
def test_bad_images_are_named(images, message):
    with pytest.raises(al.InputError, match=message):
        ImageClassifier(network, epochs=1).fit(images, [0, 1, 0, 1][: len(images)])


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(al.InputError, match=r"a\.png cannot be read as an image"):
        ImageClassifier(network, epochs=1, image_size=8).fit([str(tmp_path / "a.png")] * 2, [0, 1])


def test_a_fitted_model_can_be_stored(digits):
    X, y = digits
    model = classifier().fit(X[:64], y[:64])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X[:3]), model.predict_proba(X[:3]))


@pytest.mark.slow
def test_an_experiment_fine_tunes_in_every_round(digits, tmp_path):
    X, y = digits
    folder = tmp_path / "digit-images"
    folder.mkdir()
    np.savez(folder / "features.npz", X=X, truth=y)
    experiment = Experiment(
        dataset=str(folder),
        model="small_network:classifier",
        labelled=80,
        unlabelled=300,
        test=500,
        batch_size=60,
        rounds=3,
        trials=1,
        cv=3,
        noise=0.1,
    )
    for _ in run_experiment(experiment, tmp_path / "out"):
        pass
    curves = learning_curves_of(results_table(experiment, tmp_path / "out"))
    for one in curves.values():
        assert one.final.mean() > one.accuracy[:, 0].mean() + 0.05
