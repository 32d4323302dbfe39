"""Datasets, annotators that err or are replayed, and rounds with them where the truth is known."""

from activelab.simulation._annotators import KINDS, ReplayedTeam, SimulatedTeam, Team, make_team
from activelab.simulation._datasets import Dataset, dataset_names, load_dataset
from activelab.simulation._experiment import (
    Experiment,
    make_model,
    model_names,
    results_table,
    run_experiment,
)
from activelab.simulation._rounds import (
    SimulatedRound,
    Simulation,
    initial_labels,
    simulate_rounds,
)

__all__ = [
    "KINDS",
    "Dataset",
    "Experiment",
    "ReplayedTeam",
    "SimulatedRound",
    "SimulatedTeam",
    "Simulation",
    "Team",
    "dataset_names",
    "initial_labels",
    "load_dataset",
    "make_model",
    "make_team",
    "model_names",
    "results_table",
    "run_experiment",
    "simulate_rounds",
]
