"""What goes wrong, in one shape: ``{"error": code, "message": …, "field": …}``; or a page, for people."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match
from starlette.types import Scope

from activelab._errors import ADVICE, InputError
from activelab.project import ConflictError, StorageError
from activelab.project.labelling.rounds import AlreadyTrainingError
from activelab.project.store.accounts import NotAllowedError
from activelab.web._logs import request_id
from activelab.web._templates import templates

log = logging.getLogger("activelab.web")

Code = Literal[
    "bad_request", "not_logged_in", "forbidden", "not_found", "method_not_allowed", "conflict", "too_large",
    "unsupported_type", "invalid", "too_many_requests", "internal", "storage",
    "host_not_allowed", "cross_origin", "csrf", "timeout", "wrong_password", "not_allowed",
]  # fmt: skip
"""Words that programs can tell errors by; the schema of the API lists them."""

_CODES: dict[int, Code] = {
    400: "bad_request",
    401: "not_logged_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_type",
    422: "invalid",
    429: "too_many_requests",
    500: "internal",
    503: "storage",
}


_HEADINGS = {
    400: "The request is not right",
    401: "Log in first",
    403: "Not allowed",
    404: "Nothing is here",
    405: "Not to be done here",
    413: "Too large",
    422: "Nothing is here",
    429: "Too many at once",
    500: "Something went wrong",
    503: "Not available at this moment",
}


_SAID = ADVICE | {
    "column": "Choose the column of the {column} in the list.",
    "content": "Choose it in the list.",
    "image_root": "Send them together as a zip or a folder.",
    "leave_out": "Correct them, or leave them out.",
    "media_folder": "Have the server started with --media-folder DIR, or put them in a folder of it and use: "
    "activelab import PLACE FOLDER",
    "skip_known": "Leave them out.",
    "question": "Its other questions are read by: activelab convert.",
}
"""What to do about an `InputError`, in the words of the pages."""


class ErrorBody(BaseModel):
    """Why a request was refused."""

    error: Code = Field(description="A word for programs.")
    message: str = Field(description="A sentence for people.")
    field: str | None = Field(default=None, description="The part of the request it is about.")


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": code.replace("_", " ").capitalize()}
    for status, code in _CODES.items()
    if status not in (405, 500)
}
"""Every route may answer these."""


class Failure(HTTPException):
    """A request that is refused.

    Parameters
    ----------
    status : int
    message : str
    code : Code, optional
        A word for programs; the default goes with the status.
    field : str, optional
    headers : mapping, optional
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: Code | None = None,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.body = ErrorBody(error=code or _CODES[status], message=message, field=field)


def refusal(failure: Failure, scope: Scope) -> Response:
    """The answer to a request that is refused: for somebody who looks at a page, one; else for a program."""
    status, headers = failure.status_code, failure.headers
    if scope["method"] not in ("GET", "HEAD") or "text/html" not in Headers(scope=scope).get("accept", ""):
        return JSONResponse(failure.body.model_dump(), status, headers)
    # Of a page, what is not right can only be its address.
    said = "there is nothing at this address." if status == 422 else failure.body.message
    page = templates.get_template("error.html").render(
        page="error",
        title="ActiveLab",
        visitor=None,
        root=scope.get("state", {}).get("root", ""),
        heading=_HEADINGS.get(status, "That did not work"),
        message=said[:1].upper() + said[1:],
        request_id=request_id.get() if status >= 500 else "",
    )
    return HTMLResponse(page, status, headers)


def explain(error: Exception) -> Failure:
    """A failure for an exception of the project."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, InputError):
        return Failure(422, error.worded(_SAID))
    if isinstance(error, ConflictError | AlreadyTrainingError):
        return Failure(409, str(error))
    if isinstance(error, NotAllowedError):
        return Failure(403, str(error), code="not_allowed")
    if isinstance(error, StorageError):
        log.error("%s", error)
        return Failure(503, "the project's database cannot be used now; send the request again later.")
    raise error


def _methods(request: Request) -> list[str]:
    """The methods of an address; each route knows its own alone."""
    found: set[str] = set()
    for route in request.app.router.routes:
        for one in getattr(getattr(route, "original_router", None), "routes", [route]):
            if one.matches(request.scope)[0] is not Match.NONE:
                found |= getattr(one, "methods", None) or {"GET"}
    return sorted(found | {"HEAD"} if "GET" in found else found)


def handle_failures(app: FastAPI) -> None:
    """Answer every exception in the one shape."""

    async def known(request: Request, error: Exception) -> Response:
        return refusal(explain(error), request.scope)

    for kind in (Failure, InputError, ConflictError, AlreadyTrainingError, NotAllowedError, StorageError):
        app.add_exception_handler(kind, known)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)
        code = error.status_code if error.status_code in _CODES else 400
        message = {404: "there is nothing at this address.", 405: "this address has no such method."}
        headers = {"Allow": ", ".join(_methods(request))} if code == 405 else error.headers
        return refusal(Failure(code, message.get(code, str(error.detail)), headers=headers), request.scope)

    app.add_exception_handler(StarletteHTTPException, http)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        # What was sent is not repeated: it may be a password.
        first = error.errors()[0]
        # What is no name is a type that a field might have been of.
        parts = [str(part) for part in first["loc"][1:] if isinstance(part, int) or part.isidentifier()]
        place = ".".join(parts) or None
        # Ours is a sentence already.
        cause = first.get("ctx", {}).get("error")
        message = str(cause) if isinstance(cause, InputError) else str(first["msg"])
        return refusal(Failure(422, message, field=place), request.scope)

    app.add_exception_handler(RequestValidationError, invalid)
