"""The first pass: check a partition, count it, and keep its labels as codes with their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from activelab._errors import InputError, first
from activelab._kernels import rows_at
from activelab._set_text import SEPARATOR
from activelab._typing import Floats, Ids, Ints, Models
from activelab._vocabulary import Vocabulary
from activelab.acquisition import Frugal
from activelab.calibration import Sample, sampled
from activelab.consensus.parts import (
    ConsensusSums,
    LabelSums,
    label_sums,
    predicted_classes,
    vote_with_sums,
)
from activelab.labels import Labels
from activelab.multilabel import LabelSets
from activelab.multilabel.parts import check_set_values
from activelab.pred_probs import check_values
from activelab.scale._job import Job, Partition
from activelab.scale._kept import (
    Checked,
    Files,
    Kept,
    as_small,
    keep_rows,
    labels_of,
    predicted_at,
    read_model,
)
from activelab.scale._read import read_ids, to_numpy
from activelab.scale._reserve import by_certainty, keep_least_certain, known_rows


@dataclass(frozen=True)
class Unmatched:
    """Ids on one side only: how many there are, and some of them."""

    count: int = 0
    ids: tuple[Any, ...] = ()

    def __add__(self, other: Unmatched) -> Unmatched:
        return Unmatched(self.count + other.count, tuple(sorted((*self.ids, *other.ids))[:11]))

    @classmethod
    def of(cls, ids: Any) -> Unmatched:
        """The distinct ones of an Arrow array."""
        distinct = pc.unique(ids)
        return cls(len(distinct), tuple(sorted(distinct.to_pylist())[:11]))


@dataclass(frozen=True)
class Prepared:
    """What the first pass finds in a partition.

    ``voted`` is None where the vote needs the whole pool, or nobody asks for it.
    """

    n_examples: int
    sums: LabelSums
    voted: ConsensusSums | None
    sizes: Ints
    annotators: Ids
    sample: Sample | None
    lowest: tuple[float, ...]
    without_probs: Unmatched
    without_model: Unmatched
    digest: str


def prepare(job: Job, partition: Partition, _: None, share: float | None) -> Prepared:
    """Check a partition, count its labels and agreements, and keep its labels as codes.

    ``share`` is the batch's share of the pool, None if nobody asks for a batch.
    """
    pool = job.example_ids(partition)
    _check_distinct(pool, partition)
    ids = [pool, *(job.example_ids(partition, number) for number in range(1, len(job.models)))]
    kept, without_model = _in_all(ids)
    order = [_order(one, kept) for one in ids]
    labels, annotators, without_probs = _labels(job, partition, kept, pa.concat_arrays(ids))
    chosen = None
    if job.several:
        chosen = LabelSets.from_labels(labels, job.classes).chosen
        # Of what is counted only how many answers there are has a meaning.
        labels = _same_for_all(labels)
    files, rows = Files(job, partition), np.flatnonzero(labels.labelled)
    known = known_rows(job, partition, rows)
    if known is None:
        checked, known = _checked_models(job, files, partition, labels, order, rows, share)
    else:
        checked = job.store.load(files.checked)
    for number, matrix in enumerate(known):
        keep_rows(job, files.rows(number), matrix)
    kept = Kept.of(labels, annotators, chosen)
    job.store.save(files.labels, kept)
    job.store.save(files.ids, labels.examples[rows])
    job.store.save(files.latest, partition.digest)
    sample, voted = None, None
    if job.every is not None and not job.several:
        index = sampled(labels, job.every)
        place = np.searchsorted(rows, index)
        sample = Sample.at(labels, index, tuple(rows_at(matrix, place) for matrix in known))
    if len(known) == 1 and not job.several and not isinstance(job.method, Frugal):
        part = labels_of(job, kept, annotators, lambda: labels.examples[rows])
        vote = vote_with_sums(part, None, known, (None,), predicted_at(job, files, rows), seed=job.seed)
        sums, voted = vote.sums, vote.about if vote.alone else None
    else:
        sums = label_sums(labels)
    return Prepared(
        labels.n_examples,
        sums,
        voted,
        labels.totals.sizes,
        annotators,
        sample,
        checked.lowest,
        without_probs,
        without_model,
        partition.digest,
    )


def _checked_models(
    job: Job,
    files: Files,
    partition: Partition,
    labels: Labels,
    order: Sequence[Ints | None],
    rows: Ints,
    share: float | None,
) -> tuple[Checked, Models]:
    """Check the probabilities and keep what they alone tell; that, and those of the labelled examples."""
    lowest: list[float] = []
    predicted: list[Ints] = []
    of_labelled: list[Floats] = []
    for number, places in enumerate(order):
        matrix = read_model(job, partition, number, places)
        check = check_set_values if job.several else check_values
        check(matrix, labels, f"model {number}: " if len(order) > 1 else "")
        if not job.several:
            lowest.append(float(matrix.min(initial=1)))
            predicted += map(as_small, predicted_classes((matrix,)))
            if share is not None and len(order) == 1 and by_certainty(job.method):
                keep_least_certain(job, partition, labels, matrix, share)
        of_labelled.append(rows_at(matrix, rows))
    checked = Checked(labels.n_examples, tuple(order), tuple(lowest))
    job.store.save(files.predicted, tuple(predicted))
    job.store.save(files.checked, checked)
    return checked, tuple(of_labelled)


def _same_for_all(labels: Labels) -> Labels:
    """The labels with one class in place of theirs."""
    return Labels.of_sorted(
        labels.offsets,
        labels.annotator,
        np.zeros_like(labels.label),
        examples=Vocabulary.of_distinct(labels.examples, "example"),
        annotators=Vocabulary.of_distinct(labels.annotators, "annotator"),
        classes=Vocabulary(1, "class"),
    )


def _check_distinct(pool: Any, partition: Partition) -> None:
    values = to_numpy(pool)
    if values.dtype.kind == "i" and (values[1:] > values[:-1]).all():
        return
    if len(pc.unique(pool)) == len(pool):
        return
    counts = pc.value_counts(pool)
    twice = pc.filter(counts.field("values"), pc.greater(counts.field("counts"), 1)).to_pylist()
    raise InputError(
        f"{len(twice):,} examples have several rows in the probabilities: {first(sorted(twice)[:11])}. Give "
        "each example one row."
    )


def _in_all(ids: list[Any]) -> tuple[Any, Unmatched]:
    """Ids that every model has, in the order of the first one's rows, and those that some lack."""
    kept = ids[0]
    if all(other.equals(kept) for other in ids[1:]):
        return kept, Unmatched()
    for other in ids[1:]:
        kept = pc.filter(kept, pc.is_in(kept, other))
    lacking = [pc.filter(one, pc.invert(pc.is_in(one, kept))) for one in ids]
    return kept, Unmatched.of(pa.concat_arrays(lacking))


