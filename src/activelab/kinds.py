"""Kinds of question: what an answer is, how people err, what mistakes cost, and how agreement is measured.

What differs between kinds stands here and nowhere else; commands look it up by the kind's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from activelab._errors import InputError, unknown
from activelab._kernels import blocks
from activelab._ordered import order_notes, positions
from activelab._registry import Registry, instance_of
from activelab._typing import Bools, Float64s, Ints, Models
from activelab.agreement import Agreement, agreement_statistics
from activelab.consensus import AUTO, CONSENSUS, Ordinal, bayesian_estimate
from activelab.consensus.parts import loss_table, scale_positions
from activelab.labels import Labels
from activelab.multilabel import SEPARATOR, SET_LOSSES, LabelSets, Multilabel, as_sets, set_agreement
from activelab.multilabel.parts import choose, mean_rates, multilabel_estimate, pool_posterior, thresholds
from activelab.stopping import DEPTH, Outlook, best_rate, loss_gains, outlook

__all__ = ["KINDS", "MULTILABEL", "ORDINAL", "SINGLE", "Kind"]


def _posterior(labels: Labels, models: Models, where: Float64s | None = None) -> Float64s:
    """Probability of each class of every example, labelled or not."""
    estimate = bayesian_estimate(labels, models, where=where)
    found = np.empty((labels.n_examples, labels.n_classes))
    for block in blocks(labels):
        found[block.index] = estimate.posterior(block, models)
    return found


def _most_probable(posterior: Float64s, labels: Labels, loss: str) -> Ints:
    found: Ints = posterior.argmax(axis=1)
    return found


def _least_loss(posterior: Float64s, labels: Labels, loss: str) -> Ints:
    found: Ints = (posterior @ loss_table(loss, positions(labels))).argmin(axis=1)
    return found


def _posterior_of_sets(labels: LabelSets | Labels, models: Models) -> Float64s:
    sets = as_sets(labels)
    return pool_posterior(multilabel_estimate(sets, models), sets, models)


def _outlook_of_sets(labels: LabelSets | Labels, models: Models, loss: str) -> Outlook:
    """Whole answers by somebody like the mean of the annotators."""
    sets = as_sets(labels)
    estimate = multilabel_estimate(sets, models)
    posterior = pool_posterior(estimate, sets, models)
    now, right = 0.0, list[float]()
    gain = np.zeros((sets.n_examples, DEPTH))
    for code, (yes, no) in enumerate(mean_rates(estimate, sets).T.tolist()):
        p = posterior[:, code]
        channel = np.array([[no, 1 - yes], [1 - no, yes]])
        costs, more = loss_gains(np.stack([1 - p, p], axis=1), channel, 1 - np.eye(2))
        now, gain = now + float(costs.sum()), gain + more
        right.append(float(yes * p.mean() + no * (1 - p.mean())))
    return Outlook(now, *best_rate(gain), _mean(right))


def _accuracy(truth: Ints, found: Ints, labels: Labels) -> dict[str, float]:
    return {"accuracy": _mean(truth == found)}


def _closeness(truth: Ints, found: Ints, labels: Labels) -> dict[str, float]:
    """Mean distance, and kappa with quadratic weights, 1 − Σ (t − f)² / Σ of all pairs of the two."""
    where = positions(labels)
    right, said = where[truth], where[found]
    if not len(right):
        return {"error": float("nan"), "kappa": float("nan")}
    by_chance = right.var() + said.var() + (right.mean() - said.mean()) ** 2
    kappa = 1 - float(np.mean((right - said) ** 2)) / by_chance if by_chance > 0 else float("nan")
    return {"error": float(np.abs(right - said).mean()), "kappa": float(kappa)}


def _match(truth: Bools, found: Bools, labels: LabelSets) -> dict[str, float]:
    """Share of the single answers that are wrong, and the mean F1 of the classes that apply somewhere."""
    both, either = (truth & found).sum(axis=0), truth.sum(axis=0) + found.sum(axis=0)
    some = truth.any(axis=0)
    return {"hamming": _mean(truth != found), "f1": _mean(2 * both[some] / either[some])}


def _mean(values: Any) -> float:
    return float(np.mean(values)) if np.size(values) else float("nan")


@dataclass(frozen=True)
class Kind:
    """How answers to one kind of question are treated.

    Answers are the classes of `Labels`, where they are sets as texts such as "a|b"; or `LabelSets`.

    Attributes
    ----------
    name : str
    check : callable
        ``check(labels)`` raises `InputError` where the classes are no answers of this kind, and returns notes
        on what has been assumed of them.
    losses : tuple of str
        What a wrong answer can cost, the default first; ``"zero_one"`` counts any mistake as one.
    consensus : callable
        ``consensus(loss)`` is the `ConsensusMethod` (of sets: `Multilabel`) with the channel by which
        annotators are taken to err, and with the loss that decides.
    strategy : str
        Name of the strategy that asks where this loss is expected to be large, given predictions.
    agreement : callable
        ``agreement(labels, n_bootstrap=, confidence=, seed=)`` is a list of `Agreement`.
    taught : str, optional
        Name of the strategy where classifiers are trained on features, if it is another one.
    decides : str, optional
        Name of the consensus classifiers are trained on, whatever the method goes with by default.
    posterior : callable
        ``posterior(labels, models)`` is the probability of each class of every example, labelled or not,
        shape (n_examples, n_classes).
    decide : callable
        ``decide(posterior, labels, loss)`` are the answers that are expected to cost least: class codes, or
        booleans of the shape of ``posterior``; ``labels`` says which classes there are.
    scores : callable
        ``scores(truth, found, labels)`` measures such answers against the truth, by name.
    headline : str
        The score of which more is better.
    outlook : callable or None
        ``outlook(labels, models, loss)`` is what more labels are expected to buy (see `forecast`); None where
        that cannot be told.
    """

    name: str
    check: Callable[[Any], tuple[str, ...]]
    losses: tuple[str, ...]
    consensus: Callable[[str], Any]
    strategy: str
    agreement: Callable[..., list[Agreement]]
    taught: str = ""
    decides: str = ""
    posterior: Callable[[Any, Models], Float64s] = _posterior
    decide: Callable[[Float64s, Any, str], Any] = _most_probable
    scores: Callable[[Any, Any, Any], dict[str, float]] = _accuracy
    headline: str = "accuracy"
    outlook: Callable[[Any, Models, str], Outlook] | None = lambda labels, models, loss: outlook(
        labels, models
    )

    @property
    def with_features(self) -> str:
        """Name of the strategy where classifiers are trained on features."""
        return self.taught or self.strategy

    def method(self, loss: str | None = None) -> Any:
        """The consensus of this kind, by default with its first loss.

        Raises
        ------
        InputError
            If the kind has no such loss.

        Examples
        --------
        >>> import activelab as al
        >>> from activelab.kinds import KINDS
        >>> stars = al.Labels.from_wide([[4, 5, 3], [1, 1, 5], [2, 4, 2]], classes=[1, 2, 3, 4, 5])
        >>> KINDS.get("ordinal").method().estimate(stars, ()).label_ids.tolist()
        [4, 1, 2]
        """
        return self.consensus(self.loss(loss))

    def loss(self, name: str | None = None) -> str:
        """A loss by name, by default the first.

        Raises
        ------
        InputError
            If the kind has no such loss.
        """
        if name and name not in self.losses:
            raise unknown(f"loss of {self.name} answers", name, self.losses)
        return name or self.losses[0]


def _offers_scale(labels: Labels) -> tuple[str, ...]:
    """A note where classes look like points of a scale: 1 to K, or as far below zero as above."""
    size, names = labels.n_classes, {str(name) for name in labels.classes.tolist()}
    for lowest in (1, -(size // 2)) if size % 2 else (1,):
        if 3 <= size <= 11 and names == {str(lowest + step) for step in range(size)}:
            return (
                f"the classes are the numbers {lowest} to {lowest + size - 1}: if they are points of a "
                "scale, --kind ordinal counts near misses for less.",
            )
    return ()


def _offers_sets(labels: Labels) -> tuple[str, ...]:
    """A note where classes look like sets: most of those joined by a bar are classes by themselves, too."""
    names = {str(name) for name in labels.classes.tolist()}
    parts = {part for name in names if SEPARATOR in name for part in name.split(SEPARATOR)}
    if not parts or len(parts & names) * 2 < len(parts):
        return ()
    joined = next(name for name in sorted(names) if SEPARATOR in name)
    return (
        f"labels such as {joined!r} look like several classes at once: if they are, --kind multilabel takes "
        "them apart.",
    )


def _check_sets(labels: Labels | LabelSets) -> tuple[str, ...]:
    as_sets(labels)
    return ()


def _check_scale(labels: Labels) -> tuple[str, ...]:
    if labels.n_classes < 2:
        raise InputError(
            f"a scale needs at least two points, got {labels.n_classes}.",
            advice="scale",
        )
    scale_positions(labels)
    return order_notes(labels.classes)


SINGLE = Kind(
    "single",
    lambda labels: (*_offers_scale(labels), *_offers_sets(labels)),
    ("zero_one",),
    lambda loss: CONSENSUS.get(AUTO),
    "activelab",
    agreement_statistics,
    "recommended",
)
"""One of several classes, in no order."""

ORDINAL = Kind(
    "ordinal",
    _check_scale,
    ("absolute", "quadratic", "zero_one"),
    lambda loss: Ordinal(loss),  # type: ignore[arg-type]
    "expected_loss",
    partial(agreement_statistics, scale=True),
    decides="ordinal",
    posterior=lambda labels, models: _posterior(labels, models, scale_positions(labels)),
    decide=_least_loss,
    scores=_closeness,
    headline="kappa",
    outlook=None,  # of noisy raters it promises several times what labels turn out to buy
)
"""One point of a scale: near misses cost less than far ones."""

MULTILABEL = Kind(
    "multilabel",
    _check_sets,
    SET_LOSSES,
    lambda loss: Multilabel(loss),  # type: ignore[arg-type]
    "expected_loss",
    lambda labels, **options: set_agreement(as_sets(labels), **options),
    posterior=_posterior_of_sets,
    decide=lambda posterior, labels, loss: choose(posterior, thresholds(posterior, loss)),
    scores=_match,
    headline="f1",
    outlook=_outlook_of_sets,
)
"""Several classes at once, or none: a set."""

KINDS: Registry[Kind] = Registry(
    "kind",
    "activelab.kinds",
    {kind.name: kind for kind in (SINGLE, ORDINAL, MULTILABEL)},
    instance_of(Kind, "kind"),
)
"""Kinds by name: "single", "ordinal" and "multilabel", those registered, and those of installed packages."""
