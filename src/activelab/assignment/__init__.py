"""Who labels what: an annotator for each example of a batch. One rule a class."""

from activelab.assignment._assign import assign, shares
from activelab.assignment._rules import RULES, AssignmentRule, RandomRule, RoundRobin, Thompson, get_rule

__all__ = [
    "RULES",
    "AssignmentRule",
    "RandomRule",
    "RoundRobin",
    "Thompson",
    "assign",
    "get_rule",
    "shares",
]
