"""Cohen's kappa of every pair of annotators who share examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from activelab import _html
from activelab._errors import InputError, unknown
from activelab._frames import Backend, make_frame
from activelab._ordered import positions
from activelab._typing import Float64s, Ids, Ints
from activelab.labels import Labels


@dataclass(frozen=True, eq=False)
class PairwiseKappa:
    """Cohen's kappa of the pairs of annotators who share examples; memory grows with those pairs.

    Attributes
    ----------
    annotators : ndarray, shape (n_annotators,)
        Ids.
    first, second : ndarray of int64, shape (n_pairs,)
        Positions in ``annotators``, first < second, in ascending order.
    shared : ndarray of int64, shape (n_pairs,)
        Examples both labelled, at least ``min_overlap``.
    agreement : ndarray of float64 in [0, 1], shape (n_pairs,)
        Share of those on which they agree.
    kappa : ndarray of float64 in [-1, 1], shape (n_pairs,)
        NaN where it is 0 / 0: both gave one and the same class to all shared examples.
    """

    annotators: Ids
    first: Ints
    second: Ints
    shared: Ints
    agreement: Float64s
    kappa: Float64s

    def __len__(self) -> int:
        return len(self.first)

    def _repr_html_(self) -> str:
        """As a notebook shows it: the matrix of the annotators who share most, shaded."""
        shown = np.bincount(
            np.r_[self.first, self.second], np.r_[self.shared, self.shared], len(self.annotators)
        )
        chosen = np.sort(np.argsort(-shown, kind="stable")[: _html.ROWS])
        columns: dict[str, Any] = {"kappa": self.annotators[chosen]}
        at = {int(code): place for place, code in enumerate(chosen)}
        matrix = np.full((len(chosen),) * 2, np.nan)
        here = np.isin(self.first, chosen) & np.isin(self.second, chosen)
        for a, b, kappa in zip(self.first[here], self.second[here], self.kappa[here], strict=True):
            matrix[at[int(a)], at[int(b)]] = matrix[at[int(b)], at[int(a)]] = kappa
        for place, code in enumerate(chosen.tolist()):
            columns[str(self.annotators[code])] = [_html.Heat(value) for value in matrix[:, place].tolist()]
        title = f"Cohen's kappa of {len(self):,} pairs of {len(self.annotators):,} annotators"
        rest = len(self.annotators) - len(chosen)
        notes = (f"{rest:,} more annotators, who share fewer examples.",) if rest else ()
        return _html.page(title, _html.table(columns), notes=notes)

    def to_matrix(self, value: Literal["kappa", "agreement", "shared"] = "kappa") -> Float64s:
        """Symmetric matrix of shape (n_annotators, n_annotators); 8 bytes × n_annotators² of memory.

        NaN on the diagonal, for pairs that are not listed, and where kappa is undefined.
        """
        matrix = np.full((len(self.annotators),) * 2, np.nan)
        matrix[self.first, self.second] = matrix[self.second, self.first] = getattr(self, value)
        return matrix

    def to_frame(self, backend: Backend = "pandas") -> Any:
        """A dataframe, one row a pair, with the annotators' ids; "pandas", "polars" or "pyarrow"."""
        return make_frame(
            {
                "first": self.annotators[self.first],
                "second": self.annotators[self.second],
                "shared": self.shared,
                "agreement": self.agreement,
                "kappa": self.kappa,
            },
            backend,
        )


