"""Files of labels of other tools: recognised, read, written, and refused when they are bad."""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from activelab import InputError
from activelab.formats import FORMATS, convert_file, detect_format, read_label_table, read_records
from activelab.tables import harmless

Vote = tuple[str, str, str]


def votes_of(path: Path, **options: Any) -> set[Vote]:
    records = list(read_records(path, **options))
    assert not [one.problem for one in records if one.problem]
    return {one[1:4] for one in records if one.annotator and not one.left_out}


def long_file(folder: Path | str, votes: list[Vote], name: str = "labels.csv") -> Path:
    path = Path(folder) / name
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("task", "worker", "label"), *votes])
    return path


def saved(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return path


def lines(*entries: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in entries)


# ---------------------------------------------------------------------- samples, as the tools write them


def choice(*labels: str, name: str = "sentiment") -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}


LABEL_STUDIO = [
    {
        "id": 67,
        "data": {"text": "good"},
        "annotations": [
            {"id": 1, "completed_by": 3, "was_cancelled": False, "result": [choice("pos")],
             "created_at": "2024-05-01T10:00:00.000000Z", "updated_at": "2024-05-01T10:00:00.000000Z"},
            {"id": 2, "completed_by": {"id": 4, "email": "ann@example.com"}, "result": [choice("neg")]},
            {"id": 3, "completed_by": 3, "result": [choice("neg")], "created_at": "2024-05-01T09:00:00Z"},
            {"id": 4, "completed_by": 5, "was_cancelled": True, "result": []},
        ],
        "predictions": [37],
    },
    {"id": 68, "data": {"text": "unseen"}, "annotations": []},
]  # fmt: skip

