"""Every command reads one file to the same labels, says what it left out, and names what it cannot read."""

from __future__ import annotations

import csv
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import activelab as al
from activelab import InputError, Labels
from activelab.formats import convert_file, read_label_table, read_records
from activelab.project import Settings, create_project
from activelab.project.files.examples import content_id
from activelab.project.files.importing import import_files
from activelab.tables import read_pred_probs

Triple = tuple[str, str, str]


def by_column(path: Path, **options: Any) -> set[Triple]:
    """What consensus, suggest and annotators see."""
    table, _ = read_label_table(path, **options)
    return {
        tuple(map(str, row.values())) for row in table.select(["example", "annotator", "label"]).to_pylist()
    }


def by_row(path: Path, **options: Any) -> set[Triple]:
    """What convert and import see."""
    return {tuple(one[1:4]) for one in read_records(path, **options) if one.annotator and not one.left_out}


def notes_of(path: Path, **options: Any) -> str:
    return " ".join(read_label_table(path, **options)[1])


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str, Any], Path]:
    def save(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes | str) else json.dumps(content, ensure_ascii=False)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return save


# ---------------------------------------------------------------------- one file, two readers

cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6) | st.sampled_from(
    ["1.0", "2", "-0.0", "007", " a", "nan", "True", "'=1", "", " ", "x,y", 'q"q', "a\r\nb", "9" * 19]
)


@given(rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=6), mark=st.sampled_from(",;\t|"))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_a_table_is_read_by_column_as_by_row(rows: list[Triple], mark: str) -> None:
    rows = list({row[:2]: row for row in rows}.values())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "l.csv")
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=mark).writerows([("task", "worker", "label"), *rows])
        problems = [one.problem for one in read_records(path) if one.problem]
        if problems:
            # A label without an example or an annotator: refused by the one, named by the other.
            with pytest.raises(InputError):
                Labels.from_long(read_label_table(path)[0], keep="last")
        elif not by_row(path):
            with pytest.raises(InputError, match="it holds no label"):
                read_label_table(path)
        else:
            assert by_column(path) == by_row(path)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet", ".json", ""])
def test_the_content_says_the_format(ending: str, tmp_path: Path) -> None:
    rows = {"task": ["1", "2"], "worker": ["a", "a"], "label": ["x", "y"]}
    path = tmp_path / f"labels{ending}"
    pq.write_table(pa.table(rows), path)
    assert by_column(path) == by_row(path) == {("1", "a", "x"), ("2", "a", "y")}
    path.write_text("task|worker|label\n1|a|x\n2|a|y\n")
    assert by_column(path) == by_row(path) == {("1", "a", "x"), ("2", "a", "y")}


# ---------------------------------------------------------------------- what is missing


def test_empty_cells_are_missing_and_words_are_classes(saved: Callable[..., Path]) -> None:
    long = saved("l.csv", "task,worker,label\n1,a,NA\n1,b,\n1,c, \n2,a,cat\n2,b,nan\n3,,\n")
    wide = saved("w.csv", ",a,b,c\n1,NA,, \n2,cat,nan,\n3,,,\n")
    assert by_column(long) == by_row(long) == by_column(wide) == by_row(wide)
    assert {one[2] for one in by_row(long)} == {"NA", "cat", "nan"}
    said = notes_of(long)
    assert "3 answers are no labels: the label is empty (2); the example has no label (1)" in said
    assert "'NA' (1 labels) is taken as a class; --missing NA to leave out" in said.replace(
        "leave it out", "leave out"
    )
    for path in (long, wide):
        assert (
            by_column(path, missing=["NA", "nan"])
            == by_row(path, missing=["NA", "nan"])
            == {("2", "a", "cat")}
        )
    done = convert_file(wide, wide.parent / "o.csv", missing=["NA", "nan"])
    assert (done.read, done.kept) == (4, 1)
    assert done.dropped["'NA' stands for no label"] == 1


