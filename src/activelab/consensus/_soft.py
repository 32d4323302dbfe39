"""Soft labels: how the answers of a population are distributed, not what is most probably right (§22)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from activelab import _html
from activelab._errors import InputError, first
from activelab._frames import Backend, make_frame
from activelab._kernels import Block, blocks, from_memory, share_of
from activelab._typing import Float64s, Floats, Ids, Ints, Models
from activelab._vocabulary import factorize
from activelab.consensus._bayesian import BayesianEstimate, bayesian_estimate, told
from activelab.consensus._channels import LEAST
from activelab.consensus._held_out import discounted, held_out
from activelab.labels import Labels
from activelab.pred_probs import joined

_HELD_OUT = 10_000  # examples whose labels are held out
_CELLS = 1 << 20  # of confusion matrices at a time
_EXPONENTS = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0)
_STRENGTHS = (0.0, 0.1, 0.2, 0.35, 0.5)
_CONCENTRATIONS = np.geomspace(0.1, 200.0, 15)
_EXPECTED = 2.0  # concentration expected beforehand, within a factor of e
_USUAL = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_OTHERS = (0.0, 0.2, 0.4, 0.7, 1.0)
_NEITHER = -1  # annotators of no group


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """How the answers of the people who label, and of people like them, would be distributed.

    Attributes
    ----------
    labels : Labels
    distribution : ndarray of float64, shape (n_examples, n_classes)
        Share of each answer in the population; rows sum to 1. Of examples without labels it follows from
        predictions, or is what is usual in the pool.
    groups : ndarray, shape (n_groups,)
        Names of the groups; empty without any.
    by_group : ndarray of float64, shape (n_groups, n_examples, n_classes)
        The same of each group.
    concentration : float
        How many answers the expected distribution counts for against the answers given.
    """

    labels: Labels
    distribution: Float64s
    groups: Ids
    by_group: Float64s
    concentration: float

    def __repr__(self) -> str:
        size, classes = self.distribution.shape
        groups = f", {len(self.groups)} groups" if len(self.groups) else ""
        return f"SoftLabels({size:,} examples, {classes:,} classes{groups})"

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return _html.page("Soft labels", _html.table(self.to_dict()))

    def to_dict(self) -> dict[str, Ids]:
        """A column example, with groups a column group, and one for each class; a row an example or more.

        With groups the rows of everybody together have None for the group.
        """
        size = len(self.distribution)
        names = [str(name) for name in self.labels.classes.tolist()]
        taken = [name for name in ("example", "group") if name in names]
        if taken:
            raise InputError(f"a class is called {taken[0]!r}, as a column of soft labels is.")
        columns: dict[str, Ids] = {"example": self.labels.examples}
        values = self.distribution
        if len(self.groups):
            number = len(self.groups) + 1
            columns["example"] = np.tile(self.labels.examples, number)
            group = np.repeat(np.array([None, *self.groups.tolist()], dtype=object), size)
            columns["group"] = group
            values = np.concatenate([values, *self.by_group])
        return columns | {name: values[:, at] for at, name in enumerate(names)}

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """A dataframe of `to_dict`; ``backend`` is "pandas", "polars" or "pyarrow"."""
        return make_frame(self.to_dict(), backend)


def soft_labels(
    labels: Labels,
    pred_probs: Any = None,
    *,
    groups: Mapping[Any, Any] | None = None,
    known: Any = None,
    families: dict[Any, str] | None = None,
    abstentions: Labels | None = None,
    confidence: Any = None,
) -> SoftLabels:
    """The distribution of the answers a population would give to each example, also by group of annotators.

    Where people disagree with good reason, the share of each answer is what a model should learn and be
    scored by (soft labels, human label distributions), not the posterior of one truth, which grows sure with
    the number of labels. The answers given are smoothed towards what `bayesian_consensus` expects people to
    say of an example, Σ_k P(k) P(answer | k), and towards what is usual in the pool. How much, is learnt from
    labels held out one at a time. The fewer labels an example has, the more it helps.

    Parameters
    ----------
    labels : Labels
    pred_probs : array-like or dataframe, optional
        Out-of-sample probabilities, as for `bayesian_consensus`.
    groups : mapping, optional
        Group of each annotator; those of none are left out or None. What other groups say counts for a group
        as far as held-out labels show that it should.
    known, families, abstentions, confidence
        As for `bayesian_consensus`.

    Returns
    -------
    SoftLabels

    Raises
    ------
    InputError
        As `bayesian_consensus`; or if groups name annotators that are not in the pool.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0, 1], [1, 1, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0], [1, 1, 1]])
    >>> soft = al.soft_labels(labels)
    >>> soft.distribution.shape
    (6, 2)
    >>> bool(soft.distribution[3, 0] > soft.distribution[0, 0] > soft.distribution[4, 0])
    True
    """
    models: Models = ()
    if pred_probs is not None:
        labels, models = joined(labels, pred_probs)
    models = told(
        labels, models, known=known, families=families, abstentions=abstentions, confidence=confidence
    )
    estimate = replace(bayesian_estimate(labels, models), known=None)
    everybody = np.zeros(labels.n_annotators, dtype=np.int64)
    population, concentration = _distributions(labels, models, estimate, everybody, 1)
    if not groups:
        empty = np.empty((0, *population[0].shape))
        return SoftLabels(labels, population[0], np.empty(0, dtype=object), empty, concentration)
    code, names = _group_codes(groups, labels)
    by_group, _ = _distributions(labels, models, estimate, code, len(names))
    return SoftLabels(labels, population[0], names, by_group, concentration)


def _group_codes(groups: Mapping[Any, Any], labels: Labels) -> tuple[Ints, Ids]:
    """Code of each annotator's group, -1 for those of none, and the names."""
    if not isinstance(groups, Mapping):
        raise InputError("groups must be a mapping from annotators to the name of their group.")
    at = {annotator: code for code, annotator in enumerate(labels.annotators.tolist())}
    strangers = [annotator for annotator in groups if annotator not in at]
    if strangers:
        raise InputError(
            f"groups names annotators without labels in this pool: {first(strangers[:11])}; use the ids of "
            "labels.annotators."
        )
    member = {annotator: name for annotator, name in groups.items() if name is not None}
    if not member:
        raise InputError("groups names no group.")
    codes, vocabulary = factorize(list(member.values()), "group")
    found = np.full(labels.n_annotators, _NEITHER)
    found[[at[annotator] for annotator in member]] = codes
    return found, vocabulary.values


