"""Acquisition methods by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._registry import Registry, instance_of, seeded
from activelab._typing import Float64s, Models
from activelab.acquisition._active_label_cleaning import ActiveLabelCleaning
from activelab.acquisition._activelab import ActiveLab
from activelab.acquisition._base import Acquisition
from activelab.acquisition._disagreement import Disagreement
from activelab.acquisition._expected_loss import ExpectedLoss
from activelab.acquisition._frugal import Frugal
from activelab.acquisition._random import GoodRandom, Random, RelabelRandom
from activelab.acquisition._uncertainty import Entropy, Uncertainty
from activelab.labels import Labels

_BUILT_IN = {
    "activelab": ActiveLab,
    "frugal": Frugal,
    "expected_loss": ExpectedLoss,
    "random": Random,
    "good_random": GoodRandom,
    "relabel_random": RelabelRandom,
    "entropy": Entropy,
    "uncertainty": Uncertainty,
    "active_label_cleaning": ActiveLabelCleaning,
    "disagreement": Disagreement,
}


class _FunctionMethod(Acquisition):
    """A plain function as a method; its result is checked."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        pred_probs = models[0][None] if len(models) == 1 else np.stack(models)
        scores = np.asarray(
            self.function(labels, pred_probs, **seeded(self.function, seed)), dtype=np.float64
        )
        if scores.shape != (labels.n_examples,) or np.isnan(scores).any():
            raise InputError(
                f"method {self.name!r} must return {labels.n_examples} scores without NaN, "
                f"got shape {scores.shape}."
            )
        return scores


METHODS: Registry[Acquisition] = Registry(
    "method",
    "activelab.acquisition",
    _BUILT_IN,
    instance_of(Acquisition, "method", _FunctionMethod),
    aliases=["recommended", "taught"],
)


def methods() -> list[str]:
    """Names of the acquisition methods: built in, registered, and of installed packages."""
    return METHODS.names()


def get_method(method: str | Acquisition | type[Acquisition] | Callable[..., Any]) -> Acquisition:
    """The acquisition method of a name or import path ``module:attribute``; an `Acquisition` as it is.

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
    return METHODS.get(method)
