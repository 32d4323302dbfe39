"""What the pages read beside `Project`'s own methods."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, or_, select

from activelab.project import Lease
from activelab.project.labelling.naming import load_naming
from activelab.project.labelling.queue import labels_spent
from activelab.project.settings import Settings, load_settings, load_value
from activelab.project.store.schema import WHOLE, annotator, answer, event, example, lease
from activelab.web._bodies import Content, FoundOut, Item, NamedValue, OwnAnswer
from activelab.web._failures import Failure


def items_of(leases: Iterable[Lease], settings: Settings) -> list[Item]:
    """Leases with the contents of their examples; neither their names nor whether the answer is known."""
    return [
        Item(
            lease=one.id,
            example=one.example_id,
            expires=one.expires,
            content=content_of(one.example_id, one.content),
            asked=None if one.asked == WHOLE else settings.classes[one.asked],
            price=settings.price_of_answer(one.asked),
        )
        for one in leases
    ]


def content_of(example_id: int, content: dict[str, Any]) -> Content:
    """What is shown of an example: text and image where there are any, the rest as a table."""
    text, image = content.get("text"), content.get("image")
    fields = [
        NamedValue(name=str(name), value=_shown(value))
        for name, value in content.items()
        if not (name == "text" and text is not None) and not (name == "image" and image is not None)
    ]
    return Content(
        text=None if text is None else str(text),
        image=None if image is None else f"/api/v1/media/{example_id}",
        fields=fields,
    )


def _shown(value: Any) -> str | float | bool | None:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        # Beyond this a browser would round.
        return value if math.isfinite(value) and abs(value) < 2**53 else str(value)
    return json.dumps(value, ensure_ascii=False)


def example_row(connection: Connection, example_id: int) -> Any:
    """A row of the pool.

    Raises
    ------
    Failure
        If there is none (404).
    """
    row = connection.execute(select(example).where(example.c.id == example_id)).one_or_none()
    if row is None or example_id >= int(load_value(connection, "num_examples", 0)):
        raise Failure(404, f"there is no example {example_id}.")
    return row


def names_of(connection: Connection, examples: Iterable[int]) -> list[str]:
    """The ids of examples by their numbers; numbers that there are not have none."""
    size = int(load_value(connection, "num_examples", 0))
    wanted = [code for code in dict.fromkeys(examples) if code < size]
    return [*connection.execute(select(example.c.name).where(example.c.id.in_(wanted))).scalars()]


def labelled_by(connection: Connection, annotator_id: int) -> list[int]:
    """The examples somebody has labelled, as they did."""
    query = select(answer.c.example_id).where(answer.c.annotator_id == annotator_id, answer.c.kind == "label")
    return [*connection.execute(query.order_by(answer.c.event_id)).scalars()]


def was_served(connection: Connection, annotator_id: int, example_id: int) -> bool:
    """Whether an example was ever served to somebody, or was answered by them."""
    served = select(lease.c.id).where(lease.c.annotator_id == annotator_id, lease.c.example_id == example_id)
    answered = select(answer.c.event_id).where(
        answer.c.example_id == example_id, answer.c.annotator_id == annotator_id
    )
    return any(connection.execute(one.limit(1)).first() for one in (answered, served))


def version_of(settings: Settings) -> str:
    """Another text whenever what annotators have to know of the project is another."""
    known = settings.question, settings.classes, settings.scale_ends, settings.guidelines
    return hashlib.blake2b(json.dumps(known).encode(), digest_size=8).hexdigest()


def own_answers(connection: Connection, annotator_id: int, words: str, limit: int) -> list[OwnAnswer]:
    """What somebody has answered, the latest first; with words those whose content has them all."""
    settings, naming = load_settings(connection), load_naming(connection)
    query = (
        select(answer, event.c.time, event.c.reason, example.c.content)
        .join(event, event.c.id == answer.c.event_id)
        .join(example, example.c.id == answer.c.example_id)
        .where(answer.c.annotator_id == annotator_id)
        .order_by(answer.c.event_id.desc())
    )
    sought, found = words.lower().split(), list[OwnAnswer]()
    for row in connection.execute(query if sought else query.limit(limit)):
        content, label = json.loads(row.content), naming.name(row.class_code)
        said = [*map(str, content.values()), *([label] if isinstance(label, str) else label or [])]
        if all(word in "\n".join(said).lower() for word in sought):
            found.append(
                OwnAnswer(
                    example=row.example_id,
                    content=content_of(row.example_id, content),
                    kind=row.kind,
                    label=label,
                    asked=None if row.asked == WHOLE else settings.classes[row.asked],
                    reason=row.reason,
                    time=row.time,
                )
            )
        if len(found) == limit:
            break
    return found


def progress_of(connection: Connection, settings: Settings, annotator_id: int) -> tuple[int, float]:
    """Answers of one person that the budget counts, and what it has paid for those of all."""
    yours = connection.execute(select(annotator.c.num_labels).where(annotator.c.id == annotator_id)).scalar()
    return int(yours or 0), labels_spent(connection, settings)


def find_examples(connection: Connection, words: str, limit: int) -> list[FoundOut]:
    """Examples whose id is, or begins with, some text."""
    size = int(load_value(connection, "num_examples", 0))
    wanted = or_(example.c.name == words, example.c.name.startswith(words, autoescape=True))
    rows = connection.execute(
        select(example.c.id, example.c.name, example.c.num_labels)
        .where(wanted, example.c.id < size)
        .order_by(example.c.name)
        .limit(limit)
    )
    return [FoundOut(**row._asdict()) for row in rows]
