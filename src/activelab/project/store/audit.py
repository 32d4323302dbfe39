"""The audit log: who changed what of the project besides labels."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from activelab.project.store.names import rename_in
from activelab.project.store.schema import append_only_statements, audit

_NAMING = ("name", "names", "families")  # parts of entries that name people


def write_audit(connection: Connection, by: int | None, action: str, detail: Mapping[str, Any]) -> None:
    """Append to the audit log.

    Parameters
    ----------
    connection : Connection
        The entry is of its transaction.
    by : int or None
        The account; None for somebody with access to the database itself, as on the command line.
    action : str
    detail : mapping
        Plain values, ready for JSON.
    """
    connection.execute(
        insert(audit).values(
            time=time.time(), annotator_id=by, action=action, detail=json.dumps(detail, ensure_ascii=False)
        )
    )


def entries_of(
    connection: Connection, account_id: int, name: str
) -> list[tuple[float, int | None, str, Any]]:
    """What the log says that somebody did, and what it says of them: time, by whom, action, detail."""
    written = json.dumps(name, ensure_ascii=False)[1:-1]
    about = audit.c.detail.contains(written, autoescape=True)
    query = select(audit).where((audit.c.annotator_id == account_id) | about).order_by(audit.c.id)
    rows = [
        (row.time, row.annotator_id, row.action, json.loads(row.detail)) for row in connection.execute(query)
    ]
    return [one for one in rows if one[1] == account_id or _is_named(one[3], name)]


def _is_named(detail: Mapping[str, Any], name: str) -> bool:
    families = [text.rpartition("=")[0] for text in detail.get("families") or ()]
    return name in (detail.get("name"), *detail.get("names", ()), *families)


def rename_in_audit(connection: Connection, name: str, instead: str) -> None:
    """Put a pseudonym where the log names somebody who is removed: the one change of it that there is.

    What keeps the log from being changed is lifted for it within the transaction, so that nobody else can.
    """
    written = json.dumps(name, ensure_ascii=False)[1:-1]
    query = select(audit.c.id, audit.c.detail).where(audit.c.detail.contains(written, autoescape=True))
    changes = {}
    for row in connection.execute(query):
        before = json.loads(row.detail)
        named = {key: before[key] for key in _NAMING if key in before}
        after = before | {key: _renamed(value, name, instead) for key, value in named.items()}
        if after != before:
            changes[row.id] = json.dumps(after, ensure_ascii=False)
    if not changes:
        return
    sqlite = connection.dialect.name == "sqlite"
    lift = "DROP TRIGGER audit_no_update" if sqlite else "ALTER TABLE audit DISABLE TRIGGER audit_append_only"
    back = "ALTER TABLE audit ENABLE TRIGGER audit_append_only"
    connection.execute(text(lift))
    for identity, detail in changes.items():
        connection.execute(update(audit).where(audit.c.id == identity).values(detail=detail))
    connection.execute(text(append_only_statements("sqlite", ["audit"])[0] if sqlite else back))


def _renamed(value: Any, name: str, instead: str) -> Any:
    if isinstance(value, list):
        return [_renamed(one, name, instead) for one in value]
    return rename_in(value, name, instead) if isinstance(value, str) else value
