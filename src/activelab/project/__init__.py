"""A labelling project that lasts: store, leases, rounds."""

from activelab.project._project import Example, Project, Submission, create_project, open_project
from activelab.project.labelling.queue import ConflictError, Lease, Recorded
from activelab.project.settings import KINDS, Settings
from activelab.project.store.database import StorageError

__all__ = [
    "KINDS",
    "ConflictError",
    "Example",
    "Lease",
    "Project",
    "Recorded",
    "Settings",
    "StorageError",
    "Submission",
    "create_project",
    "open_project",
]