SAMPLES: dict[str, tuple[str, Any, set[Vote]]] = {
    "label-studio": (
        "export.json",
        LABEL_STUDIO,
        {("67", "3", "pos"), ("67", "3", "neg"), ("67", "ann@example.com", "neg")},
    ),
    "label-studio-min": (
        "min.json",
        [
            {"text": "t0", "id": 67, "label": "pos", "annotator": 3, "annotation_id": 36,
             "created_at": "2024-05-01T10:00:00Z", "updated_at": "2024-05-01T10:00:00Z", "lead_time": 1.5},
            {"text": "t1", "id": 68, "label": {"choices": ["neg", "pos"]}, "annotator": 3,
             "annotation_id": 37, "lead_time": 2.5},
        ],
        {("67", "3", "pos")},
    ),
    "label-studio-csv": (
        "export.csv",
        "annotation_id,annotator,created_at,id,label,lead_time,text,updated_at\n"
        '36,3,2024-05-01T10:00:00Z,67,pos,1.5,"a, b",2024-05-01T10:00:00Z\n',
        {("67", "3", "pos")},
    ),
    "prodigy": (
        "binary.jsonl",
        lines(
            {"text": "a", "label": "POS", "_input_hash": 1, "_task_hash": 2, "answer": "accept",
             "_view_id": "classification", "_timestamp": 1707211049, "_annotator_id": "db-alex"},
            {"text": "b", "label": "POS", "_input_hash": -5, "_task_hash": 3, "answer": "reject",
             "_view_id": "classification", "_annotator_id": "db-alex"},
            {"text": "c", "label": "POS", "_input_hash": 6, "_task_hash": 3, "answer": "ignore",
             "_view_id": "classification", "_annotator_id": "db-alex"},
        ),
        {("1", "db-alex", "POS"), ("-5", "db-alex", "not POS")},
    ),
    "argilla": (
        "records.jsonl",
        lines(
            {"id": "a", "status": "completed", "text": "hi", "label.responses": ["pos", "neg", "neg"],
             "label.responses.users": ["u1", "u2", "u3"],
             "label.responses.status": ["submitted", "discarded", "submitted"],
             "label.suggestion": "pos", "label.suggestion.score": 0.9, "label.suggestion.agent": "m"},
            {"id": "b", "status": "pending", "text": "ho", "label.responses": None,
             "label.responses.users": None, "label.responses.status": None},
        ),
        {("a", "u1", "pos"), ("a", "u3", "neg")},
    ),
    "mturk": (
        "Batch_1.csv",
        "HITId,AssignmentId,WorkerId,AssignmentStatus,SubmitTime,Input.url,Answer.sentiment.label\n"
        "h1,a1,W1,Approved,Fri Nov 01 10:00:00 PDT 2019,x.png,pos\n"
        "h1,a2,W2,Rejected,Fri Nov 01 10:00:00 PDT 2019,x.png,neg\n"
        "h2,a3,W2,Submitted,Fri Nov 01 10:00:00 PDT 2019,y.png,neg\n",
        {("h1", "W1", "pos"), ("h2", "W2", "neg")},
    ),
    "toloka": (
        "assignments.tsv",
        "INPUT:image\tOUTPUT:result\tGOLDEN:result\tHINT:text\tASSIGNMENT:assignment_id\tASSIGNMENT:task_id"
        "\tASSIGNMENT:worker_id\tASSIGNMENT:status\n"
        "x.png\tcat\t\t\ta1\tt1\tw1\tAPPROVED\n"
        "x.png\tdog\t\t\ta2\tt1\tw2\tREJECTED\n"
        "y.png\tdog\t\t\ta3\tt2\tw2\tSUBMITTED\n",
        {("t1", "w1", "cat"), ("t2", "w2", "dog")},
    ),
    "ground-truth": (
        "workers.json",
        [
            {"datasetObjectId": "0", "dataObject": {"content": "good"}, "annotations": [
                {"workerId": "w1", "annotationData": {"content": '{"label": "pos"}'}},
                {"workerId": "w2", "annotationData": {
                    "content": '{"crowd-classifier": {"label": "neg"}}'}},
                {"workerId": "w3", "annotationData": {"content": '{"s": {"pos": true, "neg": false}}'}},
            ]},
        ],
        {("0", "w1", "pos"), ("0", "w2", "neg"), ("0", "w3", "pos")},
    ),
    "ground-truth-manifest": (
        "output.manifest",
        lines(
            {"source-ref": "s3://b/1.png", "sport": 0, "sport-metadata": {
                "class-name": "football", "confidence": 0.8, "type": "groundtruth/image-classification",
                "job-name": "job-1", "human-annotated": "yes"}},
            {"source-ref": "s3://b/2.png", "sport": 1, "sport-metadata": {
                "class-name": "chess", "job-name": "job-1", "human-annotated": "no"}},
        ),
        {("0", "job-1", "football")},
    ),
    "potato": (
        "annotations.csv",
        "instance_id,user_id,sentiment.pos,sentiment.neg\ni1,u1,pos,\ni2,u1,,true\ni3,u1,,\n",
        {("i1", "u1", "pos"), ("i2", "u1", "neg")},
    ),
    "wide": ("matrix.csv", ",ann1,ann2\n0,1.0,\n1,0.0,1\n2,,\n", {("0", "ann1", "1"), ("1", "ann1", "0"),
                                                                ("1", "ann2", "1")}),
    "long": ("crowd.csv", "task,worker,label\nt1,w1,pos\nt1,w2,neg\n", {("t1", "w1", "pos"),
                                                                     ("t1", "w2", "neg")}),
}  # fmt: skip


def doccano(folder: Path, members: dict[str, str]) -> Path:
    path = folder / "answers.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize("name", SAMPLES)
def test_what_a_tool_writes_is_recognised_and_read(name: str, tmp_path: Path) -> None:
    file, content, votes = SAMPLES[name]
    path = saved(tmp_path, file, content)
    assert detect_format(path) == name
    assert votes_of(path) == votes
    packed = tmp_path / "without_ending"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert detect_format(packed) == name
    assert votes_of(packed) == votes


