"""Decisions of adjudicators decide; they were stored as one more label."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NO_SLOTS = -1_000_000  # of an example that nobody is to be asked about

event = sa.table(
    "event",
    *(
        sa.column(name)
        for name in (
            "id", "time", "annotator_id", "example_id", "kind", "class_code", "seconds", "source", "undoes",
        )
    ),
)  # fmt: skip
answer = sa.table(
    "answer", *(sa.column(n) for n in ("example_id", "annotator_id", "event_id", "kind", "class_code"))
)
example = sa.table("example", sa.column("id"), sa.column("num_labels"))
annotator = sa.table("annotator", sa.column("id"), sa.column("num_labels"))
queue = sa.table("queue", sa.column("example_id"), sa.column("remaining"))
decision = sa.table(
    "decision", *(sa.column(name) for name in ("example_id", "event_id", "annotator_id", "class_code"))
)


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("example_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("class_code", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["example.id"]),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotator.id"]),
        sa.PrimaryKeyConstraint("example_id"),
    )
    connection = op.get_bind()
    given = connection.execute(
        sa.select(answer.c.example_id, answer.c.annotator_id, answer.c.class_code, event)
        .join(event, event.c.id == answer.c.event_id)
        .where(event.c.source == "adjudication", answer.c.kind == "label")
        .order_by(event.c.id)
    ).all()
    for row in given:
        _undo(connection, row.annotator_id, row.example_id, row.id)
        connection.execute(
            answer.delete().where(
                answer.c.example_id == row.example_id, answer.c.annotator_id == row.annotator_id
            )
        )
        _count(connection, example, row.example_id, -1)
    for row in {row.example_id: row for row in given}.values():  # the last of several
        said = {name: getattr(row, name) for name in ("annotator_id", "example_id", "class_code")}
        identity = _append(connection, **said, kind="decision", time=row.time, seconds=row.seconds)
        connection.execute(decision.insert().values(**said, event_id=identity))
        connection.execute(
            queue.update().where(queue.c.example_id == row.example_id).values(remaining=_NO_SLOTS)
        )


def downgrade() -> None:
    connection = op.get_bind()
    standing = sa.select(*decision.c, event.c.time, event.c.seconds)
    standing = standing.join(event, event.c.id == decision.c.event_id).order_by(event.c.id)
    for row in connection.execute(standing).all():
        _undo(connection, row.annotator_id, row.example_id, row.event_id)
        own = (answer.c.example_id == row.example_id) & (answer.c.annotator_id == row.annotator_id)
        given = sa.select(answer.c.event_id, answer.c.kind, event.c.source)
        given = given.join(event, event.c.id == answer.c.event_id).where(own)
        before = connection.execute(given).one_or_none()
        if before is not None:  # a decision took the place of what its adjudicator had answered before
            _undo(connection, row.annotator_id, row.example_id, before.event_id)
            connection.execute(answer.delete().where(own))
            if before.kind == "label":
                _count(connection, example, row.example_id, -1)
                if before.source in ("page", "api", "connector"):
                    _count(connection, annotator, row.annotator_id, -1)
        said = {name: getattr(row, name) for name in ("annotator_id", "example_id", "class_code")}
        identity = _append(connection, **said, kind="label", time=row.time, seconds=row.seconds)
        connection.execute(answer.insert().values(**said, kind="label", event_id=identity))
        _count(connection, example, row.example_id, 1)
    op.drop_table("decision")


def _append(connection: sa.Connection, **values: object) -> int:
    stored = event.insert().values(source="adjudication", **values).returning(event.c.id)
    return int(connection.execute(stored).scalar_one())


def _undo(connection: sa.Connection, annotator_id: int, example_id: int, undoes: int) -> None:
    _append(
        connection,
        annotator_id=annotator_id,
        example_id=example_id,
        kind="undo",
        undoes=undoes,
        time=time.time(),
    )


def _count(connection: sa.Connection, of: sa.TableClause, identity: int, change: int) -> None:
    more = of.c.num_labels + sa.literal(change)
    connection.execute(of.update().where(of.c.id == identity).values(num_labels=more))
