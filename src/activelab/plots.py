"""Figures.

Functions that draw on one pair of axes take it as ``ax=``; all return the figure. Without ``ax=`` it is one
of its own: no window opens, no global state changes, and a notebook shows it as the value of a cell.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from activelab._errors import InputError
from activelab._extras import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from activelab._typing import Float64s, Ints
    from activelab.agreement import PairwiseKappa
    from activelab.consensus import AnnotatorTable, Consensus
    from activelab.labels import Labels
    from activelab.planning import Batch
    from activelab.simulation import Curves, PublishedCurve

__all__ = [
    "agreement_heatmap",
    "annotator_intervals",
    "batch_composition",
    "compared_curves",
    "confusion_matrix",
    "labels_over_time",
    "learning_curves",
    "quality_histogram",
    "reliability",
]

_MANY = 40  # annotators or classes beyond which names are not readable


def learning_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str = "",
    xlabel: str = "labels collected",
    ylabel: str = "test accuracy",
    ax: Axes | None = None,
) -> Figure:
    """One line a method: how accuracy grows with the number of labels.

    Parameters
    ----------
    curves : mapping of str to (x, y)
        Points of each named curve.
    title, xlabel, ylabel : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from activelab.plots import learning_curves
    >>> figure = learning_curves({"activelab": ([100, 200], [0.8, 0.9])})
    >>> figure.axes[0].get_ylabel()
    'test accuracy'
    """
    axes = _axes(ax)
    for name, (x, y) in curves.items():
        axes.plot(x, y, marker="o", markersize=4, label=name)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    if curves:
        axes.legend()
    return _figure(axes)


def reliability(
    quality: Any, right: Any, *, bins: int = 10, title: str = "", ax: Axes | None = None
) -> Figure:
    """How far stated quality can be believed: the share of right labels by their quality.

    Examples are binned by quality, as many to each bin; a point is the mean quality of a bin and the share of
    its labels that are right, its bar the 95 % interval of Wilson (1927). On the diagonal quality is a
    probability.

    Parameters
    ----------
    quality : array-like of float in [0, 1], shape (n,)
        Stated quality, such as ``consensus.quality``; NaN is left out.
    right : array-like of bool, shape (n,)
        Whether the label is right, as far as it is known: ``consensus.label_ids == truth``.
    bins : int
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the two differ in length, or nothing has a quality.

    Examples
    --------
    >>> from activelab.plots import reliability
    >>> reliability([0.6, 0.7, 0.9, 1.0], [False, True, True, True], bins=2).axes[0].get_xlabel()
    'stated quality'
    """
    stated, known = np.asarray(quality, dtype=np.float64), np.asarray(right)
    if stated.ndim != 1 or stated.shape != known.shape:
        raise InputError(
            f"quality and right must be of one length, got shapes {stated.shape} and {known.shape}."
        )
    given = np.isfinite(stated)
    if not given.any():
        raise InputError("no example has a quality.")
    stated, known = stated[given], known[given].astype(np.float64)
    parts = [part for part in np.array_split(np.argsort(stated, kind="stable"), bins) if len(part)]
    x, y = (np.array([values[part].mean() for part in parts]) for values in (stated, known))
    low, high = _wilson(y, np.array([len(part) for part in parts]))
    axes = _axes(ax)
    axes.plot([0, 1], [0, 1], color="0.5", linestyle="--", linewidth=1)
    axes.errorbar(x, y, yerr=[y - low, high - y], marker="o", markersize=4, capsize=3)
    start = max(min(x.min(), low.min()) - 0.05, 0)
    axes.set(title=title, xlabel="stated quality", ylabel="share that is right", xlim=(start, 1.02))
    axes.set_ylim(start, 1.02)
    axes.grid(alpha=0.3)
    return _figure(axes)


def quality_histogram(
    consensus: Consensus, *, bins: int = 20, title: str = "", ax: Axes | None = None
) -> Figure:
    """How many consensus labels are how sure.

    Parameters
    ----------
    consensus : Consensus
    bins : int
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    given = consensus.label >= 0
    axes = _axes(ax)
    once = given & (consensus.labels.counts == 1)
    several = given & (consensus.labels.counts != 1)
    low = float(np.min(consensus.quality[given], initial=1.0))
    axes.hist(
        [consensus.quality[once], consensus.quality[several]],
        bins=np.linspace(min(low, 0.999), 1, bins + 1).tolist(),
        stacked=True,
        label=["one label", "several labels"],
    )
    axes.set(title=title, xlabel="quality of the consensus label", ylabel="examples")
    axes.legend()
    return _figure(axes)


