"""What the consensus of sets is made of, for those who give it another shape."""

from activelab.multilabel._consensus import (
    check_known_sets,
    check_set_abstentions,
    estimate_beside,
    multilabel_consensus_by,
    pool_posterior,
)
from activelab.multilabel._estimate import MultilabelEstimate, multilabel_estimate, yes_no
from activelab.multilabel._loss import choose, thresholds
from activelab.multilabel._probs import (
    check_multilabel_probs,
    check_set_values,
    joined_sets,
    predicted_sets,
)
from activelab.multilabel._questions import (
    ASKS,
    Asking,
    candidates,
    check_asking,
    fewer_questions,
    mean_rates,
    pair_counts,
    question_keys,
    question_worth,
    questions_by,
)
from activelab.multilabel._sets import named_sets

__all__ = [
    "ASKS",
    "Asking",
    "MultilabelEstimate",
    "candidates",
    "check_asking",
    "check_known_sets",
    "check_multilabel_probs",
    "check_set_abstentions",
    "check_set_values",
    "choose",
    "estimate_beside",
    "fewer_questions",
    "joined_sets",
    "mean_rates",
    "multilabel_consensus_by",
    "multilabel_estimate",
    "named_sets",
    "pair_counts",
    "pool_posterior",
    "predicted_sets",
    "question_keys",
    "question_worth",
    "questions_by",
    "thresholds",
    "yes_no",
]
