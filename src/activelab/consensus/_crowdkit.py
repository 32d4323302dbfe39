"""A thin bridge to the aggregators of crowd-kit (extra ``activelab[crowdkit]``)."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np

from activelab._errors import InputError, unknown
from activelab._extras import needs
from activelab._typing import Float64s
from activelab.consensus._consensus import Consensus
from activelab.consensus._statistics import label_sums
from activelab.labels import Labels

CROWDKIT_METHODS = {
    "glad": "GLAD",
    "mace": "MACE",
    "one_coin_dawid_skene": "OneCoinDawidSkene",
    "mmsr": "MMSR",
    "kos": "KOS",
}
"""Names of the supported aggregators and the crowd-kit classes behind them.

Not among them: Wawa and ZeroBasedSkill, which fail under scikit-learn 1.7 and later (they lack
``__sklearn_tags__``), and Dawid-Skene and majority vote, which ActiveLab has.
"""


def crowdkit(labels: Labels, method: str, **options: Any) -> Consensus:
    """Consensus by an aggregator of crowd-kit.

    Parameters
    ----------
    labels : Labels
    method : str
        One of `CROWDKIT_METHODS`: "glad" (Whitehill et al. 2009), "mace" (Hovy et al. 2013),
        "one_coin_dawid_skene" (Zhang et al. 2014), "mmsr" (Ma & Olshevsky 2020), "kos" (Karger, Oh &
        Shah 2014, two classes only).
    **options
        Passed to the crowd-kit class, such as ``n_iter``.

    Returns
    -------
    Consensus
        "mmsr" and "kos" give labels without probabilities: their posterior is 1 on the label. The
        weight of every annotator is 1.

    Raises
    ------
    InputError
        If the method is unknown, or refuses the labels (the message is crowd-kit's).
    MissingPackageError
        If crowd-kit is not installed.

    Examples
    --------
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0, 1], [1, 1, 0], [0, 0, None], [1, 1, 0]])
    >>> al.crowdkit(labels, "glad").label.tolist()  # doctest: +SKIP
    [0, 1, 0, 1]
    """
    if method not in CROWDKIT_METHODS:
        raise unknown("crowd-kit method", method, list(CROWDKIT_METHODS))
    with needs("crowdkit", f"consensus method {method!r}"):
        aggregation: Any = importlib.import_module("crowdkit.aggregation")
        import pandas as pd

    columns = {"task": labels.example, "worker": labels.annotator, "label": labels.label}
    frame = pd.DataFrame(columns)
    aggregator = getattr(aggregation, CROWDKIT_METHODS[method])(**options)
    try:
        with warnings.catch_warnings():
            # crowd-kit's own use of pandas and numpy is not the caller's business.
            warnings.simplefilter("ignore")
            if hasattr(aggregator, "fit_predict_proba"):
                result = aggregator.fit_predict_proba(frame)
            else:
                result = pd.get_dummies(aggregator.fit_predict(frame), dtype=float)
    except Exception as error:
        raise InputError(f"crowd-kit's {method} cannot aggregate these labels: {error}") from error
    posterior = _posterior(result, labels)
    label = np.full(labels.n_examples, -1, dtype=np.int32)
    label[labels.labelled] = posterior[labels.labelled].argmax(axis=1)
    return Consensus.build(
        labels,
        label,
        posterior,
        label_sums(labels),
        annotator_weight=np.ones(labels.n_annotators),
    )


def _posterior(result: Any, labels: Labels) -> Float64s:
    """Rows of the pool and columns of the vocabulary; NaN rows without labels."""
    posterior = np.full((labels.n_examples, labels.n_classes), np.nan)
    rows = result.index.to_numpy()
    posterior[rows] = 0.0
    posterior[np.ix_(rows, result.columns.to_numpy())] = result.to_numpy()
    return posterior
