"""Teams of annotators: simulated ones that err, and recorded ones that are replayed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

from activelab._errors import InputError
from activelab._kernels import tie_break
from activelab._registry import Registry, function_of
from activelab._typing import Bools, Float64s, Ids, Ints
from activelab.assignment import AssignmentRule, assign
from activelab.labels import Labels
from activelab.multilabel import LabelSets
from activelab.multilabel.parts import pair_counts
from activelab.simulation._datasets import Dataset


class Team(ABC):
    """Annotators who answer when asked.

    Contract: an answer depends on the example and the annotator alone, not on when it is asked for, so
    that methods under comparison meet the same people. Annotator codes of the labels are those of the
    team.

    Attributes
    ----------
    annotators : ndarray
        Ids.
    """

    annotators: Ids

    @property
    def n_annotators(self) -> int:
        """Number of annotators."""
        return len(self.annotators)

    @abstractmethod
    def candidates(self, example: int) -> Ints:
        """Codes of the annotators who could ever label an example, ascending."""

    @abstractmethod
    def answer(self, example: Ints, annotator: Ints) -> Any:
        """Class codes the annotators give to the examples; arrays of one length.

        Of sets booleans of shape (n_answers, n_classes).
        """

    @property
    def available(self) -> Any:
        """Number of annotators who could ever label each example."""
        return self.n_annotators

    def can_answer(self, labels: Labels | LabelSets) -> Bools:
        """Mask of the examples somebody is left to label, shape (n_examples,).

        Of sets of shape (n_examples, n_classes).
        """
        if isinstance(labels, LabelSets):
            return np.asarray(pair_counts(labels) < np.reshape(self.available, (-1, 1)))
        return np.asarray(labels.counts < self.available)

    def choose(
        self,
        labels: Labels,
        example: Ints,
        rng: np.random.Generator,
        rule: str | AssignmentRule = "random",
        **options: Any,
    ) -> Ints:
        """For each example somebody who has not labelled it, by `activelab.assign`; -1 if nobody is left."""
        return assign(labels, example, rule, candidates=self.candidates, seed=rng, **options)


class SimulatedTeam(Team):
    """A team whose members answer by their confusion matrices.

    Parameters
    ----------
    truth : ndarray of int, shape (n_examples,)
        True class codes.
    confusion : array-like of float, shape (n_annotators, n_classes, n_classes)
        Entry (j, k, l): probability that annotator j says l when the truth is k.
    difficulty : ndarray of float, shape (n_examples,), optional
        Factor on the probability of an error on each example, capped so that an error is never surer than
        a random answer. By default 1.
    seed : int
        Seed of the answers.

    Raises
    ------
    InputError
        If a row of a confusion matrix is no distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab.simulation import SimulatedTeam
    >>> always_right = SimulatedTeam(np.array([0, 1, 1]), np.tile(np.eye(2), (3, 1, 1)))
    >>> always_right.answer(np.array([0, 2]), np.array([0, 1])).tolist()
    [0, 1]
    """

    def __init__(
        self,
        truth: Ints,
        confusion: Float64s,
        *,
        difficulty: Float64s | None = None,
        seed: int = 0,
    ) -> None:
        self.truth, self.difficulty, self.seed = np.asarray(truth), difficulty, seed
        self.confusion = np.asarray(confusion, dtype=np.float64)
        if self.confusion.ndim != 3 or self.confusion.shape[1] != self.confusion.shape[2]:
            raise InputError(f"confusion needs shape (n_annotators, K, K), got {self.confusion.shape}.")
        off = np.abs(self.confusion.sum(axis=2) - 1).max(initial=0)
        if (self.confusion < 0).any() or off > 1e-9:
            raise InputError("each row of a confusion matrix must be a distribution.")
        self.annotators = _names(len(self.confusion))

    @classmethod
    def heterogeneous(
        cls,
        truth: Ints,
        n_annotators: int,
        n_classes: int,
        *,
        accuracy: tuple[float, float] = (0.6, 0.95),
        seed: int = 0,
    ) -> SimulatedTeam:
        """A team whose members' accuracies are drawn uniformly; errors fall on any other class alike."""
        drawn = np.random.default_rng(seed).uniform(*accuracy, n_annotators)
        return cls(truth, _symmetric(drawn, n_classes), seed=seed)

    @classmethod
    def raters(
        cls, truth: Ints, n_classes: int, shift: Float64s, spread: Float64s, *, seed: int = 0
    ) -> SimulatedTeam:
        """A team that rates on a scale: P(l | k) ∝ exp(−(l − k − shift)² / (2 spread²)).

        Parameters
        ----------
        truth : ndarray of int, shape (n_examples,)
            Points of the scale, 0 to n_classes − 1.
        n_classes : int
        shift : ndarray of float64, shape (n_annotators,)
            By how many points each annotator's ratings lie above the truth: their severity.
        spread : ndarray of float64, shape (n_annotators,)
            How far they scatter around that, in points.
        seed : int

        Examples
        --------
        >>> import numpy as np
        >>> from activelab.simulation import SimulatedTeam
        >>> severe = SimulatedTeam.raters(np.array([0, 2, 4]), 5, np.array([1.0]), np.array([0.01]))
        >>> severe.answer(np.arange(3), np.zeros(3, int)).tolist()
        [1, 3, 4]
        """
        return cls(truth, _banded(np.asarray(shift), np.asarray(spread), n_classes), seed=seed)

    @property
    def accuracy(self) -> Float64s:
        """Mean accuracy over the classes of each annotator at difficulty 1, shape (n_annotators,)."""
        return np.asarray(np.einsum("jkk->jk", self.confusion).mean(axis=1))

    def candidates(self, example: int) -> Ints:
        return np.arange(self.n_annotators)

    def answer(self, example: Ints, annotator: Ints) -> Ints:
        truth = self.truth[example]
        rows = self.confusion[annotator, truth]
        if self.difficulty is not None:
            right = np.eye(rows.shape[1])[truth]
            error = 1 - rows[np.arange(len(rows)), truth]
            cap = 1 - 1 / rows.shape[1]
            scaled = np.minimum(error * self.difficulty[example], np.maximum(cap, error))
            factor = np.divide(scaled, error, out=np.zeros(len(error)), where=error > 0)
            rows = rows * factor[:, None] * (1 - right) + (1 - scaled)[:, None] * right
        draw = tie_break(self.seed, example.astype(np.int64) * self.n_annotators + annotator)
        return np.asarray((draw[:, None] >= rows.cumsum(axis=1)[:, :-1]).sum(axis=1))


