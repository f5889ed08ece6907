"""A link that is broken in every way keeps its promises; `make chaos` goes on for longer."""

from pathlib import Path

import pytest

from tests.chaos.events import KINDS, drawn
from tests.chaos.run import chaos

SECONDS = 240.0  # more than a busy machine needs


def test_a_seed_draws_the_same_faults_and_all_kinds() -> None:
    one, two = drawn(7), drawn(7)
    first = [next(one) for _ in KINDS]
    assert first == [next(two) for _ in KINDS]
    assert {event.kind for event in first} == set(KINDS)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_one_fault_of_each_kind(tmp_path: Path) -> None:
    found = await chaos(tmp_path, SECONDS, seed=1, faults=len(KINDS))
    assert not found.broken, found.page()
    assert {event.kind for _, event, _ in found.events} == set(KINDS)
