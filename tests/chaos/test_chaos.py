"""A link that is broken again and again for a minute keeps its promises."""

from pathlib import Path

import pytest

from tests.chaos.events import KINDS, drawn
from tests.chaos.run import chaos

SECONDS = 60.0


def test_a_seed_draws_the_same_faults_and_all_kinds() -> None:
    one, two = drawn(7), drawn(7)
    first = [next(one) for _ in KINDS]
    assert first == [next(two) for _ in KINDS]
    assert {event.kind for event in first} == set(KINDS)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_minute_of_faults(tmp_path: Path) -> None:
    found = await chaos(tmp_path, SECONDS, seed=1)
    assert not found.broken, found.page()
    assert found.events