class SimulatedSetTeam(Team):
    """A team whose members answer with sets, each class by itself.

    What somebody says of a class does not depend on whether they are asked about that class alone.

    Parameters
    ----------
    truth : ndarray of bool, shape (n_examples, n_classes)
    sensitivity, specificity : array-like of float in [0, 1], shape (n_annotators, n_classes)
        Probability of a yes where a class applies, and of a no where it does not.
    seed : int
        Seed of the answers.

    Raises
    ------
    InputError
        If shapes differ or a probability is none.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab.simulation import SimulatedSetTeam
    >>> truth = np.array([[True, False], [True, True]])
    >>> sees_nothing = SimulatedSetTeam(truth, [[0, 0]], [[1, 1]])
    >>> sees_nothing.answer(np.array([0, 1]), np.array([0, 0])).any()
    np.False_
    """

    def __init__(self, truth: Bools, sensitivity: Any, specificity: Any, *, seed: int = 0) -> None:
        self.truth, self.seed = np.asarray(truth, dtype=bool), seed
        self.sensitivity = np.asarray(sensitivity, dtype=np.float64)
        self.specificity = np.asarray(specificity, dtype=np.float64)
        for name, rates in (("sensitivity", self.sensitivity), ("specificity", self.specificity)):
            fits = rates.ndim == 2 and rates.shape[1] == self.truth.shape[1]
            if not fits or len(rates) != len(self.sensitivity) or not ((rates >= 0) & (rates <= 1)).all():
                raise InputError(
                    f"{name} needs probabilities of shape (n_annotators, {self.truth.shape[1]}), got shape "
                    f"{rates.shape}."
                )
        self.annotators = _names(len(self.sensitivity))

    def candidates(self, example: int) -> Ints:
        return np.arange(self.n_annotators)

    def answer(self, example: Ints, annotator: Ints) -> Bools:
        yes = np.where(self.truth[example], self.sensitivity[annotator], 1 - self.specificity[annotator])
        size = self.truth.shape[1]
        question = (example.astype(np.int64) * self.n_annotators + annotator)[:, None] * size
        return np.asarray(tie_break(self.seed, question + np.arange(size)) < yes)


