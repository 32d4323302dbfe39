"""What a labelling page asks, by its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from activelab._errors import InputError

_KINDS = {"Image": "image", "Table": "table"}


@dataclass(frozen=True)
class Labelling:
    """A question with one answer.

    Attributes
    ----------
    question : str
        Name of the choices.
    field : str
        Field of the data that is shown.
    kind : {"text", "image", "table"}
    classes : tuple of str
    """

    question: str
    field: str
    kind: str
    classes: tuple[str, ...]


def labelling_of(project: Mapping[str, Any]) -> Labelling:
    """The question of a Label Studio project.

    Raises
    ------
    InputError
        If it asks for anything but one choice an example; the message names the tag.
    """
    title = f"Label Studio project {project.get('id')}"
    controls = project.get("parsed_label_config") or {}
    if not controls:
        raise InputError(f"{title} has no labelling configuration yet.")
    for name, control in controls.items():
        if control.get("type") != "Choices":
            raise InputError(
                f"{title} is no single-choice classification: <{control.get('type')} name={name!r}> asks for "
                "something else. Only one <Choices> tag can be used."
            )
    if len(controls) > 1:
        raise InputError(f"{title} has several <Choices> tags: {', '.join(controls)}. Only one can be used.")
    ((name, control),) = controls.items()
    _check_tag(title, name, str(project.get("label_config", "")))
    inputs = [one for one in control.get("inputs") or [] if one.get("value")]
    classes = tuple(control.get("labels") or ())
    if len(classes) < 2:
        raise InputError(f"{title}: <Choices name={name!r}> lists fewer than two choices.")
    if not inputs:
        raise InputError(f"{title}: <Choices name={name!r}> belongs to nothing that is shown.")
    kind = _KINDS.get(inputs[0].get("type", ""), "text")
    return Labelling(name, str(inputs[0]["value"]), kind, classes)


def _check_tag(title: str, name: str, config: str) -> None:
    try:
        tags = [tag for tag in ElementTree.fromstring(config).iter("Choices") if tag.get("name") == name]
    except ElementTree.ParseError as error:
        raise InputError(f"{title}: the labelling configuration is no XML: {error}.") from None
    for tag in tags:
        choice = tag.get("choice", "single")
        if choice not in ("single", "single-radio"):
            raise InputError(f"{title}: <Choices name={name!r} choice={choice!r}> allows several answers.")
        for option in ("perRegion", "perItem"):
            if tag.get(option, "false").lower() == "true":
                raise InputError(f"{title}: <Choices name={name!r} {option}='true'> asks about parts of it.")
        if tag.find(".//Choice//Choice") is not None:
            raise InputError(f"{title}: <Choices name={name!r}> holds choices within choices.")
