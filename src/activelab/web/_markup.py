"""Markdown and HTML as small trees of allowed elements, which pages build one by one.

Markdown becomes HTML without any HTML of its author; HTML is parsed as browsers do and cleaned by nh3
(ammonia); and what comes of it is read once more against the lists below. No page ever parses what somebody
wrote.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from html.parser import HTMLParser
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt

from activelab.web._bodies import Element, Node

_SECTIONS = {
    "address",
    "article",
    "aside",
    "div",
    "figcaption",
    "figure",
    "footer",
    "header",
    "main",
    "nav",
    "section",
}
# A heading of an example stands below those of the page.
_NAMES = {
    "h1": "h3",
    "h2": "h4",
    "h3": "h5",
    "h4": "h6",
    "h5": "h6",
    "h6": "h6",
    "strike": "s",
    "tt": "code",
} | dict.fromkeys(_SECTIONS, "div")
_KEPT = {
    "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "dd", "del", "div", "dl", "dt", "em",
    "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp",
    "small", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
}  # fmt: skip
_VOID = {"br", "hr", "img"}
_SPANS = {"td": ("colspan", "rowspan"), "th": ("colspan", "rowspan"), "ol": ("start",)}
_TIGHT = {"dl", "ol", "table", "tbody", "tfoot", "thead", "tr", "ul"}  # blanks in them are layout
_SCHEMES = {"http", "https", "mailto"}
_DEEPEST = 40
_LONGEST, _MOST = 50_000, {"[": 2_000, "<": 5_000}
"""Of a text's characters. The time it takes to read more, nested as nobody writes, grows as their square."""

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
# Which addresses are allowed is decided below, where those of pictures are files.
_MARKDOWN.validateLink = lambda url: True  # type: ignore[method-assign]

Address = Callable[[int], str]
"""The address of a picture, by its place among those of a content."""


def markup(text: str, format_: str) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """A text as a tree; one that is too long for that, or made to be slow, stays one text.

    Parameters
    ----------
    text : str
    format_ : {"plain", "markdown", "html"}

    Returns
    -------
    nodes : tuple
        Texts and elements. Pictures have their place in ``pictures`` as ``src``.
    pictures : tuple of str
        Paths of the pictures below the folder of media.
    """
    if (
        format_ == "plain"
        or len(text) > _LONGEST
        or any(text.count(one) > most for one, most in _MOST.items())
    ):
        return (text,), ()
    return _read(text, format_)


@lru_cache(maxsize=256)
def _read(text: str, format_: str) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    html = _MARKDOWN.render(text) if format_ == "markdown" else text
    clean = nh3.clean(
        html,
        tags=_KEPT | set(_NAMES),
        attributes={
            "a": {"href"},
            "img": {"src", "alt"},
            **{name: set(some) for name, some in _SPANS.items()},
        },
        url_schemes=_SCHEMES,
        link_rel=None,
    )
    tree = _Tree()
    tree.feed(clean)
    tree.close()
    return tuple(tree.root.children), tuple(tree.pictures)


class _Tree(HTMLParser):
    """Clean HTML as elements on the lists above; of others only what is inside is kept."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element.model_construct(tag="div", attributes={}, children=[])
        self.open: list[tuple[str, Element]] = [("", self.root)]
        self.pictures: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name, given = _NAMES.get(tag, tag), {key: value or "" for key, value in attrs}
        attributes = {
            key: given[key] for key in _SPANS.get(name, ()) if re.fullmatch(r"\d{1,3}", given.get(key, ""))
        }
        if name == "a":
            if not _allowed(given.get("href", "")):
                return
            attributes = {"href": given["href"], "target": "_blank", "rel": "noopener noreferrer nofollow"}
        if name == "img":
            path = given.get("src", "")
            if not _is_path(path):
                self.handle_data(given.get("alt", ""))
                return
            attributes = {"src": str(len(self.pictures)), "alt": given.get("alt", "")}
            self.pictures.append(path)
        if name not in _KEPT or len(self.open) > _DEEPEST:
            return
        element = Element.model_construct(tag=name, attributes=attributes, children=[])
        self.open[-1][1].children.append(element)
        if name not in _VOID:
            self.open.append((tag, element))

    def handle_endtag(self, tag: str) -> None:
        place = next((at for at in range(len(self.open) - 1, 0, -1) if self.open[at][0] == tag), None)
        if place is not None:
            del self.open[place:]

    def handle_data(self, data: str) -> None:
        element = self.open[-1][1]
        if data and not (data.isspace() and element is not self.root and element.tag in _TIGHT):
            element.children.append(data)


def _allowed(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.netloc or parts.scheme == "mailto")


def _is_path(address: str) -> bool:
    """Whether an address is a file below the folder of media."""
    return bool(address) and not re.match(r"[a-z][a-z0-9+.-]*:|[/\\]", address, re.IGNORECASE)


# ------------------------------------------------------------------ terms


def highlighter(terms: Iterable[str]) -> Callable[[str], list[Node]] | None:
    """What marks terms in a text, whatever their case and accents; None if there are no terms."""
    return _highlighter(tuple(terms))


@lru_cache(maxsize=8)
def _highlighter(terms: tuple[str, ...]) -> Callable[[str], list[Node]] | None:
    if not terms:
        return None
    patterns = sorted((_pattern(term.strip()) for term in terms), key=len, reverse=True)
    sought = re.compile("|".join(patterns))

    def mark(text: str) -> list[Node]:
        folded, places = _folded(text)
        found, at = list[Node](), 0
        for match in sought.finditer(folded):
            start, end = places[match.start()], places[match.end() - 1] + 1
            while end < len(text) and unicodedata.category(text[end]) == "Mn":
                end += 1
            if start > at:
                found.append(text[at:start])
            if end > max(start, at):
                found.append(
                    Element.model_construct(tag="mark", attributes={}, children=[text[max(start, at) : end]])
                )
            at = max(at, end)
        return [*found, text[at:]] if at < len(text) else found

    return mark


def _pattern(term: str) -> str:
    words = re.split(r"\s+", _folded(term.strip("*").strip())[0])
    inside = r"\s+".join(map(re.escape, words))
    return ("" if term.startswith("*") else r"(?<!\w)") + inside + ("" if term.endswith("*") else r"(?!\w)")


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """A text without case and accents, and where each of its characters was."""
    if text.isascii():
        return text.lower(), range(len(text))
    folded, places = list[str](), list[int]()
    for place, character in enumerate(text):
        plain = "".join(
            one for one in unicodedata.normalize("NFD", character) if unicodedata.category(one) != "Mn"
        )
        for one in unicodedata.normalize("NFC", plain).casefold():
            folded.append(one)
            places.append(place)
    return "".join(folded), places


# ------------------------------------------------------------------ both


def finish(nodes: Iterable[Node], address: Address, mark: Callable[[str], list[Node]] | None) -> list[Node]:
    """A tree with the addresses of its pictures, and terms marked."""
    done = list[Node]()
    for node in nodes:
        if isinstance(node, str):
            done += mark(node) if mark else [node]
            continue
        attributes = node.attributes
        if node.tag == "img":
            attributes = attributes | {"src": address(int(attributes["src"]))}
        children = finish(node.children, address, mark)
        done.append(Element.model_construct(tag=node.tag, attributes=attributes, children=children))
    return done
