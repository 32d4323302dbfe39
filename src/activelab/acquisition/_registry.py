"""Acquisition methods by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from activelab._errors import InputError, unknown
from activelab._typing import Float64s, Models
from activelab.acquisition._active_label_cleaning import ActiveLabelCleaning
from activelab.acquisition._activelab import ActiveLab
from activelab.acquisition._base import Acquisition
from activelab.acquisition._disagreement import Disagreement
from activelab.acquisition._frugal import Frugal
from activelab.acquisition._random import GoodRandom, Random, RelabelRandom
from activelab.acquisition._uncertainty import Entropy, Uncertainty
from activelab.labels import Labels

_METHODS: dict[str, Callable[[], Acquisition]] = {
    "activelab": ActiveLab,
    "frugal": Frugal,
    "recommended": Frugal,
    "random": Random,
    "good_random": GoodRandom,
    "relabel_random": RelabelRandom,
    "entropy": Entropy,
    "uncertainty": Uncertainty,
    "active_label_cleaning": ActiveLabelCleaning,
    "disagreement": Disagreement,
}

_Method = TypeVar("_Method", bound=Callable[..., Any])


def methods() -> list[str]:
    """Names of the registered acquisition methods."""
    return list(_METHODS)


def get_method(method: str | Acquisition | type[Acquisition]) -> Acquisition:
    """The acquisition method of a name; an `Acquisition` is returned as it is.

    Raises
    ------
    InputError
        If the name is unknown; the message suggests the nearest one.

    Examples
    --------
    >>> import activelab as al
    >>> type(al.get_method("entropy")).__name__
    'Entropy'
    """
    if isinstance(method, Acquisition):
        return method
    if isinstance(method, type) and issubclass(method, Acquisition):
        return method()
    if not isinstance(method, str):
        raise InputError(f"method must be a name or an Acquisition, got {type(method).__name__}.")
    if method not in _METHODS:
        raise unknown("method", method, methods())
    return _METHODS[method]()


def register(name: str) -> Callable[[_Method], _Method]:
    """Register a user's own acquisition method under a name.

    Decorates an `Acquisition` class that needs no arguments, or a function ``f(labels, pred_probs)``
    (optionally with a parameter ``seed``) that returns one score an example, the lowest first.
    ``pred_probs`` always has shape ``(n_models, n_examples, n_classes)``.

    Raises
    ------
    InputError
        If the name is taken.

    Examples
    --------
    >>> import numpy as np
    >>> import activelab as al
    >>> @al.register("least_margin")
    ... def least_margin(labels, pred_probs):
    ...     top = np.sort(pred_probs.mean(axis=0), axis=1)
    ...     return top[:, -1] - top[:, -2]
    >>> labels = al.Labels.from_wide([[0, 1], [1, None]])
    >>> al.suggest(labels, [[0.5, 0.5], [0.1, 0.9]], batch_size=1, method="least_margin").examples.tolist()
    [0]
    """

    def add(method: _Method) -> _Method:
        if name in _METHODS:
            raise InputError(f"an acquisition method named {name!r} is already registered.")
        if isinstance(method, type):
            _METHODS[name] = method
        else:
            _METHODS[name] = lambda: _FunctionMethod(name, method)
        return method

    return add


class _FunctionMethod(Acquisition):
    """A plain function as a method; its result is checked."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function
        self.seeded = "seed" in inspect.signature(function).parameters

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        pred_probs = models[0][None] if len(models) == 1 else np.stack(models)
        options = {"seed": seed} if self.seeded else {}
        scores = np.asarray(self.function(labels, pred_probs, **options), dtype=np.float64)
        if scores.shape != (labels.n_examples,) or np.isnan(scores).any():
            raise InputError(
                f"method {self.name!r} must return {labels.n_examples} scores without NaN, "
                f"got shape {scores.shape}."
            )
        return scores
