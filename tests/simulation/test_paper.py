"""The paper's experiments in small: each panel with fewer examples, rounds and trials keeps its order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activelab.simulation import FIGURES, get_figure, learning_curves_of, results_table, run_experiment

WALL = {"labelled": 300, "unlabelled": 500, "batch_size": 200, "rounds": 4, "trials": 2, "cv": 2}
COMPLETE = {"labelled": 800, "batch_size": 200, "rounds": 4, "trials": 2, "cv": 2}
CIFAR = {"labelled": 500, "unlabelled": 1500, "test": 2000, "rounds": 4, "trials": 2, "cv": 3}

# Figure, panel, changes, the method ahead, the one behind, by how much area under the curve.
SMALL = [
    ("fig1", "extra-trees", WALL, "activelab", "random", 0.01),
    ("fig2", "linear-head", CIFAR, "activelab", "random", 0.004),
    ("s1", "noise-40", WALL, "relabel_random", "good_random", 0.03),
    ("s2", "mlp", WALL | {"trials": 1}, "activelab", "random", 0.0),
    ("s3", "extra-trees", COMPLETE, "activelab", "random", 0.02),
    ("s4", "mlp", COMPLETE | {"trials": 1}, "activelab", "random", 0.0),
    ("s5", "extra-trees", WALL | {"batch_size": 100}, "activelab", "random", 0.01),
    ("noise", "extra-trees", WALL, "activelab", "random", 0.015),
    ("people", "product", {"rounds": 5, "trials": 2, "unlabelled": 1000}, "activelab", "random", 0.003),
    ("people", "sentiment-polarity", {"rounds": 6, "trials": 2}, "activelab", "random", 0.015),
    ("people", "labelme", {"rounds": 12, "trials": 2}, "activelab", "random", 0.01),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figure", "name", "changes", "ahead", "behind", "margin"),
    SMALL,
    ids=[f"{figure}-{name}-{ahead}" for figure, name, _, ahead, _, _ in SMALL],
)
def test_small_version_keeps_the_order(data, tmp_path, figure, name, changes, ahead, behind, margin):
    (panel,) = (one for one in get_figure(figure).panels if one.name == name)
    assert {ahead, behind} <= set(panel.experiment.methods)
    experiment = replace(panel.experiment, methods=(ahead, behind), **changes)
    for _ in run_experiment(experiment, tmp_path):
        pass
    curves = learning_curves_of(results_table(experiment, tmp_path), "test_accuracy")
    assert curves[ahead].area.mean() > curves[behind].area.mean() + margin


def test_every_figure_has_a_small_version():
    """Except the fine-tuned networks (tests/test_images.py) and bluebirds, too few to tell methods apart."""
    assert {figure for figure, *_ in SMALL} == {name for name, one in FIGURES.items() if not one.needs_torch}
