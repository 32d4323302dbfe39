"""Questions with several right classes: answers that are sets, their consensus, and what to ask next."""

from activelab.multilabel._sets import SEPARATOR, LabelSets

__all__ = ["SEPARATOR", "LabelSets"]
