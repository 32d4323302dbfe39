"""Who labels what next: every rule by itself, against a naive model, and under races."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from activelab import InputError
from activelab.project import ConflictError, Lease, Project, Submission, insight
from activelab.project.files.doctor import examine
from activelab.project.labelling import queue as queueing
from activelab.project.labelling import rounds
from activelab.project.labelling.summary import RoundSummary
from activelab.project.store import accounts

NOW = time.time()


def lease(project: Project, who: int, count: int = 1, now: float = NOW, **options: Any) -> list[Lease]:
    return project.database.write(
        lambda c: queueing.lease_examples(c, project.settings, who, count, now, **options)
    )


def answer(
    project: Project, who: int, lease_id: int, kind: str = "label", now: float = NOW, **options: Any
) -> queueing.Recorded:
    reply = queueing.Answer(kind, **{"class_code": 0 if kind == "label" else None, **options})
    return project.database.write(
        lambda c: queueing.record(c, project.settings, who, lease_id, reply, now)[0]
    )


def publish(project: Project, order: list[int], between: Callable[[], object] = lambda: None) -> None:
    """A round with an order of one's own; ``between`` runs while it is trained."""
    number = project.database.write(rounds.begin_round).id
    between()

    def finish(connection: Any) -> None:
        rounds.store_array(connection, number, "order", np.array(order, dtype=np.int32))
        rounds.extend_queue(connection, project.settings, number)
        rounds.publish_round(connection, project.settings, number, RoundSummary())

    project.database.write(finish)


def counts(project: Project) -> list[int]:
    return project.labels().counts.tolist()


def ids(leases: list[Lease]) -> list[int]:
    return [one.example_id for one in leases]


# ---------------------------------------------------------------------- serving


def test_everybody_gets_the_best_example_that_is_free(place, make):
    project, (ann, bob, _) = make(place, 4)
    publish(project, [2, 0, 3, 1])
    assert ids(lease(project, ann, 2)) == [2, 0]
    assert ids(lease(project, bob, 3)) == [3, 1]
    assert ids(lease(project, ann, 4)) == [2, 0], "leases that are held come first, and nothing else is free"


def test_nobody_gets_an_example_twice_whatever_they_answered(place, make):
    project, (ann, *_) = make(place, 3, labels_per_round=5)
    for kind in queueing.ANSWERS:
        (one,) = lease(project, ann)
        answer(project, ann, one.id, kind)
    publish(project, [0, 1, 2])
    assert lease(project, ann, 3) == []


@pytest.mark.parametrize("kind", ["skip", "unsure"])
def test_what_one_person_passes_goes_to_the_next(place, make, kind):
    project, (ann, bob, _) = make(place, 2)
    publish(project, [1, 0])
    (one,) = lease(project, ann)
    answer(project, ann, one.id, kind, reason="blurred")
    assert ids(lease(project, bob)) == [1]
    assert project.labels().n_labels == 0


def test_two_people_get_an_example_where_two_are_wanted(place, make):
    project, people = make(place, 1, 3, labels_per_round=2)
    got = [lease(project, who) for who in people]
    assert [len(leases) for leases in got] == [1, 1, 0]


def test_an_example_never_gets_more_labels_than_the_maximum(place, make):
    project, people = make(place, 2, 4, labels_per_round=3, max_labels=2)
    project.add_labels([("e0", "old", "a")])
    for order in ([0, 1], [1, 0], [0, 1]):
        publish(project, order)
        for who in people:
            for one in lease(project, who, 2):
                answer(project, who, one.id)
    assert counts(project) == [2, 2]


def test_labels_that_are_imported_count_for_the_maximum_at_once(place, make):
    project, (ann, *_) = make(place, 2, max_labels=1)
    publish(project, [0, 1])
    project.add_labels([("e0", "old", "a")])
    assert ids(lease(project, ann, 2)) == [1]


def test_settings_of_the_queue_hold_at_once(place, make):
    project, (ann, bob, cem) = make(place, 1)
    publish(project, [0])
    (one,) = lease(project, ann)
    assert lease(project, bob) == []
    project.change_settings({"labels_per_round": 2})
    assert ids(lease(project, bob)) == [0]
    project.change_settings({"labels_per_round": 3, "max_labels": 2})
    assert lease(project, cem) == []
    answer(project, ann, one.id)
    assert counts(project) == [1]


