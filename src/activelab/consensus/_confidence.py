"""How sure people said they were, and what a label of that counts for, by how often it holds (§21)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from activelab._errors import InputError
from activelab._frames import columns_by_role, is_frame
from activelab._typing import Float64s, Models
from activelab._vocabulary import Vocabulary
from activelab.consensus._accuracy import compared
from activelab.labels import Labels

if TYPE_CHECKING:
    from activelab.consensus._bayesian import BayesianEstimate

_BINS = 10
_MOST = 3.0  # a sure label counts for at most so many
_VARIANCE = 1.0  # of the log-odds of a bin beforehand
_STEPS, _CLOSE = 60, 1e-6


def check_confidence(confidence: Any, labels: Labels) -> Float64s | None:
    """One number a label, in the order of ``labels``, NaN where nobody said; None if there is none.

    Raises
    ------
    InputError
        If there is not one for each label, or one is no number.
    """
    if confidence is None:
        return None
    if is_frame(confidence) or isinstance(confidence, dict):
        values = _of_rows(confidence, labels)
    else:
        values = _numbers(confidence)
        if values.shape != (labels.n_labels,):
            raise InputError(
                f"confidence must hold one number for each of the {labels.n_labels:,} labels, in the order "
                f"of labels.to_long(), got shape {values.shape}. A dataframe with columns example, annotator "
                "and confidence is aligned by id."
            )
    infinite = np.isinf(values)
    if infinite.any():
        raise InputError("confidence holds an infinite value.", row=int(np.argmax(infinite)))
    return values if not np.isnan(values).all() else None


def _of_rows(frame: Any, labels: Labels) -> Float64s:
    """The column of a dataframe, aligned by example and annotator; rows of no label are left out."""
    roles = {"example": None, "annotator": None, "confidence": None}
    columns = columns_by_role(frame, roles)
    given = _numbers(columns["confidence"].values)
    example = Vocabulary(labels.examples, "example").encode(columns["example"].values)
    annotator = Vocabulary(labels.annotators, "annotator").encode(columns["annotator"].values)
    size = max(labels.n_annotators, 1)
    key = labels.example.astype(np.int64) * size + labels.annotator
    wanted = np.where((example >= 0) & (annotator >= 0), example * size + annotator, -1)
    at = np.searchsorted(key, wanted)
    found = np.flatnonzero(at < len(key))
    found = found[key[at[found]] == wanted[found]]
    values = np.full(labels.n_labels, np.nan)
    values[at[found]] = given[found]
    return values


def _numbers(values: Any) -> Float64s:
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":
            array = np.array([np.nan if one is None else one for one in array.tolist()])
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError("confidence holds values that are not numbers.") from None


def share_of_voice(
    estimate: BayesianEstimate, labels: Labels, models: Models, confidence: Float64s
) -> Float64s:
    """What each label counts for, shape (n_labels,): a function that never falls with confidence.

    A label of annotator j with confidence c is right with log-odds logit(a_j) + β(c), by what everybody else
    says of its example; β never falls (isotonic regression over bins). It counts for (L + β(c)) / L with L
    the evidence of a mean label, log(a (K − 1) / (1 − a)). Labels without a confidence count for 1.
    """
    from scipy.optimize import isotonic_regression  # on first use

    given = ~np.isnan(confidence)
    share = np.ones(labels.n_labels)
    accuracy = np.clip(estimate.ability.mean, 1e-3, 1 - 1e-3)
    overall = min(max(estimate.ability.overall, 1e-3), 1 - 1e-3)
    evidence = float(np.log(overall * (labels.n_classes - 1) / (1 - overall)))
    found = compared(estimate, labels, models)
    use = given[found.position]
    if labels.n_classes < 2 or evidence <= 0 or not use.any():
        return share
    values = np.unique(confidence[given])
    if len(values) > _BINS:
        values = np.unique(np.quantile(confidence[given], (np.arange(_BINS) + 0.5) / _BINS))
    edges = (values[1:] + values[:-1]) / 2
    code = np.searchsorted(edges, confidence[found.position[use]], side="right")
    base = np.log(accuracy / (1 - accuracy))[found.who[use]]
    told = np.log(np.maximum(found.right[use], 1e-300)) - np.log(np.maximum(found.wrong[use], 1e-300))
    number = np.bincount(code, minlength=len(values))
    beta = np.zeros(len(values))
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-(base + beta[code])))
        right = 1 / (1 + np.exp(-np.clip(base + beta[code] + told, -500, 500)))
        gap = np.bincount(code, right - expected, len(values)) - beta / _VARIANCE
        slope = np.bincount(code, expected * (1 - expected), len(values)) + 1 / _VARIANCE
        step = gap / slope
        beta = beta + step
        if np.abs(step).max() < _CLOSE:
            break
    beta = isotonic_regression(beta, weights=np.maximum(number, 1e-9)).x
    counts = np.clip(1 + beta / evidence, 0.0, _MOST)
    share[given] = np.interp(confidence[given], values, counts)
    return share
