"""The tables of a project.

Events are appended and never changed; answers, decisions, counts and queues are derived from them, for speed.
Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
    text,
)

metadata = MetaData()

WHOLE = -1
"""In columns ``asked``, in place of the code of one class: the whole example is asked about."""


def _asked(**options: Any) -> Column[int]:
    """What is asked of an example: a class code, or `WHOLE`."""
    return Column("asked", Integer, nullable=False, server_default=text(str(WHOLE)), **options)


def _marks() -> list[Column[bool]]:
    """How an answer was given: to many examples at once, and flagged for whoever leads."""
    return [
        Column(name, Boolean, nullable=False, server_default=text("false")) for name in ("bulk", "flagged")
    ]


# SQLite counts rows by itself only in columns of exactly this type.
_Counted = BigInteger().with_variant(Integer, "sqlite")

setting = Table(
    "setting",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)

example = Table(
    "example",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 0, 1, 2, …: the row of the pool
    Column("name", String, nullable=False, unique=True),
    Column("content", Text, nullable=False),  # JSON object
    Column("gold", Integer),  # class code, if known
    Column("num_labels", Integer, nullable=False, server_default="0"),
    Index(
        "example_with_gold",
        "id",
        sqlite_where=text("gold IS NOT NULL"),
        postgresql_where=text("gold IS NOT NULL"),
    ),
)

# Labels of questions with several right classes; their numbers stand where else those of classes do.
label_set = Table(
    "label_set",
    metadata,
    Column("code", Integer, primary_key=True, autoincrement=False),  # 0, 1, 2, …
    Column("classes", String, nullable=False, unique=True),  # JSON: class codes, ascending
)

annotator = Table(
    "annotator",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("role", String, nullable=False),  # annotator, adjudicator, admin
    Column("password", String),  # argon2id; none for people known from imported labels alone
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("created", Float(53), nullable=False),
    Column("session", Integer, nullable=False, server_default="0"),  # raised to end all sessions
    Column("num_labels", Integer, nullable=False, server_default="0"),  # collected here, not imported
    Column("num_single", Integer, nullable=False, server_default="0"),  # of these, about one class each
    Column("admitted", Float(53)),  # when they passed the practice examples, or were let in
    Column("retrain", Float(53)),  # when they were sent to practise again
    Column("removed", Float(53)),  # when all that names them was removed; answers may be here still
)

# Where people are logged in. A cookie holds for its time, unless its row says that it ended or the account is
# at another number.
login = Table(
    "login",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False, index=True),
    Column("digest", String, nullable=False, unique=True),  # of what is random in the cookie
    Column("number", Integer, nullable=False),  # that of the account's sessions
    Column("browser", String, nullable=False),  # in words
    Column("begun", Float(53), nullable=False),
    Column("used", Float(53), nullable=False),  # the last write, to the hour
    Column("ended", Float(53)),
)

token = Table(
    "token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("created", Float(53), nullable=False),
    Column("expires", Float(53)),
    Column("revoked", Float(53)),
)

invite = Table(
    "invite",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("name", String),
    Column("created", Float(53), nullable=False),
    Column("expires", Float(53), nullable=False),
    Column("used", Float(53)),
)

event = Table(
    "event",
    metadata,
    Column("id", _Counted, primary_key=True),
    Column("time", Float(53), nullable=False),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("example_id", ForeignKey("example.id"), nullable=False),
    Column("kind", String, nullable=False),  # label, skip, unsure, undo, decision
    Column("class_code", Integer),
    _asked(),
    Column("reason", Text),  # of a skip; of anything else a note
    Column("seconds", Float(53)),  # between seeing the example and answering
    *_marks(),
    Column("source", String, nullable=False),  # page, api, import, adjudication, connector, removal
    Column("undoes", _Counted),
    Column("request", String, unique=True),  # chosen by the client: sent twice, it counts once
)

answer = Table(
    "answer",
    metadata,
    Column("example_id", ForeignKey("example.id"), primary_key=True, autoincrement=False),
    Column("annotator_id", ForeignKey("annotator.id"), primary_key=True, autoincrement=False),
    _asked(primary_key=True, autoincrement=False),
    Column("event_id", _Counted, nullable=False),
    Column("kind", String, nullable=False),  # label, skip, unsure
    Column("class_code", Integer),
    *_marks(),
    Index("answer_of_annotator", "annotator_id", "event_id"),
    Index("answer_by_event", "event_id"),
)

decision = Table(
    "decision",
    metadata,
    Column("example_id", ForeignKey("example.id"), primary_key=True, autoincrement=False),
    Column("event_id", _Counted, nullable=False),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("class_code", Integer, nullable=False),
)

# Examples about which somebody who leads wants one more label; fulfilled by the next one.
wish = Table(
    "wish",
    metadata,
    Column("example_id", ForeignKey("example.id"), primary_key=True, autoincrement=False),
    Column("event_id", _Counted, nullable=False),  # the labels up to here were known
    Column("annotator_id", ForeignKey("annotator.id")),  # none on the command line
    Column("time", Float(53), nullable=False),
)

# Examples that nobody can decide before the guidelines say more.
unclear = Table(
    "unclear",
    metadata,
    Column("example_id", ForeignKey("example.id"), primary_key=True, autoincrement=False),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("time", Float(53), nullable=False),
    Column("note", Text),
)

round_ = Table(
    "round",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 0, 1, 2, …
    Column("state", String, nullable=False),  # running, ready, failed
    Column("started", Float(53), nullable=False),
    Column("heartbeat", Float(53), nullable=False),
    Column("finished", Float(53)),
    Column("last_event", _Counted, nullable=False),  # the labels up to here are in it
    Column("filled", Integer, nullable=False, server_default="0"),  # how far its order is in the queue
    Column(
        "summary", Text, nullable=False, server_default="{}"
    ),  # JSON: model, temperature, weights, metrics
    # One training at a time, whichever server starts it.
    Index(
        "one_running_round",
        "state",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
)

round_array = Table(
    "round_array",
    metadata,
    Column("round_id", ForeignKey("round.id"), primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True),
    Column("data", LargeBinary, nullable=False),  # .npy without pickled objects
)

feature_block = Table(
    "feature_block",
    metadata,
    Column("start", Integer, primary_key=True, autoincrement=False),  # first example of the block
    Column("data", LargeBinary, nullable=False),  # .npy, float32
)

queue = Table(
    "queue",
    metadata,
    Column("round_id", ForeignKey("round.id"), primary_key=True, autoincrement=False),
    Column("example_id", ForeignKey("example.id"), primary_key=True, autoincrement=False),
    _asked(primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),  # 0 is the most worth labelling
    Column("remaining", Integer, nullable=False),  # labels wanted that nobody holds or has given
    Index(
        "queue_order",
        "round_id",
        "position",
        sqlite_where=text("remaining > 0"),
        postgresql_where=text("remaining > 0"),
    ),
)

lease = Table(
    "lease",
    metadata,
    Column("id", _Counted, primary_key=True),
    Column("round_id", Integer, nullable=False),
    Column("example_id", ForeignKey("example.id"), nullable=False),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    _asked(),
    Column("gold", Boolean, nullable=False),
    Column("bulk", Boolean, nullable=False, server_default=text("false")),  # shown with others like it
    Column("leased", Float(53), nullable=False),
    Column("expires", Float(53), nullable=False),
    Column("state", String, nullable=False),  # open, done, expired
    Index(
        "one_open_lease",
        "annotator_id",
        "example_id",
        "asked",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "open_until",
        "expires",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

# Written into statements as they stand: where a plan is made for any value of a parameter, a partial index
# cannot be used, and what is open or waits would be looked for among all there ever was.
_OPEN: ColumnElement[str] = literal_column("'open'")


def is_open(of: FromClause = lease) -> ColumnElement[bool]:
    """Whether a lease holds its example."""
    return of.c.state == _OPEN


WAITS = queue.c.remaining > literal_column("0")
"""Whether a row of the queue has a free slot."""

# Examples with known answers that newcomers practise on; what they say of them are no labels.
practice = Table(
    "practice",
    metadata,
    Column("annotator_id", ForeignKey("annotator.id"), primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),  # 1, 2, …
    Column("position", Integer, primary_key=True, autoincrement=False),  # 0, 1, …
    Column("example_id", ForeignKey("example.id"), nullable=False),
    Column("class_code", Integer),  # in the classes of then; none before it is answered
    Column("correct", Boolean),
    Column("time", Float(53)),
)

# What those who lead write to people; it is shown on their page until they have read it.
message = Table(
    "message",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("by_id", ForeignKey("annotator.id")),  # none on the command line
    Column("text", Text, nullable=False),
    Column("sent", Float(53), nullable=False),
    Column("read", Float(53)),
    Index("message_of", "annotator_id", "read"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Counted, primary_key=True),
    Column("time", Float(53), nullable=False),
    Column("annotator_id", ForeignKey("annotator.id")),
    Column("action", String, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
)

# What a trusted person checks of the labels; not the log above.
quality_audit = Table(
    "quality_audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", Float(53), nullable=False),
    Column("annotator_id", ForeignKey("annotator.id")),  # who drew it; none on the command line
    Column("seed", Integer, nullable=False),
    Column("round_id", Integer),  # the round that was served, if it was trained
    Column("last_event", _Counted, nullable=False),  # the labels up to here are audited
    Column("drawn", Integer, nullable=False),
    Column("labels", LargeBinary, nullable=False),  # .npy: label, quality and stratum of the whole pool
)

audit_check = Table(
    "audit_check",
    metadata,
    Column("audit_id", ForeignKey("quality_audit.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("example_id", ForeignKey("example.id"), nullable=False),
    Column("event_id", _Counted),  # the decision that was made without seeing what others say
    Index("audit_check_of_example", "example_id"),
)

# Classes renamed, merged, split, retired. Codes in events up to last_event are of the classes before; answers
# and decisions have those of now.
class_change = Table(
    "class_change",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3, …: the version of the classes
    Column("time", Float(53), nullable=False),
    Column("annotator_id", ForeignKey("annotator.id")),  # none on the command line
    Column("action", String, nullable=False),  # rename, merge, split, retire
    Column("why", Text),
    Column("last_event", _Counted, nullable=False),
    Column("round_id", Integer, nullable=False),  # the round that was served, -1 before the first
    Column("detail", Text, nullable=False),  # JSON: classes and sets before and after, what became of which
)

# None of these can be changed or deleted, whoever asks.
APPEND_ONLY = ("event", "audit", "class_change")


def append_only_statements(dialect: str, tables: Sequence[str] = APPEND_ONLY[:2]) -> list[str]:
    """SQL that makes the database itself refuse to change tables; by default those of the first schema."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{change} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for table in tables
            for change in ("update", "delete")
        ]
    return [
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
        *(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            for table in tables
        ),
    ]