def test_the_queue_grows_when_its_first_part_is_used_up(place, make, monkeypatch):
    monkeypatch.setattr(rounds, "CHUNK", 3)
    project, (ann, bob, _) = make(place, 8)
    publish(project, [7, 6, 5, 4, 3, 2, 1, 0])
    assert ids(lease(project, ann, 7)) == [7, 6, 5, 4, 3, 2, 1]
    assert ids(lease(project, bob, 7)) == [0]


def test_the_queue_grows_with_those_at_work_and_no_further(place, make):
    """Whatever is taken ahead together by many: rows that nobody comes to are not written."""
    project, people = make(place, 9_000, 52, leased_ahead=20)
    held = {who: project.lease(who, 1)[0].id for who in people}
    for _ in range(2):
        given = [Submission(who, held[who], "label", label="a", then_lease=None) for who in people]
        for who, (_, leases) in zip(people, project.record_all(given), strict=True):
            assert len(leases) == 20
            held[who] = leases[0].id
    assert len(insight.queue_head(project, 9_000)) < 52 * 20 + 3 * rounds.CHUNK


def test_examples_added_later_come_last(place, make):
    project, (ann, *_) = make(place, 2)
    publish(project, [1, 0])
    project.add_examples([("new", {"text": "!"})])
    assert ids(lease(project, ann, 3)) == [1, 0, 2]


def test_a_pool_without_examples_serves_nothing(place, make):
    project, (ann, *_) = make(place, 0)
    assert lease(project, ann) == []


# ---------------------------------------------------------------------- time


def test_a_lease_that_ends_goes_to_the_next(place, make):
    project, (ann, bob, _) = make(place, 1, lease_seconds=60)
    (one,) = lease(project, ann)
    assert lease(project, bob, now=NOW + 59) == []
    (other,) = lease(project, bob, now=NOW + 60)
    with pytest.raises(ConflictError, match="gone to somebody else"):
        answer(project, ann, one.id, now=NOW + 61)
    answer(project, bob, other.id, now=NOW + 61)
    assert counts(project) == [1]


def test_a_late_answer_counts_if_nobody_has_the_example(place, make):
    project, (ann, bob, _) = make(place, 1, lease_seconds=60)
    (one,) = lease(project, ann)
    project.database.write(lambda c: queueing.reclaim(c, NOW + 60))
    answer(project, ann, one.id, now=NOW + 61)
    assert counts(project) == [1]
    assert lease(project, bob, now=NOW + 61) == []


@pytest.mark.parametrize("labels_per_round", [1, 2])
def test_a_late_answer_to_an_example_one_was_given_again(place, make, labels_per_round):
    project, (ann, bob, _) = make(place, 1, lease_seconds=60, labels_per_round=labels_per_round)
    (one,) = lease(project, ann)
    (again,) = lease(project, ann, now=NOW + 60)
    assert again.id != one.id
    answer(project, ann, one.id, now=NOW + 61)
    assert lease(project, ann, now=NOW + 62) == [], "the second lease is done with the first"
    assert len(lease(project, bob, now=NOW + 62)) == labels_per_round - 1
    with pytest.raises(ConflictError):
        answer(project, ann, again.id, now=NOW + 63)


def test_a_late_skip_gives_back_one_slot_and_no_more(place, make):
    project, people = make(place, 1, lease_seconds=60)
    (one,) = lease(project, people[0])
    project.database.write(lambda c: queueing.reclaim(c, NOW + 60))
    answer(project, people[0], one.id, "skip", now=NOW + 61)
    assert [len(lease(project, who, now=NOW + 62)) for who in people] == [0, 1, 0]


def test_a_late_answer_in_a_later_round(place, make):
    project, (ann, bob, _) = make(place, 2, lease_seconds=60)
    publish(project, [0, 1])
    (one,) = lease(project, ann)
    project.database.write(lambda c: queueing.reclaim(c, NOW + 60))
    publish(project, [1, 0])
    answer(project, ann, one.id, now=NOW + 61)
    assert ids(lease(project, bob, 2, now=NOW + 62)) == [1]


