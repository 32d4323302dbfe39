"""The headline: its sentence and its numbers agree, whatever they are; the same words everywhere."""

from __future__ import annotations

import json
import re
from html import unescape

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from project_store import add_person
from typer.testing import CliRunner

from activelab.cli import app
from activelab.project import Settings, insight
from activelab.project.insight.headlines import checks_for, gain_forecast
from activelab.project.insight.words import audit_sentence, checked_sentence, expected_sentence, of_hundred
from activelab.project.labelling.summary import RoundMetrics
from activelab.project.training.round import train_round
from activelab.report import project_report

SHARES = st.floats(0, 1)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def numbers(text):
    return [float(one.replace(",", "")) for one in NUMBER.findall(text)]


@given(SHARES)
def test_a_share_is_rounded_and_only_all_is_all(share):
    value = numbers(of_hundred(share))[0]
    assert value == pytest.approx(100 * share, abs=0.5 if share < 0.98 else 0.051)
    assert (of_hundred(share) == "100") == (share == 1)


@given(st.tuples(SHARES, SHARES, SHARES).map(sorted), st.integers(1, 10**7))
def test_the_sentence_of_checks_names_its_numbers(shares, n_checked):
    low, share, high = shares
    words = checked_sentence(share, low, high, n_checked)
    said, of, least, most, checks = numbers(words)
    assert least <= said <= most
    assert (of, checks) == (100, n_checked)
    for value, told in ((share, said), (low, least), (high, most)):
        assert told == pytest.approx(100 * value, abs=0.5)
    assert "expected" not in words


@given(st.tuples(SHARES, SHARES, SHARES).map(sorted), st.integers(1, 10**7))
def test_an_expectation_is_called_one(shares, checks):
    low, share, high = shares
    words = expected_sentence(share, low, high)
    assert "are expected to be right" in words
    assert "if annotators" in words
    said, _, least, most = numbers(words)
    assert least <= said <= most
    assert numbers(expected_sentence(share, None, None)) == [said, 100]
    assert numbers(audit_sentence(checks)) == [checks, 2, 100]


@given(
    st.integers(1, 10**6),
    SHARES,
    st.none() | st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)),
)
def test_the_verdict_never_contradicts_its_numbers(labels, rate, prices):
    mended = rate * labels
    money = {} if prices is None else {"label_price": prices[0], "error_cost": prices[1]}
    metrics = RoundMetrics(next_labels=labels, errors_removed=mended, expected_errors=2 * mended)
    said = gain_forecast(metrics, Settings(**money))
    told = numbers(said.sentence)
    assert told[0] == labels
    assert told[1] == pytest.approx(mended, abs=0.51 if mended >= 9.95 else 0.11)
    if prices is None:
        helps = said.sentence.startswith("More labelling helps: ")
        assert helps == (said.verdict == "pays") == (mended >= 0.02 * labels)
        assert (told[-1] <= 50) or not helps
        assert (told[-1] >= 50) or helps
    else:
        assume(said.saved != said.price)
        worth, cost = told[-2:]
        assert said.sentence.startswith("More labelling pays: ") == (said.verdict == "pays") == (worth > cost)
        assert worth == pytest.approx(said.saved, abs=0.006)
        assert cost == pytest.approx(said.price, abs=0.006)


def test_no_forecast_of_a_round_that_made_none():
    assert gain_forecast(RoundMetrics(num_labels=3), Settings()) is None


def test_more_doubt_costs_more_checks_and_never_more_than_there_are_labels():
    sure, doubtful = np.full(5000, 0.99), np.full(5000, 0.8)
    assert 20 <= checks_for(sure) < checks_for(doubtful) < 5000
    # A plain sample of 80 % right needs z² q (1 − q) / 0.02², less what a finite pool saves.
    plain = 1.96**2 * 0.16 / 0.02**2
    assert checks_for(doubtful) == pytest.approx(plain / (1 + plain / 5000), abs=1)
    assert checks_for(np.full(7, 0.6)) == 7
    assert checks_for(np.ones(50)) is None
    assert checks_for(np.empty(0)) is None


# ------------------------------------------------------------------ of a project

N, CLASSES = 120, ("a", "b", "c")


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "project.db")


