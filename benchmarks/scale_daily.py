"""A day with 0.1 % new labels: `activelab.scale` in the ``work_dir`` of the day before, against from scratch.

10 classes in float32, files of 500,000 examples; every twentieth example has two labels, or with --dense
three quarters have one to three; 10,000 annotators. The batch is a thousandth of the pool, and the new labels
are as many, by a thousand newcomers:

- asked: on the batch of the day before, wherever its examples lie,
- clustered: on examples nobody asked about, in one file of probabilities,
- scattered: on such examples anywhere in the pool.

One process and one thread; CPU seconds and bytes are of `scale.suggest` alone, without imports. The bytes
are what the process has read by the count of Linux (rchar), from the pool and the ``work_dir``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from _common import Row, print_machine, print_results, print_table
from _pool import DENSE, N_CLASSES, ROWS_A_FILE, SPARSE, make_pool
from scale import measure, timed_once

NEWCOMERS = 1_000
CASES = ("asked", "clustered", "scattered")


def bytes_read() -> int:
    """What this process has read so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar"))


def run_suggest(options: argparse.Namespace) -> dict[str, Any]:
    """One run of `scale.suggest`."""
    from activelab import scale

    before = bytes_read()
    took, found = timed_once(
        lambda: scale.suggest(
            str(options.folder / "labels"),
            str(options.folder / "probs"),
            options.n_examples // 1000,
            options.method,
            workers=1,
            work_dir=options.work,
        )
    )
    return {
        **took,
        "read": bytes_read() - before,
        "whole": found.read_whole,
        "partitions": found.plan.partitions,
        "temperature": found.temperature.tolist(),
        "batch": found.batch.examples.tolist(),
        "scores": found.batch.score.tolist(),
    }


def new_labels(case: str, asked: list[int], n_examples: int) -> pa.Table:
    """As many labels as were asked for, three quarters of them right."""
    rng = np.random.default_rng(1)
    example = np.array(asked)
    if case != "asked":
        pool = min(ROWS_A_FILE, n_examples) if case == "clustered" else n_examples
        example = np.sort(rng.choice(pool, len(asked), replace=False))
    files = -(-n_examples // ROWS_A_FILE)
    sizes = [min(ROWS_A_FILE, n_examples - number * ROWS_A_FILE) for number in range(files)]
    # As `make_crowd` draws it.
    truth = np.concatenate(
        [
            np.random.default_rng(seed).integers(N_CLASSES, size=size, dtype=np.int32)
            for seed, size in enumerate(sizes)
        ]
    )[example]
    other = (truth + rng.integers(1, N_CLASSES, len(example))) % N_CLASSES
    label = np.where(rng.random(len(example)) < 0.75, truth, other).astype(np.int32)
    people = (10_000 + rng.integers(NEWCOMERS, size=len(example))).astype(np.int32)
    return pa.table({"example": example, "annotator": people, "label": label})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1e6,1e7", help="examples (default 1e6,1e7)")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the examples")
    parser.add_argument("--quick", action="store_true", help="same as --scale 0.1")
    parser.add_argument("--dense", action="store_true", help="three quarters of the examples labelled")
    parser.add_argument("--method", default="activelab", help="activelab (default) or frugal")
    parser.add_argument("--data", type=Path, help="folder for the pools (default: a temporary one)")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--n-examples", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run_suggest(options)))
        return
    print_machine("duckdb", "pyarrow")
    fraction = 0.1 if options.quick else options.scale
    rows: list[list[str]] = []
    results: list[Row] = []
    for n_examples in (int(float(size) * fraction) for size in options.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=options.data) as temporary:
            _day(Path(temporary), n_examples, options, rows, results)
    print_results(results)


def _day(
    folder: Path, n_examples: int, options: argparse.Namespace, rows: list[list[str]], results: list[Row]
) -> None:
    """Both days of a pool."""
    make_pool(n_examples, folder / "pool", DENSE if options.dense else SPARSE)

    def run(work: Path) -> dict[str, Any]:
        how = {"script": __file__, "method": options.method, "work": str(work)}
        return measure("suggest", folder / "pool", n_examples, **how)

    first = run(folder / "first")
    rows.append(_cells(n_examples, "first day", first))
    for case in CASES:
        added = folder / "pool" / "labels" / "z-new.parquet"
        pq.write_table(new_labels(case, first["batch"], n_examples), added)
        shutil.copytree(folder / "first", folder / "second")
        second, scratch = run(folder / "second"), run(folder / "scratch")
        rows.append(_cells(n_examples, f"second day, {case}", second))
        rows.append(_cells(n_examples, "the same from scratch", scratch))
        size = f"{n_examples:.0e}".replace("+0", "")
        results.append(
            Row(f"{size}, {case}: CPU against scratch", second["cpu"] / scratch["cpu"], 0.5, at_least=False)
        )
        results.append(
            Row(
                f"{size}, {case}: bytes against scratch",
                second["read"] / scratch["read"],
                0.5,
                at_least=False,
            )
        )
        same = second["batch"] == scratch["batch"] and second["scores"] == scratch["scores"]
        results.append(Row(f"{size}, {case}: the same batch and scores", float(same), 1, ""))
        print_table(["examples", "what", "CPU s", "wall s", "MB read", "read in whole", "peak MB"], rows)
        for one in ("second", "scratch"):
            shutil.rmtree(folder / one)
        added.unlink()


def _cells(size: int, what: str, one: dict[str, Any]) -> list[str]:
    whole = f"{one['whole']} of {one['partitions']}"
    figures = [f"{one['cpu']:.2f}", f"{one['wall']:.2f}", f"{one['read'] / 1e6:,.0f}"]
    return [f"{size:,}", what, *figures, whole, f"{one['peak'] / 1e6:.0f}"]


if __name__ == "__main__":
    main()
