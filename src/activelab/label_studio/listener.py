"""What Label Studio calls: webhooks, and the protocol of its ML backends."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import uvicorn
from sqlalchemy import Connection, select
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activelab import __version__
from activelab._errors import InputError
from activelab._network import listen
from activelab.label_studio._client import ServerError
from activelab.label_studio._link import load_link
from activelab.label_studio._push import score_of
from activelab.label_studio._schema import label_studio_task
from activelab.label_studio._watch import Watcher
from activelab.project import Project
from activelab.project.labelling import rounds

HEADER = "X-ActiveLab-Secret"
ACTIONS = (
    "TASKS_CREATED",
    "TASKS_DELETED",
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "PROJECT_UPDATED",
)
_LARGEST = 64 << 20


def create_listener(
    watcher: Watcher, secret: str, *, password: str | None = None, predict: bool = False
) -> Starlette:
    """An ASGI application that wakes a watcher when something happens.

    Parameters
    ----------
    watcher : Watcher
    secret : str
        What a webhook carries in its header.
    password : str, optional
        What Label Studio sends as the password of an ML backend.
    predict : bool
        Whether to be an ML backend too. Then all but ``/health`` needs the password, if there is one.

    Returns
    -------
    Starlette
    """

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "UP", "model_class": "ActiveLab", "version": __version__})

    async def webhook(request: Request) -> Response:
        if not (_carries(request, secret) or (predict and _allowed(request, password))):
            return _refused()
        body = await _body(request)
        action = body.get("action") or body.get("event") if isinstance(body, dict) else None
        watcher.wake(train=predict and action == "START_TRAINING")
        return JSONResponse({"status": "ok"}, 201)

    async def setup(request: Request) -> Response:
        # It carries the token of the project's owner, which is not needed and not kept.
        if not _allowed(request, password):
            return _refused()
        return JSONResponse({"model_version": await run_in_threadpool(_version, watcher.project)})

    async def versions(request: Request) -> Response:
        if not _allowed(request, password):
            return _refused()
        return JSONResponse({"versions": [await run_in_threadpool(_version, watcher.project)]})

    async def predictions(request: Request) -> Response:
        if not _allowed(request, password):
            return _refused()
        body = await _body(request)
        tasks = body.get("tasks") if isinstance(body, dict) else None
        if not isinstance(tasks, list) or not all(isinstance(one, dict) for one in tasks):
            return JSONResponse({"detail": "'tasks' should be a list of tasks."}, 400)
        found = await run_in_threadpool(_predict, watcher.project, [one.get("id") for one in tasks])
        return JSONResponse({"results": found})

    routes = [Route("/webhook", webhook, methods=["POST"]), Route("/health", health), Route("/", health)]
    if predict:
        routes += [
            Route("/setup", setup, methods=["POST"]),
            Route("/predict", predictions, methods=["POST"]),
            Route("/versions", versions),
        ]
    return Starlette(routes=routes)


def _version(project: Project) -> str:
    return load_link(project).model_version or "activelab"


def _predict(project: Project, numbers: list[Any]) -> list[dict[str, Any]]:
    """A score for each task, without a label, so that nobody is told what the model thinks."""
    version = _version(project)
    known = [number for number in numbers if type(number) is int and 0 <= number < 2**31]

    def load(connection: Connection) -> dict[int, int]:
        table = label_studio_task
        query = select(table.c.task_id, table.c.example_id).where(table.c.task_id.in_(known))
        examples = dict(connection.execute(query).all())
        order = rounds.load_array(connection, rounds.current_round(connection), "order")
        if order is None or not len(order):
            return {}
        places = np.full(int(order.max()) + 1, -1)
        places[order] = np.arange(len(order))
        return {
            number: int(places[code])
            for number, code in examples.items()
            if code < len(places) and places[code] >= 0
        }

    positions = project.database.read(load)
    results = []
    for number in numbers:
        # What is not in the order comes last.
        place = positions.get(number) if isinstance(number, int) else None
        score = 1.0 if place is None else score_of(place)
        results.append({"result": [], "score": score, "model_version": version})
    return results


def _carries(request: Request, secret: str) -> bool:
    return hmac.compare_digest(request.headers.get(HEADER, "").encode(), secret.encode())


def _allowed(request: Request, password: str | None) -> bool:
    if password is None:
        return True
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    try:
        given = base64.b64decode(value, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return kind.lower() == "basic" and hmac.compare_digest(given, password.encode())


async def _body(request: Request) -> Any:
    """The JSON of a request; None if it is none, or too long."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _LARGEST:
            return None
        parts.append(part)
    try:
        return json.loads(b"".join(parts))
    except (ValueError, RecursionError):
        return None


def _refused() -> Response:
    return JSONResponse({"detail": "not allowed"}, 401, {"WWW-Authenticate": "Basic"})


@contextmanager
def listening(app: Starlette, host: str, port: int) -> Iterator[str]:
    """Serve an application from a thread; its address."""
    with listen(host, port) as listener:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=3,
            limit_concurrency=200,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def registered(watcher: Watcher, url: str, secret: str) -> Iterator[bool]:
    """Have Label Studio call an address as long as the block lasts; whether it will."""
    client, number = watcher.client, load_link(watcher.project).number
    webhook = {
        "url": url,
        "project": number,
        "send_payload": False,
        "send_for_all_actions": False,
        "headers": {HEADER: secret},
        "actions": list(ACTIONS),
        "is_active": True,
    }
    hook = None
    try:
        # One that is left from a process that was killed carries an old secret.
        for old in client.webhooks(number):
            if old.get("url") == url:
                client.remove_webhook(int(old["id"]))
        hook = client.add_webhook(webhook)
    except (ServerError, InputError) as error:
        watcher.say(f"note: the webhook could not be registered ({error}); the server is polled.")
    try:
        yield hook is not None
    finally:
        if hook is not None:
            try:
                client.remove_webhook(hook)
            except (ServerError, InputError) as error:
                watcher.say(f"note: the webhook could not be removed: {error}")
