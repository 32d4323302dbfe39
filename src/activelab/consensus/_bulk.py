"""Answers that were given to many examples at once, seen beside what a model says of them (§23)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from activelab._errors import InputError
from activelab._kernels import blocks, normalised
from activelab._typing import Bools, Float64s, Models
from activelab.consensus._channels import LEAST
from activelab.consensus._held_out import held_out
from activelab.labels import Labels

if TYPE_CHECKING:
    from activelab.consensus._bayesian import BayesianEstimate

_GRID = np.linspace(0.0, 1.0, 41)
_PRIOR = (1.0, 4.0)  # parameters of the Beta distribution of the share beforehand
DEFAULT = _PRIOR[0] / sum(_PRIOR)
"""Share of a voice where nothing is known: what somebody is worth who looks at every second example."""


class BulkShare(NamedTuple):
    """For how much of a voice an answer seen in bulk counts.

    Attributes
    ----------
    best, low, high : float in [0, 1]
        Its expectation and 95 % interval.
    references : int
        Known answers and single labels of others that it rests on.
    number : int
        Answers seen in bulk.
    """

    best: float
    low: float
    high: float
    references: int
    number: int

    def note(self) -> str:
        """It in words."""
        by = f"{self.references:,} known answers and single labels of others"
        basis = f"by {by}" if self.references else "nobody and nothing has checked them"
        some = "1 answer was" if self.number == 1 else f"{self.number:,} answers were"
        return (
            f"{some} seen in bulk, beside what the model says; each counts for {self.best:.2f} of a voice "
            f"({self.low:.2f} to {self.high:.2f}; {basis})."
        )


def check_bulk(bulk: Any, labels: Labels) -> Bools | None:
    """Whether each label was seen in bulk, in the order of ``labels``; None if none was.

    Raises
    ------
    InputError
        If there is not one truth value for each label.
    """
    if bulk is None:
        return None
    values = np.asarray(bulk)
    if values.shape != (labels.n_labels,) or values.dtype.kind != "b":
        raise InputError(
            f"bulk must hold True or False for each of the {labels.n_labels:,} labels, in the order of "
            f"labels.to_long(), got shape {values.shape} and dtype {values.dtype}."
        )
    return values if values.any() else None


def alone_seen(labels: Labels, bulk: Bools) -> Labels:
    """The labels that were not seen in bulk, over the same examples and annotators.

    Labels that models were asked to confirm would make these look surer than they are.
    """
    kept = ~bulk
    counts = np.bincount(labels.example[kept], minlength=labels.n_examples)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return labels._copy(offsets=offsets, annotator=labels.annotator[kept], label=labels.label[kept])


def bulk_weight(labels: Labels, bulk: Bools, share: float) -> Float64s:
    """What each label counts for, shape (n_labels,): those of an example seen in bulk are one together."""
    number = np.bincount(labels.example[bulk], minlength=labels.n_examples)
    weight = np.ones(labels.n_labels)
    weight[bulk] = share / number[labels.example[bulk]]
    return weight


def find_bulk_share(estimate: BayesianEstimate, labels: Labels, models: Models, bulk: Bools) -> BulkShare:
    """The share s of a voice at which answers seen in bulk foretell best what they could not see.

    Whoever passes what a model offers without looking repeats the model, so that the label says little
    beyond the prior it was chosen by. With the label weighed by s,
    p(k) ∝ prior(k) θ(label | k)^s Π θ(other labels | k) has to foretell the known answer of its example, or
    each single label of others. s has the prior Beta(1, 4), of which the mean is left where nobody and
    nothing checks; log-likelihoods are added over a grid.
    """
    score = (_PRIOR[1] - 1) * np.log(np.maximum(1 - _GRID, 1e-9)) + (_PRIOR[0] - 1) * np.log(_GRID + 1e-9)
    references = 0
    for whole in blocks(labels, at_least=1):
        told = whole.total(whole.of_labels(bulk).astype(np.float64)) > 0
        if not told.any():
            continue
        block = whole.select(told)
        single = ~block.of_labels(bulk)
        truth = np.full(block.size, -1) if estimate.known is None else estimate.known[block.index]
        # A known answer says all there is to know of its example.
        checked, exact = single & (truth < 0)[block.row], np.flatnonzero(truth >= 0)
        references += int(checked.sum()) + len(exact)
        if not checked.any() and not len(exact):
            continue
        log_prior = estimate.log_prior(block, models)
        # Channels were learnt with the examples that they are to foretell; these are taken out again.
        posterior, _ = estimate.confident_and_calibrated(block, models)
        for place, share in enumerate(_GRID.tolist()):
            voices = replace(estimate.voices, share=bulk_weight(labels, bulk, share))
            out = held_out(block, estimate.channels, voices, log_prior, posterior, estimate.prior.voices)
            foretold = normalised(out.support[checked])
            likely = np.einsum("ij,ij->i", foretold, out.channel[checked])
            score[place] += float(np.log(np.maximum(likely, LEAST**2)).sum())
            right = normalised(out.of_example[exact])[np.arange(len(exact)), truth[exact]]
            score[place] += float(np.log(np.maximum(right, LEAST**2)).sum())
    density = np.exp(score - score.max())
    density /= density.sum()
    low, high = np.interp([0.025, 0.975], np.cumsum(density) - density / 2, _GRID)
    best = float(density @ _GRID) if references else DEFAULT
    return BulkShare(best, float(low), float(high), references, int(bulk.sum()))
