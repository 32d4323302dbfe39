"""A strategy: the parts that make up a way to spend labels, each of which can be varied alone."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from activelab._batching import BATCHING
from activelab._errors import InputError, unknown
from activelab._targets import CONSENSUS, TRAINING
from activelab.acquisition import get_method
from activelab.assignment import RULES
from activelab.learner import ActiveLearner

__all__ = ["Strategy"]

_CHOICES = {
    "consensus": CONSENSUS,
    "training": TRAINING,
    "batching": BATCHING,
    "assignment": tuple(RULES),
}


@dataclass(frozen=True)
class Strategy:
    """An acquisition method and what goes with it.

    Written as text, the method comes first and what differs from its defaults follows:
    ``activelab+consensus=bayesian+passes=2+assignment=thompson``.

    Attributes
    ----------
    method : str
        What to label next: a registered acquisition method.
    consensus, training, passes
        As in `ActiveLearner`; None for those of the method.
    batching : {"top", "diverse", "stochastic"}
        How a batch follows from the scores.
    assignment : {"random", "round_robin", "thompson"}
        Who labels it.
    max_share : float in (0, 1]
        Share of a batch one annotator gets at most.
    stop : bool
        Whether examples on which another label would change nothing are left alone (see
        `activelab.stopping.example_states`).

    Examples
    --------
    >>> from activelab.strategies import Strategy
    >>> Strategy.parse("activelab+passes=2+assignment=thompson").passes
    2
    """

    method: str = "activelab"
    consensus: str | None = None
    training: str | None = None
    passes: int | None = None
    batching: str = "top"
    assignment: str = "random"
    max_share: float = 1.0
    stop: bool = False

    def __post_init__(self) -> None:
        get_method(self.method)
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise unknown(name, value, list(choices))
        if self.passes is not None and self.passes < 1:
            raise InputError(f"passes must be at least 1, got {self.passes}.")
        if not 0 < self.max_share <= 1:
            raise InputError(f"max_share must be above 0 and at most 1, got {self.max_share:g}.")

    @classmethod
    def parse(cls, text: str) -> Strategy:
        """A strategy from its text.

        Raises
        ------
        InputError
            If a part is unknown or its value is.
        """
        method, *parts = text.split("+")
        given: dict[str, Any] = {"method": method.strip()}
        names = [field.name for field in fields(cls)][1:]
        for part in parts:
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or name not in names:
                raise unknown(f"part of the strategy {text!r}", name, names)
            given[name] = _value(name, value, text)
        return cls(**given)

    def __str__(self) -> str:
        differing = [field for field in fields(self)[1:] if getattr(self, field.name) != field.default]
        return "+".join([self.method, *(f"{field.name}={getattr(self, field.name)}" for field in differing)])

    def learner(self, model: Any, cv: Any = 5, *, seed: int = 0, n_jobs: int | None = None) -> ActiveLearner:
        """An `ActiveLearner` of this strategy; who labels is up to its caller (see `activelab.assign`)."""
        return ActiveLearner(
            model,
            self.method,
            cv,
            consensus=self.consensus,
            training=self.training,
            passes=self.passes,
            batching=self.batching,
            seed=seed,
            n_jobs=n_jobs,
        )


def _value(name: str, value: str, text: str) -> Any:
    try:
        if name == "passes":
            return int(value)
        if name == "max_share":
            return float(value)
        if name == "stop":
            return {"true": True, "false": False}[value.lower()]
    except (ValueError, KeyError):
        raise InputError(f"{value!r} is no value of {name} in the strategy {text!r}.") from None
    return value
