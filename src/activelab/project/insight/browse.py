"""The examples of a pool that fit a search: words, labels, people, disagreement, and in which order."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, Select, func, or_, select

from activelab._errors import InputError
from activelab._typing import Bools, Ints
from activelab.project._project import Project
from activelab.project.content import PARTS
from activelab.project.insight.examples import estimates_of
from activelab.project.insight.final import FinalLabels, final_labels
from activelab.project.insight.results import (
    AnswerCount,
    BrowseRow,
    Facets,
    FoundExamples,
    MapPoints,
    ReasonCount,
)
from activelab.project.insight.values import Scored, scored
from activelab.project.labelling import rounds
from activelab.project.labelling.naming import Naming
from activelab.project.store.schema import annotator, answer, event, example, unclear

Only = Literal[
    "disagreement",
    "model",
    "skipped",
    "unsure",
    "unclear",
    "labelled",
    "unlabelled",
    "flagged",
    "noted",
    "bulk",
]
Sort = Literal["pool", "quality", "worth", "labels", "latest"]

ONLY: dict[str, str] = {
    "labelled": "with labels",
    "unlabelled": "without labels",
    "disagreement": "annotators disagree",
    "model": "the model says something else",
    "skipped": "skipped by somebody",
    "unsure": "somebody cannot tell",
    "unclear": "the guidelines do not decide",
    "flagged": "flagged by an annotator",
    "noted": "with a note of an annotator",
    "bulk": "seen in bulk",
}
"""What examples can be confined to, in words."""

SORTS: dict[str, str] = {
    "pool": "as imported",
    "quality": "least sure first",
    "worth": "asked next first",
    "labels": "most labels first",
    "latest": "answered last first",
}

_BLOCK = 20_000
_REASONS = 30


@dataclass(frozen=True)
class Search:
    """What is looked for; what is left out does not matter.

    Attributes
    ----------
    words : str
        All of them must stand in the id or the content, in any order and case; quotation marks keep words
        together, and ``name=value`` asks for a field of that value.
    label : str, optional
        Class of the label that counts; of sets of classes one of them.
    source : {"adjudicated", "gold", "consensus", "single"}, optional
        Where that label comes from.
    annotator : str, optional
        Somebody who answered.
    said : str, optional
        A class that ``annotator``, or anybody, gave.
    at_least, at_most : float, optional
        Bounds on the quality of the label; examples without a label have none.
    only : {"labelled", "unlabelled", "disagreement", …}, optional
        See `ONLY`.
    reason : str, optional
        Of a skip.
    round : int, optional
        Examples that were answered while this round was served.
    sort : {"pool", "quality", "worth", "labels", "latest"}
        See `SORTS`.
    """

    words: str = ""
    label: str | None = None
    source: str | None = None
    annotator: str | None = None
    said: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    only: Only | None = None
    reason: str | None = None
    round: int | None = None
    sort: Sort = "pool"


def search(project: Project, wanted: Search) -> Ints:
    """Numbers of the examples that fit, in the order asked for.

    Raises
    ------
    InputError
        If a class, an annotator or a round is unknown.
    """
    final = final_labels(project)
    return project.database.read(lambda c: _search(c, final, wanted))


def browse(project: Project, wanted: Search, *, offset: int = 0, limit: int = 50) -> FoundExamples:
    """Some of the examples that fit, with what is known of them.

    Raises
    ------
    InputError
        As `search`.
    """
    final = final_labels(project)

    def load(connection: Connection) -> FoundExamples:
        found = _search(connection, final, wanted)
        shown = found[offset : offset + limit].tolist()
        return FoundExamples(total=len(found), rows=_rows(connection, final, shown))

    return project.database.read(load)


def facets(project: Project) -> Facets:
    """What can be searched for: people who answered, reasons of skips, rounds and fields."""

    def load(connection: Connection) -> Facets:
        people = select(annotator.c.name).where(annotator.c.id.in_(select(answer.c.annotator_id).distinct()))
        first = connection.execute(select(example.c.content).order_by(example.c.id).limit(1)).scalar()
        return Facets(
            annotators=sorted(connection.execute(people).scalars()),
            reasons=skip_reasons(connection),
            rounds=[one.id for one in rounds.list_rounds(connection) if one.state == "ready"],
            fields=[name for name in json.loads(first or "{}") if name not in PARTS],
        )

    return project.database.read(load)


def skip_reasons(connection: Connection) -> list[ReasonCount]:
    """Why examples were skipped, the most frequent reasons first."""
    reasons = (
        select(event.c.reason, func.count())
        .join(answer, answer.c.event_id == event.c.id)
        .where(answer.c.kind == "skip", event.c.reason.is_not(None), event.c.reason != "")
        .group_by(event.c.reason)
        .order_by(func.count().desc(), event.c.reason)
        .limit(_REASONS)
    )
    return [ReasonCount(reason=why, number=count) for why, count in connection.execute(reasons)]


def map_points(project: Project) -> MapPoints | None:
    """The map of the pool as it was drawn last; None if there is none."""
    from activelab.project.training.embedding_map import load_map

    points = load_map(project)
    if points is None:
        return None
    final = final_labels(project)
    size = min(len(points), len(final.label))
    whole = np.rint(1000 * points[:size]).astype(int)
    several = final.naming.sets is not None
    quality = np.where(np.isnan(final.quality[:size]), -0.01, final.quality[:size])
    return MapPoints(
        x=whole[:, 0].tolist(),
        y=whole[:, 1].tolist(),
        label=[-1] * size if several else final.label[:size].tolist(),
        quality=np.rint(100 * quality).astype(int).tolist(),
    )


# ------------------------------------------------------------------ what fits


def _search(connection: Connection, final: FinalLabels, wanted: Search) -> Ints:
    size = len(final.label)
    fits = np.ones(size, dtype=bool)
    current = scored(connection)
    if wanted.label is not None:
        fits &= _of_class(final.naming, wanted.label)[final.label] & (final.label >= 0)
    if wanted.source is not None:
        fits &= final.source == wanted.source
    with np.errstate(invalid="ignore"):
        if wanted.at_least is not None:
            fits &= final.quality >= wanted.at_least
        if wanted.at_most is not None:
            fits &= final.quality <= wanted.at_most
    for query in _answered(connection, final.naming, wanted):
        fits &= _mask(connection, query, size)
    if wanted.only == "model":
        fits &= _contradicted(final, current)
    elif wanted.only in ("labelled", "unlabelled"):
        some = _mask(connection, select(example.c.id).where(example.c.num_labels > 0), size)
        fits &= some if wanted.only == "labelled" else ~some
    if wanted.words.strip():
        fits &= _with_words(connection, wanted.words, np.flatnonzero(fits), size)
    return _sorted(connection, np.flatnonzero(fits), wanted.sort, final, current)


def _of_class(naming: Naming, label: str) -> Bools:
    """Which codes of labels are, or hold, a class."""
    if label not in naming.classes:
        raise InputError(f"{label!r} is none of the classes {', '.join(naming.classes)}.")
    code = naming.classes.index(label)
    of: Bools = np.arange(len(naming)) == code if naming.sets is None else naming.members[:, code]
    return of if len(of) else np.zeros(1, dtype=bool)


def _answered(connection: Connection, naming: Naming, wanted: Search) -> list[Select[Any]]:
    """Queries for the examples whose answers fit."""
    queries: list[Select[Any]] = []
    given = select(answer.c.example_id)
    if wanted.annotator is not None or wanted.said is not None:
        query = given
        if wanted.annotator is not None:
            who = connection.execute(
                select(annotator.c.id).where(annotator.c.name == wanted.annotator)
            ).scalar()
            if who is None:
                raise InputError(f"there is no annotator {wanted.annotator!r}.")
            query = query.where(answer.c.annotator_id == who)
        if wanted.said is not None:
            codes = np.flatnonzero(_of_class(naming, wanted.said)).tolist()
            query = query.where(answer.c.kind == "label", answer.c.class_code.in_(codes))
        queries.append(query)
    if wanted.only == "disagreement":
        several = func.count(answer.c.class_code.distinct()) > 1
        of_label = given.where(answer.c.kind == "label")
        queries.append(of_label.group_by(answer.c.example_id, answer.c.asked).having(several))
    elif wanted.only in ("skipped", "unsure"):
        queries.append(given.where(answer.c.kind == {"skipped": "skip", "unsure": "unsure"}[wanted.only]))
    elif wanted.only == "unclear":
        queries.append(select(unclear.c.example_id))
    elif wanted.only in ("flagged", "bulk"):
        queries.append(given.where(answer.c[wanted.only]))
    elif wanted.only == "noted":
        written = given.join(event, event.c.id == answer.c.event_id).where(event.c.reason.is_not(None))
        queries.append(written.where(answer.c.kind != "skip", event.c.reason != ""))
    if wanted.reason is not None:
        skipped = given.join(event, event.c.id == answer.c.event_id)
        queries.append(skipped.where(answer.c.kind == "skip", event.c.reason == wanted.reason))
    if wanted.round is not None:
        served = [one for one in rounds.list_rounds(connection) if one.state == "ready"]
        number = {one.id: place for place, one in enumerate(served)}.get(wanted.round)
        if number is None:
            raise InputError(f"there is no round {wanted.round}.")
        later = [one.last_event for one in served[number + 1 : number + 2]]
        query = given.where(answer.c.event_id > served[number].last_event)
        queries += [query.where(answer.c.event_id <= later[0]) if later else query]
    return queries


def _mask(connection: Connection, query: Select[Any], size: int) -> Bools:
    mask = np.zeros(size, dtype=bool)
    codes = np.fromiter(connection.execute(query.distinct()).scalars(), dtype=np.int64)
    mask[codes[codes < size]] = True
    return mask


def _contradicted(final: FinalLabels, current: Scored | None) -> Bools:
    """Where the model predicts another label than the one that counts."""
    predicted = np.full(len(final.label), -1)
    if current is not None:
        predicted[: len(current.predicted)] = current.predicted[: len(predicted)]
    other: Bools = (predicted >= 0) & (final.label >= 0) & (predicted != final.label)
    return other


def _with_words(connection: Connection, words: str, codes: Ints, size: int) -> Bools:
    """Which of some examples have all words; contents are read in blocks."""
    try:
        parts = shlex.split(words)
    except ValueError:  # a quotation mark without its other half
        parts = words.split()
    sought = [part.lower() for part in parts]
    mask = np.zeros(size, dtype=bool)
    query = select(example.c.id, example.c.name, example.c.content).where(example.c.id < size)
    # The database compares letters of ASCII alone without their case.
    plain = [part for part in parts if part.isascii() and "=" not in part]
    for part in plain:
        inside = json.dumps(part)[1:-1]
        query = query.where(
            or_(
                example.c.name.icontains(part, autoescape=True),
                example.c.content.icontains(inside, autoescape=True),
            )
        )
    candidates = np.zeros(size, dtype=bool)
    candidates[codes] = True
    for start in range(0, size, _BLOCK):
        block = query.where(example.c.id >= start, example.c.id < start + _BLOCK)
        for code, name, content in connection.execute(block):
            if candidates[code]:
                mask[code] = _holds(sought, name, json.loads(content))
    return mask


def _holds(sought: Sequence[str], name: str, content: Mapping[str, Any]) -> bool:
    text = "\n".join([name, *map(str, content.values())]).lower()
    fields = {key.lower(): str(value).lower() for key, value in content.items()}
    for word in sought:
        field, equals, value = word.partition("=")
        if equals and field in fields:
            if fields[field] != value:
                return False
        elif word not in text:
            return False
    return True


def _sorted(
    connection: Connection, found: Ints, sort: Sort, final: FinalLabels, current: Scored | None
) -> Ints:
    """The examples in the order asked for; those of which nothing is known come last, as imported."""
    if sort == "pool":
        return found
    size = len(final.label)
    key = np.full(size, np.inf)
    if sort == "quality":
        key = np.where(np.isnan(final.quality), np.inf, final.quality)
    elif sort == "worth":
        order = rounds.load_array(connection, rounds.current_round(connection), "order")
        if order is not None:
            key[order[order < size]] = np.flatnonzero(order < size)
    elif sort == "labels":
        for code, count in connection.execute(
            select(example.c.id, example.c.num_labels).where(example.c.num_labels > 0, example.c.id < size)
        ):
            key[code] = -count
    else:
        last = select(answer.c.example_id, func.max(answer.c.event_id)).group_by(answer.c.example_id)
        for code, number in connection.execute(last.where(answer.c.example_id < size)):
            key[code] = -number
    return found[np.argsort(key[found], kind="stable")]


# ------------------------------------------------------------------ what is shown


def _rows(connection: Connection, final: FinalLabels, codes: list[int]) -> list[BrowseRow]:
    current, naming = scored(connection), final.naming
    there = {
        row.id: row
        for row in connection.execute(
            select(example.c.id, example.c.name, example.c.content, example.c.num_labels).where(
                example.c.id.in_(codes)
            )
        )
    }
    said: dict[int, Counter[tuple[str, int | None, int]]] = {code: Counter() for code in codes}
    columns = answer.c.example_id, answer.c.kind, answer.c.class_code, answer.c.asked
    grouped = select(*columns, func.count()).where(answer.c.example_id.in_(codes)).group_by(*columns)
    for code, kind, label, asked, number in connection.execute(grouped):
        said[code][kind, label, asked] = number
    return [
        BrowseRow(
            id=code,
            example=there[code].name,
            content=json.loads(there[code].content),
            num_labels=there[code].num_labels,
            answers=[
                AnswerCount(
                    kind=kind,  # type: ignore[arg-type]
                    label=naming.name(label),
                    asked=naming.class_name(asked),
                    number=number,
                )
                for (kind, label, asked), number in said[code].most_common()
            ],
            **dict(estimates_of(final, current, code)),
        )
        for code in codes
    ]
