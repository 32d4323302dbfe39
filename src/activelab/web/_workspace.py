"""The projects of a workspace, served by one application."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from activelab._errors import InputError
from activelab.project import StorageError
from activelab.project.workspace import Workspace
from activelab.web._failures import Failure, log, refusal
from activelab.web._operation import Operation
from activelab.web._site import Site


class Projects:
    """Says for which project a request is: the first part of its path.

    Parameters
    ----------
    app : ASGI application
        Serves the site that a request names.
    home : Site
        The workspace's own.
    workspace : Workspace
    trainer : callable or None
        Makes the trainer of a project, given where it is.
    operation : Operation
        Looks after each project that is open.
    """

    def __init__(
        self,
        app: ASGIApp,
        home: Site,
        workspace: Workspace,
        trainer: Callable[[str], Any] | None,
        operation: Operation,
    ) -> None:
        self.app, self.home, self.workspace, self._trainer = app, home, workspace, trainer
        self.operation = operation
        self._sites: dict[str, Site] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        name, slash, _ = get_route_path(scope).removeprefix("/").partition("/")
        site = self._sites.get(name) or await run_in_threadpool(self.found, name)
        if site is None:
            missing = Failure(404, f"there is no project {name!r} here, or it is set aside.")
            await refusal(missing, scope)(scope, receive, send)
            return
        path = scope["path"] if slash else f"{scope['path']}/"
        root = f"{scope['root_path']}/{name}"
        inner = {**scope, "site": site, "root_path": root, "path": path}
        try:
            await self.app(inner, receive, send)
        finally:
            scope["route"] = inner.get("route")  # for the figures

    def site(self, name: str) -> Site:
        """The site of a project that is not set aside; it is opened when it is first asked for.

        Raises
        ------
        InputError
            If there is none, or it cannot be opened.
        StorageError
            If its database cannot be read.
        """
        with self._lock:
            if name not in self._sites:
                if name in self.workspace.archived():
                    raise InputError(f"the project {name!r} is set aside.")
                trainer = None if self._trainer is None else self._trainer(self.workspace.place_of(name))
                project = self.workspace.open(name)
                self._sites[name] = Site(
                    project,
                    secure=self.home.secure,
                    trainer=trainer,
                    root=self.home.root,
                    home=self.home,
                    name=name,
                )
                self.operation.add(self._sites[name])
                if trainer is not None:
                    trainer.start()
            return self._sites[name]

    def close(self, name: str) -> None:
        """Serve a project no more, and end its training."""
        with self._lock:
            site = self._sites.pop(name, None)
            for one in self._sites.values():
                one.forget("companions")
        if site is not None:
            self.operation.remove(site)
            if site.trainer is not None:
                site.trainer.stop()
            site.project.close()

    def start(self) -> None:
        """Open all projects, so that what is due there is trained though nobody comes."""
        aside = self.workspace.archived()
        for name in self.workspace.names():
            if name not in aside:
                self.found(name)

    def stop(self) -> None:
        """Close all projects."""
        sites = [one for one in self._sites.values() if one.trainer is not None]
        stops = [threading.Thread(target=one.trainer.stop) for one in sites]
        for thread in stops:
            thread.start()
        for thread in stops:
            thread.join()
        for name in list(self._sites):
            self.close(name)

    def found(self, name: str) -> Site | None:
        """The site of a project; None if there is none, it is set aside, or it cannot be opened."""
        try:
            return self._sites.get(name) or self.site(name)
        except (InputError, StorageError) as error:
            if name in self.workspace.names() and name not in self.workspace.archived():
                log.error("the project %s cannot be served: %s", name, error)
            return None
