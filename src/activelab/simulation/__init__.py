"""Annotators that err and rounds with them, to try methods where the truth is known."""

from activelab.simulation._annotators import AnnotatorTeam
from activelab.simulation._rounds import SimulatedRound, simulate_rounds

__all__ = ["AnnotatorTeam", "SimulatedRound", "simulate_rounds"]
