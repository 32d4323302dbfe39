"""How a run goes about it: which files make a partition, how many there are, what is read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from activelab._errors import InputError
from activelab.acquisition import Acquisition, ActiveLab, Frugal
from activelab.calibration import LARGE
from activelab.scale._inputs import Inputs
from activelab.scale._job import Partition
from activelab.scale._reserve import LEAST_CERTAIN, by_certainty

PROCESS = 230 << 20
"""Bytes of a process that has loaded the libraries."""
LEAST = 48 << 20
"""Bytes of the smallest partition that is worth its while."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {f"{unit}i": 1 << (10 * place) for place, unit in enumerate("kmgt", 1)}


def parse_memory(memory: int | str) -> int:
    """Bytes of a budget such as ``"2GB"`` or ``"1.5GiB"``.

    Raises
    ------
    InputError
        If it is no amount of memory.
    """
    if isinstance(memory, int):
        return memory
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", memory.lower())
    if not found:
        raise InputError(f"the memory budget {memory!r} is not an amount such as 2GB.")
    return int(float(found[1]) * _UNITS[found[2] or ""])


@dataclass(frozen=True)
class Plan:
    """What a run will do; printed by ``--explain``.

    Attributes
    ----------
    partitions : int
        Parts the pool is cut into; each is read by one task of each pass.
    aligned : bool
        Whether the files are used as they are; otherwise they are hash-partitioned first.
    workers : int
        Tasks at a time.
    memory : int
        Budget in bytes, of all processes on this machine.
    partition_bytes : int
        Estimated memory of a task beyond its process.
    n_examples, n_labels, n_models : int
    label_bytes, prob_bytes : int
        Sizes of the files.
    passes : tuple of (str, int, str)
        Name of each pass, the bytes of input it reads, and what it is for. Those of the calibration are
        as many as the search needs, two most often.
    """

    partitions: int
    aligned: bool
    workers: int
    memory: int
    partition_bytes: int
    n_examples: int
    n_labels: int
    n_models: int
    label_bytes: int
    prob_bytes: int
    passes: tuple[tuple[str, int, str], ...]

    @property
    def bytes_read(self) -> int:
        """Bytes of input all passes read."""
        return sum(size for _, size, _ in self.passes)


_SCORED = 90
"""Bytes that scoring an example takes for each class, where labels are sets."""


def bytes_per_row(
    inputs: Inputs, n_classes: int, several: bool = False, consensus: str | None = None
) -> float:
    """Estimated memory of a task for each example of its partition, labels included."""
    cells = [n_classes * np.dtype(one.dtype).itemsize for one in inputs.prob_columns]
    text = 150 if inputs.examples_as_text else 0
    labels = inputs.n_labels / max(inputs.n_examples, 1)
    # In the first pass one model, what of it is kept, and the labels as they are read and sorted; in the last
    # all models.
    first_pass = (1.3 + min(labels, 1)) * max(cells) + 40 + text + labels * (120 + text)
    last_pass = 1.1 * sum(cells) + 80 + labels * 16
    if several:
        last_pass += (_SCORED + labels) * n_classes
    if consensus is not None:
        # Posteriors, what is kept of the labels that are compared, and the table.
        last_pass += 8 * n_classes + labels * 100 + 120 + text
    return max(first_pass, last_pass)


def check_gathered(
    memory: int,
    n_examples: int,
    n_labels: int,
    cell_bytes: Sequence[int],
    n_classes: int,
    several: bool,
) -> None:
    """Raise unless labelled examples, gathered and judged in one go, fit the budget.

    ``cell_bytes`` are the bytes of a probability of each model.
    """
    # Probabilities as they come and sorted; of sets also as yes and no, with posteriors.
    example = 3 * n_classes * sum(cell_bytes) + 60
    label = 60
    if several:
        example += n_classes * (16 * len(cell_bytes) + 40)
        label += n_classes
    need = n_examples * example + n_labels * label
    if need > memory - PROCESS:
        raise InputError(
            f"this method judges {'the' if several else 'a sample of the'} labelled examples in one go: "
            f"{n_examples:,} of them with {n_classes:,} classes take about {need / 1e6:,.0f} MB, and the "
            f"budget leaves {(memory - PROCESS) / 1e6:,.0f} MB.",
            advice="memory",
        )


