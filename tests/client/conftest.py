"""A link to a transmitter that answers by a script."""

from collections.abc import Iterator

import pytest

from client import SemLink
from tests.fakes.transmitter import FakeTransmitter, serve


@pytest.fixture
def fake() -> FakeTransmitter:
    return FakeTransmitter()


@pytest.fixture
def address(fake: FakeTransmitter) -> Iterator[str]:
    with serve(fake) as found:
        yield found


@pytest.fixture
def link(address: str) -> Iterator[SemLink]:
    with SemLink(address) as found:
        yield found
