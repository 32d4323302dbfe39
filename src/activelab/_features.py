"""Features of the examples, matched to the pool by id where they carry ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from activelab._errors import InputError, first
from activelab._frames import is_frame, row_ids, take_rows
from activelab._typing import Ids
from activelab._vocabulary import Vocabulary
from activelab.labels import Labels

if TYPE_CHECKING:
    from activelab.multilabel import LabelSets


Pool = TypeVar("Pool", "Labels", "LabelSets")


class Features(NamedTuple, Generic[Pool]):
    """Features in the order of a pool.

    Attributes
    ----------
    labels : Labels or LabelSets
        The pool, with the examples that only the features name.
    X : dataframe, array or what else was given
        Row i is example i of ``labels``.
    id_column : object
        Column that held the ids, which is no feature; None if none did.
    notes : tuple of str
    """

    labels: Pool
    X: Any
    id_column: Any
    notes: tuple[str, ...]


def aligned(X: Any, labels: Pool) -> Features[Pool]:
    """Match features to the pool.

    The rows of a dataframe are found by their ids: in a column ``example``; in another column that is called
    like one and holds every labelled example once; or in a pandas index, of a series too, that is not
    0, 1, … Anything else is taken as it is: row i is example i.

    Raises
    ------
    InputError
        If an id is repeated, or examples of the pool have no row.

    Examples
    --------
    >>> import pandas as pd
    >>> from activelab import Labels
    >>> from activelab._features import aligned
    >>> labels = Labels.from_records([("a", "ann", 0), ("b", "ann", 1)])
    >>> aligned(pd.DataFrame({"id": ["b", "c", "a"], "size": [2, 3, 1]}), labels).X["size"].tolist()
    [1, 2, 3]
    """
    table = hasattr(X, "iloc") or (_may_be_table(X) and is_frame(X))
    found = row_ids(X, is_id=lambda values: _are_ids(values, labels)) if table else None
    if found is None:
        return Features(labels, X, None, _by_position(labels) if table else ())
    ids = Vocabulary(found.ids, "example")
    labels = labels.with_examples(ids.values)
    rows = ids.encode(labels.examples)
    if (rows < 0).any():
        raise _absent(labels.examples[rows < 0], "examples of the pool")
    return Features(labels, take_rows(X, rows, found.column), found.column, ())


def _may_be_table(X: Any) -> bool:
    return not isinstance(X, np.ndarray | list | tuple) and not type(X).__module__.startswith("datasets.")


def _are_ids(values: Ids, labels: Labels | LabelSets) -> bool:
    """Whether a column holds every labelled example, and nothing twice.

    Raises
    ------
    InputError
        If it holds most of them but not all.
    """
    wanted = labels.examples[labels.labelled]
    try:
        absent = Vocabulary(values, "example").encode(wanted) < 0
    except InputError:
        return False
    if absent.any() and absent.mean() < 0.5:
        raise _absent(wanted[absent], "labelled examples")
    return bool(len(wanted)) and not absent.any()


def _absent(examples: Ids, what: str) -> InputError:
    return InputError(f"{len(examples):,} {what} have no row in X: {first(examples[:11])}.", advice="rows")


def _by_position(labels: Labels | LabelSets) -> tuple[str, ...]:
    """A note, where the ids of the pool are not the numbers of the rows."""
    if np.array_equal(labels.examples, np.arange(labels.n_examples)):
        return ()
    return (
        "X names no examples: its row i was taken for example i of the pool. With a column 'example', or the "
        "ids as index, rows are found by id.",
    )
