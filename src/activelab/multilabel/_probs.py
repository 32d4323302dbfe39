"""What multi-label classifiers predict, aligned with the answers and checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Floats, Ids, Models
from activelab.labels import Labels
from activelab.multilabel._sets import LabelSets, texts
from activelab.pred_probs import aligned, frame_examples

_TOLERANCE = 1e-6


def check_multilabel_probs(pred_probs: Any, sets: LabelSets) -> Models:
    """Check and align what a multi-label classifier predicts.

    Parameters
    ----------
    pred_probs : array-like, dataframe or list
        Probability of each class, shape ``(n_examples, n_classes)``, as of `ClassifierChain` and
        `OneVsRestClassifier`; rows need not sum to 1. Or the list of arrays of shape (n_examples, 2), one a
        class, that `MultiOutputClassifier.predict_proba` gives. Shape ``(n_models, n_examples, n_classes)``
        is an ensemble. A dataframe is aligned by ids and classes, as for `check_pred_probs`.
    sets : LabelSets
        The pool and classes they must match.

    Returns
    -------
    tuple of ndarray of float, shape (n_examples, n_classes) each
        One a model.

    Raises
    ------
    InputError
        If shapes or ids differ, or an entry is no probability.

    Examples
    --------
    >>> import activelab as al
    >>> from activelab.multilabel import check_multilabel_probs
    >>> sets = al.LabelSets.from_lists([["a|b"], ["b"]])
    >>> of_a, of_b = [[0.2, 0.8], [0.9, 0.1]], [[0.3, 0.7], [0.4, 0.6]]
    >>> check_multilabel_probs([of_a, of_b], sets)[0].tolist()
    [[0.8, 0.7], [0.1, 0.6]]
    """
    pool = Labels([], [], [], examples=sets.examples, annotators=0, classes=sets.classes)
    models = tuple(np.asarray(aligned(one, pool)) for one in _models(pred_probs, sets))
    if not models:
        raise InputError("pred_probs holds no model.")
    for model in models:
        check_set_values(model, pool, "")
    return models


def check_set_values(model: Floats, labels: Labels, where: str) -> None:
    """Raise unless each entry is a probability; ``where`` says of which model."""
    wrong = ~((model >= -_TOLERANCE) & (model <= 1 + _TOLERANCE))
    if wrong.any():
        row, column = (int(at) for at in np.argwhere(wrong)[0])
        name = labels.examples[row : row + 1].tolist()[0]
        raise InputError(
            f"{where}example {name!r} of pred_probs holds {model[row, column]:g}; probabilities lie between "
            "0 and 1.",
            row=row,
            example=name,
        )


def joined_sets(sets: LabelSets, pred_probs: Any) -> tuple[LabelSets, Models]:
    """The pool with the examples that only a dataframe names, and the predictions checked."""
    if pred_probs is None:
        return sets, ()
    ids = None if isinstance(pred_probs, list | tuple) else frame_examples(pred_probs, sets.classes)
    if ids is not None:
        sets = sets.with_examples(ids)
    return sets, check_multilabel_probs(pred_probs, sets)


def _models(pred_probs: Any, sets: LabelSets) -> list[Any]:
    if isinstance(pred_probs, np.ndarray):
        return [*pred_probs] if pred_probs.ndim == 3 else [pred_probs]
    if not isinstance(pred_probs, list | tuple) or not len(pred_probs) or np.ndim(pred_probs[0]) != 2:
        return [pred_probs]
    if len(pred_probs) != sets.n_classes:
        raise InputError(
            f"pred_probs lists {len(pred_probs)} arrays, one a class; the answers have {sets.n_classes} "
            "classes. An ensemble is one array of shape (n_models, n_examples, n_classes)."
        )
    for code, shape in enumerate(map(np.shape, pred_probs)):
        if len(shape) != 2 or shape[1] != 2:
            name = sets.classes[code : code + 1].tolist()[0]
            raise InputError(
                f"the array of class {name!r} has shape {shape}, not (n_examples, 2): a classifier that saw "
                "only one answer of a class predicts one column. Give a matrix with its probability of yes."
            )
    return [np.stack([np.asarray(one, dtype=np.float64)[:, 1] for one in pred_probs], axis=1)]


def predicted_sets(models: Models, classes: Ids) -> Ids:
    """The set the mean of the models predicts for each example, as a text; one model or more."""
    return texts(np.mean(models, axis=0) > 0.5, classes)
