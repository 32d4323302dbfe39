"""Classes renamed, merged, split and retired; whoever works on the command line may wish for a label, too."""

import sqlalchemy as sa
from alembic import op

from activelab.project.store.schema import append_only_statements

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

wish = sa.table("wish", sa.column("annotator_id"))


def upgrade() -> None:
    op.create_table(
        "class_change",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("time", sa.Float(53), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("last_event", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for statement in append_only_statements(op.get_bind().dialect.name, ["class_change"]):
        op.execute(statement)
    _wishes(nullable=True)


def downgrade() -> None:
    op.execute(wish.delete().where(wish.c.annotator_id.is_(None)))
    _wishes(nullable=False)
    op.drop_table("class_change")


def _wishes(*, nullable: bool) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("wish", "annotator_id", nullable=nullable)
        return
    op.execute("CREATE TABLE wish_before AS SELECT * FROM wish")
    op.drop_table("wish")
    op.create_table(
        "wish",
        sa.Column("example_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=nullable),
        sa.Column("time", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"]),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.PrimaryKeyConstraint("example_id"),
    )
    op.execute(
        "INSERT INTO wish (example_id, event_id, annotator_id, time) "
        "SELECT example_id, event_id, annotator_id, time FROM wish_before"
    )
    op.drop_table("wish_before")
