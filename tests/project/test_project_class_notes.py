"""What is known of classes beside their names: written, refused, renamed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activelab import InputError
from activelab.project import Settings, create_project
from activelab.project.class_notes import ClassNote, parse_notes, rename_notes
from activelab.project.labelling.reclassing import Reclass

CLASSES = ("refund", "late courier", "spam")


def test_a_line_says_all_there_is_to_say():
    line = "late courier | colour=#C33 | key=L | Not here. | group = Delivery | e.g. Where is it, key=word?"
    settings = Settings(classes=CLASSES, class_notes=(line, "spam"))
    assert settings.notes == {
        "late courier": ClassNote("l", "#cc3333", "Delivery", "Not here.", "Where is it, key=word?"),
        "spam": ClassNote(),
    }


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["refnd | key=r"], "line 1: 'refnd' is none of the classes. Did you mean 'refund'?"),
        (["spam", "refund | kye=r"], "line 2, 'refund': unknown part 'kye'. Did you mean 'key'? There are"),
        (["refund | key=s"], "line 1, 'refund': the key 's' skips an example on the page; take another."),
        (["refund | key=rr"], "line 1, 'refund': a key is one letter or digit, got 'rr'."),
        (
            ["refund | key=r", "spam | key=R"],
            "line 2: 'refund' has the key 'r' already; give 'spam' another.",
        ),
        (
            ["refund | colour=red"],
            "line 1, 'refund': a colour is written as #rrggbb, such as #cc3333, got 'red'",
        ),
        (["refund | a | b"], "line 1, 'refund': a second description, 'b'; a class has one, and | stands"),
        (["refund |"], "line 1, 'refund': the description is empty; write one, or take the bar away."),
        (["refund", "refund"], "line 2: 'refund' has a line already; keep one of them."),
    ],
)
def test_a_mistake_is_told_with_its_line(lines, message):
    for refuse in (
        lambda: Settings(classes=CLASSES, class_notes=lines),
        lambda: Settings(classes=CLASSES).changed({"class_notes": lines}),
    ):
        with pytest.raises(InputError) as caught:
            refuse()
        assert str(caught.value).startswith(f"class_notes, {message}")


def light(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    return sum(
        weight * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4)
        for weight, v in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
    )


@given(st.integers(0, 0xFFFFFF))
def test_any_colour_can_be_read(number):
    note = parse_notes([f"a | colour=#{number:06x}"])["a"]
    low, high = sorted((light(note.colour), light(note.ink)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_notes_follow_classes_that_are_renamed_merged_or_gone():
    lines = ("refund | key=r | Money back.", "spam | key=x", "late courier")
    assert rename_notes(lines, {"refund": "money"})[0] == "money | key=r | Money back."
    assert rename_notes(lines, {"refund": None}) == lines[1:]
    assert rename_notes(lines, {"refund": "spam"}) == ("spam | key=x", "late courier")


def test_notes_go_with_their_classes(tmp_path):
    settings = Settings(
        classes=("refund", "spam", "card", "other"),
        class_notes=("refund | key=r", "spam | Unwanted.", "card | key=k"),
    )
    with create_project(tmp_path / "p.db", settings) as project:
        project.change_classes(Reclass("rename", ("refund",), ("money back",)))
        project.change_classes(Reclass("retire", ("spam",)))
        project.change_classes(Reclass("merge", ("card", "money back"), ("card",)))
        assert project.settings.class_notes == ("card | key=k",)
