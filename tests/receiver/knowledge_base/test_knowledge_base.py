"""The knowledge base as the receiver uses it: round trip, exact answers, wrong queries, threads."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from receiver.knowledge_base import EngineSettings, KnowledgeBase
from shared.errors import InvalidInput, InvalidSetting, Mismatch, NotFound, Unavailable
from shared.frame.reception import Hit
from shared.types import Floats
from tests.tools.knowledge_base import fill, vectors


@pytest.fixture(scope="module")
def embeddings() -> Floats:
    return vectors(1000)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, embeddings: Floats) -> Path:
    path = tmp_path_factory.mktemp("kb") / "kb"
    fill(path, embeddings)
    return path


@pytest.fixture
def kb(directory: Path):
    with KnowledgeBase.open(directory) as opened:
        yield opened


def test_what_was_written_is_described(kb: KnowledgeBase) -> None:
    description = kb.description
    assert (description.source, description.items, description.labels) == ("synthetic", 1000, 7)
    assert (description.clip, description.clip_fingerprint) == ("fake-clip", "c0ffee")
    assert (description.engine, description.dim, len(description.fingerprint)) == ("flat", 512, 64)


def test_what_was_written_is_read(kb: KnowledgeBase, embeddings: Floats) -> None:
    item = kb.get_item("item-123")
    assert (item.item_id, item.label, item.thumbnail) == ("item-123", "label 4", b"webp 123")
    assert item.embedding.dtype == np.float32
    np.testing.assert_allclose(item.embedding, embeddings[123], atol=1e-7)


def test_labels_and_codes_belong_together(kb: KnowledgeBase) -> None:
    assert kb.view.labels == tuple(f"label {number}" for number in range(7))
    assert kb.view.label_codes.tolist() == [number % 7 for number in range(1000)]
    assert kb.view.item_ids[999] == "item-999"


def test_the_same_content_has_the_same_fingerprint(directory: Path, embeddings: Floats, tmp_path: Path) -> None:
    fill(tmp_path / "same", embeddings)
    fill(tmp_path / "other", embeddings[:-1])
    prints = [KnowledgeBase.open(path).description.fingerprint for path in (directory, tmp_path / "same")]
    assert prints[0] == prints[1]
    assert KnowledgeBase.open(tmp_path / "other").description.fingerprint != prints[0]


@pytest.mark.parametrize("batch", [1, 3, 19, 20, 64])
def test_search_is_exact(kb: KnowledgeBase, embeddings: Floats, batch: int) -> None:
    rng = np.random.default_rng(batch)
    queries = (embeddings[rng.integers(0, 1000, batch)] * 5 + rng.normal(size=(batch, 512)) * 0.4).astype(np.float32)
    positions, squared = kb.view.nearest(queries, 10)
    wide = queries.astype(np.float64) / np.linalg.norm(queries.astype(np.float64), axis=1, keepdims=True)
    every = wide @ embeddings.T.astype(np.float64)
    expected = np.argsort(-every, axis=1, kind="stable")[:, :10]
    assert (positions.dtype, squared.dtype) == (np.int64, np.float32)
    np.testing.assert_array_equal(positions, expected)
    np.testing.assert_allclose(squared, 2 - 2 * np.take_along_axis(every, expected, axis=1), atol=2e-6)


def test_a_batch_answers_as_one_by_one(kb: KnowledgeBase) -> None:
    queries = vectors(50, seed=3)
    positions, squared = kb.view.nearest(queries, 5)
    for row, query in enumerate(queries):
        alone = kb.view.nearest(query[None], 5)
        np.testing.assert_array_equal(alone[0][0], positions[row])
        np.testing.assert_array_equal(alone[1][0], squared[row])


def test_hits_carry_distances_between_unit_vectors(kb: KnowledgeBase, embeddings: Floats) -> None:
    top, away = kb.search(np.stack([embeddings[5] * 1e-3, -embeddings[5] * 1e6]), 3)
    assert top[0] == Hit("item-5", "label 5", pytest.approx(0, abs=1e-6))
    assert top[1].distance == pytest.approx(np.sqrt(2 - 2 * np.sort(embeddings @ embeddings[5])[-2]), abs=1e-5)
    assert 0 < top[1].distance <= top[2].distance <= 2
    assert 0 < away[0].distance <= away[1].distance <= away[2].distance <= 2


def test_the_opposite_is_at_distance_two(tmp_path: Path) -> None:
    fill(tmp_path, vectors(1))
    assert KnowledgeBase.open(tmp_path).search(-vectors(1), 1)[0][0].distance == pytest.approx(2)


def test_asking_for_more_than_there_is_gives_all(kb: KnowledgeBase) -> None:
    positions, _ = kb.view.nearest(vectors(2), 5000)
    assert positions.shape == (2, 1000)
    assert (np.sort(positions, axis=1) == np.arange(1000)).all()
    assert len(kb.search(vectors(1), 10**9)[0]) == 1000


def test_no_queries_give_no_hits(kb: KnowledgeBase) -> None:
    assert kb.search(np.empty((0, 512), dtype=np.float32), 5) == []


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "query 1 has length nan"), (np.inf, "query 1"), (0.0, "query 1 has length 0")]
)
def test_a_query_without_direction_is_refused(kb: KnowledgeBase, value: float, said: str) -> None:
    queries = vectors(3)
    queries[1] = value
    with pytest.raises(InvalidInput, match=said):
        kb.search(queries, 5)


def test_one_bad_value_is_enough(kb: KnowledgeBase) -> None:
    queries = vectors(1)
    queries[0, 300] = -np.inf
    with pytest.raises(InvalidInput, match="finite"):
        kb.view.nearest(queries, 5)


@pytest.mark.parametrize("scale", [1e-38, 3e35])
def test_any_finite_length_will_do(kb: KnowledgeBase, scale: float) -> None:
    query = vectors(1, seed=9)
    np.testing.assert_array_equal(kb.view.nearest(query * np.float32(scale), 3)[0], kb.view.nearest(query, 3)[0])


@pytest.mark.parametrize("shape", [(512,), (2, 511), (1, 2, 512)])
def test_a_wrong_shape_is_refused(kb: KnowledgeBase, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"\[B, 512\]"):
        kb.search(np.ones(shape, dtype=np.float32), 5)


@pytest.mark.parametrize("top_k", [0, -1])
def test_asking_for_nothing_is_refused(kb: KnowledgeBase, top_k: int) -> None:
    with pytest.raises(InvalidInput, match="at least 1"):
        kb.search(vectors(1), top_k)


def test_another_clip_is_refused_with_both_names(kb: KnowledgeBase) -> None:
    kb.require_clip("c0ffee")
    with pytest.raises(Mismatch, match=r"c0ffee.*decaf.*semlink kb build SOURCE --out"):
        kb.require_clip("decaf")


def test_an_unknown_item_is_not_found(kb: KnowledgeBase) -> None:
    with pytest.raises(NotFound, match="has no item 'nobody'"):
        kb.get_item("nobody")


@pytest.mark.parametrize("name", ["missing", "missing/deeper", "empty"])
def test_nothing_there_says_what_to_type(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match=rf"semlink kb build SOURCE --out .*{name}"):
        KnowledgeBase.open(tmp_path / name)


def test_an_unknown_engine_or_device_is_refused(directory: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"'magic'.*flat"):
        KnowledgeBase.open(directory, EngineSettings(name="magic"))
    with pytest.raises(InvalidSetting, match="'tpu'"):
        KnowledgeBase.open(directory, EngineSettings(device="tpu"))  # type: ignore[arg-type]


def test_after_closing_items_are_unavailable(directory: Path) -> None:
    kb = KnowledgeBase.open(directory)
    kb.close()
    kb.close()
    with pytest.raises(Unavailable, match="closed"):
        kb.get_item("item-0")


def test_threads_search_and_read_at_once(kb: KnowledgeBase, embeddings: Floats) -> None:
    wrong: list[int] = []

    def search() -> None:
        for start in range(0, 400, 8):
            found = kb.view.nearest(embeddings[start : start + 8], 1)[0][:, 0]
            wrong.extend(np.flatnonzero(found != np.arange(start, start + 8)))

    def read() -> None:
        wrong.extend(n for n in range(400) if kb.get_item(f"item-{n}").thumbnail != f"webp {n}".encode())

    threads = [threading.Thread(target=work) for work in (search, read, search, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong


def test_a_new_build_does_not_disturb_an_open_one(tmp_path: Path) -> None:
    fill(tmp_path, vectors(20), prefix="old")
    with KnowledgeBase.open(tmp_path) as old:
        fill(tmp_path, vectors(30, seed=1), prefix="new")
        assert old.get_item("old-19").thumbnail == b"webp 19"
        assert old.search(vectors(1), 1)[0][0].item_id == "old-0"
    with KnowledgeBase.open(tmp_path) as new:
        assert new.search(vectors(30, seed=1)[29:], 1)[0][0].item_id == "new-29"


def test_importing_it_loads_no_torch() -> None:
    check = "import sys, receiver.knowledge_base; sys.exit(any(m in sys.modules for m in ('torch', 'open_clip')))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
