"""Labels a strategy needs for the accuracy another ends with, over many settings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelab._typing import Float64s
from activelab.simulation._summary import Curves, labels_to_reach, mean_and_error

_RESAMPLES = 1000


@dataclass(frozen=True)
class Efficiency:
    """A strategy against a baseline in one setting.

    Attributes
    ----------
    share : float
        Annotations, initial ones included, with which the mean accuracy over the trials reaches the
        baseline's final mean accuracy, as a share of the baseline's annotations; NaN if it never does.
    low, high : float
        95 % interval of the share, by the bootstrap over paired trials; a resample that never reaches it
        counts as 1.
    last_share : float
        The same where only the last crossing counts, after which the accuracy stays there, of the mean of
        each round and its neighbours: a curve that goes up and down reaches much for a moment. NaN if it does
        not end there.
    new_share : float
        ``share`` of the annotations collected after the initial ones.
    gain, error : float
        Difference in the area under the curve, mean and standard error over paired trials.
    """

    share: float
    low: float
    high: float
    last_share: float
    new_share: float
    gain: float
    error: float


def efficiency(curves: Curves, baseline: Curves, *, seed: int = 0) -> Efficiency:
    """Compare two strategies whose trials are paired; the longer run is cut to the shorter."""
    length = min(curves.accuracy.shape[1], baseline.accuracy.shape[1])
    size = min(len(curves.accuracy), len(baseline.accuracy))
    labels, accuracy = curves.num_annotations[:size, :length], curves.accuracy[:size, :length]
    base_labels, base = baseline.num_annotations[:size, :length], baseline.accuracy[:size, :length]
    share = _share(labels, accuracy, base_labels, base)
    rng = np.random.default_rng(seed)
    drawn = np.array(
        [
            _share(labels[trials], accuracy[trials], base_labels[trials], base[trials])
            for trials in rng.integers(size, size=(_RESAMPLES, size))
        ]
    )
    low, high = np.quantile(np.nan_to_num(drawn, nan=1.0), [0.025, 0.975])
    start, end = float(base_labels[:, 0].mean()), float(base_labels[:, -1].mean())
    gain, error = mean_and_error(accuracy.mean(axis=1) - base.mean(axis=1))
    last = _last_share(labels, accuracy, base_labels, base)
    return Efficiency(
        share, float(low), float(high), last, (share * end - start) / (end - start), gain, error
    )


def _share(labels: Float64s, accuracy: Float64s, base_labels: Float64s, base: Float64s) -> float:
    target, end = float(base[:, -1].mean()), float(base_labels[:, -1].mean())
    return labels_to_reach(labels.mean(axis=0), accuracy.mean(axis=0), target) / end


def _last_share(labels: Float64s, accuracy: Float64s, base_labels: Float64s, base: Float64s) -> float:
    curve, target = _running_mean(accuracy.mean(axis=0)), _running_mean(base.mean(axis=0))[-1]
    found = labels_to_reach(labels.mean(axis=0), curve, float(target), to_stay=True)
    return found / float(base_labels[:, -1].mean())


def _running_mean(curve: Float64s) -> Float64s:
    """The mean of each round and its neighbours, of which the first and the last round have one."""
    window = np.ones(3)
    return np.asarray(np.convolve(curve, window, "same") / np.convolve(np.ones_like(curve), window, "same"))
