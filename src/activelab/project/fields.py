"""A model whose fields say all there is to say about them: to the page, to the command line and in errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    create_model,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from activelab._errors import InputError, unknown

Kind = Literal["text", "choice", "list", "switch", "whole", "number"]

_WORDS: dict[Kind, str] = {
    "text": "text",
    "choice": "text",
    "list": "a list of texts",
    "switch": "yes or no",
    "whole": "a whole number",
    "number": "a number",
}
_KINDS: dict[str, Kind] = {
    "string": "text",
    "array": "list",
    "boolean": "switch",
    "integer": "whole",
    "number": "number",
}


@dataclass(frozen=True)
class Choice:
    """Marks a text that is one of the names a registry knows at that moment.

    Attributes
    ----------
    names : callable
    what : str
        What errors call it.
    own : bool
        Whether it may also be a part of one's own, ``module:attribute``, or the text of a strategy; the model
        looks at these itself. Imports run code, so that from afar only names count.
    """

    names: Callable[[], Sequence[str]]
    what: str
    own: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.names())}

    def _known(self, name: str) -> str:
        if name not in self.names() and not (self.own and set(name) & set(":+")):
            raise unknown(self.what, name, list(self.names()))
        return name


@dataclass(frozen=True)
class Shown:
    """How a field is shown and asked for.

    Attributes
    ----------
    group : str
        Heading it stands under.
    none : str
        What it means that there is no value, in a word or two.
    lines : int
        Lines of the box for a text.
    characters : (int, int) or None
        Fewest and most of a text that is asked for, or of each in a list; what is stored may be longer.
    whole_lines : bool
        Whether each of a list is a line, which may have commas in it.
    remote : bool
        Whether it may be set from afar, as on the page. What reads files or runs code may not.
    """

    group: str
    none: str = ""
    lines: int = 1
    characters: tuple[int, int] | None = None
    whole_lines: bool = False
    remote: bool = True


@dataclass(frozen=True)
class FieldView:
    """What there is to say about a field.

    Attributes
    ----------
    name, title, help : str
    kind : {"text", "choice", "list", "switch", "whole", "number"}
    optional : bool
        Whether there may be no value.
    default : object
    choices : tuple of str
    own : bool
        Whether it may also be an import path (see `Choice`).
    low, high : float or None
        Range of a number, both ends in it.
    shown : Shown
    """

    name: str
    title: str
    help: str
    kind: Kind
    optional: bool
    default: Any
    choices: tuple[str, ...]
    own: bool
    low: float | None
    high: float | None
    shown: Shown

    @property
    def words(self) -> str:
        """What it may be."""
        what = [self.range] if self.kind == "choice" else [_WORDS[self.kind], self.range]
        return " ".join(filter(None, what)) + (", or none" if self.optional else "")

    @property
    def range(self) -> str:
        """Its range in words; empty for any value of its type."""
        if self.choices:
            import_path = ", or an import path module:attribute" if self.own else ""
            return f"one of {', '.join(self.choices)}{import_path}"
        if self.low is None or self.high is None:
            return ""
        return f"between {_figure(self.low)} and {_figure(self.high)}"


class Worded(BaseModel):
    """A model that refuses a value in one sentence: the field, what it should be, what was got."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    checks_characters: ClassVar[bool] = False

    @classmethod
    def views(cls) -> dict[str, FieldView]:
        """What there is to say about each field, in their order; choices as they are known now."""
        schemas = cls.model_json_schema()["properties"]
        return {name: _view(name, field, schemas[name]) for name, field in cls.model_fields.items()}

    @field_validator("*", mode="wrap")
    @classmethod
    def _in_words(cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        try:
            checked = check(value)
        except ValidationError as error:
            raise _refusal(cls.views()[name], value, error) from None
        if cls.checks_characters:
            _check_characters(name, checked, _shown(cls.model_fields[name]).characters)
        return checked


def input_error(model: type[Worded], error: ValidationError) -> InputError:
    """The one sentence of a refusal by a `Worded` model."""
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return cause
    return unknown("setting", first["loc"][0], list(model.model_fields))  # extra fields are all that is left


def change_of(model: type[Worded], name: str, doc: str, *, remote: bool = False) -> type[Worded]:
    """The model of a change: the same fields, any of which may be left out, with limits on their length.

    Parameters
    ----------
    model : type
    name, doc : str
        Name and docstring of the new model.
    remote : bool
        Leave out what may not be set from afar.
    """
    fields: dict[str, Any] = {
        name: _asked(field, remote)
        for name, field in model.model_fields.items()
        if _shown(field).remote or not remote
    }
    return create_model(name, __base__=_Change, __doc__=doc, **fields)


class _Change(Worded):
    checks_characters = True


def _asked(field: FieldInfo, remote: bool) -> tuple[Any, Any]:
    extra: dict[str, Any] = {}
    if limits := _shown(field).characters:
        extra = {"minLength": limits[0], "maxLength": limits[1]}
        if field.annotation is not str:
            extra = {"items": {"type": "string", **extra}}
    # A factory: a default would be in the schema, as if it were set where the field is left out.
    about = Field(
        default_factory=lambda: None,
        title=field.title,
        description=field.description,
        json_schema_extra=extra or None,
    )
    marks = [
        replace(mark, own=False) if remote and isinstance(mark, Choice) else mark for mark in field.metadata
    ]
    return Annotated[(field.annotation, *marks)], about


def _shown(field: FieldInfo) -> Shown:
    return next(mark for mark in field.metadata if isinstance(mark, Shown))


def _view(name: str, field: FieldInfo, schema: dict[str, Any]) -> FieldView:
    branches = schema.get("anyOf", [schema])
    own = next(branch for branch in branches if branch["type"] != "null")
    return FieldView(
        name=name,
        title=str(field.title),
        help=" ".join((field.description or "").split()),
        kind="choice" if "enum" in own else _KINDS[own["type"]],
        optional=len(branches) > 1,
        default=field.default,
        choices=tuple(own.get("enum", ())),
        own=any(isinstance(mark, Choice) and mark.own for mark in field.metadata),
        low=own.get("minimum"),
        high=own.get("maximum"),
        shown=_shown(field),
    )


def _refusal(view: FieldView, value: Any, error: ValidationError) -> InputError:
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return cause
    if first["type"] in ("greater_than_equal", "less_than_equal"):
        return InputError(f"{view.name} must lie {view.range}, got {value!r}.")
    what = _WORDS[view.kind] + (" or none" if view.optional else "")
    return InputError(f"{view.name} should be {what}, got {_shortened(value)}.")


def _check_characters(name: str, value: Any, limits: tuple[int, int] | None) -> None:
    """Refuse texts of another length, and such as databases and pages cannot hold."""
    for text in [value] if isinstance(value, str) else value if isinstance(value, tuple) else ():
        if limits and not limits[0] <= len(text) <= limits[1]:
            what = name if text is value else f"each of {name}"
            raise InputError(
                f"{what} must have {limits[0]:,} to {limits[1]:,} characters, got {len(text):,}."
            )
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise InputError(f"{name} holds characters that cannot be stored.")


def _shortened(value: Any, limit: int = 200) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _figure(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"
