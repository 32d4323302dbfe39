"""What the results of an experiment say: final accuracy, area under the curve, label efficiency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activelab._typing import Bools, Float64s, Ints

if TYPE_CHECKING:
    import pyarrow as pa

    from activelab.simulation._paper import Published


@dataclass(frozen=True, eq=False)
class Curves:
    """Accuracy of one method over the rounds, a row a trial.

    Attributes
    ----------
    method : str
    num_annotations : ndarray of float64, shape (n_trials, n_rounds)
    accuracy : ndarray of float64, shape (n_trials, n_rounds)
    """

    method: str
    num_annotations: Float64s
    accuracy: Float64s

    @property
    def final(self) -> Float64s:
        """Accuracy of the last round of each trial."""
        return self.accuracy[:, -1]

    @property
    def area(self) -> Float64s:
        """Mean accuracy over the rounds of each trial: the area under the curve, normalised."""
        return np.asarray(self.accuracy.mean(axis=1))

    def annotations_to_reach(self, accuracy: float) -> Float64s:
        """Labels each trial needs for an accuracy, interpolated between rounds; NaN if never reached.

        A single lucky round does not count: the accuracy must be reached by the mean of a round and its
        successor.
        """
        smooth = (self.accuracy[:, :-1] + self.accuracy[:, 1:]) / 2
        trials = zip(self.num_annotations, smooth, strict=True)
        return np.array([labels_to_reach(labels, curve, accuracy) for labels, curve in trials])


def labels_to_reach(labels: Float64s, accuracy: Float64s, target: float, *, to_stay: bool = False) -> float:
    """Labels at which a curve first reaches an accuracy, interpolated between rounds; NaN if never.

    Parameters
    ----------
    labels, accuracy : ndarray of float64, shape (n_rounds,)
        What each round had, and how good it was.
    target : float
    to_stay : bool
        Count only the last time, after which the curve stays there.

    Returns
    -------
    float
    """
    reached = accuracy >= target
    if to_stay:
        reached = np.logical_and.accumulate(reached[::-1])[::-1]
    if not reached.any():
        return float("nan")
    at = int(reached.argmax())
    if at == 0:
        return float(labels[0])
    part = (target - accuracy[at - 1]) / (accuracy[at] - accuracy[at - 1])
    return float(labels[at - 1] + part * (labels[at] - labels[at - 1]))


def learning_curves_of(table: pa.Table, measure: str = "test_accuracy") -> dict[str, Curves]:
    """The curves of each method of a results table; trials are cut to the shortest.

    Parameters
    ----------
    table : pyarrow.Table
        From `results_table`.
    measure : str
        Column that counts as accuracy.

    Returns
    -------
    dict of str to Curves
    """
    columns = {
        name: np.asarray(table[name].to_pylist())
        for name in ("method", "trial", "round", "num_annotations", measure)
    }
    curves = {}
    for method in dict.fromkeys(columns["method"].tolist()):
        trials = list(_trials(columns["method"] == method, columns["trial"], columns["round"]))
        length = min(len(rows) for rows in trials)
        index = np.stack([rows[:length] for rows in trials])
        curves[method] = Curves(
            method,
            columns["num_annotations"][index].astype(np.float64),
            columns[measure][index].astype(np.float64),
        )
    return curves


def _trials(mask: Bools, trial: Ints, number: Ints) -> Iterator[Ints]:
    for one in np.unique(trial[mask]):
        rows = np.flatnonzero(mask & (trial == one))
        yield rows[np.argsort(number[rows])]


def mean_and_error(values: Float64s) -> tuple[float, float]:
    """Mean and its standard error over the trials that have a value; NaN where there are too few."""
    given = values[~np.isnan(values)]
    mean = float(given.mean()) if len(given) else float("nan")
    error = float(given.std(ddof=1) / np.sqrt(len(given))) if len(given) > 1 else float("nan")
    return mean, error


def summary_markdown(curves: dict[str, Curves], published: Published | None = None) -> str:
    """Tables of an experiment: accuracy, and labels needed, with ratios paired by trial."""
    lines = [] if published is None else _beside_published(curves, published)
    lines += [
        "| method | final accuracy | area under the curve | area − random's, paired |",
        "|---|---|---|---|",
    ]
    random = curves.get("random")
    for name, one in curves.items():
        paired = "–"
        if random is not None and name != "random":
            paired = _shown(*mean_and_error(one.area - random.area), signed=True)
        final, area = _shown(*mean_and_error(one.final)), _shown(*mean_and_error(one.area))
        lines.append(f"| {name} | {final} | {area} | {paired} |")
    targets = _targets(curves)
    if targets:
        lines += [
            "",
            "Labels needed for an accuracy (mean of the trials that reach it, how many do), and their "
            "ratio to random's and to ActiveLab's in the same trials:",
            "",
            "| method | " + " | ".join(f"{target:.3f}" for target in targets) + " |",
            "|---" * (len(targets) + 1) + "|",
        ]
        lines += [
            f"| {name} | " + " | ".join(_needed(one, curves, target) for target in targets) + " |"
            for name, one in curves.items()
        ]
    return "\n".join(lines) + "\n"


def _beside_published(curves: dict[str, Curves], published: Published) -> list[str]:
    lines = [
        f"After {published.new_labels:,} new labels, mean ± standard deviation over the trials:",
        "",
        "| method | ours | published |",
        "|---|---|---|",
    ]
    for name, one in curves.items():
        spent = one.num_annotations - one.num_annotations[:, :1]
        at = np.argmin(np.abs(spent - published.new_labels), axis=1)
        ours = one.accuracy[np.arange(len(at)), at]
        sd = float(ours.std(ddof=1)) if len(ours) > 1 else float("nan")
        theirs = _shown(*published.final[name]) if name in published.final else "–"
        lines.append(f"| {name} | {_shown(float(ours.mean()), sd)} | {theirs} |")
    return [*lines, ""]


def _targets(curves: dict[str, Curves]) -> list[float]:
    """Accuracies a half, three quarters and all of the way from the start to ActiveLab's (or best) end."""
    best = curves.get("activelab") or max(curves.values(), key=lambda one: one.final.mean())
    start, end = float(best.accuracy[:, 0].mean()), float(best.final.mean())
    if end - start < 0.005:
        return []
    return [round(start + share * (end - start), 3) for share in (0.5, 0.75, 0.95)]


