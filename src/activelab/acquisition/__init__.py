"""Labels and predictions to one score an example, low = ask next: one method a file."""

from activelab.acquisition._active_label_cleaning import ActiveLabelCleaning
from activelab.acquisition._activelab import ActiveLab
from activelab.acquisition._assessment import Assessment
from activelab.acquisition._assessment import score_pool as score_pool
from activelab.acquisition._assessment import score_without_labels as score_without_labels
from activelab.acquisition._base import Acquisition
from activelab.acquisition._disagreement import Disagreement
from activelab.acquisition._expected_loss import ExpectedLoss
from activelab.acquisition._frugal import Frugal
from activelab.acquisition._lowest import Lowest as Lowest
from activelab.acquisition._random import GoodRandom, Random, RelabelRandom
from activelab.acquisition._registry import METHODS, get_method, methods
from activelab.acquisition._uncertainty import Entropy, Uncertainty

__all__ = [
    "METHODS",
    "Acquisition",
    "ActiveLab",
    "ActiveLabelCleaning",
    "Assessment",
    "Disagreement",
    "Entropy",
    "ExpectedLoss",
    "Frugal",
    "GoodRandom",
    "Random",
    "RelabelRandom",
    "Uncertainty",
    "get_method",
    "methods",
]
