"""The drawings of dashboard and report, by the places of what is in them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from activelab.project.insight import CurvePoint, QualityHistogram, draw_charts
from activelab.project.insight.charts import NARROW, WIDE, Drawing

NOTHING = QualityHistogram(round=None, edges=[0, 0.5, 1], counts=[0, 0], mean=None)


def point(number, labels, cv, expected, new=None):
    return CurvePoint(
        round=number,
        num_labels=labels,
        num_labelled=None,
        cv_accuracy=cv,
        expected_accuracy=expected,
        expected_errors=None,
        errors_removed=None,
        relabel_share=None if new is None else 1 - new,
        new_share=new,
        finished=None,
        seconds=None,
    )


def parsed(chart):
    return ElementTree.fromstring(chart.drawing.__html__())


def words(svg):
    return [one.text for one in svg.iter("text")]


def places(svg, tag, kind):
    return [one.attrib for one in svg.iter(tag) if one.get("class") == kind]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_learning_curve(width):
    curve = [point(1, 100, 0.5, None), point(2, 200, None, 0.6), point(3, 300, 0.7, 0.8)]
    chart = draw_charts(curve, NOTHING, width).learning_curve
    svg = parsed(chart)
    assert (
        svg.get("aria-label")
        == "Accuracy over 3 rounds. Last: model 70.0 %, labels expected to be right 80.0 %."
    )
    assert (svg.get("role"), svg.get("viewBox")) == ("img", f"0 0 {width} 230")
    model, consensus = (one.get("points").split() for one in svg.iter("polyline"))
    first, middle, last = 56, (56 + width - 22) / 2, width - 22
    # From 45 % at 196 to 85 % at 12, as the values have 2 % of room and the axis ends at a multiple of 5 %.
    assert model == [f"{first},173", f"{last},81"]
    assert consensus == [f"{middle:g},127", f"{last},35"]
    marks = [one.find("title").text for one in svg.iter("circle")]
    assert marks == [f"{chart.legend[0].name}: 50.0 %", f"{chart.legend[0].name}: 70.0 %"]
    assert [one["x"] for one in places(svg, "rect", "mark1")] == [f"{middle - 3.5:g}", f"{last - 3.5:g}"]
    assert words(svg)[:4] == ["50 %", "60 %", "70 %", "80 %"]
    assert words(svg)[4:] == ["100", "150", "200", "250", "300", "labels"]
    for turn, entry in enumerate(chart.legend):
        sample = ElementTree.fromstring(entry.drawing.__html__())
        assert (sample.find("line").get("class"), sample.get("aria-hidden")) == (f"series s{turn}", "true")


def test_one_round_is_a_point_in_the_middle():
    svg = parsed(draw_charts([point(1, 100, 0.5, None)], NOTHING).learning_curve)
    (mark,) = svg.iter("circle")
    assert float(mark.get("cx")) == (56 + WIDE - 22) / 2
    assert "100" in words(svg)
    assert "99" not in words(svg)


def test_the_histogram_of_quality():
    quality = QualityHistogram(round=1, edges=[0, 0.25, 0.5, 0.75, 1], counts=[0, 1, 4, 2], mean=0.6)
    svg = parsed(draw_charts([], quality).quality)
    bars = places(svg, "rect", "bar")
    assert [float(one["height"]) for one in bars] == [46, 184, 92]  # of 184; empty ones have no bar
    assert [float(one["y"]) + float(one["height"]) for one in bars] == [196] * 3
    assert [float(one["x"]) for one in bars] == pytest.approx([163.5, 278, 392.5], abs=0.5)
    titles = [one.find("title").text for one in svg.iter("rect")]
    assert titles == ["0.25 to 0.50: 1", "0.50 to 0.75: 4", "0.75 to 1.00: 2"]
    assert words(svg)[:5] == ["0", "1", "2", "3", "4"]


def test_the_share_of_new_examples():
    curve = [point(number, 100 * number, 0.5, 0.5, new=number / 10) for number in range(11)]
    chart = draw_charts(curve, NOTHING).new_share
    svg = parsed(chart)
    assert words(svg)[::2] == [f"round {number}" for number in range(3, 11)]  # the last eight
    assert words(svg)[1::2] == [f"{10 * number} %" for number in range(3, 11)]
    new, old = places(svg, "rect", "bar"), places(svg, "rect", "bar other")
    for number, left, right in zip(range(3, 11), new, old, strict=True):
        assert float(left["width"]) == pytest.approx(38.6 * number, abs=0.1)
        assert float(left["width"]) + float(right["width"]) == pytest.approx(386, abs=0.2)
    assert [one.name for one in chart.legend] == ["new examples", "second opinions"]


def test_nothing_is_drawn_of_nothing():
    charts = draw_charts([point(1, 100, None, None)], NOTHING)
    assert charts.learning_curve is charts.quality is charts.new_share is None


def test_words_and_attributes_are_escaped():
    attack = "\"'><script>alert(1)</script>&"
    drawing = Drawing(tag="text", attributes={"class": attack}, text=attack, children=[])
    read = ElementTree.fromstring(drawing.__html__())
    assert (read.text, read.get("class"), len(read)) == (attack, attack, 0)
