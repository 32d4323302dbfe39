"""Vocabularies: the user's own ids on one side, codes 0..n-1 on the other."""

from __future__ import annotations

import contextlib
import hashlib
import operator
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from activelab._errors import InputError, first
from activelab._typing import Bools, Ids, Ints

_NOUN = {"class": "label"}


class Vocabulary:
    """Distinct ids in a fixed order; the code of an id is its position.

    Parameters
    ----------
    values : int or array-like
        The ids, or a number ``n`` for the integers 0..n-1, which are then not stored.
    kind : str
        What the ids name ("example", "annotator", "class"); used in error messages.
    """

    def __init__(self, values: int | Iterable[Any], kind: str) -> None:
        self.kind = kind
        if isinstance(values, int | np.integer):
            if values < 0:
                raise InputError(f"the number of {kind} ids cannot be negative, got {values}.")
            self._values, self._size = None, int(values)
            return
        ids = as_ids(values, kind)
        self._values, self._size = ids, len(ids)
        if np.array_equal(ids, np.arange(len(ids))) and ids.dtype.kind == "i":
            self._values = None
        elif len(self._codes) != len(ids):
            unique, counts = np.unique(self._comparable, return_counts=True)
            raise InputError(f"duplicated {kind} ids: {first(unique[counts > 1])}. Give each {kind} one id.")

    @classmethod
    def of_distinct(cls, values: Ids, kind: str) -> Vocabulary:
        """A vocabulary of ids that are known to be distinct: int64, bool or objects."""
        new = cls.__new__(cls)
        new.kind, new._values, new._size = kind, values, len(values)
        return new

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Vocabulary) else False
        if self._values is None and other._values is None:
            return True
        return bool(np.array_equal(self.values, other.values))

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        return {"kind": self.kind, "_values": self._values, "_size": self._size}

    @property
    def values(self) -> Ids:
        """The ids, in the order of their codes."""
        if self._values is None:
            return np.arange(self._size)
        view = self._values.view()
        view.flags.writeable = False
        return view

    @cached_property
    def _comparable(self) -> Ids:
        return self.values if self.values.dtype.kind in "ib" else self.values.astype(str)

    @cached_property
    def _codes(self) -> dict[Any, int]:
        return dict(zip(self.values.tolist(), range(self._size), strict=True))

    def take(self, codes: Ints) -> Ids:
        """Ids of the given codes."""
        return codes.astype(np.int64) if self._values is None else self._values[codes]

    def keys(self, codes: Ints) -> Ints:
        """A number for each of the given codes that depends on its id alone (see `id_keys`)."""
        return codes.astype(np.int64) if self._values is None else id_keys(self._values[codes])

    def encode(self, ids: Iterable[Any]) -> Ints:
        """Codes of the given ids; -1 for an id that is not in the vocabulary."""
        wanted = as_ids(ids, self.kind)
        if self._values is None and wanted.dtype.kind == "i":
            return np.where((wanted >= 0) & (wanted < self._size), wanted, -1)
        codes = self._codes
        found = (codes.get(value, -1) for value in wanted.tolist())
        return np.fromiter(found, dtype=np.int64, count=len(wanted))

    def encode_known(self, ids: Iterable[Any], advice: str | None = None) -> Ints:
        """Codes of the given ids; an error names those that are not in the vocabulary."""
        wanted = as_ids(ids, self.kind)
        codes = self.encode(wanted)
        if (codes < 0).any():
            missing = dict.fromkeys(wanted[codes < 0].tolist())
            raise InputError(f"unknown {self.kind} ids: {first(missing)}. {self._advice()}", advice=advice)
        return codes

    def extended(self, ids: Iterable[Any]) -> Vocabulary:
        """This vocabulary with the ids it lacks appended, in order of appearance."""
        wanted = as_ids(ids, self.kind)
        new = list(dict.fromkeys(wanted[self.encode(wanted) < 0].tolist()))
        if not new:
            return self
        return Vocabulary([*self.values.tolist(), *new], self.kind)

    def _advice(self) -> str:
        known = first(self.values[:10].tolist())
        more = ", …" if len(self) > 10 else ""
        return f"Known {self.kind} ids: {known}{more}." if len(self) else "None is known."


def as_vocabulary(values: Any, kind: str) -> Vocabulary:
    """A vocabulary as it is, or one of the given ids."""
    return values if isinstance(values, Vocabulary) else Vocabulary(values, kind)


