"""Files that appear whole or not at all."""

from __future__ import annotations

import pytest

from activelab._whole import whole_file, whole_path


def names(folder):
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_appears_when_it_is_whole(tmp_path, sync):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with whole_file(target, sync=sync) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert (target.read_text(), names(tmp_path)) == ("new", ["table.csv"])


def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")

    def write():
        with whole_file(target) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert (target.read_text(), names(tmp_path)) == ("old", ["table.csv"])


def test_a_link_goes_on_to_point_at_the_file(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with whole_file(tmp_path / "link.csv") as file:
        file.write(b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_is_there_is_kept_if_it_is_to_be(tmp_path, links, monkeypatch):
    def refuse(*_):
        raise PermissionError("no hard links here")

    if not links:
        monkeypatch.setattr("os.link", refuse)
    target = tmp_path / "copy.db"
    for content, kept in ((b"first", b"first"), (b"second", b"first")):
        try:
            with whole_path(target, replace=False) as partial, open(partial, "wb") as file:
                file.write(content)
        except FileExistsError:
            assert content == b"second"
        assert (target.read_bytes(), names(tmp_path)) == (kept, ["copy.db"])


def test_two_at_once_do_not_meet(tmp_path):
    target = tmp_path / "table.csv"
    with whole_file(target) as first, whole_file(target) as second:
        first.write(b"first")
        second.write(b"second")
    assert (target.read_text(), names(tmp_path)) == ("first", ["table.csv"])
