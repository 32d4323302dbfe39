"""What the benchmarks share: a made-up crowd, clocks, a memory gauge, and the table they print."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import activelab as al


@dataclass
class Crowd:
    """Labels of imperfect annotators, in no particular order, and a model's probabilities."""

    example: np.ndarray
    annotator: np.ndarray
    label: np.ndarray
    n_annotators: int
    pred_probs: np.ndarray

    def labels(self) -> al.Labels:
        """The sparse table."""
        n_examples, n_classes = self.pred_probs.shape
        return al.Labels(
            self.example,
            self.annotator,
            self.label,
            examples=n_examples,
            annotators=self.n_annotators,
            classes=n_classes,
        )

    def wide(self) -> np.ndarray:
        """The dense matrix, NaN where missing."""
        matrix = np.full((len(self.pred_probs), self.n_annotators), np.nan)
        matrix[self.example, self.annotator] = self.label
        return matrix


def make_crowd(
    n_examples: int,
    n_annotators: int,
    *,
    n_classes: int = 10,
    labels_per_example: tuple[int, ...] = (1, 2, 3, 4, 5),
    dtype: type = np.float64,
    seed: int = 0,
) -> Crowd:
    """A pool in which each of the given numbers of labels is equally frequent.

    Annotators are right with a chance of their own between 0.5 and 1; the model is overconfident.
    """
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n_examples, dtype=np.int32)
    counts = rng.permutation(np.resize(labels_per_example, n_examples))
    example = np.repeat(np.arange(n_examples, dtype=np.int32), counts)
    # An example's annotators are a few steps of one length around the circle of all: no repeats.
    place = np.arange(len(example)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = rng.integers(n_annotators, size=n_examples)[example]
    step = rng.integers(1, max(n_annotators // max(labels_per_example), 2), size=n_examples)[example]
    annotator = ((start + place * step) % n_annotators).astype(np.int32)
    skill = rng.uniform(0.5, 1.0, size=n_annotators).astype(np.float32)
    right = rng.random(len(example), dtype=np.float32) < skill[annotator]
    other = (truth[example] + rng.integers(1, n_classes, size=len(example))) % n_classes
    label = np.where(right, truth[example], other).astype(np.int32)
    shuffled = rng.permutation(len(example))
    pred_probs = np.empty((n_examples, n_classes), dtype=dtype)
    for first in range(0, n_examples, 1 << 17):
        rows = slice(first, first + (1 << 17))
        logits = rng.standard_normal(pred_probs[rows].shape, dtype=np.float32) * 2
        logits[np.arange(len(logits)), truth[rows]] += 4
        logits -= logits.max(axis=1, keepdims=True)
        values = np.exp(logits.astype(dtype))
        pred_probs[rows] = values / values.sum(axis=1, keepdims=True)
    return Crowd(example[shuffled], annotator[shuffled], label[shuffled], n_annotators, pred_probs)


@dataclass
class Timing:
    """Seconds of one call: of this process's CPU time, and by the clock."""

    cpu: float
    wall: float

    def __str__(self) -> str:
        return f"{self.cpu:.3g} s CPU, {self.wall:.3g} s wall"


def timed(function: Callable[[], Any], repeat: int = 1) -> Timing:
    """The fastest of ``repeat`` calls, by wall time."""
    times = []
    for _ in range(repeat):
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        result = function()
        times.append(Timing(time.process_time() - cpu, time.perf_counter() - wall))
        del result
    return min(times, key=lambda one: one.wall)


def peak_memory(function: Callable[[], Any]) -> int:
    """Bytes of resident memory by which a call exceeded the state before it, sampled in a thread."""
    process, done = psutil.Process(), threading.Event()
    gc.collect()
    before = peak = process.memory_info().rss

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, process.memory_info().rss)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        result = function()
    finally:
        done.set()
        thread.join()
    peak = max(peak, process.memory_info().rss)
    del result
    return peak - before


@dataclass
class Row:
    """One line of a result: a measured number against its target."""

    what: str
    measured: float
    target: float
    unit: str = "×"
    at_least: bool = True

    def cells(self) -> list[str]:
        met = self.measured >= self.target if self.at_least else self.measured <= self.target
        sign = "≥" if self.at_least else "≤"
        return [
            self.what,
            f"{sign} {self.target:,g} {self.unit}",
            f"{_number(self.measured)} {self.unit}",
            "pass" if met else "MISS",
        ]


def print_results(rows: list[Row]) -> None:
    """Targets, measurements, and whether they are met."""
    print_table(["what", "target", "measured", ""], [row.cells() for row in rows])


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """A markdown table whose columns also line up on a terminal."""
    print("\n" + markdown(header, rows) + "\n", flush=True)


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A markdown table."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def versions(*packages: str) -> str:
    """The versions a measurement belongs to: of Python, activelab, numpy, scipy, scikit-learn and others."""
    names = dict.fromkeys(("activelab", "numpy", "scipy", "scikit-learn", *packages))
    shown = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return f"Python {platform.python_version()}, {shown}"


def print_machine(*packages: str) -> None:
    """The machine and the versions a measurement belongs to."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next(line for line in info.read_text().splitlines() if "model name" in line).split(": ")[1]
    memory = psutil.virtual_memory().total / 2**30
    print(f"{model}, {os.cpu_count()} cores, {memory:.0f} GB; {versions(*packages)}")
    print(f"load average before: {os.getloadavg()[0]:.2f}", flush=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
