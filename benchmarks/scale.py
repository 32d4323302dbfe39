"""`activelab.scale` from Parquet files: against reading them, against SQL in DuckDB, and as the pool grows.

10 classes in float32, 1.5 labels an example by 10,000 annotators, a quarter of the examples without a label
(--labels sparse: two labels of every twentieth), files of 500,000 examples; one process and one thread for
every contestant, a batch of 100,000. There are two units: reading the Parquet columns once, with pyarrow; and
reading what each pass reads, once per pass: the first, and a last one that takes all examples, the Parquet
columns, all others the rows of labelled examples, as the first keeps them, with numpy. Ratios are of CPU
seconds, imports included. Memory is the resident memory of the process and its children together, sampled.

--method takes any that runs in parts, such as frugal; SQL is of activelab alone.

--sizes 1e6,1e7,1e8 takes a quarter of an hour, 7 GB of disk and 4 GB of memory. --clusters adds the speed-up
of two workers of each engine over one process, at the first size: one and two take turns, --rounds times; the
workers run before the clock does, after a run that is not counted, but in the rows "started for the run".
Medians of wall times, with the load average. On fewer than two idle cores they say nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import Executor, Future
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from _common import Row, print_machine, print_results, print_table
from _pool import LABELLED, N_CLASSES, ROWS_A_FILE, Sql, make_pool, read_once

BATCH = 100_000


def timed_once(function: Any) -> tuple[dict[str, float], Any]:
    """Seconds by the clock and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}, result


