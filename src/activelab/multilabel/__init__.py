"""Questions with several right classes: answers that are sets, their consensus, and what to ask next."""

from activelab._set_text import SEPARATOR
from activelab.multilabel._agreement import set_agreement
from activelab.multilabel._consensus import (
    MultilabelAnnotatorTable,
    MultilabelConsensus,
    multilabel_consensus,
)
from activelab.multilabel._loss import SET_LOSSES
from activelab.multilabel._method import Multilabel, as_sets
from activelab.multilabel._probs import check_multilabel_probs
from activelab.multilabel._questions import SET_METHODS, QuestionBatch, suggest_questions
from activelab.multilabel._questions import Ask as Ask
from activelab.multilabel._sets import LabelSets
from activelab.multilabel._sets import texts as set_texts

__all__ = [
    "SEPARATOR",
    "SET_LOSSES",
    "SET_METHODS",
    "LabelSets",
    "Multilabel",
    "MultilabelAnnotatorTable",
    "MultilabelConsensus",
    "QuestionBatch",
    "as_sets",
    "check_multilabel_probs",
    "multilabel_consensus",
    "set_agreement",
    "set_texts",
    "suggest_questions",
]
