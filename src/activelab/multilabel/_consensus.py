"""Consensus sets: for each class whether it applies, from answers and models."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from activelab import _html
from activelab._errors import InputError
from activelab._frames import Backend, make_frame
from activelab._kernels import blocks
from activelab._typing import Bools, Float64s, Ids, Ints, Models
from activelab.consensus.parts import check_abstentions, family_codes
from activelab.labels import Labels
from activelab.multilabel._estimate import MultilabelEstimate, multilabel_estimate, yes_no
from activelab.multilabel._loss import SetLoss, choose, thresholds
from activelab.multilabel._probs import joined_sets
from activelab.multilabel._sets import LabelSets, named_sets, texts


@dataclass(frozen=True, eq=False)
class MultilabelAnnotatorTable:
    """One entry an annotator, in the order of ``sets.annotators``. NaN means not estimable.

    Attributes
    ----------
    annotator : ndarray, shape (n_annotators,)
        Ids.
    quality : ndarray of float64 in [0, 1]
        Share of the annotator's single answers (a class of an example) that equal the consensus, on examples
        others answered about, too.
    agreement_with_consensus : ndarray of float64 in [0, 1]
        The same on all examples.
    accuracy : ndarray of float64 in [0, 1]
        Expected share of right single answers, by how the annotator errs in each class.
    sensitivity, specificity : ndarray of float64 in [0, 1]
        Probability of a yes where a class applies and of a no where it does not, mean over the classes.
    num_labels, num_overlapping : ndarray of int64
        Answers, and those about examples that others answered about, too.
    voice : ndarray of float64 in (0, 1]
        Voices an answer counts for (see `bayesian_consensus`).
    worst_class : ndarray
        Class in which sensitivity and specificity together are lowest; None without answers.
    of_class : dict of str to ndarray
        A table with one row an annotator and class: annotator, class, sensitivity, specificity, num_labels
        (single answers), num_chosen (those that say yes), agreement_with_consensus.
    """

    annotator: Ids
    quality: Float64s
    agreement_with_consensus: Float64s
    accuracy: Float64s
    sensitivity: Float64s
    specificity: Float64s
    num_labels: Ints
    num_overlapping: Ints
    voice: Float64s
    worst_class: Ids
    of_class: dict[str, Ids]

    def __len__(self) -> int:
        return len(self.annotator)

    def __getitem__(self, column: str) -> Ids:
        return self.to_dict()[column]

    def __repr__(self) -> str:
        return f"MultilabelAnnotatorTable({len(self)} annotators; {', '.join(self.to_dict())})"

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return _html.page(f"{len(self):,} annotators", _html.table(self.to_dict()))

    def to_dict(self) -> dict[str, Ids]:
        """The columns by name, without `of_class`."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "of_class"}

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """A dataframe of `to_dict`; ``backend`` is "pandas", "polars" or "pyarrow"."""
        return make_frame(self.to_dict(), backend)


