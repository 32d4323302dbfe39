"""Audits: the labels that were drawn for somebody to check, and the checks."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "quality_audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("time", sa.Float(53), nullable=False),
        sa.Column("annotator_id", sa.Integer()),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer()),
        sa.Column("last_event", counted, nullable=False),
        sa.Column("drawn", sa.Integer(), nullable=False),
        sa.Column("labels", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "audit_check",
        sa.Column("audit_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.Column("event_id", counted),
        sa.ForeignKeyConstraint(["audit_id"], ["quality_audit.id"]),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"]),
        sa.PrimaryKeyConstraint("audit_id", "position"),
    )
    op.create_index("audit_check_of_example", "audit_check", ["example_id"])


def downgrade() -> None:
    op.drop_table("audit_check")
    op.drop_table("quality_audit")
