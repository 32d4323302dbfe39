"""The schema of a database brought to a version."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from activelab.project._database import Database, StorageError


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema up to a revision, from nothing or from an older one."""
    _run(database, command.upgrade, revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the schema back to an older revision, or "base" for nothing; what it cannot hold is lost."""
    _run(database, command.downgrade, revision)


def schema_state(database: Database) -> str:
    """ "current", "old", "newer" (made by a later version of this program) or "none"."""

    def look(connection: Any) -> str:
        found = MigrationContext.configure(connection).get_current_revision()
        if found is None:
            return "foreign" if inspect(connection).get_table_names() else "none"
        scripts = ScriptDirectory.from_config(_config())
        if found == scripts.get_current_head():
            return "current"
        return "old" if found in {one.revision for one in scripts.walk_revisions()} else "newer"

    return database.read(look)


def _run(database: Database, action: Any, revision: str) -> None:
    config = _config()
    try:
        with database.engine.connect() as connection:
            if database.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            action(config, revision)
            connection.commit()
    except DBAPIError as error:
        raise database._explained(error) from error
    except OSError as error:
        raise StorageError(f"{database.name}: {error}") from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "activelab.project:migrations")
    config.set_main_option("path_separator", "os")
    return config