def test_doccano_has_a_file_for_each_member(tmp_path: Path) -> None:
    path = doccano(
        tmp_path,
        {
            "ann.jsonl": lines({"id": 1, "text": "a", "label": ["pos"], "Comments": []},
                               {"id": 2, "text": "b", "label": [], "Comments": []}),
            "bob.csv": "id,text,label,Comments\n1,a,neg,\n2,b,pos#neg,\n3,c,C#,\n",
            "cem.json": json.dumps([{"id": 2, "text": "b", "label": ["pos"]}]),
        },
    )  # fmt: skip
    assert detect_format(path) == "doccano"
    assert votes_of(path) == {
        ("1", "ann", "pos"),
        ("1", "bob", "neg"),
        ("3", "bob", "C#"),
        ("2", "cem", "pos"),
    }
    notes: list[str] = []
    everyone = doccano(tmp_path, {"all.jsonl": lines({"id": 1, "text": "a", "label": ["pos"]})})
    assert [one[1:4] for one in read_records(everyone, notes=notes)] == [("1", "all", "pos")]
    assert "forgets who" in notes[0]


def test_the_folder_of_potato(tmp_path: Path) -> None:
    for user, answer in (("u1", "pos"), ("u2", "neg")):
        (tmp_path / user).mkdir()
        state = {"user_id": user, "instance_id_to_label_to_value": {
            "i1": [[{"schema": "sentiment", "name": answer}, "true"]], "i2": []}}  # fmt: skip
        saved(tmp_path / user, "user_state.json", state)
    assert detect_format(tmp_path) == "potato"
    assert votes_of(tmp_path) == {("i1", "u1", "pos"), ("i1", "u2", "neg")}
    saved(tmp_path / "u2", "user_state.json", '{"user_id": "u2", "instance')
    problems = [one.problem for one in read_records(tmp_path) if one.problem]
    assert len(problems) == 1
    assert problems[0].startswith("u2/user_state.json is no state of a user")


def test_nested_records_of_argilla(tmp_path: Path) -> None:
    record = {"id": "a", "fields": {"text": "hi"}, "suggestions": {}, "responses": {
        "label": [{"value": "pos", "user_id": "u1"}, {"value": "neg", "user_id": "u2", "status": "draft"}],
        "toxic": [{"value": "no", "user_id": "u1"}]}}  # fmt: skip
    path = saved(tmp_path, "records.json", [record])
    assert detect_format(path) == "argilla"
    with pytest.raises(InputError, match=r"several of question: 'label', 'toxic'. Choose one with question="):
        votes_of(path)
    assert votes_of(path, question="label") == {("a", "u1", "pos")}


def test_answers_of_crowd_forms_in_a_batch_of_mturk(tmp_path: Path) -> None:
    header = "HITId,WorkerId,AssignmentStatus,"
    rows = 'h1,W1,Approved,"[{""sentiment"": {""label"": ""pos""}}]"\n'
    assert votes_of(saved(tmp_path, "a.csv", f"{header}Answer.taskAnswers\n{rows}")) == {("h1", "W1", "pos")}
    buttons = (
        f"{header}Answer.mood.good,Answer.mood.bad\nh1,W1,Approved,true,false\nh1,W2,Approved,false,false\n"
    )
    records = list(read_records(saved(tmp_path, "b.csv", buttons)))
    assert records[0][1:4] == ("h1", "W1", "good")
    assert records[1].left_out == "no label was chosen"


def test_choices_and_several_binary_labels_of_prodigy(tmp_path: Path) -> None:
    options = [{"id": "pos", "text": "pos"}, {"id": "neg", "text": "neg"}]
    base = {
        "_input_hash": 1,
        "_task_hash": 2,
        "_session_id": "db-ann",
        "_view_id": "choice",
        "options": options,
    }
    path = saved(tmp_path, "choice.jsonl", lines(
        {**base, "text": "a", "accept": ["pos"], "answer": "accept"},
        {**base, "text": "a", "accept": ["pos", "neg"], "answer": "accept", "_session_id": "db-bob"},
        {**base, "text": "a", "accept": [], "answer": "reject", "_session_id": "db-cem"},
    ))  # fmt: skip
    assert votes_of(path) == {("1", "db-ann", "pos")}
    binary = {"_input_hash": 1, "_task_hash": 2, "_annotator_id": "ann"}
    path = saved(tmp_path, "binary.jsonl", lines(
        {**binary, "label": "POS", "answer": "reject"}, {**binary, "label": "NEG", "answer": "accept"}))  # fmt: skip
    assert votes_of(path) == {("1", "ann", "NEG")}


