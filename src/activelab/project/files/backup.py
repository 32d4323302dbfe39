"""A copy of a project as it is at one moment, while it is in use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from activelab._errors import InputError
from activelab._whole import whole_path
from activelab.project._project import Project
from activelab.project.store.database import StorageError


def back_up(project: Project, path: str | os.PathLike[str]) -> int:
    """Copy a project in a file to another file; its size in bytes.

    The copy is whole or not there at all. Labelling goes on meanwhile.

    Raises
    ------
    InputError
        If the file exists, its folder does not, or the project lives in PostgreSQL, which has a program of
        its own for that.
    StorageError
        If the copy cannot be written.
    """
    target = Path(os.path.realpath(path))
    if not project.database.is_sqlite:
        address = project.database.url.set(drivername="postgresql", password=None)
        shown = address.render_as_string(hide_password=True)
        raise InputError(f"PostgreSQL makes its own copies: pg_dump -Fc -f '{path}' '{shown}'")
    if target.exists():
        raise InputError(f"{path} exists already. Name another file.")
    if not target.parent.is_dir():
        raise InputError(f"the folder {target.parent} does not exist; create it first.")
    try:
        with whole_path(target, replace=False) as partial:
            Path(partial).touch(0o600, exist_ok=False)  # until it is known who else may read it
            with project.database.engine.connect() as connection:
                connection.exec_driver_sql("VACUUM INTO ?", (partial,))
            # It holds what the project holds, so nobody else may read it either.
            shutil.copymode(str(project.database.url.database), partial)
    except DBAPIError as error:
        raise StorageError(f"{path}: the copy cannot be written: {error.orig}.") from error
    except FileExistsError:
        raise InputError(f"{path} exists already. Name another file.") from None
    except OSError as error:
        raise StorageError(f"{path}: the copy cannot be written: {error.strerror}.") from error
    return target.stat().st_size
