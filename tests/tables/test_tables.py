"""Tables in and out of files."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activelab import InputError, tables

ENDINGS = [".csv", ".csv.gz", ".tsv", ".parquet", ".pq", ".jsonl", ".jsonl.gz", ".ndjson"]
ROLES = {"example": None, "annotator": None, "label": None}

# What a file can hold as an id: any text that is not blank. NUL marks a file as binary.
ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(lambda s: s.strip())
integers = st.integers(-(10**18) + 1, 10**18 - 1)


def written(folder: str | Path, ending: str, columns: dict[str, list[object]]) -> Path:
    path = Path(folder) / f"table{ending}"
    tables.write_table(path, pa.table(columns))
    return path


@pytest.mark.parametrize("ending", ENDINGS)
@given(rows=st.lists(st.tuples(ids, integers, ids), min_size=1, max_size=5))
@example(rows=[('a "quoted", id', 1, "two\nlines"), ("2020-01-01", 2, "2020-01-01 10:00:00")])
@example(rows=[("=1+1", -1, "NA"), ("\ufeff", 0, "null"), (" padded ", 7, "a\tb")])
@settings(deadline=None, max_examples=40)
def test_ids_survive_every_format(ending: str, rows: list[tuple[str, int, str]]) -> None:
    columns = {name: [row[at] for row in rows] for at, name in enumerate(ROLES)}
    with tempfile.TemporaryDirectory() as folder:
        table = tables.read_ids(written(folder, ending, columns), ROLES)
    assert table["annotator"].to_pylist() == columns["annotator"]
    assert table["annotator"].type == pa.int64()
    for name in ("example", "label"):
        # Text that looks like integers throughout is integers; nothing else changes.
        assert [str(value) for value in table[name].to_pylist()] == columns[name]


@pytest.mark.parametrize("ending", ENDINGS)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@settings(deadline=None, max_examples=25)
def test_numbers_survive_every_format_to_the_last_bit(ending: str, values: list[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, ending, {"example": list(range(len(values))), "cat": values})
        table = tables.read_pred_probs(path)
    assert table["cat"].to_pylist() == values


@given(st.lists(integers.map(str) | st.sampled_from(["007", "-0", "1.0", "", "1e3", " 1", "x"]), min_size=1))
def test_a_text_column_is_integers_only_if_each_is_written_the_one_usual_way(values: list[str]) -> None:
    canonical = all(value.lstrip("-").isdigit() and str(int(value)) == value for value in values)
    column = tables.integers_if_canonical(pa.array(values, pa.string()))
    assert (column.type == pa.int64()) == canonical
    assert [str(value) for value in column.to_pylist()] == values


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_nan_and_none_are_written_as_nothing(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    columns = {"q": np.array([0.5, np.nan]), "c": np.array([None, "a"], dtype=object)}
    tables.write_table(path, tables.to_arrow(columns))
    if ending == ".csv":
        assert path.read_text() == "q,c\n0.5,\n,a\n"
    elif ending == ".jsonl":
        assert path.read_text() == '{"q": 0.5, "c": null}\n{"q": null, "c": "a"}\n'
    else:
        assert pq.read_table(path).to_pydict() == {"q": [0.5, None], "c": [None, "a"]}


def test_a_json_row_holds_no_nan_even_if_the_table_does(tmp_path: Path) -> None:
    path = written(tmp_path, ".jsonl", {"q": [float("nan"), float("inf"), 1.0]})
    assert path.read_text() == '{"q": null}\n{"q": null}\n{"q": 1.0}\n'


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, ".csv.gz", {"a": [1, 2]}).read_bytes()
    assert written(tmp_path, ".csv.gz", {"a": [1, 2]}).read_bytes() == first
    assert gzip.decompress(first) == b"a\n1\n2\n"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1.0, 2.0]), [1, 2]),
        (pa.array([1, 2], pa.uint8()), [1, 2]),
        (pa.array([2**63, 1], pa.uint64()), [str(2**63), "1"]),
        (pa.array(["b", "a"]).dictionary_encode(), ["b", "a"]),
        (pa.array(["1", "2"]), ["1", "2"]),
        (pa.array([True, False]), [True, False]),
        (pa.array([0, 1], pa.date32()), ["1970-01-01", "1970-01-02"]),
        (pa.array([1.5, 2.0]), [1.5, 2.0]),
    ],
)
def test_ids_of_parquet_keep_their_kind(tmp_path: Path, values: pa.Array, expected: list[object]) -> None:
    pq.write_table(pa.table({"example": values}), tmp_path / "t.parquet")
    assert tables.read_ids(tmp_path / "t.parquet", {"example": None})["example"].to_pylist() == expected


def test_parquet_in_a_folder_named_like_a_partition_gains_no_column(tmp_path: Path) -> None:
    (tmp_path / "label=7").mkdir()
    path = tmp_path / "label=7" / "t.parquet"
    pq.write_table(pa.table({"example": [1]}), path)
    assert tables.column_names(path) == ["example"]


def test_json_lines_of_mixed_types_are_text(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"example": "a", "note": 1}\n\n{"example": 2, "note": ["x"]}\n{"example": "b"}\n')
    assert tables.read_ids(path, {"example": None})["example"].to_pylist() == ["a", "2", "b"]


def test_byte_order_mark_and_blank_lines_are_no_data(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfexample,label\r\n\r\n1,a\r\n\r\n2,b\r\n")
    assert tables.read_ids(path, {"example": None, "label": None}).to_pydict() == {
        "example": [1, 2],
        "label": ["a", "b"],
    }


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".jsonl"])
def test_an_error_names_the_line_the_row_begins_in(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    csv = b'\nexample,label\n1,"two\nlines"\n\n2,b\n3,c\n'
    text = {".csv": csv, ".csv.gz": gzip.compress(csv), ".jsonl": b'\n{"a": 1}\n\n{"a": 2}\n{"a": 3}\n'}
    path.write_bytes(text[ending])
    lines = {".csv": (3, 6, 7), ".csv.gz": (3, 6, 7), ".jsonl": (2, 4, 5)}[ending]
    for row, line in enumerate(lines):
        with pytest.raises(InputError) as error, tables.naming(path):
            raise InputError("it is wrong.", row=row)
        assert str(error.value) == f"{path}: it is wrong (line {line})."


@pytest.mark.parametrize(
    ("names", "role", "expected"),
    [
        (["example", "id", "task"], "example", "example"),
        (["Task ID", "worker", "answer"], "example", "Task ID"),
        (["task", "WorkerId", "answer"], "annotator", "WorkerId"),
        (["item", "user_name", "class"], "label", "class"),
        (["item", "annotator", "label "], "label", "label "),
    ],
)
def test_columns_are_found_by_their_common_spellings(names: list[str], role: str, expected: str) -> None:
    assert tables.find_column(names, role) == expected


def test_numbers_and_text_are_compared_as_text() -> None:
    one, two = tables.unify([pa.array([1, 20]), pa.array(["1", "b"])])
    assert one.to_pylist() == ["1", "20"]
    assert two.to_pylist() == ["1", "b"]
    assert tables.unify([pa.array([1]), pa.array([2])])[0].type == pa.int64()


def test_a_failed_write_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, ".csv", {"a": [1]})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path, ".csv", {"a": [2]})
    assert path.read_text() == "a\n1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_the_usual_permissions_and_replaces_the_target_of_a_link(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    path = written(tmp_path, ".csv", {"a": [1]})
    assert path.stat().st_mode == plain.stat().st_mode
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    tables.write_table(link, pa.table({"a": [2]}))
    assert link.is_symlink()
    assert path.read_text() == "a\n2\n"


def test_an_array_of_three_dimensions_is_an_ensemble(tmp_path: Path) -> None:
    stack = np.arange(12.0).reshape(2, 3, 2)
    np.save(tmp_path / "p.npy", stack)
    np.savez(tmp_path / "p.npz", one=stack[0], two=stack)
    assert np.array_equal(tables.read_arrays(tmp_path / "p.npy"), stack)
    assert np.array_equal(tables.read_arrays(f"{tmp_path}/p.npz:one"), stack[:1])
    assert np.array_equal(tables.read_arrays(f"{tmp_path}/p.npz:two"), stack)


def test_the_index_of_a_pandas_frame_is_the_examples_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    frame = pd.DataFrame({"cat": [0.5, 1.0], "dog": [0.5, 0.0]}, index=["b", "a"])
    frame.to_parquet(path)
    assert tables.read_pred_probs(path).to_pydict() == {"example": ["b", "a"], **frame.to_dict("list")}
    frame.assign(task=[3, 4]).to_parquet(path)
    assert tables.read_pred_probs(path).to_pydict() == {"example": [3, 4], **frame.to_dict("list")}


def test_a_column_of_lists_is_kept_as_json_in_csv(tmp_path):
    """Such as the temperatures of an ensemble in the results of `activelab simulate -o results.csv`."""
    lists = pa.table({"name": ["a,b", "c"], "values": [[1.5, 2.0], None]})
    tables.write_table(tmp_path / "t.csv", lists)
    text = (tmp_path / "t.csv").read_text()
    assert text.splitlines() == ["name,values", '"a,b","[1.5, 2.0]"', '"c",']
