"""The commands of a project, as somebody new to them types them; those that run on as processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sqlalchemy import text
from typer.testing import CliRunner

from activelab.cli import app
from activelab.project import open_project

TEXTS = ["Card was charged twice", "App crashes at login", "Love it", "Where is my refund", "Crashes again",
         "Best app ever", "Cannot log in", "Thank you", "Charged for nothing", "Very happy"]  # fmt: skip
CLASSES = ["bug", "bug", "praise", "bug", "bug", "praise", "bug", "praise", "bug", "praise"]


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Examples, labels of two people and right answers; and a project of them."""
    folder = tmp_path_factory.mktemp("tickets")
    ids = [f"t{i}" for i in range(10)]
    pd.DataFrame({"id": ids, "body": TEXTS}).to_csv(folder / "tickets.csv", index=False)
    rows = [(ids[i], who, CLASSES[i]) for i in range(7) for who in ("ann", "bob")]
    pd.DataFrame(rows, columns=["id", "annotator", "label"]).to_csv(folder / "labels.csv", index=False)
    (folder / "gold.csv").write_text("id,label\nt9,praise\n")
    names = [str(folder / name) for name in ("made.db", "tickets.csv", "labels.csv", "gold.csv")]
    run(f"init {names[0]} --classes bug,praise")
    run(f"import {names[0]} {names[1]} --labels {names[2]} --gold {names[3]}")
    return folder


