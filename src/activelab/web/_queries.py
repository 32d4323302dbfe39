"""What the pages read beside `Project`'s own methods."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any

from sqlalchemy import Connection, func, or_, select

from activelab.project import Lease
from activelab.project.labelling.naming import load_naming
from activelab.project.labelling.queue import COLLECTED, labels_spent
from activelab.project.settings import Settings, load_settings, load_value
from activelab.project.store.schema import WHOLE, annotator, answer, event, example, lease, practice
from activelab.web._bodies import FoundOut, Item, OwnAnswer, UsualOut
from activelab.web._content import content_of
from activelab.web._failures import Failure

_PACE_OF, _LEAST_PACE = 50, 5
_PAUSE = 5.0  # times the median


def items_of(leases: Iterable[Lease], settings: Settings, shown: Settings | None = None) -> list[Item]:
    """Leases with the contents of their examples; neither their names nor whether the answer is known.

    ``shown`` are the settings of the project that shows them, if it is another.
    """
    return [
        Item(
            lease=one.id,
            example=one.example_id,
            expires=one.expires,
            content=content_of(one.example_id, one.content, shown or settings),
            asked=None if one.asked == WHOLE else settings.classes[one.asked],
            price=settings.price_of_answer(one.asked),
        )
        for one in leases
    ]


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
    """Whether an example was ever served to somebody, or was answered or practised on by them."""
    served = select(lease.c.id).where(lease.c.annotator_id == annotator_id, lease.c.example_id == example_id)
    answered = select(answer.c.event_id).where(
        answer.c.example_id == example_id, answer.c.annotator_id == annotator_id
    )
    practised = select(practice.c.example_id).where(
        practice.c.example_id == example_id, practice.c.annotator_id == annotator_id
    )
    return any(connection.execute(one.limit(1)).first() for one in (answered, served, practised))


def version_of(settings: Settings) -> str:
    """Another text whenever what annotators have to know of the project is another."""
    known = (
        settings.question, settings.classes, settings.class_notes, settings.scale_ends, settings.guidelines
    )  # fmt: skip
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
                    content=content_of(row.example_id, content, settings),
                    kind=row.kind,
                    label=label,
                    asked=None if row.asked == WHOLE else settings.classes[row.asked],
                    reason=row.reason,
                    flagged=row.flagged,
                    time=row.time,
                )
            )
        if len(found) == limit:
            break
    return found


def usual_classes(connection: Connection, annotator_id: int, limit: int = 12, last: int = 5000) -> UsualOut:
    """The classes somebody gave last, and those that all gave most among the last labels.

    Nothing here depends on an example, nor on what a model says of it: it would lean people towards that.
    """
    naming = load_naming(connection)
    given = select(answer.c.class_code).where(answer.c.kind == "label").order_by(answer.c.event_id.desc())

    def named(codes: Iterable[int]) -> Iterator[str]:
        for label in map(naming.name, codes):
            yield from [label] if isinstance(label, str) else label or []

    own = connection.execute(given.where(answer.c.annotator_id == annotator_id).limit(200)).scalars()
    counts = Counter(named(connection.execute(given.limit(last)).scalars()))
    return UsualOut(
        recent=[*dict.fromkeys(named(own))][:limit], frequent=[name for name, _ in counts.most_common(limit)]
    )


def progress_of(connection: Connection, settings: Settings, annotator_id: int) -> tuple[int, float]:
    """Answers of one person that the budget counts, and what it has paid for those of all."""
    yours = connection.execute(select(annotator.c.num_labels).where(annotator.c.id == annotator_id)).scalar()
    return int(yours or 0), labels_spent(connection, settings)


def answers_since(connection: Connection, annotator_id: int, since: float) -> int:
    """How many answers of somebody that stand were given here since a moment."""
    given = select(func.count()).select_from(answer).join(event, event.c.id == answer.c.event_id)
    of = (answer.c.annotator_id == annotator_id) & (event.c.time >= since) & event.c.source.in_(COLLECTED)
    return int(connection.execute(given.where(of)).scalar_one())


def pace_of(connection: Connection, annotator_id: int) -> float | None:
    """Answers an hour by the times of the last 50; None of too few. Far longer times were pauses."""
    last = (
        select(event.c.seconds)
        .join(answer, answer.c.event_id == event.c.id)
        .where(answer.c.annotator_id == annotator_id, event.c.seconds > 0)
        .order_by(answer.c.event_id.desc())
        .limit(_PACE_OF)
    )
    times = [*connection.execute(last).scalars()]
    if len(times) < _LEAST_PACE:
        return None
    working = [one for one in times if one <= _PAUSE * median(times)]
    return round(3600 * len(working) / float(sum(working)), 1)


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