class ReplayedTeam(Team):
    """People whose labels were recorded: an answer is revealed when it is asked for.

    Parameters
    ----------
    recorded : Labels or LabelSets
        Who said what, sets about all classes. An example can be asked of those who labelled it, and of nobody
        else.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab import Labels
    >>> from activelab.simulation import ReplayedTeam
    >>> team = ReplayedTeam(Labels.from_wide([[0, 1], [1, None]]))
    >>> team.answer(np.array([0, 1]), np.array([1, 0])).tolist(), team.candidates(1).tolist()
    ([1, 1], [0])
    """

    def __init__(self, recorded: Labels | LabelSets) -> None:
        self.recorded, self.annotators = recorded, recorded.annotators
        self._said = recorded.chosen if isinstance(recorded, LabelSets) else recorded.label.astype(np.int64)

    def candidates(self, example: int) -> Ints:
        offsets = self.recorded.offsets
        return self.recorded.annotator[offsets[example] : offsets[example + 1]].astype(np.int64)

    def answer(self, example: Ints, annotator: Ints) -> Any:
        recorded = self.recorded
        key = recorded.example.astype(np.int64) * self.n_annotators + recorded.annotator
        wanted = example.astype(np.int64) * self.n_annotators + annotator
        at = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
        if not (key[at] == wanted).all():
            raise InputError("an annotator was asked for a label that was never recorded.")
        return self._said[at]

    @property
    def available(self) -> Ints:
        return self.recorded.counts


def make_team(
    kind: str,
    dataset: Dataset,
    rows: Ints,
    *,
    noise: float = 0.15,
    num_annotators: int = 30,
    seed: int = 0,
) -> Team:
    """A team for some examples of a dataset.

    Parameters
    ----------
    kind : {"homogeneous", "heterogeneous", "class-conditional", "adversarial", "difficulty", "raters", \
"replay"}
        One of these, a name of `TEAMS`, or an import path ``module:attribute``. homogeneous: everybody errs
        with probability ``noise``, on any other class alike. heterogeneous: accuracies spread around
        1 − ``noise``, and one in ten annotators is hardly better than chance. class-conditional: one random
        confusion matrix for all, with trace (1 − ``noise``) K [A §4]. adversarial: homogeneous, but one in
        ten always gives the next class and one in ten answers at random. difficulty: homogeneous, with errors
        concentrated on a few hard examples. raters: on a scale, each with a severity and a spread, so that
        near misses are the most frequent. replay: the labels recorded with the dataset. Of sets there are
        homogeneous, heterogeneous (people differ in care, and in zeal, which finds more and errs more) and
        replay; ``noise`` is then the mean probability to miss a class that applies, and as many classes that
        do not apply are chosen.
    dataset : Dataset
    rows : ndarray of int
        Rows of the dataset that form the pool.
    noise : float
        Mean probability of an error, between 0 and 1 − 1/K; of a heterogeneous or adversarial team, among
        those who are neither outliers, adversaries nor spammers.
    num_annotators : int
    seed : int

    Returns
    -------
    Team

    Raises
    ------
    InputError
        If the kind is unknown, a parameter is out of range, or there are no recorded labels to replay.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab.simulation import load_dataset, make_team
    >>> team = make_team("class-conditional", load_dataset("digits"), np.arange(100), noise=0.2)
    >>> round(float(team.accuracy.mean()), 6), team.n_annotators
    (0.8, 30)
    """
    team = TEAMS.get(kind)(dataset, rows, noise=noise, num_annotators=num_annotators, seed=seed)
    if not isinstance(team, Team):
        raise InputError(f"the annotators {kind!r} must be a Team, got {type(team).__name__}.")
    return team


