"""Questions about one class of an example: an answer, a lease and a row of the queue say what was asked."""

import io
import time
from typing import Literal

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_WHOLE = -1  # where the whole example is asked about

event = sa.table(
    "event",
    *(
        sa.column(name)
        for name in (
            "id", "time", "annotator_id", "example_id", "kind", "asked", "source", "undoes",
        )
    ),
)  # fmt: skip
answer = sa.table(
    "answer", *(sa.column(n) for n in ("example_id", "annotator_id", "event_id", "kind", "asked"))
)
example = sa.table("example", sa.column("id"), sa.column("num_labels"))
annotator = sa.table("annotator", *(sa.column(name) for name in ("id", "num_labels", "num_single")))
queue = sa.table("queue", *(sa.column(name) for name in ("round_id", "asked")))
lease = sa.table("lease", sa.column("state"), sa.column("asked"))
round_ = sa.table("round", sa.column("id"), sa.column("filled"))
round_array = sa.table("round_array", *(sa.column(name) for name in ("round_id", "name", "data")))


def upgrade() -> None:
    for table in ("event", "lease"):
        op.add_column(table, _asked())
    op.add_column("annotator", sa.Column("num_single", sa.Integer(), server_default="0", nullable=False))
    _open_leases("annotator_id", "example_id", "asked")
    _answers(_asked(autoincrement=False))
    _queue(_asked(autoincrement=False))


def downgrade() -> None:
    connection = op.get_bind()
    _forget_classes(connection)
    _ask_whole(connection)
    connection.execute(
        lease.update().where(lease.c.state == "open", lease.c.asked != _WHOLE).values(state="expired")
    )
    _open_leases("annotator_id", "example_id")
    _queue()
    _answers()
    op.drop_column("annotator", "num_single")
    for table in ("lease", "event"):
        op.drop_column(table, "asked")


def _asked(autoincrement: bool | Literal["auto"] = "auto") -> sa.Column[int]:
    return sa.Column(
        "asked", sa.Integer(), server_default=str(_WHOLE), nullable=False, autoincrement=autoincrement
    )


def _open_leases(*columns: str) -> None:
    op.drop_index("one_open_lease", table_name="lease")
    op.create_index(
        "one_open_lease",
        "lease",
        [*columns],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _answers(*more: sa.Column[int]) -> None:
    """Make the table of answers again, with more in its key or less."""
    _make_again(
        "answer",
        sa.Column("example_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("annotator_id", sa.Integer(), autoincrement=False, nullable=False),
        *more,
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("class_code", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"]),
        sa.PrimaryKeyConstraint("example_id", "annotator_id", *(column.name for column in more)),
        kept="example_id, annotator_id, event_id, kind, class_code",
    )
    op.create_index("answer_by_event", "answer", ["event_id"], unique=False)
    op.create_index("answer_of_annotator", "answer", ["annotator_id", "event_id"], unique=False)


def _queue(*more: sa.Column[int]) -> None:
    """Make the table of the queue again, with more in its key or less."""
    _make_again(
        "queue",
        sa.Column("round_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("example_id", sa.Integer(), autoincrement=False, nullable=False),
        *more,
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"]),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"]),
        sa.PrimaryKeyConstraint("round_id", "example_id", *(column.name for column in more)),
        kept="round_id, example_id, position, remaining",
    )
    op.create_index(
        "queue_order",
        "queue",
        ["round_id", "position"],
        unique=False,
        sqlite_where=sa.text("remaining > 0"),
        postgresql_where=sa.text("remaining > 0"),
    )


def _make_again(table: str, *parts: sa.schema.SchemaItem, kept: str) -> None:
    # SQLite cannot change the key of a table. Made under its own name, it has the names a new one has.
    op.execute(f"CREATE TABLE {table}_before AS SELECT {kept} FROM {table}")
    op.drop_table(table)
    op.create_table(table, *parts)
    op.execute(f"INSERT INTO {table} ({kept}) SELECT {kept} FROM {table}_before")
    op.drop_table(f"{table}_before")


def _forget_classes(connection: sa.Connection) -> None:
    """Undo what was said of one class: before, it would have been an answer about all."""
    given = (
        sa.select(answer, event.c.source)
        .join(event, event.c.id == answer.c.event_id)
        .where(answer.c.asked != _WHOLE)
        .order_by(answer.c.event_id)
    )
    for row in connection.execute(given).all():
        said = {name: getattr(row, name) for name in ("annotator_id", "example_id", "asked")}
        undone = event.insert().values(
            **said, kind="undo", undoes=row.event_id, time=time.time(), source=row.source
        )
        connection.execute(undone)
        connection.execute(answer.delete().where(answer.c.event_id == row.event_id))
        if row.kind == "label":
            _count_less(connection, example, row.example_id)
            if row.source in ("page", "api", "connector"):
                _count_less(connection, annotator, row.annotator_id)


def _count_less(connection: sa.Connection, of: sa.TableClause, identity: int) -> None:
    less = of.c.num_labels - sa.literal(1)
    connection.execute(of.update().where(of.c.id == identity).values(num_labels=less))


def _ask_whole(connection: sa.Connection) -> None:
    """Let rounds that ask about classes ask about their examples, each once."""
    of_classes = round_array.c.name == "asked"
    for number in connection.execute(sa.select(round_array.c.round_id).where(of_classes)).scalars().all():
        of_order = (round_array.c.round_id == number) & (round_array.c.name == "order")
        data = connection.execute(sa.select(round_array.c.data).where(of_order)).scalar_one()
        order = np.load(io.BytesIO(data), allow_pickle=False)
        buffer = io.BytesIO()
        np.save(buffer, order[np.sort(np.unique(order, return_index=True)[1])], allow_pickle=False)
        connection.execute(round_array.update().where(of_order).values(data=buffer.getvalue()))
        connection.execute(queue.delete().where(queue.c.round_id == number))
        connection.execute(round_.update().where(round_.c.id == number).values(filled=0))
    connection.execute(round_array.delete().where(of_classes))
