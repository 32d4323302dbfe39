"""Audits: what is drawn, what the checks say, and that intervals and guarantees hold as often as they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import activelab as al
from activelab.audit import Checker, audit_report, class_shares, draw_audit, safe_labels


@pytest.fixture(scope="module")
def crowd():
    """A consensus over 1,200 examples with stated qualities that are off, and the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 1200)
    hard = rng.random(1200) < 0.3
    matrix = np.full((1200, 12), np.nan)
    for i in range(1200):
        who = rng.choice(12, 4, replace=False)
        right = rng.random(4) < (0.45 if hard[i] else 0.92)
        matrix[i, who] = np.where(right, truth[i], (truth[i] + rng.integers(1, 3, 4)) % 3)
    return al.bayesian_consensus(al.Labels.from_wide(matrix, classes=3)), truth


def test_every_label_has_a_known_chance_and_doubtful_ones_the_best(crowd):
    consensus, _ = crowd
    audit = draw_audit(consensus, 100)
    assert len(np.unique(audit.examples)) == 100
    assert (audit.stratum >= 0).all()
    assert (audit.inclusion > 0).all()
    assert audit.inclusion[audit.stratum[audit.examples] == 0].mean() > 1.5 * 100 / 1200
    assert (1 / audit.inclusion).sum() == pytest.approx(1200)
    # A beginning of the list is a small audit of its own.
    assert np.bincount(audit.stratum[audit.examples[:20]]).min() >= 3


def test_the_draw_follows_ids_and_seed(crowd):
    consensus, _ = crowd
    assert (draw_audit(consensus, 50).examples == draw_audit(consensus, 50).examples).all()
    assert (draw_audit(consensus, 50).examples != draw_audit(consensus, 50, seed=1).examples).any()


def test_checking_everything_leaves_no_doubt(crowd):
    consensus, truth = crowd
    audit = draw_audit(consensus, 5000)
    right = consensus.label == truth
    report = audit_report(audit, right[audit.examples])
    assert report.n_checked == 1200
    assert report.share == pytest.approx(right.mean())
    assert report.high - report.low <= 1 / 1200 + 1e-9


def replays(crowd, number, replays, checker=None, error=0.0):
    consensus, truth = crowd
    right, rng = consensus.label == truth, np.random.default_rng(1)
    for seed in range(replays):
        audit = draw_audit(consensus, number, seed=seed)
        answers = right[audit.examples]
        mistaken = rng.random(len(answers)) < error
        answers = np.where(mistaken, ~answers & (rng.random(len(answers)) < 0.5), answers)
        yield audit, answers, right


def test_intervals_cover_and_are_narrower_than_a_plain_samples(crowd):
    covered, width = [], []
    for audit, answers, right in replays(crowd, 100, 300):
        report = audit_report(audit, answers)
        covered.append(report.low <= right.mean() <= report.high)
        width.append(report.high - report.low)
    share = (crowd[0].label == crowd[1]).mean()
    plain = 2 * 1.96 * np.sqrt(share * (1 - share) / 100)
    assert np.mean(covered) >= 0.93
    assert np.mean(width) < 0.9 * plain


def test_one_stratum_has_the_interval_of_wilson(crowd):
    consensus, _ = crowd
    audit = draw_audit(consensus, 12)
    assert len(audit.size) == 1
    report = audit_report(audit, [True] * 12)
    z, n = 1.959964, 12 * 1199 / (1200 - 12)
    assert (report.share, report.high) == (1.0, 1.0)
    assert report.low == pytest.approx(n / (n + z**2) - 1 / 1200, abs=1e-4)


@pytest.mark.parametrize(("number", "stated"), [(50, 0.97), (100, 0.97), (100, 0.6)])
def test_intervals_cover_whatever_quality_is_stated(number, stated):
    rng = np.random.default_rng(4)
    matrix = np.zeros((600, 2))
    consensus = al.bayesian_consensus(al.Labels.from_wide(matrix, classes=2))
    chance = np.where(np.arange(600) % 3 == 0, 0.6, 0.9)
    quality = np.clip(rng.normal(stated, 0.02, 600), 0.5, 0.999)
    consensus = replace(consensus, quality=quality)
    right, covered = rng.random(600) < chance, []
    for seed in range(500):
        audit = draw_audit(consensus, number, seed=seed)
        report = audit_report(audit, right[audit.examples])
        covered.append(report.low <= right.mean() <= report.high)
    assert np.mean(covered) >= 0.93


