"""Questions with several right classes: answers that are sets, their consensus, and what to ask next."""

from activelab.multilabel._consensus import (
    MultilabelAnnotatorTable,
    MultilabelConsensus,
    multilabel_consensus,
)
from activelab.multilabel._probs import check_multilabel_probs
from activelab.multilabel._sets import SEPARATOR, LabelSets

__all__ = [
    "SEPARATOR",
    "LabelSets",
    "MultilabelAnnotatorTable",
    "MultilabelConsensus",
    "check_multilabel_probs",
    "multilabel_consensus",
]
