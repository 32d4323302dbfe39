"""What the labels collected so far say about how to go on: strategies replayed on them, and a forecast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np

from activelab import _features, _html
from activelab._errors import InputError
from activelab._progress import Show, shown
from activelab._typing import Float64s, Ints, Models
from activelab.classifiers import cross_val_pred_probs, rows_of
from activelab.consensus.parts import told
from activelab.kinds import KINDS, Kind
from activelab.labels import Labels
from activelab.learner import ActiveLearner
from activelab.multilabel import LabelSets, check_multilabel_probs, multilabel_consensus
from activelab.multilabel.parts import joined_sets
from activelab.pred_probs import Checked, check_pred_probs, joined
from activelab.set_classifiers import cross_val_set_probs, set_target
from activelab.simulation import ReplayedTeam, SimulatedRound, Simulation, simulate_rounds
from activelab.stopping import Forecast, forecast_of
from activelab.strategies import Strategy
from activelab.training import training_target

__all__ = ["STRATEGIES", "Advice", "DepthResult", "StrategyResult", "advise"]

STRATEGIES = ("recommended", "recommended+assignment=thompson", "activelab", "good_random")
"""Strategies that are replayed if none are named."""

STRATEGIES_OF = {
    "ordinal": ("expected_loss", "expected_loss+assignment=thompson", "random+training=cautious+passes=2"),
    "multilabel": ("expected_loss", "expected_loss+ask=examples", "random"),
}
"""The same for other kinds of question."""

_LEAST = 40  # labelled examples below which a replay says nothing
_START, _ROUNDS, _TEST = 0.2, 8, 0.3
_DEEPEST = 5


@dataclass(frozen=True)
class StrategyResult:
    """A strategy, replayed.

    Attributes
    ----------
    strategy : str
    labels : int
        Labels it had at the end; of sets whole answers, a question about one class at its price.
    accuracy : float
        At the end, against the reference; mean over the trials. Of ratings kappa with quadratic weights, of
        sets the mean F1 of the classes.
    area : float
        Mean accuracy over the rounds.
    error : float
        Standard error of the difference of its area to that of the best, over the trials; 0 for the best.
    """

    strategy: str
    labels: int
    accuracy: float
    area: float
    error: float


@dataclass(frozen=True)
class DepthResult:
    """So many labels for each example, under one budget.

    Attributes
    ----------
    labels_per_example : int
    examples : int
        Examples the budget is enough for.
    accuracy : float
        Against the reference; mean over the trials.
    error : float
        Standard error over the trials.
    """

    labels_per_example: int
    examples: int
    accuracy: float
    error: float


@dataclass(frozen=True)
class Advice:
    """What the labels say about how to go on.

    Attributes
    ----------
    strategies : tuple of StrategyResult
        Best first.
    depths : tuple of DepthResult
        By number of labels; empty where too few examples have more than one.
    budget : int
        Labels of each of `depths`.
    forecast : Forecast or None
        What the next labels are expected to buy; None of ratings, of which it cannot be told.
    measure : str
        What accuracy means here.
    notes : tuple of str
        What to keep in mind.
    """

    strategies: tuple[StrategyResult, ...]
    depths: tuple[DepthResult, ...]
    budget: int
    forecast: Forecast | None
    measure: str
    notes: tuple[str, ...]

    def _repr_html_(self) -> str:
        """As a notebook shows it: strategies, depths, and what the next labels buy."""
        facts = {
            "best strategy": self.strategies[0].strategy,
            "best labels an example": self.labels_per_example,
            **{
                f"forecast: {name.replace('_', ' ')}": one
                for name, one in (asdict(self.forecast) if self.forecast else {}).items()
            },
        }
        tables = [_html.table(_columns(self.strategies), caption=f"Accuracy: {self.measure}.")]
        if self.depths:
            caption = f"Labels an example, {self.budget:,} in all."
            tables.append(_html.table(_columns(self.depths), caption=caption))
        return _html.page("Advice", *tables, facts=facts, notes=self.notes)

    @property
    def labels_per_example(self) -> int | None:
        """The best number of labels an example; None where it cannot be told."""
        return max(self.depths, key=lambda one: one.accuracy).labels_per_example if self.depths else None


def _columns(rows: Sequence[StrategyResult | DepthResult]) -> dict[str, list[Any]]:
    return {field.name: [getattr(row, field.name) for row in rows] for field in fields(rows[0])}


def advise(
    labels: Labels | LabelSets,
    pred_probs: Any = None,
    *,
    kind: str | Kind | None = None,
    loss: str | None = None,
    class_price: float | None = None,
    X: Any = None,
    model: Any = None,
    strategies: Sequence[str] | None = None,
    next_labels: int = 1000,
    label_price: float | None = None,
    error_cost: float | None = None,
    known: Any = None,
    families: dict[Any, str] | None = None,
    cv: int = 3,
    trials: int = 3,
    seed: int = 0,
    progress: bool | Show | None = None,
) -> Advice:
    """Replay the labels collected so far as if they had been asked for by each strategy.

    The reference is the Bayesian consensus of all labels and predictions: the truth is not known. With
    features, classifiers are trained anew on what each strategy has revealed, and accuracy is that on a
    third of the labelled examples kept apart. With predictions alone, which stay as they are, it is the
    share of all labelled examples whose label, by consensus where it was asked for and by the predictions
    elsewhere, equals the reference.

    Parameters
    ----------
    labels : Labels or LabelSets
        Sets about all classes.
    pred_probs : array-like, optional
        Out-of-sample probabilities; needed without features.
    kind : str or Kind, optional
        Kind of question: "single", "ordinal" or, the default of `LabelSets`, "multilabel". Reference and
        measure are those of the kind.
    loss : str, optional
        What a wrong answer costs, by default the first loss of the kind.
    class_price : float, optional
        Of sets, the price of a question about one class (see `suggest_questions`).
    X : array-like with n_examples rows or dataframe, optional
        Features, matched to the pool as in `ActiveLearner.ask`.
    model : classifier, optional
        By default a logistic regression on standardised features.
    strategies : sequence of str, optional
        See `activelab.strategies.Strategy`; by default `STRATEGIES`, or those of the kind.
    next_labels : int
        Labels of the forecast.
    label_price, error_cost : float, optional
        See `activelab.stopping.forecast`; of sets the cost of a wrong single answer.
    known, families : optional
        As for `bayesian_consensus`; not for sets. Known answers are part of the reference and of the
        forecast; the replayed strategies do not know them.
    cv, trials, seed : int
    progress : bool or callable, optional
        In a notebook a bar with the time left; False for none. A function is told what is replayed now, how
        many replays are done, and of how many.

    Returns
    -------
    Advice

    Raises
    ------
    InputError
        If fewer than 40 examples are labelled, there are neither features nor probabilities, something does
        not match the labels, or something is asked that cannot be told of the kind of question.
    """
    answers = KINDS.get(kind or ("multilabel" if isinstance(labels, LabelSets) else "single"))
    loss = answers.loss(loss)
    _check(labels, answers, known, families, label_price, error_cost)
    if X is None and pred_probs is None:
        raise InputError("advice needs the features of the examples or the predictions of a model.")
    n_labelled = int(labels.labelled.sum())
    if n_labelled < _LEAST:
        raise InputError(
            f"advice needs at least {_LEAST} labelled examples to replay; there are {n_labelled}."
        )
    if trials < 1:
        raise InputError(f"trials must be at least 1, got {trials}.")
    named = STRATEGIES_OF.get(answers.name, STRATEGIES) if strategies is None else strategies
    parsed = [_with_loss(Strategy.of(one, decides=answers.decides), loss, answers) for one in named]
    model = _default_model() if model is None else model
    evidence: dict[str, Any] = {"known": known, "families": families}
    models: Models
    if isinstance(labels, LabelSets):
        labels, X, models = _matched_sets(labels, X, pred_probs, model, cv, seed)
    else:
        labels, X, models = _matched(labels, X, pred_probs, model, cv, seed, answers, evidence)
    replay = _Replay(labels, models, X, model, cv, families, answers, loss, class_price)
    runs: dict[str, list[Float64s]] = {str(one): [] for one in parsed}
    with shown(progress) as show:
        for done, (one, trial) in enumerate(product(parsed, range(trials))):
            show(str(one), done, len(parsed) * trials + 1)
            runs[str(one)].append(replay.run(one, seed + trial))
        show("labels an example", len(parsed) * trials, len(parsed) * trials + 1)
        depths, budget = replay.depths(trials, seed)
        show("done", len(parsed) * trials + 1, len(parsed) * trials + 1)
    return Advice(
        strategies=_ranked(runs),
        depths=depths,
        budget=budget,
        forecast=None
        if answers.outlook is None
        else forecast_of(
            answers.outlook(labels, models, loss),
            next_labels,
            label_price=label_price,
            error_cost=error_cost,
        ),
        measure=replay.measure,
        notes=_notes(labels, answers, trials, depths),
    )


def _check(labels: Labels | LabelSets, kind: Kind, known: Any, families: Any, *prices: float | None) -> None:
    """Refuse what cannot be told of a kind of question."""
    if isinstance(labels, LabelSets) != (kind.name == "multilabel"):
        wanted = "Labels" if isinstance(labels, LabelSets) else "LabelSets"
        raise InputError(f"labels of the kind {kind.name} are given as {wanted}.")
    if isinstance(labels, LabelSets):
        if known is not None or families is not None:
            raise InputError("advice on sets makes no use of known answers and families.")
        if not labels.asked.all():
            raise InputError(
                "advice on sets replays complete answers; some of these are about some classes only."
            )
    if kind.outlook is None and any(price is not None for price in prices):
        raise InputError(
            f"what more labels buy cannot be told of {kind.name} answers, nor whether they are worth their "
            "price. Leave out the prices: the number of labels an example is measured all the same."
        )


def _with_loss(strategy: Strategy, loss: str, kind: Kind) -> Strategy:
    """A strategy with the loss, if it is not the default."""
    return strategy if strategy.loss or loss == kind.losses[0] else replace(strategy, loss=loss)


class _Replay:
    """Labelled examples whose labels are revealed again, and what is measured on the way."""

    def __init__(
        self,
        labels: Any,
        models: Models,
        X: Any,
        model: Any,
        cv: int,
        families: dict[Any, str] | None,
        kind: Kind,
        loss: str,
        class_price: float | None,
    ) -> None:
        labelled = np.flatnonzero(labels.labelled)
        self.recorded = _part(labels, labelled)
        self.models = _models_of(models, labelled, self.recorded)
        self.X = None if X is None else rows_of(X, labelled)
        self.model, self.cv, self.families = model, cv, families
        self.kind, self.loss, self.class_price = kind, loss, class_price
        self.reference = kind.decide(kind.posterior(labels, models), labels, loss)[labelled]
        apart = "a third of the labelled examples, kept apart" if X is not None else "all labelled examples"
        what = {"accuracy": "agreement", "kappa": "quadratic weighted kappa", "f1": "mean F1 of the classes"}
        self.measure = f"{what.get(kind.headline, kind.headline)} with the consensus of all labels on {apart}"

    def run(self, strategy: Strategy, seed: int) -> Float64s:
        """Rows (labels, accuracy), one a round."""
        rng = np.random.default_rng(seed)
        test, pool = self._split(rng)
        recorded = _part(self.recorded, pool)
        labels = _revealed(recorded, self._first(len(pool), rng), rng)
        options: dict[str, Any] = {"families": self.families}
        if self.X is None:
            options["pred_probs"] = np.stack([one[pool] for one in self.models])
        simulation = Simulation(
            ActiveLearner(None if self.X is None else self.model, strategy, self.cv, seed=seed),
            None if self.X is None else rows_of(self.X, pool),
            self.reference[pool],
            labels,
            ReplayedTeam(recorded),
            X_test=None if self.X is None else rows_of(self.X, test),
            truth_test=self.reference[test],
            batch_size=max(len(recorded) // (2 * _ROUNDS), 1),
            kind=self.kind,
            class_price=self.class_price,
            options=options,
        )
        simulation.rng = rng
        rows = [(one.spent, self._headline(one)) for one in simulate_rounds(simulation, _ROUNDS)]
        return np.array(rows, dtype=np.float64)

    def _headline(self, measured: SimulatedRound) -> float:
        if self.X is None:
            return measured.scores[f"pool_{self.kind.headline}"]
        return measured.scores.get(f"test_{self.kind.headline}", measured.test_accuracy_averaged)

    def _split(self, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Examples kept apart, and the others; with predictions alone nothing needs keeping apart."""
        order = rng.permutation(self.recorded.n_examples)
        size = 0 if self.X is None else int(_TEST * len(order))
        return order[:size], order[size:]

    def _first(self, size: int, rng: np.random.Generator) -> Ints:
        return rng.permutation(size)[: max(int(_START * size), 10)]

    def _accuracy(self, learner: Any, labels: Any, test: Ints, pool: Ints) -> float:
        if self.X is not None:
            truth, probs = self.reference[test], learner.predict_proba(rows_of(self.X, test))
        else:
            models = _models_of(self.models, pool, labels)
            if isinstance(labels, Labels):
                models = told(labels, models, known=None, families=self.families)
            truth, probs = self.reference[pool], self.kind.posterior(labels, models)
        found = self.kind.decide(probs, labels, self.loss)
        return self.kind.scores(truth, found, labels)[self.kind.headline]

    def depths(self, trials: int, seed: int) -> tuple[tuple[DepthResult, ...], int]:
        """One, two, … labels an example under one budget."""
        enough = [int((self.recorded.counts >= depth).sum()) for depth in range(1, _DEEPEST + 1)]
        share = 1.0 if self.X is None else 1 - _TEST
        possible = [d for d, n in enumerate(enough, 1) if d == 1 or 2 * d * n >= enough[0]]
        budget = int(share * min(d * enough[d - 1] for d in possible))
        if len(possible) < 2 or budget < _LEAST:
            return (), 0
        found = []
        for depth in possible:
            runs = [self._at_depth(depth, budget, seed + t) for t in range(trials)]
            error = float(np.std(runs, ddof=1) / np.sqrt(trials)) if trials > 1 else float("nan")
            found.append(DepthResult(depth, budget // depth, float(np.mean(runs)), error))
        return tuple(found), budget

    def _at_depth(self, depth: int, budget: int, seed: int) -> float:
        rng = np.random.default_rng(seed)
        test, pool = self._split(rng)
        recorded = _part(self.recorded, pool)
        deep = np.flatnonzero(recorded.counts >= depth)
        labels = _revealed(recorded, rng.permutation(deep)[: budget // depth], rng, depth)
        if self.X is None:
            return self._accuracy(None, labels, test, pool)
        method = "frugal" if self.kind.name == "single" else self.kind.strategy
        strategy = _with_loss(Strategy.of(method, decides=self.kind.decides), self.loss, self.kind)
        learner = ActiveLearner(self.model, strategy, self.cv, seed=seed)
        learner.ask(rows_of(self.X, pool), labels, 1, families=self.families, progress=False)
        return self._accuracy(learner, labels, test, pool)


def _part(labels: Any, rows: Ints) -> Any:
    """The labels of some examples, with all annotators."""
    everybody = {"annotators": labels.annotators} if isinstance(labels, Labels) else {}
    return labels.select(labels.examples[rows], **everybody)


def _models_of(models: Models, rows: Ints, labels: Any) -> Models:
    """The predictions for some examples, whose labels these are."""
    several = tuple(one[rows] for one in models)
    return Checked(several, labels) if isinstance(labels, Labels) else several


def _revealed(recorded: Any, examples: Ints, rng: np.random.Generator, depth: int = 1) -> Any:
    """So many labels, drawn at random, of each of some examples; of the others none."""
    wanted = np.zeros(recorded.n_examples, dtype=bool)
    wanted[examples] = True
    order = np.lexsort((rng.random(len(recorded)), recorded.example))
    turn = np.arange(len(recorded)) - recorded.offsets[recorded.example]
    kept = order[(turn < depth) & wanted[recorded.example]]
    said = recorded.label if isinstance(recorded, Labels) else recorded.chosen
    return type(recorded)(
        recorded.example[kept], recorded.annotator[kept], said[kept],
        examples=recorded.examples, annotators=recorded.annotators, classes=recorded.classes,
    )  # fmt: skip


def _matched_sets(
    sets: LabelSets, X: Any, pred_probs: Any, model: Any, cv: int, seed: int
) -> tuple[LabelSets, Any, Models]:
    """As `_matched`, of sets."""
    models: Models = ()
    if pred_probs is not None:
        sets, models = joined_sets(sets, pred_probs)
    if X is not None:
        sets, X, _, _ = _features.aligned(X, sets)
        if hasattr(X, "iloc"):
            X = X.set_axis(sets.examples, axis=0)
        if pred_probs is None:
            label, weight = set_target(sets, multilabel_consensus(sets))
            found = cross_val_set_probs(model, X, label, cv=cv, seed=seed, weight=weight)
            models = check_multilabel_probs(found.pred_probs, sets)
        else:
            models = check_multilabel_probs(pred_probs, sets)
    return sets, X, models


def _matched(
    labels: Labels,
    X: Any,
    pred_probs: Any,
    model: Any,
    cv: int,
    seed: int,
    kind: Kind,
    evidence: dict[str, Any],
) -> tuple[Labels, Any, Models]:
    """Pool, features and probabilities, each in the order of the pool; these with what is known besides."""
    if pred_probs is not None:
        labels, _ = joined(labels, pred_probs)
    if X is not None:
        labels, X, _, _ = _features.aligned(X, labels)
        if hasattr(X, "iloc"):  # parts of it are matched again, by the learner
            X = X.set_axis(labels.examples, axis=0)
        if pred_probs is None:
            nothing = told(labels, Checked((), labels), **evidence)
            pred_probs = _out_of_sample(labels, nothing, X, model, cv, seed, kind.decides or "bayesian")
    return labels, X, told(labels, check_pred_probs(pred_probs, labels), **evidence)


def _out_of_sample(
    labels: Labels, nothing: Models, X: Any, model: Any, cv: int, seed: int, consensus: str
) -> Float64s:
    """Out-of-sample probabilities of classifiers trained on all the labels, by a consensus of no models."""
    target = training_target(labels, nothing, consensus=consensus, training="weights", seed=seed)
    trained = cross_val_pred_probs(
        model, X, target.label, labels.n_classes, cv=cv, seed=seed, weight=target.weight
    )
    return np.asarray(0.99 * trained.pred_probs + 0.01 / labels.n_classes)


def _default_model() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))


def _ranked(runs: dict[str, list[Float64s]]) -> tuple[StrategyResult, ...]:
    """Strategies by area, compared over as many rounds as all of them have."""
    rounds = min(len(run) for several in runs.values() for run in several)
    areas = {name: np.array([run[:rounds, 1].mean() for run in several]) for name, several in runs.items()}
    order = sorted(areas, key=lambda name: -areas[name].mean())
    return tuple(_results(runs, areas, order, rounds))


def _results(
    runs: dict[str, list[Float64s]], areas: dict[str, Float64s], order: list[str], rounds: int
) -> Iterator[StrategyResult]:
    for name in order:
        difference = areas[order[0]] - areas[name]
        several = len(difference) > 1
        error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if several else float("nan")
        ends = np.array([run[rounds - 1] for run in runs[name]])
        yield StrategyResult(
            name, round(float(ends[:, 0].mean())), float(ends[:, 1].mean()), float(areas[name].mean()), error
        )


def _notes(labels: Any, kind: Kind, trials: int, depths: tuple[DepthResult, ...]) -> tuple[str, ...]:
    notes = [
        "the truth is not known: accuracies are agreement with the consensus of all labels, which favours no "
        "strategy but is itself not always right."
    ]
    if kind.outlook is None:
        notes.append(f"what the next labels buy cannot be told of {kind.name} answers.")
    deep = float((labels.counts[labels.labelled] > 1).mean())
    if deep < 0.2:
        notes.append(
            f"only {deep:.0%} of the labelled examples have a second label: a replay can hardly tell whether "
            "labelling again pays."
        )
    ordered = sorted(depths, key=lambda one: -one.accuracy)
    if trials > 1 and ordered:
        best = ordered[0]
        near = [
            d for d in ordered[1:] if best.accuracy - d.accuracy <= 2 * float(np.hypot(best.error, d.error))
        ]
        if near:
            also = " or ".join(str(one.labels_per_example) for one in near)
            notes.append(
                f"{best.labels_per_example} labels an example cannot be told from {also}: the difference is "
                "within two standard errors."
            )
    if trials < 2:
        notes.append("with one trial there is no standard error.")
    return tuple(notes)
