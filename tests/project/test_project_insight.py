"""What a project says of itself, against numbers worked out by hand."""

from __future__ import annotations

import json
import time
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from project_store import add_person
from sqlalchemy import update

from activelab import InputError
from activelab.project import insight
from activelab.project.labelling import rounds
from activelab.project.labelling.rounds import current_round, get_round, load_array
from activelab.project.labelling.summary import RoundSummary
from activelab.project.store.schema import lease as lease_table
from activelab.project.store.schema import round_
from activelab.project.training.round import train_round
from activelab.report import project_report

N = 8
VOTES = [
    ("e0", "ann0", "a"), ("e0", "ann1", "a"),
    ("e1", "ann0", "a"), ("e1", "ann1", "b"), ("e1", "ann2", "b"),
    ("e2", "ann2", "b"),
    ("e3", "ann0", "b"), ("e3", "ann1", "b"),
]  # fmt: skip
EVERYTHING = (
    insight.overview,
    insight.learning_curve,
    insight.quality_histogram,
    insight.annotator_table,
    insight.pair_agreement,
    insight.queue_head,
    insight.adjudication_list,
    insight.headline,
    insight.rounds_table,
)


@pytest.fixture
def sqlite(tmp_path):
    return str(tmp_path / "project.db")


def publish(project, metrics=None, **changes):
    """A round whose estimates are written by hand."""
    size = project.num_examples
    arrays = {
        "order": np.array([5, 1, 6, 7, 4, 2, 3, 0], np.int32)[:size],
        "scores": np.linspace(0.8, 0.1, N, dtype=np.float32),
        "consensus": np.array([0, 1, 1, 1, -1, -1, -1, -1], np.int32),
        "quality": np.array([0.9, 0.4, 0.55, 1.0, *[np.nan] * 4], np.float32),
        "predicted": np.array([0, 1, 0, 1, 0, 0, 1, 1], np.int32),
    } | changes
    summary = {
        "method": "activelab",
        "models": ["knn"],
        "temperature": [1.5],
        "model_weight": [0.75],
        "annotator_accuracy": 0.8,
        "annotator_weight": {"ann0": 0.25, "ann1": 0.5, "ann2": 0.75},
        "annotators": {
            "ann0": {
                "accuracy": 0.8,
                "low": 0.7,
                "high": 0.9,
                "comparisons": 12.3,
                "voice": 0.5,
                "too_few": False,
            },
            "ann1": {"accuracy": 0.8, "low": 0.4, "high": 0.95, "comparisons": 2.9, "voice": 1.0},
            "ann2": {"comparisons": 0.0, "voice": 1.0},
        },
        "metrics": metrics or {"num_labels": 8, "cv_accuracy": 0.75, "expected_accuracy": 0.7125},
        "notes": [],
    }

    def work(connection):
        number = rounds.begin_round(connection).id
        for name, values in arrays.items():
            rounds.store_array(connection, number, name, values)
        rounds.extend_queue(connection, project.settings, number)
        rounds.publish_round(connection, project.settings, number, RoundSummary.model_validate(summary))

    project.database.write(work)


@pytest.fixture
def small(make):
    def build(place, **settings):
        project, people = make(place, N, 3, **{"classes": ("a", "b"), **settings})
        project.add_labels(VOTES)
        return project, people

    return build


# ------------------------------------------------------------------ overview


def test_overview(place, small):
    project, people = small(place, budget=10, batch_size=4)
    publish(project)
    project.set_gold({"e7": "a"})
    leases = project.lease(people[2], 4)
    project.record(people[2], leases[0].id, "label", label="a", source="page")
    project.record(people[2], leases[1].id, "skip", reason="blurred", source="page")
    project.database.write(
        lambda c: c.execute(update(lease_table).where(lease_table.c.id == leases[3].id).values(expires=1.0))
    )
    now = insight.overview(project)
    assert (now.budget, now.spent, now.left) == (10, 1, 9)
    assert (now.labels, now.labelled, now.examples, now.gold) == (9, 5, 8, 1)
    assert (now.annotators, now.open_leases) == (3, 1)
    # Of eight, one is gold, one labelled, one held, one kept by a lease that has just ended.
    assert now.queue_length == 4
    assert now.round.model_dump() == {
        "number": 1,
        "trained": True,
        "finished": project.database.read(lambda c: get_round(c, 1)).finished,
        "new_labels": 1,
        "new_truths": 1,
        "train_every": 4,
        "share": 0.5,
    }
    assert now.training.model_dump() == {
        "state": "idle",
        "since": None,
        "due": None,
        "automatic": True,
        "error": None,
    }
    assert now.classes == ["a", "b"]


