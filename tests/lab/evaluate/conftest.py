"""A small test set of drawn pictures."""

from pathlib import Path

import pytest

from lab.data.features import ClipChoice
from lab.evaluate.data import TestSet, open_test_set


@pytest.fixture(scope="session")
def test_set(features: Path) -> TestSet:
    """The drawn set: 1,000 queries, 2,000 items, 100 labels."""
    return open_test_set("drawn", ClipChoice(), features)
