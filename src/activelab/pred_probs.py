"""Model-predicted class probabilities: alignment with the labels, and the checks every method relies on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from activelab._errors import InputError, first
from activelab._frames import as_frame, columns_of, is_frame, row_ids
from activelab._typing import Bools, Float64s, Floats, Ids, Ints, Models
from activelab._vocabulary import Vocabulary
from activelab.labels import Labels

__all__ = ["Checked", "check_pred_probs", "frame_examples"]

SUM_TOLERANCE = 1e-3
"""How far the probabilities of an example may be from a sum of 1."""

_ROWS_A_BLOCK = 1 << 16


T = TypeVar("T")


class Checked(tuple[Floats, ...]):
    """Predictions that were checked against the labels of a pool: a tuple with one array a model.

    They are taken wherever ``pred_probs`` are, are not checked again there, and remember what was estimated
    from them and their labels, so that each estimate of a round is made once.

    Attributes
    ----------
    labels : Labels
        The labels they were checked against.
    known : ndarray of int, shape (n_examples,), or None
        Codes of right classes somebody has the authority to say, -1 elsewhere.
    families : ndarray of int, shape (n_annotators,), or None
        Code of the family of annotators who err together, -1 for those of none.
    abstentions : Labels or None
        Who could not tell of which example, over the examples and annotators of ``labels``.
    confidence : ndarray of float64, shape (n_labels,), or None
        How sure each label was, NaN where nobody said.
    bulk : ndarray of bool, shape (n_labels,), or None
        Which labels were given to many examples at once.
    """

    labels: Labels
    known: Ints | None
    families: Ints | None
    abstentions: Labels | None
    confidence: Float64s | None
    bulk: Bools | None
    _estimates: dict[Any, Any]

    def __new__(
        cls,
        models: Iterable[Floats],
        labels: Labels,
        known: Ints | None = None,
        families: Ints | None = None,
        abstentions: Labels | None = None,
        confidence: Float64s | None = None,
        bulk: Bools | None = None,
    ) -> Checked:
        checked = super().__new__(cls, models)
        checked.labels, checked.known, checked.families = labels, known, families
        checked.abstentions, checked.confidence, checked.bulk = abstentions, confidence, bulk
        checked._estimates = {}
        return checked

    def __reduce__(self) -> tuple[Any, ...]:
        beside = (self.known, self.families, self.abstentions, self.confidence, self.bulk)
        return type(self), (tuple(self), self.labels, *beside)


def carried(models: Models, labels: Labels) -> Checked:
    """What predictions that were checked against these labels carry; of others nothing."""
    return models if isinstance(models, Checked) and models.labels is labels else Checked((), labels)


def remembered(models: Models, labels: Labels, key: Any, estimate: Callable[[], T]) -> T:
    """What ``estimate`` gives; made once for `Checked` predictions and their own labels."""
    if not isinstance(models, Checked) or models.labels is not labels:
        return estimate()
    if key not in models._estimates:
        models._estimates[key] = estimate()
    result: T = models._estimates[key]
    return result


def check_pred_probs(pred_probs: Any, labels: Labels) -> Checked:
    """Check and align predicted probabilities; a single model is an ensemble of one.

    Parameters
    ----------
    pred_probs : array-like or dataframe, or a sequence of them
        Shape ``(n_examples, n_classes)``, or ``(n_models, n_examples, n_classes)`` for an ensemble.
        Row i is example i of ``labels``. A dataframe with a column ``example``, another that is called like
        one (``id``, ``task_id``, …) or a pandas index of ids is aligned by id, its other columns by class.
        What this function returned for the same ``labels`` is returned as it is.
    labels : Labels
        The pool and the classes the probabilities must match.

    Returns
    -------
    Checked
        A tuple with one floating-point array of shape (n_examples, n_classes) a model. An array that is
        already one is not copied.

    Raises
    ------
    InputError
        If shapes or ids differ from those of ``labels``, or an entry is NaN, negative or above 1, or
        a row does not sum to 1 within 1e-3; the message names the model, row and example.

    Examples
    --------
    >>> from activelab import Labels
    >>> from activelab.pred_probs import check_pred_probs
    >>> labels = Labels.from_records([("a", "ann", 0), ("b", "ann", 1)])
    >>> models = check_pred_probs([[0.9, 0.1], [0.2, 0.8]], labels)
    >>> len(models), models[0].shape
    (1, (2, 2))
    """
    if isinstance(pred_probs, Checked) and pred_probs.labels is labels:
        return pred_probs
    sources = _models(pred_probs)
    models = Checked((aligned(source, labels) for source in sources), labels)
    if not models:
        raise InputError("pred_probs holds no model.")
    for number, model in enumerate(models):
        try:
            check_values(model, labels, f"model {number}: " if len(models) > 1 else "")
        except InputError as error:
            ids = _frame_ids(sources[number], labels.classes)
            if ids is not None:  # the row of the dataframe, not of the pool it was aligned to
                error.rows = (int(Vocabulary(ids, "example").encode([error.example])[0]),)
            raise
    return models


def frame_examples(pred_probs: Any, classes: Ids | None = None) -> Ids | None:
    """Example ids carried by the dataframes in ``pred_probs``; None if they carry none.

    ``classes`` are columns that hold probabilities, whatever they are called.
    """
    found = [_frame_ids(model, classes) for model in _models(pred_probs)]
    ids = [one for one in found if one is not None]
    return np.concatenate(ids) if ids else None


def joined(labels: Labels, pred_probs: Any) -> tuple[Labels, Checked]:
    """The pool with the examples that only the dataframes name, unlabelled, and the predictions checked.

    ``labels`` itself where there are none.
    """
    if isinstance(pred_probs, Checked):
        return labels, check_pred_probs(pred_probs, labels)
    ids = frame_examples(pred_probs, labels.classes)
    if ids is not None:
        labels = labels.with_examples(ids)
    return labels, check_pred_probs(pred_probs, labels)


def _models(pred_probs: Any) -> Sequence[Any]:
    if isinstance(pred_probs, np.ndarray):
        return [*pred_probs] if pred_probs.ndim == 3 else [pred_probs]
    if is_frame(pred_probs):
        return [as_frame(pred_probs)]
    items = list(pred_probs) if isinstance(pred_probs, Iterable) else [pred_probs]
    items = [as_frame(item) for item in items]
    if items and any(is_frame(item) or np.ndim(item) == 2 for item in items):
        return items
    return [np.asarray(items)]


def aligned(model: Any, labels: Labels) -> Floats:
    """One model's predictions as an array whose rows are the pool's and whose columns the classes."""
    if is_frame(model):
        return _aligned_frame(model, labels)
    array = np.asarray(model)
    if array.dtype.kind not in "fiub":
        raise InputError(f"pred_probs must hold numbers, got dtype {array.dtype}.")
    if array.ndim != 2:
        raise InputError(
            "pred_probs must have shape (n_examples, n_classes), or (n_models, n_examples, n_classes) "
            f"for an ensemble; got {array.shape}."
        )
    _check_classes(array.shape[1], labels)
    if array.shape[0] != labels.n_examples:
        raise InputError(
            f"pred_probs has {array.shape[0]:,} rows, the pool {labels.n_examples:,} examples.",
            advice="examples",
        )
    return array if array.dtype in (np.float16, np.float32, np.float64) else array.astype(np.float64)


def _check_classes(columns: int, labels: Labels) -> None:
    if columns != labels.n_classes:
        raise InputError(
            f"pred_probs has {columns} columns, the labels {labels.n_classes} classes "
            f"({first(labels.classes[:11].tolist())}).",
            advice="classes",
        )


def _frame_ids(model: Any, classes: Ids | None = None) -> Ids | None:
    """Ids of a dataframe's rows, in a column that is no class, or its index."""
    if not is_frame(model):
        return None
    found = row_ids(model, () if classes is None else [str(name) for name in classes.tolist()])
    return None if found is None else found.ids


