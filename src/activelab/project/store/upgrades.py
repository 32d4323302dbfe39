"""The schema of a database brought to a version."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from activelab.project.store.database import Database, StorageError, project_lock

_LOCK_SCHEMA = 7_206_003
_MIGRATIONS = "activelab.project.store.migrations"


def revisions() -> list[str]:
    """All revisions, oldest first: the numbers that the names of their files begin with."""
    # Read without Alembic, which takes a tenth of a second to import and is seldom needed.
    names = [file.name for file in files(_MIGRATIONS).joinpath("versions").iterdir()]
    return sorted(name.partition("_")[0] for name in names if name[0].isdigit())


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema up to a revision, from nothing or from an older one."""
    from alembic import command

    _run(database, command.upgrade, revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the schema back to an older revision, or "base" for nothing; what it cannot hold is lost."""
    from alembic import command

    _run(database, command.downgrade, revision)


def discard(database: Database) -> None:
    """Close a database and remove what was just made there: its file, or the tables in it."""
    if not database.is_sqlite:
        with suppress(StorageError):  # what went wrong before is what is told
            downgrade(database, "base")
            database.write(lambda c: c.execute(text("DROP TABLE alembic_version")))
    database.close()
    if database.is_sqlite:
        remove_file(str(database.url.database))


def remove_file(path: str | os.PathLike[str]) -> None:
    """Remove a SQLite file that nobody has open, and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{os.fspath(path)}{suffix}").unlink(missing_ok=True)


def schema_state(database: Database) -> str:
    """What a database holds: a schema that is "current", "old" or "newer" than this program, "none", or
    "foreign" tables."""

    def look(connection: Any) -> str:
        tables, found = set(inspect(connection).get_table_names()), None
        if "alembic_version" in tables:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if found is None:
            return "foreign" if tables - {"alembic_version"} else "none"
        known = revisions()
        if found == known[-1]:
            return "current"
        return "old" if found in known else "newer"

    return database.read(look)


def _run(database: Database, action: Any, revision: str) -> None:
    config = _config()
    try:
        with database.engine.connect() as connection:
            if database.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:  # two servers that start at once
                connection.execute(project_lock(_LOCK_SCHEMA))
            config.attributes["connection"] = connection
            action(config, revision)
            connection.commit()
    except DBAPIError as error:
        raise database._explained(error) from error
    except OSError as error:
        raise StorageError(f"{database.name}: {error}") from error


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS.replace(".migrations", ":migrations"))
    config.set_main_option("path_separator", "os")
    return config
