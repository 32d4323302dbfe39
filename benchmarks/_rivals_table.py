"""Tables of rivals beside the package's strategies, as `label_efficiency.py rivals` writes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from _rivals import RIVALS
from activelab.simulation import Curves, Efficiency, efficiency

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
            found = [_against(curves, name, baseline) for curves in settings.values()]
            lines.append(_row([_title(name), *map(_signed, found), _mean_of(found)]))
    lines += [
        "",
        f"Share of the annotations of `{baseline}` for its final accuracy: by the first crossing of the mean "
        "curve / by the last crossing of its running mean of three rounds. – where there is none, which "
        "counts as 1 in the mean:",
        "",
        _row(head),
        _row(["---"] * len(head)),
    ]
    for name in strategies:
        found = [_against(curves, name, baseline) for curves in settings.values()]
        shares = [None if one is None else (one.share, one.last_share) for one in found]
        cells = ["" if one is None else " / ".join(map(_number, one)) for one in shares]
        mean = np.mean([np.nan_to_num(one, nan=1.0) for one in shares if one is not None], axis=0)
        lines.append(_row([_title(name), *cells, " / ".join(map(_number, mean))]))
    lines += ["", *_challenges(settings, strategies)]
    return "\n".join(lines) + "\n"


def _challenges(settings: Mapping[str, Mapping[str, Curves]], strategies: list[str]) -> list[str]:
    """The package's strategies against each rival, and against its own default."""
    rivals = [name for name in strategies if name in _NAMES or name == "frugal"]
    lines = [
        "Area of the package's strategy less that of the rival: mean over the settings the rival ran in ± "
        "standard error over them; the least of them; in how many the strategy is behind by more than two "
        "standard errors of that setting:",
        "",
        _row(["rival", *(_title(name) for name in _CHALLENGED)]),
        _row(["---"] * (1 + len(_CHALLENGED))),
    ]
    for rival in rivals:
        cells = []
        for name in _CHALLENGED:
            found = [_against(curves, name, rival) for curves in settings.values()]
            given = [one for one in found if one is not None]
            behind = sum(one.gain < -2 * one.error for one in given)
            least = min(given, key=lambda one: one.gain)
            error = np.std([one.gain for one in given], ddof=1) / np.sqrt(len(given))
            cells.append(f"{_mean_of(found)} ± {error:.3f}; {_signed(least)}; {behind} of {len(given)}")
        lines.append(_row([_title(rival), *cells]))
    return lines


def _against(curves: Mapping[str, Curves], one: str, other: str) -> Efficiency | None:
    """A strategy against another, where both ran."""
    return efficiency(curves[one], curves[other]) if one in curves and other in curves else None


def _title(name: str) -> str:
    return _NAMES.get(name, f"`{name}`")


def _signed(found: Efficiency | None) -> str:
    return "" if found is None else f"{found.gain:+.3f} ± {found.error:.3f}"


def _mean_of(found: list[Efficiency | None]) -> str:
    return f"{np.mean([one.gain for one in found if one is not None]):+.3f}"


def _number(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.2f}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