def annotator_intervals(annotators: AnnotatorTable, *, title: str = "", ax: Axes | None = None) -> Figure:
    """Accuracy of each annotator with its 95 % interval, the worst first.

    Parameters
    ----------
    annotators : AnnotatorTable
        Accuracies with intervals where it has them; else the agreement with the consensus, with the interval
        of Wilson (1927) for so many labels. Those who labelled nothing are left out.
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = annotators.to_dict()
    accuracy, what = columns["agreement_with_consensus"], "agreement with the consensus"
    low, high = _wilson(accuracy, columns["num_labels"])
    if np.isfinite(columns.get("accuracy", np.full(1, np.nan))).any():
        accuracy, what = columns["accuracy"], "accuracy"
        low, high = columns["accuracy_low"], columns["accuracy_high"]
    known = np.flatnonzero(np.isfinite(accuracy))
    order = known[np.argsort(accuracy[known], kind="stable")]
    axes = _axes(ax, height=max(2.0, min(0.25 * len(order) + 1.0, 12.0)))
    rows = np.arange(len(order))
    error = [np.maximum(accuracy[order] - low[order], 0), np.maximum(high[order] - accuracy[order], 0)]
    axes.errorbar(accuracy[order], rows, xerr=error, fmt="o", markersize=4, capsize=2)
    axes.set(title=title, xlabel=what)
    _name(axes, "y", columns["annotator"][order].tolist(), "annotators")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    return _figure(axes)


def confusion_matrix(
    labels: Labels,
    truth: Any,
    *,
    predicted: Any = None,
    annotator: Any = None,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """What is said of the examples of each class: by all annotators, by one of them, or by a model.

    Parameters
    ----------
    labels : Labels
    truth : Consensus or ndarray of int, shape (n_examples,)
        Class codes to compare with, -1 where unknown; of a consensus those it has.
    predicted : ndarray of int, shape (n_examples,), optional
        Class codes by a model, in place of the annotators' labels.
    annotator : id, optional
        The annotator whose labels are meant; by default all are.
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.figure.Figure
        Rows are the classes compared with, columns what was said; a cell is the share of its row.

    Raises
    ------
    InputError
        If lengths differ, the annotator is unknown, or an annotator and predictions are given.
    """
    codes = _codes(getattr(truth, "label", truth), labels, "truth")
    if predicted is not None and annotator is not None:
        raise InputError("give predicted or annotator, not both.")
    if predicted is not None:
        rows, said, whose = codes, _codes(predicted, labels, "predicted"), "predicted"
    else:
        some = labels if annotator is None else labels.select(annotators=[annotator])
        rows, said = codes[some.example], some.label
        whose = "labelled" if annotator is None else f"labelled by {annotator}"
    given = (rows >= 0) & (said >= 0)
    size = labels.n_classes
    counts = np.bincount(rows[given].astype(np.int64) * size + said[given], minlength=size**2)
    matrix = counts.reshape(size, size)
    total = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, total, out=np.full(matrix.shape, np.nan), where=total > 0)
    axes = _axes(ax, height=4.6)
    _heat(axes, share, [str(name) for name in labels.classes.tolist()], "classes", "Blues", (0, 1))
    reference = "consensus" if hasattr(truth, "label") else "truth"
    axes.set(title=title, xlabel=whose, ylabel=reference)
    return _figure(axes)


def agreement_heatmap(kappa: PairwiseKappa, *, title: str = "", ax: Axes | None = None) -> Figure:
    """Cohen's kappa of each pair of annotators who share examples.

    Parameters
    ----------
    kappa : PairwiseKappa
        By `activelab.agreement.cohen_kappa_matrix`.
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    axes = _axes(ax, height=4.6)
    names = [str(name) for name in kappa.annotators.tolist()]
    _heat(axes, kappa.to_matrix(), names, "annotators", "RdBu", (-1, 1))
    axes.set(title=title or "Cohen's kappa")
    return _figure(axes)


