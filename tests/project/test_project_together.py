"""Several questions about the same examples: shared, asked together, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from project_store import add_person, new_project

from activelab._errors import InputError
from activelab.project import Project
from activelab.project.files.export import table_of
from activelab.project.labelling.companions import follow
from activelab.project.questions import Asked, add_question, lease_together

STARS = {"question": "ordinal", "classes": ("1", "2", "3"), "title": "Stars"}
TOPICS = {"question": "multilabel", "classes": ("price", "speed"), "title": "Topics"}
ANSWERS = {"mood": "a", "stars": "2", "topics": ["price"]}


class Group:
    """Three questions about the same examples, and the people of each by name."""

    def __init__(self, place: str, n: int = 12, **settings: object) -> None:
        def at(name: str) -> str:
            if "://" in place:
                return f"{place}{'&' if '?' in place else '?'}schema={name}"
            return place.replace("project.db", f"{name}.db")

        self.at = at
        lead, _ = new_project(at("mood"), n, 0, **settings)
        self.projects = {"mood": lead}
        for name, changes in (("stars", STARS), ("topics", TOPICS)):
            self.projects[name] = add_question(lead, {**changes, **settings}, at(name), name=name)
        self.people = {
            who: [Asked(name, one, add_person(one, who)) for name, one in self.projects.items()]
            for who in ("ann", "bob")
        }

    def __getitem__(self, name: str) -> Project:
        return self.projects[name]

    def labels(self) -> dict[str, Counter[int]]:
        """How many labels each example has, by question."""
        found = {}
        for name, one in self.projects.items():
            given = one.label_sets() if name == "topics" else one.labels()
            found[name] = Counter(given.example.tolist())
        return found


@pytest.fixture
def made() -> Iterator[list[Group]]:
    groups: list[Group] = []
    yield groups
    for one in groups:
        for project in one.projects.values():
            project.close()


def test_examples_are_those_of_the_lead(place, made):
    made.append(group := Group(place))
    lead, stars = group["mood"], group["stars"]
    lead.add_examples((f"late{i}", {"text": f"late {i}"}) for i in range(3))
    for one in (stars, group["topics"]):
        assert one.example_names() == lead.example_names()
        assert one.examples(range(15)) == lead.examples(range(15))
        assert one.ties.about == "mood"
    assert lead.ties.companions == ("stars", "topics")
    with pytest.raises(InputError, match="asks about the examples of 'mood'; add them there"):
        stars.add_examples([("own", {"text": "own"})])
    with pytest.raises(InputError, match="'stars' asks about the examples of 'mood'; name that one"):
        add_question(stars, TOPICS, group.at("more"), name="more")
    other, _ = new_project(group.at("other"), 20, 0)
    with (
        other,
        pytest.raises(InputError, match="not those of 'other': it has 15, of which the last is 'late2'"),
    ):
        follow(other.database, stars.database)


def test_features_come_with_the_examples(place, made):
    made.append(group := Group(place, 0))
    values = np.arange(14, dtype=float).reshape(7, 2)
    for some in (slice(0, 4), slice(4, 7)):
        rows = [(f"e{i}", {"x": i}) for i in range(7)][some]
        group["mood"].add_examples(rows, features=values[some])
    assert group["topics"].features().tolist() == values.tolist()


def test_all_that_is_asked_of_an_example_comes_together_and_each_label_once(place, made):
    made.append(group := Group(place, leased_ahead=4))
    seen, turn = {who: list[int]() for who in group.people}, 0
    while True:
        who = ("ann", "bob")[turn % 2]
        found = lease_together(group.people[who], None)
        if not found:
            break
        turn += 1
        first = found[0][1].example_id
        asked = [(one, lease) for one, lease in found if lease.example_id == first]
        assert found[: len(asked)] == asked
        assert [one.name for one, _ in asked] == ["mood", "stars", "topics"]
        seen[who].append(first)
        for one, lease in asked:
            one.project.record(one.annotator_id, lease.id, "label", label=ANSWERS[one.name])
    assert sorted(seen["ann"] + seen["bob"]) == list(range(12))
    assert all(counts == Counter(range(12)) for counts in group.labels().values())
    table = table_of(group["topics"], "questions")[0].to_pylist()
    assert [row["example"] for row in table] == group["mood"].example_names()
    labels = {name: label if isinstance(label, str) else tuple(label) for name, label in ANSWERS.items()}
    for row in table:
        said = {name: row[f"{name}_label"] for name in ANSWERS}
        assert {name: one if isinstance(one, str) else tuple(one) for name, one in said.items()} == labels


def test_each_question_asks_what_it_wants_first(place, made):
    """What stars wants most is asked soon, though mood would come to it last."""
    made.append(group := Group(place, 40, leased_ahead=1))
    ann = group.people["ann"]
    wanted = [7, 23, 31]
    group["stars"].ask_again(ann[1].annotator_id, wanted)
    met = list[int]()
    while not {*wanted} <= {*met}:
        first, *_ = found = lease_together(ann, None)
        met.append(first[1].example_id)
        for one, lease in found:
            if lease.example_id == met[-1]:
                one.project.record(one.annotator_id, lease.id, "label", label=ANSWERS[one.name])
    assert len(met) < 20
    assert len({*met} - {*wanted}) > 0


def test_what_was_begun_comes_first(place, made):
    """Wherever it stands among what is in hand, as after a page is loaded again."""
    made.append(group := Group(place, 12, leased_ahead=6))
    ann = group.people["ann"]
    held = [lease.example_id for one, lease in lease_together(ann, None) if one.name == "mood"]
    for code in (held[4], held[2]):
        one, lease = next(pair for pair in lease_together(ann, None) if pair[1].example_id == code)
        one.project.record(one.annotator_id, lease.id, "label", label=ANSWERS[one.name])
    found = [(one.name, lease.example_id) for one, lease in lease_together(ann, 4, hold=False)]
    begun = list(dict.fromkeys(code for _, code in found))[:2]
    assert sorted(begun) == sorted([held[4], held[2]])
    assert found[:4] == [(name, code) for code in begun for name in ("stars", "topics")]


def test_what_a_question_does_not_want_is_not_asked(place, made):
    made.append(group := Group(place, 6))
    group["stars"].change_settings({"budget": 2})
    group["topics"].set_gold({"e0": ["price"], "e1": []})
    group["mood"].add_labels((f"e{i}", "elsewhere", "a") for i in range(2, 6))
    asked = Counter()
    while found := lease_together(group.people["ann"], 2):
        for one, lease in found:
            one.project.record(one.annotator_id, lease.id, "label", label=ANSWERS[one.name])
            asked[one.name, lease.example_id] += 1
    assert max(asked.values()) == 1
    counts = Counter(name for name, _ in asked)
    assert counts == {"mood": 2, "stars": 2, "topics": 4}
    assert {code for name, code in asked if name == "topics"} == {2, 3, 4, 5}


def test_what_is_shown_is_kept_with_the_first_answer(place, made):
    made.append(group := Group(place, 6))
    ann, bob = group.people["ann"], group.people["bob"]
    shown = lease_together(ann, 2, hold=False)
    assert [one.name for one, _ in shown] == ["mood", "stars", "topics"] * 2
    assert all(one.project.held(one.annotator_id) == set() for one in ann)
    one, lease = shown[0]
    one.project.record(one.annotator_id, lease.id, "label", label="b")
    have = {one.name: [lease.id for other, lease in shown if other is one] for one in ann}
    ahead = lease_together(ann, None, have=have)
    held = {one.name: {lease.example_id for lease in one.project.leases_of(one.annotator_id)} for one in ann}
    first = lease.example_id
    assert first in held["stars"]
    assert held["stars"] == held["topics"] == held["mood"] | {first}
    assert lease_together(ann, 2, hold=False)[0][1].example_id in held["stars"]  # as after a reload
    others = {lease.example_id for _, lease in lease_together(bob, None)}
    assert others
    assert not others & held["stars"]
    assert ahead
