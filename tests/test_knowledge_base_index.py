"""Index engines and their files: ties, devices, and an index that is missing, stale or damaged."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from structlog.testing import capture_logs

from receiver.knowledge_base import KnowledgeBase
from receiver.knowledge_base.index import FlatIndex, make_engine, resolve_device
from shared.errors import InvalidSetting
from tests.test_knowledge_base import fill, vectors

NO_GPU = faiss.get_num_gpus() == 0


def index_file(directory: Path) -> Path:
    return directory / "index-faiss-flat.bin"


def open_and_reason(directory: Path) -> str | None:
    """Open the knowledge base, check one answer; why its index was rebuilt, if it was."""
    with capture_logs() as lines, KnowledgeBase.open(directory) as kb:
        assert kb.nearest(vectors(40)[17:18], 1)[0].tolist() == [[17]]
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


@pytest.mark.parametrize("left", [0, 10, 71, 72, 5000, -1])
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
        assert kb.nearest(vectors(40)[3:4], 1)[0].tolist() == [[3]]
    assert [line["log_level"] for line in lines] == ["info", "warning"]


@pytest.mark.parametrize("copies", [5, 60, 300])
def test_ties_come_in_order_of_position(copies: int) -> None:
    same, others = vectors(1), vectors(200, seed=1)
    where = np.sort(np.random.default_rng(2).permutation(200 + copies)[:copies])
    embeddings = np.empty((200 + copies, 512), dtype=np.float32)
    embeddings[where] = same
    embeddings[np.setdiff1d(np.arange(200 + copies), where)] = others
    engine = make_engine("faiss-flat", "cpu")
    engine.build(embeddings)
    for batch in (1, 30):
        positions, squared = engine.search(np.repeat(same, batch, axis=0), 5)
        np.testing.assert_array_equal(positions, np.tile(where[:5], (batch, 1)))
        assert (squared == 0).all()


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    built, loaded = FlatIndex("cpu"), FlatIndex("cpu")
    built.build(vectors(100))
    built.save(tmp_path / "index")
    loaded.load(tmp_path / "index")
    queries = vectors(10, seed=1)
    for one, other in zip(built.search(queries, 7), loaded.search(queries, 7), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_index_of_another_kind_is_not_loaded(tmp_path: Path) -> None:
    faiss.write_index(faiss.IndexFlatL2(512), str(tmp_path / "index"))
    with pytest.raises(RuntimeError, match="IndexFlatL2"):
        FlatIndex("cpu").load(tmp_path / "index")


def test_the_threads_of_faiss_are_left_as_they_were() -> None:
    before = faiss.omp_get_max_threads()
    engine = make_engine("faiss-flat", "cpu")
    engine.build(vectors(10))
    engine.search(vectors(2), 1)
    assert faiss.omp_get_max_threads() == before


@pytest.mark.skipif(not NO_GPU, reason="FAISS sees a GPU here")
def test_without_a_gpu_cuda_is_refused_and_auto_is_the_cpu() -> None:
    assert resolve_device("auto") == "cpu"
    with pytest.raises(InvalidSetting, match="no GPU"):
        make_engine("faiss-flat", "cuda")


@pytest.mark.skipif(NO_GPU, reason="FAISS sees no GPU here")
@pytest.mark.parametrize("k", [1, 20, 3000])
def test_both_devices_give_the_same_answers(k: int) -> None:
    """Positions equal, squared distances within 1e-6."""
    embeddings, queries = vectors(5000), vectors(64, seed=1)
    answers = []
    for device in ("cpu", "cuda"):
        engine = make_engine("faiss-flat", device)  # type: ignore[arg-type]
        engine.build(embeddings)
        answers.append(engine.search(queries, k))
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    np.testing.assert_allclose(answers[0][1], answers[1][1], atol=1e-6)
