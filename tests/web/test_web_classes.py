"""Many classes, their keys, colours and meanings, swipes, and pages in narrow and low windows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from test_web_access import complaints
from web_browser import WINDOWS, Visits, eventually, settled, text_of
from web_site import RunningSite, running

from activelab.project.class_notes import RESERVED_KEYS
from activelab.project.training.round import train_round

pytestmark = pytest.mark.slow

NOTES = (
    "refund | key=r | colour=#c33 | group=Money | Wants money back. | e.g. I want a refund",
    "top-up | colour=#ffd24d | group=Money",
    "late courier | key=я | group=Delivery | It comes too late.",
    "spam",
)
FOUR = tuple(line.split(" | ")[0] for line in NOTES)
LENGTHY = "Rechtsschutzversicherungsgesellschaften" * 4
MANY = (
    "Card > payment failed", "Top-up > missing", "Card > Überweisung", "Cash > withdrawal fee", LENGTHY,
    *(f"Other > topic {number}" for number in range(995)),
)  # fmt: skip
FIT = (
    "(all) => all.every((one) => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight)"
)


def given(site: RunningSite) -> list[str]:
    labels = site.project.labels()
    return labels.classes[labels.label].tolist()


def test_one_of_a_thousand_classes_is_found(tmp_path, visit: Visits):
    notes = ("Card > Überweisung | Money that goes to an account.",)
    with running(tmp_path / "p.db", classes=MANY, class_notes=notes) as site:
        site.project.add_labels((f"e{i}", "eve", "Top-up > missing") for i in range(3))
        page = visit(site, "ann", "/label", bypass_csp=True)
        first = text_of(page)
        field, options = page.get_by_label("Find a class"), page.get_by_role("option")
        buttons, skip = page.locator("#classes .classes button"), page.get_by_role("button", name="Skip")
        expect(buttons).to_have_count(9)
        expect(buttons.filter(has_text="Top-up > missing")).to_have_count(1)  # others gave it
        said = page.locator("#classes .hint")
        expect(said).to_have_text("9 likely classes of 1,000. Type to find the other 991.")
        assert buttons.evaluate_all(FIT)
        place = skip.bounding_box()
        page.keyboard.press("/")
        expect(options.first).to_have_text("Top-up > missing")
        assert complaints(page) == []
        for typed, found in {
            "tpup": "Top-up > missing",
            "failed card": "Card > payment failed",
            "uberweisng": "Card > Überweisung",
            "money account": "Card > Überweisung",
            "wf": "Cash > withdrawal fee",
            "topic 77": "Other > topic 77",
            LENGTHY[:20]: LENGTHY,
        }.items():
            field.fill(typed)
            expect(options.first).to_have_text(found)
            expect(options.first).to_have_attribute("id", str(field.get_attribute("aria-activedescendant")))
            assert options.evaluate_all(FIT)
            assert options.count() <= 100
            assert skip.bounding_box() == place
        field.fill("qxqx")
        expect(said).to_have_text("No class matches “qxqx”.")
        page.keyboard.press("Enter")
        expect(said).to_have_text("No class matches “qxqx”; nothing is chosen.")
        expect(page.locator("#example")).to_have_text(first)
        field.fill("topic 77")
        page.keyboard.press("ArrowDown")
        second = page.locator(f"#{field.get_attribute('aria-activedescendant')}").inner_text()
        page.keyboard.press("Enter")
        expect(page.locator("#example")).not_to_have_text(first)
        page.keyboard.press("/")
        expect(options.first).to_have_text(second)  # what was given last
        eventually(lambda: second in given(site))
        page.keyboard.press("Escape")
        # Where classes change, an open page can follow.
        renewed = {"classes": ["bee", *MANY[:2]], "class_notes": {}}
        page.evaluate("(now) => import('/static/choose.js').then((one) => one.renew(now))", renewed)
        expect(page.locator("#classes button")).to_have_text(["1bee", "2payment failed", "3missing"])


def strike(page: Page, **event: Any) -> None:
    """A key as a keyboard of another layout sends it."""
    made = "(event) => document.body.dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, ...event}))"
    page.evaluate(made, event)


@pytest.mark.parametrize("window", ["desktop", "dark"])
def test_keys_colours_and_meanings(tmp_path, visit: Visits, window):
    with running(tmp_path / "p.db", classes=FOUR, class_notes=NOTES) as site:
        page = visit(site, "ann", "/label", **WINDOWS[window])
        shown = text_of(page)
        assert complaints(page) == []
        page.get_by_role("button", name="refund").hover()
        about = page.locator("#classes .about")
        expect(about).to_have_text("refund Wants money back. e.g. I want a refund")
        page.keyboard.press("?")
        overview = page.get_by_role("dialog", name="All keys")
        shown_keys = {*overview.locator("kbd").all_inner_texts()}
        assert shown_keys > {"r", "я", "1", "2", "c", "s", "u", "g", "?"}
        # What does something else is no key of a class.
        assert {key for key in shown_keys if key.isalpha() and key.isascii()} - {"r"} <= {*RESERVED_KEYS}
        expect(overview).to_contain_text("late courier It comes too late.")
        assert complaints(page) == []
        page.keyboard.press("Escape")
        if window == "dark":
            return
        for event in (
            {"key": "r", "code": "KeyO"},  # where the letter is written
            {"key": "к", "code": "KeyR"},  # a Russian keyboard, where it has no r
            {"key": "я", "code": "KeyZ"},
            {"key": "é", "code": "Digit2"},  # a French keyboard, without Shift
            {"key": "с", "code": "KeyC"},  # cannot tell
        ):
            strike(page, **event)
            expect(page.locator("#example")).not_to_have_text(shown)
            shown = text_of(page)
        strike(page, key="q", code="KeyR")  # a Latin letter means itself
        strike(page, key="!", code="Digit1", shiftKey=True)
        eventually(lambda: len(given(site)) == 4)
        assert sorted(given(site)) == ["late courier", "refund", "refund", "spam"]
        expect(page.locator("#example")).to_have_text(shown)


def touch(page: Page, *points: tuple[float, float], hold: int = 0) -> None:
    """A finger that goes from point to point."""
    session = page.context.new_cdp_session(page)
    for turn, (x, y) in enumerate(points):
        kind = "touchMove" if turn else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    page.wait_for_timeout(hold)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_two_classes_are_swiped_and_a_class_is_held_to_read_it(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", classes=FOUR[:2], class_notes=NOTES[:2]) as site:
        page = visit(site, "ann", "/label", **WINDOWS["phone"])
        first = text_of(page)
        expect(page.locator("#sides")).to_have_text("← refundtop-up →")
        touch(page, (195, 200), (195, 260), (330, 270))  # down first: no swipe
        touch(page, (195, 200), (230, 200))  # not far enough
        expect(page.locator("#example")).to_have_text(first)
        touch(page, (195, 200), (230, 202), (330, 204))
        expect(page.locator("#example")).not_to_have_text(first)
        second = text_of(page)
        touch(page, (195, 200), (150, 202), (60, 204))
        expect(page.locator("#example")).not_to_have_text(second)
        eventually(lambda: given(site) in (["top-up", "refund"], ["refund", "top-up"]))
        third = text_of(page)
        box = page.get_by_role("button", name="refund").bounding_box()
        assert box is not None
        touch(page, (box["x"] + 20, box["y"] + 20), hold=700)
        expect(page.locator("#classes .about")).to_contain_text("Wants money back.")
        expect(page.locator("#example")).to_have_text(third)
        page.get_by_role("button", name="Guidelines", exact=True).tap()
        page.get_by_label("Swipe: refund to the left, top-up to the right").uncheck()
        expect(page.locator("#sides")).to_be_hidden()


def test_a_low_window_says_what_is_below_and_a_short_text_has_its_answers_near(tmp_path, visit: Visits):
    names = tuple(f"class number {i}" for i in range(12))
    with running(tmp_path / "p.db", classes=names) as site:
        page = visit(site, "ann", "/label", viewport={"width": 640, "height": 400})
        text_of(page)
        # A class is seen if its lower edge is what is there.
        seen = page.locator("#classes button").evaluate_all("""(all) => all.filter((one) => {
          const box = one.getBoundingClientRect();
          return one.contains(document.elementFromPoint(box.left + 20, box.bottom - 3));
        }).length""")
        assert 4 <= seen < 12
        expect(page.locator("#classes .below")).to_have_text(re.compile(r"[1-8] more ↓"))
        page.set_viewport_size({"width": 1280, "height": 800})
        expect(page.locator("#classes .below")).to_be_hidden()
        text, answer = (
            page.locator("#example .as-is").bounding_box(),
            page.locator("#classes button").first.bounding_box(),
        )
        assert text is not None
        assert answer is not None
        assert answer["y"] - text["y"] - text["height"] < 110


def test_no_page_is_wider_than_a_phone(tmp_path, visit: Visits):
    unbroken = "withoutanyblankinit" * 4
    names = tuple(f"{word} {unbroken}" for word in ("refund", "delivery", "damage"))
    contents = [{"text": f"{names[i % 3][:8]} {i} https://{unbroken}", unbroken: unbroken} for i in range(30)]
    with running(
        tmp_path / "p.db", contents=contents, classes=names, title=f"Title {unbroken}", guidelines=unbroken
    ) as site:
        site.project.add_labels(
            (f"e{i}", who, names[(i + (who != "bob" and i % 4 == 0)) % 3])
            for i in range(20)
            for who in ("bob", f"{unbroken}@example.org")
        )
        lease = site.project.lease(site.people["ann"])[0]
        site.project.record(site.people["ann"], lease.id, "skip", reason=unbroken)
        train_round(site.project)
        with site.browser("ada") as ada:
            ada.post("/api/v1/invites", json={"name": unbroken})
            ada.post("/api/v1/tokens", json={"name": unbroken})
        page = visit(
            site, "ada", "/label", viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
        )
        wide = []
        for path in (
            "label", "account", "dashboard", "adjudicate", "audit", "example/4", "team", "settings", "browse",
            "people",
        ):  # fmt: skip
            page.goto(f"/{path}")
            settled(page)
            for width in (390, 320):
                page.set_viewport_size({"width": width, "height": 844})
                size = page.evaluate("document.documentElement.scrollWidth")
                wide += [(path, width, size)] * (size > width)
        assert wide == []