def test_a_late_answer_to_what_a_later_round_has_not_come_to(place, make, monkeypatch):
    monkeypatch.setattr(rounds, "CHUNK", 1)
    project, (ann, bob, _) = make(place, 3, lease_seconds=60)
    publish(project, [0, 1, 2])
    (one,) = lease(project, ann)
    project.database.write(lambda c: queueing.reclaim(c, NOW + 60))
    publish(project, [1, 2, 0])
    answer(project, ann, one.id, now=NOW + 61)
    assert ids(lease(project, bob, 3, now=NOW + 62)) == [1, 2]
    assert not any(check.problem for check in examine(project))


# ---------------------------------------------------------------------- ahead


def ahead(project: Project, who: int, now: float = NOW, **options: Any) -> list[Lease]:
    return project.database.write(
        lambda c: queueing.lease_examples(c, project.settings, who, None, now, **options)
    )


def test_nobody_takes_more_ahead_than_a_share_of_what_waits(place, make):
    project, people = make(place, 20, 4)
    now = time.time()
    assert [len(ahead(project, who, now)) for who in people] == [10, 7, 3, 0]
    held = ahead(project, people[0], now)
    assert len(held) == 10
    assert ahead(project, people[0], now, have=[one.id for one in held]) == []


def test_who_is_heard_of_keeps_what_is_ahead(place, make):
    project, (ann, *_) = make(place, 4, lease_seconds=60)
    (one, two) = ahead(project, ann)
    assert [again.id for again in ahead(project, ann, NOW + 50)] == [one.id, two.id]
    assert project.database.read(lambda c: queueing.held_by(c, ann, NOW + 100)) == {one.id, two.id}
    assert project.database.read(lambda c: queueing.held_by(c, ann, NOW + 110)) == set()


def test_what_is_ahead_is_exchanged_when_a_round_knows_better(place, make):
    project, (ann, bob, _) = make(place, 12)
    publish(project, [*range(12)])
    held = [one.id for one in ahead(project, ann, time.time())]
    assert len(held) == 6
    publish(project, [*range(11, -1, -1)])
    more = ahead(project, ann, time.time(), have=held)
    assert ids(more) == [11, 10, 9, 8, 7]
    now_held = [held[0], *(one.id for one in more)]
    assert project.database.read(lambda c: queueing.held_by(c, ann, time.time())) == {*now_held}
    assert ids(ahead(project, bob, time.time())) == [6, 5, 4, 3]
    assert ahead(project, ann, time.time(), have=now_held) == []
    assert not any(check.problem for check in examine(project))


def test_what_is_looked_at_is_kept_from_nobody_and_goes_to_who_answers_first(place, make):
    project, (ann, bob, carl) = make(place, 8)
    shown = lease(project, ann, 2, hold=False)
    assert project.database.read(lambda c: queueing.held_by(c, ann, NOW)) == set()
    assert not {*ids(lease(project, bob, 2, hold=False))} & {*ids(shown)}, "others look at others first"
    later = NOW + 300
    held = ahead(project, bob, later)
    assert ids(held)[:2] == ids(shown), "others pass it over for some minutes only"
    # Bob is at the first, and has the second only ahead.
    with pytest.raises(ConflictError, match="gone to somebody else"):
        answer(project, ann, shown[0].id, now=later)
    answer(project, ann, shown[1].id, now=later)
    with pytest.raises(ConflictError, match="gone to somebody else"):
        answer(project, bob, held[1].id, now=later)
    answer(project, bob, held[0].id, now=later)
    assert sum(counts(project)) == 2
    assert not any(check.problem for check in examine(project))
    assert len(lease(project, carl, 8, later)) == 8 - 2 - (len(held) - 2)


def test_what_others_were_just_shown_is_kept_ahead_only_where_there_is_nothing_else(place, make):
    project, (ann, bob, _) = make(place, 8)
    publish(project, [*range(8)])
    shown, others = (lease(project, who, 3, hold=False) for who in (ann, bob))
    answer(project, ann, shown[0].id)
    held = ahead(project, ann, have=[one.id for one in shown[1:]])
    assert ids(held) == [1, 2, 6, 7], "3 to 5 are what bob looks at"
    for one in held:  # ann is quick, bob reads
        answer(project, ann, one.id)
    answer(project, bob, others[0].id)
    assert ids(lease(project, ann, 3)) == [4, 5]


