"""Packages that only some need: imported where they are used, named clearly where they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingPackageError(ImportError):
    """A package of an extra that is not installed; the message says how to install it."""


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """Around an import: whoever lacks the package reads which extra of ActiveLab brings it.

    Parameters
    ----------
    extra : str
        Name of the extra in ``pyproject.toml``.
    what : str
        What the package is needed for, the subject of the message.

    Raises
    ------
    MissingPackageError

    Examples
    --------
    >>> from activelab._extras import needs
    >>> with needs("plots", "a figure"):
    ...     import drawing
    Traceback (most recent call last):
    activelab._extras.MissingPackageError: a figure needs the package drawing: pip install 'activelab[plots]'
    """
    try:
        yield
    except MissingPackageError:
        raise
    except ImportError as error:
        # A package that is there but cannot be loaded says more than its name.
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        why = f"the package {absent.partition('.')[0]}" if absent else f"another package ({error})"
        raise MissingPackageError(f"{what} needs {why}: pip install 'activelab[{extra}]'") from error
