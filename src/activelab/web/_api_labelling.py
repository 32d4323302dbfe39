"""What annotators do: take examples, answer, undo."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Header, Path, Query, Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from activelab.project import insight
from activelab.project.labelling.messages import count_unread
from activelab.project.labelling.queue import must_practise
from activelab.project.questions import lease_together
from activelab.web._bodies import (
    AnswerIn,
    AnswerOut,
    AskedItem,
    BigNumber,
    CorrectionIn,
    ItemsOut,
    LeaseIn,
    Limit,
    Number,
    OwnAnswer,
    ProgressOut,
    StoredOut,
    TogetherIn,
    TogetherOut,
    UndoIn,
    UndoOut,
    UsualOut,
)
from activelab.web._content import guidelines_of, pictures_in
from activelab.web._direct import lost_of, number_of, source_of, store_answer
from activelab.web._failures import ERRORS, ErrorBody, Failure
from activelab.web._media import media_response
from activelab.web._queries import (
    answers_since,
    example_row,
    items_of,
    own_answers,
    pace_of,
    progress_of,
    usual_classes,
    version_of,
    was_served,
)
from activelab.web._questions import asked_of
from activelab.web._visitors import Annotator, Here

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["labelling"])


@router.post("/leases", summary="Take examples to label")
async def take(body: LeaseIn, site: Here, visitor: Annotator) -> ItemsOut:
    """Examples to label, kept for you for a while; those you hold already come first.

    Fewer than asked for, or none, if there is nothing else for you now or the budget is spent.
    """

    def work() -> ItemsOut:
        leases = site.project.lease(visitor.account.id, number_of(body.count), have=body.have, hold=body.hold)
        items = items_of(leases, site.project.settings)
        return ItemsOut(items=items, lost=lost_of(site, visitor, body.have))

    return await run_in_threadpool(work)


@router.post("/leases/together", summary="Take examples with all that is asked about them")
async def take_together(body: TogetherIn, site: Here, visitor: Annotator) -> TogetherOut:
    """Examples to label, each with the questions of all projects that ask about it and that you are in.

    Each is answered in its own project: a lease of "stars" at ``/p/stars/api/v1/leases/{lease_id}/answer``.
    """

    def work() -> TogetherOut:
        asked = [
            one.asked
            for one in asked_of(site, visitor)
            if one.site is site or not one.site.project.must_practise(one.account.id)
        ]
        shown, have = site.project.refresh(), {one.name: body.have.get(one.name, []) for one in asked}
        pairs = lease_together(asked, number_of(body.count), have=have, hold=body.hold)
        return TogetherOut(
            items=[
                AskedItem(**item.model_dump(), question=one.name)
                for one, lease in pairs
                for item in items_of([lease], one.project.settings, shown)
            ],
            lost={
                one.name: sorted({*have[one.name]} - one.project.held(one.annotator_id))
                for one in asked
                if have[one.name]
            },
        )

    return await run_in_threadpool(work)


@router.get("/why-nothing", summary="Why there is nothing to label")
def nothing(site: Here, visitor: Annotator) -> insight.Nothing:
    """What keeps you from labelling when there are no examples for you, and when to look again."""
    return insight.why_nothing(site.project, visitor.account.id)


@router.post("/leases/{lease_id}/answer", summary="Answer")
async def answer(lease_id: BigNumber, body: AnswerIn, site: Here, visitor: Annotator) -> AnswerOut:
    """Store an answer, and take the next examples in the same step.

    It is on disk when this answers. A label needs a class; where an item asks about one, the label is a list
    of it, or an empty list. "unsure" says that you cannot tell: it is no label, but counts as an abstention.
    A skip passes the example over, and may have a reason.
    """

    return await store_answer(site, visitor, lease_id, body)


@router.post("/undo", summary="Undo")
async def undo(body: UndoIn, site: Here, visitor: Annotator) -> UndoOut:
    """Take back your last answer; its example comes back to you, unless somebody else has it by now.

    Answers that were part of a training stay.
    """

    def work() -> UndoOut:
        lease = site.project.undo(
            visitor.account.id, source=source_of(visitor), request=body.request, of=body.of
        )
        items = items_of([] if lease is None else [lease], site.project.settings)
        return UndoOut(item=items[0] if items else None)

    return await run_in_threadpool(work)


@router.get("/answers", summary="Your answers")
def answers(
    site: Here,
    visitor: Annotator,
    limit: Limit = 10,
    words: Annotated[
        str, Query(max_length=200, description="Of the content or the label, in any order.")
    ] = "",
) -> list[OwnAnswer]:
    """What you have answered, the latest first."""
    return site.project.database.read(
        lambda c: own_answers(c, visitor.account.id, words.replace("\x00", " "), limit)
    )


@router.put("/answers/{example_id}", summary="Correct an answer")
async def correct(example_id: Number, body: CorrectionIn, site: Here, visitor: Annotator) -> StoredOut:
    """Answer again what you have answered, also after a training; the next round knows."""

    def work() -> StoredOut:
        stored = site.project.correct(
            visitor.account.id,
            example_id,
            body.kind,
            label=body.label,
            asked=body.asked,
            source=source_of(visitor),
            request=body.request,
            note=body.note,
            flagged=body.flagged,
        )
        return StoredOut(event=stored.event_id, repeated=stored.repeated)

    return await run_in_threadpool(work)


@router.get("/classes/usual", summary="Likely classes")
def usual(site: Here, visitor: Annotator) -> UsualOut:
    """Classes you gave last and those given most of late: what a page with many classes shows first."""
    return site.project.database.read(lambda c: usual_classes(c, visitor.account.id))


@router.get("/progress", summary="Progress")
def progress(
    site: Here,
    visitor: Annotator,
    since: Annotated[
        float | None,
        Query(ge=0, lt=2**40, allow_inf_nan=False, description="When your day began, in seconds since 1970."),
    ] = None,
) -> ProgressOut:
    """How many labels there are, by you and in all; with ``since`` also how your day goes."""
    settings, who = site.project.refresh(), visitor.account.id
    yours, spent = site.project.database.read(lambda c: progress_of(c, settings, who))
    written, practise = site.project.database.read(
        lambda c: (count_unread(c, who), must_practise(c, settings, who))
    )
    today, pace = (None, None)
    if since is not None:
        today, pace = site.project.database.read(lambda c: (answers_since(c, who, since), pace_of(c, who)))
    return ProgressOut(
        yours=yours,
        collected=round(spent, 3),
        price=settings.least_price,
        budget=settings.budget,
        today=today,
        pace=pace,
        goal=settings.daily_goal,
        bulk=settings.bulk,
        version=version_of(settings),
        messages=written,
        practise=practise,
    )


_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": _BINARY, "audio/*": _BINARY, "video/*": _BINARY}}
}
_PART: dict[int | str, dict[str, Any]] = {
    206: {"description": "Part of it", "content": {"audio/*": _BINARY, "video/*": _BINARY}},
    416: {"description": "No such part", "model": ErrorBody},
}


@router.get(
    "/media/{example_id}",
    summary="The media of an example",
    response_class=Response,
    responses=_FILE | _PART,
)
def media(
    example_id: Number,
    site: Here,
    visitor: Annotator,
    part: Annotated[
        Literal["image", "audio", "video", "inside"],
        Query(description="inside: a picture in its texts."),
    ] = "image",
    place: Annotated[int, Query(ge=0, lt=10_000, description="Which of the pictures inside.")] = 0,
    range_: Annotated[str | None, Header(alias="Range", max_length=100)] = None,
) -> Response:
    """A file of an example that you were served; of any, for adjudicators."""

    def others() -> bool:
        return any(
            one.site.project.database.read(lambda c, who=one.account.id: was_served(c, who, example_id))  # type: ignore[misc]
            for one in asked_of(site, visitor)[1:]
        )

    def find(connection: Connection) -> Any:
        served = visitor.may("adjudicator") or was_served(connection, visitor.account.id, example_id)
        if not (served or others()):
            # Whether it exists is not told either.
            raise Failure(404, "there is no such file.")
        return example_row(connection, example_id)

    content = json.loads(site.project.database.read(find).content)
    settings = site.project.refresh()
    if part != "inside":
        return media_response(settings.image_root, content.get(part), part, range_)
    return _picture(settings.image_root, pictures_in(content, settings), place)


@router.get(
    "/guidelines/{place}",
    summary="A picture of the guidelines",
    response_class=Response,
    responses=_FILE,
)
def guideline_picture(
    place: Annotated[int, Path(ge=0, lt=10_000)], site: Here, visitor: Annotator
) -> Response:
    """A picture that the guidelines name, by its place among them."""
    settings = site.project.refresh()
    return _picture(settings.image_root, guidelines_of(settings)[1], place)


def _picture(root: str | None, paths: list[str], place: int) -> Response:
    return media_response(root, unquote(paths[place]) if place < len(paths) else None, "image")
