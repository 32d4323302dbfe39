"""A strategy: the parts that make up a way to spend labels, each of which can be varied alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from activelab._errors import InputError, unknown
from activelab._registry import Registry, import_object
from activelab.acquisition import METHODS, Acquisition, ActiveLab, ExpectedLoss, Frugal
from activelab.assignment import RULES, AssignmentRule, Thompson
from activelab.consensus import CONSENSUS, ConsensusMethod, Ordinal
from activelab.consensus.parts import LOSSES
from activelab.labels import Labels
from activelab.selection import BATCHING
from activelab.training import TRAINING

__all__ = ["Strategy", "register", "strategies"]


class _Preset(NamedTuple):
    """What goes with an acquisition method unless something else is said."""

    method: str
    consensus: str = "majority_vote"
    training: str = "hard"
    passes: int = 1
    helpers: tuple[Any, ...] = ()


OWN = "own"
"""Name among helpers of the user's own classifier."""

_HELPERS = ("gaussian_process", "gaussian_process_local", "logistic", "extra_trees", "neighbours", OWN)

# The paper trains only ActiveLab's classifiers on the CROWDLAB consensus [A §4].
_TAUGHT = _Preset("frugal", "committee", "taught", 1, _HELPERS)
_WITHOUT_HELPERS = _Preset("frugal", "bayesian", "cautious", 2)
_PRESETS = {
    "activelab": _Preset("activelab", "crowdlab"),
    "recommended": _TAUGHT,
    "taught": _TAUGHT,
    "frugal": _WITHOUT_HELPERS,
    "expected_loss": _Preset("expected_loss", "ordinal", "cautious", 2),
}
_BY_CLASS: tuple[tuple[type[Acquisition], str], ...] = (
    (ActiveLab, "activelab"),
    (ExpectedLoss, "expected_loss"),
    (Frugal, "frugal"),
)


