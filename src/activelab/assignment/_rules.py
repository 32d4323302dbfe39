"""Rules that pick one of the annotators who are free for an example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._registry import Registry, instance_of
from activelab._typing import Float64s, Ints
from activelab.consensus import Ability


class AssignmentRule(ABC):
    """A way to choose who labels an example.

    Contract: `choose` returns one of ``free``, and depends on nothing but its arguments and the rule's own
    parameters.
    """

    needs_ability = False

    @abstractmethod
    def choose(self, free: Ints, load: Ints, ability: Ability | None, rng: np.random.Generator) -> int:
        """One of the annotators ``free``, ascending and not empty.

        Parameters
        ----------
        free : ndarray of int
            Codes of the annotators who may be asked.
        load : ndarray of int, shape (n_annotators,)
            Examples of the batch each has so far.
        ability : Ability or None
            What is known of their accuracies.
        rng : Generator
        """


class RandomRule(AssignmentRule):
    """Anybody who is free, with equal chances: what the paper's experiments do."""

    def choose(self, free: Ints, load: Ints, ability: Ability | None, rng: np.random.Generator) -> int:
        return int(rng.choice(free))


class RoundRobin(AssignmentRule):
    """Whoever has the fewest examples of the batch; among equals by lot."""

    def choose(self, free: Ints, load: Ints, ability: Ability | None, rng: np.random.Generator) -> int:
        least = free[load[free] == load[free].min()]
        return int(rng.choice(least))


class Thompson(AssignmentRule):
    """Whoever draws the highest value for the price (Thompson 1933).

    Each free annotator's accuracy q is drawn from what is known of it, so that the little known are tried
    and the good are used. A label is worth ((K q − 1) / (K − 1))², with negative bases as 0: the share of
    independent right labels it stands for. The highest ratio of worth to price is taken.

    Parameters
    ----------
    price : array-like of float > 0, shape (n_annotators,), optional
        Price of a label of each annotator. By default all cost the same.

    Raises
    ------
    InputError
        If a price is not positive; from `choose`, if there is not one for each annotator.
    """

    needs_ability = True

    def __init__(self, price: Any = None) -> None:
        self.price = None if price is None else np.asarray(price, dtype=np.float64)
        if self.price is not None and not (np.isfinite(self.price) & (self.price > 0)).all():
            raise InputError("prices must be positive numbers.")

    def choose(self, free: Ints, load: Ints, ability: Ability | None, rng: np.random.Generator) -> int:
        if ability is None:
            raise InputError("Thompson choice needs what is known of the annotators' accuracies.")
        drawn = rng.beta(ability.right[free], ability.wrong[free])
        if self.price is None:
            return int(free[drawn.argmax()])
        if len(self.price) != len(ability.right):
            raise InputError(
                f"there are {len(self.price)} prices for {len(ability.right)} annotators; give one for each."
            )
        value = worth(drawn, ability.n_classes) / self.price[free]
        # Where nobody beats chance, the likeliest to be right.
        return int(free[np.lexsort((drawn, value))[-1]])


def worth(accuracy: Float64s, n_classes: int) -> Float64s:
    """((K q − 1) / (K − 1))² of accuracies q, 0 below chance."""
    above = (n_classes * accuracy - 1) / max(n_classes - 1, 1)
    return np.asarray(np.maximum(above, 0.0) ** 2)


RULES: Registry[AssignmentRule] = Registry(
    "assignment",
    "activelab.assignment",
    {"random": RandomRule, "round_robin": RoundRobin, "thompson": Thompson},
    instance_of(AssignmentRule, "assignment"),
)


def get_rule(rule: str | AssignmentRule | type[AssignmentRule]) -> AssignmentRule:
    """The rule of a name or import path ``module:attribute``; an `AssignmentRule` as it is.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    return RULES.get(rule)