# ---------------------------------------------------------------------- there and back

anything = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
words = st.sampled_from(["0", "1.0", "2.50", "007", "True", "nan", "None", "[1]", '{"a": "b"}', "x ", "New\u00a0York",
                         "\u062d\u0648\u0627\u0631\u200c\u0647\u0627", "\U0001f469\u200d\U0001f4bb", "two\nlines",
                         "a\rb", "18446744073709551617", "-1", "#", "'=x", "Cafe\u0301"])  # fmt: skip
parts = (anything | words).filter(lambda text: not text.isspace())
vote_lists = st.lists(st.tuples(parts, parts, parts), min_size=1, max_size=8, unique_by=lambda v: v[:2])


@pytest.mark.parametrize(
    ("name", "ending"), [(n, e) for n, one in FORMATS.items() for e in one.endings], ids="".join
)
@given(votes=vote_lists)
@example(votes=[("=1+1", "@bob", "-cmd|calc"), ("1", "+ann", "yes"), ("'=x", "''=y", "'-z")])
@example(votes=[("0", "0", "0"), ("0", "i", ";=")])
@example(votes=[("7", "1", "0"), ("8", "1", "1")])
@example(votes=[("1.0", "1.0", "0.0"), ("2", "1.0", "1.0")])
@example(votes=[("0", "a", "_b")])
@example(votes=[("0", "w,", "0")])
@example(votes=[("0", "index", "0"), ("1", "Unnamed: 0", "1")])
@example(votes=[("0", ".a", "a#b"), ("0", "\u0663", "[1]"), ("\u0663", "007", '{"label": "x"}')])
@example(votes=[('a "b", c', "x\ty", "p,q;r"), (" a", "x\r", "\n|")])
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
def test_labels_survive_the_way_there_and_back(name: str, ending: str, votes: list[Vote]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first = long_file(folder, [tuple(harmless(part) for part in vote) for vote in votes])
        expected = set(zip(*map(_without_points, zip(*votes, strict=True)), strict=True))
        there = Path(folder, f"there{ending}")
        done = convert_file(first, there, name)
        superseded = sum(done.dropped.values())
        assert done.kept == len({vote[:2] for vote in expected}) == len(votes) - superseded
        assert done.read == len(votes)
        assert votes_of(there, format_=name) <= expected
        if "--from wide" in " ".join(done.notes):
            return
        assert detect_format(there) == name
        back = Path(folder, "back.jsonl")
        assert convert_file(there, back).kept == done.kept
        assert votes_of(back) == votes_of(there) == votes_of(there, format_=name)
        if not superseded:
            assert votes_of(back) == expected


def _without_points(column: tuple[str, ...]) -> tuple[str, ...]:
    """A column of a CSV file in which all are whole numbers, as pandas writes such numbers beside gaps."""
    if all(re.fullmatch(r"(0|-?[1-9][0-9]{0,17})(\.0+)?|-0\.0+", text) for text in column):
        return tuple(str(int(text.partition(".")[0])) if "." in text else text for text in column)
    return column


cells = st.sampled_from(["", "cat", "dog ", "NA", "none", "-1", "0", " "])


@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=5),
    missing=st.sampled_from([(), ("NA",)]),
)
@settings(max_examples=60)
def test_every_cell_of_a_wide_matrix_is_kept_or_counted(
    rows: list[tuple[str, str, str]], missing: tuple[str, ...]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "wide.csv")
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                [("", "ann", "bob", "cem"), *((n, *row) for n, row in enumerate(rows))]
            )
        given_ = [cell for row in rows for cell in row if cell.strip()]
        kept = [cell for cell in given_ if cell not in missing]
        if not kept:
            with pytest.raises(InputError, match="no label to convert"):
                convert_file(path, Path(folder, "long.csv"), missing=missing)
            return
        done = convert_file(path, Path(folder, "long.csv"), missing=missing)
        empty = sum(not any(cell.strip() for cell in row) for row in rows)
        assert (done.read, done.kept) == (len(given_) + empty, len(kept))
        assert sum(done.dropped.values()) == done.read - done.kept
        assert sorted(one[2] for one in votes_of(Path(folder, "long.csv"))) == sorted(kept)


