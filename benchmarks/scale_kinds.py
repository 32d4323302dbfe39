"""`activelab.scale` for sets of classes and ratings, beside the same in memory: time, memory, and the batch.

A million examples in files of 100,000: sets of 20 classes, and ratings on a scale of 5 points; every tenth
example has 2 answers by 1,000 annotators; probabilities in float32. One process and one thread each. In
memory the files are read with pandas, and the batch is `suggest_questions` or `suggest` by expected loss.
Seconds are of CPU, with reading, without imports; memory is the peak of the resident memory of the process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from _common import Row, print_machine, print_results, print_table
from scale import measure, timed_once

FILES, ANNOTATORS, ANSWERS, EVERY, BATCH = 10, 1_000, 2, 10, 10_000
CLASSES = {"sets": 20, "ratings": 5}


def make(kind: str, n_examples: int, folder: Path) -> None:
    """Write the pool, file by file, both tables sorted by example."""
    rng, size = np.random.default_rng(0), CLASSES[kind]
    for name in ("labels", "probs"):
        (folder / name).mkdir(parents=True)
    for number, ids in enumerate(np.array_split(np.arange(n_examples), FILES)):
        example = np.repeat(ids[::EVERY], ANSWERS)
        annotator = (rng.integers(0, ANNOTATORS, len(example)) // ANSWERS) * ANSWERS
        annotator += np.arange(len(example)) % ANSWERS
        at = example - ids[0]
        if kind == "sets":
            truth = rng.random((len(ids), size)) < 0.15
            probs = np.clip(0.15 + 0.6 * truth + rng.normal(0, 0.15, truth.shape), 0.001, 0.999)
            said = truth[at] ^ (rng.random((len(at), size)) < 0.05)
            label: Any = ["|".join(map(str, np.flatnonzero(row))) or "|" for row in said]
        else:
            true = rng.integers(0, size, len(ids))
            probs = np.exp(-np.abs(np.arange(size) - true[:, None]) + rng.normal(0, 0.5, (len(ids), size)))
            probs /= probs.sum(axis=1, keepdims=True)
            label = np.clip(true[at] + np.rint(rng.normal(0, 0.7, len(at))).astype(int), 0, size - 1)
        table = pd.DataFrame({"example": example, "annotator": annotator, "label": label})
        table.to_parquet(folder / "labels" / f"{number}.parquet", index=False)
        frame = pd.DataFrame(probs.astype(np.float32), columns=[str(one) for one in range(size)])
        frame.insert(0, "example", ids)
        frame.to_parquet(folder / "probs" / f"{number}.parquet", index=False)


def in_parts(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The batch by `activelab.scale`."""
    from activelab import scale

    places = str(folder / "labels"), str(folder / "probs"), _size(options)
    how = {"workers": options.workers, "memory": options.memory, "seed": 0}
    if options.kind == "sets":
        took, found = timed_once(lambda: scale.suggest_questions(*places, **how))
    else:
        took, found = timed_once(lambda: scale.suggest(*places, "expected_loss", **how))
    columns = found.batch.to_dict()
    return {**took, "partitions": found.plan.partitions, "batch": _rows(columns)}


def in_memory(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The same batch in memory."""
    took, batch = timed_once(lambda: _in_memory(folder, options))
    return {**took, "partitions": 1, "batch": _rows(batch.to_dict())}


def _in_memory(folder: Path, options: argparse.Namespace) -> Any:
    import activelab as al

    labels, probs = pd.read_parquet(folder / "labels"), pd.read_parquet(folder / "probs")
    if options.kind == "sets":
        names = [name for name in probs.columns if name != "example"]
        sets = al.LabelSets.from_long(labels["example"], labels["annotator"], labels["label"], names)
        return al.suggest_questions(sets, probs, _size(options))
    classes = list(range(CLASSES["ratings"]))
    given = al.Labels.from_long(labels, classes=classes)
    return al.suggest(given, probs, _size(options), "expected_loss")


def _size(options: argparse.Namespace) -> int:
    return min(BATCH, options.n_examples // 100)


def _rows(columns: dict[str, Any]) -> list[Any]:
    """What tells two batches apart, bit for bit."""
    worth = columns.get("worth", columns.get("score"))
    which = columns.get("class", columns.get("kind"))
    return [
        list(row) for row in zip(columns["example"].tolist(), which.tolist(), worth.tolist(), strict=True)
    ]


RUNS = {"parts": in_parts, "memory": in_memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-examples", type=int, default=1_000_000)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the examples")
    parser.add_argument("--quick", action="store_true", help="same as --scale 0.05")
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--kind", choices=CLASSES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--memory", default="700MB", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(RUNS[options.run](options.folder, options)))
        return
    print_machine("duckdb", "pyarrow")
    size = int(options.n_examples * (0.05 if options.quick else options.scale))
    rows, results = [], []
    for kind in CLASSES:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary, "pool")
            make(kind, size, folder)
            found = {what: measure(what, folder, size, script=__file__, kind=kind) for what in RUNS}
        for what, one in found.items():
            shown = [f"{one['wall']:.1f}", f"{one['cpu']:.1f}", f"{one['peak'] / 1e6:.0f}"]
            rows.append([f"{size:,} × {CLASSES[kind]} {kind}", what, str(one["partitions"]), *shown])
        parts, memory = found["parts"], found["memory"]
        same = float(parts["batch"] == memory["batch"])
        results.append(Row(f"{kind}: the batch of memory, bit for bit", same, 1, ""))
        results.append(
            Row(f"{kind}: CPU time against memory", parts["cpu"] / memory["cpu"], 3, at_least=False)
        )
        results.append(Row(f"{kind}: peak memory, MB", parts["peak"] / 1e6, 700, "", False))
    print_table(["pool", "what", "partitions", "wall s", "CPU s", "peak MB"], rows)
    print_results(results)


if __name__ == "__main__":
    main()
