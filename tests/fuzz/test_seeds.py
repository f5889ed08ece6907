"""All inputs that the fuzzers begin with, and all that were too much once, through the targets they are of."""

import pytest

from tests.fuzz.table import GROUPS
from tests.fuzz.target import CRASHES, attempt

TARGETS = [target for group in GROUPS.values() for target in group]


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(target, id=target.name, marks=[pytest.mark.slow] if target.name == "picture" else [])
        for target in TARGETS
    ],
)
def test_no_seed_is_too_much(target) -> None:
    known = target.known()
    assert known
    target.warm()
    for data in known:
        attempt(target, data, timed=False)


def test_what_was_found_is_of_a_target() -> None:
    assert {folder.name for folder in CRASHES.iterdir()} <= {target.name for target in TARGETS}