def _aligned_frame(model: Any, labels: Labels) -> Floats:
    import narwhals as nw

    present = {str(name): name for name in nw.from_native(model, eager_only=True).columns}
    classes = [str(name) for name in labels.classes.tolist()]
    absent = [name for name in classes if name not in present]
    if absent:
        raise InputError(f"pred_probs has no column for class {first(absent)}; it has: {first(present, 20)}.")
    found = row_ids(model, classes)
    id_column = None if found is None else found.column
    extra = [name for name in present if name not in classes and present[name] != id_column]
    if extra:
        raise InputError(
            f"pred_probs has columns for no class of the labels: {first(extra)}.", advice="columns"
        )
    columns = columns_of(model, [present[name] for name in classes])
    array = np.stack([_numbers(columns[present[n]].values, n) for n in classes], axis=1)
    if found is None:
        return aligned(array, labels)
    ids = found.ids
    rows = Vocabulary(ids, "example").encode(labels.examples)
    if (rows < 0).any():
        lost = labels.examples[rows < 0]
        raise InputError(f"{len(lost):,} examples have no row in pred_probs: {first(lost[:11])}.")
    if len(ids) > labels.n_examples:
        new = np.ones(len(ids), dtype=bool)
        new[rows] = False
        raise InputError(
            f"pred_probs has {int(new.sum()):,} examples that are not in the pool: {first(ids[new][:11])}.",
            advice="pool",
        )
    return array[rows]


def _numbers(values: Ids, name: str) -> Floats:
    if values.dtype.kind == "f":
        return values
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"column {name!r} of pred_probs holds values that are not numbers.") from None


def check_values(model: Floats, labels: Labels, where: str) -> None:
    """Raise unless each row holds probabilities that sum to 1 within the tolerance.

    One pass over the array in blocks; the details are worked out only where a block fails.
    """
    for start in range(0, len(model), _ROWS_A_BLOCK):
        block = model[start : start + _ROWS_A_BLOCK]
        # Non-negative rows that sum to 1 hold no entry above 1; NaN and infinity fail the sum.
        off = np.abs(np.einsum("ij->i", block, dtype=_sum_type(block)) - 1)
        if off.max(initial=0) <= SUM_TOLERANCE and block.min(initial=0) >= 0:
            continue
        bad = ~(off <= SUM_TOLERANCE) | ~(block >= 0).all(axis=1)
        row = int(np.argmax(bad))
        values = block[row]
        name = labels.examples[start + row : start + row + 1].tolist()[0]
        outside = values[(values < 0) | (values > 1 + SUM_TOLERANCE)]
        if np.isnan(values).any():
            wrong = "holds NaN"
        elif outside.size:
            wrong = f"holds {outside[0]:g}; probabilities lie between 0 and 1"
        else:
            wrong = f"sums to {values.astype(float).sum():.6g}, not to 1 within {SUM_TOLERANCE:g}"
        raise InputError(f"{where}example {name!r} of pred_probs {wrong}.", row=start + row, example=name)


def highest_from_below(top: Floats) -> Floats:
    """A bound on max_k p_k / Σ_k p_k from below, float32, where ``top`` is max_k p_k of checked rows."""
    return np.divide(top, 1 + SUM_TOLERANCE, dtype=np.float32)


def _sum_type(block: Floats) -> type[np.floating[Any]]:
    return np.float64 if block.dtype == np.float64 else np.float32
