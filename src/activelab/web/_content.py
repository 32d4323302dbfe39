"""What is shown of an example, and of the guidelines."""

from __future__ import annotations

import json
import math
from typing import Any

from activelab.project import Settings
from activelab.project.content import MEDIA, TEXT, TURNS, turns_of
from activelab.web._bodies import Content, NamedValue, Node, Turn
from activelab.web._markup import finish, highlighter, markup


def content_of(example_id: int, content: dict[str, Any], settings: Settings) -> Content:
    """What is shown of an example: text, turns and media where there are any, the rest as a table."""
    found, _ = _shown(example_id, content, settings)
    return found


def pictures_in(content: dict[str, Any], settings: Settings) -> list[str]:
    """Paths of the pictures in the texts of an example, in the order of their addresses."""
    return _shown(0, content, settings)[1]


def guidelines_of(settings: Settings) -> tuple[list[Node], list[str]]:
    """The guidelines as a tree, and the paths of their pictures."""
    nodes, pictures = markup(settings.guidelines.strip(), "markdown")
    return finish(nodes, lambda place: f"/api/v1/guidelines/{place}", None), list(pictures)


def _shown(example_id: int, content: dict[str, Any], settings: Settings) -> tuple[Content, list[str]]:
    pictures: list[str] = []
    mark = highlighter(settings.terms)

    def tree(text: str) -> list[Node] | None:
        """None if it looks as it is."""
        nodes, inside = markup(text, settings.text_format)
        first = len(pictures)
        pictures.extend(inside)
        shown = finish(
            nodes, lambda place: f"/api/v1/media/{example_id}?part=inside&place={first + place}", mark
        )
        return None if shown == [text] or not text else shown

    text, turns = content.get(TEXT), turns_of(content)
    parts = {name for name in (TEXT, *MEDIA) if content.get(name) is not None} | ({TURNS} if turns else set())
    beside = [(str(name), value) for name, value in content.items() if name not in parts]
    found = Content(
        text=None if text is None else str(text),
        shown=None if text is None else tree(str(text)),
        turns=[Turn(role=one["role"], text=one["content"], shown=tree(one["content"])) for one in turns],
        **{name: f"/api/v1/media/{example_id}?part={name}" for name in MEDIA if name in parts},
        fields=[
            NamedValue(name=name, value=_plain(value), shown=tree(value) if isinstance(value, str) else None)
            for name, value in beside
        ],
    )
    return found, pictures


def _plain(value: Any) -> str | float | bool | None:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        # Beyond this a browser would round.
        return value if math.isfinite(value) and abs(value) < 2**53 else str(value)
    return json.dumps(value, ensure_ascii=False)
