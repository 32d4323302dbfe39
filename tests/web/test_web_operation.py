"""What those who run a server see of it: health, figures, logs, pages of errors, and backups under load."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select
from web_browser import eventually
from web_site import PASSWORD, PATIENCE, RunningSite, running, running_app

from _crew import CLASSES, Crew, Server, make_project
from activelab._errors import InputError
from activelab.project import Settings, StorageError, create_project, open_project
from activelab.project.files.backup import restore
from activelab.project.files.schedule import Backups, Schedule
from activelab.project.store.schema import event
from activelab.project.workspace import Workspace
from activelab.web import create_app
from activelab.web._app import create_workspace_app
from activelab.web._logs import _Json, _Text, request_id
from activelab.web._operation import Operation

TOKEN = "metrics-token-of-these-tests"
SECRET = "text-that-nobody-may-read"
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def site(tmp_path):
    contents = [{"text": f"{SECRET} {i}"} for i in range(20)]
    with running(tmp_path / "p.db", contents=contents) as one:
        yield one


# ---------------------------------------------------------------- health


def test_a_server_says_that_it_lives_and_whether_it_can_work(site: RunningSite, monkeypatch):
    with site.browser(Host="10.1.2.3") as probe:  # an orchestrator knows the address alone
        assert probe.get("/healthz").json() == {"alive": True}
        assert probe.get("/login").status_code == 400

        def asked() -> tuple[int, dict]:
            site.app.state.operation._answer = None
            reply = probe.get("/readyz")
            return reply.status_code, reply.json()

        assert asked() == (200, {"ready": True, "database": "ok", "schema": "ok", "disk": "ok"})
        version = "UPDATE alembic_version SET version_num = "
        site.project.database.write(lambda c: c.exec_driver_sql(f"{version}'9999'"))
        assert asked() == (503, {"ready": False, "database": "ok", "schema": "newer", "disk": "ok"})
        monkeypatch.setattr(site.project.database.url.__class__, "database", "/proc/p.db", raising=False)
        assert asked()[1]["disk"] == "not writable"
        monkeypatch.undo()

        def broken(_):
            raise StorageError(f"{SECRET} cannot be reached")

        monkeypatch.setattr(site.project.database, "read", broken)
        status, said = asked()
        assert (status, said["database"]) == (503, "unreachable")
        assert SECRET not in str(said)
        monkeypatch.setattr(site.project.database, "read", lambda _: time.sleep(2))
        monkeypatch.setattr("activelab.web._operation.PATIENCE_SECONDS", 0.2)
        assert asked() == (503, {"ready": False, "database": "silent"})
        assert probe.get("/healthz").status_code == 200


# ---------------------------------------------------------------- figures


def figures(text: str) -> dict[str, float]:
    """Values by name and labels, as in ``activelab_labels{p}``."""
    return {
        f"{sample.name}{{{','.join(sample.labels.values())}}}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_figures_are_what_was_done(tmp_path):
    with running(tmp_path / "p.db", n=20) as site, site.browser("ann") as ann, site.program("ada") as ada:
        (item,) = ann.post("/api/v1/leases", json={}).json()["items"]
        address = f"/api/v1/leases/{item['lease']}/answer"
        assert ann.post(address, json={"kind": "label", "label": "cat"}).status_code == 200
        assert ann.post(address, json={"kind": "label", "label": "cat"}).status_code == 409
        ann.post("/api/v1/session", json={"name": "ann", "password": "wrong"})
        ann.get(f"/{SECRET}")
        ann.get(f"/api/v1/examples/{SECRET}")
        text = ada.get("/metrics").text
        now = figures(text)
    answer = "/api/v1/leases/{lease_id}/answer"
    for name, value in {
        f"activelab_http_requests_total{{POST,{answer},200}}": 1,
        f"activelab_http_requests_total{{POST,{answer},409}}": 1,
        "activelab_http_requests_total{GET,other,404}": 1,
        f"activelab_http_request_seconds_count{{{answer}}}": 2,
        "activelab_answers_total{}": 1,
        "activelab_answers_refused_total{}": 1,
        "activelab_logins_refused_total{}": 1,
        "activelab_labels{p}": 1,
        "activelab_leases{p}": 0,
        "activelab_queue{p}": 19,
        "activelab_rounds_total{p,failed}": 0,
        "activelab_project_up{p}": 1,
    }.items():
        assert now[name] == value, name
    assert now["activelab_database_write_seconds_count{}"] >= 2
    assert SECRET not in text


def test_figures_are_for_those_with_the_token(tmp_path):
    with create_project(tmp_path / "p.db", Settings(classes=CLASSES)) as project:
        app = create_app(project, operation=Operation(metrics_token=TOKEN))
        transport = httpx.ASGITransport(app)

        async def ask(**headers: str) -> int:
            async with httpx.AsyncClient(transport=transport, base_url="http://activelab:8080") as client:
                return (await client.get("/metrics", headers=headers)).status_code

        for headers, status in (
            ({}, 401),
            ({"Authorization": f"Bearer {TOKEN}"}, 200),
            ({"Authorization": f"Bearer {TOKEN}x"}, 401),
            ({"Authorization": f"Basic {TOKEN}"}, 401),
        ):
            assert asyncio.run(ask(**headers)) == status


# ---------------------------------------------------------------- logs


def test_a_log_is_a_line_each_with_the_id_of_the_request_and_nothing_of_anybody(tmp_path):
    place = str(tmp_path / "p.db")
    ((_, token),) = make_project(place, 0, 1)
    with open_project(place) as project:
        project.add_examples([("an-example", {"text": SECRET})])
        project.database.write(
            lambda c: c.exec_driver_sql(
                "CREATE TRIGGER trap BEFORE UPDATE ON lease BEGIN SELECT RAISE(ABORT, 'a trap'); END"
            )
        )
    server = Server(place, "--no-train", "--access-log", "--log-format", "json")
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=PATIENCE,
    ) as client:
        (item,) = client.post("/api/v1/leases", json={}).json()["items"]
        reply = client.post(
            f"/api/v1/leases/{item['lease']}/answer", json={"kind": "label", "label": CLASSES[0]}
        )
        assert reply.status_code == 503
        client.get(f"/browse?words={SECRET}")
        client.get(f"/{SECRET}")
        client.post("/api/v1/session", json={"name": "annotator-000", "password": PASSWORD})
    eventually(lambda: '"status": 401' in server.output())
    said = server.output()
    server.stop()
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    mine = [one for one in lines if one.get("request") == reply.headers["x-request-id"]]
    assert [one["level"] for one in mine] == ["error", "info"]
    assert "a trap" in mine[0]["message"]
    assert (mine[1]["route"], mine[1]["status"]) == ("/api/v1/leases/{lease_id}/answer", 503)
    assert {"method", "ms", "client", "time"} <= mine[1].keys()
    for word in (SECRET, token, PASSWORD, "annotator-000", "an-example"):
        assert word not in said, word


def test_a_line_of_a_log_cannot_be_forged():
    token = request_id.set("abc")
    try:
        record = logging.LogRecord("activelab", logging.INFO, "", 0, "a\nb %s", ("c\x1b[1m",), None)
        record.facts = {"route": "x\ny"}
        (line,) = _Text(all_of_it=False).format(record).splitlines()
        assert line.endswith(r"activelab a\x0ab c\x1b[1m request=abc route=x\x0ay")
        assert json.loads(_Json(all_of_it=False).format(record))["message"] == "a\nb c\x1b[1m"
    finally:
        request_id.reset(token)


@pytest.mark.parametrize("form", [_Text, _Json])
def test_what_an_exception_says_is_for_those_who_look_for_its_cause(form):
    def failed() -> None:
        try:
            int(SECRET)
        except ValueError as error:
            raise RuntimeError(f"no number: {SECRET}") from error

    try:
        failed()
    except RuntimeError:
        record = logging.LogRecord("activelab", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    said = form(all_of_it=False).format(record)
    assert SECRET not in said
    for word in ("RuntimeError", "ValueError", "test_web_operation.py", "failed"):
        assert word in said
    assert SECRET in form(all_of_it=True).format(record)


# ---------------------------------------------------------------- pages of errors


FAILING = [
    ("/nothing", {}, 404),
    ("/example/abc", {}, 422),
    ("/api/v1/nothing", {}, 404),
    ("/login", {"Host": "evil.example"}, 400),
    ("/api/v1/report", {"Sec-Fetch-Site": "cross-site"}, 403),
    ("/api/v1/train", {}, 405),
    ("/dashboard", {}, 500),
    ("/api/v1/status", {}, 503),
]


def test_people_get_a_page_and_programs_get_json(site: RunningSite, monkeypatch):
    def broken(_):
        raise ValueError(SECRET)

    def away(_):
        raise StorageError(SECRET)

    monkeypatch.setattr("activelab.web._pages.identify", broken)
    monkeypatch.setattr("activelab.web._api_lead.overview", away)
    for address, headers, status in FAILING:
        with site.browser("ada", **headers) as ada:
            page, answer = ada.get(address, headers=PAGE), ada.get(address)
        assert (page.status_code, answer.status_code) == (status, status), address
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert 'href="/"' in page.text
        assert "<script" not in page.text
        assert SECRET not in page.text + answer.text
        assert (page.headers["x-request-id"] in page.text) == (status >= 500)
        assert answer.json().keys() == {"error", "message", "field"}
        for reply in (page, answer):
            assert "script-src 'nonce-" in reply.headers["content-security-policy"]
    with site.browser("ada") as ada:
        assert ada.post("/nothing", headers=PAGE).headers["content-type"] == "application/json"


# ---------------------------------------------------------------- backups


def test_the_newest_are_kept_and_a_failure_leaves_them(tmp_path, monkeypatch, caplog):
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "p-notes.db").write_text("mine")
    create_project(tmp_path / "p.db", Settings(classes=CLASSES)).close()
    backups = Backups(tmp_path / "p.db", Schedule(folder, hours=1, keep=2))
    now = time.time()
    for hour in range(4):
        monkeypatch.setattr(time, "time", lambda hour=hour: now + 3600 * hour)
        assert backups._until_next() <= 0
        assert backups.make()
        assert 3590 < backups._until_next() <= 3600
    kept = backups.copies()
    assert [path.stat().st_mtime for path in kept] == sorted(path.stat().st_mtime for path in kept)
    assert len(kept) == 2
    assert backups.last() == pytest.approx(now + 3 * 3600, abs=1)
    (tmp_path / "p.db").write_bytes(b"damaged" * 1000)
    monkeypatch.setattr(time, "time", lambda: now + 4 * 3600)
    assert backups.make() is None
    assert "damaged" in backups.error
    assert backups.failures == 1
    assert backups.copies() == kept
    assert {path.name for path in folder.iterdir()} == {"p-notes.db", *(path.name for path in kept)}
    assert "backup failed" in caplog.text
    with running(tmp_path / "q.db", n=3) as site, site.program("ada") as ada:
        site.app.state.operation.backups.append(backups)
        assert ada.get("/readyz").json() == {
            "ready": True, "database": "ok", "schema": "ok", "disk": "ok", "backup": "failed",
        }  # fmt: skip
        assert figures(ada.get("/metrics").text)["activelab_backup_failures_total{p}"] == 1


@pytest.mark.slow
def test_nothing_acknowledged_before_the_backup_is_missing_after_a_restore(place, tmp_path, request):
    folder = tmp_path / "copies"
    folder.mkdir()
    hired = make_project(place, 5000, 12)
    server = Server(place, "--no-train", "--backup-folder", str(folder), "--backup-hours", "0.0005")
    backups = Backups(place, Schedule(folder))
    with Crew([server.port], hired) as crew:
        assert crew.wait_for_each(3)
        known = {number: label for one in crew.people for number, label in [*one.acknowledged.items()]}
        whole_seconds = int(time.time()) + 1
        eventually(lambda: (backups.last() or 0) >= whole_seconds)
        assert crew.labels > len(known)  # people went on
        server.kill()
    newest = backups.copies()[-1]
    again = request.getfixturevalue("postgresql") if "://" in place else str(tmp_path / "again.db")
    restore(newest, again)  # which examines it, too
    with open_project(again) as project:
        rows = project.database.read(lambda c: c.execute(select(event.c.id, event.c.class_code)).all())
    stored = {row.id: CLASSES[row.class_code] for row in rows}
    assert len(known) >= 36
    assert known.items() <= stored.items()
    with pytest.raises(InputError, match=r"exists already|is not empty"):
        restore(newest, again)


def test_of_a_workspace_each_project_is_counted_copied_and_restored(place, tmp_path, request):
    copies, folder = tmp_path / "copies", tmp_path / "projects"
    copies.mkdir()
    folder.mkdir()
    with Workspace(place if "://" in place else folder) as workspace:
        workspace.create("pets", Settings(classes=CLASSES))
        operation = Operation(metrics_token=TOKEN, schedule=Schedule(copies))
        app = create_workspace_app(workspace, root_path="/labels", operation=operation)
        with running_app(app) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
            assert 'href="/labels/"' in client.get("/labels/p/nothing/", headers=PAGE).text
            assert client.get("/labels/p/pets/api/v1/me").status_code == 401
            assert client.get("/healthz").status_code == 200
            eventually(lambda: len(list(copies.glob("[!.]*"))) >= 2)
            assert client.get("/labels/readyz").json()["ready"] is True
            headers = {"Authorization": f"Bearer {TOKEN}"}
            now = figures(client.get("/labels/metrics", headers=headers).text)
    assert now["activelab_http_requests_total{GET,/api/v1/me,401}"] == 1
    assert now["activelab_labels{pets}"] == 0
    assert now["activelab_backup_timestamp_seconds{workspace}"] > time.time() - PATIENCE
    (copy,) = copies.glob("pets-*")
    schema = "&schema=pets"
    again = f"{request.getfixturevalue('postgresql')}{schema}" if "://" in place else tmp_path / "again.db"
    assert restore(copy, again).examples == 0
    with pytest.raises(InputError, match=r"exists already|is not empty"):
        restore(copy, again)
