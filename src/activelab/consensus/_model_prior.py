"""The models as prior: how far each is to be believed before any label is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from activelab._kernels import Block, blocks, log_probs, logs_for, normalised, share_of
from activelab._typing import Float64s, Floats, Models
from activelab.consensus._pooled import first_confusion
from activelab.labels import Labels, Totals

_BETAS = np.concatenate([[1.0], np.geomspace(0.05, 5.0, 25)])
_LAPSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
_ASSUMED = 0.8  # accuracy of every annotator while the models are calibrated
_STEADY = 4 * np.log(1 - np.array(_LAPSES)) - 2 * np.log(_BETAS)[:, None] ** 2  # logarithm of a prior
_VAGUE = np.log(1 - np.array(_LAPSES)) - np.log(_BETAS)[:, None] ** 2 / 2  # of one that few labels outweigh
_CELLS = 1 << 17  # probabilities the calibration rests on
_FEW = 30  # labels of a rare class with which errors on it are taken for half as rare, in logarithms
_TIED = 500.0  # examples of all questions together that count beside a question's own
_MOST_VOICES = 2.0  # of models that are sure
_NEGLIGIBLE = 1e-3  # weight of a temperature
_LEAST_SUM = 1e-3  # of the probabilities of a class that a model never names


@dataclass(frozen=True)
class Evidence:
    """What a model says beyond how frequent the classes are, believed as far as labels bear it out.

    Attributes
    ----------
    betas, weights : ndarray of float64, shape (n_betas,)
        Inverse temperatures, and how probable each is given the labels.
    log_mean : ndarray of float64, shape (n_classes,)
        Logarithm of the mean of the model's probabilities on labelled examples.
    """

    betas: Float64s
    weights: Float64s
    log_mean: Float64s

    def tempered(self, rows: Floats, base: Float64s) -> Float64s:
        """Mean over β of base · (p / mean of p)^β, normalised."""
        apart, log_base = log_probs(rows) - self.log_mean, np.log(base)
        total = np.zeros(apart.shape)
        for beta, weight in zip(self.betas.tolist(), self.weights.tolist(), strict=True):
            total += weight * normalised(apart * beta + log_base)
        return total


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
    evidence : tuple of Evidence
        Of each model, if there is a ``base``.
    """

    betas: tuple[float, ...]
    lapses: tuple[float, ...]
    voices: float = 0.0
    base: Float64s | None = None
    evidence: tuple[Evidence, ...] = ()

    @classmethod
    def fitted(cls, labels: Labels, models: Models, *, steady: bool = False) -> ModelPrior:
        """Each model calibrated by itself; ``steady`` calibrations are tied to none by a prior."""
        calibration = [_calibrated(labels, model, steady) for model in models]
        prior = cls(tuple(beta for beta, _ in calibration), tuple(lapse for _, lapse in calibration))
        return replace(prior, voices=_MOST_VOICES * prior._certainty(labels, models))

    @classmethod
    def fitted_together(
        cls,
        questions: Sequence[Labels],
        models: Sequence[Models],
        said: Sequence[Float64s],
        believed: Sequence[Float64s],
    ) -> list[ModelPrior]:
        """A calibration a question, tied to what all questions show of the same models.

        Each model is judged by what it says of the labels beyond ``said``, their shares; ``believed`` are the
        shares of the classes that one leaves which knows nothing. What is not certain of β and ε is averaged
        over: of few examples a model is believed little.
        """
        number = np.array([labels.totals.n_with(1) for labels in questions], dtype=np.float64)
        lapses: list[list[float]] = [[] for _ in questions]
        evidence: list[list[Evidence]] = [[] for _ in questions]
        for of_questions in zip(*models, strict=True):
            means = [_log_mean(*pair) for pair in zip(questions, of_questions, strict=True)]
            scores = [
                n * _beyond_shares(labels, model, mean, share)
                for n, labels, model, mean, share in zip(
                    number, questions, of_questions, means, said, strict=True
                )
            ]
            for place, (n, score, mean) in enumerate(zip(number, scores, means, strict=True)):
                others, elsewhere = number.sum() - n, sum(scores) - score
                tied = score + elsewhere * (min(_TIED, others) / max(others, 1.0)) + _VAGUE
                weight = np.exp(tied - tied.max())
                weight[0] = 0.0  # β = 1 is on the grid twice
                weight /= weight.sum()
                lapses[place].append(float(weight.sum(axis=0) @ _LAPSES))
                of_beta = weight @ (1 - np.array(_LAPSES))
                kept = of_beta > _NEGLIGIBLE * of_beta.sum()
                evidence[place].append(Evidence(_BETAS[kept], of_beta[kept] / of_beta[kept].sum(), mean))
        priors = []
        for labels, theirs, lapse, one, base in zip(
            questions, models, lapses, evidence, believed, strict=True
        ):
            betas = tuple(float(each.betas @ each.weights) for each in one)
            prior = cls(betas, tuple(lapse), base=base, evidence=tuple(one))
            priors.append(replace(prior, voices=_MOST_VOICES * prior._explained(labels, theirs)))
        return priors

    def _explained(self, labels: Labels, models: Models) -> float:
        """Root of the share of the classes' variance that the prior explains, on labelled examples."""
        if not models or self.base is None:
            return 0.0
        total, number = 0.0, 0
        for block in blocks(labels, at_least=1, share=calibration_share(labels.totals)):
            apart = np.exp(self.log(block, models)) / len(models) - self.base
            total += float((apart**2).sum())
            number += block.size
        variance = float((self.base * (1 - self.base)).sum())
        return min((total / number / variance) ** 0.5, 1.0) if number and variance else 0.0

    def _certainty(self, labels: Labels, models: Models) -> float:
        """Mean certainty of the prior on labelled examples: 0 where it says nothing, 1 where it is sure."""
        if not models or labels.n_classes < 2:
            return 0.0
        total, number = 0.0, 0
        for block in blocks(labels, at_least=1, share=calibration_share(labels.totals)):
            log_prior = self.log(block, models)
            total += float(np.exp(log_prior.max(axis=1)).sum(dtype=np.float64))
            number += block.size
        # The rows of `log` add up to the number of models.
        mean = total / (number * len(models)) if number else 0.0
        return max(labels.n_classes * mean - 1, 0.0) / (labels.n_classes - 1)

    def log(self, block: Block, models: Models) -> Floats:
        """Logarithm of the calibrated mean of the models, up to a constant of each example.

        In float32 if the probabilities of all models are (see `logs_for`).
        """
        if not models:
            return np.zeros((block.size, block.labels.n_classes))
        parts = (self.calibrated(number, block.rows_of(model)) for number, model in enumerate(models))
        return logs_for(reduce(np.add, parts))

    def calibrated(self, number: int, rows: Floats) -> Floats:
        """(1 − ε) softmax(β log p) + ε/K of some rows of a model.

        With a ``base`` π it is (1 − ε) times the mean of `Evidence.tempered`, and ε π.
        """
        lapse = self.lapses[number]
        if self.base is None:
            beta = self.betas[number]
            part = normalised(logs_for(rows, beta) * beta)
        else:
            part = self.evidence[number].tempered(rows, self.base)
        part *= 1 - lapse
        part += lapse / rows.shape[1] if self.base is None else lapse * self.base
        return part


