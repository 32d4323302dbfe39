"""What the consensus of sets is made of, for those who give it another shape."""

from activelab.multilabel._consensus import check_known_sets, multilabel_consensus_by, pool_posterior
from activelab.multilabel._estimate import MultilabelEstimate, multilabel_estimate, yes_no
from activelab.multilabel._loss import choose, thresholds
from activelab.multilabel._probs import check_multilabel_probs, joined_sets
from activelab.multilabel._questions import ASKS, pair_counts, question_worth, questions_by
from activelab.multilabel._sets import named_sets

__all__ = [
    "ASKS",
    "MultilabelEstimate",
    "check_known_sets",
    "check_multilabel_probs",
    "choose",
    "joined_sets",
    "multilabel_consensus_by",
    "multilabel_estimate",
    "named_sets",
    "pair_counts",
    "pool_posterior",
    "question_worth",
    "questions_by",
    "thresholds",
    "yes_no",
]
