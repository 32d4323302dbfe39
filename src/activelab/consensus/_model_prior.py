"""The models as prior: how far each is to be believed before any label is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from activelab._kernels import Block, blocks, log_probs, normalised
from activelab._typing import Float64s, Floats, Models
from activelab.consensus._banded import first_guess
from activelab.labels import Labels

_BETAS = np.concatenate([[1.0], np.geomspace(0.05, 5.0, 25)])
_LAPSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
_ASSUMED = 0.8  # accuracy of every annotator while the models are calibrated
_CELLS = 1 << 17  # probabilities the calibration rests on
_FEW = 30  # labels of a rare class with which errors on it are taken for half as rare, in logarithms
_TIED = 500.0  # examples of all questions together that count beside a question's own
_MOST_VOICES = 2.0  # of models that are sure


@dataclass(frozen=True)
class ModelPrior:
    """Calibration of the models, whose mean is the prior.

    Attributes
    ----------
    betas, lapses : tuple of float
        Inverse temperature of each model, and how often it knows nothing.
    voices : float
        Voices that the models count for together, v = 2 · mean of (K max_k p̃_ik − 1) / (K − 1): none if they
        say nothing.
    base : ndarray of float64, shape (n_classes,), or None
        Probability of each class where a model knows nothing; None if all are equally likely then.
    """

    betas: tuple[float, ...]
    lapses: tuple[float, ...]
    voices: float = 0.0
    base: Float64s | None = None

    @classmethod
    def fitted(
        cls, labels: Labels, models: Models, *, steady: bool = False, where: Float64s | None = None
    ) -> ModelPrior:
        """Each model calibrated by itself; ``steady`` calibrations are tied to none by a prior.

        ``where`` are the positions of the classes on a scale, if they are its points.
        """
        calibration = [_calibrated(labels, model, steady, where) for model in models]
        prior = cls(tuple(beta for beta, _ in calibration), tuple(lapse for _, lapse in calibration))
        return replace(prior, voices=_MOST_VOICES * prior._certainty(labels, models))

    @classmethod
    def fitted_together(
        cls,
        questions: Sequence[Labels],
        models: Sequence[Models],
        evidence: Sequence[Float64s],
        shares: Sequence[Float64s],
    ) -> list[ModelPrior]:
        """A calibration a yes-no question, tied to what all questions show of the same models.

        A model that knows nothing leaves the share of each class, ``shares``; ``evidence`` is as for
        `labels_likelihood`.
        """
        found: list[list[tuple[float, float]]] = [[] for _ in questions]
        number = [int(np.count_nonzero(labels.labelled)) for labels in questions]
        for of_questions in zip(*models, strict=True):
            parts = zip(questions, of_questions, evidence, shares, strict=True)
            scores = [calibration_scores(labels, model, one, base) for labels, model, one, base in parts]
            shared = sum(n * score for n, score in zip(number, scores, strict=True)) / max(sum(number), 1)
            for of_question, n, score in zip(found, number, scores, strict=True):
                of_question.append(best_calibration((n * score + _TIED * shared) / (n + _TIED)))
        priors = []
        for labels, theirs, pairs, base in zip(questions, models, found, shares, strict=True):
            prior = cls(tuple(beta for beta, _ in pairs), tuple(lapse for _, lapse in pairs), base=base)
            priors.append(replace(prior, voices=_MOST_VOICES * prior._explained(labels, theirs)))
        return priors

    def _explained(self, labels: Labels, models: Models) -> float:
        """Root of the share of a yes-no question's variance that the prior explains, on labelled examples."""
        if not models or self.base is None:
            return 0.0
        total, number = 0.0, 0
        for block in blocks(labels, at_least=1, every=every_of(labels)):
            apart = np.exp(self.log(block, models))[:, 1] / len(models) - self.base[1]
            total += float(apart @ apart)
            number += block.size
        return min((total / number / float(self.base.prod())) ** 0.5, 1.0) if number else 0.0

    def _certainty(self, labels: Labels, models: Models) -> float:
        """Mean certainty of the prior on labelled examples: 0 where it says nothing, 1 where it is sure."""
        if not models or labels.n_classes < 2:
            return 0.0
        total, number = 0.0, 0
        for block in blocks(labels, at_least=1, every=every_of(labels)):
            log_prior = self.log(block, models)
            total += float(np.exp(log_prior.max(axis=1)).sum())
            number += block.size
        # The rows of `log` add up to the number of models.
        mean = total / (number * len(models)) if number else 0.0
        return max(labels.n_classes * mean - 1, 0.0) / (labels.n_classes - 1)

    def log(self, block: Block, models: Models) -> Float64s:
        """Logarithm of the calibrated mean of the models, up to a constant of each example."""
        total = np.zeros((block.size, block.labels.n_classes))
        for number, model in enumerate(models):
            total += self.calibrated(number, model[block.index])
        return log_probs(total) if models else total

    def calibrated(self, number: int, rows: Floats) -> Float64s:
        """(1 − ε) softmax(β log p) + ε/K of some rows of a model; with ``base`` in place of 1/K, if any."""
        lapse = self.lapses[number]
        part = normalised(log_probs(rows) * self.betas[number])
        part *= 1 - lapse
        part += lapse / rows.shape[1] if self.base is None else lapse * self.base
        return part


