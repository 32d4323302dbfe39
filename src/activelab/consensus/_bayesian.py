"""Bayesian consensus: the models are the prior, each annotator a noisy channel (Raykar et al. 2010)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._kernels import Block, blocks, log_probs, most_probable, row_sums
from activelab._typing import Float64s, Floats, Ints, Models
from activelab.consensus._channels import Ability, Channels, ChannelSums
from activelab.consensus._consensus import Consensus
from activelab.consensus._statistics import label_sums
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs, remembered

_STEPS = 6
_SMALL, _LARGE = 1e-200, 1e200
_SAMPLE = 50_000  # labelled examples the first steps rest on; the last step takes all
_BETAS = np.concatenate([[1.0], np.geomspace(0.05, 5.0, 25)])
_LAPSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
_ASSUMED = 0.8  # accuracy of every annotator while the models are calibrated
_CELLS = 1 << 17  # probabilities the calibration rests on


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
    [0, 1, 1, 1]
    """
    models = () if pred_probs is None else check_pred_probs(pred_probs, labels)
    estimate = bayesian_estimate(labels, models)
    posterior = np.empty((labels.n_examples, labels.n_classes))
    for block in blocks(labels):
        posterior[block.index] = estimate.posterior(block, models)
    label = most_probable(posterior, slice(0, labels.n_examples), labels, seed)
    label[~labels.labelled] = -1
    return Consensus.build(
        labels, label, posterior, label_sums(labels), annotator_weight=estimate.ability.mean
    )


@dataclass(frozen=True)
class BayesianEstimate:
    """What the posteriors rest on, in memory that does not grow with n_examples.

    Attributes
    ----------
    betas, lapses : tuple of float
        Inverse temperature of each model, and how often it knows nothing.
    channels : Channels
        How the annotators err.
    """

    betas: tuple[float, ...]
    lapses: tuple[float, ...]
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
        total = np.zeros((block.size, block.labels.n_classes))
        for model, beta, lapse in zip(models, self.betas, self.lapses, strict=True):
            part = normalised(log_probs(model[block.index]) * beta)
            part *= 1 - lapse
            part += lapse / block.labels.n_classes
            total += part
        return log_probs(total)


def bayesian_estimate(labels: Labels, models: Models, *, steps: int = _STEPS) -> BayesianEstimate:
    """Accuracies, confusion matrices and temperatures by expectation-maximisation.

    All but the last step rest on at most `_SAMPLE` labelled examples, evenly spaced. Made once for checked
    predictions.
    """
    if steps < 1:
        raise InputError(f"steps must be at least 1, got {steps}.")
    return remembered(models, labels, ("bayesian", steps), lambda: _estimated(labels, models, steps))


def _estimated(labels: Labels, models: Models, steps: int) -> BayesianEstimate:
    n_labelled = int(np.count_nonzero(labels.labelled))
    every = -(-n_labelled // _SAMPLE) or 1
    calibration = [_calibrated(labels, model) for model in models]
    betas, lapses = tuple(beta for beta, _ in calibration), tuple(lapse for _, lapse in calibration)
    estimate = BayesianEstimate(betas, lapses, Channels.at_first(labels))
    for step in range(steps):
        last = step == steps - 1
        sums = ChannelSums(labels)
        for block in blocks(labels, at_least=1, every=1 if last else every):
            sums.add(block, estimate.posterior(block, models))
        estimate = BayesianEstimate(betas, lapses, sums.channels())
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


def _calibrated(labels: Labels, model: Floats) -> tuple[float, float]:
    """β and ε that make the labels likeliest, on a sample.

    The likelihood is Π_i Σ_k ((1 − ε) softmax(β log p_i)_k + ε/K) Π_j θ(Y_ij | k): ε is how often the model
    knows nothing, whatever it says. θ is the same for everybody and stays as it is. Left free with β, it
    would drift to where the model is right and everybody errs: single labels cannot tell that from the
    opposite.
    """
    n_labelled, n_classes = int(np.count_nonzero(labels.labelled)), labels.n_classes
    every = -(-n_labelled * n_classes // _CELLS) or 1
    odds = np.log(_ASSUMED * max(n_classes - 1, 1) / (1 - _ASSUMED))
    logs, evidence = [], []
    for block in blocks(labels, at_least=1, every=every):
        logs.append(log_probs(model[block.index]))
        evidence.append(block.votes() * odds)
    if not logs:
        return 1.0, 0.0
    log_p, votes = np.concatenate(logs), np.concatenate(evidence)
    weight = np.exp(votes - votes.max(axis=1)[:, None])
    by_chance = weight.mean(axis=1)
    best, found = -np.inf, (1.0, 0.0)
    for beta in _BETAS.tolist():
        by_model = np.einsum("ij,ij->i", normalised(log_p * beta), weight)
        for lapse in _LAPSES:
            likelihood = float(np.log((1 - lapse) * by_model + lapse * by_chance).mean())
            if likelihood > best + 1e-9:
                best, found = likelihood, (beta, lapse)
    return found
