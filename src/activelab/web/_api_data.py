"""Data in and out: predictions, training, export, report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from sqlalchemy import Connection
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from activelab._errors import InputError
from activelab.project.labelling.rounds import cancel_round, current_round, get_round
from activelab.project.store.audit import write_audit
from activelab.project.training import process
from activelab.web._bodies import AcceptedOut, RoundOut
from activelab.web._failures import ERRORS, Failure
from activelab.web._site import Site
from activelab.web._uploads import save_body
from activelab.web._visitors import Adjudicator, Admin, Here

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["data"])

TRAIN_HOURS = 1.0

EXPORTS = 10
"""Exports that may be asked for at a time."""

TABLES = {"csv": "CSV", "parquet": "Parquet", "jsonl": "JSON Lines"}
"""What tables are exported as."""

# `activelab.formats.FORMATS` without the first, written out: readers bring much that a server needs rarely.
Tool = Literal[
    "wide",
    "label-studio",
    "label-studio-min",
    "label-studio-csv",
    "prodigy",
    "argilla",
    "mturk",
    "toloka",
    "ground-truth",
    "ground-truth-manifest",
    "doccano",
    "potato",
]
"""Formats of other tools, for labels alone."""

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/jsonlines",
}
_OTHER = "application/octet-stream"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": dict.fromkeys([*_TYPES.values(), _OTHER], _BINARY)}
}
"""What an address says that answers with a table."""


@router.post("/train", status_code=202, summary="Train a round")
def train(site: Here, _: Admin) -> AcceptedOut:
    """Have a round trained now, in a process of its own; labelling goes on meanwhile."""
    if site.trainer is None:
        raise Failure(409, "this server does not train; run: activelab train")
    if not site.trainer.train_now():
        raise Failure(409, "a round is being trained already.")
    return AcceptedOut(message="a round is being trained.")


@router.delete("/train", summary="Cancel a training")
def cancel_training(site: Here, visitor: Admin) -> AcceptedOut:
    """Give up the round that is being trained, whoever trains it; what is served stays."""

    def cancel(connection: Connection) -> int | None:
        number = cancel_round(connection, visitor.account.name)
        if number is not None:
            write_audit(connection, visitor.account.id, "training cancelled", {"round": number})
        return number

    number = site.project.database.write(cancel)
    if site.trainer is not None:
        site.trainer.cancel()
    if number is None:
        raise Failure(409, "no round is being trained.")
    return AcceptedOut(message=f"round {number} is given up.")


@router.post(
    "/predictions",
    summary="A round from predictions",
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}},
)
async def predictions(
    request: Request,
    site: Here,
    visitor: Admin,
    format: Annotated[Literal["csv", "parquet", "jsonl", "npy"], Query(description="What the body is.")],
) -> RoundOut:
    """A round from out-of-sample probabilities of a model of your own, in place of training.

    A table has a column ``example`` and one a class; a .npy array has the rows of the pool in their order,
    and a third dimension in front if it holds several models. The answer comes when the round is served.
    """
    with tempfile.TemporaryDirectory(prefix="activelab-") as folder:
        path = Path(folder, f"predictions.{format}")
        await save_body(request, path)
        await run_in_threadpool(_train_on, site, path)
    done = await run_in_threadpool(site.project.database.read, lambda c: get_round(c, current_round(c)))
    return RoundOut(
        id=done.id, state=done.state, started=done.started, finished=done.finished, summary=done.summary
    )


def _train_on(site: Site, path: Path) -> None:
    """Train in a process of its own, so that nobody who labels waits for the arithmetic."""
    if not path.stat().st_size:
        raise Failure(422, "the body is empty; send the predictions in it.")
    child = process.Child(site.project.database.place, process.command([path], TRAIN_HOURS))
    if not child.wait(TRAIN_HOURS * 3600 + process.GRACE_SECONDS):
        child.end()
    try:
        child.check()
    except InputError as error:
        error.file = path.name
        raise
    except process.TrainingFailedError as error:
        raise Failure(409, str(error)) from None


@router.get("/export", summary="Export", response_class=FileResponse, responses=FILES)
async def export(
    site: Here,
    _: Adjudicator,
    what: Annotated[
        Literal["labels", "consensus", "batch", "events", "checks"], Query(description="Which table.")
    ],
    format: Annotated[
        Literal["csv", "parquet", "jsonl"] | Tool,
        Query(description="As which file; labels also as another tool reads them."),
    ] = "csv",
) -> Response:
    """A table of the project as a file; they are made one after the other."""
    from activelab.formats import FORMATS
    from activelab.project.files.export import export_as, export_table

    if format in TABLES:
        return await table_file(site, what, format, lambda path: export_table(site.project, what, path))
    if what != "labels":
        raise Failure(422, f"{format} is a format of labels.", field="what")
    ending = FORMATS[format].endings[0][1:]
    return await table_file(site, format, ending, lambda path: export_as(site.project, format, path))


async def table_file(site: Site, name: str, format_: str, write: Callable[[Path], object]) -> Response:
    """A file that ``write`` writes, as a download; they are made one after the other."""
    if site.exports >= EXPORTS:
        raise Failure(429, "many exports are being made; try again.", headers={"Retry-After": "30"})
    folder = tempfile.TemporaryDirectory(prefix="activelab-")
    path = Path(folder.name, f"{name}.{format_}")
    site.exports += 1
    try:
        async with site.export_turn:
            await run_in_threadpool(write, path)
    except BaseException:
        folder.cleanup()
        raise
    finally:
        site.exports -= 1
    return FileResponse(
        path,
        media_type=_TYPES.get(format_, _OTHER),
        filename=path.name,
        background=BackgroundTask(folder.cleanup),
    )


@router.get(
    "/report",
    summary="Report",
    response_class=Response,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def report(site: Here, _: Adjudicator) -> Response:
    """The report as one HTML file; a download, so that nothing in it runs in the name of this site."""
    from activelab.report import project_report

    html: str = site.shared("report", lambda: project_report(site.project), 5)
    return Response(
        html,
        media_type="text/html",
        headers={"Content-Disposition": 'attachment; filename="report.html"'},
    )
