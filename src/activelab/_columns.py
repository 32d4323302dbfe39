"""Which column is the example, the annotator, the label: by its fixed name or a common spelling."""

from __future__ import annotations

import re
from collections.abc import Sequence

from activelab._errors import InputError, first

_SPELLINGS = {
    "example": "example task item object question instance sample image document text hit unit index",
    "annotator": "annotator worker labeler labeller rater user coder judge annotated_by labeled_by",
    "price": "price cost rate fee wage",
    "confidence": "confidence certainty sureness",
    "group": "group",
    "label": "label class annotation answer choice category rating response value vote",
}


_CONTENT = "question sample image document text"
"""Of the nouns of an example, those that more often name what is in it."""
_INDEX = re.compile(r"|index|level_\d+|unnamed: \d+(\.\d+)*|__index_level_\d+__", re.IGNORECASE)


def is_index(name: str) -> bool:
    """Whether a column is called as pandas calls the index of a dataframe.

    Examples
    --------
    >>> from activelab.tables import is_index
    >>> [is_index(name) for name in ("", "Unnamed: 0", "__index_level_0__", "task")]
    [True, True, True, False]
    """
    return _INDEX.fullmatch(name.strip()) is not None


def check_distinct(names: Sequence[str]) -> None:
    """Raise if two columns have one name; those without a name are the index of a dataframe."""
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise InputError(f"column {twice[0]!r} appears more than once; give each column one name.")


def _forms(role: str) -> set[str]:
    nouns = [_plain(noun) for noun in _SPELLINGS[role].split()]
    forms = {*nouns, *(noun + "id" for noun in nouns), *(noun + "name" for noun in nouns)}
    return forms | {"example": {"id", "uid", "key", "exampleindex"}, "label": {"classlabel"}}.get(role, set())


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def candidates(names: Sequence[str], role: str) -> list[str]:
    """The columns that could play a role, by their names; see `find_column`."""
    found = [name for name in names if name.strip() == role]
    if found:
        return found
    forms = _forms(role)
    found = [name for name in names if _plain(name) in forms]
    for weaker in (is_index, is_content):
        found = [name for name in found if not weaker(name)] or found
    return found


def find_column(names: Sequence[str], role: str, chosen: str | None = None, holder: str = "file") -> str:
    """The column that plays a role.

    Parameters
    ----------
    names : sequence of str
        The columns there are.
    role : {"example", "annotator", "label", "price", "confidence", "group"}
    chosen : str, optional
        The column the user named.
    holder : str
        What has the columns, for the error.

    Returns
    -------
    str
        ``chosen``; else the column of the role's own name; else the one with a common spelling of it. Ids
        come before what an example holds (``id`` before ``text``), named columns before an index.

    Raises
    ------
    InputError
        If there is none, or more than one.

    Examples
    --------
    >>> from activelab.tables import find_column
    >>> find_column(["Task ID", "worker", "label"], "example")
    'Task ID'
    """
    found = candidates(names, role) if chosen is None else [name for name in names if name == chosen]
    if len(found) == 1:
        return found[0]
    if not found:
        raise _absent(names, role, chosen, holder)
    if len(set(found)) == 1:
        raise InputError(f"column {found[0]!r} appears {len(found)} times; give each column one name.")
    raise InputError(f"columns {first(found)} could each be the {role}.", column=role, advice="column")


def is_content(name: str) -> bool:
    """Whether a column is called after what examples hold, such as ``text``, rather than after their ids."""
    return _plain(name) in _CONTENT.split()


def _absent(names: Sequence[str], role: str, chosen: str | None, holder: str) -> InputError:
    wanted = f"no column {role if chosen is None else chosen!r}"
    message = f"{wanted}; the {holder} has: {first(names, 20) or 'none'}."
    return InputError(message, column=role, advice="column" if chosen is None else None)
