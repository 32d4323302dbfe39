"""Figures: what they draw, on whose axes, and that a notebook shows them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from matplotlib.figure import Figure

import activelab as al
from activelab import plots
from activelab.agreement import cohen_kappa_matrix
from conftest import make_pool

MATRIX, PROBS = make_pool(0)
LABELS = al.Labels.from_wide(MATRIX)
CONSENSUS = al.crowdlab(LABELS, PROBS[0])
TIMES = np.datetime64("2026-01-01") + np.arange(6)

FIGURES = {
    "learning_curves": lambda **o: plots.learning_curves({"a": ([1, 2], [0.5, 0.6])}, **o),
    "reliability": lambda **o: plots.reliability(CONSENSUS.quality, CONSENSUS.label == 1, **o),
    "quality_histogram": lambda **o: plots.quality_histogram(CONSENSUS, **o),
    "annotator_intervals": lambda **o: plots.annotator_intervals(CONSENSUS.annotators, **o),
    "confusion_matrix": lambda **o: plots.confusion_matrix(LABELS, CONSENSUS, **o),
    "agreement_heatmap": lambda **o: plots.agreement_heatmap(cohen_kappa_matrix(LABELS), **o),
    "batch_composition": lambda **o: plots.batch_composition([al.suggest(LABELS, PROBS[0], 5)], **o),
    "labels_over_time": lambda **o: plots.labels_over_time(TIMES, list("abbabb"), **o),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_a_picture_by_itself_and_draws_where_it_is_told(name):
    own = FIGURES[name]()
    assert own._repr_png_().startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(own)).axes
    whole = Figure()
    left, right = whole.subplots(1, 2)
    assert FIGURES[name](ax=right, title="Here") is whole
    assert whole._repr_png_().startswith(b"\x89PNG")
    assert right.get_title() == "Here"
    assert right.has_data()
    assert not left.has_data()
    part = Figure().subfigures(1, 2)[0]
    assert FIGURES[name](ax=part.subplots()) is part.figure


def test_nothing_global_changes():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    for draw in FIGURES.values():
        draw()
    assert plt.get_fignums() == before


def test_reliability_is_the_share_right_in_bins_of_equal_size():
    quality = np.array([np.nan, 0.5, 0.5, 0.7, 0.7, 0.9, 0.9])
    axes = plots.reliability(quality, np.array([1, 0, 1, 0, 1, 1, 1], dtype=bool), bins=3).axes[0]
    x, y = axes.lines[1].get_data()
    np.testing.assert_allclose(x, [0.5, 0.7, 0.9])
    np.testing.assert_allclose(y, [0.5, 0.5, 1.0])
    for wrong in ([0.5], [np.nan] * 7):
        with pytest.raises(al.InputError, match=r"one length|no example"):
            plots.reliability(wrong, np.ones(7, dtype=bool))


@pytest.mark.parametrize("size", range(1, 60))
def test_reliability_of_a_bin_in_which_all_or_none_are_right(size):
    for right in (0, 1):
        axes = plots.reliability(np.linspace(0.5, 0.9, size), np.full(size, right == 1), bins=1).axes[0]
        assert axes.lines[1].get_ydata() == [right]


def test_annotators_stand_worst_first_with_their_intervals():
    records = [
        (i, who, int(i % 2 != (who == "bad" and i < 6))) for i in range(20) for who in ("a", "b", "bad")
    ]
    consensus = al.majority_vote(al.Labels.from_records(records))
    axes = plots.annotator_intervals(consensus.annotators).axes[0]
    assert [one.get_text() for one in axes.get_yticklabels()] == ["bad", "a", "b"]
    # Wilson's interval of 14 of 20 is 0.481 to 0.855.
    (segment, *_) = axes.collections[0].get_segments()
    np.testing.assert_allclose(segment[:, 0], [0.481, 0.855], atol=0.001)


def test_confusion_matrices_of_all_of_one_and_of_a_model():
    labels = al.Labels.from_wide([[0, 0], [0, 1], [1, 1], [1, None]])
    truth = np.array([0, 0, 1, 1])

    def drawn(**options):
        return np.asarray(plots.confusion_matrix(labels, truth, **options).axes[0].images[0].get_array())

    np.testing.assert_allclose(drawn(), [[0.75, 0.25], [0, 1]])
    np.testing.assert_allclose(drawn(annotator=1), [[0.5, 0.5], [0, 1]])
    np.testing.assert_allclose(drawn(predicted=np.array([1, 1, 1, 0])), [[0, 1], [0.5, 0.5]])
    assert plots.confusion_matrix(labels, al.majority_vote(labels)).axes[0].get_ylabel() == "consensus"
    for options, message in (
        ({"annotator": 0, "predicted": truth}, "not both"),
        ({"annotator": 7}, "unknown annotator ids: 7"),
        ({"predicted": truth[:3]}, "predicted must hold one class code for each of the 4 examples"),
    ):
        with pytest.raises(al.InputError, match=message):
            drawn(**options)


def test_batches_and_labels_over_time_add_up():
    batches = [al.suggest(LABELS, PROBS[0], size) for size in (5, 8)]
    new, relabel = plots.batch_composition(batches).axes[0].containers
    heights = [a.get_height() + b.get_height() for a, b in zip(new, relabel, strict=True)]
    assert heights == [5, 8]
    axes = plots.labels_over_time(TIMES[::-1], list("abbabb")).axes[0]
    assert [(line.get_label(), line.get_ydata()[-1]) for line in axes.lines] == [("b", 4), ("a", 2)]
    assert plots.labels_over_time([3, 1, 2]).axes[0].lines[0].get_xdata().tolist() == [1, 2, 3]
    with pytest.raises(al.InputError, match="6 times and 2 annotators"):
        plots.labels_over_time(TIMES, ["a", "b"])


def test_many_names_are_counted_instead():
    wide = np.tile(np.arange(60)[:, None] % 2, (1, 50))
    labels = al.Labels.from_wide(wide)
    axes = plots.agreement_heatmap(cohen_kappa_matrix(labels)).axes[0]
    assert axes.get_xlabel() == "50 annotators"
    assert not axes.get_xticklabels()
