"""The laboratory's comparison: the grid, the chain, resuming, determinism, and leaks that are planted and caught."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import pytest

from lab.data.features import Features
from lab.evaluate.data import TestSet, check_apart
from lab.evaluate.leak_test import Leak, check_dead_channel, too_good
from lab.evaluate.run import evaluate
from lab.evaluate.run_point import measure
from lab.evaluate.scenario import SHIPPED, load_scenario
from lab.evaluate.scheme import Batch, CodecScheme
from lab.evaluate.schemes import make_scheme
from lab.evaluate.scorer import Scorer
from lab.evaluate.table import Row
from receiver.decision import vote
from shared.codecs.embedding.raw import Raw
from shared.errors import InvalidSetting, Mismatch, NotFound
from shared.phy import Link, equalize, estimate_channel, pilot_sequence, place_pilots
from shared.phy.power import normalize_power
from tests.tools.scenarios import scenario

TIMED = ("encode_ms", "decode_ms")


@pytest.fixture(scope="module")
def scorer(test_set: TestSet) -> Scorer:
    return Scorer(test_set)


def test_a_grid_has_every_point_once() -> None:
    whole = scenario(
        snr_db=[-7, 10],
        scheme=[{"name": "kbsc", "k": [16, 64]}, {"name": "raw", "k": [512]}],
        channel=[{"csi": ["pilot", "perfect"], "settings": {"fading": "rayleigh"}}, {"csi": "none"}],
    )
    points = whole.points()
    assert len({point.model_dump_json() for point in points}) == len(points) == 2 * 3 * 3
    assert {point.pilots for point in points if point.csi == "pilot"} == {8}
    assert {point.pilots for point in points if point.csi != "pilot"} == {0}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("title = 1", "snr_db"),
        ("title = 'a'\nsnr_db = [0]\n[[scheme]]\nname = 'raw'\nk = []\n[[channel]]", "k"),
        ("title = 'a'\nsnr_db = [0]\n[[scheme]]\nname = 'raw'\nk = [512]\n[[channel]]\ncsi = 'half'", "csi"),
        ("title = 'a'\nsnr_db = [900]\n[[scheme]]\nname = 'raw'\nk = [512]\n[[channel]]", "snr_db = 900"),
        ("title = 'a'\nsnr_db = [0]\nspeed = 3\n[[scheme]]\nname = 'raw'\nk = [512]\n[[channel]]", "speed"),
        ("title = ", "no TOML"),
    ],
)
def test_a_wrong_scenario_names_what_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSetting, match=named) as caught:
        load_scenario(path)
    assert str(path) in str(caught.value)


def test_shipped_scenarios_load_and_others_are_named() -> None:
    assert {path.stem for path in SHIPPED.glob("*.toml")} >= {"quick", "paper"}
    for path in SHIPPED.glob("*.toml"):
        assert load_scenario(path.stem).points()
    with pytest.raises(NotFound, match="quick"):
        load_scenario("slow")


def test_a_point_is_measured_over_the_chain_that_it_names() -> None:
    """Pilots in front, the link's own draws, estimate from the pilots, the receiver's equalizer: bit for bit."""
    (point,) = scenario(channel=[{"csi": "pilot", "settings": {"fading": "rayleigh"}}]).points()
    rng = np.random.default_rng(0)
    x = normalize_power((rng.normal(size=(4, 32)) + 1j * rng.normal(size=(4, 32))).astype(np.complex64))
    found = point.chain(seed=3).carry(x, np.arange(4))
    link = Link.from_settings(point.channel.updated(seed=3))
    y = np.stack([link.transmit(place_pilots(x[n], 8, "preamble"), 0, n).y for n in range(4)])
    known = estimate_channel(y[:, :8])
    x_hat, n0_eff = equalize(y[:, 8:], known.gain, known.disturbance, "level")
    np.testing.assert_array_equal(found.x_hat, x_hat)
    np.testing.assert_array_equal(found.n0_eff, n0_eff)
    alone = point.chain(seed=3).carry(x[2:3], np.array([2]))
    np.testing.assert_array_equal(alone.x_hat[0], found.x_hat[2])
    assert pilot_sequence(8).size == point.pilots


def test_a_scattered_pattern_of_pilots_can_be_evaluated(scorer: Scorer) -> None:
    """Over Rayleigh fading that changes within the burst, where pilots in front tell nothing of its end."""
    fast = {"fading": "rayleigh", "coherence_symbols": 32}
    channels = [
        {"pilot_symbols": 32, "pilot_pattern": pattern, "settings": fast} for pattern in ("preamble", "scattered")
    ]
    points = scenario(snr_db=[15], channel=channels).points()
    front, scattered = (measure(point, raw_scheme(), scorer) for point in points)
    assert front.cbr_total == scattered.cbr_total
    assert scattered.semantic_accuracy > front.semantic_accuracy + 0.1


def test_clean_raw_embeddings_give_the_clean_answer(scorer: Scorer) -> None:
    (point,) = scenario(snr_db=["inf"], queries=0).points()
    row = measure(point, raw_scheme(), scorer)
    assert (row.n, row.semantic_agreement, row.knn_overlap_at_10) == (1000, 1.0, 1.0)
    assert row.semantic_accuracy == scorer.nearest_accuracy
    assert row.ci_low < row.semantic_accuracy < row.ci_high
    assert row.cosine == pytest.approx(1, abs=1e-6)
    assert (row.cbr, row.cbr_total) == (256 / (3 * 64 * 64), 256 / (3 * 64 * 64))


def test_stops_once_there_are_errors_enough(scorer: Scorer) -> None:
    (point,) = scenario(snr_db=[-20], queries=0, seeds=[1, 2], stop_errors=50).points()
    assert measure(point, raw_scheme(), scorer).n == 1000
    (point,) = scenario(snr_db=[-20], queries=0, seeds=[1, 2]).points()
    assert measure(point, raw_scheme(), scorer).n == 2000


def raw_scheme() -> CodecScheme:
    return CodecScheme(Raw.load(512, "cpu"), Raw.load(512, "cpu"))


def same(first: pl.DataFrame, second: pl.DataFrame) -> bool:
    return first.drop(TIMED).equals(second.drop(TIMED))


def test_results_are_the_same_in_any_order_and_go_on_where_they_were(test_set: TestSet, tmp_path: Path) -> None:
    whole = scenario(
        snr_db=[-7, 5],
        scheme=[{"name": "kbsc", "k": [16, 18]}, {"name": "raw", "k": [512]}],
        channel=[{"csi": "pilot"}],
    )
    first = evaluate(whole, test_set, tmp_path / "a", jobs=2)
    assert len(first) == 6
    assert list(first.columns) == list(Row.__annotations__)
    assert same(first, pl.read_parquet(tmp_path / "a" / "results.parquet"))
    assert same(first, pl.read_csv(tmp_path / "a" / "results.csv", schema=first.schema))
    assert first.filter(pl.col("k") == 18)["n"].to_list() == [0, 0]  # kbsc has no such length, and its rows say so
    backwards = whole.model_copy(update={"snr_db": whole.snr_db[::-1], "scheme": whole.scheme[::-1]})
    second = evaluate(backwards, test_set, tmp_path / "b", jobs=1)
    keys = ["scheme", "k", "snr_db"]
    assert same(first.sort(keys), second.sort(keys))
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "a" / "points").iterdir()}
    gone = next(iter(kept))
    gone.unlink()
    told: list[tuple[int, int]] = []
    again = evaluate(whole, test_set, tmp_path / "a", report=lambda done, total: told.append((done, total)))
    assert told == [(5, 6), (6, 6)]
    assert same(first, again)
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items() if path != gone)


def features(rng: np.random.Generator, name: str, count: int = 400) -> Features:
    drawn = rng.normal(size=(count, 512))
    unit = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return Features(unit, np.array(["a"] * count), np.array([f"{name}{n}" for n in range(count)]))


def test_queries_in_the_knowledge_base_and_test_data_in_training_are_caught() -> None:
    rng = np.random.default_rng(0)
    queries, items = features(rng, "q"), features(rng, "i")
    check_apart(queries, items)
    by_id = Features(items.embeddings, items.labels, np.concatenate([queries.ids[:1], items.ids[1:]]))
    with pytest.raises(Mismatch, match="'q0'"):
        check_apart(queries, by_id)
    planted = items.embeddings.copy()
    planted[:3] = queries.embeddings[:3]  # under other names
    with pytest.raises(Mismatch, match="3 of 400 pictures"):
        check_apart(queries, Features(planted, items.labels, items.ids))


class Whisperer(Raw):
    """A cheat: what one half learns it tells the other beside the air."""

    name: ClassVar[str] = "whisperer"
    heard: ClassVar[list[Any]] = []

    def encode(self, embeddings: Any, snr_db: Any = None) -> Any:
        self.heard[:] = [embeddings]
        return super().encode(embeddings)

    def decode(self, x_hat: Any, n0_eff: Any) -> Any:
        decoded = super().decode(x_hat, n0_eff)
        return type(decoded)(self.heard[0]) if self.heard else decoded

    @classmethod
    def load(cls, k: int, device: str) -> Self:
        return cls()


def test_a_side_channel_is_caught_over_a_dead_channel(scorer: Scorer) -> None:
    check_dead_channel("raw", raw_scheme(), scorer)
    with pytest.raises(Leak, match="whisperer"):
        check_dead_channel("whisperer", CodecScheme(Whisperer(), Whisperer()), scorer)


def test_labels_in_a_knowledge_base_do_not_reach_a_scheme(test_set: TestSet, scorer: Scorer) -> None:
    """Other labels, same symbols and same items: a scheme that saw labels would send something else."""
    (point,) = scenario().points()
    row = measure(point, raw_scheme(), scorer)
    turned = {name: test_set.names[(n + 1) % 100] for n, name in enumerate(test_set.names)}
    other = Features(
        test_set.queries.embeddings, np.array([turned[name] for name in test_set.queries.labels]), test_set.queries.ids
    )
    renamed = Scorer(TestSet(other, test_set.items, test_set.pixels, test_set.clip_fingerprint))
    wrong = measure(point, raw_scheme(), renamed)
    assert (wrong.cosine, wrong.knn_overlap_at_10, wrong.semantic_agreement) == (
        row.cosine,
        row.knn_overlap_at_10,
        row.semantic_agreement,
    )
    assert wrong.semantic_accuracy < 0.1
    assert row.semantic_accuracy > 0.5


def test_rows_above_the_limit_are_pointed_out(scorer: Scorer) -> None:
    (point,) = scenario(snr_db=[10]).points()
    scheme = raw_scheme()
    measured = measure(point, scheme, scorer)
    honest, planted = asdict(replace(measured, upper_bound=0.995)), asdict(replace(measured, upper_bound=0.5))
    assert too_good([honest, planted]) == [planted]


def test_a_codec_of_another_clip_is_refused(test_set: TestSet, tmp_path: Path) -> None:
    with pytest.raises(Mismatch, match="trained on CLIP"):
        evaluate(scenario(scheme=[{"name": "kbsc", "k": [64]}]), replace(test_set, clip_fingerprint="c0ffee"), tmp_path)


def test_a_vote_answers_as_a_live_receiver_does(test_set: TestSet) -> None:
    """The answer is that of `receiver.decision.vote` over the twenty nearest; noise is what pilots tell."""
    (point,) = scenario(scheme=[{"name": "raw", "k": [512], "decision": "vote"}], channel=[{}], snr_db=[-10]).points()
    members = np.arange(50)
    batch = Batch(test_set.queries.embeddings[members], test_set.pixels[members], members, None)
    arrival = make_scheme(point.scheme, 512, test_set).send(batch, point.chain(seed=1))
    assert arrival.found is not None
    e_hat = arrival.decoded.embeddings / np.linalg.norm(arrival.decoded.embeddings, axis=1, keepdims=True)
    cosines = e_hat @ test_set.items.embeddings.T
    nearest = np.argsort(-cosines, axis=1)[:, :20]
    n0 = point.chain(seed=1).carry(raw_symbols(batch), members).n0
    ballot = vote(test_set.item_labels[nearest], 2 - 2 * np.take_along_axis(cosines, nearest, axis=1), n0)
    elected = nearest[members, ballot.winner]
    np.testing.assert_array_equal(arrival.found[:, 0], elected)
    assert (elected != nearest[:, 0]).any()  # or the nearest item would do


def raw_symbols(batch: Batch) -> Any:
    return Raw.load(512, "cpu").encode(batch.embeddings)


def test_a_codec_without_categories_has_nothing_to_fuse(test_set: TestSet, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="raw has no categories"):
        evaluate(scenario(scheme=[{"name": "raw", "k": [512], "decision": "fusion"}]), test_set, tmp_path)
