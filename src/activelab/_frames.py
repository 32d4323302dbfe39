"""The door through which tables come in and go out; the only place the core meets dataframes."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal, NamedTuple

import numpy as np

from activelab._columns import candidates, find_column, is_content
from activelab._errors import InputError, first
from activelab._extras import needs
from activelab._typing import Ids

Backend = Literal["pandas", "polars", "pyarrow"]


class Column(NamedTuple):
    """Values of a column and, if it is categorical, its categories in order."""

    values: Ids
    categories: Ids | None


def as_frame(value: Any, names: Sequence[str] | None = None) -> Any:
    """A Hugging Face dataset as a pandas dataframe, of the named columns alone; anything else as it is.

    Classes that the dataset knows by number become categories, -1 is missing.

    Raises
    ------
    InputError
        If it is several datasets, of which one has to be chosen, or a column is missing.
    """
    if type(value).__module__.partition(".")[0] != "datasets":
        return value
    kind = type(value).__name__
    if kind.endswith("DatasetDict"):
        raise InputError(f"this is several datasets: {first(value)}. Choose one, as in dataset['train'].")
    if kind not in ("Dataset", "IterableDataset"):
        return value
    with needs("huggingface", "a Hugging Face dataset"):
        import pandas as pd

    if names is not None and value.column_names is not None:
        _require_columns(names, value.column_names)
        value = value.select_columns(list(dict.fromkeys(names)))
    frame = value.with_format(None).to_pandas() if kind == "Dataset" else pd.DataFrame(list(value))
    for name, feature in (value.features or {}).items():
        if type(feature).__name__ == "ClassLabel":
            codes = frame[name].fillna(-1).astype(int)
            frame[name] = pd.Categorical.from_codes(codes, categories=feature.names)
    return frame


def is_frame(value: object) -> bool:
    """Whether the object is a dataset or narwhals reads it as an eager dataframe."""
    value = as_frame(value) if isinstance(value, Mapping) else value
    if type(value).__module__.partition(".")[0] == "datasets":
        return True
    import narwhals as nw

    return isinstance(nw.from_native(value, eager_only=True, pass_through=True), nw.DataFrame)


def columns_of(frame: Any, names: Sequence[str]) -> dict[str, Column]:
    """The named columns of any dataframe or mapping, as numpy arrays.

    Raises
    ------
    InputError
        If the object is no dataframe, or a column is missing or present twice.
    """
    if isinstance(frame, Mapping):
        as_frame(frame)
        _require_columns(names, list(frame))
        return {name: Column(_array(frame[name]), None) for name in names}
    import narwhals as nw

    frame = as_frame(frame, names)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    table = nw.from_native(frame, pass_through=True)
    if isinstance(table, nw.LazyFrame):
        table = table.collect()
    if not isinstance(table, nw.DataFrame):
        raise InputError(
            "expected a dataframe (pandas, polars, pyarrow), a Hugging Face dataset or a mapping of columns, "
            f"got {type(frame).__name__}."
        )
    _require_columns(names, table.columns)
    return {name: _column(table.get_column(name)) for name in names}


def columns_by_role(frame: Any, roles: Mapping[str, str | None]) -> dict[str, Column]:
    """The columns that play some roles, by role: those named, else those recognised (see `find_column`).

    Raises
    ------
    InputError
        As `columns_of`, and if it cannot be told which column plays a role.
    """
    names = None if None not in roles.values() else _column_names(frame)
    chosen = {role: name or _called(names, role) for role, name in roles.items()}
    columns = columns_of(frame, list(chosen.values()))
    return {role: columns[name] for role, name in chosen.items()}


def _called(names: list[str] | None, role: str) -> str:
    return role if names is None else find_column(names, role, holder="table")


def _column_names(frame: Any) -> list[str] | None:
    """Names of the columns; None where they are not known before it is read, or it is no table."""
    if isinstance(frame, Mapping):
        return None if type(frame).__name__.endswith("DatasetDict") else [str(name) for name in frame]
    if type(frame).__module__.partition(".")[0] == "datasets":
        return None if frame.column_names is None else [*frame.column_names]
    import narwhals as nw

    table = nw.from_native(frame, pass_through=True)
    if isinstance(table, nw.LazyFrame):
        return table.collect_schema().names()
    return [str(name) for name in table.columns] if isinstance(table, nw.DataFrame) else None


class RowIds(NamedTuple):
    """Example ids of the rows of a dataframe, and the column they stand in; None of an index."""

    ids: Ids
    column: Any


def row_ids(
    frame: Any, others: Container[str] = (), is_id: Callable[[Ids], bool] = lambda _: True
) -> RowIds | None:
    """The ids a dataframe or a pandas series carries; None if it has none.

    They stand in its column ``example``, else in a column whose name and values say so, else in a pandas
    index that is not the plain range 0, 1, …

    Parameters
    ----------
    frame : dataframe or pandas.Series
    others : container of str
        Columns known to be something else.
    is_id : callable
        Whether the values of a column that could be one are ids; asked of all but ``example``.

    Raises
    ------
    InputError
        If several columns could be the ids.
    """
    import narwhals as nw

    if is_frame(frame):
        names = {str(name): name for name in nw.from_native(frame, eager_only=True).columns}
        possible = candidates([name for name in names if name not in others], "example")
        if possible != ["example"]:
            possible = [one for one in possible if is_id(columns_of(frame, [names[one]])[names[one]].values)]
        if possible:
            name = names[find_column(possible, "example", holder="table")]
            return RowIds(columns_of(frame, [name])[name].values, name)
    index = getattr(frame, "index", None)
    if index is None or not hasattr(frame, "iloc") or _is_plain_range(index):
        return None
    return RowIds(np.asarray(index), None)


def _is_plain_range(index: Any) -> bool:
    return type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1


def take_rows(frame: Any, rows: Ids, ids_in: Any = None) -> Any:
    """The given rows of a dataframe or series, in that order, without the column of ids.

    A column that may be what the examples hold (``text``) stays.
    """
    import narwhals as nw

    if not is_frame(frame):
        return frame.iloc[rows]
    table = nw.from_native(frame, eager_only=True)
    return without_column(table[rows.tolist()].to_native(), ids_in)


def without_column(frame: Any, name: Any) -> Any:
    """A dataframe without a column of ids, if it has that and others."""
    import narwhals as nw

    if name is None or is_content(str(name)) or not is_frame(frame):
        return frame
    table = nw.from_native(frame, eager_only=True)
    return frame if name not in table.columns or len(table.columns) < 2 else table.drop(name).to_native()


def _require_columns(names: Sequence[str], present: Sequence[Any]) -> None:
    absent = [name for name in names if name not in present]
    if absent:
        raise InputError(f"no column {first(absent)}; the table has: {first(present, 20)}.")


def _array(values: Any) -> Ids:
    return values if isinstance(values, np.ndarray) else np.asarray(_objects(values))


def _objects(values: Any) -> Ids:
    items = list(values)
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _column(series: Any) -> Column:
    import narwhals as nw

    categories = None
    if isinstance(series.dtype, nw.Enum):
        categories = _objects(series.dtype.categories)
        series = series.cast(nw.String)
    elif isinstance(series.dtype, nw.Categorical):
        if series.implementation.is_pandas_like():
            # pandas lists the declared categories; other libraries only those seen so far.
            codes = series.to_native().cat.codes.to_numpy()
            categories = np.asarray(series.to_native().cat.categories)
            values = _objects(categories[codes])
            values[codes < 0] = None
            return Column(values, categories)
        series = series.cast(nw.String)
    if series.dtype.is_numeric() and not series.is_null().any():
        return Column(series.to_numpy(), categories)
    return Column(_objects(series.to_list()), categories)


def wide_values(matrix: Any) -> tuple[Ids, Ids | None, Ids | None]:
    """Cells, row ids and column ids of a wide matrix; float (NaN missing), integer or object cells.

    Raises
    ------
    InputError
        If the matrix does not have two dimensions.
    """
    rows = columns = None
    matrix = as_frame(matrix)
    if isinstance(matrix, np.ma.MaskedArray):
        values = matrix.data.astype(object)
        values[np.ma.getmaskarray(matrix)] = None
    elif hasattr(matrix, "iloc") and hasattr(matrix, "columns"):
        rows, columns = np.asarray(matrix.index), np.asarray(matrix.columns)
        numeric = all(dtype.kind in "iufb" for dtype in matrix.dtypes)
        values = matrix.to_numpy(dtype=float, na_value=np.nan) if numeric else matrix.to_numpy(object)
    elif not isinstance(matrix, np.ndarray) and is_frame(matrix):
        import narwhals as nw

        table = nw.from_native(matrix, eager_only=True)
        columns = _objects(table.columns)
        cells = [_objects(series.to_list()) for series in table.iter_columns()]
        values = np.stack(cells, axis=1) if cells else np.empty((0, 0), dtype=object)
    else:
        values = np.asarray(matrix)
        if values.dtype.kind in "US":
            values = np.asarray(matrix, dtype=object)
    if values.ndim != 2:
        raise InputError(
            f"a wide matrix has two dimensions, examples × annotators; got shape {values.shape}."
        )
    return values, rows, columns


def make_frame(columns: Mapping[str, Ids], backend: Backend) -> Any:
    """A native dataframe of the named library."""
    import narwhals as nw

    native = {name: _plain(values, backend) for name, values in columns.items()}
    with needs("pandas", "backend='pandas'") if backend == "pandas" else nullcontext():
        return nw.from_dict(native, backend=backend).to_native()


def _plain(values: Ids, backend: Backend) -> Any:
    if values.dtype.kind != "O" or backend == "pandas":
        return values
    items = values.tolist()
    kinds = {type(item) for item in items if item is not None}
    # Arrow and polars columns have one type: a mixture of ids, or integers above 64 bits, are text.
    large = kinds == {int} and not all(-(2**63) <= item < 2**63 for item in items if item is not None)
    return items if len(kinds) <= 1 and not large else [None if item is None else str(item) for item in items]
