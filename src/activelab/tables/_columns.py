"""Which column is the example, the annotator, the label: by its fixed name or a common spelling."""

from __future__ import annotations

import re
from collections.abc import Sequence

from activelab._errors import InputError, first

_SPELLINGS = {
    "example": "example task item object question instance sample image document text hit unit index",
    "annotator": "annotator worker labeler labeller rater user coder judge annotated_by labeled_by",
    "price": "price cost rate fee wage",
    "label": "label class annotation answer choice category rating response value vote",
}


def _forms(role: str) -> set[str]:
    nouns = [_plain(noun) for noun in _SPELLINGS[role].split()]
    forms = {*nouns, *(noun + "id" for noun in nouns), *(noun + "name" for noun in nouns)}
    return forms | {"example": {"id", "uid", "key", "exampleindex"}, "label": {"classlabel"}}.get(role, set())


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def find_column(names: Sequence[str], role: str, chosen: str | None = None) -> str:
    """The column that plays a role.

    Parameters
    ----------
    names : sequence of str
        The columns there are.
    role : {"example", "annotator", "label", "price"}
    chosen : str, optional
        The column the user named.

    Returns
    -------
    str
        ``chosen``; else the column of the role's own name; else the one with a common spelling of it.

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
    if chosen is not None:
        found = [name for name in names if name == chosen]
    else:
        found = [name for name in names if name.strip() == role]
        if not found:
            forms = _forms(role)
            found = [name for name in names if _plain(name) in forms]
    if len(found) == 1:
        return found[0]
    if not found:
        raise _absent(names, role, chosen)
    if len(set(found)) == 1:
        raise InputError(f"column {found[0]!r} appears {len(found)} times; give each column one name.")
    raise InputError(f"columns {first(found)} could each be the {role}.", column=role, advice="column")


def _absent(names: Sequence[str], role: str, chosen: str | None) -> InputError:
    wanted = f"no column {role if chosen is None else chosen!r}"
    message = f"{wanted}; the file has: {first(names, 20)}."
    if len(names) == 1 and any(mark in names[0] for mark in ";|\t"):
        message += " Separate the columns by commas (tabs in a .tsv file)."
        return InputError(message, column=role)
    return InputError(message, column=role, advice="column" if chosen is None else None)
