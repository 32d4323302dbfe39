"""Annotators who do not judge for themselves: who they are, and for how many voices they count.

Two annotators are independent if, given the class of an example, the label of one says nothing about the
label of the other. Copiers, and several models of one family, agree beyond that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from activelab._errors import InputError, first
from activelab._kernels import Block, blocks, row_sums, rows_at, share_of, summable
from activelab._typing import Bools, Float64s, Floats, Ids, Ints
from activelab._vocabulary import factorize
from activelab.consensus._channels import Channels
from activelab.labels import Labels, Totals

if TYPE_CHECKING:
    from activelab.consensus._bulk import BulkShare

_ERROR = 1e-3  # chance that independent annotators are taken for a family anywhere in a pool
_LEAST_EXCESS = 0.2  # a weaker dependence is what annotators of one crowd share anyway
_LEAST_SHARED = 10
_COPY = 0.8  # excess from which one annotator repeats another
_PRIOR_PAIRS = 5.0  # comparisons of a mean annotator that everybody is given beforehand
_CELLS = 1 << 22  # pairs of labels times classes the test looks at
_MOST_LABELS = 200  # an example with more says little about any pair, at the cost of all pairs
DECLARED = 0.5
"""Least dependence of a family that the user names: of errors of language models, what public sets show."""


@dataclass(frozen=True)
class Voices:
    """For how many voices the labels of an example count.

    Attributes
    ----------
    family : ndarray of int, shape (n_annotators,)
        Code of each annotator's family; -1 for those who judge for themselves.
    dependence : ndarray of float64 in [0, 1], shape (n_families,)
        ρ of each family: n labels of it count for n / (1 + (n − 1) ρ) voices.
    share : ndarray of float64, shape (n_labels,), or None
        What each label counts for by how sure it was, or how it was seen; 1 if None.
    bulk : ndarray of bool, shape (n_labels,), or None
        Labels that were seen in bulk, if any was.
    bulk_share : BulkShare or None
        For how much each of them counts.
    """

    family: Ints
    dependence: Float64s
    share: Float64s | None = None
    bulk: Bools | None = None
    bulk_share: BulkShare | None = None

    @classmethod
    def independent(cls, n_annotators: int) -> Voices:
        """Everybody judges for themselves."""
        return cls(np.full(n_annotators, -1), np.empty(0))

    def weight(self, block: Block) -> Float64s | None:
        """Share of a voice each label of a block counts for; None where all count fully."""
        share = None if self.share is None else block.of_labels(self.share)
        if not len(self.dependence):
            return share
        family = self.family[block.annotator]
        member = family >= 0
        key = block.row[member] * len(self.dependence) + family[member]
        size = np.bincount(key, minlength=block.size * len(self.dependence))[key]
        weight = np.ones(len(family))
        weight[member] = 1 / (1 + (size - 1) * self.dependence[family[member]])
        return weight if share is None else weight * share

    def taught(self, block: Block) -> Float64s | None:
        """1 for labels of a block that tell how annotators err, 0 for those seen in bulk; None if all do."""
        return None if self.bulk is None else (~block.of_labels(self.bulk)).astype(np.float64)

    def mean_weight(self, labels: Labels) -> Float64s:
        """Mean `weight` of each annotator's labels; 1 without labels."""
        if not len(self.dependence) and self.share is None:
            return np.ones(labels.n_annotators)
        total, given = self.weight_sums(labels), np.bincount(labels.annotator, minlength=labels.n_annotators)
        return np.divide(total, given, out=np.ones(len(given)), where=given > 0)

    def weight_sums(self, labels: Labels) -> Float64s:
        """Sum of the `weight` of each annotator's labels; exact, so that those of parts of a pool add up."""
        total = np.zeros(labels.n_annotators)
        for block in blocks(labels, at_least=1):
            weight = self.weight(block)
            each = None if weight is None else summable(weight)
            total += np.bincount(block.annotator, each, labels.n_annotators)
        return total

    def notes(self, annotators: Ids) -> tuple[str, ...]:
        """A warning for each family, with its members' names."""
        notes = [] if self.bulk_share is None else [self.bulk_share.note()]
        for code, dependence in enumerate(self.dependence.tolist()):
            members = annotators[self.family == code]
            size = len(members)
            count = size / (1 + (size - 1) * dependence)
            notes.append(
                f"{size:,} annotators agree with each other beyond what the consensus explains, and count "
                f"for {count:.1f} voices where all of them label an example: {first(members[:11])}."
            )
        return tuple(notes)


