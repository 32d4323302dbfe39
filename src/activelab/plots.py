"""Figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from activelab._extras import needs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from activelab.simulation import Curves, PublishedCurve

__all__ = ["compared_curves", "learning_curves"]


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
    with needs("plots", "a figure"):
        from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, (x, y) in curves.items():
        axes.plot(x, y, marker="o", markersize=4, label=name)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def compared_curves(
    panels: Mapping[str, tuple[Mapping[str, Curves], Sequence[PublishedCurve]]],
    *,
    ylabel: str = "test accuracy",
) -> Figure:
    """Panels of learning curves: mean and standard deviation over trials, published ones dashed.

    Parameters
    ----------
    panels : mapping of str to (curves by method, published curves)
        By title.
    ylabel : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    with needs("plots", "a figure"):
        from matplotlib.figure import Figure

    width = min(len(panels), 3)
    height = -(-len(panels) // width)
    figure = Figure(figsize=(5.6 * width, 4.2 * height), layout="constrained")
    grid = figure.subplots(height, width, squeeze=False)
    methods = sorted({method for curves, _ in panels.values() for method in curves})
    colours = {method: f"C{number}" for number, method in enumerate(methods)}
    for axes, (title, (curves, published)) in zip(grid.flat, panels.items(), strict=False):
        for method, one in curves.items():
            x, y = one.num_annotations.mean(axis=0), one.accuracy.mean(axis=0)
            sd = one.accuracy.std(axis=0, ddof=1) if len(one.accuracy) > 1 else 0 * y
            axes.plot(x, y, color=colours[method], label=method)
            axes.fill_between(x, y - sd, y + sd, color=colours[method], alpha=0.15, linewidth=0)
        start = min(one.num_annotations[:, 0].mean() for one in curves.values())
        for other in published:
            if other.method in colours:
                axes.plot(
                    start + other.num_labels,
                    other.mean,
                    color=colours[other.method],
                    linestyle="--",
                    linewidth=1,
                    label=f"{other.method}, published",
                )
        axes.set(title=title, xlabel="labels collected", ylabel=ylabel)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    return figure
