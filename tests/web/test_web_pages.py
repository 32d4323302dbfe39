"""The pages in a real browser: what people do on them."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, Response, Route, expect
from test_web_access import complaints
from web_browser import WINDOWS, Visits, eventually, settled, text_of
from web_site import PASSWORD, PNG, RunningSite, running

from activelab.project import insight
from activelab.project.labelling.messages import send_message
from activelab.project.labelling.rounds import begin_round
from activelab.project.store import accounts
from activelab.project.training.round import train_round

pytestmark = pytest.mark.slow

CLASSES = ("cat", "dog", "eel")
WORDS = {"cat": "purring fur whiskers", "dog": "barking leash bone", "eel": "river slippery fish"}
CONTENTS = [{"text": f"{WORDS[CLASSES[i % 3]]} number {i}"} for i in range(60)]


@pytest.fixture
def site(tmp_path):
    with running(tmp_path / "p.db", guidelines="Look twice.", budget=100) as one:
        yield one


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with rounds."""
    with running(tmp_path_factory.mktemp("web") / "p.db", contents=CONTENTS, budget=200) as one:
        train_by_rounds(one, 5)
        yield one


def train_by_rounds(site: RunningSite, number: int) -> None:
    for turn in range(number):
        site.project.add_labels(
            (f"e{i}", who, CLASSES[(i + (i % 7 == 0) + (who == "bob" and i % 9 == 8)) % 3])
            for i in range(9 * turn, 9 * turn + 9)
            for who in ("ann", "bob")
        )
        train_round(site.project)


def given(site: RunningSite) -> dict[int, str]:
    """The labels that are stored, by the number of the example."""
    labels = site.project.labels()
    return dict(zip(labels.example.tolist(), labels.classes[labels.label].tolist(), strict=True))


def answers(site: RunningSite) -> list[dict]:
    with site.browser("jude") as jude:
        pages = [jude.get(f"/api/v1/examples/{code}").json() for code in range(site.project.num_examples)]
    return [vote for page in pages for vote in page["votes"]]


# ---------------------------------------------------------------- labelling