@dataclass(frozen=True, eq=False)
class MultilabelConsensus:
    """Consensus sets, and how far they and the annotators can be trusted. Row i is example i of ``sets``.

    Attributes
    ----------
    sets : LabelSets
        The answers the consensus is of.
    posterior : ndarray of float64, shape (n_examples, n_classes)
        Probability that each class applies; without answers, what models and the other answers make likely.
    chosen : ndarray of bool, shape (n_examples, n_classes)
        The consensus; False for examples without answers.
    threshold : ndarray of float64, shape (n_classes,)
        Probability from which a class is chosen, by the loss.
    quality : ndarray of float64 in [0, 1], shape (n_examples, n_classes)
        Probability that ``chosen`` is right; NaN for examples without answers.
    example_quality : ndarray of float64 in [0, 1], shape (n_examples,)
        Expected share of the classes in which ``chosen`` is right; NaN without answers.
    agreement : ndarray of float64 in [0, 1], shape (n_examples,)
        Share of the single answers (a class of an example) that equal the consensus; NaN without answers.
    annotators : MultilabelAnnotatorTable
    notes : tuple of str
        What could not be estimated, in words.
    """

    sets: LabelSets
    posterior: Float64s
    chosen: Bools
    threshold: Float64s
    quality: Float64s
    example_quality: Float64s
    agreement: Float64s
    annotators: MultilabelAnnotatorTable
    notes: tuple[str, ...]

    @property
    def label_sets(self) -> list[tuple[Any, ...] | None]:
        """The classes of each example as the user's own ids; None without answers."""
        named = named_sets(self.chosen, self.sets.classes)
        return [one if given else None for one, given in zip(named, self.sets.labelled.tolist(), strict=True)]

    def __repr__(self) -> str:
        given = self.sets.labelled
        mean = f"{self.example_quality[given].mean():.3f}" if given.any() else "not estimable"
        return f"MultilabelConsensus({int(given.sum()):,} answered examples, mean quality {mean})"

    def _repr_html_(self) -> str:
        """As a notebook shows it: how sure it is, and the first examples."""
        given = self.sets.labelled
        facts = {
            "examples with a consensus": int(given.sum()),
            "mean quality": float(self.example_quality[given].mean()) if given.any() else None,
            "mean agreement": float(np.nanmean(self.agreement)) if self.sets.n_answers else None,
        }
        return _html.page("Multi-label consensus", _html.table(self.to_dict()), facts=facts, notes=self.notes)

    def to_dict(self) -> dict[str, Ids]:
        """Columns example, consensus_label ("a|b"), quality, agreement, num_labels, of the answered."""
        given = self.sets.labelled
        return {
            "example": self.sets.examples[given],
            "consensus_label": texts(self.chosen[given], self.sets.classes),
            "quality": self.example_quality[given],
            "agreement": self.agreement[given],
            "num_labels": self.sets.counts[given],
        }

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """A dataframe of `to_dict`; ``backend`` is "pandas", "polars" or "pyarrow"."""
        return make_frame(self.to_dict(), backend)


def multilabel_consensus(
    sets: LabelSets,
    pred_probs: Any = None,
    *,
    loss: SetLoss = "hamming",
    known: Any = None,
    families: dict[Any, str] | None = None,
    abstentions: Labels | LabelSets | None = None,
) -> MultilabelConsensus:
    """Consensus of answers that are sets: for each class whether it applies, and how sure that is.

    Each class is a yes-no question as for `bayesian_consensus`: models are the prior, annotators noisy
    channels. What few answers about a rare class cannot tell comes from the others: an annotator's
    sensitivity and specificity are shrunk to those of the class and the annotator together, models are
    calibrated with what all classes show, and how far the posterior can be believed is learnt from held-out
    answers to all classes. Classes are as frequent as answers say, as far as people agree, and models are
    believed for what they say beyond that. How frequent a class is counts in full, however many answers
    there are.

    Parameters
    ----------
    sets : LabelSets
    pred_probs : array-like, dataframe or list, optional
        Out-of-sample probabilities of each class, shape ``(n_examples, n_classes)``, or the list that
        scikit-learn's ``MultiOutputClassifier.predict_proba`` gives; see `check_multilabel_probs`.
    loss : {"hamming", "f1"}
        What a wrong set costs. By "hamming" a class is chosen where it is more probable than not, which makes
        the most single answers right; by "f1" from the threshold a class that makes its expected F1 over
        the pool largest, which is lower for rare classes.
    known : array-like of int, shape (n_examples, n_classes), optional
        1 and 0 where somebody with the authority to say so has said that a class applies or not, -1
        elsewhere.
    families : dict, optional
        As for `bayesian_consensus`.
    abstentions : Labels or LabelSets, optional
        Who could not tell: `Labels` of whole examples, as `Labels.set_apart` gives them; or `LabelSets` of
        which ``asked`` says of which classes, where nothing is chosen.

    Returns
    -------
    MultilabelConsensus

    Raises
    ------
    InputError
        If ``pred_probs``, ``known``, ``families`` or ``abstentions`` does not match ``sets``, or the loss is
        unknown.

    Examples
    --------
    >>> import activelab as al
    >>> answers = [["a|b", "a|b", "a"], ["|", "|", "b"], ["a", "a", "a"], ["b", "b", "b"]]
    >>> sets = al.LabelSets.from_lists(answers)
    >>> consensus = al.multilabel_consensus(sets)
    >>> consensus.label_sets
    [('a', 'b'), (), ('a',), ('b',)]
    """
    sets, models = joined_sets(sets, pred_probs)
    thresholds(np.empty((0, sets.n_classes)), loss)
    estimate = estimate_beside(sets, models, known=known, families=families, abstentions=abstentions)
    return multilabel_consensus_by(estimate, sets, models, loss=loss)