def test_overview_tells_of_a_training(sqlite, small):
    project, people = small(sqlite, batch_size=1)
    assert insight.overview(project).left is None
    begun = project.database.write(rounds.begin_round)
    state = insight.overview(project).training
    assert (state.state, state.since, state.due) == ("running", begun.started, None)
    project.database.write(lambda c: rounds.fail_round(c, begun.id, "no memory"))
    state = insight.overview(project).training
    assert (state.state, state.error) == ("failed", "no memory")
    publish(project)
    project.put_label(people[2], 0, "a", source="api")
    assert insight.overview(project).training.due is None  # four examples are too few
    project.put_label(people[0], 5, "b", source="api")
    assert insight.overview(project).training.due == "2 new labels; a round is trained every 1"


# ------------------------------------------------------------------ rounds


def test_rounds_and_curve(sqlite, small):
    project, _ = small(sqlite)
    assert insight.learning_curve(project) == []
    metrics = {
        "num_labels": 8,
        "num_labelled": 4,
        "num_examples": 8,
        "cv_accuracy": 0.75,
        "expected_accuracy": 0.7125,
        "relabel_share": 0.25,
    }
    publish(project, metrics)
    failed = project.database.write(rounds.begin_round).id
    project.database.write(lambda c: rounds.fail_round(c, failed, "no memory"))
    curve = insight.learning_curve(project)
    assert len(curve) == 1
    now = project.database.read(lambda c: get_round(c, 1))
    said = {name: value for name, value in curve[0].model_dump().items() if value is not None}
    assert said.pop("seconds") == pytest.approx(now.finished - now.started, abs=1e-5)
    assert said == {"round": 1, "new_share": 0.75, "finished": now.finished} | metrics
    table = insight.rounds_table(project)
    assert curve[0].model_dump() == table[1].model_dump(include={*insight.CurvePoint.model_fields})
    assert [(row.round, row.state) for row in table] == [(0, "ready"), (1, "ready"), (2, "failed")]
    assert table[1].temperature == [1.5]
    assert table[1].expected_accuracy == 0.7125
    assert table[1].last_event == 8
    assert table[0].cv_accuracy is None
    assert table[2].error == "no memory"


# ------------------------------------------------------------------ people


def test_annotator_table(place, small):
    project, people = small(place)
    add_person(project, "boss", role="admin")
    publish(project)
    project.set_gold({"e3": "a", "e4": "b", "e5": "b"})
    project.add_examples([("e8", {"text": "x"}), ("e9", {"text": "y"})])
    for seconds, kind in ((2.0, "label"), (9.0, "label"), (4.0, "label"), (70.0, "skip"), (None, "unsure")):
        lease = project.lease(people[2], 1)[0]
        label = "a" if kind == "label" else None
        project.record(people[2], lease.id, kind, label=label, seconds=seconds, source="page")
    project.put_label(people[1], 4, "b", source="api", seconds=3.0)
    rows = {row.name: row for row in insight.annotator_table(project)}
    assert [row.name for row in insight.annotator_table(project)] == ["ann2", "ann1", "ann0", "boss"]
    # Of examples several people labelled when the round was trained: e0 a, e1 b; e3 is known to be a.
    assert (rows["ann0"].agreement, rows["ann0"].agreement_n) == (pytest.approx(1 / 3, abs=1e-6), 3)
    assert (rows["ann1"].agreement, rows["ann1"].agreement_n) == (pytest.approx(2 / 3, abs=1e-6), 3)
    assert (rows["ann2"].agreement, rows["ann2"].agreement_n) == (1, 1)
    assert rows["ann0"].accuracy.accuracy == 0.8
    assert rows["ann0"].accuracy_words == "80 (70 to 90)"
    assert rows["ann1"].accuracy_words == "too few to tell"
    assert rows["ann2"].accuracy_words == "nothing to compare with"
    assert [rows[f"ann{i}"].gold_n for i in range(3)] == [1, 2, 0]
    assert [rows[f"ann{i}"].gold_accuracy for i in range(3)] == [0, 0.5, None]
    two = rows["ann2"]
    assert (two.labels, two.collected, two.skips, two.unsure) == (5, 3, 1, 1)
    assert two.median_seconds == 4
    assert rows["ann0"].median_seconds is None
    assert (rows["boss"].role, rows["boss"].labels) == ("admin", 0)
    assert rows["boss"].accuracy is rows["boss"].agreement is None
    assert rows["boss"].accuracy_words == "–"


