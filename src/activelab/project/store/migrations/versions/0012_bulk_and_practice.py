"""Answers seen in bulk or flagged, and examples that newcomers practise on."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0008"
branch_labels = None
depends_on = None

_MARKS = {"event": ("bulk", "flagged"), "answer": ("bulk", "flagged"), "lease": ("bulk",)}


def upgrade() -> None:
    for table, names in _MARKS.items():
        for name in names:
            op.add_column(
                table, sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False)
            )
    op.add_column("annotator", sa.Column("admitted", sa.Float(53), nullable=True))
    op.create_table(
        "practice",
        sa.Column("annotator_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.Column("class_code", sa.Integer(), nullable=True),
        sa.Column("correct", sa.Boolean(), nullable=True),
        sa.Column("time", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"]),
        sa.PrimaryKeyConstraint("annotator_id", "attempt", "position"),
    )


def downgrade() -> None:
    op.drop_table("practice")
    op.drop_column("annotator", "admitted")
    for table, names in _MARKS.items():
        for name in reversed(names):
            op.drop_column(table, name)
