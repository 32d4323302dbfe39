"""Files that come by the browser: from an empty server to the first label, and what is refused on the way."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from test_web_access import complaints
from test_web_workspace import House, served
from web_browser import WINDOWS, Visits, eventually, settled, text_of
from web_site import PASSWORD, PATIENCE, PNG, RunningSite, running

from activelab.project import open_project
from activelab.project.store.schema import audit
from activelab.web._serve import first_link
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


def dropped(page: Page, files: dict[str, bytes], type_: str) -> None:
    """Files dropped on the page."""
    carried = page.evaluate_handle(
        """([files, type]) => {
          const carried = new DataTransfer();
          for (const [name, bytes] of files) carried.items.add(new File([Uint8Array.from(bytes)], name, { type }));
          return carried;
        }""",
        [[[name, [*data]] for name, data in files.items()], type_],
    )
    page.locator(".dropzone").dispatch_event("drop", {"dataTransfer": carried})


def a_text_table(page: Page, hand: Hand, folder: Path) -> None:
    hand(lambda: dropped(page, {"support tickets.csv": TEXTS.encode()}, "text/csv"))
    hand(lambda: page.get_by_label("Classes").fill("billing\nbug"))


def images(page: Page, hand: Hand, folder: Path) -> None:
    hand(lambda: dropped(page, {f"{i}.png": PNG for i in range(3)}, "image/png"))
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
@pytest.mark.parametrize("begin", [a_text_table, images, a_table_with_labels])
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
