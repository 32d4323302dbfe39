"""One posterior a class, estimated together: what the classes share is learnt from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from activelab._kernels import Block, share_of
from activelab._typing import Float64s, Floats, Ints, Models
from activelab.consensus import BayesianEstimate
from activelab.consensus.parts import (
    SAMPLE,
    STEPS,
    Abstaining,
    Channels,
    Gathered,
    ModelPrior,
    Question,
    Voices,
    believed_shares,
    calibrated,
    find_voices,
    first_confusion,
    gathered,
    pooled_effects,
    reliability,
    said_shares,
)
from activelab.labels import Labels
from activelab.multilabel._sets import LabelSets

_SAID = 200.0
"""Examples beside those of the pool in which classes are as frequent as the answers make likely."""

_POWER = 1 / 3
"""Of the reliability of answers, by which shares are believed; where annotators err independently, 1/2 is
believed too little."""

_YES_NO = np.array([0.0, 1.0])


@dataclass(frozen=True)
class MultilabelEstimate:
    """What the posteriors rest on: an estimate a class, with annotators and temperatures pooled.

    Attributes
    ----------
    of_class : tuple of BayesianEstimate
    """

    of_class: tuple[BayesianEstimate, ...]

    def rates(self, n_annotators: int) -> tuple[Float64s, Float64s]:
        """Sensitivity and specificity, shape (n_annotators, n_classes) each."""
        rates = np.full((2, n_annotators, len(self.of_class)), np.nan)
        for code, one in enumerate(self.of_class):
            if one.channels.log_confusion is None:
                rates[:, :, code] = one.channels.ability.mean
                continue
            confusion = one.channels.confusion(np.arange(n_annotators))
            for place, truth in enumerate((1, 0)):
                rates[place, :, code] = confusion[:, truth, truth] / confusion[:, :, truth].sum(axis=1)
        return rates[0], rates[1]

    def mean_voices(self, sets: LabelSets) -> Float64s:
        """Voices an answer of each annotator counts for, mean over the classes."""
        if not self.of_class or not len(self.of_class[0].voices.dependence):
            return np.ones(sets.n_annotators)
        means = [one.voices.mean_weight(sets.of_class(code)) for code, one in enumerate(self.of_class)]
        return np.asarray(np.mean(means, axis=0))

    def notes(self, sets: LabelSets) -> tuple[str, ...]:
        """What is to be said of annotators and answers."""
        if not self.of_class:
            return ()
        notes = self.of_class[0].voices.notes(sets.annotators)
        if sets.n_answers and (sets.counts < 2).all():
            notes += (
                "no example has two answers: how annotators err cannot be estimated, and what is usual is "
                "assumed.",
            )
        return notes


def yes_no(models: Models, code: int) -> Models:
    """What matrices of probabilities say of one class, as predictions of the classes no and yes."""
    return tuple(np.stack([1 - model[:, code], model[:, code]], axis=1) for model in models)


def multilabel_estimate(
    sets: LabelSets,
    models: Models,
    *,
    known: Ints | None = None,
    families: Ints | None = None,
    abstentions: Sequence[Labels] | None = None,
) -> MultilabelEstimate:
    """Channels, shares and temperatures of all classes by expectation-maximisation, then calibrated.

    ``known`` are right answers, shape (n_examples, n_classes): 0 or 1, -1 where unknown. ``abstentions`` are
    those of each class.
    """
    size = sets.n_classes
    questions = [sets.of_class(code) for code in range(size)]
    of_class = [yes_no(models, code) for code in range(size)]
    share = share_of(SAMPLE, int(np.count_nonzero(sets.labelled)))
    said = [said_shares(labels) for labels in questions]
    first = np.stack([first_confusion(one) for one in said])
    exponent = reliability(questions, of_class, _YES_NO) ** _POWER
    shares = [believed_shares(one, exponent) for one in said]
    priors = ModelPrior.fitted_together(questions, of_class, said, shares)
    abstaining = _abstaining(questions, abstentions)
    start = [
        BayesianEstimate(
            prior=priors[code],
            log_shares=None if models else np.log(shares[code]),
            channels=Channels.alike(questions[code], first[code]),
            voices=Voices.independent(sets.n_annotators),
            discount=0.0,
            ability=Channels.at_first(questions[code]).ability,
            known=None if known is None else known[:, code],
            abstaining=abstaining[code],
            base=np.log(shares[code]),
        )
        for code in range(size)
    ]
    estimates = _improved(questions, of_class, first, start, STEPS - 1, share)
    voices = find_voices(
        [
            Question(labels, one.channels, partial(_of_block, one, theirs))
            for labels, one, theirs in zip(questions, estimates, of_class, strict=True)
        ],
        families,
    )
    if len(voices.dependence):
        start = [replace(one, voices=voices) for one in start]
        estimates = _improved(questions, of_class, first, start, STEPS - 1, share)
    if sets.n_answers:
        together = families is not None or len(voices.dependence) > 0
        estimates = calibrated(questions, of_class, estimates, share, declared=together)
    return MultilabelEstimate(tuple(_improved(questions, of_class, first, estimates, 1, 1.0)))


def _abstaining(
    questions: list[Labels], abstentions: Sequence[Labels] | None
) -> list[Abstaining] | list[None]:
    """How often people cannot tell of each class, where some could not tell of one."""
    if abstentions is None:
        return [None] * len(questions)
    if all(one is abstentions[0] for one in abstentions):  # of whole examples
        return [Abstaining.fitted(questions[0], abstentions[0])] * len(questions)
    return [Abstaining.fitted(labels, one) for labels, one in zip(questions, abstentions, strict=True)]


def _of_block(estimate: BayesianEstimate, models: Models, block: Block) -> Floats:
    return estimate.posterior(block, models)


def _improved(
    questions: list[Labels],
    models: list[Models],
    first: Float64s,
    estimates: list[BayesianEstimate],
    steps: int,
    share: float,
) -> list[BayesianEstimate]:
    """The estimates after some steps over a share of the answered examples."""
    for _ in range(steps):
        found = [
            gathered(labels, theirs, one, share)
            for labels, theirs, one in zip(questions, models, estimates, strict=True)
        ]
        own = [one.sums.own for one in found]
        counts = [one for one in own if one is not None]
        prior = pooled_effects(np.stack(counts), first) if len(counts) == len(found) else [None] * len(found)
        estimates = [
            replace(
                one,
                **_shares(one, each),
                channels=each.sums.channels(shrunk_to),
                ability=each.ability,
                abstaining=each.abstaining,
            )
            for one, each, shrunk_to in zip(estimates, found, prior, strict=True)
        ]
    return estimates


def _shares(estimate: BayesianEstimate, found: Gathered) -> dict[str, Any]:
    """How frequent no and yes are, shrunk to what answers made likely at first."""
    first = np.full(2, 0.5) if estimate.prior.base is None else estimate.prior.base
    log_shares = np.log((found.of_class + _SAID * first) / (found.of_class.sum() + _SAID))
    return {"base": log_shares, "log_shares": None if estimate.log_shares is None else log_shares}
