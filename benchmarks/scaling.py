"""Time and memory of a full ActiveLab scoring at 10^5, 10^6 and 10^7 examples.

10 classes in float32, 1.5 labels an example by 10,000 annotators, a quarter of the examples without a label;
with --labels sparse two labels of every twentieth. `al.suggest` runs consensus, calibration, scores and
batch, by --method. Its unit is `pred_probs.max(axis=1)` plus one `np.sort` of the labels' example ids (int32,
in the order of arrival) in the same process. Each size has a fresh process that loads its inputs from a file;
times are the best of three, by the clock. Memory is sampled in a run of its own, the first.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import activelab as al
from _common import Row, make_crowd, peak_memory, print_machine, print_results, print_table, timed
from _pool import LABELLED

REPEAT = 3
TARGETS = {"activelab": 5, "frugal": 6}


def make(n_examples: int, path: Path, labelled: str) -> None:
    """Write the inputs of one size."""
    crowd = make_crowd(n_examples, 10_000, labels_per_example=LABELLED[labelled], dtype=np.float32)
    with path.open("wb") as file:
        pickle.dump((crowd.pred_probs, crowd.example, crowd.labels()), file, protocol=5)


def measure(path: Path, method: str) -> dict[str, float]:
    """All numbers of one size, in a process that has done nothing but load the inputs."""
    with path.open("rb") as file:
        pred_probs, example, labels = pickle.load(file)
    inputs = pred_probs.nbytes + labels.offsets.nbytes + labels.annotator.nbytes + labels.label.nbytes
    peak = peak_memory(lambda: al.suggest(labels, pred_probs, method=method))
    return {
        "n_examples": labels.n_examples,
        "n_labels": labels.n_labels,
        "inputs": inputs,
        "peak": peak,
        "suggest": timed(lambda: al.suggest(labels, pred_probs, method=method), REPEAT).wall,
        "max": timed(lambda: pred_probs.max(axis=1), REPEAT).wall,
        "sort": timed(lambda: np.sort(example), REPEAT).wall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the examples (default 1)")
    parser.add_argument("--quick", action="store_true", help="same as --scale 0.1")
    parser.add_argument("--method", choices=TARGETS, default="activelab", help="default: activelab")
    parser.add_argument("--labels", choices=LABELLED, default="dense", help="how many (default dense)")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.method)))
        return
    print_machine()
    scale = 0.1 if options.quick else options.scale
    sizes = []
    for n_examples in (100_000, 1_000_000, 10_000_000):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "inputs.pickle")
            make(int(n_examples * scale), path, options.labels)
            command = [sys.executable, __file__, "--measure", str(path), "--method", options.method]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            sizes.append(json.loads(done.stdout))
    print_table(
        ["examples", "labels", "al.suggest s", "max s", "sort s", "ratio", "inputs MB", "peak above MB"],
        [
            [
                f"{one['n_examples']:,}",
                f"{one['n_labels']:,}",
                f"{one['suggest']:.3f}",
                f"{one['max']:.4f}",
                f"{one['sort']:.4f}",
                f"{ratio(one):.1f}",
                f"{one['inputs'] / 1e6:.0f}",
                f"{one['peak'] / 1e6:.0f}",
            ]
            for one in sizes
        ],
    )
    middle, large = sizes[1:]
    growth = 1.25 * large["n_examples"] / middle["n_examples"]
    print_results(
        [
            Row("al.suggest against max + sort", ratio(large), TARGETS[options.method], at_least=False),
            Row("peak memory above the inputs", large["peak"] / large["inputs"], 1.5, at_least=False),
            Row(
                "time of ten times the examples",
                large["suggest"] / middle["suggest"],
                growth,
                at_least=False,
            ),
            Row(
                "memory of ten times the examples",
                large["peak"] / middle["peak"],
                growth,
                at_least=False,
            ),
        ]
    )


def ratio(one: dict[str, float]) -> float:
    """Time of the scoring in units of max + sort."""
    return one["suggest"] / (one["max"] + one["sort"])


if __name__ == "__main__":
    main()
