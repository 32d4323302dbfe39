"""``activelab audit``, of files and of a project, as a lead and whoever checks type it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from activelab.cli import app
from activelab.project import open_project

CLASSES = np.array(["cat", "dog", "fox"])
N = 300


@pytest.fixture(autouse=True)
def truth(tmp_path, monkeypatch):
    """Labels of three people an example, who err one time in four, in a folder to work in; the truth."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACTIVELAB_PROJECT", raising=False)
    rng = np.random.default_rng(0)
    right = rng.integers(0, 3, N)
    rows = [
        (f"e{i}", f"w{j}", CLASSES[right[i] if rng.random() < 0.7 else rng.integers(0, 3)])
        for i in range(N)
        for j in rng.choice(8, 3, replace=False)
    ]
    pd.DataFrame(rows, columns=["example", "annotator", "label"]).to_csv("labels.csv", index=False)
    return pd.Series(CLASSES[right], index=[f"e{i}" for i in range(N)])


def run(command: str, status: int = 0) -> Any:
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == status, (result.output, result.exception)
    return result


def told(command: str) -> Any:
    return json.loads(run(f"{command} --json").stdout)


def error_of(command: str) -> str:
    result = run(command, 2)
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return str(result.stderr)


def fill_in(path: str, truth: pd.Series, at_most: int | None = None) -> pd.DataFrame:
    table = pd.read_csv(path, dtype=str)
    assert table.columns.tolist() == ["example", "label"]
    assert table["label"].isna().all()
    table["label"] = truth[table["example"]].to_numpy()
    table.loc[at_most:, "label"] = None if at_most is not None else table["label"]
    table.to_csv(path, index=False)
    return table


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_an_audit_of_files(truth, ending):
    said = run(f"audit draw labels.csv -n 150 -o to_check.csv --pool pool.{ending}").stdout
    assert said == (
        "Wrote 150 of 300 labels to to_check.csv: fill in the column label.\n"
        f"Then: activelab audit report pool.{ending} to_check.csv\n"
    )
    fill_in("to_check.csv", truth)
    found = told(f"audit report pool.{ending} to_check.csv --epsilon 0.2 --delta 0.1 --safe safe.csv")
    run("consensus labels.csv -o consensus.csv")
    consensus = pd.read_csv("consensus.csv").set_index("example")["consensus_label"]
    assert found["low"] <= (consensus == truth[consensus.index]).mean() <= found["high"]
    assert (found["n_checked"], found["drawn"], found["labels"], found["known"]) == (150, 150, 300, 0)
    assert found["wrong"] > 0
    for one in found["classes"]:
        assert one["low"] <= (truth == one["label"]).mean() <= one["high"]
    safe = pd.read_csv("safe.csv").set_index("example")
    assert len(safe) == found["safe"] > 100
    assert (safe["label"] != truth[safe.index]).mean() <= 0.2
    assert set(safe["source"]) == {"consensus", "adjudicated"}
    assert (safe["label"] == truth[safe.index])[safe["source"] == "adjudicated"].all()
    words = run(f"audit report pool.{ending} to_check.csv").stdout
    assert words.startswith(
        f"right    {found['share']:.1%} ({found['low']:.1%} to {found['high']:.1%}), 95% confidence"
    )


def test_the_list_says_nothing_of_the_consensus_and_any_beginning_counts(truth):
    run("audit draw labels.csv -n 60 -o to_check.csv --pool pool.csv")
    pool = pd.read_csv("pool.csv")
    drawn = pool[pool["position"].notna()]
    assert (1 / drawn["inclusion"]).sum() == pytest.approx(N)
    fill_in("to_check.csv", truth, 20)
    found = told("audit report pool.csv to_check.csv")
    assert (found["n_checked"], found["drawn"]) == (20, 60)
    assert found["high"] - found["low"] > 0.1


def test_known_answers_count_and_are_not_drawn(truth):
    truth.rename("label").rename_axis("example").iloc[:100].to_csv("gold.csv")
    run("audit draw labels.csv -n 50 --known gold.csv -o to_check.csv --pool pool.parquet")
    table = fill_in("to_check.csv", truth)
    assert not set(table["example"]) & set(truth.index[:100])
    found = told("audit report pool.parquet to_check.csv --safe safe.csv")
    assert (found["known"], found["labels"], found["checker"]) == (100, 300, None)
    safe = pd.read_csv("safe.csv").set_index("example")
    assert (safe["source"] == "gold").sum() == 100
    assert (safe["label"] == truth[safe.index])[safe["source"] == "gold"].all()


def test_how_often_who_checks_errs_is_learned_from_answers_mixed_in_and_from_two_checks(truth):
    truth.rename("label").rename_axis("example").iloc[:100].to_csv("gold.csv")
    run("audit draw labels.csv -n 50 --known gold.csv --mix-in 20 -o to_check.csv --pool pool.parquet")
    table = fill_in("to_check.csv", truth)
    mixed = table["example"].isin(truth.index[:100])
    assert len(table) == 70
    assert mixed.sum() == 20
    assert mixed[:35].sum() == pytest.approx(10, abs=1)  # among the others
    exact = told("audit report pool.parquet to_check.csv")
    assert exact["checker"] == {"right": 20, "wrong": 0}
    place = table.index[mixed][:4]
    table.loc[place, "label"] = [CLASSES[one != CLASSES][0] for one in table.loc[place, "label"]]
    twice = table[~mixed].iloc[:5]
    pd.concat([table, twice]).to_csv("to_check.csv", index=False)
    found = told("audit report pool.parquet to_check.csv")
    assert found["checker"] == {"right": 26, "wrong": 4}
    assert found["share"] > exact["share"]
    given = told("audit report pool.parquet to_check.csv --checker-answers 26,4")
    assert given == found
    known = told("audit report pool.parquet to_check.csv --checker-error 0")
    assert known["share"] < found["share"]