def test_who_open_the_page_at_the_same_moment_are_shown_different_examples(place, make):
    project, people = make(place, 20, 4)
    shown = at_once(len(people), lambda at: ids(lease(project, people[at], 3, hold=False)))
    assert len({code for one in shown for code in one}) == 12


# ---------------------------------------------------------------------- undo


def test_an_answer_after_undo_may_name_the_first_lease(place, make):
    project, (ann, *_) = make(place, 1)
    (one,) = lease(project, ann)
    answer(project, ann, one.id, request="the-first-one")
    with pytest.raises(ConflictError, match="another answer"):
        project.undo(ann, of="something-else")
    project.undo(ann, of="the-first-one")
    answer(project, ann, one.id, class_code=1)
    assert project.labels().label.tolist() == [1]
    assert lease(project, ann) == []


def test_undo_brings_the_example_back(place, make):
    project, (ann, bob, _) = make(place, 2)
    publish(project, [1, 0])
    (one,) = lease(project, ann)
    answer(project, ann, one.id)
    back = project.database.write(lambda c: queueing.undo(c, project.settings, ann, NOW))
    assert back is not None
    assert back.example_id == 1
    assert ids(lease(project, bob, 2)) == [0], "it is still kept for the one who undid"
    answer(project, ann, back.id, class_code=1)
    labels = project.labels()
    assert labels.n_labels == 1
    assert labels.to_long()["label"].tolist() == ["b"]


def test_undo_of_a_skip_whose_example_has_gone(place, make):
    project, (ann, bob, _) = make(place, 1)
    (one,) = lease(project, ann)
    answer(project, ann, one.id, "skip")
    (other,) = lease(project, bob)
    assert project.undo(ann) is None
    answer(project, bob, other.id)
    assert counts(project) == [1]


def test_what_a_training_knows_cannot_be_undone(place, make):
    project, (ann, *_) = make(place, 3)
    (one, two) = lease(project, ann, 2)
    answer(project, ann, one.id)
    publish(project, [0, 1, 2], between=lambda: answer(project, ann, two.id))
    assert project.undo(ann).example_id == two.example_id, "given while the round was trained"
    with pytest.raises(ConflictError, match="part of a training"):
        project.undo(ann)


def test_undo_sent_twice_undoes_once(place, make):
    project, (ann, *_) = make(place, 2)
    for one in lease(project, ann, 2):
        answer(project, ann, one.id)
    first = project.undo(ann, request="u1")
    assert project.undo(ann, request="u1") == first
    assert project.labels().n_labels == 1


def test_labels_given_during_a_training_take_their_slots_in_the_new_round(place, make):
    project, (ann, bob, _) = make(place, 3)
    publish(project, [0, 1, 2])
    first, second = lease(project, ann, 2)
    publish(project, [0, 1, 2], between=lambda: answer(project, ann, first.id))
    assert ids(lease(project, bob, 3)) == [2], "0 was labelled meanwhile, 1 is held"
    answer(project, ann, second.id, "skip")
    assert 1 in ids(lease(project, bob, 3))


# ---------------------------------------------------------------------- requests


def test_a_request_sent_twice_counts_once(place, make):
    project, (ann, bob, _) = make(place, 2)
    one, two = lease(project, ann, 2)
    stored = answer(project, ann, one.id, request="r1")
    assert answer(project, ann, one.id, request="r1") == queueing.Recorded(stored.event_id, repeated=True)
    assert project.labels().n_labels == 1
    with pytest.raises(ConflictError, match="something else"):
        answer(project, ann, two.id, request="r1")
    project.change_settings({"labels_per_round": 2})
    (other,) = lease(project, bob)
    with pytest.raises(ConflictError, match="somebody else"):
        answer(project, bob, other.id, request="r1")


def test_one_request_from_many_threads_counts_once(place, make):
    project, (ann, *_) = make(place, 1)
    (one,) = lease(project, ann)
    results = at_once(8, lambda _: answer(project, ann, one.id, request="same"))
    assert Counter(result.repeated for result in results) == {False: 1, True: 7}
    assert project.labels().n_labels == 1


