"""Projects of each kind of question: what is stored, trained, shown and written."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from project_store import add_person
from sqlalchemy import func, select

import activelab as al
from activelab import InputError
from activelab.label_studio import Labelling, Link, connect
from activelab.project import Settings, insight
from activelab.project.files.doctor import examine
from activelab.project.files.export import export_table
from activelab.project.files.importing import import_files
from activelab.project.labelling.queue import Answer, put_answer
from activelab.project.store.schema import label_set
from activelab.project.training.round import train_round
from activelab.report import project_report

TOPICS = ("refund", "delivery", "damage")
STARS = tuple("12345")
MEANS = (("money", "back"), ("late", "courier"), ("broken", "crack"))


def several(make, place, n=0, **settings):
    return make(place, n, question="multilabel", classes=TOPICS, method="expected_loss", **settings)


def table(path):
    return [*csv.DictReader(path.read_text(encoding="utf-8").splitlines())]


def truth_of_sets(n, seed=0):
    return np.random.default_rng(seed).random((n, 3)) < [0.5, 0.3, 0.2]


def named(row):
    return [name for name, there in zip(TOPICS, row, strict=True) if there]


@pytest.fixture
def tickets(place, make):
    """Forty-five tickets about any number of topics, most labelled by three people; and the truth."""
    project, _ = several(make, place)
    truth, rng = truth_of_sets(45), np.random.default_rng(1)
    project.add_examples(
        (f"e{i}", {"text": " ".join(w for m, t in zip(MEANS, row, strict=True) if t for w in m) + f" {i}"})
        for i, row in enumerate(truth)
    )
    project.add_labels(
        (f"e{i}", f"ann{j}", named(truth[i] ^ (rng.random(3) < error)))
        for i in range(35)
        for j, error in enumerate((0.0, 0.1, 0.1))
    )
    return project, truth


@pytest.fixture
def reviews(place, make):
    """Forty reviews rated by three people, of whom one is severe and one lenient; and the truth."""
    project, _ = make(place, 0, question="ordinal", classes=STARS, method="expected_loss")
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 6, 50)
    words = ("awful", "bad", "fair", "good", "great")
    project.add_examples(
        (f"e{i}", {"text": f"{words[t - 1]} {words[min(t, 4)]} {i}"}) for i, t in enumerate(truth)
    )
    project.add_labels(
        (f"e{i}", f"ann{j}", str(int(np.clip(truth[i] + shift, 1, 5))))
        for i in range(40)
        for j, shift in enumerate((0, 1, -1))
    )
    return project, truth


# ---------------------------------------------------------------- settings


def test_the_question_brings_its_method():
    assert Settings(question="ordinal").method == "expected_loss"
    assert Settings().changed({"question": "ordinal"}).method == "expected_loss"
    assert Settings(question="ordinal").changed({"question": "single"}).method == "recommended"
    chosen = Settings(question="ordinal", method="activelab")
    assert (chosen.method, chosen.strategy().consensus) == ("activelab", "ordinal")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"question": "spans"}, "unknown question 'spans'"),
        ({"question": "ordinal", "skip_settled": True}, "skip_settled is for single questions"),
        ({"question": "ordinal", "scale_ends": ("low",)}, "two texts"),
        ({"scale_ends": ("low", "high")}, "for ordinal questions only"),
        ({"loss": "quadratic"}, "loss is for ordinal questions only"),
        ({"question": "ordinal", "loss": "cubic"}, "unknown loss 'cubic'"),
        ({"question": "multilabel", "classes": ("a|b",)}, "cannot be one of several"),
        ({"question": "multilabel", "method": "entropy"}, "there is expected_loss and random"),
        ({"question": "multilabel", "batching": "diverse"}, "there is top"),
        ({"question": "multilabel", "assignment": "thompson"}, "there is open"),
    ],
)
def test_what_a_question_cannot_have_is_refused(settings, said):
    with pytest.raises(InputError, match=said):
        Settings(**settings)


def test_the_question_is_fixed_once_there_are_labels(place, make):
    project, people = make(place, 3)
    project.change_settings({"question": "ordinal"})
    project.change_settings({"question": "multilabel"})
    lease = project.lease(people[0])[0]
    project.record(people[0], lease.id, "label", label=["a"])
    with pytest.raises(InputError, match="the question stays multilabel"):
        project.change_settings({"question": "single"})
    assert project.refresh(0).question == "multilabel"


def test_label_studio_asks_what_the_project_asks_and_adds_no_points(place, make):
    project, _ = several(make, place)
    link, page = Link("http://ls", 1, None), Labelling("q", "text", "text", (*TOPICS, "other"))
    with pytest.raises(InputError, match="asks for one class, this project for any number of classes"):
        connect(project, link, page)
    project.change_settings({"question": "ordinal"})
    with pytest.raises(InputError, match="would be new points of the scale"):
        connect(project, link, page)


# ---------------------------------------------------------------- a scale


def test_a_round_of_ratings(reviews):
    project, truth = reviews
    done = train_round(project).summary
    final = insight.final_labels(project)
    rated = final.label >= 0
    off = np.abs(final.label[rated] + 1 - truth[rated])
    assert off.mean() < 0.2
    shifts = {name: one.shift for name, one in done.annotators.items()}
    assert shifts["ann1"] > 0.3 > shifts["ann0"] > -0.3 > shifts["ann2"]
    assert all(one.spread >= 0 for one in done.annotators.values())
    metrics = done.metrics
    assert metrics.error_low <= metrics.expected_error <= metrics.error_high
    assert metrics.cv_error >= 0
    assert (metrics.next_labels, metrics.expected_errors) == (None, None)
    assert metrics.expected_error == pytest.approx(np.nanmean(final.expected_error), abs=1e-5)


def test_ratings_are_told_by_their_error(reviews, tmp_path):
    project, _ = reviews
    train_round(project)
    said = insight.headline(project)
    assert said.error_low <= said.error <= said.error_high
    assert f"off by {said.error:.2f} points" in said.sentence
    names = {one.name for one in insight.pair_agreement(project).overall}
    assert {"krippendorff_alpha_ordinal", "gwet_ac2_quadratic"} <= names
    charts = insight.draw_charts(insight.learning_curve(project), insight.quality_histogram(project))
    assert charts.learning_curve.drawing.attributes["aria-label"].startswith("Mean error over 1 rounds")
    page = project_report(project)
    assert "Shift" in page
    assert "Error of labels, expected" in page
    export_table(project, "consensus", tmp_path / "c.csv")
    rows = table(tmp_path / "c.csv")
    assert {float(row["expected_error"]) >= 0 for row in rows} == {True}


def test_an_audit_measures_the_error_of_ratings(reviews):
    project, _ = reviews
    train_round(project)
    final = insight.final_labels(project)
    jude = add_person(project, "jude", role="adjudicator")
    number = insight.draw_audit(project, 40, seed=0)
    while (code := insight.next_check(project, number).example_id) is not None:
        # The checks say that every label is one point too high, but for the lowest.
        project.check(jude, number, code, STARS[max(final.label[code] - 1, 0)])
    labels = final.label[final.label >= 0]
    assert insight.audit_result(project, number).estimate.error == pytest.approx((labels > 0).mean())
    assert insight.headline(project).error == pytest.approx((labels > 0).mean(), abs=1e-6)


def test_before_the_first_round_ratings_meet_in_the_middle(place, make):
    project, _ = make(place, 6, question="ordinal", classes=STARS, method="expected_loss")
    project.add_labels([("e0", "ann0", "1"), ("e0", "ann1", "3"), ("e0", "ann2", "5")])
    final = insight.final_labels(project)
    assert (final.naming.name(int(final.label[0])), final.notes[0]) == (
        "3",
        "consensus by the ratings alone: no model is trained yet.",
    )


def test_the_loss_decides_and_the_distance_is_told(place, make):
    project, _ = make(place, len(RATINGS), question="ordinal", classes=STARS, method="expected_loss")
    project.add_labels((f"e{i}", f"ann{j}", r) for i, row in enumerate(RATINGS) for j, r in enumerate(row))
    found = {}
    for loss in ("zero_one", "absolute", "quadratic"):
        project.change_settings({"loss": loss})
        final = insight.final_labels(project)
        expected = al.ordinal_consensus(project.labels(), loss=loss)
        assert (final.label == expected.label).all()
        off = np.abs(np.arange(5) - expected.label[:, None])
        assert final.expected_error == pytest.approx((expected.posterior * off).sum(axis=1), abs=1e-5)
        assert project.settings.strategy().acquisition.loss == loss
        found[loss] = final
    assert (found["quadratic"].label != found["zero_one"].label).any()
    assert found["absolute"].expected_error.mean() < found["quadratic"].expected_error.mean()


RATINGS = ("115", "155", "135", "225", "445", "332", "121", "554", "111", "555")


def test_a_known_answer_is_not_off(reviews):
    project, _ = reviews
    train_round(project)
    project.set_gold({"e0": "5"})
    facts = insight.why_served(project, 0)
    assert (facts.label, facts.expected_error) == ("5", 0.0)


# ---------------------------------------------------------------- several classes


def test_sets_are_stored_once_and_named_everywhere(place, make):
    project, people = several(make, place, 6)
    for who, label in zip(people, (["damage", "refund"], "refund|damage", []), strict=True):
        project.put_label(who, 0, label, source="api")
    project.put_label(people[0], 1, "|", source="api")
    project.decide(people[0], 2, ["delivery"])
    project.set_gold({"e3": ["refund", "damage"], "e4": "|"})
    assert (
        project.database.read(lambda c: c.execute(select(func.count()).select_from(label_set)).scalar()) == 3
    )
    why = insight.why_served(project, 0)
    assert [vote.label for vote in why.votes] == [["refund", "damage"], ["refund", "damage"], []]
    final = insight.final_labels(project)
    assert [final.naming.name(int(code)) for code in final.label] == [
        ["refund", "damage"],
        [],
        ["delivery"],
        ["refund", "damage"],
        [],
        None,
    ]
    assert final.source.tolist() == ["consensus", "single", "adjudicated", "gold", "gold", None]
    assert project.label_sets().label_sets == [("refund", "damage"), ("refund", "damage"), (), ()]
    assert [one.name for one in examine(project) if one.problem] == []


@pytest.mark.parametrize("label", [["refund", "nothing"], "nothing", ["re"]])
def test_what_is_no_class_is_in_no_set(place, make, label):
    project, people = several(make, place, 2)
    with pytest.raises(InputError, match="none of the classes refund, delivery, damage"):
        project.put_label(people[0], 0, label, source="api")


def test_one_class_is_asked_for_where_one_is_right(place, make):
    project, people = make(place, 2)
    with pytest.raises(InputError, match="asks for one class"):
        project.put_label(people[0], 0, ["a"], source="api")
    with pytest.raises(InputError, match="its labels are no sets"):
        project.label_sets()


def test_two_people_may_give_a_new_set_at_once(place, make, again):
    project, people = several(make, place, 4)
    other = again(place)
    project.put_label(people[0], 0, ["refund"], source="api")
    other.put_label(people[1], 0, ["delivery"], source="api")
    project.put_label(people[2], 0, ["delivery"], source="api")
    assert sorted(project.label_sets().label_sets) == [("delivery",), ("delivery",), ("refund",)]
    assert project.naming().sets == other.naming().sets == ((0,), (1,))


def test_a_round_of_sets(tickets):
    project, truth = tickets
    done = train_round(project).summary
    final = insight.final_labels(project)
    answered = final.label >= 0
    right = final.naming.members[final.label[answered]] == truth[answered]
    assert right.mean() > 0.97
    assert final.exact[answered].mean() <= final.quality[answered].mean()
    metrics = done.metrics
    assert metrics.expected_low <= metrics.expected_accuracy <= metrics.expected_high
    assert metrics.expected_exact <= metrics.expected_accuracy
    assert metrics.cv_accuracy > 0.7
    by_name = done.annotators
    assert by_name["ann0"].accuracy > by_name["ann1"].accuracy
    assert 0.5 < by_name["ann1"].sensitivity <= 1
    assert 0.5 < by_name["ann1"].specificity <= 1
    served = insight.queue_head(project, 50)
    assert {row.example for row in served} == {f"e{i}" for i in range(45)}
    assert all(isinstance(row.predicted, list) for row in served)
    assert [row.score for row in served] == sorted(row.score for row in served)
    assert "decisions, one an example and class" in insight.headline(project).sentence
    assert "Sensitivity" in project_report(project)


def test_labels_after_a_round_of_sets_enter_the_consensus(tickets):
    project, _ = tickets
    train_round(project)
    everything = list(TOPICS)
    for name in ("dee", "eve", "fay", "gus"):
        project.add_labels([("e44", name, everything)])
    facts = insight.why_served(project, 44)
    assert facts.label == facts.consensus == everything
    train_round(project)
    assert (
        insight.final_labels(project).naming.name(int(insight.final_labels(project).label[44])) == everything
    )


def test_probabilities_of_sets_from_elsewhere(tickets):
    project, truth = tickets
    probs = np.where(truth, 0.9, 0.2)
    train_round(project, pred_probs=probs)
    assert insight.queue_head(project, 1)[0].predicted is not None
    assert insight.learning_curve(project)[0].cv_accuracy > 0.9
    with pytest.raises(InputError):
        train_round(project, pred_probs=probs[:, :2])
    with pytest.raises(InputError, match="probabilities lie between 0 and 1"):
        train_round(project, pred_probs=2 * probs)


def test_a_decision_on_a_set_is_final_and_learnt_from(tickets):
    project, _ = tickets
    jude = add_person(project, "jude", role="adjudicator")
    project.decide(jude, 5, ["damage"])
    train_round(project)
    assert insight.why_served(project, 5).label == ["damage"]
    assert 5 not in {row.id for row in insight.queue_head(project, 100)}
    project.undo_decision(jude, 5)
    assert insight.why_served(project, 5).source == "consensus"


def test_an_audit_of_sets(tickets):
    project, truth = tickets
    train_round(project)
    jude = add_person(project, "jude", role="adjudicator")
    number = insight.draw_audit(project, 35, seed=0)
    while (code := insight.next_check(project, number).example_id) is not None:
        project.check(jude, number, code, named(truth[code]))
    result = insight.audit_result(project, number)
    assert [one.label for one in result.classes] == list(TOPICS)
    for one, share in zip(result.classes, truth[:35].mean(axis=0), strict=True):
        assert one.share == pytest.approx(share, abs=0.02)
    assert insight.headline(project).sentence.startswith("About")


def test_agreement_of_sets(tickets):
    project, _ = tickets
    names = [one.name for one in insight.pair_agreement(project).overall]
    assert names[:2] == ["krippendorff_alpha_masi", "krippendorff_alpha_jaccard"]
    assert "gwet_ac1 of refund" in names


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_sets_go_out_and_come_in_again(tickets, make, tmp_path, ending):
    project, _ = tickets
    project.add_labels([("e40", "ann0", []), ("e41", "ann0", ["damage", "refund"])])
    export_table(project, "labels", tmp_path / f"labels.{ending}")
    again, _ = several(make, str(tmp_path / "again.db"))
    again.add_examples((f"e{i}", {"text": "x"}) for i in range(45))
    done = import_files(again, labels=tmp_path / f"labels.{ending}")
    assert done.labels == project.labels().n_labels
    assert again.label_sets() == project.label_sets()


def test_sets_in_files_are_texts_or_lists(tickets, tmp_path):
    project, _ = tickets
    project.add_labels([("e40", "ann0", []), ("e41", "ann0", ["damage", "refund"])])
    train_round(project)
    for ending in ("csv", "jsonl"):
        export_table(project, "consensus", tmp_path / f"c.{ending}")
    rows = {row["example"]: row for row in table(tmp_path / "c.csv")}
    lines = {row["example"]: row for row in map(json.loads, (tmp_path / "c.jsonl").read_text().splitlines())}
    assert all(
        (row["consensus_label"].split("|") if row["consensus_label"] != "|" else [])
        == lines[name]["consensus_label"]
        for name, row in rows.items()
    )


def test_known_sets_are_imported(tickets, tmp_path):
    project, _ = tickets
    (tmp_path / "gold.csv").write_text("example,label\ne1,refund|damage\ne2,|\ne3, delivery \n")
    assert import_files(project, gold=tmp_path / "gold.csv").gold == 3
    (tmp_path / "gold.jsonl").write_text(
        '{"example": "e4", "label": []}\n{"example": "e5", "label": ["refund"]}\n'
    )
    assert import_files(project, gold=tmp_path / "gold.jsonl").gold == 2
    naming, truths = project.naming(), project.known_truths()
    assert [naming.name(int(truths[code])) for code in range(1, 6)] == [
        ["refund", "damage"], [], ["delivery"], [], ["refund"],
    ]  # fmt: skip


def test_a_set_with_a_strange_class_is_named_by_its_line(tickets, tmp_path):
    project, _ = tickets
    (tmp_path / "l.csv").write_text("example,annotator,label\ne1,zoe,refund\ne2,zoe,refund|nothing\n")
    with pytest.raises(InputError, match="line 3: 'nothing' is none of the project's classes"):
        import_files(project, labels=tmp_path / "l.csv")


# ---------------------------------------------------------------- I cannot tell


def test_abstentions_are_counted_exported_and_handed_on(place, make, tmp_path):
    project, people = make(place, 4)
    for who, kind in zip(people, ("unsure", "skip", "label"), strict=True):
        lease = project.lease(who)[0]
        project.record(who, lease.id, kind, label="a" if kind == "label" else None)
    now = insight.overview(project)
    assert (now.abstentions, now.skips, now.labels) == (1, 1, 1)
    assert {row.name: row.unsure for row in insight.annotator_table(project)}["ann0"] == 1
    abstained = project.abstentions()
    assert isinstance(abstained, al.Labels)
    assert abstained.annotators[abstained.annotator].tolist() == ["ann0"]
    assert abstained.n_examples == 4
    export_table(project, "labels", tmp_path / "l.csv")
    rows = table(tmp_path / "l.csv")
    assert sorted((row["annotator"], row["label"], row["abstained"]) for row in rows) == [
        ("ann0", "", "true"),
        ("ann2", "a", "false"),
    ]


def test_abstentions_come_in_again(place, make, tmp_path):
    project, _ = make(place, 4)
    (tmp_path / "l.csv").write_text(
        "example,annotator,label,abstained\ne0,ann0,a,false\ne0,ann1,,true\ne1,ann1,,\ne2,zoe,,true\n"
    )
    done = import_files(project, labels=tmp_path / "l.csv")
    assert (done.labels, done.abstentions) == (1, 2)
    abstained = project.abstentions()
    pairs = zip(abstained.example.tolist(), abstained.annotators[abstained.annotator].tolist(), strict=True)
    assert sorted(pairs) == [(0, "ann1"), (2, "zoe")]
    assert import_files(project, labels=tmp_path / "l.csv").abstentions == 0
    assert [one.name for one in examine(project) if one.problem] == []


def test_what_nobody_could_tell_is_asked_later(tmp_path, make):
    project, people = make(str(tmp_path / "p.db"), 40, people=4, method="frugal")
    probs = np.full((40, 3), [0.9, 0.06, 0.04])
    probs[:8] = [0.4, 0.35, 0.25]
    project.add_labels((f"e{code}", f"ann{code % 4}", "a" if code % 9 else "b") for code in range(8, 40))
    train_round(project, pred_probs=probs)
    before = insight.queue_head(project, 8)
    assert {row.id for row in before} == {*range(8)}
    assert len({row.score for row in before}) == 1
    for code in range(4):
        for who in people[:3]:
            reply = Answer("unsure", source="import")
            project.database.write(lambda c, w=who, e=code, r=reply: put_answer(c, w, e, r, 0.0))
    train_round(project, pred_probs=probs)
    after = insight.queue_head(project, 8)
    assert [row.id < 4 for row in after] == [False] * 4 + [True] * 4
    assert after[0].score < after[-1].score - 0.1


def test_who_could_not_tell_has_a_part_in_the_consensus(place, make):
    project, people = make(place, 60, people=4)
    rng = np.random.default_rng(0)
    for code in range(60):
        hard = code % 3 == 0
        for who in people:
            if hard and rng.random() < 0.4:
                lease = {one.example_id: one.id for one in project.lease(who, 20)}
                if code in lease:
                    project.record(who, lease[code], "unsure")
                    continue
            wrong = rng.random() < (0.4 if hard else 0.05)
            project.put_label(who, code, "ab"[(code + wrong) % 2], source="api")
    probs = np.full((60, 3), 1 / 3)
    told = project.abstentions()
    assert told.n_labels > 0
    train_round(project, pred_probs=probs)
    labels = project.labels()
    by_core = al.bayesian_consensus(labels, probs, abstentions=told, seed=1)
    final = insight.final_labels(project)
    assert final.quality == pytest.approx(by_core.quality, abs=1e-5)


def test_who_could_not_tell_has_a_part_in_the_consensus_of_sets(tickets):
    project, _ = tickets
    people = [add_person(project, name) for name in ("zoe", "yan")]
    for code in range(0, 35, 7):
        project.put_label(people[0], code, ["refund"], source="api")
    # Of whole examples, of one class, by somebody who has answered about another, and by a newcomer.
    for who, code, asked in ((0, 1, None), (0, 2, None), (0, 3, 1), (0, 7, 1), (1, 1, None)):
        about = {} if asked is None else {"asked": asked}
        reply = Answer("unsure", source="import", **about)
        project.database.write(lambda c, w=people[who], e=code, r=reply: put_answer(c, w, e, r, 0.0))
    told = project.set_abstentions()
    assert told.n_answers == 5
    assert not told.chosen.any()
    assert told.asked.sum(axis=1).tolist() == [3, 3, 3, 1, 1]
    train_round(project, pred_probs=np.full((45, 3), 0.5))
    sets = project.label_sets()
    # What somebody has answered of a class, and who has never answered, counts for nothing.
    kept = np.array([told.annotators[who] == "zoe" for who in told.annotator]) & (told.example != 7)
    by_core = al.multilabel_consensus(sets, np.full((45, 3), 0.5), abstentions=told.select(answers=kept))
    plain = al.multilabel_consensus(sets, np.full((45, 3), 0.5))
    final = insight.final_labels(project)
    assert final.quality == pytest.approx(by_core.example_quality, abs=1e-5, nan_ok=True)
    assert final.quality != pytest.approx(plain.example_quality, abs=1e-5, nan_ok=True)
