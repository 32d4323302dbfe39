"""A batch dealt to annotators by a rule, under a cap on what one of them gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Ints
from activelab.assignment._rules import AssignmentRule, get_rule
from activelab.consensus import Ability, bayesian_estimate
from activelab.labels import Labels
from activelab.pred_probs import check_pred_probs


def assign(
    labels: Labels,
    examples: Ints,
    rule: str | AssignmentRule = "thompson",
    *,
    pred_probs: Any = None,
    ability: Ability | None = None,
    max_share: float = 1.0,
    candidates: Callable[[int], Ints] | None = None,
    seed: int | np.random.Generator = 0,
) -> Ints:
    """An annotator for each example of a batch, none of whom has labelled it.

    Parameters
    ----------
    labels : Labels
        The labels collected so far; all its annotators can be asked.
    examples : ndarray of int
        Rows of the pool, most worth labelling first; they are dealt in this order.
    rule : {"thompson", "round_robin", "random"} or AssignmentRule
    pred_probs : array-like, optional
        Out-of-sample probabilities, from which accuracies are estimated if ``ability`` is not given (see
        `bayesian_consensus`).
    ability : Ability, optional
        What is known of the annotators' accuracies.
    max_share : float in (0, 1]
        Share of the batch one annotator gets at most, rounded up. Where all who are free for an example
        have theirs, the least loaded of them gets it all the same.
    candidates : callable, optional
        Codes, ascending, of the annotators who could label an example. By default everybody.
    seed : int or Generator

    Returns
    -------
    ndarray of int64, shape (batch_size,)
        Annotator codes; -1 where nobody is left who has not labelled the example.

    Raises
    ------
    InputError
        If the share is out of range, or ``pred_probs`` does not match ``labels``.

    Examples
    --------
    >>> import numpy as np
    >>> import activelab as al
    >>> labels = al.Labels.from_wide([[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 1, 0], [None, None, None]])
    >>> pred_probs = [[0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]
    >>> who = al.assign(labels, np.array([4]), pred_probs=pred_probs)
    >>> who.tolist() in ([0], [1])
    True
    """
    if not 0 < max_share <= 1:
        raise InputError(f"max_share must be above 0 and at most 1, got {max_share!r}.")
    chooser = get_rule(rule)
    if chooser.needs_ability and ability is None:
        models = () if pred_probs is None else check_pred_probs(pred_probs, labels)
        ability = bayesian_estimate(labels, models).ability
    rng = np.random.default_rng(seed)
    most = max(int(np.ceil(max_share * len(examples) - 1e-9)), 1)
    load = np.zeros(labels.n_annotators, dtype=np.int64)
    everybody = np.arange(labels.n_annotators)
    chosen = np.full(len(examples), -1, dtype=np.int64)
    for position, code in enumerate(np.asarray(examples).tolist()):
        asked = labels.annotator[labels.offsets[code] : labels.offsets[code + 1]]
        able = everybody if candidates is None else candidates(code)
        free = np.setdiff1d(able, asked, assume_unique=True)
        if not len(free):
            continue
        below = free[load[free] < most]
        if not len(below):
            below = free[load[free] == load[free].min()]
        chosen[position] = chooser.choose(below, load, ability, rng)
        load[chosen[position]] += 1
    return chosen


def shares(assigned: Ints, n_annotators: int) -> Ints:
    """How many examples of a batch each annotator gets, shape (n_annotators,)."""
    return np.bincount(assigned[assigned >= 0], minlength=n_annotators).astype(np.int64)
