"""A client of the link that the tests share."""

from collections.abc import Iterator

import pytest

from client import SemLink
from local.supervisor import LocalLink


@pytest.fixture(scope="module")
def client(link: LocalLink) -> Iterator[SemLink]:
    """Patient, since the first question loads torch."""
    with SemLink(link.transmitter, timeout=120) as client:
        yield client
