"""Questions with several right classes: answers that are sets, their consensus, and what to ask next."""

from activelab.multilabel._agreement import set_agreement
from activelab.multilabel._consensus import (
    MultilabelAnnotatorTable,
    MultilabelConsensus,
    multilabel_consensus,
)
from activelab.multilabel._probs import check_multilabel_probs
from activelab.multilabel._questions import QuestionBatch, suggest_questions
from activelab.multilabel._sets import LabelSets

__all__ = [
    "LabelSets",
    "MultilabelAnnotatorTable",
    "MultilabelConsensus",
    "QuestionBatch",
    "check_multilabel_probs",
    "multilabel_consensus",
    "set_agreement",
    "suggest_questions",
]
