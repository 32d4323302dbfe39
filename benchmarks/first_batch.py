"""How long a stranger takes from `pip install` to a batch of their own: every command, by the clock.

    python benchmarks/first_batch.py dist/*.whl
    python benchmarks/first_batch.py dist/*.whl --labels mine.csv --features mine-features.csv

In an empty folder, with a fresh environment, as docs/index.md says. Without files of your own they are the
digits of scikit-learn, 1,000 of them labelled by eight people who err. The last row is a batch in Python.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from _common import Row, print_machine, print_results, print_table

PYTHON = """\
import activelab as al
from pyarrow import csv
from sklearn.linear_model import LogisticRegression

labels = al.Labels.from_long(csv.read_csv("labels.csv"))
features = csv.read_csv("features.csv")

learner = al.ActiveLearner(LogisticRegression(max_iter=1000), "recommended")
batch = learner.ask(features, labels, batch_size=100)
csv.write_csv(batch.to_frame(backend="pyarrow"), "batch-of-python.csv")
"""


def commands(wheel: Path) -> list[str]:
    """From nothing to the batch."""
    return [
        f"{sys.executable} -m venv env",
        f"env/bin/pip install --quiet {wheel}",
        "env/bin/activelab annotators labels.csv -o annotators.csv",
        "env/bin/activelab suggest labels.csv --features features.csv -o batch.csv",
    ]


def write_digits(folder: Path) -> None:
    """Labels and features as people have them."""
    from sklearn.datasets import load_digits

    rng, (X, truth) = np.random.default_rng(0), load_digits(return_X_y=True)
    skill = rng.uniform(0.5, 0.95, 8)
    rows = [
        (example, f"person-{who}", truth[example] if rng.random() < skill[who] else rng.integers(10))
        for example in range(1000)
        for who in rng.choice(8, 2, replace=False)
    ]
    text = "".join(f"digit-{example:04d},{who},{label}\n" for example, who, label in rows)
    (folder / "labels.csv").write_text(f"example,annotator,label\n{text}")
    header = ",".join(f"pixel_{place}" for place in range(X.shape[1]))
    text = "".join(f"digit-{row:04d},{','.join(map(str, values))}\n" for row, values in enumerate(X))
    (folder / "features.csv").write_text(f"example,{header}\n{text}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--features", type=Path)
    given = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder, timed = Path(name), []
        if given.labels is None or given.features is None:
            write_digits(folder)
        else:
            shutil.copy(given.labels, folder / "labels.csv")
            shutil.copy(given.features, folder / "features.csv")
        (folder / "batch.py").write_text(PYTHON)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        for line in [*commands(given.wheel.resolve()), "env/bin/python batch.py"]:
            start = time.perf_counter()
            subprocess.run(line.split(), cwd=folder, env=clean, check=True)
            timed.append(
                (line.replace(str(given.wheel.resolve()), given.wheel.name), time.perf_counter() - start)
            )
        for file in ("batch.csv", "batch-of-python.csv"):
            print(file, *(folder / file).read_text().splitlines()[:3], sep="\n")
    print_table(["command", "s"], [[line, f"{seconds:.1f}"] for line, seconds in timed])
    lines = sum(bool(line.strip()) for line in PYTHON.splitlines())
    print_results(
        [
            Row("commands to the batch", float(len(timed) - 1), 6, "", at_least=False),
            Row("lines of Python to the batch", float(lines), 12, "", at_least=False),
        ]
    )


if __name__ == "__main__":
    main()
