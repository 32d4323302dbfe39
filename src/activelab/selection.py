"""Scores to a batch, with the reason for each example in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from activelab._batching import BATCHING, diverse, lowest, stochastic
from activelab._errors import InputError, unknown
from activelab._frames import Backend, make_frame
from activelab._typing import Float64s, Ids, Ints, Models
from activelab.acquisition import Acquisition, Assessment, get_method
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs, frame_examples
from activelab.stopping import OPEN, example_states

__all__ = ["Batch", "assess_and_suggest", "select_batch", "suggest"]


@dataclass(frozen=True, eq=False)
class Batch:
    """What to label next, best first, and why. Each example gets one more label.

    Attributes
    ----------
    examples : ndarray, shape (batch_size,)
        Ids.
    score : ndarray of float64
        Acquisition score; low = most worth labelling.
    kind : ndarray of str
        "new" for an example without labels, "relabel" for another opinion.
    num_labels : ndarray of int64
        Labels the example has now.
    consensus_label : ndarray of object
        Class id of the current consensus; None without labels.
    quality : ndarray of float64 in [0, 1]
        Quality of the consensus; NaN without labels.
    predicted_label : ndarray
        Class id the models predict.
    """

    examples: Ids
    score: Float64s
    kind: Ids
    num_labels: Ints
    consensus_label: Ids
    quality: Float64s
    predicted_label: Ids

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.examples.tolist())

    def __repr__(self) -> str:
        relabel = int((self.kind == "relabel").sum())
        return f"Batch({len(self)} examples: {len(self) - relabel} new, {relabel} to relabel)"

    def to_dict(self) -> dict[str, Ids]:
        """The columns by the names they have in files: example, score, kind, …"""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"example": columns.pop("examples"), **columns}

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """A dataframe of `to_dict`; ``backend`` is "pandas", "polars" or "pyarrow"."""
        return make_frame(self.to_dict(), backend)


def suggest(
    labels: Labels,
    pred_probs: Any,
    batch_size: int = 100,
    method: str | Acquisition = "activelab",
    *,
    seed: int = 0,
    batching: str = "top",
    skip_settled: bool = False,
) -> Batch:
    """What to label next: the ``batch_size`` examples with the lowest scores.

    Parameters
    ----------
    labels : Labels
        The labels collected so far, over the pool.
    pred_probs : array-like or dataframe, or a sequence of them
        Shape ``(n_examples, n_classes)``, or ``(n_models, n_examples, n_classes)`` for an ensemble;
        out-of-sample for labelled examples. A dataframe with a column ``example`` is aligned by id; the
        examples it adds join the pool without labels.
    batch_size : int
        Number of examples.
    method : str or Acquisition
        A registered name (see `methods`) or an `Acquisition`.
    seed : int
        Seed of random methods and of ties.
    batching : {"top", "diverse", "stochastic"}
        How the batch follows from the scores (see `select_batch`).
    skip_settled : bool
        Leave out the examples that are settled or ambiguous (see `activelab.stopping.example_states`).

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If ``pred_probs`` does not match ``labels``, the batch size is not between 1 and the number of
        examples the method considers, or the method is unknown.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0], [1, 0], [1, 1], [1, 1], [None, None]])
    >>> pred_probs = [[0.8, 0.2], [0.5, 0.5], [0.1, 0.9], [0.6, 0.4], [0.52, 0.48]]
    >>> batch = al.suggest(labels, pred_probs, batch_size=2)
    >>> batch.examples.tolist(), batch.kind.tolist()
    ([1, 4], ['relabel', 'new'])
    """
    return assess_and_suggest(
        labels, pred_probs, batch_size, method, seed=seed, batching=batching, skip_settled=skip_settled
    )[2]


def assess_and_suggest(
    labels: Labels,
    pred_probs: Any,
    batch_size: int = 100,
    method: str | Acquisition = "activelab",
    *,
    seed: int = 0,
    batching: str = "top",
    skip_settled: bool = False,
) -> tuple[Labels, Assessment, Batch]:
    """`suggest` with what it rests on: the pool, its assessment, and the batch.

    Parameters and errors are those of `suggest`.
    """
    chosen = get_method(method)
    ids = frame_examples(pred_probs)
    if ids is not None:
        labels = labels.with_examples(ids)
    check_batch_size(batch_size, labels.n_examples)
    models = check_pred_probs(pred_probs, labels)
    assessment = chosen.assess_models(labels, models, seed=seed)
    scores = assessment.scores
    if skip_settled:
        scores = np.where(example_states(labels, models) == OPEN, scores, np.inf)
    positions = select_batch(scores, batch_size, seed=seed, labels=labels, batching=batching, models=models)
    return labels, assessment, explain_batch(labels, assessment, positions)


def select_batch(
    scores: Float64s,
    batch_size: int,
    *,
    seed: int = 0,
    labels: Labels | None = None,
    batching: str = "top",
    models: Models | None = None,
) -> Ints:
    """Positions of a batch: by default the lowest scores, ties by a seeded draw (SPEC Part 1 §10).

    Parameters
    ----------
    scores : ndarray of float, shape (n_examples,)
        Low = most worth labelling; +inf = not considered.
    batch_size : int
    seed : int
    labels : Labels, optional
        The pool, by whose ids ties are drawn; without it by position.
    batching : {"top", "diverse", "stochastic"}
        The lowest scores; the lowest of each pair of likeliest classes in turn, which needs ``models``; or a
        draw in which rank r has weight r^-4.
    models : tuple of ndarray, shape (n_examples, n_classes) each, optional
        Checked probabilities (see `activelab.pred_probs`).

    Returns
    -------
    ndarray of int64, shape (batch_size,)

    Raises
    ------
    InputError
        If the batch size is not between 1 and the number of finite scores, the batching is unknown, or a
        diverse batch has no models to go by.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab.selection import select_batch
    >>> select_batch(np.array([0.3, 0.1, 0.2]), 2).tolist()
    [1, 2]
    """
    scores = np.asarray(scores)
    check_batch_size(batch_size, len(scores))
    if batching not in BATCHING:
        raise unknown("batching", batching, BATCHING)
    considered = int(np.isfinite(scores).sum())
    if considered < batch_size:
        raise InputError(
            f"the batch size {batch_size:,} is larger than the {considered:,} examples the method considers."
        )
    keys = _positions if labels is None else labels.tie_keys
    if batching == "stochastic":
        return stochastic(scores, batch_size, seed, keys)
    if batching == "diverse":
        if models is None:
            raise InputError("a diverse batch needs the probabilities of the models.")
        return diverse(scores, batch_size, seed, keys, models)
    return lowest(scores, batch_size, seed, keys)


def _positions(index: Ints) -> Ints:
    return index


def check_batch_size(batch_size: int, n_examples: int) -> None:
    """Raise unless ``1 <= batch_size <= n_examples``."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InputError(f"the batch size must be a positive integer, got {batch_size!r}.")
    if batch_size > n_examples:
        raise InputError(f"the batch size {batch_size:,} is larger than the pool of {n_examples:,} examples.")


def explain_batch(labels: Labels, assessment: Assessment, positions: Ints) -> Batch:
    """The `Batch` of the examples at the given positions of the pool."""
    counts = labels.counts[positions]
    code = assessment.consensus_label[positions]
    consensus = np.full(len(positions), None, dtype=object)
    consensus[code >= 0] = labels.classes[code[code >= 0]]
    return Batch(
        examples=labels.examples[positions],
        score=assessment.scores[positions],
        kind=np.where(counts > 0, "relabel", "new").astype(object),
        num_labels=counts,
        consensus_label=consensus,
        quality=assessment.quality[positions],
        predicted_label=labels.classes[assessment.predicted_label[positions]],
    )