def every_of(labels: Labels) -> int:
    """One of how many labelled examples the calibration takes."""
    return -(-int(np.count_nonzero(labels.labelled)) * labels.n_classes // _CELLS) or 1


def labels_likelihood(block: Block, evidence: Float64s) -> Float64s:
    """Π_j θ(Y_ij | k) of each example and class, up to a factor, with θ the same for everybody.

    ``evidence`` is that of a label: for its own class (`assumed_evidence`), or a row of log θ for each class.
    """
    votes = block.votes() * evidence if evidence.ndim == 1 else block.votes() @ evidence
    return np.asarray(np.exp(votes - votes.max(axis=1)[:, None]))


def assumed_evidence(labels: Labels) -> Float64s:
    """log θ(l | l) − log θ(l | k) of a label of each class l, shape (n_classes,), θ the same for everybody.

    Errors are even, but fewer on a class with less than half its even share of the labels, as long as it has
    few: even ones would explain all its labels as errors.
    """
    count = np.bincount(labels.label, minlength=labels.n_classes)
    share = (count + 1) / (labels.n_labels + labels.n_classes)
    fewer = np.minimum(2 * labels.n_classes * share, 1) ** (2 * _FEW / (_FEW + count))
    errors = (1 - _ASSUMED) / max(labels.n_classes - 1, 1) * fewer
    return np.asarray(np.log(_ASSUMED / errors))


def _calibrated(
    labels: Labels, model: Floats, steady: bool = False, where: Float64s | None = None
) -> tuple[float, float]:
    """β and ε that make the labels likeliest, on a sample; see `calibration_scores`."""
    evidence = assumed_evidence(labels) if where is None else np.log(first_guess(where))
    return best_calibration(calibration_scores(labels, model, evidence, steady=steady))


def best_calibration(score: Float64s) -> tuple[float, float]:
    """The β and ε of the highest score, the first of those that are as good."""
    best, found = -np.inf, (1.0, 0.0)
    for row, beta in enumerate(_BETAS.tolist()):
        for column, lapse in enumerate(_LAPSES):
            if score[row, column] > best + 1e-9:
                best, found = float(score[row, column]), (beta, lapse)
    return found


def calibration_scores(
    labels: Labels, model: Floats, evidence: Float64s, base: Float64s | None = None, *, steady: bool = False
) -> Float64s:
    """Mean log-likelihood of the labels of an example at each β and ε of a grid, on a sample.

    The likelihood is Π_i Σ_k ((1 − ε) softmax(β log p_i)_k + ε/K) Π_j θ(Y_ij | k): ε is how often the model
    knows nothing, whatever it says. θ is the same for everybody and stays as it is. Left free with β, it
    would drift to where the model is right and everybody errs: single labels cannot tell that from the
    opposite.

    ``evidence`` is as for `labels_likelihood`, ``base`` what a model knows of the classes that knows nothing.
    ``steady`` adds the prior −2 (ln β)² + 4 ln(1 − ε) to the logarithm of the likelihood.
    """
    logs, likely = [], []
    for block in blocks(labels, at_least=1, every=every_of(labels)):
        logs.append(log_probs(model[block.index]))
        likely.append(labels_likelihood(block, evidence))
    score = np.zeros((len(_BETAS), len(_LAPSES)))
    if not logs:
        return score
    log_p, weight = np.concatenate(logs), np.concatenate(likely)
    by_chance = weight.mean(axis=1) if base is None else weight @ base
    for row, beta in enumerate(_BETAS.tolist()):
        by_model = np.einsum("ij,ij->i", normalised(log_p * beta), weight)
        for column, lapse in enumerate(_LAPSES):
            score[row, column] = np.log((1 - lapse) * by_model + lapse * by_chance).mean()
            if steady:
                score[row, column] += (4 * np.log(1 - lapse) - 2 * np.log(beta) ** 2) / len(weight)
    return score
