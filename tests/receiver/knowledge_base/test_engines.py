"""Index engines: exact where they say so, found again after saving, as good as they are tuned."""

from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from receiver.knowledge_base.index.approximate import ApproximateIndex
from receiver.knowledge_base.index.base import IndexEngine
from receiver.knowledge_base.index.faiss_tools import resolve_device
from receiver.knowledge_base.index.flat import FlatIndex
from receiver.knowledge_base.index.recipes import RECIPES, list_count
from receiver.knowledge_base.index.settings import (
    TUNING_FILE,
    Device,
    EngineSettings,
    Tuning,
    tuned_settings,
    write_tuning,
)
from receiver.knowledge_base.index.table import ENGINES, choose_engine, make_engine
from shared.errors import DataLoss, InvalidSetting
from shared.types import Floats
from tests.tools.array_vectors import ArrayVectors

NO_GPU = faiss.get_num_gpus() == 0
DIM = 16  # small, so that OPQ learns fast
ON_FAISS = sorted({"flat", *RECIPES})


def clustered(count: int, seed: int, clusters: int = 40, spread: float = 0.5) -> Floats:
    """Unit vectors around the same clusters for every seed: [count, DIM]."""
    centers = np.random.default_rng(99).standard_normal((clusters, DIM))
    rng = np.random.default_rng(seed)
    points = centers[rng.integers(0, clusters, count)] + spread * rng.standard_normal((count, DIM))
    return np.float32(points / np.linalg.norm(points, axis=1, keepdims=True))


def engine_of(name: str, embeddings: Floats, device: Device = "cpu", **parameters: int) -> IndexEngine:
    """An engine built of embeddings under positions 3, 5, 7 ..."""
    engine = make_engine(EngineSettings(name=name, device=device, parameters=parameters), len(embeddings))
    engine.build(ArrayVectors(embeddings, positions_of(len(embeddings))))
    return engine


def positions_of(count: int) -> npt.NDArray[np.int64]:
    return 2 * np.arange(count, dtype=np.int64) + 3


def true_neighbours(queries: Floats, embeddings: Floats, k: int) -> npt.NDArray[np.int64]:
    return positions_of(len(embeddings))[np.argsort(-queries @ embeddings.T, axis=1, kind="stable")[:, :k]]


@pytest.fixture(scope="module")
def embeddings() -> Floats:
    return clustered(6000, seed=0)


@pytest.fixture(scope="module")
def engines(embeddings: Floats) -> dict[str, IndexEngine]:
    return {name: engine_of(name, embeddings) for name in ON_FAISS}


@pytest.mark.parametrize("name", ON_FAISS)
def test_the_nearest_of_noisy_queries_are_among_the_candidates(
    name: str, engines: dict[str, IndexEngine], embeddings: Floats
) -> None:
    """Recall of the 10 nearest: 1 for flat, at least 0.95 for the others with their defaults."""
    queries = clustered(200, seed=1)
    positions, squared = engines[name].search(queries, 10)
    truth = true_neighbours(queries, embeddings, 10)
    recall = np.mean([np.isin(row, found).mean() for row, found in zip(truth, positions, strict=True)])
    assert recall == 1 if name == "flat" else recall >= 0.95
    assert positions.dtype == np.int64
    assert squared.dtype == np.float32
    assert (squared >= 0).all()


@pytest.mark.parametrize(("name", "tolerance"), [("flat", 1e-6), ("ivf-sq8", 0.02), ("hnsw", 0.02)])
def test_squared_distances_are_those_of_the_vectors(
    name: str, tolerance: float, engines: dict[str, IndexEngine], embeddings: Floats
) -> None:
    queries = clustered(50, seed=2)
    positions, squared = engines[name].search(queries, 5)
    found = embeddings[(positions - 3) // 2]
    np.testing.assert_allclose(squared, ((found - queries[:, None]) ** 2).sum(axis=2), atol=tolerance)


@pytest.mark.parametrize("name", ON_FAISS)
def test_saved_and_loaded_is_the_same(name: str, engines: dict[str, IndexEngine], tmp_path: Path) -> None:
    engines[name].save(tmp_path / "index")
    with (tmp_path / "index").open("ab") as file:
        file.write(b"a proof, say")
    loaded = make_engine(EngineSettings(name=name, device="cpu"), 1)
    loaded.load(tmp_path / "index")
    queries = clustered(20, seed=3)
    for one, other in zip(engines[name].search(queries, 7), loaded.search(queries, 7), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(loaded) == len(engines[name])


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name].mapping])
def test_a_file_too_large_for_the_memory_is_mapped(name: str, engines: dict[str, IndexEngine], tmp_path: Path) -> None:
    engines[name].save(tmp_path / "index")
    mapped = make_engine(EngineSettings(name=name, device="cpu", mapped_above_bytes=0), 1)
    mapped.load(tmp_path / "index")
    queries = clustered(20, seed=4)
    np.testing.assert_array_equal(mapped.search(queries, 7)[0], engines[name].search(queries, 7)[0])
    assert str(tmp_path / "index") in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert not mapped.growing


