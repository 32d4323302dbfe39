"""Files that are damaged, or made to end the process that reads them, are refused in words."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from activelab import InputError
from activelab.formats import read_label_table, read_records
from activelab.tables import _bounded, read_arrays, read_ids, read_pred_probs, read_rows, row_columns

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "fuzz_readers.py"


def refused(read: Any, *arguments: Any) -> str:
    with pytest.raises(InputError) as error:
        read(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def command(*arguments: Any) -> subprocess.CompletedProcess[str]:
    done = [sys.executable, "-m", "activelab", *map(str, arguments)]
    return subprocess.run(done, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("depth", [600, 20_000, 200_000])
@pytest.mark.parametrize("name", ["l.jsonl", "l.json", "l.jsonl.gz"])
def test_nesting_without_end_does_not_end_the_process(depth: int, name: str, tmp_path: Path) -> None:
    text = '{"example": "x", "annotator": "a", "label": ' + "[" * depth + "]" * depth + "}"
    data = f"[{text}]" if name == "l.json" else f"{text}\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(data.encode()) if name.endswith(".gz") else data.encode())
    done = command("consensus", path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    refused(read_pred_probs, path) if name != "l.json" else None


@pytest.mark.parametrize("digits", [30, 6_000])
@pytest.mark.parametrize("array", [False, True])
def test_numbers_of_many_digits(digits: int, array: bool, tmp_path: Path) -> None:
    entry = '{"example": %s, "annotator": "a", "label": "x"}' % ("9" * digits)
    path = tmp_path / "l.json"
    path.write_text(f"[{entry}]" if array else entry + "\n")
    if digits == 30:
        assert read_label_table(path)[0]["example"].to_pylist() == ["9" * 30]
    else:
        assert "digits" in refused(read_label_table, path)


def test_a_number_above_64_bits_among_probabilities(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"example": 1, "x": 18446744073709551617, "y": 0}\n{"example": 2, "x": "a", "y": 0}\n')
    assert "not a number" in refused(read_pred_probs, path)


def npy(header: bytes, body: bytes = b"") -> bytes:
    padded = header + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + body


NUMPY_2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0"

HEADERS = {
    "no literal": b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2",
    "no dictionary": b"[1, 2]",
    "a call": b"__import__('os').system('true')",
    "of another type": b"{'descr': 5, 'fortran_order': False, 'shape': (2, 2), }",
    "without a shape": b"{'descr': '<f8', 'fortran_order': False, }",
    "of a shape of words": b"{'descr': '<f8', 'fortran_order': False, 'shape': ('a', 2), }",
    "with a promise": b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 100000), }",
    # To numpy 1 this means as many rows as there are.
    **(
        {"with a negative shape": b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2), }"}
        if NUMPY_2
        else {}
    ),
    "nested": b"(" * 300,
    "of objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }",
    "of half a text": b"{'descr': '<f8",
    "of no bytes": b"{'descr': '\xff\xfe', 'fortran_order': False, 'shape': (2, 2), }",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_headers_of_arrays(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.npy"
    path.write_bytes(npy(header, b"\0" * 32))
    assert str(path) in refused(read_arrays, path)
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        archive.writestr("a.npy", npy(header, b"\0" * 32))
    assert "p.npz" in refused(read_arrays, tmp_path / "p.npz")


def test_broken_utf8_in_names_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(b'{"example": 1, "annotator": "a", "label": "x", "b\xffd": 1}\n')
    for read in (read_label_table, read_pred_probs, row_columns):
        assert "UTF-8" in refused(read, path)
    file = io.BytesIO()
    pq.write_table(pa.table({"example": [1], "annotator": ["a"], "label": ["x"], "abcdefg": [1]}), file)
    path = tmp_path / "l.parquet"
    path.write_bytes(file.getvalue().replace(b"abcdefg", b"abc\xffefg"))
    for read in (read_label_table, row_columns):
        assert str(path) in refused(read, path)


def test_half_a_character(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text('{"example": "\\ud83d", "annotator": "a", "label": "x"}\n')
    refused(read_label_table, path)
    refused(read_ids, path, {"example": None})
    refused(read_pred_probs, path)
    assert [bool(one.problem) for one in read_records(path)] == [True]


@pytest.mark.parametrize("name", ["l.csv.gz", "l.jsonl.gz"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip"])
def test_damaged_gzip(name: str, damage: str, tmp_path: Path) -> None:
    rows = [{"example": n, "annotator": "a", "label": f"x{n * 7919 % 1000}"} for n in range(5_000)]
    text = "\n".join(map(json.dumps, rows)) if "jsonl" in name else "example,annotator,label\n" + "\n".join(
        ",".join(map(str, row.values())) for row in rows
    )  # fmt: skip
    data = bytearray(gzip.compress(text.encode()))
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    else:
        data[3:200] = b"x" * 197
    path = tmp_path / name
    path.write_bytes(bytes(data))
    for read in (
        read_label_table,
        read_pred_probs,
        lambda one: list(read_rows(one)),
        lambda one: list(read_records(one)),
    ):
        assert str(path) in refused(read, path)


@pytest.mark.parametrize("name", ["l.csv.gz", "l.jsonl.gz", "l.json.gz"])
def test_gzip_that_unpacks_to_far_too_much(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_bounded, "FREE", 1 << 18)
    row = b'{"example": 1, "annotator": "a", "label": "x"}'
    parts = {"l.csv.gz": (b"example,annotator,label\n", b"1,a,x\n"), "l.jsonl.gz": (b"", row + b"\n")}
    head, line = parts.get(name, (b"[" + row, b"," + row))
    path = tmp_path / name
    path.write_bytes(gzip.compress(head + line * 100_000))
    for read in (read_label_table, lambda one: list(read_records(one))):
        assert "unpacks to far more than its size" in refused(read, path)
    if name != "l.json.gz":
        assert "unpacks to far more" in refused(read_pred_probs, path)


def test_arrays_are_read_or_refused_when_bits_flip(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.savez(file, a=np.full((2, 2), 0.5))
    data, path = file.getvalue(), tmp_path / "p.npz"
    said = []
    for at in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[at] ^= 0x41
        path.write_bytes(bytes(damaged))
        try:
            assert read_arrays(path)[0].ndim == 2
        except InputError as error:
            said.append(str(error))
    assert said
    assert all(str(path) in one and "\n" not in one for one in said)


def test_the_fuzzer_passes_and_counts(tmp_path: Path) -> None:
    asked = [*("--files", "25", "--only", "long", "--only", "arrays", "--json"), tmp_path / "found.json"]
    done = subprocess.run([sys.executable, BENCHMARK, *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["long"] == {"files": 25, "wrong": 0, "places": {}}
