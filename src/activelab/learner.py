"""ActiveLearner: Algorithm 1 of the paper as ask and tell."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, overload

import numpy as np

from activelab import _features, _html
from activelab._errors import InputError
from activelab._frames import without_column
from activelab._kernels import temper
from activelab._progress import Show, shown
from activelab._typing import Bools, Float64s, Floats, Ids, Ints, Models
from activelab.acquisition import Acquisition, Assessment, ExpectedLoss
from activelab.classifiers import CrossValidated, FoldModel, cross_val_pred_probs
from activelab.consensus import check_known
from activelab.consensus.parts import alone_seen, check_abstentions, check_bulk, told
from activelab.helpers import Committee, agreement_note, helper_features, teach_round
from activelab.kinds import MULTILABEL, ORDINAL, SINGLE
from activelab.labels import Labels
from activelab.multilabel import (
    SET_METHODS,
    LabelSets,
    MultilabelConsensus,
    QuestionBatch,
    check_multilabel_probs,
    multilabel_consensus,
)
from activelab.multilabel.parts import (
    MultilabelEstimate,
    check_known_sets,
    joined_sets,
    named_sets,
    pool_posterior,
)
from activelab.planning import Batch, Plan, plan_questions, plan_round
from activelab.pred_probs import Checked, check_pred_probs, joined
from activelab.selection import check_batch_size
from activelab.set_classifiers import SetFoldModel, cross_val_set_probs, set_target
from activelab.strategies import Strategy
from activelab.training import Target, training_target

__all__ = ["ActiveLearner", "Known", "RoundResult", "SetRoundResult"]


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
        Out-of-sample probabilities, smoothed, before calibration; the last are the committee's, if helpers
        made one.
    examples, classes : ndarray
        Ids the rows and codes stand for.
    fit_seconds : float
        Time spent inside the classifiers.
    notes : tuple of str
        What could not be estimated or used, in words, and what helpers say of the classifier.
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

    def _repr_html_(self) -> str:
        """As a notebook shows it: the batch, and what it rests on."""
        a = self.assessment
        facts = {
            "mean quality of the consensus": float(np.nanmean(a.quality))
            if (a.consensus_label >= 0).any()
            else None,
            "temperature": a.temperature,
            "model weight": a.model_weight,
            "settled": self.plan.n_settled,
            "ambiguous": self.plan.n_ambiguous,
            "seconds in the classifiers": round(self.fit_seconds, 1),
        }
        title = f"Round {self.number}: {len(self.batch):,} examples to label"
        return _html.page(title, _html.table(self.batch.to_dict()), facts=facts, notes=self.notes)

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
class SetRoundResult:
    """What one round of answers that are sets estimated and chose.

    Attributes
    ----------
    number : int
        Round, counted from 0.
    batch : QuestionBatch
        What to ask next: whole examples and single classes.
    consensus : MultilabelConsensus
        Consensus after training, by answers and classifiers.
    estimate : MultilabelEstimate
        What it rests on: how annotators err, and how far the classifiers are to be believed.
    pred_probs : ndarray of float64, shape (n_models, n_examples, n_classes)
        Out-of-sample probabilities of each class, before calibration.
    fit_seconds : float
        Time spent inside the classifiers.
    notes : tuple of str
        What could not be estimated or used, in words.
    """

    number: int
    batch: QuestionBatch
    consensus: MultilabelConsensus
    estimate: MultilabelEstimate
    pred_probs: Float64s
    fit_seconds: float
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"SetRoundResult(round {self.number}, {self.batch!r})"


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
    committee : bool
        Whether the last of them is a committee (`Strategy.helpers`), from which the next goes on.
    """

    pred_probs: Sequence[Any]
    temperature: Float64s
    examples: Ids
    classes: Ids
    committee: bool = False


