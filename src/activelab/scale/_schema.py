"""Which columns hold what, and that all files agree on them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from activelab._errors import InputError, first
from activelab.scale._files import ENDINGS, File, open_file
from activelab.tables import find_column, naming, split_columns

_FOOTERS_AT_ONCE = 16


@dataclass(frozen=True)
class Footer:
    """What the footer of a Parquet file tells without reading its data."""

    file: File
    schema: Any
    rows: int
    low: Any = None
    high: Any = None


@dataclass(frozen=True)
class LabelColumns:
    """Columns of the labels, and the type their ids have in all files."""

    example: str
    annotator: str
    label: str
    example_type: str
    label_type: str
    annotator_type: str
    order: tuple[str, ...] = ()
    """Columns that tell the order of labels whose files do not."""

    @property
    def names(self) -> tuple[str, str, str]:
        return self.example, self.annotator, self.label


@dataclass(frozen=True)
class ProbColumns:
    """Columns of a model's probabilities: one a class, or a single one of lists."""

    example: str
    classes: tuple[str, ...]
    is_list: bool
    dtype: str
    example_type: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.example, *self.classes


def read_footers(files: Sequence[File]) -> list[Footer]:
    """The footers of files, some at a time.

    Raises
    ------
    InputError
        If a file is not Parquet or is damaged; the message names it.
    """
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        return list(pool.map(_footer, files))


def _footer(file: File) -> Footer:
    with naming(file.url):
        if not file.url.endswith(ENDINGS):
            raise InputError("pools in several files are Parquet; convert this one to .parquet.")
        try:
            metadata = pq.read_metadata(open_file(file))
            return Footer(file, metadata.schema.to_arrow_schema(), metadata.num_rows)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(error) from None


def _unreadable(error: BaseException) -> InputError:
    return InputError(f"cannot be read as Parquet: {' '.join(str(error).split()).rstrip('.')}.")


def ranges_of(footers: Sequence[Footer], column: str) -> list[tuple[Any, Any] | None]:
    """Lowest and highest value of a column in each file, from the footers; None where they are not told."""
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        return list(pool.map(lambda one: _range(one.file, column), footers))


def _range(file: File, column: str) -> tuple[Any, Any] | None:
    metadata = pq.read_metadata(open_file(file))
    at = metadata.schema.names.index(column)
    groups = [metadata.row_group(g).column(at).statistics for g in range(metadata.num_row_groups)]
    if not groups or not all(one is not None and one.has_min_max for one in groups):
        return None
    return min(one.min for one in groups), max(one.max for one in groups)


def label_columns(
    footers: Sequence[Footer],
    example: str | None,
    annotator: str | None,
    label: str | None,
    several: bool = False,
) -> LabelColumns:
    """Columns of the labels, given or recognised, the same in all files; ``several`` labels may be lists."""
    with naming(footers[0].file.url):
        names = footers[0].schema.names
        chosen = {"example": example, "annotator": annotator, "label": label}
        found = {role: find_column(names, role, name) for role, name in chosen.items()}
        if len(set(found.values())) < len(found):
            raise InputError(f"columns {first(found.values())} must be three; name each of them.")
    _same_in_all(footers, list(found.values()))
    types = {role: _id_type(footers[0], name, several and role == "label") for role, name in found.items()}
    return LabelColumns(
        example=found["example"],
        annotator=found["annotator"],
        label=found["label"],
        example_type=types["example"],
        label_type=types["label"],
        annotator_type=types["annotator"],
    )


def prob_columns(footers: Sequence[Footer], example: str | None) -> ProbColumns:
    """Columns of a model's probabilities, the same in all files."""
    schema = footers[0].schema
    with naming(footers[0].file.url):
        names = list(schema.names)
        id_column, rest = split_columns(names, example if example in names else None)
        lists = [name for name in rest if is_list(schema.field(name).type)]
        if len(lists) > 1:
            raise InputError(f"columns {first(lists)} hold lists; only one can be the probabilities.")
        classes = tuple(lists or rest)
        if not classes:
            raise InputError("has no column of probabilities.")
        dtype = _float_type(schema, classes)
    _same_in_all(footers, [id_column, *classes])
    if not lists:
        _no_further_columns(footers, {id_column, *classes})
    return ProbColumns(id_column, classes, bool(lists), dtype, _id_type(footers[0], id_column))


def is_list(kind: Any) -> bool:
    """Whether a column holds lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _float_type(schema: Any, classes: Sequence[str]) -> str:
    """The widest type of the columns, as numpy names it."""
    widest = "float16"
    for name in classes:
        kind = schema.field(name).type
        kind = kind.value_type if is_list(kind) else kind
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
            raise InputError(
                f"column {name!r} holds {kind}, not numbers. A table of probabilities has the example and "
                "one column a class, or one column of lists; leave other columns out."
            )
        narrow = numpy_name(kind) if pa.types.is_floating(kind) else "float64"
        widest = max(widest, narrow, key=("float16", "float32", "float64").index)
    return widest


def numpy_name(kind: Any) -> str:
    """What numpy calls a type of integers or floats. To ask Arrow would import pandas."""
    name = str(kind)
    return {"halffloat": "float16", "float": "float32", "double": "float64"}.get(name, name)


def _id_type(footer: Footer, name: str, lists: bool = False) -> str:
    """``integer``, ``float``, ``bool`` or ``text``; ``list`` where that may be."""
    kind = footer.schema.field(name).type
    if lists and is_list(kind):
        return "list"
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise InputError(
            f"column {name!r} holds {kind}; ids are integers or text.", file=footer.file.url, column=name
        )
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_boolean(kind):
        return "bool"
    return "float" if pa.types.is_floating(kind) else "text"


def _same_in_all(footers: Sequence[Footer], names: Sequence[str]) -> None:
    """Raise unless the named columns have one type in all files."""
    base = footers[0]
    for other in footers[1:]:
        for name in names:
            if name not in other.schema.names:
                raise InputError(
                    f"has no column {name!r}, which {base.file.url} has; all files of a table need the "
                    "same columns.",
                    file=other.file.url,
                    column=name,
                )
            one, two = base.schema.field(name).type, other.schema.field(name).type
            if one != two:
                raise InputError(
                    f"column {name!r} holds {two}, in {base.file.url} it holds {one}; all files of a "
                    "table need the same types.",
                    file=other.file.url,
                    column=name,
                )


def _no_further_columns(footers: Sequence[Footer], known: set[str]) -> None:
    """Raise if a file has a class that the first file lacks."""
    for other in footers[1:]:
        new = [name for name in other.schema.names if name not in known and not name.startswith("__index")]
        if new:
            raise InputError(
                f"has columns {first(new)}, which {footers[0].file.url} lacks; all files of a table need "
                "the same columns.",
                file=other.file.url,
            )
