"""Audits of a project: what is drawn, what checks say, and what stays of both."""

from __future__ import annotations

import numpy as np
import pytest

from activelab.project import insight

CLASSES = ("a", "b", "c")


@pytest.fixture
def sqlite(tmp_path):
    return str(tmp_path / "project.db")


def crowd(project, n, seed=0):
    """Three labels of each example by people who err one time in four; the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    records = []
    for code in range(n):
        for who in rng.choice(6, 3, replace=False):
            said = truth[code] if rng.random() < 0.65 else rng.integers(0, 3)
            records.append((f"e{code}", f"ann{who}", CLASSES[said]))
    project.add_labels(records)
    return truth


def test_nothing_checked_is_no_estimate(sqlite, make):
    project, _ = make(sqlite, 20, 6)
    assert insight.audit_estimate(project) is None
    crowd(project, 20)
    assert insight.audit_estimate(project) is None


def test_known_answers_that_annotators_did_not_see_are_an_estimate(sqlite, make):
    project, people = make(sqlite, 400, 6)
    truth = crowd(project, 400)
    chosen = np.random.default_rng(1).choice(400, 100, replace=False)
    project.set_gold({f"e{code}": CLASSES[truth[code]] for code in chosen})
    final = insight.final_labels(project)
    right = (final.label == truth).mean()
    found = insight.audit_estimate(project)
    assert found.basis == "gold"
    assert (found.n_checked, found.confidence, found.round) == (100, 0.95, None)
    assert found.low <= right <= found.high
    assert found.high - found.low < 0.2
    assert found.low <= found.share <= found.high
    # A decision is right: no label becomes worse.
    wrong = np.flatnonzero(final.label != truth)[:10]
    for code in wrong.tolist():
        project.decide(people[0], code, CLASSES[truth[code]])
    assert insight.audit_estimate(project).share > found.share
