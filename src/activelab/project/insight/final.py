"""The label of every example that counts, where it comes from and how sure it is, for all who show it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, func, select

from activelab._typing import Bools, Float64s, Ids, Ints
from activelab.consensus import majority_vote
from activelab.consensus.parts import told
from activelab.pred_probs import check_pred_probs
from activelab.project._project import Project
from activelab.project.insight.values import Scored, number, scored
from activelab.project.labelling.class_history import changed_since
from activelab.project.labelling.decisions import Truths, load_truths, truth_changes
from activelab.project.labelling.naming import Named, Naming, load_naming
from activelab.project.settings import load_settings, load_value
from activelab.project.store.schema import WHOLE, answer, event, example
from activelab.project.training.consensus import abstentions_beside, bulk_beside, judge
from activelab.project.training.predictions import load_pred_probs
from activelab.project.training.several import (
    codes_of_sets,
    judge_sets,
    known_sets,
    set_abstentions_beside,
    stored_models,
)

Source = Literal["adjudicated", "gold", "consensus", "single"]


@dataclass(frozen=True, eq=False)
class FinalLabels:
    """The labels that count: decisions first, then known answers, then the consensus.

    Attributes
    ----------
    label : ndarray of int32, shape (n_examples,)
        Codes of labels; -1 where nobody has said anything.
    source : ndarray of object, shape (n_examples,)
        "adjudicated", "gold", "consensus", "single" (the only label there is, which nothing overrules), or
        None.
    quality : ndarray of float64, shape (n_examples,)
        How sure the label is, with six digits; 1 where it is decided or known, NaN where there is none.
    consensus : ndarray of int32, shape (n_examples,)
        What annotators and models say, whatever is decided or known of the example; -1 without labels.
    expected_error : ndarray of float64, shape (n_examples,), or None
        Of a scale: how far the label is expected to be from the truth, in its units; 0 where it is decided or
        known, NaN where that cannot be told.
    exact : ndarray of float64, shape (n_examples,), or None
        Where several classes may be right: probability that the label is right in every class, of which
        ``quality`` is the expected share.
    naming : Naming
        What the codes stand for.
    notes : tuple of str
        What the consensus rests on, where that is not the round that is served.
    """

    label: Ints
    source: Ids
    quality: Float64s
    consensus: Ints
    expected_error: Float64s | None
    exact: Float64s | None
    naming: Naming
    notes: tuple[str, ...]

    def facts(self, code: int) -> dict[str, Named | float | None]:
        """Label, source, quality and consensus of an example in words; None for what there is not."""
        return {
            "label": self.naming.name(int(self.label[code])),
            "source": self.source[code],
            "quality": number(self.quality[code]),
            "expected_error": None if self.expected_error is None else number(self.expected_error[code]),
            "consensus": self.naming.name(int(self.consensus[code])),
        }


@dataclass(frozen=True, eq=False)
class _Estimate:
    """The consensus of the labels up to an event."""

    consensus: Ints
    quality: Float64s
    expected_error: Float64s | None
    exact: Float64s | None
    notes: tuple[str, ...]
    last_event: int
    made: float


_kept: WeakKeyDictionary[Project, tuple[object, _Estimate]] = WeakKeyDictionary()
_BELIEVED_SECONDS = 60.0
_estimating = threading.Lock()


def final_labels(project: Project, codes: Sequence[int] | None = None) -> FinalLabels:
    """The final labels of the pool.

    The consensus of an example is that of the round that is served; if its labels have changed since, it is
    estimated from all labels there are now with the predictions of that round. Before the
    first trained round it is the majority vote, and of ratings or sets that of the answers alone.

    Parameters
    ----------
    project : Project
    codes : sequence of int, optional
        The examples that are looked at; others may be as the round left them, which takes less time. What
        labels of other examples say of annotators may then be a minute old.

    Returns
    -------
    FinalLabels
    """
    state = project.database.read(lambda c: _load(c, codes))
    naming = state.naming
    size, current = len(state.truths.label), state.current
    consensus, quality = np.full(size, -1, dtype=np.int32), np.full(size, np.nan)
    error, exact = np.full(size, np.nan), np.full(size, np.nan)
    if current is not None:
        if current.expected_error is not None:
            error[: len(current.expected_error)] = current.expected_error[:size]
        if current.exact is not None:
            exact[: len(current.exact)] = current.exact[:size]
        consensus[: len(current.consensus)] = current.consensus[:size]
        quality[: len(current.quality)] = current.quality[:size]
    asked = state.changed if codes is None else state.changed & np.isin(np.arange(size), codes)
    notes: tuple[str, ...] = ()
    if asked.any():
        now = _estimate(project, state, codes)
        # Examples may have been added meanwhile.
        consensus[asked], quality[asked] = now.consensus[:size][asked], now.quality[:size][asked]
        error[asked] = np.nan if now.expected_error is None else now.expected_error[:size][asked]
        exact[asked] = np.nan if now.exact is None else now.exact[:size][asked]
        notes = now.notes
        # It may name sets that were not there before.
        naming = project.naming() if naming.sets is not None else naming
    known = state.truths.known
    source = np.full(size, None, dtype=object)
    source[consensus >= 0] = "consensus"
    source[(consensus >= 0) & (consensus == state.alone)] = "single"
    source[known] = "gold"
    source[state.truths.decided] = "adjudicated"
    return FinalLabels(
        label=np.where(known, state.truths.label, consensus).astype(np.int32),
        source=source,
        quality=np.where(known, 1.0, np.round(quality, 6)),
        consensus=consensus,
        expected_error=np.where(known, 0.0, np.round(error, 6)) if state.on_scale else None,
        exact=None if naming.sets is None else np.where(known, 1.0, np.round(exact, 6)),
        naming=naming,
        notes=notes,
    )


@dataclass(frozen=True, eq=False)
class _State:
    naming: Naming
    on_scale: bool
    truths: Truths
    alone: Ints  # the class of the only label of an example; -1 where there are others or none
    current: Scored | None
    changed: Bools  # examples whose labels the round does not know
    last_event: int
    truth_changes: int


def _load(connection: Connection, codes: Sequence[int] | None) -> _State:
    size = int(load_value(connection, "num_examples", 0))
    alone = np.full(size, -1, dtype=np.int32)
    single = (
        select(answer.c.example_id, answer.c.class_code)
        .join(example, example.c.id == answer.c.example_id)
        .where(answer.c.kind == "label", answer.c.asked == WHOLE, example.c.num_labels == 1)
    )
    if codes is not None:
        single = single.where(answer.c.example_id.in_([*codes]))
    for code, label in connection.execute(single):
        alone[code] = label
    current = scored(connection)
    since = select(event.c.example_id).where(
        event.c.id > (0 if current is None else current.round.last_event),
        event.c.kind.in_(("label", "undo")),
    )
    changed = np.zeros(size, dtype=bool)
    changed[[*connection.execute(since.distinct()).scalars()]] = True
    if current is not None and changed_since(connection, current.round.id):
        changed[:] = True  # what was most probable of several classes need not be so of one made of them
    settings = load_settings(connection)
    return _State(
        naming=load_naming(connection, settings),
        on_scale=settings.question == "ordinal",
        truths=load_truths(connection),
        alone=alone,
        current=current,
        changed=changed,
        last_event=connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one(),
        truth_changes=truth_changes(connection)[0],
    )


def _estimate(project: Project, state: _State, codes: Sequence[int] | None) -> _Estimate:
    """The consensus of all labels; made again only if there are others, or another round.

    All labels are read for it: while answers arrive it is made again for whoever looks at what they are
    about, and not for everybody else.
    """
    number_now = -1 if state.current is None else state.current.round.id
    settings = project.refresh()
    sizes = number_now, state.truth_changes, len(state.alone)
    key = *sizes, state.naming.version, state.naming.classes, settings.families, settings.loss
    with _estimating:
        before, kept = _kept.get(project, (None, None))
        if kept is None or before != key or not _still_holds(project, kept, state, codes):
            _kept[project] = key, _estimate_now(project, state, number_now)
        return _kept[project][1]


def _still_holds(project: Project, kept: _Estimate, state: _State, codes: Sequence[int] | None) -> bool:
    """Whether an estimate knows all labels of the examples that are looked at."""
    if kept.last_event >= state.last_event:
        return True
    if codes is None or time.monotonic() - kept.made > _BELIEVED_SECONDS:
        return False
    newer = select(event.c.id).where(
        event.c.id > kept.last_event, event.c.kind.in_(("label", "undo")), event.c.example_id.in_([*codes])
    )
    return project.database.read(lambda c: c.execute(newer.limit(1)).first()) is None


def _sets_now(project: Project, state: _State, number_now: int) -> _Estimate:
    """`_estimate_now` where several classes may be right; sets that nobody has given are stored."""
    made, sets = time.monotonic(), project.label_sets(state.last_event)
    stored = project.database.read(lambda c: load_pred_probs(c, number_now))
    models = stored_models(stored, sets)
    known = known_sets(state.truths.label[: sets.n_examples], project.naming())
    apart = set_abstentions_beside(project, sets, state.last_event)
    judged = judge_sets(sets, models, known=known, families=project.families(sets), abstentions=apart)
    (label,) = codes_of_sets(project, state.naming.version, judged.members)
    notes = judged.consensus.notes if models else (_without_model(stored, "the answers alone"),)
    return _Estimate(label, judged.quality, None, judged.exact, notes, state.last_event, made)


def _without_model(stored: list[Any], what: str) -> str:
    """The note on a consensus that no model has a part in."""
    why = "examples or classes were added since the last round" if stored else "no model is trained yet"
    which = " of the examples labelled since the last round" if stored else ""
    return f"consensus{which} by {what}: {why}."


def _estimate_now(project: Project, state: _State, number_now: int) -> _Estimate:
    settings, made = project.refresh(), time.monotonic()
    if settings.several:
        return _sets_now(project, state, number_now)
    labels = project.labels(state.last_event)
    labels = labels.select(annotators=labels.annotators[np.unique(labels.annotator)])
    stored = project.database.read(lambda c: load_pred_probs(c, number_now))
    evidence: dict[str, Any] = {
        "known": state.truths.label[: labels.n_examples],
        "families": project.families(labels),
        "abstentions": abstentions_beside(project, labels, state.last_event),
        "bulk": bulk_beside(project, labels, state.last_event),
    }
    if stored and stored[0].shape == (labels.n_examples, labels.n_classes):
        models = told(labels, check_pred_probs(stored, labels), **evidence)
        judged = judge(settings, labels, models, seed=settings.seed + number_now)
        now = judged.consensus
        return _Estimate(
            now.label, now.quality, judged.expected_error, None, now.notes, state.last_event, made
        )
    if state.on_scale:
        judged = judge(settings, labels, told(labels, (), **evidence), seed=settings.seed)
        notes = (_without_model(stored, "the ratings alone"), *judged.consensus.notes)
        now = judged.consensus
        return _Estimate(now.label, now.quality, judged.expected_error, None, notes, state.last_event, made)
    vote = majority_vote(labels, seed=settings.seed)
    notes = (_without_model(stored, "majority vote"),)
    return _Estimate(vote.label, vote.quality, None, None, notes, state.last_event, made)