def as_ids(values: Iterable[Any], kind: str) -> Ids:
    """One-dimensional array of ids: int64, bool, or objects; floats that hold integers become integers.

    Raises
    ------
    InputError
        If an id is missing (None, NaN, empty text), with its row.
    """
    if isinstance(values, np.ndarray):
        array = values
    else:
        items = list(values)
        array = np.asarray(items) if items else np.empty(0, dtype=np.int64)
        mixed = array.dtype.kind in "US" and not all(isinstance(v, str) for v in items)
        # Beside a negative one, numpy makes floats of integers above 2^63.
        mixed = mixed or (array.dtype.kind == "f" and any(_is_large(v) for v in items))
        if array.ndim != 1 or array.dtype.kind not in "iubfUO" or mixed:
            array = np.empty(len(items), dtype=object)
            array[:] = items
    if array.ndim != 1:
        raise InputError(f"{kind} ids must be one-dimensional, got shape {array.shape}.")
    if array.dtype.kind == "u" and len(array) and int(array.max()) > _LARGEST:
        return np.array(array.tolist(), dtype=object)
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == "b":
        return array
    if array.dtype.kind == "f":
        return _integers_if_whole(array, kind)
    objects = array.astype(object)
    absent = missing(objects)
    if absent.any():
        row = int(np.argmax(absent))
        raise InputError(f"the {_NOUN.get(kind, kind)} is empty.", row=row, column=kind)
    plain = [value.item() if isinstance(value, np.generic) else value for value in objects]
    if plain and all(type(value) is int and not _is_large(value) for value in plain):
        return np.array(plain, dtype=np.int64)
    if plain and all(type(value) in (int, float) and not _is_large(value) for value in plain):
        return _integers_if_whole(np.array(plain, dtype=float), kind)
    objects[:] = plain
    return objects


_LARGEST = 2**63 - 1


def _is_large(value: object) -> bool:
    """Whether an integer has no place in 64 bits with a sign; it stays one of Python's, exact."""
    return isinstance(value, int | np.integer) and not -_LARGEST - 1 <= int(value) <= _LARGEST


def _integers_if_whole(array: np.ndarray[Any, Any], kind: str) -> Ids:
    absent = np.isnan(array)
    if absent.any():
        row = int(np.argmax(absent))
        raise InputError(f"the {_NOUN.get(kind, kind)} is empty.", row=row, column=kind)
    whole = np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2**53)
    if not whole.all():
        row = int(np.argmin(whole))
        raise InputError(
            f"the {kind} {array[row]} is a number with a fraction; a {kind} is an integer or a text.",
            row=row,
            column=kind,
        )
    return array.astype(np.int64)


_LONG_TEXT = 64
_TEXTS_AT_ONCE = 1 << 14


def id_keys(ids: Ids) -> Ints:
    """An int64 for each id: an integer itself, else a hash of its text."""
    if ids.dtype.kind in "ib":
        return ids.astype(np.int64)
    keys = np.empty(len(ids), dtype=np.int64)
    for start in range(0, len(ids), _TEXTS_AT_ONCE):
        here = slice(start, start + _TEXTS_AT_ONCE)
        keys[here] = _hashed([_shortened(str(value)) for value in ids[here].tolist()])
    return keys


def _shortened(text: str) -> str:
    """The text, or a digest in place of one so long that all would be padded to its length."""
    if len(text) <= _LONG_TEXT:
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _hashed(texts: list[str]) -> Ints:
    """FNV-1a over the code points of many texts at once."""
    points = np.array(texts, dtype=np.str_).view(np.uint32).reshape(len(texts), -1)
    hashed = np.full(len(texts), 0xCBF29CE484222325, dtype=np.uint64)
    for column in points.T:
        hashed = np.where(column > 0, (hashed ^ column) * np.uint64(0x100000001B3), hashed)
    return hashed.view(np.int64)


def missing(values: Ids) -> Bools:
    """Mask of absent entries: None, NaN, pandas' NA, empty or blank text."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(values.shape, dtype=bool)
    return np.asarray(np.frompyfunc(_is_missing, 1, 1)(values), dtype=bool)


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return not value or value.isspace()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return bool(operator.ne(value, value))


def factorize(values: Iterable[Any], kind: str) -> tuple[Ints, Vocabulary]:
    """Codes of the values and the vocabulary of the distinct ones, sorted.

    Integers sort by value, text alphabetically; a mixture keeps the order of appearance.
    """
    ids = as_ids(values, kind)
    if ids.dtype.kind in "ib" and len(ids):
        return _factorize_integers(ids, kind)
    distinct = list(dict.fromkeys(ids.tolist()))
    with contextlib.suppress(TypeError):
        distinct.sort()
    vocabulary = Vocabulary(distinct, kind)
    return vocabulary.encode(ids), vocabulary


def _factorize_integers(ids: Ids, kind: str) -> tuple[Ints, Vocabulary]:
    low, high = int(ids.min()), int(ids.max())
    if ids.dtype.kind == "i" and high - low < 4 * len(ids) + 1024:
        # Nearly dense ids: a presence table replaces the sort.
        seen = np.zeros(high - low + 1, dtype=bool)
        seen[ids - low] = True
        distinct = np.flatnonzero(seen) + low
        if len(distinct) == len(seen):
            return ids - low, _of_sorted(distinct, kind)
        position = np.cumsum(seen) - 1
        return position[ids - low], _of_sorted(distinct, kind)
    distinct, codes = np.unique(ids, return_inverse=True)
    return codes.astype(np.int64), _of_sorted(distinct, kind)


def _of_sorted(distinct: Ids, kind: str) -> Vocabulary:
    """A vocabulary of integers, one or more, that are known to be distinct and sorted."""
    if distinct.dtype.kind == "i" and distinct[0] == 0 and distinct[-1] == len(distinct) - 1:
        return Vocabulary(len(distinct), kind)
    return Vocabulary.of_distinct(distinct, kind)
