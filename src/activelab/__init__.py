"""ActiveLab: what to label next, a new example or one that deserves another opinion."""

from typing import TYPE_CHECKING, Any

from activelab._errors import InputError
from activelab.acquisition import (
    Acquisition,
    ActiveLab,
    ActiveLabelCleaning,
    Disagreement,
    Entropy,
    GoodRandom,
    Random,
    Uncertainty,
    get_method,
    methods,
)
from activelab.assignment import assign
from activelab.calibration import TemperatureScaling
from activelab.consensus import (
    Consensus,
    bayesian_consensus,
    crowdkit,
    crowdlab,
    dawid_skene,
    majority_vote,
    ordinal_consensus,
)
from activelab.labels import Labels
from activelab.planning import Batch, suggest
from activelab.pred_probs import Checked, check_pred_probs
from activelab.selection import select_batch
from activelab.strategies import Strategy, register, strategies

if TYPE_CHECKING:
    from activelab.classifiers import cross_val_pred_probs
    from activelab.learner import ActiveLearner

__version__ = "0.1.0"

__all__ = [
    "Acquisition",
    "ActiveLab",
    "ActiveLabelCleaning",
    "ActiveLearner",
    "Batch",
    "Checked",
    "Consensus",
    "Disagreement",
    "Entropy",
    "GoodRandom",
    "InputError",
    "Labels",
    "Random",
    "Strategy",
    "TemperatureScaling",
    "Uncertainty",
    "assign",
    "bayesian_consensus",
    "check_pred_probs",
    "cross_val_pred_probs",
    "crowdkit",
    "crowdlab",
    "dawid_skene",
    "get_method",
    "majority_vote",
    "methods",
    "ordinal_consensus",
    "register",
    "select_batch",
    "strategies",
    "suggest",
]

# scikit-learn takes most of a second to import: what needs it is loaded on first use.
_LAZY = {"ActiveLearner": "activelab.learner", "cross_val_pred_probs": "activelab.classifiers"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'activelab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