CONTENT = [
    {"id": "a", "data": {"text": 'He said "no", {really}', "n": 3}, "annotations": [
        {"completed_by": 1, "result": [choice("pos")], "updated_at": "2024-05-01T10:00:00Z"}]},
    {"id": "b", "data": {"text": "=SUM(A1)", "n": 4}, "annotations": [
        {"completed_by": 2, "result": [choice("neg")]}]},
]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["label-studio", "label-studio-min", "label-studio-csv", "prodigy", "argilla", "mturk", "toloka",
     "ground-truth", "ground-truth-manifest", "doccano"],
)  # fmt: skip
def test_texts_and_times_survive_where_a_format_has_a_place_for_them(name: str, tmp_path: Path) -> None:
    first = saved(tmp_path, "first.json", CONTENT)
    there = tmp_path / f"there{FORMATS[name].endings[0]}"
    convert_file(first, there, name)
    records = sorted(read_records(there), key=lambda one: one.example)
    assert [one.content["text"] for one in records] == [task["data"]["text"] for task in CONTENT]
    assert [str(one.content["n"]) for one in records] == ["3", "4"]
    timeless = ("argilla", "ground-truth", "ground-truth-manifest", "doccano")
    assert (records[0].time == 1714557600.0) == (name not in timeless)


def test_examples_without_labels_stay_where_a_format_has_a_place_for_them(tmp_path: Path) -> None:
    first = saved(tmp_path, "export.json", LABEL_STUDIO)
    for name, format_ in FORMATS.items():
        there = tmp_path / f"there{format_.endings[0]}"
        done = convert_file(first, there, name)
        assert {one.example for one in read_records(there)} == (
            {"67", "68"} if format_.holds_unlabelled else {"67"}
        )
        assert ("1 examples have no label" in " ".join(done.notes)) != format_.holds_unlabelled


def test_of_several_labels_of_one_annotator_the_latest_counts(tmp_path: Path) -> None:
    done = convert_file(saved(tmp_path, "export.json", LABEL_STUDIO), tmp_path / "labels.csv")
    assert votes_of(tmp_path / "labels.csv") == {("67", "3", "pos"), ("67", "ann@example.com", "neg")}
    assert (done.read, done.kept) == (5, 2)
    assert done.dropped == {
        "the same annotator labelled the example again later": 1,
        "the annotator skipped it": 1,
        "the example has no label": 1,
    }


def test_a_wide_matrix_holds_numbers_of_classes_if_they_are_given(tmp_path: Path) -> None:
    first = long_file(tmp_path, [("a", "ann", "dog"), ("b", "bob", "cat")])
    convert_file(first, tmp_path / "wide.csv", "wide", classes=["cat", "dog"])
    assert (tmp_path / "wide.csv").read_text() == ",ann,bob\na,1,\nb,,0\n"
    options = {"format_": "wide", "classes": ["cat", "dog"]}
    assert votes_of(tmp_path / "wide.csv", **options) == {("a", "ann", "dog"), ("b", "bob", "cat")}
    with pytest.raises(InputError, match="label 'cat' is none of the classes dog"):
        convert_file(first, tmp_path / "more.csv", "wide", classes=["dog"])
    assert not (tmp_path / "more.csv").exists()


