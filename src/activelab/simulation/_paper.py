"""The paper's experiments [A §4, appendices], and the same on people's recorded labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from activelab._errors import unknown
from activelab.simulation._experiment import Experiment

_SINGLE = ("random", "good_random", "entropy", "uncertainty", "activelab")
_WITH_CLEANING = (*_SINGLE[:-1], "active_label_cleaning", "activelab")
_ENSEMBLE = ("random", "disagreement", "activelab")


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    Attributes
    ----------
    name : str
        Short name, used for folders.
    title : str
    experiment : Experiment
    published : tuple of str
        Benchmark and beginning of the model's name in the file of published curves; empty if none are.
    """

    name: str
    title: str
    experiment: Experiment
    published: tuple[str, ...] = ()


_WALL = Experiment(methods=_SINGLE, noise=0.12)
_COMPLETE = Experiment(
    dataset="wall-robot-complete",
    methods=_WITH_CLEANING,
    labelled=2000,
    unlabelled=0,
    noise=0.2,
)
_CIFAR = Experiment(
    dataset="cifar10h",
    model="linear-head",
    methods=_SINGLE,
    labelled=1000,
    unlabelled=4000,
    test=5000,
    batch_size=500,
    rounds=13,
    annotators="replay",
)
_CROWD = Experiment(
    model="logistic-regression", methods=_WITH_CLEANING, annotators="replay", rounds=20, trials=5
)


FIGURES: dict[str, tuple[Panel, ...]] = {
    "fig1": (
        Panel("extra-trees", "Wall Robot, extra trees", _WALL, ("wall_robot", "et")),
        Panel(
            "ensemble",
            "Wall Robot, ensemble of MLP, extra trees and k-NN",
            replace(_WALL, model="ensemble", methods=_ENSEMBLE),
            ("wall_robot", "ensemble"),
        ),
    ),
    "fig2": (
        Panel(
            "linear-head",
            "CIFAR-10H, linear head on fixed embeddings",
            _CIFAR,
            ("cifar10h", "resnet18"),
        ),
    ),
    "s1": tuple(
        Panel(
            f"noise-{round(100 * noise):02d}",
            f"New examples or another label, {noise:.0%} noise",
            replace(_WALL, methods=("good_random", "relabel_random"), noise=noise, rounds=15),
        )
        for noise in (0.4, 0.3, 0.2, 0.1, 0.0)
    ),
    "s2": (Panel("mlp", "Wall Robot, MLP", replace(_WALL, model="mlp"), ("wall_robot", "mlp")),),
    "s3": (
        Panel(
            "extra-trees",
            "Wall Robot Complete, extra trees",
            _COMPLETE,
            ("wall_robot_complete", "et"),
        ),
        Panel(
            "ensemble",
            "Wall Robot Complete, ensemble",
            replace(_COMPLETE, model="ensemble", methods=_ENSEMBLE),
            ("wall_robot_complete", "ensemble"),
        ),
    ),
    "s4": (
        Panel(
            "mlp",
            "Wall Robot Complete, MLP",
            replace(_COMPLETE, model="mlp"),
            ("wall_robot_complete", "mlp"),
        ),
    ),
    "s5": (
        Panel(
            "extra-trees",
            "Wall Robot, one label an example",
            replace(
                _WALL,
                methods=("random", "entropy", "uncertainty", "activelab"),
                noise=0.4,
                rounds=10,
                single_label=True,
            ),
        ),
    ),
    "noise": (
        Panel(
            "extra-trees",
            "Wall Robot, extra trees, 15 % noise",
            replace(_WALL, noise=0.15),
            ("wall_robot", "et"),
        ),
    ),
    "people": (
        Panel(
            "product",
            "Product",
            replace(_CROWD, dataset="product", labelled=300, unlabelled=2700, test=4000, batch_size=150),
        ),
        Panel(
            "sentiment-polarity",
            "Sentence Polarity",
            replace(
                _CROWD,
                dataset="sentiment-polarity",
                labelled=500,
                unlabelled=1500,
                test=0,
                batch_size=200,
            ),
        ),
        Panel(
            "labelme",
            "LabelMe",
            replace(
                _CROWD, dataset="labelme", labelled=200, unlabelled=800, test=0, batch_size=100, rounds=15
            ),
        ),
        Panel(
            "bluebirds",
            "Bluebirds",
            replace(
                _CROWD, dataset="bluebirds", labelled=20, unlabelled=50, test=38, batch_size=20, trials=10
            ),
        ),
    ),
}
"""Panels of each figure: the paper's (fig1 to s5), fig1 at the noise it states, and real people."""


def figure_panels(figure: str) -> tuple[Panel, ...]:
    """Panels of a figure.

    Raises
    ------
    InputError
        If there is no such figure.
    """
    if figure not in FIGURES:
        raise unknown("figure", figure, list(FIGURES))
    return FIGURES[figure]
