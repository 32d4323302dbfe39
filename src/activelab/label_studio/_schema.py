"""The tables about a Label Studio project; they and their history are in the database of the project."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, text

from activelab.project.store.schema import metadata

# Tasks of a Label Studio project, and what was last seen of them and last pushed to them.
label_studio_task = Table(
    "label_studio_task",
    metadata,
    Column("task_id", Integer, primary_key=True, autoincrement=False),
    Column("example_id", ForeignKey("example.id"), nullable=False, unique=True),
    Column("created", String, nullable=False),  # a number may be used again for another task
    Column("updated", String, nullable=False),  # as the server says it; "" if its answers are not read yet
    Column("overlap", Integer, nullable=False),
    Column("is_labeled", Boolean, nullable=False),
    Column("num_annotations", Integer, nullable=False, server_default="0"),
    Column("pushed_round", Integer),  # the round whose score it has there
    Column("gone", Boolean, nullable=False, server_default=text("false")),
)

label_studio_user = Table(
    "label_studio_user",
    metadata,
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False, unique=True),
)

label_studio_answer = Table(
    "label_studio_answer",
    metadata,
    Column("task_id", ForeignKey("label_studio_task.task_id"), primary_key=True, autoincrement=False),
    Column("user_id", ForeignKey("label_studio_user.user_id"), primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),  # label, skip
    Column("class_code", Integer),
)
