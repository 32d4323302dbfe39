"""Classes renamed, merged, split and retired while people label: what becomes of all that was said."""

from __future__ import annotations

import functools
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from activelab import InputError
from activelab.project import Settings, create_project, open_project
from activelab.project.files.doctor import examine, repair
from activelab.project.files.export import table_of
from activelab.project.insight import final_labels
from activelab.project.labelling.reclassing import Reclass
from activelab.project.training.round import train_round


def sound(project):
    """Nothing derived differs from what the events and the changes of classes say."""
    assert [one for one in examine(project) if one.problem] == []


def said(project):
    """The labels that count, in words."""
    labels = project.labels()
    rows = zip(labels.example.tolist(), labels.annotator.tolist(), labels.label.tolist(), strict=True)
    return sorted((f"e{e}", labels.annotators[a], labels.classes[c]) for e, a, c in rows)


def merge(*classes, into):
    return Reclass("merge", classes, (into,))


def test_a_renamed_class_has_its_new_name_everywhere_but_in_history(place, make):
    project, people = make(place, 4)
    project.add_labels([("e0", "ann0", "a"), ("e1", "ann0", "b")])
    change = project.change_classes(Reclass("rename", ("a",), ("bug",)), by=people[0], why="clearer")
    assert (change.by, change.why, change.counts["answers"]) == (None, "clearer", 1)
    project.add_labels([("e2", "ann0", "bug"), ("e3", "ann0", "a")])  # a file with the old name
    assert project.settings.classes == ("bug", "b", "c")
    assert said(project) == [
        ("e0", "ann0", "bug"),
        ("e1", "ann0", "b"),
        ("e2", "ann0", "bug"),
        ("e3", "ann0", "bug"),
    ]
    assert table_of(project, "events")[0].column("label").to_pylist() == ["a", "b", "bug", "bug"]
    (kept,) = project.class_changes()
    assert (kept.by, kept.action, kept.before[0], kept.after[0]) == ("ann0", "rename", "a", "bug")
    sound(project)


def test_merged_answers_count_together_and_each_person_once(place, make):
    project, people = make(place, 7)
    project.add_labels([("e0", "ann0", "a"), ("e0", "ann1", "b"), ("e1", "ann0", "c"), ("e2", "ann1", "b")])
    project.decide(people[2], 3, "b")
    project.set_gold({"e4": "a", "e5": "c"})
    lease = project.lease(people[2], 1)[0]
    change, effect = project.preview_classes(merge("a", "b", into="ab"))
    assert str(effect) == "3 answers, 1 decision and 1 known answer follow"
    assert (change.after, project.settings.classes) == (("ab", "c"), ("a", "b", "c"))
    project.change_classes(merge("a", "b", into="ab"))
    project.record(people[2], lease.id, "label", label="b", source="page")  # an open page
    project.correct(people[0], 0, "label", label="ab")
    names = {row[0]: row[1:] for row in said(project)}
    assert len(said(project)) == 5
    assert names["e1"] == ("ann0", "c")
    assert {label for _, _, label in said(project)} == {"ab", "c"}
    final = final_labels(project)
    assert [final.naming.name(code) for code in final.label[[0, 3, 4, 5]]] == ["ab", "ab", "ab", "c"]
    events = table_of(project, "events")[0].column("label").to_pylist()
    assert events == ["a", "b", "c", "b", "b", "ab", None, "ab"]  # a correction undoes what was said
    sound(project)


def test_answers_to_a_class_that_is_split_are_set_aside_and_asked_again(place, make):
    project, people = make(place, 6)
    project.add_labels([("e0", "ann0", "a"), ("e1", "ann0", "a"), ("e1", "ann1", "b"), ("e2", "ann0", "c")])
    project.decide(people[2], 3, "a")
    project.set_gold({"e4": "a"})
    _, effect = project.preview_classes(Reclass("split", ("a",), ("a1", "a2")))
    assert str(effect) == (
        "2 answers, 1 decision and 1 known answer are set aside and count no more; "
        "4 examples are asked about again"
    )
    project.change_classes(Reclass("split", ("a",), ("a1", "a2")))
    assert project.settings.classes == ("a1", "a2", "b", "c")
    assert said(project) == [("e1", "ann1", "b"), ("e2", "ann0", "c")]
    # Whoever had answered is asked again, before all others, and what was open before is refused.
    leases = project.lease(people[0], 4)
    assert {one.example_id for one in leases} == {0, 1, 3, 4}
    with pytest.raises(InputError, match="'a' was split into 'a1', 'a2': choose one of these"):
        project.record(people[0], leases[0].id, "label", label="a", source="page")
    for one in leases:
        project.record(people[0], one.id, "label", label="a2", source="page")
    assert ("e0", "ann0", "a2") in said(project)
    sound(project)


