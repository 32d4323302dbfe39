"""Rivals that are scikit-activeml's own code, behind an adapter; see `_rivals` for what all rivals share.

The library chooses by the out-of-sample predictions of the user's classifier, which it does not fit again.
annot-mix is a network of its own in place of the classifier. Measured is what it gives to the user's: its
estimate of the labelled examples is the consensus the user's classifier is trained on, and its doubts and
annotators' performances choose the pairs.

``python benchmarks/_scikit_activeml.py`` tries each for two rounds on a small pool.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax

from _rivals import OF_SCIKIT_ACTIVEML, Pairs, best_pairs, see, seen
from activelab import Labels
from activelab.simulation import Experiment
from activelab.simulation._experiment import prepare


def _library(labels: Labels) -> tuple[Any, Any]:
    """A classifier of scikit-activeml whose features are predictions already, and the matrix of labels."""
    from skactiveml.base import SkactivemlClassifier

    class Given(SkactivemlClassifier):  # type: ignore[misc]
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            self.classes_ = np.asarray(self.classes)
            return self

        def predict_proba(self, X: Any) -> Any:
            return np.asarray(X)

    y = np.full((labels.n_examples, labels.n_annotators), np.nan)
    y[labels.example, labels.annotator] = labels.label
    given = Given(classes=np.arange(labels.n_classes))
    return given.fit(None, y), y


def _performance(labels: Labels, y: Any, seed: int) -> Any:
    """Bounds and mean of each annotator's accuracy, by interval estimation."""
    from skactiveml.pool.multiannotator import IntervalEstimationAnnotModel

    found = IntervalEstimationAnnotModel(classes=np.arange(labels.n_classes), random_state=seed)
    return found.fit(X=np.zeros((len(y), 1)), y=y).A_perf_


class Wrapped(Pairs):
    """scikit-activeml's SingleAnnotatorWrapper of margin sampling, annotators by interval estimation.

    The library's candidates are all pairs that lack a label. ``new_only`` leaves labelled examples alone.
    """

    new_only = False

    def pairs(self, labels: Labels, p: Any, free: Any, rng: np.random.Generator) -> list[tuple[int, int]]:
        performance = np.clip(_performance(labels, _library(labels)[1], 0)[:, 1], 0, 1)
        return self.wrapped(labels, p, free, np.tile(performance, (labels.n_examples, 1)), rng)

    def wrapped(
        self, labels: Labels, p: Any, free: Any, performance: Any, rng: np.random.Generator
    ) -> list[tuple[int, int]]:
        from skactiveml.pool import UncertaintySampling
        from skactiveml.pool.multiannotator import SingleAnnotatorWrapper

        given, y = _library(labels)
        possible = free.any(axis=1)
        if self.new_only and (possible & ~labels.labelled).any():
            possible &= ~labels.labelled
        rows, seed = np.flatnonzero(possible), int(rng.integers(2**31))
        chooser = SingleAnnotatorWrapper(
            UncertaintySampling("margin_sampling", random_state=seed), random_state=seed
        )
        chosen = chooser.query(
            p,
            y,
            candidates=rows,
            annotators=free[rows],
            batch_size=min(seen().batch_size, len(rows)),
            A_perf=performance[rows],
            clf=given,
            fit_clf=False,
        )
        return [(int(example), int(annotator)) for example, annotator in chosen]


class WrappedNew(Wrapped):
    """`Wrapped`, with labelled examples left alone."""

    new_only = True