def _order(ids: Any, wanted: Any) -> Ints | None:
    """Rows of ``wanted`` among ``ids``; None if they are the same."""
    if ids.equals(wanted):
        return None
    return to_numpy(pc.index_in(wanted, ids)).astype(np.int64)


def _labels(job: Job, partition: Partition, pool: Any, known: Any) -> tuple[Labels, Ids, Unmatched]:
    """Labels of the pool, their annotators, and the labelled examples no model knows."""
    columns = job.labels
    text = [job.examples_as_text, columns.annotator_type == "text", job.labels_as_text]
    example, annotator, label = read_ids(partition.labels, columns.names, text, columns.order)
    rows = _positions(example, pool)
    absent = rows < 0
    unmatched = Unmatched()
    if absent.any():
        lost = example.filter(pa.array(absent))
        unmatched = Unmatched.of(lost.filter(pc.invert(pc.is_in(lost, known))))
        kept = pa.array(~absent)
        annotator, label, rows = annotator.filter(kept), label.filter(kept), rows[~absent]
    people, people_codes = _distinct(annotator)
    encoded = pc.dictionary_encode(label)
    given, codes = encoded.dictionary.to_pylist(), to_numpy(encoded.indices)
    classes = given if job.several else job.classes
    if job.several and any(not one.strip() for one in given):
        raise InputError(f"column {columns.label!r} is empty; the empty set is written {SEPARATOR!r}.")
    if not job.several:
        place = {name: code for code, name in enumerate(classes)}
        codes = np.take(np.array([place.get(one, -1) for one in given], dtype=np.int64), codes)
        if codes.min(initial=0) < 0:
            at = int(np.argmin(codes))
            raise InputError(
                f"label {label[at].as_py()!r} of example {pool[int(rows[at])].as_py()!r} is not one of the "
                f"{len(classes)} classes: {first(classes[:11])}."
            )
    labels = Labels(
        rows,
        people_codes,
        codes,
        examples=Vocabulary.of_distinct(to_numpy(pool), "example"),
        annotators=Vocabulary.of_distinct(people, "annotator"),
        classes=Vocabulary(classes, "class"),
        keep=job.keep,  # type: ignore[arg-type]
    )
    return labels, people, unmatched


def _positions(ids: Any, pool: Any) -> Ints:
    """Position of each id in the pool; -1 where it has none."""
    values = to_numpy(pool)
    if values.dtype.kind == "i" and len(values) and (values[1:] - values[:-1] == 1).all():
        wanted = to_numpy(ids)
        return np.where((wanted >= values[0]) & (wanted <= values[-1]), wanted - values[0], -1)
    found = pc.index_in(ids, pool)
    return to_numpy(pc.fill_null(found, -1) if found.null_count else found).astype(np.int64)


def _distinct(column: Any) -> tuple[Ids, Ints]:
    """The distinct ids, sorted, and the code of each row."""
    encoded = pc.dictionary_encode(column)
    distinct = to_numpy(encoded.dictionary)
    order = np.argsort(distinct, kind="stable")
    code = np.empty(len(order), dtype=np.int64)
    code[order] = np.arange(len(order))
    return distinct[order], np.take(code, to_numpy(encoded.indices))
