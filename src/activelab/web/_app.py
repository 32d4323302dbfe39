"""The application: everything put together."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from activelab import __version__
from activelab._errors import InputError
from activelab.project import Project
from activelab.web import (
    _api_admin,
    _api_audit,
    _api_browse,
    _api_data,
    _api_labelling,
    _api_lead,
    _api_session,
    _pages,
)
from activelab.web._failures import handle_failures
from activelab.web._shield import Shield
from activelab.web._site import Site

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


def create_app(
    project: Project,
    *,
    allowed_hosts: Iterable[str] = (),
    trusted_proxies: Iterable[str] = (),
    secure: bool = False,
    trainer: Any = None,
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

    Returns
    -------
    FastAPI

    Raises
    ------
    InputError
        If a trusted proxy is neither an address nor a network.
    """
    proxies = [_network(proxy) for proxy in trusted_proxies]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        from anyio.to_thread import current_default_thread_limiter

        current_default_thread_limiter().total_tokens = THREADS
        if trainer is not None:
            trainer.start()
        try:
            yield
        finally:
            if trainer is not None:
                trainer.stop()
            app.state.site.passwords.close()

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
    app.state.site = Site(project, secure=secure, trainer=trainer)
    handle_failures(app)
    for module in (
        _api_session,
        _api_labelling,
        _api_lead,
        _api_browse,
        _api_audit,
        _api_admin,
        _api_data,
        _pages,
    ):
        app.include_router(module.router)
    app.mount(
        "/static",
        _Static(directory=_pages.STATIC, packages=[("activelab.project.insight", "static")]),
        name="static",
    )
    app.add_middleware(Shield, hosts=[*LOOPBACK, *allowed_hosts], behind_proxy=bool(proxies))
    if proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    return app


def _network(proxy: str) -> str:
    try:
        return str(ipaddress.ip_network(proxy.strip("[]")))
    except ValueError:
        raise InputError(
            f"{proxy!r} is neither an address nor a network; a trusted proxy is named as 127.0.0.1 is."
        ) from None
