"""Tables of strategies compared over settings, as `benchmarks/label_efficiency.py` writes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from activelab._errors import unknown
from activelab.simulation import Curves, Efficiency, efficiency, labels_to_reach


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
        f"95 % intervals; {', '.join(map(str, trials))} paired trials. At the start: the initial labels are "
        "enough, the least a share can be.",
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
    lines += ["", *_needed(settings, strategies, baseline)]
    return "\n".join(lines) + "\n"


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
    return f"{one.share:.2f} ({one.low:.2f}–{one.high:.2f}){', at the start' if one.at_start else ''}"


def _mean(found: list[Efficiency | None]) -> str:
    """Mean share, in which never reached counts as 1; and without those that rest on the initial labels."""
    given = [one for one in found if one is not None]
    shares = np.array([1.0 if np.isnan(one.share) else one.share for one in given])
    start = np.array([one.at_start for one in given], dtype=bool)
    missed = sum(bool(np.isnan(one.share)) for one in given)
    text = f"**{shares.mean():.2f}**"
    text += f" at least, {missed} not reached" if missed else ""
    if start.any() and not start.all():
        text += f"; {shares[~start].mean():.2f} without {start.sum()} at the start"
    return text


def _gain(one: Efficiency | None) -> str:
    return "–" if one is None else f"{one.gain:+.4f} ± {one.error:.4f}"


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