class _Smoothing(NamedTuple):
    """What is learnt from held-out labels.

    Attributes
    ----------
    exponent : float
        S in what the posterior makes of m voices, as in `discounted`.
    strength : float
        How much flatter answers are where people cannot tell.
    concentration : float
        Answers that the expected distribution counts for.
    usual : float
        Share of what is usual in the pool in it; the rest is by the consensus.
    others : float
        What an answer of another group counts for.
    """

    exponent: float = 0.3
    strength: float = 0.0
    concentration: float = 1.0
    usual: float = 0.6
    others: float = 0.0


def _distributions(
    labels: Labels, models: Models, estimate: BayesianEstimate, group: Ints, n_groups: int
) -> tuple[Float64s, float]:
    """The distribution of each group on each example, and the concentration."""
    confusion = _confusions(labels, estimate, group, n_groups)
    usual = _usual(labels, group, n_groups)
    best = _learnt(labels, models, estimate, group, confusion, usual)
    found = np.empty((n_groups, labels.n_examples, labels.n_classes))
    for block in blocks(labels):
        support, voices = estimate.support(block, models)
        expected = _expected(estimate, block, support, voices, best)
        votes = _votes(block, group, n_groups)
        every = block.votes()
        for code in range(n_groups):
            counts = votes[code] + best.others * (every - votes[code])
            towards = (1 - best.usual) * confusion.answers(code, expected) + best.usual * usual[code]
            smoothed = counts + best.concentration * towards
            found[code, block.index] = smoothed / smoothed.sum(axis=1, keepdims=True)
    return found, best.concentration


