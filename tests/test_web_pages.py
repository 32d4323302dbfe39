"""The pages in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from activelab.project._training import train_round
from web_site import PASSWORD, RunningSite, running

pytestmark = pytest.mark.slow

CLASSES = ("cat", "dog", "eel")
WORDS = {"cat": "purring fur whiskers", "dog": "barking leash bone", "eel": "river slippery fish"}

# Text in every place an attacker can write to; each would open a dialog or set a mark.
ATTACKS = (
    "<script>window.hit=1;alert(1)</script>",
    '"><img src=x onerror="window.hit=1;alert(1)">',
    "</script><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}${alert(1)}'-alert(1)-'",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser):
    """Opens a page as somebody; complaints of the browser are failures."""
    contexts: list[BrowserContext] = []
    trouble: list[str] = []

    def visit(site: RunningSite, name: str | None, path: str, **options: object) -> Page:
        context = chromium.new_context(base_url=site.url, **options)
        contexts.append(context)
        if name is not None:
            context.add_cookies(
                [{"name": key, "value": value, "url": site.url} for key, value in site.cookies(name).items()]
            )
        page = context.new_page()
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
        page.on("dialog", lambda dialog: (trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path)
        return page

    visit.trouble = trouble  # for the tests that make trouble themselves
    yield visit
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.fixture
def site(tmp_path):
    with running(tmp_path / "p.db", guidelines="Look twice.", budget=100) as one:
        yield one


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with rounds, on which nothing is changed."""
    contents = [{"text": f"{WORDS[CLASSES[i % 3]]} number {i}"} for i in range(60)]
    with running(tmp_path_factory.mktemp("web") / "p.db", contents=contents) as one:
        for turn in range(5):
            one.project.add_labels(
                (f"e{i}", who, CLASSES[(i + (i % 7 == 0)) % 3])
                for i in range(9 * turn, 9 * turn + 9)
                for who in ("ann", "bob")
            )
            train_round(one.project)
        yield one


def text_of(page: Page) -> str:
    expect(page.locator("#example")).to_have_attribute("aria-busy", "false")
    return page.locator("#example").inner_text()


# ---------------------------------------------------------------- labelling


def test_undo_shows_the_example_again(site: RunningSite, visit):
    page = visit(site, "ann", "/label")
    first = text_of(page)
    page.keyboard.press("1")
    expect(page.locator("#example")).not_to_have_text(first)
    page.keyboard.press("u")
    expect(page.locator("#example")).to_have_text(first)
    expect(page.locator("#count")).to_have_text("0 of 100 · 0 by you")
    page.keyboard.press("3")
    expect(page.locator("#count")).to_have_text("1 of 100 · 1 by you")


def test_the_next_example_is_there_before_the_answer_is_stored(site: RunningSite, visit):
    page = visit(site, "ann", "/label")
    seen = [text_of(page)]
    held: list[object] = []
    page.route("**/answer", lambda route: held.append(route))
    for _ in range(3):
        page.keyboard.press("1")
        expect(page.locator("#example")).not_to_have_text(seen[-1])
        seen.append(text_of(page))
    assert len(set(seen)) == 4
    assert len(held) == 1  # one after the other, so that they arrive in their order


def test_an_answer_that_was_not_stored_is_sent_again_and_counts_once(site: RunningSite, visit):
    page = visit(site, "ann", "/label")
    text_of(page)
    sent: list[str] = []

    def flaky(route) -> None:
        sent.append(route.request.post_data)
        if len(sent) == 1:
            route.fetch()  # it is stored, but the answer gets lost
            route.fulfill(status=503, json={"error": "storage", "message": "try again.", "field": None})
        else:
            route.continue_()

    page.route("**/answer", flaky)
    with page.expect_response(
        lambda response: response.url.endswith("/answer") and response.ok, timeout=15_000
    ):
        page.keyboard.press("1")
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert site.project.labels().n_labels == 1
    assert len(visit.trouble) == 1
    assert "503" in visit.trouble.pop()


