"""The audit log, which is only appended to."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from activelab.project.store.schema import audit


def write_audit(connection: Connection, by: int | None, action: str, detail: Mapping[str, Any]) -> None:
    """Append to the audit log."""
    connection.execute(
        insert(audit).values(
            time=time.time(), annotator_id=by, action=action, detail=json.dumps(detail, ensure_ascii=False)
        )
    )
