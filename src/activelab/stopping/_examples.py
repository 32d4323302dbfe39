"""Examples about which nothing more needs asking: those settled, and those nobody can settle."""

from __future__ import annotations

from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._kernels import blocks
from activelab._typing import Ints, Models
from activelab.consensus import BayesianEstimate, bayesian_estimate
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs

OPEN, SETTLED, AMBIGUOUS = 0, 1, 2

_LEAST_LABELS = 3  # before an example can be called ambiguous


def example_states(
    labels: Labels, pred_probs: Any, *, settled: float = 0.98, surprise: float = 1.645
) -> Ints:
    """Whether asking about an example still makes sense.

    An example with two labels or more is settled when its consensus is right with a probability of at least
    ``settled``. One with three or more is ambiguous when its annotators agree with its consensus less often
    than their accuracies explain: the number of right labels lies more than ``surprise`` standard
    deviations below the sum of those accuracies. Annotators who err at their usual rates would have settled
    it by now; whether two classes fit, or the guidelines leave it open, more of the same labels will not say.

    Parameters
    ----------
    labels : Labels
    pred_probs : array-like
        Out-of-sample probabilities.
    settled : float in (0.5, 1]
    surprise : float > 0
        In standard deviations.

    Returns
    -------
    ndarray of int8, shape (n_examples,)
        `OPEN`, `SETTLED` or `AMBIGUOUS` (0, 1, 2).

    Raises
    ------
    InputError
        If a parameter is out of range or ``pred_probs`` does not match ``labels``.

    Examples
    --------
    >>> import activelab as al
    >>> from activelab.stopping import example_states
    >>> labels = al.Labels.from_wide([[0, 0, 0, 0]] * 8 + [[1, 1, 1, 1]] * 8 + [[0, 0, 1, 1]])
    >>> pred_probs = [[0.9, 0.1]] * 8 + [[0.1, 0.9]] * 8 + [[0.5, 0.5]]
    >>> example_states(labels, pred_probs)[[0, 8, 16]].tolist()
    [1, 1, 2]
    """
    models = check_pred_probs(pred_probs, labels)
    return states_of(labels, models, bayesian_estimate(labels, models), settled=settled, surprise=surprise)


def states_of(
    labels: Labels,
    models: Models,
    estimate: BayesianEstimate,
    *,
    settled: float = 0.98,
    surprise: float = 1.645,
) -> Ints:
    """`example_states` from an estimate there is."""
    if not 0.5 < settled <= 1 or not surprise > 0:
        raise InputError("settled must lie above 0.5 and be at most 1, and surprise be above 0.")
    states = np.full(labels.n_examples, OPEN, dtype=np.int8)
    accuracy = estimate.ability.mean
    for block in blocks(labels, at_least=2):
        posterior = estimate.posterior(block, models)
        state = np.where(posterior.max(axis=1) >= settled, SETTLED, OPEN)
        expected = accuracy[block.annotator]
        right = block.total(block.label == posterior.argmax(axis=1)[block.row])
        spread = np.sqrt(block.total(expected * (1 - expected)))
        split = right < block.total(expected) - surprise * spread
        state[split & (block.counts >= _LEAST_LABELS)] = AMBIGUOUS
        states[block.index] = state
    return states
