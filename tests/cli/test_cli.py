"""The command line, through the commands themselves."""

from __future__ import annotations

import errno
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scale_pools import Pool
from typer.testing import CliRunner

import activelab as al
from activelab.cli import app

LABELS = "item,worker,answer\na,1,cat\na,2,cat\nb,1,dog\nb,2,cat\nc,3,dog\n"
PROBS = "task,cat,dog,fox\nd,.4,.3,.3\na,.8,.1,.1\nb,.4,.4,.2\nc,.3,.6,.1\ne,.9,.05,.05\n"

COMMANDS = ["suggest", "consensus", "annotators", "demo"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with labels.csv and probs.csv."""
    monkeypatch.chdir(tmp_path)
    write("labels.csv", LABELS)
    write("probs.csv", PROBS)
    return tmp_path


def write(name: str, text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    Path(name).write_bytes(data)
    return name


def run(command: str, status: int = 0) -> Any:
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == status, (result.output, result.exception)
    return result


def table(command: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(run(command).stdout), dtype=str, keep_default_na=False)


def summary(command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(f"{command} --json").stdout)
    return found


def error_of(command: str, status: int = 2) -> str:
    """The one line on stderr; nothing else may be said."""
    result = run(command, status)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return str(result.stderr)


# ---------------------------------------------------------------------- what the commands compute


def pool() -> tuple[al.Labels, pd.DataFrame]:
    frame = pd.read_csv("labels.csv").rename(
        columns={"item": "example", "worker": "annotator", "answer": "label"}
    )
    probs = pd.read_csv("probs.csv").rename(columns={"task": "example"})
    return al.Labels.from_long(frame, classes=["cat", "dog", "fox"]), probs


@pytest.mark.parametrize("method", sorted({*al.methods()} - {"disagreement"}))
def test_suggest_gives_the_batch_of_the_library(method: str) -> None:
    batch = al.suggest(*pool(), batch_size=3, method=method, seed=5)
    found = table(f"suggest labels.csv --pred-probs probs.csv --batch-size 3 --method {method} --seed 5")
    assert found.columns.tolist() == list(batch.to_dict())
    assert found["example"].tolist() == batch.examples.tolist()
    assert found["score"].astype(float).tolist() == batch.score.tolist()
    assert found["kind"].tolist() == batch.kind.tolist()
    assert found["predicted_label"].tolist() == batch.predicted_label.tolist()
    assert (found["consensus_label"] == "").tolist() == (batch.kind == "new").tolist()


def test_examples_that_only_the_probabilities_name_are_the_unlabelled_pool() -> None:
    found = table("suggest labels.csv -p probs.csv -n 5").set_index("example")
    assert found.index.sort_values().tolist() == list("abcde")
    assert found["kind"].sort_index().tolist() == ["relabel"] * 3 + ["new"] * 2


@pytest.mark.parametrize(
    ("ending", "read"),
    [
        (".csv", pd.read_csv),
        (".csv.gz", pd.read_csv),
        (".tsv", lambda path: pd.read_csv(path, sep="\t")),
        (".parquet", pd.read_parquet),
        (".jsonl", lambda path: pd.read_json(path, lines=True)),
    ],
)
def test_output_is_written_by_ending(ending: str, read: Callable[[str], pd.DataFrame]) -> None:
    assert run(f"suggest labels.csv -p probs.csv -n 4 -o batch{ending}").stdout == ""
    found = read(f"batch{ending}")
    expected = al.suggest(*pool(), batch_size=4)
    assert found["example"].tolist() == expected.examples.tolist()
    assert found["quality"].tolist() == pytest.approx(expected.quality.tolist(), nan_ok=True)
    assert sorted(os.listdir()) == sorted([f"batch{ending}", "labels.csv", "probs.csv"])


def test_a_batch_without_any_label_keeps_its_column_types() -> None:
    write("labels.csv", "example,annotator,label\na,1,7\n")
    write("probs.csv", "example,7,8\na,1,0\nb,.5,.5\nc,.5,.5\n")
    run("suggest labels.csv -p probs.csv -n 1 -m good_random -o batch.parquet")
    found = pd.read_parquet("batch.parquet", dtype_backend="numpy_nullable")
    assert found["kind"].tolist() == ["new"]
    assert found["consensus_label"].dtype == found["predicted_label"].dtype == "Int64"


def test_several_models_are_an_ensemble_however_they_are_stored() -> None:
    frame = pd.read_csv("probs.csv")
    other = frame.assign(cat=frame["fox"], fox=frame["cat"])
    other.sample(frac=1, random_state=0).to_parquet("other.parquet")
    write("ids.txt", "\n".join(frame["task"]))
    stack = np.stack([f[["cat", "dog", "fox"]].to_numpy() for f in (frame, other)])
    np.save("both.npy", stack)
    np.savez("named.npz", first=stack[0], second=stack[1])
    tables = table("suggest labels.csv -p probs.csv -p other.parquet -n 5")
    array = table("suggest labels.csv -p both.npy --examples ids.txt --classes cat,dog,fox -n 5")
    one_by_one = "-p named.npz:first -p named.npz:second"
    named = table(f"suggest labels.csv {one_by_one} --examples ids.txt --classes cat,dog,fox -n 5")
    assert tables.equals(array)
    assert tables.equals(named)
    assert not tables.equals(table("suggest labels.csv -p probs.csv -n 5"))
    assert summary("suggest labels.csv -p probs.csv -p other.parquet -n 1")["n_models"] == 2


def test_rows_of_an_array_are_the_examples_0_to_n_without_a_list() -> None:
    write("labels.csv", "example,annotator,label\n0,1,x\n0,2,x\n3,1,y\n")
    np.save("probs.npy", np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.1, 0.9]]))
    found = table("suggest labels.csv -p probs.npy -n 4").set_index("example")
    assert found["num_labels"].sort_index().tolist() == ["2", "0", "0", "1"]
    assert found.loc["1", "kind"] == "new"


@pytest.mark.parametrize("ids", ["ids.txt", "ids.csv", "ids.parquet"])
def test_the_pool_may_be_listed(ids: str) -> None:
    write("ids.txt", "a\nb\n\nc\n")
    pd.DataFrame({"task": list("abc"), "other": 1}).to_csv("ids.csv")
    pd.DataFrame({"task": list("abc"), "other": 1}).to_parquet("ids.parquet")
    write("probs.csv", "\n".join(line for line in PROBS.split("\n") if line[:1] not in "de"))
    assert summary(f"suggest labels.csv -p probs.csv -n 1 --examples {ids}")["pool"] == 3


@pytest.mark.parametrize("option", ["cat,dog,fox", "classes.txt", "@classes.txt", "cat,dog,fox,"[:-1]])
def test_classes_come_from_a_list_or_a_file(option: str) -> None:
    write("classes.txt", "cat\ndog\nfox\n")
    assert summary(f"consensus labels.csv --classes {option}")["classes"] == 3
    assert summary("consensus labels.csv")["classes"] == 2


def test_ids_keep_their_zeros_and_numbers_match_text() -> None:
    write("labels.csv", "example,annotator,label\n001,01,0\n002,01,1\n002,02,1\n")
    write("probs.csv", "example,1,0\n002,.9,.1\n001,.2,.8\nx,.5,.5\n")
    found = table("suggest labels.csv -p probs.csv -n 3").set_index("example")
    assert found.index.sort_values().tolist() == ["001", "002", "x"]
    assert found.loc["002", ["consensus_label", "predicted_label"]].tolist() == ["1", "1"]
    assert table("annotators labels.csv")["annotator"].tolist() == ["01", "02"]

    pd.DataFrame({"example": [1.0, 2.0], "annotator": ["p", "q"], "label": [0, 1]}).to_parquet("l.parquet")
    write("probs.csv", "example,0,1\n1,.9,.1\n2,.2,.8\nx,.5,.5\n")
    found = table("suggest l.parquet -p probs.csv -n 3").set_index("example")
    assert found["num_labels"].sort_index().tolist() == ["1", "1", "0"]


@pytest.mark.parametrize(
    ("labels_an_example", "probs", "used"),
    [(1, "", "bayesian"), (3, "", "bayesian"), (3, "-p probs.csv", "bayesian")],
)
def test_consensus_chooses_a_method_and_says_which(labels_an_example: int, probs: str, used: str) -> None:
    rows = [f"{i},{w},{'cat' if i in 'ab' else 'dog'}" for i in "abc" for w in range(labels_an_example)]
    write("labels.csv", "\n".join(["example,annotator,label", *rows]))
    said = summary(f"consensus labels.csv {probs}")
    assert said["method"] == used
    assert said["labelled"] == 3
    found = table(f"consensus labels.csv {probs}")
    assert ",".join(found) == "example,consensus_label,quality,agreement,num_labels,predicted_label"
    assert found["consensus_label"].tolist() == ["cat", "cat", "dog"]
    assert found["predicted_label"].tolist() == (["cat", "cat", "dog"] if probs else [""] * 3)


@pytest.mark.filterwarnings("ignore")  # of crowd-kit under a new pandas
@pytest.mark.parametrize("method", ["majority_vote", "dawid_skene", "glad", "crowdlab"])
def test_consensus_by_name(method: str) -> None:
    labels, probs = pool()
    if method == "crowdlab":
        labels = labels.with_examples(["d", "e"])
        expected, option = al.crowdlab(labels, probs), "-p probs.csv"
    elif method == "glad":
        expected, option = al.crowdkit(labels, "glad"), "--classes cat,dog,fox"
    else:
        expected, option = getattr(al, method)(labels), "--classes cat,dog,fox"
    found = table(f"consensus labels.csv {option} --method {method}")
    assert found["consensus_label"].tolist() == [name for name in expected.label_ids if name]
    assert found["quality"].astype(float).tolist() == expected.to_dict()["quality"].tolist()


def test_annotators_gives_the_table_and_the_agreement() -> None:
    from activelab.agreement import agreement_statistics

    labels, _ = pool()
    expected = al.bayesian_consensus(labels).annotators
    found = table("annotators labels.csv --classes cat,dog,fox")
    assert found.columns.tolist() == list(expected.to_dict())
    quality = found["quality"].tolist()
    assert quality[2] == ""  # shares no example with another, and stands last
    assert float(quality[0]) <= float(quality[1])  # the worst first
    by_name = dict(zip(expected.annotator.tolist(), expected.agreement_with_consensus.tolist(), strict=True))
    assert [by_name[int(name)] for name in found["annotator"]] == (
        found["agreement_with_consensus"].astype(float).tolist()
    )
    said = summary("annotators labels.csv --classes cat,dog,fox --bootstrap 50 --seed 3")["agreement"]
    for one, two in zip(said, agreement_statistics(labels, n_bootstrap=50, seed=3), strict=True):
        numbers = [one["value"], one["low"], one["high"], one["n_items"]]
        assert numbers == [two.value, two.low, two.high, two.n_items]
        assert (one["name"], one["note"]) == (two.name, two.note)


def test_what_cannot_be_estimated_is_null_and_noted() -> None:
    write("labels.csv", "example,annotator,label\na,1,cat\nb,2,dog\n")
    result = run("annotators labels.csv --json")
    said = json.loads(result.stdout, parse_constant=pytest.fail)
    assert [one["value"] for one in said["agreement"]] == [None] * 3
    assert "no example has two labels" in said["notes"][0]
    assert result.stderr == ""
    assert "note: no example has two labels" in run("annotators labels.csv").stderr


def test_summary_of_suggest() -> None:
    said = summary("suggest labels.csv -p probs.csv -n 4 -o batch.csv")
    assert {key: said[key] for key in ("method", "batch_size", "new", "relabel", "pool", "labelled")} == {
        "method": "activelab",
        "batch_size": 4,
        "new": 1,
        "relabel": 3,
        "pool": 5,
        "labelled": 3,
    }
    assert {key: said[key] for key in ("n_labels", "annotators", "classes", "n_models", "output")} == {
        "n_labels": 5,
        "annotators": 3,
        "classes": 3,
        "n_models": 1,
        "output": "batch.csv",
    }
    assert len(said["temperature"]) == len(said["model_weight"]) == 1
    assert isinstance(said["notes"], list)


def test_repeated_labels_are_kept_as_asked() -> None:
    write("labels.csv", "example,annotator,label\na,1,cat\na,1,dog\nb,2,cat\n")
    assert "--keep last" in error_of("consensus labels.csv")
    assert table("consensus labels.csv --keep first")["consensus_label"].tolist() == ["cat", "cat"]
    assert table("consensus labels.csv --keep last")["consensus_label"].tolist() == ["dog", "cat"]


def test_columns_are_named_by_options_where_they_are_not_recognised() -> None:
    write("labels.csv", "photo,who,what,label\na,1,cat,x\nb,2,dog,x\n")
    write("probs.csv", "photo,cat,dog\na,.5,.5\nb,.5,.5\n")
    options = "--example-column photo --annotator-column who --label-column what"
    assert summary(f"suggest labels.csv -p probs.csv -n 1 {options}")["classes"] == 2


# ---------------------------------------------------------------------- bad input

HEADER = "example,annotator,label\n"
BAD_LABELS: dict[str, tuple[str, bytes | None, str]] = {
    "missing": ("no.csv", None, "no.csv: no such file"),
    "folder": (".", None, ".: is a folder"),
    "empty": ("l.csv", b"", "l.csv: the file is empty"),
    "empty gzip": ("l.csv.gz", b"", "l.csv.gz: the file is empty"),
    "header only": ("l.csv", HEADER.encode(), "l.csv: the table is empty"),
    "unknown ending": ("l.xlsx", b"x", "l.xlsx: no column 'example'; the file has: 'x'"),
    "a spreadsheet": ("l.xlsx", b"PK\x03\x04", "l.xlsx: the zip archive cannot be read"),
    "Parquet as CSV": ("l.csv", b"PAR1\0\0PAR1", "l.csv: cannot be read as Parquet"),
    "broken Parquet": ("l.parquet", b"PAR1\0\0\0\0PAR1", "l.parquet: cannot be read as Parquet"),
    "junk as JSON": ("l.jsonl", bytes(range(256)), "it looks like binary data"),
    "JSON as CSV": ("l.csv", b'{"example": 1}\n', "l.csv: no column 'annotator'"),
    "JSON array": ("l.jsonl", b"[1]\n", "no column 'example'; the file has: none"),
    "broken JSON": (
        "l.jsonl",
        b'{"example": "a", "annotator": 1, "label": 2}\n\n{"exa\n',
        "line 3 is not JSON",
    ),
    "null": (
        "l.jsonl",
        b'{"example": "a", "annotator": 1, "label": null}\n',
        "it holds no label: the label is empty (1)",
    ),
    "list": ("l.jsonl", b'{"example": [1], "annotator": 1, "label": 2}\n', "column 'example' holds [1]"),
    "gzip as text": ("l.csv", b"\x1f\x8b\x08\0\0\0\0\0", "l.csv: the gzip data cannot be read"),
    "broken gzip": ("l.csv.gz", b"\x1f\x8b\x08\0\0\0\0\0", "l.csv.gz: the gzip data cannot be read"),
    "UTF-16": ("l.csv", LABELS.encode("utf-16"), "UTF-16 text; save it as UTF-8"),
    "Latin-1": ("l.csv", (HEADER + "a,1,caf\xe9\n").encode("latin-1"), "not UTF-8 text (line 2)"),
    "Latin-1 header": ("l.csv", "exampl\xe9,b\n".encode("latin-1"), "not UTF-8 text (line 1)"),
    "Latin-1 JSON": (
        "l.jsonl",
        b'{"example": "\xe9", "annotator": 1, "label": 2}\n',
        "not UTF-8 text (line 1)",
    ),
    "missing column": ("l.csv", b"example,annotator\na,1\n", "no column 'label'; the file has: 'example'"),
    "ambiguous": ("l.csv", b"item,task,annotator,label\n1,2,3,4\n", "'item', 'task' could each be"),
    "column twice": ("l.csv", b"example,label,annotator,label\n1,2,3,4\n", "'label' appears 2 times"),
    "empty example": ("l.csv", (HEADER + "a,1,cat\n\n,1,\n").encode(), "the example is empty (line 4)"),
    "blank annotator": ("l.csv", (HEADER + "a, ,cat\n").encode(), "the annotator is empty (line 2)"),
    "short row": ("l.csv", (HEADER + "a,1,cat\nb,1\n").encode(), "line 3 has 2 columns, the header 3"),
    "long row": ("l.csv", (HEADER + "a,1,cat,x\n").encode(), "line 2 has 4 columns, the header 3"),
    "repeated": (
        "l.csv",
        (HEADER + "a,1,cat\nb,1,cat\na,1,dog\n").encode(),
        "(lines 2 and 4). Use --keep",
    ),
    "unknown label": ("l.csv", (HEADER + "a,1,cat\nb,1,cow\n").encode(), "'cat', 'dog', 'fox' (line 3)"),
    "no probabilities": ("l.csv", (HEADER + "a,1,cat\nz,1,cat\n").encode(), "probs.csv: 1 examples have no"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels_are_one_clear_line(case: str) -> None:
    name, data, expected = BAD_LABELS[case]
    if data is not None:
        write(name, data)
    assert expected in error_of(f"suggest {name} --pred-probs probs.csv -n 1 -o out.csv")
    assert not Path("out.csv").exists()


BAD_PROBS = {
    "NaN": ("a,nan,.5,.5", "example 'a' of pred_probs holds NaN (line 2)"),
    "empty cell": ("a,,.5,.5", "example 'a' of pred_probs holds NaN (line 2)"),
    "negative": (
        "a,-.5,1,.5",
        "example 'a' of pred_probs holds -0.5; probabilities lie",
    ),
    "above 1": ("a,1.5,0,0", "example 'a' of pred_probs holds 1.5"),
    "sum": ("a,.5,.3,.1", "example 'a' of pred_probs sums to 0.9, not to 1 within 0.001 (line 2)"),
    "text": ("a,.5,x,.5", "column 'dog' holds 'x' in line 2, which is not a number"),
    "short row": ("a,.5,.5", "line 2 has 3 columns, the header 4"),
    "no id": (",.5,.5,0", "the example is empty (line 2)"),
    "duplicated": ("b,.5,.5,0", "duplicated example ids: 'b'"),
}


@pytest.mark.parametrize("case", BAD_PROBS)
def test_bad_probabilities_name_the_file_and_the_line(case: str) -> None:
    row, expected = BAD_PROBS[case]
    # The rows are in another order than the labels: the line is that of the file.
    write("p.csv", f"example,cat,dog,fox\n{row}\nc,1,0,0\nb,1,0,0\ne,1,0,0\nd,1,0,0\n")
    assert f"p.csv: {expected}" in error_of("suggest labels.csv -p probs.csv -p p.csv -n 1")


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
def test_bad_probabilities_in_other_formats(ending: str) -> None:
    frame = pd.read_csv("probs.csv").assign(cat="x")
    getattr(frame, "to_parquet" if ending == ".parquet" else "to_json")(
        f"p{ending}", **({} if ending == ".parquet" else {"orient": "records", "lines": True})
    )
    assert f"p{ending}: column 'cat' holds 'x', which is not" in error_of(f"suggest labels.csv -p p{ending}")


@pytest.mark.parametrize(
    ("columns", "options", "expected"),
    [
        ("cat,dog", "", "probs.csv: pred_probs has columns for no class of the labels: 'fox'"),
        ("cat,dog,fox", "--classes cat,dog,fox,owl", "pred_probs has no column for class 'owl'"),
        ("cat,dog,,fox", "", "a column has no name"),
        ("cat,dog,cat", "", "column 'cat' appears 2 times"),
    ],
)
def test_classes_that_differ(columns: str, options: str, expected: str) -> None:
    shares = ",".join(["1", *["0"] * columns.count(",")])
    write("p.csv", f"example,{columns}\n" + "".join(f"{i},{shares}\n" for i in "abcde"))
    assert expected in error_of(f"suggest labels.csv -p p.csv -p probs.csv -n 1 {options}")


def test_bad_arrays_are_one_clear_line() -> None:
    uniform = np.full((3, 2), 0.5)
    write("labels.csv", "example,annotator,label\n0,1,cat\n2,1,dog\n")
    np.savez("two.npz", one=uniform, other=uniform)
    np.save("objects.npy", np.array([{}]), allow_pickle=True)
    np.save("flat.npy", uniform[0])
    np.save("three.npy", np.full((3, 3), 1 / 3))
    np.save("short.npy", uniform[:2])
    np.save("nan.npy", np.array([[0.5, 0.5], [np.nan, 1], [0.5, 0.5]]))
    write("cut.npy", Path("three.npy").read_bytes()[:140])
    write("text.npy", "0.5,0.5")
    write("text.npz", "0.5,0.5")
    write("empty.npy", "")
    expected = {
        "two.npz": "holds 2 arrays: 'one', 'other'. Name one, as in two.npz:one",
        "two.npz:othr": "unknown array 'othr'. Did you mean 'other'?",
        "objects.npy": "holds Python objects, which are never read",
        "flat.npy": "got (2,)",
        "three.npy": "pred_probs has 3 columns, the labels 2 classes ('cat', 'dog'). Use --classes",
        "short.npy": "are not the row numbers 0 to 1. List the ids in the order of the rows with --examples",
        "nan.npy": "example 1 of pred_probs holds NaN (row 1, counted from 0)",
        "cut.npy": "cannot be read as a numpy file",
        "text.npy": "the content is not: it looks like text",
        "text.npz": "the content is not: it looks like text",
        "empty.npy": "the file is empty",
        "no.npy": "no such file",
    }
    for name, message in expected.items():
        said = error_of(f"suggest labels.csv -p {name} -n 1")
        assert said.startswith(f"error: {name}: ")
        assert message in said
    write("ids.txt", "0\n1\n2\n3\n")
    assert "pred_probs has 3 rows, the pool 4 examples" in error_of(
        "suggest labels.csv -p two.npz:one -n 1 --examples ids.txt"
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-n 0", "the batch size must be a positive integer, got 0"),
        ("-n -3", "the batch size must be a positive integer, got -3"),
        ("-n x", "Invalid value for '--batch-size'"),
        ("--method activelb", "unknown method 'activelb'. Did you mean 'activelab'?"),
        ("--keep lst", "'lst' is not one of 'error', 'first', 'last'"),
        ("--classes cat,,dog", "--classes cat,,dog: a class is empty"),
        ("--classes cat,cat", "--classes cat,cat: 'cat' is listed twice"),
        ("--classes @no.txt", "no.txt: no such file"),
        ("--examples no.txt", "no.txt: no such file"),
        ("--examples ids.txt", "ids.txt: duplicated example ids: 'a'"),
        ("--examples few.txt", "labels.csv: unknown example ids: 'c'"),
        ("--examples abc.txt", "pred_probs has 2 examples that are not in the pool: 'd', 'e'. Add them to"),
        ("--examples labels.parquet", "labels.parquet: no such file"),
        ("--label-column nope", "labels.csv: no column 'nope'; the file has: 'item', 'worker', 'answer'"),
        ("--method disagreement -n 2", "disagreement needs the predictions of at least two models"),
        ("--label-column item", "column 'item' cannot be both the example and the label"),
        ("-o batch.xls", "batch.xls: unknown file ending"),
        ("-o no/batch.csv", "create it first"),
        ("-o labels.csv", "labels.csv: is also an input"),
        ("-o folder.csv", "folder.csv: is a folder"),
        ("--bath-size 3", "--batch-size"),
        ("--pred-prob x", "--pred-probs"),
    ],
)
def test_bad_options_are_one_clear_line(options: str, expected: str) -> None:
    write("ids.txt", "a\nb\na\n")
    write("few.txt", "a\nb\n")
    write("abc.txt", "a\nb\nc\n")
    Path("folder.csv").mkdir()
    before = Path("labels.csv").read_bytes()
    assert expected in error_of(f"suggest labels.csv -p probs.csv {options}")
    assert Path("labels.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("sugest labels.csv", "'suggest'"),
        ("suggest labels.csv", "give either --pred-probs or --features"),
        ("consensus", "Missing argument 'LABELS...'"),
        ("consensus labels.csv --method crowdlb", "Did you mean 'crowdlab'?"),
        ("consensus labels.csv --method crowdlab", "give --pred-probs"),
        ("annotators labels.csv --method crowdlab", "give --pred-probs"),
    ],
)
def test_bad_commands_are_one_clear_line(command: str, expected: str) -> None:
    assert expected in error_of(command)


def test_output_is_checked_before_the_work() -> None:
    assert "out.txt: unknown file ending" in error_of("consensus no-such-file.csv -o out.txt")


# ---------------------------------------------------------------------- failures


def test_a_full_disk_is_a_failure_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "batch.csv")

    write("batch.csv", "what was there before")
    monkeypatch.setattr("os.replace", full)
    said = error_of("suggest labels.csv -p probs.csv -n 1 -o batch.csv", status=1)
    assert said == "error: batch.csv: No space left on device\n"
    assert Path("batch.csv").read_text() == "what was there before"
    assert sorted(os.listdir()) == ["batch.csv", "labels.csv", "probs.csv"]


def test_a_folder_that_cannot_be_written_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "not writable" in error_of("consensus labels.csv -o out.csv", status=1)


def test_a_missing_extra_is_a_failure_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "crowdkit.aggregation", None)
    assert "pip install 'activelab[crowdkit]'" in error_of("consensus labels.csv -m glad", status=1)


# ---------------------------------------------------------------------- help, version, processes


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str) -> None:
    said = run(f"{command} --help").stdout
    assert "Examples:\n" in said
    assert f"  activelab {command} " in said


def test_without_arguments_the_help_lists_the_commands() -> None:
    said = run("").stdout
    assert said == run("--help").stdout
    assert all(f"\n  {command} " in said for command in COMMANDS)
    listed = said.partition("Commands:\n")[2].splitlines()
    assert len(listed) > 20
    assert not [line for line in listed if len(line) > 80 or line.endswith("...")]


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "activelab", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_version_by_both_ways_in() -> None:
    assert process("--version").stdout == f"activelab {al.__version__}\n"
    script = Path(sys.executable).with_name("activelab")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"activelab {al.__version__}\n"


def test_help_loads_nothing_that_computes() -> None:
    heavy = ["pandas", "pyarrow", "sklearn", "narwhals", "matplotlib"]
    code = (
        "import sys; from activelab.cli import app\n"
        "try: app(['suggest', '--help'])\n"
        f"finally: sys.stderr.write(repr([m for m in {heavy} if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == "[]"


def test_bad_input_of_a_process_is_one_line_and_status_2() -> None:
    done = process("consensus", "no.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: no.csv: no such file.\n"


def test_shell_completion_knows_commands_and_methods() -> None:
    words = {"_ACTIVELAB_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    assert process(COMP_WORDS="activelab sug", **words).stdout.strip() == "suggest"
    words["COMP_CWORD"] = "3"
    said = process(COMP_WORDS="activelab consensus --method daw", **words).stdout
    assert said.strip() == "dawid_skene"


def test_a_terminal_gets_the_first_rows_and_a_summary() -> None:
    write("labels.csv", "example,annotator,label\n" + "".join(f"e{i},w,{i % 2}\n" for i in range(15)))
    lines = on_terminal("annotators", "labels.csv").splitlines()
    assert any("krippendorff_alpha" in line and "not estimable" in line for line in lines)
    said = on_terminal("consensus", "labels.csv")
    assert "e13" in said  # "e0", "e1", "e10", ... are the first ten
    assert "e9" not in said
    assert "… 5 more rows; -o FILE writes them all" in said
    assert "method: bayesian" in said
    assert "note: no example has two labels" in said


def on_terminal(*arguments: str) -> str:
    """What a process prints on a terminal of 200 columns, without control sequences."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "200", "TERM": "xterm"}
    command = [sys.executable, "-m", "activelab", *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as running:
        os.close(theirs)
        said = b""
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:  # Linux reports the end of a terminal as an error.
                break
            if not block:
                break
            said += block
    os.close(ours)
    assert running.returncode == 0, said
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())


def test_a_reader_that_stops_early_is_no_error() -> None:
    write("labels.csv", "example,annotator,label\n" + "".join(f"{i},w,{i % 2}\n" for i in range(100_000)))
    command = f"{sys.executable} -m activelab consensus labels.csv | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("example,")
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr


# ---------------------------------------------------------------------- real data


def test_real_annotations_of_product_pairs(data: Path) -> None:
    labels = data / "product" / "labels.csv.gz"
    said = summary(f"consensus {labels}")
    assert (said["labelled"], said["annotators"], said["classes"]) == (8315, 176, 2)
    assert summary(f"annotators {labels} --bootstrap 20")["agreement"][0]["n_items"] == 8315


def test_real_model_probabilities_of_cifar10h(data: Path) -> None:
    counts = np.load(data / "cifar10h" / "labels.npz")["counts"]
    example, label = np.nonzero(counts)
    repeats = counts[example, label]
    example, label = np.repeat(example, repeats), np.repeat(label, repeats)
    # Which annotator gave which label is not published: number the labels of an image.
    place = pd.Series(example).groupby(example).cumcount()
    frame = pd.DataFrame({"example": example, "annotator": place, "label": label})
    frame[place < 3].to_csv("cifar.csv", index=False)
    probs = data / "cifar10h" / "model_probs.npz"
    assert "holds 4 arrays: 'densenet_bc_L190_k40'" in error_of(f"suggest cifar.csv -p {probs}")
    said = summary(f"suggest cifar.csv -p {probs}:resnet_110 -p {probs}:low_acc -o batch.csv")
    assert (said["pool"], said["n_models"], said["relabel"], said["notes"]) == (10_000, 2, 100, [])
    assert len(pd.read_csv("batch.csv")) == 100


# ---------------------------------------------------------------------- pools in several files


@pytest.fixture
def large(folder: Path) -> Pool:
    """A pool in folders labels and probs-0, and the same in two files."""
    pool = Pool(0, n=200)
    pool.write(folder, 2, 3)
    pool.labels.to_parquet("all-labels.parquet", index=False)
    pool.probs[0].to_parquet("all-probs.parquet", index=False)
    return pool


@pytest.mark.parametrize(
    "command",
    [
        "suggest labels --pred-probs probs-0 -n 20",
        "suggest labels/*.parquet -p probs-0/*.parquet -n 20",
        "suggest labels/0.parquet labels/1.parquet -n 20 "
        "--pred-probs probs-0/0.parquet probs-0/1.parquet probs-0/2.parquet --workers 1",
        "suggest all-labels.parquet -p all-probs.parquet -n 20 --memory 1GB --workers 1",
        "suggest -p all-probs.parquet all-labels.parquet -n 20",
    ],
)
def test_a_pool_in_several_files_is_suggested_from_alike(large, command):
    expected = table("suggest all-labels.parquet -p all-probs.parquet -n 20")
    pd.testing.assert_frame_equal(table(f"{command} --seed 0"), expected)


def test_an_ensemble_of_folders(large):
    large.probs[0].to_parquet("second.parquet", index=False)
    found = summary("suggest labels -p probs-0 -p second.parquet -n 20 --workers 1")
    assert found["n_models"] == 2
    assert found["pool"] == 200
    assert found["dropped"] == 0
    how = "-n 20 -m recommended --skip-settled --assignment thompson --seed 0"
    expected = table(f"suggest all-labels.parquet -p all-probs.parquet {how}")
    pd.testing.assert_frame_equal(table(f"suggest labels -p probs-0 --workers 1 {how}"), expected)


def test_the_plan_of_a_large_pool(large):
    out = run("suggest labels -p probs-0 --explain").stdout
    assert "examples    200, 1 model(s)" in out
    assert "cut by a hash of the example" in out
    assert re.search(r"score +[\d.]+ kB +scores", out)
    plan = json.loads(run("suggest labels -p probs-0 --explain --json").stdout)
    assert plan["n_examples"] == 200
    assert plan["bytes_read"] == sum(size for _, size, _ in plan["passes"])


@pytest.mark.parametrize("method", ["auto", "crowdlab"])
def test_consensus_and_annotators_of_a_large_pool(large, method):
    one = f"all-labels.parquet -p all-probs.parquet -m {method} --seed 0"
    several = f"labels/*.parquet -p probs-0 -m {method} --workers 1 --seed 0"
    run(f"consensus {one} -o expected.parquet")
    said = summary(f"consensus {several} -o found.parquet")
    expected, found = (pd.read_parquet(f"{name}.parquet") for name in ("expected", "found"))
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert said["mean_quality"] == pytest.approx(expected["quality"].mean())
    assert (said["method"], said["partitions"]) == ({"auto": "bayesian"}.get(method, method), 1)
    pd.testing.assert_frame_equal(table(f"annotators {several}"), table(f"annotators {one}"))
    assert "agree beyond chance" in summary(f"annotators {several} -o a.csv")["notes"][-1]
    assert "decide" in run(f"consensus {several} --explain").stdout


def test_errors_of_large_pools(large):
    for command, message in (
        ("suggest labels -p probs-0 --batching diverse", "error: --batching and --prices are for pools that"),
        ("consensus labels -p probs-0", "error: the consensus of a pool in several files needs a file"),
        ("consensus labels -p probs-0 -o c.csv", "error: c.csv: a consensus of a pool beyond memory is"),
        (
            "consensus labels -p probs-0 -m glad -o c.parquet",
            "error: the consensus 'glad' cannot be",
        ),
        ("consensus labels -o c.parquet", "error: a pool in several files needs --pred-probs"),
        (
            "annotators labels -p probs-0 --kind ordinal --by-class",
            "error: --by-class goes with --kind multilabel.",
        ),
        ("suggest labels -p none/*.parquet", "error: none/*.parquet: matches no Parquet file."),
        ("suggest labels -p probs-0 --memory 1MB", "error: a memory budget of 1 MB is too small"),
        ("suggest labels -p probs-0 --examples x", "error: --examples is for arrays"),
        ("suggest labels -p probs-0 --address x:1", "error: an address needs an engine"),
        ("suggest labels -p probs-0 -o none/b.csv", "error: none/b.csv: the folder"),
    ):
        assert message in run(command, 2).stderr
    large.labels.assign(example=9999, annotator=77).iloc[:1].to_parquet("labels/x.parquet", index=False)
    assert "out with --unmatched drop" in run("suggest labels -p probs-0 --workers 1", 2).stderr
    assert summary("suggest labels -p probs-0 --workers 1 -n 20 --unmatched drop")["dropped"] == 1


def test_progress_of_a_large_pool_on_a_terminal(large):
    output = on_terminal(
        *["suggest", "labels", "-p", "probs-0", "-n", "20", "--workers", "1", "-o", "batch.csv"]
    )
    assert "rows/s" in output


def test_the_end_is_no_error():
    """A pool smaller than the batch, and one in which everything is settled."""
    assert len(table("suggest labels.csv -p probs.csv")) == 5
    found = summary("suggest labels.csv -p probs.csv -n 6")
    assert found["batch_size"] == 5
    assert found["notes"][0] == "5 examples in place of 6: the pool has no more."
    assert "settled" not in found
    rows = "".join(f"{i},{who},{'xy'[i % 2]}\n" for i in range(16) for who in range(4))
    split = "".join(f"16,{who},{'xy'[who % 2]}\n" for who in range(4))
    write("l.csv", f"example,annotator,label\n{rows}{split}17,0,x\n")
    of_x = [0.5 if i > 15 else 0.9 - 0.8 * (i % 2) for i in range(18)]
    write("p.csv", "example,x,y\n" + "".join(f"{i},{p:.1f},{1 - p:.1f}\n" for i, p in enumerate(of_x)))
    found = summary("suggest l.csv -p p.csv --skip-settled -m recommended")
    assert (found["batch_size"], found["settled"], found["ambiguous"]) == (1, 16, 1)
    why = "1 examples in place of 100: of the 18 in the pool 16 are settled and 1 are ambiguous."
    assert found["notes"][0] == why
    write("l.csv", f"example,annotator,label\n{rows}")
    write("p.csv", "\n".join(Path("p.csv").read_text().splitlines()[:17]) + "\n")
    assert run("suggest l.csv -p p.csv --skip-settled -m recommended").stdout.startswith("example,score,kind")
    found = summary("suggest l.csv -p p.csv --skip-settled -m recommended -o none.parquet")
    assert (found["batch_size"], found["settled"]) == (0, 16)
    assert pd.read_parquet("none.parquet").empty


RATINGS = "example,annotator,label\n" + "".join(
    f"{example},{who},{label}\n"
    for example, labels in {"a": "453", "b": "231", "c": "554", "d": "121", "e": "342"}.items()
    for who, label in zip(("ann", "bob", "cem"), labels, strict=True)
)


def test_ratings_on_the_command_line():
    write("ratings.csv", RATINGS)
    found = table("consensus ratings.csv --scale 1,2,3,4,5")
    assert list(found.columns)[-5:-1] == ["mean", "low", "high", "expected_loss"]
    labels = al.Labels.from_long(pd.read_csv("ratings.csv"), classes=[1, 2, 3, 4, 5])
    expected = al.ordinal_consensus(labels)
    assert found["consensus_label"].tolist() == [str(label) for label in expected.label_ids]
    assert found["mean"].astype(float).tolist() == pytest.approx(expected.mean)
    people = table("annotators ratings.csv --kind ordinal")
    assert people.set_index("annotator")["shift"].astype(float).idxmin() == "cem"
    told = summary("annotators ratings.csv --kind ordinal -o people.csv")
    assert told["method"] == "ordinal"
    assert told["agreement"][0]["name"] == "krippendorff_alpha_ordinal"
    write("probs.csv", "example,1,2,3,4,5\n" + "".join(f"{e},.2,.2,.2,.2,.2\n" for e in "abcdef"))
    batch = summary("suggest ratings.csv -p probs.csv --scale 1,2,3,4,5 -n 2 -o batch.csv")
    assert (batch["method"], batch["batch_size"]) == ("expected_loss", 2)
    quadratic = table("consensus ratings.csv --kind ordinal --loss quadratic")
    assert quadratic["expected_loss"].tolist() != found["expected_loss"].tolist()


def test_a_scale_that_nobody_mentions_is_offered():
    write("ratings.csv", RATINGS)
    (note,) = [note for note in summary("consensus ratings.csv -o out.csv")["notes"] if "scale" in note]
    assert "1 to 5" in note
    assert "--kind ordinal" in note
    assert not [
        n for n in summary("consensus ratings.csv --kind ordinal -o out.csv")["notes"] if "--kind" in n
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--kind ordnal", "Did you mean 'ordinal'"),
        ("--scale 1,2,3", "label 4 is not one of the 3 classes"),
        ("--scale 1,2,3,4,5 --kind single", "--scale goes with --kind ordinal"),
        ("--scale 1,2,3,4,5 --classes 1,2,3,4,5", "leave out --classes"),
        ("--kind ordinal --loss cubic", "unknown loss of ordinal answers 'cubic'"),
        ("--loss absolute", "unknown loss of single answers"),
        ("--kind ordinal --method majority_vote --loss absolute", "--loss goes with"),
    ],
)
def test_kinds_that_make_no_sense(options, message):
    write("ratings.csv", RATINGS)
    assert message in run(f"consensus ratings.csv {options}", 2).stderr


