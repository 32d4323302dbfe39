"""How long importing the core takes beyond numpy and scipy, and help, completion and `status` from a shell.

The median of ten fresh processes each, run in turn, by the clock and by the processor. The base is
`import numpy, scipy, scipy.sparse`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _common import Row, print_machine, print_results, print_table

BASE = "import numpy, scipy, scipy.sparse"
CORE = "Labels, Strategy, crowdlab, suggest"


COMPLETION = {"_ACTIVELAB_COMPLETE": "complete_bash", "COMP_WORDS": "activelab ", "COMP_CWORD": "1"}


def median_seconds(commands: dict[str, list[str]], repeat: int) -> dict[str, tuple[float, float]]:
    """Median wall and processor seconds of each process, run in turn; a first round, to warm the disk cache,
    does not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(repeat + 1):
        for name, command in commands.items():
            environment = {
                **os.environ,
                "OMP_NUM_THREADS": "1",
                **(COMPLETION if name.endswith("TAB") else {}),
            }
            start, before = time.perf_counter(), os.times()
            subprocess.run(command, check=True, capture_output=True, env=environment)
            wall, after = time.perf_counter() - start, os.times()
            busy = after.children_user + after.children_system - before.children_user - before.children_system
            times[name].append((wall, busy))
    return {
        name: (statistics.median(w for w, _ in one[1:]), statistics.median(b for _, b in one[1:]))
        for name, one in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three runs instead of ten")
    repeat = 3 if parser.parse_args().quick else 10
    print_machine()
    activelab = str(Path(sys.executable).with_name("activelab"))
    with tempfile.TemporaryDirectory() as folder:
        project = f"{folder}/tickets.db"
        subprocess.run(
            [activelab, "init", project, "--classes", "bug,praise"], check=True, capture_output=True
        )
        seconds = median_seconds(
            {
                "python -c pass": [sys.executable, "-c", "pass"],
                BASE: [sys.executable, "-c", BASE],
                f"{BASE}, {CORE}": [sys.executable, "-c", f"{BASE}; from activelab import {CORE}"],
                "activelab --help": [activelab, "--help"],
                "activelab TAB": [activelab],
                "activelab status": [activelab, "status", project],
            },
            repeat,
        )
    rows = [[name, f"{wall:.3f}", f"{busy:.3f}"] for name, (wall, busy) in seconds.items()]
    print_table(["process", "s", "processor s"], rows)
    beyond = seconds[f"{BASE}, {CORE}"][0] - seconds[BASE][0]
    print_results(
        [
            Row(f"{CORE} beyond numpy and scipy", beyond, 0.3, "s", at_least=False),
            Row("activelab --help", seconds["activelab --help"][0], 0.5, "s", at_least=False),
            Row("completion of activelab TAB", seconds["activelab TAB"][0], 0.3, "s", at_least=False),
            Row("activelab status, processor", seconds["activelab status"][1], 0.6, "s", at_least=False),
        ]
    )


if __name__ == "__main__":
    main()
