"""Data in and out: predictions, training, export, report."""

from __future__ import annotations

from fastapi import APIRouter

from activelab.web._failures import ERRORS

router = APIRouter(prefix="/api/v1", responses=ERRORS, tags=["data"])
