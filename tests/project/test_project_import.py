"""Files into a project and tables out of it: whole or not at all, with bad rows named by their lines."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sqlalchemy import text

from activelab import InputError
from activelab.project import Settings, StorageError, create_project
from activelab.project.files.doctor import examine
from activelab.project.files.export import export_table
from activelab.project.files.importing import Columns, import_files
from activelab.project.labelling import intake as given
from activelab.project.labelling import pool
from activelab.project.training.round import train_round


@pytest.fixture
def project(tmp_path):
    with create_project(tmp_path / "project.db", Settings(classes=("bug", "praise"))) as one:
        yield one


def contents(project) -> dict[str, dict[str, object]]:
    return {one.name: one.content for one in project.examples(range(project.num_examples))}


def rejected(path, *arguments, **options) -> str:
    with pytest.raises(InputError) as error:
        import_files(path, *arguments, **options)
    return str(error.value)


# ------------------------------------------------------------------ what is read


@pytest.mark.parametrize(
    ("header", "columns", "identity", "content"),
    [
        ("id,text", {}, "id", "text"),
        ("text,id", {}, "id", "text"),
        ("item,text,example,id", {}, "example", "text"),
        ("ID,document,message", {"text": "document"}, "ID", "document"),
        ("document,body", {}, "document", "body"),
        ("uid,essay", {}, "uid", "essay"),
        ("foo,bar", {"example": "foo"}, "foo", "bar"),
        ("foo,bar,text", {"example": "text", "text": "bar"}, "text", "bar"),
    ],
)
def test_columns_are_recognised(project, write, header, columns, identity, content):
    import_files(project, write("e.csv", f"{header}\n{header}\n"), columns=Columns(**columns))
    assert contents(project) == {identity: {"text": content}}


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "parquet", "jsonl"])
def test_texts_of_every_format(project, tmp_path, ending):
    frame = pd.DataFrame({"id": [10, 11], "priority": [1, 2], "text": ['He said "no",\ntwice', "naïve 👩‍🚀"]})
    path = tmp_path / f"examples.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    done = import_files(project, path)
    assert (done.examples, done.rejected) == (2, [])
    assert contents(project) == {"10": {"text": 'He said "no",\ntwice'}, "11": {"text": "naïve 👩‍🚀"}}


def test_rows_of_a_table_keep_their_types(tmp_path, write):
    with create_project(tmp_path / "t.db", Settings(kind="table", classes=("a", "b"))) as project:
        rows = [
            {"id": 1, "size": 1.5, "n": 3, "new": True, "tags": ["x", None], "more": {"k": float("nan")}},
            {"id": 2, "huge": 10**40, "size": "text", "none": None},
        ]
        path = write("rows.jsonl", "\n".join(json.dumps(row) for row in rows))
        assert import_files(project, path).examples == 2
        first, second = contents(project).values()
        assert first == {
            "size": 1.5,
            "n": 3,
            "new": True,
            "tags": ["x", None],
            "more": {"k": None},
        }
        assert second == {"huge": str(10**40), "size": "text", "none": None}
        kinds = pa.table(
            {
                "id": pa.array(["p"]),
                "when": pa.array([pd.Timestamp("2024-02-29")]),
                "price": pa.array(["1.50"]).cast(pa.decimal128(5, 2)),
            }
        )
        pq.write_table(kinds, tmp_path / "more.parquet")
        import_files(project, tmp_path / "more.parquet")
        assert contents(project)["p"] == {"when": "2024-02-29T00:00:00", "price": 1.5}


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png"):
        Image.new("RGB", (4, 4)).save(folder / name)
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with create_project(tmp_path / "i.db", Settings(kind="image", classes=("x", "y"))) as project:
        yield project, folder


def test_images(images, write):
    project, folder = images
    path = write("photos.csv", "id,file\n1,a.png\n2,sub/b.png\n")
    assert "image_root=" in rejected(project, path)
    assert import_files(project, path, image_root=folder).examples == 2
    assert project.settings.image_root == str(folder)
    assert contents(project)["2"] == {"image": "sub/b.png"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.png", "there is no image"),
        ("sub", "there is no image"),
        ("../secret.png", "no path below the folder"),
        ("sub/../../secret.png", "no path below the folder"),
        ("/etc/passwd", "no path below the folder"),
        ("..\\\\secret.png", "no path below the folder"),
        ("link.png", "no path below the folder"),
        ("a.png\\u0000.jpg", "no path below the folder"),
        ("%2e%2e/secret.png", "there is no image"),
    ],
)
def test_images_from_elsewhere(images, write, name, reason):
    project, folder = images
    path = write("photos.jsonl", f'{{"id": 1, "image": "a.png"}}\n{{"id": 2, "image": "{name}"}}\n')
    message = rejected(project, path, image_root=folder)
    assert "photos.jsonl, line 2" in message
    assert reason in message
    assert (project.num_examples, project.settings.image_root) == (0, None)


@pytest.mark.parametrize("as_table", [False, True])
def test_features_belong_to_the_rows_that_are_good(project, tmp_path, write, as_table):
    path = write("e.csv", "id,text\n1,one\n2,\n3,three\n")
    values = np.arange(6.0).reshape(3, 2)
    file = tmp_path / ("f.parquet" if as_table else "f.npy")
    if as_table:  # in another order, and with more than is needed
        pd.DataFrame({"id": [3, 9, 1], "x": [4.0, 0, 0], "y": [5.0, 0, 1]}).to_parquet(file)
    else:
        np.save(file, values)
    done = import_files(project, path, features=file, leave_out=True)
    assert (done.examples, len(done.rejected)) == (2, 1)
    np.testing.assert_array_equal(project.features(), values[[0, 2]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 2)), "has 3 rows; the array has shape"),
        (np.zeros(3), "has 3 rows; the array has shape"),
        (np.array([[0.0], [np.inf], [0]]), "features of row 1 are not all finite"),
        (np.array([["a"], ["b"], ["c"]]), "features need shape"),
        (np.array([[{}], [1], [2]], dtype=object), "holds Python objects"),
    ],
)
def test_features_that_do_not_fit(project, tmp_path, write, values, message):
    path = write("e.csv", "id,text\n1,one\n2,two\n3,three\n")
    np.save(tmp_path / "f.npy", values)
    assert message in rejected(project, path, features=tmp_path / "f.npy")
    assert project.num_examples == 0


def test_media_that_no_browser_shows_are_named_by_their_lines(images, write):
    project, folder = images
    good = (folder / "a.png").read_bytes()
    (folder / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "text.png").write_text("no image")
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "huge.png").write_bytes(good[:16] + (50_000).to_bytes(4, "big") * 2 + good[24:])
    names = ["a.png", "cut.png", "text.png", "drawing.svg", "sub/b.png", "huge.png", "none.png"]
    path = write("photos.csv", "image\n" + "\n".join(names) + "\n")
    message = rejected(project, path, image_root=folder)
    assert message.startswith("5 rows are bad, nothing was imported.")
    for line, name, reason in [
        (3, "cut.png", "is damaged and cannot be decoded"),
        (4, "text.png", "the file is no PNG, JPEG, GIF, WebP or BMP image"),
        (5, "drawing.svg", "the file is no PNG"),
        (7, "huge.png", "more than 100,000,000 pixels"),
        (8, "none.png", ""),
    ]:
        assert re.search(f"line {line}: [^;]*{re.escape(name)}[^;]*{reason}", message)
    assert import_files(project, path, image_root=folder, leave_out=True).examples == 2


def test_parts_of_an_example_come_together(project, tmp_path, write):
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "call.mp3").write_bytes(b"ID3" + bytes(100))
    (folder / "film.mp4").write_bytes(bytes(4) + b"ftypisom" + bytes(100))
    row = {"id": "e", "body": "words", "sound": "call.mp3", "film": "film.mp4", "label": "bug", "day": 3}
    columns = Columns(text="body", audio="sound", video="film", show=["day"])
    path = write("e.jsonl", json.dumps(row))
    assert "image_root=" in rejected(project, path, columns=columns)
    import_files(project, path, columns=columns, image_root=folder)
    # What was not asked for, such as somebody's label, is not shown.
    assert contents(project)["e"] == {"text": "words", "audio": "call.mp3", "video": "film.mp4", "day": 3}
    assert "no column 'nights'" in rejected(project, path, columns=Columns(show=["nights"]))
    (folder / "film.mp4").write_text("no film")
    message = rejected(project, write("f.jsonl", json.dumps(row | {"id": "f"})), columns=columns)
    assert "line 1: video 'film.mp4': the file is no MP4, WebM or Ogg video" in message


TURNS = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
]


def test_turns_of_a_chat(project, tmp_path, write):
    read = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    pd.DataFrame({"id": ["a"], "messages": [json.dumps(TURNS)]}).to_csv(tmp_path / "a.csv", index=False)
    import_files(project, tmp_path / "a.csv")
    import_files(project, write("b.jsonl", json.dumps({"id": "b", "text": TURNS})))
    pq.write_table(pa.table({"id": ["c"], "chat": [read]}), tmp_path / "c.parquet")
    import_files(project, tmp_path / "c.parquet")
    assert [*contents(project).values()] == [{"messages": read}] * 3


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('[{"role": ', "is no JSON, such as"),
        ([], "is no list of turns"),
        (["Hello"], "has no object with role and content as turn 1"),
        ([TURNS[0], {"content": "x"}], "has no 'role' of at most 50 characters in turn 2"),
        ([{"role": "user", "content": None}], "has no text 'content' in turn 1"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "has a part of type 'image_url' in turn 1"),
    ],
)
def test_turns_that_are_none(project, write, value, reason):
    path = write("a.jsonl", json.dumps({"id": "a", "messages": value}))
    assert f"line 1: column 'messages' {reason}" in rejected(project, path)


def test_features_need_examples(project, tmp_path):
    assert "name the file of the examples too" in rejected(project, features=tmp_path / "f.npy")


def test_examples_labels_and_gold_come_together(project, write):
    examples = write("e.csv", "id,text\n1,one\n2,two\n3,three\n")
    labels = write("l.csv", "item,worker,answer\n1,ann,bug\n1,bob,praise\n2,ann,bug\n1,ann,praise\n")
    gold = write("g.jsonl", '{"example": 3, "label": "praise"}\n')
    done = import_files(project, examples, labels=labels, gold=gold)
    assert (done.examples, done.labels, done.gold, done.rejected) == (3, 3, 1, [])
    known = project.labels()
    assert sorted(zip(known.example, known.annotator, known.label, strict=True)) == [
        (0, 0, 1),
        (0, 1, 1),
        (1, 0, 0),
    ]
    assert [one.gold for one in project.examples([0, 1, 2])] == [None, None, 1]
    again = import_files(project, labels=labels, gold=gold)
    assert (again.labels, again.gold) == (0, 1)
    assert project.labels().n_labels == 3


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("id,text\n1,one\n2,\n", {3: "holds no text"}),
        ('id,text\n1,"one\ntwo"\n,x\n', {4: "column 'id' holds no id"}),
        ("id,text\n1,one\n1,two\n2,x\n1,y\n", {3: "'1' is in line 2 already", 5: "'1' is in line 2 already"}),
        ("id,text\n1,one,more\n2,x\n", {2: "it has 3 columns, the header 2"}),
        ("id,text\n1,a\0b\n", {2: ""}),
        (f"id,text\n{'x' * 501},b\n", {2: "at most 500 characters"}),
    ],
)
def test_bad_rows_are_named_by_their_lines(project, write, content, lines):
    path = write("e.csv", content)
    message = rejected(project, path)
    if 2 in lines and not lines[2]:
        assert "e.csv" in message
    else:
        for line, reason in lines.items():
            assert f"line {line}: " in message
            assert reason in message
        done = import_files(project, path, leave_out=True)
        assert [line for _, line, _ in done.rejected] == list(lines)
        assert project.num_examples == done.examples
    assert [one.name for one in examine(project) if one.problem] == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("not json", "it is not JSON"),
        ("[1, 2]", "it is not a JSON object"),
        ('{"id": 1, "text": 5}', "holds no text"),
        ('{"id": 1, "text": "cut \\ud83d"}', "half a character"),
        ('{"id": "\\ud83d", "text": "x"}', "at most 500 characters: '\\ud83d'"),
        ('{"id": NaN, "text": "x"}', "holds no id"),
        ('{"id": {}, "text": "x"}', "at most 500 characters: '{}'"),
        ("[" * 100_000, "it is not JSON"),
    ],
)
@pytest.mark.parametrize("kind", ["text", "table"])
def test_bad_lines_of_json(tmp_path, write, row, reason, kind):
    if kind == "table" and "no text" in reason:
        reason = ""
    path = write("e.jsonl", '{"id": 0, "text": "good"}\n' + row + "\n")
    with create_project(tmp_path / "j.db", Settings(kind=kind)) as project:
        if reason:
            message = rejected(project, path)
            assert "e.jsonl, line 2" in message
            assert reason in message
        assert import_files(project, path, leave_out=True).examples == (1 if reason else 2)


def test_more_bad_rows_than_are_worth_showing(project, write):
    path = write("e.csv", "id,text\n" + "".join(f"{i},\n" for i in range(25)))
    message = rejected(project, path)
    assert message.startswith("25 rows are bad, nothing was imported.")
    assert "line 11" in message
    assert "line 12" not in message
    assert "and 15 more" in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.csv", "", "the file is empty"),
        ("e.csv", "id,text\n", "there is no row of data"),
        ("e.xlsx", "id,text\n1,x\n", "unknown file ending"),
        ("e.csv", b"PAR1....", "the content is not: it looks like Parquet"),
        ("e.csv", b"id,text\n1,caf\xe9\n", "is not UTF-8 text (line 2)"),
        ("e.csv", "id,id\n1,x\n", "appears"),
        ("e.csv", "name,a,b\n1,x,y\n", "Name it in columns=Columns(text="),
        ("e.csv", "task,uid,text\n1,2,x\n", "could each be the example. Say which column holds the example"),
        ("e.parquet", b"PAR1 but cut off", "cannot be read"),
        ("e.csv.gz", b"\x1f\x8b\x08\x00cut", "gzip data cannot be read"),
    ],
)
def test_files_that_are_no_tables_of_examples(project, write, name, content, message):
    path = write(name, content)
    said = rejected(project, path, columns=Columns(example="name" if b"name" in path.read_bytes() else None))
    assert message in said
    assert name in said or "--text" in said
    assert project.num_examples == 0


def test_a_file_that_is_not_there(project, tmp_path):
    assert "no such file" in rejected(project, tmp_path / "missing.csv")
    assert "is a folder" in rejected(project, tmp_path)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("9,ann,bug", "there is no example '9'"),
        ("1,ann,bugg", "'bugg' is none of the project's classes"),
        ("1,,bug", "'annotator' holds no annotator"),
        (",ann,bug", "'example' holds no example"),
        (f"1,{'x' * 101},bug", "is no name: 1 to 100 characters"),
    ],
)
def test_bad_labels_leave_the_examples_out_too(project, write, row, reason):
    examples = write("e.csv", "id,text\n1,one\n2,two\n")
    labels = write("l.csv", f"example,annotator,label\n2,bob,bug\n{row}\n")
    message = rejected(project, examples, labels=labels)
    assert "l.csv, line 3" in message
    assert reason in message
    assert project.num_examples == 0
    done = import_files(project, examples, labels=labels, leave_out=True)
    assert (done.examples, done.labels, len(done.rejected)) == (2, 1, 1)


def test_labels_need_classes(tmp_path, write):
    with create_project(tmp_path / "c.db", Settings()) as project:
        examples, labels = (
            write("e.csv", "id,text\n1,one\n"),
            write("l.csv", "example,annotator,label\n1,ann,bug\n"),
        )
        assert "activelab settings classes=a,b,c" in rejected(project, examples, labels=labels)


def test_labels_that_are_true_or_false(tmp_path):
    with create_project(tmp_path / "b.db", Settings(classes=("True", "False"))) as project:
        project.add_examples([("1", {"text": "x"})])
        pd.DataFrame({"example": [1], "annotator": ["a"], "label": [False]}).to_parquet(
            tmp_path / "l.parquet"
        )
        assert import_files(project, labels=tmp_path / "l.parquet").labels == 1


# ------------------------------------------------------------------ all or nothing


@pytest.mark.parametrize("when", ["in the middle", "at the end"])
def test_an_import_that_fails_leaves_nothing(place, make, tmp_path, write, monkeypatch, when):
    project, _ = make(place, 0, classes=("bug", "praise"))
    monkeypatch.setattr(pool, "BLOCK", 10)
    examples = write("e.csv", "id,text\n" + "".join(f"{i},text\n" for i in range(35)))
    labels = write("l.csv", "example,annotator,label\n1,ann,bug\n")
    name = {"in the middle": "_add_block", "at the end": "_show"}[when]
    real, calls = getattr(pool, name), []

    def fail(connection, *arguments, **options):
        calls.append(1)
        if when != "in the middle" or len(calls) == 3:
            raise StorageError("the disk is full")
        return real(connection, *arguments, **options)

    monkeypatch.setattr(pool, name, fail)
    with pytest.raises(StorageError):
        import_files(project, examples, labels=labels)
    monkeypatch.setattr(pool, name, real)

    def rows(table):
        return project.database.read(lambda c: c.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())

    assert (rows("example"), rows("event"), project.num_examples) == (0, 0, 0)
    assert "ann" not in project.labels().annotators
    done = import_files(project, examples, labels=labels)
    assert (done.examples, done.labels) == (35, 1)
    assert [one.name for one in examine(project) if one.problem] == []


def test_labels_come_in_small_transactions_between_which_people_label(place, make, write, monkeypatch):
    project, people = make(place, 0, classes=("bug", "praise"), labels_per_round=4)
    monkeypatch.setattr(given, "BLOCK", 10)
    examples = write("e.csv", "id,text\n" + "".join(f"{i},text\n" for i in range(50)))
    rows = "".join(f"{i},{who},bug\n" for i in range(50) for who in ("x", "y"))
    put, blocks = given.insert_labels, []

    def watched(connection, fresh, now, *rest):
        blocks.append(len(fresh))
        put(connection, fresh, now, *rest)

    def label(what, done, end):
        if what == "Importing labels":
            (lease,) = project.lease(people[0], 1)
            project.record(people[0], lease.id, "label", label="praise")

    monkeypatch.setattr(given, "insert_labels", watched)
    done = import_files(
        project, examples, labels=write("l.csv", f"example,annotator,label\n{rows}"), progress=label
    )
    assert (done.examples, done.labels) == (50, 100)
    assert blocks == [10] * 10
    assert project.labels().n_labels == 110
    assert [one.name for one in examine(project) if one.problem] == []


def test_gold_answers_come_in_small_transactions_new_examples_with_theirs(place, make, write, monkeypatch):
    project, people = make(place, 0, classes=("bug", "praise"))
    monkeypatch.setattr(given, "BLOCK", 10)
    table = write("e.csv", "id,text\n" + "".join(f"{i},text\n" for i in range(30)))
    gold = write("g.csv", "id,label\n" + "".join(f"{i},bug\n" for i in range(0, 30, 2)))
    assert import_files(project, table, gold=gold).gold == 15
    assert project.known_truths().tolist() == [0, -1] * 15

    def label(what, done, end):
        if what == "Importing gold answers":
            (lease,) = project.lease(people[0], 1)
            assert lease.example_id % 2, "the answers of the others are known"
            project.record(people[0], lease.id, "label", label="praise")
            steps.append((done, end))

    steps = []
    more = write("more.csv", "id,text\n" + "".join(f"{i},text\n" for i in range(30, 60)))
    gold = write("g2.csv", "id,label\n" + "".join(f"{i},praise\n" for i in range(0, 60, 2)))
    done = import_files(project, more, gold=gold, progress=label)
    assert (done.examples, done.gold, steps) == (30, 30, [(10, 15), (15, 15)])
    assert project.known_truths().tolist() == [1, -1] * 30
    assert [one.name for one in examine(project) if one.problem] == []
    while leases := project.lease(people[0], 5):
        for one in leases:
            assert one.example_id % 2
            project.record(people[0], one.id, "skip")
    project.set_gold({"0": None})
    assert project.known_truths()[0] == -1
    with pytest.raises(InputError, match=r"not in the project: 'no'"):
        project.set_gold({"2": "bug", "no": "bug"})
    assert project.known_truths()[2] == 1


def test_an_import_of_labels_that_is_stopped_is_repeated(place, make, write, monkeypatch):
    project, _ = make(place, 0, classes=("bug", "praise"))
    monkeypatch.setattr(given, "BLOCK", 10)
    examples = write("e.csv", "id,text\n" + "".join(f"{i},text\n" for i in range(35)))
    labels = write("l.csv", "example,annotator,label\n" + "".join(f"{i},ann,bug\n" for i in range(35)))
    put, calls = given.insert_labels, []

    def fail(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise StorageError("the disk is full.")
        put(*arguments)

    monkeypatch.setattr(given, "insert_labels", fail)
    with pytest.raises(StorageError, match=r"full\. The 35 examples are imported\. Import the labels alone"):
        import_files(project, examples, labels=labels)
    assert [one.name for one in examine(project) if one.problem] == []
    assert project.labels().n_labels == 20
    assert import_files(project, labels=labels).labels == 15
    assert project.labels().n_labels == 35
    assert import_files(project, labels=labels).labels == 0
    assert [one.name for one in examine(project) if one.problem] == []


def test_an_import_beside_another_is_refused(project, write):
    examples = write("e.csv", "id,text\n1,one\n")

    def rows():
        assert "another process imports examples" in rejected(project, examples)
        yield "a", {"text": "x"}

    project.add_examples(rows())
    assert list(contents(project)) == ["a"]


def test_labelling_goes_on_while_examples_come_in(place, make, monkeypatch):
    project, people = make(place, 3, 1)
    monkeypatch.setattr(pool, "BLOCK", 2)

    def rows():
        for i in range(6):
            if i == 4:
                lease = project.lease(people[0], 1)[0]
                project.record(people[0], lease.id, "label", label="a", source="page")
                assert project.num_examples == 3
                assert project.lease(people[0], 9)[-1].example_id < 3
            yield f"n{i}", {"text": "x"}

    project.add_examples(rows())
    assert project.num_examples == 9
    assert len(project.lease(people[0], 9)) == 8


def test_ids_that_are_there_already(project, write):
    path = write("e.csv", "id,text\n1,one\n2,two\n")
    import_files(project, path)
    more = write("more.csv", "id,text\n3,x\n2,y\n")
    assert "line 3: example '2' is in the project already" in rejected(project, more)
    assert import_files(project, more, leave_out=True).examples == 1
    assert list(contents(project)) == ["1", "2", "3"]


def test_progress_is_told(project, write, monkeypatch):
    monkeypatch.setattr(pool, "BLOCK", 2)
    said = []
    path = write("e.csv", "id,text\n" + "".join(f"{i},x\n" for i in range(5)))
    labels = write("l.csv", "example,annotator,label\n1,ann,bug\n")
    import_files(project, path, labels=labels, progress=lambda *one: said.append(one))
    assert said == [
        ("Checking examples", 0, None),
        ("Importing examples", 2, 5),
        ("Importing examples", 4, 5),
        ("Importing examples", 5, 5),
        ("Importing labels", 1, 1),
    ]


# ------------------------------------------------------------------ out again

EVIL = ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "\tx", "\rx"]


def test_texts_a_spreadsheet_would_run(tmp_path):
    with create_project(tmp_path / "f.db", Settings(classes=("=evil", "-1"))) as project:
        names = [name.strip() for name in EVIL] + ["-1.5", "plain"]
        names = list(dict.fromkeys(names))
        project.add_examples((name, {"text": "x"}) for name in names)
        project.add_labels((name, "@ann", "=evil" if i % 2 else "-1") for i, name in enumerate(names))
        for what in ("labels", "consensus", "batch", "events"):
            path = tmp_path / f"{what}.csv"
            export_table(project, what, path)
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
            cells = [cell for column in frame for cell in frame[column]]
            assert [c for c in cells if c[:1] in "=+@\t\r" and c] == []
            assert {c for c in cells if c[:1] == "-"} <= {"-1", "-1.5"}  # numbers stay numbers
            export_table(project, what, tmp_path / "t.parquet")
            if what == "labels":
                assert pq.read_table(tmp_path / "t.parquet")["example"].to_pylist() == names
                assert frame["example"].tolist() == [
                    f"'{n}" if n[0] in "=+@" or n == "-2+3+cmd" else n for n in names
                ]


def test_tables_out_of_a_project(place, make, tmp_path):
    project, people = make(place, 20, 2, classes=("a", "b"))
    project.add_labels((f"e{i}", f"ann{who}", "ab"[i % 2]) for i in range(10) for who in (0, 1))
    done = export_table(project, "consensus", tmp_path / "c.csv")
    assert (done.rows, done.notes) == (10, ("consensus by majority vote: no model is trained yet.",))
    truth = np.array([i % 2 for i in range(20)])
    train_round(project, pred_probs=np.where(truth[:, None] == [0, 1], 0.9, 0.1))
    lease = project.lease(people[0], 2)
    project.record(people[0], lease[0].id, "label", label="a", source="page", seconds=2.5)
    project.record(people[0], lease[1].id, "skip", reason="blurred", source="page")
    project.undo(people[0])

    def read(what):
        done = export_table(project, what, tmp_path / "t.jsonl")
        rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
        assert done.rows == len(rows)
        return rows

    labels = read("labels")
    assert len(labels) == 21
    assert labels[-1] | {"time": ""} == {
        "example": f"e{lease[0].example_id}", "annotator": "ann0", "label": "a",
        "abstained": False, "time": "", "source": "page",
    }  # fmt: skip
    assert labels[-1]["time"].endswith("+00:00")
    events = read("events")
    assert [one["kind"] for one in events[-3:]] == ["label", "skip", "undo"]
    assert (events[-2]["reason"], events[-3]["seconds"], events[-1]["undoes"]) == (
        "blurred",
        2.5,
        events[-2]["id"],
    )
    consensus = {one["example"]: one["consensus_label"] for one in read("consensus")}
    assert consensus["e3"] == "b"
    batch = read("batch")
    assert {one["kind"] for one in batch} <= {"new", "relabel"}
    assert all(0 <= one["score"] <= 1 for one in batch)
    project.add_examples([("later", {"text": "x"})])
    assert "added since" in export_table(project, "consensus", tmp_path / "c.csv").notes[0]
    with pytest.raises(InputError, match="Did you mean 'labels'"):
        export_table(project, "lables", tmp_path / "x.csv")
