"""Cells of any type as plain values."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def plain_cell(value: Any) -> Any:
    """A cell of a table in JSON; what is missing is None, what JSON has no word for is text.

    Examples
    --------
    >>> from datetime import date
    >>> from activelab.tables import plain_cell
    >>> plain_cell([float("nan"), date(2024, 2, 29)])
    [None, '2024-02-29']
    """
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.replace("\0", "") or None
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, dict):
        return {str(key): plain_cell(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_cell(one) for one in value]
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
