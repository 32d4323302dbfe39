"""The parts of a strategy, each varied alone, and what a strategy is worth."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import activelab as al
from activelab import _registry
from activelab.classifiers import weight_parameter
from activelab.simulation import (
    Curves,
    Experiment,
    efficiency,
    labels_to_reach,
    simulate_rounds,
)
from activelab.simulation._experiment import prepare
from activelab.strategies import Strategy, split_strategies, strategies
from activelab.training import training_target
from conftest import make_pool
from efficiency_tables import efficiency_markdown, strategies_markdown

PARTS = "+".join(
    [
        "consensus=bayesian",
        "training=soft",
        "passes=2",
        "batching=diverse",
        "assignment=thompson",
        "max_share=0.3",
        "skip_settled=True",
    ]
)


def problem(seed=0, n=120, k=3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    X = rng.normal(size=(n, 2)) + 2.5 * np.eye(k)[truth][:, :2]
    matrix = np.full((n, 6), np.nan)
    for j in range(6):
        rows = rng.choice(60, 25, replace=False)
        matrix[rows, j] = np.where(rng.random(25) < 0.8, truth[rows], rng.integers(0, k, 25))
    return X, truth, al.Labels.from_wide(matrix, classes=k)


# ------------------------------------------------------------------ written as text


def test_a_strategy_is_read_and_written():
    strategy = Strategy.parse(f"activelab+{PARTS}")
    assert strategy.passes == 2
    assert strategy.max_share == 0.3
    assert strategy.skip_settled
    assert Strategy.parse(str(strategy)) == strategy
    assert str(Strategy.parse("entropy")) == "entropy"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("activlab", "unknown method 'activlab'"),
        ("activelab+consensus=crowdlb", "unknown consensus 'crowdlb'"),
        ("activelab+who=random", "unknown part of the strategy"),
        ("activelab+passes", "unknown part of the strategy"),
        ("activelab+passes=two", "no value of passes"),
        ("activelab+passes=0", "passes must be an integer of at least 1"),
        ("activelab+max_share=2", "max_share must lie above 0"),
        ("activelab+skip_settled=maybe", "no value of skip_settled"),
    ],
)
def test_a_mistake_in_a_strategy_is_named(text, message):
    with pytest.raises(al.InputError, match=message):
        Strategy.parse(text)


# ------------------------------------------------------------------ the learner


@pytest.mark.parametrize("consensus", ["majority_vote", "crowdlab", "dawid_skene", "bayesian"])
@pytest.mark.parametrize("training", ["hard", "weights", "soft", "cautious"])
def test_every_consensus_goes_with_every_training(consensus, training):
    X, _, labels = problem()
    learner = al.ActiveLearner(LogisticRegression(), cv=3, consensus=consensus, training=training, passes=2)
    first = learner.ask(X, labels, 5).examples.tolist()
    again = al.ActiveLearner(LogisticRegression(), cv=3, consensus=consensus, training=training, passes=2)
    assert again.ask(X, labels, 5).examples.tolist() == first
    assert np.isfinite(learner.predict_proba(X)).all()


class Recorder(LogisticRegression):
    """Keeps what it was fitted on."""

    seen: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None):
        Recorder.seen.append((X.copy(), y.copy(), None if sample_weight is None else sample_weight.copy()))
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("training", ["hard", "weights", "soft"])
def test_what_the_classifier_is_fitted_on(training):
    X, _, labels = problem()
    Recorder.seen = []
    learner = al.ActiveLearner(Recorder(), cv=2, consensus="bayesian", training=training, passes=1)
    learner.ask(X, labels, 5)
    posterior = al.bayesian_consensus(labels).posterior
    given_labels = np.flatnonzero(labels.labelled)
    assert len(Recorder.seen) == 2
    fitted, y, weight = (
        np.concatenate(part) if part[0] is not None else None for part in zip(*Recorder.seen, strict=True)
    )
    row = [int(np.flatnonzero((one == X).all(axis=1))[0]) for one in fitted]
    if training == "hard":
        assert weight is None
        assert sorted(row) == given_labels.tolist()
        return
    np.testing.assert_allclose(weight, posterior[row, y])
    if training == "weights":
        assert sorted(row) == given_labels.tolist()
    else:
        wanted = {(i, k) for i in given_labels for k in range(3) if posterior[i, k] > 0.03}
        assert set(zip(row, y.tolist(), strict=True)) == wanted


def test_cautious_training_keeps_what_annotators_say():
    """A model that contradicts every label weighs it down, and replaces none."""
    labels = al.Labels.from_wide([[0, 0, np.nan], [1, 1, np.nan]] * 10 + [[0, np.nan, np.nan]], classes=2)
    against = [*[[0.05, 0.95], [0.95, 0.05]] * 10, [0.05, 0.95]]
    options = {"consensus": "bayesian", "seed": 0}
    models = (np.array(against),)
    kept = training_target(labels, models, training="cautious", **options)
    assert kept.label.tolist() == [0, 1] * 10 + [0]
    posterior = al.bayesian_consensus(labels, against).posterior
    np.testing.assert_allclose(kept.weight, posterior[np.arange(21), kept.label])
    replaced = training_target(labels, models, training="weights", **options)
    assert replaced.label.tolist() == posterior.argmax(axis=1).tolist()


def test_a_second_pass_refines_the_consensus_with_the_rounds_own_models():
    X, _, labels = problem()
    one = al.ActiveLearner(LogisticRegression(), cv=3, consensus="bayesian", training="hard", passes=1)
    one.ask(X, labels, 5)
    two = al.ActiveLearner(LogisticRegression(), cv=3, consensus="bayesian", training="hard", passes=2)
    two.ask(X, labels, 5)
    expected = al.bayesian_consensus(labels, one.round_.pred_probs).label
    assert (two.round_.training_label == expected).all()
    assert (one.round_.training_label != expected).any()


def test_where_a_pipeline_takes_its_weights():
    assert weight_parameter(LogisticRegression()) == "sample_weight"
    assert weight_parameter(KNeighborsClassifier()) is None
    assert weight_parameter(make_pipeline(StandardScaler(), KNeighborsClassifier())) is None
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    assert weight_parameter(make_pipeline(inner)) == "pipeline__logisticregression__sample_weight"


def test_a_classifier_without_weights_says_so():
    X, _, labels = problem()
    learner = al.ActiveLearner(KNeighborsClassifier(), "recommended", cv=3)
    learner.ask(X, labels, 5)
    assert any("takes no sample_weight" in note for note in learner.round_.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"training": "softly"}, "unknown training"),
        ({"passes": 0}, "passes must be"),
        ({"batching": "lots"}, "unknown batching"),
    ],
)
def test_options_of_the_learner_are_checked(options, message):
    with pytest.raises(al.InputError, match=message):
        al.ActiveLearner(LogisticRegression(), **options)


# ------------------------------------------------------------------ batches


@given(seed=st.integers(0, 1000), size=st.integers(1, 30))
@pytest.mark.parametrize("batching", ["top", "diverse", "stochastic"])
def test_a_batch_has_its_size_and_nothing_twice(batching, seed, size):
    rng = np.random.default_rng(seed)
    scores = rng.random(40).round(1)
    scores[rng.permutation(40)[:10]] = np.inf
    models = (rng.dirichlet(np.ones(4), 40),)
    batch = al.select_batch(scores, size, seed=seed, batching=batching, models=models)
    assert len(set(batch.tolist())) == size
    assert np.isfinite(scores[batch]).all()
    assert (batch == al.select_batch(scores, size, seed=seed, batching=batching, models=models)).all()


def test_a_diverse_batch_takes_from_every_kind_in_turn():
    # Forty examples between classes 0 and 1 with the lowest scores, ten between 2 and 3.
    p = np.tile([0.45, 0.45, 0.05, 0.05], (50, 1))
    p[40:] = [0.05, 0.05, 0.45, 0.45]
    scores = np.arange(50.0)
    batch = al.select_batch(scores, 20, batching="diverse", models=(p,))
    assert batch[:4].tolist() == [0, 40, 1, 41]
    assert (batch >= 40).sum() == 10


def test_a_stochastic_batch_favours_low_scores():
    scores = np.arange(1000.0)
    batches = [al.select_batch(scores, 100, seed=s, batching="stochastic") for s in range(20)]
    assert len({tuple(batch) for batch in batches}) == 20
    assert np.mean([np.median(batch) for batch in batches]) < 150
    assert max(batch.max() for batch in batches) > 200


# ------------------------------------------------------------------ in simulations


def test_every_part_runs_in_an_experiment():
    experiment = Experiment(
        dataset="digits", model="logistic-regression", annotators="heterogeneous", labelled=60,
        unlabelled=140, test=100, batch_size=20, rounds=2, cv=2,
    )  # fmt: skip
    rounds = [*simulate_rounds(prepare(experiment, f"frugal+{PARTS}", 0), 2)]
    assert [one.labels.n_labels for one in rounds][1:] == [rounds[0].labels.n_labels + 20 * t for t in (1, 2)]
    per_person = np.bincount(rounds[-1].labels.annotator, minlength=30) - np.bincount(
        rounds[-2].labels.annotator, minlength=30
    )
    assert per_person.max() <= 6


@pytest.mark.slow
def test_recommended_needs_fewer_labels_where_annotators_differ():
    """Mean area over three trials of digits: ahead of ActiveLab by at least 0.05; who is asked adds to it."""
    experiment = Experiment(
        dataset="digits", model="logistic-regression", annotators="heterogeneous", noise=0.3, labelled=150,
        unlabelled=450, test=500, batch_size=50, rounds=6, cv=3, seed=77,
    )  # fmt: skip
    area = {
        name: np.mean(
            [
                [one.test_accuracy for one in simulate_rounds(prepare(experiment, name, t), 6)]
                for t in range(3)
            ]
        )
        for name in ("activelab", "recommended", "activelab+consensus=bayesian")
    }
    assert area["recommended"] > area["activelab"] + 0.05
    assert area["activelab+consensus=bayesian"] > area["activelab"] + 0.02


# ------------------------------------------------------------------ labels needed


def curves(name, accuracy, labels=(100, 200, 300)):
    accuracy = np.asarray(accuracy, float)
    return Curves(name, np.tile(labels, (len(accuracy), 1)).astype(float), accuracy)


def test_the_share_of_labels_is_read_off_the_mean_curve():
    base = curves("activelab", [[0.5, 0.6, 0.7], [0.5, 0.6, 0.9]])  # ends at 0.8 with 300
    other = curves("other", [[0.6, 0.9, 0.9], [0.6, 0.9, 0.9]])  # reaches it two thirds of the way to 200
    found = efficiency(other, base)
    assert found.share == pytest.approx((100 + 100 * 2 / 3) / 300)
    assert found.new_share == pytest.approx((100 * 2 / 3) / 200)
    assert found.gain == pytest.approx(0.8 - np.mean([0.6, 2 / 3]))
    assert found.low <= found.share <= found.high
    assert efficiency(base, base).share == 1
    assert np.isnan(efficiency(curves("bad", [[0.1, 0.1, 0.1]] * 2), base).share)


def test_a_moment_above_is_no_last_crossing():
    rounds = (100, 200, 300, 400, 500)
    base = curves("activelab", [[0.5, 0.5, 0.5, 0.8, 0.8]] * 2, rounds)
    lucky = curves("lucky", [[0.5, 0.9, 0.5, 0.5, 0.9]] * 2, rounds)
    found = efficiency(lucky, base)
    assert found.share == pytest.approx((100 + 100 * 0.75) / 500)
    assert np.isnan(found.last_share)  # the running mean ends at 0.7
    steady = curves("steady", [[0.2, 0.6, 0.8, 1.0, 1.0]] * 2, rounds)
    # The running mean is 0.4, 0.533, 0.8, 0.933, 1, and that of the other ends at 0.8.
    assert efficiency(steady, base).last_share == pytest.approx(300 / 500)
    assert labels_to_reach(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 1.0]), 0.5) == 1
    assert labels_to_reach(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 1.0]), 0.5, to_stay=True) == 2.5


def test_the_table_compares_with_the_recommended_strategy_and_the_baseline_with_itself():
    base = curves("activelab", [[0.5, 0.6, 0.7], [0.5, 0.6, 0.9]])
    better = curves("frugal", [[0.6, 0.7, 0.8], [0.6, 0.7, 1.0]])
    best = curves("taught", [[0.7, 0.8, 0.9], [0.7, 0.8, 1.0]])
    page = efficiency_markdown({"one": {"activelab": base, "frugal": better, "taught": best}})
    assert "against the area of `frugal`" in page
    assert "| one | 0.733 | +0.0833 ± 0.0167 |" in page
    assert "1.00 of its own annotations" in page


def test_the_table_says_what_was_not_reached():
    base = curves("activelab", [[0.5, 0.6, 0.7], [0.5, 0.6, 0.9]])
    settings = {"one": {"activelab": base, "bad": curves("bad", [[0.1, 0.1, 0.1]] * 2)}}
    page = efficiency_markdown(settings)
    assert "not reached" in page
    assert "**1.00** at least, 1 not reached" in page
    assert "| `bad` | -0.5333 ± 0.0333; – | -0.533 |" in strategies_markdown(settings)
    for tables in (efficiency_markdown, strategies_markdown):
        with pytest.raises(al.InputError, match="baseline"):
            tables(settings, baseline="random")


def test_the_table_tells_apart_what_rests_on_the_initial_labels():
    base = curves("activelab", [[0.5, 0.6, 0.7], [0.5, 0.6, 0.9]])
    settings = {
        "first": {"activelab": base, "other": curves("other", [[0.9, 0.9, 0.9]] * 2)},
        "second": {"activelab": base, "other": curves("other", [[0.5, 0.7, 0.9]] * 2)},
    }
    page = efficiency_markdown(settings)
    assert "0.33, at the start |" in page
    assert "**0.58**; 0.83 without 1 at the start" in page
    assert efficiency(base, base).at_start is False


def test_uniform_probabilities_do_not_break_a_round():
    matrix, _ = make_pool(0)
    labels = al.Labels.from_wide(matrix, classes=3)
    batch = al.suggest(labels, np.full((40, 3), 1 / 3), 5, "recommended", batching="diverse")
    assert len(batch) == 5


# ---------------------------------------------------------------------- lists of strategies

HELPERS = st.lists(st.sampled_from(["trees", "own_parts:helper", "logistic"]), min_size=1).map(",".join)
PRICES = st.lists(st.sampled_from(["ann:1", "bob:0.5", "random:2"]), min_size=1).map(",".join)
TEXTS = st.lists(
    st.builds(
        lambda name, parts: "+".join([name, *parts]),
        st.sampled_from(["activelab", "taught", "recommended", "random"]),
        st.lists(
            st.one_of(
                HELPERS.map("helpers={}".format), PRICES.map("prices={}".format), st.just("training=soft")
            ),
            max_size=2,
        ),
    ),
    min_size=1,
)


@given(TEXTS, st.sampled_from([",", ";", " , ", " ; "]))
def test_a_list_of_strategies_is_what_it_was_joined_of(texts, separator):
    assert split_strategies(separator.join(texts)) == texts


def test_a_semicolon_separates_where_a_comma_would_not():
    assert split_strategies("taught+helpers=trees;my_parts:margin") == [
        "taught+helpers=trees",
        "my_parts:margin",
    ]
    assert split_strategies("taught+helpers=trees,my_parts:helper") == [
        "taught+helpers=trees,my_parts:helper"
    ]
    assert split_strategies("my_parts:margin,random") == ["my_parts:margin", "random"]


def test_packages_are_looked_through_again_only_when_one_is_installed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    looks, look = [], _registry.entry_points
    monkeypatch.setattr(_registry, "entry_points", lambda: looks.append(1) or look())
    assert "mine" not in strategies()
    assert "mine" not in strategies()
    assert len(looks) == 1
    installed = tmp_path / "mine-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[activelab.acquisition]\nmine = mine:Method\n")
    assert "mine" in strategies()
    assert len(looks) == 2
