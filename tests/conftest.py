"""Shared fixtures and the strategies from which hypothesis draws pools of labels."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# The tests of the core start without the packages of databases and browsers.
if find_spec("sqlalchemy"):
    from project_store import again, cluster, make, place, postgresql, schemas  # noqa: F401
if find_spec("playwright"):
    from web_browser import chromium, visit  # noqa: F401

# In CI the same examples each time: what new ones find is for whoever looks, not for whoever submits.
settings.register_profile(
    "activelab",
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("activelab")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file of the test, and says where it is."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the real datasets, from ACTIVELAB_DATA."""
    return _folder("")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of the reference outputs, beside the datasets."""
    return _folder("../golden")


def _folder(relative: str) -> Path:
    root = os.environ.get("ACTIVELAB_DATA")
    if root is None:
        if os.environ.get("CI"):
            pytest.fail("ACTIVELAB_DATA must be set in CI")
        pytest.skip("set ACTIVELAB_DATA to the folder of the datasets")
    folder = Path(root, relative)
    assert folder.is_dir(), f"{folder} does not exist"
    return folder


def make_pool(seed, n=40, m=6, k=3, models=1, density=0.4, noise=0.3, empty=True):
    """A matrix of noisy labels (NaN missing) and probabilities of shape (models, n, k)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    wrong = rng.random((n, m)) < noise
    matrix = np.where(wrong, rng.integers(0, k, (n, m)), truth[:, None]).astype(float)
    matrix[rng.random((n, m)) > density] = np.nan
    if not empty:
        lonely = np.isnan(matrix).all(axis=1)
        matrix[lonely, rng.integers(0, m, lonely.sum())] = truth[lonely]
    logits = rng.normal(size=(models, n, k)) + 2 * np.eye(k)[truth]
    probs = np.exp(logits)
    probs /= probs.sum(axis=2, keepdims=True)
    return matrix, probs


@st.composite
def pools(draw, models=1, empty=True):
    """Pools in which some examples have two labels."""
    matrix, probs = make_pool(
        seed=draw(st.integers(0, 2**32 - 1)),
        n=draw(st.integers(6, 40)),
        m=draw(st.integers(2, 8)),
        k=draw(st.integers(2, 6)),
        models=models,
        density=draw(st.floats(0.2, 1.0)),
        noise=draw(st.floats(0.0, 0.6)),
        empty=empty,
    )
    matrix[0, :2] = [0, 0]
    matrix[1, :2] = [1, 0]
    return matrix, probs