@pytest.fixture(autouse=True)
def folder(files, tmp_path, monkeypatch):
    """A working folder with the tables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACTIVELAB_PROJECT", raising=False)
    for name in ("tickets.csv", "labels.csv", "gold.csv"):
        shutil.copy(files / name, name)
    return tmp_path


def run(command: str, status: int = 0) -> Any:
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == status, (result.output, result.exception)
    return result


def error_of(command: str, status: int = 2) -> str:
    """The one line on stderr; nothing else may be said there."""
    result = run(command, status)
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return str(result.stderr)


def told(command: str) -> Any:
    return json.loads(run(f"{command} --json").stdout)


@pytest.fixture
def tickets(files):
    """A project with examples, labels and gold."""
    return shutil.copy(files / "made.db", "tickets.db")


# ------------------------------------------------------------------ the way of a newcomer


def test_from_nothing_to_a_consensus():
    said = run("init tickets.db --classes bug,praise --title Support --budget 50 --set cv=2").stdout
    assert said == "Made tickets.db. Next: activelab import tickets.db EXAMPLES\n"
    assert run("import tickets.db tickets.csv").stdout == "Imported 10 examples.\n"
    said = run("import tickets.db --labels labels.csv --gold gold.csv").stdout
    assert said == "Imported 14 labels, 1 gold answers.\n"
    assert run("train tickets.db").stdout == "Round 1 is served: 14 labels.\n"
    said = run("status tickets.db").stdout
    assert "14 by 2 annotators; 0 collected here, 50 left of 50" in said
    assert "1 (trained), 0 new labels, the next after 100" in said
    assert run("export tickets.db --what consensus").stdout == "Wrote 8 rows to consensus.csv.\n"
    wrote = run("export tickets.db --to prodigy").stdout
    assert wrote.endswith("(prodigy).\n")
    assert json.loads(Path(wrote.split()[4]).read_text().splitlines()[0])["accept"]
    consensus = pd.read_csv("consensus.csv")
    # The last one nobody labelled: its answer is known.
    assert consensus["consensus_label"].tolist() == [*CLASSES[:7], "praise"]
    assert consensus["source"].tolist()[-1] == "gold"
    assert run("report tickets.db").stdout == "Wrote report.html.\n"
    assert "Support" in Path("report.html").read_text()
    assert "well" in run("doctor tickets.db").stdout
    assert run("backup tickets.db copy.db").stdout.startswith("Wrote copy.db (")
    assert told("status copy.db") == told("status tickets.db")
    restored = run("restore copy.db again.db")
    assert restored.stdout.startswith("Restored 10 examples, ")
    assert "everybody has to log in again" in restored.stderr
    assert told("status again.db") == told("status tickets.db")


def test_the_project_may_be_named_by_the_environment(monkeypatch, tickets):
    monkeypatch.setenv("ACTIVELAB_PROJECT", tickets)
    Path("more.csv").write_text("id,text\nx,one\n")
    assert run("import more.csv").stdout == "Imported 1 examples.\n"
    assert told("settings budget=9")["budget"] == 9
    assert told("status")["examples"] == 11
    assert run("annotator add lea").stdout.startswith("lea chooses a password")
    assert run("backup copy.db").stdout.startswith("Wrote copy.db")
    assert run("init other.db").stdout.startswith("Made other.db")
    assert told("status other.db")["examples"] == 0


def test_rows_of_a_table():
    run("init rows.db --kind table --classes a,b")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": range(40), "size": rng.normal(size=40), "colour": rng.choice(["red", "blue"], 40)}
    )
    frame.loc[3, "size"] = None
    frame.to_parquet("rows.parquet")
    frame["label"] = np.where(frame["colour"] == "red", "a", "b")
    frame["annotator"] = "ann"
    frame.iloc[:20].to_csv("labels.csv", index=False)
    run("import rows.db rows.parquet --labels labels.csv")
    run("train rows.db")
    run("export rows.db --what batch -o batch.csv")
    batch = pd.read_csv("batch.csv").query("kind == 'new'")
    expected = np.where(frame.set_index("id")["colour"][batch["example"]] == "red", "a", "b")
    assert (batch["predicted_label"] == expected).mean() > 0.9


def test_images_and_embeddings():
    Path("photos").mkdir()
    for i in range(4):
        Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(f"photos/{i}.png")
    Path("photos.csv").write_text("id,file\n" + "".join(f"p{i},{i}.png\n" for i in range(4)))
    np.save("embeddings.npy", np.eye(4))
    run("init photos.db --kind image --classes x,y --images-root photos")
    run("import photos.db photos.csv --features embeddings.npy")
    with open_project("photos.db") as project:
        np.testing.assert_array_equal(project.features(), np.eye(4))
        assert project.settings.image_root == str(Path("photos").resolve())


def test_predictions_of_ones_own_model(tickets):
    probs = pd.DataFrame({"id": [f"t{i}" for i in range(9, -1, -1)]})
    probs["bug"] = [0.9 if CLASSES[int(one[1:])] == "bug" else 0.2 for one in probs["id"]]
    probs["praise"] = 1 - probs["bug"]
    probs.to_csv("probs.csv", index=False)
    done = told(f"train {tickets} --pred-probs probs.csv")
    assert (done["round"], done["models"]) == (1, ["predictions 1"])
    assert done["metrics"]["cv_accuracy"] == 1
    np.save("probs.npy", probs[["bug", "praise"]].to_numpy()[::-1])
    again = told(f"train {tickets} -p probs.csv -p probs.npy")
    assert again["models"] == ["predictions 1", "predictions 2"]
    assert again["metrics"]["cv_accuracy"] == 1
    named = probs.rename(columns={"id": "ticket"})
    named.to_csv("named.csv", index=False)
    assert "--example-column" in error_of(f"train {tickets} -p named.csv")
    assert told(f"train {tickets} -p named.csv --example-column ticket")["round"] == 3


def test_a_class_may_be_called_like_a_column_of_ids():
    run("init q.db --classes question,answer")
    run("import q.db tickets.csv")
    probs = pd.DataFrame({"id": [f"t{i}" for i in range(10)], "question": 0.5, "answer": 0.5})
    probs.to_csv("probs.csv", index=False)
    assert told("train q.db -p probs.csv")["round"] == 1


def test_bad_rows_are_left_out_and_listed(tickets):
    Path("more.csv").write_text("id,text\nn1,new\nt1,again\nn2,\n")
    assert "2 rows are bad, nothing was imported" in error_of(f"import {tickets} more.csv")
    assert told(f"status {tickets}")["examples"] == 10
    done = run(f"import {tickets} more.csv --rejected bad.csv")
    assert done.stdout == "Imported 1 examples. Left out 2 bad rows, listed in bad.csv.\n"
    bad = pd.read_csv("bad.csv")
    assert bad["line"].tolist() == [3, 4]
    assert bad["file"].unique().tolist() == ["more.csv"]
    assert bad["reason"][0] == "example 't1' is in the project already"
    counts = told(f"import {tickets} more.csv --rejected bad.csv")
    nothing = dict.fromkeys(("examples", "labels", "abstentions", "gold", "skipped"), 0)
    assert counts == nothing | {"rejected": 3, "notes": []}


def test_settings(tickets):
    run(f"settings {tickets} budget=8000 gold-rate=0.05 automatic=no max_labels=5")
    now = told(f"settings {tickets}")
    assert (now["budget"], now["gold_rate"], now["automatic"], now["max_labels"]) == (8000, 0.05, False, 5)
    Path("guide.txt").write_text("Read\ntwice.", encoding="utf-8")
    run(
        f"settings {tickets} budget=none guidelines=@guide.txt classes=bug,praise,spam models=knn,extra-trees"
    )
    now = told(f"settings {tickets}")
    assert (now["budget"], now["guidelines"]) == (None, "Read\ntwice.")
    assert (now["classes"], now["models"]) == (["bug", "praise", "spam"], ["knn", "extra-trees"])
    assert "models = knn,extra-trees" in run(f"settings {tickets}").stdout.splitlines()


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("label-studio status x.db", "label-studio"),
        ("label-studio connect x.db --url http://127.0.0.1:1 --project 1", "label-studio"),
        ("settings x.db budget=5", "web"),
        ("settings --explain", "web"),
        ("init x.db --set cv=3", "web"),
        ("status x.db", "web"),
    ],
)
def test_packages_that_are_missing_are_named_by_their_extra(monkeypatch, files, command, extra):
    monkeypatch.setitem(sys.modules, "activelab.project", None)  # as where SQLAlchemy is not installed
    assert f"pip install 'activelab[{extra}]'" in error_of(command, status=1)


def test_people(tickets):
    link = told(f"annotator add {tickets} lea --role adjudicator --url https://label.example.org/")["link"]
    assert re.fullmatch(r"https://label\.example\.org/join#[\w-]{40,}/lea", link)
    assert told(f"annotator add {tickets} lea --role adjudicator")["link"] != link  # the first was lost
    assert "/join#" in run(f"annotator add {tickets} ann").stdout  # known from labels alone
    assert "/join#" in run(f"annotator invite {tickets}").stdout
    people = {one["name"]: one for one in told(f"annotator list {tickets}")}
    assert set(people) == {"ann", "bob", "lea"}
    assert people["lea"] == {"name": "lea", "role": "adjudicator", "state": "no password", "labels": 0}
    assert run(f"annotator disable {tickets} bob").stdout == "bob is disabled.\n"
    assert "bob  annotator    disabled" in run(f"annotator list {tickets}").stdout
    assert told(f"annotator enable {tickets} bob") == {"name": "bob", "state": "enabled"}
    assert "Add, invite, list, disable and remove" in run("annotator").stdout
    with open_project(tickets) as project:
        log = project.database.read(lambda c: c.execute(text("SELECT action FROM audit")).scalars().all())
    assert log[-6:] == ["annotator added"] * 2 + [
        "annotator added",
        "invited",
        "annotator disabled",
        "annotator enabled",
    ]


def test_people_are_invited_from_a_list_exported_and_removed(tickets):
    Path("people.csv").write_text("name,role,e-mail\nlea,adjudicator,lea@example.org\nmax,,\n")
    assert "2 people" in run(f"annotator invite {tickets} --file people.csv -o links.csv").stdout
    links = pd.read_csv("links.csv")
    assert links.columns.tolist() == ["name", "role", "e-mail", "link"]
    assert links["link"].str.endswith(("/lea", "/max")).all()
    Path("people.csv").write_text("ann\nbob,boss\n")
    assert "line 2: 'boss' is no role" in error_of(f"annotator invite {tickets} --file people.csv")
    run(f"annotator export ann {tickets} -o ann.json")
    answers = json.loads(Path("ann.json").read_text())["answers"]
    assert answers
    assert answers[0]["example"].startswith("t")
    assert "Did you mean 'ann'" in error_of(f"annotator remove anm {tickets} --yes")
    done = told(f"annotator remove ann {tickets} --yes --answers")
    assert done["answers"] == len(answers)
    states = {one["name"]: one["state"] for one in told(f"annotator list {tickets}")}
    assert (states[done["name"]], "ann" in states) == ("removed", False)
    assert told(f"doctor {tickets}")["repaired"] == {}


def test_the_doctor(tickets):
    assert told(f"doctor {tickets}")["repaired"] == {}
    with open_project(tickets) as project:
        project.database.write(lambda c: c.execute(text("UPDATE example SET num_labels = 9 WHERE id = 1")))
    assert "--repair derives it again" in error_of(f"doctor {tickets}", 1)
    done = told(f"doctor {tickets} --repair")
    assert list(done["repaired"]) == ["labels of examples"]
    assert all(one["problem"] is None for one in done["checks"])
    with open_project(tickets) as project:
        project.database.write(lambda c: c.execute(text("DELETE FROM round_array")))
    assert "cannot be derived again; nothing was changed" in error_of(f"doctor {tickets} --repair", 1)


def test_everything_that_answers_in_json_does(tickets):
    assert told("init other.db --classes a,b")["classes"] == ["a", "b"]
    assert told(f"train {tickets}")["round"] == 1
    assert told(f"export {tickets} --what events -o e.jsonl") == {
        "rows": 14,
        "output": "e.jsonl",
        "notes": [],
    }
    assert told(f"report {tickets} -o r.html") == {"output": "r.html"}
    assert told(f"backup {tickets} copy.db") == {"output": "copy.db", "bytes": Path("copy.db").stat().st_size}


def test_classes_by_command(tickets):
    would = told(f"classes rename {tickets} bug defect --preview")
    assert (would["effect"], would["after"]) == ("10 answers follow", ["defect", "praise"])
    assert told(f"classes list {tickets}")["changes"] == []
    done = told(f"classes rename {tickets} bug defect --why clearer")
    assert (done["became"], done["why"], done["effect"]) == ({"bug": ["defect"]}, "clearer", would["effect"])
    told(f"classes split {tickets} praise --into thanks --into irony")
    told(f"classes merge {tickets} irony --into thanks")
    there = told(f"classes list {tickets}")
    assert [(one["name"], one["answers"]) for one in there["classes"]] == [("defect", 10), ("thanks", 0)]
    assert [one["action"] for one in there["changes"]] == ["merge", "split", "rename"]
    run(f"doctor {tickets}")
    assert "'praise' was split into 'thanks', 'irony'" in error_of(f"import {tickets} --labels labels.csv")
    assert "only one would be left" in error_of(f"classes retire {tickets} thanks")


def test_a_project_is_made_of_a_file():
    Path("mails.csv").write_text(
        "case,body,category\nC-1,It is broken,bug\nC-2,Well done,praise\nC-3,Oh no,bug\n"
    )
    done = run("init mails.db --from mails.csv")
    assert done.stdout.splitlines() == [
        "kind: text",
        "text: column 'body'",
        "ids: column 'case'",
        "labels: column 'category', given by one annotator, 'imported'",
        "classes: bug, praise",
        "Made mails.db. Imported 3 examples, 3 labels.",
        "Next: activelab serve mails.db",
    ]
    assert "the ids are taken from column 'case'" in done.stderr
    Path("more.txt").write_text("Fine\n\nIt is broken\n")
    assert told("import mails.db more.txt")["examples"] == 2
    assert "Pass over them with --skip-known" in error_of("import mails.db more.txt")
    scale = "id,text,label\n1,a b,10\n2,c d,9\n3,e f,10\n"
    Path("scale.csv").write_text(scale)
    assert told("init s.db --question ordinal --from scale.csv")["classes"] == ["9", "10"]
    Path("scale.csv").write_text(scale.replace("9", "low"))
    assert "have an order; name them from the lowest" in error_of(
        "init t.db --question ordinal --from scale.csv"
    )
    Path("sets.csv").write_text("id,text,label\n1,a b,x|y\n2,c d,y\n3,e f,|\n")
    assert told("init m.db --question multilabel --from sets.csv")["labels"] == 3
    again = run("import mails.db mails.csv --labels mails.csv --skip-known")
    assert again.stdout == "Nothing new. Passed over 3 examples that are in the project already.\n"


def test_a_project_of_a_bad_file_is_not_made(place):
    Path("bad.csv").write_text("id,text\n1,one\n2,\n3,three\n")
    message = error_of(f"init {place} --from bad.csv")
    assert "bad.csv, line 3: column 'text' holds no text" in message
    done = run(f"init {place} --from bad.csv --rejected left.csv").stdout
    assert "Imported 2 examples. Left out 1 bad rows, listed in left.csv." in done
    assert "It has no classes yet: activelab settings" in done
    assert re.search("exists already|is not empty", error_of(f"init {place} --from tickets.csv"))
    assert told(f"status {place}")["examples"] == 2


def test_an_archive_is_unpacked_beside_the_project():
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for i in range(2):
            Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(f"{i}.png")
            archive.write(f"{i}.png", f"day/{i}.png")
    assert "Imported 2 examples." in run("init photos.db --from photos.zip --classes x,y").stdout
    with open_project("photos.db") as project:
        assert project.settings.image_root == str(Path("photos.files").resolve())
        assert project.example_names() == ["day/0.png", "day/1.png"]
    assert told("import photos.db photos.zip --skip-known")["skipped"] == 2


# ------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("status", "name the project: its file or its postgresql:// address, or set ACTIVELAB_PROJECT"),
        ("status missing.db", "there is no such project. Make one with: activelab init missing.db"),
        ("status mysql://host/name", "a project lives in a file (SQLite) or at postgresql://"),
        ("init tickets.db", "exists already"),
        ("init new.db --kind txt", "Did you mean 'text'"),
        ("init new.db --kid text", "No such option: --kid"),
        ("init new.db --classes a,a", "'a' is listed twice"),
        ("init new.db --classes a,,b", "a class is empty"),
        ("init new.db --set budgt=3", "Did you mean 'budget'"),
        ("init new.db --set budget", "should be NAME=VALUE"),
        ("init new.db --method activlab", "Did you mean 'activelab'"),
        ("init new.db --guidelines missing.txt", "missing.txt: no such file"),
        ("init new.db --images-root missing", "missing is not a folder"),
        ("init new.db --budget many", "--budget"),
        ("init new.db --from missing.csv", "missing.csv: no such file"),
        ("init new.db --rejected bad.csv", "--rejected goes with --from"),
        ("import tickets.db", "name a file: EXAMPLES, --labels FILE or --gold FILE"),
        ("import tickets.db missing.csv", "missing.csv: no such file"),
        ("import tickets.db tickets.csv tickets.csv", "one file of examples at a time"),
        ("import tickets.db tickets.csv --text boddy", "no column 'boddy'; the file has: 'id', 'body'"),
        ("import tickets.db tickets.csv --features missing.npy", "missing.npy"),
        ("import tickets.db --features f.npy", "name a file"),
        ("import tickets.db tickets.csv --rejected bad.doc", "unknown file ending"),
        ("import tickets.db tickets.csv --rejected tickets.csv", "is also an input"),
        ("train tickets.db -p missing.npy", "missing.npy: no such file"),
        ("train tickets.db -p labels.csv", "labels.csv"),
        ("export tickets.db --what lables", "Did you mean 'labels'"),
        ("export tickets.db -o labels.xls", "unknown file ending"),
        ("export tickets.db --to docano", "Did you mean 'doccano'"),
        ("export tickets.db --to doccano --what batch", "--to goes with --what labels"),
        ("export tickets.db --to prodigy -o labels.csv", "a file of format prodigy ends in .jsonl"),
        ("export tickets.db -o no/labels.csv", "does not exist; create it first"),
        ("report tickets.db -o no/report.html", "does not exist; create it first"),
        ("settings tickets.db budgt=5", "Did you mean 'budget'"),
        ("settings tickets.db budget=some", "budget should be a whole number or none, got 'some'"),
        ("settings tickets.db automatic=perhaps", "automatic should be yes or no, got 'perhaps'"),
        ("settings tickets.db gold_rate=2", "gold_rate must lie between 0 and 1"),
        (
            "settings tickets.db classes=praise,bug",
            "can be added at the end, not removed or moved here; to rename",
        ),
        ("settings tickets.db kind=image", "the kind of a project cannot be changed"),
        (
            "settings tickets.db models=knn,random-forest",
            "unknown model (and no import path module:attribute) 'random-forest'",
        ),
        ("classes rename tickets.db bug", "name the class and its new name"),
        ("classes retire tickets.db bgu --as praise", "Did you mean 'bug'"),
        ("annotator add tickets.db", "name one person"),
        ("annotator add tickets.db x --role boss", "unknown role 'boss'"),
        ("annotator add tickets.db x --days 0", "--days"),
        ("annotator disable tickets.db annn", "Did you mean 'ann'"),
        ("annotator lst tickets.db", "Did you mean 'list'"),
        ("backup tickets.db", "name the copy"),
        ("backup tickets.db tickets.csv", "tickets.csv exists already"),
        ("restore tickets.db tickets.db", "move it away first"),
        ("restore tickets.csv new.db", "is no backup of a project"),
        ("serve tickets.db --backup-folder no", "is no folder"),
        ("serve tickets.db --log-format xml", "there are text, json"),
        ("serve tickets.db --metrics-token short", "needs 16 characters"),
        ("serve tickets.db --host 0.0.0.0", "Say --allow-remote if that is meant"),
        ("serve tickets.db --port 99999", "a port lies between 0 and 65535"),
        ("sttus tickets.db", "Did you mean 'status'"),
    ],
)
def test_bad_input_is_one_clear_line(tickets, command, message):
    assert message in error_of(command)
    assert not Path("new.db").exists()
    assert told("status tickets.db")["examples"] == 10


def test_too_few_labels_to_train():
    run("init tickets.db --classes bug,praise")
    run("import tickets.db tickets.csv")
    assert "at least 5 labelled examples; there are 0" in error_of("train tickets.db")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("status notes.db", "the file is damaged or not a project"),
        ("status postgresql://nobody@127.0.0.1:1/none", "the PostgreSQL server cannot be reached"),
        ("init no/such/tickets.db", "No such file or directory"),
        ("backup tickets.db /proc/copy.db", "the copy cannot be written"),
    ],
)
def test_failures_are_one_clear_line(tickets, command, message):
    Path("notes.db").write_text("these are my notes, and nothing else; there are quite a few of them" * 20)
    assert message in error_of(command, 1)


def test_a_password_is_not_repeated():
    said = error_of("status postgresql://lead:secret@127.0.0.1:1/none", 1)
    assert "secret" not in said


def test_in_postgresql(postgresql):
    run(f"init {postgresql} --classes bug,praise")
    run(f"import {postgresql} tickets.csv --labels labels.csv --gold gold.csv")
    assert told(f"train {postgresql}")["round"] == 1
    assert told(f"status {postgresql}")["labels"] == 14
    assert told(f"export {postgresql} --what labels -o l.csv")["rows"] == 14
    assert all(one["problem"] is None for one in told(f"doctor {postgresql}")["checks"])
    assert "is not empty" in error_of(f"init {postgresql}")
    assert told(f"backup {postgresql} copy.dump")["bytes"] > 1000


# ------------------------------------------------------------------ processes


class Server:
    """``activelab`` with a command that serves, until it is told to stop."""

    def __init__(self, *arguments: str) -> None:
        # In a session of its own, so that Ctrl-C meets it alone.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "activelab", *arguments], env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.said = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Read on until a line has come that matches."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{self.said}{self.process.communicate()[1]}")

    def stop(self) -> tuple[int, str]:
        """Ctrl-C: the status it ends with, and what it said to stderr."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(), self.process.communicate()[1]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextmanager
def join(url: str, secret: str, name: str) -> Iterator[httpx.Client]:
    """Somebody who has made an account by an invitation and is logged in."""
    with httpx.Client(base_url=url, timeout=60, headers={"Origin": url}) as client:
        body = {"secret": secret, "name": name, "password": "correct horse battery"}
        done = client.post("/api/v1/join", json=body)
        assert done.status_code < 300, done.text
        client.headers["X-CSRF-Token"] = done.json()["csrf"]
        yield client


def test_serve_label_and_stop(tickets):
    with Server("serve", tickets, "--port", "0") as server:
        url = server.until(r"(http://127\.0\.0\.1:\d+)/ ")[1]
        secret = server.until(r"/join#(\S+)")[1]
        with join(url, secret, "lea") as lea:
            item = lea.post("/api/v1/leases", json={"count": 1}).json()["items"][0]
            path = f"/api/v1/leases/{item['lease']}/answer"
            done = lea.post(path, json={"kind": "label", "label": "bug", "request": "request-1"})
            assert done.status_code == 200, done.text
        assert server.stop() == (0, "")
    assert told(f"status {tickets}")["spent"] == 1
    with Server("serve", tickets, "--port", "0", "--no-train") as server:
        url = server.until(r"(http://127\.0\.0\.1:\d+)/ ")[1]
        assert httpx.get(f"{url}/login", timeout=60).status_code == 200  # from now on it knows Ctrl-C
        assert server.stop() == (0, "")
        assert "join#" not in server.said  # there is an admin