def _votes(block: Block, group: Ints, n_groups: int) -> Ints:
    """Labels of each class by each group, shape (n_groups, size, n_classes)."""
    code = group[block.annotator]
    member = code >= 0
    n_cells = block.size * block.labels.n_classes
    cell = code[member] * n_cells + block.cell[member]
    votes = np.bincount(cell, minlength=n_groups * n_cells).reshape(n_groups, -1)
    return np.stack([from_memory(one, block.labels.n_classes) for one in votes])


def _expected(
    estimate: BayesianEstimate, block: Block, support: Floats, voices: Float64s, by: _Smoothing
) -> Floats:
    """The posterior by which people are expected to answer."""
    scale = None
    if estimate.abstaining is not None and by.strength:
        scale = -by.strength * estimate.abstaining.log_hardness(block.index)
    return discounted(support, voices, by.exponent, estimate.base, scale)


def _usual(labels: Labels, group: Ints, n_groups: int) -> Float64s:
    """Shares of the answers of each group, shape (n_groups, n_classes)."""
    code, size = group[labels.annotator], labels.n_classes
    cell = (code * size + labels.label)[code >= 0]
    counts = np.bincount(cell, minlength=n_groups * size).reshape(n_groups, size) + 1.0
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


class _Confusions(NamedTuple):
    """P(answer | class) of each group.

    Attributes
    ----------
    right : ndarray of float64, shape (n_groups,)
        How often answers are right, where accuracies are all that is known: errors are even. Else empty.
    table : ndarray of float64, shape (n_groups, n_classes, n_classes), or None
        Group, answer, class; None there.
    n_classes : int
    """

    right: Float64s
    table: Float64s | None
    n_classes: int

    @property
    def wrong(self) -> Float64s:
        """How often each wrong answer is given."""
        return np.asarray((1 - self.right) / max(self.n_classes - 1, 1))

    def answers(self, group: int, posterior: Floats) -> Float64s:
        """The answers of a group to be expected of each example."""
        if self.table is not None:
            return np.asarray(posterior @ self.table[group].T)
        return np.asarray(self.wrong[group] + (self.right - self.wrong)[group] * posterior)

    def rows(self, group: Ints, answer: Ints) -> Float64s:
        """The probability of each answer given each class."""
        if self.table is not None:
            return np.asarray(self.table[group, answer])
        rows = np.repeat(self.wrong[group][:, None], self.n_classes, axis=1)
        rows[np.arange(len(answer)), answer] = self.right[group]
        return rows


