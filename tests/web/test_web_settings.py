"""A setting is written once, in the model: API, page and command line all have it from there."""

from __future__ import annotations

import json
import re
import shlex
import sys

import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner
from web_browser import Visits
from web_site import RunningSite, running

from activelab.cli import app
from activelab.project import Settings
from activelab.project.labelling.reclassing import Reclass

VIEWS = Settings.views()
REMOTE = [name for name, view in VIEWS.items() if view.shown.remote]
LEFT = {"kind", "image_root", "models"}  # reads files, runs code, or never changes


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("web") / "p.db"


@pytest.fixture(scope="module")
def site(place):
    with running(place) as one:
        yield one


def command(*words: object) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_field_is_in_the_schema_of_the_api(site: RunningSite):
    with site.browser() as client:
        schema = client.get("/api/v1/openapi.json").json()["components"]["schemas"]["ProjectIn"]
    assert set(schema["properties"]) == set(REMOTE) == set(VIEWS) - LEFT
    assert "required" not in schema
    for name, field in schema["properties"].items():
        view = VIEWS[name]
        own = next(kind for kind in field.get("anyOf", [field]) if kind["type"] != "null")
        assert (field["title"], " ".join(field["description"].split())) == (view.title, view.help)
        assert (own.get("minimum"), own.get("maximum")) == (view.low, view.high)
        assert tuple(own.get("enum", ())) == view.choices
        assert "default" not in field  # it is no change


def test_every_field_is_on_the_page(site: RunningSite):
    with site.browser("ada") as ada:
        html = ada.get("/settings").text
    controls = dict(re.findall(r'<(?:input|select|textarea)[^>]*?data-setting="(\w+)"([^>]*)>', html))
    assert set(controls) == set(VIEWS)
    assert {name for name, rest in controls.items() if "readonly" in rest} == LEFT
    assert all(f">{view.title}</label>" in html for view in VIEWS.values())


def test_every_field_is_on_the_command_line(site: RunningSite, place):
    shown = json.loads(command("settings", place, "--json"))
    assert list(shown) == list(VIEWS)
    assert [line.split(" = ")[0] for line in command("settings", place).splitlines()] == list(VIEWS)
    told = json.loads(command("settings", "--explain", "--json"))
    assert [row["name"] for row in told] == list(VIEWS)
    said = command("settings", "--explain")
    assert all(f"{view.title}. {view.help}" in said for view in VIEWS.values())


@pytest.mark.parametrize("name", list(VIEWS))
def test_what_the_command_line_shows_it_takes_again(site: RunningSite, place, name):
    before = command("settings", place)
    line = next(line for line in before.splitlines() if line.startswith(f"{name} = "))
    word = "=".join(line.split(" = ", 1))
    assert command("settings", place, *shlex.split(shlex.quote(word))) == before


@pytest.mark.parametrize("name", REMOTE)
def test_the_api_says_in_words_what_it_refuses(site: RunningSite, name):
    with site.browser("ada") as ada:
        reply = ada.patch("/api/v1/project", json={name: {"no": "value"}})
    assert reply.status_code == 422
    said = reply.json()
    assert (said["error"], said["field"]) == ("invalid", name)
    assert said["message"].startswith(f"{name} should be ")


@pytest.mark.parametrize("name", ["method", "batching", "assignment"])
@pytest.mark.parametrize("value", ["antigravity:fly", "activelab+batching=antigravity:fly"])
def test_nothing_is_imported_that_was_named_from_afar(site: RunningSite, name, value):
    with site.browser("ada") as ada:
        reply = ada.patch("/api/v1/project", json={name: value})
    assert reply.status_code == 422
    assert reply.json()["message"].startswith(f"unknown {name} '{value}'.")
    assert "antigravity" not in sys.modules


def test_the_api_changes_what_it_is_sent_and_nothing_else(site: RunningSite):
    with site.browser("ada") as ada:
        before = ada.get("/api/v1/project").json()["settings"]
        sent = {"prices": ["ann=2.5"], "assignment": "thompson", "gold_rate": 1, "budget": 50}
        after = ada.patch("/api/v1/project", json=sent).json()["settings"]
        assert after == before | sent
        assert ada.patch("/api/v1/project", json={}).json()["settings"] == after
        kept = {name: before[name] for name in sent}
        assert ada.patch("/api/v1/project", json=kept).json()["settings"] == before


@pytest.mark.slow
def test_classes_are_changed_on_the_page_and_an_open_page_follows(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", n=8) as one:
        one.project.add_labels([("e0", "bob", "cat"), ("e1", "bob", "dog"), ("e2", "bob", "cat")])
        with one.browser("ann") as ann:
            leases = ann.post("/api/v1/leases", json={"count": 2}).json()["items"]
        page = visit(one, "ada", "/settings")
        page.get_by_label("Budget").fill("9")  # what is not saved yet stays
        page.get_by_role("button", name="Merge cat", exact=True).click()
        page.get_by_label("Into").select_option("dog")
        expect(page.get_by_text("2 answers follow.")).to_be_visible()
        page.get_by_label("Why").fill("both bark")
        page.get_by_role("button", name="Merge", exact=True).click()
        done = page.get_by_role("listitem").filter(has_text="'cat' counts as 'dog': 2 answers follow.")
        expect(done).to_contain_text("ada, both bark")
        expect(page.get_by_label("Classes", exact=True)).to_have_value("dog\neel")
        expect(page.get_by_label("Budget")).to_have_value("9")
        page.get_by_role("button", name="Split dog", exact=True).click()
        visit.expected = "422"
        page.get_by_label("Into, one a line").fill("dog\npug")
        expect(page.get_by_text("A part needs a name of its own")).to_be_visible()
        expect(page.get_by_role("button", name="Split", exact=True)).to_be_disabled()
        page.keyboard.press("Escape")
        with one.browser("ann") as ann:
            said = {"kind": "label", "label": "cat", "request": "0123456789"}
            ann.post(f"/api/v1/leases/{leases[0]['lease']}/answer", json=said).raise_for_status()
        one.project.change_classes(Reclass("split", ("dog",), ("a", "b")))
        with one.browser("bob") as bob:
            lease = bob.post("/api/v1/leases", json={"count": 1}).json()["items"][0]["lease"]
            reply = bob.post(f"/api/v1/leases/{lease}/answer", json={"kind": "label", "label": "cat"})
            assert reply.status_code == 422
            assert reply.json()["message"].startswith("the class 'cat' was split into 'a', 'b'")
