"""Answers with several labels, and ratings, in files of other tools."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activelab import InputError
from activelab.formats import FORMATS, convert_file, read_label_table, read_records

Votes = set[tuple[str, str, str]]


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str, Any], Path]:
    def save(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return save


def sets_of(path: Path, **options: Any) -> Votes:
    return votes_of(path, several=True, **options)


def votes_of(path: Path, **options: Any) -> Votes:
    records = list(read_records(path, **options))
    assert not [one.problem for one in records if one.problem]
    return {one[1:4] for one in records if one.annotator and not one.left_out}


def task(*results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    annotations = [{"completed_by": who, "result": result} for who, result in enumerate(results, start=1)]
    return [{"id": 7, "data": {"text": "t"}, "annotations": annotations}]


def region(kind: str, value: Any, name: str = "q") -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": kind, "value": {kind: value}}


def test_choices_of_label_studio(saved: Callable[[str, Any], Path]) -> None:
    path = saved("a.json", task([region("choices", ["b", "a"])], [region("choices", ["a"])], []))
    assert sets_of(path) == {("7", "1", "a|b"), ("7", "2", "a"), ("7", "3", "|")}
    assert votes_of(path) == {("7", "2", "a")}
    reasons = {one.left_out for one in read_records(path) if one.left_out}
    assert reasons == {
        "several labels; only one an example can be used, unless they are read as sets",
        "no label was chosen",
    }


def test_paths_of_a_taxonomy(saved: Callable[[str, Any], Path]) -> None:
    path = saved("a.json", task([region("taxonomy", [["Animal", "Cat"], ["Plant"]])]))
    assert sets_of(path) == {("7", "1", "Animal/Cat|Plant")}


def test_an_answer_to_another_question_is_no_empty_set(saved: Callable[[str, Any], Path]) -> None:
    path = saved("a.json", task([region("textarea", ["hm"], "note")], [region("choices", ["a"])]))
    assert sets_of(path) == {("7", "2", "a")}


def test_ratings_of_label_studio(saved: Callable[[str, Any], Path]) -> None:
    path = saved("a.json", task([region("rating", 4)], [region("rating", 2)]))
    table, notes = read_label_table(path)
    assert table["label"].to_pylist() == [4, 2]
    assert [note for note in notes if "points of a scale" in note]
    _, notes = read_label_table(saved("b.json", task([region("choices", ["a"])])))
    assert not [note for note in notes if "points of a scale" in note]


def test_ratings_and_paths_are_written_as_label_studio_has_them(
    saved: Callable[[str, Any], Path], tmp_path: Path
) -> None:
    stars = saved("stars.csv", "task,worker,label\n1,ann,4\n1,bob,2\n")
    convert_file(stars, tmp_path / "stars.json", "label-studio", tag="rating")
    (written,) = json.loads((tmp_path / "stars.json").read_text())
    assert [one["result"][0]["value"] for one in written["annotations"]] == [{"rating": 4}, {"rating": 2}]
    assert votes_of(tmp_path / "stars.json") == votes_of(stars)
    paths = saved("paths.csv", "task,worker,label\n1,ann,Animal/Cat|Plant\n1,bob,|\n")
    convert_file(paths, tmp_path / "paths.json", "label-studio", tag="taxonomy", several=True)
    assert sets_of(tmp_path / "paths.json") == sets_of(paths)
    one = saved("one.csv", "task,worker,label\n1,ann,Animal/Cat\n")
    with pytest.raises(InputError, match="'Animal/Cat' is no rating"):
        convert_file(one, tmp_path / "no.json", "label-studio", tag="rating")
    with pytest.raises(InputError, match="format label-studio, not wide"):
        convert_file(stars, tmp_path / "no.csv", "wide", tag="rating")


def test_flat_files_of_label_studio(saved: Callable[[str, Any], Path]) -> None:
    base = {"annotator": 3, "annotation_id": 1, "lead_time": 1.0}
    entries = [{"id": 1, "label": {"choices": ["b", "a"]}, **base}, {"id": 2, "label": "a", **base}]
    assert sets_of(saved("min.json", entries)) == {("1", "3", "a|b"), ("2", "3", "a")}
    text = 'annotation_id,annotator,id,label\n1,3,1,"{""choices"": [""b"", ""a""]}"\n2,3,2,a\n'
    assert sets_of(saved("export.csv", text)) == {("1", "3", "a|b"), ("2", "3", "a")}


def argilla(*values: Any) -> str:
    users = [f"u{number}" for number in range(len(values))]
    record = {"id": "a", "text": "t", "q.responses": list(values), "q.responses.users": users}
    return json.dumps(record | {"q.responses.status": ["submitted"] * len(values)}) + "\n"


def test_multi_label_and_rating_questions_of_argilla(saved: Callable[[str, Any], Path]) -> None:
    path = saved("a.jsonl", argilla(["b", "a"], ["a"]))
    assert sets_of(path) == {("a", "u0", "a|b"), ("a", "u1", "a")}
    notes: list[str] = []
    rated = {one.label for one in read_records(saved("b.jsonl", argilla(4, 2)), notes=notes)}
    assert rated == {"4", "2"}
    assert [note for note in notes if "points of a scale" in note]


def test_rankings_are_no_sets(saved: Callable[[str, Any], Path]) -> None:
    path = saved("a.jsonl", argilla([{"value": "a", "rank": 1}, {"value": "b", "rank": 2}]))
    assert sets_of(path) == set()
    assert {one.left_out for one in read_records(path, several=True)} == {"it is a ranking"}


def test_labels_of_doccano(saved: Callable[[str, Any], Path]) -> None:
    lines = [
        {"id": 1, "text": "t", "label": ["b", "a"], "Comments": []},
        {"id": 2, "label": [], "Comments": []},
    ]
    path = saved("ann.jsonl", "".join(json.dumps(one) + "\n" for one in lines))
    assert sets_of(path) == {("1", "ann", "a|b")}
    assert sets_of(saved("bob.csv", "id,data,label\n1,t,b#a\n2,t,a\n"), format_="doccano") == {
        ("1", "bob", "a|b"),
        ("2", "bob", "a"),
    }
    old = {"id": 1, "text": "t", "annotations": [{"label": 3, "user": 1}, {"label": 2, "user": 1}]}
    assert sets_of(saved("old.jsonl", json.dumps(old) + "\n")) == {("1", "1", "2|3")}


def test_choices_of_prodigy(saved: Callable[[str, Any], Path]) -> None:
    base = {"text": "t", "_input_hash": 1, "_task_hash": 1, "_view_id": "choice", "answer": "accept"}
    entries = [base | {"accept": chosen, "_annotator_id": who} for who, chosen in
               (("u", ["b", "a"]), ("v", ["a"]), ("w", []))]  # fmt: skip
    path = saved("a.jsonl", "".join(json.dumps(one) + "\n" for one in entries))
    assert sets_of(path) == {("1", "u", "a|b"), ("1", "v", "a"), ("1", "w", "|")}
    assert votes_of(path) == {("1", "v", "a")}


def test_schemes_of_potato(saved: Callable[[str, Any], Path]) -> None:
    text = "instance_id,user_id,topic.a,topic.b\n1,u,a,b\n2,u,,true\n3,u,,\n"
    assert sets_of(saved("a.csv", text)) == {("1", "u", "a|b"), ("2", "u", "b"), ("3", "u", "|")}
    answers = [[{"schema": "topic", "name": name}, "true"] for name in ("b", "a")]
    state = {"user_id": "u", "instance_id_to_label_to_value": {"i": answers}}
    assert sets_of(saved("out/u/user_state.json", state).parent.parent) == {("i", "u", "a|b")}


def test_likert_scales_of_potato(saved: Callable[[str, Any], Path]) -> None:
    notes: list[str] = []
    path = saved("a.csv", "instance_id,user_id,how.scale_1,how.scale_2\n1,u,1,\n2,u,,2\n")
    assert {one.label for one in read_records(path, notes=notes)} == {"1", "2"}
    assert [note for note in notes if "points of a scale" in note]
    path = saved("b.csv", "instance_id,user_id,how.1,how.2\n1,u,1,\n2,u,,2\n")
    assert {one.label for one in read_records(path)} == {"1", "2"}


def test_check_boxes_of_mechanical_turk(saved: Callable[[str, Any], Path]) -> None:
    text = "HITId,WorkerId,AssignmentStatus,Answer.topic.a,Answer.topic.b\n1,u,Approved,true,true\n"
    path = saved("a.csv", text + "2,u,Approved,false,true\n3,u,Approved,false,false\n")
    assert sets_of(path) == {("1", "u", "a|b"), ("2", "u", "b"), ("3", "u", "|")}
    answers = json.dumps([{"topic": {"a": True, "b": True, "c": False}}]).replace('"', '""')
    path = saved("b.csv", f'HITId,WorkerId,AssignmentStatus,Answer.taskAnswers\n1,u,Approved,"{answers}"\n')
    assert sets_of(path, question="topic") == {("1", "u", "a|b")}


def test_a_class_map_of_ground_truth(saved: Callable[[str, Any], Path]) -> None:
    about = {"class-map": {"0": "b", "1": "a"}, "human-annotated": "yes", "job-name": "j"}
    path = saved("a.manifest", json.dumps({"source": "t", "topic": [0, 1], "topic-metadata": about}) + "\n")
    assert sets_of(path) == {("0", "j", "a|b")}
    assert votes_of(path) == set()


def test_a_label_with_a_separator_is_refused_in_a_set(saved: Callable[[str, Any], Path]) -> None:
    path = saved("a.json", task([region("choices", ["a|b", "c"])]))
    assert sets_of(path) == set()
    assert votes_of(saved("b.json", task([region("choices", ["a|b"])]))) == {("7", "1", "a|b")}


_NAMES = st.sampled_from(["a", "b", "c d", "é", "=1", "0"])
_HAS_NO_EMPTY_SET = ("doccano",)


@pytest.mark.parametrize("name", list(FORMATS))
@settings(deadline=None, max_examples=15)
@given(
    votes=st.dictionaries(
        st.tuples(st.sampled_from("xyz"), st.sampled_from(["ann", "bob"])),
        st.sets(_NAMES, max_size=3),
        min_size=1,
    )
)
def test_sets_survive_every_format(name: str, votes: dict[tuple[str, str], set[str]]) -> None:
    if name in _HAS_NO_EMPTY_SET:
        votes = {key: chosen or {"a"} for key, chosen in votes.items()}
    if name == "potato":
        # A scheme is known by its columns, one a class that somebody chose.
        votes = votes | {("w", "ann"): {"a", "c d"}}
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "first.jsonl")
        entries = [
            {"task": example, "worker": who, "label": "|".join(sorted(chosen)) or "|"}
            for (example, who), chosen in votes.items()
        ]
        first.write_text("".join(json.dumps(one) + "\n" for one in entries))
        there = Path(folder, f"there{FORMATS[name].endings[0]}")
        back = Path(folder, "back.csv")
        convert_file(first, there, name, several=True)
        convert_file(there, back, from_=name, several=True)
        read = {(e, w): set(filter(None, label.split("|"))) for e, w, label in votes_of(back)}
        if name == "ground-truth-manifest":
            # Annotators are labelling jobs there, and keep their names.
            assert sorted(map(sorted, read.values())) == sorted(map(sorted, votes.values()))
        else:
            assert read == votes
