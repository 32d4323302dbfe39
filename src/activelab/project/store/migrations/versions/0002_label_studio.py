"""What is known of a Label Studio project."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "label_studio_task",
        sa.Column("task_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("updated", sa.String(), nullable=False),
        sa.Column("overlap", sa.Integer(), nullable=False),
        sa.Column("is_labeled", sa.Boolean(), nullable=False),
        sa.Column("num_annotations", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pushed_round", sa.Integer(), nullable=True),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"]),
        sa.PrimaryKeyConstraint("task_id"),
        sa.UniqueConstraint("example_id"),
    )
    op.create_table(
        "label_studio_user",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.PrimaryKeyConstraint("user_id"),
        sa.UniqueConstraint("annotator_id"),
    )
    op.create_table(
        "label_studio_answer",
        sa.Column("task_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("class_code", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["label_studio_task.task_id"]),
        sa.ForeignKeyConstraint(["user_id"], ["label_studio_user.user_id"]),
        sa.PrimaryKeyConstraint("task_id", "user_id"),
    )


def downgrade() -> None:
    op.drop_table("label_studio_answer")
    op.drop_table("label_studio_user")
    op.drop_table("label_studio_task")