def test_two_people_at_once_see_different_examples(site: RunningSite, visit):
    pages = {name: visit(site, name, "/label") for name in ("ann", "bob")}
    seen: dict[str, list[str]] = {name: [] for name in pages}
    for _ in range(4):
        for name, page in pages.items():
            seen[name].append(text_of(page))
            page.keyboard.press("1")
            expect(page.locator("#example")).not_to_have_text(seen[name][-1])
    assert len({*seen["ann"], *seen["bob"]}) == 8


def test_guidelines_and_single_keys_can_be_switched(site: RunningSite, visit):
    page = visit(site, "ann", "/label")
    first = text_of(page)
    page.keyboard.press("g")
    panel = page.get_by_role("complementary", name="Guidelines")
    expect(panel).to_contain_text("Look twice.")
    page.get_by_label("Answer with single keys").uncheck()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    page.keyboard.press("1")
    expect(page.locator("#example")).to_have_text(first)
    page.get_by_role("button", name="cat").click()
    expect(page.locator("#example")).not_to_have_text(first)


def test_the_end_of_the_work_is_said(tmp_path, visit):
    with running(tmp_path / "p.db", n=2) as site:
        page = visit(site, "ann", "/label")
        for _ in range(2):
            text_of(page)
            page.keyboard.press("1")
        expect(page.locator("#example")).to_contain_text("Nothing to label now")
        expect(page.get_by_role("button", name="cat")).to_be_disabled()


def test_more_classes_than_digits_have_letters_and_a_search(tmp_path, visit):
    names = [f"kind {chr(65 + i)}" for i in range(20)]
    with running(tmp_path / "p.db", classes=tuple(names)) as site:
        page = visit(site, "ann", "/label")
        text_of(page)
        page.keyboard.press("a")  # the tenth key
        page.keyboard.press("/")
        page.keyboard.type("kind t")
        page.keyboard.press("Enter")
        expect(page.locator("#count")).to_have_text("2 by you")
        page.wait_for_timeout(500)
        labels = site.project.labels()
    assert sorted(labels.classes[labels.label].tolist()) == ["kind J", "kind T"]


def test_classes_that_are_digits_have_their_own_keys(tmp_path, visit):
    with running(tmp_path / "p.db", classes=("0", "1", "2", "other")) as site:
        page = visit(site, "ann", "/label")
        text_of(page)
        page.keyboard.press("0")
        page.keyboard.press("3")
        expect(page.locator("#count")).to_have_text("2 by you")
        page.wait_for_timeout(500)
        labels = site.project.labels()
    assert sorted(labels.classes[labels.label].tolist()) == ["0", "other"]


# ---------------------------------------------------------------- people


def test_from_the_first_invitation_to_a_label(site: RunningSite, visit):
    admin = visit(site, "ada", "/team")
    admin.get_by_role("button", name="Make a link").click()
    link = admin.locator("#invite-link code").inner_text()
    page = visit(site, None, link)
    expect(page).to_have_url(re.compile(r"/join$"))  # the secret has left the address
    page.get_by_label("Name").fill("eve")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    expect(page).to_have_url(re.compile("/label$"))
    text_of(page)
    page.get_by_role("link", name="eve").click()
    page.get_by_role("button", name="Log out everywhere").click()
    expect(page).to_have_url(re.compile("/login"))
    page.goto("/label")
    page.get_by_label("Name").fill("eve")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile("/label$"))


def test_disabling_somebody(site: RunningSite, visit):
    page = visit(site, "ada", "/team")
    page.get_by_role("button", name="Disable bob").click()
    expect(page.get_by_role("button", name="Enable bob")).to_be_visible()
    with site.browser("bob") as bob:
        assert bob.get("/api/v1/me").status_code == 401


def test_tokens_and_settings(site: RunningSite, visit):
    page = visit(site, "ada", "/account")
    page.get_by_label("What the token is for").fill("script")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-secret code")).to_have_text(re.compile("^al_"))
    page.goto("/settings")
    page.get_by_label("Budget").fill("77")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("saved")
    assert site.project.refresh(0).budget == 77


# ---------------------------------------------------------------- those who lead