@pytest.mark.slow
def test_the_demo_is_served_with_its_rounds(folder):
    with Server("demo", "--folder", "demo", "--serve", "--port", "0") as server:
        url = server.until(r"(http://127\.0\.0\.1:\d+)/ ")[1]
        assert "demo --folder demo --serve" in server.said
        secret = server.until(r"/join#(\S+)")[1]
        with join(url, secret, "lea") as lea:
            curve = lea.get("/api/v1/learning-curve").json()
            assert [row["num_labels"] for row in curve] == list(range(250, 1051, 100))
            assert curve[-1]["expected_accuracy"] > curve[0]["expected_accuracy"]
            assert all(0.5 < row["cv_accuracy"] < 1 for row in curve)
            people = lea.get("/api/v1/annotator-quality").json()
            assert sum(one["accuracy"] is not None for one in people) == 20
            # The console knows the truth, the project does not.
            last = next(
                line for line in server.said.splitlines() if line.lstrip().startswith("1,050")
            ).split()
            headline = lea.get("/api/v1/headline").json()
            assert headline["basis"] == "expected"
            assert headline["low"] <= float(last[2].strip("%")) / 100 <= headline["high"]
            assert headline["sentence"] in server.said
            assert headline["share"] == pytest.approx(curve[-1]["expected_accuracy"], abs=1e-5)
            item = lea.post("/api/v1/leases", json={"count": 1}).json()["items"][0]
            image = lea.get(item["content"]["image"])
            assert image.headers["content-type"] == "image/png"
        assert server.stop() == (0, "")
    assert told("status demo/digits.db")["labels"] == 1050
    run("settings demo/digits.db title=Mine")
    with Server("demo", "--folder", "demo", "--serve", "--port", "0") as server:
        url = server.until(r"Mine: (http://127\.0\.0\.1:\d+)/ ")[1]
        assert httpx.get(f"{url}/login", timeout=60).status_code == 200
        assert "Serving the project of an earlier demo" in server.said
        assert server.stop() == (0, "")


def test_the_demo_does_not_serve_what_is_no_project(folder):
    Path("demo").mkdir()
    Path("demo/digits.db").write_text("something else" * 100)
    done = run("demo --folder demo --serve", 1)
    assert "damaged or not a project" in done.stderr
