"""Datasets, annotators that err or are replayed, and rounds with them where the truth is known."""

from activelab.simulation._annotators import KINDS, ReplayedTeam, SimulatedTeam, Team, make_team
from activelab.simulation._datasets import Dataset, dataset_names, load_dataset
from activelab.simulation._rounds import (
    SimulatedRound,
    Simulation,
    initial_labels,
    simulate_rounds,
)

__all__ = [
    "KINDS",
    "Dataset",
    "ReplayedTeam",
    "SimulatedRound",
    "SimulatedTeam",
    "Simulation",
    "Team",
    "dataset_names",
    "initial_labels",
    "load_dataset",
    "make_team",
    "simulate_rounds",
]