def cohen_kappa_matrix(
    labels: Labels, min_overlap: int = 1, *, weights: Literal["linear", "quadratic"] | None = None
) -> PairwiseKappa:
    """Cohen's kappa of every pair of annotators, each over the examples both labelled.

    Time grows with the squared number of labels of an example, summed over examples; memory with
    the number of pairs that share an example. `PairwiseKappa.to_matrix` makes the dense matrix.

    Parameters
    ----------
    labels : Labels
        Any number of labels per example.
    min_overlap : int
        Least number of shared examples, at least 1; pairs with fewer are not listed.
    weights : {"linear", "quadratic"}, optional
        Weighted kappa, for a scale: two labels disagree by their distance, or its square. Classes that are
        numbers lie where they say, words one step apart in the order of ``labels.classes``. By default
        two labels disagree or not.

    Returns
    -------
    PairwiseKappa

    Raises
    ------
    InputError
        If ``min_overlap`` is less than 1 or ``weights`` is unknown.

    References
    ----------
    J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
    Measurement 20, 1960; Weighted kappa, Psychological Bulletin 70, 1968.

    Examples
    --------
    >>> import numpy as np
    >>> from activelab import Labels
    >>> from activelab.agreement import cohen_kappa_matrix
    >>> labels = Labels.from_wide(np.array([[0, 0], [1, 1], [0, 1], [1, 1]]))
    >>> cohen_kappa_matrix(labels).to_matrix()
    array([[nan, 0.5],
           [0.5, nan]])
    """
    from scipy import sparse  # on first use: it would take half of `import activelab`

    if min_overlap < 1:
        raise InputError(f"min_overlap must be at least 1, got {min_overlap}.")
    if weights not in (None, "linear", "quadratic"):
        raise unknown("weights", weights, ["linear", "quadratic"])
    size, several = labels.n_annotators, labels.counts > 1
    of_several = np.repeat(several, labels.counts)
    annotator, label = labels.annotator[of_several], labels.label[of_several]
    row = np.repeat(np.arange(np.count_nonzero(several)), labels.counts[several])
    shape = (size, int(np.count_nonzero(several)))

    def who_gave(which: Any, values: Float64s | None = None) -> Any:
        cells = annotator[which], row[which]
        entries = np.ones(len(cells[0])) if values is None else values
        return sparse.csr_array((entries, cells), shape=shape)

    everyone = who_gave(slice(None)).T.tocsr()
    pairs = sparse.triu(everyone.T @ everyone, k=1, format="coo")
    order = np.lexsort((pairs.col, pairs.row))
    first, second = (codes[order].astype(np.int64) for codes in (pairs.row, pairs.col))
    shared, place = pairs.data[order], first * size + second
    agreeing, by_chance = np.zeros(len(first)), np.zeros(len(first))

    def add(target: Float64s, matrix: Any) -> None:
        upper = sparse.triu(matrix, k=1, format="coo")
        target[np.searchsorted(place, upper.row.astype(np.int64) * size + upper.col)] += upper.data

    for which in np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1]):
        given = who_gave(which)
        marginal = given @ everyone  # [a, b]: examples shared by a and b to which a gave this class
        add(agreeing, given @ given.T)
        add(by_chance, marginal.multiply(marginal.T.tocsr()))

    # Counts are whole numbers, exact in float64: the denominator is 0 only where kappa is undefined.
    numerator, denominator = agreeing * shared - by_chance, shared**2 - by_chance
    if weights is not None:
        apart, denominator = np.zeros(len(first)), np.zeros(len(first))
        for feature in _features(weights, positions(labels)):
            given, squares = (who_gave(slice(None), feature[label] ** power) for power in (1, 2))
            sums, of_squares = given @ everyone, squares @ everyone
            of_squares = of_squares + of_squares.T
            add(apart, of_squares - 2 * (given @ given.T))
            add(denominator, everyone.T @ everyone * of_squares - 2 * sums.multiply(sums.T.tocsr()))
        numerator = denominator - apart * shared
    kappa = np.divide(numerator, denominator, out=np.full(len(first), np.nan), where=denominator > 0)
    kept = shared >= min_overlap
    columns = (first, second, shared.astype(np.int64), agreeing / shared, kappa)
    return PairwiseKappa(labels.annotators, *(column[kept] for column in columns))


def _features(weights: str, where: Float64s) -> Iterator[Float64s]:
    """Numbers for each class whose squared differences add up to the disagreement of two classes."""
    if weights == "quadratic":
        yield where - where.min(initial=np.inf)
        return
    points = np.unique(where)
    for low, high in pairwise(points.tolist()):
        yield np.sqrt(high - low) * (where >= high)
