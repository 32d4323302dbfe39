"""The schema of a database brought to a version."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select
from sqlalchemy.exc import DBAPIError

from activelab.project.store.database import Database, StorageError

_LOCK_SCHEMA = 7_206_003


def revisions() -> list[str]:
    """All revisions, oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return [one.revision for one in scripts.walk_revisions()][::-1]


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema up to a revision, from nothing or from an older one."""
    _run(database, command.upgrade, revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the schema back to an older revision, or "base" for nothing; what it cannot hold is lost."""
    _run(database, command.downgrade, revision)


def schema_state(database: Database) -> str:
    """What a database holds: a schema that is "current", "old" or "newer" than this program, "none", or
    "foreign" tables."""

    def look(connection: Any) -> str:
        found = MigrationContext.configure(connection).get_current_revision()
        if found is None:
            others = set(inspect(connection).get_table_names()) - {"alembic_version"}
            return "foreign" if others else "none"
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
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK_SCHEMA)))
            config.attributes["connection"] = connection
            action(config, revision)
            connection.commit()
    except DBAPIError as error:
        raise database._explained(error) from error
    except OSError as error:
        raise StorageError(f"{database.name}: {error}") from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "activelab.project.store:migrations")
    config.set_main_option("path_separator", "os")
    return config
