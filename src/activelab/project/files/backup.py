"""A copy of a project as it is at one moment, while it is in use; and a project made of such a copy."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, func, select
from sqlalchemy.exc import DBAPIError

from activelab._errors import InputError
from activelab._whole import whole_path
from activelab.project._project import Project, open_project
from activelab.project.files.doctor import repair
from activelab.project.store.database import Database, StorageError, database_url
from activelab.project.store.schema import answer
from activelab.project.store.upgrades import schema_state

_OF_SQLITE, _OF_POSTGRESQL = b"SQLite format 3\0", b"PGDMP"


def back_up(project: Project, path: str | os.PathLike[str]) -> int:
    """Copy a project to a file; its size in bytes.

    The copy is whole or not there at all. Labelling goes on meanwhile. Of a project in a file the copy is a
    project like any other; PostgreSQL makes one by its program ``pg_dump``, in its custom format.

    Raises
    ------
    InputError
        If the file exists, its folder does not, or ``pg_dump`` is not installed here.
    StorageError
        If the copy cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists():
        raise InputError(f"{path} exists already. Name another file.")
    if not target.parent.is_dir():
        raise InputError(f"the folder {target.parent} does not exist; create it first.")
    try:
        with whole_path(target, replace=False) as partial:
            Path(partial).touch(0o600, exist_ok=False)  # until it is known who else may read it
            if project.database.is_sqlite:
                with project.database.engine.connect() as connection:
                    connection.exec_driver_sql("VACUUM INTO ?", (partial,))
                # It holds what the project holds, so nobody else may read it either.
                shutil.copymode(str(project.database.url.database), partial)
            else:
                options = ["--format=custom", "--no-owner", "--no-acl"]
                if schema := project.database.schema:
                    options += ["--schema", f'"{schema}"']
                _run_postgresql("pg_dump", project.database.url, options, "--file", str(path), partial)
    except DBAPIError as error:
        raise StorageError(f"{path}: the copy cannot be written: {error.orig}.") from error
    except FileExistsError:
        raise InputError(f"{path} exists already. Name another file.") from None
    except OSError as error:
        raise StorageError(f"{path}: the copy cannot be written: {error.strerror}.") from error
    return target.stat().st_size


@dataclass(frozen=True)
class Restored:
    """What was made of a copy.

    Attributes
    ----------
    examples : int
    labels : int
    upgraded : bool
        Whether the copy was of an older version, and was brought up to date.
    repaired : tuple of str
        What was derived again, such as a training that went on when the copy was made.
    key : bool
        Whether the key that signs cookies is there: who was logged in still is.
    """

    examples: int
    labels: int
    upgraded: bool
    repaired: tuple[str, ...]
    key: bool


def restore(backup: str | os.PathLike[str], place: str | os.PathLike[str]) -> Restored:
    """Make a project of a copy; the copy itself is not changed.

    The schema is brought up to date, and the project examined as by ``activelab doctor``. In a file it
    appears whole or not at all. Nothing is overwritten.

    Parameters
    ----------
    backup : path
        What `back_up` has written.
    place : str or path
        A file that is not there yet, or an empty PostgreSQL database.

    Raises
    ------
    InputError
        If something is there already, or the copy is none, is damaged, or of another database.
    StorageError
        If the project cannot be written.
    """
    try:
        with open(backup, "rb") as file:
            begin = file.read(len(_OF_SQLITE))
    except OSError as error:
        raise InputError(f"{backup}: the backup cannot be read: {error.strerror}.") from None
    url = database_url(place)
    wanted = _OF_SQLITE if url.get_backend_name() == "sqlite" else _OF_POSTGRESQL
    if not begin.startswith(wanted):
        if begin.startswith(_OF_SQLITE):
            raise InputError(f"{backup} is the copy of a project in a file; name a file to restore it to.")
        if begin.startswith(_OF_POSTGRESQL):
            raise InputError(f"{backup} was made by pg_dump; name an empty database, postgresql://….")
        raise InputError(f"{backup} is no backup of a project.")
    if wanted == _OF_SQLITE:
        return _restore_file(Path(backup), Path(str(url.database)))
    return _restore_database(backup, url)


def _restore_file(backup: Path, target: Path) -> Restored:
    log = Path(f"{backup}-wal")
    if log.exists() and log.stat().st_size:
        raise InputError(f"{backup} is in use, or was copied while it was; copy it with: activelab backup")
    for there in (target, Path(f"{target}-wal")):
        if there.exists():
            raise InputError(f"{there} exists already. Name another file, or move it away first.")
    if not target.parent.is_dir():
        raise InputError(f"the folder {target.parent} does not exist; create it first.")
    key = Path(f"{target}.key").exists()
    try:
        with whole_path(target, replace=False) as partial:
            Path(partial).touch(0o600, exist_ok=False)
            try:
                shutil.copyfile(backup, partial)
                restored = _looked_at(partial, backup, key)
                os.chmod(partial, backup.stat().st_mode & 0o777 | 0o600)
            finally:
                for end in ("-wal", "-shm"):
                    Path(f"{partial}{end}").unlink(missing_ok=True)
    except FileExistsError:
        raise InputError(f"{target} exists already. Name another file.") from None
    except OSError as error:
        raise StorageError(f"{target}: the project cannot be written: {error.strerror}.") from error
    return restored


def _restore_database(backup: str | os.PathLike[str], url: URL) -> Restored:
    place = url.render_as_string(hide_password=False)
    database = Database(place)
    try:
        if schema_state(database) != "none":
            raise InputError(f"{database.name} is not empty. Make another database with createdb.")
    finally:
        database.close()
    options = ["--no-owner", "--no-acl", "--exit-on-error", "--single-transaction"]
    _run_postgresql("pg_restore", url, options, "", str(backup), str(backup))
    return _looked_at(place, backup, True)  # the key is in the database


def _looked_at(place: str, backup: str | os.PathLike[str], key: bool) -> Restored:
    database = Database(place)
    try:
        before = schema_state(database)
    except StorageError:
        raise InputError(f"{backup} is damaged or no project; nothing was restored.") from None
    finally:
        database.close()
    if before == "newer":
        raise InputError(f"{backup} was made by a newer version of activelab; upgrade the program.")
    if before not in ("current", "old"):
        raise InputError(f"{backup} holds no project.")
    with open_project(place) as project:
        wrong = [one for one in repair(project) if one.problem]
        if lost := [f"{one.name}: {one.problem}" for one in wrong if not one.repairable]:
            raise InputError(f"{backup} is damaged: {' '.join(lost)}")
        count = select(func.count()).where(answer.c.kind == "label")
        labels = project.database.read(lambda c: c.execute(count).scalar_one())
        repaired = tuple(f"{one.name}: {one.problem}" for one in wrong)
        return Restored(project.num_examples, labels, before == "old", repaired, key)


def _run_postgresql(program: str, url: URL, options: list[str], output: str, shown: str, file: str) -> None:
    """Run a program of PostgreSQL; a password is passed on where no other user sees it."""
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=True)
    arguments = [*options, "--dbname", address, *([output] if output else [])]
    if shutil.which(program) is None:
        said = " ".join(f"'{one}'" if ":" in one else one for one in [*arguments, f"'{shown}'"])
        raise InputError(
            f"PostgreSQL's own programs are not installed here; where they are, run: {program} {said}"
        )
    password = {} if url.password is None else {"PGPASSWORD": str(url.password)}
    done = subprocess.run(
        [program, *arguments, file],
        env=os.environ | password,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"status {done.returncode}"]
        raise StorageError(f"{shown}: {lines[0].removeprefix(f'{program}: ').removeprefix('error: ')}")
