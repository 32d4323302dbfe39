"""The key that signs cookies: random, made at the first start, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from sqlalchemy import Connection

from activelab._errors import InputError
from activelab.project.labelling.rounds import hold_round
from activelab.project.settings import load_value, store_value
from activelab.project.store.database import Database


def signing_key(database: Database) -> bytes:
    """The key of a project: in a file of mode 0600 beside a SQLite file, in the database for PostgreSQL.

    Raises
    ------
    InputError
        If others may read the file, or it holds no key.
    """
    # Two servers may start at the same time; they must agree on one key.
    if database.is_sqlite:
        return database.write(lambda _: _from_file(Path(f"{database.name}.key")))

    def find_or_make(connection: Connection) -> str:
        hold_round(connection)
        found: str | None = load_value(connection, "signing_key")
        if found is None:
            found = secrets.token_hex(32)
            store_value(connection, "signing_key", found)
        return found

    return bytes.fromhex(database.write(find_or_make))


def _from_file(path: Path) -> bytes:
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(made, "w") as file:
            file.write(secrets.token_hex(32))
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise InputError(f"{path} may be read by others; run: chmod 600 {path}")
    try:
        key = bytes.fromhex(path.read_text())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise InputError(f"{path} holds no key; delete it, and everybody has to log in again.")
    return key
