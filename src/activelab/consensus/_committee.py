"""A committee of models as one prior: pooled log-linearly, by how well they explain the labels together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from activelab._kernels import blocks, log_probs, normalised
from activelab._typing import Float64s, Floats, Ints, Models
from activelab.consensus._bayesian import bayesian_estimate
from activelab.consensus._model_prior import (
    ModelPrior,
    assumed_evidence,
    calibration_share,
    labels_likelihood,
)
from activelab.labels import Labels
from activelab.pred_probs import Checked, remembered

_MOST = 3.0  # of an exponent
_TIED = 5.0  # strength of the prior that ties exponents to 1 / M, a member
_MEMORY = 0.6  # share of the committee's word of the round before in what the next one learns


@dataclass(frozen=True)
class CommitteePool:
    """How the members of a committee are pooled: p_i ∝ Π_h p̃_hi^b_h, p̃ calibrated (mathematics.md §17).

    Attributes
    ----------
    prior : ModelPrior
        Calibration of each member.
    exponents : tuple of float in [0, 3]
        b_h of each member.
    """

    prior: ModelPrior
    exponents: tuple[float, ...]

    @classmethod
    def fitted(cls, labels: Labels, models: Models) -> CommitteePool:
        """Calibrations and exponents that make the labels likeliest, if everybody is right at a rate of 0.8.

        Both have priors: of a hundred labels the likelihood alone would make much.
        """
        if not models:
            return cls(ModelPrior((), ()), ())
        prior = ModelPrior.fitted(labels, models, steady=True)
        evidence = assumed_evidence(labels)
        share, rows, likely = calibration_share(labels.totals), list[list[Float64s]](), list[Float64s]()
        for block in blocks(labels, at_least=1, share=share):
            rows.append([log_probs(prior.calibrated(h, one[block.index])) for h, one in enumerate(models)])
            likely.append(labels_likelihood(block, evidence))
        if not rows or labels.n_classes < 2:
            return cls(prior, (1 / len(models),) * len(models))
        members = np.stack([np.concatenate(part) for part in zip(*rows, strict=True)])
        return cls(prior, _exponents(members, np.concatenate(likely)))

    def log(self, rows: Sequence[Floats]) -> Float64s:
        """Logarithm of the pooled probabilities of some examples, given those of each member.

        Both of shape (n_rows, n_classes).
        """
        total: Float64s = np.zeros(np.shape(rows[0]))
        for member, (one, exponent) in enumerate(zip(rows, self.exponents, strict=True)):
            if exponent:
                total += exponent * log_probs(self.prior.calibrated(member, one))
        return log_probs(normalised(total))


def _exponents(members: Float64s, likely: Float64s) -> tuple[float, ...]:
    """b that maximises Σ_i log Σ_k p_ik W_ik − 5 M Σ_h (b_h − 1/M)².

    ``members`` is log p̃, shape (n_members, n_rows, n_classes), ``likely`` W.
    """
    from scipy.optimize import minimize  # on first use: it would double the time of `import activelab`

    even = 1 / len(members)

    def loss(b: Float64s) -> tuple[float, Float64s]:
        p = normalised(np.tensordot(b, members, axes=1))
        joint = p * likely
        evidence = joint.sum(axis=1)
        tie = _TIED * len(members) * ((b - even) ** 2).sum()
        slope = np.einsum("hik,ik->h", members, joint / evidence[:, None] - p)
        return float(tie - np.log(evidence).sum()), 2 * _TIED * len(members) * (b - even) - slope

    start = np.full(len(members), even)
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500}
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, _MOST)] * len(start), options=options
    )
    return tuple(found.x.tolist())


def committee_pool(labels: Labels, models: Models) -> CommitteePool:
    """The pool of a committee; made once for checked predictions."""
    return remembered(models, labels, "committee", lambda: CommitteePool.fitted(labels, models))


def pooled(labels: Labels, models: Models) -> Checked:
    """A committee as a single model; made once for checked predictions."""

    def pool() -> Checked:
        found, result = committee_pool(labels, models), np.empty((labels.n_examples, labels.n_classes))
        for block in blocks(labels):
            result[block.index] = np.exp(found.log([one[block.index] for one in models]))
        return Checked((result,), labels)

    return remembered(models, labels, "pooled", pool)


def committee_targets(labels: Labels, before: Floats | None, known: Ints | None = None) -> Float64s:
    """What the members of a committee learn: the annotators' word, and in part that of the committee before.

    T_i ∝ Π_j θ_j(Y_ij | k) · p⁻_ik^0.6. Without a committee before everybody is right at a rate of 0.8: found
    from single labels alone, accuracies would drift.

    Parameters
    ----------
    labels : Labels
    before : ndarray of float, shape (n_examples, n_classes), or None
        p⁻, out-of-sample probabilities of the committee before.
    known : ndarray of int, shape (n_examples,), optional
        Codes of classes that are known, -1 elsewhere.

    Returns
    -------
    ndarray of float64, shape (n_examples, n_classes)
        Rows sum to 1; NaN rows where there is nothing to learn.
    """
    target = np.full((labels.n_examples, labels.n_classes), np.nan)
    estimate = None if before is None else bayesian_estimate(labels, Checked((before,), labels))
    assumed = assumed_evidence(labels)
    for block in blocks(labels, at_least=1):
        if estimate is None or before is None:
            target[block.index] = normalised(block.votes() * assumed)
        else:
            memory = _MEMORY * log_probs(before[block.index])
            target[block.index] = normalised(estimate.evidence(block) + memory)
    if known is not None:
        target[known >= 0] = np.eye(labels.n_classes)[known[known >= 0]]
    return target
