"""Bayesian consensus: the models are the prior, each annotator a noisy channel (Raykar et al. 2010)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._kernels import Block, blocks, log_probs, most_probable, row_sums
from activelab._typing import Float64s, Ints, Models
from activelab.consensus._channels import Ability, Channels, ChannelSums
from activelab.consensus._consensus import Consensus
from activelab.consensus._statistics import label_sums
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs

_STEPS = 6
_SMALL, _LARGE = 1e-200, 1e200
_SAMPLE = 50_000  # labelled examples the first steps rest on; the last step takes all
_BETAS = (0.05, 20.0)


def bayesian_consensus(labels: Labels, pred_probs: Any = None, *, seed: int = 0) -> Consensus:
    """Consensus by Bayes' rule, with the models as prior and annotators who err in their own ways.

    The posterior of an example is proportional to its calibrated model probabilities times, for each
    label, the probability that its annotator says so of a class. Accuracies, confusion matrices and the
    models' temperatures follow from the posteriors, and these from them, in a few steps of
    expectation-maximisation (Dawid & Skene 1979; Raykar et al. 2010). An annotator's confusion matrix is
    shrunk towards the one that all share, scaled to the annotator's accuracy, and the accuracy towards
    the mean accuracy.

    Parameters
    ----------
    labels : Labels
    pred_probs : array-like or dataframe, optional
        Out-of-sample probabilities, shape ``(n_examples, n_classes)``, or ``(n_models, n_examples,
        n_classes)`` for an ensemble, whose calibrated mean is the prior. Calibrated here. Without them
        every class is equally likely beforehand.
    seed : int
        Seed that breaks exact ties.

    Returns
    -------
    Consensus
        An annotator's ``weight`` is the expected accuracy. Examples without labels have the calibrated
        models as posterior. ``model_weight`` is empty: models are a prior, not voters.

    Raises
    ------
    InputError
        If ``pred_probs`` does not match ``labels``.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0, 1], [1, 1, None], [0, None, 1], [1, 1, 1]])
    >>> pred_probs = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> al.bayesian_consensus(labels, pred_probs).label.tolist()
    [0, 1, 0, 1]
    """
    models = () if pred_probs is None else check_pred_probs(pred_probs, labels)
    estimate = bayesian_estimate(labels, models)
    posterior = np.empty((labels.n_examples, labels.n_classes))
    for block in blocks(labels):
        posterior[block.index] = estimate.posterior(block, models)
    label = most_probable(posterior, np.arange(labels.n_examples), seed)
    label[~labels.labelled] = -1
    return Consensus.build(
        labels, label, posterior, label_sums(labels), annotator_weight=estimate.ability.mean
    )


@dataclass(frozen=True)
class BayesianEstimate:
    """What the posteriors rest on, in memory that does not grow with n_examples.

    Attributes
    ----------
    betas : tuple of float
        Inverse temperature of each model.
    channels : Channels
        How the annotators err.
    """

    betas: tuple[float, ...]
    channels: Channels

    @property
    def ability(self) -> Ability:
        """What is known of each annotator's accuracy."""
        return self.channels.ability

    def posterior(self, block: Block, models: Models) -> Float64s:
        """Probability of each class given models and labels, shape (size, n_classes)."""
        return self.predicted_and_posterior(block, models)[1]

    def predicted_and_posterior(self, block: Block, models: Models) -> tuple[Ints, Float64s]:
        """The class the calibrated models find likeliest, and the posterior."""
        support = self._log_prior(block, models)
        predicted = support.argmax(axis=1)
        if block.counts.any():
            support += self.channels.evidence(block)
        return predicted, normalised(support)

    def _log_prior(self, block: Block, models: Models) -> Float64s:
        """Logarithm of the calibrated mean of the models, up to a constant of each example."""
        if not models:
            # The share of each class would outvote single labels of rare ones.
            return np.zeros((block.size, block.labels.n_classes))
        parts = [log_probs(model[block.index]) * beta for model, beta in zip(models, self.betas, strict=True)]
        if len(parts) == 1:
            return parts[0]
        return log_probs(np.add.reduce([normalised(part) for part in parts]))


def bayesian_estimate(labels: Labels, models: Models, *, steps: int = _STEPS) -> BayesianEstimate:
    """Accuracies, confusion matrices and temperatures by expectation-maximisation.

    All but the last step rest on at most `_SAMPLE` labelled examples, evenly spaced.
    """
    if steps < 1:
        raise InputError(f"steps must be at least 1, got {steps}.")
    n_labelled = int(np.count_nonzero(labels.labelled))
    every = -(-n_labelled // _SAMPLE) or 1
    estimate = BayesianEstimate((1.0,) * len(models), Channels.at_first(labels))
    for step in range(steps):
        last = step == steps - 1
        sums = ChannelSums(labels)
        slopes = np.zeros((len(models), 2))
        for block in blocks(labels, at_least=1, every=1 if last else every):
            posterior = estimate.posterior(block, models)
            sums.add(block, posterior)
            if not last:
                for slope, model, beta in zip(slopes, models, estimate.betas, strict=True):
                    slope += _newton(log_probs(model[block.index]), posterior, beta)
        betas = tuple(_stepped(b, *s) for b, s in zip(estimate.betas, slopes.tolist(), strict=True))
        estimate = BayesianEstimate(betas, sums.channels())
    return estimate


def normalised(log_values: Float64s) -> Float64s:
    """Probabilities proportional to exp of each row."""
    with np.errstate(over="ignore", under="ignore"):
        values = np.exp(log_values)
    total = row_sums(values)
    # So many labels, or so unlikely ones, that the row leaves the range of floating-point numbers.
    extreme = np.flatnonzero(~((total > _SMALL) & (total < _LARGE)))
    if len(extreme):
        rows = log_values[extreme]
        values[extreme] = np.exp(rows - rows.max(axis=1)[:, None])
        total[extreme] = row_sums(values[extreme])
    values /= total[:, None]
    return values


def _newton(log_p: Float64s, target: Float64s, beta: float) -> tuple[float, float]:
    """First two derivatives in β of Σ_i Σ_k R_ik log softmax(β log p_i)_k."""
    p = normalised(log_p * beta)
    mean = np.einsum("ij,ij->i", p, log_p)
    square = np.einsum("ij,ij,ij->i", p, log_p, log_p)
    slope = float(np.einsum("ij,ij->", target, log_p) - mean.sum())
    return slope, float((mean * mean - square).sum())


def _stepped(beta: float, slope: float, curvature: float) -> float:
    """One step of Newton's method, by a factor of three at most, within the bounds of a temperature."""
    if curvature > -1e-9:
        return beta
    step = min(max(beta - slope / curvature, beta / 3), beta * 3)
    return min(max(step, _BETAS[0]), _BETAS[1])
