"""The consensus of a pool of any size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from activelab._errors import InputError
from activelab.kinds import KINDS, Kind
from activelab.scale._engines import MakeExecutor
from activelab.scale._files import is_url
from activelab.scale._layout import Keep, OnUnmatched, Request
from activelab.scale._plan import Plan, parse_memory
from activelab.scale._run import Progress
from activelab.scale._sequence import ConsensusSummary
from activelab.scale._suggest import check_consensus, inputs_of, running
from activelab.scale.outputs import local_output
from activelab.tables import check_output, format_of


def consensus(
    labels: str | Sequence[str],
    pred_probs: str | Sequence[str | Sequence[str]],
    output: str | os.PathLike[str] | None = None,
    method: str = "auto",
    *,
    kind: str | Kind = "single",
    loss: str | None = None,
    classes: Sequence[Any] | None = None,
    example_column: str | None = None,
    annotator_column: str | None = None,
    label_column: str | None = None,
    keep: Keep = "error",
    unmatched: OnUnmatched = "error",
    engine: str | MakeExecutor = "processes",
    address: str | None = None,
    workers: int | None = None,
    partitions: int | None = None,
    memory: int | str = "2GB",
    work_dir: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    planned: Callable[[Plan], None] | None = None,
) -> ConsensusSummary:
    """The most likely label of every labelled example, from Parquet files of any size.

    Labels, qualities and annotators are those of `activelab.bayesian_consensus`, `crowdlab`,
    `ordinal_consensus` or `multilabel_consensus` of the same data in memory, bit for bit, for any number of
    partitions, workers and engines. Of sets, all answered examples are held in memory at once.

    Parameters
    ----------
    labels, pred_probs
        As of `suggest`.
    output : path, optional
        A Parquet file to write, or its URL, sorted by example: columns of ``to_dict`` of the consensus, and
        predicted_label.
    method : {"auto", "bayesian", "crowdlab"}
        "auto" is "bayesian", and the only one of its kind for ratings and sets. Its models are calibrated,
        those of "crowdlab" are not.
    kind : {"single", "ordinal", "multilabel"} or Kind
        What an answer is: a class, a point of a scale, or a set of classes, a text such as "a|b".
    loss : str, optional
        What a wrong answer costs, by default the first of `Kind.losses`.
    classes, example_column, annotator_column, label_column, keep, unmatched, engine, address, workers
        As of `suggest`.
    partitions, memory, work_dir, seed, progress, planned
        As of `suggest`.

    Returns
    -------
    ConsensusSummary

    Raises
    ------
    InputError
        As `suggest`; if the method cannot be computed in parts, or ``output`` is no Parquet file.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from activelab import scale
    >>> folder = tempfile.TemporaryDirectory()
    >>> names = [f"{folder.name}/{name}.parquet" for name in ("labels", "probs", "consensus")]
    >>> rows = [("a", 1, "x"), ("a", 2, "x"), ("b", 1, "y")]
    >>> pd.DataFrame(rows, columns=["example", "annotator", "label"]).to_parquet(names[0])
    >>> probs = {"example": ["a", "b", "c"], "x": [0.9, 0.4, 0.5], "y": [0.1, 0.6, 0.5]}
    >>> pd.DataFrame(probs).to_parquet(names[1])
    >>> scale.consensus(*names, workers=1).n_labelled
    2
    >>> pd.read_parquet(names[2])["consensus_label"].tolist()
    ['x', 'y']
    >>> folder.cleanup()
    """
    answers = KINDS.get(kind)
    chosen, by = check_consensus(method, answers), answers.loss(loss)
    several = chosen == "multilabel"
    if output is not None:
        if not is_url(os.fspath(output)):
            check_output(output)
        if format_of(output).kind != "parquet":
            raise InputError("a consensus of a pool beyond memory is written as .parquet.", file=output)
    request = Request(
        inputs=inputs_of(labels, pred_probs, example_column, annotator_column, label_column, several=several),
        consensus=chosen,
        several=several,
        classes=classes,
        keep=keep,
        unmatched=unmatched,
        workers=workers,
        partitions=partitions,
        memory=parse_memory(memory),
        seed=seed,
    )
    place = nullcontext(None) if output is None else local_output(os.fspath(output))
    with place as to, running(request, engine, address, work_dir, progress, planned) as run:
        return run.consensus_of_sets(by, to) if several else run.consensus(chosen, to, by)
