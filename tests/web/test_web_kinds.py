"""The pages of each kind of question in a real browser: by the keyboard alone, and for everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from test_web_access import complaints
from web_browser import WINDOWS, Visits, eventually, text_of
from web_site import RunningSite, running

from activelab.project import insight
from activelab.project.training.round import train_round

pytestmark = pytest.mark.slow

WORDS = ("money back", "late courier", "broken crack")
TOPICS = ("refund", "delivery", "damage")
SETS = [[TOPICS[c] for c in range(3) if (i + c) % 3 or i % 5 == c] for i in range(45)]
QUESTIONS = {
    "ordinal": {"classes": ("1", "2", "3"), "scale_ends": ("hate it", "love it")},
    "multilabel": {"classes": TOPICS},
}
PAGES = ["/dashboard", "/adjudicate", "/audit", "/example/4", "/settings", "/team"]


def right(question: str, code: int) -> str | list[str]:
    return SETS[code] if question == "multilabel" else str(1 + code % 3)


def content(question: str, code: int) -> dict[str, str]:
    said = [WORDS[TOPICS.index(one)] for one in SETS[code]] if question == "multilabel" else [WORDS[code % 3]]
    return {"text": f"{' '.join(said)} number {code}"}


@pytest.fixture(params=QUESTIONS)
def site(request: pytest.FixtureRequest, tmp_path):
    question = request.param
    with running(
        tmp_path / "p.db", question=question, guidelines="Look twice.", **QUESTIONS[question]
    ) as one:
        yield one


@pytest.fixture(scope="module", params=QUESTIONS)
def full(request: pytest.FixtureRequest, tmp_path_factory):
    """A project with a round, answers that say "I cannot tell", a decision and an audit."""
    question = request.param
    place = tmp_path_factory.mktemp("web") / "p.db"
    contents = [content(question, code) for code in range(45)]
    with running(place, contents=contents, question=question, **QUESTIONS[question]) as one:
        project, jude = one.project, one.people["jude"]
        project.add_labels(
            (f"e{code}", who, right(question, (code + 1) % 30 if code % 9 == 0 and who == "bob" else code))
            for code in range(30)
            for who in ("ann", "bob")
        )
        lease = project.lease(one.people["ann"])[0]
        project.record(one.people["ann"], lease.id, "unsure")
        project.decide(jude, 3, right(question, 3))
        train_round(project)
        number = insight.draw_audit(project, 6, by=jude, seed=0)
        code = insight.next_check(project, number).example_id
        project.check(jude, number, code, right(question, code))
        yield one


def given(site: RunningSite) -> list[str | list[str] | None]:
    """The answers that are stored, in their order; None for "I cannot tell"."""
    with site.browser("jude") as jude:
        pages = [jude.get(f"/api/v1/examples/{code}").json() for code in range(site.project.num_examples)]
    votes = sorted((vote for page in pages for vote in page["votes"]), key=lambda vote: vote["event"])
    return [vote["label"] for vote in votes]


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def answered(page: Page, *keys: str) -> None:
    """Press keys, of which the last answers."""
    before = text_of(page)
    press(page, *keys)
    expect(page.locator("#example")).not_to_have_text(before)


def tab_to(page: Page, selector: str) -> None:
    """Go to an element with the key Tab."""
    for _ in range(300):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"Tab never comes to {selector}")


# ---------------------------------------------------------------- labelling


def test_rating_by_keys(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", question="ordinal", classes=tuple("12345")) as site:
        page = visit(site, "ann", "/label")
        expect(page.get_by_role("radiogroup", name="Rating").get_by_role("radio")).to_have_count(5)
        answered(page, "4")
        answered(page, "ArrowRight", "ArrowRight", "ArrowRight", "Enter")
        answered(page, "ArrowLeft", "ArrowLeft", "Space")
        answered(page, "ArrowRight", "End", "Home", "ArrowUp", "Enter")
        answered(page, "c")
        eventually(lambda: given(site) == ["4", "3", "4", "2", None])
        expect(page.locator("#count")).to_have_text("4 by you")


def test_the_ends_of_a_scale_are_named(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", question="ordinal", **QUESTIONS["ordinal"]) as site:
        page = visit(site, "ann", "/label")
        names = [one.get_attribute("aria-label") for one in page.get_by_role("radio").all()]
        assert names == ["1, hate it", None, "3, love it"]
        expect(page.get_by_role("radio", name="1, hate it")).to_have_attribute("aria-checked", "false")
        press(page, "ArrowRight")
        expect(page.get_by_role("radio", name="1, hate it")).to_have_attribute("aria-checked", "true")
        expect(page.get_by_role("radio", name="1, hate it")).to_be_focused()


def test_a_scale_to_ten_has_a_key_for_each_point(tmp_path, visit: Visits):
    points = tuple(map(str, range(1, 11)))
    with running(tmp_path / "p.db", question="ordinal", classes=points) as site:
        page = visit(site, "ann", "/label")
        answered(page, "0")
        answered(page, "9")
        eventually(lambda: given(site) == ["10", "9"])


def test_ticking_by_keys(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", question="multilabel", classes=TOPICS) as site:
        page = visit(site, "ann", "/label")
        first = text_of(page)
        store = page.get_by_role("button", name="Store these")
        press(page, "Enter")  # nothing is ticked: nothing is stored
        expect(page.locator("#example")).to_have_text(first)
        expect(store).to_be_disabled()
        press(page, "1", "2", "3", "2")
        ticked = [one.get_attribute("aria-checked") for one in page.get_by_role("checkbox").all()[:3]]
        assert ticked == ["true", "false", "true"]
        answered(page, "Enter")
        expect(page.get_by_role("checkbox", name="refund")).to_have_attribute("aria-checked", "false")
        answered(page, "0")
        answered(page, "c")
        page.get_by_role("checkbox", name="delivery").focus()
        answered(page, "Space", "Enter")
        eventually(lambda: given(site) == [["refund", "damage"], [], None, ["delivery"]])
        expect(page.locator("#heard")).to_contain_text("delivery. Next:")


def test_many_classes_are_found_by_typing(tmp_path, visit: Visits):
    names = tuple(f"topic {letter}{number}" for letter in "abcd" for number in range(10))
    with running(tmp_path / "p.db", question="multilabel", classes=names) as site:
        page = visit(site, "ann", "/label")
        text_of(page)
        press(page, "/")
        page.keyboard.type("c7")
        press(page, "Enter")
        expect(page.get_by_label("Find a class")).to_be_focused()
        page.keyboard.type("topic d0")
        press(page, "Enter")
        answered(page, "Enter")
        eventually(lambda: given(site) == [["topic c7", "topic d0"]])


def test_undo_brings_the_example_back_unanswered(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    first = text_of(page)
    answered(page, "1", *(["Enter"] if site.project.settings.several else []))
    press(page, "u")
    expect(page.locator("#example")).to_have_text(first)
    eventually(lambda: given(site) == [])
    assert page.locator("#classes [aria-checked=true]").count() == 0


def test_cannot_tell_is_among_the_reasons_not_to_answer(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    before = text_of(page)
    press(page, "s")
    expect(page.get_by_role("dialog").get_by_role("button", name="I cannot tell")).to_be_visible()
    press(page, "3")
    expect(page.locator("#example")).not_to_have_text(before)
    eventually(lambda: insight.overview(site.project).abstentions == 1)
    assert insight.overview(site.project).skips == 0


def test_single_classes_by_keys(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", question="multilabel", classes=TOPICS, ask="classes", budget=2) as site:
        page = visit(site, "ann", "/label")
        question = page.locator("#one-asked")
        expect(question).to_have_text("Is it also refund?")
        first = text_of(page)
        expect(page.get_by_role("checkbox")).to_have_count(0)
        assert complaints(page) == []
        press(page, "y")
        expect(question).to_have_text("Is it also delivery?")
        expect(page.locator("#example")).to_have_text(first)
        expect(page.locator("#heard")).to_contain_text("refund: yes. Next: Is it also delivery?")
        press(page, "1", "Enter", "n")  # keys of classes do nothing here
        expect(question).to_have_text("Is it also damage?")
        press(page, "u")
        expect(question).to_have_text("Is it also delivery?")
        tab_to(page, "#one button:first-of-type")
        press(page, "Space", "c")
        expect(question).to_have_text("Is it also refund?")
        expect(page.locator("#example")).not_to_have_text(first)
        expect(page.locator("#count")).to_have_text("0.67 of 2 · 2 by you")
        eventually(lambda: given(site) == [["refund"], ["delivery"], None])
        for count in ("1 of 2 · 3", "1.33 of 2 · 4", "1.67 of 2 · 5", "2 of 2 · 6"):
            text_of(page)  # near the end of the budget few are here ahead
            press(page, "n")
            expect(page.locator("#count")).to_have_text(f"{count} by you")
        expect(page.locator("#example")).to_contain_text("The budget is spent")  # all is stored
        page.reload()
        expect(page.locator("#example")).to_contain_text("The budget is spent")
        page = visit(site, "jude", f"/example/{first.split()[-1]}")
        said = page.locator("#votes li").all_inner_texts()
        assert [" ".join(one.split()) for one in said] == [
            "ann refund: yes",
            "ann delivery: yes",
            "ann damage: cannot tell",
        ]


def test_single_classes_by_the_api(tmp_path):
    with (
        running(tmp_path / "p.db", question="multilabel", classes=TOPICS, ask="classes", budget=2) as site,
        site.program("ann") as ann,
    ):
        first, second = ann.post("/api/v1/leases", json={"count": 2}).json()["items"]
        assert (first["asked"], first["price"], second["asked"]) == (
            "refund",
            pytest.approx(1 / 3),
            "delivery",
        )
        address = f"/api/v1/leases/{first['lease']}/answer"
        wrong = ann.post(address, json={"kind": "label", "label": ["damage"]})
        assert (wrong.status_code, "one class was asked about" in wrong.json()["message"]) == (422, True)
        body = {"kind": "label", "label": [], "request": "request-1", "then_lease": 2}
        for repeated in (False, True):
            reply = ann.post(address, json=body).json()
            assert reply["repeated"] is repeated
            assert [item["asked"] for item in reply["items"]] == ["delivery", "damage"]
        progress = ann.get("/api/v1/progress").json()
        assert progress.pop("version")
        assert progress.items() >= {"yours": 1, "collected": 0.333, "budget": 2}.items()
        assert progress["price"] == pytest.approx(1 / 3)


# ---------------------------------------------------------------- those who lead


def test_a_decision_by_the_keyboard(full: RunningSite, visit: Visits):
    several = full.project.settings.several
    page = visit(full, "jude", "/adjudicate")
    case = page.locator("#list > li").first
    name = case.get_by_role("heading").inner_text()
    tab_to(page, ".decider button")
    press(page, *(["Space", "Enter"] if several else ["End", "Enter"]))
    expect(page.get_by_role("heading", name=name, exact=True)).to_have_count(0)
    decided = insight.decision_list(full.project)[0]
    assert (decided.example, decided.label) == (name, ["refund"] if several else "3")
    # The focus is at the next case.
    assert page.evaluate("document.activeElement.closest('.decider') !== null")
    full.project.undo_decision(full.people["jude"], decided.id)


def test_a_check_by_the_keyboard(full: RunningSite, visit: Visits):
    several = full.project.settings.several
    number = insight.audit_list(full.project)[0].id
    before = insight.audit_result(full.project, number).checked
    page = visit(full, "jude", "/audit")
    press(page, "2", *(["3", "Enter"] if several else []))
    expect(page.locator("#progress")).to_have_text(f"{before + 1} of 6 checked")
    expect(page.locator("#results")).to_contain_text(f"by {before + 1} checks")
    said = insight.decision_list(full.project)[0].label
    assert said == (["delivery", "damage"] if several else "2")
    press(page, "u")
    expect(page.locator("#progress")).to_have_text(f"{before} of 6 checked")


def test_deciding_on_the_page_of_an_example_by_the_keyboard(full: RunningSite, visit: Visits):
    several = full.project.settings.several
    page = visit(full, "jude", "/example/7")
    tab_to(page, ".decider button")
    press(page, *(["Space", "Tab", "Space", "Enter"] if several else ["Home", "ArrowRight", "Enter"]))
    expect(page.locator("#decision")).to_contain_text("decided by jude")
    expect(page.locator("#decision b")).to_have_text("refund, delivery" if several else "2")
    tab_to(page, "#decision button")
    press(page, "Enter")
    expect(page.locator("#decision")).to_be_hidden()


def test_the_dashboard_says_what_is_measured(full: RunningSite, visit: Visits):
    page = visit(full, "jude", "/dashboard")
    figures = page.locator("#figures")
    expect(figures).to_contain_text("Cannot tell")
    heads = page.locator("#people th[scope=col]").all_inner_texts()
    if full.project.settings.several:
        assert {"Sensitivity", "Specificity"} < set(heads)
        expect(page.locator("#right")).to_contain_text("labels are right in every class")
    else:
        assert {"Shift", "Spread"} < set(heads)
        expect(page.locator("#right")).to_contain_text("points")
        expect(page.get_by_role("heading", name="Error over rounds")).to_be_visible()
        expect(page.locator("#agreement")).to_contain_text("Gwet’s AC2")


def test_every_control_can_be_reached_by_tab(full: RunningSite, visit: Visits):
    for path in ("/dashboard", "/settings"):
        page = visit(full, "ada", path)
        for wanted in ("#links a", *(["#train"] if path == "/dashboard" else ["#question", "form button"])):
            tab_to(page, wanted)


@pytest.mark.parametrize("window", ["dark", "phone"])
def test_the_annotation_page_can_be_used_by_everybody(site: RunningSite, visit: Visits, window):
    page = visit(site, "ann", "/label", **WINDOWS[window])
    text_of(page)
    assert complaints(page) == []
    press(page, "1" if site.project.settings.several else "ArrowRight")
    assert complaints(page) == []


# What a kind of question changes; test_web_access.py has all pages.
@pytest.mark.parametrize("window", ["dark", "phone"])
@pytest.mark.parametrize("path", PAGES[:4])
def test_pages_can_be_used_by_everybody(full: RunningSite, visit: Visits, path, window):
    page = visit(full, "ada", path, **WINDOWS[window])
    assert complaints(page) == []
