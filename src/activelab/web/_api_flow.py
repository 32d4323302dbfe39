"""Beside single answers: grids that are answered together, examples to practise on, messages."""

from __future__ import annotations

import json
import time

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from activelab.project.labelling import messages
from activelab.web._bodies import (
    FeedbackOut,
    GridIn,
    GridOut,
    GridStoredOut,
    MessageIn,
    MessageOut,
    Number,
    PracticeIn,
    PracticeOut,
    SentOut,
)
from activelab.web._content import content_of
from activelab.web._direct import source_of
from activelab.web._failures import ERRORS, Failure
from activelab.web._queries import example_row, items_of
from activelab.web._site import Site
from activelab.web._visitors import Adjudicator, Annotator, Here

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["labelling"])


@router.post("/grid", summary="Take similar examples to answer together")
async def take_grid(site: Here, visitor: Annotator) -> GridOut | None:
    """Examples that lie close together and that the model is sure of, kept for you; null if there are none.

    A grid that you hold comes again.
    """

    def work() -> GridOut | None:
        grid = site.project.lease_grid(visitor.account.id)
        if grid is None:
            return None
        settings = site.project.settings
        return GridOut(label=settings.classes[grid.label], items=items_of(grid.leases, settings))

    return await run_in_threadpool(work)


@router.post("/grid/answer", summary="Answer a grid")
async def answer_grid(body: GridIn, site: Here, visitor: Annotator) -> GridStoredOut:
    """Store one label of the examples that are named, as an answer each, marked as seen in bulk: all or none.

    Those of other classes are stored as single answers. The rest of the grid is asked one by one.
    """

    def work() -> GridStoredOut:
        stored = site.project.record_grid(
            visitor.account.id,
            body.leases,
            body.label,
            others={one.lease: one.label for one in body.others},
            seconds=body.seconds,
            source=source_of(visitor),
            request=body.request,
        )
        return GridStoredOut(number=len(stored))

    return await run_in_threadpool(work)


@router.get("/practice", summary="The examples to practise on")
async def read_practice(site: Here, visitor: Annotator) -> PracticeOut:
    """How far you are, and the next example."""
    return await run_in_threadpool(lambda: _practice(site, visitor.account.id))


@router.post("/practice", summary="Answer an example to practise on")
async def answer_practice(body: PracticeIn, site: Here, visitor: Annotator) -> FeedbackOut:
    """Say what an example is, and hear what is right; it is no label."""

    def work() -> FeedbackOut:
        told = site.project.practise(visitor.account.id, body.example, body.label)
        naming = site.project.naming()
        return FeedbackOut(
            correct=told.correct,
            label=naming.name(told.label) or [],
            note=told.note,
            practice=_practice(site, visitor.account.id),
        )

    return await run_in_threadpool(work)


@router.post("/practice/again", summary="Practise again")
async def practise_again(site: Here, visitor: Annotator) -> PracticeOut:
    """Another attempt, first with examples that you have not seen."""

    def work() -> PracticeOut:
        site.project.practise_again(visitor.account.id)
        return _practice(site, visitor.account.id)

    return await run_in_threadpool(work)


@router.post("/people/{annotator_id}/admit", status_code=204, summary="Let somebody label")
def admit(annotator_id: Number, site: Here, visitor: Adjudicator) -> None:
    """Let somebody label who has not passed the examples to practise on."""
    site.project.admit(annotator_id, visitor.account.id)
    site.forget("people")


@router.post("/people/{annotator_id}/practise", status_code=204, summary="Send somebody to practise again")
def send_to_practise(annotator_id: Number, site: Here, visitor: Adjudicator) -> None:
    """Have somebody practise again, on examples with known answers, before they get new ones."""
    site.project.send_to_practise(annotator_id, visitor.account.id)
    site.forget("people")


@router.post("/messages", status_code=201, summary="Write to people")
def send(body: MessageIn, site: Here, visitor: Adjudicator) -> SentOut:
    """A message on the labelling pages of some people, until they have read it."""
    by, now = visitor.account.id, time.time()
    number = site.project.database.write(lambda c: messages.send_message(c, by, body.to, body.text, now))
    return SentOut(number=number)


@router.get("/messages", summary="Messages to you")
def read_messages(site: Here, visitor: Annotator) -> list[MessageOut]:
    """What those who lead wrote to you and you have not read, oldest first."""
    rows = site.project.database.read(lambda c: messages.unread(c, visitor.account.id))
    return [MessageOut(**row) for row in rows]


@router.post("/messages/{message_id}/read", status_code=204, summary="Have read a message")
def mark_read(message_id: Number, site: Here, visitor: Annotator) -> None:
    """Say that you have read a message; it does not come again."""
    who, now = visitor.account.id, time.time()
    if not site.project.database.write(lambda c: messages.mark_read(c, who, message_id, now)):
        raise Failure(404, "you have no such message.")


def _practice(site: Site, annotator_id: int) -> PracticeOut:
    now = site.project.practice_of(annotator_id)
    content = None
    if now.due and now.example_id is not None:
        code = now.example_id
        row = site.project.database.read(lambda c: example_row(c, code))
        content = content_of(code, json.loads(row.content), site.project.settings)
    return PracticeOut(
        due=now.due,
        attempt=now.attempt,
        of=now.of,
        done=now.done,
        right=now.right,
        needed=now.needed,
        passed=now.passed,
        example=now.example_id if now.due else None,
        content=content,
        again=now.again,
    )
