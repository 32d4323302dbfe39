"""Kinds of question: what an answer is, how people err, what mistakes cost, and how agreement is measured.

What differs between kinds stands here and nowhere else; commands look it up by the kind's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from activelab._errors import InputError, unknown
from activelab._ordered import order_notes
from activelab._registry import Registry, instance_of
from activelab.agreement import Agreement, agreement_statistics
from activelab.consensus import AUTO, CONSENSUS, ConsensusMethod, Ordinal
from activelab.consensus.parts import scale_positions
from activelab.labels import Labels

__all__ = ["KINDS", "ORDINAL", "SINGLE", "Kind"]


@dataclass(frozen=True)
class Kind:
    """How answers to one kind of question are treated. Answers are the classes of `Labels`.

    Attributes
    ----------
    name : str
    check : callable
        ``check(labels)`` raises `InputError` where the classes are no answers of this kind, and returns notes
        on what has been assumed of them.
    losses : tuple of str
        What a wrong answer can cost, the default first; ``"zero_one"`` counts any mistake as one.
    consensus : callable
        ``consensus(loss)`` is the `ConsensusMethod` with the channel by which annotators are taken to err,
        and with the loss that decides.
    strategy : str
        Name of the strategy that asks where this loss is expected to be large, given predictions.
    taught : str
        Name of the one that trains classifiers on features.
    agreement : callable
        ``agreement(labels, n_bootstrap=, confidence=, seed=)`` is a list of `Agreement`.
    """

    name: str
    check: Callable[[Labels], tuple[str, ...]]
    losses: tuple[str, ...]
    consensus: Callable[[str], ConsensusMethod]
    strategy: str
    taught: str
    agreement: Callable[..., list[Agreement]]

    def method(self, loss: str | None = None) -> ConsensusMethod:
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
        if loss is not None and loss not in self.losses:
            raise unknown(f"loss of {self.name} answers", loss, self.losses)
        return self.consensus(loss or self.losses[0])


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


def _check_scale(labels: Labels) -> tuple[str, ...]:
    if labels.n_classes < 2:
        raise InputError(
            f"a scale needs at least two points, got {labels.n_classes}.",
            advice="scale",
        )
    scale_positions(labels)
    return order_notes(labels)


SINGLE = Kind(
    "single",
    _offers_scale,
    ("zero_one",),
    lambda loss: CONSENSUS.get(AUTO),
    "activelab",
    "recommended",
    agreement_statistics,
)
"""One of several classes, in no order."""

ORDINAL = Kind(
    "ordinal",
    _check_scale,
    ("absolute", "quadratic", "zero_one"),
    lambda loss: Ordinal(loss),  # type: ignore[arg-type]
    "expected_loss",
    "expected_loss",
    partial(agreement_statistics, scale=True),
)
"""One point of a scale: near misses cost less than far ones."""

KINDS: Registry[Kind] = Registry(
    "kind",
    "activelab.kinds",
    {kind.name: kind for kind in (SINGLE, ORDINAL)},
    instance_of(Kind, "kind"),
)
"""Kinds by name: "single" and "ordinal", those registered, and those of installed packages."""
