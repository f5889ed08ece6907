"""The ranking file: what candidates are ranked by, a copy of embeddings, each row with its checksum."""

from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase, knowledge_base, verify
from receiver.knowledge_base.index import ranking_file
from receiver.knowledge_base.store.layout import Layout
from receiver.knowledge_base.store.store import Store
from tests.tools.knowledge_base import fill, vectors

SQ8 = EngineSettings(name="ivf-sq8")
DIM = vectors(1).shape[1]
ROW_BYTES = 4 * DIM + 32


def ranking_path(directory: Path) -> Path:
    layout = Layout(directory)
    return layout.ranking(layout.current())


def answers(kb: KnowledgeBase) -> list[list[int]]:
    return kb.view.nearest(vectors(300), 5)[0].tolist()


def without_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing is ranked by the store."""

    def refuse(store: Store, positions: object) -> None:
        raise AssertionError(f"the store was asked for {positions}")

    monkeypatch.setattr(Store, "read_embeddings", refuse)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    fill(tmp_path / "kb", vectors(300))
    with KnowledgeBase.open(tmp_path / "kb", SQ8, writable=True) as kb:
        kb.compact()
    return tmp_path / "kb"


@pytest.fixture
def right(directory: Path) -> list[list[int]]:
    """What exact search answers."""
    with KnowledgeBase.open(directory, EngineSettings(name="flat")) as exact:
        return answers(exact)


def test_all_candidates_are_ranked_without_the_store(
    directory: Path, right: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ranking_path(directory).stat().st_size == 300 * ROW_BYTES
    with KnowledgeBase.open(directory, SQ8) as kb:
        without_store(monkeypatch)
        assert answers(kb) == right
        few = kb.view.nearest(vectors(300)[3:5], 2, labels=["label 3"])[0]
        assert few[0, 0] == 3


@pytest.mark.parametrize("left", [0, 1, ROW_BYTES, 150 * ROW_BYTES + 7, None])
def test_what_is_lacking_is_ranked_by_the_store_and_made_anew(
    directory: Path, right: list[list[int]], left: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ranking_path(directory)
    whole = path.read_bytes()
    if left is None:
        path.unlink()
    else:
        path.write_bytes(whole[:left])
    with KnowledgeBase.open(directory, SQ8) as reader:
        assert answers(reader) == right
    with KnowledgeBase.open(directory, SQ8, writable=True) as kb:
        assert path.read_bytes() == whole
        without_store(monkeypatch)
        assert answers(kb) == right


def test_a_flipped_bit_is_never_believed_and_verify_names_the_item(directory: Path, right: list[list[int]]) -> None:
    path = ranking_path(directory)
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 40).tolist():
        data = bytearray(whole)
        data[place] ^= 1 << (place % 8)
        path.write_bytes(data)
        with KnowledgeBase.open(directory, SQ8) as kb:
            row = place // ROW_BYTES
            assert kb.view.nearest(vectors(300)[row : row + 1], 5)[0].tolist() == [right[row]]
        problems = verify(directory).problems
        assert len(problems) == 1, problems
        assert f"the row of 'item-{row}' in {path} is damaged" in problems[0]
    path.unlink()
    assert verify(directory).problems == ()


def test_it_grows_when_the_delta_is_folded(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge_base, "MERGE_ITEMS", 40)
    more = vectors(64, seed=1)
    with KnowledgeBase.open(directory, SQ8, writable=True) as kb:
        kb.remove(["item-299"])
        kb.add([ItemRecord(f"new-{n}", "new", one) for n, one in enumerate(more)])
        kb._merge()
        assert kb.view.ranking.count == kb.view.covered == 364
        without_store(monkeypatch)
        assert kb.view.nearest(more, 1)[0].ravel().tolist() == list(range(300, 364))


def test_compaction_forgets_removed_embeddings(directory: Path) -> None:
    path, gone = ranking_path(directory), vectors(300)[7].astype("<f4").tobytes()
    assert gone in path.read_bytes()
    with KnowledgeBase.open(directory, SQ8, writable=True) as kb:
        kb.remove(["item-7", "item-298", "item-299"])
        assert kb.view.nearest(vectors(300)[7:8], 1)[0][0, 0] != 7
        kb.compact()
        assert kb.view.nearest(vectors(300)[8:9], 1)[0].tolist() == [[8]]
    assert gone not in path.read_bytes()
    assert verify(directory).problems == ()


def test_without_room_for_it_the_store_ranks(
    directory: Path, right: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranking_path(directory).unlink()

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ranking_file, "fsync", full)
    with capture_logs() as lines, KnowledgeBase.open(directory, SQ8, writable=True) as kb:
        assert answers(kb) == right
    assert any("No space left" in line.get("error", "") for line in lines)


def test_an_exact_engine_needs_none(tmp_path: Path) -> None:
    fill(tmp_path, vectors(30))
    with KnowledgeBase.open(tmp_path, writable=True) as kb:
        kb.compact()
    assert not ranking_path(tmp_path).exists()
