"""A few numbers about a project for those who watch its server, cheap enough to be read all the time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from activelab.project._project import Project
from activelab.project.insight.summary import waiting
from activelab.project.labelling import rounds
from activelab.project.store.schema import answer, lease


@dataclass(frozen=True)
class Gauges:
    """Where a project stands.

    Attributes
    ----------
    labels : int
    leases : int
        Examples that people hold.
    queue : int
        Examples that wait to be labelled in this round.
    rounds : mapping of str to int
        Number of rounds that are ``trained``, ``failed`` or ``running``.
    round_seconds : float
        How long all trained rounds have taken.
    last_round_seconds : float or None
        How long the last one has taken.
    """

    labels: int
    leases: int
    queue: int
    rounds: Mapping[str, int]
    round_seconds: float
    last_round_seconds: float | None


def gauges(project: Project) -> Gauges:
    """The numbers of now."""
    return project.database.read(_gauges)


def _gauges(connection: Connection) -> Gauges:
    def count(*conditions: object) -> int:
        return int(connection.execute(select(func.count()).where(*conditions)).scalar_one())  # type: ignore[arg-type]

    current, made = rounds.current_round(connection), rounds.list_rounds(connection)
    states = Counter(
        one.state if one.state != "ready" else "trained"
        for one in made
        if one.state != "ready" or one.summary.trained
    )
    took = [one.finished - one.started for one in made if one.summary.trained and one.finished is not None]
    return Gauges(
        labels=count(answer.c.kind == "label"),
        leases=count(lease.c.state == "open", lease.c.expires > time.time()),
        queue=0 if current < 0 else waiting(connection, current),
        rounds={state: states[state] for state in ("trained", "failed", "running")},
        round_seconds=sum(took),
        last_round_seconds=took[-1] if took else None,
    )
