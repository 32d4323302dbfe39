"""Small learners that see the features themselves, and teach the user's classifier."""

from activelab.helpers._committee import Committee, fit_committee
from activelab.helpers._features import helper_features
from activelab.helpers._members import (
    GaussianProcess,
    Neighbours,
    SoftTargets,
    extra_trees,
    gaussian_process,
    gaussian_process_local,
    logistic,
    neighbours,
)
from activelab.helpers._report import agreement_note
from activelab.helpers._round import teach_round
from activelab.helpers._student import teach

__all__ = [
    "Committee",
    "GaussianProcess",
    "Neighbours",
    "SoftTargets",
    "agreement_note",
    "extra_trees",
    "fit_committee",
    "gaussian_process",
    "gaussian_process_local",
    "helper_features",
    "logistic",
    "neighbours",
    "teach",
    "teach_round",
]
