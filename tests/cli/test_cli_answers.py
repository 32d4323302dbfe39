"""``--abstain``, ``--confidence``, ``--soft``, ``--groups`` and ``--several``."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import activelab as al
from activelab.cli import app


@pytest.fixture(autouse=True)
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A working folder with answers.csv: 60 examples, four people, two languages."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = []
    for example in range(60):
        truth = rng.integers(3)
        for person in range(4):
            said = truth if rng.random() < 0.8 else rng.integers(3)
            word = "unsure" if rng.random() < 0.15 else str(said + 1)
            language = "en" if person < 2 else "de"
            rows.append((f"e{example}", f"w{person}", word, round(rng.random(), 2), language))
    table = pd.DataFrame(rows, columns=["task", "worker", "answer", "sure", "language"])
    table.to_csv("answers.csv", index=False)
    return table


def run(command: str, status: int = 0) -> Any:
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == status, (result.output, result.exception)
    return result


def table(command: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(run(command).stdout))


def notes(command: str) -> list[str]:
    found: list[str] = json.loads(run(f"{command} -o out.csv --json").stdout)["notes"]
    return found


def test_the_same_as_in_python(answers: pd.DataFrame) -> None:
    labels, abstentions = al.Labels.from_long(answers, label="answer").set_apart("unsure")
    frame = answers.rename(columns={"sure": "confidence"})
    expected = al.bayesian_consensus(labels, abstentions=abstentions, confidence=frame)
    found = table("consensus answers.csv --abstain unsure --confidence sure")
    assert found["quality"].tolist() == pytest.approx(expected.quality[labels.labelled].tolist())
    assert found["consensus_label"].astype(str).tolist() == expected.label_ids[labels.labelled].tolist()
    without = table("consensus answers.csv --missing unsure")
    assert without["quality"].tolist() != found["quality"].tolist()


def test_a_word_that_reads_like_no_answer_is_offered() -> None:
    (offer,) = [note for note in notes("consensus answers.csv") if "reads like no answer" in note]
    assert "--abstain 'unsure'" in offer
    assert not [note for note in notes("consensus answers.csv --abstain unsure") if "unsure" in note]
    assert "--abstain: no label is 'nope'." in notes("consensus answers.csv --abstain unsure,nope")


def test_numbers_beside_a_word_are_numbers_in_their_order() -> None:
    rows = "".join(
        f"{e},{who},{value}\n" for e in range(3) for who, value in (("a", 10), ("b", 9), ("c", "?"))
    )
    Path("n.csv").write_text(f"example,annotator,label\n{rows}")
    run("consensus n.csv --abstain ? --soft soft.csv -o out.csv")
    assert pd.read_csv("soft.csv").columns.tolist() == ["example", "9", "10"]
    run("consensus n.csv --abstain ? --scale 10,9,8 -o out.csv")
    assert pd.read_csv("out.csv")["mean"].between(8, 10).all()


@pytest.mark.parametrize(
    "command", ["annotators answers.csv", "suggest answers.csv -p probs.csv -m recommended"]
)
def test_other_commands_take_them(command: str) -> None:
    examples = [f"e{number}" for number in range(60)]
    probs = pd.DataFrame({"example": examples, "1": 0.4, "2": 0.3, "3": 0.3})
    probs.to_csv("probs.csv", index=False)
    one = table(f"{command} --abstain unsure --confidence sure")
    other = table(f"{command} --missing unsure")
    assert len(one) == len(other)
    assert not one.equals(other)


def test_methods_that_make_no_use_of_them_say_so() -> None:
    told = notes("consensus answers.csv --abstain unsure --confidence sure -m majority_vote")
    assert "method majority_vote makes no use of --abstain and --confidence; bayesian and ordinal do." in told
    assert not [
        note for note in notes("consensus answers.csv --abstain unsure -m bayesian") if "no use" in note
    ]


def test_soft_labels_by_a_column_or_a_table_of_groups() -> None:
    base = "consensus answers.csv --abstain unsure -o out.csv --soft"
    run(f"{base} plain.csv")
    plain = pd.read_csv("plain.csv")
    assert plain.columns.tolist() == ["example", "1", "2", "3"]
    assert plain[["1", "2", "3"]].sum(axis=1).tolist() == pytest.approx([1] * len(plain))
    run(f"{base} column.csv --groups language")
    people = [(f"w{number}", "en" if number < 2 else "de") for number in range(4)]
    pd.DataFrame(people, columns=["annotator", "group"]).to_csv("people.csv", index=False)
    run(f"{base} table.csv --groups people.csv")
    by_column = pd.read_csv("column.csv")
    assert by_column.equals(pd.read_csv("table.csv"))
    assert by_column["group"].value_counts(dropna=False).to_dict() == {
        np.nan: len(plain),
        "en": len(plain),
        "de": len(plain),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--confidence nope", "no column 'nope'"),
        ("--confidence answer", "column 'answer' is the label; it cannot be read as another, too"),
        ("--confidence language", "column 'language' holds 'en', which is no number"),
        ("--groups language", "--groups goes with --soft FILE"),
        ("--soft soft.csv --groups sure", "annotator 'w0' is in the groups"),
        ("--abstain 1,2,3,unsure", "every label stands for no answer"),
    ],
)
def test_options_that_make_no_sense(options: str, message: str) -> None:
    assert message in run(f"consensus answers.csv {options} -o out.csv", 2).stderr


def test_sets_on_the_command_line() -> None:
    def said(*chosen: str) -> dict[str, Any]:
        value = {"from_name": "q", "to_name": "t", "type": "choices", "value": {"choices": list(chosen)}}
        return {"completed_by": len(chosen), "result": [value]}

    tasks = [{"id": 1, "data": {}, "annotations": [said("b"), said("b", "a")]}]
    Path("export.json").write_text(json.dumps(tasks))
    run("convert export.json sets.csv --several")
    assert Path("sets.csv").read_text() == "task,worker,label\n1,1,b\n1,2,a|b\n"
    run("convert sets.csv back.jsonl --to argilla --several")
    record = json.loads(Path("back.jsonl").read_text())
    assert record["label.responses"] == [["b"], ["a", "b"]]
    run("convert export.json single.csv")
    assert Path("single.csv").read_text() == "task,worker,label\n1,1,b\n"


def test_sets_with_people_who_could_not_tell() -> None:
    rng = np.random.default_rng(0)
    words = np.array(["|", "a", "b", "a|b", "unsure"])
    said = words[rng.choice(5, 160, p=[0.3, 0.2, 0.2, 0.1, 0.2])]
    names = [(f"e{at // 4}", f"w{at % 4}") for at in range(160)]
    frame = pd.DataFrame([(*name, one) for name, one in zip(names, said, strict=True)])
    frame.columns = ["example", "annotator", "label"]
    frame.to_csv("sets.csv", index=False)
    labels, abstentions = al.Labels.from_long(frame).set_apart("unsure")
    sets = al.LabelSets.from_labels(labels)
    expected = al.multilabel_consensus(sets, abstentions=abstentions)
    found = table("consensus sets.csv --kind multilabel --abstain unsure")
    assert found["quality"].tolist() == pytest.approx(expected.example_quality[sets.labelled].tolist())
    batch = al.suggest_questions(sets, batch_size=5, abstentions=abstentions)
    asked = table("suggest sets.csv --kind multilabel --abstain unsure -n 5")
    assert asked["worth"].tolist() == pytest.approx(batch.worth.tolist())


def test_large_pools_refuse_them(answers: pd.DataFrame) -> None:
    answers.rename(columns={"task": "example", "worker": "annotator", "answer": "label"}).to_parquet(
        "a.parquet"
    )
    Path("p.parquet").write_bytes(b"")
    message = run("suggest a.parquet -p p.parquet --abstain unsure --memory 1GB", 2).stderr
    assert "--abstain and --confidence are for pools that fit the memory" in message


@pytest.mark.parametrize("command", ["consensus", "annotators"])
def test_a_folder_of_another_tool_is_no_pool_in_several_files(command: str) -> None:
    for person in ("ann", "bob"):
        folder = Path("output", person)
        folder.mkdir(parents=True)
        said = {"e1": [[{"schema": "tone", "name": "good"}, "true"]]}
        state = {"user_id": person, "instance_id_to_label_to_value": said}
        (folder / "user_state.json").write_text(json.dumps(state))
    assert len(table(f"{command} output")) == (1 if command == "consensus" else 2)
