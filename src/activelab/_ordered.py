"""Classes as points of a scale."""

from __future__ import annotations

import numpy as np

from activelab._typing import Float64s, Ids
from activelab.labels import Labels


def positions(labels: Labels) -> Float64s:
    """Where each class lies on the scale, shape (n_classes,): its value if all are numbers, else its rank."""
    values = _numbers(labels.classes)
    return np.arange(labels.n_classes, dtype=np.float64) if values is None else values


def order_notes(classes: Ids) -> tuple[str, ...]:
    """A note on the order of classes that are words in alphabetical order, which nobody may have meant."""
    names = [str(name) for name in classes.tolist()]
    if len(names) < 3 or _numbers(classes) is not None or names != sorted(names):
        return ()
    scale = " < ".join(repr(name) for name in names[:6]) + (" < …" if len(names) > 6 else "")
    return (f"the classes are words, and their order is taken for that of the scale: {scale}.",)


def _numbers(classes: Ids) -> Float64s | None:
    """The classes as distinct finite numbers; None if they are not."""
    try:
        values = np.array([float(name) for name in classes.tolist()])
    except (TypeError, ValueError, OverflowError):
        return None
    distinct = np.isfinite(values).all() and len(np.unique(values)) == len(values)
    return values if distinct else None
