"""The engine `milvus`, on a real Milvus Lite."""

from pathlib import Path

import numpy as np
import pytest

from shared.types import Floats

pytest.importorskip("pymilvus", reason="pymilvus is not installed: pip install 'semlink[milvus]'")
pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed: pip install --no-deps 'milvus-lite>=3.2,<4'")

from receiver.knowledge_base import EngineSettings, ItemRecord, KnowledgeBase, Origin, write_store
from receiver.knowledge_base.index.milvus import MilvusIndex
from receiver.knowledge_base.index.table import make_engine
from shared.errors import InvalidSetting, Unavailable
from tests.tools.array_vectors import ArrayVectors

DIM = 32


def vectors(count: int, seed: int = 0) -> Floats:
    drawn = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "milvus.db")


def engine(uri: str, collection: str = "one") -> MilvusIndex:
    made = make_engine(EngineSettings(name="milvus", uri=uri, collection=collection), 1)
    assert isinstance(made, MilvusIndex)
    return made


def test_the_nearest_are_found_with_their_distances(uri: str) -> None:
    embeddings, queries = vectors(1500), vectors(20, seed=1)
    positions = 3 * np.arange(1500, dtype=np.int64) + 7
    built = engine(uri)
    built.build(ArrayVectors(embeddings, positions))
    found, squared = built.search(queries, 5)
    truth = np.argsort(-queries @ embeddings.T, axis=1)[:, :5]
    np.testing.assert_array_equal(found[:, :5], positions[truth])
    expected = ((embeddings[truth] - queries[:, None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared[:, :5], expected, atol=1e-4)
    assert len(built) == 1500
    assert (found[:, 1500:] == -1).all()


def test_it_grows_and_is_found_again(uri: str, tmp_path: Path) -> None:
    built, new = engine(uri), vectors(10, seed=2)
    built.build(ArrayVectors(vectors(50)))
    grown = built.clone()
    grown.add(np.arange(100, 110), new)
    np.testing.assert_array_equal(grown.search(new, 1)[0][:, 0], np.arange(100, 110))
    grown.save(tmp_path / "index")
    with (tmp_path / "index").open("ab") as file:
        file.write(b"a proof, say")
    again = engine(uri, "another")
    again.load(tmp_path / "index")
    assert len(again) == 60
    np.testing.assert_array_equal(again.search(new, 1)[0][:, 0], np.arange(100, 110))


def test_a_rebuild_drops_what_was_removed(uri: str) -> None:
    built, embeddings = engine(uri), vectors(40)
    built.build(ArrayVectors(embeddings))
    kept = np.array([0, 1, 5, 20], np.int64)
    built.build(ArrayVectors(embeddings[kept], kept))
    assert len(built) == 4
    assert set(built.search(embeddings[30:31], 40)[0][0].tolist()) - {-1} == set(kept.tolist())


def test_a_collection_that_is_gone_is_not_believed(uri: str, tmp_path: Path) -> None:
    built = engine(uri)
    built.build(ArrayVectors(vectors(5)))
    built.save(tmp_path / "index")
    built._client.drop_collection("one")
    with pytest.raises(RuntimeError, match="no collection one"):
        engine(uri).load(tmp_path / "index")


def test_a_knowledge_base_lives_on_it(uri: str, tmp_path: Path) -> None:
    """Built, opened again, added to, removed from, compacted; always the same answers as flat."""
    embeddings, settings = vectors(300), EngineSettings(name="milvus", uri=uri)
    with write_store(tmp_path / "kb", Origin("test", "fake-clip", "c0ffee", DIM), settings) as store:
        for row, vector in enumerate(embeddings):
            store.add(f"item-{row}", f"label {row % 7}", vector)
    queries = vectors(12, seed=3)
    with KnowledgeBase.open(tmp_path / "kb", settings, writable=True) as kb:
        assert kb.description.engine == "milvus"
        kb.add([ItemRecord(f"new-{row}", "new", vector) for row, vector in enumerate(vectors(20, seed=4))])
        kb.remove([f"item-{row}" for row in range(0, 300, 3)])
        before = kb.view.nearest(queries, 10)
        kb.compact()
        after = kb.view.nearest(queries, 10)
    with KnowledgeBase.open(tmp_path / "kb", EngineSettings(name="flat")) as flat:
        for found in (before, after):
            for one, other in zip(flat.view.nearest(queries, 10), found, strict=True):
                np.testing.assert_array_equal(one, other)


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="needs a uri"):
        make_engine(EngineSettings(name="milvus"), 1)
    with pytest.raises(InvalidSetting, match=r"ends in \.db"):
        make_engine(EngineSettings(name="milvus", uri=str(tmp_path / "milvus")), 1)


def test_a_milvus_that_is_not_there_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.knowledge_base.index.milvus._TIMEOUT_SECONDS", 1.0)
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1"):
        make_engine(EngineSettings(name="milvus", uri="http://127.0.0.1:1"), 1)
