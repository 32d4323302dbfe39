"""Krippendorff's alpha, Fleiss' kappa and Gwet's AC1, with bootstrap intervals.

The three are all 1 - D_o / D_e, observed over expected disagreement, and both are functions of sums over
examples. Examples with the same votes are therefore kept once, with their number, and the bootstrap draws
those numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from activelab import _html
from activelab._errors import InputError
from activelab._typing import Bools, Float64s, Ints
from activelab._vocabulary import factorize
from activelab.labels import Labels

_CELLS_A_CHUNK = 1 << 22

# Why a coefficient has no value although some example has two labels: D_o / D_e is 0 / 0. AC1 always has.
_UNDEFINED = {
    "krippendorff_alpha": "the examples with two labels or more use only one class",
    "fleiss_kappa": "only one class is in use",
    "gwet_ac1": "",
}


@dataclass(frozen=True)
class Agreement:
    """A coefficient of agreement and its bootstrap interval.

    Attributes
    ----------
    name : str
        Name of the function that computes it.
    value : float
        At most 1, which is perfect agreement; 0 is the agreement expected by chance. NaN if it
        cannot be estimated.
    low, high : float
        Bounds of the percentile bootstrap interval; NaN if there is none.
    n_items : int
        Examples with at least two labels, from which agreement is observed.
    n_labels : int
        Labels of those examples.
    note : str
        Why the value or its interval is missing or limited; empty if nothing is.
    """

    name: str
    value: float
    low: float
    high: float
    n_items: int
    n_labels: int
    note: str = ""

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        facts = {"value": self.value, "low": self.low, "high": self.high, "examples": self.n_items}
        return _html.page(self.name, facts=facts, notes=[self.note] if self.note else [])

    @property
    def estimable(self) -> bool:
        """Whether there is a value."""
        return not np.isnan(self.value)


def agreement_statistics(
    labels: Labels, *, n_bootstrap: int = 1000, confidence: float = 0.95, seed: int = 0
) -> list[Agreement]:
    """Krippendorff's alpha, Fleiss' kappa and Gwet's AC1, from one pass and the same resamples.

    Parameters
    ----------
    labels : Labels
        Any number of labels per example.
    n_bootstrap : int
        Resamples of the examples; 0 for no interval. Examples with one label and with more are drawn
        separately, so that every resample keeps ``n_items``.
    confidence : float
        Level of the percentile interval, between 0 and 1. It is too short for few examples, and of
        length 0 if all agree.
    seed : int
        Seed of the resamples. The order of examples and annotators does not matter.

    Returns
    -------
    list of Agreement
        In the order above. What cannot be estimated is NaN, with a note that says why.

    Raises
    ------
    InputError
        If ``n_bootstrap`` is negative or ``confidence`` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab import Labels
    >>> from activelab.agreement import agreement_statistics
    >>> labels = Labels.from_wide(np.array([[0, 0, 0], [1, 1, np.nan], [1, 0, 1], [0, np.nan, np.nan]]))
    >>> for one in agreement_statistics(labels):
    ...     print(f"{one.name:20}{one.value:6.3f}  [{one.low:.3f}, {one.high:.3f}]  {one.n_items} items")
    krippendorff_alpha   0.562  [-0.333, 1.000]  3 items
    fleiss_kappa         0.543  [-0.333, 1.000]  3 items
    gwet_ac1             0.568  [-0.333, 1.000]  3 items
    """
    if n_bootstrap < 0:
        raise InputError(f"n_bootstrap must be 0 or more, got {n_bootstrap}.")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be between 0 and 1, got {confidence}.")
    counts = labels.counts
    n_items, n_labels = int(np.count_nonzero(counts > 1)), int(counts[counts > 1].sum())
    if not n_items:
        why = "no example has two labels"
        return [Agreement(name, np.nan, np.nan, np.nan, 0, 0, why) for name in _UNDEFINED]
    patterns = _patterns(labels)
    values = _coefficients(patterns, patterns.number[None, :])
    resampled = _resampled(patterns, n_bootstrap if n_items > 1 else 0, np.random.default_rng(seed))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    results = []
    for name, value, draws in zip(_UNDEFINED, values[:, 0].tolist(), resampled, strict=True):
        defined = draws[~np.isnan(draws)]
        low, high = np.quantile(defined, tails).tolist() if len(defined) else (np.nan, np.nan)
        note = ""
        if np.isnan(value):
            low, high, note = np.nan, np.nan, _UNDEFINED[name]
        elif n_items == 1:
            note = "no interval: only one example has two labels"
        elif n_bootstrap == 0:
            note = "no interval: n_bootstrap is 0"
        elif len(defined) < n_bootstrap:
            note = f"{n_bootstrap - len(defined):,} of {n_bootstrap:,} resamples left out: {_UNDEFINED[name]}"
        results.append(Agreement(name, value, low, high, n_items, n_labels, note))
    return results


def krippendorff_alpha(
    labels: Labels, *, n_bootstrap: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Agreement:
    """Krippendorff's alpha for nominal classes.

    Expected disagreement is that of two labels drawn without replacement from all labels of the
    examples with at least two. Undefined (NaN) if those use one class only.

    Parameters, return and errors are those of `agreement_statistics`.

    References
    ----------
    K. Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011; Content Analysis, 4th ed., 2018,
    ch. 12.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab import Labels
    >>> from activelab.agreement import krippendorff_alpha
    >>> krippendorff_alpha(Labels.from_wide(np.array([[0, 0], [1, 1], [0, 1]]))).value
    0.4444444444444444
    """
    return agreement_statistics(labels, n_bootstrap=n_bootstrap, confidence=confidence, seed=seed)[0]


def fleiss_kappa(
    labels: Labels, *, n_bootstrap: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Agreement:
    """Fleiss' kappa, generalised to any number of labels per example.

    Observed agreement is the mean, over examples with at least two labels, of the share of pairs of
    labels that agree. The share of a class is the mean over all labelled examples, those with one
    label included, of its share of the example's labels (Gwet 2014). With equally many labels for
    every example this is Fleiss' original. Undefined (NaN) if one class only is in use.

    Parameters, return and errors are those of `agreement_statistics`.

    References
    ----------
    J. L. Fleiss, Measuring nominal scale agreement among many raters, Psychological Bulletin 76, 1971.
    K. L. Gwet, Handbook of Inter-Rater Reliability, 4th ed., 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab import Labels
    >>> from activelab.agreement import fleiss_kappa
    >>> round(fleiss_kappa(Labels.from_wide(np.array([[0, 0], [1, 1], [0, 1]]))).value, 4)
    0.3333
    """
    return agreement_statistics(labels, n_bootstrap=n_bootstrap, confidence=confidence, seed=seed)[1]


def gwet_ac1(
    labels: Labels, *, n_bootstrap: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Agreement:
    """Gwet's AC1, which stays informative when nearly all labels are of one class.

    Observed agreement and class shares p_k are those of `fleiss_kappa`; chance agreement is
    Σ p_k (1 - p_k) / (K - 1). K counts every class of the vocabulary, used or not. With one class in
    use it is 1.

    Parameters, return and errors are those of `agreement_statistics`.

    References
    ----------
    K. L. Gwet, Computing inter-rater reliability and its variance in the presence of high agreement,
    British Journal of Mathematical and Statistical Psychology 61, 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab import Labels
    >>> from activelab.agreement import gwet_ac1
    >>> round(gwet_ac1(Labels.from_wide(np.array([[0, 0], [1, 1], [0, 1]]))).value, 4)
    0.3333
    """
    return agreement_statistics(labels, n_bootstrap=n_bootstrap, confidence=confidence, seed=seed)[2]


class _Patterns(NamedTuple):
    """The distinct votes of examples: how many examples cast them, and the terms they add to the sums."""

    number: Ints
    multiple: Bools
    terms: Any
    """Sparse, one row a pattern: disagreement, the same times labels, votes (the first three 0 for
    patterns of one label), shares of the votes."""
    n_classes: int


def _patterns(labels: Labels) -> _Patterns:
    from scipy import sparse  # on first use: it would take half of `import activelab`

    starts = np.append(labels.offsets[:-1][labels.labelled], labels.n_labels)
    shape = (len(starts) - 1, labels.n_classes)
    votes = sparse.csr_array((np.ones(labels.n_labels), labels.label.copy(), starts), shape=shape)
    votes.sum_duplicates()
    # The votes of an example as a code, refined by one (class, votes) entry of its row at a time.
    width = np.diff(votes.indptr)
    most = int(votes.data.max(initial=0)) + 1
    entry, entries = factorize(votes.indices.astype(np.int64) * most + votes.data.astype(np.int64), "entry")
    code, used = np.zeros(len(width), dtype=np.int64), 0
    for column in range(int(width.max(initial=0))):
        rows = np.flatnonzero(width > column)
        key = code[rows] * len(entries) + entry[votes.indptr[rows] + column]
        refined, distinct = factorize(key, "pattern")
        code[rows] = refined + used
        used += len(distinct)
    code, _ = factorize(code, "pattern")
    number = np.bincount(code)
    representative = np.zeros(len(number), dtype=np.int64)
    representative[code] = np.arange(len(code))
    votes = votes[representative]

    size = votes.sum(axis=1)
    multiple = size > 1
    pairs_apart = size**2 - votes.multiply(votes).sum(axis=1)
    disagreement = pairs_apart / np.maximum(size * (size - 1), 1)
    columns = sparse.csr_array(np.column_stack([disagreement, disagreement * size]))
    of_multiple = sparse.diags_array(multiple.astype(np.float64)) @ votes
    shares = sparse.diags_array(1 / size) @ votes
    terms = sparse.hstack([columns, of_multiple, shares], format="csr")
    return _Patterns(number, multiple, terms, labels.n_classes)


def _coefficients(patterns: _Patterns, numbers: Ints) -> Float64s:
    """Alpha, kappa and AC1 for each row of numbers of examples per pattern, shape (3, n_rows)."""
    sums = np.asarray(numbers.astype(np.float64) @ patterns.terms)
    n_items = patterns.number[patterns.multiple].sum()
    votes, share = sums[:, 2 : 2 + patterns.n_classes], sums[:, 2 + patterns.n_classes :]
    share = share / patterns.number.sum()
    total = votes.sum(axis=1)
    spread = (share * (1 - share)).sum(axis=1)
    mean_disagreement = sums[:, 0] / n_items
    observed = np.stack([sums[:, 1] * (total - 1), mean_disagreement, mean_disagreement])
    expected = np.zeros_like(observed)
    expected[0] = (votes * (total[:, None] - votes)).sum(axis=1)
    expected[1] = spread
    expected[2] = 1 - spread / max(patterns.n_classes - 1, 1)  # of one class the spread is 0
    nan = np.full(observed.shape, np.nan)
    coefficients: Float64s = 1 - np.divide(observed, expected, out=nan, where=expected > 0)
    return coefficients


def _resampled(patterns: _Patterns, n_bootstrap: int, rng: np.random.Generator) -> Float64s:
    """Coefficients of bootstrap resamples, shape (3, n_bootstrap)."""
    number, multiple = patterns.number, patterns.multiple
    size = max(_CELLS_A_CHUNK // max(len(number), 1), 1)
    draws = [np.empty((3, 0))]
    for start in range(0, n_bootstrap, size):
        numbers = np.empty((min(size, n_bootstrap - start), len(number)), dtype=np.int64)
        for group in (multiple, ~multiple):
            numbers[:, group] = _resample(number[group], len(numbers), rng)
        draws.append(_coefficients(patterns, numbers))
    return np.concatenate(draws, axis=1)


def _resample(number: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Draw as many examples as there are, with replacement; their number per pattern, ``size`` times."""
    total, n_patterns = int(number.sum()), len(number)
    if total > 8 * n_patterns:
        return rng.multinomial(total, number / total, size=size)
    # Few examples a pattern: drawing examples one by one is faster, and the same in distribution.
    pattern = np.repeat(np.arange(n_patterns), number)
    rows = [pattern[rng.integers(total, size=total)] for _ in range(size)] if total else []
    counts = [np.bincount(row, minlength=n_patterns) for row in rows]
    return np.stack(counts) if counts else np.zeros((size, n_patterns), dtype=np.int64)