def _replayed(dataset: Dataset, rows: Ints, **_: Any) -> Team:
    if dataset.labels is None:
        raise InputError(f"dataset {dataset.name!r} has no recorded labels to replay.")
    return ReplayedTeam(dataset.labels.select(dataset.labels.examples[rows]))


def _simulated(
    kind: str, dataset: Dataset, rows: Ints, *, noise: float, num_annotators: int, seed: int
) -> Team:
    n_classes = len(dataset.classes)
    most = 0.5 if dataset.truth.ndim == 2 else 1 - 1 / n_classes
    if not 0 <= noise <= most:
        what = "1/2" if dataset.truth.ndim == 2 else f"1 - 1/K = {most:g}"
        raise InputError(f"noise must lie between 0 and {what}, got {noise:g}.")
    if num_annotators < 1:
        raise InputError(f"num_annotators must be at least 1, got {num_annotators}.")
    rng = np.random.default_rng(seed)
    if dataset.truth.ndim == 2:
        return _simulated_sets(kind, dataset.truth[rows], noise, num_annotators, rng, seed)
    accuracy = np.full(num_annotators, 1 - noise)
    difficulty = None
    if kind == "heterogeneous":
        spread = min(noise, 1 - 1 / n_classes - noise)
        accuracy = rng.uniform(1 - noise - spread, 1 - noise + spread, num_annotators)
        accuracy[: num_annotators // 10] = 1 / n_classes + 0.05
    confusion = _symmetric(accuracy, n_classes)
    if kind == "class-conditional":
        confusion = np.tile(_class_conditional(noise, n_classes, rng), (num_annotators, 1, 1))
    elif kind == "adversarial":
        tenth = max(num_annotators // 10, 1)
        confusion[:tenth] = np.roll(np.eye(n_classes), 1, axis=1)
        confusion[tenth : 2 * tenth] = 1 / n_classes
    elif kind == "raters":
        confusion = _raters(noise, n_classes, num_annotators, rng)
    elif kind == "difficulty":
        # A quarter of the examples carry most of the errors.
        difficulty = _rescaled(rng.gamma(0.5, 2.0, len(rows)), noise, 1 - 1 / n_classes)
    return SimulatedTeam(dataset.truth[rows], confusion, difficulty=difficulty, seed=seed)


_SIMULATED = ("homogeneous", "heterogeneous", "class-conditional", "adversarial", "difficulty", "raters")

TEAMS: Registry[Callable[..., Team]] = Registry(
    "kind of annotators",
    "activelab.teams",
    {**{kind: partial(_simulated, kind) for kind in _SIMULATED}, "replay": _replayed},
    function_of("annotators"),
)
"""Teams by name: functions of (dataset, rows, noise=, num_annotators=, seed=) that return a `Team`."""


def _rescaled(difficulty: Float64s, noise: float, cap: float) -> Float64s:
    """Difficulties scaled so that errors of probability min(noise · difficulty, cap) average to noise."""
    if noise == 0 or not len(difficulty):
        return difficulty
    ascending, number = np.sort(difficulty), len(difficulty)
    # If the m hardest are at the cap, the others carry what is left; take the first m that is true of.
    left = number * noise - np.arange(number) * cap
    scale = left / (noise * ascending.cumsum()[::-1])
    consistent = noise * scale * ascending[::-1] <= cap
    consistent[-1] = True
    return np.asarray(difficulty * scale[consistent.argmax()])


def _names(number: int) -> Ids:
    return np.array([f"annotator-{j:02d}" for j in range(number)], object)


def _banded(shift: Float64s, spread: Float64s, n_classes: int) -> Float64s:
    """Confusions that fall off with the distance from truth and shift, shape (n_annotators, K, K)."""
    point = np.arange(n_classes)
    apart = point - point[:, None] - shift[:, None, None]
    log_likelihood = -(apart**2) / (2 * np.maximum(spread, 1e-6)[:, None, None] ** 2)
    confusion = np.exp(log_likelihood - log_likelihood.max(axis=2, keepdims=True))
    return np.asarray(confusion / confusion.sum(axis=2, keepdims=True))


def _raters(noise: float, n_classes: int, number: int, rng: np.random.Generator) -> Float64s:
    """Raters whose severities and spreads differ; their common scale makes the mean error the noise."""
    severity, care = 0.7 * rng.standard_normal(number), np.exp(0.3 * rng.standard_normal(number))
    low, high = 1e-3, 1e2
    for _ in range(60):
        scale = np.sqrt(low * high)
        error = 1 - np.einsum("jkk->jk", _banded(scale * severity, scale * care, n_classes)).mean()
        low, high = (scale, high) if error < noise else (low, scale)
    return _banded(low * severity, low * care, n_classes)


def _simulated_sets(
    kind: str, truth: Any, noise: float, number: int, rng: np.random.Generator, seed: int
) -> SimulatedSetTeam:
    """As many classes are missed as are chosen without reason."""
    if kind not in _OF_SETS:
        raise InputError(
            f"annotators {kind!r} are not for answers that are sets; there are {', '.join(_OF_SETS)}, replay."
        )
    share = truth.mean(axis=0).clip(1e-3, 1 - 1e-3)
    missed, chosen = np.full(len(share), noise), np.minimum(noise * share / (1 - share), 0.5)
    shape = (number, len(share))
    if noise == 0 or kind == "homogeneous":
        return SimulatedSetTeam(
            truth, np.broadcast_to(1 - missed, shape), np.broadcast_to(1 - chosen, shape), seed=seed
        )
    care, zeal = (0.7 * rng.standard_normal((number, 1)) for _ in range(2))
    sensitivity = 1 - _with_mean(missed, -care - zeal)
    specificity = 1 - _with_mean(chosen, zeal - care)
    return SimulatedSetTeam(truth, sensitivity, specificity, seed=seed)


def _with_mean(mean: Float64s, effect: Float64s) -> Float64s:
    """Probabilities with logits that differ by the effects, whose mean over the first axis is given."""
    low, high = np.full(len(mean), -30.0), np.full(len(mean), 30.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = expit(middle + effect).mean(axis=0) < mean
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(expit(low + effect))


_OF_SETS = ("homogeneous", "heterogeneous")


def _symmetric(accuracy: Float64s, n_classes: int) -> Float64s:
    right = np.eye(n_classes)
    a = accuracy[:, None, None]
    return np.asarray(a * right + (1 - a) * (1 - right) / max(n_classes - 1, 1))


def _class_conditional(noise: float, n_classes: int, rng: np.random.Generator) -> Float64s:
    """A random confusion matrix whose mean diagonal is 1 − noise and whose rows err unevenly."""
    spread = noise * (n_classes * rng.dirichlet(np.ones(n_classes)) - 1)
    # An error above one half would make another class the likelier answer: shrink the spread.
    limit = max(0.5 - noise, 0.0)
    error = noise + spread * min(1.0, limit / max(spread.max(), 1e-12))
    matrix = np.diag(1 - error)
    for k in range(n_classes):
        others = np.arange(n_classes) != k
        matrix[k, others] = error[k] * rng.dirichlet(np.ones(n_classes - 1))
    return matrix
