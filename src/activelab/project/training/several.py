"""A round of a question with several right classes: a classifier a class, and one consensus of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ints, Models
from activelab.multilabel import LabelSets, MultilabelAnnotatorTable, MultilabelConsensus
from activelab.multilabel.parts import (
    MultilabelEstimate,
    candidates,
    check_multilabel_probs,
    estimate_beside,
    multilabel_consensus_by,
    pair_counts,
    question_worth,
    yes_no,
)
from activelab.project._project import Project
from activelab.project.labelling.class_history import Members
from activelab.project.labelling.naming import Naming, set_codes
from activelab.project.labelling.summary import AnnotatorAccuracy, RoundMetrics
from activelab.project.settings import Settings
from activelab.project.store.schema import WHOLE

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
        """Bounds on the mean of `quality`, as `BayesianEstimate.expected_right`.

        Classes of an answered example that nobody was asked about count by their probability alone.
        """
        sets, answered = self.sets, pair_counts(self.sets) > 0
        decisions = int(sets.labelled.sum()) * sets.n_classes
        if not decisions:
            return np.nan, np.nan
        right = np.full(2, self.consensus.quality[sets.labelled[:, None] & ~answered].sum())
        for code, one in enumerate(self.estimate.of_class):
            if number := int(answered[:, code].sum()):
                bounds = one.expected_right(sets.of_class(code), yes_no(self.models, code))
                right += number * np.array(bounds)
        low, high = (right / decisions).tolist()
        return low, high


def codes_of_sets(
    project: Project, version: int, *members: list[Members] | list[Members | None]
) -> tuple[Ints, ...]:
    """Codes of sets, an array for each list, -1 for none; those nobody has given before are stored.

    Raises
    ------
    ConflictError
        If the classes are of another version than those of the sets.
    """
    wanted = {one for some in members for one in some if one is not None}
    codes: dict[Members | None, int] = {None: -1}
    if wanted:
        codes.update(project.database.write(lambda c: set_codes(c, wanted, version)).items())
    return tuple(np.array([codes[one] for one in some], dtype=np.int32) for some in members)


def judge_sets(
    sets: LabelSets,
    models: Models,
    *,
    known: Ints | None,
    families: dict[str, str],
    abstentions: LabelSets | None,
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
    abstentions : LabelSets or None
        As of `set_abstentions_beside`.
    """
    estimate = estimate_beside(sets, models, known=known, families=families, abstentions=abstentions)
    untold = MultilabelEstimate(tuple(replace(one, known=None) for one in estimate.of_class))
    return JudgedSets(multilabel_consensus_by(untold, sets, models, loss=LOSS), estimate, models)


def set_abstentions_beside(project: Project, sets: LabelSets, up_to_event: int) -> LabelSets | None:
    """Who could not tell of which classes, over the examples and annotators of some sets; None if nobody.

    People without an answer are left out: nothing is known of how they answer. What somebody has said of a
    class counts, whatever else they could not tell.
    """
    abstained = project.set_abstentions(up_to_event)
    there = {name: code for code, name in enumerate(sets.annotators.tolist())}
    of = np.array([there.get(name, -1) for name in abstained.annotators.tolist()], dtype=np.int64)
    example, who, asked = abstained.example, of[abstained.annotator], abstained.asked
    size = max(sets.n_annotators, 1)
    keys = sets.example * size + sets.annotator  # sorted, no two alike
    at = np.searchsorted(keys, example * size + who)
    same = np.flatnonzero(np.append(keys, -1)[at] == example * size + who)
    asked = asked.copy()
    asked[same] &= ~sets.asked[at[same]]
    kept = (who >= 0) & (example < sets.n_examples) & asked.any(axis=1)
    if not kept.any():
        return None
    return LabelSets(
        example[kept],
        who[kept],
        np.zeros_like(asked[kept]),
        examples=sets.examples,
        annotators=sets.annotators,
        classes=sets.classes,
        asked=asked[kept],
    )


def stored_models(stored: list[Any], sets: LabelSets) -> Models:
    """The probabilities of a round, if they are of this pool and these classes; else none."""
    if not stored or stored[0].shape != (sets.n_examples, sets.n_classes):
        return ()
    return check_multilabel_probs(np.stack(stored), sets)


