"""Fine-tuning of image networks with PyTorch behind scikit-learn's interface (extra: torch)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from activelab._errors import InputError
from activelab._typing import Float64s

try:
    import torch
    from skorch import NeuralNetClassifier
    from skorch.callbacks import LRScheduler
except ImportError as error:
    raise InputError(
        f"fine-tuning needs PyTorch and skorch ({error}). Install them: pip install 'activelab[torch]'."
    ) from error

__all__ = ["ImageClassifier", "resnet18", "resnets", "with_new_head"]

# The channel means and deviations ImageNet networks were trained with, on pixels between 0 and 1.
_MEAN, _SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ImageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network fine-tuned on images: all its weights are trained, the last layer from scratch.

    Adam with weight decay and a learning rate that falls to 0 along a cosine; images are scaled to
    ``image_size`` and flipped at random while training. A GPU is used where there is one.

    Parameters
    ----------
    network : str or callable
        Name of a torchvision model, taken with its pretrained weights and a new last linear layer; or a
        function of the number of classes that makes a ``torch.nn.Module`` from images to class scores.
    epochs, batch_size : int
    lr : float
        Learning rate of the first step.
    weight_decay : float
    image_size : int, optional
        Side in pixels images are scaled to. By default 224 for a torchvision model, else unchanged.
    flip : bool
        Mirror half of the images left to right while training.
    device : str, optional
        As in torch. By default "cuda" where there is a GPU, else "cpu".
    random_state : int, optional
        Seed of initial weights, order and flips. The global generators of torch are left as they were.

    Attributes
    ----------
    classes_ : ndarray
    net_ : skorch.NeuralNetClassifier

    Notes
    -----
    Images are an array of shape (n, height, width, 3) or (n, height, width), uint8 or floats between 0
    and 1; or a sequence of paths of image files, which needs ``image_size``.

    Raises
    ------
    InputError
        At `fit` or `predict_proba`, if the images are of another shape or range, a file cannot be read, or
        torchvision does not know or cannot fetch the network.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from activelab.images import ImageClassifier
    >>> def network(n_classes):
    ...     return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, n_classes))
    >>> X, y = np.zeros((4, 8, 8, 3), np.uint8), [0, 1, 0, 1]
    >>> ImageClassifier(network, epochs=1, random_state=0).fit(X, y).predict_proba(X).shape
    (4, 2)
    """

    def __init__(
        self,
        network: str | Callable[[int], Any] = "resnet18",
        *,
        epochs: int = 10,
        batch_size: int = 64,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        image_size: int | None = None,
        flip: bool = True,
        device: str | None = None,
        random_state: int | None = None,
    ) -> None:
        self.network, self.epochs, self.batch_size, self.lr = network, epochs, batch_size, lr
        self.weight_decay, self.image_size, self.flip = weight_decay, image_size, flip
        self.device, self.random_state = device, random_state

    def fit(self, X: Any, y: Any) -> ImageClassifier:
        """Fine-tune a fresh network.

        Parameters
        ----------
        X : array-like of images or sequence of paths
        y : array-like, shape (n,)
            Classes.

        Returns
        -------
        ImageClassifier
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        images = self._images(X, codes)
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        with _seeded(self.random_state):
            self.net_ = NeuralNetClassifier(
                _Scaled(self._network(), self._size(), self.flip),
                criterion=torch.nn.CrossEntropyLoss,
                optimizer=torch.optim.AdamW,
                optimizer__weight_decay=self.weight_decay,
                lr=self.lr,
                max_epochs=self.epochs,
                batch_size=self.batch_size,
                iterator_train__shuffle=True,
                train_split=None,
                classes=range(len(self.classes_)),
                callbacks=[
                    LRScheduler(
                        torch.optim.lr_scheduler.CosineAnnealingLR,
                        T_max=self.epochs * -(-len(images) // self.batch_size),
                        step_every="batch",
                    )
                ],
                device=device,
                verbose=0,
            )
            self.net_.fit(images, None if isinstance(images, _Files) else codes.astype(np.int64))
        return self

    def predict_proba(self, X: Any) -> Float64s:
        """Class probabilities, shape (n, n_classes), columns in the order of ``classes_``."""
        return np.asarray(self.net_.predict_proba(self._images(X)), dtype=np.float64)

    def predict(self, X: Any) -> Any:
        """The most probable class of each image."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _network(self) -> Any:
        if isinstance(self.network, str):
            return _pretrained(self.network, len(self.classes_))
        return self.network(len(self.classes_))

    def _size(self) -> int | None:
        return 224 if self.image_size is None and isinstance(self.network, str) else self.image_size

    def _images(self, X: Any, codes: Any = None) -> Any:
        if not len(X):
            raise InputError("there are no images.")
        one = next(iter(X))
        if isinstance(one, str) or hasattr(one, "__fspath__"):
            size = self._size()
            if size is None:
                raise InputError("images given as files need image_size.")
            return _Files(list(X), size, np.zeros(len(X), np.int64) if codes is None else codes)
        pixels = np.asarray(X)
        if pixels.ndim == 3:
            pixels = pixels[..., None]
        if pixels.ndim != 4 or pixels.shape[3] not in (1, 3):
            raise InputError(f"images need shape (n, height, width, 3), got {np.shape(X)}.")
        if pixels.dtype == np.uint8:
            return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        if pixels.dtype.kind != "f" or not (pixels.min() >= 0 and pixels.max() <= 1):
            raise InputError("pixels must be uint8, or floats between 0 and 1.")
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)


