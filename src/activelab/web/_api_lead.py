"""What those who lead look at: progress, quality, people, and why an example was served."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from activelab.project import insight
from activelab.project.insight.charts import NARROW, WIDE
from activelab.project.insight.results import Decision, Vote
from activelab.project.insight.values import decision_on, votes
from activelab.project.labelling.naming import Naming, load_naming
from activelab.project.store.accounts import find_account
from activelab.web._api_browse import Searched
from activelab.web._bodies import (
    CaseOut,
    DecisionIn,
    ExampleOut,
    FoundOut,
    Limit,
    Name,
    Number,
    RequestId,
    SelectedOut,
    StoredOut,
    UnclearIn,
)
from activelab.web._content import content_of
from activelab.web._failures import ERRORS, Failure
from activelab.web._queries import example_row, find_examples, labelled_by
from activelab.web._site import Site
from activelab.web._visitors import Adjudicator, Here, identify

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["insight"])

BEAT_SECONDS = 2.0
STREAM_SECONDS = 3600.0
STREAMS = 6
"""Streams of one account at a time."""


@router.get("/status", summary="Overview")
def status(site: Here, _: Adjudicator) -> insight.Overview:
    """Budget, labels, examples, round, queue, training."""
    return overview(site)


def overview(site: Site) -> insight.Overview:
    """The overview, made at most every two seconds."""
    return site.shared("overview", lambda: insight.overview(site.project))


@router.get("/learning-curve", summary="Learning curve")
def learning_curve(site: Here, _: Adjudicator) -> list[insight.CurvePoint]:
    """Accuracy by round."""
    return curve_of(site)


def curve_of(site: Site) -> list[insight.CurvePoint]:
    """The learning curve, made at most every two seconds."""
    return site.shared("curve", lambda: insight.learning_curve(site.project))


@router.get("/quality-histogram", summary="Histogram of quality")
def quality_histogram(site: Here, _: Adjudicator) -> insight.QualityHistogram:
    """How sure the consensus labels are."""
    return histogram_of(site)


def histogram_of(site: Site) -> insight.QualityHistogram:
    """The histogram of quality, made at most every two seconds."""
    return site.shared("histogram", lambda: insight.quality_histogram(site.project))


@router.get("/charts", summary="Charts")
def charts(
    site: Here,
    _: Adjudicator,
    width: Annotated[
        Literal["wide", "narrow"], Query(description="Narrow for phones: words keep their size.")
    ] = "wide",
) -> insight.Charts:
    """The charts of the dashboard, as trees of SVG elements; their classes are styled by /static/look.css."""
    size = WIDE if width == "wide" else NARROW
    return insight.draw_charts(curve_of(site), histogram_of(site), size)


@router.get("/annotator-quality", summary="Annotators and their quality")
def annotator_quality(site: Here, _: Adjudicator) -> list[insight.AnnotatorRow]:
    """Labels, time, agreement and weight of each annotator."""
    return site.shared("annotators", lambda: insight.annotator_table(site.project), 5)


@router.get("/people", summary="How people work")
def people(site: Here, _: Adjudicator) -> list[insight.PersonRow]:
    """The table of annotators with pace, last activity and reasons to look."""
    return site.shared("people", lambda: insight.people_table(site.project), 5)


@router.get("/people/{annotator_id}", summary="How somebody works")
def person(annotator_id: Number, site: Here, _: Adjudicator) -> insight.PersonDetail:
    """The row of the table, and what they say where another label counts."""
    _exists(site, annotator_id)
    return insight.person(site.project, annotator_id)


@router.post("/people/{annotator_id}/ask-again", summary="Ask about all labels of somebody again")
def ask_again(annotator_id: Number, site: Here, visitor: Adjudicator) -> SelectedOut:
    """One more label, of somebody else, of each example this person has labelled, before all others."""
    _exists(site, annotator_id)
    theirs = site.project.database.read(lambda c: labelled_by(c, annotator_id))
    done = site.project.ask_again(visitor.account.id, theirs)
    return SelectedOut(number=done, left_out=len(theirs) - done)


def _exists(site: Site, annotator_id: int) -> None:
    if site.project.database.read(lambda c: find_account(c, identity=annotator_id)) is None:
        raise Failure(404, f"there is no annotator {annotator_id}.")


@router.get("/plan", summary="Pace, money and classes")
def plan(site: Here, _: Adjudicator) -> insight.Plan:
    """When labelling ends at the pace of these days, what it costs, and how the classes stand."""
    return site.shared("plan", lambda: insight.plan(site.project), 5)


@router.get("/pair-agreement", summary="Agreement by pair")
def pair_agreement(site: Here, _: Adjudicator) -> insight.PairAgreement:
    """How far each two annotators agree, and on how many examples."""
    return site.shared("pairs", lambda: insight.pair_agreement(site.project), 10)


@router.get("/queue", summary="What is served next")
def queue(site: Here, _: Adjudicator, limit: Limit = 20) -> list[insight.QueueRow]:
    """The head of the queue."""
    return insight.queue_head(site.project, limit)


@router.get("/rounds", summary="Rounds")
def rounds(site: Here, _: Adjudicator) -> list[insight.RoundRow]:
    """All rounds with their models and metrics."""
    return site.shared("rounds", lambda: insight.rounds_table(site.project))


@router.get("/adjudication", summary="What needs a decision")
def adjudication(site: Here, _: Adjudicator, wanted: Searched, limit: Limit = 20) -> list[CaseOut]:
    """Conflicts of the lowest consensus quality, with all their labels, and examples nobody could answer."""
    among = None if wanted == insight.Search() else insight.search(site.project, wanted)
    return [
        CaseOut(**dict(case) | {"content": content_of(case.id, case.content, site.project.settings)})
        for case in insight.adjudication_list(site.project, limit, among)
    ]


@router.get("/unclear", summary="What the guidelines do not decide")
def unclear(site: Here, _: Adjudicator) -> list[insight.UnclearRow]:
    """Examples that wait for clearer guidelines, the latest first."""
    return insight.unclear_list(site.project)


@router.put("/examples/{example_id}/unclear", status_code=204, summary="The guidelines do not decide")
def mark_unclear(example_id: Number, body: UnclearIn, site: Here, visitor: Adjudicator) -> None:
    """Set an example aside until the guidelines say more; a decision, or asking again, brings it back."""
    site.project.database.read(lambda c: example_row(c, example_id))
    site.project.mark_unclear(visitor.account.id, example_id, body.note)


@router.delete("/examples/{example_id}/unclear", status_code=204, summary="The guidelines do decide")
def clear(example_id: Number, site: Here, _: Adjudicator) -> None:
    """Take back that the guidelines do not decide an example."""
    if not site.project.clear(example_id):
        raise Failure(404, "nobody has said that the guidelines do not decide this example.")


@router.get("/decisions", summary="What was decided")
def decisions(site: Here, _: Adjudicator, limit: Limit = 20) -> list[insight.DecisionRow]:
    """The decisions that stand, the latest first."""
    return insight.decision_list(site.project, limit)


@router.get("/headline", summary="How many labels are right, and does more labelling pay?")
def headline(site: Here, _: Adjudicator) -> insight.Headline:
    """The expected gain of the next batch, and what it is based on."""
    return site.shared("headline", lambda: insight.headline(site.project), 5)


@router.get("/why/{example_id}", summary="Why an example was served")
def why(example_id: Number, site: Here, _: Adjudicator) -> insight.Why:
    """Score, trust and position of an example in the current round."""
    site.project.database.read(lambda c: example_row(c, example_id))
    return insight.why_served(site.project, example_id)


@router.get("/examples", summary="Find examples")
def examples(site: Here, _: Adjudicator, name: Annotated[Name, Query()], limit: Limit = 20) -> list[FoundOut]:
    """Examples whose id begins with some text."""
    return site.project.database.read(lambda c: find_examples(c, name, limit))


@router.get("/examples/{example_id}", summary="An example")
def example(example_id: Number, site: Here, visitor: Adjudicator) -> ExampleOut:
    """An example with all its answers."""

    def load(connection: Connection) -> tuple[Any, list[Vote], Decision | None, Naming]:
        row, naming = example_row(connection, example_id), load_naming(connection)
        given = votes(connection, naming, [example_id])[example_id]
        return row, given, decision_on(connection, naming, example_id), naming

    row, given, decision, naming = site.project.database.read(load)
    own = [vote.label for vote in given if vote.annotator == visitor.account.name and vote.asked is None]
    return ExampleOut(
        id=row.id,
        name=row.name,
        content=content_of(row.id, json.loads(row.content), site.project.settings),
        gold=naming.name(row.gold),
        decision=decision,
        votes=given,
        you=own[0] if own else None,
    )


@router.post("/examples/{example_id}/decision", summary="Decide")
def decide(example_id: Number, body: DecisionIn, site: Here, visitor: Adjudicator) -> StoredOut:
    """Decide the label of an example. It counts whatever annotators say, in place of an earlier decision.

    Nobody is asked about the example again. The budget does not count it.
    """
    site.project.database.read(lambda c: example_row(c, example_id))
    stored = site.project.decide(
        visitor.account.id,
        example_id,
        body.label,
        seconds=body.seconds,
        request=body.request,
        note=body.note,
    )
    return StoredOut(event=stored.event_id, repeated=stored.repeated)


@router.delete("/examples/{example_id}/decision", summary="Undo a decision")
def undo_decision(
    example_id: Number,
    site: Here,
    visitor: Adjudicator,
    request: Annotated[RequestId | None, Query()] = None,
) -> StoredOut:
    """Take back the decision on an example, whoever made it; what annotators say counts again."""
    site.project.database.read(lambda c: example_row(c, example_id))
    stored = site.project.undo_decision(visitor.account.id, example_id, request=request)
    return StoredOut(event=stored.event_id, repeated=stored.repeated)


@router.get(
    "/events",
    summary="Live updates",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(request: Request, site: Here, visitor: Adjudicator) -> StreamingResponse:
    """The overview whenever it changes, as server-sent events."""
    own = visitor.account.id
    if site.listeners.get(own, 0) >= STREAMS:
        raise Failure(429, f"{STREAMS} streams are open already; close one.")
    # Counted before anybody else is heard: many may ask at once.
    site.listeners[own] = site.listeners.get(own, 0) + 1

    async def stream() -> AsyncIterator[str]:
        sent, ends = "", time.monotonic() + STREAM_SECONDS
        while time.monotonic() < ends and not site.closing.is_set():
            # Whoever is disabled or logs out hears nothing more.
            now = await identify(request)
            if now is None or not now.may("adjudicator"):
                yield "event: end\ndata: {}\n\n"
                return
            data = (await run_in_threadpool(overview, site)).model_dump_json()
            yield f"event: status\ndata: {data}\n\n" if data != sent else ": still here\n\n"
            sent = data
            with suppress(TimeoutError):
                await asyncio.wait_for(site.closing.wait(), BEAT_SECONDS)

    return _Stream(site, own, stream())


class _Stream(StreamingResponse):
    """Events for an account, and one stream fewer at the end, even if nobody has ever listened."""

    def __init__(self, site: Site, account: int, lines: AsyncIterator[str]) -> None:
        super().__init__(lines, media_type="text/event-stream")
        self.site, self.account = site, account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.site.listeners[self.account] -= 1
