"""What an example holds: one JSON object; some names are shown as what they are, the rest as a table.

Every kind of project may hold them together; the kind says which of them an example cannot be without, and
what models see.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from activelab._errors import InputError

TEXT, TURNS = "text", "messages"
MEDIA = ("image", "audio", "video")
PARTS = (TEXT, TURNS, *MEDIA)
"""Names in a content that are no fields of a table: a text, the turns of a chat, and files."""

_LONGEST_ROLE = 50


def read_turns(value: Any) -> list[dict[str, str]]:
    """The turns of a chat, each with a role and a text.

    Parameters
    ----------
    value : list or str
        ``[{"role": "user", "content": "…"}, …]``, or the same as JSON, as language models take and give it. A
        content may be a list of parts of type text.

    Returns
    -------
    list of dict
        Each ``{"role": …, "content": …}``.

    Raises
    ------
    InputError
        If it has another form; the message says which turn.

    Examples
    --------
    >>> from activelab.project.content import read_turns
    >>> read_turns('[{"role": "user", "content": "Hello"}]')
    [{'role': 'user', 'content': 'Hello'}]
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise InputError('is no JSON, such as [{"role": "user", "content": "…"}]') from None
    if not isinstance(value, list) or not value:
        raise InputError('is no list of turns, such as [{"role": "user", "content": "…"}]')
    return [_turn(place, one) for place, one in enumerate(value, start=1)]


def _turn(place: int, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InputError(f"has no object with role and content as turn {place}")
    role, content = value.get("role"), value.get("content")
    if not isinstance(role, str) or not 0 < len(role.strip()) <= _LONGEST_ROLE:
        raise InputError(f"has no 'role' of at most {_LONGEST_ROLE} characters in turn {place}")
    if isinstance(content, list):
        parts = [one if isinstance(one, dict) else {} for one in content]
        strange = [one.get("type") for one in parts if not isinstance(one.get("text"), str)]
        if strange:
            raise InputError(f"has a part of type {strange[0]!r} in turn {place}; only texts are shown")
        content = "\n".join(one["text"] for one in parts)
    if not isinstance(content, str):
        raise InputError(f"has no text 'content' in turn {place}")
    return {"role": role.strip(), "content": content}


def turns_of(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """The turns in a content; none if there are none, or what stands there has another form."""
    try:
        return read_turns(content[TURNS]) if content.get(TURNS) is not None else []
    except InputError:
        return []


def words_of(content: Mapping[str, Any]) -> str:
    """What can be read in text and turns, for models and for tools that know no turns."""
    text = content.get(TEXT)
    return "\n".join([*([] if text is None else [str(text)]), *(one["content"] for one in turns_of(content))])
