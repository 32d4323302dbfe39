"""Consensus labels from many annotators, with or without models: one method a file."""

from activelab.consensus._annotators import AnnotatorTable
from activelab.consensus._auto import AUTO, auto_consensus
from activelab.consensus._bayesian import (
    BayesianEstimate,
    bayesian_consensus,
    bayesian_estimate,
    check_known,
)
from activelab.consensus._channels import Ability
from activelab.consensus._consensus import Consensus
from activelab.consensus._crowdkit import CROWDKIT_METHODS, crowdkit
from activelab.consensus._crowdlab import crowdlab
from activelab.consensus._dawid_skene import dawid_skene
from activelab.consensus._majority_vote import majority_vote
from activelab.consensus._ordinal import OrdinalAnnotatorTable, OrdinalConsensus, ordinal_consensus
from activelab.consensus._registry import CONSENSUS, ConsensusMethod, Ordinal
from activelab.consensus._soft import SoftLabels, soft_labels

__all__ = [
    "AUTO",
    "CONSENSUS",
    "CROWDKIT_METHODS",
    "Ability",
    "AnnotatorTable",
    "BayesianEstimate",
    "Consensus",
    "ConsensusMethod",
    "Ordinal",
    "OrdinalAnnotatorTable",
    "OrdinalConsensus",
    "SoftLabels",
    "auto_consensus",
    "bayesian_consensus",
    "bayesian_estimate",
    "check_known",
    "crowdkit",
    "crowdlab",
    "dawid_skene",
    "majority_vote",
    "ordinal_consensus",
    "soft_labels",
]
