"""Messages, practice once more, where people are logged in, and people who were removed."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TIMES = ("retrain", "removed")


def upgrade() -> None:
    for name in _TIMES:
        op.add_column("annotator", sa.Column(name, sa.Float(53), nullable=True))
    op.create_table(
        "login",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.Column("begun", sa.Float(53), nullable=False),
        sa.Column("used", sa.Float(53), nullable=False),
        sa.Column("ended", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("ix_login_annotator_id", "login", ["annotator_id"])
    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sent", sa.Float(53), nullable=False),
        sa.Column("read", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.ForeignKeyConstraint(["by_id"], ["annotator.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("message_of", "message", ["annotator_id", "read"])


def downgrade() -> None:
    op.drop_table("message")
    op.drop_table("login")
    for name in reversed(_TIMES):
        op.drop_column("annotator", name)
