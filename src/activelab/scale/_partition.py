"""Labels and probabilities hash-partitioned by example, out of core, by DuckDB."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from activelab._errors import InputError
from activelab._set_text import SEPARATOR
from activelab._whole import whole_path
from activelab.scale._files import File, Store, check_unchanged, disk_full, is_url
from activelab.scale._job import digest
from activelab.scale._stores import RangeFiles, is_away

_MANIFEST = "shuffle/manifest.json"
_BUCKET = re.compile(r"bucket=(\d+)")
_LEAST_MEMORY = 200 << 20
_ROWS_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class Table:
    """A table to cut: its files, and what of them is kept under which names (SQL).

    ``example`` is the id by which it is cut: by a hash, or by ``edges``, the highest id of each bucket but
    the last.
    """

    name: str
    files: tuple[File, ...]
    example: str
    columns: tuple[str, ...]
    in_order: bool = False
    edges: tuple[Any, ...] | None = None


class Shuffle:
    """Tables in buckets by example, in a folder that outlives the run if it is to.

    A table whose files are as they were is not cut again; of one that has only grown, the new files
    are cut, and lie beside the old ones.
    """

    def __init__(self, store: Store, n_buckets: int, memory: int, threads: int) -> None:
        self.store, self.n_buckets = store, n_buckets
        self._memory, self._threads = max(memory, _LEAST_MEMORY), threads

    def buckets(self, table: Table) -> list[list[File]]:
        """The files of each bucket.

        Raises
        ------
        InputError
            If a file cannot be read, an id is no id, or the disk or the memory is full.
        """
        import duckdb

        how = table.example, table.columns, table.in_order, table.edges
        key = digest(duckdb.__version__, self.n_buckets, *how)
        done = _manifest(self.store).get(f"{table.name}-{key}", [])
        known = {File(**one) for part in done for one in part["files"]}
        if not known <= set(table.files):
            for part in done:
                self.store.remove(part["folder"])
            done, known = [], set()
        new = [file for file in table.files if file not in known]
        if new:
            folder = f"shuffle/{table.name}-{digest(key, new)}"
            self.store.remove(folder)
            try:
                self._cut(table, new, folder)
            except BaseException:
                self.store.remove(folder)
                raise
            part = {"folder": folder, "files": [asdict(file) for file in new], "buckets": self.n_buckets}
            done = [*done, part]
            manifest = {**_manifest(self.store), f"{table.name}-{key}": done}
            self.store.write(_MANIFEST, json.dumps(manifest, indent=1).encode())
        buckets: list[list[File]] = [[] for _ in range(self.n_buckets)]
        for part in done:
            for file in self.store.files(part["folder"]):
                found = _BUCKET.search(file.url)
                if found:
                    buckets[int(found[1])].append(file)
        return buckets

    def _cut(self, table: Table, files: Sequence[File], folder: str) -> None:
        urls = [file.url for file in files]
        columns = ", ".join(table.columns)
        options = ""
        if table.in_order:
            columns += ", filename AS file, file_row_number AS row"
            options = ", filename = true, file_row_number = true"
        database = _database(self.store, self._memory, self._threads, files)
        with self.store.local_folder(folder) as target, database as connection:
            connection.execute(
                f"COPY (SELECT {columns}, {self._bucket(table)} AS bucket "
                f"FROM read_parquet({_texts(urls)}{options})) TO {_text(target)} "
                "(FORMAT parquet, PARTITION_BY (bucket), COMPRESSION lz4_raw)"
            )

    def _bucket(self, table: Table) -> str:
        if table.edges is not None:
            return _place(table.example, table.edges, 0)
        return f"CAST(coalesce(hash({table.example}) % {self.n_buckets}, 0) AS INTEGER)"


def _place(value: str, edges: Sequence[Any], first: int) -> str:
    """How many edges are below a value, and ``first`` more (SQL); a value that is missing is below all."""
    if not edges:
        return str(first)
    middle = len(edges) // 2
    edge = _text(edges[middle]) if isinstance(edges[middle], str) else str(edges[middle])
    above = _place(value, edges[middle + 1 :], first + middle + 1)
    return f"CASE WHEN {value} > {edge} THEN {above} ELSE {_place(value, edges[:middle], first)} END"


def _manifest(store: Store) -> dict[str, Any]:
    if not store.exists(_MANIFEST):
        return {}
    found: dict[str, Any] = json.loads(store.read(_MANIFEST))
    return found


def buckets_before(store: Store, files: Sequence[File]) -> set[int]:
    """Numbers of buckets that all of these files have been cut into before."""
    known: dict[int, set[File]] = {}
    for part in (part for done in _manifest(store).values() for part in done):
        known.setdefault(part.get("buckets", 0), set()).update(File(**one) for one in part["files"])
    return {number for number, cut in known.items() if number and cut >= set(files)}


def sorted_together(store: Store, names: Sequence[str], by: str, memory: int, output: str) -> None:
    """One Parquet file of the rows of several of a store, sorted by a column whose values are distinct."""
    files = store.listed(names)
    urls = [file.url for file in files]
    with _database(store, memory, 1, files) as database, whole_path(output) as partial:
        found = database.sql(f"SELECT * FROM read_parquet({_texts(urls)}) ORDER BY {quoted(by)}")
        read = found.to_arrow_reader if hasattr(found, "to_arrow_reader") else found.fetch_arrow_reader
        rows = read(_ROWS_AT_ONCE)
        with pq.ParquetWriter(partial, rows.schema) as file:
            for group in _groups(rows):
                file.write_table(group)


def _groups(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Tables of so many rows, so that the same rows give the same file."""
    waiting = rows.schema.empty_table()
    for batch in rows:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
        while len(waiting) >= _ROWS_AT_ONCE:
            yield waiting.slice(0, _ROWS_AT_ONCE).combine_chunks()
            waiting = waiting.slice(_ROWS_AT_ONCE)
    yield waiting.combine_chunks()