TOPICS = "example,annotator,label\nx,ann,a|b\nx,bob,a\ny,ann,|\ny,bob,b\nz,ann,a\nz,bob,a\nw,bob,\n"


def test_sets_on_the_command_line():
    write("topics.csv", TOPICS)
    sets = al.LabelSets.from_long(
        ["x", "x", "y", "y", "z", "z"], ["ann", "bob"] * 3, ["a|b", "a", "|", "b", "a", "a"]
    )
    expected = al.multilabel_consensus(sets)
    found = table("consensus topics.csv --kind multilabel")
    assert found["consensus_label"].tolist() == ["|".join(one) or "|" for one in expected.label_sets]
    assert found["quality"].astype(float).tolist() == pytest.approx(expected.example_quality)
    write("probs.csv", "example,a,b\nx,.9,.6\ny,.1,.2\nz,.8,.1\nv,.5,.4\n")
    told = summary("consensus topics.csv -p probs.csv --kind multilabel --loss f1 -o out.csv")
    assert (told["method"], told["labelled"], told["pool"]) == ("multilabel", 3, 4)
    assert pd.read_csv("out.csv")["predicted_label"].tolist() == ["a|b", "|", "a"]
    people = table("annotators topics.csv --kind multilabel --by-class")
    assert len(people) == 4
    told = summary("annotators topics.csv --kind multilabel --bootstrap 0 -o people.csv")
    assert told["agreement"][0]["name"] == "krippendorff_alpha_masi"
    assert told["agreement"][-1]["name"] == "gwet_ac1 of b"
    assert pd.read_csv("people.csv").columns[4:6].tolist() == ["sensitivity", "specificity"]


