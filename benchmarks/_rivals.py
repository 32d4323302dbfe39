"""Rivals of the package's strategies, as parts of a `Strategy`, so that one runner measures all of them.

Those here are written from their papers; `_scikit_activeml` has those of that library. `RIVALS` names each
with the parts it is made of. All train the user's classifier, on the consensus their papers use, with hard
labels and one pass a round.

What the runner's seams ask of them, and where that differs from a paper:

- The runner asks for at most one label of an example a round, and always for a whole batch. A rival that buys
  several at once (IEThresh) or that stops (Potato's routing) spends the rest of the batch on other examples.
- A part of a strategy sees labels and predictions. What else a rival needs (features, the classifier to fit
  again, who can be asked, the size of a batch; never the truth) is shown to it by `see`, before each trial.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import expit, gammaln, softmax
from sklearn.base import clone

from activelab import Labels
from activelab.acquisition import Acquisition
from activelab.assignment import AssignmentRule
from activelab.consensus import bayesian_consensus, majority_vote
from activelab.simulation import Simulation


@dataclass
class Seen:
    """What rivals are shown of a simulation, and the annotators of the pairs they chose, in order."""

    X: Any
    model: Any
    can_answer: Any
    batch_size: int
    waiting: list[int] = field(default_factory=list)
    fitted: tuple[Any, ...] = ()

    def free(self, labels: Labels) -> Any:
        """Who could still label what, bool of shape (n_examples, n_annotators)."""
        free = self.can_answer.copy()
        free[labels.example, labels.annotator] = False
        return free


SEEN: list[Seen] = []


def see(simulation: Simulation) -> None:
    """Show rivals the pool, the classifier, and who can be asked, of the trial that comes next."""
    team, pool = simulation.team, simulation.labels
    can_answer = np.zeros((pool.n_examples, pool.n_annotators), dtype=bool)
    for example in range(pool.n_examples):
        can_answer[example, team.candidates(example)] = True
    SEEN[:] = [Seen(np.asarray(simulation.X), simulation.learner.model, can_answer, simulation.batch_size)]


def seen() -> Seen:
    """What the last `see` showed."""
    return SEEN[-1]


class Pairs(Acquisition):
    """A rival that chooses who labels what: scores follow its order, and `Paired` asks whom it chose."""

    @abstractmethod
    def pairs(self, labels: Labels, p: Any, free: Any, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Distinct examples with a free annotator each, given the mean predictions ``p``."""

    def score_models(self, labels: Labels, models: Any, *, seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        chosen = self.pairs(labels, np.mean(models, axis=0), seen().free(labels), rng)[: seen().batch_size]
        seen().waiting = [annotator for _, annotator in chosen]
        scores = np.full(labels.n_examples, np.inf)
        scores[[example for example, _ in chosen]] = np.arange(len(chosen))
        return scores


class Paired(AssignmentRule):
    """Whom the rival chose with the example; the runner asks in the order of the scores."""

    def choose(self, free: Any, load: Any, ability: Any, rng: np.random.Generator) -> int:
        chosen = seen().waiting.pop(0)
        assert chosen in free, "a rival chose somebody who cannot be asked"
        return chosen


def best_pairs(value: Any, free: Any, rng: np.random.Generator) -> list[tuple[int, int]]:
    """The examples by the value of their best free pair, highest first; equals by lot."""
    value = np.where(free, value, -np.inf)
    who = np.where(value == value.max(axis=1, keepdims=True), rng.random(value.shape), -1).argmax(axis=1)
    best = value.max(axis=1)
    order = np.lexsort((rng.random(len(best)), -best))
    return [(int(i), int(who[i])) for i in order if best[i] > -np.inf]


def entropy(p: Any) -> Any:
    return -(p * np.log(np.maximum(p, 1e-12))).sum(axis=-1)


class Impact(Acquisition):
    """Impact sampling (Lin, Mausam & Weld 2016), expected, with pseudo-lookahead.

    The impact of a label is the share of the pool that the classifier, fitted again with it, calls otherwise.
    A label that would not change the majority has the impact of the fewest that would, divided by their
    number. Weighed by how likely the label is; a random part of the pool is tried, and its likeliest labels.
    """

    tried, likely = 100, 2

    def score_models(self, labels: Labels, models: Any, *, seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        k, votes = labels.n_classes, _votes(labels)
        majority = majority_vote(labels, models, seed=seed).label
        rows = np.flatnonzero(labels.labelled)
        before = self._fitted(seen().X[rows], majority[rows])
        # What a next label is likely to be: predictions and votes, people right four times in five.
        right, wrong = np.log(0.8), np.log(0.2 / max(k - 1, 1))
        log = np.log(np.mean(models, axis=0) + 1e-6) + votes * (right - wrong)
        likely = softmax(log, axis=1) * (0.8 - 0.2 / max(k - 1, 1)) + 0.2 / max(k - 1, 1)
        scores = np.full(labels.n_examples, np.inf)
        possible = np.flatnonzero(seen().free(labels).any(axis=1))
        scores[possible] = 1 + rng.random(len(possible))  # those not tried, if a batch needs more
        for i in rng.permutation(possible)[: max(self.tried, 2 * seen().batch_size)]:
            impact, at = 0.0, np.searchsorted(rows, i)
            for label in np.argsort(-likely[i])[: self.likely]:
                needed = 1
                if majority[i] >= 0:
                    if label == majority[i]:
                        continue
                    needed = int(votes[i].max() - votes[i, label]) + 1
                y = majority[rows].copy()
                x = seen().X[rows]
                if majority[i] >= 0:
                    y[at] = label
                else:
                    x, y = np.vstack([x, seen().X[i : i + 1]]), np.append(y, label)
                impact += likely[i, label] * float((self._fitted(x, y) != before).mean()) / needed
            scores[i] = -impact
        return scores

    def _fitted(self, x: Any, y: Any) -> Any:
        model = clone(seen().model)
        fixed = {name: 0 for name in model.get_params() if name.endswith("random_state")}
        return model.set_params(**fixed).fit(x, y).predict(seen().X)


def _votes(labels: Labels) -> Any:
    votes = np.zeros((labels.n_examples, labels.n_classes))
    np.add.at(votes, (labels.example, labels.label), 1.0)
    return votes


def glad(labels: Labels, pred_probs: Any = None) -> Any:
    """Probabilities of each class by GLAD (Whitehill et al. 2009): no classifier, ability times ease."""
    return _glad(labels)[0]


def _glad(labels: Labels, steps: int = 8) -> tuple[Any, Any, Any]:
    """Posterior, ability of each annotator, ease of each example, by expectation-maximisation with priors."""
    n, k, e, a = labels.n_examples, labels.n_classes, labels.example, labels.annotator
    ability, ease = np.ones(labels.n_annotators), np.zeros(n)
    share = (np.bincount(labels.label, minlength=k) + 1) / (labels.n_labels + k)
    posterior = np.tile(share, (n, 1))
    for _ in range(steps):
        log = np.tile(np.log(share), (n, 1))
        correct = np.clip(expit(ability[a] * np.exp(ease[e])), 1e-6, 1 - 1e-6)
        wrong = np.log((1 - correct) / max(k - 1, 1))
        np.add.at(log, e, wrong[:, None])
        np.add.at(log, (e, labels.label), np.log(correct) - wrong)
        posterior = softmax(log, axis=1)
        share = (posterior[labels.labelled].sum(axis=0) + 1) / (labels.labelled.sum() + k)
        right = posterior[e, labels.label]
        for _ in range(5):  # damped Newton steps, each parameter alone; priors N(1, 1) and N(0, 1)
            slope = np.exp(ease[e])
            correct = expit(ability[a] * slope)
            off, curve = right - correct, correct * (1 - correct)
            up = np.bincount(a, off * slope, len(ability)) - (ability - 1)
            ability = ability + 0.5 * up / (np.bincount(a, curve * slope**2, len(ability)) + 1)
            tilt = ability[a] * slope
            up = np.bincount(e, off * tilt, n) - ease
            ease = np.clip(ease + 0.5 * up / (np.bincount(e, curve * tilt**2, n) + 1), -3, 3)
    return posterior, ability, np.exp(ease)


def information(posterior: Any, correct: Any) -> Any:
    """Mutual information of a class and an answer right with probability ``correct``, both by example."""
    k = posterior.shape[1]
    correct = np.clip(correct, 1e-6, 1 - 1e-6)[..., None]
    wrong = (1 - correct) / max(k - 1, 1)
    answer = posterior[:, None, :] * (correct - wrong) + wrong
    noise = -correct * np.log(correct) - (1 - correct) * np.log(wrong)
    return entropy(answer) - noise[..., 0]


class Routed(Pairs):
    """Routing by item response theory, as the annotation tool Potato does: GLAD and expected information.

    Annotators come by lot; each gets the example on which that annotator's answer is worth most. An example
    is resolved at a posterior of 0.95 with at least two labels, and is asked about when no other is left.
    """

    def pairs(self, labels: Labels, p: Any, free: Any, rng: np.random.Generator) -> list[tuple[int, int]]:
        posterior, ability, ease = _glad(labels)
        value = information(posterior, expit(ability[None, :] * ease[:, None]))
        value += 1e-9 * rng.random(value.shape)
        resolved = (posterior.max(axis=1) >= 0.95) & (labels.counts >= 2)
        value = np.where(free, value - 100.0 * resolved[:, None], -np.inf)
        chosen: list[tuple[int, int]] = []
        while len(chosen) < seen().batch_size and np.isfinite(value).any():
            annotator = int(rng.choice(np.flatnonzero(np.isfinite(value).any(axis=0))))
            example = int(value[:, annotator].argmax())
            chosen.append((example, annotator))
            value[example] = -np.inf
        return chosen


def infexp(labels: Labels, pred_probs: Any, seed: int = 0) -> Any:
    """How likely each class is what all who can be asked would say by majority (Showalter et al. 2024).

    Votes of exchangeable experts, drawn without replacement, under a Dirichlet prior around the classifier's
    predictions, whose strength and temperature are what makes the labels so far likeliest.
    """
    n, k, votes = labels.n_examples, labels.n_classes, _votes(labels)
    p = np.full((n, k), 1 / k) if pred_probs is None else np.mean(pred_probs, axis=0)
    p, given, best, prior = np.log(np.maximum(p, 1e-6)), labels.labelled, -np.inf, np.ones((n, k))
    for temperature in (0.5, 1.0, 2.0, 4.0):
        shape = softmax(p / temperature, axis=1)
        for strength in (1.0, 2.0, 4.0, 8.0, 16.0):
            a, v = shape[given] * strength + 1e-3, votes[given]
            likelihood = (gammaln(a + v) - gammaln(a)).sum() - (
                gammaln(a.sum(axis=1) + v.sum(axis=1)) - gammaln(a.sum(axis=1))
            ).sum()
            if likelihood > best:
                best, prior = likelihood, shape * strength + 1e-3
    rng, draws = np.random.default_rng(seed), 64
    left = seen().free(labels).sum(axis=1)
    drawn = rng.standard_gamma(np.broadcast_to(prior + votes, (draws, n, k))) + 1e-12
    total = votes + rng.multinomial(left, drawn / drawn.sum(axis=2, keepdims=True))
    winner = (total + 1e-3 * rng.random(total.shape)).argmax(axis=2)
    return np.stack([(winner == label).mean(axis=0) for label in range(k)], axis=1)


class InfExp(Acquisition):
    """INFEXP: asks where the majority of all experts is least sure, of anybody who is free."""

    def score_models(self, labels: Labels, models: Any, *, seed: int = 0) -> Any:
        return infexp(labels, np.stack(models), seed).max(axis=1)


class LABald(Pairs):
    """LA-BALD's rule: the pair whose answer tells most of the label that model and annotators agree on.

    The aggregation is the package's Bayesian consensus, whose prior is the classifier. An answer depends on
    the classifier's parameters through the label alone, so that this is what it tells of both.
    """

    def pairs(self, labels: Labels, p: Any, free: Any, rng: np.random.Generator) -> list[tuple[int, int]]:
        consensus = bayesian_consensus(labels, p)
        accuracy = consensus.annotators.weight
        correct = np.broadcast_to(accuracy, (labels.n_examples, labels.n_annotators))
        return best_pairs(information(consensus.posterior, correct), free, rng)


class Reserve(Acquisition):
    """DARL's reserve: a share of each batch again to labelled examples that look wrong, the rest to new ones.

    New are those of highest entropy; wrong look those whose label the out-of-sample predictions find least
    likely. The share is ours: the text we could read gives none.
    """

    share = 0.2

    def score_models(self, labels: Labels, models: Any, *, seed: int = 0) -> Any:
        p, possible = np.mean(models, axis=0), seen().free(labels).any(axis=1)
        label = majority_vote(labels, models, seed=seed).label
        again, new = possible & labels.labelled, possible & ~labels.labelled
        doubt = np.where(again, p[np.arange(len(p)), np.maximum(label, 0)], np.inf)
        reserved = np.argsort(doubt, kind="stable")[: min(round(self.share * seen().batch_size), again.sum())]
        scores = np.where(new, -entropy(p), np.where(again, 1 + doubt, np.inf))
        scores[reserved] = -100.0 + doubt[reserved]
        return scores


_PAIRED = "assignment=_rivals:Paired"
FROM_PAPERS = {
    "impact sampling": "_rivals:Impact",
    "GLAD, routed": f"_rivals:Routed+consensus=_rivals:glad+{_PAIRED}",
    "INFEXP": "_rivals:InfExp+consensus=_rivals:infexp",
    "LA-BALD": f"_rivals:LABald+consensus=bayesian+{_PAIRED}",
    "DARL's reserve": "_rivals:Reserve",
}
OF_SCIKIT_ACTIVEML = {
    "SingleAnnotatorWrapper": f"_scikit_activeml:Wrapped+{_PAIRED}",
    "SingleAnnotatorWrapper, new": f"_scikit_activeml:WrappedNew+{_PAIRED}",
    "IEThresh": f"_scikit_activeml:IEThresh+{_PAIRED}",
    "annot-mix": f"_scikit_activeml:AnnotMix+consensus=_scikit_activeml:annot_mix+{_PAIRED}",
}
RIVALS = OF_SCIKIT_ACTIVEML | FROM_PAPERS
"""Strategies as text, by the name that tables give them."""
