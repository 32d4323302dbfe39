"""Calibration on held-out labels: how far the posterior can be believed, from labels it has not seen.

Annotators who err independently would make evidence grow with every label. Real ones find the same
examples hard and make the same mistakes, so that m voices are worth m^(1 − S) of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from activelab._kernels import Block, normalised, row_sums
from activelab._typing import Float64s, Floats, Ints
from activelab.consensus._channels import LEAST, Channels
from activelab.consensus._dependence import Voices

SHARED = 1.5
"""S over what held-out labels show: mistakes that all make leave no disagreement behind (docs/honesty.md)."""

_SHARED_AT_MOST = 1.9
"""The most that S was over what held-out labels show, in any of those crowds."""

EXPECTED, _SPREAD = 0.4, 0.1  # what held-out labels show in crowds: mean and deviation of the prior
MOST = 0.75
_BY_KNOWN = 0.25  # deviation of S around what labels alone say, where right answers are known
_GRID = np.linspace(0.0, 1.2, 25)
_STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_SIGNIFICANT = 1.92  # nats, at the level of 0.05


@dataclass
class HeldOut:
    """Labels, and what the other labels of their examples say, gathered block by block.

    Each label is held out in turn: the log-support of the classes by the models and the labels of other
    voices, with channels from which the example is taken out, predicts it.
    """

    channels: Channels
    voices: Voices

    def __post_init__(self) -> None:
        self._support: list[Float64s] = []
        self._channel: list[Float64s] = []
        self._others: list[Float64s] = []
        self._weight: list[Float64s] = []
        self._base: list[Float64s | float] = []
        self._hardness: list[Float64s] = []
        self._known: list[tuple[Float64s, Float64s, Ints, Float64s | float, Float64s]] = []

    def add(
        self,
        block: Block,
        log_prior: Floats,
        posterior: Floats,
        truth: Ints,
        prior_voices: float,
        base: Float64s | float = 0.0,
        log_hardness: Float64s | None = None,
    ) -> None:
        """Hold out every label of a block; ``truth`` is the known class of each example, -1 if unknown."""
        if self.channels.observed is None:
            return
        out = held_out(block, self.channels, self.voices, log_prior, posterior, prior_voices)
        unknown = truth < 0
        held = (unknown & (block.counts > 1))[block.row]
        self._support.append(out.support[held])
        self._others.append(out.voices[held])
        self._channel.append(out.channel[held])
        self._weight.append(out.weight[held])
        self._base.append(base)
        hardness = np.zeros(block.size) if log_hardness is None else log_hardness
        self._hardness.append(hardness[block.row][held])
        if not unknown.all():
            here = ~unknown
            voices = out.voices_of_example[here]
            self._known.append((out.of_example[here], voices, truth[here], base, hardness[here]))

    def merge(self, other: HeldOut) -> None:
        """Add what was held out of the labels of another question to the same people."""
        for name in ("_support", "_channel", "_others", "_weight", "_base", "_hardness", "_known"):
            getattr(self, name).extend(getattr(other, name))

    def likelihood(self, exponent: float, strength: float = 0.0) -> float:
        """Log-likelihood of the held-out labels if m voices are worth m^(1 − exponent).

        ``strength`` is that of `Abstaining`.
        """
        total = 0.0
        for support, others, channel, weight, base, hardness in zip(
            self._support,
            self._others,
            self._channel,
            self._weight,
            self._base,
            self._hardness,
            strict=True,
        ):
            if not len(support):
                continue
            log_scale = -strength * hardness if strength else None
            posterior = discounted(support, others, exponent, base, log_scale)
            predicted = row_sums(posterior, channel)
            total += float(weight @ np.log(np.maximum(predicted, LEAST**2)))
        return total

    def strength(self) -> tuple[float, float]:
        """γ of `Abstaining` that makes held-out labels likeliest, and how likely with its exponent.

        0 unless another is significantly likelier.
        """
        scores: dict[float, float] = {}
        at = int(np.abs(_GRID - EXPECTED).argmin())
        for strength in _STRENGTHS:
            at, scores[strength] = self._peak(strength, at)
        found = max(scores, key=scores.__getitem__)
        if scores[found] < scores[0.0] + _SIGNIFICANT:
            found = 0.0
        return found, scores[found]

    def _peak(self, strength: float, at: int) -> tuple[int, float]:
        """Where on the grid the exponent is most probable, and how probable, climbing from near it."""

        def score(position: int) -> float:
            exponent = float(_GRID[position])
            return self.likelihood(exponent, strength) - float(_unexpected(exponent))

        best = score(at)
        for step in (1, -1):
            while 0 <= at + step < len(_GRID) and (there := score(at + step)) > best:
                at, best = at + step, there
        return at, best

    def exponent(self, *, declared: bool = False, strength: float = 0.0) -> Exponent:
        """S: the most probable exponent given held-out labels, and known answers where there are some.

        With ``declared`` families, which no label can speak for, not less than what is expected of a crowd.
        """
        score = np.array([self.likelihood(s, strength) for s in _GRID]) - _unexpected(_GRID)
        shown = min(SHARED * _highest(_GRID, score), MOST)
        low, high = _quantiles(score)
        low, high = min(low, shown), max(min(_SHARED_AT_MOST * high, 1.0), shown)
        if declared:
            shown = max(shown, SHARED * EXPECTED)
            high = max(high, shown)
        if not self._known:
            return Exponent(shown, low, high)
        score = -(((_GRID - shown) / _BY_KNOWN) ** 2) / 2
        for support, voices, truth, base, hardness in self._known:
            log_scale = -strength * hardness if strength else None
            for position, s in enumerate(_GRID):
                posterior = discounted(support, voices, s, base, log_scale)
                at_truth = posterior[np.arange(len(truth)), truth]
                score[position] += float(np.log(np.maximum(at_truth, LEAST**2)).sum())
        best, (low, high) = _highest(_GRID, score), _quantiles(score)
        return Exponent(best, min(low, best), max(high, best))


class Exponent(NamedTuple):
    """S, and what it may as well be.

    Attributes
    ----------
    best, low, high : float
        From labels alone ``low`` takes annotators at their word, as if they shared no mistake that labels do
        not show, and ``high`` has them share as many as in any crowd seen; both 95 % bounds besides.
    """

    best: float
    low: float
    high: float


class Held(NamedTuple):
    """Every label of a block held out, with those of its voice.

    Attributes
    ----------
    support : ndarray, shape (n_labels, n_classes)
        Log-support of each class by the models and the labels of other voices.
    voices : ndarray, shape (n_labels,)
        By how many voices.
    channel : ndarray, shape (n_labels, n_classes)
        Probability of the label given each class, learnt without its example.
    weight : ndarray, shape (n_labels,)
        Share of a voice it counts for.
    of_example, voices_of_example : ndarray, shape (size, n_classes) and (size,)
        Support and voices of each example with nothing held out.
    """

    support: Float64s
    voices: Float64s
    channel: Float64s
    weight: Float64s
    of_example: Float64s
    voices_of_example: Float64s


def held_out(
    block: Block,
    channels: Channels,
    voices: Voices,
    log_prior: Floats,
    posterior: Floats,
    prior_voices: float,
) -> Held:
    """What is left of each example of a block without each of its labels."""
    channel = without_example(channels, block, posterior, voices.taught(block))
    weight = voices.weight(block)
    weight = np.ones(len(channel)) if weight is None else weight
    weighted = np.log(channel) * weight[:, None]
    support = log_prior + _sums(block.row, weighted, block.size)
    count = block.total(weight) + prior_voices
    own, own_count = weighted, weight
    if len(voices.dependence):
        # Labels of one family are one voice, held out together.
        family = voices.family[block.annotator]
        alone = len(voices.family) + np.arange(len(family))
        key = block.row * (len(voices.family) + len(family)) + np.where(family >= 0, family, alone)
        _, voice = np.unique(key, return_inverse=True)
        own = _sums(voice, weighted)[voice]
        own_count = np.bincount(voice, weight).astype(np.float64)[voice]
    return Held(
        support=support[block.row] - own,
        voices=count[block.row] - own_count,
        channel=channel,
        weight=weight,
        of_example=support,
        voices_of_example=count,
    )


def discounted(
    support: Floats,
    voices: Float64s,
    exponent: float,
    base: Float64s | float = 0.0,
    log_scale: Float64s | None = None,
) -> Floats:
    """Posterior from log-support by m voices, worth m^(1 − exponent) independent ones.

    ``base`` is the part of the support that no voice speaks for: how frequent each class is. ``log_scale`` is
    the logarithm of what else the support of each example counts for.
    """
    if exponent == 0 and log_scale is None:
        return normalised(support)
    scale = np.maximum(voices, 1.0) ** -exponent
    if log_scale is not None:
        scale *= np.exp(log_scale)
    of_row: Floats = scale.astype(support.dtype)[:, None]
    if isinstance(base, float) and not base:
        return normalised(support * of_row)
    return normalised((support - base) * of_row + base)


def _unexpected(exponent: Any) -> Any:
    """Minus the logarithm of the prior of the exponent, up to a constant."""
    return ((exponent - EXPECTED) / _SPREAD) ** 2 / 2


def without_example(
    channels: Channels, block: Block, posterior: Floats, taught: Float64s | None = None
) -> Float64s:
    """P(label given | class) of each label, from counts without the label's own example.

    ``taught`` is 0 for labels that the counts do not hold.
    """
    if channels.log_confusion is None or channels.observed is None:
        return _by_accuracy(channels, block, posterior, taught)
    observed = channels.observed[block.annotator]
    share = posterior[block.row] if taught is None else posterior[block.row] * taught[:, None]
    counts = np.exp(channels.log_rows(block.annotator, block.label)) * observed - share
    return np.asarray(np.maximum(counts, LEAST) / np.maximum(observed - share, LEAST))


def _by_accuracy(channels: Channels, block: Block, posterior: Floats, taught: Float64s | None) -> Float64s:
    """`without_example` where accuracies are all that is kept: errors are uniform."""
    ability, cell = channels.ability, (np.arange(len(block.label)), block.label)
    own = posterior[block.row, block.label]
    other = 1 - own
    if taught is not None:
        own, other = own * taught, other * taught
    right = ability.right[block.annotator] - own
    total = right + ability.wrong[block.annotator] - other
    accuracy = np.clip(right / np.maximum(total, LEAST), LEAST, 1 - LEAST)
    wrong = (1 - accuracy) / max(channels.n_classes - 1, 1)
    channel = np.repeat(wrong[:, None], channels.n_classes, axis=1)
    channel[cell] = accuracy
    return channel


def _sums(group: Ints, values: Float64s, size: int = 0) -> Float64s:
    """Sums of the rows of ``values`` in each group."""
    size = max(size, int(group.max(initial=-1)) + 1)
    columns = [np.bincount(group, column, size) for column in values.T]
    return np.stack(columns, axis=1) if columns else np.zeros((size, values.shape[1]))


def _quantiles(score: Float64s) -> tuple[float, float]:
    """Where the distribution with this log-density on the grid has 2.5 and 97.5 % below it."""
    share = np.cumsum(np.exp(score - score.max()))
    share = (share - np.diff(share, prepend=0) / 2) / share[-1]
    low, high = np.interp([0.025, 0.975], share, _GRID)
    return float(low), float(high)


def _highest(grid: Float64s, score: Float64s) -> float:
    """Where the parabola through the highest point and its neighbours peaks."""
    best = int(score.argmax())
    if best in (0, len(grid) - 1):
        return float(grid[best])
    left, middle, right = score[best - 1 : best + 2]
    bend = left - 2 * middle + right
    step = grid[1] - grid[0]
    return float(grid[best] + (step * (left - right) / (2 * bend) if bend < 0 else 0.0))
