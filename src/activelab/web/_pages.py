"""The pages: rendered here, filled by small scripts that call the API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from activelab.project import KINDS, Settings
from activelab.project.fields import FieldView
from activelab.project.insight.browse import ONLY, SORTS
from activelab.project.settings import QUESTIONS
from activelab.web._api_admin import project_out
from activelab.web._api_data import TABLES, Tool
from activelab.web._bodies import Number
from activelab.web._questions import (
    AskedHere,
    account_in,
    address_of_project,
    asked_of,
    companions_of,
    lead_of,
    practises_first,
)
from activelab.web._site import Site
from activelab.web._templates import templates
from activelab.web._visitors import Visitor, identify, log_in_of, site_of

HERE = Path(__file__).parent
STATIC = HERE / "static"

router = APIRouter(include_in_schema=False)
own = APIRouter(include_in_schema=False)
workspace = APIRouter(include_in_schema=False)


async def _page(
    request: Request, name: str, role: str | None, frame: Mapping[str, Any] | None = None, **values: Any
) -> Response:
    """A page for those who may see it; others go to the login or to their own page.

    ``frame`` is for its template, ``values`` are for its script.
    """
    visitor, site, root = await identify(request), site_of(request), root_of(request)
    if role is not None and visitor is None:
        return await _elsewhere(request, site)
    if role is not None and visitor is not None and not visitor.may(role):
        return RedirectResponse(f"{root}/label" if site.has_pool else f"{root}/", 303)
    data: dict[str, Any] = {"csrf": None, "account": None, "project": None} | values
    data |= {"root": root, "home": site.root}
    if visitor is not None:
        data["csrf"] = visitor.csrf
        data["account"] = {
            "id": visitor.account.id,
            "name": visitor.account.name,
            "role": visitor.account.role,
            "num_labels": visitor.account.num_labels,
        }
        # Where this browser keeps the answers of this person to this project, until they are stored.
        data["keep"] = f"{site.cookie}{root}-{visitor.account.id}"
        data["project"] = project_out(site, visitor).model_dump(exclude={"settings"})
    html = templates.get_template(f"{name}.html").render(
        page=name,
        site=site,
        root=root,
        nonce=request.state.nonce,
        data=data,
        visitor=visitor,
        # What the project is about is for its people alone.
        title=site.project.settings.title if visitor is not None else "ActiveLab",
        **(frame or {}),
    )
    return HTMLResponse(html)


def root_of(request: Request) -> str:
    """What the addresses of a site begin with; nothing, if it has a host of its own."""
    root: str = request.scope.get("root_path", "")
    return root


async def _elsewhere(request: Request, site: Site) -> Response:
    """Strangers are to log in; who is in the workspace and not in this project gets to the list."""
    person, _ = await log_in_of(request)
    if person is not None:
        return RedirectResponse(f"{site.root}/", 303)
    path = request.url.path
    return RedirectResponse(f"{site.root}/login?next={quote(path)}", 303)


@own.get("/login")
async def login(request: Request) -> Response:
    """Name and password."""
    return await _page(request, "login", None)


@own.get("/join")
async def join(request: Request) -> Response:
    """An invitation; its secret is behind the # of the address, which only the script there sees."""
    return await _page(request, "join", None)


@own.get("/account")
async def account(request: Request) -> Response:
    """One's own password and tokens."""
    return await _page(request, "account", "annotator")


@own.get("/team")
async def team(request: Request) -> Response:
    """Accounts and invitations."""
    return await _page(request, "team", "admin")


@router.get("/")
async def home(request: Request) -> Response:
    """To the page of one's role."""
    visitor, root = await identify(request), root_of(request)
    if visitor is None:
        return await _elsewhere(request, site_of(request))
    return RedirectResponse(f"{root}/dashboard" if visitor.may("adjudicator") else f"{root}/label", 303)