def test_the_dashboard(trained: RunningSite, visit):
    page = visit(trained, "jude", "/dashboard")
    expect(page.locator("#figures")).to_contain_text("90")
    for name in ("Accuracy over 5 rounds", "Share of new examples", "Quality of consensus labels"):
        expect(page.get_by_role("img", name=name)).to_be_visible()
    expect(page.get_by_role("region", name="Annotators").get_by_role("row", name="ann 45")).to_be_visible()
    expect(page.get_by_role("region", name="Rounds").get_by_role("row")).to_have_count(7)
    expect(page.locator("#forecast")).to_contain_text("The next 100 labels may bring")
    expect(page.get_by_role("button", name="Train now")).to_have_count(0)  # for admins


def test_the_dashboard_follows_without_a_reload(site: RunningSite, visit):
    page = visit(site, "jude", "/dashboard")
    expect(page.locator("#figures")).to_contain_text("by 0 annotators")
    site.project.put_label(site.people["ann"], 3, "cat", source="api")
    expect(page.locator("#figures")).to_contain_text("by 1 annotators", timeout=10_000)


def test_adjudicating(tmp_path, visit):
    contents = [{"text": f"{WORDS[CLASSES[i % 3]]} number {i}"} for i in range(30)]
    with running(tmp_path / "p.db", contents=contents) as site:
        site.project.add_labels((f"e{i}", who, CLASSES[i % 3]) for i in range(12) for who in ("ann", "bob"))
        train_round(site.project)
        page = visit(site, "jude", "/adjudicate")
        case = page.locator("#list > li").first
        name = case.get_by_role("heading").inner_text()
        case.get_by_role("button", name="eel").click()
        expect(page.locator("#list > li").first).not_to_contain_text(f"{name}\n")
        expect(page.locator("#left")).to_have_text("11 shown")
        code = site.project.example_codes([name])[name]
        with site.browser("jude") as jude:
            assert jude.get(f"/api/v1/examples/{code}").json()["you"] == "eel"


# ---------------------------------------------------------------- check 6: what others wrote is text


# ---------------------------------------------------------------- for everybody

PAGES = {
    "ann": ["/label", "/account"],
    "ada": ["/dashboard", "/adjudicate", "/example/4", "/team", "/settings"],
    None: ["/login", "/join"],
}
EVERY = [(name, path) for name, paths in PAGES.items() for path in paths]

# Contrast of all text with what is behind it, by the formula of WCAG 2; controls without a name; doubled ids.
CHECK = r"""
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((part, i) => part * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.unshift(rgba(getComputedStyle(one).backgroundColor));
    return layers.reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("script, noscript, title, :disabled, .heard, .jump")) continue;
    if (!element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const below = behind(element);
    const text = over(rgba(element.closest("svg") ? style.fill : style.color), below);
    const [high, low] = [light(text), light(below)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  for (const control of document.querySelectorAll("input, select, textarea, button, a[href]")) {
    if (!control.getClientRects().length) continue;
    const name = control.getAttribute("aria-label") || control.textContent.trim() || [...(control.labels ?? [])].map((one) => one.textContent).join("");
    if (!name) found.push(`no name: ${control.outerHTML.slice(0, 80)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`twice: ${id}`);
  for (const heading of [document.querySelectorAll("h1").length, document.querySelectorAll("main").length])
    if (heading !== 1) found.push(`${heading} h1 or main`);
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window");
  return found;
}
"""


@pytest.mark.parametrize(
    "options",
    [
        {"viewport": {"width": 1280, "height": 800}},
        {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
        {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
    ],
    ids=["desktop", "dark", "phone"],
)
@pytest.mark.parametrize(("name", "path"), EVERY)
def test_pages_can_be_read_by_everybody(trained: RunningSite, visit, name, path, options):
    page = visit(trained, name, path, **options)
    page.wait_for_load_state("load")
    page.wait_for_timeout(600)
    assert page.evaluate(CHECK) == []


def test_a_screen_reader_hears_what_comes_next(site: RunningSite, visit):
    page = visit(site, "ann", "/label")
    text_of(page)
    page.get_by_role("button", name="dog").click()
    expect(page.locator("#heard")).to_have_text(re.compile(r"^dog\. Next: text of \d+$"))
    assert page.evaluate("document.activeElement.textContent").endswith("dog")  # the focus stays
