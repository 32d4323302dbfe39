"""What the consensus of sets is made of, for those who give it another shape."""

from activelab.multilabel._consensus import multilabel_consensus_by
from activelab.multilabel._estimate import MultilabelEstimate, multilabel_estimate, yes_no
from activelab.multilabel._probs import check_multilabel_probs
from activelab.multilabel._questions import answers_by_class, candidates, question_worth

__all__ = [
    "MultilabelEstimate",
    "answers_by_class",
    "candidates",
    "check_multilabel_probs",
    "multilabel_consensus_by",
    "multilabel_estimate",
    "question_worth",
    "yes_no",
]
