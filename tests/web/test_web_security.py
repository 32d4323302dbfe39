"""What attackers try. Numbered as the checks a release has to pass."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import re
import socket
import sqlite3
import threading
import time
import unicodedata
import zlib
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pytest
import uvicorn
from argon2 import PasswordHasher
from web_site import PASSWORD, PATIENCE, PNG, ROLES, RunningSite, hashed, running, serving

import activelab
from activelab._errors import InputError
from activelab.project import Settings, create_project, open_project
from activelab.project.files.backup import back_up
from activelab.project.store import accounts
from activelab.project.training.round import train_round
from activelab.tables import from_harmless, harmless, without_formulas
from activelab.web import serve
from activelab.web._limits import Attempts
from activelab.web._serve import first_link

CLASSES = ("cat", "dog", "eel")


@pytest.fixture
def site(tmp_path):
    with running(tmp_path / "p.db") as one:
        yield one


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]


# ---------------------------------------------------------------- 1: where it listens


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "labels.example.org", ""])
def test_it_does_not_listen_to_other_machines_unless_told_so(tmp_path, host, monkeypatch):
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_: None)
    create_project(tmp_path / "p.db", Settings()).close()
    with pytest.raises(InputError, match="allow_remote=True"):
        serve(tmp_path / "p.db", host=host, port=0)


def test_a_port_that_is_taken_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_: None)
    create_project(tmp_path / "p.db", Settings()).close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=f"port {taken.getsockname()[1]}.*another port"):
            serve(tmp_path / "p.db", port=taken.getsockname()[1])


# ---------------------------------------------------------------- 2: the first key


def test_a_new_project_lets_nobody_in_but_through_its_first_link(tmp_path):
    with create_project(tmp_path / "p.db", Settings(classes=CLASSES)) as project:
        older, one = first_link(project), first_link(project)
        assert older
        assert one
        with serving(project) as (url, _), httpx.Client(base_url=url, timeout=PATIENCE) as client:
            for name in ("admin", "root", "activelab"):
                for password in ("admin", "password", "activelab", ""):
                    reply = client.post("/api/v1/session", json={"name": name, "password": password})
                    assert reply.status_code in (401, 429)
            body = {"secret": "A" * 43, "name": "mallory", "password": PASSWORD}
            assert code(client.post("/api/v1/join", json=body)) == (403, "not_allowed")
            body = {"secret": older.partition("#")[2], "name": "eve", "password": PASSWORD}
            assert code(client.post("/api/v1/join", json=body)) == (403, "not_allowed")
            body = {"secret": one.partition("#")[2], "name": "ada", "password": PASSWORD}
            assert client.post("/api/v1/join", json=body).json()["account"]["role"] == "admin"
            assert code(client.post("/api/v1/join", json=body | {"name": "eve"})) == (403, "not_allowed")
        assert first_link(project) is None


def test_no_first_link_outlives_the_first_admin(place):
    """However the admin came to be, and whichever version has made the link."""
    create_project(place, Settings(classes=CLASSES)).close()
    with open_project(place) as project, serving(project) as (url, _):
        now = time.time()
        first = first_link(project)
        assert first
        earlier = project.database.write(lambda c: accounts.create_invite(c, now, role="admin"))
        own = project.database.write(lambda c: accounts.create_invite(c, now, role="admin", name="ada"))
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:

            def join(secret: str, name: str) -> int:
                body = {"secret": secret, "name": name, "password": PASSWORD}
                return client.post("/api/v1/join", json=body).status_code

            assert join(own, "ada") == 200
            assert join(first.partition("#")[2], "eve") == 403
            assert join(earlier, "eve") == 403
            # What an admin makes is another matter.
            later = project.database.write(lambda c: accounts.create_invite(c, now, role="admin"))
            assert join(later, "bea") == 200
        roles = {one["role"] for one in project.database.read(accounts.list_invites)}
        assert roles == {"admin"}


def test_invitations_expire(site: RunningSite):
    def old(connection):
        return accounts.create_invite(connection, time.time() - 8 * 86_400, role="admin")

    secret = site.project.database.write(old)
    with site.browser() as client:
        body = {"secret": secret, "name": "eve", "password": PASSWORD}
        assert code(client.post("/api/v1/join", json=body)) == (403, "not_allowed")


def test_an_open_invitation_does_not_claim_labels_that_were_imported(site: RunningSite):
    site.project.add_labels([("e1", "old hand", "cat")])
    with site.browser("ada") as ada, site.browser() as newcomer:
        secret = ada.post("/api/v1/invites", json={}).json()["link"].partition("#")[2]
        body = {"secret": secret, "name": "old hand", "password": PASSWORD}
        assert code(newcomer.post("/api/v1/join", json=body)) == (422, "invalid")
        assert newcomer.post("/api/v1/join", json=body | {"name": "new hand"}).status_code == 200


def test_an_invitation_that_two_use_at_once_makes_one_account(site: RunningSite):
    with site.browser("ada") as ada:
        secret = ada.post("/api/v1/invites", json={}).json()["link"].partition("#")[2]
    replies = []

    def join(name: str) -> None:
        with site.browser() as client:
            replies.append(
                client.post("/api/v1/join", json={"secret": secret, "name": name, "password": PASSWORD})
            )

    threads = [threading.Thread(target=join, args=(f"eve{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reply.status_code for reply in replies) == [200, 403, 403, 403]


# ---------------------------------------------------------------- 3: who may do what

ANYBODY, ANNOTATOR, ADJUDICATOR, ADMIN = range(4)
RIGHTS = {
    "POST /api/v1/session": ANYBODY,
    "POST /api/v1/join": ANYBODY,
    "GET /api/v1/openapi.json": ANYBODY,
    "GET /static/{path:path}": ANYBODY,
    "GET /healthz": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /login": ANYBODY,
    "GET /join": ANYBODY,
    "GET /": ANNOTATOR,
    "GET /label": ANNOTATOR,
    "GET /account": ANNOTATOR,
    "DELETE /api/v1/session": ANNOTATOR,
    "GET /api/v1/sessions": ANNOTATOR,
    "DELETE /api/v1/sessions/{session_id}": ANNOTATOR,
    "GET /api/v1/me": ANNOTATOR,
    "POST /api/v1/me/password": ANNOTATOR,
    "GET /api/v1/tokens": ANNOTATOR,
    "POST /api/v1/tokens": ANNOTATOR,
    "DELETE /api/v1/tokens/{token_id}": ANNOTATOR,
    "POST /api/v1/leases": ANNOTATOR,
    "POST /api/v1/leases/together": ANNOTATOR,
    "POST /api/v1/leases/{lease_id}/answer": ANNOTATOR,
    "POST /api/v1/undo": ANNOTATOR,
    "GET /api/v1/progress": ANNOTATOR,
    "GET /bulk": ANNOTATOR,
    "GET /tour": ANNOTATOR,
    "POST /api/v1/grid": ANNOTATOR,
    "POST /api/v1/grid/answer": ANNOTATOR,
    "GET /api/v1/practice": ANNOTATOR,
    "POST /api/v1/practice": ANNOTATOR,
    "POST /api/v1/practice/again": ANNOTATOR,
    "POST /api/v1/people/{annotator_id}/admit": ADJUDICATOR,
    "POST /api/v1/people/{annotator_id}/practise": ADJUDICATOR,
    "POST /api/v1/messages": ADJUDICATOR,
    "GET /api/v1/messages": ANNOTATOR,
    "POST /api/v1/messages/{message_id}/read": ANNOTATOR,
    "GET /api/v1/why-nothing": ANNOTATOR,
    "GET /api/v1/answers": ANNOTATOR,
    "GET /api/v1/classes/usual": ANNOTATOR,
    "PUT /api/v1/answers/{example_id}": ANNOTATOR,
    "GET /api/v1/media/{example_id}": ANNOTATOR,
    "GET /api/v1/guidelines/{place}": ANNOTATOR,
    "GET /api/v1/project": ANNOTATOR,
    "GET /dashboard": ADJUDICATOR,
    "GET /browse": ADJUDICATOR,
    "GET /people": ADJUDICATOR,
    "GET /api/v1/people": ADJUDICATOR,
    "GET /api/v1/plan": ADJUDICATOR,
    "GET /api/v1/people/{annotator_id}": ADJUDICATOR,
    "POST /api/v1/people/{annotator_id}/ask-again": ADJUDICATOR,
    "GET /adjudicate": ADJUDICATOR,
    "GET /audit": ADJUDICATOR,
    "GET /example/{example_id}": ADJUDICATOR,
    "GET /api/v1/audits": ADJUDICATOR,
    "POST /api/v1/audits": ADJUDICATOR,
    "GET /api/v1/audits/{audit_id}": ADJUDICATOR,
    "GET /api/v1/audits/{audit_id}/next": ADJUDICATOR,
    "POST /api/v1/audits/{audit_id}/checks": ADJUDICATOR,
    "GET /api/v1/audits/{audit_id}/safe": ADJUDICATOR,
    "GET /api/v1/status": ADJUDICATOR,
    "GET /api/v1/learning-curve": ADJUDICATOR,
    "GET /api/v1/charts": ADJUDICATOR,
    "GET /api/v1/quality-histogram": ADJUDICATOR,
    "GET /api/v1/annotator-quality": ADJUDICATOR,
    "GET /api/v1/pair-agreement": ADJUDICATOR,
    "GET /api/v1/queue": ADJUDICATOR,
    "GET /api/v1/rounds": ADJUDICATOR,
    "GET /api/v1/browse": ADJUDICATOR,
    "GET /api/v1/browse/ids": ADJUDICATOR,
    "GET /api/v1/browse/facets": ADJUDICATOR,
    "GET /api/v1/browse/map": ADJUDICATOR,
    "POST /api/v1/selection": ADJUDICATOR,
    "POST /api/v1/selection/export": ADJUDICATOR,
    "GET /api/v1/adjudication": ADJUDICATOR,
    "GET /api/v1/unclear": ADJUDICATOR,
    "PUT /api/v1/examples/{example_id}/unclear": ADJUDICATOR,
    "DELETE /api/v1/examples/{example_id}/unclear": ADJUDICATOR,
    "GET /api/v1/headline": ADJUDICATOR,
    "GET /api/v1/why/{example_id}": ADJUDICATOR,
    "GET /api/v1/examples": ADJUDICATOR,
    "GET /api/v1/examples/{example_id}": ADJUDICATOR,
    "POST /api/v1/examples/{example_id}/decision": ADJUDICATOR,
    "DELETE /api/v1/examples/{example_id}/decision": ADJUDICATOR,
    "GET /api/v1/decisions": ADJUDICATOR,
    "GET /api/v1/events": ADJUDICATOR,
    "GET /api/v1/annotators": ADJUDICATOR,
    "GET /api/v1/export": ADJUDICATOR,
    "GET /data": ADJUDICATOR,
    "GET /api/v1/report": ADJUDICATOR,
    "GET /metrics": ADMIN,
    "GET /team": ADMIN,
    "GET /settings": ADMIN,
    "GET /api/v1/classes": ADMIN,
    "POST /api/v1/classes": ADMIN,
    "POST /api/v1/classes/preview": ADMIN,
    "PATCH /api/v1/project": ADMIN,
    "POST /api/v1/annotators": ADMIN,
    "PATCH /api/v1/annotators/{annotator_id}": ADMIN,
    "DELETE /api/v1/annotators/{annotator_id}": ADMIN,
    "GET /api/v1/annotators/{annotator_id}/data": ADMIN,
    "GET /api/v1/me/data": ANNOTATOR,
    "POST /api/v1/annotators/{annotator_id}/reset": ADJUDICATOR,
    "GET /api/v1/invites": ADMIN,
    "POST /api/v1/invites": ADMIN,
    "POST /api/v1/invites/preview": ADMIN,
    "POST /api/v1/invites/several": ADMIN,
    "DELETE /api/v1/invites/{invite_id}": ADMIN,
    "POST /api/v1/train": ADMIN,
    "DELETE /api/v1/train": ADMIN,
    "POST /api/v1/predictions": ADMIN,
    "POST /api/v1/uploads": ADMIN,
    "GET /api/v1/uploads/{upload_id}": ADMIN,
    "DELETE /api/v1/uploads/{upload_id}": ADMIN,
    "POST /api/v1/uploads/{upload_id}/proposal": ADMIN,
    "GET /api/v1/uploads/{upload_id}/media/{place}": ADMIN,
    "POST /api/v1/uploads/{upload_id}/import": ADMIN,
}
VISITORS = {None: ANYBODY, "ann": ANNOTATOR, "jude": ADJUDICATOR, "ada": ADMIN}


def routes(app) -> set[str]:
    found = set()
    for route in app.routes:
        for inner in getattr(getattr(route, "original_router", None), "routes", [route]):
            path = getattr(inner, "path", None)
            assert path is not None, inner
            if not hasattr(inner, "methods"):
                found.add(f"GET {path}/{{path:path}}")  # a folder of files
            else:
                found |= {f"{method} {path}" for method in inner.methods if method != "HEAD"}
    return found


def test_every_route_has_its_rights_written_down(site: RunningSite):
    assert routes(site.app) == set(RIGHTS)


@pytest.mark.parametrize("route", sorted(RIGHTS))
def test_rights(matrix_site: RunningSite, route):
    method, path = route.split(" ")
    address = re.sub(r"\{\w+\}", "1", path.replace("{path:path}", "style.css"))
    for name, level in VISITORS.items():
        # Only the headers are waited for: one of the answers is a stream.
        with (
            matrix_site.browser(name) as client,
            client.stream(method, address, json={} if method in ("POST", "PATCH") else None) as reply,
        ):
            status, to = reply.status_code, reply.headers.get("location", "")
        allowed = status not in (401, 403) if path != "/" else not to.startswith("/login")
        if path != "/" and status == 303:
            assert to == (f"/login?next={address}" if name is None else "/label")
            allowed = False
        assert allowed == (level >= RIGHTS[route]), (name, status)
        assert status < 500
        if not allowed and path.startswith("/api/"):
            assert status == (401 if name is None else 403)


@pytest.fixture(scope="module")
def matrix_site(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web") / "p.db") as one:
        yield one


# ---------------------------------------------------------------- 4: blind, and nobody else's


def test_an_annotator_learns_nothing_of_labels_scores_and_predictions(tmp_path):
    words = {"cat": "purring fur", "dog": "barking bone", "eel": "river fish"}
    contents = [{"text": f"{words[CLASSES[i % 3]]} {i}"} for i in range(30)]
    with running(tmp_path / "p.db", contents=contents, gold_rate=0.5) as site:
        site.project.add_labels(
            (f"e{i}", f"secret-person-{j}", CLASSES[i % 3]) for i in range(15) for j in range(2)
        )
        site.project.set_gold({f"e{i}": CLASSES[i % 3] for i in range(20, 30)})
        train_round(site.project)
        seen, kinds = "", set()
        with site.browser("ann") as ann:
            for route, level in RIGHTS.items():
                method, path = route.split(" ")
                if (
                    method == "GET"
                    and level <= ANNOTATOR
                    and not path.startswith(("/static", "/api/v1/openapi"))
                ):
                    seen += ann.get(re.sub(r"\{\w+\}", "3", path)).text
            items = ann.post("/api/v1/leases", json={"count": 12}).json()["items"]
            leases = site.project.lease(site.people["ann"], 12)
            kinds = {lease.gold for lease in leases}
            for item in items:
                assert set(item) == {"lease", "example", "expires", "content", "asked", "price"}
                assert set(item["content"]) == {"text", "shown", "turns", "image", "audio", "video", "fields"}
                body = {"kind": "label", "label": "cat", "then_lease": 2}
                seen += ann.post(f"/api/v1/leases/{item['lease']}/answer", json=body).text
            seen += ann.post("/api/v1/undo", json={}).text
        assert kinds == {True, False}  # both were served, and look the same
        for word in (
            "secret-person",
            "jude",
            '"e7"',
            "quality",
            "predicted",
            "score",
            "consensus",
            "gold",
            "votes",
        ):
            assert word not in seen, word


def test_numbers_of_others_lead_nowhere(site: RunningSite):
    with site.browser("ann") as ann, site.browser("bob") as bob:
        (item,) = ann.post("/api/v1/leases", json={}).json()["items"]
        address = f"/api/v1/leases/{item['lease']}/answer"
        body = {"kind": "label", "label": "cat", "request": "request-of-ann"}
        assert code(bob.post(address, json=body)) == (409, "conflict")
        assert ann.post(address, json=body).status_code == 200
        assert code(bob.post("/api/v1/undo", json={})) == (409, "conflict")
        (other,) = bob.post("/api/v1/leases", json={}).json()["items"]
        reply = bob.post(f"/api/v1/leases/{other['lease']}/answer", json=body)
        assert code(reply) == (409, "conflict")
        token = ann.post("/api/v1/tokens", json={"name": "mine"}).json()
        assert bob.delete(f"/api/v1/tokens/{token['id']}").status_code == 404
        assert bob.get("/api/v1/tokens").json() == []
    assert site.project.labels().n_labels == 1


# ---------------------------------------------------------------- 5: requests from other sites


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-CSRF-Token": ""}, (403, "csrf")),
        ({"X-CSRF-Token": "0" * 64}, (403, "csrf")),
        ({"Origin": "https://evil.example"}, (403, "cross_origin")),
        ({"Origin": "null"}, (403, "cross_origin")),
        ({"Origin": "http://127.0.0.1:1"}, (403, "cross_origin")),
        ({"Origin": "http://["}, (403, "cross_origin")),
        ({"Sec-Fetch-Site": "cross-site"}, (403, "cross_origin")),
        ({"Sec-Fetch-Site": "same-site"}, (403, "cross_origin")),
    ],
)
def test_a_write_with_a_cookie_needs_the_token_and_our_own_page(site: RunningSite, headers, expected):
    with site.browser("ann", **headers) as ann:
        assert code(ann.post("/api/v1/leases", json={})) == expected


def test_the_token_of_one_session_is_none_for_another(site: RunningSite):
    with site.browser("ann", **{"X-CSRF-Token": site.state.csrf("nonce of bob")}) as ann:
        assert code(ann.post("/api/v1/leases", json={})) == (403, "csrf")


def test_a_login_from_another_site_is_refused(site: RunningSite):
    with site.browser(Origin="https://evil.example") as client:
        reply = client.post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
        assert code(reply) == (403, "cross_origin")
        assert "set-cookie" not in reply.headers


def test_forms_of_other_sites_have_no_type_we_read(site: RunningSite):
    with site.browser("ann") as ann:
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            reply = ann.post("/api/v1/leases", content=b'{"count": 1}', headers={"Content-Type": kind})
            assert reply.status_code == 422


def test_reading_never_writes(site: RunningSite, tmp_path):
    def dump() -> list[str]:
        with sqlite3.connect(tmp_path / "p.db") as connection:
            return list(connection.iterdump())

    before = dump()
    with site.browser("ada") as ada:
        for route in RIGHTS:
            method, path = route.split(" ")
            if method == "GET" and path != "/api/v1/events":
                ada.get(re.sub(r"\{\w+(:path)?\}", "1", path), params={"name": "e", "what": "labels"})
    assert dump() == before


def test_no_secret_travels_in_an_address(site: RunningSite):
    with site.browser() as client:
        document = client.get("/api/v1/openapi.json").json()
    names = {
        parameter["name"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
    }
    assert names == {
        "lease_id", "token_id", "invite_id", "message_id", "session_id", "annotator_id", "example_id",
        "limit", "name", "what", "format", "width", "request", "audit_id", "after", "epsilon", "delta",
        "checker_error", "words", "label", "source", "annotator", "said", "at_least", "at_most", "only",
        "upload_id", "reason", "round", "sort", "offset", "most", "since", "part", "place", "Range",
    }  # fmt: skip


# ---------------------------------------------------------------- 7: headers


@pytest.mark.parametrize(
    "path",
    ["/login", "/label", "/static/style.css", "/api/v1/me", "/api/v1/nothing", "/nothing", "/api/v1/report"],
)
def test_every_answer_carries_the_headers(site: RunningSite, path):
    with site.browser("ada") as ada:
        replies = [ada.get(path), ada.get(path)]
    policies = [reply.headers["content-security-policy"] for reply in replies]
    for reply, policy in zip(replies, policies, strict=True):
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert re.fullmatch(r"'nonce-[\w-]{20,}'", rules["script-src"])
        assert rules["style-src"] == "'self'"
        assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert "server" not in reply.headers or reply.headers["server"] == "uvicorn"
    assert policies[0] != policies[1]


def test_the_report_is_a_download(site: RunningSite):
    with site.browser("jude") as jude:
        reply = jude.get("/api/v1/report")
    assert reply.headers["content-disposition"].startswith("attachment")


def test_our_pages_hold_no_script_or_style_of_their_own():
    folder = Path(activelab.__file__).parent / "web"
    for page in folder.glob("templates/*.html"):
        text = page.read_text()
        assert not re.search(r"\son\w+=|\sstyle=|javascript:|<style", text), page
        for script in re.findall(r"<script[^>]*>", text):
            assert "nonce" in script or "application/json" in script
    for script in folder.glob("static/*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script.read_text()
        )


# ---------------------------------------------------------------- 8: paths, and images that are none


@pytest.fixture
def gallery(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    (images / "good.png").write_bytes(PNG)
    (images / "page.png").write_bytes(b"<html><script>alert(1)</script>")
    (images / "drawing.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    (images / "bomb.png").write_bytes(PNG[:16] + (50_000).to_bytes(4, "big") * 2 + PNG[24:])
    (images / "folder.png").mkdir()
    os.mkfifo(images / "pipe.png")
    (tmp_path / "outside.png").write_bytes(PNG)
    (tmp_path / "images-private").mkdir()
    (tmp_path / "images-private" / "x.png").write_bytes(PNG)
    (images / "link.png").symlink_to(tmp_path / "outside.png")
    return images


ESCAPES = [
    "../outside.png", "good/../../outside.png", "..%2foutside.png", "%2e%2e/outside.png", "..\\outside.png",
    "/etc/passwd", "good.png\x00.txt", "link.png", "../images-private/x.png",
    "folder.png", "pipe.png", "missing.png", "",
    "http://127.0.0.1:1/x.png", "file:///etc/passwd", "page.png", "drawing.svg", "bomb.png",
]  # fmt: skip


def test_only_images_below_the_folder_are_sent(tmp_path, gallery):
    contents = [{"image": name} for name in ["good.png", str(tmp_path / "outside.png"), *ESCAPES]]
    contents += [{"image": 7}, {"image": ["good.png"]}, {"text": "no image"}]
    with (
        running(tmp_path / "p.db", contents=contents, kind="image", image_root=str(gallery)) as site,
        site.browser("jude") as jude,
    ):
        replies = [jude.get(f"/api/v1/media/{number}") for number in range(len(contents))]
    assert replies[0].content == PNG
    assert Counter(reply.status_code for reply in replies[1:]) == {404: len(contents) - 4, 415: 2, 413: 1}
    for reply in replies[1:]:
        assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "path",
    ["/static/../_keys.py", "/static/%2e%2e/_keys.py", "/static/..%2f_keys.py", "/static/..%5c_keys.py",
     "/static//etc/passwd", "/static/%00", "/static/"],
)  # fmt: skip
def test_static_files_stay_in_their_folder(site: RunningSite, path):
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        reply = b"".join(iter(lambda: raw.recv(65536), b""))
    assert reply.split(b" ")[1] in (b"404", b"400")
    assert b"import" not in reply.split(b"\r\n\r\n", 1)[1]


# ---------------------------------------------------------------- 9: nothing is fetched


def test_an_address_in_an_example_is_never_visited(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.5)
        address = f"http://127.0.0.1:{trap.getsockname()[1]}/x.png"
        contents = [{"image": address}, {"text": address}]
        with (
            running(tmp_path / "p.db", contents=contents, image_root=str(tmp_path)) as site,
            site.browser("jude") as jude,
        ):
            for number in range(2):
                assert jude.get(f"/api/v1/media/{number}").status_code == 404
                assert jude.get(f"/api/v1/examples/{number}").status_code == 200
        with pytest.raises(TimeoutError):
            trap.accept()


def test_the_server_has_nothing_to_fetch_with():
    for path in (Path(activelab.__file__).parent / "web").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] not in ("requests", "httpx", "aiohttp", "urllib3", "http"), path
                assert name != "urllib.request", path


# ---------------------------------------------------------------- 10: names of the server


@pytest.mark.parametrize("path", ["/login", "/api/v1/me", "/static/style.css", "/api/v1/events", "/nothing"])
@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "[", "localhost@evil.example",
     "evil.example@127.0.0.1", "127.0.0.1#evil.example", "127.0.0.1/evil", "127.0.0.1?evil",
     "127.0.0.1\\\\evil"],
)  # fmt: skip
def test_only_known_names_are_answered(matrix_site: RunningSite, path, host):
    with matrix_site.browser("ada", Host=host) as ada:
        assert code(ada.get(path)) == (400, "host_not_allowed")


def test_other_names_can_be_allowed(tmp_path):
    with (
        create_project(tmp_path / "p.db", Settings()) as project,
        serving(project, allowed_hosts=["labels.example.org"]) as (url, _),
    ):
        for host in ("Labels.Example.org", "labels.example.org:443", "localhost", "[::1]:80"):
            assert httpx.get(f"{url}/login", headers={"Host": host}, timeout=PATIENCE).status_code == 200


def test_the_stream_is_for_our_own_pages(site: RunningSite):
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        with site.browser("jude", **headers) as jude:
            assert code(jude.get("/api/v1/events")) == (403, "cross_origin")


def test_streams_end_with_the_session(site: RunningSite):
    with site.browser("jude") as jude, jude.stream("GET", "/api/v1/events") as stream:
        lines = stream.iter_lines()
        next(lines)
        site.project.database.write(lambda c: accounts.set_disabled(c, "jude", True))
        ends = time.monotonic() + 30
        for line in lines:
            if line == "event: end":
                return
            assert time.monotonic() < ends, "it still hears of everything"
    pytest.fail("the stream ended without a word")


def test_streams_are_few_even_if_asked_for_at_once(site: RunningSite):
    at_once = 20
    asked, all_asked, done = threading.Barrier(at_once), threading.Barrier(at_once + 1), threading.Event()
    statuses = []

    def listen() -> None:
        with site.browser("jude") as jude:
            asked.wait(PATIENCE)
            with jude.stream("GET", "/api/v1/events") as stream:
                statuses.append(stream.status_code)
                all_asked.wait(PATIENCE)
                done.wait(PATIENCE)

    threads = [threading.Thread(target=listen) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    all_asked.wait(PATIENCE)
    done.set()
    for thread in threads:
        thread.join()
    assert Counter(statuses) == {200: 6, 429: at_once - 6}
    with site.browser("jude") as jude:
        ends = time.monotonic() + PATIENCE
        while True:  # those that were closed make room
            with jude.stream("GET", "/api/v1/events") as stream:
                if stream.status_code == 200:
                    break
            assert time.monotonic() < ends
            time.sleep(0.1)


# ---------------------------------------------------------------- 11: filters


@pytest.mark.parametrize("words", ["%", "_", "' OR 1=1 --", "e1'; DROP TABLE event; --", "\\", "e%"])
def test_what_is_searched_for_is_text(site: RunningSite, words):
    with site.browser("jude") as jude:
        assert jude.get("/api/v1/examples", params={"name": words}).json() == []
        assert len(jude.get("/api/v1/examples", params={"name": "e1"}).json()) == 11


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=1;drop", "limit=1e9"])
def test_limits_are_numbers_within_bounds(matrix_site: RunningSite, query):
    with matrix_site.browser("jude") as jude:
        assert jude.get(f"/api/v1/queue?{query}").status_code == 422


def test_exports_are_those_on_the_list(matrix_site: RunningSite):
    with matrix_site.browser("jude") as jude:
        for what in ("annotator", "token", "setting", "../labels", "labels; DROP TABLE event"):
            assert jude.get("/api/v1/export", params={"what": what}).status_code == 422
        assert jude.get("/api/v1/export", params={"what": "labels", "format": "pickle"}).status_code == 422


# ---------------------------------------------------------------- 12: nothing is unpickled


# What these unpickle they have written themselves, in folders that docs/security.md says to trust.
OWN_FILES = ("scale/_files.py", "simulation/_experiment.py")


def test_no_code_of_ours_unpickles():
    folder, found = Path(activelab.__file__).parent, set()
    loads = re.compile(
        r"\b(pickle|dill|marshal|shelve)\b|torch\.load|yaml\.load|allow_pickle=True|joblib\.load"
    )
    for path in folder.rglob("*.py"):
        code = "\n".join(
            line for line in path.read_text().splitlines() if re.search(r"import|load|allow", line)
        )
        if loads.search(code):
            found.add(path.relative_to(folder).as_posix())
    assert found == set(OWN_FILES)
    said = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    assert "--work-dir" in said
    assert "checkpoint" in said


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_among_the_predictions_is_refused(site: RunningSite, tmp_path):
    file = io.BytesIO()
    np.save(file, np.array([Trap(tmp_path / "trapped")], dtype=object), allow_pickle=True)
    with site.browser("ada") as ada:
        reply = ada.post("/api/v1/predictions?format=npy", content=file.getvalue())
    assert reply.status_code == 422, reply.text
    assert not (tmp_path / "trapped").exists()


# ---------------------------------------------------------------- 13: secrets


def test_passwords_and_secrets_are_stored_as_digests(site: RunningSite, tmp_path):
    token = site.token("ann")
    with site.browser("ada") as ada:
        secret = ada.post("/api/v1/invites", json={}).json()["link"].partition("#")[2]
    site.project.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("p.db*") if not path.name.endswith(".key"))
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in stored
    for one in (PASSWORD, token, secret, site.state.key.hex()):
        assert one.encode() not in stored


def test_the_key_is_random_and_its_owners_alone(tmp_path):
    keys = set()
    for name in ("a.db", "b.db"):
        create_project(tmp_path / name, Settings()).close()
        for _ in range(2):
            with open_project(tmp_path / name) as project, serving(project) as (_, app):
                keys.add(app.state.site.key)
        assert (tmp_path / f"{name}.key").stat().st_mode & 0o777 == 0o600
    assert len(keys) == 2
    for mode in (0o640, 0o620, 0o604, 0o602):
        (tmp_path / "a.db.key").chmod(mode)
        with (
            open_project(tmp_path / "a.db") as project,
            pytest.raises(InputError, match="chmod 600"),
            serving(project),
        ):
            pass


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_copy_is_for_those_whom_the_project_is_for(tmp_path, mode, monkeypatch):
    place, meanwhile, fsync = tmp_path / "p.db", [], os.fsync

    def watched(number: int) -> None:
        meanwhile.append(os.fstat(number).st_mode & 0o777)
        fsync(number)

    with create_project(place, Settings()) as project:
        place.chmod(mode)
        monkeypatch.setattr(os, "fsync", watched)
        back_up(project, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == mode
    assert set(meanwhile) == {mode}  # nobody else may read what is not complete yet


def test_the_key_of_postgresql_is_the_same_for_all_servers(postgresql):
    create_project(postgresql, Settings()).close()
    with (
        open_project(postgresql) as one, open_project(postgresql) as two,
        serving(one) as (_, first), serving(two) as (_, second),
    ):  # fmt: skip
        assert first.state.site.key == second.state.site.key
        assert len(first.state.site.key) == 32


def test_cookies_are_for_the_server_alone(site: RunningSite):
    body = {"name": "ann", "password": PASSWORD}
    with site.browser() as client:
        plain = client.post("/api/v1/session", json=body).headers["set-cookie"].lower()
        proxied = client.post("/api/v1/session", json=body, headers={"X-Forwarded-Proto": "https"})
    for flag in ("httponly", "samesite=lax", "path=/", "max-age=604800"):
        assert flag in plain
    assert "; secure" not in plain
    assert "; secure" in proxied.headers["set-cookie"].lower()


def test_cookies_end_and_cannot_be_changed(site: RunningSite, monkeypatch):
    name, value = next(iter(site.cookies("ada").items()))
    for false in (
        value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1],  # the last has bits that say nothing
        value[1:],
        "",
        "a.b.c",
        value.replace(".", ""),
    ):
        with httpx.Client(base_url=site.url, cookies={name: false}, timeout=PATIENCE) as client:
            assert client.get("/api/v1/me").status_code == 401
    with httpx.Client(base_url=site.url, cookies={name: value}, timeout=PATIENCE) as client:
        assert client.get("/api/v1/me").status_code == 200
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 8 * 86_400)
        assert client.get("/api/v1/me").status_code == 401


def test_a_token_makes_no_tokens(site: RunningSite):
    """One that was stolen would outlive its end, and being revoked."""
    with site.program("ann") as program, site.browser("ann") as ann:
        assert code(program.post("/api/v1/tokens", json={"name": "t", "days": None})) == (403, "forbidden")
        assert ann.post("/api/v1/tokens", json={"name": "t", "days": None}).status_code == 201


@pytest.mark.parametrize(
    "name",
    ["ann\u200b", "an\u202en", "\u2066ann", "ann\ufeff", "ann\U000e0041", "ann\u3164", "a\u00a0b", "a\x85b",
     "a\ufe0f", "\u2800", "ann\ue000", "a\u00adb"],
)  # fmt: skip
def test_names_have_no_character_that_cannot_be_seen(matrix_site: RunningSite, name):
    with matrix_site.browser("ada") as ada:
        reply = ada.post("/api/v1/annotators", json={"name": name})
    assert reply.status_code == 422
    assert "invisible" in reply.json()["message"]


@pytest.mark.parametrize("name", ["\u0430nn", "Ann", "ANN", "\uff41nn", "\u0391nn"])
def test_who_is_invited_cannot_look_like_somebody_else(site: RunningSite, name):
    with site.browser("ada") as ada, site.browser() as newcomer:
        secret = ada.post("/api/v1/invites", json={}).json()["link"].partition("#")[2]
        body = {"secret": secret, "name": name, "password": PASSWORD}
        reply = newcomer.post("/api/v1/join", json=body)
        assert code(reply) == (422, "invalid")
        assert "taken for" in reply.json()["message"]
        for other in ("Ångström", "Анна", "李雷", "Ann Smith"):
            secret = ada.post("/api/v1/invites", json={}).json()["link"].partition("#")[2]
            body = {"secret": secret, "name": other, "password": PASSWORD}
            assert newcomer.post("/api/v1/join", json=body).status_code == 200, other


def test_two_admins_cannot_depose_each_other_at_the_same_moment(postgresql):
    with create_project(postgresql, Settings()) as project:
        stored = hashed(PASSWORD)
        for name in ("ada", "bea"):
            project.database.write(
                lambda c, name=name: accounts.set_password(
                    c, accounts.add_annotator(c, name, time.time(), role="admin"), stored
                )
            )
        began, end, failed = threading.Event(), threading.Event(), []

        def depose_bea(connection):
            accounts.set_role(connection, "bea", "annotator")
            began.set()
            end.wait(PATIENCE)

        def depose_ada():
            try:
                project.database.write(lambda c: accounts.set_role(c, "ada", "annotator"))
            except InputError as error:
                failed.append(str(error))

        first = threading.Thread(target=project.database.write, args=(depose_bea,))
        second = threading.Thread(target=depose_ada)
        first.start()
        assert began.wait(PATIENCE)
        second.start()
        second.join(0.5)  # it waits for the other
        end.set()
        first.join()
        second.join()
        assert failed == ["'ada' is the last admin and must stay one."]


def test_tokens_expire(site: RunningSite):
    who, past = site.people["ann"], time.time() - 2 * 86_400
    secret = site.project.database.write(lambda c: accounts.create_token(c, who, "old", past, days=1))
    reply = httpx.get(
        f"{site.url}/api/v1/me", headers={"Authorization": f"Bearer {secret}"}, timeout=PATIENCE
    )
    assert code(reply) == (401, "not_logged_in")


def test_guessing_passwords_is_stopped(site: RunningSite):
    with site.browser() as client:
        body = {"name": "ann", "password": "wrong"}
        replies = [client.post("/api/v1/session", json=body) for _ in range(11)]
        assert [reply.status_code for reply in replies] == [401] * 10 + [429]
        assert int(replies[-1].headers["retry-after"]) <= 301
        # Not even the right one is looked at now; others are not locked out.
        assert client.post("/api/v1/session", json=body | {"password": PASSWORD}).status_code == 429
        assert client.post("/api/v1/session", json={"name": "bob", "password": PASSWORD}).status_code == 200


def test_many_names_from_one_address_are_stopped_too(site: RunningSite, monkeypatch):
    monkeypatch.setattr(accounts, "check_password", lambda *_: False)
    with site.browser() as client:
        statuses = [
            client.post("/api/v1/session", json={"name": f"n{i}", "password": "x"}).status_code
            for i in range(51)
        ]
    assert statuses == [401] * 50 + [429]


def test_attempts_are_forgotten_after_a_while():
    now = 0.0
    attempts = Attempts(2, 10, clock=lambda: now)
    for _ in range(2):
        assert attempts.wait("a") == 0
        attempts.failed("a")
    assert attempts.wait("a") == 10
    assert attempts.wait("b") == 0
    now = 10.5
    assert attempts.wait("a") == 0


def test_a_name_that_does_not_exist_takes_as_long(site: RunningSite, monkeypatch):
    """Each attempt costs one verification of argon2, with the parameters of a real one."""
    verified: list[str] = []
    verify = PasswordHasher.verify

    def watched(self: PasswordHasher, stored: str, password: str) -> bool:
        verified.append(stored.rpartition("$")[0].rpartition("$")[0])
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    with site.browser() as client:
        replies = [
            client.post("/api/v1/session", json={"name": name, "password": "wrong"})
            for name in ("ann", "nobody")
        ]
    assert [code(reply) for reply in replies] == [(401, "wrong_password")] * 2
    assert replies[0].content == replies[1].content
    assert verified == ["$argon2id$v=19$m=65536,t=3,p=4"] * 2


def test_logs_hold_no_secret(site: RunningSite, caplog, capfd):
    with caplog.at_level(0), site.browser() as client, site.browser("ada") as ada:
        client.post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
        client.post("/api/v1/session", json={"name": "ann", "password": "my-wrong-secret"})
        client.post("/api/v1/session", json={"name": "ann", "password": ["my-wrong-secret"]})
        token = ada.post("/api/v1/tokens", json={"name": "t"}).json()["secret"]
        secret = ada.post("/api/v1/invites", json={}).json()["link"].partition("#")[2]
        reply = client.post(
            "/api/v1/join", json={"secret": secret, "name": "eve", "password": "my-wrong-secret\x00"}
        )
        assert "my-wrong-secret" not in reply.text
        httpx.get(f"{site.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    logged = "".join(record.getMessage() for record in ours) + "".join(capfd.readouterr())
    for one in (PASSWORD, "my-wrong-secret", token, secret, *site.cookies("ada").values()):
        assert one not in logged


# ---------------------------------------------------------------- 14: limits


def test_a_body_that_is_too_large_is_refused(site: RunningSite):
    big = b"x" * 300_000
    with site.browser("ann") as ann:
        json_type = {"Content-Type": "application/json"}
        assert code(ann.post("/api/v1/leases", content=big, headers=json_type)) == (413, "too_large")
        chunks = ann.post("/api/v1/leases", content=iter([big[:100_000]] * 3), headers=json_type)
        assert code(chunks) == (413, "too_large")
        assert ann.get("/api/v1/me").status_code == 200


def test_texts_and_numbers_have_limits(site: RunningSite):
    with site.browser("ann") as ann:
        (item,) = ann.post("/api/v1/leases", json={}).json()["items"]
        address = f"/api/v1/leases/{item['lease']}/answer"
        for body in (
            {"kind": "skip", "reason": "x" * 501},
            {"kind": "label", "label": "x" * 201},
            {"kind": "skip", "seconds": 1e9},
            {"kind": "skip", "then_lease": 21},
        ):
            assert ann.post(address, json=body).status_code == 422
        assert ann.post("/api/v1/leases", json={"count": 21}).status_code == 422


def test_a_slow_body_is_given_up(site: RunningSite, monkeypatch):
    monkeypatch.setattr("activelab.web._shield.BODY_SECONDS", 0.2)
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as raw:
        raw.sendall(
            f"POST /api/v1/session HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
        received = b""
        while part := raw.recv(65536):
            received += part
        assert b"timeout" in received


def test_exports_hold_no_formulas(tmp_path):
    with running(tmp_path / "p.db", classes=("=cmd|' /C calc'!A0", "-1", "@sum")) as site:
        site.project.add_labels(
            [("e1", "+eve", "=cmd|' /C calc'!A0"), ("e2", "=HYPERLINK(1)", "-1"), ("e3", "ann", "@sum")]
        )
        with site.browser("jude") as jude:
            reply = jude.get("/api/v1/export", params={"what": "labels", "format": "csv"})
            plain = jude.get("/api/v1/export", params={"what": "labels", "format": "jsonl"})
    rows = list(csv.DictReader(reply.text.splitlines()))
    assert [row["annotator"] for row in rows] == ["'+eve", "'=HYPERLINK(1)", "ann"]
    assert [row["label"] for row in rows] == ["'=cmd|' /C calc'!A0", "-1", "'@sum"]
    assert json.loads(plain.text.splitlines()[0])["annotator"] == "+eve"


RUN_BY_A_SPREADSHEET = (
    "=1+1", "+cmd", "-cmd", "@sum", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1",
    "\u202e=1", "＝1+1", "＋cmd", "－cmd", "＠sum", "|cmd", "%cmd", "x;=cmd", "x; @sum", "x;\u200b=1",
    "a;+b;-c", "x;＝1",
)  # fmt: skip


@pytest.mark.parametrize(
    "text", [*RUN_BY_A_SPREADSHEET, "'=1", "''=1", "x;'=1", "plain", "-1.5e3", "a - b", "50 %"]
)
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text):
    made = harmless(text)
    column = without_formulas(pa.table({"a": [text, None]}))["a"].to_pylist()
    if not text.startswith("'"):  # in a table of ours those stay
        assert column == [made, None]
    assert from_harmless(made) == text
    for cell in made.split(";"):
        shown = re.sub(r"^[\s\u200b\ufeff\u202e]+", "", cell)
        assert unicodedata.normalize("NFKC", shown)[:1] not in tuple("=+-@|%") or text == "-1.5e3"
    assert (made != text) == (text in RUN_BY_A_SPREADSHEET or "'" in text)


def test_exports_are_made_one_after_the_other(site: RunningSite, monkeypatch):
    from activelab.project.files import export

    at_once, most, made, go = [], [], export.export_table, threading.Event()

    def watched(*args) -> None:
        at_once.append(1)
        most.append(len(at_once))
        go.wait(PATIENCE)
        made(*args)
        at_once.pop()

    monkeypatch.setattr(export, "export_table", watched)
    statuses = []

    def ask() -> None:
        with site.browser("jude") as jude:
            statuses.append(jude.get("/api/v1/export", params={"what": "labels"}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(14)]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + PATIENCE
    while len(statuses) < 4:  # there are ten before them
        assert time.monotonic() < ends
        time.sleep(0.02)
    with site.program("ann") as ann:
        assert ann.post("/api/v1/leases", json={}).status_code == 200
    go.set()
    for thread in threads:
        thread.join()
    assert Counter(statuses) == {200: 10, 429: 4}
    assert max(most) == 1


# ---------------------------------------------------------------- 15: many at once


@pytest.mark.slow
def test_twenty_people_lose_and_double_nothing(place):
    with running(place, n=60, labels_per_round=2) as site:
        names = [f"worker{i}" for i in range(20)]
        for name in names:
            site.people[name] = site.project.database.write(
                lambda c, name=name: accounts.add_annotator(c, name, time.time())
            )
        acknowledged: list[int] = []
        strange: list[str] = []

        def work(name: str) -> None:
            with site.browser(name) as client:
                items = client.post("/api/v1/leases", json={"count": 2}).json()["items"]
                while items:
                    number = items[0]["lease"]
                    body = {
                        "kind": "label",
                        "label": "cat",
                        "request": f"{name}-{number:08d}",
                        "then_lease": 2,
                    }
                    replies = [client.post(f"/api/v1/leases/{number}/answer", json=body) for _ in range(2)]
                    if any(reply.status_code != 200 for reply in replies):
                        strange.extend(reply.text for reply in replies)
                        return
                    acknowledged.append(replies[0].json()["event"])
                    assert replies[1].json()["repeated"]
                    items = replies[1].json()["items"]

        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        labels = site.project.labels()
    assert strange == []
    assert labels.n_labels == len(acknowledged) == len(set(acknowledged)) == 120
    assert labels.counts.tolist() == [2] * 60


def test_roles_are_what_they_are():
    assert tuple(dict.fromkeys(ROLES.values())) == accounts.ROLES
    assert zlib.crc32(PNG[12:29]) == int.from_bytes(PNG[29:33], "big")  # the image of these tests is one


def test_the_list_of_checks_names_tests_that_exist():
    root = Path(__file__).parents[2]
    written = "".join(path.read_text() for path in (root / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (root / "docs" / "security.md").read_text())
    assert len(named) > 30
    for name in named:
        assert f"def {name}(" in written, name