@pytest.mark.parametrize("name", ON_FAISS)
def test_a_clone_grows_while_the_first_stays_as_it_was(name: str, engines: dict[str, IndexEngine]) -> None:
    first, new = engines[name], clustered(30, seed=5)
    clone = first.clone()
    clone.add(20_001 + np.arange(30, dtype=np.int64), new)
    assert (len(first), len(clone)) == (6000, 6030)
    assert (clone.search(new, 1)[0] == 20_001 + np.arange(30)[:, None]).any(axis=1).all()
    assert first.search(new, 1)[0].max() < 20_001


@pytest.mark.parametrize("name", ON_FAISS)
def test_more_are_found_than_the_lists_that_are_probed_hold(name: str, engines: dict[str, IndexEngine]) -> None:
    positions, _ = engines[name].search(clustered(3, seed=6), 5900)
    for row in positions[:, :5900]:
        assert len(np.unique(row[row >= 0])) >= 5900 - (6 if name == "hnsw" else 0)  # a graph may lose a few


@pytest.mark.parametrize("name", ["flat", "ivf-sq8", "ivf-rabitq", "hnsw"])
@pytest.mark.parametrize("items", [1, 2, 70])
def test_few_items_are_enough(name: str, items: int) -> None:
    positions, _ = engine_of(name, clustered(items, seed=7)).search(clustered(2, seed=8), 100)
    for row in positions:
        np.testing.assert_array_equal(np.sort(row[row >= 0]), positions_of(items))


@pytest.mark.parametrize("name", ["ivf-sq8", "ivf-rabitq"])
def test_an_index_made_of_eight_items_finds_those_that_come_later(name: str) -> None:
    """Codes with a scale learned from eight would not hold them."""
    first, later = clustered(8, seed=7), clustered(40, seed=9)
    engine = engine_of(name, first)
    engine.add(np.arange(1000, 1040), later)
    positions, squared = engine.search(later, 1)
    np.testing.assert_array_equal(positions[:, 0], np.arange(1000, 1040))
    np.testing.assert_allclose(squared[:, 0], 0, atol=1e-6)


def test_what_cannot_be_learned_from_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="at least 256 items, and there are 255"):
        engine_of("opq-ivf-pq", clustered(255, seed=0))


@pytest.mark.parametrize("copies", [5, 60, 300])
def test_equally_near_items_come_in_order_of_position(copies: int) -> None:
    same, others = clustered(1, seed=0), clustered(200, seed=1)
    where = np.sort(np.random.default_rng(2).permutation(200 + copies)[:copies])
    embeddings = np.empty((200 + copies, DIM), dtype=np.float32)
    embeddings[where] = same
    embeddings[np.setdiff1d(np.arange(200 + copies), where)] = others
    engine = engine_of("flat", embeddings)
    for batch in (1, 30):
        positions, squared = engine.search(np.repeat(same, batch, axis=0), 5)
        np.testing.assert_array_equal(positions, np.tile(positions_of(500)[where[:5]], (batch, 1)))
        assert (squared == 0).all()


def test_more_effort_finds_more(engines: dict[str, IndexEngine], embeddings: Floats) -> None:
    """Recall of the nearest grows with nprobe, up to 1 when all lists are probed."""
    queries = clustered(300, seed=9)
    truth = true_neighbours(queries, embeddings, 1)
    engine = engines["ivf-sq8"]
    assert isinstance(engine, ApproximateIndex)
    recalls = [
        float((engine.tuned({"nprobe": nprobe, "depth": 20}).search(queries, 1)[0] == truth).any(axis=1).mean())
        for nprobe in (1, 4, list_count(6000))
    ]
    assert recalls[0] < recalls[1] <= recalls[2] == 1
    assert engine.parameters["nprobe"] == 32, "the engine itself is as it was"


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [({"efSearch": 5}, "no parameter 'efSearch'; it has nprobe and depth"), ({"depth": -1}, "depth = -1")],
)
def test_a_wrong_parameter_is_named(parameters: dict[str, int], complaint: str) -> None:
    with pytest.raises(InvalidSetting, match=complaint):
        engine_of("ivf-sq8", clustered(500, seed=0), **parameters)


