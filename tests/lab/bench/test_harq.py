"""The benchmark of asking for more, over a running link."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lab.bench.harq import HarqBench, HarqRow, bench_harq, compared, frontier, ways
from lab.bench.harq_figure import draw_harq
from local.supervisor import LocalLink


def test_the_frontier_is_what_mixes_of_settings_reach() -> None:
    corners = frontier([1, 2, 3, 4, 2], [0.2, 0.4, 0.9, 0.8, 0.5])
    assert corners.tolist() == [[1, 0.2], [3, 0.9]]
    assert frontier([2, 1, 4], [0.5, 0.3, 0.6]).tolist() == [[1, 0.3], [2, 0.5], [4, 0.6]]


def test_gains_are_read_at_equal_bandwidth() -> None:
    row = HarqRow("none", 0.0, 8, 8, None, 100, 0.5, 0.4, 0.6, 2.0, 3.0, 1.0, 1.0, 1.0)
    asker = replace(row, k_max=256, certainty=0.9, cbr=1.0, cbr_total=4.0, semantic_accuracy=0.5)
    better = replace(asker, certainty=0.99, cbr=3.0, cbr_total=6.0, semantic_accuracy=0.7)
    elsewhere = replace(better, snr_db=5.0, cbr=0.1, semantic_accuracy=1.0)
    found = compared([row, asker, better, elsewhere])
    assert found[0].gain == pytest.approx(0.1)
    assert found[0].gain_total is None, "no asker is as cheap"
    assert found[1:] == [asker, better, elsewhere]


def test_the_benchmark_over_a_running_link(link: LocalLink, tmp_path: Path) -> None:
    bench = HarqBench(
        queries=24,
        fadings=("none",),
        snrs_db=(2.0,),
        certainties=(0.9,),
        starts=(8,),
        timed=5,
        address=link.transmitter,
    )
    result = bench_harq(bench)
    assert [(row["k"], row["k_max"], row["certainty"]) for row in result["rows"]] == [tuple(way) for way in ways(bench)]
    for row in result["rows"]:
        assert (row["n"], 0 <= row["semantic_accuracy"] <= 1, 0 < row["p50_ms"] <= row["p95_ms"]) == (24, True, True)
        assert 1 <= row["rounds"] <= 6
        assert row["cbr_total"] == pytest.approx(row["cbr"]), "without pilots, nothing but payload is sent"
    draw_harq(result, tmp_path / "more.png")
    with Image.open(tmp_path / "more.png") as image:
        assert image.width > 300