def run_scale(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One run of `scale.suggest`, and how often each pass went over the pool."""
    from activelab import scale

    rows: Counter[str] = Counter()
    size = min(BATCH, options.n_examples // 10)
    took, found = timed_once(
        lambda: scale.suggest(
            str(folder / "labels"),
            str(folder / "probs"),
            size,
            options.method,
            workers=options.workers,
            memory=options.memory,
            engine=options.engine,
            progress=lambda name, n: rows.update({name: n}),
        )
    )
    passes = {name: n / found.n_examples for name, n in rows.items()}
    return {
        **took,
        "passes": passes,
        "whole": 1 + found.read_whole / found.plan.partitions,
        "partitions": found.plan.partitions,
        "batch": found.batch.examples.tolist(),
    }


def run_consensus(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One run of `scale.consensus`, its file included."""
    from activelab import scale

    rows: Counter[str] = Counter()
    took, found = timed_once(
        lambda: scale.consensus(
            str(folder / "labels"),
            str(folder / "probs"),
            folder / "consensus.parquet",
            options.method,
            workers=options.workers,
            memory=options.memory,
            engine=options.engine,
            progress=lambda name, n: rows.update({name: n}),
        )
    )
    passes = {name: n / found.n_examples for name, n in rows.items()}
    return {**took, "passes": passes, "whole": 1, "partitions": found.plan.partitions}


def run_reading(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Reading each table once, and the rows of labelled examples as plain numbers."""
    found = {kind: timed_once(lambda kind=kind: read_once(folder, kind))[0] for kind in ("labels", "probs")}
    counts = LABELLED[options.labels]
    labelled = sum(count > 0 for count in counts) / len(counts)
    number, rows = -(-options.n_examples // ROWS_A_FILE), folder / "rows"
    np.zeros(int(labelled * options.n_examples / number) * N_CLASSES, dtype=np.float32).tofile(rows)
    read = timed_once(lambda: [np.fromfile(rows, dtype=np.float32) for _ in range(number)])[0]
    return {**found, "rows": read}


def run_sql(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The same batch in SQL."""
    with tempfile.TemporaryDirectory(dir=folder) as spill:
        sql = Sql(folder, Path(spill), options.memory)
        took, batch = timed_once(lambda: sql.batch(min(BATCH, options.n_examples // 10)))
    return {**took, "batch": sorted(batch)}


class Kept(Executor):
    """An engine that runs before a run of `scale` begins and after it ends."""

    def __init__(self, inner: Executor) -> None:
        self.inner = inner

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send a call on."""
        return self.inner.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Not yet."""


def all_cpu_seconds() -> float:
    """Of this process, of all it started, and of those of them that have ended."""
    total = 0.0
    this = psutil.Process()
    for one in (this, *this.children(recursive=True)):
        with suppress(psutil.Error):
            total += sum(one.cpu_times()[:4])
    return total


def run_speedup(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One process and two workers of an engine in turns."""
    from activelab import scale
    from activelab.scale._engines import make_engine, one_thread_each

    size = min(BATCH, options.n_examples // 10)
    start = make_engine(options.engine, None, 2)
    with one_thread_each():
        running = start()
    ways: dict[str, dict[str, Any]] = {
        "one": {"workers": 1},
        "two": {"workers": 2, "engine": lambda: Kept(running)},
    }
    if options.engine == "processes":
        ways["started"] = {"workers": 2}
    found: dict[str, Any] = {name: [] for name in ways}
    batches = []
    for turn in range(options.rounds + 1):
        for name, how in ways.items():
            wall, cpu = time.perf_counter(), all_cpu_seconds()
            result = scale.suggest(
                str(folder / "labels"), str(folder / "probs"), size, options.method, memory="8GB", **how
            )
            took = {"wall": time.perf_counter() - wall, "cpu": all_cpu_seconds() - cpu}
            batches.append(result.batch.examples)
            if turn:
                found[name].append({**took, "load": os.getloadavg()[0]})
    running.shutdown()
    found["same"] = all((one == batches[0]).all() for one in batches)
    return found


RUNS = {
    "scale": run_scale,
    "consensus": run_consensus,
    "reading": run_reading,
    "sql": run_sql,
    "speedup": run_speedup,
}
TARGETS = {"processes": 1.7, "dask": 1.5, "ray": 1.5}


def speedups(folder: Path, n_examples: int, options: argparse.Namespace) -> tuple[list[list[str]], list[Row]]:
    """Rows of a table, and results, of two workers of each engine."""
    rows, results = [], []
    for engine, target in TARGETS.items():
        found = measure(
            "speedup", folder, n_examples, engine=engine, method=options.method, rounds=options.rounds
        )
        base = statistics.median(one["wall"] for one in found["one"])
        words = {
            "one": "one process",
            "two": f"{engine}, two workers",
            "started": f"{engine}, two workers started for the run",
        }
        for name, what in words.items():
            if name not in found:
                continue
            middle = {key: statistics.median(one[key] for one in found[name]) for key in found[name][0]}
            cells = [f"{middle['wall']:.2f}", f"{middle['cpu']:.2f}", f"{found['peak'] / 1e6:.0f}"]
            rows.append([f"{n_examples:,}", f"{what}, load {middle['load']:.1f}", *cells])
            if name != "one":
                results.append(Row(f"{what}: speed-up over one process", base / middle["wall"], target))
        results.append(Row(f"{engine}: the same batch", float(found["same"]), 1, ""))
    return rows, results


def measure(
    what: str, folder: Path, n_examples: int, *, script: str = __file__, **options: Any
) -> dict[str, Any]:
    """A run in a process of its own, and the peak of its memory."""
    command = [
        sys.executable,
        script,
        "--run",
        what,
        "--folder",
        str(folder),
        "--n-examples",
        str(n_examples),
    ]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, stdout=output)
        process, peak = psutil.Process(child.pid), 0
        while child.poll() is None:
            peak = max(peak, _resident(process))
            time.sleep(0.05)
        if child.returncode:
            raise SystemExit(f"{what} failed")
        output.seek(0)
        return {**json.load(output), "peak": peak}


def _resident(process: psutil.Process) -> int:
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:
        pass
    return total


def unit(one: dict[str, Any], reading: dict[str, Any], clock: str) -> float:
    """Reading what each pass reads: labels in the first alone, probabilities of all or of the labelled."""
    # What `compare` reads is what `decide` left: no probabilities. Parts that the last pass read in full were
    # not read as rows.
    passes = one["passes"]
    kept = sum(count for name, count in passes.items() if name not in ("prepare", "compare"))
    kept -= one["whole"] - 1
    return once(reading, clock) + float(
        (one["whole"] - 1) * reading["probs"][clock] + kept * reading["rows"][clock]
    )


def once(reading: dict[str, Any], clock: str) -> float:
    """Reading labels and probabilities once."""
    return float(reading["labels"][clock] + reading["probs"][clock])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1e6,1e7", help="examples (default 1e6,1e7)")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the examples")
    parser.add_argument("--quick", action="store_true", help="same as --scale 0.1")
    parser.add_argument("--method", default="activelab", help="what scores the pool (default activelab)")
    parser.add_argument("--labels", choices=LABELLED, default="dense", help="how many (default dense)")
    parser.add_argument("--consensus", help="also the consensus by this method, bayesian or crowdlab")
    parser.add_argument("--clusters", action="store_true", help="two workers of each engine, too")
    parser.add_argument("--rounds", type=int, default=3, help="turns of --clusters (default 3)")
    parser.add_argument("--data", type=Path, help="folder for the pools (default: a temporary one)")
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--n-examples", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--memory", default="2GB", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--engine", default="processes", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(RUNS[options.run](options.folder, options)))
        return
    print_machine("duckdb", "pyarrow")
    fraction = 0.1 if options.quick else options.scale
    sizes = [int(float(size) * fraction) for size in options.sizes.split(",")]
    rows, results, growth = [], [], []
    for n_examples in sizes:
        with tempfile.TemporaryDirectory(dir=options.data) as temporary:
            folder = Path(temporary, "pool")
            make_pool(n_examples, folder, LABELLED[options.labels])
            memory = "4GB" if n_examples > 2e7 else "2GB"
            reading = measure("reading", folder, n_examples, labels=options.labels)
            one = measure("scale", folder, n_examples, memory=memory, method=options.method)
            growth.append((n_examples, one))
            base = unit(one, reading, "cpu")
            rows.append(_cells(f"{n_examples:,}", f"activelab.scale, {options.method}", one))
            wall = once(reading, "wall")
            rows.append([f"{n_examples:,}", "reading once", f"{wall:.2f}", f"{once(reading, 'cpu'):.2f}", ""])
            wall = unit(one, reading, "wall")
            rows.append([f"{n_examples:,}", "reading once per pass", f"{wall:.2f}", f"{base:.2f}", ""])
            size = f"{n_examples:.0e}".replace("+0", "")
            if options.consensus:
                found = measure("consensus", folder, n_examples, memory=memory, method=options.consensus)
                rows.append(_cells(f"{n_examples:,}", f"consensus, {options.consensus}", found))
                against = found["cpu"] / unit(found, reading, "cpu")
                results.append(Row(f"{size}: consensus against reading", against, 2.5, at_least=False))
            results.append(
                Row(f"{size}: against reading once per pass", one["cpu"] / base, 2.5, at_least=False)
            )
            results.append(Row(f"{size}: peak memory, MB", one["peak"] / 1e6, 500, "", False))
            if options.clusters and n_examples == sizes[0]:
                more, found = speedups(folder, n_examples, options)
                rows += more
                results += found
            if n_examples <= 2e7 and options.method == "activelab":
                sql = measure("sql", folder, n_examples, memory=memory)
                rows.append(_cells(f"{n_examples:,}", "SQL in DuckDB", sql))
                same = len(set(one["batch"]) & set(sql["batch"])) / len(one["batch"])
                results.append(Row(f"{size}: faster than SQL in DuckDB", sql["cpu"] / one["cpu"], 1))
                results.append(Row(f"{size}: share of the batch that SQL has too", same, 0.999, ""))
            print_table(["examples", "what", "wall s", "CPU s", "peak MB"], rows)
            shutil.rmtree(folder)
    for (small, one), (large, two) in pairwise(growth):
        results.append(
            Row(
                f"time of {large / small:g} times the examples",
                two["cpu"] / one["cpu"],
                1.25 * large / small,
                at_least=False,
            )
        )
    print_results(results)


def _cells(size: str, what: str, one: dict[str, Any]) -> list[str]:
    return [size, what, f"{one['wall']:.2f}", f"{one['cpu']:.2f}", f"{one['peak'] / 1e6:.0f}"]


if __name__ == "__main__":
    main()
