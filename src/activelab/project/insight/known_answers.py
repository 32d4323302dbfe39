"""How many labels are right, measured by known answers that annotators did not see."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, func, select

from activelab._typing import Bools, Ints
from activelab.consensus import Consensus, majority_vote
from activelab.pred_probs import check_pred_probs
from activelab.project._project import Project
from activelab.project.insight.results import CONFIDENCE, AuditEstimate
from activelab.project.insight.values import scored
from activelab.project.labelling.decisions import load_truths
from activelab.project.settings import load_settings
from activelab.project.store.schema import event, example
from activelab.project.training.consensus import judge
from activelab.project.training.predictions import load_pred_probs
from activelab.project.training.several import (
    codes_of_sets,
    judge_sets,
    set_abstentions_beside,
    stored_models,
)

_kept: WeakKeyDictionary[Project, tuple[object, AuditEstimate | None]] = WeakKeyDictionary()
_estimating = threading.Lock()


def estimate_by_known_answers(project: Project) -> AuditEstimate | None:
    """How often the consensus, estimated without the known answers, equals them; None if there are none."""
    state = project.database.read(_known_answers)
    if not (state.gold >= 0).any():
        return None
    key = state.round, state.as_of, state.gold.tobytes(), state.decided.tobytes()
    with _estimating:
        if project not in _kept or _kept[project][0] != key:
            _kept[project] = key, _estimate_by_known(project, state)
        return _kept[project][1]


@dataclass(frozen=True, eq=False)
class _Known:
    round: int
    as_of: int
    gold: Ints  # right classes of the examples whose answer was known, -1 elsewhere
    decided: Bools  # examples that are decided, and whose answer was not known


def _known_answers(connection: Connection) -> _Known:
    current, truths = scored(connection), load_truths(connection)
    size = len(truths.label)
    known = np.zeros(size, dtype=bool)
    query = select(example.c.id).where(example.c.gold.is_not(None), example.c.id < size)
    known[[*connection.execute(query).scalars()]] = True
    if current is None:
        as_of = connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one()
    else:
        as_of = current.round.last_event
    return _Known(
        -1 if current is None else current.round.id,
        as_of,
        np.where(known, truths.label, -1),
        truths.decided & ~known,
    )


def _estimate_by_known(project: Project, state: _Known) -> AuditEstimate | None:
    from activelab.audit import audit_of_known, audit_report

    consensus = (_untold_sets if project.refresh().several else _untold_consensus)(
        project, state.round, state.as_of
    )
    # Examples may have been added since.
    gold = np.append(state.gold, np.full(max(len(consensus.label) - len(state.gold), 0), -1))
    gold, decided = gold[: len(consensus.label)], np.flatnonzero(state.decided)
    label = consensus.label.copy()
    label[decided[decided < len(label)]] = -1
    consensus = replace(consensus, label=label)
    if not ((gold >= 0) & (label >= 0)).any():
        return None
    audit = audit_of_known(consensus, gold)
    right = label[audit.examples] == gold[audit.examples]
    report = audit_report(audit, right, confidence=CONFIDENCE)
    # A known answer that the consensus contradicts is the label that counts, and so is a decision.
    judged, mended = int(audit.size.sum()), int((~right).sum())
    low, share, high = (
        min(1 - ((1 - value) * judged - mended) / (judged + len(decided)), 1.0)
        for value in (report.low, report.share, report.high)
    )
    return AuditEstimate(
        share=share,
        low=low,
        high=high,
        confidence=CONFIDENCE,
        n_checked=report.n_checked,
        as_of=state.as_of,
        round=None if state.round < 0 else state.round,
        basis="gold",
    )


def _untold_sets(project: Project, round_id: int, as_of: int) -> Consensus:
    """`_untold_consensus` where several classes may be right: a label is a set, and right as a whole."""
    version = project.naming().version
    sets = project.label_sets(as_of)
    stored = project.database.read(lambda c: load_pred_probs(c, round_id) if round_id >= 0 else [])
    models, families = stored_models(stored, sets), project.families(sets)
    apart = set_abstentions_beside(project, sets, as_of)
    judged = judge_sets(sets, models, known=None, families=families, abstentions=apart)
    (label,) = codes_of_sets(project, version, judged.members)
    plain = majority_vote(project.labels(as_of), seed=project.settings.seed)
    return replace(plain, label=label, quality=judged.exact)


def _untold_consensus(project: Project, round_id: int, as_of: int) -> Consensus:
    """The consensus of what annotators and models say, which no known answer has entered."""
    labels = project.labels(as_of)
    labels = labels.select(annotators=labels.annotators[np.unique(labels.annotator)])
    stored, settings = project.database.read(
        lambda c: (load_pred_probs(c, round_id) if round_id >= 0 else [], load_settings(c))
    )
    if stored and stored[0].shape == (labels.n_examples, labels.n_classes):
        models = check_pred_probs(stored, labels)
        return judge(settings, labels, models, seed=settings.seed + round_id).consensus
    return majority_vote(labels, seed=settings.seed)
