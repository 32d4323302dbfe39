"""Consensus on a scale: annotators err by distance, shift and spread; the loss decides."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from activelab._errors import InputError
from activelab._kernels import blocks, summable
from activelab._ordered import order_notes, positions
from activelab._typing import Float64s, Ids, Ints, Models
from activelab.consensus._annotators import AnnotatorTable
from activelab.consensus._bayesian import (
    BayesianEstimate,
    bayesian_estimate,
    consensus_by,
    told,
)
from activelab.consensus._channels import MOST_CELLS
from activelab.consensus._consensus import Consensus
from activelab.consensus._loss import Loss, decide, loss_table
from activelab.labels import Labels
from activelab.pred_probs import joined

INTERVAL = 0.9
"""Probability of the truth to lie between `OrdinalConsensus.low` and ``high``, at least."""


@dataclass(frozen=True, eq=False)
class OrdinalAnnotatorTable(AnnotatorTable):
    """`AnnotatorTable` with how each annotator uses the scale. NaN without labels.

    Attributes
    ----------
    shift : ndarray of float64
        Severity: by how much the annotator's labels are expected to lie above the truth, or below if it is
        negative, in units of the scale.
    spread : ndarray of float64
        Standard deviation of the annotator's labels around truth and shift, in units of the scale.
    """

    shift: Float64s
    spread: Float64s


@dataclass(frozen=True, eq=False)
class OrdinalConsensus(Consensus):
    """`Consensus` of ratings: the label is the point of the scale with the least expected loss.

    Attributes
    ----------
    annotators : OrdinalAnnotatorTable
    mean : ndarray of float64, shape (n_examples,)
        Mean of the posterior on the scale; NaN without labels.
    low, high : ndarray, shape (n_examples,)
        Ids of the classes between which the truth lies with a probability of at least 0.9; None without
        labels.
    expected_loss : ndarray of float64, shape (n_examples,)
        What the consensus label is expected to cost, in units of the scale; NaN without labels.
    """

    annotators: OrdinalAnnotatorTable
    mean: Float64s
    low: Ids
    high: Ids
    expected_loss: Float64s

    def to_dict(self) -> dict[str, Ids]:
        """The columns of `Consensus.to_dict`, and mean, low, high, expected_loss."""
        given = self.labels.labelled
        columns = {name: getattr(self, name)[given] for name in ("mean", "low", "high", "expected_loss")}
        return {**super().to_dict(), **columns}


def ordinal_consensus(
    labels: Labels,
    pred_probs: Any = None,
    *,
    loss: Loss = "absolute",
    known: Any = None,
    families: dict[Any, str] | None = None,
    abstentions: Labels | None = None,
    confidence: Any = None,
    seed: int = 0,
) -> OrdinalConsensus:
    """Consensus of ratings on a scale, with the models as prior and annotators who shift and spread.

    As `bayesian_consensus`, but the probability that an annotator says l of an example of class k falls with
    their distance, and each annotator has a shift (severity) and a spread, both shrunk to what all share;
    who gave very many labels has a confusion matrix of their own. Classes are as frequent as annotators say,
    as far as they agree, and models are believed for what they say beyond that, the less the fewer examples
    show it. The posterior is calibrated on held-out labels in the same way. The consensus label is the one
    whose expected loss is least.

    A shift that everybody shares leaves no trace in the labels: ``known`` answers show it.

    Parameters
    ----------
    labels : Labels
        Its classes are the points of the scale. Numbers lie where they say; words lie one step apart, in the
        order of ``labels.classes``.
    pred_probs : array-like or dataframe, optional
        Out-of-sample probabilities, as for `bayesian_consensus`.
    loss : {"absolute", "quadratic", "zero_one"}
        What a wrong label costs: its distance from the truth, which the median of the posterior makes least;
        the square, which the class nearest to the mean makes least (and with it quadratic weighted kappa
        best); or 1, whichever it is, as for unordered classes.
    known, families, abstentions, confidence, seed
        As for `bayesian_consensus`.

    Returns
    -------
    OrdinalConsensus

    Raises
    ------
    InputError
        As `bayesian_consensus`; if the loss is unknown; or if the scale has too many points for so many
        annotators.

    Examples
    --------
    >>> import activelab as al
    >>> stars = [[4, 5, 3], [2, 3, 1], [5, 5, 4], [1, 2, 1], [3, 4, 2], [4, 4, 3], [2, 2, 1], [3, 4, 3]]
    >>> labels = al.Labels.from_wide(stars, annotators=["ann", "bob", "cem"], classes=[1, 2, 3, 4, 5])
    >>> consensus = al.ordinal_consensus(labels)
    >>> consensus.label_ids.tolist()
    [4, 2, 5, 1, 3, 4, 2, 3]
    >>> table = consensus.annotators
    >>> dict(zip(table.annotator.tolist(), (table.shift.round(1) + 0).tolist()))
    {'ann': 0.0, 'bob': 0.4, 'cem': -0.5}
    """
    models: Models = ()
    if pred_probs is not None:
        labels, models = joined(labels, pred_probs)
    models = told(
        labels, models, known=known, families=families, abstentions=abstentions, confidence=confidence
    )
    where = scale_positions(labels)
    table = loss_table(loss, where)
    estimate = bayesian_estimate(labels, models, where=where)
    return ordinal_consensus_by(estimate, labels, models, table, seed=seed)


def scale_positions(labels: Labels) -> Float64s:
    """Positions of the classes on the scale.

    Raises
    ------
    InputError
        If the confusions of all annotators would take too much memory.
    """
    size = labels.n_classes
    if labels.n_annotators * size**2 > MOST_CELLS and size > 2:
        raise InputError(
            f"a scale of {size:,} points is too fine for {labels.n_annotators:,} annotators: at most "
            f"{max(int((MOST_CELLS / labels.n_annotators) ** 0.5), 2):,} points. Join neighbouring ones."
        )
    return positions(labels)


def ordinal_consensus_by(
    estimate: BayesianEstimate,
    labels: Labels,
    models: Models,
    table: Float64s,
    *,
    seed: int = 0,
    untold: bool = False,
) -> OrdinalConsensus:
    """`ordinal_consensus` by an estimate there is and a table of losses; ``untold`` as for `consensus_by`."""
    where = estimate.where
    assert where is not None
    plain = consensus_by(
        estimate,
        labels,
        models,
        seed=seed,
        untold=untold,
        decision=lambda posterior, index: decide(posterior, table, index, labels, seed)[0],
    )
    given = plain.label >= 0
    mean, expected = np.full(labels.n_examples, np.nan), np.full(labels.n_examples, np.nan)
    low, high = (np.full(labels.n_examples, None, dtype=object) for _ in range(2))
    found = on_scale(plain.posterior[given], plain.label[given], where, table)
    mean[given], expected[given] = found.mean, found.expected_loss
    low[given], high[given] = labels.classes[found.low], labels.classes[found.high]
    kept = {field.name: getattr(plain, field.name) for field in fields(plain)}
    kept["annotators"] = with_scale(plain.annotators, estimate, found.class_sums)
    kept["notes"] = (*plain.notes, *order_notes(labels.classes))
    return OrdinalConsensus(**kept, mean=mean, low=low, high=high, expected_loss=expected)


class OnScale(NamedTuple):
    """What posteriors say of ratings: codes ``low`` and ``high``, the rest as of `OrdinalConsensus`.

    ``class_sums`` are the posteriors summed, exact in any order.
    """

    mean: Float64s
    expected_loss: Float64s
    low: Ints
    high: Ints
    class_sums: Float64s


def on_scale(posterior: Float64s, label: Ints, where: Float64s, table: Float64s) -> OnScale:
    """What the posteriors of labelled examples say, given their consensus and a table of losses."""
    mean, expected = np.zeros(len(label)), np.zeros(len(label))
    # Class by class, as in `decide`: then what is found of an example does not rest on those beside it.
    for truth, place in enumerate(where.tolist()):
        mean += posterior[:, truth] * place
        expected += posterior[:, truth] * table[truth, label]
    order = np.argsort(where, kind="stable")
    below = np.cumsum(posterior[:, order], axis=1)
    tail = (1 - INTERVAL) / 2
    low = order[(below <= tail).sum(axis=1)]
    high = order[(below < 1 - tail).sum(axis=1).clip(max=len(order) - 1)]
    return OnScale(mean, expected, low, high, summable(posterior).sum(axis=0))


def loss_range(
    estimate: BayesianEstimate, labels: Labels, models: Models, table: Float64s, label: Ints
) -> tuple[float, float]:
    """Bounds on the mean expected loss of consensus labels; NaN without labels.

    As `BayesianEstimate.expected_right`: from annotators who share no mistakes to such as share more than
    labels show.
    """
    loss, square, number = np.zeros(2), np.zeros(2), 0
    for block in blocks(labels, at_least=1):
        decided = label[block.index]
        number += block.size
        for place, posterior in enumerate(estimate.discounted_posteriors(block, models)):
            each = np.einsum("ij,ji->i", posterior, table[:, decided])
            loss[place] += float(each.sum())
            square[place] += float((np.einsum("ij,ji->i", posterior, table[:, decided] ** 2) - each**2).sum())
    if not number:
        return float("nan"), float("nan")
    high, low = ((loss + np.array([1.96, -1.96]) * np.sqrt(square)) / number).tolist()
    return max(low, 0.0), high


def with_scale(
    table: AnnotatorTable, estimate: BayesianEstimate, class_sums: Float64s
) -> OrdinalAnnotatorTable:
    """The table with each annotator's shift and spread, over classes as frequent as they are in the pool.

    ``class_sums`` as of `OnScale`.
    """
    where, channels, size = estimate.where, estimate.channels, len(table.annotator)
    assert where is not None
    shift, spread = (np.full(size, np.nan) for _ in range(2))
    if channels.log_confusion is not None and class_sums.any():
        confusion = channels.confusion(np.arange(size))
        confusion /= confusion.sum(axis=1, keepdims=True)
        share, apart = class_sums / class_sums.sum(), where[:, None] - where
        told = table.num_labels > 0
        shift[told] = np.einsum("jlk,lk,k->j", confusion, apart, share)[told]
        square = np.einsum("jlk,lk,k->j", confusion, apart**2, share)[told]
        spread[told] = np.sqrt(np.maximum(square - shift[told] ** 2, 0))
    return OrdinalAnnotatorTable(**table.to_dict(), shift=shift, spread=spread)
