"""People who could not tell: how often each says so, and what that says of an example.

Whether somebody can tell depends on the person, on the class and on the example, and on the last also for
everybody else: where many cannot tell, the labels of the others are less often right (mathematics.md §20).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from activelab._errors import InputError, first
from activelab._typing import Float64s, Floats, Ids, Index, Ints
from activelab._vocabulary import Vocabulary
from activelab.labels import Labels

_PEOPLE = 10.0  # questions with which everybody is taken to abstain as often as all do
_CLASSES = 10.0  # abstentions with which a class is taken to be as hard as all are
_EXAMPLES = 5.0  # pairs of abstentions with which examples are taken to be equally hard
_MOST_SHAPE = 1e3
_STEPS, _CLOSE = 50, 1e-8


@dataclass(frozen=True, eq=False)
class Abstaining:
    """How often people cannot tell.

    The number of those who cannot tell of an example of class k is Poisson with mean λ_i c_k Σ_j r_j over
    those who were asked, with λ_i from a gamma distribution of mean 1.

    Attributes
    ----------
    number : ndarray of float64, shape (n_examples,)
        Abstentions on each example.
    expected : ndarray of float64, shape (n_examples,)
        Σ_j r_j over those who were asked.
    rate : ndarray of float64, shape (n_annotators,)
        r_j, how often each annotator cannot tell.
    of_class : ndarray of float64, shape (n_classes,)
        c_k, by how much more often they cannot of each class.
    shape : float
        Of the gamma distribution, 1 over its variance.
    strength : float
        γ: the evidence of an example counts λ_i^(−γ).
    by_class : bool
        Whether classes differ in it.
    """

    number: Float64s
    expected: Float64s
    rate: Float64s
    of_class: Float64s
    shape: float
    strength: float = 0.0
    by_class: bool = True

    @property
    def alike(self) -> Abstaining:
        """With all classes equally hard."""
        return replace(self, of_class=np.ones(len(self.of_class)), by_class=False)

    @classmethod
    def fitted(cls, labels: Labels, abstentions: Labels) -> Abstaining:
        """Rates of annotators and the spread over examples, whatever the classes.

        ``abstentions`` has the examples and annotators of ``labels``. The variance of λ is by how much more
        often two people abstain on one example than their rates alone would have it.
        """
        size, people = labels.n_examples, labels.n_annotators
        example = np.concatenate([labels.example, abstentions.example]).astype(np.int64)
        person = np.concatenate([labels.annotator, abstentions.annotator]).astype(np.int64)
        number = abstentions.counts.astype(np.float64)
        asked = np.bincount(person, minlength=people)
        given = np.bincount(abstentions.annotator, minlength=people)
        mean = given.sum() / max(asked.sum(), 1)
        rate, shape = np.full(people, mean), _MOST_SHAPE
        observed = float((number * (number - 1)).sum())
        for _ in range(_STEPS):
            expected = _expected(example, rate[person], size)
            by_rates = float((expected**2).sum() - (rate[person] ** 2).sum())
            excess = max(observed - by_rates, 0.0) / max(by_rates + _EXAMPLES, 1e-9)
            shape = 1 / max(excess, 1 / _MOST_SHAPE)
            hard = (number + shape) / (expected + shape)
            at_rate_one = np.bincount(person, hard[example], people)
            before, rate = rate, (given + _PEOPLE * mean) / (at_rate_one + _PEOPLE)
            if np.abs(rate - before).max(initial=0) < _CLOSE:
                break
        expected = _expected(example, rate[person], size)
        return cls(number, expected, rate, np.ones(labels.n_classes), shape)

    def log_likelihood(self, index: Index) -> Float64s:
        """Log-probability of an example's abstentions given each class, up to a constant of each example."""
        number, expected = self.number[index][:, None], self.expected[index][:, None]
        hardness = np.log(self.shape + expected * self.of_class)
        return np.asarray(number * np.log(self.of_class) - (self.shape + number) * hardness)

    def log_hardness(self, index: Index) -> Float64s:
        """log λ_i: by how much more often people cannot tell of an example than of others."""
        return np.asarray(np.log((self.number[index] + self.shape) / (self.expected[index] + self.shape)))

    def telling(self, index: Index, posterior: Floats) -> Float64s:
        """Probability that whoever is asked next of an example can tell.

        Given class k, λ_i has a gamma distribution of shape s + A_i and rate s + c_k E_i, and an annotator of
        the mean rate r̄ cannot tell with probability λ_i c_k r̄ [docs/mathematics.md §20].
        """
        number, expected = self.number[index][:, None], self.expected[index][:, None]
        hardness = (self.shape + number) / (self.shape + expected * self.of_class)
        cannot = np.minimum(hardness * self.of_class * self.rate.mean(), 1)
        return np.asarray(1 - (posterior * cannot).sum(axis=1))

    def mended(self, index: Index, posterior: Floats) -> Float64s:
        """Share of what is missing to certainty that one more question may mend.

        Whoever is asked has to be able to tell, and what they say of a hard example counts for less.
        """
        return self.telling(index, posterior) * np.minimum(np.exp(self.log_scale(index)), 1)

    def log_scale(self, index: Index) -> Float64s:
        """Logarithm of what the evidence of an example counts."""
        return np.asarray(-self.strength * self.log_hardness(index))