def family_codes(families: Any, labels: Labels) -> Ints | None:
    """Codes of the families the user names, from a mapping of annotators to names; None without any."""
    if not families:
        return None
    if not isinstance(families, dict):
        raise InputError("families must be a dict from annotators to the name of their family.")
    known = {annotator: code for code, annotator in enumerate(labels.annotators.tolist())}
    strangers = [annotator for annotator in families if annotator not in known]
    if strangers:
        raise InputError(
            f"families names annotators without labels in this pool: {first(strangers[:11])}; "
            "use the ids of labels.annotators."
        )
    codes = np.full(labels.n_annotators, -1)
    names = {name: code for code, name in enumerate(sorted(set(map(str, families.values()))))}
    for annotator, name in families.items():
        codes[known[annotator]] = names[str(name)]
    return codes


class Question(NamedTuple):
    """Labels, how annotators err in them, and the posterior of a block."""

    labels: Labels
    channels: Channels
    posterior: Callable[[Block], Floats]


def find_voices(questions: Sequence[Question], declared: Ints | None = None) -> Voices:
    """Families of annotators by a test of pairwise agreement given the consensus.

    Annotator b repeats label l of annotator a with probability Σ_k R_ik θ_b(l | k) if independent. Over the
    examples both labelled, let O be how often they agree, E the sum of those probabilities (of either
    direction, averaged), V their variance. The excess (O − E)/(n − E) is 0 for independent annotators and 1
    for copies. In every crowd it lies above 0, for examples are not equally hard; a pair is tested against
    the mean of all pairs, and linked where both excess and significance (Bonferroni over the pairs) are
    large. Where an example has few labels, the consensus follows copies: pairs who all but never disagree are
    linked also where that is more than each one's agreement with everybody else explains. Linked annotators
    are a family; ρ is its excess. Several questions to the same people are taken together.
    """
    n_annotators = questions[0].labels.n_annotators
    alone = Voices.independent(n_annotators)
    told = all(one.channels.log_confusion is not None for one in questions)
    pairs = _Pairs(questions) if told else None
    if pairs is None or not len(pairs.key):
        return alone if declared is None else _declared(declared, None)
    if declared is not None and (declared >= 0).any():
        return _declared(declared, pairs)
    linked = pairs.linked()
    if not linked.any():
        return alone
    from scipy.sparse import coo_array  # on first use: they take long to import
    from scipy.sparse.csgraph import connected_components

    edges = (np.ones(linked.sum()), (pairs.first[linked], pairs.second[linked]))
    graph = coo_array(edges, shape=(n_annotators, n_annotators))
    _, component = connected_components(graph, directed=False)
    family = np.where(np.bincount(component)[component] > 1, component, -1)
    kept, codes = np.unique(family[family >= 0], return_inverse=True)
    family[family >= 0] = codes
    return Voices(family, pairs.excess_within(family, len(kept)))


def _declared(family: Ints, pairs: _Pairs | None) -> Voices:
    size = int(family.max()) + 1
    excess = np.zeros(size) if pairs is None else pairs.excess_within(family, size)
    return Voices(family, np.maximum(excess, DECLARED))


