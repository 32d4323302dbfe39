"""Files that come by the browser: from an empty server to the first label, and what is refused on the way."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from playwright.sync_api import Page, expect
from test_web_access import complaints
from test_web_workspace import served
from web_browser import WINDOWS, Visits, eventually, settled, text_of
from web_site import PASSWORD, PATIENCE, PNG, RunningSite, running

from activelab.formats import FORMATS
from activelab.project import open_project
from activelab.project.store.schema import audit
from activelab.web._api_data import Tool
from activelab.web._operation import Operation
from activelab.web._serve import first_link
from activelab.web._shield import UPLOADS
from activelab.web._uploads import AT_ONCE, KEPT_SECONDS, Uploads

TEXTS = "text\nThe bill is wrong.\nIt does not start.\nThank you!\n"
TABLE = "id,message,label\n1,The bill is wrong.,billing\n2,It does not start.,bug\n3,Thank you!,\n4,,bug\n"


# ---------------------------------------------------------------- from nothing to a label


class Hand:
    """What somebody does, counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.done = page, 0

    def __call__(self, act: Any) -> None:
        self.done += 1
        act()


def dropped(page: Page, path: Path) -> None:
    """A file or folder of this machine, dragged to the page and let go there, as by a hand."""
    place = page.locator(".dropzone").bounding_box()
    assert place is not None
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    at = {"x": place["x"] + place["width"] / 2, "y": place["y"] + place["height"] / 2}
    for type_ in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": type_, "data": data} | at)


def a_text_table(page: Page, hand: Hand, folder: Path) -> None:
    (folder / "support tickets.csv").write_text(TEXTS)
    hand(lambda: dropped(page, folder / "support tickets.csv"))
    hand(lambda: page.get_by_label("Classes").fill("billing\nbug"))


def a_folder_of_images(page: Page, hand: Hand, folder: Path) -> None:
    (folder / "pets" / "indoors").mkdir(parents=True)
    for name in ("0.png", "1.png", "indoors/0.png"):
        (folder / "pets" / name).write_bytes(PNG)
    hand(lambda: dropped(page, folder / "pets"))
    image = page.locator(".previews .image").first
    expect(image).to_have_js_property("naturalWidth", 1)
    hand(lambda: page.get_by_label("Classes").fill("cat\ndog"))