def calibration_share(totals: Totals) -> float:
    """The share of the labelled examples that the calibration takes."""
    return share_of(_CELLS, totals.n_with(1) * len(totals.class_counts))


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
    count = labels.totals.class_counts
    share = (count + 1) / (count.sum() + labels.n_classes)
    fewer = np.minimum(2 * labels.n_classes * share, 1) ** (2 * _FEW / (_FEW + count))
    errors = (1 - _ASSUMED) / max(labels.n_classes - 1, 1) * fewer
    return np.asarray(np.log(_ASSUMED / errors))


def _calibrated(labels: Labels, model: Floats, steady: bool) -> tuple[float, float]:
    """β and ε that make the labels likeliest, on a sample, the first of those that are as good.

    The likelihood is that of `_scores` with even shares; θ is the same for everybody and stays as it is. Left
    free with β, it would drift to where the model is right and everybody errs: single labels cannot tell
    that from the opposite. ``steady`` adds the prior −2 (ln β)² + 4 ln(1 − ε) to its logarithm.
    """
    score, size = _scores(labels, model, assumed_evidence(labels), None, None)
    if steady and size:
        score += _STEADY / size
    best, found = -np.inf, (1.0, 0.0)
    for row, beta in enumerate(_BETAS.tolist()):
        for column, lapse in enumerate(_LAPSES):
            if score[row, column] > best + 1e-9:
                best, found = float(score[row, column]), (beta, lapse)
    return found


def _beyond_shares(labels: Labels, model: Floats, log_mean: Float64s, said: Float64s) -> Float64s:
    """`_scores` of what a model says beyond the shares of the labels.

    Who does not know the answer says what is usual (`first_confusion`), so that the shares alone explain how
    often each class is said, and no model earns trust by repeating them.
    """
    return _scores(labels, model, np.log(first_confusion(said)), log_mean, np.log(said))[0]


def _scores(
    labels: Labels,
    model: Floats,
    evidence: Float64s,
    log_mean: Float64s | None,
    log_base: Float64s | None,
) -> tuple[Float64s, int]:
    """Mean log-likelihood of the labels of an example at each β and ε of a grid, and of how many examples.

    The likelihood is Π_i Σ_k ((1 − ε) softmax(β log p_i)_k + ε/K) Π_j θ(Y_ij | k): ε is how often the model
    knows nothing, whatever it says. With a ``log_base``, p / its mean is evidence beside it, and it takes the
    place of 1/K. ``evidence`` is as for `labels_likelihood`.
    """
    logs, likely = [], []
    for block in blocks(labels, at_least=1, share=calibration_share(labels.totals)):
        logs.append(log_probs(block.rows_of(model)))
        likely.append(labels_likelihood(block, evidence))
    score = np.zeros((len(_BETAS), len(_LAPSES)))
    if not logs:
        return score, 0
    log_p, weight = np.concatenate(logs), np.concatenate(likely)
    if log_mean is not None:
        log_p -= log_mean
    by_chance = weight.mean(axis=1) if log_base is None else weight @ np.exp(log_base)
    for row, beta in enumerate(_BETAS.tolist()):
        tempered = log_p * beta if log_base is None else log_p * beta + log_base
        by_model = np.einsum("ij,ij->i", normalised(tempered), weight)
        for column, lapse in enumerate(_LAPSES):
            score[row, column] = np.log((1 - lapse) * by_model + lapse * by_chance).mean()
    return score, len(weight)


def _log_mean(labels: Labels, model: Floats) -> Float64s:
    """Logarithm of the mean probabilities on labelled examples, on a sample."""
    total = np.full(labels.n_classes, _LEAST_SUM)
    for block in blocks(labels, at_least=1, share=calibration_share(labels.totals)):
        total += block.rows_of(model).sum(axis=0)
    return np.asarray(np.log(total / total.sum()))
