"""Time and memory of the recommended method's scoring against ActiveLab's, at 10^6 and 10^7 examples.

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

import activelab as al
from _common import Row, peak_memory, print_machine, print_results, print_table, timed
from scaling import make

METHODS = ("activelab", "recommended")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the examples")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    print_machine()
    sizes = []
    for size in (1_000_000, 10_000_000):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "inputs.pickle")
            make(size // (10 if options.quick else 1), path)
            command = [sys.executable, __file__, "--measure", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            sizes.append(json.loads(done.stdout))
    print_table(
        ["examples", "activelab s", "recommended s", "ratio", "inputs MB", "peak above MB"],
        [
            [
                f"{one['examples']:,}",
                f"{one['activelab']:.2f}",
                f"{one['recommended']:.2f}",
                f"{one['recommended'] / one['activelab']:.2f}",
                f"{one['inputs'] / 1e6:.0f}",
                f"{one['recommended peak'] / 1e6:.0f}",
            ]
            for one in sizes
        ],
    )
    print_results(
        [
            Row(f"time against ActiveLab's at {one['examples']:,}", one["recommended"] / one["activelab"], 2,
                at_least=False)
            for one in sizes
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
