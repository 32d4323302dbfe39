"""What a running server keeps: the project, the key, who is logged in, and the limits."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from itsdangerous import BadSignature, URLSafeTimedSerializer

from activelab.project import Project
from activelab.project.store.accounts import Account, account_of_token, digest, find_account
from activelab.web._keys import signing_key
from activelab.web._passwords import Passwords

Result = TypeVar("Result")

SESSION_SECONDS = 7 * 86_400
BROWSER_SECONDS = 365 * 86_400
ACCOUNT_SECONDS = 1.0
"""How long an account that was looked up is believed; another process may have disabled it or its token."""

_CACHE = 10_000


class Site:
    """The state of one application.

    Parameters
    ----------
    project : Project
    secure : bool
        Send cookies over HTTPS only, whatever the request came by.
    trainer : Trainer or None
    """

    def __init__(self, project: Project, *, secure: bool, trainer: Any = None) -> None:
        self.project, self.secure, self.trainer = project, secure, trainer
        self.key = signing_key(project.database)
        self._signer = self._make_signer("session")
        self._browsers = self._make_signer("browser")
        # Cookies of one machine are shared by all its ports, and by the projects on them.
        self.cookie = f"activelab_{hashlib.sha256(b'cookie' + self.key).hexdigest()[:8]}"
        self.browser_cookie = f"{self.cookie}_browser"
        self._accounts: dict[str, tuple[float, Account | None]] = {}
        self._kept: dict[str, tuple[float, Any]] = {}
        self._making: dict[str, threading.Lock] = {}
        self.passwords = Passwords()
        # Tables of a large project take much memory and time: who labels must not wait for several.
        self.export_turn, self.exports = asyncio.Lock(), 0
        self.listeners: dict[int, int] = {}
        self.closing = asyncio.Event()

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

    def account(self, identity: int) -> Account | None:
        """An account by its number, from the database."""
        found = self.project.database.read(lambda c: find_account(c, identity=identity))
        return self._keep(str(identity), None if found is None or found.disabled else found)

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
