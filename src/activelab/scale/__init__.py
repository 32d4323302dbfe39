"""The same scores over Parquet too large for memory, on one machine or a cluster."""

from activelab.scale._plan import Plan
from activelab.scale._sequence import Suggestion
from activelab.scale._suggest import plan, suggest, suggest_questions

__all__ = ["Plan", "Suggestion", "plan", "suggest", "suggest_questions"]
