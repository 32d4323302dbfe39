"""Tables of strategies compared over settings, as `benchmarks/label_efficiency.py` writes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from activelab._errors import unknown
from activelab.simulation import Curves, Efficiency, efficiency, labels_to_reach


def efficiency_markdown(
    settings: Mapping[str, Mapping[str, Curves]],
    baseline: str = "activelab",
    compared: str = "frugal",
) -> str:
    """Tables over settings: the share of the baseline's labels each strategy needs, and areas compared.

    Areas are compared with those of ``compared``, too, if it is among the strategies.

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
        f"95 % intervals; {', '.join(map(str, trials))} paired trial{'s' * (trials != [1])}. "
        "At the start: the initial labels are enough, the least a share can be.",
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
    lines += ["", *_last_shares(settings, strategies, baseline)]
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
    if compared in others:
        lines += ["", *_compared(settings, [name for name in others if name != compared], compared)]
    lines += ["", *_needed(settings, strategies, baseline)]
    return "\n".join(lines) + "\n"


def _last_shares(
    settings: Mapping[str, Mapping[str, Curves]], strategies: list[str], baseline: str
) -> list[str]:
    """Shares by the last crossing, and what the baseline needs of itself: how good a yardstick it is."""
    found = [
        [efficiency(curves[name], curves[baseline]) if name in curves else None for name in strategies]
        for curves in settings.values()
    ]
    ones = [of_setting[strategies.index(baseline)] for of_setting in found]
    first = np.mean([np.nan_to_num(one.share, nan=1.0) for one in ones if one is not None])
    return [
        "The same by the last crossing of the running mean of three rounds, after which it stays there. "
        f"`{baseline}` against itself shows what the yardstick is worth: by the first crossing, as above, it "
        f"needs {first:.2f} of its own annotations on the mean.",
        "",
        _row(["setting", *(f"`{name}`" for name in strategies)]),
        _row(["---"] * (len(strategies) + 1)),
        *(
            _row([setting, *("–" if one is None else _share(one.last_share) for one in of_setting)])
            for setting, of_setting in zip(settings, found, strict=True)
        ),
        _row(
            [
                "**mean**",
                *(
                    _mean_share([None if one is None else one.last_share for one in of])
                    for of in zip(*found, strict=True)
                ),
            ]
        ),
    ]


def _compared(
    settings: Mapping[str, Mapping[str, Curves]], strategies: list[str], compared: str
) -> list[str]:
    """Areas against those of another strategy."""
    lines = [
        f"The same against the area of `{compared}`:",
        "",
        _row(["setting", f"`{compared}`", *(f"`{name}`" for name in strategies)]),
        _row(["---"] * (len(strategies) + 2)),
    ]
    gains: dict[str, list[float]] = {name: [] for name in strategies}
    for setting, curves in settings.items():
        if compared not in curves:
            continue
        found = [
            efficiency(curves[name], curves[compared]) if name in curves else None for name in strategies
        ]
        for name, one in zip(strategies, found, strict=True):
            gains[name] += [] if one is None else [one.gain]
        lines.append(_row([setting, f"{curves[compared].area.mean():.3f}", *map(_gain, found)]))
    return [*lines, _row(["**mean**", "", *(f"{np.mean(one):+.3f}" for one in gains.values())])]


def _needed(settings: Mapping[str, Mapping[str, Curves]], strategies: list[str], baseline: str) -> list[str]:
    """Annotations with which the mean accuracy reaches a half, three quarters and all of the way."""
    lines = [
        f"Annotations for an accuracy, initial ones included: a half, three quarters and all of the way of "
        f"`{baseline}` from its start to its end.",
        "",
        _row(["setting", "accuracy", *(f"`{name}`" for name in strategies)]),
        _row(["---"] * (len(strategies) + 2)),
    ]
    for setting, curves in settings.items():
        base = curves[baseline].accuracy.mean(axis=0)
        for part in (0.5, 0.75, 1.0):
            target = float(base[0] + part * (base[-1] - base[0]))
            cells = []
            for name in strategies:
                found = float("nan")
                if name in curves:
                    one = curves[name]
                    labels, mean = one.num_annotations.mean(axis=0), one.accuracy.mean(axis=0)
                    found = labels_to_reach(labels, mean, target)
                cells.append("–" if np.isnan(found) else f"{found:,.0f}")
            lines.append(_row([setting if part == 0.5 else "", f"{target:.3f}", *cells]))
    return lines


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _shown(one: Efficiency | None) -> str:
    if one is None:
        return "–"
    if np.isnan(one.share):
        return "not reached"
    text = f"{one.share:.2f}" if one.low == one.high else f"{one.share:.2f} ({one.low:.2f}–{one.high:.2f})"
    return text + (", at the start" if one.at_start else "")


def _share(share: float) -> str:
    return "not reached" if np.isnan(share) else f"{share:.2f}"


def _mean(found: list[Efficiency | None]) -> str:
    """Mean share, and that without those that rest on the initial labels."""
    text = _mean_share([None if one is None else one.share for one in found])
    later = [one.share for one in found if one is not None and not one.at_start]
    start = sum(one is not None and one.at_start for one in found)
    if start and later:
        text += f"; {np.mean(np.nan_to_num(later, nan=1.0)):.2f} without {start} at the start"
    return text


def _mean_share(found: list[float | None]) -> str:
    """Mean share; where the accuracy was never reached it counts as 1."""
    given = [one for one in found if one is not None]
    missed = sum(map(bool, np.isnan(given)))
    text = f"**{np.mean(np.nan_to_num(given, nan=1.0)):.2f}**"
    return text + (f" at least, {missed} not reached" if missed else "")


def _gain(one: Efficiency | None) -> str:
    if one is None:
        return "–"
    return f"{one.gain:+.4f}" + ("" if np.isnan(one.error) else f" ± {one.error:.4f}")


def strategies_markdown(settings: Mapping[str, Mapping[str, Curves]], baseline: str = "activelab") -> str:
    """One table of many strategies: a row each, with the difference in area and the share of labels.

    Raises
    ------
    InputError
        If a setting lacks the baseline.
    """
    for curves in settings.values():
        if baseline not in curves:
            raise unknown("baseline", baseline, list(curves))
    trials = sorted({len(curves[baseline].accuracy) for curves in settings.values()})
    strategies = list(dict.fromkeys(name for curves in settings.values() for name in curves))
    lines = [
        f"Difference in the area under the curve to `{baseline}`, paired over {', '.join(map(str, trials))} "
        "trials, ± standard error; and the share of its annotations for its final accuracy.",
        "",
        _row(["strategy", *settings, "mean"]),
        _row(["---"] * (len(settings) + 2)),
    ]
    for name in strategies:
        found = [efficiency(curves[name], curves[baseline]) for curves in settings.values() if name in curves]
        cells = [f"{_gain(one)}; {'–' if np.isnan(one.share) else f'{one.share:.2f}'}" for one in found]
        lines.append(_row([f"`{name}`", *cells, f"{np.mean([one.gain for one in found]):+.3f}"]))
    return "\n".join(lines) + "\n"