class IEThresh(Pairs):
    """scikit-activeml's IntervalEstimationThreshold (Donmez et al. 2009), whose examples have no label yet.

    Those whose upper bound is at least ε of the highest may label; here one of them does, by lot.
    """

    epsilon = 0.9

    def pairs(self, labels: Labels, p: Any, free: Any, rng: np.random.Generator) -> list[tuple[int, int]]:
        from skactiveml.pool.multiannotator import IntervalEstimationThreshold

        given, y = _library(labels)
        new = free.any(axis=1) & ~labels.labelled
        rows = np.flatnonzero(new if new.any() else free.any(axis=1))
        chooser = IntervalEstimationThreshold(self.epsilon, random_state=int(rng.integers(2**31)))
        utilities = chooser.query(
            p, y, given, fit_clf=False, candidates=rows, batch_size=1, return_utilities=True
        )[1][0]
        value = np.full(labels.n_examples, -np.inf)
        value[rows] = np.nanmax(utilities[rows], axis=1)
        upper = _performance(labels, y, 0)[:, 2]
        may = free & (upper >= self.epsilon * upper.max())
        may[~may.any(axis=1)] = free[~may.any(axis=1)]  # recorded crowds: nobody of them saw it
        return best_pairs(np.where(may, value[:, None], -np.inf), free, rng)


class AnnotMix(WrappedNew):
    """scikit-activeml's annot-mix (Herde et al. 2024): margins and performances are those of its network."""

    def pairs(self, labels: Labels, p: Any, free: Any, rng: np.random.Generator) -> list[tuple[int, int]]:
        own, performance = _annot_mix(labels)
        return self.wrapped(labels, own, free, performance, rng)


def annot_mix(labels: Labels, pred_probs: Any) -> Any:
    """Probabilities of each class by annot-mix's network, and by labels of people who err as it says."""
    p, performance = _annot_mix(labels)
    at = performance[labels.example, labels.annotator]
    log = np.log(np.maximum(p, 1e-6))
    wrong = np.log((1 - at) / max(labels.n_classes - 1, 1))
    np.add.at(log, labels.example, wrong[:, None])
    np.add.at(log, (labels.example, labels.label), np.log(at) - wrong)
    return softmax(log, axis=1)


def _annot_mix(labels: Labels) -> tuple[Any, Any]:
    """Predictions for the pool and performance of everybody on it; fitted once for the same labels."""
    if seen().fitted and seen().fitted[0] is labels:
        return seen().fitted[1:]
    import torch
    from skactiveml.classifier.multiannotator import AnnotMixClassifier
    from sklearn.preprocessing import StandardScaler

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = torch.nn.Linear(seen().X.shape[1], 64)
            self.out = torch.nn.Linear(64, labels.n_classes)

        def forward(self, x: Any) -> Any:
            embedded = torch.relu(self.hidden(x))
            return self.out(embedded), embedded

    torch.manual_seed(0)
    torch.set_num_threads(1)
    X = StandardScaler().fit_transform(seen().X).astype(np.float32)
    options = {
        "max_epochs": 40, "lr": 0.01, "optimizer": torch.optim.AdamW, "batch_size": 64, "verbose": False,
        "iterator_train__shuffle": True,
    }  # fmt: skip
    net = AnnotMixClassifier(
        Net,
        n_annotators=labels.n_annotators,
        neural_net_param_dict=options,
        classes=np.arange(labels.n_classes),
        random_state=0,
    )
    rows = np.flatnonzero(labels.labelled)
    net.fit(X[rows], _library(labels)[1][rows])
    p, performance = net.predict_proba(X, extra_outputs="annotator_perf")
    seen().fitted = (labels, p.astype(np.float64), np.clip(performance.astype(np.float64), 0.01, 0.99))
    return seen().fitted[1:]


def main() -> None:
    for name, strategy in OF_SCIKIT_ACTIVEML.items():
        small = Experiment(
            "digits", "sklearn.naive_bayes:GaussianNB", (strategy,), labelled=60, unlabelled=60, test=100,
            batch_size=20, annotators="heterogeneous", num_annotators=6, cv=3,
        )  # fmt: skip
        simulation = prepare(small, strategy, 0)
        see(simulation)
        before = simulation.labels.n_labels
        for _ in range(2):
            simulation.round()
        labels = simulation.labels
        assert labels.n_labels == before + 40, (
            f"{name} asked for {labels.n_labels - before} labels, not for 40"
        )
        print(f"{name}: {labels.n_labels} labels of {int(labels.labelled.sum())} examples")


if __name__ == "__main__":
    main()
