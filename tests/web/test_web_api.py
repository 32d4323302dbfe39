"""What the API does, against a real server."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time

import httpx
import pytest
from web_site import PASSWORD, PNG, RunningSite, running

from activelab._network import listen
from activelab.project.labelling.rounds import begin_round, get_round
from activelab.project.store import accounts
from activelab.project.store.schema import annotator
from activelab.project.training.round import train_round


@pytest.fixture
def site(tmp_path):
    with running(tmp_path / "p.db") as one:
        yield one


def take(client: httpx.Client, count: int = 1) -> list[dict]:
    reply = client.post("/api/v1/leases", json={"count": count})
    assert reply.status_code == 200, reply.text
    return reply.json()["items"]


def answer(client: httpx.Client, lease: int, **body: object) -> httpx.Response:
    return client.post(f"/api/v1/leases/{lease}/answer", json={"kind": "label", **body})


def refused(reply: httpx.Response, status: int, code: str) -> str:
    """The message of an error, which has the one shape."""
    body = reply.json()
    assert (reply.status_code, body["error"]) == (status, code), body
    assert set(body) == {"error", "message", "field"}
    return body["message"]


# ---------------------------------------------------------------- labelling


def test_an_answer_is_stored_and_the_next_examples_come_with_it(site: RunningSite):
    with site.browser("ann") as ann:
        first, second = take(ann, 2)
        reply = answer(ann, first["lease"], label="dog", seconds=2.5, then_lease=2).json()
    labels = site.project.labels()
    assert labels.n_labels == 1
    assert labels.classes[labels.label[0]] == "dog"
    assert not reply["repeated"]
    assert reply["items"][0]["lease"] == second["lease"]
    assert len(reply["items"]) == 2


def test_an_item_shows_its_content_and_nothing_else(site: RunningSite):
    with site.browser("ann") as ann:
        (item,) = take(ann)
    assert set(item) == {"lease", "example", "expires", "content", "asked", "price"}
    assert (item["asked"], item["price"]) == (None, 1)
    assert item["content"]["text"].startswith("text of ")
    assert item["content"]["fields"] == []


def test_a_request_that_is_sent_twice_counts_once(site: RunningSite):
    with site.browser("ann") as ann:
        (item,) = take(ann)
        body = {"label": "cat", "request": "only-once-please"}
        first, second = (answer(ann, item["lease"], **body).json() for _ in range(2))
    assert first["event"] == second["event"]
    assert [first["repeated"], second["repeated"]] == [False, True]
    assert site.project.labels().n_labels == 1


def test_a_second_answer_is_a_conflict(site: RunningSite):
    with site.browser("ann") as ann:
        (item,) = take(ann)
        answer(ann, item["lease"], label="cat")
        assert "undo" in refused(answer(ann, item["lease"], label="dog"), 409, "conflict")


def test_undo_brings_the_example_back(site: RunningSite):
    with site.browser("ann") as ann:
        (item,) = take(ann)
        answer(ann, item["lease"], label="cat")
        back = ann.post("/api/v1/undo", json={}).json()["item"]
        assert back["content"] == item["content"]
        assert site.project.labels().n_labels == 0
        assert answer(ann, back["lease"], label="dog").status_code == 200
        assert ann.get("/api/v1/progress").json()["yours"] == 1
        answer_again = ann.post("/api/v1/undo", json={})
        assert answer_again.status_code == 200
        refused(ann.post("/api/v1/undo", json={}), 409, "conflict")


def test_skip_and_unsure_are_no_votes_but_are_told_to_adjudicators(site: RunningSite):
    with site.browser("ann") as ann, site.browser("jude") as jude:
        first, second = take(ann, 2)
        answer(ann, first["lease"], kind="skip", reason="It is empty")
        answer(ann, second["lease"], kind="unsure")
        given = [vote for code in range(20) for vote in jude.get(f"/api/v1/examples/{code}").json()["votes"]]
    assert sorted((vote["kind"], vote["reason"], vote["label"]) for vote in given) == [
        ("skip", "It is empty", None),
        ("unsure", None, None),
    ]
    assert site.project.labels().n_labels == 0


def test_two_people_at_once_never_get_the_same_example(site: RunningSite):
    seen: dict[str, list[str]] = {"ann": [], "bob": []}

    def work(name: str) -> None:
        with site.browser(name) as client:
            while items := take(client, 1):
                seen[name].append(items[0]["content"]["text"])
                answer(client, items[0]["lease"], label="cat")

    threads = [threading.Thread(target=work, args=(name,)) for name in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen["ann"] + seen["bob"]) == sorted(f"text of {i}" for i in range(20))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "label", "label": "cat", "seconds": -1}, "seconds"),
        ({"kind": "label", "label": "cat", "request": "short"}, "request"),
        ({"kind": "guess"}, "kind"),
        ({"kind": "label", "label": "cat", "colour": "red"}, "colour"),
        ({"kind": "label", "label": "c\x00t"}, "label"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_by_field(site: RunningSite, body, field):
    with site.browser("ann") as ann:
        (item,) = take(ann)
        reply = ann.post(f"/api/v1/leases/{item['lease']}/answer", json=body)
    refused(reply, 422, "invalid")
    assert reply.json()["field"] == field


def test_a_class_the_project_does_not_have(site: RunningSite):
    with site.browser("ann") as ann:
        (item,) = take(ann)
        assert "cat, dog, eel" in refused(answer(ann, item["lease"], label="cow"), 422, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("PUT", "/api/v1/me", 405, "method_not_allowed"),
        ("GET", "/api/v1/examples/99999", 404, "not_found"),
        ("GET", "/api/v1/examples/-1", 422, "invalid"),
        ("GET", "/api/v1/why/20", 404, "not_found"),
        ("DELETE", "/api/v1/tokens/99999999999", 404, "not_found"),
        ("DELETE", "/api/v1/invites/7", 404, "not_found"),
        ("GET", "/api/v1/queue?limit=100000", 422, "invalid"),
    ],
)
def test_errors_have_one_shape(site: RunningSite, method, path, status, code):
    with site.browser("ada") as ada:
        refused(ada.request(method, path), status, code)


def test_a_body_that_is_no_json(site: RunningSite):
    with site.browser("ann") as ann:
        reply = ann.post("/api/v1/leases", content=b"{", headers={"Content-Type": "application/json"})
    refused(reply, 422, "invalid")


# ---------------------------------------------------------------- kinds of examples


def test_the_columns_of_a_row_keep_their_order_and_types(tmp_path):
    row = {"name": "Ada", "age": 36, "member": True, "score": 0.5, "big": 2**60, "more": [1], "gone": None}
    with running(tmp_path / "p.db", contents=[row], kind="table") as site, site.browser("ann") as ann:
        (item,) = take(ann)
    assert [(one["name"], one["value"]) for one in item["content"]["fields"]] == [
        ("name", "Ada"),
        ("age", 36),
        ("member", True),
        ("score", 0.5),
        ("big", str(2**60)),
        ("more", "[1]"),
        ("gone", None),
    ]


def test_an_image_is_for_those_it_is_served_to(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(PNG)
    contents = [{"image": "a.png"}] * 3
    with (
        running(
            tmp_path / "p.db", contents=contents, kind="image", image_root=str(tmp_path / "images")
        ) as site,
        site.browser("ann") as ann,
        site.browser("bob") as bob,
        site.browser("jude") as jude,
    ):
        (item,) = take(ann)
        address = item["content"]["image"]
        reply = ann.get(address)
        assert (reply.content, reply.headers["content-type"]) == (PNG, "image/png")
        refused(bob.get(address), 404, "not_found")
        assert jude.get(address).content == PNG
        answer(ann, item["lease"], label="cat")
        assert ann.get(address).content == PNG


# ---------------------------------------------------------------- people


def test_login_and_logout(site: RunningSite):
    with site.browser() as client:
        refused(client.get("/api/v1/me"), 401, "not_logged_in")
        wrong = client.post("/api/v1/session", json={"name": "ann", "password": "not the password"})
        refused(wrong, 401, "wrong_password")
        session = client.post("/api/v1/session", json={"name": "ann", "password": PASSWORD}).json()
        assert session["account"]["role"] == "annotator"
        assert client.get("/api/v1/me").json() == session
        gone = client.delete("/api/v1/session", headers={"X-CSRF-Token": session["csrf"]})
        assert gone.status_code == 204
        refused(client.get("/api/v1/me"), 401, "not_logged_in")


def test_one_of_several_sessions_can_be_ended(site: RunningSite):
    body, firefox = (
        {"name": "ann", "password": PASSWORD},
        "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Firefox/140",
    )
    with site.browser(**{"User-Agent": firefox}) as one, site.browser() as two, site.browser("bob") as bob:
        for client in (one, two):
            client.headers["X-CSRF-Token"] = client.post("/api/v1/session", json=body).json()["csrf"]
        there, here = sorted(two.get("/api/v1/sessions").json(), key=lambda row: row["here"])
        assert (there["browser"], there["here"], here["here"]) == ("Firefox on Windows", False, True)
        refused(bob.delete(f"/api/v1/sessions/{there['id']}"), 404, "not_found")
        assert two.delete(f"/api/v1/sessions/{there['id']}").status_code == 204
        refused(one.get("/api/v1/me"), 401, "not_logged_in")
        refused(two.delete(f"/api/v1/sessions/{there['id']}"), 404, "not_found")
        assert [row["id"] for row in two.get("/api/v1/sessions").json()] == [here["id"]]
        kept = {**two.cookies}  # somebody who has copied it has nothing of it
        assert two.delete(f"/api/v1/sessions/{here['id']}").status_code == 204
        two.cookies.update(kept)
        refused(two.get("/api/v1/me"), 401, "not_logged_in")


def test_an_invitation_makes_an_account_once(site: RunningSite):
    with site.browser("ada") as ada, site.browser() as newcomer, site.browser() as other:
        invite = ada.post("/api/v1/invites", json={"role": "adjudicator"}).json()
        body = {"secret": invite["link"].partition("#")[2], "name": "eve", "password": PASSWORD}
        joined = newcomer.post("/api/v1/join", json=body)
        assert joined.json()["account"]["role"] == "adjudicator"
        assert newcomer.get("/api/v1/status").status_code == 200
        refused(other.post("/api/v1/join", json=body | {"name": "mallory"}), 403, "not_allowed")
        (listed,) = ada.get("/api/v1/invites").json()
        assert listed["used"] is not None
        assert listed["link"] is None


def test_a_password_is_reset_by_an_admin(site: RunningSite):
    ann = f"/api/v1/annotators/{site.people['ann']}"
    with site.browser("ada") as ada, site.browser("ann") as before, site.browser() as client:
        refused(ada.post(f"/api/v1/annotators/{site.people['ada']}/reset"), 409, "conflict")
        earlier = ada.post(f"{ann}/reset").json()
        invite = ada.post(f"{ann}/reset").json()
        refused(before.get("/api/v1/me"), 401, "not_logged_in")
        refused(
            client.post("/api/v1/session", json={"name": "ann", "password": PASSWORD}), 401, "wrong_password"
        )
        new = {"name": "ann", "password": "another long password"}
        for link, status in ((earlier["link"], 403), (invite["link"], 200)):
            assert link.endswith("/ann")
            joined = client.post("/api/v1/join", json=new | {"secret": link.partition("#")[2]})
            assert joined.status_code == status
        account = joined.json()["account"]
        assert (account["id"], account["role"]) == (site.people["ann"], "annotator")
        ada.patch(ann, json={"disabled": True})
        refused(ada.post(f"{ann}/reset"), 422, "invalid")


def test_an_invitation_can_be_revoked(site: RunningSite):
    with site.browser("ada") as ada, site.browser() as newcomer:
        invite = ada.post("/api/v1/invites", json={}).json()
        assert ada.delete(f"/api/v1/invites/{invite['id']}").status_code == 204
        body = {"secret": invite["link"].partition("#")[2], "name": "eve", "password": PASSWORD}
        refused(newcomer.post("/api/v1/join", json=body), 403, "not_allowed")
        refused(ada.delete(f"/api/v1/invites/{invite['id']}"), 404, "not_found")


def test_an_invitation_for_one_person_is_for_nobody_else(site: RunningSite):
    with site.browser("ada") as ada, site.browser() as newcomer:
        made = ada.post("/api/v1/annotators", json={"name": "old hand"}).json()
        assert not made["has_password"]
        secret = ada.post("/api/v1/invites", json={"name": "old hand"}).json()["link"].partition("#")[2]
        body = {"secret": secret, "name": "eve", "password": PASSWORD}
        refused(newcomer.post("/api/v1/join", json=body), 403, "not_allowed")
        joined = newcomer.post("/api/v1/join", json=body | {"name": "old hand"}).json()
    assert joined["account"]["id"] == made["id"]


def test_a_disabled_account_is_out_at_once(site: RunningSite):
    with site.browser("ada") as ada, site.browser("ann") as ann, site.program("ann") as program:
        assert ann.get("/api/v1/me").status_code == 200
        assert program.get("/api/v1/me").status_code == 200
        ada.patch(f"/api/v1/annotators/{site.people['ann']}", json={"disabled": True})
        refused(ann.get("/api/v1/me"), 401, "not_logged_in")
        refused(program.get("/api/v1/me"), 401, "not_logged_in")
        ada.patch(f"/api/v1/annotators/{site.people['ann']}", json={"disabled": False})
        refused(ann.get("/api/v1/me"), 401, "not_logged_in")  # the old session has ended for good


def test_a_role_can_be_changed_but_the_last_admin_stays(site: RunningSite):
    with site.browser("ada") as ada, site.browser("ann") as ann:
        refused(ann.get("/api/v1/status"), 403, "forbidden")
        changed = ada.patch(f"/api/v1/annotators/{site.people['ann']}", json={"role": "adjudicator"})
        assert changed.json()["role"] == "adjudicator"
        assert ann.get("/api/v1/status").status_code == 200
        own = f"/api/v1/annotators/{site.people['ada']}"
        assert "last admin" in refused(ada.patch(own, json={"role": "annotator"}), 422, "invalid")
        assert "last admin" in refused(ada.patch(own, json={"disabled": True}), 422, "invalid")


def test_a_new_password_ends_other_sessions(site: RunningSite):
    with site.browser("ann") as here, site.browser("ann") as there:
        wrong = here.post("/api/v1/me/password", json={"old": "no idea at all", "new": "a new long password"})
        refused(wrong, 403, "wrong_password")
        reply = here.post("/api/v1/me/password", json={"old": PASSWORD, "new": "a new long password"})
        assert reply.status_code == 200
        assert here.get("/api/v1/me").status_code == 200
        refused(there.get("/api/v1/me"), 401, "not_logged_in")
        login = there.post("/api/v1/session", json={"name": "ann", "password": "a new long password"})
        assert login.status_code == 200


def test_tokens_are_for_programs(site: RunningSite):
    with site.browser("ann") as ann, site.browser() as program:
        token = ann.post("/api/v1/tokens", json={"name": "script", "days": 1}).json()
        program.headers["Authorization"] = f"Bearer {token['secret']}"
        (item,) = take(program)
        assert answer(program, item["lease"], label="cat").status_code == 200
        assert program.get("/api/v1/me").json()["csrf"] is None
        (listed,) = ann.get("/api/v1/tokens").json()
        assert listed["secret"] is None
        assert ann.delete(f"/api/v1/tokens/{token['id']}").status_code == 204
        refused(program.get("/api/v1/me"), 401, "not_logged_in")


# ---------------------------------------------------------------- those who lead


def test_settings_are_changed_by_name(site: RunningSite):
    with site.browser("ada") as ada, site.browser("ann") as ann:
        changed = ada.patch("/api/v1/project", json={"guidelines": "Look twice.", "budget": 7}).json()
        assert changed["settings"]["budget"] == 7
        seen = ann.get("/api/v1/project").json()
        assert (seen["guidelines"], seen["settings"]) == ("Look twice.", None)
        more = ada.patch("/api/v1/project", json={"classes": ["cat", "dog", "eel", "fox"]})
        assert more.json()["classes"][-1] == "fox"
        assert "removed" in refused(ada.patch("/api/v1/project", json={"classes": ["cat"]}), 422, "invalid")
        assert ada.patch("/api/v1/project", json={"budget": None}).json()["settings"]["budget"] is None


@pytest.mark.parametrize("name", ["image_root", "models", "kind", "colour"])
def test_what_reads_files_or_runs_code_cannot_be_set_from_afar(site: RunningSite, name):
    with site.browser("ada") as ada:
        refused(ada.patch("/api/v1/project", json={name: "x"}), 422, "invalid")


def test_the_budget_is_kept(tmp_path):
    with running(tmp_path / "p.db", budget=3) as site, site.browser("ann") as ann:
        items = take(ann, 10)
        assert len(items) == 3
        replies = [answer(ann, item["lease"], label="cat", then_lease=5).json() for item in items]
        assert replies[-1]["items"] == []
        progress = {"yours": 3, "collected": 3, "price": 1, "budget": 3}
        assert ann.get("/api/v1/progress").json().items() >= progress.items()


def test_a_decision_is_no_vote_costs_nothing_and_can_be_undone(site: RunningSite):
    site.project.add_labels([("e4", "ann", "cat"), ("e4", "bob", "cat")])
    way = "/api/v1/examples/4/decision"
    with site.browser("jude") as jude:
        assert jude.post(way, json={"label": "eel"}).status_code == 200
        assert jude.post(way, json={"label": "dog"}).status_code == 200
        assert jude.post(way, json={"label": "cow"}).status_code == 422
        example, why = (jude.get(f"/api/v1/{one}/4").json() for one in ("examples", "why"))
        decisions = jude.get("/api/v1/decisions").json()
        exported = jude.get("/api/v1/export?what=consensus&format=jsonl").json()
    decided = {"label": "dog", "annotator": "jude", "time": 0, "note": None}
    assert example["decision"] | {"time": 0} == decided
    assert example["you"] is None
    assert [vote["label"] for vote in example["votes"]] == ["cat", "cat"]
    told = {"label": "dog", "source": "adjudicated", "quality": 1, "consensus": "cat", "kind": "decided"}
    assert {name: why[name] for name in told} == told
    assert [(one["example"], one["label"], one["consensus"]) for one in decisions] == [("e4", "dog", "cat")]
    assert (exported["consensus_label"], exported["source"], exported["quality"]) == ("dog", "adjudicated", 1)
    with site.browser("ada") as ada:
        undone = [ada.delete(f"{way}?request=request-1") for _ in range(2)]
        assert [one.status_code for one in undone] == [200, 200]
        assert [one.json()["repeated"] for one in undone] == [False, True]
        assert ada.delete(way).status_code == 409
        assert ada.delete("/api/v1/examples/99/decision").status_code == 404
        assert ada.get("/api/v1/examples/4").json()["decision"] is None
        assert ada.get("/api/v1/why/4").json()["label"] == "cat"
    given = site.project.database.read(
        lambda c: sum(c.execute(annotator.select().with_only_columns(annotator.c.num_labels)).scalars())
    )
    assert given == 0


def test_examples_are_found_by_the_beginning_of_their_id(site: RunningSite):
    with site.browser("jude") as jude:
        found = jude.get("/api/v1/examples", params={"name": "e1"}).json()
    assert [one["name"] for one in found] == ["e1", *(f"e1{i}" for i in range(10))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with a trained round."""
    words = {"cat": "purring fur whiskers", "dog": "barking leash bone", "eel": "river slippery fish"}
    classes = list(words)
    contents = [{"text": f"{words[classes[i % 3]]} number {i}"} for i in range(60)]
    with running(tmp_path_factory.mktemp("web") / "p.db", contents=contents) as site:
        site.project.add_labels((f"e{i}", who, classes[i % 3]) for i in range(24) for who in ("ann", "bob"))
        site.project.add_labels([("e5", "bob", "cat")])
        train_round(site.project)
        yield site


