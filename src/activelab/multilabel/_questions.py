"""What to ask next: a whole example, or whether one class applies, whichever buys more for its price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from activelab import _html
from activelab._errors import InputError, unknown
from activelab._frames import Backend, make_frame
from activelab._kernels import tie_break
from activelab._typing import Bools, Float64s, Ids, Ints
from activelab.multilabel._consensus import pool_posterior
from activelab.multilabel._estimate import MultilabelEstimate, multilabel_estimate
from activelab.multilabel._loss import SetLoss, thresholds
from activelab.multilabel._probs import joined_sets
from activelab.multilabel._sets import LabelSets

Ask = Literal["either", "examples", "classes"]
_ASKS = ("either", "examples", "classes")


@dataclass(frozen=True, eq=False)
class QuestionBatch:
    """What to ask next, best first: whole examples and single classes of examples.

    Attributes
    ----------
    examples : ndarray, shape (batch_size,)
        Ids.
    classes : ndarray of object
        Id of the class that is asked about; None where the whole set is.
    worth : ndarray of float64
        By how much an answer is expected to lower the loss, for its price; high = most worth asking.
    price : ndarray of float64
        Price of the question, in whole answers.
    probability : ndarray of float64 in [0, 1]
        Probability that the class applies; NaN where the whole set is asked for.
    num_labels : ndarray of int64
        Answers there are about the example, or about this class of it.
    notes : tuple of str
        Why the batch is smaller than asked for.
    """

    examples: Ids
    classes: Ids
    worth: Float64s
    price: Float64s
    probability: Float64s
    num_labels: Ints
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return zip(self.examples.tolist(), self.classes.tolist(), strict=True)

    def __repr__(self) -> str:
        return f"QuestionBatch({self._headline()}{''.join(f'; note: {one}' for one in self.notes)})"

    def _headline(self) -> str:
        single = sum(name is not None for name in self.classes.tolist())
        return f"{len(self) - single} whole examples, {single} single classes"

    def _repr_html_(self) -> str:
        """As a notebook shows it: the questions, best first."""
        return _html.page(self._headline(), _html.table(self.to_dict()), notes=self.notes)

    def to_dict(self) -> dict[str, Ids]:
        """The columns by the names they have in files: example, class, worth, …"""
        columns = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "notes"}
        return {"example": columns.pop("examples"), "class": columns.pop("classes"), **columns}

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """A dataframe of `to_dict`; ``backend`` is "pandas", "polars" or "pyarrow"."""
        return make_frame(self.to_dict(), backend)


def suggest_questions(
    sets: LabelSets,
    pred_probs: Any = None,
    batch_size: int = 10,
    *,
    ask: Ask = "either",
    class_price: float | None = None,
    loss: SetLoss = "hamming",
    eligible: Bools | None = None,
    seed: int = 0,
) -> QuestionBatch:
    """What to ask next: whole sets, or single classes ("is it also a refund?"), by worth for their price.

    The worth of a question about a class is by how much one more answer is expected to lower the squared
    error of its probability, which an answer by an annotator as good as the mean moves up or down; the more
    answers there are, the less, as held-out answers show. That of a whole example is the sum over its
    classes. An example is asked as a whole where that buys more for its price than the best of its classes.

    Parameters
    ----------
    sets : LabelSets
        The answers so far.
    pred_probs : array-like, dataframe or list, optional
        Out-of-sample probabilities, as for `multilabel_consensus`.
    batch_size : int
        Number of questions.
    ask : {"either", "examples", "classes"}
        Whether whole examples, single classes or both may be asked.
    class_price : float, optional
        Price of a question about one class, a whole answer costing 1; by default 1 / n_classes.
    loss : {"hamming", "f1"}
        By "f1" a mistake about a class weighs the more the rarer the class is.
    eligible : ndarray of bool, shape (n_examples,), optional
        Examples that may be asked about; by default all.
    seed : int
        Seed that breaks ties.

    Returns
    -------
    QuestionBatch

    Raises
    ------
    InputError
        If an argument does not match ``sets``, is unknown, or a number is not positive.

    Examples
    --------
    >>> import activelab as al
    >>> sets = al.LabelSets.from_lists([["a|b", "a"], ["|", "|"], ["a", "a"]])
    >>> [*al.suggest_questions(sets, batch_size=1)]
    [(0, 'b')]
    """
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}.")
    if ask not in _ASKS:
        raise unknown("ask", ask, _ASKS)
    price = 1 / max(sets.n_classes, 1) if class_price is None else float(class_price)
    if not price > 0:
        raise InputError(f"class_price must be positive, got {class_price}.")
    sets, models = joined_sets(sets, pred_probs)
    estimate = multilabel_estimate(sets, models)
    posterior = pool_posterior(estimate, sets, models)
    worth = question_worth(estimate, sets, posterior, loss)
    if eligible is not None:
        allowed = np.asarray(eligible)
        if allowed.shape != (sets.n_examples,) or allowed.dtype != bool:
            raise InputError(f"eligible needs booleans of shape ({sets.n_examples},), got {allowed.shape}.")
        worth = np.where(allowed[:, None], worth, -np.inf)
    example, code, rate = candidates(worth, price, ask)
    size = min(batch_size, len(example))
    best = _highest(rate, example * (sets.n_classes + 1) + code + 1, size, seed)
    example, code, rate = example[best], code[best], rate[best]
    single = code >= 0
    classes = np.full(size, None, dtype=object)
    classes[single] = sets.classes[code[single]]
    asked = answers_by_class(sets)
    notes = (f"only {size:,} questions are left to ask.",) if size < batch_size else ()
    return QuestionBatch(
        examples=sets.examples[example],
        classes=classes,
        worth=rate,
        price=np.where(single, price, 1.0),
        probability=np.where(single, posterior[example, code], np.nan),
        num_labels=np.where(single, asked[example, code], sets.counts[example]).astype(np.int64),
        notes=notes,
    )


def answers_by_class(sets: LabelSets) -> Ints:
    """How many answers there are about each class of each example, shape (n_examples, n_classes)."""
    counts = [np.diff(sets.of_class(code).offsets) for code in range(sets.n_classes)]
    return np.stack(counts, axis=1) if counts else np.empty((sets.n_examples, 0), dtype=np.int64)


def question_worth(estimate: MultilabelEstimate, sets: LabelSets, posterior: Float64s, loss: str) -> Float64s:
    """What one more answer about each class of each example is expected to buy, shape as of ``posterior``."""
    worth = np.empty_like(posterior)
    sensitivity, specificity = estimate.rates(sets.n_annotators)
    for code, one in enumerate(estimate.of_class):
        labels = sets.of_class(code)
        given = np.bincount(labels.annotator, minlength=sets.n_annotators) + 1e-9
        yes, no = (float(np.average(rate[:, code], weights=given)) for rate in (sensitivity, specificity))
        voices = np.maximum(np.diff(labels.offsets) + one.prior.voices, 0)
        more = np.maximum(voices + 1, 1) ** (1 - one.discount) - np.maximum(voices, 0) ** (1 - one.discount)
        worth[:, code] = _variance_after(posterior[:, code], yes, no, np.clip(more, 0, 1))
    if loss == "f1":
        # A mistake about a class costs the more of its F1 the rarer the class.
        chosen = posterior >= thresholds(posterior, loss)
        worth *= sets.n_examples / np.maximum(posterior.sum(axis=0) + chosen.sum(axis=0), 1)
    else:
        thresholds(posterior[:0], loss)
    return worth


def _variance_after(p: Float64s, sensitivity: float, specificity: float, more: Float64s) -> Float64s:
    """Variance of the probability after one more answer, worth ``more`` of an independent one."""
    of_yes = np.log(sensitivity / (1 - specificity)) * more
    of_no = np.log((1 - sensitivity) / specificity) * more
    # The answer whose two likelihood ratios these are: rates that an answer worth less has.
    ratio_yes, ratio_no = np.exp(of_yes), np.exp(of_no)
    false_alarm = (1 - ratio_no) / np.maximum(ratio_yes - ratio_no, 1e-12)
    hit = false_alarm * ratio_yes
    says_yes = p * hit + (1 - p) * false_alarm
    after_yes = p * hit / np.maximum(says_yes, 1e-300)
    after_no = p * (1 - hit) / np.maximum(1 - says_yes, 1e-300)
    return np.asarray(says_yes * (after_yes - p) ** 2 + (1 - says_yes) * (after_no - p) ** 2)


def candidates(worth: Float64s, price: float, ask: str) -> tuple[Ints, Ints, Float64s]:
    """Example, class (-1 for all) and worth for the price of every question that may be asked.

    ``worth`` is that of a question about each class of each example, -inf where it may not be asked. One
    about a class costs ``price``.
    """
    whole, single = worth.sum(axis=1), worth / price
    as_whole = np.full(len(worth), ask == "examples")
    if ask == "either":
        as_whole = whole > single.max(axis=1, initial=-np.inf)
    allowed = np.isfinite(whole)
    example = np.flatnonzero(as_whole & allowed)
    row, column = np.nonzero(np.repeat((~as_whole & allowed)[:, None], worth.shape[1], axis=1))
    return (
        np.concatenate([example, row]),
        np.concatenate([np.full(len(example), -1), column]),
        np.concatenate([whole[example], single[row, column]]),
    )


def _highest(rate: Float64s, key: Ints, size: int, seed: int) -> Ints:
    """Positions of the highest rates, best first; ties by a draw."""
    if size < len(rate):
        least = np.partition(rate, len(rate) - size)[len(rate) - size]
        kept = np.flatnonzero(rate >= least)
    else:
        kept = np.arange(len(rate))
    order = np.lexsort((tie_break(seed, key[kept]), -rate[kept]))
    return np.asarray(kept[order][:size])