def a_table_with_labels(page: Page, hand: Hand, folder: Path) -> None:
    (folder / "labelled.csv").write_text(TABLE)
    with page.expect_file_chooser() as chooser:
        hand(lambda: page.get_by_role("button", name="Choose a file").press("Enter"))
    hand(lambda: chooser.value.set_files(folder / "labelled.csv"))
    expect(page.get_by_label("Classes")).to_have_value("bug\nbilling")
    expect(page.get_by_label("Text", exact=True)).to_have_value("message")
    expect(page.get_by_text("Line 5")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("begin", [a_text_table, a_folder_of_images, a_table_with_labels])
def test_from_an_empty_server_to_the_first_label_in_eight_steps(tmp_path, visit: Visits, begin):
    for name in ("projects", "files"):
        (tmp_path / name).mkdir()
    with served(tmp_path / "projects") as house:
        link = first_link(house.workspace.people)
        page = visit(house, None, f"{house.url}/login")
        hand = Hand(page)
        hand(lambda: page.goto(f"{house.url}{link}"))
        hand(lambda: page.get_by_label("Name").fill("ada"))
        hand(lambda: page.get_by_label("Password").fill(PASSWORD))
        hand(lambda: page.get_by_label("Password").press("Enter"))
        page.wait_for_url(f"{house.url}/")
        settled(page)
        begin(page, hand, tmp_path / "files")
        expect(page.locator(".previews li").first).to_be_visible()
        for window in WINDOWS if begin is a_table_with_labels else ():
            page.set_viewport_size(WINDOWS[window]["viewport"])
            page.emulate_media(color_scheme=WINDOWS[window].get("color_scheme", "light"))
            assert complaints(page) == []
        hand(lambda: page.get_by_role("button", name="Make it and label").click())
        page.wait_for_url(re.compile("/p/[a-z-]+/label$"))
        text_of(settled(page))
        hand(lambda: page.keyboard.press("1"))
        (name,) = house.workspace.names()
        with open_project(house.workspace.place_of(name)) as project:
            labelled = project.labels
            before = 2 if begin is a_table_with_labels else 0
            eventually(lambda: len(labelled().label) == before + 1, page)
            assert project.num_examples == 3
        assert hand.done <= 8, hand.done


# ---------------------------------------------------------------- a project that exists


def sent(client: httpx.Client, name: str, body: bytes | str) -> str:
    """The id of an upload."""
    reply = client.post("/api/v1/uploads", params={"name": name}, content=body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def imported(client: httpx.Client, name: str, body: bytes | str, **how: Any) -> dict[str, Any]:
    """What an import did."""
    upload = sent(client, name, body)
    reply = client.post(f"/api/v1/uploads/{upload}/import", json=how)
    assert reply.status_code == 202, reply.text
    end = time.monotonic() + PATIENCE
    while (work := client.get(f"/api/v1/uploads/{upload}").json()["work"])["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.02)
    return dict(work)


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


@pytest.fixture
def site(tmp_path):
    with running(tmp_path / "p.db", n=3, title="Pets") as one:
        yield one


def test_examples_labels_and_known_answers_into_a_project(site: RunningSite):
    more = "id,text,label\ne2,text of 2,\nx1,new,cat\nx2,newer,\n"
    tool = json.dumps([
        {"id": 7, "data": {"example": "e0"}, "annotations": [
            {"completed_by": 1, "result": [{"from_name": "c", "to_name": "t", "type": "choices",
                                            "value": {"choices": ["dog"]}}]}]}])  # fmt: skip
    with site.browser("ada") as ada:
        upload = sent(ada, "more.csv", more)
        found = ada.post(f"/api/v1/uploads/{upload}/proposal", json={}).json()
        assert (found["num_rows"], found["num_labels"], found["columns"]["label"]) == (3, 1, "label")
        wrong = ada.post(f"/api/v1/uploads/{upload}/proposal", json={"columns": {"text": "txt"}})
        assert wrong.status_code == 422
        assert "no column 'txt'; the file has: 'id', 'text', 'label'" in wrong.json()["message"]
        done = imported(ada, "more.csv", more, with_labels=True)
        assert (done["examples"], done["skipped"], done["labels"]) == (2, 1, 1)
        done = imported(ada, "gold.csv", "id,label\ne1,eel\nnone,cat\n", what="gold")
        assert done["state"] == "failed"
        assert "gold.csv, line 3: there is no example 'none'" in done["problem"]
        done = imported(ada, "gold.csv", "id,label\ne1,eel\nnone,cat\n", what="gold", leave_out=True)
        assert (done["gold"], done["num_left_out"]) == (1, 1)
        upload = sent(ada, "export.json", tool)
        found = ada.post(f"/api/v1/uploads/{upload}/proposal", json={"what": "labels"}).json()
        assert found["problems"] == ["line 1: there is no example '7'"]
        table = "task,worker,label\ne0,zoe,dog\n"
        assert imported(ada, "labels.csv", table, what="labels")["labels"] == 1
        assert get_args(Tool) == tuple(FORMATS)[1:]
        exported = ada.get("/api/v1/export", params={"what": "labels", "format": "label-studio"}).json()
        (task,) = [one for one in exported if one["id"] == "e0"]
        assert task["data"] == {"text": "text of 0"}
        (given,) = task["annotations"]
        assert given["result"][0]["value"]["choices"] == ["dog"]
        assert ada.get("/api/v1/export", params={"what": "batch", "format": "doccano"}).status_code == 422
    rows = site.project.database.read(lambda c: c.execute(audit.select()).all())
    told = [json.loads(row.detail) for row in rows if row.action == "file imported"]
    assert told[0] == {"file": "more.csv", "examples": 2, "labels": 1, "gold": 0}


@pytest.mark.slow
def test_the_page_data_takes_a_folder_and_labels_and_gives_what_other_tools_read(tmp_path, visit: Visits):
    photos = tmp_path / "photos"
    (photos / "a").mkdir(parents=True)
    for name in ("a/1.png", "a/2.png", ".hidden.png"):
        (photos / name).write_bytes(PNG)
    labels = {
        "name": "who.csv",
        "mimeType": "text/csv",
        "buffer": b"image,by,is\na/1.png,zoe,cat\na/9.png,zoe,dog\n",
    }
    with running(tmp_path / "p.db", kind="image", contents=[{"image": "0.png"}]) as site:
        page = visit(site, "ada", "/data")
        add = page.get_by_role("button", name="Add", exact=True)
        for said in ("2 examples added.", "Nothing of it is new. 2 examples were there already."):
            page.locator("#intake input[webkitdirectory]").set_input_files(photos)
            expect(page.get_by_text("2 images.")).to_be_visible()
            add.click()
            expect(page.locator("#added")).to_contain_text(said)
        page.get_by_label("What it holds").select_option("Labels of people, also from other tools")
        page.locator("#intake input").first.set_input_files(labels)
        for role, column in (("Id", "image"), ("Annotator", "by"), ("Label", "is")):
            page.get_by_label(role, exact=True).select_option(column)
        expect(page.get_by_text("Line 3: there is no example 'a/9.png'")).to_be_visible()
        add.click()
        expect(page.locator("#added")).to_contain_text("1 label added. 1 row is left out:")
        assert site.project.labels().n_labels == 1
        page.get_by_label("As").select_option("doccano zip archive")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export").click()
        assert zipfile.ZipFile(download.value.path()).namelist() == ["zoe.jsonl"]


def test_images_are_kept_in_a_folder_of_the_project_and_end_with_it(place, tmp_path):
    home = place if "://" in place else tmp_path
    with served(home, "", operation=Operation(media_folder=tmp_path)) as house:
        ada, workspace = house.admin(), house.workspace
        upload = sent(ada, "photos.zip", zipped({"a/1.png": PNG, "a/2.png": PNG}))
        body = {
            "name": "pets",
            "title": "Pets",
            "kind": "image",
            "classes": ["cat"],
            "examples": {"upload": upload},
        }
        assert ada.post("/api/v1/projects", json=body).status_code == 201
        eventually(lambda: ada.get(f"/api/v1/uploads/{upload}").json()["work"]["state"] == "done")
        (item,) = ada.post("/p/pets/api/v1/leases", json={}).json()["items"]
        assert ada.get(f"/p/pets{item['content']['image']}").content == PNG
        assert (tmp_path / "pets.files" / "a" / "1.png").read_bytes() == PNG
        assert (tmp_path / "pets.files").stat().st_mode & 0o077 == 0
        ada.patch("/api/v1/projects/pets", json={"archived": True})
        assert ada.request("DELETE", "/api/v1/projects/pets", json={"confirm": "pets"}).status_code == 204
        assert [path.name for path in tmp_path.glob("pets*")] == []
        # What cannot be imported makes no project.
        bad = sent(ada, "photos.zip", zipped({"../up.png": PNG}))
        ada.post("/api/v1/projects", json=body | {"examples": {"upload": bad}})
        eventually(lambda: ada.get(f"/api/v1/uploads/{bad}").json()["work"]["state"] == "failed")
        assert workspace.names() == []
        assert not (tmp_path / "up.png").exists()


def test_images_need_a_folder_of_the_server_on_postgresql_or_where_there_is_one(place, tmp_path):
    elsewhere = {} if "://" in place else {"image_root": str(tmp_path)}
    with running(place, n=1, kind="image", contents=[{"image": "1.png"}], **elsewhere) as one:
        with one.browser("ada") as ada:
            upload = sent(ada, "photos.zip", zipped({"2.png": PNG}))
            reply = ada.post(f"/api/v1/uploads/{upload}/import", json={})
        assert reply.status_code == 422
        assert "--media-folder DIR" in reply.text or str(tmp_path) in reply.text


# ---------------------------------------------------------------- what is refused, and what is cleaned up


def kept(site: RunningSite) -> list[str]:
    return [path.name for path in Path(site.project.database.place).parent.glob(".activelab-upload-*")]


def test_an_upload_is_its_owners_and_leaves_nothing(site: RunningSite):
    with site.browser("ada") as ada, site.browser("jude") as jude, site.browser() as nobody:
        for client, status in ((jude, 403), (nobody, 401)):
            assert client.post("/api/v1/uploads?name=a.csv", content=b"text\na\n").status_code == status
        upload = sent(ada, "a.csv", "text\na\n")
        assert len(upload) >= 32
        with site.program("ada") as program:  # the same person
            assert program.get(f"/api/v1/uploads/{upload}").status_code == 200
        ada.patch(f"/api/v1/annotators/{site.people['jude']}", json={"role": "admin"})
        eventually(lambda: jude.get("/api/v1/invites").status_code == 200)
        for method, address in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/proposal"),
            ("POST", "/import"),
            ("GET", "/media/0"),
        ):
            body = {} if method == "POST" else None
            reply = jude.request(method, f"/api/v1/uploads/{upload}{address}", json=body)
            assert reply.status_code == 404, (method, address)
        for name, said in (("a.docx", "of no type"), ("", "at least 1"), ("x" * 300 + ".csv", "at most 255")):
            reply = ada.post("/api/v1/uploads", params={"name": name}, content=b"x")
            assert (reply.status_code, said in reply.text) == (422, True), reply.text
        assert ada.post("/api/v1/uploads?name=a.csv", content=b"").status_code == 422
        # A name is no path.
        strange = sent(ada, "../../up.csv", "text\nb\n")
        assert ada.get(f"/api/v1/uploads/{strange}").json()["name"] == "../../up.csv"
        for _ in range(AT_ONCE):
            last = sent(ada, "b.csv", "text\nb\n")
        assert ada.get(f"/api/v1/uploads/{upload}").status_code == 404  # it made room
        assert len(kept(site)) == AT_ONCE
        assert ada.delete(f"/api/v1/uploads/{last}").status_code == 204
        assert len(kept(site)) == AT_ONCE - 1


def test_what_does_not_come_whole_is_deleted(site: RunningSite, monkeypatch):
    def half() -> Iterator[bytes]:
        yield b"text\n"
        raise ConnectionError

    with site.browser("ada") as ada:
        with pytest.raises(ConnectionError):
            ada.post("/api/v1/uploads?name=a.csv", content=half())
        eventually(lambda: kept(site) == [])
        monkeypatch.setitem(UPLOADS, "/api/v1/uploads", 10)
        assert ada.post("/api/v1/uploads?name=a.csv", content=b"text\n" * 3).status_code == 413
        assert ada.post("/api/v1/uploads?name=a.csv", content=iter([b"text\n"] * 3)).status_code == 413
        eventually(lambda: kept(site) == [])


def test_what_is_abandoned_is_deleted_and_the_rest_at_the_end(tmp_path):
    now = [1e9]
    uploads = Uploads(tmp_path, clock=lambda: now[0])
    one = uploads._begin(1, "a.csv", ".csv")
    one.path.write_text("text\na\n")
    one.whole = True
    now[0] += KEPT_SECONDS - 1
    assert uploads.get(1, one.id) is one  # somebody still works with it
    now[0] += KEPT_SECONDS - 1
    uploads.sweep()
    assert one.path.exists()
    now[0] += 2
    uploads.sweep()
    assert not one.folder.exists()
    other = uploads._begin(1, "b.csv", ".csv")
    uploads.close()
    assert not other.folder.exists()