@pytest.mark.parametrize(
    "path",
    ["status", "learning-curve", "charts", "quality-histogram", "annotator-quality", "pair-agreement",
     "queue", "rounds", "adjudication", "headline", "why/3", "examples/3", "annotators", "project"],
)  # fmt: skip
def test_what_the_dashboard_reads(trained: RunningSite, path):
    with trained.browser("jude") as jude:
        reply = jude.get(f"/api/v1/{path}")
    assert reply.status_code == 200, reply.text
    assert reply.json()


def test_the_dashboard_is_told_of_a_label(trained: RunningSite):
    with (
        trained.browser("jude") as jude,
        trained.browser("ann") as ann,
        jude.stream("GET", "/api/v1/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        before = _status(lines)
        (item,) = take(ann)
        answer(ann, item["lease"], label="cat")
        after = _status(lines)
        while after["labels"] == before["labels"]:
            after = _status(lines)
    assert after["labels"] == before["labels"] + 1


def _status(lines) -> dict:
    for line in lines:
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream has ended")


def test_training_on_demand(tmp_path):
    class Recorder:
        asked = 0

        def start(self) -> None:
            pass

        def stop(self) -> None:
            pass

        def train_now(self) -> bool:
            self.asked += 1
            return self.asked == 1

        def cancel(self) -> None:
            self.asked = 0

    trainer = Recorder()
    with running(tmp_path / "p.db", trainer=trainer) as site, site.browser("ada") as ada:
        assert ada.post("/api/v1/train").status_code == 202
        refused(ada.post("/api/v1/train"), 409, "conflict")
        refused(ada.delete("/api/v1/train"), 409, "conflict")  # but what was asked for is forgotten
        assert ada.post("/api/v1/train").status_code == 202
        begun = site.project.database.write(begin_round)
        assert ada.delete("/api/v1/train").json() == {"message": "round 1 is given up."}
        after = site.project.database.read(lambda c: get_round(c, begun.id))
        assert (after.state, after.summary.error) == ("failed", "cancelled by ada")


def test_without_a_trainer_nothing_is_trained(site: RunningSite):
    with site.browser("ada") as ada:
        assert "activelab train" in refused(ada.post("/api/v1/train"), 409, "conflict")


def test_a_database_that_fails_is_told_without_details(site: RunningSite, monkeypatch, caplog):
    from activelab.project import StorageError

    def fail(*_: object, **__: object) -> None:
        raise StorageError("/secret/place.db: the disk is full.")

    with site.browser("ann") as ann:
        monkeypatch.setattr(site.project, "lease", fail)
        message = refused(ann.post("/api/v1/leases", json={}), 503, "storage")
    assert "secret" not in message
    assert "the disk is full" in caplog.text


def test_a_session_of_another_server_is_not_known(site: RunningSite, tmp_path):
    with running(tmp_path / "other.db") as other:
        cookie = next(iter(other.cookies("ada").values()))
        with httpx.Client(base_url=site.url, cookies={site.state.cookie: cookie}, timeout=120) as client:
            refused(client.get("/api/v1/me"), 401, "not_logged_in")


def test_accounts_disabled_by_another_process_are_out_within_a_second(site: RunningSite):
    with site.browser("bob") as bob:
        assert bob.get("/api/v1/me").status_code == 200
        site.project.database.write(lambda c: accounts.set_disabled(c, "bob", True))
        time.sleep(1.1)
        refused(bob.get("/api/v1/me"), 401, "not_logged_in")


def test_an_answer_is_sent_at_once():
    """Without waiting until the other side has confirmed its beginning, which takes some systems 40 ms."""

    async def look() -> int:
        accepted = asyncio.get_running_loop().create_future()

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                accepted.set_result(transport)

        listener = listen("127.0.0.1", 0)
        server = await asyncio.get_running_loop().create_server(Protocol, sock=listener)
        _, writer = await asyncio.open_connection(*listener.getsockname())
        transport = await accepted
        found = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        transport.close()
        server.close()
        await server.wait_closed()
        return found

    assert asyncio.run(look()) != 0


def test_monitors_ask_for_heads_and_hear_which_methods_there_are(site: RunningSite):
    with site.browser("ada") as ada:
        for page in ("/login", "/dashboard", "/static/style.css", "/api/v1/me", "/healthz"):
            head, whole = ada.head(page), ada.get(page)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.content))
        assert ada.head("/nothing").status_code == 404
        for address in ("/api/v1/openapi.json", "/api/v1/export?what=labels", "/api/v1/report"):
            assert ada.head(address).status_code == 200
        # Of a stream, too, which would go on for an hour.
        assert ada.head("/api/v1/events").status_code == 200
        ends = time.monotonic() + 120
        while any(site.state.listeners.values()):
            assert time.monotonic() < ends, "the stream goes on"
            time.sleep(0.05)
        for address, allowed in (
            ("/api/v1/train", "DELETE, POST"),
            ("/api/v1/session", "DELETE, POST"),
            ("/api/v1/tokens", "GET, HEAD, POST"),
            ("/login", "GET, HEAD"),
        ):
            reply = ada.put(address)
            assert (reply.status_code, reply.headers["allow"]) == (405, allowed)