@pytest.mark.parametrize("name", ["l.csv", "l.jsonl", "l.parquet"])
def test_minus_one_beside_other_numbers_earns_a_question(name: str, tmp_path: Path) -> None:
    convert_file(_long(tmp_path, [("1", "a", "-1"), ("1", "b", "0"), ("2", "a", "3")]), tmp_path / name)
    assert "--missing -1 to leave it out" in notes_of(tmp_path / name)
    assert len(by_column(tmp_path / name)) == 3
    assert by_column(tmp_path / name, missing=["-1"]) == by_row(tmp_path / name, missing=["-1"])
    assert "--missing" not in notes_of(tmp_path / name, missing=["-1"])
    assert "-1" not in notes_of(tmp_path / name, classes=["-1", "0", "3"])


def _long(folder: Path, rows: list[Triple], name: str = "first.csv") -> Path:
    path = folder / name
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("task", "worker", "label"), *rows])
    return path


# ---------------------------------------------------------------------- spellings

SPELLINGS = [
    ("yes", "yes "),
    ("yes", "\u00a0yes"),
    ("Yes", "yes"),
    ("Caf\u00e9", "Cafe\u0301"),
    ("ab", "\uff41b"),
]


@pytest.mark.parametrize("pair", SPELLINGS)
def test_classes_that_differ_only_in_spelling_are_named_and_folded(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    one, other = pair
    path = _long(tmp_path, [("1", "a", one), ("1", "b", other), ("2", "a", one), ("3", "a", "no")])
    assert by_column(path) == by_row(path)
    assert "differ only in blanks, case or normal form" in notes_of(path)
    assert repr(other) in notes_of(path)
    assert {label for *_, label in by_column(path, fold=True)} == {one, "no"}
    assert "differ" not in notes_of(path, fold=True)
    done = convert_file(path, tmp_path / "o.csv", fold=True)
    assert done.kept == 4
    assert by_row(tmp_path / "o.csv") == by_column(path, fold=True)
    with create_project(tmp_path / "p.db", Settings(classes=(one, "no"))) as project:
        project.add_examples([(n, {"text": n}) for n in "123"])
        assert import_files(project, labels=path, fold=True).labels == 4


def test_labels_meet_the_classes_they_have_the_value_of(saved: Callable[..., Path], tmp_path: Path) -> None:
    with create_project(tmp_path / "p.db", Settings(classes=("0", "True", "Caf\u00e9"))) as project:
        project.add_examples([(n, {"text": n}) for n in "123"])
        path = saved("l.csv", "task,worker,label\n1,a,0.0\n2,a,true\n3,a,Cafe\u0301\n")
        assert import_files(project, labels=path).labels == 3
        assert project.labels().label.tolist() == [0, 1, 2]


@pytest.mark.parametrize("rows", [["0.0", "1.0", "2"], ["1.0", "1.5", "2.0"], ["1.0", "", "0"]])
def test_a_column_of_whole_numbers_has_no_points(rows: list[str], tmp_path: Path) -> None:
    path = _long(tmp_path, [(str(n), "a", label) for n, label in enumerate(rows)])
    wide = tmp_path / "w.csv"
    wide.write_text(",a\n" + "".join(f"{n},{label}\n" for n, label in enumerate(rows)))
    whole = "1.5" not in rows
    expected = {label.removesuffix(".0") if whole else label for label in rows if label}
    for found in (by_column(path), by_row(path), by_column(wide)):
        assert {label for *_, label in found} == expected


# ---------------------------------------------------------------------- long or wide


@pytest.mark.parametrize("index", ["", "Unnamed: 0", "index", "__index_level_0__", "level_0"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_the_index_of_a_dataframe_is_no_column(index: str, ending: str, tmp_path: Path) -> None:
    columns = {index: [0, 1, 2], "item": ["t", "t", "u"], "rater": ["a", "b", "a"], "answer": ["x", "x", "y"]}
    path = tmp_path / f"l{ending}"
    rows = list(zip(*columns.values(), strict=True))
    if ending == ".parquet":
        pq.write_table(pa.table(columns), path)
    elif ending == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
    else:
        with open(path, "w", newline="") as file:
            csv.writer(file, delimiter="," if ending == ".csv" else "\t").writerows([columns, *rows])
    assert by_column(path) == by_row(path) == {("t", "a", "x"), ("t", "b", "x"), ("u", "a", "y")}
    assert "one row a label" in notes_of(path)
    assert by_row(path, format_="wide") != by_row(path)


def test_the_index_is_the_example_where_nothing_else_is(saved: Callable[..., Path]) -> None:
    path = saved("l.csv", ",worker,label\n5,a,x\n6,a,y\n")
    assert by_column(path) == by_row(path) == {("5", "a", "x"), ("6", "a", "y")}
    wide = saved("w.csv", ",ann,user\n5,x,\n6,,y\n")
    assert by_column(wide) == {("5", "ann", "x"), ("6", "user", "y")}
    with pytest.raises(InputError, match="no column 'annotator'; the file has: 'text', 'label'"):
        read_label_table(saved("n.csv", "index,text,label\n0,t,x\n"))


def test_ids_come_before_what_an_example_holds(saved: Callable[..., Path]) -> None:
    path = saved("l.csv", "id,text,worker,label\n1,good,a,x\n")
    assert by_column(path) == by_row(path) == {("1", "a", "x")}
    with pytest.raises(InputError, match="could each be the example"):
        read_label_table(saved("m.csv", "id,task,worker,label\n1,2,a,x\n"))


def test_a_single_column_of_texts_makes_examples(saved: Callable[..., Path], tmp_path: Path) -> None:
    with create_project(tmp_path / "p.db", Settings(classes=("x", "y"))) as project:
        import_files(project, saved("e.csv", "text\none\ntwo\n"))
        import_files(project, saved("f.csv", "text\nthree\n"))
        texts = [{"text": word} for word in ("one", "two", "three")]
        assert project.example_names() == [content_id(text) for text in texts]


# ---------------------------------------------------------------------- large ids

LARGE = [2**63, 2**63 + 1, 2**64 - 1, 10**30, -(2**70), 2**53 + 1, 5]


@pytest.mark.parametrize("ids", [LARGE, LARGE[:3], [2**63 + 1, -1], [2**53 + 1, 2**53 + 2]])
def test_ids_of_any_size_are_exact(ids: list[int], tmp_path: Path) -> None:
    labels = Labels.from_records([(one, "a", one % 2) for one in ids])
    assert sorted(map(int, labels.examples)) == sorted(ids)
    assert labels.select(ids).n_examples == len(ids)
    texts = {str(one) for one in ids}
    for name in ("l.csv", "l.jsonl", "l.json", "l.parquet"):
        path = tmp_path / name
        rows = [{"task": one, "worker": "a", "label": "x"} for one in ids]
        if name == "l.parquet":
            if max(ids) >= 2**64 or min(ids) < 0:
                continue
            pq.write_table(pa.table({"task": pa.array(ids, pa.uint64()), "worker": ["a"] * len(ids), "label": ["x"] * len(ids)}), path)  # fmt: skip
        elif name == "l.json":
            path.write_text(json.dumps(rows))
        elif name == "l.jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            _long(tmp_path, [(str(one), "a", "x") for one in ids], name)
        assert {one for one, *_ in by_column(path)} == {one for one, *_ in by_row(path)} == texts
    probs = tmp_path / "p.jsonl"
    probs.write_text("".join(json.dumps({"example": one, "x": 1.0}) + "\n" for one in ids))
    assert {str(one) for one in read_pred_probs(probs)["example"].to_pylist()} == texts
    frame = np.array(ids[:3], dtype=np.uint64) if min(ids) >= 0 and max(ids) < 2**64 else None
    if frame is not None:
        assert Labels.from_long({"example": frame, "annotator": frame, "label": frame}).examples.min() > 0


# ---------------------------------------------------------------------- other tools


def annotation(kind: str, value: dict[str, Any], who: int = 1, name: str = "q") -> dict[str, Any]:
    return {
        "completed_by": who,
        "result": [{"from_name": name, "to_name": "t", "type": kind, "value": value}],
    }


@pytest.mark.parametrize(
    ("kind", "value", "label"),
    [
        ("rating", {"rating": 4}, "4"),
        ("number", {"number": 2.5}, "2.5"),
        ("pairwise", {"selected": "left"}, "left"),
        ("taxonomy", {"taxonomy": [["Animal", "Cat"]]}, "Animal/Cat"),
        ("choices", {"choices": [["Animal", "Cat"]]}, "Animal/Cat"),
        ("taxonomy", {"taxonomy": [["Animal"], ["Plant"]]}, "several labels"),
        ("labels", {"start": 0, "end": 1, "labels": ["P"]}, "'labels'"),
        ("textarea", {"text": ["free"]}, "'textarea'"),
    ],
)
def test_tags_of_label_studio(
    kind: str, value: dict[str, Any], label: str, saved: Callable[..., Path]
) -> None:
    path = saved("t.json", [{"id": 1, "data": {}, "annotations": [annotation(kind, value)]}])
    if label[:1] == "'" or " " in label:
        with pytest.raises(InputError, match=f"it holds no label: .*{label}"):
            read_label_table(path)
    else:
        assert by_column(path) == {("1", "1", label)}


def test_a_rating_beside_choices_is_no_choice(saved: Callable[..., Path]) -> None:
    rating = annotation("rating", {"rating": 3}, 2, "stars")
    path = saved(
        "t.json", [{"id": 1, "data": {}, "annotations": [annotation("choices", {"choices": ["A"]}), rating]}]
    )
    assert by_column(path) == {("1", "1", "A")}
    assert by_column(path, question="stars") == {("1", "2", "3")}
    with pytest.raises(
        InputError, match=r"no question 'mood'; the tasks have: q \(choices\), stars \(rating\)"
    ):
        read_label_table(path, question="mood")


def test_target_storage_of_label_studio(saved: Callable[..., Path], tmp_path: Path) -> None:
    stored = {**annotation("choices", {"choices": ["A"]}), "id": 36, "task": {"id": 7, "data": {"text": "t"}}}
    assert by_column(saved("bucket/36", json.dumps(stored, indent=2))) == {("7", "1", "A")}
    saved("bucket/37", stored | {"completed_by": {"id": 2, "email": "b@c.d"}})
    assert by_column(tmp_path / "bucket") == {("7", "1", "A"), ("7", "b@c.d", "A")}


def test_files_of_doccano(saved: Callable[..., Path], tmp_path: Path) -> None:
    member = {"id": 1, "text": "a", "label": ["pos"], "Comments": []}
    assert by_column(saved("members/admin.jsonl", member)) == {("1", "admin", "pos")}
    saved("members/bob.jsonl", member | {"label": ["neg"]})
    assert by_column(tmp_path / "members") == {("1", "admin", "pos"), ("1", "bob", "neg")}
    old = {
        "id": 1,
        "text": "a",
        "annotations": [{"label": 7, "user": 1}, {"label": 8, "user": 2}],
        "meta": {},
    }
    assert by_column(saved("old.jsonl", old)) == {("1", "1", "7"), ("1", "2", "8")}
    assert "numbers of labels" in notes_of(tmp_path / "old.jsonl")
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        archive.writestr("ann.jsonl", json.dumps(member))
        archive.writestr("__MACOSX/._ann.jsonl", b"\0\5\x16\7")
        archive.writestr("._bob.jsonl", b"\0\5\x16\7")
    assert by_column(tmp_path / "mac.zip") == {("1", "ann", "pos")}


def test_datasets_of_argilla_1(saved: Callable[..., Path], tmp_path: Path) -> None:
    record = {"text": "t", "annotation": "pos", "annotation_agent": "ann", "id": "r1", "prediction": None}
    assert by_column(saved("r.jsonl", record)) == {("r1", "ann", "pos")}
    given = [
        {"user_id": "u", "value": "pos", "status": "submitted"},
        {"user_id": "v", "value": "neg", "status": "draft"},
    ]
    feedback = {"text": "t", "mood": given, "mood-suggestion": None, "external_id": None, "metadata": "{}"}
    assert by_column(saved("f.jsonl", feedback)) == {("1", "u", "pos")}
    columns = {"text": ["t"], "mood": [{"user_id": ["u"], "value": ["pos"], "status": ["submitted"]}],
               "mood-suggestion": [None], "external_id": ["e"], "metadata": ["{}"]}  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "f.parquet")
    assert by_column(tmp_path / "f.parquet") == {("e", "u", "pos")}


def test_rounds_of_potato(saved: Callable[..., Path], tmp_path: Path) -> None:
    state = {"user_id": "u", "instance_id_to_label_to_value": {"i": [[{"schema": "s", "name": "x"}, "true"]]}}
    path = saved("out/one/u/user_state.json", state)
    assert (
        by_column(path) == by_column(tmp_path / "out/one") == by_column(tmp_path / "out") == {("i", "u", "x")}
    )
    saved("out/two/u/user_state.json", state)
    with pytest.raises(InputError, match=r"several rounds with .*user_state.json: 'one', 'two'"):
        read_label_table(tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "content", "whose"),
    [
        (
            "a.xml",
            '<?xml version="1.0"?>\n<annotations><version>1.1</version><meta><job/></meta></annotations>',
            "CVAT",
        ),
        ("a.tsv", "#FORMAT=WebAnno TSV 3.3\n#T_SP=x\n", "INCEpTION"),
        ("a.json", '{"%TYPES": {}, "%FEATURE_STRUCTURES": []}', "INCEpTION"),
    ],
)
def test_files_of_other_kinds_are_named(
    name: str, content: str, whose: str, saved: Callable[..., Path]
) -> None:
    for read in (read_label_table, lambda path: list(read_records(path))):
        with pytest.raises(InputError, match=f"looks like .*{whose}.*which is not read"):
            read(saved(name, content))


@pytest.mark.parametrize(
    ("member", "whose"), [("annotations.xml", "CVAT"), ("exportedproject.json", "INCEpTION")]
)
def test_archives_of_other_kinds_are_named(member: str, whose: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(f"job/{member}", "x")
    with pytest.raises(InputError, match=f"{whose}.*which is not read: it holds '{member}'"):
        read_label_table(tmp_path / "a.zip")


def test_errors_name_the_line_though_rows_before_were_left_out(saved: Callable[..., Path]) -> None:
    from activelab.cli._inputs import Request, read_inputs

    def read(path: Path) -> None:
        read_inputs(Request(path, (), "x,y", None, None, None, None, "error"))

    with pytest.raises(InputError, match=r"l.csv: .*\(line 4\)"):
        read(saved("l.csv", "task,worker,label\n1,a,\n1,b,x\n2,b,z\n"))
    with pytest.raises(InputError, match=r"l.csv: .*\(lines 3 and 5\)"):
        read(saved("l.csv", "task,worker,label\n1,a,\n1,b,x\n2,a,\n1,b,y\n"))
    with pytest.raises(InputError, match=r"s.csv: .*\(line 3\)"):
        read(saved("s.csv", "annotation_id,annotator,id,label\n1,2,3,\n4,5,6,z\n"))


def test_agreement_of_one_class_is_one() -> None:
    from activelab.agreement import gwet_ac1

    assert gwet_ac1(al.Labels.from_wide([[1, 1], [1, 1]])).value == 1
