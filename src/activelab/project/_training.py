"""One round of training: from the labels so far to the order in which examples are served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activelab.project._project import Project
from activelab.project._rounds import Round


def train_round(
    project: Project, *, pred_probs: Any = None, progress: Callable[[str], None] | None = None
) -> Round:
    """Train on the labels so far, score every example, and serve the new order."""
    raise NotImplementedError
