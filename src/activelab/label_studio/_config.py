"""What a labelling page asks, by its configuration, and the configuration of a page that asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from activelab._errors import InputError, first
from activelab.formats import PATH, answer_value
from activelab.project import Settings

_SHOWN = {"text": "Text", "image": "Image", "audio": "Audio", "video": "Video", "table": "Table"}
_KINDS = {tag: kind for kind, tag in _SHOWN.items()}
_STARS = 5
_ASKS = {"single": "one class", "ordinal": "a point of a scale", "multilabel": "any number of classes"}
_FITS = {"single": ("single", "ordinal"), "ordinal": ("ordinal",), "multilabel": ("multilabel",)}
"""Questions of a project that answers to a question of a page are answers to."""


@dataclass(frozen=True)
class Labelling:
    """A question, one an example.

    Attributes
    ----------
    question : str
        Name of the tag that asks.
    field : str
        Field of the data that is shown.
    kind : {"text", "image", "audio", "video", "table"}
    classes : tuple of str
        Of a taxonomy its leaves, as paths such as "Animal/Cat"; of ratings "1", "2", …
    asks : {"single", "ordinal", "multilabel"}
        For one class, a point of a scale, or any number of classes.
    tag : {"choices", "rating", "taxonomy"}
    shown : str
        Name of the tag that shows the example.
    """

    question: str
    field: str
    kind: str
    classes: tuple[str, ...]
    asks: str = "single"
    tag: str = "choices"
    shown: str = ""

    @property
    def several(self) -> bool:
        """Whether an answer is a set."""
        return self.asks == "multilabel"

    def result(self, label: str | list[str]) -> list[dict[str, Any]]:
        """A label as the result of an annotation or prediction; nothing is in it of the empty set."""
        names = [label] if isinstance(label, str) else label
        if not names:
            return []
        about = {"from_name": self.question, "to_name": self.shown, "type": self.tag}
        return [{**about, "value": {self.tag: answer_value(self.tag, names)}}]

    def check(self, settings: Settings) -> None:
        """Raise unless answers on the page are answers to the question of a project."""
        if settings.question not in _FITS[self.asks]:
            raise InputError(
                f"the tag {self.question!r} in Label Studio asks for {_ASKS[self.asks]}, this project for "
                f"{_ASKS[settings.question]}.",
                advice="label_config",
            )


def labelling_of(project: Mapping[str, Any]) -> Labelling:
    """The question of a Label Studio project: one tag Choices, Rating or Taxonomy.

    Choices with ``choice="multiple"`` and a Taxonomy ask for sets, a Taxonomy with ``maxUsages="1"`` for one
    class, a Rating for a point of a scale.

    Raises
    ------
    InputError
        If it asks for anything else, or for several answers; the message names the tag.
    """
    title = f"Label Studio project {project.get('id')}"
    controls = project.get("parsed_label_config") or {}
    if not controls:
        raise InputError(f"{title} has no labelling configuration yet.")
    for name, control in controls.items():
        if str(control.get("type")).lower() not in _CLASSES:
            raise InputError(
                f"{title}: <{control.get('type')} name={name!r}> asks for something else than a class, a set "
                "of classes or a rating. Only one tag <Choices>, <Rating> or <Taxonomy> can be used."
            )
    if len(controls) > 1:
        raise InputError(f"{title} asks several questions: {', '.join(controls)}. Only one can be used.")
    ((name, control),) = controls.items()
    kind = str(control["type"])
    where = f"{title}: <{kind} name={name!r}>"
    tag = _tag(title, kind, name, str(project.get("label_config", "")))
    for option in ("perRegion", "perItem"):
        if tag.get(option, "false").lower() == "true":
            raise InputError(f"{where} asks about parts of the example: {option}='true'.")
    asks, classes = _CLASSES[kind.lower()](where, tag, control)
    if len(classes) < 2:
        raise InputError(f"{where} lists fewer than two classes.")
    inputs = [one for one in control.get("inputs") or [] if one.get("value")]
    if not inputs:
        raise InputError(f"{where} belongs to nothing that is shown.")
    return Labelling(
        question=name,
        field=str(inputs[0]["value"]),
        kind=_KINDS.get(inputs[0].get("type", ""), "text"),
        classes=classes,
        asks=asks,
        tag=kind.lower(),
        shown=tag.get("toName", "").split(",")[0],
    )


def _tag(title: str, kind: str, name: str, config: str) -> ElementTree.Element:
    try:
        tags = [tag for tag in ElementTree.fromstring(config).iter(kind) if tag.get("name") == name]
    except ElementTree.ParseError as error:
        raise InputError(f"{title}: the labelling configuration is no XML: {error}.") from None
    if not tags:
        raise InputError(f"{title}: the labelling configuration has no <{kind} name={name!r}>.")
    return tags[0]


def _of_choices(
    where: str, tag: ElementTree.Element, control: Mapping[str, Any]
) -> tuple[str, tuple[str, ...]]:
    if tag.find(".//Choice//Choice") is not None:
        raise InputError(f"{where} holds choices within choices; a <Taxonomy> tag is for these.")
    several = tag.get("choice", "single") == "multiple"
    return "multilabel" if several else "single", tuple(control.get("labels") or ())


def _of_rating(where: str, tag: ElementTree.Element, _: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    most = tag.get("maxRating", str(_STARS))
    if not most.isdecimal():
        raise InputError(f"{where}: maxRating={most!r} is no number.")
    return "ordinal", tuple(str(point) for point in range(1, int(most) + 1))


def _of_taxonomy(where: str, tag: ElementTree.Element, _: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    if tag.get("apiUrl") or tag.get("value"):
        raise InputError(f"{where} loads its choices from elsewhere; list them in the configuration.")
    return "single" if tag.get("maxUsages") == "1" else "multilabel", tuple(_leaves(where, tag))


def _leaves(where: str, node: ElementTree.Element, path: tuple[str, ...] = ()) -> Iterator[str]:
    for child in node.findall("Choice"):
        name = child.get("alias") or child.get("value") or ""
        if PATH in name:
            raise InputError(f"{where}: the choice {name!r} holds {PATH!r}, which separates steps of a path.")
        if child.find("Choice") is None:
            yield PATH.join((*path, name))
        else:
            yield from _leaves(where, child, (*path, name))


_CLASSES = {"choices": _of_choices, "rating": _of_rating, "taxonomy": _of_taxonomy}


def labelling_config(settings: Settings, *, taxonomy: bool = False) -> str:
    """A labelling configuration that asks what a project asks.

    One class is chosen by ``<Choices>``, sets by those with check boxes; a scale from 1 upwards is a
    ``<Rating>``, another one ``<Choices>``.

    Parameters
    ----------
    settings : Settings
    taxonomy : bool
        Whether the classes are paths such as "Animal/Cat", to be chosen from a tree.

    Returns
    -------
    str
        XML.

    Raises
    ------
    InputError
        If there are fewer than two classes, or they are no leaves of a tree.

    Examples
    --------
    >>> from activelab.label_studio import labelling_config
    >>> from activelab.project import Settings
    >>> print(labelling_config(Settings(question="ordinal", classes=["1", "2", "3"])))
    <View>
      <Text name="text" value="$text" />
      <Rating name="label" toName="text" maxRating="3" />
    </View>
    """
    classes = settings.classes
    if len(classes) < 2:
        raise InputError("the project has fewer than two classes; name them in its settings.")
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, _SHOWN[settings.kind], {"name": settings.kind, "value": f"${settings.kind}"})
    about = {"name": "label", "toName": settings.kind}
    if taxonomy:
        if settings.question == "ordinal":
            raise InputError("a taxonomy has no order; this project asks for a point of a scale.")
        one = {} if settings.several else {"maxUsages": "1"}
        tree = ElementTree.SubElement(view, "Taxonomy", {**about, "leafsOnly": "true", **one})
        _grow(tree, [name.split(PATH) for name in classes])
    elif settings.question == "ordinal" and classes == tuple(str(at + 1) for at in range(len(classes))):
        ElementTree.SubElement(view, "Rating", {**about, "maxRating": str(len(classes))})
    else:
        how = {"choice": "multiple" if settings.several else "single"}
        choices = ElementTree.SubElement(view, "Choices", {**about, **how})
        for name in classes:
            ElementTree.SubElement(choices, "Choice", {"value": name})
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


def _grow(node: ElementTree.Element, paths: list[list[str]]) -> None:
    """Choices within choices; a path that ends where others go on cannot be chosen as a leaf."""
    branches: dict[str, list[list[str]]] = {}
    for first_step, *rest in paths:
        branches.setdefault(first_step, []).append(rest)
    for name, below in branches.items():
        if not name or (len(below) > 1 and [] in below):
            named = first([PATH.join(path) for path in paths])
            raise InputError(f"no tree has the classes {named} as leaves.")
        child = ElementTree.SubElement(node, "Choice", {"value": name})
        if below != [[]]:
            _grow(child, below)