@pytest.mark.parametrize("name", ON_FAISS)
def test_an_index_of_another_kind_is_not_loaded(name: str, tmp_path: Path) -> None:
    faiss.write_index(faiss.IndexFlatL2(DIM), str(tmp_path / "index"))
    with pytest.raises(RuntimeError, match="IndexFlatL2"):
        make_engine(EngineSettings(name=name, device="cpu"), 1).load(tmp_path / "index")


def test_the_threads_of_faiss_are_left_as_they_were(engines: dict[str, IndexEngine]) -> None:
    before = faiss.omp_get_max_threads()
    for engine in engines.values():
        engine.search(clustered(2, seed=0), 1)
    assert faiss.omp_get_max_threads() == before


def test_the_size_chooses_the_engine() -> None:
    assert [choose_engine(items) for items in (1, 5000, 10**6, 10**8)] == ["flat", "flat", "ivf-sq8", "ivf-rabitq"]
    assert isinstance(make_engine(EngineSettings(device="cpu"), 100), FlatIndex)
    with pytest.raises(InvalidSetting, match=r"'magic'; choose auto or one of .*flat.*hnsw"):
        make_engine(EngineSettings(name="magic"), 100)
    assert set(ENGINES) >= set(ON_FAISS)


def test_a_kept_tuning_is_used_where_it_fits(tmp_path: Path) -> None:
    assert tuned_settings(tmp_path, EngineSettings()) == EngineSettings()
    write_tuning(tmp_path, Tuning("ivf-sq8", {"nprobe": 3, "depth": 7}, 0.99, 0.98, 0.4, 6000, 5.0, "raw"))
    assert tuned_settings(tmp_path, EngineSettings()).name == "ivf-sq8"
    by_hand = tuned_settings(tmp_path, EngineSettings(name="ivf-sq8", parameters={"depth": 9}))
    assert by_hand.parameters == {"nprobe": 3, "depth": 9}
    assert tuned_settings(tmp_path, EngineSettings(name="hnsw")) == EngineSettings(name="hnsw")
    (tmp_path / TUNING_FILE).write_text('{"engine": "flat"', encoding="utf-8")
    with pytest.raises(DataLoss, match="semlink kb tune"):
        tuned_settings(tmp_path, EngineSettings())


@pytest.mark.skipif(not NO_GPU, reason="FAISS sees a GPU here")
def test_without_a_gpu_cuda_is_refused_and_auto_is_the_cpu() -> None:
    assert resolve_device("auto") == "cpu"
    for name in ("flat", "ivf-sq8"):
        with pytest.raises(InvalidSetting, match="no GPU"):
            make_engine(EngineSettings(name=name, device="cuda"), 1)


def test_an_engine_without_a_part_for_a_gpu_says_so() -> None:
    with pytest.raises(InvalidSetting, match="no hnsw for a GPU"):
        make_engine(EngineSettings(name="hnsw", device="cuda"), 1)


@pytest.mark.skipif(NO_GPU, reason="FAISS sees no GPU here")
@pytest.mark.parametrize("name", ["flat", "ivf-sq8", "opq-ivf-pq"])
@pytest.mark.parametrize("k", [1, 20, 3000])
def test_both_devices_give_the_same_answers(name: str, k: int, embeddings: Floats, tmp_path: Path) -> None:
    """Flat: positions equal, squared distances within 1e-6. Compressed: 99 % of the nearest are the same."""
    engine_of(name, embeddings).save(tmp_path / "index")
    queries = clustered(64, seed=1)
    answers = []
    for device in ("cpu", "cuda"):
        engine = make_engine(EngineSettings(name=name, device=device), 1)  # type: ignore[arg-type]
        engine.load(tmp_path / "index")
        answers.append(engine.search(queries, k))
    same = answers[0][0][:, :1] == answers[1][0][:, :1]
    assert same.mean() >= (1 if name == "flat" else 0.99)
    if name == "flat":
        np.testing.assert_allclose(answers[0][1], answers[1][1], atol=1e-6)
