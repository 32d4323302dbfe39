"""Examples about which somebody who leads wants one more label, and those the guidelines do not decide."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wish",
        sa.Column("example_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("time", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"]),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.PrimaryKeyConstraint("example_id"),
    )
    op.create_table(
        "unclear",
        sa.Column("example_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("time", sa.Float(53), nullable=False),
        sa.Column("note", sa.Text()),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"]),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.PrimaryKeyConstraint("example_id"),
    )


def downgrade() -> None:
    op.drop_table("unclear")
    op.drop_table("wish")
