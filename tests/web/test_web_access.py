"""The pages for everybody: screen readers, keyboards, small and dark screens."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from web_browser import WINDOWS, Visits, text_of
from web_site import RunningSite, running

from activelab.project import insight
from activelab.project.training.round import train_round
from activelab.report import project_report

pytestmark = pytest.mark.slow

CLASSES = ("cat", "dog", "eel")
PAGES = {
    "ann": ["/label", "/account"],
    "ada": ["/dashboard", "/adjudicate", "/audit", "/data", "/example/4", "/team", "/settings"],
    None: ["/login", "/join"],
}
EVERY = [(name, path) for name, paths in PAGES.items() for path in paths]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# What axe does not look at: words in drawings, and pages that are wider than the window.
CHECK = r"""
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const light = (color) => {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [x, y, z] = [...canvas.getImageData(0, 0, 1, 1).data]
      .map((v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z + 0.05;
  };
  const found = [];
  for (const words of document.querySelectorAll("svg text")) {
    const below = light(getComputedStyle(words.closest(".panel")).backgroundColor);
    const above = light(getComputedStyle(words).fill);
    if (Math.max(above, below) / Math.min(above, below) < 4.5) found.push(words.textContent);
  }
  const all = document.documentElement;
  if (all.scrollWidth > all.clientWidth) found.push("wider than the window");
  return found;
}
"""


@pytest.fixture
def site(tmp_path):
    with running(tmp_path / "p.db", guidelines="Look twice.", budget=100) as one:
        yield one


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A project with something on every page."""
    words = {"cat": "purring fur whiskers", "dog": "barking leash bone", "eel": "river slippery fish"}
    contents = [{"text": f"{words[CLASSES[i % 3]]} number {i}", "length": i} for i in range(60)]
    with running(tmp_path_factory.mktemp("web") / "p.db", contents=contents, budget=200) as one:
        for turn in range(5):
            one.project.add_labels(
                (f"e{i}", who, CLASSES[(i + (i % 7 == 0) + (who == "bob" and i % 9 == 8)) % 3])
                for i in range(9 * turn, 9 * turn + 9)
                for who in ("ann", "bob")
            )
            train_round(one.project)
        with one.browser("ada") as ada:
            ada.post("/api/v1/invites", json={"name": "eve"})
        audited(one)
        yield one


def audited(site: RunningSite) -> None:
    """An audit that is finished, and one of which a part is checked."""
    for size, done in ((4, 4), (20, 8)):
        number = insight.draw_audit(site.project, size, by=site.people["jude"], seed=0)
        for _ in range(done):
            code = insight.next_check(site.project, number).example_id
            site.project.check(site.people["jude"], number, code, CLASSES[code % 3])


def complaints(page: Page) -> list[str]:
    found = Axe().run(page, options={"resultTypes": ["violations"], "runOnly": RULES}).response["violations"]
    said = [f"{one['id']}: {node['html'][:100]}" for one in found for node in one["nodes"]]
    return said + page.evaluate(CHECK)


@pytest.mark.parametrize("window", ["dark", "phone"])
@pytest.mark.parametrize(("name", "path"), EVERY)
def test_pages_can_be_used_by_everybody(full: RunningSite, visit: Visits, name, path, window):
    page = visit(full, name, path, **WINDOWS[window])
    assert complaints(page) == []


@pytest.mark.parametrize("window", WINDOWS)
def test_the_report_can_be_read_by_everybody(full: RunningSite, chromium: Browser, tmp_path, window):
    (tmp_path / "report.html").write_text(project_report(full.project), encoding="utf-8")
    page = chromium.new_page(**WINDOWS[window])
    page.goto(f"file://{tmp_path}/report.html")
    assert complaints(page) == []
    drawings = [one for one in page.get_by_role("img").all() if one.is_visible()]
    assert [one.get_attribute("aria-label").split()[0] for one in drawings] == ["Accuracy", "Quality"]
    page.close()


@pytest.mark.parametrize("window", WINDOWS)
def test_what_opens_on_the_annotation_page_can_too(site: RunningSite, visit: Visits, window):
    page = visit(site, "ann", "/label", **WINDOWS[window])
    text_of(page)
    page.keyboard.press("g")
    assert complaints(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.get_by_role("dialog", name="Why skip it?")).to_be_visible()
    assert complaints(page) == []


def test_axe_finds_what_is_wrong(site: RunningSite, visit: Visits):
    page = visit(site, None, "/login")
    page.evaluate("document.querySelector('label[for=name]').remove()")
    page.evaluate("document.querySelector('.quiet').className = 'mistake'")
    page.evaluate("document.querySelector('.mistake').append(document.createElement('button'))")
    assert {one.split(":")[0] for one in complaints(page)} >= {"label", "button-name"}


# ---------------------------------------------------------------- screen readers


def test_the_landmarks_of_the_annotation_page(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    shown = text_of(page)
    page.keyboard.press("g")
    expect(page.locator("body")).to_match_aria_snapshot(f"""
        - link "Jump to the content"
        - banner:
          - 'link "Tickets: start"'
          - progressbar "Labels of the budget"
          - group "Text size":
            - button "Smaller text"
            - button "Larger text"
          - button "0 today"
          - navigation "Pages":
            - list:
              - listitem:
                - link "Label"
              - listitem:
                - link "ann"
        - main:
          - heading "Label examples" [level=1]
          - region "Example":
            - text: {shown}
          - region "Your answer":
            - group "Classes":
              - button "cat"
              - button "dog"
              - button "eel"
            - group "Instead of a class":
              - button "Cannot tell"
              - button "Skip"
              - button "Flag"
              - button "Note"
              - button "Undo"
              - button "My answers"
              - button "Guidelines" [expanded]
              - button "Keys"
          - complementary "Guidelines":
            - heading "Guidelines" [level=2]
            - button "Close the guidelines"
            - paragraph: Look twice.
            - paragraph:
              - checkbox "Answer with single keys" [checked]
    """)


def test_the_landmarks_of_the_dashboard(full: RunningSite, visit: Visits):
    page = visit(full, "jude", "/dashboard")
    landmarks = [
        (one.get_attribute("aria-label") or one.locator("h2").first.inner_text())
        for one in page.get_by_role("region").all()
        if one.evaluate("(one) => one.tagName") == "SECTION"
    ]
    assert landmarks == [
        "How good the labels are",
        "Accuracy over rounds",
        "Quality of the labels",
        "What each batch asked for",
        "Agreement",
        "Plan",
        "Classes",
        "Annotators",
        "Agreement of each two",
        "To adjudicate",
        "Audit",
        "Served next",
        "Rounds",
    ]
    assert page.get_by_role("main").count() == page.get_by_role("heading", level=1).count() == 1
    for drawing in page.get_by_role("img").all():
        assert drawing.get_attribute("aria-label")


def test_a_screen_reader_hears_what_comes_next(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    text_of(page)
    page.get_by_role("button", name="dog").click()
    expect(page.locator("#heard")).to_have_text(re.compile(r"^dog\. Next: text of \d+$"))
    assert page.evaluate("document.activeElement.textContent").endswith("dog")  # the focus stays
    page.keyboard.press("u")
    expect(page.locator("#heard")).to_have_text(re.compile(r"^Taken back\. Again: text of \d+$"))


# ---------------------------------------------------------------- keyboards


def test_the_order_of_the_tab_key(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    text_of(page)

    def names(key: str, count: int) -> list[str]:
        found = []
        for _ in range(count):
            page.keyboard.press(key)
            found.append(
                page.evaluate(
                    "document.activeElement.getAttribute('aria-label')"
                    " ?? document.activeElement.lastElementChild?.textContent"
                    " ?? document.activeElement.textContent"
                )
            )
        return found

    # The answer comes first, as Tab begins where the example is; what stands above is behind it.
    assert names("Tab", 11) == [
        "cat", "dog", "eel", "Cannot tell", "Skip", "Flag", "Note", "Undo", "My answers", "Guidelines",
        "Keys",
    ]  # fmt: skip
    page.get_by_role("button", name="cat").focus()
    assert names("Shift+Tab", 7) == [
        "ann", "Label", "0 today", "Larger text", "Smaller text", "Tickets: start", "Jump to the content",
    ]  # fmt: skip


def test_the_jump_to_the_content(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/account")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Log out", exact=True)).to_be_focused()


def test_the_dialog_keeps_the_focus_and_gives_it_back(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    first = text_of(page)
    skip = page.get_by_role("button", name="Skip")
    skip.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Why skip it?")
    expect(dialog.get_by_role("button").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(skip).to_be_focused()
    expect(page.locator("#example")).to_have_text(first)


def test_a_decision_leaves_the_focus_at_the_next_case(full: RunningSite, visit: Visits):
    page = visit(full, "jude", "/adjudicate")
    cases = page.locator("#list > li")
    second = cases.nth(1).get_by_role("heading").inner_text()
    cases.first.get_by_role("button", name="cat").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name=f"Decide {second}").get_by_role("button").first).to_be_focused()
