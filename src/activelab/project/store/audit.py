"""The audit log: who changed what of the project besides labels."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from activelab.project.store.schema import audit


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
