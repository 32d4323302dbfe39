"""The application: everything put together."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from activelab import __version__
from activelab._errors import InputError
from activelab.project import Project
from activelab.project.workspace import Workspace
from activelab.web import (
    _api_admin,
    _api_audit,
    _api_browse,
    _api_data,
    _api_flow,
    _api_labelling,
    _api_lead,
    _api_people,
    _api_session,
    _api_uploads,
    _api_workspace,
    _operation,
    _pages,
)
from activelab.web._direct import Direct
from activelab.web._failures import handle_failures
from activelab.web._operation import Operation
from activelab.web._shield import Shield
from activelab.web._site import Site
from activelab.web._watch import Watch
from activelab.web._workspace import Projects

LOOPBACK = ("127.0.0.1", "localhost", "::1")

THREADS = 40
"""Requests that may wait for the database at a time."""


class _Static(StaticFiles):
    """Our own files; browsers ask whether they changed, and mostly hear that they did not."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if "\0" in path:  # no file is called so; Starlette asks the system, which refuses to look
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


_PROJECT = (
    _api_session.router,
    _api_labelling.router,
    _api_flow.router,
    _api_lead.router,
    _api_browse.router,
    _api_audit.router,
    _api_admin.router,
    _api_people.router,
    _api_data.router,
    _api_uploads.router,
    _api_uploads.project,
    _pages.own,
    _pages.router,
)
_WORKSPACE = (
    _api_session.router,
    _api_people.router,
    _api_workspace.router,
    _api_uploads.router,
    _pages.own,
    _pages.workspace,
)


def create_app(
    project: Project,
    *,
    allowed_hosts: Iterable[str] = (),
    trusted_proxies: Iterable[str] = (),
    secure: bool = False,
    trainer: Any = None,
    root_path: str = "",
    operation: Operation | None = None,
) -> FastAPI:
    """The annotation page, the dashboard and the API of a project, as an ASGI application.

    Parameters
    ----------
    project : Project
    allowed_hosts : iterable of str
        Names under which the server may be addressed, beside those of this machine for itself.
    trusted_proxies : iterable of str
        Addresses and networks of proxies whose word is taken for where a visitor comes from: the last
        address in X-Forwarded-For that is none of theirs.
    secure : bool
        Send cookies over HTTPS only.
    trainer : Trainer, optional
        Trains rounds; without one, they are trained with ``activelab train``.
    root_path : str
        What all addresses begin with, such as ``/labels``, where a proxy passes on a part of a site. It
        makes no difference whether the proxy takes it away.
    operation : Operation, optional
        Its figures, backups and log.

    Returns
    -------
    FastAPI

    Raises
    ------
    InputError
        If a trusted proxy is neither an address nor a network, or the prefix is none.
    """
    site = Site(project, secure=secure, trainer=trainer, root=_prefix(root_path))
    operation = operation or Operation()
    operation.add(site)
    app = _assembled(_PROJECT, site, trainer, operation)
    _guard(app, site, allowed_hosts, trusted_proxies, operation)
    return app


def create_workspace_app(
    workspace: Workspace,
    *,
    allowed_hosts: Iterable[str] = (),
    trusted_proxies: Iterable[str] = (),
    secure: bool = False,
    trainer: Callable[[str], Any] | None = None,
    root_path: str = "",
    operation: Operation | None = None,
) -> FastAPI:
    """All projects of a workspace, each below ``/p/NAME``, and the list of them, as an ASGI application.

    Parameters
    ----------
    workspace : Workspace
    allowed_hosts, trusted_proxies, secure, root_path, operation
        As for `create_app`.
    trainer : callable, optional
        Makes the trainer of a project, given where it is.

    Returns
    -------
    FastAPI

    Raises
    ------
    InputError
        As `create_app`.
    """
    home = Site(workspace.people, secure=secure, root=_prefix(root_path), workspace=workspace)
    operation = operation or Operation()
    operation.add(home)
    projects = Projects(_assembled(_PROJECT), home, workspace, trainer, operation)
    home.projects = projects
    app = _assembled(_WORKSPACE, home, projects, operation)
    app.mount("/p", projects)
    _guard(app, home, allowed_hosts, trusted_proxies, operation)
    return app


def _assembled(routers: Sequence[APIRouter], site: Site | None = None, *at_work: Any) -> FastAPI:
    """An application; what works beside it is started and stopped with it, in this order."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        from anyio.to_thread import current_default_thread_limiter

        current_default_thread_limiter().total_tokens = THREADS
        running = [one for one in at_work if one is not None]
        for one in running:
            one.start()
        try:
            yield
        finally:
            for one in running:
                one.stop()
            if site is not None:
                site.passwords.close()
                site.uploads.close()

    app = FastAPI(
        title="ActiveLab",
        version=__version__,
        description="The API of an ActiveLab project. Programs send a token: `Authorization: Bearer al_…`.",
        openapi_url="/api/v1/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.site = site
    handle_failures(app)
    if _api_labelling.router in routers:
        app.add_middleware(Direct)
    for router in routers:
        app.include_router(router)
    app.mount(
        "/static",
        _Static(directory=_pages.STATIC, packages=[("activelab.project.insight", "static")]),
        name="static",
    )
    return app


def _guard(
    app: FastAPI, site: Site, hosts: Iterable[str], trusted_proxies: Iterable[str], operation: Operation
) -> None:
    """Put before an application what every request meets first; the last that is added comes first."""
    proxies = [_network(proxy) for proxy in trusted_proxies]
    app.state.operation = operation
    app.include_router(_operation.router)
    app.add_middleware(
        Shield,
        hosts=[*LOOPBACK, *hosts],
        behind_proxy=bool(proxies),
        any_host=_operation.ADDRESSES,
    )
    app.add_middleware(Watch, metrics=operation.metrics, access_log=operation.access_log)
    if proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    if site.root:
        app.add_middleware(_Prefix, root=site.root)


class _Prefix:
    """Below a prefix, which a proxy may have taken away or left."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        self.app, self.root = app, root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if path == self.root:
                path += "/"
            elif not path.startswith(f"{self.root}/"):
                path = self.root + path
            scope = {**scope, "root_path": self.root, "path": path}
        await self.app(scope, receive, send)


def _prefix(root_path: str) -> str:
    root = root_path.rstrip("/")
    if root and not re.fullmatch(r"(/[A-Za-z0-9][A-Za-z0-9._~-]*)+", root):
        raise InputError(f"{root_path!r} is no prefix of addresses; it is written as /labels is.")
    return root


def _network(proxy: str) -> str:
    try:
        return str(ipaddress.ip_network(proxy.strip("[]")))
    except ValueError:
        raise InputError(
            f"{proxy!r} is neither an address nor a network; a trusted proxy is named as 127.0.0.1 is."
        ) from None