def estimate_beside(
    sets: LabelSets,
    models: Models,
    *,
    known: Any = None,
    families: dict[Any, str] | None = None,
    abstentions: Labels | LabelSets | None = None,
) -> MultilabelEstimate:
    """`multilabel_estimate` with what is known besides, checked as by `multilabel_consensus`."""
    kin = family_codes(families, sets.of_class(0)) if families and sets.n_classes else None
    return multilabel_estimate(
        sets,
        models,
        known=check_known_sets(known, sets),
        families=kin,
        abstentions=check_set_abstentions(abstentions, sets),
    )


def multilabel_consensus_by(
    estimate: MultilabelEstimate, sets: LabelSets, models: Models, *, loss: str
) -> MultilabelConsensus:
    """`multilabel_consensus` by an estimate there is."""
    posterior = pool_posterior(estimate, sets, models)
    given = sets.labelled
    threshold = thresholds(posterior[given], loss)
    chosen = choose(posterior, threshold)
    chosen[~given] = False
    quality = np.where(chosen, posterior, 1 - posterior)
    quality[~given] = np.nan
    same, asked = _agreed(sets, chosen)
    notes = estimate.notes(sets)
    return MultilabelConsensus(
        sets=sets,
        posterior=posterior,
        chosen=chosen,
        threshold=threshold,
        quality=quality,
        example_quality=quality.mean(axis=1) if sets.n_classes else np.full(sets.n_examples, np.nan),
        agreement=_ratio(same.of_example, asked.of_example),
        annotators=_annotator_table(estimate, sets, same, asked, chosen),
        notes=notes,
    )


def pool_posterior(estimate: MultilabelEstimate, sets: LabelSets, models: Models) -> Float64s:
    """Probability that each class applies to each example, shape (n_examples, n_classes)."""
    posterior = np.empty((sets.n_examples, sets.n_classes))
    for code, one in enumerate(estimate.of_class):
        theirs = yes_no(models, code)
        for block in blocks(sets.of_class(code)):
            posterior[block.index, code] = one.posterior(block, theirs)[:, 1]
    return posterior


@dataclass(frozen=True)
class _Counts:
    """Numbers of single answers: by example, and by annotator and class."""

    of_example: Float64s
    of_annotator: Float64s
    of_overlapping: Float64s


def _agreed(sets: LabelSets, chosen: Bools) -> tuple[_Counts, _Counts]:
    """How many single answers equal the consensus, and how many there are."""
    size = sets.n_annotators
    example = sets.example
    overlapping = (sets.counts > 1)[example]
    counts = []
    for same_only in (True, False):
        of_example, of_overlapping = np.zeros(sets.n_examples), np.zeros(size)
        of_annotator = np.zeros((size, sets.n_classes))
        for code in range(sets.n_classes):
            hit = sets.asked_about(code).astype(np.float64)
            if same_only:
                hit *= sets.chosen[:, code] == chosen[example, code]
            of_example += np.bincount(example, hit, sets.n_examples)
            of_annotator[:, code] = np.bincount(sets.annotator, hit, size)
            of_overlapping += np.bincount(sets.annotator, hit * overlapping, size)
        counts.append(_Counts(of_example, of_annotator, of_overlapping))
    return counts[0], counts[1]