@dataclass(frozen=True)
class Strategy:
    """An acquisition method and what goes with it.

    Each part is a name, an import path ``module:attribute``, or a part of one's own (see the how-to). Written
    as text, the method comes first and what differs from its defaults follows:
    ``activelab+consensus=bayesian+passes=2+assignment=thompson``.

    Attributes
    ----------
    method : str or Acquisition
        What to label next: "recommended", or an acquisition method (see `activelab.methods`). The former is
        "taught" where there are features that are numbers, and "frugal" where there are none.
    consensus : str or ConsensusMethod
        Consensus a classifier is trained on: "crowdlab", "majority_vote", "dawid_skene", "bayesian", or
        another of `activelab.consensus.CONSENSUS`. By default that of the method: CROWDLAB for ActiveLab, the
        majority vote for the paper's other methods, as in the paper; that of a committee of helpers for
        "recommended", Bayesian for "frugal", and for "expected_loss" the ordinal one.
    training : str or callable
        How consensus labels are trained on. "hard": as if they were right. "weights": weighted by the
        probability that they are. "soft": one row for each class an example may be of, weighted by its
        probability. "cautious": in place of the consensus what the annotators say, weighted by its
        probability under the consensus, so that the models weigh labels but never replace one, and a poor
        model does not convince itself. A classifier that takes no ``sample_weight`` gets the labels alone,
        without those more likely wrong than right. By default that of the method: "hard" for the paper's.
    passes : int
        How often a round estimates the consensus and fits the classifiers on it: with 2, the consensus is
        estimated again with the round's own out-of-sample probabilities, and the classifiers fitted again.
        By default that of the method: 1 for the paper's.
    helpers : sequence of str or object
        Members of a committee that sees the features of the examples, and whose predictions are what the
        consensus starts from: names of `HELPERS`, any classifier, or any regressor of several targets; "own"
        is the user's own classifier. As text, with commas. By default those of the method: six for
        "recommended", none otherwise.
    batching : {"top", "diverse", "stochastic"} or callable
        How a batch follows from the scores (see `select_batch`).
    assignment : {"random", "round_robin", "thompson"}, AssignmentRule or None
        Who labels it; None leaves that open.
    max_share : float in (0, 1]
        Share of a batch one annotator gets at most.
    skip_settled : bool
        Whether examples on which another label would change nothing are left alone (see
        `activelab.stopping.example_states`).
    prices : mapping of str to float, or pairs
        Price of a label of an annotator, by id as text, for "thompson"; 1 for those not named.
    loss : str
        What a wrong answer costs: of ratings "absolute" (the default), "quadratic" or "zero_one", as for
        `ordinal_consensus`; of sets "hamming" (the default) or "f1", as for `multilabel_consensus`.
    ask : {"either", "examples", "classes"}
        Of sets, what may be asked about (see `suggest_questions`).

    Raises
    ------
    InputError
        If a part is unknown or out of range.

    Examples
    --------
    >>> from activelab.strategies import Strategy
    >>> Strategy.parse("activelab+passes=2+assignment=thompson").passes
    2
    >>> Strategy("recommended").consensus
    'committee'
    >>> Strategy("recommended").without_helpers().consensus
    'bayesian'
    """

    method: str | Acquisition | Any = "activelab"
    consensus: str | ConsensusMethod | Any = None
    training: str | Callable[..., Any] | Any = None
    passes: int | Any = None
    helpers: Any = None
    batching: str | Callable[..., Any] = "top"
    assignment: str | AssignmentRule | None = None
    max_share: float = 1.0
    skip_settled: bool = False
    prices: Any = ()
    loss: str = ""
    ask: str = "either"
    acquisition: Acquisition = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        preset = _preset(self.method)
        acquisition = METHODS.get(preset.method if isinstance(self.method, str) else self.method)
        self._set("acquisition", acquisition)
        for name in ("consensus", "training", "passes", "helpers"):
            if getattr(self, name) is None:
                self._set(name, getattr(preset, name))
        if self.training == "taught" and not self.helpers:
            self._set("helpers", _HELPERS)
        self._set("helpers", (self.helpers,) if isinstance(self.helpers, str) else tuple(self.helpers))
        prices = self.prices.items() if isinstance(self.prices, Mapping) else self.prices
        self._set("prices", tuple((str(name), float(price)) for name, price in prices))
        CONSENSUS.get(self.consensus)
        TRAINING.get(self.training)
        BATCHING.get(self.batching)
        for helper in self.helpers:
            HELPERS.require(helper)
        if self.assignment is not None:
            RULES.get(self.assignment)
        self._check_answers()
        if isinstance(self.passes, bool) or not isinstance(self.passes, int) or self.passes < 1:
            raise InputError(f"passes must be an integer of at least 1, got {self.passes!r}.")
        if not 0 < self.max_share <= 1:
            raise InputError(f"max_share must lie above 0 and be at most 1, got {self.max_share:g}.")
        if not all(0 < price < float("inf") for _, price in self.prices):
            raise InputError("prices must be positive numbers.")

    def _check_answers(self) -> None:
        """What goes with some kinds of answers only; those that have none of it load no kinds of answers."""
        if not self.loss and self.ask == "either":
            return
        from activelab.multilabel import SET_LOSSES
        from activelab.multilabel.parts import ASKS

        if self.ask not in ASKS:
            raise unknown("ask", self.ask, ASKS)
        if self.loss and self.loss not in (*LOSSES, *SET_LOSSES):
            raise unknown("loss", self.loss, [*LOSSES, *SET_LOSSES])
        if self.loss in LOSSES:
            if isinstance(self.acquisition, ExpectedLoss):
                self._set("acquisition", ExpectedLoss(self.loss))  # type: ignore[arg-type]
            elif not isinstance(CONSENSUS.get(self.consensus), Ordinal):
                raise InputError(
                    f"loss {self.loss!r} goes with the method expected_loss or the consensus ordinal, not "
                    f"with {self.method} and {self.consensus}."
                )

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def of(cls, method: Any, *, decides: str = "", **changes: Any) -> Strategy:
        """A strategy from itself, its text, or an acquisition method; ``changes`` that are None are left out.

        ``decides`` is the consensus of a kind of question (`Kind.decides`), unless a text names another.

        Raises
        ------
        InputError
            If a part is unknown or its value is.
        """
        strategy = method if isinstance(method, cls) else None
        if strategy is None:
            strategy = cls.parse(method) if isinstance(method, str) else cls(method)
        if decides and "consensus=" not in str(method):
            changes.setdefault("consensus", decides)
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(strategy, **given) if given else strategy

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
        names = [one.name for one in _parts(cls)]
        for part in parts:
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or name not in names:
                raise unknown(f"part of the strategy {text!r}", name, names)
            given[name] = _value(name, value, text)
        return cls(**given)

    def __str__(self) -> str:
        preset = _preset(self.method)._asdict()
        texts = [str(self.method)]
        for part in _parts(type(self)):
            value, default = getattr(self, part.name), preset.get(part.name, part.default)
            if value != default:
                texts.append(f"{part.name}={_TEXTS.get(part.name, str)(value)}")
        return "+".join(texts)

    def without_helpers(self) -> Strategy:
        """The strategy where there are no features that helpers could learn from.

        A classifier alone is not safe as its own teacher: consensus, training and passes become those of
        "frugal", where they were those of a committee.
        """
        if not self.helpers:
            return self
        changes: dict[str, Any] = {"helpers": ()}
        if self.consensus == "committee":
            changes["consensus"] = _WITHOUT_HELPERS.consensus
        if self.training == "taught":
            changes |= {"training": _WITHOUT_HELPERS.training, "passes": _WITHOUT_HELPERS.passes}
        return replace(self, **changes)

    @property
    def consensus_method(self) -> ConsensusMethod:
        """The consensus a classifier is trained on, with the loss of the strategy."""
        found = CONSENSUS.get(self.consensus)
        return Ordinal(self.loss) if self.loss and isinstance(found, Ordinal) else found  # type: ignore[arg-type]

    def check_single(self) -> None:
        """Refuse what is for sets alone.

        Raises
        ------
        InputError
            If the strategy has such a part.
        """
        part = f"ask={self.ask}" if self.ask != "either" else f"loss={self.loss}"
        if self.ask != "either" or (self.loss and self.loss not in LOSSES):
            raise InputError(f"{part} is for answers that are sets; those given are one class each.")

    def check_sets(self) -> None:
        """Refuse what there is not for answers that are sets.

        Raises
        ------
        InputError
            If the strategy has such a part.
        """
        from activelab.multilabel import SET_LOSSES, SET_METHODS

        wanted = {
            "method": SET_METHODS,
            "batching": ("top",),
            "assignment": (None,),
            "skip_settled": (False,),
        }
        for name, values in wanted.items():
            if getattr(self, name) not in values:
                raise InputError(
                    f"{name} {getattr(self, name)!s} is not for answers that are sets; for these there is "
                    f"{' and '.join(str(one) for one in values)}."
                )
        if self.loss in LOSSES:
            raise unknown("loss of sets", self.loss, SET_LOSSES)

    def rule(self, labels: Labels) -> AssignmentRule | None:
        """The rule by which annotators of these labels are asked; None where that is left open."""
        if self.assignment is None:
            return None
        rule = RULES.get(self.assignment)
        if self.prices and isinstance(rule, Thompson) and rule.price is None:
            price = dict(self.prices)
            return Thompson([price.get(str(name), 1.0) for name in labels.annotators.tolist()])
        return rule