@pytest.fixture
def crowd(make, place):
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, N)
    project, _ = make(place, N, 0, method="recommended", batch_size=30)
    right = rng.random((N, 3)) < 0.85
    said = np.where(right, truth[:, None], (truth[:, None] + 1) % 3)
    project.add_labels((f"e{i}", f"p{j}", CLASSES[said[i, j]]) for i in range(100) for j in range(3))
    probs = 0.6 * np.eye(3)[truth] + 0.4 / 3
    return project, truth, probs


def told(place):
    return json.loads(CliRunner().invoke(app, ["status", place, "--json"]).stdout)["headline"]


def test_before_the_first_round_nothing_is_claimed(crowd, place):
    project, _, _ = crowd
    said = insight.headline(project)
    assert (said.basis, said.share, said.forecast) == ("unknown", None, None)
    assert "after the first trained round" in said.sentence
    assert said.sentence in unescape(project_report(project))
    assert told(place) == said.model_dump()


def test_an_expectation_until_something_is_checked(crowd, place):
    project, truth, probs = crowd
    summary = train_round(project, pred_probs=probs).summary
    said = insight.headline(project)
    assert said.basis == "expected"
    assert said.labels == 100
    assert said.share == pytest.approx(summary.metrics.expected_accuracy, abs=1e-6)
    assert said.low <= said.share <= said.high
    final = insight.final_labels(project)
    assert said.low <= (final.label[:100] == truth[:100]).mean() <= said.high
    assert said.forecast.mended == pytest.approx(summary.metrics.errors_removed, abs=1e-6)
    assert said.stale == ""
    # One sentence: report, status and API print it.
    report, shown = unescape(project_report(project)), CliRunner().invoke(app, ["status", place]).stdout
    assert said.audit == audit_sentence(said.checks)
    for words in (said.sentence, said.audit, said.forecast.sentence):
        assert words in report
        assert words in shown
    assert told(place) == said.model_dump()
    # Curve and quality say the same.
    assert insight.quality_histogram(project).mean == said.share
    charts = insight.draw_charts(insight.learning_curve(project), insight.quality_histogram(project))
    label = charts.quality.drawing.attributes["aria-label"]
    assert f"{of_hundred(said.share)} of 100 expected to be right" in label


def test_what_is_new_is_told_and_decisions_count_at_once(crowd):
    project, truth, probs = crowd
    train_round(project, pred_probs=probs)
    before = insight.headline(project)
    boss = add_person(project, "boss", role="adjudicator")
    for code in range(5):
        project.decide(boss, code, CLASSES[truth[code]])
    project.add_labels([("e110", "p1", "a")])
    after = insight.headline(project)
    assert after.share > before.share
    assert before.low < after.low <= after.share <= after.high
    assert after.stale.startswith("1 new labels and 5 new known answers have come since round 1")


def test_gold_answers_are_checks(crowd):
    project, truth, probs = crowd
    train_round(project, pred_probs=probs)
    project.set_gold({f"e{i}": CLASSES[truth[i]] for i in range(40)})
    said = insight.headline(project)
    assert (said.basis, said.n_checked, said.confidence) == ("checked", 40, 0.95)
    assert "from 40 checked answers" in said.sentence
    assert said.audit == ""
    assert said.low <= said.share <= said.high


def test_an_audit_is_the_headline(crowd):
    project, truth, probs = crowd
    train_round(project, pred_probs=probs)
    number = insight.draw_audit(project, 20, seed=1)
    boss = add_person(project, "boss", role="adjudicator")
    while (following := insight.next_check(project, number)).example_id is not None:
        code = following.example_id
        project.check(boss, number, code, CLASSES[truth[code]])
    said, checked = insight.headline(project), insight.audit_estimate(project)
    assert said.basis == "checked"
    assert (said.share, said.low, said.high) == pytest.approx(
        (checked.share, checked.low, checked.high), abs=1e-6
    )
    assert said.sentence == checked_sentence(checked.share, checked.low, checked.high, 20)
    train_round(project, pred_probs=probs)
    assert insight.headline(project).stale == "It was measured in round 1; round 2 is served."
    assert said.n_checked == 20
