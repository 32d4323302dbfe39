"""Several projects on one server, below a prefix, with one account for each person."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from test_web_access import complaints
from web_browser import WINDOWS, Visits, eventually
from web_proxy import caddy, nginx
from web_site import PASSWORD, PATIENCE, hashed, running, running_app

from activelab._errors import InputError
from activelab.project import Settings, create_project, open_project
from activelab.project.store import accounts
from activelab.project.store.schema import audit
from activelab.project.workspace import Workspace
from activelab.web import create_app
from activelab.web._app import create_workspace_app
from activelab.web._serve import first_link

CLASSES = ("cat", "dog")


class House:
    """A workspace on a server."""

    def __init__(self, workspace: Workspace, url: str, app: Any) -> None:
        self.workspace, self.url, self.app = workspace, url, app
        self.clients = list[httpx.Client]()

    def client(self) -> httpx.Client:
        self.clients.append(httpx.Client(base_url=self.url, timeout=PATIENCE))
        return self.clients[-1]

    def join(self, link: str, name: str, project: str = "") -> httpx.Client:
        """Somebody who follows an invitation; their client sends what writes need."""
        one = self.client()
        body = {"secret": link.partition("#")[2], "name": name, "password": PASSWORD}
        reply = one.post(f"{project}/api/v1/join", json=body)
        assert reply.status_code == 200, reply.text
        one.headers["X-CSRF-Token"] = reply.json()["csrf"]
        return one

    def admin(self) -> httpx.Client:
        """Who follows the link of the first start."""
        link = first_link(self.workspace.people)
        assert link is not None
        return self.join(link, "ada")


@contextmanager
def served(place: str | Path, root_path: str = "/labels", **options: Any) -> Iterator[House]:
    with Workspace(place) as workspace:
        app = create_workspace_app(workspace, root_path=root_path, **options)
        with running_app(app) as url:
            house = House(workspace, url + root_path, app)
            yield house
            for one in house.clients:
                one.close()


@pytest.fixture
def home(place, tmp_path):
    """A place for a workspace: a folder, or an empty PostgreSQL database."""
    if "://" in place:
        return place
    (tmp_path / "projects").mkdir()
    return str(tmp_path / "projects")


def test_one_account_in_two_projects_each_with_its_own_people_and_labels(home):
    with served(home) as house:
        ada, workspace = house.admin(), house.workspace
        for name in ("pets", "mail"):
            body = {"name": name, "title": name.capitalize(), "classes": list(CLASSES)}
            assert ada.post("/api/v1/projects", json=body).status_code == 201
            with open_project(workspace.place_of(name)) as project:
                project.add_examples((f"{name}{i}", {"text": f"{name} {i}"}) for i in range(4))
        assert ada.post("/api/v1/projects", json=body).status_code == 422
        invite = ada.post("/p/pets/api/v1/invites", json={"name": "ann"}).json()["link"]
        ann = house.join(invite, "ann", "/p/pets")
        assert [one["name"] for one in ann.get("/api/v1/projects").json()] == ["pets"]
        (item,) = ann.post("/p/pets/api/v1/leases", json={"count": 1}).json()["items"]
        answer = {"kind": "label", "label": "cat"}
        assert ann.post(f"/p/pets/api/v1/leases/{item['lease']}/answer", json=answer).status_code == 200
        # What is not hers tells her nothing, by cookie or token, and neither do the pages of the workspace.
        token = {"Authorization": f"Bearer {ann.post('/api/v1/tokens', json={'name': 't'}).json()['secret']}"}
        program = house.client()
        reply = program.get("/p/pets/api/v1/progress", headers=token)
        assert reply.status_code == 200, reply.text
        assert reply.json()["yours"] == 1
        assert program.get("/p/mail/api/v1/progress", headers=token).status_code == 401
        assert ann.get("/p/mail/api/v1/progress").status_code == 401
        assert ann.get("/p/mail/label").headers["location"] == "/labels/"
        assert ann.post("/api/v1/projects", json=body).status_code == 403
        assert ann.get("/p/nosuch/").status_code == 404
        # The second project takes her account, with its password and no other.
        invite = ada.post("/p/mail/api/v1/invites", json={}).json()["link"]
        stolen = {"secret": invite.partition("#")[2], "name": "ann", "password": "not hers at all"}
        assert house.client().post("/p/mail/api/v1/join", json=stolen).status_code == 401
        house.join(invite, "ann", "/p/mail")
        assert ann.get("/p/mail/api/v1/progress").json()["yours"] == 0
        # Her password is no affair of a project; leaving it is no affair of the others.
        who = {one["name"]: one["id"] for one in ada.get("/p/mail/api/v1/annotators").json()}
        assert ada.post(f"/p/mail/api/v1/annotators/{who['ann']}/reset").status_code == 403
        ada.patch(f"/p/mail/api/v1/annotators/{who['ann']}", json={"disabled": True})
        assert ann.get("/p/mail/api/v1/progress").status_code == 401
        assert ann.get("/p/pets/api/v1/progress").status_code == 200
        # Out of the workspace is out of everything.
        who = {one["name"]: one["id"] for one in ada.get("/api/v1/annotators").json()}
        ada.patch(f"/api/v1/annotators/{who['ann']}", json={"disabled": True})
        assert ann.get("/p/pets/api/v1/progress").status_code == 401
        # What is stored of her is in all projects, and so is what is removed.
        data = ada.get(f"/api/v1/annotators/{who['ann']}/data").json()
        assert {name: len(one["answers"]) for name, one in data["projects"].items()} == {"pets": 1, "mail": 0}
        gone = {"confirm": "ann", "answers": True}
        assert ada.request("DELETE", f"/api/v1/annotators/{who['ann']}", json=gone).json()["answers"] == 1
        for name in ("pets", "mail", None):
            found = workspace.people if name is None else workspace.open(name)
            names = {one.name for one in found.database.read(accounts.list_accounts)}
            assert "ann" not in names
            assert any(one.startswith("removed person") for one in names)
            if name is not None:
                found.close()


def test_archived_deleted_copied_and_entered(home):
    with served(home) as house:
        ada, workspace = house.admin(), house.workspace
        settings = {"classes": list(CLASSES), "budget": 7}
        workspace.create("old", Settings(title="Old", **settings))
        assert ada.get("/p/old/api/v1/project").status_code == 401
        assert ada.post("/api/v1/projects/old/enter").json()["role"] == "admin"
        assert ada.get("/p/old/api/v1/project").status_code == 200
        copy = {"name": "new", "title": "New", "like": "old"}
        assert ada.post("/api/v1/projects", json=copy).json()["budget"] == 7
        confirm = {"confirm": "old"}
        assert ada.request("DELETE", "/api/v1/projects/old", json=confirm).status_code == 422  # in use
        assert ada.patch("/api/v1/projects/old", json={"archived": True}).status_code == 200
        assert ada.get("/p/old/api/v1/project").status_code == 404
        assert ada.request("DELETE", "/api/v1/projects/old", json={"confirm": "new"}).status_code == 422
        ada.patch("/api/v1/projects/old", json={"archived": False})
        assert ada.get("/p/old/api/v1/project").json()["settings"]["budget"] == 7
        ada.patch("/api/v1/projects/old", json={"archived": True})
        assert ada.request("DELETE", "/api/v1/projects/old", json=confirm).status_code == 204
        assert workspace.names() == ["new"]
        with open_project(workspace.place_of("new")) as project:
            assert project.settings.title == "New"
        for name in ("workspace", "../up", "9lives", "", "new", "NEW"):
            with pytest.raises(InputError):
                workspace.create(name, Settings())


def test_who_could_log_in_before_still_can_with_the_same_password(tmp_path):
    with create_project(tmp_path / "pets.db", Settings(classes=CLASSES)) as project:
        stored = hashed(PASSWORD)

        def add(connection):
            accounts.set_password(connection, accounts.add_annotator(connection, "ann", 0.0), stored)

        project.database.write(add)
    (tmp_path / "broken.db").write_bytes(b"no database")
    with served(tmp_path, "") as house:
        ada, workspace = house.admin(), house.workspace
        ann = house.client()
        ann.post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
        assert ann.get("/p/pets/api/v1/progress").status_code == 200
        assert [one["name"] for one in ann.get("/api/v1/projects").json()] == ["pets"]
        found = {one["name"]: one for one in ada.get("/api/v1/projects").json()}
        assert "damaged or not a project" in found["broken"]["problem"]
        rows = workspace.people.database.read(lambda c: c.execute(audit.select()).all())
        taken = [json.loads(row.detail) for row in rows if row.action == "people of a project taken in"]
        assert taken == [{"project": "pets", "people": 1}]


@pytest.mark.parametrize("proxy", [partial(nginx, https=True), *([caddy] if shutil.which("caddy") else [])])
def test_from_the_first_link_to_the_first_label_below_a_prefix_by_https(tmp_path, visit: Visits, proxy):
    (tmp_path / "projects").mkdir()
    behind = {"secure": True, "trusted_proxies": ["127.0.0.1"]}
    with (
        served(tmp_path / "projects", **behind) as house,
        proxy(tmp_path, house.url.removesuffix("/labels"), prefix="/labels") as url,
    ):
        house.url = f"{url}/labels"
        link = first_link(house.workspace.people)
        page = visit(house, None, f"{house.url}{link}", ignore_https_errors=True)
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Join").click()
        expect(page.get_by_text("There are none yet. Make one below.")).to_be_visible()
        page.get_by_label("Title").fill("Été: cats & dogs")
        expect(page.get_by_label("Name in its address")).to_have_value("ete-cats-dogs")
        page.get_by_label("Classes").fill("cat\n\ndog")
        page.get_by_role("button", name="Make it").click()
        page.wait_for_url(f"{house.url}/p/ete-cats-dogs/dashboard")
        assert {(one["path"], one["secure"]) for one in page.context.cookies()} == {("/labels", True)}
        with open_project(house.workspace.place_of("ete-cats-dogs")) as project:
            project.add_examples([("e0", {"text": "purr"})])
        page.get_by_role("link", name="Label", exact=True).click()
        expect(page.locator("#example")).to_have_text("purr")
        page.keyboard.press("1")
        with open_project(house.workspace.place_of("ete-cats-dogs")) as project:
            eventually(lambda: len(project.labels().label) == 1, page)
        page.get_by_role("link", name="Projects").click()
        row = page.locator("#projects li")
        expect(row).to_contain_text("1 labels")
        for window in reversed(WINDOWS):
            page.set_viewport_size(WINDOWS[window]["viewport"])
            page.emulate_media(color_scheme=WINDOWS[window].get("color_scheme", "light"))
            assert complaints(page) == []
        page.get_by_role("button", name="Archive").click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_label("Its name, once more").fill("ete-cats-dogs")
        page.get_by_role("button", name="Delete for ever").click()
        expect(page.get_by_text("ete-cats-dogs is deleted.")).to_be_visible()
        page.get_by_role("link", name="ada").click()
        page.get_by_role("button", name="Log out", exact=True).click()
        page.wait_for_url(f"{house.url}/login")
        page.goto(f"{house.url}/team")
        assert page.url == f"{house.url}/login?next=/labels/team"
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{house.url}/team")


@pytest.mark.parametrize("stripped", [False, True])
def test_a_project_below_a_prefix_whether_a_proxy_takes_it_away_or_not(tmp_path, stripped):
    with running(tmp_path / "p.db", root_path="/tool") as site, site.browser("ann") as ann:
        before = "" if stripped else "/tool"
        assert ann.get(f"{before}/").headers["location"] == "/tool/label"
        assert 'href="/tool/static/style.css"' in ann.get(f"{before}/label").text
        assert ann.get(f"{before}/static/style.css").status_code == 200
        assert ann.get(f"{before}/api/v1/progress").status_code == 200
        assert ann.get(f"{before}/api/v1/progress", headers={"Origin": "http://evil"}).status_code == 403
        assert ann.get(f"{before}/api/v1/openapi.json").json()["servers"] == [{"url": "/tool"}]
    with pytest.raises(InputError, match="no prefix"), open_project(tmp_path / "p.db") as project:
        create_app(project, root_path="tool")