def strategies() -> list[str]:
    """Names a strategy can begin with: "recommended", and every acquisition method."""
    return list(dict.fromkeys([*_PRESETS, *METHODS.names()]))


def split_strategies(text: str) -> list[str]:
    """The texts of several strategies in one text.

    A semicolon separates them, and so does a comma; but after ``helpers=`` or ``prices=``, which are lists
    themselves, only one before a name that a strategy can begin with (see `strategies`).

    Examples
    --------
    >>> from activelab.strategies import split_strategies
    >>> split_strategies("taught+helpers=trees,logistic,activelab,random")
    ['taught+helpers=trees,logistic', 'activelab', 'random']
    """
    known, found = strategies(), list[str]()
    for stretch in text.split(";"):
        before = ""
        for word in stretch.split(","):
            part = before.rpartition("+")[2].partition("=")[0].strip()
            if part in _TEXTS and word.partition("+")[0].strip() not in known:
                before = found[-1] = f"{found[-1]},{word.strip()}"
            else:
                before = word.strip()
                found.append(before)
    return found


def register(name: str, kind: str = "acquisition") -> Callable[[Any], Any]:
    """A decorator that registers a part of one's own under a name, for this process.

    Parameters
    ----------
    name : str
    kind : {"acquisition", "consensus", "training", "batching", "assignment", "helper"}
        "acquisition": an `Acquisition` class that needs no arguments, or a function ``f(labels, pred_probs)``
        that returns one score an example, the lowest first. "consensus": a `ConsensusMethod` class, or a
        function ``f(labels, pred_probs)`` that returns a `Consensus` or the probability of each class, shape
        ``(n_examples, n_classes)``. In both ``pred_probs`` has shape ``(n_models, n_examples, n_classes)``,
        or is None if a consensus has no models to go by, and a parameter ``seed`` is optional. "assignment":
        an `AssignmentRule` class. "training" and "batching": functions, see `activelab.training.TRAINING` and
        `activelab.selection.BATCHING`. "helper": see `HELPERS`. Teams of annotators:
        `activelab.simulation.TEAMS`.

    Raises
    ------
    InputError
        If the name is taken, or the kind is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import activelab as al
    >>> @al.register("least_margin")
    ... def least_margin(labels, pred_probs):
    ...     top = np.sort(pred_probs.mean(axis=0), axis=1)
    ...     return top[:, -1] - top[:, -2]
    >>> labels = al.Labels.from_wide([[0, 1], [1, None]])
    >>> al.suggest(labels, [[0.5, 0.5], [0.1, 0.9]], batch_size=1, method="least_margin").examples.tolist()
    [0]
    """
    if kind not in REGISTRIES:
        raise unknown("kind of part", kind, list(REGISTRIES))
    decorator: Callable[[Any], Any] = REGISTRIES[kind].register(name)
    return decorator


