"""Krippendorff's alpha, Fleiss' kappa, Gwet's AC1 and AC2, with bootstrap intervals.

They are all 1 - D_o / D_e, observed over expected disagreement, and both are functions of sums over
examples. Examples with the same votes are therefore kept once, with their number, and the bootstrap draws
those numbers. On a scale two labels disagree by their distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from activelab import _html
from activelab._errors import InputError, unknown
from activelab._ordered import positions
from activelab._typing import Bools, Float64s, Ints
from activelab._vocabulary import factorize
from activelab.labels import Labels

_CELLS_A_CHUNK = 1 << 22

Level = Literal["nominal", "ordinal", "interval"]
Weights = Literal["linear", "quadratic", "ordinal"]

# Why a coefficient has no value although some example has two labels: D_o / D_e is 0 / 0. AC1 always has.
_UNDEFINED = {
    "krippendorff_alpha": "the examples with two labels or more use only one class",
    "fleiss_kappa": "only one class is in use",
    "gwet_ac1": "",
    "gwet_ac2": "",
}


class _Measure(NamedTuple):
    """A coefficient: the function that computes it, and how far apart it takes two classes to be.

    ``distance`` is a name of `_distance`, or "ranks": the number of labels that lie between two classes,
    which the labels themselves decide. None: two classes differ or not.
    """

    function: str
    distance: str | None = None
    suffix: str = ""

    @property
    def name(self) -> str:
        return f"{self.function}_{self.suffix}" if self.suffix else self.function


_NOMINAL = (_Measure("krippendorff_alpha"), _Measure("fleiss_kappa"), _Measure("gwet_ac1"))
_ORDINAL = (
    _Measure("krippendorff_alpha", "ranks", "ordinal"),
    _Measure("krippendorff_alpha", "quadratic", "interval"),
    _Measure("fleiss_kappa", "linear", "linear"),
    _Measure("fleiss_kappa", "quadratic", "quadratic"),
    _Measure("gwet_ac2", "linear", "linear"),
    _Measure("gwet_ac2", "quadratic", "quadratic"),
)


@dataclass(frozen=True)
class Agreement:
    """A coefficient of agreement and its bootstrap interval.

    Attributes
    ----------
    name : str
        Name of the function that computes it, and on a scale the level or weights: ``gwet_ac2_linear``.
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
    labels: Labels,
    *,
    scale: bool = False,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Agreement]:
    """Krippendorff's alpha, Fleiss' kappa and Gwet's AC1 or AC2, from one pass and the same resamples.

    Parameters
    ----------
    labels : Labels
        Any number of labels per example.
    scale : bool
        Whether the classes are points of a scale, so that near misses count for less: numbers lie where
        they say, words one step apart in the order of ``labels.classes``. Then ordinal and interval alpha,
        kappa with linear and quadratic weights, and AC2 with both are computed.
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
    >>> stars = Labels.from_wide(np.array([[1, 2, 2], [5, 4, 5], [3, 3, 4]]), classes=[1, 2, 3, 4, 5])
    >>> for one in agreement_statistics(stars, scale=True, n_bootstrap=0):
    ...     print(f"{one.name:28}{one.value:.3f}")
    krippendorff_alpha_ordinal  0.843
    krippendorff_alpha_interval 0.829
    fleiss_kappa_linear         0.550
    fleiss_kappa_quadratic      0.807
    gwet_ac2_linear             0.591
    gwet_ac2_quadratic          0.839
    """
    measures = _ORDINAL if scale else _NOMINAL
    return _statistics(labels, measures, n_bootstrap, confidence, seed)


def alphas_by_distance(
    labels: Labels,
    distances: Mapping[str, Float64s],
    *,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Agreement]:
    """Krippendorff's alpha with distances of your own between the classes.

    Parameters
    ----------
    labels : Labels
    distances : mapping of str to array-like, shape (n_classes, n_classes)
        How much two labels disagree, from 0 to 1, symmetric with a diagonal of 0; each is named
        ``krippendorff_alpha_NAME``.
    n_bootstrap, confidence, seed
        As for `agreement_statistics`, whose errors it raises.

    Returns
    -------
    list of Agreement
        In the order of ``distances``.

    Raises
    ------
    InputError
        If a distance has another shape, or is none.

    Examples
    --------
    >>> from activelab import Labels
    >>> from activelab.agreement import alphas_by_distance
    >>> labels = Labels.from_wide([["cat", "lynx"], ["cat", "cat"], ["dog", "dog"]])
    >>> distance = [[0, 1, 0.2], [1, 0, 1], [0.2, 1, 0]]
    >>> [one] = alphas_by_distance(labels, {"zoology": distance})
    >>> one.name, round(one.value, 3)
    ('krippendorff_alpha_zoology', 0.884)
    """
    tables = {}
    for name, distance in distances.items():
        table = np.asarray(distance, dtype=np.float64)
        shape = (labels.n_classes, labels.n_classes)
        if table.shape != shape:
            raise InputError(f"distance {name!r} needs shape {shape}, got {table.shape}.")
        if not (np.allclose(table, table.T) and (table >= 0).all() and not np.diag(table).any()):
            raise InputError(f"distance {name!r} must be symmetric and not negative, with a diagonal of 0.")
        tables[name] = table
    measures = [_Measure("krippendorff_alpha", name, name) for name in tables]
    return _statistics(labels, measures, n_bootstrap, confidence, seed, tables)


