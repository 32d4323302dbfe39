"""Grids of similar examples that a model agrees on, answered with one key and stored as single answers.

All functions work inside a transaction of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection, select, update

from activelab._errors import InputError
from activelab._typing import Bools, Floats, Ints
from activelab.project.labelling import queue as queueing
from activelab.project.labelling.decisions import load_truths
from activelab.project.labelling.queue import Answer, ConflictError, Lease, Recorded
from activelab.project.labelling.rounds import current_round, hold_round, load_array
from activelab.project.labelling.shares import left_of_share
from activelab.project.settings import Settings, load_value
from activelab.project.store.schema import WHOLE, answer, example, lease, queue

SURE = 0.9
"""Probability of its class, by the calibrated models, from which an example is offered."""

SIZE = 12
"""Examples of a grid."""

_NEAR = 60  # examples of which a grid is made, those that others have left out
_TRIES = 8
_LEAST = 2


@dataclass(frozen=True, eq=False)
class Offered:
    """What the models of a round are sure of.

    Attributes
    ----------
    round : int
    label : ndarray of int32, shape (n_examples,)
        The class that is offered, -1 where the models are not sure.
    place : ndarray of float32, shape (n_mapped, 2), or None
        The map of the first examples, if one is drawn.
    left : ndarray of bool, shape (n_examples,)
        Examples that may still be without a label; those found labelled are taken out.
    """

    round: int
    label: Ints
    place: Floats | None
    left: Bools


@dataclass(frozen=True)
class Grid:
    """Examples kept for one person, to be answered together.

    Attributes
    ----------
    label : int
        Code of the class that is offered.
    leases : list of Lease
    """

    label: int
    leases: list[Lease]


def load_offered(connection: Connection) -> Offered | None:
    """What the round that is served is sure of; None if it knows no models."""
    number = current_round(connection)
    sure = load_array(connection, number, "sure") if number >= 0 else None
    predicted = load_array(connection, number, "predicted") if sure is not None else None
    if sure is None or predicted is None:
        return None
    drawn = load_value(connection, "map")
    place = None if drawn is None else load_array(connection, drawn["round"], "map")
    label = np.where(sure >= SURE, predicted, -1)
    return Offered(number, label, place, label >= 0)


def lease_grid(
    connection: Connection, settings: Settings, annotator_id: int, offered: Offered, now: float
) -> Grid | None:
    """A grid for somebody: the one they hold, or a new one; None if there is nothing to answer in bulk.

    Its examples have no label, and nobody holds them; budget and shares are as for single ones. Where known
    answers are mixed among the examples, they are in a grid, too, if the model says its class of them.

    Raises
    ------
    InputError
        If the annotator is unknown or disabled.
    """
    hold_round(connection)
    who = queueing.working(connection, settings, annotator_id)
    latest = now + settings.lease_seconds + queueing.CLOCK_SECONDS
    queueing.reclaim(connection, now, latest)
    held = queueing.grid_of(connection, annotator_id)
    if held:
        label = {int(offered.label[one.example_id]) for one in held if one.example_id < len(offered.label)}
        if len(label) == 1 and min(label) >= 0:
            return Grid(label.pop(), held)
        _let_go(connection, annotator_id)  # a round came in between
    most = SIZE
    if settings.budget is not None:
        most = min(most, int(queueing.labels_left(connection, settings)))
    share = left_of_share(connection, settings, annotator_id, who.round)
    most = most if share is None else min(most, share)
    found = _similar(connection, annotator_id, who.num_labels, offered, most, settings)
    if found is None:
        return None
    label_code, codes, known = found
    for code in codes:
        if not known.get(code):
            queueing.take(connection, who.round, (code, WHOLE))
    leases = [
        queueing.keep(
            connection,
            settings,
            annotator_id,
            -1 if known.get(code) else who.round,
            (code, WHOLE),
            bool(known.get(code)),
            now,
        )
        for code in codes
    ]
    connection.execute(update(lease).where(lease.c.id.in_([one.id for one in leases])).values(bulk=True))
    return Grid(label_code, leases)


def record_grid(
    connection: Connection,
    settings: Settings,
    annotator_id: int,
    leases: Sequence[int],
    reply: Answer,
    others: Mapping[int, int],
    now: float,
) -> list[Recorded]:
    """Store the same label of some examples of a grid, each as an answer seen in bulk: all, or none.

    With ``others``, class codes by lease, examples of another class are stored, too, as answers that were not
    seen in bulk: who gives them has not agreed with the model. Those that are left out go the usual way: they
    stay with the person, to be answered one by one.

    Raises
    ------
    ConflictError
        As `queue.record`, for any of them, or if one is of no grid of theirs.
    InputError
        If an example has two classes.
    """
    wanted = [*dict.fromkeys([*leases, *others])]
    if twice := {*leases} & {*others}:
        raise InputError(f"lease {min(twice)} has two classes: name it in leases or in others.")
    theirs = select(lease.c.id).where(
        lease.c.id.in_(wanted), lease.c.annotator_id == annotator_id, lease.c.bulk
    )
    if len(connection.execute(theirs).all()) < len(wanted):
        raise ConflictError("there is no such grid of yours.")
    seconds = None if reply.seconds is None else reply.seconds / max(len(wanted), 1)
    stored = []
    for one in wanted:
        request = None if reply.request is None else f"{reply.request}.{one}"
        named = replace(reply, seconds=seconds, request=request)
        if one in others:
            named = replace(named, class_code=others[one], bulk=others[one] == reply.class_code)
        stored.append(queueing.record(connection, settings, annotator_id, one, named, now)[0])
    _let_go(connection, annotator_id)
    return stored


def _let_go(connection: Connection, annotator_id: int) -> None:
    """Let what they hold of a grid go the usual way."""
    mine = (lease.c.annotator_id == annotator_id) & (lease.c.state == "open") & lease.c.bulk
    connection.execute(update(lease).where(mine).values(bulk=False))


def _similar(
    connection: Connection, annotator_id: int, served: int, offered: Offered, most: int, settings: Settings
) -> tuple[int, list[int], dict[int, bool]] | None:
    """A class, examples of it that lie close together, and which of them have a known answer."""
    if most < _LEAST:
        return None
    known = load_truths(connection).known
    offered.left[: len(known)] &= ~known[: len(offered.left)]
    # Everybody begins elsewhere, so that two people seldom want the same.
    random = np.random.default_rng([settings.seed, annotator_id, served])
    for _ in range(_TRIES):
        candidates = np.flatnonzero(offered.left)
        if len(candidates) < _LEAST:
            return None
        start = int(random.choice(candidates))
        label = int(offered.label[start])
        near = _nearest(offered, start, candidates[offered.label[candidates] == label])[:_NEAR]
        free = _free(connection, annotator_id, offered, near)
        if len(free) < _LEAST:
            continue
        checks = _checks(connection, annotator_id, served, offered, label, most, settings, known)
        codes = [*free[: most - len(checks)], *checks]
        return label, [int(code) for code in random.permutation(codes)], dict.fromkeys(checks, True)
    return None


def _nearest(offered: Offered, start: int, candidates: Ints) -> Ints:
    """Examples by their distance from one on the map; as they are where it knows them not."""
    if offered.place is None or start >= len(offered.place):
        return candidates
    mapped = candidates[candidates < len(offered.place)]
    distance = np.square(offered.place[mapped] - offered.place[start]).sum(axis=1)
    return mapped[np.argsort(distance, kind="stable")]


def _free(connection: Connection, annotator_id: int, offered: Offered, near: Ints) -> list[int]:
    """Those of some examples that have no label, wait for one, and are held or passed over by nobody here."""
    codes = near.tolist()
    columns = example.c.id, example.c.num_labels
    counts = dict(connection.execute(select(*columns).where(example.c.id.in_(codes))).all())
    offered.left[[code for code in codes if counts.get(code, 1)]] = False
    held = select(lease.c.example_id).where(lease.c.example_id.in_(codes), lease.c.state == "open")
    passed = select(answer.c.example_id).where(
        answer.c.example_id.in_(codes), answer.c.annotator_id == annotator_id
    )
    full = select(queue.c.example_id).where(
        queue.c.round_id == offered.round, queue.c.remaining <= 0, queue.c.example_id.in_(codes)
    )
    taken = {code for query in (held, passed, full) for code in connection.execute(query).scalars()}
    return [code for code in codes if not counts.get(code, 1) and code not in taken]


def _checks(
    connection: Connection,
    annotator_id: int,
    served: int,
    offered: Offered,
    label: int,
    most: int,
    settings: Settings,
    known: Bools,
) -> list[int]:
    """Examples with known answers for a grid, as many as the rate of the project says."""
    due = sum(queueing.gold_is_due(settings, annotator_id, served + turn) for turn in range(most))
    free = queueing.gold_examples(connection, annotator_id, len(offered.label), served) if due else []
    alike = [code for code in free if code < len(known) and code < len(offered.label) and known[code]]
    return [code for code in alike if offered.label[code] == label][: min(due, most - _LEAST)]