def test_csv_runs_no_formulas(tmp_path: Path) -> None:
    first = saved(tmp_path, "export.json", [
        {"id": "=1+1", "data": {"text": "@SUM(A1)"}, "annotations": [
            {"completed_by": {"email": "+bob"}, "result": [choice("-x|y")]}]}])  # fmt: skip
    for name in ("long", "wide", "label-studio-csv", "mturk", "toloka", "potato"):
        there = tmp_path / f"there{FORMATS[name].endings[0]}"
        convert_file(first, there, name)
        with open(there, newline="") as file:
            cells = [
                cell for row in csv.reader(file, delimiter="\t" if name == "toloka" else ",") for cell in row
            ]
        assert not [cell for cell in cells if cell[:1] in tuple("=+-@")]
        assert any(cell == "'=1+1" for cell in cells)


# ---------------------------------------------------------------------- bad files


def bad_or_listed(path: Path, format_: str | None) -> int:
    """Read a file that may be damaged: InputError or records; anything else fails."""
    try:
        return sum(1 for _ in read_records(path, format_))
    except InputError as error:
        said = str(error)
    assert "\n" not in said
    assert str(path) in said
    return 0


def sample_file(folder: Path, name: str) -> Path:
    if name == "doccano":
        return doccano(folder, {"ann.jsonl": lines({"id": 1, "text": "a", "label": ["pos"]}) * 20})
    file, content, _ = SAMPLES[name]
    return saved(folder, file, content)


@pytest.mark.parametrize("format_", [None, "named"])
@pytest.mark.parametrize("name", [*SAMPLES, "doccano"])
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(["cut", "garble", "insert", "swap"]))
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_bytes_are_an_error_or_rejected_rows(
    name: str, format_: str | None, seed: int, kind: str
) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = sample_file(Path(folder), name)
        data = bytearray(path.read_bytes())
        at = rng.randrange(len(data))
        if kind == "cut":
            data = data[:at]
        elif kind == "garble":
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        elif kind == "insert":
            parts = [b"\xff\xfe", b"\0", b'"', b"[[[[", b"\xed\xa0\x80", b"1e999", b"\n\n", b"{}", b"null,"]
            data[at:at] = rng.choice(parts)
        else:
            other = rng.randrange(len(data))
            data[at], data[other] = data[other], data[at]
        path.write_bytes(bytes(data))
        bad_or_listed(path, name if format_ else None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def replaced(value: Any, path: list[Any], new: Any) -> Any:
    if not path:
        return new
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, list):
        found += [p for at, one in enumerate(value) for p in places(one, (*path, at))]
    elif isinstance(value, dict):
        found += [p for key, one in value.items() for p in places(one, (*path, key))]
    return found


JSON_SAMPLES = [
    "label-studio",
    "label-studio-min",
    "prodigy",
    "argilla",
    "ground-truth",
    "ground-truth-manifest",
]


@pytest.mark.parametrize("name", JSON_SAMPLES)
@given(data=st.data(), new=json_values)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_values_of_other_types_are_an_error_or_rejected_rows(
    name: str, data: st.DataObject, new: Any
) -> None:
    file, content, _ = SAMPLES[name]
    entries = [json.loads(line) for line in content.splitlines()] if isinstance(content, str) else content
    entries = replaced(entries, list(data.draw(st.sampled_from(places(entries)[1:]))), new)
    with tempfile.TemporaryDirectory() as folder:
        text = lines(*entries) if isinstance(content, str) else json.dumps(entries)
        path = Path(folder, file)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        bad_or_listed(path, name)
        bad_or_listed(path, None)