def test_integers_as_ids_and_classes():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"example": np.repeat(np.arange(40), 2), "annotator": np.tile(["a", "b"], 40)})
    frame["label"] = np.where(rng.random(80) < 0.8, frame["example"] % 2, 1 - frame["example"] % 2)
    frame.to_csv("numbers.csv", index=False)
    run("audit draw numbers.csv -n 10 -o to_check.csv --pool pool.parquet")
    table = pd.read_csv("to_check.csv")
    table["label"] = table["example"] % 2
    table.to_csv("to_check.csv", index=False)
    assert told("audit report pool.parquet to_check.csv")["n_checked"] == 10


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("draw labels.csv -o to_check.csv", "name two files"),
        ("draw labels.csv -o a.csv --pool a.csv", "a.csv"),
        ("draw labels.csv -o a.csv --pool b.csv --mix-in 3", "--known"),
        ("draw labels.csv -n 1 -o a.csv --pool b.csv", "--number"),
        ("draw labels.csv -o a.csv --pool b.csv --known strange.csv", "'wolf' is none of the classes"),
        ("report labels.csv to_check.csv", "has no column 'quality', 'stratum'"),
        ("report pool.csv other.csv", "'x' was not drawn"),
        ("report pool.csv empty.csv", "has been checked yet"),
        ("report pool.csv nowhere.csv", "nowhere.csv: no such file"),
        ("report pool.csv to_check.csv --checker-answers many", "RIGHT,WRONG"),
        ("report pool.csv to_check.csv --checker-answers 3,97", "as often as chance"),
        ("report pool.csv to_check.csv --checker-answers 3,1 --checker-error 0.1", "not both"),
        ("report pool.csv to_check.csv --epsilon 2", "--epsilon"),
        ("report broken.csv to_check.csv", "is not what audit draw wrote"),
        ("show nowhere.db", "no such project"),
        ("enter nowhere.db", "name the list"),
    ],
)
def test_bad_input_ends_in_one_line(truth, command, message):
    run("audit draw labels.csv -n 10 -o to_check.csv --pool pool.csv")
    fill_in("to_check.csv", truth)
    Path("strange.csv").write_text("example,label\ne0,wolf\n")
    Path("other.csv").write_text("example,label\nx,cat\n")
    Path("empty.csv").write_text("example,label\ne0,\n")
    broken = pd.read_csv("pool.csv", dtype=str)
    broken.loc[7, "quality"] = "high"
    broken.to_csv("broken.csv", index=False)
    assert message in error_of(f"audit {command}")


# ------------------------------------------------------------------ of a project


@pytest.fixture
def tickets(truth):
    pd.DataFrame({"id": truth.index, "text": truth.index}).to_csv("pool.csv", index=False)
    run("init tickets.db --classes cat,dog,fox")
    run("import tickets.db pool.csv --labels labels.csv")
    run("annotator add tickets.db lea --role adjudicator")
    return "tickets.db"


def test_an_audit_of_a_project(truth, tickets):
    assert "there is no audit yet" in error_of(f"audit show {tickets}")
    said = run(f"audit start {tickets} -n 60 --seed 1 -o to_check.csv").stdout
    assert said == "Audit 1 asks for 60 labels. Check them in to_check.csv, then: activelab audit enter.\n"
    assert "None of 60 labels is checked yet" in run(f"audit show {tickets}").stdout
    fill_in("to_check.csv", truth, 25)
    assert run(f"audit enter {tickets} to_check.csv --by lea").stdout == "Entered 25 checks.\n"
    table = pd.read_csv("to_check.csv")
    table["label"] = truth[table["example"]].to_numpy()
    table.to_csv("to_check.csv", index=False)
    assert told(f"audit enter {tickets} to_check.csv --by lea") == {"audit": 1, "entered": 35}
    found = told(f"audit show {tickets} --epsilon 0.25 --safe safe.csv")
    assert (found["drawn"], found["checked"], found["estimate"]["n_checked"]) == (60, 60, 60)
    assert found["safe"] == len(pd.read_csv("safe.csv"))
    said = run(f"audit show {tickets}").stdout
    assert "checked  60 of 60" in said
    assert f"right    {found['estimate']['share']:.1%}" in said
    run(f"export {tickets} --what checks -o checks.csv")
    checks = pd.read_csv("checks.csv")
    assert (checks["right"] == truth[checks["example"]].to_numpy()).all()
    assert set(checks["checked_by"]) == {"lea"}
    with open_project(tickets) as project:
        assert project.num_examples == N


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("enter tickets.db to_check.csv --by w1", "'w1' is no adjudicator"),
        ("enter tickets.db other.csv --by lea", "does not ask for 'x'"),
        ("enter tickets.db wolf.csv --by lea", "'wolf' is none of the classes"),
        ("enter tickets.db to_check.csv", "who has checked"),
        ("enter tickets.db to_check.csv --by lea --audit 4", "does not ask for"),
        ("show tickets.db --audit 4", "there is no audit 4"),
        ("start tickets.db -n 1", "--number"),
    ],
)
def test_bad_input_of_a_project_ends_in_one_line(truth, tickets, command, message):
    run(f"audit start {tickets} -n 5 -o to_check.csv --seed 0")
    table = fill_in("to_check.csv", truth)
    Path("other.csv").write_text("example,label\nx,cat\n")
    table.assign(label="wolf").to_csv("wolf.csv", index=False)
    assert message in error_of(f"audit {command}")