def test_agreement_before_the_first_training_is_with_the_majority(sqlite, small):
    project, _ = small(sqlite)
    rows = {row.name: row for row in insight.annotator_table(project)}
    assert rows["ann0"].agreement == pytest.approx(2 / 3, abs=1e-6)
    assert rows["ann1"].agreement == 1
    project.add_labels([("e5", "ann0", "a"), ("e5", "ann1", "a"), ("e5", "ann2", "a")])
    rows = {row.name: row for row in insight.annotator_table(project)}
    assert (rows["ann0"].agreement, rows["ann0"].agreement_n) == (0.75, 4)


def test_pair_agreement(sqlite, small):
    project, _ = small(sqlite)
    pairs = insight.pair_agreement(project)
    assert pairs.annotators == ["ann0", "ann1", "ann2"]
    assert pairs.shared == [[None, 3, 1], [3, None, 1], [1, 1, None]]
    assert pairs.agreement[0][1] == pairs.agreement[1][0] == pytest.approx(2 / 3, abs=1e-6)
    assert (pairs.agreement[0][2], pairs.agreement[1][2]) == (0, 1)
    # (a, a), (a, b), (b, b): 2/3 observed, 2/3 · 1/3 + 1/3 · 2/3 = 4/9 by chance.
    assert pairs.kappa[0][1] == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9), abs=1e-6)
    assert pairs.kappa[1][2] is None  # one shared example: 0 / 0
    assert pairs.left_out == 0
    assert pairs.overall[0].name == "krippendorff_alpha"
    assert pairs.overall[0].n_items == 3
    few = insight.pair_agreement(project, limit=2)
    assert (few.annotators, few.left_out) == (["ann0", "ann1"], 1)
    project.add_labels([("e2", "ann0", "b")])  # seen at once
    assert insight.pair_agreement(project).shared[0][2] == 2


# ------------------------------------------------------------------ examples


def test_quality_histogram(sqlite, small):
    project, _ = small(sqlite)
    nothing = insight.quality_histogram(project)
    assert (nothing.mean, nothing.round, sum(nothing.counts)) == (None, None, 0)
    publish(project)
    found = insight.quality_histogram(project, bins=5)
    assert found.edges == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert found.counts == [0, 0, 2, 0, 2]  # 0.4 and 0.55; 0.9 and 1
    assert found.mean == pytest.approx(0.7125)


def test_queue_head(sqlite, small):
    project, people = small(sqlite)
    assert insight.queue_head(project)[0].score is None
    publish(project)
    project.record(people[2], project.lease(people[2], 1)[0].id, "label", label="a")
    head = insight.queue_head(project, 2)
    assert [row.example for row in head] == ["e1", "e6"]  # e5, the first, was labelled
    assert head[0].model_dump() == {
        "position": 1,
        "id": 1,
        "example": "e1",
        "asked": None,
        "kind": "relabel",
        "num_labels": 3,
        "remaining": 1,
        "label": "b",
        "source": "consensus",
        "score": pytest.approx(0.7),
        "quality": pytest.approx(0.4),
        "expected_error": None,
        "consensus": "b",
        "predicted": "b",
    }
    assert (head[1].kind, head[1].quality, head[1].consensus) == ("new", None, None)
    project.add_examples([("new", {"text": "x"})])
    assert insight.queue_head(project)[-1].position == 7  # the new one is in the order, not in the queue


