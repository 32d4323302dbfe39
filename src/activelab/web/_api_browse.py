"""All examples: searched, and something done with those that were chosen."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse, Response

from activelab.project import insight
from activelab.project.insight.browse import Only, Sort
from activelab.web._api_data import FILES, table_file
from activelab.web._bodies import BrowseOut, BrowseRowOut, IdsOut, Limit, SelectedOut, SelectionIn, Short
from activelab.web._content import content_of
from activelab.web._failures import ERRORS, Failure
from activelab.web._queries import names_of
from activelab.web._visitors import Adjudicator, Here

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["insight"])

Quality = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]
Source = Literal["adjudicated", "gold", "consensus", "single"]


def _search(
    words: Annotated[str, Query(max_length=500, description="Words, “several together”, field=value.")] = "",
    label: Annotated[Short | None, Query(description="Class of the label that counts.")] = None,
    source: Annotated[Source | None, Query(description="Where that label comes from.")] = None,
    annotator: Annotated[Short | None, Query(description="Somebody who answered.")] = None,
    said: Annotated[Short | None, Query(description="A class that was answered.")] = None,
    at_least: Quality = None,
    at_most: Quality = None,
    only: Annotated[Only | None, Query(description="What the examples are confined to.")] = None,
    reason: Annotated[str | None, Query(max_length=500, description="Of a skip.")] = None,
    round: Annotated[int | None, Query(ge=0, lt=2**31, description="Answered while it was served.")] = None,
    sort: Annotated[Sort, Query(description="Their order.")] = "pool",
) -> insight.Search:
    return insight.Search(
        words.replace("\x00", " "),
        label,
        source,
        annotator,
        said,
        at_least,
        at_most,
        only,
        reason,
        round,
        sort,
    )


Searched = Annotated[insight.Search, Depends(_search)]


@router.get("/browse", summary="Search the examples")
def browse(
    site: Here,
    _: Adjudicator,
    wanted: Searched,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Limit = 50,
) -> BrowseOut:
    """Examples that fit, with their labels and how often each answer was given."""
    found = insight.browse(site.project, wanted, offset=offset, limit=limit)
    settings = site.project.settings
    rows = [
        BrowseRowOut(**dict(row) | {"content": content_of(row.id, row.content, settings)})
        for row in found.rows
    ]
    return BrowseOut(total=found.total, rows=rows)


@router.get("/browse/ids", summary="All that fit")
def browse_ids(
    site: Here,
    _: Adjudicator,
    wanted: Searched,
    most: Annotated[int, Query(ge=1, le=200_000, description="How many at most.")] = 10_000,
) -> IdsOut:
    """The numbers of the examples that fit."""
    found = insight.search(site.project, wanted)
    return IdsOut(total=len(found), examples=found[:most].tolist())


@router.get("/browse/facets", summary="What can be searched for")
def browse_facets(site: Here, _: Adjudicator) -> insight.Facets:
    """People who answered, reasons of skips, rounds, and fields of the contents."""
    return site.shared("facets", lambda: insight.facets(site.project), 5)


@router.get("/browse/map", summary="The examples as points")
def browse_map(site: Here, _: Adjudicator) -> insight.MapPoints | None:
    """Where examples that are alike lie close together; null until a round is trained from contents."""
    return site.shared("map", lambda: insight.map_points(site.project), 5)


@router.post("/selection", summary="Do something with chosen examples")
def selection(body: SelectionIn, site: Here, visitor: Adjudicator) -> SelectedOut:
    """Ask for one more label of each before all others, decide them, or store their known answer.

    A decision or a known answer that is there is replaced; who is asked again has not answered yet.
    """
    by, project = visitor.account.id, site.project
    if (body.label is None) != (body.action == "ask"):
        raise Failure(422, "a label belongs to decide and gold, and to them alone.", field="label")
    if body.action == "ask":
        done = project.ask_again(by, body.examples)
    elif body.action == "decide":
        done = project.decide_all(by, body.examples, body.label)  # type: ignore[arg-type]
    else:
        names = project.database.read(lambda c: names_of(c, body.examples))
        done = project.set_gold(dict.fromkeys(names, body.label), by)
    return SelectedOut(number=done, left_out=len(set(body.examples)) - done)


@router.post(
    "/selection/export", summary="Export chosen examples", response_class=FileResponse, responses=FILES
)
async def export_selection(
    body: SelectionIn,
    site: Here,
    _: Adjudicator,
    format: Annotated[Literal["csv", "parquet", "jsonl"], Query(description="As which file.")] = "csv",
) -> Response:
    """The labels of chosen examples as a file, as the export of consensus labels has them."""
    from activelab.project.files.export import export_table

    return await table_file(
        site,
        "selection",
        format,
        lambda path: export_table(site.project, "consensus", path, examples=body.examples),
    )
