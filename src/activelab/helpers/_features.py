"""What helpers see of the examples: numbers on one scale, whatever the classifier of the user is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from activelab._frames import is_frame
from activelab._typing import Floats

_WIDEST = 1000  # columns; wider features are reduced
_COMPONENTS = 64
_SAMPLE = 20_000  # rows the components are found on


def helper_features(X: Any, seed: int = 0) -> Floats | str:
    """Features as standardised numbers, float32 of shape (n_examples, n_columns); else why there are none.

    Constant columns are left out, gaps are filled with the mean. Features wider than 1,000 columns are
    reduced to 64 components, which keep their own sizes: those of texts say what matters.
    """
    if sparse.issparse(X):
        numbers: Any = X.tocsr().astype(np.float32)
        if numbers.shape[1] > _WIDEST:
            return _components(numbers, seed)
        return _standardised(numbers.toarray())
    if is_frame(X):
        import narwhals as nw

        frame = nw.from_native(X, eager_only=True)
        if not all(kind.is_numeric() or kind == nw.Boolean for kind in frame.schema.values()):
            return "some columns are no numbers"
        X = frame.to_numpy()
    try:
        array = np.asarray(X)
    except ValueError:
        return "the rows differ in length"
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        return "the examples are no rows of numbers"
    array = array.astype(np.float32)
    if np.isinf(array).any():
        return "the features hold infinity"
    return _components(_filled(array), seed) if array.shape[1] > _WIDEST else _standardised(_filled(array))


def _filled(array: Floats) -> Floats:
    gaps = np.isnan(array)
    if not gaps.any():
        return array
    known = np.maximum((~gaps).sum(axis=0), 1)
    return np.where(gaps, np.where(gaps, 0, array).sum(axis=0) / known, array).astype(np.float32)


def _standardised(array: Floats) -> Floats | str:
    spread = array.std(axis=0, dtype=np.float64)
    varies = spread > 1e-6 * (np.abs(array).max(axis=0, initial=0) + 1e-30)
    if not varies.any():
        return "every column of the features is constant"
    centre = array[:, varies].mean(axis=0, dtype=np.float64)
    return np.asarray((array[:, varies] - centre) / spread[varies], dtype=np.float32)


def _components(array: Any, seed: int) -> Floats | str:
    from sklearn.decomposition import TruncatedSVD

    rows = np.random.default_rng(seed).permutation(array.shape[0])[:_SAMPLE]
    number = min(_COMPONENTS, len(rows) - 1)
    reduced = TruncatedSVD(number, random_state=seed).fit(array[np.sort(rows)]).transform(array)
    scale = float(np.sqrt(reduced.var(axis=0, dtype=np.float64).mean()))
    if not scale:
        return "every row of the features is the same"
    return np.asarray((reduced - reduced.mean(axis=0)) / scale, dtype=np.float32)
