"""Who is to label how much of a round: shares by ability and price, where a project is set to them.

People ask for examples when they have time; nobody can be sent one. So a round is dealt in advance, by
`activelab.assign`, and everybody gets at most the number that fell to them. Somebody whose accuracy nothing
is known of gets an equal share, to be known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection, func, select

from activelab.assignment import shares
from activelab.project.labelling.summary import RoundSummary
from activelab.project.settings import Settings
from activelab.project.store.schema import annotator, lease, round_

if TYPE_CHECKING:
    from activelab.planning import Plan


@dataclass(frozen=True)
class Dealt:
    """How many examples of a round fall to whom.

    Attributes
    ----------
    shares : dict of str to int
        By name.
    newcomer : int
        For everybody else.
    """

    shares: dict[str, int]
    newcomer: int


def dealt(plan: Plan) -> Dealt | None:
    """Who gets how much of a round; None if whoever asks is served."""
    if plan.annotator is None:
        return None
    labels = plan.labels
    counts = shares(plan.annotator, labels.n_annotators).tolist()
    newcomer = int(np.ceil(len(plan.positions) / (labels.n_annotators + 1)))
    return Dealt(dict(zip(labels.annotators.tolist(), counts, strict=True)), newcomer)


def left_of_share(connection: Connection, settings: Settings, annotator_id: int, number: int) -> int | None:
    """How many more examples of a round somebody may have; None if there is no limit."""
    if settings.assignment == "open" or number < 0:
        return None
    stored = connection.execute(select(round_.c.summary).where(round_.c.id == number)).scalar_one()
    summary = RoundSummary.model_validate_json(stored)
    if summary.shares is None:
        return None
    name = connection.execute(select(annotator.c.name).where(annotator.c.id == annotator_id)).scalar_one()
    share = summary.shares.get(name, summary.newcomer or 0)
    had = select(func.count()).where(
        lease.c.annotator_id == annotator_id,
        lease.c.round_id == number,
        lease.c.state.in_(("open", "done")),
    )
    return max(share - int(connection.execute(had).scalar_one()), 0)
