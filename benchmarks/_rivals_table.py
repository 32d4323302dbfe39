"""Tables of rivals beside the package's strategies, as `label_efficiency.py rivals` writes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from _rivals import RIVALS
from activelab.simulation import Curves, labels_to_reach

_NAMES = {text: name for name, text in RIVALS.items()}
_CHALLENGED = ("taught", "taught+assignment=thompson+max_share=0.2")


def rivals_markdown(settings: Mapping[str, Mapping[str, Curves]], baseline: str = "activelab") -> str:
    """Area and share of annotations against the baseline, and the package's strategies against each rival."""
    strategies = list(dict.fromkeys(name for curves in settings.values() for name in curves))
    trials = sorted({len(one.accuracy) for curves in settings.values() for one in curves.values()})
    head = ["", *settings, "mean"]
    lines = [
        f"Area under the curve (mean accuracy over the rounds) less that of `{baseline}`, paired over "
        f"{', '.join(map(str, trials))} trials, ± standard error:",
        "",
        _row(head),
        _row(["---"] * len(head)),
        _row(
            [
                f"`{baseline}`: area",
                *(f"{curves[baseline].area.mean():.3f}" for curves in settings.values()),
                "",
            ]
        ),
    ]
    for name in strategies:
        if name != baseline:
            found = [_difference(curves, name, baseline) for curves in settings.values()]
            lines.append(_row([_title(name), *map(_signed, found), _mean_of(found)]))
    lines += [
        "",
        f"Share of the annotations of `{baseline}` with which the mean curve first reaches its final "
        "accuracy, and from which on it stays there; – where it does not, counted as 1 in the mean:",
        "",
        _row(head),
        _row(["---"] * len(head)),
    ]
    for name in strategies:
        shares = [_shares(curves, name, baseline) for curves in settings.values()]
        cells = ["" if one is None else " / ".join(map(_number, one)) for one in shares]
        mean = np.mean([np.nan_to_num(one, nan=1.0) for one in shares if one is not None], axis=0)
        lines.append(_row([_title(name), *cells, " / ".join(map(_number, mean))]))
    lines += ["", *_challenges(settings, strategies)]
    return "\n".join(lines) + "\n"


def _challenges(settings: Mapping[str, Mapping[str, Curves]], strategies: list[str]) -> list[str]:
    """The package's strategies against each rival, and against its own default."""
    rivals = [name for name in strategies if name in _NAMES or name == "recommended"]
    lines = [
        "Area of the package's strategy less that of the rival: mean over the settings the rival ran in, the "
        "least of them, and in how many the strategy is behind by more than two standard errors:",
        "",
        _row(["rival", *(_title(name) for name in _CHALLENGED)]),
        _row(["---"] * (1 + len(_CHALLENGED))),
    ]
    for rival in rivals:
        cells = []
        for name in _CHALLENGED:
            found = [_difference(curves, name, rival) for curves in settings.values() if rival in curves]
            pairs = [one for one in found if one is not None]
            behind = sum(mean < -2 * error for mean, error in pairs)
            least = min(pairs)
            cells.append(f"{_mean_of(found)}; {_signed(least)}; {behind}")
        lines.append(_row([_title(rival), *cells]))
    return lines


def _difference(curves: Mapping[str, Curves], one: str, other: str) -> tuple[float, float] | None:
    """Mean and standard error of the paired difference in area; the longer run is cut to the shorter."""
    if one not in curves or other not in curves:
        return None
    a, b = curves[one].accuracy, curves[other].accuracy
    trials, rounds = min(len(a), len(b)), min(a.shape[1], b.shape[1])
    each = (a[:trials, :rounds] - b[:trials, :rounds]).mean(axis=1)
    error = float(each.std(ddof=1) / np.sqrt(trials)) if trials > 1 else float("nan")
    return float(each.mean()), error


def _shares(curves: Mapping[str, Curves], name: str, baseline: str) -> tuple[float, float] | None:
    """First and last crossing of the baseline's final accuracy, as shares of its annotations."""
    if name not in curves:
        return None
    labels, accuracy = (part.mean(axis=0) for part in (curves[name].num_annotations, curves[name].accuracy))
    target = float(curves[baseline].final.mean())
    end = float(curves[baseline].num_annotations[:, -1].mean())
    below = np.flatnonzero(accuracy < target)
    stays = int(below[-1]) if len(below) else 0
    last = labels_to_reach(labels[stays:], accuracy[stays:], target)
    return labels_to_reach(labels, accuracy, target) / end, last / end


def _title(name: str) -> str:
    return _NAMES.get(name, f"`{name}`")


def _signed(found: tuple[float, float] | None) -> str:
    return "" if found is None else f"{found[0]:+.3f} ± {found[1]:.3f}"


def _mean_of(found: list[tuple[float, float] | None]) -> str:
    return f"{np.mean([one[0] for one in found if one is not None]):+.3f}"


def _number(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.2f}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