def test_answers_are_corrected_from_the_strip_and_the_list_also_after_a_training(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", contents=CONTENTS[:30]) as site:
        page = visit(site, "ann", "/label")
        press, strip = page.keyboard.press, page.locator("#strip button")
        shown = []
        for turn in range(3):
            shown.append(text_of(page))
            press("1")
            expect(strip).to_have_count(turn + 1)
        expect(strip.first).to_contain_text("cat")
        assert complaints(page) == []
        strip.last.click()
        dialog = page.get_by_role("dialog", name="Correct an answer")
        expect(dialog.locator("#mine-content")).to_have_text(shown[0])
        assert complaints(page) == []
        dialog.get_by_role("button", name="dog").click()
        expect(dialog).to_be_hidden()
        expect(strip.last).to_contain_text("dog")
        said = {CONTENTS[code]["text"]: label for code, label in given(site).items()}
        assert said == {shown[0]: "dog", shown[1]: "cat", shown[2]: "cat"}

        site.project.add_labels((f"e{i}", "bob", CLASSES[i % 3]) for i in range(20))
        train_round(site.project)
        press("Backspace")
        expect(dialog.locator("#mine-content")).to_have_text(shown[2])
        dialog.get_by_role("button", name="Cannot tell").click()
        eventually(lambda: insight.overview(site.project).abstentions == 1, page)
        assert insight.overview(site.project).spent == 2

        page.reload()
        settled(page)
        expect(strip.first).to_contain_text("cannot tell")
        page.get_by_role("button", name="My answers").click()
        found = page.locator("#mine-found li")
        expect(found).to_have_count(3)
        page.get_by_label("Search your answers").fill("dog")
        expect(found).to_have_count(sum("dog" in (one + said[one]) for one in shown))
        found.last.get_by_role("button").click()
        dialog.get_by_role("button", name="eel").click()
        eventually(lambda: "eel" in given(site).values(), page)


def test_answers_are_one_s_own(site: RunningSite):
    with site.browser("ann") as ann, site.browser("bob") as bob:
        (item,) = ann.post("/api/v1/leases", json={"count": 1}).json()["items"]
        ann.post(f"/api/v1/leases/{item['lease']}/answer", json={"kind": "skip", "reason": "cut off"})
        (one,) = ann.get("/api/v1/answers").json()
        assert (one["example"], one["kind"], one["reason"]) == (item["example"], "skip", "cut off")
        assert bob.get("/api/v1/answers").json() == []
        body = {"kind": "label", "label": "cat"}
        assert bob.put(f"/api/v1/answers/{item['example']}", json=body).status_code == 409
        assert ann.put("/api/v1/answers/999", json=body).status_code == 409
        assert ann.put(f"/api/v1/answers/{item['example']}", json=body | {"label": "cow"}).status_code == 422
        assert ann.put(f"/api/v1/answers/{item['example']}", json=body).status_code == 200
        assert ann.get("/api/v1/answers", params={"words": "CAT"}).json()[0]["label"] == "cat"


def test_labelling_by_keys(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    first = text_of(page)
    page.keyboard.press("2")
    expect(page.locator("#example")).not_to_have_text(first)
    page.keyboard.press("c")
    page.keyboard.press("s")
    expect(page.get_by_role("dialog", name="Why skip it?")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("1")
    expect(page.locator("#count")).to_have_text("2 of 100 · 2 by you")
    eventually(lambda: len(answers(site)) == 4)
    rows = answers(site)
    assert sorted((row["kind"], row["label"] or "", row["reason"] or "", row["source"]) for row in rows) == [
        ("label", "cat", "", "page"),
        ("label", "dog", "", "page"),
        ("skip", "", "It is damaged or empty", "page"),
        ("unsure", "", "", "page"),
    ]
    assert all(0 < row["seconds"] < 600 for row in rows)


def test_thirty_examples_in_a_row_each_with_its_own_answer(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", n=30, budget=100) as site:
        page = visit(site, "ann", "/label")
        pressed: dict[str, str] = {}
        for turn in range(30):
            shown = text_of(page)
            pressed[shown] = CLASSES[turn % 3]
            page.keyboard.press("123"[turn % 3])
            expect(page.locator("#example")).not_to_have_text(shown)
        expect(page.locator("#example")).to_contain_text("Nothing to label now")
        expect(page.locator("#count")).to_have_text("30 of 100 · 30 by you")
        eventually(lambda: len(given(site)) == 30)
        assert {f"text of {code}": label for code, label in given(site).items()} == pressed


def test_the_count_is_right_however_early_the_first_answer(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/account")
    # The progress is read before the answer is stored, and told after.
    held: list[Route] = []
    page.route("**/progress*", lambda route: route.continue_() if held else held.append(route))
    page.goto("/label")
    text_of(page)
    eventually(lambda: len(held) == 1, page)
    before = held[0].fetch()
    page.keyboard.press("1")
    eventually(lambda: len(given(site)) == 1)
    held[0].fulfill(response=before)
    expect(page.locator("#count")).to_have_text("1 of 100 · 1 by you")
    assert before.json()["collected"] == 0


def test_undo_shows_the_example_again(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    first = text_of(page)
    page.keyboard.press("1")
    expect(page.locator("#example")).not_to_have_text(first)
    page.keyboard.press("u")
    expect(page.locator("#example")).to_have_text(first)
    expect(page.locator("#count")).to_have_text("0 of 100 · 0 by you")
    page.keyboard.press("3")
    expect(page.locator("#count")).to_have_text("1 of 100 · 1 by you")
    eventually(lambda: list(given(site).values()) == ["eel"])


def test_the_next_example_is_there_before_the_answer_is_stored(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    seen = [text_of(page)]
    held: list[Route] = []
    holds = [True]
    page.route("**/answer", lambda route: held.append(route) if holds else route.continue_())
    for _ in range(3):
        page.keyboard.press("1")
        expect(page.locator("#example")).not_to_have_text(seen[-1])
        seen.append(text_of(page))
    assert len(set(seen)) == 4
    assert len(held) == 1  # one after the other, so that they arrive in their order
    page.keyboard.press("2")
    expect(page.locator("#example")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#heard")).to_have_text(f"cat. Next: {seen[-1]}")  # the next is not known yet
    holds.clear()
    held[0].continue_()
    expect(page.locator("#heard")).to_have_text(re.compile(r"^dog\. Next: text of \d+$"))


def test_an_answer_that_was_not_stored_is_sent_again_and_counts_once(site: RunningSite, visit: Visits):
    visit.expected = "503"
    page = visit(site, "ann", "/label")
    text_of(page)
    sent: list[str | None] = []
    page.on("request", lambda one: sent.append(one.post_data) if one.url.endswith("/answer") else None)
    site.losses += ["/answer", "/answer"]
    page.keyboard.press("1")
    expect(page.locator("#unsent")).to_have_text("1 answer waits to be stored")
    expect(page.locator("#unsent")).to_be_empty()
    expect(page.locator("#count")).to_have_text("1 of 100 · 1 by you")
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert [row["label"] for row in answers(site)] == ["cat"]


def test_labelling_goes_on_while_the_network_is_away(site: RunningSite, visit: Visits):
    visit.expected = "ERR_INTERNET_DISCONNECTED"
    page = visit(site, "ann", "/label")
    shown = text_of(page)
    page.context.set_offline(True)
    for _ in range(3):
        page.keyboard.press("1")
        expect(page.locator("#example")).not_to_have_text(shown)
        shown = text_of(page)
    expect(page.locator("#unsent")).to_have_text("Offline: 3 answers are kept here")
    page.context.set_offline(False)
    expect(page.locator("#unsent")).to_be_empty()
    expect(page.locator("#count")).to_have_text("3 of 100 · 3 by you")
    assert len(given(site)) == 3


def test_two_people_at_once_see_different_examples(site: RunningSite, visit: Visits):
    pages = {name: visit(site, name, "/label") for name in ("ann", "bob")}
    seen: dict[str, list[str]] = {name: [] for name in pages}
    for turn in range(8):
        for name, page in pages.items():
            seen[name].append(text_of(page))
        for page in pages.values():
            page.keyboard.press("1")
        for name, page in pages.items():
            expect(page.locator("#example")).not_to_have_text(seen[name][-1])
        eventually(lambda turn=turn: len(given(site)) == 2 * turn + 2, page)
        for page in pages.values():  # what somebody else has taken meanwhile is told with it
            page.wait_for_load_state("networkidle")
    assert len({*seen["ann"], *seen["bob"]}) == 16


def test_a_page_of_an_annotator_is_blind(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", contents=CONTENTS, gold_rate=0.5) as site:
        site.project.add_labels(
            (f"e{i}", f"secret-person-{j}", CLASSES[i % 3]) for i in range(15) for j in range(2)
        )
        site.project.set_gold({f"e{i}": CLASSES[i % 3] for i in range(20, 40)})
        train_round(site.project)
        page = visit(site, "ann", "/account")
        replies: list[Response] = []
        page.on("response", lambda reply: replies.append(reply))
        settled_on(page, "/label")
        for _ in range(6):
            shown = text_of(page)
            page.keyboard.press("2")
            expect(page.locator("#example")).not_to_have_text(shown)
        page.keyboard.press("u")
        expect(page.locator("#example")).to_have_text(shown)
        told = [page.content()] + [
            reply.text() for reply in replies if not reply.url.endswith((".js", ".css", ".svg"))
        ]
        eventually(lambda: len([row for row in answers(site) if row["annotator"] == "ann"]) == 5)
    assert len(told) > 7
    assert "purring" in "".join(told)
    for word in ("secret-person", '"e7"', "quality", "predicted", "score", "consensus", "gold", "votes"):
        assert word not in "".join(told), word


def settled_on(page: Page, path: str) -> Page:
    page.goto(path)
    return settled(page)


def test_labelling_on_a_phone(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label", **WINDOWS["phone"])
    first = text_of(page)
    names = [*CLASSES, "Cannot tell", "Skip", "Undo", "Guidelines"]
    for name in names:
        expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="dog").tap()
    expect(page.locator("#example")).not_to_have_text(first)
    page.get_by_role("button", name="Skip").tap()
    page.get_by_role("button", name="It fits no class").tap()
    page.get_by_role("button", name="Guidelines", exact=True).tap()
    expect(page.get_by_role("complementary", name="Guidelines")).to_contain_text("Look twice.")
    page.get_by_role("button", name="Close the guidelines").tap()
    expect(page.locator("#count")).to_have_text("1 of 100 · 1 by you")
    eventually(lambda: len(answers(site)) == 2)
    page.get_by_role("button", name="Menu").tap()
    page.get_by_role("link", name="ann").tap()
    expect(page).to_have_url(re.compile("/account$"))


def test_guidelines_and_single_keys_can_be_switched(site: RunningSite, visit: Visits):
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
    eventually(lambda: len(given(site)) == 1)


def test_the_end_of_the_work_is_said(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", n=2) as site:
        page = visit(site, "ann", "/label")
        for _ in range(2):
            text_of(page)
            page.keyboard.press("1")
        expect(page.locator("#example")).to_contain_text("Nothing to label now")
        expect(page.get_by_role("button", name="cat", exact=True)).to_be_disabled()


def test_a_budget_that_is_spent_is_said(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", n=5, budget=1) as site:
        page = visit(site, "ann", "/label")
        text_of(page)
        page.keyboard.press("1")
        expect(page.locator("#example")).to_contain_text("The budget is spent")


@pytest.mark.parametrize(
    ("classes", "keys", "expected"),
    [
        pytest.param(
            tuple(f"kind {chr(65 + i)}" for i in range(20)),
            ["a", ("/", "kind t", "Enter")],  # a is the tenth key
            ["kind J", "kind T"],
            id="letters and a search",
        ),
        pytest.param(("0", "1", "2", "other"), ["0", "3"], ["0", "other"], id="digits have their own keys"),
    ],
)
def test_keys_of_classes(tmp_path, visit: Visits, classes, keys, expected):
    with running(tmp_path / "p.db", classes=classes) as site:
        page = visit(site, "ann", "/label")
        for key in keys:
            shown = text_of(page)
            if isinstance(key, tuple):
                page.keyboard.press(key[0])
                page.keyboard.type(key[1])
                key = key[2]
            page.keyboard.press(key)
            expect(page.locator("#example")).not_to_have_text(shown)
        expect(page.locator("#count")).to_have_text("2 by you")
        eventually(lambda: sorted(given(site).values()) == expected)


def test_an_image_and_a_row_of_a_table_are_shown(tmp_path, visit: Visits):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(PNG)
    contents = [{"image": "a.png", "age": 36, "member": True, "city": None}]
    with running(
        tmp_path / "p.db", contents=contents, kind="image", image_root=str(tmp_path / "images")
    ) as site:
        page = visit(site, "ann", "/label")
        text_of(page)
        image = page.get_by_role("img", name="The image to label")
        expect(image).to_be_visible()
        assert image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 1
        for row in ("age 36", "member yes", "city missing"):
            expect(page.get_by_role("row", name=row)).to_be_visible()


# ---------------------------------------------------------------- people


def test_from_the_first_invitation_to_a_label(site: RunningSite, visit: Visits):
    admin = visit(site, "ada", "/team")
    admin.get_by_role("button", name="Make a link").click()
    link = admin.locator("#invite-link code").inner_text()
    page = visit(site, None, link)
    expect(page).to_have_url(re.compile(r"/join$"))  # the secret has left the address
    page.get_by_label("Name").fill("eve")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("alert")).to_have_text("The password needs 10 characters or more.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    expect(page).to_have_url(re.compile("/label$"))
    text_of(page)
    page.get_by_role("link", name="eve").click()
    expect(page).to_have_url(re.compile("/account$"))
    page.get_by_role("button", name="Log out everywhere").click()
    expect(page).to_have_url(re.compile("/login"))
    settled_on(page, "/label")
    page.get_by_label("Name").fill("eve")
    visit.expected = "401"
    page.get_by_label("Password").fill("not my password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("Name and password do not match.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile("/label$"))


def test_disabling_somebody(site: RunningSite, visit: Visits):
    page = visit(site, "ada", "/team")
    page.get_by_role("button", name="Disable bob").click()
    expect(page.get_by_role("button", name="Enable bob")).to_be_visible()
    with site.browser("bob") as bob:
        assert bob.get("/api/v1/me").status_code == 401
    page.get_by_label("Role of ann").select_option("adjudicator")
    expect(page.get_by_role("status").filter(has_text="ann is changed.")).to_be_visible()
    with site.browser("ann") as ann:
        assert ann.get("/api/v1/status").status_code == 200


def test_tokens(site: RunningSite, visit: Visits):
    page = visit(site, "ada", "/account")
    page.get_by_label("What the token is for").fill("script")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-secret code")).to_have_text(re.compile("^al_"))
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator("#tokens")).to_have_text("You have none.")


def written(value: object) -> str:
    """A value as it stands in a control."""
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("window", ["desktop", "phone"])
def test_settings(site: RunningSite, visit: Visits, window):
    page = visit(site, "ada", "/settings", **WINDOWS[window])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for name, value in site.project.settings.to_dict().items():
        control = page.locator(f"#{name}")
        if isinstance(value, bool):
            expect(control).to_be_checked(checked=value)
        else:
            lines = value if isinstance(value, list) else [value]
            expect(control).to_have_value("\n".join(map(written, lines)))
    save, spoken = page.get_by_role("button", name="Save"), page.get_by_role("alert")
    sent = []
    page.on("request", lambda request: sent.append(request.post_data) if request.method == "PATCH" else None)
    page.get_by_label("Budget").fill("77")
    page.get_by_label("Train after how many hours").fill("1.5")
    page.get_by_label("Method").select_option("frugal")
    page.get_by_label("Who labels").select_option("thompson")
    page.get_by_label("Prices of annotators").fill("ann=2\n\n bob=1.5 ")
    page.get_by_label("Classes", exact=True).fill("cat\ndog\neel\nfox")
    page.get_by_label("Leave settled examples alone").check()
    save.click()
    expect(page.get_by_role("status")).to_contain_text("saved")
    changed = {
        "budget": 77, "train_hours": 1.5, "method": "frugal", "assignment": "thompson",
        "prices": ["ann=2", "bob=1.5"], "classes": ["cat", "dog", "eel", "fox"], "skip_settled": True,
    }  # fmt: skip
    assert json.loads(sent.pop()) == changed
    now = site.project.refresh(0).to_dict()
    assert {name: now[name] for name in changed} == changed
    page.get_by_label("Budget").fill("")
    save.click()
    expect(page.locator("#budget")).to_have_value("")
    eventually(lambda: site.project.refresh(0).budget is None)
    visit.expected = "422"
    page.get_by_label("Labels of a round").fill("0")
    save.click()
    expect(spoken).to_have_text("Labels of a round must lie between 1 and 1,000,000,000, got 0.")
    expect(page.get_by_label("Labels of a round")).to_be_focused()
    page.get_by_label("Labels of a round").fill("50")
    page.get_by_label("Classes", exact=True).fill("dog")
    save.click()
    expect(spoken).to_contain_text("classes can be added at the end, not removed")
    assert site.project.refresh(0).batch_size == 100  # all of it or nothing


def test_a_method_of_ones_own_stays_on_the_page(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", method="activelab:Uncertainty") as site:
        page = visit(site, "ada", "/settings")
        expect(page.get_by_label("Method")).to_have_value("activelab:Uncertainty")
        page.get_by_label("Budget").fill("5")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_contain_text("saved")
        assert (site.project.refresh(0).budget, site.project.settings.method) == (5, "activelab:Uncertainty")


# ---------------------------------------------------------------- those who lead


def test_the_dashboard(trained: RunningSite, visit: Visits):
    page = visit(trained, "jude", "/dashboard")
    expect(page.locator("#figures")).to_contain_text("90")
    for name in ("Accuracy over 5 rounds", "Share of new examples", "Quality of the labels"):
        expect(page.get_by_role("img", name=name)).to_be_visible()
    people = page.get_by_role("region", name="Annotators", exact=True)
    expect(people.get_by_role("row", name="ann 45")).to_be_visible()
    cases = page.get_by_role("region", name="To adjudicate")
    expect(cases.get_by_role("row").nth(1)).to_contain_text(
        re.compile("(cat|dog|eel): (ann|bob).*(cat|dog|eel): (ann|bob)$")
    )
    expect(page.get_by_role("region", name="Rounds", exact=True).get_by_role("row")).to_have_count(7)
    expect(page.locator("#right")).to_contain_text("of 100 labels are expected to be right")
    expect(page.locator("#pays")).to_contain_text("the next 100 labels are expected to mend")
    expect(people.get_by_role("row", name="ann 45")).to_contain_text(re.compile(r"\d+ \(\d+ to \d+\)"))
    expect(page.locator("#check")).to_contain_text("an audit of about")
    expect(page.get_by_role("button", name="Train now")).to_have_count(0)  # for admins


def test_the_dashboard_follows_without_a_reload(site: RunningSite, visit: Visits):
    page = visit(site, "jude", "/dashboard")
    expect(page.locator("#figures")).to_contain_text("by 0 annotators")
    site.project.put_label(site.people["ann"], 3, "cat", source="api")
    expect(page.locator("#figures")).to_contain_text("by 1 annotator")


def test_a_training_is_cancelled_on_the_dashboard(site: RunningSite, visit: Visits):
    page = visit(site, "ada", "/dashboard")
    expect(page.get_by_role("button", name="Train now")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel the training")).to_be_hidden()
    site.project.database.write(begin_round)
    page.get_by_role("button", name="Cancel the training").click()
    expect(page.locator("#training")).to_contain_text("The last training failed: cancelled by ada")
    expect(page.get_by_role("button", name="Train now")).to_be_visible()


def test_only_a_dashboard_that_is_looked_at_listens(site: RunningSite, visit: Visits):
    page = visit(site, "jude", "/dashboard")
    turn = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    for hidden in (True, False):
        eventually(lambda hidden=hidden: site.state.listeners.get(site.people["jude"]) == int(hidden))
        page.evaluate(turn, hidden)
    eventually(lambda: site.state.listeners[site.people["jude"]] == 1)


def test_the_dashboard_of_a_new_project(site: RunningSite, visit: Visits):
    page = visit(site, "ada", "/dashboard")
    expect(page.locator("#training")).to_contain_text("No model is trained yet")
    expect(page.locator("#curve")).to_contain_text("It begins with the first trained round.")


def test_why_an_example_was_served(trained: RunningSite, visit: Visits):
    with trained.browser("jude") as jude:
        head = jude.get("/api/v1/queue?limit=1").json()[0]
    page = visit(trained, "jude", "/dashboard")
    link = page.get_by_role("region", name="Served next").get_by_role("link").first
    expect(link).to_have_text(head["example"])
    link.click()
    expect(page.get_by_role("heading", name="Why it is served when it is")).to_be_visible()
    expect(page.locator("#why")).to_contain_text(f"{head['position'] + 1} of 60")
    expect(page.locator("#why")).to_contain_text("one more annotator")
    page.get_by_label("Find an example by its id").fill("e7")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/example/7$"))


def test_adjudicating(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", contents=CONTENTS[:30]) as site:
        site.project.add_labels((f"e{i}", "ann", CLASSES[i % 3]) for i in range(24))
        site.project.add_labels((f"e{i}", "bob", CLASSES[(i + (i < 12)) % 3]) for i in range(20))
        train_round(site.project)
        page = visit(site, "jude", "/adjudicate")
        cases = page.locator("#list > li")
        expect(cases).to_have_count(12)  # the others agree, or are one
        name = cases.first.get_by_role("heading").inner_text()
        cases.first.get_by_role("button", name="eel").click()
        expect(cases).to_have_count(11)
        expect(page.get_by_role("heading", name=name, exact=True)).to_have_count(0)
        code = site.project.example_codes([name])[name]
        with site.browser("jude") as jude:
            assert jude.get(f"/api/v1/examples/{code}").json()["decision"]["label"] == "eel"
        decided = page.get_by_role("region", name="Decided last")
        expect(decided).to_contain_text("by jude")
        decided.get_by_role("button", name=f"Undo the decision on {name}").click()
        expect(cases).to_have_count(12)
        expect(decided).to_be_hidden()
        assert site.project.known_truths().max() == -1


def test_adjudicating_by_keys(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", contents=CONTENTS[:30]) as site:
        site.project.add_labels((f"e{i}", "ann", CLASSES[i % 3]) for i in range(24))
        site.project.add_labels((f"e{i}", "bob", CLASSES[(i + (i < 4)) % 3]) for i in range(20))
        train_round(site.project)
        page = visit(site, "jude", "/adjudicate")
        cases, press = page.locator("#list .case"), page.keyboard.press
        expect(cases).to_have_count(4)
        names = [one.inner_text() for one in cases.get_by_role("heading").all()]
        expect(cases.first).to_have_class(re.compile("now"))

        page.get_by_label(f"Note on {names[0]}").fill("the tail says so")
        press("Enter")
        page.locator("#main").focus()
        press("3")
        expect(cases).to_have_count(3)
        (decision,) = insight.decision_list(site.project)
        assert (decision.example, decision.label, decision.note) == (names[0], "eel", "the tail says so")
        press("u")
        expect(cases).to_have_count(4)
        expect(cases.first.get_by_role("heading")).to_have_text(names[0])
        assert insight.decision_list(site.project) == []

        press("g")
        expect(cases).to_have_count(3)
        expect(page.get_by_role("region", name="The guidelines do not decide")).to_contain_text(names[0])
        press("s")
        expect(page.locator("#left")).to_have_text("2 shown, 1 for later")
        press("u")
        expect(cases).to_have_count(3)
        expect(cases.first.get_by_role("heading")).to_have_text(names[1])
        page.locator("#filters summary").click()
        page.get_by_label("Answered as").select_option("cat")
        given = site.project.labels()
        cat = {int(code) for code in given.example[given.label == 0]}
        left = {site.project.example_codes([name])[name] for name in names[1:]}
        expect(cases).to_have_count(len(cat & left))
        # Asked about again they are no longer set aside.
        assert [one.example for one in insight.unclear_list(site.project)] == [names[0]]
        (code,) = site.project.example_codes([names[0]]).values()
        assert site.project.ask_again(site.people["jude"], [code]) == 1
        assert insight.unclear_list(site.project) == []


def test_deciding_on_the_page_of_an_example(trained: RunningSite, visit: Visits):
    page = visit(trained, "jude", "/example/7")
    decision, why = page.get_by_role("region", name="Decision"), page.get_by_role("region", name="Why")
    decision.get_by_role("button", name="eel").click()
    expect(decision).to_contain_text("decided by jude")
    expect(decision.get_by_role("button", name="eel")).to_have_attribute("aria-pressed", "true")
    expect(why).to_contain_text("decided by an adjudicator")
    decision.get_by_role("button", name="Undo").click()
    expect(decision).not_to_contain_text("decided by")
    expect(why).not_to_contain_text("decided by an adjudicator")


# ---------------------------------------------------------------- check 6: what others wrote is text

# Each would open a dialog, set a mark, or ask for something elsewhere.
ATTACKS = (
    "<script>window.hit=1;alert(1)</script>",
    '"><img src=x onerror="window.hit=1;alert(1)">',
    "</script><svg onload=alert(1)>",
    "javascript:alert(1)//",
    "{{7*7}}${alert(1)}'-alert(1)-'",
    "<!--<script>]]>&lt;b&gt;</textarea></title>",
    '<a href="javascript:alert(1)">x</a>',
)


@pytest.fixture
def hostile(tmp_path):
    """A project in which everything that is written by somebody is an attack."""
    contents = [
        {"text": attack, "image": attack, attack: attack, "more": [attack], "body": {"html": attack}}
        for attack in ATTACKS * 3
    ]
    with running(
        tmp_path / "p.db", contents=contents, classes=ATTACKS, title=ATTACKS[1], guidelines="\n".join(ATTACKS)
    ) as site:

        def people(connection) -> None:
            for attack in ATTACKS:
                number = accounts.add_annotator(connection, attack, 0.0)
                accounts.create_invite(connection, 4e9, role="annotator", name=attack)
                accounts.create_token(connection, site.people["ada"], attack, 4e9)
                send_message(connection, site.people["ada"], [site.people["ann"]], attack, 4e9)
                assert number

        site.project.database.write(people)
        project = site.project
        project.add_examples((attack, {"text": attack}) for attack in ATTACKS)
        project.add_labels(
            (example, who, ATTACKS[(place + turn) % 7])
            for place, example in enumerate(ATTACKS)
            for turn, who in enumerate(ATTACKS[:4])
        )
        train_round(project)
        for name in ("ann", "bob"):
            for _ in range(3):
                (lease,) = project.lease(site.people[name], 1)
                project.record(site.people[name], lease.id, "skip", reason=ATTACKS[0])
        insight.draw_audit(project, 5, seed=0)
        yield site


@pytest.mark.parametrize(
    ("name", "path", "shown"),
    [
        ("ann", "/label", "#example, #classes, #guidelines-text, #messages"),
        ("ada", "/account", "#tokens"),
        ("ada", "/dashboard", "#people, #queue, #pairs"),
        ("ada", "/adjudicate", "#list"),
        ("ada", "/audit", "#content, #classes"),
        ("ada", "/example/{}", "#content, #votes, #decide, #why"),
        ("ada", "/team", "#people, #invites"),
        ("ada", "/settings", "#form"),
    ],
)
def test_what_others_wrote_is_text(hostile: RunningSite, visit: Visits, name, path, shown):
    visit.expected = "404"  # their images are not there
    code = hostile.project.example_codes([ATTACKS[0]])[ATTACKS[0]]
    page = visit(hostile, name, path.format(code))
    if path == "/label":
        expect(page.locator(".message")).to_have_count(len(ATTACKS))
    for place in shown.split(", "):
        words = page.locator(place).evaluate(
            "(one) => one.textContent + [...one.querySelectorAll('input, textarea')].map((two) => two.value)"
        )
        assert any(attack in words for attack in ATTACKS), place
        assert page.locator(f"{place} :is(script, img[src='x'], a[href^='javascript'])").count() == 0
    assert ATTACKS[1] in page.title()
    if path == "/label":
        for _ in range(4):
            page.keyboard.press("g")
            page.keyboard.press("1")
            text_of(page)
    assert page.evaluate("window.hit") is None


def test_an_attack_in_an_address_stays_one(site: RunningSite, visit: Visits):
    for wanted in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        page = visit(site, None, f"/login?next={wanted}")
        settled(page)
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{site.url}/label")
        settled(page)


def test_a_form_without_its_script_sends_nothing(site: RunningSite, visit: Visits):
    page = visit(site, None, "/login")
    visit.expected = "ERR_FAILED|form-action"
    page.route("**/login.js", lambda route: route.abort())
    page.goto("/login")
    page.locator("main").evaluate("(main) => { main.inert = false; }")
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill(PASSWORD)
    with page.expect_console_message(lambda said: "form-action" in said.text):
        page.keyboard.press("Enter")
    assert page.url == f"{site.url}/login"
