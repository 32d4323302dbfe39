"""What a running server keeps: the project, the key, who is logged in, and the limits."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from itsdangerous import BadSignature, URLSafeTimedSerializer

from activelab.project import Project
from activelab.project.store.accounts import Account, account_of_token, digest, find_member
from activelab.project.store.logins import USED_SECONDS, account_of_login, begin_login, use_login
from activelab.project.workspace import Workspace
from activelab.web._answers import Answers
from activelab.web._keys import signing_key
from activelab.web._passwords import Passwords
from activelab.web._uploads import Uploads

Result = TypeVar("Result")

SESSION_SECONDS = 7 * 86_400
BROWSER_SECONDS = 365 * 86_400
ACCOUNT_SECONDS = 1.0
"""How long an account that was looked up is believed; another process may have disabled it or its token."""

_CACHE = 10_000


def _folder_of(project: Project) -> str | None:
    """The folder of a project in a file: large files that come belong on its disk."""
    return os.path.dirname(project.database.place) if project.database.is_sqlite else None


class Site:
    """The state of what is served at one address: a project, or a workspace's own pages.

    Parameters
    ----------
    project : Project
    secure : bool
        Send cookies over HTTPS only, whatever the request came by.
    trainer : Trainer or None
    root : str
        Prefix of all addresses of the server, such as ``/labels``; empty for none.
    home : Site, optional
        Where people log in, if not here: the project belongs to a workspace.
    workspace : Workspace, optional
        Whose own pages these are; ``project`` is the one that holds its people.
    name : str, optional
        Of the project; by default as its database has it.

    Attributes
    ----------
    home : Site
    """

    def __init__(
        self,
        project: Project,
        *,
        secure: bool,
        trainer: Any = None,
        root: str = "",
        home: Site | None = None,
        workspace: Workspace | None = None,
        name: str = "",
    ) -> None:
        self.name = name or project.database.short_name
        self.project, self.secure, self.trainer, self.root = project, secure, trainer, root
        self.home, self.workspace = home or self, workspace
        self.key: bytes = signing_key(project.database) if home is None else home.key
        self._signer = self._make_signer("session")
        self._browsers = self._make_signer("browser")
        # Cookies of one machine are shared by all its ports, and by the projects on them.
        self.cookie = f"activelab_{hashlib.sha256(b'cookie' + self.key).hexdigest()[:8]}"
        self.browser_cookie = f"{self.cookie}_browser"
        self.projects: Any = None  # of a workspace: those that are served
        self._accounts: dict[str, tuple[float, Account | None]] = {}
        self._used: dict[str, float] = {}
        self._kept: dict[str, tuple[float, Any]] = {}
        self._making: dict[str, threading.Lock] = {}
        self.passwords: Passwords = Passwords() if home is None else home.passwords
        self.uploads: Uploads = Uploads(_folder_of(project)) if home is None else home.uploads
        # Tables of a large project take much memory and time: who labels must not wait for several.
        self.export_turn, self.exports = asyncio.Lock(), 0
        self.listeners: dict[int, int] = {}
        self.answers = Answers(project)
        self.media_folder: Path | None = None  # of projects on PostgreSQL
        self.closing: asyncio.Event = asyncio.Event() if home is None else home.closing

    @property
    def has_pool(self) -> bool:
        """Whether there is something to label here: not on a workspace's own pages."""
        return self.workspace is None

    @property
    def in_workspace(self) -> bool:
        """Whether there is a list of projects."""
        return self.home.workspace is not None

    # ------------------------------------------------------------------ sessions

    def sign(self, account: Account, nonce: str) -> str:
        """What the cookie of a new session holds."""
        return self._signer.dumps([account.id, account.session, nonce])

    def unsign(self, cookie: str) -> tuple[int, int, str] | None:
        """Account, number of the session and nonce of a cookie; None if it is false or too old."""
        try:
            identity, session, nonce = self._signer.loads(cookie, max_age=SESSION_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return None
        return identity, session, nonce

    def sign_browser(self, name: str) -> str:
        """What a browser keeps that somebody has logged in with, longer than a session."""
        return self._browsers.dumps([self._digest(name), secrets.token_urlsafe(16)])

    def known_browser(self, cookie: str | None, name: str) -> str | None:
        """A name of the browser, if somebody of this name has logged in with it."""
        try:
            owner, nonce = self._browsers.loads(cookie or "", max_age=BROWSER_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return None
        return str(nonce) if hmac.compare_digest(str(owner), self._digest(name)) else None

    def _make_signer(self, purpose: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.key, purpose, signer_kwargs={"digest_method": hashlib.sha256})

    def _digest(self, name: str) -> str:
        return hmac.new(self.key, f"name {name}".encode(), hashlib.sha256).hexdigest()[:16]

    def csrf(self, nonce: str) -> str:
        """The token that goes with a session."""
        return hmac.new(self.key, f"csrf {nonce}".encode(), hashlib.sha256).hexdigest()

    # ------------------------------------------------------------------ accounts

    def known(self, key: str) -> tuple[bool, Account | None]:
        """Whether an account was looked up a moment ago, and which it was."""
        kept = self._accounts.get(key)
        if kept is None or time.monotonic() - kept[0] > ACCOUNT_SECONDS:
            return False, None
        return True, kept[1]

    def member(self, name: str) -> Account | None:
        """The account that somebody of a workspace has in this project, from the database."""
        return self._keep(name, self.project.database.read(lambda c: find_member(c, name)))

    def session_account(self, identity: int, token: str) -> Account | None:
        """The account of a session with a token for writes, from the database."""
        found = self.project.database.read(lambda c: account_of_login(c, identity, digest(token)))
        return self._keep(token, found)

    def begin(self, account: Account, token: str, browser: str) -> None:
        """Write down that a session begins."""
        now = time.time()
        self.project.database.write(
            lambda c: begin_login(c, account, digest(token), browser, now, SESSION_SECONDS)
        )

    def is_used(self, token: str) -> bool:
        """Whether it was noted lately that a session is used; if not, it is to be noted now."""
        now = time.monotonic()
        if now - self._used.get(token, -USED_SECONDS) < USED_SECONDS:
            return True
        if len(self._used) >= _CACHE:
            self._used.clear()
        self._used[token] = now
        return False

    def use(self, token: str) -> None:
        """Note that a session is used."""
        self.project.database.write(lambda c: use_login(c, digest(token), time.time()))

    def token_account(self, secret: str) -> Account | None:
        """The account of a token, from the database."""
        found = self.project.database.read(lambda c: account_of_token(c, secret, time.time()))
        return self._keep(digest(secret), found)

    def forget_accounts(self) -> None:
        """Look all accounts up again."""
        self._accounts.clear()

    def _keep(self, key: str, found: Account | None) -> Account | None:
        if len(self._accounts) >= _CACHE:
            self._accounts.clear()
        self._accounts[key] = time.monotonic(), found
        return found

    # ------------------------------------------------------------------ what many ask for at once

    def forget(self, name: str) -> None:
        """Make a value anew when it is asked for next."""
        self._kept.pop(name, None)

    def shared(self, name: str, make: Callable[[], Result], seconds: float = 2.0) -> Result:
        """A value that is made at most every few seconds, however many ask for it."""
        lock = self._making.setdefault(name, threading.Lock())
        with lock:
            kept = self._kept.get(name)
            if kept is None or time.monotonic() - kept[0] > seconds:
                kept = time.monotonic(), make()
                self._kept[name] = kept
        result: Result = kept[1]
        return result
