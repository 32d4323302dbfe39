"""How many labels are right, and whether more labelling pays: written here, printed elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import Connection

from activelab._typing import Float64s
from activelab.project._project import Project
from activelab.project.insight.audits import audit_estimate
from activelab.project.insight.results import AuditEstimate, Forecast, Headline, Verdict
from activelab.project.insight.values import Scored, number, scored
from activelab.project.insight.words import (
    audit_sentence,
    checked_error_sentence,
    checked_sentence,
    expected_error_sentence,
    expected_sentence,
    expected_sets_sentence,
    forecast_sentence,
)
from activelab.project.labelling.decisions import load_truths
from activelab.project.labelling.summary import RoundMetrics
from activelab.project.settings import Settings, load_settings
from activelab.project.training.due import News, news_for

PRECISION = 0.02
"""Half the width of the interval that an audit is offered for."""

WORTH = 0.02
"""Without prices: labels pay that mend one wrong label in fifty."""

_NORMAL = 1.96
_FEWEST = 20  # checks below which no interval is to be trusted


def headline(project: Project) -> Headline:
    """How many of the labels that count are right, by checks or else as expected, and what more labels buy.

    The expectation is the mean quality of the labels of the round that is served, 1 where they are decided or
    known by now. The interval goes from annotators who share more mistakes than labels show, as far as real
    crowds do, to such as share none.
    """
    state = project.database.read(_load)
    checked = audit_estimate(project)
    forecast = None if state.metrics is None else gain_forecast(state.metrics, state.settings)
    return _headline(state, checked, forecast)


@dataclass(frozen=True, eq=False)
class _State:
    settings: Settings
    metrics: RoundMetrics | None
    quality: Float64s  # of the labels there are, 1 where they are decided or known
    error: float | None  # their expected distance from the truth, of a scale
    round: int | None
    news: News | None


def _load(connection: Connection) -> _State:
    settings, current = load_settings(connection), scored(connection)
    if current is None:
        return _State(settings, None, np.empty(0), None, None, None)
    return _State(
        settings,
        current.round.summary.metrics,
        label_quality(connection),
        _mean_error(connection, current),
        current.round.id,
        news_for(connection, current.round),
    )


def label_quality(connection: Connection) -> Float64s:
    """Quality of every label there is: that of the current round, 1 where it is decided or known."""
    current, truths = scored(connection), load_truths(connection)
    if current is None:
        return np.empty(0)
    known = truths.known[: len(current.quality)]
    quality = np.where(known, 1.0, current.quality[: len(known)])
    return quality[np.isfinite(quality)]


def _mean_error(connection: Connection, current: Scored) -> float | None:
    if current.expected_error is None:
        return None
    known = load_truths(connection).known[: len(current.expected_error)]
    error = np.where(known, 0.0, current.expected_error[: len(known)])
    given = np.isfinite(error)
    return float(error[given].mean()) if given.any() else None


def _headline(state: _State, checked: AuditEstimate | None, forecast: Forecast | None) -> Headline:
    # Checks are of whole labels, of which nothing is stated here where they are sets.
    checks = None if state.settings.several else checks_for(state.quality)
    share: float | None = None
    low: float | None = None
    high: float | None = None
    error, error_low, error_high = state.error, *_error_range(state)
    basis: Literal["checked", "expected", "unknown"] = "unknown"
    sentence = "How many labels are right can be said after the first trained round, or after an audit."
    as_of = None
    if checked is not None:
        basis, as_of = "checked", checked.round
        share, low, high = checked.share, checked.low, checked.high
        error, error_low, error_high = checked.error, None, None
        sentence = checked_sentence(share, low, high, checked.n_checked)
        if state.settings.question == "ordinal":
            sentence = checked_error_sentence(error, share, low, high, checked.n_checked)
        elif state.settings.several:
            sentence = sentence.replace(" are right", " are right in every class")
    elif len(state.quality):
        basis, as_of = "expected", state.round
        share = float(state.quality.mean())
        low, high = _expected_range(share, state.metrics)
        sentence = expected_sentence(share, low, high)
        if state.settings.several:
            exact = None if state.metrics is None else state.metrics.expected_exact
            sentence = expected_sets_sentence(share, low, high, exact)
        if error is not None:
            sentence = expected_error_sentence(error, error_low, error_high, share)
    return Headline(
        basis=basis,
        share=None if share is None else number(share),
        low=None if low is None else number(low),
        high=None if high is None else number(high),
        confidence=None if checked is None else checked.confidence,
        error=None if error is None else number(error),
        error_low=None if error_low is None else number(error_low),
        error_high=None if error_high is None else number(error_high),
        n_checked=0 if checked is None else checked.n_checked,
        labels=len(state.quality),
        round=as_of,
        checks=checks,
        sentence=sentence,
        audit=""
        if checks is None or basis != "expected" or state.settings.several
        else audit_sentence(checks),
        stale=_stale(state, as_of),
        forecast=forecast,
    )


def _stale(state: _State, as_of: int | None) -> str:
    if as_of is not None and as_of != state.round:
        return f"It was measured in round {as_of}; round {state.round} is served."
    if state.news is not None and state.news.classes:
        return f"The classes were changed since round {state.round}, which was measured in those before."
    if state.news is None or not state.news.number:
        return ""
    return f"{str(state.news).capitalize()} have come since round {state.round} and are not in it."


def _expected_range(share: float, metrics: RoundMetrics | None) -> tuple[float | None, float | None]:
    """The interval of a round, as far as decisions made since have left doubt; older rounds have none."""
    if metrics is None or metrics.expected_low is None or metrics.expected_high is None:
        return None, None
    before = 1 - (metrics.expected_accuracy or 0.0)
    left = min((1 - share) / before, 1.0) if before > 0 else 1.0
    low, high = (1 - left * (1 - value) for value in (metrics.expected_low, metrics.expected_high))
    return min(low, share), max(high, share)


def _error_range(state: _State) -> tuple[float | None, float | None]:
    """The interval of the mean error, as `_expected_range`."""
    metrics, error = state.metrics, state.error
    if metrics is None or error is None or metrics.error_low is None or metrics.error_high is None:
        return None, None
    before = metrics.expected_error or 0.0
    left = min(error / before, 1.0) if before > 0 else 1.0
    return min(left * metrics.error_low, error), max(left * metrics.error_high, error)


def checks_for(quality: Float64s, precision: float = PRECISION) -> int | None:
    """How many labels an audit has to check for an interval of ± ``precision``, if stated qualities hold.

    Strata by quality with checks where the doubt is make it (z · mean √(q (1 − q)) / precision)², of a pool
    that is finite; None if nothing is in doubt.
    """
    open_ = quality[quality < 1]
    if not len(open_):
        return None
    spread = float(np.sqrt(open_ * (1 - open_)).mean()) * len(open_) / len(quality)
    wanted = (_NORMAL * spread / precision) ** 2
    wanted = wanted / (1 + wanted / len(open_))
    return min(max(math.ceil(wanted), _FEWEST), len(open_))


def gain_forecast(metrics: RoundMetrics, settings: Settings) -> Forecast | None:
    """What the next labels are expected to mend, by the posterior of a round, and whether that pays.

    With prices that decides: what the wrong labels would cost, against the price of the labels. Without,
    labels that mend at least one wrong label in fifty pay.
    """
    labels, mended = metrics.next_labels, metrics.errors_removed
    if labels is None or mended is None or metrics.expected_errors is None:
        return None
    price, cost = settings.label_price, settings.error_cost
    priced = price is not None and cost is not None
    spent, saved = (labels * price, mended * cost) if price is not None and cost is not None else (None, None)
    verdict: Verdict = "does not pay"
    if (saved or 0) > (spent or 0) if priced else mended >= WORTH * labels:
        verdict = "pays"
    return Forecast(
        next_labels=labels,
        errors=number(metrics.expected_errors),
        mended=number(mended),
        price=spent,
        saved=saved,
        verdict=verdict,
        sentence=forecast_sentence(verdict, labels, mended, spent, saved),
    )
