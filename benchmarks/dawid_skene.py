"""Dawid-Skene against crowd-kit's at equal iterations, 300,000 labels and ten times as many.

Ten iterations each, and crowd-kit's default of 100 on the smaller data. Both stop only then (tolerance 0);
the script checks that they did. Ours starts from a `Labels`, crowd-kit's from its data frame; a second line
adds the time `Labels.from_long` takes on that frame. Ours is the best of three, crowd-kit's the best of two,
once for what takes longer. Ratios are of CPU seconds.

A second table is of many annotators and classes with few labels, ten iterations: CPU seconds and memory of
`dawid_skene` and `bayesian_consensus`, memory also as a share of all confusion matrices (annotators times
classes squared), and how both grow where labels, examples and annotators are four times as many.
"""

from __future__ import annotations

import argparse
from unittest.mock import patch

import pandas as pd
from crowdkit.aggregation import DawidSkene

import activelab as al
from _common import Row, make_crowd, peak_memory, print_machine, print_results, print_table, timed
from activelab.consensus._dawid_skene import _ConfusionModel

RUNS = ((100_000, 10), (100_000, 100), (1_000_000, 10))
"""Examples, and iterations."""
SPARSE = ((3, 5, 11_014, 20), (3, 250, 500, 750), (3, 1_000, 500, 3_000), (5, 200, 2_000, 4_000))
"""Labels an example, annotators, classes, examples."""
LONGEST = 180
"""crowd-kit is left out where its time on the smaller data says it would take longer than this."""


def our_iterations(labels: al.Labels, iterations: int) -> int:
    """Steps our expectation-maximisation makes."""
    with patch.object(_ConfusionModel, "step", autospec=True, side_effect=_ConfusionModel.step) as step:
        al.dawid_skene(labels, max_iter=iterations, tol=0)
    return step.call_count


def sparse(scale: float) -> None:
    """Many annotators and classes, few labels."""
    lines, rows, cost = [], [], {}
    for each, n_annotators, n_classes, size in SPARSE:
        crowd = make_crowd(
            int(size * scale) if size > 100 else size,
            n_annotators,
            n_classes=n_classes,
            labels_per_example=(each,),
        )
        labels = crowd.labels()
        what = f"{labels.n_labels:,} labels, {n_annotators:,} annotators, {n_classes:,} classes"
        calls = {
            "al.dawid_skene": lambda: al.dawid_skene(labels, max_iter=10, tol=0, pooled_prior=100),  # noqa: B023
            "al.bayesian_consensus": lambda: al.bayesian_consensus(labels),  # noqa: B023
        }
        for name, call in calls.items():
            time, memory = timed(call, repeat=2), peak_memory(call)
            cost[name, n_annotators, n_classes] = (time.cpu, memory)
            share = memory / (8 * n_annotators * n_classes**2)
            lines.append([f"{name}, {what}", f"{time.cpu:.3g}", f"{memory / 2**20:,.0f}", f"{share:.2%}"])
        if n_annotators == 1_000:
            frame = pd.DataFrame({"task": crowd.example, "worker": crowd.annotator, "label": crowd.label})
            theirs = timed(lambda: DawidSkene(n_iter=10, tol=0).fit(frame))  # noqa: B023
            lines.append([f"crowd-kit DawidSkene, {what}", f"{theirs.cpu:.3g}", "", ""])
            ratio = theirs.cpu / cost["al.dawid_skene", n_annotators, n_classes][0]
            rows.append(Row(f"crowd-kit's time against ours, {what}", ratio, 1))
    print_table(["call", "CPU s", "MB", "of all confusions"], lines)
    for name in ("al.dawid_skene", "al.bayesian_consensus"):
        few, many = cost[name, 250, 500], cost[name, 1_000, 500]
        rows.append(Row(f"{name}, time of 4 times the labels", many[0] / few[0], 5, at_least=False))
        rows.append(Row(f"{name}, memory of 4 times the labels", many[1] / few[1], 5, at_least=False))
    print_results(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the examples (default 1)")
    parser.add_argument("--quick", action="store_true", help="same as --scale 0.1")
    parser.add_argument("--sparse", action="store_true", help="the second table alone")
    options = parser.parse_args()
    print_machine("crowd-kit", "pandas")
    if options.sparse:
        sparse(0.1 if options.quick else options.scale)
        return
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
    sparse(0.1 if options.quick else options.scale)


if __name__ == "__main__":
    main()