def _expected(example: Ints, rate: Float64s, size: int) -> Float64s:
    return np.bincount(example, rate, size).astype(np.float64, copy=False)


class AbstentionSums:
    """Expected abstentions of each class, gathered block by block."""

    def __init__(self, abstaining: Abstaining) -> None:
        size = len(abstaining.of_class)
        self.abstaining, self.number, self.expected = abstaining, np.zeros(size), np.zeros(size)

    def add(self, index: Index, posterior: Floats) -> None:
        """Count the abstentions of some examples for each class as far as the posterior says."""
        known = self.abstaining
        number, expected = known.number[index][:, None], known.expected[index][:, None]
        hard = (number + known.shape) / (expected * known.of_class + known.shape)
        self.number += (posterior * number).sum(axis=0)
        self.expected += (posterior * hard * expected).sum(axis=0)

    def abstaining_by_class(self) -> Abstaining:
        """With the most probable rates of the classes given the counts, against all classes together."""
        if not self.abstaining.by_class:
            return self.abstaining
        everywhere = self.number.sum() / max(self.expected.sum(), 1e-9)
        of_class = (self.number + _CLASSES) / (self.expected * everywhere + _CLASSES)
        return replace(self.abstaining, of_class=of_class)


def check_abstentions(abstentions: object, labels: Labels) -> Labels | None:
    """The abstentions over the examples and annotators of ``labels``; None if there are none.

    Raises
    ------
    InputError
        If they name an example or an annotator that is not in the pool, or somebody both labelled an example
        and could not tell.
    """
    if abstentions is None:
        return None
    if not isinstance(abstentions, Labels):
        raise InputError(
            "abstentions must be Labels: who could not tell of which example, as Labels.set_apart gives them."
        )
    if not abstentions.n_labels:
        return None
    rows = _codes("example", abstentions.examples, labels.examples, abstentions.example)
    people = _codes("annotator", abstentions.annotators, labels.annotators, abstentions.annotator)
    told = labels.example.astype(np.int64) * labels.n_annotators + labels.annotator
    both = np.isin(rows * labels.n_annotators + people, told)
    if both.any():
        at = int(np.argmax(both))
        example = labels.examples[rows[at] : rows[at] + 1].tolist()[0]
        person = labels.annotators[people[at] : people[at] + 1].tolist()[0]
        raise InputError(
            f"annotator {person!r} both labelled example {example!r} and could not tell.",
            example=example,
        )
    return Labels(
        rows,
        people,
        np.zeros(len(rows), dtype=np.int64),
        examples=labels.examples,
        annotators=labels.annotators,
        classes=1,
    )


def _codes(kind: str, names: Ids, known: Ids, codes: Ints) -> Ints:
    """Codes by another vocabulary, of which the names in use must be part."""
    new = Vocabulary(known, kind).encode(names)[codes]
    if (new < 0).any():
        lost = names[np.unique(codes[new < 0])]
        raise InputError(
            f"abstentions name {kind}s that are not in the pool: {first(lost[:11])}. Set them apart from "
            "Labels that hold every answer."
        )
    return new
