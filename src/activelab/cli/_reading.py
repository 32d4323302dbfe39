"""The options by which labels and probabilities are read, given to every command that reads them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

from activelab.cli._inputs import Request
from activelab.cli._options import (
    Abstain,
    AnnotatorColumn,
    Classes,
    Confidence,
    ExampleColumn,
    Examples,
    Fold,
    From,
    Keep,
    KeepOption,
    LabelColumn,
    Missing,
    Question,
    Several,
)
from activelab.cli._streams import source


@dataclass(frozen=True)
class Reading:
    """How files are read; each field is an option of the commands that `reads_files` decorates."""

    classes: Classes = None
    examples: Examples = None
    example_column: ExampleColumn = None
    annotator_column: AnnotatorColumn = None
    label_column: LabelColumn = None
    keep: KeepOption = Keep.error
    from_: From = None
    question: Question = None
    missing: Missing = None
    several: Several = False
    abstain: Abstain = None
    confidence: Confidence = None
    fold: Fold = False

    def request(self, labels: Path, pred_probs: Sequence[Path] | None) -> Request:
        """What is to be read."""
        return Request(
            source(labels),
            [source(path) for path in pred_probs or ()],
            self.classes,
            None if self.examples is None else source(self.examples),
            self.example_column,
            self.annotator_column,
            self.label_column,
            self.keep,
            self.from_,
            self.question,
            self.missing,
            self.fold,
            several=self.several,
            abstain=self.abstain,
            confidence=self.confidence,
        )


def reads_files(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes the fields of `Reading` as options, in the place of its parameter ``reading``.

    So with every parameter whose default is such an object.
    """
    signature = inspect.signature(command, eval_str=True)
    groups = {
        name: type(one.default)
        for name, one in signature.parameters.items()
        if is_dataclass(one.default) and not isinstance(one.default, type)
    }
    options = {name: inspect.signature(group, eval_str=True).parameters for name, group in groups.items()}

    @functools.wraps(command)
    def run(**given: Any) -> None:
        made = {
            name: group(**{one: given.pop(one) for one in options[name]}) for name, group in groups.items()
        }
        command(**made, **given)

    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        parameters += options[name].values() if name in options else [parameter]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