def _confusions(labels: Labels, estimate: BayesianEstimate, group: Ints, n_groups: int) -> _Confusions:
    """P(answer | class) of each group, its members in proportion to their labels."""
    size = labels.n_classes
    number = np.bincount(labels.annotator, minlength=labels.n_annotators).astype(np.float64)
    member = np.stack([group == code for code in range(n_groups)])
    weight = np.where(member, number, 0.0)
    # A group without labels answers as everybody does.
    nobody = ~weight.any(axis=1)
    weight[nobody] = number + 1e-9
    channels = estimate.channels
    if channels.log_confusion is None:
        right = weight @ channels.ability.mean / weight.sum(axis=1)
        return _Confusions(right if size > 1 else np.ones(n_groups), None, size)
    table = np.zeros((n_groups, size, size))
    step = max(_CELLS // size**2, 1)
    for low in range(0, labels.n_annotators, step):
        some = np.arange(low, min(low + step, labels.n_annotators))
        table += np.einsum("gj,jlk->glk", weight[:, some], channels.confusion(some))
    return _Confusions(np.empty(0), table / table.sum(axis=1, keepdims=True), size)


class _Held(NamedTuple):
    """Held-out labels, of members of groups.

    Attributes
    ----------
    support, voices : ndarray
        As in `activelab.consensus._held_out.Held`.
    channel : ndarray, shape (n_labels, n_classes)
        Probability of the label given each class in the group of its annotator.
    usual : ndarray, shape (n_labels,)
        Share of such labels in the group.
    same, others : ndarray
        How many others of the group, and of other groups, gave the same label.
    number, number_others : ndarray
        How many others of the group, and of other groups, labelled the example.
    log_hardness : ndarray
    """

    support: Float64s
    voices: Float64s
    channel: Float64s
    usual: Float64s
    same: Float64s
    others: Float64s
    number: Float64s
    number_others: Float64s
    log_hardness: Float64s


def _learnt(
    labels: Labels,
    models: Models,
    estimate: BayesianEstimate,
    group: Ints,
    confusion: _Confusions,
    usual: Float64s,
) -> _Smoothing:
    """The smoothing that makes held-out labels likeliest."""
    held = _held(labels, models, estimate, group, confusion, usual)
    if held is None:
        return _Smoothing()
    best, found = -np.inf, _Smoothing()
    several = len(usual) > 1 or bool((group < 0).any())
    for strength, exponent in product(_STRENGTHS if estimate.abstaining else (0.0,), _EXPONENTS):
        scale = -strength * held.log_hardness if strength else None
        posterior = discounted(held.support, held.voices, exponent, estimate.base, scale)
        by_consensus = np.einsum("ij,ij->i", posterior, held.channel)
        for usual_share, others in product(_USUAL, _OTHERS if several else (0.0,)):
            towards = (1 - usual_share) * by_consensus + usual_share * held.usual
            given = held.same + others * held.others
            number = held.number + others * held.number_others
            for concentration in _CONCENTRATIONS.tolist():
                share = (given + concentration * towards) / (number + concentration)
                score = float(np.log(np.maximum(share, LEAST**2)).sum())
                score -= np.log(concentration / _EXPECTED) ** 2 / 2
                if score > best:
                    best, found = score, _Smoothing(exponent, strength, concentration, usual_share, others)
    return found


def _held(
    labels: Labels,
    models: Models,
    estimate: BayesianEstimate,
    group: Ints,
    confusion: _Confusions,
    usual: Float64s,
) -> _Held | None:
    """Labels of members of groups, held out one at a time, of some of the examples; None without any.

    A single label can be held out where models say what to expect.
    """
    found = []
    least = 1 if models else 2
    share = share_of(_HELD_OUT, labels.totals.n_with(least))
    for block in blocks(labels, at_least=least, share=share):
        confident, _ = estimate.confident_and_calibrated(block, models)
        log_prior = estimate.log_prior(block, models)
        out = held_out(block, estimate.channels, estimate.voices, log_prior, confident, estimate.prior.voices)
        code = group[block.annotator]
        member = code >= 0
        votes, every = _votes(block, group, len(usual)), block.votes()
        row, label, mine = block.row[member], block.label[member], code[member]
        same = votes[mine, row, label] - 1
        number = votes.sum(axis=2)[mine, row] - 1
        hardness = np.zeros(block.size)
        if estimate.abstaining is not None:
            hardness = estimate.abstaining.log_hardness(block.index)
        found.append(
            _Held(
                support=out.support[member],
                voices=out.voices[member],
                channel=confusion.rows(mine, label),
                usual=usual[mine, label],
                same=same.astype(np.float64),
                others=(every[row, label] - 1 - same).astype(np.float64),
                number=number.astype(np.float64),
                number_others=(block.counts[row] - 1 - number).astype(np.float64),
                log_hardness=hardness[row],
            )
        )
    if not sum(len(one.same) for one in found):
        return None
    return _Held(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