def fit(row: float, memory: int, workers: int | None, aligned: Sequence[Partition]) -> tuple[int, int]:
    """Workers, and rows a partition may have, so that all processes together keep the budget.

    ``row`` is `bytes_per_row`.

    Files used as they are, ``aligned``, are worth fewer workers; with none of them it is as many as
    there are cores, or as asked for.

    Raises
    ------
    InputError
        If even one worker needs more.
    """
    from joblib import cpu_count

    # The cores this process may use, by affinity and container, on any operating system.
    wanted = workers or cpu_count()
    largest = max((max(one.rows) for one in aligned), default=0)
    choices = []
    for number in range(max(min(wanted, len(aligned) or wanted), 1), 0, -1):
        processes = 1 if number == 1 else number + 1
        left = (memory - processes * PROCESS) / number
        if left >= LEAST:
            choices.append((number, int(left / row)))
    if not choices:
        raise InputError(
            f"a memory budget of {memory / 1e6:,.0f} MB is too small: the program itself takes "
            f"{PROCESS / 1e6:,.0f} MB and a partition at least {LEAST / 1e6:,.0f} MB.",
            advice="memory",
        )
    return next((one for one in choices if one[1] >= largest), choices[0])


def passes_of(
    method: Acquisition,
    n_examples: int,
    n_models: int,
    across_bytes: int | None,
    label_bytes: int,
    prob_bytes: int,
    labelled: float,
    several: bool = False,
    consensus: str | None = None,
    estimated: bool = False,
) -> tuple[tuple[str, int, str], ...]:
    """Name, bytes of input and purpose of each pass.

    ``across_bytes`` are those of the labels to cut by the ranges of the files, None if all is to be cut by a
    hash; ``labelled`` is the share of the examples that have labels, at most: passes over those read what the
    first one kept of them. ``several`` is whether labels are sets, ``estimated`` whether something rests on
    the Bayesian consensus. Where a search takes longer, a tie is left, or bounds do not tell which examples
    may be in the batch, there are more.
    """
    found = []
    if across_bytes is None:
        found.append(("partition", label_bytes + prob_bytes, "hash-partition by example"))
    elif across_bytes:
        found.append(("partition", across_bytes, "labels that belong to several files of probabilities"))
    of_labelled = int(labelled * prob_bytes)
    found.append(("prepare", label_bytes + prob_bytes, "check, count, agreement of annotators"))
    by_estimate = several or (estimated and consensus is not None) or isinstance(method, Frugal)
    if not by_estimate:
        # A sample tells the temperature of a large pool; one model breaks ties of the vote where they lie.
        calibrates = consensus is None and isinstance(method, ActiveLab) and method.calibrate
        if calibrates and n_examples <= LARGE:
            found += [("calibrate", of_labelled, "temperature: a step of the search")] * 2
        if n_models > 1:
            found.append(("vote", of_labelled, "majority vote, first weights"))
        found.append(("agree", of_labelled, "CROWDLAB consensus, final weights"))
    if estimated:
        what = "the labelled examples" if several else "a sample of the labelled examples"
        found.append(("gather", of_labelled, f"{what}, on which the consensus rests"))
        if not several:
            found.append(("learn", of_labelled, "how annotators err, by all labels"))
    if consensus is None and several:
        found.append(("ask", prob_bytes, "worth of the questions, best of each partition"))
    elif consensus is None:
        bounded = n_models == 1 and by_certainty(method)
        last = of_labelled + int(LEAST_CERTAIN * (prob_bytes - of_labelled)) if bounded else prob_bytes
        found.append(("assess" if by_estimate else "score", last, "scores, best of each partition"))
    elif not several:  # the consensus of sets is that of what was gathered
        found.append(("decide", of_labelled, "consensus, kept as tables, and statistics of annotators"))
    return tuple(found)


def bucket_count(inputs: Inputs, rows: int, at_least: int) -> int:
    """Partitions to cut the pool into, each of at most so many rows but for the luck of the hash."""
    return max(math.ceil(1.15 * inputs.n_examples / max(rows, 1)), min(at_least, inputs.n_examples), 1)
