"""The HTTP API of one Label Studio server: one address, one token, patience."""

from __future__ import annotations

import json
import os
import random
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from activelab._errors import InputError

VARIABLE = "LABEL_STUDIO_API_KEY"
TRIES = 6
_TIMEOUT = httpx.Timeout(300.0, connect=10.0)
_PASSING = (408, 429, 500, 502, 503, 504)
_ACCESS_SECONDS = 240.0  # an access token lives for 300
_LONGEST_WAIT = 30.0
_PAGE = 1000


class ServerError(RuntimeError):
    """The server cannot be reached or refuses; the message says why, in one line."""


def read_token(file: str | os.PathLike[str] | None = None) -> str:
    """The token from a file that only its owner can read, or from the environment.

    Raises
    ------
    InputError
        If there is none, or others can read the file.
    """
    if file is None:
        token = os.environ.get(VARIABLE, "").strip()
        if not token:
            raise InputError(f"{VARIABLE} is not set.", advice="token")
        return token
    path = Path(file)
    if not path.is_file():
        raise InputError("no such file.", file=path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"others may read this file; say: chmod 600 {path}", file=path)
    token = path.read_text(encoding="utf-8", errors="replace").strip()
    if not token or not token.isascii() or any(c.isspace() for c in token):
        raise InputError("it should hold one token and nothing else.", file=path)
    return token