def _helper(name: str, part: Any) -> Any:
    found = import_object(part, "helper") if isinstance(part, str) else part
    if (callable(found) and not hasattr(found, "fit")) or isinstance(found, type):
        found = found()
    if not (hasattr(found, "fit") and (hasattr(found, "predict_proba") or hasattr(found, "predict"))):
        raise InputError(
            f"a helper must have fit, and predict_proba or predict, got {name or type(found).__name__!r}."
        )
    return found


HELPERS: Registry[Any] = Registry(
    "helper",
    "activelab.helpers",
    # scikit-learn is loaded with the first helper that is used.
    {name: f"activelab.helpers:{name}" for name in _HELPERS if name != OWN},
    _helper,
    aliases=[OWN],
)
"""Helpers by name: classifiers, regressors of several targets, or functions that make one.

What helpers see are the features as numbers on one scale; a regressor is fitted on the probability of each
class, shape (n_rows, n_classes)."""

REGISTRIES: dict[str, Any] = {
    "acquisition": METHODS,
    "consensus": CONSENSUS,
    "training": TRAINING,
    "batching": BATCHING,
    "assignment": RULES,
    "helper": HELPERS,
}


def _preset(method: Any) -> _Preset:
    if isinstance(method, str):
        return _PRESETS.get(method, _Preset(method))
    for base, name in _BY_CLASS:
        if isinstance(method, base) or (isinstance(method, type) and issubclass(method, base)):
            return _PRESETS[name]
    return _Preset("")


def _parts(cls: type[Strategy]) -> list[Any]:
    return [one for one in fields(cls)[1:] if one.init]


def _value(name: str, value: str, text: str) -> Any:
    try:
        if name == "passes":
            return int(value)
        if name == "max_share":
            return float(value)
        if name == "skip_settled":
            return {"true": True, "false": False}[value.lower()]
        if name == "helpers":
            return tuple(one.strip() for one in value.split(",") if one.strip())
        if name == "prices":
            pairs = [pair.rpartition(":") for pair in value.split(",")]
            return tuple((who, float(price)) for who, _, price in pairs)
    except (ValueError, KeyError):
        raise InputError(f"{value!r} is no value of {name} in the strategy {text!r}.") from None
    return value


_TEXTS: dict[str, Callable[[Any], str]] = {
    "prices": lambda prices: ",".join(f"{name}:{price:g}" for name, price in prices),
    "helpers": lambda helpers: ",".join(str(one) for one in helpers),
}
