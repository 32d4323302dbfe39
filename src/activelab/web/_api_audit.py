"""Audits: labels drawn for somebody to check, the checks, and what they say of all."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse, Response

from activelab.project import insight
from activelab.project.labelling.audits import list_audits
from activelab.web._api_data import FILES, table_file
from activelab.web._bodies import AuditIn, CheckIn, NextCheckOut, Number, StoredOut
from activelab.web._content import content_of
from activelab.web._failures import ERRORS, Failure
from activelab.web._site import Site
from activelab.web._visitors import Adjudicator, Here

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["audit"])

Epsilon = Annotated[
    float, Query(gt=0, lt=1, description="Of labels safe to ship at most this share is wrong.")
]
Delta = Annotated[float, Query(gt=0, lt=1, description="… but with this probability.")]
CheckerError = Annotated[
    float, Query(ge=0, lt=1, description="How often those who check err; 0 takes them at their word.")
]
After = Annotated[
    int, Query(ge=-1, lt=2**31, description="A position; behind the last it goes on from the start.")
]


def _limits(
    epsilon: Epsilon = 0.05, delta: Delta = 0.05, checker_error: CheckerError = 0.0
) -> dict[str, Any]:
    from activelab.audit import Checker

    return {"epsilon": epsilon, "delta": delta, "checker": Checker.erring(checker_error)}


Limits = Annotated[dict[str, Any], Depends(_limits)]


@router.get("/audits", summary="Audits")
def audits(site: Here, _: Adjudicator, limits: Limits) -> list[insight.AuditResult]:
    """All audits, the latest first, with the share of right labels, class shares and labels safe to ship."""
    return insight.audit_list(site.project, **limits)


@router.post("/audits", status_code=201, summary="Begin an audit")
def begin(body: AuditIn, site: Here, visitor: Adjudicator) -> insight.AuditResult:
    """Draw labels that somebody should check: most where the consensus is least sure."""
    number = insight.draw_audit(site.project, body.number, by=visitor.account.id, seed=body.seed)
    return insight.audit_result(site.project, number)


@router.get("/audits/{audit_id}", summary="An audit")
def audit(audit_id: Number, site: Here, _: Adjudicator, limits: Limits) -> insight.AuditResult:
    """What the checks of an audit say of the labels there were when it was drawn."""
    _there(site, audit_id)
    return insight.audit_result(site.project, audit_id, **limits)


@router.get("/audits/{audit_id}/next", summary="What to check next")
def next_check(audit_id: Number, site: Here, _: Adjudicator, after: After = -1) -> NextCheckOut:
    """The next example of an audit, without what anybody says of it: it is to be judged, not agreed with."""
    _there(site, audit_id)
    found = insight.next_check(site.project, audit_id, after)
    content = None
    if found.example_id is not None:
        (example,) = site.project.examples([found.example_id])
        content = content_of(example.id, example.content, site.project.settings)
    return NextCheckOut(
        audit=found.audit,
        drawn=found.drawn,
        checked=found.checked,
        position=found.position,
        example=found.example_id,
        content=content,
    )


@router.post("/audits/{audit_id}/checks", summary="Check")
def check(audit_id: Number, body: CheckIn, site: Here, visitor: Adjudicator) -> StoredOut:
    """Store what is right for an example of an audit. It is a decision: it is the label that counts.

    The decision can be undone, which leaves the example to be checked again.
    """
    _there(site, audit_id)
    stored = site.project.check(
        visitor.account.id, audit_id, body.example, body.label, seconds=body.seconds, request=body.request
    )
    return StoredOut(event=stored.event_id, repeated=stored.repeated)


@router.get(
    "/audits/{audit_id}/safe",
    summary="Labels safe to ship",
    response_class=FileResponse,
    responses=FILES,
)
async def safe(
    audit_id: Number,
    site: Here,
    _: Adjudicator,
    limits: Limits,
    format: Annotated[Literal["csv", "parquet", "jsonl"], Query(description="As which file.")] = "csv",
) -> Response:
    """Example, label, source and quality of labels of which at most a share epsilon is wrong."""
    from activelab.project.files.export import safe_table, write_for_people

    _there(site, audit_id)
    return await table_file(
        site,
        "safe",
        format,
        lambda path: write_for_people(path, safe_table(site.project, audit_id, **limits)),
    )


def _there(site: Site, audit_id: int) -> None:
    if all(one.id != audit_id for one in site.project.database.read(list_audits)):
        raise Failure(404, f"there is no audit {audit_id}.")
