"""Figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["learning_curves"]


def learning_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str = "",
    xlabel: str = "labels collected",
    ylabel: str = "test accuracy",
) -> Figure:
    """One line a method: how accuracy grows with the number of labels.

    Parameters
    ----------
    curves : mapping of str to (x, y)
        Points of each named curve.
    title, xlabel, ylabel : str

    Returns
    -------
    matplotlib.figure.Figure
        Drawn without pyplot: it opens no window and leaves no global state.

    Examples
    --------
    >>> from activelab.plots import learning_curves
    >>> figure = learning_curves({"activelab": ([100, 200], [0.8, 0.9])})
    >>> figure.axes[0].get_ylabel()
    'test accuracy'
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, (x, y) in curves.items():
        axes.plot(x, y, marker="o", markersize=4, label=name)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
