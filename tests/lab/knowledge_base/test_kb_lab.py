"""The knowledge base's lab: calibration, tuning, thinning, open set and bench, on small clustered bases."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.app import app
from lab.bench.kb import KnowledgeBaseBench, bench_knowledge_base
from lab.bench.kb_vectors import Collection
from lab.data.features import Features, save_features
from lab.knowledge_base.calibration import Answers, answer, ask, calibrate, fit, own_queries, queries_from, reliability
from lab.knowledge_base.inputs import queries_for
from lab.knowledge_base.neighbours import TrueNeighbours, recall, without
from lab.knowledge_base.open_set import measure_open_set
from lab.knowledge_base.prototypes import choose, herd, shares, thin
from lab.knowledge_base.retrieval import compare_retrieval
from lab.knowledge_base.tuning import TuningPlan, tune
from lab.simulate.chain import channel_chain
from lab.simulate.embeddings import Received, transmit_embeddings
from receiver.confidence import load_confidence, shipped_confidence
from receiver.knowledge_base import KnowledgeBase, Origin, write_store
from receiver.knowledge_base.index.settings import read_tuning
from shared.codecs.embedding.raw import Raw
from shared.errors import InvalidInput, InvalidSetting, NotFound
from shared.phy import ChannelSettings
from shared.types import Embeddings

RAW = Raw.load(512, "cpu")
RUNNER = CliRunner()


def over(vectors: Embeddings, counter: int = 0, **settings: Any) -> Received:
    """Vectors after the channel, codec raw."""
    return transmit_embeddings(vectors, RAW, channel_chain(ChannelSettings(**settings)), counter)


def nothing(done: int, total: int) -> None:
    """Progress that nobody watches."""


def collection(items: int = 600, classes: int = 20) -> Collection:
    return Collection(items, classes, seed=3)


def fill(folder: Path, items: int, classes: int) -> Path:
    vectors, labels = collection(items, classes).block(0, items)
    with write_store(folder, Origin("clusters", "fake-clip", "c0ffee", 512)) as store:
        for row, (vector, label) in enumerate(zip(vectors, labels.tolist(), strict=True)):
            store.add(f"item/{row}", f"class {label}", vector, caption=f"number {row}", thumbnail=b"webp")
    return folder


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("kb") / "kb", 600, 20)


@pytest.fixture
def base(directory: Path):
    with KnowledgeBase.open(directory) as knowledge_base:
        yield knowledge_base


def test_the_noise_of_what_was_sent_is_what_was_asked_for() -> None:
    """Mean squared error of unit vectors at 10 dB against N0 = 0.1, within 10 %; N0 itself from 8 pilots, within 15 %.

    Zero forcing with the gain from 8 pilots adds N0/8; the length is taken out again by the unit length.
    """
    vectors, _ = collection().block(0, 400)
    received = over(vectors, snr_db=10.0, seed=1)
    cosines = (received.embeddings * vectors).sum(axis=1)
    assert np.median(cosines) == pytest.approx(1 / np.sqrt(1.1), rel=0.1)
    assert np.mean(received.n0) == pytest.approx(0.1, rel=0.15)
    assert (received.symbols == 256).all()


def test_what_is_sent_depends_on_the_seed_and_the_counter_alone() -> None:
    vectors, _ = collection().block(0, 300)
    whole = over(vectors, snr_db=0.0)
    part = over(vectors[270:], 270, snr_db=0.0)
    np.testing.assert_allclose(part.embeddings, whole.embeddings[270:], atol=1e-6)


def test_true_neighbours_are_those_of_a_full_search() -> None:
    vectors, _ = collection().block(0, 500)
    queries, _ = collection().block(9, 20)
    found = TrueNeighbours(queries, 7)
    for start in range(0, 500, 170):
        found.look_at(vectors[start : start + 170], 3 + np.arange(start, min(500, start + 170)))
    np.testing.assert_array_equal(found.positions, 3 + np.argsort(-queries @ vectors.T, axis=1)[:, :7])


def test_recall_counts_and_own_items_are_left_out() -> None:
    assert recall(np.array([[1, 2], [3, 4]]), np.array([[2, 9, 1], [5, 6, 3]])) == 0.75
    positions, cosines = without(np.array([2, 9]), np.array([[1, 2, 3], [4, 5, 6]]), np.float32([[3, 2, 1], [3, 2, 1]]))
    assert positions.tolist() == [[1, 3], [4, 5]]
    assert cosines.tolist() == [[3, 1], [3, 2]]


def test_an_item_is_not_its_own_neighbour(base: KnowledgeBase) -> None:
    own = own_queries(base.view, 50, seed=0)
    answers = answer(base.view, own, over(own.embeddings, snr_db=np.inf))
    assert answers.features[:, 1].max() < 0.999, "the item itself would have a cosine of 1"
    assert answers.right.mean() > 0.9


def test_expected_calibration_error_of_a_known_case() -> None:
    """Two bins: 0.9 sure and right 3 of 4 times, 0.1 sure and right 1 of 4 times."""
    confidence = np.array([0.9] * 4 + [0.1] * 4)
    right = np.array([True, True, True, False, True, False, False, False])
    assert reliability(confidence, right).ece == pytest.approx(0.15)


def test_a_fitted_confidence_is_calibrated(base: KnowledgeBase) -> None:
    """ECE of 0.08 at most on 2,400 answers that it was not fitted to; the share of the vote is no better."""
    own = own_queries(base.view, 600, seed=0)
    parts = [ask(base.view, [RAW], own, seed=seed, progress=nothing, snr_db=(-20, 5)) for seed in range(8)]
    names = Answers.__dataclass_fields__
    answers = Answers(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
    found = calibrate(answers, shipped_confidence(), "a test")
    assert found.fitted.ece <= 0.08
    assert found.fitted.ece <= found.share.ece + 0.01
    assert found.models.vote.source == "a test"
    assert found.models.fusion == shipped_confidence().fusion, "nothing was fused"


def test_a_confidence_cannot_be_fitted_to_answers_that_are_all_right() -> None:
    with pytest.raises(InvalidInput, match="100 right and 0 wrong answers are too few"):
        fit(np.zeros((100, 5)), np.zeros((100, 5)), np.ones(100, np.bool_), "")


def test_the_vote_is_measured_against_the_nearest_item(base: KnowledgeBase) -> None:
    own = own_queries(base.view, 300, seed=0)
    curves = compare_retrieval(base.view, own, [RAW], (-15.0, 10.0), nothing)
    assert [curve.fading for curve in curves] == ["none", "rayleigh"]
    for accuracy in curves[0].accuracy.values():
        assert accuracy[0] < accuracy[1]
        assert accuracy[1] > 0.9


def test_what_the_base_lacks_scores_lower(base: KnowledgeBase) -> None:
    """AUROC of the confidence at least 0.8 with a fifth of 20 clear clusters taken away."""
    own = own_queries(base.view, 300, seed=0)
    found = measure_open_set(base.view, own, [RAW], shipped_confidence(), seed=0, progress=nothing)
    assert (found.lacking, found.labels) == (4, 20)
    assert found.auroc["confidence"] >= 0.8
    assert found.risk[len(found.risk) // 2] < found.risk[-1], "those accepted first are right more often"


def test_tuning_chooses_the_fastest_that_reaches_the_recall_and_is_used(directory: Path) -> None:
    plan = TuningPlan(0.9, RAW, queries=60, engines=("flat", "ivf-sq8"))
    tuning, points = tune(directory, plan, nothing)
    try:
        good = [point for point in points if point.recall_at_1 >= 0.9]
        assert {point.engine for point in points} == {"flat", "ivf-sq8"}
        assert tuning.milliseconds == min(point.milliseconds for point in good)
        assert read_tuning(directory) == tuning
        with KnowledgeBase.open(directory) as knowledge_base:
            assert knowledge_base.description.engine == tuning.engine
        with pytest.raises(InvalidSetting, match="recall = 2"):
            tune(directory, TuningPlan(2, RAW), nothing)
    finally:
        (directory / "tuning.json").unlink()


def test_a_recall_that_nothing_reaches_is_an_error(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "lab.knowledge_base.tuning.list_count", lambda items: 1
    )  # no more than one list of several is probed
    monkeypatch.setattr("lab.knowledge_base.tuning._DEPTHS", {"ivf-sq8": (0,)})
    with pytest.raises(NotFound, match=r"no engine reaches recall 1; ivf-sq8 .* comes closest"):
        tune(directory, TuningPlan(1, RAW, snr_db=-10, queries=60, engines=("ivf-sq8",)), nothing)
    assert read_tuning(directory) is None


def test_shares_are_even_and_spend_the_budget() -> None:
    assert shares(np.array([50, 3, 10, 50]), 40).tolist() == [14, 3, 10, 13]
    assert shares(np.array([5, 5, 5]), 100).tolist() == [5, 5, 5]
    assert shares(np.array([1, 9, 9]), 5).tolist() == [1, 2, 2]


def test_herding_comes_closer_to_the_mean_than_chance() -> None:
    vectors, _ = collection(classes=1).block(0, 200)
    mean = vectors.mean(axis=0)
    drawn = np.random.default_rng(0).choice(200, 5, replace=False)
    herded = herd(vectors, 5)
    assert len(np.unique(herded)) == 5
    assert np.linalg.norm(vectors[herded].mean(axis=0) - mean) < np.linalg.norm(vectors[drawn].mean(axis=0) - mean)


def test_a_thinned_base_keeps_every_label_and_all_of_an_item(directory: Path, base: KnowledgeBase, tmp_path: Path):
    thinned = thin(directory, tmp_path / "thin", 40, codec=RAW, levels_db=[10.0], progress=nothing)
    assert (thinned.items_before, thinned.items, thinned.fewest, thinned.most) == (600, 40, 2, 2)
    assert thinned.accuracy[10.0] > thinned.accuracy_before[10.0] - 0.05
    with KnowledgeBase.open(tmp_path / "thin") as small:
        assert set(small.view.labels) == set(base.view.labels)
        item = small.get_item(small.view.item_ids[0])
        assert vars(item).keys() == vars(base.get_item(item.item_id)).keys()
        assert (item.caption, item.thumbnail) == (f"number {item.item_id.split('/')[1]}", b"webp")
    with pytest.raises(InvalidSetting, match="19 items cannot stand for 20 labels"):
        choose(base.view, 19)
    with pytest.raises(InvalidSetting, match="choose another folder"):
        thin(directory, directory, 40, codec=RAW, levels_db=[10.0], progress=nothing)
    with pytest.raises(InvalidSetting, match="has 600 items; choose a budget below"):
        thin(directory, tmp_path / "thin", 600, codec=RAW, levels_db=[10.0], progress=nothing)


def test_queries_from_elsewhere(base: KnowledgeBase, tmp_path: Path) -> None:
    vectors, labels = collection().block(5, 30)
    names = np.array([f"class {label}" for label in labels[:29]] + ["never heard of"])
    save_features(tmp_path / "q.npz", Features(vectors, names, np.arange(30).astype(np.str_)))
    queries = queries_for(base.view, tmp_path / "q.npz", 100)
    assert sorted(queries.labels.tolist())[0] == -1
    assert (queries.positions == -1).all()
    assert queries_from(base.view, vectors, ["class 0"]).labels.tolist() == [base.view.labels.index("class 0")]


def test_the_commands_print_json_and_draw(directory: Path, tmp_path: Path) -> None:
    def run(*words: object) -> dict:
        result = RUNNER.invoke(app, ["kb", *map(str, words), "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    try:
        tuned = run("tune", directory, "--engine", "flat", "--count", 40, "--plot", tmp_path / "t.png")
        assert tuned["chosen"]["engine"] == "flat"
        hard = fill(tmp_path / "hard", 600, 200)
        calibrated = run("calibrate", hard, "--plot", tmp_path / "c.png")
        assert load_confidence(hard).vote.source == "clusters"
        assert set(calibrated["ece"]) == {"share", "shipped", "fitted"}
        assert run("report", directory, "--count", 60, "--plot", tmp_path / "r.png")["auroc"]
        where = (tmp_path / "small", "--codec", "raw", "--plot", tmp_path / "h.png")
        assert len(run("thin", directory, "--items", 100, "--items", 20, "--out", *where)["steps"]) == 2
        for name in "tcrh":
            assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    finally:
        (directory / "tuning.json").unlink(missing_ok=True)


def test_the_bench_measures_what_it_says(tmp_path: Path) -> None:
    result = bench_knowledge_base(
        KnowledgeBaseBench(items=3000, queries=30, engine="ivf-sq8", directory=tmp_path, durable_items=1024), nothing
    )
    assert result["engine"] == "ivf-sq8"
    assert result["recall_at_1"] >= 0.9
    assert result["bare_faiss_ms"]["p50"] > 0
    assert result["resident_megabytes"] > result["libraries_megabytes"] > 10
    with KnowledgeBase.open(tmp_path / "kb") as knowledge_base:
        assert knowledge_base.description.items == 4024
