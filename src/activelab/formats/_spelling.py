"""Classes that may be one: other spellings of each other, of a class that was named, or of no label."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence

from activelab._errors import first
from activelab.tables import without_point

_NATURAL = re.compile(r"0|[1-9][0-9]{0,17}").fullmatch
_NO_LABEL = {"nan", "na", "n/a", "#n/a", "<na>", "nat", "null", "none", "nil"}
"""Words that some programs write for what is missing, and that may be classes as well; in lower case."""


def same_value(text: str) -> str:
    """A text in the form in which values that are equal are equal.

    Without blanks around it and in Unicode's normal form C; a whole number without a point, a truth value
    in lower case.
    """
    plain = unicodedata.normalize("NFC", text.strip())
    return plain.lower() if plain.lower() in ("true", "false") else without_point(plain)


def folded(text: str) -> str:
    """A text without what blanks, case and Unicode's normal forms make of it."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(plain.split())


def meeting(labels: Iterable[str], classes: Sequence[str], *, fold: bool = False) -> dict[str, str]:
    """Labels that are none of the classes but have the value of one, and that class.

    Parameters
    ----------
    labels : iterable of str
    classes : sequence of str
    fold : bool
        Whether blanks, case and normal form may differ, too.
    """
    found: dict[str, str] = {}
    missing = [label for label in labels if label not in set(classes)] if classes else []
    for form in (same_value, folded) if fold and missing else (same_value,):
        by_form: dict[str, list[str]] = {}
        for name in classes if missing else ():
            by_form.setdefault(form(name), []).append(name)
        for label in missing:
            if label not in found and len(names := by_form.get(form(label), [])) == 1:
                found[label] = names[0]
    return found


def folding(counts: Mapping[str, int]) -> dict[str, str]:
    """For each class that is another spelling of a more frequent one: that one."""
    most = {}
    for group in _alike(counts):
        chosen = min(group, key=lambda name: (-counts[name], name))
        most.update({name: chosen for name in group if name != chosen})
    return most


def _alike(classes: Iterable[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(folded(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def class_notes(counts: Mapping[str, int], known: Collection[str] = ()) -> list[str]:
    """What is worth a question about the classes of a file, besides those that the user has named.

    Parameters
    ----------
    counts : mapping of str to int
        How many labels each class has.
    known : collection of str
        Classes that are meant to be as they are.
    """
    notes = []
    alike = [group for group in _alike(counts) if not set(group) <= set(known)]
    if alike:
        named = "; ".join(first(sorted(group)) for group in alike[:5])
        more = f"; and {len(alike) - 5:,} more" if len(alike) > 5 else ""
        notes.append(
            f"classes that differ only in blanks, case or normal form: {named}{more}. --fold merges them."
        )
    others = [name for name in counts if name != "-1"]
    if "-1" in counts and "-1" not in known and others and all(map(_NATURAL, others)):
        notes.append(
            f"-1 ({counts['-1']:,} labels) is taken as a class, beside numbers of which none is negative; "
            "--missing -1 to leave it out."
        )
    words = [name for name in counts if name.strip().lower() in _NO_LABEL and name not in known]
    notes += [
        f"{word!r} ({counts[word]:,} labels) is taken as a class; --missing {word.strip()} to leave it out."
        for word in words[:5]
    ]
    return notes
