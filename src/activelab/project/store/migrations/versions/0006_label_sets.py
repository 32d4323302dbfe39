"""Sets of classes, each stored once: answers to questions with several right classes are their numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "label_set",
        sa.Column("code", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("classes", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
        sa.UniqueConstraint("classes"),
    )


def downgrade() -> None:
    op.drop_table("label_set")