def test_adjudication(sqlite, small):
    project, people = small(sqlite)
    publish(project)
    boss = add_person(project, "boss", role="adjudicator")
    for who in people:
        leases = {lease.example_id: lease.id for lease in project.lease(who, 8)}
        if 6 in leases:
            project.record(who, leases[6], "skip", reason="cut off", seconds=3.0)
        project.database.write(
            lambda c: c.execute(
                update(lease_table).where(lease_table.c.state == "open").values(expires=time.time() - 1)
            )
        )
    found = insight.adjudication_list(project)
    assert [(row.example, row.why) for row in found] == [
        ("e6", "skipped or unsure"),
        ("e1", "disagreement"),
    ]
    assert found[0].votes[0].model_dump() | {"event": 0, "time": 0} == {
        "event": 0,
        "annotator": "ann0",
        "kind": "skip",
        "label": None,
        "asked": None,
        "reason": "cut off",
        "bulk": False,
        "flagged": False,
        "seconds": 3.0,
        "time": 0,
        "source": "api",
        "accuracy": 0.8,
    }
    assert [(vote.annotator, vote.label) for vote in found[1].votes] == [
        ("ann0", "a"),
        ("ann1", "b"),
        ("ann2", "b"),
    ]
    assert found[1].content == {"text": "text 1"}
    assert [row.example for row in insight.adjudication_list(project, 2)] == ["e6", "e1"]
    project.decide(boss, 6, "a")
    project.decide(boss, 1, "b")
    assert insight.adjudication_list(project) == []


@pytest.fixture
def trained(make):
    """Forty examples, half of them with two labels by four people, and a round over outside predictions."""

    def build(place, single=False, **settings):
        project, people = make(place, 40, 4, **settings)
        rng = np.random.default_rng(2)
        truth = rng.integers(0, 3, 40)
        project.add_labels(
            (f"e{i}", f"ann{who}", "abc"[truth[i] if rng.random() < 0.8 else rng.integers(3)])
            for i in range(20)
            for who in rng.choice(4, 1 if single else 2, replace=False)
        )
        probs = 0.5 * rng.dirichlet(np.ones(3), (2, 40)) + 0.5 * np.eye(3)[truth]
        train_round(project, pred_probs=probs)
        return project, people

    return build


@pytest.mark.parametrize("single", [False, True])
def test_the_parts_of_a_score_add_up_to_it(place, trained, single):
    project, _ = trained(place, single)
    order = project.database.read(lambda c: load_array(c, current_round(c), "order")).tolist()
    for code in range(0, 40, 3):
        why = insight.why_served(project, code)
        assert (why.position, why.of) == (order.index(code), 40)
        weights = [part.weight for part in why.parts]
        mean = np.average([part.says for part in why.parts], weights=weights)
        assert why.score == pytest.approx(mean, abs=2e-6)
        voters = [vote.annotator for vote in why.votes]
        assert [part.who for part in why.parts] == [
            "predictions 1", "predictions 2", *voters, "one more annotator",
        ]  # fmt: skip
        assert why.kind == ("relabel" if code < 20 else "new")
        assert list(why.annotator_weight) == voters
        assert len(voters) == why.num_labels == (0 if code >= 20 else 1 if single else 2)
        assert why.model_weight == project.database.read(lambda c: get_round(c, 1)).summary.model_weight


def test_a_score_is_not_explained_by_what_came_after_it(sqlite, trained):
    project, people = trained(sqlite)
    project.put_label(people[0], 30, "a", source="api")
    why = insight.why_served(project, 30)
    assert why.parts == []
    assert why.kind == "relabel"
    assert why.score is not None
    project.add_examples([("new", {"text": "x"})])
    why = insight.why_served(project, 40)
    assert (why.position, why.score, why.parts, why.kind) == (40, None, [], "new")
    with pytest.raises(InputError, match="no example 41"):
        insight.why_served(project, 41)
    project.set_gold({"new": "a"})
    why = insight.why_served(project, 40)
    assert (why.kind, why.position) == ("gold", None)


def test_where_the_consensus_is_least_sure_each_model_is_heard(sqlite, trained):
    project, _ = trained(sqlite, method="frugal")
    for code in (0, 30):
        why = insight.why_served(project, code)
        assert [(part.who, part.weight) for part in why.parts] == [
            ("predictions 1", None), ("predictions 2", None),
        ]  # fmt: skip
        assert all(0 < part.says < 1 for part in why.parts)


