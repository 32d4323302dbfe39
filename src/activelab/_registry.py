"""Parts by name: built in, registered, of an installed package, or an import path ``module:attribute``."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from activelab._errors import InputError, unknown

T = TypeVar("T")
Part = TypeVar("Part")


class Registry(Generic[T]):
    """The parts of one kind.

    A name means, in this order, what is built in or registered in this process, what an installed package
    declares as an entry point of ``group``, and, with a colon, what is at that import path.

    Parameters
    ----------
    kind : str
        What errors call a part.
    group : str
        Group of entry points.
    parts : mapping of str to object
        Those built in.
    make : callable
        ``make(name, object)`` turns whatever a name stands for (a class, an instance, a function) into a
        part, and raises `InputError` where it cannot.
    aliases : sequence of str
        Further names for an error to list, which mean something to those who ask.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        parts: Mapping[str, Any],
        make: Callable[[str, Any], T],
        *,
        aliases: Sequence[str] = (),
    ) -> None:
        self.kind, self.group, self._parts, self._make = kind, group, dict(parts), make
        self.aliases = aliases

    def names(self) -> list[str]:
        """All names: built in, registered, and of installed packages."""
        return list(dict.fromkeys([*self._parts, *(entry.name for entry in _installed(self.group))]))

    def get(self, part: Any) -> T:
        """The part of a name or import path, or made of an object.

        Raises
        ------
        InputError
            If there is none of that name, the import fails, or what is there is no such part.
        """
        if not isinstance(part, str):
            return self._make("", part)
        if part in self._parts:
            return self._make(part, self._parts[part])
        if ":" in part:
            return self._make(part, import_object(part, self.kind))
        for entry in _installed(self.group).select(name=part):
            return self._make(part, entry.load())
        raise unknown(self.kind, part, [*self.names(), *self.aliases])

    def require(self, part: Any) -> None:
        """Raise unless there is a part of that name, without loading it; import paths are believed.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        if isinstance(part, str) and ":" not in part and part not in [*self.names(), *self.aliases]:
            raise unknown(self.kind, part, [*self.names(), *self.aliases])

    def register(self, name: str) -> Callable[[Part], Part]:
        """A decorator that registers a part under a name.

        Raises
        ------
        InputError
            If the name is taken or could be mistaken for an import path.
        """
        if name in self._parts:
            raise InputError(f"{self.kind} {name!r} is already registered.")
        if not name or set(name) & set(":+="):
            raise InputError(f"a name must not be empty or hold one of : + =, got {name!r}.")

        def add(part: Part) -> Part:
            self._make(name, part)
            self._parts[name] = part
            return part

        return add


def _installed(group: str) -> Any:
    """The entry points of a group, of the packages that are installed now."""
    return _entry_points(tuple((place, _changed(place)) for place in sys.path)).select(group=group)


@lru_cache(maxsize=1)
def _entry_points(places: tuple[tuple[str, float], ...]) -> Any:
    # A file of each package is read: a server that looked again each time would do little else.
    return entry_points()


def _changed(place: str) -> float:
    """When a package was last added to a folder, or taken away."""
    try:
        return os.stat(place or ".").st_mtime
    except OSError:
        return 0.0


def import_object(path: str, kind: str) -> Any:
    """What is at an import path ``module:attribute``.

    Raises
    ------
    InputError
        If it cannot be imported.
    """
    module, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"cannot import the {kind} {path!r}: {error}.") from None
    return found


def instance_of(
    base: Any, kind: str, function: Callable[[str, Callable[..., Any]], Any] | None = None
) -> Callable[[str, Any], Any]:
    """A ``make`` that takes instances of a class, and subclasses that need no arguments.

    ``function(name, it)``, if given, makes a part of a plain function.
    """

    def make(name: str, part: Any) -> Any:
        if isinstance(part, base):
            return part
        if isinstance(part, type) and issubclass(part, base):
            return part()
        if function is not None and callable(part) and not isinstance(part, type):
            return function(name or getattr(part, "__name__", kind), part)
        raise InputError(
            f"{kind} must be a name, an import path module:attribute or {base.__name__}, "
            f"got {name or type(part).__name__!r}."
        )

    return make


def seeded(function: Callable[..., Any], seed: int) -> dict[str, int]:
    """The options to call a function with: its seed, if it takes one."""
    return {"seed": seed} if "seed" in inspect.signature(function).parameters else {}


def function_of(kind: str) -> Callable[[str, Any], Any]:
    """A ``make`` that takes anything that can be called."""

    def make(name: str, part: Any) -> Any:
        if callable(part):
            return part
        raise InputError(f"{kind} must be a name or a function, got {name or type(part).__name__!r}.")

    return make
