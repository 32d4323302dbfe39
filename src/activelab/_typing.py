"""Array types used in signatures."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Float64s: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.signedinteger[Any]]
Bools: TypeAlias = npt.NDArray[np.bool_]
Ids: TypeAlias = npt.NDArray[Any]
"""Identifiers as the user wrote them: integers, strings, or a mixture (object dtype)."""

Models: TypeAlias = tuple[Floats, ...]
"""Checked predictions of an ensemble: one ``(n_examples, n_classes)`` array a model."""
Index: TypeAlias = slice | Ints
