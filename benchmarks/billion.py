"""What 10⁹ examples on 100 workers need, reckoned from constants measured here.

10 classes in float32, 1.5 labels an example by 10,000 annotators, as in `scale.py`. Measured are, with one
process and thread: CPU seconds at two sizes, so that what does not grow with the pool is told apart; bytes
read; and what a task costs beside its rows, from the same small pool in one file and in many. That is charged
to the process that hands out the tasks and adds up their results, though part of it is done by workers.

The table is arithmetic from there: seconds of a worker are those of its share of the rows, reading at the
rate that is given (--rate, MB a second and worker) comes on top, and the handing out of tasks is the one
thing that does not shrink with more workers.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from _common import print_machine, print_table
from _pool import ROWS_A_FILE, make_pool
from scale import measure, timed_once
from scale_daily import bytes_read

EXAMPLES, WORKERS = 1_000_000_000, 100
SMALL, FILES = 100_000, 100


def run_suggest(options: argparse.Namespace) -> dict[str, Any]:
    """One run of `scale.suggest`: seconds without imports, bytes read, and tasks."""
    from activelab import scale

    before = bytes_read()
    folder = options.folder
    took, found = timed_once(
        lambda: scale.suggest(str(folder / "labels"), str(folder / "probs"), 1_000, options.method, workers=1)
    )
    return {**took, "read": bytes_read() - before, "tasks": found.computed}


def main() -> None:
    """Print what was measured, and what follows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=2e6, help="examples of the larger pool (default 2e6)")
    parser.add_argument("--rate", type=float, default=100, help="MB a second and worker (default 100)")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--n-examples", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--method", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run_suggest(options)))
        return
    print_machine("pyarrow")
    large = int(options.size)
    pools = {"large": (large, ROWS_A_FILE), "half": (large // 2, ROWS_A_FILE)}
    pools |= {"one file": (SMALL, SMALL), "many files": (SMALL, SMALL // FILES)}
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, (size, rows) in pools.items():
            folder = Path(temporary, name)
            make_pool(size, folder, rows_a_file=rows)
            for method in ("activelab", "frugal"):
                best = min(
                    (measure("suggest", folder, size, script=__file__, method=method) for _ in range(2)),
                    key=lambda one: one["cpu"],
                )
                found[method, name] = best
    measured, reckoned = [], []
    for method in ("activelab", "frugal"):
        one, half = found[method, "large"], found[method, "half"]
        few, many = found[method, "one file"], found[method, "many files"]
        each = (one["cpu"] - half["cpu"]) / (large - large // 2)
        fixed = max(one["cpu"] - each * large, 0.0)
        read = one["read"] / large
        task = (many["cpu"] - few["cpu"]) / (many["tasks"] - few["tasks"])
        passes = many["tasks"] / FILES
        tasks = passes * EXAMPLES / ROWS_A_FILE
        measured.append(
            [method, f"{1e6 * each:.2f}", f"{fixed:.2f}", f"{read:.0f}", f"{passes:.1f}", f"{1e3 * task:.1f}"]
        )
        computing, reading = each * EXAMPLES / WORKERS, read * EXAMPLES / WORKERS / 1e6 / options.rate
        handing = tasks * task + fixed
        reckoned.append(
            [
                method,
                f"{each * EXAMPLES / 3600:.1f}",
                f"{computing:.0f}",
                f"{reading:.0f}",
                f"{tasks:,.0f}",
                f"{handing:.0f}",
                f"{computing + reading + handing:.0f}",
            ]
        )
    print_table(
        ["method", "CPU µs an example", "CPU s a run", "bytes read an example", "passes", "CPU ms a task"],
        measured,
    )
    print_table(
        ["method", "CPU hours", "s a worker computes", "s it reads", "tasks", "s handing out", "s at most"],
        reckoned,
    )


if __name__ == "__main__":
    main()
