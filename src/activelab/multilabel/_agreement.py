"""How far annotators agree on sets beyond chance: as a whole, and class by class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from activelab._errors import InputError
from activelab._typing import Bools, Float64s
from activelab._vocabulary import Vocabulary
from activelab.agreement import Agreement, alphas_by_distance, gwet_ac1, krippendorff_alpha
from activelab.labels import Labels
from activelab.multilabel._sets import LabelSets

_MOST_SETS = 4096  # distances of every two of them are kept


def set_agreement(
    sets: LabelSets, *, n_bootstrap: int = 1000, confidence: float = 0.95, seed: int = 0
) -> list[Agreement]:
    """Krippendorff's alpha of sets with the MASI and the Jaccard distance, then alpha and AC1 of each class.

    The Jaccard distance of A and B is 1 − |A ∩ B| / |A ∪ B|, MASI's 1 − m |A ∩ B| / |A ∪ B| with m = 1 for
    equal sets, 2/3 if one holds the other, 1/3 if they overlap otherwise and 0 if they share nothing. Two
    empty sets are equal, an empty and another one as far apart as can be. Partial answers count for the
    classes they are about alone.

    Parameters
    ----------
    sets : LabelSets
    n_bootstrap, confidence, seed
        As for `activelab.agreement.agreement_statistics`, whose errors it raises.

    Returns
    -------
    list of Agreement
        ``krippendorff_alpha_masi``, ``krippendorff_alpha_jaccard``, and for each class
        ``krippendorff_alpha of CLASS`` and ``gwet_ac1 of CLASS``.

    Raises
    ------
    InputError
        If more than 4,096 different sets were given.

    References
    ----------
    R. Passonneau, Measuring agreement on set-valued items (MASI) for semantic and pragmatic annotation,
    LREC 2006.

    Examples
    --------
    >>> import activelab as al
    >>> from activelab.multilabel import set_agreement
    >>> sets = al.LabelSets.from_lists([["a|b", "a|b"], ["a", "a|b"], ["b", "b"], ["|", "a"]])
    >>> for one in set_agreement(sets, n_bootstrap=0)[:2]:
    ...     print(f"{one.name} {one.value:.3f}")
    krippendorff_alpha_masi 0.386
    krippendorff_alpha_jaccard 0.382
    """
    options: dict[str, Any] = {"n_bootstrap": n_bootstrap, "confidence": confidence, "seed": seed}
    interned, members = _interned(sets)
    shared = _shared(members)
    distances = {"masi": 1 - shared * _monotonicity(members), "jaccard": 1 - shared}
    found = alphas_by_distance(interned, distances, **options)
    for code, name in enumerate(sets.classes.tolist()):
        labels = sets.of_class(code)
        for one in (krippendorff_alpha(labels, **options), gwet_ac1(labels, **options)):
            found.append(replace(one, name=f"{one.name} of {name}"))
    return found


def _interned(sets: LabelSets) -> tuple[Labels, Bools]:
    """Complete answers as labels of the different sets there are, and their members."""
    whole = sets.select(answers=np.asarray(sets.asked.all(axis=1)))
    members, code = np.unique(whole.chosen, axis=0, return_inverse=True)
    if len(members) > _MOST_SETS:
        raise InputError(
            f"{len(members):,} different sets were given; agreement compares every two of at most "
            f"{_MOST_SETS:,}. Join rare classes."
        )
    return Labels.of_sorted(
        whole.offsets,
        whole.annotator,
        code.reshape(-1).astype(np.int32),
        examples=Vocabulary(whole.n_examples, "example"),
        annotators=Vocabulary(whole.n_annotators, "annotator"),
        classes=Vocabulary(len(members), "class"),
    ), members


def _shared(members: Bools) -> Float64s:
    """|A ∩ B| / |A ∪ B| of every two sets; 1 of two empty ones."""
    number = members.astype(np.float64)
    both, size = number @ number.T, number.sum(axis=1)
    either = size[:, None] + size - both
    return np.asarray(np.divide(both, either, out=np.ones_like(both), where=either > 0))


def _monotonicity(members: Bools) -> Float64s:
    """MASI's m of every two sets."""
    number = members.astype(np.float64)
    both, size = number @ number.T, number.sum(axis=1)
    smaller, larger = np.minimum(size[:, None], size), np.maximum(size[:, None], size)
    return np.select([both == larger, both == 0, both == smaller], [1.0, 0.0, 2 / 3], 1 / 3)
