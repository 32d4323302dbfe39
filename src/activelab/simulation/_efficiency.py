"""Labels a strategy needs for the accuracy another ends with, over many settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activelab._errors import unknown
from activelab._typing import Float64s
from activelab.simulation._summary import Curves, mean_and_error

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
    new_share : float
        The same of the annotations collected after the initial ones.
    gain, error : float
        Difference in the area under the curve, mean and standard error over paired trials.
    """

    share: float
    low: float
    high: float
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
    return Efficiency(share, float(low), float(high), (share * end - start) / (end - start), gain, error)


def _share(labels: Float64s, accuracy: Float64s, base_labels: Float64s, base: Float64s) -> float:
    target, end = float(base[:, -1].mean()), float(base_labels[:, -1].mean())
    x, y = labels.mean(axis=0), accuracy.mean(axis=0)
    reached = np.flatnonzero(y >= target)
    if not len(reached):
        return float("nan")
    at = int(reached[0])
    if at == 0:
        return float(x[0] / end)
    part = (target - y[at - 1]) / (y[at] - y[at - 1])
    return float((x[at - 1] + part * (x[at] - x[at - 1])) / end)


def efficiency_markdown(settings: Mapping[str, Mapping[str, Curves]], baseline: str = "activelab") -> str:
    """Tables over settings: the share of the baseline's labels each strategy needs, and areas compared.

    Raises
    ------
    InputError
        If a setting lacks the baseline.
    """
    for curves in settings.values():
        if baseline not in curves:
            raise unknown("baseline", baseline, list(curves))
    strategies = list(dict.fromkeys(name for curves in settings.values() for name in curves))
    others = [name for name in strategies if name != baseline]
    found = {
        (setting, name): efficiency(curves[name], curves[baseline])
        for setting, curves in settings.items()
        for name in others
        if name in curves
    }
    trials = sorted({len(curves[baseline].accuracy) for curves in settings.values()})
    lines = [
        f"Share of the annotations of `{baseline}` with which a strategy reaches its final accuracy, with "
        f"95 % intervals; {', '.join(map(str, trials))} paired trials.",
        "",
        _row(["setting", f"final accuracy of `{baseline}`", *(f"`{name}`" for name in others)]),
        _row(["---"] * (len(others) + 2)),
    ]
    for setting, curves in settings.items():
        end = curves[baseline].num_annotations[:, -1].mean()
        final = f"{curves[baseline].final.mean():.3f} at {end:,.0f}"
        cells = [_shown(found.get((setting, name))) for name in others]
        lines.append(_row([setting, final, *cells]))
    means = [_mean([found.get((setting, name)) for setting in settings]) for name in others]
    lines.append(_row(["**mean**", "", *means]))
    lines += [
        "",
        f"Area under the curve (mean accuracy over the rounds), and its difference to that of `{baseline}`, "
        "paired, ± standard error:",
        "",
        _row(["setting", f"`{baseline}`", *(f"`{name}`" for name in others)]),
        _row(["---"] * (len(others) + 2)),
    ]
    for setting, curves in settings.items():
        cells = [_gain(found.get((setting, name))) for name in others]
        lines.append(_row([setting, f"{curves[baseline].area.mean():.3f}", *cells]))
    gains = [[found[s, name].gain for s in settings if (s, name) in found] for name in others]
    lines.append(_row(["**mean**", "", *(f"{np.mean(one):+.3f}" for one in gains)]))
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _shown(one: Efficiency | None) -> str:
    if one is None:
        return "–"
    if np.isnan(one.share):
        return "not reached"
    return f"{one.share:.2f} ({one.low:.2f}–{one.high:.2f})"


def _mean(found: list[Efficiency | None]) -> str:
    """Mean share; where the accuracy was never reached it counts as 1."""
    shares = [1.0 if np.isnan(one.share) else one.share for one in found if one is not None]
    missed = sum(one is not None and bool(np.isnan(one.share)) for one in found)
    text = f"**{np.mean(shares):.2f}**"
    return text + (f" at least, {missed} not reached" if missed else "")


def _gain(one: Efficiency | None) -> str:
    return "–" if one is None else f"{one.gain:+.4f} ± {one.error:.4f}"