@pytest.mark.parametrize("name", [*SAMPLES, "doccano"])
def test_a_file_in_another_encoding_is_refused(name: str, tmp_path: Path) -> None:
    if name == "doccano":
        path = doccano(tmp_path, {"ann.csv": "id,text,label\n1,a,pos\n"})
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("ann.csv", "id,text,label\n1,Käse,pos\n".encode("latin-1"))
    else:
        file, content, _ = SAMPLES[name]
        text = content if isinstance(content, str) else json.dumps(content)
        path = saved(tmp_path, file, re.sub(r"pos|cat|POS|football|ann2|neg", "Käse", text).encode("latin-1"))
    with pytest.raises(InputError, match=r"UTF|utf|invalid"):
        list(read_records(path, name))
    if name != "doccano":
        utf16 = saved(tmp_path, "utf16", "task,worker,label\na,b,c\n".encode("utf-16"))
        with pytest.raises(InputError, match="UTF-16"):
            list(read_records(utf16, name))


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("label-studio", "completed_by", "'completed_by' holds no annotator: None"),
        ("label-studio-min", "annotator", "no column|holds no annotator"),
        ("label-studio-csv", "annotator", "holds no annotator"),
        ("prodigy", "_annotator_id", "'_session_id' holds no annotator: None"),
        ("argilla", "label.responses.users", "has 3 values for 0 users"),
        ("mturk", "WorkerId", "'WorkerId' holds no annotator"),
        ("toloka", "ASSIGNMENT:worker_id", "holds no annotator"),
        ("ground-truth", "workerId", "'workerId' holds no annotator"),
        ("ground-truth-manifest", "job-name", ""),
        ("potato", "user_id", "several of annotation scheme: 'other'"),
        ("long", "worker", "no column 'annotator'"),
    ],
)
def test_a_missing_field_is_named(name: str, field: str, message: str, tmp_path: Path) -> None:
    file, content, _ = SAMPLES[name]
    text = content if isinstance(content, str) else json.dumps(content)
    path = saved(tmp_path, file, text.replace(field, "other"))
    try:
        said = [one.problem for one in read_records(path, name) if one.problem]
    except InputError as error:
        said = [str(error)]
    assert not message or re.search(message, said[0]), said


def test_huge_cells_are_rejected_or_refused(tmp_path: Path) -> None:
    huge = "x" * ((1 << 24) + 1)
    path = saved(tmp_path, "a.json", [{"id": 1, "data": {"text": huge}, "annotations": []}])
    assert [one.problem for one in read_records(path)] == ["'text' is longer than 16,777,216 characters"]
    path = saved(tmp_path, "a.csv", f"task,worker,label\na,b,c\nd,{'w' * 600},e\n")
    assert [one.annotator for one in read_records(path)] == ["b", "w" * 600]
    path = saved(tmp_path, "b.csv", f"task,worker,label\na,b,{huge}\n")
    with pytest.raises(InputError, match="field larger than field limit"):
        list(read_records(path))