def dependence_share(questions: Sequence[Totals]) -> float:
    """The share of the examples with several labels that the test of dependence looks at."""
    total = 0
    for totals in questions:
        sizes = totals.sizes[: _MOST_LABELS + 1]
        n = np.arange(len(sizes))
        total += int(sizes @ (n * (n - 1) // 2)) * len(totals.class_counts)
    return share_of(_CELLS, total)


class _Pairs:
    """Agreement of every two annotators who share examples, observed and expected."""

    def __init__(self, questions: Sequence[Question]) -> None:
        labels = questions[0].labels
        share = dependence_share([question.labels.totals for question in questions])
        nothing = (np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
        columns = [nothing]
        for asked, channels, posterior in questions:
            for block in blocks(asked, at_least=2, share=share):
                columns += _agreement(asked, channels, block, posterior(block))
        key, equal, expected = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        pair, vocabulary = factorize(key, "pair")
        self.key = vocabulary.values if len(key) else key
        self.n_classes = labels.n_classes
        self.first, self.second = np.divmod(self.key, labels.n_annotators)
        self.shared = np.bincount(pair).astype(np.float64)
        self.agreed, self.expected, self.variance = (
            np.bincount(pair, values).astype(np.float64)
            for values in (equal, expected, expected * (1 - expected))
        )

    def linked(self) -> Bools:
        """Mask of the pairs that agree beyond what consensus and crowd explain, and of copies."""
        if not len(self.key):
            return np.empty(0, dtype=bool)
        from scipy.special import ndtri  # on first use

        limit = -float(ndtri(_ERROR / len(self.key)))
        room = np.maximum(self.shared - self.expected, 1e-9)
        common = max(float((self.agreed - self.expected).sum() / room.sum()), 0.0)
        surprise = (self.agreed - self.expected - common * room) / np.sqrt(np.maximum(self.variance, 1e-9))
        dependent = (self._excess(self.expected) >= _LEAST_EXCESS) & (surprise > limit)
        by_others = self.expected_by_others
        variance = np.maximum(by_others * (1 - by_others / self.shared), 0.25)
        copies = (self._excess(by_others) >= _COPY) & ((self.agreed - by_others) / np.sqrt(variance) > limit)
        return (self.shared >= _LEAST_SHARED) & (dependent | copies)

    def _excess(self, expected: Float64s) -> Float64s:
        return np.asarray((self.agreed - expected) / np.maximum(self.shared - expected, 1e-9))

    @cached_property
    def expected_by_others(self) -> Float64s:
        """How often each pair would agree by what each of the two agrees with everybody else.

        The consensus of few labels follows copies, and makes them look right. With c the agreement above
        chance, c_ab = c_a c_b / c: a's with others, b's with others, over that of all pairs.
        """
        size = int(max(self.first.max(), self.second.max())) + 1
        shared = np.bincount(self.first, self.shared, size) + np.bincount(self.second, self.shared, size)
        agreed = np.bincount(self.first, self.agreed, size) + np.bincount(self.second, self.agreed, size)
        overall = float(self.agreed.sum() / self.shared.sum())
        chance = 1 / self.n_classes
        above = np.ones(len(self.key))
        for annotator in (self.first, self.second):
            others = (agreed[annotator] - self.agreed + _PRIOR_PAIRS * overall) / (
                shared[annotator] - self.shared + _PRIOR_PAIRS
            )
            above = above * np.maximum(others - chance, 0) / (1 - chance)
        above = np.clip(above / max((overall - chance) / (1 - chance), 0.05), 0, 1)
        return np.asarray(self.shared * (chance + (1 - chance) * above))

    def excess_within(self, family: Ints, n_families: int) -> Float64s:
        """Excess agreement inside each family, all its pairs together, by the larger of the two measures."""
        inside = (family[self.first] == family[self.second]) & (family[self.first] >= 0)
        code = family[self.first][inside]
        measures = []
        for expected in (self.expected, self.expected_by_others) if len(self.key) else ():
            above = np.bincount(code, (self.agreed - expected)[inside], n_families)
            room = np.bincount(code, (self.shared - expected)[inside], n_families)
            measures.append(above / np.maximum(room, 1e-9))
        return np.clip(np.max(measures, axis=0), 0.0, 1.0) if measures else np.zeros(n_families)


def _agreement(
    labels: Labels, channels: Channels, block: Block, posterior: Floats
) -> Iterator[tuple[Ints, Float64s, Float64s]]:
    """For every two labels of an example: the pair, whether they agree, and the probability that they do."""
    for a, b, row in _two_by_two(block):
        one, other = block.annotator[a], block.annotator[b]
        key = np.minimum(one, other) * labels.n_annotators + np.maximum(one, other)
        equal = (block.label[a] == block.label[b]).astype(np.float64)
        repeats = np.exp(channels.log_rows(other, block.label[a]))
        repeats += np.exp(channels.log_rows(one, block.label[b]))
        expected = row_sums(rows_at(posterior, row), repeats) / 2
        yield key, equal, np.clip(expected, 1e-6, 1 - 1e-6)


def _two_by_two(block: Block) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Positions of every two labels of an example, and its row, one number of labels at a time."""
    start = np.concatenate([[0], np.cumsum(block.counts)[:-1]])
    for count in np.unique(block.counts).tolist():
        if count < 2 or count > _MOST_LABELS:
            continue
        rows = np.flatnonzero(block.counts == count)
        one, other = np.triu_indices(count, 1)
        a = (start[rows][:, None] + one).reshape(-1)
        b = (start[rows][:, None] + other).reshape(-1)
        yield a, b, np.repeat(rows, len(one))
