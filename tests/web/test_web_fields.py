"""What the scripts of the pages read of answers is what the schema of the API promises."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect
from web_browser import Visits, eventually
from web_site import RunningSite, running

from activelab.project import insight
from activelab.project.labelling.audits import list_checks
from activelab.project.training.round import train_round

pytestmark = pytest.mark.slow

# Answers are wrapped, so that every field a script reads is written down: address, and the way to the field.
WATCH = """
const reads = (globalThis.reads = new Set());
const watched = (value, address, way) =>
  value === null || typeof value !== "object" ? value : new Proxy(value, {
    get(target, name) {
      const inside = target[name];
      // Methods of arrays are no fields; and a promise looks whether what it resolves to is one.
      if (typeof name === "symbol" || name === "then") return inside;
      if (Array.isArray(target) && isNaN(name)) return inside;
      const further = [...way, Array.isArray(target) ? "[]" : name];
      reads.add(JSON.stringify([address, further]));
      return watched(inside, address, further);
    },
  });
const json = Response.prototype.json;
Response.prototype.json = async function () {
  const body = await json.call(this);
  return this.ok ? watched(body, new URL(this.url).pathname, []) : body;
};
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    words = {"cat": "purring fur whiskers", "dog": "barking leash bone", "eel": "river slippery fish"}
    contents = [{"text": f"{words[name]} number {i}", "length": i} for i in range(20) for name in words]
    with running(tmp_path_factory.mktemp("web") / "p.db", contents=contents, budget=200) as one:
        for turn in range(5):
            one.project.add_labels(
                (f"e{i}", who, [*words][(i + (i % 7 == 0) + (who == "bob" and i % 9 == 8)) % 3])
                for i in range(9 * turn, 9 * turn + 9)
                for who in ("ann", "bob")
            )
            train_round(one.project)
        one.project.decide(one.people["jude"], 4, "eel")
        number = insight.draw_audit(one.project, 30, seed=1)
        asked = one.project.database.read(lambda c: list_checks(c, number))
        for code in [check.example_id for check in asked if check.example_id != 6][:10]:
            one.project.check(one.people["jude"], number, code, "cat")
        yield one


def schema_of(document: dict[str, Any], address: str) -> Any:
    """The schema of the answer to GET at an address."""
    for path, methods in document["paths"].items():
        if "get" in methods and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), address):
            return methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return None


def promised(document: dict[str, Any], schema: Any, way: list[str]) -> bool:
    """Whether an answer of a schema has a field, or may have one where its keys are free."""
    if "$ref" in schema:
        return promised(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], way)
    if "anyOf" in schema:
        return any(promised(document, one, way) for one in schema["anyOf"])
    if not way:
        return True
    name, *rest = way
    if name == "[]":
        return "items" in schema and promised(document, schema["items"], rest)
    if name in schema.get("properties", {}):
        return promised(document, schema["properties"][name], rest)
    free = schema.get("additionalProperties")
    return isinstance(free, dict) and promised(document, free, rest)


# Of each page, some fields without which it would show nothing.
PAGES = {
    "/dashboard": {
        "/api/v1/status": ["labels", "round.train_every", "training.due", "open_leases"],
        "/api/v1/charts": ["learning_curve.drawing.attributes", "quality.drawing.children.[].tag",
                           "new_share.legend.[].name"],
        "/api/v1/headline": ["sentence", "forecast.sentence", "stale"],
        "/api/v1/rounds": ["[].cv_accuracy", "[].temperature.[]", "[].models"],
        "/api/v1/annotator-quality": ["[].gold_n", "[].agreement", "[].accuracy_words"],
        "/api/v1/pair-agreement": ["annotators.[]", "kappa.[].[]", "overall.[].low"],
        "/api/v1/queue": ["[].score", "[].predicted"],
        "/api/v1/audits": ["[].sentence", "[].checked", "[].wrong"],
        "/api/v1/adjudication": ["[].votes.[].annotator", "[].quality"],
        "/api/v1/plan": ["pace", "classes.[].quality", "confusion.counts.[].[]", "days.[]"],
    },
    "/browse": {"/api/v1/browse": ["rows.[].answers.[].number", "rows.[].content.text", "total"],
                "/api/v1/browse/facets": ["annotators.[]", "fields.[]", "rounds.[]"]},
    "/people": {
        "/api/v1/people": ["[].flags", "[].accuracy.low", "[].days.[]", "[].practice", "[].last_active"]
    },
    "/adjudicate": {"/api/v1/adjudication": ["[].why", "[].content.text", "[].votes.[].kind"],
                    "/api/v1/decisions": ["[].label", "[].annotator", "[].consensus"]},
    "/audit": {
        "/api/v1/audits": ["[].sentence", "[].classes.[].low", "[].safe", "[].epsilon", "[].by"],
        "/api/v1/audits/1/next": ["example", "content.text", "checked", "drawn"],
    },
    "/example/4": {
        "/api/v1/why/4": ["parts.[].says", "annotator_accuracy", "label", "source", "temperature.[]"],
        "/api/v1/examples/4": ["votes.[].label", "content.fields.[].name", "gold", "decision.annotator"],
    },
    "/example/6": {"/api/v1/why/6": ["position", "of"]},  # nobody has decided it
    "/team": {"/api/v1/annotators": ["[].num_labels"]},
}  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_pages_read_what_the_schema_promises(site: RunningSite, visit: Visits, path):
    page = visit(site, "ada", "/account")
    page.context.add_init_script(WATCH)
    page.goto(path)
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    reads: list[tuple[str, list[str]]] = page.evaluate("[...reads].map((one) => JSON.parse(one))")
    with site.browser("ada") as client:
        document = client.get("/api/v1/openapi.json").json()
    for address, way in reads:
        schema = schema_of(document, address)
        assert schema, f"{address} promises nothing"
        assert promised(document, schema, way), f"{path} reads {'.'.join(way)} of {address}"
    for address, fields in PAGES[path].items():
        known = {".".join(way) for where, way in reads if where == address}
        assert known >= {*fields}, address


def test_live_updates_are_the_overview(site: RunningSite, visit: Visits):
    page = visit(site, "ada", "/account")
    told = page.evaluate("""() => new Promise((resolve) => {
      const stream = new EventSource("/api/v1/events");
      stream.addEventListener("status", (event) => { stream.close(); resolve(JSON.parse(event.data)); });
    })""")
    with site.browser("ada") as client:
        assert told == client.get("/api/v1/status").json()
    eventually(lambda: not any(site.state.listeners.values()))


def test_a_field_of_another_name_is_noticed(site: RunningSite):
    with site.browser("ada") as client:
        document = client.get("/api/v1/openapi.json").json()
    rounds = schema_of(document, "/api/v1/rounds")
    assert promised(document, rounds, ["[]", "cv_accuracy"])
    assert not promised(document, rounds, ["[]", "accuracy"])
    assert not promised(document, rounds, ["cv_accuracy"])
    assert not promised(document, schema_of(document, "/api/v1/status"), ["round", "train_evry"])
