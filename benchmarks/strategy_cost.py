"""What `frugal` costs beside ActiveLab's, and a committee that teaches beside it.

Scoring: time and memory at 10^6 and 10^7 examples. With `--rounds`: a whole round with training, the second
one, since a committee learns twice in the first; 20 features, 5 classes, 30 annotators, 3 folds.

The pools are those of `scaling.py`: 10 classes in float32, 1.5 labels an example by 10,000 annotators, a
quarter of the examples without a label. Both methods are timed in turn in one fresh process for each size;
times are the best of three, in CPU seconds, since another program may be running. Memory is sampled in a run
of its own.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import make_classification
from threadpoolctl import threadpool_limits

import activelab as al
import label_efficiency
from _common import Row, peak_memory, print_machine, print_results, print_table, timed
from scaling import make

METHODS = ("activelab", "frugal")


def measure(path: Path) -> dict[str, float]:
    """Times and peaks of both methods."""
    with path.open("rb") as file:
        pred_probs, _, labels = pickle.load(file)
    inputs = pred_probs.nbytes + labels.offsets.nbytes + labels.annotator.nbytes + labels.label.nbytes
    found: dict[str, float] = {"examples": labels.n_examples, "inputs": inputs}
    for method in METHODS:
        found[f"{method} peak"] = peak_memory(partial(al.suggest, labels, pred_probs, method=method))
    for method in METHODS:
        found[method] = timed(partial(al.suggest, labels, pred_probs, method=method), 3).cpu
    return found


def round_seconds(size: int, labelled: int, model: str, method: str) -> float:
    """CPU seconds of a second round, on one core."""
    X, truth = make_classification(size, 20, n_informative=10, n_redundant=2, n_classes=5, random_state=0)
    rng = np.random.default_rng(0)
    label = np.where(rng.random(labelled) < 0.8, truth[:labelled], rng.integers(0, 5, labelled))
    who = np.arange(labelled) % 30
    labels = al.Labels(np.arange(labelled), who, label, examples=size, annotators=30, classes=5)
    learner = al.ActiveLearner(getattr(label_efficiency, model)(), method, cv=3)
    with threadpool_limits(1):
        learner.ask(X, labels, 100)
        return timed(partial(learner.ask, X, labels, 100), 1).cpu


def print_rounds(quick: bool) -> None:
    sizes = [(1_200, 500, 3.0), (100_000, 10_000, 2.0), (1_000_000, 10_000, None)][: 1 if quick else 3]
    rows, bars = [], []
    for size, labelled, bar in sizes:
        for model in ("logistic", "trees"):
            before, after = (round_seconds(size, labelled, model, method) for method in ("frugal", "taught"))
            ratio = after / before
            rows.append(
                [f"{size:,}", f"{labelled:,}", model, f"{before:.2f}", f"{after:.2f}", f"{ratio:.1f}"]
            )
            if bar:
                title = f"a round of taught against frugal at {size:,}, {model}"
                bars.append(Row(title, ratio, bar, at_least=False))
    print_table(["examples", "labelled", "classifier", "frugal s", "taught s", "ratio"], rows)
    print_results(bars)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", action="store_true", help="rounds with training instead of scoring")
    parser.add_argument("--quick", action="store_true", help="a tenth of the examples; the first size")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    print_machine()
    if options.rounds:
        print_rounds(options.quick)
        return
    sizes = []
    for size in (1_000_000, 10_000_000):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "inputs.pickle")
            make(size // (10 if options.quick else 1), path)
            command = [sys.executable, __file__, "--measure", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            sizes.append(json.loads(done.stdout))
    print_table(
        ["examples", "activelab s", "frugal s", "ratio", "inputs MB", "peak above MB"],
        [
            [
                f"{one['examples']:,}",
                f"{one['activelab']:.2f}",
                f"{one['frugal']:.2f}",
                f"{one['frugal'] / one['activelab']:.2f}",
                f"{one['inputs'] / 1e6:.0f}",
                f"{one['frugal peak'] / 1e6:.0f}",
            ]
            for one in sizes
        ],
    )
    print_results(
        [
            Row(f"time against ActiveLab's at {one['examples']:,}", one["frugal"] / one["activelab"], 2,
                at_least=False)
            for one in sizes
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
