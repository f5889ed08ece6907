"""A knowledge base that tests may change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.knowledge_base import EngineSettings, KnowledgeBase
from tests.tools.knowledge_base import ENGINES, fill, vectors


@pytest.fixture(params=ENGINES)
def kb(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[KnowledgeBase]:
    """300 items, writable, with an exact and with an approximate engine."""
    fill(tmp_path / "kb", vectors(300))
    with KnowledgeBase.open(tmp_path / "kb", EngineSettings(name=request.param), writable=True) as opened:
        yield opened