def check_url(url: str) -> httpx.URL:
    """The address of a server.

    Raises
    ------
    InputError
        If it is none of HTTP, or has a user, a password or a question mark in it.
    """
    try:
        parsed = httpx.URL(url.rstrip("/"))
    except (httpx.InvalidURL, TypeError):
        raise InputError(f"{url!r} is no address such as https://labels.example.org.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError(f"{url!r} is no address such as https://labels.example.org.")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise InputError("the address of the server has no user, password, question mark or # in it.")
    return parsed


class Client:
    """Requests to one server.

    Nothing but the configured address is ever asked: redirections are not followed, links in answers not
    used. What fails in passing is tried again, at growing intervals.

    Parameters
    ----------
    url : str
    token : str
        A legacy token, or a personal access token, which is exchanged for access tokens that live minutes.
    transport : httpx.BaseTransport, optional
        For tests.
    sleep : callable
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.url = str(check_url(url))
        self._token, self._sleep = token, sleep
        # A personal access token is three parts with points between them.
        self._personal = token.count(".") == 2
        self._access, self._until = "", 0.0
        self.server_time: datetime | None = None  # as the last answer said
        self._http = httpx.Client(
            base_url=self.url, timeout=_TIMEOUT, follow_redirects=False, transport=transport
        )

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # ------------------------------------------------------------------ what is asked

    def version(self) -> str:
        """The release of the server."""
        return str(self._json("GET", "/api/version").get("release", "unknown"))

    def project(self, number: int) -> dict[str, Any]:
        """A project with its settings."""
        found = self._json("GET", f"/api/projects/{number}/")
        if not isinstance(found, dict) or "label_config" not in found:
            raise ServerError(f"{self.url} does not answer like Label Studio.")
        return found

    def change_project(self, number: int, changes: Mapping[str, Any]) -> None:
        """Change settings of a project."""
        self._json("PATCH", f"/api/projects/{number}/", json=changes)

    def users(self) -> dict[int, str]:
        """Addresses of people by their numbers."""
        found = self._json("GET", "/api/users")
        people = found if isinstance(found, list) else found.get("results", [])
        return {int(one["id"]): str(one.get("email") or one.get("username") or "") for one in people}

    def changed_tasks(self, project: int, since: str) -> Iterator[dict[str, Any]]:
        """Id, time of change, overlap and state of the tasks that changed at or after a point in time.

        A task that changes meanwhile moves to the end and is there again; so none is missed.
        """
        seen: set[tuple[int, str]] = set()
        page = 1
        while True:
            item = {"filter": "filter:tasks:updated_at", "operator": "greater_or_equal", "type": "Datetime"}
            query = {
                "filters": {"conjunction": "and", "items": [{**item, "value": since}]},
                "ordering": ["tasks:updated_at"],
            }
            parameters = {
                "project": project, "query": json.dumps(query), "page": page, "page_size": _PAGE,
                "fields": "task_only", "include": "id,updated_at,overlap,is_labeled",
            }  # fmt: skip
            found = self._json("GET", "/api/tasks", params=parameters, absent={"tasks": []})["tasks"]
            new = [one for one in found if (one["id"], one["updated_at"]) not in seen]
            seen.update((one["id"], one["updated_at"]) for one in new)
            yield from new
            if len(found) < _PAGE:
                return
            last = max(one["updated_at"] for one in found)
            # A page of one single moment does not lead on; the next page does.
            page, since = (page + 1, since) if last == since else (1, last)

    def tasks(self, project: int, ids: Sequence[int]) -> list[dict[str, Any]]:
        """Some tasks with their annotations."""
        found: list[dict[str, Any]] = []
        for at in range(0, len(ids), 100):
            parameters = {
                "exportType": "JSON",
                "download_all_tasks": "true",
                "ids[]": list(ids[at : at + 100]),
            }
            found += self._json("GET", f"/api/projects/{project}/export", params=parameters)
        return found

    @contextmanager
    def all_tasks(self, project: int) -> Iterator[Any]:
        """A stream of bytes, the JSON array of all tasks with their annotations."""
        parameters = {"exportType": "JSON", "download_all_tasks": "true"}
        with self._streamed(f"/api/projects/{project}/export", parameters) as stream:
            yield stream

    def add_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Make tasks; asked once, since the same again would make them twice."""
        self._json("POST", f"/api/projects/{project}/import", json=tasks, tries=1)

    def add_predictions(self, project: int, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Store predictions; twice the same does no harm, for only their scores count."""
        self._json("POST", f"/api/projects/{project}/import/predictions", json=predictions)

    def change_task(self, number: int, changes: Mapping[str, Any]) -> bool:
        """Change a task; False if it is gone."""
        return self._json("PATCH", f"/api/tasks/{number}/", json=changes, absent=None) is not None

    def webhooks(self, project: int) -> list[dict[str, Any]]:
        """What is called when something happens in a project."""
        found: list[dict[str, Any]] = self._json("GET", "/api/webhooks/", params={"project": project})
        return found

    def add_webhook(self, webhook: Mapping[str, Any]) -> int:
        """Have an address called; the number of the webhook."""
        return int(self._json("POST", "/api/webhooks/", json=webhook)["id"])

    def remove_webhook(self, number: int) -> None:
        """Have an address no longer called."""
        self._json("DELETE", f"/api/webhooks/{number}/", absent=None)

    # ------------------------------------------------------------------ how it is asked

    def _json(self, method: str, path: str, *, absent: Any = ..., tries: int = TRIES, **options: Any) -> Any:
        """The answer to a request; ``absent`` if there is nothing of the name."""
        response = self._send(lambda: self._request(method, path, **options), tries)
        if response.status_code == 404 and absent is not ...:
            return absent
        self._check(response, path)
        if not response.content:
            return {}
        try:
            return response.json()
        except ValueError:
            raise ServerError(f"{self.url}{path} does not answer in JSON; is it Label Studio?") from None

    @contextmanager
    def _streamed(self, path: str, parameters: Mapping[str, Any]) -> Iterator[Any]:
        response = self._send(lambda: self._request("GET", path, stream=True, params=parameters))
        try:
            if response.status_code != 200:
                response.read()
            self._check(response, path)
            yield _Stream(response)
        except httpx.HTTPError as error:
            raise ServerError(f"{self.url}: the answer broke off: {_said(error)}.") from None
        finally:
            response.close()

    def _request(self, method: str, path: str, *, stream: bool = False, **options: Any) -> httpx.Response:
        request = self._http.build_request(method, path, headers=self._headers(), **options)
        response = self._http.send(request, stream=stream)
        with suppress(KeyError, ValueError):
            self.server_time = parsedate_to_datetime(response.headers["Date"])
        return response

    def _headers(self) -> dict[str, str]:
        if not self._personal:
            return {"Authorization": f"Token {self._token}"}
        if time.monotonic() >= self._until:
            response = self._http.post("/api/token/refresh/", json={"refresh": self._token})
            if response.status_code in _PASSING:
                raise httpx.TransportError(f"status {response.status_code} of the token service")
            if response.status_code != 200:
                raise InputError(f"{self.url} does not accept the personal access token.")
            self._access = str(response.json()["access"])
            self._until = time.monotonic() + _ACCESS_SECONDS
        return {"Authorization": f"Bearer {self._access}"}

    def _send(self, request: Callable[[], httpx.Response], tries: int = TRIES) -> httpx.Response:
        """Try until it is answered, refreshing the access token once if it is refused."""
        refreshed = False
        for turn in range(tries):
            wait = min(2.0**turn, _LONGEST_WAIT) * random.uniform(0.5, 1.0)
            try:
                response = request()
            except httpx.TransportError as error:
                if turn == tries - 1:
                    raise ServerError(f"{self.url} cannot be reached: {_said(error)}.") from None
                self._sleep(wait)
                continue
            if response.status_code == 401 and self._personal and not refreshed:
                response.close()
                self._until, refreshed = 0.0, True
                response = request()
            if response.status_code not in _PASSING or turn == tries - 1:
                return response
            after = response.headers.get("Retry-After", "")
            response.close()
            self._sleep(min(float(after), _LONGEST_WAIT) if after.isdecimal() else wait)
        raise AssertionError("unreachable")

    def _check(self, response: httpx.Response, path: str) -> None:
        status = response.status_code
        if status < 300:
            return
        if status in (401, 403):
            raise InputError(f"{self.url} refuses the token: {_detail(response)}")
        if status == 404:
            raise InputError(f"{self.url}{path}: there is no such project or task for this account.")
        if status < 400:
            raise ServerError(
                f"{self.url} wants to send us elsewhere (status {status}); give its final address."
            )
        raise ServerError(f"{self.url}{path}: status {status}: {_detail(response)}")


class _Stream:
    """The body of an answer as something to read from."""

    def __init__(self, response: httpx.Response) -> None:
        self._parts, self._rest = response.iter_bytes(), b""

    def read(self, size: int = -1, /) -> bytes:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._rest = part
        size = len(self._rest) if size < 0 else size
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def _detail(response: httpx.Response) -> str:
    try:
        found = response.json()
        text = str(found.get("detail") or found) if isinstance(found, dict) else str(found)
    except ValueError:
        text = response.text
    return " ".join(text.split())[:200]


def _said(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
