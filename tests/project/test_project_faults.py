"""A disk that is full and files that may not be written: a clear error, and nothing half-written."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from project_store import add_person
from sqlalchemy import func, select

from activelab.project import Settings, StorageError, create_project, open_project
from activelab.project.files.doctor import examine
from activelab.project.store.schema import example

pytestmark = pytest.mark.slow


def command(*arguments: str, largest_file: int | None = None, without_rights: bool = False):
    """Run the command line, with files of at most some bytes, or with the rights of no more than an owner."""
    words = [sys.executable, "-m", "activelab", *arguments]
    if without_rights and os.geteuid() == 0:
        # Root may write what nobody may; as every other user it may not without this capability.
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *words]

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return subprocess.run(words, capture_output=True, text=True, preexec_fn=limit, check=False)


def one_line(done) -> str:
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def well(place) -> dict[str, object]:
    """What is in a project, which must be whole."""
    with open_project(place) as project:
        assert [(one.name, one.problem) for one in examine(project) if one.problem] == []
        labels = project.labels()
        return {"examples": project.num_examples, "labels": labels.n_labels, "people": len(labels.annotators)}


@pytest.fixture
def filled(tmp_path):
    """A project in which four examples are labelled, and a table of many more."""
    place = tmp_path / "project.db"
    with create_project(place, Settings(classes=("a", "b"))) as project:
        project.add_examples((f"e{i}", {"text": f"text {i}"}) for i in range(20))
        project.add_labels((f"e{i}", "ann", "ab"[i % 2]) for i in range(4))
    rows = "".join(f"n{i},{'long ' * 40}{i}\n" for i in range(20_000))
    (tmp_path / "more.csv").write_text("id,text\n" + rows)
    return place


BEFORE = {"examples": 20, "labels": 4, "people": 1}


def test_an_import_into_a_full_disk(filled, tmp_path):
    """A limit on the size of files, which is there for root too; to SQLite it looks like a quota."""
    said = one_line(command("import", str(filled), str(tmp_path / "more.csv"), largest_file=2**20))
    assert "project.db: " in said
    assert "a quota is used up. Nothing of this was stored" in said
    assert well(filled) == BEFORE
    done = command("import", str(filled), str(tmp_path / "more.csv"))
    assert done.returncode == 0, done.stderr
    assert well(filled) == BEFORE | {"examples": 20_020}


@pytest.mark.parametrize(
    "arguments", [("backup", "{place}", "{folder}/copy.db"), ("init", "{folder}/new.db")]
)
def test_what_is_written_into_a_full_disk_is_not_there(filled, tmp_path, arguments):
    words = [one.format(place=filled, folder=tmp_path) for one in arguments]
    before = sorted(one.name for one in tmp_path.iterdir())
    one_line(command(*words, largest_file=40_000))
    assert sorted(one.name for one in tmp_path.iterdir()) == before
    assert well(filled) == BEFORE


@pytest.fixture
def small_disk():
    """A file system of two megabytes, where the machine lets one be made; else a file size limit must do."""
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    yield folder if mounted.returncode == 0 else None
    if mounted.returncode == 0:
        subprocess.run(["umount", str(folder)], check=True)
    shutil.rmtree(folder)


def fill_up(project, disk: Path | None) -> None:
    if disk is None:  # SQLite itself then says that the disk is full
        pages = "PRAGMA page_count"
        project.database.write(
            lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {c.exec_driver_sql(pages).scalar_one()}")
        )
        return
    with suppress(OSError), open(disk / "ballast", "wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 1024)


def make_room(project, disk: Path | None) -> None:
    if disk is None:
        project.database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    else:
        (disk / "ballast").unlink()


def test_people_at_work_when_the_disk_fills_up(small_disk, filled, tmp_path):
    """Every label that was acknowledged is there, none that was refused; with room again it goes on."""
    place = filled if small_disk is None else Path(shutil.copy(filled, small_disk / "project.db"))
    stored, refused = 4, ""
    with open_project(place) as project:
        who = add_person(project, "bob")
        fill_up(project, small_disk)
        for _ in range(20):
            try:
                lease = project.lease(who, 1)[0]
                project.record(who, lease.id, "label", label="a", reason="x" * 5000, source="page")
                stored += 1
            except StorageError as error:
                refused = str(error)
                break
        assert "the disk is full. Nothing of this was stored" in refused
        make_room(project, small_disk)
        assert project.labels().n_labels == stored
        lease = project.lease(who, 1)[0]
        project.record(who, lease.id, "label", label="a", source="page")
    assert well(place)["labels"] == stored + 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "{place}", "--labels", "{labels}"),
        ("train", "{place}"),
        ("settings", "{place}", "budget=5"),
        ("annotator", "add", "{place}", "bob"),
    ],
)
def test_a_file_that_may_only_be_read(filled, tmp_path, arguments):
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "".join(["example,annotator,label\n", *(f"e{i},bob,{'ab'[i % 2]}\n" for i in range(9))])
    )
    if arguments[0] == "train":
        done = command("import", str(filled), "--labels", str(labels))
        assert done.returncode == 0, done.stderr
    before = well(filled)
    filled.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        words = [one.format(place=filled, labels=labels) for one in arguments]
        said = one_line(command(*words, without_rights=True))
    finally:
        tmp_path.chmod(0o755)
        filled.chmod(0o644)
    assert "project.db: " in said
    assert "read-only" in said or "cannot be opened" in said
    assert well(filled) == before


@pytest.mark.parametrize("closed", [True, False])
def test_what_may_only_be_read_is_read(filled, tmp_path, closed):
    folder = tmp_path / "medium"
    folder.mkdir()
    with open_project(filled) as project:
        if not closed:  # as after a power failure
            add_person(project, "bob")
        for file in tmp_path.glob("project.db*"):
            shutil.copy(file, folder)
    for file in folder.glob("*-shm"):
        file.unlink()
    if closed:
        for file in folder.glob("*-wal"):
            file.unlink()
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    place, table = str(folder / "project.db"), tmp_path / "labels.csv"
    try:
        if not closed:
            assert "ends in -wal. Copy both" in one_line(command("status", place, without_rights=True))
            return
        for words in (("status",), ("doctor",), ("export", "--what", "labels", "-o", str(table))):
            done = command(words[0], place, *words[1:], without_rights=True)
            assert (done.returncode, done.stderr) == (0, "")
        said = one_line(command("annotator", "add", place, "eve", without_rights=True))
        assert "read-only. Nothing was stored" in said
    finally:
        folder.chmod(0o755)
    assert len(table.read_text().splitlines()) == 1 + 4


def test_an_import_that_is_told_to_end_clears_up_and_is_repeated_at_once(filled, tmp_path):
    rows = select(func.count()).select_from(example)
    words = [sys.executable, "-m", "activelab", "import", str(filled), str(tmp_path / "more.csv")]
    with open_project(filled) as project:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while project.database.read(lambda c: c.execute(rows).scalar_one()) == 20:
            assert process.poll() is None, process.communicate()[1]
        process.terminate()
        assert (process.wait(), process.communicate()[1]) == (143, "")
        assert project.database.read(lambda c: c.execute(rows).scalar_one()) == 20
    done = command(*words[3:])
    assert done.returncode == 0, done.stderr


def test_a_folder_in_which_nothing_may_be_made(filled, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    try:
        assert "Permission denied" in one_line(command("init", str(folder / "new.db"), without_rights=True))
        said = one_line(command("backup", str(filled), str(folder / "copy.db"), without_rights=True))
        assert "the copy cannot be written" in said
    finally:
        folder.chmod(0o755)
    assert list(folder.iterdir()) == []
