"""Calibration on held-out labels: how far the posterior can be believed, from labels it has not seen.

Annotators who err independently would make evidence grow with every label. Real ones find the same
examples hard and make the same mistakes, so that m voices are worth m^(1 − S) of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelab._kernels import Block, normalised
from activelab._typing import Float64s, Ints
from activelab.consensus._channels import LEAST, Channels
from activelab.consensus._dependence import Voices

SHARED = 1.5
"""S over what held-out labels show: mistakes that all make leave no disagreement behind (docs/honesty.md)."""

EXPECTED, _SPREAD = 0.4, 0.1  # what held-out labels show in crowds: mean and deviation of the prior
MOST = 0.75
_BY_KNOWN = 0.25  # deviation of S around what labels alone say, where right answers are known
_GRID = np.linspace(0.0, 1.2, 25)


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
        self._known: list[tuple[Float64s, Float64s, Ints]] = []

    def add(
        self, block: Block, log_prior: Float64s, posterior: Float64s, truth: Ints, prior_voices: float
    ) -> None:
        """Hold out every label of a block; ``truth`` is the known class of each example, -1 if unknown."""
        if self.channels.observed is None:
            return
        channel = without_example(self.channels, block, posterior)
        log_channel = np.log(channel)
        weight = self.voices.weight(block)
        weight = np.ones(len(channel)) if weight is None else weight
        weighted = log_channel * weight[:, None]
        # Labels of one family are one voice, held out together.
        family = self.voices.family[block.annotator]
        alone = len(self.voices.family) + np.arange(len(family))
        key = block.row * (len(self.voices.family) + len(family)) + np.where(family >= 0, family, alone)
        _, voice = np.unique(key, return_inverse=True)
        own, own_count = _sums(voice, weighted), np.bincount(voice, weight).astype(np.float64)
        support = log_prior + _sums(block.row, weighted, block.size)
        voices = block.total(weight) + prior_voices
        unknown = truth < 0
        held = (unknown & (block.counts > 1))[block.row]
        self._support.append((support[block.row] - own[voice])[held])
        self._others.append((voices[block.row] - own_count[voice])[held])
        self._channel.append(channel[held])
        self._weight.append(weight[held])
        if not unknown.all():
            here = ~unknown
            self._known.append((support[here], voices[here], truth[here]))

    def likelihood(self, exponent: float) -> float:
        """Log-likelihood of the held-out labels if m voices are worth m^(1 − exponent)."""
        total = 0.0
        for support, others, channel, weight in zip(
            self._support, self._others, self._channel, self._weight, strict=True
        ):
            if not len(support):
                continue
            predicted = np.einsum("ij,ij->i", discounted(support, others, exponent), channel)
            total += float(weight @ np.log(np.maximum(predicted, LEAST**2)))
        return total

    def exponent(self, *, declared: bool = False) -> float:
        """S: the most probable exponent given held-out labels, and known answers where there are some.

        With ``declared`` families, which no label can speak for, not less than what is expected of a crowd.
        """
        score = np.array([self.likelihood(s) for s in _GRID]) - ((_GRID - EXPECTED) / _SPREAD) ** 2 / 2
        shown = min(SHARED * _highest(_GRID, score), MOST)
        if declared:
            shown = max(shown, SHARED * EXPECTED)
        if not self._known:
            return shown
        score = -(((_GRID - shown) / _BY_KNOWN) ** 2) / 2
        for support, voices, truth in self._known:
            for position, s in enumerate(_GRID):
                at_truth = discounted(support, voices, s)[np.arange(len(truth)), truth]
                score[position] += float(np.log(np.maximum(at_truth, LEAST**2)).sum())
        return _highest(_GRID, score)


def discounted(support: Float64s, voices: Float64s, exponent: float) -> Float64s:
    """Posterior from log-support by m voices, worth m^(1 − exponent) independent ones."""
    if exponent == 0:
        return normalised(support)
    scale = np.maximum(voices, 1.0) ** -exponent
    return normalised(support * scale[:, None])


def without_example(channels: Channels, block: Block, posterior: Float64s) -> Float64s:
    """P(label given | class) of each label, from counts without the label's own example."""
    assert channels.log_confusion is not None
    assert channels.observed is not None
    row = block.annotator * channels.n_classes + block.label
    observed = channels.observed[block.annotator]
    share = posterior[block.row]
    counts = np.exp(channels.log_confusion[row]) * observed - share
    return np.asarray(np.maximum(counts, LEAST) / np.maximum(observed - share, LEAST))


def _sums(group: Ints, values: Float64s, size: int = 0) -> Float64s:
    """Sums of the rows of ``values`` in each group."""
    size = max(size, int(group.max(initial=-1)) + 1)
    columns = [np.bincount(group, column, size) for column in values.T]
    return np.stack(columns, axis=1) if columns else np.zeros((size, values.shape[1]))


def _highest(grid: Float64s, score: Float64s) -> float:
    """Where the parabola through the highest point and its neighbours peaks."""
    best = int(score.argmax())
    if best in (0, len(grid) - 1):
        return float(grid[best])
    left, middle, right = score[best - 1 : best + 2]
    bend = left - 2 * middle + right
    step = grid[1] - grid[0]
    return float(grid[best] + (step * (left - right) / (2 * bend) if bend < 0 else 0.0))
