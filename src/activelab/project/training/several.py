"""A round of a question with several right classes: a classifier a class, and one consensus of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ints, Models
from activelab.consensus.parts import family_codes
from activelab.multilabel import LabelSets, MultilabelAnnotatorTable, MultilabelConsensus
from activelab.multilabel.parts import (
    MultilabelEstimate,
    check_multilabel_probs,
    multilabel_consensus_by,
    multilabel_estimate,
    question_worth,
    yes_no,
)
from activelab.project._project import Project
from activelab.project.labelling.naming import Members, Naming
from activelab.project.labelling.summary import AnnotatorAccuracy, RoundMetrics
from activelab.project.settings import Settings, load_value

LOSS = "hamming"
"""What a wrong set costs: as many as there are classes in which it is wrong."""

_FEW = 5  # examples that others answered, too, below which nothing is said of an annotator


@dataclass(frozen=True, eq=False)
class JudgedSets:
    """What annotators and models say of every example, whatever is known of it by itself.

    Attributes
    ----------
    consensus : MultilabelConsensus
    estimate : MultilabelEstimate
    models : tuple of ndarray
        Probability of each class, shape (n_examples, n_classes), by each model.
    """

    consensus: MultilabelConsensus
    estimate: MultilabelEstimate
    models: Models

    @property
    def sets(self) -> LabelSets:
        """The answers."""
        return self.consensus.sets

    @property
    def members(self) -> list[Members | None]:
        """The consensus of each example as codes of classes; None without answers."""
        given = self.sets.labelled.tolist()
        return [
            one if there else None for one, there in zip(_members(self.consensus.chosen), given, strict=True)
        ]

    @property
    def quality(self) -> Float64s:
        """Expected share of the classes in which the consensus is right; NaN without answers."""
        return self.consensus.example_quality

    @property
    def exact(self) -> Float64s:
        """Probability that the consensus is right in every class; NaN without answers."""
        return np.asarray(self.consensus.quality.prod(axis=1))

    def expected_right(self) -> tuple[float, float]:
        """Bounds on the mean of `quality`, as `BayesianEstimate.expected_right`."""
        bounds = [
            one.expected_right(self.sets.of_class(code), yes_no(self.models, code))
            for code, one in enumerate(self.estimate.of_class)
        ]
        low, high = np.mean(bounds, axis=0).tolist() if bounds else (np.nan, np.nan)
        return low, high


def judge_sets(
    sets: LabelSets, models: Models, *, known: Ints | None, families: dict[str, str]
) -> JudgedSets:
    """The consensus of sets; how annotators err is learnt from what is ``known``, too.

    Parameters
    ----------
    sets : LabelSets
    models : tuple of ndarray, shape (n_examples, n_classes) each
        Checked; empty if there are none.
    known : ndarray of int, shape (n_examples, n_classes), or None
        1 and 0 where it is known that a class applies or not, -1 elsewhere.
    families : dict
    """
    kin = family_codes(families, sets.of_class(0)) if families and sets.n_classes else None
    estimate = multilabel_estimate(sets, models, known=known, families=kin)
    untold = MultilabelEstimate(tuple(replace(one, known=None) for one in estimate.of_class))
    return JudgedSets(multilabel_consensus_by(untold, sets, models, loss=LOSS), estimate, models)


def stored_models(stored: list[Any], sets: LabelSets) -> Models:
    """The probabilities of a round, if they are of this pool and these classes; else none."""
    if not stored or stored[0].shape != (sets.n_examples, sets.n_classes):
        return ()
    return check_multilabel_probs(np.stack(stored), sets)


def known_sets(codes: Ints, naming: Naming) -> Ints | None:
    """What is known of each example as 1, 0 or -1 a class, from codes of sets."""
    if not (codes >= 0).any():
        return None
    known = np.full((len(codes), len(naming.classes)), -1, dtype=np.int64)
    known[codes >= 0] = naming.members[codes[codes >= 0]]
    return known


def train_sets(
    project: Project,
    settings: Settings,
    sets: LabelSets,
    known: Ints | None,
    seed: int,
    say: Callable[[str], None],
) -> tuple[Models, list[str]]:
    """Out-of-sample probabilities of every class, by each model of the project, and the models' names.

    A class is learnt from what the annotators say of it, each answer weighed by how sure that is; no model is
    trained on another's word.
    """
    from activelab.project.training.models import load_pool, make_classifier, model_names
    from activelab.set_classifiers import cross_val_set_probs, set_target

    width = project.database.read(lambda c: load_value(c, "num_features"))
    model, names = make_classifier(settings, width is not None), model_names(settings, width is not None)
    say("reading the pool")
    X = load_pool(project, sets.n_examples)
    said = judge_sets(sets, (), known=known, families=project.families(sets.of_class(0))).consensus
    label, weight = set_target(sets, said, known)

    def progress(done: int, total: int) -> None:
        code, rest = divmod(done * sets.n_classes, total)
        if not rest and done < total:
            say(f"training class {code + 1} of {sets.n_classes}")

    progress(0, 1)
    found = cross_val_set_probs(model, X, label, cv=settings.cv, seed=seed, weight=weight, progress=progress)
    return check_multilabel_probs(found.pred_probs, sets), names


def scores_of(judged: JudgedSets, settings: Settings, seed: int) -> Float64s:
    """How much each example is worth a label, the lowest first: minus what an answer is expected to buy."""
    if settings.method == "random":
        return np.random.default_rng(seed).random(judged.sets.n_examples)
    worth = question_worth(judged.estimate, judged.sets, judged.consensus.posterior, LOSS)
    return np.asarray(-worth.sum(axis=1))


def order_of(scores: Float64s, eligible: Bools, seed: int) -> Ints:
    """The eligible examples, the most worth labelling first; ties at random."""
    ties = np.random.default_rng(seed).permutation(len(scores))
    order = np.lexsort((ties, scores))
    return np.asarray(order[eligible[order]])


def predicted_sets(models: Models) -> list[Members]:
    """What the models together predict of each example."""
    return _members(np.mean(np.stack(models), axis=0) > 0.5)


def _members(chosen: Bools) -> list[Members]:
    found: list[list[int]] = [[] for _ in range(len(chosen))]
    for row, column in zip(*(one.tolist() for one in np.nonzero(chosen)), strict=True):
        found[row].append(column)
    return [tuple(one) for one in found]


def metrics_of(judged: JudgedSets, known: Ints | None, order: Ints, batch_size: int) -> RoundMetrics:
    """What a round measured. Shares are of the decisions, one an example and class."""
    sets = judged.sets
    yes = np.zeros((sets.n_examples, sets.n_classes))
    np.add.at(yes, sets.example, sets.chosen)
    share = np.divide(yes, sets.counts[:, None], out=np.zeros_like(yes), where=sets.counts[:, None] > 0)
    some, quality = sets.labelled.copy(), judged.consensus.quality.copy()
    if known is not None:
        told = (known >= 0).all(axis=1)
        share[told], quality[told], some[told] = known[told], 1.0, True
    exact = quality.prod(axis=1)
    predicted = np.mean(np.stack(judged.models), axis=0) > 0.5
    # A tie of the annotators is half a hit.
    hit = np.where(share == 0.5, 0.5, predicted == (share > 0.5))
    low, high = judged.expected_right()
    answered = _mean(sets.labelled[some]) or 0.0
    return RoundMetrics(
        num_labels=sets.n_answers,
        num_labelled=int(sets.labelled.sum()),
        num_examples=sets.n_examples,
        relabel_share=_mean(sets.labelled[order[:batch_size]]),
        cv_accuracy=_mean(hit[some]),
        expected_accuracy=_mean(quality[some]),
        expected_low=_number(1 - answered * (1 - low)),
        expected_high=_number(1 - answered * (1 - high)),
        expected_exact=_mean(exact[some]),
    )


def accuracies_of(table: MultilabelAnnotatorTable) -> dict[str, AnnotatorAccuracy]:
    """How right each annotator is, over all classes."""
    columns = (table.accuracy, table.voice, table.sensitivity, table.specificity)
    rows = zip(table.annotator.tolist(), table.num_overlapping.tolist(), *columns, strict=True)
    return {
        str(name): AnnotatorAccuracy(
            accuracy=_number(accuracy),
            comparisons=float(number),
            voice=_number(voice),
            too_few=number < _FEW,
            sensitivity=_number(sensitivity),
            specificity=_number(specificity),
        )
        for name, number, accuracy, voice, sensitivity, specificity in rows
    }


def given_probs(project: Project, sets: LabelSets, pred_probs: Any) -> Models:
    """Probabilities from elsewhere, aligned by id where they carry ids.

    Raises
    ------
    InputError
        If they do not fit the project.
    """
    named = LabelSets(
        sets.example, sets.annotator, sets.chosen,
        examples=np.array(project.example_names()[: sets.n_examples], dtype=object),
        annotators=sets.annotators, classes=sets.classes,
    )  # fmt: skip
    several = pred_probs if isinstance(pred_probs, list | tuple) else [pred_probs]
    try:
        return tuple(model for one in several for model in check_multilabel_probs(one, named))
    except InputError as error:
        if error.advice is not None:
            error.advice = "project_predictions"
        raise


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: Any) -> float | None:
    return _number(np.mean(values)) if np.size(values) else None
