"""What a project knows about itself, as plain values: for the dashboard, the report and the status."""

from __future__ import annotations

from typing import Any

from activelab.project._project import Project


def overview(project: Project) -> dict[str, Any]:
    """Budget, counts, queue, round and training."""
    raise NotImplementedError


def learning_curve(project: Project) -> list[dict[str, Any]]:
    """Measures of every trained round."""
    raise NotImplementedError


def quality_histogram(project: Project, bins: int = 20) -> dict[str, Any]:
    """How many labelled examples have a consensus of which quality."""
    raise NotImplementedError


def annotator_table(project: Project) -> list[dict[str, Any]]:
    """One row an annotator."""
    raise NotImplementedError


def pair_agreement(project: Project, limit: int = 40) -> dict[str, Any]:
    """Agreement of every pair of annotators."""
    raise NotImplementedError


def queue_head(project: Project, n: int = 20) -> list[dict[str, Any]]:
    """What is served next."""
    raise NotImplementedError


def why_served(project: Project, example_id: int) -> dict[str, Any]:
    """Why an example is where it is in the order."""
    raise NotImplementedError


def adjudication_list(project: Project, n: int = 50) -> list[dict[str, Any]]:
    """Examples somebody should decide."""
    raise NotImplementedError


def gain_forecast(project: Project) -> dict[str, Any] | None:
    """What the next batch can be expected to gain; None without enough rounds."""
    raise NotImplementedError


def rounds_table(project: Project) -> list[dict[str, Any]]:
    """All rounds, oldest first."""
    raise NotImplementedError
