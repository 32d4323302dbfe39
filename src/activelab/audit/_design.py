"""Which examples to check: a sample stratified by stated quality, with known probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelab._errors import InputError
from activelab._kernels import tie_break
from activelab._typing import Bools, Float64s, Ints
from activelab.consensus import Consensus

_MOST_STRATA = 5
_CHECKS_A_STRATUM = 8  # fewer, and their spread cannot be told
_LEAST_SPREAD = 0.2  # of a stratum that is stated to be all right: 96 in 100; stated qualities err


@dataclass(frozen=True, eq=False)
class Audit:
    """A sample to check.

    Attributes
    ----------
    label : ndarray of int, shape (n_examples,)
        Codes of the labels that are audited, -1 for examples without one.
    quality : ndarray of float64, shape (n_examples,)
        Stated probability that each is right.
    stratum : ndarray of int, shape (n_examples,)
        Stratum of each example, 0 holding the lowest qualities; -1 for examples that are not audited:
        without a label, or settled by a known answer.
    examples : ndarray of int
        Positions of the examples to check, in an order in which every beginning is spread over the strata.
    known_right : ndarray of bool
        For each example settled by a known answer, whether the label agreed with it.
    n_classes : int
    """

    label: Ints
    quality: Float64s
    stratum: Ints
    examples: Ints
    known_right: Bools
    n_classes: int

    @property
    def size(self) -> Ints:
        """Number of examples of each stratum."""
        audited = self.stratum[self.stratum >= 0]
        return np.bincount(audited, minlength=int(audited.max(initial=-1)) + 1)

    @property
    def inclusion(self) -> Float64s:
        """Probability of each sampled example to be in the sample."""
        taken = np.bincount(self.stratum[self.examples], minlength=len(self.size))
        return np.asarray((taken / np.maximum(self.size, 1))[self.stratum[self.examples]])


def draw_audit(consensus: Consensus, number: int = 100, *, known: Ints | None = None, seed: int = 0) -> Audit:
    """Draw the examples whose consensus labels a trusted person should check.

    Strata are cut where the cumulative spread √(q (1 − q)) of the stated qualities q passes equal shares
    (Dalenius & Hodges 1959), and get equal numbers of checks, which is Neyman's allocation: most checks go
    where labels are most in doubt, and every label has a known chance above 0. The spread counts as 0.2 at
    least, so that labels whose quality is overstated are checked as well.

    Parameters
    ----------
    consensus : Consensus
        With qualities; those of `bayesian_consensus` tell most.
    number : int
        Checks; fewer if there are fewer examples.
    known : ndarray of int, shape (n_examples,), optional
        Codes of known answers, -1 elsewhere. Examples with one need no check and count as they are.
    seed : int

    Returns
    -------
    Audit

    Raises
    ------
    InputError
        If the number is below 2, there is nothing to audit, or ``known`` does not match.

    Examples
    --------
    >>> import activelab as al
    >>> from activelab.audit import draw_audit
    >>> labels = al.Labels.from_wide([[0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 0]] * 25)
    >>> draw_audit(al.bayesian_consensus(labels), 20).examples.shape
    (20,)
    """
    labels, label = consensus.labels, consensus.label
    settled = np.zeros(len(label), dtype=bool)
    if known is not None:
        _check_known(known, labels.n_examples)
        settled = (label >= 0) & (known >= 0)
    return draw_from(
        label,
        consensus.quality,
        number,
        keys=labels.tie_keys(np.arange(len(label))),
        settled=settled,
        known_right=np.zeros(0, dtype=bool) if known is None else label[settled] == known[settled],
        n_classes=labels.n_classes,
        seed=seed,
    )


def draw_from(
    label: Ints,
    quality: Float64s,
    number: int,
    *,
    keys: Ints,
    settled: Bools,
    known_right: Bools,
    n_classes: int,
    seed: int,
) -> Audit:
    """`draw_audit` of labels from anywhere.

    Parameters
    ----------
    label, quality : ndarray, shape (n_examples,)
        As in `Audit`.
    number : int
    keys : ndarray of int64, shape (n_examples,)
        What the draw rests on besides the seed, one number an example.
    settled : ndarray of bool, shape (n_examples,)
        Examples that need no check.
    known_right : ndarray of bool
        As in `Audit`.
    n_classes, seed : int
    """
    if number < 2:
        raise InputError(f"an audit needs at least 2 checks, got {number}.")
    positions = np.flatnonzero((label >= 0) & ~settled)
    if not len(positions):
        raise InputError("there is no label to audit: every one is known, or there is none.")
    draw = tie_break(seed, keys[positions])
    number = min(number, len(positions))
    order, of_rank = _strata(quality[positions], draw, number)
    stratum = np.full(len(label), -1)
    stratum[positions[order]] = of_rank
    sizes = np.bincount(of_rank)
    taken = _allocated(number, sizes)
    within = np.lexsort((draw[order], of_rank))
    rank = np.arange(len(within)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = within[rank < np.repeat(taken, sizes)]
    place = np.arange(len(chosen)) - np.repeat(np.cumsum(taken) - taken, taken)
    turn = (place + 0.5) / np.repeat(taken, taken)
    examples = positions[order[chosen]][np.argsort(turn, kind="stable")]
    return Audit(label, quality, stratum, examples, known_right, n_classes)


def audit_of_known(consensus: Consensus, known: Ints) -> Audit:
    """An audit whose checks are made already, by known answers that the consensus was not told.

    They stand for the labels of their stratum if they were chosen without regard to what annotators said.

    Parameters
    ----------
    consensus : Consensus
        Estimated without the known answers.
    known : ndarray of int, shape (n_examples,)
        Codes of known answers, -1 elsewhere.

    Returns
    -------
    Audit
        Its examples are those with both, in their order.

    Raises
    ------
    InputError
        If there are none, or ``known`` does not match.
    """
    labels, label = consensus.labels, consensus.label
    _check_known(known, labels.n_examples)
    positions, examples = np.flatnonzero(label >= 0), np.flatnonzero((label >= 0) & (known >= 0))
    if not len(examples):
        raise InputError("no example has both a consensus label and a known answer.")
    draw = tie_break(0, labels.tie_keys(positions))
    order, of_rank = _strata(consensus.quality[positions], draw, len(examples))
    stratum = np.full(labels.n_examples, -1)
    stratum[positions[order]] = of_rank
    return Audit(label, consensus.quality, stratum, examples, np.zeros(0, dtype=bool), labels.n_classes)


def _check_known(known: Ints, size: int) -> None:
    if known.shape != (size,):
        raise InputError(f"known must hold one code for each of the {size:,} examples.")


def _strata(quality: Float64s, draw: Float64s, number: int) -> tuple[Ints, Ints]:
    """The order of qualities, ties by draw, and the stratum of each rank."""
    order = np.lexsort((draw, quality))
    spread = np.maximum(np.sqrt(quality * (1 - quality)), _LEAST_SPREAD)[order]
    n_strata = max(min(_MOST_STRATA, number // _CHECKS_A_STRATUM), 1)
    share = (np.cumsum(spread) - spread / 2) / spread.sum()
    of_rank = np.minimum((share * n_strata).astype(np.int64), n_strata - 1)
    # A stratum may be empty where few examples hold all the doubt.
    return order, np.unique(of_rank, return_inverse=True)[1]


def _allocated(number: int, sizes: Ints) -> Ints:
    """Equal numbers of checks, none more than its stratum holds, in all ``number``."""
    taken = np.zeros(len(sizes), dtype=np.int64)
    while (left := number - int(taken.sum())) > 0:
        room = np.flatnonzero(taken < sizes)
        share = np.full(len(room), left // len(room))
        share[: left % len(room)] += 1
        taken[room] = np.minimum(taken[room] + share, sizes[room])
    return taken
