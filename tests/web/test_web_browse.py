"""The page that searches all examples, in a real browser, and what it asks of the API."""

from __future__ import annotations

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect
from test_web_access import complaints
from web_browser import WINDOWS, Visits, eventually
from web_site import RunningSite, running

from activelab.project import insight
from activelab.project.training.embedding_map import draw_map
from activelab.project.training.round import train_round

WORDS = ("money back", "late courier", "broken crack")
N = 130


@pytest.fixture
def site(tmp_path):
    contents = [
        {"text": f"{WORDS[i % 3]} <b>{i}</b>", "shop": "north" if i % 2 else "south"} for i in range(N)
    ]
    with running(tmp_path / "p.db", contents=contents) as one:
        said = ("cat", "dog", "eel")
        one.project.add_labels((f"e{i}", who, said[i % 3]) for i in range(20) for who in ("ann", "bob"))
        one.project.add_labels([("e4", "bob", "eel"), ("e5", "bob", "cat")])
        yield one


def test_the_api_searches_and_refuses_what_it_cannot_do(site: RunningSite):
    with site.browser("jude") as jude, site.browser("ann") as ann:
        found = jude.get("/api/v1/browse", params={"words": "courier shop=north", "limit": 2}).json()
        assert found["total"] == sum(1 for i in range(N) if i % 3 == 1 and i % 2)
        assert [row["example"] for row in found["rows"]] == ["e1", "e7"]
        assert jude.get("/api/v1/browse/ids", params={"only": "disagreement"}).json()["examples"] == [4, 5]
        assert jude.get("/api/v1/browse", params={"label": "cow"}).status_code == 422
        assert jude.get("/api/v1/browse", params={"at_least": "nan"}).status_code == 422
        assert ann.get("/api/v1/browse").status_code == 403

        def do(**body: object) -> httpx.Response:
            return jude.post("/api/v1/selection", json=body)

        assert do(examples=[4], action="decide").json()["field"] == "label"
        assert do(examples=[4], action="ask", label="cat").status_code == 422
        assert do(examples=[4], action="gold", label="cow").status_code == 422
        assert do(examples=[4, 5, 6], action="gold", label="cat").json() == {"number": 3, "left_out": 0}
        assert do(examples=[4, 7, 999]).json() == {"number": 1, "left_out": 2}
        table = jude.post("/api/v1/selection/export", json={"examples": [4, 9, 50]}).text.splitlines()
        assert [row.split(",")[:3] for row in table[1:]] == [
            ["e4", "cat", "gold"],
            ["e9", "cat", "consensus"],
        ]
        assert ann.post("/api/v1/selection", json={"examples": [4]}).status_code == 403


@pytest.mark.slow
def test_a_lead_searches_chooses_and_decides_by_the_keyboard_alone(visit: Visits, site: RunningSite):
    page = visit(site, "jude", "/browse?only=disagreement", **WINDOWS["desktop"])
    expect(page.locator("#count")).to_have_text("2 examples")
    expect(page.locator(".find").first).to_contain_text("dog, eel")
    press = page.keyboard.press
    press("/")
    page.keyboard.type("crack")
    expect(page.locator("#count")).to_have_text("1 example")
    assert "words=crack" in page.url
    press("Escape")
    press("x")
    expect(page.locator("#chosen-count")).to_have_text("1 chosen")
    for _ in range(20):
        press("Shift+Tab")
        if page.evaluate("document.activeElement.id") == "decide":
            break
    press("Enter")
    expect(page.locator("#which")).to_be_visible()
    expect(page.locator("#which .decider button").first).to_be_visible()
    page.locator("#which .decider button", has_text="eel").focus()
    press("Enter")
    eventually(lambda: [one.label for one in insight.decision_list(site.project)] == ["eel"], page)
    # Who comes back to the address finds the same.
    page.reload()
    expect(page.locator("#count")).to_have_text("1 example")
    expect(page.locator(".find")).to_contain_text("decided by an adjudicator")


@pytest.mark.slow
def test_the_map_shows_what_fits_and_a_frame_chooses(visit: Visits, site: RunningSite):
    assert draw_map(site.project)
    points = insight.map_points(site.project)
    # Texts of the same words lie together: to be told apart better than by chance, at least.
    place = np.stack([points.x, points.y], axis=1)
    near = np.argsort(((place[:, None] - place[None]) ** 2).sum(axis=2), axis=1)[:, 1:4]
    assert (near % 3 == np.arange(N)[:, None] % 3).mean() > 0.8

    page = visit(site, "jude", "/browse?words=courier", **WINDOWS["desktop"])
    page.locator("#map-panel summary").click()
    expect(page.locator("#map-legend li").first).to_be_visible()
    page.locator("#map").focus()
    for key in ("ArrowLeft", *["+"] * 30):
        page.keyboard.press(key)
    fits = sum(1 for i in range(N) if i % 3 == 1)
    expect(page.locator("#map-inside")).to_have_text(f"{fits} inside the frame")
    page.keyboard.press("Enter")
    expect(page.locator("#chosen-count")).to_have_text(f"{fits} chosen")
    page.locator("#none").click()
    page.locator("#words").fill("")
    expect(page.locator("#count")).to_have_text(f"{N} examples")
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2)
    page.mouse.up()
    expect(page.locator("#chosen-count")).to_have_text(f"{N} chosen")
    assert complaints(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("window", WINDOWS)
def test_the_page_for_everybody(visit: Visits, site: RunningSite, window):
    page = visit(site, "jude", "/browse?sort=labels", **WINDOWS[window])
    expect(page.locator(".find")).to_have_count(50)
    page.locator("#more").click()
    expect(page.locator(".find")).to_have_count(100)
    page.locator(".find input").first.check()
    page.locator("#all").click()
    expect(page.locator("#chosen-count")).to_have_text(f"{N} chosen")
    page.locator("#filters summary").click()
    page.locator("#map-panel summary").click()
    expect(page.locator("#map-none")).to_be_visible()
    assert complaints(page) == []
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
    with page.expect_download() as download:
        page.locator("#export").click()
    assert download.value.suggested_filename == "selection.csv"
    page.locator("#ask").click()
    expect(page.locator("#notes")).to_contain_text(f"One more label is asked for of {N} examples")


@pytest.mark.slow
@pytest.mark.parametrize("window", ["desktop", "phone"])
def test_people_are_sorted_looked_at_and_checked(visit: Visits, site: RunningSite, window):
    train_round(site.project, pred_probs=0.1 + 0.7 * np.eye(3)[np.arange(N) % 3])
    page = visit(site, "ada", "/people", **WINDOWS[window])
    rows = page.locator("#people tbody tr")
    expect(rows.first).to_contain_text("ann")
    page.get_by_role("button", name="Annotator", exact=True).click()
    expect(rows.first).to_contain_text("ada")
    page.get_by_role("button", name="Labels", exact=True).click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Labels")
    page.get_by_role("button", name="bob, details").click()
    expect(page.locator("#person-title")).to_be_focused()
    expect(page.locator("#confusion tbody tr")).to_have_count(3)
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.get_by_role("button", name="Ask others about all their labels again").click()
    expect(page.locator("#notes")).to_contain_text("Others are asked about 20 of their examples again")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#notes")).to_contain_text("bob is paused")
    page.get_by_role("link", name="Their answers").click()
    expect(page.locator("#count")).to_have_text("20 examples")
