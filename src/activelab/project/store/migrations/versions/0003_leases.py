"""Leases are called leases; an assignment is a rule of who labels."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rename("assignment", "lease")


def downgrade() -> None:
    _rename("lease", "assignment")


def _rename(old: str, new: str) -> None:
    op.drop_index(f"one_open_{old}", table_name=old)
    op.rename_table(old, new)
    op.create_index(
        f"one_open_{new}",
        new,
        ["annotator_id", "example_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    if op.get_bind().dialect.name == "postgresql":  # it keeps what it named after the table
        op.execute(f"ALTER SEQUENCE {old}_id_seq RENAME TO {new}_id_seq")
        for suffix in ("pkey", "annotator_id_fkey", "example_id_fkey"):
            op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT {old}_{suffix} TO {new}_{suffix}")
