"""The index file: missing, stale, damaged, replaced, behind its store, and impossible to write."""

from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from receiver.knowledge_base import ItemRecord, KnowledgeBase
from receiver.knowledge_base.index.flat import FlatIndex
from receiver.knowledge_base.store.layout import Layout
from tests.tools.knowledge_base import fill, vectors


def index_file(directory: Path) -> Path:
    return Layout(directory).index(Layout(directory).current(), "flat")


def open_and_reason(directory: Path) -> str | None:
    """Open the knowledge base, check one answer; why its index was rebuilt, if it was."""
    with capture_logs() as lines, KnowledgeBase.open(directory) as kb:
        assert kb.view.nearest(vectors(40)[17:18], 1)[0].tolist() == [[17]]
    reasons = [line["reason"] for line in lines if line["event"] == "index rebuilt from the store"]
    return reasons[0] if reasons else None


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    fill(tmp_path, vectors(40))
    return tmp_path


def test_a_build_leaves_an_index_that_is_used(directory: Path) -> None:
    assert open_and_reason(directory) is None


def test_a_missing_index_is_rebuilt(directory: Path) -> None:
    index_file(directory).unlink()
    assert open_and_reason(directory) == "missing"
    assert open_and_reason(directory) is None


@pytest.mark.parametrize("left", [0, 10, 79, 80, 5000, -1])
def test_a_truncated_index_is_rebuilt(directory: Path, left: int) -> None:
    index_file(directory).write_bytes(index_file(directory).read_bytes()[:left])
    assert open_and_reason(directory) is not None
    assert open_and_reason(directory) is None


def test_an_index_of_another_store_is_rebuilt(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    fill(other, vectors(40, seed=1))
    index_file(directory).write_bytes(index_file(other).read_bytes())
    assert open_and_reason(directory) == "stale"
    assert open_and_reason(directory) is None


def test_any_flipped_bit_of_the_index_is_seen(directory: Path) -> None:
    whole = index_file(directory).read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 25):
        torn = bytearray(whole)
        torn[place] ^= 1 << int(place % 8)
        index_file(directory).write_bytes(torn)
        assert open_and_reason(directory) in ("damaged", "stale")


def test_an_index_replaced_while_it_is_loaded_is_not_believed(
    directory: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    fill(other, vectors(40, seed=1))
    load = FlatIndex.load

    def replace_and_load(engine: FlatIndex, path: Path) -> None:
        index_file(other).replace(path)
        load(engine, path)

    monkeypatch.setattr(FlatIndex, "load", replace_and_load)
    assert open_and_reason(directory) == "replaced meanwhile"


def test_an_index_that_cannot_be_written_serves_from_memory(directory: Path) -> None:
    index_file(directory).unlink()
    index_file(directory).mkdir()
    with capture_logs() as lines, KnowledgeBase.open(directory) as kb:
        assert kb.view.nearest(vectors(40)[3:4], 1)[0].tolist() == [[3]]
    assert [line["log_level"] for line in lines] == ["info", "warning"]


def test_an_index_behind_its_store_is_completed_from_it(directory: Path) -> None:
    old = index_file(directory).read_bytes()
    with KnowledgeBase.open(directory, writable=True) as kb:
        kb.add([ItemRecord(f"new-{n}", "new", one) for n, one in enumerate(vectors(5, seed=1))])
        kb.remove(["item-0"])
    assert index_file(directory).read_bytes() == old, "a few items are not worth a new file"
    with capture_logs() as lines, KnowledgeBase.open(directory) as kb:
        assert (kb.view.covered, kb.view.delta.count) == (40, 5)
        assert [hits[0].item_id for hits in kb.search(vectors(5, seed=1), 1)] == [f"new-{n}" for n in range(5)]
    assert not lines


def test_an_index_ahead_of_its_store_is_not_believed(directory: Path) -> None:
    """A store that was put back from a copy must not be searched by an index that knows its future."""
    store = Layout(directory).current()
    old = store.read_bytes()
    with KnowledgeBase.open(directory, writable=True) as kb:
        kb.add([ItemRecord("new", "new", vectors(1, seed=1)[0])])
        kb.compact()
    store.write_bytes(old)
    with KnowledgeBase.open(directory) as kb:
        assert (kb.description.items, len(kb.view.engine)) == (40, 40)
