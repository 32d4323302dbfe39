"""Columns of Parquet files as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from activelab._errors import InputError
from activelab._kernels import empty_in_columns
from activelab._set_text import SEPARATOR
from activelab._typing import Floats
from activelab.scale._files import File, check_unchanged, is_url, open_file
from activelab.scale._schema import ProbColumns, is_list, numpy_name
from activelab.scale._stores import is_away
from activelab.tables import as_ids, as_text, naming

# As many rows at a time as stay in cache until they are copied.
_ROWS_AT_ONCE = 1 << 15


@contextmanager
def reading(file: File) -> Iterator[Any]:
    """An open Parquet file; what Arrow finds wrong with it names the file, as does a file that is another."""
    with naming(file.url):
        try:
            # Of a store, all columns of a row group that lie together are one request.
            yield pq.ParquetFile(open_file(file), pre_buffer=is_url(file.url))
        except (pa.ArrowException, OSError, InputError) as error:
            if not is_away(error):
                check_unchanged(file)
            if isinstance(error, InputError):
                raise
            reason = " ".join(str(error).split()).rstrip(".")
            raise InputError(f"cannot be read as Parquet: {reason}.") from None
        check_unchanged(file)


def read_ids(
    files: Sequence[File], names: Sequence[str], text: Sequence[bool], order: Sequence[str] = ()
) -> list[Any]:
    """Columns of ids as Arrow arrays of int64 or, where ``text`` says so, of text.

    Rows are as in the files, one after another, or sorted by the columns ``order``.

    Raises
    ------
    InputError
        If a file cannot be read or an id is missing; the message names the file.
    """
    parts: list[list[Any]] = [[] for _ in names]
    places = []
    for one in files:
        with reading(one) as file:
            table = file.read([*dict.fromkeys(names), *order], use_threads=False)
            for part, name, wanted in zip(parts, names, text, strict=True):
                part.append(_ids(table[name], name, wanted))
            places.append(table.select(list(order)))
    columns = [_joined(part, wanted) for part, wanted in zip(parts, text, strict=True)]
    if not order or not places:
        return columns
    sorted_ = pc.sort_indices(pa.concat_tables(places), [(name, "ascending") for name in order])
    return [column.take(sorted_) for column in columns]


def _ids(column: Any, name: str, text: bool) -> Any:
    if is_list(column.type):
        column = _set_texts(column)
    ids = as_ids(column, name)
    if ids.null_count:
        row = pc.index(pc.is_null(ids), True).as_py()
        raise InputError(f"column {name!r} is empty.", row=row, column=name)
    if pa.types.is_floating(ids.type):
        raise InputError(f"column {name!r} holds fractions; ids are integers or text.")
    return as_text(ids, name) if text else ids


def _set_texts(column: Any) -> Any:
    """Lists of classes as texts such as "a|b"."""
    texts = [list_.cast(pa.list_(pa.string())) for list_ in column.chunks]
    joined = [pc.binary_join(one, SEPARATOR) for one in texts]
    empty = [pc.if_else(pc.equal(one, ""), SEPARATOR, one) for one in joined]
    return pa.chunked_array(empty, pa.string())


def _joined(parts: Sequence[Any], text: bool) -> Any:
    chunks = [chunk for part in parts for chunk in part.chunks]
    if not chunks:
        return pa.array([], pa.string() if text else pa.int64())
    if text:  # more text than 2 GB needs wide offsets
        chunks = [chunk.cast(pa.large_string()) for chunk in chunks]
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)


def to_numpy(column: Any) -> npt.NDArray[Any]:
    """An Arrow array as int64, bool, objects or floats; of floats those that are missing are NaN.

    Numbers are seen where they lie: Arrow's own way imports pandas first, where that is installed.
    """
    numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if not numbers or column.null_count or not len(column):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    kind = np.dtype(numpy_name(column.type))
    start = column.offset * kind.itemsize
    return np.frombuffer(column.buffers()[1], dtype=kind, count=len(column), offset=start)


def read_matrix(files: Sequence[File], columns: ProbColumns, rows: int, n_classes: int) -> Floats:
    """A model's probabilities, in columns, shape (rows, n_classes), in the precision they are stored in.

    Raises
    ------
    InputError
        If a file cannot be read, or a list has another length.
    """
    matrix = empty_in_columns(rows, n_classes, columns.dtype)
    low = 0
    for one in files:
        with reading(one) as file:
            for batch in _batches(file, columns.classes):
                high = low + batch.num_rows
                if columns.is_list:
                    matrix[low:high] = _lists(batch.column(0), n_classes, columns.classes[0])
                else:
                    for place, name in enumerate(columns.classes):
                        matrix[low:high, place] = _numbers(batch.column(name))
                low = high
    return matrix


def _batches(file: Any, names: Sequence[str]) -> Iterator[Any]:
    """Some rows at a time; no more than a row group is held, of a store neither."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(
            _ROWS_AT_ONCE, row_groups=[group], columns=list(names), use_threads=False
        )


def _numbers(column: Any) -> Any:
    if not pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
    return to_numpy(column)


def _lists(column: Any, n_classes: int, name: str) -> Any:
    if column.null_count:
        raise InputError(f"column {name!r} has rows without a list of probabilities.")
    if not pa.types.is_fixed_size_list(column.type):
        lengths = pc.list_value_length(column)
        if len(lengths) and pc.min_max(lengths).as_py() != {"min": n_classes, "max": n_classes}:
            odd = pc.filter(lengths, pc.not_equal(lengths, n_classes))[0].as_py()
            raise InputError(
                f"column {name!r} holds a list of {odd}, not of one value for each of {n_classes} classes."
            )
    elif column.type.list_size != n_classes:
        raise InputError(
            f"column {name!r} holds lists of {column.type.list_size}, not of one value for each of "
            f"{n_classes} classes."
        )
    return _numbers(column.flatten()).reshape(-1, n_classes)