@router.get("/label")
async def label(request: Request) -> Response:
    """The annotation page, or before it the examples to practise on.

    Who is asked several questions about the examples finds all on the page of the project that has them.
    """
    visitor, site = await identify(request), site_of(request)
    if visitor is None:
        return await _page(request, "label", "annotator")

    def find() -> tuple[str | None, list[AskedHere]]:
        lead = lead_of(site)
        if lead is not None and account_in(lead, visitor.person.name) is not None:
            return f"{address_of_project(lead)}/label", []
        asked = asked_of(site, visitor)
        first = practises_first(asked)
        return None if first is None else f"{first.root}/tour", asked

    elsewhere, asked = await run_in_threadpool(find)
    if elsewhere is not None:
        return RedirectResponse(elsewhere, 303)
    questions = [_question(one, visitor) for one in asked] if len(asked) > 1 else []
    return await _page(request, "label", "annotator", questions=questions)


def _question(one: AskedHere, visitor: Visitor) -> dict[str, Any]:
    """What the page has to know of one of several questions."""
    who = Visitor(one.account, visitor.csrf, visitor.person)
    shown = project_out(one.site, who).model_dump(exclude={"settings"})
    return shown | {"name": one.site.name, "root": one.root, "yours": one.account.num_labels}


@router.get("/tour")
async def tour(request: Request) -> Response:
    """Examples to practise on."""
    return await _page(request, "tour", "annotator")


@router.get("/bulk")
async def bulk(request: Request) -> Response:
    """Similar examples, answered together."""
    visitor, project = await identify(request), site_of(request).project
    if visitor is not None and await run_in_threadpool(project.must_practise, visitor.account.id):
        return RedirectResponse(f"{root_of(request)}/tour", 303)
    return await _page(request, "bulk", "annotator", bulk=project.refresh().bulk)


@router.get("/dashboard")
async def dashboard(request: Request) -> Response:
    """Progress and quality."""
    site, visitor = site_of(request), await identify(request)
    group = [] if visitor is None else await run_in_threadpool(_group, site, visitor)
    question = site.project.settings.question
    return await _page(request, "dashboard", "adjudicator", {"question": question, "group": group})


def _group(site: Site, visitor: Visitor) -> list[tuple[str, str, bool]]:
    """The questions about the same examples somebody is in: title, address, and whether it is this one."""
    lead = lead_of(site) or site
    return [
        (one.project.refresh().title, address_of_project(one), one is site)
        for one in (lead, *companions_of(lead))
        if one is site or account_in(one, visitor.person.name) is not None
    ]


@router.get("/browse")
async def browse(request: Request) -> Response:
    """All examples, searched."""
    return await _page(request, "browse", "adjudicator", {"only": ONLY, "sorts": SORTS})


@router.get("/people")
async def people(request: Request) -> Response:
    """How people work."""
    return await _page(request, "people", "adjudicator")


@router.get("/adjudicate")
async def adjudicate(request: Request) -> Response:
    """Examples that need a decision."""
    return await _page(request, "adjudicate", "adjudicator")


@router.get("/audit")
async def audit(request: Request) -> Response:
    """Labels to check, and what the checks say."""
    return await _page(request, "audit", "adjudicator")


@router.get("/data")
async def data(request: Request) -> Response:
    """Files into the project, and out of it."""
    from activelab.formats import FORMATS

    tools = [FORMATS[name] for name in get_args(Tool)]
    return await _page(request, "data", "adjudicator", {"tables": TABLES, "tools": tools})


@router.get("/example/{example_id}")
async def example(request: Request, example_id: Number) -> Response:
    """An example with all its answers, and why it was served."""
    return await _page(request, "example", "adjudicator", example=example_id)


@workspace.get("/")
async def projects(request: Request) -> Response:
    """The projects of a workspace."""
    return await _page(request, "projects", "annotator", {"kinds": KINDS, "questions": QUESTIONS})


@router.get("/settings")
async def settings(request: Request) -> Response:
    """Settings of the project: all there are, under their headings."""
    groups: dict[str, list[FieldView]] = {}
    for view in Settings.views().values():
        groups.setdefault(view.shown.group, []).append(view)
    return await _page(request, "settings", "admin", {"groups": groups})
