"""How long `import activelab` takes beyond numpy and scipy, and `activelab --help` from a shell.

The median of ten fresh processes each, run in turn, by the clock. The base is
`import numpy, scipy, scipy.sparse`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _common import Row, print_machine, print_results, print_table

BASE = "import numpy, scipy, scipy.sparse"


def median_walls(commands: dict[str, list[str]], repeat: int) -> dict[str, float]:
    """Median seconds of each process, run in turn; a first round, to warm the disk cache, does not count."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeat + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(one[1:]) for name, one in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three runs instead of ten")
    repeat = 3 if parser.parse_args().quick else 10
    print_machine()
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        BASE: [sys.executable, "-c", BASE],
        f"{BASE}, activelab": [sys.executable, "-c", f"{BASE}, activelab"],
        "activelab --help": [str(Path(sys.executable).with_name("activelab")), "--help"],
    }
    seconds = median_walls(commands, repeat)
    print_table(["process", "s"], [[name, f"{value:.3f}"] for name, value in seconds.items()])
    beyond = seconds[f"{BASE}, activelab"] - seconds[BASE]
    print_results(
        [
            Row("import activelab beyond numpy and scipy", beyond, 0.3, "s", at_least=False),
            Row("activelab --help", seconds["activelab --help"], 0.5, "s", at_least=False),
        ]
    )


if __name__ == "__main__":
    main()