class ActiveLearner:
    """Active learning with re-labelling over any classifier [A, Algorithm 1].

    Each `ask` estimates a consensus, trains the classifiers on it with cross-validation, calibrates their
    out-of-sample probabilities, scores every example of the pool and returns the batch to label next. The
    labels collected enter through `Labels.tell`, and the next `ask` follows.

    The consensus of the first round is the majority vote; later CROWDLAB rounds use the models of the
    round before, as the paper does.

    Answers that are sets are given as `LabelSets`: classifiers then say for each class whether it applies,
    the consensus is `multilabel_consensus`, and the batch is one of questions, about whole examples or single
    classes (`suggest_questions`).

    Parameters
    ----------
    model : classifier or list of classifiers
        Any scikit-learn-compatible classifier; a list is an ensemble. None if `ask` is always given
        ``pred_probs``. For sets one that predicts several classes at once (`OneVsRestClassifier`,
        `MultiOutputClassifier`, `ClassifierChain`) or any other, which is fitted once a class.
    method : str, Acquisition or Strategy, optional
        What to label next and how to train: "recommended", an acquisition method (see `activelab.methods`),
        or a whole `Strategy` or its text. For ratings "expected_loss", with "+loss=quadratic" for another
        loss; for sets "expected_loss" or "random", with "+loss=f1" and "+ask=classes" or "+ask=examples". By
        default "activelab", of sets "expected_loss".
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
    set_round_ : SetRoundResult
        The last round of answers that are sets.

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

    Answers that are sets:

    >>> answers = [{"big"} if i > 9 else set() for i in range(0, 20, 2)]
    >>> sets = al.LabelSets.from_long(range(0, 20, 2), ["ann"] * 10, answers, examples=range(20))
    >>> batch = learner.ask(X, sets, batch_size=2)
    >>> batch.classes.tolist(), learner.predict([[3.0], [17.0]])
    (['big', 'big'], [(), ('big',)])
    """

    round_: RoundResult
    set_round_: SetRoundResult

    def __init__(
        self,
        model: Any = None,
        method: str | Acquisition | Strategy | None = None,
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
        self._of_sets = Strategy(SET_METHODS[0]) if method is None else None
        self.strategy = Strategy.of(
            "activelab" if method is None else method,
            consensus=consensus,
            training=training,
            passes=passes,
            batching=batching,
        )
        self._fold_models: tuple[tuple[FoldModel | SetFoldModel, ...], ...] = ()
        self._known: Known | None = None
        self._next_round = 0
        self._id_column: Any = None

    def __repr__(self) -> str:
        strategy = str(self.strategy)
        return f"ActiveLearner({self.model!r}, {strategy!r}, cv={self.cv!r}, seed={self.seed})"

    def _repr_html_(self) -> str:
        """As a notebook shows it: its parts, and the last round."""
        models = self.model if isinstance(self.model, list | tuple) else [self.model]
        facts = {
            "model": ", ".join(type(one).__name__ for one in models) if self.model is not None else None,
            "method": str(self.strategy),
            "consensus": str(self.strategy.consensus),
            "training": str(self.strategy.training),
            "passes": self.strategy.passes,
            "folds": str(self.cv),
            "seed": self.seed,
            "rounds": self._next_round,
        }
        last = getattr(self, "round_", None)
        return _html.page("ActiveLearner", facts=facts) + ("" if last is None else last._repr_html_())

    @overload
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
        abstentions: Labels | None = None,
        bulk: Any = None,
        progress: bool | Show | None = None,
    ) -> Batch: ...

    @overload
    def ask(
        self,
        X: Any,
        labels: LabelSets,
        batch_size: int = 100,
        *,
        pred_probs: Any = None,
        class_price: float | None = None,
        eligible: Bools | None = None,
        known: Ints | None = None,
        families: dict[Any, str] | None = None,
        abstentions: Labels | LabelSets | None = None,
        progress: bool | Show | None = None,
    ) -> QuestionBatch: ...

    def ask(
        self,
        X: Any,
        labels: Labels | LabelSets,
        batch_size: int = 100,
        *,
        pred_probs: Any = None,
        class_price: float | None = None,
        eligible: Bools | None = None,
        candidates: Callable[[int], Ints] | None = None,
        rng: np.random.Generator | None = None,
        known: Ints | None = None,
        families: dict[Any, str] | None = None,
        abstentions: Labels | LabelSets | None = None,
        bulk: Any = None,
        progress: bool | Show | None = None,
    ) -> Batch | QuestionBatch:
        """One round: what to label next.

        Parameters
        ----------
        X : array-like with n_examples rows, sparse matrix, dataframe or list
            Features of the whole pool. The rows of a dataframe are found by id: in a column ``example`` or
            another that is called like one (``id``, ``task_id``, …) and holds the labelled examples, or in a
            pandas index, of a series too. Rows of other examples join the pool. Without ids row i is example
            i of ``labels``. None with ``pred_probs``.
        labels : Labels or LabelSets
            The labels collected so far.
        batch_size : int
            Number of examples, each of which gets one more label; fewer if no more are left to ask for. Of
            sets the number of questions.
        pred_probs : array-like or dataframe, optional
            Out-of-sample probabilities from elsewhere, which take the place of training; examples that only a
            dataframe names join the pool.
        class_price : float, optional
            Of sets, the price of a question about one class, as for `suggest_questions`.
        eligible : ndarray of bool, shape (n_examples,), optional
            Examples that may be asked for; the others still train and are scored. By default all. Of sets
            also of shape (n_examples, n_classes).
        candidates, rng : optional
            Who could label each example, and what draws among them (see `activelab.planning.plan_round`).
        known : ndarray of int, shape (n_examples,), optional
            Codes of classes that are known, as from an expert; -1 elsewhere. The classifiers are trained on
            them with weight 1, whatever annotators said, and the Bayesian consensus learns from them. They
            may still be asked for (see ``eligible``). Of sets 1, 0 and -1, shape (n_examples, n_classes).
        families : dict, optional
            Family of annotators who err together (see `bayesian_consensus`).
        abstentions : Labels, optional
            Who could not tell of which example (see `bayesian_consensus`), of annotators who have a label. Of
            sets also `LabelSets` (see `multilabel_consensus`).
        bulk : array-like of bool, shape (n_labels,), optional
            Which labels were given to many examples at once (see `bayesian_consensus`).
        progress : bool or callable, optional
            In a notebook a bar with the time left shows how far training is; False for none. A function is
            told what is done now, how many fits of classifiers are done, and of how many.

        Returns
        -------
        Batch or QuestionBatch
            The same object as ``round_.batch``; of sets as ``set_round_.batch``.

        Raises
        ------
        InputError
            If X, ``pred_probs``, ``eligible``, ``known``, ``families``, ``abstentions`` or ``bulk`` does not
            match ``labels``, the batch size is not positive, or fewer than two examples are labelled.
        """
        check_batch_size(batch_size)
        if isinstance(labels, LabelSets):
            if candidates is not None or rng is not None:
                raise InputError("of sets it is left open who is asked: candidates and rng are not for them.")
            if bulk is not None:
                raise InputError("bulk is for answers that are one class, not for sets.")
            return self._ask_sets(
                X,
                labels,
                batch_size,
                pred_probs,
                progress,
                class_price=class_price,
                eligible=eligible,
                known=known,
                families=families,
                abstentions=abstentions,
            )
        if class_price is not None:
            raise InputError("class_price is for answers that are sets; give them as LabelSets.")
        models: Models = ()
        notes: tuple[str, ...] = ()
        if pred_probs is not None:
            labels, models = joined(labels, pred_probs)
        elif X is not None:
            labels, X, self._id_column, notes = _features.aligned(X, labels)
        evidence: dict[str, Any] = {
            "known": check_known(known, labels),
            "families": families,
            "abstentions": check_abstentions(abstentions, labels),
        }
        many = check_bulk(bulk, labels)
        # No classifier is trained on what classifiers were asked to confirm.
        taught = labels if many is None else alone_seen(labels, many)
        seed = self.seed + self._next_round
        fold_models: tuple[tuple[FoldModel, ...], ...] = ()
        fit_seconds = 0.0
        committee: Committee | None = None
        features, unhelped = self._helper_features(X, labels, pred_probs is not None, seed)
        notes = (*notes, *unhelped)
        strategy = self.strategy if features is not None else self.strategy.without_helpers()
        if pred_probs is not None:
            target = self._first_target(taught, strategy, seed, evidence)
        elif self.model is None:
            raise InputError("an ActiveLearner without a model needs pred_probs= in ask.")
        else:
            started = time.perf_counter()
            with shown(progress) as show:
                if features is None:
                    target, trained = self._train(X, taught, strategy, seed, evidence, show)
                else:
                    target, trained, committee, prior = self._teach(X, features, taught, seed, evidence, show)
            fit_seconds = time.perf_counter() - started
            fold_models, notes = trained.fold_models, (*notes, *trained.notes)
            models = self._checked(trained, labels)
            if committee is not None:
                notes = (*notes, agreement_note(labels, models, committee))
                models = Checked((*models, prior), labels)
        models = told(labels, models, **evidence, bulk=many)
        plan = plan_round(
            labels,
            models,
            strategy,
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
            notes=(*notes, *plan.notes),
        )
        temperature = plan.assessment.temperature
        self._known = Known(
            tuple(models), temperature, labels.examples, labels.classes, committee is not None
        )
        self._fold_models, self._next_round = fold_models, self._next_round + 1
        return self.round_.batch

    def _ask_sets(
        self,
        X: Any,
        sets: LabelSets,
        batch_size: int,
        pred_probs: Any,
        progress: bool | Show | None,
        *,
        class_price: float | None,
        eligible: Bools | None,
        **beside: Any,
    ) -> QuestionBatch:
        """A round of sets: a classifier a class, or one of all, trained on what the annotators say."""
        strategy = self._of_sets or self.strategy
        strategy.check_sets()
        notes: tuple[str, ...] = ()
        models: Models = ()
        fit_seconds, seed = 0.0, self.seed + self._next_round
        fold_models: tuple[tuple[SetFoldModel, ...], ...] = ()
        if pred_probs is not None:
            sets, models = joined_sets(sets, pred_probs)
        elif self.model is None:
            raise InputError("an ActiveLearner without a model needs pred_probs= in ask.")
        else:
            sets, X, self._id_column, notes = _features.aligned(X, sets)
            started = time.perf_counter()
            # No model is trained on another's word: on what annotators say, as far as they are believed.
            said = multilabel_consensus(sets, **beside)
            label, weight = set_target(sets, said, check_known_sets(beside["known"], sets))
            with shown(progress) as show:
                trained = cross_val_set_probs(
                    self.model,
                    X,
                    label,
                    cv=self.cv,
                    seed=seed,
                    n_jobs=self.n_jobs,
                    weight=weight,
                    progress=partial(_tell, show, 0, 1),
                )
            fit_seconds = time.perf_counter() - started
            models = check_multilabel_probs(trained.pred_probs, sets)
            fold_models, notes = trained.fold_models, (*notes, *trained.notes)
        plan = plan_questions(
            sets,
            models,
            strategy,
            batch_size,
            class_price=class_price,
            eligible=eligible,
            seed=seed,
            **beside,
        )
        self.set_round_ = SetRoundResult(
            number=self._next_round,
            batch=plan.batch,
            consensus=plan.consensus,
            estimate=plan.estimate,
            pred_probs=np.stack(models),
            fit_seconds=fit_seconds,
            notes=(*notes, *plan.consensus.notes, *plan.batch.notes),
        )
        self._fold_models, self._next_round = fold_models, self._next_round + 1
        return plan.batch

    def state(self) -> tuple[Known | None, int]:
        """What the next `ask` depends on, ready to pickle; without the fitted classifiers."""
        return self._known, self._next_round

    def restore(self, state: tuple[Known | None, int]) -> None:
        """Go back to a `state`; `predict_proba` works again after the next `ask`."""
        self._known, self._next_round = state

    def _before(self, labels: Labels) -> Known | None:
        """What the round before left, if it was of this pool."""
        last = self._known
        if (
            last is None
            or not np.array_equal(last.examples, labels.examples)
            or not np.array_equal(last.classes, labels.classes)
        ):
            return None
        return last

    def _first_target(
        self, labels: Labels, strategy: Strategy, seed: int, evidence: dict[str, Any]
    ) -> Target:
        """What to train on first, given the models of the round before if there are any."""
        last, betas = self._before(labels), None
        models = Checked((), labels)
        if last is not None:
            models, betas = Checked(last.pred_probs, labels), tuple((1 / last.temperature).tolist())
        return self._target(labels, told(labels, models, **evidence), strategy, seed, evidence, betas)

    def _target(
        self,
        labels: Labels,
        models: Models,
        strategy: Strategy,
        seed: int,
        evidence: dict[str, Any],
        betas: tuple[float, ...] | None = None,
    ) -> Target:
        return training_target(
            labels,
            models,
            consensus=strategy.consensus_method,
            training=strategy.training,
            seed=seed,
            betas=betas,
            known=evidence["known"],
        )

    def _train(
        self, X: Any, labels: Labels, strategy: Strategy, seed: int, evidence: dict[str, Any], show: Show
    ) -> tuple[Target, CrossValidated]:
        """The passes of a round: a consensus, and classifiers trained on it."""
        target = self._first_target(labels, strategy, seed, evidence)
        trained = self._cross_validated(X, labels, target, seed, partial(_tell, show, 0, strategy.passes))
        for number in range(1, strategy.passes):
            models = told(labels, self._checked(trained, labels), **evidence)
            target = self._target(labels, models, strategy, seed, evidence)
            progress = partial(_tell, show, number, strategy.passes)
            trained = self._cross_validated(X, labels, target, seed, progress)
        return target, trained

    def _teach(
        self, X: Any, features: Floats, labels: Labels, seed: int, evidence: dict[str, Any], show: Show
    ) -> tuple[Target, CrossValidated, Committee, Float64s]:
        """A round with helpers, whose committee goes on from that of the round before."""
        last = self._before(labels)
        return teach_round(
            self.model,
            X,
            features,
            labels,
            self.strategy,
            before=last.pred_probs[-1] if last is not None and last.committee else None,
            **evidence,
            cv=self.cv,
            seed=seed,
            n_jobs=self.n_jobs,
            progress=show,
        )

    def _checked(self, trained: CrossValidated, labels: Labels) -> Checked:
        """The predictions of classifiers."""
        return check_pred_probs([self._smoothed(one) for one in trained.pred_probs], labels)

    def _cross_validated(
        self, X: Any, labels: Labels, target: Target, seed: int, progress: Callable[[int, int], None]
    ) -> CrossValidated:
        return cross_val_pred_probs(
            self.model,
            X,
            target.label,
            labels.n_classes,
            cv=self.cv,
            seed=seed,
            n_jobs=self.n_jobs,
            weight=target.weight,
            target=target.posterior,
            progress=progress,
        )

    def _helper_features(
        self, X: Any, labels: Labels, given: bool, seed: int
    ) -> tuple[Floats | None, tuple[str, ...]]:
        """What the helpers of the strategy see; None, and a note where it should have been something."""
        if not self.strategy.helpers:
            return None, ()
        made: Floats | str = "only predictions were given"
        if labels.n_classes < 2:
            made = "there is one class"
        elif not given:
            made = helper_features(X, seed)
        if not isinstance(made, str):
            return made, ()
        instead = self.strategy.without_helpers()
        return None, (
            f"no helpers could be used: {made}. The consensus is {instead.consensus}, training "
            f"{instead.training} instead.",
        )

    def predict_proba(self, X: Any) -> Float64s:
        """Class probabilities of new examples by the models of the last round.

        The mean of each model's fold models, calibrated by its temperature, averaged over the models
        with their weights w_M. Of sets the probability that each class applies, likewise calibrated: rows
        need not sum to 1.

        Parameters
        ----------
        X : array-like with rows, sparse matrix, dataframe or list
            The column that named the examples in `ask` is left out.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_classes)
            Columns in the order of ``labels.classes``; rows sum to 1, except of sets.

        Raises
        ------
        InputError
            Before the first `ask`, or after an `ask` with ``pred_probs``.
        """
        X = without_column(X, self._id_column)
        means = [np.mean([fold.predict_proba(X) for fold in folds], axis=0) for folds in self.fold_models]
        return self.combine(means)

    @property
    def fold_models(self) -> tuple[tuple[FoldModel | SetFoldModel, ...], ...]:
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
        if isinstance(self._fold_models[0][0], SetFoldModel):
            return self._combined_sets(pred_probs)
        assessment, own = self.round_.assessment, slice(len(pred_probs))  # a committee is no classifier
        weight = assessment.model_weight[own] / assessment.model_weight[own].sum()
        lapses = np.zeros(len(weight)) if assessment.lapse is None else assessment.lapse[own]
        total: Float64s = np.zeros(())
        for mean, beta, lapse, w in zip(
            pred_probs, 1 / assessment.temperature[own], lapses, weight, strict=True
        ):
            calibrated = temper(self._smoothed(mean), float(beta), float(w * (1 - lapse)))
            total = total + calibrated + w * lapse / calibrated.shape[1]
        return total

    def _combined_sets(self, pred_probs: Sequence[Float64s]) -> Float64s:
        """The posterior of examples that nobody has answered about."""
        asked, round_ = self.set_round_.consensus.sets, self.set_round_
        nobody = LabelSets(
            [],
            [],
            [],
            examples=len(pred_probs[0]),
            annotators=asked.annotators,
            classes=asked.classes,
        )
        unknown = MultilabelEstimate(tuple(replace(one, known=None) for one in round_.estimate.of_class))
        return pool_posterior(unknown, nobody, check_multilabel_probs(np.stack(list(pred_probs)), nobody))

    def _smoothed(self, pred_probs: Float64s) -> Float64s:
        if not self.smoothing or pred_probs.min(initial=1) > 0:
            return pred_probs
        return np.asarray((1 - self.smoothing) * pred_probs + self.smoothing / pred_probs.shape[1])

    def predict(self, X: Any) -> Any:
        """Class ids of new examples: the most probable class of `predict_proba`.

        With a loss of ratings the class that is expected to cost least; of sets a list of tuples of ids.
        """
        probs = self.predict_proba(X)
        if isinstance(self._fold_models[0][0], SetFoldModel):
            sets, loss = self.set_round_.consensus.sets, (self._of_sets or self.strategy).loss
            return named_sets(MULTILABEL.decide(probs, sets, MULTILABEL.loss(loss)), sets.classes)
        acquisition = self.strategy.acquisition
        kind, loss = (ORDINAL, acquisition.loss) if isinstance(acquisition, ExpectedLoss) else (SINGLE, "")
        names: Ids = self.round_.classes[kind.decide(probs, self.round_.plan.labels, loss)]
        return names


def _tell(show: Show, number: int, passes: int, done: int, total: int) -> None:
    """Tell of the fits of one pass as a part of those of all."""
    show("training", number * total + done, passes * total)


def _plain(values: Any) -> list[Any]:
    """Python values; NaN and infinity become None."""
    items = np.asarray(values).tolist()
    return [None if isinstance(v, float) and not np.isfinite(v) else v for v in items]