def test_only_the_holder_answers_and_only_once(place, make):
    project, (ann, bob, _) = make(place, 1)
    (one,) = lease(project, ann)
    with pytest.raises(ConflictError, match="no such lease"):
        answer(project, bob, one.id)
    with pytest.raises(ConflictError, match="no such lease"):
        answer(project, ann, 12345)
    with pytest.raises(InputError, match="label, skip, unsure"):
        answer(project, ann, one.id, "maybe")
    with pytest.raises(InputError, match="needs a class"):
        answer(project, ann, one.id, "label", class_code=None)
    answer(project, ann, one.id)
    with pytest.raises(ConflictError, match="answered already"):
        answer(project, ann, one.id)


# ---------------------------------------------------------------------- several at once


def test_answers_stored_together_are_as_if_one_after_the_other(place, make):
    project, (ann, bob, cat, dan) = make(place, 9, 4)
    held = {who: ids_of(project, who, 2) for who in (ann, bob, cat, dan)}
    name = project.settings.classes[0]

    def said(who: int, one: int, request: str, label: str = name) -> Submission:
        return Submission(who, one, "label", label=label, request=request, then_lease=2)

    project.record(dan, held[dan][0], "label", label=name, request="dan-request")
    found = project.record_all(
        [
            said(ann, held[ann][0], "ann-request"),
            said(ann, held[ann][1], "ann-again"),
            said(bob, held[ann][0], "bob-request"),
            said(cat, held[cat][0], "cat-request"),
            said(cat, held[cat][1], "cat-again", "no class"),
            said(dan, held[dan][0], "dan-request"),
        ]
    )
    assert [type(one) for one in found] == [tuple, tuple, ConflictError, tuple, InputError, tuple]
    stored = [one[0].repeated for one in found if isinstance(one, tuple)]
    assert stored == [False, False, False, True]
    assert counts(project).count(1) == 4
    assert not [check.problem for check in examine(project) if check.problem]


def test_answers_stored_together_take_what_is_free_once_and_keep_to_the_budget(place, make):
    project, people = make(place, 40, 12, budget=20)
    held = {who: ids_of(project, who, 1) for who in people}
    name = project.settings.classes[0]
    found = project.record_all(
        [Submission(who, one, "label", label=name, then_lease=2) for who, (one,) in held.items()]
    )
    examples = [one.example_id for each in found if isinstance(each, tuple) for one in each[1]]
    assert len(examples) == len({*examples}) == 20 - 12
    assert not [check.problem for check in examine(project) if check.problem]


def ids_of(project: Project, who: int, count: int) -> list[int]:
    return [one.id for one in project.lease(who, count)]


# ---------------------------------------------------------------------- gold, budget, people


def test_gold_at_rate_one_until_there_is_none_left(place, make):
    project, (ann, *_) = make(place, 6, gold_rate=1.0)
    project.set_gold({"e1": "a", "e4": "b"})
    leases = lease(project, ann, 3)
    assert {one.example_id for one in leases if one.gold} == {1, 4}
    assert len(leases) == 3
    for one in leases:
        answer(project, ann, one.id)
    assert not any(one.gold for one in lease(project, ann, 3))


def test_gold_is_mixed_in_at_its_rate(place, make):
    project, (ann, *_) = make(place, 200, gold_rate=0.25)
    project.set_gold({f"e{i}": "a" for i in range(0, 200, 2)})
    gold = []
    for _ in range(80):
        (one,) = lease(project, ann, 1)
        assert lease(project, ann, 1) == [one]  # asked again, it is the same
        gold.append(one.gold)
        answer(project, ann, one.id)
    # 20 of 80 are expected; fewer than 9 or more than 31 come up once in a thousand rates of a quarter.
    assert 9 <= sum(gold) <= 31
    assert True in gold[:40]
    assert True in gold[40:]


def test_gold_is_served_to_everybody_and_not_by_the_queue(place, make):
    project, people = make(place, 2, gold_rate=1.0)
    project.set_gold({"e0": "a"})
    assert [lease(project, who)[0].gold for who in people] == [True, True, True]
    project.change_settings({"gold_rate": 0.0})
    publish(project, [0, 1])
    assert ids(lease(project, people[0], 5))[1:] == [1]


