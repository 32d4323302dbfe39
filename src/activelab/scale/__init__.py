"""The same scores and consensus over Parquet too large for memory, on one machine or a cluster."""

from activelab.scale._consensus import consensus
from activelab.scale._plan import Plan
from activelab.scale._sequence import ConsensusSummary, Suggestion
from activelab.scale._suggest import plan, suggest, suggest_questions

__all__ = ["ConsensusSummary", "Plan", "Suggestion", "consensus", "plan", "suggest", "suggest_questions"]