def id_sql(name: str, kind: str, as_text: bool) -> str:
    """An id in SQL, as `activelab.tables` reads it: an integer, or a text; of a list a text such as "a|b"."""
    column = quoted(name)
    if kind == "list":
        mark = _text(SEPARATOR)
        return f"CASE WHEN len({column}) = 0 THEN {mark} ELSE array_to_string({column}, {mark}) END"
    if kind == "float":
        whole = f"CASE WHEN {column} = trunc({column}) THEN CAST({column} AS BIGINT) "
        column = f"{whole} WHEN {column} IS NULL THEN NULL ELSE error('column {name} holds fractions') END"
    if as_text:
        return f"CAST({column} AS VARCHAR)"
    return f"CAST({column} AS BIGINT)" if kind == "integer" else column


def quoted(name: str) -> str:
    """A name of a column in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _texts(values: Sequence[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def distinct_values(store: Store, files: Sequence[File], column: str, memory: int, threads: int) -> list[Any]:
    """The distinct values of a column, sorted."""
    urls = [file.url for file in files]
    with _database(store, memory, threads, files) as database:
        rows = database.execute(
            f"SELECT DISTINCT {column} AS value FROM read_parquet({_texts(urls)}) ORDER BY value"
        ).fetchall()
    return [row[0] for row in rows]


@contextmanager
def _database(store: Store, memory: int, threads: int, files: Sequence[File]) -> Iterator[Any]:
    """A database in memory that spills to the working folder, if it is here; its errors in words of ours."""
    import duckdb

    spill = tempfile.TemporaryDirectory(
        dir=store.path if store.is_local else None, ignore_cleanup_errors=True
    )
    remote = [file for file in files if is_url(file.url)]
    stores = [RangeFiles(one, {file.url: file.size for file in remote}) for one in _protocols(remote)]
    database = duckdb.connect(config={"threads": threads})
    try:
        database.execute(f"SET memory_limit = '{max(memory, _LEAST_MEMORY) >> 20} MiB'")
        database.execute("SET preserve_insertion_order = false")
        database.execute("SET enable_progress_bar = false")
        database.execute(f"SET temp_directory = {_text(spill.name)}")
        for one in stores:
            database.register_filesystem(one)
        yield database
    except duckdb.Error as error:
        failure = next((one.failure for one in stores if one.failure is not None), None)
        if not is_away(failure):
            for file in files:
                check_unchanged(file)
        raise failure or _in_words(error, store) from None
    finally:
        database.close()
        spill.cleanup()
    for file in files:
        check_unchanged(file)


def _protocols(files: Sequence[File]) -> list[str]:
    return sorted({file.url.partition("://")[0] for file in files})


def _in_words(error: Exception, store: Store) -> InputError:
    import duckdb

    reason = " ".join(str(error).split("\n")[0].split()).rstrip(".")
    if re.search(
        r"no space left|disk full|file too large|disk quota|max_temp_directory_size", str(error), re.I
    ):
        return disk_full(store.folder)
    if isinstance(error, duckdb.OutOfMemoryException):
        return InputError("the memory budget is too small for partitioning.", advice="memory")
    return InputError(f"partitioning failed: {reason}.")
