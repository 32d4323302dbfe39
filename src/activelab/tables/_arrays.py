"""Predicted probabilities as numpy files: .npy, or .npz with the array named after a colon."""

from __future__ import annotations

import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EINVAL
from typing import Any

import numpy as np

from activelab._errors import InputError, first, unknown
from activelab._typing import Floats
from activelab.tables._errors import naming
from activelab.tables._formats import check_file, content

_MAGIC = {".npy": b"\x93NUMPY", ".npz": b"PK\x03\x04"}

# The header of an array is a Python literal, and an archive leads to places that need not exist.
_DAMAGED = (
    ValueError, TypeError, LookupError, ArithmeticError, SyntaxError, tokenize.TokenError, EOFError,
    RuntimeError, MemoryError, OSError, struct.error, zipfile.BadZipFile, zlib.error, AssertionError,
)  # fmt: skip


def is_array_file(path: str | os.PathLike[str]) -> bool:
    """Whether a path, with or without ``:KEY``, names a numpy file by its ending."""
    return _split(os.fspath(path))[0].lower().endswith((".npy", ".npz"))


def read_arrays(path: str | os.PathLike[str]) -> Sequence[Floats]:
    """The models of a numpy file.

    Parameters
    ----------
    path : path
        ``probs.npy``, ``probs.npz`` with one array, or ``probs.npz:KEY``.

    Returns
    -------
    sequence of ndarray, each of shape (n_examples, n_classes)
        Several for an array of shape ``(n_models, n_examples, n_classes)``.

    Raises
    ------
    InputError
        If the file is missing, empty, not what its ending says, holds Python objects, holds several
        arrays of which none is chosen, or an array of another shape; the message names the file.
    """
    name, key = _split(os.fspath(path))
    with naming(path):
        check_file(name)
        _check_magic(name)
        array = _load(name, key)
        if array.ndim not in (2, 3) or not array.size:
            raise InputError(
                "probabilities have shape (n_examples, n_classes), or (n_models, n_examples, n_classes) for "
                f"an ensemble; got {array.shape}."
            )
    return [array] if array.ndim == 2 else [*array]


def _split(path: str) -> tuple[str, str | None]:
    at = path.lower().rfind(".npz:")
    return (path, None) if at < 0 else (path[: at + 4], path[at + 5 :])


def _check_magic(name: str) -> None:
    ending = name[-4:].lower()
    with open(name, "rb") as file:
        head = file.read(4096)
    if not head.startswith(_MAGIC[ending]):
        looks = content(head)
        raise InputError(f"the name ends in {ending}, but the content is not: it looks like {looks}.")


def open_array(path: str | os.PathLike[str]) -> Any:
    """The array of a ``.npy`` file, which stays on disk.

    Raises
    ------
    InputError
        If it is damaged or holds Python objects.
    """
    with _damaged_refused():
        return np.load(path, mmap_mode="r", allow_pickle=False)


@contextmanager
def _damaged_refused() -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # Of headers that Python 2 wrote, or that are damaged.
            warnings.simplefilter("ignore", UserWarning)
            yield
    except InputError:
        raise
    except _DAMAGED as error:
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            raise InputError("holds Python objects, which are never read; save numbers.") from None
        if isinstance(error, OSError) and error.errno not in (None, EINVAL):
            raise
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"cannot be read as a numpy file: {said[:200]}") from None


def _load(name: str, key: str | None) -> Any:
    # Numpy leaves a file of its own open when an archive is damaged.
    with _damaged_refused(), open(name, "rb") as file:
        array = _array(np.load(file, allow_pickle=False), name, key)
    if not isinstance(array, np.ndarray):
        raise InputError("is a zip archive that holds no numpy array.")
    return array


def _array(loaded: Any, name: str, key: str | None) -> Any:
    """The array itself, or the one of an archive."""
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        keys = list(loaded.files)
        if key is None and len(keys) != 1:
            hint = f" Name one, as in {name}:{keys[0]}." if keys else ""
            raise InputError(f"holds {len(keys)} arrays: {first(keys, 20)}.{hint}", advice="ensemble")
        if key is not None and key not in keys:
            raise unknown("array", key, keys)
        return loaded[key or keys[0]]
