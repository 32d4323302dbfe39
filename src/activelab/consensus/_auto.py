"""The consensus to take where nobody asked for one."""

from __future__ import annotations

from typing import Any

from activelab.consensus._bayesian import bayesian_consensus
from activelab.consensus._consensus import Consensus
from activelab.labels import Labels

AUTO = "bayesian"
"""Name of the method `auto_consensus` takes."""


def auto_consensus(
    labels: Labels,
    pred_probs: Any = None,
    *,
    known: Any = None,
    families: dict[Any, str] | None = None,
    abstentions: Labels | None = None,
    confidence: Any = None,
    seed: int = 0,
) -> Consensus:
    """The best consensus for what is given: `bayesian_consensus`, with predictions and without.

    On real crowds of one, two, three and all labels an example it is as right as the best of the other
    methods, within half a point but for the exceptions in docs/honesty.md, and its quality is the only one
    that is a calibrated probability. With single labels and no predictions all methods return the label
    given.

    Parameters
    ----------
    labels, pred_probs, known, families, abstentions, confidence, seed
        As for `bayesian_consensus`.

    Returns
    -------
    Consensus

    Raises
    ------
    InputError
        As `bayesian_consensus`.

    Examples
    --------
    >>> import activelab as al
    >>> from activelab.consensus import auto_consensus
    >>> auto_consensus(al.Labels.from_wide([[0, 0, 1], [1, 1, 1], [0, 0, 0]])).label.tolist()
    [0, 1, 0]
    """
    return bayesian_consensus(
        labels,
        pred_probs,
        known=known,
        families=families,
        abstentions=abstentions,
        confidence=confidence,
        seed=seed,
    )