def test_a_single_check_says_little(crowd):
    consensus, _ = crowd
    audit = draw_audit(consensus, 100)
    report = audit_report(audit, [True] + [None] * 99)
    assert report.n_checked == 1
    assert report.low < 0.3


def test_erring_checkers_are_corrected(crowd):
    checker = Checker(right=180, wrong=20)
    found = [
        (audit_report(audit, answers, checker=checker), audit_report(audit, answers).share, right.mean())
        for audit, answers, right in replays(crowd, 100, 200, error=0.1)
    ]
    assert np.mean([report.low <= share <= report.high for report, _, share in found]) >= 0.93
    assert np.mean([report.share - share for report, _, share in found]) == pytest.approx(0, abs=0.015)
    assert np.mean([naive - share for _, naive, share in found]) < -0.05


@pytest.mark.parametrize("error", [0.0, 0.1])
def test_the_guarantee_holds(crowd, error):
    checker = Checker(right=180, wrong=20) if error else None
    broken, shipped = [], []
    for audit, answers, right in replays(crowd, 200, 200, error=error):
        safe = safe_labels(audit, answers, epsilon=0.1, delta=0.1, checker=checker)
        shipped.append(len(safe.examples))
        broken.append(len(safe.examples) > 0 and (~right[safe.examples]).mean() > 0.1)
    assert np.mean(broken) <= 0.1
    assert np.mean(shipped) > (0 if error else 200)


def test_a_few_checks_are_enough_to_ask_and_carry_no_guarantee(crowd):
    consensus, _ = crowd
    audit = draw_audit(consensus, 100)
    assert len(safe_labels(audit, [True] * 2 + [None] * 98).examples) == 0
    assert len(safe_labels(audit, [True] * 100, epsilon=0.1).examples) == 1200


def test_class_shares_cover(crowd):
    consensus, truth = crowd
    share, covered = np.bincount(truth) / len(truth), []
    for seed in range(200):
        audit = draw_audit(consensus, 100, seed=seed)
        found = class_shares(audit, truth[audit.examples])
        covered.append((found.low <= share) & (share <= found.high))
    assert np.mean(covered) >= 0.92


def test_known_answers_need_no_check_and_count(crowd):
    consensus, truth = crowd
    known = np.where(np.arange(1200) < 600, truth, -1)
    audit = draw_audit(consensus, 60, known=known)
    assert (audit.examples >= 600).all()
    right = consensus.label == truth
    report = audit_report(audit, right[audit.examples])
    assert report.low <= right.mean() <= report.high
    assert report.high - report.low < 0.1


def test_what_is_not_checked_yet_is_left_out(crowd):
    consensus, truth = crowd
    audit = draw_audit(consensus, 100)
    answers = (consensus.label == truth)[audit.examples].astype(object)
    answers[40:] = None
    assert audit_report(audit, answers).n_checked == 40


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c, a: draw_audit(c, 1), "at least 2 checks"),
        (lambda c, a: draw_audit(c, 10, known=np.zeros(3, int)), "one code for each"),
        (lambda c, a: audit_report(a, [True]), "needs as many answers"),
        (lambda c, a: audit_report(a, [None] * 10), "has been checked yet"),
        (lambda c, a: audit_report(a, [True] * 10, confidence=1), "confidence"),
        (lambda c, a: audit_report(a, [True] * 10, checker=Checker(1, 9)), "as often as chance"),
        (lambda c, a: safe_labels(a, [True] * 10, epsilon=0), "epsilon and delta"),
        (lambda c, a: class_shares(a, np.full(10, -1)), "needs a code"),
        (lambda c, a: Checker(-1, 2), "cannot be negative"),
    ],
)
def test_bad_input_is_named(crowd, call, message):
    with pytest.raises(al.InputError, match=message):
        call(crowd[0], draw_audit(crowd[0], 10))


def test_without_labels_there_is_nothing_to_audit():
    empty = al.Labels([], [], [], examples=3, annotators=1, classes=2)
    with pytest.raises(al.InputError, match="no label to audit"):
        draw_audit(al.bayesian_consensus(empty, [[0.5, 0.5]] * 3))
