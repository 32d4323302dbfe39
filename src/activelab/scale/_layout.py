"""The pool as partitions: files as they are, or cut by a hash of the example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from activelab.acquisition import Acquisition, Frugal
from activelab.assignment import get_rule
from activelab.calibration import sampling_step
from activelab.scale._aligned import Aligned, aligned_partitions
from activelab.scale._files import File, Store
from activelab.scale._inputs import Inputs, resolve_classes
from activelab.scale._job import Job, Partition
from activelab.scale._partition import Shuffle, Table, buckets_before, distinct_values, id_sql, quoted
from activelab.scale._plan import (
    PROCESS,
    Plan,
    bucket_count,
    bytes_per_row,
    fit,
    passes_of,
)
from activelab.scale._schema import read_footers
from activelab.strategies import Strategy

Keep = Literal["error", "first", "last"]
OnUnmatched = Literal["error", "drop"]


@dataclass(frozen=True)
class Request:
    """The arguments of `suggest`, checked."""

    inputs: Inputs
    memory: int
    classes: Sequence[Any] | None = None
    workers: int | None = None
    partitions: int | None = None
    batch_size: int = 1
    strategy: Strategy = field(default_factory=Strategy)
    keep: Keep = "error"
    unmatched: OnUnmatched = "error"
    seed: int = 0
    several: bool = False
    consensus: str | None = None
    """Name of the consensus that is asked for; None for a batch."""

    @property
    def method(self) -> Acquisition:
        """What scores the pool."""
        return self.strategy.acquisition

    @property
    def estimated(self) -> bool:
        """Whether something rests on the Bayesian consensus."""
        if self.several or self.consensus is not None:
            return self.consensus != "crowdlab"
        rule = None if self.strategy.assignment is None else get_rule(self.strategy.assignment)
        by_ability = rule is not None and rule.needs_ability
        return isinstance(self.method, Frugal) or self.strategy.skip_settled or by_ability


@dataclass(frozen=True)
class Layout:
    """The plan, the job of every task, and what files are used as they are, if the pool need not be cut."""

    plan: Plan
    job: Job
    aligned: Aligned | None


def lay_out(request: Request, store: Store) -> Layout:
    """Decide on classes, workers and partitions."""
    inputs, memory = request.inputs, request.memory
    distinct = None
    if request.classes is None and inputs.prob_columns[0].is_list and not request.several:
        column = id_sql(inputs.label_columns.label, inputs.label_columns.label_type, False)
        distinct = distinct_values(store, inputs.label_files, column, memory - PROCESS, request.workers or 1)
    classes, labels_as_text, columns = resolve_classes(inputs, request.classes, distinct, request.several)
    job = Job(
        store,
        inputs.label_columns,
        columns,
        classes,
        inputs.examples_as_text,
        labels_as_text,
        request.keep,
        request.method,
        request.seed,
        sampling_step(inputs.n_examples),
        request.several,
    )
    # What is cut has no order any more, by which the first or last label could be told.
    aligned = aligned_partitions(inputs, cut_labels=request.keep == "error")
    found = [] if aligned is None else aligned.partitions
    row_bytes = bytes_per_row(inputs, len(classes), request.several, request.consensus)
    workers, rows = fit(row_bytes, memory, request.workers, found)
    if any(max(partition.rows) > rows for partition in found):
        aligned, found = None, []
    number = len(found) or _buckets(request, store, rows, workers)
    label_bytes = sum(file.size for file in inputs.label_files)
    prob_bytes = sum(one.file.size for footers in inputs.models for one in footers)
    largest = max((max(one.rows) for one in found), default=inputs.n_examples / number)
    plan = Plan(
        partitions=number,
        aligned=aligned is not None,
        workers=min(workers, number),
        memory=memory,
        partition_bytes=int(largest * row_bytes),
        n_examples=inputs.n_examples,
        n_labels=inputs.n_labels,
        n_models=len(inputs.models),
        label_bytes=label_bytes,
        prob_bytes=prob_bytes,
        passes=passes_of(
            request.method,
            inputs.n_examples,
            len(inputs.models),
            None if aligned is None else sum(file.size for file in aligned.across),
            label_bytes,
            prob_bytes,
            min(inputs.n_labels / inputs.n_examples, 1.0),
            request.several,
            request.consensus,
            request.estimated,
        ),
    )
    return Layout(plan, job, aligned)


def _buckets(request: Request, store: Store, rows: int, workers: int) -> int:
    """Into how many buckets the pool is cut: as many as before, if that will do."""
    inputs, at_least = request.inputs, max(workers, request.partitions or 1)
    number = bucket_count(inputs, rows, at_least)
    # A few labels more would ask for one bucket more now and then, and all would be cut again.
    before = buckets_before(store, [one.file for footers in inputs.models for one in footers])
    fit = [one for one in before if max(at_least, 0.9 * number) <= one <= 2 * number]
    return min(fit, default=number)


def partitions_of(request: Request, layout: Layout, store: Store) -> tuple[Job, list[Partition]]:
    """The partitions, and the job of reading them: as the files are, or cut."""
    aligned = layout.aligned
    if aligned is None:
        return _cut(request, layout, store)
    if not aligned.across:
        return layout.job, aligned.partitions
    columns = request.inputs.label_columns
    example = id_sql(columns.example, columns.example_type, as_text=False)
    table = Table("across", aligned.across, example, tuple(map(quoted, columns.names)), edges=aligned.edges)
    buckets = _shuffle(request, layout, store).buckets(table)
    partitions = list(aligned.partitions)
    for place, files in zip(aligned.order, buckets, strict=True):
        partitions[place] = replace(partitions[place], labels=(*partitions[place].labels, *files))
    return layout.job, partitions


def _shuffle(request: Request, layout: Layout, store: Store) -> Shuffle:
    # DuckDB keeps some memory beyond the limit it is given.
    memory = int(0.6 * (request.memory - PROCESS))
    return Shuffle(store, layout.plan.partitions, memory, layout.plan.workers)


def _cut(request: Request, layout: Layout, store: Store) -> tuple[Job, list[Partition]]:
    """Labels and probabilities hash-partitioned by example, and the job of reading them there."""
    inputs, job = request.inputs, layout.job
    shuffle = _shuffle(request, layout, store)
    columns = inputs.label_columns
    roles = {"annotator": columns.annotator_type, "label": columns.label_type}
    example = id_sql(columns.example, columns.example_type, inputs.examples_as_text)
    labels = shuffle.buckets(
        Table(
            "labels",
            inputs.label_files,
            example,
            (
                f"{example} AS example",
                *(f"{id_sql(getattr(columns, role), kind, False)} AS {role}" for role, kind in roles.items()),
            ),
            in_order=request.keep != "error",
        )
    )
    models, prob_columns = [], []
    for number, one in enumerate(job.models):
        # DuckDB widens float16.
        dtype = "float32" if one.dtype == "float16" else one.dtype
        names = tuple(f"c{place}" for place in range(len(one.classes)))
        prob_columns.append(replace(one, example="example", classes=names, dtype=dtype))
        example = id_sql(one.example, one.example_type, inputs.examples_as_text)
        models.append(
            shuffle.buckets(
                Table(
                    f"model-{number}",
                    inputs.model_files(number),
                    example,
                    (
                        f"{example} AS example",
                        *(f"{quoted(old)} AS {new}" for old, new in zip(one.classes, names, strict=True)),
                    ),
                )
            )
        )
    order = ("file", "row") if request.keep != "error" else ()
    job = replace(
        job,
        labels=replace(columns, example="example", annotator="annotator", label="label", order=order),
        models=tuple(prob_columns),
    )
    return job, _partitions(labels, models)


def _partitions(labels: list[list[File]], models: list[list[list[File]]]) -> list[Partition]:
    """The buckets that hold an example."""
    partitions: list[Partition] = []
    for bucket, of_labels in enumerate(labels):
        of_models = tuple(tuple(model[bucket]) for model in models)
        rows = tuple(sum(one.rows for one in read_footers(files)) for files in of_models)
        if of_labels or any(rows):
            partitions.append(Partition(len(partitions), tuple(of_labels), of_models, rows))
    return partitions