def test_gold_taken_back_is_labelled_as_any_other(place, make):
    project, (ann, *_) = make(place, 1)
    project.set_gold({"e0": "a"})
    assert lease(project, ann) == []
    project.set_gold({"e0": None})
    assert ids(lease(project, ann)) == [0]


def test_the_budget_counts_what_is_held_and_what_was_given(place, make):
    project, (ann, bob, _) = make(place, 10, budget=3)
    project.add_labels([("e9", "old", "a")])
    held = lease(project, ann, 2)
    assert len(lease(project, bob, 5)) == 1
    answer(project, ann, held[0].id, "skip", source="page")
    assert len(lease(project, ann, 5)) == 2, "a skip costs nothing"


@pytest.mark.parametrize("gold", [False, True])
def test_a_late_label_does_not_overdraw_the_budget(place, make, gold):
    project, (ann, bob, _) = make(place, 3, budget=1, lease_seconds=60, gold_rate=float(gold))
    if gold:
        project.set_gold({"e0": "a", "e1": "a", "e2": "a"})
    (one,) = lease(project, ann)
    (other,) = lease(project, bob, now=NOW + 60)
    with pytest.raises(ConflictError):
        answer(project, ann, one.id, now=NOW + 61)
    answer(project, bob, other.id, now=NOW + 61)
    assert project.labels().n_labels == 1


def test_somebody_disabled_in_the_middle(place, make):
    project, (ann, bob, _) = make(place, 1)
    (one,) = lease(project, ann)
    project.database.write(lambda c: accounts.set_disabled(c, "ann0", True))
    for attempt in (
        lambda: lease(project, ann),
        lambda: answer(project, ann, one.id),
        lambda: project.undo(ann),
    ):
        with pytest.raises(InputError, match="disabled"):
            attempt()
    assert ids(lease(project, bob)) == [0], "what they held goes to others at once"


def test_a_label_nobody_was_asked_for_takes_a_slot_and_replaces_their_last(place, make):
    project, (ann, bob, *_) = make(place, 1)
    project.put_label(bob, 0, "a", source="connector")
    project.put_label(bob, 0, "b", source="connector")
    assert project.labels().to_long()["label"].tolist() == ["b"]
    assert lease(project, ann) == []
    with pytest.raises(InputError, match="no example 7"):
        project.put_label(bob, 7, "a", source="connector")


# ---------------------------------------------------------------------- races


def at_once(n: int, work: Callable[[int], Any]) -> list[Any]:
    """Results of n threads that begin together; an exception of one is raised here."""
    barrier, results = threading.Barrier(n), [None] * n
    errors: list[BaseException] = []

    def run(at: int) -> None:
        barrier.wait()
        try:
            results[at] = work(at)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def label_all(project: Project, who: int) -> list[str]:
    """Label as fast as one can until there is nothing more; the examples whose label was acknowledged."""
    done = []
    leases = project.lease(who, 2)
    while leases:
        one = leases[0]
        kind = "skip" if (who + one.example_id) % 7 == 0 else "label"
        _, leases = project.record(
            who, one.id, kind, label="a" if kind == "label" else None, source="page", then_lease=2
        )
        if kind == "label":
            done.append(f"e{one.example_id}")
    return done


def label_the_rest(project: Project, people: list[int]) -> None:
    """Ask again: what somebody skipped last came back when the others had found nothing and gone."""
    for who in people:
        label_all(project, who)


@pytest.mark.parametrize("labels_per_round", [1, 2])
def test_a_race_of_twenty_people_loses_nothing_and_gives_nothing_twice(place, make, labels_per_round):
    project, people = make(place, 60, 20, labels_per_round=labels_per_round)
    acknowledged = at_once(20, lambda at: label_all(project, people[at]))
    # PostgreSQL passes over what others hold at that moment: who found nothing asks again.
    for at, who in enumerate(people):
        acknowledged[at] += label_all(project, who)
    table = project.labels().to_long("pyarrow")
    pairs = Counter(zip(table["example"].to_pylist(), table["annotator"].to_pylist(), strict=True))
    assert max(pairs.values()) == 1
    given = {(int(e[1:]), f"ann{at}") for at, names in enumerate(acknowledged) for e in names}
    assert given == {(int(e), a) for e, a in pairs}
    assert set(counts(project)) == {labels_per_round}


