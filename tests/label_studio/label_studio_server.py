"""A real Label Studio server on this machine, with its annotators, for tests and benchmarks."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

from _ports import free_port

ROOT = Path(__file__).parents[2]
VARIABLE = "ACTIVELAB_LABEL_STUDIO"
ADMIN, PASSWORD = "admin@example.com", "correct-horse-battery"
PATIENCE = 900.0  # the first start migrates a database, which takes minutes on a loaded machine

CONFIG = """<View><Text name="text" value="$text"/>
<Choices name="kind" toName="text" choice="single">
<Choice value="neg"/><Choice value="pos"/></Choices></View>"""


def program() -> Path | None:
    """The program, as `make test` installs it or the environment names it."""
    places = [os.environ.get(VARIABLE), str(ROOT / ".venv/label-studio/bin/label-studio")]
    found = [Path(place) for place in places if place and Path(place).is_file()]
    return found[0] if found else None


class Server:
    """A server with a fresh database in a folder; it may be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = secrets.token_hex(20)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.pages: list[httpx.Client] = []
        self.api = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Token {self.token}"}, timeout=PATIENCE
        )

    def start(self) -> None:
        """Start, and wait until it answers."""
        found = program()
        assert found is not None, f"install Label Studio with `make test`, or set {VARIABLE} to its program"
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.folder),
            "LABEL_STUDIO_USERNAME": ADMIN,
            "LABEL_STUDIO_PASSWORD": PASSWORD,
            "LABEL_STUDIO_USER_TOKEN": self.token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            "COLLECT_ANALYTICS": "0",
            "LATEST_VERSION_CHECK": "0",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            "SSRF_PROTECTION_ENABLED": "false",
            "ML_BLOCK_LOCAL_IP": "false",
        }
        options = [
            "--no-browser",
            "--internal-host",
            "127.0.0.1",
            "-p",
            str(self.port),
            "--log-level",
            "ERROR",
        ]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(found), "start", *options],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            try:
                if self.api.get("/health", timeout=20).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        raise AssertionError("Label Studio has not started")

    def stop(self) -> None:
        """Kill it, as a machine that fails would."""
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None

    def close(self) -> None:
        """Stop it and remove what it stored."""
        self.stop()
        for page in (self.api, *self.pages):
            page.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------------ what people do

    def json(self, method: str, path: str, **options: Any) -> Any:
        """The answer to a request of the admin."""
        response = self.api.request(method, path, **options)
        assert response.status_code < 300, f"{method} {path}: {response.status_code} {response.text[:500]}"
        return response.json() if response.content else None

    def make_project(self, texts: list[str], config: str = CONFIG, **settings: Any) -> tuple[int, list[int]]:
        """A new project with a task for each text; its number, and theirs."""
        made = self.json("POST", "/api/projects/", json={"title": "Test", "label_config": config, **settings})
        tasks: list[int] = []
        for at in range(0, len(texts), 2000):
            rows = [{"data": {"text": text}} for text in texts[at : at + 2000]]
            path = f"/api/projects/{made['id']}/import?return_task_ids=true"
            tasks += self.json("POST", path, json=rows)["task_ids"]
        return made["id"], tasks

    def invite(self, name: str) -> Annotator:
        """Somebody who follows an invitation link, and logs in."""
        link = self.json("GET", "/api/invite")["invite_url"]
        page = httpx.Client(base_url=self.url, timeout=PATIENCE, follow_redirects=True)
        self.pages.append(page)
        form = page.get(link)
        csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert csrf is not None
        email = f"{name}@example.com"
        fields = {"csrfmiddlewaretoken": csrf[1], "email": email, "password": PASSWORD}
        done = page.post(link, data=fields, headers={"Referer": self.url})
        assert done.status_code == 200, done.text[:500]
        return Annotator(page, email)


class Annotator:
    """Somebody at the labelling page, who sends what its button sends."""

    def __init__(self, page: httpx.Client, email: str) -> None:
        self.page, self.email = page, email
        self.served: list[int] = []

    def _post(self, path: str, body: Any) -> httpx.Response:
        csrf = self.page.cookies.get("csrftoken") or ""
        return self.page.post(
            path, json=body, headers={"X-CSRFToken": csrf, "Referer": str(self.page.base_url)}
        )

    def next_task(self, project: int) -> dict[str, Any] | None:
        """What "Label All Tasks" shows; None if there is nothing left."""
        response = self._post(f"/api/dm/actions?id=next_task&project={project}", {"project": str(project)})
        if response.status_code == 404:
            return None
        assert response.status_code == 200, response.text[:500]
        task: dict[str, Any] = response.json()
        self.served.append(task["id"])
        return task

    def label(self, task: int, label: str | None) -> int:
        """Submit a label, or skip with None; the number of the annotation."""
        value = {"from_name": "kind", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
        return self.submit(task, None if label is None else [value])

    def submit(self, task: int, result: list[dict[str, Any]] | None) -> int:
        """Submit the result of an annotation, or skip with None; its number."""
        body = {"result": result or [], "was_cancelled": result is None, "lead_time": 1.0}
        response = self._post(f"/api/tasks/{task}/annotations/", body)
        assert response.status_code == 201, response.text[:500]
        return int(response.json()["id"])
