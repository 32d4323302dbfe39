"""Dawid-Skene against crowd-kit's at equal iterations, 300,000 labels and ten times as many.

Ten iterations each, and crowd-kit's default of 100 on the smaller data. Both stop only then (tolerance 0);
the script checks that they did. Ours starts from a `Labels`, crowd-kit's from its data frame; a second line
adds the time `Labels.from_long` takes on that frame. Ours is the best of three, crowd-kit's the best of two,
once for what takes longer. Ratios are of CPU seconds.
"""

from __future__ import annotations

import argparse
from unittest.mock import patch

import pandas as pd
from crowdkit.aggregation import DawidSkene

import activelab as al
from _common import Row, make_crowd, print_machine, print_results, print_table, timed
from activelab.consensus._dawid_skene import _ConfusionModel

RUNS = ((100_000, 10), (100_000, 100), (1_000_000, 10))
"""Examples, and iterations."""
LONGEST = 180
"""crowd-kit is left out where its time on the smaller data says it would take longer than this."""


def our_iterations(labels: al.Labels, iterations: int) -> int:
    """Steps our expectation-maximisation makes."""
    with patch.object(_ConfusionModel, "step", autospec=True, side_effect=_ConfusionModel.step) as step:
        al.dawid_skene(labels, max_iter=iterations, tol=0)
    return step.call_count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the examples (default 1)")
    parser.add_argument("--quick", action="store_true", help="same as --scale 0.1")
    options = parser.parse_args()
    print_machine("crowd-kit", "pandas")
    lines, rows = [], []
    cost = 0.0
    for size, iterations in RUNS:
        crowd = make_crowd(int(size * (0.1 if options.quick else options.scale)), 1_000)
        labels = crowd.labels()
        frame = pd.DataFrame({"task": crowd.example, "worker": crowd.annotator, "label": crowd.label})
        columns = {"example": "task", "annotator": "worker", "label": "label"}
        if (steps := our_iterations(labels, iterations)) != iterations:
            print(f"ours stopped after {steps} iterations")
        ours = timed(lambda: al.dawid_skene(labels, max_iter=iterations, tol=0), repeat=3)  # noqa: B023
        table = timed(lambda: al.Labels.from_long(frame, **columns), repeat=3)  # noqa: B023
        what = f"{labels.n_labels:,} labels, {iterations} iterations"
        lines += [[f"al.dawid_skene, {what}", f"{ours.cpu:.3g}", f"{ours.wall:.3g}"]]
        lines += [
            [f"al.Labels.from_long, {labels.n_labels:,} labels", f"{table.cpu:.3g}", f"{table.wall:.3g}"]
        ]
        if cost * iterations * size > LONGEST:
            continue
        peer = DawidSkene(n_iter=iterations, tol=0)
        theirs = timed(lambda: peer.fit(frame), repeat=1 if cost else 2)  # noqa: B023
        if len(peer.loss_history_) != iterations:
            print(f"crowd-kit stopped after {len(peer.loss_history_)} iterations")
        cost = theirs.wall / (iterations * size)
        lines += [[f"crowd-kit DawidSkene, {what}", f"{theirs.cpu:.3g}", f"{theirs.wall:.3g}"]]
        rows += [Row(what, theirs.cpu / ours.cpu, 20)]
        rows += [Row(f"{what}, with from_long", theirs.cpu / (ours.cpu + table.cpu), 20)]
    print_table(["call", "CPU s", "wall s"], lines)
    print_results(rows)


if __name__ == "__main__":
    main()