def test_a_race_at_the_edge_of_the_budget(place, make):
    project, people = make(place, 100, 20, budget=37)
    at_once(20, lambda at: label_all(project, people[at]))
    label_the_rest(project, people)
    assert project.labels().n_labels == 37


def test_one_person_in_many_windows_gets_no_example_twice(place, make):
    project, (ann, *_) = make(place, 12, labels_per_round=3)
    at_once(6, lambda _: project.lease(ann, 4))
    assert len(set(ids(project.lease(ann, 12)))) == 12


def test_rounds_published_in_the_middle_of_a_race(place, make):
    project, people = make(place, 40, 8)
    stop = threading.Event()
    rng = np.random.default_rng(0)
    published = 0

    def work(at: int) -> list[str]:
        nonlocal published
        if at < 8:
            return label_all(project, people[at])
        while not stop.is_set() and published < 5:
            publish(project, rng.permutation(40).tolist())
            published += 1
        return []

    at_once(9, work)
    labels = project.labels()
    assert published == 5
    assert labels.n_labels == project.database.read(_labels_by_events)
    assert labels.counts.max() <= 8


def _labels_by_events(connection: Any) -> int:
    sql = "SELECT sum(CASE kind WHEN 'label' THEN 1 ELSE 0 END) FROM event"
    return int(connection.exec_driver_sql(sql).scalar())


def test_two_servers_on_one_database(postgresql, make, again):
    project, people = make(postgresql, 50, 10, budget=45)
    other = again(postgresql)
    at_once(10, lambda at: label_all((project, other)[at % 2], people[at]))
    label_the_rest(project, people)
    labels = other.labels()
    assert labels.n_labels == 45
    assert labels.counts.max() == 1


def test_two_processes_on_one_file(tmp_path, make, again):
    """Two Database objects have a writer each, as two processes do."""
    project, people = make(str(tmp_path / "p.db"), 40, 6)
    other = again(str(tmp_path / "p.db"))
    at_once(6, lambda at: label_all((project, other)[at % 2], people[at]))
    label_the_rest(project, people)
    assert set(counts(project)) == {1}


def test_leases_of_a_clock_that_was_ahead_end(place, make, monkeypatch):
    """What was leased while the clock was a month ahead goes to others when it is right again."""
    project, people = make(place, 3)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 30 * 86_400)
    assert len(project.lease(people[0], 3)) == 3
    monkeypatch.setattr(time, "time", lambda: now)
    assert len(project.lease(people[1], 3)) == 3
    assert project.lease(people[0], 3) == []


def test_examples_that_others_labelled_meanwhile_are_passed_over(place, make, monkeypatch):
    monkeypatch.setattr(rounds, "CHUNK", 10)
    project, people = make(place, 60, 1)
    order = list(range(60))
    publish(project, order)
    project.add_labels((f"e{i}", "elsewhere", "a") for i in order if i not in (3, 30, 58, 59))
    served = []
    while leases := project.lease(people[0], 1):
        served.append(leases[0].example_id)
        project.record(people[0], leases[0].id, "label", label="b")
    assert served == [3, 30, 58, 59]
    assert [one.name for one in examine(project) if one.problem] == []


def test_settings_are_read_by_one_and_not_by_all_who_label(place, make, monkeypatch):
    project, _ = make(place, 1, 0)
    real, reading, go_on, reads = project.database.read, threading.Event(), threading.Event(), []

    def slow(work):
        reads.append(work)
        reading.set()
        assert go_on.wait(60)
        return real(work)

    monkeypatch.setattr(project.database, "read", slow)
    monkeypatch.setattr(project, "_settings_read", time.monotonic() - 3)
    reader = threading.Thread(target=project.refresh)
    reader.start()
    assert reading.wait(60)
    assert project.refresh() is project.settings  # it does not wait
    go_on.set()
    reader.join()
    assert len(reads) == 1
