"""A project in one HTML file: what the dashboard shows, to keep or to send."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from activelab.project import Project, insight

__all__ = ["project_report"]

_WIDTH, _HEIGHT, _EDGE = 560, 220, 44
_COLOURS = ("#1f5fa8", "#b4530a")
_SHOWN = 20
_COEFFICIENTS = {
    "krippendorff_alpha": "Krippendorff’s alpha",
    "fleiss_kappa": "Fleiss’ kappa",
    "gwet_ac1": "Gwet’s AC1",
}


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
    curve = insight.learning_curve(project)
    sections = [
        ("Where it stands", _state(now)),
        ("Learning curve", _curve(curve)),
        ("Does more labelling pay?", _forecast(insight.gain_forecast(project))),
        ("Quality of the consensus", _histogram(insight.quality_histogram(project))),
        ("Annotators", _annotators(insight.annotator_table(project))),
        ("Agreement", _pairs(insight.pair_agreement(project, _SHOWN))),
        ("To adjudicate", _adjudication(insight.adjudication_list(project, _SHOWN))),
        ("Served next", _queue(insight.queue_head(project, _SHOWN))),
        ("Rounds", _rounds(insight.rounds_table(project))),
    ]
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    body = "".join(f"<section><h2>{escape(title)}</h2>{content}</section>" for title, content in sections)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(now['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(now['title'])}</h1><p>{escape(now['kind'])} · {made}</p></header>"
        f"<main>{body}</main></body></html>\n"
    )


# ------------------------------------------------------------------ sections


def _state(now: dict[str, Any]) -> str:
    budget = "no limit" if now["budget"] is None else f"{now['left']:,} of {now['budget']:,}"
    current = now["round"]
    facts = [
        ("Labels", f"{now['labels']:,}"),
        ("Examples labelled", f"{now['labelled']:,} of {now['examples']:,}"),
        ("Budget left", budget),
        ("Annotators", f"{now['annotators']:,}"),
        ("Waiting in the queue", f"{now['queue_length']:,}"),
        ("Round", "none yet" if current is None else f"{current['number']}"),
        ("Method", now["method"]),
        ("Classes", ", ".join(now["classes"]) or "none yet"),
    ]
    return "<dl>" + "".join(f"<div><dt>{a}</dt><dd>{escape(b)}</dd></div>" for a, b in facts) + "</dl>"


def _curve(curve: list[dict[str, Any]]) -> str:
    if not curve:
        return "<p>No round has been trained yet.</p>"
    lines = [
        (words, [(row["num_labels"], row[name]) for row in curve if row[name] is not None])
        for name, words in insight.METRICS.items()
    ]
    columns = ("Round", "Labels", "Labelled", "Expected", "Cross-validated", "Re-labels in the batch")
    rows = [
        (row["round"], _count(row["num_labels"]), _count(row["num_labelled"]),
         *(_share(row[name]) for name in ("expected_accuracy", "cv_accuracy", "relabel_share")))
        for row in curve
    ]  # fmt: skip
    return _line_chart(lines) + _table(columns, rows)


def _forecast(forecast: dict[str, Any] | None) -> str:
    if forecast is None:
        return "<p>Too few rounds to say: four with different numbers of labels are needed.</p>"
    rows = [
        (insight.METRICS[name], _share(one["now"]), _gain(one["gain"]),
         f"{_gain(one['low'])} to {_gain(one['high'])}", _gain(one["last_gains"][-1]))
        for name, one in forecast["metrics"].items()
    ]  # fmt: skip
    columns = ("Measure", "Now", f"Next {forecast['next_labels']:,} labels", "80 % interval", "Last round")
    verdict = {"pays": "It still pays.", "levels off": "It levels off.", "unclear": "It is not clear yet."}
    words = f"{verdict[forecast['verdict']]} Based on {forecast['based_on']}"
    return f"<p>{escape(words)}</p>{_table(columns, rows)}"


def _histogram(histogram: dict[str, Any]) -> str:
    if histogram["mean"] is None:
        return "<p>No round has been trained yet.</p>"
    return f"<p>Mean quality: {_share(histogram['mean'])}</p>" + _bar_chart(
        histogram["edges"], histogram["counts"], "consensus labels by quality"
    )


def _annotators(people: list[dict[str, Any]]) -> str:
    columns = (
        "Name",
        "Labels",
        "Skips",
        "Unsure",
        "Median seconds",
        "Agrees with consensus",
        "Weight",
        "Gold",
    )
    rows = [
        (one["name"], _count(one["labels"]), _count(one["skips"]), _count(one["unsure"]),
         _plain(one["median_seconds"]), _of(one["agreement"], one["agreement_n"]), _plain(one["weight"]),
         _of(one["gold_accuracy"], one["gold_n"]))
        for one in people
    ]  # fmt: skip
    return _table(columns, rows)


def _pairs(pairs: dict[str, Any]) -> str:
    overall = [
        (_COEFFICIENTS.get(one["name"], one["name"]), _plain(one["value"]),
         "–" if one["low"] is None else f"{one['low']:.2f} to {one['high']:.2f}",
         _count(one["n_items"]), one["note"])
        for one in pairs["overall"]
    ]  # fmt: skip
    names = pairs["annotators"]
    cells = [
        (name, *(_of(share, n) for share, n in zip(agree, shared, strict=True)))
        for name, agree, shared in zip(names, pairs["agreement"], pairs["shared"], strict=True)
    ]
    hidden = (
        f"<p>{pairs['left_out']:,} people with fewer labels are not shown.</p>" if pairs["left_out"] else ""
    )
    return (
        _table(("Coefficient", "Value", "95 % interval", "Examples", "Note"), overall)
        + (_table(("", *names), cells) if names else "")
        + hidden
    )


def _adjudication(examples: list[dict[str, Any]]) -> str:
    rows = [
        (one["example"], one["why"], _share(one["quality"]), one["consensus"] or "–", one["predicted"] or "–",
         "; ".join(f"{vote['annotator']}: {vote['label'] or vote['kind']}" for vote in one["votes"]))
        for one in examples
    ]  # fmt: skip
    return _table(("Example", "Why", "Quality", "Consensus", "Model", "Answers"), rows)


def _queue(head: list[dict[str, Any]]) -> str:
    rows = [
        (one["position"] + 1, one["example"], one["kind"], _plain(one["score"]), _count(one["num_labels"]),
         one["consensus"] or "–", _share(one["quality"]))
        for one in head
    ]  # fmt: skip
    return _table(("Place", "Example", "Kind", "Score", "Labels", "Consensus", "Quality"), rows)


def _rounds(table: list[dict[str, Any]]) -> str:
    rows = [
        (one["round"], one["state"], one["method"] or "–", ", ".join(one["models"]), _plain(one["seconds"]),
         " ".join(_plain(value) for value in one["temperature"]) or "–",
         " ".join(_plain(value) for value in one["model_weight"]) or "–",
         one["error"] or " ".join(one["notes"]))
        for one in table
    ]  # fmt: skip
    return _table(("Round", "State", "Method", "Models", "Seconds", "Temperature", "Weight", "Notes"), rows)


# ------------------------------------------------------------------ pieces


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join("<tr>" + "".join(_cell(str(value)) for value in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(text: str) -> str:
    """Short values stay in one line, so that only words wrap on a narrow screen."""
    return f"<td{' class=one' if len(text) < 24 else ''}>{escape(text)}</td>"


def _count(value: int) -> str:
    return f"{value:,}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _gain(value: float) -> str:
    return f"{100 * value:+.2f} points"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _of(value: float | None, number: int | None) -> str:
    return "–" if value is None else f"{value:.0%} of {number:,}"


def _line_chart(lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> str:
    xs = [x for _, points in lines for x, _ in points]
    ys = [y for _, points in lines for _, y in points]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    low, high = max(low - 0.01, 0.0), min(high + 0.01, 1.0)

    def place(x: float, y: float) -> tuple[float, float]:
        along = (x - left) / (right - left) if right > left else 0.5
        up = (y - low) / (high - low)
        return _EDGE + along * (_WIDTH - 2 * _EDGE), _HEIGHT - _EDGE - up * (_HEIGHT - 2 * _EDGE)

    parts = [_axes(f"{left:,}", f"{right:,} labels", f"{low:.0%}", f"{high:.0%}")]
    for turn, (name, points) in enumerate(lines):
        places = [place(*point) for point in points]
        colour, dashes = _COLOURS[turn % 2], ' stroke-dasharray="6 4"' if turn % 2 else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        parts.append(f'<text x="{_EDGE}" y="{14 + 16 * turn}" fill="{colour}">{escape(name)}</text>')
    return _svg("Learning curve", parts)


def _bar_chart(edges: Sequence[float], counts: Sequence[int], name: str) -> str:
    most, width = max(*counts, 1), (_WIDTH - 2 * _EDGE) / len(counts)
    parts = [_axes(f"{edges[0]:g}", f"{edges[-1]:g}", "0", f"{most:,}")]
    for place, count in enumerate(counts):
        height = (_HEIGHT - 2 * _EDGE) * count / most
        parts.append(
            f'<rect x="{_EDGE + place * width + 1:.1f}" y="{_HEIGHT - _EDGE - height:.1f}" '
            f'width="{width - 2:.1f}" height="{height:.1f}" fill="{_COLOURS[0]}">'
            f"<title>{edges[place]:g} to {edges[place + 1]:g}: {count:,}</title></rect>"
        )
    return _svg(name, parts)


def _axes(left: str, right: str, low: str, high: str) -> str:
    bottom, end = _HEIGHT - _EDGE, _WIDTH - _EDGE
    return (
        f'<path d="M{_EDGE} {_EDGE}V{bottom}H{end}" fill="none" stroke="currentColor"/>'
        f'<text x="{_EDGE}" y="{bottom + 18}">{left}</text>'
        f'<text x="{end}" y="{bottom + 18}" text-anchor="end">{right}</text>'
        f'<text x="{_EDGE - 6}" y="{bottom}" text-anchor="end">{low}</text>'
        f'<text x="{_EDGE - 6}" y="{_EDGE + 4}" text-anchor="end">{high}</text>'
    )


def _svg(name: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(name)}">{"".join(parts)}</svg>'
    )


_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{margin:0}header p{margin:0;opacity:.75}
section{border:1px solid #8884;border-radius:10px;padding:0 1.25rem 1.25rem;margin-top:1.25rem}
h2{font-size:1.1rem}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:1rem}
dd{margin:0;font-weight:600}dt{font-size:.85rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}
th,td{text-align:left;padding:.375rem 1rem .375rem 0;border-bottom:1px solid #8884;vertical-align:top}
td{font-variant-numeric:tabular-nums}.one{white-space:nowrap}table+table,.wide+.wide{margin-top:1rem}
svg{width:100%;max-width:40rem;font-size:12px}svg text:not([fill]){fill:currentColor}
"""
