"""What a backup is restored to, and what it is not."""

from __future__ import annotations

import shutil
import sqlite3
import time

import pytest

from activelab._errors import InputError
from activelab.project import open_project
from activelab.project.files.backup import back_up, restore
from activelab.project.files.doctor import examine
from activelab.project.labelling import rounds
from activelab.project.store.database import Database
from activelab.project.store.upgrades import downgrade, revisions, schema_state


def test_a_copy_of_an_older_version_made_during_a_training_is_brought_up_to_date(tmp_path, make):
    project, _ = make(str(tmp_path / "p.db"), 5)
    project.add_labels([("e1", "somebody", "a")])
    project.database.write(lambda c: rounds.begin_round(c, time.time() - 1e6))
    copy, new = tmp_path / "copy.db", tmp_path / "new.db"
    back_up(project, copy)
    database = Database(copy)
    downgrade(database, revisions()[-2])
    database.close()
    before = copy.read_bytes()
    copy.chmod(0o440)
    (tmp_path / "new.db.key").write_text("key")
    done = restore(copy, new)
    assert (done.examples, done.labels, done.upgraded, done.key) == (5, 1, True, True)
    assert "nobody trains it" in done.repaired[0]
    assert new.stat().st_mode & 0o777 == 0o640
    assert copy.read_bytes() == before
    with open_project(new) as again:
        assert schema_state(again.database) == "current"
        assert not [one for one in examine(again) if one.problem]
    assert {path.name for path in tmp_path.iterdir() if "new" in path.name} == {"new.db", "new.db.key"}
    with pytest.raises(InputError, match="exists already"):
        restore(copy, new)


def test_what_is_damaged_is_not_restored(tmp_path, make):
    project, _ = make(str(tmp_path / "p.db"), 300)
    copy, new = tmp_path / "copy.db", tmp_path / "new.db"
    back_up(project, copy)
    whole = copy.read_bytes()
    for damaged, message in (
        (whole[: len(whole) // 2], "damaged"),
        (whole[:100] + bytes(4000) + whole[4100:], "damaged"),
        (b"my notes", "no backup"),
        (b"PGDMP" + bytes(100), "pg_dump"),
    ):
        copy.write_bytes(damaged)
        with pytest.raises(InputError, match=message):
            restore(copy, new)
    with sqlite3.connect(copy := tmp_path / "other.db") as other:
        other.execute("CREATE TABLE mine (a)")
    other.close()
    with pytest.raises(InputError, match="no project"):
        restore(copy, new)
    shutil.copy(tmp_path / "p.db", copy)
    (tmp_path / "other.db-wal").write_bytes(b"x")
    with pytest.raises(InputError, match="activelab backup"):
        restore(copy, new)
    assert [path for path in tmp_path.iterdir() if "new" in path.name] == []


def test_without_programs_of_postgresql_it_is_said_what_to_run(postgresql, make, monkeypatch):
    project, _ = make(postgresql, 3)
    monkeypatch.setenv("PATH", "/nowhere")
    said = r"pg_dump --format=custom .*--dbname 'postgresql://\S+' --file 'copy.dump'$"
    with pytest.raises(InputError, match=said):
        back_up(project, "copy.dump")
