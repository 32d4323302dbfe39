"""Searching the examples of a project, and asking again about some of them."""

from __future__ import annotations

import numpy as np
import pytest
from project_store import add_person

from activelab import InputError
from activelab.project import insight
from activelab.project.files.doctor import examine
from activelab.project.files.export import export_table
from activelab.project.training.round import train_round

TEXTS = [
    "Card lost in PARIS",
    "the card was stolen",
    "Straße gesperrt",
    "100 % refund",
    'he said "no"',
    "plain",
]


@pytest.fixture
def pool(make):
    """Six texts: two people disagree on the first, agree on the next two; one skips the fourth."""

    def build(place, **settings):
        project, people = make(place, 0, 3, **settings)
        project.add_examples(
            (f"m{i}", {"text": one, "priority": "high" if i < 2 else "low"}) for i, one in enumerate(TEXTS)
        )
        boss = add_person(project, "boss", role="adjudicator")
        project.add_labels(
            [("m0", "ann0", "a"), ("m0", "ann1", "b"), ("m1", "ann0", "b"), ("m1", "ann1", "b")]
        )
        while (lease := project.lease(people[2])[0]).example_id != 3:
            project.record(people[2], lease.id, "unsure")
        project.record(people[2], lease.id, "skip", reason="too short")
        return project, people, boss

    return build


def found(project, **wanted):
    return insight.search(project, insight.Search(**wanted)).tolist()


def test_words_fields_answers_and_reasons_are_found(place, pool):
    project, _, boss = pool(place)
    assert found(project, words="CARD") == [0, 1]
    assert found(project, words="paris card") == [0]
    assert found(project, words='"card was"') == [1]
    assert found(project, words="STRAßE GESPERRT") == [2]
    assert found(project, words="100 %") == [3]
    assert found(project, words="_") == []
    assert found(project, words="'said \"no\"'") == [4]
    assert found(project, words="text") == []  # the name of a field is no content
    assert found(project, words="priority=high m1") == [1]
    assert found(project, words="m4") == [4]
    assert found(project, words='card "') == []

    assert found(project, only="disagreement") == [0]
    assert found(project, only="skipped") == [3] == found(project, reason="too short")
    assert found(project, only="labelled") == [0, 1]
    assert found(project, only="unlabelled", words="priority=low") == [2, 3, 4, 5]
    assert found(project, annotator="ann0", said="b") == [1]
    assert found(project, label="b", source="consensus", at_least=0.9) == [1]
    project.decide(boss, 2, "c")
    assert found(project, source="adjudicated", label="c") == [2]

    facets = insight.facets(project)
    assert facets.annotators == ["ann0", "ann1", "ann2"]
    assert facets.fields == ["priority"]
    assert [(one.reason, one.number) for one in facets.reasons] == [("too short", 1)]
    for wanted in ({"label": "z"}, {"annotator": "nobody"}, {"round": 7}):
        with pytest.raises(InputError, match=str(next(iter(wanted.values())))):
            found(project, **wanted)


def test_rows_say_what_is_known_in_the_order_asked_for(place, pool):
    project, _, boss = pool(place)
    project.decide(boss, 5, "c")
    train_round(project, pred_probs=np.full((6, 3), 0.1) + 0.7 * np.eye(3)[[0, 1, 2, 2, 2, 1]])
    first = insight.browse(project, insight.Search(sort="labels"), limit=2)
    assert first.total == 6
    assert [row.example for row in first.rows] == ["m0", "m1"]
    assert {(one.label, one.number) for one in first.rows[0].answers} == {("a", 1), ("b", 1)}
    assert found(project, only="model") == [5]
    assert found(project, sort="latest")[0] == 3
    quality = insight.final_labels(project).quality
    by_quality = found(project, sort="quality")
    assert by_quality[:3] == sorted([0, 1, 5], key=lambda code: quality[code])
    served = [row.id for row in insight.queue_head(project)]
    assert [code for code in found(project, sort="worth") if code in served] == served
    # Of what was answered while it was served.
    assert found(project, round=0) == sorted({*found(project, annotator="ann2"), 0, 1})
    assert found(project, round=1) == []


def test_an_example_asked_about_again_comes_first_until_somebody_else_answers(place, pool):
    project, people, boss = pool(place, max_labels=2, train_every=None)
    project.decide(boss, 4, "c")
    assert project.ask_again(boss, [1, 4, 99]) == 1
    # Who has answered is not asked, and two labels are the most otherwise.
    assert project.lease(people[0])[0].example_id != 1
    lease = project.lease(people[2], count=1)
    assert [one.example_id for one in lease] == [1]
    # A round that is trained meanwhile asks first, too.
    train_round(project, pred_probs=np.full((6, 3), 1 / 3))
    project.record(people[2], lease[0].id, "skip")
    fourth = add_person(project, "ann3")
    assert [one.example_id for one in project.lease(fourth)] == [1]
    project.record(fourth, project.lease(fourth)[0].id, "label", label="a")
    assert project.labels().counts[1] == 3
    fifth = add_person(project, "ann4")
    assert project.lease(fifth)[0].example_id != 1
    assert [one.problem for one in examine(project) if one.problem] == []
    train_round(project, pred_probs=np.full((6, 3), 1 / 3))
    assert 1 not in [row.id for row in insight.queue_head(project)]


def test_several_are_decided_and_exported(place, pool, tmp_path):
    project, _, boss = pool(place)
    assert project.decide_all(boss, [0, 2, 2], "c") == 2 == project.decide_all(boss, [0, 2], "c")
    assert len(insight.decision_list(project)) == 2
    with pytest.raises(InputError, match="no example 77"):
        project.decide_all(boss, [77], "c")
    export_table(project, "consensus", tmp_path / "some.csv", examples=[1, 2])
    rows = (tmp_path / "some.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["m1", "m2"]