def test_questions_on_the_command_line():
    write("topics.csv", TOPICS)
    write("probs.csv", "example,a,b\nx,.9,.6\ny,.1,.2\nz,.8,.1\nv,.5,.4\n")
    single = table("suggest topics.csv -p probs.csv --kind multilabel -n 2")
    assert set(single["class"]) <= {"a", "b"}
    assert single["price"].tolist() == ["0.5", "0.5"]
    whole = table("suggest topics.csv -p probs.csv --kind multilabel -n 2 --class-price 2")
    assert set(whole["class"]) == {""}
    for name in ("topics", "probs"):
        pd.read_csv(f"{name}.csv").dropna().to_parquet(f"{name}.parquet", index=False)
    in_parts = "suggest topics.parquet -p probs.parquet --kind multilabel --workers 1"
    assert table(f"{in_parts} -n 2").to_dict() == single.to_dict()
    assert "worth of the questions" in run(f"{in_parts} --explain").stdout
    read = "topics.{0} -p probs.{0} --kind multilabel"
    parts, memory = read.format("parquet") + " --workers 1", read.format("csv")
    assert table(f"annotators {parts} --by-class").equals(table(f"annotators {memory} --by-class"))
    told = summary(f"consensus {parts} --loss f1 -o consensus.parquet")
    assert (told["method"], told["method_reason"]) == ("multilabel", "for answers of the kind multilabel")
    assert "decide" not in run(f"consensus {parts} --explain").stdout
    assert "leave out --method" in error_of(f"consensus {parts} -m crowdlab -o out.parquet")
    told = summary("suggest topics.csv --kind multilabel --ask examples -n 9 -o batch.csv")
    assert (told["whole_examples"], told["single_classes"]) == (3, 0)
    assert "only 3 questions are left to ask." in told["notes"]


