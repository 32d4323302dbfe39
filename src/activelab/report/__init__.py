"""A project in one HTML file: what the dashboard shows, to keep or to send."""

from activelab.report._report import project_report

__all__ = ["project_report"]
