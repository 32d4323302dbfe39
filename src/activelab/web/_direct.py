"""The way of an answer from its request to the project: the shortest there is, since each label goes it."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activelab.project import Submission
from activelab.web._bodies import AnswerIn, AnswerOut
from activelab.web._failures import Failure, explain, refusal
from activelab.web._metrics import ANSWERS
from activelab.web._queries import items_of
from activelab.web._site import Site
from activelab.web._visitors import Visitor, permitted, site_of

_ADDRESS = re.compile(r"/api/v1/leases/([0-9]{1,18})/answer")
_ROUTE = SimpleNamespace(path=ANSWERS[0])


def source_of(visitor: Visitor) -> str:
    """Whether an answer comes from a page or from a program."""
    return "page" if visitor.csrf is not None else "api"


def number_of(count: int | str) -> int | None:
    """How many examples are asked for; None for as many as somebody may hold ahead."""
    return None if isinstance(count, str) else count


def lost_of(site: Site, visitor: Visitor, have: list[int]) -> list[int]:
    """Of some leases those that somebody does not hold."""
    return sorted({*have} - site.project.held(visitor.account.id)) if have else []


async def store_answer(site: Site, visitor: Visitor, lease_id: int, body: AnswerIn) -> AnswerOut:
    """Store an answer that was sent, and take the next examples."""
    stored, leases = await site.answers.store(
        Submission(
            visitor.account.id,
            lease_id,
            body.kind,
            label=body.label,
            reason=body.reason,
            seconds=body.seconds,
            source=source_of(visitor),
            request=body.request,
            then_lease=number_of(body.then_lease),
            have=body.have,
            flagged=body.flagged,
        )
    )
    lost = await run_in_threadpool(lost_of, site, visitor, body.have) if body.have else []
    items = items_of(leases, site.project.settings)
    return AnswerOut(event=stored.event_id, repeated=stored.repeated, items=items, lost=lost)


class Direct:
    """Wraps the application of a project: an answer that is as it should be does not go through its routes.

    They decide about every other request, and say what is wrong with an answer.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        address = _ADDRESS.fullmatch(scope["path"].removeprefix(scope.get("root_path", "")))
        request = Request(scope)
        if address is None or request.headers.get("content-type") != "application/json":
            await self.app(scope, receive, send)
            return
        said = list[Message]()
        try:
            while not said or said[-1].get("more_body", False):
                said.append(await receive())
        except Failure as failure:  # too large or too slow, which is not heard of twice
            await refusal(failure, scope)(scope, receive, send)
            return
        try:
            visitor = await permitted(request, "annotator")
            body = AnswerIn.model_validate(json.loads(b"".join(one["body"] for one in said)))
        except Exception:  # nothing is stored yet; the routes come to the same, and word it
            await self.app(scope, _again(said, receive), send)
            return
        scope["route"] = _ROUTE
        try:
            answer = await store_answer(site_of(request), visitor, int(address[1]), body)
        except Exception as error:
            await refusal(explain(error), scope)(scope, receive, send)
            return
        content = answer.__pydantic_serializer__.to_json(answer)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _again(said: list[Message], receive: Receive) -> Receive:
    """What was heard of a request already, and then the rest."""
    messages = iter(said)

    async def heard() -> Message:
        message = next(messages, None)
        return await receive() if message is None else message

    return heard
