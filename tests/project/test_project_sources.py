"""From nothing to a project: texts, folders, archives and tables as they come, and what is guessed."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from activelab import InputError
from activelab.project import Settings, create_project
from activelab.project.files import proposal
from activelab.project.files.examples import content_id
from activelab.project.files.importing import Columns, import_files
from activelab.project.files.proposal import propose


@pytest.fixture
def project(tmp_path):
    with create_project(tmp_path / "project.db", Settings(classes=("bug", "praise"))) as one:
        yield one


@pytest.fixture
def image_project(tmp_path):
    with create_project(tmp_path / "images.db", Settings(kind="image", classes=("x", "y"))) as one:
        yield one


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    names = ["b.png", "a/2.jpg", "a/1.png", ".hidden.png", "__MACOSX/b.png", ".git/c.png"]
    for at, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2), (at, 0, 0)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def contents(project) -> dict[str, dict[str, object]]:
    return {one.name: one.content for one in project.examples(range(project.num_examples))}


def rejected(*arguments, **options) -> str:
    with pytest.raises(InputError) as error:
        import_files(*arguments, **options)
    return str(error.value)


def labels_of(project) -> list[tuple[str, str, str]]:
    known, names = project.labels(), project.example_names()
    return sorted(
        (names[e], str(known.annotators[a]), str(known.classes[k]))
        for e, a, k in zip(known.example, known.annotator, known.label, strict=True)
    )


# ------------------------------------------------------------------ texts and ids


def test_a_text_a_line(project, write):
    path = write("t.txt", "\ufeff one\r\n\n  \ntwo, with a comma\none\n")
    done = import_files(project, path)
    assert [*contents(project).values()] == [{"text": "one"}, {"text": "two, with a comma"}]
    assert "1 row left out that say" in " ".join(done.notes)
    assert "is not UTF-8 text (line 2)" in rejected(project, write("u.txt", b"one\ncaf\xe9\n"))
    assert "the file is empty" in rejected(project, write("e.txt", ""))
    assert "there is no row" in rejected(project, write("b.txt", "\n \n"))


def test_a_json_array(project, write):
    rows = [{"id": 1, "text": "one"}, {"id": 2, "text": "two", "more": [1.5]}]
    assert import_files(project, write("e.json", json.dumps(rows))).examples == 2
    assert contents(project) == {"1": {"text": "one"}, "2": {"text": "two"}}
    assert "cannot be read as JSON" in rejected(project, write("f.json", '[{"id": 3, "text": '))


def test_ids_made_of_the_content_are_the_same_in_every_file(tmp_path, write):
    files = [
        write("a.csv", "text\none\ntwo\n"),
        write("b.txt", "two\none\n"),
        write("c.csv", ",text\n7,one\n"),
    ]
    names = []
    for at, path in enumerate(files):
        with create_project(tmp_path / f"{at}.db", Settings()) as project:
            import_files(project, path)
            names.append({content["text"]: name for name, content in contents(project).items()})
    assert names[0] == names[1] == {text: content_id({"text": text}) for text in ("one", "two")}
    assert names[2] == {"one": names[0]["one"]}
    assert len({content_id({"text": str(i)}) for i in range(1000)}) == 1000
    assert content_id({"a": 1, "b": 2}) == content_id({"b": 2, "a": 1}) != content_id({"a": 2, "b": 1})


def test_rows_without_ids_are_what_they_hold(tmp_path, write):
    path = write("rows.csv", "colour,size\nred,1.5\nblue,2.5\nred,1.5\n")
    with create_project(tmp_path / "t.db", Settings(kind="table")) as project:
        done = import_files(project, path)
        assert [*contents(project).values()] == [
            {"colour": c, "size": s} for c, s in (("red", "1.5"), ("blue", "2.5"))
        ]
        assert any("ids" in note and "content" in note for note in done.notes)


@pytest.mark.parametrize("ids", [True, False])
def test_what_is_there_is_passed_over(project, tmp_path, write, ids):
    def table(name, texts):
        rows = [f"{text[0]},{text}" if ids else text for text in texts]
        return write(name, "\n".join(["id,text" if ids else "text", *rows]) + "\n")

    def features(values):
        np.save(tmp_path / "f.npy", np.array(values, dtype=float)[:, None])
        return tmp_path / "f.npy"

    import_files(project, table("a.csv", ["one", "two"]), features=features([1, 2]))
    more = table("b.csv", ["xyz", "two", "nine"])
    message = rejected(project, more, features=features([3, 4, 5]))
    assert "line 3: " in message
    assert message.endswith("is in the project already. Pass over them with skip_known=True.")
    done = import_files(project, more, features=features([3, 4, 5]), skip_known=True)
    assert (done.examples, done.skipped, done.rejected) == (2, 1, [])
    np.testing.assert_array_equal(project.features()[:, 0], [1, 2, 3, 5])
    again = import_files(project, more, features=features([3, 4, 5]), skip_known=True)
    assert (again.examples, again.skipped, project.num_examples) == (0, 3, 4)


def test_features_of_rows_that_repeat_are_not_used(project, tmp_path, write):
    np.save(tmp_path / "f.npy", np.arange(4.0)[:, None])
    import_files(project, write("a.csv", "text\none\none\ntwo\none\n"), features=tmp_path / "f.npy")
    np.testing.assert_array_equal(project.features()[:, 0], [0, 2])


# ------------------------------------------------------------------ folders and archives


def test_a_folder_of_images(image_project, photos, tmp_path):
    done = import_files(image_project, photos)
    names = ["a/1.png", "a/2.jpg", "b.png"]
    assert contents(image_project) == {name: {"image": name} for name in names}
    assert image_project.settings.image_root == os.path.realpath(photos)
    assert done.notes == [f"{photos}: 1 file left out, by ending: .txt (1)."]
    (photos / "new").mkdir()
    Image.new("RGB", (2, 2)).save(photos / "new" / "c.png")
    assert import_files(image_project, photos / "new").examples == 1
    assert image_project.example_names()[-1] == "new/c.png"
    (tmp_path / "other").mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "other" / "d.png")
    assert "the folder of the project's media; move it there" in rejected(image_project, tmp_path / "other")


def test_a_folder_with_a_bad_image_or_none(image_project, project, photos, tmp_path):
    (photos / "a" / "3.png").write_text("no image")
    assert "'a/3.png': the file is no PNG" in rejected(image_project, photos)
    assert (image_project.num_examples, image_project.settings.image_root) == (0, None)
    (tmp_path / "words").mkdir()
    assert "holds no image that browsers show" in rejected(image_project, tmp_path / "words")
    assert "come from a table or a .txt" in rejected(project, photos)


def zipped(path: Path, files: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_an_archive_of_images(image_project, photos, tmp_path):
    files = {str(one.relative_to(photos)): one.read_bytes() for one in photos.rglob("*") if one.is_file()}
    path = zipped(tmp_path / "p.zip", files)
    assert "image_root=" in rejected(image_project, path)
    done = import_files(image_project, path, image_root=tmp_path / "media")
    names = ["a/1.png", "a/2.jpg", "b.png"]
    assert image_project.example_names() == names
    there = [one for one in (tmp_path / "media").rglob("*") if one.is_file()]
    assert sorted(str(one.relative_to(tmp_path / "media")) for one in there) == names
    assert ".txt (1)" in done.notes[0]
    again = import_files(image_project, path, skip_known=True)
    assert (again.examples, again.skipped) == (0, 3)
    other = zipped(tmp_path / "q.zip", {"c.png": files["b.png"], "b.png": files["a/1.png"]})
    assert "there is another file 'b.png'" in rejected(image_project, other, skip_known=True)
    assert (tmp_path / "media" / "b.png").read_bytes() == files["b.png"]
    assert not (tmp_path / "media" / "c.png").exists()


def entry(name: str, mode: int = stat.S_IFREG | 0o600) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["ok.png", "../out.png"], "may leave the folder"),
        (["/tmp/out.png"], "may leave the folder"),
        (["a/../../out.png"], "may leave the folder"),
        (["..\\out.png"], "may leave the folder"),
        (["C:/out.png"], "may leave the folder"),
        ([entry("link.png", stat.S_IFLNK | 0o777)], "holds a link or a device"),
        (["a.png", "a.png"], "holds 'a.png' twice"),
        (["page.html", "drawing.svg"], "holds no image that browsers show"),
        (["a.png", "a.png/b.png"], "is not a folder"),
        (["bad.png"], "the file is no PNG"),
        ([], "holds no image"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_refused(image_project, tmp_path, photos, names, message):
    data = b"x" * 100 if names == ["bad.png"] else (photos / "b.png").read_bytes()
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, data)
    before = sorted(tmp_path.rglob("*"))
    assert message in rejected(image_project, path, image_root=tmp_path / "media")
    assert sorted(tmp_path.rglob("*")) == before
    assert image_project.num_examples == 0


def test_archives_that_are_traps_or_damaged(image_project, tmp_path, photos, monkeypatch):
    good = zipped(tmp_path / "good.zip", {"a.png": (photos / "b.png").read_bytes()})
    data, media = good.read_bytes(), tmp_path / "media"
    (tmp_path / "locked.zip").write_bytes(
        data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    )
    assert "is encrypted" in rejected(image_project, tmp_path / "locked.zip", image_root=media)
    (tmp_path / "cut.zip").write_bytes(data[:40])
    assert "cannot be read as a zip archive" in rejected(
        image_project, tmp_path / "cut.zip", image_root=media
    )
    at = data.index(b"a.png") + 10
    (tmp_path / "damaged.zip").write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
    assert "cannot be read as a zip archive" in rejected(
        image_project, tmp_path / "damaged.zip", image_root=media
    )
    monkeypatch.setattr("activelab.tables._bounded.FREE", 1000)
    bomb = zipped(tmp_path / "bomb.zip", {"a.png": bytes(2**20)})
    assert "far more than its size" in rejected(image_project, bomb, image_root=media)
    monkeypatch.setattr("activelab.project.files.sources.MOST_FILES", 0)
    assert "holds 1 files; at most 0" in rejected(image_project, good, image_root=media)
    assert not media.exists()


# ------------------------------------------------------------------ labels in the same table


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_row_a_label_with_its_text(project, tmp_path, ending):
    rows = [
        (1, "ann", "bug", "one"),
        (2, "ann", "praise", "two"),
        (1, "bob", "praise", "one"),
        (3, None, None, "three"),
    ]
    frame = pd.DataFrame(rows, columns=["id", "worker", "label", "text"])
    path = tmp_path / f"e.{ending}"
    {
        "csv": lambda: frame.to_csv(path, index=False),
        "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
        "parquet": lambda: frame.to_parquet(path),
    }[ending]()
    found = propose(path)
    assert (found.kind, found.classes, found.num_rows, found.num_labels) == ("text", ("praise", "bug"), 4, 3)
    done = import_files(project, path, labels=path, columns=found.columns)
    assert (done.examples, done.labels, done.rejected, done.notes) == (3, 3, [], [])
    assert contents(project) == {"1": {"text": "one"}, "2": {"text": "two"}, "3": {"text": "three"}}
    assert labels_of(project) == [("1", "ann", "bug"), ("1", "bob", "praise"), ("2", "ann", "praise")]
    again = import_files(project, path, labels=path, skip_known=True)
    assert (again.examples, again.skipped, again.labels) == (0, 3, 0)


def test_labels_without_ids_and_without_annotators(project, write):
    path = write("e.csv", "text,label\none,bug\ntwo,\nthree,praise\n")
    done = import_files(project, path, labels=path, label_as="old team")
    ids = {text: content_id({"text": text}) for text in ("one", "three")}
    assert labels_of(project) == sorted(
        [(ids["one"], "old team", "bug"), (ids["three"], "old team", "praise")]
    )
    assert (done.examples, done.labels) == (3, 2)
    assert any("'old team'" in note for note in done.notes)
    bad = write("f.csv", "text,label\nfour,bug\nfive,bugg\n")
    assert "f.csv, line 3: 'bugg' is none of the project's classes" in rejected(project, bad, labels=bad)
    none = write("g.csv", "text\nsix\n")
    assert "no column 'label'; the file has: 'text'" in rejected(project, none, labels=none)


def test_one_id_with_two_contents_is_refused(project, write):
    path = write("e.csv", "id,text,annotator,label\n1,one,ann,bug\n1,uno,bob,bug\n")
    message = "line 3: example '1' is in line 2 already"
    assert message + ", with another content" in rejected(project, path, labels=path)
    rows = "".join(f"{i % 9},text {i % 9},w{i % 4},bug\n" for i in range(60))
    long = write("long.csv", "item,text,annotator,label\n" + rows)
    assert "line 11: example '0' is in line 2 already" in rejected(project, long)
    assert any(message in problem for problem in propose(path).problems)


def test_labels_of_a_table_are_not_shown(tmp_path, write):
    header = "id,size,label,annotator,time\n"
    path = write("rows.csv", header + "1,3,x,ann,1\n2,5,y,ann,2\n1,3,y,bob,3\n1,3,y,ann,4\n")
    with create_project(tmp_path / "t.db", Settings(kind="table", classes=("x", "y"))) as project:
        found = propose(path, kind="table")
        assert import_files(project, path, labels=path, columns=found.columns).labels == 3
        assert contents(project) == {"1": {"size": "3"}, "2": {"size": "5"}} == dict(found.preview)
        assert labels_of(project) == [("1", "ann", "y"), ("1", "bob", "y"), ("2", "ann", "y")]


# ------------------------------------------------------------------ proposals


def many(*columns: str) -> str:
    """A table of 60 rows; a column is named by what it holds."""
    made = {
        "id": lambda i: str(i),
        "ticket_no": lambda i: f"T-{i:03}",
        "inhalt": lambda i: f"Die Seite {i} ist leer, seit ich mich angemeldet habe",
        "name": lambda i: f"Anna Number{i}",
        "area": lambda i: ("north", "south", "west")[i % 3],
        "shop": lambda i: ("web", "phone")[i % 2],
        "label": lambda i: "bug" if i % 3 else "praise",
        "rating": lambda i: f"{1 + i % 5}.0",
        "answer": lambda i: f"a long answer that nobody gave before, number {i}",
        "user": lambda i: f"user{i}",
        "worker": lambda i: f"w{i % 4}",
        "price": lambda i: f"{i * 0.37:.2f}",
        "picture": lambda i: f"shots/{i}.JPG",
        "url": lambda i: f"https://example.org/{i}.png",
        "Unnamed: 0": lambda i: str(i),
        "text": lambda i: f"text number {i}",
        "split": lambda i: "train" if i % 4 else "test",
    }
    lines = [",".join(columns), *(",".join(f'"{made[c](i)}"' for c in columns) for i in range(60))]
    return "\n".join(lines) + "\n"


AREAS = ("north", "south", "west")
KINDS = ("bug", "praise")


@pytest.mark.parametrize(
    ("columns", "kind", "roles", "classes"),
    [
        ("text", "text", "text=text example=", ()),
        ("Unnamed: 0|text|label", "text", "text=text example= label=label", KINDS),
        ("ticket_no|inhalt", "text", "text=inhalt example=ticket_no", ()),
        ("inhalt|area", "text", "text=inhalt example= label=area", AREAS),
        # Two columns that could be labels: none is taken. What says where a row belongs is none.
        ("id|inhalt|area|shop", "text", "text=inhalt example=id", ()),
        ("id|inhalt|area|split", "text", "text=inhalt example=id label=area", AREAS),
        # As many answers as rows are no labels, as many users as rows are no annotators.
        ("id|text|answer", "text", "text=text example=id", ()),
        ("id|text|user|label", "text", "text=text example=id label=label", KINDS),
        ("id|text|worker|label", "text", "text=text example=id label=label annotator=worker", KINDS),
        ("id|text|rating", "text", "text=text example=id label=rating", ("1", "2", "3", "4", "5")),
        ("picture|area", "image", "image=picture example=picture label=area", AREAS),
        ("id|picture|text", "text", "text=text example=id", ()),
        ("id|url|text", "text", "text=text example=id", ()),
        ("id|name|area|shop|price", "table", "example=id", ()),
        ("price|area|label", "table", "example= label=label", KINDS),
    ],
)  # fmt: skip
def test_what_a_table_is(write, tmp_path, columns, kind, roles, classes):
    columns, roles = columns.split("|"), dict(one.split("=") for one in roles.split())
    path = write("e.csv", many(*columns))
    found = propose(path)
    assert (found.kind, found.names, found.num_rows) == (kind, tuple(columns), 60)
    assert {name: one for name, one in vars(found.columns).items() if one is not None and one != ()} == roles
    assert found.classes == classes
    assert found.num_labels == (60 if "label" in roles else 0)
    if kind == "image":
        assert found.problems == ("its files need the folder they are in.",)
        return
    assert found.problems == ()
    # What is guessed is what an import takes, with the columns of the proposal and without.
    with create_project(tmp_path / "p.db", Settings(kind=kind, classes=classes)) as project:
        import_files(project, path, labels=path if classes else None)
        assert tuple((one.name, one.content) for one in project.examples(range(5))) == found.preview
        assert len(labels_of(project)) == found.num_labels
        again = import_files(
            project, path, labels=path if classes else None, columns=found.columns, skip_known=True
        )
        assert (again.examples, again.labels, again.skipped) == (0, 0, project.num_examples)


@pytest.mark.parametrize("form", ["txt", "json", "folder", "zip", "beside"])
def test_a_proposal_is_what_an_import_makes(write, tmp_path, photos, form):
    source = {
        "txt": lambda: write("t.txt", "one\n\ntwo\n"),
        "json": lambda: write("t.json", '[{"text": "one"}, {"text": "two"}]'),
        "folder": lambda: photos,
        "zip": lambda: zipped(tmp_path / "p.zip", {"a/b.png": (photos / "b.png").read_bytes()}),
        "beside": lambda: Path(write("photos/t.csv", "file\nb.png\na/1.png\n")),
    }[form]()
    found = propose(source)
    assert found.kind == ("text" if form in ("txt", "json") else "image")
    assert (found.problems, found.classes, found.num_labels) == ((), (), 0)
    assert bool(found.names) == (form in ("json", "beside"))
    with create_project(tmp_path / "new.db", Settings(kind=found.kind)) as project:
        root = found.media_folder or tmp_path / "media" if found.kind == "image" else None
        import_files(project, source, columns=found.columns, image_root=root)
        assert tuple(contents(project).items()) == found.preview
        assert project.num_examples == found.num_rows


def test_what_the_user_says_counts(write):
    path = write("e.csv", many("id", "inhalt", "area", "shop"))
    found = propose(path, columns=Columns(label="shop", example=""))
    assert (found.columns.label, found.columns.example, found.classes) == ("shop", "", ("web", "phone"))
    assert (
        propose(write("f.csv", many("id", "text", "label")), columns=Columns(label="")).columns.label is None
    )
    table = propose(path, kind="table")
    assert (table.kind, [*table.preview[0][1]]) == ("table", ["inhalt", "area", "shop"])
    with pytest.raises(InputError, match="no column 'labels'; the file has: 'id', 'inhalt', 'area', 'shop'"):
        propose(path, columns=Columns(label="labels"))
    with pytest.raises(InputError, match="Did you mean 'text'"):
        propose(path, kind="txt")


def test_problems_and_doubts_are_said_in_words(write):
    found = propose(write("e.csv", "id,text\n1,one\n2,\n3\n1,uno\n"))
    assert found.problems == (
        "line 3: column 'text' holds no text",
        "line 4: it has 1 columns, the header 2",
        "line 5: example '1' is in line 2 already",
    )
    assert [name for name, _ in found.preview] == ["1"]
    (note,) = propose(write("n.csv", "The page is blank now\nIt is late\n")).notes
    assert note.startswith("the first line is read as the names of the columns, such as 'The page is blank")
    lines = propose(write("n.txt", "T-1\nT-2\n"), kind="table")
    assert (lines.columns.example, [*lines.preview[0][1]]) == (None, ["text"])
    doubtful = propose(write("f.csv", "id,a,b\n1,x,y\n"), kind="text")
    assert doubtful.problems[0].startswith("it is not clear which column is the text; column 'a'")
    for name, content, message in [
        ("g.csv", "item,annotator,label\n1,ann,x\n", "nothing to show"),
        ("h.csv", "id,text\n", "there is no row of data"),
        ("i.docx", "words", ".txt, images, audio or video in a folder or .zip"),
    ]:
        with pytest.raises(InputError, match=message):
            propose(write(name, content))


def test_labels_that_are_too_many_are_no_classes(write, monkeypatch):
    rows = "".join(f"{i},text {i},c{i // 2}\n" for i in range(60))
    found = propose(write("e.csv", "id,text,label\n" + rows))
    assert (len(found.classes), found.num_labels) == (30, 60)
    monkeypatch.setattr(proposal, "MOST_CLASSES", 20)
    found = propose(write("e.csv", "id,text,label\n" + rows))
    assert (found.classes, found.num_labels) == ((), 60)
    assert any("more than 20 different values" in note for note in found.notes)
    monkeypatch.setattr(proposal, "MOST_ROWS", 50)
    found = propose(write("e.csv", "id,text,label\n" + rows))
    assert found.num_rows == 50
    assert any("more than 50 rows" in note for note in found.notes)


@pytest.mark.skipif("ACTIVELAB_DATA" not in os.environ, reason="needs real data")
@pytest.mark.parametrize(
    ("name", "kind", "roles"),
    [
        ("sentiment_polarity/items.parquet", "text", {"example": "item", "text": "text"}),
        ("varierr_nli/items.parquet", "text", {"example": "item", "text": "context", "show": ("statement",)}),
        ("snow_affect/test.parquet", "text", {"example": "", "text": "text"}),
        ("llm_and_people/cebab_stars/items.csv.gz", "text", {"example": "item", "text": "text"}),
        ("llm_and_people/lgbteen/items.csv.gz", "table", {"example": "item"}),
        ("bluebirds/items.csv", "table", {"example": "item"}),
    ],
)
def test_what_real_tables_are(name, kind, roles):
    found = propose(Path(os.environ["ACTIVELAB_DATA"], name))
    assert found.kind == kind
    assert {key: one for key, one in vars(found.columns).items() if one is not None and one != ()} == roles
    assert (found.problems, found.num_labels) == ((), 0)
