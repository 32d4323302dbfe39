"""What holds for the tests and for the examples in docstrings."""

import pytest

from activelab.strategies import REGISTRIES


@pytest.fixture(autouse=True)
def registries():
    """Parts that a test or an example registers are gone after it."""
    before = {kind: dict(registry._parts) for kind, registry in REGISTRIES.items()}
    yield
    for kind, parts in before.items():
        REGISTRIES[kind]._parts = parts
