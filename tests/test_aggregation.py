"""`activelab.aggregation` against values published by crowd-kit, crowd-kit itself, and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activelab as al
from activelab import aggregation as ag

# The toy example of crowd-kit's tests: rows are workers w1 to w5, columns the tasks t1 to t5; w3 skips t1.
_ANSWERS = ["nyyyy", "yynyn", ".ynyn", "ynyyn", "nnnyn"]
TOY = pd.DataFrame(
    [
        (f"w{worker}", f"t{task}", {"y": "yes", "n": "no"}[answer])
        for worker, answers in enumerate(_ANSWERS, 1)
        for task, answer in enumerate(answers, 1)
        if answer != "."
    ],
    columns=["worker", "task", "label"],
)
GOLD = pd.Series({"t1": "yes", "t2": "yes"})
# What crowd-kit's tests expect: label of each task, probability of "yes", skill of each worker.
PUBLISHED = {
    "MajorityVote": ("nynyn", [0.5, 0.6, 0.4, 1, 0.2], [0.6, 0.8, 1, 0.4, 0.8]),
    "Wawa": ("nynyn", [0.461538, 0.666667, 0.277778, 1, 0.166667], [0.6, 0.8, 1, 0.4, 0.8]),
    "ZeroBasedSkill": ("nynyn", [0.461538, 0.666667, 0.277778, 1, 0.166667], [0.6, 0.8, 1, 0.4, 0.8]),
    "GoldMajorityVote": ("yynyn", [0.75, 0.833333, 0.333333, 1, 0.166667], [0.5, 1, 1, 0.5, 0]),
}


def known(name):
    return (GOLD,) if name == "GoldMajorityVote" else ()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name):
    labels, yes, skills = PUBLISHED[name]
    one = getattr(ag, name)().fit(TOY, *known(name))
    assert "".join(label[0] for label in one.labels_.sort_index()) == labels
    np.testing.assert_allclose(one.probas_.sort_index()["yes"], yes, atol=1e-6)
    np.testing.assert_allclose(one.skills_.sort_index(), skills, atol=1e-4)
    assert (one.labels_.name, one.labels_.index.name, one.probas_.columns.name, one.skills_.index.name) == (
        "agg_label",
        "task",
        "label",
        "worker",
    )


@pytest.mark.parametrize("name", [*PUBLISHED, "DawidSkene"])
def test_fit_predict_is_what_fit_keeps(name):
    labels = getattr(ag, name)().fit_predict(TOY, *known(name))
    probas = getattr(ag, name)().fit_predict_proba(TOY, *known(name))
    one = getattr(ag, name)().fit(TOY, *known(name))
    pd.testing.assert_series_equal(labels, one.labels_)
    pd.testing.assert_frame_equal(probas, one.probas_)
    np.testing.assert_allclose(probas.sum(axis=1), 1)


@pytest.mark.parametrize("name", ["Wawa", "ZeroBasedSkill", "GoldMajorityVote"])
def test_predict_uses_the_skills_that_fit_learnt(name):
    one = getattr(ag, name)().fit(TOY, *known(name))
    some = TOY[TOY["task"].isin(["t2", "t5"])]
    weighted = ag.MajorityVote().fit(some, one.skills_)
    pd.testing.assert_series_equal(one.predict(some), weighted.labels_)
    pd.testing.assert_frame_equal(one.predict_proba(some), weighted.probas_)
    with pytest.raises(al.InputError, match=f"{name} knows no worker yet"):
        getattr(ag, name)().predict(some)


def test_dawid_skene_is_that_of_the_package():
    one = ag.DawidSkene(n_iter=20, tol=1e-6).fit(TOY)
    consensus = al.dawid_skene(al.Labels.from_long(TOY), max_iter=20, tol=1e-6)
    np.testing.assert_array_equal(one.probas_.to_numpy(), consensus.posterior)
    assert one.labels_.tolist() == consensus.label_ids.tolist() == ["yes", "yes", "no", "yes", "no"]
    np.testing.assert_allclose(one.priors_, consensus.posterior.mean(axis=0))
    # errors_: of the "yes" there are, the share that w2 calls so, by hand.
    yes = one.probas_["yes"]
    np.testing.assert_allclose(
        one.errors_.loc[("w2", "yes"), "yes"], yes[["t1", "t2", "t4"]].sum() / yes.sum()
    )
    np.testing.assert_allclose(one.errors_.groupby("worker").sum(), 1)


frames = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 5), st.integers(0, 2)),
    min_size=1,
    max_size=30,
    unique_by=lambda row: row[:2],
).map(lambda rows: pd.DataFrame(rows, columns=["task", "worker", "label"]))


@pytest.mark.filterwarnings("ignore")  # of crowd-kit under a new pandas
@given(frames, st.lists(st.integers(8, 64).map(lambda part: part / 64), min_size=6, max_size=6))
@settings(max_examples=30, deadline=None)
def test_majority_vote_is_crowdkits(frame, skills):
    from crowdkit import aggregation as crowdkit

    weights = pd.Series(skills)
    for arguments in ((), (weights,)):
        mine = ag.MajorityVote().fit(frame, *arguments)
        theirs = crowdkit.MajorityVote().fit(frame.copy(), *arguments)
        pd.testing.assert_frame_equal(mine.probas_, theirs.probas_, check_like=True)
        top = theirs.probas_.eq(theirs.probas_.max(axis=1), axis=0)
        clear = top.index[top.sum(axis=1) == 1]
        assert mine.labels_[clear].equals(theirs.labels_[clear])


@given(frames, st.randoms())
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_does_not_matter(frame, random):
    shuffled = frame.sample(frac=1, random_state=random.randrange(100))
    for name in ("MajorityVote", "Wawa", "ZeroBasedSkill", "DawidSkene"):
        one, other = (getattr(ag, name)().fit_predict_proba(table) for table in (frame, shuffled))
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_errors_of_dawid_skene_are_of_the_labels_given():
    one = ag.DawidSkene().fit(TOY)
    given_labels = TOY[["worker", "label"]].drop_duplicates()
    assert sorted(one.errors_.index) == sorted(given_labels.itertuples(index=False, name=None))
    np.testing.assert_allclose(one.errors_.groupby("worker").sum(), 1)
    of_w1 = TOY[TOY["worker"] == "w1"].set_index("task")["label"]
    yes = one.probas_.loc[of_w1.index, "yes"]
    assert one.errors_.loc[("w1", "yes"), "yes"] == pytest.approx(yes[of_w1 == "yes"].sum() / yes.sum())


def test_workers_without_a_skill():
    skills = pd.Series({"w1": 1.0, "w2": 1.0, "w3": 1.0, "w4": 1.0})
    with pytest.raises(al.InputError, match=r"workers 'w5' have no skill"):
        ag.MajorityVote().fit(TOY, skills)
    without = ag.MajorityVote().fit(TOY[TOY["worker"] != "w5"], skills).probas_
    ignored = ag.MajorityVote(on_missing_skill="ignore").fit(TOY, skills).probas_
    pd.testing.assert_frame_equal(ignored, without)
    valued = ag.MajorityVote(default_skill=1.0, on_missing_skill="value").fit(TOY, skills).probas_
    pd.testing.assert_frame_equal(valued, ag.MajorityVote().fit(TOY).probas_)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ag.MajorityVote().fit(pd.concat([TOY, TOY[:1]])), "w1"),
        (lambda: ag.MajorityVote().fit(TOY.rename(columns={"task": "image"})), "task"),
        (lambda: ag.MajorityVote(on_missing_skill="drop"), "on_missing_skill must be"),
        (lambda: ag.MajorityVote(default_skill=0.5), "default_skill goes with"),
        (lambda: ag.GoldMajorityVote().fit(TOY, GOLD[:1]), r"workers 'w3' labelled no task"),
        (
            lambda: ag.MajorityVote().fit(TOY, pd.Series(0.0, index=TOY["worker"].unique())),
            "nobody with a skill",
        ),
    ],
)
def test_bad_input_is_one_clear_error(call, message):
    with pytest.raises(al.InputError, match=message):
        call()