def test_values_nested_without_end_are_rejected(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    for text in (
        f'[{{"id": 1, "data": {{"x": {deep}}}, "annotations": []}}]',
        f'{{"task": 1, "worker": {deep}}}',
    ):
        path = saved(tmp_path, "deep.json", text)
        assert bad_or_listed(path, None) < 2
    bad_or_listed(saved(tmp_path, "deep.jsonl", f'{{"task": 1, "worker": 2, "label": {deep}}}\n'), "long")


def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    for name in ("../../evil.jsonl", "/etc/evil.jsonl", "a/../../evil.jsonl", "..\\evil.jsonl"):
        path = doccano(tmp_path, {name: lines({"id": 1, "text": "a", "label": ["pos"]})})
        with pytest.raises(InputError, match="a name that leads out of it"):
            list(read_records(path))
    assert [one.name for one in tmp_path.iterdir()] == ["answers.zip"]


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from activelab.tables import _bounded

    monkeypatch.setattr(_bounded, "FREE", 1 << 20)
    line = lines({"id": 1, "text": "a" * 1000, "label": ["pos"]})
    path = doccano(tmp_path, {"ann.jsonl": line * 3000})
    with pytest.raises(InputError, match="unpacks to far more than its size"):
        list(read_records(path))


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no file that ends in \.jsonl"):
        list(read_records(doccano(tmp_path, {"readme.txt": "hello"})))


def test_nothing_is_written_if_the_file_breaks_off(tmp_path: Path) -> None:
    text = json.dumps(LABEL_STUDIO)
    path = saved(tmp_path, "export.json", text[:-20])
    with pytest.raises(InputError, match="cannot be read as JSON after entry"):
        convert_file(path, tmp_path / "labels.csv")
    assert [one.name for one in tmp_path.iterdir()] == ["export.json"]


def test_a_target_must_have_an_ending_of_its_format(tmp_path: Path) -> None:
    path = saved(tmp_path, "export.json", LABEL_STUDIO)
    with pytest.raises(InputError, match=r"format label-studio ends in \.json"):
        convert_file(path, tmp_path / "out.csv", "label-studio")
    with pytest.raises(InputError, match="Did you mean 'prodigy'"):
        convert_file(path, tmp_path / "out.jsonl", "prodigi")
    with pytest.raises(InputError, match="also an input"):
        convert_file(path, path, "label-studio")
    with pytest.raises(InputError, match="there is no label to convert"):
        convert_file(saved(tmp_path, "e.json", LABEL_STUDIO[1:]), tmp_path / "out.csv")


# ---------------------------------------------------------------------- the commands


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "activelab", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_accounts_for_every_row(tmp_path: Path) -> None:
    entries = [*LABEL_STUDIO, {"id": 69, "annotations": []}]
    path = saved(tmp_path, "export.json", entries)
    done = run("convert", path, tmp_path / "labels.csv", "--rejected", tmp_path / "bad.csv")
    assert done.returncode == 0, done.stderr
    assert f"{path} (label-studio): 6 read, 4 dropped, 2 kept in" in done.stdout
    assert "dropped 1: the annotator skipped it" in done.stdout
    assert "rejected: entry 3: it is no task: it has no 'data'" in done.stderr
    assert (tmp_path / "bad.csv").read_text() == "entry,reason\n3,it is no task: it has no 'data'\n"
    account = json.loads(run("convert", path, tmp_path / "l.parquet", "--json").stdout)
    assert (account["read"], account["dropped"], account["kept"]) == (6, 4, 2)
    assert run("convert", tmp_path / "none.json", tmp_path / "x.csv").stderr.count("\n") == 1


def test_other_commands_read_the_same_files(tmp_path: Path) -> None:
    tasks = [
        {"id": n, "data": {"text": f"t{n}"}, "annotations": [
            {"completed_by": who, "result": [choice("pos" if (n + who) % 3 else "neg")]} for who in (1, 2)]}
        for n in range(8)
    ]  # fmt: skip
    path = saved(tmp_path, "export.json", tasks)
    table, notes = read_label_table(path)
    assert table.num_rows == 16
    assert table["example"].to_pylist()[:3] == [0, 0, 1]
    assert notes == []
    done = run("consensus", path, "-o", tmp_path / "consensus.csv")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "consensus.csv").read_text().splitlines()) == 9
    probs = saved(tmp_path, "probs.csv", "example,neg,pos\n" + "".join(f"{n},0.4,0.6\n" for n in range(10)))
    done = run("suggest", path, "-p", probs, "-n", 3, "--from", "label-studio", "-o", tmp_path / "b.csv")
    assert done.returncode == 0, done.stderr
    tasks[3]["annotations"][0]["result"] = "nonsense"
    done = run("annotators", saved(tmp_path, "bad.json", tasks))
    assert done.returncode == 2
    assert "entry 4: the 'result' of an annotation is no list of objects" in done.stderr


def test_a_project_takes_labels_from_the_same_files(tmp_path: Path) -> None:
    from activelab.project import Settings, create_project
    from activelab.project.files.importing import import_files

    with create_project(tmp_path / "p.db", Settings(classes=("neg", "pos"))) as project:
        project.add_examples([("67", {"text": "good"}), ("68", {"text": "unseen"})])
        done = import_files(project, labels=saved(tmp_path, "export.json", LABEL_STUDIO))
        assert (done.labels, done.rejected) == (2, [])
        rows = project.labels().to_long()
        assert dict(zip(rows["annotator"], rows["label"], strict=True)) == {
            "3": "pos",
            "ann@example.com": "neg",
        }
