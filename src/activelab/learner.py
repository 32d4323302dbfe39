"""ActiveLearner: Algorithm 1 of the paper as ask and tell."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._kernels import temper
from activelab._typing import Bools, Float64s, Ids, Ints, Models
from activelab.acquisition import Acquisition, Assessment
from activelab.classifiers import FoldModel, cross_val_pred_probs
from activelab.consensus import check_known, told
from activelab.labels import Labels
from activelab.planning import Batch, Plan, plan_round
from activelab.pred_probs import Checked, check_pred_probs
from activelab.selection import check_batch_size
from activelab.strategies import Strategy
from activelab.training import Target, training_target

__all__ = ["ActiveLearner", "Known", "RoundResult"]


@dataclass(frozen=True, eq=False)
class RoundResult:
    """What one round estimated and chose.

    Attributes
    ----------
    number : int
        Round, counted from 0.
    batch : Batch
        What to label next, with the reason for each example.
    positions : ndarray of int64, shape (batch_size,)
        Rows of the pool the batch consists of.
    training_label : ndarray of int, shape (n_examples,)
        Class codes of the labels the classifiers were trained on: known ones, else the consensus; -1 without.
    plan : Plan
        What the batch was chosen by: scores, who is to label it, and the order of all examples.
    pred_probs : ndarray of float64, shape (n_models, n_examples, n_classes)
        Out-of-sample probabilities, smoothed, before calibration.
    examples, classes : ndarray
        Ids the rows and codes stand for.
    fit_seconds : float
        Time spent inside the classifiers.
    notes : tuple of str
        What could not be estimated, in words.
    """

    number: int
    batch: Batch
    positions: Ints
    training_label: Ints
    plan: Plan
    pred_probs: Float64s
    examples: Ids
    classes: Ids
    fit_seconds: float
    notes: tuple[str, ...]

    @property
    def assessment(self) -> Assessment:
        """Scores, consensus after training, temperatures, weights and P."""
        return self.plan.assessment

    def __repr__(self) -> str:
        return f"RoundResult(round {self.number}, {self.batch!r})"

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values, ready for JSON; what cannot be estimated is None.

        ``pred_probs`` is left out: it is the one part whose size is n_examples × n_classes × n_models.
        """
        a = self.assessment
        return {
            "round": self.number,
            "batch": {name: _plain(values) for name, values in self.batch.to_dict().items()},
            "examples": _plain(self.examples),
            "classes": _plain(self.classes),
            "training_label": _plain(self._names(self.training_label)),
            "consensus_label": _plain(self._names(a.consensus_label)),
            "predicted_label": _plain(self._names(a.predicted_label)),
            "quality": _plain(a.quality),
            "scores": _plain(a.scores),
            "temperature": _plain(a.temperature),
            "model_weight": _plain(a.model_weight),
            "annotator_weight": _plain(a.annotator_weight),
            "annotator_accuracy": _plain(np.array([a.annotator_accuracy]))[0],
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """`to_dict` as a JSON text."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def _names(self, codes: Ints) -> Ids:
        names = np.full(len(codes), None, dtype=object)
        names[codes >= 0] = self.classes[codes[codes >= 0]]
        return names


@dataclass(frozen=True, eq=False)
class Known:
    """What a round leaves to the next: the models its consensus starts from.

    Attributes
    ----------
    pred_probs : sequence of ndarray, shape (n_examples, n_classes) each
        Out-of-sample probabilities before calibration, one array a model.
    temperature : ndarray of float64, shape (n_models,)
    examples, classes : ndarray
        Ids the rows and columns stand for.
    """

    pred_probs: Sequence[Any]
    temperature: Float64s
    examples: Ids
    classes: Ids


class ActiveLearner:
    """Active learning with re-labelling over any classifier [A, Algorithm 1].

    Each `ask` estimates a consensus, trains the classifiers on it with cross-validation, calibrates their
    out-of-sample probabilities, scores every example of the pool and returns the batch to label next. The
    labels collected enter through `Labels.tell`, and the next `ask` follows.

    The consensus of the first round is the majority vote; later CROWDLAB rounds use the models of the
    round before, as the paper does.

    Parameters
    ----------
    model : classifier or list of classifiers
        Any scikit-learn-compatible classifier; a list is an ensemble. None if `ask` is always given
        ``pred_probs``.
    method : str, Acquisition or Strategy
        What to label next and how to train: "recommended", an acquisition method (see `activelab.methods`),
        or a whole `Strategy` or its text.
    cv : int or splitter
        Folds of the cross-validation (see `cross_val_pred_probs`).
    consensus, training, passes, batching : optional
        Parts of the strategy, in place of its own (see `Strategy`).
    seed : int
        Seed of folds, classifiers, random methods and ties. Equal seeds and equal calls give equal
        results.
    n_jobs : int, optional
        Parallel fits, as in joblib.
    smoothing : float
        Share of the uniform distribution mixed into the predictions of a model that gives a class
        probability exactly 0, as forests and nearest neighbours do for want of examples. Taken at its
        word, one label of such a class would drive the temperature to its bound. 0 for none.

    Attributes
    ----------
    round_ : RoundResult
        The last round, after `ask`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> import activelab as al
    >>> X = np.arange(20.0)[:, None]
    >>> labels = al.Labels.from_records(
    ...     [(i, "ann", int(i > 9)) for i in range(0, 20, 2)], examples=range(20)
    ... )
    >>> learner = al.ActiveLearner(LogisticRegression(), seed=0)
    >>> batch = learner.ask(X, labels, batch_size=2)
    >>> labels = labels.tell(batch.examples, annotator="bob", label=[0, 1])
    >>> learner.predict_proba([[3.0]]).shape
    (1, 2)
    """

    round_: RoundResult

    def __init__(
        self,
        model: Any = None,
        method: str | Acquisition | Strategy = "activelab",
        cv: Any = 5,
        *,
        consensus: str | None = None,
        training: str | None = None,
        passes: int | None = None,
        batching: str | None = None,
        seed: int = 0,
        n_jobs: int | None = None,
        smoothing: float = 0.01,
    ) -> None:
        if not 0 <= smoothing < 1:
            raise InputError(f"smoothing must be at least 0 and less than 1, got {smoothing!r}.")
        self.smoothing = smoothing
        self.model, self.cv, self.seed, self.n_jobs = model, cv, seed, n_jobs
        self.strategy = Strategy.of(
            method, consensus=consensus, training=training, passes=passes, batching=batching
        )
        self._fold_models: tuple[tuple[FoldModel, ...], ...] = ()
        self._known: Known | None = None
        self._next_round = 0

    def __repr__(self) -> str:
        strategy = str(self.strategy)
        return f"ActiveLearner({self.model!r}, {strategy!r}, cv={self.cv!r}, seed={self.seed})"

    def ask(
        self,
        X: Any,
        labels: Labels,
        batch_size: int = 100,
        *,
        pred_probs: Any = None,
        eligible: Bools | None = None,
        candidates: Callable[[int], Ints] | None = None,
        rng: np.random.Generator | None = None,
        known: Ints | None = None,
        families: dict[Any, str] | None = None,
    ) -> Batch:
        """One round: what to label next.

        Parameters
        ----------
        X : array-like with n_examples rows, sparse matrix, dataframe or list
            Features of the whole pool; row i is example i of ``labels``. None with ``pred_probs``.
        labels : Labels
            The labels collected so far.
        batch_size : int
            Number of examples, each of which gets one more label.
        pred_probs : array-like, optional
            Out-of-sample probabilities from elsewhere, which take the place of training.
        eligible : ndarray of bool, shape (n_examples,), optional
            Examples that may be asked for; the others still train and are scored. By default all.
        candidates, rng : optional
            Who could label each example, and what draws among them (see `activelab.planning.plan_round`).
        known : ndarray of int, shape (n_examples,), optional
            Codes of classes that are known, as from an expert; -1 elsewhere. The classifiers are trained on
            them with weight 1, whatever annotators said, and the Bayesian consensus learns from them. They
            may still be asked for (see ``eligible``).
        families : dict, optional
            Family of annotators who err together (see `bayesian_consensus`).

        Returns
        -------
        Batch
            The same object as ``round_.batch``.

        Raises
        ------
        InputError
            If X, ``pred_probs``, ``known`` or ``families`` does not match ``labels``, the batch size is not
            between 1 and the number of examples, or fewer than two examples are labelled.
        """
        check_batch_size(batch_size, labels.n_examples)
        known = check_known(known, labels)
        seed = self.seed + self._next_round
        target = self._first_target(labels, seed, known, families)
        fold_models: tuple[tuple[FoldModel, ...], ...] = ()
        notes: tuple[str, ...] = ()
        fit_seconds = 0.0
        if pred_probs is not None:
            models: Models = check_pred_probs(pred_probs, labels)
        elif self.model is None:
            raise InputError("an ActiveLearner without a model needs pred_probs= in ask.")
        else:
            for number in range(self.strategy.passes):
                if number:
                    target = self._target(labels, models, None, seed, known)
                started = time.perf_counter()
                trained = cross_val_pred_probs(
                    self.model,
                    X,
                    target.label,
                    labels.n_classes,
                    cv=self.cv,
                    seed=seed,
                    n_jobs=self.n_jobs,
                    weight=target.weight,
                    target=target.posterior,
                )
                fit_seconds += time.perf_counter() - started
                checked = check_pred_probs([self._smoothed(p) for p in trained.pred_probs], labels)
                models = told(labels, checked, known=known, families=families)
            fold_models, notes = trained.fold_models, trained.notes
        plan = plan_round(
            labels,
            models,
            self.strategy,
            batch_size,
            eligible=eligible,
            candidates=candidates,
            known=known,
            families=families,
            seed=seed,
            rng=rng,
        )
        self.round_ = RoundResult(
            number=self._next_round,
            batch=plan.batch,
            positions=plan.positions,
            training_label=target.label,
            plan=plan,
            pred_probs=np.stack(models),
            examples=labels.examples,
            classes=labels.classes,
            fit_seconds=fit_seconds,
            notes=(*notes, *plan.assessment.notes),
        )
        temperature = plan.assessment.temperature
        self._known = Known(tuple(models), temperature, labels.examples, labels.classes)
        self._fold_models, self._next_round = fold_models, self._next_round + 1
        return self.round_.batch

    def state(self) -> tuple[Known | None, int]:
        """What the next `ask` depends on, ready to pickle; without the fitted classifiers."""
        return self._known, self._next_round

    def restore(self, state: tuple[Known | None, int]) -> None:
        """Go back to a `state`; `predict_proba` works again after the next `ask`."""
        self._known, self._next_round = state

    def _first_target(
        self, labels: Labels, seed: int, known: Ints | None, families: dict[Any, str] | None
    ) -> Target:
        """What to train on first, given the models of the round before if they are of this pool."""
        last, models, betas = self._known, Checked((), labels), None
        if (
            last is not None
            and np.array_equal(last.examples, labels.examples)
            and np.array_equal(last.classes, labels.classes)
        ):
            models, betas = Checked(last.pred_probs, labels), tuple((1 / last.temperature).tolist())
        return self._target(labels, told(labels, models, known=known, families=families), betas, seed, known)

    def _target(
        self,
        labels: Labels,
        models: Models,
        betas: tuple[float, ...] | None,
        seed: int,
        known: Ints | None,
    ) -> Target:
        return training_target(
            labels,
            models,
            consensus=self.strategy.consensus,
            training=self.strategy.training,
            seed=seed,
            betas=betas,
            known=known,
        )

    def predict_proba(self, X: Any) -> Float64s:
        """Class probabilities of new examples by the models of the last round.

        The mean of each model's fold models, calibrated by its temperature, averaged over the models
        with their weights w_M.

        Parameters
        ----------
        X : array-like with rows, sparse matrix, dataframe or list

        Returns
        -------
        ndarray of float64, shape (n_rows, n_classes)
            Columns in the order of ``labels.classes``; rows sum to 1.

        Raises
        ------
        InputError
            Before the first `ask`, or after an `ask` with ``pred_probs``.
        """
        means = [np.mean([fold.predict_proba(X) for fold in folds], axis=0) for folds in self.fold_models]
        return self.combine(means)

    @property
    def fold_models(self) -> tuple[tuple[FoldModel, ...], ...]:
        """The fitted classifiers of the last round: for each model, one a fold.

        Raises
        ------
        InputError
            Before the first `ask`, or after an `ask` with ``pred_probs``.
        """
        if not self._fold_models:
            raise InputError("predict_proba needs a model trained by ask.")
        return self._fold_models

    def combine(self, pred_probs: Sequence[Float64s]) -> Float64s:
        """Calibrate and average the predictions of each model, shape (n_rows, n_classes) each."""
        assessment = self.round_.assessment
        weight = assessment.model_weight / assessment.model_weight.sum()
        total: Float64s = np.zeros(())
        for mean, beta, w in zip(pred_probs, 1 / assessment.temperature, weight, strict=True):
            total = total + temper(self._smoothed(mean), float(beta), float(w))
        return total

    def _smoothed(self, pred_probs: Float64s) -> Float64s:
        if not self.smoothing or pred_probs.min(initial=1) > 0:
            return pred_probs
        return np.asarray((1 - self.smoothing) * pred_probs + self.smoothing / pred_probs.shape[1])

    def predict(self, X: Any) -> Ids:
        """Class ids of new examples: the most probable class of `predict_proba`."""
        best = self.predict_proba(X).argmax(axis=1)
        names: Ids = self.round_.classes[best]
        return names


def _plain(values: Any) -> list[Any]:
    """Python values; NaN and infinity become None."""
    items = np.asarray(values).tolist()
    return [None if isinstance(v, float) and not np.isfinite(v) else v for v in items]
