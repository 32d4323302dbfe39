"""ActiveLab: re-label or label next by one score (mathematics.md §7)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from activelab._conventions import PAPER, Conventions
from activelab._typing import Float64s, Models
from activelab.acquisition._assessment import Assessment, assess_pool
from activelab.acquisition._base import Acquisition
from activelab.acquisition._lowest import Lowest
from activelab.calibration import TemperatureScaling
from activelab.labels import Labels


class ActiveLab(Acquisition):
    """The ActiveLab score of the paper [A eq. 1, 2, 5, 6; appendix H for single labels].

    The score of an example is the weighted mean, at its most likely class, of the models, of its
    annotators, and of one imaginary annotator who knows nothing. Labelled and unlabelled examples are
    scored on one scale, in (0, 1].

    Parameters
    ----------
    calibrate : bool
        Calibrate the models first (see `TemperatureScaling`).
    conventions : Conventions
        Choices on which paper and reference implementation differ; the paper's by default.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0], [1, 0], [1, 1], [1, 1], [None, None]])
    >>> pred_probs = [[0.8, 0.2], [0.5, 0.5], [0.1, 0.9], [0.6, 0.4], [0.52, 0.48]]
    >>> al.ActiveLab().score(labels, pred_probs).round(2)
    array([0.79, 0.5 , 0.82, 0.62, 0.52])
    """

    by_example: ClassVar[bool] = True

    def __init__(self, calibrate: bool = True, conventions: Conventions = PAPER) -> None:
        self.calibrate, self.conventions = calibrate, conventions

    def score_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Float64s:
        return self.assess_models(labels, models, seed=seed).scores

    def assess_models(self, labels: Labels, models: Models, *, seed: int = 0) -> Assessment:
        """Scores with the temperatures, weights and consensus they rest on."""
        return self._assess(labels, models, seed, None)

    def assess_lowest(self, labels: Labels, models: Models, size: int, *, seed: int = 0) -> Assessment:
        if type(self) is not ActiveLab:
            return super().assess_lowest(labels, models, size, seed=seed)
        return self._assess(labels, models, seed, Lowest(size))

    def _assess(self, labels: Labels, models: Models, seed: int, lowest: Lowest | None) -> Assessment:
        temperature = np.ones(len(models))
        notes: tuple[str, ...] = ()
        if self.calibrate:
            scaling = TemperatureScaling(search=self.conventions.temperature)
            scaling.fit_models(labels, models)
            temperature, notes = scaling.temperature_, scaling.notes_
        return assess_pool(
            labels,
            models,
            temperature,
            calibrated=self.calibrate,
            seed=seed,
            conventions=self.conventions,
            notes=notes,
            lowest=lowest,
        )