def equal_as_asked(sets: LabelSets, codes: Ints, naming: Naming) -> Bools:
    """Whether each answer equals the set of its example, in the classes it was asked about.

    ``codes`` are those of sets, -1 where there is none, which nothing equals.
    """
    of = codes[sets.example]
    chosen = naming.members[np.maximum(of, 0)] if len(naming) else np.zeros_like(sets.chosen)
    other: Bools = ((sets.chosen != chosen) & sets.asked).any(axis=1)
    return (of >= 0) & ~other


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
    abstentions: LabelSets | None,
    seed: int,
    say: Callable[[str], None],
) -> tuple[Models, list[str]]:
    """Out-of-sample probabilities of every class, by each model of the project, and the models' names.

    A class is learnt from what the annotators say of it, each answer weighed by how sure that is; no model is
    trained on another's word.
    """
    from activelab.project.training.models import has_features, load_pool, make_classifier, model_names
    from activelab.set_classifiers import cross_val_set_probs, set_target

    given = has_features(project)
    model, names = make_classifier(settings, given), model_names(settings, given)
    say("reading the pool")
    X = load_pool(project, sets.n_examples)
    families = project.families(sets)
    said = judge_sets(sets, (), known=known, families=families, abstentions=abstentions).consensus
    label, weight = set_target(sets, said, known)

    def progress(done: int, total: int) -> None:
        code, rest = divmod(done * sets.n_classes, total)
        if not rest and done < total:
            say(f"training class {code + 1} of {sets.n_classes}")

    progress(0, 1)
    found = cross_val_set_probs(model, X, label, cv=settings.cv, seed=seed, weight=weight, progress=progress)
    return check_multilabel_probs(found.pred_probs, sets), names


@dataclass(frozen=True, eq=False)
class Questions:
    """What a round asks.

    Attributes
    ----------
    example : ndarray of int64
        Rows of the pool, the most worth asking first.
    asked : ndarray of int64
        The class that is asked about, or `WHOLE`.
    scores : ndarray of float64, shape (n_examples,)
        Minus what the best question about each example is expected to buy for its price.
    """

    example: Ints
    asked: Ints
    scores: Float64s


def questions_of(judged: JudgedSets, settings: Settings, eligible: Bools, seed: int) -> Questions:
    """What is asked of the eligible examples, by `activelab.multilabel.suggest_questions`; ties at random."""
    if settings.method == "random":
        size = judged.sets.n_classes if settings.ask == "classes" else 1
        worth = -np.random.default_rng(seed).random((judged.sets.n_examples, size))
    else:
        worth = question_worth(judged.estimate, judged.sets, judged.consensus.posterior, LOSS)
    example, asked, rate = candidates(worth, settings.single_price, settings.ask)
    order = np.lexsort((np.random.default_rng(seed).permutation(len(rate)), -rate))
    scores = np.full(judged.sets.n_examples, np.inf)
    np.minimum.at(scores, example, -rate)
    order = order[eligible[example[order]]]
    return Questions(example[order], asked[order], scores)


def predicted_sets(models: Models) -> list[Members]:
    """What the models together predict of each example."""
    return _members(np.mean(np.stack(models), axis=0) > 0.5)


def _members(chosen: Bools) -> list[Members]:
    found: list[list[int]] = [[] for _ in range(len(chosen))]
    for row, column in zip(*(one.tolist() for one in np.nonzero(chosen)), strict=True):
        found[row].append(column)
    return [tuple(one) for one in found]


def metrics_of(
    judged: JudgedSets, known: Ints | None, questions: Questions, batch_size: int, num_labels: int
) -> RoundMetrics:
    """What a round measured. Shares are of the decisions, one an example and class."""
    sets, counts = judged.sets, pair_counts(judged.sets)
    yes = np.zeros((sets.n_examples, sets.n_classes))
    np.add.at(yes, sets.example, sets.chosen)
    share = np.divide(yes, counts, out=np.zeros_like(yes), where=counts > 0)
    some, answered, quality = sets.labelled.copy(), counts > 0, judged.consensus.quality.copy()
    batch, about = questions.example[:batch_size], questions.asked[:batch_size]
    again = np.where(about == WHOLE, some[batch], answered[batch, about])
    if known is not None:
        told = (known >= 0).all(axis=1)
        share[told], quality[told], some[told], answered[told] = known[told], 1.0, True, True
    exact = quality.prod(axis=1)
    predicted = np.mean(np.stack(judged.models), axis=0) > 0.5
    # A tie of the annotators is half a hit.
    hit = np.where(share == 0.5, 0.5, predicted == (share > 0.5))
    low, high = judged.expected_right()
    judged_share = _mean(sets.labelled[some]) or 0.0
    return RoundMetrics(
        num_labels=num_labels,
        num_labelled=int(sets.labelled.sum()),
        num_examples=sets.n_examples,
        relabel_share=_mean(again),
        cv_accuracy=_mean(hit[answered]),
        expected_accuracy=_mean(quality[some]),
        expected_low=_number(1 - judged_share * (1 - low)),
        expected_high=_number(1 - judged_share * (1 - high)),
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