def test_a_retired_class_is_offered_no_more_and_its_answers_follow_if_wanted(place, make):
    project, _ = make(place, 4)
    project.add_labels([("e0", "ann0", "a"), ("e1", "ann0", "b")])
    project.change_classes(Reclass("retire", ("a",), ("c",)))
    assert said(project) == [("e0", "ann0", "c"), ("e1", "ann0", "b")]
    project.change_settings({"classes": ["b", "c", "d"]})
    project.change_classes(Reclass("retire", ("b",)))
    assert said(project) == [("e0", "ann0", "c")]
    with pytest.raises(InputError, match="'b' is retired: choose another"):
        project.add_labels([("e2", "ann0", "b")])
    with pytest.raises(InputError, match="'a' was the name of what is 'c' now"):
        project.change_settings({"classes": ["c", "d", "a"]})
    project.change_settings({"classes": ["c", "d", "b"]})  # comes back; what was set aside stays so
    assert said(project) == [("e0", "ann0", "c")]
    sound(project)


def test_codes_read_before_a_change_are_not_stored_after_it(place, make, again):
    """A server that has not noticed yet would store the code of another class."""
    project, people = make(place, 4)
    other = again(place)
    lease = other.lease(people[0], 1)[0]
    project.change_classes(Reclass("retire", ("a",)))
    other.record(people[0], lease.id, "label", label="c", source="page")
    other.decide(people[1], 2, "b")
    assert [row[2] for row in said(project)] == ["c"]
    assert project.known_truths()[2] == 0
    sound(project)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Reclass("rename", ("x",), ("y",)), "'x'"),
        (Reclass("rename", ("a",), ("b",)), "there is a class 'b' already; to make one of both, merge them"),
        (Reclass("rename", ("a",), ("  ",)), "a class needs a name"),
        (Reclass("merge", ("a",), ("d",)), "to merge takes two classes"),
        (Reclass("split", ("a",), ("a", "d")), "a part needs a name of its own"),
        (Reclass("retire", ("a",), ("x",)), "'x'"),
        (merge("a", "b", "c", into="d"), "only one would be left"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why_and_changes_nothing(tmp_path, make, wanted, why):
    project, _ = make(str(tmp_path / "p.db"), 2)
    with pytest.raises(InputError, match=why):
        project.change_classes(wanted)
    assert (project.settings.classes, project.class_changes()) == (("a", "b", "c"), [])


def test_of_a_scale_only_neighbours_become_one_point(tmp_path, make):
    project, _ = make(
        str(tmp_path / "p.db"), 3, question="ordinal", classes=("1", "2", "3", "4"), method="expected_loss"
    )
    project.add_labels([("e0", "ann0", "1"), ("e0", "ann1", "3"), ("e1", "ann0", "4")])
    for wanted, why in (
        (merge("1", "3", into="1"), "only neighbouring points"),
        (Reclass("split", ("1",), ("0", "1.5")), "cannot be split"),
        (Reclass("retire", ("2",)), "retire '2' as one of its neighbours"),
        (Reclass("retire", ("1",), ("4",)), "only neighbouring points"),
    ):
        with pytest.raises(InputError, match=why):
            project.change_classes(wanted)
    project.change_classes(merge("3", "4", into="3"))
    project.change_classes(Reclass("retire", ("1",), ("2",)))
    assert [row[2] for row in said(project)] == ["2", "3", "3"]
    sound(project)


def test_sets_lose_merge_and_split_their_classes(place, make):
    project, people = make(
        place, 5, question="multilabel", classes=("a", "b", "c"), method="expected_loss", ask="classes"
    )
    project.add_labels(
        [
            ("e0", "ann0", "a|b"), ("e1", "ann0", "c"), ("e2", "ann0", "|"),
            ("e3", "ann0", "a", "a"), ("e3", "ann0", "|", "b"),  # yes to a: yes to both
            ("e4", "ann0", "|", "a"), ("e4", "ann0", "|", "b"), ("e4", "ann1", "|", "a"),  # two noes; one
        ]
    )  # fmt: skip
    project.change_classes(merge("a", "b", into="ab"))
    sets = project.label_sets()
    assert sets.classes.tolist() == ["ab", "c"]
    told = {
        (int(e), sets.annotators[a]): (chosen.tolist(), asked.tolist())
        for e, a, chosen, asked in zip(sets.example, sets.annotator, sets.chosen, sets.asked, strict=True)
    }
    both, first = [True, True], [True, False]
    assert told == {
        (0, "ann0"): ([True, False], both),
        (1, "ann0"): ([False, True], both),
        (2, "ann0"): ([False, False], both),
        (3, "ann0"): ([True, False], first),
        (4, "ann0"): ([False, False], first),
    }
    sound(project)
    # Derived again from the events, through the change.
    project.database.write(lambda c: c.execute(text("DELETE FROM answer WHERE example_id > 1")))
    assert "answers" in {one.name for one in repair(project) if one.problem}
    sound(project)
    assert np.array_equal(project.label_sets().chosen, sets.chosen)
    project.change_classes(Reclass("split", ("ab",), ("x", "y")))
    project.change_classes(Reclass("retire", ("c",)))
    assert sorted(project.label_sets().example.tolist()) == [1, 2]
    assert {one.example_id for one in project.lease(people[1], 4)} >= {0, 3}
    sound(project)


def test_a_round_goes_on_with_its_probabilities_in_the_classes_of_now(place, make):
    project, _ = make(place, 12, labels_per_round=2)
    project.add_labels([(f"e{i}", f"ann{j}", "abc"[(i + j // 2) % 3]) for i in range(8) for j in range(3)])
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 12)
    train_round(project, pred_probs=shares)
    project.change_classes(merge("a", "b", into="ab"))
    final = final_labels(project)
    assert final.naming.classes == ("ab", "c")
    assert final.notes == ()
    sound(project)
    # The same from the start: the probabilities of merged classes add up.
    summed = np.column_stack([shares[:, :2].sum(axis=1), shares[:, 2]])
    train_round(project, pred_probs=summed)
    there = final_labels(project)
    assert there.label.tolist() == final.label.tolist()
    np.testing.assert_allclose(there.quality, final.quality, atol=2e-6)
    project.change_classes(Reclass("split", ("ab",), ("a", "b")))
    assert len(final_labels(project).naming.classes) == 3
    sound(project)


@functools.cache
def _empty(folder):
    create_project(folder / "empty.db", Settings(method="activelab")).close()
    with open_project(folder / "empty.db") as project:
        project.add_examples((f"e{i}", {"text": f"text {i}"}) for i in range(4))
    return folder / "empty.db"


def copied(factory, again, classes):
    """A project of four examples; to make the tables anew each time would take longest."""
    path = factory.mktemp("same") / "project.db"
    shutil.copy(_empty(factory.getbasetemp()), path)
    project = again(path)
    project.change_settings({"classes": list(classes)})
    return project


OPERATIONS = st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 9)), max_size=4)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS, given_=st.lists(st.integers(0, 4), min_size=12, max_size=12))
def test_the_consensus_is_as_if_all_had_answered_in_the_classes_of_now(
    tmp_path_factory, again, operations, given_
):
    classes = ["c0", "c1", "c2", "c3", "c4"]
    became = {name: name for name in classes}
    project = copied(tmp_path_factory, again, classes)
    answers = [(f"e{at % 4}", f"ann{at // 4}", classes[code]) for at, code in enumerate(given_)]
    project.add_labels(answers[:6])
    for turn, (rename, one, other) in enumerate(operations):
        there = project.settings.classes
        old, into = there[one % len(there)], f"n{turn}" if rename else there[other % len(there)]
        if old == into or (not rename and len(there) == 2):
            continue
        project.change_classes(Reclass("rename" if rename else "merge", (old,), (into,)))
        became = {name: into if now == old else now for name, now in became.items()}
    project.add_labels(answers[6:])  # some under names of long ago
    anew = copied(tmp_path_factory, again, project.settings.classes)
    anew.add_labels([(e, who, became[name]) for e, who, name in answers])
    one, other = final_labels(project), final_labels(anew)
    assert one.label.tolist() == other.label.tolist()
    np.testing.assert_array_equal(one.quality, other.quality)
    sound(project)