def batch_composition(batches: Iterable[Batch], *, title: str = "", ax: Axes | None = None) -> Figure:
    """How many examples of each batch are new, and how many get another label.

    Parameters
    ----------
    batches : iterable of Batch
        One a round, in order.
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    kinds = [np.asarray(batch.kind) for batch in batches]
    new = np.array([(kind == "new").sum() for kind in kinds])
    relabel = np.array([(kind == "relabel").sum() for kind in kinds])
    axes = _axes(ax)
    rounds = np.arange(len(kinds))
    axes.bar(rounds, new, label="new")
    axes.bar(rounds, relabel, bottom=new, label="another label")
    axes.set(title=title, xlabel="round", ylabel="examples")
    axes.set_xticks(rounds[:: -(-len(rounds) // 20) or 1])
    axes.set_ylim(0, 1.2 * max((new + relabel).max(initial=0), 1))  # room for the legend
    axes.legend(ncols=2, loc="upper right")
    return _figure(axes)


def labels_over_time(times: Any, annotator: Any = None, *, title: str = "", ax: Axes | None = None) -> Figure:
    """How the number of labels has grown, in all or by annotator.

    Parameters
    ----------
    times : array-like of numbers or datetimes, shape (n_labels,)
        When each label was given, in any order.
    annotator : array-like, shape (n_labels,), optional
        Who gave it; a line each, most labels first.
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the two differ in length.
    """
    when = np.asarray(times)
    who = np.full(len(when), "", dtype=object) if annotator is None else np.asarray(annotator, dtype=object)
    if who.shape != when.shape:
        raise InputError(f"{len(when):,} times and {len(who):,} annotators do not go together.")
    axes = _axes(ax)
    names, counts = np.unique(who.astype(str), return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")].tolist():
        moments = np.sort(when[who.astype(str) == name])
        axes.step(moments, np.arange(1, len(moments) + 1), where="post", label=name or None)
    axes.set(title=title, xlabel="time", ylabel="labels")
    axes.grid(alpha=0.3)
    if annotator is not None and len(names) <= _MANY:
        axes.legend(fontsize="small")
    return _figure(axes)


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
    width = min(len(panels), 3)
    height = -(-len(panels) // width)
    figure = _new_figure((5.6 * width, 4.2 * height))
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


# ------------------------------------------------------------------ what they share


def _new_figure(size: tuple[float, float]) -> Figure:
    with needs("plots", "a figure"):
        from matplotlib.figure import Figure

    return _shown(Figure(figsize=size, layout="constrained"))


def _shown(figure: Any) -> Figure:
    """The figure, which from now on a notebook shows as the value of a cell."""
    if not hasattr(figure, "_repr_png_"):
        figure._repr_png_ = functools.partial(_png, figure)
    whole: Figure = figure
    return whole


def _png(figure: Figure) -> bytes:
    """A picture, for notebooks in which pyplot has not said how figures are shown."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100)
    return stream.getvalue()


def _axes(ax: Axes | None, height: float = 4.0) -> Axes:
    if ax is not None:
        return ax
    axes: Axes = _new_figure((6.4, height)).subplots()
    return axes


def _figure(axes: Axes) -> Figure:
    figure: Any = axes.figure
    while getattr(figure, "figure", figure) is not figure:  # axes may be of a part of a figure
        figure = figure.figure
    return _shown(figure)


def _wilson(share: Float64s, size: Ints) -> tuple[Float64s, Float64s]:
    """95 % interval of a share of ``size`` trials (Wilson 1927); NaN where there is none."""
    z2 = 1.96**2
    n = np.where(size > 0, size, np.nan)
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    # With all or none right a bound is the share itself, which rounding would miss.
    return np.fmin(middle - half, share), np.fmax(middle + half, share)


def _codes(values: Any, labels: Labels, name: str) -> Ints:
    codes = np.asarray(values)
    if codes.shape != (labels.n_examples,) or codes.dtype.kind not in "iu":
        raise InputError(
            f"{name} must hold one class code for each of the {labels.n_examples:,} examples, got "
            f"{codes.dtype} of shape {codes.shape}."
        )
    return codes.astype(np.int64)


def _heat(
    axes: Axes, matrix: Float64s, names: list[str], what: str, colours: str, bounds: tuple[float, float]
) -> None:
    image = axes.imshow(matrix, cmap=colours, vmin=bounds[0], vmax=bounds[1])
    _figure(axes).colorbar(image, ax=axes, shrink=0.8)
    _name(axes, "x", names, what)
    _name(axes, "y", names, what)
    if len(names) > 12:
        return
    for (row, column), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            strong = abs(value) > 0.6 * bounds[1]
            axes.text(
                column, row, f"{value:.2f}", ha="center", va="center", color="white" if strong else "black"
            )


def _name(axes: Axes, which: str, names: list[Any], what: str) -> None:
    """Names at the ticks, or how many there are where they could not be read."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if len(names) > _MANY:
        axis.set_ticks([])
        axis.set_label_text(f"{len(names):,} {what}")
        return
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right"} if which == "x" and len(names) > 4 else {}
    axis.set_ticks(np.arange(len(names)), [str(name) for name in names], **slanted)
