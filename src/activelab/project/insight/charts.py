"""The charts of dashboard and report, drawn once: small trees of SVG elements.

The report writes them as text, the dashboard builds them element by element from JSON. Colours are in
``static/look.css``; colour is never the only difference between two series.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Literal, NamedTuple

from pydantic import Field

from activelab.project.insight.results import CurvePoint, QualityHistogram, Result
from activelab.project.insight.words import of_hundred

WIDE, NARROW = 520, 340
"""Widths to draw at; narrow ones for phones, on which words then keep their size."""

_HEIGHT = 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 14, 12, 34  # edges
_ROUNDS = 8  # with a bar each
_ROW, _NAME, _VALUE = 26, 74, 60  # of bars: height, and room for words on both sides

Scale = Callable[[float], float]


class Drawing(Result):
    """An element of SVG."""

    tag: Literal["svg", "line", "polyline", "circle", "rect", "text", "title"]
    attributes: dict[str, str]
    text: str | None
    children: list[Drawing]

    def __html__(self) -> str:
        """As text of SVG, escaped; Jinja calls it."""
        attributes = "".join(f' {name}="{escape(value)}"' for name, value in self.attributes.items())
        inside = escape(self.text or "") + "".join(child.__html__() for child in self.children)
        return f"<{self.tag}{attributes}>{inside}</{self.tag}>"


class LegendEntry(Result):
    """A series by its name, and how it is drawn."""

    name: str
    drawing: Drawing


class Chart(Result):
    """A drawing that says in its label what it shows, and its legend."""

    drawing: Drawing
    legend: list[LegendEntry]


class Charts(Result):
    """The charts of the dashboard; None before there is something to draw."""

    learning_curve: Chart | None = Field(description="Accuracy over the number of labels.")
    quality: Chart | None = Field(description="How many consensus labels are of which quality.")
    new_share: Chart | None = Field(description="Share of new examples in the last batches.")


def draw_charts(curve: Sequence[CurvePoint], quality: QualityHistogram, width: int = WIDE) -> Charts:
    """All charts of a project.

    Parameters
    ----------
    curve : sequence of CurvePoint
        From `learning_curve`.
    quality : QualityHistogram
        From `quality_histogram`.
    width : int
        In units of the drawing, in which words are 12 high.
    """
    return Charts(
        learning_curve=_curve(curve, width),
        quality=_quality(quality, width),
        new_share=_new_share(curve, width),
    )


# ------------------------------------------------------------------ what is drawn


def _curve(curve: Sequence[CurvePoint], width: int) -> Chart | None:
    if any(point.expected_error is not None for point in curve):
        return _error_curve(curve, width)
    series = [
        _Series(name, values)
        for name, values in (
            (
                "Model against the majority of the labels, cross-validated",
                [point.cv_accuracy for point in curve],
            ),
            ("Labels expected to be right", [point.expected_accuracy for point in curve]),
        )
        if any(value is not None for value in values)
    ]
    if not series:
        return None
    last = curve[-1]
    label = (
        f"Accuracy over {len(curve)} rounds. Last: model {_percent(last.cv_accuracy)}, "
        f"labels expected to be right {_percent(last.expected_accuracy)}."
    )
    return _lines(label, [point.num_labels or 0 for point in curve], series, "labels", width)


def _error_curve(curve: Sequence[CurvePoint], width: int) -> Chart:
    """What `_curve` is of classes without an order."""
    series = [
        _Series("Model against the mean rating, cross-validated", [point.cv_error for point in curve]),
        _Series("Labels, as expected", [point.expected_error for point in curve]),
    ]
    last = curve[-1]
    label = (
        f"Mean error over {len(curve)} rounds, in points of the scale. Last: model {_points(last.cv_error)}, "
        f"labels as expected {_points(last.expected_error)}."
    )
    at = [point.num_labels or 0 for point in curve]
    return _lines(label, at, series, "labels", width, _points)


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _quality(quality: QualityHistogram, width: int) -> Chart | None:
    if quality.mean is None:
        return None
    mean = f"{of_hundred(quality.mean)} of 100 expected to be right"
    label, title = f"Quality of the labels: {mean}", f"quality; {mean}"
    return _histogram(label, quality.edges, quality.counts, title, width)


def _new_share(curve: Sequence[CurvePoint], width: int) -> Chart | None:
    rows = [(f"round {point.round}", point.new_share) for point in curve if point.new_share is not None]
    parts = ("new examples", "second opinions")
    return _bars("Share of new examples in each batch", rows[-_ROUNDS:], parts, width) if rows else None


# ------------------------------------------------------------------ kinds of charts


class _Series(NamedTuple):
    name: str
    values: Sequence[float | None]


def _lines(
    label: str,
    at: Sequence[int],
    series: Sequence[_Series],
    title: str,
    width: int,
    words: Callable[[float | None], str] | None = None,
) -> Chart:
    """Lines over the number of labels, of shares unless ``words`` says otherwise; None is a gap."""
    known = [value for one in series for value in one.values if value is not None]
    low = max(0.0, math.floor((min(known) - 0.02) * 20) / 20)
    high = math.ceil((max(known) + 0.02) * 20) / 20
    high = min(1.0, high) if words is None else high
    first, last = (min(at), max(at)) if max(at) > min(at) else (at[0] - 1, at[0] + 1)
    x = _scale(first, last, _LEFT + 8, width - _RIGHT - 8)
    y = _scale(low, high, _HEIGHT - _BOTTOM, _TOP)
    marks = [(x(tick), f"{tick:,.0f}") for tick in _ticks(first, last) if len({*at}) > 1 or tick == at[0]]
    said = words or (lambda value: f"{100 * (value or 0):.0f} %")
    rules = [(y(tick), said(tick)) for tick in _ticks(low, high)]
    inside: list[Drawing] = []
    for turn, (name, values) in enumerate(series):
        points = [(x(n), y(value), value) for n, value in zip(at, values, strict=True) if value is not None]
        path = " ".join(f"{_short(px)},{_short(py)}" for px, py, _ in points)
        inside.append(_element("polyline", points=path, class_=f"series s{turn}"))
        told = words or _percent
        inside += [_mark(turn, px, py, f"{name}: {told(value)}") for px, py, value in points]
    legend = [LegendEntry(name=one.name, drawing=_sample(turn)) for turn, one in enumerate(series)]
    return Chart(drawing=_frame(label, width, marks, rules, title, inside), legend=legend)


def _histogram(label: str, edges: Sequence[float], counts: Sequence[int], title: str, width: int) -> Chart:
    """Bars between edges."""
    most = max(*counts, 1)
    x = _scale(edges[0], edges[-1], _LEFT, width - _RIGHT)
    y = _scale(0, most, _HEIGHT - _BOTTOM, _TOP)
    marks = [(x(tick), f"{round(tick, 2):g}") for tick in _ticks(edges[0], edges[-1])]
    rules = [(y(tick), f"{tick:,.0f}") for tick in _ticks(0, most) if tick == round(tick)]
    bars = [
        _element(
            "rect",
            _element("title", text=f"{left:.2f} to {right:.2f}: {count:,}"),
            x=x(left) + 1, width=x(right) - x(left) - 2,
            y=y(count), height=y(0) - y(count), rx=2, class_="bar",
        )
        for left, right, count in zip(edges, edges[1:], counts, strict=False)
        if count
    ]  # fmt: skip
    return Chart(drawing=_frame(label, width, marks, rules, title, bars), legend=[])


def _bars(label: str, rows: Sequence[tuple[str, float]], parts: tuple[str, str], width: int) -> Chart:
    """A bar a row, in two parts; a row says what it is and the share of the first part."""
    inside: list[Drawing] = []
    end = width - _VALUE
    for place, (name, share) in enumerate(rows):
        top, split = place * _ROW + 4, _scale(0, 1, _NAME, end)(share)
        inside += [
            _element("text", text=name, x=_NAME - 10, y=top + 14, class_="end"),
            _element("rect", x=_NAME, y=top, width=split - _NAME, height=18, class_="bar"),
            _element("rect", x=split, y=top, width=end - split, height=18, class_="bar other"),
            _element("text", text=f"{100 * share:.0f} %", x=end + 8, y=top + 14),
        ]
    legend = [
        LegendEntry(
            name=name,
            drawing=_swatch(14, 14, _element("rect", width=14, height=14, class_=kind)),
        )
        for name, kind in zip(parts, ("bar", "bar other"), strict=True)
    ]
    return Chart(drawing=_svg(label, width, _ROW * len(rows) + 4, inside), legend=legend)


# ------------------------------------------------------------------ pieces


def _frame(
    label: str,
    width: int,
    marks: Iterable[tuple[float, str]],
    rules: Iterable[tuple[float, str]],
    title: str,
    inside: Iterable[Drawing],
) -> Drawing:
    """A chart with words along its lower edge and rules across."""
    right, bottom = width - _RIGHT, _HEIGHT - _BOTTOM
    axes: list[Drawing] = []
    for y, words in rules:
        axes.append(_element("line", x1=_LEFT, x2=right, y1=y, y2=y, class_="rule"))
        axes.append(_element("text", text=words, x=_LEFT - 8, y=y + 4, class_="end"))
    axes += [_element("text", text=words, x=x, y=bottom + 17, class_="middle") for x, words in marks]
    middle = (_LEFT + right) / 2
    axes.append(_element("text", text=title, x=middle, y=_HEIGHT - 4, class_="middle"))
    return _svg(label, width, _HEIGHT, [*axes, *inside])


def _svg(label: str, width: float, height: float, inside: Iterable[Drawing]) -> Drawing:
    attributes = {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": label, "class": "chart"}
    return Drawing(tag="svg", attributes=attributes, text=None, children=[*inside])


def _swatch(width: int, height: int, *inside: Drawing) -> Drawing:
    """A sample in a legend; screen readers read the name beside it."""
    box = {"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
    return Drawing(tag="svg", attributes={**box, "aria-hidden": "true"}, text=None, children=[*inside])


def _sample(turn: int) -> Drawing:
    line = _element("line", x1=0, x2=24, y1=6, y2=6, class_=f"series s{turn}")
    return _swatch(24, 12, line, _mark(turn, 12, 6, None))


def _mark(turn: int, x: float, y: float, words: str | None) -> Drawing:
    told = [] if words is None else [_element("title", text=words)]
    if turn == 0:
        return _element("circle", *told, cx=x, cy=y, r=3.5, class_="mark0")
    return _element("rect", *told, x=x - 3.5, y=y - 3.5, width=7, height=7, class_="mark1")


def _element(
    tag: Literal["line", "polyline", "circle", "rect", "text", "title"],
    *children: Drawing,
    text: str | None = None,
    **attributes: float | str,
) -> Drawing:
    shown = {name.rstrip("_"): _short(value) for name, value in attributes.items()}
    return Drawing(tag=tag, attributes=shown, text=text, children=[*children])


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{round(value, 1):g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}".replace("%", " %")


def _scale(low: float, high: float, start: float, end: float) -> Scale:
    return lambda value: start + (value - low) / ((high - low) or 1) * (end - start)


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from low to high, at most ``count`` steps apart."""
    span = (high - low) or 1
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(one * power for one in (1, 2, 5, 10) if span / (one * power) <= count + 1e-9)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
