"""Asking for more in the laboratory: the scheme, its rows, and the benchmark over a running link."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lab.bench.more import MoreBench, MoreRow, bench_more, compared, frontier, ways
from lab.bench.more_figure import draw_more
from lab.data.features import Features
from lab.evaluate.bounds import limit_of
from lab.evaluate.data import TestSet
from lab.evaluate.leak_test import check_dead_channel
from lab.evaluate.run_point import measure
from lab.evaluate.scenario import Point, Scenario, SchemeSpec
from lab.evaluate.scheme import Arrival, Batch, CannotExist
from lab.evaluate.schemes import make_scheme
from lab.evaluate.scorer import Scorer
from lab.simulate.air import Air
from local.supervisor import LocalLink
from shared.codecs.embedding.nested import Nested
from tests.cli.test_cli import semlink


@pytest.fixture(scope="module")
def judge() -> Scorer:
    """300 queries and 600 items around the categories of the codec that ships, as CLIP would see pictures of them."""
    codec, rng = Nested.load(256, "cpu"), np.random.default_rng(0)
    prototypes = codec.model.prototypes.numpy()

    def around(count: int, name: str) -> Features:
        categories = np.arange(count) % len(prototypes)
        drawn = prototypes[categories] + rng.normal(size=(count, prototypes.shape[1])) * 0.01
        unit = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        labels = np.array([f"category {category:03d}" for category in categories])
        return Features(unit, labels, np.array([f"{name}/{row}" for row in range(count)]))

    pixels = np.zeros((300, 32, 32, 3), np.uint8)
    return Scorer(TestSet(around(300, "query"), around(600, "kb"), pixels, codec.clip_fingerprint))


def point(name: str, k: int, *, fading: str = "none", snr_db: float = 0.0) -> Point:
    scheme: dict[str, Any] = {"name": name, "k": [k], "decision": "fusion"}
    channel = {"csi": "pilot", "settings": {"fading": fading}}
    return Scenario(title="more", snr_db=[snr_db], scheme=[scheme], channel=[channel]).points()[0]


def sent(judge: Scorer, at: Point) -> Arrival:
    members = judge.blocks(0)[0]
    batch = Batch(judge.test_set.queries.embeddings[members], judge.test_set.pixels[members], at.snr_db)
    return make_scheme(at.scheme, at.k, judge.test_set).send(batch, Air(at, 1, members))


def test_more_is_sent_of_pictures_below_the_certainty_and_of_no_other(judge: Scorer) -> None:
    arrival = sent(judge, point("nested-more-0.9", 64))
    assert set(arrival.payload_symbols.tolist()) <= {4, 8, 16, 32}
    assert len(set(arrival.payload_symbols.tolist())) == 4
    assert (arrival.payload_symbols == 4 * 2 ** (arrival.bursts - 1)).all()
    certainty = np.exp(arrival.decoded.log_posterior.max(axis=1))
    for symbols, least in ((4, 0.9), (8, 0.8), (16, 0.6)):  # the next round is as long as all before it
        assert (certainty[arrival.payload_symbols == symbols] >= least).all()


def test_a_budget_of_the_first_round_is_the_plain_burst(judge: Scorer) -> None:
    """The same draws, so bit for bit."""
    more, plain = (sent(judge, point(name, 8, fading="rayleigh")) for name in ("nested-more-0.9", "nested"))
    assert more.decoded.log_posterior.tobytes() == plain.decoded.log_posterior.tobytes()
    assert (more.found == plain.found).all()


@pytest.mark.parametrize("fading", ["none", "rayleigh"])
def test_a_row_tells_the_mean_bandwidth_and_beats_the_fixed_length(judge: Scorer, fading: str) -> None:
    """The accuracy of k = 64, to 0.03, one standard error, with under three quarters of its symbols."""
    at = {name: point(name, 64, fading=fading) for name in ("nested-more-0.99", "nested")}
    rows = {name: measure(one, make_scheme(one.scheme, 64, judge.test_set), judge) for name, one in at.items()}
    more, fixed = rows["nested-more-0.99"], rows["nested"]
    assert more.semantic_accuracy > fixed.semantic_accuracy - 0.03
    assert more.cbr < 0.75 * fixed.cbr
    bursts = (more.cbr_total - more.cbr) / ((8 + 16) / (3 * 32 * 32))
    assert 1 < bursts < 4
    assert fixed.cbr == pytest.approx(32 / (3 * 32 * 32))
    assert fixed.cbr_total == pytest.approx((32 + 8 + 16) / (3 * 32 * 32))


def test_it_knows_nothing_over_a_dead_channel_and_has_no_length_of_its_own(judge: Scorer) -> None:
    spec = SchemeSpec(name="nested-more-0.5", k=(256,), decision="fusion")
    check_dead_channel(spec.name, make_scheme(spec, 256, judge.test_set), judge)
    for name, k in (("nested-more-0.9-from-16", 8), ("nested-more-0.9", 48)):
        with pytest.raises(CannotExist, match=f"never k = {k}"):
            make_scheme(SchemeSpec(name=name, k=(k,)), k, judge.test_set)


def test_the_limit_of_one_gain_does_not_hold_for_rounds_that_fade_each_by_itself() -> None:
    assert math.isnan(limit_of(point("nested-more-0.9", 64, fading="rayleigh"), 0.7, 100))
    assert limit_of(point("nested-more-0.9", 64), 0.7, 100) == limit_of(point("nested", 64), 0.7, 100)


def test_the_frontier_is_what_mixes_of_settings_reach() -> None:
    corners = frontier([1, 2, 3, 4, 2], [0.2, 0.4, 0.9, 0.8, 0.5])
    assert corners.tolist() == [[1, 0.2], [3, 0.9]]
    assert frontier([2, 1, 4], [0.5, 0.3, 0.6]).tolist() == [[1, 0.3], [2, 0.5], [4, 0.6]]


def test_gains_are_read_at_equal_bandwidth() -> None:
    row = MoreRow("none", 0.0, 8, 8, None, 100, 0.5, 0.4, 0.6, 2.0, 3.0, 1.0, 1.0, 1.0)
    asker = replace(row, k_max=256, certainty=0.9, cbr=1.0, cbr_total=4.0, semantic_accuracy=0.5)
    better = replace(asker, certainty=0.99, cbr=3.0, cbr_total=6.0, semantic_accuracy=0.7)
    elsewhere = replace(better, snr_db=5.0, cbr=0.1, semantic_accuracy=1.0)
    found = compared([row, asker, better, elsewhere])
    assert found[0].gain == pytest.approx(0.1)
    assert found[0].gain_total is None, "no asker is as cheap"
    assert found[1:] == [asker, better, elsewhere]


def test_the_benchmark_over_a_running_link(link: LocalLink, tmp_path: Path) -> None:
    bench = MoreBench(
        queries=24,
        fadings=("none",),
        snrs_db=(2.0,),
        certainties=(0.9,),
        starts=(8,),
        timed=5,
        address=link.transmitter,
    )
    result = bench_more(bench)
    assert [(row["k"], row["k_max"], row["certainty"]) for row in result["rows"]] == [tuple(way) for way in ways(bench)]
    for row in result["rows"]:
        assert (row["n"], 0 <= row["semantic_accuracy"] <= 1, 0 < row["p50_ms"] <= row["p95_ms"]) == (24, True, True)
        assert 1 <= row["rounds"] <= 6
        assert row["cbr_total"] == pytest.approx(row["cbr"] + row["rounds"] * 16 / (3 * 64 * 64))
    draw_more(result, tmp_path / "more.png")
    with Image.open(tmp_path / "more.png") as image:
        assert image.width > 300


def test_send_shows_the_rounds(link: LocalLink, tmp_path: Path, drawn_pngs) -> None:
    (tmp_path / "a.png").write_bytes(drawn_pngs[0][1])
    at = ("--transmitter", link.transmitter, "--codec", "nested", "--snr-db", "-8", "--k", "16", "--k-max", "32")
    shown = semlink("send", tmp_path / "a.png", *at, "--ask-for-more", "--certainty", "1")
    assert shown.returncode == 0, shown.stderr
    assert "round" in shown.stdout
    assert "nested, k = 32" in shown.stdout
    refused = semlink("send", tmp_path / "a.png", *at[:4], "--certainty", "0.5")
    assert refused.returncode == 2
    assert "goes with ask_for_more" in refused.stderr
