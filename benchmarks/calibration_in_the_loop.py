"""What calibration does to ActiveLab over twenty rounds: Wall Robot, extra trees, 12 % noise (figure fig1).

    ACTIVELAB_DATA=... python benchmarks/calibration_in_the_loop.py [TRIALS]

Without ACTIVELAB_DATA the dataset is fetched from OpenML. About five minutes a trial on one core; prints a
Markdown table of final test accuracies, every variant on the same data, team and initial labels.
"""

from __future__ import annotations

import sys

import numpy as np
from joblib import Parallel, delayed

from _common import versions
from activelab import ActiveLab
from activelab._conventions import REFERENCE
from activelab.simulation import get_figure, simulate_rounds
from activelab.simulation._experiment import prepare
from activelab.strategies import Strategy

VARIANTS = {
    "none": (ActiveLab(calibrate=False), 0.01),
    "a grid of candidates, as the published code": (ActiveLab(conventions=REFERENCE), 0.01),
    "the optimum, zeros clipped at 1e-30": (ActiveLab(), 0.0),
    "the optimum, 1 % of the uniform distribution mixed in (default)": (ActiveLab(), 0.01),
}


def final_accuracy(variant: str, trial: int) -> float:
    experiment = get_figure("fig1").panels[0].experiment
    simulation = prepare(experiment, "activelab", trial)
    method, simulation.learner.smoothing = VARIANTS[variant]
    simulation.learner.strategy = Strategy(method)
    return [one.test_accuracy for one in simulate_rounds(simulation, experiment.rounds)][-1]


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    jobs = (delayed(final_accuracy)(variant, trial) for variant in VARIANTS for trial in range(trials))
    table = np.reshape(Parallel(n_jobs=-1)(jobs), (len(VARIANTS), trials))
    print(f"{versions()}\n")
    print("| calibration | final accuracy | each trial |\n|---|---|---|")
    for variant, row in zip(VARIANTS, table, strict=True):
        print(f"| {variant} | {row.mean():.3f} | {', '.join(f'{one:.3f}' for one in row)} |")


if __name__ == "__main__":
    main()
