"""What to label next in a pool of any size."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from activelab._conventions import PAPER
from activelab._errors import InputError
from activelab.acquisition import Acquisition, ActiveLab, Frugal
from activelab.consensus import AUTO
from activelab.kinds import KINDS, SINGLE, Kind
from activelab.multilabel import Ask, QuestionBatch
from activelab.multilabel.parts import check_asking
from activelab.planning import Batch
from activelab.scale._engines import MakeExecutor, make_engine
from activelab.scale._files import Store, check_store, is_url
from activelab.scale._inputs import Inputs, read_schema
from activelab.scale._layout import Keep, OnUnmatched, Request, lay_out, partitions_of
from activelab.scale._plan import Plan, parse_memory
from activelab.scale._run import Progress, Runner
from activelab.scale._sequence import Run, Suggestion
from activelab.selection import check_batch_size
from activelab.strategies import Strategy


def suggest(
    labels: str | Sequence[str],
    pred_probs: str | Sequence[str | Sequence[str]],
    batch_size: int = 100,
    method: str | Acquisition | Strategy = "activelab",
    *,
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
) -> Suggestion[Batch]:
    """What to label next, from Parquet files of any size.

    The pool is cut into partitions; each pass is a function of one partition that calls the functions of
    the core, and its sums add up in any order. The result is the same, bit for bit, for any number of
    partitions, workers and engines, and the same as `activelab.suggest` gives in memory.

    Parameters
    ----------
    labels : str or sequence of str
        Parquet files with one row a label: names, patterns, folders or URLs (anything fsspec reads).
    pred_probs : str, or sequence with an item for each model
        Files of the models' probabilities, each item as ``labels`` is: the example and one column a
        class, or one column of lists in the order of ``classes``.
    batch_size : int
    method : str, Acquisition or Strategy
        A method that scores each example by itself, ActiveLab or a baseline; or one that scores by an
        estimate of the labelled examples, as "frugal" (which "recommended" is without features) and, of
        ratings, "expected_loss" do. For these a sample of the labelled examples, whose size does not grow
        with the pool, is held in memory with its probabilities. Of a strategy skip_settled and assignment
        count as well.
    classes : sequence, optional
        Every class. By default the columns of the first model, or the labels that occur, sorted.
    example_column, annotator_column, label_column : str, optional
        Names of columns; recognised by default.
    keep : {"error", "first", "last"}
        What to do when an annotator labelled an example more than once.
    unmatched : {"error", "drop"}
        What to do with examples that have labels but no probabilities, or not by every model.
    engine : {"processes", "dask", "ray"} or callable
        Where tasks run; or what makes a `concurrent.futures.Executor`.
    address : str, optional
        Of a running cluster. Without it a local one is started.
    workers : int, optional
        Tasks at a time; by default the cores of this machine. With 1 all runs in this process.
    partitions : int, optional
        Parts to cut the pool into; by default as many as the budget asks for. Files that need no cutting
        are used as they are.
    memory : int or str
        Budget of all processes on this machine, in bytes or such as ``"2GB"``.
    work_dir : str, optional
        Folder or URL that keeps partitions and results, so that a run that was stopped goes on, and one
        with new labels reads what they touch. Every worker must reach it. By default a temporary one.
    seed : int
        Seed of random methods and of ties.
    progress : callable, optional
        Called with the name of a pass and the number of rows done, after each partition.
    planned : callable, optional
        Called with the `Plan` before the first pass.

    Returns
    -------
    Suggestion

    Raises
    ------
    InputError
        If files cannot be found or read or do not fit together, ids are repeated or unmatched, the
        budget is too small, the disk is full, or the cluster cannot be reached. Nothing is left behind
        but what ``work_dir`` keeps.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from activelab import scale
    >>> folder = tempfile.TemporaryDirectory()
    >>> names = [f"{folder.name}/labels.parquet", f"{folder.name}/probs.parquet"]
    >>> rows = [("a", 1, "x"), ("a", 2, "x"), ("b", 1, "y")]
    >>> pd.DataFrame(rows, columns=["example", "annotator", "label"]).to_parquet(names[0])
    >>> probs = {"example": ["a", "b", "c"], "x": [0.9, 0.4, 0.5], "y": [0.1, 0.6, 0.5]}
    >>> pd.DataFrame(probs).to_parquet(names[1])
    >>> scale.suggest(*names, batch_size=1, workers=1).batch.examples.tolist()
    ['c']
    >>> folder.cleanup()
    """
    strategy = Strategy.of(method)
    _check_strategy(strategy)
    check_batch_size(batch_size)
    request = Request(
        inputs=inputs_of(labels, pred_probs, example_column, annotator_column, label_column),
        batch_size=batch_size,
        strategy=strategy,
        classes=classes,
        keep=keep,
        unmatched=unmatched,
        workers=workers,
        partitions=partitions,
        memory=parse_memory(memory),
        seed=seed,
    )
    with running(request, engine, address, work_dir, progress, planned) as run:
        return run.result()


def suggest_questions(
    labels: str | Sequence[str],
    pred_probs: str | Sequence[str | Sequence[str]],
    batch_size: int = 10,
    *,
    ask: Ask = "either",
    class_price: float | None = None,
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
) -> Suggestion[QuestionBatch]:
    """What to ask next where answers are sets, from Parquet files of any size.

    The questions are those of `activelab.suggest_questions`, by the Hamming loss. The answered examples and
    their probabilities are held in memory at once; all others are scored partition by partition.

    Parameters
    ----------
    labels : str or sequence of str
        As of `suggest`; a label is a text such as "a|b" ("|" is the empty set), or a list of classes.
    pred_probs : str, or sequence with an item for each model
        As of `suggest`; the probabilities of an example need not add up to 1.
    batch_size, ask, class_price
        As of `activelab.suggest_questions`.
    classes : sequence, optional
        Every class. By default the columns of the first model.
    example_column, annotator_column, label_column, keep, unmatched, engine, address, workers, partitions
        As of `suggest`.
    memory, work_dir, seed, progress, planned
        As of `suggest`.

    Returns
    -------
    Suggestion
        Its ``batch`` is a `QuestionBatch`; ``annotator_weight`` is the mean of an annotator's sensitivities
        and specificities, ``temperature`` that of the classes.

    Raises
    ------
    InputError
        As `suggest`; if ``ask`` is unknown, or a number is not positive.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from activelab import scale
    >>> folder = tempfile.TemporaryDirectory()
    >>> names = [f"{folder.name}/labels.parquet", f"{folder.name}/probs.parquet"]
    >>> rows = [("a", 1, "x|y"), ("a", 2, "x"), ("b", 1, "|")]
    >>> pd.DataFrame(rows, columns=["example", "annotator", "label"]).to_parquet(names[0])
    >>> probs = {"example": ["a", "b", "c"], "x": [0.9, 0.1, 0.1], "y": [0.5, 0.1, 0.2]}
    >>> pd.DataFrame(probs).to_parquet(names[1])
    >>> [*scale.suggest_questions(*names, batch_size=1, workers=1).batch]
    [('c', 'x')]
    >>> folder.cleanup()
    """
    request = Request(
        inputs=inputs_of(labels, pred_probs, example_column, annotator_column, label_column, several=True),
        batch_size=batch_size,
        classes=classes,
        keep=keep,
        unmatched=unmatched,
        workers=workers,
        partitions=partitions,
        memory=parse_memory(memory),
        seed=seed,
        several=True,
    )
    check_asking(batch_size, ask, class_price, 0)
    with running(request, engine, address, work_dir, progress, planned) as run:
        return run.questions(ask, check_asking(batch_size, ask, class_price, len(run.job.classes)))


@contextmanager
def running(
    request: Request,
    engine: str | MakeExecutor,
    address: str | None,
    work_dir: str | None,
    progress: Progress | None,
    planned: Callable[[Plan], None] | None,
) -> Iterator[Run]:
    """A run whose pool is laid out, and cut where it must be."""
    if address is not None and engine == "processes":
        raise InputError("an address needs an engine: ray or dask.")
    if address is not None and work_dir is None:
        raise InputError("a cluster needs a folder or URL that all its workers reach.", advice="work_dir")
    with _working_folder(work_dir) as store:
        layout = lay_out(request, store)
        if planned is not None:
            planned(layout.plan)
        make = engine if callable(engine) else make_engine(engine, address, layout.plan.workers)
        job, parts = partitions_of(request, layout, store)
        at_once = 1 if layout.plan.workers == 1 else 2 * layout.plan.workers
        with Runner(store, parts, make, at_once, progress) as runner:
            yield Run(request, layout.plan, job, runner)


def plan(
    labels: str | Sequence[str],
    pred_probs: str | Sequence[str | Sequence[str]],
    *,
    classes: Sequence[Any] | None = None,
    example_column: str | None = None,
    annotator_column: str | None = None,
    label_column: str | None = None,
    workers: int | None = None,
    partitions: int | None = None,
    memory: int | str = "2GB",
    method: str | Acquisition | Strategy = "activelab",
    several: bool = False,
    consensus: str | None = None,
    kind: str | Kind = "single",
) -> Plan:
    """The `Plan` of a run, from the footers of the files; arguments and errors are those of `suggest`.

    With ``several`` it is that of `suggest_questions`, with ``consensus`` that of `consensus` by this method
    of answers of this ``kind``.
    """
    if consensus is not None:
        consensus = check_consensus(consensus, KINDS.get(kind))
        several = consensus == "multilabel"
    inputs = inputs_of(labels, pred_probs, example_column, annotator_column, label_column, several=several)
    request = Request(
        inputs=inputs,
        strategy=Strategy.of(method),
        several=several,
        consensus=consensus,
        classes=classes,
        workers=workers,
        partitions=partitions,
        memory=parse_memory(memory),
    )
    with _working_folder(None) as store:
        return lay_out(request, store).plan


def inputs_of(
    labels: Any,
    pred_probs: Any,
    example: str | None,
    annotator: str | None,
    label: str | None,
    *,
    several: bool = False,
) -> Inputs:
    models = [_names(one) for one in _names(pred_probs)]
    return read_schema(_names(labels), models, example, annotator, label, several)


def _names(value: Any) -> list[Any]:
    return [os.fspath(value)] if isinstance(value, str | os.PathLike) else list(value)


def _check_strategy(strategy: Strategy) -> None:
    method = strategy.acquisition
    if strategy.batching != "top":
        raise InputError(
            f"the batching {strategy.batching!r} compares examples of the whole pool: it is for pools that "
            "fit the memory. In parts there is top."
        )
    by_estimate = isinstance(method, Frugal) and all(
        getattr(type(method), name) is getattr(Frugal, name) for name in ("assess_models", "estimate")
    )
    if not method.by_example and not by_estimate:
        raise InputError(
            f"{type(method).__name__} may need the whole pool at once, so that it cannot score it in parts. "
            "If it scores each example by itself, set by_example = True on it."
        )
    if isinstance(method, ActiveLab) and method.conventions != PAPER:
        raise InputError("only the conventions of the paper can be computed in parts.")


_CONSENSUS = {"single": (AUTO, "crowdlab"), "ordinal": ("ordinal",), "multilabel": ("multilabel",)}
"""By the kind of question, that which it is asked for without a name first."""


def check_consensus(method: str, kind: Kind = SINGLE) -> str:
    """The name of a consensus of answers of a kind that can be computed in parts.

    Raises
    ------
    InputError
        If it cannot.
    """
    known = _CONSENSUS.get(kind.name, ())
    if method == "auto" and known:
        return known[0]
    if method not in known:
        of = f" of {kind.name} answers" if kind is not SINGLE else ""
        which = f"; {' and '.join(known)} can" if known else ""
        raise InputError(
            f"the consensus {method!r}{of} cannot be computed in parts{which}. Give it a pool that fits the "
            "memory, in one file of labels."
        )
    return method


@contextmanager
def _working_folder(work_dir: str | None) -> Iterator[Store]:
    if work_dir is not None:
        yield check_store(work_dir if is_url(work_dir) else os.path.abspath(work_dir))
        return
    with tempfile.TemporaryDirectory(prefix="activelab-", ignore_cleanup_errors=True) as folder:
        yield Store(folder, lasting=False)
