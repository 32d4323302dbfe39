"""Names of accounts: every character can be seen, and nobody looks like somebody else."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from activelab._errors import InputError

LONGEST = 100

# Controls, formats (zero-width, bidirectional, tags), surrogates, private use, unassigned, ends of lines.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# Letters and marks that Unicode draws as nothing (Default_Ignorable_Code_Point), and the empty Braille cell.
_BLANK = frozenset(
    chr(code)
    for span in (
        (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800),
        (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
    )
    for code in range(span[0], span[1] + 1)
)  # fmt: skip
_ALIKE = ("LATIN", "GREEK", "CYRILLIC")  # alphabets that share the look of many letters


def check_name(name: str) -> None:
    """Refuse what is no name.

    Raises
    ------
    InputError
        If it is empty or too long, has a character that cannot be seen, or a space at its edge.
    """
    strange = [character for character in name if _unseen(character)]
    if not 1 <= len(name) <= LONGEST or name.strip() != name or strange:
        which = f" (here U+{ord(strange[0]):04X})" if strange else ""
        raise InputError(
            f"{name!r} is no name: 1 to {LONGEST} characters, none of them invisible{which} "
            "or at the edge a space."
        )


def looks_like(name: str, others: Iterable[str]) -> str | None:
    """For whom somebody of this name could be taken; None if for nobody.

    Capitals, widths and ligatures make no difference (NFKC, case folded); one name is of one alphabet.
    """
    letters = {unicodedata.name(character, "").split(" ")[0] for character in name if character.isalpha()}
    if len(letters.intersection(_ALIKE)) > 1:
        return "a name in another alphabet, of which it mixes several"
    own = folded(name)
    return next((repr(other) for other in others if other != name and folded(other) == own), None)


def _unseen(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _UNSEEN or character in _BLANK or (category == "Zs" and character != " ")


def rename_in(text: str, name: str, instead: str) -> str:
    """A text that names somebody alone, in name=family, quoted, or after "by" at the end, renamed."""
    if text == name or text.startswith(f"{name}="):
        return instead + text[len(name) :]
    if text.endswith(f" by {name}"):
        return text[: -len(name)] + instead
    return text.replace(repr(name), repr(instead))


def folded(name: str) -> str:
    """What two names have in common that could be taken for each other."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
