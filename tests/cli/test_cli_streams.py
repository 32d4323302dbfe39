"""``-`` for standard input and output."""

from __future__ import annotations

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
from typer.testing import CliRunner

from activelab.cli import app

LABELS = "example,annotator,label\na,1,cat\na,2,cat\nb,1,dog\nb,2,cat\nc,3,dog\n"
PROBS = "example,cat,dog\nd,.6,.4\na,.8,.2\nb,.4,.6\nc,.3,.7\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with labels.csv and probs.csv, and a folder of its own for temporary files."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text(LABELS)
    Path("probs.csv").write_text(PROBS)
    return tmp_path


def run(command: str, given: str | bytes = b"", status: int = 0) -> Any:
    result = CliRunner().invoke(app, command.split(), input=given)
    assert result.exit_code == status, (result.output, result.exception)
    assert not list(Path("temporary").iterdir())
    return result


def error_of(command: str, given: str | bytes = b"") -> str:
    result = run(command, given, 2)
    assert result.stdout == ""
    return str(result.stderr)


@pytest.mark.parametrize(
    "command",
    ["consensus {}", "annotators {}", "suggest {} -p probs.csv", "convert {} -", "consensus {} -p probs.csv"],
)
def test_labels_on_standard_input_are_those_of_the_file(command: str) -> None:
    assert run(command.format("-"), LABELS).stdout == run(command.format("labels.csv")).stdout


def parquet() -> bytes:
    buffer = io.BytesIO()
    columns = [line.split(",") for line in LABELS.splitlines()]
    pq.write_table(
        pa.table({name: [row[at] for row in columns[1:]] for at, name in enumerate(columns[0])}), buffer
    )
    return buffer.getvalue()


def json_lines() -> bytes:
    names, *rows = (line.split(",") for line in LABELS.splitlines())
    return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    "given",
    [parquet(), json_lines(), LABELS.replace(",", "\t"), b",1,2,3\na,cat,cat,\nb,dog,cat,\nc,,,dog\n"],
    ids=["parquet", "json lines", "tabs", "wide"],
)
def test_its_format_is_told_by_content(given: str | bytes) -> None:
    found = run("consensus - -o -", given).stdout
    assert found == run("consensus labels.csv -o -").stdout


def test_predictions_on_standard_input_are_a_table_or_an_array() -> None:
    wanted = run("suggest labels.csv -p probs.csv -n 2").stdout
    assert run("suggest labels.csv -p - -n 2", PROBS).stdout == wanted
    buffer = io.BytesIO()
    np.save(buffer, np.array([[0.6, 0.4], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]]))
    Path("ids.txt").write_text("d\na\nb\nc\n")
    assert run("suggest labels.csv -p - --examples ids.txt -n 2", buffer.getvalue()).stdout == wanted


def test_every_table_of_a_command_can_be_standard_input() -> None:
    features = "example,x\na,0\nb,1\nc,2\nd,3\n"
    Path("features.csv").write_text(features)
    wanted = run("suggest labels.csv --features features.csv -n 1")
    assert run("suggest labels.csv --features - -n 1", features).stdout == wanted.stdout
    run("audit draw labels.csv -n 2 -o checks.csv --pool audit.csv")
    filled = Path("checks.csv").read_text().replace(",\n", ",cat\n")
    assert "right" in run("audit report audit.csv -", filled).stdout
    Path("checks.csv").write_text(filled)
    assert "right" in run("audit report - checks.csv", Path("audit.csv").read_bytes()).stdout


@pytest.mark.parametrize("format_", ["csv", "tsv", "jsonl", "parquet"])
def test_standard_output_is_the_file_and_nothing_else(format_: str) -> None:
    for line in ("consensus labels.csv", "annotators labels.csv", "suggest labels.csv -p probs.csv -n 2"):
        run(f"{line} -o out.{format_}")
        done = run(f"{line} -o - --format {format_}")
        assert done.stdout_bytes == Path(f"out.{format_}").read_bytes()
        assert "note: " in done.stderr
    assert (
        run("consensus labels.csv --format jsonl").stdout
        == run("consensus labels.csv -o - --format jsonl").stdout
    )


def test_the_summary_of_a_table_on_standard_output_is_on_standard_error() -> None:
    done = run("annotators labels.csv -o - --json")
    assert done.stdout.startswith("annotator,quality,")
    assert json.loads(done.stderr)["output"] == "standard output"
    done = run("audit draw labels.csv -n 2 -o - --pool audit.csv")
    assert done.stdout.startswith("example,label\n")
    assert "Wrote 2 of 3 labels to standard output" in done.stderr
    done = run("convert - - --to wide", LABELS)
    assert done.stdout.startswith(",1,2,3\n")
    assert done.stderr.startswith(
        "standard input (long): 5 read, 0 dropped, 5 kept in standard output (wide).\n"
    )


def test_a_format_of_another_tool_goes_through_a_pipe() -> None:
    tasks = run("convert labels.csv - --to label-studio").stdout
    assert run("consensus -", tasks).stdout == run("consensus labels.csv").stdout
    archive = run("convert labels.csv - --to doccano").stdout_bytes
    assert zipfile.is_zipfile(io.BytesIO(archive))
    assert run("consensus -", archive).stdout == run("consensus labels.csv").stdout


def test_a_table_of_a_project_goes_to_standard_output() -> None:
    run("init a.db --classes cat,dog --kind table")
    run("import a.db -", "example,words\na,x\nb,y\nc,z\n")
    run("import a.db --labels -", LABELS)
    done = run("export a.db -o -")
    assert done.stdout.startswith("example,annotator,label,abstained,time,source\na,1,cat,false,")
    assert "Wrote 5 rows to standard output" in done.stderr


@pytest.mark.parametrize(
    ("command", "given", "words"),
    [
        ("consensus - -p -", LABELS, "standard input, which can be read once"),
        ("consensus -", "", "standard input: the file is empty"),
        ("consensus -", b"\0\1\2", "standard input: holds no table: it looks like binary data"),
        ("consensus -", LABELS + ",4,cat\n", "standard input: the example is empty (line 7)"),
        ("consensus labels.csv -o - --format xls", "", "--format xls is not one of csv, tsv, jsonl, parquet"),
        ("consensus labels.csv -o out.csv --format csv", "", "out.csv is written by its ending"),
        ("convert labels.csv - --to doccano --format csv", "", "--format csv is not one of zip"),
        ("convert labels.csv - --rejected -", "", "standard output, which takes one table"),
        ("simulate --dataset digits -o -", "", "kept in a file"),
        ("audit draw labels.csv -o - --pool -", "", "takes one table"),
    ],
)
def test_what_cannot_be_is_said(command: str, given: str | bytes, words: str) -> None:
    assert words in error_of(command, given)


def test_parquet_is_not_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activelab.cli._streams.is_terminal", lambda: True)
    assert "parquet is not text for a terminal" in error_of("consensus labels.csv -o - --format parquet")


def test_nothing_is_sent_where_a_command_fails() -> None:
    done = run("convert - -", "example,annotator,label\n", 2)
    assert done.stdout == ""


def test_a_reader_who_leaves_early_is_no_traceback() -> None:
    rows = "".join(f"e{row},ann,{row % 3}\n" for row in range(20_000))
    Path("many.csv").write_text(f"example,annotator,label\n{rows}")
    line = f"{sys.executable} -m activelab consensus many.csv -o - | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("example,")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