def test_sets_that_nobody_mentions_are_offered():
    write("topics.csv", TOPICS.replace("y,ann,|", "y,ann,b"))
    told = summary("consensus topics.csv -o out.csv")
    assert told["method"] != "multilabel"
    assert [note for note in told["notes"] if "'a|b'" in note and "--kind multilabel" in note]


def test_labels_that_show_it_are_read_as_sets():
    write("topics.csv", TOPICS)
    sets = table("consensus topics.csv --kind multilabel")
    rows = pd.read_csv("topics.csv", keep_default_na=False).to_dict("records")
    for row in rows:
        row["label"] = [part for part in row["label"].split("|") if part] if row["label"] else None
    write("lines.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write("array.json", json.dumps(rows))
    pd.DataFrame(rows).to_parquet("table.parquet")
    for name in ("topics.csv", "lines.jsonl", "array.json", "table.parquet"):
        pd.testing.assert_frame_equal(table(f"consensus {name}"), sets)
        assert [note for note in summary(f"consensus {name} -o o.csv")["notes"] if "read as sets" in note]
    assert summary("suggest lines.jsonl -n 1 -o batch.csv")["method"] == "multilabel"
    assert summary("consensus topics.csv --kind single -o out.csv")["method"] != "multilabel"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("consensus topics.csv --kind multilabel --classes a,c", "label 'b' is not one of the 2 classes"),
        ("consensus topics.csv --kind multilabel --loss cubic", "unknown loss of multilabel answers"),
        ("consensus topics.csv --kind multilabel -m glad", "leave out --method"),
        ("consensus topics.csv --kind multilabel -p odd.csv", "odd.csv: example 'x' of pred_probs holds 1.5"),
        ("suggest topics.csv --kind multilabel --workers 2", "a pool in several files needs --pred-probs"),
        ("suggest topics.csv --kind multilabel --method entropy", "method entropy is not for answers that"),
        ("suggest topics.csv --kind multilabel --ask me", "unknown ask 'me'"),
        ("suggest topics.csv --kind multilabel --class-price 0", "class_price must be positive"),
        ("suggest topics.csv topics.csv --kind multilabel", "a pool in several files needs --pred-probs"),
        ("suggest topics.csv -p odd.csv --kind single --ask classes", "go with --kind multilabel"),
        ("annotators topics.csv --kind single --by-class", "--by-class goes with --kind multilabel"),
    ],
)
def test_sets_that_make_no_sense(command, message):
    write("topics.csv", TOPICS)
    write("odd.csv", "example,a,b\nx,1.5,.6\ny,.1,.2\nz,.8,.1\n")
    assert message in run(command, 2).stderr
