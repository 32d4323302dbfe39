"""Datasets, annotators that err or are replayed, and rounds with them where the truth is known."""

from activelab.simulation._annotators import (
    TEAMS,
    ReplayedTeam,
    SimulatedSetTeam,
    SimulatedTeam,
    Team,
    make_team,
)
from activelab.simulation._datasets import Dataset, dataset_names, dataset_origins, load_dataset
from activelab.simulation._efficiency import Efficiency, efficiency
from activelab.simulation._experiment import (
    Experiment,
    make_model,
    model_names,
    results_table,
    run_experiment,
    simulated_team,
)
from activelab.simulation._paper import FIGURES, Panel, Published, ResultFigure, get_figure
from activelab.simulation._rounds import (
    SimulatedRound,
    Simulation,
    initial_labels,
    simulate_rounds,
)
from activelab.simulation._summary import (
    Curves,
    PublishedCurve,
    labels_to_reach,
    learning_curves_of,
    read_published,
    summary_markdown,
)

__all__ = [
    "FIGURES",
    "TEAMS",
    "Curves",
    "Dataset",
    "Efficiency",
    "Experiment",
    "Panel",
    "Published",
    "PublishedCurve",
    "ReplayedTeam",
    "ResultFigure",
    "SimulatedRound",
    "SimulatedSetTeam",
    "SimulatedTeam",
    "Simulation",
    "Team",
    "dataset_names",
    "dataset_origins",
    "efficiency",
    "get_figure",
    "initial_labels",
    "labels_to_reach",
    "learning_curves_of",
    "load_dataset",
    "make_model",
    "make_team",
    "model_names",
    "read_published",
    "results_table",
    "run_experiment",
    "simulate_rounds",
    "simulated_team",
    "summary_markdown",
]