def resnet18() -> ImageClassifier:
    """ResNet-18 fine-tuned: the paper's single model for images."""
    return ImageClassifier("resnet18")


def resnets() -> list[ImageClassifier]:
    """ResNet-18, -34 and -50 fine-tuned: the paper's ensemble for images."""
    return [ImageClassifier(name) for name in ("resnet18", "resnet34", "resnet50")]


def _pretrained(name: str, n_classes: int) -> Any:
    try:
        import torchvision

        return with_new_head(torchvision.models.get_model(name, weights="DEFAULT"), n_classes)
    except (ImportError, RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"cannot load {name!r} with its weights from torchvision: {error}. Check the name, the "
            "installation and the network, or give a function that makes the network."
        ) from error


def with_new_head(network: Any, n_classes: int) -> Any:
    """The network with its last linear layer replaced by an untrained one for ``n_classes`` classes.

    Raises
    ------
    ValueError
        If it has no linear layer.
    """
    linear = [name for name, part in network.named_modules() if isinstance(part, torch.nn.Linear)]
    if not linear or not linear[-1]:
        raise ValueError("the network has no linear layer to replace")
    parent, _, attribute = linear[-1].rpartition(".")
    width = network.get_submodule(linear[-1]).in_features
    setattr(network.get_submodule(parent), attribute, torch.nn.Linear(width, n_classes))
    return network


class _Scaled(torch.nn.Module):
    """Pixels to the size and scale of the network; runs where the network runs."""

    def __init__(self, network: Any, size: int | None, flip: bool) -> None:
        super().__init__()
        self.network, self.size, self.flip = network, size, flip
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("sd", torch.tensor(_SD).view(1, 3, 1, 1))

    def forward(self, pixels: Any) -> Any:
        x = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
        if self.size is not None and x.shape[-2:] != (self.size, self.size):
            x = torch.nn.functional.interpolate(
                x, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            )
        if self.training and self.flip:
            mirrored = torch.rand(len(x), device=x.device) < 0.5
            x = torch.where(mirrored[:, None, None, None], x.flip(-1), x)
        return self.network((x - self.mean) / self.sd)


class _Files(torch.utils.data.Dataset[Any]):
    """Image files, read when they are needed."""

    def __init__(self, paths: list[Any], size: int, codes: Any) -> None:
        self.paths, self.size, self.codes = paths, size, codes

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(self.paths[index]) as image:
                pixels = np.array(image.convert("RGB").resize((self.size, self.size)))
        except (OSError, UnidentifiedImageError) as error:
            raise InputError(f"{self.paths[index]} cannot be read as an image: {error}.") from None
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()), int(self.codes[index])


@contextlib.contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    if seed is None:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