def _annotator_table(
    estimate: MultilabelEstimate, sets: LabelSets, same: _Counts, asked: _Counts, chosen: Bools
) -> MultilabelAnnotatorTable:
    size, n_classes = sets.n_annotators, sets.n_classes
    sensitivity, specificity = estimate.rates(size)
    told = asked.of_annotator > 0
    sensitivity, specificity = (np.where(told, one, np.nan) for one in (sensitivity, specificity))
    share = chosen[sets.labelled].mean(axis=0) if sets.n_answers else np.zeros(n_classes)
    accuracy = share * sensitivity + (1 - share) * specificity
    weight = asked.of_annotator
    balanced = np.where(told, sensitivity + specificity, np.inf)
    worst = np.full(size, None, dtype=object)
    some = told.any(axis=1)
    if n_classes:
        worst[some] = sets.classes[balanced[some].argmin(axis=1)]
    answers = np.bincount(sets.annotator, minlength=size)
    overlapping = np.bincount(sets.annotator, (sets.counts > 1)[sets.example], size)
    who, which = (one.reshape(-1) for one in np.indices((size, n_classes)))
    said = np.stack(
        [
            np.bincount(sets.annotator, sets.chosen[:, code], size).astype(np.int64)
            for code in range(n_classes)
        ]
        or [np.empty(0, dtype=np.int64)],
        axis=-1,
    )
    return MultilabelAnnotatorTable(
        annotator=sets.annotators,
        quality=_ratio(same.of_overlapping, asked.of_overlapping),
        agreement_with_consensus=_ratio(same.of_annotator.sum(axis=1), weight.sum(axis=1)),
        accuracy=_ratio(np.nansum(accuracy * weight, axis=1), weight.sum(axis=1)),
        sensitivity=_ratio(np.nansum(sensitivity, axis=1), told.sum(axis=1)),
        specificity=_ratio(np.nansum(specificity, axis=1), told.sum(axis=1)),
        num_labels=answers.astype(np.int64),
        num_overlapping=overlapping.astype(np.int64),
        voice=estimate.mean_voices(sets),
        worst_class=worst,
        of_class={
            "annotator": sets.annotators[who],
            "class": sets.classes[which],
            "sensitivity": sensitivity.reshape(-1),
            "specificity": specificity.reshape(-1),
            "num_labels": weight.reshape(-1).astype(np.int64),
            "num_chosen": said.reshape(-1),
            "agreement_with_consensus": _ratio(same.of_annotator.reshape(-1), weight.reshape(-1)),
        },
    )


def check_known_sets(known: Any, sets: LabelSets) -> Ints | None:
    """What is known of each class of each example, checked; None where nothing is."""
    if known is None:
        return None
    codes = np.asarray(known)
    shape = (sets.n_examples, sets.n_classes)
    if codes.shape != shape or codes.dtype.kind not in "iub" or not np.isin(codes, (-1, 0, 1)).all():
        raise InputError(
            f"known must hold 0, 1 or -1 (unknown) for each example and class, shape {shape}; got shape "
            f"{codes.shape} and dtype {codes.dtype}."
        )
    codes = codes.astype(np.int64)
    return codes if (codes >= 0).any() else None


def check_set_abstentions(abstentions: Labels | LabelSets | None, sets: LabelSets) -> list[Labels] | None:
    """Who could not tell of each class, over the examples and annotators of ``sets``; None if nobody.

    Raises
    ------
    InputError
        As `check_abstentions`; if they are of other classes, or say that one applies.
    """
    size = sets.n_classes
    if abstentions is None or not size:
        return None
    if isinstance(abstentions, LabelSets):
        if abstentions.classes.tolist() != sets.classes.tolist():
            raise InputError("abstentions and answers must have the same classes, in the same order.")
        if abstentions.chosen.any():
            row = int(abstentions.chosen.any(axis=1).argmax())
            raise InputError("who cannot tell chooses no class: abstentions must be empty sets.", row=row)
        found = [check_abstentions(abstentions.of_class(code), sets.of_class(code)) for code in range(size)]
    elif sets.asked.all():
        found = [check_abstentions(abstentions, sets.of_class(0))] * size
    else:
        found = [check_abstentions(abstentions, sets.of_class(code)) for code in range(size)]
    if all(one is None for one in found):
        return None
    nobody = Labels([], [], [], examples=sets.examples, annotators=sets.annotators, classes=1)
    return [nobody if one is None else one for one in found]


def _ratio(numerator: Any, denominator: Any) -> Float64s:
    numerator, denominator = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    share = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=share, where=denominator > 0)
    return share
