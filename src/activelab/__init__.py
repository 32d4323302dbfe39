"""ActiveLab: what to label next, a new example or one that deserves another opinion."""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from activelab.classifiers import cross_val_pred_probs
    from activelab.consensus import (
        Consensus,
        bayesian_consensus,
        crowdkit,
        crowdlab,
        dawid_skene,
        majority_vote,
        ordinal_consensus,
        soft_labels,
    )
    from activelab.labels import Labels
    from activelab.learner import ActiveLearner
    from activelab.multilabel import LabelSets, multilabel_consensus, suggest_questions
    from activelab.planning import Batch, suggest
    from activelab.pred_probs import Checked, check_pred_probs
    from activelab.selection import select_batch
    from activelab.strategies import Strategy, register, strategies

__version__ = "0.2.0"

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
    "LabelSets",
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
    "multilabel_consensus",
    "ordinal_consensus",
    "register",
    "select_batch",
    "soft_labels",
    "strategies",
    "suggest",
    "suggest_questions",
]

# Loaded on first use: numpy, scipy and scikit-learn take longer to import than a command to complete.
_HOMES = {
    "activelab._errors": ("InputError",),
    "activelab.acquisition": (
        "Acquisition",
        "ActiveLab",
        "ActiveLabelCleaning",
        "Disagreement",
        "Entropy",
        "GoodRandom",
        "Random",
        "Uncertainty",
        "get_method",
        "methods",
    ),
    "activelab.assignment": ("assign",),
    "activelab.calibration": ("TemperatureScaling",),
    "activelab.classifiers": ("cross_val_pred_probs",),
    "activelab.consensus": (
        "Consensus",
        "bayesian_consensus",
        "crowdkit",
        "crowdlab",
        "dawid_skene",
        "majority_vote",
        "ordinal_consensus",
        "soft_labels",
    ),
    "activelab.labels": ("Labels",),
    "activelab.learner": ("ActiveLearner",),
    "activelab.multilabel": ("LabelSets", "multilabel_consensus", "suggest_questions"),
    "activelab.planning": ("Batch", "suggest"),
    "activelab.pred_probs": ("Checked", "check_pred_probs"),
    "activelab.selection": ("select_batch",),
    "activelab.strategies": ("Strategy", "register", "strategies"),
}
_LAZY = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'activelab' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


class _Package(ModuleType):
    """A package in which a name stays what it is although a module has the same one."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _LAZY and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