def test_the_score_of_another_method_has_no_such_parts(sqlite, trained):
    project, _ = trained(sqlite, method="entropy")
    why = insight.why_served(project, 0)
    assert (why.method, why.parts) == ("entropy", [])
    assert why.score is not None


# ------------------------------------------------------------------ all of it


def plain(value):
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value if value is None else value.model_dump()


@pytest.mark.parametrize("state", ["empty", "no labels", "one label", "trained"])
def test_everything_is_ready_for_json_at_every_stage(place, make, trained, state):
    if state == "trained":
        project, _ = trained(place)
    else:
        project, _ = make(place, 0 if state == "empty" else 5, 1)
        project.add_labels([("e0", "ann0", "a")] if state == "one label" else [])
    for function in EVERYTHING:
        value = plain(function(project))
        assert json.loads(json.dumps(value, allow_nan=False)) == value
    if state != "empty":
        assert json.loads(insight.why_served(project, 0).model_dump_json())["id"] == 0
    assert "</html>" in project_report(project)


OLD = [
    "{}",
    '{"method": "good_random", "reason": "no model yet"}',
    '{"method": "activelab", "metrics": {"num_labels": 8, "cv_accuracy": null}, "notes": []}',
    '{"models": ["knn"], "metrics": {"num_labels": 8}, "notes": [], "from a later version": {"a": [1]}}',
]


@pytest.mark.parametrize("stored", OLD)
def test_rounds_of_other_versions_are_read(place, small, stored):
    project, _ = small(place)
    publish(project)
    project.database.write(lambda c: c.execute(update(round_).where(round_.c.id == 1).values(summary=stored)))
    for function in EVERYTHING:
        plain(function(project))
    why = insight.why_served(project, 1)
    assert (why.score, why.parts, why.model_weight) == (pytest.approx(0.7), [], [])
    row = insight.rounds_table(project)[1]
    assert row.num_labels == (8 if "metrics" in stored else None)
    assert (row.expected_errors, row.notes, row.error) == (None, [], None)
    assert insight.overview(project).round.trained == ("metrics" in stored)
    assert "</html>" in project_report(project)


class Tags(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.text = set(), [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href") or name.startswith("on")]

    def handle_data(self, data):
        self.text += data


def test_the_report_is_whole_and_escapes_what_people_wrote(sqlite, make):
    attack = "<img src=x onerror=alert(1)>"
    project, _ = make(sqlite, 0, 0, classes=("a", attack), title=attack)
    project.add_examples((f"{attack}{i}", {"text": attack}) for i in range(10))
    project.add_labels(
        (f"{attack}{i}", f"{attack} {who}", ("a", attack)[i % 2]) for i in range(8) for who in range(2)
    )
    probs = np.where(np.arange(10)[:, None] % 2 == [0, 1], 0.9, 0.1)
    train_round(project, pred_probs=probs)
    page = project_report(project)
    seen = Tags(page)
    assert seen.links == []
    assert not seen.tags & {"img", "script", "link", "iframe"}
    assert attack in seen.text
    assert "url(" not in page
    assert "svg" in seen.tags
    for title in ("Learning curve", "Quality of the labels", "To adjudicate", "Rounds", "Agreement"):
        assert title in seen.text
    assert "8 of 10" in seen.text  # examples labelled


def test_page_and_report_show_the_same_charts_and_the_same_headline(sqlite, small):
    project, _ = small(sqlite)
    metrics = {"num_labels": 8, "expected_accuracy": 0.7, "expected_errors": 2.4}
    publish(project, {**metrics, "errors_removed": 1.25, "next_labels": 5})
    page = project_report(project)
    said = insight.headline(project)
    assert said.forecast.sentence.startswith("More labelling helps: ")
    for words in (said.sentence, said.forecast.sentence):
        assert words in unescape(page)
    charts = insight.draw_charts(insight.learning_curve(project), insight.quality_histogram(project))
    assert charts.new_share is None  # no round knows what its batch asked for
    for chart in (charts.learning_curve, charts.quality):
        assert chart.drawing.__html__() in page
