"""The settings of a project: checked, stored, changed, and described in one place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

import activelab as al
from activelab import InputError
from activelab.acquisition import METHODS
from activelab.project import Settings, create_project, open_project
from activelab.project.fields import change_of
from activelab.project.store.schema import setting
from activelab.strategies import Strategy

# What is written for a field of a kind when nothing else is known of it.
SAMPLES = {"text": "words", "list": ["pkg:a=1", "pkg:b=2"], "switch": True}


def sample(view):
    """A value of a field that is not its default, wherever there is another."""
    if view.kind == "choice":
        return view.choices[-1]
    if view.kind in ("whole", "number"):
        middle = (view.low + min(view.high, view.low + 10)) / 2
        return int(middle) if view.kind == "whole" else middle
    return not view.default if view.kind == "switch" else SAMPLES[view.kind]


VIEWS = Settings.views()


@pytest.fixture
def sqlite(tmp_path):
    return str(tmp_path / "project.db")


def test_every_field_says_what_it_is():
    assert list(VIEWS) == list(Settings.model_fields) == list(Settings().to_dict())
    for view in VIEWS.values():
        assert view.title
        assert view.help.endswith(".")
        assert view.shown.group
        assert view.words
        if view.kind in ("whole", "number"):
            assert view.low < view.high, f"{view.name} has no range"


@pytest.mark.parametrize("name", list(VIEWS))
def test_every_field_is_stored_and_read_again(sqlite, name):
    value = sample(VIEWS[name])
    partner = {
        "label_price": {"error_cost": 1.0},
        "error_cost": {"label_price": 1.0},
        "class_notes": {"classes": SAMPLES["list"]},
        "scale_ends": {"question": "ordinal"},
        "loss": {"question": "ordinal"},
        "ask": {"question": "multilabel"},
    }.get(name, {})
    with create_project(sqlite, Settings(**{name: value}, **partner)) as project:
        stored = project.settings.to_dict()
    assert stored[name] == value
    with open_project(sqlite) as again:
        assert again.settings.to_dict() == stored
        assert again.settings == Settings(**stored)


@pytest.mark.parametrize("name", list(VIEWS))
@pytest.mark.parametrize("value", [object(), {}, b"x", [1], float("nan"), None])
def test_what_a_field_cannot_be_is_refused_by_its_name(name, value):
    if value is None and VIEWS[name].optional:
        return
    for refuse in (lambda: Settings(**{name: value}), lambda: Settings().changed({name: value})):
        with pytest.raises(InputError, match=f"^{name} (should be|must lie)"):
            refuse()


@pytest.mark.parametrize("name", [view.name for view in VIEWS.values() if view.kind in ("whole", "number")])
def test_both_ends_of_a_range_are_in_it(name):
    view = VIEWS[name]
    pair = (
        {"label_price": view.high, "error_cost": view.high} if name in ("label_price", "error_cost") else {}
    )
    for value in (view.low, view.high):
        assert getattr(Settings(**{**pair, name: value}), name) == value
    step = 1 if view.kind == "whole" else 1e-10
    for value in (view.low - step, view.high * (1 + 1e-9) + step):
        value = int(value) if view.kind == "whole" else value
        with pytest.raises(InputError, match=f"^{name} must lie between .* and .*, got"):
            Settings(**{name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gold_rate": 2}, "gold_rate must lie between 0 and 1, got 2."),
        ({"batch_size": 0}, "batch_size must lie between 1 and 1,000,000,000, got 0."),
        ({"batch_size": 1.5}, "batch_size should be a whole number, got 1.5."),
        ({"batch_size": True}, "batch_size should be a whole number, got True."),
        ({"budget": "some"}, "budget should be a whole number or none, got 'some'."),
        ({"classes": "ab"}, "classes should be a list of texts, got 'ab'."),
        ({"classes": ["a", "a"]}, "classes must be distinct names, got 'a', 'a'."),
        ({"automatic": 1}, "automatic should be yes or no, got 1."),
    ],
)
def test_a_refusal_is_one_sentence(changes, message):
    for refuse in (lambda: Settings(**changes), lambda: Settings().changed(changes)):
        with pytest.raises(InputError) as caught:
            refuse()
        assert str(caught.value) == message


def test_a_name_that_is_unknown_is_refused_with_the_nearest():
    for refuse in (lambda: Settings(budgt=3), lambda: Settings().changed({"budgt": 3})):
        with pytest.raises(
            InputError, match=r"^unknown setting 'budgt'. Did you mean 'budget'\? Known: title"
        ):
            refuse()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": ""}, "title must have 1 to 200 characters, got 0."),
        ({"title": "x" * 201}, "title must have 1 to 200 characters, got 201."),
        ({"classes": ["a", "x" * 201]}, "each of classes must have 1 to 200 characters, got 201."),
        ({"guidelines": "a\x00b"}, "guidelines holds characters that cannot be stored."),
        ({"guidelines": "\udc80"}, "guidelines holds characters that cannot be stored."),
    ],
)
def test_texts_that_are_asked_for_have_limits(changes, message):
    with pytest.raises(InputError) as caught:
        Settings().changed(changes)
    assert str(caught.value) == message


def test_methods_are_those_registered_at_that_moment(monkeypatch):
    monkeypatch.setattr(METHODS, "_parts", {"activelab": al.ActiveLab})
    with pytest.raises(InputError, match="unknown method 'by_length_of_id'"):
        Settings(method="by_length_of_id")

    @al.register("by_length_of_id")
    def score(labels, pred_probs):
        return pred_probs[0].max(axis=1)

    assert Settings(method="by_length_of_id").method == "by_length_of_id"
    assert "by_length_of_id" in Settings.views()["method"].choices


def test_parts_of_ones_own_are_named_by_import_path():
    settings = Settings().changed(
        {"method": "activelab:Uncertainty", "assignment": "activelab.assignment:RoundRobin"}
    )
    assert isinstance(settings.strategy().acquisition, al.Uncertainty)
    assert Settings(method="activelab+passes=2").strategy().passes == 2
    with pytest.raises(InputError, match="cannot import the method 'activelab:nothing'"):
        Settings(method="activelab:nothing")


def test_a_project_opens_where_a_part_of_ones_own_is_missing(sqlite):
    create_project(sqlite, Settings(classes=("a", "b"))).close()
    project = open_project(sqlite)
    missing = {"name": "method", "value": '"no_such_module:method"'}
    project.database.write(
        lambda c: (
            c.execute(delete(setting).where(setting.c.name == "method")),
            c.execute(insert(setting), missing),
        )
    )
    project.close()
    again = open_project(sqlite)
    assert again.settings.method == "no_such_module:method"
    with pytest.raises(InputError, match="cannot import the method 'no_such_module:method'"):
        again.settings.strategy()
    again.close()


def test_a_project_stored_by_an_earlier_version_opens(sqlite):
    """Names it did not know have their defaults, names only it knew are left out, long texts stay."""
    create_project(sqlite, Settings(classes=("a", "b"), budget=7)).close()
    long = "x" * 300

    def age(connection):
        connection.execute(delete(setting).where(setting.c.name.in_(["prices", "skip_settled", "seed"])))
        connection.execute(insert(setting), {"name": "colour", "value": '"red"'})
        connection.execute(update(setting).where(setting.c.name == "title").values(value=json.dumps(long)))
        connection.execute(update(setting).where(setting.c.name == "lease_seconds").values(value="600"))

    with open_project(sqlite) as project:
        project.database.write(age)
    with open_project(sqlite) as project:
        assert project.settings == Settings(classes=("a", "b"), budget=7, title=long)
        project.change_settings({"budget": 8})  # the title is none of its business
        assert (project.settings.budget, project.settings.title) == (8, long)


def test_a_stored_value_that_cannot_be_is_named(sqlite):
    with create_project(sqlite, Settings()) as project:
        project.database.write(
            lambda c: c.execute(update(setting).where(setting.c.name == "cv").values(value='"five"'))
        )
    with pytest.raises(InputError, match="cv should be a whole number, got 'five'"):
        open_project(sqlite)


@given(st.dictionaries(st.sampled_from(list(VIEWS)), st.none() | st.booleans() | st.integers() | st.floats()
                       | st.text(max_size=5) | st.lists(st.text(max_size=5), max_size=3)))  # fmt: skip
def test_whatever_is_asked_for_is_set_or_refused_in_words(changes):
    before = Settings(classes=("a",))
    try:
        after = before.changed(changes)
    except InputError:
        assert before == Settings(classes=("a",))
        return
    for name, value in changes.items():
        assert after.to_dict()[name] == value
    assert Settings(**json.loads(json.dumps(after.to_dict()))) == after


def test_a_new_field_is_a_change_like_the_others():
    """Nothing but the model says which fields there are."""
    from typing import Annotated

    from pydantic import Field

    from activelab.project.fields import Shown

    class More(Settings):
        shade: Annotated[int, Field(title="Shade", ge=1, le=9), Shown("Looks")] = 3
        """How dark it is."""

    view = More.views()["shade"]
    assert (view.kind, view.help, view.low, view.high, view.default) == ("whole", "How dark it is.", 1, 9, 3)
    assert More(shade=4).to_dict()["shade"] == 4
    with pytest.raises(InputError, match="shade must lie between 1 and 9, got 10"):
        More(shade=10)
    remote = change_of(More, "Change", "", remote=True)
    assert remote(shade=5).model_dump(exclude_unset=True) == {"shade": 5}
    assert {"kind", "models", "image_root"} == set(More.model_fields) - set(remote.model_fields)


def test_the_parts_of_a_strategy():
    settings = Settings(
        method="recommended", batching="diverse", prices=("ann=2",), assignment="thompson", max_share=0.5,
        skip_settled=True,
    )  # fmt: skip
    strategy = Strategy(
        "recommended", batching="diverse", prices={"ann": 2.0}, assignment="thompson", max_share=0.5,
        skip_settled=True,
    )  # fmt: skip
    assert settings.strategy() == strategy
    assert Settings().strategy() == Strategy("recommended")
