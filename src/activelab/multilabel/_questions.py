"""What to ask next: a whole example, or whether one class applies, whichever buys more for its price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from activelab import _html
from activelab._errors import InputError, unknown
from activelab._frames import Backend, make_frame
from activelab._typing import Bools, Float64s, Ids, Ints, Models
from activelab.labels import Labels
from activelab.multilabel._consensus import estimate_beside, pool_posterior
from activelab.multilabel._estimate import MultilabelEstimate
from activelab.multilabel._loss import SetLoss, thresholds
from activelab.multilabel._probs import joined_sets
from activelab.multilabel._sets import LabelSets
from activelab.selection import batch_order

Ask = Literal["either", "examples", "classes"]
ASKS = ("either", "examples", "classes")
"""Whether whole examples, single classes or both are asked about."""

SET_METHODS = ("expected_loss", "random")
"""What makes a question worth asking, the default first."""


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
    method: str = "expected_loss",
    eligible: Bools | None = None,
    abstentions: Labels | LabelSets | None = None,
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
    method : {"expected_loss", "random"}
        By "random" questions are drawn, to compare with; where either may be asked, for whole examples.
    eligible : ndarray of bool, shape (n_examples,) or (n_examples, n_classes), optional
        Examples, or classes of examples, that may be asked about; by default all.
    abstentions : Labels or LabelSets, optional
        As for `multilabel_consensus`. A question is worth the less the less likely whoever is asked can tell.
    seed : int
        Seed of draws and ties.

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
    sets, models = joined_sets(sets, pred_probs)
    estimate = estimate_beside(sets, models, abstentions=abstentions)
    posterior = pool_posterior(estimate, sets, models)
    return questions_by(
        estimate,
        sets,
        posterior,
        batch_size,
        ask=ask,
        class_price=class_price,
        loss=loss,
        method=method,
        eligible=eligible,
        seed=seed,
    )


def questions_by(
    estimate: MultilabelEstimate,
    sets: LabelSets,
    posterior: Float64s,
    batch_size: int,
    *,
    ask: str,
    class_price: float | None,
    loss: str,
    method: str,
    eligible: Bools | None,
    seed: int,
) -> QuestionBatch:
    """`suggest_questions` by an estimate there is, and the probability of each class of each example."""
    price = check_asking(batch_size, ask, class_price, sets.n_classes)
    if method not in SET_METHODS:
        raise unknown("method for sets", method, SET_METHODS)
    allowed = None
    if eligible is not None:
        allowed = np.asarray(eligible)
        if allowed.shape not in ((sets.n_examples,), posterior.shape) or allowed.dtype != bool:
            raise InputError(
                f"eligible needs booleans of shape ({sets.n_examples},) or {posterior.shape}, got "
                f"{allowed.shape}."
            )
    asking = Asking(estimate, mean_rates(estimate, sets), ask, price, loss, seed, drawn=method == "random")
    batch = asking.best_by(sets, posterior, batch_size, allowed=allowed)
    return replace(batch, notes=fewer_questions(len(batch), batch_size))


def check_asking(batch_size: int, ask: str, class_price: float | None, n_classes: int) -> float:
    """The price of a question about one class; raises unless all arguments can be used."""
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}.")
    if ask not in ASKS:
        raise unknown("ask", ask, ASKS)
    price = 1 / max(n_classes, 1) if class_price is None else float(class_price)
    if not price > 0:
        raise InputError(f"class_price must be positive, got {class_price}.")
    return price


def fewer_questions(number: int, asked: int) -> tuple[str, ...]:
    """The note on a batch that is smaller than asked for."""
    return (f"only {number:,} questions are left to ask.",) if number < asked else ()


@dataclass(frozen=True)
class Asking:
    """What the worth of a question rests on besides its own example.

    Attributes
    ----------
    estimate : MultilabelEstimate
    rates : ndarray of float64, shape (2, n_classes)
        As of `mean_rates`.
    ask : str
    price : float
        Of a question about one class.
    loss : str
    seed : int
    drawn : bool
        Whether questions are drawn, whatever they are worth; about whole examples, where either may be asked.
    """

    estimate: MultilabelEstimate
    rates: Float64s
    ask: str
    price: float
    loss: str
    seed: int
    drawn: bool = False

    def best(
        self, sets: LabelSets, models: Models, batch_size: int, *, at_least: float = -np.inf
    ) -> QuestionBatch:
        """The questions about some examples that are worth most, of those worth ``at_least`` so much."""
        posterior = pool_posterior(self.estimate, sets, models)
        return self.best_by(sets, posterior, batch_size, at_least=at_least)

    def best_by(
        self,
        sets: LabelSets,
        posterior: Float64s,
        batch_size: int,
        *,
        allowed: Bools | None = None,
        at_least: float = -np.inf,
    ) -> QuestionBatch:
        """`best` by the probability of each class of each example."""
        worth = question_worth(self.estimate, sets, posterior, self.loss, self.rates)
        if allowed is not None:
            worth = np.where(allowed if allowed.ndim == 2 else allowed[:, None], worth, -np.inf)
        ask = "examples" if self.drawn and self.ask == "either" else self.ask
        example, code, rate = candidates(worth, self.price, ask)
        of = np.zeros(len(rate)) if self.drawn else rate
        enough = np.flatnonzero(of >= at_least)
        enough = enough[_highest(of[enough], batch_size)]
        keys = question_keys(sets.tie_keys(example[enough]), code[enough], sets.n_classes)
        best = enough[batch_order(-of[enough], keys, self.seed)[:batch_size]]
        example, code, rate = example[best], code[best], rate[best]
        single = code >= 0
        classes = np.full(len(best), None, dtype=object)
        classes[single] = sets.classes[code[single]]
        asked = pair_counts(sets)
        return QuestionBatch(
            examples=sets.examples[example],
            classes=classes,
            worth=rate,
            price=np.where(single, self.price, 1.0),
            probability=np.where(single, posterior[example, code], np.nan),
            num_labels=np.where(single, asked[example, code], sets.counts[example]).astype(np.int64),
        )


def question_keys(keys: Ints, code: Ints, n_classes: int) -> Ints:
    """What ties between questions are drawn by: the keys of their examples, and the class, -1 for all."""
    return keys * (n_classes + 1) + code + 1


def mean_rates(estimate: MultilabelEstimate, sets: LabelSets) -> Float64s:
    """Sensitivity and specificity in each class of whoever answers next, shape (2, n_classes)."""
    rates = np.stack(estimate.rates(sets.n_annotators))
    mean = np.empty((2, sets.n_classes))
    for code in range(sets.n_classes):
        given = np.bincount(sets.of_class(code).annotator, minlength=sets.n_annotators) + 1e-9
        mean[:, code] = [np.average(rate[:, code], weights=given) for rate in rates]
    return mean


def pair_counts(sets: LabelSets) -> Ints:
    """How many answers there are about each class of each example, shape (n_examples, n_classes)."""
    counts = [np.diff(sets.of_class(at).offsets) for at in range(sets.n_classes)]
    return np.array(counts).reshape(sets.n_classes, sets.n_examples).T


def question_worth(
    estimate: MultilabelEstimate,
    sets: LabelSets,
    posterior: Float64s,
    loss: str,
    rates: Float64s | None = None,
) -> Float64s:
    """What one more answer about each class of each example is expected to buy, shape as of ``posterior``.

    ``rates`` are those of `mean_rates`, by default of ``sets``.
    """
    worth = np.empty_like(posterior)
    rates = mean_rates(estimate, sets) if rates is None else rates
    for code, one in enumerate(estimate.of_class):
        yes, no = rates[:, code].tolist()
        voices = np.maximum(np.diff(sets.of_class(code).offsets) + one.prior.voices, 0)
        more = np.maximum(voices + 1, 1) ** (1 - one.discount) - np.maximum(voices, 0) ** (1 - one.discount)
        p = posterior[:, code]
        if one.abstaining is not None:
            more = more * np.exp(one.abstaining.log_scale(slice(None)))
        worth[:, code] = _variance_after(p, yes, no, np.clip(more, 0, 1))
        if one.abstaining is not None:
            worth[:, code] *= one.abstaining.telling(slice(None), np.stack([1 - p, p], axis=1))
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
    allowed, single = np.isfinite(worth), worth / price
    whole = np.where(allowed, worth, 0).sum(axis=1)
    as_whole = np.full(len(worth), ask == "examples")
    if ask == "either":
        as_whole = whole > single.max(axis=1, initial=-np.inf)
    example = np.flatnonzero(as_whole & allowed.any(axis=1))
    row, column = np.nonzero(~as_whole[:, None] & allowed)
    return (
        np.concatenate([example, row]),
        np.concatenate([np.full(len(example), -1), column]),
        np.concatenate([whole[example], single[row, column]]),
    )


def _highest(rate: Float64s, size: int) -> Ints:
    """Positions of the highest rates, in any order; of those that tie for the last place all."""
    if size >= len(rate):
        return np.arange(len(rate))
    least = np.partition(rate, len(rate) - size)[len(rate) - size]
    return np.flatnonzero(rate >= least)
