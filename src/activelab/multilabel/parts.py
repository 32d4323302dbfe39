"""What the consensus of sets is made of, for those who give it another shape."""

from activelab.multilabel._consensus import multilabel_consensus_by
from activelab.multilabel._estimate import MultilabelEstimate, multilabel_estimate, yes_no
from activelab.multilabel._probs import check_multilabel_probs, check_set_values
from activelab.multilabel._questions import (
    Asking,
    check_asking,
    fewer_questions,
    mean_rates,
    question_keys,
    question_worth,
)

__all__ = [
    "Asking",
    "MultilabelEstimate",
    "check_asking",
    "check_multilabel_probs",
    "check_set_values",
    "fewer_questions",
    "mean_rates",
    "multilabel_consensus_by",
    "multilabel_estimate",
    "question_keys",
    "question_worth",
    "yes_no",
]
