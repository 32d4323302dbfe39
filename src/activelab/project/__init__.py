"""A labelling project that lasts: store, assignment, rounds."""

from activelab.project._database import StorageError
from activelab.project._project import Example, Project, create_project, open_project
from activelab.project._queue import Assignment, ConflictError, Recorded
from activelab.project._settings import KINDS, Settings

__all__ = [
    "KINDS",
    "Assignment",
    "ConflictError",
    "Example",
    "Project",
    "Recorded",
    "Settings",
    "StorageError",
    "create_project",
    "open_project",
]