def _needed(one: Curves, curves: dict[str, Curves], target: float) -> str:
    needed = one.annotations_to_reach(target)
    reached = int(np.count_nonzero(~np.isnan(needed)))
    if not reached:
        return "not reached"
    text = f"{np.nanmean(needed):,.0f} ({reached}/{len(needed)})"
    ratios = []
    for other in ("random", "activelab"):
        if other in curves and other != one.method:
            ratio = needed / curves[other].annotations_to_reach(target)
            mean, _ = mean_and_error(ratio)
            ratios.append("–" if np.isnan(mean) else f"{mean:.2f}")
        else:
            ratios.append("–")
    return f"{text}; {ratios[0]}, {ratios[1]}"


def _shown(mean: float, error: float, signed: bool = False) -> str:
    shown = f"{mean:+.3f}" if signed else f"{mean:.3f}"
    return shown if np.isnan(error) else f"{shown} ± {error:.3f}"


@dataclass(frozen=True, eq=False)
class PublishedCurve:
    """Mean and standard deviation over trials of one published method."""

    method: str
    num_labels: Float64s
    mean: Float64s
    sd: Float64s


def read_published(path: str, benchmark: str, model: str) -> list[PublishedCurve]:
    """Published test accuracies of a benchmark and a model, named up to a parenthesis.

    ``num_labels`` counts new labels, from 0. Curves named "disagreement" are left out: their scores were
    NaN, so that they are an artefact of sorting.

    Raises
    ------
    InputError
        If the file cannot be read as a table of published curves.
    """
    from pyarrow import csv

    from activelab._errors import InputError

    needed = ["benchmark", "model", "method", "metric", "trial", "round", "n_labels", "value"]
    try:
        table = csv.read_csv(path, convert_options=csv.ConvertOptions(include_columns=needed))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is no table of published curves: {error}") from None
    column = {name: np.asarray(table[name].to_pylist()) for name in needed}
    wanted = (
        (column["benchmark"] == benchmark)
        & np.array([name.partition("(")[0] == model for name in column["model"].tolist()], dtype=bool)
        & (column["metric"] == "test_accuracy")
        & (column["method"] != "disagreement")
    )
    curves = []
    for method in np.unique(column["method"][wanted]):
        rows = np.flatnonzero(wanted & (column["method"] == method))
        by_round = [rows[column["round"][rows] == at] for at in np.unique(column["round"][rows])]
        values = [column["value"][of_round] for of_round in by_round]
        curves.append(
            PublishedCurve(
                str(method).removesuffix("_ensemble"),
                np.array([column["n_labels"][of_round].mean() for of_round in by_round]),
                np.array([value.mean() for value in values]),
                np.array([value.std(ddof=1) if len(value) > 1 else np.nan for value in values]),
            )
        )
    return curves