def _statistics(
    labels: Labels,
    measures: Sequence[_Measure],
    n_bootstrap: int,
    confidence: float,
    seed: int,
    distances: Mapping[str, Float64s] | None = None,
) -> list[Agreement]:
    if n_bootstrap < 0:
        raise InputError(f"n_bootstrap must be 0 or more, got {n_bootstrap}.")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be between 0 and 1, got {confidence}.")
    counts = labels.counts
    n_items, n_labels = int(np.count_nonzero(counts > 1)), int(counts[counts > 1].sum())
    if not n_items:
        why = "no example has two labels"
        return [Agreement(one.name, np.nan, np.nan, np.nan, 0, 0, why) for one in measures]
    patterns = _patterns(labels, measures, distances)
    values = _coefficients(patterns, patterns.number[None, :])
    resampled = _resampled(patterns, n_bootstrap if n_items > 1 else 0, np.random.default_rng(seed))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    results = []
    for one, value, draws in zip(measures, values[:, 0].tolist(), resampled, strict=True):
        why = _UNDEFINED[one.function]
        defined = draws[~np.isnan(draws)]
        low, high = np.quantile(defined, tails).tolist() if len(defined) else (np.nan, np.nan)
        note = ""
        if np.isnan(value):
            low, high, note = np.nan, np.nan, why
        elif n_items == 1:
            note = "no interval: only one example has two labels"
        elif n_bootstrap == 0:
            note = "no interval: n_bootstrap is 0"
        elif len(defined) < n_bootstrap:
            note = f"{n_bootstrap - len(defined):,} of {n_bootstrap:,} resamples left out: {why}"
        results.append(Agreement(one.name, value, low, high, n_items, n_labels, note))
    return results


