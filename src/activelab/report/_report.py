"""What the report shows, section by section; report.html lays it out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from activelab.project import Project, insight
from activelab.project.insight.charts import NARROW, WIDE, Chart, Charts, draw_charts
from activelab.project.insight.results import (
    AnnotatorRow,
    AuditResult,
    Case,
    CurvePoint,
    Headline,
    Overview,
    PairAgreement,
    QualityHistogram,
    QueueRow,
    RoundRow,
    Vote,
)
from activelab.project.labelling.naming import Named
from activelab.project.labelling.summary import AnnotatorAccuracy

_SHOWN = 20
_QUALITY = "Quality of the labels"
_UNTRAINED = "No round has been trained yet."
_COEFFICIENTS = {
    "krippendorff_alpha": "Krippendorff’s alpha",
    "fleiss_kappa": "Fleiss’ kappa",
    "gwet_ac1": "Gwet’s AC1",
    "krippendorff_alpha_masi": "Krippendorff’s alpha, MASI",
    "krippendorff_alpha_jaccard": "Krippendorff’s alpha, Jaccard",
    "krippendorff_alpha_ordinal": "Krippendorff’s alpha, ordinal",
    "krippendorff_alpha_interval": "Krippendorff’s alpha, interval",
    "fleiss_kappa_linear": "Fleiss’ kappa, linear weights",
    "fleiss_kappa_quadratic": "Fleiss’ kappa, quadratic weights",
    "gwet_ac2_linear": "Gwet’s AC2, linear weights",
    "gwet_ac2_quadratic": "Gwet’s AC2, quadratic weights",
}
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class _Section:
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    sentences: tuple[str, ...] = ()
    charts: tuple[Chart | None, Chart | None] = (None, None)
    """For wide and for narrow screens."""
    tables: tuple[_Table, ...] = ()


def project_report(project: Project) -> str:
    """The state of a project as one HTML page that needs nothing else: no script, no file, no network.

    Parameters
    ----------
    project : Project

    Returns
    -------
    str
    """
    now = insight.overview(project)
    curve, quality = insight.learning_curve(project), insight.quality_histogram(project)
    charts = draw_charts(curve, quality, WIDE), draw_charts(curve, quality, NARROW)
    sections = [
        _headline(insight.headline(project)),
        _state(now),
        _curve(curve, charts),
        _quality(quality, charts),
        _audit(insight.audit_list(project)),
        _annotators(insight.annotator_table(project)),
        _agreement(insight.pair_agreement(project, _SHOWN)),
        _cases(insight.adjudication_list(project, _SHOWN)),
        _queue(insight.queue_head(project, _SHOWN)),
        _rounds(insight.rounds_table(project)),
    ]
    return _templates.get_template("report.html").render(
        title=now.title,
        kind=now.kind,
        made=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        sections=sections,
        style=insight.LOOK.read_text(encoding="utf-8"),
    )


# ------------------------------------------------------------------ sections


def _state(now: Overview) -> _Section:
    unlimited = now.budget is None or now.left is None
    facts = (
        ("Labels", f"{now.labels:,}"),
        ("Examples labelled", f"{now.labelled:,} of {now.examples:,}"),
        ("Decided by adjudicators", f"{now.decided:,}"),
        ("Right answer known", f"{now.gold:,}"),
        ("Budget left", "no limit" if unlimited else f"{now.left:,.15g} of {now.budget:,}"),
        ("Answers: cannot tell", f"{now.abstentions:,}"),
        ("Annotators", f"{now.annotators:,}"),
        ("Waiting in the queue", f"{now.queue_length:,}"),
        ("Round", "none yet" if now.round is None else f"{now.round.number}"),
        ("Question", now.question),
        ("Method", now.method),
        ("Classes", ", ".join(now.classes) or "none yet"),
    )
    return _Section("Where it stands", facts=facts)


def _curve(curve: Sequence[CurvePoint], charts: tuple[Charts, Charts]) -> _Section:
    title = "Learning curve"
    if not curve:
        return _Section(title, sentences=(_UNTRAINED,))
    on_scale = any(point.expected_error is not None for point in curve)
    measures = ("Labels right, expected", "Model")
    if on_scale:
        measures = ("Error of labels, expected", "Error of the model")
    columns = (
        "Round", "Labels", "Examples labelled", *measures,
        "Second opinions in the batch",
    )  # fmt: skip
    rows = [
        (str(point.round), _count(point.num_labels), _count(point.num_labelled),
         *((_plain(point.expected_error), _plain(point.cv_error)) if on_scale
           else (_share(point.expected_accuracy), _share(point.cv_accuracy))),
         _share(point.relabel_share))
        for point in curve
    ]  # fmt: skip
    drawn = charts[0].learning_curve, charts[1].learning_curve
    return _Section(title, charts=drawn, tables=(_Table(title, columns, rows),))


def _headline(said: Headline) -> _Section:
    forecast = said.forecast
    words = (said.sentence, said.audit, "" if forecast is None else forecast.sentence, said.stale)
    return _Section("How good the labels are", sentences=tuple(one for one in words if one))


def _quality(quality: QualityHistogram, charts: tuple[Charts, Charts]) -> _Section:
    if quality.mean is None:
        return _Section(_QUALITY, sentences=(_UNTRAINED,))
    return _Section(_QUALITY, charts=(charts[0].quality, charts[1].quality))


def _audit(audits: Sequence[AuditResult]) -> _Section:
    title = "Audit"
    if not audits:
        return _Section(title, sentences=("No labels have been checked by an audit.",))
    latest = audits[0]
    facts = (
        ("Checked", f"{latest.checked:,} of {latest.drawn:,}"),
        ("Wrong, and corrected", f"{latest.wrong:,}"),
        ("Stated quality", _share(latest.stated)),
        ("Decided or known", f"{latest.known:,}"),
        ("Safe to ship", f"{latest.safe:,} of {latest.labels:,}"),
    )
    drawn = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(latest.time))
    words = (
        latest.sentence,
        f"Of the labels as they were on {drawn}. Of those safe to ship at most {_share(latest.epsilon)} are "
        f"wrong, with {1 - latest.delta:.0%} confidence.",
    )
    shares = [
        (one.label, _share(one.share), f"{_share(one.low)} to {_share(one.high)}") for one in latest.classes
    ]
    tables = [_Table("How common each class is", ("Class", "Share", "Interval"), shares)] if shares else []
    if len(audits) > 1:
        rows = [(f"{one.id}", f"{one.checked:,} of {one.drawn:,}", one.sentence) for one in audits[1:]]
        tables.append(_Table("Earlier audits", ("Audit", "Checked", "Result"), rows))
    return _Section(title, facts=facts, sentences=words, tables=tuple(tables))


def _annotators(people: Sequence[AnnotatorRow]) -> _Section:
    title = "Annotators"
    kin = any(who.accuracy and (who.accuracy.voice or 1) < 0.995 for who in people)
    on_scale = any(who.accuracy and who.accuracy.shift is not None for who in people)
    several = any(who.accuracy and who.accuracy.sensitivity is not None for who in people)
    columns = (
        "Name", "Labels", "Right of 100, expected", *(("Shift", "Spread") if on_scale else ()),
        *(("Sensitivity", "Specificity") if several else ()),
        "Comparisons", *(("Voices",) if kin else ()),
        "Known answers right", "Agrees with others", "Skips", "Cannot tell", "Median seconds",
    )  # fmt: skip
    rows = [
        (who.name, _count(who.labels), who.accuracy_words,
         *(_use_of_scale(who.accuracy) if on_scale else ()),
         *(_by_class(who.accuracy) if several else ()),
         _rounded(None if who.accuracy is None else who.accuracy.comparisons),
         *((_plain(None if who.accuracy is None else who.accuracy.voice),) if kin else ()),
         _of(who.gold_accuracy, who.gold_n), _of(who.agreement, who.agreement_n),
         _count(who.skips), _count(who.unsure), _plain(who.median_seconds))
        for who in people
    ]  # fmt: skip
    return _Section(title, tables=(_Table(title, columns, rows),))


def _agreement(pairs: PairAgreement) -> _Section:
    overall = [
        (_coefficient(one.name), _plain(one.value),
         "–" if one.low is None or one.high is None else f"{one.low:.2f} to {one.high:.2f}",
         _count(one.n_items), one.note)
        for one in pairs.overall
    ]  # fmt: skip
    tables = [_Table("Agreement", ("Coefficient", "Value", "95 % interval", "Examples", "Note"), overall)]
    if pairs.annotators:
        cells = [
            (name, *(_of(share, n) for share, n in zip(agree, shared, strict=True)))
            for name, agree, shared in zip(pairs.annotators, pairs.agreement, pairs.shared, strict=True)
        ]
        tables.append(_Table("Agreement of each two", ("", *pairs.annotators), cells))
    hidden = (f"{pairs.left_out:,} people with fewer labels are not shown.",) if pairs.left_out else ()
    return _Section("Agreement", sentences=hidden, tables=tuple(tables))


def _coefficient(name: str) -> str:
    """A coefficient in words; of a class it is called as in "gwet_ac1 of refund"."""
    known, of, rest = name.partition(" of ")
    return f"{_COEFFICIENTS.get(known, known)}{of}{rest}"


def _cases(cases: Sequence[Case]) -> _Section:
    title = "To adjudicate"
    rows = [
        (case.example, case.why, _share(case.quality), _name(case.consensus), _name(case.predicted),
         "; ".join(f"{vote.annotator}: {_said(vote)}" for vote in case.votes))
        for case in cases
    ]  # fmt: skip
    columns = ("Example", "Why", "Quality", "Consensus", "Model", "Answers")
    return _Section(title, tables=(_Table(title, columns, rows),))


def _queue(head: Sequence[QueueRow]) -> _Section:
    title = "Served next"
    rows = [
        (str(row.position + 1), row.example, row.kind if row.asked is None else f"{row.asked}?",
         _plain(row.score), _count(row.num_labels),
         _name(row.consensus), _share(row.quality))
        for row in head
    ]  # fmt: skip
    columns = ("Place", "Example", "Kind", "Score", "Labels", "Consensus", "Quality")
    return _Section(title, tables=(_Table(title, columns, rows),))


def _rounds(rounds: Sequence[RoundRow]) -> _Section:
    title = "Rounds"
    rows = [
        (str(row.round), row.state, row.method or "–", ", ".join(row.models), _plain(row.seconds),
         " ".join(_plain(value) for value in row.temperature) or "–",
         " ".join(_plain(value) for value in row.model_weight) or "–",
         row.error or " ".join(row.notes))
        for row in rounds
    ]  # fmt: skip
    columns = ("Round", "State", "Method", "Models", "Seconds", "Temperature", "Weight", "Notes")
    return _Section(title, tables=(_Table(title, columns, rows),))


# ------------------------------------------------------------------ words


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _said(vote: Vote) -> str:
    said = {"unsure": "cannot tell", "skip": "skipped"}.get(vote.kind)
    if vote.asked is None:
        return said or _name(vote.label)
    return f"{vote.asked}: {said or ('yes' if vote.label else 'no')}"


def _name(label: Named | None) -> str:
    return (", ".join(label) or "none of these") if isinstance(label, list) else label or "–"


def _use_of_scale(one: AnnotatorAccuracy | None) -> tuple[str, str]:
    """Shift and spread."""
    return ("–", "–") if one is None else (_signed(one.shift), _plain(one.spread))


def _by_class(one: AnnotatorAccuracy | None) -> tuple[str, str]:
    """Sensitivity and specificity."""
    return ("–", "–") if one is None else (_share(one.sensitivity), _share(one.specificity))


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}".replace("-", "−")


def _of(value: float | None, number: int | None) -> str:
    return "–" if value is None or number is None else f"{value:.0%} of {number:,}"