def krippendorff_alpha(
    labels: Labels,
    *,
    level: Level = "nominal",
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Krippendorff's alpha for nominal classes, or for a scale.

    Expected disagreement is that of two labels drawn without replacement from all labels of the
    examples with at least two. Undefined (NaN) if those use one class only.

    Parameters
    ----------
    labels : Labels
    level : {"nominal", "ordinal", "interval"}
        Two labels disagree or not; or by the squared number of labels that lie between their classes; or by
        the squared distance of the classes on the scale (see `agreement_statistics`).
    n_bootstrap, confidence, seed
        As for `agreement_statistics`, whose errors it raises.

    Returns
    -------
    Agreement

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
    distances = {"nominal": None, "ordinal": "ranks", "interval": "quadratic"}
    if level not in distances:
        raise unknown("level", level, list(distances))
    suffix = "" if level == "nominal" else level
    measure = _Measure("krippendorff_alpha", distances[level], suffix)
    return _statistics(labels, [measure], n_bootstrap, confidence, seed)[0]


def fleiss_kappa(
    labels: Labels,
    *,
    weights: Weights | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Fleiss' kappa, generalised to any number of labels per example and to weights.

    Observed agreement is the mean, over examples with at least two labels, of the share of pairs of
    labels that agree. The share of a class is the mean over all labelled examples, those with one
    label included, of its share of the example's labels (Gwet 2014). With equally many labels for
    every example this is Fleiss' original. Undefined (NaN) if one class only is in use.

    Parameters
    ----------
    labels : Labels
    weights : {"linear", "quadratic", "ordinal"}, optional
        How far two classes agree, for a scale: 1 less their distance, or its square, over that of the ends
        of the scale (see `agreement_statistics`), or Gwet's 1 − m(m + 1)/(K(K − 1)) for classes m steps
        apart.
        By default two classes agree or not.
    n_bootstrap, confidence, seed
        As for `agreement_statistics`, whose errors it raises.

    Returns
    -------
    Agreement

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
    if weights is not None:
        _require_weights(weights)
    measure = _Measure("fleiss_kappa", weights, weights or "")
    return _statistics(labels, [measure], n_bootstrap, confidence, seed)[0]


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
    return _statistics(labels, [_Measure("gwet_ac1")], n_bootstrap, confidence, seed)[0]


def gwet_ac2(
    labels: Labels,
    *,
    weights: Weights = "quadratic",
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Gwet's AC2: AC1 for a scale, on which near misses count for less.

    Observed agreement is that of `fleiss_kappa` with these weights w_kl; chance agreement is
    Σ_kl w_kl · Σ p_k (1 - p_k) / (K (K - 1)). K counts every class of the vocabulary, used or not.

    Parameters
    ----------
    labels : Labels
    weights : {"linear", "quadratic", "ordinal"}
        As for `fleiss_kappa`.
    n_bootstrap, confidence, seed
        As for `agreement_statistics`, whose errors it raises.

    Returns
    -------
    Agreement

    References
    ----------
    K. L. Gwet, Handbook of Inter-Rater Reliability, 4th ed., 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab import Labels
    >>> from activelab.agreement import gwet_ac2
    >>> labels = Labels.from_wide(np.array([[1, 2], [3, 3], [2, 1], [1, 1]]))
    >>> round(gwet_ac2(labels, weights="linear").value, 4)
    0.4783
    """
    _require_weights(weights)
    measure = _Measure("gwet_ac2", weights, weights)
    return _statistics(labels, [measure], n_bootstrap, confidence, seed)[0]


def _require_weights(weights: str) -> None:
    known = ("linear", "quadratic", "ordinal")
    if weights not in known:
        raise unknown("weights", weights, known)


def _distance(name: str, where: Float64s) -> Float64s:
    """Disagreement of two classes at these positions of a scale, in [0, 1], shape (n_classes, n_classes)."""
    if name == "ordinal":
        where = np.argsort(np.argsort(where)).astype(np.float64)
    apart = np.abs(where[:, None] - where)
    apart /= max(float(apart.max(initial=0)), 1e-300)
    if name == "ordinal":
        steps = len(where) - 1
        return np.asarray(apart * (apart * steps + 1) / (steps + 1))
    return np.asarray(apart**2) if name == "quadratic" else apart


class _Patterns(NamedTuple):
    """The distinct votes of examples: how many examples cast them, and the terms they add to the sums."""

    measures: Sequence[_Measure]
    where: Float64s
    """Position of each class on the scale."""
    distances: Mapping[str, Float64s]
    number: Ints
    multiple: Bools
    terms: Any
    """Sparse, one row a pattern: for each kind of distance disagreement and the same times labels, then votes
    (0 so far for patterns of one label), then shares of the votes."""
    kinds: list[str | None]
    """The distances ``terms`` has columns of."""
    coincidences: Any
    """Sparse, one row a pattern: pairs of labels in two classes over labels less one, for "ranks"."""
    pairs: Ints
    """Cell of each column of ``coincidences`` in a table of classes by classes."""
    n_classes: int


def _patterns(
    labels: Labels, measures: Sequence[_Measure], distances: Mapping[str, Float64s] | None = None
) -> _Patterns:
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
    where = positions(labels)
    kinds = list(dict.fromkeys(one.distance for one in measures if one.distance != "ranks"))
    if distances is None:
        distances = {name: _distance(name, where) for name in kinds if name is not None}
    columns = []
    for name in kinds:
        pairs_apart = _pairs_apart(votes, None if name is None else distances[name])
        disagreement = pairs_apart / np.maximum(size * (size - 1), 1)
        columns += [disagreement, disagreement * size]
    observed = np.column_stack(columns) if columns else np.empty((len(size), 0))
    of_multiple = sparse.diags_array(multiple.astype(np.float64)) @ votes
    shares = sparse.diags_array(1 / size) @ votes
    terms = sparse.hstack([sparse.csr_array(observed), of_multiple, shares], format="csr")
    coincidences, pairs = None, np.empty(0, dtype=np.int64)
    if any(one.distance == "ranks" for one in measures):
        # Classes in the order of the scale, so that the labels between two of them follow one another.
        coincidences, pairs = _coincidences(votes[:, np.argsort(where, kind="stable")])
    return _Patterns(
        measures, where, distances, number, multiple, terms, kinds, coincidences, pairs, labels.n_classes
    )


def _pairs_apart(votes: Any, distance: Float64s | None) -> Float64s:
    """Σ_kl c_k c_l d_kl of each pattern."""
    if distance is None:
        size = votes.sum(axis=1)
        return np.asarray(size**2 - votes.multiply(votes).sum(axis=1))
    total = np.zeros(votes.shape[0])
    size = max(_CELLS_A_CHUNK // max(votes.shape[1], 1), 1)
    for start in range(0, len(total), size):
        part = votes[start : start + size]
        total[start : start + size] = part.multiply(part @ distance).sum(axis=1)
    return total


def _coincidences(votes: Any) -> tuple[Any, Ints]:
    """Pairs of labels in two classes over labels less one, one row a pattern, and the cells."""
    from scipy import sparse

    n_classes = votes.shape[1]
    votes = sparse.csr_array(votes)
    votes.sort_indices()
    row = np.repeat(np.arange(votes.shape[0]), np.diff(votes.indptr))
    over = 1 / np.maximum(votes.sum(axis=1) - 1, 1)
    rows, cells, values = [row[:0]], [row[:0]], [np.empty(0)]
    # The entry after the next, and so on, as long as it is of the same row.
    for ahead in range(1, int(np.diff(votes.indptr).max(initial=0))):
        here = np.flatnonzero(row[ahead:] == row[:-ahead])
        rows.append(row[here])
        cells.append(votes.indices[here].astype(np.int64) * n_classes + votes.indices[here + ahead])
        values.append(votes.data[here] * votes.data[here + ahead] * over[row[here]])
    cell, vocabulary = factorize(np.concatenate(cells), "pair")
    pairs = vocabulary.values if len(cell) else np.empty(0, dtype=np.int64)
    shape = (votes.shape[0], len(pairs))
    return sparse.csr_array((np.concatenate(values), (np.concatenate(rows), cell)), shape=shape), pairs


def _coefficients(patterns: _Patterns, numbers: Ints) -> Float64s:
    """The coefficients for each row of numbers of examples per pattern, shape (n_measures, n_rows)."""
    given, n_classes, at = numbers.astype(np.float64), patterns.n_classes, 2 * len(patterns.kinds)
    sums = np.asarray(given @ patterns.terms)
    n_items = patterns.number[patterns.multiple].sum()
    votes, share = sums[:, at : at + n_classes], sums[:, at + n_classes :]
    share = share / patterns.number.sum()
    observed, expected = [], []
    for measure in patterns.measures:
        if measure.distance == "ranks":
            apart, by_chance = _by_ranks(patterns, given, votes)
        else:
            place = 2 * patterns.kinds.index(measure.distance)
            distance = patterns.distances[measure.distance] if measure.distance else None
            if measure.function == "krippendorff_alpha":
                apart = sums[:, place + 1] * (votes.sum(axis=1) - 1)
                by_chance = (votes * _apart(votes, distance)).sum(axis=1)
            else:
                apart = sums[:, place] / n_items
                by_chance = (
                    (share * _apart(share, distance)).sum(axis=1)
                    if measure.function == "fleiss_kappa"
                    else 1 - _agreement_by_guessing(share, distance)
                )
        observed.append(apart)
        expected.append(by_chance)
    above, below = np.stack(observed), np.stack(expected)
    nan = np.full(above.shape, np.nan)
    coefficients: Float64s = 1 - np.divide(above, below, out=nan, where=below > 0)
    return coefficients


def _apart(weight: Float64s, distance: Float64s | None) -> Float64s:
    """Σ_l weight_l d_kl of each class k."""
    return np.asarray(weight.sum(axis=1)[:, None] - weight if distance is None else weight @ distance)


def _agreement_by_guessing(share: Float64s, distance: Float64s | None) -> Float64s:
    """Σ_kl w_kl · Σ_k p_k (1 − p_k) / (K (K − 1)); of one class 0."""
    n_classes = share.shape[1]
    total = n_classes if distance is None else float((1 - distance).sum())
    spread = (share * (1 - share)).sum(axis=1)
    return np.asarray(total / n_classes * spread / max(n_classes - 1, 1))


def _by_ranks(patterns: _Patterns, given: Float64s, votes: Float64s) -> tuple[Float64s, Float64s]:
    """Observed and expected disagreement for ordinal alpha.

    The labels between two classes, with half of those in them, are the distance of the classes' mean ranks.
    """
    ordered = votes[:, np.argsort(patterns.where, kind="stable")]
    total = ordered.sum(axis=1)
    rank = np.cumsum(ordered, axis=1) - ordered / 2 - total[:, None] / 2
    one, other = np.divmod(patterns.pairs, patterns.n_classes)
    coincidence = np.asarray(given @ patterns.coincidences)
    apart = (coincidence * (rank[:, one] - rank[:, other]) ** 2).sum(axis=1)
    return np.asarray(apart * (total - 1)), np.asarray(total * (ordered * rank**2).sum(axis=1))


def _resampled(patterns: _Patterns, n_bootstrap: int, rng: np.random.Generator) -> Float64s:
    """Coefficients of bootstrap resamples, shape (n_measures, n_bootstrap)."""
    number, multiple = patterns.number, patterns.multiple
    size = max(_CELLS_A_CHUNK // max(len(number), 1), 1)
    draws = [np.empty((len(patterns.measures), 0))]
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
